//! How fast the channel carries frames, for `hefu bench frames`: one side sends, the other opens and drops.
//!
//! Both sides are like nodes: identities and trusted parties in a state folder, mutual TLS, the same HTTP/2 windows,
//! the channel of a job. There is no negotiation, and so no protection: the keys come from constants.
use crate::channel::{Duplex, Port, Stopper, Traffic, Wiring};
use crate::driver::{cpu_seconds, peak_rss_mib};
use crate::identity::{Identity, write_descriptor};
use crate::tls::{self, Link, PartyTls};
use crate::trust::Trust;
use crate::wire::throughput::{Taker, exchange, send_bare, serve as serve_channel};
use crate::{Error, NodeConfig};
use hefu_core::{Code, Fault, PartyId, Rank, SessionId, Stage};
use hefu_crypto::{Agreement, sha256};
use hefu_protocol::frame::Limits;
use hefu_protocol::session::Keys;
use hefu_protocol::{Kind, Message, Outgoing};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

/// The stage of all messages; which one does not matter.
const STAGE: Stage = Stage::Align;

/// What to send.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Bytes of a chunk; the receiver's configuration has the same.
    pub chunk_bytes: u32,
    /// Bytes of a message, at least 1.
    pub message_bytes: u64,
    /// Messages.
    pub messages: u64,
}

/// What one process has spent.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Spent {
    /// User and system CPU seconds.
    pub cpu_seconds: f64,
    /// Largest resident size so far, MiB.
    pub peak_rss_mib: f64,
}

impl Spent {
    pub(crate) fn now() -> Self {
        Spent { cpu_seconds: cpu_seconds(), peak_rss_mib: peak_rss_mib() }
    }

    fn since(self) -> Self {
        let now = Self::now();
        Spent { cpu_seconds: now.cpu_seconds - self.cpu_seconds, ..now }
    }

    /// What was spent since then, as JSON.
    pub(crate) fn report(self) -> Vec<u8> {
        serde_json::to_vec(&self.since()).unwrap_or_default()
    }

    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
}

/// One load, from its first frame to the receiver's answer.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Wall seconds.
    pub seconds: f64,
    /// Bytes of all headers and bodies.
    pub bytes: u64,
    /// At the sender.
    pub sender: Spent,
    /// At the receiver.
    pub receiver: Spent,
}

/// The wiring of a session of two whose keys protect nothing.
fn wiring(config: &NodeConfig, session: SessionId, own: Rank, parties: [PartyId; 2]) -> Result<Wiring, Fault> {
    let secrets = [Agreement::new([1; 32]), Agreement::new([2; 32])];
    let public = secrets.each_ref().map(Agreement::public);
    let keys = Keys::derive(session, own, sha256(&[&session.0]), &secrets[own.index()], &public);
    let failed = |_| Fault::because(Code::Internal, "a measurement has no keys");
    let limits = &config.limits;
    Ok(Wiring {
        session,
        own,
        parties: parties.into(),
        keys: Arc::new(keys.map_err(failed)?),
        limits: Limits { max_chunk: limits.max_chunk_bytes, max_message: limits.max_message_bytes },
        memory: limits.max_session_bytes,
        idle: limits.idle_timeout(),
    })
}

/// Receives whatever trusted parties send, until it is dropped. The descriptor in the state folder, and with it the
/// address, is written once the port is bound.
///
/// # Errors
/// `CONFIGURATION`, `DISK`.
pub async fn receive(config: NodeConfig) -> Result<(), Error> {
    let identity = Identity::load(&config)?;
    let listener = TcpListener::bind(config.listen.interconnect)
        .await
        .map_err(|e| Error::configuration("listen.interconnect", e.to_string()))?;
    let bound = listener.local_addr().map_err(|_| Error::Internal("a listener has no address"))?;
    let trust = Arc::new(Trust::open(&config.files.state));
    let tls = PartyTls::new(trust, identity.tls.clone());
    let incoming = tls::accept(listener, tls.server()?, Arc::new(|line: &str| eprintln!("{line}")), |_| {});
    write_descriptor(&config, &identity.signing, &identity.tls_root, bound.to_string())?;
    crate::files::write(&config.files.state.join("bound"), bound.to_string().as_bytes())?;
    let taker: Taker = Arc::new(move |peer, session, duplex| {
        let parties = [peer.clone(), config.party.id.clone()];
        if let Ok(wiring) = wiring(&config, session, Rank(1), parties) {
            let (runtime, traffic) = (Handle::current(), Arc::new(Traffic::default()));
            let port = Port::open(wiring, vec![duplex], traffic, &Stopper::new());
            tokio::task::spawn_blocking(move || take(port, &runtime));
        }
    });
    serve_channel(taker, incoming).await.map_err(|_| Error::Internal("the receiver has stopped"))
}

/// Drops messages until an empty one comes; answers that with what all cost.
fn take(mut port: Port, runtime: &Handle) -> Result<(), Fault> {
    let before = Spent::now();
    while !runtime.block_on(port.receive(STAGE))?.1.payload.is_empty() {}
    runtime.block_on(port.send(&outgoing(Rank(0), before.report())))?;
    // The sender ends the stream.
    runtime.block_on(port.receive(STAGE)).map(drop)
}

fn outgoing(to: Rank, payload: Vec<u8>) -> Outgoing {
    Outgoing { to, message: Message { kind: Kind::AlignTags, stage: STAGE.number(), round: 0, payload } }
}

/// The sending side, connected.
pub struct Sender {
    config: NodeConfig,
    link: Link,
}

impl Sender {
    /// Connects to a trusted receiver by its short name.
    ///
    /// # Errors
    /// `CONFIGURATION`; `UNKNOWN_PARTY`; `PEER_UNREACHABLE`; `UNTRUSTED_CERTIFICATE`.
    pub async fn dial(config: NodeConfig, receiver: &str) -> Result<Self, Error> {
        let identity = Identity::load(&config)?;
        let trust = Arc::new(Trust::open(&config.files.state));
        let to = trust.resolve(receiver).ok_or_else(|| Fault::new(Code::UnknownParty))?;
        let link = tls::dial(&PartyTls::new(trust, identity.tls.clone()), &to).await?;
        Ok(Sender { config, link })
    }

    /// Sends a load through the channel: cut, sealed, checked, opened, with all digests.
    ///
    /// # Errors
    /// What ends the stream.
    pub async fn sealed(&self, load: Load) -> Result<Run, Fault> {
        let session = SessionId(crate::random::<16>()?);
        let parties = [self.config.party.id.clone(), self.link.party.clone()];
        let wiring = wiring(&self.config, session, Rank(0), parties)?;
        let duplex = exchange(&self.link, Rank(1), session, wiring.idle).await?;
        let runtime = Handle::current();
        let work = tokio::task::spawn_blocking(move || send(wiring, duplex, load, &runtime));
        work.await.map_err(|_| Fault::because(Code::Internal, "the sender has died"))?
    }

    /// Sends frames of the same sizes over the same connection with nothing but gRPC: the floor.
    ///
    /// # Errors
    /// What ends the stream.
    pub async fn bare(&self, load: Load) -> Result<Run, Fault> {
        let (start, before) = (Instant::now(), Spent::now());
        let (bytes, receiver) = send_bare(&self.link, load).await?;
        Ok(Run { seconds: start.elapsed().as_secs_f64(), bytes, sender: before.since(), receiver })
    }
}

fn send(wiring: Wiring, duplex: Duplex, load: Load, runtime: &Handle) -> Result<Run, Fault> {
    let length = usize::try_from(load.message_bytes).unwrap_or(usize::MAX);
    let message = outgoing(Rank(1), vec![7; length]);
    let traffic = Arc::new(Traffic::default());
    let _in_runtime = runtime.enter();
    let mut port = Port::open(wiring, vec![duplex], traffic.clone(), &Stopper::new());
    let (start, before) = (Instant::now(), Spent::now());
    for _ in 0..load.messages {
        runtime.block_on(port.send(&message))?;
    }
    runtime.block_on(port.send(&outgoing(Rank(1), Vec::new())))?;
    let (_, answer) = runtime.block_on(port.receive(STAGE))?;
    let seconds = start.elapsed().as_secs_f64();
    let receiver = Spent::read(&answer.payload);
    let receiver = receiver.ok_or_else(|| Fault::because(Code::Internal, "the receiver's answer is unreadable"))?;
    Ok(Run { seconds, bytes: traffic.sent(), sender: before.since(), receiver })
}
