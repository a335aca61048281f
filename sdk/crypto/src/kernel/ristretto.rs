//! ristretto255 (RFC 9496), eight or sixteen elements at a time: decode, map, encode.
use super::field::*;
use super::limbs::*;
use super::point::{Extended, Factors, Point, doubled, sum};

kernels! {
    /// SQRT_RATIO_M1 (RFC 9496, section 4.2) of two times eight pairs, and the lanes where u/v is a square.
    fn sqrt_ratio(u: &[Field; 2], v: &[Field; 2]) -> ([Field; 2], [u8; 2]) {
        let mut base = *u;
        let mut power = *u;
        for i in 0..2 {
            let v3 = multiply(&square(&v[i]), &v[i]);
            let v7 = multiply(&square(&v3), &v[i]);
            (base[i], power[i]) = (multiply(&u[i], &v3), multiply(&u[i], &v7));
        }
        let mut roots = multiply_both(&base, &root_power(&power));
        let (root_of_minus_one, mut squares) = (constant(&SQRT_M1), [0; 2]);
        for i in 0..2 {
            let check = multiply(&v[i], &square(&roots[i]));
            let minus_u = negate_where(u8::MAX, &u[i]);
            let (correct, flipped) = (equal(&check, &u[i]), equal(&check, &minus_u));
            let flipped_i = equal(&check, &multiply(&minus_u, &root_of_minus_one));
            let turned = multiply(&roots[i], &root_of_minus_one);
            roots[i] = absolute(&select(flipped | flipped_i, &roots[i], &turned));
            squares[i] = correct | flipped;
        }
        (roots, squares)
    }

    /// Decode (RFC 9496, section 4.3.1) of two times eight canonical, non-negative numbers; the lanes that are
    /// elements.
    pub(super) fn decode(s: &[Field; 2]) -> ([Extended; 2], [u8; 2]) {
        let (mut u1, mut u2, mut v, mut w) = (*s, *s, *s, *s);
        for i in 0..2 {
            let ss = square(&s[i]);
            (u1[i], u2[i]) = (subtract(&one(), &ss), add(&one(), &ss));
            let u2_squared = square(&u2[i]);
            let du = multiply(&constant(&D), &square(&u1[i]));
            v[i] = negate_where(u8::MAX, &add(&du, &u2_squared));
            w[i] = multiply(&v[i], &u2_squared);
        }
        let (roots, mut valid) = sqrt_ratio(&[one(); 2], &w);
        let both = |i: usize, valid: &mut u8| {
            let den_x = multiply(&roots[i], &u2[i]);
            let den_y = multiply(&multiply(&roots[i], &den_x), &v[i]);
            let x = absolute(&multiply(&add(&s[i], &s[i]), &den_x));
            let y = multiply(&u1[i], &den_y);
            let t = multiply(&x, &y);
            *valid &= !(negative(&t) | vanishing(&y));
            Extended { point: Point { x, y, z: one() }, t }
        };
        let [first, second] = &mut valid;
        ([both(0, first), both(1, second)], valid)
    }

    /// MAP (RFC 9496, section 4.3.4) of two times eight numbers.
    fn map_both(t: &[Field; 2]) -> [Factors; 2] {
        let (d, minus_one) = (constant(&D), negate_where(u8::MAX, &one()));
        let (mut r, mut u, mut v) = (*t, *t, *t);
        for i in 0..2 {
            r[i] = multiply(&constant(&SQRT_M1), &square(&t[i]));
            u[i] = multiply(&add(&r[i], &one()), &constant(&ONE_MINUS_D_SQ));
            v[i] = multiply(&subtract(&minus_one, &multiply(&r[i], &d)), &add(&r[i], &d));
        }
        let (roots, squares) = sqrt_ratio(&u, &v);
        let one_of = |i: usize| {
            let other = negate_where(u8::MAX, &absolute(&multiply(&roots[i], &t[i])));
            let s = select(squares[i], &other, &roots[i]);
            let c = select(squares[i], &r[i], &minus_one);
            let n = multiply(&multiply(&c, &subtract(&r[i], &one())), &constant(&D_MINUS_ONE_SQ));
            let n = subtract(&n, &v[i]);
            let ss = square(&s);
            // The point (EF : GH : FG), T = EH, with w0 = E, w1 = G, w2 = H, w3 = F.
            Factors {
                e: multiply(&add(&s, &s), &v[i]),
                f: add(&one(), &ss),
                g: multiply(&n, &constant(&SQRT_AD_MINUS_ONE)),
                h: subtract(&one(), &ss),
            }
        };
        [one_of(0), one_of(1)]
    }

    /// The one-way map of eight times 64 bytes (RFC 9496, section 4.3.4), given by halves.
    pub(super) fn map(halves: &[Field; 2]) -> Extended {
        let [first, second] = map_both(halves);
        sum(&first, &second)
    }
}

/// Eight doubled points (EF : GH : FG), T = EH, on their way to bytes.
struct Doubled {
    factors: Factors,
    /// FG and EH.
    z: Field,
    t: Field,
    /// Z·T, or 1 where that is 0.
    product: Field,
    /// Lanes where it is 0: elements equal to the identity.
    identity: u8,
    /// The product over all points before.
    before: Field,
}

kernels! {
    fn prepared(p: &Point, before: &Field) -> Doubled {
        let factors = doubled(p);
        let (z, t) = (multiply(&factors.f, &factors.g), multiply(&factors.e, &factors.h));
        let product = multiply(&z, &t);
        let identity = vanishing(&product);
        Doubled { factors, z, t, product: select(identity, &product, &one()), identity, before: *before }
    }

    /// Encode (RFC 9496, section 4.3.2), given 1/ZT or 0: no square root is left to take, since the root of
    /// (Z² − Y²)·(XY)² is known where the point is a double (Hamburg, Decaf, 2015).
    fn encoded(p: &Doubled, inverse: &Field) -> Field {
        let Factors { e, f, g, h } = &p.factors;
        let (z_inverse, t_inverse) = (multiply(&p.t, inverse), multiply(&p.z, inverse));
        let rotate = negative(&multiply(&p.t, &z_inverse));
        let root_of_minus_one = constant(&SQRT_M1);
        let turned_f = select(rotate, f, &multiply(g, &root_of_minus_one));
        let turned_e = select(rotate, e, h);
        let turned_h = select(rotate, h, &negate_where(u8::MAX, e));
        let factor = select(rotate, &constant(&INVSQRT_A_MINUS_D), &root_of_minus_one);
        let x = multiply(&multiply(&turned_f, &turned_e), &z_inverse);
        let turned_h = negate_where(negative(&x), &turned_h);
        let s = multiply(&subtract(&turned_f, &turned_h), &multiply(&factor, &multiply(&turned_h, &t_inverse)));
        absolute(&s)
    }

    /// The encodings of 2P for all points; one inversion serves them all.
    pub(super) fn encode_doubles(points: &[Point]) -> Vec<Field> {
        let mut running = one();
        let mut all = Vec::with_capacity(points.len());
        for point in points {
            let next = prepared(point, &running);
            running = multiply(&running, &next.product);
            all.push(next);
        }
        let mut inverse = invert(&running);
        let mut out = vec![zero(); points.len()];
        for (out, p) in out.iter_mut().zip(&all).rev() {
            let own = multiply(&inverse, &p.before);
            *out = encoded(p, &select(p.identity, &own, &zero()));
            inverse = multiply(&inverse, &p.product);
        }
        out
    }
}
