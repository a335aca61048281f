//! Kernels of ristretto255 for batches, eight elements at a time, with AVX-512 IFMA. The portable counterpart of each
//! is
//! a call of curve25519-dalek, and both make the same bytes.
//!
//! Constant time in scalars and points: no branch and no address depends on them. Whether an element is valid, and how
//! many there are, is public.
//!
//! `unsafe` stands here in two roles: loads and stores of whole arrays (`field.rs`), and calls of functions that need
//! the processor's features, which [`Found`] proves to be there.
mod field;
mod limbs;
mod point;
mod ristretto;

use field::{Field, LANES};
pub(crate) use point::Digits;
use point::{Extended, Point};

/// Bytes of an encoded element.
const ELEMENT: usize = 32;
/// Elements of two groups, which are decoded side by side.
const PAIR: usize = 2 * LANES;

/// Proof that the processor has every instruction that the kernels use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found(());

/// Points of a batch, in order; the last group may have idle lanes.
pub(crate) struct Points {
    groups: Vec<Extended>,
    count: usize,
}

/// Products of a batch, in order, as halves of what is encoded.
pub(crate) struct Halves {
    groups: Vec<Point>,
    count: usize,
}

impl Found {
    /// The proof, where the processor has the instructions.
    pub(crate) fn detect() -> Option<Found> {
        field::is_supported().then_some(Found(()))
    }

    /// The one-way map (RFC 9496, section 4.3.4) of 64 uniform bytes each.
    pub(crate) fn map(self, uniform: &[[u8; 2 * ELEMENT]]) -> Points {
        let groups = uniform.chunks(LANES).map(|group| {
            let half = |i: usize| limbs::read(group.iter().filter_map(|bytes| bytes.as_chunks::<ELEMENT>().0.get(i)));
            let halves = [half(0), half(1)];
            // SAFETY: `Found` is made only when the processor has the instructions of these functions.
            unsafe { ristretto::map(&load(&halves)) }
        });
        Points { groups: groups.collect(), count: uniform.len() }
    }

    /// The points of encoded elements; `None` where one is no canonical encoding. The identity is decoded.
    pub(crate) fn decode(self, elements: &[[u8; ELEMENT]]) -> Option<Points> {
        if !elements.iter().all(limbs::is_canonical) {
            return None;
        }
        let (mut groups, mut valid) = (Vec::with_capacity(elements.len().div_ceil(LANES)), u8::MAX);
        for pair in elements.chunks(PAIR) {
            let (first, second) = pair.split_at(pair.len().min(LANES));
            let numbers = [limbs::read(first.iter()), limbs::read(second.iter())];
            // SAFETY: as in `map`. Idle lanes hold 0, which encodes the identity.
            let (points, masks) = unsafe { ristretto::decode(&load(&numbers)) };
            valid &= masks[0] & masks[1];
            groups.extend(points.into_iter().take(pair.len().div_ceil(LANES)));
        }
        (valid == u8::MAX).then_some(Points { groups, count: elements.len() })
    }

    /// Every point times the scalar.
    pub(crate) fn multiply(self, points: &Points, scalar: &Digits) -> Halves {
        // SAFETY: as in `map`.
        let groups = points.groups.iter().map(|point| unsafe { point::times(point, scalar) });
        Halves { groups: groups.collect(), count: points.count }
    }

    /// The encodings of the doubled points.
    pub(crate) fn encode(self, halves: &Halves) -> Vec<[u8; ELEMENT]> {
        // SAFETY: as in `map`.
        let encoded = unsafe { ristretto::encode_doubles(&halves.groups) };
        let mut out = Vec::with_capacity(halves.count);
        for group in &encoded {
            // SAFETY: as in `map`.
            let limbs = unsafe { field::store(group) };
            out.extend((0..LANES.min(halves.count - out.len())).map(|lane| limbs::write(&limbs, lane)));
        }
        out
    }
}

/// Two groups of eight numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
fn load(limbs: &[[[u64; LANES]; 5]; 2]) -> [Field; 2] {
    [field::load(&limbs[0]), field::load(&limbs[1])]
}

#[cfg(test)]
mod tests;
