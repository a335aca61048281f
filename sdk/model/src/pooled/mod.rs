//! Models of pooled samples (spec/pooled.md): what a participant sums, and what a coordinator makes of the sums.
//!
//! Here is arithmetic only: the sums travel under masks (spec/aggregate.md), and a coordinator sees nothing but totals.
mod bins;
mod newton;
mod own;
mod statistics;
#[cfg(test)]
mod tests;
mod trainer;

pub use bins::{Bin, Binning, Cell, bin, buckets, evidence};
pub use newton::{Newton, Progress, check_rows, pooled_scales};
pub use own::{Own, fit_own};
pub use statistics::{Histogram, Moments, NewtonSums, deviations, histogram, moments, newton};
pub use trainer::{LogisticTrainer, Task, TensorShape, Trainer, TrainerError, TrainerKind, TrainingRows, Update};
