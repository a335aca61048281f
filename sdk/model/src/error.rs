//! What can go wrong, sorted by whose fault it is.
use hefu_core::Code;

/// A failure of this crate. Messages name columns and counts, never a cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The data.
    /// A column has one value on all (matched) training rows (VLR-1).
    #[error("column {column} has one value on all training rows")]
    ConstantColumn {
        /// Its name.
        column: String,
    },
    /// Fewer training rows than the columns or evaluations need (VLR-2).
    #[error("{rows} training rows, at least {needed} needed for these columns and evaluations")]
    TooFewRows {
        /// Training rows.
        rows: usize,
        /// The least number that would do.
        needed: usize,
    },
    /// A column leaves its most frequent value in too few training rows (VLR-3).
    #[error("column {column} leaves its most frequent value in too few training rows")]
    RareValues {
        /// Its name.
        column: String,
    },
    /// Fewer than three columns (VLR-4).
    #[error("{columns} columns, at least 3 needed without the office's consent")]
    TooFewColumns {
        /// Columns.
        columns: usize,
    },
    /// The label has one value in the training or the test rows.
    #[error("the label has only one value in the training or test rows")]
    OneClass,
    /// A column's norm does not fit the fixed-point range (VLR-9).
    #[error("column {column} is too large for the fixed-point range")]
    NormTooLarge {
        /// Its name.
        column: String,
    },

    // The course of the job.
    /// A scalar does not fit codec 2 at scale 50 with magnitude below 2^12 (VLR-11), or is not finite.
    #[error("an optimiser scalar leaves its fixed-point range")]
    ScalarTooLarge,
    /// A predictor is beyond every sine set.
    #[error("predictors grow beyond every sine set")]
    PredictorTooLarge,
    /// The central fit did not converge.
    #[error("the central fit did not converge")]
    NoConvergence,

    // The peer, or the caller.
    /// A vector has another length than this step expects (VLR-12).
    #[error("a vector has {got} elements, expected {expected}")]
    ShapeMismatch {
        /// Its length.
        got: usize,
        /// The expected length.
        expected: usize,
    },
}

impl Error {
    /// The registered code.
    pub fn code(&self) -> Code {
        match self {
            Error::ConstantColumn { .. } => Code::ConstantColumn,
            Error::TooFewRows { .. } => Code::TooFewRows,
            Error::RareValues { .. } => Code::RareValues,
            Error::TooFewColumns { .. } => Code::TooFewColumns,
            Error::OneClass => Code::OneClass,
            Error::NormTooLarge { .. } => Code::NormTooLarge,
            Error::ScalarTooLarge => Code::ScalarTooLarge,
            Error::PredictorTooLarge => Code::PredictorTooLarge,
            Error::NoConvergence => Code::Internal,
            Error::ShapeMismatch { .. } => Code::ShapeMismatch,
        }
    }

    /// The column at fault, where one is.
    pub fn column(&self) -> Option<&str> {
        match self {
            Error::ConstantColumn { column } | Error::RareValues { column } | Error::NormTooLarge { column } => {
                Some(column)
            }
            _ => None,
        }
    }

    /// `Ok` where `got` is `expected`.
    pub(crate) fn same_length(got: usize, expected: usize) -> Result<(), Error> {
        if got == expected { Ok(()) } else { Err(Error::ShapeMismatch { got, expected }) }
    }
}
