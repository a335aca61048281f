//! The oracle of aggregation: the target's shares, masks and values, computed again from the suite's secrets (aggregate
//! sections 3 to 5, pooled section 1).

use hefu_proto::v1::OpenResponse;
use serde_json::Value;

use super::oracle::answer;
use crate::transcript::pool::PoolFacts;
use crate::transcript::{Run, Target};
use crate::wire::aggregate::{self, Entry};
use crate::wire::aggregate_secret::{self as secret, MASK, SELF_MASK};
use crate::wire::{dsse, keys, message, vlr, vlr_block};

/// Relative error of sums in double precision.
const ROUNDING: f64 = 1e-11;

/// Everything wrong with the round of a dialogue that went to its end; nothing where it had none.
pub(super) fn round(target: &Target, run: &Run) -> Vec<String> {
    let Some(facts) = run.facts.pool.as_ref().filter(|_| run.completed()) else { return Vec::new() };
    Round::read(target, run, facts).and_then(|round| round.check()).err().into_iter().collect()
}

/// What two rounds of one job have in common and must not.
pub(super) fn fresh(main: &Run, again: &Run) -> Vec<String> {
    let (Some(facts), Some(_)) = (&main.facts.pool, &again.facts.pool) else { return Vec::new() };
    let mut faults = Vec::new();
    if again.facts.pool.as_ref().is_none_or(|later| later.round <= facts.round) {
        faults.push("the second dialogue is no later round".to_owned());
    }
    let one = |run: &Run, kind: u16| run.messages().into_iter().find(|(_, k, _)| *k == kind).map(|(_, _, p)| p);
    let words = [main, again].map(|run| {
        let facts = run.facts.pool.as_ref()?;
        let payload = one(run, aggregate::MASKED_SUM)?;
        aggregate::read_masked(&payload, facts.round, facts.participants.into(), &facts.forms).ok()
    });
    if let [Some(a), Some(b)] = words
        && a.iter().zip(&b).any(|(a, b)| a == b)
    {
        faults.push("AGG-15: a masked value comes again in the next round".into());
    }
    if confirm(main, "mask") == confirm(again, "mask") || confirm(main, "ephemeral") == confirm(again, "ephemeral") {
        faults.push("AGG-15: mask key or ephemeral of the confirm is not fresh".into());
    }
    let shares = [main, again].map(|run| one(run, aggregate::SHARES).and_then(|p| aggregate::read_shares(&p)));
    if let [Some(a), Some(b)] = shares
        && a.2.iter().zip(&b.2).any(|(a, b)| a.self_mask == b.self_mask || a.mask == b.mask)
    {
        faults.push("AGG-15: shares of one round come again in the next".into());
    }
    faults
}

fn confirm(run: &Run, member: &str) -> Option<String> {
    let answer = answer::<OpenResponse>(run, "Open")?;
    let document: Value = serde_json::from_slice(&dsse::parse(&answer.confirm).ok()?.payload).ok()?;
    document[member].as_str().map(str::to_owned)
}

fn bytes(text: &str) -> Result<[u8; 32], String> {
    let bytes = hex::decode(text).ok().and_then(|b| b.try_into().ok());
    bytes.ok_or_else(|| "the evidence lacks a secret of the suite's".to_owned())
}

/// A rank and the shares that it was dealt: of the self-mask, of the mask key.
type Dealt = (u16, [[u8; 32]; 2]);

/// The target's messages of a round.
struct Round<'a> {
    facts: &'a PoolFacts,
    transcript: [u8; 32],
    /// The target's signing key, ephemeral and mask key.
    keys: [[u8; 32]; 3],
    rank: u16,
    self_mask: [u8; 32],
    own: [u8; 32],
    entries: Vec<Entry>,
    masked: Vec<u64>,
    agreed: Vec<u8>,
    unmask: Vec<(u16, u8, [u8; 32])>,
}

impl<'a> Round<'a> {
    fn read(target: &Target, run: &Run, facts: &'a PoolFacts) -> Result<Round<'a>, String> {
        let kinds = [aggregate::SHARES, aggregate::MASKED_SUM, aggregate::AGREED, aggregate::UNMASK];
        let messages = run.messages();
        let heard: Vec<u16> = messages.iter().map(|(_, kind, _)| *kind).collect();
        if heard != kinds {
            let names: Vec<String> = heard.into_iter().map(message::name).collect();
            return Err(format!("aggregate 4: the target's messages are {}", names.join(", ")));
        }
        if run.frames().any(|(_, header, _)| (header.stage, header.round) != (5, facts.round)) {
            return Err("frame 1: a frame of the target's has another stage or round".into());
        }
        let of = |i: usize| messages[i].2.as_slice();
        let (self_mask, own, entries) = aggregate::read_shares(of(0)).ok_or("CONV-1: SHARES has another length")?;
        let key = |member: &str| {
            let text = confirm(run, member).ok_or_else(|| format!("confirm: {member} is missing"))?;
            bytes(&text).map_err(|_| format!("confirm: {member} is not 32 bytes in hex"))
        };
        Ok(Round {
            facts,
            transcript: bytes(&run.facts.transcript)?,
            keys: [bytes(&target.signing_key)?, key("ephemeral")?, key("mask")?],
            rank: run.facts.rank(),
            self_mask,
            own,
            entries,
            masked: aggregate::read_masked(of(1), facts.round, facts.participants.into(), &facts.forms)?,
            agreed: of(2).to_vec(),
            unmask: aggregate::read_unmask(of(3)).ok_or("CONV-1: UNMASK has another length")?,
        })
    }

    fn check(&self) -> Result<(), String> {
        let shares = self.dealt()?;
        self.agreement()?;
        let own = self.unmasked()?;
        let of = |kind: usize| shares.iter().map(move |(rank, both)| (*rank, both[kind]));
        let mut seeds: Vec<(u16, [u8; 32])> = of(0).collect();
        seeds.push((self.rank, own));
        let t = usize::from(self.facts.threshold);
        let seed = secret::rebuild(&seeds[..t]).ok_or("aggregate 5: a share is not canonical")?;
        if seeds.len() > t && secret::rebuild(&seeds[seeds.len() - t..]) != Some(seed) {
            return Err("aggregate 5: the shares of the self-mask are not of one polynomial".into());
        }
        if secret::self_mask_commitment(&self.transcript, self.rank, &seed) != self.self_mask {
            return Err("aggregate 5: C is not that of the self-mask behind the shares".into());
        }
        let masks: Vec<(u16, [u8; 32])> = of(1).collect();
        if masks.len() >= t {
            let mask = secret::rebuild(&masks[..t]).ok_or("aggregate 5: a share is not canonical")?;
            if keys::public(&mask) != self.keys[2] {
                return Err("aggregate 5: the shares of the mask key are not those of `mask`".into());
            }
        }
        self.values(&seed)
    }

    /// The target's entries: signed, sealed, committed.
    fn dealt(&self) -> Result<Vec<Dealt>, String> {
        let ranks: Vec<u16> = self.entries.iter().map(|entry| entry.rank).collect();
        if ranks != (0..self.rank).collect::<Vec<_>>() {
            return Err(format!("AGG-14: SHARES has entries for ranks {ranks:?}"));
        }
        let one = |entry: &Entry| {
            let to = entry.rank;
            let statement = secret::statement(entry, (self.rank, to), &self.transcript);
            if !dsse::verify(&self.keys[0], &statement, &entry.signature) {
                return Err(format!("aggregate 5: the signature of the entry for rank {to} does not verify"));
            }
            let ephemeral = bytes(self.facts.ephemerals.get(usize::from(to)).map_or("", String::as_str))?;
            let key = keys::Pair::new(&self.transcript, &ephemeral, &self.keys[1]).share_key(self.rank, to);
            let shares = secret::open(entry, &key).ok_or(format!("aggregate 5: the entry for rank {to} opens not"))?;
            let committed =
                [SELF_MASK, MASK].map(|k| secret::commitment(k, (self.rank, to), &shares[usize::from(k) - 1]));
            if committed != [entry.self_mask, entry.mask] {
                return Err(format!("aggregate 5: the shares of rank {to} do not match B and S"));
            }
            Ok((to, shares))
        };
        self.entries.iter().map(one).collect()
    }

    fn agreement(&self) -> Result<(), String> {
        let u2: Vec<u16> = (0..=self.rank).collect();
        let lists = (aggregate::ranks(&u2), aggregate::ranks(&self.facts.survivors));
        let statement = secret::survivors_statement(self.rank, &self.transcript, &lists.0, &lists.1);
        let signature = self.agreed.as_slice().try_into().map_err(|_| "CONV-1: AGREED is not 64 bytes")?;
        if dsse::verify(&self.keys[0], &statement, signature) {
            Ok(())
        } else {
            Err("aggregate 5: AGREED is no signature over U2 and U3".into())
        }
    }

    /// UNMASK: one share of each rank of U2, of the right kind, as it was dealt; the target's own is returned.
    fn unmasked(&self) -> Result<[u8; 32], String> {
        let mut own = [0; 32];
        let mut ranks = Vec::new();
        for (rank, kind, share) in &self.unmask {
            ranks.push(*rank);
            let lost = !self.facts.survivors.contains(rank);
            if *kind != if lost { MASK } else { SELF_MASK } {
                return Err(format!("AGG-18: UNMASK has kind {kind} of rank {rank}, lost: {lost}"));
            }
            if *rank == self.rank {
                own = *share;
                if secret::commitment(SELF_MASK, (self.rank, self.rank), share) != self.own {
                    return Err("aggregate 5: the target's own share does not match D".into());
                }
                continue;
            }
            let dealt = self.facts.dealt.get(usize::from(*rank)).ok_or("AGG-14: UNMASK names a rank outside U2")?;
            if bytes(&dealt[usize::from(*kind) - 1])? != *share {
                return Err(format!("aggregate 5: UNMASK has another share of rank {rank} than was dealt"));
            }
        }
        if ranks == (0..=self.rank).collect::<Vec<_>>() {
            Ok(own)
        } else {
            Err(format!("AGG-14: UNMASK has shares of ranks {ranks:?}"))
        }
    }

    /// Every mask taken away: what is left are the values of the target's rows.
    fn values(&self, seed: &[u8; 32]) -> Result<(), String> {
        let participants = usize::from(self.facts.participants);
        let mut elements = self.masked.clone();
        vlr::mask(&mut elements, &secret::self_mask_key(seed), true);
        for (rank, mask) in (0..).zip(&self.facts.masks) {
            let pair = keys::Pair::new(&self.transcript, &bytes(mask)?, &self.keys[2]);
            vlr::mask(&mut elements, &pair.pair_mask((rank, self.rank)), false);
        }
        let mut rest = elements.as_slice();
        for (form, expected) in self.facts.forms.iter().zip(expected(self.facts)) {
            let (own, after) = rest.split_at(form.width());
            rest = after;
            let unit = if form.codec == "count" { 0.0 } else { 2f64.powi(-i32::from(form.scale(participants))) };
            for (i, (found, value)) in form.values(participants, own).iter().zip(&expected).enumerate() {
                if (found - value).abs() > unit + unit.signum() * ROUNDING * (1.0 + value.abs()) {
                    return Err(format!("pooled 1: {}[{i}] is {found}, the rows give {value}", form.name));
                }
            }
        }
        Ok(())
    }
}

/// The values of the target's rows, tensor by tensor (pooled section 1).
fn expected(facts: &PoolFacts) -> Vec<Vec<f64>> {
    let d = facts.rows.first().map_or(0, Vec::len);
    let n = facts.rows.len() as f64;
    let [mean, deviation, coefficients, intercept] = facts.parameters.as_slice() else {
        let positive = facts.labels.iter().map(|label| f64::from(*label)).sum();
        let sums = (0..d).map(|j| facts.rows.iter().map(|row| row[j]).sum()).collect();
        return vec![vec![n], vec![positive], vec![n; d], sums];
    };
    let (mut gram, mut gradient, mut loss) = (Vec::new(), vec![0.0; d + 1], 0.0);
    gram.resize((d + 1) * (d + 2) / 2, 0.0);
    for (row, label) in facts.rows.iter().zip(&facts.labels) {
        let mut z: Vec<f64> = (0..d).map(|j| (row[j] - mean[j]) / deviation[j]).collect();
        let s = intercept[0] + z.iter().zip(coefficients).map(|(z, c)| z * c).sum::<f64>();
        z.push(1.0);
        let (p, y) = (vlr_block::sigmoid(s), f64::from(*label));
        let pairs = (0..=d).flat_map(|i| (i..=d).map(move |j| (i, j)));
        pairs.zip(&mut gram).for_each(|((i, j), sum)| *sum += p * (1.0 - p) * z[i] * z[j]);
        z.iter().zip(&mut gradient).for_each(|(z, sum)| *sum += (y - p) * z);
        loss += s.exp().ln_1p() - y * s;
    }
    vec![gram, gradient, vec![loss]]
}
