//! What a driver sends and receives through: messages of one session, in order, with back-pressure.
use super::budget::{Budget, Claim, Pulse, allowance};
use super::reader::{Reader, Relay};
use super::{
    Bodies, Duplex, End, Event, Frame, LAST_WORDS, QUEUED_MESSAGES, Sink, Stopper, Traffic, Wiring, blame, peer_error,
    stopped,
};
use hefu_core::{Code, Fault, PartyId, Rank, Stage};
use hefu_protocol::frame::{Receiver, Sealer};
use hefu_protocol::{Error, Kind, Message, Outgoing};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

struct Outlet {
    sealer: Sealer,
    sink: Sink,
    /// The rank at the other end of the link: the receiver, or the initiator that relays.
    link: Rank,
    /// A message was sealed and not wholly handed over: nothing that is sealed after it can be read.
    is_broken: bool,
}

/// One party's end of a session.
pub(crate) struct Port {
    wiring: Wiring,
    /// By receiver rank; `None` at the own rank.
    outlets: Vec<Option<Outlet>>,
    inbox: mpsc::Receiver<Event>,
    /// Messages of a later stage, or that came while this party was sending.
    held: VecDeque<(Rank, Message, Claim)>,
    held_bytes: u64,
    pulse: Pulse,
    over: Vec<Rank>,
    bodies: Bodies,
    traffic: Arc<Traffic>,
    stop: watch::Receiver<Option<Fault>>,
    readers: Vec<AbortHandle>,
}

impl Port {
    /// Starts to read all links. A collaborator has one link, to rank 0; the initiator has one to each other rank.
    pub(crate) fn open(wiring: Wiring, links: Vec<Duplex>, traffic: Arc<Traffic>, stopper: &Stopper) -> Self {
        let (sender, inbox) = mpsc::channel(QUEUED_MESSAGES);
        let count = wiring.parties.len();
        let is_initiator = wiring.own == Rank::INITIATOR;
        let mut relays: Vec<Option<Relay>> = vec![None; count];
        let mut outlets: Vec<Option<Outlet>> = (0..count).map(|_| None).collect();
        for rank in wiring.others() {
            let link = links.iter().find(|link| !is_initiator || link.peer == rank);
            let Some(link) = link else { continue };
            let sealer = wiring.keys.sealer(rank, wiring.limits.max_chunk);
            outlets[rank.index()] = Some(Outlet { sealer, sink: link.sink.clone(), link: link.peer, is_broken: false });
            if is_initiator {
                relays[rank.index()] = Some(Relay::Waiting(link.sink.clone()));
            }
        }
        let (mut readers, pulse, budget) = (Vec::new(), Pulse::new(count), Budget::new(wiring.memory));
        for link in links {
            let mut openers: Vec<_> = (0..count).map(|_| None).collect();
            for rank in wiring.others().filter(|rank| !is_initiator || *rank == link.peer) {
                openers[rank.index()] = Some(wiring.keys.opener(rank, wiring.limits));
            }
            let reader = Reader {
                own: wiring.own,
                peer: link.peer,
                parties: wiring.parties.clone(),
                idle: wiring.idle,
                claims: (0..count).map(|_| None).collect(),
                budget: budget.clone(),
                pulse: pulse.clone(),
                receiver: Receiver::new(wiring.session, wiring.own, link.peer, openers),
                relays: relays.clone(),
                traffic: traffic.clone(),
                inbox: sender.clone(),
            };
            readers.push(tokio::spawn(reader.run(link.source)).abort_handle());
        }
        Port {
            pulse,
            over: Vec::new(),
            bodies: Bodies::default(),
            stop: stopper.watch(),
            held: VecDeque::new(),
            held_bytes: 0,
            wiring,
            outlets,
            inbox,
            traffic,
            readers,
        }
    }

    pub(crate) fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    pub(crate) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// A protocol error as the responsible party's fault.
    pub(crate) fn blame(&self, error: &Error) -> Fault {
        blame(error, &self.wiring.parties)
    }

    /// What has stopped the job or ended a link, if anything has: for long computations between two messages.
    ///
    /// # Errors
    /// That fault.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let stopped = self.stop.borrow().clone();
        stopped.or_else(|| self.pulse.end()).map_or(Ok(()), Err)
    }

    /// Peers that have said themselves why the session is over: they need not be told.
    pub(crate) fn over(&mut self) -> Vec<Rank> {
        while let Ok(event) = self.inbox.try_recv() {
            self.note(&event);
        }
        std::mem::take(&mut self.over)
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Message(rank, message, _) if message.kind == Kind::Error => self.over.push(*rank),
            Event::Ended { link, fault, end: End::Told } if fault.code != Code::LinkCut => self.over.push(*link),
            _ => {}
        }
    }

    /// Seals a message, frame by frame, and hands the frames to the network.
    ///
    /// While the network is full, messages that arrive are taken in: two parties that both send never wait for each
    /// other.
    ///
    /// # Errors
    /// `PEER_SLOW` where the peer takes no frame for the idle time, or all of them too slowly (FRAME-14); what ends the
    /// session.
    pub(crate) async fn send(&mut self, outgoing: &Outgoing) -> Result<(), Fault> {
        let place = self.outlets.get_mut(outgoing.to.index());
        let Some(mut outlet) = place.and_then(Option::take) else {
            return Err(Fault::because(Code::Internal, "a message has no receiver"));
        };
        outlet.is_broken = true;
        let sent = self.send_frames(&mut outlet, &outgoing.message).await;
        outlet.is_broken = sent.is_err();
        self.outlets[outgoing.to.index()] = Some(outlet);
        sent
    }

    async fn send_frames(&mut self, outlet: &mut Outlet, message: &Message) -> Result<(), Fault> {
        let parties = self.wiring.parties.clone();
        let due = Instant::now() + allowance(message.payload.len() as u64, self.wiring.idle);
        let bodies = self.bodies.clone();
        for frame in outlet.sealer.frames_into(message, || bodies.take()).map_err(|e| blame(&e, &parties))? {
            let frame = bodies.lend(frame.map_err(|e| blame(&e, &parties))?);
            self.push(&outlet.sink, outlet.link, frame, due).await?;
        }
        Ok(())
    }

    async fn push(&mut self, sink: &Sink, link: Rank, frame: Frame, due: Instant) -> Result<(), Fault> {
        let deadline = due.min(Instant::now() + self.wiring.idle);
        loop {
            tokio::select! {
                biased;
                fault = stopped(&mut self.stop) => return Err(fault),
                permit = sink.reserve() => {
                    let Ok(permit) = permit else { return Err(self.why_ended(link).await) };
                    self.traffic.count_sent(&frame);
                    permit.send(Ok(frame));
                    return Ok(());
                }
                event = self.inbox.recv() => {
                    let (rank, message, claim) = self.accept(event)?;
                    self.hold(rank, message, claim)?;
                }
                () = sleep_until(deadline) => {
                    return Err(Fault::new(Code::PeerSlow).by(&self.wiring.party(link)).citing("FRAME-14"));
                }
            }
        }
    }

    /// Why a link takes no more frames: what its reader says, which may be on its way.
    async fn why_ended(&mut self, link: Rank) -> Fault {
        let cut = Fault::new(Code::LinkCut).by(&self.wiring.party(link));
        tokio::time::timeout(LAST_WORDS, self.ended()).await.ok().flatten().unwrap_or(cut)
    }

    /// The next message of a stage.
    ///
    /// # Errors
    /// `PEER_SLOW` (FRAME-12, FRAME-13); the peer's error; what ends the session.
    pub(crate) async fn receive(&mut self, stage: Stage) -> Result<(Rank, Message), Fault> {
        let current = stage.number();
        if let Some(index) = self.held.iter().position(|(_, message, _)| message.stage == current)
            && let Some((rank, message, _)) = self.held.remove(index)
        {
            self.held_bytes = self.held_bytes.saturating_sub(message.payload.len() as u64);
            return Ok((rank, message));
        }
        let (start, idle) = (Instant::now(), self.wiring.idle);
        loop {
            let event = tokio::select! {
                biased;
                fault = stopped(&mut self.stop) => return Err(fault),
                event = self.inbox.recv() => event,
                () = sleep_until(self.pulse.deadline(start, idle)) => {
                    // Frames that came since then put it off.
                    if self.pulse.deadline(start, idle) > Instant::now() {
                        continue;
                    }
                    return Err(self.slow());
                }
            };
            let (rank, message, claim) = self.accept(event)?;
            if message.stage == current {
                return Ok((rank, message));
            }
            // A peer may be ahead by a stage, never behind.
            if message.stage < current {
                return Err(self.blame(&Error::unexpected(rank)));
            }
            self.hold(rank, message, claim)?;
        }
    }

    fn accept(&mut self, event: Option<Event>) -> Result<(Rank, Message, Claim), Fault> {
        event.iter().for_each(|event| self.note(event));
        match event {
            Some(Event::Message(rank, message, _)) if message.kind == Kind::Error => {
                Err(peer_error(&self.wiring.parties, rank, &message))
            }
            Some(Event::Message(rank, message, claim)) => Ok((rank, message, claim)),
            Some(Event::Ended { fault, .. }) => Err(fault),
            None => Err(Fault::new(Code::LinkCut)),
        }
    }

    fn hold(&mut self, rank: Rank, message: Message, claim: Claim) -> Result<(), Fault> {
        self.held_bytes += message.payload.len() as u64;
        if self.held_bytes > self.wiring.limits.max_message {
            let cause = "messages wait that together exceed the negotiated size";
            return Err(self.blame(&Error::peer(rank, Code::MessageTooLarge, "FRAME-5", cause)));
        }
        self.held.push_back((rank, message, claim));
        Ok(())
    }

    /// Nobody was heard in time: the one that has been silent longest is named.
    fn slow(&self) -> Fault {
        let others = self.wiring.others().filter(|rank| self.outlets[rank.index()].is_some());
        let links = others.filter(|rank| self.wiring.own == Rank::INITIATOR || *rank == Rank::INITIATOR);
        let (slowest, owes) = match self.pulse.slowest(links) {
            Some(slowest) => slowest,
            None => return Fault::new(Code::PeerSlow).citing("FRAME-12"),
        };
        let requirement = if owes { "FRAME-13" } else { "FRAME-12" };
        Fault::new(Code::PeerSlow).by(&self.wiring.party(slowest)).citing(requirement)
    }

    /// Waits until a link ends; messages that still arrive are dropped. `None`: the peer closed its direction in order.
    async fn ended(&mut self) -> Option<Fault> {
        loop {
            match self.inbox.recv().await {
                Some(Event::Message(_, message, _)) if message.kind != Kind::Error => {}
                event => return self.verdict(event),
            }
        }
    }

    /// Waits until the link ends, after the last stage: nothing but its end may come (FRAME-11).
    pub(crate) async fn after_stages(&mut self) -> Option<Fault> {
        if let Some((rank, ..)) = self.held.front() {
            return Some(self.blame(&Error::unexpected(*rank)));
        }
        let event = self.inbox.recv().await;
        self.verdict(event)
    }

    /// The fault that a peer has told already, if one has.
    pub(crate) fn told(&mut self) -> Option<Fault> {
        loop {
            match self.inbox.try_recv().ok()? {
                Event::Message(_, message, _) if message.kind != Kind::Error => {}
                event => return self.verdict(Some(event)),
            }
        }
    }

    fn verdict(&mut self, event: Option<Event>) -> Option<Fault> {
        event.iter().for_each(|event| self.note(event));
        match event {
            Some(Event::Message(rank, message, _)) if message.kind == Kind::Error => {
                Some(peer_error(&self.wiring.parties, rank, &message))
            }
            Some(Event::Message(rank, ..)) => Some(self.blame(&Error::unexpected(rank))),
            Some(Event::Ended { end: End::Closed, .. }) | None => None,
            Some(Event::Ended { fault, .. }) => Some(fault),
        }
    }

    /// Tells rank 0 this party's fault: as a sealed ERROR, then as the status of the stream. At a collaborator only.
    pub(crate) async fn report(&mut self, fault: &Fault, stage: Stage) {
        let Some(Some(outlet)) = self.outlets.first_mut() else { return };
        let message = error_message(fault, stage);
        let frames = if outlet.is_broken { Vec::new() } else { outlet.sealer.seal(&message).unwrap_or_default() };
        let sink = outlet.sink.clone();
        let tell = async {
            for frame in frames {
                let frame = Frame::from(frame);
                self.traffic.count_sent(&frame);
                sink.send(Ok(frame)).await?;
            }
            sink.send(Err(fault.clone())).await
        };
        let _ = tokio::time::timeout(LAST_WORDS, tell).await;
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
    }
}

/// The ERROR message of a fault: its registered texts only.
fn error_message(fault: &Fault, stage: Stage) -> Message {
    let entry = hefu_core::registry::entry(fault.code);
    let party = fault.party.as_ref().map(PartyId::as_str).unwrap_or_default();
    let json = serde_json::json!({
        "code": fault.code.number(), "party": party, "cause": entry.cause.en, "next": entry.next.en,
    });
    Message::error(stage.number(), fault.code, json.to_string().as_bytes())
}

#[cfg(test)]
#[path = "port_tests.rs"]
mod tests;
