//! Control: how the suite sets a target up. One JSON object a line, a request and its reply.

use std::future::Future;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::error::{Error, Result};

/// Longest time for one verb: a node may have to create keys on a loaded machine.
const VERB_TIMEOUT: Duration = Duration::from_secs(60);

/// What the suite asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Request {
    /// Who are you? The first line of all.
    Hello,
    /// Forget everything: a new party with a new state, nothing trusted, nothing published. Not started.
    Reset,
    /// Trust a party. `descriptor` is the envelope's text.
    TrustParty {
        /// The signed descriptor.
        descriptor: String,
        /// Name for people.
        alias: String,
    },
    /// Publish rows.
    LoadDataset {
        /// Name under which it is published.
        name: String,
        /// The file's text.
        csv: String,
        /// Its key column.
        key: String,
    },
    /// Permit a job.
    InstallAllow {
        /// Party id of the initiator.
        party: String,
        /// Name of the dataset.
        dataset: String,
        /// Purpose.
        purpose: String,
        /// Outputs.
        outputs: Vec<String>,
        /// Fewest matched rows, where there is a minimum.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        min_rows: Option<u64>,
    },
    /// Listen. The reply has `address` and `descriptor`.
    Start,
    /// Stop listening, keep the state.
    Stop,
    /// A verb that no adapter knows.
    #[serde(untagged)]
    Unknown {
        /// The verb.
        verb: String,
    },
}

/// What an adapter replies.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reply {
    /// Whether the verb was carried out.
    pub ok: bool,
    /// `unsupported` for an unknown verb, else a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of `hello`: name and version of the adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Of `hello`: path of the program under test, whose digest goes into the results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artefact: Option<String>,
    /// Of `start`: `ip:port` of the interconnect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Of `start`: the target's signed descriptor, the envelope's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<String>,
}

impl Reply {
    /// A plain yes.
    pub fn done() -> Reply {
        Reply { ok: true, ..Reply::default() }
    }

    /// A no with its reason.
    pub fn refused(error: impl Into<String>) -> Reply {
        Reply { error: Some(error.into()), ..Reply::default() }
    }
}

/// Somebody who carries out requests.
pub trait Control: Send {
    /// Carries out one request; a refusal is a reply, not an error.
    ///
    /// # Errors
    /// `Control` where the adapter breaks the protocol.
    fn call(&mut self, request: Request) -> impl Future<Output = Result<Reply>> + Send;

    /// As [`Control::call`], and a refusal is an error.
    ///
    /// # Errors
    /// `Control` also where the adapter refuses.
    fn demand(&mut self, request: Request) -> impl Future<Output = Result<Reply>> + Send {
        async move {
            let verb = serde_json::to_value(&request)?["verb"].to_string();
            let reply = self.call(request).await?;
            if reply.ok {
                Ok(reply)
            } else {
                Err(Error::Control(format!("{verb}: {}", reply.error.unwrap_or_default())))
            }
        }
    }
}

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
