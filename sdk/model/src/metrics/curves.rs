//! The curves and tables of a report.
use super::{Group, Ranking};
use crate::Error;

/// Points of a curve at most.
const POINTS: usize = 200;

/// The ROC curve from (0, 0) to (1, 1): [false positive rate, true positive rate], at most 200 points spread evenly
/// along the curve.
///
/// # Errors
/// `OneClass`, `ShapeMismatch`.
pub fn roc_curve(scores: &[f64], labels: &[u8]) -> Result<Vec<[f64; 2]>, Error> {
    let mut points: Vec<[f64; 2]> = ks_curve(scores, labels)?.iter().map(|[_, tpr, fpr]| [*fpr, *tpr]).collect();
    points.reverse();
    Ok(points)
}

/// The KS curve by ascending threshold: [share of rows with a score at most the threshold, share of bad rows above it,
/// share of good rows above it], at most 200 points, the point of the largest distance among them.
///
/// # Errors
/// `OneClass`, `ShapeMismatch`.
pub fn ks_curve(scores: &[f64], labels: &[u8]) -> Result<Vec<[f64; 3]>, Error> {
    let ranking = Ranking::of(scores, labels)?;
    let (bad, good) = (f64::from(ranking.bad), f64::from(ranking.good));
    let point = |below: Group| {
        let share = (f64::from(below.bad) + f64::from(below.good)) / (bad + good);
        [share, 1.0 - f64::from(below.bad) / bad, 1.0 - f64::from(below.good) / good]
    };
    let mut below = Group::default();
    let mut points = vec![point(below)];
    for group in &ranking.groups {
        below = Group { bad: below.bad + group.bad, good: below.good + group.good };
        points.push(point(below));
    }
    Ok(thin(&points))
}

/// At most [`POINTS`] of the points: both ends, the largest distance, and others evenly along the curve.
fn thin(points: &[[f64; 3]]) -> Vec<[f64; 3]> {
    if points.len() <= POINTS {
        return points.to_vec();
    }
    let distance = |p: &[f64; 3]| (p[1] - p[2]).abs();
    let furthest = (0..points.len()).max_by(|a, b| distance(&points[*a]).total_cmp(&distance(&points[*b])));
    // tpr + fpr falls from 2 to 0 along the curve.
    let steps = (POINTS - 2) as f64;
    let mut taken = 0.0;
    let mut kept = Vec::with_capacity(POINTS);
    for (i, p) in points.iter().enumerate() {
        let travelled = (2.0 - p[1] - p[2]) / 2.0 * steps;
        if travelled >= taken || i + 1 == points.len() || Some(i) == furthest {
            kept.push(*p);
            taken = taken.max(libm::floor(travelled) + 1.0);
        }
    }
    kept
}

/// Rows by probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Ascending edges, one more than bins; the last bin holds its upper edge too.
    pub edges: Vec<f64>,
    /// Good rows (label 0) a bin.
    pub good: Vec<u64>,
    /// Bad rows (label 1) a bin.
    pub bad: Vec<u64>,
}

/// Bins of equal width from 0 to the least multiple of 0.05 that no probability exceeds.
///
/// # Errors
/// `ShapeMismatch`, also for no bins.
pub fn histogram(probabilities: &[f64], labels: &[u8], bins: usize) -> Result<Histogram, Error> {
    Error::same_length(labels.len(), probabilities.len())?;
    Error::same_length(bins.min(1), 1)?;
    let largest = probabilities.iter().fold(0.0, |m: f64, p| m.max(*p));
    let top = libm::ceil(largest * 20.0).max(1.0) / 20.0;
    let edges = (0..=bins).map(|i| top * i as f64 / bins as f64).collect();
    let (mut good, mut bad) = (vec![0; bins], vec![0; bins]);
    for (p, y) in probabilities.iter().zip(labels) {
        let bin = ((p / top * bins as f64) as usize).min(bins - 1);
        if *y == 1 { bad[bin] += 1 } else { good[bin] += 1 }
    }
    Ok(Histogram { edges, good, bad })
}

/// One group of a calibration table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Rows.
    pub rows: u64,
    /// Mean predicted probability.
    pub mean_probability: f64,
    /// Share of bad rows.
    pub bad_rate: f64,
}

/// Groups of nearly equal size by ascending probability; fewer where there are fewer rows.
///
/// # Errors
/// `ShapeMismatch`, also for no groups.
pub fn calibration(probabilities: &[f64], labels: &[u8], groups: usize) -> Result<Vec<Calibration>, Error> {
    Error::same_length(labels.len(), probabilities.len())?;
    Error::same_length(groups.min(1), 1)?;
    let mut rows: Vec<(f64, u8)> = probabilities.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let group = |i: usize| {
        let part = &rows[i * rows.len() / groups..(i + 1) * rows.len() / groups];
        let count = part.len() as f64;
        Calibration {
            rows: part.len() as u64,
            mean_probability: part.iter().map(|r| r.0).sum::<f64>() / count,
            bad_rate: part.iter().map(|r| f64::from(r.1)).sum::<f64>() / count,
        }
    };
    Ok((0..groups).map(group).filter(|g| g.rows > 0).collect())
}
