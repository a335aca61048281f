//! Groups, hash-to-group, masks, signatures and sealing of Hefu's suites.
//!
//! Every primitive comes from a reviewed crate; this crate fixes how Hefu calls it (`spec/conventions.md`,
//! `spec/session.md`, `spec/align.md`). No clock, no file, no system randomness: randomness arrives as a [`Seed`].
//!
//! Suite INTL is what is here. The registry holds a second number for suite GM; its primitives come as a sibling of
//! each module.
mod agree;
mod backend;
#[cfg(test)]
#[path = "../../core/tests/vectors/case.rs"]
mod case;
mod digest;
pub mod dsse;
mod error;
mod group;
mod json;
#[cfg(target_arch = "x86_64")]
mod kernel;
mod masks;
pub mod oprf;
mod seal;
mod seed;
mod shamir;
mod sign;
mod stream;
mod suite;

pub use agree::Agreement;
pub use backend::Backend;
pub use digest::{expand, extract, sha256};
pub use error::Error;
pub use group::{Blinder, ELEMENT_BYTES, Points, Products, hash_to_group};
pub use json::parse_object;
pub use masks::{Masks, Sign};
pub use seal::{FrameKey, TAG_BYTES};
pub use seed::Seed;
pub use shamir::{Interpolation, Polynomial, Secret, Share};
pub use sign::{SigningKey, key_id, verify};
pub use stream::Stream;
pub use suite::Suite;
