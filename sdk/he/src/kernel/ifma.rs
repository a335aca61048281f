//! The inner loops with AVX-512 IFMA.
//!
//! Arithmetic intrinsics are safe inside functions that enable their features; only loads and stores through pointers
//! are not, and they are wrapped in [`load`], [`store`], [`load_packed`] and [`store_packed`], which take whole groups.
use super::{Flood, portable};
use crate::convert::Projection;
use crate::modular::{Factor, Prime};
use crate::ntt::LANES;
use core::arch::x86_64::*;

/// Bytes of a packed group of eight words.
const PACKED: usize = 50;

/// Whether the processor has every feature that the functions of this backend enable.
pub(super) fn is_supported() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512ifma")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vpopcntdq")
}

/// Functions that may use every instruction of the backend.
macro_rules! kernels {
    ($($(#[$meta:meta])* $visible:vis fn $name:ident $([$(const $flag:ident: bool),+])?
        ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)+) => {
        $($(#[$meta])*
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,avx512vbmi,avx512vpopcntdq")]
        $visible fn $name $(<$(const $flag: bool),+>)? ($($argument: $type),*) $(-> $result)? $body)+
    };
}
pub(super) use kernels;

/// A group of eight words.
pub(super) type Group = [u64; LANES];

kernels! {
    pub(super) fn load(group: &Group) -> __m512i {
        // SAFETY: the reference covers the 64 bytes that are read; the instruction needs no alignment.
        unsafe { _mm512_loadu_si512(group.as_ptr().cast()) }
    }

    pub(super) fn store(group: &mut Group, value: __m512i) {
        // SAFETY: the reference covers the 64 bytes that are written; the instruction needs no alignment.
        unsafe { _mm512_storeu_si512(group.as_mut_ptr().cast(), value) }
    }

    fn load_packed(bytes: &[u8; PACKED]) -> __m512i {
        // SAFETY: the mask confines the read to the 50 bytes of the reference.
        unsafe { _mm512_maskz_loadu_epi8((1 << PACKED) - 1, bytes.as_ptr().cast()) }
    }

    fn store_packed(bytes: &mut [u8; PACKED], value: __m512i) {
        // SAFETY: the mask confines the write to the 50 bytes of the reference.
        unsafe { _mm512_mask_storeu_epi8(bytes.as_mut_ptr().cast(), (1 << PACKED) - 1, value) }
    }

    pub(super) fn all(word: u64) -> __m512i {
        _mm512_set1_epi64(word as i64)
    }

    /// x·w mod p, lazily; `minus_p` is 2^52 − p.
    pub(super) fn lazy(x: __m512i, w: __m512i, quotient: __m512i, minus_p: __m512i) -> __m512i {
        let zero = _mm512_setzero_si512();
        let h = _mm512_madd52hi_epu64(zero, x, quotient);
        let low = _mm512_madd52lo_epu64(zero, x, w);
        _mm512_and_si512(_mm512_madd52lo_epu64(low, h, minus_p), all((1 << 52) - 1))
    }

    pub(super) fn subtract_if_not_below(x: __m512i, bound: __m512i) -> __m512i {
        _mm512_min_epu64(x, _mm512_sub_epi64(x, bound))
    }

    /// Below 8p to below p.
    fn canonical(x: __m512i, p: u64) -> __m512i {
        let x = subtract_if_not_below(x, all(4 * p));
        let x = subtract_if_not_below(x, all(2 * p));
        subtract_if_not_below(x, all(p))
    }

    pub(super) fn minus(p: u64) -> __m512i {
        all((1 << 52) - p)
    }

    fn lazy_by(x: __m512i, w: Factor, p: u64) -> __m512i {
        lazy(x, all(w.value), all(w.quotient), minus(p))
    }

    pub(super) fn residues(values: &[i64], p: u64, bits: u32, out: &mut [u64]) -> bool {
        portable::residues(values, p, bits, out)
    }

    pub(super) fn lift_one(x: &mut [u64], m: u64) {
        portable::lift_one(x, m)
    }

    fn digit(x: __m512i, h: __m512i, high: u64, inverse: Factor, shift: u64) -> __m512i {
        let difference = _mm512_sub_epi64(_mm512_add_epi64(h, all(shift)), x);
        subtract_if_not_below(lazy_by(difference, inverse, high), all(high))
    }

    pub(super) fn mixed_radix(x: &[u64], h: &mut [u64], high: u64, inverse: Factor, shift: u64) {
        for (x, h) in groups(x).iter().zip(groups_mut(h)) {
            let value = digit(load(x), load(h), high, inverse, shift);
            store(h, value);
        }
    }

    pub(super) fn lift_two(x: &[u64], h: &mut [u64], low: u64, high: u64, inverse: Factor, shift: u64) {
        for (x, h) in groups(x).iter().zip(groups_mut(h)) {
            let x = load(x);
            let value = digit(x, load(h), high, inverse, shift);
            let at_edge = _mm512_cmpeq_epu64_mask(value, all(high / 2));
            let negative = _mm512_cmpgt_epu64_mask(value, all(high / 2))
                | _mm512_mask_cmpgt_epu64_mask(at_edge, x, all(low / 2));
            store(h, _mm512_mask_add_epi64(value, !negative, value, all(high)));
        }
    }

    pub(super) fn lift_words(x: &mut [u64], h: &mut [u64]) {
        portable::lift_words(x, h)
    }

    fn projected[const TWO: bool](x: __m512i, h: __m512i, to: &Projection, constant: u64) -> __m512i {
        let sum = _mm512_add_epi64(lazy_by(x, to.low, to.p), all(constant));
        match to.high {
            Some(w) if TWO => _mm512_add_epi64(sum, lazy_by(h, w, to.p)),
            _ => sum,
        }
    }

    fn project_any[const TWO: bool](x: &[u64], h: &[u64], to: &Projection, out: &mut [u64]) {
        for ((x, h), out) in groups(x).iter().zip(groups(h)).zip(groups_mut(out)) {
            let sum = projected::<TWO>(load(x), load(h), to, to.constant);
            store(out, subtract_if_not_below(sum, all(4 * to.p)));
        }
    }

    pub(super) fn project(x: &[u64], h: &[u64], to: &Projection, out: &mut [u64]) {
        if to.high.is_some() { project_any::<true>(x, h, to, out) } else { project_any::<false>(x, h, to, out) }
    }

    fn error_any[const TWO: bool](x: &[u64], h: &[u64], to: &Projection, error: &[u64], out: &mut [u64]) {
        let inputs = groups(x).iter().zip(groups(h)).zip(groups(error));
        for (((x, h), error), out) in inputs.zip(groups_mut(out)) {
            let sum = projected::<TWO>(load(x), load(h), to, to.constant_with_error);
            store(out, subtract_if_not_below(_mm512_add_epi64(sum, load(error)), all(4 * to.p)));
        }
    }

    pub(super) fn project_with_error(x: &[u64], h: &[u64], to: &Projection, error: &[u64], out: &mut [u64]) {
        if to.high.is_some() {
            error_any::<true>(x, h, to, error, out)
        } else {
            error_any::<false>(x, h, to, error, out)
        }
    }

    fn add_any[const TWO: bool](x: &[u64], h: &[u64], to: &Projection, out: &mut [u64]) {
        for ((x, h), out) in groups(x).iter().zip(groups(h)).zip(groups_mut(out)) {
            let sum = projected::<TWO>(load(x), load(h), to, to.constant);
            let sum = _mm512_add_epi64(sum, load(out));
            store(out, canonical(sum, to.p));
        }
    }

    pub(super) fn project_add(x: &[u64], h: &[u64], to: &Projection, out: &mut [u64]) {
        if to.high.is_some() { add_any::<true>(x, h, to, out) } else { add_any::<false>(x, h, to, out) }
    }

    fn scaled_any[const TWO: bool](x: &[u64], h: &[u64], to: &Projection, factor: Factor, out: &mut [u64]) {
        for ((x, h), out) in groups(x).iter().zip(groups(h)).zip(groups_mut(out)) {
            let sum = projected::<TWO>(load(x), load(h), to, to.constant);
            let sum = _mm512_add_epi64(sum, lazy_by(load(out), factor, to.p));
            store(out, canonical(sum, to.p));
        }
    }

    pub(super) fn project_scaled(x: &[u64], h: &[u64], to: &Projection, factor: Factor, out: &mut [u64]) {
        if to.high.is_some() {
            scaled_any::<true>(x, h, to, factor, out)
        } else {
            scaled_any::<false>(x, h, to, factor, out)
        }
    }

    pub(super) fn multiply_subtract(out: &mut [u64], a: &[u64], s: &[u64], quotients: &[u64], p: u64) {
        let inputs = groups(a).iter().zip(groups(s)).zip(groups(quotients));
        for (out, ((a, s), quotient)) in groups_mut(out).iter_mut().zip(inputs) {
            let product = lazy(load(a), load(s), load(quotient), minus(p));
            let value = _mm512_sub_epi64(_mm512_add_epi64(load(out), all(2 * p)), product);
            let value = subtract_if_not_below(value, all(2 * p));
            store(out, subtract_if_not_below(value, all(p)));
        }
    }

    pub(super) fn multiply_lazy(out: &mut [u64], s: &[u64], quotients: &[u64], p: u64) {
        for (out, (s, quotient)) in groups_mut(out).iter_mut().zip(groups(s).iter().zip(groups(quotients))) {
            let value = lazy(load(out), load(s), load(quotient), minus(p));
            store(out, value);
        }
    }

    pub(super) fn add_scaled(out: &mut [u64], input: &[u64], factor: Factor, p: u64) {
        for (out, x) in groups_mut(out).iter_mut().zip(groups(input)) {
            let sum = _mm512_add_epi64(load(out), lazy_by(load(x), factor, p));
            store(out, canonical(sum, p));
        }
    }

    pub(super) fn add_small(out: &mut [u64], words: &[u64], offset: u64, p: u64) {
        portable::add_small(out, words, offset, p)
    }

    pub(super) fn offset(words: &[u64], offset: u64, out: &mut [u64]) {
        portable::offset(words, offset, out)
    }

    fn multiply_add(sums: (&mut Group, &mut Group), x: __m512i, y: __m512i) {
        let low = _mm512_madd52lo_epu64(load(sums.0), x, y);
        let high = _mm512_madd52hi_epu64(load(sums.1), x, y);
        store(sums.0, low);
        store(sums.1, high);
    }

    fn multiply_add_twice(sums: (&mut Group, &mut Group), first: (__m512i, __m512i), second: (__m512i, __m512i)) {
        let low = _mm512_madd52lo_epu64(load(sums.0), first.0, first.1);
        let high = _mm512_madd52hi_epu64(load(sums.1), first.0, first.1);
        store(sums.0, _mm512_madd52lo_epu64(low, second.0, second.1));
        store(sums.1, _mm512_madd52hi_epu64(high, second.0, second.1));
    }

    pub(super) fn accumulate_pair(
        sums: &mut [u64],
        first: (&[u64], &[u8], &[u64]),
        second: (&[u64], &[u8], &[u64]),
        p: u64,
    ) -> bool {
        let unpacker = Unpacker::new();
        let mut excess = 0;
        let one = groups(first.0).iter().zip(first.1.as_chunks::<PACKED>().0).zip(groups(first.2));
        let two = groups(second.0).iter().zip(second.1.as_chunks::<PACKED>().0).zip(groups(second.2));
        for ((((x, b), a), ((y, d), e)), sums) in one.zip(two).zip(groups_mut(sums).as_chunks_mut::<4>().0) {
            let [low0, high0, low1, high1] = sums;
            let (x, y) = (load(x), load(y));
            let (b, d) = (unpacker.words(b), unpacker.words(d));
            excess |= _mm512_cmpge_epu64_mask(b, all(p)) | _mm512_cmpge_epu64_mask(d, all(p));
            multiply_add_twice((low0, high0), (x, b), (y, d));
            multiply_add_twice((low1, high1), (x, load(a)), (y, load(e)));
        }
        excess == 0
    }

    pub(super) fn accumulate_key(sums: &mut [u64], u: &[u64], p0: &[u64], p1: &[u64]) {
        let inputs = groups(u).iter().zip(groups(p0)).zip(groups(p1));
        for (((u, p0), p1), sums) in inputs.zip(groups_mut(sums).as_chunks_mut::<4>().0) {
            let [low0, high0, low1, high1] = sums;
            multiply_add((low0, high0), load(u), load(p0));
            multiply_add((low1, high1), load(u), load(p1));
        }
    }

    pub(super) fn accumulate_sum(sums: &mut [u64], multiplier: &[u64], c: &[u64], a: &[u64], prime: &Prime) -> u64 {
        let (mut low_sum, mut high_sum) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        let inputs = groups(multiplier).iter().zip(groups(c)).zip(groups(a));
        for (((multiplier, c), a), sums) in inputs.zip(groups_mut(sums).as_chunks_mut::<2>().0) {
            let [low, high] = sums;
            let (x, c) = (load(multiplier), load(c));
            multiply_add((low, high), x, load(a));
            low_sum = _mm512_madd52lo_epu64(low_sum, x, c);
            high_sum = _mm512_madd52hi_epu64(high_sum, x, c);
        }
        let high_sum = _mm512_add_epi64(high_sum, _mm512_srli_epi64(low_sum, 52));
        let low_sum = _mm512_and_si512(low_sum, all((1 << 52) - 1));
        prime.reduce(_mm512_reduce_add_epi64(low_sum) as u64, _mm512_reduce_add_epi64(high_sum) as u64)
    }

    pub(super) fn reduce(sums: &[u64], width: usize, at: usize, prime: &Prime, out: &mut [u64]) {
        let low_bits = all((1 << 52) - 1);
        for (sums, out) in groups(sums).chunks_exact(width).zip(groups_mut(out)) {
            let [low, high] = [load(&sums[at]), load(&sums[at + 1])];
            let high = _mm512_add_epi64(high, _mm512_srli_epi64(low, 52));
            let low = subtract_if_not_below(_mm512_and_si512(low, low_bits), all(4 * prime.p));
            let once = lazy_by(high, prime.fold, prime.p);
            let twice = lazy_by(_mm512_srli_epi64(high, 52), prime.fold_twice, prime.p);
            store(out, canonical(_mm512_add_epi64(low, _mm512_add_epi64(once, twice)), prime.p));
        }
    }

    pub(super) fn pack(words: &[u64], out: &mut [u8]) {
        let packer = Packer::new();
        for (words, out) in groups(words).iter().zip(out.as_chunks_mut::<PACKED>().0) {
            store_packed(out, packer.bytes(load(words)));
        }
    }

    pub(super) fn unpack(bytes: &[u8], p: u64, out: &mut [u64]) -> bool {
        let unpacker = Unpacker::new();
        let mut excess = 0;
        for (bytes, out) in bytes.as_chunks::<PACKED>().0.iter().zip(groups_mut(out)) {
            let words = unpacker.words(bytes);
            excess |= _mm512_cmpge_epu64_mask(words, all(p));
            store(out, words);
        }
        excess == 0
    }

    pub(super) fn keep_bits(words: &mut [u64], mask: u64, p: u64) -> bool {
        let mut excess = 0;
        for group in groups_mut(words) {
            let value = _mm512_and_si512(load(group), all(mask));
            excess |= _mm512_cmpge_epu64_mask(value, all(p));
            store(group, value);
        }
        excess != 0
    }

    pub(super) fn weigh(words: &mut [u64]) {
        portable::weigh(words)
    }

    pub(super) fn thirds(words: &[u64], out: &mut [u64]) -> bool {
        portable::thirds(words, out)
    }

    pub(super) fn flood(out: &mut [u64], low: &[u64], high: &[u64], by: &Flood) {
        let masks = by.bits.map(|bits| (1u64 << bits) - 1);
        for ((out, low), high) in groups_mut(out).iter_mut().zip(groups(low)).zip(groups(high)) {
            let (first, second) = (load(low), load(high));
            let middle = _mm512_or_si512(_mm512_srli_epi64(first, 50), _mm512_slli_epi64(second, 14));
            let middle = lazy_by(_mm512_and_si512(middle, all(masks[1])), by.middle, by.p);
            let top = _mm512_and_si512(_mm512_srli_epi64(second, 36), all(masks[2]));
            let top = lazy_by(top, by.high, by.p);
            let low = subtract_if_not_below(_mm512_and_si512(first, all(masks[0])), all(by.p));
            let sum = _mm512_add_epi64(_mm512_add_epi64(load(out), all(by.offset)), low);
            store(out, canonical(_mm512_add_epi64(sum, _mm512_add_epi64(middle, top)), by.p));
        }
    }

    pub(super) fn signed_sum(x: &[u64], plus: &[u64], minus: &[u64], prime: &Prime) -> u64 {
        portable::signed_sum(x, plus, minus, prime)
    }
}

fn groups(words: &[u64]) -> &[Group] {
    words.as_chunks::<LANES>().0
}

fn groups_mut(words: &mut [u64]) -> &mut [Group] {
    words.as_chunks_mut::<LANES>().0
}

/// First byte of word k of a packed group; its bits begin 2·(k mod 4) above.
const fn first_byte(k: usize) -> usize {
    PACKED * k / LANES
}

/// Constants that bring packed bytes to words.
#[derive(Clone, Copy)]
struct Unpacker {
    bytes: __m512i,
    shifts: __m512i,
}

/// Constants that bring words to packed bytes.
#[derive(Clone, Copy)]
struct Packer {
    shifts: __m512i,
    even: __m512i,
    odd: __m512i,
    even_mask: u64,
    odd_mask: u64,
}

/// The bytes of words of one parity in a packed group: source byte of each byte, and which bytes they reach.
const fn spread(parity: usize) -> ([u64; LANES], u64) {
    let (mut index, mut mask) = ([0u64; LANES], 0u64);
    let mut k = parity;
    while k < LANES {
        let mut byte = 0;
        while byte < 7 {
            let at = first_byte(k) + byte;
            if at < PACKED {
                index[at / 8] |= ((8 * k + byte) as u64) << (8 * (at % 8));
                mask |= 1 << at;
            }
            byte += 1;
        }
        k += 2;
    }
    (index, mask)
}

const GATHER: [u64; LANES] = {
    let mut index = [0u64; LANES];
    let mut k = 0;
    while k < LANES {
        let mut byte = 0;
        while byte < 8 {
            index[k] |= ((first_byte(k) + byte) as u64) << (8 * byte);
            byte += 1;
        }
        k += 1;
    }
    index
};

const SHIFTS: Group = [0, 2, 4, 6, 0, 2, 4, 6];
const EVEN: ([u64; LANES], u64) = spread(0);
const ODD: ([u64; LANES], u64) = spread(1);

impl Unpacker {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,avx512vbmi,avx512vpopcntdq")]
    fn new() -> Unpacker {
        Unpacker { bytes: load(&GATHER), shifts: load(&SHIFTS) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,avx512vbmi,avx512vpopcntdq")]
    fn words(self, packed: &[u8; PACKED]) -> __m512i {
        let words = _mm512_permutexvar_epi8(self.bytes, load_packed(packed));
        _mm512_and_si512(_mm512_srlv_epi64(words, self.shifts), all((1 << 50) - 1))
    }
}

impl Packer {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,avx512vbmi,avx512vpopcntdq")]
    fn new() -> Packer {
        Packer { shifts: load(&SHIFTS), even: load(&EVEN.0), odd: load(&ODD.0), even_mask: EVEN.1, odd_mask: ODD.1 }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,avx512vbmi,avx512vpopcntdq")]
    fn bytes(self, words: __m512i) -> __m512i {
        let words = _mm512_sllv_epi64(words, self.shifts);
        let even = _mm512_maskz_permutexvar_epi8(self.even_mask, self.even, words);
        _mm512_or_si512(even, _mm512_maskz_permutexvar_epi8(self.odd_mask, self.odd, words))
    }
}
