//! Reading, validating and splitting rows; the synthetic world of enterprises.
//!
//! A table has a key, any number of numeric columns and, at the initiator, a label. Rows with an invalid key and
//! later rows of a key are counted and left out. No message of this crate contains a key or a cell.
mod cell;
pub mod check;
pub mod dictionary;
mod error;
pub mod facts;
mod key;
mod project;
mod read;
pub mod schema;
pub mod scores;
pub mod synth;

pub use cell::parse_decimal;
pub use error::Error;
pub use facts::Facts;
pub use key::{KeyFormat, is_test_row, normalise_key};
pub use project::project;
pub use read::{Column, Counts, Features, Layout, Table, read, read_file};
pub use schema::Schema;
