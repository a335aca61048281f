//! The command line; every subcommand is a few lines around the library.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use hefu_conformance::case::{Case, Corpus, Kind, Profile, Role};
use hefu_conformance::control::{Binding, Control, Request};
use hefu_conformance::judge::{Finding, Verdict};
use hefu_conformance::run::{self, Options, Progress, Results};
use hefu_conformance::target::TargetFile;
use hefu_conformance::world::{World, greet};
use hefu_conformance::{Error, Result, driver, report, verify};
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
    /// Check the way to a target step by step: file, adapter, set-up, TLS, one whole alignment
    Doctor(Target),
    /// List the cases
    List {
        /// Only this profile: CORE or ALIGN
        #[arg(long)]
        profile: Option<String>,
        /// Only this role of the target: collaborator or initiator
        #[arg(long)]
        role: Option<String>,
        /// One JSON object on standard output
        #[arg(long)]
        json: bool,
    },
    /// Run cases against a target and write results, evidence, JUnit and a page
    Run {
        #[command(flatten)]
        target: Target,
        /// Only this profile: CORE or ALIGN
        #[arg(long)]
        profile: Option<String>,
        /// Only this role of the target: collaborator or initiator
        #[arg(long)]
        role: Option<String>,
        /// Only this case and the controls that it needs; may be given again
        #[arg(long = "case", value_name = "ID")]
        cases: Vec<String>,
        /// Leave out cases that wait or work on many keys
        #[arg(long)]
        quick: bool,
        /// Repeat a run's random choices; default: fresh
        #[arg(long)]
        seed: Option<String>,
        /// Folder for results.json, junit.xml, index.html and evidence/
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Judge a stored transcript again; its control lies beside it
    Judge {
        /// A file of DIR/evidence
        transcript: PathBuf,
        /// One JSON object on standard output
        #[arg(long)]
        json: bool,
    },
    /// Judge every transcript of a results folder again and compare digests, verdicts and summary.
    /// Results are not signed in this version: this shows that they follow from the evidence, not who made it
    Verify {
        /// The folder that `run --out` wrote
        dir: PathBuf,
        /// One JSON object on standard output
        #[arg(long)]
        json: bool,
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
        Command::Doctor(target) => block_on(doctor(&target)),
        Command::List { profile, role, json } => list(profile.as_deref(), role.as_deref(), json),
        Command::Run { target, profile, role, cases, quick, seed, out } => {
            let (profile, role) = (read_profile(profile.as_deref())?, read_role(role.as_deref())?);
            let seed = seed.map_or_else(fresh_seed, Ok)?;
            let evidence = out.as_ref().map(|folder| folder.join("evidence"));
            let options = Options { profile, role, cases, quick, seed, evidence };
            block_on(run_cases(&target, &options, out.as_deref()))
        }
        Command::Judge { transcript, json } => judge(&transcript, json),
        Command::Verify { dir, json } => verify_folder(&dir, json),
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

fn read_profile(name: Option<&str>) -> Result<Option<Profile>> {
    let unknown = |name| Error::Configuration(format!("--profile {name}: CORE, ALIGN, VLR or SCORE"));
    name.map(|name| Profile::parse(name).ok_or_else(|| unknown(name))).transpose()
}

fn read_role(name: Option<&str>) -> Result<Option<Role>> {
    let unknown = |name| Error::Configuration(format!("--role {name}: collaborator or initiator"));
    name.map(|name| Role::parse(name).ok_or_else(|| unknown(name))).transpose()
}

fn list(profile: Option<&str>, role: Option<&str>, json: bool) -> Result<u8> {
    let (profile, role) = (read_profile(profile)?, read_role(role)?);
    let corpus = Corpus::embedded()?;
    let wanted = |c: &&Case| profile.is_none_or(|p| c.profile == p) && role.is_none_or(|r| c.role == r);
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
            println!("{:<12} {kind} {:<6} {:<9} {}", case.id, case.profile.name(), case.clause, case.title);
        }
        let negative = cases.iter().filter(|c| c.kind == Kind::Negative).count();
        println!("{} cases, {negative} negative", cases.len());
    }
    Ok(0)
}

async fn doctor(target: &Target) -> Result<u8> {
    let say = |line: String| if target.json { eprintln!("{line}") } else { println!("{line}") };
    let file = TargetFile::read(&target.target)?;
    say(format!(
        "target file  {} {}, claims {}",
        file.target.name,
        file.target.version,
        file.claims.profiles.join(", ")
    ));
    let mut control = Binding::start(&file)?;
    let seed = fresh_seed()?;
    let adapter = greet(&mut control, &seed).await?;
    say(format!("adapter      {} answers, and refuses a verb that nobody knows", adapter.name));
    let world = World::prepare(&mut control, &seed, &file).await?;
    say(format!(
        "set-up       parties trusted, datasets loaded, entries installed; {} at {}",
        world.target.party, world.address
    ));
    say(format!(
        "discovery    answers over mutual TLS in {} µs; a reply is waited for {} ms",
        world.round_trip.as_micros(),
        world.deadline.as_millis()
    ));
    let corpus = Corpus::embedded()?;
    let case = corpus
        .case(run::liveness(Role::Collaborator))
        .ok_or_else(|| Error::Suite("the corpus has no liveness case".into()))?;
    let run = driver::drive(&world, case, "main", None).await;
    let _ = control.call(Request::Stop).await;
    let whole = run.completed();
    say(format!(
        "alignment    {}",
        if whole { "a whole alignment went through" } else { "does not go through: run --case ALIGN-P-001 says why" }
    ));
    if target.json {
        println!(
            "{}",
            json!({ "party": world.target.party, "adapter": adapter.name, "alignment": whole,
                               "round_trip_us": world.round_trip.as_micros() as u64 })
        );
    }
    Ok(u8::from(!whole))
}

async fn run_cases(target: &Target, options: &Options, out: Option<&Path>) -> Result<u8> {
    let file = TargetFile::read(&target.target)?;
    let corpus = Corpus::embedded()?;
    run::select(&corpus, options)?;
    let mut control = Binding::start(&file)?;
    let say = |line: &str| if target.json { eprintln!("{line}") } else { println!("{line}") };
    let mut tell = |progress: Progress<'_>| match progress {
        Progress::Ready(world) => say(&format!("target {} at {}", world.target.party, world.address)),
        Progress::Case { result, done, total, left } => {
            say(&report::print::line(result, done, total, left));
            if !result.finding.verdict.conforms()
                && let Some(case) = corpus.case(&result.id)
            {
                say(&report::print::failure(case, &result.finding, &options.seed));
            }
        }
    };
    let results = run::run(&mut control, &file, options, &mut tell).await?;
    say(report::print::summary(&results).trim_end());
    if let Some(folder) = out {
        report::write(folder, &results)?;
    }
    if target.json {
        println!("{}", serde_json::to_string(&results)?);
    } else if let Some(folder) = out {
        println!("{}", folder.join("index.html").display());
    }
    Ok(code(&results))
}

fn code(results: &Results) -> u8 {
    if results.cases.iter().any(|case| case.finding.verdict == Verdict::Error) {
        4
    } else {
        u8::from(!results.conformant)
    }
}

fn judge(path: &Path, json: bool) -> Result<u8> {
    let corpus = Corpus::embedded()?;
    let (id, finding) = verify::rejudge(&corpus, path)?;
    if json {
        println!("{}", json!({ "case": id, "finding": finding }));
    } else {
        let Finding { verdict, reason, sent, expected, got } = &finding;
        println!("{} {id}", verdict.name());
        for (name, value) in [("sent", sent), ("expected", expected), ("got", got), ("reason", reason)] {
            if !value.is_empty() {
                println!("{name:<9} {value}");
            }
        }
    }
    Ok(if finding.verdict == Verdict::Error { 4 } else { u8::from(!finding.verdict.conforms()) })
}

fn verify_folder(folder: &Path, json: bool) -> Result<u8> {
    let corpus = Corpus::embedded()?;
    let verified = verify::verify(&corpus, folder)?;
    let holds = verified.faults.is_empty();
    if json {
        println!(
            "{}",
            json!({ "holds": holds, "conformant": verified.conformant, "transcripts": verified.transcripts,
                               "faults": verified.faults })
        );
    } else {
        verified.faults.iter().for_each(|fault| println!("{fault}"));
        let word = if verified.conformant { "conformant" } else { "not conformant" };
        println!(
            "{} transcripts judged again: the results {}; they say {word}; they are not signed",
            verified.transcripts,
            if holds { "hold" } else { "do not hold" }
        );
    }
    Ok(u8::from(!(holds && verified.conformant)))
}
