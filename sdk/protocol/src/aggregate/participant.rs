//! The participant: one consuming state after the other (sections 4, 5 and 7).
use super::contributor::{Contributor, Sharing, not_within};
use super::deal::{Dealer, Own};
use super::history::History;
use super::method::Secrecy;
use super::plan::{Plan, read_reals, write_reals};
use super::roster::Roster;
use super::value::{self, Contribution, Values};
use super::wire::{check_place, outgoing, read_signatures, write_plain, write_shares};
use crate::{Error, Kind, Machine, Message, Step};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Progress, Rank, Stage};
use hefu_crypto::sha256;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const COORDINATOR: Rank = Rank::INITIATOR;
/// Steps of a participant, for its progress.
const STEPS: u64 = 5;

pub(super) fn by_coordinator(code: Code, requirement: &'static str, cause: &'static str) -> Error {
    Error::peer(COORDINATOR, code, requirement, cause)
}

pub(super) fn at(done: u64) -> Progress {
    Progress { stage: Stage::Aggregate, done, total: STEPS }
}

/// A participant that joins: awaits PARAMETERS and ROSTER, sends SHARES.
pub struct Participant {
    roster: Arc<Roster>,
    source: Option<Source>,
    history: History,
    state: Join,
}

/// Where the own secrets come from.
enum Source {
    Own(Own),
    /// Given, for a test vector.
    #[cfg(test)]
    Dealer(Box<Dealer>),
}

enum Join {
    Start,
    Parameters,
    Roster(Vec<Vec<f64>>),
}

impl Participant {
    /// A participant of a confirmed session; the own rank is that of the session's keys.
    pub fn new(roster: Arc<Roster>, own: Own, history: History) -> Self {
        Participant { roster, source: Some(Source::Own(own)), history, state: Join::Start }
    }

    /// A participant with secrets from elsewhere.
    #[cfg(test)]
    pub(super) fn with(dealer: Dealer) -> Self {
        let (roster, source) = (dealer.roster().clone(), Some(Source::Dealer(Box::new(dealer))));
        Participant { roster, source, history: History::default(), state: Join::Start }
    }

    fn read_parameters(&self, payload: &[u8]) -> Result<Vec<Vec<f64>>, Error> {
        let plan = self.roster.plan();
        if sha256(&[payload]) != plan.parameters && !is_on(Switch::AcceptsOtherParameters) {
            let cause = "the parameters have not the digest of the offer";
            return Err(by_coordinator(Code::ParametersMismatch, "AGG-12", cause));
        }
        read_reals(payload, plan.round, COORDINATOR, self.roster.parameter_forms())
    }

    fn take_parameters(mut self, payload: &[u8]) -> Result<Step<Self>, Error> {
        let parameters = self.read_parameters(payload)?;
        if self.roster.plan().method()?.secrecy() == Secrecy::Masked {
            self.state = Join::Roster(parameters);
            return Ok(Step::wait(self));
        }
        let joined = Joined { part: Part::Plain(self.roster), history: self.history, parameters };
        Ok(Step::done(joined).at(at(1)))
    }

    /// ROSTER: who is U1; then the own shares.
    fn take_roster(mut self, parameters: Vec<Vec<f64>>, payload: &[u8]) -> Result<Step<Self>, Error> {
        let roster = &self.roster;
        let own = roster.keys().own();
        let mut near = roster.neighbours(own);
        let signatures = read_signatures(payload, COORDINATOR)?;
        let listed: BTreeSet<Rank> = signatures.iter().map(|(rank, _)| *rank).collect();
        check_size(listed.len(), roster.sharing_threshold())?;
        if !listed.contains(&own) {
            return Err(dropped());
        }
        if !listed.iter().all(|rank| *rank == own || near.binary_search(rank).is_ok()) {
            return Err(not_within());
        }
        let signed = signatures.iter().all(|(rank, signature)| roster.signed_transcript(*rank, signature));
        if !signed && !is_on(Switch::AcceptsUnsignedRoster) {
            let cause = "a participant did not sign this transcript";
            return Err(by_coordinator(Code::RosterMismatch, "AGG-13", cause));
        }
        near.retain(|rank| listed.contains(rank));
        let dealer = match self.source.take() {
            Some(Source::Own(secrets)) => Dealer::new(roster.clone(), secrets)?,
            #[cfg(test)]
            Some(Source::Dealer(dealer)) => *dealer,
            None => return Err(Error::job(Code::Internal, "", "a participant dealt its shares before")),
        };
        let payload = write_shares(&dealer.deal(&near)?);
        let send = vec![outgoing(COORDINATOR, Kind::Shares, roster.plan().round, payload)];
        let part = Part::Masked(Box::new(dealer), near);
        Ok(Step::done(Joined { part, history: self.history, parameters }).sending(send).at(at(1)))
    }
}

/// Refuses a set below its threshold (AGG-16).
pub(super) fn check_size(size: usize, threshold: u16) -> Result<(), Error> {
    if size >= usize::from(threshold) {
        return Ok(());
    }
    Err(by_coordinator(Code::BelowThreshold, "AGG-16", "the coordinator goes on below the threshold"))
}

pub(super) fn dropped() -> Error {
    by_coordinator(Code::WronglyDropped, "AGG-16", "the coordinator left this participant out")
}

impl Machine for Participant {
    type Output = Joined;

    fn step(mut self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        let Some((from, message)) = input else {
            self.state = Join::Parameters;
            return Ok(Step::wait(self));
        };
        check_place(&message, self.roster.plan().round, from)?;
        let state = std::mem::replace(&mut self.state, Join::Start);
        match (state, message.kind) {
            (Join::Parameters, Kind::Parameters) if from == COORDINATOR => self.take_parameters(&message.payload),
            (Join::Roster(parameters), Kind::Roster) if from == COORDINATOR => {
                self.take_roster(parameters, &message.payload)
            }
            _ => Err(Error::unexpected(from)),
        }
    }
}

/// A participant that has the parameters, and awaits its own values.
pub struct Joined {
    part: Part,
    history: History,
    parameters: Vec<Vec<f64>>,
}

enum Part {
    /// With the neighbours in U1.
    Masked(Box<Dealer>, Vec<Rank>),
    Plain(Arc<Roster>),
}

impl Joined {
    /// The parameters of the statistic, in the order of [`Plan::parameter_forms`].
    pub fn parameters(&self) -> &[Vec<f64>] {
        &self.parameters
    }

    fn plan(&self) -> &Plan {
        match &self.part {
            Part::Masked(dealer, _) => dealer.roster().plan(),
            Part::Plain(roster) => roster.plan(),
        }
    }

    /// The next state, with the own values.
    ///
    /// # Errors
    /// `NOT_FINITE`, `BEYOND_CLIP` (AGG-10), `SHAPE_MISMATCH`: this participant ends its part in the round.
    pub fn contribute(self, contribution: Contribution) -> Result<Contributor, Error> {
        let Contribution { values, weight } = contribution;
        match self.part {
            Part::Masked(dealer, near) => {
                let ring = value::encode(dealer.roster().plan(), dealer.roster().participants(), &values)?;
                Ok(Contributor::masked(Sharing { dealer: *dealer, near, ring, history: self.history }))
            }
            Part::Plain(roster) => {
                let payload = write_plain_values(roster.plan(), &values, weight)?;
                Ok(Contributor::plain(roster, payload))
            }
        }
    }
}

impl std::fmt::Debug for Joined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Joined(round {})", self.plan().round)
    }
}

/// The payload of PLAIN.
fn write_plain_values(plan: &Plan, values: &[Values], weight: f64) -> Result<Vec<u8>, Error> {
    let reals = value::plain(plan, values, weight)?;
    Ok(write_plain(weight, &write_reals(plan.round, &plan.model_forms(), &reals)))
}
