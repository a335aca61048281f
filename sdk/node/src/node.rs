//! A node: what it shares between its services, how it starts and stops.
use crate::dataset::Datasets;
use crate::epochs::Epochs;
use crate::identity::{self, Identity};
use crate::job::{self, Jobs};
use crate::pool::Trainers;
use crate::session::Registry;
use crate::store::{SqliteStore, Store};
use crate::tls::PartyTls;
use crate::trust::Trust;
use crate::{Error, NodeConfig, control, files, services};
use hefu_core::{Code, Fault, PartyId};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Connections that [`RunningNode::connections`] remembers.
const REMEMBERED_CONNECTIONS: usize = 64;
/// How long open calls may take to end when a node stops.
const DRAIN: Duration = Duration::from_secs(3);

/// Where a node tells what it does: one line a call, without any data value.
pub type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// A connection between this node and another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The party at the other end, by its certificate.
    pub party: PartyId,
    /// Name of the negotiated key exchange group, such as `X25519MLKEM768` (TLS-6).
    pub group: String,
    /// Whether the other party dialled.
    pub inbound: bool,
}

/// What all services of a node share.
pub(crate) struct Shared {
    pub(crate) config: NodeConfig,
    pub(crate) identity: Identity,
    pub(crate) trust: Arc<Trust>,
    pub(crate) tls: PartyTls,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) jobs: Jobs,
    pub(crate) sessions: Registry,
    pub(crate) datasets: Datasets,
    pub(crate) trainers: Trainers,
    pub(crate) epochs: Epochs,
    pub(crate) log: Log,
    pub(crate) interconnect: SocketAddr,
    connections: Mutex<VecDeque<Connection>>,
}

impl Shared {
    pub(crate) fn party(&self) -> &PartyId {
        &self.identity.party
    }

    pub(crate) fn log(&self, line: &str) {
        (self.log)(line);
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.config.files.state.join("models")
    }

    pub(crate) fn remember(&self, connection: Connection) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.len() == REMEMBERED_CONNECTIONS {
            connections.pop_front();
        }
        connections.push_back(connection);
    }
}

/// The ways to a node.
#[derive(Debug)]
pub struct Node;

impl Node {
    /// Creates keys and certificates where the state folder has none, and the party's descriptor; answers its path.
    ///
    /// # Errors
    /// `CONFIGURATION` where keys are there but cannot be read or are another party's; `DISK`.
    ///
    /// # Security
    /// Private keys are readable by the owner only.
    pub fn init(config: &NodeConfig) -> Result<PathBuf, Error> {
        identity::create(config)
    }

    /// Trusts a party's descriptor under a short name (empty: the one that it has, or the value part of its id);
    /// answers the short name. A node at work with the same state folder follows.
    ///
    /// # Errors
    /// `MALFORMED_DOCUMENT`, `BAD_SIGNATURE` (SESS-1); `CONFIGURATION` for a short name that is no word or taken, and
    /// for a party that has another one, unless `rename`; `DISK`.
    pub fn trust(config: &NodeConfig, descriptor: &[u8], alias: &str, rename: bool) -> Result<String, Error> {
        let trust = Trust::open(&config.files.state);
        let own = std::fs::read(config.files.state.join("party.json")).ok();
        if let Some(own) = own.and_then(|envelope| identity::open_descriptor(&envelope).ok()) {
            trust.set_own(config.party.alias.clone(), own);
        }
        Ok(trust.add(descriptor, alias, rename)?.alias.clone())
    }

    /// Ends the epoch of a dataset (spec/oprf.md): its next unbalanced alignment draws a new key and publishes a new
    /// set.
    /// Answers whether there was one. A node at work with the same state folder follows.
    ///
    /// # Errors
    /// `CONFIGURATION` for a name that cannot be a dataset's; `DISK`.
    pub fn rotate(config: &NodeConfig, dataset: &str) -> Result<bool, Error> {
        if !crate::config::is_word(dataset) {
            return Err(Error::configuration("name", "1 to 64 letters, digits, - and _ are expected"));
        }
        Epochs::new(&config.files.state).end(dataset)
    }

    /// Short name and id of every party that the state folder trusts.
    pub fn trusted(config: &NodeConfig) -> Vec<(String, PartyId)> {
        let parties = Trust::open(&config.files.state).list();
        parties.iter().map(|p| (p.alias.clone(), p.descriptor.party.clone())).collect()
    }

    /// Starts a node that logs to standard error.
    ///
    /// # Errors
    /// As [`Node::start_with`].
    pub async fn start(config: NodeConfig) -> Result<RunningNode, Error> {
        Self::start_with(config, Arc::new(|line: &str| eprintln!("{line}"))).await
    }

    /// Starts a node: binds both sides, writes `address.json`, and marks jobs that an earlier stop cut as failed.
    ///
    /// # Errors
    /// `CONFIGURATION`, `PORT_TAKEN`, `DISK`.
    pub async fn start_with(config: NodeConfig, log: Log) -> Result<RunningNode, Error> {
        let identity = Identity::load(&config)?;
        let interconnect = bind(config.listen.interconnect).await?;
        let control = bind(config.listen.control).await?;
        let shared = Arc::new(prepare(config, identity, log, interconnect.local_addr().map_err(unbound)?)?);
        let control_address = control.local_addr().map_err(unbound)?;
        let descriptor = publish_identity(&shared, control_address)?;
        job::restore_waiting(&shared);
        let (stop, stopped) = watch::channel(false);
        let party_server = services::serve(shared.clone(), interconnect, stopped.clone())?;
        let control_server = control::serve(shared.clone(), control, stopped)?;
        Ok(RunningNode {
            shared,
            control: control_address,
            descriptor,
            stop,
            servers: vec![party_server, control_server],
        })
    }
}

fn unbound(_: std::io::Error) -> Error {
    Error::Internal("a listener has no address")
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|e| match e.kind() {
        ErrorKind::AddrInUse => Error::PortTaken(address),
        _ => Error::configuration("listen", format!("{address}: {e}")),
    })
}

fn prepare(config: NodeConfig, identity: Identity, log: Log, interconnect: SocketAddr) -> Result<Shared, Error> {
    let state = config.files.state.clone();
    for folder in ["datasets", "models", "trust"] {
        files::create_folder(&state.join(folder))?;
        files::remove_partial(&state.join(folder));
    }
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&state.join("hefu.db"))?);
    let jobs = Jobs::open(store.clone(), &config.limits, &identity.party)?;
    let trust = Arc::new(Trust::open(&state));
    let tls = PartyTls::new(trust.clone(), identity.tls.clone());
    let datasets = Datasets::new(state.join("datasets"));
    let trainers = Trainers::new(&config.trainer, &state);
    let epochs = Epochs::new(&state);
    Ok(Shared {
        tls,
        identity,
        trust,
        store,
        jobs,
        sessions: Registry::default(),
        datasets,
        trainers,
        epochs,
        log,
        interconnect,
        connections: Mutex::default(),
        config,
    })
}

/// Signs the descriptor with the bound address, and tells the control side's clients where to find it.
fn publish_identity(shared: &Shared, control: SocketAddr) -> Result<Vec<u8>, Error> {
    let (config, identity) = (&shared.config, &shared.identity);
    let bound = shared.interconnect.to_string();
    let envelope = identity::write_descriptor(config, &identity.signing, &identity.tls_root, bound)?;
    shared.trust.set_own(config.party.alias.clone(), identity::open_descriptor(&envelope)?);
    let address = serde_json::json!({"interconnect": shared.interconnect, "control": control});
    files::write(&config.files.state.join("address.json"), address.to_string().as_bytes())?;
    Ok(envelope)
}

/// A node at work. Dropping it leaves it at work; [`RunningNode::shutdown`] ends it.
pub struct RunningNode {
    shared: Arc<Shared>,
    control: SocketAddr,
    descriptor: Vec<u8>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
}

impl RunningNode {
    /// The party.
    pub fn party(&self) -> &PartyId {
        self.shared.party()
    }

    /// Address of the interconnect side, as bound.
    pub fn interconnect(&self) -> SocketAddr {
        self.shared.interconnect
    }

    /// Address of the control side, as bound.
    pub fn control(&self) -> SocketAddr {
        self.control
    }

    /// The signed descriptor that other parties trust, also in `party.json`.
    pub fn descriptor(&self) -> &[u8] {
        &self.descriptor
    }

    /// The latest connections to other parties, oldest first.
    pub fn connections(&self) -> Vec<Connection> {
        self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Ends running jobs with `NODE_STOPPED`, tells the peers, and closes both sides.
    pub async fn shutdown(self) {
        self.shared.jobs.stop_all(&Fault::new(Code::NodeStopped).by(self.shared.party()));
        let _ = tokio::time::timeout(DRAIN, self.shared.jobs.idle()).await;
        let _ = self.stop.send(true);
        for mut server in self.servers {
            if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
                server.abort();
            }
        }
        let _ = std::fs::remove_file(self.shared.config.files.state.join("address.json"));
    }
}

impl std::fmt::Debug for RunningNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunningNode({}, {})", self.shared.party(), self.shared.interconnect)
    }
}
