//! The vectors of keys: their normal form, and the side of the split.
#[path = "../../core/tests/vectors/case.rs"]
mod case;

use case::{Hex, each, hex};
use hefu_data::{KeyFormat, is_test_row, normalise_key};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    cell: Hex,
    format: KeyFormat,
}

/// A cell that is no UTF-8 is no text, so it never gets as far as `normalise_key`: a file with one is refused as a
/// whole.
#[test]
fn keys() {
    each("key", |Cell { cell, format }| {
        let key = String::from_utf8(cell.0).ok().and_then(|text| normalise_key(&text, format));
        Ok(json!({ "key": key.as_ref().map(hex), "test_row": key.as_deref().map(is_test_row) }))
    });
}
