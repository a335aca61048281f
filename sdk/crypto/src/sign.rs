//! Ed25519 signatures (RFC 8032).
use crate::{Error, sha256};
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use std::fmt;

/// A party's signing key.
///
/// # Security
/// Redacted, not clonable, wiped on drop by the curve crate.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of a 32-byte secret.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        SigningKey(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public key, 32 bytes.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The signature of a message, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// Verifies a signature, refusing small-order keys and non-canonical encodings.
///
/// # Errors
/// `BadSignature`.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8]) -> Result<(), Error> {
    let key = VerifyingKey::from_bytes(public).map_err(|_| Error::BadSignature)?;
    let signature = Signature::from_slice(signature).map_err(|_| Error::BadSignature)?;
    key.verify_strict(message, &signature).map_err(|_| Error::BadSignature)
}

/// `keyid`: the first 16 bytes of H(public key), in hex.
pub fn key_id(public: &[u8; 32]) -> String {
    hex::encode(&sha256(&[public])[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8032_test_1() {
        let mut seed = [0; 32];
        hex::decode_to_slice("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", &mut seed).unwrap();
        let key = SigningKey::from_seed(&seed);
        assert_eq!(hex::encode(key.public()), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let signature = key.sign(b"");
        assert_eq!(
            hex::encode(signature),
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        );
        assert_eq!(verify(&key.public(), b"", &signature), Ok(()));
        assert_eq!(verify(&key.public(), b"x", &signature), Err(Error::BadSignature));
        assert_eq!(verify(&key.public(), b"", &signature[..63]), Err(Error::BadSignature));
    }
}
