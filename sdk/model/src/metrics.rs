//! Measures of a scorecard: AUC, KS, their intervals, and the curves of a report.
//!
//! Scores may be any monotone measure of risk (score, log odds, probability); label 1 is bad. Ties count as ties:
//! half a concordant pair in the AUC, one threshold in the KS.
mod bootstrap;
mod curves;
#[cfg(test)]
mod tests;

use crate::Error;

pub use curves::{Calibration, Histogram, calibration, histogram, ks_curve, roc_curve};

/// The 97.5 % point of the normal distribution.
const NORMAL_975: f64 = 1.959_963_984_540_054;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// How well scores separate bad from good, all in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assessment {
    /// Area under the ROC curve.
    pub auc: f64,
    /// Its interval by DeLong's variance.
    pub auc_interval: Interval,
    /// Kolmogorov and Smirnov's largest distance between the score distributions.
    pub ks: f64,
    /// Its interval by 1,000 stratified bootstraps, seed 0.
    pub ks_interval: Interval,
}

/// All measures at once; sorts once.
///
/// # Errors
/// `OneClass`, `ShapeMismatch`; so do all functions of this module.
pub fn assess(scores: &[f64], labels: &[u8]) -> Result<Assessment, Error> {
    let ranking = Ranking::of(scores, labels)?;
    Ok(Assessment {
        auc: ranking.auc(),
        auc_interval: ranking.auc_interval(),
        ks: ranking.ks(),
        ks_interval: bootstrap::ks_interval(&ranking),
    })
}

/// Area under the ROC curve: the share of (bad, good) pairs in which the bad one scores higher, ties one half.
///
/// # Errors
/// `OneClass`, `ShapeMismatch`.
pub fn auc(scores: &[f64], labels: &[u8]) -> Result<f64, Error> {
    Ok(Ranking::of(scores, labels)?.auc())
}

/// The AUC's 95 % interval by the variance of DeLong, DeLong and Clarke-Pearson (1988), cut to [0, 1].
///
/// # Errors
/// `OneClass`, `ShapeMismatch`.
pub fn auc_interval(scores: &[f64], labels: &[u8]) -> Result<Interval, Error> {
    Ok(Ranking::of(scores, labels)?.auc_interval())
}

/// The largest distance between the score distributions of bad and good rows.
///
/// # Errors
/// `OneClass`, `ShapeMismatch`.
pub fn ks(scores: &[f64], labels: &[u8]) -> Result<f64, Error> {
    Ok(Ranking::of(scores, labels)?.ks())
}

/// The KS's 95 % interval: percentiles of 1,000 bootstraps that redraw bad and good rows apart, seed 0.
///
/// # Errors
/// `OneClass`, `ShapeMismatch`.
pub fn ks_interval(scores: &[f64], labels: &[u8]) -> Result<Interval, Error> {
    Ok(bootstrap::ks_interval(&Ranking::of(scores, labels)?))
}

/// Rows of one score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Group {
    bad: u32,
    good: u32,
}

/// The distinct scores in ascending order, with their rows.
struct Ranking {
    groups: Vec<Group>,
    bad: u32,
    good: u32,
}

impl Ranking {
    fn of(scores: &[f64], labels: &[u8]) -> Result<Ranking, Error> {
        Error::same_length(labels.len(), scores.len())?;
        let mut rows: Vec<(f64, u8)> = scores.iter().copied().zip(labels.iter().copied()).collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let groups: Vec<Group> = rows
            .chunk_by(|a, b| a.0 == b.0)
            .map(|rows| {
                let bad = rows.iter().filter(|r| r.1 == 1).count() as u32;
                Group { bad, good: rows.len() as u32 - bad }
            })
            .collect();
        let bad = groups.iter().map(|g| g.bad).sum();
        let good = groups.iter().map(|g| g.good).sum();
        if bad == 0 || good == 0 { Err(Error::OneClass) } else { Ok(Ranking { groups, bad, good }) }
    }

    fn auc(&self) -> f64 {
        // Twice the number of concordant pairs is an integer: exact.
        let (mut below, mut twice) = (0u64, 0u64);
        for group in &self.groups {
            twice += u64::from(group.bad) * (2 * below + u64::from(group.good));
            below += u64::from(group.good);
        }
        twice as f64 / (2.0 * f64::from(self.bad) * f64::from(self.good))
    }

    fn auc_interval(&self) -> Interval {
        let auc = self.auc();
        let (bads, goods) = (f64::from(self.bad), f64::from(self.good));
        let (mut good_below, mut bad_below) = (0.0, 0.0);
        let (mut of_bad, mut of_good) = (0.0, 0.0);
        for group in &self.groups {
            let (bad, good) = (f64::from(group.bad), f64::from(group.good));
            let placement_of_bad = (good_below + 0.5 * good) / goods - auc;
            let placement_of_good = (bads - bad_below - 0.5 * bad) / bads - auc;
            of_bad += bad * placement_of_bad * placement_of_bad;
            of_good += good * placement_of_good * placement_of_good;
            good_below += good;
            bad_below += bad;
        }
        // With a single bad or good row its variance is unknown: the other's alone is used.
        let variance = of_bad / (bads - 1.0).max(1.0) / bads + of_good / (goods - 1.0).max(1.0) / goods;
        let half = NORMAL_975 * libm::sqrt(variance);
        Interval { low: (auc - half).max(0.0), high: (auc + half).min(1.0) }
    }

    fn ks(&self) -> f64 {
        largest_distance(self.groups.iter().copied(), self.bad, self.good)
    }
}

/// The largest distance between the cumulative shares of bad and good.
fn largest_distance(groups: impl Iterator<Item = Group>, bad: u32, good: u32) -> f64 {
    let (per_bad, per_good) = (u64::from(good), u64::from(bad));
    // |a/bad − b/good| = |a·good − b·bad| / (bad·good): integers, exact.
    let (mut bads, mut goods, mut largest) = (0u64, 0u64, 0u64);
    for group in groups {
        bads += u64::from(group.bad);
        goods += u64::from(group.good);
        largest = largest.max((bads * per_bad).abs_diff(goods * per_good));
    }
    largest as f64 / (f64::from(bad) * f64::from(good))
}
