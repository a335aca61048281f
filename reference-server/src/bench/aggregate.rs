//! `hefu bench aggregate`: one secure sum of long vectors, beside the plain sum over the same channel and the
//! expansion of
//! the masks alone.
use super::floor::cpu_time;
use super::{aggregate_local, print};
use crate::cli::Screen;
use crate::demo::gather;
use crate::demo::parties::{self, Party, PartyInput, Waiver};
use crate::failure::{self, Result};
use crate::progress::Progress;
use clap::{Args, value_parser};
use hefu::{Aggregation, Code, Collaborator, Failure, PoolMethod, PoolPlan};
use hefu_crypto::Stream;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Values are within ±2^CLIP.
const CLIP: u32 = 8;
/// What expands the masks: AES of the processor, chosen at run time.
const CIPHER: &str = "aes-128-ctr";

#[derive(Debug, Args)]
pub struct AggregateArgs {
    /// Values of each participant.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = value_parser!(u32).range(1..=16_000_000))]
    values: u32,
    /// Participants, the coordinator included.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u16).range(3..=32))]
    parties: u16,
    /// Participants that leave after they told their shares.
    #[arg(long, value_name = "N", default_value_t = 0)]
    drop: u16,
    /// In one process without a network: the machines alone.
    #[arg(long)]
    local: bool,
}

pub async fn run(args: &AggregateArgs, screen: Screen) -> Result<()> {
    let threshold = args.parties * 2 / 3 + 1;
    if args.parties - args.drop.min(args.parties) < threshold {
        let cause = format!("--drop: {threshold} of {} participants must remain.", args.parties);
        return Err(failure::usage(cause));
    }
    if args.local {
        return local(args, screen);
    }
    let folder = tempfile::Builder::new()
        .prefix("hefu-bench-")
        .tempdir()
        .map_err(|e| Failure::because(Code::Disk, format!("No folder for the run: {e}.")))?;
    let mut progress = Progress::new(screen.language);
    progress.step("starting one node a participant", "启动各参与方节点");
    let inputs = (0..args.parties).map(|rank| PartyInput {
        alias: format!("p{rank}"),
        file: folder.path().join("none.csv"),
        label: None,
        described: None,
        leave_at_round: (rank >= args.parties - args.drop).then_some(0),
    });
    let parties = parties::start(folder.path(), inputs.collect(), Waiver::Everything).await?;
    for (rank, party) in parties.iter().enumerate() {
        write_vector(folder.path(), &party.input.alias, rank, args.values)?;
    }
    progress.step("the plain sum over the same channel", "同一通道上的明文求和");
    let plain = sum(&parties, args, Aggregation::Plain, &mut progress).await?;
    progress.step("the masked sum", "加掩码求和");
    let masked = sum(&parties, args, Aggregation::Masked, &mut progress).await?;
    check(folder.path(), &masked, args)?;
    for party in parties {
        party.stop().await;
    }
    progress.step("the expansion of the masks alone", "仅掩码扩展");
    let (expansion, bytes) = expansion(args);
    let per_party = masked.bytes.iter().map(|(name, bytes)| (name.clone(), json!(bytes))).collect::<Map<_, _>>();
    let extra = json!({
        "seconds": masked.seconds, "survivors": args.parties - args.drop, "bytes_by_party": per_party,
        "plain": {"seconds": plain.seconds, "cpu_seconds": plain.cpu_seconds, "bytes": plain.bytes_in_all()},
        "mask_expansion": {"cpu_seconds": expansion, "bytes": bytes, "gb_per_s": bytes as f64 / expansion / 1e9},
        "left_uncounted": args.drop,
    });
    let cost = super::Cost {
        cpu_seconds: masked.cpu_seconds,
        bytes: masked.bytes_in_all(),
        peak_rss_mib: masked.peak_rss_mib.clone(),
        backend: CIPHER,
    };
    print(screen, "CPU s", masked.cpu_seconds, expansion + plain.cpu_seconds, cost, extra);
    Ok(())
}

/// The machines alone, beside the expansion of the masks alone.
fn local(args: &AggregateArgs, screen: Screen) -> Result<()> {
    let clip = u16::try_from(CLIP).unwrap_or(u16::MAX);
    let size = aggregate_local::Size { values: args.values, parties: args.parties, drop: args.drop, clip };
    let spent = aggregate_local::round(size, value)?;
    let (expansion, bytes) = expansion(args);
    let by_party = spent.bytes.iter().enumerate().map(|(rank, bytes)| (format!("p{rank}"), json!(bytes)));
    let extra = json!({
        "seconds": spent.seconds, "survivors": spent.survivors, "bytes_by_party": by_party.collect::<Map<_, _>>(),
        "mask_expansion": {"cpu_seconds": expansion, "bytes": bytes, "gb_per_s": bytes as f64 / expansion / 1e9},
    });
    let cost = super::Cost {
        cpu_seconds: spent.cpu_seconds,
        bytes: spent.bytes.iter().sum(),
        peak_rss_mib: Map::from_iter([("process".to_owned(), json!(hefu_node::peak_rss_mib()))]),
        backend: CIPHER,
    };
    print(screen, "CPU s", spent.cpu_seconds, expansion, cost, extra);
    Ok(())
}

/// What one sum cost.
struct Spent {
    job: String,
    seconds: f64,
    /// Of all nodes that are still there.
    cpu_seconds: f64,
    bytes: Vec<(String, u64)>,
    peak_rss_mib: Map<String, Value>,
}

impl Spent {
    fn bytes_in_all(&self) -> u64 {
        self.bytes.iter().map(|(_, bytes)| bytes).sum()
    }
}

async fn sum(
    parties: &[Party],
    args: &AggregateArgs,
    aggregation: Aggregation,
    progress: &mut Progress,
) -> Result<Spent> {
    let stays = usize::from(args.parties - if aggregation == Aggregation::Masked { args.drop } else { 0 });
    let before = gather::statuses(parties).await?;
    let first = parties.first().ok_or_else(|| Failure::because(Code::Internal, "No participants."))?;
    let others = parties.iter().skip(1).map(|p| Collaborator::from(p.input.alias.as_str())).collect();
    let mut plan = PoolPlan::new(PoolMethod::Vector, first.input.alias.as_str(), others);
    (plan.values, plan.clip, plan.aggregation) = (args.values, CLIP, aggregation);
    plan.roster_change = true;
    let job = first.node.submit_pool(&plan).await.map_err(|e| parties::localise(e.into(), parties))?;
    let ended = job.finish(|status| progress.job(status)).await;
    progress.finish();
    ended.map_err(|e| parties::localise(e.into(), parties))?;
    let result: Value = job.result().await?;
    let mut spent = Spent {
        job: job.id().to_owned(),
        seconds: result["seconds"]["total"].as_f64().unwrap_or_default(),
        cpu_seconds: 0.0,
        bytes: Vec::new(),
        peak_rss_mib: Map::new(),
    };
    for (party, before) in parties.iter().zip(before).take(stays) {
        let after = party.node.status().await?;
        spent.cpu_seconds += after.cpu_seconds - before.cpu_seconds;
        spent.peak_rss_mib.insert(party.input.alias.clone(), json!(after.peak_rss_mib));
        let sent = party.node.job(job.id()).status().await?.bytes_sent;
        spent.bytes.push((party.input.alias.clone(), sent));
    }
    Ok(spent)
}

/// The value at a place of a participant's vector: a multiple of 2^-10, so that sums are exact.
fn value(rank: usize, index: u32) -> f64 {
    let mixed = (index ^ 0x9e37).wrapping_mul(2_654_435_761).wrapping_add(u32::try_from(rank).unwrap_or(0) * 977);
    f64::from(mixed % 200_000) / 1024.0 - 97.0
}

fn write_vector(folder: &Path, alias: &str, rank: usize, values: u32) -> Result<()> {
    let folder = folder.join(alias).join("state/vectors");
    let file = folder.join(format!("{alias}.f64"));
    let bytes: Vec<u8> = (0..values).flat_map(|index| value(rank, index).to_le_bytes()).collect();
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&file, bytes))
        .map_err(|e| failure::file(Code::Disk, &file, &e))
}

/// The sum that the coordinator wrote is the survivors'.
fn check(folder: &Path, spent: &Spent, args: &AggregateArgs) -> Result<()> {
    let file = folder.join("p0/state/vectors").join(format!("{}.f64", spent.job));
    let bytes = std::fs::read(&file).map_err(|e| failure::file(Code::Disk, &file, &e))?;
    let ranks = usize::from(args.parties - args.drop);
    let expected = |index| (0..ranks).map(|rank| value(rank, index)).sum::<f64>();
    let sums = bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b));
    let is_exact =
        bytes.len() == 8 * args.values as usize && (0..).zip(sums).all(|(index, sum)| sum == expected(index));
    if is_exact {
        return Ok(());
    }
    Err(Failure::because(Code::Internal, "The sum is not that of the survivors."))
}

/// CPU seconds and bytes of the key stream that one round needs: each participant expands its self-mask and a mask with
/// every other; the coordinator expands the survivors' self-masks, and the masks that those who left had with them.
fn expansion(args: &AggregateArgs) -> (f64, u64) {
    let (all, left) = (u64::from(args.parties), u64::from(args.drop));
    let stays = all - left;
    let streams = stays * all + stays + left * stays;
    let mut block = vec![0u64; 1 << 13];
    let blocks = (u64::from(args.values)).div_ceil(block.len() as u64);
    let start = cpu_time(libc::CLOCK_THREAD_CPUTIME_ID);
    for stream in 0..streams {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&stream.to_le_bytes());
        let mut stream = Stream::new(key);
        for _ in 0..blocks {
            stream.fill_u64(&mut block);
            std::hint::black_box(&block);
        }
    }
    (cpu_time(libc::CLOCK_THREAD_CPUTIME_ID) - start, streams * u64::from(args.values) * 8)
}
