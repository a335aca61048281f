//! Joint training in one process, with the registered sine sets' arithmetic in place of encryption.
#![allow(dead_code)]
use hefu_model::block::scalar_count;
use hefu_model::{Block, Columns, Decision, Grade, Optimiser, Target};
use serde::Deserialize;
use std::f64::consts::TAU;

#[derive(Deserialize)]
struct Registry {
    sine_sets: Vec<Sine>,
}

#[derive(Deserialize, Clone)]
#[allow(non_snake_case)]
struct Sine {
    name: String,
    P: f64,
    R: f64,
    set: String,
    f_b: i32,
    f_a: i32,
    f_x: i32,
    C: Vec<f64>,
}

fn choose(grade: Grade, bound: u32) -> Sine {
    let registry: Registry = serde_json::from_str(include_str!("../../../../spec/registry/sine_sets.json")).unwrap();
    let prefix = match grade {
        Grade::Coarse => "coarse",
        Grade::Medium => "medium",
        Grade::Fine => "fine",
    };
    let reach = f64::from(bound) * grade.reach();
    registry.sine_sets.into_iter().find(|s| s.name.starts_with(prefix) && s.R >= reach).unwrap()
}

/// One evaluation.
pub struct Evaluation {
    pub grade: Grade,
    pub bound: u32,
    pub norm: f64,
    /// Bytes of the basis and the masked answer.
    pub bytes: usize,
}

/// What a joint training came to.
pub struct Joint {
    pub coefficients: Vec<f64>,
    pub intercept: f64,
    pub evaluations: Vec<Evaluation>,
}

impl Joint {
    /// Trains; panics where it does not converge.
    pub fn train(parties: Vec<Columns>, labels: &[u8], lambda: f64) -> Joint {
        let positives = labels.iter().filter(|y| **y == 1).count() as u32;
        let target = Target { rows: labels.len() as u32, positives, lambda };
        let mut blocks: Vec<Block> =
            parties.into_iter().enumerate().map(|(i, x)| Block::new(x, i == 0, &target).unwrap()).collect();
        let mut optimiser = Optimiser::new(40);
        let mut grade = optimiser.start();
        let mut evaluations = Vec::new();
        loop {
            let bound = blocks.iter().map(|b| b.bound().unwrap()).sum();
            let sine = choose(grade, bound);
            let scalars = evaluate(&mut blocks, labels, &sine);
            let decision = optimiser.record(&scalars, grade).unwrap();
            evaluations.push(Evaluation { grade, bound, norm: optimiser.norm(), bytes: bytes(&sine, labels.len()) });
            match decision {
                Decision::Evaluate { points, gradients, grade: next } => {
                    blocks.iter_mut().for_each(|b| b.step(&points, &gradients).unwrap());
                    grade = next;
                }
                Decision::Converged { evaluation } => {
                    let parts = blocks.iter().map(|b| b.coefficients(evaluation as usize).unwrap());
                    let mut own: Vec<Vec<f64>> = parts.map(<[f64]>::to_vec).collect();
                    let intercept = own[0].pop().unwrap();
                    return Joint { coefficients: own.concat(), intercept, evaluations };
                }
                other => unreachable!("{other:?} after {} evaluations", evaluations.len()),
            }
        }
    }

    /// Grades, bytes and the last norm.
    pub fn summary(&self) -> String {
        let letters: String = self.evaluations.iter().map(|e| ["c", "m", "f"][e.grade as usize]).collect();
        let megabytes = self.evaluations.iter().map(|e| e.bytes).sum::<usize>() / 1_000_000;
        let (bound, norm) = self.evaluations.last().map_or((0, 0.0), |e| (e.bound, e.norm));
        format!("{} evaluations {letters}, {megabytes} MB of bases, bound {bound}, norm {norm:.1e}", letters.len())
    }
}

/// Bytes of 2K ciphertexts a block, and of the answers.
fn bytes(sine: &Sine, rows: usize) -> usize {
    let primes = if sine.set == "S" { 4 } else { 3 };
    rows.div_ceil(8192) * 51_200 * (2 * sine.C.len() * primes + 4)
}

fn evaluate(blocks: &mut [Block], labels: &[u8], sine: &Sine) -> Vec<f64> {
    let turn = 2f64.powi(64);
    let mut total = vec![0u64; labels.len()];
    for block in blocks.iter() {
        total.iter_mut().zip(block.phases(sine.P)).for_each(|(t, p)| *t = t.wrapping_add(p));
    }
    let mut draws = 0u64;
    let mut draw = || {
        draws += 1;
        let z = draws.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
    };
    let residual = |phase: &u64, label: &u8, alpha: u64, dropped: u64| {
        let beta = phase.wrapping_sub(alpha);
        let mut sum = 0.0;
        for (k, c) in sine.C.iter().enumerate() {
            let angle = |p: u64| p.wrapping_mul(2 * k as u64 + 1) as f64 / turn * TAU;
            let (sin_b, cos_b) = angle(beta).sin_cos();
            let (sin_a, cos_a) = angle(alpha).sin_cos();
            let basis = |v: f64| (v * 2f64.powi(sine.f_b)).round();
            let multiplier = |v: f64| (v * c / 2f64.powi(40) * 2f64.powi(sine.f_a)).round();
            sum += basis(cos_b) * multiplier(sin_a) + basis(sin_b) * multiplier(cos_a);
        }
        // The mask's dropped bits make the truncation round up or down.
        let shift = 2f64.powi(sine.f_x);
        let low = (dropped as f64 / turn * shift).floor();
        ((sum + low) / shift).floor() as i64 - ((1i64 << 19) * (2 * i64::from(*label) - 1))
    };
    let e: Vec<u64> = total.iter().zip(labels).map(|(t, y)| residual(t, y, draw(), draw()).cast_unsigned()).collect();
    let accepted = blocks[0].accepted();
    let mut scalars = vec![0.0; scalar_count(accepted)];
    for block in blocks.iter_mut() {
        // Scale 2^42, low 26 bits dropped as the wire does.
        let sums: Vec<f64> =
            block.sums(&e).unwrap().iter().map(|s| (s.cast_signed() >> 26) as f64 / 65_536.0).collect();
        assert!(!block.is_wrapped(&sums).unwrap());
        let at_scale = |v: f64| (v * 2f64.powi(50)).round() / 2f64.powi(50);
        scalars.iter_mut().zip(block.accept(&sums).unwrap()).for_each(|(s, o)| *s += at_scale(o));
    }
    scalars
}
