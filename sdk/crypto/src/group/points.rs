//! Batches of group elements in the representation of a backend.
use super::Blinder;
use super::expand::Expander;
#[cfg(target_arch = "x86_64")]
use crate::kernel::{self, Digits, Found};
use crate::{Backend, Error};
use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::ristretto::CompressedRistretto;
use hefu_core::fault::{Switch, is_on};
use zeroize::Zeroize;

/// Bytes of an encoded element.
pub const ELEMENT_BYTES: usize = 32;
/// The encoding of the identity.
const IDENTITY: [u8; ELEMENT_BYTES] = [0; ELEMENT_BYTES];

/// Elements of a batch.
pub struct Points(Kept);

enum Kept {
    Portable(Vec<RistrettoPoint>),
    #[cfg(target_arch = "x86_64")]
    Ifma(Found, kernel::Points),
}

/// Elements of a batch after multiplication. What is kept is half of each: encoding a double needs no square root, only
/// an inversion that the batch shares.
pub struct Products(Halves);

enum Halves {
    Portable(Vec<RistrettoPoint>),
    #[cfg(target_arch = "x86_64")]
    Ifma(Found, kernel::Halves),
}

impl Points {
    /// Hashes messages to the group; `tag` has at most 255 bytes.
    pub fn hash<K: AsRef<[u8]>>(backend: Backend, tag: &[u8], messages: &[K]) -> Points {
        let expander = Expander::new(tag);
        let uniform: Vec<[u8; 64]> = messages.iter().map(|message| expander.expand(message.as_ref())).collect();
        Self::map(backend, &uniform)
    }

    /// The one-way map (RFC 9496, section 4.3.4) of 64 uniform bytes each.
    pub fn map(backend: Backend, uniform: &[[u8; 64]]) -> Points {
        match backend {
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma if let Some(found) = Found::detect() => Points(Kept::Ifma(found, found.map(uniform))),
            _ => Points(Kept::Portable(uniform.iter().map(RistrettoPoint::from_uniform_bytes).collect())),
        }
    }

    /// Decodes elements.
    ///
    /// # Errors
    /// `BadElement` where one is not canonical or is the identity (ALIGN-1, ALIGN-2).
    pub fn decode(backend: Backend, elements: &[[u8; ELEMENT_BYTES]]) -> Result<Points, Error> {
        if elements.contains(&IDENTITY) && !is_on(Switch::AcceptsIdentity) {
            return Err(Error::BadElement);
        }
        match backend {
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma if let Some(found) = Found::detect() => {
                found.decode(elements).map(|points| Points(Kept::Ifma(found, points))).ok_or(Error::BadElement)
            }
            _ => {
                let points = elements.iter().map(|element| CompressedRistretto(*element).decompress());
                points.collect::<Option<_>>().map(|points| Points(Kept::Portable(points))).ok_or(Error::BadElement)
            }
        }
    }

    /// Every element times the blinder's scalar.
    ///
    /// # Security
    /// Constant time in the scalar and the elements.
    pub fn times(&self, blinder: &Blinder) -> Products {
        match &self.0 {
            Kept::Portable(points) => {
                Products(Halves::Portable(points.iter().map(|point| point * blinder.half).collect()))
            }
            #[cfg(target_arch = "x86_64")]
            Kept::Ifma(found, points) => {
                let mut bytes = blinder.half.to_bytes();
                let digits = Digits::new(&bytes);
                bytes.zeroize();
                Products(Halves::Ifma(*found, found.multiply(points, &digits)))
            }
        }
    }
}

impl Products {
    /// The encodings, in order.
    pub fn encode(&self) -> Vec<[u8; ELEMENT_BYTES]> {
        match &self.0 {
            Halves::Portable(halves) => {
                RistrettoPoint::double_and_compress_batch(halves).into_iter().map(|c| c.to_bytes()).collect()
            }
            #[cfg(target_arch = "x86_64")]
            Halves::Ifma(found, halves) => found.encode(halves),
        }
    }
}
