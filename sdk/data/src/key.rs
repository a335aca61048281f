//! Keys and the split (spec/align.md, sections 1 and 3).
use hefu_core::normalise_uscc;
use sha2::{Digest, Sha256};

/// Bytes of a key at most.
const MAX_BYTES: usize = 128;

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyFormat {
    /// Any text.
    #[default]
    Text,
    /// A unified social credit code: full width to half width, upper case, check character verified.
    Uscc,
}

/// The key in its normal form; `None` where it is invalid: empty, over 128 bytes, or a failed check character.
pub fn normalise_key(text: &str, format: KeyFormat) -> Option<String> {
    let key = match format {
        KeyFormat::Text => text.trim().to_owned(),
        KeyFormat::Uscc => normalise_uscc(text)?,
    };
    (1..=MAX_BYTES).contains(&key.len()).then_some(key)
}

/// Whether split `sha256-mod10-3` puts the row of a normal-form key into the test set.
pub fn is_test_row(key: &str) -> bool {
    let digest = Sha256::digest(key.as_bytes());
    let head = digest.iter().take(8).fold(0u64, |v, b| v << 8 | u64::from(*b));
    head % 10 < 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keys() {
        assert_eq!(normalise_key("  aB ", KeyFormat::Text), Some("aB".to_owned()));
        assert_eq!(normalise_key(" \u{3000} ", KeyFormat::Text), None);
        assert_eq!(normalise_key(&"x".repeat(128), KeyFormat::Text).map(|k| k.len()), Some(128));
        assert_eq!(normalise_key(&"x".repeat(129), KeyFormat::Text), None);
    }

    #[test]
    fn enterprise_codes() {
        let good = Some("91440300YY00001320".to_owned());
        assert_eq!(normalise_key("91440300yy00001320", KeyFormat::Uscc), good);
        assert_eq!(normalise_key("\u{ff19}1440300\u{ff39}Y00001320", KeyFormat::Uscc), good);
        assert_eq!(normalise_key("91440300YY00001321", KeyFormat::Uscc), None);
    }

    /// Split made with Python's hashlib: `int.from_bytes(sha256(key).digest()[:8], "big") % 10 < 3`.
    #[test]
    fn split_of_known_keys() {
        let keys: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        let test: Vec<usize> = (0..20).filter(|i| is_test_row(&keys[*i])).collect();
        assert_eq!(test, EXPECTED);
    }

    const EXPECTED: &[usize] = &[0, 7, 9, 10, 12, 14, 15, 16, 17];
}
