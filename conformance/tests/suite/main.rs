//! The suite's own tests: a reference target in this process, its faults, null targets, benign variants.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod benign;
mod corpus;
mod evidence;
mod faults;
mod harness;
mod null;
mod reference;
mod statement;
mod vectors;
mod vectors_aggregate;
mod vectors_rlwe;
mod vectors_vlr;
