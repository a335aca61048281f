//! Logistic regression of one party's own columns, by Newton's method to convergence (spec/vlr.md, section 1).
use crate::symmetric::{Symmetric, dot};
use crate::{Columns, Error};
use rayon::prelude::*;

/// Rows that one thread takes at a time.
const CHUNK: usize = 2048;
/// Newton steps, halved ones included, before the fit gives up.
const MAX_STEPS: u32 = 200;

/// A fitted regression: score = intercept + Σ coefficient·column, the log odds of label 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The intercept; not penalised.
    pub intercept: f64,
    /// One coefficient a column.
    pub coefficients: Vec<f64>,
    /// Newton steps taken.
    pub iterations: u32,
}

impl Fit {
    /// The score (log odds) of each row of `x`, which has the columns of the fit.
    pub fn scores(&self, x: &Columns) -> Vec<f64> {
        let mut scores = predictor(x, &self.coefficients);
        scores.iter_mut().for_each(|s| *s += self.intercept);
        scores
    }
}

/// Fits min Σ log(1 + exp(s)) − y·s + ½·lambda·‖coefficients‖² with the intercept free, to rounding.
///
/// `x` holds standardised training rows, `labels` 0 or 1 a row.
///
/// # Errors
/// `OneClass`, `ShapeMismatch`; `NoConvergence`, which separable classes without a penalty may cause.
pub fn fit(x: &Columns, labels: &[u8], lambda: f64) -> Result<Fit, Error> {
    Error::same_length(labels.len(), x.rows())?;
    let positives = labels.iter().filter(|y| **y == 1).count();
    if positives == 0 || positives == labels.len() {
        return Err(Error::OneClass);
    }
    let mut design = Columns::from_columns(x.rows(), x.iter().map(|c| (String::new(), c.to_vec())).collect())?;
    design.push("", &vec![1.0; x.rows()])?;
    let mut beta = vec![0.0; x.count()];
    beta.push(log_odds(positives as f64 / labels.len() as f64));
    let mut state = Objective::at(&design, labels, lambda, &beta);
    for iterations in 1..=MAX_STEPS {
        let mut hessian = Symmetric::gram(&design, &state.weights);
        (0..x.count()).for_each(|j| *hessian.at(j, j) += lambda);
        let step = hessian.factor().solve(&state.gradient);
        let decrement = dot(&step, &state.gradient);
        // The next step would change the objective by less than its last digits, and the point by far less than 1e-10.
        if decrement <= 1e-22 * labels.len() as f64 {
            let intercept = beta.pop().unwrap_or_default();
            return Ok(Fit { intercept, coefficients: beta, iterations: iterations - 1 });
        }
        let (point, objective) = line_search(&design, labels, lambda, &beta, &step, &state, decrement)?;
        (beta, state) = (point, objective);
    }
    Err(Error::NoConvergence)
}

/// Halves the step until the objective falls.
fn line_search(
    x: &Columns,
    labels: &[u8],
    lambda: f64,
    beta: &[f64],
    step: &[f64],
    from: &Objective,
    decrement: f64,
) -> Result<(Vec<f64>, Objective), Error> {
    let mut length = 1.0;
    for _ in 0..50 {
        let point: Vec<f64> = beta.iter().zip(step).map(|(b, s)| b - length * s).collect();
        let objective = Objective::at(x, labels, lambda, &point);
        // Near the optimum the objective's rounding exceeds its change: full steps are safe there.
        if objective.value <= from.value - 1e-4 * length * decrement || decrement < 1e-8 {
            return Ok((point, objective));
        }
        length *= 0.5;
    }
    Err(Error::NoConvergence)
}

/// Objective, gradient and weights σ′ at one point; the last column is the intercept's.
struct Objective {
    value: f64,
    gradient: Vec<f64>,
    weights: Vec<f64>,
}

impl Objective {
    fn at(x: &Columns, labels: &[u8], lambda: f64, beta: &[f64]) -> Objective {
        let scores = predictor(x, beta);
        let rows: Vec<[f64; 3]> = scores
            .par_iter()
            .zip(labels)
            .with_min_len(CHUNK)
            .map(|(s, y)| {
                let p = sigmoid(*s);
                [p - f64::from(*y), p * (1.0 - p), log_loss(*s, *y)]
            })
            .collect();
        let residuals: Vec<f64> = rows.iter().map(|r| r[0]).collect();
        let free = beta.len() - 1;
        let penalised = beta.iter().enumerate().map(|(j, b)| if j < free { lambda * b } else { 0.0 });
        let columns: Vec<&[f64]> = x.iter().collect();
        let sums: Vec<f64> = columns.par_iter().map(|c| dot(c, &residuals)).collect();
        Objective {
            value: rows.iter().map(|r| r[2]).sum::<f64>() + 0.5 * lambda * dot(&beta[..free], &beta[..free]),
            gradient: sums.iter().zip(penalised).map(|(s, p)| s + p).collect(),
            weights: rows.iter().map(|r| r[1]).collect(),
        }
    }
}

/// log(1 + exp(s)) − y·s without overflow.
fn log_loss(s: f64, y: u8) -> f64 {
    s.max(0.0) + libm::log1p(libm::exp(-s.abs())) - f64::from(y) * s
}

/// 1 / (1 + exp(−s)): the probability of a score.
pub fn sigmoid(s: f64) -> f64 {
    let e = libm::exp(-s.abs());
    if s >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

/// ln(p / (1 − p)).
pub fn log_odds(p: f64) -> f64 {
    libm::log(p / (1.0 - p))
}

/// Σ coefficient·column of every row, in parallel over rows; coefficients beyond the columns are ignored.
pub fn predictor(x: &Columns, coefficients: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; x.rows()];
    sums.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, sums)| {
        let first = chunk * CHUNK;
        for (column, coefficient) in x.iter().zip(coefficients) {
            for (s, v) in sums.iter_mut().zip(&column[first..]) {
                *s += coefficient * v;
            }
        }
    });
    sums
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn one(values: &[f64]) -> Columns {
        Columns::from_columns(values.len(), vec![("x".into(), values.to_vec())]).unwrap()
    }

    /// A saturated model of one 0/1 column has a closed form: the log odds of each cell.
    #[test]
    fn saturated_model_without_penalty() {
        let x: Vec<f64> = (0..100).map(|i| f64::from(u8::from(i >= 40))).collect();
        let y: Vec<u8> = (0..100).map(|i| u8::from(!(10..70).contains(&i))).collect();
        let fit = fit(&one(&x), &y, 0.0).unwrap();
        assert!((fit.intercept - libm::log(10.0 / 30.0)).abs() < 1e-12);
        assert!((fit.coefficients[0] - (libm::log(30.0 / 30.0) - libm::log(10.0 / 30.0))).abs() < 1e-12);
    }

    #[test]
    fn gradient_is_the_finite_difference_and_zero_at_the_optimum() {
        let x = Columns::from_columns(
            6,
            vec![
                ("a".into(), vec![0.5, -1.0, 2.0, 0.0, 1.0, -2.0]),
                ("b".into(), vec![1.0, 1.0, -1.0, 3.0, 0.0, 0.5]),
                ("1".into(), vec![1.0; 6]),
            ],
        )
        .unwrap();
        let labels = [1, 0, 1, 1, 0, 0];
        let beta = [0.3, -0.2, 0.1];
        let at = Objective::at(&x, &labels, 0.7, &beta);
        for j in 0..3 {
            let moved = |h: f64| {
                let mut b = beta;
                b[j] += h;
                Objective::at(&x, &labels, 0.7, &b).value
            };
            assert!(((moved(1e-5) - moved(-1e-5)) / 2e-5 - at.gradient[j]).abs() < 1e-9);
        }
        let two = Columns::from_columns(6, (0..2).map(|j| (String::new(), x.column(j).to_vec())).collect()).unwrap();
        let fit = fit(&two, &labels, 0.7).unwrap();
        let optimum = [fit.coefficients[0], fit.coefficients[1], fit.intercept];
        assert!(Objective::at(&x, &labels, 0.7, &optimum).gradient.iter().all(|g| g.abs() < 1e-10));
    }

    #[test]
    fn separable_data_converge_with_a_penalty() {
        let x: Vec<f64> = (0..40).map(|i| f64::from(i) - 19.5).collect();
        let y: Vec<u8> = (0..40).map(|i| u8::from(i >= 20)).collect();
        assert!(fit(&one(&x), &y, 1.0).is_ok());
        let strong = fit(&one(&x), &y, 1e-6).unwrap();
        assert!(strong.coefficients[0] > 10.0 && strong.coefficients[0].is_finite());
    }

    #[test]
    fn one_class_and_shapes() {
        assert_eq!(fit(&one(&[1.0, 2.0]), &[1, 1], 1.0), Err(Error::OneClass));
        assert_eq!(fit(&one(&[1.0, 2.0]), &[1], 1.0), Err(Error::ShapeMismatch { got: 1, expected: 2 }));
    }

    #[test]
    fn extreme_scores_stay_finite() {
        assert_eq!((sigmoid(1000.0), sigmoid(-1000.0), sigmoid(0.0)), (1.0, 0.0, 0.5));
        assert_eq!((log_loss(1000.0, 1), log_loss(-1000.0, 0)), (0.0, 0.0));
    }
}
