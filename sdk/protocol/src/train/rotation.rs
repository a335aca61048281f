//! Odd harmonics of phases: cos and sin of (2k − 1)·φ, by rotation (vlr.md, section 4).
use std::f64::consts::TAU;

/// Adding and taking this away rounds a binary64 to an integer, ties to even; exact below 2^51.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// Cosines and sines of the current odd harmonic of a block of phases.
///
/// Each step turns by twice the phase: 2·K roundings of 2^−53 in all, far below the quantisation that follows.
///
/// # Security
/// Holds predictors in another form; lives for one block.
pub(super) struct Rotation {
    cos: Vec<f64>,
    sin: Vec<f64>,
    turn_cos: Vec<f64>,
    turn_sin: Vec<f64>,
}

impl Rotation {
    /// The first harmonic, k = 1.
    pub(super) fn new(phases: &[u64]) -> Self {
        let angle = |phase: &u64| phase.cast_signed() as f64 * (TAU / 18_446_744_073_709_551_616.0);
        let (sin, cos): (Vec<f64>, Vec<f64>) = phases.iter().map(|phase| angle(phase).sin_cos()).unzip();
        let turn_cos = cos.iter().zip(&sin).map(|(c, s)| c * c - s * s).collect();
        let turn_sin = cos.iter().zip(&sin).map(|(c, s)| 2.0 * c * s).collect();
        Rotation { cos, sin, turn_cos, turn_sin }
    }

    /// From harmonic k to k + 1.
    pub(super) fn advance(&mut self) {
        let turns = self.turn_cos.iter().zip(&self.turn_sin);
        for ((c, s), (tc, ts)) in self.cos.iter_mut().zip(&mut self.sin).zip(turns) {
            let (x, y) = (*c, *s);
            *c = x * tc - y * ts;
            *s = x * ts + y * tc;
        }
    }

    /// ⌊factor·cos⌉ of every row, |factor| below 2^50.
    pub(super) fn cosines(&self, factor: f64, out: &mut Vec<i64>) {
        fixed(&self.cos, factor, out);
    }

    /// ⌊factor·sin⌉ of every row, |factor| below 2^50.
    pub(super) fn sines(&self, factor: f64, out: &mut Vec<i64>) {
        fixed(&self.sin, factor, out);
    }
}

fn fixed(values: &[f64], factor: f64, out: &mut Vec<i64>) {
    out.clear();
    out.extend(values.iter().map(|v| (v * factor + ROUND).to_bits().wrapping_sub(ROUND.to_bits()).cast_signed()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmonics_are_those_of_the_exact_angle() {
        let phases: Vec<u64> = (0..500u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let mut rotation = Rotation::new(&phases);
        let (mut cos, mut sin) = (Vec::new(), Vec::new());
        for k in 1..=60u64 {
            rotation.cosines(f64::from(1 << 21), &mut cos);
            rotation.sines(f64::from(-(1 << 21)), &mut sin);
            for ((phase, c), s) in phases.iter().zip(&cos).zip(&sin) {
                let exact = phase.wrapping_mul(2 * k - 1).cast_signed() as f64 * (TAU / 2f64.powi(64));
                assert!((*c as f64 - exact.cos() * 2f64.powi(21)).abs() < 0.5001, "k {k}");
                assert!((*s as f64 + exact.sin() * 2f64.powi(21)).abs() < 0.5001, "k {k}");
            }
            rotation.advance();
        }
    }
}
