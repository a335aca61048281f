//! The transform in plain Rust: one stage at a time.
use super::portable::below_twice;
use crate::modular::Factor;
use crate::ntt::{GROUPS, LANES, Scale, Twiddles};

/// x, y to x + w·y, x − w·y: in below 4p, out below 4p.
#[inline(always)]
fn butterfly(x: &mut u64, y: &mut u64, w: Factor, p: u64) {
    let (u, v) = (below_twice(*x, p), w.lazy(*y, p));
    *x = u + v;
    *y = u + 2 * p - v;
}

/// x, y to x + y, w·(x − y): in below 2p, out below 2p.
#[inline(always)]
fn inverse_butterfly(x: &mut u64, y: &mut u64, w: Factor, p: u64) {
    let (sum, difference) = (*x + *y, *x + 2 * p - *y);
    *x = below_twice(sum, p);
    *y = w.lazy(difference, p);
}

#[inline(always)]
fn twiddle(twiddles: &Twiddles, at: usize) -> Factor {
    Factor { value: twiddles.value[at], quotient: twiddles.quotient[at] }
}

/// Applies `f` to the pairs of the stage inside groups that has m blocks.
fn inside(data: &mut [u64], twiddles: &Twiddles, m: usize, p: u64, f: impl Fn(&mut u64, &mut u64, Factor, u64)) {
    let (distance, base) = (LANES / 2 / m, m.trailing_zeros() as usize * LANES);
    for group in data.as_chunks_mut::<LANES>().0 {
        for (block, pairs) in group.chunks_exact_mut(2 * distance).enumerate() {
            let (low, high) = pairs.split_at_mut(distance);
            let w = twiddle(twiddles, base + block * 2 * distance);
            low.iter_mut().zip(high).for_each(|(x, y)| f(x, y, w, p));
        }
    }
}

/// Applies `f` to the pairs of the stage between groups that has m blocks a lane.
fn between(data: &mut [u64], twiddles: &Twiddles, m: usize, p: u64, f: impl Fn(&mut u64, &mut u64, Factor, u64)) {
    let half = GROUPS / 2 / m;
    for (i, block) in data.as_chunks_mut::<LANES>().0.chunks_exact_mut(2 * half).enumerate() {
        let at = (2 + m + i) * LANES;
        let w: [Factor; LANES] = std::array::from_fn(|lane| twiddle(twiddles, at + lane));
        let (low, high) = block.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            for ((x, y), w) in low.iter_mut().zip(high).zip(w) {
                f(x, y, w, p);
            }
        }
    }
}

pub(super) fn forward(data: &mut [u64], twiddles: &Twiddles, p: u64) {
    for m in [1, 2, 4] {
        inside(data, twiddles, m, p, butterfly);
    }
    let mut m = 1;
    while m < GROUPS {
        between(data, twiddles, m, p, butterfly);
        m *= 2;
    }
    for x in data {
        let below = below_twice(*x, p);
        *x = below.min(below.wrapping_sub(p));
    }
}

pub(super) fn inverse(data: &mut [u64], twiddles: &Twiddles, scale: Scale, p: u64) {
    let mut m = GROUPS / 2;
    while m > 0 {
        between(data, twiddles, m, p, inverse_butterfly);
        m /= 2;
    }
    for m in [4, 2] {
        inside(data, twiddles, m, p, inverse_butterfly);
    }
    for group in data.as_chunks_mut::<LANES>().0 {
        let (low, high) = group.split_at_mut(LANES / 2);
        for (x, y) in low.iter_mut().zip(high) {
            let sum = scale.plain.lazy(*x + *y, p);
            let difference = scale.twisted.lazy(*x + 2 * p - *y, p);
            *x = sum.min(sum.wrapping_sub(p));
            *y = difference.min(difference.wrapping_sub(p));
        }
    }
}
