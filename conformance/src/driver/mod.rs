//! The driver makes a transcript. It never judges: it says what the case says and writes down what comes back.

mod align;
mod deviate;
pub mod host;
mod secagg;
mod session;
mod stream;
mod vlr;
mod vlr_edit;
mod vlr_play;

use std::future::Future;
use std::time::Duration;

use prost::Message;
use tonic::{Response, Status};

use crate::case::{Case, Operator, Scenario};
use crate::connect::Link;
use crate::pki::Party;
use crate::rng::Rng;
use crate::transcript::{Event, Recorder, Run};
use crate::wire::detail;
use crate::world::World;

/// Registry code of WRONG_STATE, with which a target says that it is not done yet.
const WRONG_STATE: u32 = 4001;
/// Registry code of CANCELLED.
const CANCELLED: u32 = 4007;
/// Registry code of EMPTY_INTERSECTION.
const EMPTY_INTERSECTION: u32 = 6009;

/// Name under which the suite publishes as collaborator.
pub(crate) const HOSTED: &str = "tax";

/// Why a dialogue goes no further; what happened is in the record already.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Refused, cut, ended or silent: it is written down.
    Told,
    /// The suite itself failed.
    Suite(String),
}

type Flow<T> = Result<T, Stop>;

impl From<crate::error::Error> for Stop {
    fn from(error: crate::error::Error) -> Self {
        Stop::Suite(error.to_string())
    }
}

/// One dialogue in progress.
pub(crate) struct Dialogue<'a> {
    world: &'a World,
    case: &'a Case,
    operator: Option<&'a Operator>,
    me: &'a Party,
    record: Recorder,
    rng: Rng,
    /// Sessions that were opened and not yet ended.
    open_sessions: Vec<[u8; 16]>,
    /// Which dialogue of the case this is.
    label: String,
}

/// Drives one dialogue of a case and returns what happened. With `earlier`, elements of the target's keys in that
/// dialogue are sent among one's own.
pub async fn drive(world: &World, case: &Case, label: &str, earlier: Option<&Run>) -> Run {
    let record = Recorder::new(label);
    let me = match &case.operator {
        // The training before a scoring is the bank's.
        Some(Operator::InitiateAs { party }) if *party == world.second.name && label != "train" => &world.second,
        _ => &world.bank,
    };
    let mut dialogue = Dialogue {
        world,
        case,
        operator: case.operator.as_ref(),
        me,
        record: record.clone(),
        rng: Rng::new(&world.seed, &format!("{} {label} {:?}", case.id, earlier.is_some())),
        open_sessions: Vec::new(),
        label: label.to_owned(),
    };
    match dialogue.flow(earlier).await {
        Ok(()) | Err(Stop::Told) => {}
        Err(Stop::Suite(text)) => record.push(Event::SuiteFault { text }),
    }
    let run = record.snapshot();
    dialogue.leave().await;
    run
}

impl Dialogue<'_> {
    async fn flow(&mut self, earlier: Option<&Run>) -> Flow<()> {
        if let Some(Operator::Raw { bytes }) = self.operator {
            return self.raw(*bytes).await;
        }
        let link = self.connect().await?;
        self.discover(&link).await?;
        if self.case.scenario == Scenario::Discover {
            self.record.push(Event::Completed);
            return Ok(());
        }
        if let (Some(Operator::OfferAfterRestart), Some(earlier)) = (self.operator, earlier) {
            return self.replay(&link, earlier).await;
        }
        if let Some(Operator::FillJobs) = self.operator {
            self.fill_jobs(&link).await?;
        }
        let offered = self.open(&link).await?;
        if let Some(Operator::FrameBeforeConfirm) = self.operator {
            return self.frame_before_confirm(&link, &offered).await;
        }
        self.confirm(&link, &offered).await?;
        if self.case.scenario == Scenario::Confirm {
            self.abort(&link, offered.session, CANCELLED).await?;
            self.record.push(Event::Completed);
            return Ok(());
        }
        self.strangers_calls(&link, &offered).await?;
        if self.pools() {
            self.pool(&link, &offered).await?;
        } else {
            self.align(&link, &offered, earlier).await?;
        }
        self.record.push(Event::Completed);
        Ok(())
    }

    /// Writes down that the one deviation comes next.
    fn deviation(&self, what: impl Into<String>) {
        self.record.push(Event::Deviation { what: what.into() });
    }

    /// Makes a unary call and writes both sides down.
    async fn call<Q: Message, A: Message>(
        &self,
        link: &Link,
        party: &Party,
        name: &str,
        request: &Q,
        answer: impl Future<Output = Result<Response<A>, Status>>,
    ) -> Flow<A> {
        let request = hex::encode(request.encode_to_vec());
        self.record.push(Event::Called { call: name.into(), party: party.name.clone(), request });
        match tokio::time::timeout(self.world.deadline, answer).await {
            Ok(Ok(answer)) => {
                let answer = answer.into_inner();
                let response = hex::encode(answer.encode_to_vec());
                self.record.push(Event::Answered { call: name.into(), response });
                Ok(answer)
            }
            Ok(Err(status)) => Err(self.refused(Some(link), name, &status)),
            Err(_) => Err(self.silence(&format!("answer of {name}"), self.world.deadline)),
        }
    }

    fn silence(&self, waiting_for: &str, waited: Duration) -> Stop {
        let waited_ms = waited.as_millis() as u64;
        self.record.push(Event::Silence { waiting_for: waiting_for.into(), waited_ms });
        Stop::Told
    }

    /// Writes a failed call down: as the target's refusal, or as the end of the connection.
    fn refused(&self, link: Option<&Link>, by: &str, status: &Status) -> Stop {
        let detail = detail::decode(status.details());
        // A status with a source was made on this side, by a connection that failed.
        let failed = std::error::Error::source(status).map(|source| (None, source.to_string()));
        match (&detail, link.and_then(|link| link.seen().cut).or(failed)) {
            (None, Some((alert, text))) => self.record.push(Event::Cut { alert, text }),
            _ => {
                let detail_text = detail
                    .as_ref()
                    .map(|d| format!("{} {} {} {}", d.cause, d.next, d.place, d.party))
                    .unwrap_or_default();
                self.record.push(Event::Refused {
                    by: by.into(),
                    grpc: status.code() as i32,
                    code: detail.as_ref().map(|d| d.code),
                    name: detail.as_ref().map(|d| d.name.clone()).unwrap_or_default(),
                    requirement: detail.as_ref().map(|d| d.requirement.clone()).unwrap_or_default(),
                    text: format!("{} {detail_text}", status.message()).trim().to_owned(),
                });
            }
        }
        Stop::Told
    }

    /// Whether the last thing written down is a refusal with `code`.
    fn last_code(&self) -> Option<u32> {
        match self.record.last() {
            Some(Event::Refused { code, .. }) => code,
            _ => None,
        }
    }
}
