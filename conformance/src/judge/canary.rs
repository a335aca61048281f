//! The canary scan: no key and no cell of the target may be seen in any byte that comes from it.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::transcript::Transcript;

/// A needle is found by its first bytes; 64 bits do not meet by chance.
const PREFIX: usize = 8;

struct Needles(HashMap<[u8; PREFIX], &'static str>);

/// Where a canary is seen, and in which form; never which.
pub(super) fn scan(transcript: &Transcript) -> Option<String> {
    let needles = Needles::new(&transcript.canaries);
    for run in &transcript.runs {
        for (place, bytes) in run.received() {
            if let Some(form) = needles.find(&bytes) {
                return Some(format!("a key or cell of the target is in its {place} ({form})"));
            }
        }
    }
    None
}

impl Needles {
    fn new(canaries: &[String]) -> Needles {
        let mut needles = Needles(HashMap::new());
        for canary in canaries {
            let text = canary.as_bytes();
            let digest: [u8; 32] = Sha256::digest(text).into();
            needles.forms(text, ["raw", "hex", "base64"]);
            needles.forms(&digest, ["SHA-256", "hex of SHA-256", "base64 of SHA-256"]);
            if let Ok(binary) = hex::decode(canary) {
                needles.forms(&binary, ["binary", "hex of binary", "base64 of binary"]);
            }
            if let Ok(number) = canary.parse::<f64>() {
                needles.add(&number.to_be_bytes(), "binary64");
                needles.add(&number.to_le_bytes(), "binary64");
            }
        }
        needles
    }

    fn forms(&mut self, bytes: &[u8], [raw, hexadecimal, base64]: [&'static str; 3]) {
        self.add(bytes, raw);
        let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
        self.add(&reversed, raw);
        self.add(hex::encode(bytes).as_bytes(), hexadecimal);
        self.add(hex::encode_upper(bytes).as_bytes(), hexadecimal);
        self.add(STANDARD_NO_PAD.encode(bytes).as_bytes(), base64);
        self.add(URL_SAFE_NO_PAD.encode(bytes).as_bytes(), base64);
    }

    fn add(&mut self, needle: &[u8], form: &'static str) {
        if let Some(prefix) = needle.first_chunk::<PREFIX>() {
            self.0.entry(*prefix).or_insert(form);
        }
    }

    fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        if self.0.is_empty() {
            return None;
        }
        bytes.windows(PREFIX).find_map(|window| self.0.get(window).copied())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_canary_is_found_in_every_form_and_nothing_else_is() {
        let key = "0123456789abcdef0123456789abcdef".to_owned();
        let needles = Needles::new(&[key.clone(), "3.1234567890123456".to_owned()]);
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        let seen = |bytes: &[u8]| needles.find(&[b"..", bytes, b".."].concat());
        assert_eq!(seen(key.as_bytes()).unwrap(), "raw");
        assert!(seen(hex::encode(&key).as_bytes()).is_some());
        assert!(seen(STANDARD_NO_PAD.encode(&key).as_bytes()).is_some());
        assert_eq!(seen(&digest).unwrap(), "SHA-256");
        assert_eq!(seen(hex::encode(digest).as_bytes()).unwrap(), "hex of SHA-256");
        assert_eq!(seen(&3.1234567890123456f64.to_le_bytes()).unwrap(), "binary64");
        assert!(seen(b"3.1234567890123456").is_some());
        assert!(seen(&digest[..7]).is_none());
        assert!(seen(&[0; 4096]).is_none());
    }
}
