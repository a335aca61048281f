//! Whole jobs between nodes in this process, over real TLS on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use serde_json::json;
use world::table::{shuffled, tables};
use world::{Party, allow, introduce, train_job};

#[tokio::test(flavor = "multi_thread")]
async fn two_parties_align() {
    let mut parties = [Party::start("bank", "").await, Party::start("tax", &allow("bank", "tax")).await];
    introduce(&mut parties).await;
    let [mut bank, mut tax] = parties;
    let tables = tables(300, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &shuffled(&tables.tax, 2, |row| row % 3 == 0), "").await.unwrap();
    let job = json!({
        "kind": "align", "dataset": "loans", "purpose": "origination",
        "collaborator": [{"party": "tax", "dataset": "tax"}],
    });
    let job = bank.submit(job).await.unwrap();
    let ended = bank.wait(&job).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    let result = bank.result(&job).await;
    assert_eq!(result["rows_aligned"], 200);
    assert_eq!(result["rows"], json!({"bank": 300, "matched": 200, "unmatched": 100, "duplicate": 0, "invalid": 0}));
    assert_eq!(tax.wait_as_collaborator(&job).await.state, "SUCCEEDED");
    assert_eq!(result["security"]["tls_group"], "X25519MLKEM768");
}

// clause: SCORE-1, SESS-18
#[tokio::test(flavor = "multi_thread")]
async fn three_parties_train_and_score() {
    let mut parties = [
        Party::start("bank", "").await,
        Party::start("tax", &allow("bank", "tax")).await,
        Party::start("power", &allow("bank", "power")).await,
    ];
    introduce(&mut parties).await;
    let [mut bank, mut tax, mut power] = parties;
    let tables = tables(2500, 3);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &shuffled(&tables.tax, 4, |row| row % 50 == 0), "").await.unwrap();
    power.publish("power", &shuffled(&tables.power, 5, |row| row % 70 == 0), "").await.unwrap();

    let job = bank.submit(train_job(&["tax", "power"])).await.unwrap();
    let ended = bank.wait(&job).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    assert_eq!(tax.wait_as_collaborator(&job).await.state, "SUCCEEDED");
    assert_eq!(power.wait_as_collaborator(&job).await.state, "SUCCEEDED");

    let result = bank.result(&job).await;
    let rows = result["rows_aligned"].as_u64().unwrap();
    assert_eq!(result["train_rows"].as_u64().unwrap() + result["test_rows"].as_u64().unwrap(), rows);
    assert_eq!(result["rows_by_agency"]["tax"]["matched"], 2450);
    assert!(result["auc_joint"].as_f64().unwrap() > result["auc_alone"].as_f64().unwrap());
    assert_eq!(result["columns_by_party"], json!({"bank": 3, "tax": 3, "power": 4}));
    assert!(result["stages"].as_array().unwrap().iter().all(|s| s["bytes_sent"].is_u64()));
    assert!(result["security"]["statistical_distance_log2"].as_f64().unwrap() < -20.0);
    assert!(tax.result(&job).await["stages"].as_array().unwrap().len() == 3);
    // Of every stage the parties together sent, relayed frames included, what they received.
    let documents = [result.clone(), tax.result(&job).await, power.result(&job).await];
    for stage in 0..3 {
        let sum = |of: &str| documents.iter().map(|d| d["stages"][stage][of].as_u64().unwrap()).sum::<u64>();
        assert!(sum("bytes_sent") > 0);
        assert_eq!(sum("bytes_sent"), sum("bytes_received"), "stage {stage}");
    }

    // Each party holds its own part, and no other's.
    let model = result["model"].as_str().unwrap().to_owned();
    for party in [&mut bank, &mut tax, &mut power] {
        assert_eq!(party.models().await, vec![model.clone()]);
        assert_eq!(party.model_files(), vec![format!("{model}.json")]);
    }
    assert!(bank.model(&model).await["intercept"].is_f64());
    assert!(tax.model(&model).await["intercept"].is_null());
    assert_eq!(tax.model(&model).await["columns"].as_array().unwrap().len(), 3);

    let score = json!({
        "kind": "score", "dataset": "loans", "purpose": "origination", "outputs": ["score"], "model": model,
        "collaborator": [{"party": "tax", "dataset": "tax"}, {"party": "power", "dataset": "power"}],
    });
    let job = bank.submit(score).await.unwrap();
    let ended = bank.wait(&job).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    let scored = bank.result(&job).await;
    let scores = scored["scores"].as_array().unwrap();
    assert_eq!(scores.len() as u64, rows);
    let keys: Vec<_> = scores.iter().map(|s| s["key"].as_str().unwrap()).collect();
    assert!(keys.is_sorted(), "scores come in the order of the bank's file");
    assert!(scores.iter().all(|s| (0.0..=1.0).contains(&s["probability"].as_f64().unwrap())));
}
