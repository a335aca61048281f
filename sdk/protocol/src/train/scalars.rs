//! SCALARS: the inner products that the optimiser needs, under pairwise masks from three parties on (vlr.md, section
//! 8).
use super::party::Party;
use super::share::add_stream;
use crate::Error;
use crate::envelope::{Elements, Tensor, decode, encode};
use crate::session::MaskUse;
use hefu_core::{Code, Rank, Stage};
use hefu_model::block::scalar_count;

/// Fractional bits of the scalars.
const SCALE: u8 = 50;
/// 2^50.
const UNIT: f64 = 1_125_899_906_842_624.0;
/// Sums stay below 2^13, so that they fit modulo 2^64.
const LARGEST_SUM: f64 = 8192.0;
/// Flag bit: a share wrapped.
pub(super) const WRAPPED: u32 = 1;

/// One party's SCALARS.
pub(super) struct Scalars {
    pub(super) flags: u32,
    pub(super) values: Vec<u64>,
}

impl Scalars {
    /// A party's own scalars, masked; zeros where its share wrapped.
    ///
    /// # Errors
    /// `SCALAR_TOO_LARGE` where the sum over parties might not fit (VLR-11).
    pub(super) fn of(party: &Party, round: u32, evaluation: usize, scalars: Option<&[f64]>) -> Result<Scalars, Error> {
        let limit = LARGEST_SUM / f64::from(party.keys.parties());
        if scalars.is_some_and(|scalars| !scalars.iter().all(|s| s.abs() < limit)) {
            return Err(Error::job(Code::ScalarTooLarge, "VLR-11", "a scalar leaves its fixed-point range"));
        }
        let mut values: Vec<u64> = match scalars {
            Some(scalars) => scalars.iter().map(|s| ((s * UNIT).round() as i64).cast_unsigned()).collect(),
            None => vec![0; scalar_count(evaluation)],
        };
        if party.keys.parties() > 2 {
            for other in party.others() {
                let stream = party.keys.mask(other, Stage::Train, round, MaskUse::Scalars);
                add_stream(&mut values, stream, party.own() > other);
            }
        }
        Ok(Scalars { flags: if scalars.is_some() { 0 } else { WRAPPED }, values })
    }

    pub(super) fn encode(self, round: u32) -> Vec<u8> {
        let flags = Tensor { name: "flags", elements: Elements::U32(vec![self.flags]) };
        let gram = Tensor { name: "gram", elements: Elements::Fixed { scale: SCALE, values: self.values } };
        encode(round, &[flags, gram])
    }

    pub(super) fn decode(payload: &[u8], round: u32, from: Rank, evaluation: usize) -> Result<Scalars, Error> {
        let shape = Error::peer(from, Code::ShapeMismatch, "ENV-3", "scalars have another shape");
        let mut tensors = decode(payload, round, from, &["flags", "gram"])?.into_iter().map(|t| t.elements);
        match (tensors.next(), tensors.next()) {
            (Some(Elements::U32(flags)), Some(Elements::Fixed { scale: SCALE, values }))
                if flags.len() == 1 && values.len() == scalar_count(evaluation) =>
            {
                Ok(Scalars { flags: flags[0], values })
            }
            _ => Err(shape),
        }
    }

    /// Adds another party's; masks cancel when all are in.
    pub(super) fn add(&mut self, other: &Scalars) {
        self.flags |= other.flags;
        for (sum, value) in self.values.iter_mut().zip(&other.values) {
            *sum = sum.wrapping_add(*value);
        }
    }

    /// The sums as numbers.
    pub(super) fn numbers(&self) -> Vec<f64> {
        self.values.iter().map(|v| v.cast_signed() as f64 / UNIT).collect()
    }
}

/// STEP: the next point as coefficients over points and preconditioned gradients.
pub(super) fn encode_step(round: u32, points: &[f64], gradients: &[f64]) -> Vec<u8> {
    let tensor = |name, values: &[f64]| Tensor { name, elements: Elements::F64(values.to_vec()) };
    encode(round, &[tensor("points", points), tensor("gradients", gradients)])
}

/// Reads STEP.
pub(super) fn decode_step(payload: &[u8], round: u32) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let from = Rank::INITIATOR;
    let mut tensors = decode(payload, round, from, &["points", "gradients"])?.into_iter().map(|t| t.elements);
    match (tensors.next(), tensors.next()) {
        (Some(Elements::F64(points)), Some(Elements::F64(gradients))) => Ok((points, gradients)),
        _ => Err(Error::peer(from, Code::ShapeMismatch, "ENV-3", "a step has another shape")),
    }
}
