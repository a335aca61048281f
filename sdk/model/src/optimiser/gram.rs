//! The table of inner products that SCALARS fills (spec/vlr.md, section 8).
use crate::Error;
use crate::block::{REFRESH, scalar_count};

/// Inner products, in the metric M, of the points β_i and the preconditioned gradients M⁻¹g_j.
#[derive(Debug, Clone, Default)]
pub(super) struct Gram {
    /// β_iᵀMβ_j.
    points: Vec<Vec<f64>>,
    /// β_iᵀg_j.
    mixed: Vec<Vec<f64>>,
    /// g_iᵀM⁻¹g_j.
    gradients: Vec<Vec<f64>>,
}

impl Gram {
    /// Accepted evaluations.
    pub(super) fn len(&self) -> usize {
        self.gradients.len()
    }

    /// Adds the SCALARS of the next accepted evaluation; in the third one they replace the whole table.
    pub(super) fn extend(&mut self, scalars: &[f64]) -> Result<(), Error> {
        let e = self.len();
        Error::same_length(scalars.len(), scalar_count(e))?;
        for table in [&mut self.points, &mut self.mixed, &mut self.gradients] {
            table.iter_mut().for_each(|row| row.push(0.0));
            table.push(vec![0.0; e + 1]);
        }
        let mut next = scalars.iter().copied();
        if e == REFRESH {
            let all = |e: usize| (0..=e).flat_map(move |i| (0..=i).map(move |j| (i, j)));
            all(e).zip(&mut next).for_each(|((i, j), value)| set(&mut self.points, i, j, value));
            let square = (0..=e).flat_map(|i| (0..=e).map(move |j| (i, j)));
            square.zip(&mut next).for_each(|((i, j), value)| self.mixed[i][j] = value);
            all(e).zip(&mut next).for_each(|((i, j), value)| set(&mut self.gradients, i, j, value));
        } else {
            (0..=e).zip(&mut next).for_each(|(j, value)| set(&mut self.points, e, j, value));
            (0..=e).zip(&mut next).for_each(|(j, value)| self.mixed[e][j] = value);
            (0..e).zip(&mut next).for_each(|(i, value)| self.mixed[i][e] = value);
            (0..=e).zip(&mut next).for_each(|(j, value)| set(&mut self.gradients, e, j, value));
        }
        Ok(())
    }

    /// g_iᵀM⁻¹g_j.
    pub(super) fn gradients(&self, i: usize, j: usize) -> f64 {
        self.gradients[i][j]
    }

    /// β_iᵀg_j.
    pub(super) fn mixed(&self, i: usize, j: usize) -> f64 {
        self.mixed[i][j]
    }

    /// ‖β_i − β_j‖² in the metric.
    pub(super) fn distance(&self, i: usize, j: usize) -> f64 {
        (self.points[i][i] - 2.0 * self.points[i][j] + self.points[j][j]).max(0.0)
    }

    /// (g_{i+1} − g_i)ᵀM⁻¹g_j.
    pub(super) fn change(&self, i: usize, j: usize) -> f64 {
        self.gradients[i + 1][j] - self.gradients[i][j]
    }

    /// (g_{i+1} − g_i)ᵀM⁻¹(g_{j+1} − g_j).
    pub(super) fn changes(&self, i: usize, j: usize) -> f64 {
        self.change(i, j + 1) - self.change(i, j)
    }
}

fn set(table: &mut [Vec<f64>], i: usize, j: usize, value: f64) {
    table[i][j] = value;
    table[j][i] = value;
}
