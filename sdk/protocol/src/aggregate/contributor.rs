//! The participant from its values on: SHARED to UNMASK, and the sum where everyone is sent it (section 5, steps 2 to
//! 5).
use super::deal::Dealer;
use super::history::{History, PastRound};
use super::method::Secrecy;
use super::participant::{COORDINATOR, at, by_coordinator, check_size, dropped};
use super::plan::read_reals;
use super::roster::Roster;
use super::value::{self, Sums, Total};
use super::wire::{
    check_place, out_of_order, outgoing, read_list, read_shared, read_shared_entries, read_signatures, write_list,
    write_unmask,
};
use crate::envelope::{Borrowed, encode_borrowed};
use crate::{Elements, Error, Kind, Machine, Message, Outgoing, Step, decode_envelope};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Rank, SumTo};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Messages of which a second one is refused as such (AGG-18).
const ONCE: [Kind; 3] = [Kind::Shared, Kind::Survivors, Kind::Agreement];

/// What is said of a message that is not due, where the first `passed` of [`ONCE`] came before.
fn not_due(message: &Message, from: Rank, passed: usize) -> Error {
    if from == COORDINATOR && ONCE[..passed].contains(&message.kind) {
        let cause = "the coordinator sent a message of the round a second time";
        return by_coordinator(Code::DoubleUnmask, "AGG-18", cause);
    }
    Error::unexpected(from)
}

pub(super) fn not_within() -> Error {
    by_coordinator(Code::RosterMismatch, "AGG-16", "the coordinator names ranks that were not there before")
}

/// MASKED_SUM or SUM: the ring elements of all tensors.
pub(super) fn ring_message(roster: &Roster, to: Rank, kind: Kind, ring: &[u64]) -> Result<Outgoing, Error> {
    let (plan, mut rest) = (roster.plan(), ring);
    let mut tensors = Vec::with_capacity(plan.tensors.len());
    for (tensor, form) in plan.tensors.iter().zip(roster.forms()?) {
        let (part, tail) = rest.split_at_checked(tensor.len() * tensor.limbs()).unwrap_or((rest, &[]));
        rest = tail;
        tensors.push((form, Borrowed::U64(part)));
    }
    Ok(outgoing(to, kind, plan.round, encode_borrowed(plan.round, &tensors)))
}

/// A participant with its values: awaits SHARED, sends MASKED_SUM; awaits SURVIVORS, signs it; awaits AGREEMENT.
///
/// It is done before it answers, so that its caller can write the round down before a share leaves (AGG-25).
pub struct Contributor {
    state: State,
}

enum State {
    Shared(Box<Sharing>),
    Survivors(Box<Masked>),
    Agreement(Box<Agreeing>),
    Plain(Arc<Roster>, Vec<u8>),
    Over,
}

/// Awaits SHARED.
pub(super) struct Sharing {
    pub(super) dealer: Dealer,
    /// The neighbours in U1.
    pub(super) near: Vec<Rank>,
    pub(super) ring: Zeroizing<Vec<u64>>,
    pub(super) history: History,
}

/// Awaits SURVIVORS.
struct Masked {
    dealer: Dealer,
    /// U2.
    sharers: Vec<Rank>,
    history: History,
}

/// Awaits AGREEMENT.
struct Agreeing {
    dealer: Dealer,
    /// The list U2, and the list U3.
    signed: (Vec<u8>, Vec<u8>),
    survivors: Vec<Rank>,
    past: PastRound,
}

impl Contributor {
    pub(super) fn masked(sharing: Sharing) -> Self {
        Contributor { state: State::Shared(Box::new(sharing)) }
    }

    pub(super) fn plain(roster: Arc<Roster>, payload: Vec<u8>) -> Self {
        Contributor { state: State::Plain(roster, payload) }
    }

    fn roster(&self) -> Option<&Roster> {
        match &self.state {
            State::Shared(state) => Some(state.dealer.roster()),
            State::Survivors(state) => Some(state.dealer.roster()),
            State::Agreement(state) => Some(state.dealer.roster()),
            State::Plain(roster, _) => Some(roster),
            State::Over => None,
        }
    }

    fn wait(state: State, send: Vec<Outgoing>, done: u64) -> Step<Self> {
        Step::wait(Contributor { state }).sending(send).at(at(done))
    }
}

impl Sharing {
    /// SHARED: U2 and the neighbours' shares; answers the masked values.
    fn receive(mut self, payload: &[u8]) -> Result<(Masked, Outgoing), Error> {
        let roster = self.dealer.roster().clone();
        let own = self.dealer.rank();
        let (sharers, rest) = read_shared(payload, COORDINATOR)?;
        check_size(sharers.len(), roster.plan().threshold)?;
        if sharers.binary_search(&own).is_err() {
            return Err(dropped());
        }
        let mut near = roster.neighbours(own);
        near.retain(|rank| sharers.binary_search(rank).is_ok());
        let known = near.iter().all(|rank| self.near.binary_search(rank).is_ok());
        if !known || !sharers.iter().all(|rank| roster.contains(*rank)) {
            return Err(not_within());
        }
        check_size(near.len() + 1, roster.sharing_threshold())?;
        for entry in read_shared_entries(rest, COORDINATOR, &near)? {
            if !roster.signed_entry(entry.rank, own, &entry) && !is_on(Switch::AcceptsUnsignedShares) {
                let cause = "a share that the coordinator passed on is not signed by its owner";
                return Err(by_coordinator(Code::BadSignature, "AGG-28", cause));
            }
            self.dealer.hold(entry.rank, &entry)?;
        }
        self.dealer.mask(&mut self.ring)?;
        // masked, they are no secret any more
        let ring = std::mem::take(&mut *self.ring);
        let send = ring_message(&roster, COORDINATOR, Kind::MaskedSum, &ring)?;
        Ok((Masked { dealer: self.dealer, sharers, history: self.history }, send))
    }
}

impl Masked {
    /// SURVIVORS: U3; answers the signature over it.
    fn receive(self, payload: &[u8]) -> Result<(Agreeing, Outgoing), Error> {
        let roster = self.dealer.roster();
        let survivors = read_list(payload, COORDINATOR)?;
        check_size(survivors.len(), roster.plan().threshold)?;
        if survivors.binary_search(&self.dealer.rank()).is_err() && !is_on(Switch::AcceptsBeingDropped) {
            return Err(dropped());
        }
        if !survivors.iter().all(|rank| self.sharers.binary_search(rank).is_ok()) {
            return Err(not_within());
        }
        let past = roster.past(&survivors);
        if !self.history.allows(&past) {
            let cause = "the survivors differ by one party from those of an earlier round";
            return Err(by_coordinator(Code::RosterDifference, "AGG-25", cause));
        }
        let signed = (write_list(&self.sharers), write_list(&survivors));
        let signature = self.dealer.agree(&signed.0, &signed.1);
        let send = outgoing(COORDINATOR, Kind::Agreed, roster.plan().round, signature.to_vec());
        Ok((Agreeing { dealer: self.dealer, signed, survivors, past }, send))
    }
}

impl Agreeing {
    /// AGREEMENT: enough of the survivors signed the same lists (AGG-17).
    fn receive(self, payload: &[u8]) -> Result<Answering, Error> {
        let roster = self.dealer.roster().clone();
        let own = self.dealer.rank();
        let near = roster.neighbours(own);
        let allowed = |rank: Rank| {
            (rank == own || near.binary_search(&rank).is_ok()) && self.survivors.binary_search(&rank).is_ok()
        };
        let signatures = read_signatures(payload, COORDINATOR)?;
        if !signatures.iter().all(|(rank, _)| allowed(*rank)) {
            return Err(out_of_order(COORDINATOR));
        }
        let signed =
            |(rank, signature): &(Rank, _)| roster.signed_survivors(*rank, &self.signed.0, &self.signed.1, signature);
        if !signatures.iter().all(signed) && !is_on(Switch::AcceptsUnsignedSurvivors) {
            let cause = "a participant did not sign these survivors";
            return Err(by_coordinator(Code::RosterMismatch, "AGG-17", cause));
        }
        if signatures.len() < usize::from(roster.sharing_threshold()) {
            let cause = "too few participants signed these survivors";
            return Err(by_coordinator(Code::RosterMismatch, "AGG-17", cause));
        }
        let payload = write_unmask(&self.dealer.unmask(&self.survivors));
        let message = outgoing(COORDINATOR, Kind::Unmask, roster.plan().round, payload);
        Ok(Answering { roster, message: Some(message), past: Some(self.past), survivors: self.survivors })
    }
}

impl Machine for Contributor {
    type Output = Answering;

    fn step(mut self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        let Some((from, message)) = input else {
            let State::Plain(roster, payload) = self.state else { return Ok(Step::wait(self)) };
            let message = outgoing(COORDINATOR, Kind::Plain, roster.plan().round, payload);
            let answering = Answering { roster, message: Some(message), past: None, survivors: Vec::new() };
            return Ok(Step::done(answering).at(at(4)));
        };
        let round = self.roster().map_or(0, |roster| roster.plan().round);
        check_place(&message, round, from)?;
        let state = std::mem::replace(&mut self.state, State::Over);
        match (state, message.kind) {
            (State::Shared(state), Kind::Shared) if from == COORDINATOR => {
                let (masked, send) = state.receive(&message.payload)?;
                Ok(Self::wait(State::Survivors(Box::new(masked)), vec![send], 2))
            }
            (State::Survivors(state), Kind::Survivors) if from == COORDINATOR => {
                let (agreeing, send) = state.receive(&message.payload)?;
                Ok(Self::wait(State::Agreement(Box::new(agreeing)), vec![send], 3))
            }
            (State::Agreement(state), Kind::Agreement) if from == COORDINATOR => {
                Ok(Step::done(state.receive(&message.payload)?).at(at(4)))
            }
            (State::Survivors(_), _) => Err(not_due(&message, from, 1)),
            (State::Agreement(_), _) => Err(not_due(&message, from, 2)),
            _ => Err(not_due(&message, from, 0)),
        }
    }
}

/// A participant that is about to send its shares (or, in `aggregate-mean-1`, its values), and its last message.
pub struct Answering {
    roster: Arc<Roster>,
    message: Option<Outgoing>,
    past: Option<PastRound>,
    survivors: Vec<Rank>,
}

impl Answering {
    /// The round, to be written down before the first step: with the shares it counts as completed (AGG-25). None in
    /// `aggregate-mean-1`, which has no exact statistic.
    pub fn past(&self) -> Option<&PastRound> {
        self.past.as_ref()
    }

    fn done(self, sum: Option<Sums>) -> Step<Self> {
        let masked = self.past.is_some();
        Step::done(Contributed { round: self.roster.plan().round, masked, survivors: self.survivors, sum }).at(at(5))
    }

    fn read_sum(&self, payload: &[u8]) -> Result<Sums, Error> {
        let plan = self.roster.plan();
        if plan.method()?.secrecy() == Secrecy::Plain {
            let means = read_reals(payload, plan.round, COORDINATOR, &plan.model_forms())?;
            return Ok(Sums::new(means.into_iter().map(Total::Mean).collect()));
        }
        let tensors = decode_envelope(payload, plan.round, COORDINATOR, &self.roster.forms()?)?;
        let mut ring = Vec::with_capacity(plan.ring_elements());
        for elements in tensors {
            if let Elements::Ring(limbs) = elements {
                ring.extend(limbs);
            }
        }
        value::decode(plan, self.roster.participants(), &ring)
    }
}

impl Machine for Answering {
    type Output = Contributed;

    fn step(mut self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        let plan = self.roster.plan();
        match input {
            None => {
                let send = self.message.take().into_iter().collect();
                let waits = plan.result == SumTo::All;
                Ok(if waits { Step::wait(self) } else { self.done(None) }.sending(send))
            }
            Some((from, message)) => {
                check_place(&message, plan.round, from)?;
                if from != COORDINATOR || message.kind != Kind::Sum {
                    return Err(not_due(&message, from, if self.past.is_some() { ONCE.len() } else { 0 }));
                }
                let sum = self.read_sum(&message.payload)?;
                Ok(self.done(Some(sum)))
            }
        }
    }
}

/// A participant that is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributed {
    round: u32,
    masked: bool,
    survivors: Vec<Rank>,
    sum: Option<Sums>,
}

impl Contributed {
    /// U3; empty in `aggregate-mean-1`.
    pub fn survivors(&self) -> &[Rank] {
        &self.survivors
    }

    /// The sum, where the plan sends it to everyone.
    pub fn sum(&self) -> Option<&Sums> {
        self.sum.as_ref()
    }

    /// What to say of a message that comes after the round, where only the session's end may come (AGG-18, FRAME-11).
    pub fn refuse(&self, from: Rank, message: &Message) -> Error {
        let due = check_place(message, self.round, from).is_ok() && self.masked;
        not_due(message, from, if due { ONCE.len() } else { 0 })
    }
}
