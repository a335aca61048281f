//! What can be wrong with a file. All of it is the fault of the party that publishes it.
use hefu_core::{Code, Place};

/// A fault of a data file or its schema, with its place. Never a key, never a cell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("{dataset}: the file cannot be read ({kind})")]
    Unreadable {
        /// Dataset.
        dataset: String,
        /// The system's reason.
        kind: std::io::ErrorKind,
    },
    /// Text that is not UTF-8.
    #[error("{0}: the text is not UTF-8")]
    NotUtf8(Place),
    /// A row with more or fewer fields than the header.
    #[error("{place}: {fields} fields, the header has {expected}")]
    Ragged {
        /// Where.
        place: Place,
        /// Fields of the row.
        fields: u64,
        /// Fields of the header.
        expected: u64,
    },
    /// A column name that the header has twice.
    #[error("{0}: the header has this column twice")]
    ColumnTwice(Place),
    /// No rows.
    #[error("{0}: the file has no rows")]
    EmptyFile(Place),
    /// A named column that the file lacks.
    #[error("{0}: no such column")]
    MissingColumn(Place),
    /// An empty cell where none is allowed.
    #[error("{0}: the cell is empty")]
    EmptyCell(Place),
    /// A cell that is not a decimal number.
    #[error("{0}: the cell is not a decimal number")]
    NotANumber(Place),
    /// A label that is not 0 or 1.
    #[error("{0}: the label is not 0 or 1")]
    BadLabel(Place),
    /// No row has a valid key.
    #[error("{0}: no row has a valid key")]
    NoValidKey(Place),
    /// More rows than positions can count.
    #[error("{0}: too many rows")]
    TooManyRows(Place),
    /// The file ends inside a row.
    #[error("{0}: the file ends inside this row")]
    Truncated(Place),
    /// A row of more than 1 MiB.
    #[error("{0}: the row is longer than 1 MiB")]
    LineTooLong(Place),
    /// A column of which the schema knows nothing.
    #[error("{0}: the schema has no such column")]
    UnknownColumn(Place),
    /// A schema that is none of a flat table.
    #[error("{schema}: {at}: {problem}")]
    BadSchema {
        /// The schema's name.
        schema: String,
        /// JSON pointer into the schema, `#` for the whole.
        at: String,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A schema that refers to another document.
    #[error("{schema}: {at}: refers to another document")]
    RemoteReference {
        /// The schema's name.
        schema: String,
        /// JSON pointer into the schema.
        at: String,
    },
}

impl Error {
    /// The registered code.
    pub fn code(&self) -> Code {
        match self {
            Error::Unreadable { .. }
            | Error::NotUtf8(_)
            | Error::Ragged { .. }
            | Error::ColumnTwice(_)
            | Error::Truncated(_) => Code::BadFile,
            Error::EmptyFile(_) => Code::EmptyFile,
            Error::MissingColumn(_) => Code::MissingColumn,
            Error::EmptyCell(_) => Code::EmptyCell,
            Error::NotANumber(_) => Code::NotANumber,
            Error::BadLabel(_) => Code::BadLabel,
            Error::NoValidKey(_) => Code::NoValidKey,
            Error::TooManyRows(_) => Code::TooManyRows,
            Error::LineTooLong(_) => Code::LineTooLong,
            Error::UnknownColumn(_) => Code::SchemaViolation,
            Error::BadSchema { .. } => Code::BadSchema,
            Error::RemoteReference { .. } => Code::RemoteReference,
        }
    }

    /// Where: dataset, data row from 1, column.
    pub fn place(&self) -> Place {
        match self {
            Error::BadSchema { schema: dataset, .. }
            | Error::RemoteReference { schema: dataset, .. }
            | Error::Unreadable { dataset, .. } => Place { dataset: Some(dataset.clone()), ..Place::default() },
            Error::Ragged { place, .. }
            | Error::NotUtf8(place)
            | Error::ColumnTwice(place)
            | Error::EmptyFile(place)
            | Error::MissingColumn(place)
            | Error::EmptyCell(place)
            | Error::NotANumber(place)
            | Error::BadLabel(place)
            | Error::NoValidKey(place)
            | Error::TooManyRows(place)
            | Error::Truncated(place)
            | Error::LineTooLong(place)
            | Error::UnknownColumn(place) => place.clone(),
        }
    }
}
