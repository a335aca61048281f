//! Cases are data: a scenario, and for a negative case exactly one operator of a closed list.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::wire::h;

pub mod pool;
pub mod train;

use pool::{Pool, PoolFault};
use train::{EnvelopeEdit, RingEdit, Train};

/// One case of the corpus.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Permanent id, such as `ALIGN-N-004`.
    pub id: String,
    /// The requirement that the case tests, such as `ALIGN-2`.
    pub clause: String,
    /// Further requirements whose codes the one deviation may rightly meet.
    #[serde(default)]
    pub also: Vec<String>,
    /// The profile it belongs to.
    pub profile: Profile,
    /// The role of the target.
    #[serde(default)]
    pub role: Role,
    /// Whether the target has to accept or to refuse.
    pub kind: Kind,
    /// One line for people.
    pub title: String,
    /// How far the dialogue goes.
    pub scenario: Scenario,
    /// The positive case that has to pass first; every negative case has one.
    #[serde(default)]
    pub control: Option<String>,
    /// What is aligned with what.
    #[serde(default)]
    pub setting: Setting,
    /// What the suite does differently from its control.
    #[serde(default)]
    pub operator: Option<Operator>,
    /// What a negative case accepts.
    #[serde(default)]
    pub expect: Expect,
    /// Slow by nature: it waits, or works on many keys. `run --quick` leaves it out.
    #[serde(default)]
    pub slow: bool,
    /// Whether the profile `smoke` runs it: a handful of every family, in a few seconds.
    #[serde(default)]
    pub smoke: bool,
    /// Set where the requirement is a SHOULD: a failure is a WARN.
    #[serde(default)]
    pub should: bool,
    /// The attack or mistake that the requirement stops.
    pub why: String,
}

impl Case {
    /// Name of the target's dataset: as initiator it has labelled ones of its own.
    pub fn dataset(&self) -> String {
        match (self.role, self.setting.dataset.as_str()) {
            (Role::Collaborator, name) => name.to_owned(),
            (Role::Initiator, "main") => "loans".to_owned(),
            (Role::Initiator, name) => format!("loans-{name}"),
        }
    }
}

/// A profile of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Profile {
    /// TLS, discovery, session, frames.
    Core,
    /// Alignment.
    Align,
    /// Training.
    Vlr,
    /// Scoring.
    Score,
    /// Aggregation.
    Secagg,
}

impl Profile {
    /// All of them.
    pub const ALL: [Profile; 5] = [Profile::Core, Profile::Align, Profile::Vlr, Profile::Score, Profile::Secagg];

    /// Name as printed.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Core => "CORE",
            Profile::Align => "ALIGN",
            Profile::Vlr => "VLR",
            Profile::Score => "SCORE",
            Profile::Secagg => "SECAGG",
        }
    }

    /// Reads a name, in either case.
    pub fn parse(name: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|p| p.name().eq_ignore_ascii_case(name))
    }
}

/// The role that the target plays; the suite plays the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The suite initiates.
    #[default]
    Collaborator,
    /// The suite is the collaborator, and control has the target start a job.
    Initiator,
}

impl Role {
    /// Name as printed.
    pub fn name(self) -> &'static str {
        match self {
            Role::Collaborator => "collaborator",
            Role::Initiator => "initiator",
        }
    }

    /// Reads a name, in either case.
    pub fn parse(name: &str) -> Option<Role> {
        [Role::Collaborator, Role::Initiator].into_iter().find(|r| r.name().eq_ignore_ascii_case(name))
    }
}

/// Whether the target has to accept or to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The dialogue ends as it should.
    Positive,
    /// The one deviation is refused, with a code of the closed set.
    Negative,
}

/// How far a dialogue goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// Connect, GetVersions, GetCapabilities.
    Discover,
    /// … Open, Confirm; then Abort.
    Confirm,
    /// … a whole alignment; then Close.
    Align,
    /// … an alignment, a training, the test rows' score parts; then Close.
    Train,
    /// A training in a session of its own; then a session that aligns and scores on its model.
    Score,
    /// … a round of aggregation; then Close.
    Pool,
}

/// What is aligned with what.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Setting {
    /// Dataset of the target.
    pub dataset: String,
    /// Keys that both sides have.
    pub common: usize,
    /// Further keys of the suite's own.
    pub own: usize,
    /// `inner` or `left`.
    pub join: String,
    /// Chunk size that the offer names, in bytes.
    pub max_chunk: u64,
    /// Run the dialogue twice and, the second time, send the group elements of the target's keys in the first; to an
    /// initiator, answer with what it showed in the first.
    pub probe: bool,
    /// Answer only the first half of an initiator's elements: the rows then tell which keys stood there.
    pub half: bool,
    /// What is trained.
    pub train: Train,
    /// What is summed.
    pub pool: Pool,
}

impl Default for Setting {
    fn default() -> Self {
        Setting {
            dataset: "main".into(),
            common: 120,
            own: 80,
            join: "inner".into(),
            max_chunk: 1 << 20,
            probe: false,
            half: false,
            train: Train::default(),
            pool: Pool::default(),
        }
    }
}

/// What a negative case accepts as a refusal, and what must not follow.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Names of registry codes.
    pub codes: Vec<String>,
    /// A refusal by the transport counts: a TLS alert or a closed connection.
    pub transport: bool,
    /// Answers or messages of the target that must not come after the deviation.
    pub forbid: Vec<String>,
    /// The refused call changes nothing: the dialogue then ends as the control does.
    pub survives: bool,
}

/// The closed list of deviations. Members are the words of the corpus.
#[allow(missing_docs)]
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Operator {
    /// Connect with another certificate.
    Certificate { fault: CertificateFault },
    /// Send bytes instead of a TLS 1.3 hello.
    Raw { bytes: RawBytes },
    /// Set a member of the offer before it is signed; `$target`, `$second`, `$badcheck` stand for party ids.
    OfferSet { pointer: String, value: serde_json::Value },
    /// Append to an array of the offer before it is signed.
    OfferPush { pointer: String, value: serde_json::Value },
    /// Leave a member of the offer out before it is signed.
    OfferRemove { pointer: String },
    /// Send something else in place of an envelope with one signature.
    OfferEnvelope { fault: EnvelopeFault },
    /// Replace a piece of the offer's text before it is signed.
    OfferText { find: String, replace: String },
    /// Sign the offer as a document of another type.
    OfferType { payload_type: String },
    /// Alter the offer's envelope after it was signed.
    OfferFlip { part: EnvelopePart },
    /// Send the same offer twice.
    OfferTwice,
    /// Send an offer again that the target has answered before it was started anew.
    OfferAfterRestart,
    /// Be another trusted party for the whole dialogue.
    InitiateAs { party: String },
    /// Make one call of the session from another party's connection.
    CallAs { call: String, party: String },
    /// Open sessions until the declared maximum runs, then one more.
    FillJobs,
    /// Send one's confirm list with the target's confirm re-encoded.
    ConfirmAltered,
    /// Flip a bit of the transcript signature.
    TranscriptFlip,
    /// Call Confirm a second time.
    ConfirmTwice,
    /// Send the first frame before Confirm.
    FrameBeforeConfirm,
    /// Call Close before the stages are done, and go on meanwhile.
    CloseEarly,
    /// Set a header field of one frame before it is sealed.
    Header {
        message: String,
        #[serde(default)]
        chunk: u32,
        field: Field,
        value: u64,
    },
    /// Cut the header of one frame.
    HeaderCut { message: String, bytes: usize },
    /// Alter the body of one frame after it was sealed.
    Body {
        message: String,
        #[serde(default)]
        chunk: u32,
        edit: BodyEdit,
    },
    /// One chunk above the negotiated size.
    ChunkAbove { message: String },
    /// Send a frame again, as it was or with another content.
    Repeat { message: String, altered: bool },
    /// Leave out a sequence number.
    Skip { message: String },
    /// Send a message before the one named.
    Insert {
        before: String,
        kind: u16,
        #[serde(default)]
        payload: String,
    },
    /// Stay silent in place of a message until the declared idle time is well over.
    Silence { message: String },
    /// Edit the content of a message.
    Payload {
        message: String,
        #[serde(default)]
        batch: usize,
        edit: PayloadEdit,
    },
    /// Put something else in place of one blinded element.
    Element { index: usize, value: ElementFault },
    /// Send one element more or less than announced.
    Count { by: i32 },
    /// Be served by another trusted party, with its own valid certificate.
    ServeAs { party: String },
    /// Refuse the target's offer with a code, known or not.
    RefuseOpen { code: u32 },
    /// Set a member of the confirm before it is signed.
    ConfirmSet { pointer: String, value: serde_json::Value },
    /// Leave a member of the confirm out before it is signed.
    ConfirmRemove { pointer: String },
    /// Replace a piece of the confirm's text before it is signed.
    ConfirmText { find: String, replace: String },
    /// Sign the confirm as a document of another type.
    ConfirmType { payload_type: String },
    /// Sign the confirm with another trusted party's key.
    ConfirmSignedBy { party: String },
    /// Alter the confirm's envelope after it was signed.
    ConfirmFlip { part: EnvelopePart },
    /// Send something else in place of an envelope with one signature.
    ConfirmEnvelope { fault: EnvelopeFault },
    /// Sign the transcript of another negotiation.
    TranscriptForeign,
    /// Sign the transcript in the name of another rank.
    TranscriptRank { rank: u16 },
    /// Send the first tag again in place of another.
    TagRepeat { index: usize },
    /// Leave the last tag out.
    TagMissing,
    /// Send an ERROR frame in place of a message.
    ErrorFrame { message: String },
    /// End the stream in place of a message.
    CutStream { message: String },
    /// Nothing but what the setting says: no key in common.
    NoCommon,
    /// Announce one key more than the target accepts.
    SizeAboveLimit,
    /// Put something else in place of one position.
    Position { index: usize, value: PositionFault },
    /// Nothing but what the setting says: fewer matched rows than the target's configured minimum.
    FewRows,
    /// Send the message of a kind with this number a second time, under the next sequence.
    Twice {
        message: String,
        #[serde(default)]
        batch: usize,
    },
    /// Leave the message of a kind with this number out.
    Omit {
        message: String,
        #[serde(default)]
        batch: usize,
    },
    /// Edit a parameter envelope.
    Parameters {
        message: String,
        #[serde(default)]
        batch: usize,
        edit: EnvelopeEdit,
    },
    /// Edit ring elements.
    Ring {
        message: String,
        #[serde(default)]
        batch: usize,
        edit: RingEdit,
    },
    /// Set bytes of a message from an offset on.
    Bytes {
        message: String,
        #[serde(default)]
        batch: usize,
        at: usize,
        hex: String,
    },
    /// Offer more evaluations than the target's rules permit.
    MoreEvaluations { by: u32 },
    /// Step so far along the last direction.
    StepFar { factor: f64 },
    /// Evaluate more often than the plan says, without end.
    EvaluateOn,
    /// Nothing but what the dataset holds.
    BadData,
    /// Score on the model of a training that was aborted at its end.
    AbortTraining,
    /// Score on a model that nobody has made.
    UnknownModel,
    /// Lie in a round of aggregation.
    Pool { fault: PoolFault },
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateFault {
    /// No certificate at all.
    None,
    /// The right name under a root that nobody trusts.
    StrangerRoot,
    /// The right name under the root of another trusted party.
    OtherMemberRoot,
    /// No URI name.
    NoParty,
    /// Two URI names.
    TwoParties,
    /// Past its validity.
    Expired,
    /// Before its validity.
    NotYetValid,
}

/// Bytes in place of a TLS 1.3 hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RawBytes {
    /// A ClientHello that offers TLS 1.2 only.
    Tls12Hello,
    /// HTTP/2 without TLS.
    Http2Preface,
}

/// What is wrong with an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvelopeFault {
    /// No JSON.
    NotJson,
    /// The same signature twice.
    TwoSignatures,
}

/// A part of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvelopePart {
    /// One character of the payload changes; it stays JSON.
    Payload,
    /// One bit of the signature.
    Signature,
}

/// A field of the frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Field {
    Version,
    Flags,
    Kind,
    From,
    To,
    /// The value is XORed into the session id's last byte.
    Session,
    Stage,
    Round,
    Chunk,
    Chunks,
    Length,
    Reserved,
}

/// A change of a sealed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyEdit {
    /// One bit of the ciphertext.
    Flip,
    /// The last byte is left out.
    Cut,
    /// A zero byte is added.
    Extend,
}

/// A change of a message's content.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PayloadEdit {
    /// Hex bytes after the end.
    Append(String),
    /// Bytes left out at the end.
    Cut(usize),
    /// Hex bytes at the start, in place of what is there.
    Start(String),
}

/// What stands in place of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ElementFault {
    /// The identity.
    Identity,
    /// The encoding plus the field prime: the same residue, not canonical.
    NonCanonical,
    /// The element's own encoding with bit 255 set.
    HighBit,
    /// The negative of a canonical field element.
    Negative,
    /// A field element that is no ristretto255 element.
    NotOnGroup,
    /// The first element again.
    Repeat,
    /// The first element again, in the second batch.
    RepeatInNextBatch,
}

/// What stands in place of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PositionFault {
    /// m.
    Beyond,
    /// The first position again.
    Repeat,
    /// 0xffffffff.
    Absent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Case>,
}

const FILES: [(&str, &str); 10] = [
    ("tls.toml", include_str!("corpus/tls.toml")),
    ("session.toml", include_str!("corpus/session.toml")),
    ("frame.toml", include_str!("corpus/frame.toml")),
    ("align.toml", include_str!("corpus/align.toml")),
    ("initiator-session.toml", include_str!("corpus/initiator-session.toml")),
    ("initiator-frame.toml", include_str!("corpus/initiator-frame.toml")),
    ("initiator-align.toml", include_str!("corpus/initiator-align.toml")),
    ("vlr.toml", include_str!("corpus/vlr.toml")),
    ("score.toml", include_str!("corpus/score.toml")),
    ("secagg.toml", include_str!("corpus/secagg.toml")),
];

/// The corpus of this binary.
pub struct Corpus {
    /// All cases; controls come before what rests on them.
    pub cases: Vec<Case>,
    /// SHA-256 over the corpus files, hex.
    pub digest: String,
}

impl Corpus {
    /// Reads the embedded files.
    ///
    /// # Errors
    /// `Suite` where a file is not valid: a fault of this program.
    pub fn embedded() -> Result<Corpus> {
        let mut cases: Vec<Case> = Vec::new();
        for (name, text) in FILES {
            let file: File = toml::from_str(text).map_err(|e| Error::Suite(format!("corpus {name}: {e}")))?;
            cases.extend(file.case);
        }
        let parts: Vec<&[u8]> = FILES.iter().map(|(_, text)| text.as_bytes()).collect();
        Ok(Corpus { cases, digest: hex::encode(h(&parts)) })
    }

    /// The case of an id.
    pub fn case(&self, id: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.id.eq_ignore_ascii_case(id))
    }
}
