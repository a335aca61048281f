//! Ring-LWE parameters, order, transform and packing (ringlwe sections 1 and 2), plain.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aes::Aes128;
use cipher::{KeyIvInit, StreamCipher};

/// Degree of the ring, and values of a block.
pub const N: usize = 8192;
/// Bytes of N packed values.
pub const PACKED: usize = N / 4 * 25;
const Q: [u64; 4] = [0x3_ffff_ffdf_0001, 0x3_ffff_ffd2_0001, 0x3_ffff_ffcd_0001, 0x3_ffff_ffc7_0001];

/// One parameter set.
#[derive(Debug, PartialEq, Eq)]
pub struct Set {
    /// Name of the specification.
    pub name: &'static str,
    /// Number of the specification.
    pub id: u8,
    /// Primes of q.
    pub primes: &'static [u64],
    /// Primes of t; none: coefficients modulo 2^64.
    pub slots: &'static [u64],
    /// The flood is uniform in [−2^f, 2^f).
    pub flood: u32,
}

/// Set S.
pub static S: Set = Set { name: "S", id: 1, primes: &Q, slots: &[0xf_fffc_4001, 0xf_fff0_0001], flood: 126 };
/// Set S′.
pub static COARSE: Set = Set { name: "S'", id: 2, primes: Q.split_at(3).0, slots: &[0xffff_ffff_c001], flood: 100 };
/// Set G.
pub static G: Set = Set { name: "G", id: 3, primes: Q.split_at(3).0, slots: &[], flood: 83 };

impl Set {
    /// The set of a name.
    pub fn named(name: &str) -> Option<&'static Set> {
        [&S, &COARSE, &G].into_iter().find(|set| set.name == name)
    }

    /// Primes that an answer keeps.
    pub fn kept(&self) -> &'static [u64] {
        &self.primes[..if self.slots.is_empty() { 1 } else { 2 }]
    }

    /// Primes that an answer drops.
    pub(super) fn dropped(&self) -> &'static [u64] {
        &self.primes[self.kept().len()..]
    }

    /// t as an integer; 2^64 for coefficients.
    pub fn t(&self) -> u128 {
        if self.slots.is_empty() { 1 << 64 } else { self.slots.iter().map(|t| u128::from(*t)).product() }
    }

    /// Bytes of a public key.
    pub fn key_bytes(&self) -> usize {
        self.primes.len() * PACKED
    }

    /// Bytes of a ciphertext: seed and c0.
    pub fn ciphertext_bytes(&self) -> usize {
        16 + self.key_bytes()
    }

    /// Bytes of an answer.
    pub fn answer_bytes(&self) -> usize {
        if self.slots.is_empty() { 8 + PACKED } else { 4 * PACKED }
    }
}

/// What is wrong with bytes that should be ring elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// Their number.
    Length,
    /// A value that is not below its prime (RLWE-2).
    Residue,
}

/// One list of N values a prime, in order of the index.
pub type Poly = Vec<Vec<u64>>;

/// `Stream(key)` of conventions section 2.
pub struct Stream(ctr::Ctr128BE<Aes128>);

impl Stream {
    /// The stream of a key.
    pub fn new(key: &[u8; 16]) -> Stream {
        Stream(ctr::Ctr128BE::new(key.into(), &[0; 16].into()))
    }

    /// The next `u64le`.
    pub fn u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.apply_keystream(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// The next `count` `u64le`.
    pub fn u64s(&mut self, count: usize) -> Vec<u64> {
        let mut bytes = vec![0; 8 * count];
        self.0.apply_keystream(&mut bytes);
        words(&bytes)
    }

    /// `Uniform(q, count)`.
    pub fn uniform(&mut self, q: u64, count: usize) -> Vec<u64> {
        let low = u64::MAX >> q.leading_zeros();
        let mut values = self.u64s(count);
        for value in &mut values {
            *value &= low;
        }
        for value in &mut values {
            while *value >= q {
                *value = self.u64() & low;
            }
        }
        values
    }
}

/// Packed `u64le`; bytes after the last whole one are left out.
pub fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|w| w.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b))).collect()
}

/// The index that a position of the wire holds.
pub fn lane(position: usize) -> usize {
    position % 8 * 1024 + position / 8
}

/// From order of the index to that of the wire.
pub fn to_wire<T: Copy>(values: &[T]) -> Vec<T> {
    (0..N).map(|position| values[lane(position)]).collect()
}

/// From order of the wire to that of the index.
pub fn from_wire<T: Copy + Default>(values: &[T]) -> Vec<T> {
    let mut out = vec![T::default(); N];
    for (position, value) in values.iter().enumerate().take(N) {
        out[lane(position)] = *value;
    }
    out
}

/// `pack`, of N values in order of the index.
pub fn pack(values: &[u64]) -> Vec<u8> {
    let mut out = Vec::with_capacity(PACKED);
    for four in to_wire(values).chunks_exact(4) {
        let low = u128::from(four[0]) | u128::from(four[1]) << 50 | u128::from(four[2]) << 100;
        let high = four[2] >> 28 | four[3] << 22;
        out.extend(low.to_le_bytes());
        out.extend(&high.to_le_bytes());
        out.push((four[3] >> 42) as u8);
    }
    out
}

/// Reads `pack`, whatever the values.
pub fn unpack(bytes: &[u8]) -> Vec<u64> {
    let bit = |bytes: &[u8], at: usize| {
        let mut word = [0; 8];
        let rest = &bytes[at / 8..];
        let take = rest.len().min(8);
        word[..take].copy_from_slice(&rest[..take]);
        u64::from_le_bytes(word) >> (at % 8) & ((1 << 50) - 1)
    };
    bytes.chunks_exact(25).flat_map(|group| [0, 50, 100, 150].map(|at| bit(group, at))).collect()
}

/// Packs one list a prime.
pub fn pack_poly(poly: &Poly) -> Vec<u8> {
    poly.iter().flat_map(|values| pack(values)).collect()
}

/// Reads one list a prime.
///
/// # Errors
/// `Length`; `Residue` (RLWE-2).
pub fn read_poly(bytes: &[u8], primes: &[u64]) -> Result<Poly, Bad> {
    if bytes.len() != primes.len() * PACKED {
        return Err(Bad::Length);
    }
    let read = |(bytes, p): (&[u8], &u64)| {
        let values = from_wire(&unpack(bytes));
        if values.iter().all(|v| v < p) { Ok(values) } else { Err(Bad::Residue) }
    };
    bytes.chunks_exact(PACKED).zip(primes).map(read).collect()
}

/// a·b modulo p.
pub fn mul(a: u64, b: u64, p: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(p)) as u64
}

pub(super) fn add(a: u64, b: u64, p: u64) -> u64 {
    let sum = a + b;
    if sum >= p { sum - p } else { sum }
}

pub(super) fn sub(a: u64, b: u64, p: u64) -> u64 {
    if a >= b { a - b } else { a + p - b }
}

fn pow(base: u64, mut exponent: u64, p: u64) -> u64 {
    let (mut out, mut square) = (1, base % p);
    while exponent > 0 {
        if exponent & 1 == 1 {
            out = mul(out, square, p);
        }
        square = mul(square, square, p);
        exponent >>= 1;
    }
    out
}

/// The inverse modulo a prime.
pub fn inverse(a: u64, p: u64) -> u64 {
    pow(a, p - 2, p)
}

/// A factor, with its quotient by p at scale 2^64: products by it need no division.
#[derive(Clone, Copy)]
struct Factor {
    value: u64,
    quotient: u64,
}

impl Factor {
    fn new(value: u64, p: u64) -> Factor {
        Factor { value, quotient: ((u128::from(value) << 64) / u128::from(p)) as u64 }
    }

    fn times(self, x: u64, p: u64) -> u64 {
        let estimate = ((u128::from(self.quotient) * u128::from(x)) >> 64) as u64;
        let rest = self.value.wrapping_mul(x).wrapping_sub(estimate.wrapping_mul(p));
        if rest >= p { rest - p } else { rest }
    }
}

struct Tables {
    roots: Vec<Factor>,
    inverses: Vec<Factor>,
    scale: Factor,
}

/// ψ of section 2.
pub fn psi(p: u64) -> u64 {
    let generator = (2..p).find(|g| pow(*g, (p - 1) / 2, p) == p - 1).unwrap_or(2);
    pow(generator, (p - 1) / (2 * N as u64), p)
}

/// The reversal of 13 bits.
pub fn reversed(i: usize) -> usize {
    i.reverse_bits() >> (usize::BITS - 13)
}

fn tables(p: u64) -> Arc<Tables> {
    static CACHE: OnceLock<Mutex<HashMap<u64, Arc<Tables>>>> = OnceLock::new();
    let mut cache = CACHE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let made = cache.entry(p).or_insert_with(|| {
        let powers = |root: u64| {
            let mut powers = vec![1; N];
            for i in 1..N {
                powers[i] = mul(powers[i - 1], root, p);
            }
            (0..N).map(|i| Factor::new(powers[reversed(i)], p)).collect()
        };
        let root = psi(p);
        let scale = Factor::new(inverse(N as u64, p), p);
        Arc::new(Tables { roots: powers(root), inverses: powers(inverse(root, p)), scale })
    });
    made.clone()
}

/// Coefficients to values: index i becomes the value at ψ^(2·brv(i) + 1).
pub fn transform(values: &[u64], p: u64) -> Vec<u64> {
    let (tables, mut a) = (tables(p), values.to_vec());
    let (mut half, mut blocks) = (N / 2, 1);
    while half > 0 {
        for block in 0..blocks {
            let root = tables.roots[blocks + block];
            let (low, high) = a[2 * half * block..][..2 * half].split_at_mut(half);
            for (x, y) in low.iter_mut().zip(high) {
                let turned = root.times(*y, p);
                (*x, *y) = (add(*x, turned, p), sub(*x, turned, p));
            }
        }
        (half, blocks) = (half / 2, blocks * 2);
    }
    a
}

/// The inverse of [`transform`].
pub fn untransform(values: &[u64], p: u64) -> Vec<u64> {
    let (tables, mut a) = (tables(p), values.to_vec());
    let (mut half, mut blocks) = (1, N / 2);
    while blocks > 0 {
        for block in 0..blocks {
            let root = tables.inverses[blocks + block];
            let (low, high) = a[2 * half * block..][..2 * half].split_at_mut(half);
            for (x, y) in low.iter_mut().zip(high) {
                (*x, *y) = (add(*x, *y, p), root.times(sub(*x, *y, p), p));
            }
        }
        (half, blocks) = (half * 2, blocks / 2);
    }
    a.into_iter().map(|v| tables.scale.times(v, p)).collect()
}
