//! `CatalogService`: both ends.
use super::{call_fault, peer_of, status::refusal_to_peer};
use crate::approvals::Approval;
use crate::job::JobRecord;
use crate::node::{Connection, Shared};
use crate::services::catalog::{self, Offered};
use crate::tls::{self, Link, MAX_DECODED};
use crate::trust::TrustedParty;
use hefu_core::{Code, Fault, JobId, PartyId};
use hefu_proto::v1::catalog_service_client::CatalogServiceClient;
use hefu_proto::v1::catalog_service_server::CatalogService;
use hefu_proto::v1::{
    CatalogEntry, GetDatasetRequest, GetDatasetResponse, GetUsageRequest, GetUsageResponse, ListDatasetsRequest,
    ListDatasetsResponse, Permission, Use,
};
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, async_trait};

/// Characters of a peer's text that are shown.
const SHOWN: usize = 200;

pub(super) struct Catalog(pub(super) Arc<Shared>);

impl Catalog {
    fn refuse(&self, call: &str, peer: &PartyId, fault: &Fault) -> Status {
        self.0.log(&format!("refused {call} of {peer}: {fault}"));
        refusal_to_peer(fault)
    }
}

#[async_trait]
impl CatalogService for Catalog {
    async fn list_datasets(
        &self,
        request: Request<ListDatasetsRequest>,
    ) -> Result<Response<ListDatasetsResponse>, Status> {
        let peer = peer_of(&request)?;
        let all = catalog::list(&self.0, &peer).await.map_err(|fault| self.refuse("ListDatasets", &peer, &fault))?;
        Ok(Response::new(ListDatasetsResponse { entries: all.iter().map(entry).collect() }))
    }

    async fn get_dataset(&self, request: Request<GetDatasetRequest>) -> Result<Response<GetDatasetResponse>, Status> {
        let peer = peer_of(&request)?;
        let found = catalog::get(&self.0, &peer, &request.into_inner().name).await;
        let found = found.map_err(|fault| self.refuse("GetDataset", &peer, &fault))?;
        let schema = found.record.facts.schema_text.clone().into_bytes();
        Ok(Response::new(GetDatasetResponse { entry: Some(entry(&found)), schema }))
    }

    async fn get_usage(&self, request: Request<GetUsageRequest>) -> Result<Response<GetUsageResponse>, Status> {
        let peer = peer_of(&request)?;
        let uses = catalog::usage(&self.0, &peer, &request.into_inner().name).await;
        let uses = uses.map_err(|fault| self.refuse("GetUsage", &peer, &fault))?;
        Ok(Response::new(GetUsageResponse { uses: uses.iter().map(one_use).collect() }))
    }
}

fn entry(offered: &Offered) -> CatalogEntry {
    let (record, facts) = (&offered.record, &offered.record.facts);
    let permission = |(entry, approval): &(crate::config::AllowEntry, Approval)| Permission {
        purpose: entry.purpose.as_str().to_owned(),
        outputs: entry.outputs.iter().map(|output| output.as_str().to_owned()).collect(),
        allow: entry.digest().to_vec(),
        approval: approval.as_str().to_owned(),
    };
    CatalogEntry {
        name: record.name.clone(),
        schema_hash: hex::decode(&record.schema).unwrap_or_default(),
        rows: record.valid,
        grain: facts.grain.clone(),
        steward: facts.steward.clone(),
        purposes: facts.purposes.iter().map(|purpose| purpose.as_str().to_owned()).collect(),
        period: facts.period.clone(),
        sensitivity: u32::from(facts.sensitivity),
        published_us: facts.published_us,
        permissions: offered.permissions.iter().map(permission).collect(),
    }
}

fn one_use(record: &JobRecord) -> Use {
    Use {
        job: record.job.0.to_vec(),
        kind: record.kind.as_str().to_owned(),
        purpose: record.purpose.as_str().to_owned(),
        outputs: record.outputs.iter().map(|output| output.as_str().to_owned()).collect(),
        began_us: record.began_us,
        ended_us: record.ended_us,
        state: record.state.as_str().to_owned(),
    }
}

/// A dataset of another party, as its node tells of it.
pub(crate) struct PeerDataset {
    pub(crate) name: String,
    pub(crate) schema_hash: [u8; 32],
    pub(crate) rows: u64,
    pub(crate) grain: String,
    pub(crate) steward: String,
    pub(crate) purposes: Vec<String>,
    pub(crate) period: String,
    pub(crate) sensitivity: u32,
    pub(crate) published_us: i64,
    pub(crate) permissions: Vec<PeerPermission>,
}

/// What this party may use it for.
pub(crate) struct PeerPermission {
    pub(crate) purpose: String,
    pub(crate) outputs: Vec<String>,
    pub(crate) approval: Approval,
}

/// One of this party's uses of a peer's dataset.
pub(crate) struct PeerUse {
    pub(crate) job: JobId,
    pub(crate) kind: String,
    pub(crate) purpose: String,
    pub(crate) outputs: Vec<String>,
    pub(crate) began_us: i64,
    pub(crate) ended_us: i64,
    pub(crate) state: String,
}

/// This node's questions to one party's catalogue.
pub(crate) struct CatalogClient {
    link: Link,
    client: CatalogServiceClient<Channel>,
    timeout: Duration,
}

impl CatalogClient {
    /// Dials a trusted party.
    ///
    /// # Errors
    /// Those of the connection, with the party.
    pub(crate) async fn dial(shared: &Shared, party: &TrustedParty) -> Result<Self, Fault> {
        let link = tls::dial(&shared.tls, party).await?;
        shared.remember(Connection { party: link.party.clone(), group: link.group.clone(), inbound: false });
        let client = CatalogServiceClient::new(link.channel.clone()).max_decoding_message_size(MAX_DECODED);
        Ok(CatalogClient { link, client, timeout: shared.config.limits.idle_timeout() })
    }

    /// The party at the other end.
    pub(crate) fn party(&self) -> &PartyId {
        &self.link.party
    }

    /// What it offers this party.
    pub(crate) async fn list(&self) -> Result<Vec<PeerDataset>, Fault> {
        let mut client = self.client.clone();
        let answer = self.call(client.list_datasets(ListDatasetsRequest {})).await?;
        answer.entries.into_iter().map(|entry| self.read(entry)).collect()
    }

    /// One dataset and its schema, whose digest is checked (CAT-7).
    pub(crate) async fn get(&self, name: &str) -> Result<(PeerDataset, Vec<u8>), Fault> {
        let mut client = self.client.clone();
        let answer = self.call(client.get_dataset(GetDatasetRequest { name: name.to_owned() })).await?;
        let entry = self.read(answer.entry.unwrap_or_default())?;
        if entry.name != name || hefu_crypto::sha256(&[&answer.schema]) != entry.schema_hash {
            return Err(Fault::new(Code::BadDigest).by(self.party()).citing("CAT-7"));
        }
        Ok((entry, answer.schema))
    }

    /// How this party has used a dataset.
    pub(crate) async fn usage(&self, name: &str) -> Result<Vec<PeerUse>, Fault> {
        let mut client = self.client.clone();
        let answer = self.call(client.get_usage(GetUsageRequest { name: name.to_owned() })).await?;
        let read = |told: Use| {
            Some(PeerUse {
                job: JobId(told.job.try_into().ok()?),
                kind: shown(told.kind),
                purpose: shown(told.purpose),
                outputs: told.outputs.into_iter().map(shown).collect(),
                began_us: told.began_us,
                ended_us: told.ended_us,
                state: shown(told.state),
            })
        };
        let uses: Option<Vec<_>> = answer.uses.into_iter().map(read).collect();
        uses.ok_or_else(|| self.malformed("a job id has 16 bytes"))
    }

    fn read(&self, entry: CatalogEntry) -> Result<PeerDataset, Fault> {
        let hash = entry.schema_hash.try_into().map_err(|_| self.malformed("a digest has 32 bytes"))?;
        let permission = |told: Permission| PeerPermission {
            purpose: shown(told.purpose),
            outputs: told.outputs.into_iter().map(shown).collect(),
            approval: Approval::parse(&told.approval),
        };
        Ok(PeerDataset {
            name: shown(entry.name),
            schema_hash: hash,
            rows: entry.rows,
            grain: shown(entry.grain),
            steward: shown(entry.steward),
            purposes: entry.purposes.into_iter().map(shown).collect(),
            period: shown(entry.period),
            sensitivity: entry.sensitivity,
            published_us: entry.published_us,
            permissions: entry.permissions.into_iter().map(permission).collect(),
        })
    }

    fn malformed(&self, cause: &str) -> Fault {
        Fault::because(Code::MalformedMessage, cause).by(self.party()).citing("CONV-1")
    }

    async fn call<T>(&self, call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.link.verdict().unwrap_or_else(|| call_fault(&status, &self.link.party))),
            Err(_) => Err(Fault::new(Code::PeerSlow).by(&self.link.party)),
        }
    }
}

/// A peer's text for a person to read: of bounded length, and nothing that steers a terminal.
fn shown(text: String) -> String {
    if text.chars().count() <= SHOWN && !text.chars().any(char::is_control) {
        return text;
    }
    text.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_text_steers_no_terminal() {
        assert_eq!(shown("税务局数据处, ext. 4711".into()), "税务局数据处, ext. 4711");
        assert_eq!(shown("a\u{1b}[2Jb\n".into()), "a[2Jb");
        assert_eq!(shown("x".repeat(1000)).len(), SHOWN);
    }
}
