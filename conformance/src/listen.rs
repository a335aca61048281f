//! The way of a target to the suite: a listener that takes the target's connections and hands every call on, to be
//! answered by whoever drives the dialogue.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hefu_proto::v1::channel_service_server::{ChannelService, ChannelServiceServer};
use hefu_proto::v1::discovery_service_server::{DiscoveryService, DiscoveryServiceServer};
use hefu_proto::v1::session_service_server::{SessionService, SessionServiceServer};
use hefu_proto::v1::*;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::body::Body;
use tonic::codegen::{Service as _, http};
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

/// A call and the place for its answer.
pub struct Ask<Q, A> {
    /// What the target asks.
    pub request: Q,
    /// Where the answer goes; dropped, the call is cancelled.
    pub reply: oneshot::Sender<Result<A, Status>>,
}

/// Frames towards the target.
pub type Frames = UnboundedReceiverStream<Result<ExchangeResponse, Status>>;

/// What the target does.
pub enum Asked {
    /// A TLS connection of the target stands.
    Connected {
        /// `TLSv1_3`.
        protocol: String,
        /// Key exchange group.
        group: String,
    },
    /// A connection ended before it stood: the alert's name if the target sent one, and a text.
    Cut(Option<String>, String),
    /// What came on a plain socket after the suite's bytes, and whether the target closed it.
    Raw(Vec<u8>, bool),
    /// DiscoveryService.
    GetVersions(Ask<GetVersionsRequest, GetVersionsResponse>),
    /// DiscoveryService.
    GetCapabilities(Ask<GetCapabilitiesRequest, GetCapabilitiesResponse>),
    /// SessionService.
    Open(Ask<OpenRequest, OpenResponse>),
    /// SessionService.
    Confirm(Ask<ConfirmRequest, ConfirmResponse>),
    /// SessionService.
    Abort(Ask<AbortRequest, AbortResponse>),
    /// SessionService.
    Close(Ask<CloseRequest, CloseResponse>),
    /// ChannelService: the metadata `hefu-session` and the target's frames.
    Exchange(Ask<(String, Streaming<ExchangeRequest>), Frames>),
}

/// What the listener does with a connection.
#[derive(Clone)]
pub enum Manner {
    /// TLS with a certificate.
    Tls(Arc<ServerConfig>),
    /// Bytes in place of a TLS 1.3 answer.
    Raw(Vec<u8>),
}

/// A server for the time of one dialogue; dropped, it ends every connection.
pub struct Server {
    /// What the target does, in order.
    pub asked: mpsc::UnboundedReceiver<Asked>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Server {
    /// Serves on a socket that stays open for the next dialogue.
    pub fn start(listener: Arc<TcpListener>, manner: Manner) -> Server {
        let (sink, asked) = mpsc::unbounded_channel();
        let (connections, incoming) = mpsc::unbounded_channel();
        let accept = tokio::spawn(accept(listener, manner, sink.clone(), connections));
        let serve = tokio::spawn(async move {
            let service = Service(sink);
            let discovery = DiscoveryServiceServer::new(service.clone());
            let session = SessionServiceServer::new(service.clone());
            let channel = ChannelServiceServer::new(service).max_decoding_message_size(16 << 20);
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
            let incoming = UnboundedReceiverStream::new(incoming);
            let _ = tonic::transport::Server::builder().serve_with_incoming(route, incoming).await;
        });
        Server { asked, tasks: vec![accept, serve] }
    }
}

async fn accept(
    listener: Arc<TcpListener>,
    manner: Manner,
    sink: mpsc::UnboundedSender<Asked>,
    connections: mpsc::UnboundedSender<io::Result<Connection>>,
) {
    // Connections end with the set.
    let mut open = tokio::task::JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (manner, sink, connections) = (manner.clone(), sink.clone(), connections.clone());
        open.spawn(async move {
            let _ = socket.set_nodelay(true);
            match manner {
                Manner::Raw(bytes) => {
                    let _ = sink.send(raw(socket, &bytes).await);
                }
                Manner::Tls(config) => match TlsAcceptor::from(config).accept(socket).await {
                    Ok(stream) => {
                        let connection = stream.get_ref().1;
                        let protocol = connection.protocol_version().map(|v| format!("{v:?}")).unwrap_or_default();
                        let group = connection.negotiated_key_exchange_group().map(|g| format!("{:?}", g.name()));
                        let _ = sink.send(Asked::Connected { protocol, group: group.unwrap_or_default() });
                        let _ = connections.send(Ok(Connection { stream, sink }));
                    }
                    Err(error) => {
                        let _ = sink.send(Asked::Cut(alert(&error), error.to_string()));
                    }
                },
            }
        });
    }
}

fn alert(error: &io::Error) -> Option<String> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(format!("{alert:?}")),
        _ => None,
    }
}

/// Waits for the target's first bytes, answers with `bytes`, and hears what comes then.
async fn raw(mut socket: TcpStream, bytes: &[u8]) -> Asked {
    let mut buffer = vec![0; 16_384];
    let _ = socket.read(&mut buffer).await;
    let _ = socket.write_all(bytes).await;
    match socket.read(&mut buffer).await {
        Ok(0) | Err(_) => Asked::Raw(Vec::new(), true),
        Ok(count) => {
            buffer.truncate(count);
            Asked::Raw(buffer, false)
        }
    }
}

/// A ServerHello of TLS 1.2 (RFC 5246 section 7.4.1.3) with ECDHE_ECDSA_AES_128_GCM.
pub fn tls12_hello() -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.extend([0, 0xc0, 0x2b, 0, 0, 9, 0xff, 1, 0, 1, 0, 0, 0x17, 0, 0]);
    let mut out = vec![0x16, 3, 3];
    out.extend((body.len() as u16 + 4).to_be_bytes());
    out.extend([2, 0]);
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}

/// A connection that tells when the target's alert ends it.
struct Connection {
    stream: TlsStream<TcpStream>,
    sink: mpsc::UnboundedSender<Asked>,
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(Err(error)) = &poll
            && let Some(alert) = alert(error)
        {
            let _ = self.sink.send(Asked::Cut(Some(alert), error.to_string()));
        }
        poll
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[derive(Clone)]
struct Service(mpsc::UnboundedSender<Asked>);

impl Service {
    async fn ask<Q, A>(&self, request: Q, make: impl FnOnce(Ask<Q, A>) -> Asked) -> Result<Response<A>, Status> {
        let (reply, answer) = oneshot::channel();
        let gone = || Status::unavailable("the suite has left");
        self.0.send(make(Ask { request, reply })).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map(Response::new)
    }
}

#[tonic::async_trait]
impl DiscoveryService for Service {
    async fn get_versions(&self, r: Request<GetVersionsRequest>) -> Result<Response<GetVersionsResponse>, Status> {
        self.ask(r.into_inner(), Asked::GetVersions).await
    }

    async fn get_capabilities(
        &self,
        r: Request<GetCapabilitiesRequest>,
    ) -> Result<Response<GetCapabilitiesResponse>, Status> {
        self.ask(r.into_inner(), Asked::GetCapabilities).await
    }
}

#[tonic::async_trait]
impl SessionService for Service {
    async fn open(&self, r: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
        self.ask(r.into_inner(), Asked::Open).await
    }

    async fn confirm(&self, r: Request<ConfirmRequest>) -> Result<Response<ConfirmResponse>, Status> {
        self.ask(r.into_inner(), Asked::Confirm).await
    }

    async fn abort(&self, r: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        self.ask(r.into_inner(), Asked::Abort).await
    }

    async fn close(&self, r: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        self.ask(r.into_inner(), Asked::Close).await
    }
}

#[tonic::async_trait]
impl ChannelService for Service {
    type ExchangeStream = Frames;

    async fn exchange(&self, r: Request<Streaming<ExchangeRequest>>) -> Result<Response<Frames>, Status> {
        let session = r.metadata().get("hefu-session").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        self.ask((session, r.into_inner()), Asked::Exchange).await
    }
}
