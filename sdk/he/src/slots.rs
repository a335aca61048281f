//! Element-wise products in slots: sets S and S′ (spec/ringlwe.md, sections 4 and 5).
use crate::convert::{Projection, Source};
use crate::key::{Ring, expect_length};
use crate::modular::{Factor, inverse, product};
use crate::ntt::{Ntt, Scale};
use crate::parameters::{KEPT, POLYNOMIAL_BYTES};
use crate::sample::{CHUNK, Draw, errors, replacement, uniform_chunk};
use crate::words::Words;
use crate::{Backend, Error, N, PublicKey, SEED_BYTES, Scratch, SecretKey, Set};
use hefu_crypto::Stream;
use std::fmt;

/// Bits of a value's magnitude.
const VALUE_BITS: u32 = 35;

/// Vectors of an accumulator group: low and high halves of c0, then of c1.
pub(crate) const WIDTH: usize = 4;

/// Products that an accumulator takes before it is reduced: each adds less than 2^52 to a 64-bit word.
const PRODUCTS: u32 = 4000;

/// Tables and constants of set S or S′.
pub struct Slots {
    pub(crate) ring: Ring,
    /// The primes of t.
    pub(crate) plain: Vec<Ntt>,
    /// Of an inverse transform modulo each prime of t, times q.
    pub(crate) message_scale: Vec<Scale>,
    /// Lifts from t.
    pub(crate) source: Source,
    /// From lifted multipliers to each prime of q.
    encode: Vec<Projection>,
    decode: Decode,
    /// t0⁻¹ mod t1 and a multiple of t1 that is at least t0, where t has two primes.
    radix: Option<(Factor, u64)>,
}

/// From a phase modulo q0·q1 to residues modulo the primes of t.
struct Decode {
    /// Times t, in an inverse transform and directly.
    scale: Vec<(Scale, Factor)>,
    source: Source,
    project: Vec<Projection>,
}

/// A running sum of products of one block, on the evaluator's side. It is large: make one and use it for all blocks.
pub struct Accumulator {
    pub(crate) set: Set,
    /// Prime after prime, in groups of [`WIDTH`] vectors.
    pub(crate) sums: Words,
    pub(crate) products: u32,
}

impl fmt::Debug for Accumulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accumulator({}, {} products)", self.set.name(), self.products)
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({}, {})", self.set().name(), self.backend().name())
    }
}

impl Slots {
    /// The context of set S or S′.
    ///
    /// # Errors
    /// [`Error::WrongSet`] for set G.
    pub fn new(set: Set, backend: Backend) -> Result<Slots, Error> {
        let t = set.plaintext_primes();
        if t.is_empty() {
            return Err(Error::WrongSet);
        }
        let (q, ring) = (set.primes(), Ring::new(set, backend, t));
        let plain: Vec<Ntt> = t.iter().map(|&p| Ntt::new(p, ring.kernels)).collect();
        let kept = &q[..KEPT.min(q.len())];
        let by_t = |i: usize, p: u64| (ring.transforms[i].scale(product(t, p)), Factor::new(product(t, p), p));
        let decode = Decode {
            scale: kept.iter().enumerate().map(|(i, &p)| by_t(i, p)).collect(),
            source: Source::new(kept),
            project: t.iter().map(|&p| Projection::division(kept, p)).collect(),
        };
        let radix = match *t {
            [low, high] => Some((Factor::new(inverse(low, high), high), low.div_ceil(high) * high)),
            _ => None,
        };
        Ok(Slots {
            message_scale: plain.iter().map(|ntt| ntt.scale(product(q, ntt.prime.p))).collect(),
            source: Source::new(t),
            encode: q.iter().map(|&p| Projection::new(t, 1, p)).collect(),
            ring,
            plain,
            decode,
            radix,
        })
    }

    /// The parameter set.
    pub fn set(&self) -> Set {
        self.ring.set
    }

    /// The backend in use.
    pub fn backend(&self) -> Backend {
        self.ring.backend()
    }

    /// Memory for one thread.
    pub fn scratch(&self) -> Scratch {
        Scratch::new(self.ring.transforms.len())
    }

    /// An empty sum.
    pub fn accumulator(&self) -> Accumulator {
        let sums = Words::zeros(WIDTH * N * self.ring.transforms.len());
        Accumulator { set: self.set(), sums, products: 0 }
    }

    /// A fresh secret key, and p0 for the wire. `public_seed` is K of section 3, `secret` a stream of this purpose
    /// (RLWE-1).
    pub fn generate(&self, public_seed: &[u8; SEED_BYTES], secret: &mut Stream) -> (SecretKey, Vec<u8>) {
        self.ring.generate(public_seed, secret)
    }

    /// The public key of p0 from the wire and K (RLWE-2).
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::BadElement`].
    pub fn public_key(&self, bytes: &[u8], public_seed: &[u8; SEED_BYTES]) -> Result<PublicKey, Error> {
        self.ring.public_key(bytes, public_seed)
    }

    /// Writes the lifted plaintext of slot values: coefficients modulo t, times the constant of each scale.
    fn lift_slots(&self, values: &[i64], scale: Option<&[Scale]>, x: &mut [u64], h: &mut [u64]) -> Result<(), Error> {
        if values.len() > N {
            return Err(Error::TooManyValues);
        }
        for (ntt, out) in self.plain.iter().zip([&mut *x, &mut *h]) {
            if !self.ring.kernels.residues(values, ntt.prime.p, VALUE_BITS, out) {
                return Err(Error::ValueTooLarge);
            }
            out[values.len()..].fill(0);
        }
        self.lift_residues(scale, x, h);
        Ok(())
    }

    /// The same of slots that are residues modulo each prime of t.
    pub(crate) fn lift_residues(&self, scale: Option<&[Scale]>, x: &mut [u64], h: &mut [u64]) {
        for (j, (ntt, out)) in self.plain.iter().zip([&mut *x, &mut *h]).enumerate() {
            match scale.and_then(|scale| scale.get(j)) {
                Some(&scale) => ntt.inverse_scaled(out, scale),
                None => ntt.inverse(out),
            }
        }
        self.source.lift(self.ring.kernels, x, h);
    }

    /// Encrypts slot values under the owner's key: `out` becomes `seed ‖ pack(c0)` (section 4).
    ///
    /// At most N values of magnitude below 2^35; missing ones are 0. `seed` is public and fresh, `noise` a secret
    /// stream of this ciphertext.
    ///
    /// # Errors
    /// [`Error::TooManyValues`], [`Error::ValueTooLarge`], [`Error::WrongSet`].
    pub fn encrypt(
        &self,
        key: &SecretKey,
        values: &[i64],
        seed: &[u8; SEED_BYTES],
        noise: &mut Stream,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.encrypt_drawing(key, values, seed, noise, scratch, out)
    }

    /// Encrypts with errors from any source.
    pub(crate) fn encrypt_drawing(
        &self,
        key: &SecretKey,
        values: &[i64],
        seed: &[u8; SEED_BYTES],
        noise: &mut impl Draw,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let key = key.expect(self.set())?;
        let [x, h, ..] = &mut scratch.lifted;
        self.lift_slots(values, Some(&self.message_scale), x, h)?;
        self.ring.encrypt_lifted(key, seed, noise, scratch, out);
        Ok(())
    }

    /// Adds multipliers × ciphertext, twice: slot-wise products with the vectors that were encrypted.
    ///
    /// Each pair is at most N multipliers of magnitude below 2^35 (missing ones are 0) and a ciphertext from the wire.
    /// After an error the accumulator must not be used any more.
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::BadElement`] (RLWE-2), [`Error::TooManyValues`], [`Error::ValueTooLarge`],
    /// [`Error::WrongSet`].
    pub fn accumulate_pair(
        &self,
        accumulator: &mut Accumulator,
        first: (&[i64], &[u8]),
        second: (&[i64], &[u8]),
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        if accumulator.set != self.set() {
            return Err(Error::WrongSet);
        }
        let (seed0, body0) = self.ring.split_ciphertext(first.1)?;
        let (seed1, body1) = self.ring.split_ciphertext(second.1)?;
        self.make_room(accumulator, scratch);
        let [x0, h0, x1, h1] = &mut scratch.lifted;
        self.lift_slots(first.0, None, x0, h0)?;
        self.lift_slots(second.0, None, x1, h1)?;
        let mut streams = [Stream::new(seed0), Stream::new(seed1)];
        let bodies = body0.chunks_exact(POLYNOMIAL_BYTES).zip(body1.chunks_exact(POLYNOMIAL_BYTES));
        let parts = accumulator.sums.chunks_exact_mut(WIDTH * N).zip(bodies);
        let [p0, p1] = &mut scratch.multipliers;
        let kernels = self.ring.kernels;
        for ((ntt, encode), (sums, packed)) in self.ring.transforms.iter().zip(&self.encode).zip(parts) {
            for (x, h, p) in [(&*x0, &*h0, &mut *p0), (&*x1, &*h1, &mut *p1)] {
                kernels.project(x, if self.plain.len() > 1 { h } else { x }, encode, p);
                ntt.forward(p);
            }
            if !self.accumulate_prime(ntt, sums, [(p0, packed.0), (p1, packed.1)], &mut streams, &mut scratch.chunks) {
                return Err(Error::BadElement);
            }
        }
        accumulator.products += 2;
        Ok(())
    }

    /// Two products modulo one prime; false where a residue of the ciphertexts is not below it.
    fn accumulate_prime(
        &self,
        ntt: &Ntt,
        sums: &mut [u64],
        pairs: [(&[u64], &[u8]); 2],
        streams: &mut [Stream; 2],
        chunks: &mut [Words; 2],
    ) -> bool {
        let (kernels, prime) = (self.ring.kernels, &ntt.prime);
        let [(p0, packed0), (p1, packed1)] = pairs;
        let [stream0, stream1] = streams;
        let [a0, a1] = chunks;
        let mut rejected = [Vec::new(), Vec::new()];
        let mut valid = true;
        let multipliers = p0.chunks_exact(CHUNK).zip(p1.chunks_exact(CHUNK));
        let packed = packed0.chunks_exact(CHUNK / 4 * 25).zip(packed1.chunks_exact(CHUNK / 4 * 25));
        let parts = multipliers.zip(packed).zip(sums.chunks_exact_mut(WIDTH * CHUNK));
        for (i, (((p0, p1), (packed0, packed1)), sums)) in parts.enumerate() {
            uniform_chunk(kernels, stream0, prime, CHUNK * i, a0, &mut rejected[0]);
            uniform_chunk(kernels, stream1, prime, CHUNK * i, a1, &mut rejected[1]);
            valid &= kernels.accumulate_pair(sums, (p0, packed0, a0), (p1, packed1, a1), prime.p);
        }
        for ((positions, stream), p) in rejected.iter().zip([stream0, stream1]).zip([p0, p1]) {
            for &at in positions {
                let product = u128::from(p[at]) * u128::from(replacement(stream, prime));
                let low = WIDTH * (at - at % 8) + 16 + at % 8;
                sums[low] += product as u64 & ((1 << 52) - 1);
                sums[low + 8] += (product >> 52) as u64;
            }
        }
        valid
    }

    /// Reduces the accumulator when two more products and the public key's might not fit.
    fn make_room(&self, accumulator: &mut Accumulator, scratch: &mut Scratch) {
        if accumulator.products + 3 > PRODUCTS {
            for (ntt, sums) in self.ring.transforms.iter().zip(accumulator.sums.chunks_exact_mut(WIDTH * N)) {
                self.ring.compress(ntt, sums, WIDTH, &mut scratch.error);
            }
            accumulator.products = 1;
        }
    }

    /// Decrypts an answer: `out` becomes the N slots, each in [0, t).
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::BadElement`] (RLWE-2), [`Error::WrongSet`].
    pub fn decrypt(
        &self,
        key: &SecretKey,
        answer: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u128>,
    ) -> Result<(), Error> {
        let (key, kernels) = (key.expect(self.set())?, self.ring.kernels);
        expect_length(answer, self.set().answer_bytes())?;
        let (c0, c1) = answer.split_at(KEPT * POLYNOMIAL_BYTES);
        let [x, h, r0, r1] = &mut scratch.lifted;
        let parts = c0.chunks_exact(POLYNOMIAL_BYTES).zip(c1.chunks_exact(POLYNOMIAL_BYTES));
        let keys = key.values.chunks_exact(N).zip(key.quotients.chunks_exact(N));
        let targets = [&mut *x, &mut *h].into_iter().zip(parts).zip(keys);
        for (i, ((phase, (c0, c1)), (s, ratios))) in targets.enumerate() {
            let (ntt, (scale, factor)) = (&self.ring.transforms[i], self.decode.scale[i]);
            let p = ntt.prime.p;
            let constant = &mut scratch.error;
            if !(kernels.unpack(c1, p, phase) & kernels.unpack(c0, p, constant)) {
                return Err(Error::BadElement);
            }
            ntt.forward(phase);
            kernels.multiply_lazy(phase, s, ratios, p);
            ntt.inverse_scaled(phase, scale);
            kernels.add_scaled(phase, constant, factor, p);
        }
        self.decode.source.lift(kernels, x, h);
        for ((ntt, project), r) in self.plain.iter().zip(&self.decode.project).zip([&mut *r0, &mut *r1]) {
            kernels.project(x, h, project, r);
            ntt.forward(r);
        }
        self.join(r0, r1, out);
        Ok(())
    }

    /// Residues of slots modulo the primes of t to integers in [0, t). Uses `high` up.
    pub(crate) fn join(&self, low: &[u64], high: &mut [u64], out: &mut Vec<u128>) {
        out.clear();
        match (self.radix, self.plain.as_slice()) {
            (Some((inverse, shift)), [first, second]) => {
                self.ring.kernels.mixed_radix(low, high, second.prime.p, inverse, shift);
                let base = u128::from(first.prime.p);
                out.extend(low.iter().zip(high.iter()).map(|(&x, &h)| u128::from(x) + base * u128::from(h)));
            }
            _ => out.extend(low.iter().map(|&x| u128::from(x))),
        }
    }
}

impl Ring {
    /// Encrypts the plaintext whose lifted [q·m]_t is in the first two buffers.
    pub(crate) fn encrypt_lifted(
        &self,
        key: &SecretKey,
        seed: &[u8; SEED_BYTES],
        noise: &mut impl Draw,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) {
        let kernels = self.kernels;
        let Scratch { lifted: [x, h, ..], multipliers: [c0, _], error, chunks: [a, _], .. } = scratch;
        errors(kernels, noise, error);
        out.resize(self.set.ciphertext_bytes(), 0);
        let (head, body) = out.split_at_mut(SEED_BYTES);
        head.copy_from_slice(seed);
        let mut stream = Stream::new(*seed);
        let keys = key.values.chunks_exact(N).zip(key.quotients.chunks_exact(N));
        let parts = self.transforms.iter().zip(&self.message).zip(keys.zip(body.chunks_exact_mut(POLYNOMIAL_BYTES)));
        for ((ntt, message), ((s, ratios), body)) in parts {
            let p = ntt.prime.p;
            kernels.project_with_error(x, if message.high.is_some() { h } else { x }, message, error, c0);
            ntt.forward(c0);
            let mut rejected = Vec::new();
            let chunks = s.chunks_exact(CHUNK).zip(ratios.chunks_exact(CHUNK)).zip(c0.chunks_exact_mut(CHUNK));
            for (i, ((s, ratios), c0)) in chunks.enumerate() {
                uniform_chunk(kernels, &mut stream, &ntt.prime, CHUNK * i, a, &mut rejected);
                kernels.multiply_subtract(c0, a, s, ratios, p);
            }
            for at in rejected {
                let s = Factor { value: s[at], quotient: ratios[at] };
                let product = s.times(replacement(&mut stream, &ntt.prime), p);
                c0[at] = (c0[at] + p - product).min((c0[at] + p - product).wrapping_sub(p));
            }
            kernels.pack(c0, body);
        }
    }

    /// Seed and packed c0 of a ciphertext.
    pub(crate) fn split_ciphertext<'a>(&self, bytes: &'a [u8]) -> Result<([u8; SEED_BYTES], &'a [u8]), Error> {
        let wrong = Error::WrongLength { expected: self.set.ciphertext_bytes(), found: bytes.len() };
        match bytes.split_first_chunk::<SEED_BYTES>() {
            Some((seed, body)) if bytes.len() == self.set.ciphertext_bytes() => Ok((*seed, body)),
            _ => Err(wrong),
        }
    }

    /// Reduces an accumulator modulo one prime: low halves become residues, high halves 0.
    pub(crate) fn compress(&self, ntt: &Ntt, sums: &mut [u64], width: usize, memory: &mut [u64]) {
        for at in (0..width).step_by(2) {
            self.kernels.reduce(sums, width, at, &ntt.prime, memory);
            for (sums, residues) in sums.chunks_exact_mut(8 * width).zip(memory.chunks_exact(8)) {
                sums[8 * at..8 * at + 8].copy_from_slice(residues);
                sums[8 * at + 8..8 * at + 16].fill(0);
            }
        }
    }
}

/// ⌊v/2^bits⌋ modulo 2^64 of each value: what both sides keep of a shared residual (spec/vlr.md, section 5).
pub fn truncate(values: &[u128], bits: u32, out: &mut Vec<u64>) {
    out.clear();
    out.extend(values.iter().map(|&v| v.checked_shr(bits).unwrap_or(0) as u64));
}
