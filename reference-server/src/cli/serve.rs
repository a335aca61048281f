//! `hefu serve`: one node until it is stopped.
use super::{ConfigArg, Screen};
use crate::failure::Result;
use clap::Args;
use hefu_node::{Node, NodeConfig};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

/// Which node to run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hefu serve --config bank.toml

The addresses, once bound, are in address.json of the state folder. SIGTERM and Ctrl-C stop the node: running jobs end
with NODE_STOPPED on all sides.")]
pub struct ServeArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Stop when standard input ends: for a parent process that must not leave nodes behind.
    #[arg(long, hide = true)]
    until_input_ends: bool,
    /// Leave, as a crash would, in this round of a pooled job: for demonstrations of a drop-out.
    #[arg(long, hide = true)]
    leave_at_round: Option<u32>,
}

pub async fn run(args: ServeArgs, screen: Screen) -> Result<()> {
    let config = NodeConfig::load(&args.config.config).map_err(fault)?;
    let alias = config.party.alias.clone();
    if let Some(round) = args.leave_at_round {
        hefu_node::leave_at_round(round, || std::process::exit(0));
    }
    let node = Node::start(config).await.map_err(fault)?;
    let object = json!({
        "party": node.party().as_str(),
        "alias": alias,
        "interconnect": node.interconnect().to_string(),
        "control": node.control().to_string(),
    });
    screen.answer(&object, || {
        let (party, interconnect, control) = (node.party(), node.interconnect(), node.control());
        match screen.language {
            crate::language::Language::English => {
                format!("{alias} ({party}) serves parties on {interconnect} and its own people on {control}")
            }
            crate::language::Language::Chinese => {
                format!("{alias}（{party}）已启动：互联端口 {interconnect}，控制端口 {control}")
            }
        }
    });
    stopped(args.until_input_ends).await?;
    node.shutdown().await;
    Ok(())
}

/// Waits for a signal, or for the end of standard input where that was asked for.
async fn stopped(until_input_ends: bool) -> Result<()> {
    let internal = |e: std::io::Error| hefu::Failure::because(hefu::Code::Internal, format!("No signals: {e}."));
    let mut terminate = signal(SignalKind::terminate()).map_err(internal)?;
    let input = async move {
        if until_input_ends {
            let mut waste = [0; 64];
            while matches!(tokio::io::stdin().read(&mut waste).await, Ok(n) if n > 0) {}
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        () = input => {}
    }
    Ok(())
}

/// What the node's library tells, as every command tells it.
pub fn fault(error: hefu_node::Error) -> hefu::Failure {
    error.fault().into()
}
