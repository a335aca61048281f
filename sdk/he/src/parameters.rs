//! Parameter sets and wire sizes (spec/ringlwe.md, section 1).

/// Ring dimension: coefficients of a polynomial, slots of a block, rows of a block.
pub const N: usize = 8192;

/// Bytes of an encryption seed and of a public seed.
pub const SEED_BYTES: usize = 16;

/// Bytes of one packed polynomial modulo one prime.
pub(crate) const POLYNOMIAL_BYTES: usize = N / 4 * 25;

/// q0 … q3.
pub(crate) const PRIMES: [u64; 4] = [0x3_ffff_ffdf_0001, 0x3_ffff_ffd2_0001, 0x3_ffff_ffcd_0001, 0x3_ffff_ffc7_0001];

/// Primes of q that an answer of slots keeps.
pub(crate) const KEPT: usize = 2;

/// The plaintext primes of set S: the two largest 36-bit primes ≡ 1 mod 16384.
const FINE: [u64; 2] = [0xf_fffc_4001, 0xf_fff0_0001];

/// The plaintext prime of set S′: the largest 48-bit prime ≡ 1 mod 16384.
const COARSE: [u64; 1] = [0xffff_ffff_c001];

/// A parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Set {
    /// S: slots, t of 72 bits, four primes.
    S,
    /// S′: slots, t of 48 bits, three primes.
    SCoarse,
    /// G: coefficients modulo 2^64, three primes.
    G,
}

impl Set {
    /// The number on the wire.
    pub fn id(self) -> u8 {
        match self {
            Set::S => 1,
            Set::SCoarse => 2,
            Set::G => 3,
        }
    }

    /// The set of a number.
    pub fn from_id(id: u8) -> Option<Set> {
        [Set::S, Set::SCoarse, Set::G].into_iter().find(|set| set.id() == id)
    }

    /// The name in the registry of sine sets.
    pub fn name(self) -> &'static str {
        match self {
            Set::S => "S",
            Set::SCoarse => "S'",
            Set::G => "G",
        }
    }

    /// The primes of q.
    pub(crate) fn primes(self) -> &'static [u64] {
        match self {
            Set::S => &PRIMES,
            Set::SCoarse | Set::G => &PRIMES[..3],
        }
    }

    /// The primes of t; none in set G.
    pub(crate) fn plaintext_primes(self) -> &'static [u64] {
        match self {
            Set::S => &FINE,
            Set::SCoarse => &COARSE,
            Set::G => &[],
        }
    }

    /// t of a slot set; none in set G, where t is 2^64.
    pub fn plaintext_modulus(self) -> Option<u128> {
        match self {
            Set::G => None,
            _ => Some(self.plaintext_primes().iter().map(|&p| u128::from(p)).product()),
        }
    }

    /// f: the flood is uniform in [−2^f, 2^f).
    pub fn flood_exponent(self) -> u32 {
        match self {
            Set::S => 126,
            Set::SCoarse => 100,
            Set::G => 83,
        }
    }

    /// Bytes of p0 on the wire.
    pub fn public_key_bytes(self) -> usize {
        self.primes().len() * POLYNOMIAL_BYTES
    }

    /// Bytes of a fresh ciphertext on the wire.
    pub fn ciphertext_bytes(self) -> usize {
        SEED_BYTES + self.primes().len() * POLYNOMIAL_BYTES
    }

    /// Bytes of an answer on the wire.
    pub fn answer_bytes(self) -> usize {
        match self {
            Set::G => 8 + POLYNOMIAL_BYTES,
            _ => 2 * KEPT * POLYNOMIAL_BYTES,
        }
    }

    /// Primes of q that an answer keeps, from the first on.
    pub(crate) fn kept(self) -> usize {
        match self {
            Set::G => 1,
            _ => KEPT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_prime(n: u64) -> bool {
        n > 1 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
    }

    fn largest(bits: u32, count: usize) -> Vec<u64> {
        let top = ((1u64 << bits) - 1) / 16384 * 16384 + 1;
        (0..).map(|i| top - 16384 * i).filter(|&c| c < 1 << bits && is_prime(c)).take(count).collect()
    }

    #[test]
    fn plaintext_primes_are_the_largest() {
        assert_eq!(largest(36, 2), Set::S.plaintext_primes());
        assert_eq!(largest(48, 1), Set::SCoarse.plaintext_primes());
    }

    #[test]
    fn primes_fit_the_ring() {
        for q in PRIMES {
            assert!(is_prime(q) && q % 65536 == 1 && q < 1 << 50 && q > 1 << 49);
        }
    }

    #[test]
    fn ids() {
        for set in [Set::S, Set::SCoarse, Set::G] {
            assert_eq!(Set::from_id(set.id()), Some(set));
        }
        assert_eq!(Set::from_id(0), None);
        assert_eq!(Set::S.ciphertext_bytes(), 204_816);
        assert_eq!(Set::G.answer_bytes(), 51_208);
    }
}
