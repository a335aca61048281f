#![allow(clippy::unwrap_used)]
use super::*;
use crate::logistic::sigmoid;

const ROWS: usize = 60;

fn column(seed: usize) -> Vec<f64> {
    (0..ROWS).map(|i| ((i * (2 * seed + 3) + seed) % 13) as f64 / 4.0 - 1.5).collect()
}

fn target() -> Target {
    Target { rows: ROWS as u32, positives: 15, lambda: 2.0 }
}

fn block(intercept: bool) -> Block {
    let columns = vec![("a".to_owned(), column(1)), ("b".to_owned(), column(2))];
    Block::new(Columns::from_columns(ROWS, columns).unwrap(), intercept, &target()).unwrap()
}

/// M of a block by its definition.
fn metric_by_definition(block: &Block, weights: &[f64]) -> Vec<Vec<f64>> {
    let n = ROWS as f64;
    let entry = |i: usize, j: usize| {
        let penalty = if i == j && block.columns().name(i) != "intercept" { 2.0 } else { 0.0 };
        let x = block.columns();
        let sum: f64 = (0..ROWS).map(|r| x.column(i)[r] * weights[r] * x.column(j)[r]).sum();
        (sum + penalty) / n
    };
    (0..block.count()).map(|i| (0..block.count()).map(|j| entry(i, j)).collect()).collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12 * (1.0 + b.abs())
}

#[test]
fn the_start_is_zero_and_the_log_odds() {
    let with = block(true);
    assert_eq!(with.point(), [0.0, 0.0, libm::log(15.0 / 45.0)]);
    assert_eq!((with.count(), with.bound().unwrap()), (3, 2));
    let without = block(false);
    assert_eq!((without.point(), without.bound().unwrap()), (&[0.0, 0.0][..], 0));
    assert_eq!(format!("{without:?}"), "Block(60 rows, 2 columns, 0 accepted)");
}

#[test]
fn phases_wrap_modulo_a_turn() {
    let quarter = 1u64 << 62;
    assert_eq!(phase(0.0, 40.0), 0);
    assert_eq!(phase(10.0, 40.0), quarter);
    assert_eq!(phase(-10.0, 40.0), quarter * 3);
    assert_eq!(phase(50.0, 40.0), quarter);
    assert_eq!(phase(-1e-30, 40.0), u64::MAX);
    // Phases add as predictors do, within the rounding of the quotients.
    let sum = phase(7.3, 46.0).wrapping_add(phase(-12.9, 46.0));
    assert!(sum.wrapping_sub(phase(7.3 - 12.9, 46.0)).cast_signed().unsigned_abs() < 1 << 13);
    let mut block = block(true);
    block.accept(&[0.0; 3]).unwrap();
    block.step(&[1.0], &[0.0]).unwrap();
    assert_eq!(block.phases(4.0), vec![phase(libm::log(1.0 / 3.0), 4.0); ROWS]);
}

#[test]
fn sums_of_a_share_are_exact_modulo_two_to_the_64() {
    let block = block(true);
    assert_eq!(block.fixed(0)[0], (column(1)[0] * 4_194_304.0) as i64);
    assert_eq!(block.fixed(2), [1 << 22; ROWS]);
    let share: Vec<u64> = (0..ROWS as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    let sums = block.sums(&share).unwrap();
    for (j, sum) in sums.iter().enumerate() {
        let direct: i128 = block.fixed(j).iter().zip(&share).map(|(x, s)| i128::from(*x) * i128::from(*s)).sum();
        assert_eq!(*sum, direct as u64);
    }
    assert!(block.sums(&share[1..]).is_err());
}

#[test]
fn a_wrap_shows_in_a_column_sum() {
    let block = block(true);
    let bound: f64 = column(1).iter().map(|x| x.abs()).sum::<f64>() + 1.0;
    assert!(!block.is_wrapped(&[bound - 0.01, 0.0, -60.0]).unwrap());
    assert!(block.is_wrapped(&[bound + 0.01, 0.0, 0.0]).unwrap());
    assert!(block.is_wrapped(&[0.0, 0.0, 61.5]).unwrap());
    assert!(block.is_wrapped(&[0.0, f64::NAN, 0.0]).unwrap());
    assert!(block.is_wrapped(&[0.0]).is_err());
}

#[test]
fn scalars_are_the_inner_products_and_the_metric_is_refreshed() {
    let mut block = block(true);
    let mut weights = vec![0.25 * 0.75; ROWS];
    for e in 0..5 {
        let sums: Vec<f64> = (0..3).map(|j| 2.0 * ((e * 5 + j * 3) % 7) as f64 - 5.0).collect();
        if e == 2 {
            let alpha = alpha(&block);
            let z = |r: usize| block.predictor()[r] - block.point()[2];
            weights = (0..ROWS).map(|r| sigmoid(alpha + z(r)) * (1.0 - sigmoid(alpha + z(r)))).collect();
        }
        let point = block.point().to_vec();
        let scalars = block.accept(&sums).unwrap();
        let expected: Vec<f64> =
            (0..3).map(|j| (sums[j] + if j < 2 { 2.0 * point[j] } else { 0.0 }) / ROWS as f64).collect();
        assert!(block.gradients[e].iter().zip(&expected).all(|(a, b)| close(*a, *b)));
        check_scalars_by_definition(&block, &metric_by_definition(&block, &weights), &scalars);
        let points: Vec<f64> = (0..=e).map(|i| 0.5 - 0.2 * i as f64).collect();
        let gradients: Vec<f64> = (0..=e).map(|i| 0.1 * i as f64 - 0.4).collect();
        block.step(&points, &gradients).unwrap();
    }
}

/// α₀ by bisection.
fn alpha(block: &Block) -> f64 {
    let (mut low, mut high) = (-50.0, 50.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        let mean = block.predictor().iter().map(|z| sigmoid(middle + z - block.point()[2])).sum::<f64>() / ROWS as f64;
        if mean > 0.25 { high = middle } else { low = middle }
    }
    low
}

fn check_scalars_by_definition(block: &Block, metric: &[Vec<f64>], scalars: &[f64]) {
    let (b, g, d) = (&block.points, &block.gradients, &block.directions);
    let times = |v: &[f64]| metric.iter().map(|row| dot(row, v)).collect::<Vec<f64>>();
    for (d, g) in d.iter().zip(g) {
        assert!(times(d).iter().zip(g).all(|(a, b)| close(*a, *b)), "M·(M⁻¹g) = g");
    }
    let e = b.len() - 1;
    let mut expected = Vec::new();
    if e == 2 {
        let pairs = || (0..3).flat_map(|i| (0..=i).map(move |j| (i, j)));
        expected.extend(pairs().map(|(i, j)| dot(&times(&b[i]), &b[j])));
        expected.extend((0..3).flat_map(|i| (0..3).map(move |j| (i, j))).map(|(i, j)| dot(&b[i], &g[j])));
        expected.extend(pairs().map(|(i, j)| dot(&d[i], &g[j])));
    } else {
        expected.extend((0..=e).map(|j| dot(&times(&b[e]), &b[j])));
        expected.extend((0..=e).map(|j| dot(&b[e], &g[j])));
        expected.extend((0..e).map(|i| dot(&b[i], &g[e])));
        expected.extend((0..=e).map(|j| dot(&d[e], &g[j])));
    }
    assert_eq!(scalars.len(), scalar_count(e));
    assert!(scalars.iter().zip(&expected).all(|(a, b)| close(*a, *b)), "evaluation {e}");
}

// clause: VLR-12
#[test]
fn a_step_has_one_coefficient_an_accepted_evaluation() {
    let mut block = block(false);
    assert!(block.step(&[], &[]).is_ok());
    block.accept(&[6.0, -3.0]).unwrap();
    assert_eq!(block.step(&[], &[1.0]), Err(Error::ShapeMismatch { got: 0, expected: 1 }));
    assert_eq!(block.step(&[1.0], &[1.0, 2.0]), Err(Error::ShapeMismatch { got: 2, expected: 1 }));
    block.step(&[1.0], &[-1.0]).unwrap();
    let direction = block.directions[0].clone();
    assert!(block.point().iter().zip(&direction).all(|(p, d)| close(*p, -d)));
    let z: Vec<f64> = (0..ROWS).map(|r| block.point()[0] * column(1)[r] + block.point()[1] * column(2)[r]).collect();
    assert!(block.predictor().iter().zip(&z).all(|(a, b)| close(*a, *b)));
    assert_eq!((block.coefficients(0), block.coefficients(1)), (Some(&[0.0, 0.0][..]), None));
}

#[test]
fn a_repetition_gives_the_same_scalars() {
    let mut block = block(true);
    for e in 0..4 {
        let first = block.accept(&[9.0, -4.0, 1.0 + e as f64]).unwrap();
        block.retract();
        assert_eq!(block.accepted(), e);
        assert_eq!(block.accept(&[9.0, -4.0, 1.0 + e as f64]).unwrap(), first);
        block.step(&vec![0.3; e + 1], &vec![-0.5; e + 1]).unwrap();
    }
}

// clause: VLR-9, VLR-11
#[test]
fn what_is_too_large_is_refused() {
    let huge = |x: f64| {
        let columns = vec![("c".to_owned(), (0..ROWS).map(|i| if i == 7 { x } else { 0.1 }).collect())];
        Block::new(Columns::from_columns(ROWS, columns).unwrap(), false, &target())
    };
    assert!(huge(2e6).is_ok());
    assert_eq!(huge(2.1e6).map(|_| ()), Err(Error::NormTooLarge { column: "c".to_owned() }));
    let mut block = block(false);
    assert_eq!(block.accept(&[1e6, 0.0]), Err(Error::ScalarTooLarge));
    block.retract();
    assert_eq!(block.accept(&[f64::NAN, 0.0]), Err(Error::ScalarTooLarge));
}

#[test]
fn a_predictor_too_large_and_one_class() {
    let mut block = block(true);
    block.accept(&[0.0; 3]).unwrap();
    block.step(&[1e12], &[0.0]).unwrap();
    assert_eq!(block.bound(), Err(Error::PredictorTooLarge));
    for positives in [0, 60] {
        let x = Columns::from_columns(ROWS, vec![("a".to_owned(), column(1))]).unwrap();
        let bad = Block::new(x, true, &Target { positives, ..target() });
        assert_eq!(bad.map(|_| ()), Err(Error::OneClass));
    }
}

#[test]
fn local_weights_keep_the_mean_for_extreme_scores() {
    for z in [vec![0.0; 10], vec![-500.0, 500.0, 0.0, 1.0], (0..100).map(f64::from).collect()] {
        for mean in [0.01, 0.25, 0.9] {
            let weights = local_weights(&z, mean);
            assert!(weights.iter().all(|w| (0.0..=0.25).contains(w)));
            if z.iter().all(|z| *z == 0.0) {
                assert!(weights.iter().all(|w| close(*w, mean * (1.0 - mean))));
            }
        }
    }
}

#[test]
fn nearest_is_round() {
    for v in [0.0, 0.5, -0.5, 0.499_999_999_999_999_94, 1.5, -2.5, 4_194_303.5, -1e9 - 0.75, 2.0, -7.0] {
        assert_eq!(nearest(v), v.round() as i64, "{v}");
    }
}
