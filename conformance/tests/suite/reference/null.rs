//! Targets that do nothing of the protocol: they answer discovery, so that a run begins, and then …

use std::sync::Arc;
use std::time::Duration;

use hefu_proto::v1::channel_service_server::{ChannelService, ChannelServiceServer};
use hefu_proto::v1::discovery_service_server::{DiscoveryService, DiscoveryServiceServer};
use hefu_proto::v1::session_service_server::{SessionService, SessionServiceServer};
use hefu_proto::v1::*;
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::service::route;
use super::{MAX_ROWS, Node, refuse};

#[derive(Clone)]
struct Null(Arc<Node>);

pub(super) async fn serve(node: Arc<Node>, listener: TcpListener) {
    if node.has("null-close") {
        while let Ok((socket, _)) = listener.accept().await {
            drop(socket);
        }
        return;
    }
    let null = Null(node.clone());
    let discovery = DiscoveryServiceServer::new(null.clone());
    let session = SessionServiceServer::new(null.clone());
    route(node, listener, discovery, session, ChannelServiceServer::new(null)).await;
}

impl Null {
    /// Accepts with an answer of nothing, refuses, or never answers.
    async fn answer<T>(&self, echo: T, nothing: T) -> Result<Response<T>, Status> {
        match self.0.fault.as_str() {
            "null-accept-all" => Ok(Response::new(nothing)),
            "null-echo" => Ok(Response::new(echo)),
            "null-reject-all" => Err(refuse("BAD_ELEMENT")),
            _ => std::future::pending().await,
        }
    }
}

#[tonic::async_trait]
impl DiscoveryService for Null {
    async fn get_versions(&self, _: Request<GetVersionsRequest>) -> Result<Response<GetVersionsResponse>, Status> {
        Ok(Response::new(GetVersionsResponse { versions: vec!["1.0".into()], software: "nothing".into() }))
    }

    async fn get_capabilities(
        &self,
        _: Request<GetCapabilitiesRequest>,
    ) -> Result<Response<GetCapabilitiesResponse>, Status> {
        Ok(Response::new(GetCapabilitiesResponse {
            party: self.0.me.id.clone(),
            suites: vec![1],
            algorithms: vec!["align-ecdh-1".into()],
            max_chunk: 1 << 20,
            max_message: 1 << 26,
            max_rows: MAX_ROWS,
        }))
    }
}

#[tonic::async_trait]
impl SessionService for Null {
    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
        let confirm = request.into_inner().offer;
        self.answer(OpenResponse { confirm }, OpenResponse::default()).await
    }

    async fn confirm(&self, request: Request<ConfirmRequest>) -> Result<Response<ConfirmResponse>, Status> {
        let signature = request.into_inner().signature;
        self.answer(ConfirmResponse { signature }, ConfirmResponse::default()).await
    }

    async fn abort(&self, _: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        self.answer(AbortResponse {}, AbortResponse {}).await
    }

    async fn close(&self, _: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        self.answer(CloseResponse {}, CloseResponse {}).await
    }
}

#[tonic::async_trait]
impl ChannelService for Null {
    type ExchangeStream = ReceiverStream<Result<ExchangeResponse, Status>>;

    async fn exchange(
        &self,
        request: Request<Streaming<ExchangeRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let (sink, answers) = tokio::sync::mpsc::channel(16);
        let (echo, mut frames) = (self.0.has("null-echo"), request.into_inner());
        tokio::spawn(async move {
            while let Ok(Some(ExchangeRequest { header, body })) = frames.message().await {
                if echo && sink.send(Ok(ExchangeResponse { header, body })).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        self.answer(ReceiverStream::new(answers), ReceiverStream::new(tokio::sync::mpsc::channel(1).1)).await
    }
}
