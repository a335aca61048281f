//! The party descriptor: exchanged out of band, trusted by a person (spec/session.md, section 2).
use hefu_core::{Code, Fault};
use hefu_protocol::session::{Descriptor, open_descriptor};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Opens a descriptor: it must be signed by the key that it names, and hold a root and an endpoint.
///
/// # Errors
/// `MALFORMED_DOCUMENT`, `BAD_SIGNATURE` (SESS-1).
pub(crate) fn open(envelope: &[u8]) -> Result<Descriptor, Fault> {
    let descriptor = open_descriptor(envelope).map_err(|e| crate::channel::refusal(&e))?;
    if root(&descriptor).is_none() || crate::tls::host_and_port(&descriptor.endpoint).is_none() {
        return Err(Fault::because(Code::MalformedDocument, "a party descriptor does not have its format"));
    }
    Ok(descriptor)
}

/// The root certificate of a descriptor.
pub(crate) fn root(descriptor: &Descriptor) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(descriptor.tls_root.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hefu_core::PartyId;
    use hefu_crypto::SigningKey;
    use hefu_protocol::session::seal_descriptor;

    fn descriptor(key: &SigningKey) -> Descriptor {
        let party = PartyId::parse("uscc:91440300YY00001320").unwrap();
        Descriptor {
            kind: "hefu/party/1".into(),
            name: "Bank".into(),
            signing_key: key.public(),
            tls_root: super::super::certificates::party(&party).unwrap().root,
            endpoint: "https://127.0.0.1:7717".into(),
            party,
        }
    }

    // clause: SESS-1
    #[test]
    fn opens_what_its_own_key_signed() {
        let key = SigningKey::from_seed(&[1; 32]);
        let descriptor = descriptor(&key);
        assert_eq!(open(&seal_descriptor(&descriptor, &key)), Ok(descriptor.clone()));
        let other = SigningKey::from_seed(&[2; 32]);
        assert_eq!(open(&seal_descriptor(&descriptor, &other)).unwrap_err().code, Code::BadSignature);
        assert_eq!(open(b"{}").unwrap_err().code, Code::MalformedDocument);
    }

    #[test]
    fn a_wrong_entry_is_refused() {
        let key = SigningKey::from_seed(&[1; 32]);
        for wrong in [
            Descriptor { endpoint: "127.0.0.1".into(), ..descriptor(&key) },
            Descriptor { tls_root: "none".into(), ..descriptor(&key) },
        ] {
            assert_eq!(open(&seal_descriptor(&wrong, &key)).unwrap_err().code, Code::MalformedDocument);
        }
    }
}
