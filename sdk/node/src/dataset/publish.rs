//! Publishing: a file and its schema become a dataset, or a refusal that names row and column and never a value.
use super::{Datasets, fault, format_word, parse_format};
use crate::store::{DatasetFacts, DatasetRecord};
use crate::{Error, config, files};
use hefu_core::{Code, Fault, Missing, Place, Purpose};
use hefu_data::check::{self, Encoding, RowSchema};
use hefu_data::facts::{ENTERPRISE, Facts, Kind};
use hefu_data::{Features, KeyFormat, Layout, Schema, Table};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// Bytes of a schema at most.
const MAX_SCHEMA: usize = 1 << 20;
/// Characters of a steward's name at most.
const MAX_STEWARD: usize = 200;

/// What to publish, in words.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    pub(crate) name: String,
    /// A file on this machine.
    pub(crate) path: PathBuf,
    /// Empty: the schema's.
    pub(crate) key: String,
    /// `None`: the schema's, if it has one.
    pub(crate) label: Option<String>,
    /// `None`: the schema's, or text.
    pub(crate) key_format: Option<KeyFormat>,
    pub(crate) missing: Missing,
    pub(crate) is_ndjson: bool,
    /// JSON Schema of one row; `None`: one is inferred.
    pub(crate) schema: Option<String>,
    pub(crate) steward: String,
    pub(crate) purposes: Vec<Purpose>,
    pub(crate) period: String,
    /// 0: the schema's.
    pub(crate) sensitivity: u8,
}

impl Publication {
    fn check(&self) -> Result<(), Error> {
        if !config::is_word(&self.name) {
            return Err(Error::configuration("name", "1 to 64 letters, digits, - and _ are expected"));
        }
        if !is_period(&self.period) {
            return Err(Error::configuration("period", "YYYYMM or YYYYMM-YYYYMM is expected, such as 202501-202512"));
        }
        if self.sensitivity > 5 {
            return Err(Error::configuration("sensitivity", "1 to 5 is expected"));
        }
        if self.steward.chars().count() > MAX_STEWARD || self.steward.chars().any(char::is_control) {
            return Err(Error::configuration("steward", format!("at most {MAX_STEWARD} characters, on one line")));
        }
        if self.schema.as_ref().is_some_and(|text| text.len() > MAX_SCHEMA) {
            return Err(Error::configuration("schema", "at most 1 MiB is expected"));
        }
        Ok(())
    }

    fn place(&self) -> Place {
        Place { dataset: Some(self.name.clone()), ..Place::default() }
    }

    fn encoding(&self) -> Encoding {
        if self.is_ndjson { Encoding::Ndjson } else { Encoding::Csv }
    }

    fn open(&self) -> Result<File, Error> {
        let unreadable = |e: std::io::Error| {
            Fault::because(Code::BadFile, format!("the file cannot be read ({})", e.kind())).at(self.place())
        };
        Ok(File::open(&self.path).map_err(unreadable)?)
    }

    fn layout(&self, key: &str, label: Option<&str>, format: KeyFormat) -> Layout {
        Layout {
            dataset: self.name.clone(),
            key: key.to_owned(),
            format,
            label: label.map(str::to_owned),
            features: Features::All,
            missing: self.missing,
        }
    }

    fn facts(&self, schema: &Schema) -> DatasetFacts {
        DatasetFacts {
            schema_text: schema.text().to_owned(),
            steward: self.steward.trim().to_owned(),
            purposes: self.purposes.clone(),
            period: self.period.clone(),
            sensitivity: self.sensitivity,
            published_us: crate::now_us(),
            ..DatasetFacts::default()
        }
    }
}

/// `YYYYMM`, `YYYYMM-YYYYMM` in order, or nothing.
fn is_period(text: &str) -> bool {
    let is_month = |text: &str| {
        let month = text.get(4..).and_then(|month| month.parse::<u8>().ok());
        text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) && month.is_some_and(|m| (1..=12).contains(&m))
    };
    match text.split_once('-') {
        None => text.is_empty() || is_month(text),
        Some((first, last)) => is_month(first) && is_month(last) && first <= last,
    }
}

/// A file that is removed unless it is kept.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Datasets {
    /// Checks and copies a file; answers what is remembered of it. Blocks.
    ///
    /// # Errors
    /// Those of `hefu-data`, with their place; `SCHEMA_VIOLATION` with the first row and column at fault (CAT-1);
    /// `CONFIGURATION` for a description that cannot be used; `TOO_MANY_ROWS`; `DISK`.
    pub(crate) fn publish(&self, publication: &Publication, max_rows: u32) -> Result<DatasetRecord, Error> {
        publication.check()?;
        let _one_at_a_time = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        match &publication.schema {
            Some(text) => self.by_schema(publication, text, max_rows),
            None => self.inferred(publication, max_rows),
        }
    }

    fn inferred(&self, publication: &Publication, max_rows: u32) -> Result<DatasetRecord, Error> {
        if publication.is_ndjson {
            return Err(Error::configuration("schema", "NDJSON needs one: types are not guessed"));
        }
        if publication.key.is_empty() {
            return Err(Error::configuration("key", "the key column is expected"));
        }
        let copy = self.partial(&format!("{}.csv", publication.name));
        self.copy(publication, &copy.0)?;
        let format = publication.key_format.unwrap_or_default();
        let layout = publication.layout(&publication.key, publication.label.as_deref(), format);
        let table = read_checked(&copy.0, &layout, max_rows)?;
        let schema = Schema::infer(&table, &layout);
        let record = record(publication, &layout, Some(&table), &schema);
        self.keep(&copy, &record)?;
        Ok(record)
    }

    fn by_schema(&self, publication: &Publication, text: &str, max_rows: u32) -> Result<DatasetRecord, Error> {
        let mut rules = RowSchema::compile(text, &publication.name).map_err(|e| Error::Fault(of_schema(&e)))?;
        let schema = Schema::from_text(text);
        let facts = schema.facts().ok_or(Error::Internal("a compiled schema has no columns"))?;
        let key = Some(publication.key.clone()).filter(|key| !key.is_empty()).or_else(|| facts.key.clone());
        let key = key.ok_or_else(|| Error::configuration("key", "neither the schema nor you name the key column"))?;
        let label = publication.label.clone().or_else(|| facts.label.clone());
        // Whether a key is valid is the key's own rule (spec/align.md, section 1): such rows are counted and left out.
        let missing = |column: &str| {
            let place = Place { column: Some(column.to_owned()), ..publication.place() };
            Error::Fault(Fault::because(Code::MissingColumn, "the schema has no such column").at(place))
        };
        if !rules.leave(&key) {
            return Err(missing(&key));
        }
        if let Some(label) = label.as_ref().filter(|label| !rules.columns().any(|column| column == *label)) {
            return Err(missing(label));
        }
        let format = publication.key_format.or(facts.key_format).unwrap_or_default();
        let layout = publication.layout(&key, label.as_deref(), format);
        let mut kept = if facts.grain == ENTERPRISE {
            self.table_by_schema(publication, &rules, &facts, &layout, max_rows, &schema)?
        } else {
            panel_by_schema(publication, &rules, &layout, &schema)?
        };
        kept.facts.grain.clone_from(&facts.grain);
        kept.facts.derived.clone_from(&facts.derived);
        kept.facts.inferred = false;
        if kept.facts.sensitivity == 0 {
            let told = kept.columns.iter().chain([&key]).chain(label.as_ref()).map(String::as_str);
            kept.facts.sensitivity = facts.level(told).unwrap_or(0);
        }
        // The record is complete only here: the file is in place, its description is not yet saved.
        Ok(kept)
    }

    /// A table of one row an enterprise: its rows are checked, and the columns that jobs can use are kept.
    fn table_by_schema(
        &self,
        publication: &Publication,
        rules: &RowSchema,
        facts: &Facts,
        layout: &Layout,
        max_rows: u32,
        schema: &Schema,
    ) -> Result<DatasetRecord, Error> {
        let copy = self.partial(&format!("{}.source", publication.name));
        self.copy(publication, &copy.0)?;
        check_rows(publication, rules, open_copy(&copy.0)?)?;
        let kept = self.partial(&format!("{}.csv", publication.name));
        let label = layout.label.as_deref();
        let wanted: Vec<(&str, Kind)> = std::iter::once((layout.key.as_str(), Kind::Other))
            .chain(label.map(|label| (label, kind_of(facts, label))))
            .chain(facts.features(&layout.key, label).map(|column| (column.name.as_str(), column.kind)))
            .collect();
        let sink = files::create_private(&kept.0).map_err(|e| Error::disk(&kept.0, e))?;
        let source = open_copy(&copy.0)?;
        hefu_data::project(source, publication.encoding(), &wanted, &publication.name, std::io::BufWriter::new(&sink))
            .map_err(|e| Error::Fault(fault(&e)))?;
        sink.sync_all().map_err(|e| Error::disk(&kept.0, e))?;
        let table = read_checked(&kept.0, layout, max_rows)?;
        let record = record(publication, layout, Some(&table), schema);
        self.keep(&kept, &record)?;
        Ok(record)
    }

    fn partial(&self, file: &str) -> Partial {
        Partial(files::partial_name(&self.folder.join(file)))
    }

    fn keep(&self, partial: &Partial, record: &DatasetRecord) -> Result<(), Error> {
        let target = self.folder.join(&record.file);
        std::fs::rename(&partial.0, &target).map_err(|e| Error::disk(&target, e))
    }

    fn copy(&self, publication: &Publication, partial: &Path) -> Result<(), Error> {
        // Who may not read the file learns so from the reader's own error; the copy's is about this folder.
        let mut source = publication.open()?;
        let mut copy = files::create_private(partial).map_err(|e| Error::disk(partial, e))?;
        std::io::copy(&mut source, &mut copy).and_then(|_| copy.sync_all()).map_err(|e| Error::disk(partial, e))
    }

    /// Removes the rows of a dataset that is not published any more. Blocks.
    ///
    /// # Errors
    /// `DISK`.
    pub(crate) fn remove(&self, record: &DatasetRecord) -> Result<(), Error> {
        if record.file.is_empty() {
            return Ok(());
        }
        let path = self.folder.join(&record.file);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::disk(&path, e)),
            _ => Ok(()),
        }
    }
}

fn open_copy(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|e| Error::disk(path, e))
}

fn kind_of(facts: &Facts, column: &str) -> Kind {
    facts.columns.iter().find(|known| known.name == column).map_or(Kind::Other, |known| known.kind)
}

/// A panel table: its rows are checked where they are, and none is kept, as no job can use them.
fn panel_by_schema(
    publication: &Publication,
    rules: &RowSchema,
    layout: &Layout,
    schema: &Schema,
) -> Result<DatasetRecord, Error> {
    let rows = check_rows(publication, rules, publication.open()?)?;
    let mut record = record(publication, layout, None, schema);
    (record.rows, record.valid, record.file) = (rows, rows, String::new());
    record.columns = rules.columns().filter(|column| *column != layout.key).map(str::to_owned).collect();
    Ok(record)
}

/// Judges every row; the first violation refuses the file (CAT-1).
fn check_rows(publication: &Publication, rules: &RowSchema, source: File) -> Result<u64, Error> {
    let report = check::check(source, publication.encoding(), rules, &publication.name, 1, |_| ());
    let report = report.map_err(|e| Error::Fault(of_schema(&e)))?;
    let Some(first) = report.first.first() else { return Ok(report.rows) };
    let (invalid, rows, rule) = (report.invalid, report.rows, first.rule.as_str());
    let cause = format!("{invalid} of {rows} rows break the schema; the first by its rule {rule}");
    let place = Place { row: Some(first.row), column: first.column.clone(), ..publication.place() };
    Err(Error::Fault(Fault::because(Code::SchemaViolation, cause).at(place).citing("CAT-1")))
}

/// A fault of a schema or of a file beside it: what is wrong is worth its own words.
fn of_schema(error: &hefu_data::Error) -> Fault {
    let place = error.place();
    let words = error.to_string();
    let words = words.strip_prefix(&format!("{place}: ")).unwrap_or(&words).to_owned();
    Fault::because(error.code(), words).at(place)
}

fn read_checked(path: &Path, layout: &Layout, max_rows: u32) -> Result<Table, Error> {
    let table = hefu_data::read_file(path, layout).map_err(|e| Error::Fault(fault(&e)))?;
    if table.counts.valid > u64::from(max_rows) {
        let place = Place { dataset: Some(layout.dataset.clone()), ..Place::default() };
        return Err(Error::Fault(Fault::new(Code::TooManyRows).at(place)));
    }
    Ok(table)
}

fn record(publication: &Publication, layout: &Layout, table: Option<&Table>, schema: &Schema) -> DatasetRecord {
    let counts = table.map(|table| table.counts).unwrap_or_default();
    let columns = table.map(|table| table.columns.as_slice()).unwrap_or_default();
    DatasetRecord {
        name: publication.name.clone(),
        key: layout.key.clone(),
        label: layout.label.clone(),
        key_format: format_word(layout.format).to_owned(),
        rows: counts.rows,
        valid: counts.valid,
        duplicate: counts.duplicate,
        invalid: counts.invalid,
        columns: columns.iter().map(|column| column.name.clone()).collect(),
        schema: hex::encode(schema.digest()),
        file: format!("{}.csv", publication.name),
        facts: publication.facts(schema),
    }
}

/// A key format's word; empty: none is asked for.
pub(crate) fn asked_format(word: &str) -> Result<Option<KeyFormat>, Error> {
    match word {
        "" => Ok(None),
        word => {
            parse_format(word).map(Some).ok_or_else(|| Error::configuration("key_format", "text or uscc is expected"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_months_in_order() {
        for good in ["", "202512", "202501-202512", "202501-202501"] {
            assert!(is_period(good), "{good}");
        }
        for bad in ["2025", "202513", "202512-202501", "202501-", "2025-12", "２０２５01", "202501-202502-202503"] {
            assert!(!is_period(bad), "{bad}");
        }
    }
}
