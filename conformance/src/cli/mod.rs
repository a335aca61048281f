//! The command line; every subcommand is a few lines around the library.

mod doctor;
mod evidence;
mod run;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use hefu_conformance::case::{Case, Corpus, Kind, Profile, Role};
use hefu_conformance::{Error, Result, report};
use serde_json::json;

/// Proves an implementation of Hefu from outside.
///
/// The suite sets the target up through an adapter program, speaks to it as its peer, and judges what came back.
/// Verdicts: PASS; FAIL; WARN (a SHOULD); N/A (not claimed); INCONCLUSIVE (the control did not pass, or this machine
/// was too slow); ERROR (the suite); NOT_RUN. Exit codes: 0 conformant, 1 not, 2 configuration, 3 target
/// unreachable, 4 suite error.
#[derive(Parser)]
#[command(name = "hefu-conformance", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the way to a target step by step: file, adapter, set-up, TLS, one whole alignment in each role
    Doctor(Target),
    /// List the cases
    List {
        #[command(flatten)]
        selection: Selection,
        /// One JSON object on standard output
        #[arg(long)]
        json: bool,
    },
    /// Run cases against a target and write results, evidence, reports and, with --sign, a statement
    Run(run::Arguments),
    /// Judge a stored transcript again; its control lies beside it
    Judge {
        /// A file of DIR/evidence
        transcript: PathBuf,
        /// One JSON object on standard output
        #[arg(long)]
        json: bool,
    },
    /// Verify a statement: signature, signer, dates, digests, and every transcript judged again. Of a folder that
    /// `run --out` wrote: that the results follow from the evidence, not who made them
    Verify(evidence::Arguments),
    /// Make a key that signs statements, and print its entry for trust files
    Keygen {
        /// File for the private key; must not exist
        file: PathBuf,
        /// Whose key it is, for readers of the entry
        #[arg(long, default_value = "a vendor")]
        name: String,
    },
    /// Explain a case (ALIGN-N-004) or a requirement (ALIGN-2)
    Explain {
        /// Id of a case or of a requirement
        id: String,
    },
}

#[derive(clap::Args)]
struct Target {
    /// The target file, TOML; see conformance/targets/hefu.toml
    #[arg(long, value_name = "FILE")]
    target: PathBuf,
    /// One JSON object on standard output; progress goes to standard error
    #[arg(long)]
    json: bool,
}

/// Which cases.
#[derive(clap::Args)]
struct Selection {
    /// Only this profile: CORE, ALIGN, VLR or SCORE; or smoke, a handful of each family in a few seconds
    #[arg(long)]
    profile: Option<String>,
    /// Only this role of the target: collaborator or initiator
    #[arg(long)]
    role: Option<String>,
}

impl Selection {
    /// Profile, whether it is the smoke profile, role.
    fn read(&self) -> Result<(Option<Profile>, bool, Option<Role>)> {
        let smoke = self.profile.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("smoke"));
        let profile = match self.profile.as_deref().filter(|_| !smoke) {
            None => None,
            Some(name) => Some(Profile::parse(name).ok_or_else(|| {
                let names: Vec<&str> = Profile::ALL.iter().map(|p| p.name()).collect();
                Error::Configuration(format!("--profile {name}: {} or smoke", names.join(", ")))
            })?),
        };
        let unknown = |name: &str| Error::Configuration(format!("--role {name}: collaborator or initiator"));
        let role = match self.role.as_deref() {
            None => None,
            Some(name) => Some(Role::parse(name).ok_or_else(|| unknown(name))?),
        };
        Ok((profile, smoke, role))
    }
}

/// Parses the command line, runs it, and returns the exit code.
pub fn main() -> Result<u8> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Nothing is left to do where even this cannot be printed.
            let _ = error.print();
            return Ok(code);
        }
    };
    match cli.command {
        Command::Doctor(target) => block_on(doctor::doctor(&target)),
        Command::List { selection, json } => list(&selection, json),
        Command::Run(arguments) => block_on(run::run(&arguments)),
        Command::Judge { transcript, json } => evidence::judge(&transcript, json),
        Command::Verify(arguments) => evidence::verify(&arguments),
        Command::Keygen { file, name } => evidence::keygen(&file, &name),
        Command::Explain { id } => {
            let corpus = Corpus::embedded()?;
            let text = report::print::explain(&corpus, &id);
            let text = text.ok_or_else(|| Error::Configuration(format!("{id} is neither a case nor a requirement")))?;
            print!("{text}");
            Ok(0)
        }
    }
}

fn block_on(work: impl Future<Output = Result<u8>>) -> Result<u8> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn fresh_seed() -> Result<String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|e| Error::Suite(e.to_string()))?;
    Ok(hex::encode(bytes))
}

fn list(selection: &Selection, json: bool) -> Result<u8> {
    let (profile, smoke, role) = selection.read()?;
    let corpus = Corpus::embedded()?;
    let wanted =
        |c: &&Case| profile.is_none_or(|p| c.profile == p) && role.is_none_or(|r| c.role == r) && (!smoke || c.smoke);
    let cases: Vec<&Case> = corpus.cases.iter().filter(wanted).collect();
    if json {
        let rows: Vec<_> = cases
            .iter()
            .map(|c| {
                json!({ "id": c.id, "clause": c.clause, "profile": c.profile, "role": c.role, "kind": c.kind,
                        "title": c.title })
            })
            .collect();
        println!("{}", json!({ "cases": rows }));
    } else {
        for case in &cases {
            let kind = if case.kind == Kind::Positive { '+' } else { '-' };
            let (profile, role) = (case.profile.name(), case.role.name());
            println!("{:<12} {kind} {profile:<6} {role:<12} {:<9} {}", case.id, case.clause, case.title);
        }
        let negative = cases.iter().filter(|c| c.kind == Kind::Negative).count();
        println!("{} cases, {negative} negative", cases.len());
    }
    Ok(0)
}
