//! Rank 0's half of the sigmoid: it encrypts its basis, then decrypts masked sigmoids (vlr.md, sections 4 and 5).
use super::party::{Party, message};
use super::rotation::Rotation;
use super::share::initiator_share;
use super::sine::Sine;
use crate::error::Blame;
use crate::{Error, Kind, Outgoing};
use hefu_core::{Rank, Reader, Writer};
use hefu_crypto::Seed;
use hefu_he::{N, SEED_BYTES, Scratch, SecretKey, Slots, truncate};
use std::sync::Arc;

pub(super) struct Basis {
    sine: &'static Sine,
    slots: Arc<Slots>,
    key: SecretKey,
    scratch: Scratch,
    seed: Seed,
    round: u32,
    phases: Vec<u64>,
    rotation: Option<Rotation>,
    block: usize,
    harmonic: u32,
    /// Rows whose MASKED has come.
    received: usize,
}

impl Basis {
    /// Makes the round's key; answers it and BASIS_KEY.
    pub(super) fn new(
        party: &Party,
        slots: Arc<Slots>,
        sine: &'static Sine,
        round: u32,
    ) -> Result<(Basis, Outgoing), Error> {
        let seed = party.round_seed(round).derive("basis", &[]);
        let public_seed = party.keys.rlwe_seed(sine.set.id(), Rank::INITIATOR, round);
        let (key, public) = slots.generate(&public_seed, &mut seed.stream("key", &[]));
        let scratch = slots.scratch();
        let phases = initiator_share(party, round, sine.period);
        let basis = Basis {
            sine,
            slots,
            key,
            scratch,
            seed,
            round,
            phases,
            rotation: None,
            block: 0,
            harmonic: 0,
            received: 0,
        };
        Ok((basis, message(Rank::DESIGNATED, Kind::BasisKey, round, public)))
    }

    fn blocks(&self) -> usize {
        self.phases.len().div_ceil(N)
    }

    /// Whether every BASIS was made.
    pub(super) fn is_sent(&self) -> bool {
        self.block == self.blocks()
    }

    /// Encrypts the next block and harmonic.
    pub(super) fn next(&mut self) -> Result<Outgoing, Error> {
        if self.harmonic == 0 {
            let rows = self.phases.chunks(N).nth(self.block).unwrap_or_default();
            self.rotation = Some(Rotation::new(rows));
        }
        let (block, k) = (self.block as u32, self.harmonic as u16 + 1);
        let factor = self.sine.basis_factor();
        let mut payload = Writer::with_capacity(6 + 2 * self.sine.set.ciphertext_bytes()).u32(block).u16(k);
        let (mut values, mut ciphertext) = (Vec::with_capacity(N), Vec::new());
        for part in 0..2u8 {
            if let Some(rotation) = &self.rotation {
                let take = if part == 0 { Rotation::cosines } else { Rotation::sines };
                take(rotation, factor, &mut values);
            }
            let context = [&block.to_be_bytes()[..], &k.to_be_bytes(), &[part]].concat();
            let mut seed = [0; SEED_BYTES];
            let mut noise = self.seed.stream("encrypt", &context);
            noise.fill(&mut seed);
            self.slots.encrypt(&self.key, &values, &seed, &mut noise, &mut self.scratch, &mut ciphertext)?;
            payload = payload.bytes(&ciphertext);
        }
        self.harmonic += 1;
        if self.harmonic == self.sine.harmonics() {
            (self.block, self.harmonic, self.rotation) = (self.block + 1, 0, None);
        } else if let Some(rotation) = &mut self.rotation {
            rotation.advance();
        }
        Ok(message(Rank::DESIGNATED, Kind::Basis, self.round, payload.finish()))
    }

    /// Takes MASKED of the next block; answers y″ = y′ − 2^19·(2·label − 1) of its rows. `labels` are those of all
    /// training rows.
    pub(super) fn receive(&mut self, payload: &[u8], labels: &[u8]) -> Result<Vec<u64>, Error> {
        let from = Rank::DESIGNATED;
        let mut reader = Reader::new(payload);
        let block = reader.u32().blame(from)? as usize;
        if block * N != self.received || self.received == self.phases.len() {
            return Err(Error::malformed(from));
        }
        let mut values = Vec::new();
        self.slots.decrypt(&self.key, reader.rest(), &mut self.scratch, &mut values).blame(from)?;
        let labels = labels.get(self.received..).unwrap_or_default();
        let share = residual_share(&values, &labels[..labels.len().min(N)], self.sine.dropped_bits);
        self.received += share.len();
        Ok(share)
    }
}

/// Rank 0's residual share y″ of the rows that have a label: ⌊y/2^f_x⌋ − 2^19·(2·label − 1).
pub(super) fn residual_share(values: &[u128], labels: &[u8], dropped_bits: u32) -> Vec<u64> {
    let mut share = Vec::new();
    truncate(values, dropped_bits, &mut share);
    share.truncate(labels.len());
    for (value, label) in share.iter_mut().zip(labels) {
        let centre: u64 = if *label == 1 { 1 << 19 } else { (1u64 << 19).wrapping_neg() };
        *value = value.wrapping_sub(centre);
    }
    share
}
