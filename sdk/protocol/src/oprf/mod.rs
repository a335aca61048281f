//! Unbalanced alignment `align-oprf-1` (spec/oprf.md): the collaborator publishes its evaluated keys once per epoch,
//! and a job costs only the initiator's own keys.
//!
//! The collaborator has two machines, because what the first one ends with is to be written down before the second one
//! evaluates anything: a new epoch is kept, and the evaluations are counted (OPRF-7).
mod announcement;
mod evaluation;
mod initiator;
mod secrets;
mod set;
mod wire;

pub use announcement::{Announced, Announcement, Source};
pub use evaluation::Evaluation;
pub use initiator::{Initiator, Matched, PublishedSet};
pub use set::{Epoch, Set};

#[cfg(test)]
#[path = "../../tests/vectors/oprf.rs"]
mod vectors;
