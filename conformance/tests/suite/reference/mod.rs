//! A tiny collaborator, for the suite's own tests alone: as short as the specification allows, with switchable faults.

mod align;
mod documents;
mod frames;
mod initiator;
mod null;
mod service;
mod tls;
mod train;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hefu_conformance::control::{Control, Permit, Reply, Request};
use hefu_conformance::pki::Party;
use hefu_conformance::registry;
use hefu_conformance::wire::detail;
use hefu_conformance::wire::party::Descriptor;
use hefu_proto::v1::ErrorDetail;
use tonic::{Code, Status};

/// Most rows that the target takes.
pub const MAX_ROWS: u64 = 1_000_000;
/// Sessions at once.
pub const MAX_JOBS: usize = 3;
/// Idle time.
pub const IDLE: Duration = Duration::from_secs(6);

/// An allow entry.
#[derive(Clone)]
pub struct Allow {
    party: String,
    dataset: String,
    purpose: String,
    outputs: Vec<String>,
    min_rows: u64,
}

/// Where a session stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Offered,
    Confirmed,
    Open,
    Done,
    Ended,
}

#[derive(Clone)]
struct Session {
    owner: String,
    state: State,
    offer: Vec<u8>,
    confirm: Vec<u8>,
    secret: [u8; 32],
    peer: [u8; 32],
    dataset: String,
    join: String,
    max_chunk: usize,
    min_rows: u64,
    /// What is trained after alignment, where anything is.
    training: Option<train::Plan>,
}

/// The target's state.
pub struct Node {
    me: Party,
    trusted: HashMap<String, Descriptor>,
    datasets: HashMap<String, Vec<String>>,
    /// Numbers of each dataset's rows, by key.
    cells: HashMap<String, HashMap<String, Vec<f64>>>,
    allows: Vec<Allow>,
    sessions: Mutex<HashMap<[u8; 16], Session>>,
    seen: Mutex<HashSet<[u8; 16]>>,
    fault: String,
}

impl Node {
    fn new(fault: &str) -> Node {
        Node {
            me: Party::mint(&hex::encode(random::<16>()), "target").unwrap(),
            trusted: HashMap::new(),
            datasets: HashMap::new(),
            cells: HashMap::new(),
            allows: Vec::new(),
            sessions: Mutex::default(),
            seen: Mutex::default(),
            fault: fault.to_owned(),
        }
    }

    /// Whether this target has a fault.
    fn has(&self, fault: &str) -> bool {
        self.fault == fault
    }
}

/// Fresh bytes.
pub fn random<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    getrandom::fill(&mut out).unwrap();
    out
}

/// A refusal with its code, as errors section 1 says.
fn refuse(name: &str) -> Status {
    let code = registry::errors().into_iter().find(|e| e.name == name).map(|e| e.code).unwrap();
    let grpc = match code / 1000 {
        1 => Code::Unavailable,
        3 => Code::PermissionDenied,
        5 => Code::InvalidArgument,
        7 => Code::ResourceExhausted,
        _ => Code::FailedPrecondition,
    };
    let detail = ErrorDetail { code, name: name.into(), cause: "refused".into(), ..ErrorDetail::default() };
    Status::with_details(grpc, name, detail::encode(grpc as i32, &detail).into())
}

/// Control of a target in this process.
pub struct InProcess {
    fault: String,
    node: Option<Node>,
    /// The node once it has been started.
    running: Option<Arc<Node>>,
    jobs: initiator::Jobs,
    server: Option<tokio::task::JoinHandle<()>>,
}

impl InProcess {
    /// A target with one fault, or none (`""`).
    pub fn new(fault: &str) -> InProcess {
        InProcess { fault: fault.to_owned(), node: None, running: None, jobs: Arc::default(), server: None }
    }

    fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }

    async fn start(&mut self) -> Reply {
        self.stop();
        let node = match self.node.take() {
            Some(node) => Arc::new(node),
            None => {
                let node = self.running.take().expect("restart follows reset");
                if node.has("forgets-sessions-at-restart") {
                    node.seen.lock().unwrap().clear();
                }
                node
            }
        };
        self.running = Some(node.clone());
        let descriptor = String::from_utf8(node.me.descriptor()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        self.server = Some(if self.fault.starts_with("null-") {
            tokio::spawn(null::serve(node, listener))
        } else {
            tokio::spawn(service::serve(node, listener))
        });
        Reply { address: Some(address), descriptor: Some(descriptor), ..Reply::done() }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Control for InProcess {
    async fn call(&mut self, request: Request) -> hefu_conformance::Result<Reply> {
        Ok(match request {
            Request::Hello => Reply { adapter: Some("reference 0".into()), ..Reply::done() },
            Request::Reset => {
                self.stop();
                self.node = Some(Node::new(&self.fault));
                Reply::done()
            }
            Request::LoadDataset { name, csv, .. } => {
                let mut keys: Vec<String> = Vec::new();
                let mut known = HashSet::new();
                let mut cells = HashMap::new();
                for line in csv.lines().skip(1) {
                    let key = line.split(',').next().unwrap().trim();
                    if (1..=128).contains(&key.len()) && known.insert(key.to_owned()) {
                        keys.push(key.to_owned());
                        cells.insert(key.to_owned(), line.split(',').skip(1).map(|c| c.parse().unwrap()).collect());
                    }
                }
                self.node.as_mut().unwrap().cells.insert(name.clone(), cells);
                self.node.as_mut().unwrap().datasets.insert(name, keys);
                Reply::done()
            }
            Request::InstallAgreement { descriptor, permits, .. } => {
                let node = self.node.as_mut().unwrap();
                let descriptor = Descriptor::open(descriptor.as_bytes()).unwrap();
                for Permit { dataset, purpose, outputs, min_rows } in permits {
                    let (party, min_rows) = (descriptor.party.clone(), min_rows.unwrap_or(0));
                    node.allows.push(Allow { party, dataset, purpose, outputs, min_rows });
                }
                node.trusted.insert(descriptor.party.clone(), descriptor);
                Reply::done()
            }
            Request::Restart => self.start().await,
            Request::StartJob(order) => initiator::start(self.running.as_ref().unwrap(), &self.jobs, order),
            Request::JobStatus { job } => initiator::status(&self.jobs, &job),
            Request::Result { job } => initiator::result(self.running.as_ref().unwrap(), &self.jobs, &job),
            Request::Stop => {
                self.stop();
                Reply::done()
            }
            _ => Reply::refused("unsupported"),
        })
    }
}
