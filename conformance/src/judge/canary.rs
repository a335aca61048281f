//! The canary scan: no key and no cell of the target may be seen in any byte that comes from it.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::transcript::Transcript;

/// Length by which needles are indexed.
const PREFIX: usize = 8;

/// What must be seen in full: at least 64 bits of what is secret in every form, so that none is met by chance.
struct Needle {
    bytes: Vec<u8>,
    form: &'static str,
}

struct Needles(HashMap<[u8; PREFIX], Vec<Needle>>);

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
            // A text of hexadecimal digits carries 4 bits a byte, a digest 8.
            needles.forms(text, 16, ["raw", "hex", "base64"]);
            needles.forms(&digest, 8, ["SHA-256", "hex of SHA-256", "base64 of SHA-256"]);
            if let Ok(binary) = hex::decode(canary) {
                needles.forms(&binary, 8, ["binary", "hex of binary", "base64 of binary"]);
            }
            if let Ok(number) = canary.parse::<f64>() {
                needles.add(&number.to_be_bytes(), "binary64");
                needles.add(&number.to_le_bytes(), "binary64");
            }
        }
        needles
    }

    /// The first `count` bytes of a canary, raw, reversed, in hex and in base64.
    fn forms(&mut self, bytes: &[u8], count: usize, [raw, hexadecimal, base64]: [&'static str; 3]) {
        let first = &bytes[..count.min(bytes.len())];
        let reversed: Vec<u8> = first.iter().rev().copied().collect();
        self.add(first, raw);
        self.add(&reversed, raw);
        self.add(hex::encode(first).as_bytes(), hexadecimal);
        self.add(hex::encode_upper(first).as_bytes(), hexadecimal);
        // Whole groups of three bytes: what follows does not change them.
        let groups = &bytes[..bytes.len().min(count + 2) / 3 * 3];
        self.add(STANDARD_NO_PAD.encode(groups).as_bytes(), base64);
        self.add(URL_SAFE_NO_PAD.encode(groups).as_bytes(), base64);
    }

    fn add(&mut self, needle: &[u8], form: &'static str) {
        if let Some(prefix) = needle.first_chunk::<PREFIX>() {
            self.0.entry(*prefix).or_default().push(Needle { bytes: needle.to_vec(), form });
        }
    }

    fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        if self.0.is_empty() {
            return None;
        }
        bytes.windows(PREFIX).enumerate().find_map(|(at, window)| {
            let needles = self.0.get(window)?;
            needles.iter().find(|needle| bytes[at..].starts_with(&needle.bytes)).map(|needle| needle.form)
        })
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
        // Half a key in base64, by chance the same as one in a signature, is no leak.
        assert!(seen(&STANDARD_NO_PAD.encode(&key).as_bytes()[..12]).is_none());
    }
}
