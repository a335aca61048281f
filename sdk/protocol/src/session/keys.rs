//! Transcript and keys (spec/session.md, section 5).
use crate::Error;
use crate::error::Blame;
use crate::frame::{Limits, Opener, Sealer};
use hefu_core::{Rank, SessionId, Stage};
use hefu_crypto::{Agreement, FrameKey, Stream, expand, extract, sha256};
use std::fmt;
use zeroize::Zeroizing;

/// What a mask stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum MaskUse {
    /// Predictor shares between two collaborators.
    Share = 1,
    /// Scalars of the optimiser.
    Scalars = 2,
    /// Score parts.
    Score = 3,
    /// A predictor share towards rank 0.
    ShareToInitiator = 4,
}

/// The transcript hash over the exact envelopes.
pub fn transcript<C: AsRef<[u8]>>(offer: &[u8], confirms: &[C]) -> [u8; 32] {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut all = b"hefu/1 transcript".to_vec();
    for document in std::iter::once(offer).chain(confirms.iter().map(AsRef::as_ref)) {
        all.extend_from_slice(&length(document));
        all.extend_from_slice(document);
    }
    sha256(&[&all])
}

/// The bytes that a rank signs to confirm a transcript.
pub fn transcript_message(rank: Rank, transcript: &[u8; 32]) -> Vec<u8> {
    [b"hefu/1 transcript signature".as_slice(), &rank.0.to_be_bytes(), transcript].concat()
}

/// One party's keys of a session.
///
/// # Security
/// Redacted, wiped on drop.
pub struct Keys {
    session: SessionId,
    own: Rank,
    transcript: [u8; 32],
    /// `pair(own, j)` by rank; all zero at the own rank and at absent ones, never used.
    pairs: Vec<Zeroizing<[u8; 32]>>,
}

impl Keys {
    /// Derives the keys of rank `own`; `ephemerals` holds every party's X25519 public key by rank.
    ///
    /// # Errors
    /// Those of [`Keys::derive_present`].
    pub fn derive(
        session: SessionId,
        own: Rank,
        transcript: [u8; 32],
        secret: &Agreement,
        ephemerals: &[[u8; 32]],
    ) -> Result<Keys, Error> {
        let present: Vec<Option<[u8; 32]>> = ephemerals.iter().copied().map(Some).collect();
        Keys::derive_present(session, own, transcript, secret, &present)
    }

    /// The same where some ranks are absent (spec/aggregate.md, section 2); nothing is ever sealed to those.
    ///
    /// # Errors
    /// `BAD_ELEMENT` by the rank whose key gives an all-zero secret (SESS-6).
    pub fn derive_present(
        session: SessionId,
        own: Rank,
        transcript: [u8; 32],
        secret: &Agreement,
        ephemerals: &[Option<[u8; 32]>],
    ) -> Result<Keys, Error> {
        let mut pairs = Vec::with_capacity(ephemerals.len());
        for (rank, ephemeral) in (0u16..).map(Rank).zip(ephemerals) {
            let Some(ephemeral) = ephemeral.filter(|_| rank != own) else {
                pairs.push(Zeroizing::new([0; 32]));
                continue;
            };
            let shared = secret.agree(&ephemeral).blame(rank)?;
            pairs.push(Zeroizing::new(extract(&transcript, shared.as_slice())));
        }
        Ok(Keys { session, own, transcript, pairs })
    }

    /// The transcript hash.
    pub fn transcript(&self) -> [u8; 32] {
        self.transcript
    }

    /// The own rank.
    pub fn own(&self) -> Rank {
        self.own
    }

    /// Number of parties.
    pub fn parties(&self) -> u16 {
        u16::try_from(self.pairs.len()).unwrap_or(u16::MAX)
    }

    fn pair(&self, other: Rank) -> &[u8; 32] {
        &self.pairs[other.index()]
    }

    fn frame_key_bytes(&self, from: Rank, to: Rank) -> Zeroizing<[u8; 32]> {
        let other = if from == self.own { to } else { from };
        let info: [&[u8]; 3] = [b"hefu/1 frame", &from.0.to_be_bytes(), &to.0.to_be_bytes()];
        Zeroizing::new(expand(self.pair(other), &info))
    }

    fn frame_key(&self, from: Rank, to: Rank) -> FrameKey {
        FrameKey::new(&self.frame_key_bytes(from, to))
    }

    /// The sealer of frames to another rank.
    pub fn sealer(&self, to: Rank, max_chunk: u32) -> Sealer {
        Sealer::new(self.frame_key(self.own, to), self.session, self.own, to, max_chunk)
    }

    /// The opener of frames from another rank.
    pub fn opener(&self, from: Rank, limits: Limits) -> Opener {
        Opener::new(self.frame_key(from, self.own), self.session, from, self.own, limits)
    }

    /// The key under which rank `from` seals its shares for rank `to` (spec/aggregate.md, section 5); one of them is
    /// the
    /// own rank. It seals one text.
    pub(crate) fn share_key(&self, from: Rank, to: Rank) -> FrameKey {
        FrameKey::new(&self.share_key_bytes(from, to))
    }

    pub(crate) fn share_key_bytes(&self, from: Rank, to: Rank) -> Zeroizing<[u8; 32]> {
        let other = if from == self.own { to } else { from };
        let info: [&[u8]; 3] = [b"hefu/1 share", &from.0.to_be_bytes(), &to.0.to_be_bytes()];
        Zeroizing::new(expand(self.pair(other), &info))
    }

    /// The mask stream that this party shares with another.
    pub fn mask(&self, other: Rank, stage: Stage, round: u32, mask_use: MaskUse) -> Stream {
        Stream::new(self.mask_key(other, stage, round, mask_use))
    }

    fn mask_key(&self, other: Rank, stage: Stage, round: u32, mask_use: MaskUse) -> [u8; 16] {
        let (low, high) = (self.own.min(other), self.own.max(other));
        expand(
            self.pair(other),
            &[
                b"hefu/1 mask",
                &low.0.to_be_bytes(),
                &high.0.to_be_bytes(),
                &stage.number().to_be_bytes(),
                &round.to_be_bytes(),
                &(mask_use as u16).to_be_bytes(),
            ],
        )
    }

    /// The seed of the uniform part of a public ring-LWE key (spec/ringlwe.md, section 3).
    pub fn rlwe_seed(&self, set: u8, owner: Rank, round: u32) -> [u8; 16] {
        expand(&self.transcript, &[b"hefu/1 rlwe key", &[set], &owner.0.to_be_bytes(), &round.to_be_bytes()])
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys(rank {}, …)", self.own)
    }
}

#[cfg(test)]
#[path = "../../tests/vectors/keys.rs"]
mod vectors;
