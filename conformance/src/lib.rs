//! The conformance suite: proves an implementation of Hefu from outside.
//!
//! A *driver* says what a case says and writes a transcript; a *judge*, a pure function of case and transcript, gives
//! the verdict. Cases are data ([`case`]); codec and cryptography ([`wire`]) are the suite's own, written from `spec/`.

pub mod case;
pub mod connect;
pub mod control;
pub mod driver;
mod error;
pub mod judge;
pub mod listen;
pub mod pki;
pub mod registry;
pub mod report;
mod rng;
pub mod run;
pub mod statement;
pub mod target;
pub mod transcript;
pub mod verify;
pub mod wire;
pub mod world;

pub use error::{Error, Result};
