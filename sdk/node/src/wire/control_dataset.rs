//! `hefu.control.v1.DatasetService` and `CatalogService`: one's own datasets, and those of others.
use super::catalog::{PeerDataset, PeerPermission};
use super::control::{Control, respond};
use super::status::refusal;
use crate::control::datasets::{self, ApprovalEntry, PublishRequest};
use crate::job::JobRecord;
use crate::store::DatasetRecord;
use hefu_core::{Fault, JobId, PartyId};
use hefu_proto::control as proto;
use hefu_proto::control::catalog_service_server::CatalogService;
use hefu_proto::control::dataset_service_server::DatasetService;
use tonic::{Request, Response, Status, async_trait};

fn dataset(record: DatasetRecord) -> proto::Dataset {
    let facts = record.facts;
    proto::Dataset {
        name: record.name,
        rows: record.valid,
        duplicate: record.duplicate,
        invalid: record.invalid,
        columns: record.columns,
        key: record.key,
        label: record.label.unwrap_or_default(),
        schema: record.schema,
        grain: facts.grain,
        steward: facts.steward,
        purposes: facts.purposes.iter().map(|purpose| purpose.as_str().to_owned()).collect(),
        period: facts.period,
        sensitivity: u32::from(facts.sensitivity),
        published_us: facts.published_us,
        inferred: facts.inferred,
        key_format: record.key_format,
    }
}

fn words<T>(items: &[T], word: impl Fn(&T) -> &'static str) -> Vec<String> {
    items.iter().map(|item| word(item).to_owned()).collect()
}

fn one_use(record: &JobRecord) -> proto::Use {
    proto::Use {
        dataset: record.dataset.clone(),
        party: record.initiator.to_string(),
        job: record.job.to_string(),
        kind: record.kind.as_str().to_owned(),
        purpose: record.purpose.as_str().to_owned(),
        outputs: words(&record.outputs, |output| output.as_str()),
        began_us: record.began_us,
        ended_us: record.ended_us,
        state: record.state.as_str().to_owned(),
    }
}

fn approval(entry: ApprovalEntry) -> proto::Approval {
    let job = entry.job.as_ref();
    proto::Approval {
        dataset: entry.dataset,
        party: entry.party.to_string(),
        state: entry.state.to_owned(),
        job: job.map(|record| record.job.to_string()).unwrap_or_default(),
        kind: job.map(|record| record.kind.as_str().to_owned()).unwrap_or_default(),
        purpose: job.map(|record| record.purpose.as_str().to_owned()).unwrap_or_default(),
        outputs: job.map(|record| words(&record.outputs, |output| output.as_str())).unwrap_or_default(),
        asked_us: job.map(|record| record.created_us).unwrap_or_default(),
        decided_us: entry.decided_us,
    }
}

fn ids(jobs: &[JobId]) -> Vec<String> {
    jobs.iter().map(ToString::to_string).collect()
}

#[async_trait]
impl DatasetService for Control {
    async fn publish_dataset(
        &self,
        request: Request<proto::PublishDatasetRequest>,
    ) -> Result<Response<proto::PublishDatasetResponse>, Status> {
        let m = request.into_inner();
        let request = PublishRequest {
            name: m.name,
            path: m.path,
            key: m.key,
            label: m.label,
            key_format: m.key_format,
            missing: m.missing,
            encoding: m.encoding,
            schema: m.schema,
            steward: m.steward,
            purposes: m.purposes,
            period: m.period,
            sensitivity: m.sensitivity,
        };
        let published = datasets::publish(&self.0, request).await;
        respond(published.map(|record| proto::PublishDatasetResponse { dataset: Some(dataset(record)) }))
    }

    async fn list_datasets(
        &self,
        _: Request<proto::ListDatasetsRequest>,
    ) -> Result<Response<proto::ListDatasetsResponse>, Status> {
        let records = datasets::datasets(&self.0).await;
        let all = |records: Vec<DatasetRecord>| records.into_iter().map(dataset).collect();
        respond(records.map(|records| proto::ListDatasetsResponse { datasets: all(records) }))
    }

    async fn get_dataset(
        &self,
        request: Request<proto::GetDatasetRequest>,
    ) -> Result<Response<proto::GetDatasetResponse>, Status> {
        let found = datasets::dataset(&self.0, &request.into_inner().name).await;
        respond(found.map(|record| {
            let schema = record.facts.schema_text.clone().into_bytes();
            proto::GetDatasetResponse { dataset: Some(dataset(record)), schema }
        }))
    }

    async fn unpublish_dataset(
        &self,
        request: Request<proto::UnpublishDatasetRequest>,
    ) -> Result<Response<proto::UnpublishDatasetResponse>, Status> {
        let ended = datasets::unpublish(&self.0, &request.into_inner().name).await;
        respond(ended.map(|jobs| proto::UnpublishDatasetResponse { jobs: ids(&jobs) }))
    }

    async fn get_usage(
        &self,
        request: Request<proto::GetUsageRequest>,
    ) -> Result<Response<proto::GetUsageResponse>, Status> {
        let uses = datasets::usage(&self.0, &request.into_inner().name).await;
        respond(uses.map(|uses| proto::GetUsageResponse { uses: uses.iter().map(one_use).collect() }))
    }

    async fn list_approvals(
        &self,
        _: Request<proto::ListApprovalsRequest>,
    ) -> Result<Response<proto::ListApprovalsResponse>, Status> {
        let all = datasets::approvals(&self.0).await;
        respond(all.map(|all| proto::ListApprovalsResponse { approvals: all.into_iter().map(approval).collect() }))
    }

    async fn approve_use(
        &self,
        request: Request<proto::ApproveUseRequest>,
    ) -> Result<Response<proto::ApproveUseResponse>, Status> {
        let m = request.into_inner();
        let approved = datasets::approve(&self.0, &m.dataset, &m.party).await;
        respond(approved.map(|entry| proto::ApproveUseResponse { approval: Some(approval(entry)) }))
    }

    async fn revoke_use(
        &self,
        request: Request<proto::RevokeUseRequest>,
    ) -> Result<Response<proto::RevokeUseResponse>, Status> {
        let m = request.into_inner();
        let revoked = datasets::revoke(&self.0, &m.dataset, &m.party).await;
        respond(
            revoked.map(|(entry, jobs)| proto::RevokeUseResponse { approval: Some(approval(entry)), jobs: ids(&jobs) }),
        )
    }
}

fn peer_dataset(party: &PartyId, told: PeerDataset) -> proto::CatalogEntry {
    let permission = |told: PeerPermission| proto::Permission {
        purpose: told.purpose,
        outputs: told.outputs,
        approval: told.approval.as_str().to_owned(),
    };
    proto::CatalogEntry {
        party: party.to_string(),
        name: told.name,
        schema: hex::encode(told.schema_hash),
        rows: told.rows,
        grain: told.grain,
        steward: told.steward,
        purposes: told.purposes,
        period: told.period,
        sensitivity: told.sensitivity,
        published_us: told.published_us,
        permissions: told.permissions.into_iter().map(permission).collect(),
    }
}

impl Control {
    async fn catalogue(&self, party: &str) -> Result<super::CatalogClient, Status> {
        datasets::catalogue_of(&self.0, party).await.map_err(|fault| refusal(&fault))
    }
}

#[async_trait]
impl CatalogService for Control {
    async fn list_catalog(
        &self,
        request: Request<proto::ListCatalogRequest>,
    ) -> Result<Response<proto::ListCatalogResponse>, Status> {
        let client = self.catalogue(&request.into_inner().party).await?;
        let all = client.list().await;
        let entries = |all: Vec<PeerDataset>| all.into_iter().map(|told| peer_dataset(client.party(), told)).collect();
        respond(all.map(|all| proto::ListCatalogResponse { entries: entries(all) }))
    }

    async fn get_catalog_entry(
        &self,
        request: Request<proto::GetCatalogEntryRequest>,
    ) -> Result<Response<proto::GetCatalogEntryResponse>, Status> {
        let m = request.into_inner();
        let client = self.catalogue(&m.party).await?;
        let found = client.get(&m.dataset).await;
        respond(found.map(|(told, schema)| {
            let entry = Some(peer_dataset(client.party(), told));
            proto::GetCatalogEntryResponse { entry, schema }
        }))
    }

    async fn get_own_usage(
        &self,
        request: Request<proto::GetOwnUsageRequest>,
    ) -> Result<Response<proto::GetOwnUsageResponse>, Status> {
        let m = request.into_inner();
        let client = self.catalogue(&m.party).await?;
        let uses: Result<_, Fault> = client.usage(&m.dataset).await;
        let own = self.0.party().to_string();
        respond(uses.map(|uses| {
            let uses = uses.into_iter().map(|told| proto::Use {
                dataset: m.dataset.clone(),
                party: own.clone(),
                job: told.job.to_string(),
                kind: told.kind,
                purpose: told.purpose,
                outputs: told.outputs,
                began_us: told.began_us,
                ended_us: told.ended_us,
                state: told.state,
            });
            proto::GetOwnUsageResponse { uses: uses.collect() }
        }))
    }
}
