//! How vectors tell of long results: a digest and both ends.
#![allow(dead_code, missing_docs)]
use super::case::{decimals, hex};
use hefu_crypto::sha256;
use serde_json::{Value, json};

/// Bytes.
pub fn bytes(bytes: &[u8]) -> Value {
    json!({
        "length": bytes.len(),
        "sha256": hex(sha256(&[bytes])),
        "first": hex(&bytes[..bytes.len().min(32)]),
        "last": hex(&bytes[bytes.len().saturating_sub(32)..]),
    })
}

/// Integers, in order.
pub fn integers<T: ToString>(values: impl IntoIterator<Item = T>) -> Value {
    let all = decimals(values);
    let lines: String = all.iter().flat_map(|value| [value.as_str(), "\n"]).collect();
    json!({
        "count": all.len(),
        "sha256": hex(sha256(&[lines.as_bytes()])),
        "first": all[..all.len().min(4)],
        "last": all[all.len().saturating_sub(4)..],
        "all": all,
    })
}
