//! How much of what peers sent may wait in memory, and whether they go on sending (FRAME-12 to FRAME-15).
use hefu_core::{Fault, Rank};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Bytes that one permit stands for; what a message costs at least.
const UNIT: u64 = 1024;
/// Least rate of a message that has begun, bytes a second: below it the peer is slow (FRAME-13).
pub(crate) const LEAST_RATE: u64 = 64 << 10;

/// Bytes of messages that may wait for a machine.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    units: Arc<Semaphore>,
    most: u32,
}

/// A part of a budget; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Claim(#[allow(dead_code)] Option<OwnedSemaphorePermit>);

impl Budget {
    pub(super) fn new(bytes: u64) -> Self {
        let most = u32::try_from((bytes / UNIT).clamp(1, u64::from(u32::MAX >> 1))).unwrap_or(1);
        Budget { units: Arc::new(Semaphore::new(most as usize)), most }
    }

    /// Waits until a message of `bytes` has its place; one beyond the whole budget has all of it.
    pub(super) async fn claim(&self, bytes: u64) -> Claim {
        let units = u32::try_from(bytes.div_ceil(UNIT).max(1)).unwrap_or(u32::MAX).min(self.most);
        Claim(self.units.clone().acquire_many_owned(units).await.ok())
    }
}

/// The longest time that a message may take from its first frame on.
pub(crate) fn allowance(bytes: u64, idle: Duration) -> Duration {
    idle + Duration::from_millis(bytes.saturating_mul(1000) / LEAST_RATE)
}

#[derive(Debug, Clone)]
struct Beat {
    heard: Instant,
    /// When a message that has begun must be whole.
    due: Option<Instant>,
    /// Why its link is over.
    end: Option<Fault>,
}

/// When each rank was last heard, and what it owes.
#[derive(Debug, Clone)]
pub(super) struct Pulse(Arc<Mutex<Vec<Beat>>>);

impl Pulse {
    pub(super) fn new(parties: usize) -> Self {
        Pulse(Arc::new(Mutex::new(vec![Beat { heard: Instant::now(), due: None, end: None }; parties])))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Beat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new frame of a rank came.
    pub(super) fn heard(&self, rank: Rank) {
        if let Some(beat) = self.lock().get_mut(rank.index()) {
            beat.heard = Instant::now();
        }
    }

    /// A message of a rank has begun.
    pub(super) fn begun(&self, rank: Rank, bytes: u64, idle: Duration) {
        if let Some(beat) = self.lock().get_mut(rank.index()) {
            beat.due = Some(Instant::now() + allowance(bytes, idle));
        }
    }

    /// A message of a rank is whole.
    pub(super) fn whole(&self, rank: Rank) {
        if let Some(beat) = self.lock().get_mut(rank.index()) {
            beat.due = None;
        }
    }

    /// A link is over, and not in order: whoever computes need not go on, though messages wait.
    pub(super) fn ended(&self, rank: Rank, fault: &Fault) {
        if let Some(beat) = self.lock().get_mut(rank.index()) {
            beat.end.get_or_insert_with(|| fault.clone());
        }
    }

    /// Why a link is over, where one is.
    pub(super) fn end(&self) -> Option<Fault> {
        self.lock().iter().find_map(|beat| beat.end.clone())
    }

    /// When one who waits since `start` need wait no longer, as things are now.
    pub(super) fn deadline(&self, start: Instant, idle: Duration) -> Instant {
        let beats = self.lock();
        let heard = beats.iter().map(|beat| beat.heard).max().unwrap_or(start);
        let due = beats.iter().filter_map(|beat| beat.due).min();
        let silent = start.max(heard) + idle;
        due.map_or(silent, |due| silent.min(due.max(start + idle)))
    }

    /// The slowest of some ranks, and whether it owes a message since long: else it was silent longest.
    pub(super) fn slowest(&self, ranks: impl Iterator<Item = Rank>) -> Option<(Rank, bool)> {
        let (beats, now) = (self.lock(), Instant::now());
        let ranked = ranks.filter_map(|rank| {
            let beat = beats.get(rank.index())?;
            Some((beat.due.is_none_or(|due| due > now), beat.heard, rank))
        });
        ranked.min_by_key(|(is_even, heard, _)| (*is_even, *heard)).map(|(is_even, _, rank)| (rank, !is_even))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_claim_waits_for_its_place_and_gives_it_back() {
        let budget = Budget::new(10 << 10);
        let first = budget.claim(9 << 10).await;
        let waiting = budget.claim(2 << 10);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(Duration::from_millis(10), &mut waiting).await.is_err());
        drop(first);
        let second = waiting.await;
        // Empty messages cost, too; one beyond the budget waits until it is alone.
        let empty = budget.claim(0).await;
        let whole = budget.claim(1 << 40);
        tokio::pin!(whole);
        assert!(tokio::time::timeout(Duration::from_millis(10), &mut whole).await.is_err());
        drop((second, empty));
        whole.await;
    }

    // clause: FRAME-13
    #[tokio::test]
    async fn who_dribbles_is_slower_than_who_is_silent() {
        let (pulse, idle) = (Pulse::new(3), Duration::from_millis(20));
        let start = Instant::now();
        assert!(pulse.deadline(start, idle) <= Instant::now() + idle);
        pulse.begun(Rank(2), 0, Duration::ZERO);
        pulse.heard(Rank(2));
        assert_eq!(pulse.deadline(start, idle), start + idle, "frames do not put off what is due");
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(pulse.slowest([Rank(1), Rank(2)].into_iter()), Some((Rank(2), true)));
        pulse.whole(Rank(2));
        assert_eq!(pulse.slowest([Rank(1), Rank(2)].into_iter()), Some((Rank(1), false)));
    }
}
