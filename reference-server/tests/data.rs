//! `hefu data check`: what an agency's office runs before it publishes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod world;
use serde_json::json;
use std::path::Path;
use world::{Ended, hefu};

const HEAD: &str = "uscc,rating_year,tax_rating,abnormal_taxpayer_flag";

fn check(folder: &Path, name: &str, text: &str, more: &[&str]) -> Ended {
    std::fs::write(folder.join(name), text).unwrap();
    hefu(folder, &[&["data", "check", name, "--schema", "tax_credit_rating_year", "--json"], more].concat())
}

#[test]
fn a_file_without_fault_is_code_0() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "91440300YY00001320,2025,A,false\n91440300YY00001320,2024,M,\n";
    let ended = check(folder.path(), "rating.csv", &format!("{HEAD}\n{rows}"), &[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let expected = json!({"file": "rating.csv", "schema": "tax_credit_rating_year", "rows": 2, "valid": 2, "invalid": 0,
                          "counts": [], "violations": []});
    assert_eq!(ended.json(), expected);
    assert!(ended.stderr.contains("rows/s"), "{}", ended.stderr);
    let line = "{\"uscc\": \"91440300YY00001320\", \"rating_year\": 2025, \"tax_rating\": \"A\", \
                \"abnormal_taxpayer_flag\": null}\n";
    let ended = check(folder.path(), "rating.ndjson", line, &[]);
    assert_eq!((ended.code, ended.json()["valid"].as_u64()), (0, Some(1)));
    let ended = check(folder.path(), "rating.txt", line, &["--encoding", "ndjson"]);
    assert_eq!((ended.code, ended.json()["valid"].as_u64()), (0, Some(1)));
}

#[test]
fn violations_are_code_5_with_row_column_and_rule() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "91440300YY00001321,2025,A,false\n91440300YY00001320,2013,E,\n91440300YY00001320,2024\n";
    let ended = check(folder.path(), "rating.csv", &format!("{HEAD}\n{rows}"), &["--max-errors", "2"]);
    let error = ended.error(5, "SCHEMA_VIOLATION");
    assert_eq!(error["place"], json!({"dataset": "rating.csv", "row": 1, "column": "uscc"}));
    let report = ended.json();
    assert_eq!((report["rows"].as_u64(), report["invalid"].as_u64()), (Some(3), Some(3)));
    let first =
        json!([{"row": 1, "column": "uscc", "rule": "format"}, {"row": 2, "column": "rating_year", "rule": "minimum"}]);
    assert_eq!(report["violations"], first);
    let counts = report["counts"].as_array().unwrap();
    assert!(counts.iter().any(|c| c["column"].is_null() && c["rule"] == "fields" && c["count"] == 1), "{counts:?}");
    assert_eq!(counts.len(), 4);
    assert!(!ended.stdout.contains("91440300YY") && !ended.stderr.contains("91440300YY"));
}

#[test]
fn a_person_reads_it_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("r.csv"), format!("{HEAD}\n9144,2025,A,false\n")).unwrap();
    let args = ["data", "check", "r.csv", "--schema", "tax_credit_rating_year", "--lang"];
    let english = hefu(folder.path(), &[&args[..], &["en"]].concat());
    assert!(english.stdout.starts_with("1 rows: 0 valid, 1 invalid\n"), "{}", english.stdout);
    assert!(english.stdout.contains("uscc") && english.stderr.contains("6020 SCHEMA_VIOLATION"));
    let chinese = hefu(folder.path(), &[&args[..], &["zh"]].concat());
    assert!(chinese.stdout.starts_with("共 1 行：有效 0 行，无效 1 行\n"), "{}", chinese.stdout);
    assert_eq!((english.code, chinese.code), (5, 5));
}

#[test]
fn wrong_files_have_codes_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{HEAD}\n91440300YY00001320,2025,A,{}\n", "x".repeat(2 << 20));
    let cases = [
        (format!("{HEAD}\n91440300YY00001320,2025,\"A"), "BAD_FILE", 1),
        (format!("{HEAD}\n91440300YY00001320,2025,A,\n91440300YY000013"), "BAD_FILE", 2),
        (long, "LINE_TOO_LONG", 1),
        (format!("{HEAD}\n"), "EMPTY_FILE", 0),
        ("uscc,rating_year,tax_rating\n1,2,3\n".to_owned(), "MISSING_COLUMN", 0),
        (format!("{HEAD},score\n1,2,3,4,5\n"), "SCHEMA_VIOLATION", 0),
    ];
    for (text, name, row) in cases {
        let error = check(folder.path(), "r.csv", &text, &[]).error(5, name);
        assert_eq!(error["place"]["row"].as_u64().unwrap_or(0), row, "{name}");
    }
    let args = ["data", "check", "none.csv", "--schema", "patent", "--json"];
    hefu(folder.path(), &args).error(5, "BAD_FILE");
}

#[test]
fn wrong_schemas_have_codes_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("r.csv"), "a\n1\n").unwrap();
    let remote = r#"{"type": "object", "properties": {"a": {"$ref": "https://example.org/a.json"}}}"#;
    let cases = [
        ("not JSON", "BAD_SCHEMA"),
        (r#"{"type": "object", "properties": {"a": {"type": "text"}}}"#, "BAD_SCHEMA"),
        (remote, "REMOTE_REFERENCE"),
    ];
    for (text, name) in cases {
        std::fs::write(folder.path().join("s.json"), text).unwrap();
        let error = hefu(folder.path(), &["data", "check", "r.csv", "--schema", "s.json", "--json"]).error(5, name);
        assert_eq!(error["place"]["dataset"], "s.json");
    }
    let args = ["data", "check", "r.csv", "--schema", "no_such_table", "--json"];
    hefu(folder.path(), &args).error(2, "USAGE");
}
