//! Rank 1's half of the sigmoid: it evaluates under rank 0's key and masks (vlr.md, sections 4 and 5).
use super::party::{Party, message};
use super::rotation::Rotation;
use super::sine::Sine;
use crate::error::Blame;
use crate::{Error, Kind, Outgoing};
use hefu_core::{Rank, Reader, Writer};
use hefu_crypto::Seed;
use hefu_he::{Accumulator, AnswerStreams, N, PublicKey, Scratch, SeenSeeds, Slots, truncate};
use std::sync::Arc;

pub(super) struct Sigmoid {
    sine: &'static Sine,
    slots: Arc<Slots>,
    scratch: Scratch,
    seed: Seed,
    round: u32,
    phases: Vec<u64>,
    public: Option<PublicKey>,
    public_seed: [u8; 16],
    seen: SeenSeeds,
    accumulator: Accumulator,
    rotation: Option<Rotation>,
    block: usize,
    harmonic: u32,
    sines: Vec<i64>,
    cosines: Vec<i64>,
}

/// A finished block: MASKED for rank 0, and the own residual share r′ of its rows.
pub(super) struct Finished {
    pub(super) masked: Outgoing,
    pub(super) share: Vec<u64>,
}

impl Sigmoid {
    /// `phases` is rank 1's share α of all training rows.
    pub(super) fn new(party: &Party, slots: Arc<Slots>, sine: &'static Sine, round: u32, phases: Vec<u64>) -> Self {
        Sigmoid {
            sine,
            scratch: slots.scratch(),
            accumulator: slots.accumulator(),
            slots,
            seed: party.round_seed(round).derive("sigmoid", &[]),
            round,
            phases,
            public: None,
            public_seed: party.keys.rlwe_seed(sine.set.id(), Rank::INITIATOR, round),
            seen: SeenSeeds::default(),
            rotation: None,
            block: 0,
            harmonic: 0,
            sines: Vec::with_capacity(N),
            cosines: Vec::with_capacity(N),
        }
    }

    /// Takes BASIS_KEY.
    pub(super) fn receive_key(&mut self, payload: &[u8]) -> Result<(), Error> {
        if self.public.is_some() {
            return Err(Error::unexpected(Rank::INITIATOR));
        }
        self.public = Some(self.slots.public_key(payload, &self.public_seed).blame(Rank::INITIATOR)?);
        Ok(())
    }

    /// Takes the next BASIS; answers the block when its last harmonic has come.
    pub(super) fn receive(&mut self, payload: &[u8]) -> Result<Option<Finished>, Error> {
        let from = Rank::INITIATOR;
        let mut reader = Reader::new(payload);
        let place = (reader.u32().blame(from)? as usize, u32::from(reader.u16().blame(from)?));
        let rows = self.phases.chunks(N).nth(self.block);
        let (Some(rows), true, true) = (rows, place == (self.block, self.harmonic + 1), self.public.is_some()) else {
            return Err(Error::malformed(from));
        };
        let rotation = self.rotation.get_or_insert_with(|| Rotation::new(rows));
        let factor = self.sine.multiplier_factor(self.harmonic);
        rotation.sines(factor, &mut self.sines);
        rotation.cosines(factor, &mut self.cosines);
        let bytes = self.sine.set.ciphertext_bytes();
        let (of_cosines, of_sines) = (reader.bytes(bytes).blame(from)?, reader.bytes(bytes).blame(from)?);
        reader.end().blame(from)?;
        self.seen.admit(of_cosines).blame(from)?;
        self.seen.admit(of_sines).blame(from)?;
        let pairs = ((self.sines.as_slice(), of_cosines), (self.cosines.as_slice(), of_sines));
        self.slots.accumulate_pair(&mut self.accumulator, pairs.0, pairs.1, &mut self.scratch).blame(from)?;
        self.harmonic += 1;
        if self.harmonic < self.sine.harmonics() {
            rotation.advance();
            return Ok(None);
        }
        let rows = rows.len();
        self.finish(rows).map(Some)
    }

    fn finish(&mut self, rows: usize) -> Result<Finished, Error> {
        let context = (self.block as u32).to_be_bytes();
        let (mut mask, mut noise, mut flood) = (
            self.seed.stream("mask", &context),
            self.seed.stream("noise", &context),
            self.seed.stream("flood", &context),
        );
        let streams = AnswerStreams { mask: &mut mask, noise: &mut noise, flood: &mut flood };
        let (mut answer, mut masks, mut share) = (Vec::new(), Vec::new(), Vec::new());
        let public = self.public.as_ref().ok_or(Error::unexpected(Rank::INITIATOR))?;
        let accumulator = &mut self.accumulator;
        self.slots.answer(accumulator, public, streams, &mut self.scratch, &mut answer, &mut masks)?;
        truncate(&masks, self.sine.dropped_bits, &mut share);
        share.truncate(rows);
        let payload = Writer::with_capacity(4 + answer.len()).bytes(&context).bytes(&answer).finish();
        (self.block, self.harmonic, self.rotation) = (self.block + 1, 0, None);
        Ok(Finished { masked: message(Rank::INITIATOR, Kind::Masked, self.round, payload), share })
    }
}
