//! Error codes of `spec/registry/errors.json`, and the one shape in which a failure is told.
use crate::PartyId;
use std::fmt;

/// Whether and how a failed call may be tried again (spec/errors.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call fails again.
    Never,
    /// Send the same bytes again.
    Same,
    /// Try later.
    After,
    /// Make a new offer.
    Renegotiate,
    /// The job is over.
    Abort,
}

impl Retry {
    /// The registry word.
    pub fn as_str(self) -> &'static str {
        match self {
            Retry::Never => "NEVER",
            Retry::Same => "SAME",
            Retry::After => "AFTER",
            Retry::Renegotiate => "RENEGOTIATE",
            Retry::Abort => "ABORT",
        }
    }
}

/// What a failure ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One call.
    Call,
    /// One session.
    Session,
    /// One job.
    Job,
    /// The node's work.
    Node,
}

impl Scope {
    /// The registry word.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Call => "call",
            Scope::Session => "session",
            Scope::Job => "job",
            Scope::Node => "node",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $retry:ident, $scope:ident;)+) => {
        /// A registered error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $variant = $number),+ }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[$(Code::$variant),+];

            /// The registry name.
            pub fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),+ }
            }

            /// The code of a number.
            pub fn from_number(number: u32) -> Option<Code> {
                match number { $($number => Some(Code::$variant),)+ _ => None }
            }

            /// Whether the call may be tried again.
            pub fn retry(self) -> Retry {
                match self { $(Code::$variant => Retry::$retry),+ }
            }

            /// What the failure ends.
            pub fn scope(self) -> Scope {
                match self { $(Code::$variant => Scope::$scope),+ }
            }
        }
    };
}

impl Code {
    /// The registry number.
    pub fn number(self) -> u16 {
        self as u16
    }
}

codes! {
    /// The peer's node does not accept a connection.
    PeerUnreachable = 1001, "PEER_UNREACHABLE", After, Session;
    /// The peer sent nothing within the agreed idle time.
    PeerSlow = 1002, "PEER_SLOW", After, Session;
    /// The connection to the peer ended during the job.
    LinkCut = 1003, "LINK_CUT", After, Session;
    /// The certificate is not that of a trusted party, or is outside its validity.
    UntrustedCertificate = 1004, "UNTRUSTED_CERTIFICATE", Never, Session;
    /// Another program listens on the configured port.
    PortTaken = 1005, "PORT_TAKEN", Never, Node;
    /// The control side of one's own node does not answer.
    ControlUnreachable = 1006, "CONTROL_UNREACHABLE", After, Call;
    /// The parties share no protocol version.
    NoCommonVersion = 2001, "NO_COMMON_VERSION", Never, Session;
    /// The parties share no cipher suite.
    NoCommonSuite = 2002, "NO_COMMON_SUITE", Never, Session;
    /// The choice differs from what both offers give.
    Downgrade = 2003, "DOWNGRADE", Never, Session;
    /// The parties saw different negotiation messages.
    TranscriptMismatch = 2004, "TRANSCRIPT_MISMATCH", Never, Session;
    /// A critical extension is not known here.
    UnknownCritical = 2005, "UNKNOWN_CRITICAL", Never, Session;
    /// A stage, algorithm or option of the plan is not supported.
    UnsupportedPlan = 2006, "UNSUPPORTED_PLAN", Never, Session;
    /// The dataset's schema is not the one that the job cites.
    SchemaChanged = 2007, "SCHEMA_CHANGED", Renegotiate, Session;
    /// The plan's clip leaves no room for the sum.
    ClipTooLarge = 2008, "CLIP_TOO_LARGE", Never, Session;
    /// An offer lists a party twice.
    DuplicateParticipant = 2009, "DUPLICATE_PARTICIPANT", Never, Session;
    /// No allow entry permits this party, dataset, purpose and output.
    NotAllowed = 3001, "NOT_ALLOWED", Never, Session;
    /// The identity of the connection is not the one that the message claims.
    WrongParty = 3002, "WRONG_PARTY", Never, Session;
    /// The model belongs to another party.
    NotModelOwner = 3003, "NOT_MODEL_OWNER", Never, Session;
    /// A party of the session has no trusted descriptor here.
    UnknownParty = 3004, "UNKNOWN_PARTY", Never, Session;
    /// The query budget for this party and model is used up.
    OverBudget = 3005, "OVER_BUDGET", Never, Session;
    /// The steward of the dataset has not approved its first use by this party.
    ApprovalNeeded = 3006, "APPROVAL_NEEDED", After, Session;
    /// The steward refused the use of the dataset.
    ApprovalRefused = 3007, "APPROVAL_REFUSED", Never, Job;
    /// Nobody approved the use of the dataset in time.
    ApprovalExpired = 3008, "APPROVAL_EXPIRED", After, Job;
    /// The dataset was withdrawn, or its use by this party revoked.
    DatasetRevoked = 3009, "DATASET_REVOKED", Never, Job;
    /// Fewer than three participants in an aggregation.
    TooFewParticipants = 3011, "TOO_FEW_PARTICIPANTS", Never, Session;
    /// The survivors of two rounds differ by one party.
    RosterDifference = 3012, "ROSTER_DIFFERENCE", Never, Job;
    /// The keys that this party may have evaluated in the dataset's epoch are used up.
    EvaluationsSpent = 3013, "EVALUATIONS_SPENT", Never, Session;
    /// The call does not fit the state of the session or job.
    WrongState = 4001, "WRONG_STATE", Never, Call;
    /// No such session here.
    UnknownSession = 4002, "UNKNOWN_SESSION", Never, Call;
    /// A session with this id was seen before.
    ReplayedSession = 4003, "REPLAYED_SESSION", Never, Session;
    /// The same sequence number came twice with different content.
    Conflict = 4004, "CONFLICT", Abort, Session;
    /// A frame is missing.
    OutOfOrder = 4005, "OUT_OF_ORDER", Abort, Session;
    /// A message came that this step does not expect.
    UnexpectedMessage = 4006, "UNEXPECTED_MESSAGE", Abort, Session;
    /// The job was cancelled by a party.
    Cancelled = 4007, "CANCELLED", Never, Job;
    /// Another party ended the job.
    PeerAborted = 4008, "PEER_ABORTED", Never, Job;
    /// A value belongs to another round.
    StaleRound = 4009, "STALE_ROUND", Abort, Session;
    /// No such job here.
    UnknownJob = 4010, "UNKNOWN_JOB", Never, Call;
    /// The node was stopped while the job ran.
    NodeStopped = 4011, "NODE_STOPPED", After, Job;
    /// Training did not converge within the announced number of evaluations.
    TooManyRounds = 4012, "TOO_MANY_ROUNDS", Abort, Job;
    /// Fewer participants remain than the threshold.
    BelowThreshold = 4021, "BELOW_THRESHOLD", After, Session;
    /// Shares were asked for twice.
    DoubleUnmask = 4022, "DOUBLE_UNMASK", Abort, Job;
    /// The coordinator dropped a participant that answered.
    WronglyDropped = 4023, "WRONGLY_DROPPED", Abort, Session;
    /// A signature does not verify.
    BadSignature = 5001, "BAD_SIGNATURE", Never, Session;
    /// A sealed frame does not open.
    BadSeal = 5002, "BAD_SEAL", Abort, Session;
    /// A group element or residue is not valid.
    BadElement = 5003, "BAD_ELEMENT", Abort, Session;
    /// An element or seed came twice.
    DuplicateElement = 5004, "DUPLICATE_ELEMENT", Abort, Session;
    /// A message does not have its format.
    MalformedMessage = 5005, "MALFORMED_MESSAGE", Abort, Session;
    /// A frame's header does not have its format.
    MalformedFrame = 5006, "MALFORMED_FRAME", Abort, Session;
    /// A signed document does not have its format.
    MalformedDocument = 5007, "MALFORMED_DOCUMENT", Never, Call;
    /// A digest does not match its content.
    BadDigest = 5008, "BAD_DIGEST", Abort, Session;
    /// A vector has another shape than this step expects.
    ShapeMismatch = 5009, "SHAPE_MISMATCH", Abort, Session;
    /// The job's noise would exceed what keeps answers hidden or correct.
    NoiseBudget = 5010, "NOISE_BUDGET", Never, Job;
    /// A column is too large for the fixed-point range.
    NormTooLarge = 5011, "NORM_TOO_LARGE", Never, Job;
    /// An alignment position is out of range or used twice.
    BadPosition = 5012, "BAD_POSITION", Abort, Session;
    /// A party id or enterprise code is not valid.
    BadPartyId = 5013, "BAD_PARTY_ID", Never, Call;
    /// A value leaves its fixed-point range.
    ScalarTooLarge = 5014, "SCALAR_TOO_LARGE", Abort, Job;
    /// Scores grow beyond every registered sine set.
    PredictorTooLarge = 5015, "PREDICTOR_TOO_LARGE", Abort, Job;
    /// The coordinator told participants different things.
    RosterMismatch = 5021, "ROSTER_MISMATCH", Abort, Job;
    /// A share of a secret is wrong.
    BadShare = 5022, "BAD_SHARE", Abort, Session;
    /// Parameters do not have the offer's digest.
    ParametersMismatch = 5023, "PARAMETERS_MISMATCH", Abort, Session;
    /// A named column is not in the file.
    MissingColumn = 6001, "MISSING_COLUMN", Never, Job;
    /// A cell is not a decimal number.
    NotANumber = 6002, "NOT_A_NUMBER", Never, Job;
    /// A label is not 0 or 1.
    BadLabel = 6003, "BAD_LABEL", Never, Job;
    /// The label has only one value in the training or test rows.
    OneClass = 6004, "ONE_CLASS", Never, Job;
    /// A column has one value on all training rows.
    ConstantColumn = 6005, "CONSTANT_COLUMN", Never, Job;
    /// The file has no rows.
    EmptyFile = 6006, "EMPTY_FILE", Never, Job;
    /// A cell is empty.
    EmptyCell = 6007, "EMPTY_CELL", Never, Job;
    /// No row has a valid key.
    NoValidKey = 6008, "NO_VALID_KEY", Never, Job;
    /// The parties have no row in common.
    EmptyIntersection = 6009, "EMPTY_INTERSECTION", Never, Job;
    /// There are too few rows for the columns.
    TooFewRows = 6010, "TOO_FEW_ROWS", Never, Job;
    /// A party with fewer than three columns needs its office's consent.
    TooFewColumns = 6011, "TOO_FEW_COLUMNS", Never, Job;
    /// A column takes another than its usual value in too few rows.
    RareValues = 6012, "RARE_VALUES", Never, Job;
    /// No dataset of this name is published.
    UnknownDataset = 6013, "UNKNOWN_DATASET", Never, Session;
    /// No such model here.
    UnknownModel = 6014, "UNKNOWN_MODEL", Never, Session;
    /// The outcome is almost separable by the columns: coefficients depend on the penalty alone.
    Separable = 6015, "SEPARABLE", After, Job;
    /// The file cannot be read as CSV.
    BadFile = 6016, "BAD_FILE", Never, Job;
    /// The data lack a column that the model needs.
    ModelMismatch = 6017, "MODEL_MISMATCH", Never, Job;
    /// One row has more than 1/50 of the leverage of a column.
    HighLeverage = 6018, "HIGH_LEVERAGE", After, Job;
    /// The schema is not a JSON Schema of a flat table.
    BadSchema = 6019, "BAD_SCHEMA", Never, Call;
    /// The data do not keep to their schema.
    SchemaViolation = 6020, "SCHEMA_VIOLATION", Never, Call;
    /// The schema refers to another document.
    RemoteReference = 6021, "REMOTE_REFERENCE", Never, Call;
    /// A row is longer than 1 MiB.
    LineTooLong = 6022, "LINE_TOO_LONG", Never, Call;
    /// The dataset has more than one row for an enterprise.
    PanelTable = 6023, "PANEL_TABLE", Never, Session;
    /// A value to be aggregated is NaN or infinite.
    NotFinite = 6031, "NOT_FINITE", Never, Job;
    /// A value to be aggregated is beyond the clip.
    BeyondClip = 6032, "BEYOND_CLIP", Never, Job;
    /// Label definitions differ.
    LabelMismatch = 6033, "LABEL_MISMATCH", Never, Job;
    /// A trainer program failed.
    TrainerFailed = 6034, "TRAINER_FAILED", Never, Job;
    /// A message exceeds the negotiated size.
    MessageTooLarge = 7001, "MESSAGE_TOO_LARGE", Never, Session;
    /// The node runs its maximum of jobs.
    TooManyJobs = 7002, "TOO_MANY_JOBS", After, Session;
    /// More rows than the node accepts.
    TooManyRows = 7003, "TOO_MANY_ROWS", Never, Session;
    /// The node cannot write to its state folder.
    Disk = 7004, "DISK", After, Node;
    /// The configuration is not valid.
    Configuration = 7005, "CONFIGURATION", Never, Node;
    /// A fault of this program.
    Internal = 7006, "INTERNAL", Never, Node;
    /// The command line is not valid.
    Usage = 7007, "USAGE", Never, Call;
    /// The node has no memory left for a further session.
    NodeMemory = 7008, "NODE_MEMORY", After, Session;
}

/// Where a failure lies: dataset, data row (from 1), column. Never a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Dataset or file name.
    pub dataset: Option<String>,
    /// Data row, counted from 1.
    pub row: Option<u64>,
    /// Column name.
    pub column: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        if let Some(dataset) = &self.dataset {
            write!(f, "{dataset}")?;
            comma = ", ";
        }
        if let Some(row) = self.row {
            write!(f, "{comma}row {row}")?;
            comma = ", ";
        }
        if let Some(column) = &self.column {
            write!(f, "{comma}column {column}")?;
        }
        Ok(())
    }
}

/// A failure as every party, file and screen tells it: code, party, place, cause, next step.
///
/// Crates below the node have error enums of their own, sorted by whose fault it is; each has `code()`.
/// They become a `Fault` at the node's edge, which knows the party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The registered code.
    pub code: Code,
    /// The responsible party, where known.
    pub party: Option<PartyId>,
    /// Where it lies.
    pub place: Place,
    /// What happened; never a data value or a secret.
    pub cause: String,
    /// The requirement that was violated, such as "SESS-12".
    pub requirement: Option<&'static str>,
}

impl Fault {
    /// A failure with the cause that the registry gives.
    pub fn new(code: Code) -> Self {
        let cause = crate::registry::entry(code).cause.en.to_owned();
        Fault { code, party: None, place: Place::default(), cause, requirement: None }
    }

    /// A failure with a cause in its own words. No data value, no secret.
    pub fn because(code: Code, cause: impl Into<String>) -> Self {
        Fault { cause: cause.into(), ..Fault::new(code) }
    }

    /// Names the responsible party.
    pub fn by(mut self, party: &PartyId) -> Self {
        self.party = Some(party.clone());
        self
    }

    /// Names the responsible party unless one is named already.
    pub fn or_by(mut self, party: &PartyId) -> Self {
        self.party.get_or_insert_with(|| party.clone());
        self
    }

    /// Says where.
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Cites the violated requirement.
    pub fn citing(mut self, requirement: &'static str) -> Self {
        self.requirement = Some(requirement);
        self
    }

    /// What to do next, from the registry.
    pub fn next(&self) -> &'static str {
        crate::registry::entry(self.code).next.en
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code.number(), self.code.name(), self.cause)
    }
}

impl std::error::Error for Fault {}
