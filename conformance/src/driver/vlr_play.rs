//! One training, round by round (vlr sections 2 to 8): what the suite says as rank 0 and, where it plays it, as rank 1.

use std::collections::HashMap;

use super::session::Offered;
use super::stream::Stream;
use super::vlr::{Heard, LAMBDA, STAGE};
use super::{Dialogue, Flow, Stop};
use crate::case::Operator;
use crate::transcript::train::{RoundFacts, TrainFacts};
use crate::wire::rlwe::{self, G, Stream as Words};
use crate::wire::rlwe_scheme::{self as scheme, Blinding, Secret};
use crate::wire::vlr::{self, Sine};
use crate::wire::vlr_block::{Block, Bounded};
use crate::wire::{h, keys};

/// Scale of a column's sum, 2^42.
const SUM: f64 = vlr::COLUMN * vlr::RESIDUAL_UNIT;
/// Evaluations after which a target that never says stop is left.
const ENDLESS: usize = 60;

/// A training in progress.
pub(super) struct Play<'p, 'd> {
    pub(super) dialogue: &'p mut Dialogue<'d>,
    pub(super) stream: &'p mut Stream,
    facts: TrainFacts,
    /// Everything random of the suite comes from here.
    seed: String,
    transcript: [u8; 32],
    heard: Heard,
    /// Messages sent, by kind.
    pub(super) sent: HashMap<u16, usize>,
    /// The last message sent, by kind.
    pub(super) last: HashMap<u16, Vec<u8>>,
    pub(super) sine: Sine,
    block: Block,
    /// Columns of the target.
    columns: usize,
    round: u32,
    /// Pairs of the target with ranks 0 and 1, where both are the suite's.
    pairs: Option<(keys::Pair, keys::Pair)>,
}

/// One evaluation as planned.
struct Evaluation {
    number: usize,
    grade: String,
    wrapped: bool,
}

impl<'p, 'd> Play<'p, 'd> {
    pub(super) fn new(
        dialogue: &'p mut Dialogue<'d>,
        stream: &'p mut Stream,
        offered: &Offered,
        facts: TrainFacts,
        seed: String,
    ) -> Play<'p, 'd> {
        let positives = facts.labels.iter().filter(|label| **label == 1).count();
        let block = Block::new(facts.own.clone(), true, facts.training, positives, LAMBDA);
        let pair = |secret| keys::Pair::new(&offered.transcript, secret, &offered.peer_ephemeral);
        let pairs = offered.third.as_ref().map(|third| (pair(&offered.ephemeral), pair(&third.secret)));
        Play {
            dialogue,
            stream,
            facts,
            seed,
            transcript: offered.transcript,
            heard: Heard::new(),
            sent: HashMap::new(),
            last: HashMap::new(),
            sine: vlr::sine_sets().swap_remove(0),
            block,
            columns: 0,
            round: 0,
            pairs,
        }
    }

    pub(super) async fn run(&mut self) -> Flow<()> {
        self.place();
        let shape = self.hear(0, vlr::SHAPE).await?;
        self.columns = vlr::read_u32(&shape).filter(|d| (1..=2048).contains(d)).ok_or(Stop::Told)? as usize;
        let positives = self.facts.labels.iter().filter(|label| **label == 1).count();
        let maximum = self.dialogue.plan().max_evaluations;
        let plan = vlr::plan(self.facts.training as u32, positives as u32, maximum, LAMBDA);
        self.say(vlr::PLAN, plan).await?;
        let train = self.dialogue.case.setting.train.clone();
        let on = matches!(self.dialogue.operator, Some(Operator::EvaluateOn));
        let count = if on { ENDLESS } else { train.sets.len() };
        for number in 0..count {
            let grade = train.sets[number.min(train.sets.len() - 1)].clone();
            let wrapped = train.wrap == Some(number);
            if on && number == maximum as usize {
                self.dialogue.deviation(format!("STEP of evaluation {number}, {maximum} are announced"));
            }
            self.evaluate(&Evaluation { number, grade: grade.clone(), wrapped }).await?;
            if train.repeat == Some(number) {
                self.block.retract();
            }
            if wrapped || train.repeat == Some(number) {
                self.evaluate(&Evaluation { number, grade, wrapped: false }).await?;
            }
        }
        self.dialogue.record.facts(|facts| {
            if let Some(train) = &mut facts.train {
                train.done = Some(count - 1);
            }
        });
        self.say(vlr::DONE, (count as u32 - 1).to_be_bytes().to_vec()).await
    }

    /// Adds to the facts of the round.
    fn note(&self, set: impl FnOnce(&mut RoundFacts)) {
        self.dialogue.record.facts(|facts| {
            if let Some(round) = facts.train.as_mut().and_then(|train| train.rounds.last_mut()) {
                set(round);
            }
        });
    }

    /// Stage and round of what is sent next.
    fn place(&mut self) {
        self.stream.place = (STAGE, self.round);
        if let Some(relay) = &mut self.stream.relay {
            relay.place = (STAGE, self.round);
        }
    }

    async fn hear(&mut self, to: u16, kind: u16) -> Flow<Vec<u8>> {
        self.dialogue.hear_kind(self.stream, &mut self.heard, to, kind).await
    }

    /// A key of 16 bytes for one purpose in this round.
    fn key(&self, purpose: &str) -> [u8; 16] {
        let digest = h(&[self.seed.as_bytes(), &self.round.to_be_bytes(), purpose.as_bytes()]);
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        key
    }

    async fn evaluate(&mut self, evaluation: &Evaluation) -> Flow<()> {
        self.place();
        let (points, gradients) = self.next_point(evaluation);
        self.say(vlr::STEP, vlr::step(self.round, &points, &gradients)).await?;
        if evaluation.number > 0 {
            self.block.step(&points, &gradients);
        }
        let bound = match self.dialogue.operator {
            // Nobody answers what was not said.
            Some(Operator::Omit { message, .. }) if message == "STEP" => 0,
            _ => vlr::read_u32(&self.hear(0, vlr::BOUND).await?).ok_or(Stop::Told)?,
        };
        let own = self.block.predictor();
        let bound = u64::from(bound) + own.iter().fold(0.0, |a: f64, z| a.max(z.abs())).ceil() as u64;
        self.sine = choose(&evaluation.grade, bound).ok_or_else(|| Stop::Suite("no such grade".into()))?;
        let mut beta: Vec<u64> = own.iter().map(|z| vlr::phase(*z, self.sine.P)).collect();
        let masks = self.masks();
        if let Some(mask) = masks.first() {
            vlr::mask(&mut beta, mask, true);
        }
        let facts = RoundFacts {
            round: self.round,
            evaluation: evaluation.number,
            sine: self.sine.id,
            points,
            gradients,
            beta: beta.clone(),
            residual: Vec::new(),
            secrets: ["basis", "residual 0", "residual 1"].map(|name| hex::encode(self.key(name))).to_vec(),
            masks: masks.iter().map(hex::encode).collect(),
            block_seeds: ["block 0 seed", "block 1 seed"].map(|name| hex::encode(self.key(name))).to_vec(),
            share: hex::encode(self.key("share")),
            opened_masks: Vec::new(),
            wrapped: evaluation.wrapped,
        };
        self.dialogue.record.facts(|all| all.train.iter_mut().for_each(|train| train.rounds.push(facts.clone())));
        self.say(vlr::EVAL, self.sine.id.to_be_bytes().to_vec()).await?;
        let sums = if self.pairs.is_some() {
            self.both_owners(&own, &masks, evaluation).await?
        } else {
            self.one_owner(&beta, evaluation).await?
        };
        self.hear(0, vlr::SCALARS).await?;
        if !evaluation.wrapped {
            let error = vec![0.0; sums.len()];
            self.block.accept(&Bounded { value: sums, error });
        }
        self.round += 1;
        self.place();
        Ok(())
    }

    /// The next point: one step along the last direction.
    fn next_point(&mut self, evaluation: &Evaluation) -> (Vec<f64>, Vec<f64>) {
        let number = evaluation.number;
        let (mut points, mut gradients) = (vec![0.0; number], vec![0.0; number]);
        if number > 0 {
            (points[number - 1], gradients[number - 1]) = (1.0, -1.0);
        }
        if let Some(Operator::StepFar { factor }) = self.dialogue.operator
            && number == 1
        {
            gradients[0] = -factor;
            self.dialogue.deviation(format!("a step {factor} times as far as the last direction says"));
        }
        (points, gradients)
    }

    /// Keys of the masks that the target shares with the suite's ranks.
    fn masks(&self) -> Vec<[u8; 16]> {
        let Some((zero, one)) = &self.pairs else { return Vec::new() };
        let key = |pair: &keys::Pair, i, mask_use| pair.mask_key((i, 2), STAGE, self.round, mask_use);
        vec![key(zero, 0, 4), key(zero, 0, 2), key(one, 1, 2)]
    }

    /// The target is rank 1: it evaluates the sigmoid, and each has one share of the residual.
    async fn one_owner(&mut self, beta: &[u64], evaluation: &Evaluation) -> Flow<Vec<f64>> {
        let ring = self.sine.ring();
        let secret = Secret::new(ring, scheme::ternary(&self.key("basis")));
        let stream_key = scheme::stream_key(&self.transcript, ring, 0, self.round);
        let public = secret.public(&stream_key, &scheme::binomial(&self.key("basis error")));
        self.say(vlr::BASIS_KEY, public).await?;
        let owner = Secret::new(&G, scheme::ternary(&self.key("residual 0")));
        self.say(vlr::RESIDUAL_KEY, self.residual_key(&owner, 0)).await?;
        let basis = tokio::task::block_in_place(|| self.basis(&secret, beta));
        for payload in basis {
            self.say(vlr::BASIS, payload).await?;
        }
        let theirs = self.hear(0, vlr::RESIDUAL_KEY).await?;
        let masked = self.hear(0, vlr::MASKED).await?;
        let block = self.hear(0, vlr::RESIDUAL).await?;
        let answer = vlr::split_block(&masked).ok_or(Stop::Told)?.1;
        let (slots, _) = secret.open_slots(answer).map_err(|_| Stop::Told)?;
        let share = vlr::residual_share(&slots, &self.facts.labels, self.sine.f_x);
        self.say(vlr::RESIDUAL, self.residual(&owner, &share, 0)).await?;
        let (payloads, masks) = tokio::task::block_in_place(|| self.own_sums(&theirs, &block))?;
        self.note(|round| round.opened_masks = masks.clone());
        for payload in payloads {
            self.say(vlr::SUMS, payload).await?;
        }
        let values = self.opened(0, &owner, evaluation).await?;
        self.say(vlr::OPENED, vlr::from_words(&values)).await?;
        let opened = self.hear(0, vlr::OPENED).await?;
        let opened = vlr::read_words(&opened, self.block.count()).ok_or(Stop::Told)?;
        Ok((0..self.block.count())
            .map(|j| {
                let half = opened[j].wrapping_sub(masks[j] >> vlr::DROPPED) << vlr::DROPPED;
                vlr::inner(&self.block.fixed(j), &share).wrapping_sub(half) as i64 as f64 / SUM
            })
            .collect())
    }

    /// The target is rank 2: both shares are the suite's, and the residual is known to it.
    async fn both_owners(&mut self, own: &[f64], masks: &[[u8; 16]], evaluation: &Evaluation) -> Flow<Vec<f64>> {
        let share = self.hear(1, vlr::SHARE).await?;
        let mut phases = vlr::read_words(&share, own.len()).ok_or(Stop::Told)?;
        vlr::mask(&mut phases, &masks[0], true);
        let turn = f64::from(self.sine.P) / 2f64.powi(64);
        let residual: Vec<i64> = (0..own.len())
            .map(|i| {
                let s = own[i] + phases[i] as i64 as f64 * turn;
                let error = crate::wire::vlr_block::sigmoid(s) - f64::from(self.facts.labels[i]);
                (error * vlr::RESIDUAL_UNIT).round() as i64
            })
            .collect();
        self.note(|round| round.residual = residual.clone());
        let r = vlr::drawn_share(&self.key("share"), own.len());
        let y: Vec<u64> = residual.iter().zip(&r).map(|(e, r)| r.wrapping_add(*e as u64)).collect();
        let owners = [0, 1].map(|rank| Secret::new(&G, scheme::ternary(&self.key(&format!("residual {rank}")))));
        for rank in [0, 1] {
            let key = self.residual_key(&owners[rank], rank as u16);
            self.say_as(rank as u16, vlr::RESIDUAL_KEY, key).await?;
        }
        for (rank, share) in [y, r].iter().enumerate() {
            let payload = self.residual(&owners[rank], share, rank as u16);
            self.say_as(rank as u16, vlr::RESIDUAL, payload).await?;
        }
        for rank in [0, 1] {
            let values = self.opened(rank as u16, &owners[rank], evaluation).await?;
            self.say_as(rank as u16, vlr::OPENED, vlr::from_words(&values)).await?;
        }
        let words: Vec<u64> = residual.iter().map(|e| *e as u64).collect();
        Ok((0..self.block.count()).map(|j| vlr::inner(&self.block.fixed(j), &words) as i64 as f64 / SUM).collect())
    }

    /// BASIS of the one block, by harmonic.
    fn basis(&self, secret: &Secret, beta: &[u64]) -> Vec<Vec<u8>> {
        let one = |k: usize| {
            let (cosines, sines) = self.sine.basis(k, beta);
            let mut payload = [0u32.to_be_bytes().as_slice(), &(k as u16).to_be_bytes()].concat();
            for (part, values) in [("cosines", cosines), ("sines", sines)] {
                let error = scheme::binomial(&self.key(&format!("{part} {k} error")));
                payload.extend(secret.encrypt(&values, &error, &self.key(&format!("{part} {k} seed"))));
            }
            payload
        };
        let harmonics: Vec<usize> = (1..=self.sine.K).collect();
        let (low, high) = harmonics.split_at(harmonics.len() / 2);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| high.iter().map(|k| one(*k)).collect::<Vec<_>>());
            let mut out: Vec<Vec<u8>> = low.iter().map(|k| one(*k)).collect();
            out.extend(other.join().unwrap_or_default());
            out
        })
    }

    fn residual_key(&self, owner: &Secret, rank: u16) -> Vec<u8> {
        let key = scheme::stream_key(&self.transcript, &G, rank, self.round);
        owner.public(&key, &scheme::binomial(&self.key(&format!("residual {rank} error"))))
    }

    fn residual(&self, owner: &Secret, share: &[u64], rank: u16) -> Vec<u8> {
        let values: Vec<i128> = share.iter().map(|v| i128::from(*v)).collect();
        let error = scheme::binomial(&self.key(&format!("block {rank} error")));
        let ciphertext = owner.encrypt(&values, &error, &self.key(&format!("block {rank} seed")));
        [0u32.to_be_bytes().as_slice(), &ciphertext].concat()
    }

    /// Rank 0's SUMS on the target's share, and the mask of each.
    fn own_sums(&self, key: &[u8], block: &[u8]) -> Flow<(Vec<Vec<u8>>, Vec<u64>)> {
        let stream_key = scheme::stream_key(&self.transcript, &G, 1, self.round);
        let public = scheme::read_public(key, &G, &stream_key).map_err(|_| Stop::Told)?;
        let ciphertext = vlr::split_block(block).ok_or(Stop::Told)?.1;
        let (_, ciphertext) = scheme::read_ciphertext(ciphertext, &G).map_err(|_| Stop::Told)?;
        let one = |j: usize| {
            let key = |name: &str| self.key(&format!("sum {j} {name}"));
            let mut sum = scheme::nothing(&G);
            scheme::accumulate(&G, &mut sum, &scheme::column(&self.block.fixed(j)), &ciphertext);
            let mask = Words::new(&key("mask")).u64s(rlwe::N);
            let blinding = Blinding {
                u: scheme::ternary(&key("u")),
                e1: scheme::binomial(&key("e1")),
                e2: scheme::binomial(&key("e2")),
                mask: mask.iter().map(|m| i128::from(*m)).collect(),
                flood: scheme::flood(&key("flood"), G.flood),
            };
            let head = [(j as u16).to_be_bytes(), (self.block.count() as u16).to_be_bytes()].concat();
            ([head, scheme::answer(&G, &sum, &public, &blinding)].concat(), mask[0])
        };
        Ok((0..self.block.count()).map(one).unzip())
    }

    /// What the target's SUMS open to under the key of one of the suite's ranks.
    async fn opened(&mut self, rank: u16, owner: &Secret, evaluation: &Evaluation) -> Flow<Vec<u64>> {
        let mut values = Vec::new();
        for _ in 0..self.columns {
            let payload = self.hear(rank, vlr::SUMS).await?;
            let (_, _, answer) = vlr::split_column(&payload).ok_or(Stop::Told)?;
            values.push(owner.open_sum(answer).map_err(|_| Stop::Told)? >> vlr::DROPPED);
        }
        if evaluation.wrapped && rank == 0 {
            values.iter_mut().for_each(|v| *v ^= 1 << 37);
        }
        Ok(values)
    }
}

/// The narrowest set of a grade that reaches `bound`; the widest where none does.
fn choose(grade: &str, bound: u64) -> Option<Sine> {
    let mut sets: Vec<Sine> = vlr::sine_sets().into_iter().filter(|s| s.name.starts_with(grade)).collect();
    sets.sort_by_key(|set| set.R);
    let at = sets.iter().position(|set| u64::from(set.R) >= bound).unwrap_or(sets.len().checked_sub(1)?);
    Some(sets.swap_remove(at))
}
