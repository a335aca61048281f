//! `hefu bench frames`: the channel between two processes beside bare gRPC streaming over the same connection.
#[path = "../../../sdk/node/tests/world/delay.rs"]
mod delay;

use crate::cli::Screen;
use crate::failure::Result;
use crate::progress::Progress;
use clap::{Args, value_parser};
use delay::DelayProxy;
use hefu::{Code, Failure};
use hefu_crypto::sha256;
use hefu_he::Backend;
use hefu_node::throughput::{Load, Run, Sender, receive};
use hefu_node::{Node, NodeConfig};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

/// Chunks of a message: one, since the floor, too, sends one buffer of that size again and again.
const CHUNKS_IN_A_MESSAGE: u64 = 1;
/// Runs of each kind, in turns; the fastest of a kind counts, since the machine may have other work.
const RUNS: usize = 5;
/// How long the receiver may take to listen.
const START: Duration = Duration::from_secs(20);
/// The parties.
const SENDER: (&str, &str) = ("sender", "lei:BENCHSENDER");
const RECEIVER: (&str, &str) = ("receiver", "lei:BENCHRECEIVER");

#[derive(Debug, Args)]
pub struct FramesArgs {
    /// Bytes of a chunk.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20, value_parser = value_parser!(u32).range(1..=2 << 20))]
    chunk: u32,
    /// Milliseconds by which a proxy delays each direction; a round trip takes twice that.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = value_parser!(u64).range(0..=10_000))]
    delay_ms: u64,
    /// MiB of messages a run.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = value_parser!(u64).range(1..=1 << 20))]
    mib: u64,
}

/// The receiving process: not for people.
#[derive(Debug, Args)]
pub struct ReceiverArgs {
    /// Its configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Receives until standard input ends.
pub async fn run_receiver(args: &ReceiverArgs) -> Result<()> {
    let config = NodeConfig::load(&args.config).map_err(|e| Failure::from(e.fault()))?;
    let mut parent = tokio::io::stdin();
    let mut nothing = tokio::io::sink();
    tokio::select! {
        ended = receive(config) => ended.map_err(|e| Failure::from(e.fault())),
        _ = tokio::io::copy(&mut parent, &mut nothing) => Ok(()),
    }
}

pub async fn run(args: &FramesArgs, screen: Screen) -> Result<()> {
    let mut progress = Progress::new(screen.language);
    progress.step("starting the receiver", "启动接收进程");
    let folder = tempfile::Builder::new().prefix("hefu-bench-").tempdir().map_err(|e| disk(&e))?;
    let pair = Pair::start(folder.path(), args).await?;
    let message = u64::from(args.chunk) * CHUNKS_IN_A_MESSAGE;
    let load =
        Load { chunk_bytes: args.chunk, message_bytes: message, messages: (args.mib << 20).div_ceil(message).max(1) };
    let (mut sealed, mut bare) = (Vec::new(), Vec::new());
    progress.step("sending, sealed and bare in turns", "交替发送：加密帧与裸流");
    for _ in 0..RUNS {
        sealed.push(pair.sender.sealed(load).await.map_err(Failure::from)?);
        bare.push(pair.sender.bare(load).await.map_err(Failure::from)?);
    }
    progress.step("hashing for evidence", "计算存证摘要");
    let hashing = hashing(load);
    pair.stop().await;
    print(screen, args, load, &sealed, &bare, hashing);
    Ok(())
}

/// Two parties that trust each other, the receiver in a process of its own, behind the proxy where there is one.
struct Pair {
    sender: Sender,
    receiver: Child,
    _proxy: Option<DelayProxy>,
}

impl Pair {
    async fn start(folder: &Path, args: &FramesArgs) -> Result<Self> {
        let proxy = match args.delay_ms {
            0 => None,
            delay => Some(DelayProxy::start(Duration::from_millis(delay)).await.map_err(|e| disk(&e))?),
        };
        let endpoint = proxy.as_ref().map(|proxy| format!("https://{}", proxy.address()));
        let (own, _) = configure(folder, SENDER, args.chunk, None)?;
        let (other, file) = configure(folder, RECEIVER, args.chunk, endpoint)?;
        trust(&other, &own, SENDER.0)?;
        let program = std::env::current_exe().map_err(|e| disk(&e))?;
        let receiver = Command::new(program)
            .args(["bench", "frames-receiver", "--config"])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| disk(&e))?;
        let bound = bound(&other.files.state.join("bound")).await?;
        if let Some(proxy) = &proxy {
            proxy.lead_to(bound.parse().map_err(|_| unready())?);
        }
        trust(&own, &other, RECEIVER.0)?;
        let sender = Sender::dial(own, RECEIVER.0).await.map_err(|e| Failure::from(e.fault()))?;
        Ok(Pair { sender, receiver, _proxy: proxy })
    }

    async fn stop(mut self) {
        drop(self.sender);
        drop(self.receiver.stdin.take());
        let _ = self.receiver.wait().await;
    }
}

fn configure(
    folder: &Path,
    (alias, id): (&str, &str),
    chunk: u32,
    endpoint: Option<String>,
) -> Result<(NodeConfig, PathBuf)> {
    let folder = folder.join(alias);
    std::fs::create_dir_all(&folder).map_err(|e| disk(&e))?;
    let endpoint = endpoint.map(|e| format!("endpoint = \"{e}\"\n")).unwrap_or_default();
    let text = format!(
        "[party]\nid = \"{id}\"\nalias = \"{alias}\"\n\
         [listen]\ninterconnect = \"127.0.0.1:0\"\n{endpoint}[limits]\nmax_chunk_bytes = {chunk}\n"
    );
    let file = folder.join("node.toml");
    std::fs::write(&file, text).map_err(|e| disk(&e))?;
    let config = NodeConfig::load(&file).map_err(|e| Failure::from(e.fault()))?;
    Node::init(&config).map_err(|e| Failure::from(e.fault()))?;
    Ok((config, file))
}

/// Makes one party trust another's descriptor.
fn trust(truster: &NodeConfig, other: &NodeConfig, alias: &str) -> Result<()> {
    let descriptor = std::fs::read(other.files.state.join("party.json")).map_err(|e| disk(&e))?;
    Node::trust(truster, &descriptor, alias, false).map(drop).map_err(|e| Failure::from(e.fault()))
}

/// The address that the receiver writes once it listens.
async fn bound(file: &Path) -> Result<String> {
    let read = async {
        loop {
            match std::fs::read_to_string(file) {
                Ok(text) if !text.is_empty() => return text,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(START, read).await.map_err(|_| unready())
}

fn unready() -> Failure {
    Failure::because(Code::Internal, "The receiving process does not listen.")
}

fn disk(error: &std::io::Error) -> Failure {
    Failure::because(Code::Disk, format!("The run's folder: {error}."))
}

/// MB/s of SHA-256 over whole messages on one core: what evidence costs either side, off the way of the frames.
fn hashing(load: Load) -> f64 {
    let message = vec![7_u8; usize::try_from(load.message_bytes).unwrap_or(usize::MAX)];
    let (start, mut bytes) = (Instant::now(), 0);
    while bytes < 64 << 20 {
        std::hint::black_box(sha256(&[std::hint::black_box(&message)]));
        bytes += message.len();
    }
    bytes as f64 / 1e6 / start.elapsed().as_secs_f64()
}

fn fastest(runs: &[Run]) -> Option<&Run> {
    runs.iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds))
}

fn print(screen: Screen, args: &FramesArgs, load: Load, sealed: &[Run], bare: &[Run], hashing: f64) {
    let (Some(best), Some(floor)) = (fastest(sealed), fastest(bare)) else { return };
    let payload = (load.messages * load.message_bytes) as f64 / 1e6;
    let (achieved, floor_rate) = (payload / best.seconds, payload / floor.seconds);
    let cpu = |run: &Run| run.sender.cpu_seconds + run.receiver.cpu_seconds;
    let rates = |runs: &[Run]| runs.iter().map(|run| payload / run.seconds).collect::<Vec<f64>>();
    let object = json!({
        "achieved": achieved, "floor": floor_rate, "ratio": achieved / floor_rate, "unit": "MB/s", "better": "higher",
        "cpu_seconds": cpu(best), "bytes": best.bytes,
        "peak_rss_mib": {SENDER.0: best.sender.peak_rss_mib, RECEIVER.0: best.receiver.peak_rss_mib},
        "backend": Backend::detect().name(),
        "floor_cpu_seconds": cpu(floor), "evidence_hashing_mb_s": hashing,
        "chunk": args.chunk, "delay_ms": args.delay_ms, "runs": rates(sealed), "floor_runs": rates(bare),
    });
    screen.answer(&object, || {
        format!(
            "{} {achieved:.0} MB/s, {} {floor_rate:.0} MB/s, {} {:.2}\nCPU {:.3} s, {} {:.3} s; SHA-256 {hashing:.0} MB/s",
            screen.pick("achieved", "实测"),
            screen.pick("floor", "下限"),
            screen.pick("ratio", "比值"),
            achieved / floor_rate,
            cpu(best),
            screen.pick("floor", "下限"),
            cpu(floor),
        )
    });
}
