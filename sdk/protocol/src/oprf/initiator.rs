//! The initiator's side of unbalanced alignment, with all collaborators at once.
use super::secrets::Secrets;
use super::set::{Set, Tag, tag};
use super::wire::{EpochHead, malformed, read_epoch, read_wait, size_message};
use crate::align::wire::{Batches, Seen, batch_message, check_place};
use crate::align::{ABSENT, AlignPlan, AlignedInitiator, BATCH_ELEMENTS, rows};
use crate::error::Blame;
use crate::{Error, Kind, Machine, Message, Step};
use hefu_core::{Code, Progress, Rank, Stage};
use hefu_crypto::oprf::OprfBlind;
use hefu_crypto::{ELEMENT_BYTES, Seed};

/// A collaborator's set, as an initiator keeps it for later jobs of the same epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedSet {
    /// The public element of its epoch.
    pub public: [u8; ELEMENT_BYTES],
    /// The set.
    pub set: Set,
}

impl PublishedSet {
    /// The id of its epoch.
    pub fn epoch(&self) -> [u8; 32] {
        self.set.epoch(&self.public)
    }
}

/// What the initiator ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// The same as where both sides blind.
    pub aligned: AlignedInitiator,
    /// By collaborator: the set, where it came in this session.
    pub received: Vec<Option<PublishedSet>>,
}

/// The initiator of an unbalanced alignment.
pub struct Initiator {
    plan: AlignPlan,
    own_keys: Vec<String>,
    /// By collaborator, until the start.
    held: Vec<Option<PublishedSet>>,
    secrets: Secrets,
    peers: Vec<Peer>,
    /// The collaborator whose batches are sent next.
    turn: usize,
}

/// One collaborator, as the initiator sees it.
struct Peer {
    rank: Rank,
    blind: OprfBlind,
    order: Vec<u32>,
    sent: usize,
    /// What the last OPRF_WAIT said.
    waited: Option<(u64, u64)>,
    held: Option<PublishedSet>,
    exchange: Option<Exchange>,
}

struct Exchange {
    head: EpochHead,
    set: Set,
    /// Complete from the start where the set was held.
    incoming: Batches,
    is_new: bool,
    evaluations: Batches,
    seen: Seen,
    /// Tags of own keys, in sent order.
    own_tags: Vec<Tag>,
}

impl Initiator {
    /// An initiator with its valid, distinct keys. `held` has for each collaborator, rank 1 first, the set that was
    /// kept of it, or nothing.
    pub fn new(plan: AlignPlan, own_keys: Vec<String>, held: Vec<Option<PublishedSet>>, seed: Seed) -> Self {
        Self::with(plan, own_keys, held, Secrets::Seed(seed))
    }

    /// An initiator with secrets from elsewhere.
    pub(super) fn with(
        plan: AlignPlan,
        own_keys: Vec<String>,
        held: Vec<Option<PublishedSet>>,
        secrets: Secrets,
    ) -> Self {
        Initiator { plan, own_keys, held, secrets, peers: Vec::new(), turn: 0 }
    }

    fn start(mut self) -> Result<Step<Self>, Error> {
        let count = u32::try_from(self.own_keys.len())
            .map_err(|_| Error::job(Code::TooManyRows, "ALIGN-6", "too many rows of one's own"))?;
        for (rank, held) in (1..).map(Rank).zip(std::mem::take(&mut self.held)) {
            let (blind, order) = (self.secrets.blind(rank)?, self.secrets.order(rank, count));
            self.peers.push(Peer { rank, blind, order, sent: 0, waited: None, held, exchange: None });
        }
        Ok(Step::wait(self))
    }

    /// Waits, or goes on where own batches are left to send.
    fn next(self) -> Step<Self> {
        let unsent = self.peers.iter().any(|peer| peer.is_unsent(self.own_keys.len()));
        if unsent { Step::go_on(self) } else { Step::wait(self) }
    }

    /// Blinds and sends one batch, to each collaborator in turn.
    fn send_own(mut self) -> Step<Self> {
        let (count, peers) = (self.own_keys.len(), self.peers.len());
        let Some(index) = (0..peers).map(|i| (self.turn + i) % peers).find(|i| self.peers[*i].is_unsent(count)) else {
            return Step::wait(self);
        };
        self.turn = index + 1;
        let peer = &mut self.peers[index];
        let end = (peer.sent + BATCH_ELEMENTS).min(count);
        let blinded = peer.blind.blind(&keys_of(&self.own_keys, &peer.order[peer.sent..end]));
        let send = vec![batch_message(peer.rank, Kind::OprfBlinded, peer.sent, &blinded, ELEMENT_BYTES)];
        peer.sent = end;
        let progress = self.progress();
        self.next().sending(send).at(progress)
    }

    fn progress(&self) -> Progress {
        let own = self.own_keys.len() as u64;
        let (mut done, mut total) = (0, 0);
        for peer in &self.peers {
            let (evaluated, m) = peer.waited.unwrap_or_default();
            done += evaluated + peer.sent as u64;
            total += m + 2 * own;
            if let Some(exchange) = &peer.exchange {
                done += exchange.incoming.received() + exchange.evaluations.received();
                total += exchange.incoming.total();
            }
        }
        Progress { stage: Stage::Align, done, total: total.max(1) }
    }

    fn receive(mut self, from: Rank, message: &Message) -> Result<Step<Self>, Error> {
        let (own, max_rows) = (self.own_keys.len() as u64, self.plan.max_rows);
        let index = from.index().checked_sub(1).filter(|i| *i < self.peers.len()).ok_or(Error::unexpected(from))?;
        let peer = &mut self.peers[index];
        let mut send = Vec::new();
        match (message.kind, &mut peer.exchange) {
            (Kind::OprfWait, None) => peer.wait(read_wait(&message.payload, from, max_rows)?)?,
            (Kind::OprfEpoch, None) => {
                let head = read_epoch(&message.payload, from, max_rows)?;
                let exchange = peer.open(head, own)?;
                send.push(size_message(from, own, !exchange.is_new));
            }
            (Kind::OprfSet, Some(exchange)) => exchange.take_set(from, &message.payload)?,
            (Kind::OprfEvaluated, Some(_)) => peer.finalize(&message.payload, &self.own_keys)?,
            _ => return Err(Error::unexpected(from)),
        }
        let progress = self.progress();
        if self.peers.iter().all(|peer| peer.exchange.as_ref().is_some_and(Exchange::is_complete)) {
            return self.finish(send);
        }
        Ok(self.next().sending(send).at(progress))
    }

    /// `send` holds an answer that is still to go out.
    fn finish(self, mut send: Vec<crate::Outgoing>) -> Result<Step<Self>, Error> {
        let count = self.own_keys.len();
        // By collaborator and own key: position in the collaborator's set.
        let mut positions = vec![vec![ABSENT; count]; self.peers.len()];
        for (positions, peer) in positions.iter_mut().zip(&self.peers) {
            let Some(exchange) = &peer.exchange else { continue };
            for (key, tag) in peer.order.iter().zip(&exchange.own_tags) {
                if let Some(position) = exchange.set.position(tag) {
                    positions[*key as usize] = position;
                }
            }
        }
        let job = rows::form(&self.plan, &self.own_keys, self.secrets.row_order(count as u32), &positions)?;
        send.extend(self.peers.iter().zip(&positions).flat_map(|(peer, p)| job.messages(peer.rank, p)));
        let matched = rows::matched(&positions);
        let (mut sizes, mut received) = (Vec::new(), Vec::new());
        for exchange in self.peers.into_iter().filter_map(|peer| peer.exchange) {
            sizes.push(exchange.head.m);
            let set = PublishedSet { public: exchange.head.public, set: exchange.set };
            received.push(Some(set).filter(|_| exchange.is_new));
        }
        let aligned = AlignedInitiator { rows: job.rows, training_rows: job.training_rows, matched, sizes };
        Ok(Step::done(Matched { aligned, received }).sending(send))
    }
}

/// The keys at places of an order.
fn keys_of<'a>(own_keys: &'a [String], order: &[u32]) -> Vec<&'a str> {
    order.iter().map(|key| own_keys[*key as usize].as_str()).collect()
}

impl Peer {
    fn is_unsent(&self, count: usize) -> bool {
        self.exchange.is_some() && self.sent < count
    }

    /// Takes OPRF_WAIT: always the next batch, of the same number of keys (OPRF-4).
    fn wait(&mut self, (evaluated, m): (u64, u64)) -> Result<(), Error> {
        let before = self.waited.map_or(0, |waited| waited.0);
        let next = (before + BATCH_ELEMENTS as u64).min(m);
        if evaluated != next || next == before || self.waited.is_some_and(|waited| waited.1 != m) {
            return Err(malformed(self.rank, "a message that says to wait is not the next one"));
        }
        self.waited = Some((evaluated, m));
        Ok(())
    }

    /// Takes OPRF_EPOCH.
    fn open(&mut self, head: EpochHead, own: u64) -> Result<&Exchange, Error> {
        if self.waited.is_some_and(|waited| waited != (head.m, head.m)) {
            return Err(malformed(self.rank, "an epoch comes before all of its keys are evaluated"));
        }
        let held = self.held.take().filter(|held| held.set.count() == head.m && held.epoch() == head.epoch);
        let is_new = held.is_none();
        let set = held.map_or_else(|| Set::with_capacity(head.m), |held| held.set);
        let to_come = if is_new { head.m } else { 0 };
        let exchange = Exchange {
            incoming: Batches::new(self.rank, set.width(), to_come),
            is_new,
            set,
            evaluations: Batches::new(self.rank, ELEMENT_BYTES, own),
            seen: Seen::default(),
            own_tags: Vec::new(),
            head,
        };
        if is_new && exchange.head.m == 0 {
            exchange.check_epoch(self.rank)?;
        }
        Ok(self.exchange.insert(exchange))
    }

    /// Takes OPRF_EVALUATED.
    fn finalize(&mut self, payload: &[u8], own_keys: &[String]) -> Result<(), Error> {
        let Some(exchange) = &mut self.exchange else { return Err(Error::unexpected(self.rank)) };
        let first = exchange.own_tags.len();
        let elements = exchange.evaluations.read(payload)?;
        let end = exchange.evaluations.received() as usize;
        if end > self.sent {
            let cause = "evaluations of elements that were not sent";
            return Err(Error::peer(self.rank, Code::MalformedMessage, "ALIGN-4", cause));
        }
        exchange.seen.admit(elements, ELEMENT_BYTES, self.rank, "OPRF-5")?;
        let outputs = self.blind.finalize(&keys_of(own_keys, &self.order[first..end]), elements).blame(self.rank)?;
        let width = exchange.set.width();
        exchange.own_tags.extend(outputs.iter().map(|output| tag(output, width)));
        Ok(())
    }
}

impl Exchange {
    /// Takes OPRF_SET (OPRF-2, OPRF-3).
    fn take_set(&mut self, from: Rank, payload: &[u8]) -> Result<(), Error> {
        let tags = self.incoming.read(payload)?;
        self.set.extend(tags).map_err(|code| Error::peer(from, code, "OPRF-2", "the tags of a set do not ascend"))?;
        if self.incoming.is_complete() { self.check_epoch(from) } else { Ok(()) }
    }

    fn check_epoch(&self, from: Rank) -> Result<(), Error> {
        if self.set.epoch(&self.head.public) == self.head.epoch {
            return Ok(());
        }
        Err(Error::peer(from, Code::BadDigest, "OPRF-3", "a set does not give the epoch that was announced"))
    }

    fn is_complete(&self) -> bool {
        self.incoming.is_complete() && self.evaluations.is_complete()
    }
}

impl Machine for Initiator {
    type Output = Matched;

    fn step(self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        match input {
            None if self.peers.is_empty() => self.start(),
            None => Ok(self.send_own()),
            Some((rank, message)) => {
                check_place(&message, rank)?;
                self.receive(rank, &message)
            }
        }
    }
}
