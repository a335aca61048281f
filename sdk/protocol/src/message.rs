//! Messages between machines, and the machine itself.
use crate::Error;
use crate::error::Blame;
use hefu_core::{Code, Progress, Rank, Reader, Writer};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)+) => {
        /// A message type of `spec/registry/message_types.json`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Kind { $($(#[$doc])* $variant = $number),+ }

        impl Kind {
            /// Every type, in order.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant),+];

            /// The registry name.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name),+ }
            }

            /// The type of a number.
            pub fn from_number(number: u16) -> Option<Kind> {
                match number { $($number => Some(Kind::$variant),)+ _ => None }
            }
        }
    };
}

kinds! {
    /// The sender's error; it ends the session (frame.md, section 3).
    Error = 0x0001, "ERROR";
    /// Number of keys.
    AlignSize = 0x0101, "ALIGN_SIZE";
    /// A batch of blinded keys.
    AlignBlinded = 0x0102, "ALIGN_BLINDED";
    /// Tags of a batch.
    AlignTags = 0x0103, "ALIGN_TAGS";
    /// Rows of the job.
    AlignRows = 0x0104, "ALIGN_ROWS";
    /// How far the evaluation of a new epoch's keys is.
    OprfWait = 0x0111, "OPRF_WAIT";
    /// The epoch of the collaborator's set.
    OprfEpoch = 0x0112, "OPRF_EPOCH";
    /// Number of keys to be evaluated.
    OprfSize = 0x0113, "OPRF_SIZE";
    /// A batch of the set.
    OprfSet = 0x0114, "OPRF_SET";
    /// A batch of blinded keys.
    OprfBlinded = 0x0115, "OPRF_BLINDED";
    /// The evaluations of a batch.
    OprfEvaluated = 0x0116, "OPRF_EVALUATED";
    /// A party's number of columns.
    TrainShape = 0x0201, "TRAIN_SHAPE";
    /// The job's fixed numbers.
    TrainPlan = 0x0202, "TRAIN_PLAN";
    /// The next point.
    Step = 0x0203, "STEP";
    /// A bound of a party's predictors.
    Bound = 0x0204, "BOUND";
    /// The sine set of the round.
    Eval = 0x0205, "EVAL";
    /// Rank 0's public key of set S or S′.
    BasisKey = 0x0206, "BASIS_KEY";
    /// Encrypted cosines and sines of one block and harmonic.
    Basis = 0x0207, "BASIS";
    /// A party's masked phases.
    Share = 0x0208, "SHARE";
    /// Masked sigmoids of a block.
    Masked = 0x0209, "MASKED";
    /// A public key of set G.
    ResidualKey = 0x020a, "RESIDUAL_KEY";
    /// An encrypted residual share of a block.
    Residual = 0x020b, "RESIDUAL";
    /// One column's masked sum, encrypted.
    Sums = 0x020c, "SUMS";
    /// Masked sums, decrypted and truncated.
    Opened = 0x020d, "OPENED";
    /// A party's inner products.
    Scalars = 0x020e, "SCALARS";
    /// The accepted evaluation.
    TrainDone = 0x020f, "TRAIN_DONE";
    /// A batch of masked scores.
    ScorePart = 0x0301, "SCORE_PART";
    /// What a statistic needs.
    Parameters = 0x0401, "PARAMETERS";
    /// Signatures over the transcript.
    Roster = 0x0402, "ROSTER";
    /// A participant's sealed shares.
    Shares = 0x0403, "SHARES";
    /// The shares for a participant.
    Shared = 0x0404, "SHARED";
    /// Masked values.
    MaskedSum = 0x0405, "MASKED_SUM";
    /// Whose masked values came.
    Survivors = 0x0406, "SURVIVORS";
    /// A signature over the survivors.
    Agreed = 0x0407, "AGREED";
    /// The participants' signatures over the survivors.
    Agreement = 0x0408, "AGREEMENT";
    /// One share of each secret that the sum needs.
    Unmask = 0x0409, "UNMASK";
    /// The sums.
    Sum = 0x040a, "SUM";
    /// A weight and values in the clear.
    Plain = 0x040b, "PLAIN";
}

impl Kind {
    /// The registry number.
    pub fn number(self) -> u16 {
        self as u16
    }
}

/// A whole message, before it is cut into frames.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its type.
    pub kind: Kind,
    /// Stage number: 1 align, 2 train, 3 evaluate, 4 score, 5 aggregate.
    pub stage: u32,
    /// Round within the stage.
    pub round: u32,
    /// Its bytes, as its format says.
    pub payload: Vec<u8>,
}

impl Message {
    /// An ERROR with its JSON text (spec/frame.md, section 3), which holds no data value. It ends the session.
    pub fn error(stage: u32, code: Code, document: &[u8]) -> Self {
        let payload = Writer::new().u32(u32::from(code.number())).lp(document).finish();
        Message { kind: Kind::Error, stage, round: 0, payload }
    }

    /// The code and the JSON text of an ERROR from `rank`.
    ///
    /// # Errors
    /// `MALFORMED_MESSAGE` (CONV-1).
    pub fn read_error(&self, rank: Rank) -> Result<(u32, &[u8]), Error> {
        let mut reader = Reader::new(&self.payload);
        let (code, document) = (reader.u32().blame(rank)?, reader.lp().blame(rank)?);
        reader.end().blame(rank)?;
        Ok((code, document))
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}(stage {}, round {}, {} bytes)", self.kind.name(), self.stage, self.round, self.payload.len())
    }
}

/// A message and its receiver. Rank 0 relays what collaborators send each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The receiver.
    pub to: Rank,
    /// What to send.
    pub message: Message,
}

/// A protocol role as a pure state machine: a transition consumes a state and answers the next one and what to send.
///
/// Randomness was given when the machine was made, so a transition that is repeated from the same state sends the same
/// bytes.
pub trait Machine: Sized {
    /// What the role ends with.
    type Output;

    /// One transition. The first call, and each call after [`Next::Continue`], has no input; each call after
    /// [`Next::Await`] has the next message and its authenticated sender.
    ///
    /// # Errors
    /// The run is over: by a peer's fault, or because the job cannot go on.
    fn step(self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error>;
}

/// The outcome of a transition.
pub struct Step<M: Machine> {
    /// What to send, in order.
    pub send: Vec<Outgoing>,
    /// How far the stage is, where that changed.
    pub progress: Option<Progress>,
    /// What comes next.
    pub next: Next<M>,
}

/// What a machine needs next.
pub enum Next<M: Machine> {
    /// A message.
    Await(M),
    /// Nothing: call again; long output is made piece by piece, so that it can leave while the next piece is made.
    Continue(M),
    /// The role is done.
    Done(M::Output),
}

impl<M: Machine> Step<M> {
    pub(crate) fn wait(machine: M) -> Self {
        Step { send: Vec::new(), progress: None, next: Next::Await(machine) }
    }

    pub(crate) fn go_on(machine: M) -> Self {
        Step { send: Vec::new(), progress: None, next: Next::Continue(machine) }
    }

    pub(crate) fn done(output: M::Output) -> Self {
        Step { send: Vec::new(), progress: None, next: Next::Done(output) }
    }

    pub(crate) fn sending(mut self, send: Vec<Outgoing>) -> Self {
        self.send = send;
        self
    }

    pub(crate) fn at(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }
}
