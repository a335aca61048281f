//! Datasets of this node: publish, show, take back; who may use them, and who did.
use crate::approvals;
use crate::dataset::{Publication, asked_format};
use crate::job::{self, JobRecord, JobState};
use crate::node::Shared;
use crate::store::{self, DatasetRecord, Decision, Verdict};
use crate::{Error, wire};
use hefu_core::{Code, Fault, JobId, Missing, PartyId, Place, Purpose};
use std::path::PathBuf;
use std::sync::Arc;

/// A dataset as the caller describes it, in words.
#[derive(Default)]
pub(crate) struct PublishRequest {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) label: String,
    pub(crate) key_format: String,
    pub(crate) missing: String,
    pub(crate) encoding: String,
    /// Exact bytes; empty: one is inferred.
    pub(crate) schema: Vec<u8>,
    pub(crate) steward: String,
    pub(crate) purposes: Vec<String>,
    pub(crate) period: String,
    pub(crate) sensitivity: u32,
}

impl PublishRequest {
    fn read(self) -> Result<Publication, Fault> {
        let word = |key: &str, cause: &str| Fault::from(Error::configuration(key, cause));
        let missing = if self.missing.is_empty() { Some(Missing::Error) } else { Missing::parse(&self.missing) };
        let purpose = |word: &String| {
            let cause = format!("{word} is no registered purpose");
            Purpose::parse(word).ok_or_else(|| Fault::from(Error::configuration("purposes", cause)))
        };
        let not_text = || {
            let place = Place { dataset: Some(self.name.clone()), ..Place::default() };
            Fault::because(Code::BadSchema, "the schema is not UTF-8").at(place)
        };
        let schema = match self.schema.is_empty() {
            true => None,
            false => Some(String::from_utf8(self.schema.clone()).map_err(|_| not_text())?),
        };
        Ok(Publication {
            missing: missing.ok_or_else(|| word("missing", "error or mean is expected"))?,
            is_ndjson: match self.encoding.as_str() {
                "" | "csv" => false,
                "ndjson" => true,
                _ => return Err(word("encoding", "csv or ndjson is expected")),
            },
            schema,
            path: PathBuf::from(self.path),
            key: self.key,
            label: Some(self.label).filter(|label| !label.is_empty()),
            key_format: asked_format(&self.key_format)?,
            steward: self.steward,
            purposes: self.purposes.iter().map(purpose).collect::<Result<_, _>>()?,
            period: self.period,
            sensitivity: u8::try_from(self.sensitivity).unwrap_or(u8::MAX),
            name: self.name,
        })
    }
}

/// Publishes a dataset, in place of one of the same name.
pub(crate) async fn publish(shared: &Arc<Shared>, request: PublishRequest) -> Result<DatasetRecord, Fault> {
    let publication = request.read()?;
    let own = shared.clone();
    job::blocking(move || {
        let before = own.store.dataset(&publication.name)?;
        let record = own.datasets.publish(&publication, own.config.limits.max_rows)?;
        own.store.save_dataset(&record)?;
        if let Some(before) = before.filter(|before| before.file != record.file) {
            own.datasets.remove(&before)?;
        }
        Ok(record)
    })
    .await
}

/// All datasets, by name.
pub(crate) async fn datasets(shared: &Shared) -> Result<Vec<DatasetRecord>, Fault> {
    Ok(store::call(&shared.store, |store| store.datasets()).await?)
}

/// The dataset of a name.
///
/// # Errors
/// `UNKNOWN_DATASET`.
pub(crate) async fn dataset(shared: &Shared, name: &str) -> Result<DatasetRecord, Fault> {
    let name = name.to_owned();
    let found = store::call(&shared.store, move |store| store.dataset(&name)).await?;
    found.ok_or_else(|| Fault::new(Code::UnknownDataset).by(shared.party()))
}

/// Takes a dataset back: new jobs with it are refused, running ones end (CAT-8). Answers the jobs that end.
///
/// # Errors
/// `UNKNOWN_DATASET`, `DISK`.
pub(crate) async fn unpublish(shared: &Arc<Shared>, name: &str) -> Result<Vec<JobId>, Fault> {
    let (asked, own) = (name.to_owned(), shared.clone());
    job::blocking(move || {
        let removed = own.store.remove_dataset(&asked)?;
        let removed = removed.ok_or_else(|| Fault::new(Code::UnknownDataset).by(own.party()))?;
        let ended = approvals::end_jobs(&own, |record| record.dataset == removed.name);
        own.datasets.remove(&removed)?;
        own.epochs.end(&removed.name)?;
        Ok(ended)
    })
    .await
}

/// The jobs of others that have used a dataset, newest first; also of one that is published no more.
pub(crate) async fn usage(shared: &Shared, name: &str) -> Result<Vec<JobRecord>, Fault> {
    let asked = name.to_owned();
    let jobs = store::call(&shared.store, move |store| store.jobs_of(&asked)).await?;
    let uses: Vec<JobRecord> = jobs
        .into_iter()
        .filter(|record| record.began_us > 0 && record.initiator != *shared.party())
        .map(|record| shared.jobs.newest(record))
        .collect();
    if uses.is_empty() {
        dataset(shared, name).await?;
    }
    Ok(uses)
}

/// What waits for a steward, or was decided.
pub(crate) struct ApprovalEntry {
    pub(crate) dataset: String,
    pub(crate) party: PartyId,
    /// `waiting`, or the verdict.
    pub(crate) state: &'static str,
    pub(crate) decided_us: i64,
    /// The job that waits.
    pub(crate) job: Option<JobRecord>,
}

impl From<Decision> for ApprovalEntry {
    fn from(decision: Decision) -> Self {
        let state = match decision.verdict {
            Verdict::Granted => "granted",
            Verdict::Refused => "refused",
            Verdict::Revoked => "revoked",
        };
        let Decision { dataset, party, decided_us, .. } = decision;
        ApprovalEntry { dataset, party, state, decided_us, job: None }
    }
}

/// What waits, oldest first, then what was decided, newest first.
pub(crate) async fn approvals(shared: &Shared) -> Result<Vec<ApprovalEntry>, Fault> {
    let own = shared.party();
    let mut waiting: Vec<JobRecord> = shared.jobs.at_work();
    waiting.retain(|record| record.state == JobState::AwaitingApproval && record.awaiting.contains(own));
    waiting.sort_by_key(|record| (record.created_us, record.job.to_string()));
    let decided = store::call(&shared.store, |store| store.decisions()).await?;
    // A job that waits for a decision which has come takes it up by itself.
    let granted = |record: &JobRecord| {
        let same = |d: &&Decision| d.dataset == record.dataset && d.party == record.initiator;
        decided.iter().find(same).is_some_and(|d| d.verdict == Verdict::Granted)
    };
    waiting.retain(|record| !granted(record));
    let waiting = waiting.into_iter().map(|record| ApprovalEntry {
        dataset: record.dataset.clone(),
        party: record.initiator.clone(),
        state: "waiting",
        decided_us: 0,
        job: Some(record),
    });
    Ok(waiting.chain(decided.into_iter().map(ApprovalEntry::from)).collect())
}

/// Approves the use of a dataset by a party, named by short name or id.
///
/// # Errors
/// `UNKNOWN_DATASET`, `UNKNOWN_PARTY`, `DISK`.
pub(crate) async fn approve(shared: &Shared, name: &str, party: &str) -> Result<ApprovalEntry, Fault> {
    let (dataset, party) = (dataset(shared, name).await?, resolve(shared, party)?);
    Ok(approvals::approve(shared, &dataset, &party).await?.into())
}

/// Refuses or revokes the use of a dataset by a party; answers the jobs that end too.
///
/// # Errors
/// `UNKNOWN_DATASET`, `UNKNOWN_PARTY`, `DISK`.
pub(crate) async fn revoke(
    shared: &Arc<Shared>,
    name: &str,
    party: &str,
) -> Result<(ApprovalEntry, Vec<JobId>), Fault> {
    let (dataset, party) = (dataset(shared, name).await?, resolve(shared, party)?);
    let (decision, jobs) = approvals::revoke(shared, &dataset, &party).await?;
    Ok((decision.into(), jobs))
}

fn resolve(shared: &Shared, party: &str) -> Result<PartyId, Fault> {
    let trusted = shared.trust.resolve(party).map(|trusted| trusted.descriptor.party.clone());
    trusted.ok_or_else(|| unknown_party(party))
}

fn unknown_party(name: &str) -> Fault {
    let cause = format!("{name}: no trusted descriptor of that alias or party id");
    let fault = Fault::because(Code::UnknownParty, cause);
    PartyId::parse(name).map_or(fault.clone(), |party| fault.by(&party))
}

/// Asks a trusted party's node for its catalogue.
///
/// # Errors
/// `UNKNOWN_PARTY`; those of the connection.
pub(crate) async fn catalogue_of(shared: &Shared, party: &str) -> Result<wire::CatalogClient, Fault> {
    let trusted = shared.trust.resolve(party).ok_or_else(|| unknown_party(party))?;
    wire::CatalogClient::dial(shared, &trusted).await
}
