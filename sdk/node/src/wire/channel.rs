//! `ChannelService`: both ends of the stream of frames.
use super::{call_fault, peer_of, status::refusal_to_peer};
use crate::channel::{Duplex, Frame, QUEUED_FRAMES, Source};
use crate::node::Shared;
use crate::services;
use crate::tls::{Link, MAX_DECODED};
use hefu_core::{Code, Fault, PartyId, Rank, SessionId};
use hefu_proto::v1::channel_service_client::ChannelServiceClient;
use hefu_proto::v1::channel_service_server::ChannelService;
use hefu_proto::v1::{ExchangeRequest, ExchangeResponse};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming, async_trait};

/// Request metadata that names the session.
const SESSION_KEY: &str = "hefu-session";

pub(super) struct Channels(pub(super) Arc<Shared>);

pub(super) fn session_of(request: &Request<Streaming<ExchangeRequest>>) -> Result<SessionId, Fault> {
    let text = request.metadata().get(SESSION_KEY).and_then(|value| value.to_str().ok());
    let cause = "the call does not name its session";
    text.and_then(SessionId::parse).ok_or_else(|| Fault::because(Code::MalformedMessage, cause).citing("CONV-1"))
}

#[async_trait]
impl ChannelService for Channels {
    type ExchangeStream = Answer;

    async fn exchange(
        &self,
        request: Request<Streaming<ExchangeRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let peer = peer_of(&request)?;
        let session = session_of(&request).map_err(|fault| refusal_to_peer(&fault))?;
        let (duplex, answer) = answering(request.into_inner(), peer.clone());
        services::exchange(&self.0, &peer, session, duplex).map_err(|fault| {
            self.0.log(&format!("refused Exchange of {peer}: {fault}"));
            refusal_to_peer(&fault)
        })?;
        Ok(Response::new(answer))
    }
}

/// Frames that leave a server.
pub(super) type Answer = Pin<Box<dyn Stream<Item = Result<ExchangeResponse, Status>> + Send>>;

/// The server's end of a stream that rank 0 has opened.
pub(super) fn answering(incoming: Streaming<ExchangeRequest>, peer: PartyId) -> (Duplex, Answer) {
    let (sink, outgoing) = mpsc::channel(QUEUED_FRAMES);
    let source: Source = Box::pin(incoming.map(move |item| {
        item.map(|m| Frame { header: m.header, body: m.body }).map_err(|status| call_fault(&status, &peer))
    }));
    let answer = ReceiverStream::new(outgoing).map(|item: Result<Frame, Fault>| {
        item.map(|frame| ExchangeResponse { header: frame.header, body: frame.body })
            .map_err(|fault| refusal_to_peer(&fault))
    });
    (Duplex { peer: Rank::INITIATOR, source, sink }, Box::pin(answer))
}

/// Opens the stream of a session to one collaborator.
pub(crate) async fn exchange(link: &Link, rank: Rank, session: SessionId, timeout: Duration) -> Result<Duplex, Fault> {
    let (sink, outgoing) = mpsc::channel::<Result<Frame, Fault>>(QUEUED_FRAMES);
    // A fault in this direction is told by Abort, not by the stream.
    let frames = ReceiverStream::new(outgoing)
        .filter_map(Result::ok)
        .map(|frame| ExchangeRequest { header: frame.header, body: frame.body });
    let mut request = Request::new(frames);
    let value = MetadataValue::try_from(session.to_string());
    let value = value.map_err(|_| Fault::because(Code::Internal, "a session id is no metadata"))?;
    request.metadata_mut().insert(SESSION_KEY, value);
    let mut client = ChannelServiceClient::new(link.channel.clone()).max_decoding_message_size(MAX_DECODED);
    let answer = tokio::time::timeout(timeout, client.exchange(request))
        .await
        .map_err(|_| Fault::new(Code::PeerSlow).by(&link.party))?;
    let incoming = answer.map_err(|status| call_fault(&status, &link.party))?.into_inner();
    Ok(Duplex { peer: rank, source: source(incoming, link.party.clone()), sink })
}

fn source(incoming: Streaming<ExchangeResponse>, peer: PartyId) -> Source {
    Box::pin(incoming.map(move |item| {
        item.map(|m| Frame { header: m.header, body: m.body }).map_err(|status| call_fault(&status, &peer))
    }))
}
