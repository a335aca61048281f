//! What can end a protocol run, by whose fault.
use hefu_core::{Code, Malformed, Rank};

/// A refusal of a protocol machine. None carries a value, a key or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A peer broke the protocol.
    #[error("rank {rank}: {cause}")]
    Peer {
        /// The responsible rank.
        rank: Rank,
        /// The registered code.
        code: Code,
        /// The violated requirement.
        requirement: &'static str,
        /// What it did.
        cause: &'static str,
    },
    /// The job cannot go on with these inputs; nobody broke the protocol.
    #[error("{cause}")]
    Job {
        /// The registered code.
        code: Code,
        /// The requirement that ends the job, or empty.
        requirement: &'static str,
        /// What is the matter.
        cause: String,
    },
    /// A negotiation document is refused.
    #[error("{cause}")]
    Refused {
        /// The registered code.
        code: Code,
        /// The violated requirement.
        requirement: &'static str,
        /// What is the matter.
        cause: &'static str,
    },
}

impl Error {
    /// A peer that broke a requirement.
    pub fn peer(rank: Rank, code: Code, requirement: &'static str, cause: &'static str) -> Self {
        Error::Peer { rank, code, requirement, cause }
    }

    /// A job that cannot go on.
    pub fn job(code: Code, requirement: &'static str, cause: impl Into<String>) -> Self {
        Error::Job { code, requirement, cause: cause.into() }
    }

    /// A refused document.
    pub fn refused(code: Code, requirement: &'static str, cause: &'static str) -> Self {
        Error::Refused { code, requirement, cause }
    }

    /// A message of `rank` that does not have its format (CONV-1).
    pub fn malformed(rank: Rank) -> Self {
        Error::peer(rank, Code::MalformedMessage, "CONV-1", "a message does not have its format")
    }

    /// A message of `rank` that this state does not expect (FRAME-11).
    pub fn unexpected(rank: Rank) -> Self {
        Error::peer(rank, Code::UnexpectedMessage, "FRAME-11", "a message came that this step does not expect")
    }

    /// The registered code.
    pub fn code(&self) -> Code {
        match self {
            Error::Peer { code, .. } | Error::Job { code, .. } | Error::Refused { code, .. } => *code,
        }
    }

    /// The requirement that was violated or ends the job; empty where none is cited.
    pub fn requirement(&self) -> &'static str {
        match self {
            Error::Peer { requirement, .. } | Error::Job { requirement, .. } | Error::Refused { requirement, .. } => {
                requirement
            }
        }
    }

    /// The rank at fault, where it is a peer's.
    pub fn culprit(&self) -> Option<Rank> {
        match self {
            Error::Peer { rank, .. } => Some(*rank),
            Error::Job { .. } | Error::Refused { .. } => None,
        }
    }
}

/// Names the rank whose bytes were read.
pub(crate) trait Blame<T> {
    /// The value, or the rank's fault.
    fn blame(self, rank: Rank) -> Result<T, Error>;
}

impl<T> Blame<T> for Result<T, Malformed> {
    fn blame(self, rank: Rank) -> Result<T, Error> {
        self.map_err(|Malformed| Error::malformed(rank))
    }
}

impl<T> Blame<T> for Result<T, hefu_crypto::Error> {
    fn blame(self, rank: Rank) -> Result<T, Error> {
        self.map_err(|error| match error {
            hefu_crypto::Error::BadElement => {
                Error::peer(rank, Code::BadElement, "ALIGN-1", "a group element is not canonical or is the identity")
            }
            hefu_crypto::Error::BadSeal => Error::peer(rank, Code::BadSeal, "FRAME-10", "a sealed frame does not open"),
            other => Error::peer(rank, other.code(), "CONV-4", "a signed value is refused"),
        })
    }
}

impl<T> Blame<T> for Result<T, hefu_he::Error> {
    fn blame(self, rank: Rank) -> Result<T, Error> {
        self.map_err(|error| match error.code() {
            Code::BadElement => Error::peer(rank, Code::BadElement, "RLWE-2", "a residue is not below its prime"),
            Code::DuplicateElement => Error::peer(rank, Code::DuplicateElement, "RLWE-6", "a seed came twice"),
            Code::MalformedMessage => Error::malformed(rank),
            code => Error::job(code, "", error.to_string()),
        })
    }
}

impl std::convert::From<hefu_he::Error> for Error {
    fn from(error: hefu_he::Error) -> Self {
        let requirement = match error.code() {
            Code::NormTooLarge => "RLWE-4",
            Code::NoiseBudget => "RLWE-7",
            _ => "",
        };
        Error::job(error.code(), requirement, error.to_string())
    }
}

impl std::convert::From<hefu_model::Error> for Error {
    fn from(error: hefu_model::Error) -> Self {
        Error::job(error.code(), "", error.to_string())
    }
}
