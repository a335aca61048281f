//! Key streams added to and taken from long vectors modulo 2^64 (spec/aggregate.md, section 5).
use crate::Stream;
use rayon::prelude::*;
use std::fmt;
use zeroize::Zeroizing;

/// Words that one task takes.
const TASK_WORDS: usize = 1 << 16;
/// Words that stay in the first-level cache while every stream passes over them.
const CACHE_WORDS: usize = 1 << 11;

/// How a mask enters a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Added.
    Plus,
    /// Taken away.
    Minus,
}

/// Keys of the masks of one vector, each with its sign.
///
/// # Security
/// Redacted, wiped on drop. A key serves one vector (CONV-3).
#[derive(Default)]
pub struct Masks(Vec<(Zeroizing<[u8; 16]>, Sign)>);

impl Masks {
    /// None.
    pub fn new() -> Self {
        Masks::default()
    }

    /// One more.
    pub fn push(&mut self, key: Zeroizing<[u8; 16]>, sign: Sign) {
        self.0.push((key, sign));
    }

    /// Their number.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds every stream, by its sign, to the vector: word i of a stream to value i, modulo 2^64.
    ///
    /// In place, on all cores, a part that fits the cache at a time; no mask is ever whole in memory.
    pub fn apply(&self, values: &mut [u64]) {
        if values.len() <= TASK_WORDS {
            return self.apply_from(0, values);
        }
        let tasks = values.par_chunks_mut(TASK_WORDS).enumerate();
        tasks.for_each(|(task, values)| self.apply_from((task * TASK_WORDS) as u64, values));
    }

    /// The same for the values from word `first` on.
    fn apply_from(&self, first: u64, values: &mut [u64]) {
        let mut streams: Vec<(Stream, Sign)> =
            self.0.iter().map(|(key, sign)| (Stream::at_word(**key, first), *sign)).collect();
        for part in values.chunks_mut(CACHE_WORDS) {
            for (stream, sign) in &mut streams {
                match sign {
                    Sign::Plus => stream.add_to(part),
                    Sign::Minus => stream.take_from(part),
                }
            }
        }
    }
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masks({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Zeroizing<[u8; 16]> {
        Zeroizing::new([byte; 16])
    }

    #[test]
    fn every_word_has_its_own_of_each_stream() {
        for length in [0, 1, 5, CACHE_WORDS, CACHE_WORDS + 3, TASK_WORDS, 2 * TASK_WORDS + 7] {
            let mut masks = Masks::new();
            masks.push(key(1), Sign::Plus);
            masks.push(key(2), Sign::Minus);
            let mut values: Vec<u64> = (0..length as u64).collect();
            masks.apply(&mut values);
            let (mut plus, mut minus) = (Stream::new([1; 16]), Stream::new([2; 16]));
            for (i, value) in (0u64..).zip(values) {
                assert_eq!(value, i.wrapping_add(plus.u64()).wrapping_sub(minus.u64()), "word {i} of {length}");
            }
        }
    }

    #[test]
    fn a_mask_taken_away_again_leaves_the_values() {
        let values: Vec<u64> = (0..100_000).collect();
        let mut masked = values.clone();
        for sign in [Sign::Minus, Sign::Plus] {
            let mut masks = Masks::new();
            masks.push(key(3), sign);
            masks.apply(&mut masked);
            assert_eq!(masked == values, sign == Sign::Plus);
        }
    }
}
