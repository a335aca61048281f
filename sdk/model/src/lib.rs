//! Pure numerics of credit models: standardisation, logistic regression, a party's block of vertical
//! regression, the optimiser that the initiator runs, and the measures of a scorecard.
//!
//! No clock, no files, no randomness: the same input gives the same output at any number of threads.
//! Columns are dense `f64`, one after the other; an empty cell is a NaN. Terms are those of `spec/vlr.md`.
pub mod block;
#[cfg(test)]
#[path = "../../core/tests/vectors/case.rs"]
mod case;
mod columns;
mod error;
pub mod logistic;
pub mod metrics;
pub mod optimiser;
pub mod pooled;
pub mod rules;
mod standardise;
mod symmetric;

pub use block::{Block, Target};
pub use columns::{ABSENT, Columns, Source};
pub use error::Error;
pub use optimiser::{Decision, Grade, Optimiser};
pub use standardise::{Scale, Standardiser};
