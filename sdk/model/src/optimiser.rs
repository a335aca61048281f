//! The initiator's choice of the next point (spec/vlr.md, section 8).
use crate::Error;
use crate::block::scalar_count;

/// How exact the sigmoid of an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Error about 5·10⁻⁴, noise 2.5·10⁻³ a row.
    Coarse,
    /// Error about 10⁻⁶, noise 4·10⁻⁷ a row.
    Medium,
    /// Error about 5·10⁻⁸, noise 4·10⁻⁷ a row.
    Fine,
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

/// The optimiser's state: inner products only, no point and no gradient.
#[derive(Debug, Clone)]
pub struct Optimiser {
    max_evaluations: u32,
    bb: Vec<Vec<f64>>,
    bg: Vec<Vec<f64>>,
    gg: Vec<Vec<f64>>,
}

impl Optimiser {
    /// An optimiser that answers `Exhausted` once `max_evaluations` evaluations did not converge.
    pub fn new(max_evaluations: u32) -> Self {
        Optimiser { max_evaluations, bb: vec![], bg: vec![], gg: vec![] }
    }

    /// The grade of the first evaluation, at the start.
    pub fn start(&self) -> Grade {
        Grade::Coarse
    }

    fn dot(&self, x: &[f64], y: &[f64]) -> f64 {
        let n = self.bb.len();
        let mut sum = 0.0;
        for i in 0..n {
            for j in 0..n {
                sum += x[i] * y[j] * self.bb[i][j] + x[n + i] * y[n + j] * self.gg[i][j];
                sum += (x[i] * y[n + j] + y[i] * x[n + j]) * self.bg[i][j];
            }
        }
        sum
    }

    /// Takes the SCALARS of the next accepted evaluation, summed over all parties, and the grade of its sine set.
    ///
    /// # Errors
    /// `ShapeMismatch` where their number is not that of section 8.
    pub fn record(&mut self, scalars: &[f64], grade: Grade) -> Result<Decision, Error> {
        let e = self.bb.len();
        Error::same_length(scalars.len(), scalar_count(e))?;
        let n = e + 1;
        for m in [&mut self.bb, &mut self.bg, &mut self.gg] {
            m.iter_mut().for_each(|r| r.push(0.0));
            m.push(vec![0.0; n]);
        }
        let mut it = scalars.iter().copied();
        let mut next = || it.next().unwrap_or(0.0);
        if e == 2 {
            for i in 0..n {
                for j in 0..=i {
                    let v = next();
                    (self.bb[i][j], self.bb[j][i]) = (v, v);
                }
            }
            for i in 0..n {
                for j in 0..n {
                    self.bg[i][j] = next();
                }
            }
            for i in 0..n {
                for j in 0..=i {
                    let v = next();
                    (self.gg[i][j], self.gg[j][i]) = (v, v);
                }
            }
        } else {
            for j in 0..n {
                let v = next();
                (self.bb[e][j], self.bb[j][e]) = (v, v);
            }
            for j in 0..n {
                self.bg[e][j] = next();
            }
            for i in 0..e {
                self.bg[i][e] = next();
            }
            for j in 0..n {
                let v = next();
                (self.gg[e][j], self.gg[j][e]) = (v, v);
            }
        }
        let norm = self.norm();
        if norm < 1e-6 && grade == Grade::Fine {
            return Ok(Decision::Converged { evaluation: e as u32 });
        }
        if n as u32 >= self.max_evaluations || !norm.is_finite() {
            return Ok(Decision::Exhausted);
        }
        let unit = |k: usize| {
            let mut v = vec![0.0; 2 * n];
            v[k] = 1.0;
            v
        };
        let sub = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let mut q = unit(n + e);
        let pairs: Vec<(Vec<f64>, Vec<f64>)> = (0..e)
            .map(|i| (sub(&unit(i + 1), &unit(i)), sub(&unit(n + i + 1), &unit(n + i))))
            .filter(|(s, y)| self.dot(s, y) > 0.0)
            .collect();
        let mut alphas = vec![];
        for (s, y) in pairs.iter().rev() {
            let a = self.dot(s, &q) / self.dot(s, y);
            q.iter_mut().zip(y).for_each(|(q, y)| *q -= a * y);
            alphas.push(a);
        }
        if let Some((s, y)) = pairs.last() {
            let g = self.dot(s, y) / self.dot(y, y);
            q.iter_mut().for_each(|q| *q *= g);
        }
        for ((s, y), a) in pairs.iter().zip(alphas.iter().rev()) {
            let b = self.dot(y, &q) / self.dot(s, y);
            q.iter_mut().zip(s).for_each(|(q, s)| *q += (a - b) * s);
        }
        let mut next = unit(e);
        next.iter_mut().zip(&q).for_each(|(n, q)| *n -= q);
        let grade = if norm < 2e-3 || grade == Grade::Fine { Grade::Fine } else { Grade::Coarse };
        Ok(Decision::Evaluate { points: next[..n].to_vec(), gradients: next[n..].to_vec(), grade })
    }

    /// √(gᵀM⁻¹g) of the last evaluation relative to the first's, in today's metric.
    pub fn norm(&self) -> f64 {
        let diagonal = |i: usize| self.gg.get(i).and_then(|r| r.get(i)).copied().unwrap_or(f64::NAN);
        (diagonal(self.gg.len().saturating_sub(1)) / diagonal(0)).sqrt()
    }

    /// Accepted evaluations so far.
    pub fn evaluations(&self) -> u32 {
        self.bb.len() as u32
    }
}
