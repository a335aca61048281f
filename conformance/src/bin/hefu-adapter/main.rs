//! Adapter between the conformance suite and the production binary `hefu`: it reads the control protocol on standard
//! input, drives `hefu` by its command line alone, and replies on standard output.

mod node;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use hefu_conformance::control::{Reply, Request};

use node::{Limits, Node};

/// Drives `hefu` for the conformance suite: JSON lines on standard input and output
#[derive(Parser)]
#[command(name = "hefu-adapter", version)]
struct Options {
    /// The binary under test; a name without `/` is looked for beside this one, then in PATH
    #[arg(long, value_name = "FILE", default_value = "hefu")]
    hefu: PathBuf,
    /// limits.idle_timeout_s of the node
    #[arg(long, default_value_t = 5)]
    idle_timeout: u32,
    /// limits.max_jobs of the node
    #[arg(long, default_value_t = 4)]
    max_jobs: u32,
    /// Keep the node's folders and logs, and say on standard error where they are
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let hefu = locate(&options.hefu);
    let limits = Limits { idle_timeout: options.idle_timeout, max_jobs: options.max_jobs };
    let mut node: Option<Node> = None;
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let reply = match serde_json::from_str(&line) {
            Ok(request) => serve(&mut node, request, &hefu, &limits, options.keep),
            Err(error) => Reply::refused(format!("not a request: {error}")),
        };
        let Ok(text) = serde_json::to_string(&reply) else { return ExitCode::FAILURE };
        let mut output = std::io::stdout().lock();
        if writeln!(output, "{text}").and_then(|()| output.flush()).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn locate(name: &Path) -> PathBuf {
    if name.components().count() > 1 {
        return std::path::absolute(name).unwrap_or_else(|_| name.to_owned());
    }
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|folder| folder.join(name)));
    beside.filter(|path| path.exists()).unwrap_or_else(|| name.to_owned())
}

fn serve(node: &mut Option<Node>, request: Request, hefu: &Path, limits: &Limits, keep: bool) -> Reply {
    let result = match (request, node.as_mut()) {
        (Request::Hello, _) => {
            return Reply {
                adapter: Some(concat!("hefu-adapter ", env!("CARGO_PKG_VERSION")).into()),
                artefact: Some(hefu.display().to_string()),
                ..Reply::done()
            };
        }
        (Request::Reset, _) => {
            // The old node ends before the new one begins.
            *node = None;
            Node::new(hefu, limits.clone(), keep).map(|fresh| {
                *node = Some(fresh);
                Reply::done()
            })
        }
        (Request::Unknown { .. }, _) => return Reply::refused("unsupported"),
        (_, None) => Err("reset comes first".to_owned()),
        (Request::LoadDataset { name, csv, key, label }, Some(node)) => node.load(&name, &csv, &key, label),
        (Request::InstallAgreement { descriptor, alias, permits }, Some(node)) => {
            node.agree(&descriptor, &alias, &permits)
        }
        (Request::Restart, Some(node)) => node.restart(),
        (Request::StartJob(order), Some(node)) => node.submit(&order),
        (Request::JobStatus { job }, Some(node)) => node.status(&job),
        (Request::Result { job }, Some(node)) => node.result(&job),
        (Request::Stop, Some(node)) => {
            node.stop();
            Ok(Reply::done())
        }
        _ => return Reply::refused("unsupported"),
    };
    result.unwrap_or_else(Reply::refused)
}
