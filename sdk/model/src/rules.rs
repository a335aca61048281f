//! The rules by which a party refuses or warns before training (spec/vlr.md, sections 1 and 9).
use crate::{ABSENT, Columns, Error, Source};
use rayon::prelude::*;

/// VLR-2: at least 10·d rows, and evaluations × d at most half of the rows.
///
/// # Errors
/// `TooFewRows`.
pub fn check_rows(rows: usize, columns: usize, max_evaluations: u32) -> Result<(), Error> {
    let needed = (10 * columns).max(2 * columns * max_evaluations as usize);
    if rows < needed { Err(Error::TooFewRows { rows, needed }) } else { Ok(()) }
}

/// VLR-3: every column takes another than its most frequent value in at least max(50, ⌈n/100⌉) training rows.
///
/// Only matched rows can be off it, n counts all; empty cells count as one value. `training` holds table positions or
/// [`ABSENT`].
///
/// # Errors
/// `RareValues` naming the first such column; `ShapeMismatch` for a position outside the table.
pub fn check_rare_values(columns: &[Source<'_>], training: &[u32]) -> Result<(), Error> {
    let rare = columns.par_iter().map(|column| {
        let mut bits = Vec::with_capacity(training.len());
        for p in training.iter().filter(|p| **p != ABSENT) {
            let outside = Error::ShapeMismatch { got: *p as usize + 1, expected: column.values.len() };
            let value = *column.values.get(*p as usize).ok_or(outside)?;
            bits.push(if value.is_nan() { u64::MAX } else { (value + 0.0).to_bits() });
        }
        let least = training.len().div_ceil(100).max(50);
        Ok(bits.len() - most_frequent(&mut bits) < least)
    });
    let rare = rare.collect::<Result<Vec<bool>, Error>>()?;
    match columns.iter().zip(rare).find(|(_, rare)| *rare) {
        Some((column, _)) => Err(Error::RareValues { column: column.name.to_owned() }),
        None => Ok(()),
    }
}

/// How often the most frequent value occurs. Below one half of the rows the answer may be too small; VLR-3 does not
/// care then, except for few rows, which are counted exactly.
fn most_frequent(values: &mut [u64]) -> usize {
    if values.len() <= 128 {
        values.sort_unstable();
        return values.chunk_by(|a, b| a == b).map(<[u64]>::len).max().unwrap_or(0);
    }
    // Boyer and Moore's majority vote.
    let (mut candidate, mut lead) = (0, 0usize);
    for value in values.iter() {
        match lead {
            0 => (candidate, lead) = (*value, 1),
            _ if *value == candidate => lead += 1,
            _ => lead -= 1,
        }
    }
    values.iter().filter(|v| **v == candidate).count()
}

/// VLR-4: at least three columns.
///
/// # Errors
/// `TooFewColumns`.
pub fn check_columns(columns: usize) -> Result<(), Error> {
    if columns < 3 { Err(Error::TooFewColumns { columns }) } else { Ok(()) }
}

/// Both classes occur among the training rows and among the test rows.
///
/// # Errors
/// `OneClass`.
pub fn check_classes(training: &[u8], test: &[u8]) -> Result<(), Error> {
    let both = |labels: &[u8]| labels.contains(&0) && labels.contains(&1);
    if both(training) && both(test) { Ok(()) } else { Err(Error::OneClass) }
}

/// The columns in which one row has leverage x²/Σx² above 1/50 (spec/vlr.md, section 9): each deserves a warning.
pub fn high_leverage(columns: &Columns) -> Vec<usize> {
    let is_high = |x: &[f64]| {
        let (sum, max) = x.iter().fold((0.0, 0.0f64), |(s, m), v| (s + v * v, m.max(v * v)));
        max * 50.0 > sum
    };
    (0..columns.count()).filter(|j| is_high(columns.column(*j))).collect()
}

/// Whether the outcome is almost separable by the columns: a warning.
///
/// The model orders rows almost without error: `auc` above 0.999. Only a column that knows the outcome does that.
pub fn is_separable(auc: f64) -> bool {
    auc > 0.999
}

#[cfg(test)]
mod tests {
    use super::*;

    // clause: VLR-2
    #[test]
    fn rows_for_columns_and_evaluations() {
        assert_eq!(check_rows(20_926, 13, 40), Ok(()));
        assert_eq!(check_rows(398, 20, 40), Err(Error::TooFewRows { rows: 398, needed: 1600 }));
        assert_eq!(check_rows(100, 10, 5), Ok(()));
        assert_eq!(check_rows(99, 10, 5), Err(Error::TooFewRows { rows: 99, needed: 100 }));
    }

    // clause: VLR-3
    #[test]
    fn rare_values_at_the_edge() {
        for (rows, others, refused) in [(1000, 49, true), (1000, 50, false), (10_000, 99, true), (10_000, 100, false)] {
            let values: Vec<f64> = (0..rows).map(|i| if i < others { i as f64 + 1.0 } else { 0.0 }).collect();
            let positions: Vec<u32> = (0..rows).collect();
            let got = check_rare_values(&[Source { name: "x", values: &values }], &positions);
            assert_eq!(got.is_err(), refused, "{rows} {others}");
        }
    }

    // clause: VLR-3
    #[test]
    fn rare_values_of_few_rows_and_absent_ones() {
        let values: Vec<f64> = (0..110).map(f64::from).collect();
        let column = [Source { name: "x", values: &values }];
        assert_eq!(check_rare_values(&column, &(0..110).collect::<Vec<_>>()), Ok(()));
        let mut few: Vec<u32> = (0..50).collect();
        few.resize(1000, ABSENT);
        assert_eq!(check_rare_values(&column, &few), Err(Error::RareValues { column: "x".into() }));
        assert!(check_rare_values(&column, &[110]).is_err());
    }

    // clause: VLR-4
    #[test]
    fn classes_columns_leverage_separable() {
        assert_eq!(check_classes(&[0, 1], &[1, 0]), Ok(()));
        assert_eq!(check_classes(&[0, 1], &[0]), Err(Error::OneClass));
        assert_eq!(check_columns(2), Err(Error::TooFewColumns { columns: 2 }));
        assert_eq!(check_columns(3), Ok(()));
        let even = vec![1.0; 51];
        let mut spike = even.clone();
        spike[7] = 30.0;
        let x = Columns::from_columns(51, vec![("a".into(), even), ("b".into(), spike)]);
        assert_eq!(x.map(|x| high_leverage(&x)), Ok(vec![1]));
        assert!(is_separable(0.9995) && !is_separable(0.99));
    }
}
