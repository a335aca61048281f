//! `aggregate-mean-1`: a weighted mean of values in the clear (section 7).
use super::plan::{Plan, write_reals};
use super::value::{Sums, Total};
use crate::Error;
use hefu_core::{Code, Rank};
use std::collections::BTreeMap;

/// One participant's weight and values, by tensor.
pub(super) struct Plain {
    weight: f64,
    tensors: Vec<Vec<f64>>,
}

impl Plain {
    pub(super) fn new(weight: f64, tensors: Vec<Vec<f64>>) -> Self {
        Plain { weight, tensors }
    }
}

/// Σ weight·x / Σ weight, summed by ascending rank, so that the order of arrival does not matter.
///
/// # Errors
/// `NOT_FINITE` where the weights add to nothing or a sum overflows.
pub(super) fn weighted(plain: &BTreeMap<Rank, Plain>, plan: &Plan) -> Result<Sums, Error> {
    let total: f64 = plain.values().map(|plain| plain.weight).sum();
    let refused = |cause| Err(Error::job(Code::NotFinite, "AGG-29", cause));
    if total <= 0.0 {
        return refused("the weights of a mean add to nothing");
    }
    let mut means: Vec<Vec<f64>> = plan.model_forms().iter().map(|tensor| vec![0.0; tensor.len()]).collect();
    for plain in plain.values() {
        for (mean, values) in means.iter_mut().zip(&plain.tensors) {
            for (mean, value) in mean.iter_mut().zip(values) {
                *mean += plain.weight * value;
            }
        }
    }
    for mean in means.iter_mut().flatten() {
        *mean /= total;
    }
    if means.iter().flatten().any(|mean| !mean.is_finite()) {
        return refused("a mean is beyond the range of numbers");
    }
    Ok(Sums::new(means.into_iter().map(Total::Mean).collect()))
}

/// The payload of SUM.
pub(super) fn envelope(means: &Sums, plan: &Plan) -> Vec<u8> {
    write_reals(plan.round, &plan.model_forms(), &means.reals())
}
