//! What the operations cannot do without: transforms, key stream and products, with no checks or conversions.
//! Benchmarks measure it beside the operations; nothing else uses it. (Ciphertexts are multiplied from their packed
//! form in one pass, here as there.)
use crate::key::Ring;
use crate::ntt::Ntt;
use crate::slots::WIDTH;
use crate::words::Words;
use crate::{Backend, N, Scratch, Set};
use hefu_crypto::Stream;
use std::fmt;

/// The floor of one set on one backend.
pub struct Floor {
    ring: Ring,
    plain: Vec<Ntt>,
    public: Words,
    /// Packed zeros, of the shape of a ciphertext's part modulo one prime.
    packed: Vec<u8>,
}

impl fmt::Debug for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Floor({})", self.ring.set.name())
    }
}

impl Floor {
    /// The floor of a set.
    pub fn new(set: Set, backend: Backend) -> Floor {
        let t = if set == Set::G { &[1 << 32, 1 << 32][..] } else { set.plaintext_primes() };
        let ring = Ring::new(set, backend, t);
        let plain = set.plaintext_primes().iter().map(|&p| Ntt::new(p, ring.kernels)).collect();
        Floor { ring, plain, public: Words::polynomial(), packed: vec![0; crate::parameters::POLYNOMIAL_BYTES] }
    }

    /// Memory for one thread.
    pub fn scratch(&self) -> FloorScratch {
        FloorScratch {
            scratch: Scratch::new(self.ring.transforms.len()),
            sums: Words::zeros(WIDTH * N * self.ring.transforms.len()),
        }
    }

    /// One encryption: the plaintext's inverse transforms; per prime a transform, a key stream and a product with s;
    /// the errors' key stream.
    pub fn encrypt(&self, stream: &mut Stream, work: &mut FloorScratch) {
        let Scratch { lifted: [x, h, ..], multipliers: [c0, a], .. } = &mut work.scratch;
        for (ntt, out) in self.plain.iter().zip([&mut *x, &mut *h]) {
            ntt.inverse(out);
        }
        stream.fill_u64(a);
        for ntt in &self.ring.transforms {
            ntt.forward(c0);
            stream.fill_u64(a);
            self.ring.kernels.multiply_subtract(c0, &self.public, &self.public, &self.public, ntt.prime.p);
        }
    }

    /// Two products: the multipliers' inverse transforms; per prime two transforms, two key streams and four products.
    pub fn accumulate_pair(&self, stream: &mut Stream, work: &mut FloorScratch) {
        let Scratch { lifted: [x, h, ..], multipliers: [p0, p1], error: a, .. } = &mut work.scratch;
        for ntt in &self.plain {
            ntt.inverse(x);
            ntt.inverse(h);
        }
        for (ntt, sums) in self.ring.transforms.iter().zip(work.sums.chunks_exact_mut(WIDTH * N)) {
            ntt.forward(p0);
            ntt.forward(p1);
            stream.fill_u64(a);
            stream.fill_u64(a);
            let zero = &self.public;
            self.ring.kernels.accumulate_pair(sums, (p0, &self.packed, zero), (p1, &self.packed, zero), ntt.prime.p);
        }
    }

    /// One answer: per prime a transform, two products and two inverse transforms; the mask's inverse transforms; key
    /// streams of mask, errors and flood.
    pub fn answer(&self, stream: &mut Stream, work: &mut FloorScratch) {
        let Scratch { lifted: [x, h, ..], multipliers: [u, c], error, .. } = &mut work.scratch;
        for (ntt, out) in self.plain.iter().zip([&mut *x, &mut *h]) {
            stream.fill_u64(error);
            ntt.inverse(out);
        }
        for _ in 0..4 {
            stream.fill_u64(error);
        }
        for (ntt, sums) in self.ring.transforms.iter().zip(work.sums.chunks_exact_mut(WIDTH * N)) {
            u.fill(1);
            ntt.forward(u);
            self.ring.kernels.accumulate_key(sums, u, &self.public, &self.public);
            for at in [0, 2] {
                self.ring.kernels.reduce(sums, WIDTH, at, &ntt.prime, c);
                ntt.inverse(c);
            }
        }
    }

    /// One decryption: per kept prime a transform, a product with s and an inverse transform; the slots' transforms.
    pub fn decrypt(&self, work: &mut FloorScratch) {
        let Scratch { lifted: [x, ..], .. } = &mut work.scratch;
        for ntt in &self.ring.transforms[..self.ring.set.kept()] {
            ntt.forward(x);
            self.ring.kernels.multiply_lazy(x, &self.public, &self.public, ntt.prime.p);
            ntt.inverse(x);
        }
        for ntt in &self.plain {
            ntt.forward(x);
        }
    }
}

/// Memory for the floor's measurements.
pub struct FloorScratch {
    scratch: Scratch,
    sums: Words,
}

impl fmt::Debug for FloorScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FloorScratch(…)")
    }
}
