//! Standardisation: mean and population deviation of the training rows (spec/vlr.md, section 1).
use crate::{ABSENT, Columns, Error, Source};
use rayon::prelude::*;

/// The name of the column that marks unmatched rows.
const MISSING: &str = "missing";

/// How a column is standardised: (x − mean) / deviation.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// Column name.
    pub name: String,
    /// Mean over the (matched) training rows, in the column's unit.
    pub mean: f64,
    /// Population standard deviation over the same rows, above 0.
    pub deviation: f64,
}

/// A party's standardisation, fixed by the training rows and applied to every other row.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardiser {
    columns: Vec<Scale>,
    missing: Option<Scale>,
}

impl Standardiser {
    /// Fits the standardisation of `columns` on the training rows.
    ///
    /// `training` holds the table position of each training row, or [`ABSENT`] where the party lacks it. An empty
    /// cell counts as the mean of the column's other matched training cells, in the deviation too. Where some but
    /// not all training rows are absent, a column `missing` (1 = absent) is added, standardised over all of them.
    ///
    /// # Errors
    /// `ConstantColumn` (VLR-1), `ShapeMismatch` for a position outside the table.
    pub fn fit(columns: &[Source<'_>], training: &[u32]) -> Result<Self, Error> {
        check_positions(columns, training)?;
        let columns = columns.par_iter().map(|c| fit_column(c, training)).collect::<Result<Vec<_>, _>>()?;
        let absent = training.iter().filter(|p| **p == ABSENT).count();
        Ok(Standardiser { columns, missing: missing_scale(absent, training.len()) })
    }

    /// The standardisation that a model part holds.
    pub fn from_parts(columns: Vec<Scale>, missing: Option<Scale>) -> Self {
        Standardiser { columns, missing }
    }

    /// The columns in order, `missing` left out.
    pub fn columns(&self) -> &[Scale] {
        &self.columns
    }

    /// The column that marks unmatched rows, where the model has it.
    pub fn missing(&self) -> Option<&Scale> {
        self.missing.as_ref()
    }

    /// Columns of what [`apply`](Self::apply) returns.
    pub fn count(&self) -> usize {
        self.columns.len() + usize::from(self.missing.is_some())
    }

    /// Standardised columns of the given rows, `missing` last. Empty cells and absent rows are 0.
    ///
    /// `columns` are those of the standardiser, in its order; `rows` holds table positions or [`ABSENT`].
    ///
    /// # Errors
    /// `ShapeMismatch` for other columns, or a position outside the table.
    pub fn apply(&self, columns: &[Source<'_>], rows: &[u32]) -> Result<Columns, Error> {
        Error::same_length(columns.len(), self.columns.len())?;
        check_positions(columns, rows)?;
        let standardised: Vec<Vec<f64>> =
            columns.par_iter().zip(&self.columns).map(|(c, scale)| apply_column(c, scale, rows)).collect();
        let mut all: Vec<_> = self.columns.iter().map(|s| s.name.clone()).zip(standardised).collect();
        if let Some(scale) = &self.missing {
            let of = |p: &u32| (f64::from(u8::from(*p == ABSENT)) - scale.mean) / scale.deviation;
            all.push((scale.name.clone(), rows.iter().map(of).collect()));
        }
        Columns::from_columns(rows.len(), all)
    }
}

fn check_positions(columns: &[Source<'_>], rows: &[u32]) -> Result<(), Error> {
    let Some(first) = columns.first() else { return Ok(()) };
    for column in columns {
        Error::same_length(column.values.len(), first.values.len())?;
    }
    let highest = rows.iter().filter(|p| **p != ABSENT).max().map_or(0, |p| *p as usize + 1);
    if highest > first.values.len() {
        return Err(Error::ShapeMismatch { got: highest, expected: first.values.len() });
    }
    Ok(())
}

fn fit_column(column: &Source<'_>, training: &[u32]) -> Result<Scale, Error> {
    let constant = || Error::ConstantColumn { column: column.name.to_owned() };
    let matched = || training.iter().filter(|p| **p != ABSENT).map(|p| column.values[*p as usize]);
    let cells = matched().count() as f64;
    let present: Vec<f64> = matched().filter(|v| !v.is_nan()).collect();
    let first = *present.first().ok_or_else(constant)?;
    if present.iter().all(|v| *v == first) {
        return Err(constant());
    }
    // Shifted by the first value, so that a large common offset does not cost digits.
    let sum: f64 = present.iter().map(|v| v - first).sum();
    let mean = first + sum / present.len() as f64;
    let squares: f64 = present.iter().map(|v| (v - mean) * (v - mean)).sum();
    let deviation = libm::sqrt(squares / cells);
    if deviation > 0.0 && deviation.is_finite() {
        Ok(Scale { name: column.name.to_owned(), mean, deviation })
    } else {
        Err(constant())
    }
}

fn missing_scale(absent: usize, rows: usize) -> Option<Scale> {
    let mean = absent as f64 / rows as f64;
    let deviation = libm::sqrt(mean * (1.0 - mean));
    (absent > 0 && absent < rows).then(|| Scale { name: MISSING.to_owned(), mean, deviation })
}

fn apply_column(column: &Source<'_>, scale: &Scale, rows: &[u32]) -> Vec<f64> {
    let inverse = 1.0 / scale.deviation;
    let of = |p: &u32| match column.values.get(*p as usize) {
        Some(v) if !v.is_nan() => (v - scale.mean) * inverse,
        _ => 0.0,
    };
    rows.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn source(values: &[f64]) -> Source<'_> {
        Source { name: "x", values }
    }

    #[test]
    fn mean_and_population_deviation_of_training_rows() {
        let s = Standardiser::fit(&[source(&[1.0, 3.0, 100.0])], &[0, 1]).unwrap();
        assert_eq!(s.columns(), [Scale { name: "x".into(), mean: 2.0, deviation: 1.0 }]);
        assert_eq!(s.apply(&[source(&[1.0, 3.0, 100.0])], &[2, 0]).unwrap().column(0), [98.0, -1.0]);
        assert_eq!(s.missing(), None);
    }

    #[test]
    fn an_empty_cell_is_the_mean_in_the_deviation_too() {
        let values = [0.0, 4.0, f64::NAN, f64::NAN];
        let s = Standardiser::fit(&[source(&values)], &[0, 1, 2, 3]).unwrap();
        assert_eq!((s.columns()[0].mean, s.columns()[0].deviation), (2.0, libm::sqrt(2.0)));
        assert_eq!(s.apply(&[source(&values)], &[2]).unwrap().column(0), [0.0]);
    }

    #[test]
    fn absent_rows_are_zero_and_marked() {
        let values = [1.0, 3.0];
        let s = Standardiser::fit(&[source(&values)], &[0, 1, ABSENT, ABSENT]).unwrap();
        assert_eq!(s.missing().map(|m| (m.mean, m.deviation)), Some((0.5, 0.5)));
        let x = s.apply(&[source(&values)], &[ABSENT, 1]).unwrap();
        assert_eq!((x.column(0), x.column(1), x.name(1)), (&[0.0, 1.0][..], &[1.0, -1.0][..], "missing"));
    }

    #[test]
    fn no_absent_training_row_no_missing_column() {
        let s = Standardiser::fit(&[source(&[1.0, 3.0])], &[0, 1]).unwrap();
        assert_eq!(s.apply(&[source(&[1.0, 3.0])], &[ABSENT]).unwrap().count(), 1);
    }

    // clause: VLR-1
    #[test]
    fn bad_columns_and_positions() {
        let constant = Error::ConstantColumn { column: "x".into() };
        assert_eq!(Standardiser::fit(&[source(&[0.1, 0.1, 0.2])], &[0, 1]), Err(constant.clone()));
        assert_eq!(Standardiser::fit(&[source(&[f64::NAN, f64::NAN])], &[0, 1]), Err(constant.clone()));
        assert_eq!(Standardiser::fit(&[source(&[1.0])], &[ABSENT]), Err(constant));
        let outside = Error::ShapeMismatch { got: 4, expected: 2 };
        assert_eq!(Standardiser::fit(&[source(&[1.0, 2.0])], &[3]), Err(outside));
    }
}
