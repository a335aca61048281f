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

fn suite(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_hefu-conformance")).args(arguments).output().unwrap()
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

/// In both roles; the run is signed, and the statement holds.
#[test]
fn the_production_node_passes_every_case() {
    beside("hefu");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let entry = suite(&["keygen", &path("key")]);
    std::fs::write(path("trust.toml"), &entry.stdout).unwrap();
    let results = run("hefu.toml", "", &["--out", &path("out"), "--sign", &path("key")]);
    let bad = verdicts(&results, |verdict| verdict != "PASS");
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(results["conformant"], true);
    let cells: Vec<_> = results["cells"].as_array().unwrap().iter().map(|c| (&c["profile"], &c["role"])).collect();
    assert!(cells.contains(&(&"ALIGN".into(), &"initiator".into())), "{cells:?}");
    let verified = suite(&["verify", &path("out/statement.json"), "--trust", &path("trust.toml"), "--json"]);
    let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified["holds"], true, "{verified}");
    let stated = verified["statement"]["predicate"]["cells"].as_array().unwrap();
    assert!(stated.iter().all(|cell| cell["level"] == 2), "{stated:#?}");
    for file in ["cases.ndjson", "junit.xml", "coverage.csv", "index.html"] {
        assert!(std::fs::metadata(path("out") + "/" + file).unwrap().len() > 1000, "{file}");
    }
}

/// The sample adapter of conformance/adapters drives the same node.
#[test]
fn a_sample_adapter_in_python_sets_the_same_node_up() {
    let hefu = beside("hefu");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("../target/venv/bin/python");
    if !python.exists() {
        eprintln!("SKIPPED: no {}: cargo xtask python makes it", python.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("target.toml");
    let text = std::fs::read_to_string(root.join("targets/hefu.toml")).unwrap();
    let (head, tail) = text.split_once("command = [").unwrap();
    let rest = tail.split_once(']').unwrap().1;
    let command =
        [&python, &root.join("adapters/adapter.py"), &hefu].map(|path| format!("{:?}", path.display().to_string()));
    std::fs::write(&file, format!("{head}command = [{}]{rest}", command.join(", "))).unwrap();
    let output = suite(&["run", "--json", "--profile", "smoke", "--target", &file.display().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let results: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let bad = verdicts(&results, |verdict| verdict != "PASS");
    assert!(bad.is_empty() && results["adapter"] == "sample 1", "{bad:#?}");
    assert_eq!(results["artefact_sha256"].as_str().unwrap().len(), 64);
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
