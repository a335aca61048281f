//! Transcript and frame keys (session section 5).

use hkdf::Hkdf;
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};

use super::{h, lp};

/// The transcript of an offer and its confirms, in rank order.
pub fn transcript(offer: &[u8], confirms: &[Vec<u8>]) -> [u8; 32] {
    let mut bytes = b"hefu/1 transcript".to_vec();
    lp(&mut bytes, offer);
    for confirm in confirms {
        lp(&mut bytes, confirm);
    }
    h(&[&bytes])
}

/// What the party of `rank` signs over the transcript.
pub fn transcript_statement(rank: u16, transcript: &[u8; 32]) -> Vec<u8> {
    let mut bytes = b"hefu/1 transcript signature".to_vec();
    bytes.extend_from_slice(&rank.to_be_bytes());
    bytes.extend_from_slice(transcript);
    bytes
}

/// The X25519 public key of a secret.
pub fn public(secret: &[u8; 32]) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*secret)).to_bytes()
}

/// The secret of one pair of ranks, as a pseudo-random key.
pub struct Pair([u8; 32]);

impl Pair {
    /// From one's own ephemeral secret, the peer's ephemeral and the transcript.
    pub fn new(transcript: &[u8; 32], secret: &[u8; 32], peer: &[u8; 32]) -> Self {
        let shared = StaticSecret::from(*secret).diffie_hellman(&PublicKey::from(*peer));
        let (prk, _) = Hkdf::<Sha256>::extract(Some(transcript), shared.as_bytes());
        Pair(prk.into())
    }

    /// The key of frames from rank `from` to rank `to`.
    pub fn frame_key(&self, from: u16, to: u16) -> [u8; 32] {
        self.expand(&[b"hefu/1 frame", &from.to_be_bytes(), &to.to_be_bytes()])
    }

    /// The key of a mask that ranks i < j share.
    pub fn mask_key(&self, (i, j): (u16, u16), stage: u32, round: u32, mask_use: u16) -> [u8; 16] {
        let (i, j) = (i.to_be_bytes(), j.to_be_bytes());
        let place = [stage.to_be_bytes(), round.to_be_bytes()].concat();
        self.expand(&[b"hefu/1 mask", &i, &j, &place, &mask_use.to_be_bytes()])
    }

    /// The key under which rank `from` deals rank `to` its shares.
    pub fn share_key(&self, from: u16, to: u16) -> [u8; 32] {
        self.expand(&[b"hefu/1 share", &from.to_be_bytes(), &to.to_be_bytes()])
    }

    /// The key of the mask of ranks i < j, where this is the pair of their mask keys.
    pub fn pair_mask(&self, (i, j): (u16, u16)) -> [u8; 16] {
        self.expand(&[b"hefu/1 pair mask", &i.to_be_bytes(), &j.to_be_bytes()])
    }

    fn expand<const N: usize>(&self, info: &[&[u8]]) -> [u8; N] {
        let mut out = [0; N];
        if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(&self.0) {
            // 32 bytes are within what Expand can give.
            let _ = hkdf.expand(&info.concat(), &mut out);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_derive_the_same_key_and_each_direction_its_own() {
        let (a, b) = ([1; 32], [2; 32]);
        let (here, there) = (Pair::new(&[9; 32], &a, &public(&b)), Pair::new(&[9; 32], &b, &public(&a)));
        assert_eq!(here.frame_key(0, 1), there.frame_key(0, 1));
        assert_ne!(here.frame_key(0, 1), here.frame_key(1, 0));
        assert_ne!(here.frame_key(0, 1), Pair::new(&[8; 32], &a, &public(&b)).frame_key(0, 1));
    }
}
