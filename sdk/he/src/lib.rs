//! Ring-LWE: the additively homomorphic scheme of joint training (`spec/ringlwe.md`), and its kernels.
//!
//! A key owner encrypts vectors, an evaluator multiplies them by vectors of its own, sums, hides the sums under masks
//! and answers; the key owner decrypts masked sums. [`Slots`] works element by element, [`Coefficients`] makes inner
//! products.
//!
//! No clock, no file, no system randomness: randomness arrives as streams, one for each purpose. Two backends make
//! identical bytes from identical streams: a portable one, and one for AVX-512 with IFMA that is chosen at run time.
//! A context is immutable and shared between threads; each thread has a [`Scratch`] of its own.
//!
//! # Security
//! Secrets are handled without secret-dependent branches or addresses. Rejection while sampling depends only on
//! rejected words. The scheme is secure against chosen plaintexts only: see section 8 of the specification.
mod answer;
mod backend;
mod budget;
mod coefficients;
mod column;
mod convert;
mod error;
pub mod floor;
mod kernel;
mod key;
mod modular;
mod ntt;
mod parameters;
mod sample;
mod seeds;
mod slots;
#[cfg(test)]
mod sums_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../tests/vectors/mod.rs"]
mod vectors;
mod words;

pub use answer::AnswerStreams;
pub use backend::Backend;
pub use budget::{Budget, Shape};
pub use coefficients::{Block, Coefficients, Sum};
pub use column::{Column, Form};
pub use error::Error;
pub use key::{PublicKey, SecretKey};
pub use parameters::{N, SEED_BYTES, Set};
pub use sample::Scratch;
pub use seeds::SeenSeeds;
pub use slots::{Accumulator, Slots, truncate};
