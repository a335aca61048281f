#![allow(clippy::unwrap_used)]
use super::*;

/// Deterministic scores with many ties and labels that depend on them.
fn example(rows: usize, levels: u64) -> (Vec<f64>, Vec<u8>) {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    let mut scores = Vec::new();
    let mut labels = Vec::new();
    for _ in 0..rows {
        let score = (next() * levels as f64).floor() / levels as f64;
        labels.push(u8::from(next() < 0.2 + 0.5 * score));
        scores.push(score);
    }
    (scores, labels)
}

/// Splits scores by label: (bad, good).
fn split(scores: &[f64], labels: &[u8]) -> (Vec<f64>, Vec<f64>) {
    let of = |y| scores.iter().zip(labels).filter(|(_, l)| **l == y).map(|(s, _)| *s).collect();
    (of(1), of(0))
}

fn kernel(bad: f64, good: f64) -> f64 {
    if bad > good {
        1.0
    } else if bad == good {
        0.5
    } else {
        0.0
    }
}

#[test]
fn auc_and_delong_are_the_direct_double_sums() {
    for (rows, levels) in [(60, 5), (301, 1000), (400, 17)] {
        let (scores, labels) = example(rows, levels);
        let (bad, good) = split(&scores, &labels);
        let (m, n) = (bad.len() as f64, good.len() as f64);
        let v10: Vec<f64> = bad.iter().map(|b| good.iter().map(|g| kernel(*b, *g)).sum::<f64>() / n).collect();
        let v01: Vec<f64> = good.iter().map(|g| bad.iter().map(|b| kernel(*b, *g)).sum::<f64>() / m).collect();
        let direct = v10.iter().sum::<f64>() / m;
        let spread = |v: &[f64]| v.iter().map(|x| (x - direct).powi(2)).sum::<f64>() / (v.len() as f64 - 1.0);
        let half = 1.959_963_984_540_054 * (spread(&v10) / m + spread(&v01) / n).sqrt();
        let got = assess(&scores, &labels).unwrap();
        assert!((got.auc - direct).abs() < 1e-12);
        assert!((got.auc_interval.low - (direct - half).max(0.0)).abs() < 1e-12);
        assert!((got.auc_interval.high - (direct + half).min(1.0)).abs() < 1e-12);
        assert_eq!(auc(&scores, &labels).unwrap(), got.auc);
        assert_eq!(auc_interval(&scores, &labels).unwrap(), got.auc_interval);
    }
}

#[test]
fn ks_is_the_largest_distance_at_any_threshold() {
    for (rows, levels) in [(50, 4), (333, 1000)] {
        let (scores, labels) = example(rows, levels);
        let (bad, good) = split(&scores, &labels);
        let share = |v: &[f64], t: f64| v.iter().filter(|s| **s <= t).count() as f64 / v.len() as f64;
        let direct = scores.iter().map(|t| (share(&bad, *t) - share(&good, *t)).abs()).fold(0.0, f64::max);
        assert!((ks(&scores, &labels).unwrap() - direct).abs() < 1e-12);
    }
}

#[test]
fn perfect_reversed_and_constant_scores() {
    let labels = [0, 0, 1, 1];
    assert_eq!(auc(&[1.0, 2.0, 3.0, 4.0], &labels), Ok(1.0));
    assert_eq!(auc(&[4.0, 3.0, 2.0, 1.0], &labels), Ok(0.0));
    assert_eq!(auc(&[5.0; 4], &labels), Ok(0.5));
    assert_eq!(ks(&[5.0; 4], &labels), Ok(0.0));
    assert_eq!(ks(&[4.0, 3.0, 2.0, 1.0], &labels), Ok(1.0));
    assert_eq!(auc(&[1.0, 2.0], &[1, 1]), Err(Error::OneClass));
    assert_eq!(auc(&[1.0, 2.0], &[1]), Err(Error::ShapeMismatch { got: 1, expected: 2 }));
}

#[test]
fn bootstrap_interval_holds_the_statistic_and_is_reproducible() {
    let (scores, labels) = example(2000, 1000);
    let statistic = ks(&scores, &labels).unwrap();
    let interval = ks_interval(&scores, &labels).unwrap();
    assert!(interval.low < statistic && statistic < interval.high, "{interval:?} {statistic}");
    // The spread of a difference of two shares, each near a half, gives the scale.
    let (bad, good) = split(&scores, &labels);
    let scale = (0.25 / bad.len() as f64 + 0.25 / good.len() as f64).sqrt();
    assert!((interval.high - interval.low) / scale > 2.0 && (interval.high - interval.low) / scale < 5.0);
    assert_eq!(ks_interval(&scores, &labels).unwrap(), interval);
    // Any monotone transformation leaves it as it is.
    let moved: Vec<f64> = scores.iter().map(|s| s.exp()).collect();
    assert_eq!(ks_interval(&moved, &labels).unwrap(), interval);
}

#[test]
fn curves_are_thin_and_keep_ends_and_ks() {
    let (scores, labels) = example(5000, 1_000_000);
    let roc = roc_curve(&scores, &labels).unwrap();
    assert!(roc.len() <= 200 && roc.len() > 150);
    assert_eq!((roc[0], roc[roc.len() - 1]), ([0.0, 0.0], [1.0, 1.0]));
    assert!(roc.windows(2).all(|w| w[0][0] <= w[1][0] && w[0][1] <= w[1][1]));
    let area: f64 = roc.windows(2).map(|w| (w[1][0] - w[0][0]) * (w[0][1] + w[1][1]) / 2.0).sum();
    assert!((area - auc(&scores, &labels).unwrap()).abs() < 2e-3);
    let curve = ks_curve(&scores, &labels).unwrap();
    let largest = curve.iter().map(|p| (p[1] - p[2]).abs()).fold(0.0, f64::max);
    assert!((largest - ks(&scores, &labels).unwrap()).abs() < 1e-12);
    assert!(curve.len() <= 200 && curve[0] == [0.0, 1.0, 1.0]);
}

#[test]
fn few_points_are_all_kept() {
    let roc = roc_curve(&[1.0, 2.0, 2.0, 3.0], &[0, 1, 0, 1]).unwrap();
    assert_eq!(roc, [[0.0, 0.0], [0.0, 0.5], [0.5, 1.0], [1.0, 1.0]]);
}

#[test]
fn histogram_counts_every_row_once() {
    let h = histogram(&[0.0, 0.01, 0.12, 0.149, 0.13], &[0, 1, 0, 1, 0], 3).unwrap();
    assert_eq!((&h.good[..], &h.bad[..]), (&[1, 0, 2][..], &[1, 0, 1][..]));
    assert!(h.edges.iter().zip([0.0, 0.05, 0.1, 0.15]).all(|(a, b): (&f64, f64)| (a - b).abs() < 1e-15));
    assert!(histogram(&[0.5], &[0], 0).is_err());
    assert_eq!(histogram(&[1.0], &[1], 4).unwrap().bad, [0, 0, 0, 1]);
}

#[test]
fn calibration_groups_by_probability() {
    let table = calibration(&[0.4, 0.1, 0.3, 0.2], &[1, 0, 0, 1], 2).unwrap();
    assert_eq!((table[0].rows, table[0].bad_rate, table[1].bad_rate), (2, 0.5, 0.5));
    assert!((table[0].mean_probability - 0.15).abs() < 1e-15 && (table[1].mean_probability - 0.35).abs() < 1e-15);
    assert_eq!(calibration(&[0.4], &[1], 10).unwrap().len(), 1);
}
