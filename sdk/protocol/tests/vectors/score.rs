//! The vectors of scoring: parts under masks, batches, and what a receiver refuses.
use super::{add, batch, fixed, read_batch};
use crate::case::{Hex, decimals, each, hex};
use crate::digest;
use crate::mask::add_masks;
use hefu_core::Rank;
use hefu_crypto::Stream;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    rank: u16,
    z: Vec<Hex>,
    mask_keys: BTreeMap<u16, Hex>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    own: Vec<Hex>,
    parts: Vec<Part>,
}

fn doubles(values: &[Hex]) -> Vec<f64> {
    values.iter().map(Hex::double).collect()
}

/// All batches of parts.
fn batches(parts: &[u64]) -> Vec<Vec<u8>> {
    let (mut payloads, mut sent) = (Vec::new(), 0);
    while let Some((payload, end)) = batch(parts, sent) {
        payloads.push(payload);
        sent = end;
    }
    payloads
}

// clause: SCORE-4
#[test]
fn parts_and_totals() {
    each("score_part", |given: Parts| {
        let mut sums = fixed(&doubles(&given.own)).map_err(|e| e.code())?;
        let mut payloads = Vec::new();
        for part in &given.parts {
            let mut values = fixed(&doubles(&part.z)).map_err(|e| e.code())?;
            let masks = part.mask_keys.iter().map(|(other, key)| (Rank(*other), Stream::new(key.array())));
            add_masks(&mut values, Rank(part.rank), masks);
            let sent = batches(&values);
            let mut received = Vec::new();
            for payload in &sent {
                received.extend(read_batch(payload, received.len(), values.len(), Rank(part.rank)).unwrap());
            }
            add(&mut sums, &received);
            payloads.push(sent.iter().map(hex).collect::<Vec<_>>());
        }
        Ok(json!({ "payloads": payloads, "total": decimals(sums.into_iter().map(u64::cast_signed)) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    rows: u64,
}

#[test]
fn batches_of_rows() {
    each("score_batches", |Rows { rows }| {
        let payloads = batches(&(0..rows).collect::<Vec<_>>());
        Ok(json!({ "batches": payloads.iter().map(|payload| digest::bytes(payload)).collect::<Vec<_>>() }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Received {
    payload: Hex,
    before: usize,
    rows: usize,
}

// clause: SCORE-3
#[test]
fn a_batch_is_the_next_one() {
    each("score_receive", |given: Received| {
        let parts = read_batch(&given.payload.0, given.before, given.rows, Rank(1)).map_err(|e| e.code())?;
        Ok(json!({ "values": decimals(parts) }))
    });
}
