//! Who takes part in a round, and what everyone may check of everyone.
use super::graph::Graph;
use super::history::PastRound;
use super::plan::{MIN_PARTICIPANTS, Plan, RealTensor};
use super::wire::{Entry, Signature};
use crate::Error;
use crate::envelope::Form;
use crate::session::{Keys, transcript_message};
use hefu_core::{Code, PartyId, Rank};
use hefu_crypto::{Agreement, expand, extract, sha256, verify};
use std::collections::BTreeSet;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A party of the session, as its trusted descriptor and its confirm (rank 0: the offer) tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub party: PartyId,
    /// Its Ed25519 public key, from the trusted descriptor.
    pub signing_key: [u8; 32],
    /// Its mask key; none where it is absent or does not participate.
    pub mask: Option<[u8; 32]>,
}

/// The public facts of a round, as one party knows them.
#[derive(Debug)]
pub struct Roster {
    plan: Plan,
    keys: Arc<Keys>,
    members: Vec<Member>,
    /// U0, ascending.
    ranks: Vec<Rank>,
    graph: Graph,
    parameter_forms: Vec<RealTensor>,
}

impl Roster {
    /// The roster of a confirmed session; `members` by rank.
    ///
    /// # Errors
    /// Those of [`Plan::check`]; `TOO_FEW_PARTICIPANTS` (AGG-1), `BELOW_THRESHOLD` (AGG-3), `UNSUPPORTED_PLAN`
    /// (AGG-23), and `BAD_ELEMENT` by the owner of a mask key (AGG-8).
    pub fn new(plan: Plan, keys: Arc<Keys>, members: Vec<Member>) -> Result<Roster, Error> {
        if members.len() != usize::from(keys.parties()) {
            return Err(Error::job(Code::Internal, "", "a roster has not as many members as the session"));
        }
        plan.check(members.len())?;
        let present = (0u16..).map(Rank).zip(&members).filter(|(_, member)| member.mask.is_some());
        let ranks: Vec<Rank> = present.map(|(rank, _)| rank).filter(|rank| plan.participates(*rank)).collect();
        if ranks.len() < usize::from(MIN_PARTICIPANTS) {
            let cause = "fewer than three participants confirmed";
            return Err(Error::refused(Code::TooFewParticipants, "AGG-1", cause));
        }
        if ranks.len() < usize::from(plan.threshold) {
            let cause = "fewer participants confirmed than the threshold";
            return Err(Error::refused(Code::BelowThreshold, "AGG-3", cause));
        }
        // A low-order key gives zero with every private key, so any will tell.
        let probe = Agreement::new([8; 32]);
        for rank in &ranks {
            let mask = members[rank.index()].mask.unwrap_or_default();
            probe.agree(&mask).map_err(|_| low_order(*rank))?;
        }
        let graph = Graph::new(&keys.transcript(), &ranks, plan.neighbours)?;
        let parameter_forms = plan.parameter_forms();
        Ok(Roster { plan, keys, members, ranks, graph, parameter_forms })
    }

    /// A roster of a test vector, whose plan is of no statistic and may have few neighbours.
    #[cfg(test)]
    pub(super) fn unchecked(
        plan: Plan,
        keys: Arc<Keys>,
        members: Vec<Member>,
        parameter_forms: Vec<RealTensor>,
    ) -> Roster {
        let ranks: Vec<Rank> =
            (0u16..).map(Rank).zip(&members).filter(|(_, m)| m.mask.is_some()).map(|(rank, _)| rank).collect();
        let graph = match plan.neighbours {
            0 => Graph::Complete,
            k => Graph::ring(&keys.transcript(), &ranks, k),
        };
        Roster { plan, keys, members, ranks, graph, parameter_forms }
    }

    /// The tensors of PARAMETERS.
    pub(super) fn parameter_forms(&self) -> &[RealTensor] {
        &self.parameter_forms
    }

    /// The round's plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// U0: who participates and confirmed, ascending.
    pub fn ranks(&self) -> &[Rank] {
        &self.ranks
    }

    /// N: the participants of the offer, absent ones included.
    pub fn participants(&self) -> u16 {
        self.plan.participants(self.members.len())
    }

    /// The party of a rank.
    pub fn party(&self, rank: Rank) -> Option<&PartyId> {
        self.members.get(rank.index()).map(|member| &member.party)
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn contains(&self, rank: Rank) -> bool {
        self.ranks.binary_search(&rank).is_ok()
    }

    /// The neighbours of a rank of U0, ascending, without itself.
    pub(super) fn neighbours(&self, rank: Rank) -> Vec<Rank> {
        self.ranks.binary_search(&rank).map(|place| self.graph.of(&self.ranks, place)).unwrap_or_default()
    }

    /// Whether everyone is everyone's neighbour.
    pub(super) fn is_complete(&self) -> bool {
        self.graph == Graph::Complete
    }

    /// t, or T with neighbours: of sharing and of AGREEMENT.
    pub(super) fn sharing_threshold(&self) -> u16 {
        self.graph.sharing_threshold(self.plan.threshold)
    }

    /// The forms of the round's values.
    pub(super) fn forms(&self) -> Result<Vec<Form<'_>>, Error> {
        self.plan.forms(self.participants())
    }

    fn verify(&self, rank: Rank, message: &[u8], signature: &Signature) -> bool {
        self.members.get(rank.index()).is_some_and(|m| verify(&m.signing_key, message, signature).is_ok())
    }

    /// Whether a rank signed this transcript (AGG-13).
    pub(super) fn signed_transcript(&self, rank: Rank, signature: &Signature) -> bool {
        self.verify(rank, &transcript_message(rank, &self.keys.transcript()), signature)
    }

    /// What a rank signs of an entry for another one.
    pub(super) fn entry_message(&self, from: Rank, to: Rank, entry: &Entry) -> Vec<u8> {
        let parts: [&[u8]; 7] = [
            b"hefu/1 share signature",
            &self.keys.transcript(),
            &from.0.to_be_bytes(),
            &to.0.to_be_bytes(),
            &entry.sealed,
            &entry.self_mask,
            &entry.mask_key,
        ];
        parts.concat()
    }

    /// Whether a rank signed an entry for another one (AGG-20, AGG-28).
    pub(super) fn signed_entry(&self, from: Rank, to: Rank, entry: &Entry) -> bool {
        self.verify(from, &self.entry_message(from, to, entry), &entry.signature)
    }

    /// What a rank signs of U2 and U3, given as their lists' bytes.
    pub(super) fn survivors_message(&self, rank: Rank, sharers: &[u8], survivors: &[u8]) -> Vec<u8> {
        let parts: [&[u8]; 5] = [
            b"hefu/1 survivors signature",
            &self.keys.transcript(),
            &rank.0.to_be_bytes(),
            &sha256(&[sharers]),
            &sha256(&[survivors]),
        ];
        parts.concat()
    }

    /// Whether a rank signed U2 and U3 (AGG-17, AGG-20).
    pub(super) fn signed_survivors(&self, rank: Rank, sharers: &[u8], survivors: &[u8], signature: &Signature) -> bool {
        self.verify(rank, &self.survivors_message(rank, sharers, survivors), signature)
    }

    /// The key of the mask between two ranks, from the mask secret of the first (AGG-8).
    pub(super) fn pair_mask(&self, secret: &Agreement, own: Rank, other: Rank) -> Result<Zeroizing<[u8; 16]>, Error> {
        let public = self.members.get(other.index()).and_then(|m| m.mask).ok_or_else(|| low_order(other))?;
        let shared = secret.agree(&public).map_err(|_| low_order(other))?;
        let pair = Zeroizing::new(extract(&self.keys.transcript(), shared.as_slice()));
        let (low, high) = (own.min(other), own.max(other));
        let info: [&[u8]; 3] = [b"hefu/1 pair mask", &low.0.to_be_bytes(), &high.0.to_be_bytes()];
        Ok(Zeroizing::new(expand(&pair, &info)))
    }

    /// The mask key of a rank.
    pub(super) fn mask(&self, rank: Rank) -> Option<[u8; 32]> {
        self.members.get(rank.index()).and_then(|member| member.mask)
    }

    /// What a party remembers of the round once its sum may be known.
    pub(super) fn past(&self, survivors: &[Rank]) -> PastRound {
        let survivors: BTreeSet<PartyId> = survivors.iter().filter_map(|rank| self.party(*rank).cloned()).collect();
        PastRound { round: self.plan.round, exact: self.plan.statistic.is_exact(), survivors }
    }
}

fn low_order(rank: Rank) -> Error {
    Error::peer(rank, Code::BadElement, "AGG-8", "a mask key is of low order")
}
