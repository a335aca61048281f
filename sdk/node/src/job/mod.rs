//! A job from its plan to its result, on either side.
mod approval;
mod collaborator;
mod disclosure;
mod initiator;
mod invite;
mod live;
mod model;
mod places;
mod plan;
mod prepare;
mod record;
mod result;
mod unbalanced;

pub(crate) use approval::{Wanted as WantedDatasets, approved, ask, restore as restore_waiting};
pub(crate) use collaborator::{collaborate, record_of};
pub(crate) use initiator::{named, submit};
pub(crate) use live::{Jobs, LiveJob, Success};
pub(crate) use model::{ModelPart, Origin};
pub(crate) use places::JobSlot;
pub(crate) use prepare::{data_fault, sources};
pub(crate) use record::{Disclosure, Failure, JobKind, JobRecord, JobState};

use crate::driver::Driver;
use crate::node::Shared;
use hefu_core::{Fault, JobId};
use std::sync::Arc;

/// Checks a job file of any kind, writes the job down, and starts it.
///
/// # Errors
/// Those of the job file; `TOO_MANY_JOBS`.
pub(crate) async fn submit_any(shared: &Arc<Shared>, json: &str) -> Result<JobId, Fault> {
    let kind = serde_json::from_str::<serde_json::Value>(json).ok();
    let kind = kind.as_ref().and_then(|file| file.get("kind")).and_then(serde_json::Value::as_str);
    if kind == Some(JobKind::Pool.as_str()) {
        crate::pool::submit(shared, json).await
    } else {
        submit(shared, json).await
    }
}

/// Runs one party's blocking work; a thread that dies is this program's fault.
pub(crate) async fn off_thread<T: Send + 'static>(
    driver: Driver,
    work: impl FnOnce(&mut Driver) -> Result<T, Fault> + Send + 'static,
) -> Result<(Result<T, Fault>, Driver), Fault> {
    let task = tokio::task::spawn_blocking(move || {
        let mut driver = driver;
        let outcome = work(&mut driver);
        (outcome, driver)
    });
    task.await.map_err(|_| Fault::because(hefu_core::Code::Internal, "a job's thread has died"))
}

/// Runs a blocking call that is no driver's.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let task = tokio::task::spawn_blocking(work);
    task.await.unwrap_or_else(|_| Err(Fault::because(hefu_core::Code::Internal, "a job's thread has died")))
}
