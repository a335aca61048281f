//! A small world for tests: parties with folders, nodes, control clients, and tables with a common signal.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod peer;
pub mod table;

use hefu_core::{Code, PartyId};
use hefu_node::{Node, NodeConfig, RunningNode};
use hefu_proto::control::catalog_service_client::CatalogServiceClient;
use hefu_proto::control::dataset_service_client::DatasetServiceClient;
use hefu_proto::control::job_service_client::JobServiceClient;
use hefu_proto::control::model_service_client::ModelServiceClient;
use hefu_proto::control::node_service_client::NodeServiceClient;
use hefu_proto::control::pool_service_client::PoolServiceClient;
use hefu_proto::control::{self as proto};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tonic::transport::Channel;

/// One party: its folder, its node at work, and a client of its control side.
pub struct Party {
    pub folder: Arc<TempDir>,
    pub alias: String,
    pub node: RunningNode,
    pub control: Control,
    pub log: Arc<Mutex<Vec<String>>>,
}

/// A client of a node's control side.
#[derive(Clone)]
pub struct Control {
    pub nodes: NodeServiceClient<Channel>,
    pub datasets: DatasetServiceClient<Channel>,
    pub catalog: CatalogServiceClient<Channel>,
    pub jobs: JobServiceClient<Channel>,
    pub models: ModelServiceClient<Channel>,
    pub pool: PoolServiceClient<Channel>,
}

pub fn party_id(alias: &str) -> PartyId {
    PartyId::parse(&format!("lei:{}", alias.to_uppercase())).unwrap()
}

/// The start of a configuration with both ports chosen by the system.
pub fn toml(alias: &str, rest: &str) -> String {
    format!(
        "[party]\nid = \"{}\"\nname = \"{alias}\"\nalias = \"{alias}\"\n\
         [listen]\ninterconnect = \"127.0.0.1:0\"\ncontrol = \"127.0.0.1:0\"\n{rest}\n",
        party_id(alias)
    )
}

/// An entry that lets a party train and score on a dataset, with standing approval.
pub fn allow(party: &str, dataset: &str) -> String {
    format!("{}approved = true\n", allow_unapproved(party, dataset))
}

/// An entry under which the first use waits for the steward.
pub fn allow_unapproved(party: &str, dataset: &str) -> String {
    format!(
        "[[allow]]\nparty = \"{}\"\ndataset = \"{dataset}\"\npurpose = \"origination\"\noutputs = [\"model\", \"score\"]\n",
        party_id(party)
    )
}

/// Creates a party's folder, keys and configuration; does not start it.
pub fn prepare(alias: &str, rest: &str) -> (Arc<TempDir>, NodeConfig) {
    let folder = Arc::new(TempDir::new().unwrap());
    let config = NodeConfig::parse(&toml(alias, rest), folder.path()).unwrap();
    Node::init(&config).unwrap();
    (folder, config)
}

impl Party {
    /// Creates and starts a party; `rest` follows `[listen]` in its configuration.
    pub async fn start(alias: &str, rest: &str) -> Party {
        let (folder, config) = prepare(alias, rest);
        Self::start_in(folder, config, alias).await
    }

    pub async fn start_in(folder: Arc<TempDir>, config: NodeConfig, alias: &str) -> Party {
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = log.clone();
        let name = alias.to_owned();
        let logger = Arc::new(move |line: &str| {
            eprintln!("[{name}] {line}");
            lines.lock().unwrap().push(line.to_owned());
        });
        let node = Node::start_with(config, logger).await.unwrap();
        let control = Control::connect(&folder.path().join("state"), node.control()).await;
        Party { folder, alias: alias.to_owned(), node, control, log }
    }

    pub fn id(&self) -> PartyId {
        self.node.party().clone()
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn pool(&self) -> PoolServiceClient<Channel> {
        self.control.pool.clone()
    }

    /// Trusts another party under its alias.
    pub async fn trust(&mut self, other: &Party) {
        self.control.trust(other.node.descriptor(), &other.alias).await;
    }

    /// Writes a CSV file and publishes it under a name.
    pub async fn publish(&mut self, name: &str, csv: &str, label: &str) -> Result<proto::Dataset, tonic::Status> {
        let path = self.folder.path().join(format!("{name}-source.csv"));
        self.control.publish(&path, name, csv, label).await
    }

    pub async fn submit(&mut self, job: serde_json::Value) -> Result<String, tonic::Status> {
        self.control.submit(job).await
    }

    pub async fn wait(&mut self, job: &str) -> proto::Job {
        self.control.wait(job).await
    }

    pub async fn wait_as_collaborator(&mut self, job: &str) -> proto::Job {
        self.control.wait_as_collaborator(job).await
    }

    pub async fn result(&mut self, job: &str) -> serde_json::Value {
        self.control.result(job).await
    }

    pub async fn models(&mut self) -> Vec<String> {
        self.control.models.list_models(proto::ListModelsRequest {}).await.unwrap().into_inner().models
    }

    pub async fn model(&mut self, model: &str) -> serde_json::Value {
        let request = proto::GetModelRequest { model: model.into() };
        let json = self.control.models.get_model(request).await.unwrap().into_inner().model_json;
        serde_json::from_str(&json).unwrap()
    }

    /// Files of `models/`.
    pub fn model_files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.state().join("models")).unwrap();
        entries.map(|e| e.unwrap().file_name().to_str().unwrap().to_owned()).collect()
    }
}

impl Control {
    pub async fn connect(state: &Path, address: SocketAddr) -> Control {
        let keys = state.join("keys");
        let config = peer::client_config(&keys.join("control-ca.pem"), Some(&keys.join("control-client")));
        let (channel, _) = peer::connect(config, address, "localhost").await.unwrap();
        Control {
            nodes: NodeServiceClient::new(channel.clone()),
            datasets: DatasetServiceClient::new(channel.clone()),
            catalog: CatalogServiceClient::new(channel.clone()),
            jobs: JobServiceClient::new(channel.clone()),
            models: ModelServiceClient::new(channel.clone()),
            pool: PoolServiceClient::new(channel),
        }
    }

    pub async fn trust(&mut self, descriptor: &[u8], alias: &str) {
        let request = proto::TrustPartyRequest { descriptor: descriptor.to_vec(), alias: alias.into(), rename: false };
        self.nodes.trust_party(request).await.unwrap();
    }

    /// Writes a CSV file and publishes it under a name.
    pub async fn publish(
        &mut self,
        path: &Path,
        name: &str,
        csv: &str,
        label: &str,
    ) -> Result<proto::Dataset, tonic::Status> {
        std::fs::write(path, csv).unwrap();
        let request = proto::PublishDatasetRequest {
            name: name.into(),
            path: path.to_str().unwrap().into(),
            key: "id".into(),
            label: label.into(),
            key_format: "text".into(),
            missing: "error".into(),
            ..Default::default()
        };
        self.datasets.publish_dataset(request).await.map(|r| r.into_inner().dataset.unwrap())
    }

    /// Writes a file and publishes it as a request says, whose path it is.
    pub async fn publish_as(
        &mut self,
        path: &Path,
        text: &str,
        request: proto::PublishDatasetRequest,
    ) -> Result<proto::Dataset, tonic::Status> {
        std::fs::write(path, text).unwrap();
        let request = proto::PublishDatasetRequest { path: path.to_str().unwrap().into(), ..request };
        self.datasets.publish_dataset(request).await.map(|r| r.into_inner().dataset.unwrap())
    }

    /// What waits for a steward, or was decided: dataset, state, job.
    pub async fn approvals(&mut self) -> Vec<(String, String, String)> {
        let answer = self.datasets.list_approvals(proto::ListApprovalsRequest {}).await.unwrap().into_inner();
        answer.approvals.into_iter().map(|a| (a.dataset, a.state, a.job)).collect()
    }

    pub async fn approve(&mut self, dataset: &str, party: &str) {
        let request = proto::ApproveUseRequest { dataset: dataset.into(), party: party.into() };
        self.datasets.approve_use(request).await.unwrap();
    }

    /// Refuses or revokes; answers the jobs that end by it.
    pub async fn revoke(&mut self, dataset: &str, party: &str) -> Vec<String> {
        let request = proto::RevokeUseRequest { dataset: dataset.into(), party: party.into() };
        self.datasets.revoke_use(request).await.unwrap().into_inner().jobs
    }

    pub async fn submit(&mut self, job: serde_json::Value) -> Result<String, tonic::Status> {
        let request = proto::SubmitJobRequest { job_json: job.to_string() };
        self.jobs.submit_job(request).await.map(|r| r.into_inner().job)
    }

    /// Follows a job to its end.
    pub async fn wait(&mut self, job: &str) -> proto::Job {
        self.wait_until(job, |_| false).await
    }

    /// Follows a job until a state is reached, or its end.
    pub async fn wait_until(&mut self, job: &str, reached: impl Fn(&proto::Job) -> bool) -> proto::Job {
        let request = proto::WatchJobRequest { job: job.into() };
        let mut stream = self.jobs.watch_job(request).await.unwrap().into_inner();
        let mut last = None;
        while let Some(message) = stream.message().await.unwrap() {
            last = message.job;
            if last.as_ref().is_some_and(&reached) {
                break;
            }
        }
        last.unwrap()
    }

    /// Waits until this party knows a job and it has ended.
    pub async fn wait_as_collaborator(&mut self, job: &str) -> proto::Job {
        self.known(job).await;
        self.wait(job).await
    }

    /// Waits until this party knows a job and it has a state.
    pub async fn wait_for(&mut self, job: &str, state: &str) -> proto::Job {
        self.known(job).await;
        let reached = self.wait_until(job, |job| job.state == state).await;
        assert_eq!(reached.state, state, "{:?}", reached.error);
        reached
    }

    async fn known(&mut self, job: &str) {
        loop {
            let request = proto::GetJobRequest { job: job.into() };
            if self.jobs.get_job(request).await.is_ok() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub async fn result(&mut self, job: &str) -> serde_json::Value {
        let request = proto::GetResultRequest { job: job.into() };
        let json = self.jobs.get_result(request).await.unwrap().into_inner().result_json;
        serde_json::from_str(&json).unwrap()
    }
}

/// Every party trusts every other.
pub async fn introduce(parties: &mut [Party]) {
    for i in 0..parties.len() {
        for j in 0..parties.len() {
            if i != j {
                let (descriptor, alias) = (parties[j].node.descriptor().to_vec(), parties[j].alias.clone());
                let request = proto::TrustPartyRequest { descriptor, alias, rename: false };
                parties[i].control.nodes.trust_party(request).await.unwrap();
            }
        }
    }
}

/// The registered code of a refused call.
pub fn code_of(status: &tonic::Status) -> Option<Code> {
    detail_of(status).and_then(|detail| Code::from_number(detail.code))
}

/// The detail of a refused call, decoded without the node's own code.
pub fn detail_of(status: &tonic::Status) -> Option<hefu_proto::v1::ErrorDetail> {
    use prost::Message;
    #[derive(Clone, PartialEq, prost::Message)]
    struct RichStatus {
        #[prost(message, repeated, tag = "3")]
        details: Vec<AnyMessage>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct AnyMessage {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        value: Vec<u8>,
    }
    let rich = RichStatus::decode(status.details()).ok()?;
    let any = rich.details.first()?;
    assert_eq!(any.type_url, "type.googleapis.com/hefu.v1.ErrorDetail");
    hefu_proto::v1::ErrorDetail::decode(any.value.as_slice()).ok()
}

/// A training job of the dataset `loans` with the given parties, each with a dataset of its own name.
pub fn train_job(with: &[&str]) -> serde_json::Value {
    let collaborators: Vec<_> = with.iter().map(|p| serde_json::json!({"party": p, "dataset": p})).collect();
    serde_json::json!({
        "kind": "train", "dataset": "loans", "purpose": "origination", "outputs": ["model", "score"],
        "join": "inner", "missing": "error", "lambda": 1.0, "max_evaluations": 40, "collaborator": collaborators,
    })
}
