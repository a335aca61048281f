//! Real data: the central fit and the measures against reference figures, and the joint optimiser against the central
//! fit under the arithmetic of the registered sine sets.
//!
//! The figures are in `reference/default_credit.json`, made by `reference/make.py` with scikit-learn and scipy. The
//! data are looked for in `$HEFU_DATA`, then in `../shared/data` beside the workspace; without them the tests say so
//! and skip.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod simulate;

use hefu_model::logistic::{Fit, fit};
use hefu_model::{ABSENT, Columns, Source, Standardiser, metrics};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use simulate::Joint;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    join: String,
    agencies: Vec<Agency>,
    rows_aligned: usize,
    train_rows: usize,
    test_rows: usize,
    intercept: f64,
    coefficients: Vec<Vec<f64>>,
    joint: Measures,
    alone: Measures,
}

#[derive(Deserialize)]
struct Agency {
    columns: Vec<usize>,
    /// The agency lacks the rows whose id this number divides; 0: it has all.
    absent_modulo: u64,
}

#[derive(Deserialize)]
struct Measures {
    auc: f64,
    auc_ci: [f64; 2],
    ks: f64,
    ks_ci: [f64; 2],
}

/// A file: ids, and columns by position after the id.
struct File {
    ids: Vec<u64>,
    columns: Vec<Vec<f64>>,
}

fn read(path: &Path) -> Option<File> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut file = File { ids: Vec::new(), columns: Vec::new() };
    for line in text.lines().skip(1) {
        let (id, rest) = line.split_once(',')?;
        file.ids.push(id.parse().ok()?);
        for (j, cell) in rest.split(',').enumerate() {
            if file.columns.len() <= j {
                file.columns.push(Vec::new());
            }
            file.columns[j].push(cell.parse().ok()?);
        }
    }
    Some(file)
}

/// The bank's and the agencies' file, or a message.
fn files() -> Option<[File; 2]> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("HEFU_DATA").map_or(beside, PathBuf::from);
    let named = |name: &str| read(&folder.join(format!("default_credit_hetero_{name}.csv")));
    match (named("guest"), named("host")) {
        (Some(guest), Some(host)) => Some([guest, host]),
        _ => {
            eprintln!("SKIPPED: no default_credit_hetero files in {}; set HEFU_DATA", folder.display());
            None
        }
    }
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/default_credit.json")).unwrap()
}

fn is_test(id: u64) -> bool {
    let digest = Sha256::digest(id.to_string().as_bytes());
    digest.iter().take(8).fold(0u64, |v, b| v << 8 | u64::from(*b)) % 10 < 3
}

/// Standardised training and test rows of each party, and the labels.
struct Prepared {
    training: Vec<Columns>,
    test: Vec<Columns>,
    labels: Vec<u8>,
    test_labels: Vec<u8>,
}

fn prepare([guest, host]: &[File; 2], case: &Case) -> Prepared {
    let places: HashMap<u64, u32> = host.ids.iter().copied().zip(0..).collect();
    let has = |agency: &Agency, id: u64| agency.absent_modulo == 0 || !id.is_multiple_of(agency.absent_modulo);
    let kept = |id: u64| case.join == "left" || case.agencies.iter().all(|a| has(a, id));
    let (mut test, mut training) = (Vec::new(), Vec::new());
    for (row, id) in (0u32..).zip(&guest.ids).filter(|(_, id)| kept(**id)) {
        if is_test(*id) { test.push(row) } else { training.push(row) }
    }
    let label = |rows: &[u32]| rows.iter().map(|r| u8::from(guest.columns[0][*r as usize] == 1.0)).collect();
    let mut prepared =
        Prepared { labels: label(&training), test_labels: label(&test), training: Vec::new(), test: Vec::new() };
    let mut add = |columns: &[&Vec<f64>], place: &dyn Fn(&u32) -> u32| {
        let names: Vec<String> = (0..columns.len()).map(|j| format!("x{j}")).collect();
        let sources: Vec<Source> =
            names.iter().zip(columns).map(|(name, values)| Source { name, values: values.as_slice() }).collect();
        let [training, test] = [&training, &test].map(|rows| rows.iter().map(place).collect::<Vec<u32>>());
        let standardiser = Standardiser::fit(&sources, &training).unwrap();
        prepared.training.push(standardiser.apply(&sources, &training).unwrap());
        prepared.test.push(standardiser.apply(&sources, &test).unwrap());
    };
    add(&guest.columns[1..].iter().collect::<Vec<_>>(), &|row| *row);
    for agency in &case.agencies {
        let columns: Vec<&Vec<f64>> = agency.columns.iter().map(|j| &host.columns[*j]).collect();
        add(&columns, &|row| {
            let id = guest.ids[*row as usize];
            if has(agency, id) { places[&id] } else { ABSENT }
        });
    }
    prepared
}

/// All parties' columns side by side.
fn joined(parts: &[Columns]) -> Columns {
    let all = parts.iter().flat_map(|p| p.iter().map(|c| (String::new(), c.to_vec()))).collect();
    Columns::from_columns(parts[0].rows(), all).unwrap()
}

fn check_measures(fit: &Fit, x: &Columns, labels: &[u8], expected: &Measures) {
    let got = metrics::assess(&fit.scores(x), labels).unwrap();
    assert!((got.auc - expected.auc).abs() < 1e-9, "{} {}", got.auc, expected.auc);
    assert!((got.auc_interval.low - expected.auc_ci[0]).abs() < 1e-9);
    assert!((got.auc_interval.high - expected.auc_ci[1]).abs() < 1e-9);
    assert!((got.ks - expected.ks).abs() < 1e-9);
    // Another generator: the ends of 1,000 bootstraps agree within their own error, about 0.001.
    assert!((got.ks_interval.low - expected.ks_ci[0]).abs() < 4e-3, "{:?} {:?}", got.ks_interval, expected.ks_ci);
    assert!((got.ks_interval.high - expected.ks_ci[1]).abs() < 4e-3, "{:?} {:?}", got.ks_interval, expected.ks_ci);
}

#[test]
fn central_fit_and_measures_are_those_of_scikit_learn_and_scipy() {
    let Some(files) = files() else { return };
    for case in reference().cases {
        let data = prepare(&files, &case);
        assert_eq!((data.labels.len(), data.test_labels.len()), (case.train_rows, case.test_rows));
        assert_eq!(case.train_rows + case.test_rows, case.rows_aligned);
        let joint = fit(&joined(&data.training), &data.labels, 1.0).unwrap();
        let expected: Vec<f64> = case.coefficients.concat();
        assert_eq!(joint.coefficients.len(), expected.len());
        for (got, expected) in joint.coefficients.iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-9, "{got} {expected}");
        }
        assert!((joint.intercept - case.intercept).abs() < 1e-9);
        check_measures(&joint, &joined(&data.test), &data.test_labels, &case.joint);
        let alone = fit(&data.training[0], &data.labels, 1.0).unwrap();
        check_measures(&alone, &data.test[0], &data.test_labels, &case.alone);
    }
}

#[test]
fn joint_training_under_the_sine_sets_is_lossless_in_few_evaluations() {
    let Some(files) = files() else { return };
    for case in reference().cases {
        let data = prepare(&files, &case);
        let test = joined(&data.test);
        let joint = Joint::train(data.training, &data.labels, 1.0);
        let parties = case.agencies.len() + 1;
        println!("{} {parties} parties: {}", case.join, joint.summary());
        let fit = Fit { intercept: joint.intercept, coefficients: joint.coefficients, iterations: 0 };
        for (got, expected) in fit.coefficients.iter().zip(&case.coefficients.concat()) {
            assert!((got - expected).abs() < 5e-6, "{got} {expected}");
        }
        assert!((fit.intercept - case.intercept).abs() < 5e-6);
        let auc = metrics::auc(&fit.scores(&test), &data.test_labels).unwrap();
        assert!((auc - case.joint.auc).abs() < 1e-6, "{auc} {}", case.joint.auc);
        assert!(joint.evaluations.len() <= 17, "{} evaluations", joint.evaluations.len());
    }
}
