//! Rows to publish at one's own node.
use crate::{Error, Result};
use hefu_core::{Code, Missing, Place, Purpose};
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

/// A file of rows and what its columns mean. The node reads it; rows leave neither the node nor its machine.
///
/// ```no_run
/// # async fn f(tax: hefu::Node) -> hefu::Result<()> {
/// use hefu::{Dataset, Purpose};
/// let schema = std::fs::read_to_string("tax-features.schema.json").unwrap_or_default();
/// let features = Dataset::ndjson("tax-features.ndjson")?.name("tax-2026").schema(schema);
/// let features = features.steward("Data office, ext. 4711").purpose(Purpose::Origination).period("202501-202512");
/// let published = tax.publish(features).await?;
/// println!("{} rows, schema {}", published.rows, published.schema);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Dataset {
    path: PathBuf,
    name: String,
    key: Option<String>,
    label: String,
    key_format: Option<KeyFormat>,
    missing: Missing,
    is_ndjson: bool,
    schema: String,
    steward: String,
    purposes: Vec<Purpose>,
    period: String,
    sensitivity: u8,
}

impl Dataset {
    /// A CSV file with a header line, named like the file without its extension; what cannot stand in a name becomes
    /// `-`.
    ///
    /// # Errors
    /// `Misuse` with `BAD_FILE` where the file cannot be opened.
    pub fn csv(path: impl AsRef<Path>) -> Result<Self> {
        Self::file(path.as_ref(), false)
    }

    /// A file of one JSON object a line, named like a CSV file; it needs a [`Dataset::schema`].
    ///
    /// # Errors
    /// `Misuse` with `BAD_FILE` where the file cannot be opened.
    pub fn ndjson(path: impl AsRef<Path>) -> Result<Self> {
        Self::file(path.as_ref(), true)
    }

    fn file(path: &Path, is_ndjson: bool) -> Result<Self> {
        let place = || Place { dataset: Some(path.display().to_string()), ..Place::default() };
        let absolute = std::fs::canonicalize(path)
            .and_then(|absolute| std::fs::File::open(&absolute).map(|_| absolute))
            .map_err(|e| Error::misuse(Code::BadFile, format!("The file cannot be opened: {e}.")).at(place()))?;
        let name = word(&path.file_stem().unwrap_or_default().to_string_lossy());
        Ok(Dataset {
            path: absolute,
            name,
            key: None,
            label: String::new(),
            key_format: None,
            missing: Missing::Error,
            is_ndjson,
            schema: String::new(),
            steward: String::new(),
            purposes: Vec::new(),
            period: String::new(),
            sensitivity: 0,
        })
    }

    /// A JSON Schema (2020-12) of one row. Every row is checked against it; its digest is what jobs cite. Without one,
    /// a schema is inferred: every column but key and label a number.
    pub fn schema(mut self, text: impl Into<String>) -> Self {
        self.schema = text.into();
        self
    }

    /// Who answers for the dataset, for people.
    pub fn steward(mut self, name: impl Into<String>) -> Self {
        self.steward = name.into();
        self
    }

    /// A purpose that the dataset serves; once for each. Where none is given, the allow entries decide alone.
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        self.purposes.push(purpose);
        self
    }

    /// Months that the rows cover: `YYYYMM` or `YYYYMM-YYYYMM`.
    pub fn period(mut self, months: impl Into<String>) -> Self {
        self.period = months.into();
        self
    }

    /// Sensitivity, 1 to 5; the highest level of the schema's columns unless given.
    pub fn sensitivity(mut self, level: u8) -> Self {
        self.sensitivity = level;
        self
    }

    /// Names the key column; the schema's, or `key`, unless given.
    pub fn key(mut self, column: impl Into<String>) -> Self {
        self.key = Some(column.into());
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

    /// How keys are read; as the schema says, or as text, unless given.
    pub fn key_format(mut self, format: KeyFormat) -> Self {
        self.key_format = Some(format);
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
            key: match (self.key, self.schema.is_empty()) {
                (Some(key), _) => key,
                (None, true) => "key".to_owned(),
                (None, false) => String::new(),
            },
            label: self.label,
            key_format: self.key_format.map(|format| format.as_str().to_owned()).unwrap_or_default(),
            missing: self.missing.as_str().to_owned(),
            encoding: if self.is_ndjson { "ndjson" } else { "csv" }.to_owned(),
            schema: self.schema.into_bytes(),
            steward: self.steward,
            purposes: self.purposes.iter().map(|purpose| purpose.as_str().to_owned()).collect(),
            period: self.period,
            sensitivity: u32::from(self.sensitivity),
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
    /// Hex digest of the schema's exact bytes.
    pub schema: String,
    /// What one row stands for; only `enterprise` enters jobs.
    pub grain: String,
    /// Who answers for the dataset.
    pub steward: String,
    /// Purposes that it serves; empty: those of the allow entries.
    pub purposes: Vec<String>,
    /// Months that its rows cover.
    pub period: String,
    /// Sensitivity, 1 to 5; 0 where not stated.
    pub sensitivity: u32,
    /// Microseconds since 1970.
    pub published_us: i64,
    /// Whether the schema was inferred from the file.
    pub inferred: bool,
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
            grain: d.grain,
            steward: d.steward,
            purposes: d.purposes,
            period: d.period,
            sensitivity: d.sensitivity,
            published_us: d.published_us,
            inferred: d.inferred,
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
        assert_eq!((request.encoding.as_str(), request.schema.len()), ("csv", 0));
        let described =
            Dataset::ndjson(&path).unwrap().schema("{}").steward("Office").period("2025").purpose(Purpose::Fraud);
        let request = described.sensitivity(3).into_request();
        assert_eq!((request.key.as_str(), request.key_format.as_str(), request.encoding.as_str()), ("", "", "ndjson"));
        assert_eq!((request.purposes, request.sensitivity), (vec!["fraud".to_owned()], 3));
    }
}
