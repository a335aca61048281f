//! Settings and deviations of training and scoring.

use serde::{Deserialize, Serialize};

/// What is trained. Only scenarios that train look at it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Train {
    /// Rank of the target; 2: a party of the suite is the designated collaborator.
    pub rank: u16,
    /// Grade of the sine set of each evaluation; as many evaluations as grades.
    pub sets: Vec<String>,
    /// An evaluation that rank 0 repeats.
    pub repeat: Option<usize>,
    /// An evaluation in which the suite opens sums to values that leave every bound.
    pub wrap: Option<usize>,
    /// `max_evaluations` of the offer; 0: as many as VLR-2 permits.
    pub max_evaluations: u32,
}

impl Default for Train {
    fn default() -> Self {
        let sets = ["coarse", "fine", "fine"].map(str::to_owned).to_vec();
        Train { rank: 1, sets, repeat: None, wrap: None, max_evaluations: 12 }
    }
}

/// A change inside a parameter envelope; its digest is that of the changed bytes, but for `Digest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvelopeEdit {
    /// One bit of the digest.
    Digest,
    /// Another magic.
    Magic,
    /// Codec 9.
    Codec,
    /// A scale in codec 1.
    Scale,
    /// Both tensors have the first one's name.
    NameTwice,
    /// Another name.
    Name,
    /// The tensors in the other order.
    Order,
    /// A third tensor.
    Extra,
    /// The round before, or after round 0 the next one.
    Round,
    /// A coefficient that is not a number.
    NotANumber,
    /// One coefficient less in both tensors.
    Fewer,
    /// One coefficient more in both tensors.
    More,
    /// One coefficient less in the second tensor.
    Uneven,
}

/// A change of ring elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RingEdit {
    /// The first value of the last polynomial is its prime.
    Residue,
    /// The seed of the message's first ciphertext once more, in its second.
    SeedWithin,
    /// The seed of the first ciphertext of the message before.
    SeedBefore,
}
