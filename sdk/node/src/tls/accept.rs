//! Accepting connections: each handshake in a task of its own, with a time limit, so that a slow peer blocks nobody. Of
//! too many that are half open the oldest goes: one that means it is done long before.
use crate::Log;
use crate::tls::{HANDSHAKE_TIMEOUT, party_of};
use hefu_core::PartyId;
use rustls::ServerConfig;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

/// Handshakes at a time; a further one ends the oldest.
const HANDSHAKES: usize = 256;
/// How long a refused client has to read its alert before the connection is reset.
const ALERT_DRAIN: Duration = Duration::from_secs(1);

/// Who is at the other end of an accepted connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The party that its certificate names; `None` on the control side.
    pub(crate) party: Option<PartyId>,
    /// Name of the negotiated key exchange group.
    pub(crate) group: String,
}

/// A connection whose handshake is done.
pub(crate) struct Accepted {
    stream: TlsStream<TcpStream>,
    peer: Peer,
}

impl Accepted {
    fn new(stream: TlsStream<TcpStream>) -> Self {
        let session = stream.get_ref().1;
        let party = session.peer_certificates().and_then(<[_]>::first).and_then(|leaf| party_of(leaf).ok());
        let group = session.negotiated_key_exchange_group().map_or_else(String::new, |g| format!("{:?}", g.name()));
        Accepted { peer: Peer { party, group }, stream }
    }
}

impl Connected for Accepted {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Accepted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The connections of a listener. `on_accept` sees each once; refused ones are logged.
pub(crate) fn accept(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    log: Log,
    on_accept: impl Fn(&Peer) + Send + Sync + 'static,
) -> impl Stream<Item = io::Result<Accepted>> {
    let (sender, receiver) = mpsc::channel(16);
    let acceptor = TlsAcceptor::from(config);
    let on_accept = Arc::new(on_accept);
    tokio::spawn(async move {
        let mut under_way = VecDeque::<JoinHandle<()>>::new();
        loop {
            let (tcp, address) = tokio::select! {
                () = sender.closed() => return,
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    // Out of descriptors, or a peer that left at once: wait a little, then go on.
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            let (log, on_accept) = (log.clone(), on_accept.clone());
            under_way.retain(|handshake| !handshake.is_finished());
            if under_way.len() >= HANDSHAKES
                && let Some(oldest) = under_way.pop_front()
            {
                oldest.abort();
            }
            under_way.push_back(tokio::spawn(async move {
                match handshake(acceptor, tcp).await {
                    Ok(accepted) => {
                        on_accept(&accepted.peer);
                        let _ = sender.send(Ok(accepted)).await;
                    }
                    Err(cause) => log(&format!("refused a connection from {}: {cause}", address_only(address))),
                }
            }));
        }
    });
    ReceiverStream::new(receiver)
}

fn address_only(address: SocketAddr) -> std::net::IpAddr {
    address.ip()
}

async fn handshake(acceptor: TlsAcceptor, tcp: TcpStream) -> Result<Accepted, String> {
    let _ = tcp.set_nodelay(true);
    let handshake = acceptor.accept(tcp).into_fallible();
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => Ok(Accepted::new(stream)),
        Ok(Err((error, tcp))) => {
            tokio::spawn(drain(tcp));
            Err(error.to_string())
        }
        Err(_) => Err("no handshake in time".to_owned()),
    }
}

/// Closing a socket with unread bytes resets it, and the reset may overtake the alert that tells the client why.
async fn drain(mut tcp: TcpStream) {
    let read_to_end = async {
        let _ = tcp.shutdown().await;
        let mut buffer = [0; 4096];
        while matches!(tcp.read(&mut buffer).await, Ok(1..)) {}
    };
    let _ = tokio::time::timeout(ALERT_DRAIN, read_to_end).await;
}
