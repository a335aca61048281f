//! `hefu.control.v1`: the node's own people and programs.
use super::status::refusal;
use crate::control;
use crate::job::{self, Failure, JobRecord};
use crate::node::Shared;
use crate::trust::TrustedParty;
use hefu_core::{Fault, PartyId};
use hefu_proto::control as proto;
use hefu_proto::control::job_service_server::JobService;
use hefu_proto::control::model_service_server::ModelService;
use hefu_proto::control::node_service_server::NodeService;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

/// All services of the control side.
pub(super) struct Control(pub(super) Arc<Shared>);

pub(super) fn respond<T>(answer: Result<T, Fault>) -> Result<Response<T>, Status> {
    answer.map(Response::new).map_err(|fault| refusal(&fault))
}

fn party(trusted: &TrustedParty) -> proto::Party {
    let descriptor = &trusted.descriptor;
    proto::Party {
        party: descriptor.party.to_string(),
        alias: trusted.alias.clone(),
        name: descriptor.name.clone(),
        endpoint: descriptor.endpoint.clone(),
        signing_key: hex::encode(descriptor.signing_key),
    }
}

fn error(failure: Failure) -> proto::Error {
    proto::Error {
        code: failure.code,
        name: failure.name,
        party: failure.party,
        place: failure.place,
        cause: failure.cause,
        next: failure.next,
    }
}

fn job(record: JobRecord) -> proto::Job {
    proto::Job {
        job: record.job.to_string(),
        state: record.state.as_str().to_owned(),
        kind: record.kind.as_str().to_owned(),
        initiator: record.initiator.to_string(),
        parties: record.parties.iter().map(PartyId::to_string).collect(),
        purpose: record.purpose.as_str().to_owned(),
        stage: record.stage.map(|stage| stage.as_str().to_owned()).unwrap_or_default(),
        done: record.done,
        total: record.total,
        created_us: record.created_us,
        ended_us: record.ended_us,
        disclosure_json: serde_json::to_string(&record.disclosure).unwrap_or_default(),
        error: record.error.map(error),
        bytes_sent: record.bytes_sent,
        model: record.model.map(|model| model.to_string()).unwrap_or_default(),
        awaiting: record.awaiting.iter().map(PartyId::to_string).collect(),
        dataset: record.dataset,
        outputs: record.outputs.iter().map(|output| output.as_str().to_owned()).collect(),
    }
}

#[async_trait]
impl NodeService for Control {
    async fn get_status(
        &self,
        _: Request<proto::GetStatusRequest>,
    ) -> Result<Response<proto::GetStatusResponse>, Status> {
        let status = control::status(&self.0);
        Ok(Response::new(proto::GetStatusResponse {
            party: self.0.party().to_string(),
            alias: self.0.config.party.alias.clone(),
            software: crate::SOFTWARE.to_owned(),
            interconnect: self.0.interconnect.to_string(),
            cpu_seconds: status.cpu_seconds,
            peak_rss_mib: status.peak_rss_mib,
            backend: status.backend.to_owned(),
            running_jobs: status.running_jobs,
        }))
    }

    async fn trust_party(
        &self,
        request: Request<proto::TrustPartyRequest>,
    ) -> Result<Response<proto::TrustPartyResponse>, Status> {
        let message = request.into_inner();
        let trusted = control::trust(&self.0, message.descriptor, message.alias, message.rename).await;
        respond(trusted.map(|trusted| proto::TrustPartyResponse { party: Some(party(&trusted)) }))
    }

    async fn list_parties(
        &self,
        _: Request<proto::ListPartiesRequest>,
    ) -> Result<Response<proto::ListPartiesResponse>, Status> {
        let parties = self.0.trust.list().iter().map(|trusted| party(trusted)).collect();
        Ok(Response::new(proto::ListPartiesResponse { parties }))
    }
}

#[async_trait]
impl JobService for Control {
    type WatchJobStream = Pin<Box<dyn Stream<Item = Result<proto::WatchJobResponse, Status>> + Send>>;

    async fn submit_job(
        &self,
        request: Request<proto::SubmitJobRequest>,
    ) -> Result<Response<proto::SubmitJobResponse>, Status> {
        let submitted = job::submit_any(&self.0, &request.into_inner().job_json).await;
        respond(submitted.map(|job| proto::SubmitJobResponse { job: job.to_string() }))
    }

    async fn get_job(&self, request: Request<proto::GetJobRequest>) -> Result<Response<proto::GetJobResponse>, Status> {
        let found = control::job(&self.0, &request.into_inner().job).await;
        respond(found.map(|record| proto::GetJobResponse { job: Some(job(record)) }))
    }

    async fn list_jobs(&self, _: Request<proto::ListJobsRequest>) -> Result<Response<proto::ListJobsResponse>, Status> {
        let records = self.0.jobs.list().await.map_err(Fault::from);
        respond(records.map(|records| proto::ListJobsResponse { jobs: records.into_iter().map(job).collect() }))
    }

    async fn watch_job(
        &self,
        request: Request<proto::WatchJobRequest>,
    ) -> Result<Response<Self::WatchJobStream>, Status> {
        let watched = control::watch_job(&self.0, &request.into_inner().job).await;
        let (now, changes) = watched.map_err(|fault| refusal(&fault))?;
        let (sender, receiver) = mpsc::channel(4);
        tokio::spawn(follow(now, changes, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn cancel_job(
        &self,
        request: Request<proto::CancelJobRequest>,
    ) -> Result<Response<proto::CancelJobResponse>, Status> {
        let cancelled = control::cancel(&self.0, &request.into_inner().job).await;
        respond(cancelled.map(|record| proto::CancelJobResponse { job: Some(job(record)) }))
    }

    async fn get_result(
        &self,
        request: Request<proto::GetResultRequest>,
    ) -> Result<Response<proto::GetResultResponse>, Status> {
        let result = control::result(&self.0, &request.into_inner().job).await;
        respond(result.map(|result_json| proto::GetResultResponse { result_json }))
    }
}

type Watched = Result<proto::WatchJobResponse, Status>;

/// Sends the present state, then each newer one; a slow watcher misses states between, never the last.
async fn follow(now: JobRecord, changes: Option<watch::Receiver<JobRecord>>, sender: mpsc::Sender<Watched>) {
    let message = |record: JobRecord| Ok(proto::WatchJobResponse { job: Some(job(record)) });
    let mut is_final = now.state.is_final();
    if sender.send(message(now)).await.is_err() {
        return;
    }
    let Some(mut changes) = changes else { return };
    while !is_final {
        if changes.changed().await.is_err() {
            return;
        }
        let record = changes.borrow_and_update().clone();
        is_final = record.state.is_final();
        if sender.send(message(record)).await.is_err() {
            return;
        }
    }
}

#[async_trait]
impl ModelService for Control {
    async fn list_models(
        &self,
        _: Request<proto::ListModelsRequest>,
    ) -> Result<Response<proto::ListModelsResponse>, Status> {
        let models = control::models(&self.0).await;
        respond(
            models.map(|models| proto::ListModelsResponse { models: models.iter().map(ToString::to_string).collect() }),
        )
    }

    async fn get_model(
        &self,
        request: Request<proto::GetModelRequest>,
    ) -> Result<Response<proto::GetModelResponse>, Status> {
        let model = control::model(&self.0, &request.into_inner().model).await;
        respond(model.map(|model_json| proto::GetModelResponse { model_json }))
    }
}
