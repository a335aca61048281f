//! Judging a line of JSON without building a document of it.
use super::judge::{Cell, Rule};
use super::{RowSchema, Tally};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A line that is not one JSON object.
pub(super) struct Broken {
    /// Whether the line ends too early.
    pub(super) is_cut: bool,
}

/// Judges one line; `seen` is working space.
///
/// # Errors
/// `Broken`; what was counted of the line until then stays.
pub(super) fn judge(line: &str, schema: &RowSchema, seen: &mut Vec<bool>, tally: &mut Tally<'_>) -> Result<(), Broken> {
    seen.clear();
    seen.resize(schema.columns.len(), false);
    let mut json = serde_json::Deserializer::from_str(line);
    let row = Row { schema, seen, tally };
    let done = row.deserialize(&mut json).and_then(|()| json.end());
    done.map_err(|e| Broken { is_cut: e.is_eof() })?;
    for (column, seen) in seen.iter().enumerate() {
        if !seen && schema.required[column] {
            tally.add(Some(column), Rule::Required);
        }
    }
    Ok(())
}

struct Row<'s, 't, 'c> {
    schema: &'s RowSchema,
    seen: &'t mut Vec<bool>,
    tally: &'t mut Tally<'c>,
}

impl<'de> DeserializeSeed<'de> for Row<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Row<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Cell::Text(name)) = map.next_key_seed(Value)? {
            let Some(column) = self.schema.place_of(&name) else {
                map.next_value::<IgnoredAny>()?;
                if !self.schema.additional {
                    self.tally.add(None, Rule::AdditionalProperties);
                }
                continue;
            };
            let cell = map.next_value_seed(Value)?;
            if std::mem::replace(&mut self.seen[column], true) {
                self.tally.add(Some(column), Rule::Duplicate);
            } else if let Some(rule) = self.schema.columns[column].judge(&cell) {
                self.tally.add(Some(column), rule);
            }
        }
        Ok(())
    }
}

/// Any JSON value; what is inside arrays and objects is read and dropped.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Cell<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Cell<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Cell::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Cell::Number(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Cell::Number(value as f64))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        if value.is_finite() { Ok(Cell::Number(value)) } else { Err(E::custom("out of range")) }
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Cell::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cell::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested)
    }
}
