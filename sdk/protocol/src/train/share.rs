//! Phases and additive shares of the predictor (vlr.md, section 3).
use super::party::{Party, message};
use crate::error::Blame;
use crate::session::MaskUse;
use crate::{Error, Kind, Outgoing};
use hefu_core::{Rank, Reader, Stage, Writer};
use hefu_crypto::Stream;

fn mask(party: &Party, other: Rank, round: u32, mask_use: MaskUse) -> Stream {
    party.keys.mask(other, Stage::Train, round, mask_use)
}

/// Adds or takes away a stream, element by element, modulo 2^64.
pub(super) fn add_stream(values: &mut [u64], mut stream: Stream, negative: bool) {
    let mut words = [0; 1024];
    for values in values.chunks_mut(words.len()) {
        let words = &mut words[..values.len()];
        stream.fill_u64(words);
        for (value, word) in values.iter_mut().zip(words) {
            *value = if negative { value.wrapping_sub(*word) } else { value.wrapping_add(*word) };
        }
    }
}

/// Rank 0's share β = φ_0 − Σ S_0q.
pub(super) fn initiator_share(party: &Party, round: u32, period: f64) -> Vec<u64> {
    let mut share = party.block.phases(period);
    for q in (2..party.keys.parties()).map(Rank) {
        add_stream(&mut share, mask(party, q, round, MaskUse::ShareToInitiator), true);
    }
    share
}

/// A collaborator's masked phases u_q, for rank 1.
pub(super) fn masked_phases(party: &Party, round: u32, period: f64) -> Outgoing {
    let own = party.own();
    let mut share = party.block.phases(period);
    add_stream(&mut share, mask(party, Rank::INITIATOR, round, MaskUse::ShareToInitiator), false);
    for other in (2..party.keys.parties()).map(Rank).filter(|other| *other != own) {
        add_stream(&mut share, mask(party, other, round, MaskUse::Share), own > other);
    }
    message(Rank::DESIGNATED, Kind::Share, round, Writer::new().u64s_le(&share).finish())
}

/// Rank 1's share α = φ_1 + Σ u_q, as the u_q come in.
pub(super) struct DesignatedShare {
    pub(super) phases: Vec<u64>,
    waiting: Vec<bool>,
}

impl DesignatedShare {
    /// Before any phase is known: the period comes with EVAL, other parties' shares may come before.
    pub(super) fn new(party: &Party) -> Self {
        DesignatedShare { phases: vec![0; party.block.rows()], waiting: vec![true; usize::from(party.keys.parties())] }
    }

    pub(super) fn add_own(&mut self, party: &Party, period: f64) {
        for (sum, phase) in self.phases.iter_mut().zip(party.block.phases(period)) {
            *sum = sum.wrapping_add(phase);
        }
    }

    pub(super) fn receive(&mut self, from: Rank, payload: &[u8]) -> Result<(), Error> {
        let expected = from > Rank::DESIGNATED && self.waiting.get(from.index()) == Some(&true);
        if !expected {
            return Err(Error::unexpected(from));
        }
        let share = Reader::new(payload).u64s_le().blame(from)?;
        if share.len() != self.phases.len() {
            return Err(Error::malformed(from));
        }
        self.waiting[from.index()] = false;
        for (sum, phase) in self.phases.iter_mut().zip(share) {
            *sum = sum.wrapping_add(phase);
        }
        Ok(())
    }

    pub(super) fn is_complete(&self) -> bool {
        !self.waiting.iter().skip(2).any(|waiting| *waiting)
    }
}
