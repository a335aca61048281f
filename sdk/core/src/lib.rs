//! Ids, terms, units, error codes and canonical bytes of Hefu.
//!
//! Everything here is plain data: no clock, no randomness, no files. Terms are those of `spec/README.md`.
mod bytes;
mod error;
pub mod fault;
mod id;
mod progress;
pub mod registry;
mod terms;

pub use bytes::{Malformed, Reader, Writer};
pub use error::{Code, Fault, Place, Retry, Scope};
pub use id::{BadPartyId, JobId, ModelId, PartyId, Rank, SessionId, normalise_uscc, uscc_is_valid};
pub use progress::Progress;
pub use terms::{
    Alignment, CoordinatorRole, Join, Missing, Output, Purpose, Split, Stage, Statistic, SumTo, ValueCodec,
};
