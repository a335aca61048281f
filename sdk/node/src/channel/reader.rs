//! Reading one link: check, open or relay, hand over.
use super::budget::{Budget, Claim, Pulse};
use super::outbox::{Item, Outbox};
use super::{End, Event, Frame, Sink, Source, Traffic, blame};
use hefu_core::{Code, Fault, PartyId, Rank};
use hefu_protocol::Error;
use hefu_protocol::frame::{Header, Receiver};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;

/// The way of relayed frames to their receiver.
#[derive(Clone)]
pub(super) enum Relay {
    /// Whoever relays waits for the receiver.
    Waiting(Sink),
    /// Nobody waits: a receiver whose outbox overflows is lost.
    Queued(Outbox),
}

/// What reading a link needs.
pub(super) struct Reader {
    pub(super) own: Rank,
    pub(super) peer: Rank,
    pub(super) parties: Arc<[PartyId]>,
    pub(super) idle: Duration,
    pub(super) receiver: Receiver,
    /// By receiver rank, at the initiator only.
    pub(super) relays: Vec<Option<Relay>>,
    /// By sender rank: the place of a message that has begun.
    pub(super) claims: Vec<Option<Claim>>,
    pub(super) budget: Budget,
    pub(super) pulse: Pulse,
    pub(super) traffic: Arc<Traffic>,
    pub(super) inbox: mpsc::Sender<Event>,
}

impl Reader {
    /// Reads until the link ends, the peer breaks a rule, or nobody takes messages any more.
    pub(super) async fn run(mut self, mut source: Source) {
        loop {
            let event = match source.next().await {
                Some(Ok(frame)) => match self.take(frame).await {
                    Ok(None) => continue,
                    Ok(Some(event)) => event,
                    Err(fault) => self.ended(fault, End::Refused),
                },
                Some(Err(fault)) => self.ended(fault, End::Told),
                None => self.ended(self.fault(Code::LinkCut), End::Closed),
            };
            let is_end = matches!(&event, Event::Ended { link, .. } if *link == self.peer);
            if self.inbox.send(event).await.is_err() || is_end {
                return;
            }
        }
    }

    fn ended(&self, fault: Fault, end: End) -> Event {
        if end != End::Closed {
            self.pulse.ended(self.peer, &fault);
        }
        Event::Ended { link: self.peer, fault, end }
    }

    fn fault(&self, code: Code) -> Fault {
        let fault = Fault::new(code);
        match self.parties.get(self.peer.index()) {
            Some(party) => fault.by(party),
            None => fault,
        }
    }

    async fn take(&mut self, frame: Frame) -> Result<Option<Event>, Fault> {
        self.traffic.count_received(&frame);
        let header = self.receiver.route(&frame.header).map_err(|e| blame(&e, &self.parties))?;
        if header.receiver != self.own {
            self.pulse.heard(self.peer);
            return self.relay(header.receiver, frame).await;
        }
        self.open(&header, &frame).await
    }

    /// Opens a frame. A message has its place in the budget before its second frame is read, and is handed over with
    /// it.
    async fn open(&mut self, header: &Header, frame: &Frame) -> Result<Option<Event>, Fault> {
        let rank = header.sender;
        let before = self.receiver.standing(rank);
        let opened = self.receiver.open(&frame.header, &frame.body).map_err(|e| blame(&e, &self.parties))?;
        let after = self.receiver.standing(rank);
        if before.map(|standing| standing.frames) != after.map(|standing| standing.frames) {
            // A repeated frame is no sign of life.
            self.pulse.heard(rank);
            self.pulse.heard(self.peer);
        }
        let place = self.claims.get_mut(rank.index());
        let place = place.ok_or_else(|| Fault::because(Code::Internal, "a sender has no place"))?;
        let Some((sender, message)) = opened else {
            if let Some(bytes) = after.and_then(|standing| standing.begun)
                && place.is_none()
            {
                *place = Some(self.budget.claim(bytes).await);
                self.pulse.begun(rank, bytes, self.idle);
            }
            return Ok(None);
        };
        let claim = match place.take() {
            Some(claim) => claim,
            None => self.budget.claim(message.payload.len() as u64).await,
        };
        self.pulse.whole(rank);
        Ok(Some(Event::Message(sender, message, claim)))
    }

    /// Hands a frame to the link of its receiver, sealed as it is (FRAME-4).
    async fn relay(&self, to: Rank, frame: Frame) -> Result<Option<Event>, Fault> {
        let Some(Some(relay)) = self.relays.get(to.index()).filter(|_| to != self.peer) else {
            return Err(self.refuse(Code::WrongParty, "FRAME-4", "a frame is meant for another receiver"));
        };
        match relay {
            Relay::Waiting(sink) => {
                self.traffic.count_sent(&frame);
                // A receiver that is gone ends the job through its own link.
                let _ = sink.send(Ok(frame)).await;
                Ok(None)
            }
            Relay::Queued(outbox) => {
                let fits = outbox.put(Item::Relayed(frame));
                Ok(fits.err().map(|fault| Event::Ended { link: to, fault, end: End::Refused }))
            }
        }
    }

    fn refuse(&self, code: Code, requirement: &'static str, cause: &'static str) -> Fault {
        blame(&Error::peer(self.peer, code, requirement, cause), &self.parties)
    }
}
