//! What the suite chose itself in a training, and what it knows of the target's rows.

use serde::{Deserialize, Serialize};

/// Facts of a training.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainFacts {
    /// Rank of the target.
    pub rank: u16,
    /// Number of training rows; they come first.
    pub training: usize,
    /// Cells of the target's rows in the job's order; none where the row is unmatched.
    pub target: Vec<Option<Vec<f64>>>,
    /// Standardised columns of rank 0 on the training rows.
    pub own: Vec<Vec<f64>>,
    /// Labels of the training rows.
    pub labels: Vec<u8>,
    /// Penalty.
    pub lambda: f64,
    /// Rounds, in order.
    pub rounds: Vec<RoundFacts>,
    /// The evaluation that TRAIN_DONE names.
    pub done: Option<usize>,
    /// Key of the mask under the target's score parts, hex; empty with two parties.
    pub score_mask: String,
}

/// Facts of a round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RoundFacts {
    /// Its number.
    pub round: u32,
    /// Its evaluation: a repetition has that of the round before.
    pub evaluation: usize,
    /// Sine set.
    pub sine: u16,
    /// STEP's coefficients of points.
    pub points: Vec<f64>,
    /// STEP's coefficients of preconditioned gradients.
    pub gradients: Vec<f64>,
    /// Rank 0's share of the phases.
    pub beta: Vec<u64>,
    /// Residuals at scale 2^20, where ranks 0 and 1 are both the suite's.
    pub residual: Vec<i64>,
    /// Keys of the secret keys' recipe, hex: that of BASIS_KEY, then of set G, by rank.
    pub secrets: Vec<String>,
    /// Keys of masks, hex: of SHARE towards rank 0; of SCALARS towards ranks 0 and 1.
    pub masks: Vec<String>,
    /// Key of rank 1's share of the residual, hex, where both shares are the suite's.
    pub share: String,
    /// Masks of rank 0's sums under the target's key, by column.
    pub opened_masks: Vec<u64>,
    /// Seeds of the suite's RESIDUAL, hex, by owner.
    pub block_seeds: Vec<String>,
    /// The sums were opened to values that leave every bound.
    pub wrapped: bool,
}
