//! Parties: ids with check character (conventions section 4) and descriptors (session section 2).

use base64::Engine;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use super::dsse;

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Prefix of a party id in a certificate's URI name.
pub const URI_PREFIX: &str = "urn:hefu:party:";

/// The check character of a unified social credit code's first 17 characters (GB 32100-2015).
pub fn check_character(body: &str) -> Option<char> {
    let mut sum = 0usize;
    let mut weight = 1usize;
    for character in body.bytes() {
        sum += ALPHABET.iter().position(|&a| a == character)? * weight;
        weight = weight * 3 % 31;
    }
    (body.len() == 17).then(|| ALPHABET[(31 - sum % 31) % 31] as char)
}

/// A synthetic party id: region Shenzhen, body `YY`, a number, and its check character.
pub fn synthetic(number: u32) -> String {
    let body = format!("91440300YY{:07}", number % 10_000_000);
    format!("uscc:{body}{}", check_character(&body).unwrap_or('0'))
}

/// The payload of a party descriptor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Descriptor {
    /// `hefu/party/1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Party id.
    pub party: String,
    /// Name for people.
    #[serde(default)]
    pub name: String,
    /// Ed25519 public key, hex.
    pub signing_key: String,
    /// The party's TLS root, PEM.
    pub tls_root: String,
    /// Where its node listens.
    #[serde(default)]
    pub endpoint: String,
}

impl Descriptor {
    /// The signed descriptor's exact bytes.
    pub fn seal(&self, key: &SigningKey) -> Vec<u8> {
        dsse::seal(dsse::PARTY, &serde_json::to_vec(self).unwrap_or_default(), key)
    }

    /// Reads a descriptor and verifies that the key it names signed it (SESS-1).
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn open(envelope: &[u8]) -> Result<Descriptor, String> {
        let envelope = dsse::parse(envelope)?;
        if envelope.payload_type != dsse::PARTY {
            return Err(format!("payload type {} is not that of a descriptor", envelope.payload_type));
        }
        let descriptor: Descriptor =
            serde_json::from_slice(&envelope.payload).map_err(|e| format!("descriptor is not its JSON: {e}"))?;
        let key = descriptor.public_key().ok_or("signing_key is not 32 bytes in hex")?;
        if envelope.verifies(&key) {
            Ok(descriptor)
        } else {
            Err("descriptor is not signed by the key it names".into())
        }
    }

    /// The signing key, if it is one.
    pub fn public_key(&self) -> Option<[u8; 32]> {
        hex::decode(&self.signing_key).ok()?.try_into().ok()
    }

    /// DER bytes of the first certificate in `tls_root`.
    pub fn root_der(&self) -> Option<Vec<u8>> {
        let body = self.tls_root.split("-----BEGIN CERTIFICATE-----").nth(1)?;
        let body: String = body.split("-----END").next()?.split_whitespace().collect();
        base64::engine::general_purpose::STANDARD.decode(body).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn check_characters_are_those_of_the_standard() {
        // A published example of GB 32100-2015.
        assert_eq!(check_character("91350100M000100Y4"), Some('3'));
        assert!(synthetic(132).starts_with("uscc:91440300YY0000132"));
        assert_eq!(check_character("9144030"), None);
    }
}
