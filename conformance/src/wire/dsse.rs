//! Signed documents: DSSE v1 with Ed25519 (conventions section 3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::h;

/// Payload type of an offer.
pub const OFFER: &str = "application/vnd.hefu.offer+json";
/// Payload type of a confirm.
pub const CONFIRM: &str = "application/vnd.hefu.confirm+json";
/// Payload type of a party descriptor.
pub const PARTY: &str = "application/vnd.hefu.party+json";

#[derive(Serialize, Deserialize)]
struct Text {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<TextSignature>,
}

#[derive(Serialize, Deserialize)]
struct TextSignature {
    keyid: String,
    sig: String,
}

/// An envelope, decoded but not yet verified.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// Media type of the payload.
    pub payload_type: String,
    /// The decoded payload.
    pub payload: Vec<u8>,
    /// Key id of the signature, hex.
    pub keyid: String,
    /// The signature.
    pub signature: [u8; 64],
}

/// The bytes that are signed.
pub fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {} {} ", payload_type.len(), payload_type, payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// First 16 bytes of the hash of a public key, in hex.
pub fn keyid(public: &[u8; 32]) -> String {
    hex::encode(&h(&[public])[..16])
}

/// Signs `payload` and returns the envelope's exact bytes.
pub fn seal(payload_type: &str, payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(&signed_bytes(payload_type, payload)).to_bytes();
    let keyid = keyid(&key.verifying_key().to_bytes());
    let text = Text {
        payload_type: payload_type.to_owned(),
        payload: STANDARD.encode(payload),
        signatures: vec![TextSignature { keyid, sig: STANDARD.encode(signature) }],
    };
    serde_json::to_vec(&text).unwrap_or_default()
}

/// Decodes an envelope; the reason it is none otherwise.
///
/// # Errors
/// A sentence that names what is missing.
pub fn parse(bytes: &[u8]) -> Result<Envelope, String> {
    let text: Text = serde_json::from_slice(bytes).map_err(|e| format!("envelope is not DSSE JSON: {e}"))?;
    let [first] = text.signatures.as_slice() else {
        return Err(format!("envelope has {} signatures, not one", text.signatures.len()));
    };
    let signature = STANDARD.decode(&first.sig).map_err(|_| "signature is not base64")?;
    Ok(Envelope {
        payload_type: text.payload_type,
        payload: STANDARD.decode(&text.payload).map_err(|_| "payload is not base64")?,
        keyid: first.keyid.clone(),
        signature: signature.try_into().map_err(|_| "signature is not 64 bytes")?,
    })
}

impl Envelope {
    /// The one text that [`seal`] gives this envelope.
    pub fn text(&self) -> Vec<u8> {
        let signature = TextSignature { keyid: self.keyid.clone(), sig: STANDARD.encode(self.signature) };
        let payload = STANDARD.encode(&self.payload);
        let text = Text { payload_type: self.payload_type.clone(), payload, signatures: vec![signature] };
        serde_json::to_vec(&text).unwrap_or_default()
    }

    /// Whether `public` made the signature.
    pub fn verifies(&self, public: &[u8; 32]) -> bool {
        verify(public, &signed_bytes(&self.payload_type, &self.payload), &self.signature)
    }
}

/// Whether `public` signed `message`.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sealed_document_opens_with_its_key_alone() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes();
        let envelope = parse(&seal(OFFER, b"{}", &key)).unwrap();
        assert_eq!(envelope.payload, b"{}");
        assert!(envelope.verifies(&key.verifying_key().to_bytes()));
        assert!(!envelope.verifies(&other));
        assert_eq!(signed_bytes("a/b", b"xyz"), b"DSSEv1 3 a/b 3 xyz");
    }
}
