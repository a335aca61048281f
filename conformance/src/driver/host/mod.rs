//! The other direction: control has the target start a job, and the suite is its collaborator.

mod align;
mod confirm;
mod session;

use std::time::{Duration, Instant};

use prost::Message;
use tokio::sync::oneshot;
use tonic::Status;

use super::stream::Stream;
use super::{Dialogue, Flow, HOSTED, Stop};
use crate::case::{Case, Operator, RawBytes, Scenario};
use crate::control::{Control, JobOrder, Partner, Reply, Request};
use crate::listen::{Asked, Manner, Server, tls12_hello};
use crate::pki;
use crate::rng::Rng;
use crate::transcript::{Event, Recorder, Run};
use crate::world::{PURPOSE, World};

/// One dialogue in progress, the suite answering.
struct Host<'a, C> {
    dialogue: Dialogue<'a>,
    control: &'a mut C,
    server: Server,
    job: String,
    /// Whether the target asked for the suite's limits: they bind it from then on.
    capabilities_asked: bool,
    /// Whether the job is known to have ended.
    ended: bool,
    /// The stream of the session, once the target has opened it.
    stream: Option<Stream>,
}

/// Drives one dialogue of a case in which the target initiates.
pub async fn drive<C: Control>(control: &mut C, world: &World, case: &Case, label: &str, earlier: Option<&Run>) -> Run {
    let record = Recorder::new(label);
    let told = match host(control, world, case, &record, label).await {
        Ok(mut host) => host.flow(earlier).await,
        Err(stop) => Err(stop),
    };
    if let Err(Stop::Suite(text)) = told {
        record.push(Event::SuiteFault { text });
    }
    record.snapshot()
}

async fn host<'a, C: Control>(
    control: &'a mut C,
    world: &'a World,
    case: &'a Case,
    record: &Recorder,
    label: &str,
) -> Flow<Host<'a, C>> {
    let dialogue = Dialogue {
        world,
        case,
        operator: case.operator.as_ref(),
        me: &world.agency.party,
        record: record.clone(),
        rng: Rng::new(&world.seed, &format!("{} {label} host", case.id)),
        open_sessions: Vec::new(),
        label: label.to_owned(),
    };
    let server = Server::start(world.agency.listener.clone(), manner(&dialogue)?);
    let ended = false;
    Ok(Host { dialogue, control, server, job: String::new(), capabilities_asked: false, ended, stream: None })
}

/// How connections are met; what differs from the control is written down.
fn manner(dialogue: &Dialogue<'_>) -> Flow<Manner> {
    let world = dialogue.world;
    let party = &world.agency.party;
    Ok(match dialogue.operator {
        Some(Operator::Raw { bytes }) => {
            dialogue.deviation(format!("{bytes:?} in answer to the target's hello"));
            Manner::Raw(match bytes {
                RawBytes::Tls12Hello => tls12_hello(),
                // An empty SETTINGS frame: what a server without TLS says first.
                RawBytes::Http2Preface => vec![0, 0, 0, 4, 0, 0, 0, 0, 0],
            })
        }
        Some(Operator::Certificate { fault }) => {
            dialogue.deviation(format!("the certificate of {}: {fault:?}", party.id));
            Manner::Tls(pki::server(&world.target, party.identity(Some(*fault), &world.second)?)?)
        }
        Some(Operator::ServeAs { party: name }) => {
            dialogue.deviation(format!("a valid certificate of {name} at the address of {}", party.name));
            Manner::Tls(pki::server(&world.target, world.second.identity(None, party)?)?)
        }
        _ => Manner::Tls(pki::server(&world.target, party.identity(None, &world.second)?)?),
    })
}

impl<C: Control> Host<'_, C> {
    async fn flow(&mut self, earlier: Option<&Run>) -> Flow<()> {
        self.start_job().await?;
        let told = self.script(earlier).await;
        if let Err(Stop::Suite(text)) = told {
            return Err(Stop::Suite(text));
        }
        let completed = told.is_ok();
        self.end().await?;
        if completed && self.ended {
            self.dialogue.record.push(Event::Completed);
        }
        Ok(())
    }

    async fn start_job(&mut self) -> Flow<()> {
        let (case, world) = (self.dialogue.case, self.dialogue.world);
        let order = JobOrder {
            kind: "align".into(),
            dataset: case.dataset(),
            collaborators: vec![Partner { party: world.agency.party.id.clone(), dataset: HOSTED.into() }],
            purpose: PURPOSE.into(),
            outputs: vec!["model".into()],
            join: case.setting.join.clone(),
            model: None,
        };
        let reply = self.ask_control(Request::StartJob(order)).await?;
        match reply.job.filter(|_| reply.ok) {
            Some(job) => {
                self.dialogue.record.push(Event::JobStarted { job: job.clone() });
                self.job = job;
                Ok(())
            }
            None => {
                let text = reply.error.unwrap_or_else(|| "the reply names no job".into());
                let by = "start_job".into();
                let (name, requirement) = (String::new(), String::new());
                self.dialogue.record.push(Event::Refused { by, grpc: 0, code: None, name, requirement, text });
                Err(Stop::Told)
            }
        }
    }

    /// What the case says, up to the last thing that the suite has to say.
    async fn script(&mut self, earlier: Option<&Run>) -> Flow<()> {
        let offered = self.open().await?;
        self.confirm(&offered).await?;
        self.exchange(&offered).await?;
        if self.dialogue.case.scenario != Scenario::Align {
            return self.leave().await;
        }
        self.align(&offered, earlier).await
    }

    async fn ask_control(&mut self, request: Request) -> Flow<Reply> {
        self.control.call(request).await.map_err(|e| Stop::Suite(e.to_string()))
    }

    /// The next thing that the target does that belongs to the session; discovery is answered on the way. The wait ends
    /// when the job does.
    async fn next(&mut self, waiting_for: &str, deadline: Duration) -> Flow<Asked> {
        let begin = Instant::now();
        let mut pause = Duration::from_millis(25);
        loop {
            match tokio::time::timeout(pause, self.server.asked.recv()).await {
                Ok(Some(asked)) => {
                    if let Some(asked) = self.common(asked)? {
                        return Ok(asked);
                    }
                }
                Ok(None) => return Err(Stop::Suite("the suite's server has ended".into())),
                Err(_) => {
                    self.look().await?;
                    if self.ended {
                        return Err(Stop::Told);
                    }
                    if begin.elapsed() > deadline {
                        return Err(self.dialogue.silence(waiting_for, deadline));
                    }
                    pause = (pause * 2).min(Duration::from_millis(400));
                }
            }
        }
    }

    /// Looks how the job stands and writes its end down.
    async fn look(&mut self) -> Flow<()> {
        if self.ended {
            return Ok(());
        }
        let reply = self.ask_control(Request::JobStatus { job: self.job.clone() }).await?;
        let state = reply.state.filter(|_| reply.ok).unwrap_or_else(|| "unknown".into());
        if state != "running" {
            self.ended = true;
            let text = reply.text.or(reply.error).unwrap_or_default();
            self.dialogue.record.push(Event::JobEnded { state, code: reply.code, text });
        }
        Ok(())
    }

    /// Waits for the end of the job, hears what the target still says, and asks for a result where there must be none.
    async fn end(&mut self) -> Flow<()> {
        let begin = Instant::now();
        let deadline = self.dialogue.world.deadline;
        let mut pause = Duration::from_millis(5);
        while !self.ended {
            if begin.elapsed() > deadline {
                self.dialogue.silence("the end of the job", deadline);
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(400));
            self.hear()?;
            self.look().await?;
        }
        self.hear()?;
        let reply = self.ask_control(Request::Result { job: self.job.clone() }).await?;
        let text = reply.error.unwrap_or_default();
        self.dialogue.record.push(Event::JobResult { given: reply.ok, text });
        Ok(())
    }

    /// What the target has said in the meantime, on the stream and in calls.
    fn hear(&mut self) -> Flow<()> {
        if let Some(stream) = self.stream.as_mut() {
            while !stream.ended() {
                match self.dialogue.peek(stream) {
                    Ok(Some(_)) => {}
                    Ok(None) | Err(Stop::Told) => break,
                    Err(stop) => return Err(stop),
                }
            }
        }
        while let Ok(asked) = self.server.asked.try_recv() {
            if let Some(asked) = self.common(asked)? {
                self.too_late(asked);
            }
        }
        Ok(())
    }

    /// What is the same at any time: connections, discovery, Abort.
    fn common(&mut self, asked: Asked) -> Flow<Option<Asked>> {
        let record = &self.dialogue.record;
        match asked {
            Asked::Connected { protocol, group } => {
                record.push(Event::Connected { party: "target".into(), protocol, group });
            }
            Asked::Cut(alert, text) => record.push(Event::Cut { alert, text }),
            Asked::Raw(received, closed) => {
                record.push(Event::Raw { sent: String::new(), received: hex::encode(received), closed });
            }
            Asked::GetVersions(ask) => {
                self.asked("GetVersions", &ask.request);
                self.reply("GetVersions", ask.reply, Ok(self.versions()));
            }
            Asked::GetCapabilities(ask) => {
                self.capabilities_asked = true;
                self.asked("GetCapabilities", &ask.request);
                self.reply("GetCapabilities", ask.reply, Ok(self.capabilities()));
            }
            Asked::Abort(ask) => {
                self.asked("Abort", &ask.request);
                let text = format!("{} {}", ask.request.cause, ask.request.party);
                let code = Some(ask.request.code).filter(|code| *code != 0);
                let (name, requirement) = (String::new(), String::new());
                self.dialogue.record.push(Event::Refused {
                    by: "Abort".into(),
                    grpc: 0,
                    code,
                    name,
                    requirement,
                    text,
                });
                self.reply("Abort", ask.reply, Ok(hefu_proto::v1::AbortResponse {}));
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    /// A call that comes after the dialogue's end: it is written down and refused.
    fn too_late(&self, asked: Asked) {
        match asked {
            Asked::Open(ask) => {
                self.asked("Open", &ask.request);
                self.reply("Open", ask.reply, Err(session::refusal("WRONG_STATE")));
            }
            Asked::Confirm(ask) => {
                self.asked("Confirm", &ask.request);
                self.reply("Confirm", ask.reply, Err(session::refusal("WRONG_STATE")));
            }
            Asked::Close(ask) => {
                self.asked("Close", &ask.request);
                self.reply("Close", ask.reply, Err(session::refusal("WRONG_STATE")));
            }
            Asked::Exchange(ask) => {
                let request = hex::encode(ask.request.0.as_bytes());
                self.dialogue.record.push(Event::Asked { call: "Exchange".into(), request });
                let _ = ask.reply.send(Err(session::refusal("WRONG_STATE")));
            }
            _ => {}
        }
    }

    fn asked<Q: Message>(&self, call: &str, request: &Q) {
        let request = hex::encode(request.encode_to_vec());
        self.dialogue.record.push(Event::Asked { call: call.into(), request });
    }

    fn reply<A: Message>(&self, call: &str, place: oneshot::Sender<Result<A, Status>>, answer: Result<A, Status>) {
        let response = answer.as_ref().map(|a| hex::encode(a.encode_to_vec())).unwrap_or_default();
        let code = answer.as_ref().err().and_then(|status| crate::wire::detail::decode(status.details()));
        let code = code.map(|detail| detail.code);
        self.dialogue.record.push(Event::Replied { call: call.into(), response, code });
        // A target that has hung up is noticed elsewhere.
        let _ = place.send(answer);
    }
}
