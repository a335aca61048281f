//! The job's noise, computed before it starts (spec/ringlwe.md, section 7).
//!
//! *Statistical distance.* The flood has to hide what depends on the evaluator's multipliers: in one coefficient of a
//! slot answer, X = Σ_k (P_k·(e_k − ρ_k)), with 2K multiplier polynomials P_k of coefficients at most t/2, the owner's
//! errors e_k of variance 21/2, and the rounding residues ρ_k of scaled messages in (−½, ½], taken, as is usual, as
//! independent and uniform: variance 1/12. Hence σ(X) ≤ √(2K·N·(21/2 + 1/12))·t/2 for *any* multipliers. A flood
//! uniform in [−2^f, 2^f) shifted by X is within E|X|/2^(f+1) ≤ σ(X)/2^(f+1) of one that is not, also for an owner who
//! knows its own errors, since the bound is an average over them; distances add over coefficients. No tail factor
//! enters. In set G, one coefficient a scalar, σ(X) ≤ √(21/2 + 1/12)·‖m‖₂ with ‖m‖₂ ≤ 2^33.5 checked.
//!
//! *Failure.* Correctness rests on bounds that hold for every choice of randomness (errors at most 21, ternary values
//! at most 1), so within them decryption of slots cannot fail. A slot that wraps modulo t is no failure: it is seen and
//! repeated. A column sum is off by what the switch to q0 rounds: N + 1 independent values of at most ½ (taken,
//! again, as uniform), in units of 2^64/q0, a trifle more than 2^14. By Hoeffding's bound it reaches 2^24 with a
//! probability of at most 2·exp(−2·1021²/(N + 1)) < 2^−365.
use crate::{Error, N, Set};

/// log2 of the largest total statistical distance (RLWE-7).
const DISTANCE_LIMIT: f64 = -16.0;

/// log2 of the largest failure probability (RLWE-7).
const FAILURE_LIMIT: f64 = -30.0;

/// log2 of the failure probability where decryption cannot fail, or as good as cannot: what remains is the strength of
/// the seeds.
const NEVER: f64 = -128.0;

/// log2 of the largest ‖m‖₂ (RLWE-4).
const NORM: f64 = 33.5;

/// Variance of an error and of a rounding residue.
const VARIANCE: f64 = 10.5 + 1.0 / 12.0;

/// Largest magnitude of an error and a rounding residue.
const LARGEST: f64 = 21.5;

/// What a job asks of the scheme.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// Training rows.
    pub rows: u64,
    /// Largest number of evaluations.
    pub evaluations: u32,
    /// Columns of all parties together.
    pub columns: u32,
    /// The slot sets that may be used, each with its number of harmonics K.
    pub slot_sets: &'a [(Set, u32)],
}

/// The noise of a whole job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// log2 of the total statistical distance between the answers and ones that depend on the masked sums only.
    pub statistical_distance_log2: f64,
    /// log2 of the probability that an answer decrypts wrongly (a column sum: off by 2^24); −128 where it cannot.
    pub failure_log2: f64,
    /// Bits by which the flood exceeds the noise in a slot answer, in the least favourable set: f + 1 − log2 σ.
    pub slot_margin_bits: f64,
    /// Bits by which the flood exceeds the noise in a column sum.
    pub sum_margin_bits: f64,
}

impl Budget {
    /// The budget of a job.
    pub fn compute(shape: &Shape<'_>) -> Budget {
        let (rows, evaluations) = (shape.rows as f64, f64::from(shape.evaluations));
        let coefficients = shape.rows.div_ceil(N as u64) as f64 * N as f64 * evaluations;
        let scalars = 2.0 * f64::from(shape.columns) * evaluations;
        let margins = shape.slot_sets.iter().map(|&(set, harmonics)| slot_margin(set, f64::from(harmonics)));
        let slot_margin_bits = margins.fold(f64::INFINITY, f64::min);
        let sum_margin_bits = f64::from(Set::G.flood_exponent()) + 1.0 - NORM - VARIANCE.log2() / 2.0;
        let distance = coefficients * (-slot_margin_bits).exp2() + scalars * (-sum_margin_bits).exp2();
        let decrypts = shape.slot_sets.iter().all(|&(set, harmonics)| slots_decrypt(set, f64::from(harmonics)));
        Budget {
            statistical_distance_log2: distance.log2(),
            failure_log2: if decrypts && sums_decrypt(rows) { NEVER } else { 0.0 },
            slot_margin_bits,
            sum_margin_bits,
        }
    }

    /// Whether the job may run (RLWE-7).
    ///
    /// # Errors
    /// [`Error::NoiseBudget`].
    pub fn check(&self) -> Result<(), Error> {
        let (distance, failure) = (self.statistical_distance_log2, self.failure_log2);
        if distance <= DISTANCE_LIMIT && failure <= FAILURE_LIMIT {
            Ok(())
        } else {
            Err(Error::NoiseBudget { distance, failure })
        }
    }
}

/// f + 1 − log2 σ of a slot answer.
fn slot_margin(set: Set, harmonics: f64) -> f64 {
    let t = set.plaintext_modulus().map_or(f64::INFINITY, |t| t as f64);
    let variance = 2.0 * harmonics * N as f64 * VARIANCE;
    f64::from(set.flood_exponent()) + 1.0 - (variance.log2() / 2.0 + t.log2() - 1.0)
}

/// The noise that every answer has: of the fresh encryption of zero, and the rounding of the mask.
fn fresh() -> f64 {
    21.0 * (2.0 * N as f64 + 1.0) + 0.5
}

/// Whether noise on c0 leaves the rounding of t/(q0·q1) right, after the switch.
fn decrypts(set: Set, t: f64, noise: f64) -> bool {
    let (kept, dropped) = set.primes().split_at(set.kept().min(set.primes().len()));
    let switched = (noise + set_flood(set) + fresh()) / product(dropped) + (N as f64 + 1.0) / 2.0;
    switched < product(kept) / (2.0 * t)
}

fn product(primes: &[u64]) -> f64 {
    primes.iter().map(|&p| p as f64).product()
}

fn set_flood(set: Set) -> f64 {
    f64::from(set.flood_exponent()).exp2()
}

fn slots_decrypt(set: Set, harmonics: f64) -> bool {
    let t = set.plaintext_modulus().map_or(f64::INFINITY, |t| t as f64);
    decrypts(set, t, 2.0 * harmonics * N as f64 * t / 2.0 * LARGEST)
}

fn sums_decrypt(rows: f64) -> bool {
    // ‖m‖₁ ≤ √rows·‖m‖₂; after the switch, less than one is left of it and only the rounding counts
    let noise = rows.sqrt() * NORM.exp2() * LARGEST;
    (noise + set_flood(Set::G) + fresh()) / product(&Set::G.primes()[Set::G.kept()..]) < 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(rows: u64, evaluations: u32) -> Shape<'static> {
        Shape { rows, evaluations, columns: 100, slot_sets: &[(Set::S, 63), (Set::SCoarse, 53)] }
    }

    #[test]
    fn the_first_real_job_fits() {
        let budget = Budget::compute(&shape(20_926, 40));
        assert!(budget.check().is_ok(), "{budget:?}");
        // three blocks of forty evaluations: 2^19.9 coefficients of 2^−42.4 each
        assert!((budget.statistical_distance_log2 + 22.5).abs() < 0.1, "{budget:?}");
        assert!(budget.sum_margin_bits > 48.0);
    }

    #[test]
    fn set_s_has_forty_four_bits() {
        assert!((slot_margin(Set::S, 63.0) - 44.3).abs() < 0.1);
        assert!((slot_margin(Set::SCoarse, 53.0) - 42.4).abs() < 0.1);
    }

    // clause: RLWE-7
    #[test]
    fn too_large_a_job_is_refused() {
        let budget = Budget::compute(&shape(5_000_000, 40));
        assert!(matches!(budget.check(), Err(Error::NoiseBudget { .. })));
    }

    // clause: RLWE-7
    #[test]
    fn noise_above_the_limit_would_fail() {
        // more rows than any job has: the noise of their sum is no longer less than q1·q2
        assert!(sums_decrypt(5e6) && !sums_decrypt(126f64.exp2()));
        // q0·q1/(2t) · q2 is 2^101 in set S′, of which the flood takes half
        assert!(decrypts(Set::SCoarse, 48f64.exp2(), 99.9f64.exp2()));
        assert!(!decrypts(Set::SCoarse, 48f64.exp2(), 100.1f64.exp2()));
        let failing = Budget { failure_log2: 0.0, ..Budget::compute(&shape(1000, 1)) };
        assert!(matches!(failing.check(), Err(Error::NoiseBudget { .. })));
    }
}
