//! Real nodes on this machine: child processes of this program that cannot outlive it.
use crate::failure::Result;
use hefu::{Code, Failure, Node};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(5);

/// A node in a process of its own. It stops when its standard input ends, and that ends with this process, however this
/// process ends; dropping it kills it.
pub struct NodeProcess {
    child: Child,
    input: Option<ChildStdin>,
    config: PathBuf,
}

impl NodeProcess {
    /// Starts `hefu serve` and waits until both of its sides are bound.
    pub async fn start(config: &Path, log: &Path, leave_at_round: Option<u32>) -> Result<Self> {
        let program =
            std::env::current_exe().map_err(|e| internal(&format!("this program's path is not known: {e}")))?;
        let log = std::fs::File::create(log).map_err(|e| internal(&format!("no log file: {e}")))?;
        let mut child = Command::new(program)
            .args(["serve", "--json", "--until-input-ends", "--config"])
            .arg(config)
            .args(leave_at_round.map(|round| format!("--leave-at-round={round}")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| internal(&format!("a node's process does not start: {e}")))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| internal("a node's process has no output"))?;
        let node = NodeProcess { child, input, config: config.to_owned() };
        let mut lines = BufReader::new(output).lines();
        let line = match tokio::time::timeout(START, lines.next_line()).await {
            Ok(Ok(Some(line))) => line,
            _ => return Err(internal("a node's process ended, or did not start in a minute")),
        };
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        match told.get("error") {
            Some(error) => Err(read_failure(error)),
            None => Ok(node),
        }
    }

    /// Connects to its control side.
    pub async fn connect(&self) -> Result<Node> {
        Ok(Node::connect(&self.config).await?)
    }

    /// Stops it and waits for its end.
    pub async fn stop(mut self) {
        drop(self.input.take());
        if tokio::time::timeout(STOP, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// A failure that another process of this program has printed with `--json`.
fn read_failure(error: &Value) -> Failure {
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    let number = error["code"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    let mut failure = Failure::because(Code::from_number(number).unwrap_or(Code::Internal), text("cause"));
    failure.party = error["party"].as_str().map(str::to_owned);
    failure
}

fn internal(cause: &str) -> Failure {
    Failure::because(Code::Internal, cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::object;
    use crate::language::Language;

    #[test]
    fn a_childs_failure_keeps_its_code() {
        let told = object(&Failure::because(Code::PortTaken, "127.0.0.1:7717 is taken"), Language::English);
        let read = read_failure(&told["error"]);
        assert_eq!((read.code, read.cause.as_str()), (Code::PortTaken, "127.0.0.1:7717 is taken"));
    }
}
