//! What a node's own people and programs may ask of it.
pub(crate) mod datasets;

use crate::job::{self, JobRecord, ModelPart};
use crate::node::Shared;
use crate::store;
use crate::trust::TrustedParty;
use crate::{Error, driver, tls, wire};
use hefu_core::{Code, Fault, JobId, ModelId, PartyId};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Serves the control side until it is stopped.
pub(crate) fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    stop: watch::Receiver<bool>,
) -> Result<JoinHandle<()>, Error> {
    let config = tls::control_server(&shared.identity.control, shared.identity.control_root.clone())?;
    let incoming = tls::accept(listener, config, shared.log.clone(), |_| {});
    Ok(tokio::spawn(wire::serve_control(shared, incoming, stop)))
}

/// How the node is.
pub(crate) struct Status {
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_rss_mib: f64,
    pub(crate) backend: &'static str,
    pub(crate) running_jobs: u32,
}

pub(crate) fn status(shared: &Shared) -> Status {
    Status {
        cpu_seconds: driver::cpu_seconds(),
        peak_rss_mib: driver::peak_rss_mib(),
        backend: hefu_he::Backend::detect().name(),
        running_jobs: shared.jobs.running(),
    }
}

/// Trusts a descriptor under a short name.
pub(crate) async fn trust(
    shared: &Arc<Shared>,
    descriptor: Vec<u8>,
    alias: String,
    rename: bool,
) -> Result<Arc<TrustedParty>, Fault> {
    let trust = shared.trust.clone();
    job::blocking(move || Ok(trust.add(&descriptor, &alias, rename)?)).await
}

fn job_id(text: &str) -> Result<JobId, Fault> {
    JobId::parse(text).ok_or_else(|| Fault::new(Code::UnknownJob))
}

/// Follows a job: its present state, then every change until it has ended.
pub(crate) async fn watch_job(
    shared: &Shared,
    text: &str,
) -> Result<(JobRecord, Option<watch::Receiver<JobRecord>>), Fault> {
    let job = job_id(text)?;
    // Asked for first: a job that ends in between is found ended.
    let receiver = shared.jobs.watch(job);
    Ok((shared.jobs.find(job).await?, receiver))
}

pub(crate) async fn job(shared: &Shared, text: &str) -> Result<JobRecord, Fault> {
    Ok(shared.jobs.find(job_id(text)?).await?)
}

/// Ends a job; answers it as it is then.
pub(crate) async fn cancel(shared: &Shared, text: &str) -> Result<JobRecord, Fault> {
    let job = job_id(text)?;
    shared.jobs.find(job).await?;
    let mut receiver = shared.jobs.watch(job).ok_or_else(|| Fault::new(Code::WrongState))?;
    shared.jobs.stop(job, Fault::new(Code::Cancelled).by(shared.party()))?;
    let ended = receiver.wait_for(|record| record.state.is_final()).await.map(|record| record.clone());
    match ended {
        Ok(record) => Ok(record),
        Err(_) => Ok(shared.jobs.find(job).await?),
    }
}

/// The result document of a job that succeeded.
pub(crate) async fn result(shared: &Shared, text: &str) -> Result<String, Fault> {
    let job = job_id(text)?;
    let record = shared.jobs.find(job).await?;
    let found = store::call(&shared.store, move |store| store.result(job)).await?;
    let cause = format!("the job is {} and has no result", record.state.as_str());
    found.ok_or_else(|| Fault::because(Code::WrongState, cause))
}

/// Ids of all models, newest first.
pub(crate) async fn models(shared: &Shared) -> Result<Vec<ModelId>, Fault> {
    let models = store::call(&shared.store, |store| store.models()).await?;
    Ok(models.into_iter().map(|record| record.model).collect())
}

/// This node's part of a model, as JSON.
pub(crate) async fn model(shared: &Shared, text: &str) -> Result<String, Fault> {
    let own: PartyId = shared.party().clone();
    let model = ModelId::parse(text).ok_or_else(|| Fault::new(Code::UnknownModel).by(&own))?;
    let folder = shared.models();
    let part = job::blocking(move || ModelPart::load(&folder, model, &own)).await?;
    serde_json::to_string(&part).map_err(|_| Fault::new(Code::Internal))
}
