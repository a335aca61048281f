//! `Stream(key)`: the AES-128 counter-mode key stream of spec/conventions.md, section 2.
use cipher::{BlockCipherEncrypt, KeyInit};
use std::fmt;
use zeroize::Zeroize;

/// Bytes of a cipher block.
const BLOCK: usize = 16;

/// Blocks that are encrypted at a time: enough for the widest vector unit, and within the first-level cache.
const BATCH: usize = 256;

/// A pseudo-random stream of bytes and little-endian words.
///
/// # Security
/// Wiped on drop. A key serves one purpose (CONV-3).
pub struct Stream {
    cipher: aes::Aes128,
    /// The number of the next block.
    counter: u128,
    /// The last block, of which the bytes from `used` on are still to be read.
    rest: [u8; BLOCK],
    used: usize,
}

impl Stream {
    /// The stream of a 16-byte key, from its first byte.
    pub fn new(key: [u8; 16]) -> Self {
        Stream { cipher: aes::Aes128::new(&key.into()), counter: 0, rest: [0; BLOCK], used: BLOCK }
    }

    /// The stream of a key from its `word`th `u64le` value on; an even number, so that it begins with a block.
    pub fn at_word(key: [u8; 16], word: u64) -> Self {
        debug_assert!(word.is_multiple_of(2));
        let mut stream = Stream::new(key);
        stream.counter = u128::from(word / 2);
        stream
    }

    /// The next bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        let (head, out) = out.split_at_mut(out.len().min(BLOCK - self.used));
        let used = self.used + head.len();
        head.copy_from_slice(&self.rest[self.used..used]);
        self.used = used;
        let (whole, tail) = out.split_at_mut(out.len() / BLOCK * BLOCK);
        self.blocks(whole, |out, bytes| out.copy_from_slice(bytes));
        if !tail.is_empty() {
            let mut last = aes::Block::from(self.counter.to_be_bytes());
            self.counter = self.counter.wrapping_add(1);
            self.cipher.encrypt_block(&mut last);
            tail.copy_from_slice(&last[..tail.len()]);
            (self.rest, self.used) = (last.into(), tail.len());
        }
    }

    /// The next `u64le` values.
    pub fn fill_u64(&mut self, out: &mut [u64]) {
        let (pairs, single) = out.split_at_mut(if self.used == BLOCK { out.len() / 2 * 2 } else { 0 });
        self.blocks(pairs, |out, bytes| {
            for (word, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *word = u64::from_le_bytes(*bytes);
            }
        });
        for word in single {
            *word = self.u64();
        }
    }

    /// Adds the next `u64le` values to as many words, modulo 2^64.
    pub fn add_to(&mut self, words: &mut [u64]) {
        self.combine(words, u64::wrapping_add);
    }

    /// Takes the next `u64le` values from as many words, modulo 2^64.
    pub fn take_from(&mut self, words: &mut [u64]) {
        self.combine(words, u64::wrapping_sub);
    }

    #[inline]
    fn combine(&mut self, words: &mut [u64], with: impl Fn(u64, u64) -> u64) {
        let (pairs, single) = words.split_at_mut(if self.used == BLOCK { words.len() / 2 * 2 } else { 0 });
        self.blocks(pairs, |words, bytes| {
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
                *word = with(*word, u64::from_le_bytes(*bytes));
            }
        });
        for word in single {
            *word = with(*word, self.u64());
        }
    }

    /// Whole blocks of the key stream, handed over a batch at a time with its equal part of `out`.
    #[inline]
    fn blocks<T>(&mut self, mut out: &mut [T], write: impl Fn(&mut [T], &[u8])) {
        let share = BLOCK / size_of::<T>();
        let mut batch = [[0u8; BLOCK]; BATCH];
        while !out.is_empty() {
            // within an aligned batch only the last byte of the counter changes
            let first = (self.counter % BATCH as u128) as usize;
            let count = (out.len() / share).min(BATCH - first);
            let mut next = u128::from_le_bytes(self.counter.to_be_bytes());
            let blocks = &mut batch[..count];
            for block in blocks.iter_mut() {
                *block = next.to_le_bytes();
                next = next.wrapping_add(1 << 120);
            }
            self.counter = self.counter.wrapping_add(count as u128);
            self.cipher.encrypt_blocks(aes::Block::cast_slice_from_core_mut(blocks));
            let part = out.split_off_mut(..count * share).unwrap_or_default();
            write(part, blocks.as_flattened());
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

impl Drop for Stream {
    fn drop(&mut self) {
        self.rest.zeroize();
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
    fn pieces_of_any_size_are_the_stream() {
        let mut whole = [0; 9000];
        Stream::new([4; 16]).fill(&mut whole);
        // counter mode, block by block
        let cipher = aes::Aes128::new(&[4; 16].into());
        for (i, block) in whole.chunks(BLOCK).enumerate() {
            let mut expected = aes::Block::from((i as u128).to_be_bytes());
            cipher.encrypt_block(&mut expected);
            assert_eq!(block, &expected[..block.len()]);
        }
        let mut stream = Stream::new([4; 16]);
        let mut at = 0;
        for (i, size) in [1, 15, 16, 17, 0, 3, 4096, 5, 31, 24, 8, 2000].into_iter().enumerate() {
            let mut part = vec![0; size];
            if i % 2 == 1 && size % 8 == 0 {
                let mut words = vec![0; size / 8];
                stream.fill_u64(&mut words);
                part = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            } else {
                stream.fill(&mut part);
            }
            assert_eq!(part, whole[at..at + size], "piece {i}");
            at += size;
        }
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
