//! The collaborator's first part: its epoch, made now where it has none for its present keys, and the initiator's size.
use super::set::{Epoch, Tag, tag, tag_bytes};
use super::wire::{epoch_message, read_size, wait_message};
use crate::align::wire::check_place;
use crate::align::{AlignPlan, BATCH_ELEMENTS};
use crate::{Error, Kind, Machine, Message, Step};
use hefu_core::{Code, Progress, Rank, Stage};
use hefu_crypto::oprf::OprfKey;

/// Where an epoch comes from.
#[derive(Debug)]
pub enum Source<'a> {
    /// It was made before, of the same keys in the same order.
    Kept(Box<Epoch>),
    /// It is to be made: a fresh key (OPRF-8), and the valid, distinct keys of the dataset.
    Fresh {
        /// The key.
        key: OprfKey,
        /// The keys.
        own_keys: &'a [String],
    },
}

/// What the announcement ends with.
#[derive(Debug)]
pub struct Announced {
    /// The epoch; a new one is to be kept before the next machine begins.
    pub epoch: Box<Epoch>,
    /// Whether it was made just now.
    pub is_new: bool,
    /// Keys that the initiator wants evaluated: to be counted before the next machine begins (OPRF-7).
    pub keys: u64,
    /// Whether the initiator holds the set.
    pub holds: bool,
}

/// The collaborator until the initiator's OPRF_SIZE.
pub struct Announcement<'a> {
    plan: AlignPlan,
    state: State<'a>,
}

enum State<'a> {
    Ready { epoch: Box<Epoch>, is_new: bool },
    Evaluating { key: OprfKey, own_keys: &'a [String], tags: Vec<(Tag, u32)> },
    Announced { epoch: Box<Epoch>, is_new: bool },
    Over,
}

impl<'a> Announcement<'a> {
    /// An announcement to the initiator.
    pub fn new(plan: AlignPlan, source: Source<'a>) -> Self {
        let state = match source {
            Source::Kept(epoch) => State::Ready { epoch, is_new: false },
            Source::Fresh { key, own_keys } => {
                State::Evaluating { key, own_keys, tags: Vec::with_capacity(own_keys.len()) }
            }
        };
        Announcement { plan, state }
    }

    /// Evaluates the next keys, and says how far it is.
    fn evaluate(
        mut self,
        key: OprfKey,
        own_keys: &'a [String],
        mut tags: Vec<(Tag, u32)>,
    ) -> Result<Step<Self>, Error> {
        let m = own_keys.len() as u64;
        if u32::try_from(m).is_err() {
            return Err(Error::job(Code::TooManyRows, "ALIGN-6", "too many rows of one's own"));
        }
        let (width, first) = (tag_bytes(m), tags.len());
        if first == own_keys.len() {
            self.state = State::Ready { epoch: Box::new(Epoch::of_tags(key, tags, width)?), is_new: true };
            return Ok(Step::go_on(self));
        }
        let batch = &own_keys[first..(first + BATCH_ELEMENTS).min(own_keys.len())];
        tags.extend(key.evaluate(batch).iter().zip(first as u32..).map(|(output, own)| (tag(output, width), own)));
        let evaluated = tags.len() as u64;
        self.state = State::Evaluating { key, own_keys, tags };
        let progress = Progress { stage: Stage::Align, done: evaluated, total: m.max(1) };
        Ok(Step::go_on(self).sending(vec![wait_message(Rank::INITIATOR, evaluated, m)]).at(progress))
    }
}

impl Machine for Announcement<'_> {
    type Output = Announced;

    fn step(mut self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        if let Some((rank, message)) = &input {
            check_place(message, *rank)?;
        }
        match (std::mem::replace(&mut self.state, State::Over), input) {
            (State::Evaluating { key, own_keys, tags }, None) => self.evaluate(key, own_keys, tags),
            (State::Ready { epoch, is_new }, None) => {
                let send = vec![epoch_message(Rank::INITIATOR, epoch.id(), epoch.public(), epoch.set().count())];
                self.state = State::Announced { epoch, is_new };
                Ok(Step::wait(self).sending(send))
            }
            (State::Announced { epoch, is_new }, Some((Rank::INITIATOR, message)))
                if message.kind == Kind::OprfSize =>
            {
                let (keys, holds) = read_size(&message.payload, Rank::INITIATOR, self.plan.max_rows)?;
                Ok(Step::done(Announced { epoch, is_new, keys, holds }))
            }
            (_, Some((rank, _))) => Err(Error::unexpected(rank)),
            (_, None) => Err(Error::job(Code::Internal, "", "an announcement's step without its message")),
        }
    }
}
