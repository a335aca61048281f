//! What a node remembers over restarts, behind a narrow trait.
mod sqlite;

pub(crate) use sqlite::SqliteStore;

use crate::Error;
use crate::job::JobRecord;
use hefu_core::{JobId, ModelId, PartyId, SessionId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A published dataset; its rows are in `datasets/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DatasetRecord {
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) label: Option<String>,
    /// `text` or `uscc`.
    pub(crate) key_format: String,
    /// Rows of the file.
    pub(crate) rows: u64,
    /// Rows with a valid key that no earlier row has.
    pub(crate) valid: u64,
    pub(crate) duplicate: u64,
    pub(crate) invalid: u64,
    /// Feature columns.
    pub(crate) columns: Vec<String>,
    /// Hex digest of the inferred schema.
    pub(crate) schema: String,
    /// Name of the file in `datasets/`.
    pub(crate) file: String,
}

/// This node's own part of a joint model; the part itself is in `models/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModelRecord {
    pub(crate) model: ModelId,
    pub(crate) owner: PartyId,
    pub(crate) created_us: i64,
}

/// Everything that is remembered. Calls block: they run off the asynchronous threads.
///
/// Every method may fail with `DISK`.
pub(crate) trait Store: Send + Sync + 'static {
    /// Writes a job, new or known.
    fn save_job(&self, record: &JobRecord) -> Result<(), Error>;
    /// The job of an id.
    fn job(&self, job: JobId) -> Result<Option<JobRecord>, Error>;
    /// All jobs, newest first.
    fn jobs(&self) -> Result<Vec<JobRecord>, Error>;
    /// Writes a finished job and its result together.
    fn finish_job(&self, record: &JobRecord, result: &str) -> Result<(), Error>;
    /// The result of a finished job.
    fn result(&self, job: JobId) -> Result<Option<String>, Error>;
    /// Writes a dataset, new or known by its name.
    fn save_dataset(&self, record: &DatasetRecord) -> Result<(), Error>;
    /// The dataset of a name.
    fn dataset(&self, name: &str) -> Result<Option<DatasetRecord>, Error>;
    /// All datasets by name.
    fn datasets(&self) -> Result<Vec<DatasetRecord>, Error>;
    /// Writes a model.
    fn save_model(&self, record: &ModelRecord) -> Result<(), Error>;
    /// The model of an id.
    fn model(&self, model: ModelId) -> Result<Option<ModelRecord>, Error>;
    /// All models, newest first.
    fn models(&self) -> Result<Vec<ModelRecord>, Error>;
    /// Remembers a session id for ever; answers whether it is new (SESS-9).
    fn admit_session(&self, session: SessionId, seen_us: i64) -> Result<bool, Error>;
    /// Adds scored rows for a party on a model; answers false, and adds nothing, where the sum would exceed the
    /// budget (SCORE-5).
    fn spend_rows(&self, model: ModelId, party: &PartyId, rows: u64, budget: Option<u64>) -> Result<bool, Error>;
}

/// Runs a blocking call of the store on a thread that may block.
pub(crate) async fn call<T: Send + 'static>(
    store: &Arc<dyn Store>,
    work: impl FnOnce(&dyn Store) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let store = store.clone();
    tokio::task::spawn_blocking(move || work(store.as_ref()))
        .await
        .unwrap_or(Err(Error::Internal("a store call was interrupted")))
}
