//! A person as adapter: every verb is printed as a step, the answer is a line. The statement says so.

use std::path::PathBuf;

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use super::{Control, Reply, Request};
use crate::error::{Error, Result};

/// A person at the terminal. Files to be used are written into a folder of the temporary directory.
pub struct ManualControl {
    folder: PathBuf,
    input: Lines<BufReader<Stdin>>,
}

impl ManualControl {
    /// Makes the folder.
    ///
    /// # Errors
    /// `Suite` where it cannot be made.
    pub fn new() -> Result<ManualControl> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|e| Error::Suite(e.to_string()))?;
        let folder = std::env::temp_dir().join(format!("hefu-conformance-{}", hex::encode(random)));
        std::fs::create_dir(&folder)?;
        Ok(ManualControl { folder, input: BufReader::new(tokio::io::stdin()).lines() })
    }

    fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.folder.join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    }

    /// What a person is to do, and with what to answer.
    fn step(&self, request: &Request) -> Result<(String, &'static str)> {
        const DONE: &str = "ok when it is done";
        Ok(match request {
            Request::Hello => ("a run begins".into(), "the product's name and version"),
            Request::Reset => ("give the target a new, empty state; do not let it listen yet".into(), DONE),
            Request::LoadDataset { name, csv, key, label } => {
                let file = self.write(&format!("{name}.csv"), csv)?;
                let label = label.as_ref().map_or_else(String::new, |label| format!(", label column {label}"));
                (format!("publish {file} as `{name}`, key column {key}{label}"), DONE)
            }
            Request::InstallAgreement { descriptor, alias, permits } => {
                let file = self.write(&format!("{alias}.party.json"), descriptor)?;
                let permits: Vec<String> = permits
                    .iter()
                    .map(|p| {
                        let least = p.min_rows.map_or_else(String::new, |n| format!(", at least {n} matched rows"));
                        format!("\n    dataset {}, purpose {}, outputs {:?}{least}", p.dataset, p.purpose, p.outputs)
                    })
                    .collect();
                (format!("trust the party of {file} as `{alias}` and permit it:{}", permits.concat()), DONE)
            }
            Request::Restart => (
                "let the target listen; if it does, end it and start it again with the same state".into(),
                "ip:port and the path of the target's signed descriptor",
            ),
            Request::StartJob(order) => {
                (format!("start this job: {}", serde_json::to_string(order).unwrap_or_default()), "the job's id")
            }
            Request::JobStatus { job } => {
                (format!("look at job {job}"), "running, succeeded, or failed and the code of the registry")
            }
            Request::Result { job } => (format!("ask the target for the result of job {job}"), DONE),
            Request::Stop => ("let the target stop listening and keep its state".into(), DONE),
            Request::Unknown { .. } => (String::new(), ""),
        })
    }
}

/// The reply that a person's line stands for: `no REASON`, one JSON object, or the words that the step asks for.
fn reply(request: &Request, line: &str) -> std::result::Result<Reply, String> {
    let line = line.trim();
    if line.starts_with('{') {
        return serde_json::from_str(line).map_err(|e| e.to_string());
    }
    if let Some(reason) = line.strip_prefix("no ") {
        return Ok(Reply::refused(reason));
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    Ok(match (request, words.as_slice()) {
        (_, []) => return Err("an empty line".into()),
        (Request::Hello, _) => Reply { adapter: Some(format!("manual: {line}")), ..Reply::done() },
        (Request::Restart, [address, path]) => {
            let descriptor = std::fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
            Reply { address: Some((*address).to_owned()), descriptor: Some(descriptor), ..Reply::done() }
        }
        (Request::StartJob(_), [job]) => Reply { job: Some((*job).to_owned()), ..Reply::done() },
        (Request::JobStatus { .. }, [state @ ("running" | "succeeded" | "failed"), code @ ..]) => {
            let code = code.first().map(|code| code.parse().map_err(|_| format!("{code} is not a code")));
            Reply { state: Some((*state).to_owned()), code: code.transpose()?, ..Reply::done() }
        }
        (Request::Restart | Request::StartJob(_) | Request::JobStatus { .. }, _) => {
            return Err(format!("`{line}` is not what the step asks for"));
        }
        (_, ["ok"]) => Reply::done(),
        _ => return Err("`ok`, or `no` and a reason".into()),
    })
}

impl Control for ManualControl {
    async fn call(&mut self, request: Request) -> Result<Reply> {
        if matches!(request, Request::Unknown { .. }) {
            return Ok(Reply::refused("unsupported"));
        }
        let (step, answer) = self.step(&request)?;
        eprintln!("STEP      {step}\nanswer    {answer}, or `no` and a reason");
        loop {
            let line = self.input.next_line().await?;
            let line = line.ok_or_else(|| Error::Control("standard input has ended".into()))?;
            match reply(&request, &line) {
                Ok(reply) => return Ok(reply),
                Err(reason) => eprintln!("again     {reason}"),
            }
        }
    }
}

impl Drop for ManualControl {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_of_words_is_the_reply_that_the_step_asks_for() {
        let status = Request::JobStatus { job: "1".into() };
        assert_eq!(reply(&status, "failed 5003").unwrap().code, Some(5003));
        assert_eq!(reply(&status, "running").unwrap().state.unwrap(), "running");
        assert!(reply(&status, "ok").is_err());
        assert!(reply(&Request::Reset, "ok").unwrap().ok);
        assert!(reply(&Request::Reset, "").is_err());
        assert_eq!(reply(&Request::Stop, "no it hangs").unwrap().error.unwrap(), "it hangs");
        assert!(reply(&Request::Restart, "127.0.0.1:7 /nowhere/party.json").is_err());
        assert!(reply(&Request::Stop, r#"{"ok":true}"#).unwrap().ok);
        assert_eq!(reply(&Request::Hello, "Node 4").unwrap().adapter.unwrap(), "manual: Node 4");
    }
}
