//! From shares back to secrets, and from the masked sum to the sum (section 5, step 6).
use super::deal::{pair_sign, public, self_mask_commitment, self_mask_key, share_commitment};
use super::roster::Roster;
use super::wire::{Opened, SecretKind, Shares};
use crate::Error;
use hefu_core::{Code, Rank};
use hefu_crypto::{Agreement, Interpolation, Masks, Secret, Share, Sign};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;

/// A share that matched its commitment, and its sender.
pub(super) struct Opening {
    holder: Rank,
    share: Share,
}

/// Checks a share of UNMASK against what its owner committed to (AGG-19).
pub(super) fn check(shares: &BTreeMap<Rank, Shares>, from: Rank, opened: &Opened) -> Result<Opening, Error> {
    let refused = || Error::peer(from, Code::BadShare, "AGG-19", "a share does not match its commitment");
    let owner = shares.get(&opened.rank).ok_or_else(refused)?;
    let committed = if opened.rank == from {
        owner.own
    } else {
        let place = owner.entries.binary_search_by_key(&from, |entry| entry.rank).map_err(|_| refused())?;
        match opened.kind {
            SecretKind::SelfMask => owner.entries[place].self_mask,
            SecretKind::MaskKey => owner.entries[place].mask_key,
        }
    };
    let found = share_commitment(opened.kind, opened.rank, from, &opened.share);
    if !bool::from(found.ct_eq(&committed)) {
        return Err(refused());
    }
    Ok(Opening { holder: from, share: Share::from_bytes(&opened.share).map_err(|_| refused())? })
}

/// What is known of a round when its shares have come.
pub(super) struct Facts<'a> {
    pub(super) roster: &'a Roster,
    /// U2.
    pub(super) sharers: &'a [Rank],
    /// U3.
    pub(super) survivors: &'a [Rank],
}

impl Facts<'_> {
    /// Takes every mask from the sum.
    ///
    /// # Errors
    /// `BELOW_THRESHOLD` (AGG-21); `BAD_SHARE` by the owner of a secret that is not what it committed to (AGG-19).
    pub(super) fn unmask(
        &self,
        shares: &BTreeMap<Rank, Shares>,
        opened: &BTreeMap<Rank, Vec<Opening>>,
        sum: &mut [u64],
    ) -> Result<(), Error> {
        let mut masks = Masks::new();
        let mut interpolation = Cached::default();
        for owner in self.sharers {
            let openings = opened.get(owner).map(Vec::as_slice).unwrap_or_default();
            let needed = usize::from(self.roster.sharing_threshold());
            let Some(openings) = openings.get(..needed) else {
                let cause = format!("{} shares of a secret came of {needed} needed", openings.len());
                return Err(Error::job(Code::BelowThreshold, "AGG-21", cause));
            };
            let secret = interpolation.secret(openings);
            if self.survivors.binary_search(owner).is_ok() {
                self.check_self_mask(shares, *owner, &secret)?;
                masks.push(self_mask_key(&secret), Sign::Minus);
            } else {
                self.take_pair_masks(*owner, &secret, &mut masks)?;
            }
        }
        masks.apply(sum);
        Ok(())
    }

    fn check_self_mask(&self, shares: &BTreeMap<Rank, Shares>, owner: Rank, secret: &Secret) -> Result<(), Error> {
        let found = self_mask_commitment(&self.roster.keys().transcript(), owner, secret);
        if shares.get(&owner).is_some_and(|shares| shares.commitment == found) {
            return Ok(());
        }
        Err(Error::peer(owner, Code::BadShare, "AGG-19", "a self-mask is not the one that its owner committed to"))
    }

    /// The masks that the survivors added towards a lost rank.
    fn take_pair_masks(&self, lost: Rank, secret: &Secret, masks: &mut Masks) -> Result<(), Error> {
        if self.roster.mask(lost) != Some(public(secret)) {
            let cause = "a mask key is not the one of its owner's confirm";
            return Err(Error::peer(lost, Code::BadShare, "AGG-19", cause));
        }
        let secret = Agreement::new(*secret.as_bytes());
        let near = self.roster.neighbours(lost);
        for survivor in near.into_iter().filter(|rank| self.survivors.binary_search(rank).is_ok()) {
            let inverse = match pair_sign(survivor, lost) {
                Sign::Plus => Sign::Minus,
                Sign::Minus => Sign::Plus,
            };
            masks.push(self.roster.pair_mask(&secret, lost, survivor)?, inverse);
        }
        Ok(())
    }
}

/// The interpolation of the last list of holders: without neighbours it is the same for every secret.
#[derive(Default)]
struct Cached {
    holders: Vec<u16>,
    interpolation: Option<Interpolation>,
}

impl Cached {
    fn secret(&mut self, openings: &[Opening]) -> Secret {
        let holders: Vec<u16> = openings.iter().map(|opening| opening.holder.0).collect();
        if self.holders != holders {
            (self.holders, self.interpolation) = (holders, None);
        }
        let interpolation = self.interpolation.get_or_insert_with(|| Interpolation::new(&self.holders));
        interpolation.secret(openings.iter().map(|opening| &opening.share))
    }
}
