//! Evidence: what was said and when, with everything that a judge needs to judge it again.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::wire::{dsse, frame::Header, message};

pub mod pool;
pub mod train;

use pool::PoolFacts;
use train::TrainFacts;

/// Format of a stored transcript.
pub const SCHEMA: &str = "hefu-conformance/transcript/1";

/// All evidence of one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transcript {
    /// [`SCHEMA`].
    pub schema: String,
    /// Id of the case.
    pub case: String,
    /// Version of the suite that drove it.
    pub suite: String,
    /// Digest of the corpus, hex.
    pub corpus: String,
    /// Seed of the run.
    pub seed: String,
    /// What is known of the target.
    pub target: Target,
    /// How long a reply was waited for, in milliseconds.
    pub deadline_ms: u64,
    /// The target's declared idle time, in milliseconds.
    pub idle_ms: u64,
    /// How late the suite's own timer was at worst, in milliseconds.
    pub lag_ms: u64,
    /// The control case, where there is one.
    pub control: Option<Control>,
    /// Keys and cells of the target that must never be seen.
    pub canaries: Vec<String>,
    /// The dialogues: `main`, then `again` (a probe) and `liveness` where the case has them.
    pub runs: Vec<Run>,
}

/// What is known of the target before it says anything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Target {
    /// Party id of its descriptor.
    pub party: String,
    /// Its Ed25519 public key, hex.
    pub signing_key: String,
}

/// The control case of a negative one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Control {
    /// Its id.
    pub case: String,
    /// SHA-256 of its stored transcript, hex.
    pub sha256: String,
}

/// One dialogue.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Run {
    /// `main`, `again` or `liveness`.
    pub label: String,
    /// What the suite chose itself.
    pub facts: Facts,
    /// What happened, in order.
    pub events: Vec<Record>,
}

/// What the suite chose itself: throw-away values of this run, kept so that the evidence can be checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Session id, hex.
    pub session: String,
    /// The offer's exact bytes, hex.
    pub offer: String,
    /// The transcript hash, hex.
    pub transcript: String,
    /// Blinding scalar, hex.
    pub scalar: String,
    /// Keys in the order in which their elements were sent.
    pub keys: Vec<String>,
    /// Foreign elements sent after the keys, hex.
    pub probes: Vec<String>,
    /// Valid, distinct keys of the target's dataset in file order.
    pub target_keys: Vec<String>,
    /// `inner` or `left`.
    pub join: String,
    /// Negotiated chunk, in bytes.
    pub max_chunk: u64,
    /// Confirms of the suite's own collaborators, ranks 1 and up, hex; the target's rank is the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// Algorithm of the offer; empty where there was none.
    #[serde(default)]
    pub algorithm: String,
    /// A training's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<TrainFacts>,
    /// A round's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolFacts>,
}

impl Facts {
    /// Rank of the target where it collaborates.
    pub fn rank(&self) -> u16 {
        self.others.len() as u16 + 1
    }
}

/// An event and when it happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Microseconds since the dialogue began.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen. Byte strings are hex.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Event {
    /// A TLS connection stands.
    Connected { party: String, protocol: String, group: String },
    /// TLS or TCP ended the connection, with the alert's name if one was sent.
    Cut { alert: Option<String>, text: String },
    /// Bytes sent in place of TLS, and what came back within the deadline.
    Raw { sent: String, received: String, closed: bool },
    /// The one deviation is sent next.
    Deviation { what: String },
    /// A unary call.
    Called { call: String, party: String, request: String },
    /// Its answer.
    Answered { call: String, response: String },
    /// A refusal: of a call, of the stream, or as an ERROR frame.
    Refused { by: String, grpc: i32, code: Option<u32>, name: String, requirement: String, text: String },
    /// A frame of the suite's, before sealing.
    FrameSent { kind: String, header: String, chunk: String },
    /// A frame of the target's; no chunk where the seal did not hold.
    FrameReceived { header: String, chunk: Option<String>, body_length: usize },
    /// A call that came before the target was done; it is made again.
    NotYet { call: String },
    /// Control had the target start a job.
    JobStarted { job: String },
    /// A unary call of the target's.
    Asked { call: String, request: String },
    /// What the suite answered: a response, or the code of a refusal.
    Replied { call: String, response: String, code: Option<u32> },
    /// What the target's own people are told of the job in the end; `state` is `succeeded` or `failed`.
    JobEnded { state: String, code: Option<u32>, text: String },
    /// Whether control had a result of the job to show.
    JobResult { given: bool, text: String },
    /// The stream ended without an error.
    StreamEnded,
    /// Nothing came within the deadline.
    Silence { waiting_for: String, waited_ms: u64 },
    /// The dialogue reached its end.
    Completed,
    /// The suite itself failed.
    SuiteFault { text: String },
}

impl Run {
    /// Frames of the target with whole headers: (index of the event, header, chunk).
    pub fn frames(&self) -> impl Iterator<Item = (usize, Header, Option<Vec<u8>>)> + '_ {
        self.events.iter().enumerate().filter_map(|(index, record)| match &record.event {
            Event::FrameReceived { header, chunk, .. } => {
                let header = Header::decode(&hex::decode(header).ok()?)?;
                Some((index, header, chunk.as_ref().and_then(|c| hex::decode(c).ok())))
            }
            _ => None,
        })
    }

    /// Whole messages of the target, in order: (index of the event that began each, type, payload).
    pub fn messages(&self) -> Vec<(usize, u16, Vec<u8>)> {
        let mut out: Vec<(usize, u16, Vec<u8>)> = Vec::new();
        let mut open: Option<(usize, u16, Vec<u8>)> = None;
        for (index, header, chunk) in self.frames() {
            let (begin, kind, mut payload) = open.take().unwrap_or((index, header.kind, Vec::new()));
            payload.extend(chunk.unwrap_or_default());
            if header.chunk + 1 >= header.chunks {
                out.push((begin, kind, payload));
            } else {
                open = Some((begin, kind, payload));
            }
        }
        out
    }

    /// Index of the deviation, if one was sent.
    pub fn deviation(&self) -> Option<(usize, &str)> {
        self.events.iter().enumerate().find_map(|(index, record)| match &record.event {
            Event::Deviation { what } => Some((index, what.as_str())),
            _ => None,
        })
    }

    /// Whether the dialogue reached its end.
    pub fn completed(&self) -> bool {
        self.events.iter().any(|record| matches!(record.event, Event::Completed))
    }

    /// Every byte string that came from the target, with a name for where.
    pub fn received(&self) -> Vec<(String, Vec<u8>)> {
        let mut out = Vec::new();
        for record in &self.events {
            match &record.event {
                Event::Answered { call, response } => {
                    let bytes = hex::decode(response).unwrap_or_default();
                    // Documents travel in base64: look inside as well.
                    if let Some(confirm) = embedded_document(&bytes) {
                        out.push((format!("document of {call}"), confirm));
                    }
                    out.push((format!("answer of {call}"), bytes));
                }
                Event::Refused { by, text, .. } => out.push((format!("refusal by {by}"), text.clone().into_bytes())),
                Event::Cut { text, .. } => out.push(("end of the connection".into(), text.clone().into_bytes())),
                Event::Asked { call, request } => {
                    let bytes = hex::decode(request).unwrap_or_default();
                    if let Some(document) = embedded_document(&bytes) {
                        out.push((format!("document of {call}"), document));
                    }
                    out.push((format!("request of {call}"), bytes));
                }
                Event::JobEnded { text, .. } => out.push(("error of the job".into(), text.clone().into_bytes())),
                Event::Raw { received, .. } => {
                    out.push(("raw bytes".into(), hex::decode(received).unwrap_or_default()));
                }
                _ => {}
            }
        }
        out.extend(self.messages().into_iter().map(|(_, kind, payload)| (message::name(kind), payload)));
        out
    }
}

/// The payload of the first envelope inside an answer.
fn embedded_document(bytes: &[u8]) -> Option<Vec<u8>> {
    let begin = bytes.iter().position(|&b| b == b'{')?;
    let end = bytes.iter().rposition(|&b| b == b'}')?;
    dsse::parse(bytes.get(begin..=end)?).ok().map(|envelope| envelope.payload)
}

/// Writes one run while it happens; clones write to the same run.
#[derive(Clone)]
pub struct Recorder {
    start: Instant,
    run: Arc<Mutex<Run>>,
}

impl Recorder {
    /// An empty run.
    pub fn new(label: &str) -> Self {
        let run = Run { label: label.to_owned(), ..Run::default() };
        Recorder { start: Instant::now(), run: Arc::new(Mutex::new(run)) }
    }

    /// Adds an event.
    pub fn push(&self, event: Event) {
        let at_us = self.start.elapsed().as_micros() as u64;
        self.with(|run| run.events.push(Record { at_us, event }));
    }

    /// Sets facts.
    pub fn facts(&self, set: impl FnOnce(&mut Facts)) {
        self.with(|run| set(&mut run.facts));
    }

    /// What has been written so far.
    pub fn snapshot(&self) -> Run {
        self.with(|run| run.clone())
    }

    /// The last event.
    pub fn last(&self) -> Option<Event> {
        self.with(|run| run.events.last().map(|record| record.event.clone()))
    }

    /// Replaces the last event.
    pub fn amend(&self, event: Event) {
        self.with(|run| {
            if let Some(last) = run.events.last_mut() {
                last.event = event;
            }
        });
    }

    fn with<T>(&self, f: impl FnOnce(&mut Run) -> T) -> T {
        let mut run = self.run.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        f(&mut run)
    }
}
