//! `hefu demo pooled`: several banks with the same columns fit one model on all their rows, and each sees what it
//! gains.
mod measure;
pub mod outcome;

use super::gather;
use super::parties::{self, Party, PartyInput, Reading, Waiver, localise};
use super::until_stopped;
use crate::cli::{KeyFormatArg, Screen};
use crate::failure::{self, Result};
use crate::progress::Progress;
use crate::report;
use clap::Args;
use hefu::{Code, Collaborator, Failure, Missing, PoolMethod, PoolPlan, PoolReport, Split};
use measure::Files;
use outcome::{BankOutcome, PooledOutcome, Settings};
use std::path::{Path, PathBuf};

/// The synthetic banks of a run without files: how many, rows of each, and rows to test on.
const BANKS: [&str; 4] = ["north", "east", "south", "west"];
const ROWS: usize = 600;
const TEST_ROWS: usize = 4000;
const SEED: u64 = 1;
/// Fewest banks.
const LEAST: usize = 3;

/// Which banks pool what their rows teach.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hefu demo pooled
      four invented banks of 600 rows each
  hefu demo pooled --bank north=a.csv --bank south=b.csv --bank west=c.csv --test test.csv --key id --label y
  hefu demo pooled --bank a=a.csv --bank b=b.csv --bank c=c.csv --bank d=d.csv --key id --label y --drop d@3

Every bank runs as a process of its own on loopback, with throw-away keys and mutual TLS; the first one that stays
coordinates. With --test all rows of the banks train. Without it the rows are split by a hash of their key in every bank, and the
operator of the demo, who has all files, computes the figures on the union of the test rows. With --drop the banks'
agreements permit a roster that changes by one bank.")]
pub struct PooledArgs {
    /// A bank and its rows, CSV with the same columns; at least three.
    #[arg(long, value_name = "NAME=FILE", requires_all = ["key", "label"])]
    bank: Vec<String>,
    /// Rows to judge the models on; without it a part of every bank's rows.
    #[arg(long, value_name = "FILE", requires = "bank")]
    test: Option<PathBuf>,
    /// Key column of every file.
    #[arg(long, value_name = "COLUMN", requires = "bank")]
    key: Option<String>,
    /// Label column of every file: 0 or 1.
    #[arg(long, value_name = "COLUMN", requires = "bank")]
    label: Option<String>,
    /// A bank that vanishes in the middle of a round; at least four banks.
    #[arg(long, value_name = "NAME@ROUND")]
    drop: Option<String>,
    /// Folder for the report.
    #[arg(long, value_name = "DIR", default_value = "demo-report")]
    report: PathBuf,
}

pub async fn run(args: PooledArgs, screen: Screen) -> Result<()> {
    until_stopped(demo(args, screen)).await
}

/// A bank that leaves, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leaving {
    bank: String,
    round: u32,
}

async fn demo(args: PooledArgs, screen: Screen) -> Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("hefu-demo-")
        .tempdir()
        .map_err(|e| Failure::because(Code::Disk, format!("No folder for the run: {e}.")))?;
    let mut progress = Progress::new(screen.language);
    let files = files(&args, folder.path(), &mut progress)?;
    let leaving = args.drop.as_deref().map(|text| leaving(text, &files)).transpose()?;
    std::fs::create_dir_all(&args.report).map_err(|e| failure::file(Code::Configuration, &args.report, &e))?;
    let banks = files.read()?;
    let inputs = inputs(&files, leaving.as_ref());
    let waiver = if leaving.is_some() { Waiver::RosterChange } else { Waiver::Nothing };
    progress.step("starting one node a bank, mutual TLS on loopback", "启动各银行节点（本机回环，双向 TLS）");
    let parties = parties::start(folder.path(), inputs, waiver).await?;
    progress.step("each bank publishes its rows at its own node", "各银行在自己的节点发布数据");
    let reading = Reading {
        key: files.key.clone(),
        key_format: if files.is_synthetic { KeyFormatArg::Uscc } else { KeyFormatArg::Text },
        missing: Missing::Error,
    };
    gather::publish(&parties, &reading).await?;
    let plan = plan(&parties, files.test.is_some(), leaving.is_some());
    let result = pool(&parties, &plan, leaving.as_ref(), &mut progress).await?;
    if let Some(leaving) = leaving.as_ref().filter(|leaving| u64::from(leaving.round) >= result.0.rounds) {
        let cause =
            format!("--drop: the job was over after {} rounds; {} did not leave.", result.0.rounds, leaving.bank);
        return Err(failure::usage(cause));
    }
    progress.step("each bank alone beside it", "对照：各银行单独建模");
    let settings = Settings {
        is_synthetic: files.is_synthetic,
        has_test_file: files.test.is_some(),
        lambda: plan.lambda,
        software: hefu_node::SOFTWARE.to_owned(),
        dropped: leaving.map(|l| format!("{}@{}", l.bank, l.round)),
    };
    let outcome = measure::outcome(&banks, result, settings)?;
    for party in parties {
        party.stop().await;
    }
    let path = write_report(&args.report, &outcome, screen)?;
    screen.answer(&outcome.to_json(&path.display().to_string()), || {
        format!("{}\n{}", outcome.summary(screen.language), path.display())
    });
    Ok(())
}

fn plan(parties: &[Party], has_test_file: bool, permits_change: bool) -> PoolPlan {
    let others = parties.iter().skip(1).map(|p| Collaborator::from(p.input.alias.as_str())).collect();
    let own = parties.first().map(|p| p.input.alias.clone()).unwrap_or_default();
    let mut plan = PoolPlan::new(PoolMethod::Logistic, own, others);
    plan.split = if has_test_file { Split::None } else { Split::Hash };
    plan.roster_change = permits_change;
    plan
}

/// Runs the job at the first bank, and reads every node's own costs.
async fn pool(
    parties: &[Party],
    plan: &PoolPlan,
    leaving: Option<&Leaving>,
    progress: &mut Progress,
) -> Result<(PoolReport, Vec<BankOutcome>)> {
    let first = parties.first().ok_or_else(|| Failure::because(Code::Internal, "No banks."))?;
    let before = gather::statuses(parties).await?;
    let job = first.node.submit_pool(plan).await.map_err(|e| localise(e.into(), parties))?;
    let ended = job.finish(|status| progress.job(status)).await;
    progress.finish();
    ended.map_err(|e| localise(e.into(), parties))?;
    let mut report: PoolReport = job.result().await?;
    gather::name_parties(&mut report.disclosure, parties);
    let mut all = Vec::new();
    for (party, before) in parties.iter().zip(before) {
        let has_left = leaving.is_some_and(|l| l.bank == party.input.alias);
        let mut bank = BankOutcome { alias: party.input.alias.clone(), party: party.id.clone(), ..Default::default() };
        // A process that is gone tells nothing.
        if !has_left {
            let after = party.node.status().await?;
            bank.cpu_seconds = Some(after.cpu_seconds - before.cpu_seconds);
            bank.peak_rss_mib = Some(after.peak_rss_mib);
            bank.bytes = Some(party.node.job(job.id()).status().await?.bytes_sent);
        }
        all.push(bank);
    }
    Ok((report, all))
}

/// The banks' nodes; one that leaves does not coordinate.
fn inputs(files: &Files, leaving: Option<&Leaving>) -> Vec<PartyInput> {
    let input = |(alias, file): &(String, PathBuf)| PartyInput {
        alias: alias.clone(),
        file: file.clone(),
        label: Some(files.label.clone()),
        described: None,
        leave_at_round: leaving.filter(|l| l.bank == *alias).map(|l| l.round),
    };
    let mut inputs: Vec<PartyInput> = files.banks.iter().map(input).collect();
    inputs.sort_by_key(|input| input.leave_at_round.is_some());
    inputs
}

fn leaving(text: &str, files: &Files) -> Result<Leaving> {
    let read = text.split_once('@').and_then(|(bank, round)| Some((bank, round.parse().ok()?)));
    let (bank, round) = read.ok_or_else(|| failure::usage(format!("--drop {text}: NAME@ROUND is expected.")))?;
    if !files.banks.iter().any(|(alias, _)| alias == bank) {
        return Err(failure::usage(format!("--drop {text}: no bank has this name.")));
    }
    if files.banks.len() <= LEAST {
        return Err(failure::usage("--drop: at least four banks are needed; three tolerate no drop-out."));
    }
    Ok(Leaving { bank: bank.to_owned(), round })
}

fn files(args: &PooledArgs, folder: &Path, progress: &mut Progress) -> Result<Files> {
    if args.bank.is_empty() {
        progress.step("making four synthetic banks of 600 rows each", "生成四家合成银行，每家 600 行");
        return synthetic(folder);
    }
    let mut banks: Vec<(String, PathBuf)> = Vec::new();
    for text in &args.bank {
        let named = text.split_once('=').filter(|(name, file)| !name.is_empty() && !file.is_empty());
        let (name, file) = named.ok_or_else(|| failure::usage(format!("--bank {text}: NAME=FILE is expected.")))?;
        let is_word = name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !is_word {
            return Err(failure::usage(format!("--bank {text}: a name has 1 to 64 letters, digits, - and _.")));
        }
        if banks.iter().any(|(known, _)| known == name) {
            return Err(failure::usage(format!("--bank {text}: the name {name} is in use.")));
        }
        banks.push((name.to_owned(), PathBuf::from(file)));
    }
    if banks.len() < LEAST {
        let cause = format!("{} banks, at least {LEAST} are needed.", banks.len());
        return Err(Failure::because(Code::TooFewParticipants, cause));
    }
    Ok(Files {
        banks,
        test: args.test.clone(),
        key: args.key.clone().unwrap_or_default(),
        label: args.label.clone().unwrap_or_default(),
        is_synthetic: false,
    })
}

/// Four banks of one synthetic world, and a further part of it to judge the models on.
fn synthetic(folder: &Path) -> Result<Files> {
    let needed = BANKS.len() * ROWS + TEST_ROWS;
    let world = hefu_data::synth::World::new(SEED, u32::try_from(needed * 2).unwrap_or(u32::MAX));
    let text = world.bank();
    let (header, rows) = text.split_once('\n').unwrap_or_default();
    let mut rows = rows.lines();
    let mut write = |name: &str, count: usize| {
        let file = folder.join(format!("{name}.csv"));
        let lines: Vec<&str> = std::iter::once(header).chain(rows.by_ref().take(count)).collect();
        std::fs::write(&file, lines.join("\n") + "\n").map_err(|e| failure::file(Code::Disk, &file, &e))?;
        Ok::<_, Failure>(file)
    };
    let mut banks = Vec::new();
    for name in BANKS {
        banks.push((name.to_owned(), write(&format!("{name}-rows"), ROWS)?));
    }
    let test = Some(write("test-rows", TEST_ROWS)?);
    let (key, label) = (hefu_data::synth::KEY.to_owned(), hefu_data::synth::LABEL.to_owned());
    Ok(Files { banks, test, key, label, is_synthetic: true })
}

/// Writes the page, and beside it everything that it is drawn from; answers the page's absolute path.
fn write_report(folder: &Path, outcome: &PooledOutcome, screen: Screen) -> Result<PathBuf> {
    let path = folder.join("report.html");
    let told = |e: std::io::Error| failure::file(Code::Disk, &path, &e);
    let all = serde_json::to_string_pretty(outcome).map_err(|e| told(e.into()))?;
    std::fs::write(folder.join("report.json"), all).map_err(told)?;
    std::fs::write(&path, report::render_pooled(outcome, screen.language)).map_err(told)?;
    std::fs::canonicalize(&path).map_err(told)
}
