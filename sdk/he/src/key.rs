//! Keys, and what every context has (spec/ringlwe.md, sections 1 to 3).
use crate::convert::{Projection, Source};
use crate::kernel::{Flood, Kernels};
use crate::modular::{Factor, inverse, multiply, power, product, quotients};
use crate::ntt::{LANES, Ntt, position};
use crate::parameters::POLYNOMIAL_BYTES;
use crate::sample::{Draw, error_offset, errors, thirds, uniform};
use crate::words::Words;
use crate::{Backend, Error, N, SEED_BYTES, Set};
use hefu_core::fault::{Switch, is_on};
use hefu_crypto::Stream;
use std::fmt;

/// A key owner's secret for one round.
///
/// # Security
/// Never printed, never copied, wiped on drop. A key is used for one round (RLWE-1).
pub struct SecretKey {
    set: Set,
    /// s transformed, and its quotients, prime after prime.
    pub(crate) values: Words,
    pub(crate) quotients: Words,
    /// Set G: masks of where coefficient 0 of a product with s adds a coefficient, and where it subtracts one.
    pub(crate) plus: Words,
    pub(crate) minus: Words,
}

/// A key owner's public key, as an evaluator uses it.
pub struct PublicKey {
    set: Set,
    p0: Words,
    p1: Words,
}

impl SecretKey {
    /// Refuses a key of another set.
    pub(crate) fn expect(&self, set: Set) -> Result<&SecretKey, Error> {
        if self.set == set { Ok(self) } else { Err(Error::WrongSet) }
    }
}

impl PublicKey {
    /// (p0, p1) modulo each prime, of a key of the given set.
    pub(crate) fn halves(&self, set: Set) -> Result<impl Iterator<Item = (&[u64], &[u64])>, Error> {
        let halves = self.p0.chunks_exact(N).zip(self.p1.chunks_exact(N));
        if self.set == set { Ok(halves) } else { Err(Error::WrongSet) }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({}, …)", self.set.name())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.set.name())
    }
}

/// Tables and constants of a set that slots and coefficients share.
pub(crate) struct Ring {
    pub set: Set,
    pub kernels: Kernels,
    /// The primes of q.
    pub transforms: Vec<Ntt>,
    /// From [q·m]_t to the remainder term of ⌊q·m/t⌉, for each prime.
    pub message: Vec<Projection>,
    /// The dropped primes, and for each kept one the remainder term of the division by them, and 1/d.
    dropped: Source,
    switch: Vec<(Projection, Factor)>,
    flood: Vec<Flood>,
}

impl Ring {
    /// Tables of a set; `plaintext` are the moduli, at most two, of which t is the product.
    pub(crate) fn new(set: Set, backend: Backend, plaintext: &[u64]) -> Ring {
        let (primes, kernels) = (set.primes(), Kernels::new(backend));
        let (kept, dropped) = primes.split_at(set.kept().min(primes.len()));
        let bits = set.flood_exponent() + 1;
        let limbs = [bits.min(50), bits.saturating_sub(50).min(50), bits.saturating_sub(100)];
        Ring {
            set,
            kernels,
            transforms: primes.iter().map(|&p| Ntt::new(p, kernels)).collect(),
            message: primes.iter().map(|&p| Projection::division(plaintext, p)).collect(),
            dropped: Source::new(dropped),
            switch: kept
                .iter()
                .map(|&p| (Projection::division(dropped, p), Factor::new(inverse(product(dropped, p), p), p)))
                .collect(),
            flood: primes
                .iter()
                .map(|&p| Flood {
                    p,
                    middle: Factor::new(1 << 50, p),
                    high: Factor::new(multiply((1 << 50) % p, (1 << 50) % p, p), p),
                    offset: p - power(2, u64::from(set.flood_exponent()), p),
                    bits: limbs,
                })
                .collect(),
        }
    }

    /// The backend in use.
    pub(crate) fn backend(&self) -> Backend {
        match self.kernels {
            Kernels::Portable => Backend::Portable,
            #[cfg(target_arch = "x86_64")]
            Kernels::Ifma(_) => Backend::Ifma,
        }
    }

    /// Values of {0, 1, 2} minus 1, transformed modulo prime i.
    pub(crate) fn transform_thirds(&self, thirds: &[u64], i: usize, out: &mut [u64]) {
        let ntt = &self.transforms[i];
        self.kernels.offset(thirds, ntt.prime.p - 1, out);
        ntt.forward(out);
    }

    /// A fresh secret key, and p0 for the wire.
    pub(crate) fn generate(&self, public_seed: &[u8; SEED_BYTES], secret: &mut impl Draw) -> (SecretKey, Vec<u8>) {
        let primes = self.transforms.len();
        let (mut ternary, mut error) = (Words::polynomial(), Words::polynomial());
        thirds(self.kernels, secret, &mut ternary);
        errors(self.kernels, secret, &mut error);
        let (plus, minus) = if self.set == Set::G { signs(&ternary) } else { (Words::zeros(0), Words::zeros(0)) };
        let mut key = SecretKey {
            set: self.set,
            values: Words::zeros(primes * N),
            quotients: Words::zeros(primes * N),
            plus,
            minus,
        };
        let mut uniform_part = Stream::new(*public_seed);
        let (mut a, mut p0) = (Words::polynomial(), Words::polynomial());
        let mut bytes = vec![0; self.set.public_key_bytes()];
        let parts = key.values.chunks_exact_mut(N).zip(key.quotients.chunks_exact_mut(N));
        for (i, ((s, ratios), out)) in parts.zip(bytes.chunks_exact_mut(POLYNOMIAL_BYTES)).enumerate() {
            let (ntt, p) = (&self.transforms[i], self.transforms[i].prime.p);
            self.transform_thirds(&ternary, i, s);
            quotients(s, p, ratios);
            self.kernels.offset(&error, error_offset(p), &mut p0);
            ntt.forward(&mut p0);
            uniform(self.kernels, &mut uniform_part, &ntt.prime, &mut a);
            self.kernels.multiply_subtract(&mut p0, &a, s, ratios, p);
            self.kernels.pack(&p0, out);
        }
        (key, bytes)
    }

    /// The public key of p0 from the wire and the seed of p1 (RLWE-2).
    pub(crate) fn public_key(&self, bytes: &[u8], public_seed: &[u8; SEED_BYTES]) -> Result<PublicKey, Error> {
        let primes = self.transforms.len();
        expect_length(bytes, self.set.public_key_bytes())?;
        let (mut p0, mut p1) = (Words::zeros(primes * N), Words::zeros(primes * N));
        self.unpack(bytes, &mut p0)?;
        self.expand(&mut Stream::new(*public_seed), &mut p1);
        Ok(PublicKey { set: self.set, p0, p1 })
    }

    /// The uniform polynomials of a seed, prime after prime.
    pub(crate) fn expand(&self, stream: &mut Stream, out: &mut [u64]) {
        for (ntt, out) in self.transforms.iter().zip(out.chunks_exact_mut(N)) {
            uniform(self.kernels, stream, &ntt.prime, out);
        }
    }

    /// Packed polynomials, prime after prime (RLWE-2).
    pub(crate) fn unpack(&self, bytes: &[u8], out: &mut [u64]) -> Result<(), Error> {
        let parts = bytes.chunks_exact(POLYNOMIAL_BYTES).zip(out.chunks_exact_mut(N));
        for (ntt, (bytes, out)) in self.transforms.iter().zip(parts) {
            if !self.kernels.unpack(bytes, ntt.prime.p, out) && !is_on(Switch::AcceptsLargeResidues) {
                return Err(Error::BadElement);
            }
        }
        Ok(())
    }

    /// Adds a flood of the set's range to words modulo prime i; two random words each.
    pub(crate) fn add_flood(&self, i: usize, low: &[u64], high: &[u64], out: &mut [u64]) {
        self.kernels.flood(out, low, high, &self.flood[i]);
    }

    /// Switches a component to the product of the kept primes: their words, prime after prime, are replaced; the
    /// dropped are used up.
    pub(crate) fn switch(&self, component: &mut [u64]) {
        let len = component.len() / self.transforms.len();
        let (kept, dropped) = component.split_at_mut(self.set.kept() * len);
        let (x, h) = dropped.split_at_mut(len);
        self.dropped.lift(self.kernels, x, h);
        let h = if h.is_empty() { &*x } else { &*h };
        for ((projection, factor), out) in self.switch.iter().zip(kept.chunks_exact_mut(len)) {
            self.kernels.project_scaled(&*x, h, projection, *factor, out);
        }
    }
}

/// Refuses bytes of another length than the format's.
pub(crate) fn expect_length(bytes: &[u8], expected: usize) -> Result<(), Error> {
    if bytes.len() == expected { Ok(()) } else { Err(Error::WrongLength { expected, found: bytes.len() }) }
}

/// Masks of s for coefficient 0 of c·s = c_0·s_0 − Σ c_i·s_(N−i), in lane order, without a branch on s.
fn signs(thirds: &[u64]) -> (Words, Words) {
    let (mut plus, mut minus) = (Words::polynomial(), Words::polynomial());
    for i in 0..N {
        let value = thirds[position((N - i) % N)];
        let (positive, negative) = (0u64.wrapping_sub(value >> 1), 0u64.wrapping_sub(u64::from(value == 0)));
        let (add, subtract) = if i == 0 { (positive, negative) } else { (negative, positive) };
        plus[position(i)] = add;
        minus[position(i)] = subtract;
    }
    debug_assert_eq!(plus.len() % LANES, 0);
    (plus, minus)
}
