//! The store in one SQLite file.
use super::{DatasetRecord, ModelRecord, Store};
use crate::job::JobRecord;
use crate::{Error, files};
use hefu_core::{JobId, ModelId, PartyId, SessionId};
use rusqlite::{Connection, OptionalExtension, Params, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS jobs (job TEXT PRIMARY KEY, created_us BIGINT NOT NULL, document TEXT NOT NULL, result TEXT);
CREATE TABLE IF NOT EXISTS datasets (name TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS models (model TEXT PRIMARY KEY, created_us BIGINT NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (session TEXT PRIMARY KEY, seen_us BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS scored (model TEXT NOT NULL, party TEXT NOT NULL, rows BIGINT NOT NULL, PRIMARY KEY (model, party));
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

    fn documents<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare(sql).map_err(|e| self.failed(e))?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(|e| self.failed(e))?;
        rows.map(|row| self.parse(&row.map_err(|e| self.failed(e))?)).collect()
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
        self.documents("SELECT document FROM jobs ORDER BY created_us DESC, job")
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
        self.documents("SELECT document FROM datasets ORDER BY name")
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
        self.documents("SELECT document FROM models ORDER BY created_us DESC, model")
    }

    fn admit_session(&self, session: SessionId, seen_us: i64) -> Result<bool, Error> {
        let sql = "INSERT INTO sessions (session, seen_us) VALUES ($1, $2) ON CONFLICT (session) DO NOTHING";
        self.execute(sql, params![session.to_string(), seen_us]).map(|count| count == 1)
    }

    fn spend_rows(&self, model: ModelId, party: &PartyId, rows: u64, budget: Option<u64>) -> Result<bool, Error> {
        let clamp = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let (rows, budget) = (clamp(rows), budget.map_or(i64::MAX, clamp));
        if rows > budget {
            return Ok(false);
        }
        let sql = "INSERT INTO scored (model, party, rows) VALUES ($1, $2, $3)
                   ON CONFLICT (model, party) DO UPDATE SET rows = rows + excluded.rows
                   WHERE rows <= $4 - excluded.rows";
        self.execute(sql, params![model.to_string(), party.as_str(), rows, budget]).map(|count| count == 1)
    }
}

#[cfg(test)]
mod tests {
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
        };
        store.save_dataset(&record).unwrap();
        let newer = DatasetRecord { rows: 4, ..record };
        store.save_dataset(&newer).unwrap();
        assert_eq!(store.datasets().unwrap(), vec![newer.clone()]);
        assert_eq!(store.dataset("tax").unwrap(), Some(newer));
        assert_eq!(store.dataset("power").unwrap(), None);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_a_disk_error() {
        let error = SqliteStore::open(Path::new("/proc/no/hefu.db")).err().unwrap();
        assert_eq!(error.code(), hefu_core::Code::Disk);
    }
}
