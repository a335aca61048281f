//! Inner products in coefficients modulo 2^64: set G (spec/ringlwe.md, sections 4 to 6).
use crate::answer::AnswerStreams;
use crate::column::{Content, Form};
use crate::key::{Ring, expect_length};
use crate::modular::{Factor, inverse, power};
use crate::ntt::{LANES, position};
use crate::sample::{Draw, error_offset, errors, thirds};
use crate::words::Words;
use crate::{Backend, Column, Error, N, PublicKey, SEED_BYTES, Scratch, SecretKey, Set};
use hefu_core::fault::{Switch, is_on};
use hefu_crypto::Stream;
use std::fmt;

/// The moduli of which 2^64 is the product, as limbs.
const LIMBS: [u64; 2] = [1 << 32, 1 << 32];

/// Vectors of an accumulator group: low and high halves of c1.
const WIDTH: usize = 2;

/// Products that an accumulator takes before it is reduced.
const PRODUCTS: u32 = 4000;

/// Bits of a multiplier's magnitude; the norm keeps them below 2^33.5 anyway.
const MULTIPLIER_BITS: u32 = 48;

/// Tables and constants of set G.
pub struct Coefficients {
    pub(crate) ring: Ring,
    /// q mod 2^64.
    q: u64,
    /// 1/N modulo each prime.
    mean: Vec<Factor>,
    decode: Decode,
}

/// From a phase modulo q0 to a word.
struct Decode {
    /// 2^64 mod q0.
    scale: Factor,
    /// −q0⁻¹ mod 2^64.
    negated_inverse: u64,
}

/// An encrypted block, checked and expanded: used for every column.
pub struct Block {
    /// c0, then a′: prime after prime, transformed.
    pub(crate) c0: Words,
    pub(crate) a: Words,
}

/// A running sum of one column's products with one owner's blocks.
pub struct Sum {
    /// c1, prime after prime, in groups of [`WIDTH`] vectors.
    sums: Words,
    /// The sum of the transform's values of c0, modulo each prime.
    c0: [u64; 3],
    products: u32,
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Block(G)")
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sum({} products)", self.products)
    }
}

impl fmt::Debug for Coefficients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Coefficients({})", self.backend().name())
    }
}

impl Coefficients {
    /// The context of set G.
    pub fn new(backend: Backend) -> Coefficients {
        let ring = Ring::new(Set::G, backend, &LIMBS);
        let primes = Set::G.primes();
        let q0 = primes[0];
        // Newton's iteration doubles the right bits of an inverse modulo 2^64, from 3
        let inverse_64 = (0..5).fold(q0, |x, _| x.wrapping_mul(2u64.wrapping_sub(q0.wrapping_mul(x))));
        Coefficients {
            q: primes.iter().fold(1, |q, &p| q.wrapping_mul(p)),
            mean: primes.iter().map(|&p| Factor::new(inverse(N as u64, p), p)).collect(),
            decode: Decode { scale: Factor::new(power(2, 64, q0), q0), negated_inverse: inverse_64.wrapping_neg() },
            ring,
        }
    }

    /// The backend in use.
    pub fn backend(&self) -> Backend {
        self.ring.backend()
    }

    /// Memory for one thread.
    pub fn scratch(&self) -> Scratch {
        Scratch::new(self.ring.transforms.len())
    }

    /// Memory for an expanded block.
    pub fn block(&self) -> Block {
        let len = self.ring.transforms.len() * N;
        Block { c0: Words::zeros(len), a: Words::zeros(len) }
    }

    /// An empty sum.
    pub fn sum(&self) -> Sum {
        Sum { sums: Words::zeros(WIDTH * N * self.ring.transforms.len()), c0: [0; 3], products: 0 }
    }

    /// A fresh secret key, and p0 for the wire; see [`Slots::generate`](crate::Slots::generate).
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

    /// Encrypts at most N words as coefficients 0, 1, …: `out` becomes `seed ‖ pack(c0)`. Missing words are 0.
    ///
    /// # Errors
    /// [`Error::TooManyValues`], [`Error::WrongSet`].
    pub fn encrypt(
        &self,
        key: &SecretKey,
        values: &[u64],
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
        values: &[u64],
        seed: &[u8; SEED_BYTES],
        noise: &mut impl Draw,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let key = key.expect(Set::G)?;
        if values.len() > N {
            return Err(Error::TooManyValues);
        }
        let [x, h, ..] = &mut scratch.lifted;
        x.fill(0);
        for (i, value) in values.iter().enumerate() {
            x[position(i)] = value.wrapping_mul(self.q);
        }
        self.ring.kernels.lift_words(x, h);
        self.ring.encrypt_lifted(key, seed, noise, scratch, out);
        Ok(())
    }

    /// Checks a ciphertext from the wire and expands it into `block` (RLWE-2).
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::BadElement`].
    pub fn expand(&self, ciphertext: &[u8], block: &mut Block) -> Result<(), Error> {
        let (seed, body) = self.ring.split_ciphertext(ciphertext)?;
        self.ring.unpack(body, &mut block.c0)?;
        self.ring.expand(&mut Stream::new(seed), &mut block.a);
        Ok(())
    }

    /// All rows of a column as multipliers: ⌊2^22·x⌉ of each (spec/vlr.md, section 6).
    ///
    /// # Errors
    /// [`Error::NormTooLarge`] (RLWE-4).
    pub fn column(&self, values: &[i64], form: Form) -> Result<Column, Error> {
        let column = Column::integers(values)?;
        if form == Form::Integers {
            return Ok(column);
        }
        let mut transformed = Words::zeros(column.blocks() * self.ring.transforms.len() * N);
        let mut signed = vec![0; N];
        for (block, out) in transformed.chunks_exact_mut(self.ring.transforms.len() * N).enumerate() {
            column.multiplier(block, &mut signed);
            for (i, out) in out.chunks_exact_mut(N).enumerate() {
                self.transform(&signed, i, out);
            }
        }
        Ok(Column { rows: column.rows, content: Content::Transformed(transformed) })
    }

    fn transform(&self, signed: &[i64], i: usize, out: &mut [u64]) {
        let ntt = &self.ring.transforms[i];
        self.ring.kernels.residues(signed, ntt.prime.p, MULTIPLIER_BITS, out);
        ntt.forward(out);
    }

    /// Adds the inner product of block number `index` of a column with an encrypted block.
    ///
    /// # Errors
    /// [`Error::NoSuchBlock`].
    pub fn accumulate(
        &self,
        sum: &mut Sum,
        column: &Column,
        index: usize,
        block: &Block,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        if index >= column.blocks() {
            return Err(Error::NoSuchBlock);
        }
        self.make_room(sum, scratch);
        let primes = self.ring.transforms.len();
        let memory = &mut scratch.multipliers[0];
        let mut signed = Vec::new();
        if !matches!(column.content, Content::Transformed(_)) {
            signed.resize(N, 0);
            column.multiplier(index, &mut signed);
        }
        for (i, sums) in sum.sums.chunks_exact_mut(WIDTH * N).enumerate() {
            let (ntt, range) = (&self.ring.transforms[i], i * N..(i + 1) * N);
            let multiplier = match &column.content {
                Content::Transformed(words) => &words[(index * primes + i) * N..(index * primes + i + 1) * N],
                _ => {
                    self.transform(&signed, i, memory);
                    &memory[..]
                }
            };
            let (c0, a) = (&block.c0[range.clone()], &block.a[range]);
            let total = self.ring.kernels.accumulate_sum(sums, multiplier, c0, a, &ntt.prime);
            sum.c0[i] = (sum.c0[i] + total).min((sum.c0[i] + total).wrapping_sub(ntt.prime.p));
        }
        sum.products += 1;
        Ok(())
    }

    fn make_room(&self, sum: &mut Sum, scratch: &mut Scratch) {
        if sum.products + 2 > PRODUCTS {
            for (ntt, sums) in self.ring.transforms.iter().zip(sum.sums.chunks_exact_mut(WIDTH * N)) {
                self.ring.compress(ntt, sums, WIDTH, &mut scratch.error);
            }
            sum.products = 1;
        }
    }

    /// Answers with the masked sum: `out` becomes the answer; the mask comes back. The key owner will decrypt
    /// sum + mask modulo 2^64, off by less than 2^24. The sum is empty afterwards and may be used for the next column
    /// (RLWE-3).
    ///
    /// # Errors
    /// [`Error::WrongSet`].
    pub fn answer(
        &self,
        sum: &mut Sum,
        key: &PublicKey,
        streams: AnswerStreams<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<u64, Error> {
        self.answer_drawing(sum, key, streams, scratch, out)
    }

    /// Answers with mask, errors and flood from any source.
    pub(crate) fn answer_drawing<S: Draw>(
        &self,
        sum: &mut Sum,
        key: &PublicKey,
        streams: AnswerStreams<'_, S>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<u64, Error> {
        let (kernels, halves) = (self.ring.kernels, key.halves(Set::G)?);
        let Scratch { multipliers: [u, ternary], error, answer: c1, .. } = scratch;
        let c1 = &mut c1[..self.ring.transforms.len() * N];
        // of c0 only coefficient 0 is sent: lane 0 of a group per prime
        let mut c0 = Words::zeros(self.ring.transforms.len() * LANES);
        thirds(kernels, streams.noise, ternary);
        errors(kernels, streams.noise, error);
        let parts = halves.zip(sum.sums.chunks_exact_mut(WIDTH * N)).zip(c1.chunks_exact_mut(N));
        for (i, (((p0, p1), sums), c1)) in parts.enumerate() {
            let (ntt, p) = (&self.ring.transforms[i], self.ring.transforms[i].prime.p);
            self.ring.transform_thirds(ternary, i, u);
            let total = sum.c0[i] + kernels.accumulate_sum(sums, u, p0, p1, &ntt.prime);
            c0[i * LANES] = self.mean[i].times(total, p);
            kernels.reduce(sums, WIDTH, 0, &ntt.prime, c1);
            ntt.inverse(c1);
            kernels.add_small(c1, error, error_offset(p), p);
        }
        sum.sums.fill(0);
        (sum.c0, sum.products) = ([0; 3], 0);
        let mask = if is_on(Switch::OmitsMask) { 0 } else { streams.mask.u64() };
        self.hide(mask, streams, &mut c0);
        self.ring.switch(&mut c0);
        self.ring.switch(c1);
        out.resize(Set::G.answer_bytes(), 0);
        let (head, body) = out.split_at_mut(8);
        head.copy_from_slice(&c0[0].to_be_bytes());
        self.ring.pack_kept(c1, body);
        Ok(mask)
    }

    /// Adds mask, error and flood to coefficient 0 of c0, lane 0 of one group a prime.
    fn hide<S: Draw>(&self, mask: u64, streams: AnswerStreams<'_, S>, c0: &mut [u64]) {
        let kernels = self.ring.kernels;
        let mut words: [Words; 5] = std::array::from_fn(|_| Words::zeros(LANES));
        let [x, h, error, low, high] = &mut words;
        x[0] = mask.wrapping_mul(self.q);
        kernels.lift_words(x, h);
        errors(kernels, streams.noise, error);
        streams.flood.fill_u64(low);
        streams.flood.fill_u64(high);
        for (i, c0) in c0.chunks_exact_mut(LANES).enumerate() {
            let p = self.ring.transforms[i].prime.p;
            kernels.project_add(x, h, &self.ring.message[i], c0);
            kernels.add_small(c0, error, error_offset(p), p);
            self.ring.add_flood(i, low, high, c0);
        }
    }

    /// Decrypts an answer: sum + mask modulo 2^64, off by less than 2^24; the high 38 bits are right within one unit.
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::BadElement`] (RLWE-2), [`Error::WrongSet`].
    pub fn decrypt(&self, key: &SecretKey, answer: &[u8], scratch: &mut Scratch) -> Result<u64, Error> {
        let (key, kernels, prime) = (key.expect(Set::G)?, self.ring.kernels, &self.ring.transforms[0].prime);
        expect_length(answer, Set::G.answer_bytes())?;
        let (head, c1) = answer.split_at(8);
        let c0 = head.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
        if c0 >= prime.p || !kernels.unpack(c1, prime.p, &mut scratch.error) {
            return Err(Error::BadElement);
        }
        let phase = c0 + kernels.signed_sum(&scratch.error, &key.plus, &key.minus, prime);
        Ok(self.round(self.decode.scale.times(phase, prime.p)))
    }

    /// ⌊2^64·w/q0⌉: with r the centred value of 2^64·w mod q0, (2^64·w − r)/q0 modulo 2^64 = −r/q0.
    fn round(&self, residue: u64) -> u64 {
        let q0 = self.ring.transforms[0].prime.p;
        let negative = 0u64.wrapping_sub(u64::from(residue > q0 / 2));
        residue.wrapping_sub(q0 & negative).wrapping_mul(self.decode.negated_inverse)
    }
}

impl Column {
    /// The multiplier polynomial of a block, in lane order: x_0 − Σ x_i·X^(N−i).
    fn multiplier(&self, block: usize, out: &mut [i64]) {
        out.fill(0);
        let start = block * N;
        let place = |i: usize, x: i64, out: &mut [i64]| {
            out[position((N - i) % N)] = if i == 0 { x } else { -x };
        };
        match &self.content {
            Content::Narrow(values) => {
                values.iter().skip(start).take(N).enumerate().for_each(|(i, &x)| place(i, i64::from(x), out));
            }
            Content::Wide(values) => values.iter().skip(start).take(N).enumerate().for_each(|(i, &x)| place(i, x, out)),
            Content::Transformed(_) => {}
        }
    }
}
