//! The `hefu` command: a node that a bank or an agency really runs.
// A failure ends the program: it is made once, and not passed through hot code.
#![allow(clippy::result_large_err)]

mod bench;
mod cli;
mod demo;
mod failure;
mod language;
mod progress;
mod report;

fn main() -> std::process::ExitCode {
    cli::run()
}
