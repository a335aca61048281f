//! The transform with AVX-512 IFMA: two stages a pass, and blocks of 16 KB that stay in the first-level cache.
use super::ifma::{Group, all, kernels, lazy, load, minus, store, subtract_if_not_below};
use crate::ntt::{GROUPS, LANES, Scale, Twiddles};
use core::arch::x86_64::*;

/// Groups of a block that stays in the first-level cache.
const BLOCK: usize = GROUPS / 4;

/// A twiddle and its quotient in every lane.
type Twiddle = (__m512i, __m512i);

/// Constants of a prime.
#[derive(Clone, Copy)]
struct Modulus {
    p: __m512i,
    twice: __m512i,
    minus: __m512i,
}

kernels! {
    fn modulus(p: u64) -> Modulus {
        Modulus { p: all(p), twice: all(2 * p), minus: minus(p) }
    }

    fn twiddle(values: &[Group], quotients: &[Group], at: usize) -> Twiddle {
        (load(&values[at]), load(&quotients[at]))
    }

    fn butterfly(x: __m512i, y: __m512i, w: Twiddle, m: Modulus) -> (__m512i, __m512i) {
        let u = subtract_if_not_below(x, m.twice);
        let v = lazy(y, w.0, w.1, m.minus);
        (_mm512_add_epi64(u, v), _mm512_sub_epi64(_mm512_add_epi64(u, m.twice), v))
    }

    fn inverse_butterfly(x: __m512i, y: __m512i, w: Twiddle, m: Modulus) -> (__m512i, __m512i) {
        let sum = subtract_if_not_below(_mm512_add_epi64(x, y), m.twice);
        let difference = _mm512_sub_epi64(_mm512_add_epi64(x, m.twice), y);
        (sum, lazy(difference, w.0, w.1, m.minus))
    }

    /// Two stages on four vectors: `w` of the wider stage, then the two of the narrower one.
    fn two_stages(x: [__m512i; 4], w: [Twiddle; 3], m: Modulus) -> [__m512i; 4] {
        let (x0, x2) = butterfly(x[0], x[2], w[0], m);
        let (x1, x3) = butterfly(x[1], x[3], w[0], m);
        let (x0, x1) = butterfly(x0, x1, w[1], m);
        let (x2, x3) = butterfly(x2, x3, w[2], m);
        [x0, x1, x2, x3]
    }

    fn inverse_two_stages(x: [__m512i; 4], w: [Twiddle; 3], m: Modulus) -> [__m512i; 4] {
        let (x0, x1) = inverse_butterfly(x[0], x[1], w[1], m);
        let (x2, x3) = inverse_butterfly(x[2], x[3], w[2], m);
        let (x0, x2) = inverse_butterfly(x0, x2, w[0], m);
        let (x1, x3) = inverse_butterfly(x1, x3, w[0], m);
        [x0, x1, x2, x3]
    }

    /// Lanes of two vectors picked from their sixteen.
    fn pick(a: __m512i, b: __m512i, from: &Group) -> __m512i {
        _mm512_permutex2var_epi64(a, load(from), b)
    }

    /// The three stages inside groups, for two groups at a time, so that every lane works.
    fn inside(a: __m512i, b: __m512i, w: [Twiddle; 3], m: Modulus) -> (__m512i, __m512i) {
        let (x, y) = (pick(a, b, &[0, 1, 2, 3, 8, 9, 10, 11]), pick(a, b, &[4, 5, 6, 7, 12, 13, 14, 15]));
        let (x, y) = butterfly(x, y, w[0], m);
        let (x, y) = (pick(x, y, &[0, 1, 4, 5, 8, 9, 12, 13]), pick(x, y, &[2, 3, 6, 7, 10, 11, 14, 15]));
        let (x, y) = butterfly(x, y, w[1], m);
        let (x, y) = (pick(x, y, &[0, 2, 8, 10, 4, 6, 12, 14]), pick(x, y, &[1, 3, 9, 11, 5, 7, 13, 15]));
        let (x, y) = butterfly(x, y, w[2], m);
        (_mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y))
    }

    /// The inverse of [`inside`], times the constant of the scale; below p.
    fn inverse_inside(a: __m512i, b: __m512i, w: [Twiddle; 2], scale: [Twiddle; 2], m: Modulus) -> (__m512i, __m512i) {
        let (x, y) = (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
        let (x, y) = inverse_butterfly(x, y, w[1], m);
        let (x, y) = (pick(x, y, &[0, 8, 1, 9, 4, 12, 5, 13]), pick(x, y, &[2, 10, 3, 11, 6, 14, 7, 15]));
        let (x, y) = inverse_butterfly(x, y, w[0], m);
        let (x, y) = (pick(x, y, &[0, 1, 8, 9, 2, 3, 10, 11]), pick(x, y, &[4, 5, 12, 13, 6, 7, 14, 15]));
        let difference = _mm512_sub_epi64(_mm512_add_epi64(x, m.twice), y);
        let x = lazy(_mm512_add_epi64(x, y), scale[0].0, scale[0].1, m.minus);
        let y = lazy(difference, scale[1].0, scale[1].1, m.minus);
        let (x, y) = (subtract_if_not_below(x, m.p), subtract_if_not_below(y, m.p));
        (pick(x, y, &[0, 1, 2, 3, 8, 9, 10, 11]), pick(x, y, &[4, 5, 6, 7, 12, 13, 14, 15]))
    }

    /// The stages inside groups and the two widest between them.
    fn first_pass(data: &mut [Group], values: &[Group], quotients: &[Group], m: Modulus) {
        let w: [Twiddle; 3] =
            [twiddle(values, quotients, 0), twiddle(values, quotients, 1), twiddle(values, quotients, 2)];
        let v: [Twiddle; 3] =
            [twiddle(values, quotients, 3), twiddle(values, quotients, 4), twiddle(values, quotients, 5)];
        let (low, high) = data.split_at_mut(2 * BLOCK);
        let ((q0, q1), (q2, q3)) = (low.split_at_mut(BLOCK), high.split_at_mut(BLOCK));
        for ((x0, x1), (x2, x3)) in q0.iter_mut().zip(q1).zip(q2.iter_mut().zip(q3)) {
            let (a, b) = inside(load(x0), load(x1), w, m);
            let (c, d) = inside(load(x2), load(x3), w, m);
            let out = two_stages([a, b, c, d], v, m);
            store(x0, out[0]);
            store(x1, out[1]);
            store(x2, out[2]);
            store(x3, out[3]);
        }
    }

    /// Two stages on blocks of 4·`quarter` groups; twiddles of the wider stage begin at `wide`, of the narrower at
    /// `narrow`.
    fn middle_pass(
        data: &mut [Group], quarter: usize, tables: (&[Group], &[Group]), wide: usize, narrow: usize, m: Modulus,
    ) {
        for (i, block) in data.chunks_exact_mut(4 * quarter).enumerate() {
            let w = [
                twiddle(tables.0, tables.1, wide + i),
                twiddle(tables.0, tables.1, narrow + 2 * i),
                twiddle(tables.0, tables.1, narrow + 2 * i + 1),
            ];
            let (low, high) = block.split_at_mut(2 * quarter);
            let ((q0, q1), (q2, q3)) = (low.split_at_mut(quarter), high.split_at_mut(quarter));
            for ((x0, x1), (x2, x3)) in q0.iter_mut().zip(q1).zip(q2.iter_mut().zip(q3)) {
                let out = two_stages([load(x0), load(x1), load(x2), load(x3)], w, m);
                store(x0, out[0]);
                store(x1, out[1]);
                store(x2, out[2]);
                store(x3, out[3]);
            }
        }
    }

    /// The two narrowest stages, and the reduction below p.
    fn last_pass(data: &mut [Group], wide: (&[Group], &[Group]), narrow: (&[Group], &[Group]), m: Modulus) {
        let wide = wide.0.iter().zip(wide.1);
        let narrow = narrow.0.as_chunks::<2>().0.iter().zip(narrow.1.as_chunks::<2>().0);
        for (block, (w, v)) in data.as_chunks_mut::<4>().0.iter_mut().zip(wide.zip(narrow)) {
            let w = [(load(w.0), load(w.1)), (load(&v.0[0]), load(&v.1[0])), (load(&v.0[1]), load(&v.1[1]))];
            let out = two_stages([load(&block[0]), load(&block[1]), load(&block[2]), load(&block[3])], w, m);
            for (group, value) in block.iter_mut().zip(out) {
                store(group, subtract_if_not_below(subtract_if_not_below(value, m.twice), m.p));
            }
        }
    }

    pub(super) fn forward(data: &mut [u64], twiddles: &Twiddles, p: u64) {
        let (values, quotients) = (twiddles.value.as_chunks::<LANES>().0, twiddles.quotient.as_chunks::<LANES>().0);
        let (data, m, tables) = (data.as_chunks_mut::<LANES>().0, modulus(p), (values, quotients));
        first_pass(data, values, quotients, m);
        for (b, block) in data.chunks_exact_mut(BLOCK).enumerate() {
            middle_pass(block, 64, tables, stage(4) + b, stage(8) + 2 * b, m);
            middle_pass(block, 16, tables, stage(16) + 4 * b, stage(32) + 8 * b, m);
            middle_pass(block, 4, tables, stage(64) + 16 * b, stage(128) + 32 * b, m);
            let (wide, narrow) = (stage(256) + 64 * b, stage(512) + 128 * b);
            let (wide, narrow) = (wide..wide + 64, narrow..narrow + 128);
            last_pass(
                block,
                (&values[wide.clone()], &quotients[wide]),
                (&values[narrow.clone()], &quotients[narrow]),
                m,
            );
        }
    }

    fn inverse_pass(
        data: &mut [Group], quarter: usize, tables: (&[Group], &[Group]), wide: usize, narrow: usize, m: Modulus,
    ) {
        for (i, block) in data.chunks_exact_mut(4 * quarter).enumerate() {
            let w = [
                twiddle(tables.0, tables.1, wide + i),
                twiddle(tables.0, tables.1, narrow + 2 * i),
                twiddle(tables.0, tables.1, narrow + 2 * i + 1),
            ];
            let (low, high) = block.split_at_mut(2 * quarter);
            let ((q0, q1), (q2, q3)) = (low.split_at_mut(quarter), high.split_at_mut(quarter));
            for ((x0, x1), (x2, x3)) in q0.iter_mut().zip(q1).zip(q2.iter_mut().zip(q3)) {
                let out = inverse_two_stages([load(x0), load(x1), load(x2), load(x3)], w, m);
                store(x0, out[0]);
                store(x1, out[1]);
                store(x2, out[2]);
                store(x3, out[3]);
            }
        }
    }

    pub(super) fn inverse(data: &mut [u64], twiddles: &Twiddles, scale: Scale, p: u64) {
        let (values, quotients) = (twiddles.value.as_chunks::<LANES>().0, twiddles.quotient.as_chunks::<LANES>().0);
        let (data, m, tables) = (data.as_chunks_mut::<LANES>().0, modulus(p), (values, quotients));
        for (b, block) in data.chunks_exact_mut(BLOCK).enumerate() {
            inverse_pass(block, 1, tables, stage(256) + 64 * b, stage(512) + 128 * b, m);
            inverse_pass(block, 4, tables, stage(64) + 16 * b, stage(128) + 32 * b, m);
            inverse_pass(block, 16, tables, stage(16) + 4 * b, stage(32) + 8 * b, m);
            inverse_pass(block, 64, tables, stage(4) + b, stage(8) + 2 * b, m);
        }
        let v: [Twiddle; 3] =
            [twiddle(values, quotients, 3), twiddle(values, quotients, 4), twiddle(values, quotients, 5)];
        let w: [Twiddle; 2] = [twiddle(values, quotients, 1), twiddle(values, quotients, 2)];
        let scale = [scale.plain, scale.twisted];
        let scale: [Twiddle; 2] = [
            (all(scale[0].value), all(scale[0].quotient)),
            (all(scale[1].value), all(scale[1].quotient)),
        ];
        let (low, high) = data.split_at_mut(2 * BLOCK);
        let ((q0, q1), (q2, q3)) = (low.split_at_mut(BLOCK), high.split_at_mut(BLOCK));
        for ((x0, x1), (x2, x3)) in q0.iter_mut().zip(q1).zip(q2.iter_mut().zip(q3)) {
            let [a, b, c, d] = inverse_two_stages([load(x0), load(x1), load(x2), load(x3)], v, m);
            let (a, b) = inverse_inside(a, b, w, scale, m);
            let (c, d) = inverse_inside(c, d, w, scale, m);
            store(x0, a);
            store(x1, b);
            store(x2, c);
            store(x3, d);
        }
    }
}

/// Where the twiddles of the stage with m blocks a lane begin.
const fn stage(m: usize) -> usize {
    2 + m
}
