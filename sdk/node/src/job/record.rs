//! What a node remembers of a job.
use hefu_core::{Code, Fault, JobId, ModelId, Output, PartyId, Purpose, Stage};
use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum JobState {
    Created,
    /// A party's steward has not approved yet.
    AwaitingApproval,
    Running,
    Succeeded,
    Failed,
    Cancelled,
    /// A steward refused.
    Rejected,
    /// Nobody approved in time.
    Expired,
}

impl JobState {
    /// The word of the control side.
    pub(crate) fn as_str(self) -> &'static str {
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

    pub(crate) fn is_final(self) -> bool {
        !matches!(self, JobState::Created | JobState::AwaitingApproval | JobState::Running)
    }
}

/// What a job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobKind {
    Align,
    Train,
    Score,
    Pool,
}

impl JobKind {
    /// The word in job files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            JobKind::Align => "align",
            JobKind::Train => "train",
            JobKind::Score => "score",
            JobKind::Pool => "pool",
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
    /// This node's own dataset in the job.
    #[serde(default)]
    pub(crate) dataset: String,
    #[serde(default)]
    pub(crate) outputs: Vec<Output>,
    /// Whose stewards the job waits for.
    #[serde(default)]
    pub(crate) awaiting: Vec<PartyId>,
    /// Microseconds since 1970 when the job might first read rows here; 0 where it never could.
    #[serde(default)]
    pub(crate) began_us: i64,
}

impl JobRecord {
    /// A job that was just created; what it does not say yet is empty.
    pub(crate) fn new(job: JobId, kind: JobKind, initiator: PartyId, purpose: Purpose) -> Self {
        JobRecord {
            job,
            state: JobState::Created,
            kind,
            parties: vec![initiator.clone()],
            initiator,
            purpose,
            stage: None,
            done: 0,
            total: 0,
            created_us: crate::now_us(),
            ended_us: 0,
            disclosure: Vec::new(),
            error: None,
            bytes_sent: 0,
            model: None,
            dataset: String::new(),
            outputs: Vec::new(),
            awaiting: Vec::new(),
            began_us: 0,
        }
    }

    /// Ends the job with a fault.
    pub(crate) fn fail(&mut self, fault: &Fault) {
        self.state = match fault.code {
            Code::Cancelled => JobState::Cancelled,
            Code::ApprovalRefused => JobState::Rejected,
            Code::ApprovalExpired => JobState::Expired,
            _ => JobState::Failed,
        };
        self.awaiting.clear();
        self.error = Some(fault.into());
    }

    /// The job may read rows from now on.
    pub(crate) fn begin(&mut self) {
        self.state = JobState::Running;
        self.awaiting.clear();
        self.began_us = crate::now_us();
    }
}
