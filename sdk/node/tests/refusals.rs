//! Jobs that end early, each with code, party and place on every side, and nothing half written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_core::Code;
use hefu_proto::control as proto;
use serde_json::json;
use world::table::{Tables, tables};
use world::{Party, allow, code_of, detail_of, introduce, party_id, train_job};

async fn pair(bank: &str, tax: &str) -> (Party, Party) {
    let mut parties = [Party::start("bank", bank).await, Party::start("tax", tax).await];
    introduce(&mut parties).await;
    let [bank, tax] = parties;
    (bank, tax)
}

/// How a job of these tables ends: the bank's error and the collaborator's.
async fn errors(bank: &mut Party, tax: &mut Party, tables: &Tables) -> (proto::Error, proto::Error) {
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    let job = bank.submit(train_job(&["tax"])).await.unwrap();
    let (at_bank, at_tax) = (bank.wait(&job).await, tax.wait_as_collaborator(&job).await);
    assert_eq!((at_bank.state.as_str(), at_tax.state.as_str()), ("FAILED", "FAILED"));
    for party in [bank, tax] {
        assert!(party.model_files().is_empty() && party.models().await.is_empty());
    }
    (at_bank.error.unwrap(), at_tax.error.unwrap())
}

/// The column after `name`, given one value.
fn constant(csv: &str, name: &str) -> String {
    let column = csv.lines().next().unwrap().split(',').position(|c| c == name).unwrap();
    let rows = csv.lines().enumerate().map(|(line, row)| {
        let mut cells: Vec<&str> = row.split(',').collect();
        if line > 0 {
            cells[column] = "2.5";
        }
        cells.join(",")
    });
    rows.collect::<Vec<_>>().join("\n")
}

// clause: VLR-1
#[tokio::test(flavor = "multi_thread")]
async fn a_constant_column_is_named_where_it_is_and_nowhere_else() {
    let (mut bank, mut tax) = pair("", &allow("bank", "tax")).await;
    let mut tables = tables(2000, 1);
    tables.tax = constant(&tables.tax, "paid");
    let (at_bank, at_tax) = errors(&mut bank, &mut tax, &tables).await;
    assert_eq!((at_bank.code, at_bank.party), (6005, party_id("tax").to_string()));
    assert!(at_bank.place.is_empty(), "the other party's columns are not told");
    assert_eq!((at_tax.code, at_tax.place.as_str()), (6005, "tax, column paid"));
}

// clause: VLR-2
#[tokio::test(flavor = "multi_thread")]
async fn too_few_rows_for_the_columns() {
    let (mut bank, mut tax) = pair("", &allow("bank", "tax")).await;
    let (at_bank, at_tax) = errors(&mut bank, &mut tax, &tables(200, 1)).await;
    assert_eq!((at_bank.code, at_tax.code), (6010, 6010));
}

// clause: VLR-2
#[tokio::test(flavor = "multi_thread")]
async fn few_rows_are_permitted_by_either_office() {
    let permit = "permit = [\"few-rows\", \"rare-values\"]\n";
    let own = format!("{}{permit}", allow("bank", "loans"));
    let (mut bank, mut tax) = pair(&own, &format!("{}{permit}", allow("bank", "tax"))).await;
    let tables = tables(200, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    let job = bank.submit(train_job(&["tax"])).await.unwrap();
    let ended = bank.wait(&job).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
}

// clause: VLR-4
#[tokio::test(flavor = "multi_thread")]
async fn too_few_columns_of_a_collaborator() {
    let (mut bank, mut tax) = pair("", &allow("bank", "tax")).await;
    let mut tables = tables(2000, 1);
    tables.tax = tables.tax.lines().map(|row| row.rsplit_once(',').unwrap().0.to_owned() + "\n").collect();
    let (at_bank, at_tax) = errors(&mut bank, &mut tax, &tables).await;
    assert_eq!((at_bank.code, at_bank.party), (6011, party_id("tax").to_string()));
    assert_eq!(at_tax.code, 6011);
}

// clause: ALIGN-9
#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_common() {
    let (mut bank, mut tax) = pair("", &allow("bank", "tax")).await;
    let mut tables = tables(300, 1);
    tables.tax = tables.tax.replace("\nE", "\nF");
    let (at_bank, at_tax) = errors(&mut bank, &mut tax, &tables).await;
    assert_eq!((at_bank.code, at_tax.code), (6009, 6009));
}

// clause: ALIGN-11
#[tokio::test(flavor = "multi_thread")]
async fn fewer_matched_rows_than_the_office_wants() {
    let (mut bank, mut tax) = pair("", &format!("{}min_rows = 5000\n", allow("bank", "tax"))).await;
    let (at_bank, _) = errors(&mut bank, &mut tax, &tables(2000, 1)).await;
    assert_eq!((at_bank.code, at_bank.party), (6010, party_id("tax").to_string()));
}

// clause: SESS-12
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_not_allowed_fails_at_the_bank_and_never_begins_at_the_office() {
    let (mut bank, mut tax) = pair("", "").await;
    let tables = tables(300, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    let job = bank.submit(train_job(&["tax"])).await.unwrap();
    let error = bank.wait(&job).await.error.unwrap();
    assert_eq!((error.code, error.name.as_str()), (3001, "NOT_ALLOWED"));
    assert!(error.next.contains("allow") || !error.next.is_empty());
    let request = proto::GetJobRequest { job };
    let unknown = tax.control.jobs.get_job(request).await.unwrap_err();
    assert_eq!(code_of(&unknown), Some(Code::UnknownJob));
    // Who has refused an offer holds no session, and is told of none.
    let log = tax.log.lock().unwrap().join("\n");
    assert!(log.contains("refused Open") && !log.contains("Abort"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_refused_with_its_place() {
    let mut bank = Party::start("bank", "").await;
    let cases = [
        ("id,y,x\nE1,0,1\nE2,1,abc\n", "y", Code::NotANumber, "loans, row 2, column x"),
        ("id,y,x\nE1,0,1\nE2,1,\n", "y", Code::EmptyCell, "loans, row 2, column x"),
        ("id,y,x\nE1,2,1\n", "y", Code::BadLabel, "loans, row 1, column y"),
        ("id,x\nE1,1\n", "y", Code::MissingColumn, "loans, column y"),
        ("key,x\nE1,1\n", "", Code::MissingColumn, "loans, column id"),
        ("id,x\n", "", Code::EmptyFile, "loans"),
        ("id,x\n,1\n", "", Code::NoValidKey, "loans, column id"),
    ];
    for (csv, label, code, place) in cases {
        let status = bank.publish("loans", csv, label).await.unwrap_err();
        let detail = detail_of(&status).unwrap();
        assert_eq!((code_of(&status), detail.place.as_str()), (Some(code), place), "{csv}");
        assert!(!detail.cause.contains("abc") && !detail.next.is_empty());
    }
    let files: Vec<_> = std::fs::read_dir(bank.state().join("datasets")).unwrap().collect();
    assert!(files.is_empty(), "{files:?}");
    let status = bank.publish("../etc", "id,x\nE1,1\n", "").await.unwrap_err();
    assert_eq!(code_of(&status), Some(Code::Configuration));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_file_that_cannot_run_is_refused_at_once() {
    let (mut bank, _tax) = pair("", "").await;
    bank.publish("loans", &tables(50, 1).bank, "y").await.unwrap();
    bank.publish("plain", &tables(50, 1).bank, "").await.unwrap();
    let change = |key: &str, value: serde_json::Value| {
        let mut job = train_job(&["tax"]);
        job[key] = value;
        job
    };
    let cases = [
        (change("dataset", json!("none")), Code::UnknownDataset),
        (change("dataset", json!("plain")), Code::MissingColumn),
        (change("collaborator", json!([{"party": "power", "dataset": "power"}])), Code::UnknownParty),
        (change("collaborator", json!([])), Code::Configuration),
        (change("lambda", json!(-1.0)), Code::Configuration),
        (change("max_evaluations", json!(0)), Code::Configuration),
        (change("purpose", json!("curiosity")), Code::Configuration),
        (change("colaborator", json!(1)), Code::Configuration),
        (change("model", json!("00".repeat(16))), Code::Configuration),
    ];
    for (job, code) in cases {
        let status = bank.submit(job.clone()).await.unwrap_err();
        assert_eq!(code_of(&status), Some(code), "{job}");
    }
    let mut score = train_job(&["tax"]);
    score["kind"] = json!("score");
    score["model"] = json!("00".repeat(16));
    assert_eq!(code_of(&bank.submit(score).await.unwrap_err()), Some(Code::UnknownModel));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_ends_on_all_sides() {
    let (mut bank, mut tax) = pair("", &allow("bank", "tax")).await;
    let tables = tables(12_000, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    let job = bank.submit(train_job(&["tax"])).await.unwrap();
    bank.control.wait_until(&job, |job| job.stage == "align").await;
    let cancelled = bank.control.jobs.cancel_job(proto::CancelJobRequest { job: job.clone() }).await.unwrap();
    assert_eq!(cancelled.into_inner().job.unwrap().state, "CANCELLED");
    let at_tax = tax.wait_as_collaborator(&job).await;
    assert_eq!((at_tax.state.as_str(), at_tax.error.unwrap().party), ("CANCELLED", party_id("bank").to_string()));
    let result = bank.control.jobs.get_result(proto::GetResultRequest { job: job.clone() }).await.unwrap_err();
    assert_eq!(code_of(&result), Some(Code::WrongState));
    let again = bank.control.jobs.cancel_job(proto::CancelJobRequest { job }).await.unwrap_err();
    assert_eq!(code_of(&again), Some(Code::WrongState));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_says_so() {
    let (mut bank, mut tax) = pair("", &allow("bank", "tax")).await;
    let tables = tables(12_000, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    let job = bank.submit(train_job(&["tax"])).await.unwrap();
    bank.control.wait_until(&job, |job| job.stage == "align").await;
    let Party { node, folder: _folder, .. } = tax;
    node.shutdown().await;
    let error = bank.wait(&job).await.error.unwrap();
    assert_eq!((error.code, error.party), (4011, party_id("tax").to_string()));
}

// clause: SCORE-1, SCORE-2, SCORE-5
#[tokio::test(flavor = "multi_thread")]
async fn scores_go_to_the_models_owner_and_within_the_budget() {
    let entry = |party: &str| format!("{}score_rows = 2500\n", allow(party, "tax"));
    let mut parties = [
        Party::start("bank", &allow("rival", "loans")).await,
        Party::start("tax", &format!("{}{}", entry("bank"), entry("rival"))).await,
        Party::start("rival", "").await,
    ];
    introduce(&mut parties).await;
    let [mut bank, mut tax, mut rival] = parties;
    let tables = tables(2000, 5);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    rival.publish("loans", &tables.bank, "y").await.unwrap();
    let job = bank.submit(train_job(&["tax"])).await.unwrap();
    let model = bank.wait(&job).await.model;
    let score = |model: &str| {
        json!({
            "kind": "score", "dataset": "loans", "purpose": "origination", "model": model,
            "collaborator": [{"party": "tax", "dataset": "tax"}],
        })
    };
    let job = bank.submit(score(&model)).await.unwrap();
    assert_eq!(bank.wait(&job).await.state, "SUCCEEDED");
    let job = bank.submit(score(&model)).await.unwrap();
    let error = bank.wait(&job).await.error.unwrap();
    assert_eq!((error.code, error.party), (3005, party_id("tax").to_string()));
    // A rival that got hold of the owner's part is still no owner.
    let file = format!("{model}.json");
    let mut part = bank.model(&model).await;
    part["owner"] = json!(party_id("rival"));
    part["parties"] = json!([party_id("rival"), party_id("tax")]);
    std::fs::write(rival.state().join("models").join(&file), part.to_string()).unwrap();
    let job = rival.submit(score(&model)).await.unwrap();
    let error = rival.wait(&job).await.error.unwrap();
    assert_eq!((error.code, error.name.as_str()), (3003, "NOT_MODEL_OWNER"));
    // A part that is gone is an unknown model.
    std::fs::remove_file(tax.state().join("models").join(&file)).unwrap();
    let job = bank.submit(score(&model)).await.unwrap();
    assert_eq!(bank.wait(&job).await.error.unwrap().code, 6014);
}

// clause: SESS-18
#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_be_written_ends_the_job_on_both_sides() {
    let (mut bank, mut tax) = pair("", &allow("bank", "tax")).await;
    // Nobody can write into a folder that is a file.
    std::fs::remove_dir(tax.state().join("models")).unwrap();
    std::fs::write(tax.state().join("models"), b"").unwrap();
    let tables = tables(2000, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    let job = bank.submit(train_job(&["tax"])).await.unwrap();
    let error = bank.wait(&job).await.error.unwrap();
    assert_eq!((error.code, error.party), (7004, party_id("tax").to_string()));
    assert_eq!(tax.wait_as_collaborator(&job).await.error.unwrap().code, 7004);
    assert!(bank.model_files().is_empty() && bank.models().await.is_empty() && tax.models().await.is_empty());
}
