//! The vectors of party ids.
#[path = "vectors/case.rs"]
mod case;

use case::{compare, each};
use hefu_core::{Code, PartyId};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
}

#[test]
fn party_ids() {
    each("party_id", |Text { text }| {
        let id = PartyId::parse(&text).map_err(|_| Code::BadPartyId)?;
        let (scheme, value) = id.as_str().split_once(':').unwrap();
        Ok(json!({ "scheme": scheme, "value": value }))
    });
}

/// The reader of cases finds what it is for.
#[test]
fn differences_are_found() {
    let expected = json!({ "a": [1, "2"], "b": { "sha256": "00", "length": 3 } });
    let found = json!({ "a": [1, "2"], "b": { "sha256": "00", "length": 3, "first": "ff" } });
    assert_eq!(compare("", &expected, &found, 0), Ok(()), "a digest may come with more");
    for (name, other) in [("a", json!([1])), ("a", json!([1, "3"])), ("a", json!(1)), ("c", json!(1))] {
        let mut wrong = found.clone();
        wrong[name] = other;
        assert!(compare("", &expected, &wrong, 0).is_err(), "{wrong}");
    }
    assert!(compare("", &expected, &json!({ "a": [1, "2"] }), 0).is_err());
    assert!(compare("", &json!([1, "7"]), &json!([2, "6"]), 1).is_ok());
    assert!(compare("", &json!([1, "7"]), &json!([1, "5"]), 1).is_err());
}
