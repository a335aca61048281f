//! Phases and additive shares of the predictor (vlr.md, section 3).
use super::party::{Party, message};
use super::payload::{encode_words, read_words};
use crate::mask::{add_masks, add_stream};
use crate::session::MaskUse;
use crate::{Error, Kind, Outgoing};
use hefu_core::{Rank, Stage};
use hefu_crypto::Stream;

fn mask(party: &Party, other: Rank, round: u32, mask_use: MaskUse) -> Stream {
    party.keys.mask(other, Stage::Train, round, mask_use)
}

/// Ranks that send shares.
fn senders(party: &Party) -> impl Iterator<Item = Rank> + use<> {
    (2..party.keys.parties()).map(Rank)
}

/// Rank 0's share of a round.
pub(super) fn initiator_share(party: &Party, round: u32, period: f64) -> Vec<u64> {
    let masks = senders(party).map(|q| mask(party, q, round, MaskUse::ShareToInitiator));
    share_of_initiator(party.block.phases(period), masks)
}

/// β = φ_0 − Σ S_0q.
pub(super) fn share_of_initiator(mut phases: Vec<u64>, masks: impl Iterator<Item = Stream>) -> Vec<u64> {
    masks.for_each(|mask| add_stream(&mut phases, mask, true));
    phases
}

/// A collaborator's masked phases of a round, for rank 1.
pub(super) fn masked_phases(party: &Party, round: u32, period: f64) -> Outgoing {
    let own = party.own();
    let to_initiator = mask(party, Rank::INITIATOR, round, MaskUse::ShareToInitiator);
    let others = senders(party).filter(|other| *other != own);
    let masks = others.map(|other| (other, mask(party, other, round, MaskUse::Share)));
    let share = share_of_collaborator(party.block.phases(period), own, to_initiator, masks);
    message(Rank::DESIGNATED, Kind::Share, round, encode_words(&share))
}

/// u_q = φ_q + S_0q + Σ ±S_qq'.
pub(super) fn share_of_collaborator(
    mut phases: Vec<u64>,
    own: Rank,
    to_initiator: Stream,
    masks: impl Iterator<Item = (Rank, Stream)>,
) -> Vec<u64> {
    add_stream(&mut phases, to_initiator, false);
    add_masks(&mut phases, own, masks);
    phases
}

/// Rank 1's share α = φ_1 + Σ u_q, as the u_q come in.
pub(super) struct DesignatedShare {
    pub(super) phases: Vec<u64>,
    waiting: Vec<bool>,
}

impl DesignatedShare {
    /// Before any phase is known: the period comes with EVAL, other parties' shares may come before.
    pub(super) fn new(rows: usize, parties: u16) -> Self {
        DesignatedShare { phases: vec![0; rows], waiting: vec![true; usize::from(parties)] }
    }

    pub(super) fn add_own(&mut self, phases: &[u64]) {
        for (sum, phase) in self.phases.iter_mut().zip(phases) {
            *sum = sum.wrapping_add(*phase);
        }
    }

    pub(super) fn receive(&mut self, from: Rank, payload: &[u8]) -> Result<(), Error> {
        let expected = from > Rank::DESIGNATED && self.waiting.get(from.index()) == Some(&true);
        if !expected {
            return Err(Error::unexpected(from));
        }
        let share = read_words(payload, self.phases.len(), from)?;
        self.waiting[from.index()] = false;
        self.add_own(&share);
        Ok(())
    }

    pub(super) fn is_complete(&self) -> bool {
        !self.waiting.iter().skip(2).any(|waiting| *waiting)
    }
}
