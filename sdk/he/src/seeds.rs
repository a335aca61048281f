//! Seeds that came before.
use crate::{Error, SEED_BYTES};
use hefu_core::fault::{Switch, is_on};
use std::collections::HashSet;

/// The encryption seeds that a receiver has seen under one key (RLWE-6).
#[derive(Debug, Default)]
pub struct SeenSeeds(HashSet<[u8; SEED_BYTES]>);

impl SeenSeeds {
    /// Notes the seed of a ciphertext from the wire.
    ///
    /// # Errors
    /// [`Error::DuplicateSeed`]; [`Error::WrongLength`] where there is no seed.
    pub fn admit(&mut self, ciphertext: &[u8]) -> Result<(), Error> {
        let found = ciphertext.len();
        let seed = ciphertext.first_chunk().ok_or(Error::WrongLength { expected: SEED_BYTES, found })?;
        if self.0.insert(*seed) || is_on(Switch::ForgetsSeeds) { Ok(()) } else { Err(Error::DuplicateSeed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // clause: RLWE-6
    #[test]
    fn a_seed_comes_once() {
        let mut seen = SeenSeeds::default();
        assert_eq!(seen.admit(&[1; 20]), Ok(()));
        assert_eq!(seen.admit(&[2; 20]), Ok(()));
        assert_eq!(seen.admit(&[1; 16]), Err(Error::DuplicateSeed));
        assert_eq!(seen.admit(&[1; 3]), Err(Error::WrongLength { expected: 16, found: 3 }));
    }
}
