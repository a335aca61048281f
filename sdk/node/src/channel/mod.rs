//! The channel of a session: sealed frames in, sealed frames out, and the relay between collaborators.
mod port;
mod reader;

pub(crate) use port::{Port, Wiring};

use bytes::Bytes;
use hefu_core::{Fault, PartyId, Rank};
use hefu_protocol::{Error, Message};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;

/// Frames that may wait for the network on one link before the sender waits too.
pub(crate) const QUEUED_FRAMES: usize = 8;
/// Messages that may wait for a machine before the network waits.
const QUEUED_MESSAGES: usize = 32;

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

/// Sealed frame bytes, header and body.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    fn count_sent(&self, frame: &Frame) {
        self.sent.fetch_add(frame.len(), Ordering::Relaxed);
    }

    fn count_received(&self, frame: &Frame) {
        self.received.fetch_add(frame.len(), Ordering::Relaxed);
    }
}

/// What a reader tells the port.
#[derive(Debug)]
pub(crate) enum Event {
    /// A whole message and its authenticated sender.
    Message(Rank, Message),
    /// A link is over. `clean`: the peer closed its direction.
    Ended { fault: Fault, clean: bool },
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
