//! The initiator's side of alignment, with all collaborators at once.
use super::secrets::Secrets;
use super::tags::{SortedTags, Tags};
use super::wire::{
    ABSENT, BATCH_ELEMENTS, Batches, Elements, batch_message, check_place, domain_tag, read_size, size_message, tag,
    tag_bytes,
};
use super::{AlignPlan, rows};
use crate::session::Keys;
use crate::{Error, Kind, Machine, Message, Step};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Progress, Rank, Stage};
use hefu_crypto::{Blinder, ELEMENT_BYTES, Seed};
use std::sync::Arc;

/// What the initiator ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignedInitiator {
    /// Index of the own key of each row of the job.
    pub rows: Vec<u32>,
    /// The first so many rows are training rows, the others test rows.
    pub training_rows: u32,
    /// By collaborator (rank 1 first), by own key: whether the collaborator has it.
    pub matched: Vec<Vec<bool>>,
    /// By collaborator: the number of keys that it announced.
    pub sizes: Vec<u64>,
}

/// The initiator of an alignment.
pub struct Initiator<'a> {
    keys: Arc<Keys>,
    plan: AlignPlan,
    own_keys: &'a [String],
    secrets: Secrets,
    started: bool,
    peers: Vec<Peer>,
    /// The collaborator whose own batches are sent next.
    turn: usize,
}

/// One collaborator, as the initiator sees it.
struct Peer {
    rank: Rank,
    blinder: Blinder,
    order: Vec<u32>,
    sent: usize,
    /// Known when ALIGN_SIZE has come.
    exchange: Option<Exchange>,
}

struct Exchange {
    tag_bytes: usize,
    blinded: Elements,
    tags: Batches,
    /// Tags of own keys, in sent order, as they came back.
    own_tags: Tags,
    /// The same, when they are whole.
    sorted_own: SortedTags,
    /// Tags of the collaborator's elements, in their order.
    peer_tags: Tags,
}

impl<'a> Initiator<'a> {
    /// An initiator with its valid, distinct keys, for all collaborators of the session.
    pub fn new(keys: Arc<Keys>, plan: AlignPlan, own_keys: &'a [String], seed: Seed) -> Self {
        Self::with(keys, plan, own_keys, Secrets::Seed(seed))
    }

    /// An initiator with secrets from elsewhere.
    pub(super) fn with(keys: Arc<Keys>, plan: AlignPlan, own_keys: &'a [String], secrets: Secrets) -> Self {
        Initiator { keys, plan, own_keys, secrets, started: false, peers: Vec::new(), turn: 0 }
    }

    fn start(mut self) -> Result<Step<Self>, Error> {
        let count = u32::try_from(self.own_keys.len())
            .map_err(|_| Error::job(Code::TooManyRows, "ALIGN-6", "too many rows of one's own"))?;
        self.started = true;
        let mut send = Vec::new();
        for rank in (1..self.keys.parties()).map(Rank) {
            let (blinder, order) = (self.secrets.blinder(rank), self.secrets.order(rank, count));
            self.peers.push(Peer { rank, blinder, order, sent: 0, exchange: None });
            send.push(size_message(rank, u64::from(count)));
        }
        Ok(self.next().sending(send))
    }

    /// Waits, or goes on where own batches are left to send.
    fn next(self) -> Step<Self> {
        let unsent = self.peers.iter().any(|peer| peer.sent < self.own_keys.len());
        if unsent { Step::go_on(self) } else { Step::wait(self) }
    }

    /// Blinds and sends one batch, to each collaborator in turn.
    fn send_own(mut self) -> Step<Self> {
        let count = self.own_keys.len();
        let peers = self.peers.len();
        let Some(index) = (0..peers).map(|i| (self.turn + i) % peers).find(|i| self.peers[*i].sent < count) else {
            return Step::wait(self);
        };
        self.turn = index + 1;
        let tag = domain_tag(&self.keys, self.peers[index].rank);
        let peer = &mut self.peers[index];
        let end = (peer.sent + BATCH_ELEMENTS).min(count);
        let batch: Vec<&str> =
            peer.order[peer.sent..end].iter().map(|key| self.own_keys[*key as usize].as_str()).collect();
        let blinded = peer.blinder.hash_and_blind(&tag, &batch);
        let send = vec![batch_message(peer.rank, Kind::AlignBlinded, peer.sent, &blinded, ELEMENT_BYTES)];
        peer.sent = end;
        let progress = self.progress();
        self.next().sending(send).at(progress)
    }

    fn progress(&self) -> Progress {
        let own = self.own_keys.len() as u64;
        let (mut done, mut total) = (0, 0);
        for peer in &self.peers {
            done += peer.sent as u64;
            total += 2 * own;
            if let Some(exchange) = &peer.exchange {
                done += exchange.blinded.batches().received() + exchange.tags.received();
                total += exchange.blinded.batches().total();
            }
        }
        Progress { stage: Stage::Align, done, total: total.max(1) }
    }

    fn receive(mut self, from: Rank, message: &Message) -> Result<Step<Self>, Error> {
        let own = self.own_keys.len() as u64;
        let max_rows = self.plan.max_rows;
        let index = from.index().checked_sub(1).filter(|i| *i < self.peers.len()).ok_or(Error::unexpected(from))?;
        let peer = &mut self.peers[index];
        match (message.kind, &mut peer.exchange) {
            (Kind::AlignSize, exchange @ None) => {
                *exchange = Some(Exchange::new(from, own, read_size(&message.payload, from, max_rows)?));
            }
            (Kind::AlignBlinded, Some(exchange)) => {
                let products = exchange.blinded.take(&message.payload, &peer.blinder)?;
                for product in &products {
                    exchange.peer_tags.push(&tag(&self.keys, from, product)[..exchange.tag_bytes]);
                }
            }
            (Kind::AlignTags, Some(exchange)) => exchange.take_tags(from, &message.payload, peer.sent)?,
            _ => return Err(Error::unexpected(from)),
        }
        let progress = self.progress();
        if self.peers.iter().all(|peer| peer.exchange.as_ref().is_some_and(Exchange::is_complete)) {
            return self.finish();
        }
        Ok(self.next().at(progress))
    }

    fn finish(mut self) -> Result<Step<Self>, Error> {
        let count = self.own_keys.len();
        // By collaborator and own key: position in the collaborator's sequence.
        let mut positions = vec![vec![ABSENT; count]; self.peers.len()];
        for (positions, peer) in positions.iter_mut().zip(&mut self.peers) {
            let Some(exchange) = &mut peer.exchange else { continue };
            let theirs = std::mem::take(&mut exchange.peer_tags).sorted();
            for (sent, position) in std::mem::take(&mut exchange.sorted_own).common(&theirs) {
                positions[peer.order[sent as usize] as usize] = position;
            }
        }
        let job = rows::form(&self.plan, self.own_keys, self.secrets.row_order(count as u32), &positions)?;
        let messages = self.peers.iter().zip(&positions).flat_map(|(peer, p)| job.messages(peer.rank, p)).collect();
        let sizes =
            self.peers.iter().filter_map(|peer| peer.exchange.as_ref()).map(|e| e.blinded.batches().total()).collect();
        let matched = rows::matched(&positions);
        let aligned = AlignedInitiator { rows: job.rows, training_rows: job.training_rows, matched, sizes };
        Ok(Step::done(aligned).sending(messages))
    }
}

impl Exchange {
    fn new(from: Rank, n: u64, m: u64) -> Self {
        let tag_bytes = tag_bytes(n, m);
        Exchange {
            tag_bytes,
            blinded: Elements::new(from, m),
            tags: Batches::new(from, tag_bytes, n),
            own_tags: Tags::default(),
            sorted_own: SortedTags::default(),
            peer_tags: Tags::default(),
        }
    }

    fn take_tags(&mut self, from: Rank, payload: &[u8], sent: usize) -> Result<(), Error> {
        let tags = self.tags.read(payload)?;
        if self.tags.received() > sent as u64 {
            return Err(Error::peer(from, Code::MalformedMessage, "ALIGN-4", "tags of elements that were not sent"));
        }
        tags.chunks_exact(self.tag_bytes).for_each(|tag| self.own_tags.push(tag));
        if self.tags.is_complete() {
            self.sorted_own = std::mem::take(&mut self.own_tags).sorted();
            if !self.sorted_own.is_distinct() && !is_on(Switch::AcceptsRepeatedElement) {
                return Err(Error::peer(from, Code::DuplicateElement, "ALIGN-7", "a tag came twice"));
            }
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.blinded.batches().is_complete() && self.tags.is_complete()
    }
}

impl Machine for Initiator<'_> {
    type Output = AlignedInitiator;

    fn step(self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        match input {
            None if !self.started => self.start(),
            None => Ok(self.send_own()),
            Some((rank, message)) => {
                check_place(&message, rank)?;
                self.receive(rank, &message)
            }
        }
    }
}
