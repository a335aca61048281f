//! The code's error table is the registry's.
#![allow(clippy::unwrap_used, missing_docs)]
use hefu_core::{Code, registry};

#[test]
fn codes_and_texts_are_the_registry() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/registry/errors.json");
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let entries = json["errors"].as_array().unwrap();
    assert_eq!(entries.len(), Code::ALL.len());
    for (entry, code) in entries.iter().zip(Code::ALL) {
        assert_eq!(entry["code"], u64::from(code.number()));
        assert_eq!(entry["name"], code.name());
        assert_eq!(entry["retry"], code.retry().as_str());
        assert_eq!(entry["scope"], code.scope().as_str());
        let text = registry::entry(*code);
        assert_eq!(entry["cause"]["en"], text.cause.en);
        assert_eq!(entry["cause"]["zh"], text.cause.zh);
        assert_eq!(entry["next"]["en"], text.next.en);
        assert_eq!(entry["next"]["zh"], text.next.zh);
        assert_eq!(Code::from_number(u32::from(code.number())), Some(*code));
    }
}
