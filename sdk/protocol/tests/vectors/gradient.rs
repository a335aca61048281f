//! The vectors of column sums: under encryption what a party sends, and what comes of it.
use super::super::gather::{column_sum, half, lifted, opened, read_opened};
use super::super::payload::encode_words;
use crate::case::{Decimal, decimals, each, hex};
use crate::recipe::Recipe;
use hefu_core::{Code, Rank};
use hefu_crypto::Stream;
use hefu_he::{AnswerStreams, Backend, Coefficients, Form};
use hefu_model::block::{Block, Target};
use hefu_model::{Columns, Error};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    column: Recipe,
    y2: Recipe,
    r1: Recipe,
    masks: [Decimal; 2],
}

// clause: VLR-8, VLR-9
#[test]
fn column_sums() {
    each("vlr_gradient", |given: Column| {
        let (column, shares) = (given.column.i64s(), [given.y2.u64s(), given.r1.u64s()]);
        let block = block(&column).map_err(|e: Error| e.code())?;
        assert_eq!(block.fixed(0), column);
        let own = [0, 1].map(|i| block.sums(&shares[i]).unwrap()[0]);
        let masks = given.masks.map(Decimal::u64);
        for (share, own) in shares.iter().zip(own) {
            let error = encrypted_sum(&column, share).map(|sum| sum.wrapping_sub(own).cast_signed().unsigned_abs());
            assert!(error.is_none_or(|error| error < 1 << 24), "the same under encryption, within 2^24");
        }
        let sums = [0, 1].map(|i| own[i].wrapping_add(masks[i]));
        let returned = sums.map(opened);
        let payload = encode_words(&returned);
        assert_eq!(read_opened(&payload, 2, Rank(0)), Ok(returned.to_vec()));
        let halves = [0, 1].map(|i| half(returned[i], masks[i]));
        let exact: i128 = column
            .iter()
            .zip(shares[0].iter().zip(&shares[1]))
            .map(|(x, (y, r))| i128::from(*x) * i128::from(y.wrapping_sub(*r).cast_signed()))
            .sum();
        Ok(json!({
            "v": decimals(sums),
            "opened": decimals(returned),
            "opened_payload": hex(payload),
            "halves": decimals(halves),
            "own_halves": decimals(own),
            "exact": exact.to_string(),
            "sum": column_sum(lifted(halves[0]), lifted(halves[1])).to_string(),
            "sum_of_rank_0": column_sum(own[0], lifted(halves[1])).to_string(),
            "sum_of_rank_1": column_sum(lifted(halves[0]), own[1]).to_string(),
        }))
    });
}

/// A party's block of one column, given at scale 2^22.
fn block(column: &[i64]) -> Result<Block, Error> {
    let values: Vec<f64> = column.iter().map(|x| *x as f64 / 2f64.powi(22)).collect();
    let target = Target { rows: column.len() as u32, positives: 1, lambda: 1.0 };
    Block::new(Columns::from_columns(column.len(), vec![("x".to_owned(), values)])?, false, &target)
}

/// Σ x·share modulo 2^64, evaluated under encryption, with a mask of one's own taken off again; none where the column's
/// norm, which VLR-9 permits, is refused by RLWE-4.
fn encrypted_sum(column: &[i64], share: &[u64]) -> Option<u64> {
    let context = Coefficients::new(Backend::detect());
    let stream = |label| Stream::new([label; 16]);
    let column = match context.column(column, Form::Integers) {
        Ok(column) => column,
        Err(error) => {
            assert_eq!(error.code(), Code::NormTooLarge);
            return None;
        }
    };
    let (secret, p0) = context.generate(&[1; 16], &mut stream(2));
    let public = context.public_key(&p0, &[1; 16]).unwrap();
    let (mut scratch, mut sum, mut block) = (context.scratch(), context.sum(), context.block());
    let (mut ciphertext, mut answer) = (Vec::new(), Vec::new());
    context.encrypt(&secret, share, &[3; 16], &mut stream(4), &mut scratch, &mut ciphertext).unwrap();
    context.expand(&ciphertext, &mut block).unwrap();
    context.accumulate(&mut sum, &column, 0, &block, &mut scratch).unwrap();
    let (mut mask, mut noise, mut flood) = (stream(5), stream(6), stream(7));
    let streams = AnswerStreams { mask: &mut mask, noise: &mut noise, flood: &mut flood };
    let mask = context.answer(&mut sum, &public, streams, &mut scratch, &mut answer).unwrap();
    Some(context.decrypt(&secret, &answer, &mut scratch).unwrap().wrapping_sub(mask))
}
