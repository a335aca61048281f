//! Certificates of parties: the root that counts is the one in the descriptor of the party that the URI name claims.
use crate::identity::root_of;
use crate::trust::Trust;
use hefu_core::PartyId;
use hefu_core::fault::{Switch, is_on};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Why a certificate is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTrusted {
    /// It is no X.509 certificate.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// TLS-4.
    #[error("the certificate does not name exactly one party")]
    NoParty,
    /// TLS-3: nobody trusts that party here.
    #[error("the certificate's party has no trusted descriptor here")]
    UnknownParty,
    /// It names another party than the one that was dialled.
    #[error("the certificate is that of another party")]
    OtherParty,
    /// TLS-3, TLS-5: chain, validity or usage.
    #[error("the certificate does not chain to its party's root, or is outside its validity")]
    BadChain,
}

impl NotTrusted {
    /// The requirement that the certificate violates.
    pub(crate) fn requirement(self) -> &'static str {
        match self {
            NotTrusted::Unreadable | NotTrusted::NoParty => "TLS-4",
            NotTrusted::UnknownParty | NotTrusted::OtherParty | NotTrusted::BadChain => "TLS-3",
        }
    }
}

impl From<NotTrusted> for rustls::Error {
    fn from(reason: NotTrusted) -> Self {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))
    }
}

/// The one party that a certificate names.
pub(crate) fn party_of(certificate: &CertificateDer<'_>) -> Result<PartyId, NotTrusted> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| NotTrusted::Unreadable)?;
    let names = parsed.subject_alternative_name().map_err(|_| NotTrusted::Unreadable)?;
    let mut parties = names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix("urn:hefu:party:"),
        _ => None,
    });
    match (parties.next(), parties.next()) {
        (Some(party), second) if second.is_none() || is_on(Switch::AcceptsTwoNames) => {
            PartyId::parse(party).map_err(|_| NotTrusted::NoParty)
        }
        _ => Err(NotTrusted::NoParty),
    }
}

/// Verifies either side of a connection between parties.
pub(super) struct PartyVerifier {
    trust: Arc<Trust>,
    provider: Arc<CryptoProvider>,
    expected: Option<PartyId>,
}

impl PartyVerifier {
    /// `expected`: the party that was dialled; any trusted one where `None`.
    pub(super) fn new(trust: Arc<Trust>, provider: Arc<CryptoProvider>, expected: Option<PartyId>) -> Self {
        PartyVerifier { trust, provider, expected }
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
    ) -> Result<(), rustls::Error> {
        let past = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_591_000_000));
        let now = if is_on(Switch::AcceptsExpired) { past } else { now };
        let party = party_of(leaf)?;
        if self.expected.as_ref().is_some_and(|expected| *expected != party) {
            return Err(NotTrusted::OtherParty.into());
        }
        let trusted = self.trust.find(&party).ok_or(NotTrusted::UnknownParty)?;
        let root = root_of(&trusted.descriptor).ok_or(NotTrusted::UnknownParty)?;
        let anchor = anchor_from_trusted_cert(&root).map_err(|_| NotTrusted::BadChain)?;
        let leaf = EndEntityCert::try_from(leaf).map_err(|_| NotTrusted::Unreadable)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        leaf.verify_for_usage(algorithms, &[anchor], intermediates, now, usage, None, None)
            .map(drop)
            .map_err(|_| NotTrusted::BadChain.into())
    }
}

impl std::fmt::Debug for PartyVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartyVerifier").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for PartyVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verify(leaf, intermediates, now, KeyUsage::server_auth()).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for PartyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verify(leaf, intermediates, now, KeyUsage::client_auth()).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
