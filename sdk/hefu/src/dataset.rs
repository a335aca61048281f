//! Rows to publish at one's own node.
use crate::{Error, Result};
use hefu_core::{Code, Missing, Place};
use std::path::{Path, PathBuf};

/// How keys are read (spec/align.md, section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum KeyFormat {
    /// Any text, trimmed, case kept.
    #[default]
    Text,
    /// Unified social credit codes: normalised, check character verified.
    Uscc,
}

impl KeyFormat {
    /// The word on the command line and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyFormat::Text => "text",
            KeyFormat::Uscc => "uscc",
        }
    }
}

/// A CSV file and what its columns mean. The node reads it; rows leave neither the node nor its machine.
#[derive(Debug, Clone)]
pub struct Dataset {
    path: PathBuf,
    name: String,
    key: String,
    label: String,
    key_format: KeyFormat,
    missing: Missing,
}

impl Dataset {
    /// A CSV file with a header line, named like the file without its extension; what cannot stand in a name becomes
    /// `-`.
    ///
    /// # Errors
    /// `Misuse` with `BAD_FILE` where the file cannot be opened.
    pub fn csv(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let place = || Place { dataset: Some(path.display().to_string()), ..Place::default() };
        let absolute = std::fs::canonicalize(path)
            .and_then(|absolute| std::fs::File::open(&absolute).map(|_| absolute))
            .map_err(|e| Error::misuse(Code::BadFile, format!("The file cannot be opened: {e}.")).at(place()))?;
        let name = word(&path.file_stem().unwrap_or_default().to_string_lossy());
        Ok(Dataset {
            path: absolute,
            name,
            key: "key".to_owned(),
            label: String::new(),
            key_format: KeyFormat::Text,
            missing: Missing::Error,
        })
    }

    /// Names the key column; `key` unless given.
    pub fn key(mut self, column: impl Into<String>) -> Self {
        self.key = column.into();
        self
    }

    /// Names the label column: 0 or 1 in every row.
    pub fn label(mut self, column: impl Into<String>) -> Self {
        self.label = column.into();
        self
    }

    /// Publishes under another name than the file's.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How keys are read; as text unless given.
    pub fn key_format(mut self, format: KeyFormat) -> Self {
        self.key_format = format;
        self
    }

    /// What an empty feature cell means; an error unless given.
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }

    pub(crate) fn into_request(self) -> hefu_proto::control::PublishDatasetRequest {
        hefu_proto::control::PublishDatasetRequest {
            name: self.name,
            path: self.path.to_string_lossy().into_owned(),
            key: self.key,
            label: self.label,
            key_format: self.key_format.as_str().to_owned(),
            missing: self.missing.as_str().to_owned(),
            ..Default::default()
        }
    }
}

/// A dataset name out of any text: 1 to 64 letters, digits, `-` and `_`.
fn word(text: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let word: String = text.chars().map(letter).take(64).collect();
    if word.is_empty() { "dataset".to_owned() } else { word }
}

/// A dataset that the node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The name that jobs cite.
    pub name: String,
    /// Rows with a valid key, first occurrences.
    pub rows: u64,
    /// Rows left out because their key came before.
    pub duplicate: u64,
    /// Rows left out because their key is not valid.
    pub invalid: u64,
    /// Feature columns, in file order.
    pub columns: Vec<String>,
    /// The key column.
    pub key: String,
    /// The label column, if there is one.
    pub label: Option<String>,
    /// Hex digest of the schema.
    pub schema: String,
}

impl From<hefu_proto::control::Dataset> for Published {
    fn from(d: hefu_proto::control::Dataset) -> Self {
        Published {
            name: d.name,
            rows: d.rows,
            duplicate: d.duplicate,
            invalid: d.invalid,
            columns: d.columns,
            key: d.key,
            label: Some(d.label).filter(|label| !label.is_empty()),
            schema: d.schema,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_told_at_once() {
        let error = Dataset::csv("no-such.csv").unwrap_err();
        assert_eq!(error.code(), Code::BadFile);
        assert_eq!(error.place().dataset.as_deref(), Some("no-such.csv"));
    }

    #[test]
    fn a_name_is_a_word() {
        assert_eq!(
            (word("loans 2026.v1"), word(""), word("贷款")),
            ("loans-2026-v1".into(), "dataset".into(), "--".into())
        );
    }

    #[test]
    fn the_request_carries_every_choice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loans.csv");
        std::fs::write(&path, "uscc,bad\n").unwrap();
        let dataset = Dataset::csv(&path).unwrap().key("uscc").label("bad").key_format(KeyFormat::Uscc);
        let request = dataset.missing(Missing::Mean).into_request();
        assert_eq!((request.name.as_str(), request.key.as_str(), request.label.as_str()), ("loans", "uscc", "bad"));
        assert_eq!((request.key_format.as_str(), request.missing.as_str()), ("uscc", "mean"));
        assert!(Path::new(&request.path).is_absolute());
    }
}
