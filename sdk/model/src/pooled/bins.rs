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

/// Merges the buckets of one column from the left into at most `most` bins of about equal counts, each of at least
/// max(50, 1 % of rows) rows and 5 of each class; what is left over joins the last bin.
pub fn bin(column: &str, low: f64, width: f64, good: &[u64], bad: &[u64], most: usize) -> Binning {
    let total: u64 = good.iter().chain(bad).sum();
    let least = total.div_ceil(100).max(50);
    let aim = total.div_ceil(most.max(1) as u64).max(least);
    let mut cells: Vec<(Option<f64>, u64, u64)> = Vec::new();
    let mut open = (None, 0, 0);
    for (i, (g, b)) in good.iter().zip(bad).enumerate() {
        open = (open.0, open.1 + g, open.2 + b);
        if open.1 + open.2 >= aim && open.1 >= 5 && open.2 >= 5 && i + 1 < good.len() {
            cells.push(open);
            open = (Some(low + (i + 1) as f64 * width), 0, 0);
        }
    }
    match cells.last_mut() {
        Some(last) if open.1 + open.2 < least || open.1 < 5 || open.2 < 5 => {
            (last.1, last.2) = (last.1 + open.1, last.2 + open.2);
        }
        _ => cells.push(open),
    }
    evidence(column, &cells)
}

fn evidence(column: &str, cells: &[(Option<f64>, u64, u64)]) -> Binning {
    let (all_good, all_bad) = cells.iter().fold((0.0, 0.0), |(g, b), cell| (g + cell.1 as f64, b + cell.2 as f64));
    let mut iv = 0.0;
    let bins = cells.iter().map(|(from, good, bad)| {
        let half = if *good == 0 || *bad == 0 { 0.5 } else { 0.0 };
        let (g, b) = ((*good as f64 + half) / all_good, (*bad as f64 + half) / all_bad);
        let woe = libm::log(b / g);
        iv += (b - g) * woe;
        Bin { from: *from, good: *good, bad: *bad, woe }
    });
    let bins = bins.collect();
    Binning { column: column.to_owned(), bins, iv }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that scorecard libraries agree on: 10 of 90 bad, 40 of 60 bad.
    #[test]
    fn the_common_example() {
        let binning = bin("x", 0.0, 1.0, &[90, 60, 0], &[10, 40, 0], 2);
        let woe: Vec<f64> = binning.bins.iter().map(|b| b.woe).collect();
        assert_eq!(binning.bins.iter().map(|b| b.from).collect::<Vec<_>>(), [None, Some(1.0)]);
        assert!((woe[0] + 1.098_612).abs() < 1e-6 && (woe[1] - 0.693_147).abs() < 1e-6, "{woe:?}");
        assert!((binning.iv - 0.716_704).abs() < 1e-6, "{}", binning.iv);
    }

    #[test]
    fn small_bins_are_merged_and_no_row_is_lost() {
        let good: Vec<u64> = (0..64).map(|i| if i % 7 == 0 { 40 } else { 1 }).collect();
        let bad: Vec<u64> = (0..64).map(|i| u64::from(i % 5 == 0)).collect();
        let binning = bin("x", -4.0, 0.125, &good, &bad, 10);
        assert!(binning.bins.len() > 1);
        assert!(binning.bins.iter().all(|b| b.good + b.bad >= 50 && b.good >= 5 && b.bad >= 5), "{binning:?}");
        assert_eq!(binning.bins.iter().map(|b| b.good).sum::<u64>(), good.iter().sum::<u64>());
        assert_eq!(binning.bins.iter().map(|b| b.bad).sum::<u64>(), bad.iter().sum::<u64>());
    }
}
