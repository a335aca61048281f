//! The channel of a session: sealed frames in, sealed frames out, and the relay between collaborators.
mod budget;
#[cfg(test)]
mod hands;
mod hub;
mod outbox;
mod port;
mod reader;

pub(crate) use hub::{Heard, Hub};
pub(crate) use port::Port;

use budget::Claim;
use bytes::Bytes;
use hefu_core::{Code, Fault, PartyId, Rank, SessionId};
use hefu_protocol::frame::{self, Limits};
use hefu_protocol::session::Keys;
use hefu_protocol::{Error, Message};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;

/// Frames that may wait for the network on one link before the sender waits too.
pub(crate) const QUEUED_FRAMES: usize = 8;
/// Messages that may wait for a machine before the network waits.
const QUEUED_MESSAGES: usize = 32;
/// How long the last words of a session may take, in either direction.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The facts of a confirmed session.
#[derive(Clone)]
pub(crate) struct Wiring {
    pub(crate) session: SessionId,
    pub(crate) own: Rank,
    /// By rank.
    pub(crate) parties: Arc<[PartyId]>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) limits: Limits,
    /// Bytes of messages that may wait here: twice the longest message at least.
    pub(crate) memory: u64,
    /// Time without an awaited frame after which the session ends (FRAME-12).
    pub(crate) idle: Duration,
}

impl Wiring {
    pub(crate) fn party(&self, rank: Rank) -> PartyId {
        self.parties[rank.index()].clone()
    }

    /// One link's equal part of the memory, bytes.
    pub(crate) fn share(&self, links: usize) -> u64 {
        self.memory / u64::try_from(links.max(1)).unwrap_or(u64::MAX)
    }

    fn others(&self) -> impl Iterator<Item = Rank> + '_ {
        (0..self.keys.parties()).map(Rank).filter(|rank| *rank != self.own)
    }
}

/// A sealed frame on its way.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) header: Bytes,
    pub(crate) body: Bytes,
}

impl Frame {
    fn len(&self) -> u64 {
        (self.header.len() + self.body.len()) as u64
    }

    /// The stage that the header names; 0 where it is none.
    fn stage(&self) -> usize {
        let bytes = self.header.get(24..28).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_be_bytes).and_then(|stage| usize::try_from(stage).ok()).unwrap_or(0)
    }
}

/// Bodies of frames that have left, for the next ones.
#[derive(Debug, Clone, Default)]
struct Bodies(Arc<Mutex<Vec<Vec<u8>>>>);

impl Bodies {
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// A frame whose body comes back when the network is done with it.
    fn lend(&self, frame: frame::Frame) -> Frame {
        let body = Bytes::from_owner(Lent { body: frame.body, to: self.clone() });
        Frame { header: Bytes::from(frame.header), body }
    }
}

struct Lent {
    body: Vec<u8>,
    to: Bodies,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut bodies = self.to.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bodies.len() < QUEUED_FRAMES {
            bodies.push(std::mem::take(&mut self.body));
        }
    }
}

impl From<frame::Frame> for Frame {
    fn from(frame: frame::Frame) -> Self {
        Frame { header: Bytes::from(frame.header), body: Bytes::from(frame.body) }
    }
}

/// Frames that arrive on a link, until its end or its fault.
pub(crate) type Source = Pin<Box<dyn Stream<Item = Result<Frame, Fault>> + Send>>;
/// Frames that leave on a link; a fault ends it.
pub(crate) type Sink = mpsc::Sender<Result<Frame, Fault>>;

/// The two directions of a link to one peer.
pub(crate) struct Duplex {
    pub(crate) peer: Rank,
    pub(crate) source: Source,
    pub(crate) sink: Sink,
}

/// Stages that are counted apart; frames of any other count as stage 0.
const STAGES: usize = 16;

/// Sealed frame bytes, header and body, by the stage that the frames belong to: parties are not always in the same one.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    sent: [AtomicU64; STAGES],
    received: [AtomicU64; STAGES],
}

impl Traffic {
    /// Of all stages.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum()
    }

    /// Of one stage: sent, and received.
    pub(crate) fn of_stage(&self, stage: u32) -> (u64, u64) {
        let index = usize::try_from(stage).unwrap_or(0);
        let load = |counters: &[AtomicU64]| counters.get(index).map_or(0, |bytes| bytes.load(Ordering::Relaxed));
        (load(&self.sent), load(&self.received))
    }

    fn count_sent(&self, frame: &Frame) {
        let counter = self.sent.get(frame.stage()).unwrap_or(&self.sent[0]);
        counter.fetch_add(frame.len(), Ordering::Relaxed);
    }

    fn count_received(&self, frame: &Frame) {
        let counter = self.received.get(frame.stage()).unwrap_or(&self.received[0]);
        counter.fetch_add(frame.len(), Ordering::Relaxed);
    }
}

/// What a reader or a sender tells.
#[derive(Debug)]
pub(crate) enum Event {
    /// A whole message, its authenticated sender, and its place in memory.
    Message(Rank, Message, Claim),
    /// A link is over.
    Ended { link: Rank, fault: Fault, end: End },
}

/// How a link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed its direction in order.
    Closed,
    /// The peer said why it has ended the session, or the network did.
    Told,
    /// This side ends it: the peer broke a rule or does not keep up.
    Refused,
}

/// The switch that ends a job from outside: its first fault is the one that counts.
#[derive(Debug, Clone)]
pub(crate) struct Stopper(watch::Sender<Option<Fault>>);

impl Stopper {
    pub(crate) fn new() -> Self {
        Stopper(watch::Sender::new(None))
    }

    pub(crate) fn stop(&self, fault: Fault) {
        self.0.send_if_modified(|current| {
            let is_first = current.is_none();
            current.get_or_insert(fault);
            is_first
        });
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Option<Fault>> {
        self.0.subscribe()
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.0.borrow().clone()
    }
}

/// Waits until a job is stopped.
pub(crate) async fn stopped(stop: &mut watch::Receiver<Option<Fault>>) -> Fault {
    match stop.wait_for(Option::is_some).await.map(|fault| fault.clone()) {
        Ok(Some(fault)) => fault,
        // The switch is gone, hence nobody can use it any more.
        _ => std::future::pending().await,
    }
}

/// A protocol error as a fault without a party.
pub(crate) fn refusal(error: &Error) -> Fault {
    let fault = match error {
        Error::Peer { cause, .. } | Error::Refused { cause, .. } => Fault::because(error.code(), *cause),
        other => Fault::because(other.code(), other.to_string()),
    };
    match error.requirement() {
        "" => fault,
        requirement => fault.citing(requirement),
    }
}

/// A protocol error as a fault of the party that is responsible, where a peer is.
pub(crate) fn blame(error: &Error, parties: &[PartyId]) -> Fault {
    let fault = refusal(error);
    match error.culprit().and_then(|rank| parties.get(rank.index())) {
        Some(party) => fault.by(party),
        None => fault,
    }
}

/// What an ERROR message says, in this node's own words (spec/frame.md, section 3; ERR-2).
fn peer_error(parties: &[PartyId], rank: Rank, message: &Message) -> Fault {
    let (code, json) = match message.read_error(rank) {
        Ok(told) => told,
        Err(error) => return blame(&error, parties),
    };
    let fault = Fault::new(Code::from_number(code).unwrap_or(Code::PeerAborted));
    let named = serde_json::from_slice::<serde_json::Value>(json).ok();
    let named = named.as_ref().and_then(|json| json.get("party")).and_then(|party| party.as_str());
    let named = named.and_then(|party| PartyId::parse(party).ok());
    match named.as_ref().or_else(|| parties.get(rank.index())) {
        Some(party) => fault.by(party),
        None => fault,
    }
}
