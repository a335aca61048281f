//! What a node remembers over restarts, behind a narrow trait.
mod sqlite;

pub(crate) use sqlite::SqliteStore;

use crate::Error;
use crate::job::JobRecord;
use hefu_core::{JobId, ModelId, PartyId, Purpose, SessionId};
use hefu_protocol::aggregate::PastRound;
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
    /// Hex digest of the schema's exact bytes.
    pub(crate) schema: String,
    /// Name of the file in `datasets/`; empty for a panel table, whose rows are not kept.
    pub(crate) file: String,
    #[serde(default)]
    pub(crate) facts: DatasetFacts,
}

impl DatasetRecord {
    /// The stored vector of a name: it has no rows, no columns and no label (spec/pooled.md).
    pub(crate) fn of_vector(name: &str) -> Self {
        DatasetRecord {
            name: name.to_owned(),
            key: String::new(),
            label: None,
            key_format: String::new(),
            rows: 0,
            valid: 0,
            duplicate: 0,
            invalid: 0,
            columns: Vec::new(),
            schema: hex::encode(hefu_crypto::sha256(&[])),
            file: String::new(),
            facts: DatasetFacts::default(),
        }
    }

    /// What the label means, in the words of its property in the schema: title, Chinese name, description, constraint,
    /// those that are there, a line each (AGG-7).
    pub(crate) fn label_definition(&self) -> String {
        let schema: serde_json::Value = serde_json::from_str(&self.facts.schema_text).unwrap_or_default();
        let label = self.label.as_deref().unwrap_or_default();
        let property = schema.get("properties").and_then(|properties| properties.get(label));
        let words = ["title", "x-name-zh", "description", "x-constraint"].into_iter();
        let words = words.filter_map(|word| property?.get(word)?.as_str());
        words.collect::<Vec<_>>().join("\n")
    }
}

/// What is told of a dataset beside its columns (spec/catalog.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct DatasetFacts {
    /// JSON Schema of one row, exact bytes.
    pub(crate) schema_text: String,
    /// Whether the schema was inferred from the file.
    pub(crate) inferred: bool,
    /// What one row stands for.
    pub(crate) grain: String,
    /// Features to derive from a table that is not of grain `enterprise`.
    pub(crate) derived: Vec<String>,
    /// Who answers for the dataset.
    pub(crate) steward: String,
    /// Purposes that it serves; empty: those of the allow entries.
    pub(crate) purposes: Vec<Purpose>,
    /// Months that the rows cover.
    pub(crate) period: String,
    /// 1 to 5; 0 where not stated.
    pub(crate) sensitivity: u8,
    /// Microseconds since 1970.
    pub(crate) published_us: i64,
}

impl Default for DatasetFacts {
    /// Those of a dataset that an earlier version published.
    fn default() -> Self {
        DatasetFacts {
            schema_text: String::new(),
            inferred: true,
            grain: hefu_data::facts::ENTERPRISE.to_owned(),
            derived: Vec::new(),
            steward: String::new(),
            purposes: Vec::new(),
            period: String::new(),
            sensitivity: 0,
            published_us: 0,
        }
    }
}

/// What a steward decided about a party's use of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) dataset: String,
    pub(crate) party: PartyId,
    pub(crate) verdict: Verdict,
    /// Hex digest of the schema that was decided on.
    pub(crate) schema: String,
    /// Microseconds since 1970.
    pub(crate) decided_us: i64,
}

/// A steward's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Granted,
    /// Before any use.
    Refused,
    /// After a use, or in spite of a standing approval.
    Revoked,
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
    /// Jobs in which this node's dataset of a name took part, or asks to, newest first.
    fn jobs_of(&self, dataset: &str) -> Result<Vec<JobRecord>, Error>;
    /// Writes a dataset, new or known by its name.
    fn save_dataset(&self, record: &DatasetRecord) -> Result<(), Error>;
    /// The dataset of a name.
    fn dataset(&self, name: &str) -> Result<Option<DatasetRecord>, Error>;
    /// All datasets by name.
    fn datasets(&self) -> Result<Vec<DatasetRecord>, Error>;
    /// Forgets a dataset; answers what it was.
    fn remove_dataset(&self, name: &str) -> Result<Option<DatasetRecord>, Error>;
    /// Writes what a steward decided, in place of an earlier decision on the same dataset and party.
    fn save_decision(&self, decision: &Decision) -> Result<(), Error>;
    /// What was decided about a party's use of a dataset.
    fn decision(&self, dataset: &str, party: &PartyId) -> Result<Option<Decision>, Error>;
    /// All decisions, newest first.
    fn decisions(&self) -> Result<Vec<Decision>, Error>;
    /// Writes a model.
    fn save_model(&self, record: &ModelRecord) -> Result<(), Error>;
    /// The model of an id.
    fn model(&self, model: ModelId) -> Result<Option<ModelRecord>, Error>;
    /// All models, newest first.
    fn models(&self) -> Result<Vec<ModelRecord>, Error>;
    /// Remembers a session id for ever; answers whether it is new (SESS-9).
    fn admit_session(&self, session: SessionId, seen_us: i64) -> Result<bool, Error>;
    /// Confirms a round of a job; answers false where it is not above every round confirmed before (AGG-4).
    fn enter_round(&self, job: JobId, round: u32) -> Result<bool, Error>;
    /// Writes a completed round of a pooled job.
    fn save_round(&self, job: JobId, round: &PastRound) -> Result<(), Error>;
    /// The completed rounds of a pooled job (AGG-25).
    fn past_rounds(&self, job: JobId) -> Result<Vec<PastRound>, Error>;
    /// Writes the last model that was seen of a pooled job.
    fn save_pooled(&self, job: JobId, document: &str) -> Result<(), Error>;
    /// The last model that was seen of a pooled job.
    fn pooled(&self, job: JobId) -> Result<Option<String>, Error>;
    /// Adds scored rows for a party on a model; answers false, and adds nothing, where the sum would exceed the
    /// budget (SCORE-5).
    fn spend_rows(&self, model: ModelId, party: &PartyId, rows: u64, budget: Option<u64>) -> Result<bool, Error>;
    /// Adds evaluated keys for a party in an epoch; answers false, and adds nothing, where the sum would exceed the
    /// limit (OPRF-7).
    fn spend_evaluations(&self, epoch: &[u8; 32], party: &PartyId, keys: u64, limit: u64) -> Result<bool, Error>;
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
