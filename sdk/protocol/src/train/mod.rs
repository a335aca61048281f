//! Vertical logistic regression `vlr-1` (spec/vlr.md): lossless, without a third party, any number of collaborators.
//!
//! One evaluation, as data flows: `share` makes phases and shares of the predictor; `basis` (rank 0) encrypts its half;
//! `sigmoid` (rank 1) evaluates under encryption; `gather` makes everybody's gradient from the residual's two shares;
//! `scalars` sums what the optimiser needs. `initiator` and `collaborator` put them in order.
mod basis;
mod collaborator;
mod gather;
mod initiator;
mod party;
mod payload;
mod rotation;
mod scalars;
mod share;
mod sigmoid;
mod sine;

pub use collaborator::Collaborator;
pub use initiator::Initiator;
pub use sine::{Sine, sine_sets};

use hefu_he::{Backend, Budget, Set, Shape};

/// What a party holds a training job to, besides what the messages say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainPlan {
    /// Largest number of evaluations, repetitions included.
    pub max_evaluations: u32,
    /// The penalty λ.
    pub lambda: f64,
    /// The kernels in use.
    pub backend: Backend,
}

/// One evaluation, for the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Round, repetitions included.
    pub round: u32,
    /// Sine set.
    pub sine_set: u16,
    /// Sum of all parties' bounds.
    pub bound: u64,
    /// Relative norm of the preconditioned gradient.
    pub norm: f64,
}

/// What a party ends a training job with: its own part of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Coefficients of the own standardised columns.
    pub coefficients: Vec<f64>,
    /// The intercept; rank 0 only.
    pub intercept: Option<f64>,
    /// Accepted evaluations.
    pub evaluations: u32,
    /// Rounds, repetitions included.
    pub rounds: u32,
    /// Columns by rank; rank 0 only.
    pub columns: Vec<u32>,
    /// One entry an accepted evaluation; rank 0 only.
    pub trace: Vec<Trace>,
}

/// Noise and statistical distance of a whole job, to be checked and shown before it starts (RLWE-7).
pub fn budget(rows: u64, max_evaluations: u32, columns: u32) -> Budget {
    let largest = |set: Set| sine_sets().iter().filter(|s| s.set == set).map(|s| s.harmonics()).max().unwrap_or(0);
    let slot_sets = [(Set::S, largest(Set::S)), (Set::SCoarse, largest(Set::SCoarse))];
    Budget::compute(&Shape { rows, evaluations: max_evaluations, columns, slot_sets: &slot_sets })
}

#[cfg(test)]
#[path = "../../tests/vectors/train.rs"]
mod vectors;
