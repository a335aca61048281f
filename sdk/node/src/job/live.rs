//! Jobs at work, and those that ended.
use super::places::{JobSlot, Places};
use super::{JobRecord, JobState};
use crate::channel::Stopper;
use crate::config::LimitsSection;
use crate::store::{self, Store};
use crate::{Error, driver};
use hefu_core::{Code, Fault, JobId, PartyId, Progress};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// A job at work.
pub(crate) struct LiveJob {
    record: watch::Sender<JobRecord>,
    pub(crate) stopper: Stopper,
    resumed: Notify,
}

/// How a job ended well.
pub(crate) struct Success {
    /// The result document, at the initiator.
    pub(crate) result: Option<String>,
}

/// All jobs of a node.
pub(crate) struct Jobs {
    store: Arc<dyn Store>,
    live: Mutex<HashMap<JobId, Arc<LiveJob>>>,
    places: Places,
}

impl Jobs {
    /// Opens the list; jobs that a stop of the node cut are marked as failed, those of others that wait for approval
    /// wait on.
    ///
    /// # Errors
    /// `DISK`.
    pub(crate) fn open(store: Arc<dyn Store>, limits: &LimitsSection, own: &PartyId) -> Result<Self, Error> {
        let mut live = HashMap::new();
        for mut record in store.jobs()?.into_iter().filter(|record| !record.state.is_final()) {
            if record.state == JobState::AwaitingApproval && record.initiator != *own {
                live.insert(record.job, Arc::new(LiveJob::new(record, Stopper::new())));
                continue;
            }
            record.state = JobState::Failed;
            record.ended_us = crate::now_us();
            record.error = Some((&Fault::new(Code::NodeStopped)).into());
            store.save_job(&record)?;
        }
        Ok(Jobs { store, live: Mutex::new(live), places: Places::new(limits) })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Arc<LiveJob>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more job.
    ///
    /// # Errors
    /// `TOO_MANY_JOBS` (SESS-14); `NODE_MEMORY` (FRAME-15).
    pub(crate) fn slot(&self) -> Result<JobSlot, Fault> {
        self.places.slot()
    }

    /// Number of jobs at work.
    pub(crate) fn running(&self) -> u32 {
        self.places.running()
    }

    /// Waits until no job is at work.
    pub(crate) async fn idle(&self) {
        self.places.idle().await;
    }

    /// Writes a new job down and makes it visible.
    ///
    /// # Errors
    /// `DISK`.
    pub(crate) async fn begin(&self, record: JobRecord, stopper: Stopper) -> Result<Arc<LiveJob>, Error> {
        let saved = record.clone();
        store::call(&self.store, move |store| store.save_job(&saved)).await?;
        let job = record.job;
        let live = Arc::new(LiveJob::new(record, stopper));
        self.lock().insert(job, live.clone());
        Ok(live)
    }

    /// Takes up a job that waits, under a new switch; `None` where none waits, or it is being ended.
    pub(crate) fn resume(&self, job: JobId, stopper: Stopper) -> Option<Arc<LiveJob>> {
        let mut live = self.lock();
        let waiting = live.get(&job)?;
        if waiting.snapshot().state != JobState::AwaitingApproval || waiting.stopper.fault().is_some() {
            return None;
        }
        waiting.resumed.notify_one();
        waiting.update(|record| {
            record.state = JobState::Created;
            record.awaiting.clear();
        });
        let resumed = Arc::new(LiveJob { record: waiting.record.clone(), stopper, resumed: Notify::new() });
        live.insert(job, resumed.clone());
        Some(resumed)
    }

    /// Gives a job that comes to wait a new switch: the old one ended its session.
    pub(crate) fn renew(&self, old: &LiveJob) -> Arc<LiveJob> {
        let live = Arc::new(LiveJob { record: old.record.clone(), stopper: Stopper::new(), resumed: Notify::new() });
        self.lock().insert(live.snapshot().job, live.clone());
        live
    }

    /// Writes down how a job at work stands.
    ///
    /// # Errors
    /// `DISK`.
    pub(crate) async fn save(&self, live: &LiveJob) -> Result<(), Error> {
        let record = live.snapshot();
        store::call(&self.store, move |store| store.save_job(&record)).await
    }

    /// Forgets that a job waits, not that it does: its record stays as it is.
    pub(crate) fn leave(&self, live: &LiveJob) {
        self.lock().remove(&live.snapshot().job);
    }

    /// Jobs at work and jobs that wait, as they are now.
    pub(crate) fn at_work(&self) -> Vec<JobRecord> {
        self.lock().values().map(|live| live.snapshot()).collect()
    }

    /// Jobs that wait for approval.
    pub(crate) fn waiting(&self) -> Vec<Arc<LiveJob>> {
        let live = self.lock();
        live.values().filter(|live| live.snapshot().state == JobState::AwaitingApproval).cloned().collect()
    }

    /// A record as it is now.
    pub(crate) fn newest(&self, record: JobRecord) -> JobRecord {
        self.lock().get(&record.job).map_or(record, |live| live.snapshot())
    }

    /// A place for one more job, as soon as there is one.
    pub(crate) async fn slot_when_free(&self) -> Result<JobSlot, Fault> {
        self.places.slot_when_free().await
    }

    /// Writes down how a job ended, shows it to those who watch, and forgets that it was at work.
    pub(crate) async fn end(&self, live: &LiveJob, outcome: Result<Success, Fault>) {
        let mut record = live.snapshot();
        record.ended_us = crate::now_us();
        let result = match outcome {
            Ok(success) => {
                record.state = JobState::Succeeded;
                success.result
            }
            Err(fault) => {
                record.fail(&fault);
                None
            }
        };
        let saved = record.clone();
        let written = store::call(&self.store, move |store| match &result {
            Some(result) => store.finish_job(&saved, result),
            None => store.save_job(&saved),
        });
        if let Err(error) = written.await {
            record.fail(&error.fault());
        }
        self.lock().remove(&record.job);
        live.record.send_replace(record);
    }

    /// The job of an id, at work or ended.
    ///
    /// # Errors
    /// `UNKNOWN_JOB`; `DISK`.
    pub(crate) async fn find(&self, job: JobId) -> Result<JobRecord, Error> {
        if let Some(live) = self.lock().get(&job) {
            return Ok(live.snapshot());
        }
        let found = store::call(&self.store, move |store| store.job(job)).await?;
        found.ok_or(Error::Fault(Fault::new(Code::UnknownJob)))
    }

    /// All jobs, newest first.
    ///
    /// # Errors
    /// `DISK`.
    pub(crate) async fn list(&self) -> Result<Vec<JobRecord>, Error> {
        let mut records = store::call(&self.store, |store| store.jobs()).await?;
        let live = self.lock();
        for record in &mut records {
            if let Some(live) = live.get(&record.job) {
                *record = live.snapshot();
            }
        }
        Ok(records)
    }

    /// Follows a job at work; `None` where it has ended.
    pub(crate) fn watch(&self, job: JobId) -> Option<watch::Receiver<JobRecord>> {
        self.lock().get(&job).map(|live| live.record.subscribe())
    }

    /// Ends a job at work.
    ///
    /// # Errors
    /// `WRONG_STATE` where it has ended.
    pub(crate) fn stop(&self, job: JobId, fault: Fault) -> Result<(), Fault> {
        let live = self.lock().get(&job).cloned().ok_or_else(|| Fault::new(Code::WrongState))?;
        live.stopper.stop(fault);
        Ok(())
    }

    /// Ends every job at work.
    pub(crate) fn stop_all(&self, fault: &Fault) {
        for live in self.lock().values() {
            live.stopper.stop(fault.clone());
        }
    }
}

impl LiveJob {
    fn new(record: JobRecord, stopper: Stopper) -> Self {
        LiveJob { record: watch::Sender::new(record), stopper, resumed: Notify::new() }
    }

    /// Waits until a job that waits is taken up again.
    pub(crate) async fn resumed(&self) {
        self.resumed.notified().await;
    }

    /// The job as it is now.
    pub(crate) fn snapshot(&self) -> JobRecord {
        self.record.borrow().clone()
    }

    /// Changes what is shown of the job.
    pub(crate) fn update(&self, change: impl FnOnce(&mut JobRecord)) {
        self.record.send_modify(change);
    }

    /// An observer of the driver that shows progress and bytes.
    pub(crate) fn observer(self: &Arc<Self>, traffic: Arc<crate::channel::Traffic>) -> driver::Observer {
        let live = self.clone();
        Box::new(move |progress: Progress| {
            live.update(|record| {
                record.stage = Some(progress.stage);
                record.done = progress.done.min(progress.total);
                record.total = progress.total;
                record.bytes_sent = traffic.sent();
            });
        })
    }
}
