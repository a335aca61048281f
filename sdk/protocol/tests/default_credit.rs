//! Training on real credit data: the coefficients of the centralised fit, for two parties and for three.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]
mod sim;

use hefu_he::Backend;
use hefu_model::{Columns, logistic};
use hefu_protocol::train::{Collaborator, Initiator, TrainPlan, Trained};
use sim::Outcome;
use std::collections::HashMap;
use std::path::PathBuf;

fn data_folder() -> Option<PathBuf> {
    let folder = std::env::var_os("HEFU_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    folder.join("default_credit_hetero_guest.csv").exists().then_some(folder)
}

struct Table {
    names: Vec<String>,
    rows: HashMap<String, Vec<f64>>,
}

fn read(folder: &std::path::Path, file: &str) -> Table {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let mut lines = text.lines();
    let names = lines.next().unwrap().split(',').skip(1).map(str::to_owned).collect();
    let row = |line: &str| {
        let (key, cells) = line.split_once(',').unwrap();
        (key.to_owned(), cells.split(',').map(|cell| cell.trim().parse().unwrap()).collect())
    };
    Table { names, rows: lines.map(row).collect() }
}

fn is_test(key: &str) -> bool {
    let hash = hefu_crypto::sha256(&[key.as_bytes()]);
    u64::from_be_bytes(hash[..8].try_into().unwrap()) % 10 < 3
}

/// Standardised columns `range` of the training rows, population deviation.
fn columns(table: &Table, keys: &[String], range: std::ops::Range<usize>) -> Vec<(String, Vec<f64>)> {
    range
        .map(|j| {
            let values: Vec<f64> = keys.iter().map(|key| table.rows[key][j]).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            (table.names[j].clone(), values.iter().map(|v| (v - mean) / deviation).collect())
        })
        .collect()
}

fn train(labels: &[u8], parties: &[Vec<(String, Vec<f64>)>]) -> (Vec<Trained>, u64) {
    let plan = TrainPlan { max_evaluations: 40, lambda: 1.0, backend: Backend::detect() };
    let sessions = sim::session(parties.len() as u16, b"default credit");
    let x = |p: usize| Columns::from_columns(labels.len(), parties[p].clone()).unwrap();
    let initiator = Initiator::new(sessions[0].clone(), plan, x(0), labels.to_vec(), false, sim::seed(1));
    let others = (1..parties.len())
        .map(|p| Collaborator::new(sessions[p].clone(), plan, x(p), false, sim::seed(p as u8 + 1)))
        .collect();
    let run = sim::run(initiator, others, 1, &mut |_, _| ()).map_err(|(_, e)| e).unwrap();
    let trained = run.outcomes.into_iter().map(|o| match o {
        Outcome::Initiator(trained) | Outcome::Collaborator(trained) => trained,
    });
    (trained.collect(), run.bytes.iter().sum())
}

#[test]
fn joint_coefficients_are_the_centralised_ones() {
    let Some(folder) = data_folder() else {
        eprintln!("SKIPPED: default_credit is not here (set HEFU_DATA)");
        return;
    };
    let guest = read(&folder, "default_credit_hetero_guest.csv");
    let host = read(&folder, "default_credit_hetero_host.csv");
    let mut keys: Vec<String> = guest.rows.keys().filter(|key| !is_test(key)).cloned().collect();
    keys.sort();
    assert_eq!(keys.len(), 20_926);
    assert_eq!(guest.names[0], "y");
    let labels: Vec<u8> = keys.iter().map(|key| guest.rows[key][0] as u8).collect();
    let bank = columns(&guest, &keys, 1..guest.names.len());
    let agency = columns(&host, &keys, 0..host.names.len());
    let joined = Columns::from_columns(keys.len(), [bank.clone(), agency.clone()].concat()).unwrap();
    let fit = logistic::fit(&joined, &labels, 1.0).unwrap();
    let (left, right) = agency.split_at(5);
    for parties in [vec![bank.clone(), agency.clone()], vec![bank.clone(), left.to_vec(), right.to_vec()]] {
        let (trained, bytes) = train(&labels, &parties);
        let joint = trained.iter().flat_map(|t| t.coefficients.iter());
        let worst = joint.zip(&fit.coefficients).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let trace: Vec<String> =
            trained[0].trace.iter().map(|t| format!("{:#x}/{}:{:.1e}", t.sine_set, t.bound, t.norm)).collect();
        eprintln!(
            "{} parties: {} evaluations, {} MB, largest difference {worst:.1e}; {}",
            parties.len(),
            trained[0].evaluations,
            bytes / 1_000_000,
            trace.join(" ")
        );
        assert!(worst < 1e-5, "{worst:e}");
        assert!((trained[0].intercept.unwrap() - fit.intercept).abs() < 1e-5);
    }
}
