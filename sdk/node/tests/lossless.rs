//! The joint model against a central fit on the joined tables: the same coefficients, the same scores.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_data::{Layout, Table, is_test_row, read};
use hefu_model::{ABSENT, Columns, Source, Standardiser, logistic};
use serde_json::json;
use std::collections::HashMap;
use world::table::{Tables, shuffled, tables};
use world::{Party, allow, introduce, train_job};

fn table(csv: &str, label: Option<&str>) -> Table {
    read(csv.as_bytes(), &Layout { label: label.map(str::to_owned), ..Layout::new("t", "id") }).unwrap()
}

/// A central fit: all tables in one place, the same split, standardisation and penalty.
struct Central {
    coefficients: Vec<f64>,
    intercept: f64,
    auc: f64,
}

fn central(tables: &Tables, left: bool) -> Central {
    let bank = table(&tables.bank, Some("y"));
    let others = [table(&tables.tax, None), table(&tables.power, None)];
    let places: Vec<HashMap<&str, u32>> =
        others.iter().map(|t| t.keys.iter().map(String::as_str).zip(0..).collect()).collect();
    let kept = |key: &String| left || places.iter().all(|p| p.contains_key(key.as_str()));
    let rows: Vec<u32> = (0..).zip(&bank.keys).filter(|(_, key)| kept(key)).map(|(row, _)| row).collect();
    let (test, training): (Vec<u32>, Vec<u32>) = rows.iter().partition(|row| is_test_row(&bank.keys[**row as usize]));
    let mut all = [Columns::new(training.len()), Columns::new(test.len())];
    for (index, table) in std::iter::once(&bank).chain(&others).enumerate() {
        let place = |row: &u32| match index {
            0 => *row,
            _ => places[index - 1].get(bank.keys[*row as usize].as_str()).copied().unwrap_or(ABSENT),
        };
        let parts = [&training, &test].map(|rows| rows.iter().map(place).collect::<Vec<_>>());
        let sources: Vec<_> = table.columns.iter().map(|c| Source { name: &c.name, values: &c.values }).collect();
        let standardiser = Standardiser::fit(&sources, &parts[0]).unwrap();
        for (all, part) in all.iter_mut().zip(&parts) {
            let applied = standardiser.apply(&sources, part).unwrap();
            for j in 0..applied.count() {
                all.push(applied.name(j), applied.column(j)).unwrap();
            }
        }
    }
    let labels = |rows: &[u32]| rows.iter().map(|r| bank.label.as_ref().unwrap()[*r as usize]).collect::<Vec<_>>();
    let fit = logistic::fit(&all[0], &labels(&training), 1.0).unwrap();
    let auc = hefu_model::metrics::auc(&fit.scores(&all[1]), &labels(&test)).unwrap();
    Central { auc, intercept: fit.intercept, coefficients: fit.coefficients }
}

async fn joint_equals_central(join: &str) {
    let mut parties = [
        Party::start("bank", "").await,
        Party::start("tax", &allow("bank", "tax")).await,
        Party::start("power", &allow("bank", "power")).await,
    ];
    introduce(&mut parties).await;
    let [mut bank, mut tax, mut power] = parties;
    let mut tables = tables(4000, 11);
    tables.tax = shuffled(&tables.tax, 12, |row| row % 11 == 0);
    tables.power = shuffled(&tables.power, 13, |row| row % 7 == 3);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    power.publish("power", &tables.power, "").await.unwrap();
    let mut job = train_job(&["tax", "power"]);
    job["join"] = json!(join);
    let job = bank.submit(job).await.unwrap();
    let ended = bank.wait(&job).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    let result = bank.result(&job).await;
    let central = central(&tables, join == "left");
    let mut joint = Vec::new();
    for party in [&mut bank, &mut tax, &mut power] {
        let part = party.model(&ended.model).await;
        joint.extend(part["columns"].as_array().unwrap().iter().map(|c| c["coefficient"].as_f64().unwrap()));
        joint.extend(part["missing"]["coefficient"].as_f64());
    }
    assert_eq!(joint.len(), central.coefficients.len());
    for (joint, central) in joint.iter().zip(&central.coefficients) {
        assert!((joint - central).abs() < 1e-5, "{joint} {central}");
    }
    let intercept = bank.model(&ended.model).await["intercept"].as_f64().unwrap();
    assert!((intercept - central.intercept).abs() < 1e-5);
    // Of so few test rows one pair that changes places is 3e-6.
    assert!((result["auc_joint"].as_f64().unwrap() - central.auc).abs() < 1e-5);
}

#[tokio::test(flavor = "multi_thread")]
async fn inner_join_of_three_parties() {
    joint_equals_central("inner").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn left_join_of_three_parties() {
    joint_equals_central("left").await;
}
