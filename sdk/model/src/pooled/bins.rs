//! Bins, weight of evidence and information value from pooled counts (spec/pooled.md, section 3).
use crate::Scale;

/// Buckets a column of the pooled histogram.
const BUCKETS: usize = 64;
/// Deviations on either side of the mean that the buckets cover.
const REACH: f64 = 4.0;

/// The parameters of `histogram` for pooled scales: low edge and width of each column, and the number of buckets.
pub fn buckets(scales: &[Scale]) -> (Vec<f64>, Vec<f64>, usize) {
    let low = scales.iter().map(|s| s.mean - REACH * s.deviation).collect();
    let width = scales.iter().map(|s| 2.0 * REACH * s.deviation / BUCKETS as f64).collect();
    (low, width, BUCKETS)
}

/// One bin: values from `from` (inclusive; −∞ for the first) to the next bin's `from`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bin {
    /// Its left edge; `None` for the first bin, which has none.
    pub from: Option<f64>,
    /// Rows with label 0.
    pub good: u64,
    /// Rows with label 1.
    pub bad: u64,
    /// ln((bad/BAD)/(good/GOOD)); 0.5 is added to both counts where one is 0.
    pub woe: f64,
}

/// A column's bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Binning {
    /// Column name.
    pub column: String,
    /// The bins from left to right.
    pub bins: Vec<Bin>,
    /// Σ (bad/BAD − good/GOOD)·WOE.
    pub iv: f64,
}

/// A run of buckets of one column with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Its first bucket.
    pub first: usize,
    /// Rows with label 0.
    pub good: u64,
    /// Rows with label 1.
    pub bad: u64,
}

impl Cell {
    fn rows(&self) -> u64 {
        self.good.saturating_add(self.bad)
    }

    fn joined(self, next: &Cell) -> Cell {
        Cell { first: self.first, good: self.good + next.good, bad: self.bad + next.bad }
    }
}

/// Merges the cells of one column from the left into at most `most` bins of about equal counts, each of at least
/// max(50, 1 % of rows) rows and 5 of each class; what is left over joins the last bin where it is too little for one.
///
/// Bucket i begins at low + i·width.
pub fn bin(column: &str, low: f64, width: f64, cells: &[Cell], most: usize) -> Binning {
    let total: u64 = cells.iter().map(Cell::rows).sum();
    let least = total.div_ceil(100).max(50);
    let aim = total.div_ceil(most.max(1) as u64).max(least);
    let is_full = |cell: &Cell, rows: u64| cell.rows() >= rows && cell.good >= 5 && cell.bad >= 5;
    let mut bins: Vec<Cell> = Vec::new();
    let mut open: Option<Cell> = None;
    for cell in cells {
        let grown = open.map_or(*cell, |open| open.joined(cell));
        let full = is_full(&grown, aim);
        open = (!full).then_some(grown);
        bins.extend(full.then_some(grown));
    }
    match (bins.last_mut(), open) {
        (Some(last), Some(rest)) if !is_full(&rest, least) => *last = last.joined(&rest),
        (_, rest) => bins.extend(rest),
    }
    let counts: Vec<(u64, u64)> = bins.iter().map(|bin| (bin.good, bin.bad)).collect();
    let (woe, iv) = evidence(&counts);
    let edge = |bin: &Cell| (bin.first > 0).then_some(low + bin.first as f64 * width);
    let bins = bins.iter().zip(woe).map(|(b, woe)| Bin { from: edge(b), good: b.good, bad: b.bad, woe }).collect();
    Binning { column: column.to_owned(), bins, iv }
}

/// Weight of evidence of each bin, of its good and bad rows, and the information value of all.
pub fn evidence(bins: &[(u64, u64)]) -> (Vec<f64>, f64) {
    let (all_good, all_bad) = bins.iter().fold((0.0, 0.0), |(g, b), bin| (g + bin.0 as f64, b + bin.1 as f64));
    let mut iv = 0.0;
    let weigh = |(good, bad): &(u64, u64)| {
        let half = if *good == 0 || *bad == 0 { 0.5 } else { 0.0 };
        let (g, b) = ((*good as f64 + half) / all_good, (*bad as f64 + half) / all_bad);
        let woe = libm::log(b / g);
        iv += (b - g) * woe;
        woe
    };
    (bins.iter().map(weigh).collect(), iv)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(good: &[u64], bad: &[u64]) -> Vec<Cell> {
        good.iter().zip(bad).enumerate().map(|(first, (good, bad))| Cell { first, good: *good, bad: *bad }).collect()
    }

    /// The example that scorecard libraries agree on: 10 of 90 bad, 40 of 60 bad.
    #[test]
    fn the_common_example() {
        let binning = bin("x", 0.0, 1.0, &cells(&[90, 60, 0], &[10, 40, 0]), 2);
        let woe: Vec<f64> = binning.bins.iter().map(|b| b.woe).collect();
        assert_eq!(binning.bins.iter().map(|b| b.from).collect::<Vec<_>>(), [None, Some(1.0)]);
        assert!((woe[0] + 1.098_612).abs() < 1e-6 && (woe[1] - std::f64::consts::LN_2).abs() < 1e-6, "{woe:?}");
        assert!((binning.iv - 0.716_704).abs() < 1e-6, "{}", binning.iv);
    }

    #[test]
    fn small_bins_are_merged_and_no_row_is_lost() {
        let good: Vec<u64> = (0..64).map(|i| if i % 7 == 0 { 40 } else { 1 }).collect();
        let bad: Vec<u64> = (0..64).map(|i| u64::from(i % 5 == 0)).collect();
        let binning = bin("x", -4.0, 0.125, &cells(&good, &bad), 10);
        assert!(binning.bins.len() > 1);
        assert!(binning.bins.iter().all(|b| b.good + b.bad >= 50 && b.good >= 5 && b.bad >= 5), "{binning:?}");
        assert_eq!(binning.bins.iter().map(|b| b.good).sum::<u64>(), good.iter().sum::<u64>());
        assert_eq!(binning.bins.iter().map(|b| b.bad).sum::<u64>(), bad.iter().sum::<u64>());
    }
}
