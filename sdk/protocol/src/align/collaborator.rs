//! The collaborator's side of alignment.
use super::AlignPlan;
use super::secrets::Secrets;
use super::wire::{
    ABSENT, BATCH_ELEMENTS, Elements, batch_message, check_place, domain_tag, read_size, size_message, tag, tag_bytes,
};
use crate::error::Blame;
use crate::session::Keys;
use crate::{Error, Kind, Machine, Message, Step};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Join, Progress, Rank, Reader, Stage};
use hefu_crypto::{Blinder, ELEMENT_BYTES, Seed};
use std::sync::Arc;

/// What a collaborator ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignedCollaborator {
    /// Index of the own key of each row of the job, [`ABSENT`] where it has none.
    pub rows: Vec<u32>,
    /// The first so many rows are training rows, the others test rows.
    pub training_rows: u32,
}

/// The collaborator of an alignment.
pub struct Collaborator {
    keys: Arc<Keys>,
    plan: AlignPlan,
    own_keys: Vec<String>,
    secrets: Secrets,
    state: State,
}

enum State {
    Start,
    /// Awaits ALIGN_SIZE.
    Size,
    /// Answers the initiator's elements; sends its own batches between them.
    Matching(Box<Matching>),
    /// Awaits ALIGN_ROWS.
    Rows {
        order: Vec<u32>,
        rows: Vec<u32>,
        taken: Vec<bool>,
        total: Option<(u32, u32)>,
    },
}

struct Matching {
    blinder: Blinder,
    /// Position in the own blinded sequence → own key.
    order: Vec<u32>,
    sent: usize,
    tag_bytes: usize,
    incoming: Elements,
}

impl Collaborator {
    /// A collaborator with its valid, distinct keys. `keys` are those of the session; the rank is the own one there.
    pub fn new(keys: Arc<Keys>, plan: AlignPlan, own_keys: Vec<String>, seed: Seed) -> Self {
        Self::with(keys, plan, own_keys, Secrets::Seed(seed))
    }

    /// A collaborator with secrets from elsewhere.
    pub(super) fn with(keys: Arc<Keys>, plan: AlignPlan, own_keys: Vec<String>, secrets: Secrets) -> Self {
        Collaborator { keys, plan, own_keys, secrets, state: State::Start }
    }

    /// The own scalar, fresh for this session (ALIGN-5).
    fn blinder(&self) -> Blinder {
        if is_on(Switch::StaticScalar) {
            return Blinder::new(&Seed::new([0; 32]));
        }
        self.secrets.blinder(Rank::INITIATOR)
    }

    fn begin_matching(mut self, n: u64) -> Result<Step<Self>, Error> {
        let m = self.own_keys.len() as u64;
        let count =
            u32::try_from(m).map_err(|_| Error::job(Code::TooManyRows, "ALIGN-6", "too many rows of one's own"))?;
        let matching = Matching {
            blinder: self.blinder(),
            order: self.secrets.order(Rank::INITIATOR, count),
            sent: 0,
            tag_bytes: tag_bytes(n, m),
            incoming: Elements::new(Rank::INITIATOR, n),
        };
        self.state = State::Matching(Box::new(matching));
        Ok(Step::go_on(self))
    }

    /// Sends the next batch of own elements; then waits for the initiator's, or for the rows.
    fn send_own(mut self, mut matching: Box<Matching>) -> Step<Self> {
        let end = (matching.sent + BATCH_ELEMENTS).min(self.own_keys.len());
        if matching.sent < end {
            let batch: Vec<&str> =
                matching.order[matching.sent..end].iter().map(|key| self.own_keys[*key as usize].as_str()).collect();
            let tag = domain_tag(&self.keys, self.keys.own());
            let blinded = matching.blinder.hash_and_blind(&tag, &batch);
            let send = vec![batch_message(Rank::INITIATOR, Kind::AlignBlinded, matching.sent, &blinded, ELEMENT_BYTES)];
            matching.sent = end;
            let progress = self.progress(&matching);
            self.state = State::Matching(matching);
            return Step::go_on(self).sending(send).at(progress);
        }
        self.await_more(matching)
    }

    fn await_more(mut self, matching: Box<Matching>) -> Step<Self> {
        if matching.incoming.batches().is_complete() {
            let taken = vec![false; matching.order.len()];
            self.state = State::Rows { order: matching.order, rows: Vec::new(), taken, total: None };
        } else {
            self.state = State::Matching(matching);
        }
        Step::wait(self)
    }

    fn progress(&self, matching: &Matching) -> Progress {
        Progress {
            stage: Stage::Align,
            done: matching.sent as u64 + matching.incoming.batches().received(),
            total: (self.own_keys.len() as u64 + matching.incoming.batches().total()).max(1),
        }
    }

    fn answer(self, mut matching: Box<Matching>, payload: &[u8]) -> Result<Step<Self>, Error> {
        let first = matching.incoming.batches().received() as usize;
        let products = matching.incoming.take(payload, &matching.blinder)?;
        let own = self.keys.own();
        let tags: Vec<[u8; 32]> = products.iter().map(|product| tag(&self.keys, own, product)).collect();
        let send = vec![batch_message(Rank::INITIATOR, Kind::AlignTags, first, &tags, matching.tag_bytes)];
        let progress = self.progress(&matching);
        Ok(self.await_more(matching).sending(send).at(progress))
    }

    fn read_rows(
        mut self,
        order: Vec<u32>,
        mut rows: Vec<u32>,
        mut taken: Vec<bool>,
        total: Option<(u32, u32)>,
        payload: &[u8],
    ) -> Result<Step<Self>, Error> {
        let from = Rank::INITIATOR;
        let mut reader = Reader::new(payload);
        let head = (reader.u32().blame(from)?, reader.u32().blame(from)?);
        let first = reader.u32().blame(from)?;
        let positions = reader.rest();
        let expected = (u64::from(head.0).saturating_sub(rows.len() as u64)).min(BATCH_ELEMENTS as u64);
        let follows = total.is_none_or(|total| total == head)
            && head.1 <= head.0
            && u64::from(head.0) <= self.plan.max_rows
            && first as usize == rows.len()
            && positions.len() as u64 == 4 * expected
            && expected > 0;
        if !follows {
            return Err(Error::peer(from, Code::MalformedMessage, "ALIGN-4", "a batch of rows is not the next one"));
        }
        for position in positions.chunks_exact(4) {
            let position = u32::from_le_bytes([position[0], position[1], position[2], position[3]]);
            rows.push(self.take(&order, &mut taken, position)?);
        }
        if rows.len() < head.0 as usize {
            self.state = State::Rows { order, rows, taken, total: Some(head) };
            return Ok(Step::wait(self));
        }
        let matched = rows.iter().filter(|row| **row != ABSENT).count() as u64;
        if matched < self.plan.min_rows {
            return Err(Error::job(Code::TooFewRows, "ALIGN-11", "fewer rows are common than this party's minimum"));
        }
        Ok(Step::done(AlignedCollaborator { rows, training_rows: head.1 }))
    }

    fn take(&self, order: &[u32], taken: &mut [bool], position: u32) -> Result<u32, Error> {
        let refuse = |cause| Error::peer(Rank::INITIATOR, Code::BadPosition, "ALIGN-8", cause);
        if position == ABSENT {
            return match self.plan.join {
                Join::Left => Ok(ABSENT),
                Join::Inner => Err(refuse("an absent position under inner join")),
            };
        }
        match taken.get_mut(position as usize) {
            Some(taken) if !*taken || is_on(Switch::AcceptsRepeatedPosition) => {
                *taken = true;
                Ok(order[position as usize])
            }
            Some(_) => Err(refuse("a position came twice")),
            None => Err(refuse("a position is out of range")),
        }
    }
}

impl Machine for Collaborator {
    type Output = AlignedCollaborator;

    fn step(mut self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        if let Some((rank, message)) = &input {
            check_place(message, *rank)?;
        }
        let state = std::mem::replace(&mut self.state, State::Start);
        match (state, input) {
            (State::Start, None) => {
                let send = vec![size_message(Rank::INITIATOR, self.own_keys.len() as u64)];
                self.state = State::Size;
                Ok(Step::wait(self).sending(send))
            }
            (State::Size, Some((Rank::INITIATOR, message))) if message.kind == Kind::AlignSize => {
                let n = read_size(&message.payload, Rank::INITIATOR, self.plan.max_rows)?;
                self.begin_matching(n)
            }
            (State::Matching(matching), None) => Ok(self.send_own(matching)),
            (State::Matching(matching), Some((Rank::INITIATOR, message))) if message.kind == Kind::AlignBlinded => {
                self.answer(matching, &message.payload)
            }
            (State::Rows { order, rows, taken, total }, Some((Rank::INITIATOR, message)))
                if message.kind == Kind::AlignRows =>
            {
                self.read_rows(order, rows, taken, total, &message.payload)
            }
            (_, Some((rank, _))) => Err(Error::unexpected(rank)),
            (_, None) => Err(Error::job(Code::Internal, "", "an alignment step without its message")),
        }
    }
}
