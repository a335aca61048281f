//! `hefu demo` with files: real processes, every field, numbers beside a centralised fit, wrong input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod world;
use hefu_model::{Columns, logistic};
use serde_json::Value;
use std::path::Path;
use world::{Csv, Ended, bank_and, hefu};

/// Writes the files and runs the demo on them.
fn demo(folder: &Path, bank: &Csv, agencies: &[(&str, &Csv)], more: &[&str]) -> Ended {
    bank.write(&folder.join("bank.csv"));
    let mut args: Vec<String> =
        ["demo", "--bank", "bank.csv", "--key", "id", "--label", "y", "--json"].map(str::to_owned).into();
    for (name, csv) in agencies {
        csv.write(&folder.join(format!("{name}.csv")));
        args.extend(["--agency".to_owned(), format!("{name}={name}.csv")]);
    }
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    let ended = hefu(folder, &args);
    let left: Vec<_> = std::fs::read_dir(folder.join("TMP")).unwrap().flatten().collect();
    assert!(left.is_empty(), "the run's folder is left: {left:?}");
    ended
}

/// Coefficients and intercept of the same model fitted on the joined table.
fn centralised(bank: &Csv, agencies: &[(&str, &Csv)]) -> (Vec<f64>, f64) {
    let training: Vec<usize> = (0..bank.rows.len()).filter(|i| !hefu_data::is_test_row(&bank.rows[*i][0])).collect();
    let standardised = |csv: &Csv, name: &str| {
        let all = csv.values(name);
        let values: Vec<f64> = training.iter().map(|i| all[*i]).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        values.iter().map(|v| (v - mean) / deviation).collect::<Vec<f64>>()
    };
    let mut columns: Vec<Vec<f64>> = bank.head.iter().skip(2).map(|name| standardised(bank, name)).collect();
    for (_, csv) in agencies {
        columns.extend(csv.head.iter().skip(1).map(|name| standardised(csv, name)));
    }
    let labels = bank.values("y");
    let labels: Vec<u8> = training.iter().map(|i| u8::from(labels[*i] > 0.5)).collect();
    let columns = columns.into_iter().map(|column| (String::new(), column)).collect();
    let x = Columns::from_columns(training.len(), columns).unwrap();
    let fit = logistic::fit(&x, &labels, 1.0).unwrap();
    (fit.coefficients, fit.intercept)
}

fn assert_fields(d: &Value, parties: &[&str]) {
    for field in ["rows_aligned", "train_rows", "test_rows", "rounds"] {
        assert!(d[field].as_u64().unwrap() > 0, "{field}");
    }
    for field in ["auc_alone", "auc_joint", "ks_alone", "ks_joint"] {
        let value = d[field].as_f64().unwrap();
        let [low, high] = [0, 1].map(|end| d[format!("{field}_ci")][end].as_f64().unwrap());
        assert!((0.0..=1.0).contains(&value) && low <= value && value <= high, "{field} {value} [{low}, {high}]");
    }
    for field in ["align", "train", "evaluate", "total"] {
        assert!(d["seconds"][field].as_f64().unwrap() > 0.0, "seconds.{field}");
    }
    for field in ["cpu_seconds", "bytes", "peak_rss_mib"] {
        for party in parties {
            assert!(d[field][party].as_f64().unwrap() > 0.0, "{field}.{party}");
        }
        assert_eq!(d[field].as_object().unwrap().len(), parties.len());
    }
    assert!(d["intercept"].is_f64());
    let page = std::fs::read_to_string(d["report"].as_str().unwrap()).unwrap();
    assert!(page.starts_with("<!doctype html>") && !page.contains("http://") && !page.contains("https://"));
}

#[test]
fn three_parties_equal_the_centralised_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (bank, agencies) = bank_and(2, 1000);
    let mut shuffled = agencies[1].clone();
    shuffled.rows.reverse();
    let named = [("tax", &agencies[0]), ("power", &shuffled)];
    let ended = demo(folder.path(), &bank, &named, &["--report", "out"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let d = ended.json();
    assert_fields(&d, &["bank", "tax", "power"]);
    assert_eq!(d["rows_aligned"], 1000);
    assert_eq!(d["train_rows"].as_u64().unwrap() + d["test_rows"].as_u64().unwrap(), 1000);
    let (expected, intercept) = centralised(&bank, &[("tax", &agencies[0]), ("power", &agencies[1])]);
    let names = ["bank", "tax", "power"].iter().flat_map(|p| (0..3).map(move |c| format!("{p}.x{c}")));
    for (name, expected) in names.zip(expected) {
        let found = d["coefficients"][&name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-5, "{name}: {found} {expected}");
    }
    assert!((d["intercept"].as_f64().unwrap() - intercept).abs() < 1e-5);
    assert!(d["auc_joint"].as_f64().unwrap() > d["auc_alone"].as_f64().unwrap());
}

#[test]
fn a_left_join_counts_and_keeps_every_valid_row() {
    let folder = tempfile::tempdir().unwrap();
    let (mut bank, mut agencies) = bank_and(1, 1200);
    agencies[0].rows.truncate(900);
    agencies[0].rows[5][2].clear();
    let again = bank.rows[0].clone();
    bank.rows.push(again);
    let mut unnamed = bank.rows[1].clone();
    unnamed[0] = "  ".to_owned();
    bank.rows.push(unnamed);
    let ended = demo(folder.path(), &bank, &[("tax", &agencies[0])], &["--join", "left", "--missing", "mean"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let d = ended.json();
    assert_fields(&d, &["bank", "tax"]);
    let rows = serde_json::json!({"bank": 1202, "matched": 900, "unmatched": 300, "duplicate": 1, "invalid": 1});
    assert_eq!((&d["rows"], &d["rows_by_agency"]["tax"]), (&rows, &rows));
    assert_eq!(d["rows_aligned"], 1200);
    assert!(d["coefficients"]["tax.missing"].is_f64());
}

#[test]
fn without_files_it_makes_a_world() {
    let folder = tempfile::tempdir().unwrap();
    let ended = hefu(folder.path(), &["demo", "--json"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let d = ended.json();
    assert_fields(&d, &["bank", "tax", "power"]);
    assert!(d["rows_by_agency"]["tax"]["matched"].as_u64() > d["rows"]["matched"].as_u64());
    assert!(d["auc_joint"].as_f64().unwrap() > d["auc_alone"].as_f64().unwrap() + 0.03);
    let page = std::fs::read_to_string(d["report"].as_str().unwrap()).unwrap();
    assert!(page.contains("Synthetic data") && page.contains("10,000"));
    // Published by schemas: the report names digest, steward, period.
    let tax = &d["datasets"]["tax"];
    assert_eq!((tax["inferred"].as_bool(), tax["grain"].as_str()), (Some(false), Some("enterprise")));
    for fact in ["steward", "period"].map(|fact| tax[fact].as_str().unwrap()) {
        assert!(!fact.is_empty() && page.contains(fact), "{fact}");
    }
    assert!(page.contains(&tax["schema"].as_str().unwrap()[..16]));
    assert!(ended.stderr.contains("approved"), "{}", ended.stderr);
    assert_eq!(std::fs::read_dir(folder.path().join("TMP")).unwrap().count(), 0);
}

#[test]
fn prose_ends_with_the_reports_path() {
    let folder = tempfile::tempdir().unwrap();
    let (bank, agencies) = bank_and(1, 1000);
    bank.write(&folder.path().join("bank.csv"));
    agencies[0].write(&folder.path().join("tax.csv"));
    let args = ["demo", "--bank", "bank.csv", "--agency", "tax=tax.csv", "--key", "id", "--label", "y", "--lang", "zh"];
    let ended = hefu(folder.path(), &args);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let last = ended.stdout.trim_end().lines().last().unwrap();
    assert!(std::fs::read_to_string(last).unwrap().contains("lang=\"zh-Hans\""));
    assert!(ended.stdout.contains("银行单独"));
}

/// Spoils the files of a good run.
type Spoil = fn(&mut Csv, &mut Csv);

/// Name, spoiler, expected exit code, code, party, row, column.
type Case = (&'static str, Spoil, i32, &'static str, Option<&'static str>, Option<u64>, Option<&'static str>);

const WRONG: [Case; 13] = [
    ("no key column", |_, t| t.head[0] = "key".into(), 5, "MISSING_COLUMN", Some("tax"), None, Some("id")),
    ("no label column", |b, _| b.head[1] = "bad".into(), 5, "MISSING_COLUMN", Some("bank"), None, Some("y")),
    ("text in a cell", |_, t| t.rows[6][2] = "high".into(), 5, "NOT_A_NUMBER", Some("tax"), Some(7), Some("x1")),
    ("not a decimal", |b, _| b.rows[0][3] = "NaN".into(), 5, "NOT_A_NUMBER", Some("bank"), Some(1), Some("x1")),
    ("an empty cell", |_, t| t.rows[9][1].clear(), 5, "EMPTY_CELL", Some("tax"), Some(10), Some("x0")),
    ("label 2", |b, _| b.rows[3][1] = "2".into(), 5, "BAD_LABEL", Some("bank"), Some(4), Some("y")),
    ("one class", |b, _| b.rows.iter_mut().for_each(|r| r[1] = "0".into()), 5, "ONE_CLASS", Some("bank"), None, None),
    (
        "constant",
        |_, t| t.rows.iter_mut().for_each(|r| r[3] = "4".into()),
        5,
        "CONSTANT_COLUMN",
        Some("tax"),
        None,
        Some("x2"),
    ),
    ("no rows", |_, t| t.rows.clear(), 5, "EMPTY_FILE", Some("tax"), None, None),
    ("ragged", |_, t| t.rows[2].truncate(2), 5, "BAD_FILE", Some("tax"), Some(3), None),
    (
        "no valid key",
        |_, t| t.rows.iter_mut().for_each(|r| r[0].clear()),
        5,
        "NO_VALID_KEY",
        Some("tax"),
        None,
        Some("id"),
    ),
    (
        "nobody in common",
        |_, t| t.rows.iter_mut().for_each(|r| r[0].push('x')),
        5,
        "EMPTY_INTERSECTION",
        None,
        None,
        None,
    ),
    ("too few rows", |b, _| b.rows.truncate(60), 5, "TOO_FEW_ROWS", None, None, None),
];

#[test]
fn wrong_input_names_code_party_and_place() {
    for (name, spoil, exit, code, party, row, column) in WRONG {
        let folder = tempfile::tempdir().unwrap();
        let (mut bank, agencies) = bank_and(1, 600);
        let mut tax = agencies[0].clone();
        spoil(&mut bank, &mut tax);
        let ended = demo(folder.path(), &bank, &[("tax", &tax)], &[]);
        let error = ended.error(exit, code);
        assert!(party.is_none() || error["party"].as_str() == party, "{name}: {error}");
        assert_eq!(error["place"]["row"].as_u64(), row, "{name}: {error}");
        assert_eq!(error["place"]["column"].as_str(), column, "{name}: {error}");
        if let (Some(party), true) = (party, column.is_some() || row.is_some()) {
            assert_eq!(error["place"]["dataset"], format!("{party}.csv"), "{name}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_a_data_error() {
    let folder = tempfile::tempdir().unwrap();
    let (bank, _) = bank_and(0, 100);
    bank.write(&folder.path().join("bank.csv"));
    let args = ["demo", "--bank", "bank.csv", "--agency", "tax=none.csv", "--key", "id", "--label", "y", "--json"];
    let error = hefu(folder.path(), &args).error(5, "BAD_FILE");
    assert_eq!((error["party"].as_str(), error["place"]["dataset"].as_str()), (Some("tax"), Some("none.csv")));
}

#[test]
fn no_value_of_a_cell_is_in_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (bank, agencies) = bank_and(1, 600);
    let mut tax = agencies[0].clone();
    tax.rows[6][2] = "CANARY-71b2".into();
    let ended = demo(folder.path(), &bank, &[("tax", &tax)], &[]);
    assert_eq!(ended.code, 5);
    assert!(!ended.stderr.contains("CANARY") && !ended.stdout.contains("CANARY"));
}
