#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::Columns;
use crate::block::{Block, Target};
use crate::logistic::{Fit, fit, sigmoid};

/// A deterministic stream of numbers.
struct Numbers(u64);

impl Numbers {
    /// Uniform in [0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Nearly normal, variance 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Standardised columns of each party and a label.
struct World {
    parties: Vec<Columns>,
    labels: Vec<u8>,
}

fn standardised(mut values: Vec<f64>) -> Vec<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    values.iter_mut().for_each(|v| *v = (*v - mean) / deviation);
    values
}

impl World {
    /// Columns that share four factors (`common` is their weight), and a label of the given intercept.
    fn new(rows: usize, widths: &[usize], common: f64, intercept: f64, seed: u64) -> World {
        let mut numbers = Numbers(seed);
        let factors: Vec<[f64; 4]> = (0..rows).map(|_| [(); 4].map(|()| numbers.normal())).collect();
        let mut score = vec![intercept; rows];
        let mut parties = Vec::new();
        for width in widths {
            let mut columns = Vec::new();
            for j in 0..*width {
                let load = [(); 4].map(|()| common * numbers.normal());
                let mix = |f: &[f64; 4]| f.iter().zip(&load).map(|(f, l)| f * l).sum::<f64>();
                let values = standardised(factors.iter().map(|f| mix(f) + numbers.normal()).collect());
                let weight = 0.4 * numbers.normal();
                score.iter_mut().zip(&values).for_each(|(s, v)| *s += weight * v);
                columns.push((format!("x{j}"), values));
            }
            parties.push(Columns::from_columns(rows, columns).unwrap());
        }
        let labels = score.iter().map(|s| u8::from(numbers.uniform() < sigmoid(*s))).collect();
        World { parties, labels }
    }

    fn central(&self) -> Fit {
        let all = self.parties.iter().flat_map(|p| p.iter().map(|c| (String::new(), c.to_vec()))).collect();
        fit(&Columns::from_columns(self.labels.len(), all).unwrap(), &self.labels, 1.0).unwrap()
    }

    fn blocks(&self) -> Vec<Block> {
        let positives = self.labels.iter().filter(|y| **y == 1).count() as u32;
        let target = Target { rows: self.labels.len() as u32, positives, lambda: 1.0 };
        let copy = |p: &Columns| {
            let columns = p.iter().enumerate().map(|(j, c)| (p.name(j).to_owned(), c.to_vec())).collect();
            Columns::from_columns(p.rows(), columns).unwrap()
        };
        let block = |(i, p)| Block::new(copy(p), i == 0, &target).unwrap();
        self.parties.iter().enumerate().map(block).collect()
    }
}

/// What a training came to.
struct Run {
    decision: Decision,
    grades: Vec<Grade>,
    coefficients: Vec<f64>,
}

/// The error of a grade's sigmoid at score s: a ripple of its size, and even noise.
fn sigmoid_error(grade: Grade, s: f64, numbers: &mut Numbers) -> f64 {
    let (ripple, noise) = match grade {
        Grade::Coarse => (8e-4, 2.5e-3),
        Grade::Medium => (3e-5, 3e-4),
        Grade::Fine => (5e-7, 4e-7),
    };
    ripple * (3.0 * s).sin() + noise * 3f64.sqrt() * (2.0 * numbers.uniform() - 1.0)
}

/// Trains with the errors of each grade, and scalars at the resolution of the wire.
fn train(world: &World, max_evaluations: u32, has_errors: bool) -> Run {
    let mut numbers = Numbers(5);
    let mut blocks = world.blocks();
    let mut optimiser = Optimiser::new(max_evaluations);
    let mut grade = optimiser.start();
    let mut grades = Vec::new();
    loop {
        let used = if has_errors { grade } else { Grade::Fine };
        grades.push(used);
        let mut residuals: Vec<f64> = world.labels.iter().map(|y| -f64::from(*y)).collect();
        for (row, e) in residuals.iter_mut().enumerate() {
            let s: f64 = blocks.iter().map(|b| b.predictor()[row]).sum();
            *e += sigmoid(s) + if has_errors { sigmoid_error(used, s, &mut numbers) } else { 0.0 };
        }
        let mut scalars = vec![0.0; scalar_count_of(&blocks)];
        for block in &mut blocks {
            let sums: Vec<f64> =
                block.columns().iter().map(|x| x.iter().zip(&residuals).map(|(x, e)| x * e).sum()).collect();
            let own = block.accept(&sums).unwrap();
            let at_scale = |v: f64| (v * (1u64 << 50) as f64).round() / (1u64 << 50) as f64;
            scalars.iter_mut().zip(own).for_each(|(s, o)| *s += at_scale(o));
        }
        let decision = optimiser.record(&scalars, used).unwrap();
        let Decision::Evaluate { points, gradients, grade: next } = &decision else {
            let coefficients = blocks.iter().flat_map(|b| b.point().to_vec()).collect();
            return Run { decision, grades, coefficients };
        };
        assert!(*next >= grade, "grades only get finer");
        grade = *next;
        blocks.iter_mut().for_each(|b| b.step(points, gradients).unwrap());
    }
}

fn scalar_count_of(blocks: &[Block]) -> usize {
    crate::block::scalar_count(blocks[0].accepted())
}

/// The largest difference from the central fit; the intercept is the first block's last column.
fn error(run: &Run, world: &World) -> f64 {
    let central = world.central();
    let first = world.parties[0].count();
    let mut expected = central.coefficients.clone();
    expected.insert(first, central.intercept);
    run.coefficients.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn converges_to_the_central_fit_under_the_errors_of_every_grade() {
    for (widths, common, intercept, most) in
        [(&[13, 10][..], 0.3, -1.2, 18), (&[8, 5, 5][..], 0.3, -1.2, 18), (&[6, 6][..], 0.3, -2.5, 20)]
    {
        let world = World::new(6000, widths, common, intercept, 1);
        let run = train(&world, 40, true);
        let evaluations = run.grades.len();
        assert_eq!(run.decision, Decision::Converged { evaluation: evaluations as u32 - 1 }, "{widths:?}");
        assert!(evaluations <= most, "{widths:?}: {evaluations} evaluations, {:?}", run.grades);
        let fine = run.grades.iter().filter(|g| **g == Grade::Fine).count();
        assert!((1..=7).contains(&fine), "{widths:?}: {fine} fine evaluations");
        assert!(error(&run, &world) < 5e-6, "{widths:?}: {:e}", error(&run, &world));
    }
}

#[test]
fn one_party_without_errors_needs_few_steps() {
    let world = World::new(3000, &[7], 0.2, -0.5, 3);
    let run = train(&world, 40, false);
    assert!(run.grades.len() <= 9, "{}", run.grades.len());
    assert!(error(&run, &world) < 1e-6);
}

#[test]
fn strongly_correlated_parties_converge() {
    let world = World::new(5000, &[8, 8], 3.0, -1.0, 4);
    let run = train(&world, 40, true);
    assert!(matches!(run.decision, Decision::Converged { .. }), "{:?}", run.grades);
}

#[test]
fn a_column_that_two_parties_share_ends_cleanly() {
    let mut world = World::new(3000, &[4, 4], 0.5, -1.0, 5);
    let copy = world.parties[0].column(0).to_vec();
    world.parties[1].push("copy", &copy).unwrap();
    let run = train(&world, 40, true);
    assert!(run.coefficients.iter().all(|c| c.is_finite()));
    assert!(!matches!(run.decision, Decision::Evaluate { .. }));
}

#[test]
fn separable_rows_end_cleanly() {
    let mut world = World::new(2000, &[3, 3], 0.2, 0.0, 6);
    let score: Vec<f64> = (0..2000).map(|i| world.parties[0].column(0)[i] + world.parties[1].column(0)[i]).collect();
    world.labels = score.iter().map(|s| u8::from(*s > 0.0)).collect();
    let run = train(&world, 40, false);
    assert!(matches!(run.decision, Decision::Converged { .. }), "{}", run.grades.len());
    assert!(error(&run, &world) < 1e-3, "{:e}", error(&run, &world));
}

#[test]
fn the_limit_is_kept() {
    let world = World::new(2000, &[5, 5], 0.5, -1.0, 7);
    let run = train(&world, 4, true);
    assert_eq!((run.decision, run.grades.len()), (Decision::Exhausted, 4));
}

#[test]
fn hostile_scalars_end_cleanly() {
    for bad in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
        let mut optimiser = Optimiser::new(40);
        optimiser.record(&[1.0, 0.0, 1.0], Grade::Coarse).unwrap();
        match optimiser.record(&[bad; 7], Grade::Coarse).unwrap() {
            Decision::Evaluate { points, gradients, .. } => {
                assert!(points.iter().chain(&gradients).all(|v| v.is_finite()), "{bad}");
            }
            other => assert_eq!(other, Decision::Exhausted, "{bad}"),
        }
    }
}

#[test]
fn a_wrong_number_of_scalars_is_refused() {
    let mut optimiser = Optimiser::new(40);
    assert_eq!(optimiser.record(&[1.0; 4], Grade::Coarse), Err(Error::ShapeMismatch { got: 4, expected: 3 }));
    assert_eq!(optimiser.evaluations(), 0);
}

#[test]
fn convergence_counts_in_fine_evaluations_only() {
    let mut optimiser = Optimiser::new(40);
    optimiser.record(&[1.0, 0.0, 1.0], Grade::Coarse).unwrap();
    let small = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1e-14];
    // A fine set in place of the coarse one that was asked for may reach less than the whole sum of bounds.
    let decision = optimiser.record(&small, Grade::Fine).unwrap();
    assert!(matches!(decision, Decision::Evaluate { grade: Grade::Fine, .. }), "{decision:?}");
    let mut again = [1.0; 21];
    again[15..].copy_from_slice(&[1.0, 0.0, 1e-14, 0.0, 1e-14, 1e-14]);
    let mut coarse = optimiser.clone();
    assert_eq!(optimiser.record(&again, Grade::Fine), Ok(Decision::Converged { evaluation: 2 }));
    assert!(matches!(coarse.record(&again, Grade::Medium), Ok(Decision::Evaluate { grade: Grade::Fine, .. })));
}

// clause: VLR-6
#[test]
fn fine_sets_reach_the_whole_sum_of_bounds() {
    assert_eq!([Grade::Coarse, Grade::Medium, Grade::Fine].map(Grade::reach), [2.0 / 3.0, 2.0 / 3.0, 1.0]);
}
