//! Newton's method at the coordinator, on sums alone (spec/pooled.md, section 2).
use super::statistics::{Moments, NewtonSums};
use crate::logistic::log_odds;
use crate::symmetric::{Symmetric, dot};
use crate::{Error, Scale};

/// Where the next step is at most this long in every coordinate, the point is the model.
const LAST_STEP: f64 = 1e-8;
/// How often one step may be halved.
const HALVINGS: u32 = 30;

/// The pooled standardisation from `moments` and `deviations`.
///
/// # Errors
/// `ConstantColumn` (POOL-3), `ShapeMismatch`.
pub fn pooled_scales(names: &[String], moments: &Moments, squares: &[f64]) -> Result<Vec<Scale>, Error> {
    Error::same_length(moments.sum.len(), names.len())?;
    Error::same_length(squares.len(), names.len())?;
    let scale = |(j, name): (usize, &String)| {
        let mean = moments.sum[j] / moments.present[j] as f64;
        let deviation = libm::sqrt(squares[j] / moments.rows as f64);
        // The sums come with 40 fractional bits: a smaller deviation is one of rounding.
        if deviation.is_finite() && mean.is_finite() && squares[j] > 2f64.powi(-36) {
            Ok(Scale { name: name.clone(), mean, deviation })
        } else {
            Err(Error::ConstantColumn { column: name.clone() })
        }
    };
    names.iter().enumerate().map(scale).collect()
}

/// POOL-3: at least ten rows a column, unless `permits_few`.
///
/// # Errors
/// `TooFewRows`.
pub fn check_rows(moments: &Moments, permits_few: bool) -> Result<(), Error> {
    let (rows, needed) = (moments.rows, 10 * moments.sum.len());
    if rows < needed as u64 && !permits_few { Err(Error::TooFewRows { rows: rows as usize, needed }) } else { Ok(()) }
}

/// What the coordinator does after a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Ask for the sums at [`Newton::point`].
    Next,
    /// [`Newton::point`] is the model.
    Done,
}

/// The coordinator's fit: it holds a point and the last sums, never a row.
#[derive(Debug, Clone)]
pub struct Newton {
    lambda: f64,
    /// The point to be evaluated next; the intercept last.
    point: Vec<f64>,
    /// The last accepted point, its objective, and the step tried from it.
    from: Option<(Vec<f64>, f64, Vec<f64>)>,
    halvings: u32,
}

impl Newton {
    /// Starts at 0, intercept ln(ȳ/(1−ȳ)). `lambda` is the penalty ½·λ·‖β‖², the intercept free.
    ///
    /// # Errors
    /// `OneClass` where no row, or every row, has label 1 (POOL-3).
    pub fn new(moments: &Moments, lambda: f64) -> Result<Self, Error> {
        if moments.positive == 0 || moments.positive >= moments.rows {
            return Err(Error::OneClass);
        }
        let mut point = vec![0.0; moments.sum.len()];
        point.push(log_odds(moments.positive as f64 / moments.rows as f64));
        Ok(Newton { lambda, point, from: None, halvings: 0 })
    }

    /// Coefficients of standardised columns, and the intercept.
    pub fn point(&self) -> (&[f64], f64) {
        match self.point.split_last() {
            Some((intercept, coefficients)) => (coefficients, *intercept),
            None => (&[], 0.0),
        }
    }

    /// Takes the sums at the point. `same_rows` says that they are over the rows of the last accepted point; only then
    /// can the objectives be compared.
    ///
    /// # Errors
    /// `ShapeMismatch`; `NoConvergence` where the step was halved too often.
    pub fn advance(&mut self, sums: &NewtonSums, same_rows: bool) -> Result<Progress, Error> {
        let size = self.point.len();
        Error::same_length(sums.gradient.len(), size)?;
        Error::same_length(sums.gram.len(), size * (size + 1) / 2)?;
        let free = size - 1;
        let objective = sums.loss + 0.5 * self.lambda * dot(&self.point[..free], &self.point[..free]);
        if let Some((from, before, step)) = &mut self.from {
            // Rounding of 40-bit sums and of the objective itself is no growth.
            if same_rows && objective > *before + 1e-9 * before.abs().max(1.0) {
                self.halvings += 1;
                if self.halvings > HALVINGS {
                    return Err(Error::NoConvergence);
                }
                step.iter_mut().for_each(|s| *s *= 0.5);
                self.point = from.iter().zip(step.iter()).map(|(b, s)| b + s).collect();
                return Ok(Progress::Next);
            }
        }
        let step = self.step(sums);
        if step.iter().all(|s| s.abs() <= LAST_STEP) {
            return Ok(Progress::Done);
        }
        let next: Vec<f64> = self.point.iter().zip(&step).map(|(b, s)| b + s).collect();
        self.halvings = 0;
        self.from = Some((std::mem::replace(&mut self.point, next), objective, step));
        Ok(Progress::Next)
    }

    /// (gram + λI')⁻¹·(gradient − λI'·β).
    fn step(&self, sums: &NewtonSums) -> Vec<f64> {
        let size = self.point.len();
        let mut hessian = Symmetric::zero(size);
        let mut values = sums.gram.iter();
        for i in 0..size {
            for (j, value) in (i..size).zip(&mut values) {
                *hessian.at(i, j) = *value;
                *hessian.at(j, i) = *value;
            }
        }
        let mut gradient = sums.gradient.clone();
        for (j, (slope, beta)) in gradient.iter_mut().zip(&self.point).take(size - 1).enumerate() {
            *hessian.at(j, j) += self.lambda;
            *slope -= self.lambda * beta;
        }
        hessian.factor().solve(&gradient)
    }
}
