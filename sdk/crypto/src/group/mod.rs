//! ristretto255 (RFC 9496) for alignment: hash to group, blinding, in parallel batches.
mod expand;
mod points;

use crate::{Backend, Error, Seed};
use curve25519_dalek::{RistrettoPoint, Scalar};
use expand::Expander;
pub use points::{ELEMENT_BYTES, Points, Products};
use rayon::prelude::*;
use std::fmt;
use zeroize::Zeroize;

/// Elements that one task works on: enough to make the shared inversion of the encoding cheap.
const TASK_ELEMENTS: usize = 256;

/// `ristretto255_XMD:SHA-512_R255MAP_RO_` (RFC 9380, appendix B) of one message; `tag` has at most 255 bytes.
pub fn hash_to_group(tag: &[u8], message: &[u8]) -> [u8; ELEMENT_BYTES] {
    RistrettoPoint::from_uniform_bytes(&Expander::new(tag).expand(message)).compress().to_bytes()
}

/// A party's secret scalar for one alignment.
///
/// # Security
/// Multiplication is constant time. Redacted, wiped on drop, fresh for every session and collaborator (ALIGN-5).
pub struct Blinder {
    /// Half of the scalar: results are doubled while they are encoded, which shares one inversion a batch.
    half: Scalar,
    backend: Backend,
}

impl Blinder {
    /// Draws the scalar from a seed.
    pub fn new(seed: &Seed) -> Self {
        let mut wide = seed.bytes64("blinder", &[]);
        let scalar = Scalar::from_bytes_mod_order_wide(&wide);
        wide.zeroize();
        // Zero has probability 2^-252; one then stands in its place.
        Self::of(if scalar == Scalar::ZERO { Scalar::ONE } else { scalar })
    }

    /// The blinder of a given scalar, 32 bytes least significant first: for test vectors. A session draws its own
    /// (ALIGN-5).
    ///
    /// # Errors
    /// `BadElement` where it is zero or not below the group's order.
    pub fn dangerous_from_scalar(scalar: &[u8; 32]) -> Result<Self, Error> {
        let scalar = Option::<Scalar>::from(Scalar::from_canonical_bytes(*scalar)).filter(|s| *s != Scalar::ZERO);
        scalar.map(Self::of).ok_or(Error::BadElement)
    }

    fn of(scalar: Scalar) -> Self {
        Blinder { half: scalar * Scalar::from(2u8).invert(), backend: Backend::detect() }
    }

    /// The same blinder with another backend than the fastest: for tests and measurements.
    pub fn with_backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Blinded hashes of keys: `scalar · HashToGroup(key)`, in order.
    pub fn hash_and_blind<K: AsRef<[u8]> + Sync>(&self, tag: &[u8], keys: &[K]) -> Vec<[u8; ELEMENT_BYTES]> {
        let tasks = keys.par_chunks(TASK_ELEMENTS);
        tasks.flat_map_iter(|keys| Points::hash(self.backend, tag, keys).times(self).encode()).collect()
    }

    /// A peer's elements times the scalar, in order; `elements` holds 32 bytes each.
    ///
    /// # Errors
    /// `BadElement` where one is not canonical or is the identity (ALIGN-1, ALIGN-2).
    pub fn blind(&self, elements: &[u8]) -> Result<Vec<[u8; ELEMENT_BYTES]>, Error> {
        let (elements, []) = elements.as_chunks::<ELEMENT_BYTES>() else { return Err(Error::BadElement) };
        let tasks = elements.par_chunks(TASK_ELEMENTS);
        let products: Result<Vec<Vec<_>>, Error> =
            tasks.map(|elements| Ok(Points::decode(self.backend, elements)?.times(self).encode())).collect();
        products.map(|products| products.concat())
    }
}

impl Drop for Blinder {
    fn drop(&mut self) {
        self.half.zeroize();
    }
}

impl fmt::Debug for Blinder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinder(…)")
    }
}

#[cfg(test)]
#[path = "../../tests/vectors/group.rs"]
mod vectors;

#[cfg(test)]
#[path = "../../tests/vectors/rfc9496.rs"]
mod rfc9496;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blinding_commutes_at_every_size() {
        let (a, b) = (Blinder::new(&Seed::new([1; 32])), Blinder::new(&Seed::new([2; 32])));
        for count in [0usize, 1, 255, 256, 257, 1000] {
            let keys: Vec<String> = (0..count).map(|i| format!("key {i}")).collect();
            let ab = b.blind(&a.hash_and_blind(b"tag", &keys).concat()).unwrap();
            let ba = a.blind(&b.hash_and_blind(b"tag", &keys).concat()).unwrap();
            assert_eq!(ab.len(), count);
            assert_eq!(ab, ba);
        }
    }

    #[test]
    fn invalid_elements_are_refused() {
        let blinder = Blinder::new(&Seed::new([1; 32]));
        let good = hash_to_group(b"tag", b"key");
        assert!(blinder.blind(&good).is_ok());
        assert_eq!(blinder.blind(&[0; 32]), Err(Error::BadElement), "identity");
        assert_eq!(blinder.blind(&[0xff; 32]), Err(Error::BadElement), "not canonical");
        assert_eq!(blinder.blind(&good[..31]), Err(Error::BadElement), "length");
        let mut negative = [0; 32];
        negative[0] = 1;
        assert_eq!(blinder.blind(&negative), Err(Error::BadElement), "negative field element (RFC 9496, A.2)");
    }
}
