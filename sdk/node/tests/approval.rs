//! The first use of a dataset waits for its steward; approval, refusal, expiry, revocation, withdrawal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_core::Code;
use hefu_proto::control as proto;
use serde_json::json;
use world::table::tables;
use world::{Party, allow, allow_unapproved, code_of, introduce, party_id, train_job};

fn align_job(with: &[&str]) -> serde_json::Value {
    let collaborators: Vec<_> = with.iter().map(|p| json!({"party": p, "dataset": p})).collect();
    json!({"kind": "align", "dataset": "loans", "purpose": "origination", "collaborator": collaborators})
}

/// A bank and a tax office whose steward has not approved yet, all published.
async fn pair(bank: &str, tax: &str, rows: usize) -> (Party, Party) {
    let mut parties = [
        Party::start("bank", bank).await,
        Party::start("tax", &format!("{tax}{}", allow_unapproved("bank", "tax"))).await,
    ];
    introduce(&mut parties).await;
    let [mut bank, mut tax] = parties;
    let tables = tables(rows, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    (bank, tax)
}

async fn uses(party: &mut Party, dataset: &str) -> Vec<proto::Use> {
    let request = proto::GetUsageRequest { name: dataset.into() };
    party.control.datasets.get_usage(request).await.unwrap().into_inner().uses
}

// clause: CAT-6, CAT-10
#[tokio::test(flavor = "multi_thread")]
async fn the_first_job_waits_and_goes_on_when_the_steward_approves() {
    let (mut bank, mut tax) = pair("", "", 200).await;
    let job = bank.submit(align_job(&["tax"])).await.unwrap();
    let waiting = bank.control.wait_for(&job, "AWAITING_APPROVAL").await;
    assert_eq!(waiting.awaiting, [party_id("tax").to_string()]);
    let at_tax = tax.control.wait_for(&job, "AWAITING_APPROVAL").await;
    assert_eq!((at_tax.awaiting, at_tax.dataset.as_str()), (vec![party_id("tax").to_string()], "tax"));
    assert!(at_tax.disclosure_json.contains("learns") || !at_tax.disclosure_json.is_empty());
    let waits = vec![("tax".to_owned(), "waiting".to_owned(), job.clone())];
    assert_eq!(tax.control.approvals().await, waits);
    assert!(uses(&mut tax, "tax").await.is_empty(), "nothing was used yet");

    tax.control.approve("tax", "bank").await;
    assert_eq!(bank.wait(&job).await.state, "SUCCEEDED");
    assert_eq!(tax.wait_as_collaborator(&job).await.state, "SUCCEEDED");
    let granted = vec![("tax".to_owned(), "granted".to_owned(), String::new())];
    assert_eq!(tax.control.approvals().await, granted);
    let used = uses(&mut tax, "tax").await;
    assert_eq!((used.len(), used[0].job.as_str(), used[0].state.as_str()), (1, job.as_str(), "SUCCEEDED"));
    assert_eq!((used[0].party.as_str(), used[0].purpose.as_str()), (party_id("bank").as_str(), "origination"));

    // The second job does not wait.
    let again = bank.submit(align_job(&["tax"])).await.unwrap();
    assert_eq!(bank.wait(&again).await.state, "SUCCEEDED");
    assert_eq!(uses(&mut tax, "tax").await.len(), 2);
    let own = proto::GetOwnUsageRequest { party: "tax".into(), dataset: "tax".into() };
    let own = bank.control.catalog.get_own_usage(own).await.unwrap().into_inner().uses;
    assert_eq!(own.iter().map(|u| u.job.as_str()).collect::<Vec<_>>(), [again.as_str(), job.as_str()]);
    // Another schema is another dataset.
    let wider: String = world::table::tables(200, 1).tax.lines().map(|row| format!("{row},1\n")).collect();
    tax.publish("tax", &wider.replacen(",1\n", ",extra\n", 1), "").await.unwrap();
    let third = bank.submit(align_job(&["tax"])).await.unwrap();
    bank.control.wait_for(&third, "AWAITING_APPROVAL").await;
}

// clause: CAT-6, CAT-8
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_rejects_the_job_on_both_sides_and_every_later_one() {
    let (mut bank, mut tax) = pair("", "", 50).await;
    let job = bank.submit(align_job(&["tax"])).await.unwrap();
    tax.control.wait_for(&job, "AWAITING_APPROVAL").await;
    bank.control.wait_for(&job, "AWAITING_APPROVAL").await;
    assert_eq!(tax.control.revoke("tax", "bank").await, std::slice::from_ref(&job));
    for party in [&mut bank, &mut tax] {
        let ended = party.wait(&job).await;
        assert_eq!(ended.state, "REJECTED");
        assert_eq!((ended.error.as_ref().unwrap().code, ended.awaiting.len()), (3007, 0));
    }
    let again = bank.submit(align_job(&["tax"])).await.unwrap();
    let ended = bank.wait(&again).await;
    assert_eq!((ended.state.as_str(), ended.error.unwrap().name.as_str()), ("REJECTED", "APPROVAL_REFUSED"));
    tax.control.approve("tax", "bank").await;
    let now = bank.submit(align_job(&["tax"])).await.unwrap();
    assert_eq!(bank.wait(&now).await.state, "SUCCEEDED");
}

// clause: CAT-10
#[tokio::test(flavor = "multi_thread")]
async fn who_is_ready_waits_with_the_others() {
    let mut parties = [
        Party::start("bank", "").await,
        Party::start("tax", &allow_unapproved("bank", "tax")).await,
        Party::start("power", &allow("bank", "power")).await,
    ];
    introduce(&mut parties).await;
    let [mut bank, mut tax, mut power] = parties;
    let tables = tables(100, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    power.publish("power", &tables.power, "").await.unwrap();
    let job = bank.submit(align_job(&["power", "tax"])).await.unwrap();
    let awaited = vec![party_id("tax").to_string()];
    for party in [&mut bank, &mut power, &mut tax] {
        assert_eq!(party.control.wait_for(&job, "AWAITING_APPROVAL").await.awaiting, awaited);
    }
    assert!(power.control.approvals().await.is_empty(), "nobody waits for power");
    tax.control.approve("tax", "bank").await;
    assert_eq!(bank.wait(&job).await.state, "SUCCEEDED");
    assert_eq!(power.wait(&job).await.state, "SUCCEEDED");
    assert_eq!(tax.wait(&job).await.state, "SUCCEEDED");
}

// clause: CAT-11
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_approves_expires_on_both_sides() {
    let limit = "[limits]\napproval_timeout_s = 1\n";
    let (mut bank, mut tax) = pair(limit, limit, 50).await;
    let job = bank.submit(align_job(&["tax"])).await.unwrap();
    let at_bank = bank.wait(&job).await;
    assert_eq!((at_bank.state.as_str(), at_bank.error.unwrap().code), ("EXPIRED", 3008));
    let at_tax = tax.wait_as_collaborator(&job).await;
    assert_eq!((at_tax.state.as_str(), at_tax.error.unwrap().party), ("EXPIRED", party_id("tax").to_string()));
    assert!(tax.control.approvals().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_job_is_cancelled_on_all_sides_and_outlives_a_restart_of_the_office() {
    let (mut bank, mut tax) = pair("", "", 50).await;
    let first = bank.submit(align_job(&["tax"])).await.unwrap();
    tax.control.wait_for(&first, "AWAITING_APPROVAL").await;
    bank.control.wait_for(&first, "AWAITING_APPROVAL").await;
    bank.control.jobs.cancel_job(proto::CancelJobRequest { job: first.clone() }).await.unwrap();
    assert_eq!(bank.wait(&first).await.state, "CANCELLED");
    let at_tax = tax.wait(&first).await;
    assert_eq!((at_tax.state.as_str(), at_tax.error.unwrap().party), ("CANCELLED", party_id("bank").to_string()));

    let second = bank.submit(align_job(&["tax"])).await.unwrap();
    tax.control.wait_for(&second, "AWAITING_APPROVAL").await;
    let (folder, alias) = (tax.folder.clone(), tax.alias.clone());
    tax.node.shutdown().await;
    let text = world::toml("tax", &allow_unapproved("bank", "tax"));
    let config = hefu_node::NodeConfig::parse(&text, folder.path()).unwrap();
    let mut tax = Party::start_in(folder, config, &alias).await;
    tax.control.wait_for(&second, "AWAITING_APPROVAL").await;
    assert_eq!(tax.control.approvals().await, [("tax".to_owned(), "waiting".to_owned(), second)]);
}

// clause: SESS-13
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_changes_while_the_job_waits_ends_it_on_both_sides() {
    let (mut bank, mut tax) = pair("", "", 50).await;
    let request = proto::GetCatalogEntryRequest { party: "tax".into(), dataset: "tax".into() };
    let entry = bank.control.catalog.get_catalog_entry(request).await.unwrap().into_inner().entry.unwrap();
    let mut asked = align_job(&["tax"]);
    asked["collaborator"][0]["schema"] = json!(entry.schema);
    let job = bank.submit(asked).await.unwrap();
    tax.control.wait_for(&job, "AWAITING_APPROVAL").await;
    bank.control.wait_for(&job, "AWAITING_APPROVAL").await;
    let wider: String = tables(50, 1).tax.lines().map(|row| format!("{row},1\n")).collect();
    tax.publish("tax", &wider.replacen(",1\n", ",extra\n", 1), "").await.unwrap();
    tax.control.approve("tax", "bank").await;
    for party in [&mut bank, &mut tax] {
        assert_eq!(party.wait(&job).await.error.unwrap().name, "SCHEMA_CHANGED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_stops_takes_its_waiting_job_with_it() {
    let (mut bank, mut tax) = pair("", "", 50).await;
    let job = bank.submit(align_job(&["tax"])).await.unwrap();
    tax.control.wait_for(&job, "AWAITING_APPROVAL").await;
    bank.control.wait_for(&job, "AWAITING_APPROVAL").await;
    let Party { node, folder: _folder, .. } = bank;
    node.shutdown().await;
    let error = tax.wait(&job).await.error.unwrap();
    assert_eq!((error.name.as_str(), error.party), ("NODE_STOPPED", party_id("bank").to_string()));
    assert!(tax.control.approvals().await.is_empty());
}

/// A training of many rows, seen until its first evaluation.
async fn training(tax_entry: &str) -> (Party, Party, String) {
    let mut parties = [Party::start("bank", "").await, Party::start("tax", tax_entry).await];
    introduce(&mut parties).await;
    let [mut bank, mut tax] = parties;
    let tables = tables(12_000, 1);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    let job = bank.submit(train_job(&["tax"])).await.unwrap();
    bank.control.wait_until(&job, |job| job.stage == "train").await;
    (bank, tax, job)
}

async fn ends_revoked(bank: &mut Party, tax: &mut Party, job: &str) {
    for party in [&mut *bank, &mut *tax] {
        let ended = party.wait(job).await;
        let error = ended.error.unwrap();
        assert_eq!((ended.state.as_str(), error.name.as_str()), ("FAILED", "DATASET_REVOKED"));
        assert_eq!(error.party, party_id("tax").to_string());
        assert!(party.model_files().is_empty(), "nothing of the job is kept");
    }
}

// clause: CAT-8, SESS-18
#[tokio::test(flavor = "multi_thread")]
async fn revoking_ends_a_running_job_also_under_standing_approval() {
    let (mut bank, mut tax, job) = training(&allow("bank", "tax")).await;
    assert_eq!(tax.control.revoke("tax", "bank").await, std::slice::from_ref(&job));
    ends_revoked(&mut bank, &mut tax, &job).await;
    let again = bank.submit(align_job(&["tax"])).await.unwrap();
    let error = bank.wait(&again).await.error.unwrap();
    assert_eq!((error.name.as_str(), error.party), ("DATASET_REVOKED", party_id("tax").to_string()));
}

// clause: CAT-3, CAT-8
#[tokio::test(flavor = "multi_thread")]
async fn withdrawing_a_dataset_ends_a_running_job_and_refuses_new_ones() {
    let (mut bank, mut tax, job) = training(&allow("bank", "tax")).await;
    let request = proto::UnpublishDatasetRequest { name: "tax".into() };
    let ended = tax.control.datasets.unpublish_dataset(request.clone()).await.unwrap().into_inner().jobs;
    assert_eq!(ended, std::slice::from_ref(&job));
    ends_revoked(&mut bank, &mut tax, &job).await;
    assert_eq!(std::fs::read_dir(tax.state().join("datasets")).unwrap().count(), 0);
    let again = bank.submit(align_job(&["tax"])).await.unwrap();
    assert_eq!(bank.wait(&again).await.error.unwrap().name, "UNKNOWN_DATASET");
    assert_eq!(uses(&mut tax, "tax").await.len(), 1, "what was used stays known");
    let twice = tax.control.datasets.unpublish_dataset(request).await.unwrap_err();
    assert_eq!(code_of(&twice), Some(Code::UnknownDataset));
}
