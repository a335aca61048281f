//! The vectors of ring-LWE and of uniform residues, on both backends.
//!
//! Random choices are fed in as the words from which the samplers make the values of a vector's recipes, so that
//! everything from the samplers on is the code that runs.
#[path = "../../../core/tests/vectors/case.rs"]
mod case;
#[path = "../../../crypto/tests/vectors/digest.rs"]
mod digest;
#[path = "../../../crypto/tests/vectors/recipe.rs"]
mod recipe;
mod scheme;

use crate::kernel::Kernels;
use crate::modular::{Prime, root};
use crate::ntt::{Ntt, position, reversed};
use crate::sample::{Draw, uniform};
use crate::tests::both;
use crate::words::Words;
use crate::{Backend, Coefficients, Error, Form, N, SeenSeeds};
use case::{Decimal, Hex, decimals, each};
use hefu_core::Code;
use hefu_crypto::Stream;
use recipe::Recipe;
use serde::Deserialize;
use serde_json::{Value, json};

/// Answers with what both backends make.
fn on_both(run: impl Fn(Kernels) -> Result<Value, Code>) -> Result<Value, Code> {
    let mut results = both().map(run);
    let first = results.next().unwrap();
    assert!(results.all(|result| result == first), "the backends differ");
    first
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uniform {
    key: Hex,
    draws: Vec<UniformDraw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UniformDraw {
    q: Decimal,
    n: usize,
}

#[test]
fn uniform_residues() {
    each("uniform", |Uniform { key, draws }| {
        on_both(|kernels| {
            let mut stream = Stream::new(key.array());
            let mut values = Vec::new();
            for draw in &draws {
                let mut out = vec![0; draw.n];
                uniform(kernels, &mut stream, &Prime::new(draw.q.u64()), &mut out);
                values.push(digest::integers(out));
            }
            Ok(json!({ "values": values, "next": stream.u64().to_string() }))
        })
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Positions {
    positions: Vec<usize>,
}

#[test]
fn lane_order() {
    let mut index_at = vec![0; N];
    for index in 0..N {
        index_at[position(index)] = index;
    }
    each("rlwe_order", |Positions { positions }| {
        let indices: Vec<usize> = positions.iter().map(|p| index_at[*p]).collect();
        let reversed: Vec<usize> = positions.into_iter().map(reversed).collect();
        Ok(json!({ "indices": indices, "reversed": reversed }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transform {
    p: Decimal,
    coefficients: Recipe,
}

#[test]
fn transforms() {
    each("rlwe_transform", |Transform { p, coefficients }| {
        on_both(|kernels| {
            let ntt = Ntt::new(p.u64(), kernels);
            let mut data = Words::polynomial();
            in_lanes(&coefficients.u64s(), &mut data);
            let before = data.to_vec();
            ntt.forward(&mut data);
            let by_position = digest::integers(data.iter());
            let by_index = digest::integers((0..N).map(|i| data[position(i)]));
            ntt.inverse(&mut data);
            assert_eq!(data[..], before[..], "the inverse");
            Ok(json!({ "psi": root(p.u64()).to_string(), "by_index": by_index, "by_position": by_position }))
        })
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed {
    p: Decimal,
    bytes: Hex,
}

// clause: RLWE-2
#[test]
fn packed_values() {
    each("rlwe_pack", |Packed { p, bytes }| {
        on_both(|kernels| {
            // the kernels work on eight values, in 50 bytes
            let count = bytes.0.len() / 25 * 4;
            let mut packed = bytes.0.clone();
            packed.resize(bytes.0.len().next_multiple_of(50), 0);
            let mut values = vec![0; packed.len() / 25 * 4];
            if !kernels.unpack(&packed, p.u64(), &mut values) {
                return Err(Error::BadElement.code());
            }
            let mut again = vec![0; packed.len()];
            kernels.pack(&values, &mut again);
            assert_eq!(again, packed);
            Ok(json!({ "values": decimals(&values[..count]) }))
        })
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Multipliers {
    multipliers: Vec<Decimal>,
}

// clause: RLWE-4
#[test]
fn norms() {
    let coefficients = Coefficients::new(Backend::detect());
    each("rlwe_norm", |Multipliers { multipliers }| {
        let values: Vec<i64> = multipliers.into_iter().map(Decimal::i64).collect();
        coefficients.column(&values, Form::Integers).map_err(Error::code)?;
        Ok(json!({}))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seeds {
    seeds: Vec<Hex>,
}

// clause: RLWE-6
#[test]
fn seeds_come_once() {
    each("rlwe_seeds", |Seeds { seeds }| {
        let mut seen = SeenSeeds::default();
        seeds.iter().try_for_each(|seed| seen.admit(&seed.0)).map_err(Error::code)?;
        Ok(json!({}))
    });
}

/// Values by index into lane order.
fn in_lanes(values: &[u64], out: &mut [u64]) {
    for (i, value) in values.iter().enumerate() {
        out[position(i)] = *value;
    }
}

/// The words from which the samplers make given values; every word must be drawn.
#[derive(Default)]
struct Script {
    words: Vec<u64>,
    read: usize,
}

impl Draw for Script {
    fn fill_u64(&mut self, out: &mut [u64]) {
        out.copy_from_slice(&self.words[self.read..self.read + out.len()]);
        self.read += out.len();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.read == self.words.len(), "words were not drawn");
    }
}

impl Script {
    /// Ternary coefficients: half words that give value + 1.
    fn thirds(mut self, values: &[i64]) -> Self {
        const WORD: [u64; 3] = [1, 0x5555_5556, 0xaaaa_aaab];
        let mut lanes = vec![0; N];
        in_lanes(&values.iter().map(|v| WORD[(v + 1) as usize]).collect::<Vec<_>>(), &mut lanes);
        let (low, high) = lanes.split_at(N / 2);
        self.words.extend(low.iter().zip(high).map(|(low, high)| low | high << 32));
        self
    }

    /// Errors: words of weight value + 21.
    fn errors(self, values: &[i64]) -> Self {
        self.lanes(values.iter().map(|v| (1 << (v + 21)) - 1), N)
    }

    /// Flood: all low words, then all high words, of value + 2^bits.
    fn flood(self, values: &[i128], bits: u32, lanes: usize) -> Self {
        let wide: Vec<u128> = values.iter().map(|v| (v + (1 << bits)).cast_unsigned()).collect();
        let high = wide.iter().map(|v| (v >> 64) as u64);
        self.lanes(wide.iter().map(|v| *v as u64), lanes).lanes(high, lanes)
    }

    /// Words by index into lane order, of which the first `count` positions are drawn.
    fn lanes(mut self, words: impl Iterator<Item = u64>, count: usize) -> Self {
        let mut lanes = vec![0; N];
        in_lanes(&words.collect::<Vec<_>>(), &mut lanes);
        self.words.extend_from_slice(&lanes[..count]);
        self
    }

    /// Words as they are.
    fn words(mut self, words: impl IntoIterator<Item = u64>) -> Self {
        self.words.extend(words);
        self
    }
}
