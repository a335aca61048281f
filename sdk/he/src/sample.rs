//! Sampling from streams, and the memory of a thread's work.
use crate::N;
use crate::convert::ERROR_OFFSET;
use crate::kernel::Kernels;
use crate::modular::Prime;
use crate::words::Words;
use hefu_crypto::Stream;
use std::fmt;

/// Words of a uniform polynomial that are made and used at a time: they stay in the first-level cache.
pub(crate) const CHUNK: usize = 1024;

/// Memory for one thread's calls on a context of one set. Make one and use it for every call.
///
/// # Security
/// Holds secrets of the last call; wiped on drop.
pub struct Scratch {
    pub(crate) lifted: [Words; 4],
    pub(crate) multipliers: [Words; 2],
    pub(crate) error: Words,
    pub(crate) chunks: [Words; 2],
    pub(crate) answer: Words,
}

impl Scratch {
    /// Memory for sets of `primes` primes.
    pub(crate) fn new(primes: usize) -> Scratch {
        Scratch {
            lifted: std::array::from_fn(|_| Words::polynomial()),
            multipliers: std::array::from_fn(|_| Words::polynomial()),
            error: Words::polynomial(),
            chunks: std::array::from_fn(|_| Words::zeros(CHUNK)),
            answer: Words::zeros(2 * primes * N),
        }
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scratch(…)")
    }
}

/// Where random words come from: a stream; for a test vector, the words that give its values.
pub(crate) trait Draw {
    /// The next words.
    fn fill_u64(&mut self, out: &mut [u64]);

    /// The next word.
    fn u64(&mut self) -> u64 {
        let mut word = [0];
        self.fill_u64(&mut word);
        word[0]
    }
}

impl Draw for Stream {
    fn fill_u64(&mut self, out: &mut [u64]) {
        Stream::fill_u64(self, out);
    }
}

/// `Uniform(p, n)` of spec/conventions.md, section 2.
pub(crate) fn uniform(kernels: Kernels, stream: &mut impl Draw, prime: &Prime, out: &mut [u64]) {
    stream.fill_u64(out);
    if kernels.keep_bits(out, prime.mask, prime.p) {
        for x in out.iter_mut().filter(|x| **x >= prime.p) {
            *x = replacement(stream, prime);
        }
    }
}

/// The value that replaces a rejected one.
pub(crate) fn replacement(stream: &mut impl Draw, prime: &Prime) -> u64 {
    loop {
        let x = stream.u64() & prime.mask;
        if x < prime.p {
            return x;
        }
    }
}

/// The next words of `Uniform(p, n)`; a rejected one becomes 0 and its position, from `start`, is noted, to be replaced
/// once all n words are read.
pub(crate) fn uniform_chunk(
    kernels: Kernels,
    stream: &mut Stream,
    prime: &Prime,
    start: usize,
    out: &mut [u64],
    rejected: &mut Vec<usize>,
) {
    stream.fill_u64(out);
    if kernels.keep_bits(out, prime.mask, prime.p) {
        for (i, x) in out.iter_mut().enumerate().filter(|(_, x)| **x >= prime.p) {
            rejected.push(start + i);
            *x = 0;
        }
    }
}

/// Centred binomial errors, η = 21, plus 21: the weight of 42 bits has just this distribution.
pub(crate) fn errors(kernels: Kernels, stream: &mut impl Draw, out: &mut [u64]) {
    stream.fill_u64(out);
    kernels.weigh(out);
}

/// The offset that makes residues mod p of sampled errors: −21.
pub(crate) fn error_offset(p: u64) -> u64 {
    p - ERROR_OFFSET
}

/// N independent uniform values of {0, 1, 2}, that is, of {−1, 0, 1} plus 1.
///
/// A 32-bit word w ≠ 0 gives ⌊3w/2^32⌋, which is exactly uniform over the 2^32 − 1 words. Only words 0 are replaced, so
/// that time tells nothing of the values.
pub(crate) fn thirds(kernels: Kernels, stream: &mut impl Draw, out: &mut [u64]) {
    let mut words = Words::zeros(out.len() / 2);
    stream.fill_u64(&mut words);
    while !kernels.thirds(&words, out) {
        for word in words.iter_mut() {
            for shift in [0, 32] {
                if (*word >> shift) as u32 == 0 {
                    *word |= (stream.u64() & u64::from(u32::MAX)) << shift;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::PRIMES;
    use crate::tests::both;

    #[test]
    fn uniform_replaces_in_order() {
        // a prime just above a power of two rejects almost half of the words
        let prime = Prime::new(65537);
        for kernels in both() {
            let mut whole = Words::zeros(2048);
            let mut stream = Stream::new([8; 16]);
            uniform(kernels, &mut stream, &prime, &mut whole);
            let after = stream.u64();

            let mut stream = Stream::new([8; 16]);
            let mut plain: Vec<u64> = (0..2048).map(|_| stream.u64() & 0x1ffff).collect();
            let mut replaced = 0;
            for x in &mut plain {
                while *x >= 65537 {
                    *x = stream.u64() & 0x1ffff;
                    replaced += 1;
                }
            }
            assert!(replaced > 500);
            assert_eq!(&whole[..], &plain[..]);
            assert_eq!(after, stream.u64());

            let (mut parts, mut rejected) = (Words::zeros(2048), Vec::new());
            let mut stream = Stream::new([8; 16]);
            for (i, part) in parts.chunks_mut(1024).enumerate() {
                uniform_chunk(kernels, &mut stream, &prime, 1024 * i, part, &mut rejected);
            }
            for at in rejected {
                assert_eq!(parts[at], 0);
                parts[at] = replacement(&mut stream, &prime);
            }
            assert_eq!(&whole[..], &parts[..]);
        }
    }

    #[test]
    fn distributions() {
        for kernels in both() {
            let mut stream = Stream::new([9; 16]);
            let mut out = Words::polynomial();
            errors(kernels, &mut stream, &mut out);
            let centred = |x: u64| x as f64 - 21.0;
            let mean = out.iter().map(|&x| centred(x)).sum::<f64>() / N as f64;
            let variance = out.iter().map(|&x| centred(x).powi(2)).sum::<f64>() / N as f64;
            // 10.5 with a standard error of 0.16
            assert!(mean.abs() < 0.2 && (variance - 10.5).abs() < 0.8, "{mean} {variance}");
            thirds(kernels, &mut stream, &mut out);
            for value in 0..3 {
                let count = out.iter().filter(|&&x| x == value).count();
                assert!(count.abs_diff(N / 3) < 250, "{value}: {count}");
            }
        }
    }

    #[test]
    fn a_zero_half_word_is_refused() {
        for kernels in both() {
            let mut words = vec![0x8000_0000_8000_0000u64; 8];
            let mut out = vec![0; 16];
            assert!(kernels.thirds(&words, &mut out));
            assert!(out.iter().all(|&x| x == 1));
            words[3] = 0x8000_0000_0000_0000;
            assert!(!kernels.thirds(&words, &mut out));
        }
    }

    #[test]
    fn backends_sample_alike() {
        let results: Vec<Vec<u64>> = both()
            .map(|kernels| {
                let mut stream = Stream::new([10; 16]);
                let mut all = Vec::new();
                let mut out = Words::polynomial();
                thirds(kernels, &mut stream, &mut out);
                all.extend_from_slice(&out);
                errors(kernels, &mut stream, &mut out);
                all.extend_from_slice(&out);
                uniform(kernels, &mut stream, &Prime::new(PRIMES[0]), &mut out);
                all.extend_from_slice(&out);
                all
            })
            .collect();
        assert!(results.windows(2).all(|w| w[0] == w[1]));
    }
}
