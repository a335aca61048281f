//! Arithmetic modulo primes below 2^50, and constants with a precomputed quotient.
//!
//! Every kernel uses the same lazy product: for x below 2^52, `x·w − ⌊x·w′/2^52⌋·p` with w′ = ⌊2^52·w/p⌋, which lies in
//! [0, 2p) (Shoup; Harvey, "Faster arithmetic for number-theoretic transforms", 2014). Both backends compute the very
//! same integers.
use crate::N;

/// a·b mod p.
pub(crate) fn multiply(a: u64, b: u64, p: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(p)) as u64
}

/// base^exponent mod p.
pub(crate) fn power(mut base: u64, mut exponent: u64, p: u64) -> u64 {
    let mut result = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base, p);
        }
        base = multiply(base, base, p);
        exponent >>= 1;
    }
    result
}

/// a⁻¹ mod the prime p.
pub(crate) fn inverse(a: u64, p: u64) -> u64 {
    power(a % p, p - 2, p)
}

/// The product of some numbers mod p.
pub(crate) fn product(numbers: &[u64], p: u64) -> u64 {
    numbers.iter().fold(1, |all, &x| multiply(all, x % p, p))
}

/// ψ of section 2: the primitive 2N-th root of unity of the smallest base that gives one; p ≡ 1 mod 2N.
pub(crate) fn root(p: u64) -> u64 {
    let exponent = (p - 1) / (2 * N as u64);
    let candidates = (2..p).map(|g| power(g, exponent, p));
    candidates.into_iter().find(|&psi| power(psi, N as u64, p) == p - 1).unwrap_or(1)
}

/// A constant below its prime, with its quotient.
#[derive(Clone, Copy)]
pub(crate) struct Factor {
    /// w, below p.
    pub value: u64,
    /// ⌊2^52·w/p⌋.
    pub quotient: u64,
}

impl Factor {
    /// The factor w mod p.
    pub(crate) fn new(w: u64, p: u64) -> Factor {
        let value = w % p;
        Factor { value, quotient: ((u128::from(value) << 52) / u128::from(p)) as u64 }
    }

    /// x·w mod p, lazily: x below 2^52, result below 2p.
    #[inline(always)]
    pub(crate) fn lazy(self, x: u64, p: u64) -> u64 {
        // the quotient has at most 52 bits: 12 more put the product's high half where it is wanted
        let h = ((u128::from(x) * u128::from(self.quotient << 12)) >> 64) as u64;
        x.wrapping_mul(self.value).wrapping_sub(h.wrapping_mul(p))
    }

    /// x·w mod p: x below 2^52, result below p.
    pub(crate) fn times(self, x: u64, p: u64) -> u64 {
        let product = self.lazy(x, p);
        product.min(product.wrapping_sub(p))
    }
}

/// Below 8p to below p, without a branch.
#[inline(always)]
pub(crate) fn canonical(x: u64, p: u64) -> u64 {
    let x = x.min(x.wrapping_sub(4 * p));
    let x = x.min(x.wrapping_sub(2 * p));
    x.min(x.wrapping_sub(p))
}

/// ⌊2^52·w/p⌋ of each word w below p, without a division: the words may be secret.
pub(crate) fn quotients(words: &[u64], p: u64, out: &mut [u64]) {
    let reciprocal = (1u128 << 102) / u128::from(p);
    for (out, &w) in out.iter_mut().zip(words) {
        // at most one too small, since w < 2^50 and the reciprocal is short by less than one
        let near = ((u128::from(w) * reciprocal) >> 50) as u64;
        let rest = (w << 52).wrapping_sub(near.wrapping_mul(p));
        *out = near + u64::from(rest >= p);
    }
}

/// What the kernels need of one prime.
#[derive(Clone, Copy)]
pub(crate) struct Prime {
    /// The prime.
    pub p: u64,
    /// 2^b − 1 for its bit length b.
    pub mask: u64,
    /// 2^52, to fold the high half of a product.
    pub fold: Factor,
    /// 2^104, to fold what is above.
    pub fold_twice: Factor,
}

impl Prime {
    /// Constants of p.
    pub(crate) fn new(p: u64) -> Prime {
        let two_52 = (1u64 << 52) % p;
        Prime {
            p,
            mask: u64::MAX >> p.leading_zeros(),
            fold: Factor::new(two_52, p),
            fold_twice: Factor::new(multiply(two_52, two_52, p), p),
        }
    }

    /// low + 2^52·high mod p, for any words whose carry fits.
    #[inline(always)]
    pub(crate) fn reduce(&self, low: u64, high: u64) -> u64 {
        const LOW: u64 = (1 << 52) - 1;
        let high = high + (low >> 52);
        let low = low & LOW;
        let low = low.min(low.wrapping_sub(4 * self.p));
        let folded = self.fold.lazy(high & LOW, self.p) + self.fold_twice.lazy(high >> 52, self.p);
        canonical(low + folded, self.p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{PRIMES, Set};
    use crate::tests::words;

    #[test]
    fn inverses_and_roots() {
        for p in PRIMES {
            assert_eq!(multiply(inverse(12345, p), 12345, p), 1);
            let psi = root(p);
            assert_eq!(power(psi, N as u64, p), p - 1);
        }
    }

    #[test]
    fn quotients_are_exact() {
        for &p in PRIMES.iter().chain(Set::S.plaintext_primes()).chain(Set::SCoarse.plaintext_primes()) {
            let mut words = words(9, p);
            words[..4].copy_from_slice(&[0, 1, p - 1, p / 2]);
            let mut out = vec![0; words.len()];
            quotients(&words, p, &mut out);
            assert!(words.iter().zip(&out).all(|(&w, &q)| q == Factor::new(w, p).quotient));
        }
    }

    #[test]
    fn accumulators_reduce() {
        for p in PRIMES {
            let prime = Prime::new(p);
            for (low, high) in [(0, 0), (u64::MAX, u64::MAX >> 1), ((1 << 52) - 1, 0), (p, p), (u64::MAX, 0)] {
                let exact = (u128::from(low) + (u128::from(high) << 52)) % u128::from(p);
                assert_eq!(u128::from(prime.reduce(low, high)), exact);
            }
        }
    }
}
