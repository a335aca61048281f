//! The inner loops, in two backends that compute the same integers.
//!
//! Polynomials are slices of N words (or of any multiple of 8) in lane order. Unless a kernel says otherwise, words
//! that come in are below p and words that go out are below p.
#[cfg(target_arch = "x86_64")]
mod ifma;
#[cfg(target_arch = "x86_64")]
mod ifma_ntt;
mod portable;
mod portable_ntt;

use crate::backend::Backend;
use crate::convert::Projection;
use crate::modular::{Factor, Prime};
use crate::ntt::{Scale, Twiddles};

/// A flood modulo one prime: the words of the limbs 2^50 and 2^100, and −2^f.
#[derive(Clone, Copy)]
pub(crate) struct Flood {
    /// The prime.
    pub p: u64,
    /// 2^50.
    pub middle: Factor,
    /// 2^100.
    pub high: Factor,
    /// −2^f.
    pub offset: u64,
    /// Bits of the three limbs.
    pub bits: [u32; 3],
}

/// The kernels in use. A value with AVX-512 exists only after the processor was found to have it.
#[derive(Clone, Copy)]
pub(crate) enum Kernels {
    /// Plain Rust.
    Portable,
    /// AVX-512 IFMA.
    #[cfg(target_arch = "x86_64")]
    Ifma(Found),
}

/// Proof that the processor has every instruction that the IFMA kernels use.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Found(());

impl Kernels {
    /// The kernels of a backend, or the portable ones where the processor lacks it.
    pub(crate) fn new(backend: Backend) -> Kernels {
        match backend {
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma if ifma::is_supported() => Kernels::Ifma(Found(())),
            _ => Kernels::Portable,
        }
    }
}

macro_rules! dispatch {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?
        = $portable:ident | $ifma:ident;)+) => {
        impl Kernels {
            $($(#[$doc])*
            pub(crate) fn $name(self, $($argument: $type),*) $(-> $result)? {
                match self {
                    Kernels::Portable => $portable::$name($($argument),*),
                    // SAFETY: `Found` is made only when the processor has the instructions of these functions.
                    #[cfg(target_arch = "x86_64")]
                    Kernels::Ifma(_) => unsafe { $ifma::$name($($argument),*) },
                }
            })+
        }
    };
}

dispatch! {
    /// Forward transform: below 4p to below p.
    fn forward(data: &mut [u64], twiddles: &Twiddles, p: u64) = portable_ntt | ifma_ntt;
    /// Inverse transform times a constant: below 2p to below p.
    fn inverse(data: &mut [u64], twiddles: &Twiddles, scale: Scale, p: u64) = portable_ntt | ifma_ntt;
    /// Signed values to residues; false where a value's magnitude reaches 2^`bits` (at most p).
    fn residues(values: &[i64], p: u64, bits: u32, out: &mut [u64]) -> bool = portable | ifma;
    /// Lifts a value modulo one odd m.
    fn lift_one(x: &mut [u64], m: u64) = portable | ifma;
    /// Lifts a value modulo low·high, both odd; `shift` is a multiple of high, at least low.
    fn lift_two(x: &[u64], h: &mut [u64], low: u64, high: u64, inverse: Factor, shift: u64) = portable | ifma;
    /// Lifts words modulo 2^64, given in `x`, to two limbs of 32 bits.
    fn lift_words(x: &mut [u64], h: &mut [u64]) = portable | ifma;
    /// A·value: below 4p.
    fn project(x: &[u64], h: &[u64], to: &Projection, out: &mut [u64]) = portable | ifma;
    /// A·value + error, `error` from the error sampler: below 4p.
    fn project_with_error(x: &[u64], h: &[u64], to: &Projection, error: &[u64], out: &mut [u64]) = portable | ifma;
    /// out + A·value.
    fn project_add(x: &[u64], h: &[u64], to: &Projection, out: &mut [u64]) = portable | ifma;
    /// out·factor + A·value.
    fn project_scaled(x: &[u64], h: &[u64], to: &Projection, factor: Factor, out: &mut [u64]) = portable | ifma;
    /// out − a·s, with the quotients of s.
    fn multiply_subtract(out: &mut [u64], a: &[u64], s: &[u64], quotients: &[u64], p: u64) = portable | ifma;
    /// out·s, with the quotients of s: below 2p.
    fn multiply_lazy(out: &mut [u64], s: &[u64], quotients: &[u64], p: u64) = portable | ifma;
    /// out + in·factor.
    fn add_scaled(out: &mut [u64], input: &[u64], factor: Factor, p: u64) = portable | ifma;
    /// out + word + offset, for words up to 42 and offset below p.
    fn add_small(out: &mut [u64], words: &[u64], offset: u64, p: u64) = portable | ifma;
    /// word + offset, no reduction.
    fn offset(words: &[u64], offset: u64, out: &mut [u64]) = portable | ifma;
    /// Two products into the pair accumulator (4 vectors a group: low and high halves of c0, then of c1). `first` and
    /// `second` are multipliers, packed c0 and expanded a′. False where a packed residue is not below p.
    fn accumulate_pair(
        sums: &mut [u64], first: (&[u64], &[u8], &[u64]), second: (&[u64], &[u8], &[u64]), p: u64
    ) -> bool = portable | ifma;
    /// u·p0 and u·p1 into the pair accumulator.
    fn accumulate_key(sums: &mut [u64], u: &[u64], p0: &[u64], p1: &[u64]) = portable | ifma;
    /// multiplier·a into the accumulator of 2 vectors a group; the sum over positions of multiplier·c comes back, mod
    /// p.
    fn accumulate_sum(sums: &mut [u64], multiplier: &[u64], c: &[u64], a: &[u64], prime: &Prime) -> u64
        = portable | ifma;
    /// The accumulator's value of `width` vectors a group, low half in vector `at`, high half in the next.
    fn reduce(sums: &[u64], width: usize, at: usize, prime: &Prime, out: &mut [u64]) = portable | ifma;
    /// Eight words below 2^50 in 50 bytes.
    fn pack(words: &[u64], out: &mut [u8]) = portable | ifma;
    /// The inverse; false where a word is not below p.
    fn unpack(bytes: &[u8], p: u64, out: &mut [u64]) -> bool = portable | ifma;
    /// Keeps the bits of `mask`; true where a word is then not below p.
    fn keep_bits(words: &mut [u64], mask: u64, p: u64) -> bool = portable | ifma;
    /// Random words to errors plus 21: the weight of 42 bits.
    fn weigh(words: &mut [u64]) = portable | ifma;
    /// N/2 random words to N values 0, 1, 2; false where a half word is 0, which cannot be used.
    fn thirds(words: &[u64], out: &mut [u64]) -> bool = portable | ifma;
    /// out + flood, from two random words a coefficient.
    fn flood(out: &mut [u64], low: &[u64], high: &[u64], by: &Flood) = portable | ifma;
    /// Sum of x·s for ternary s given as masks: words where s is 1 (`plus`) or −1 (`minus`).
    fn signed_sum(x: &[u64], plus: &[u64], minus: &[u64], prime: &Prime) -> u64 = portable | ifma;
    /// Mixed radix of residues modulo low and high: h with value = x + low·h, 0 ≤ h < high.
    fn mixed_radix(x: &[u64], h: &mut [u64], high: u64, inverse: Factor, shift: u64) = portable | ifma;
}
