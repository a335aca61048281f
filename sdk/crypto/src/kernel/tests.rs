//! The kernels against slow arithmetic and curve25519-dalek. Where the processor lacks the instructions, nothing is
//! left
//! to compare, and a test says so.
use super::point::Digits;
use super::{ELEMENT, Found, LANES, field::*, limbs};
use crate::{Backend, Blinder, Points, Seed, Stream};
use curve25519_dalek::Scalar;
use curve25519_dalek::ristretto::CompressedRistretto;

/// p, as words, least significant first.
const P: [u64; 4] = [u64::MAX - 18, u64::MAX, u64::MAX, u64::MAX >> 1];
/// The largest limb of a carried element, and of a factor.
const CARRIED: u64 = (1 << 51) + (1 << 17) - 1;
const FACTOR: u64 = (1 << 52) - 1;

fn found() -> Option<Found> {
    let found = Found::detect();
    if found.is_none() {
        eprintln!("skipped: this processor has no AVX-512 IFMA");
    }
    found
}

fn bytes<const N: usize>(stream: &mut Stream) -> [u8; N] {
    std::array::from_fn(|_| stream.u64() as u8)
}

/// Slow arithmetic: numbers below p as four words.
mod slow {
    use super::P;

    fn subtracted(a: [u64; 4], b: [u64; 4]) -> ([u64; 4], bool) {
        let (mut out, mut borrow) = (a, false);
        for i in 0..4 {
            let (x, first) = a[i].overflowing_sub(b[i]);
            let (x, second) = x.overflowing_sub(u64::from(borrow));
            (out[i], borrow) = (x, first || second);
        }
        (out, borrow)
    }

    pub fn reduced(mut a: [u64; 4]) -> [u64; 4] {
        while let (less, false) = subtracted(a, P) {
            a = less;
        }
        a
    }

    /// For numbers below p.
    pub fn add(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
        let (mut out, mut carry) = (a, 0);
        for i in 0..4 {
            let sum = u128::from(a[i]) + u128::from(b[i]) + carry;
            (out[i], carry) = (sum as u64, sum >> 64);
        }
        reduced(out)
    }

    pub fn subtract(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
        add(a, reduced(subtracted(P, b).0))
    }

    /// Doubling and adding, bit by bit.
    pub fn multiply(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
        (0..256).rev().fold([0; 4], |sum, bit| {
            let sum = add(sum, sum);
            if b[bit / 64] >> (bit % 64) & 1 == 1 { add(sum, a) } else { sum }
        })
    }

    /// The value of limbs of any size.
    pub fn of_limbs(limbs: [u64; 5]) -> [u64; 4] {
        limbs.iter().rev().fold([0; 4], |sum, limb| add(multiply(sum, [1 << 51, 0, 0, 0]), [*limb, 0, 0, 0]))
    }

    /// x^(p − 2).
    pub fn invert(x: [u64; 4]) -> [u64; 4] {
        let exponent = [P[0] - 2, P[1], P[2], P[3]];
        (0..255).rev().fold([1, 0, 0, 0], |power, bit| {
            let power = multiply(power, power);
            if exponent[bit / 64] >> (bit % 64) & 1 == 1 { multiply(power, x) } else { power }
        })
    }
}

/// Eight elements, given by their limbs.
fn transposed(rows: &[[u64; 5]]) -> [[u64; LANES]; 5] {
    std::array::from_fn(|i| std::array::from_fn(|lane| rows[lane % rows.len()][i]))
}

/// The values below p, as words.
fn values(limbs: &[[u64; LANES]; 5]) -> Vec<[u64; 4]> {
    let words = |bytes: [u8; 32]| std::array::from_fn(|i| u64::from_le_bytes(bytes.as_chunks::<8>().0[i]));
    (0..LANES).map(|lane| words(limbs::write(limbs, lane))).collect()
}

/// Edges and random ones; none has a limb above `largest`.
fn samples(largest: u64, seed: u8) -> Vec<[u64; 5]> {
    let low = LOW;
    let mut all = vec![
        [0; 5],
        [1, 0, 0, 0, 0],
        [18, 0, 0, 0, 0],
        [19, 0, 0, 0, 0],
        // p − 1, p, p + 1, 2^255 − 1, and 2^51 − 1 in each limb alone.
        [low - 19, low, low, low, low],
        [low - 18, low, low, low, low],
        [low - 17, low, low, low, low],
        [low; 5],
        [low, 0, 0, 0, 0],
        [0, low, 0, 0, 0],
        [0, 0, low, 0, 0],
        [0, 0, 0, low, 0],
        [0, 0, 0, 0, low],
        [largest; 5],
        [largest, 0, largest, 0, largest],
        [0, largest, 0, largest, 0],
    ];
    let mut stream = Seed::new([seed; 32]).stream("field", &[]);
    all.extend((0..48).map(|_| std::array::from_fn(|_| stream.below(largest + 1))));
    all
}

#[test]
fn the_field_agrees_with_slow_arithmetic() {
    if found().is_none() {
        return;
    }
    let run = |a: &[[u64; 5]], b: &[[u64; 5]], op: &str| {
        let (x, y) = (transposed(a), transposed(b));
        // SAFETY: the processor has the instructions.
        let out = unsafe {
            let (x, y) = (load(&x), load(&y));
            let out = match op {
                "add" => add(&x, &y),
                "subtract" => subtract(&x, &y),
                "multiply" => multiply(&x, &y),
                "with an offset" => carry(product::<true>(&x, &y)),
                "square" => square(&x),
                "square with an offset" => carry(squared::<true>(&x)),
                "square less product" => carry(minus(squared::<true>(&x), product::<false>(&x, &y))),
                "opposite" => multiply(&opposite(&x), &y),
                _ => negate_where(0b0101_0101, &x),
            };
            store(&out)
        };
        values(&out)
    };
    type Slow = fn([u64; 4], [u64; 4]) -> [u64; 4];
    let operations: [(&str, u64, Slow); 8] = [
        ("add", CARRIED, slow::add),
        ("subtract", CARRIED, slow::subtract),
        ("multiply", FACTOR, slow::multiply),
        ("with an offset", FACTOR, slow::multiply),
        ("square", FACTOR, |a, _| slow::multiply(a, a)),
        ("square with an offset", FACTOR, |a, _| slow::multiply(a, a)),
        ("square less product", FACTOR, |a, b| slow::subtract(slow::multiply(a, a), slow::multiply(a, b))),
        ("opposite", CARRIED, |a, b| slow::multiply(slow::subtract([0; 4], a), b)),
    ];
    for (op, largest, expected) in operations {
        let (left, right) = (samples(largest, 1), samples(largest, 2));
        // Shifted against each other, so that every edge meets others.
        for shift in 0..12 {
            for start in (0..left.len()).step_by(LANES) {
                let a: Vec<_> = (0..LANES).map(|i| left[(start + i) % left.len()]).collect();
                let b: Vec<_> = (0..LANES).map(|i| right[(start + i + shift) % right.len()]).collect();
                for (lane, value) in run(&a, &b, op).into_iter().enumerate() {
                    let wanted = expected(slow::of_limbs(a[lane]), slow::of_limbs(b[lane]));
                    assert_eq!(value, wanted, "{op} of {:x?} and {:x?}", a[lane], b[lane]);
                }
            }
        }
    }
    for group in samples(CARRIED, 3).chunks(LANES) {
        for (lane, value) in run(group, group, "negate where").into_iter().enumerate() {
            let x = slow::of_limbs(group[lane % group.len()]);
            assert_eq!(value, if lane % 2 == 0 { slow::subtract([0; 4], x) } else { x });
        }
    }
}

#[test]
fn carried_limbs_stay_within_their_bound() {
    if found().is_none() {
        return;
    }
    let largest = transposed(&[[FACTOR; 5]]);
    // SAFETY: the processor has the instructions, and the arrays have the size of a register.
    let limbs: [[u64; LANES]; 5] = unsafe {
        let x = load(&largest);
        let (a, b) = (squared::<true>(&x), squared::<false>(&x));
        let sums = [plus(a, a), plus(plus(a, a), b), minus(plus(a, a), minus(a, b))];
        sums.map(|sum| carry(sum).0.map(|limb| std::mem::transmute::<_, [u64; LANES]>(limb)))
    }
    .concat()
    .as_chunks::<5>()
    .0
    .iter()
    .fold([[0; LANES]; 5], |most, limbs| std::array::from_fn(|i| std::array::from_fn(|l| most[i][l].max(limbs[i][l]))));
    assert!(limbs.iter().flatten().all(|limb| *limb <= CARRIED), "{limbs:x?}");
}

#[test]
fn inverses_signs_and_zeros() {
    if found().is_none() {
        return;
    }
    for group in samples(CARRIED, 4).chunks(LANES) {
        let rows = transposed(group);
        // SAFETY: the processor has the instructions.
        let (inverse, negative, vanishing, absolute) = unsafe {
            let x = load(&rows);
            (store(&invert(&x)), negative(&x), vanishing(&x), store(&absolute(&x)))
        };
        let (inverse, absolute) = (values(&inverse), values(&absolute));
        for lane in 0..LANES {
            let x = slow::of_limbs(group[lane % group.len()]);
            assert_eq!(inverse[lane], slow::invert(x));
            assert_eq!(negative >> lane & 1 == 1, x[0] & 1 == 1);
            assert_eq!(vanishing >> lane & 1 == 1, x == [0; 4]);
            assert_eq!(absolute[lane], if x[0] & 1 == 1 { slow::subtract([0; 4], x) } else { x });
        }
    }
}

#[test]
fn constants_are_those_of_the_rfc() {
    let one = [1, 0, 0, 0];
    let of = slow::of_limbs;
    let d = of(limbs::D);
    let minus = |x| slow::subtract([0; 4], x);
    assert_eq!(slow::multiply(d, [121_666, 0, 0, 0]), minus([121_665, 0, 0, 0]));
    assert_eq!(of(limbs::TWICE_D), slow::add(d, d));
    let square = |x| slow::multiply(x, x);
    assert_eq!(square(of(limbs::SQRT_M1)), minus(one));
    assert_eq!(slow::multiply(square(of(limbs::INVSQRT_A_MINUS_D)), slow::subtract(minus(one), d)), one);
    assert_eq!(square(of(limbs::SQRT_AD_MINUS_ONE)), slow::subtract(minus(d), one));
    assert_eq!(of(limbs::ONE_MINUS_D_SQ), slow::subtract(one, square(d)));
    assert_eq!(of(limbs::D_MINUS_ONE_SQ), square(slow::subtract(d, one)));
    // Roots come in pairs: the RFC's are these. √−1 and 1/√(a − d) are even, √(ad − 1) is odd.
    assert_eq!([limbs::SQRT_M1, limbs::INVSQRT_A_MINUS_D, limbs::SQRT_AD_MINUS_ONE].map(|x| x[0] & 1), [0, 0, 1]);
}

#[test]
fn whole_operations_agree_with_the_portable_backend() {
    let mut stream = Seed::new([1; 32]).stream("kernel", &[]);
    for count in [0, 1, 7, 8, 9, 15, 16, 17, 255, 256, 257, 1500] {
        let mut uniform: Vec<[u8; 64]> = (0..count).map(|_| bytes(&mut stream)).collect();
        // Halves that are 0, p, 2^255 − 1 and 2^256 − 1: the map takes them modulo p, without bit 255.
        for (i, edge) in [[0; 32], edge(0xed), edge(0xff), [0xff; 32]].iter().enumerate().take(count) {
            uniform[i][..ELEMENT].copy_from_slice(edge);
            uniform[count - 1 - i][ELEMENT..].copy_from_slice(edge);
        }
        let blinder = Blinder::new(&Seed::new(bytes(&mut stream)));
        let [ours, theirs] =
            [Backend::Ifma, Backend::Portable].map(|b| Points::map(b, &uniform).times(&blinder).encode());
        assert_eq!(ours, theirs, "map, {count}");
        let [again, expected] = [Backend::Ifma, Backend::Portable]
            .map(|b| Points::decode(b, &ours).map(|points| points.times(&blinder).encode()));
        assert_eq!(again, expected, "decode, {count}");
    }
}

fn edge(first: u8) -> [u8; 32] {
    let mut out = [0xff; 32];
    (out[0], out[31]) = (first, 0x7f);
    out
}

#[test]
fn edge_scalars_and_the_identity() {
    let Some(found) = found() else { return };
    let mut stream = Seed::new([2; 32]).stream("kernel", &[]);
    let uniform: Vec<[u8; 64]> = (0..7).map(|_| bytes(&mut stream)).collect();
    let mut elements = found.encode(&found.multiply(&found.map(&uniform), &Digits::new(&Scalar::ONE.to_bytes())));
    elements.insert(3, [0; ELEMENT]);
    let dalek: Vec<_> = elements.iter().map(|e| CompressedRistretto(*e).decompress().unwrap()).collect();
    let points = found.decode(&elements).unwrap();
    let minus_one = -Scalar::ONE;
    let mut scalars = vec![Scalar::ZERO, Scalar::ONE, Scalar::from(2u8), minus_one, minus_one - Scalar::ONE];
    // Every digit the same: 1 to 15, where 8 and above carry into the next.
    scalars.extend((1..16u8).map(|digit| Scalar::from_bytes_mod_order([digit << 4 | digit; 32])));
    scalars.extend((0..252).step_by(13).map(|bit| {
        let mut power = [0; 32];
        power[bit / 8] = 1 << (bit % 8);
        Scalar::from_bytes_mod_order(power)
    }));
    for scalar in scalars {
        let ours = found.encode(&found.multiply(&points, &Digits::new(&scalar.to_bytes())));
        let theirs: Vec<_> = dalek.iter().map(|point| (point * (scalar + scalar)).compress().to_bytes()).collect();
        assert_eq!(ours, theirs, "{scalar:?}");
    }
}

/// Random strings: an even number below p is an element about every fourth time.
#[test]
fn the_same_strings_are_elements() {
    let Some(found) = found() else { return };
    let mut stream = Seed::new([3; 32]).stream("kernel", &[]);
    let mut valid = 0;
    for i in 0..2000 {
        let mut string: [u8; 32] = bytes(&mut stream);
        if i % 8 > 0 {
            string[31] &= 0x7f;
            string[0] &= 0xfe;
        }
        let expected = CompressedRistretto(string).decompress().is_some();
        assert_eq!(found.decode(&[string]).is_some(), expected, "{string:x?}");
        valid += usize::from(expected);
    }
    assert!((350..550).contains(&valid), "{valid}");
    for first in 0xe0..=0xff {
        let expected = CompressedRistretto(edge(first)).decompress().is_some();
        assert_eq!(found.decode(&[edge(first)]).is_some(), expected, "{first:x}");
    }
}
