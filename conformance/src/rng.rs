//! The suite's randomness: one stream per purpose, fixed by the run's seed, so that a run can be repeated.

use aes::Aes128;
use cipher::{KeyIvInit, StreamCipher};
use sha2::{Digest, Sha256};

/// A pseudo-random stream, AES-128 in counter mode under a key hashed from seed and purpose.
pub struct Rng(ctr::Ctr128BE<Aes128>);

impl Rng {
    /// The stream of `purpose` under `seed`; two purposes never share one.
    pub fn new(seed: &str, purpose: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update((seed.len() as u64).to_be_bytes());
        hash.update(seed.as_bytes());
        hash.update(purpose.as_bytes());
        let key: [u8; 32] = hash.finalize().into();
        let mut short = [0u8; 16];
        short.copy_from_slice(&key[..16]);
        Rng(ctr::Ctr128BE::new(&short.into(), &[0u8; 16].into()))
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0u8; N];
        self.0.apply_keystream(&mut out);
        out
    }

    /// A number below `n` (which is at least 1); the bias is below 2^-40 for n below 2^24.
    pub fn below(&mut self, n: usize) -> usize {
        (u64::from_be_bytes(self.bytes()) % n.max(1) as u64) as usize
    }

    /// Puts `items` in a fresh random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
