//! The specification's vectors of training and scoring, read by the suite's own codec.

use hefu_conformance::wire::keys;
use hefu_conformance::wire::rlwe::{PACKED, Set};
use hefu_conformance::wire::vlr::{self, Tensor};
use serde_json::Value;

use crate::vectors::{bytes, cases, fixed};
use crate::vectors_rlwe::{drawn, is_blob};

fn list<T>(value: &Value, one: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().unwrap().iter().map(one).collect()
}

fn integer(value: &Value) -> i128 {
    value.as_str().map_or_else(|| i128::from(value.as_i64().unwrap()), |text| text.parse().unwrap())
}

fn words(value: &Value) -> Vec<u64> {
    list(value, |v| integer(v) as u64)
}

fn real(value: &Value) -> f64 {
    f64::from_be_bytes(fixed(value))
}

#[test]
fn phases_basis_and_sine_sets() {
    for (name, case) in cases("vlr_phase") {
        let period = case["input"]["P"].as_u64().unwrap() as u32;
        let phases = list(&case["input"]["z"], |z| vlr::phase(real(z), period));
        // Only the last bits of z/P, rounded once to binary64, are free.
        let room = if name == "floor" { 1 << 12 } else { 0 };
        for (found, expected) in phases.iter().zip(words(&case["output"]["phases"])) {
            assert!((found.wrapping_sub(expected) as i64).unsigned_abs() <= room, "{name}");
        }
    }
    for (name, case) in cases("vlr_basis") {
        let (input, output) = (&case["input"], &case["output"]);
        let sine = vlr::sine(input["sine_set"].as_u64().unwrap() as u16).unwrap();
        let k = input["k"].as_u64().unwrap() as usize;
        let (cosines, sines) = sine.basis(k, &words(&input["beta"]));
        let (of_cosines, of_sines) = sine.multipliers(k, &words(&input["alpha"]));
        let found = [("cosines", cosines), ("sines", sines), ("for_cosines", of_cosines), ("for_sines", of_sines)];
        for (member, found) in found {
            let expected = list(&output[member], integer);
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1), "{name} {member}");
        }
    }
    for (name, case) in cases("vlr_choose") {
        let bound: u64 = list(&case["input"]["bounds"], |b| b.as_u64().unwrap()).iter().sum();
        let reaching: Vec<u64> =
            vlr::sine_sets().iter().filter(|s| u64::from(s.R) >= bound).map(|s| u64::from(s.id)).collect();
        match case["output"]["sine_sets"].as_array() {
            Some(expected) => assert_eq!(Value::from(reaching), Value::from(expected.clone()), "{name}"),
            None => assert!(reaching.is_empty(), "{name}"),
        }
    }
}

#[test]
fn shares_and_masks() {
    for (name, case) in cases("vlr_share") {
        let (input, output) = (&case["input"], &case["output"]);
        for (rank, expected) in output["shares"].as_object().unwrap() {
            let mut share = words(&input["phases"][rank]);
            vlr::mask(&mut share, &fixed(&input["keys_to_zero"][rank]), false);
            for (pair, key) in input["pair_keys"].as_object().unwrap() {
                let (low, high) = pair.split_once('-').unwrap();
                if [low, high].contains(&rank.as_str()) {
                    vlr::mask(&mut share, &fixed(key), rank == high);
                }
            }
            assert_eq!(share, words(expected), "{name} {rank}");
            assert_eq!(hex::encode(vlr::from_words(&share)), output["payloads"][rank].as_str().unwrap(), "{name}");
        }
    }
    for (name, case) in cases("transcript") {
        let (input, output) = (&case["input"], &case["output"]);
        let secrets: Vec<[u8; 32]> = list(&input["ephemeral_secrets"], fixed);
        for (mask, expected) in input["masks"].as_array().unwrap().iter().zip(output["masks"].as_array().unwrap()) {
            let number = |name: &str| mask[name].as_u64().unwrap() as u32;
            let ranks = list(&mask["ranks"], |r| r.as_u64().unwrap() as usize);
            let peer = keys::public(&secrets[ranks[1]]);
            let pair = keys::Pair::new(&fixed(&output["transcript"]), &secrets[ranks[0]], &peer);
            let ranks = (ranks[0] as u16, ranks[1] as u16);
            let key = pair.mask_key(ranks, number("stage"), number("round"), number("use") as u16);
            assert_eq!(hex::encode(key), expected.as_str().unwrap(), "{name}");
        }
    }
}

#[test]
fn residuals_and_gradients() {
    for (name, case) in cases("vlr_residual") {
        let (input, output) = (&case["input"], &case["output"]);
        let sine = vlr::sine(input["sine_set"].as_u64().unwrap() as u16).unwrap();
        let masks: Vec<i128> = list(&input["masks"], integer);
        let t = sine.ring().t() as i128;
        for (i, terms) in input["terms"].as_array().unwrap().iter().enumerate() {
            let product: i128 = list(terms, |pair| integer(&pair[0]) * integer(&pair[1])).iter().sum();
            let y = (product + masks[i]).rem_euclid(t);
            assert_eq!(y, integer(&output["y"][i]), "{name}");
            let label = integer(&input["labels"][i]);
            let share = ((y >> sine.f_x) as u64).wrapping_sub(((2 * label - 1) << 19) as u64);
            let one = (masks[i] >> sine.f_x) as u64;
            let found = (share, one, share.wrapping_sub(one) as i64);
            let expected = (integer(&output["y2"][i]) as u64, integer(&output["r1"][i]) as u64);
            assert_eq!(found, (expected.0, expected.1, integer(&output["residual"][i]) as i64), "{name}");
        }
    }
    for (name, case) in cases("vlr_gradient").into_iter().filter(|(_, case)| case.get("error").is_none()) {
        let (input, output) = (&case["input"], &case["output"]);
        let (column, masks) = (drawn(&input["column"]), words(&input["masks"]));
        for (at, share) in ["y2", "r1"].iter().enumerate() {
            let share = drawn(&input[*share]);
            let inner =
                column.iter().zip(&share).fold(0u64, |s, (x, y)| s.wrapping_add((*x as u64).wrapping_mul(*y as u64)));
            assert_eq!(inner, integer(&output["own_halves"][at]) as u64, "{name}");
            let opened = inner.wrapping_add(masks[at]) >> vlr::DROPPED;
            assert_eq!(opened, integer(&output["opened"][at]) as u64, "{name}");
            let half = opened.wrapping_sub(masks[at] >> vlr::DROPPED) & ((1 << 38) - 1);
            assert_eq!(half, integer(&output["halves"][at]) as u64, "{name}");
        }
        let opened = words(&output["opened"]);
        assert_eq!(hex::encode(vlr::from_words(&opened)), output["opened_payload"].as_str().unwrap(), "{name}");
    }
}

fn form(value: &Value) -> (String, u64, u64, Vec<u64>) {
    let number = |name: &str| value[name].as_u64().unwrap();
    (value["name"].as_str().unwrap().into(), number("codec"), number("scale"), words(&value["shape"]))
}

fn form_of(tensor: &Tensor) -> (String, u64, u64, Vec<u64>) {
    let shape = tensor.shape.iter().map(|d| u64::from(*d)).collect();
    (tensor.name.clone(), tensor.codec.into(), tensor.scale.into(), shape)
}

#[test]
fn envelopes() {
    for (name, case) in cases("envelope") {
        let input = &case["input"];
        let expected: Vec<_> = input["expected"].as_array().unwrap().iter().collect();
        if expected.iter().any(|form| form["codec"].as_u64().unwrap() > 3) {
            // Codecs of aggregation, which training does not have.
            continue;
        }
        let round = input["round"].as_u64().unwrap() as u32;
        let expected: Vec<_> = expected.into_iter().map(form).collect();
        let read = vlr::read_envelope(&bytes(&input["envelope"])).and_then(|(stated, tensors)| {
            if tensors.iter().map(form_of).collect::<Vec<_>>() != expected {
                return Err("SHAPE_MISMATCH");
            }
            if stated == round { Ok(tensors) } else { Err("STALE_ROUND") }
        });
        match case["error"].as_str() {
            Some(error) => assert_eq!(read.unwrap_err(), error, "{name}"),
            None => assert_eq!(vlr::envelope(round, &read.unwrap()), bytes(&input["envelope"]), "{name}"),
        }
    }
}

#[test]
fn scalars_and_steps() {
    for (name, case) in cases("vlr_scalars").into_iter().filter(|(_, case)| case.get("error").is_none()) {
        let (input, output) = (&case["input"], &case["output"]);
        let number = |name: &str| input[name].as_u64().unwrap();
        let mut gram = list(&input["values"], |v| (real(v) * vlr::SCALAR).round() as i64 as u64);
        assert_eq!(gram.len(), vlr::scalar_count(number("evaluation") as usize), "{name}");
        assert_eq!(gram.iter().map(|v| i128::from(*v as i64)).collect::<Vec<_>>(), list(&output["quantised"], integer));
        for (other, key) in input["mask_keys"].as_object().unwrap() {
            vlr::mask(&mut gram, &fixed(key), number("rank") > other.parse().unwrap());
        }
        assert_eq!(gram, words(&output["masked"]), "{name}");
        let payload = vlr::scalars(number("round") as u32, number("flags") as u32, gram.clone());
        assert_eq!(payload, bytes(&output["payload"]), "{name}");
        let read = vlr::read_scalars(&payload, number("round") as u32, number("evaluation") as usize).unwrap();
        assert_eq!(read, (number("flags") as u32, gram), "{name}");
    }
    for (name, case) in cases("vlr_step").into_iter().filter(|(_, case)| case.get("error").is_none()) {
        let (input, output) = (&case["input"], &case["output"]);
        let (points, gradients) = (list(&output["points"], real), list(&output["gradients"], real));
        let payload = vlr::step(input["round"].as_u64().unwrap() as u32, &points, &gradients);
        assert_eq!(payload, bytes(&input["payload"]), "{name}");
    }
}

#[test]
fn short_messages_and_lengths() {
    for (name, case) in cases("message") {
        let payload = bytes(&case["input"]["payload"]);
        let count = case["input"]["count"].as_u64().unwrap_or_default() as usize;
        let read = match case["input"]["type"].as_str().unwrap() {
            "TRAIN_SHAPE" | "BOUND" | "TRAIN_DONE" => vlr::read_u32(&payload).is_some(),
            "EVAL" => vlr::read_u16(&payload).is_some(),
            "TRAIN_PLAN" => vlr::read_plan(&payload).is_some_and(|plan| plan.3.is_finite()),
            "SHARE" | "OPENED" => vlr::read_words(&payload, count).is_some(),
            _ => continue,
        };
        assert_eq!(read, case.get("error").is_none(), "{name}");
    }
    for (name, case) in cases("message_length") {
        let set = Set::named(case["input"]["set"].as_str().unwrap()).unwrap();
        for (message, length) in case["output"].as_object().unwrap() {
            let found = match message.as_str() {
                "BASIS_KEY" | "RESIDUAL_KEY" => set.key_bytes(),
                "BASIS" => 6 + 2 * set.ciphertext_bytes(),
                "RESIDUAL" => 4 + set.ciphertext_bytes(),
                _ => 4 + set.answer_bytes(),
            };
            assert_eq!(found as u64, length.as_u64().unwrap(), "{name} {message}");
        }
        assert_eq!(set.key_bytes() % PACKED, 0);
    }
}

#[test]
fn parts_of_scores() {
    for (name, case) in cases("score_part").into_iter().filter(|(_, case)| case.get("error").is_none()) {
        let (input, output) = (&case["input"], &case["output"]);
        for (at, part) in input["parts"].as_array().unwrap().iter().enumerate() {
            let mut values = list(&part["z"], |z| (real(z) * vlr::SCORE).round() as i64 as u64);
            for (other, key) in part["mask_keys"].as_object().unwrap() {
                vlr::mask(&mut values, &fixed(key), part["rank"].as_u64().unwrap() > other.parse().unwrap());
            }
            let payload = [0u32.to_be_bytes().as_slice(), &vlr::from_words(&values)].concat();
            assert_eq!(payload, bytes(&output["payloads"][at][0]), "{name}");
        }
    }
    for (name, case) in cases("score_batches") {
        let rows = case["input"]["rows"].as_u64().unwrap();
        let values: Vec<u64> = (0..rows).collect();
        let batches = values
            .chunks(65_536)
            .enumerate()
            .map(|(at, part)| [(at as u32 * 65_536).to_be_bytes().as_slice(), &vlr::from_words(part)].concat());
        let batches: Vec<Vec<u8>> = batches.collect();
        let expected = case["output"]["batches"].as_array().unwrap();
        assert_eq!(batches.len(), expected.len(), "{name}");
        assert!(batches.iter().zip(expected).all(|(batch, blob)| is_blob(batch, blob)), "{name}");
    }
}
