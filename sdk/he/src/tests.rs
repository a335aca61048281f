//! Whole operations, on both backends.
use crate::kernel::Kernels;
use crate::modular::{inverse, multiply};
use crate::ntt::position;
use crate::parameters::{KEPT, POLYNOMIAL_BYTES};
use crate::{
    Accumulator, AnswerStreams, Backend, Coefficients, Error, N, PublicKey, Scratch, SecretKey, Set, Slots, truncate,
};
use hefu_crypto::Stream;

pub(crate) const KEY: [u8; 16] = [1; 16];

/// Both backends; the same one twice where the processor has no AVX-512 IFMA.
pub(crate) fn both() -> impl Iterator<Item = Kernels> {
    [Backend::Portable, Backend::Ifma].into_iter().map(Kernels::new)
}

/// N words below a bound, the same for the same label.
pub(crate) fn words(label: u64, below: u64) -> Vec<u64> {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&label.to_le_bytes());
    let mut stream = Stream::new(key);
    (0..N).map(|_| stream.u64() % below).collect()
}

pub(crate) fn signed(label: u64, bits: u32) -> Vec<i64> {
    words(label, 1 << (bits + 1)).into_iter().map(|x| x as i64 - (1 << bits)).collect()
}

/// ⌊q·m/t⌉ modulo p of one coefficient, by schoolbook arithmetic.
fn scaled_message(m: u128, t: u128, p: u64, q_mod_t: u128) -> u64 {
    // (q·m − [q·m]_t)/t = −[q·m]_t/t mod p, the product by doubling, to stay within 128 bits
    let mut product = 0u128;
    for bit in (0..128).rev() {
        product = (product * 2) % t;
        if m >> bit & 1 == 1 {
            product = (product + q_mod_t) % t;
        }
    }
    let remainder = if product > t / 2 { product as i128 - t as i128 } else { product as i128 };
    let negative = (p as i128 - remainder.rem_euclid(p as i128)) as u64 % p;
    multiply(negative, inverse((t % u128::from(p)) as u64, p), p)
}

/// Mask, noise and flood.
pub(crate) struct Streams(pub(crate) [Stream; 3]);

impl Streams {
    pub(crate) fn new(label: u8) -> Self {
        Streams([0, 1, 2].map(|i| Stream::new([label + i; 16])))
    }

    pub(crate) fn borrow(&mut self) -> AnswerStreams<'_> {
        let [mask, noise, flood] = &mut self.0;
        AnswerStreams { mask, noise, flood }
    }
}

/// One party of each kind in one set.
struct World {
    slots: Slots,
    scratch: Scratch,
    secret: SecretKey,
    public: PublicKey,
    accumulator: Accumulator,
}

impl World {
    fn new(set: Set, backend: Backend) -> World {
        let slots = Slots::new(set, backend).unwrap();
        let (secret, bytes) = slots.generate(&KEY, &mut Stream::new([2; 16]));
        assert_eq!(bytes.len(), set.public_key_bytes());
        let public = slots.public_key(&bytes, &KEY).unwrap();
        World { scratch: slots.scratch(), accumulator: slots.accumulator(), slots, secret, public }
    }

    fn encrypt(&mut self, values: &[i64], label: u8) -> Vec<u8> {
        let mut out = Vec::new();
        let noise = &mut Stream::new([label; 16]);
        self.slots.encrypt(&self.secret, values, &[label + 1; 16], noise, &mut self.scratch, &mut out).unwrap();
        assert_eq!(out.len(), self.slots.set().ciphertext_bytes());
        out
    }

    fn answer(&mut self) -> (Vec<u8>, Vec<u128>) {
        let (mut out, mut mask) = (Vec::new(), Vec::new());
        let mut streams = Streams::new(90);
        self.slots
            .answer(&mut self.accumulator, &self.public, streams.borrow(), &mut self.scratch, &mut out, &mut mask)
            .unwrap();
        assert_eq!(out.len(), self.slots.set().answer_bytes());
        (out, mask)
    }

    fn decrypt(&mut self, answer: &[u8]) -> Vec<u128> {
        let mut out = Vec::new();
        self.slots.decrypt(&self.secret, answer, &mut self.scratch, &mut out).unwrap();
        out
    }
}

#[test]
fn slots_multiply_and_backends_agree() {
    for set in [Set::S, Set::SCoarse] {
        let t = set.plaintext_modulus().unwrap() as i128;
        let magnitude = if set == Set::S { 24 } else { 12 };
        let mut transcripts = Vec::new();
        for backend in [Backend::Portable, Backend::Ifma] {
            let mut world = World::new(set, backend);
            let mut expected = vec![0i128; N];
            let mut transcript = Vec::new();
            for round in 0..3u8 {
                // full blocks, then a partial one
                let len = if round == 2 { 1234 } else { N };
                let label = u64::from(round) * 10;
                let vectors: Vec<Vec<i64>> = (0..4).map(|i| signed(label + i, magnitude)[..len].to_vec()).collect();
                let (one, two) =
                    (world.encrypt(&vectors[0], 10 * round + 3), world.encrypt(&vectors[1], 10 * round + 5));
                world
                    .slots
                    .accumulate_pair(
                        &mut world.accumulator,
                        (&vectors[2], &one),
                        (&vectors[3], &two),
                        &mut world.scratch,
                    )
                    .unwrap();
                for i in 0..len {
                    expected[i] += i128::from(vectors[0][i] * vectors[2][i] + vectors[1][i] * vectors[3][i]);
                }
                transcript.extend([one, two]);
            }
            let (answer, mask) = world.answer();
            let opened = world.decrypt(&answer);
            assert_eq!((opened.len(), mask.len()), (N, N));
            for i in 0..N {
                assert!((mask[i] as i128) < t);
                assert_eq!(opened[i] as i128, (expected[i] + mask[i] as i128).rem_euclid(t), "slot {i}");
            }
            transcript.push(answer);
            transcripts.push((transcript, mask, opened));
        }
        assert!(transcripts[0] == transcripts[1]);
    }
}

#[test]
fn an_accumulator_is_empty_after_its_answer() {
    let mut world = World::new(Set::SCoarse, Backend::detect());
    let values = vec![3i64; N];
    let ciphertext = world.encrypt(&values, 3);
    for factor in [5i64, 7] {
        let multipliers = vec![factor; N];
        let World { slots, scratch, accumulator, .. } = &mut world;
        slots.accumulate_pair(accumulator, (&multipliers, &ciphertext), (&[], &ciphertext), scratch).unwrap();
        let (answer, mask) = world.answer();
        let t = Set::SCoarse.plaintext_modulus().unwrap();
        let opened = world.decrypt(&answer);
        assert!(opened.iter().zip(&mask).all(|(y, r)| *y == (r + 3 * factor as u128) % t));
    }
}

#[test]
fn accumulators_survive_their_limit() {
    let mut world = World::new(Set::SCoarse, Backend::detect());
    let ciphertext = world.encrypt(&[1, -1], 3);
    let World { slots, scratch, accumulator, .. } = &mut world;
    // the largest coefficients come from arbitrary slots; enough products to pass the limit of lazy addition
    let multipliers = signed(1, 34);
    let pairs = 2050;
    for _ in 0..pairs {
        slots.accumulate_pair(accumulator, (&multipliers, &ciphertext), (&multipliers, &ciphertext), scratch).unwrap();
    }
    let (answer, mask) = world.answer();
    let opened = world.decrypt(&answer);
    let t = Set::SCoarse.plaintext_modulus().unwrap() as i128;
    for (i, value) in [(0, 1i128), (1, -1), (2, 0)] {
        let sum = value * 2 * pairs * i128::from(multipliers[i]);
        assert_eq!(opened[i] as i128, (sum + mask[i] as i128).rem_euclid(t));
    }
}

/// The noise of an answer: its phase c0 + c1·s minus the scaled message, in units of one, modulo q0·q1.
fn answer_noise(world: &mut World, answer: &[u8], message: &[u128]) -> Vec<f64> {
    let set = world.slots.set();
    let t = set.plaintext_modulus().unwrap();
    let primes: Vec<u64> = set.primes()[..KEPT].to_vec();
    let q = u128::from(primes[0]) * u128::from(primes[1]);
    // message in coefficients modulo t
    let plain: Vec<Vec<u64>> = world
        .slots
        .plain
        .iter()
        .map(|ntt| {
            let mut residues: Vec<u64> = message.iter().map(|&m| (m % u128::from(ntt.prime.p)) as u64).collect();
            ntt.inverse(&mut residues);
            residues
        })
        .collect();
    let mut coefficients = Vec::new();
    let mut high = plain.last().unwrap().clone();
    world.slots.join(&plain[0], &mut high, &mut coefficients);
    let noises: Vec<Vec<u64>> = primes
        .iter()
        .enumerate()
        .map(|(i, &p)| {
            let half = KEPT * POLYNOMIAL_BYTES;
            let part = |at: usize| &answer[at + i * POLYNOMIAL_BYTES..][..POLYNOMIAL_BYTES];
            let (mut c0, mut c1) = (vec![0; N], vec![0; N]);
            let kernels = world.slots.ring.kernels;
            assert!(kernels.unpack(part(0), p, &mut c0) && kernels.unpack(part(half), p, &mut c1));
            let ntt = &world.slots.ring.transforms[i];
            ntt.forward(&mut c1);
            for (x, &s) in c1.iter_mut().zip(&world.secret.values[i * N..]) {
                *x = multiply(*x, s, p);
            }
            ntt.inverse(&mut c1);
            let scaled = |m: u128| scaled_message(m, t, p, q % t);
            (0..N).map(|k| (c0[k] + c1[k] + p - scaled(coefficients[k])) % p).collect()
        })
        .collect();
    (0..N)
        .map(|k| {
            let (r0, r1) = (noises[0][k], noises[1][k]);
            let digit = multiply((r1 + 2 * primes[1] - r0) % primes[1], inverse(primes[0], primes[1]), primes[1]);
            let value = u128::from(r0) + u128::from(primes[0]) * u128::from(digit);
            if value > q / 2 { -((q - value) as f64) } else { value as f64 }
        })
        .collect()
}

// clause: RLWE-3
#[test]
fn the_flood_is_there_and_fits() {
    for (set, dropped_bits) in [(Set::S, 100.0), (Set::SCoarse, 50.0)] {
        let mut world = World::new(set, Backend::detect());
        let values = signed(1, 20);
        let ciphertext = world.encrypt(&values, 3);
        let World { slots, scratch, accumulator, .. } = &mut world;
        slots.accumulate_pair(accumulator, (&values, &ciphertext), (&values, &ciphertext), scratch).unwrap();
        let (answer, mask) = world.answer();
        let t = set.plaintext_modulus().unwrap();
        let message: Vec<u128> = values.iter().zip(&mask).map(|(&v, r)| (2 * (v * v) as u128 + r) % t).collect();
        let noise = answer_noise(&mut world, &answer, &message);
        let flood = (f64::from(set.flood_exponent()) - dropped_bits).exp2();
        let limit = (100.0 - (t as f64).log2() - 1.0).exp2();
        let largest = noise.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        let (mean, square) =
            (noise.iter().sum::<f64>() / N as f64, noise.iter().map(|x| x * x).sum::<f64>() / N as f64);
        // uniform: largest close to the range, root mean square range/√3, mean 0; all below the limit q/(2t)
        assert!(
            largest > 0.99 * flood && largest < 1.001 * flood && largest < 0.51 * limit,
            "{largest} {flood} {limit}"
        );
        assert!((square.sqrt() / flood - 3f64.sqrt().recip()).abs() < 0.02);
        assert!(mean.abs() / flood < 0.03);
    }
}

#[test]
fn bad_bytes_are_refused() {
    for backend in [Backend::Portable, Backend::Ifma] {
        let mut world = World::new(Set::SCoarse, backend);
        let good = world.encrypt(&[1, 2, 3], 3);
        let World { slots, scratch, accumulator, secret, .. } = &mut world;
        // all ones: above every prime, at the first and at the last value of the last prime
        for at in [16, good.len() - 7] {
            let mut bad = good.clone();
            bad[at..at + 7].fill(0xff);
            for pair in [[&good, &bad], [&bad, &good]] {
                let result = slots.accumulate_pair(accumulator, (&[1], pair[0]), (&[1], pair[1]), scratch);
                assert_eq!(result, Err(Error::BadElement));
            }
        }
        let short = &good[..good.len() - 1];
        let result = slots.accumulate_pair(accumulator, (&[1], &good), (&[1], short), scratch);
        assert_eq!(result, Err(Error::WrongLength { expected: good.len(), found: short.len() }));
        let mut key = vec![0; Set::SCoarse.public_key_bytes()];
        assert!(slots.public_key(&key, &KEY).is_ok());
        key[..7].fill(0xff);
        assert_eq!(slots.public_key(&key, &KEY).err(), Some(Error::BadElement));
        let mut answer = vec![0; Set::SCoarse.answer_bytes()];
        let mut out = Vec::new();
        assert!(slots.decrypt(secret, &answer, scratch, &mut out).is_ok());
        answer[2 * POLYNOMIAL_BYTES..][..7].fill(0xff);
        assert_eq!(slots.decrypt(secret, &answer, scratch, &mut out), Err(Error::BadElement));
        // the prime itself is refused, the value below it is not
        for (value, expected) in
            [(slots.ring.transforms[0].prime.p, Err(Error::BadElement)), (slots.ring.transforms[0].prime.p - 1, Ok(()))]
        {
            let mut edge = good.clone();
            let high = u64::from(edge[22] & 0xfc) << 48;
            edge[16..23].copy_from_slice(&(value | high).to_le_bytes()[..7]);
            assert_eq!(slots.accumulate_pair(accumulator, (&[1], &edge), (&[1], &good), scratch), expected);
        }
    }
}

#[test]
fn misuse_is_refused() {
    let mut world = World::new(Set::SCoarse, Backend::detect());
    let ciphertext = world.encrypt(&[1], 3);
    let World { slots, scratch, accumulator, secret, public, .. } = &mut world;
    let (mut out, mut noise) = (Vec::new(), Stream::new([4; 16]));
    let mut encrypt = |values: &[i64]| slots.encrypt(secret, values, &[0; 16], &mut noise, scratch, &mut out);
    assert_eq!(encrypt(&vec![0; N + 1]), Err(Error::TooManyValues));
    assert_eq!(encrypt(&[1 << 35]), Err(Error::ValueTooLarge));
    assert_eq!(encrypt(&[-(1 << 35) - 1]), Err(Error::ValueTooLarge));
    assert_eq!(encrypt(&[-(1 << 35), (1 << 35) - 1]), Ok(()));
    let fine = Slots::new(Set::S, Backend::detect()).unwrap();
    let result = fine.encrypt(secret, &[1], &[0; 16], &mut noise, &mut fine.scratch(), &mut out);
    assert_eq!(result, Err(Error::WrongSet));
    let mut wide = fine.accumulator();
    assert_eq!(
        slots.accumulate_pair(&mut wide, (&[1], &ciphertext), (&[1], &ciphertext), scratch),
        Err(Error::WrongSet)
    );
    let mut mask = Vec::new();
    let result = fine.answer(&mut wide, public, Streams::new(1).borrow(), &mut fine.scratch(), &mut out, &mut mask);
    assert_eq!(result, Err(Error::WrongSet));
    assert!(Slots::new(Set::G, Backend::Portable).is_err());
    assert_eq!(accumulator.products, 0);
}

// clause: RLWE-3
#[test]
fn answers_differ_by_their_streams_only() {
    let mut world = World::new(Set::SCoarse, Backend::detect());
    let ciphertext = world.encrypt(&[5; 100], 3);
    let mut answers = Vec::new();
    for changed in [None, Some(0), Some(1), Some(2), None] {
        let World { slots, scratch, accumulator, public, .. } = &mut world;
        slots.accumulate_pair(accumulator, (&[3; 100], &ciphertext), (&[], &ciphertext), scratch).unwrap();
        let mut streams = Streams::new(40);
        if let Some(i) = changed {
            streams.0[i] = Stream::new([77; 16]);
        }
        let (mut out, mut mask) = (Vec::new(), Vec::new());
        slots.answer(accumulator, public, streams.borrow(), scratch, &mut out, &mut mask).unwrap();
        answers.push(out);
    }
    assert!(answers[0] == answers[4]);
    // c1 depends on the encryption of zero alone; c0 on everything
    let half = answers[0].len() / 2;
    for (i, same_c1) in [(1, true), (2, false), (3, true)] {
        assert!(answers[i][..half] != answers[0][..half]);
        assert_eq!(answers[i][half..] == answers[0][half..], same_c1);
    }
}

#[test]
fn a_fresh_ciphertext_has_small_noise() {
    // c0 + a′·s − ⌊q·m/t⌉ is the error itself
    let context = Coefficients::new(Backend::detect());
    let mut scratch = context.scratch();
    let (secret, _) = context.generate(&KEY, &mut Stream::new([2; 16]));
    let values = words(5, u64::MAX);
    let (mut out, mut block) = (Vec::new(), context.block());
    context.encrypt(&secret, &values, &[3; 16], &mut Stream::new([4; 16]), &mut scratch, &mut out).unwrap();
    context.expand(&out, &mut block).unwrap();
    let mut variance = 0f64;
    for i in 0..3 {
        let (ring, p) = (&context.ring, Set::G.primes()[i]);
        let mut phase = block.c0[i * N..(i + 1) * N].to_vec();
        for ((x, &a), &s) in phase.iter_mut().zip(&block.a[i * N..]).zip(&secret.values[i * N..]) {
            *x = (*x + multiply(a, s, p)) % p;
        }
        ring.transforms[i].inverse(&mut phase);
        let q = Set::G.primes().iter().fold(1u64, |q, &p| q.wrapping_mul(p));
        for (k, &value) in values.iter().enumerate() {
            let scaled = scaled_message(u128::from(value), 1 << 64, p, u128::from(q));
            let error = (phase[position(k)] + p - scaled) % p;
            let error = if error > p / 2 { error as i64 - p as i64 } else { error as i64 };
            assert!(error.abs() <= 21);
            variance += (error * error) as f64 / (3 * N) as f64;
        }
    }
    assert!((variance - 10.5).abs() < 0.8, "{variance}");
}

#[test]
fn truncation_drops_low_bits() {
    let mut out = Vec::new();
    truncate(&[(1 << 72) - 1, 5, 1 << 25], 25, &mut out);
    assert_eq!(out, [(1 << 47) - 1, 0, 1]);
}

#[test]
fn secrets_are_not_printed() {
    let world = World::new(Set::SCoarse, Backend::detect());
    assert_eq!(format!("{:?}", world.secret), "SecretKey(S', …)");
    assert_eq!(format!("{:?}", world.scratch), "Scratch(…)");
}
