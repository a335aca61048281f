//! `cargo xtask`: every check of the project. This file only dispatches.
mod cargo;
mod check;
mod citations;
mod clauses;
mod coverage;
mod floors;
mod generate;
mod manifest;
mod protolint;
mod python;
mod rust;
mod spec;
mod tidy;
mod tree;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask COMMAND

  check [--skip NAME]…   every check below, in this order
  format                 cargo fmt --check
  floors                 which crate may use what; forbidden imports
  tidy                   sizes, banned names, dead links
  clauses                every MUST traced to a test or a closed reason
                         --accept  take the sentences as they now stand, and write spec/coverage.md
                         --write   write spec/coverage.md only
  generated              generated protocol code equals what the .proto files give
  proto-lint             buf's STANDARD lint
  clippy                 cargo clippy, warnings denied
  test                   cargo test --workspace
  doc                    cargo doc, warnings denied
  schemas                the JSON Schemas and their examples
  vectors                the model generates exactly the committed vectors

  generate               writes proto/src/ from proto/**/*.proto";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["generate"] => generate::run().map(|()| true),
        ["clauses", "--accept"] => clauses::accept().map(|()| true),
        ["clauses", "--write"] => clauses::write_table().map(|()| true),
        ["check", options @ ..] => check::all(options),
        [name] if check::is_known(name) => check::one(name),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::from(2)
        }
    }
}
