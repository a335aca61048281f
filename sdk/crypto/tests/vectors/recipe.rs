//! The recipes by which vectors name many values (`spec/vectors/README.md`).
#![allow(dead_code, missing_docs, clippy::panic)]
use super::case::{Decimal, Hex};
use hefu_crypto::Stream;
use serde::Deserialize;

const N: usize = 8192;

#[derive(Deserialize)]
#[serde(tag = "draw", rename_all = "lowercase", deny_unknown_fields)]
pub enum Recipe {
    Ternary { key: Hex },
    Binomial { key: Hex },
    Flood { key: Hex, bits: u32 },
    Signed { key: Hex, count: usize, bits: u32 },
    U64 { key: Hex, count: usize },
    Below { key: Hex, q: Decimal, count: usize },
    Slots { key: Hex, moduli: Vec<Decimal> },
    List { values: Vec<Decimal> },
    Unit { index: usize, value: Decimal },
}

impl Recipe {
    /// The values.
    pub fn draw(&self) -> Vec<i128> {
        match self {
            Recipe::Ternary { key } => words(key, N).map(|v| i128::from(v % 3) - 1).collect(),
            Recipe::Binomial { key } => words(key, N).map(|v| weight(v) - weight(v >> 21)).collect(),
            Recipe::Flood { key, bits } => flood(key, *bits),
            Recipe::Signed { key, count, bits } => {
                words(key, *count).map(|v| i128::from(v % (1 << (bits + 1))) - (1 << bits)).collect()
            }
            Recipe::U64 { key, count } => words(key, *count).map(i128::from).collect(),
            Recipe::Below { key, q, count } => uniform(&mut stream(key), q.u64(), *count).collect(),
            Recipe::Slots { key, moduli } => slots(&mut stream(key), moduli),
            Recipe::List { values } => values.iter().map(|v| v.0).collect(),
            Recipe::Unit { index, value } => (0..N).map(|i| if i == *index { value.0 } else { 0 }).collect(),
        }
    }

    /// The values as words.
    pub fn u64s(&self) -> Vec<u64> {
        self.draw().into_iter().map(|v| v as u64).collect()
    }

    /// The values as signed words.
    pub fn i64s(&self) -> Vec<i64> {
        self.draw().into_iter().map(|v| v as i64).collect()
    }
}

fn stream(key: &Hex) -> Stream {
    Stream::new(key.array())
}

fn words(key: &Hex, count: usize) -> impl Iterator<Item = u64> {
    let mut stream = stream(key);
    (0..count).map(move |_| stream.u64())
}

fn weight(v: u64) -> i128 {
    i128::from((v & 0x1f_ffff).count_ones())
}

fn flood(key: &Hex, bits: u32) -> Vec<i128> {
    let all: Vec<u64> = words(key, 2 * N).collect();
    let wide = all.chunks(2).map(|pair| u128::from(pair[0]) | u128::from(pair[1]) << 64);
    wide.map(|v| (v & (u128::MAX >> (127 - bits))).cast_signed() - (1 << bits)).collect()
}

/// `Uniform(q, n)`.
fn uniform(stream: &mut Stream, q: u64, n: usize) -> impl Iterator<Item = i128> {
    let mask = u64::MAX >> q.leading_zeros();
    let mut values: Vec<u64> = (0..n).map(|_| stream.u64() & mask).collect();
    for value in &mut values {
        while *value >= q {
            *value = stream.u64() & mask;
        }
    }
    values.into_iter().map(i128::from)
}

/// The integers of uniform residues modulo one prime, or two.
fn slots(stream: &mut Stream, moduli: &[Decimal]) -> Vec<i128> {
    let residues: Vec<Vec<i128>> = moduli.iter().map(|t| uniform(stream, t.u64(), N).collect()).collect();
    match (moduli, residues.as_slice()) {
        ([_], [one]) => one.clone(),
        ([first, second], [low, high]) => {
            let (t, p) = (first.0, second.0);
            // the inverse by Fermat: p is prime
            let inverse = (0..64).rev().fold(1, |power, bit| {
                let square = power * power % p;
                if (p - 2) >> bit & 1 == 1 { square * (t % p) % p } else { square }
            });
            low.iter().zip(high).map(|(x, y)| x + t * ((y - x).rem_euclid(p) * inverse % p)).collect()
        }
        _ => panic!("one modulus or two"),
    }
}
