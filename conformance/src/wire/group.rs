//! ristretto255 as alignment uses it (align sections 2 and 3).

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};

use super::h;

/// Domain separation tag of hash-to-group for the collaborator of `rank`.
pub fn dst(suite: u16, rank: u16, transcript: &[u8; 32]) -> Vec<u8> {
    let mut out = b"hefu/1 align ".to_vec();
    out.extend_from_slice(&suite.to_be_bytes());
    out.extend_from_slice(&rank.to_be_bytes());
    out.extend_from_slice(transcript);
    out
}

/// `ristretto255_XMD:SHA-512_R255MAP_RO_` of RFC 9380: one 64-byte expansion, then the map of RFC 9496.
pub fn hash_to_group(dst: &[u8], key: &[u8]) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&expand(dst, key))
}

/// expand_message_xmd with SHA-512 for 64 bytes (RFC 9380 section 5.3.1); the tag is below 256 bytes.
fn expand(dst: &[u8], message: &[u8]) -> [u8; 64] {
    let length = [dst.len() as u8];
    let first = Sha512::new()
        .chain_update([0u8; 128])
        .chain_update(message)
        .chain_update(64u16.to_be_bytes())
        .chain_update([0u8])
        .chain_update(dst)
        .chain_update(length)
        .finalize();
    Sha512::new().chain_update(first).chain_update([1u8]).chain_update(dst).chain_update(length).finalize().into()
}

/// A scalar from 64 uniform bytes.
pub fn scalar(bytes: &[u8; 64]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(bytes)
}

/// A canonical scalar back from its 32 bytes.
pub fn scalar_from(bytes: &[u8; 32]) -> Option<Scalar> {
    Option::from(Scalar::from_canonical_bytes(*bytes))
}

/// A canonical element that is not the identity; the reason otherwise.
///
/// # Errors
/// A phrase that says what it is.
pub fn decode(bytes: &[u8; 32]) -> Result<RistrettoPoint, &'static str> {
    let point = CompressedRistretto(*bytes).decompress().ok_or("not a canonical encoding")?;
    if point.is_identity() { Err("the identity") } else { Ok(point) }
}

/// Width of a tag in bytes for `n` initiator's and `m` collaborator's keys.
pub fn tag_width(n: u64, m: u64) -> usize {
    let bits = |k: u64| 64 - k.leading_zeros();
    (40 + bits(n) + bits(m)).div_ceil(8).max(10) as usize
}

/// `tag(Q)`, `width` bytes.
pub fn tag(transcript: &[u8; 32], rank: u16, element: &[u8; 32], width: usize) -> Vec<u8> {
    h(&[b"hefu/1 align tag", transcript, &rank.to_be_bytes(), element])[..width.min(32)].to_vec()
}

/// Applies `f` to every item on all cores, in order.
pub fn parallel<T: Sync, U: Send>(items: &[T], f: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if items.len() < 64 {
        return items.iter().map(f).collect();
    }
    let f = &f;
    std::thread::scope(|scope| {
        let parts = items.chunks(items.len().div_ceil(cores));
        let workers: Vec<_> = parts.map(|part| scope.spawn(move || part.iter().map(f).collect::<Vec<U>>())).collect();
        // A worker that panicked has no items; the caller sees the shorter list.
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 9497 appendix A.1.1, test vector 1: the same hash-to-group under the OPRF's tag.
    #[test]
    fn hash_to_group_agrees_with_rfc_9497() {
        let dst = [b"HashToGroup-OPRFV1-".as_slice(), &[0], b"-ristretto255-SHA512"].concat();
        let blind = hex::decode("64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706").unwrap();
        let blind = scalar_from(&blind.try_into().unwrap()).unwrap();
        let element = (hash_to_group(&dst, &[0]) * blind).compress();
        assert_eq!(hex::encode(element.as_bytes()), "609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c");
    }

    #[test]
    fn blinding_commutes() {
        let (a, b) = (scalar(&[1; 64]), scalar(&[2; 64]));
        let point = hash_to_group(b"hefu/1 align test", b"key");
        assert_eq!(((point * a) * b).compress(), ((point * b) * a).compress());
        assert!(decode((point * a).compress().as_bytes()).is_ok());
        assert_eq!(decode(&[0; 32]).unwrap_err(), "the identity");
        assert_eq!(decode(&[0xff; 32]).unwrap_err(), "not a canonical encoding");
    }

    #[test]
    fn parallel_work_keeps_its_order() {
        let items: Vec<u32> = (0..1000).collect();
        assert_eq!(parallel(&items, |i| i * 2), items.iter().map(|i| i * 2).collect::<Vec<_>>());
    }

    #[test]
    fn widths_are_those_of_the_formula() {
        assert_eq!((tag_width(1, 1), tag_width(200, 200), tag_width(1 << 20, 1 << 20)), (10, 10, 11));
        assert_eq!(tag_width(1 << 19, 1 << 19), 10);
    }
}
