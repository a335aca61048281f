//! What can go wrong on the suite's own side. A target's misbehaviour is never an error here: it is evidence.

/// An error of the suite, its configuration or its way to the target, sorted by whose fault it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The person's: a target file, a case id or a path that is not usable.
    #[error("configuration: {0}")]
    Configuration(String),
    /// The adapter's: it broke the control protocol or refused a verb.
    #[error("control: {0}")]
    Control(String),
    /// The target's host: nothing answers at the address that control gave.
    #[error("target unreachable: {0}")]
    Unreachable(String),
    /// A stored transcript or result that is not one.
    #[error("evidence: {0}")]
    Evidence(String),
    /// The suite's own.
    #[error("suite: {0}")]
    Suite(String),
}

/// Result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The exit code of the command: 2 configuration, 3 target unreachable, 4 suite error, 1 bad evidence.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Evidence(_) => 1,
            Error::Configuration(_) => 2,
            Error::Control(_) | Error::Unreachable(_) => 3,
            Error::Suite(_) => 4,
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Suite(error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Error::Suite(format!("JSON: {error}"))
    }
}
