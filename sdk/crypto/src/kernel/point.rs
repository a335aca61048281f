//! Eight points of edwards25519 at a time, in extended coordinates (Hisil, Wong, Carter, Dawson 2008; a = −1).
//!
//! The addition law is complete on this curve: no pair of points needs a case of its own.
use super::field::*;
use super::limbs::TWICE_D;
use core::arch::x86_64::*;
use zeroize::Zeroize;

/// Digits of a scalar in radix 16, each from −8 to 8, least significant first.
///
/// # Security
/// Wiped on drop.
pub(crate) struct Digits([i8; 64]);

impl Digits {
    /// The digits of a scalar below 2^253, given least significant byte first.
    pub(crate) fn new(scalar: &[u8; 32]) -> Digits {
        let mut digits = Digits([0; 64]);
        for (pair, byte) in digits.0.as_chunks_mut::<2>().0.iter_mut().zip(scalar) {
            *pair = [(byte & 15) as i8, (byte >> 4) as i8];
        }
        for i in 0..63 {
            let carry = (digits.0[i] + 8) >> 4;
            digits.0[i] -= carry << 4;
            digits.0[i + 1] += carry;
        }
        digits
    }
}

impl Drop for Digits {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Eight points: x = X/Z, y = Y/Z.
#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) x: Field,
    pub(super) y: Field,
    pub(super) z: Field,
}

/// Eight points with T: xy = T/Z.
#[derive(Clone, Copy)]
pub(super) struct Extended {
    pub(super) point: Point,
    pub(super) t: Field,
}

/// A point as the last four multiplications of every law make it: (EF : GH : FG), T = EH.
pub(super) struct Factors {
    pub(super) e: Field,
    pub(super) f: Field,
    pub(super) g: Field,
    pub(super) h: Field,
}

/// What an addition needs of its second operand: Y + X, Y − X, 2Z, 2dT.
#[derive(Clone, Copy)]
struct Addend {
    plus: Field,
    minus: Field,
    twice_z: Field,
    twice_dt: Field,
}

kernels! {
    /// 2P. F and H are the published ones negated, and so is E: the point is the same.
    pub(super) fn doubled(p: &Point) -> Factors {
        let (a, b, c) = (squared::<false>(&p.x), squared::<true>(&p.y), squared::<true>(&p.z));
        let xy = product::<false>(&p.x, &p.y);
        let g = minus(b, a);
        Factors { e: carry(plus(xy, xy)), f: carry(minus(plus(c, c), g)), g: carry(g), h: carry(plus(a, b)) }
    }

    /// P + Q, where P is given by Y + X, Y − X, Z and T.
    fn added(plus_x: &Field, minus_x: &Field, z: &Field, t: &Field, q: &Addend) -> Factors {
        let (a, b) = (product::<false>(minus_x, &q.minus), product::<true>(plus_x, &q.plus));
        let (c, d) = (product::<false>(t, &q.twice_dt), product::<true>(z, &q.twice_z));
        Factors { e: carry(minus(b, a)), f: carry(minus(d, c)), g: carry(plus(d, c)), h: carry(plus(b, a)) }
    }

    /// P + Q, where P is given by its factors: Y ± X is formed before any carry.
    fn then_added(p: &Factors, q: &Addend) -> Factors {
        let (x, y) = (product::<false>(&p.e, &p.f), product::<true>(&p.g, &p.h));
        let (z, t) = (multiply(&p.f, &p.g), multiply(&p.e, &p.h));
        added(&carry(plus(y, x)), &carry(minus(y, x)), &z, &t, q)
    }

    fn projective(s: &Factors) -> Point {
        Point { x: multiply(&s.e, &s.f), y: multiply(&s.g, &s.h), z: multiply(&s.f, &s.g) }
    }

    pub(super) fn extended(s: &Factors) -> Extended {
        Extended { point: projective(s), t: multiply(&s.e, &s.h) }
    }

    fn addend(p: &Extended) -> Addend {
        Addend {
            plus: add(&p.point.y, &p.point.x),
            minus: subtract(&p.point.y, &p.point.x),
            twice_z: add(&p.point.z, &p.point.z),
            twice_dt: multiply(&p.t, &constant(&TWICE_D)),
        }
    }

    /// P + Q, where both are given by their factors.
    pub(super) fn sum(p: &Factors, q: &Factors) -> Extended {
        extended(&then_added(p, &addend(&extended(q))))
    }

    /// P, 2P, … 8P.
    fn multiples(p: &Extended) -> [Addend; 8] {
        let first = addend(p);
        let (mut table, mut last) = ([first; 8], first);
        let (mut z, mut t) = (p.point.z, p.t);
        for entry in &mut table[1..] {
            let next = extended(&added(&last.plus, &last.minus, &z, &t, &first));
            last = addend(&next);
            (z, t, *entry) = (next.point.z, next.t, last);
        }
        table
    }

    /// The multiple of one digit. Every entry is read whatever the digit is; masks keep the wanted one.
    fn pick(table: &[Addend; 8], digit: i8) -> Addend {
        let sign = digit >> 7;
        let magnitude = ((digit ^ sign) - sign) as u8;
        // All ones where the magnitude is j, else 0.
        let is = |j: u8| (u32::from(magnitude ^ j).wrapping_sub(1) >> 8) as u8;
        let mut out = Addend { plus: zero(), minus: zero(), twice_z: zero(), twice_dt: zero() };
        for (j, entry) in (1u8..).zip(table) {
            or_where(&mut out.plus, is(j), &entry.plus);
            or_where(&mut out.minus, is(j), &entry.minus);
            or_where(&mut out.twice_z, is(j), &entry.twice_z);
            or_where(&mut out.twice_dt, is(j), &entry.twice_dt);
        }
        // The identity: (1, 1, 2, 0).
        out.plus.0[0] = _mm512_mask_set1_epi64(out.plus.0[0], is(0), 1);
        out.minus.0[0] = _mm512_mask_set1_epi64(out.minus.0[0], is(0), 1);
        out.twice_z.0[0] = _mm512_mask_set1_epi64(out.twice_z.0[0], is(0), 2);
        let negative = sign as u8;
        Addend {
            plus: select(negative, &out.plus, &out.minus),
            minus: select(negative, &out.minus, &out.plus),
            twice_z: out.twice_z,
            twice_dt: select(negative, &out.twice_dt, &opposite(&out.twice_dt)),
        }
    }

    /// One scalar times eight points.
    pub(super) fn times(p: &Extended, digits: &Digits) -> Point {
        let table = multiples(p);
        // The identity plus the first digit's multiple, whose T is not needed.
        let mut sum = projective(&added(&one(), &one(), &one(), &zero(), &pick(&table, digits.0[63])));
        for digit in digits.0[..63].iter().rev() {
            for _ in 0..3 {
                sum = projective(&doubled(&sum));
            }
            sum = projective(&then_added(&doubled(&sum), &pick(&table, *digit)));
        }
        sum
    }
}
