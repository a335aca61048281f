//! Keys, ciphertexts, answers and their opening, to the byte.
use super::case::{Hex, each, each_without};
use super::recipe::Recipe;
use super::{Script, digest};
use crate::modular::{inverse, multiply};
use crate::ntt::{LANES, position};
use crate::words::Words;
use crate::{AnswerStreams, Backend, Coefficients, Error, Form, N, PublicKey, Scratch, SecretKey, Set, Slots};
use base64::{Engine, engine::general_purpose::STANDARD};
use hefu_core::Code;
use hefu_crypto::{Stream, expand};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct SetName(Set);

impl TryFrom<String> for SetName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let sets = [Set::S, Set::SCoarse, Set::G];
        sets.into_iter().find(|set| set.name() == name).map(SetName).ok_or(name)
    }
}

/// The context of any set.
enum Context {
    Slots(Box<Slots>),
    Coefficients(Box<Coefficients>),
}

impl Context {
    fn new(set: Set, backend: Backend) -> Context {
        match Slots::new(set, backend) {
            Ok(slots) => Context::Slots(Box::new(slots)),
            Err(_) => Context::Coefficients(Box::new(Coefficients::new(backend))),
        }
    }

    fn ring(&self) -> &crate::key::Ring {
        match self {
            Context::Slots(slots) => &slots.ring,
            Context::Coefficients(coefficients) => &coefficients.ring,
        }
    }

    fn scratch(&self) -> Scratch {
        Scratch::new(self.ring().transforms.len())
    }

    /// The key of a secret and error, and p0.
    fn key(&self, seed: &[u8; 16], secret: &Recipe, error: &[i64]) -> (SecretKey, Vec<u8>) {
        let mut script = Script::default().thirds(&secret.i64s()).errors(error);
        self.ring().generate(seed, &mut script)
    }

    fn public_key(&self, p0: &[u8], seed: &[u8; 16]) -> PublicKey {
        self.ring().public_key(p0, seed).unwrap()
    }

    /// The ciphertext of a secret key and given errors.
    fn encrypt(&self, key: &SecretKey, values: &[i128], error: &[i64], seed: &[u8; 16]) -> Vec<u8> {
        let (mut out, mut scratch) = (Vec::new(), self.scratch());
        let mut script = Script::default().errors(error);
        match self {
            Context::Coefficients(coefficients) => {
                let words: Vec<u64> = values.iter().map(|v| *v as u64).collect();
                coefficients.encrypt_drawing(key, &words, seed, &mut script, &mut scratch, &mut out).unwrap();
            }
            Context::Slots(slots) if values.iter().all(|v| v.abs() < 1 << 35) => {
                let values: Vec<i64> = values.iter().map(|v| *v as i64).collect();
                slots.encrypt_drawing(key, &values, seed, &mut script, &mut scratch, &mut out).unwrap();
            }
            Context::Slots(slots) => {
                // larger than any basis value: the residues are put where the operation would put them
                for (out, plain) in scratch.lifted.iter_mut().zip(&slots.plain) {
                    let p = i128::from(plain.prime.p);
                    out.iter_mut().zip(values).for_each(|(out, v)| *out = v.rem_euclid(p) as u64);
                }
                let [x, h, ..] = &mut scratch.lifted;
                slots.lift_residues(Some(&slots.message_scale), x, h);
                slots.ring.encrypt_lifted(key, seed, &mut script, &mut scratch, &mut out);
            }
        }
        out
    }

    fn open(&self, key: &SecretKey, answer: &[u8]) -> Result<Value, Error> {
        let mut scratch = self.scratch();
        match self {
            Context::Coefficients(coefficients) => {
                Ok(digest::integers([coefficients.decrypt(key, answer, &mut scratch)?]))
            }
            Context::Slots(slots) => {
                let mut out = Vec::new();
                slots.decrypt(key, answer, &mut scratch, &mut out)?;
                Ok(digest::integers(out))
            }
        }
    }
}

/// Answers with what both backends make.
fn on_both(set: Set, run: impl Fn(&Context) -> Result<Value, Code>) -> Result<Value, Code> {
    let portable = run(&Context::new(set, Backend::Portable));
    assert_eq!(run(&Context::new(set, Backend::Ifma)), portable, "the backends differ");
    portable
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    set: SetName,
    transcript: Hex,
    owner: u16,
    round: u32,
    secret: Recipe,
    error: Recipe,
}

impl Key {
    /// K. The protocol crate derives it in a session and answers for it; here it is written out.
    fn seed(&self) -> [u8; 16] {
        let place = [&[self.set.0.id()][..], &self.owner.to_be_bytes(), &self.round.to_be_bytes()].concat();
        expand(&self.transcript.array(), &[b"hefu/1 rlwe key", &place])
    }
}

#[test]
fn keys() {
    each_without("rlwe_key", &["stream_key"], |key: Key| {
        on_both(key.set.0, |context| {
            let (_, p0) = context.key(&key.seed(), &key.secret, &key.error.i64s());
            let public = context.public_key(&p0, &key.seed());
            let mut p1 = vec![0; p0.len()];
            for ((_, half), out) in public.halves(key.set.0).unwrap().zip(p1.chunks_exact_mut(N / 4 * 25)) {
                context.ring().kernels.pack(half, out);
            }
            Ok(json!({ "p1": digest::bytes(&p1), "p0": digest::bytes(&p0) }))
        })
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ciphertext {
    values: Recipe,
    error: Recipe,
    seed: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encryption {
    set: SetName,
    secret: Recipe,
    ciphertext: Ciphertext,
    whole: bool,
}

#[test]
fn ciphertexts() {
    each("rlwe_encrypt", |given: Encryption| {
        let Ciphertext { values, error, seed } = &given.ciphertext;
        let (values, seed) = (values.draw(), seed.array());
        on_both(given.set.0, |context| {
            let (secret, _) = context.key(&[0; 16], &given.secret, &[0; N]);
            let wire = context.encrypt(&secret, &values, &error.i64s(), &seed);
            Ok(json!({
                "plaintext": digest::integers(plaintext(context, &values)),
                "scaled": digest::integers(scaled(context, &values)),
                "ciphertext": whole(&wire, given.whole),
            }))
        })
    });
}

fn whole(bytes: &[u8], whole: bool) -> Value {
    let mut out = digest::bytes(bytes);
    if whole {
        out["base64"] = STANDARD.encode(bytes).into();
    }
    out
}

/// The coefficients modulo t.
fn plaintext(context: &Context, values: &[i128]) -> Vec<u128> {
    match context {
        Context::Coefficients(_) => (0..N).map(|i| values.get(i).map_or(0, |v| v.cast_unsigned())).collect(),
        Context::Slots(slots) => {
            let (mut low, mut high) = (Words::polynomial(), Words::polynomial());
            for (plain, out) in slots.plain.iter().zip([&mut low, &mut high]) {
                let p = i128::from(plain.prime.p);
                out.iter_mut().zip(values).for_each(|(out, v)| *out = v.rem_euclid(p) as u64);
                plain.inverse(out);
            }
            let mut out = Vec::new();
            slots.join(&low, &mut high, &mut out);
            (0..N).map(|i| out[position(i)]).collect()
        }
    }
}

/// ⌊q·m/t⌉ in decimal text: what a ciphertext without secret and errors holds.
fn scaled(context: &Context, values: &[i128]) -> Vec<String> {
    let none = Recipe::List { values: vec![super::case::Decimal(0); N] };
    let (secret, _) = context.key(&[0; 16], &none, &[0; N]);
    let wire = context.encrypt(&secret, values, &[0; N], &[0; 16]);
    let ring = context.ring();
    let mut residues = Words::zeros(ring.transforms.len() * N);
    ring.unpack(&wire[16..], &mut residues).unwrap();
    for (ntt, residues) in ring.transforms.iter().zip(residues.chunks_exact_mut(N)) {
        ntt.inverse(residues);
    }
    let primes: Vec<u64> = ring.transforms.iter().map(|ntt| ntt.prime.p).collect();
    (0..N).map(|i| decimal(residues.iter().skip(position(i)).step_by(N).copied(), &primes)).collect()
}

/// The integer of residues, by mixed radix, in decimal text.
fn decimal(residues: impl Iterator<Item = u64>, primes: &[u64]) -> String {
    const LIMB: u128 = 1_000_000_000_000_000_000;
    let mut digits: Vec<u64> = Vec::new();
    for (residue, &p) in residues.zip(primes) {
        let (mut known, mut radix) = (0, 1);
        for (digit, &q) in digits.iter().zip(primes) {
            known = (known + multiply(digit % p, radix, p)) % p;
            radix = multiply(radix, q % p, p);
        }
        digits.push(multiply((residue + p - known) % p, inverse(radix, p), p));
    }
    // limbs to the base 10^18, least significant first
    let mut limbs: Vec<u64> = Vec::new();
    for (digit, &q) in digits.iter().zip(primes).rev() {
        let mut carry = u128::from(*digit);
        for limb in &mut limbs {
            carry += u128::from(*limb) * u128::from(q);
            *limb = (carry % LIMB) as u64;
            carry /= LIMB;
        }
        while carry > 0 {
            limbs.push((carry % LIMB) as u64);
            carry /= LIMB;
        }
    }
    match limbs.pop() {
        None => "0".to_owned(),
        Some(top) => limbs.iter().rev().fold(top.to_string(), |text, limb| format!("{text}{limb:018}")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    ciphertext: Ciphertext,
    multipliers: Recipe,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    key: Key,
    terms: Vec<Term>,
    u: Recipe,
    e1: Recipe,
    e2: Recipe,
    mask: Recipe,
    flood: Recipe,
    whole: bool,
}

#[test]
fn answers() {
    each("rlwe_answer", |given: Answer| {
        let seed = given.key.seed();
        on_both(given.key.set.0, |context| {
            let (secret, p0) = context.key(&seed, &given.key.secret, &given.key.error.i64s());
            let public = context.public_key(&p0, &seed);
            let encrypted = given.terms.iter().map(|Term { ciphertext, .. }| {
                let Ciphertext { values, error, seed } = ciphertext;
                context.encrypt(&secret, &values.draw(), &error.i64s(), &seed.array())
            });
            let encrypted: Vec<Vec<u8>> = encrypted.collect();
            let answer = match context {
                Context::Slots(slots) => answer_slots(slots, &public, &given, &encrypted),
                Context::Coefficients(coefficients) => answer_sum(coefficients, &public, &given, &encrypted),
            };
            let opened = context.open(&secret, &answer).map_err(Error::code)?;
            Ok(json!({ "answer": whole(&answer, given.whole), "opened": opened }))
        })
    });
}

fn answer_slots(slots: &Slots, public: &PublicKey, given: &Answer, encrypted: &[Vec<u8>]) -> Vec<u8> {
    let (mut sum, mut scratch) = (slots.accumulator(), slots.scratch());
    let multipliers: Vec<Vec<i64>> = given.terms.iter().map(|term| term.multipliers.i64s()).collect();
    let [first, second] = [0, 1].map(|i| (multipliers[i].as_slice(), encrypted[i].as_slice()));
    assert_eq!(encrypted.len(), 2);
    slots.accumulate_pair(&mut sum, first, second, &mut scratch).unwrap();
    let values = given.mask.draw();
    let residues = slots.plain.iter().flat_map(|plain| values.iter().map(|v| (v % i128::from(plain.prime.p)) as u64));
    let mut mask = Script::default().words(residues);
    let mut noise = Script::default().thirds(&given.u.i64s()).errors(&given.e1.i64s()).errors(&given.e2.i64s());
    let mut flood = Script::default().flood(&given.flood.draw(), slots.set().flood_exponent(), N);
    let streams = AnswerStreams { mask: &mut mask, noise: &mut noise, flood: &mut flood };
    let (mut answer, mut drawn) = (Vec::new(), Vec::new());
    slots.answer_drawing(&mut sum, public, streams, &mut scratch, &mut answer, &mut drawn).unwrap();
    assert!(drawn.iter().zip(values).all(|(drawn, v)| *drawn == v.cast_unsigned()));
    answer
}

fn answer_sum(context: &Coefficients, public: &PublicKey, given: &Answer, encrypted: &[Vec<u8>]) -> Vec<u8> {
    let (mut sum, mut scratch, mut block) = (context.sum(), context.scratch(), context.block());
    let multipliers: Vec<i64> = given.terms.iter().flat_map(|term| term.multipliers.i64s()).collect();
    let column = context.column(&multipliers, Form::Transformed).unwrap();
    for (i, ciphertext) in encrypted.iter().enumerate() {
        context.expand(ciphertext, &mut block).unwrap();
        context.accumulate(&mut sum, &column, i, &block, &mut scratch).unwrap();
    }
    // of c0 only coefficient 0 travels: one group of lanes is drawn for it, of which lane 0 is used
    let mut mask = Script::default().words([given.mask.u64s()[0]]);
    let e1 = (1 << (given.e1.i64s()[0] + 21)) - 1;
    let mut noise = Script::default().thirds(&given.u.i64s()).errors(&given.e2.i64s()).lanes([e1].into_iter(), LANES);
    let mut flood = Script::default().flood(&given.flood.draw()[..1], Set::G.flood_exponent(), LANES);
    let streams = AnswerStreams { mask: &mut mask, noise: &mut noise, flood: &mut flood };
    let mut answer = Vec::new();
    let drawn = context.answer_drawing(&mut sum, public, streams, &mut scratch, &mut answer).unwrap();
    assert_eq!(drawn, given.mask.u64s()[0]);
    answer
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    set: SetName,
    secret: Recipe,
    answer: Patched,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patched {
    zeros: usize,
    patches: Vec<(usize, Hex)>,
}

// clause: RLWE-2
#[test]
fn openings() {
    each("rlwe_open", |given: Opening| {
        let mut answer = vec![0; given.answer.zeros];
        for (at, bytes) in &given.answer.patches {
            answer[*at..at + bytes.0.len()].copy_from_slice(&bytes.0);
        }
        on_both(given.set.0, |context| {
            let (secret, _) = context.key(&[0; 16], &given.secret, &[0; N]);
            Ok(json!({ "opened": context.open(&secret, &answer).map_err(Error::code)? }))
        })
    });
}

/// The fed-in words are those of the samplers: a stream gives the same ciphertext through the public operation.
#[test]
fn a_script_is_drawn_as_a_stream_is() {
    let slots = Slots::new(Set::S, Backend::Portable).unwrap();
    let (secret, _) = slots.generate(&[1; 16], &mut Stream::new([2; 16]));
    let mut words = vec![0; N];
    Stream::new([3; 16]).fill_u64(&mut words);
    let (mut one, mut two, mut scratch) = (Vec::new(), Vec::new(), slots.scratch());
    slots.encrypt(&secret, &[5, -7], &[4; 16], &mut Stream::new([3; 16]), &mut scratch, &mut one).unwrap();
    let mut script = Script::default().words(words);
    slots.encrypt_drawing(&secret, &[5, -7], &[4; 16], &mut script, &mut scratch, &mut two).unwrap();
    assert_eq!(one, two);
}
