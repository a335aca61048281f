//! What a target must hide, and draw anew: keys, seeds, masks, floods. Refutes, never proves.

use std::collections::HashSet;

use super::vlr::{Training, secret, sums_of};
use crate::transcript::Run;
use crate::transcript::train::RoundFacts;
use crate::wire::message;
use crate::wire::rlwe::{G, N, PACKED, inverse, mul, read_poly, untransform};
use crate::wire::rlwe_scheme as scheme;
use crate::wire::vlr::{self, Sine};
use crate::wire::vlr_block::Bounded;

/// Rank 0's own gradient: its half is exact, the other is what the target opened.
pub(super) fn own_sums(
    training: &Training<'_>,
    round: &RoundFacts,
    sine: &Sine,
    residual: &Bounded,
) -> Result<(), String> {
    let number = round.round;
    let own = crate::wire::vlr_block::Block::new(training.facts.own.clone(), true, training.facts.training, 1, 1.0);
    let values = vlr::read_words(training.one(number, 0, vlr::OPENED)?, own.count())
        .ok_or("CONV-1: OPENED has not one word a column")?;
    if values.iter().any(|v| v >> 38 != 0) {
        return Err(format!("VLR-8: round {number}: an opened sum has more than 38 bits"));
    }
    let share = share_of_zero(training, round, sine)?;
    let expected = sums_of(&own, residual);
    for (j, value) in values.iter().enumerate() {
        let mask = *round.opened_masks.get(j).ok_or("the evidence has no mask of a sum")?;
        let half = value.wrapping_sub(mask >> vlr::DROPPED) << vlr::DROPPED;
        let found = vlr::inner(&own.fixed(j), &share).wrapping_sub(half) as i64 as f64 / 2f64.powi(42);
        if (found - expected.value[j]).abs() > expected.error[j] {
            return Err(format!(
                "round {number}: column {j} of rank 0 sums to {found}, not {} ± {:.1e}",
                expected.value[j], expected.error[j]
            ));
        }
    }
    Ok(())
}

/// The slots of MASKED and the noise around them.
fn opened_slots(training: &Training<'_>, round: &RoundFacts, sine: &Sine) -> Result<(Vec<u128>, Vec<f64>), String> {
    let payload = training.one(round.round, 0, vlr::MASKED)?;
    let (block, answer) = vlr::split_block(payload).ok_or("CONV-1: MASKED is shorter than 4 bytes")?;
    if block != 0 {
        return Err(format!("VLR-19: round {}: MASKED names block {block}, not 0", round.round));
    }
    let opened = secret(round, 0, sine)?.open_slots(answer);
    opened.map_err(|bad| format!("RLWE-2: round {}: MASKED: {bad:?}", round.round))
}

/// y″ (section 5).
fn share_of_zero(training: &Training<'_>, round: &RoundFacts, sine: &Sine) -> Result<Vec<u64>, String> {
    let (slots, _) = opened_slots(training, round, sine)?;
    Ok(vlr::residual_share(&slots, &training.facts.labels, sine.f_x))
}

/// Everything that should have been hidden or fresh and was not.
pub(super) fn secrets(training: &Training<'_>) -> Vec<String> {
    let (mut faults, mut masks) = (repeated(training), Vec::new());
    for round in &training.facts.rounds {
        let Some(sine) = vlr::sine(round.sine) else { continue };
        if training.facts.rank == 1 {
            faults.extend(slots_hidden(training, round, &sine).err());
        }
        for rank in 0..training.facts.rank {
            match sums_hidden(training, round, &sine, rank) {
                Ok(found) => masks.extend(found.into_iter().map(|mask| (mask, round.round))),
                Err(fault) => faults.push(fault),
            }
        }
    }
    // Known but for 26 bits: two that are so near are one.
    masks.sort_unstable();
    let twice = masks.windows(2).find(|pair| pair[1].0 - pair[0].0 < 1 << vlr::DROPPED);
    faults.extend(twice.map(|pair| format!("RLWE-3: round {}: a mask of SUMS comes twice", pair[0].1.max(pair[1].1))));
    faults.extend(static_key(training));
    faults
}

/// Nothing random comes twice: keys, seeds, answers, shares.
fn repeated(training: &Training<'_>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut faults = Vec::new();
    for letter in training.letters.iter().filter(|letter| letter.stage == 2) {
        for (clause, piece) in pieces(letter.kind, &letter.payload) {
            if !seen.insert((letter.kind, piece)) {
                let name = message::name(letter.kind);
                faults.push(format!("{clause}: round {}: {name} repeats what came before", letter.round));
            }
        }
    }
    faults
}

/// What of a message must be met nowhere else, with the sentence that says so.
fn pieces(kind: u16, payload: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let from = |at: usize| payload.get(at..).unwrap_or_default().to_vec();
    match kind {
        vlr::RESIDUAL_KEY => vec![("RLWE-1", from(0))],
        vlr::RESIDUAL => vec![("VLR-5", payload.get(4..20).unwrap_or_default().to_vec())],
        vlr::MASKED | vlr::SUMS => vec![("RLWE-3", from(4))],
        vlr::SHARE => vec![("VLR-5", from(0))],
        _ => Vec::new(),
    }
}

/// MASKED is uniform in every slot, and its noise is that of the flood (RLWE-3).
fn slots_hidden(training: &Training<'_>, round: &RoundFacts, sine: &Sine) -> Result<(), String> {
    let (slots, noise) = opened_slots(training, round, sine)?;
    let (ring, number) = (sine.ring(), round.round);
    let t = ring.t();
    // A slot without its mask lies within a few products of zero; so does no uniform one, but for once in 2^16.
    let near = 1u128 << (sine.f_a + sine.f_b + 3);
    let bare = slots.iter().filter(|y| **y < near || t - **y < near).count();
    if bare > N / 64 {
        return Err(format!("RLWE-3: round {number}: {bare} of {N} slots of MASKED are not masked"));
    }
    // Uniform in [−2^f, 2^f) before the dropped primes, about 2^50 each, are divided away.
    let dropped = 50 * (ring.primes.len() - ring.kept().len()) as i32;
    let flood = 2f64.powi(ring.flood as i32 - dropped) / 3f64.sqrt();
    let mean = noise.iter().sum::<f64>() / N as f64;
    let spread = (noise.iter().map(|e| (e - mean) * (e - mean)).sum::<f64>() / N as f64).sqrt();
    if spread < flood / 2.0 {
        return Err(format!("RLWE-3: round {number}: the noise of MASKED is 2^{:.1}, no flood", spread.log2()));
    }
    Ok(())
}

/// SUMS come in order, under a mask and a fresh encryption of zero (RLWE-3), to the owner of rank `rank`. The masks,
/// but
/// for their low bits.
fn sums_hidden(training: &Training<'_>, round: &RoundFacts, sine: &Sine, rank: u16) -> Result<Vec<u64>, String> {
    let (number, count) = (round.round, training.block.count());
    let owner = secret(round, 1 + usize::from(rank), sine)?;
    let share = share_of(training, round, sine, rank)?;
    let mut masks = Vec::new();
    for (j, payload) in training.of(number, rank, vlr::SUMS).into_iter().enumerate() {
        let (column, columns, answer) = vlr::split_column(payload).ok_or("CONV-1: SUMS is shorter than 4 bytes")?;
        if (usize::from(column), usize::from(columns)) != (j, count) {
            return Err(format!("VLR-19: round {number}: SUMS names column {column} of {columns}, not {j} of {count}"));
        }
        let value = owner.open_sum(answer).map_err(|bad| format!("RLWE-2: round {number}: SUMS: {bad:?}"))?;
        let mask = value.wrapping_sub(vlr::inner(&training.block.fixed(j), &share));
        if (mask as i64).unsigned_abs() < 1 << vlr::DROPPED {
            return Err(format!("RLWE-3: round {number}: the sum of column {j} is not masked"));
        }
        masks.push(mask);
        let Some(seed) = round.block_seeds.get(usize::from(rank)) else { continue };
        if j == 0 && bare_component(training, answer, seed, j) {
            return Err(format!("RLWE-3: round {number}: the sum of column {j} has no fresh encryption of zero"));
        }
    }
    Ok(masks)
}

/// The share of the residual that the owner of a rank has.
fn share_of(training: &Training<'_>, round: &RoundFacts, sine: &Sine, rank: u16) -> Result<Vec<u64>, String> {
    if training.facts.rank == 1 {
        return share_of_zero(training, round, sine);
    }
    let key = hex::decode(&round.share).ok().and_then(|k| k.try_into().ok()).ok_or("the evidence has no share")?;
    let one = vlr::drawn_share(&key, training.facts.training);
    Ok(match rank {
        0 => round.residual.iter().zip(&one).map(|(e, r)| r.wrapping_add(*e as u64)).collect(),
        _ => one,
    })
}

/// Whether c1 of an answer is that of the products alone.
fn bare_component(training: &Training<'_>, answer: &[u8], seed: &str, j: usize) -> bool {
    let Some(seed) = hex::decode(seed).ok().and_then(|s| s.try_into().ok()) else { return false };
    let p = G.kept()[0];
    let Ok((_, c1)) = scheme::sum_parts(answer, p) else { return false };
    let mut sum = scheme::nothing(&G);
    let ciphertext = scheme::Pair { c0: scheme::nothing(&G).c0, c1: scheme::uniform(&seed, &G) };
    scheme::accumulate(&G, &mut sum, &scheme::column(&training.block.fixed(j)), &ciphertext);
    let bare = scheme::switched(&G, &sum.c1).remove(0);
    // The errors of set G vanish with the dropped primes, but for a carry.
    let near = |(a, b): (&u64, &u64)| a.abs_diff(*b).min(p - a.abs_diff(*b)) <= 1;
    c1.iter().zip(&bare).filter(|pair| near(*pair)).count() > N / 2
}

/// Whether two rounds have the same secret and error: their public keys then give the secret away (RLWE-1).
fn static_key(training: &Training<'_>) -> Option<String> {
    if training.facts.rank != 1 {
        return None;
    }
    let keys: Vec<(u32, Vec<u64>, Vec<u64>)> = training
        .facts
        .rounds
        .iter()
        .filter_map(|round| {
            let payload = training.one(round.round, 0, vlr::RESIDUAL_KEY).ok()?;
            let p0 = read_poly(payload.get(..PACKED)?, &G.primes[..1]).ok()?.remove(0);
            let a = scheme::uniform(&scheme::stream_key(&training.transcript, &G, 1, round.round), &G).swap_remove(0);
            Some((round.round, p0, a))
        })
        .collect();
    let q = G.primes[0];
    keys.windows(2).find_map(|pair| {
        let ((_, p, a), (round, r, b)) = (&pair[0], &pair[1]);
        let quotient: Vec<u64> = (0..N)
            .map(|i| {
                let difference = (q + p[i] - r[i]) % q;
                mul(difference, inverse((q + b[i] - a[i]) % q, q), q)
            })
            .collect();
        let ternary = untransform(&quotient, q).iter().all(|s| *s <= 1 || *s == q - 1);
        ternary.then(|| format!("RLWE-1: round {round}: the secret key of the round before"))
    })
}

/// Two trainings of one case share nothing random.
pub(super) fn fresh(main: &Run, again: &Run) -> Vec<String> {
    let random = |run: &Run| -> HashSet<(u16, Vec<u8>)> {
        let letters = super::vlr::letters(run);
        let of = letters.iter().flat_map(|l| pieces(l.kind, &l.payload).into_iter().map(|(_, piece)| (l.kind, piece)));
        of.collect()
    };
    let (first, second) = (random(main), random(again));
    let both = first.intersection(&second).map(|(kind, _)| message::name(*kind));
    both.map(|name| format!("VLR-5: {name} of one session comes again in the next")).collect()
}
