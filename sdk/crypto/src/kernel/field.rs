//! The field of 2^255 − 19, eight elements at a time, in five limbs of 51 bits.
//!
//! A processor with AVX-512 IFMA multiplies eight pairs of 52-bit words at once. Two forms keep every word inside that:
//!
//! - [`Field`]: limbs below 2^51 + 2^17. [`multiply`], [`product`], [`square`] and [`squared`] also take limbs up to
//!   2^52 − 1, which is what [`opposite`] makes.
//! - [`Sum`]: limbs below 2^63, as products leave them. Sums and differences of products are formed here, so that one
//!   [`carry`] serves them all.
//!
//! Nothing branches or addresses memory by a value.
use core::arch::x86_64::*;

/// Points and elements that are worked on at once.
pub(super) const LANES: usize = 8;
/// The low 51 bits.
pub(super) const LOW: u64 = (1 << 51) - 1;
/// 2p: added before a subtraction, so that no limb falls below zero.
const TWICE_P: [u64; 5] = multiple_of_p(2);
/// A multiple of p above every limb of a [`Sum`] of one product, which is below 2^60.3.
const OFFSET: [u64; 5] = multiple_of_p(1 << 10);

const fn multiple_of_p(times: u64) -> [u64; 5] {
    [times * (LOW - 18), times * LOW, times * LOW, times * LOW, times * LOW]
}

/// Whether the processor has every feature that the functions of this backend enable.
pub(super) fn is_supported() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512ifma")
}

/// Functions that may use every instruction of the backend.
macro_rules! kernels {
    ($($(#[$meta:meta])* $visible:vis fn $name:ident $([$(const $flag:ident: bool),+])?
        ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)+) => {
        $($(#[$meta])*
        #[inline]
        #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
        $visible fn $name $(<$(const $flag: bool),+>)? ($($argument: $type),*) $(-> $result)? $body)+
    };
}
pub(super) use kernels;

/// Eight field elements.
#[derive(Clone, Copy)]
pub(super) struct Field(pub(super) [__m512i; 5]);

/// Eight products, or sums of some, not yet carried.
#[derive(Clone, Copy)]
pub(super) struct Sum(pub(super) [__m512i; 5]);

kernels! {
    fn all(word: u64) -> __m512i {
        _mm512_set1_epi64(word as i64)
    }

    /// The same element eight times.
    pub(super) fn constant(limbs: &[u64; 5]) -> Field {
        Field([all(limbs[0]), all(limbs[1]), all(limbs[2]), all(limbs[3]), all(limbs[4])])
    }

    pub(super) fn zero() -> Field {
        Field([_mm512_setzero_si512(); 5])
    }

    pub(super) fn one() -> Field {
        constant(&[1, 0, 0, 0, 0])
    }

    /// Eight elements from their limbs: `limbs[i][lane]`, each below 2^51.
    pub(super) fn load(limbs: &[[u64; LANES]; 5]) -> Field {
        let mut out = zero();
        for (out, limb) in out.0.iter_mut().zip(limbs) {
            // SAFETY: the reference covers the 64 bytes that are read; the instruction needs no alignment.
            *out = unsafe { _mm512_loadu_si512(limb.as_ptr().cast()) };
        }
        out
    }

    /// The limbs of the values below p: `[i][lane]`.
    pub(super) fn store(x: &Field) -> [[u64; LANES]; 5] {
        let mut limbs = [[0; LANES]; 5];
        for (limb, value) in limbs.iter_mut().zip(canonical(x)) {
            // SAFETY: the reference covers the 64 bytes that are written; the instruction needs no alignment.
            unsafe { _mm512_storeu_si512(limb.as_mut_ptr().cast(), value) };
        }
        limbs
    }

    /// Limbs below 2^63 to limbs below 2^51 + 2^17: a carry is below 2^12, and the last one counts 19 times.
    pub(super) fn carry(x: Sum) -> Field {
        let x = x.0;
        let mut out = x;
        for limb in &mut out {
            *limb = _mm512_and_si512(*limb, all(LOW));
        }
        out[0] = _mm512_madd52lo_epu64(out[0], _mm512_srli_epi64::<51>(x[4]), all(19));
        for i in 1..5 {
            out[i] = _mm512_add_epi64(out[i], _mm512_srli_epi64::<51>(x[i - 1]));
        }
        Field(out)
    }

    pub(super) fn plus(a: Sum, b: Sum) -> Sum {
        let mut out = a;
        for i in 0..5 {
            out.0[i] = _mm512_add_epi64(a.0[i], b.0[i]);
        }
        out
    }

    /// a − b, where every limb of a is at least that of b: a comes from a product with an offset.
    pub(super) fn minus(a: Sum, b: Sum) -> Sum {
        let mut out = a;
        for i in 0..5 {
            out.0[i] = _mm512_sub_epi64(a.0[i], b.0[i]);
        }
        out
    }

    pub(super) fn add(a: &Field, b: &Field) -> Field {
        carry(plus(Sum(a.0), Sum(b.0)))
    }

    pub(super) fn subtract(a: &Field, b: &Field) -> Field {
        carry(minus(plus(Sum(a.0), Sum(constant(&TWICE_P).0)), Sum(b.0)))
    }

    /// −x, limbs below 2^52: for multiplications.
    pub(super) fn opposite(x: &Field) -> Field {
        Field(minus(Sum(constant(&TWICE_P).0), Sum(x.0)).0)
    }

    /// The upper five words times 2^255 = 19.
    fn fold(t: &[__m512i; 10]) -> Sum {
        let mut out = zero().0;
        for i in 0..5 {
            out[i] = _mm512_add_epi64(t[i], _mm512_mullo_epi64(t[i + 5], all(19)));
        }
        Sum(out)
    }

    /// Where the ten words of a product begin; with an offset, at a multiple of p of which word k will still be doubled
    /// `doublings[k]` times.
    fn begin[const OFFSET_IT: bool](doublings: &[u32; 5]) -> [__m512i; 10] {
        let mut t = [_mm512_setzero_si512(); 10];
        if OFFSET_IT {
            for i in 0..5 {
                t[i] = all(OFFSET[i] >> doublings[i]);
            }
        }
        t
    }

    fn double_words(t: &mut [__m512i]) {
        for word in t {
            *word = _mm512_add_epi64(*word, *word);
        }
    }

    /// a·b, below 2^60.3. With an offset, a multiple of p is added: below 2^61.8, and not below any product.
    ///
    /// The high half of a product of limbs has weight 2^52, twice that of the next limb.
    pub(super) fn product[const OFFSET_IT: bool](a: &Field, b: &Field) -> Sum {
        let mut t = begin::<OFFSET_IT>(&[0, 1, 1, 1, 1]);
        for i in 0..5 {
            for j in 0..5 {
                t[i + j + 1] = _mm512_madd52hi_epu64(t[i + j + 1], a.0[i], b.0[j]);
            }
        }
        double_words(&mut t[1..10]);
        for i in 0..5 {
            for j in 0..5 {
                t[i + j] = _mm512_madd52lo_epu64(t[i + j], a.0[i], b.0[j]);
            }
        }
        fold(&t)
    }

    pub(super) fn multiply(a: &Field, b: &Field) -> Field {
        carry(product::<false>(a, b))
    }

    /// a², with the bounds of [`product`].
    pub(super) fn squared[const OFFSET_IT: bool](a: &Field) -> Sum {
        let a = a.0;
        let mut t = begin::<OFFSET_IT>(&[0, 1, 2, 2, 2]);
        for i in 0..5 {
            for j in i + 1..5 {
                t[i + j + 1] = _mm512_madd52hi_epu64(t[i + j + 1], a[i], a[j]);
            }
        }
        double_words(&mut t[2..9]);
        for i in 0..5 {
            t[2 * i + 1] = _mm512_madd52hi_epu64(t[2 * i + 1], a[i], a[i]);
            for j in i + 1..5 {
                t[i + j] = _mm512_madd52lo_epu64(t[i + j], a[i], a[j]);
            }
        }
        double_words(&mut t[1..10]);
        for i in 0..5 {
            t[2 * i] = _mm512_madd52lo_epu64(t[2 * i], a[i], a[i]);
        }
        fold(&t)
    }

    pub(super) fn square(a: &Field) -> Field {
        carry(squared::<false>(a))
    }

    /// The limbs of the value below p.
    fn canonical(x: &Field) -> [__m512i; 5] {
        let mut x = x.0;
        // The value is below 2p; it is not below p exactly where value + 19 reaches 2^255.
        let mut quotient = _mm512_srli_epi64::<51>(_mm512_add_epi64(x[0], all(19)));
        for limb in &x[1..] {
            quotient = _mm512_srli_epi64::<51>(_mm512_add_epi64(*limb, quotient));
        }
        x[0] = _mm512_madd52lo_epu64(x[0], quotient, all(19));
        for i in 0..4 {
            x[i + 1] = _mm512_add_epi64(x[i + 1], _mm512_srli_epi64::<51>(x[i]));
            x[i] = _mm512_and_si512(x[i], all(LOW));
        }
        x[4] = _mm512_and_si512(x[4], all(LOW));
        x
    }

    /// Lanes whose value is odd: "negative" in RFC 9496.
    pub(super) fn negative(x: &Field) -> u8 {
        _mm512_test_epi64_mask(canonical(x)[0], all(1))
    }

    /// Lanes whose value is 0.
    pub(super) fn vanishing(x: &Field) -> u8 {
        let x = canonical(x);
        let low = _mm512_or_si512(_mm512_or_si512(x[0], x[1]), _mm512_or_si512(x[2], x[3]));
        let any = _mm512_or_si512(low, x[4]);
        _mm512_testn_epi64_mask(any, any)
    }

    /// Lanes where a = b.
    pub(super) fn equal(a: &Field, b: &Field) -> u8 {
        vanishing(&subtract(a, b))
    }

    /// b in the lanes of the mask, else a.
    pub(super) fn select(mask: u8, a: &Field, b: &Field) -> Field {
        let mut out = *a;
        for i in 0..5 {
            out.0[i] = _mm512_mask_mov_epi64(a.0[i], mask, b.0[i]);
        }
        out
    }

    /// a, with the words of b added by OR in the lanes of the mask, where a is still 0.
    pub(super) fn or_where(a: &mut Field, mask: u8, b: &Field) {
        for i in 0..5 {
            a.0[i] = _mm512_mask_or_epi64(a.0[i], mask, a.0[i], b.0[i]);
        }
    }

    /// −x in the lanes of the mask.
    pub(super) fn negate_where(mask: u8, x: &Field) -> Field {
        carry(Sum(select(mask, x, &opposite(x)).0))
    }

    /// The non-negative one of x and −x.
    pub(super) fn absolute(x: &Field) -> Field {
        negate_where(negative(x), x)
    }

    /// Two chains of squarings side by side: each hides the other's latency.
    fn square_times(x: &[Field; 2], times: usize) -> [Field; 2] {
        let [mut a, mut b] = *x;
        for _ in 0..times {
            a = square(&a);
            b = square(&b);
        }
        [a, b]
    }

    pub(super) fn multiply_both(a: &[Field; 2], b: &[Field; 2]) -> [Field; 2] {
        [multiply(&a[0], &b[0]), multiply(&a[1], &b[1])]
    }

    /// x^11 and x^(2^250 − 1).
    fn power_of_ones(x: &[Field; 2]) -> ([Field; 2], [Field; 2]) {
        let x2 = square_times(x, 1);
        let x9 = multiply_both(x, &square_times(&x2, 2));
        let x11 = multiply_both(&x9, &x2);
        let ones5 = multiply_both(&x9, &square_times(&x11, 1));
        let ones10 = multiply_both(&square_times(&ones5, 5), &ones5);
        let ones20 = multiply_both(&square_times(&ones10, 10), &ones10);
        let ones40 = multiply_both(&square_times(&ones20, 20), &ones20);
        let ones50 = multiply_both(&square_times(&ones40, 10), &ones10);
        let ones100 = multiply_both(&square_times(&ones50, 50), &ones50);
        let ones200 = multiply_both(&square_times(&ones100, 100), &ones100);
        (x11, multiply_both(&square_times(&ones200, 50), &ones50))
    }

    /// x^(p − 2): 1/x, or 0.
    pub(super) fn invert(x: &Field) -> Field {
        let (x11, ones250) = power_of_ones(&[*x, *x]);
        multiply(&square_times(&ones250, 5)[0], &x11[0])
    }

    /// x^((p − 5)/8) = x^(2^252 − 3).
    pub(super) fn root_power(x: &[Field; 2]) -> [Field; 2] {
        let (_, ones250) = power_of_ones(x);
        multiply_both(&square_times(&ones250, 2), x)
    }
}
