//! SHA-256 and HKDF (spec/conventions.md, section 2).
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

/// SHA-256 of the concatenation of `parts` (FIPS 180-4).
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// HKDF-Extract with SHA-256 (RFC 5869).
pub fn extract(salt: &[u8], input: &[u8]) -> [u8; 32] {
    Hkdf::<Sha256>::extract(Some(salt), input).0.into()
}

/// HKDF-Expand with SHA-256 (RFC 5869) of the concatenation of `info` parts.
///
/// `N` is at most 255 · 32 bytes; all callers ask for 64 or fewer.
pub fn expand<const N: usize>(key: &[u8; 32], info: &[&[u8]]) -> [u8; N] {
    const { assert!(N <= 255 * 32) };
    let mut out = [0; N];
    if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(key) {
        // Cannot fail: the key is 32 bytes and N is within the bound above.
        let _ = hkdf.expand_multi_info(info, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_5869_case_1() {
        let prk = extract(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], &[0x0b; 22]);
        assert_eq!(hex::encode(prk), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
        let okm: [u8; 42] = expand(&prk, &[&[0xf0, 0xf1, 0xf2, 0xf3], &[0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9]]);
        assert_eq!(
            hex::encode(okm),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }
}
