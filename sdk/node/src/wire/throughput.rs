//! The stream of frames for measuring: with Hefu's channel on it, and bare.
use super::channel::{self, Answer, answering, session_of};
use super::routes::Routes;
use super::status::refusal_to_peer;
use super::{call_fault, peer_of, server};
use crate::channel::Duplex;
use crate::throughput::{Load, Spent};
use crate::tls::{Accepted, Link, MAX_DECODED};
use bytes::Bytes;
use hefu_core::{Code, Fault, PartyId, SessionId};
use hefu_proto::v1::channel_service_client::ChannelServiceClient;
use hefu_proto::v1::channel_service_server::{ChannelService, ChannelServiceServer};
use hefu_proto::v1::{ExchangeRequest, ExchangeResponse};
use hefu_protocol::frame::HEADER_BYTES;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming, async_trait};

/// Request metadata that asks for the bare stream.
const BARE_KEY: &str = "hefu-bare";

/// Who takes the stream of a session that a peer has opened.
pub(crate) type Taker = Arc<dyn Fn(&PartyId, SessionId, Duplex) + Send + Sync>;

struct Measured(Taker);

#[async_trait]
impl ChannelService for Measured {
    type ExchangeStream = Answer;

    async fn exchange(
        &self,
        request: Request<Streaming<ExchangeRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let peer = peer_of(&request)?;
        if request.metadata().contains_key(BARE_KEY) {
            return Ok(Response::new(drained(request.into_inner())));
        }
        let session = session_of(&request).map_err(|fault| refusal_to_peer(&fault))?;
        let (duplex, answer) = answering(request.into_inner(), peer.clone());
        (self.0)(&peer, session, duplex);
        Ok(Response::new(answer))
    }
}

/// Takes everything and looks at nothing; answers what that cost.
fn drained(mut incoming: Streaming<ExchangeRequest>) -> Answer {
    let (sender, answer) = mpsc::channel(1);
    tokio::spawn(async move {
        let before = Spent::now();
        let mut bytes = 0;
        while let Ok(Some(frame)) = incoming.message().await {
            bytes += frame.header.len() + frame.body.len();
        }
        let body = Bytes::from(before.report());
        let header = Bytes::from(bytes.to_string());
        let _ = sender.send(Ok(ExchangeResponse { header, body })).await;
    });
    Box::pin(ReceiverStream::new(answer))
}

/// Serves the channel alone.
pub(crate) async fn serve(
    taker: Taker,
    incoming: impl Stream<Item = io::Result<Accepted>> + Send + 'static,
) -> Result<(), tonic::transport::Error> {
    let service = ChannelServiceServer::new(Measured(taker)).max_decoding_message_size(MAX_DECODED);
    let routes = Routes::default().with(service);
    server().serve_with_incoming_shutdown(routes, incoming, std::future::pending()).await
}

pub(crate) use channel::exchange;

/// Sends a load as it is; answers what the peer took, and what that cost it.
pub(crate) async fn send_bare(link: &Link, load: Load) -> Result<(u64, Spent), Fault> {
    let frame = ExchangeRequest {
        header: Bytes::from(vec![1; HEADER_BYTES]),
        body: Bytes::from(vec![2; load.chunk_bytes as usize + hefu_crypto::TAG_BYTES]),
    };
    let frames = load.messages * load.message_bytes.div_ceil(u64::from(load.chunk_bytes));
    let source = tokio_stream::iter(0..frames).map(move |_| frame.clone());
    let mut request = Request::new(source);
    request.metadata_mut().insert(BARE_KEY, MetadataValue::from_static("1"));
    let mut client = ChannelServiceClient::new(link.channel.clone()).max_decoding_message_size(MAX_DECODED);
    let fault = |status: Status| call_fault(&status, &link.party);
    let mut answer = client.exchange(request).await.map_err(fault)?.into_inner();
    let answer = answer.message().await.map_err(fault)?;
    let answer = answer.and_then(|m| Some((std::str::from_utf8(&m.header).ok()?.parse().ok()?, Spent::read(&m.body)?)));
    answer.ok_or_else(|| Fault::new(Code::LinkCut).by(&link.party))
}
