#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Columns, Source, Standardiser, logistic};

/// A small table with an empty cell here and there; three participants hold a third of the rows each.
fn table(rows: usize) -> (Vec<Vec<f64>>, Vec<u8>) {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
    };
    let mut columns = vec![Vec::new(), Vec::new(), Vec::new()];
    let mut labels = Vec::new();
    for i in 0..rows {
        let x = [next() * 3.0 + 100.0, next() * 1e5, next() * 1e-3];
        let score = 1.4 * (x[0] - 100.0) - 2e-5 * x[1] + 900.0 * x[2] - 0.8 + next();
        labels.push(u8::from(next() + 0.5 < logistic::sigmoid(score)));
        for (column, x) in columns.iter_mut().zip(x) {
            column.push(if i % 41 == 3 && x < 1.0 { f64::NAN } else { x });
        }
    }
    (columns, labels)
}

fn sources(columns: &[Vec<f64>]) -> Vec<Source<'_>> {
    columns.iter().zip(["a", "b", "c"]).map(|(values, name)| Source { name, values }).collect()
}

fn thirds(rows: usize) -> Vec<Vec<u32>> {
    (0..3).map(|k| (0..rows as u32).filter(|i| i % 3 == k).collect()).collect()
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Moments and squares summed over the parts, as a coordinator has them.
fn pooled(columns: &[Vec<f64>], labels: &[u8], parts: &[Vec<u32>]) -> (Moments, Vec<f64>) {
    let sources = sources(columns);
    let own: Vec<Moments> = parts.iter().map(|rows| moments(&sources, labels, rows).unwrap()).collect();
    let total = own.iter().skip(1).fold(own[0].clone(), |t, m| Moments {
        rows: t.rows + m.rows,
        positive: t.positive + m.positive,
        present: t.present.iter().zip(&m.present).map(|(a, b)| a + b).collect(),
        sum: add(&t.sum, &m.sum),
    });
    let mean: Vec<f64> = total.sum.iter().zip(&total.present).map(|(s, n)| s / *n as f64).collect();
    let squares = parts.iter().map(|rows| deviations(&sources, rows, &mean).unwrap());
    (total, squares.reduce(|a, b| add(&a, &b)).unwrap())
}

// clause: POOL-3
#[test]
fn three_thirds_are_the_whole() {
    let (columns, labels) = table(900);
    let (sources, parts) = (sources(&columns), thirds(900));
    let (total, squares) = pooled(&columns, &labels, &parts);
    let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
    let scales = pooled_scales(&names, &total, &squares).unwrap();
    let all: Vec<u32> = (0..900).collect();
    let central = Standardiser::fit(&sources, &all).unwrap();
    for (ours, theirs) in scales.iter().zip(central.columns()) {
        assert!((ours.mean - theirs.mean).abs() < 1e-9 * theirs.deviation);
        assert!((ours.deviation / theirs.deviation - 1.0).abs() < 1e-12);
    }

    let standardiser = Standardiser::from_parts(scales, None);
    let blocks: Vec<Columns> = parts.iter().map(|rows| standardiser.apply(&sources, rows).unwrap()).collect();
    let own: Vec<Vec<u8>> = parts.iter().map(|rows| rows.iter().map(|r| labels[*r as usize]).collect()).collect();
    let mut fit = Newton::new(&total, 1.0).unwrap();
    let mut rounds = 0;
    loop {
        rounds += 1;
        let (coefficients, intercept) = fit.point();
        let sums = blocks.iter().zip(&own).map(|(x, y)| newton(x, y, coefficients, intercept).unwrap());
        let sum = sums.reduce(|a, b| NewtonSums {
            gram: add(&a.gram, &b.gram),
            gradient: add(&a.gradient, &b.gradient),
            loss: a.loss + b.loss,
        });
        if fit.advance(&sum.unwrap(), true).unwrap() == Progress::Done {
            break;
        }
    }
    assert!(rounds <= 10, "{rounds} rounds");
    let expected = logistic::fit(&central.apply(&sources, &all).unwrap(), &labels, 1.0).unwrap();
    let (coefficients, intercept) = fit.point();
    assert!((intercept - expected.intercept).abs() < 1e-9);
    for (ours, theirs) in coefficients.iter().zip(&expected.coefficients) {
        assert!((ours - theirs).abs() < 1e-9);
    }
}

#[test]
fn histograms_add_up_and_open_buckets_take_the_rest() {
    let (columns, labels) = table(300);
    let sources = sources(&columns);
    let (total, squares) = pooled(&columns, &labels, &thirds(300));
    let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
    let (low, width, count) = buckets(&pooled_scales(&names, &total, &squares).unwrap());
    let all: Vec<u32> = (0..300).collect();
    let whole = histogram(&sources, &labels, &all, &low, &width, count).unwrap();
    let parts = thirds(300).into_iter().map(|r| histogram(&sources, &labels, &r, &low, &width, count).unwrap());
    let sum = parts.reduce(|a, b| Histogram {
        good: a.good.iter().zip(&b.good).map(|(a, b)| a + b).collect(),
        bad: a.bad.iter().zip(&b.bad).map(|(a, b)| a + b).collect(),
    });
    assert_eq!(sum.unwrap(), whole);
    assert_eq!(whole.good.iter().chain(&whole.bad).sum::<u64>(), total.present.iter().sum::<u64>());
    let one = [Source { name: "a", values: &[-1e9, 0.5, 1e9] }];
    let outer = histogram(&one, &[0, 1, 0], &[0, 1, 2], &[0.0], &[1.0], 3).unwrap();
    assert_eq!((outer.good, outer.bad), (vec![1, 0, 1], vec![1, 0, 0]));
}

// clause: POOL-3
#[test]
fn a_constant_column_and_one_class_are_refused() {
    let whole = Moments { rows: 30, positive: 0, present: vec![30], sum: vec![60.0] };
    assert_eq!(Newton::new(&whole, 1.0).unwrap_err(), crate::Error::OneClass);
    let constant = pooled_scales(&["x".into()], &whole, &[0.0]).unwrap_err();
    assert_eq!(constant.column(), Some("x"));
}

#[test]
fn a_pull_lies_between_the_pooled_and_the_own_fit() {
    let (columns, labels) = table(400);
    let sources = sources(&columns);
    let rows: Vec<u32> = (0..400).collect();
    let x = Standardiser::fit(&sources, &rows).unwrap().apply(&sources, &rows).unwrap();
    let pooled = Own { coefficients: vec![2.0, -1.0, 0.5], intercept: -1.0 };
    let far = fit_own(&x, &labels, &pooled, 1e9).unwrap();
    assert!(far.coefficients.iter().zip(&pooled.coefficients).all(|(a, b)| (a - b).abs() < 1e-6));
    let alone = logistic::fit(&x, &labels, 0.0).unwrap();
    let near = fit_own(&x, &labels, &pooled, 1e-9).unwrap();
    assert!(near.coefficients.iter().zip(&alone.coefficients).all(|(a, b)| (a - b).abs() < 1e-6));
    let middle = fit_own(&x, &labels, &pooled, 20.0).unwrap();
    let between = |m: f64, a: f64, b: f64| m > a.min(b) && m < a.max(b);
    assert!(between(middle.coefficients[0], pooled.coefficients[0], alone.coefficients[0]));
}
