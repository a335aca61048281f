//! Key agreement: X25519 (RFC 7748).
use crate::Error;
use std::fmt;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

/// An ephemeral secret, fresh for one session.
///
/// # Security
/// Redacted, wiped on drop.
pub struct Agreement(StaticSecret);

impl Agreement {
    /// The secret of 32 uniform bytes.
    pub fn new(seed: [u8; 32]) -> Self {
        Agreement(StaticSecret::from(seed))
    }

    /// The public key, 32 bytes.
    pub fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }

    /// The shared secret with a peer's public key.
    ///
    /// # Errors
    /// `BadElement` where the result is all zero (SESS-6).
    pub fn agree(&self, peer: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, Error> {
        let shared = self.0.diffie_hellman(&PublicKey::from(*peer));
        if !shared.was_contributory() {
            return Err(Error::BadElement);
        }
        Ok(Zeroizing::new(shared.to_bytes()))
    }
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Agreement(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_and_low_order_is_refused() {
        let (a, b) = (Agreement::new([1; 32]), Agreement::new([2; 32]));
        assert_eq!(a.agree(&b.public()).unwrap(), b.agree(&a.public()).unwrap());
        assert_eq!(a.agree(&[0; 32]), Err(Error::BadElement));
    }

    #[test]
    fn rfc_7748_section_5_2() {
        let key = |hex: &str| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(hex, &mut bytes).unwrap();
            bytes
        };
        let scalar = Agreement::new(key("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"));
        let u = key("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
        let out = key("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
        assert_eq!(*scalar.agree(&u).unwrap(), out);
    }
}
