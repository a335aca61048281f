//! The suite's own reading of the wire: documents, keys, frames, messages, the group. Written from `spec/` alone and
//! sharing nothing with the SDK, so that a bug cannot agree with itself.

pub mod aggregate;
pub mod aggregate_secret;
pub mod detail;
pub mod dsse;
pub mod frame;
pub mod group;
pub mod keys;
pub mod message;
pub mod party;
pub mod rlwe;
pub mod rlwe_scheme;
pub mod vlr;
pub mod vlr_block;

use sha2::{Digest, Sha256};

/// `H` of conventions section 2 over the concatenation of `parts`.
pub fn h(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// `lp(x)` of conventions section 1.
pub fn lp(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}
