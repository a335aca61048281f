//! Secrets of aggregation: shares modulo ℓ, their commitments, seals and signatures, masks (aggregate section 5).

use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Signer, SigningKey};
use hkdf::Hkdf;
use sha2::Sha256;

use super::aggregate::Entry;
use super::{frame, group, h};

/// Kind of a self-mask in commitments and UNMASK.
pub const SELF_MASK: u8 = 1;
/// Kind of a mask key.
pub const MASK: u8 = 2;

/// What one party draws for a round: both polynomials, the secret first.
#[derive(Clone)]
pub struct Deal {
    rank: u16,
    self_mask: Vec<Scalar>,
    mask: Vec<Scalar>,
}

impl Deal {
    /// From the coefficients of both polynomials.
    pub fn new(rank: u16, self_mask: Vec<Scalar>, mask: Vec<Scalar>) -> Deal {
        Deal { rank, self_mask, mask }
    }

    /// The shares of a rank: of the self-mask, of the mask key.
    pub fn shares(&self, rank: u16) -> [[u8; 32]; 2] {
        let at = Scalar::from(u64::from(rank) + 1);
        let value = |polynomial: &[Scalar]| polynomial.iter().rev().fold(Scalar::ZERO, |sum, c| sum * at + c);
        [value(&self.self_mask).to_bytes(), value(&self.mask).to_bytes()]
    }

    /// C of SHARES.
    pub fn commitment(&self, transcript: &[u8; 32]) -> [u8; 32] {
        let seed = self.self_mask.first().map(Scalar::to_bytes).unwrap_or_default();
        self_mask_commitment(transcript, self.rank, &seed)
    }

    /// What this party deals a rank under the key that both have.
    pub fn entry(&self, transcript: &[u8; 32], to: u16, share_key: &[u8; 32], signing: &SigningKey) -> Entry {
        entry((self.rank, to), transcript, &self.shares(to), share_key, signing)
    }
}

/// An entry of SHARES for the second of `ranks` from the first.
pub fn entry(
    ranks: (u16, u16),
    transcript: &[u8; 32],
    shares: &[[u8; 32]; 2],
    share_key: &[u8; 32],
    signing: &SigningKey,
) -> Entry {
    let mut out = Entry {
        rank: ranks.1,
        sealed: frame::seal(share_key, &[], 0, &shares.concat()).try_into().unwrap_or([0; 80]),
        self_mask: commitment(SELF_MASK, ranks, &shares[0]),
        mask: commitment(MASK, ranks, &shares[1]),
        signature: [0; 64],
    };
    sign(&mut out, ranks, transcript, signing);
    out
}

/// Signs an entry from the first of `ranks` for the second as it stands.
pub fn sign(entry: &mut Entry, ranks: (u16, u16), transcript: &[u8; 32], signing: &SigningKey) {
    entry.signature = signing.sign(&statement(entry, ranks, transcript)).to_bytes();
}

/// What the dealer, the first of `ranks`, signs of an entry.
pub fn statement(entry: &Entry, (from, to): (u16, u16), transcript: &[u8; 32]) -> Vec<u8> {
    [
        b"hefu/1 share signature".as_slice(),
        transcript,
        &from.to_be_bytes(),
        &to.to_be_bytes(),
        &entry.sealed,
        &entry.self_mask,
        &entry.mask,
    ]
    .concat()
}

/// Opens an entry: both shares.
pub fn open(entry: &Entry, share_key: &[u8; 32]) -> Option<[[u8; 32]; 2]> {
    let both = frame::open(share_key, &[], 0, &entry.sealed)?;
    Some([both.get(..32)?.try_into().ok()?, both.get(32..)?.try_into().ok()?])
}

/// B or S of the share that the first of `ranks` deals the second.
pub fn commitment(kind: u8, (from, to): (u16, u16), share: &[u8; 32]) -> [u8; 32] {
    h(&[b"hefu/1 share commitment", &[kind], &from.to_be_bytes(), &to.to_be_bytes(), share])
}

/// C of a rank's self-mask seed.
pub fn self_mask_commitment(transcript: &[u8; 32], rank: u16, seed: &[u8; 32]) -> [u8; 32] {
    h(&[b"hefu/1 self-mask commitment", transcript, &rank.to_be_bytes(), seed])
}

/// The secret behind shares, each of its rank, all canonical and of one polynomial of lower degree than their number.
pub fn rebuild(shares: &[(u16, [u8; 32])]) -> Option<[u8; 32]> {
    let points: Vec<(Scalar, Scalar)> = shares
        .iter()
        .map(|(rank, share)| Some((Scalar::from(u64::from(*rank) + 1), group::scalar_from(share)?)))
        .collect::<Option<_>>()?;
    let mut secret = Scalar::ZERO;
    for (i, (x, y)) in points.iter().enumerate() {
        let others = points.iter().enumerate().filter(|(j, _)| *j != i);
        let weight = others.fold(Scalar::ONE, |w, (_, (other, _))| w * other * (other - x).invert());
        secret += weight * y;
    }
    Some(secret.to_bytes())
}

/// Key of a self-mask.
pub fn self_mask_key(seed: &[u8; 32]) -> [u8; 16] {
    let mut out = [0; 16];
    if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(seed) {
        // 16 bytes are within what Expand can give.
        let _ = hkdf.expand(b"hefu/1 self mask", &mut out);
    }
    out
}

/// What a rank signs of the survivors.
pub fn survivors_statement(rank: u16, transcript: &[u8; 32], u2: &[u8], u3: &[u8]) -> Vec<u8> {
    [b"hefu/1 survivors signature".as_slice(), transcript, &rank.to_be_bytes(), &h(&[u2]), &h(&[u3])].concat()
}
