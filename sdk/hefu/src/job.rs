//! Joint jobs: what to run, how far it is, how it ended.
use crate::disclosure::Disclosure;
use crate::error::Failure;
use crate::{Error, Node, Result};
use hefu_core::{Alignment, Code, Join, Missing, Output, Purpose};
use hefu_proto::control;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A job file (`spec/schemas/job.schema.json`): what `hefu job submit` reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct JobPlan {
    /// `align`, `train` or `score`.
    pub kind: JobKind,
    /// The initiator's own dataset.
    pub dataset: String,
    /// What the job is for.
    #[serde(default = "origination")]
    pub purpose: Purpose,
    /// What the initiator receives.
    #[serde(default = "all_outputs")]
    pub outputs: Vec<Output>,
    /// How rows are matched: `Oprf` where one's own rows are few and the collaborators' many.
    #[serde(default = "ecdh", skip_serializing_if = "is_ecdh")]
    pub alignment: Alignment,
    /// Which rows the job keeps.
    #[serde(default = "inner")]
    pub join: Join,
    /// What an empty feature cell means.
    #[serde(default = "error")]
    pub missing: Missing,
    /// Weight of the penalty ½·λ·‖β‖².
    #[serde(default = "one")]
    pub lambda: f64,
    /// Most evaluations of the objective.
    #[serde(default = "forty")]
    pub max_evaluations: u32,
    /// Model id, for scoring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The collaborators, in rank order.
    #[serde(rename = "collaborator")]
    pub collaborators: Vec<Collaborator>,
}

fn origination() -> Purpose {
    Purpose::Origination
}
fn all_outputs() -> Vec<Output> {
    vec![Output::Model, Output::Score]
}
fn ecdh() -> Alignment {
    Alignment::Ecdh
}
fn is_ecdh(alignment: &Alignment) -> bool {
    *alignment == Alignment::Ecdh
}
fn inner() -> Join {
    Join::Inner
}
fn error() -> Missing {
    Missing::Error
}
fn one() -> f64 {
    1.0
}
fn forty() -> u32 {
    40
}

/// What a job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum JobKind {
    /// Which rows the parties have in common, and no more.
    Align,
    /// A joint model.
    Train,
    /// Scores by a joint model.
    Score,
    /// Sums over the rows of many.
    Pool,
}

/// One collaborator of a job and the dataset that it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collaborator {
    /// Alias at one's own node, or party id.
    pub party: String,
    /// Name under which that party publishes.
    pub dataset: String,
    /// Hex digest of the schema that is expected; where the dataset has another, the job is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
}

impl From<&str> for Collaborator {
    /// `"tax"` asks party `tax` for its dataset `tax`; `"tax=tax-2026"` names the dataset.
    fn from(text: &str) -> Self {
        let (party, dataset) = text.split_once('=').unwrap_or((text, text));
        Collaborator::from((party, dataset))
    }
}

impl From<(&str, &str)> for Collaborator {
    fn from((party, dataset): (&str, &str)) -> Self {
        Collaborator { party: party.to_owned(), dataset: dataset.to_owned(), schema: None }
    }
}

impl JobPlan {
    /// Training on a dataset of one's own, with every other choice at its default.
    pub fn train(dataset: impl Into<String>, collaborators: Vec<Collaborator>) -> Self {
        JobPlan {
            kind: JobKind::Train,
            dataset: dataset.into(),
            purpose: origination(),
            outputs: all_outputs(),
            alignment: ecdh(),
            join: inner(),
            missing: error(),
            lambda: one(),
            max_evaluations: forty(),
            model: None,
            collaborators,
        }
    }

    /// Matching alone: how many rows the parties have in common.
    pub fn align(dataset: impl Into<String>, collaborators: Vec<Collaborator>) -> Self {
        JobPlan { kind: JobKind::Align, outputs: vec![Output::Model], ..JobPlan::train(dataset, collaborators) }
    }

    /// Scoring a dataset of one's own with a model of one's own.
    pub fn score(dataset: impl Into<String>, model: impl Into<String>, collaborators: Vec<Collaborator>) -> Self {
        JobPlan {
            kind: JobKind::Score,
            outputs: vec![Output::Score],
            model: Some(model.into()),
            ..JobPlan::train(dataset, collaborators)
        }
    }
}

/// The states of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum JobState {
    /// Accepted by the node, not begun.
    Created,
    /// Waiting for a person.
    AwaitingApproval,
    /// At work.
    Running,
    /// Done; the result is there.
    Succeeded,
    /// Ended by an error.
    Failed,
    /// Ended by a party: the failure names it.
    Cancelled,
    /// Refused by a person.
    Rejected,
    /// Nobody approved in time.
    Expired,
}

impl JobState {
    /// Whether the job has ended, well or not.
    pub fn is_final(self) -> bool {
        !matches!(self, JobState::Created | JobState::AwaitingApproval | JobState::Running)
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Created => "CREATED",
            JobState::AwaitingApproval => "AWAITING_APPROVAL",
            JobState::Running => "RUNNING",
            JobState::Succeeded => "SUCCEEDED",
            JobState::Failed => "FAILED",
            JobState::Cancelled => "CANCELLED",
            JobState::Rejected => "REJECTED",
            JobState::Expired => "EXPIRED",
        }
    }

    pub(crate) fn parse(word: &str) -> Self {
        let all = [
            JobState::Created,
            JobState::AwaitingApproval,
            JobState::Running,
            JobState::Succeeded,
            JobState::Cancelled,
            JobState::Rejected,
            JobState::Expired,
        ];
        all.into_iter().find(|state| state.as_str() == word).unwrap_or(JobState::Failed)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One look at a job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobStatus {
    /// Job id, 32 hexadecimal digits.
    pub job: String,
    /// Where it stands.
    pub state: JobState,
    /// `align`, `train` or `score`.
    pub kind: String,
    /// Party id of the initiator.
    pub initiator: String,
    /// Party ids, in rank order.
    pub parties: Vec<String>,
    /// What the job is for.
    pub purpose: String,
    /// The running stage.
    pub stage: String,
    /// Units of the stage done.
    pub done: u64,
    /// Units of the stage in all.
    pub total: u64,
    /// Microseconds since 1970.
    pub created_us: i64,
    /// Microseconds since 1970; 0 while the job runs.
    pub ended_us: i64,
    /// What each party learns, JSON.
    pub disclosure_json: String,
    /// Bytes of sealed frames that this node has written.
    pub bytes_sent: u64,
    /// Model id that training made or that scoring used.
    pub model: Option<String>,
    /// Why it ended, unless well.
    pub failure: Option<Failure>,
    /// Party ids of those whose stewards it waits for.
    pub awaiting: Vec<String>,
    /// This node's own dataset in it.
    pub dataset: String,
    /// What the initiator receives.
    pub outputs: Vec<String>,
}

impl JobStatus {
    /// What each party learns from it, once the job's parties have agreed.
    pub fn disclosure(&self) -> Disclosure {
        Disclosure::of_job(&self.disclosure_json)
    }
}

impl From<control::Job> for JobStatus {
    fn from(job: control::Job) -> Self {
        JobStatus {
            job: job.job,
            state: JobState::parse(&job.state),
            kind: job.kind,
            initiator: job.initiator,
            parties: job.parties,
            purpose: job.purpose,
            stage: job.stage,
            done: job.done,
            total: job.total,
            created_us: job.created_us,
            ended_us: job.ended_us,
            disclosure_json: job.disclosure_json,
            bytes_sent: job.bytes_sent,
            model: Some(job.model).filter(|model| !model.is_empty()),
            failure: job.error.map(Failure::from),
            awaiting: job.awaiting,
            dataset: job.dataset,
            outputs: job.outputs,
        }
    }
}

/// The progress of one job, pushed by the node.
#[derive(Debug)]
pub struct JobWatch {
    stream: tonic::Streaming<control::WatchJobResponse>,
    ended: bool,
}

impl JobWatch {
    pub(crate) fn new(stream: tonic::Streaming<control::WatchJobResponse>) -> Self {
        JobWatch { stream, ended: false }
    }

    /// The next look; `None` after the final state.
    ///
    /// # Errors
    /// `Node` where the connection to one's own node ends.
    pub async fn next(&mut self) -> Result<Option<JobStatus>> {
        while !self.ended {
            let Some(message) = self.stream.message().await? else { break };
            if let Some(job) = message.job {
                let status = JobStatus::from(job);
                self.ended = status.state.is_final();
                return Ok(Some(status));
            }
        }
        Ok(None)
    }
}

/// A submitted job.
#[derive(Debug, Clone)]
pub struct Job {
    node: Node,
    id: String,
}

impl Job {
    pub(crate) fn new(node: Node, id: String) -> Self {
        Job { node, id }
    }

    /// Job id, 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// One look at it.
    ///
    /// # Errors
    /// `Node`, such as `UNKNOWN_JOB`.
    pub async fn status(&self) -> Result<JobStatus> {
        let request = control::GetJobRequest { job: self.id.clone() };
        let job = self.node.job_service().get_job(request).await?.into_inner().job;
        job.map(JobStatus::from).ok_or_else(incomplete)
    }

    /// Follows it, beginning with its present state.
    ///
    /// # Errors
    /// `Node`.
    pub async fn watch(&self) -> Result<JobWatch> {
        let request = control::WatchJobRequest { job: self.id.clone() };
        Ok(JobWatch::new(self.node.job_service().watch_job(request).await?.into_inner()))
    }

    /// Ends it on all sides.
    ///
    /// # Errors
    /// `Node`.
    pub async fn cancel(&self) -> Result<JobStatus> {
        let request = control::CancelJobRequest { job: self.id.clone() };
        let job = self.node.job_service().cancel_job(request).await?.into_inner().job;
        job.map(JobStatus::from).ok_or_else(incomplete)
    }

    /// Waits for its end; `see` is called with every look.
    ///
    /// # Errors
    /// `Job` where it ended without a result, `Node` where one's own node goes away.
    pub async fn finish(&self, mut see: impl FnMut(&JobStatus)) -> Result<JobStatus> {
        let mut watch = self.watch().await?;
        let mut last = None;
        while let Some(status) = watch.next().await? {
            see(&status);
            last = Some(status);
        }
        let status = match last {
            Some(status) if status.state.is_final() => status,
            _ => self.status().await?,
        };
        match status.state {
            JobState::Succeeded => Ok(status),
            state => Err(Error::Job(Box::new(status.failure.unwrap_or_else(|| ended_as(state))))),
        }
    }

    /// Its result as the JSON text that the node keeps.
    ///
    /// # Errors
    /// `Node`, such as `WRONG_STATE` before its end.
    pub async fn result_json(&self) -> Result<String> {
        let request = control::GetResultRequest { job: self.id.clone() };
        Ok(self.node.job_service().get_result(request).await?.into_inner().result_json)
    }

    /// Its result, typed: `Matches` of alignment, `Report` of training, `Scores` of scoring.
    ///
    /// # Errors
    /// `Node`.
    pub async fn result<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.result_json().await?).map_err(|_| incomplete())
    }
}

fn ended_as(state: JobState) -> Failure {
    match state {
        JobState::Cancelled => Failure::because(Code::Cancelled, "The job was cancelled."),
        state => Failure::because(Code::WrongState, format!("The job ended as {state}.")),
    }
}

pub(crate) fn incomplete() -> Error {
    Error::node(Code::Internal, "The node's answer is not complete; compare its version with this program's.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_short_job_file_is_enough() {
        let text = "kind = \"train\"\ndataset = \"loans\"\n[[collaborator]]\nparty = \"tax\"\ndataset = \"tax-2026\"\n";
        let plan: JobPlan = toml::from_str(text).unwrap();
        assert_eq!(plan, JobPlan::train("loans", vec!["tax=tax-2026".into()]));
        let json = serde_json::to_value(&plan).unwrap();
        assert_eq!(json["collaborator"][0]["party"], "tax");
        assert_eq!(json["outputs"], serde_json::json!(["model", "score"]));
        assert!(json.get("model").is_none());
    }

    #[test]
    fn states_read_back_and_end() {
        for word in ["CREATED", "AWAITING_APPROVAL", "RUNNING", "SUCCEEDED", "CANCELLED", "FAILED", "REJECTED"] {
            assert_eq!(JobState::parse(word).as_str(), word);
        }
        assert!(JobState::Failed.is_final() && !JobState::AwaitingApproval.is_final());
    }
}
