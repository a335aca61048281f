//! Mode OPRF of RFC 9497 with ristretto255-SHA512, for sets of keys (spec/oprf.md, section 1).
use crate::{Blinder, ELEMENT_BYTES, Error, Seed};
use curve25519_dalek::Scalar;
use rayon::prelude::*;
use sha2::{Digest, Sha512};
use std::fmt;
use zeroize::Zeroize;

/// Bytes of an output of the function.
pub const OUTPUT_BYTES: usize = 64;
/// `DST` of HashToGroup: "HashToGroup-" and the context string of the mode (RFC 9497, sections 3.1 and 4.1).
const GROUP_TAG: &[u8] = b"HashToGroup-OPRFV1-\x00-ristretto255-SHA512";
/// Outputs that one task makes.
const TASK_OUTPUTS: usize = 1024;
/// The encoded generator (RFC 9496, appendix A.1).
const GENERATOR: [u8; ELEMENT_BYTES] = [
    0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f, 0x58, 0xe3, 0x0b,
    0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
];

/// The evaluation key of one epoch.
///
/// # Security
/// Whoever has it evaluates any key: with a published set that tells every key of the set. Redacted, wiped on drop,
/// fresh for every epoch (OPRF-8).
pub struct OprfKey(Blinder);

impl OprfKey {
    /// Draws a key from a seed.
    pub fn new(seed: &Seed) -> Self {
        OprfKey(Blinder::new(&seed.derive("oprf key", &[])))
    }

    /// The key of a given scalar, 32 bytes least significant first: for test vectors.
    ///
    /// # Errors
    /// `BadElement` where it is zero or not below the group's order.
    pub fn dangerous_from_scalar(scalar: &[u8; 32]) -> Result<Self, Error> {
        Blinder::dangerous_from_scalar(scalar).map(OprfKey)
    }

    /// The public element, key times generator.
    ///
    /// # Errors
    /// None with a group that works.
    pub fn public(&self) -> Result<[u8; ELEMENT_BYTES], Error> {
        self.0.blind(&GENERATOR)?.pop().ok_or(Error::BadElement)
    }

    /// The function of own inputs, in order; each has at most 65,535 bytes (RFC 9497, Evaluate).
    pub fn evaluate<K: AsRef<[u8]> + Sync>(&self, inputs: &[K]) -> Vec<[u8; OUTPUT_BYTES]> {
        outputs(inputs, &self.0.hash_and_blind(GROUP_TAG, inputs))
    }

    /// A peer's blinded elements times the key, in order; `elements` holds 32 bytes each (RFC 9497, BlindEvaluate).
    ///
    /// # Errors
    /// `BadElement` where one is not canonical or is the identity.
    pub fn blind_evaluate(&self, elements: &[u8]) -> Result<Vec<[u8; ELEMENT_BYTES]>, Error> {
        self.0.blind(elements)
    }
}

impl fmt::Debug for OprfKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OprfKey(…)")
    }
}

/// A client's blind: the secret scalar and its inverse.
///
/// # Security
/// Redacted, wiped on drop, fresh for every session and collaborator (OPRF-9). One blind for all inputs of a session
/// hides them under decisional Diffie-Hellman, as alignment's own scalar does.
pub struct OprfBlind {
    blinder: Blinder,
    inverse: Blinder,
}

impl OprfBlind {
    /// Draws a blind from a seed.
    ///
    /// # Errors
    /// None: what is drawn is a valid scalar.
    pub fn new(seed: &Seed) -> Result<Self, Error> {
        let mut wide = seed.bytes64("oprf blind", &[]);
        let drawn = Scalar::from_bytes_mod_order_wide(&wide);
        wide.zeroize();
        // Zero has probability 2^-252; one then stands in its place, and is its own inverse.
        Self::of(if drawn == Scalar::ZERO { Scalar::ONE } else { drawn })
    }

    /// The blind of a given scalar, 32 bytes least significant first: for test vectors.
    ///
    /// # Errors
    /// `BadElement` where it is zero or not below the group's order.
    pub fn dangerous_from_scalar(scalar: &[u8; 32]) -> Result<Self, Error> {
        let scalar = Option::<Scalar>::from(Scalar::from_canonical_bytes(*scalar)).filter(|s| *s != Scalar::ZERO);
        Self::of(scalar.ok_or(Error::BadElement)?)
    }

    fn of(mut scalar: Scalar) -> Result<Self, Error> {
        let (mut bytes, mut inverse) = (scalar.to_bytes(), scalar.invert().to_bytes());
        let blind = Blinder::dangerous_from_scalar(&bytes)
            .and_then(|blinder| Ok(OprfBlind { blinder, inverse: Blinder::dangerous_from_scalar(&inverse)? }));
        scalar.zeroize();
        bytes.zeroize();
        inverse.zeroize();
        blind
    }

    /// Blinded inputs, in order (RFC 9497, Blind).
    pub fn blind<K: AsRef<[u8]> + Sync>(&self, inputs: &[K]) -> Vec<[u8; ELEMENT_BYTES]> {
        self.blinder.hash_and_blind(GROUP_TAG, inputs)
    }

    /// The function of the inputs whose evaluations these are, in order; `evaluations` holds 32 bytes each (RFC 9497,
    /// Finalize).
    ///
    /// # Errors
    /// `BadElement` where one is not canonical or is the identity (OPRF-1), or their number is not that of the inputs.
    pub fn finalize<K: AsRef<[u8]> + Sync>(
        &self,
        inputs: &[K],
        evaluations: &[u8],
    ) -> Result<Vec<[u8; OUTPUT_BYTES]>, Error> {
        let unblinded = self.inverse.blind(evaluations)?;
        if unblinded.len() != inputs.len() {
            return Err(Error::BadElement);
        }
        Ok(outputs(inputs, &unblinded))
    }
}

impl fmt::Debug for OprfBlind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OprfBlind(…)")
    }
}

/// An error where an element of a peer is not canonical or is the identity (OPRF-1).
///
/// # Errors
/// `BadElement`.
pub fn check_element(element: &[u8; ELEMENT_BYTES]) -> Result<(), Error> {
    let mut one = [0; 32];
    one[0] = 1;
    Blinder::dangerous_from_scalar(&one)?.blind(element).map(drop)
}

fn outputs<K: AsRef<[u8]> + Sync>(inputs: &[K], elements: &[[u8; ELEMENT_BYTES]]) -> Vec<[u8; OUTPUT_BYTES]> {
    let pairs = inputs.par_iter().zip(elements).with_min_len(TASK_OUTPUTS);
    pairs.map(|(input, element)| output(input.as_ref(), element)).collect()
}

fn output(input: &[u8], element: &[u8; ELEMENT_BYTES]) -> [u8; OUTPUT_BYTES] {
    let length = u16::try_from(input.len()).unwrap_or(u16::MAX);
    let hash = Sha512::new().chain_update(length.to_be_bytes()).chain_update(input);
    let hash = hash.chain_update((ELEMENT_BYTES as u16).to_be_bytes()).chain_update(element);
    hash.chain_update(b"Finalize").finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        let digits: Vec<u8> = text.bytes().map(|b| (b as char).to_digit(16).unwrap() as u8).collect();
        let all: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        all.try_into().unwrap()
    }

    /// RFC 9497, appendix A.1.1: skSm, Blind, then (Input, BlindedElement, EvaluationElement, Output).
    const SECRET: &str = "5ebcea5ee37023ccb9fc2d2019f9d7737be85591ae8652ffa9ef0f4d37063b0e";
    const BLIND: &str = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706";
    const CASES: [(&[u8], &str, &str, &str); 2] = [
        (
            &[0],
            "609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c",
            "7ec6578ae5120958eb2db1745758ff379e77cb64fe77b0b2d8cc917ea0869c7e",
            "527759c3d9366f277d8c6020418d96bb393ba2afb20ff90df23fb7708264e2f3\
             ab9135e3bd69955851de4b1f9fe8a0973396719b7912ba9ee8aa7d0b5e24bcf6",
        ),
        (
            &[0x5a; 17],
            "da27ef466870f5f15296299850aa088629945a17d1f5b7f5ff043f76b3c06418",
            "b4cbf5a4f1eeda5a63ce7b77c7d23f461db3fcab0dd28e4e17cecb5c90d02c25",
            "f4a74c9c592497375e796aa837e907b1a045d34306a749db9f34221f7e750cb4\
             f2a6413a6bf6fa5e19ba6348eb673934a722a7ede2e7621306d18951e7cf2c73",
        ),
    ];

    #[test]
    fn the_vectors_of_the_rfc() {
        let key = OprfKey::dangerous_from_scalar(&bytes(SECRET)).unwrap();
        let blind = OprfBlind::dangerous_from_scalar(&bytes(BLIND)).unwrap();
        for (input, blinded, evaluation, output) in CASES {
            assert_eq!(blind.blind(&[input]), [bytes::<32>(blinded)]);
            assert_eq!(key.blind_evaluate(&bytes::<32>(blinded)), Ok(vec![bytes::<32>(evaluation)]));
            assert_eq!(blind.finalize(&[input], &bytes::<32>(evaluation)), Ok(vec![bytes::<64>(output)]));
            assert_eq!(key.evaluate(&[input]), [bytes::<64>(output)]);
        }
        // Appendix A.1.2 has the public element of another key.
        let other = bytes("e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909");
        let public = bytes("c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e");
        assert_eq!(OprfKey::dangerous_from_scalar(&other).unwrap().public(), Ok(public));
    }

    #[test]
    fn both_ways_to_the_output_meet_at_every_size() {
        let key = OprfKey::new(&Seed::new([1; 32]));
        let blind = OprfBlind::new(&Seed::new([2; 32])).unwrap();
        for count in [0usize, 1, 7, 256, 1025] {
            let inputs: Vec<String> = (0..count).map(|i| format!("key {i}")).collect();
            let evaluations = key.blind_evaluate(&blind.blind(&inputs).concat()).unwrap().concat();
            assert_eq!(blind.finalize(&inputs, &evaluations).unwrap(), key.evaluate(&inputs));
        }
        assert_ne!(OprfKey::new(&Seed::new([3; 32])).evaluate(&["key"]), key.evaluate(&["key"]));
    }

    // clause: OPRF-1
    #[test]
    fn invalid_elements_are_refused() {
        let (key, blind) = (OprfKey::new(&Seed::new([1; 32])), OprfBlind::new(&Seed::new([2; 32])).unwrap());
        let public = key.public().unwrap();
        assert_eq!(check_element(&public), Ok(()));
        for wrong in [[0; 32], [0xff; 32]] {
            assert_eq!(key.blind_evaluate(&wrong), Err(Error::BadElement));
            assert_eq!(blind.finalize(&["x"], &wrong), Err(Error::BadElement));
            assert_eq!(check_element(&wrong), Err(Error::BadElement));
        }
        assert_eq!(blind.finalize(&["x", "y"], &public), Err(Error::BadElement), "one is missing");
        assert!(OprfBlind::dangerous_from_scalar(&[0; 32]).is_err());
        assert!(OprfKey::dangerous_from_scalar(&[0xff; 32]).is_err());
        assert_eq!(format!("{key:?} {blind:?}"), "OprfKey(…) OprfBlind(…)");
    }
}
