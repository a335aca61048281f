//! A participant's own model: the pooled one pulled towards its own rows (spec/pooled.md, section 5).
use super::statistics;
use crate::symmetric::{Symmetric, dot};
use crate::{Columns, Error};

/// Newton steps before the fit gives up.
const MAX_STEPS: u32 = 100;

/// Coefficients of standardised columns, and the intercept.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    /// A coefficient a column.
    pub coefficients: Vec<f64>,
    /// The intercept.
    pub intercept: f64,
}

/// Minimises Σ log loss over own rows + ½·`pull`·‖β − β_pooled‖², intercept included.
///
/// A large `pull` keeps the pooled model, a small one trusts the own rows. `x` is standardised as the pooled model is.
///
/// # Errors
/// `ShapeMismatch`; `NoConvergence`, which a `pull` of 0 on separable rows may cause.
pub fn fit_own(x: &Columns, labels: &[u8], pooled: &Own, pull: f64) -> Result<Own, Error> {
    Error::same_length(pooled.coefficients.len(), x.count())?;
    let mut centre = pooled.coefficients.clone();
    centre.push(pooled.intercept);
    let objective = |beta: &[f64]| {
        let (free, intercept) = beta.split_at(x.count());
        let sums = statistics::newton(x, labels, free, intercept.first().copied().unwrap_or_default())?;
        let away: Vec<f64> = beta.iter().zip(&centre).map(|(b, c)| b - c).collect();
        let value = sums.loss + 0.5 * pull * dot(&away, &away);
        Ok::<_, Error>((sums, away, value))
    };
    let mut beta = centre.clone();
    let mut state = objective(&beta)?;
    for _ in 0..MAX_STEPS {
        let (sums, away, value) = &state;
        let gradient: Vec<f64> = sums.gradient.iter().zip(away).map(|(g, a)| g - pull * a).collect();
        let step = hessian(sums, pull, beta.len()).factor().solve(&gradient);
        let decrement = dot(&step, &gradient);
        if decrement <= 1e-20 * labels.len() as f64 {
            let intercept = beta.pop().unwrap_or_default();
            return Ok(Own { coefficients: beta, intercept });
        }
        let mut length = 1.0;
        let next = loop {
            let point: Vec<f64> = beta.iter().zip(&step).map(|(b, s)| b + length * s).collect();
            let at = objective(&point)?;
            if at.2 <= value - 1e-4 * length * decrement || decrement < 1e-8 {
                break (point, at);
            }
            length *= 0.5;
            if length < 1e-12 {
                return Err(Error::NoConvergence);
            }
        };
        (beta, state) = next;
    }
    Err(Error::NoConvergence)
}

fn hessian(sums: &statistics::NewtonSums, pull: f64, size: usize) -> Symmetric {
    let mut hessian = Symmetric::zero(size);
    let mut values = sums.gram.iter();
    for i in 0..size {
        for (j, value) in (i..size).zip(&mut values) {
            *hessian.at(i, j) = *value;
            *hessian.at(j, i) = *value;
        }
        *hessian.at(i, i) += pull;
    }
    hessian
}
