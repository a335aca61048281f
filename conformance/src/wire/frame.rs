//! Frames (frame section 1): 64-byte header, AES-256-GCM body.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Length of a header in bytes.
pub const HEADER: usize = 64;
/// Length of a tag in bytes.
pub const TAG: usize = 16;

/// A frame header, field by field, without judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// 1.
    pub version: u8,
    /// 0.
    pub flags: u8,
    /// Message type of the registry.
    pub kind: u16,
    /// Sender rank.
    pub from: u16,
    /// Receiver rank.
    pub to: u16,
    /// Session id.
    pub session: [u8; 16],
    /// Stage: 1 for alignment.
    pub stage: u32,
    /// Round.
    pub round: u32,
    /// Sequence per (sender, receiver).
    pub sequence: u64,
    /// Index of the chunk.
    pub chunk: u32,
    /// Number of chunks.
    pub chunks: u32,
    /// Bytes of the whole message.
    pub length: u64,
    /// Bytes of this chunk.
    pub chunk_length: u32,
    /// 0.
    pub reserved: u32,
}

impl Header {
    /// The 64 bytes.
    pub fn encode(&self) -> [u8; HEADER] {
        let mut out = [0u8; HEADER];
        out[0] = self.version;
        out[1] = self.flags;
        out[2..4].copy_from_slice(&self.kind.to_be_bytes());
        out[4..6].copy_from_slice(&self.from.to_be_bytes());
        out[6..8].copy_from_slice(&self.to.to_be_bytes());
        out[8..24].copy_from_slice(&self.session);
        out[24..28].copy_from_slice(&self.stage.to_be_bytes());
        out[28..32].copy_from_slice(&self.round.to_be_bytes());
        out[32..40].copy_from_slice(&self.sequence.to_be_bytes());
        out[40..44].copy_from_slice(&self.chunk.to_be_bytes());
        out[44..48].copy_from_slice(&self.chunks.to_be_bytes());
        out[48..56].copy_from_slice(&self.length.to_be_bytes());
        out[56..60].copy_from_slice(&self.chunk_length.to_be_bytes());
        out[60..64].copy_from_slice(&self.reserved.to_be_bytes());
        out
    }

    /// Reads a header; `None` unless it has exactly 64 bytes.
    pub fn decode(bytes: &[u8]) -> Option<Header> {
        let b: &[u8; HEADER] = bytes.try_into().ok()?;
        let u16_at = |i: usize| u16::from_be_bytes([b[i], b[i + 1]]);
        let u32_at = |i: usize| u32::from_be_bytes([b[i], b[i + 1], b[i + 2], b[i + 3]]);
        let u64_at = |i: usize| u64::from(u32_at(i)) << 32 | u64::from(u32_at(i + 4));
        let mut session = [0; 16];
        session.copy_from_slice(&b[8..24]);
        Some(Header {
            version: b[0],
            flags: b[1],
            kind: u16_at(2),
            from: u16_at(4),
            to: u16_at(6),
            session,
            stage: u32_at(24),
            round: u32_at(28),
            sequence: u64_at(32),
            chunk: u32_at(40),
            chunks: u32_at(44),
            length: u64_at(48),
            chunk_length: u32_at(56),
            reserved: u32_at(60),
        })
    }
}

/// Cuts a message into its chunks: exactly `max_chunk` bytes each but the last; an empty message is one empty chunk.
pub fn chunks(payload: &[u8], max_chunk: usize) -> Vec<Vec<u8>> {
    if payload.is_empty() { vec![Vec::new()] } else { payload.chunks(max_chunk.max(1)).map(<[u8]>::to_vec).collect() }
}

fn cipher(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

fn nonce(sequence: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&sequence.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Seals a chunk: ciphertext, then the tag. The header may be any bytes, since cases send broken ones.
pub fn seal(key: &[u8; 32], header: &[u8], sequence: u64, chunk: &[u8]) -> Vec<u8> {
    let mut body = chunk.to_vec();
    if let Some(cipher) = cipher(key) {
        let _ = cipher.seal_in_place_append_tag(nonce(sequence), Aad::from(header), &mut body);
    }
    body
}

/// Opens a body; `None` if the seal does not hold.
pub fn open(key: &[u8; 32], header: &[u8], sequence: u64, body: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = body.to_vec();
    let plain = cipher(key)?.open_in_place(nonce(sequence), Aad::from(header), &mut buffer).ok()?;
    Some(plain.to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn header() -> Header {
        Header {
            version: 1,
            flags: 0,
            kind: 0x0102,
            from: 0,
            to: 1,
            session: [3; 16],
            stage: 1,
            round: 0,
            sequence: 0x0102_0304_0506_0708,
            chunk: 1,
            chunks: 2,
            length: 9,
            chunk_length: 4,
            reserved: 0,
        }
    }

    #[test]
    fn a_header_reads_back_and_sits_where_the_table_says() {
        let bytes = header().encode();
        assert_eq!(Header::decode(&bytes).unwrap(), header());
        assert_eq!(bytes[32..40], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(bytes[48..60], [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4]);
        assert!(Header::decode(&bytes[..63]).is_none());
    }

    #[test]
    fn a_seal_holds_for_its_header_sequence_and_key_only() {
        let bytes = header().encode();
        let body = seal(&[5; 32], &bytes, 7, b"chunk");
        assert_eq!(body.len(), 5 + TAG);
        assert_eq!(open(&[5; 32], &bytes, 7, &body).unwrap(), b"chunk");
        assert!(open(&[5; 32], &bytes, 8, &body).is_none());
        assert!(open(&[6; 32], &bytes, 7, &body).is_none());
        assert!(open(&[5; 32], &bytes[1..], 7, &body).is_none());
    }

    #[test]
    fn messages_are_cut_at_exactly_the_chunk() {
        let lengths = |n: usize| chunks(&vec![0; n], 4).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!((lengths(0), lengths(4), lengths(9)), (vec![0], vec![4], vec![4, 4, 1]));
    }
}
