//! Sealing: AES-256-GCM (SP 800-38D) with a counter nonce (spec/frame.md, section 1).
use crate::Error;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::fmt;

/// Bytes of the authentication tag.
pub const TAG_BYTES: usize = 16;

/// The key of one direction between two ranks.
///
/// # Security
/// Redacted; aws-lc wipes its key schedule. A sequence number is used once per key: the frame sealer counts.
pub struct FrameKey(Option<LessSafeKey>);

impl FrameKey {
    /// The key of 32 derived bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        FrameKey(UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new))
    }

    fn nonce(sequence: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&sequence.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    /// Seals in place; the tag is appended.
    ///
    /// # Errors
    /// `BadSeal` where the cipher refuses, as it does beyond 2^36 bytes.
    pub fn seal(&self, sequence: u64, header: &[u8], body: &mut Vec<u8>) -> Result<(), Error> {
        let key = self.0.as_ref().ok_or(Error::BadSeal)?;
        key.seal_in_place_append_tag(Self::nonce(sequence), Aad::from(header), body).map_err(|_| Error::BadSeal)
    }

    /// Opens in place; the tag is removed.
    ///
    /// # Errors
    /// `BadSeal`; nothing of the body may be used then.
    pub fn open(&self, sequence: u64, header: &[u8], body: &mut Vec<u8>) -> Result<(), Error> {
        let key = self.0.as_ref().ok_or(Error::BadSeal)?;
        let length =
            key.open_in_place(Self::nonce(sequence), Aad::from(header), body).map_err(|_| Error::BadSeal)?.len();
        body.truncate(length);
        Ok(())
    }
}

impl fmt::Debug for FrameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FrameKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_the_same_header_and_sequence() {
        let key = FrameKey::new(&[9; 32]);
        let mut body = b"chunk".to_vec();
        key.seal(3, b"header", &mut body).unwrap();
        assert_eq!(body.len(), 5 + TAG_BYTES);
        for (sequence, header) in [(4, &b"header"[..]), (3, &b"other"[..])] {
            assert_eq!(key.open(sequence, header, &mut body.clone()), Err(Error::BadSeal));
        }
        key.open(3, b"header", &mut body).unwrap();
        assert_eq!(body, b"chunk");
        assert_eq!(key.open(3, b"header", &mut vec![0; 3]), Err(Error::BadSeal));
    }
}
