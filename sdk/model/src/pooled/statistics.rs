//! The statistics that one participant computes over its own training rows (spec/pooled.md, section 1).
use crate::logistic::{predictor, sigmoid};
use crate::symmetric::{Symmetric, dot};
use crate::{Columns, Error, Source};
use rayon::prelude::*;

/// `moments`: counts and column sums.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Training rows.
    pub rows: u64,
    /// Rows with label 1.
    pub positive: u64,
    /// Cells that are not empty, a column each.
    pub present: Vec<u64>,
    /// Σ x over them, in the column's unit.
    pub sum: Vec<f64>,
}

/// Counts and sums over the given rows of the table.
///
/// # Errors
/// `ShapeMismatch` where a column or the labels do not cover the rows.
pub fn moments(columns: &[Source<'_>], labels: &[u8], rows: &[u32]) -> Result<Moments, Error> {
    let positive = gather(labels, rows)?.iter().filter(|y| **y == 1).count() as u64;
    let sums = columns.par_iter().map(|column| {
        let cells = gather(column.values, rows)?;
        let present: Vec<f64> = cells.into_iter().filter(|x| !x.is_nan()).collect();
        Ok((present.len() as u64, present.iter().sum::<f64>()))
    });
    let (present, sum) = sums.collect::<Result<Vec<_>, Error>>()?.into_iter().unzip();
    Ok(Moments { rows: rows.len() as u64, positive, present, sum })
}

/// `deviations`: Σ (x − mean)² of each column over its cells that are not empty, in the column's unit squared.
///
/// # Errors
/// `ShapeMismatch` where `mean` has another length, or a column does not cover the rows.
pub fn deviations(columns: &[Source<'_>], rows: &[u32], mean: &[f64]) -> Result<Vec<f64>, Error> {
    Error::same_length(mean.len(), columns.len())?;
    let squares = columns.par_iter().zip(mean).map(|(column, mean)| {
        let cells = gather(column.values, rows)?;
        Ok(cells.into_iter().filter(|x| !x.is_nan()).map(|x| (x - mean) * (x - mean)).sum())
    });
    squares.collect()
}

/// `newton`: what one step of Newton's method needs, over one participant's rows; the last place is the intercept's.
#[derive(Debug, Clone, PartialEq)]
pub struct NewtonSums {
    /// Σ p(1−p)·z_i·z_j for i ≤ j: the upper triangle, row by row.
    pub gram: Vec<f64>,
    /// Σ (y − p)·z_i.
    pub gradient: Vec<f64>,
    /// Σ log(1 + exp(s)) − y·s.
    pub loss: f64,
}

/// The sums at one point. `x` holds the standardised training rows.
///
/// # Errors
/// `ShapeMismatch` where labels or coefficients have another length.
pub fn newton(x: &Columns, labels: &[u8], coefficients: &[f64], intercept: f64) -> Result<NewtonSums, Error> {
    Error::same_length(labels.len(), x.rows())?;
    Error::same_length(coefficients.len(), x.count())?;
    let mut scores = predictor(x, coefficients);
    scores.iter_mut().for_each(|s| *s += intercept);
    let rows: Vec<[f64; 3]> = scores
        .par_iter()
        .zip(labels)
        .map(|(s, y)| {
            let (p, y) = (sigmoid(*s), f64::from(*y));
            [y - p, p * (1.0 - p), s.max(0.0) + libm::log1p(libm::exp(-s.abs())) - y * s]
        })
        .collect();
    let residuals: Vec<f64> = rows.iter().map(|r| r[0]).collect();
    let weights: Vec<f64> = rows.iter().map(|r| r[1]).collect();
    let full = Symmetric::gram(x, &weights);
    let mut gram = Vec::with_capacity((x.count() + 1) * (x.count() + 2) / 2);
    let mut gradient = Vec::with_capacity(x.count() + 1);
    for (i, column) in x.iter().enumerate() {
        gram.extend_from_slice(&full.row(i)[i..]);
        gram.push(dot(column, &weights));
        gradient.push(dot(column, &residuals));
    }
    gram.push(weights.iter().sum());
    gradient.push(residuals.iter().sum());
    Ok(NewtonSums { gram, gradient, loss: rows.iter().map(|r| r[2]).sum() })
}

/// Σ (y − p)·z_i alone, the intercept's last: the gradient of the log likelihood.
pub(super) fn residual_sums(
    x: &Columns,
    labels: &[u8],
    coefficients: &[f64],
    intercept: f64,
) -> Result<Vec<f64>, Error> {
    Error::same_length(labels.len(), x.rows())?;
    Error::same_length(coefficients.len(), x.count())?;
    let scores = predictor(x, coefficients);
    let residual = |(s, y): (&f64, &u8)| f64::from(*y) - sigmoid(s + intercept);
    let residuals: Vec<f64> = scores.iter().zip(labels).map(residual).collect();
    Ok(x.iter().map(|column| dot(column, &residuals)).chain([residuals.iter().sum()]).collect())
}

/// `histogram`: rows of each class in buckets of equal width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Rows with label 0: columns outermost, buckets of a column in order.
    pub good: Vec<u64>,
    /// Rows with label 1.
    pub bad: Vec<u64>,
}

/// Counts rows in `buckets` buckets a column: bucket i is [low + i·width, low + (i+1)·width), a value outside falls in
/// the first or last, an empty cell in none.
///
/// # Errors
/// `ShapeMismatch` where `low` or `width` have another length, or a column does not cover the rows.
pub fn histogram(
    columns: &[Source<'_>],
    labels: &[u8],
    rows: &[u32],
    low: &[f64],
    width: &[f64],
    buckets: usize,
) -> Result<Histogram, Error> {
    Error::same_length(low.len(), columns.len())?;
    Error::same_length(width.len(), columns.len())?;
    if buckets == 0 {
        return Err(Error::ShapeMismatch { got: 0, expected: 1 });
    }
    let labels = gather(labels, rows)?;
    let counted = columns.par_iter().zip(low.par_iter().zip(width)).map(|(column, (low, width))| {
        let mut counts = [vec![0u64; buckets], vec![0u64; buckets]];
        for (x, y) in gather(column.values, rows)?.into_iter().zip(&labels).filter(|(x, _)| !x.is_nan()) {
            // A negative quotient becomes 0 and one beyond the last bucket saturates: the two outer buckets are open.
            let bucket = (libm::floor((x - low) / width) as usize).min(buckets - 1);
            counts[usize::from(*y == 1)][bucket] += 1;
        }
        Ok(counts)
    });
    let mut all = Histogram { good: Vec::new(), bad: Vec::new() };
    for [good, bad] in counted.collect::<Result<Vec<_>, Error>>()? {
        all.good.extend(good);
        all.bad.extend(bad);
    }
    Ok(all)
}

/// The values of the given rows.
fn gather<T: Copy>(values: &[T], rows: &[u32]) -> Result<Vec<T>, Error> {
    let cell = |row: &u32| {
        let outside = Error::ShapeMismatch { got: *row as usize, expected: values.len() };
        values.get(*row as usize).copied().ok_or(outside)
    };
    rows.iter().map(cell).collect()
}
