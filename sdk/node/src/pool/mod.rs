//! Pooled jobs: many participants add what their rows teach, round by round (spec/aggregate.md, spec/pooled.md).
//!
//! ```text
//! job file ─plan─▶ coordinator ─round─▶ Hub, aggregate::Coordinator        one session a round
//!                      ▲ sums                │
//!                      │                     ▼ PARAMETERS
//!                   result        participant ─rows, trainers─▶ aggregate::Participant
//! ```
//!
//! A participant remembers of a job only the rounds that it took part in and the last parameters: one that was away
//! comes back in the next round.
mod coordinator;
mod disclosure;
mod own;
mod participant;
mod plan;
mod pooled;
mod program;
mod rehearsal;
mod result;
mod round;
mod rows;
mod seat;
mod trainers;
mod vector;

pub(crate) use coordinator::submit;
pub(crate) use own::{OwnModel, make as make_own, score as score_own};
pub use rehearsal::leave_at_round;
pub(crate) use seat::{confirm, open};
pub(crate) use trainers::Trainers;

use hefu_core::Missing;
use pooled::Pooled;
use serde::{Deserialize, Serialize};

/// What a party keeps of a pooled job: the last model that it saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) pooled: Pooled,
    pub(crate) missing: Missing,
}

impl Kept {
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
