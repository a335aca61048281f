//! Faults: every switch of the catalogue is killed by a case of its clause; without a switch everything passes.

use hefu_conformance::case::{Case, Corpus, Profile, Role};
use hefu_conformance::judge::Verdict;
use hefu_conformance::run::Options;
use serde::Deserialize;

use crate::harness::{options, run, with};
use crate::reference::InProcess;

#[derive(Deserialize)]
struct Catalogue {
    fault: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    id: String,
    clause: String,
    /// Roles in which the reference target has it.
    #[serde(default = "collaborator")]
    roles: Vec<String>,
    /// The cases that kill it, one a role; where none is named, any of its clause may.
    #[serde(default)]
    killers: Vec<String>,
}

fn collaborator() -> Vec<String> {
    vec!["collaborator".into()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_faults_passes_every_case() {
    for (seed, quick) in [("1", false), ("zwei", true)] {
        let options = Options { quick, ..options(seed) };
        let results = run(InProcess::new(""), &options).await.unwrap();
        for verdict in [Verdict::Fail, Verdict::Warn, Verdict::Inconclusive, Verdict::Error, Verdict::NotRun] {
            assert!(with(&results, verdict).is_empty(), "seed {seed} {verdict:?}: {:#?}", with(&results, verdict));
        }
        assert!(results.conformant);
        assert!(results.cells.iter().all(|cell| matches!(cell.verdict, Verdict::Pass | Verdict::NotApplicable)));
    }
}

/// What the reference target can do of a training: the part of rank 1.
fn playable(case: &Case) -> bool {
    case.profile != Profile::Score && case.setting.train.rank == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_target_without_faults_passes_every_case() {
    let corpus = Corpus::embedded().unwrap();
    let of = |c: &&Case| c.profile == Profile::Vlr && c.role == Role::Collaborator && playable(c);
    let cases = corpus.cases.iter().filter(of).map(|c| c.id.clone()).collect();
    let results = run(InProcess::new(""), &Options { cases, ..options("train") }).await.unwrap();
    let failed: Vec<_> = results.cases.iter().filter(|c| c.finding.verdict != Verdict::Pass).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// What survives of one fault, told in a line.
async fn survives(fault: &Fault, role: Role) -> Option<String> {
    let corpus = Corpus::embedded().unwrap();
    let of = |c: &&Case| c.clause == fault.clause && c.role == role && playable(c);
    // A training takes longer: it is the killer only where no other case is.
    let short = corpus.cases.iter().filter(of).any(|c| c.profile != Profile::Vlr);
    let named = |c: &&Case| fault.killers.contains(&c.id);
    for id in &fault.killers {
        let killer = corpus.case(id).unwrap_or_else(|| panic!("{}: no case {id}", fault.id));
        assert_eq!(killer.clause, fault.clause, "{}: {id} is of another clause", fault.id);
    }
    let any = !corpus.cases.iter().filter(of).any(|c| named(&c));
    let cases = corpus.cases.iter().filter(of).filter(|c| named(c) || any && (!short || c.profile != Profile::Vlr));
    let cases = cases.map(|c| c.id.clone()).collect();
    // Only the case of FRAME-12 has to wait.
    let options = Options { cases, quick: fault.clause != "FRAME-12", role: Some(role), ..options(&fault.id) };
    assert!(!options.cases.is_empty(), "{} has no case as {}", fault.clause, role.name());
    let results = run(InProcess::new(&fault.id), &options).await.unwrap();
    let killer = results.cases.iter().find(|c| c.clause == fault.clause && c.finding.verdict == Verdict::Fail);
    let killed = killer.inspect(|c| println!("killed: {} {} {}", fault.id, role.name(), c.id)).is_some();
    let verdicts: Vec<_> = results.cases.iter().map(|c| (c.id.as_str(), c.finding.verdict)).collect();
    (!killed).then(|| format!("{} ({}) as {}: {verdicts:?}", fault.id, fault.clause, role.name()))
}

async fn survivors(role: Role) {
    let catalogue: Catalogue = toml::from_str(include_str!("../../src/faults/catalogue.toml")).unwrap();
    let faults: Vec<Fault> =
        catalogue.fault.into_iter().filter(|f| f.roles.iter().any(|r| Role::parse(r) == Some(role))).collect();
    let count = faults.len();
    let mut waiting = faults.into_iter();
    let mut running = tokio::task::JoinSet::new();
    let mut survivors = Vec::new();
    loop {
        while running.len() < 2
            && let Some(fault) = waiting.next()
        {
            running.spawn(async move { survives(&fault, role).await });
        }
        match running.join_next().await {
            None => break,
            Some(result) => survivors.extend(result.unwrap()),
        }
    }
    assert!(survivors.is_empty(), "{} of {count} survive: {survivors:#?}", survivors.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_collaborator_is_killed_by_a_case_of_its_clause() {
    survivors(Role::Collaborator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_initiator_is_killed_by_a_case_of_its_clause() {
    survivors(Role::Initiator).await;
}
