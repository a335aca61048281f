//! `SessionService`: both ends.
use super::{call_fault, peer_of, status::refusal_to_peer};
use crate::node::Shared;
use crate::services;
use crate::tls::{Link, MAX_DECODED};
use hefu_core::{Code, Fault, PartyId, SessionId};
use hefu_proto::v1::discovery_service_client::DiscoveryServiceClient;
use hefu_proto::v1::session_service_client::SessionServiceClient;
use hefu_proto::v1::session_service_server::SessionService;
use hefu_proto::v1::{
    AbortRequest, AbortResponse, CloseRequest, CloseResponse, ConfirmRequest, ConfirmResponse, GetVersionsRequest,
    OpenRequest, OpenResponse,
};
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, async_trait};

pub(super) struct Sessions(pub(super) Arc<Shared>);

fn session_id(bytes: &[u8]) -> Result<SessionId, Fault> {
    let cause = "a session id has 16 bytes";
    bytes.try_into().map(SessionId).map_err(|_| Fault::because(Code::MalformedMessage, cause).citing("CONV-1"))
}

#[async_trait]
impl SessionService for Sessions {
    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
        let peer = peer_of(&request)?;
        let opened = services::open(&self.0, &peer, request.into_inner().offer).await;
        let confirm = opened.map_err(|fault| self.refuse("Open", &peer, &fault))?;
        Ok(Response::new(OpenResponse { confirm }))
    }

    async fn confirm(&self, request: Request<ConfirmRequest>) -> Result<Response<ConfirmResponse>, Status> {
        let peer = peer_of(&request)?;
        let message = request.into_inner();
        let confirmed = session_id(&message.session)
            .and_then(|session| services::confirm(&self.0, &peer, session, &message.confirms, &message.signature));
        let signature = confirmed.map_err(|fault| self.refuse("Confirm", &peer, &fault))?;
        Ok(Response::new(ConfirmResponse { signature: signature.to_vec() }))
    }

    async fn abort(&self, request: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        let peer = peer_of(&request)?;
        let message = request.into_inner();
        let code = Code::from_number(message.code).unwrap_or(Code::PeerAborted);
        let party = PartyId::parse(&message.party).unwrap_or_else(|_| peer.clone());
        let fault = Fault::new(code).by(&party);
        session_id(&message.session)
            .and_then(|session| services::abort(&self.0, &peer, session, fault))
            .map_err(|fault| self.refuse("Abort", &peer, &fault))?;
        Ok(Response::new(AbortResponse {}))
    }

    async fn close(&self, request: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        let peer = peer_of(&request)?;
        let closed = match session_id(&request.into_inner().session) {
            Ok(session) => services::close(&self.0, &peer, session).await,
            Err(fault) => Err(fault),
        };
        closed.map_err(|fault| self.refuse("Close", &peer, &fault))?;
        Ok(Response::new(CloseResponse {}))
    }
}

impl Sessions {
    fn refuse(&self, call: &str, peer: &PartyId, fault: &Fault) -> Status {
        self.0.log(&format!("refused {call} of {peer}: {fault}"));
        refusal_to_peer(fault)
    }
}

/// The initiator's calls to one collaborator.
#[derive(Clone)]
pub(crate) struct SessionClient {
    link: Link,
    client: SessionServiceClient<Channel>,
    timeout: Duration,
}

impl SessionClient {
    pub(crate) fn new(link: &Link, timeout: Duration) -> Self {
        let client = SessionServiceClient::new(link.channel.clone()).max_decoding_message_size(MAX_DECODED);
        SessionClient { link: link.clone(), client, timeout }
    }

    /// Sends the offer; answers the confirm envelope.
    pub(crate) async fn open(&self, offer: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let mut client = self.client.clone();
        self.call(client.open(OpenRequest { offer })).await.map(|response| response.confirm)
    }

    /// Sends all confirms; answers the collaborator's signature.
    pub(crate) async fn confirm(
        &self,
        session: SessionId,
        confirms: Vec<Vec<u8>>,
        signature: [u8; 64],
    ) -> Result<Vec<u8>, Fault> {
        let request = ConfirmRequest { session: session.0.to_vec(), confirms, signature: signature.to_vec() };
        let mut client = self.client.clone();
        self.call(client.confirm(request)).await.map(|response| response.signature)
    }

    /// Ends the session with a fault, in the registry's words.
    pub(crate) async fn abort(&self, session: SessionId, fault: &Fault) -> Result<(), Fault> {
        let request = AbortRequest {
            session: session.0.to_vec(),
            code: u32::from(fault.code.number()),
            party: fault.party.as_ref().map(PartyId::to_string).unwrap_or_default(),
            cause: hefu_core::registry::entry(fault.code).cause.en.to_owned(),
        };
        let mut client = self.client.clone();
        self.call(client.abort(request)).await.map(drop)
    }

    /// Ends the session in order.
    pub(crate) async fn close(&self, session: SessionId) -> Result<(), Fault> {
        let mut client = self.client.clone();
        self.call(client.close(CloseRequest { session: session.0.to_vec() })).await.map(drop)
    }

    /// Whether the collaborator answers at all.
    pub(crate) async fn answers(&self, timeout: Duration) -> bool {
        let mut client = DiscoveryServiceClient::new(self.link.channel.clone());
        tokio::time::timeout(timeout, client.get_versions(GetVersionsRequest {})).await.is_ok_and(|a| a.is_ok())
    }

    async fn call<T>(&self, call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(self.link.verdict().unwrap_or_else(|| call_fault(&status, &self.link.party))),
            Err(_) => Err(Fault::new(Code::PeerSlow).by(&self.link.party)),
        }
    }
}
