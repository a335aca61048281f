//! The vectors of key streams and key agreement; those of the group are beside its code, in `src/group.rs`.
#[path = "../../core/tests/vectors/case.rs"]
mod case;

use case::{Hex, decimals, each, hex};
use hefu_crypto::{Agreement, Stream};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Length {
    key: Hex,
    length: usize,
}

#[test]
fn key_streams() {
    each("stream", |Length { key, length }| {
        let mut bytes = vec![0; length];
        Stream::new(key.array()).fill(&mut bytes);
        let mut words = vec![0; length / 8];
        Stream::new(key.array()).fill_u64(&mut words);
        Ok(json!({ "bytes": hex(bytes), "u64": decimals(words) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    secret: Hex,
    public: Hex,
}

// clause: SESS-6
#[test]
fn agreements() {
    each("agreement", |Pair { secret, public }| {
        let shared = Agreement::new(secret.array()).agree(&public.array()).map_err(|e| e.code())?;
        Ok(json!({ "shared": hex(shared) }))
    });
}
