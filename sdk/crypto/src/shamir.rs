//! Shamir's scheme modulo ℓ = 2^252 + 27742317777372353535851937790883648493 (spec/aggregate.md, section 5).
//!
//! ℓ is the order of ristretto255, so its scalars do the arithmetic, in constant time.
use crate::{Error, Stream};
use curve25519_dalek::Scalar;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A secret below ℓ that is shared among ranks.
///
/// # Security
/// Not clonable, redacted, wiped on drop.
pub struct Secret(Scalar);

/// One rank's share of a secret.
///
/// # Security
/// Not clonable, redacted, wiped on drop.
pub struct Share(Scalar);

/// A polynomial whose value at 0 is the secret and at v + 1 the share of rank v.
///
/// # Security
/// Not clonable, redacted, wiped on drop.
pub struct Polynomial(Vec<Scalar>);

/// What turns the shares of a list of ranks back into their secret. It depends on the ranks alone.
pub struct Interpolation(Vec<Scalar>);

fn canonical(bytes: &[u8; 32]) -> Result<Scalar, Error> {
    Option::from(Scalar::from_canonical_bytes(*bytes)).ok_or(Error::BadElement)
}

fn abscissa(rank: u16) -> Scalar {
    Scalar::from(u64::from(rank) + 1)
}

impl Secret {
    /// The secret of 64 uniform bytes: uniform below ℓ to within 2^−259.
    pub fn new(uniform: &[u8; 64]) -> Self {
        Secret(Scalar::from_bytes_mod_order_wide(uniform))
    }

    /// The secret of its canonical encoding, 32 bytes, least significant first.
    ///
    /// # Errors
    /// `BadElement` for a number that is not below ℓ.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        canonical(bytes).map(Secret)
    }

    /// Its canonical encoding.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// A polynomial of degree `threshold` − 1 through the secret, its other coefficients drawn from `stream`.
    pub fn polynomial(&self, threshold: u16, stream: &mut Stream) -> Polynomial {
        let mut coefficients = Vec::with_capacity(usize::from(threshold.max(1)));
        coefficients.push(self.0);
        let mut uniform = Zeroizing::new([0; 64]);
        for _ in 1..threshold {
            stream.fill(uniform.as_mut_slice());
            coefficients.push(Scalar::from_bytes_mod_order_wide(&uniform));
        }
        Polynomial(coefficients)
    }
}

impl Polynomial {
    /// A polynomial of given coefficients, canonical, the secret first: for known answers.
    ///
    /// # Errors
    /// `BadElement` for a number that is not below ℓ.
    ///
    /// # Security
    /// A secret whose other coefficients are known is known from one share.
    pub fn dangerous_from_coefficients(coefficients: &[[u8; 32]]) -> Result<Self, Error> {
        coefficients.iter().map(canonical).collect::<Result<_, _>>().map(Polynomial)
    }

    /// The share of a rank.
    pub fn share(&self, rank: u16) -> Share {
        let x = abscissa(rank);
        Share(self.0.iter().rev().fold(Scalar::ZERO, |value, coefficient| value * x + coefficient))
    }
}

impl Share {
    /// The share of its canonical encoding, 32 bytes, least significant first.
    ///
    /// # Errors
    /// `BadElement` for a number that is not below ℓ.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        canonical(bytes).map(Share)
    }

    /// Its canonical encoding.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl Interpolation {
    /// Of distinct ranks; as many as the threshold, or more.
    pub fn new(ranks: &[u16]) -> Self {
        let points: Vec<Scalar> = ranks.iter().copied().map(abscissa).collect();
        let mut denominators: Vec<Scalar> = (0..points.len())
            .map(|i| {
                let others = points.iter().enumerate().filter(|(j, _)| *j != i);
                others.fold(Scalar::ONE, |product, (_, other)| product * (other - points[i]))
            })
            .collect();
        Scalar::invert_batch_alloc(&mut denominators);
        let whole: Scalar = points.iter().product();
        // x_0 ⋯ x_n / x_i over the product of differences: the i-th Lagrange polynomial at 0
        let mut inverses = points;
        Scalar::invert_batch_alloc(&mut inverses);
        Interpolation(inverses.iter().zip(&denominators).map(|(inverse, d)| whole * inverse * d).collect())
    }

    /// The secret of the shares of these ranks, in their order.
    ///
    /// # Security
    /// Shares of other polynomials give some other number: the caller checks it against a commitment.
    pub fn secret<'a>(&self, shares: impl IntoIterator<Item = &'a Share>) -> Secret {
        Secret(self.0.iter().zip(shares).map(|(coefficient, share)| coefficient * share.0).sum())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for Polynomial {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share(…)")
    }
}

impl fmt::Debug for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Polynomial(degree {})", self.0.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret::new(&[byte; 64])
    }

    #[test]
    fn any_threshold_of_shares_gives_the_secret() {
        for (threshold, ranks) in [(1u16, vec![5u16]), (3, vec![0, 1, 2]), (3, vec![9, 0, 4]), (4, vec![1023, 2, 7, 3])]
        {
            let secret = secret(7);
            let polynomial = secret.polynomial(threshold, &mut Stream::new([1; 16]));
            let shares: Vec<Share> = ranks.iter().map(|rank| polynomial.share(*rank)).collect();
            assert_eq!(Interpolation::new(&ranks).secret(&shares).as_bytes(), secret.as_bytes());
        }
    }

    /// One share fewer gives every secret with equal right: with any value for the missing share there is one.
    #[test]
    fn one_share_fewer_says_nothing() {
        let polynomial = secret(7).polynomial(3, &mut Stream::new([1; 16]));
        let shares = [polynomial.share(0), polynomial.share(1)];
        let found = Interpolation::new(&[0, 1]).secret(&shares);
        assert_ne!(found.as_bytes(), secret(7).as_bytes());
    }

    #[test]
    fn a_number_from_the_order_on_is_no_share() {
        let mut order = [0; 32];
        hex::decode_to_slice("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", &mut order).unwrap();
        assert_eq!(Share::from_bytes(&order).unwrap_err(), Error::BadElement);
        assert_eq!(Secret::from_bytes(&[255; 32]).unwrap_err(), Error::BadElement);
        order[0] -= 1;
        assert_eq!(Share::from_bytes(&order).unwrap().as_bytes(), &order);
    }

    /// A line by hand: secret 5, slope 2, so rank v holds 5 + 2(v + 1).
    #[test]
    fn a_line_by_hand() {
        let line = Polynomial(vec![Scalar::from(5u8), Scalar::from(2u8)]);
        let mut nine = [0; 32];
        nine[0] = 9;
        assert_eq!(line.share(1).as_bytes(), &nine);
        let mut five = [0; 32];
        five[0] = 5;
        assert_eq!(Interpolation::new(&[4, 1]).secret(&[line.share(4), line.share(1)]).as_bytes(), &five);
    }
}
