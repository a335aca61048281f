//! What waits to leave for one peer, and the task that seals and sends it: whoever puts something in never waits.
use super::budget::allowance;
use super::{End, Event, Frame, LAST_WORDS, Sink, Traffic};
use hefu_core::{Code, Fault, PartyId, Rank};
use hefu_protocol::Message;
use hefu_protocol::frame::Sealer;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

/// In place of a number of bytes: nothing more is taken.
const CLOSED: u64 = u64::MAX;

/// One thing that waits.
#[derive(Debug)]
pub(super) enum Item {
    /// This party's own message.
    Message(Message),
    /// A frame of another rank, sealed as it is.
    Relayed(Frame),
}

impl Item {
    fn bytes(&self) -> u64 {
        match self {
            Item::Message(message) => message.payload.len() as u64,
            Item::Relayed(frame) => frame.len(),
        }
    }
}

/// The entrance of one peer's queue.
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    queue: mpsc::UnboundedSender<Item>,
    /// Bytes that wait; beyond `most` the queue is closed for good.
    waiting: Arc<watch::Sender<u64>>,
    most: u64,
    party: PartyId,
}

impl Outbox {
    /// An outbox of at most `most` bytes; one message may always wait alone.
    pub(super) fn new(party: PartyId, most: u64) -> (Self, mpsc::UnboundedReceiver<Item>) {
        let (queue, exit) = mpsc::unbounded_channel();
        (Outbox { queue, waiting: Arc::new(watch::Sender::new(0)), most, party }, exit)
    }

    /// Puts something in. Nothing happens where the peer is gone already: that is told otherwise.
    ///
    /// # Errors
    /// `PEER_SLOW` (FRAME-14), once: so much waits already that the peer does not keep up.
    pub(super) fn put(&self, item: Item) -> Result<(), Fault> {
        if self.queue.is_closed() {
            return Ok(());
        }
        let (bytes, mut fits, mut was_closed) = (item.bytes(), false, false);
        self.waiting.send_modify(|waiting| {
            was_closed = *waiting == CLOSED;
            fits = !was_closed && (*waiting == 0 || waiting.saturating_add(bytes) <= self.most);
            *waiting = if fits { waiting.saturating_add(bytes) } else { CLOSED };
        });
        if fits {
            let _ = self.queue.send(item);
        } else if !was_closed {
            return Err(Fault::new(Code::PeerSlow).by(&self.party).citing("FRAME-14"));
        }
        Ok(())
    }

    fn took(&self, bytes: u64) {
        self.waiting.send_modify(|waiting| {
            if *waiting != CLOSED {
                *waiting = waiting.saturating_sub(bytes);
            }
        });
    }

    /// Waits until nothing waits here any more, or the queue is closed.
    pub(super) async fn drained(&self) {
        let _ = self.waiting.subscribe().wait_for(|waiting| matches!(*waiting, 0 | CLOSED)).await;
    }
}

/// The task that empties an outbox.
pub(super) struct Sender {
    pub(super) link: Rank,
    pub(super) sealer: Sealer,
    pub(super) sink: Sink,
    pub(super) outbox: Outbox,
    pub(super) traffic: Arc<Traffic>,
    /// The longest time in which the peer must take a frame.
    pub(super) idle: Duration,
    pub(super) inbox: mpsc::Sender<Event>,
}

impl Sender {
    /// Sends until the outbox is dropped or the peer takes no more.
    pub(super) async fn run(mut self, mut exit: mpsc::UnboundedReceiver<Item>) {
        while let Some(item) = exit.recv().await {
            let bytes = item.bytes();
            if let Err(fault) = self.send(item).await {
                if fault.code == Code::LinkCut {
                    // What the reader of the link has to say is the better reason.
                    tokio::time::sleep(LAST_WORDS).await;
                }
                let _ = self.inbox.send(Event::Ended { link: self.link, fault, end: End::Refused }).await;
                return;
            }
            self.outbox.took(bytes);
        }
    }

    async fn send(&mut self, item: Item) -> Result<(), Fault> {
        let due = Instant::now() + allowance(item.bytes(), self.idle);
        let (sink, traffic, party, idle) = (&self.sink, &self.traffic, &self.outbox.party, self.idle);
        match item {
            Item::Relayed(frame) => push(sink, traffic, party, idle, due, frame).await,
            Item::Message(message) => {
                let failed = |_| Fault::because(Code::Internal, "a message cannot be sealed");
                for frame in self.sealer.frames(&message).map_err(failed)? {
                    push(sink, traffic, party, idle, due, frame.map_err(failed)?.into()).await?;
                }
                Ok(())
            }
        }
    }
}

/// Hands a frame to the network.
async fn push(
    sink: &Sink,
    traffic: &Traffic,
    party: &PartyId,
    idle: Duration,
    due: Instant,
    frame: Frame,
) -> Result<(), Fault> {
    let deadline = due.min(Instant::now() + idle);
    let permit = timeout_at(deadline, sink.reserve()).await;
    let permit = permit.map_err(|_| Fault::new(Code::PeerSlow).by(party).citing("FRAME-14"))?;
    let permit = permit.map_err(|_| Fault::new(Code::LinkCut).by(party))?;
    traffic.count_sent(&frame);
    permit.send(Ok(frame));
    Ok(())
}
