//! The collaborator's side of alignment.
use super::AlignPlan;
use super::rows::RowsReader;
use super::secrets::Secrets;
use super::wire::{
    BATCH_ELEMENTS, Elements, batch_message, check_place, domain_tag, read_size, size_message, tag, tag_bytes,
};
use crate::session::Keys;
use crate::{Error, Kind, Machine, Message, Step};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Progress, Rank, Stage};
use hefu_crypto::{Blinder, ELEMENT_BYTES, Seed};
use std::sync::Arc;

/// What a collaborator ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignedCollaborator {
    /// Index of the own key of each row of the job, [`ABSENT`](super::ABSENT) where it has none.
    pub rows: Vec<u32>,
    /// The first so many rows are training rows, the others test rows.
    pub training_rows: u32,
}

/// The collaborator of an alignment.
pub struct Collaborator<'a> {
    keys: Arc<Keys>,
    plan: AlignPlan,
    own_keys: &'a [String],
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
    Rows(RowsReader),
}

struct Matching {
    blinder: Blinder,
    /// Position in the own blinded sequence → own key.
    order: Vec<u32>,
    sent: usize,
    tag_bytes: usize,
    incoming: Elements,
}

impl<'a> Collaborator<'a> {
    /// A collaborator with its valid, distinct keys. `keys` are those of the session; the rank is the own one there.
    pub fn new(keys: Arc<Keys>, plan: AlignPlan, own_keys: &'a [String], seed: Seed) -> Self {
        Self::with(keys, plan, own_keys, Secrets::Seed(seed))
    }

    /// A collaborator with secrets from elsewhere.
    pub(super) fn with(keys: Arc<Keys>, plan: AlignPlan, own_keys: &'a [String], secrets: Secrets) -> Self {
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
            self.state = State::Rows(RowsReader::new(self.plan, matching.order));
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

    fn read_rows(mut self, mut reader: RowsReader, payload: &[u8]) -> Result<Step<Self>, Error> {
        if let Some(aligned) = reader.read(payload)? {
            return Ok(Step::done(aligned));
        }
        self.state = State::Rows(reader);
        Ok(Step::wait(self))
    }
}

impl Machine for Collaborator<'_> {
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
            (State::Rows(reader), Some((Rank::INITIATOR, message))) if message.kind == Kind::AlignRows => {
                self.read_rows(reader, &message.payload)
            }
            (_, Some((rank, _))) => Err(Error::unexpected(rank)),
            (_, None) => Err(Error::job(Code::Internal, "", "an alignment step without its message")),
        }
    }
}
