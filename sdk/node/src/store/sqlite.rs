//! The store in one SQLite file.
use super::{DatasetRecord, Decision, ModelRecord, Store};
use crate::job::JobRecord;
use crate::{Error, files};
use hefu_core::{JobId, ModelId, PartyId, SessionId};
use hefu_protocol::aggregate::PastRound;
use rusqlite::{Connection, OptionalExtension, Params, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS jobs (job TEXT PRIMARY KEY, created_us BIGINT NOT NULL, document TEXT NOT NULL, result TEXT);
CREATE TABLE IF NOT EXISTS datasets (name TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (dataset TEXT NOT NULL, party TEXT NOT NULL, decided_us BIGINT NOT NULL,
    document TEXT NOT NULL, PRIMARY KEY (dataset, party));
CREATE TABLE IF NOT EXISTS models (model TEXT PRIMARY KEY, created_us BIGINT NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (session TEXT PRIMARY KEY, seen_us BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS entered (job TEXT PRIMARY KEY, round BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS rounds (job TEXT NOT NULL, round BIGINT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (job, round));
CREATE TABLE IF NOT EXISTS pooled (job TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS scored (model TEXT NOT NULL, party TEXT NOT NULL, rows BIGINT NOT NULL, PRIMARY KEY (model, party));
CREATE TABLE IF NOT EXISTS evaluated (epoch TEXT NOT NULL, party TEXT NOT NULL, keys BIGINT NOT NULL, PRIMARY KEY (epoch, party));
";

/// One connection behind a lock: commits are bound by the disk, not by it.
pub(crate) struct SqliteStore {
    path: PathBuf,
    connection: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// `DISK`.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |e: rusqlite::Error| Error::disk(path, e);
        // Results hold scores: the file, and those that SQLite puts beside it, are the owner's only.
        if !path.exists() && path != Path::new(":memory:") {
            files::create_private(path).map_err(|e| Error::disk(path, e))?;
        }
        let connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        Ok(SqliteStore { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: impl std::fmt::Display) -> Error {
        Error::disk(&self.path, error)
    }

    fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        self.lock().execute(sql, params).map_err(|e| self.failed(e))
    }

    fn text(&self, sql: &str, params: impl Params) -> Result<Option<String>, Error> {
        let row: Option<Option<String>> =
            self.lock().query_row(sql, params, |row| row.get(0)).optional().map_err(|e| self.failed(e))?;
        Ok(row.flatten())
    }

    fn document<T: DeserializeOwned>(&self, sql: &str, params: impl Params) -> Result<Option<T>, Error> {
        self.text(sql, params)?.map(|text| self.parse(&text)).transpose()
    }

    fn documents<T: DeserializeOwned>(&self, sql: &str, params: impl Params) -> Result<Vec<T>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare(sql).map_err(|e| self.failed(e))?;
        let rows = statement.query_map(params, |row| row.get::<_, String>(0)).map_err(|e| self.failed(e))?;
        rows.map(|row| self.parse(&row.map_err(|e| self.failed(e))?)).collect()
    }

    /// Adds to what a party has used of something, unless the sum exceeds the budget.
    fn spend(&self, sql: &str, of: &str, party: &PartyId, amount: u64, budget: Option<u64>) -> Result<bool, Error> {
        let clamp = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let (amount, budget) = (clamp(amount), budget.map_or(i64::MAX, clamp));
        if amount > budget {
            return Ok(false);
        }
        self.execute(sql, params![of, party.as_str(), amount, budget]).map(|count| count == 1)
    }

    fn parse<T: DeserializeOwned>(&self, text: &str) -> Result<T, Error> {
        serde_json::from_str(text).map_err(|_| self.failed("a record does not have its format"))
    }

    fn render(&self, record: &impl Serialize) -> Result<String, Error> {
        serde_json::to_string(record).map_err(|e| self.failed(e))
    }
}

impl Store for SqliteStore {
    fn save_job(&self, record: &JobRecord) -> Result<(), Error> {
        let sql = "INSERT INTO jobs (job, created_us, document) VALUES ($1, $2, $3)
                   ON CONFLICT (job) DO UPDATE SET document = excluded.document";
        let document = self.render(record)?;
        self.execute(sql, params![record.job.to_string(), record.created_us, document]).map(drop)
    }

    fn job(&self, job: JobId) -> Result<Option<JobRecord>, Error> {
        self.document("SELECT document FROM jobs WHERE job = $1", params![job.to_string()])
    }

    fn jobs(&self) -> Result<Vec<JobRecord>, Error> {
        self.documents("SELECT document FROM jobs ORDER BY created_us DESC, job", [])
    }

    fn jobs_of(&self, dataset: &str) -> Result<Vec<JobRecord>, Error> {
        let sql =
            "SELECT document FROM jobs WHERE json_extract(document, '$.dataset') = $1 ORDER BY created_us DESC, job";
        self.documents(sql, params![dataset])
    }

    fn finish_job(&self, record: &JobRecord, result: &str) -> Result<(), Error> {
        let sql = "INSERT INTO jobs (job, created_us, document, result) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (job) DO UPDATE SET document = excluded.document, result = excluded.result";
        let document = self.render(record)?;
        self.execute(sql, params![record.job.to_string(), record.created_us, document, result]).map(drop)
    }

    fn result(&self, job: JobId) -> Result<Option<String>, Error> {
        self.text("SELECT result FROM jobs WHERE job = $1", params![job.to_string()])
    }

    fn save_dataset(&self, record: &DatasetRecord) -> Result<(), Error> {
        let sql = "INSERT INTO datasets (name, document) VALUES ($1, $2)
                   ON CONFLICT (name) DO UPDATE SET document = excluded.document";
        let document = self.render(record)?;
        self.execute(sql, params![record.name, document]).map(drop)
    }

    fn dataset(&self, name: &str) -> Result<Option<DatasetRecord>, Error> {
        self.document("SELECT document FROM datasets WHERE name = $1", params![name])
    }

    fn datasets(&self) -> Result<Vec<DatasetRecord>, Error> {
        self.documents("SELECT document FROM datasets ORDER BY name", [])
    }

    fn remove_dataset(&self, name: &str) -> Result<Option<DatasetRecord>, Error> {
        self.document("DELETE FROM datasets WHERE name = $1 RETURNING document", params![name])
    }

    fn save_decision(&self, decision: &Decision) -> Result<(), Error> {
        let sql = "INSERT INTO decisions (dataset, party, decided_us, document) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (dataset, party) DO UPDATE SET decided_us = excluded.decided_us,
                   document = excluded.document";
        let document = self.render(decision)?;
        let party = decision.party.as_str();
        self.execute(sql, params![decision.dataset, party, decision.decided_us, document]).map(drop)
    }

    fn decision(&self, dataset: &str, party: &PartyId) -> Result<Option<Decision>, Error> {
        let sql = "SELECT document FROM decisions WHERE dataset = $1 AND party = $2";
        self.document(sql, params![dataset, party.as_str()])
    }

    fn decisions(&self) -> Result<Vec<Decision>, Error> {
        self.documents("SELECT document FROM decisions ORDER BY decided_us DESC, dataset, party", [])
    }

    fn save_model(&self, record: &ModelRecord) -> Result<(), Error> {
        let sql = "INSERT INTO models (model, created_us, document) VALUES ($1, $2, $3)
                   ON CONFLICT (model) DO UPDATE SET document = excluded.document";
        let document = self.render(record)?;
        self.execute(sql, params![record.model.to_string(), record.created_us, document]).map(drop)
    }

    fn model(&self, model: ModelId) -> Result<Option<ModelRecord>, Error> {
        self.document("SELECT document FROM models WHERE model = $1", params![model.to_string()])
    }

    fn models(&self) -> Result<Vec<ModelRecord>, Error> {
        self.documents("SELECT document FROM models ORDER BY created_us DESC, model", [])
    }

    fn admit_session(&self, session: SessionId, seen_us: i64) -> Result<bool, Error> {
        let sql = "INSERT INTO sessions (session, seen_us) VALUES ($1, $2) ON CONFLICT (session) DO NOTHING";
        self.execute(sql, params![session.to_string(), seen_us]).map(|count| count == 1)
    }

    fn enter_round(&self, job: JobId, round: u32) -> Result<bool, Error> {
        let sql = "INSERT INTO entered (job, round) VALUES ($1, $2)
                   ON CONFLICT (job) DO UPDATE SET round = excluded.round WHERE round < excluded.round";
        self.execute(sql, params![job.to_string(), round]).map(|count| count == 1)
    }

    fn save_round(&self, job: JobId, round: &PastRound) -> Result<(), Error> {
        let sql = "INSERT INTO rounds (job, round, document) VALUES ($1, $2, $3)
                   ON CONFLICT (job, round) DO UPDATE SET document = excluded.document";
        let document = self.render(round)?;
        self.execute(sql, params![job.to_string(), round.round, document]).map(drop)
    }

    fn past_rounds(&self, job: JobId) -> Result<Vec<PastRound>, Error> {
        let connection = self.lock();
        let sql = "SELECT document FROM rounds WHERE job = $1 ORDER BY round";
        let mut statement = connection.prepare(sql).map_err(|e| self.failed(e))?;
        let rows = statement.query_map(params![job.to_string()], |row| row.get::<_, String>(0));
        let rows = rows.map_err(|e| self.failed(e))?;
        rows.map(|row| self.parse(&row.map_err(|e| self.failed(e))?)).collect()
    }

    fn save_pooled(&self, job: JobId, document: &str) -> Result<(), Error> {
        let sql = "INSERT INTO pooled (job, document) VALUES ($1, $2)
                   ON CONFLICT (job) DO UPDATE SET document = excluded.document";
        self.execute(sql, params![job.to_string(), document]).map(drop)
    }

    fn pooled(&self, job: JobId) -> Result<Option<String>, Error> {
        self.text("SELECT document FROM pooled WHERE job = $1", params![job.to_string()])
    }

    fn spend_rows(&self, model: ModelId, party: &PartyId, rows: u64, budget: Option<u64>) -> Result<bool, Error> {
        let sql = "INSERT INTO scored (model, party, rows) VALUES ($1, $2, $3)
                   ON CONFLICT (model, party) DO UPDATE SET rows = rows + excluded.rows
                   WHERE rows <= $4 - excluded.rows";
        self.spend(sql, &model.to_string(), party, rows, budget)
    }

    fn spend_evaluations(&self, epoch: &[u8; 32], party: &PartyId, keys: u64, limit: u64) -> Result<bool, Error> {
        let sql = "INSERT INTO evaluated (epoch, party, keys) VALUES ($1, $2, $3)
                   ON CONFLICT (epoch, party) DO UPDATE SET keys = keys + excluded.keys
                   WHERE keys <= $4 - excluded.keys";
        self.spend(sql, &hex::encode(epoch), party, keys, Some(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DatasetFacts, Verdict};
    use super::*;

    fn store() -> SqliteStore {
        SqliteStore::open(Path::new(":memory:")).unwrap()
    }

    // clause: SESS-9
    #[test]
    fn a_session_is_admitted_once() {
        let store = store();
        assert!(store.admit_session(SessionId([1; 16]), 1).unwrap());
        assert!(!store.admit_session(SessionId([1; 16]), 2).unwrap());
        assert!(store.admit_session(SessionId([2; 16]), 2).unwrap());
    }

    // clause: AGG-4
    #[test]
    fn a_round_is_entered_once_and_only_forwards() {
        let (store, job) = (store(), JobId([1; 16]));
        assert!(store.enter_round(job, 0).unwrap());
        assert!(!store.enter_round(job, 0).unwrap());
        assert!(store.enter_round(job, 2).unwrap());
        assert!(!store.enter_round(job, 1).unwrap());
        assert!(store.enter_round(JobId([2; 16]), 1).unwrap());
    }

    // clause: AGG-25
    #[test]
    fn completed_rounds_are_remembered() {
        let (store, job) = (store(), JobId([1; 16]));
        let survivors = ["lei:529900YY000SYNTH0017"].map(|p| PartyId::parse(p).unwrap()).into_iter().collect();
        let round = PastRound { round: 3, exact: true, survivors };
        store.save_round(job, &round).unwrap();
        assert_eq!(store.past_rounds(job).unwrap(), vec![round]);
        assert!(store.past_rounds(JobId([2; 16])).unwrap().is_empty());
    }

    // clause: SCORE-5
    #[test]
    fn a_budget_is_spent_once() {
        let (store, model) = (store(), ModelId([1; 16]));
        let party = PartyId::parse("lei:529900YY000SYNTH0017").unwrap();
        assert!(!store.spend_rows(model, &party, 101, Some(100)).unwrap());
        assert!(store.spend_rows(model, &party, 60, Some(100)).unwrap());
        assert!(!store.spend_rows(model, &party, 41, Some(100)).unwrap());
        assert!(store.spend_rows(model, &party, 40, Some(100)).unwrap());
        assert!(!store.spend_rows(model, &party, 1, Some(100)).unwrap());
        assert!(store.spend_rows(ModelId([2; 16]), &party, 100, Some(100)).unwrap());
        assert!(store.spend_rows(model, &party, u64::MAX, None).is_ok());
    }

    // clause: OPRF-7
    #[test]
    fn evaluations_are_counted_for_each_epoch_and_party() {
        let (store, epoch) = (store(), [1; 32]);
        let [bank, other] = ["lei:BANK", "lei:OTHER"].map(|party| PartyId::parse(party).unwrap());
        assert!(!store.spend_evaluations(&epoch, &bank, 101, 100).unwrap());
        assert!(store.spend_evaluations(&epoch, &bank, 60, 100).unwrap());
        assert!(!store.spend_evaluations(&epoch, &bank, 41, 100).unwrap());
        assert!(store.spend_evaluations(&epoch, &bank, 40, 100).unwrap());
        assert!(!store.spend_evaluations(&epoch, &bank, 1, 100).unwrap());
        assert!(store.spend_evaluations(&epoch, &other, 100, 100).unwrap());
        assert!(store.spend_evaluations(&[2; 32], &bank, 100, 100).unwrap());
    }

    #[test]
    fn datasets_are_replaced_by_name() {
        let store = store();
        let record = DatasetRecord {
            name: "tax".into(),
            key: "id".into(),
            label: None,
            key_format: "text".into(),
            rows: 3,
            valid: 3,
            duplicate: 0,
            invalid: 0,
            columns: vec!["x".into()],
            schema: "00".into(),
            file: "tax.csv".into(),
            facts: DatasetFacts::default(),
        };
        store.save_dataset(&record).unwrap();
        let newer = DatasetRecord { rows: 4, ..record };
        store.save_dataset(&newer).unwrap();
        assert_eq!(store.datasets().unwrap(), vec![newer.clone()]);
        assert_eq!(store.dataset("tax").unwrap(), Some(newer));
        assert_eq!(store.dataset("power").unwrap(), None);
        assert!(store.remove_dataset("tax").unwrap().is_some() && store.remove_dataset("tax").unwrap().is_none());
        assert!(store.datasets().unwrap().is_empty());
    }

    #[test]
    fn a_decision_takes_the_place_of_an_earlier_one() {
        let store = store();
        let party = PartyId::parse("lei:529900YY000SYNTH0017").unwrap();
        let granted = Decision {
            dataset: "tax".into(),
            party: party.clone(),
            verdict: Verdict::Granted,
            schema: "00".into(),
            decided_us: 1,
        };
        store.save_decision(&granted).unwrap();
        let revoked = Decision { verdict: Verdict::Revoked, decided_us: 2, ..granted };
        store.save_decision(&revoked).unwrap();
        assert_eq!(store.decision("tax", &party).unwrap(), Some(revoked.clone()));
        assert_eq!(store.decision("power", &party).unwrap(), None);
        assert_eq!(store.decisions().unwrap(), [revoked]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_a_disk_error() {
        let error = SqliteStore::open(Path::new("/proc/no/hefu.db")).err().unwrap();
        assert_eq!(error.code(), hefu_core::Code::Disk);
    }
}
