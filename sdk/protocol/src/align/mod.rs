//! Alignment `align-ecdh-1` (spec/align.md): the initiator and each collaborator find their common keys.
mod collaborator;
mod initiator;
pub(crate) mod rows;
mod secrets;
mod seen;
mod tags;
pub(crate) mod wire;

pub use collaborator::{AlignedCollaborator, Collaborator};
pub use initiator::{AlignedInitiator, Initiator};
pub use wire::{ABSENT, BATCH_ELEMENTS};

use hefu_core::{Join, Split};

/// What both sides hold an alignment to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlignPlan {
    /// Which rows the job keeps.
    pub join: Join,
    /// Training and test rows.
    pub split: Split,
    /// Largest number of keys of a peer (ALIGN-6).
    pub max_rows: u64,
    /// Smallest number of matched rows that a collaborator accepts (ALIGN-11).
    pub min_rows: u64,
}

#[cfg(test)]
#[path = "../../tests/vectors/align.rs"]
mod vectors;
