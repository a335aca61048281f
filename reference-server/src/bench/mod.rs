//! `hefu bench`: real nodes, generated tables, beside the floor that the kernels set in the same run.
mod aggregate;
mod aggregate_local;
mod floor;
mod frames;
mod tables;
mod unbalanced;

use crate::cli::{KeyFormatArg, Screen};
use crate::demo::gather::{self, OwnView};
use crate::demo::parties::{self, Party, PartyInput, Reading, Waiver};
use crate::demo::until_stopped;
use crate::failure::{self, Result};
use crate::progress::Progress;
use clap::{Args, Subcommand, value_parser};
use hefu::{Code, Collaborator, Failure, JobPlan, Matches, Missing, Report};
use hefu_he::Backend;
use serde_json::{Map, Value, json};
use std::path::Path;
use tables::Table;

/// Most rows of a generated table: what a node accepts unless it is configured otherwise.
const MOST_ROWS: u64 = 5_000_000;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Private matching of two parties' keys: wall seconds beside hash, multiply, decode and encode on all cores.
    #[command(after_help = "Examples:
  hefu bench align --rows 30000 --overlap 1.0
  hefu bench align --rows 1000000 --json
  hefu bench align --rows 100000 --against 3000000 --unbalanced")]
    Align(AlignArgs),
    /// Joint training: CPU seconds of all parties beside the ring-LWE operations of the same evaluations.
    #[command(after_help = "Examples:
  hefu bench train --rows 30000 --columns 23 --parties 2
  hefu bench train --rows 30000 --columns 100 --parties 3 --json")]
    Train(TrainArgs),
    /// One secure sum: CPU seconds of all participants beside the plain sum and the expansion of the masks.
    #[command(after_help = "Examples:
  hefu bench aggregate --values 1000000 --parties 10
  hefu bench aggregate --values 1000000 --parties 10 --drop 3 --json
  hefu bench aggregate --values 1000000 --parties 10 --local")]
    Aggregate(aggregate::AggregateArgs),
    /// The channel: MB/s of messages beside bare gRPC streaming over the same connection.
    #[command(after_help = "Examples:
  hefu bench frames
  hefu bench frames --chunk 1048576 --delay-ms 30 --json")]
    Frames(frames::FramesArgs),
    #[command(hide = true)]
    FramesReceiver(frames::ReceiverArgs),
}

#[derive(Debug, Args)]
pub struct AlignArgs {
    /// Rows of each party.
    #[arg(long, value_name = "N", default_value_t = 30_000, value_parser = value_parser!(u64).range(1..=MOST_ROWS))]
    rows: u64,
    /// Share of the rows that both have.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    overlap: f64,
    /// Match against a set that the other party publishes once: the first job, and a second one.
    #[arg(long)]
    unbalanced: bool,
    /// Rows of the other party, where they are not as many.
    #[arg(long, value_name = "N", requires = "unbalanced", value_parser = value_parser!(u64).range(1..=MOST_ROWS))]
    against: Option<u64>,
}

#[derive(Debug, Args)]
pub struct TrainArgs {
    /// Rows of each party, all in common; 70 % of them train.
    #[arg(long, value_name = "N", default_value_t = 30_000, value_parser = value_parser!(u64).range(20..=MOST_ROWS))]
    rows: u64,
    /// Columns of all parties together.
    #[arg(long, value_name = "N", default_value_t = 23)]
    columns: usize,
    /// Parties, the bank included.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = value_parser!(u8).range(2..=20))]
    parties: u8,
}

pub async fn run(command: BenchCommand, screen: Screen) -> Result<()> {
    let work = async move {
        match command {
            BenchCommand::Align(args) => align(&args, screen).await,
            BenchCommand::Train(args) => train(&args, screen).await,
            BenchCommand::Aggregate(args) => aggregate::run(&args, screen).await,
            BenchCommand::Frames(args) => frames::run(&args, screen).await,
            BenchCommand::FramesReceiver(args) => frames::run_receiver(&args).await,
        }
    };
    until_stopped(work).await
}

/// What one stage cost all parties together.
struct Cost {
    cpu_seconds: f64,
    bytes: u64,
    peak_rss_mib: Map<String, Value>,
    /// The kernels of the stage.
    backend: &'static str,
}

async fn align(args: &AlignArgs, screen: Screen) -> Result<()> {
    if !(0.0..=1.0).contains(&args.overlap) {
        return Err(failure::usage("--overlap: a share from 0 to 1 is expected."));
    }
    if args.unbalanced {
        return unbalanced::align(args.rows, args.against.unwrap_or(args.rows), args.overlap, screen).await;
    }
    let common = (args.rows as f64 * args.overlap).round().max(1.0) as u64;
    let first = args.rows - common;
    let tables = [
        Table { first: 0, rows: args.rows, columns: 1, label: false, seed: 1 },
        Table { first, rows: args.rows, columns: 1, label: false, seed: 2 },
    ];
    let mut run = Bench::start(&tables, screen).await?;
    let plan = JobPlan::align("p0", run.collaborators());
    let job = gather::run_job(&run.parties, &plan, &mut run.progress).await?;
    let matches: Matches = job.result().await?;
    let cost = run.cost(job.id(), "align").await?;
    run.stop().await;
    let keys = |table: &Table| (table.first..table.first + table.rows).collect::<Vec<u64>>();
    let floor = floor::align(&keys(&tables[0]), &keys(&tables[1]))?;
    let extra = json!({
        "rows_aligned": matches.rows_aligned, "seconds": matches.seconds, "floor_cpu_seconds": floor.cpu_seconds,
        "cpu_ratio": cost.cpu_seconds / floor.cpu_seconds,
    });
    print(screen, "s wall", matches.seconds.align, floor.seconds, cost, extra);
    Ok(())
}

async fn train(args: &TrainArgs, screen: Screen) -> Result<()> {
    let parties = usize::from(args.parties);
    if args.columns < parties {
        return Err(failure::usage("--columns: at least one column a party is expected."));
    }
    let share = |rank: usize| args.columns / parties + usize::from(rank < args.columns % parties);
    let table = |rank: usize| Table {
        first: 0,
        rows: args.rows,
        columns: share(rank),
        label: rank == 0,
        seed: rank as u64 + 1,
    };
    let tables: Vec<Table> = (0..parties).map(table).collect();
    let mut run = Bench::start(&tables, screen).await?;
    let plan = JobPlan::train("p0", run.collaborators());
    let job = gather::run_job(&run.parties, &plan, &mut run.progress).await?;
    let report: Report = job.result().await?;
    let cost = run.cost(job.id(), "train").await?;
    run.stop().await;
    let columns: Vec<u64> = tables.iter().map(|t| t.columns as u64).collect();
    let used = report.trace.iter().filter_map(|t| t.sine_set.as_u64()?.try_into().ok()).collect();
    let work = floor::Training { rows: report.train_rows, columns: &columns, sine_sets: used };
    let floor = floor::train(&work, Backend::detect())?;
    let extra = json!({
        "rounds": report.rounds, "train_rows": report.train_rows, "seconds": report.seconds, "auc_joint": report.auc,
    });
    print(screen, "CPU s", cost.cpu_seconds, floor, cost, extra);
    Ok(())
}

/// Running nodes with published tables.
struct Bench {
    parties: Vec<Party>,
    progress: Progress,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start(tables: &[Table], screen: Screen) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("hefu-bench-")
            .tempdir()
            .map_err(|e| Failure::because(Code::Disk, format!("No folder for the run: {e}.")))?;
        let mut progress = Progress::new(screen.language);
        progress.step("generating tables", "生成数据");
        let inputs = tables.iter().enumerate().map(|(rank, table)| input(folder.path(), rank, table));
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        progress.step("starting one node a party", "启动各方节点");
        let parties = parties::start(folder.path(), inputs, Waiver::Everything).await?;
        let reading = Reading { key: "id".to_owned(), key_format: KeyFormatArg::Text, missing: Missing::Error };
        gather::publish(&parties, &reading).await?;
        Ok(Bench { parties, progress, _folder: folder })
    }

    fn collaborators(&self) -> Vec<Collaborator> {
        self.parties.iter().skip(1).map(|p| Collaborator::from(p.input.alias.as_str())).collect()
    }

    async fn cost(&self, job: &str, stage: &str) -> Result<Cost> {
        let backend = if stage == "align" { hefu_crypto::Backend::detect().name() } else { Backend::detect().name() };
        let mut cost = Cost { cpu_seconds: 0.0, bytes: 0, peak_rss_mib: Map::new(), backend };
        for party in &self.parties {
            let view: OwnView = party.node.job(job).result().await?;
            for spent in view.stages.iter().filter(|s| s.stage == stage) {
                cost.cpu_seconds += spent.cpu_seconds;
                cost.bytes += spent.bytes_sent;
            }
            let peak = party.node.status().await?.peak_rss_mib;
            cost.peak_rss_mib.insert(party.input.alias.clone(), json!(peak));
        }
        Ok(cost)
    }

    async fn stop(&mut self) {
        for party in self.parties.drain(..) {
            party.stop().await;
        }
        self.progress.step("measuring the kernels' floor", "测量内核下限");
    }
}

fn input(folder: &Path, rank: usize, table: &Table) -> Result<PartyInput> {
    let alias = format!("p{rank}");
    let file = folder.join(format!("{alias}.csv"));
    table.write(&file).map_err(|e| failure::file(Code::Disk, &file, &e))?;
    Ok(PartyInput { alias, file, label: table.label.then(|| "y".to_owned()), described: None, leave_at_round: None })
}

fn print(screen: Screen, unit: &str, achieved: f64, floor: f64, cost: Cost, extra: Value) {
    let ratio = if floor > 0.0 { achieved / floor } else { f64::NAN };
    let backend = cost.backend;
    let mut object = json!({
        "achieved": achieved, "floor": floor, "ratio": ratio, "unit": unit, "better": "lower",
        "cpu_seconds": cost.cpu_seconds, "bytes": cost.bytes, "peak_rss_mib": cost.peak_rss_mib, "backend": backend,
    });
    if let (Value::Object(all), Value::Object(extra)) = (&mut object, extra) {
        all.extend(extra);
    }
    screen.answer(&object, || {
        format!(
            "{} {achieved:.3} {unit}, {} {floor:.3} {unit}, {} {ratio:.2}\nCPU {:.3} s, {:.1} MB, {backend}",
            screen.pick("achieved", "实测"),
            screen.pick("floor", "下限"),
            screen.pick("ratio", "比值"),
            cost.cpu_seconds,
            cost.bytes as f64 / 1e6,
        )
    });
}
