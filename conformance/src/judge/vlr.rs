//! Training and scoring, computed again from the evidence: who said what when, and whether the numbers are right.

use std::collections::HashMap;

use super::vlr_secret;
use crate::transcript::Run;
use crate::transcript::train::{RoundFacts, TrainFacts};
use crate::wire::message;
use crate::wire::rlwe::{G, N};
use crate::wire::rlwe_scheme::{self as scheme, Secret};
use crate::wire::vlr::{self, Sine};
use crate::wire::vlr_block::{Block, Bounded, Standard, predictor, predictor_error, standardise};

/// One unit of 2^−16: what a truncated sum is worth.
const HALF: f64 = 1.0 / 65_536.0;
/// Largest slope of a sine set's sum: that of σ, and a little for its error.
const SLOPE: f64 = 0.26;

/// A whole message of the target's.
pub(super) struct Letter {
    pub to: u16,
    pub kind: u16,
    pub stage: u32,
    pub round: u32,
    pub payload: Vec<u8>,
}

/// Messages of the target, in order, each from its last chunk.
pub(super) fn letters(run: &Run) -> Vec<Letter> {
    let mut open: HashMap<u16, Vec<u8>> = HashMap::new();
    let mut out = Vec::new();
    for (_, header, chunk) in run.frames() {
        let payload = open.entry(header.to).or_default();
        payload.extend(chunk.unwrap_or_default());
        if header.chunk + 1 >= header.chunks {
            let payload = std::mem::take(payload);
            let (to, kind) = (header.to, header.kind);
            out.push(Letter { to, kind, stage: header.stage, round: header.round, payload });
        }
    }
    out
}

/// A training under judgement.
pub(super) struct Training<'a> {
    pub facts: &'a TrainFacts,
    pub letters: Vec<Letter>,
    pub transcript: [u8; 32],
    pub standard: Standard,
    pub block: Block,
}

impl<'a> Training<'a> {
    /// The training of a run, replayed up to its end.
    fn new(facts: &'a TrainFacts, run: &Run) -> Training<'a> {
        let standard = standardise(&facts.target, facts.training, run.facts.join == "left");
        let positives = facts.labels.iter().filter(|label| **label == 1).count();
        let block = Block::new(standard.training.clone(), false, facts.training, positives, facts.lambda);
        let transcript = hex::decode(&run.facts.transcript).ok().and_then(|t| t.try_into().ok()).unwrap_or_default();
        Training { facts, letters: letters(run), transcript, standard, block }
    }

    /// Messages of a kind and round to a rank.
    pub fn of(&self, round: u32, to: u16, kind: u16) -> Vec<&[u8]> {
        let wanted = |l: &&Letter| (l.stage, l.round, l.to, l.kind) == (2, round, to, kind);
        self.letters.iter().filter(wanted).map(|letter| letter.payload.as_slice()).collect()
    }

    /// The one message of a kind, round and rank.
    pub fn one(&self, round: u32, to: u16, kind: u16) -> Result<&[u8], String> {
        match self.of(round, to, kind).as_slice() {
            [only] => Ok(only),
            other => Err(format!("round {round} has {} {} to rank {to}, not one", other.len(), message::name(kind))),
        }
    }

    /// How often each kind goes to each rank in a round.
    fn expected(&self) -> Vec<(u16, u16, usize)> {
        let d = self.block.count();
        if self.facts.rank == 1 {
            let blocks = self.facts.training.div_ceil(N);
            return vec![
                (0, vlr::BOUND, 1),
                (0, vlr::RESIDUAL_KEY, 1),
                (0, vlr::MASKED, blocks),
                (0, vlr::RESIDUAL, blocks),
                (0, vlr::SUMS, d),
                (0, vlr::OPENED, 1),
                (0, vlr::SCALARS, 1),
            ];
        }
        let both = |kind, count| [(0, kind, count), (1, kind, count)];
        let mut out = vec![(0, vlr::BOUND, 1), (1, vlr::SHARE, 1), (0, vlr::SCALARS, 1)];
        out.extend(both(vlr::SUMS, d));
        out
    }

    /// Every message belongs where it is, and none is missing.
    fn order(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let expected = self.expected();
        for letter in self.letters.iter().filter(|l| l.stage == 2) {
            let first = letter.kind == vlr::SHAPE && letter.round == 0 && letter.to == 0;
            let known = expected.iter().any(|(to, kind, _)| (*to, *kind) == (letter.to, letter.kind));
            let begun = self.facts.rounds.iter().any(|round| round.round == letter.round);
            if !(first || known && begun) {
                let name = message::name(letter.kind);
                faults
                    .push(format!("FRAME-11: {name} to rank {} in round {} does not belong", letter.to, letter.round));
            }
        }
        for round in &self.facts.rounds {
            for (to, kind, count) in &expected {
                let found = self.of(round.round, *to, *kind).len();
                if found != *count {
                    let name = message::name(*kind);
                    faults.push(format!("round {}: {found} {name} to rank {to}, not {count}", round.round));
                }
            }
        }
        let shapes = self.of(0, 0, vlr::SHAPE);
        if !matches!(shapes.as_slice(), [only] if vlr::read_u32(only) == Some(self.block.count() as u32)) {
            faults.push(format!("TRAIN_SHAPE does not say {} columns", self.block.count()));
        }
        faults
    }

    /// One round after the other, from the target's rows and the suite's secrets.
    fn replay(&mut self) -> Result<(), String> {
        for round in &self.facts.rounds {
            let sine = vlr::sine(round.sine).ok_or("the evidence names no sine set")?;
            if round.evaluation < self.block.accepted() {
                self.block.retract();
            }
            if round.evaluation > 0 {
                self.block.step(&round.points, &round.gradients);
            }
            let (z, errors) = (self.block.predictor(), self.block.predictor_error());
            self.bound(round, &z, &errors)?;
            let residual = if self.facts.rank == 1 {
                self.sigmoid(round, &sine, &z, &errors)?
            } else {
                self.share(round, &sine, &z, &errors)?;
                let value = round.residual.iter().map(|e| *e as f64 / vlr::RESIDUAL_UNIT).collect();
                Bounded { value, error: vec![0.0; z.len()] }
            };
            let sums = sums_of(&self.block, &residual);
            self.scalars(round, &sums)?;
        }
        Ok(())
    }

    fn bound(&self, round: &RoundFacts, z: &[f64], errors: &[f64]) -> Result<(), String> {
        let told = vlr::read_u32(self.one(round.round, 0, vlr::BOUND)?).ok_or("CONV-1: BOUND is not 4 bytes")?;
        let largest = |sign: f64| z.iter().zip(errors).fold(0.0, |a: f64, (z, e)| a.max(z.abs() + sign * e)).ceil();
        if (largest(-1.0)..=largest(1.0)).contains(&f64::from(told)) {
            return Ok(());
        }
        Err(format!("round {}: BOUND is {told}, the largest predictor {}", round.round, largest(0.0)))
    }

    /// SHARE of rank 2 less its mask is the phase (section 3).
    fn share(&self, round: &RoundFacts, sine: &Sine, z: &[f64], errors: &[f64]) -> Result<(), String> {
        let payload = self.one(round.round, 1, vlr::SHARE)?;
        let mut words = vlr::read_words(payload, z.len()).ok_or("CONV-1: SHARE has not one word a row")?;
        let key = round.masks.first().and_then(|m| hex::decode(m).ok()).and_then(|m| m.try_into().ok());
        vlr::mask(&mut words, &key.ok_or("the evidence has no mask")?, true);
        let turn = 2f64.powi(64) / f64::from(sine.P);
        for (i, word) in words.iter().enumerate() {
            let off = word.wrapping_sub(vlr::phase(z[i], sine.P)) as i64 as f64;
            // z/P is rounded once to binary64.
            let allowed = errors[i] * turn + z[i].abs() * turn * 2f64.powi(-52) + 2.0;
            if off.abs() > allowed {
                return Err(format!("round {}: the phase of row {i} is off by 2^{:.1}", round.round, off.abs().log2()));
            }
        }
        Ok(())
    }

    /// What the residual must be where rank 1 evaluates; rank 0's own sums, of which it opened one half, agree.
    fn sigmoid(&self, round: &RoundFacts, sine: &Sine, z: &[f64], errors: &[f64]) -> Result<Bounded, String> {
        let alpha: Vec<u64> = z.iter().map(|z| vlr::phase(*z, sine.P)).collect();
        let unit = 1.0 / vlr::RESIDUAL_UNIT;
        let scale = unit / f64::from(1u32 << sine.f_x);
        // A multiplier that is rounded the other way.
        let flip = 2f64.sqrt() * sine.K as f64 * f64::from(1u32 << sine.f_b) * scale;
        let exact = errors.iter().all(|e| *e == 0.0);
        let products = sine.products(&alpha, &round.beta);
        let one = |(product, label): (&i128, &u8)| *product as f64 * scale - (f64::from(*label) - 0.5);
        let residual = Bounded {
            value: products.iter().zip(&self.facts.labels).map(one).collect(),
            error: errors.iter().map(|e| unit + if exact { 0.0 } else { flip + SLOPE * e }).collect(),
        };
        vlr_secret::own_sums(self, round, sine, &residual)?;
        Ok(residual)
    }

    /// SCALARS are those of the gradient.
    fn scalars(&mut self, round: &RoundFacts, sums: &Bounded) -> Result<(), String> {
        let number = round.round;
        let payload = self.one(number, 0, vlr::SCALARS)?;
        let (flags, mut words) = vlr::read_scalars(payload, number, round.evaluation)?;
        for key in round.masks.iter().skip(1) {
            let key = hex::decode(key).ok().and_then(|m| m.try_into().ok()).ok_or("the evidence has no mask")?;
            // The target's rank is above both.
            vlr::mask(&mut words, &key, false);
        }
        if round.wrapped {
            let zero = words.iter().all(|w| *w == 0);
            let fine = flags & 1 == 1 && zero;
            let what = if zero { "the flag is not set" } else { "the scalars are not zero" };
            return if fine { Ok(()) } else { Err(format!("VLR-21: round {number}: a share wrapped, and {what}")) };
        }
        if flags != 0 {
            return Err(format!("round {number}: flags {flags:#x} without reason"));
        }
        let expected = self.block.accept(sums);
        for (i, word) in words.iter().enumerate() {
            let found = *word as i64 as f64 / vlr::SCALAR;
            let off = (found - expected.value[i]).abs();
            if off > expected.error[i] + 1.0 / vlr::SCALAR {
                return Err(format!(
                    "round {number}: scalar {i} is {found}, not {} ± {:.1e}",
                    expected.value[i], expected.error[i]
                ));
            }
        }
        Ok(())
    }
}

/// Σ x·e of every column, within four units of 2^−16.
pub(super) fn sums_of(block: &Block, residual: &Bounded) -> Bounded {
    let mut out = Bounded::default();
    for j in 0..block.count() {
        let fixed: Vec<f64> = block.fixed(j).iter().map(|x| *x as f64 / vlr::COLUMN).collect();
        out.value.push(fixed.iter().zip(&residual.value).map(|(x, e)| x * e).sum());
        let spread: f64 = fixed.iter().zip(&residual.error).map(|(x, e)| x.abs() * e).sum();
        out.error.push(spread + 4.0 * HALF);
    }
    out
}

/// Everything wrong with a training that had to succeed.
pub(super) fn training(run: &Run) -> Vec<String> {
    let Some(facts) = &run.facts.train else { return Vec::new() };
    let mut training = Training::new(facts, run);
    let mut faults = training.order();
    if faults.is_empty() {
        faults.extend(training.replay().err());
        faults.extend(vlr_secret::secrets(&training));
    }
    if faults.is_empty()
        && let Some(point) = facts.done.and_then(|e| training.block.point_of(e))
    {
        let rows = facts.target.len() - facts.training;
        faults.extend(parts(&training.letters, (3, &facts.score_mask), &training.standard.test, point, rows).err());
    }
    faults
}

/// Everything wrong with the scores of a model, trained in the run before.
pub(super) fn scoring(run: &Run, before: &Run) -> Vec<String> {
    let (Some(facts), Some(trained)) = (&run.facts.train, &before.facts.train) else {
        return vec!["no training took place before".into()];
    };
    let mut training = Training::new(trained, before);
    if let Err(fault) = training.replay() {
        return vec![fault];
    }
    let Some(point) = trained.done.and_then(|e| training.block.point_of(e)) else {
        return vec!["the training did not end".into()];
    };
    // Scored rows are standardised as training was: put them behind its training rows.
    let mut rows = trained.target[..trained.training].to_vec();
    rows.extend(facts.target.iter().cloned());
    let standard = standardise(&rows, trained.training, before.facts.join == "left");
    parts(&letters(run), (4, &facts.score_mask), &standard.test, point, facts.target.len()).err().into_iter().collect()
}

/// SCORE_PART of every row (score section 1), in a stage, under the mask of a key where there is one.
fn parts(
    letters: &[Letter],
    (stage, mask): (u32, &str),
    x: &[Vec<f64>],
    point: &Bounded,
    rows: usize,
) -> Result<(), String> {
    let mut values: Vec<u64> = Vec::new();
    for letter in letters.iter().filter(|l| l.kind == vlr::SCORE_PART) {
        let (first, rest) = vlr::split_block(&letter.payload).ok_or("CONV-1: SCORE_PART is shorter than 4 bytes")?;
        let expected = (rows - values.len().min(rows)).min(65_536);
        if (letter.stage, letter.round, letter.to) != (stage, 0, 0) || first as usize != values.len() || expected == 0 {
            return Err(format!("SCORE-3: a batch of parts begins at {first}, not {}", values.len()));
        }
        values.extend(vlr::read_words(rest, expected).ok_or(format!("SCORE-3: a batch has not {expected} parts"))?);
    }
    if values.len() != rows {
        return Err(format!("SCORE-3: {} parts of {rows} rows", values.len()));
    }
    if let Some(key) = hex::decode(mask).ok().and_then(|m| m.try_into().ok()) {
        // The target's rank is the higher one.
        vlr::mask(&mut values, &key, false);
    }
    let (z, errors) = (predictor(x, &point.value, rows), predictor_error(x, point, rows));
    for (i, value) in values.iter().enumerate() {
        let found = *value as i64 as f64 / vlr::SCORE;
        if (found - z[i]).abs() > errors[i] + 1.0 / vlr::SCORE {
            return Err(format!("the part of row {i} is {found}, not {} ± {:.1e}", z[i], errors[i]));
        }
    }
    Ok(())
}

/// The secret key of a round: 0 that of BASIS_KEY, 1 and 2 those of set G of ranks 0 and 1.
pub(super) fn secret(round: &RoundFacts, which: usize, sine: &Sine) -> Result<Secret, String> {
    let key = round.secrets.get(which).and_then(|s| hex::decode(s).ok()).and_then(|s| s.try_into().ok());
    let ring = if which == 0 { sine.ring() } else { &G };
    Ok(Secret::new(ring, scheme::ternary(&key.ok_or("the evidence has no secret")?)))
}
