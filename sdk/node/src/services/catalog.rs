//! What a peer may see of this node's datasets, and of its own use of them (spec/catalog.md).
use crate::approvals::{self, Approval};
use crate::config::AllowEntry;
use crate::job::JobRecord;
use crate::node::Shared;
use crate::store::{self, DatasetRecord};
use hefu_core::{Code, Fault, PartyId};

/// Uses that one answer holds.
const MAX_USES: usize = 1000;

/// A dataset as a caller sees it.
pub(crate) struct Offered {
    pub(crate) record: DatasetRecord,
    /// What the caller may use it for.
    pub(crate) permissions: Vec<(AllowEntry, Approval)>,
}

impl DatasetRecord {
    /// Whether the dataset serves what an entry permits (CAT-5).
    pub(crate) fn serves(&self, entry: &AllowEntry) -> bool {
        self.facts.purposes.is_empty() || self.facts.purposes.contains(&entry.purpose)
    }
}

/// Whether an entry opens a dataset to a caller at all.
fn opens(shared: &Shared, peer: &PartyId, name: &str) -> bool {
    shared.config.allow.iter().any(|entry| entry.party == *peer && entry.dataset == name)
}

async fn offered(shared: &Shared, peer: &PartyId, record: DatasetRecord) -> Result<Option<Offered>, Fault> {
    let entries = shared.config.allow.iter().filter(|entry| entry.party == *peer && entry.dataset == record.name);
    let mut permissions = Vec::new();
    for entry in entries.filter(|entry| record.serves(entry)) {
        permissions.push((entry.clone(), approvals::look_up(shared, entry, &record, peer).await?));
    }
    Ok((!permissions.is_empty()).then_some(Offered { record, permissions }))
}

/// `ListDatasets`: what is open to the caller, by name (CAT-2).
pub(crate) async fn list(shared: &Shared, peer: &PartyId) -> Result<Vec<Offered>, Fault> {
    let records = store::call(&shared.store, |store| store.datasets()).await?;
    let mut all = Vec::new();
    for record in records {
        all.extend(offered(shared, peer, record).await?);
    }
    Ok(all)
}

/// `GetDataset`: one of them. What is not open and what does not exist are answered alike (CAT-3).
///
/// # Errors
/// `NOT_ALLOWED`; `UNKNOWN_DATASET` where an entry opens a dataset that is not published.
pub(crate) async fn get(shared: &Shared, peer: &PartyId, name: &str) -> Result<Offered, Fault> {
    let refused = || Fault::new(Code::NotAllowed).by(peer).citing("CAT-3");
    if !opens(shared, peer, name) {
        return Err(refused());
    }
    let asked = name.to_owned();
    let record = store::call(&shared.store, move |store| store.dataset(&asked)).await?;
    let record = record.ok_or_else(|| Fault::new(Code::UnknownDataset).by(shared.party()).citing("CAT-3"))?;
    offered(shared, peer, record).await?.ok_or_else(refused)
}

/// `GetUsage`: the caller's own uses of a dataset, newest first (CAT-4).
///
/// # Errors
/// `NOT_ALLOWED`.
pub(crate) async fn usage(shared: &Shared, peer: &PartyId, name: &str) -> Result<Vec<JobRecord>, Fault> {
    if !opens(shared, peer, name) {
        return Err(Fault::new(Code::NotAllowed).by(peer).citing("CAT-3"));
    }
    let asked = name.to_owned();
    let jobs = store::call(&shared.store, move |store| store.jobs_of(&asked)).await?;
    let own = jobs.into_iter().filter(|record| record.began_us > 0 && record.initiator == *peer);
    Ok(own.take(MAX_USES).map(|record| shared.jobs.newest(record)).collect())
}
