//! From residues of a centred value to other moduli.
//!
//! A value modulo m0 (·m1) is first *lifted* to two words x, h with value = x + m0·(h − m1), centred exactly in
//! (−m/2, m/2]; with one modulus to one word x, value = x − m0. Lifted words are not negative, so that a projection
//! A·value mod p is two lazy products and a constant. Encoding, scaling by q/t or t/q, and modulus switching are all of
//! this form with some A.
use crate::kernel::Kernels;
use crate::modular::{Factor, inverse, multiply, product};

/// Half of the noise range: the sampler gives the error plus this.
pub(crate) const ERROR_OFFSET: u64 = 21;

/// The modulus that a value is lifted from.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// One modulus.
    One {
        /// m0, odd.
        m: u64,
    },
    /// A product of two odd moduli.
    Two {
        /// m0.
        low: u64,
        /// m1.
        high: u64,
        /// m0⁻¹ mod m1.
        inverse: Factor,
        /// A multiple of m1 that is at least m0.
        shift: u64,
    },
}

impl Source {
    /// One or two odd moduli below 2^50.
    pub(crate) fn new(moduli: &[u64]) -> Source {
        match *moduli {
            [low, high] => Source::Two {
                low,
                high,
                inverse: Factor::new(inverse(low, high), high),
                shift: low.div_ceil(high) * high,
            },
            _ => Source::One { m: moduli.first().copied().unwrap_or(1) },
        }
    }

    /// Replaces canonical residues by the lifted words; `h` is not used with one modulus.
    pub(crate) fn lift(self, kernels: Kernels, x: &mut [u64], h: &mut [u64]) {
        match self {
            Source::One { m } => kernels.lift_one(x, m),
            Source::Two { low, high, inverse, shift } => kernels.lift_two(x, h, low, high, inverse, shift),
        }
    }
}

/// A projection A·value mod p of lifted words.
#[derive(Clone, Copy)]
pub(crate) struct Projection {
    /// The target modulus.
    pub p: u64,
    /// A.
    pub low: Factor,
    /// A·m0; none with one source modulus.
    pub high: Option<Factor>,
    /// −A·(product of the source moduli) mod p.
    pub constant: u64,
    /// That minus the offset of the error sampler.
    pub constant_with_error: u64,
}

impl Projection {
    /// The projection of values modulo the product of `moduli` to A·value mod p.
    pub(crate) fn new(moduli: &[u64], a: u64, p: u64) -> Projection {
        let constant = (p - multiply(a % p, product(moduli, p), p)) % p;
        let high = match *moduli {
            [low, _] => Some(Factor::new(multiply(a % p, low % p, p), p)),
            _ => None,
        };
        Projection {
            p,
            low: Factor::new(a, p),
            high,
            constant,
            constant_with_error: (constant + p - ERROR_OFFSET % p) % p,
        }
    }

    /// −1/(product of the source moduli) times the value: the remainder term of a rounded division.
    pub(crate) fn division(moduli: &[u64], p: u64) -> Projection {
        Projection::new(moduli, p - inverse(product(moduli, p), p), p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{PRIMES, Set};
    use crate::tests::{both, words};
    use crate::words::Words;

    /// Checks lift and projection against 128-bit arithmetic on random and on edge values.
    fn check(moduli: &[u64], a: u64, p: u64) {
        let m: u128 = moduli.iter().map(|&x| u128::from(x)).product();
        let (random_low, random_high) = (words(3, 1 << 50), words(4, 1 << 50));
        let mut values: Vec<u128> =
            random_low.iter().zip(&random_high).map(|(&l, &h)| (u128::from(h) << 50 | u128::from(l)) % m).collect();
        let edges = [0, 1, m - 1, m / 2, m / 2 + 1, m / 2 - 1];
        values[..edges.len()].copy_from_slice(&edges);
        let expected: Vec<u64> = values
            .iter()
            .map(|&v| {
                let centred = if v > m / 2 { v as i128 - m as i128 } else { v as i128 };
                multiply(centred.rem_euclid(i128::from(p)) as u64, a % p, p)
            })
            .collect();
        for kernels in both() {
            let (mut x, mut h, mut out) = (Words::polynomial(), Words::polynomial(), Words::polynomial());
            for (i, &v) in values.iter().enumerate() {
                x[i] = (v % u128::from(moduli[0])) as u64;
                h[i] = (v % u128::from(*moduli.last().unwrap())) as u64;
            }
            Source::new(moduli).lift(kernels, &mut x, &mut h);
            let projection = Projection::new(moduli, a, p);
            kernels.project(&x, &h, &projection, &mut out);
            assert!(out.iter().all(|&v| v < 4 * p));
            assert!(out.iter().zip(&expected).all(|(v, e)| v % p == *e));
            out.fill(p - 1);
            kernels.project_add(&x, &h, &projection, &mut out);
            assert!(out.iter().zip(&expected).all(|(v, e)| *v == (e + p - 1) % p));
            out.fill(3);
            kernels.project_scaled(&x, &h, &projection, Factor::new(5, p), &mut out);
            assert!(out.iter().zip(&expected).all(|(v, e)| *v == (e + 15) % p));
        }
    }

    #[test]
    fn lifts_are_exact() {
        let (fine, coarse) = (Set::S.plaintext_primes(), Set::SCoarse.plaintext_primes());
        check(fine, 1, PRIMES[3]);
        check(fine, 12_345_678_901, PRIMES[0]);
        check(coarse, 1, PRIMES[1]);
        check(coarse, 99, PRIMES[2]);
        check(&PRIMES[2..4], 3, PRIMES[0]);
        check(&PRIMES[2..3], 3, PRIMES[1]);
        check(&PRIMES[..2], 3, fine[1]);
        check(&PRIMES[..2], 3, coarse[0]);
    }
}
