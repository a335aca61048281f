//! `Stream(key)`: the AES-128 counter-mode key stream of spec/conventions.md, section 2.
use cipher::{KeyIvInit, StreamCipher};
use std::fmt;

/// A pseudo-random stream of bytes and little-endian words.
///
/// # Security
/// Wiped on drop by the cipher crate. A key serves one purpose (CONV-3).
pub struct Stream(ctr::Ctr128BE<aes::Aes128>);

impl Stream {
    /// The stream of a 16-byte key, from its first byte.
    pub fn new(key: [u8; 16]) -> Self {
        Stream(ctr::Ctr128BE::new(&key.into(), &[0; 16].into()))
    }

    /// The next bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        out.fill(0);
        self.0.apply_keystream(out);
    }

    /// The next `u64le` values.
    pub fn fill_u64(&mut self, out: &mut [u64]) {
        let mut bytes = [0; 4096];
        for words in out.chunks_mut(bytes.len() / 8) {
            let bytes = &mut bytes[..8 * words.len()];
            self.fill(bytes);
            for (word, b) in words.iter_mut().zip(bytes.chunks_exact(8)) {
                *word = u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
            }
        }
    }

    /// The next `u64le` value.
    pub fn u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A uniform integer below `bound`, by rejection; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let mask = u64::MAX.checked_shr(bound.saturating_sub(1).leading_zeros()).unwrap_or(0);
        loop {
            let value = self.u64() & mask;
            if value < bound || bound == 0 {
                return value;
            }
        }
    }

    /// A uniform permutation of 0 … `count` − 1 (Fisher–Yates).
    pub fn permutation(&mut self, count: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count).collect();
        for i in (1..order.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            order.swap(i, j);
        }
        order
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_mode_of_zero() {
        // AES-128 of the zero block under the zero key: a known answer of FIPS 197's validation set.
        let mut out = [0; 16];
        Stream::new([0; 16]).fill(&mut out);
        assert_eq!(hex::encode(out), "66e94bd4ef8a2c3b884cfa59ca342b2e");
    }

    #[test]
    fn words_are_the_bytes() {
        let mut bytes = [0; 8000];
        Stream::new([3; 16]).fill(&mut bytes);
        let mut words = [0; 1000];
        Stream::new([3; 16]).fill_u64(&mut words);
        assert!(words.iter().zip(bytes.chunks(8)).all(|(w, b)| w.to_le_bytes() == b));
    }

    #[test]
    fn permutation_is_one() {
        let mut order = Stream::new([5; 16]).permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
        assert!(Stream::new([5; 16]).permutation(0).is_empty());
    }
}
