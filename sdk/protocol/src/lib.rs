//! The protocol as pure state machines: session, alignment, training, scoring, aggregation.
//!
//! No clock, file, socket or system randomness: a [`Machine`] consumes a state and a message and answers the next state
//! and what to send. The documents are in `spec/`; each module names its own.
pub mod aggregate;
pub mod align;
#[cfg(test)]
#[path = "../../core/tests/vectors/case.rs"]
mod case;
#[cfg(test)]
#[path = "../../crypto/tests/vectors/digest.rs"]
mod digest;
mod envelope;
mod error;
pub mod frame;
mod mask;
mod message;
pub mod oprf;
#[cfg(test)]
#[path = "../../crypto/tests/vectors/recipe.rs"]
mod recipe;
pub mod score;
pub mod session;
pub mod train;

pub use envelope::{Codec, Elements, Form, decode as decode_envelope, encode as encode_envelope};
pub use error::Error;
pub use message::{Kind, Machine, Message, Next, Outgoing, Step};
