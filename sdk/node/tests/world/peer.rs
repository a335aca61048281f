//! A peer that speaks the interconnect by hand: its certificates, documents and frames can be wrong.
use super::{Party, party_id};
use hefu_core::{JobId, Join, Missing, ModelId, Output, PartyId, Purpose, Rank, SessionId, Split, Stage};
use hefu_crypto::{Agreement, SigningKey};
use hefu_node::NodeConfig;
use hefu_proto::v1::channel_service_client::ChannelServiceClient;
use hefu_proto::v1::discovery_service_client::DiscoveryServiceClient;
use hefu_proto::v1::session_service_client::SessionServiceClient;
use hefu_proto::v1::{ConfirmRequest, ExchangeRequest, ExchangeResponse, OpenRequest};
use hefu_protocol::frame::Frame;
use hefu_protocol::session::{
    Keys, Offer, OfferedParty, Plan, SessionLimits, open_confirm, seal_offer, transcript, transcript_message,
};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status, Streaming};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// TLS of a client that trusts one root; `name` is the stem of its certificate and key files.
pub fn client_config(root: &Path, name: Option<&Path>) -> Arc<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match name {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let (chain, key) = credentials(name);
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

fn credentials(name: &Path) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_file_iter(name.with_extension("pem")).unwrap().map(Result::unwrap).collect();
    (chain, PrivateKeyDer::from_pem_file(name.with_extension("key")).unwrap())
}

/// TLS of a client that accepts any server: these tests are about what the server accepts.
pub fn careless_config(
    credentials: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer(provider())));
    let mut config = match credentials {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(m, c, d, &self.0.signature_verification_algorithms)
    }
    fn verify_tls13_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(m, c, d, &self.0.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Connects; answers the channel and the negotiated group.
pub async fn connect(config: Arc<ClientConfig>, to: SocketAddr, name: &str) -> Result<(Channel, String), Status> {
    let unavailable = |e: &dyn std::fmt::Display| Status::unavailable(e.to_string());
    let tcp = TcpStream::connect(to).await.map_err(|e| unavailable(&e))?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = tokio_rustls::TlsConnector::from(config).connect(name, tcp).await.map_err(|e| unavailable(&e))?;
    let group = format!("{:?}", stream.get_ref().1.negotiated_key_exchange_group().unwrap().name());
    let once = Arc::new(Mutex::new(Some(TokioIo::new(stream))));
    let connector = tower::service_fn(move |_| {
        let stream = once.lock().unwrap().take();
        async move { stream.ok_or_else(|| std::io::Error::other("closed")) }
    });
    let channel = Endpoint::from_static("http://test.invalid").connect_with_connector(connector).await;
    Ok((channel.map_err(|e| Status::from_error(Box::new(e)))?, group))
}

/// An initiator by hand.
pub struct Peer {
    pub folder: Arc<TempDir>,
    pub config: NodeConfig,
    pub party: PartyId,
    pub signing: SigningKey,
}

/// A session of a hand-made initiator whose stream is open.
pub struct Session {
    pub id: SessionId,
    pub keys: Keys,
    pub limits: SessionLimits,
    pub sender: mpsc::Sender<ExchangeRequest>,
    pub incoming: Streaming<ExchangeResponse>,
    pub channel: Channel,
}

impl Peer {
    pub fn new(alias: &str) -> Peer {
        let (folder, config) = super::prepare(alias, "");
        let seed = std::fs::read_to_string(folder.path().join("state/keys/signing.key")).unwrap();
        let mut bytes = [0; 32];
        hex::decode_to_slice(seed.trim(), &mut bytes).unwrap();
        Peer { party: party_id(alias), signing: SigningKey::from_seed(&bytes), folder, config }
    }

    pub fn descriptor(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("state/party.json")).unwrap()
    }

    pub fn credentials(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        credentials(&self.folder.path().join("state/keys/tls"))
    }

    /// Makes a node trust this peer.
    pub async fn introduce(&self, to: &mut Party, alias: &str) {
        let request = hefu_proto::control::TrustPartyRequest {
            descriptor: self.descriptor(),
            alias: alias.into(),
            rename: false,
        };
        to.control.nodes.trust_party(request).await.unwrap();
    }

    pub async fn channel(&self, to: &Party) -> Result<Channel, Status> {
        let config = careless_config(Some(self.credentials()));
        connect(config, to.node.interconnect(), "localhost").await.map(|(channel, _)| channel)
    }

    /// A training offer to one party for its dataset `tax`.
    pub fn offer(&self, to: &Party, agreement: &Agreement, session: u8) -> Offer {
        let entry = |party: PartyId, ephemeral: Option<String>, dataset: Option<&str>| OfferedParty {
            party,
            ephemeral,
            mask: None,
            dataset: dataset.map(str::to_owned),
            schema: None,
            allow: None,
        };
        let mut job = [session; 16];
        job[..4].copy_from_slice(b"job!");
        Offer {
            kind: "hefu/offer/1".into(),
            versions: vec!["1.0".into()],
            suites: vec![1],
            session: SessionId([session; 16]),
            job: JobId(job),
            nonce: [9; 32],
            parties: vec![
                entry(self.party.clone(), Some(hex::encode(agreement.public())), None),
                entry(to.id(), None, Some("tax")),
            ],
            purpose: Purpose::Origination,
            outputs: vec![Output::Model, Output::Score],
            plan: Plan {
                stages: vec![Stage::Align, Stage::Train, Stage::Evaluate],
                join: Join::Inner,
                missing: Missing::Error,
                split: Split::Hash,
                algorithm: "vlr-1".into(),
                lambda: 1.0,
                max_evaluations: 40,
                alignment: None,
                model: Some(ModelId([session; 16])),
            },
            limits: SessionLimits { max_chunk: 1 << 16, max_message: 1 << 24 },
            extensions: vec![],
            critical: vec![],
        }
    }

    /// Sends an offer; answers the exact confirm.
    pub async fn open(&self, channel: &Channel, offer: &Offer) -> Result<Vec<u8>, Status> {
        let mut client = SessionServiceClient::new(channel.clone());
        let request = OpenRequest { offer: seal_offer(offer, &self.signing) };
        client.open(request).await.map(|r| r.into_inner().confirm)
    }

    /// Offer and confirm; answers the keys.
    pub async fn confirm(&self, channel: &Channel, to: &Party, agreement: &Agreement, offer: &Offer) -> Keys {
        let envelope = seal_offer(offer, &self.signing);
        let mut client = SessionServiceClient::new(channel.clone());
        let confirm = client.open(OpenRequest { offer: envelope.clone() }).await.unwrap().into_inner().confirm;
        let key = hefu_protocol::session::open_descriptor(to.node.descriptor()).unwrap().signing_key;
        let opened = open_confirm(&confirm, &key).unwrap();
        let transcript = transcript(&envelope, &[&confirm]);
        let signature = self.signing.sign(&transcript_message(Rank(0), &transcript)).to_vec();
        let session = offer.session.0.to_vec();
        let request = ConfirmRequest { session, confirms: vec![confirm], signature };
        let answer = client.confirm(request).await.unwrap().into_inner().signature;
        hefu_crypto::verify(&key, &transcript_message(Rank(1), &transcript), &answer).unwrap();
        let ephemerals = [agreement.public(), opened.ephemeral];
        Keys::derive(offer.session, Rank(0), transcript, agreement, &ephemerals).unwrap()
    }

    /// Opens a session up to its stream.
    pub async fn session(&self, to: &Party, session: u8) -> Session {
        let channel = self.channel(to).await.unwrap();
        let agreement = Agreement::new([session ^ 0x55; 32]);
        let offer = self.offer(to, &agreement, session);
        let keys = self.confirm(&channel, to, &agreement, &offer).await;
        let (sender, incoming) = exchange(&channel, offer.session).await.unwrap();
        Session { id: offer.session, keys, limits: offer.limits, sender, incoming, channel }
    }
}

impl Session {
    pub async fn send(&self, frame: Frame) {
        let _ = self.sender.send(ExchangeRequest { header: frame.header.into(), body: frame.body.into() }).await;
    }

    /// Reads frames until the stream ends; answers its status.
    pub async fn end(&mut self) -> Status {
        loop {
            match self.incoming.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::ok("ended"),
                Err(status) => return status,
            }
        }
    }
}

/// Opens the stream of a session.
pub async fn exchange(
    channel: &Channel,
    session: SessionId,
) -> Result<(mpsc::Sender<ExchangeRequest>, Streaming<ExchangeResponse>), Status> {
    let (sender, receiver) = mpsc::channel(8);
    let mut request = Request::new(ReceiverStream::new(receiver));
    request.metadata_mut().insert("hefu-session", session.to_string().parse().unwrap());
    let incoming = ChannelServiceClient::new(channel.clone()).exchange(request).await?.into_inner();
    Ok((sender, incoming))
}

/// Asks for versions: the least that a connection is good for.
pub async fn versions(channel: &Channel) -> Result<Vec<String>, Status> {
    let mut client = DiscoveryServiceClient::new(channel.clone());
    client.get_versions(hefu_proto::v1::GetVersionsRequest {}).await.map(|r| r.into_inner().versions)
}
