//! The judge: a pure function of a case, its control's verdict and a transcript. Anybody can judge again.

mod canary;
mod initiator;
mod negative;
mod oracle;
mod secagg;
mod vlr;
mod vlr_secret;

use serde::{Deserialize, Serialize};

use crate::case::{Case, Kind, Role};
use crate::transcript::{Event, Run, Transcript};

/// Registry code of PEER_SLOW.
const PEER_SLOW: u32 = 1002;

/// What is said of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The requirement was met.
    #[serde(rename = "PASS")]
    Pass,
    /// It was not.
    #[serde(rename = "FAIL")]
    Fail,
    /// A SHOULD was not met.
    #[serde(rename = "WARN")]
    Warn,
    /// The target does not claim the profile or role.
    #[serde(rename = "N/A")]
    NotApplicable,
    /// The evidence says nothing: the control did not pass, or the suite's own machine was too slow.
    #[serde(rename = "INCONCLUSIVE")]
    Inconclusive,
    /// The suite failed.
    #[serde(rename = "ERROR")]
    Error,
    /// The case was not run.
    #[serde(rename = "NOT_RUN")]
    NotRun,
}

impl Verdict {
    /// As printed.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Warn => "WARN",
            Verdict::NotApplicable => "N/A",
            Verdict::Inconclusive => "INCONCLUSIVE",
            Verdict::Error => "ERROR",
            Verdict::NotRun => "NOT_RUN",
        }
    }

    /// Whether a conformant target may have it.
    pub fn conforms(self) -> bool {
        matches!(self, Verdict::Pass | Verdict::Warn | Verdict::NotApplicable)
    }
}

/// A verdict and its grounds, each one line.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What the suite sent that its control does not.
    pub sent: String,
    /// What had to happen.
    pub expected: String,
    /// What happened.
    pub got: String,
}

impl Finding {
    fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        Finding { verdict, reason: reason.into(), sent: String::new(), expected: String::new(), got: String::new() }
    }

    /// A case that was not driven, and why.
    pub fn undriven(verdict: Verdict, reason: impl Into<String>) -> Self {
        Finding::new(verdict, reason)
    }
}

/// Judges a case. `control` is the verdict of the case's control, `None` where it has none.
pub fn judge(case: &Case, control: Option<Verdict>, transcript: &Transcript) -> Finding {
    if transcript.case != case.id {
        return Finding::new(Verdict::Error, format!("the transcript is of {}, not of {}", transcript.case, case.id));
    }
    for run in &transcript.runs {
        if let Some(text) = suite_fault(run) {
            return Finding::new(Verdict::Error, format!("{}: {text}", run.label));
        }
    }
    let mut finding = match case.kind {
        Kind::Positive => positive(case, transcript),
        Kind::Negative => negative::judge(case, control, transcript),
    };
    // A leak outweighs everything else.
    if let Some(leak) = canary::scan(transcript) {
        finding.verdict = Verdict::Fail;
        finding.reason = format!("ALIGN-10: {leak}");
        finding.got = leak;
    }
    if finding.verdict == Verdict::Fail && silent(transcript) && transcript.lag_ms * 4 > transcript.deadline_ms {
        finding.verdict = Verdict::Inconclusive;
        finding.reason = format!("this machine was late by {} ms; {}", transcript.lag_ms, finding.reason);
    }
    let idle = transcript.idle_ms;
    if finding.verdict == Verdict::Fail && transcript.runs.iter().any(|run| suite_was_slow(run, idle)) {
        finding.verdict = Verdict::Inconclusive;
        finding.reason =
            format!("this machine was slower than the target's idle time of {idle} ms; {}", finding.reason);
    }
    if finding.verdict == Verdict::Fail && case.should {
        finding.verdict = Verdict::Warn;
    }
    finding
}

/// The training that the main dialogue of a scoring rests on.
fn run_before<'a>(case: &Case, transcript: &'a Transcript, label: &str) -> Option<&'a Run> {
    let scores = case.scenario == crate::case::Scenario::Score && label == "main";
    if scores { run(transcript, "train") } else { None }
}

/// The dialogue of a label.
fn run<'a>(transcript: &'a Transcript, label: &str) -> Option<&'a Run> {
    transcript.runs.iter().find(|run| run.label == label)
}

fn positive(case: &Case, transcript: &Transcript) -> Finding {
    let expected = match case.scenario {
        crate::case::Scenario::Discover => "a connection and answers of discovery",
        crate::case::Scenario::Confirm => "a confirmed session",
        crate::case::Scenario::Align => "a whole alignment, exact, and Close accepted",
        crate::case::Scenario::Train => "a whole training, every number within its bound, and Close accepted",
        crate::case::Scenario::Pool => "a round of aggregation, every value exact, and Close accepted",
        crate::case::Scenario::Score => "a training, then every score part within its bound, and Close accepted",
    };
    let mut faults = Vec::new();
    for label in ["train", "main", "again"] {
        match run(transcript, label) {
            Some(run) if case.role == Role::Collaborator => {
                faults.extend(oracle::dialogue(case, &transcript.target, run));
                faults.extend(secagg::round(&transcript.target, run));
                match run_before(case, transcript, label) {
                    None => faults.extend(vlr::training(run)),
                    Some(before) => faults.extend(vlr::scoring(run, before)),
                }
            }
            Some(run) if label == "main" => faults.extend(initiator::dialogue(case, &transcript.target, run)),
            Some(_) => {}
            None if label == "main" => faults.push("no dialogue took place".to_owned()),
            None => {}
        }
    }
    match (run(transcript, "main"), run(transcript, "again")) {
        (Some(main), Some(again)) if case.role == Role::Collaborator => {
            faults.extend(oracle::fresh(main, again));
            faults.extend(vlr_secret::fresh(main, again));
            faults.extend(secagg::fresh(main, again));
        }
        (Some(main), Some(again)) => faults.extend(initiator::probed(main, again)),
        (_, None) if case.setting.probe => faults.push("the second dialogue did not take place".to_owned()),
        _ => {}
    }
    let mut finding = match faults.first() {
        None => Finding::new(Verdict::Pass, ""),
        Some(first) => Finding::new(Verdict::Fail, first.clone()),
    };
    finding.sent = run(transcript, "main")
        .and_then(|run| run.deviation().map(|(_, what)| what.to_owned()))
        .unwrap_or_else(|| "nothing unusual".into());
    finding.expected = expected.into();
    finding.got = if faults.is_empty() { "that".into() } else { faults.join("; ") };
    finding
}

fn suite_fault(run: &Run) -> Option<String> {
    run.events.iter().find_map(|record| match &record.event {
        Event::SuiteFault { text } => Some(text.clone()),
        _ => None,
    })
}

/// Whether the target ended a dialogue with PEER_SLOW when the suite had indeed sent nothing for the idle time.
fn suite_was_slow(run: &Run, idle_ms: u64) -> bool {
    let peer_slow = |e: &Event| {
        let (Event::Refused { code, .. } | Event::JobEnded { code, .. }) = e else { return false };
        *code == Some(PEER_SLOW)
    };
    let Some(refused) = run.events.iter().find(|record| peer_slow(&record.event)) else { return false };
    let sent = run.events.iter().filter(|r| matches!(r.event, Event::FrameSent { .. }) && r.at_us <= refused.at_us);
    let last = sent.map(|record| record.at_us).max().unwrap_or(0);
    refused.at_us - last >= idle_ms * 1000
}

fn silent(transcript: &Transcript) -> bool {
    transcript.runs.iter().flat_map(|run| &run.events).any(|record| matches!(record.event, Event::Silence { .. }))
}

/// One line on how a dialogue ended.
fn ending(run: &Run) -> String {
    let job = run.events.iter().rfind(|record| matches!(record.event, Event::JobEnded { .. }));
    let Some(last) = job.or(run.events.last()) else { return "nothing happened".into() };
    let what = match &last.event {
        Event::Completed => "the dialogue went on to its end".into(),
        Event::Refused { by, code, text, .. } => {
            let code = code.map_or_else(|| "no code".to_owned(), |c| format!("{c} {}", crate::registry::name(c)));
            let text: String = text.chars().take(100).collect();
            format!("{by} refused with {code} ({text})")
        }
        Event::Cut { alert: Some(alert), .. } => format!("TLS alert {alert}"),
        Event::Cut { text, .. } => format!("the connection ended: {text}"),
        Event::Silence { waiting_for, waited_ms } => format!("no {waiting_for} within {waited_ms} ms"),
        Event::JobEnded { state, code, text } => {
            let code = code.map_or_else(|| "no code".to_owned(), |c| format!("{c} {}", crate::registry::name(c)));
            let text: String = text.chars().take(160).collect();
            format!("the job ended: {state}, {code} ({text})")
        }
        Event::StreamEnded => "the target ended the stream without an error".into(),
        Event::Answered { call, .. } => format!("{call} was answered"),
        Event::FrameReceived { chunk: None, .. } => "a frame whose seal does not hold".into(),
        Event::FrameReceived { .. } => "a message that does not belong here, or is malformed".into(),
        other => format!("{other:?}"),
    };
    format!("{what}, {} ms after the start", last.at_us / 1000)
}
