//! Signed documents: DSSE v1 envelopes over exact bytes (spec/conventions.md, section 3).
use crate::{Error, SigningKey, key_id, parse_object, sha256, verify};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
struct EnvelopeSignature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

/// The bytes that are signed: the pre-authentication encoding of DSSE v1.
fn encode(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {} {} ", payload_type.len(), payload_type, payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// Signs a payload; answers the envelope's exact bytes.
pub fn seal(payload_type: &str, payload: &[u8], key: &SigningKey) -> Vec<u8> {
    let envelope = Envelope {
        payload_type: payload_type.to_owned(),
        payload: STANDARD.encode(payload),
        signatures: vec![EnvelopeSignature {
            keyid: key_id(&key.public()),
            sig: STANDARD.encode(key.sign(&encode(payload_type, payload))),
        }],
    };
    // A struct of strings always serialises.
    serde_json::to_vec(&envelope).unwrap_or_default()
}

fn parse(envelope: &[u8], payload_type: &str) -> Result<(Envelope, Vec<u8>), Error> {
    let members = serde_json::Value::Object(parse_object(envelope)?);
    let envelope: Envelope = serde_json::from_value(members).map_err(|_| Error::MalformedDocument)?;
    if envelope.payload_type != payload_type || envelope.signatures.len() != 1 {
        return Err(Error::MalformedDocument);
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|_| Error::MalformedDocument)?;
    Ok((envelope, payload))
}

/// Verifies an envelope under a public key, then answers the payload (CONV-4, CONV-6, CONV-10).
///
/// # Errors
/// `MalformedDocument` where it is no envelope, of another type, or has not one signature; `BadSignature` where that
/// does not verify.
pub fn open(envelope: &[u8], payload_type: &str, public: &[u8; 32]) -> Result<Vec<u8>, Error> {
    let (envelope, payload) = parse(envelope, payload_type)?;
    let message = encode(payload_type, &payload);
    let [signature] = envelope.signatures.as_slice() else { return Err(Error::MalformedDocument) };
    let signature = STANDARD.decode(&signature.sig).map_err(|_| Error::MalformedDocument)?;
    verify(public, &message, &signature)?;
    Ok(payload)
}

/// The payload without any check of its signature: to learn whose key to verify it under. Then call [`open`].
///
/// # Errors
/// `MalformedDocument`.
pub fn dangerous_payload_unverified(envelope: &[u8], payload_type: &str) -> Result<Vec<u8>, Error> {
    parse(envelope, payload_type).map(|(_, payload)| payload)
}

/// The digest of a document: H of the exact envelope bytes (CONV-5).
pub fn digest(envelope: &[u8]) -> [u8; 32] {
    sha256(&[envelope])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "application/vnd.hefu.test+json";

    #[test]
    fn opens_only_what_was_signed() {
        let key = SigningKey::from_seed(&[7; 32]);
        let envelope = seal(TYPE, b"{\"a\":1}", &key);
        assert_eq!(open(&envelope, TYPE, &key.public()), Ok(b"{\"a\":1}".to_vec()));
        let other = SigningKey::from_seed(&[8; 32]);
        assert_eq!(open(&envelope, TYPE, &other.public()), Err(Error::BadSignature));
        assert_eq!(open(&envelope, "application/other", &key.public()), Err(Error::MalformedDocument));
        let forged =
            String::from_utf8(envelope).unwrap().replace(&STANDARD.encode(b"{\"a\":1}"), &STANDARD.encode("{}"));
        assert_eq!(open(forged.as_bytes(), TYPE, &key.public()), Err(Error::BadSignature));
        let bare = String::from_utf8(seal(TYPE, b"{}", &key)).unwrap().replace("\"sig\":\"", "\"sig\":\"!");
        assert_eq!(open(bare.as_bytes(), TYPE, &key.public()), Err(Error::MalformedDocument), "not base64");
        assert_eq!(open(b"{", TYPE, &key.public()), Err(Error::MalformedDocument));
        let twice = String::from_utf8(seal(TYPE, b"{}", &key)).unwrap().replacen('{', "{\"x\":1,\"x\":1,", 1);
        assert_eq!(open(twice.as_bytes(), TYPE, &key.public()), Err(Error::MalformedDocument), "CONV-7");
    }

    #[test]
    fn pre_authentication_encoding() {
        assert_eq!(
            encode("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }
}
