//! A participant's secrets of one round: drawn, shared, opened, and told again (section 5, steps 1, 2 and 5).
use super::roster::Roster;
use super::wire::{Entry, Opened, SEALED_BYTES, SecretKind, Shares, Signature};
use crate::Error;
use crate::session::transcript_message;
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Rank};
use hefu_crypto::{Agreement, Masks, Polynomial, Secret, Seed, Share, Sign, SigningKey, expand, sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// s: the private mask key of one session (section 2).
///
/// # Security
/// Not clonable, redacted, wiped on drop. It serves for one session.
pub struct MaskKey(Secret);

impl MaskKey {
    /// The key that a session's seed gives.
    pub fn new(seed: &Seed) -> Self {
        MaskKey(Secret::new(&Zeroizing::new(seed.bytes64("aggregate mask key", &[]))))
    }

    /// A key from elsewhere, such as a test vector.
    ///
    /// # Errors
    /// `BadElement` for a number that is not below ℓ.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, hefu_crypto::Error> {
        Secret::from_bytes(bytes).map(MaskKey)
    }

    /// `mask` of the offer or confirm.
    pub fn public(&self) -> [u8; 32] {
        public(&self.0)
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKey(…)")
    }
}

/// The X25519 public key of a secret.
pub(super) fn public(secret: &Secret) -> [u8; 32] {
    Agreement::new(*secret.as_bytes()).public()
}

/// What a participant brings of its own to a round.
///
/// # Security
/// Not clonable, redacted.
pub struct Own {
    /// Its mask key, whose public half the session's documents name.
    pub mask: MaskKey,
    /// Its signing key.
    pub signing: Arc<SigningKey>,
    /// Fresh for this session (AGG-15).
    pub seed: Seed,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own(…)")
    }
}

/// C: a commitment to a self-mask seed.
pub(super) fn self_mask_commitment(transcript: &[u8; 32], rank: Rank, seed: &Secret) -> [u8; 32] {
    sha256(&[b"hefu/1 self-mask commitment", transcript, &rank.0.to_be_bytes(), seed.as_bytes()])
}

/// B or S: a commitment to a share of `from` for `to`.
pub(super) fn share_commitment(kind: SecretKind, from: Rank, to: Rank, share: &[u8; 32]) -> [u8; 32] {
    let ranks = [from.0.to_be_bytes(), to.0.to_be_bytes()].concat();
    sha256(&[b"hefu/1 share commitment", &[kind as u8], &ranks, share])
}

/// The key of a self-mask.
pub(super) fn self_mask_key(seed: &Secret) -> Zeroizing<[u8; 16]> {
    Zeroizing::new(expand(seed.as_bytes(), &[b"hefu/1 self mask"]))
}

/// The sign with which a rank adds the mask that it shares with another one.
pub(super) fn pair_sign(own: Rank, other: Rank) -> Sign {
    if own < other { Sign::Plus } else { Sign::Minus }
}

/// A participant's secrets, and the shares that it holds.
///
/// # Security
/// Wiped on drop (AGG-15).
pub(super) struct Dealer {
    roster: Arc<Roster>,
    own: Rank,
    mask: MaskKey,
    signing: Arc<SigningKey>,
    self_mask: Secret,
    self_mask_shares: Polynomial,
    mask_shares: Polynomial,
    /// Shares of others' b and s, by their rank.
    held: BTreeMap<Rank, (Share, Share)>,
}

impl Dealer {
    pub(super) fn new(roster: Arc<Roster>, own: Own) -> Result<Dealer, Error> {
        let rank = roster.keys().own();
        if roster.mask(rank) != Some(own.mask.public()) || !roster.contains(rank) {
            return Err(Error::job(
                Code::Internal,
                "",
                "the own mask key is not the one that the session's documents name",
            ));
        }
        let threshold = roster.sharing_threshold();
        let seed = if is_on(Switch::StaticSelfMask) { Seed::new([0; 32]) } else { own.seed };
        let self_mask = Secret::new(&Zeroizing::new(seed.bytes64("aggregate self mask", &[])));
        let self_mask_shares = self_mask.polynomial(threshold, &mut seed.stream("aggregate self mask shares", &[]));
        let mask_shares = own.mask.0.polynomial(threshold, &mut seed.stream("aggregate mask key shares", &[]));
        let (mask, signing) = (own.mask, own.signing);
        Ok(Dealer { roster, own: rank, mask, signing, self_mask, self_mask_shares, mask_shares, held: BTreeMap::new() })
    }

    /// The dealer of a test vector: polynomials of s and b by their coefficients, the secrets first.
    #[cfg(test)]
    pub(super) fn given(roster: Arc<Roster>, signing: SigningKey, self_mask: &[[u8; 32]], mask: &[[u8; 32]]) -> Dealer {
        Dealer {
            own: roster.keys().own(),
            roster,
            mask: MaskKey::from_bytes(&mask[0]).unwrap(),
            signing: Arc::new(signing),
            self_mask: Secret::from_bytes(&self_mask[0]).unwrap(),
            self_mask_shares: Polynomial::dangerous_from_coefficients(self_mask).unwrap(),
            mask_shares: Polynomial::dangerous_from_coefficients(mask).unwrap(),
            held: BTreeMap::new(),
        }
    }

    /// The shares of b and s of a rank, for a test vector.
    #[cfg(test)]
    pub(super) fn shares_of(&self, rank: Rank) -> [[u8; 32]; 2] {
        [&self.self_mask_shares, &self.mask_shares].map(|polynomial| *polynomial.share(rank.0).as_bytes())
    }

    pub(super) fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    pub(super) fn rank(&self) -> Rank {
        self.own
    }

    /// The own signature over the transcript.
    pub(super) fn sign_transcript(&self) -> Signature {
        self.signing.sign(&transcript_message(self.own, &self.roster.keys().transcript()))
    }

    /// The own shares for these neighbours (step 1).
    pub(super) fn deal(&self, neighbours: &[Rank]) -> Result<Shares, Error> {
        let own = self.self_mask_shares.share(self.own.0);
        Ok(Shares {
            commitment: self_mask_commitment(&self.roster.keys().transcript(), self.own, &self.self_mask),
            own: share_commitment(SecretKind::SelfMask, self.own, self.own, own.as_bytes()),
            entries: neighbours.iter().map(|to| self.entry(*to)).collect::<Result<_, _>>()?,
        })
    }

    fn entry(&self, to: Rank) -> Result<Entry, Error> {
        let (b, s) = (self.self_mask_shares.share(to.0), self.mask_shares.share(to.0));
        let mut text = Zeroizing::new([0; 64]);
        text[..32].copy_from_slice(b.as_bytes());
        text[32..].copy_from_slice(s.as_bytes());
        let unsealed = |_| Error::job(Code::Internal, "", "the cipher refuses to seal a share");
        let sealed = self.roster.keys().share_key(self.own, to).seal(0, &[], text.as_slice()).map_err(unsealed)?;
        let mut entry = Entry {
            rank: to,
            sealed: sealed.try_into().unwrap_or([0; SEALED_BYTES]),
            self_mask: share_commitment(SecretKind::SelfMask, self.own, to, b.as_bytes()),
            mask_key: share_commitment(SecretKind::MaskKey, self.own, to, s.as_bytes()),
            signature: [0; 64],
        };
        entry.signature = self.signing.sign(&self.roster.entry_message(self.own, to, &entry));
        Ok(entry)
    }

    /// Opens and keeps the shares of a neighbour; its signature was verified (step 2, AGG-28).
    pub(super) fn hold(&mut self, from: Rank, entry: &Entry) -> Result<(), Error> {
        let refused = |cause| Error::peer(from, Code::BadShare, "AGG-28", cause);
        let mut text = Zeroizing::new(Vec::with_capacity(SEALED_BYTES));
        let key = self.roster.keys().share_key(from, self.own);
        key.open(0, &[], &entry.sealed, &mut text).map_err(|_| refused("a sealed share does not open"))?;
        let ([b, s], []) = text.as_chunks::<32>() else { return Err(refused("a sealed share has another length")) };
        let shares = Share::from_bytes(b).and_then(|b| Ok((b, Share::from_bytes(s)?)));
        let (b, s) = shares.map_err(|_| refused("a share is not canonical"))?;
        let matches = share_commitment(SecretKind::SelfMask, from, self.own, b.as_bytes()).ct_eq(&entry.self_mask)
            & share_commitment(SecretKind::MaskKey, from, self.own, s.as_bytes()).ct_eq(&entry.mask_key);
        if !bool::from(matches) {
            return Err(refused("a share does not match its commitment"));
        }
        self.held.insert(from, (b, s));
        Ok(())
    }

    /// Forgets the shares of ranks that are not in U2.
    pub(super) fn keep(&mut self, sharers: &[Rank]) {
        self.held.retain(|rank, _| sharers.binary_search(rank).is_ok());
    }

    /// Adds the masks towards the neighbours in U2, and the own one (step 3).
    pub(super) fn mask(&self, values: &mut [u64]) -> Result<(), Error> {
        let secret = Agreement::new(*self.mask.0.as_bytes());
        let mut masks = Masks::new();
        masks.push(self_mask_key(&self.self_mask), Sign::Plus);
        for other in self.held.keys() {
            masks.push(self.roster.pair_mask(&secret, self.own, *other)?, pair_sign(self.own, *other));
        }
        masks.apply(values);
        Ok(())
    }

    /// The own signature over U2 and U3, given as their lists' bytes (step 4).
    pub(super) fn agree(&self, sharers: &[u8], survivors: &[u8]) -> Signature {
        self.signing.sign(&self.roster.survivors_message(self.own, sharers, survivors))
    }

    /// One share of each secret that the sum over U3 needs (step 5). The secrets are gone after it, so nobody is ever
    /// told the other kind (AGG-18).
    pub(super) fn unmask(self, survivors: &[Rank]) -> Vec<Opened> {
        let survives = |rank: &Rank| survivors.binary_search(rank).is_ok();
        let mut opened = Vec::with_capacity(self.held.len() + 1);
        let own = self.self_mask_shares.share(self.own.0);
        opened.push(Opened { rank: self.own, kind: SecretKind::SelfMask, share: Zeroizing::new(*own.as_bytes()) });
        for (rank, (b, s)) in &self.held {
            let (kind, share) = if survives(rank) { (SecretKind::SelfMask, b) } else { (SecretKind::MaskKey, s) };
            opened.push(Opened { rank: *rank, kind, share: Zeroizing::new(*share.as_bytes()) });
        }
        opened.sort_by_key(|opened| opened.rank);
        opened
    }
}

impl fmt::Debug for Dealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dealer(rank {}, …)", self.own)
    }
}
