//! A job from its plan to its result, on either side.
mod approval;
mod collaborator;
mod disclosure;
mod initiator;
mod invite;
mod live;
mod model;
mod plan;
mod prepare;
mod record;
mod result;
mod unbalanced;

pub(crate) use approval::{ask, restore as restore_waiting};
pub(crate) use collaborator::{collaborate, record_of};
pub(crate) use initiator::submit;
pub(crate) use live::Jobs;
pub(crate) use model::ModelPart;
pub(crate) use record::{Failure, JobRecord, JobState};

use crate::driver::Driver;
use hefu_core::Fault;

/// Runs one party's blocking work; a thread that dies is this program's fault.
async fn off_thread<T: Send + 'static>(
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
