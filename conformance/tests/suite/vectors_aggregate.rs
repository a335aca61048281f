//! The vectors of aggregation, read by the suite's own codec.

use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::SigningKey;
use hefu_conformance::wire::aggregate::{self, Form};
use hefu_conformance::wire::aggregate_secret::{self as secret, Deal};
use hefu_conformance::wire::{group, keys, vlr};
use serde_json::Value;

use crate::vectors::{bytes, cases, fixed};

fn scalars(value: &Value) -> Vec<Scalar> {
    value.as_array().unwrap().iter().map(|c| group::scalar_from(&fixed(c)).unwrap()).collect()
}

fn forms(value: &Value) -> Vec<Form> {
    serde_json::from_value(value.clone()).unwrap()
}

fn real(value: &Value) -> f64 {
    let text = value.as_str().unwrap();
    if text.len() == 16 { f64::from_bits(u64::from_str_radix(text, 16).unwrap()) } else { text.parse().unwrap() }
}

#[test]
fn keys_of_a_pair_and_of_a_self_mask() {
    for (name, case) in cases("aggregate_keys") {
        let (input, output) = (&case["input"], &case["output"]);
        let ranks = [0, 1].map(|i| input["ranks"][i].as_u64().unwrap() as u16);
        let transcript = fixed(&input["transcript"]);
        let secrets = |of: &str| [0, 1].map(|i| fixed::<32>(&input[of][i]));
        let (ephemeral, mask) = (secrets("ephemeral_secrets"), secrets("mask_secrets"));
        for i in [0, 1] {
            assert_eq!(keys::public(&mask[i]), fixed(&output["mask_keys"][i]), "{name}");
            let pair = keys::Pair::new(&transcript, &ephemeral[i], &keys::public(&ephemeral[1 - i]));
            assert_eq!(pair.share_key(ranks[0], ranks[1]), fixed(&output["share_keys"][0]), "{name}");
            assert_eq!(pair.share_key(ranks[1], ranks[0]), fixed(&output["share_keys"][1]), "{name}");
            let masks = keys::Pair::new(&transcript, &mask[i], &keys::public(&mask[1 - i]));
            let order = (ranks[0].min(ranks[1]), ranks[0].max(ranks[1]));
            assert_eq!(masks.pair_mask(order), fixed(&output["pair_mask"]), "{name}");
        }
        assert_eq!(secret::self_mask_key(&fixed(&input["self_mask"])), fixed(&output["self_mask"]), "{name}");
    }
}

#[test]
fn shares_dealt_and_rebuilt() {
    for (name, case) in cases("aggregate_shares") {
        let (input, output) = (&case["input"], &case["output"]);
        let rank = input["rank"].as_u64().unwrap() as u16;
        let transcript = fixed(&input["transcript"]);
        let deal = Deal::new(rank, scalars(&input["self_mask"]), scalars(&input["mask"]));
        for share in output["shares"].as_array().unwrap() {
            let found = deal.shares(share["rank"].as_u64().unwrap() as u16);
            assert_eq!(found, [fixed(&share["self_mask"]), fixed(&share["mask"])], "{name}");
        }
        let signing = SigningKey::from_bytes(&fixed(&input["signing_seed"]));
        let entries: Vec<_> = (input["holders"].as_array().unwrap().iter())
            .map(|holder| {
                let to = holder["rank"].as_u64().unwrap() as u16;
                let pair =
                    keys::Pair::new(&transcript, &fixed(&input["ephemeral_secret"]), &fixed(&holder["ephemeral"]));
                let key = pair.share_key(rank, to);
                let entry = deal.entry(&transcript, to, &key, &signing);
                assert_eq!(secret::open(&entry, &key), Some(deal.shares(to)), "{name}");
                entry
            })
            .collect();
        let own = secret::commitment(secret::SELF_MASK, (rank, rank), &deal.shares(rank)[0]);
        let payload = aggregate::shares(&deal.commitment(&transcript), &own, &entries);
        assert_eq!(payload, bytes(&output["payload"]), "{name}");
        assert_eq!(aggregate::read_shares(&payload).unwrap().2, entries, "{name}");
    }
    for (name, case) in cases("aggregate_rebuild") {
        let shares: Vec<_> = (case["input"]["shares"].as_array().unwrap().iter())
            .map(|s| (s["rank"].as_u64().unwrap() as u16, fixed(&s["share"])))
            .collect();
        assert_eq!(secret::rebuild(&shares).unwrap(), fixed(&case["output"]["secret"]), "{name}");
    }
}

#[test]
fn values_and_their_sums() {
    for (name, case) in cases("aggregate_encode").into_iter().filter(|(_, case)| case.get("error").is_none()) {
        let (input, output) = (&case["input"], &case["output"]);
        let participants = input["participants"].as_u64().unwrap() as usize;
        let form = Form::new("x", input["codec"].as_str().unwrap(), input["clip"].as_u64().unwrap() as u8, &[]);
        assert_eq!(u64::from(form.scale(participants)), output["scale"].as_u64().unwrap(), "{name}");
        for (values, elements) in input["values"].as_array().unwrap().iter().zip(output["elements"].as_array().unwrap())
        {
            let found: Vec<String> = (values.as_array().unwrap().iter())
                .flat_map(|v| form.encode(participants, real(v)))
                .map(|word| word.to_string())
                .collect();
            let expected: Vec<&str> = elements.as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[test]
fn masked_values() {
    for (name, case) in cases("aggregate_mask") {
        let input = &case["input"];
        let number = |member: &str| input[member].as_u64().unwrap();
        let (forms, participants) = (forms(&input["tensors"]), number("participants") as usize);
        let mut elements: Vec<u64> = Vec::new();
        for (form, values) in forms.iter().zip(input["values"].as_array().unwrap()) {
            elements.extend(values.as_array().unwrap().iter().flat_map(|v| form.encode(participants, real(v))));
        }
        vlr::mask(&mut elements, &secret::self_mask_key(&fixed(&input["self_mask"])), false);
        for mask in input["pair_masks"].as_array().unwrap() {
            let other = mask["rank"].as_u64().unwrap();
            vlr::mask(&mut elements, &fixed(&mask["key"]), number("rank") > other);
        }
        let round = number("round") as u32;
        let payload = aggregate::masked(round, participants, &forms, &elements);
        assert_eq!(payload, bytes(&case["output"]["payload"]), "{name}");
        assert_eq!(aggregate::read_masked(&payload, round, participants, &forms).unwrap(), elements, "{name}");
    }
}
