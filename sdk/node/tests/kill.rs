//! A node that is killed in the middle of a job: real processes, `kill -9`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_node::{Node, NodeConfig};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use world::table::tables;
use world::{Control, Party, allow, party_id, toml, train_job};

/// Names the configuration of a node that this test binary shall be.
const CHILD: &str = "HEFU_TEST_NODE";

/// Not a test of its own: what [`Remote::start`] runs in another process.
#[test]
fn child_node() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let _node = Node::start(NodeConfig::load(Path::new(&path)).unwrap()).await.unwrap();
        std::future::pending::<()>().await;
    });
}

/// A node in a process of its own.
struct Remote {
    folder: Arc<TempDir>,
    child: Child,
    control: Control,
}

impl Remote {
    async fn start(alias: &str, rest: &str) -> Remote {
        let folder = Arc::new(TempDir::new().unwrap());
        let path = folder.path().join("node.toml");
        std::fs::write(&path, toml(alias, rest)).unwrap();
        Node::init(&NodeConfig::load(&path).unwrap()).unwrap();
        Self::start_in(folder).await
    }

    async fn start_in(folder: Arc<TempDir>) -> Remote {
        let address = folder.path().join("state/address.json");
        let _ = std::fs::remove_file(&address);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_node", "--nocapture"])
            .env(CHILD, folder.path().join("node.toml"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let json = loop {
            match std::fs::read(&address) {
                Ok(json) => break json,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            }
        };
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let state = folder.path().join("state");
        let control = Control::connect(&state, json["control"].as_str().unwrap().parse().unwrap()).await;
        Remote { folder, child, control }
    }

    fn descriptor(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("state/party.json")).unwrap()
    }

    /// Stops the process where it stands: its connections stay open.
    fn freeze(&self) {
        let pid = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: a signal to a child of this process that was not waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGSTOP) }, 0);
    }

    /// `kill -9`, and the end of the process.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn model_files(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("state/models")).unwrap().count()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether training is under way.
fn trains(job: &hefu_proto::control::Job) -> bool {
    job.stage == "train" && job.done > 0
}

/// A tax bureau in a process of its own, a bank and a power company here, all trusted and published.
async fn three_parties(bank_limits: &str, seed: u64) -> (Remote, Party, Party) {
    let mut tax = Remote::start("tax", &allow("bank", "tax")).await;
    let mut bank = Party::start("bank", bank_limits).await;
    let mut power = Party::start("power", &allow("bank", "power")).await;
    bank.trust(&power).await;
    power.trust(&bank).await;
    tax.control.trust(bank.node.descriptor(), "bank").await;
    tax.control.trust(power.node.descriptor(), "power").await;
    for party in [&mut bank, &mut power] {
        party.control.trust(&tax.descriptor(), "tax").await;
    }
    let tables = tables(12_000, seed);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    power.publish("power", &tables.power, "").await.unwrap();
    tax.control.publish(&tax.folder.path().join("tax.csv"), "tax", &tables.tax, "").await.unwrap();
    (tax, bank, power)
}

// clause: SESS-18
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_collaborator_ends_the_job_on_all_sides() {
    let (mut tax, mut bank, mut power) = three_parties("", 7).await;

    let job = bank.submit(train_job(&["tax", "power"])).await.unwrap();
    assert_eq!(bank.control.wait_until(&job, trains).await.state, "RUNNING");
    tax.kill();
    for party in [&mut bank, &mut power] {
        let ended = party.wait_as_collaborator(&job).await;
        let error = ended.error.unwrap();
        assert_eq!((ended.state.as_str(), error.code), ("FAILED", 1003), "{error:?}");
        assert_eq!(error.party, party_id("tax").to_string());
        assert!(party.model_files().is_empty() && party.models().await.is_empty());
    }

    // The killed node finds its own end when it comes back, and works again.
    assert_eq!(tax.model_files(), 0);
    let mut tax = Remote::start_in(tax.folder.clone()).await;
    let ended = tax.control.wait_as_collaborator(&job).await;
    assert_eq!((ended.state.as_str(), ended.error.unwrap().code), ("FAILED", 4011));
    for party in [&mut bank, &mut power] {
        party.control.trust(&tax.descriptor(), "tax").await;
    }
    let job = bank.submit(train_job(&["tax", "power"])).await.unwrap();
    let ended = bank.wait(&job).await;
    assert_eq!(ended.state, "SUCCEEDED", "{:?}", ended.error);
    assert_eq!(tax.model_files(), 1);
}

// clause: SESS-18
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_initiator_ends_the_job_at_its_collaborators() {
    let mut bank = Remote::start("bank", "").await;
    let mut tax = Party::start("tax", &allow("bank", "tax")).await;
    tax.control.trust(&bank.descriptor(), "bank").await;
    bank.control.trust(tax.node.descriptor(), "tax").await;
    let tables = tables(12_000, 8);
    bank.control.publish(&bank.folder.path().join("loans.csv"), "loans", &tables.bank, "y").await.unwrap();
    tax.publish("tax", &tables.tax, "").await.unwrap();
    let job = bank.control.submit(train_job(&["tax"])).await.unwrap();
    assert_eq!(bank.control.wait_until(&job, trains).await.state, "RUNNING");
    bank.kill();
    let ended = tax.wait_as_collaborator(&job).await;
    let error = ended.error.unwrap();
    assert_eq!((ended.state.as_str(), error.code, error.party), ("FAILED", 1003, party_id("bank").to_string()));
    assert!(tax.model_files().is_empty());
    let mut bank = Remote::start_in(bank.folder.clone()).await;
    assert_eq!(bank.control.wait(&job).await.error.unwrap().code, 4011);
    assert_eq!(bank.model_files(), 0);
}

// clause: FRAME-12
#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_collaborator_is_named_as_slow() {
    let mut tax = Remote::start("tax", &allow("bank", "tax")).await;
    let mut bank = Party::start("bank", "[limits]\nidle_timeout_s = 2\n").await;
    tax.control.trust(bank.node.descriptor(), "bank").await;
    bank.control.trust(&tax.descriptor(), "tax").await;
    let tables = tables(12_000, 9);
    bank.publish("loans", &tables.bank, "y").await.unwrap();
    tax.control.publish(&tax.folder.path().join("tax.csv"), "tax", &tables.tax, "").await.unwrap();
    let job = bank.submit(train_job(&["tax"])).await.unwrap();
    assert_eq!(bank.control.wait_until(&job, trains).await.state, "RUNNING");
    tax.freeze();
    let error = bank.wait(&job).await.error.unwrap();
    assert_eq!((error.code, error.party), (1002, party_id("tax").to_string()));
    assert!(bank.model_files().is_empty());
}

// clause: FRAME-12
#[tokio::test(flavor = "multi_thread")]
async fn of_two_collaborators_the_frozen_one_is_named() {
    let (tax, mut bank, mut power) = three_parties("[limits]\nidle_timeout_s = 2\n", 10).await;
    let job = bank.submit(train_job(&["power", "tax"])).await.unwrap();
    assert_eq!(bank.control.wait_until(&job, trains).await.state, "RUNNING");
    tax.freeze();
    for party in [&mut bank, &mut power] {
        let error = party.wait_as_collaborator(&job).await.error.unwrap();
        assert_eq!((error.code, error.party), (1002, party_id("tax").to_string()));
    }
}
