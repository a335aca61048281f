//! For the channel's tests: a session without a network, its other parties moved by hand.
use super::{Duplex, Frame, Source, Wiring};
use hefu_core::{Fault, PartyId, Rank, SessionId, Stage};
use hefu_crypto::Agreement;
use hefu_protocol::frame::{Limits, Opener, Sealer};
use hefu_protocol::session::Keys;
use hefu_protocol::{Kind, Message};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Chunks of 1 KiB.
pub(super) const LIMITS: Limits = Limits { max_chunk: 1 << 10, max_message: 1 << 20 };
const SESSION: SessionId = SessionId([7; 16]);

fn keys(own: u16, parties: u16) -> Keys {
    let secrets: Vec<_> = (0..parties).map(|rank| Agreement::new([rank as u8 + 1; 32])).collect();
    let public: Vec<_> = secrets.iter().map(Agreement::public).collect();
    Keys::derive(SESSION, Rank(own), [3; 32], &secrets[usize::from(own)], &public).unwrap()
}

/// A peer by hand: what it sends and what it gets.
pub(super) struct Peer {
    pub(super) rank: Rank,
    pub(super) keys: Keys,
    pub(super) sealers: Vec<Sealer>,
    openers: Vec<Opener>,
    pub(super) to_node: mpsc::Sender<Result<Frame, Fault>>,
    pub(super) from_node: mpsc::Receiver<Result<Frame, Fault>>,
}

impl Peer {
    /// Seals a message and sends as many of its frames as are asked for.
    pub(super) async fn send_part(&mut self, to: u16, message: Message, frames: usize) {
        for frame in self.sealers[usize::from(to)].seal(&message).unwrap().into_iter().take(frames) {
            self.to_node.send(Ok(frame.into())).await.unwrap();
        }
    }

    pub(super) async fn send(&mut self, to: u16, message: Message) {
        self.send_part(to, message, usize::MAX).await;
    }

    /// The next whole message from a rank; `None` where the node has dropped the link.
    pub(super) async fn receive(&mut self, from: u16) -> Option<Message> {
        loop {
            let frame = self.from_node.recv().await?.unwrap();
            if let Some(message) = self.openers[usize::from(from)].open(&frame.header, &frame.body).unwrap() {
                return Some(message);
            }
        }
    }
}

/// The session as rank `own` of `parties` sees it. At rank 0 every other party is a peer; elsewhere rank 0 alone is,
/// who
/// can seal for all.
pub(super) fn wired(own: u16, parties: u16, memory: u64, idle: Duration) -> (Wiring, Vec<Duplex>, Vec<Peer>) {
    let names: Vec<_> = (0..parties).map(|rank| PartyId::parse(&format!("lei:P{rank}")).unwrap()).collect();
    let wiring = Wiring {
        session: SESSION,
        own: Rank(own),
        parties: names.into(),
        keys: keys(own, parties).into(),
        limits: LIMITS,
        memory,
        idle,
    };
    let (mut links, mut peers) = (Vec::new(), Vec::new());
    for rank in (0..parties).filter(|rank| *rank != own && (own == 0 || *rank == 0)) {
        let ((to_node, source), (sink, from_node)) = (mpsc::channel(2), mpsc::channel(2));
        let source: Source = Box::pin(ReceiverStream::new(source));
        links.push(Duplex { peer: Rank(rank), source, sink });
        let keys = keys(rank, parties);
        let all = || (0..parties).map(Rank);
        let sealers = all().map(|to| keys.sealer(to, LIMITS.max_chunk)).collect();
        let openers = all().map(|from| keys.opener(from, LIMITS)).collect();
        peers.push(Peer { rank: Rank(rank), keys, sealers, openers, to_node, from_node });
    }
    (wiring, links, peers)
}

/// A message of some bytes.
pub(super) fn message(stage: Stage, bytes: usize) -> Message {
    Message { kind: Kind::Scalars, stage: stage.number(), round: 1, payload: vec![9; bytes] }
}
