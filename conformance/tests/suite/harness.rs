//! Runs the suite against a target in this process.

use hefu_conformance::Result;
use hefu_conformance::control::Control;
use hefu_conformance::judge::Verdict;
use hefu_conformance::run::{self, Options, Results};
use hefu_conformance::target::{Claims, Control as ControlEntry, Limits, Named, TargetFile};

use crate::reference::{IDLE, MAX_JOBS};

/// The target file of a target in this process, whose replies are waited for at least so long.
pub fn target_file(deadline_ms: u64) -> TargetFile {
    TargetFile {
        target: Named { name: "reference".into(), version: "0".into(), artefact_sha256: None },
        claims: Claims {
            protocol: "1.0".into(),
            roles: vec!["collaborator".into(), "initiator".into()],
            profiles: vec!["core".into(), "align".into()],
        },
        control: ControlEntry { kind: "command".into(), command: vec!["none".into()] },
        limits: Limits { max_jobs: MAX_JOBS as u32, idle_timeout_ms: IDLE.as_millis() as u64, deadline_ms },
    }
}

/// Options of a run with a seed.
pub fn options(seed: &str) -> Options {
    Options { seed: seed.into(), ..Options::default() }
}

/// Runs against a target.
pub async fn run<C: Control>(control: C, options: &Options) -> Result<Results> {
    run_within(control, options, 10_000).await
}

/// Runs against a target that is slow on purpose: every case costs the deadline.
pub async fn run_within<C: Control>(mut control: C, options: &Options, deadline_ms: u64) -> Result<Results> {
    let mut target = target_file(deadline_ms);
    // It trains too, and takes its time: only where single cases are asked for.
    if !options.cases.is_empty() {
        target.claims.profiles.push("vlr".into());
    }
    run::run(&mut control, &target, options, &mut |_| {}).await
}

/// Ids and reasons of the cases with a verdict.
pub fn with(results: &Results, verdict: Verdict) -> Vec<String> {
    let of = results.cases.iter().filter(|case| case.finding.verdict == verdict);
    of.map(|case| format!("{}: {} | got {}", case.id, case.finding.reason, case.finding.got)).collect()
}
