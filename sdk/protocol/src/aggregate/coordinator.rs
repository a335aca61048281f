//! The coordinator: messages in any order within a step, losses at any time (sections 4 to 7).
use super::contributor::ring_message;
use super::deal::{Dealer, Own};
use super::history::{History, PastRound};
use super::mean::{self, Plain};
use super::method::Secrecy;
use super::plan::{read_reals, write_reals};
use super::rebuild::{self, Opening};
use super::roster::Roster;
use super::value::{self, Contribution, Sums};
use super::wire::{
    Entry, Opened, SecretKind, Shares, Signature, check_place, outgoing, read_plain, read_shares, read_signature,
    read_unmask, write_list, write_shared, write_signatures,
};
use crate::{Error, Kind, Message, Outgoing, envelope};
use hefu_core::{Code, Progress, Rank, Stage, SumTo};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Something that happens to a coordinator.
pub enum Event {
    /// The first event, once.
    Start,
    /// A message of a rank; its sender is authenticated.
    Message(Rank, Message),
    /// The rank's link ended, or its time for the step is over (AGG-22). Rank 0: its own values do not come.
    Lost(Rank),
    /// Rank 0's own values, where it participates.
    Values(Contribution),
}

/// What a coordinator waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Waiting {
    /// For [`Event::Start`].
    Start,
    /// For SHARES.
    Shares,
    /// For MASKED_SUM; in `aggregate-mean-1` for PLAIN.
    Values,
    /// For AGREED.
    Agreed,
    /// For UNMASK.
    Unmask,
}

/// The outcome of an event.
pub struct Moved {
    /// What to send, in order.
    pub send: Vec<Outgoing>,
    /// Whom the coordinator refused in this event, and why. Each counts as lost from now on.
    pub blamed: Vec<(Rank, Error)>,
    /// How far the round is, in steps.
    pub progress: Progress,
    /// What comes next.
    pub next: Moving,
}

/// What a coordinator needs next.
pub enum Moving {
    /// Another event.
    Await(Box<Coordinator>),
    /// The round is over.
    Done(Box<Outcome>),
    /// The round ended without a sum; whom it names was told by [`Error::culprit`] or earlier as blamed.
    Failed(Error),
}

/// What a coordinator ends with.
#[derive(Debug)]
pub struct Outcome {
    /// The sum over the survivors.
    pub sums: Sums,
    /// U3, ascending; in `aggregate-mean-1` whose values came.
    pub survivors: Vec<Rank>,
    /// Who was lost on the way or blamed, ascending. One that was lost after its values came is a survivor too.
    pub lost: Vec<Rank>,
    /// Who broke the protocol, and how.
    pub blamed: Vec<(Rank, Error)>,
    /// The round, to be remembered for AGG-26.
    pub past: PastRound,
}

/// The coordinator of a round.
pub struct Coordinator {
    roster: Arc<Roster>,
    history: History,
    parameters: Vec<u8>,
    transcript_signatures: Vec<Option<Signature>>,
    own: Option<OwnPart>,
    lost: BTreeSet<Rank>,
    blamed: Vec<(Rank, Error)>,
    waiting: Waiting,
    /// Who is expected in this step, lost ones included.
    expected: BTreeSet<Rank>,
    /// Whose message of this step came.
    came: BTreeSet<Rank>,
    /// U1.
    listed: BTreeSet<Rank>,
    shares: BTreeMap<Rank, Shares>,
    /// U2.
    sharers: Vec<Rank>,
    sum: Vec<u64>,
    plain: BTreeMap<Rank, Plain>,
    /// U3.
    survivors: Vec<Rank>,
    agreed: BTreeMap<Rank, Signature>,
    opened: BTreeMap<Rank, Vec<Opening>>,
}

/// Rank 0 as a participant.
#[derive(Default)]
struct OwnPart {
    /// None once it told its shares, and in `aggregate-mean-1`.
    dealer: Option<Dealer>,
    values: Option<Zeroizing<Vec<u64>>>,
}

impl Coordinator {
    /// The coordinator of a confirmed session. `parameters` are those of [`super::Plan::parameter_forms`];
    /// `signatures` the other ranks' transcript signatures by rank, where they came; `own` what rank 0 needs when it
    /// participates.
    ///
    /// # Errors
    /// `INTERNAL` where the parameters are not those of the plan, or `own` does not fit it.
    pub fn new(
        roster: Arc<Roster>,
        parameters: &[Vec<f64>],
        signatures: Vec<Option<Signature>>,
        own: Option<Own>,
        history: History,
    ) -> Result<Self, Error> {
        let payload = write_reals(roster.plan().round, roster.parameter_forms(), parameters);
        let internal = |cause: &str| Error::job(Code::Internal, "", cause);
        if hefu_crypto::sha256(&[&payload]) != roster.plan().parameters {
            return Err(internal("the parameters are not those of the plan"));
        }
        if own.is_some() != roster.plan().participates(Rank::INITIATOR) {
            return Err(internal("rank 0 participates in the plan and not here, or the reverse"));
        }
        let masked = roster.plan().method()?.secrecy() == Secrecy::Masked;
        let own = match own {
            Some(own) if masked => Some(OwnPart { dealer: Some(Dealer::new(roster.clone(), own)?), values: None }),
            Some(_) => Some(OwnPart::default()),
            None => None,
        };
        Ok(Self::with(roster, payload, signatures, own, history))
    }

    /// A coordinator whose own secrets exist already.
    fn with(
        roster: Arc<Roster>,
        parameters: Vec<u8>,
        signatures: Vec<Option<Signature>>,
        own: Option<OwnPart>,
        history: History,
    ) -> Self {
        Coordinator {
            sum: vec![0; roster.plan().ring_elements()],
            roster,
            history,
            parameters,
            transcript_signatures: signatures,
            own,
            lost: BTreeSet::new(),
            blamed: Vec::new(),
            waiting: Waiting::Start,
            expected: BTreeSet::new(),
            came: BTreeSet::new(),
            listed: BTreeSet::new(),
            shares: BTreeMap::new(),
            sharers: Vec::new(),
            plain: BTreeMap::new(),
            survivors: Vec::new(),
            agreed: BTreeMap::new(),
            opened: BTreeMap::new(),
        }
    }

    /// A coordinator of a test vector.
    #[cfg(test)]
    pub(super) fn given(
        roster: Arc<Roster>,
        parameters: Vec<u8>,
        signatures: Vec<Option<Signature>>,
        dealer: Option<Dealer>,
    ) -> Self {
        let own = dealer.map(|dealer| OwnPart { dealer: Some(dealer), values: None });
        Self::with(roster, parameters, signatures, own, History::default())
    }

    /// The step; a deadline starts anew when it changes.
    pub fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// Whose message the step waits for, rank 0's own values included.
    pub fn awaited(&self) -> Vec<Rank> {
        self.expected.difference(&self.came).filter(|rank| !self.lost.contains(rank)).copied().collect()
    }

    /// One event.
    pub fn step(mut self, event: Event) -> Moved {
        let mut send = Vec::new();
        let before = self.blamed.len();
        let refused = match event {
            Event::Start => self.start(&mut send),
            Event::Message(from, message) => self.receive(from, &message).map_err(|error| (from, error)),
            Event::Lost(rank) => {
                self.lost.insert(rank);
                Ok(())
            }
            Event::Values(contribution) => self.take_own(contribution).map_err(|error| (Rank::INITIATOR, error)),
        };
        if let Err((rank, error)) = refused {
            self.blame(rank, error);
        }
        let mut next = None;
        while next.is_none() && self.waiting != Waiting::Start {
            next = match self.check_remaining() {
                Err(error) => Some(Moving::Failed(error)),
                Ok(()) if !self.awaited().is_empty() => break,
                Ok(()) => match self.advance(&mut send) {
                    Ok(outcome) => outcome.map(|outcome| Moving::Done(Box::new(outcome))),
                    Err(error) => Some(Moving::Failed(error)),
                },
            };
        }
        let blamed = self.blamed[before.min(self.blamed.len())..].to_vec();
        let done = if matches!(next, Some(Moving::Done(_))) { 5 } else { self.waiting as u64 };
        let progress = Progress { stage: Stage::Aggregate, done, total: 5 };
        Moved { send, blamed, progress, next: next.unwrap_or_else(|| Moving::Await(Box::new(self))) }
    }

    fn blame(&mut self, rank: Rank, error: Error) {
        self.lost.insert(rank);
        self.blamed.push((rank, error));
    }

    fn round(&self) -> u32 {
        self.roster.plan().round
    }

    /// Ends the round where fewer than t ranks can still do the step (AGG-21).
    fn check_remaining(&self) -> Result<(), Error> {
        let left: BTreeSet<Rank> = self.expected.iter().filter(|rank| !self.gone(**rank)).copied().collect();
        if left.len() < usize::from(self.roster.plan().threshold) {
            let cause = format!("{} participants remain of {} needed", left.len(), self.roster.plan().threshold);
            return Err(Error::job(Code::BelowThreshold, "AGG-21", cause));
        }
        self.check_neighbourhoods(&left)
    }

    /// Whether a rank is lost before its message of this step came.
    fn gone(&self, rank: Rank) -> bool {
        self.lost.contains(&rank) && !self.came.contains(&rank)
    }

    /// Ends the round where too few of a rank's neighbours are left to rebuild what it shares (section 6).
    fn check_neighbourhoods(&self, left: &BTreeSet<Rank>) -> Result<(), Error> {
        if self.roster.is_complete() {
            return Ok(());
        }
        let least = usize::from(self.roster.sharing_threshold());
        let sharing: Vec<Rank> =
            if self.sharers.is_empty() { left.iter().copied().collect() } else { self.sharers.clone() };
        let short = |rank: &Rank| {
            let near = self.roster.neighbours(*rank).iter().filter(|other| left.contains(other)).count();
            near + usize::from(left.contains(rank)) < least
        };
        if sharing.iter().any(short) {
            let cause = "too few neighbours of a participant remain";
            return Err(Error::job(Code::BelowThreshold, "AGG-21", cause));
        }
        Ok(())
    }

    fn expect(&mut self, waiting: Waiting, ranks: impl IntoIterator<Item = Rank>) {
        self.waiting = waiting;
        self.expected = ranks.into_iter().collect();
        self.came.clear();
    }

    /// Those of this step's messages that came, or that are still to come.
    fn present(&self, ranks: &[Rank]) -> Vec<Rank> {
        let here = |rank: &&Rank| **rank != Rank::INITIATOR && !self.lost.contains(rank);
        ranks.iter().filter(here).copied().collect()
    }

    fn start(&mut self, send: &mut Vec<Outgoing>) -> Result<(), (Rank, Error)> {
        if self.waiting != Waiting::Start {
            return Ok(());
        }
        let ranks: Vec<Rank> = self.roster.ranks().to_vec();
        let mut signatures: BTreeMap<Rank, Signature> = BTreeMap::new();
        for rank in ranks.iter().copied().filter(|rank| *rank != Rank::INITIATOR) {
            let signature = self.transcript_signatures.get(rank.index()).copied().flatten();
            match signature.filter(|_| !self.lost.contains(&rank)) {
                Some(signature) if self.roster.signed_transcript(rank, &signature) => {
                    signatures.insert(rank, signature);
                }
                Some(_) => {
                    let cause = "a transcript signature does not verify";
                    self.blame(rank, Error::peer(rank, Code::BadSignature, "SESS-15", cause));
                }
                None => {
                    self.lost.insert(rank);
                }
            }
        }
        let masked = self.roster.plan().method().is_ok_and(|method| method.secrecy() == Secrecy::Masked);
        let own = self.own.is_some().then_some(Rank::INITIATOR).filter(|rank| !self.lost.contains(rank));
        let present: Vec<Rank> = own.into_iter().chain(signatures.keys().copied()).collect();
        if let Some(dealer) = self.own.as_ref().and_then(|part| part.dealer.as_ref()) {
            signatures.insert(Rank::INITIATOR, dealer.sign_transcript());
        }
        self.listed = present.iter().copied().collect();
        self.expect(if masked { Waiting::Shares } else { Waiting::Values }, present.iter().copied());
        let present = self.present(&present);
        for rank in &present {
            send.push(outgoing(*rank, Kind::Parameters, self.round(), self.parameters.clone()));
        }
        for rank in present.into_iter().filter(|_| masked) {
            let payload = write_signatures(&self.near_signatures(rank, &signatures));
            send.push(outgoing(rank, Kind::Roster, self.round(), payload));
        }
        self.deal_own().map_err(|error| (Rank::INITIATOR, error))
    }

    /// The signatures of a rank and its neighbours.
    fn near_signatures(&self, rank: Rank, all: &BTreeMap<Rank, Signature>) -> Vec<(Rank, Signature)> {
        let near = self.roster.neighbours(rank);
        let seen = |other: &Rank| *other == rank || near.binary_search(other).is_ok();
        all.iter().filter(|(other, _)| seen(other)).map(|(other, signature)| (*other, *signature)).collect()
    }

    /// The neighbours of a rank in U1.
    fn near(&self, rank: Rank) -> Vec<Rank> {
        let mut near = self.roster.neighbours(rank);
        near.retain(|other| self.listed.contains(other));
        near
    }

    fn deal_own(&mut self) -> Result<(), Error> {
        let near = self.near(Rank::INITIATOR);
        let Some(dealer) = self.own.as_ref().and_then(|part| part.dealer.as_ref()) else { return Ok(()) };
        let shares = dealer.deal(&near)?;
        self.shares.insert(Rank::INITIATOR, shares);
        self.came.insert(Rank::INITIATOR);
        Ok(())
    }

    /// A message; what is not due is the sender's fault. A lost rank's is ignored (AGG-22).
    fn receive(&mut self, from: Rank, message: &Message) -> Result<(), Error> {
        if self.lost.contains(&from) || !self.roster.contains(from) || from == Rank::INITIATOR {
            return Ok(());
        }
        check_place(message, self.round(), from)?;
        if !self.expected.contains(&from) || !self.came.insert(from) {
            return Err(Error::unexpected(from));
        }
        let plain = self.roster.plan().method()?.secrecy() == Secrecy::Plain;
        let taken = match (self.waiting, message.kind) {
            (Waiting::Shares, Kind::Shares) => self.take_shares(from, &message.payload),
            (Waiting::Values, Kind::MaskedSum) if !plain => self.take_masked(from, &message.payload),
            (Waiting::Values, Kind::Plain) if plain => self.take_plain(from, &message.payload),
            (Waiting::Agreed, Kind::Agreed) => self.take_agreed(from, &message.payload),
            (Waiting::Unmask, Kind::Unmask) => self.take_unmask(from, &message.payload),
            _ => Err(Error::unexpected(from)),
        };
        if taken.is_err() {
            self.came.remove(&from);
        }
        taken
    }

    fn take_shares(&mut self, from: Rank, payload: &[u8]) -> Result<(), Error> {
        let shares = read_shares(payload, from, &self.near(from))?;
        if !shares.entries.iter().all(|entry| self.roster.signed_entry(from, entry.rank, entry)) {
            let cause = "a share is not signed by its owner";
            return Err(Error::peer(from, Code::BadSignature, "AGG-20", cause));
        }
        let dealer = self.own.as_mut().and_then(|part| part.dealer.as_mut());
        if let (Some(dealer), Some(entry)) = (dealer, shares.entries.first().filter(|e| e.rank == Rank::INITIATOR)) {
            dealer.hold(from, entry)?;
        }
        self.shares.insert(from, shares);
        Ok(())
    }

    fn take_masked(&mut self, from: Rank, payload: &[u8]) -> Result<(), Error> {
        let tensors = envelope::open(payload, self.round(), from, &self.roster.forms()?)?;
        // added where they came, without a copy
        let mut rest = self.sum.as_mut_slice();
        for limbs in tensors.iter().map(|bytes| bytes.as_chunks().0) {
            let part = rest.split_off_mut(..limbs.len()).unwrap_or_default();
            for (sum, limb) in part.iter_mut().zip(limbs) {
                *sum = sum.wrapping_add(u64::from_le_bytes(*limb));
            }
        }
        Ok(())
    }

    fn take_plain(&mut self, from: Rank, payload: &[u8]) -> Result<(), Error> {
        let (weight, envelope) = read_plain(payload, from)?;
        let tensors = read_reals(envelope, self.round(), from, &self.roster.plan().model_forms())?;
        self.plain.insert(from, Plain::new(weight, tensors));
        Ok(())
    }

    fn take_agreed(&mut self, from: Rank, payload: &[u8]) -> Result<(), Error> {
        let signature = read_signature(payload, from)?;
        let (sharers, survivors) = (write_list(&self.sharers), write_list(&self.survivors));
        if !self.roster.signed_survivors(from, &sharers, &survivors, &signature) {
            let cause = "a signature over the survivors does not verify";
            return Err(Error::peer(from, Code::BadSignature, "AGG-20", cause));
        }
        self.agreed.insert(from, signature);
        Ok(())
    }

    /// What a rank owes: one share for itself and for each neighbour in U2, by ascending rank.
    fn due(&self, from: Rank) -> Vec<(Rank, SecretKind)> {
        let survives = |rank: &Rank| self.survivors.binary_search(rank).is_ok();
        let kind = |rank: &Rank| if survives(rank) { SecretKind::SelfMask } else { SecretKind::MaskKey };
        let mut ranks = self.roster.neighbours(from);
        ranks.push(from);
        ranks.sort_unstable();
        ranks.retain(|rank| self.sharers.binary_search(rank).is_ok());
        ranks.iter().map(|rank| (*rank, kind(rank))).collect()
    }

    fn take_unmask(&mut self, from: Rank, payload: &[u8]) -> Result<(), Error> {
        let opened = read_unmask(payload, from, &self.due(from))?;
        self.keep_opened(from, opened)
    }

    /// Checks the shares of a rank against their commitments, all before any is kept (AGG-19).
    fn keep_opened(&mut self, from: Rank, opened: Vec<Opened>) -> Result<(), Error> {
        let check = |o: Opened| Ok((o.rank, rebuild::check(&self.shares, from, &o)?));
        let openings = opened.into_iter().map(check).collect::<Result<Vec<_>, Error>>()?;
        for (owner, opening) in openings {
            self.opened.entry(owner).or_default().push(opening);
        }
        Ok(())
    }

    fn take_own(&mut self, contribution: Contribution) -> Result<(), Error> {
        let roster = self.roster.clone();
        let Some(part) = self.own.as_mut() else { return Ok(()) };
        if part.dealer.is_none() {
            let reals = value::plain(roster.plan(), &contribution.values, contribution.weight)?;
            let tensors = reals.into_iter().map(<[f64]>::to_vec).collect();
            self.plain.insert(Rank::INITIATOR, Plain::new(contribution.weight, tensors));
            self.came.insert(Rank::INITIATOR);
            return Ok(());
        }
        part.values = Some(value::encode(roster.plan(), roster.participants(), &contribution.values)?);
        self.add_own()
    }

    /// Adds the own masked values, where they are there and due.
    fn add_own(&mut self) -> Result<(), Error> {
        let due = self.waiting == Waiting::Values && !self.lost.contains(&Rank::INITIATOR);
        let Some(part) = self.own.as_mut().filter(|_| due) else { return Ok(()) };
        let (Some(dealer), Some(mut ring)) = (part.dealer.as_ref(), part.values.take()) else { return Ok(()) };
        dealer.mask(&mut ring)?;
        add(&mut self.sum, &ring);
        self.came.insert(Rank::INITIATOR);
        Ok(())
    }

    /// The step is over: the next one, or the outcome.
    fn advance(&mut self, send: &mut Vec<Outgoing>) -> Result<Option<Outcome>, Error> {
        match self.waiting {
            Waiting::Start => Ok(None),
            Waiting::Shares => self.share(send).map(|()| None),
            Waiting::Values if self.sharers.is_empty() => self.finish_plain(send).map(Some),
            Waiting::Values => self.survive(send).map(|()| None),
            Waiting::Agreed => self.ask(send).map(|()| None),
            Waiting::Unmask => self.finish(send).map(Some),
        }
    }

    /// U2 is known: SHARED.
    fn share(&mut self, send: &mut Vec<Outgoing>) -> Result<(), Error> {
        self.shares.retain(|rank, _| !self.lost.contains(rank));
        self.sharers = self.shares.keys().copied().collect();
        for rank in self.present(&self.sharers) {
            let near = self.near(rank).into_iter().filter(|other| self.shares.contains_key(other));
            let entries: Vec<Entry> = near.filter_map(|other| self.entry(other, rank)).collect();
            send.push(outgoing(rank, Kind::Shared, self.round(), write_shared(&self.sharers, &entries)));
        }
        if let Some(dealer) = self.own.as_mut().and_then(|part| part.dealer.as_mut()) {
            dealer.keep(&self.sharers);
        }
        self.expect(Waiting::Values, self.sharers.clone());
        self.add_own()
    }

    /// The entry of a rank for another one, under the name of the first.
    fn entry(&self, from: Rank, to: Rank) -> Option<Entry> {
        let entries = &self.shares.get(&from)?.entries;
        let place = entries.binary_search_by_key(&to, |entry| entry.rank).ok()?;
        Some(Entry { rank: from, ..entries[place].clone() })
    }

    /// U3 is known: SURVIVORS.
    fn survive(&mut self, send: &mut Vec<Outgoing>) -> Result<(), Error> {
        self.survivors = self.came.iter().copied().collect();
        if !self.history.allows(&self.roster.past(&self.survivors)) {
            let cause = "the survivors differ by one party from those of an earlier round";
            return Err(Error::job(Code::RosterDifference, "AGG-26", cause));
        }
        let list = write_list(&self.survivors);
        for rank in self.present(&self.survivors) {
            send.push(outgoing(rank, Kind::Survivors, self.round(), list.clone()));
        }
        self.expect(Waiting::Agreed, self.survivors.clone());
        let own = self.own.as_ref().and_then(|part| part.dealer.as_ref());
        if let Some(dealer) = own.filter(|_| self.expected.contains(&Rank::INITIATOR)) {
            let signature = dealer.agree(&write_list(&self.sharers), &list);
            self.agreed.insert(Rank::INITIATOR, signature);
            self.came.insert(Rank::INITIATOR);
        }
        Ok(())
    }

    /// Enough signed: AGREEMENT.
    fn ask(&mut self, send: &mut Vec<Outgoing>) -> Result<(), Error> {
        let signers: Vec<Rank> = self.agreed.keys().copied().collect();
        for rank in self.present(&signers) {
            let payload = write_signatures(&self.near_signatures(rank, &self.agreed));
            send.push(outgoing(rank, Kind::Agreement, self.round(), payload));
        }
        self.expect(Waiting::Unmask, signers);
        let due = self.expected.contains(&Rank::INITIATOR);
        if let Some(dealer) = self.own.as_mut().filter(|_| due).and_then(|part| part.dealer.take()) {
            let opened = dealer.unmask(&self.survivors);
            self.keep_opened(Rank::INITIATOR, opened)?;
            self.came.insert(Rank::INITIATOR);
        }
        Ok(())
    }

    fn finish(&mut self, send: &mut Vec<Outgoing>) -> Result<Outcome, Error> {
        let facts = rebuild::Facts { roster: &self.roster, sharers: &self.sharers, survivors: &self.survivors };
        facts.unmask(&self.shares, &self.opened, &mut self.sum)?;
        self.opened.clear();
        if self.roster.plan().result == SumTo::All {
            for rank in self.present(&self.survivors) {
                send.push(ring_message(&self.roster, rank, Kind::Sum, &self.sum)?);
            }
        }
        let sums = value::decode(self.roster.plan(), self.roster.participants(), &self.sum)?;
        Ok(self.outcome(sums))
    }

    fn finish_plain(&mut self, send: &mut Vec<Outgoing>) -> Result<Outcome, Error> {
        self.survivors = self.plain.keys().copied().filter(|rank| self.came.contains(rank)).collect();
        let means = mean::weighted(&self.plain, self.roster.plan())?;
        if self.roster.plan().result == SumTo::All {
            let payload = mean::envelope(&means, self.roster.plan());
            for rank in self.present(&self.survivors) {
                send.push(outgoing(rank, Kind::Sum, self.round(), payload.clone()));
            }
        }
        Ok(self.outcome(means))
    }

    fn outcome(&mut self, sums: Sums) -> Outcome {
        Outcome {
            sums,
            survivors: self.survivors.clone(),
            lost: self.lost.iter().copied().collect(),
            blamed: self.blamed.clone(),
            past: self.roster.past(&self.survivors),
        }
    }
}

/// Adds modulo 2^64, element by element.
fn add(sum: &mut [u64], values: &[u64]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum = sum.wrapping_add(*value);
    }
}
