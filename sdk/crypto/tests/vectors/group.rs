//! The vectors of hash to group, with the bytes in between.
use super::{Blinder, Expander, hash_to_group};
use crate::case::{Hex, each_without, hex};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    key: Hex,
    suite: u16,
    rank: u16,
    transcript: Hex,
}

/// The protocol crate makes the tag and answers for `dst`; here it is written out.
#[test]
fn hash_to_group_vectors() {
    each_without("hash_to_group", &["dst"], |Key { key, suite, rank, transcript }| {
        let tag = [b"hefu/1 align ".as_slice(), &suite.to_be_bytes(), &rank.to_be_bytes(), &transcript.0].concat();
        Ok(json!({ "uniform": hex(Expander::new(&tag).expand(&key.0)), "element": hex(hash_to_group(&tag, &key.0)) }))
    });
}

#[test]
fn a_given_scalar_is_below_the_order_and_not_zero() {
    let order = Hex::try_from("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010".to_owned()).unwrap();
    assert!(Blinder::dangerous_from_scalar(&order.array()).is_err());
    assert!(Blinder::dangerous_from_scalar(&[0; 32]).is_err());
    let mut one = [0; 32];
    one[0] = 1;
    let element = hash_to_group(b"tag", b"key");
    assert_eq!(Blinder::dangerous_from_scalar(&one).unwrap().blind(&element), Ok(vec![element]));
}
