//! What can go wrong, by whose fault.
use hefu_core::Code;

/// A refusal of this crate. None carries a value.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer sent a residue that is not below its prime (RLWE-2).
    #[error("a residue is not below its prime")]
    BadElement,
    /// The peer used an encryption seed twice under one key (RLWE-6).
    #[error("an encryption seed came twice under the same key")]
    DuplicateSeed,
    /// The peer's key, ciphertext or answer has another length than its set's.
    #[error("expected {expected} bytes, found {found}")]
    WrongLength {
        /// Bytes of the format.
        expected: usize,
        /// Bytes that came.
        found: usize,
    },
    /// The job's statistical distance or failure probability is too large (RLWE-7).
    #[error("the job's statistical distance would be 2^{distance:.1}, its failure probability 2^{failure:.1}")]
    NoiseBudget {
        /// Logarithm to base 2 of the total statistical distance.
        distance: f64,
        /// Logarithm to base 2 of the failure probability.
        failure: f64,
    },
    /// A column's norm is above 2^33.5 (RLWE-4).
    #[error("a column's norm is too large for set G")]
    NormTooLarge,
    /// The caller's value leaves the range of the set.
    #[error("a value leaves the fixed-point range of the set")]
    ValueTooLarge,
    /// The caller gave more than N values for a block.
    #[error("a block has at most 8192 values")]
    TooManyValues,
    /// The caller used a block number that the column does not have.
    #[error("the column has no block of this number")]
    NoSuchBlock,
    /// The caller mixed a key, accumulator or context of different sets.
    #[error("a key or accumulator of another parameter set")]
    WrongSet,
}

impl Error {
    /// The registered code.
    pub fn code(self) -> Code {
        match self {
            Error::BadElement => Code::BadElement,
            Error::DuplicateSeed => Code::DuplicateElement,
            Error::WrongLength { .. } => Code::MalformedMessage,
            Error::NoiseBudget { .. } => Code::NoiseBudget,
            Error::NormTooLarge => Code::NormTooLarge,
            Error::ValueTooLarge => Code::ScalarTooLarge,
            Error::TooManyValues | Error::NoSuchBlock => Code::ShapeMismatch,
            Error::WrongSet => Code::Internal,
        }
    }
}
