//! An adapter program that speaks the control protocol on its standard input and output.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{Control, Reply, Request};
use crate::error::{Error, Result};

/// Longest time for one verb: a node may have to create keys on a loaded machine.
const VERB_TIMEOUT: Duration = Duration::from_secs(60);

/// An adapter program.
pub struct CommandControl {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl CommandControl {
    /// Starts the program; it is ended when this value is dropped.
    ///
    /// # Errors
    /// `Configuration` where it cannot be started.
    pub fn start(command: &[String]) -> Result<CommandControl> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| Error::Configuration("control.command is empty".into()))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| Error::Configuration(format!("control.command {program}: {e}")))?;
        let input = child.stdin.take().ok_or_else(|| Error::Suite("no pipe to the adapter".into()))?;
        let output = child.stdout.take().ok_or_else(|| Error::Suite("no pipe from the adapter".into()))?;
        Ok(CommandControl { _child: child, input, output: BufReader::new(output).lines() })
    }
}

impl Control for CommandControl {
    async fn call(&mut self, request: Request) -> Result<Reply> {
        let mut line = serde_json::to_string(&request)?;
        line.push('\n');
        let gone = |e: std::io::Error| Error::Control(format!("the adapter is gone: {e}"));
        self.input.write_all(line.as_bytes()).await.map_err(gone)?;
        self.input.flush().await.map_err(gone)?;
        let reply = tokio::time::timeout(VERB_TIMEOUT, self.output.next_line()).await;
        let reply = reply.map_err(|_| Error::Control("the adapter did not reply within 60 s".into()))?.map_err(gone)?;
        let reply = reply.ok_or_else(|| Error::Control("the adapter ended".into()))?;
        serde_json::from_str(&reply).map_err(|e| Error::Control(format!("the adapter's reply is not its JSON: {e}")))
    }
}
