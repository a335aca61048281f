//! The production node, driven by its command line from outside. Needs `hefu` (and `hefu-faulty`) built in the same
//! profile: `cargo build -p hefu-server`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

use hefu_conformance::case::Corpus;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Catalogue {
    fault: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    id: String,
    clause: String,
    /// Whether `hefu-faulty` has it.
    #[serde(default)]
    node: bool,
    /// The cases that kill it; where none is named, any of its clause may.
    #[serde(default)]
    killers: Vec<String>,
}

fn beside(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_hefu-conformance")).with_file_name(name);
    assert!(path.exists(), "{} is missing: build it first", path.display());
    path
}

fn run(target: &str, fault: &str, more: &[&str]) -> Value {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets").join(target);
    let output = Command::new(env!("CARGO_BIN_EXE_hefu-conformance"))
        .args(["run", "--json", "--target", &target.display().to_string()])
        .args(more)
        .env("HEFU_FAULT", fault)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{:?}: {said}", output.status))
}

fn verdicts(results: &Value, wanted: fn(&str) -> bool) -> Vec<String> {
    let cases = results["cases"].as_array().unwrap();
    let of = cases.iter().filter(|case| wanted(case["verdict"].as_str().unwrap()));
    of.map(|case| format!("{} {}: {}", case["id"], case["verdict"], case["reason"])).collect()
}

#[test]
fn the_production_node_passes_every_case() {
    beside("hefu");
    let results = run("hefu.toml", "", &[]);
    let bad = verdicts(&results, |verdict| verdict != "PASS");
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(results["conformant"], true);
}

#[test]
#[ignore = "needs the faulty node built beside the suite"]
fn every_fault_of_the_faulty_node_is_killed_by_a_case_of_its_clause() {
    beside("hefu-faulty");
    let catalogue: Catalogue = toml::from_str(include_str!("../src/faults/catalogue.toml")).unwrap();
    let corpus = Corpus::embedded().unwrap();
    let faults: Vec<Fault> = catalogue.fault.into_iter().filter(|fault| fault.node).collect();
    assert!(faults.len() >= 26, "the catalogue marks {} faults of the node", faults.len());
    for Fault { id, clause, killers, .. } in faults {
        let cases = corpus.cases.iter().filter(|case| case.clause == clause);
        let cases = cases.filter(|case| killers.is_empty() || killers.contains(&case.id));
        let arguments: Vec<&str> = cases.flat_map(|case| ["--case", case.id.as_str()]).collect();
        let results = run("hefu-faulty.toml", &id, &arguments);
        let cases = results["cases"].as_array().unwrap();
        let killed = cases.iter().any(|case| case["clause"] == clause.as_str() && case["verdict"] == "FAIL");
        assert!(killed, "{id} survives the cases of {clause}: {:#?}", verdicts(&results, |_| true));
    }
}
