//! Dialling one party.
use crate::tls::{
    CONNECTION_WINDOW, HANDSHAKE_TIMEOUT, HTTP2_FRAME, NotTrusted, PartyTls, STREAM_WINDOW, host_and_port,
};
use crate::trust::TrustedParty;
use hefu_core::{Code, Fault, PartyId};
use hyper_util::rt::TokioIo;
use rustls::{AlertDescription, CertificateError, OtherError};
use rustls_pki_types::ServerName;
use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

/// A connection to a party whose certificate is verified.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) party: PartyId,
    pub(crate) channel: Channel,
    /// Name of the negotiated key exchange group.
    pub(crate) group: String,
    verdict: Arc<OnceLock<Fault>>,
}

impl Link {
    /// The peer's refusal of this node's certificate, if it has come: TLS 1.3 tells it after the client's handshake.
    pub(crate) fn verdict(&self) -> Option<Fault> {
        self.verdict.get().cloned()
    }
}

/// A stream that keeps the peer's verdict on this node's certificate, which layers above lose.
struct Heard {
    stream: TlsStream<TcpStream>,
    party: PartyId,
    verdict: Arc<OnceLock<Fault>>,
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(Err(error)) = &polled {
            let fault = connection_fault(error, &self.party);
            if fault.code == Code::UntrustedCertificate {
                let _ = self.verdict.set(fault);
            }
        }
        polled
    }
}

impl AsyncWrite for Heard {
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

/// Connects to a trusted party at the endpoint of its descriptor.
///
/// # Errors
/// `PEER_UNREACHABLE` where nobody answers; `UNTRUSTED_CERTIFICATE` where somebody else does.
pub(crate) async fn dial(tls: &PartyTls, to: &TrustedParty) -> Result<Link, Fault> {
    let party = &to.descriptor.party;
    let unreachable = |cause: String| Fault::because(Code::PeerUnreachable, cause).by(party);
    let endpoint = &to.descriptor.endpoint;
    let (host, port) = host_and_port(endpoint).ok_or_else(|| unreachable("the descriptor has no endpoint".into()))?;
    let config = tls.client(party).map_err(|e| e.fault())?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| unreachable("the descriptor has no host".into()))?;
    let connect = async {
        let tcp =
            TcpStream::connect((host, port)).await.map_err(|e| unreachable(format!("{endpoint}: {}", e.kind())))?;
        let _ = tcp.set_nodelay(true);
        TlsConnector::from(config).connect(name, tcp).await.map_err(|e| connection_fault(&e, party))
    };
    let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, connect)
        .await
        .map_err(|_| unreachable(format!("{endpoint}: no answer in time")))??;
    let group = stream.get_ref().1.negotiated_key_exchange_group();
    let group = group.map_or_else(String::new, |g| format!("{:?}", g.name()));
    // The connection exists already; a second one is never made under the same session.
    let verdict = Arc::<OnceLock<Fault>>::default();
    let heard = Heard { stream, party: party.clone(), verdict: verdict.clone() };
    let once = Arc::new(Mutex::new(Some(TokioIo::new(heard))));
    let connector = tower::service_fn(move |_| {
        let stream = once.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move { stream.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
    });
    let channel = Endpoint::from_static("http://party.invalid")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(HTTP2_FRAME)
        .connect_with_connector(connector)
        .await
        .map_err(|e| connection_fault(&e, party))?;
    Ok(Link { party: party.clone(), channel, group, verdict })
}

/// What a failed connection means: a refused certificate, on this side or the other, or a peer out of reach.
fn connection_fault(error: &(dyn StdError + 'static), party: &PartyId) -> Fault {
    match find_rustls(error) {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(reason)))) => {
            let reason = reason.downcast_ref::<NotTrusted>().copied().unwrap_or(NotTrusted::BadChain);
            Fault::because(Code::UntrustedCertificate, reason.to_string()).by(party).citing(reason.requirement())
        }
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Fault::new(Code::UntrustedCertificate).by(party).citing("TLS-3")
        }
        Some(rustls::Error::AlertReceived(alert)) if is_about_certificates(*alert) => {
            let cause = "The peer does not trust this node's certificate.";
            Fault::because(Code::UntrustedCertificate, cause).by(party).citing("TLS-3")
        }
        _ => Fault::new(Code::PeerUnreachable).by(party),
    }
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    use AlertDescription as A;
    matches!(
        alert,
        A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::CertificateRequired
            | A::UnknownCA
            | A::AccessDenied
    )
}

/// The TLS error inside an error, however deep it stands.
fn find_rustls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An io::Error's source() is its inner error's source: the inner error itself is asked for first.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| find_rustls(inner as &(dyn StdError + 'static))) {
            return Some(found);
        }
        current = error.source();
    }
    None
}
