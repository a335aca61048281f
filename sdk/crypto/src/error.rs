//! What can go wrong, by whose fault.
use hefu_core::Code;

/// A refusal of this crate. None carries a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer's signature does not verify (CONV-4).
    #[error("a signature does not verify")]
    BadSignature,
    /// The peer's sealed bytes do not open (FRAME-10).
    #[error("a sealed frame does not open")]
    BadSeal,
    /// The peer's group element is not canonical, is the identity, or gives an all-zero secret.
    #[error("a group element is not valid")]
    BadElement,
    /// A signed document does not have its format.
    #[error("a signed document does not have its format")]
    MalformedDocument,
}

impl Error {
    /// The registered code.
    pub fn code(self) -> Code {
        match self {
            Error::BadSignature => Code::BadSignature,
            Error::BadSeal => Code::BadSeal,
            Error::BadElement => Code::BadElement,
            Error::MalformedDocument => Code::MalformedDocument,
        }
    }
}
