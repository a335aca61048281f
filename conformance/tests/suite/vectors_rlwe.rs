//! The specification's vectors of Ring-LWE, read by the suite's own codec.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hefu_conformance::wire::h;
use hefu_conformance::wire::rlwe::{self, Bad, N, Set, Stream};
use hefu_conformance::wire::rlwe_scheme::{self as scheme, Blinding, Secret};
use serde_json::Value;

use crate::vectors::{bytes, cases, fixed};

/// The integers that a recipe stands for.
pub fn drawn(recipe: &Value) -> Vec<i128> {
    let key = || fixed(&recipe["key"]);
    let count = || recipe["count"].as_u64().unwrap() as usize;
    let wide = |words: Vec<u64>| words.into_iter().map(i128::from).collect();
    match recipe["draw"].as_str().unwrap() {
        "ternary" => scheme::ternary(&key()),
        "binomial" => scheme::binomial(&key()),
        "flood" => scheme::flood(&key(), recipe["bits"].as_u64().unwrap() as u32),
        "signed" => {
            let bits = recipe["bits"].as_u64().unwrap();
            let one = |v: u64| i128::from(v % (1 << (bits + 1))) - (1 << bits);
            Stream::new(&key()).u64s(count()).into_iter().map(one).collect()
        }
        "u64" => wide(Stream::new(&key()).u64s(count())),
        "below" => wide(Stream::new(&key()).uniform(integer(&recipe["q"]) as u64, count())),
        "slots" => {
            let moduli: Vec<u64> = recipe["moduli"].as_array().unwrap().iter().map(|m| integer(m) as u64).collect();
            let mut stream = Stream::new(&key());
            let residues = moduli.iter().map(|t| stream.uniform(*t, N)).collect();
            scheme::compose(&residues, &moduli).into_iter().map(|v| v as i128).collect()
        }
        "list" => recipe["values"].as_array().unwrap().iter().map(integer).collect(),
        "unit" => {
            let mut out = vec![0; N];
            out[recipe["index"].as_u64().unwrap() as usize] = integer(&recipe["value"]);
            out
        }
        other => panic!("recipe {other}"),
    }
}

fn integer(value: &Value) -> i128 {
    value.as_str().map_or_else(|| i128::from(value.as_i64().unwrap()), |text| text.parse().unwrap())
}

fn set(value: &Value) -> &'static Set {
    Set::named(value.as_str().unwrap()).unwrap()
}

/// Whether bytes are those of a vector.
pub fn is_blob(found: &[u8], expected: &Value) -> bool {
    found.len() as u64 == expected["length"].as_u64().unwrap()
        && hex::encode(h(&[found])) == expected["sha256"].as_str().unwrap()
}

fn are<T: ToString>(found: &[T], expected: &Value) -> bool {
    let text: String = found.iter().map(|v| v.to_string() + "\n").collect();
    found.len() as u64 == expected["count"].as_u64().unwrap()
        && hex::encode(h(&[text.as_bytes()])) == expected["sha256"].as_str().unwrap()
}

fn words(values: Vec<i128>) -> Vec<u64> {
    values.into_iter().map(|v| v as u64).collect()
}

#[test]
fn order_transform_and_packing() {
    for (name, case) in cases("rlwe_order") {
        let numbers = |value: &Value| -> Vec<usize> {
            value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect()
        };
        let positions = numbers(&case["input"]["positions"]);
        let of = |f: fn(usize) -> usize| positions.iter().map(|p| f(*p)).collect::<Vec<_>>();
        assert_eq!(of(rlwe::lane), numbers(&case["output"]["indices"]), "{name}");
        assert_eq!(of(rlwe::reversed), numbers(&case["output"]["reversed"]), "{name}");
    }
    for (name, case) in cases("rlwe_transform") {
        let (p, output) = (integer(&case["input"]["p"]) as u64, &case["output"]);
        let coefficients = words(drawn(&case["input"]["coefficients"]));
        let values = rlwe::transform(&coefficients, p);
        assert_eq!(i128::from(rlwe::psi(p)), integer(&output["psi"]), "{name}");
        assert!(are(&values, &output["by_index"]), "{name}");
        assert!(are(&rlwe::to_wire(&values), &output["by_position"]), "{name}");
        assert_eq!(rlwe::untransform(&values, p), coefficients, "{name}");
    }
    for (name, case) in cases("rlwe_pack") {
        let (p, packed) = (integer(&case["input"]["p"]) as u64, bytes(&case["input"]["bytes"]));
        let values = rlwe::unpack(&packed);
        assert_eq!(values.iter().all(|v| *v < p), case.get("error").is_none(), "{name}");
        if case.get("error").is_none() {
            let expected = case["output"]["values"].as_array().unwrap().iter().map(|v| integer(v) as u64);
            assert_eq!(values, expected.collect::<Vec<_>>(), "{name}");
        }
    }
}

#[test]
fn keys() {
    for (name, case) in cases("rlwe_key") {
        let (input, output) = (&case["input"], &case["output"]);
        let set = set(&input["set"]);
        let number = |name: &str| input[name].as_u64().unwrap();
        let key = scheme::stream_key(&fixed(&input["transcript"]), set, number("owner") as u16, number("round") as u32);
        assert_eq!(hex::encode(key), output["stream_key"].as_str().unwrap(), "{name}");
        assert!(is_blob(&rlwe::pack_poly(&scheme::uniform(&key, set)), &output["p1"]), "{name}");
        let secret = Secret::new(set, drawn(&input["secret"]));
        assert!(is_blob(&secret.public(&key, &drawn(&input["error"])), &output["p0"]), "{name}");
    }
}

fn encrypted(secret: &Secret, ciphertext: &Value) -> Vec<u8> {
    let (values, error) = (drawn(&ciphertext["values"]), drawn(&ciphertext["error"]));
    secret.encrypt(&values, &error, &fixed(&ciphertext["seed"]))
}

#[test]
fn ciphertexts() {
    for (name, case) in cases("rlwe_encrypt") {
        let (input, output) = (&case["input"], &case["output"]);
        let set = set(&input["set"]);
        let secret = Secret::new(set, drawn(&input["secret"]));
        let plaintext = scheme::plaintext(set, &drawn(&input["ciphertext"]["values"]));
        assert!(are(&scheme::coefficients(set, &plaintext), &output["plaintext"]), "{name}");
        assert!(is_blob(&encrypted(&secret, &input["ciphertext"]), &output["ciphertext"]), "{name}");
    }
}

#[test]
fn answers() {
    for (name, case) in cases("rlwe_answer") {
        let (input, output) = (&case["input"], &case["output"]);
        let set = set(&input["key"]["set"]);
        let number = |name: &str| input["key"][name].as_u64().unwrap();
        let transcript = fixed(&input["key"]["transcript"]);
        let key = scheme::stream_key(&transcript, set, number("owner") as u16, number("round") as u32);
        let secret = Secret::new(set, drawn(&input["key"]["secret"]));
        let public = secret.public(&key, &drawn(&input["key"]["error"]));
        let public = scheme::read_public(&public, set, &key).unwrap();
        let mut sum = scheme::nothing(set);
        for term in input["terms"].as_array().unwrap() {
            let ciphertext = encrypted(&secret, &term["ciphertext"]);
            let (_, ciphertext) = scheme::read_ciphertext(&ciphertext, set).unwrap();
            let values = drawn(&term["multipliers"]);
            let multiplier =
                if set.slots.is_empty() { scheme::column(&values) } else { scheme::slot_multiplier(set, &values) };
            scheme::accumulate(set, &mut sum, &multiplier, &ciphertext);
        }
        let [u, e1, e2, mask, flood] = ["u", "e1", "e2", "mask", "flood"].map(|name| drawn(&input[name]));
        let answer = scheme::answer(set, &sum, &public, &Blinding { u, e1, e2, mask, flood });
        assert_eq!(STANDARD.encode(&answer), output["answer"]["base64"].as_str().unwrap(), "{name}");
        if set.slots.is_empty() {
            assert!(are(&[secret.open_sum(&answer).unwrap()], &output["opened"]), "{name}");
        } else {
            assert!(are(&secret.open_slots(&answer).unwrap().0, &output["opened"]), "{name}");
        }
    }
}

#[test]
fn openings() {
    for (name, case) in cases("rlwe_open") {
        let input = &case["input"];
        let set = set(&input["set"]);
        let secret = Secret::new(set, drawn(&input["secret"]));
        let mut answer = vec![0; input["answer"]["zeros"].as_u64().unwrap() as usize];
        for patch in input["answer"]["patches"].as_array().unwrap() {
            let (at, piece) = (patch[0].as_u64().unwrap() as usize, bytes(&patch[1]));
            answer[at..at + piece.len()].copy_from_slice(&piece);
        }
        let opened = if set.slots.is_empty() {
            secret.open_sum(&answer).map(|v| vec![v.to_string()])
        } else {
            secret.open_slots(&answer).map(|(values, _)| values.iter().map(ToString::to_string).collect())
        };
        match case["error"].as_str() {
            None => assert!(are(&opened.unwrap(), &case["output"]["opened"]), "{name}"),
            Some("BAD_ELEMENT") => assert_eq!(opened.unwrap_err(), Bad::Residue, "{name}"),
            Some(_) => assert_eq!(opened.unwrap_err(), Bad::Length, "{name}"),
        }
    }
}
