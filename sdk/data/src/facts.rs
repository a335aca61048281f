//! What a schema says of its table beside the rules of its cells: roles, grain, features, level.
use crate::{KeyFormat, Schema};
use serde_json::Value;

/// The grain of a table that may enter a joint job: one row an enterprise.
pub const ENTERPRISE: &str = "enterprise";

/// What a column is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number, or a text that is a decimal.
    Number,
    /// True or false, read as 1 or 0.
    Truth,
    /// Anything else: no feature.
    Other,
}

/// What a schema says of its table; by annotations (`x-…`) that bind no cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The table of the dictionary, where it is one (`x-table`).
    pub table: Option<String>,
    /// The key's column: the one of role `key`, else the first of `x-grain.key`.
    pub key: Option<String>,
    /// What the key is, where the schema says so by `format` or `x-hefu-format`.
    pub key_format: Option<KeyFormat>,
    /// The label's column: the one of role `label`.
    pub label: Option<String>,
    /// What one row stands for: `x-grain.name`, or the columns of `x-grain.key`; [`ENTERPRISE`] where there are none
    /// but the key.
    pub grain: String,
    /// Features to derive from the table, one row an enterprise (`x-derived`).
    pub derived: Vec<String>,
    /// Columns in the schema's order.
    pub columns: Vec<ColumnFacts>,
}

/// What a schema says of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// What it is read as.
    pub kind: Kind,
    /// Whether it may enter a job: by its role (`x-hefu-role`), else by its kind.
    pub is_feature: bool,
    /// Sensitivity, 1 to 5 (`x-level`).
    pub level: Option<u8>,
}

impl Schema {
    /// What the schema says of its table; `None` where it is not of a table's form.
    pub fn facts(&self) -> Option<Facts> {
        let document: Value = serde_json::from_str(self.text()).ok()?;
        let properties = document.get("properties")?.as_object()?;
        let of_role = |role: &str| {
            let mut found = properties.iter().filter(|(_, part)| word(part, "x-hefu-role") == Some(role));
            found.next().map(|(name, _)| name.clone())
        };
        let grain = document.get("x-grain");
        let grain_key = names(grain.and_then(|grain| grain.get("key")));
        let key = of_role("key").or_else(|| grain_key.first().cloned());
        let format = key.as_ref().and_then(|key| properties.get(key)).and_then(key_format);
        let named = grain.and_then(|grain| word(grain, "name")).map(str::to_owned);
        Some(Facts {
            table: word(&document, "x-table").map(str::to_owned),
            key_format: format,
            label: of_role("label"),
            grain: named.unwrap_or_else(|| grain_of(&grain_key, key.as_deref())),
            derived: names(document.get("x-derived")),
            columns: properties.iter().map(|(name, part)| column(name, resolve(&document, part))).collect(),
            key,
        })
    }
}

impl Facts {
    /// Names of the features of a table with this key and label.
    pub fn features<'a>(&'a self, key: &'a str, label: Option<&'a str>) -> impl Iterator<Item = &'a ColumnFacts> {
        self.columns.iter().filter(move |c| c.is_feature && c.name != key && Some(c.name.as_str()) != label)
    }

    /// The highest level of these columns; `None` where the schema gives none.
    pub fn level<'a>(&self, of: impl IntoIterator<Item = &'a str>) -> Option<u8> {
        let of: Vec<&str> = of.into_iter().collect();
        self.columns.iter().filter(|c| of.contains(&c.name.as_str())).filter_map(|c| c.level).max()
    }
}

fn word<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str)
}

fn names(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The grain of a table whose schema does not name it.
fn grain_of(grain_key: &[String], key: Option<&str>) -> String {
    match grain_key.iter().all(|column| Some(column.as_str()) == key) {
        true => ENTERPRISE.to_owned(),
        false => grain_key.join("-"),
    }
}

fn key_format(part: &Value) -> Option<KeyFormat> {
    match word(part, "x-hefu-format").or_else(|| word(part, "format")) {
        Some("uscc") => Some(KeyFormat::Uscc),
        Some("text") => Some(KeyFormat::Text),
        _ => None,
    }
}

/// The part that a local reference leads to, one step: what a compiled schema has followed already.
fn resolve<'a>(document: &'a Value, part: &'a Value) -> &'a Value {
    let pointer = word(part, "$ref").and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(part)
}

fn column(name: &str, part: &Value) -> ColumnFacts {
    let mut types = names(part.get("type"));
    types.extend(word(part, "type").map(str::to_owned));
    types.retain(|name| name != "null");
    let is_decimal = word(part, "format").is_some_and(|format| format.starts_with("decimal("));
    let kind = match types.as_slice() {
        [one] if one == "number" || one == "integer" || one == "string" && is_decimal => Kind::Number,
        [one] if one == "boolean" => Kind::Truth,
        [] if is_zero_or_one(part) => Kind::Number,
        _ => Kind::Other,
    };
    let is_feature = match word(part, "x-hefu-role") {
        Some(role) => role == "feature",
        None => kind != Kind::Other,
    };
    let level = part.get("x-level").and_then(Value::as_u64).and_then(|level| u8::try_from(level).ok());
    ColumnFacts { name: name.to_owned(), kind, is_feature, level }
}

/// An enumeration of numbers, as labels are written.
fn is_zero_or_one(part: &Value) -> bool {
    part.get("enum").and_then(Value::as_array).is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_number))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dictionary;

    fn facts(table: &str) -> Facts {
        Schema::from_text(dictionary::table(table).unwrap().schema).facts().unwrap()
    }

    #[test]
    fn the_dictionary_says_which_tables_have_one_row_an_enterprise() {
        let of_enterprises: Vec<_> =
            dictionary::TABLES.iter().map(|t| t.name).filter(|name| facts(name).grain == ENTERPRISE).collect();
        assert_eq!(of_enterprises, ["biz_registration"]);
        assert_eq!(facts("si_contribution_month").grain, "enterprise-month-type");
        for table in dictionary::TABLES {
            assert!(!facts(table.name).derived.is_empty(), "{}", table.name);
        }
        assert!(facts("si_contribution_month").derived.contains(&"si_months_continuous".to_owned()));
    }

    #[test]
    fn features_are_numbers_decimals_and_truths() {
        let facts = facts("biz_registration");
        assert_eq!((facts.key.as_deref(), facts.key_format), (Some("uscc"), Some(KeyFormat::Uscc)));
        let features: Vec<_> = facts.features("uscc", None).map(|c| (c.name.as_str(), c.kind)).collect();
        let expected = [
            ("reg_capital", Kind::Number),
            ("paid_capital", Kind::Number),
            ("change_count_24m", Kind::Number),
            ("abnormal_list_flag", Kind::Truth),
        ];
        assert_eq!(features, expected);
        assert_eq!(facts.level(["uscc", "change_count_24m"]), Some(2));
    }

    #[test]
    fn a_grain_without_a_name_is_that_of_its_columns() {
        let text = r#"{"x-grain":{"key":["id","month"]},"properties":{"id":{},"month":{},"x":{"type":"number"}}}"#;
        let facts = Schema::from_text(text).facts().unwrap();
        assert_eq!((facts.grain.as_str(), facts.key.as_deref()), ("id-month", Some("id")));
        let bare = Schema::from_text(r#"{"properties":{"id":{"x-hefu-role":"key"},"y":{"x-hefu-role":"label"}}}"#);
        let bare = bare.facts().unwrap();
        assert_eq!((bare.grain.as_str(), bare.label.as_deref()), (ENTERPRISE, Some("y")));
    }
}
