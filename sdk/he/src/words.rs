//! Aligned memory that is wiped.
use crate::N;
use std::fmt;
use std::ops::{Deref, DerefMut};
use zeroize::Zeroize;

/// Words aligned to a cache line; wiped on drop, since most hold secrets at some time.
pub(crate) struct Words {
    memory: Vec<u64>,
    start: usize,
    len: usize,
}

impl Words {
    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Words {
        let memory = vec![0u64; len + 7];
        let start = memory.as_ptr().align_offset(64).min(7);
        Words { memory, start, len }
    }

    /// One polynomial modulo one prime.
    pub(crate) fn polynomial() -> Words {
        Words::zeros(N)
    }
}

impl Deref for Words {
    type Target = [u64];
    fn deref(&self) -> &[u64] {
        &self.memory[self.start..self.start + self.len]
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        self.memory.zeroize();
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(…)")
    }
}
