//! `hefu demo` on real credit data, real processes over mutual TLS, beside stored figures of a centralised fit.
//!
//! The figures are `sdk/model/tests/reference/default_credit.json`; `make.py` beside it makes them with scikit-learn
//! and scipy from the joined table. The data are in the folder `HEFU_DATA` names, or in `../shared/data`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]
mod world;
use serde_json::Value;
use std::path::{Path, PathBuf};
use world::hefu;

fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("HEFU_DATA").map_or_else(beside, PathBuf::from);
    let there = folder.join("default_credit_hetero_guest.csv").exists();
    if !there {
        eprintln!("SKIPPED: default_credit is not here (set HEFU_DATA)");
    }
    there.then_some(folder)
}

/// The stored figures of the case with so many agencies, all of whose rows are there.
fn reference(agencies: usize) -> Value {
    let text = include_str!("../../sdk/model/tests/reference/default_credit.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let is_whole = |case: &&Value| {
        let parties = case["agencies"].as_array().unwrap();
        parties.len() == agencies && parties.iter().all(|party| party["absent_modulo"] == 0)
    };
    all["cases"].as_array().unwrap().iter().find(is_whole).unwrap().clone()
}

/// Columns `range` of the host's file, rows in an order of their own.
fn cut(host: &str, range: std::ops::Range<usize>, step: usize) -> String {
    let part = |line: &str| {
        let cells: Vec<&str> = line.trim_end().split(',').collect();
        std::iter::once(cells[0]).chain(range.clone().map(|c| cells[c + 1])).collect::<Vec<_>>().join(",") + "\n"
    };
    let lines: Vec<&str> = host.lines().collect();
    let rows = lines.len() - 1;
    // `step` and the number of rows have no common divisor: every row comes once.
    std::iter::once(0).chain((0..rows).map(|i| 1 + i * step % rows)).map(|i| part(lines[i])).collect()
}

fn check(result: &Value, reference: &Value, parties: &[&str]) {
    for field in ["rows_aligned", "train_rows", "test_rows"] {
        assert_eq!(result[field], reference[field], "{field}");
    }
    assert_eq!((&result["rows_aligned"], &result["train_rows"]), (&30_000.into(), &20_926.into()));
    let near = |found: &Value, expected: &Value, tolerance: f64, what: &str| {
        let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
        assert!((found - expected).abs() < tolerance, "{what}: {found} against {expected}");
    };
    near(&result["auc_joint"], &reference["joint"]["auc"], 1e-6, "AUC, joint");
    near(&result["auc_alone"], &reference["alone"]["auc"], 1e-6, "AUC, alone");
    near(&result["intercept"], &reference["intercept"], 1e-5, "intercept");
    // By party in rank order: the bank's columns, then each agency's.
    let mut first = 0;
    for (party, expected) in parties.iter().zip(reference["coefficients"].as_array().unwrap()) {
        let expected = expected.as_array().unwrap();
        let offset = if *party == "bank" { 0 } else { first };
        for (column, expected) in expected.iter().enumerate() {
            let name = format!("{party}.x{}", column + offset);
            near(&result["coefficients"][&name], expected, 1e-5, &name);
        }
        first += if *party == "bank" { 0 } else { expected.len() };
    }
}

fn demo(folder: &Path, bank: &Path, agencies: &[String]) -> Value {
    let bank = bank.to_str().unwrap();
    let mut args = ["demo", "--bank", bank, "--key", "id", "--label", "y", "--json"].map(str::to_owned).to_vec();
    args.extend(agencies.iter().flat_map(|agency| ["--agency".to_owned(), agency.clone()]));
    let ended = hefu(folder, &args);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.json()
}

#[test]
fn one_agency_equals_the_joined_table() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let host = data.join("default_credit_hetero_host.csv");
    let agencies = [format!("agency={}", host.to_str().unwrap())];
    let result = demo(folder.path(), &data.join("default_credit_hetero_guest.csv"), &agencies);
    check(&result, &reference(1), &["bank", "agency"]);
}

#[test]
fn the_same_file_cut_into_two_agencies_and_shuffled() {
    let Some(data) = data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let host = std::fs::read_to_string(data.join("default_credit_hetero_host.csv")).unwrap();
    let mut agencies = Vec::new();
    for (name, range, step) in [("tax", 0..5, 7919), ("power", 5..10, 10_007)] {
        let path = folder.path().join(format!("{name}.csv"));
        std::fs::write(&path, cut(&host, range, step)).unwrap();
        agencies.push(format!("{name}={}", path.to_str().unwrap()));
    }
    let result = demo(folder.path(), &data.join("default_credit_hetero_guest.csv"), &agencies);
    check(&result, &reference(2), &["bank", "tax", "power"]);
}
