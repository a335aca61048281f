//! The evaluator's answer of a block of slots (spec/ringlwe.md, section 5).
use crate::key::Ring;
use crate::parameters::{KEPT, POLYNOMIAL_BYTES};
use crate::sample::{Draw, error_offset, errors, thirds, uniform};
use crate::slots::{Accumulator, Slots, WIDTH};
use crate::{Error, N, PublicKey, Scratch};
use hefu_core::fault::{Switch, is_on};
use hefu_crypto::Stream;
use std::fmt;

/// The secret streams of one answer, each of its own purpose (RLWE-3).
pub struct AnswerStreams<'a, S = Stream> {
    /// The mask.
    pub mask: &'a mut S,
    /// The fresh encryption of zero.
    pub noise: &'a mut S,
    /// The flood.
    pub flood: &'a mut S,
}

impl<S> fmt::Debug for AnswerStreams<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerStreams(…)")
    }
}

impl Slots {
    /// Answers with the masked sum: `out` becomes `pack(c0) ‖ pack(c1)`, `mask` the mask r of the N slots, each in [0,
    /// t).
    ///
    /// The key owner will decrypt sum + r mod t. A fresh encryption of zero, a fresh mask and a fresh flood are added
    /// (RLWE-3). The accumulator is empty afterwards and may be used for the next block.
    ///
    /// # Errors
    /// [`Error::WrongSet`].
    pub fn answer(
        &self,
        accumulator: &mut Accumulator,
        key: &PublicKey,
        streams: AnswerStreams<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
        mask: &mut Vec<u128>,
    ) -> Result<(), Error> {
        self.answer_drawing(accumulator, key, streams, scratch, out, mask)
    }

    /// Answers with mask, errors and flood from any source.
    pub(crate) fn answer_drawing<S: Draw>(
        &self,
        accumulator: &mut Accumulator,
        key: &PublicKey,
        streams: AnswerStreams<'_, S>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
        mask: &mut Vec<u128>,
    ) -> Result<(), Error> {
        let halves = key.halves(self.set())?;
        if accumulator.set != self.set() {
            return Err(Error::WrongSet);
        }
        let (kernels, primes) = (self.ring.kernels, self.ring.transforms.len());
        let Scratch { lifted: [x, h, low, high], multipliers: [u, ternary], error, answer, .. } = scratch;
        self.draw_mask(streams.mask, x, h, high, mask);
        thirds(kernels, streams.noise, ternary);
        let (c0, c1) = answer.split_at_mut(primes * N);
        for (i, ((p0, p1), sums)) in halves.zip(accumulator.sums.chunks_exact_mut(WIDTH * N)).enumerate() {
            let ntt = &self.ring.transforms[i];
            self.ring.transform_thirds(ternary, i, u);
            kernels.accumulate_key(sums, u, p0, p1);
            for (at, component) in [(0, &mut *c0), (2, &mut *c1)] {
                let component = &mut component[i * N..(i + 1) * N];
                kernels.reduce(sums, WIDTH, at, &ntt.prime, component);
                ntt.inverse(component);
            }
        }
        accumulator.sums.fill(0);
        accumulator.products = 0;
        streams.flood.fill_u64(low);
        errors(kernels, streams.noise, error);
        // the mask's lifted words are in x and h; the flood's second words go where the ternary values were
        let second = ternary;
        streams.flood.fill_u64(second);
        if is_on(Switch::OmitsFlood) {
            low.fill(0);
            second.fill(0);
        }
        for (i, c0) in c0.chunks_exact_mut(N).enumerate() {
            let p = self.ring.transforms[i].prime.p;
            kernels.project_add(x, if self.plain.len() > 1 { h } else { x }, &self.ring.message[i], c0);
            kernels.add_small(c0, error, error_offset(p), p);
            self.ring.add_flood(i, low, second, c0);
        }
        errors(kernels, streams.noise, error);
        for (i, c1) in c1.chunks_exact_mut(N).enumerate() {
            let p = self.ring.transforms[i].prime.p;
            kernels.add_small(c1, error, error_offset(p), p);
        }
        out.resize(self.set().answer_bytes(), 0);
        for (component, out) in [c0, c1].into_iter().zip(out.chunks_exact_mut(KEPT * POLYNOMIAL_BYTES)) {
            self.ring.switch(component);
            self.ring.pack_kept(component, out);
        }
        Ok(())
    }

    /// A uniform mask: its lifted [q·r]_t in `x` and `h`, its values in `mask`.
    fn draw_mask(
        &self,
        stream: &mut impl Draw,
        x: &mut [u64],
        h: &mut [u64],
        memory: &mut [u64],
        mask: &mut Vec<u128>,
    ) {
        let kernels = self.ring.kernels;
        for (ntt, residues) in self.plain.iter().zip([&mut *x, &mut *h]) {
            uniform(kernels, stream, &ntt.prime, residues);
        }
        memory.copy_from_slice(h);
        self.join(x, memory, mask);
        for ((ntt, scale), residues) in self.plain.iter().zip(&self.message_scale).zip([&mut *x, &mut *h]) {
            ntt.inverse_scaled(residues, *scale);
        }
        self.source.lift(kernels, x, h);
    }
}

impl Ring {
    /// Packs the kept primes of a switched component.
    pub(crate) fn pack_kept(&self, component: &[u64], out: &mut [u8]) {
        for (words, out) in component.chunks_exact(N).zip(out.chunks_exact_mut(POLYNOMIAL_BYTES)) {
            self.kernels.pack(words, out);
        }
    }
}
