//! A coordinator's end of a session whose peers may be lost one by one.
//!
//! A [`super::Port`] ends the session with the first fault of anybody. A [`Hub`] tells the loss of a peer as an event
//! and
//! goes on with the others; which losses a job survives is for the protocol to say. Nobody waits for anybody: each peer
//! has its own outbox with its own sender task, frames that collaborators send each other go through the same outboxes,
//! and whoever sends to a lost peer sends into the void.
//!
//! ```text
//! let mut hub = Hub::open(wiring, links, traffic, &stopper);
//! hub.send(Outgoing { to, message });                      // never waits
//! match runtime.block_on(hub.receive(stage, deadline))? {  // whoever comes first
//!     Heard::Message(rank, message) => …,
//!     Heard::Lost(rank, fault) => …,                       // once a peer; nothing of it comes after
//!     Heard::Deadline => hub.lose(rank),                   // of those who still owe this step something
//! }
//! runtime.block_on(hub.flush(deadline));                   // before Close: the last messages have left
//! ```
use super::budget::{Budget, Claim, Pulse};
use super::outbox::{Item, Outbox, Sender};
use super::reader::{Reader, Relay};
use super::{Duplex, Event, QUEUED_MESSAGES, Stopper, Traffic, Wiring, blame, peer_error, stopped};
use hefu_core::{Code, Fault, Rank, Stage};
use hefu_protocol::frame::{Limits, Receiver};
use hefu_protocol::{Error, Kind, Message, Outgoing};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

/// What a coordinator hears.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A whole message and its authenticated sender.
    Message(Rank, Message),
    /// A peer is out of the session, and why: it was cut off, broke a rule, told an error, or did not keep up. Told
    /// once.
    Lost(Rank, Fault),
    /// The time is over and nobody has anything to say.
    Deadline,
}

/// The link of one peer that is not lost.
struct Spoke {
    outbox: Outbox,
    tasks: [AbortHandle; 2],
}

impl Drop for Spoke {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// A coordinator's end of a session: rank 0, one link a peer.
pub(crate) struct Hub {
    wiring: Wiring,
    /// By rank; `None` at the own rank and where a peer is lost.
    spokes: Vec<Option<Spoke>>,
    inbox: mpsc::Receiver<Event>,
    /// Messages of a later stage.
    held: VecDeque<(Rank, Message, Claim)>,
    stop: watch::Receiver<Option<Fault>>,
}

impl Hub {
    /// Starts to read and to serve all links.
    ///
    /// Each peer has an equal share of the session's memory ([`Wiring::share`]), for what it sends and for what waits
    /// to
    /// leave for it: none can take another's. A longer message is refused (FRAME-5), so the offer's `max_message` must
    /// not be larger.
    pub(crate) fn open(wiring: Wiring, links: Vec<Duplex>, traffic: Arc<Traffic>, stopper: &Stopper) -> Self {
        let (sender, inbox) = mpsc::channel(QUEUED_MESSAGES);
        let (count, share) = (wiring.parties.len(), wiring.share(links.len()));
        let limits = Limits { max_message: wiring.limits.max_message.min(share), ..wiring.limits };
        let boxes: Vec<_> = links.iter().map(|link| Outbox::new(wiring.party(link.peer), share)).collect();
        let mut relays: Vec<Option<Relay>> = vec![None; count];
        for (link, (outbox, _)) in links.iter().zip(&boxes) {
            relays[link.peer.index()] = Some(Relay::Queued(outbox.clone()));
        }
        let (mut spokes, pulse) = ((0..count).map(|_| None).collect::<Vec<_>>(), Pulse::new(count));
        for (link, (outbox, exit)) in links.into_iter().zip(boxes) {
            let rank = link.peer;
            let mut openers: Vec<_> = (0..count).map(|_| None).collect();
            openers[rank.index()] = Some(wiring.keys.opener(rank, limits));
            let reader = Reader {
                own: wiring.own,
                peer: rank,
                parties: wiring.parties.clone(),
                idle: wiring.idle,
                receiver: Receiver::new(wiring.session, wiring.own, rank, openers),
                relays: relays.clone(),
                claims: (0..count).map(|_| None).collect(),
                budget: Budget::new(share),
                pulse: pulse.clone(),
                traffic: traffic.clone(),
                inbox: sender.clone(),
            };
            let sending = Sender {
                link: rank,
                sealer: wiring.keys.sealer(rank, limits.max_chunk),
                sink: link.sink,
                outbox: outbox.clone(),
                traffic: traffic.clone(),
                idle: wiring.idle,
                inbox: sender.clone(),
            };
            let tasks = [tokio::spawn(reader.run(link.source)), tokio::spawn(sending.run(exit))];
            spokes[rank.index()] = Some(Spoke { outbox, tasks: tasks.map(|task| task.abort_handle()) });
        }
        Hub { wiring, spokes, inbox, held: VecDeque::new(), stop: stopper.watch() }
    }

    pub(crate) fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// The peers that are not lost, by rank.
    pub(crate) fn present(&self) -> impl Iterator<Item = Rank> + '_ {
        (0..).map(Rank).zip(&self.spokes).filter_map(|(rank, spoke)| spoke.as_ref().map(|_| rank))
    }

    /// A protocol error as the responsible party's fault.
    pub(crate) fn blame(&self, error: &Error) -> Fault {
        blame(error, &self.wiring.parties)
    }

    /// The fault that has stopped the job, if one has: for long computations between two messages.
    ///
    /// # Errors
    /// That fault.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.stop.borrow().clone().map_or(Ok(()), Err)
    }

    /// Hands a message to its receiver's outbox; never waits. To a lost peer nothing is sent.
    ///
    /// # Errors
    /// `PEER_SLOW` of a peer that is lost with this: so much waits for it that it does not keep up. No
    /// [`Heard::Lost`] follows.
    pub(crate) fn send(&mut self, outgoing: Outgoing) -> Result<(), Fault> {
        let place = self.spokes.get_mut(outgoing.to.index());
        let Some(Some(spoke)) = place.as_deref() else { return Ok(()) };
        let sent = spoke.outbox.put(Item::Message(outgoing.message));
        if sent.is_err() {
            self.lose(outgoing.to);
        }
        sent
    }

    /// The next that any peer has to say for a stage, or `Deadline` when nobody has by then.
    ///
    /// Messages of a later stage wait; one of an earlier stage loses its sender (FRAME-11).
    ///
    /// # Errors
    /// Only what stops the job from outside.
    pub(crate) async fn receive(&mut self, stage: Stage, deadline: Instant) -> Result<Heard, Fault> {
        let current = stage.number();
        let waiting = self.held.iter().position(|(_, message, _)| message.stage == current);
        if let Some((rank, message, _)) = waiting.and_then(|index| self.held.remove(index)) {
            return Ok(Heard::Message(rank, message));
        }
        loop {
            let event = tokio::select! {
                biased;
                fault = stopped(&mut self.stop) => return Err(fault),
                Some(event) = self.inbox.recv() => event,
                () = sleep_until(deadline) => return Ok(Heard::Deadline),
            };
            if let Some(heard) = self.judge(event, current) {
                return Ok(heard);
            }
        }
    }

    fn judge(&mut self, event: Event, current: u32) -> Option<Heard> {
        let (rank, fault) = match event {
            Event::Message(rank, message, claim) => {
                self.spokes.get(rank.index())?.as_ref()?;
                if message.kind == Kind::Error {
                    (rank, peer_error(&self.wiring.parties, rank, &message))
                } else if message.stage == current {
                    return Some(Heard::Message(rank, message));
                } else if message.stage > current {
                    self.held.push_back((rank, message, claim));
                    return None;
                } else {
                    (rank, self.blame(&Error::unexpected(rank)))
                }
            }
            Event::Ended { link, fault, .. } => (link, fault),
        };
        self.lose(rank).then_some(Heard::Lost(rank, fault))
    }

    /// Gives a peer up: its link is dropped, and nothing of it is heard any more. Answers whether it was present.
    ///
    /// The peer learns it from its stream's end; whoever owns the session's calls sends it an Abort with the reason.
    pub(crate) fn lose(&mut self, rank: Rank) -> bool {
        self.held.retain(|(sender, ..)| *sender != rank);
        self.spokes.get_mut(rank.index()).and_then(Option::take).is_some()
    }

    /// Waits until what was sent to the present peers has left, or the time is over: those who lag are answered.
    pub(crate) async fn flush(&mut self, deadline: Instant) -> Vec<Rank> {
        let mut late = Vec::new();
        for (rank, spoke) in (0..).map(Rank).zip(&self.spokes) {
            if let Some(spoke) = spoke
                && timeout_at(deadline, spoke.outbox.drained()).await.is_err()
            {
                late.push(rank);
            }
        }
        late
    }

    /// A fault of a peer that let a step's time pass (FRAME-12).
    pub(crate) fn slow(&self, rank: Rank) -> Fault {
        Fault::new(Code::PeerSlow).by(&self.wiring.party(rank)).citing("FRAME-12")
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
