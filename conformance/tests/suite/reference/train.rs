//! Training of the reference target as the designated collaborator: one message in, some messages out.

use std::collections::HashSet;
use std::sync::Arc;

use hefu_conformance::wire::rlwe::{Bad, COARSE, G, N, S, Set, Stream};
use hefu_conformance::wire::rlwe_scheme::{self as scheme, Blinding, Pair, Secret};
use hefu_conformance::wire::vlr::{self, Sine};
use hefu_conformance::wire::vlr_block::{Block, Bounded, Standard, predictor, standardise};
use tonic::Status;

use super::{Node, random, refuse};

/// Kind, stage, round, payload.
pub(super) type Out = Vec<(u16, u32, u32, Vec<u8>)>;

/// What the offer says of the job.
#[derive(Clone, Default)]
pub(super) struct Plan {
    pub max_evaluations: u32,
    pub lambda: f64,
    pub left: bool,
}

enum Phase {
    Plan,
    Step,
    Eval,
    Gather(Box<Gather>),
    Done,
}

/// One round's keys and what has come of it.
struct Gather {
    sine: Sine,
    alpha: Vec<u64>,
    basis_key: Option<Pair>,
    seeds: HashSet<[u8; 16]>,
    sum: Pair,
    harmonic: usize,
    owner: Secret,
    share: Vec<u64>,
    peer_key: Option<Pair>,
    masks: Vec<u64>,
    opening: Vec<u64>,
    asked: Option<u16>,
    halves: Option<Vec<u64>>,
}

pub(super) struct Trainer {
    node: Arc<Node>,
    transcript: [u8; 32],
    plan: Plan,
    standard: Standard,
    rows: usize,
    block: Block,
    round: u32,
    phase: Phase,
    /// Everything random of round 0, for a target that draws nothing afterwards.
    first: [u8; 32],
}

fn malformed() -> Status {
    refuse("MALFORMED_MESSAGE")
}

fn bad(bad: Bad) -> Status {
    refuse(if bad == Bad::Residue { "BAD_ELEMENT" } else { "MALFORMED_MESSAGE" })
}

impl Trainer {
    /// Checks the own rows and says how many columns they have.
    pub(super) fn new(
        node: Arc<Node>,
        transcript: [u8; 32],
        plan: Plan,
        rows: &[Option<Vec<f64>>],
        training: usize,
    ) -> Result<(Trainer, Out), Status> {
        let mut standard = standardise(rows, training, plan.left);
        let (n, d) = (training, standard.training.len());
        if d < 3 && !node.has("skips-column-count") {
            return Err(refuse("TOO_FEW_COLUMNS"));
        }
        let few = n < 10 * d || plan.max_evaluations as usize * d > n / 2;
        if few && !node.has("skips-row-count") {
            return Err(refuse("TOO_FEW_ROWS"));
        }
        for column in &mut standard.training {
            if column.iter().any(|x| x.is_nan()) {
                if !node.has("skips-constant-columns") {
                    return Err(refuse("CONSTANT_COLUMN"));
                }
                column.fill(0.0);
            }
            let most = column.iter().map(|x| column.iter().filter(|y| *y == x).count()).max().unwrap_or(0);
            let missing = plan.left && d == 4;
            if n - most < n.div_ceil(100).max(50) && !node.has("skips-rare-values") && !missing {
                return Err(refuse("RARE_VALUES"));
            }
        }
        if node.has("halves-its-columns") {
            standard.training.iter_mut().flatten().for_each(|x| *x /= 2.0);
        }
        let block = Block::new(standard.training.clone(), false, n, n / 2, plan.lambda);
        let out = vec![(vlr::SHAPE, 2, 0, (d as u32).to_be_bytes().to_vec())];
        let first = random();
        Ok((Trainer { node, transcript, plan, standard, rows: n, block, round: 0, phase: Phase::Plan, first }, out))
    }

    pub(super) fn done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    fn has(&self, fault: &str) -> bool {
        self.node.has(fault)
    }

    /// A key of 16 bytes: fresh, but for the faults that draw none.
    fn key(&self, purpose: &str) -> [u8; 16] {
        let fixed = self.has("repeats-round-zero")
            || (self.has("static-residual-key") && ["secret", "secret error"].contains(&purpose));
        if !fixed {
            return random();
        }
        let digest = hefu_conformance::wire::h(&[&self.first, purpose.as_bytes()]);
        digest[..16].try_into().unwrap()
    }

    pub(super) fn take(&mut self, (stage, round): (u32, u32), kind: u16, payload: &[u8]) -> Result<Out, Status> {
        if stage != 2 {
            return Err(refuse("UNEXPECTED_MESSAGE"));
        }
        if round != self.round && !self.has("ignores-frame-round") {
            return Err(refuse("STALE_ROUND"));
        }
        match (std::mem::replace(&mut self.phase, Phase::Done), kind) {
            (Phase::Plan, vlr::PLAN) => self.plan(payload),
            (Phase::Step, vlr::STEP) => self.step(payload),
            (Phase::Step, vlr::DONE) => self.finish(payload),
            (Phase::Eval, vlr::EVAL) => self.eval(payload),
            (Phase::Gather(mut gather), _) => {
                let mut out = self.gather(&mut gather, kind, payload)?;
                if gather.halves.is_some() && gather.asked == Some(gather.opening.len() as u16) {
                    out.push(self.scalars(&gather)?);
                } else {
                    self.phase = Phase::Gather(gather);
                }
                Ok(out)
            }
            _ => Err(refuse("UNEXPECTED_MESSAGE")),
        }
    }

    fn plan(&mut self, payload: &[u8]) -> Result<Out, Status> {
        let (rows, positives, evaluations, lambda) = vlr::read_plan(payload).ok_or_else(malformed)?;
        if !lambda.is_finite() {
            return Err(malformed());
        }
        let agreed =
            rows as usize == self.rows && evaluations == self.plan.max_evaluations && lambda == self.plan.lambda;
        let possible = positives > 0 && (positives as usize) < self.rows;
        if !(agreed || self.has("ignores-plan-numbers")) || !possible {
            return Err(refuse("SHAPE_MISMATCH"));
        }
        self.block = Block::new(self.standard.training.clone(), false, self.rows, positives as usize, self.plan.lambda);
        self.phase = Phase::Step;
        Ok(Vec::new())
    }

    fn step(&mut self, payload: &[u8]) -> Result<Out, Status> {
        if self.round >= self.plan.max_evaluations && !self.has("no-round-limit") {
            return Err(refuse("TOO_MANY_ROUNDS"));
        }
        let read = if self.has("ignores-envelope-digest") && payload.len() > 32 {
            vlr::read_envelope(&vlr::digested(payload[..payload.len() - 32].to_vec()))
        } else {
            vlr::read_envelope(payload)
        };
        let (round, tensors) = read.map_err(refuse)?;
        let accepted = self.block.accepted();
        let named = |names: [&str; 2]| tensors.len() == 2 && tensors.iter().zip(names).all(|(t, n)| t.name == n);
        let shaped = |count: usize| tensors.iter().all(|t| t.codec == 1 && t.shape == [count as u32]);
        let repeated = accepted > 0 && shaped(accepted - 1);
        let names = named(["points", "gradients"]) || self.has("ignores-tensor-names");
        let fills = self.has("fills-step");
        if !names || !(shaped(accepted) || repeated || fills) {
            return Err(refuse("SHAPE_MISMATCH"));
        }
        if round != self.round && !self.has("ignores-envelope-round") {
            return Err(refuse("STALE_ROUND"));
        }
        if repeated && !fills {
            self.block.retract();
        } else if accepted > 0 {
            let mut lists = tensors.iter().take(2).map(|tensor| {
                let mut list: Vec<f64> = tensor.elements.iter().map(|e| f64::from_bits(*e)).collect();
                list.resize(accepted, 0.0);
                list
            });
            let (points, mut gradients) = (lists.next().unwrap(), lists.next().unwrap());
            if self.has("steps-one-percent-far") {
                gradients.iter_mut().for_each(|g| *g *= 1.01);
            }
            self.block.step(&points, &gradients);
        }
        let bound = self.block.predictor().iter().fold(0.0, |a: f64, z| a.max(z.abs())).ceil();
        self.phase = Phase::Eval;
        Ok(vec![self.say(vlr::BOUND, (bound as u32).to_be_bytes().to_vec())])
    }

    fn say(&self, kind: u16, payload: Vec<u8>) -> (u16, u32, u32, Vec<u8>) {
        (kind, 2, self.round, payload)
    }

    fn eval(&mut self, payload: &[u8]) -> Result<Out, Status> {
        let known = vlr::sine(vlr::read_u16(payload).ok_or_else(malformed)?);
        let any = vlr::sine_sets().into_iter().next().filter(|_| self.has("takes-any-sine-set"));
        let mut sine = known.or(any).ok_or_else(malformed)?;
        let alpha = self.block.predictor().iter().map(|z| vlr::phase(*z, sine.P)).collect();
        let owner = Secret::new(&G, scheme::ternary(&self.key("secret")));
        let stream_key = scheme::stream_key(&self.transcript, &G, 1, self.round);
        let key = owner.public(&stream_key, &scheme::binomial(&self.key("secret error")));
        if self.has("forgets-a-harmonic") {
            *sine.C.last_mut().unwrap() = 0;
        }
        let gather = Gather {
            alpha,
            basis_key: None,
            seeds: HashSet::new(),
            sum: scheme::nothing(sine.ring()),
            harmonic: 0,
            owner,
            share: Vec::new(),
            peer_key: None,
            masks: Vec::new(),
            opening: Vec::new(),
            asked: None,
            halves: None,
            sine,
        };
        self.phase = Phase::Gather(Box::new(gather));
        Ok(vec![self.say(vlr::RESIDUAL_KEY, key)])
    }

    fn gather(&mut self, gather: &mut Gather, kind: u16, payload: &[u8]) -> Result<Out, Status> {
        let ring = gather.sine.ring();
        match kind {
            vlr::BASIS_KEY if gather.basis_key.is_none() => {
                gather.basis_key = Some(self.public_key(payload, ring)?);
                Ok(Vec::new())
            }
            vlr::BASIS => self.basis(gather, payload),
            vlr::RESIDUAL_KEY if gather.peer_key.is_none() => {
                gather.peer_key = Some(self.public_key(payload, &G)?);
                Ok(Vec::new())
            }
            vlr::RESIDUAL if gather.masks.is_empty() => self.residual(gather, payload),
            vlr::SUMS if !gather.share.is_empty() => self.sums(gather, payload),
            vlr::OPENED if !gather.masks.is_empty() && gather.halves.is_none() => {
                let mut values = vlr::read_words(payload, self.block.count()).ok_or_else(malformed)?;
                if self.has("cuts-opened-sums") {
                    values.iter_mut().for_each(|v| *v &= (1 << 38) - 1);
                }
                if values.iter().any(|v| v >> 38 != 0) {
                    return Err(malformed());
                }
                let half = |(v, mask): (&u64, &u64)| v.wrapping_sub(mask >> vlr::DROPPED) << vlr::DROPPED;
                gather.halves = Some(values.iter().zip(&gather.masks).map(half).collect());
                Ok(Vec::new())
            }
            _ => Err(refuse("UNEXPECTED_MESSAGE")),
        }
    }

    /// Bytes of whole residues: a target that accepts large ones reduces them.
    fn reduced(&self, bytes: &[u8], set: &Set) -> Vec<u8> {
        if !self.has("accepts-large-residues") || bytes.len() != set.key_bytes() {
            return bytes.to_vec();
        }
        let parts = bytes.chunks(hefu_conformance::wire::rlwe::PACKED).zip(set.primes);
        let part = |(part, p): (&[u8], &u64)| {
            let values: Vec<u64> = hefu_conformance::wire::rlwe::unpack(part).iter().map(|v| v % p).collect();
            hefu_conformance::wire::rlwe::pack(&hefu_conformance::wire::rlwe::from_wire(&values))
        };
        parts.flat_map(part).collect()
    }

    fn public_key(&self, payload: &[u8], set: &Set) -> Result<Pair, Status> {
        let stream_key = scheme::stream_key(&self.transcript, set, 0, self.round);
        scheme::read_public(&self.reduced(payload, set), set, &stream_key).map_err(bad)
    }

    fn ciphertext(&self, gather: &mut Gather, bytes: &[u8], set: &Set) -> Result<Pair, Status> {
        let (seed, body) = bytes.split_at_checked(16).ok_or_else(malformed)?;
        let whole = [seed, &self.reduced(body, set)].concat();
        let (seed, pair) = scheme::read_ciphertext(&whole, set).map_err(bad)?;
        if !gather.seeds.insert(seed) && !self.has("forgets-seeds") {
            return Err(refuse("DUPLICATE_ELEMENT"));
        }
        Ok(pair)
    }

    fn basis(&mut self, gather: &mut Gather, payload: &[u8]) -> Result<Out, Status> {
        let ring = gather.sine.ring();
        let (head, body) = payload.split_first_chunk::<6>().ok_or_else(malformed)?;
        let place = (u32::from_be_bytes(head[..4].try_into().unwrap()), u16::from_be_bytes([head[4], head[5]]));
        let next = (0, gather.harmonic as u16 + 1);
        if (place != next && !self.has("ignores-block-index"))
            || gather.harmonic == gather.sine.K
            || gather.basis_key.is_none()
        {
            return Err(malformed());
        }
        if body.len() != 2 * ring.ciphertext_bytes() {
            return Err(malformed());
        }
        let (of_cosines, of_sines) = body.split_at(ring.ciphertext_bytes());
        gather.harmonic += 1;
        let multipliers = gather.sine.multipliers(gather.harmonic, &gather.alpha);
        for (bytes, values) in [(of_cosines, multipliers.0), (of_sines, multipliers.1)] {
            let ciphertext = self.ciphertext(gather, bytes, ring)?;
            scheme::accumulate(ring, &mut gather.sum, &scheme::slot_multiplier(ring, &values), &ciphertext);
        }
        if gather.harmonic < gather.sine.K {
            return Ok(Vec::new());
        }
        self.masked(gather)
    }

    fn blinding(&self, set: &Set, mask: Vec<i128>, purpose: &str) -> Blinding {
        let key = |name: &str| self.key(&format!("{purpose} {name}"));
        let mut blinding = Blinding {
            u: scheme::ternary(&key("u")),
            e1: scheme::binomial(&key("e1")),
            e2: scheme::binomial(&key("e2")),
            mask,
            flood: scheme::flood(&key("flood"), set.flood),
        };
        if self.has("omits-encryption-of-zero") {
            blinding.u.fill(0);
        }
        if self.has("omits-flood") {
            blinding.flood.fill(0);
        }
        blinding
    }

    fn masked(&mut self, gather: &mut Gather) -> Result<Out, Status> {
        let ring = gather.sine.ring();
        debug_assert!(*ring == S || *ring == COARSE);
        let mut stream = Stream::new(&self.key("slots"));
        let residues = ring.slots.iter().map(|t| stream.uniform(*t, N)).collect();
        let mut mask: Vec<i128> = scheme::compose(&residues, ring.slots).into_iter().map(|v| v as i128).collect();
        if self.has("omits-slot-mask") {
            mask.fill(0);
        }
        gather.share = mask.iter().take(self.rows).map(|r| (*r as u128 >> gather.sine.f_x) as u64).collect();
        let key = gather.basis_key.as_ref().ok_or_else(malformed)?;
        let answer = scheme::answer(ring, &gather.sum, key, &self.blinding(ring, mask, "slots"));
        let values: Vec<i128> = gather.share.iter().map(|v| i128::from(*v)).collect();
        let ciphertext =
            gather.owner.encrypt(&values, &scheme::binomial(&self.key("block error")), &self.key("block seed"));
        let block = 0u32.to_be_bytes();
        let masked = self.say(vlr::MASKED, [block.as_slice(), &answer].concat());
        Ok(vec![masked, self.say(vlr::RESIDUAL, [block.as_slice(), &ciphertext].concat())])
    }

    fn residual(&mut self, gather: &mut Gather, payload: &[u8]) -> Result<Out, Status> {
        let (block, ciphertext) = vlr::split_block(payload).ok_or_else(malformed)?;
        if gather.peer_key.is_none() || (block != 0 && !self.has("ignores-block-index")) {
            return Err(malformed());
        }
        let ciphertext = self.ciphertext(gather, ciphertext, &G)?;
        let key = gather.peer_key.as_ref().ok_or_else(malformed)?;
        let mut out = Vec::new();
        let count = self.block.count();
        for j in 0..count {
            let mut sum = scheme::nothing(&G);
            let mut fixed = self.block.fixed(j);
            if self.has("drops-last-training-row") {
                fixed.pop();
            }
            scheme::accumulate(&G, &mut sum, &scheme::column(&fixed), &ciphertext);
            let mut mask = Stream::new(&self.key(&format!("mask {j}"))).u64s(N);
            if self.has("omits-mask") {
                mask.fill(0);
            }
            if self.has("masks-all-columns-alike") {
                mask = Stream::new(&self.first[..16].try_into().unwrap()).u64s(N);
            }
            let wide = mask.iter().map(|m| i128::from(*m)).collect();
            let answer = scheme::answer(&G, &sum, key, &self.blinding(&G, wide, &format!("sum {j}")));
            gather.masks.push(mask[0]);
            let head = [(j as u16).to_be_bytes(), (count as u16).to_be_bytes()].concat();
            out.push(self.say(vlr::SUMS, [head, answer].concat()));
        }
        Ok(out)
    }

    fn sums(&mut self, gather: &mut Gather, payload: &[u8]) -> Result<Out, Status> {
        let (column, columns, answer) = vlr::split_column(payload).ok_or_else(malformed)?;
        if columns > 2048 && !self.has("opens-any-number") {
            return Err(refuse("SHAPE_MISMATCH"));
        }
        let announced = *gather.asked.get_or_insert(columns);
        if column != gather.opening.len() as u16 || column >= columns || columns != announced {
            return Err(malformed());
        }
        gather.opening.push(gather.owner.open_sum(answer).map_err(bad)? >> vlr::DROPPED);
        if gather.opening.len() as u16 != columns {
            return Ok(Vec::new());
        }
        Ok(vec![self.say(vlr::OPENED, vlr::from_words(&gather.opening))])
    }

    fn scalars(&mut self, gather: &Gather) -> Result<(u16, u32, u32, Vec<u8>), Status> {
        let halves = gather.halves.as_ref().ok_or_else(malformed)?;
        let scale = vlr::COLUMN * vlr::RESIDUAL_UNIT;
        let mut sums = Vec::new();
        let mut wrapped = false;
        for (j, half) in halves.iter().enumerate() {
            let fixed = self.block.fixed(j);
            let sum = half.wrapping_sub(vlr::inner(&fixed, &gather.share)) as i64 as f64 / scale;
            let bound = self.block.x[j].iter().map(|x| x.abs()).sum::<f64>() + 1.0;
            wrapped |= sum.abs() > bound && !self.has("never-flags");
            sums.push(sum);
        }
        let (flags, values) = if wrapped {
            (1, vec![0.0; vlr::scalar_count(self.block.accepted())])
        } else {
            let error = vec![0.0; sums.len()];
            (0, self.block.accept(&Bounded { value: sums, error }).value)
        };
        if values.iter().any(|v| v.abs() >= 4096.0) && !self.has("no-scalar-limit") {
            return Err(refuse("SCALAR_TOO_LARGE"));
        }
        let scale = if self.has("scalars-one-bit-off") { vlr::SCALAR / 2.0 } else { vlr::SCALAR };
        let words = values.iter().map(|v| (v * scale).round() as i64 as u64).collect();
        let payload = vlr::scalars(self.round, flags, words);
        let out = self.say(vlr::SCALARS, payload);
        self.round += 1;
        self.phase = Phase::Step;
        Ok(out)
    }

    fn finish(&mut self, payload: &[u8]) -> Result<Out, Status> {
        let mut e = vlr::read_u32(payload).ok_or_else(malformed)? as usize;
        let last = self.block.accepted().saturating_sub(1);
        if self.has("ends-with-last") {
            e = e.min(last);
        }
        if self.has("keeps-the-point-before") {
            e = e.saturating_sub(1);
        }
        let point = self.block.point_of(e).ok_or_else(malformed)?;
        let rows = self.standard.test.first().map_or(0, Vec::len);
        let parts = predictor(&self.standard.test, &point.value, rows);
        let words: Vec<u64> = parts.iter().map(|z| (z * vlr::SCORE).round() as i64 as u64).collect();
        let payload = [0u32.to_be_bytes().as_slice(), &vlr::from_words(&words)].concat();
        Ok(if rows == 0 { Vec::new() } else { vec![(vlr::SCORE_PART, 3, 0, payload)] })
    }
}
