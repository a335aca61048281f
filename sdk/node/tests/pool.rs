//! Pooled jobs between nodes in this process, over real TLS on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_core::Code;
use hefu_data::{Layout, Table, is_test_row, read};
use hefu_model::{Source, Standardiser, logistic};
use serde_json::{Value, json};
use std::fmt::Write;
use world::{Party, allow, code_of, introduce};

/// Rows `from..to` of a table of three columns with a signal, one of them of large numbers.
fn rows(from: u32, to: u32) -> String {
    let mut text = String::from("id,a,b,c,y\n");
    for i in from..to {
        let hash = |k: u32| {
            f64::from((i.wrapping_mul(2_654_435_761) ^ k.wrapping_mul(40_503)).rotate_left(13) % 1000) / 500.0 - 1.0
        };
        let (a, b, c) = (hash(1) * 3.0 + 7.0, hash(2) * 1e5, hash(3) * 1e-3);
        let score = 0.9 * (a - 7.0) - 1.2e-5 * b + 700.0 * c - 0.9 + 1.5 * hash(4);
        let _ = writeln!(text, "e{i},{a},{b},{c},{}", u8::from(score > 0.0));
    }
    text
}

async fn banks(names: &[&str], permit: &str) -> Vec<Party> {
    let first = names[0];
    let mut parties = vec![Party::start(first, "[limits]\nidle_timeout_s = 5\n").await];
    for name in &names[1..] {
        let entry = format!("[limits]\nidle_timeout_s = 5\n{}{permit}", allow(first, name));
        parties.push(Party::start(name, &entry).await);
    }
    introduce(&mut parties).await;
    for (k, party) in (0u32..).zip(&mut parties) {
        let name = party.alias.clone();
        party.publish(&name, &rows(k * 400, (k + 1) * 400), "y").await.unwrap();
    }
    parties
}

fn job(names: &[&str], more: Value) -> Value {
    let others: Vec<_> = names[1..].iter().map(|p| json!({"party": p, "dataset": p})).collect();
    let mut job = json!({
        "kind": "pool", "method": "logistic", "dataset": names[0], "purpose": "origination", "collaborator": others,
    });
    for (name, value) in more.as_object().unwrap() {
        job[name] = value.clone();
    }
    job
}

fn table(text: &str) -> Table {
    let mut layout = Layout::new("all", "id");
    layout.label = Some("y".to_owned());
    read(text.as_bytes(), &layout).unwrap()
}

/// The fit of all training rows in one place.
fn central(to: u32) -> logistic::Fit {
    let table = table(&rows(0, to));
    let sources: Vec<_> = table.columns.iter().map(|c| Source { name: &c.name, values: &c.values }).collect();
    let training: Vec<u32> =
        (0..table.keys.len() as u32).filter(|row| !is_test_row(&table.keys[*row as usize])).collect();
    let x = Standardiser::fit(&sources, &training).unwrap().apply(&sources, &training).unwrap();
    let label = table.label.as_ref().unwrap();
    let labels: Vec<u8> = training.iter().map(|row| label[*row as usize]).collect();
    logistic::fit(&x, &labels, 1.0).unwrap()
}

fn close(result: &Value, expected: &logistic::Fit, tolerance: f64) {
    for (name, theirs) in ["a", "b", "c"].iter().zip(&expected.coefficients) {
        let ours = result["coefficients"][name].as_f64().unwrap();
        assert!((ours - theirs).abs() < tolerance, "{name}: {ours} against {theirs}");
    }
    assert!((result["intercept"].as_f64().unwrap() - expected.intercept).abs() < tolerance);
}

// clause: AGG-21, POOL-3, SCORE-1
#[tokio::test(flavor = "multi_thread")]
async fn three_banks_have_the_fit_of_their_pooled_rows() {
    let names = ["north", "south", "west"];
    let mut parties = banks(&names, "").await;
    let id = parties[0].submit(job(&names, json!({}))).await.unwrap();
    let ended = parties[0].wait(&id).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    let result = parties[0].result(&id).await;
    close(&result, &central(1200), 1e-6);
    assert!(result["rounds"].as_u64().unwrap() <= 10, "{result}");
    assert_eq!(result["survivors"][0], json!(names));
    assert!(result["auc_pooled"].as_f64().unwrap() > 0.7);
    let known = parties[1].wait_as_collaborator(&id).await;
    assert_eq!((known.state.as_str(), known.kind.as_str()), ("SUCCEEDED", "pool"));

    // A participant makes the model its own, and nobody else's call is answered.
    let request =
        hefu_proto::control::MakeOwnModelRequest { job: id.clone(), dataset: "south".into(), pull: 5.0, cutoff: 0.4 };
    let mut south = parties[1].pool();
    let model = south.make_own_model(request).await.unwrap().into_inner().model_json;
    let model: Value = serde_json::from_str(&model).unwrap();
    assert_eq!(model["owner"], json!(world::party_id("south")));
    assert_eq!(model["cutoff"], json!(0.4));
    assert!(
        (model["columns"][0]["coefficient"].as_f64().unwrap() - result["coefficients"]["a"].as_f64().unwrap()).abs()
            > 1e-6
    );
    let own = model["model"].as_str().unwrap().to_owned();
    let request = hefu_proto::control::ScoreOwnRequest { model: own.clone(), dataset: "south".into() };
    let scored = south.score_own(request).await.unwrap().into_inner().result_json;
    let scored: Value = serde_json::from_str(&scored).unwrap();
    assert_eq!(scored["scores"].as_array().unwrap().len(), 400);
    let refused = |s: &Value| s["refused"] == json!(s["probability"].as_f64().unwrap() >= 0.4);
    assert!(scored["scores"].as_array().unwrap().iter().all(refused));
    let stolen = json!({
        "kind": "score", "dataset": "north", "purpose": "origination", "outputs": ["score"], "model": own,
        "collaborator": [{"party": "south", "dataset": "south"}],
    });
    let refused = parties[0].submit(stolen).await.unwrap_err();
    assert_eq!(code_of(&refused), Some(Code::UnknownModel));
}

// clause: AGG-1
#[tokio::test(flavor = "multi_thread")]
async fn two_banks_are_too_few() {
    let names = ["north", "south"];
    let mut parties = banks(&names, "").await;
    let refused = parties[0].submit(job(&names, json!({}))).await.unwrap_err();
    assert_eq!(code_of(&refused), Some(Code::TooFewParticipants));
    let twice = job(&["north", "south", "south"], json!({}));
    let refused = parties[0].submit(twice).await.unwrap_err();
    assert_eq!(code_of(&refused), Some(Code::DuplicateParticipant));
}

// clause: AGG-21, AGG-25
#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_stops_is_lost_and_the_others_go_on_where_that_is_permitted() {
    let names = ["north", "south", "west", "east"];
    for permitted in [true, false] {
        let permit = if permitted { "permit = [\"roster-change\"]\n" } else { "" };
        let mut parties = banks(&names, permit).await;
        let id = parties[0].submit(job(&names, json!({"roster_change": permitted}))).await.unwrap();
        // East goes away after a few rounds.
        let east = parties.pop().unwrap();
        let mut control = east.control.clone();
        let request = hefu_proto::control::GetJobRequest { job: id.clone() };
        loop {
            let job = control.jobs.get_job(request.clone()).await.ok().and_then(|r| r.into_inner().job);
            if job.is_some_and(|job| job.done >= 3) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        east.node.shutdown().await;
        let ended = parties[0].wait(&id).await;
        if permitted {
            assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
            let result = parties[0].result(&id).await;
            assert_eq!(result["survivors"].as_array().unwrap().last().unwrap(), &json!(["north", "south", "west"]));
            let lost = &result["trace"].as_array().unwrap().last().unwrap()["lost"];
            assert_eq!(lost[0]["party"], "east", "{lost}");
        } else {
            assert_eq!(ended.error.map(|e| e.name), Some("ROSTER_DIFFERENCE".to_owned()));
        }
    }
}

// clause: AGG-21
#[tokio::test(flavor = "multi_thread")]
async fn below_the_threshold_the_job_ends_with_who_is_missing() {
    let names = ["north", "south", "west"];
    let mut parties = banks(&names, "").await;
    let west = parties.pop().unwrap();
    west.node.shutdown().await;
    let id = parties[0].submit(job(&names, json!({}))).await.unwrap();
    let error = parties[0].wait(&id).await.error.unwrap();
    assert_eq!(error.name, "BELOW_THRESHOLD");
    assert!(error.cause.contains("west (PEER_UNREACHABLE)"), "{}", error.cause);
}

// clause: POOL-1, POOL-5, AGG-24
#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_a_participant_name_their_code() {
    let names = ["north", "south", "west"];
    let mut parties = banks(&names, "").await;
    let more = [
        (json!({"method": "average", "trainer": "forest"}), "UNSUPPORTED_PLAN"),
        (json!({"method": "average", "aggregation": "plain", "max_rounds": 3}), "NOT_ALLOWED"),
    ];
    for (more, expected) in more {
        let id = parties[0].submit(job(&names, more.clone())).await.unwrap();
        let error = parties[0].wait(&id).await.error.unwrap();
        assert_eq!(error.name, expected, "{more}: {}", error.cause);
    }
    parties[1].publish("south", "id,a,b,y\n1,2,3,0\n2,5,1,1\n3,2,2,0\n", "y").await.unwrap();
    let id = parties[0].submit(job(&names, json!({}))).await.unwrap();
    let error = parties[0].wait(&id).await.error.unwrap();
    assert_eq!((error.name.as_str(), error.party), ("MISSING_COLUMN", world::party_id("south").to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_without_rows_bins_and_averages() {
    let names = ["hub", "north", "south", "west"];
    let mut parties = banks(&names, "").await;
    let others: Vec<_> = names[1..].iter().map(|p| json!({"party": p, "dataset": p})).collect();
    let bins = json!({
        "kind": "pool", "method": "bins", "coordinator": "only", "columns": ["a", "b", "c"], "split": "none",
        "purpose": "origination", "bins": 5, "collaborator": others,
    });
    let id = parties[0].submit(bins).await.unwrap();
    let ended = parties[0].wait(&id).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    let result = parties[0].result(&id).await;
    for column in result["bins"].as_array().unwrap() {
        let rows = |b: &Value| b["good"].as_u64().unwrap() + b["bad"].as_u64().unwrap();
        let bins = column["bins"].as_array().unwrap();
        assert!(bins.len() > 1 && bins.len() <= 5);
        assert_eq!(bins.iter().map(rows).sum::<u64>(), 1200);
        assert!(column["iv"].as_f64().unwrap() > 0.0);
    }
    let average = json!({
        "kind": "pool", "method": "average", "coordinator": "only", "columns": ["a", "b", "c"], "epochs": 3,
        "proximal": 0.01, "max_rounds": 8, "purpose": "origination", "collaborator": others,
    });
    let id = parties[0].submit(average).await.unwrap();
    let ended = parties[0].wait(&id).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    let result = parties[0].result(&id).await;
    let sign = |name: &str| result["coefficients"][name].as_f64().unwrap().signum();
    assert_eq!((sign("a"), sign("b"), sign("c")), (1.0, -1.0, 1.0), "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_vectors_are_summed_exactly() {
    let names = ["north", "south", "west"];
    let mut parties = banks(&names, "").await;
    for (k, party) in (1..).zip(&parties) {
        let folder = party.state().join("vectors");
        std::fs::create_dir_all(&folder).unwrap();
        let bytes: Vec<u8> = (0..1000).flat_map(|i| (f64::from(i * k) / 8.0 - 100.0).to_le_bytes()).collect();
        std::fs::write(folder.join(format!("{}.f64", party.alias)), bytes).unwrap();
    }
    let id = parties[0].submit(job(&names, json!({"method": "vector", "values": 1000, "clip": 10}))).await.unwrap();
    let ended = parties[0].wait(&id).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    let file = parties[0].state().join("vectors").join(format!("{id}.f64"));
    let sum: Vec<f64> =
        std::fs::read(file).unwrap().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    assert!(sum.iter().zip(0..).all(|(s, i)| *s == f64::from(i * 6) / 8.0 - 300.0));

    let id = parties[0].submit(job(&names, json!({"method": "vector", "values": 1000, "clip": 4}))).await.unwrap();
    assert_eq!(parties[0].wait(&id).await.error.unwrap().name, "BEYOND_CLIP");
}

// clause: CAT-6
#[tokio::test(flavor = "multi_thread")]
async fn a_pooled_job_waits_for_every_steward() {
    let names = ["north", "south", "west"];
    let mut parties = vec![Party::start("north", "").await];
    for name in &names[1..] {
        parties.push(Party::start(name, &world::allow_unapproved("north", name)).await);
    }
    introduce(&mut parties).await;
    for (k, party) in (0u32..).zip(&mut parties) {
        let name = party.alias.clone();
        party.publish(&name, &rows(k * 400, (k + 1) * 400), "y").await.unwrap();
    }
    let id = parties[0].submit(job(&names, json!({}))).await.unwrap();
    let waiting = parties[0].control.wait_until(&id, |job| job.state == "AWAITING_APPROVAL").await;
    assert_eq!(waiting.state, "AWAITING_APPROVAL", "{:?}", waiting.error);
    for party in &mut parties[1..] {
        let name = party.alias.clone();
        party.control.approve(&name, "north").await;
    }
    let ended = parties[0].wait(&id).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    close(&parties[0].result(&id).await, &central(1200), 1e-6);
    for party in &mut parties[1..] {
        assert_eq!(party.wait_as_collaborator(&id).await.state, "SUCCEEDED");
    }
}

/// A schema of the table whose label is described so.
fn schema(label: &str) -> Vec<u8> {
    let number = json!({"type": "number"});
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "x-grain": {"name": "enterprise", "key": ["id"]},
        "required": ["id", "a", "b", "c", "y"],
        "properties": {
            "id": {"type": "string"}, "a": number, "b": number, "c": number,
            "y": {"type": "integer", "enum": [0, 1], "title": label},
        },
    });
    serde_json::to_vec(&schema).unwrap()
}

// clause: AGG-7
#[tokio::test(flavor = "multi_thread")]
async fn labels_of_another_meaning_are_not_pooled() {
    let names = ["north", "south", "west"];
    let mut parties = banks(&names, "").await;
    let meanings = ["default in 12 months", "default in 6 months", "default in 12 months"];
    for ((k, party), meaning) in (0u32..).zip(&mut parties).zip(meanings) {
        let path = party.folder.path().join("described.csv");
        std::fs::write(&path, rows(k * 400, (k + 1) * 400)).unwrap();
        let request = hefu_proto::control::PublishDatasetRequest {
            name: party.alias.clone(),
            path: path.to_str().unwrap().into(),
            key: "id".into(),
            label: "y".into(),
            schema: schema(meaning),
            steward: "risk office".into(),
            ..Default::default()
        };
        party.control.datasets.publish_dataset(request).await.unwrap();
    }
    let id = parties[0].submit(job(&names, json!({}))).await.unwrap();
    let error = parties[0].wait(&id).await.error.unwrap();
    assert_eq!((error.name.as_str(), error.party), ("LABEL_MISMATCH", world::party_id("south").to_string()));
}

// clause: CAT-5
#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_that_serves_another_purpose_is_not_pooled() {
    let names = ["north", "south", "west"];
    let mut parties = banks(&names, "").await;
    let path = parties[1].folder.path().join("other.csv");
    std::fs::write(&path, rows(400, 800)).unwrap();
    let request = hefu_proto::control::PublishDatasetRequest {
        name: "south".into(),
        path: path.to_str().unwrap().into(),
        key: "id".into(),
        label: "y".into(),
        purposes: vec!["fraud".into()],
        ..Default::default()
    };
    parties[1].control.datasets.publish_dataset(request).await.unwrap();
    let id = parties[0].submit(job(&names, json!({}))).await.unwrap();
    assert_eq!(parties[0].wait(&id).await.error.unwrap().name, "NOT_ALLOWED");
}
