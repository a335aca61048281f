//! `hefu demo pooled`: real processes over mutual TLS; on real credit data beside stored figures of a centralised fit.
//!
//! The figures are `sdk/model/tests/reference/default_credit_pooled.json`; `make_pooled.py` beside it makes them with
//! numpy. The data are in the folder `HEFU_DATA` names, or in `../shared/data`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]
mod world;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use world::{Ended, hefu};

const BANKS: [&str; 3] = ["guest", "host_1", "host_2"];

fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("HEFU_DATA").map_or_else(beside, PathBuf::from);
    let there = folder.join("default_credit_homo_guest.csv").exists();
    if !there {
        eprintln!("SKIPPED: default_credit is not here (set HEFU_DATA)");
    }
    there.then_some(folder)
}

fn run(folder: &Path, args: &[String]) -> Ended {
    let mut all: Vec<String> = ["demo", "pooled", "--json"].map(str::to_owned).into();
    all.extend_from_slice(args);
    hefu(folder, &all)
}

fn with_files(folder: &Path, banks: &[(&str, PathBuf)], more: &[String]) -> Ended {
    let mut args: Vec<String> = ["--key", "id", "--label", "y"].map(str::to_owned).into();
    for (name, file) in banks {
        args.extend(["--bank".to_owned(), format!("{name}={}", file.display())]);
    }
    args.extend_from_slice(more);
    run(folder, &args)
}

fn check(result: &Value, reference: &Value) {
    let near = |found: &Value, expected: &Value, tolerance: f64, what: &str| {
        let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
        assert!((found - expected).abs() < tolerance, "{what}: {found} against {expected}");
    };
    let coefficients = reference["coefficients"].as_object().unwrap();
    assert_eq!(result["coefficients"].as_object().unwrap().len(), coefficients.len());
    for (name, expected) in coefficients {
        near(&result["coefficients"][name], expected, 1e-6, name);
    }
    near(&result["intercept"], &reference["intercept"], 1e-6, "intercept");
    near(&result["auc_pooled"], &reference["auc_pooled"], 1e-7, "AUC, pooled");
    for bank in BANKS {
        near(&result["auc_alone"][bank], &reference["auc_alone"][bank], 1e-7, bank);
    }
    let rounds = result["rounds"].as_u64().unwrap();
    assert!((3..=10).contains(&rounds), "{rounds} rounds");
    assert_eq!(result["survivors"].as_array().unwrap().len() as u64, rounds);
    assert!(result["survivors"].as_array().unwrap().iter().all(|round| *round == json!(BANKS)));
}

// clause: AGG-21, POOL-3
#[test]
fn three_banks_have_the_fit_of_their_pooled_rows() {
    let Some(data) = data() else { return };
    let reference = include_str!("../../sdk/model/tests/reference/default_credit_pooled.json");
    let reference: Value = serde_json::from_str(reference).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let whole = |bank: &str| data.join(format!("default_credit_homo_{bank}.csv"));
    let test = ["--test".to_owned(), data.join("default_credit_homo_test.csv").display().to_string()];
    let result = with_files(folder.path(), &BANKS.map(|b| (b, whole(b))), &test).json();
    check(&result, &reference[0]);
    assert_eq!(result["rows"], json!({"guest": 8000, "host_1": 8000, "host_2": 8000}));

    // Every bank cut to its first 400 rows: here pooling pays.
    let short = BANKS.map(|bank| {
        let file = folder.path().join(format!("{bank}.csv"));
        let text = std::fs::read_to_string(whole(bank)).unwrap();
        std::fs::write(&file, text.lines().take(401).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        (bank, file)
    });
    let result = with_files(folder.path(), &short, &test).json();
    check(&result, &reference[1]);
    let best = BANKS.map(|b| result["auc_alone"][b].as_f64().unwrap()).into_iter().fold(0.0, f64::max);
    assert!(result["auc_pooled"].as_f64().unwrap() > best);
}

#[test]
fn four_invented_banks_have_every_field_and_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let result = run(folder.path(), &["--drop".to_owned(), "west@3".to_owned()]).json();
    let banks = ["north", "east", "south", "west"];
    for field in ["auc_pooled", "ks_pooled"] {
        let value = result[field].as_f64().unwrap();
        let [low, high] = [0, 1].map(|end| result[format!("{field}_ci")][end].as_f64().unwrap());
        assert!(low <= value && value <= high, "{field} {value} [{low}, {high}]");
    }
    for bank in banks {
        assert!(result["rows"][bank].as_u64().unwrap() > 500);
        let (low, value) = (&result["auc_alone_ci"][bank][0], &result["auc_alone"][bank]);
        assert!(low.as_f64().unwrap() < value.as_f64().unwrap());
        assert!(result["ks_alone"][bank].is_f64());
    }
    for field in ["cpu_seconds", "bytes", "peak_rss_mib"] {
        assert!(result[field]["north"].as_f64().unwrap() > 0.0, "{field}");
    }
    let survivors = result["survivors"].as_array().unwrap();
    assert_eq!((survivors[2].as_array().unwrap().len(), survivors[3].as_array().unwrap().len()), (4, 3));
    assert_eq!(result["lost"][3][0]["party"], "west");
    assert!(result["seconds"]["total"].as_f64().unwrap() > 0.0);
    let page = std::fs::read_to_string(result["report"].as_str().unwrap()).unwrap();
    assert!(page.contains("west@3") && !page.contains("NaN"));
}

// clause: AGG-1, POOL-1
#[test]
fn wrong_input_has_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |head: &str, rows: u32| -> String {
        let row = |i: u32| format!("e{i},{},{}.5,{}\n", i * 7 % 13, i * 5 % 11, u32::from(i * 3 % 7 < 3));
        std::iter::once(format!("{head}\n")).chain((0..rows).map(row)).collect()
    };
    let write = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let [a, b, c] = ["a", "b", "c"].map(|name| write(&format!("{name}.csv"), rows("id,p,q,y", 60)));
    let other = write("other.csv", rows("id,p,z,y", 60));
    let failure = |ended: Ended| {
        let error = ended.json()["error"].clone();
        (ended.code, error["name"].as_str().unwrap().to_owned())
    };
    let two = with_files(folder.path(), &[("a", a.clone()), ("b", b.clone())], &[]);
    assert_eq!(failure(two), (4, "TOO_FEW_PARTICIPANTS".to_owned()));
    let banks = [("a", a.clone()), ("b", b.clone()), ("c", other)];
    assert_eq!(failure(with_files(folder.path(), &banks, &[])), (5, "MISSING_COLUMN".to_owned()));
    let banks = [("a", a.clone()), ("a", b.clone()), ("c", c.clone())];
    assert_eq!(failure(with_files(folder.path(), &banks, &[])).0, 2);
    let banks = [("a", a), ("b", b), ("c", c)];
    let drop = ["--drop".to_owned(), "c@1".to_owned()];
    assert_eq!(failure(with_files(folder.path(), &banks, &drop)).0, 2);
}
