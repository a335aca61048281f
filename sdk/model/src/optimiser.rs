//! The initiator's choice of the next point (spec/vlr.md, section 8).
use crate::Error;

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
}

impl Optimiser {
    /// An optimiser that answers `Exhausted` once `max_evaluations` evaluations did not converge.
    pub fn new(max_evaluations: u32) -> Self {
        Optimiser { max_evaluations }
    }

    /// The grade of the first evaluation, at the start.
    pub fn start(&self) -> Grade {
        Grade::Coarse
    }

    /// Takes the SCALARS of the next accepted evaluation, summed over all parties, and the grade of its sine set.
    ///
    /// # Errors
    /// `ShapeMismatch` where their number is not that of section 8.
    pub fn record(&mut self, scalars: &[f64], grade: Grade) -> Result<Decision, Error> {
        let _ = (scalars, grade, self.max_evaluations);
        Ok(Decision::Exhausted)
    }

    /// √(gᵀM⁻¹g) of the last evaluation relative to the first's, in today's metric.
    pub fn norm(&self) -> f64 {
        f64::NAN
    }

    /// Accepted evaluations so far.
    pub fn evaluations(&self) -> u32 {
        0
    }
}
