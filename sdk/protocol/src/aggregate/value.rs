//! Values as elements of the ring modulo 2^64, and sums read back from them (section 3).
use super::plan::{Plan, Tensor};
use crate::{Codec, Error};
use hefu_core::Code;
use zeroize::{Zeroize, Zeroizing};

/// Low limb of codec `wide`.
const LIMB_BITS: u32 = 48;
const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// The values of one tensor, row by row.
///
/// # Security
/// Redacted, wiped on drop.
#[derive(Clone, PartialEq)]
pub enum Values {
    /// Of a tensor of codec `fixed` or `wide`.
    Real(Vec<f64>),
    /// Of a tensor of codec `count`.
    Count(Vec<u64>),
}

/// What a participant adds: the values of every tensor of the plan, in its order.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// By tensor.
    pub values: Vec<Values>,
    /// Weight of the values in `aggregate-mean-1`, at least 0; elsewhere unused.
    pub weight: f64,
}

impl From<Vec<Values>> for Contribution {
    /// Values of weight 1.
    fn from(values: Vec<Values>) -> Self {
        Contribution { values, weight: 1.0 }
    }
}

/// The sums of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    tensors: Vec<Total>,
}

/// The exact sum of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Total {
    /// Integers; the sum is integer / 2^scale.
    Integer {
        /// By element.
        values: Vec<i128>,
        /// f.
        scale: u8,
    },
    /// Weighted means (`aggregate-mean-1`).
    Mean(Vec<f64>),
}

impl Total {
    /// As binary64, each rounded once.
    pub fn reals(&self) -> Vec<f64> {
        match self {
            Total::Integer { values, scale } => {
                let unit = 2f64.powi(i32::from(*scale));
                values.iter().map(|value| *value as f64 / unit).collect()
            }
            Total::Mean(values) => values.clone(),
        }
    }

    /// The integers before division by 2^scale; none for means.
    pub fn integers(&self) -> Option<&[i128]> {
        match self {
            Total::Integer { values, .. } => Some(values),
            Total::Mean(_) => None,
        }
    }
}

impl Sums {
    pub(super) fn new(tensors: Vec<Total>) -> Self {
        Sums { tensors }
    }

    /// By tensor of the plan.
    pub fn tensors(&self) -> &[Total] {
        &self.tensors
    }

    /// By tensor of the plan, as binary64.
    pub fn reals(&self) -> Vec<Vec<f64>> {
        self.tensors.iter().map(Total::reals).collect()
    }
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Real(values) => values.len(),
            Values::Count(values) => values.len(),
        }
    }
}

/// The ring elements of all tensors among N participants, one after the other (AGG-10).
///
/// # Errors
/// `NOT_FINITE`, `BEYOND_CLIP`, `SHAPE_MISMATCH`; `CLIP_TOO_LARGE` where the plan was never checked.
pub(super) fn encode(plan: &Plan, participants: u16, values: &[Values]) -> Result<Zeroizing<Vec<u64>>, Error> {
    if values.len() != plan.tensors.len() {
        return Err(wrong_shape());
    }
    let mut ring = Zeroizing::new(Vec::with_capacity(plan.ring_elements()));
    for (tensor, values) in plan.tensors.iter().zip(values) {
        if values.len() != tensor.len() {
            return Err(wrong_shape());
        }
        encode_tensor(tensor, tensor.codec(participants)?, values, &mut ring)?;
    }
    Ok(ring)
}

/// The values of `aggregate-mean-1`: of the plan's tensors but `weight` (AGG-10).
///
/// # Errors
/// `NOT_FINITE`, also for a weight that is negative or not finite; `BEYOND_CLIP`; `SHAPE_MISMATCH`.
pub(super) fn plain<'a>(plan: &Plan, values: &'a [Values], weight: f64) -> Result<Vec<&'a [f64]>, Error> {
    if !weight.is_finite() || weight < 0.0 {
        return Err(Error::job(Code::NotFinite, "AGG-29", "a weight is negative or not finite"));
    }
    let forms = plan.model_forms();
    if values.len() != forms.len() {
        return Err(wrong_shape());
    }
    let one = |(tensor, values): (&Tensor, &'a Values)| match values {
        Values::Real(reals) if reals.len() == tensor.len() => {
            let clip = 2f64.powi(i32::from(tensor.clip));
            reals.iter().try_for_each(|value| checked(*value, clip).map(|_| ()))?;
            Ok(reals.as_slice())
        }
        _ => Err(wrong_shape()),
    };
    let named = |tensor: &&Tensor| forms.iter().any(|form| form.name == tensor.name);
    plan.tensors.iter().filter(named).zip(values).map(one).collect()
}

fn wrong_shape() -> Error {
    Error::job(Code::ShapeMismatch, "AGG-11", "values to be aggregated have another shape than the plan's")
}

fn beyond() -> Error {
    Error::job(Code::BeyondClip, "AGG-10", "a value to be aggregated is beyond the clip")
}

fn encode_tensor(tensor: &Tensor, codec: Codec, values: &Values, ring: &mut Vec<u64>) -> Result<(), Error> {
    match (codec, values) {
        (Codec::SumFixed { scale, clip }, Values::Real(values)) => {
            let (unit, clip) = (power(scale), power(clip));
            values.iter().try_for_each(|value| checked(*value, clip).map(|_| ()))?;
            ring.extend(values.iter().map(|value| nearest(value * unit).cast_unsigned()));
        }
        (Codec::SumWide { scale, clip }, Values::Real(values)) => {
            let (unit, clip) = (power(scale), power(clip));
            for value in values {
                let integer = (checked(*value, clip)? * unit).round() as i128;
                ring.push(integer as u64 & LIMB_MASK);
                ring.push((integer >> LIMB_BITS) as u64);
            }
        }
        (Codec::SumCount { clip }, Values::Count(values)) => {
            let most = 1u64.checked_shl(u32::from(clip)).unwrap_or(u64::MAX);
            if values.iter().any(|value| *value > most) {
                return Err(beyond());
            }
            ring.extend_from_slice(values);
        }
        _ => {
            let cause = format!("the values of tensor {} are not of its codec", tensor.name);
            return Err(Error::job(Code::ShapeMismatch, "AGG-11", cause));
        }
    }
    Ok(())
}

/// The nearest integer, halves away from zero, of a number within ±2^62 (AGG-9): what is cut off is exact.
fn nearest(value: f64) -> i64 {
    let whole = value as i64;
    let rest = value - whole as f64;
    whole + i64::from(rest >= 0.5) - i64::from(rest <= -0.5)
}

/// A finite value within the clip (AGG-10).
fn checked(value: f64, clip: f64) -> Result<f64, Error> {
    if value.abs() <= clip {
        return Ok(value);
    }
    if !value.is_finite() {
        return Err(Error::job(Code::NotFinite, "AGG-10", "a value to be aggregated is NaN or infinite"));
    }
    Err(beyond())
}

fn power(exponent: u8) -> f64 {
    2f64.powi(i32::from(exponent))
}

/// The sums in the ring elements of all tensors.
///
/// # Errors
/// `CLIP_TOO_LARGE` where the plan was never checked.
pub(super) fn decode(plan: &Plan, participants: u16, mut ring: &[u64]) -> Result<Sums, Error> {
    let mut tensors = Vec::with_capacity(plan.tensors.len());
    for tensor in &plan.tensors {
        let (part, rest) = ring.split_at_checked(tensor.len() * tensor.limbs()).ok_or_else(wrong_shape)?;
        ring = rest;
        let signed = |limb: &u64| i128::from(limb.cast_signed());
        let (values, scale) = match tensor.codec(participants)? {
            Codec::SumFixed { scale, .. } => (part.iter().map(signed).collect(), scale),
            Codec::SumWide { scale, .. } => {
                let join = |limbs: &[u64; 2]| (signed(&limbs[1]) << LIMB_BITS) + signed(&limbs[0]);
                (part.as_chunks().0.iter().map(join).collect(), scale)
            }
            _ => (part.iter().map(signed).collect(), 0),
        };
        tensors.push(Total::Integer { values, scale });
    }
    Ok(Sums { tensors })
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Values({})", self.len())
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        match self {
            Values::Real(values) => values.zeroize(),
            Values::Count(values) => values.zeroize(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_integer_is_that_of_the_library() {
        let edges =
            [0.0, -0.0, 0.5, -0.5, 0.499_999_999_999_999_94, -0.499_999_999_999_999_94, 1.5, -2.5, 4.6e18, -4.6e18];
        let spread = (0..4000).map(|i| f64::from(i - 2000) * 0.25 * f64::from(1 + i % 7).powi(i % 40));
        let large = (50..62).flat_map(|e| [0.0, 0.5, 1.0].map(|d| 2f64.powi(e) - d));
        for value in edges.into_iter().chain(spread).chain(large).filter(|v| v.abs() <= 2f64.powi(62)) {
            assert_eq!(nearest(value), value.round() as i64, "{value}");
        }
    }
}
