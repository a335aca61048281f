//! Unbalanced alignment between nodes in this process, over real TLS on loopback: epochs, kept sets, quotas.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_node::{Node, NodeConfig};
use hefu_proto::control as proto;
use serde_json::{Value, json};
use std::path::PathBuf;
use world::table::{shuffled, tables};
use world::{Party, allow, introduce, train_job};

/// A bank and a tax office that permits so many evaluations in an epoch.
async fn pair(evaluations: u64) -> [Party; 2] {
    let entry = format!("{}evaluations = {evaluations}\n", allow("bank", "tax"));
    let mut parties = [Party::start("bank", "").await, Party::start("tax", &entry).await];
    introduce(&mut parties).await;
    parties
}

fn unbalanced(mut job: Value) -> Value {
    job["alignment"] = json!("oprf");
    job
}

fn align_job() -> Value {
    unbalanced(json!({
        "kind": "align", "dataset": "loans", "purpose": "origination",
        "collaborator": [{"party": "tax", "dataset": "tax"}],
    }))
}

/// Runs a job that must succeed; answers its result and the bytes that the collaborator sent.
async fn succeed(bank: &mut Party, tax: &mut Party, job: Value) -> (Value, u64) {
    let job = bank.submit(job).await.unwrap();
    let ended = bank.wait(&job).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    assert_eq!(tax.wait_as_collaborator(&job).await.state, "SUCCEEDED");
    let costs = tax.result(&job).await;
    let costs = costs["stages"].as_array().unwrap();
    assert_eq!(costs.iter().filter(|cost| cost["stage"] == "align").count(), 1);
    (bank.result(&job).await, costs[0]["bytes_sent"].as_u64().unwrap())
}

async fn fail(bank: &mut Party, job: Value) -> String {
    let job = bank.submit(job).await.unwrap();
    let ended = bank.wait(&job).await;
    assert_eq!(ended.state, "FAILED");
    let error = ended.error.unwrap();
    error.name
}

fn files(party: &Party, folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(party.state().join(folder)).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

// clause: OPRF-7, OPRF-8
#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_is_published_once_and_its_evaluations_are_counted() {
    let [mut bank, mut tax] = pair(650).await;
    let tables = tables(3000, 1);
    bank.publish("loans", &tables.bank.lines().take(201).collect::<Vec<_>>().join("\n"), "y").await.unwrap();
    tax.publish("tax", &shuffled(&tables.tax, 2, |row| row % 4 == 0), "").await.unwrap();

    let (first, first_bytes) = succeed(&mut bank, &mut tax, align_job()).await;
    assert_eq!((first["rows_aligned"].as_u64(), first["rows"]["unmatched"].as_u64()), (Some(150), Some(50)));
    let (epoch, set) = (files(&tax, "epochs"), files(&bank, "sets"));
    assert_eq!((epoch.len(), set.len()), (1, 1));
    let disclosed = first["disclosure"][0]["learns"].to_string();
    assert!(disclosed.contains("published set"), "{disclosed}");

    // The second job of the epoch: the same rows, and the set is not sent again.
    let (second, second_bytes) = succeed(&mut bank, &mut tax, align_job()).await;
    assert_eq!(
        (&second["rows"], files(&tax, "epochs"), files(&bank, "sets")),
        (&first["rows"], epoch.clone(), set.clone())
    );
    assert!(first_bytes > second_bytes + 2250 * 11, "{first_bytes} {second_bytes}");

    // A kept set that is damaged is not the epoch's: it is sent again.
    let (path, mut bytes) = files(&bank, "sets").remove(0);
    bytes[80] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (third, third_bytes) = succeed(&mut bank, &mut tax, align_job()).await;
    assert_eq!((&third["rows"], files(&bank, "sets")), (&first["rows"], set));
    assert!(third_bytes > second_bytes + 2250 * 11, "{third_bytes} {second_bytes}");

    // 200 keys each; a fourth job would be beyond 650. The steward begins a new epoch.
    assert_eq!(fail(&mut bank, align_job()).await, "EVALUATIONS_SPENT");
    let config = NodeConfig::parse(&world::toml("tax", ""), tax.folder.path()).unwrap();
    assert!(Node::rotate(&config, "tax").unwrap());
    assert_eq!(succeed(&mut bank, &mut tax, align_job()).await.0["rows"], first["rows"]);
    assert_ne!(files(&tax, "epochs"), epoch);

    // Other keys, another epoch.
    let rotated = files(&tax, "epochs");
    tax.publish("tax", &shuffled(&tables.tax, 2, |row| row % 2 == 0), "").await.unwrap();
    assert_eq!(succeed(&mut bank, &mut tax, align_job()).await.0["rows_aligned"], 100);
    assert_ne!(files(&tax, "epochs"), rotated);

    // The key goes with the dataset: nobody can open the set any more.
    let request = proto::UnpublishDatasetRequest { name: "tax".into() };
    tax.control.datasets.unpublish_dataset(request).await.unwrap();
    assert!(files(&tax, "epochs").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn training_and_scoring_follow_as_from_the_other_form() {
    let [mut bank, mut tax] = pair(1_000_000).await;
    let tables = tables(2500, 3);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &shuffled(&tables.tax, 4, |row| row % 50 == 0), "").await.unwrap();
    let (balanced, _) = succeed(&mut bank, &mut tax, train_job(&["tax"])).await;
    let (published, _) = succeed(&mut bank, &mut tax, unbalanced(train_job(&["tax"]))).await;
    assert_eq!(balanced["rows_by_agency"], published["rows_by_agency"]);
    assert_eq!(balanced["test_rows"], published["test_rows"]);
    let auc = |result: &Value| result["auc_joint"].as_f64().unwrap();
    assert!((auc(&balanced) - auc(&published)).abs() < 1e-3, "{} {}", auc(&balanced), auc(&published));

    let score = unbalanced(json!({
        "kind": "score", "dataset": "loans", "purpose": "origination", "outputs": ["score"],
        "model": published["model"], "collaborator": [{"party": "tax", "dataset": "tax"}],
    }));
    let (scored, _) = succeed(&mut bank, &mut tax, score).await;
    assert_eq!(scored["scores"].as_array().unwrap().len(), 2450);
}

// clause: OPRF-6
#[tokio::test(flavor = "multi_thread")]
async fn a_set_is_published_to_whom_an_entry_permits_it() {
    let mut parties = [Party::start("bank", "").await, Party::start("tax", &allow("bank", "tax")).await];
    introduce(&mut parties).await;
    let [mut bank, mut tax] = parties;
    let tables = tables(100, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    assert_eq!(fail(&mut bank, align_job()).await, "NOT_ALLOWED");
    assert!(files(&tax, "epochs").is_empty());
    let mut both_blind = align_job();
    both_blind["alignment"] = json!("ecdh");
    assert_eq!(succeed(&mut bank, &mut tax, both_blind).await.0["rows_aligned"], 100);
}
