//! Messages of training and scoring (vlr section 2, score section 1), envelopes, sine sets, phases.

use std::f64::consts::TAU;

use serde::Deserialize;

use super::h;
use super::rlwe::{COARSE, S, Set, Stream, words};

/// TRAIN_SHAPE.
pub const SHAPE: u16 = 0x0201;
/// TRAIN_PLAN.
pub const PLAN: u16 = 0x0202;
/// STEP.
pub const STEP: u16 = 0x0203;
/// BOUND.
pub const BOUND: u16 = 0x0204;
/// EVAL.
pub const EVAL: u16 = 0x0205;
/// BASIS_KEY.
pub const BASIS_KEY: u16 = 0x0206;
/// BASIS.
pub const BASIS: u16 = 0x0207;
/// SHARE.
pub const SHARE: u16 = 0x0208;
/// MASKED.
pub const MASKED: u16 = 0x0209;
/// RESIDUAL_KEY.
pub const RESIDUAL_KEY: u16 = 0x020a;
/// RESIDUAL.
pub const RESIDUAL: u16 = 0x020b;
/// SUMS.
pub const SUMS: u16 = 0x020c;
/// OPENED.
pub const OPENED: u16 = 0x020d;
/// SCALARS.
pub const SCALARS: u16 = 0x020e;
/// TRAIN_DONE.
pub const DONE: u16 = 0x020f;
/// SCORE_PART.
pub const SCORE_PART: u16 = 0x0301;

/// Names of these types.
pub const NAMES: [(u16, &str); 16] = [
    (SHAPE, "TRAIN_SHAPE"),
    (PLAN, "TRAIN_PLAN"),
    (STEP, "STEP"),
    (BOUND, "BOUND"),
    (EVAL, "EVAL"),
    (BASIS_KEY, "BASIS_KEY"),
    (BASIS, "BASIS"),
    (SHARE, "SHARE"),
    (MASKED, "MASKED"),
    (RESIDUAL_KEY, "RESIDUAL_KEY"),
    (RESIDUAL, "RESIDUAL"),
    (SUMS, "SUMS"),
    (OPENED, "OPENED"),
    (SCALARS, "SCALARS"),
    (DONE, "TRAIN_DONE"),
    (SCORE_PART, "SCORE_PART"),
];

/// Low bits of a masked sum that stay with its key owner.
pub const DROPPED: u32 = 26;
/// Scale of columns, 2^22.
pub const COLUMN: f64 = 4_194_304.0;
/// Scale of residuals, 2^20.
pub const RESIDUAL_UNIT: f64 = 1_048_576.0;
/// Scale of scalars, 2^50.
pub const SCALAR: f64 = 1_125_899_906_842_624.0;
/// Scale of score parts, 2^32.
pub const SCORE: f64 = 4_294_967_296.0;
/// 2^64.
const TURN: f64 = 18_446_744_073_709_551_616.0;

/// A registered sine set.
#[derive(Debug, Clone, Deserialize)]
#[allow(non_snake_case, missing_docs)]
pub struct Sine {
    pub id: u16,
    pub name: String,
    pub P: u32,
    pub K: usize,
    pub R: u32,
    pub set: String,
    pub f_b: u32,
    pub f_a: u32,
    pub f_x: u32,
    pub C: Vec<u64>,
}

/// All registered sine sets.
pub fn sine_sets() -> Vec<Sine> {
    #[derive(Deserialize)]
    struct File {
        sine_sets: Vec<Sine>,
    }
    let text = include_str!("../../../spec/registry/sine_sets.json");
    serde_json::from_str::<File>(text).map(|file| file.sine_sets).unwrap_or_default()
}

/// The sine set of a number.
pub fn sine(id: u16) -> Option<Sine> {
    sine_sets().into_iter().find(|sine| sine.id == id)
}

impl Sine {
    /// The parameter set of its ciphertexts.
    pub fn ring(&self) -> &'static Set {
        if self.set == "S" { &S } else { &COARSE }
    }

    /// Rank 0's slots of harmonic k of β: (cosines, sines).
    pub fn basis(&self, k: usize, beta: &[u64]) -> (Vec<i128>, Vec<i128>) {
        self.turned(k, beta, 2f64.powi(self.f_b as i32))
    }

    /// Rank 1's multipliers of harmonic k of α: (of the cosines, of the sines).
    pub fn multipliers(&self, k: usize, alpha: &[u64]) -> (Vec<i128>, Vec<i128>) {
        let scale = self.C[k - 1] as f64 / 2f64.powi(40) * 2f64.powi(self.f_a as i32);
        let (cosines, sines) = self.turned(k, alpha, scale);
        (sines, cosines)
    }

    fn turned(&self, k: usize, phases: &[u64], scale: f64) -> (Vec<i128>, Vec<i128>) {
        let angle = |phase: &u64| phase.wrapping_mul(2 * k as u64 - 1) as i64 as f64 * (TAU / TURN);
        let (sin, cos): (Vec<f64>, Vec<f64>) = phases.iter().map(|phase| angle(phase).sin_cos()).unzip();
        let fixed = |values: Vec<f64>| values.into_iter().map(|v| (v * scale).round() as i128).collect();
        (fixed(cos), fixed(sin))
    }

    /// Σ basis·multiplier of every row: what slots hold, but for their mask.
    pub fn products(&self, alpha: &[u64], beta: &[u64]) -> Vec<i128> {
        let mut sums = vec![0; alpha.len()];
        for k in 1..=self.K {
            let (of_cosines, of_sines) = self.multipliers(k, alpha);
            let (cosines, sines) = self.basis(k, beta);
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum += of_cosines[i] * cosines[i] + of_sines[i] * sines[i];
            }
        }
        sums
    }
}

/// ⌊2^64·z/P⌋ modulo 2^64.
pub fn phase(z: f64, period: u32) -> u64 {
    (z / f64::from(period) * TURN).floor() as i128 as u64
}

/// Adds a stream's words, or takes them away.
pub fn mask(values: &mut [u64], key: &[u8; 16], negative: bool) {
    let words = Stream::new(key).u64s(values.len());
    for (value, word) in values.iter_mut().zip(words) {
        *value = if negative { value.wrapping_sub(word) } else { value.wrapping_add(word) };
    }
}

/// y″ of the rows that have a label, from the slots that rank 0 decrypts (section 5).
pub fn residual_share(slots: &[u128], labels: &[u8], f_x: u32) -> Vec<u64> {
    let one = |(y, label): (&u128, &u8)| ((y >> f_x) as u64).wrapping_sub(((2 * i64::from(*label) - 1) << 19) as u64);
    slots.iter().zip(labels).map(one).collect()
}

/// Σ x·share modulo 2^64 of a column's integers.
pub fn inner(fixed: &[i128], share: &[u64]) -> u64 {
    fixed.iter().zip(share).fold(0, |sum: u64, (x, s)| sum.wrapping_add((*x as u64).wrapping_mul(*s)))
}

/// Rank 1's share of the residual where the suite plays rank 1 and no sigmoid is evaluated: 46 random bits a row.
pub fn drawn_share(key: &[u8; 16], rows: usize) -> Vec<u64> {
    Stream::new(key).u64s(rows).into_iter().map(|v| v >> 18).collect()
}

/// TRAIN_PLAN.
pub fn plan(rows: u32, positives: u32, max_evaluations: u32, lambda: f64) -> Vec<u8> {
    let mut out = [rows, positives, max_evaluations].map(u32::to_be_bytes).concat();
    out.extend(lambda.to_be_bytes());
    out
}

/// Reads TRAIN_PLAN: rows, positives, evaluations, λ.
pub fn read_plan(payload: &[u8]) -> Option<(u32, u32, u32, f64)> {
    let at = |i: usize| Some(u32::from_be_bytes(payload.get(i..i + 4)?.try_into().ok()?));
    let lambda = f64::from_be_bytes(payload.get(12..)?.try_into().ok()?);
    Some((at(0)?, at(4)?, at(8)?, lambda))
}

/// Reads TRAIN_SHAPE, BOUND or TRAIN_DONE.
pub fn read_u32(payload: &[u8]) -> Option<u32> {
    payload.try_into().ok().map(u32::from_be_bytes)
}

/// Reads EVAL.
pub fn read_u16(payload: &[u8]) -> Option<u16> {
    payload.try_into().ok().map(u16::from_be_bytes)
}

/// SHARE or OPENED.
pub fn from_words(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Reads SHARE or OPENED of `count` values.
pub fn read_words(payload: &[u8], count: usize) -> Option<Vec<u64>> {
    (payload.len() == 8 * count).then(|| words(payload))
}

/// Splits the index off BASIS's block, MASKED or RESIDUAL.
pub fn split_block(payload: &[u8]) -> Option<(u32, &[u8])> {
    let (block, rest) = payload.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*block), rest))
}

/// Splits column and number of columns off SUMS.
pub fn split_column(payload: &[u8]) -> Option<(u16, u16, &[u8])> {
    let ([a, b, c, d], rest) = payload.split_first_chunk::<4>()?;
    Some((u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]), rest))
}

/// One tensor of an envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Name.
    pub name: String,
    /// Codec.
    pub codec: u8,
    /// Fractional bits.
    pub scale: u8,
    /// Dimensions.
    pub shape: Vec<u32>,
    /// Elements as bits: of a binary64, of a two's complement, or a number.
    pub elements: Vec<u64>,
}

impl Tensor {
    /// A list.
    pub fn list(name: &str, codec: u8, scale: u8, elements: Vec<u64>) -> Tensor {
        Tensor { name: name.into(), codec, scale, shape: vec![elements.len() as u32], elements }
    }
}

/// Ends an envelope's body with its digest.
pub fn digested(mut body: Vec<u8>) -> Vec<u8> {
    let digest = h(&[&body]);
    body.extend(digest);
    body
}

/// An envelope.
pub fn envelope(round: u32, tensors: &[Tensor]) -> Vec<u8> {
    let mut out = b"HPE1".to_vec();
    out.extend(round.to_be_bytes());
    out.extend((tensors.len() as u16).to_be_bytes());
    for tensor in tensors {
        out.push(tensor.name.len() as u8);
        out.extend(tensor.name.as_bytes());
        out.extend([tensor.codec, tensor.scale, tensor.shape.len() as u8]);
        out.extend(tensor.shape.iter().flat_map(|d| d.to_be_bytes()));
        for element in &tensor.elements {
            match tensor.codec {
                2 => out.extend(element.to_le_bytes()),
                3 => out.extend((*element as u32).to_be_bytes()),
                _ => out.extend(element.to_be_bytes()),
            }
        }
    }
    digested(out)
}

/// Reads an envelope; the registry name of what is wrong with it otherwise, checked in the order of its sentences.
///
/// # Errors
/// `MALFORMED_MESSAGE`, `BAD_DIGEST`.
pub fn read_envelope(bytes: &[u8]) -> Result<(u32, Vec<Tensor>), &'static str> {
    const MALFORMED: &str = "MALFORMED_MESSAGE";
    if bytes.get(..4) != Some(b"HPE1") || bytes.len() < 42 {
        return Err(MALFORMED);
    }
    let (body, digest) = bytes.split_at(bytes.len() - 32);
    if h(&[body]) != digest {
        return Err("BAD_DIGEST");
    }
    read_tensors(&body[4..]).ok_or(MALFORMED)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (piece, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(piece)
}

fn number(rest: &mut &[u8], bytes: usize) -> Option<u64> {
    Some(take(rest, bytes)?.iter().fold(0, |v, b| v << 8 | u64::from(*b)))
}

fn read_tensors(mut rest: &[u8]) -> Option<(u32, Vec<Tensor>)> {
    let rest = &mut rest;
    let (round, count) = (number(rest, 4)? as u32, number(rest, 2)?);
    let mut tensors: Vec<Tensor> = Vec::new();
    for _ in 0..count {
        let length = number(rest, 1)? as usize;
        let name = String::from_utf8(take(rest, length)?.to_vec()).ok()?;
        let named = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.');
        let (codec, scale, rank) = (number(rest, 1)? as u8, number(rest, 1)? as u8, number(rest, 1)?);
        let wrong = !(1..=3).contains(&codec) || rank > 4 || (codec != 2 && scale != 0);
        if !named || wrong || tensors.iter().any(|t| t.name == name) {
            return None;
        }
        let shape: Vec<u32> = (0..rank).map(|_| number(rest, 4).map(|d| d as u32)).collect::<Option<_>>()?;
        let elements = shape.iter().try_fold(1u64, |n, d| n.checked_mul(u64::from(*d))).filter(|n| *n <= 1 << 27)?;
        let width = if codec == 3 { 4 } else { 8 };
        let bytes = take(rest, elements as usize * width)?;
        let elements: Vec<u64> = match codec {
            2 => words(bytes),
            _ => bytes.chunks_exact(width).map(|e| e.iter().fold(0, |v, b| v << 8 | u64::from(*b))).collect(),
        };
        if codec == 1 && !elements.iter().all(|e| f64::from_bits(*e).is_finite()) {
            return None;
        }
        tensors.push(Tensor { name, codec, scale, shape, elements });
    }
    rest.is_empty().then_some((round, tensors))
}

/// STEP.
pub fn step(round: u32, points: &[f64], gradients: &[f64]) -> Vec<u8> {
    let list = |name, values: &[f64]| Tensor::list(name, 1, 0, values.iter().map(|v| v.to_bits()).collect());
    envelope(round, &[list("points", points), list("gradients", gradients)])
}

/// Number of scalars of accepted evaluation `e`.
pub fn scalar_count(e: usize) -> usize {
    if e == 2 { 21 } else { 4 * e + 3 }
}

/// SCALARS.
pub fn scalars(round: u32, flags: u32, gram: Vec<u64>) -> Vec<u8> {
    envelope(round, &[Tensor::list("flags", 3, 0, vec![flags.into()]), Tensor::list("gram", 2, 50, gram)])
}

/// Reads SCALARS of a round and accepted evaluation: flags and sums.
///
/// # Errors
/// A sentence that says which clause it breaks.
pub fn read_scalars(payload: &[u8], round: u32, e: usize) -> Result<(u32, Vec<u64>), String> {
    let (stated, tensors) = read_envelope(payload).map_err(|what| format!("ENV-2: SCALARS: {what}"))?;
    if stated != round {
        return Err(format!("ENV-4: SCALARS names round {stated}, its frame round {round}"));
    }
    let forms = [("flags", 3, 0, 1), ("gram", 2, 50, scalar_count(e))];
    let fits = |(tensor, form): (&Tensor, &(&str, u8, u8, usize))| {
        (tensor.name.as_str(), tensor.codec, tensor.scale) == (form.0, form.1, form.2)
            && tensor.shape == [form.3 as u32]
    };
    if tensors.len() != 2 || !tensors.iter().zip(&forms).all(fits) {
        return Err(format!("ENV-3: the tensors of SCALARS are not those of evaluation {e}"));
    }
    Ok((tensors[0].elements[0] as u32, tensors[1].elements.clone()))
}
