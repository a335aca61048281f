//! `aggregate-mean-1`: a weighted mean of values in the clear (section 7).
use super::plan::{Plan, Tensor};
use super::value::{Sums, Total};
use crate::envelope::{Borrowed, encode_borrowed};
use crate::{Elements, Error};
use hefu_core::{Code, Rank};
use std::collections::BTreeMap;

/// One participant's weight and values, by tensor.
pub(super) struct Plain {
    weight: f64,
    tensors: Vec<Elements>,
}

impl Plain {
    pub(super) fn new(weight: f64, tensors: Vec<Elements>) -> Self {
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
    let mut means: Vec<Vec<f64>> = plan.tensors.iter().map(|tensor| vec![0.0; tensor.len()]).collect();
    for plain in plain.values() {
        for (mean, elements) in means.iter_mut().zip(&plain.tensors) {
            let Elements::F64(values) = elements else { continue };
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
    let reals = means.reals();
    let forms = plan.tensors.iter().map(Tensor::plain);
    let tensors: Vec<_> = forms.zip(&reals).map(|(form, values)| (form, Borrowed::F64(values))).collect();
    encode_borrowed(plan.round, &tensors)
}
