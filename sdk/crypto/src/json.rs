//! JSON objects of signed documents: no member name twice, at any depth (CONV-7).
use crate::Error;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Parses a JSON object.
///
/// # Errors
/// `MalformedDocument` for another text (CONV-10), and for an object that has a member name twice (CONV-7).
pub fn parse_object(text: &[u8]) -> Result<Map<String, Value>, Error> {
    match serde_json::from_slice(text) {
        Ok(Distinct(Value::Object(members))) => Ok(members),
        _ => Err(Error::MalformedDocument),
    }
}

/// Any JSON value; its parser refuses repeated member names.
struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistinctVisitor).map(Distinct)
    }
}

struct DistinctVisitor;

impl<'de> Visitor<'de> for DistinctVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated member names")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Distinct(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let Distinct(value) = map.next_value()?;
            if members.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a member name twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // clause: CONV-7, CONV-10
    #[test]
    fn objects_without_repeated_names_only() {
        let text = br#"{"a":[1,-2,0.5,null,true,"x",{}],"b":{"a":1}}"#;
        assert_eq!(Value::Object(parse_object(text).unwrap()), serde_json::from_slice::<Value>(text).unwrap());
        for bad in [&br#"{"a":1,"a":1}"#[..], br#"{"a":[{"b":1,"b":2}]}"#, b"[]", b"{} {}", b"{", b"\"\xff\"", b""] {
            assert_eq!(parse_object(bad), Err(Error::MalformedDocument));
        }
    }
}
