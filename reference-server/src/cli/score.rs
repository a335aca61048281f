//! `hefu score`: applicants in, probabilities out.
use super::dataset::{KeyFormatArg, MissingArg};
use super::{ConfigArg, Screen, with_alias};
use crate::demo::until_stopped;
use crate::failure::{self, Result};
use crate::progress::Progress;
use clap::{Args, ValueEnum};
use hefu::{Alignment, Code, Collaborator, Dataset, Failure, JobPlan, Join, Missing, Node, Purpose, Scores};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Whom to score, with what.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hefu score applicants.csv --model a0b1c2d3e4f5061728394a5b6c7d8e9f --key uscc \\
      --missing mean --with tax=tax-2026 --with power=power-2026 --out scores.csv --config bank.toml

The file needs the key and the model's own columns of this party; other columns are ignored. The applicants are
published at this node under a name of their own and taken back at the end. Only the model's owner gets an answer.")]
pub struct ScoreArgs {
    /// The applicants, CSV.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Model id: hefu job show tells it.
    #[arg(long, value_name = "ID")]
    model: String,
    /// Key column.
    #[arg(long, value_name = "COLUMN")]
    key: String,
    /// A party of the model and its dataset; once for each, in the model's order.
    #[arg(long = "with", value_name = "ALIAS=DATASET", required = true)]
    with: Vec<String>,
    /// Where to write key and probability.
    #[arg(long, value_name = "FILE", default_value = "scores.csv")]
    out: PathBuf,
    /// How keys are read.
    #[arg(long, value_enum, default_value_t = KeyFormatArg::Text)]
    key_format: KeyFormatArg,
    /// What an empty cell means, at every party; as the model was trained, unless given.
    #[arg(long, value_enum)]
    missing: Option<MissingArg>,
    /// Which applicants get a score: those that every party knows, or all; as the model was trained, unless given.
    #[arg(long, value_enum)]
    join: Option<JoinArg>,
    /// Match against the set that each agency publishes once, where its [[allow]] entry permits it: for few applicants.
    #[arg(long)]
    unbalanced: bool,
    /// Purpose, as the agencies' [[allow]] entries name it.
    #[arg(long, value_name = "WORD", default_value = "origination", value_parser = parse_purpose)]
    purpose: Purpose,
    #[command(flatten)]
    config: ConfigArg,
}

/// Which rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JoinArg {
    /// Rows that every agency knows.
    Inner,
    /// All valid rows of the bank.
    Left,
}

impl From<JoinArg> for Join {
    fn from(arg: JoinArg) -> Self {
        match arg {
            JoinArg::Inner => Join::Inner,
            JoinArg::Left => Join::Left,
        }
    }
}

pub fn parse_purpose(word: &str) -> std::result::Result<Purpose, String> {
    Purpose::parse(word).ok_or_else(|| {
        let all: Vec<&str> = Purpose::ALL.iter().map(|p| p.as_str()).collect();
        format!("expected one of {}", all.join(", "))
    })
}

/// What scoring takes over from training: members of the bank's own part of the model.
#[derive(serde::Deserialize)]
struct Trained {
    missing_cells: Missing,
    join: Join,
}

/// A name for the applicants of this run: two runs at once do not meet.
fn applicants() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("applicants-{}-{}", std::process::id(), now.as_nanos())
}

pub async fn run(args: ScoreArgs, screen: Screen) -> Result<()> {
    let (file, dataset) = (args.file.clone(), applicants());
    let with = args.with.iter().map(|text| collaborator(text)).collect::<Result<Vec<_>>>()?;
    failure::writable(&args.out)?;
    let node = Node::connect(&args.config.config).await?;
    let outcome = until_stopped(score(args, with, &node, &dataset, screen)).await;
    // Taken back however the run ended; a run that failed before it published has nothing to take back.
    let taken_back = node.unpublish(&dataset).await;
    outcome.map_err(|failure| in_file(failure, &dataset, &file))?;
    Ok(taken_back.map(drop)?)
}

async fn score(args: ScoreArgs, with: Vec<Collaborator>, node: &Node, name: &str, screen: Screen) -> Result<()> {
    let trained: Trained = serde_json::from_str(&node.model_json(&args.model).await?)
        .map_err(|_| Failure::because(Code::Internal, "The node's model part is no JSON text."))?;
    let missing = args.missing.map_or(trained.missing_cells, Into::into);
    let dataset = Dataset::csv(&args.file)?.name(name).key(args.key);
    let dataset = dataset.key_format(args.key_format.into()).missing(missing);
    let published = node.publish(dataset).await?;
    let mut plan = JobPlan::score(published.name.as_str(), args.model, with);
    plan.join = args.join.map_or(trained.join, Into::into);
    plan.missing = missing;
    plan.purpose = args.purpose;
    plan.alignment = if args.unbalanced { Alignment::Oprf } else { Alignment::Ecdh };
    let job = node.submit(&plan).await?;
    let mut progress = Progress::new(screen.language);
    let ended = job.finish(|status| progress.job(status)).await;
    progress.finish();
    if let Err(error) = ended {
        return Err(with_alias(error.into(), node, screen).await);
    }
    let scores: Scores = job.result().await?;
    write(&args.out, &scores)?;
    let object = json!({
        "job": scores.job, "model": scores.model, "rows": scores.rows, "scored": scores.scores.len(), "out": args.out,
    });
    screen.answer(&object, || {
        let r = &scores.rows;
        let counts = match screen.language {
            crate::language::Language::English => format!(
                "{} of {} applicants scored ({} not known to every party, {} duplicate, {} invalid keys)",
                scores.scores.len(),
                r.bank,
                r.unmatched,
                r.duplicate,
                r.invalid
            ),
            crate::language::Language::Chinese => format!(
                "{} 名申请人中 {} 名得到评分（未被全部机构匹配 {}，主键重复 {}，无效 {}）",
                r.bank,
                scores.scores.len(),
                r.unmatched,
                r.duplicate,
                r.invalid
            ),
        };
        format!("{counts}\n{}", args.out.display())
    });
    Ok(())
}

/// A failure about the applicants names the file that the user gave.
fn in_file(mut failure: hefu::Failure, dataset: &str, file: &Path) -> hefu::Failure {
    if failure.place.dataset.as_deref() == Some(dataset) {
        failure.place.dataset = Some(file.display().to_string());
    }
    failure
}

fn collaborator(text: &str) -> Result<Collaborator> {
    match text.split_once('=') {
        Some((party, dataset)) if !party.is_empty() && !dataset.is_empty() => Ok((party, dataset).into()),
        _ => Err(failure::usage(format!("--with {text}: ALIAS=DATASET is expected."))),
    }
}

fn write(path: &Path, scores: &Scores) -> Result<()> {
    let told = |e: std::io::Error| failure::file(Code::Disk, path, &e);
    let file = std::fs::File::create(path).map_err(told)?;
    let rows = scores.scores.iter().map(|s| (s.key.as_str(), s.probability));
    hefu_data::scores::write(std::io::BufWriter::new(file), "key", rows)
        .map_err(|e| failure::file(Code::Disk, path, &std::io::Error::other(e.to_string())))
}
