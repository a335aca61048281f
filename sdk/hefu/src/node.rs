//! One's own node, by its control side.
use crate::align::{Aligned, Terms};
use crate::config::Control;
use crate::dataset::{Dataset, Published};
use crate::job::{Collaborator, Job, JobPlan, JobStatus, incomplete};
use crate::result::Scores;
use crate::{Result, channel};
use hefu_proto::control;
use hefu_proto::control::catalog_service_client::CatalogServiceClient;
use hefu_proto::control::dataset_service_client::DatasetServiceClient;
use hefu_proto::control::job_service_client::JobServiceClient;
use hefu_proto::control::model_service_client::ModelServiceClient;
use hefu_proto::control::node_service_client::NodeServiceClient;
use hefu_proto::control::pool_service_client::PoolServiceClient;
use std::path::Path;
use tonic::transport::Channel;

/// Largest answer read: results hold one entry a row.
const ANSWER_BYTES: usize = 1 << 30;

/// A connection to one's own node. Clones share it.
#[derive(Debug, Clone)]
pub struct Node {
    channel: Channel,
    party: String,
    alias: String,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// Party id.
    pub party: String,
    /// The node's short name for itself.
    pub alias: String,
    /// Name and version of the program.
    pub software: String,
    /// Address of the interconnect side, as bound.
    pub interconnect: String,
    /// User and system CPU seconds of the process.
    pub cpu_seconds: f64,
    /// Largest resident size so far, MiB.
    pub peak_rss_mib: f64,
    /// Arithmetic kernels chosen at run time.
    pub backend: String,
    /// Jobs at work.
    pub running_jobs: u32,
}

/// A party that the node trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Party {
    /// Party id.
    pub party: String,
    /// Short name at this node.
    pub alias: String,
    /// Name of the legal entity.
    pub name: String,
    /// Where its node listens.
    pub endpoint: String,
    /// Hex of its Ed25519 signing key.
    pub signing_key: String,
}

impl From<control::Party> for Party {
    fn from(p: control::Party) -> Self {
        Party { party: p.party, alias: p.alias, name: p.name, endpoint: p.endpoint, signing_key: p.signing_key }
    }
}

impl Node {
    /// Connects to the running node of a TOML file, with the client certificate in its state folder.
    ///
    /// # Errors
    /// `Misuse` where the file or the keys cannot be used, `Node` with `CONTROL_UNREACHABLE` where nothing answers.
    pub async fn connect(config: impl AsRef<Path>) -> Result<Self> {
        let channel = channel::open(Control::read(config.as_ref())?).await?;
        let mut node = Node { channel, party: String::new(), alias: String::new() };
        let status = node.status().await?;
        node.party = status.party;
        node.alias = status.alias;
        Ok(node)
    }

    /// Id of the node's party.
    pub fn party(&self) -> &str {
        &self.party
    }

    /// The node's short name for itself.
    pub fn alias(&self) -> &str {
        &self.alias
    }

    /// What the node says of itself.
    ///
    /// # Errors
    /// `Node`; so do all methods below where the node refuses or goes away.
    pub async fn status(&self) -> Result<Status> {
        let s = self.node_service().get_status(control::GetStatusRequest {}).await?.into_inner();
        Ok(Status {
            party: s.party,
            alias: s.alias,
            software: s.software,
            interconnect: s.interconnect,
            cpu_seconds: s.cpu_seconds,
            peak_rss_mib: s.peak_rss_mib,
            backend: s.backend,
            running_jobs: s.running_jobs,
        })
    }

    /// Trusts a party by its signed descriptor, under a short name; empty: the one that it has, or the value part of
    /// its id.
    ///
    /// # Errors
    /// `Node`, such as `BAD_SIGNATURE`, or `CONFIGURATION` where the party is trusted under another short name.
    pub async fn trust(&self, descriptor: Vec<u8>, alias: impl Into<String>) -> Result<Party> {
        self.trust_as(descriptor, alias.into(), false).await
    }

    /// As [`Node::trust`], and the party takes the short name if it has another.
    ///
    /// # Errors
    /// `Node`.
    pub async fn rename(&self, descriptor: Vec<u8>, alias: impl Into<String>) -> Result<Party> {
        self.trust_as(descriptor, alias.into(), true).await
    }

    async fn trust_as(&self, descriptor: Vec<u8>, alias: String, rename: bool) -> Result<Party> {
        let request = control::TrustPartyRequest { descriptor, alias, rename };
        let party = self.node_service().trust_party(request).await?.into_inner().party;
        party.map(Party::from).ok_or_else(incomplete)
    }

    /// The parties that the node trusts.
    ///
    /// # Errors
    /// `Node`.
    pub async fn parties(&self) -> Result<Vec<Party>> {
        let answer = self.node_service().list_parties(control::ListPartiesRequest {}).await?.into_inner();
        Ok(answer.parties.into_iter().map(Party::from).collect())
    }

    /// Publishes a dataset: the node reads and checks the file and offers it to joint jobs as its TOML allows.
    ///
    /// # Errors
    /// `Node` with a 6xxx code and a place where the file is not as it must be.
    pub async fn publish(&self, dataset: Dataset) -> Result<Published> {
        let answer = self.dataset_service().publish_dataset(dataset.into_request()).await?.into_inner();
        answer.dataset.map(Published::from).ok_or_else(incomplete)
    }

    /// The datasets of the node.
    ///
    /// # Errors
    /// `Node`.
    pub async fn datasets(&self) -> Result<Vec<Published>> {
        let answer = self.dataset_service().list_datasets(control::ListDatasetsRequest {}).await?.into_inner();
        Ok(answer.datasets.into_iter().map(Published::from).collect())
    }

    /// Matches one's own rows with the named parties', privately, at default terms: see [`Node::align_on`].
    ///
    /// # Errors
    /// As [`Node::align_on`].
    pub async fn align<C: Into<Collaborator>>(
        &self,
        data: &Published,
        with: impl IntoIterator<Item = C>,
    ) -> Result<Aligned> {
        self.align_on(data, with, Terms::default()).await
    }

    /// Matches one's own rows with the named parties', privately: how many enterprises all have, before anybody trains.
    ///
    /// Keys of a matching are bound to its session, so the job that [`Aligned::train`] starts matches anew under its
    /// own session as its first stage; the counts are the same unless a party publishes other rows in between.
    ///
    /// # Errors
    /// `Node` with `UNKNOWN_PARTY` where the node does not trust one of them; `Job`, such as `NOT_ALLOWED` or
    /// `EMPTY_INTERSECTION`.
    pub async fn align_on<C: Into<Collaborator>>(
        &self,
        data: &Published,
        with: impl IntoIterator<Item = C>,
        terms: Terms,
    ) -> Result<Aligned> {
        let mut plan = JobPlan::align(data.name.as_str(), with.into_iter().map(Into::into).collect());
        terms.apply(&mut plan);
        let plan = self.cite(&plan).await;
        let job = self.submit(&plan).await?;
        job.finish(|_| ()).await?;
        Ok(Aligned::new(self.clone(), plan, job.result().await?))
    }

    /// Submits a job; the schemas of the collaborators' datasets are cited as [`Node::cite`] does.
    ///
    /// # Errors
    /// `Node`.
    pub async fn submit(&self, plan: &JobPlan) -> Result<Job> {
        let job_json = serde_json::to_string(&self.cite(plan).await).map_err(|_| incomplete())?;
        let request = control::SubmitJobRequest { job_json };
        let answer = self.job_service().submit_job(request).await?.into_inner();
        Ok(Job::new(self.clone(), answer.job))
    }

    /// A job by its id; whether there is one shows with the first call on it.
    pub fn job(&self, id: impl Into<String>) -> Job {
        Job::new(self.clone(), id.into())
    }

    /// The jobs that this node started or takes part in.
    ///
    /// # Errors
    /// `Node`.
    pub async fn jobs(&self) -> Result<Vec<JobStatus>> {
        let answer = self.job_service().list_jobs(control::ListJobsRequest {}).await?.into_inner();
        Ok(answer.jobs.into_iter().map(JobStatus::from).collect())
    }

    /// Scores a published dataset with a joint model of one's own, together with the model's other parties.
    ///
    /// # Errors
    /// `Job` where the job ended without a result; `Node`.
    pub async fn score<C: Into<Collaborator>>(
        &self,
        data: &Published,
        model: &str,
        with: impl IntoIterator<Item = C>,
    ) -> Result<Scores> {
        let plan = JobPlan::score(data.name.as_str(), model, with.into_iter().map(Into::into).collect());
        let job = self.submit(&plan).await?;
        job.finish(|_| ()).await?;
        job.result().await
    }

    /// Ids of the joint models of which the node holds a part.
    ///
    /// # Errors
    /// `Node`.
    pub async fn models(&self) -> Result<Vec<String>> {
        Ok(self.model_service().list_models(control::ListModelsRequest {}).await?.into_inner().models)
    }

    /// The node's own part of a joint model, a JSON text (`spec/schemas/model.schema.json`).
    ///
    /// # Errors
    /// `Node` with `UNKNOWN_MODEL`.
    pub async fn model_json(&self, model: &str) -> Result<String> {
        let request = control::GetModelRequest { model: model.to_owned() };
        Ok(self.model_service().get_model(request).await?.into_inner().model_json)
    }

    fn node_service(&self) -> NodeServiceClient<Channel> {
        NodeServiceClient::new(self.channel.clone())
    }

    pub(crate) fn catalog_service(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES)
    }

    pub(crate) fn dataset_service(&self) -> DatasetServiceClient<Channel> {
        DatasetServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES)
    }

    pub(crate) fn job_service(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES)
    }

    pub(crate) fn pool_service(&self) -> PoolServiceClient<Channel> {
        PoolServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn model_service(&self) -> ModelServiceClient<Channel> {
        ModelServiceClient::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES)
    }
}
