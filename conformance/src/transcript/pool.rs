//! What the suite chose itself in a round of aggregation, and what it knows of the target's rows.

use serde::{Deserialize, Serialize};

use crate::wire::aggregate::Form;

/// Facts of a round; everything of the suite's is by rank.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolFacts {
    /// Participants of the offer.
    pub participants: u16,
    /// Shares that rebuild a secret.
    pub threshold: u16,
    /// Number of the round.
    pub round: u32,
    /// What is summed.
    pub statistic: String,
    /// The plan's tensors.
    pub forms: Vec<Form>,
    /// Values of PARAMETERS, tensor by tensor.
    pub parameters: Vec<Vec<f64>>,
    /// The target's rows.
    pub rows: Vec<Vec<f64>>,
    /// Their labels.
    pub labels: Vec<u8>,
    /// Ephemeral secrets, hex.
    pub ephemerals: Vec<String>,
    /// Secrets of the mask keys, hex.
    pub masks: Vec<String>,
    /// Shares dealt to the target, of the self-mask and of the mask key, hex.
    pub dealt: Vec<[String; 2]>,
    /// U3.
    pub survivors: Vec<u16>,
}
