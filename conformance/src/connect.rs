//! Ways to a target: TLS 1.3 under gRPC, or raw bytes on a plain socket.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use crate::case::RawBytes;

/// What is seen of a connection below gRPC.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// `TLSv1_3`.
    pub protocol: String,
    /// Key exchange group, such as `X25519MLKEM768`.
    pub group: String,
    /// How it ended, if it did: the alert's name, and a text.
    pub cut: Option<(Option<String>, String)>,
}

/// One connection to the target; it is never dialled again behind our back.
#[derive(Clone)]
pub struct Link {
    /// For the generated clients.
    pub channel: Channel,
    seen: Arc<Mutex<Seen>>,
}

impl Link {
    /// What has been seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

fn note_cut(seen: &Mutex<Seen>, error: Option<&io::Error>) {
    let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if seen.cut.is_none() {
        let alert = error.and_then(|e| match e.get_ref()?.downcast_ref::<rustls::Error>()? {
            rustls::Error::AlertReceived(alert) => Some(format!("{alert:?}")),
            _ => None,
        });
        seen.cut = Some((alert, error.map_or_else(|| "closed".to_owned(), ToString::to_string)));
    }
}

/// Dials the target.
///
/// # Errors
/// What was seen of the attempt; `cut` is set.
pub async fn dial(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    deadline: Duration,
) -> std::result::Result<Link, Seen> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let used = Arc::new(AtomicBool::new(false));
    let tap = seen.clone();
    let connector = tower::service_fn(move |_| {
        let (tap, config, used) = (tap.clone(), config.clone(), used.clone());
        async move {
            if used.swap(true, Ordering::SeqCst) {
                return Err(io::Error::new(io::ErrorKind::NotConnected, "the connection has ended"));
            }
            let result = connect(address, config, &tap).await;
            result.inspect_err(|error| note_cut(&tap, Some(error)))
        }
    });
    // The scheme is only a word here: TLS is what the connector does.
    let endpoint = Endpoint::from_static("http://target.invalid").connect_timeout(deadline);
    match tokio::time::timeout(deadline, endpoint.connect_with_connector(connector)).await {
        Ok(Ok(channel)) => Ok(Link { channel, seen }),
        Ok(Err(error)) => {
            note_cut(&seen, Some(&io::Error::other(error.to_string())));
            Err(seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone())
        }
        Err(_) => Err(Seen { cut: Some((None, "no connection within the deadline".into())), ..Seen::default() }),
    }
}

async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    seen: &Arc<Mutex<Seen>>,
) -> io::Result<TokioIo<Tap<TlsStream<TcpStream>>>> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let stream = TlsConnector::from(config).connect(ServerName::IpAddress(address.ip().into()), socket).await?;
    {
        let connection = stream.get_ref().1;
        let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.protocol = connection.protocol_version().map(|v| format!("{v:?}")).unwrap_or_default();
        seen.group = connection.negotiated_key_exchange_group().map(|g| format!("{:?}", g.name())).unwrap_or_default();
    }
    Ok(TokioIo::new(Tap { inner: stream, seen: seen.clone() }))
}

/// A stream that notes how it ends.
struct Tap<S> {
    inner: S,
    seen: Arc<Mutex<Seen>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.inner).poll_read(cx, buf);
        match &poll {
            Poll::Ready(Err(error)) => note_cut(&self.seen, Some(error)),
            Poll::Ready(Ok(())) if buf.filled().len() == before && buf.remaining() > 0 => note_cut(&self.seen, None),
            _ => {}
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Err(error)) = &poll {
            note_cut(&self.seen, Some(error));
        }
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// What came back on a plain socket: bytes sent, bytes received, whether the target closed it.
pub struct RawAnswer {
    /// Sent.
    pub sent: Vec<u8>,
    /// Received, at most 4 KiB.
    pub received: Vec<u8>,
    /// Closed by the target.
    pub closed: bool,
}

/// Sends bytes on a plain socket and listens until the target closes it, answers or the deadline passes.
///
/// # Errors
/// Where no socket can be had.
pub async fn raw(address: SocketAddr, bytes: RawBytes, deadline: Duration) -> io::Result<RawAnswer> {
    let sent = match bytes {
        RawBytes::Tls12Hello => tls12_hello(),
        RawBytes::Http2Preface => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
    };
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(&sent).await?;
    let mut received = vec![0; 4096];
    // A reset is a way to close.
    let (count, closed) = match tokio::time::timeout(deadline, socket.read(&mut received)).await {
        Ok(Ok(0)) | Ok(Err(_)) => (0, true),
        Ok(Ok(count)) => (count, false),
        Err(_) => (0, false),
    };
    received.truncate(count);
    Ok(RawAnswer { sent, received, closed })
}

/// A ClientHello of TLS 1.2 (RFC 5246 section 7.4.1.2): no `supported_versions`, so nothing newer can be chosen.
fn tls12_hello() -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, body: &[u8]| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend((body.len() as u16).to_be_bytes());
        extensions.extend(body);
    };
    extension(0x000a, &[0, 4, 0, 0x1d, 0, 0x17]);
    extension(0x000b, &[1, 0]);
    extension(0x000d, &[0, 10, 4, 3, 5, 3, 8, 4, 8, 5, 8, 7]);
    extension(0x0010, &[0, 3, 2, b'h', b'2']);
    extension(0x0017, &[]);
    extension(0xff01, &[0]);
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.push(0);
    body.extend([0, 8, 0xc0, 0x2b, 0xc0, 0x2c, 0xc0, 0x2f, 0xc0, 0x30, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut out = vec![0x16, 3, 1];
    out.extend((body.len() as u16 + 4).to_be_bytes());
    out.extend([1, 0]);
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(body);
    out
}
