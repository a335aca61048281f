//! `run`.

use std::io::Write;
use std::path::{Path, PathBuf};

use hefu_conformance::case::Corpus;
use hefu_conformance::control::Binding;
use hefu_conformance::judge::Verdict;
use hefu_conformance::run::{self, Options, Progress, Results};
use hefu_conformance::statement::{self, Assurance, Terms};
use hefu_conformance::target::TargetFile;
use hefu_conformance::{Error, Result, report};

use super::{Selection, Target, fresh_seed};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    selection: Selection,
    /// Only this case and the controls that it needs; may be given again
    #[arg(long = "case", value_name = "ID")]
    cases: Vec<String>,
    /// Leave out cases that wait or work on many keys
    #[arg(long)]
    quick: bool,
    /// Repeat a run's random choices; default: fresh, or what --nonce gives
    #[arg(long, conflicts_with = "nonce")]
    seed: Option<String>,
    /// Folder for results.json, cases.ndjson, junit.xml, coverage.csv, index.html, evidence/ and statement.json
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Sign a statement of the run with this key file, into DIR/statement.json
    #[arg(long, value_name = "KEY", requires = "out")]
    sign: Option<PathBuf>,
    /// Who runs the suite: self, witnessed or lab
    #[arg(long, default_value = "self")]
    assurance: String,
    /// The verifier's nonce, which fixes the seed
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
    /// Days for which the statement is to be relied on
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=3650))]
    valid_days: u64,
}

pub(super) async fn run(arguments: &Arguments) -> Result<u8> {
    let (profile, smoke, role) = arguments.selection.read()?;
    let seed = match (&arguments.seed, &arguments.nonce) {
        (Some(seed), _) => seed.clone(),
        (None, Some(nonce)) => statement::seed_of(nonce),
        (None, None) => fresh_seed()?,
    };
    let assurance = Assurance::parse(&arguments.assurance)
        .ok_or_else(|| Error::Configuration(format!("--assurance {}: self, witnessed or lab", arguments.assurance)))?;
    let out = arguments.out.as_deref();
    let evidence = out.map(|folder| folder.join("evidence"));
    let (cases, quick) = (arguments.cases.clone(), arguments.quick);
    let options = Options { profile, role, smoke, cases, quick, seed, evidence };
    let file = TargetFile::read(&arguments.target.target)?;
    let key = arguments.sign.as_deref().map(statement::key::read).transpose()?;
    let results = follow(&arguments.target, &file, &options, out).await?;
    if let Some(folder) = out {
        report::write(folder, &results)?;
    }
    if let (Some(key), Some(folder)) = (key, out) {
        let terms = Terms { assurance, nonce: arguments.nonce.clone(), days: arguments.valid_days };
        let envelope = statement::sign(&Corpus::embedded()?, &file, &results, folder, &terms, &key)?;
        std::fs::write(folder.join("statement.json"), envelope)?;
    }
    if arguments.target.json {
        println!("{}", serde_json::to_string(&results)?);
    } else if let Some(folder) = out {
        println!("{}", folder.join("index.html").display());
    }
    Ok(code(&results))
}

/// Runs, and tells what happens while it does: lines for people, and an NDJSON file.
async fn follow(target: &Target, file: &TargetFile, options: &Options, out: Option<&Path>) -> Result<Results> {
    let corpus = Corpus::embedded()?;
    run::select(&corpus, options)?;
    let mut live = match out {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            Some(std::fs::File::create(folder.join("cases.ndjson"))?)
        }
        None => None,
    };
    let mut control = Binding::start(file)?;
    let say = |line: &str| if target.json { eprintln!("{line}") } else { println!("{line}") };
    let mut tell = |progress: Progress<'_>| match progress {
        Progress::Ready(world) => say(&format!("target {} at {}", world.target.party, world.address)),
        Progress::Case { result, done, total, left } => {
            if let (Some(live), Ok(line)) = (live.as_mut(), serde_json::to_string(result)) {
                // A full disk is told when the results are written.
                let _ = writeln!(live, "{line}");
            }
            say(&report::print::line(result, done, total, left));
            if !result.finding.verdict.conforms()
                && let Some(case) = corpus.case(&result.id)
            {
                say(&report::print::failure(case, &result.finding, &options.seed));
            }
        }
    };
    let results = run::run(&mut control, file, options, &mut tell).await?;
    say(report::print::summary(&results).trim_end());
    Ok(results)
}

fn code(results: &Results) -> u8 {
    if results.cases.iter().any(|case| case.finding.verdict == Verdict::Error) {
        4
    } else {
        u8::from(!results.conformant)
    }
}
