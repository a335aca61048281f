//! The vectors of pooled models (pooled.md): fits, histograms, bins, averages. A real number may differ by 1e-9.
use super::value;
use super::vectors::plan_of;
use super::{Cell, Tensor, Values, merge_small_cells};
use crate::case::{Hex, decimals, double, each};
use hefu_core::{Code, ValueCodec};
use hefu_model::pooled::{
    self, Moments, Newton, NewtonSums, Progress, check_rows, deviations, evidence, histogram, moments, newton,
    pooled_scales,
};
use hefu_model::{Scale, Source, Standardiser};
use serde::Deserialize;
use serde_json::{Value, json};

/// A real number as a vector has it: the expected text where it is near, else what was found.
fn near(expected: &str, found: f64) -> String {
    let wanted: f64 = expected.parse().unwrap();
    if (wanted - found).abs() <= 1e-9 { expected.to_owned() } else { format!("{found:.10}") }
}

