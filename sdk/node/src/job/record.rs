//! What a node remembers of a job.
use hefu_core::{Fault, JobId, ModelId, PartyId, Purpose, Stage};
use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum JobState {
    Created,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl JobState {
    /// The word of the control side.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            JobState::Created => "CREATED",
            JobState::Running => "RUNNING",
            JobState::Succeeded => "SUCCEEDED",
            JobState::Failed => "FAILED",
            JobState::Cancelled => "CANCELLED",
        }
    }

    pub(crate) fn is_final(self) -> bool {
        !matches!(self, JobState::Created | JobState::Running)
    }
}

/// What a job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobKind {
    Align,
    Train,
    Score,
}

impl JobKind {
    /// The word in job files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            JobKind::Align => "align",
            JobKind::Train => "train",
            JobKind::Score => "score",
        }
    }

    /// The kind of a plan's stages.
    pub(crate) fn of(stages: &[Stage]) -> Self {
        match stages.last() {
            Some(Stage::Score) => JobKind::Score,
            Some(Stage::Train | Stage::Evaluate) => JobKind::Train,
            _ => JobKind::Align,
        }
    }
}

/// What one party learns from a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Disclosure {
    pub(crate) party: String,
    pub(crate) role: String,
    pub(crate) learns: Vec<String>,
}

/// How a job failed: the fields of a fault, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: u32,
    pub(crate) name: String,
    pub(crate) party: String,
    pub(crate) place: String,
    pub(crate) cause: String,
    pub(crate) next: String,
}

impl From<&Fault> for Failure {
    fn from(fault: &Fault) -> Self {
        Failure {
            code: u32::from(fault.code.number()),
            name: fault.code.name().to_owned(),
            party: fault.party.as_ref().map(PartyId::to_string).unwrap_or_default(),
            place: fault.place.to_string(),
            cause: fault.cause.clone(),
            next: fault.next().to_owned(),
        }
    }
}

/// One job, as every party of it keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    pub(crate) job: JobId,
    pub(crate) state: JobState,
    pub(crate) kind: JobKind,
    pub(crate) initiator: PartyId,
    /// By rank.
    pub(crate) parties: Vec<PartyId>,
    pub(crate) purpose: Purpose,
    pub(crate) stage: Option<Stage>,
    pub(crate) done: u64,
    pub(crate) total: u64,
    /// Microseconds since 1970.
    pub(crate) created_us: i64,
    /// Microseconds since 1970; 0 before the end.
    pub(crate) ended_us: i64,
    pub(crate) disclosure: Vec<Disclosure>,
    pub(crate) error: Option<Failure>,
    /// Sealed frame bytes that this node wrote.
    pub(crate) bytes_sent: u64,
    pub(crate) model: Option<ModelId>,
}

impl JobRecord {
    /// Ends the job with a fault.
    pub(crate) fn fail(&mut self, fault: &Fault) {
        let is_cancelled = fault.code == hefu_core::Code::Cancelled;
        self.state = if is_cancelled { JobState::Cancelled } else { JobState::Failed };
        self.error = Some(fault.into());
    }
}
