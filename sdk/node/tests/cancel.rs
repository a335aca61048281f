//! A job that its owner cancels, in every stage: both sides stop, the peer is told, the next job runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#[path = "world/delay.rs"]
mod delay;
mod world;

use delay::DelayProxy;
use hefu_proto::control as proto;
use serde_json::{Value, json};
use std::time::Duration;
use world::table::tables;
use world::{Party, allow, code_of, party_id, train_job};

/// Long enough that a stage of one round trip can be seen, short enough that training ends.
const DELAY: Duration = Duration::from_millis(20);
const ONE_JOB: &str = "[limits]\nmax_jobs = 1\n";

/// A bank, and a tax bureau behind a long link, each with place for one job.
async fn world() -> (Party, Party, DelayProxy) {
    let proxy = DelayProxy::start(DELAY).await.unwrap();
    let (folder, _) = world::prepare("tax", "");
    let text =
        world::toml("tax", &format!("endpoint = \"https://{}\"\n{ONE_JOB}{}", proxy.address(), allow("bank", "tax")));
    let config = hefu_node::NodeConfig::parse(&text, folder.path()).unwrap();
    let mut tax = Party::start_in(folder, config, "tax").await;
    proxy.lead_to(tax.node.interconnect());
    let mut bank = Party::start("bank", ONE_JOB).await;
    bank.trust(&tax).await;
    tax.trust(&bank).await;
    let tables = tables(3000, 5);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    (bank, tax, proxy)
}

/// Submits a job as soon as both sides have a place for it: an ended one gives its place back just after it shows its
/// end.
async fn submit(bank: &mut Party, tax: &mut Party, job: &Value) -> String {
    for _ in 0..100 {
        let status = tax.control.nodes.get_status(proto::GetStatusRequest {}).await.unwrap().into_inner();
        if status.running_jobs == 0 {
            match bank.submit(job.clone()).await {
                Ok(job) => return job,
                Err(status) => assert_eq!(code_of(&status), Some(hefu_core::Code::TooManyJobs)),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a cancelled job keeps its place");
}

/// Cancels a job when a stage has begun; both sides must end as cancelled.
async fn cancel_in(bank: &mut Party, tax: &mut Party, job: &Value, stage: &str) {
    let id = submit(bank, tax, job).await;
    let seen = bank.control.wait_until(&id, |job| job.stage == stage).await;
    assert_eq!((seen.state.as_str(), seen.stage.as_str()), ("RUNNING", stage));
    bank.control.jobs.cancel_job(proto::CancelJobRequest { job: id.clone() }).await.unwrap();
    assert_eq!(bank.wait(&id).await.state, "CANCELLED", "{stage}");
    let told = tax.wait_as_collaborator(&id).await;
    assert_eq!(
        (told.state.as_str(), told.error.unwrap().party),
        ("CANCELLED", party_id("bank").to_string()),
        "{stage}"
    );
}

// clause: SESS-18
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_cancelled_in_every_stage_and_the_next_one_runs() {
    let (mut bank, mut tax, _proxy) = world().await;
    let train = train_job(&["tax"]);
    for stage in ["align", "train", "evaluate"] {
        cancel_in(&mut bank, &mut tax, &train, stage).await;
    }
    assert!(bank.model_files().is_empty() && tax.model_files().is_empty());
    let id = submit(&mut bank, &mut tax, &train).await;
    let trained = bank.wait(&id).await;
    assert_eq!(trained.state, "SUCCEEDED", "{:?}", trained.error);
    let score = json!({
        "kind": "score", "dataset": "loans", "purpose": "origination", "outputs": ["score"], "model": trained.model,
        "collaborator": [{"party": "tax", "dataset": "tax"}],
    });
    cancel_in(&mut bank, &mut tax, &score, "score").await;
    let id = submit(&mut bank, &mut tax, &score).await;
    assert_eq!(bank.wait(&id).await.state, "SUCCEEDED");
}

// clause: SESS-18
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_cancelled_by_its_collaborator() {
    let (mut bank, mut tax, _proxy) = world().await;
    let id = submit(&mut bank, &mut tax, &train_job(&["tax"])).await;
    let request = proto::GetJobRequest { job: id.clone() };
    while tax.control.jobs.get_job(request.clone()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tax.control.wait_until(&id, |job| job.stage == "train").await;
    tax.control.jobs.cancel_job(proto::CancelJobRequest { job: id.clone() }).await.unwrap();
    let ended = bank.wait(&id).await;
    assert_eq!((ended.state.as_str(), ended.error.unwrap().party), ("CANCELLED", party_id("tax").to_string()));
    assert_eq!(tax.wait_as_collaborator(&id).await.state, "CANCELLED");
    let id = submit(&mut bank, &mut tax, &train_job(&["tax"])).await;
    assert_eq!(bank.wait(&id).await.state, "SUCCEEDED");
    // Neither was told what it had said itself.
    let logs = [bank.log.lock().unwrap().join("\n"), tax.log.lock().unwrap().join("\n")];
    assert!(logs.iter().all(|log| !log.contains("refused Abort")), "{logs:?}");
}
