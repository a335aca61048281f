//! The negacyclic number-theoretic transform of N values in lane order (spec/ringlwe.md, section 2).
//!
//! Forward: Cooley–Tukey butterflies; inverse: Gentleman–Sande; both lazy after Harvey. In lane order a group of eight
//! words holds indices j, 1024 + j, …, so that the first three stages act inside a group and the rest between groups.
use crate::N;
use crate::kernel::Kernels;
use crate::modular::{Factor, Prime, inverse, multiply, power, quotients, root};
use crate::words::Words;

/// Words of a group.
pub(crate) const LANES: usize = 8;

/// Groups of a polynomial.
pub(crate) const GROUPS: usize = N / LANES;

/// Powers of ψ or ψ⁻¹ in the order of use: one group for each of the three stages inside a group, then, for the stage
/// of m blocks a lane, groups 3 + (m − 1) + i, i < m.
pub(crate) struct Twiddles {
    /// The powers.
    pub value: Words,
    /// Their quotients.
    pub quotient: Words,
}

impl Twiddles {
    fn new(psi: u64, p: u64) -> Twiddles {
        let mut powers = vec![0u64; N];
        let mut next = 1;
        for exponent in 0..N {
            powers[reversed(exponent)] = next;
            next = multiply(next, psi, p);
        }
        let mut order = Vec::with_capacity((GROUPS + 2) * LANES);
        for m in [1, 2, 4] {
            order.extend((0..LANES).map(|lane| m + lane * m / LANES));
        }
        for stage in 0..GROUPS.trailing_zeros() {
            let m = 1 << stage;
            order.extend((0..m).flat_map(|i| (0..LANES).map(move |lane| LANES * m + lane * m + i)));
        }
        let mut twiddles = Twiddles { value: Words::zeros(order.len()), quotient: Words::zeros(order.len()) };
        for (value, index) in twiddles.value.iter_mut().zip(order) {
            *value = powers[index];
        }
        quotients(&twiddles.value, p, &mut twiddles.quotient);
        twiddles
    }
}

/// The factors of the last inverse stage: c/N, and that times its twiddle.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    /// c/N.
    pub plain: Factor,
    /// c/N times the twiddle of the last stage.
    pub twisted: Factor,
}

/// Tables of one prime.
pub(crate) struct Ntt {
    /// The prime.
    pub prime: Prime,
    forward: Twiddles,
    inverse: Twiddles,
    unit: Scale,
    kernels: Kernels,
}

impl Ntt {
    /// Tables of p ≡ 1 mod 2N.
    pub(crate) fn new(p: u64, kernels: Kernels) -> Ntt {
        let psi = root(p);
        let (forward, backward) = (Twiddles::new(psi, p), Twiddles::new(inverse(psi, p), p));
        let mut ntt = Ntt {
            prime: Prime::new(p),
            forward,
            inverse: backward,
            unit: Scale { plain: Factor::new(1, p), twisted: Factor::new(1, p) },
            kernels,
        };
        ntt.unit = ntt.scale(1);
        ntt
    }

    /// The scale that multiplies an inverse transform by c.
    pub(crate) fn scale(&self, c: u64) -> Scale {
        let p = self.prime.p;
        let plain = multiply(c % p, inverse(N as u64, p), p);
        let last = power(root(p), N as u64 / 2, p);
        Scale { plain: Factor::new(plain, p), twisted: Factor::new(multiply(plain, inverse(last, p), p), p) }
    }

    /// Coefficients below 4p to values below p, in place.
    pub(crate) fn forward(&self, data: &mut [u64]) {
        self.kernels.forward(data, &self.forward, self.prime.p);
    }

    /// Values below 2p to coefficients below p, in place.
    pub(crate) fn inverse(&self, data: &mut [u64]) {
        self.inverse_scaled(data, self.unit);
    }

    /// Values below 2p to coefficients below p times the constant of `scale`, in place.
    pub(crate) fn inverse_scaled(&self, data: &mut [u64], scale: Scale) {
        self.kernels.inverse(data, &self.inverse, scale, self.prime.p);
    }
}

/// brv of section 2: the reversal of 13 bits.
pub(crate) fn reversed(index: usize) -> usize {
    index.reverse_bits() >> (usize::BITS - N.trailing_zeros())
}

/// Position in lane order of an index.
pub(crate) fn position(index: usize) -> usize {
    LANES * (index % GROUPS) + index / GROUPS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{PRIMES, Set};
    use crate::tests::{both, words};

    #[test]
    fn values_are_at_the_odd_powers() {
        // a sparse polynomial, evaluated directly at some of the points of section 2
        let p = PRIMES[0];
        let psi = root(p);
        let terms = [(0usize, 5u64), (1, 7), (1023, 11), (1024, 13), (8191, 17)];
        for kernels in both() {
            let ntt = Ntt::new(p, kernels);
            let mut data = Words::polynomial();
            for (i, c) in terms {
                data[position(i)] = c;
            }
            ntt.forward(&mut data);
            for index in [0usize, 1, 2, 1023, 1024, 4097, 8191] {
                let exponent = 2 * (index.reverse_bits() >> 51) as u64 + 1;
                let x = power(psi, exponent, p);
                let expected = terms.iter().fold(0, |sum, &(i, c)| (sum + multiply(c, power(x, i as u64, p), p)) % p);
                assert_eq!(data[position(index)], expected);
            }
        }
    }

    #[test]
    fn backends_agree_and_invert() {
        for &p in PRIMES.iter().chain(Set::S.plaintext_primes()).chain(Set::SCoarse.plaintext_primes()) {
            let lazy = words(p, 4 * p);
            let mut results = Vec::new();
            for kernels in both() {
                let ntt = Ntt::new(p, kernels);
                let mut data = Words::polynomial();
                data.copy_from_slice(&lazy);
                ntt.forward(&mut data);
                assert!(data.iter().all(|&x| x < p));
                let transformed = data.to_vec();
                ntt.inverse(&mut data);
                assert!(data.iter().zip(&lazy).all(|(x, y)| *x == y % p));
                data.copy_from_slice(&transformed);
                ntt.inverse_scaled(&mut data, ntt.scale(77));
                assert!(data.iter().zip(&lazy).all(|(x, y)| *x == multiply(77, y % p, p)));
                results.push(transformed);
            }
            assert!(results.windows(2).all(|w| w[0] == w[1]));
        }
    }

    #[test]
    fn product_is_negacyclic() {
        let p = PRIMES[2];
        let (a, b) = (words(1, p), words(2, p));
        for kernels in both() {
            let ntt = Ntt::new(p, kernels);
            let transform = |v: &[u64]| {
                let mut data = Words::polynomial();
                for (i, &x) in v.iter().enumerate() {
                    data[position(i)] = x;
                }
                ntt.forward(&mut data);
                data
            };
            let (mut x, y) = (transform(&a), transform(&b));
            for (x, &y) in x.iter_mut().zip(y.iter()) {
                *x = multiply(*x, y, p);
            }
            ntt.inverse(&mut x);
            for k in [0, 1, 7, N / 2, N - 1] {
                let schoolbook = (0..N).fold(0, |sum, i| {
                    let product = multiply(a[i], b[(N + k - i) % N], p);
                    if i <= k { (sum + product) % p } else { (sum + p - product) % p }
                });
                assert_eq!(x[position(k)], schoolbook);
            }
        }
    }
}
