//! Null targets: none passes a profile, and refusing everything earns no negative PASS.

use hefu_conformance::case::Kind;
use hefu_conformance::judge::Verdict;
use hefu_conformance::run::Results;

use crate::harness::{options, run_within};
use crate::reference::InProcess;

async fn null(kind: &str) -> Option<Results> {
    // A target that does not even answer discovery is unreachable: exit code 3, and no results at all.
    run_within(InProcess::new(kind), &options(kind), 1_000).await.ok()
}

fn passes_nothing(results: &Results) {
    assert!(!results.conformant);
    assert!(results.cells.iter().all(|cell| cell.verdict != Verdict::Pass), "{:?}", results.cells);
    let negatives = results.cases.iter().filter(|c| c.kind == Kind::Negative);
    let passed: Vec<_> = negatives.filter(|c| c.finding.verdict == Verdict::Pass).map(|c| &c.id).collect();
    assert!(passed.is_empty(), "{passed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accept_all_passes_no_profile() {
    passes_nothing(&null("null-accept-all").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn reject_all_earns_no_negative_pass() {
    passes_nothing(&null("null-reject-all").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn hang_after_discovery_passes_no_profile() {
    passes_nothing(&null("null-hang").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn echo_passes_no_profile() {
    passes_nothing(&null("null-echo").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn close_is_unreachable() {
    assert!(null("null-close").await.is_none());
}
