//! The `hefu-faulty` command: `hefu` with the faults that the environment variable `HEFU_FAULT` lists, comma
//! separated.
//!
//! It exists to prove that the conformance suite notices each of them; it is no program to run with data.
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
    for id in std::env::var("HEFU_FAULT").unwrap_or_default().split(',').filter(|id| !id.is_empty()) {
        if !hefu_core::fault::switch_on(id) {
            eprintln!("hefu-faulty: no fault {id}; there are:");
            for switch in hefu_core::fault::Switch::ALL {
                eprintln!("  {} ({})", switch.id(), switch.clause());
            }
            return std::process::ExitCode::from(2);
        }
    }
    cli::run()
}
