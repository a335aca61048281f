//! One connection to one's own node: gRPC over mutual TLS 1.3 on loopback.
use crate::config::Control;
use crate::{Error, Result};
use hefu_core::Code;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

const CONNECT: Duration = Duration::from_secs(5);
/// HTTP/2 windows wide enough that results of a million rows do not wait for credit.
const WINDOW: u32 = 4 << 20;

/// Opens the connection; the node must answer with the certificate of its own control side.
pub(crate) async fn open(control: Control) -> Result<Channel> {
    let tls = TlsConnector::from(Arc::new(client_config(&control)?));
    let name = ServerName::try_from("localhost")
        .map_err(|_| Error::misuse(Code::Internal, "The server name is not valid."))?;
    let address = control.address;
    let connector = tower::service_fn({
        let address = address.clone();
        move |_| {
            let (tls, name, address) = (tls.clone(), name.clone(), address.clone());
            async move {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok::<_, std::io::Error>(TokioIo::new(tls.connect(name, stream).await?))
            }
        }
    });
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| Error::node(Code::ControlUnreachable, "The node's address file has no valid address."))?;
    endpoint
        .connect_timeout(CONNECT)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .connect_with_connector(connector)
        .await
        .map_err(|_| Error::node(Code::ControlUnreachable, format!("Nothing answers at {address}.")))
}

fn client_config(control: &Control) -> Result<rustls::ClientConfig> {
    let bad = |what: &str| Error::misuse(Code::Configuration, format!("{what} in the state folder cannot be used."));
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates(&control.authority).map_err(|()| bad("control-ca.pem"))? {
        roots.add(certificate).map_err(|_| bad("control-ca.pem"))?;
    }
    let chain = certificates(&control.certificate).map_err(|()| bad("control-client.pem"))?;
    let key = PrivateKeyDer::from_pem_slice(&control.key).map_err(|_| bad("control-client.key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| Error::misuse(Code::Internal, "TLS 1.3 is not available."))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|_| bad("control-client.pem"))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ()> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| ())
}
