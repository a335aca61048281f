//! Null targets: none passes a profile, and refusing everything earns no negative PASS.

use hefu_conformance::case::Kind;
use hefu_conformance::judge::Verdict;
use hefu_conformance::run::Results;

use crate::harness::{options, target_file};
use crate::reference::InProcess;

async fn null(kind: &str, role: &str) -> Option<Results> {
    // A target that does not even answer discovery is unreachable: exit code 3, and no results at all.
    let mut target = target_file(300);
    target.claims.roles = vec![role.into()];
    hefu_conformance::run::run(&mut InProcess::new(kind), &target, &options(kind), &mut |_| {}).await.ok()
}

async fn passes_nothing(kind: &str, role: &str) {
    let results = null(kind, role).await.unwrap();
    assert!(!results.conformant);
    assert!(results.cells.iter().all(|cell| cell.verdict != Verdict::Pass), "{:?}", results.cells);
    let negatives = results.cases.iter().filter(|c| c.kind == Kind::Negative);
    let passed: Vec<_> = negatives.filter(|c| c.finding.verdict == Verdict::Pass).map(|c| &c.id).collect();
    assert!(passed.is_empty(), "{passed:?}");
    let of_role: Vec<_> = results.cases.iter().filter(|c| c.role.name() == role).collect();
    assert!(of_role.len() > 70 && of_role.iter().any(|c| c.finding.verdict == Verdict::Fail), "{of_role:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn accept_all_passes_no_profile() {
    passes_nothing("null-accept-all", "collaborator").await;
    passes_nothing("null-accept-all", "initiator").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reject_all_earns_no_negative_pass() {
    passes_nothing("null-reject-all", "collaborator").await;
    passes_nothing("null-reject-all", "initiator").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hang_after_discovery_passes_no_profile() {
    passes_nothing("null-hang", "collaborator").await;
    passes_nothing("null-hang", "initiator").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn echo_passes_no_profile() {
    passes_nothing("null-echo", "collaborator").await;
    passes_nothing("null-echo", "initiator").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn close_is_unreachable_and_passes_nothing_as_initiator() {
    assert!(null("null-close", "collaborator").await.is_none());
    passes_nothing("null-close", "initiator").await;
}
