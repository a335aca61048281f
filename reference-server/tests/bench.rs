//! `hefu bench`: what it prints, on small tables. How fast anything is, is no test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod world;
use serde_json::Value;
use world::hefu;

fn measured(args: &[&str], parties: usize) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let ended = hefu(folder.path(), &[args, &["--json"]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let d = ended.json();
    for member in ["achieved", "floor", "ratio", "cpu_seconds", "bytes"] {
        assert!(d[member].as_f64().unwrap() > 0.0, "{member}: {d}");
    }
    let ratio = d["achieved"].as_f64().unwrap() / d["floor"].as_f64().unwrap();
    assert!((d["ratio"].as_f64().unwrap() - ratio).abs() < 1e-9);
    assert_eq!((d["better"].as_str(), d["peak_rss_mib"].as_object().unwrap().len()), (Some("lower"), parties));
    assert!(!d["backend"].as_str().unwrap().is_empty() && !d["unit"].as_str().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(folder.path().join("TMP")).unwrap().count(), 0);
    d
}

#[test]
fn alignment_counts_what_it_overlaps() {
    let d = measured(&["bench", "align", "--rows", "400", "--overlap", "0.25"], 2);
    assert_eq!(d["rows_aligned"], 100);
}

#[test]
fn a_published_set_is_not_sent_to_the_second_job() {
    let args = ["bench", "align", "--unbalanced", "--rows", "40", "--against", "900", "--overlap", "0.25"];
    let d = measured(&args, 2);
    assert_eq!(d["rows_aligned"], 10);
    let bytes = |job: &str| d[job]["bytes"].as_u64().unwrap();
    assert_eq!(d["bytes"], d["first"]["bytes"]);
    assert!(bytes("first") > bytes("second") + 900 * 11, "{d}");
    let floor = |job: &str| d[job]["floor"].as_f64().unwrap();
    assert!(floor("first") > floor("second"));
}

#[test]
fn training_divides_columns_over_parties() {
    let d = measured(&["bench", "train", "--rows", "1500", "--columns", "8", "--parties", "3"], 3);
    assert!(d["rounds"].as_u64().unwrap() > 1);
    assert!(d["train_rows"].as_u64().unwrap() < 1500);
}
