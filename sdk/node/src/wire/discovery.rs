//! `DiscoveryService`: what this node speaks.
use crate::node::Shared;
use hefu_crypto::Suite;
use hefu_proto::v1::discovery_service_server::DiscoveryService;
use hefu_proto::v1::{GetCapabilitiesRequest, GetCapabilitiesResponse, GetVersionsRequest, GetVersionsResponse};
use hefu_protocol::session::{ALGORITHMS, VERSIONS};
use std::sync::Arc;
use tonic::{Request, Response, Status, async_trait};

pub(super) struct Discovery(pub(super) Arc<Shared>);

#[async_trait]
impl DiscoveryService for Discovery {
    async fn get_versions(
        &self,
        request: Request<GetVersionsRequest>,
    ) -> Result<Response<GetVersionsResponse>, Status> {
        super::peer_of(&request)?;
        let versions = VERSIONS.iter().map(|version| (*version).to_owned()).collect();
        Ok(Response::new(GetVersionsResponse { versions, software: crate::SOFTWARE.to_owned() }))
    }

    async fn get_capabilities(
        &self,
        request: Request<GetCapabilitiesRequest>,
    ) -> Result<Response<GetCapabilitiesResponse>, Status> {
        super::peer_of(&request)?;
        let limits = &self.0.config.limits;
        Ok(Response::new(GetCapabilitiesResponse {
            party: self.0.party().to_string(),
            suites: Suite::PREFERENCE.iter().map(|suite| u32::from(suite.number())).collect(),
            algorithms: ALGORITHMS.iter().map(|name| (*name).to_owned()).collect(),
            max_chunk: u64::from(limits.max_chunk_bytes),
            max_message: limits.max_message_bytes,
            max_rows: u64::from(limits.max_rows),
        }))
    }
}
