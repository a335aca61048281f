//! The initiator's choice of the next point (spec/vlr.md, section 8; reasons in
//! spec/decisions/0003-optimiser-schedule.md).
//!
//! Anderson acceleration in the metric M: among all affine combinations of the known points, take the one whose
//! linearly combined gradient is least, and step from there against that gradient. For a quadratic objective this is as
//! good as conjugate gradients, and it needs inner products only. Two kinds of doubt enter the least-squares problem as
//! a ridge, pair by pair: the noise of the sigmoid's grade, and the curvature's change between the pair and the present
//! point. So old and coarse pairs fade as far as they deserve, and none is ever dropped.
mod gram;
#[cfg(test)]
mod tests;

use crate::Error;
use crate::symmetric::Symmetric;
use gram::Gram;

/// How exact the sigmoid of an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Error about 5·10⁻⁴, noise 2.5·10⁻³ a row.
    Coarse,
    /// Error about 3·10⁻⁵, noise 3·10⁻⁴ a row.
    Medium,
    /// Error about 5·10⁻⁷, noise 4·10⁻⁷ a row.
    Fine,
}

impl Grade {
    /// Error of a gradient's norm relative to the first gradient's, measured on 21,000 rows and 24 columns.
    fn noise(self) -> f64 {
        match self {
            Grade::Coarse => 1.5e-3,
            Grade::Medium => 5e-5,
            Grade::Fine => 5e-7,
        }
    }

    /// The relative norm below which the next evaluation needs a finer grade.
    fn end(self) -> f64 {
        match self {
            Grade::Coarse => 1.5e-2,
            Grade::Medium => 2e-4,
            Grade::Fine => 0.0,
        }
    }

    fn finer(self) -> Grade {
        match self {
            Grade::Coarse => Grade::Medium,
            Grade::Medium | Grade::Fine => Grade::Fine,
        }
    }

    /// The share of the sum of all announced bounds that the R of the sine set has to reach.
    ///
    /// The largest predictors of two parties rarely meet in one row, so coarse and medium evaluations are content
    /// with two thirds; past R the approximation decays smoothly towards P/2. Convergence is accepted only where a
    /// fine set was asked for, which reaches the whole sum (VLR-6).
    pub fn reach(self) -> f64 {
        match self {
            Grade::Coarse | Grade::Medium => 2.0 / 3.0,
            Grade::Fine => 1.0,
        }
    }
}

/// What to do after an accepted evaluation.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Evaluate at Σ points_i·β_i + Σ gradients_j·M⁻¹g_j, with a sine set of this grade or a finer one.
    Evaluate {
        /// One coefficient an accepted point.
        points: Vec<f64>,
        /// One coefficient an accepted gradient.
        gradients: Vec<f64>,
        /// The least exact grade that serves.
        grade: Grade,
    },
    /// The point of this accepted evaluation is the model.
    Converged {
        /// Its index.
        evaluation: u32,
    },
    /// The maximum number of evaluations is used up, or no further progress is possible.
    Exhausted,
}

/// Convergence: the norm of the preconditioned gradient relative to the first one's.
const TOLERANCE: f64 = 1e-6;
/// A norm beyond this many times the first one's is beyond rescue.
const DIVERGED: f64 = 1e9;
/// How fast the curvature changes with the distance in the metric.
const CURVATURE: f64 = 0.3;
/// Resolution of a scalar, 2^−50, times the four that make an inner product of changes.
const RESOLUTION: f64 = 4.0 / (1u64 << 50) as f64;
/// Norms below this many times a grade's noise are near it.
const NEAR: f64 = 30.0;
/// The longest step against the remaining gradient, in units of the metric's own.
const LONGEST: f64 = 100.0;

/// The optimiser's state: inner products only, no point and no gradient.
#[derive(Debug, Clone)]
pub struct Optimiser {
    max_evaluations: u32,
    gram: Gram,
    /// Grade of each accepted evaluation.
    grades: Vec<Grade>,
    /// Relative norm of each accepted evaluation when it came.
    norms: Vec<f64>,
    /// The grade asked for, and the first evaluation that was asked for with it.
    asked: Grade,
    since: usize,
    length: f64,
}

impl Optimiser {
    /// An optimiser that answers `Exhausted` once `max_evaluations` evaluations did not converge.
    pub fn new(max_evaluations: u32) -> Self {
        Optimiser {
            max_evaluations,
            gram: Gram::default(),
            grades: Vec::new(),
            norms: Vec::new(),
            asked: Grade::Coarse,
            since: 0,
            length: 1.0,
        }
    }

    /// The grade of the first evaluation, at the start.
    pub fn start(&self) -> Grade {
        self.asked
    }

    /// Takes the SCALARS of the next accepted evaluation, summed over all parties, and the grade of its sine set.
    ///
    /// # Errors
    /// `ShapeMismatch` where their number is not that of section 8.
    pub fn record(&mut self, scalars: &[f64], grade: Grade) -> Result<Decision, Error> {
        self.gram.extend(scalars)?;
        self.grades.push(grade);
        let norm = self.norm();
        self.norms.push(norm);
        if norm <= TOLERANCE && grade == Grade::Fine && self.asked == Grade::Fine {
            return Ok(Decision::Converged { evaluation: self.evaluations() - 1 });
        }
        let is_lost = norm.is_nan() || norm > DIVERGED || !scalars.iter().all(|s| s.is_finite());
        if is_lost || self.evaluations() >= self.max_evaluations {
            return Ok(Decision::Exhausted);
        }
        self.adapt();
        Ok(self.next())
    }

    /// √(gᵀM⁻¹g) of the last evaluation relative to the first's, in today's metric.
    pub fn norm(&self) -> f64 {
        let Some(last) = self.gram.len().checked_sub(1) else { return f64::NAN };
        let (first, last) = (self.gram.gradients(0, 0), self.gram.gradients(last, last));
        // Below the scalars' resolution a square may come out negative.
        if first > 0.0 { libm::sqrt(last.max(0.0) / first) } else { libm::sqrt(last.max(0.0)) }
    }

    /// Accepted evaluations so far.
    pub fn evaluations(&self) -> u32 {
        self.gram.len() as u32
    }

    /// Chooses the next grade, and the length of the step against the remaining gradient.
    fn adapt(&mut self) {
        let (norm, before) = (self.norm(), self.asked);
        while norm < self.asked.end() {
            self.asked = self.asked.finer();
        }
        if self.asked == before && self.is_stalled() {
            self.asked = self.asked.finer();
        }
        if self.asked != before {
            self.since = self.norms.len();
        }
        // Where nothing moves, what remains lies along directions of little curvature, and a change of the gradient
        // drowns in noise: longer steps make it seen.
        self.length = match self.norms.iter().rev().nth(1) {
            Some(previous) if self.norms.len() > 3 && (0.9..1.1).contains(&(norm / previous)) => {
                (3.0 * self.length).min(LONGEST)
            }
            _ => 1.0,
        };
    }

    /// Whether the evaluations of the present grade gain too little: near the grade's noise, the last two less than a
    /// half on those before; further off, the last four less than a third.
    fn is_stalled(&self) -> bool {
        let own = self.norms.get(self.since..).unwrap_or_default();
        let least = |norms: &[f64]| norms.iter().copied().fold(f64::INFINITY, f64::min);
        let gains_little = |count: usize, share: f64| {
            let (before, last) = own.split_at(own.len().saturating_sub(count));
            !before.is_empty() && least(last) > share * least(before)
        };
        let is_near = self.norm() < NEAR * self.asked.noise();
        (is_near && gains_little(2, 0.5)) || gains_little(4, 0.7)
    }

    fn next(&self) -> Decision {
        let last = self.gram.len() - 1;
        let weights = self.weights();
        let slope = |weights: &[f64], length: f64| {
            let along: f64 = weights
                .iter()
                .enumerate()
                .map(|(k, w)| {
                    let moved = self.gram.mixed(k + 1, last) - self.gram.mixed(k, last);
                    w * (moved - length * self.gram.change(k, last))
                })
                .sum();
            along - length * self.gram.gradients(last, last)
        };
        // A combination that leads uphill, or no number at all, gives way to the plain preconditioned gradient.
        let downhill = slope(&weights, self.length) < 0.0;
        let (weights, length) = if downhill { (weights, self.length) } else { (vec![0.0; last], 1.0) };
        let (mut points, mut gradients) = (vec![0.0; last + 1], vec![0.0; last + 1]);
        points[last] = 1.0;
        gradients[last] = -length;
        for (k, w) in weights.iter().enumerate() {
            points[k] -= w;
            points[k + 1] += w;
            gradients[k] += length * w;
            gradients[k + 1] -= length * w;
        }
        Decision::Evaluate { points, gradients, grade: self.asked }
    }

    /// The weights θ of the changes s_k = β_{k+1} − β_k and y_k = g_{k+1} − g_k that minimise
    /// ‖g + Σ θ_k·y_k‖² + Σ doubt_k·θ_k² in the metric M⁻¹.
    fn weights(&self) -> Vec<f64> {
        let last = self.gram.len() - 1;
        let first = self.gram.gradients(0, 0).max(0.0);
        let doubt = |k: usize| {
            let noise = self.grades[k].noise().max(self.grades[k + 1].noise());
            let away = self.gram.distance(k, last).max(self.gram.distance(k + 1, last));
            noise * noise * first + CURVATURE * CURVATURE * away * self.gram.changes(k, k).max(0.0) + RESOLUTION
        };
        let scale: Vec<f64> = (0..last).map(|k| self.gram.changes(k, k).max(0.0) + doubt(k)).collect();
        let mut normal = Symmetric::zero(last);
        for i in 0..last {
            for j in 0..last {
                *normal.at(i, j) = if i == j { 1.0 } else { self.gram.changes(i, j) / libm::sqrt(scale[i] * scale[j]) };
            }
        }
        let right: Vec<f64> = (0..last).map(|k| -self.gram.change(k, last) / libm::sqrt(scale[k])).collect();
        let solved = normal.factor().solve(&right);
        solved.iter().zip(&scale).map(|(t, s)| t / libm::sqrt(*s)).collect()
    }
}
