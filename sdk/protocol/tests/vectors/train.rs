//! The vectors of training: short payloads, shares, harmonics, residuals, scalars, steps.
mod gradient;

use super::basis::residual_share;
use super::gather::read_opened;
use super::payload::{PlanNumbers, encode_words, read_u16, read_u32, read_words};
use super::rotation::Rotation;
use super::scalars::{Scalars, decode_step, quantised};
use super::share::{DesignatedShare, share_of_collaborator, share_of_initiator};
use super::sine::{Sine, sine_sets};
use crate::case::{Decimal, Hex, decimals, double, each, each_near, each_without, hex};
use crate::{Error, Kind, Message};
use hefu_core::{Code, Rank};
use hefu_crypto::Stream;
use hefu_he::{AnswerStreams, Backend, Slots, truncate};
use hefu_model::optimiser::Grade;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    payload: Hex,
    count: Option<usize>,
}

// clause: CONV-1, CONV-2
#[test]
fn short_payloads() {
    each("message", |given: Payload| read(&given).map_err(|e| e.code()));
}

fn read(given: &Payload) -> Result<Value, Error> {
    let (payload, from) = (given.payload.0.as_slice(), Rank(1));
    Ok(match (given.kind.as_str(), given.count) {
        ("ERROR", None) => {
            let message = Message { kind: Kind::Error, stage: 1, round: 0, payload: payload.to_vec() };
            let (code, document) = message.read_error(from)?;
            let again = Message::error(1, Code::from_number(code).unwrap(), document);
            assert_eq!(again, message);
            json!({ "code": code, "document": String::from_utf8(document.to_vec()).unwrap() })
        }
        ("TRAIN_PLAN", None) => {
            let plan = PlanNumbers::read(payload, from)?;
            assert_eq!(plan.encode(), payload);
            let PlanNumbers { rows, positives, max_evaluations, lambda } = plan;
            json!({ "rows": rows, "positive": positives, "maximum": max_evaluations, "lambda": double(lambda) })
        }
        ("TRAIN_SHAPE" | "BOUND" | "TRAIN_DONE", None) => json!({ "value": read_u32(payload, from)? }),
        ("EVAL", None) => json!({ "value": read_u16(payload, from)? }),
        ("SHARE", Some(count)) => words(payload, read_words(payload, count, from)?),
        ("OPENED", Some(count)) => words(payload, read_opened(payload, count, from)?),
        _ => panic!("a message of type {} is not read here", given.kind),
    })
}

fn words(payload: &[u8], values: Vec<u64>) -> Value {
    assert_eq!(encode_words(&values), payload);
    json!({ "values": decimals(values) })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shares {
    phases: BTreeMap<u16, Vec<Decimal>>,
    keys_to_zero: BTreeMap<u16, Hex>,
    pair_keys: BTreeMap<String, Hex>,
}

impl Shares {
    fn phases(&self, rank: u16) -> Vec<u64> {
        self.phases[&rank].iter().map(|phase| phase.u64()).collect()
    }

    /// The masks of a rank with every other that sends a share.
    fn masks(&self, own: u16) -> impl Iterator<Item = (Rank, Stream)> {
        self.pair_keys.iter().filter_map(move |(ranks, key)| {
            let (low, high) = ranks.split_once('-').unwrap();
            let (low, high): (u16, u16) = (low.parse().unwrap(), high.parse().unwrap());
            let other = if low == own { high } else { low };
            (low == own || high == own).then(|| (Rank(other), Stream::new(key.array())))
        })
    }
}

#[test]
fn predictor_shares() {
    each("vlr_share", |given: Shares| {
        let own = given.phases(1);
        let mut alpha = DesignatedShare::new(own.len(), given.phases.len() as u16);
        alpha.add_own(&own);
        let (mut shares, mut payloads) = (json!({}), json!({}));
        for (rank, key) in &given.keys_to_zero {
            let to_zero = Stream::new(key.array());
            let share = share_of_collaborator(given.phases(*rank), Rank(*rank), to_zero, given.masks(*rank));
            let payload = encode_words(&share);
            assert!(!alpha.is_complete());
            alpha.receive(Rank(*rank), &payload).map_err(|e| e.code())?;
            shares[rank.to_string()] = json!(decimals(share));
            payloads[rank.to_string()] = json!(hex(payload));
        }
        assert!(alpha.is_complete());
        let to_zero = given.keys_to_zero.values().map(|key| Stream::new(key.array()));
        let beta = share_of_initiator(given.phases(0), to_zero);
        Ok(json!({
            "shares": shares, "payloads": payloads, "alpha": decimals(alpha.phases), "beta": decimals(beta),
        }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Harmonic {
    sine_set: u16,
    k: u32,
    alpha: Vec<Decimal>,
    beta: Vec<Decimal>,
}

/// Harmonic k of phases.
fn rotated(phases: &[Decimal], k: u32) -> Rotation {
    let phases: Vec<u64> = phases.iter().map(|phase| phase.u64()).collect();
    let mut rotation = Rotation::new(&phases);
    (1..k).for_each(|_| rotation.advance());
    rotation
}

fn fixed(take: impl Fn(&mut Vec<i64>)) -> Vec<i64> {
    let mut out = Vec::new();
    take(&mut out);
    out
}

/// Real arithmetic: values may differ by 1.
#[test]
fn basis_values_and_multipliers() {
    each_near("vlr_basis", |given: Harmonic| {
        let sine = Sine::by_id(given.sine_set).unwrap();
        let (basis, multipliers) = (rotated(&given.beta, given.k), rotated(&given.alpha, given.k));
        let (of_basis, of_multipliers) = (sine.basis_factor(), sine.multiplier_factor(given.k - 1));
        let output = json!({
            "cosines": fixed(|out| basis.cosines(of_basis, out)),
            "sines": fixed(|out| basis.sines(of_basis, out)),
            "for_cosines": fixed(|out| multipliers.sines(of_multipliers, out)),
            "for_sines": fixed(|out| multipliers.cosines(of_multipliers, out)),
        });
        (1, Ok(output))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    bounds: Vec<u64>,
}

// clause: VLR-6, VLR-7
#[test]
fn sine_sets_that_reach() {
    each("vlr_choose", |Bounds { bounds }| {
        let bound = bounds.iter().sum();
        let reaching: Vec<u16> = Sine::reaching(bound).map(|set| set.id).collect();
        let grades = [Grade::Coarse, Grade::Medium, Grade::Fine];
        for grade in grades {
            let chosen = Sine::choose(grade, 1000, bound).map_err(|e| e.code())?;
            assert!(reaching.contains(&chosen.id) && chosen.grade() == grade);
        }
        Ok(json!({ "sine_sets": reaching }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Residuals {
    sine_set: u16,
    terms: Vec<Vec<(i64, i64)>>,
    masks: Vec<Decimal>,
    labels: Vec<u8>,
}

#[test]
fn residual_shares() {
    each("vlr_residual", |given: Residuals| {
        let sine = sine_sets().iter().find(|set| set.id == given.sine_set).unwrap();
        let slots = Slots::new(sine.set, Backend::detect()).unwrap();
        let t = sine.set.plaintext_modulus().unwrap();
        let masks: Vec<u128> = given.masks.iter().map(|mask| mask.0.cast_unsigned()).collect();
        let sums = encrypted_sums(&slots, &given.terms, t);
        let y: Vec<u128> = sums.iter().zip(&masks).map(|(sum, mask)| (sum + mask) % t).collect();
        let zero = residual_share(&y, &given.labels, sine.dropped_bits);
        let mut one = Vec::new();
        truncate(&masks, sine.dropped_bits, &mut one);
        let residual: Vec<i64> = zero.iter().zip(&one).map(|(y, r)| y.wrapping_sub(*r).cast_signed()).collect();
        Ok(json!({ "y": decimals(y), "y2": decimals(zero), "r1": decimals(one), "residual": residual }))
    });
}

/// Σ basis·multiplier of each row modulo t, evaluated under encryption, with a mask of one's own taken off again.
fn encrypted_sums(slots: &Slots, terms: &[Vec<(i64, i64)>], t: u128) -> Vec<u128> {
    let stream = |label| Stream::new([label; 16]);
    let (secret, p0) = slots.generate(&[1; 16], &mut stream(2));
    let public = slots.public_key(&p0, &[1; 16]).unwrap();
    let (mut scratch, mut sum) = (slots.scratch(), slots.accumulator());
    let products = terms[0].len();
    assert!(products.is_multiple_of(2));
    let mut encrypt = |i: usize| {
        let basis: Vec<i64> = terms.iter().map(|row| row[i].0).collect();
        let mut out = Vec::new();
        let seed = [i as u8; 16];
        slots.encrypt(&secret, &basis, &seed, &mut stream(i as u8 + 10), &mut scratch, &mut out).unwrap();
        out
    };
    let ciphertexts: Vec<Vec<u8>> = (0..products).map(&mut encrypt).collect();
    let multipliers = |i: usize| terms.iter().map(|row| row[i].1).collect::<Vec<i64>>();
    for i in (0..products).step_by(2) {
        let (first, second) = (multipliers(i), multipliers(i + 1));
        let pair = ((first.as_slice(), &ciphertexts[i][..]), (second.as_slice(), &ciphertexts[i + 1][..]));
        slots.accumulate_pair(&mut sum, pair.0, pair.1, &mut scratch).unwrap();
    }
    let (mut mask, mut noise, mut flood) = (stream(3), stream(4), stream(5));
    let streams = AnswerStreams { mask: &mut mask, noise: &mut noise, flood: &mut flood };
    let (mut answer, mut masks, mut opened) = (Vec::new(), Vec::new(), Vec::new());
    slots.answer(&mut sum, &public, streams, &mut scratch, &mut answer, &mut masks).unwrap();
    slots.decrypt(&secret, &answer, &mut scratch, &mut opened).unwrap();
    opened.iter().zip(&masks).take(terms.len()).map(|(y, mask)| (y + t - mask) % t).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gram {
    evaluation: usize,
    round: u32,
    rank: u16,
    flags: u32,
    values: Vec<Hex>,
    mask_keys: BTreeMap<u16, Hex>,
}

/// The model crate puts scalars in order and answers for it.
// clause: VLR-11
#[test]
fn scalars() {
    each_without("vlr_scalars", &["order"], |given: Gram| {
        // two parties have no masks
        let parties = given.mask_keys.len().max(1) as u16 + 1;
        let values: Vec<f64> = given.values.iter().map(Hex::double).collect();
        let fixed = quantised(&values, parties).map_err(|e| e.code())?;
        let masks = given.mask_keys.iter().map(|(other, key)| (Rank(*other), Stream::new(key.array())));
        let scalars = Scalars::masked(given.flags, fixed.clone(), Rank(given.rank), masks);
        let masked = scalars.values.clone();
        let payload = scalars.encode(given.round);
        let again = Scalars::decode(&payload, given.round, Rank(given.rank), given.evaluation).unwrap();
        assert_eq!((again.flags, &again.values), (given.flags, &masked));
        let signed = fixed.into_iter().map(u64::cast_signed);
        Ok(json!({ "quantised": decimals(signed), "masked": decimals(masked), "payload": hex(payload) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    payload: Hex,
    round: u32,
    accepted: usize,
}

// clause: VLR-12, ENV-3, ENV-4
#[test]
fn steps() {
    each("vlr_step", |given: Step| {
        let (points, gradients) = decode_step(&given.payload.0, given.round, given.accepted).map_err(|e| e.code())?;
        assert_eq!(super::scalars::encode_step(given.round, &points, &gradients), given.payload.0);
        let texts = |values: Vec<f64>| values.into_iter().map(double).collect::<Vec<_>>();
        Ok(json!({ "points": texts(points), "gradients": texts(gradients) }))
    });
}
