//! Ring-LWE keys, ciphertexts and answers (ringlwe sections 3 to 6), plain.

use hkdf::Hkdf;
use sha2::Sha256;

use super::rlwe::{
    Bad, G, N, PACKED, Poly, Set, Stream, add, from_wire, inverse, mul, pack_poly, read_poly, sub, to_wire, transform,
    untransform,
};

/// Ternary values, by the recipe of the vectors.
pub fn ternary(key: &[u8; 16]) -> Vec<i128> {
    Stream::new(key).u64s(N).into_iter().map(|v| i128::from(v % 3) - 1).collect()
}

/// Centred binomial errors, by the recipe of the vectors.
pub fn binomial(key: &[u8; 16]) -> Vec<i128> {
    let weight = |v: u64| i128::from((v & ((1 << 21) - 1)).count_ones());
    Stream::new(key).u64s(N).into_iter().map(|v| weight(v) - weight(v >> 21)).collect()
}

/// A flood, by the recipe of the vectors.
pub fn flood(key: &[u8; 16], bits: u32) -> Vec<i128> {
    let words = Stream::new(key).u64s(2 * N);
    let wide = words.chunks_exact(2).map(|w| u128::from(w[0]) | u128::from(w[1]) << 64);
    wide.map(|v| ((v & ((1 << (bits + 1)) - 1)) as i128) - (1 << bits)).collect()
}

/// Integers modulo each prime.
pub fn reduce(values: &[i128], primes: &[u64]) -> Poly {
    let one = |p: &u64| values.iter().map(|v| v.rem_euclid(i128::from(*p)) as u64).collect();
    primes.iter().map(one).collect()
}

fn each(primes: &[u64], f: impl Fn(usize, u64) -> Vec<u64>) -> Poly {
    primes.iter().enumerate().map(|(i, p)| f(i, *p)).collect()
}

/// Sum, value by value.
pub fn plus(x: &Poly, y: &Poly, primes: &[u64]) -> Poly {
    each(primes, |i, p| x[i].iter().zip(&y[i]).map(|(a, b)| add(*a, *b, p)).collect())
}

/// Difference, value by value.
pub fn minus(x: &Poly, y: &Poly, primes: &[u64]) -> Poly {
    each(primes, |i, p| x[i].iter().zip(&y[i]).map(|(a, b)| sub(*a, *b, p)).collect())
}

/// Product, value by value.
pub fn times(x: &Poly, y: &Poly, primes: &[u64]) -> Poly {
    each(primes, |i, p| x[i].iter().zip(&y[i]).map(|(a, b)| mul(*a, *b, p)).collect())
}

/// Every list transformed.
pub fn transformed(x: &Poly, primes: &[u64]) -> Poly {
    each(primes, |i, p| transform(&x[i], p))
}

fn untransformed(x: &Poly, primes: &[u64]) -> Poly {
    each(primes, |i, p| untransform(&x[i], p))
}

/// Chinese remainder of one or two primes.
pub fn compose(x: &Poly, primes: &[u64]) -> Vec<u128> {
    let [p, q] = primes else { return x[0].iter().map(|v| u128::from(*v)).collect() };
    let inverse = inverse(*p % q, *q);
    let one = |(a, b): (&u64, &u64)| u128::from(*a) + u128::from(*p) * u128::from(mul(sub(*b, a % q, *q), inverse, *q));
    x[0].iter().zip(&x[1]).map(one).collect()
}

fn centred(value: u128, modulus: u128) -> i128 {
    if 2 * value > modulus { value as i128 - modulus as i128 } else { value as i128 }
}

/// A plaintext of up to N values: slots modulo each prime of t, coefficients as one list modulo 2^64.
pub fn plaintext(set: &Set, values: &[i128]) -> Poly {
    let mut values = values.to_vec();
    values.resize(N, 0);
    if set.slots.is_empty() {
        return vec![values.iter().map(|v| *v as u64).collect()];
    }
    let slots = reduce(&from_wire(&values), set.slots);
    untransformed(&slots, set.slots)
}

/// The slots of a plaintext, in order of the rows.
pub fn slots(set: &Set, plaintext: &Poly) -> Vec<u128> {
    to_wire(&compose(&transformed(plaintext, set.slots), set.slots))
}

/// The coefficients of a plaintext of slots as integers modulo t.
pub fn coefficients(set: &Set, plaintext: &Poly) -> Vec<u128> {
    if set.slots.is_empty() { compose(plaintext, &[0]) } else { compose(plaintext, set.slots) }
}

/// ⌊q·m/t⌉ modulo each prime: q·m vanishes there, so only −[q·m]_t/t is left.
pub fn scaled(set: &Set, plaintext: &Poly) -> Poly {
    let rest: Vec<i128> = if set.slots.is_empty() {
        let q = set.primes.iter().fold(1u64, |q, p| q.wrapping_mul(*p));
        plaintext[0].iter().map(|m| centred(u128::from(q.wrapping_mul(*m)), 1 << 64)).collect()
    } else {
        let product = |t: u64| set.primes.iter().fold(1, |q, p| mul(q, p % t, t));
        let rest = each(set.slots, |i, t| plaintext[i].iter().map(|m| mul(product(t), *m, t)).collect());
        compose(&rest, set.slots).into_iter().map(|r| centred(r, set.t())).collect()
    };
    let rest = reduce(&rest, set.primes);
    each(set.primes, |i, p| {
        let inverse = inverse((set.t() % u128::from(p)) as u64, p);
        rest[i].iter().map(|r| mul(sub(0, *r, p), inverse, p)).collect()
    })
}

/// The key of the stream of a public key's uniform part (section 3).
pub fn stream_key(transcript: &[u8; 32], set: &Set, owner: u16, round: u32) -> [u8; 16] {
    let info = [b"hefu/1 rlwe key".as_slice(), &[set.id], &owner.to_be_bytes(), &round.to_be_bytes()].concat();
    let mut out = [0; 16];
    if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(transcript) {
        // 16 bytes are within what Expand can give.
        let _ = hkdf.expand(&info, &mut out);
    }
    out
}

/// (a_i) of a key or seed, transformed.
pub fn uniform(key: &[u8; 16], set: &Set) -> Poly {
    let mut stream = Stream::new(key);
    set.primes.iter().map(|p| from_wire(&stream.uniform(*p, N))).collect()
}

/// A secret key.
pub struct Secret {
    set: &'static Set,
    coefficients: Vec<i128>,
    transformed: Poly,
}

/// A public key or ciphertext, transformed.
pub struct Pair {
    /// First component.
    pub c0: Poly,
    /// Second component.
    pub c1: Poly,
}

impl Secret {
    /// From ternary coefficients.
    pub fn new(set: &'static Set, coefficients: Vec<i128>) -> Secret {
        let transformed = transformed(&reduce(&coefficients, set.primes), set.primes);
        Secret { set, coefficients, transformed }
    }

    /// p0 on the wire.
    pub fn public(&self, stream_key: &[u8; 16], error: &[i128]) -> Vec<u8> {
        let primes = self.set.primes;
        let error = transformed(&reduce(error, primes), primes);
        pack_poly(&minus(&error, &times(&uniform(stream_key, self.set), &self.transformed, primes), primes))
    }

    /// A ciphertext on the wire.
    pub fn encrypt(&self, values: &[i128], error: &[i128], seed: &[u8; 16]) -> Vec<u8> {
        let primes = self.set.primes;
        let message = scaled(self.set, &plaintext(self.set, values));
        let message = transformed(&plus(&message, &reduce(error, primes), primes), primes);
        let masked = times(&uniform(seed, self.set), &self.transformed, primes);
        let mut out = seed.to_vec();
        out.extend(pack_poly(&minus(&message, &masked, primes)));
        out
    }

    /// A slot answer: its slots in order of the rows, and the noise of every coefficient.
    ///
    /// # Errors
    /// `Length`; `Residue` (RLWE-2).
    pub fn open_slots(&self, answer: &[u8]) -> Result<(Vec<u128>, Vec<f64>), Bad> {
        let (set, primes) = (self.set, self.set.kept());
        if answer.len() != set.answer_bytes() {
            return Err(Bad::Length);
        }
        let (c0, c1) = answer.split_at(2 * PACKED);
        let (c0, c1) = (read_poly(c0, primes)?, read_poly(c1, primes)?);
        let product = times(&transformed(&c1, primes), &self.transformed, primes);
        let sum = compose(&plus(&c0, &untransformed(&product, primes), primes), primes);
        let (t, q) = (set.t(), primes.iter().map(|p| u128::from(*p)).product());
        let (values, noise): (Vec<i128>, Vec<f64>) = sum
            .into_iter()
            .map(|w| {
                let (quotient, rest) = divided(t, w, q);
                // The nearest integer; q is odd, so there are no halves.
                let up = 2 * rest > q;
                ((quotient + u128::from(up)) as i128, centred(rest, q) as f64 / t as f64)
            })
            .unzip();
        Ok((slots(set, &reduce(&values, set.slots)), noise))
    }

    /// The value of a coefficient answer modulo 2^64.
    ///
    /// # Errors
    /// `Length`; `Residue` (RLWE-2).
    pub fn open_sum(&self, answer: &[u8]) -> Result<u64, Bad> {
        let p = self.set.kept()[0];
        let (c0, c1) = sum_parts(answer, p)?;
        // Coefficient 0 of c1·s.
        let times = |(i, c): (usize, &u64)| {
            let s = if i == 0 { self.coefficients[0] } else { -self.coefficients[N - i] };
            s * i128::from(*c)
        };
        let sum: i128 = i128::from(c0) + c1.iter().enumerate().map(times).sum::<i128>();
        let w = sum.rem_euclid(i128::from(p)) as u128;
        Ok((((w << 64) + u128::from(p) / 2) / u128::from(p)) as u64)
    }
}

/// Coefficient 0 of c0, and c1, of a coefficient answer.
///
/// # Errors
/// `Length`; `Residue` (RLWE-2).
pub fn sum_parts(answer: &[u8], p: u64) -> Result<(u64, Vec<u64>), Bad> {
    let (c0, c1) = answer.split_first_chunk::<8>().ok_or(Bad::Length)?;
    let c1 = read_poly(c1, &[p])?.remove(0);
    let c0 = u64::from_be_bytes(*c0);
    if c0 < p { Ok((c0, c1)) } else { Err(Bad::Residue) }
}

/// (a·b / d, a·b mod d), a below 2^72, d below 2^100.
fn divided(a: u128, b: u128, d: u128) -> (u128, u128) {
    let (mut quotient, mut rest) = (0, 0);
    for bit in (0..128 - b.leading_zeros()).rev() {
        rest = 2 * rest + if b >> bit & 1 == 1 { a } else { 0 };
        quotient *= 2;
        while rest >= d {
            rest -= d;
            quotient += 1;
        }
    }
    (quotient, rest)
}

/// A public key off the wire.
///
/// # Errors
/// `Length`; `Residue` (RLWE-2).
pub fn read_public(bytes: &[u8], set: &Set, stream_key: &[u8; 16]) -> Result<Pair, Bad> {
    Ok(Pair { c0: read_poly(bytes, set.primes)?, c1: uniform(stream_key, set) })
}

/// A ciphertext off the wire, and its seed.
///
/// # Errors
/// `Length`; `Residue` (RLWE-2).
pub fn read_ciphertext(bytes: &[u8], set: &Set) -> Result<([u8; 16], Pair), Bad> {
    let (seed, c0) = bytes.split_first_chunk::<16>().ok_or(Bad::Length)?;
    Ok((*seed, Pair { c0: read_poly(c0, set.primes)?, c1: uniform(seed, set) }))
}

/// The plaintext by which a column's block is multiplied (section 6).
pub fn column(values: &[i128]) -> Vec<i128> {
    let mut out = vec![0; N];
    for (i, x) in values.iter().enumerate().take(N) {
        if i == 0 { out[0] = *x } else { out[N - i] = -x }
    }
    out
}

/// Adds P·(c0, a′) to a sum; P as centred integers.
pub fn accumulate(set: &Set, sum: &mut Pair, multiplier: &[i128], ciphertext: &Pair) {
    let factor = transformed(&reduce(multiplier, set.primes), set.primes);
    sum.c0 = plus(&sum.c0, &times(&factor, &ciphertext.c0, set.primes), set.primes);
    sum.c1 = plus(&sum.c1, &times(&factor, &ciphertext.c1, set.primes), set.primes);
}

/// The multiplier of slots: the centred representative modulo t.
pub fn slot_multiplier(set: &Set, values: &[i128]) -> Vec<i128> {
    coefficients(set, &plaintext(set, values)).into_iter().map(|v| centred(v, set.t())).collect()
}

/// Nothing accumulated yet.
pub fn nothing(set: &Set) -> Pair {
    let zero = vec![vec![0; N]; set.primes.len()];
    Pair { c0: zero.clone(), c1: zero }
}

/// What an evaluator adds to an answer.
pub struct Blinding {
    /// Ternary.
    pub u: Vec<i128>,
    /// Error on c0.
    pub e1: Vec<i128>,
    /// Error on c1.
    pub e2: Vec<i128>,
    /// Mask: slots, or coefficients modulo 2^64.
    pub mask: Vec<i128>,
    /// Flood.
    pub flood: Vec<i128>,
}

/// An answer on the wire (section 5).
pub fn answer(set: &Set, sum: &Pair, public: &Pair, blinding: &Blinding) -> Vec<u8> {
    let primes = set.primes;
    let u = transformed(&reduce(&blinding.u, primes), primes);
    let noise: Vec<i128> = blinding.e1.iter().zip(&blinding.flood).map(|(e, f)| e + f).collect();
    let added = plus(&scaled(set, &plaintext(set, &blinding.mask)), &reduce(&noise, primes), primes);
    let c0 = plus(&plus(&sum.c0, &times(&u, &public.c0, primes), primes), &transformed(&added, primes), primes);
    let e2 = transformed(&reduce(&blinding.e2, primes), primes);
    let c1 = plus(&plus(&sum.c1, &times(&u, &public.c1, primes), primes), &e2, primes);
    let (c0, c1) = (switched(set, &c0), switched(set, &c1));
    if *set == G {
        return [&c0[0][0].to_be_bytes(), pack_poly(&c1).as_slice()].concat();
    }
    [pack_poly(&c0), pack_poly(&c1)].concat()
}

/// (c − \[c\]_d)/d modulo the kept primes, untransformed.
pub fn switched(set: &Set, component: &Poly) -> Poly {
    let mut values = untransformed(component, set.primes);
    let dropped = values.split_off(set.kept().len());
    let d: u128 = set.dropped().iter().map(|p| u128::from(*p)).product();
    let rest: Vec<i128> = compose(&dropped, set.dropped()).into_iter().map(|r| centred(r, d)).collect();
    let rest = reduce(&rest, set.kept());
    each(set.kept(), |i, p| {
        let inverse = inverse((d % u128::from(p)) as u64, p);
        values[i].iter().zip(&rest[i]).map(|(c, r)| mul(sub(*c, *r, p), inverse, p)).collect()
    })
}
