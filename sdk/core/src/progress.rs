//! Progress of long work.
use crate::Stage;

/// How far a long call is: `done` of `total` units of `stage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The stage at work.
    pub stage: Stage,
    /// Units done, at most `total`.
    pub done: u64,
    /// Units in all; an estimate where the stage ends by convergence.
    pub total: u64,
}
