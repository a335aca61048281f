//! The throw-away parties of a run: roots, certificates, signing keys, descriptors.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use crate::case::CertificateFault;
use crate::error::{Error, Result};
use crate::rng::Rng;
use crate::wire::party::{self, Descriptor, URI_PREFIX};

/// One party that the suite plays.
pub struct Party {
    /// Party id.
    pub id: String,
    /// Short name, such as `bank`.
    pub name: String,
    /// Signs offers and transcripts.
    pub signing: SigningKey,
    root: Issuer<'static, KeyPair>,
    /// The root, PEM.
    pub root_pem: String,
    /// Where its node listens, as its descriptor says.
    pub endpoint: String,
}

/// A certificate and its key, as TLS wants them.
pub struct Identity {
    /// The leaf alone.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key, PKCS #8.
    pub key: PrivateKeyDer<'static>,
}

fn suite(error: impl std::fmt::Display) -> Error {
    Error::Suite(format!("certificates: {error}"))
}

/// A certificate authority of its own for `name`; issuer and PEM.
fn root(name: &str) -> Result<(Issuer<'static, KeyPair>, String)> {
    let mut params = CertificateParams::new(Vec::<String>::new()).map_err(suite)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, format!("{name} root"));
    let key = KeyPair::generate().map_err(suite)?;
    let certificate = params.self_signed(&key).map_err(suite)?;
    Ok((Issuer::new(params, key), certificate.pem()))
}

impl Party {
    /// A fresh party: signing key from the seed, TLS root from the system's randomness.
    ///
    /// # Errors
    /// `Suite` where a certificate cannot be made.
    pub fn mint(seed: &str, name: &str) -> Result<Party> {
        let mut rng = Rng::new(seed, &format!("party {name}"));
        let (root, root_pem) = root(name)?;
        Ok(Party {
            id: party::synthetic(rng.below(9_000_000) as u32 + 1_000_000),
            name: name.to_owned(),
            signing: SigningKey::from_bytes(&rng.bytes()),
            root,
            root_pem,
            // Nobody dials a party that only initiates.
            endpoint: "https://127.0.0.1:1".into(),
        })
    }

    /// The signed descriptor's exact bytes.
    pub fn descriptor(&self) -> Vec<u8> {
        Descriptor {
            kind: "hefu/party/1".into(),
            party: self.id.clone(),
            name: self.name.clone(),
            signing_key: hex::encode(self.signing.verifying_key().to_bytes()),
            tls_root: self.root_pem.clone(),
            endpoint: self.endpoint.clone(),
        }
        .seal(&self.signing)
    }

    /// A valid certificate of this party, or one with a fault; `other` lends its name or root where the fault needs
    /// one.
    ///
    /// # Errors
    /// `Suite` where a certificate cannot be made.
    pub fn identity(&self, fault: Option<CertificateFault>, other: &Party) -> Result<Identity> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).map_err(suite)?;
        params.distinguished_name.push(DnType::CommonName, self.name.clone());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let uri = |id: &str| format!("{URI_PREFIX}{id}").try_into().map(SanType::URI).map_err(suite);
        if fault != Some(CertificateFault::NoParty) {
            params.subject_alt_names.push(uri(&self.id)?);
        }
        if fault == Some(CertificateFault::TwoParties) {
            params.subject_alt_names.push(uri(&other.id)?);
        }
        (params.not_before, params.not_after) = match fault {
            Some(CertificateFault::Expired) => (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1)),
            Some(CertificateFault::NotYetValid) => (rcgen::date_time_ymd(2090, 1, 1), rcgen::date_time_ymd(2091, 1, 1)),
            _ => (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2099, 1, 1)),
        };
        let key = KeyPair::generate().map_err(suite)?;
        let certificate = match fault {
            Some(CertificateFault::StrangerRoot) => params.signed_by(&key, &root(&self.name)?.0),
            Some(CertificateFault::OtherMemberRoot) => params.signed_by(&key, &other.root),
            _ => params.signed_by(&key, &self.root),
        };
        Ok(Identity {
            chain: vec![certificate.map_err(suite)?.der().clone()],
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        })
    }
}

/// The party ids that a certificate's URI names claim.
pub fn claimed_parties(certificate: &[u8]) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let mut ids = Vec::new();
    for extension in parsed.extensions() {
        if let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() {
            for name in &names.general_names {
                if let GeneralName::URI(uri) = name
                    && let Some(id) = uri.strip_prefix(URI_PREFIX)
                {
                    ids.push(id.to_owned());
                }
            }
        }
    }
    ids
}

/// Whether a certificate chains to `root` (DER) now; for a server or a client.
///
/// # Errors
/// A phrase that says why it does not.
pub fn chains(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    root: &[u8],
    now: UnixTime,
    client: bool,
) -> std::result::Result<(), String> {
    let root = CertificateDer::from(root);
    let anchor = webpki::anchor_from_trusted_cert(&root).map_err(|e| format!("root: {e}"))?;
    let leaf = webpki::EndEntityCert::try_from(leaf).map_err(|e| e.to_string())?;
    let usage = if client { webpki::KeyUsage::client_auth() } else { webpki::KeyUsage::server_auth() };
    leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &[anchor], intermediates, now, usage, None, None)
        .map(|_| ())
        .map_err(|e| e.to_string())
}

/// Accepts exactly the target: a chain to its descriptor's root and its party id as the only one.
#[derive(Debug)]
struct TargetVerifier {
    party: String,
    root: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl TargetVerifier {
    fn new(target: &Descriptor) -> Result<(TargetVerifier, Arc<CryptoProvider>)> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let root = target.root_der().ok_or_else(|| Error::Control("the target's tls_root is not PEM".into()))?;
        Ok((TargetVerifier { party: target.party.clone(), root, provider: provider.clone() }, provider))
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        client: bool,
    ) -> std::result::Result<(), rustls::Error> {
        let claimed = claimed_parties(leaf);
        if claimed != [self.party.clone()] {
            return Err(rustls::Error::General(format!("the target's certificate names {claimed:?}")));
        }
        chains(leaf, intermediates, &self.root, now, client)
            .map_err(|e| rustls::Error::General(format!("the target's certificate: {e}")))
    }

    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }
}

impl ServerCertVerifier for TargetVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        self.verify(leaf, intermediates, now, false)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for TargetVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> std::result::Result<ClientCertVerified, rustls::Error> {
        self.verify(leaf, intermediates, now, true)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.verify_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A TLS 1.3 client that accepts the target alone and shows `identity`, if any.
///
/// # Errors
/// `Suite` where rustls refuses the identity.
pub fn client(target: &Descriptor, identity: Option<Identity>) -> Result<Arc<ClientConfig>> {
    let (verifier, provider) = TargetVerifier::new(target)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(suite)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain, identity.key).map_err(suite)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// A TLS 1.3 server that accepts the target alone and shows `identity`.
///
/// # Errors
/// `Suite` where rustls refuses the identity.
pub fn server(target: &Descriptor, identity: Identity) -> Result<Arc<ServerConfig>> {
    let (verifier, provider) = TargetVerifier::new(target)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(suite)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(identity.chain, identity.key)
        .map_err(suite)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
