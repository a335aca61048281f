//! `hefu demo`: the whole thing on this machine, with real nodes.
pub mod gather;
pub mod outcome;
pub mod parties;
pub mod pooled;
mod process;

use crate::cli::{JoinArg, KeyFormatArg, MissingArg, Screen};
use crate::failure::{self, Result};
use crate::language::Language;
use crate::progress::Progress;
use crate::report;
use clap::{Args, Subcommand};
use hefu::{Code, Collaborator, Failure, JobPlan, Join, Missing};
use hefu_data::synth;
use outcome::{Outcome, Settings, Synthetic};
use parties::{Described, PartyInput, Reading, Waiver};
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

/// The synthetic world of a run without files.
const WORLD: Synthetic = Synthetic { enterprises: 10_000, seed: 1 };
/// The bank's short name.
const BANK: &str = "bank";

/// Another kind of run.
#[derive(Debug, Subcommand)]
enum Kind {
    /// Banks with the same columns pool what their rows teach: one model, no row moved.
    Pooled(pooled::PooledArgs),
}

/// Whose rows to bring together, and how.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  hefu demo
      10,000 invented enterprises: a bank, a tax bureau, a power company
  hefu demo --bank loans.csv --agency tax=tax.csv --agency power=power.csv --key uscc --label default_12m
  hefu demo --bank loans.csv --agency tax=tax.csv --key id --label y --join left --missing mean --report out --json

Every party runs as a process of its own on loopback, with throw-away keys and mutual TLS. The operator of the demo
reads each node's part of the model on that node's control side to print it; none of it crosses the interconnect."
)]
pub struct DemoArgs {
    #[command(subcommand)]
    kind: Option<Kind>,
    /// The bank's rows: key, label and feature columns, CSV.
    #[arg(long, value_name = "FILE", requires_all = ["agency", "key", "label"])]
    bank: Option<PathBuf>,
    /// An agency and its rows; once for each agency.
    #[arg(long, value_name = "NAME=FILE", requires = "bank")]
    agency: Vec<String>,
    /// Key column of every file.
    #[arg(long, value_name = "COLUMN", requires = "bank")]
    key: Option<String>,
    /// Label column of the bank's file: 0 or 1.
    #[arg(long, value_name = "COLUMN", requires = "bank")]
    label: Option<String>,
    /// Which rows are kept: those that every agency knows, or all of the bank's.
    #[arg(long, value_enum, default_value_t = JoinArg::Inner)]
    join: JoinArg,
    /// What an empty cell means: an error, or the column's training mean.
    #[arg(long, value_enum, default_value_t = MissingArg::Error)]
    missing: MissingArg,
    /// How keys are read: any text, or unified social credit codes with their check character.
    #[arg(long, value_enum, requires = "bank")]
    key_format: Option<KeyFormatArg>,
    /// Folder for the report.
    #[arg(long, value_name = "DIR", default_value = "demo-report")]
    report: PathBuf,
}

pub async fn run(mut args: DemoArgs, screen: Screen) -> Result<()> {
    if let Some(Kind::Pooled(args)) = args.kind.take() {
        return pooled::run(args, screen).await;
    }
    until_stopped(demo(args, screen)).await
}

/// Runs `work` until it is done or the user stops the program; either way its nodes and folders go with it.
pub async fn until_stopped(work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|e| Failure::because(Code::Internal, format!("No signals: {e}.")))?;
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(Failure::because(Code::Cancelled, "The run was stopped by its user.")),
        _ = terminate.recv() => Err(Failure::because(Code::Cancelled, "The run was stopped by a signal.")),
    }
}

async fn demo(args: DemoArgs, screen: Screen) -> Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("hefu-demo-")
        .tempdir()
        .map_err(|e| Failure::because(Code::Disk, format!("No folder for the run: {e}.")))?;
    let mut progress = Progress::new(screen.language);
    let (inputs, reading, settings) = prepare(&args, folder.path(), &mut progress)?;
    std::fs::create_dir_all(&args.report).map_err(|e| failure::file(Code::Configuration, &args.report, &e))?;
    progress.step("starting one node a party, mutual TLS on loopback", "启动各方节点（本机回环，双向 TLS）");
    let parties = parties::start(folder.path(), inputs, Waiver::Nothing).await?;
    progress.step(
        "each party publishes its rows at its own node; the agencies have approved the bank's use beforehand",
        "各方在自己的节点发布数据；各机构已事先批准银行使用",
    );
    let published = gather::publish(&parties, &reading).await?;
    for dataset in &published {
        let columns = dataset.columns.join(", ");
        progress.step(
            &format!(
                "  {}: {} rows, columns {columns}{}",
                dataset.name,
                dataset.rows,
                facts(dataset, "steward", "period")
            ),
            &format!("  {}：{} 行，列 {columns}{}", dataset.name, dataset.rows, facts(dataset, "管理员", "期间")),
        );
    }
    let plan = plan(&settings, &published, &args);
    let outcome = gather::train(&parties, &plan, settings, &mut progress).await?;
    for party in parties {
        party.stop().await;
    }
    let path = write_report(&args.report, &outcome, screen.language)?;
    screen.answer(&outcome.to_json(&path.display().to_string()), || {
        format!("{}\n{}", outcome.summary(screen.language), path.display())
    });
    Ok(())
}

/// Steward and period of a dataset, where they are stated.
fn facts(dataset: &hefu::Published, steward: &str, period: &str) -> String {
    let stated = |name: &str, value: &str| if value.is_empty() { String::new() } else { format!("; {name} {value}") };
    stated(steward, &dataset.steward) + &stated(period, &dataset.period)
}

fn plan(settings: &Settings, published: &[hefu::Published], args: &DemoArgs) -> JobPlan {
    let agencies = published.iter().skip(1).map(|d| Collaborator::from((d.name.as_str(), d.name.as_str())));
    let mut plan = JobPlan::train(BANK, agencies.collect());
    plan.join = Join::from(args.join);
    plan.missing = Missing::from(args.missing);
    plan.lambda = settings.lambda;
    plan
}

/// Writes the page, and beside it everything that it is drawn from; answers the page's absolute path.
fn write_report(folder: &Path, outcome: &Outcome, language: Language) -> Result<PathBuf> {
    let path = folder.join("report.html");
    let told = |e: std::io::Error| failure::file(Code::Disk, &path, &e);
    let all = serde_json::to_string_pretty(outcome).map_err(|e| told(e.into()))?;
    std::fs::write(folder.join("report.json"), all).map_err(told)?;
    std::fs::write(&path, report::render(outcome, language)).map_err(told)?;
    std::fs::canonicalize(&path).map_err(told)
}

/// Who takes part: the files that were given, or the synthetic world.
fn prepare(args: &DemoArgs, folder: &Path, progress: &mut Progress) -> Result<(Vec<PartyInput>, Reading, Settings)> {
    let missing = Missing::from(args.missing);
    let mut settings = Settings {
        join: Join::from(args.join).as_str().to_owned(),
        missing: missing.as_str().to_owned(),
        lambda: 1.0,
        purpose: "origination".to_owned(),
        synthetic: None,
        software: hefu_node::SOFTWARE.to_owned(),
    };
    if let Some(bank) = &args.bank {
        let key = args.key.clone().unwrap_or_default();
        let key_format = args.key_format.unwrap_or(KeyFormatArg::Text);
        return Ok((files(bank, args)?, Reading { key, key_format, missing }, settings));
    }
    progress.step("making a synthetic world of 10,000 enterprises", "生成含 10,000 家企业的合成世界");
    settings.synthetic = Some(WORLD);
    let reading = Reading { key: synth::KEY.to_owned(), key_format: KeyFormatArg::Uscc, missing };
    Ok((synthetic(folder)?, reading, settings))
}

fn files(bank: &Path, args: &DemoArgs) -> Result<Vec<PartyInput>> {
    let mut inputs = vec![PartyInput {
        alias: BANK.to_owned(),
        file: bank.to_owned(),
        label: args.label.clone(),
        described: None,
        leave_at_round: None,
    }];
    for text in &args.agency {
        let (name, file) = text
            .split_once('=')
            .filter(|(name, file)| !name.is_empty() && !file.is_empty())
            .ok_or_else(|| failure::usage(format!("--agency {text}: NAME=FILE is expected.")))?;
        let is_word = name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !is_word {
            let cause = format!("--agency {text}: a name has 1 to 64 letters, digits, - and _.");
            return Err(failure::usage(cause));
        }
        if inputs.iter().any(|input| input.alias == name) {
            return Err(failure::usage(format!("--agency {text}: the name {name} is in use.")));
        }
        inputs.push(PartyInput {
            alias: name.to_owned(),
            file: PathBuf::from(file),
            label: None,
            described: None,
            leave_at_round: None,
        });
    }
    Ok(inputs)
}

fn synthetic(folder: &Path) -> Result<Vec<PartyInput>> {
    let enterprises = u32::try_from(WORLD.enterprises).unwrap_or(u32::MAX);
    let world = synth::World::new(WORLD.seed, enterprises);
    let label = Some(synth::LABEL.to_owned());
    let described = |schema, steward| Some(Described { schema, steward, period: synth::PERIOD });
    let tables = [
        (BANK, world.bank(), label, described(synth::BANK_SCHEMA, "Risk modelling, synthetic bank")),
        ("tax", world.tax(), None, described(synth::TAX_SCHEMA, "Data office, synthetic tax bureau")),
        ("power", world.power(), None, described(synth::POWER_SCHEMA, "Customer data, synthetic power company")),
    ];
    let mut inputs = Vec::new();
    for (alias, text, label, described) in tables {
        let file = folder.join(format!("{alias}.csv"));
        std::fs::write(&file, text).map_err(|e| failure::file(Code::Disk, &file, &e))?;
        inputs.push(PartyInput { alias: alias.to_owned(), file, label, described, leave_at_round: None });
    }
    Ok(inputs)
}
