//! A party's own block of `vlr-1`: its columns, points, gradients and metric (spec/vlr.md, sections 3 and 6 to 8).
use crate::logistic::{log_odds, predictor, sigmoid};
use crate::symmetric::{Cholesky, Symmetric, dot};
use crate::{Columns, Error};
use hefu_core::fault::{Switch, is_on};
use rayon::prelude::*;
use std::fmt;

/// The accepted evaluation in which the metric takes local weights.
pub(crate) const REFRESH: usize = 2;
/// Scale of the integer columns, 2^22.
const FIXED: f64 = 4_194_304.0;
/// Scalars stay below this in magnitude (VLR-11).
const SCALAR_LIMIT: f64 = 4096.0;

/// What every party knows of the training rows: the numbers of TRAIN_PLAN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// Training rows, n.
    pub rows: u32,
    /// Training rows with label 1.
    pub positives: u32,
    /// The penalty λ ≥ 0 of the sum objective.
    pub lambda: f64,
}

/// A party's block: standardised training rows, every accepted point and gradient, and the metric M.
///
/// # Security
/// Holds the party's rows. Debug shows the shape only.
pub struct Block {
    x: Columns,
    fixed: Vec<i64>,
    bounds: Vec<f64>,
    intercept: bool,
    target: Target,
    metric: Symmetric,
    factor: Cholesky,
    point: Vec<f64>,
    predictor: Vec<f64>,
    points: Vec<Vec<f64>>,
    gradients: Vec<Vec<f64>>,
    /// M⁻¹·gradient, one an accepted evaluation.
    directions: Vec<Vec<f64>>,
}

impl Block {
    /// The block at the start: β = 0 and, with `intercept` (rank 0), the log odds of the positive rows.
    ///
    /// `x` holds the party's standardised training rows in the job's order. The column of ones becomes the last.
    ///
    /// # Errors
    /// `NormTooLarge` (VLR-9), `OneClass`, `ShapeMismatch` where `x` has not `target.rows` rows.
    pub fn new(mut x: Columns, intercept: bool, target: &Target) -> Result<Block, Error> {
        Error::same_length(x.rows(), target.rows as usize)?;
        if target.positives == 0 || target.positives >= target.rows {
            return Err(Error::OneClass);
        }
        if intercept {
            x.push("intercept", &vec![1.0; x.rows()])?;
        }
        let (fixed, bounds) = fixed_columns(&x)?;
        let mean = f64::from(target.positives) / f64::from(target.rows);
        let mut point = vec![0.0; x.count()];
        if let (true, Some(last)) = (intercept, point.last_mut()) {
            *last = log_odds(mean);
        }
        let weights = vec![mean * (1.0 - mean); x.rows()];
        let (metric, factor) = metric(&x, &weights, target, intercept);
        let predictor = predictor(&x, &point);
        Ok(Block {
            x,
            fixed,
            bounds,
            intercept,
            target: *target,
            metric,
            factor,
            point,
            predictor,
            points: Vec::new(),
            gradients: Vec::new(),
            directions: Vec::new(),
        })
    }

    /// Training rows, n.
    pub fn rows(&self) -> usize {
        self.x.rows()
    }

    /// Columns, d_p, rank 0's column of ones included.
    pub fn count(&self) -> usize {
        self.x.count()
    }

    /// The standardised columns, the column of ones last.
    pub fn columns(&self) -> &Columns {
        &self.x
    }

    /// Column `j` as integers ⌊2^22·x⌉ (section 6).
    ///
    /// # Panics
    /// Where `j` is not below `count()`, as an index does.
    pub fn fixed(&self, j: usize) -> &[i64] {
        &self.fixed[j * self.rows()..][..self.rows()]
    }

    /// Σ ⌊2^22·x⌉·share modulo 2^64 of every column: the half of the gradient that a key owner computes itself.
    /// With a share at scale 2^20 the sums are at scale 2^42.
    ///
    /// # Errors
    /// `ShapeMismatch` where there is not one share a row.
    pub fn sums(&self, share: &[u64]) -> Result<Vec<u64>, Error> {
        Error::same_length(share.len(), self.rows())?;
        let sum = |j: usize| {
            let products = self.fixed(j).iter().zip(share).map(|(x, s)| x.cast_unsigned().wrapping_mul(*s));
            products.fold(0u64, u64::wrapping_add)
        };
        Ok((0..self.count()).into_par_iter().map(sum).collect())
    }

    /// The current point β_p.
    pub fn point(&self) -> &[f64] {
        &self.point
    }

    /// z = X_p·β_p of every training row at the current point.
    ///
    /// # Security
    /// Never leaves the party but as a phase that is shared or encrypted (VLR-13).
    pub fn predictor(&self) -> &[f64] {
        &self.predictor
    }

    /// ⌈max over rows of abs(z)⌉, the payload of BOUND.
    ///
    /// # Errors
    /// `PredictorTooLarge` where it does not fit.
    pub fn bound(&self) -> Result<u32, Error> {
        let bound = libm::ceil(self.predictor.iter().fold(0.0, |m: f64, z| m.max(z.abs())));
        if bound < f64::from(u32::MAX) { Ok(bound as u32) } else { Err(Error::PredictorTooLarge) }
    }

    /// Phases ⌊2^64·z/P⌋ modulo 2^64 of the predictors, for the period P > 0 of a sine set (section 3).
    ///
    /// z/P is rounded once to binary64; the scaling by 2^64 and the floor are exact, so a phase is within
    /// |z/P|·2^11 + 1 units of the real one: 2^−52 of a turn for |z| ≤ P, far below the sine sets' own error.
    pub fn phases(&self, period: f64) -> Vec<u64> {
        self.predictor.par_iter().with_min_len(4096).map(|z| phase(*z, period)).collect()
    }

    /// Whether a column sum leaves [−B, B], B = Σ|x| + 1: a row's share wrapped (section 7).
    ///
    /// `sums` holds Σ x·e of every column.
    ///
    /// # Errors
    /// `ShapeMismatch`.
    pub fn is_wrapped(&self, sums: &[f64]) -> Result<bool, Error> {
        Error::same_length(sums.len(), self.count())?;
        Ok(!is_on(Switch::NeverFlags) && !sums.iter().zip(&self.bounds).all(|(s, b)| s.abs() <= *b))
    }

    /// Accepts the evaluation at the current point and returns its SCALARS, this party's part (section 8).
    ///
    /// `sums` holds Σ x·e of every column; the penalty's gradient is added here. In the third accepted evaluation
    /// the metric takes local weights first.
    ///
    /// # Errors
    /// `ShapeMismatch`; `ScalarTooLarge` (VLR-11), after which the block is of no more use.
    pub fn accept(&mut self, sums: &[f64]) -> Result<Vec<f64>, Error> {
        Error::same_length(sums.len(), self.count())?;
        let n = self.rows() as f64;
        let penalised = self.count() - usize::from(self.intercept);
        let penalty = |j: usize| if j < penalised { self.target.lambda * self.point[j] } else { 0.0 };
        let gradient: Vec<f64> = sums.iter().enumerate().map(|(j, s)| (s + penalty(j)) / n).collect();
        self.points.push(self.point.clone());
        self.gradients.push(gradient);
        if self.accepted() == REFRESH + 1 {
            self.refresh();
        } else if let Some(last) = self.gradients.last() {
            self.directions.push(self.factor.solve(last));
        }
        let scalars = self.scalars();
        check_scalars(&scalars)?;
        Ok(scalars)
    }

    /// Takes the last accepted evaluation back, because another party's share wrapped (section 7). The point stays.
    ///
    /// Accepting the repetition makes the same scalars as if the first had never been: a refreshed metric is refreshed
    /// again.
    pub fn retract(&mut self) {
        self.points.pop();
        self.gradients.pop();
        self.directions.pop();
    }

    /// Accepted evaluations.
    pub fn accepted(&self) -> usize {
        self.points.len()
    }

    /// Moves to Σ points_i·β_i + Σ gradients_j·M⁻¹g_j, the point of STEP.
    ///
    /// # Errors
    /// `ShapeMismatch` where a list has not one coefficient an accepted evaluation (VLR-12).
    pub fn step(&mut self, points: &[f64], gradients: &[f64]) -> Result<(), Error> {
        Error::same_length(points.len(), self.accepted())?;
        Error::same_length(gradients.len(), self.accepted())?;
        let mut next = vec![0.0; self.count()];
        let terms = points.iter().zip(&self.points).chain(gradients.iter().zip(&self.directions));
        for (coefficient, vector) in terms {
            next.iter_mut().zip(vector).for_each(|(n, v)| *n += coefficient * v);
        }
        self.predictor = predictor(&self.x, &next);
        self.point = next;
        Ok(())
    }

    /// The point of accepted evaluation `e`: the party's part of the model once TRAIN_DONE names it.
    pub fn coefficients(&self, e: usize) -> Option<&[f64]> {
        self.points.get(e).map(Vec::as_slice)
    }

    /// Replaces W by σ′(α₀ + z), z without the intercept, and with it M and all M⁻¹g.
    fn refresh(&mut self) {
        let own = match (self.intercept, self.point.last()) {
            (true, Some(intercept)) => *intercept,
            _ => 0.0,
        };
        let mean = f64::from(self.target.positives) / f64::from(self.target.rows);
        let z: Vec<f64> = self.predictor.iter().map(|z| z - own).collect();
        let weights = local_weights(&z, mean);
        (self.metric, self.factor) = metric(&self.x, &weights, &self.target, self.intercept);
        self.directions = self.gradients.iter().map(|g| self.factor.solve(g)).collect();
    }

    fn scalars(&self) -> Vec<f64> {
        let (b, g, d) = (&self.points, &self.gradients, &self.directions);
        let e = b.len() - 1;
        if e == REFRESH {
            let metric: Vec<Vec<f64>> = b.iter().map(|b| self.metric.times(b)).collect();
            let points = (0..=e).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|(i, j)| dot(&metric[i], &b[j]));
            let mixed = (0..=e).flat_map(|i| (0..=e).map(move |j| (i, j))).map(|(i, j)| dot(&b[i], &g[j]));
            let slopes = (0..=e).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|(i, j)| dot(&d[i], &g[j]));
            return points.chain(mixed).chain(slopes).collect();
        }
        let metric = self.metric.times(&b[e]);
        let points = b.iter().map(|b| dot(&metric, b));
        let mixed = g.iter().map(|g| dot(&b[e], g)).chain(b[..e].iter().map(|b| dot(b, &g[e])));
        points.chain(mixed).chain(g.iter().map(|g| dot(&d[e], g))).collect()
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} rows, {} columns, {} accepted)", self.rows(), self.count(), self.accepted())
    }
}

/// Length of SCALARS in accepted evaluation `e` (section 8).
pub fn scalar_count(e: usize) -> usize {
    if e == REFRESH { 21 } else { 4 * e + 3 }
}

/// Refuses scalars that leave their fixed-point range (VLR-11).
fn check_scalars(scalars: &[f64]) -> Result<(), Error> {
    if scalars.iter().all(|s| s.abs() < SCALAR_LIMIT) || is_on(Switch::NoScalarLimit) {
        Ok(())
    } else {
        Err(Error::ScalarTooLarge)
    }
}

/// ⌊2^64·z/P⌋ modulo 2^64.
pub fn phase(z: f64, period: f64) -> u64 {
    const TURN: f64 = 18_446_744_073_709_551_616.0;
    // Beyond 2^63 turns the conversion saturates; bounds end the job long before.
    libm::floor(z / period * TURN) as i128 as u64
}

/// The nearest integer, halves away from zero: what `round` gives, without a call.
fn nearest(v: f64) -> i64 {
    let whole = v as i64;
    let rest = v - whole as f64;
    whole + i64::from(rest >= 0.5) - i64::from(rest <= -0.5)
}

/// Integer columns, and B of each.
fn fixed_columns(x: &Columns) -> Result<(Vec<i64>, Vec<f64>), Error> {
    let mut fixed = vec![0i64; x.rows() * x.count()];
    if x.rows() > 0 {
        fixed.par_chunks_mut(x.rows()).enumerate().for_each(|(j, column)| {
            column.iter_mut().zip(x.column(j)).for_each(|(f, v)| *f = nearest(v * FIXED));
        });
    }
    let mut bounds = Vec::with_capacity(x.count());
    for j in 0..x.count() {
        let norm: u128 = fixed[j * x.rows()..][..x.rows()].iter().map(|v| u128::from(v.unsigned_abs())).sum();
        if norm >= 1 << 43 {
            return Err(Error::NormTooLarge { column: x.name(j).to_owned() });
        }
        bounds.push(norm as f64 / FIXED + 1.0);
    }
    Ok((fixed, bounds))
}

/// M = (XᵀWX + λI)/n, 0 in place of λ for the intercept, and its factor.
fn metric(x: &Columns, weights: &[f64], target: &Target, intercept: bool) -> (Symmetric, Cholesky) {
    let mut metric = Symmetric::gram(x, weights);
    (0..x.count() - usize::from(intercept)).for_each(|j| *metric.at(j, j) += target.lambda);
    metric.scale(1.0 / x.rows() as f64);
    let factor = metric.factor();
    (metric, factor)
}

/// σ′(α₀ + z) with α₀ such that the mean of σ(α₀ + z) is `mean`.
fn local_weights(z: &[f64], mean: f64) -> Vec<f64> {
    let n = z.len() as f64;
    let (mut low, mut high) = z.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), z| (l.min(*z), h.max(*z)));
    // σ is monotone: the root lies between the log odds shifted by the extremes of z.
    (low, high) = (log_odds(mean) - high, log_odds(mean) - low);
    let mut alpha = log_odds(mean).clamp(low, high);
    for _ in 0..100 {
        let (excess, slope) = z.iter().fold((-mean * n, 0.0), |(e, s), z| {
            let p = sigmoid(alpha + z);
            (e + p, s + p * (1.0 - p))
        });
        if excess > 0.0 {
            high = alpha
        } else {
            low = alpha
        }
        let newton = alpha - excess / slope;
        let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
        let moved = (next - alpha).abs();
        alpha = next;
        if moved < 1e-12 {
            break;
        }
    }
    let weight = |z: &f64| {
        let p = sigmoid(alpha + z);
        p * (1.0 - p)
    };
    z.par_iter().with_min_len(4096).map(weight).collect()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../tests/vectors/block.rs"]
mod vectors;
