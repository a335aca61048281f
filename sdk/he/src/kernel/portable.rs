//! The inner loops in plain Rust. Those marked `inline(always)` are compiled a second time for AVX-512.
use super::Flood;
use crate::convert::{ERROR_OFFSET, Projection};
use crate::modular::{Factor, Prime, canonical};
use crate::ntt::LANES;

/// Bits of a half product.
const HALF: u32 = 52;
const LOW: u64 = (1 << HALF) - 1;

/// Below 4p to below 2p.
#[inline(always)]
pub(super) fn below_twice(x: u64, p: u64) -> u64 {
    x.min(x.wrapping_sub(2 * p))
}

#[inline(always)]
pub(super) fn residues(values: &[i64], p: u64, bits: u32, out: &mut [u64]) -> bool {
    let mut excess = 0;
    for (x, &v) in out.iter_mut().zip(values) {
        let sign = v >> 63;
        excess |= (v ^ sign) >> bits;
        *x = (v as u64).wrapping_add(p & sign as u64);
    }
    excess == 0
}

#[inline(always)]
pub(super) fn lift_one(x: &mut [u64], m: u64) {
    for x in x {
        let lifted = x.wrapping_add(m);
        *x = if *x > m / 2 { *x } else { lifted };
    }
}

pub(super) fn mixed_radix(x: &[u64], h: &mut [u64], high: u64, inverse: Factor, shift: u64) {
    for (h, &x) in h.iter_mut().zip(x) {
        let digit = inverse.lazy(*h + shift - x, high);
        *h = digit.min(digit.wrapping_sub(high));
    }
}

pub(super) fn lift_two(x: &[u64], h: &mut [u64], low: u64, high: u64, inverse: Factor, shift: u64) {
    mixed_radix(x, h, high, inverse, shift);
    for (h, &x) in h.iter_mut().zip(x) {
        let negative = (*h > high / 2) | ((*h == high / 2) & (x > low / 2));
        *h += if negative { 0 } else { high };
    }
}

#[inline(always)]
pub(super) fn lift_words(x: &mut [u64], h: &mut [u64]) {
    for (x, h) in x.iter_mut().zip(h) {
        let high = *x >> 32;
        *h = if *x > 1 << 63 { high } else { high + (1 << 32) };
        *x &= u64::from(u32::MAX);
    }
}

/// A·value, below 5p.
#[inline(always)]
fn projected(x: u64, h: u64, to: &Projection, constant: u64) -> u64 {
    let high = to.high.map_or(0, |w| w.lazy(h, to.p));
    to.low.lazy(x, to.p) + high + constant
}

pub(super) fn project(x: &[u64], h: &[u64], to: &Projection, out: &mut [u64]) {
    for ((out, &x), &h) in out.iter_mut().zip(x).zip(h) {
        let sum = projected(x, h, to, to.constant);
        *out = sum.min(sum.wrapping_sub(4 * to.p));
    }
}

pub(super) fn project_with_error(x: &[u64], h: &[u64], to: &Projection, error: &[u64], out: &mut [u64]) {
    for (((out, &x), &h), &error) in out.iter_mut().zip(x).zip(h).zip(error) {
        let sum = projected(x, h, to, to.constant_with_error) + error;
        *out = sum.min(sum.wrapping_sub(4 * to.p));
    }
}

pub(super) fn project_add(x: &[u64], h: &[u64], to: &Projection, out: &mut [u64]) {
    for ((out, &x), &h) in out.iter_mut().zip(x).zip(h) {
        *out = canonical(*out + projected(x, h, to, to.constant), to.p);
    }
}

pub(super) fn project_scaled(x: &[u64], h: &[u64], to: &Projection, factor: Factor, out: &mut [u64]) {
    for ((out, &x), &h) in out.iter_mut().zip(x).zip(h) {
        *out = canonical(factor.lazy(*out, to.p) + projected(x, h, to, to.constant), to.p);
    }
}

pub(super) fn multiply_subtract(out: &mut [u64], a: &[u64], s: &[u64], quotients: &[u64], p: u64) {
    for (((out, &a), &value), &quotient) in out.iter_mut().zip(a).zip(s).zip(quotients) {
        *out = canonical(*out + 2 * p - Factor { value, quotient }.lazy(a, p), p);
    }
}

pub(super) fn multiply_lazy(out: &mut [u64], s: &[u64], quotients: &[u64], p: u64) {
    for ((out, &value), &quotient) in out.iter_mut().zip(s).zip(quotients) {
        *out = Factor { value, quotient }.lazy(*out, p);
    }
}

pub(super) fn add_scaled(out: &mut [u64], input: &[u64], factor: Factor, p: u64) {
    for (out, &x) in out.iter_mut().zip(input) {
        *out = canonical(*out + factor.lazy(x, p), p);
    }
}

#[inline(always)]
pub(super) fn add_small(out: &mut [u64], words: &[u64], offset: u64, p: u64) {
    for (out, &x) in out.iter_mut().zip(words) {
        *out = canonical(*out + x + offset, p);
    }
}

#[inline(always)]
pub(super) fn offset(words: &[u64], offset: u64, out: &mut [u64]) {
    for (out, &x) in out.iter_mut().zip(words) {
        *out = x + offset;
    }
}

/// Adds x·y to an accumulator in two halves.
#[inline(always)]
fn add_product(low: &mut u64, high: &mut u64, x: u64, y: u64) {
    let product = u128::from(x) * u128::from(y);
    *low += product as u64 & LOW;
    *high += (product >> HALF) as u64;
}

pub(super) fn accumulate_pair(
    sums: &mut [u64],
    first: (&[u64], &[u8], &[u64]),
    second: (&[u64], &[u8], &[u64]),
    p: u64,
) -> bool {
    let mut valid = true;
    for (multipliers, packed, a) in [first, second] {
        let groups = multipliers.as_chunks::<LANES>().0.iter().zip(packed.as_chunks::<50>().0);
        let groups = groups.zip(a.as_chunks::<LANES>().0).zip(sums.as_chunks_mut::<{ 4 * LANES }>().0);
        for (((multiplier, packed), a), sums) in groups {
            let mut c = [0; LANES];
            valid &= unpack(packed, p, &mut c);
            let (low0, rest) = sums.split_at_mut(LANES);
            let (high0, rest) = rest.split_at_mut(LANES);
            let (low1, high1) = rest.split_at_mut(LANES);
            for lane in 0..LANES {
                add_product(&mut low0[lane], &mut high0[lane], multiplier[lane], c[lane]);
                add_product(&mut low1[lane], &mut high1[lane], multiplier[lane], a[lane]);
            }
        }
    }
    valid
}

pub(super) fn accumulate_key(sums: &mut [u64], u: &[u64], p0: &[u64], p1: &[u64]) {
    let groups = u.as_chunks::<LANES>().0.iter().zip(p0.as_chunks::<LANES>().0).zip(p1.as_chunks::<LANES>().0);
    for (((u, p0), p1), sums) in groups.zip(sums.as_chunks_mut::<{ 4 * LANES }>().0) {
        let (low0, rest) = sums.split_at_mut(LANES);
        let (high0, rest) = rest.split_at_mut(LANES);
        let (low1, high1) = rest.split_at_mut(LANES);
        for lane in 0..LANES {
            add_product(&mut low0[lane], &mut high0[lane], u[lane], p0[lane]);
            add_product(&mut low1[lane], &mut high1[lane], u[lane], p1[lane]);
        }
    }
}

pub(super) fn accumulate_sum(sums: &mut [u64], multiplier: &[u64], c: &[u64], a: &[u64], prime: &Prime) -> u64 {
    let mut total = 0u128;
    let groups = multiplier.as_chunks::<LANES>().0.iter().zip(c.as_chunks::<LANES>().0).zip(a.as_chunks::<LANES>().0);
    for (((multiplier, c), a), sums) in groups.zip(sums.as_chunks_mut::<{ 2 * LANES }>().0) {
        let (low, high) = sums.split_at_mut(LANES);
        for lane in 0..LANES {
            add_product(&mut low[lane], &mut high[lane], multiplier[lane], a[lane]);
            total += u128::from(multiplier[lane]) * u128::from(c[lane]);
        }
    }
    prime.reduce(total as u64 & LOW, (total >> HALF) as u64)
}

pub(super) fn reduce(sums: &[u64], width: usize, at: usize, prime: &Prime, out: &mut [u64]) {
    for (sums, out) in sums.chunks_exact(width * LANES).zip(out.as_chunks_mut::<LANES>().0) {
        let sums = &sums[at * LANES..];
        for lane in 0..LANES {
            out[lane] = prime.reduce(sums[lane], sums[LANES + lane]);
        }
    }
}

pub(super) fn pack(words: &[u64], out: &mut [u8]) {
    for (v, out) in words.as_chunks::<4>().0.iter().zip(out.as_chunks_mut::<25>().0) {
        let low = u128::from(v[0]) | u128::from(v[1]) << 50 | u128::from(v[2]) << 100;
        let high = v[2] >> 28 | v[3] << 22;
        out[..16].copy_from_slice(&low.to_le_bytes());
        out[16..24].copy_from_slice(&high.to_le_bytes());
        out[24] = (v[3] >> 42) as u8;
    }
}

pub(super) fn unpack(bytes: &[u8], p: u64, out: &mut [u64]) -> bool {
    const MASK: u64 = (1 << 50) - 1;
    let word = |b: &[u8; 25], at: usize| {
        u64::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3], b[at + 4], b[at + 5], b[at + 6], b[at + 7]])
    };
    let mut valid = true;
    for (b, out) in bytes.as_chunks::<25>().0.iter().zip(out.as_chunks_mut::<4>().0) {
        *out = [word(b, 0) & MASK, word(b, 6) >> 2 & MASK, word(b, 12) >> 4 & MASK, word(b, 17) >> 14];
        valid &= out.iter().all(|&x| x < p);
    }
    valid
}

#[inline(always)]
pub(super) fn keep_bits(words: &mut [u64], mask: u64, p: u64) -> bool {
    let mut excess = false;
    for x in words {
        *x &= mask;
        excess |= *x >= p;
    }
    excess
}

#[inline(always)]
pub(super) fn weigh(words: &mut [u64]) {
    for x in words {
        *x = u64::from((*x & ((1 << (2 * ERROR_OFFSET)) - 1)).count_ones());
    }
}

#[inline(always)]
pub(super) fn thirds(words: &[u64], out: &mut [u64]) -> bool {
    let (low, high) = out.split_at_mut(words.len());
    let mut usable = true;
    for ((low, high), &word) in low.iter_mut().zip(high).zip(words) {
        let (a, b) = (word & u64::from(u32::MAX), word >> 32);
        usable &= (a != 0) & (b != 0);
        (*low, *high) = ((3 * a) >> 32, (3 * b) >> 32);
    }
    usable
}

pub(super) fn flood(out: &mut [u64], low: &[u64], high: &[u64], by: &Flood) {
    let mask = by.bits.map(|bits| (1u64 << bits) - 1);
    for ((out, &low), &high) in out.iter_mut().zip(low).zip(high) {
        let middle = (low >> 50 | high << 14) & mask[1];
        let low = low & mask[0];
        let low = low.min(low.wrapping_sub(by.p));
        let high = high >> 36 & mask[2];
        *out = canonical(*out + by.offset + low + by.middle.lazy(middle, by.p) + by.high.lazy(high, by.p), by.p);
    }
}

#[inline(always)]
pub(super) fn signed_sum(x: &[u64], plus: &[u64], minus: &[u64], prime: &Prime) -> u64 {
    let (mut positive, mut negative) = ([0u64; LANES], [0u64; LANES]);
    let groups = x.as_chunks::<LANES>().0.iter().zip(plus.as_chunks::<LANES>().0).zip(minus.as_chunks::<LANES>().0);
    for ((x, plus), minus) in groups {
        for lane in 0..LANES {
            positive[lane] += x[lane] & plus[lane];
            negative[lane] += x[lane] & minus[lane];
        }
    }
    let total = |sums: [u64; LANES]| prime.reduce(sums.iter().sum(), 0);
    canonical(total(positive) + prime.p - total(negative), prime.p)
}
