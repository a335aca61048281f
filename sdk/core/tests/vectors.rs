//! The vectors of party ids.
#[path = "vectors/case.rs"]
mod case;

use case::each;
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
