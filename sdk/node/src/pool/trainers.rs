//! The trainers of a node: by name, and those that are at work on a job.
use super::program::Program;
use crate::config::TrainerSection;
use hefu_core::{Code, Fault, JobId, PartyId};
use hefu_model::pooled::{LogisticTrainer, Trainer, TrainerKind, TrainingRows};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The trainer that needs no configuration.
const BUILT_IN: &str = "logistic";
/// A trainer whose job is silent for so long is ended.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// Trainers at work, and since when each is idle.
type AtWork = HashMap<JobId, (Box<dyn Trainer>, Instant)>;

/// All trainers of a node.
pub(crate) struct Trainers {
    kinds: BTreeMap<String, Arc<dyn TrainerKind>>,
    at_work: Mutex<AtWork>,
}

impl Trainers {
    /// The configured programs and the built-in trainer. `folder` is where programs get their files of rows.
    pub(crate) fn new(sections: &[TrainerSection], folder: &Path) -> Self {
        let mut kinds: BTreeMap<String, Arc<dyn TrainerKind>> = BTreeMap::new();
        kinds.insert(BUILT_IN.to_owned(), Arc::new(LogisticTrainer));
        for section in sections {
            let program = Program { command: section.command.clone(), folder: folder.to_owned() };
            kinds.insert(section.name.clone(), Arc::new(program));
        }
        Trainers { kinds, at_work: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, AtWork> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a job may ask for a trainer of this name (POOL-5).
    ///
    /// # Errors
    /// `UNSUPPORTED_PLAN`.
    pub(crate) fn check(&self, name: &str, own: &PartyId) -> Result<(), Fault> {
        self.kind(name, own).map(drop)
    }

    fn kind(&self, name: &str, own: &PartyId) -> Result<&Arc<dyn TrainerKind>, Fault> {
        let cause = format!("no trainer {name} is configured here: add it under [[trainer]] of this node's TOML");
        self.kinds.get(name).ok_or_else(|| Fault::because(Code::UnsupportedPlan, cause).by(own).citing("POOL-5"))
    }

    /// The trainer at work on a job, or a new one. Blocks.
    ///
    /// # Errors
    /// `UNSUPPORTED_PLAN` (POOL-5), `TRAINER_FAILED`.
    pub(crate) fn take(
        &self,
        job: JobId,
        name: &str,
        rows: impl FnOnce() -> Result<TrainingRows, hefu_model::Error>,
        own: &PartyId,
    ) -> Result<Box<dyn Trainer>, Fault> {
        let (running, forgotten) = {
            let mut at_work = self.lock();
            let old: Vec<JobId> =
                at_work.iter().filter(|(_, (_, since))| since.elapsed() > FORGOTTEN).map(|(job, _)| *job).collect();
            let forgotten: Vec<_> = old.iter().filter_map(|job| at_work.remove(job)).collect();
            (at_work.remove(&job), forgotten)
        };
        drop(forgotten);
        if let Some((trainer, _)) = running {
            return Ok(trainer);
        }
        let failed = |cause: String| Fault::because(Code::TrainerFailed, cause).by(own);
        let rows = rows().map_err(|e| failed(e.to_string()))?;
        self.kind(name, own)?.start(rows).map_err(|e| failed(e.cause))
    }

    /// Keeps a trainer for its job's next round.
    pub(crate) fn keep(&self, job: JobId, trainer: Box<dyn Trainer>) {
        self.lock().insert(job, (trainer, Instant::now()));
    }

    /// Ends a job's trainer. Blocks.
    pub(crate) fn end(&self, job: JobId) {
        let trainer = self.lock().remove(&job);
        drop(trainer);
    }
}
