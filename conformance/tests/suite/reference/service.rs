//! Services of the reference target.

use std::sync::Arc;

use ed25519_dalek::Signer;
use hefu_conformance::wire::{dsse, h, keys};
use hefu_proto::v1::channel_service_server::{ChannelService, ChannelServiceServer};
use hefu_proto::v1::discovery_service_server::{DiscoveryService, DiscoveryServiceServer};
use hefu_proto::v1::session_service_server::{SessionService, SessionServiceServer};
use hefu_proto::v1::*;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codegen::{Service as _, http};
use tonic::{Request, Response, Status, Streaming};

use super::tls::{self, Connection, Peer};
use super::{MAX_JOBS, MAX_ROWS, Node, Session, State, documents, frames, random, refuse, train};

/// Largest chunk of the target.
const MAX_CHUNK: u64 = 1 << 20;

pub(super) async fn serve(node: Arc<Node>, listener: TcpListener) {
    let discovery = DiscoveryServiceServer::new(Service(node.clone()));
    let session = SessionServiceServer::new(Service(node.clone()));
    let channel = ChannelServiceServer::new(Service(node.clone())).max_decoding_message_size(16 << 20);
    route(node, listener, discovery, session, channel).await;
}

/// Accepts connections and hands each call to its service.
pub(super) async fn route<D: DiscoveryService, S: SessionService, C: ChannelService>(
    node: Arc<Node>,
    listener: TcpListener,
    discovery: DiscoveryServiceServer<D>,
    session: SessionServiceServer<S>,
    channel: ChannelServiceServer<C>,
) {
    let acceptor = tokio_rustls::TlsAcceptor::from(tls::server(&node, &node.me));
    let (sink, connections) = tokio::sync::mpsc::channel(16);
    let accept = async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, sink) = (acceptor.clone(), sink.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(socket).await {
                    let _ = sink.send(Ok::<_, std::io::Error>(Connection::new(stream))).await;
                }
            });
        }
    };
    let route = tower::service_fn(move |request: http::Request<Body>| {
        let (mut discovery, mut session, mut channel) = (discovery.clone(), session.clone(), channel.clone());
        async move {
            match request.uri().path() {
                path if path.starts_with("/hefu.v1.DiscoveryService/") => discovery.call(request).await,
                path if path.starts_with("/hefu.v1.SessionService/") => session.call(request).await,
                _ => channel.call(request).await,
            }
        }
    });
    let server = tonic::transport::Server::builder().serve_with_incoming(route, ReceiverStream::new(connections));
    let _ = tokio::join!(accept, server);
}

#[derive(Clone)]
struct Service(Arc<Node>);

fn peer<T>(request: &Request<T>) -> String {
    request.extensions().get::<Peer>().map(|p| p.0.clone()).unwrap_or_default()
}

#[tonic::async_trait]
impl DiscoveryService for Service {
    async fn get_versions(&self, _: Request<GetVersionsRequest>) -> Result<Response<GetVersionsResponse>, Status> {
        Ok(Response::new(GetVersionsResponse { versions: vec!["1.0".into()], software: "reference 0".into() }))
    }

    async fn get_capabilities(
        &self,
        _: Request<GetCapabilitiesRequest>,
    ) -> Result<Response<GetCapabilitiesResponse>, Status> {
        Ok(Response::new(GetCapabilitiesResponse {
            party: self.0.me.id.clone(),
            suites: vec![1],
            algorithms: vec!["align-ecdh-1".into()],
            max_chunk: MAX_CHUNK,
            max_message: frames::MAX_MESSAGE,
            max_rows: MAX_ROWS,
        }))
    }
}

impl Service {
    /// The session of an id, if it is the peer's and in one of the states.
    fn session(&self, peer: &str, id: &[u8], states: &[State], anybody: bool) -> Result<([u8; 16], Session), Status> {
        let id: [u8; 16] = id.try_into().map_err(|_| refuse("UNKNOWN_SESSION"))?;
        let session = self.0.sessions.lock().unwrap().get(&id).cloned().ok_or_else(|| refuse("UNKNOWN_SESSION"))?;
        if session.owner != peer && !anybody {
            return Err(refuse("WRONG_PARTY"));
        }
        if !states.contains(&session.state) {
            return Err(refuse("WRONG_STATE"));
        }
        Ok((id, session))
    }

    fn set(&self, id: &[u8; 16], state: State) {
        if let Some(session) = self.0.sessions.lock().unwrap().get_mut(id) {
            session.state = state;
        }
    }

    fn confirm_document(&self, offer: &[u8], ephemeral: &[u8; 32], algorithm: &Value) -> Vec<u8> {
        let mut document = json!({
            "type": "hefu/confirm/1", "offer": hex::encode(h(&[offer])), "rank": 1, "party": self.0.me.id,
            "nonce": hex::encode(random::<32>()), "ephemeral": hex::encode(ephemeral), "version": "1.0", "suite": 1,
            "algorithm": algorithm, "allow": hex::encode([1; 32]), "schema": hex::encode([2; 32]),
        });
        if self.0.has("benign-unknown-member") {
            document["x-later"] = json!([1, { "a": 2 }]);
        }
        dsse::seal(dsse::CONFIRM, document.to_string().as_bytes(), &self.0.me.signing)
    }
}

/// What a plan trains.
fn training(plan: &Value) -> Option<train::Plan> {
    (plan["algorithm"] == "vlr-1").then(|| train::Plan {
        max_evaluations: plan["max_evaluations"].as_u64().unwrap_or_default() as u32,
        lambda: plan["lambda"].as_f64().unwrap_or_default(),
        left: plan["join"] == "left",
    })
}

fn bytes<const N: usize>(value: &Value) -> Result<[u8; N], Status> {
    let bytes = value.as_str().and_then(|t| hex::decode(t).ok()).and_then(|b| b.try_into().ok());
    bytes.ok_or_else(|| refuse("MALFORMED_DOCUMENT"))
}

#[tonic::async_trait]
impl SessionService for Service {
    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
        let (node, peer) = (&self.0, peer(&request));
        let offer = request.into_inner().offer;
        let (document, allow) = documents::offer(node, &peer, &offer)?;
        let id: [u8; 16] = bytes(&document["session"])?;
        if !node.seen.lock().unwrap().insert(id) && !node.has("forgets-sessions") {
            return Err(refuse("REPLAYED_SESSION"));
        }
        let running = |s: &&Session| s.state != State::Ended;
        if node.sessions.lock().unwrap().values().filter(running).count() >= MAX_JOBS && !node.has("no-job-limit") {
            return Err(refuse("TOO_MANY_JOBS"));
        }
        let secret = random();
        let peer_key: [u8; 32] = bytes(&document["parties"][0]["ephemeral"])?;
        let shared = x25519_dalek::StaticSecret::from(secret).diffie_hellman(&peer_key.into());
        if !shared.was_contributory() && !node.has("accepts-low-order-ephemeral") {
            return Err(refuse("BAD_ELEMENT"));
        }
        let confirm = self.confirm_document(&offer, &keys::public(&secret), &document["plan"]["algorithm"]);
        let session = Session {
            owner: peer,
            state: State::Offered,
            offer,
            confirm: confirm.clone(),
            secret,
            peer: peer_key,
            dataset: allow.dataset.clone(),
            join: document["plan"]["join"].as_str().unwrap_or_default().to_owned(),
            max_chunk: document["limits"]["max_chunk"].as_u64().unwrap_or(MAX_CHUNK).min(MAX_CHUNK) as usize,
            min_rows: allow.min_rows,
            training: training(&document["plan"]),
        };
        node.sessions.lock().unwrap().insert(id, session);
        Ok(Response::new(OpenResponse { confirm }))
    }

    async fn confirm(&self, request: Request<ConfirmRequest>) -> Result<Response<ConfirmResponse>, Status> {
        let (node, peer) = (&self.0, peer(&request));
        let request = request.into_inner();
        let anybody = node.has("any-party-confirms");
        let (id, session) = self.session(&peer, &request.session, &[State::Offered], anybody)?;
        if request.confirms != [session.confirm.clone()] && !node.has("ignores-own-confirm") {
            return Err(refuse("TRANSCRIPT_MISMATCH"));
        }
        let transcript = keys::transcript(&session.offer, &request.confirms);
        let key = node.trusted.get(&session.owner).and_then(|d| d.public_key()).unwrap();
        let signature = request.signature.as_slice().try_into().unwrap_or([0; 64]);
        let holds = dsse::verify(&key, &keys::transcript_statement(0, &transcript), &signature);
        if !holds && !node.has("accepts-bad-transcript-signature") {
            return Err(refuse("BAD_SIGNATURE"));
        }
        self.set(&id, State::Confirmed);
        let rank = if node.has("signs-another-transcript") { 0 } else { 1 };
        let signature = node.me.signing.sign(&keys::transcript_statement(rank, &transcript)).to_bytes().to_vec();
        Ok(Response::new(ConfirmResponse { signature }))
    }

    async fn abort(&self, request: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        let peer = peer(&request);
        let states = [State::Offered, State::Confirmed, State::Open, State::Done];
        let anybody = self.0.has("any-party-aborts");
        let (id, _) = self.session(&peer, &request.into_inner().session, &states, anybody)?;
        self.set(&id, State::Ended);
        Ok(Response::new(AbortResponse {}))
    }

    async fn close(&self, request: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        let peer = peer(&request);
        if self.0.has("benign-close-waits") {
            for _ in 0..100 {
                if self.session(&peer, request.get_ref().session.as_slice(), &[State::Done], false).is_ok() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
        let early = [State::Confirmed, State::Open, State::Done];
        let states = if self.0.has("closes-early") { &early[..] } else { &early[2..] };
        let (id, _) = self.session(&peer, &request.into_inner().session, states, false)?;
        self.set(&id, State::Ended);
        Ok(Response::new(CloseResponse {}))
    }
}

#[tonic::async_trait]
impl ChannelService for Service {
    type ExchangeStream = ReceiverStream<Result<ExchangeResponse, Status>>;

    async fn exchange(
        &self,
        request: Request<Streaming<ExchangeRequest>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let (node, peer) = (self.0.clone(), peer(&request));
        let id = request.metadata().get("hefu-session").and_then(|v| hex::decode(v.as_bytes()).ok());
        let states: &[State] = if node.has("serves-unconfirmed-session") {
            &[State::Offered, State::Confirmed]
        } else {
            &[State::Confirmed]
        };
        let anybody = node.has("any-party-exchanges");
        let (id, session) = self.session(&peer, &id.unwrap_or_default(), states, anybody)?;
        self.set(&id, State::Open);
        let (sink, answers) = tokio::sync::mpsc::channel(64);
        let service = self.clone();
        tokio::spawn(async move {
            let mut incoming = request.into_inner();
            let end = frames::talk(&node, id, &session, &mut incoming, &sink).await;
            service.set(&id, if end.is_ok() { State::Done } else { State::Ended });
            if let Err(status) = end {
                let _ = sink.send(Err(status)).await;
            } else if !node.has("benign-ends-its-side") {
                // The stream stays open until the session is closed; nothing more belongs on it.
                tokio::select! {
                    () = sink.closed() => {}
                    Ok(Some(_)) = incoming.message(), if session.training.is_some() => {
                        service.set(&id, State::Ended);
                        let _ = sink.send(Err(refuse("UNEXPECTED_MESSAGE"))).await;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}
