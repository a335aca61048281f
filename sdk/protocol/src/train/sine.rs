//! Sine sets: the registered approximations of the sigmoid (`spec/registry/sine_sets.json`, vlr.md section 4).
use crate::Error;
use hefu_core::Code;
use hefu_he::Set;
use hefu_model::optimiser::Grade;
use serde::Deserialize;
use std::sync::LazyLock;

/// A registered sine set.
#[derive(Debug, Clone, PartialEq)]
pub struct Sine {
    /// Registry number.
    pub id: u16,
    /// Period P.
    pub period: f64,
    /// The sigmoid is approximated for |s| up to R.
    pub range: u32,
    /// Slot set that it is evaluated in.
    pub set: Set,
    /// Fractional bits of the basis, f_b.
    pub basis_bits: u32,
    /// Fractional bits of the multipliers, f_a.
    pub multiplier_bits: u32,
    /// Bits that both shares drop, f_x.
    pub dropped_bits: u32,
    /// c_k, k = 1 … K.
    pub coefficients: Vec<f64>,
}

#[derive(Deserialize)]
struct Registry {
    sine_sets: Vec<Entry>,
}

#[derive(Deserialize)]
#[allow(non_snake_case)]
struct Entry {
    id: u16,
    P: u32,
    R: u32,
    set: String,
    f_b: u32,
    f_a: u32,
    f_x: u32,
    C: Vec<i64>,
}

/// Scale of the registry's integers C_k.
const SCALE: f64 = (1u64 << 40) as f64;
/// Registry numbers of each grade begin here.
const MEDIUM: u16 = 0x0200;
const FINE: u16 = 0x0300;

static SETS: LazyLock<Vec<Sine>> = LazyLock::new(|| {
    let text = include_str!("../../../../spec/registry/sine_sets.json");
    // The registry is compiled in and read by a test: it parses.
    let registry: Registry = serde_json::from_str(text).unwrap_or(Registry { sine_sets: Vec::new() });
    registry.sine_sets.into_iter().map(Sine::from).collect()
});

impl From<Entry> for Sine {
    fn from(entry: Entry) -> Self {
        Sine {
            id: entry.id,
            period: f64::from(entry.P),
            range: entry.R,
            set: if entry.set == "S" { Set::S } else { Set::SCoarse },
            basis_bits: entry.f_b,
            multiplier_bits: entry.f_a,
            dropped_bits: entry.f_x,
            coefficients: entry.C.iter().map(|c| *c as f64 / SCALE).collect(),
        }
    }
}

/// Every registered sine set.
pub fn sine_sets() -> &'static [Sine] {
    &SETS
}

/// Largest number of training rows with a medium set (VLR-15).
const MEDIUM_ROWS: usize = 1 << 18;

impl Sine {
    /// The set of a registry number.
    pub fn by_id(id: u16) -> Option<&'static Sine> {
        sine_sets().iter().find(|set| set.id == id)
    }

    /// The narrowest set of a grade whose range reaches `bound`; a fine one in place of a medium one where the column
    /// of ones would not see every wrap (VLR-15).
    ///
    /// # Errors
    /// `PREDICTOR_TOO_LARGE` where none reaches it (VLR-7).
    pub(super) fn choose(grade: Grade, rows: usize, bound: u64) -> Result<&'static Sine, Error> {
        let grade = if grade == Grade::Medium && rows > MEDIUM_ROWS { Grade::Fine } else { grade };
        let narrowest = Self::reaching(bound).filter(|set| set.grade() == grade).min_by_key(|set| set.range);
        narrowest
            .ok_or_else(|| Error::job(Code::PredictorTooLarge, "VLR-7", "scores grow beyond every registered sine set"))
    }

    /// The sets whose range reaches `bound` (VLR-6).
    pub(super) fn reaching(bound: u64) -> impl Iterator<Item = &'static Sine> {
        sine_sets().iter().filter(move |set| u64::from(set.range) >= bound)
    }

    /// Scale of the basis values, 2^f_b.
    pub(super) fn basis_factor(&self) -> f64 {
        f64::from(1u32 << self.basis_bits)
    }

    /// Scale of the multipliers of harmonic k = index + 1: 2^f_a·c_k.
    pub(super) fn multiplier_factor(&self, index: u32) -> f64 {
        let coefficient = self.coefficients.get(index as usize).copied().unwrap_or(0.0);
        coefficient * f64::from(1u32 << self.multiplier_bits)
    }

    /// How exact the set is.
    pub fn grade(&self) -> Grade {
        if self.id >= FINE {
            Grade::Fine
        } else if self.id >= MEDIUM {
            Grade::Medium
        } else {
            Grade::Coarse
        }
    }

    /// Harmonics, K.
    pub fn harmonics(&self) -> u32 {
        self.coefficients.len() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_parses_and_approximates_the_sigmoid() {
        assert_eq!(sine_sets().len(), 33);
        for set in sine_sets() {
            assert_eq!(set.basis_bits + set.multiplier_bits - set.dropped_bits, 20);
            let error = (0..=1000)
                .map(|i| f64::from(set.range) * f64::from(i) / 1000.0)
                .map(|s| {
                    let sum: f64 = (1u32..)
                        .zip(&set.coefficients)
                        .map(|(k, c)| c * (f64::from(2 * k - 1) * std::f64::consts::TAU * s / set.period).sin())
                        .sum();
                    (sum - (1.0 / (1.0 + (-s).exp()) - 0.5)).abs()
                })
                .fold(0.0, f64::max);
            let allowed = match set.grade() {
                Grade::Coarse => 1e-3,
                Grade::Medium => 6e-5,
                Grade::Fine => 6e-7,
            };
            assert!(error < allowed, "set {:#06x}: {error:e}", set.id);
        }
    }

    // clause: VLR-6, VLR-7
    #[test]
    fn the_narrowest_sufficient_set_is_chosen() {
        assert_eq!(Sine::choose(Grade::Fine, 1, 17).map(|s| s.range), Ok(20));
        assert_eq!(Sine::choose(Grade::Coarse, 1, 20).map(|s| s.range), Ok(20));
        assert_eq!(Sine::choose(Grade::Fine, 1, 1000).unwrap_err().code(), Code::PredictorTooLarge);
    }

    // clause: VLR-15
    #[test]
    fn many_rows_have_no_medium_set() {
        let grade = |rows| Sine::choose(Grade::Medium, rows, 8).map(Sine::grade);
        assert_eq!((grade(1 << 18), grade((1 << 18) + 1)), (Ok(Grade::Medium), Ok(Grade::Fine)));
    }
}
