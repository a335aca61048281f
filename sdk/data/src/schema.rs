//! The schema of a dataset: what other parties may know of its columns before a job.
use crate::{Error, KeyFormat, Layout, Table};
use hefu_core::Missing;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A JSON Schema (2020-12) of one row. The text is fixed once made: its digest is over exactly these bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    text: String,
}

impl Schema {
    /// The schema that a file without one gets: the key, the label if any, and every feature a number.
    ///
    /// Columns come in the table's order. `x-hefu-role` is `key`, `label` or `feature`; `x-hefu-format` is the key's.
    pub fn infer(table: &Table, layout: &Layout) -> Schema {
        let format = match layout.format {
            KeyFormat::Text => "text",
            KeyFormat::Uscc => "uscc",
        };
        let key =
            json!({"type": "string", "minLength": 1, "maxLength": 128, "x-hefu-role": "key", "x-hefu-format": format});
        let number = match layout.missing {
            Missing::Error => json!("number"),
            Missing::Mean => json!(["number", "null"]),
        };
        let mut properties = Map::new();
        properties.insert(layout.key.clone(), key);
        if let Some(label) = &layout.label {
            properties.insert(label.clone(), json!({"enum": [0, 1], "x-hefu-role": "label"}));
        }
        for column in &table.columns {
            properties.insert(column.name.clone(), json!({"type": number, "x-hefu-role": "feature"}));
        }
        let required: Vec<&String> = properties.keys().collect();
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": layout.dataset,
            "type": "object",
            "required": required,
            "properties": properties,
        });
        Schema { text: format!("{schema:#}\n") }
    }

    /// A schema as it was stored or received.
    pub fn from_text(text: impl Into<String>) -> Schema {
        Schema { text: text.into() }
    }

    /// The document.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the document's bytes.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// The names of the features, in the document's order; `None` where the document is not of the form that
    /// [`infer`](Self::infer) gives.
    pub fn features(&self) -> Option<Vec<String>> {
        let schema: Value = serde_json::from_str(&self.text).ok()?;
        let properties = schema.get("properties")?.as_object()?;
        let is_feature = |v: &Value| v.get("x-hefu-role").and_then(Value::as_str) == Some("feature");
        Some(properties.iter().filter(|(_, v)| is_feature(v)).map(|(name, _)| name.clone()).collect())
    }

    /// Whether a table still has the columns of this schema, in its order.
    ///
    /// # Errors
    /// `MissingColumn` naming the first one that differs.
    pub fn check(&self, table: &Table, layout: &Layout) -> Result<(), Error> {
        for (i, name) in self.features().unwrap_or_default().iter().enumerate() {
            if table.columns.get(i).map(|c| &c.name) != Some(name) {
                let place =
                    hefu_core::Place { dataset: Some(layout.dataset.clone()), row: None, column: Some(name.clone()) };
                return Err(Error::MissingColumn(place));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Features, read};

    fn layout() -> Layout {
        Layout { label: Some("y".into()), format: KeyFormat::Uscc, ..Layout::new("loans", "uscc") }
    }

    #[test]
    fn inferred_schema_names_roles_in_order() {
        let table = read("uscc,b,y,a\n91440300YY00001320,1,0,2\n".as_bytes(), &layout()).unwrap();
        let schema = Schema::infer(&table, &layout());
        let json: Value = serde_json::from_str(schema.text()).unwrap();
        assert_eq!(json["required"], json!(["uscc", "y", "b", "a"]));
        assert_eq!(json["properties"]["uscc"]["x-hefu-format"], "uscc");
        assert_eq!(json["properties"]["y"], json!({"enum": [0, 1], "x-hefu-role": "label"}));
        assert_eq!(schema.features().unwrap(), ["b", "a"]);
        assert_eq!(schema.check(&table, &layout()), Ok(()));
        assert_eq!(Schema::from_text(schema.text()).digest(), schema.digest());
        assert!(!schema.text().contains("91440300YY00001320"));
    }

    #[test]
    fn a_file_that_lost_a_column_is_noticed() {
        let table = read("uscc,b,y,a\n91440300YY00001320,1,0,2\n".as_bytes(), &layout()).unwrap();
        let schema = Schema::infer(&table, &layout());
        let less = Layout { features: Features::Named(vec!["b".into()]), ..layout() };
        let table = read("uscc,b,y\n91440300YY00001320,1,0\n".as_bytes(), &less).unwrap();
        assert_eq!(schema.check(&table, &less).map_err(|e| e.place().column), Err(Some("a".to_owned())));
    }
}
