//! SCALARS and STEP: the inner products that the optimiser needs, under pairwise masks from three parties on, and the
//! point that it chooses (vlr.md, section 8).
use super::party::Party;
use crate::Error;
use crate::envelope::{Codec, Elements, Form, decode, encode};
use crate::mask::add_masks;
use crate::session::MaskUse;
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Rank, Stage};
use hefu_crypto::Stream;
use hefu_model::block::scalar_count;

/// The tensor of the scalars; its shape is their number.
const GRAM: Form<'static> = Form { name: "gram", codec: Codec::Fixed(50), shape: &[] };
/// The tensor of the flags.
const FLAGS: Form<'static> = Form { name: "flags", codec: Codec::U32, shape: &[1] };
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

/// Integers at scale 2^50 of one party's scalars.
///
/// # Errors
/// `SCALAR_TOO_LARGE` where the sum over parties might not fit (VLR-11).
pub(super) fn quantised(scalars: &[f64], parties: u16) -> Result<Vec<u64>, Error> {
    let limit = LARGEST_SUM / f64::from(parties);
    if !scalars.iter().all(|s| s.abs() < limit) && !is_on(Switch::NoScalarLimit) {
        return Err(Error::job(Code::ScalarTooLarge, "VLR-11", "a scalar leaves its fixed-point range"));
    }
    Ok(scalars.iter().map(|s| ((s * UNIT).round() as i64).cast_unsigned()).collect())
}

impl Scalars {
    /// A party's own scalars, masked; zeros where its share wrapped.
    ///
    /// # Errors
    /// `SCALAR_TOO_LARGE` (VLR-11).
    pub(super) fn of(party: &Party, round: u32, evaluation: usize, scalars: Option<&[f64]>) -> Result<Scalars, Error> {
        let parties = party.keys.parties();
        let (flags, values) = match scalars {
            Some(scalars) => (0, quantised(scalars, parties)?),
            None => (WRAPPED, vec![0; scalar_count(evaluation)]),
        };
        let others = party.others().filter(|_| parties > 2);
        let masks = others.map(|other| (other, party.keys.mask(other, Stage::Train, round, MaskUse::Scalars)));
        Ok(Scalars::masked(flags, values, party.own(), masks))
    }

    /// Integers under masks.
    pub(super) fn masked(
        flags: u32,
        mut values: Vec<u64>,
        own: Rank,
        masks: impl Iterator<Item = (Rank, Stream)>,
    ) -> Scalars {
        add_masks(&mut values, own, masks);
        Scalars { flags, values }
    }

    pub(super) fn encode(self, round: u32) -> Vec<u8> {
        let shape = [u32::try_from(self.values.len()).unwrap_or(u32::MAX)];
        let gram = Form { shape: &shape, ..GRAM };
        encode(round, &[(FLAGS, Elements::U32(vec![self.flags])), (gram, Elements::Fixed(self.values))])
    }

    pub(super) fn decode(payload: &[u8], round: u32, from: Rank, evaluation: usize) -> Result<Scalars, Error> {
        let shape = [u32::try_from(scalar_count(evaluation)).unwrap_or(u32::MAX)];
        let tensors = decode(payload, round, from, &[FLAGS, Form { shape: &shape, ..GRAM }])?;
        match <[Elements; 2]>::try_from(tensors) {
            Ok([Elements::U32(flags), Elements::Fixed(values)]) => {
                Ok(Scalars { flags: flags.first().copied().unwrap_or(0), values })
            }
            _ => Err(Error::malformed(from)),
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
    let shapes = [points, gradients].map(|values| [u32::try_from(values.len()).unwrap_or(u32::MAX)]);
    let [points, gradients] = [points, gradients].map(|values| Elements::F64(values.to_vec()));
    encode(
        round,
        &[
            (Form::new("points", Codec::F64, &shapes[0]), points),
            (Form::new("gradients", Codec::F64, &shapes[1]), gradients),
        ],
    )
}

/// Reads STEP after so many accepted evaluations: one point and one gradient each (VLR-12).
pub(super) fn decode_step(payload: &[u8], round: u32, accepted: usize) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let from = Rank::INITIATOR;
    let shape = [u32::try_from(accepted).unwrap_or(u32::MAX)];
    let forms = ["points", "gradients"].map(|name| Form::new(name, Codec::F64, &shape));
    let tensors = decode(payload, round, from, &forms).map_err(|error| match error.code() {
        Code::ShapeMismatch => Error::peer(from, Code::ShapeMismatch, "VLR-12", "a step does not fit the evaluations"),
        _ => error,
    })?;
    match <[Elements; 2]>::try_from(tensors) {
        Ok([Elements::F64(points), Elements::F64(gradients)]) => Ok((points, gradients)),
        _ => Err(Error::malformed(from)),
    }
}
