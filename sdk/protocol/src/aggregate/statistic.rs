//! The tensors of each statistic and of its parameters (spec/pooled.md, section 1).
use super::plan::{Plan, RealTensor, Tensor, unsupported};
use crate::Error;
use hefu_core::{Statistic, ValueCodec};

/// Clip exponents of statistics of rows.
const WIDE_CLIP: u16 = 60;
const COUNT_CLIP: u16 = 40;
/// The tensor of the sum of weights.
const WEIGHT: &str = "weight";

fn wide(name: &str, shape: &[u32]) -> Tensor {
    Tensor::new(name, ValueCodec::Wide, WIDE_CLIP, shape)
}

fn count(name: &str, shape: &[u32]) -> Tensor {
    Tensor::new(name, ValueCodec::Count, COUNT_CLIP, shape)
}

/// Numbers of the upper triangle of a matrix of `order`.
fn triangle(order: u32) -> Option<u32> {
    u32::try_from(u64::from(order) * (u64::from(order) + 1) / 2).ok()
}

/// The tensors of a statistic of rows with d columns, and `buckets` for a histogram; none for the other statistics.
pub fn tensors_of_rows(statistic: Statistic, columns: u32, buckets: u32) -> Option<Vec<Tensor>> {
    let d = columns;
    Some(match statistic {
        Statistic::Moments => {
            vec![count("rows", &[]), count("positive", &[]), count("present", &[d]), wide("sum", &[d])]
        }
        Statistic::Deviations => vec![wide("square", &[d])],
        Statistic::Newton => {
            let order = d.checked_add(1)?;
            vec![wide("gram", &[triangle(order)?]), wide("gradient", &[order]), wide("loss", &[])]
        }
        Statistic::Histogram => vec![count("good", &[d, buckets]), count("bad", &[d, buckets])],
        Statistic::Update | Statistic::Vector => return None,
    })
}

/// d of a plan, by the tensor that has it.
fn columns(plan: &Plan) -> Option<u32> {
    let first = |name: &str| plan.tensors.iter().find(|t| t.name == name).and_then(|t| t.shape.first().copied());
    match plan.statistic {
        Statistic::Moments => first("sum"),
        Statistic::Deviations => first("square"),
        Statistic::Newton => first("gradient").and_then(|order| order.checked_sub(1)),
        Statistic::Histogram => first("good"),
        Statistic::Update | Statistic::Vector => None,
    }
}

fn buckets(plan: &Plan) -> u32 {
    plan.tensors.first().and_then(|tensor| tensor.shape.get(1).copied()).unwrap_or(0)
}

/// The tensors that PARAMETERS has, in order.
pub(super) fn parameters(plan: &Plan) -> Vec<RealTensor> {
    let d = columns(plan).unwrap_or(0);
    let of = |name: &str, shape: &[u32]| RealTensor { name: name.to_owned(), shape: shape.to_vec() };
    match plan.statistic {
        Statistic::Moments | Statistic::Vector => Vec::new(),
        Statistic::Deviations => vec![of("mean", &[d])],
        Statistic::Newton => {
            vec![of("mean", &[d]), of("deviation", &[d]), of("coefficients", &[d]), of("intercept", &[])]
        }
        Statistic::Histogram => vec![of("low", &[d]), of("width", &[d]), of("buckets", &[])],
        Statistic::Update => {
            let scales = u32::try_from(plan.columns.len()).ok().filter(|d| *d > 0);
            let scales = scales.into_iter().flat_map(|d| [of("mean", &[d]), of("deviation", &[d])]);
            let model = plan.tensors.iter().filter(|t| t.name != WEIGHT).map(|t| of(&t.name, &t.shape));
            scales.chain(model).collect()
        }
    }
}

/// The tensors of PLAIN, in order: those of the plan but the weight.
pub(super) fn model(plan: &Plan) -> impl Iterator<Item = RealTensor> {
    let real = |tensor: &Tensor| RealTensor { name: tensor.name.clone(), shape: tensor.shape.clone() };
    plan.tensors.iter().filter(|tensor| tensor.name != WEIGHT).map(real)
}

/// Refuses tensors other than the statistic's (AGG-6).
pub(super) fn check(plan: &Plan) -> Result<(), Error> {
    let refused = || unsupported("AGG-6", "the plan's tensors are not those of its statistic");
    check_names(&plan.tensors)?;
    let fits = match (plan.statistic, plan.tensors.as_slice()) {
        (Statistic::Update, [model @ .., weight]) => {
            *weight == Tensor::new(WEIGHT, ValueCodec::Count, weight.clip, &[]) && are_fixed(model)
        }
        (Statistic::Vector, [values]) => {
            values.name == "values" && are_fixed(std::slice::from_ref(values)) && values.shape.len() == 1
        }
        (Statistic::Update | Statistic::Vector, _) => false,
        (statistic, tensors) => {
            let d = columns(plan).ok_or_else(refused)?;
            let named = plan.columns.is_empty() || plan.columns.len() == d as usize;
            named && tensors_of_rows(statistic, d, buckets(plan)).as_deref() == Some(tensors)
        }
    };
    if fits { Ok(()) } else { Err(refused()) }
}

fn are_fixed(model: &[Tensor]) -> bool {
    !model.is_empty() && model.iter().all(|t| t.codec == ValueCodec::Fixed && t.name != WEIGHT)
}

/// Refuses tensors that no envelope can carry (ENV-2).
fn check_names(tensors: &[Tensor]) -> Result<(), Error> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.';
    let mut seen = std::collections::BTreeSet::new();
    let good = tensors.iter().all(|tensor| {
        let name = tensor.name.as_str();
        (1..=64).contains(&name.len())
            && name.bytes().all(allowed)
            && seen.insert(name)
            && tensor.shape.len() <= 4
            && tensor.len() <= 1 << 27
    });
    if good && tensors.len() <= usize::from(u16::MAX) {
        return Ok(());
    }
    Err(unsupported("AGG-6", "the plan has a tensor that no envelope can carry"))
}
