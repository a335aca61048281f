//! What can go wrong in a node, sorted by whose fault it is.
use hefu_core::{Code, Fault};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A failure of this crate. It names no secret and no data value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operator's: an entry of the configuration, or a file that it points at.
    #[error("{key}: {cause}")]
    Configuration {
        /// The entry, such as `limits.max_jobs`.
        key: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The operator's: another program listens there.
    #[error("another program listens on {0}")]
    PortTaken(SocketAddr),
    /// The machine's: a file of the state folder cannot be read or written.
    #[error("{path}: {cause}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A party's, with its name.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// This program's.
    #[error("{0}")]
    Internal(&'static str),
}

impl Error {
    /// The registered code.
    pub fn code(&self) -> Code {
        match self {
            Error::Configuration { .. } => Code::Configuration,
            Error::PortTaken(_) => Code::PortTaken,
            Error::Disk { .. } => Code::Disk,
            Error::Fault(fault) => fault.code,
            Error::Internal(_) => Code::Internal,
        }
    }

    /// The failure in the shape in which it is told to people and peers.
    pub fn fault(&self) -> Fault {
        match self {
            Error::Fault(fault) => fault.clone(),
            other => Fault::because(other.code(), other.to_string()),
        }
    }

    pub(crate) fn configuration(key: impl Into<String>, cause: impl Into<String>) -> Self {
        Error::Configuration { key: key.into(), cause: cause.into() }
    }

    pub(crate) fn disk(path: &Path, cause: impl std::fmt::Display) -> Self {
        Error::Disk { path: path.to_owned(), cause: cause.to_string() }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        error.fault()
    }
}
