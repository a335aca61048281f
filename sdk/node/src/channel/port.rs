//! What a driver sends and receives through: messages of one session, in order, with back-pressure.
use super::reader::Reader;
use super::{Duplex, Event, Frame, QUEUED_MESSAGES, Sink, Stopper, Traffic, blame, stopped};
use bytes::Bytes;
use hefu_core::{Code, Fault, PartyId, Rank, SessionId, Stage};
use hefu_protocol::frame::{Limits, Receiver, Sealer};
use hefu_protocol::session::Keys;
use hefu_protocol::{Error, Kind, Message, Outgoing};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// The facts of a confirmed session.
#[derive(Clone)]
pub(crate) struct Wiring {
    pub(crate) session: SessionId,
    pub(crate) own: Rank,
    /// By rank.
    pub(crate) parties: Arc<[PartyId]>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) limits: Limits,
    /// Time without an awaited frame after which the session ends (FRAME-12).
    pub(crate) idle: Duration,
}

impl Wiring {
    pub(crate) fn party(&self, rank: Rank) -> PartyId {
        self.parties[rank.index()].clone()
    }

    fn others(&self) -> impl Iterator<Item = Rank> + '_ {
        (0..self.keys.parties()).map(Rank).filter(|rank| *rank != self.own)
    }
}

/// How long the last words of a session may take, in either direction.
const LAST_WORDS: Duration = Duration::from_secs(2);

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
    held: VecDeque<(Rank, Message)>,
    held_bytes: u64,
    /// By rank: when its last frame came.
    heard: Vec<Instant>,
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
        let mut relays: Vec<Option<Sink>> = vec![None; count];
        let mut outlets: Vec<Option<Outlet>> = (0..count).map(|_| None).collect();
        for rank in wiring.others() {
            let link = links.iter().find(|link| !is_initiator || link.peer == rank);
            let Some(link) = link else { continue };
            let sealer = wiring.keys.sealer(rank, wiring.limits.max_chunk);
            outlets[rank.index()] = Some(Outlet { sealer, sink: link.sink.clone(), link: link.peer, is_broken: false });
            if is_initiator {
                relays[rank.index()] = Some(link.sink.clone());
            }
        }
        let mut readers = Vec::new();
        for link in links {
            let mut openers: Vec<_> = (0..count).map(|_| None).collect();
            for rank in wiring.others().filter(|rank| !is_initiator || *rank == link.peer) {
                openers[rank.index()] = Some(wiring.keys.opener(rank, wiring.limits));
            }
            let reader = Reader {
                own: wiring.own,
                peer: link.peer,
                parties: wiring.parties.clone(),
                receiver: Receiver::new(wiring.session, wiring.own, link.peer, openers),
                relays: relays.clone(),
                traffic: traffic.clone(),
                inbox: sender.clone(),
            };
            readers.push(tokio::spawn(reader.run(link.source)).abort_handle());
        }
        Port {
            heard: vec![Instant::now(); count],
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

    /// The fault that has stopped the job, if one has.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.stop.borrow().clone().map_or(Ok(()), Err)
    }

    /// Seals a message and hands its frames to the network.
    ///
    /// While the network is full, messages that arrive are taken in: two parties that both send never wait for each
    /// other.
    ///
    /// # Errors
    /// `PEER_SLOW` where the peer takes nothing for the idle time; what ends the session.
    pub(crate) async fn send(&mut self, outgoing: Outgoing) -> Result<(), Fault> {
        let parties = self.wiring.parties.clone();
        let outlet = self.outlets.get_mut(outgoing.to.index()).and_then(Option::as_mut);
        let outlet = outlet.ok_or_else(|| Fault::because(Code::Internal, "a message has no receiver"))?;
        let frames = outlet.sealer.seal(&outgoing.message).map_err(|e| blame(&e, &parties))?;
        let (sink, link) = (outlet.sink.clone(), outlet.link);
        outlet.is_broken = true;
        for frame in frames {
            let frame = Frame { header: Bytes::from(frame.header), body: Bytes::from(frame.body) };
            self.push(&sink, link, frame).await?;
        }
        if let Some(Some(outlet)) = self.outlets.get_mut(outgoing.to.index()) {
            outlet.is_broken = false;
        }
        Ok(())
    }

    async fn push(&mut self, sink: &Sink, link: Rank, frame: Frame) -> Result<(), Fault> {
        let deadline = Instant::now() + self.wiring.idle;
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
                    let (rank, message) = self.accept(event)?;
                    self.hold(rank, message)?;
                }
                () = sleep_until(deadline) => {
                    return Err(Fault::new(Code::PeerSlow).by(&self.wiring.party(link)).citing("FRAME-12"));
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
    /// `PEER_SLOW` (FRAME-12); the peer's error; what ends the session.
    pub(crate) async fn receive(&mut self, stage: Stage) -> Result<(Rank, Message), Fault> {
        let current = stage.number();
        if let Some(index) = self.held.iter().position(|(_, message)| message.stage == current)
            && let Some((rank, message)) = self.held.remove(index)
        {
            self.held_bytes = self.held_bytes.saturating_sub(message.payload.len() as u64);
            return Ok((rank, message));
        }
        let deadline = Instant::now() + self.wiring.idle;
        loop {
            let event = tokio::select! {
                biased;
                fault = stopped(&mut self.stop) => return Err(fault),
                event = self.inbox.recv() => event,
                () = sleep_until(deadline) => return Err(self.slow()),
            };
            let (rank, message) = self.accept(event)?;
            if message.stage == current {
                return Ok((rank, message));
            }
            // A peer may be ahead by a stage, never behind.
            if message.stage < current {
                return Err(self.blame(&Error::unexpected(rank)));
            }
            self.hold(rank, message)?;
        }
    }

    fn accept(&mut self, event: Option<Event>) -> Result<(Rank, Message), Fault> {
        match event {
            Some(Event::Message(rank, message)) if message.kind == Kind::Error => Err(self.peer_error(rank, &message)),
            Some(Event::Message(rank, message)) => {
                if let Some(heard) = self.heard.get_mut(rank.index()) {
                    *heard = Instant::now();
                }
                Ok((rank, message))
            }
            Some(Event::Ended { fault, .. }) => Err(fault),
            None => Err(Fault::new(Code::LinkCut)),
        }
    }

    fn hold(&mut self, rank: Rank, message: Message) -> Result<(), Fault> {
        self.held_bytes += message.payload.len() as u64;
        if self.held_bytes > self.wiring.limits.max_message {
            let cause = "messages wait that together exceed the negotiated size";
            return Err(self.blame(&Error::peer(rank, Code::MessageTooLarge, "FRAME-5", cause)));
        }
        self.held.push_back((rank, message));
        Ok(())
    }

    /// What an ERROR message says, in this node's own words (spec/frame.md, section 3; ERR-2).
    fn peer_error(&self, rank: Rank, message: &Message) -> Fault {
        let (code, json) = match message.read_error(rank) {
            Ok(told) => told,
            Err(error) => return self.blame(&error),
        };
        let code = Code::from_number(code).unwrap_or(Code::PeerAborted);
        let named = serde_json::from_slice::<serde_json::Value>(json).ok();
        let named = named.as_ref().and_then(|json| json.get("party")).and_then(|party| party.as_str());
        let party = named.and_then(|party| PartyId::parse(party).ok()).unwrap_or_else(|| self.wiring.party(rank));
        Fault::new(code).by(&party)
    }

    /// Nobody was heard in time: the one that has been silent longest is named.
    fn slow(&self) -> Fault {
        let others = self.wiring.others().filter(|rank| self.outlets[rank.index()].is_some());
        let links = others.filter(|rank| self.wiring.own == Rank::INITIATOR || *rank == Rank::INITIATOR);
        let fault = Fault::new(Code::PeerSlow).citing("FRAME-12");
        match links.min_by_key(|rank| self.heard[rank.index()]) {
            Some(rank) => fault.by(&self.wiring.party(rank)),
            None => fault,
        }
    }

    /// Waits until a link ends; messages that still arrive are dropped. `None`: the peer closed its direction in order.
    async fn ended(&mut self) -> Option<Fault> {
        loop {
            match self.inbox.recv().await {
                Some(Event::Message(_, message)) if message.kind != Kind::Error => {}
                event => return self.verdict(event),
            }
        }
    }

    /// Waits until the link ends, after the last stage: nothing but its end may come (FRAME-11).
    pub(crate) async fn after_stages(&mut self) -> Option<Fault> {
        if let Some((rank, _)) = self.held.front() {
            return Some(self.blame(&Error::unexpected(*rank)));
        }
        let event = self.inbox.recv().await;
        self.verdict(event)
    }

    /// The fault that a peer has told already, if one has.
    pub(crate) fn told(&mut self) -> Option<Fault> {
        loop {
            match self.inbox.try_recv().ok()? {
                Event::Message(_, message) if message.kind != Kind::Error => {}
                event => return self.verdict(Some(event)),
            }
        }
    }

    fn verdict(&self, event: Option<Event>) -> Option<Fault> {
        match event {
            Some(Event::Message(rank, message)) if message.kind == Kind::Error => Some(self.peer_error(rank, &message)),
            Some(Event::Message(rank, _)) => Some(self.blame(&Error::unexpected(rank))),
            Some(Event::Ended { clean: true, .. }) | None => None,
            Some(Event::Ended { fault, clean: false }) => Some(fault),
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
                let frame = Frame { header: Bytes::from(frame.header), body: Bytes::from(frame.body) };
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
