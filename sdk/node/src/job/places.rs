//! How many jobs run at a time, and how much memory their sessions may fill (SESS-14, FRAME-15).
use crate::config::LimitsSection;
use hefu_core::{Code, Fault};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit of memory stands for.
const UNIT: u64 = 1024;

/// The right to run one job (SESS-14), with the memory of its session (FRAME-15).
pub(crate) struct JobSlot {
    _place: OwnedSemaphorePermit,
    _memory: OwnedSemaphorePermit,
}

/// The places of a node.
pub(super) struct Places {
    jobs: Arc<Semaphore>,
    max_jobs: u32,
    memory: Arc<Semaphore>,
    /// Units of one session.
    share: u32,
}

impl Places {
    /// As many as the limits allow. Each session has its whole memory set aside, so that none can starve another.
    pub(super) fn new(limits: &LimitsSection) -> Self {
        let units = |bytes: u64| u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX >> 3);
        let share = units(limits.max_session_bytes);
        let memory = units(limits.max_node_bytes).max(share);
        Places {
            jobs: Arc::new(Semaphore::new(limits.max_jobs as usize)),
            max_jobs: limits.max_jobs,
            memory: Arc::new(Semaphore::new(memory as usize)),
            share,
        }
    }

    /// A place for one more job.
    ///
    /// # Errors
    /// `TOO_MANY_JOBS` (SESS-14); `NODE_MEMORY` (FRAME-15).
    pub(super) fn slot(&self) -> Result<JobSlot, Fault> {
        let place = self.jobs.clone().try_acquire_owned();
        let place = place.map_err(|_| Fault::new(Code::TooManyJobs).citing("SESS-14"))?;
        let memory = self.memory.clone().try_acquire_many_owned(self.share);
        let memory = memory.map_err(|_| Fault::new(Code::NodeMemory).citing("FRAME-15"))?;
        Ok(JobSlot { _place: place, _memory: memory })
    }

    /// A place for one more job, as soon as there is one.
    ///
    /// # Errors
    /// `TOO_MANY_JOBS` where the node stops.
    pub(super) async fn slot_when_free(&self) -> Result<JobSlot, Fault> {
        let full = |_| Fault::new(Code::TooManyJobs).citing("SESS-14");
        let memory = self.memory.clone().acquire_many_owned(self.share).await.map_err(full)?;
        let place = self.jobs.clone().acquire_owned().await.map_err(full)?;
        Ok(JobSlot { _place: place, _memory: memory })
    }

    /// Number of jobs at work.
    pub(super) fn running(&self) -> u32 {
        self.max_jobs.saturating_sub(u32::try_from(self.jobs.available_permits()).unwrap_or(u32::MAX))
    }

    /// Waits until no job is at work.
    pub(super) async fn idle(&self) {
        let _ = self.jobs.acquire_many(self.max_jobs).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // clause: FRAME-15
    #[test]
    fn a_session_that_finds_no_memory_is_refused_until_another_ends() {
        let limits = LimitsSection {
            max_message_bytes: 1 << 20,
            max_session_bytes: 2 << 20,
            max_node_bytes: 5 << 20,
            max_jobs: 3,
            ..LimitsSection::default()
        };
        let places = Places::new(&limits);
        let (first, _second) = (places.slot().unwrap(), places.slot().unwrap());
        let refused = places.slot().map(drop).unwrap_err();
        assert_eq!((refused.code, refused.requirement), (Code::NodeMemory, Some("FRAME-15")));
        assert_eq!(places.running(), 2, "a refused session takes no place");
        drop(first);
        assert!(places.slot().is_ok());
        let places = Places::new(&LimitsSection { max_jobs: 1, ..limits });
        let _only = places.slot().unwrap();
        assert_eq!(places.slot().map(drop).unwrap_err().code, Code::TooManyJobs);
    }
}
