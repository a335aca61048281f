//! Sealing: AES-256-GCM (SP 800-38D) with a counter nonce (spec/frame.md, section 1).
use crate::Error;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::fmt;
use zeroize::Zeroize;

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

    /// Seals a chunk; answers the ciphertext, tag last.
    ///
    /// # Errors
    /// As [`FrameKey::seal_into`].
    pub fn seal(&self, sequence: u64, header: &[u8], chunk: &[u8]) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        self.seal_into(sequence, header, chunk, &mut body)?;
        Ok(body)
    }

    /// Seals a chunk into `body`, tag last; what was there is overwritten, its memory used again.
    ///
    /// # Errors
    /// `BadSeal` where the cipher refuses, as it does beyond 2^36 bytes.
    pub fn seal_into(&self, sequence: u64, header: &[u8], chunk: &[u8], body: &mut Vec<u8>) -> Result<(), Error> {
        let key = self.0.as_ref().ok_or(Error::BadSeal)?;
        body.resize(chunk.len() + TAG_BYTES, 0);
        let (text, tag) = body.split_at_mut(chunk.len());
        key.seal_out_of_place_scatter(Self::nonce(sequence), Aad::from(header), chunk, text, &[], tag)
            .map_err(|_| Error::BadSeal)
    }

    /// Opens a sealed chunk, tag last, and appends it to `payload`.
    ///
    /// # Errors
    /// `BadSeal`; `payload` is then as it was.
    pub fn open(&self, sequence: u64, header: &[u8], body: &[u8], payload: &mut Vec<u8>) -> Result<(), Error> {
        let key = self.0.as_ref().ok_or(Error::BadSeal)?;
        let length = body.len().checked_sub(TAG_BYTES).ok_or(Error::BadSeal)?;
        let (text, tag) = body.split_at(length);
        let start = payload.len();
        payload.resize(start + length, 0);
        let opened =
            key.open_separate_gather(Self::nonce(sequence), Aad::from(header), text, tag, &mut payload[start..]);
        if opened.is_err() {
            payload[start..].zeroize();
            payload.truncate(start);
            return Err(Error::BadSeal);
        }
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
        let mut body = b"what was there".to_vec();
        key.seal_into(3, b"header", b"chunk", &mut body).unwrap();
        assert_eq!(key.seal(3, b"header", b"chunk").unwrap(), body);
        assert_eq!(body.len(), 5 + TAG_BYTES);
        let mut payload = b"before ".to_vec();
        for (sequence, header) in [(4, &b"header"[..]), (3, &b"other"[..])] {
            assert_eq!(key.open(sequence, header, &body, &mut payload), Err(Error::BadSeal));
            assert_eq!(payload, b"before ", "nothing of a body that does not open is kept");
        }
        key.open(3, b"header", &body, &mut payload).unwrap();
        assert_eq!(payload, b"before chunk");
        assert_eq!(key.open(3, b"header", &[0; 3], &mut payload), Err(Error::BadSeal));
    }
}
