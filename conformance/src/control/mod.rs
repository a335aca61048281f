//! Control: how the suite sets a target up and has it start jobs. One JSON object a line, a request and its reply;
//! `spec/schemas/control.schema.json` is its schema.

mod manual;
mod stdio;

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::target::TargetFile;

pub use manual::ManualControl;
pub use stdio::CommandControl;

/// What the suite asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Request {
    /// Who are you? The first line of all.
    Hello,
    /// Forget everything: a new party with a new state, no agreement, nothing published. Not listening.
    Reset,
    /// Publish rows.
    LoadDataset {
        /// Name under which it is published.
        name: String,
        /// The file's text.
        csv: String,
        /// Its key column.
        key: String,
        /// Its label column, where the target initiates or takes part in rounds; its definition is the empty text.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        label: Option<String>,
    },
    /// Trust a party, and permit what the agreement with it permits.
    InstallAgreement {
        /// Its signed descriptor, the envelope's text.
        descriptor: String,
        /// Name for people.
        alias: String,
        /// Jobs that it may start here; none: it is trusted and nothing more.
        permits: Vec<Permit>,
    },
    /// Listen; if it listens already, end the process and begin again with the same state. The reply has `address`
    /// and `descriptor`.
    Restart,
    /// Start a job as initiator and reply at once, with `job`.
    StartJob(JobOrder),
    /// How a job stands. The reply has `state`, and `code` where the job failed.
    JobStatus {
        /// Id of the reply to `start_job`.
        job: String,
    },
    /// The result of a job that succeeded; of any other a refusal. The reply has `result`.
    Result {
        /// Id of the reply to `start_job`.
        job: String,
    },
    /// Stop listening, keep the state.
    Stop,
    /// A verb that no adapter knows.
    #[serde(untagged)]
    Unknown {
        /// The verb.
        verb: String,
    },
}

/// One kind of job that an agreement permits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permit {
    /// Name of the dataset.
    pub dataset: String,
    /// Purpose, from the registry.
    pub purpose: String,
    /// Outputs, from the registry.
    pub outputs: Vec<String>,
    /// Fewest matched rows, where there is a minimum.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min_rows: Option<u64>,
}

/// A job that the target is to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOrder {
    /// `align`, `train` or `score`. A target that cannot stop after alignment takes `align` as `train`.
    pub kind: String,
    /// Name of its own dataset.
    pub dataset: String,
    /// The others, in rank order.
    pub collaborators: Vec<Partner>,
    /// Purpose, from the registry.
    pub purpose: String,
    /// Outputs, from the registry.
    pub outputs: Vec<String>,
    /// `inner` or `left`.
    pub join: String,
    /// Model id of a job that scores.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
}

/// A collaborator of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Party id.
    pub party: String,
    /// Name under which it publishes.
    pub dataset: String,
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
    /// Of `restart`: `ip:port` of the interconnect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Of `restart`: the target's signed descriptor, the envelope's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<String>,
    /// Of `start_job`: the job's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Of `job_status`: `running`, `succeeded` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Of `job_status`, where the job failed: the registry's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// Of `job_status`, where the job failed: what the target tells its own people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Of `result`: any JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
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

/// Control as a target file asks for it.
pub enum Binding {
    /// An adapter program.
    Stdio(CommandControl),
    /// A person.
    Manual(ManualControl),
}

impl Binding {
    /// Starts what the target file names.
    ///
    /// # Errors
    /// `Configuration` where the adapter program cannot be started.
    pub fn start(target: &TargetFile) -> Result<Binding> {
        Ok(match target.control.kind.as_str() {
            "manual" => Binding::Manual(ManualControl::new()?),
            _ => Binding::Stdio(CommandControl::start(&target.control.command)?),
        })
    }
}

impl Control for Binding {
    async fn call(&mut self, request: Request) -> Result<Reply> {
        match self {
            Binding::Stdio(control) => control.call(request).await,
            Binding::Manual(control) => control.call(request).await,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_verb_is_read_back_from_its_line() {
        let order = JobOrder {
            kind: "align".into(),
            dataset: "loans".into(),
            collaborators: vec![Partner { party: "uscc:1".into(), dataset: "tax".into() }],
            purpose: "origination".into(),
            outputs: vec!["model".into()],
            join: "inner".into(),
            model: None,
        };
        for (request, verb) in [
            (Request::Hello, "hello"),
            (Request::Reset, "reset"),
            (Request::StartJob(order), "start_job"),
            (Request::JobStatus { job: "1".into() }, "job_status"),
            (Request::Result { job: "1".into() }, "result"),
            (Request::Restart, "restart"),
            (Request::Stop, "stop"),
            (Request::Unknown { verb: "x_1".into() }, "x_1"),
        ] {
            let line = serde_json::to_string(&request).unwrap();
            assert!(line.contains(&format!("\"verb\":\"{verb}\"")), "{line}");
            let again: Request = serde_json::from_str(&line).unwrap();
            assert_eq!(serde_json::to_string(&again).unwrap(), line);
        }
    }
}
