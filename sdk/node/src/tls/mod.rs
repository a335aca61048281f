//! TLS 1.3, mutual, with the hybrid key exchange first (spec/session.md, section 1).
mod accept;
mod dial;
mod verify;

pub(crate) use accept::{Accepted, Peer, accept};
pub(crate) use dial::{Link, dial};
pub(crate) use verify::{NotTrusted, party_of};

use crate::Error;
use crate::identity::Credentials;
use crate::trust::Trust;
use hefu_core::PartyId;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;
use verify::PartyVerifier;

/// Time in which a handshake must be done.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2 window of a stream, bytes: what may be under way before the receiver has said that it took it.
///
/// The bandwidth-delay product sets it: a link of `r` bytes a second and a round trip of `t` seconds is full only while
/// `r · t` bytes are under way. 16 MiB fill 280 MB/s at a round trip of 60 ms (30 ms each way), and 167 MB/s at 100 ms.
/// The default of the libraries, 64 KiB to 1 MiB, gives 1 to 17 MB/s there. The system's own TCP buffers set a like
/// bound:
/// on a real link `net.ipv4.tcp_rmem` and `tcp_wmem` must reach as far.
pub(crate) const STREAM_WINDOW: u32 = 16 << 20;
/// HTTP/2 window of a connection, bytes: what a peer may pin in memory, whatever the number of its streams. Two streams
/// fill it.
pub(crate) const CONNECTION_WINDOW: u32 = 32 << 20;
/// HTTP/2 frame size, bytes.
pub(crate) const HTTP2_FRAME: u32 = 1 << 20;
/// Largest gRPC message, bytes: a chunk of 2 MiB and its header fit.
pub(crate) const MAX_DECODED: usize = 4 << 20;

/// The one provider of every configuration, named explicitly: X25519MLKEM768 is its first group (TLS-6).
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The TLS side of a node between parties: it holds the credentials, and trusts whom the trust folder names.
pub(crate) struct PartyTls {
    trust: Arc<Trust>,
    provider: Arc<CryptoProvider>,
    credentials: Credentials,
}

impl PartyTls {
    pub(crate) fn new(trust: Arc<Trust>, credentials: Credentials) -> Self {
        PartyTls { trust, provider: provider(), credentials }
    }

    /// Accepts trusted parties only (TLS-1 to TLS-5).
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, Error> {
        let verifier = PartyVerifier::new(self.trust.clone(), self.provider.clone(), None);
        let config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(Arc::new(verifier));
        finish_server(config, &self.credentials)
    }

    /// Dials one party and nobody else.
    pub(crate) fn client(&self, expected: &PartyId) -> Result<Arc<ClientConfig>, Error> {
        let verifier = PartyVerifier::new(self.trust.clone(), self.provider.clone(), Some(expected.clone()));
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_auth_cert(self.credentials.chain.clone(), self.credentials.key.clone_key())
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// The control side: any client with a certificate of the node's own control root.
pub(crate) fn control_server(
    credentials: &Credentials,
    root: CertificateDer<'static>,
) -> Result<Arc<ServerConfig>, Error> {
    let provider = provider();
    let mut roots = RootCertStore::empty();
    roots.add(root).map_err(unusable)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|_| Error::Internal("the control root cannot be used"))?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(verifier);
    finish_server(config, credentials)
}

/// No resumption: every connection shows its certificate again, so that trust can be withdrawn.
fn finish_server(
    config: rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>,
    credentials: &Credentials,
) -> Result<Arc<ServerConfig>, Error> {
    let mut config =
        config.with_single_cert(credentials.chain.clone(), credentials.key.clone_key()).map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn unusable(error: rustls::Error) -> Error {
    Error::configuration("files.state", format!("the certificates or keys in it cannot be used: {error}"))
}

/// Host and port of `https://host:port`.
pub(crate) fn host_and_port(endpoint: &str) -> Option<(&str, u16)> {
    let rest = endpoint.strip_prefix("https://")?;
    let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let plain = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:".contains(&b));
    plain.then_some((host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        assert_eq!(host_and_port("https://127.0.0.1:7717"), Some(("127.0.0.1", 7717)));
        assert_eq!(host_and_port("https://[::1]:7717/"), Some(("::1", 7717)));
        assert_eq!(host_and_port("https://node.bank.example:1"), Some(("node.bank.example", 1)));
        for bad in ["http://127.0.0.1:1", "https://127.0.0.1", "https://:1", "https://a b:1", "https://a:70000"] {
            assert_eq!(host_and_port(bad), None, "{bad}");
        }
    }
}
