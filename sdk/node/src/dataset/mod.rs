//! Published datasets: a copy of the file in the state folder, and what may be told of it.
use crate::store::DatasetRecord;
use crate::{Error, config, files};
use hefu_core::{Code, Fault, Missing, PartyId, Place};
use hefu_data::{Features, KeyFormat, Layout, Schema, Table};
use std::path::{Path, PathBuf};

/// What to publish.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    pub(crate) name: String,
    /// A CSV file on this machine.
    pub(crate) path: PathBuf,
    pub(crate) key: String,
    pub(crate) label: Option<String>,
    pub(crate) key_format: KeyFormat,
    pub(crate) missing: Missing,
}

/// The folder of published files.
#[derive(Debug, Clone)]
pub(crate) struct Datasets {
    folder: PathBuf,
}

impl Datasets {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Datasets { folder }
    }

    /// Copies and reads a file; answers what is remembered of it. Blocks.
    ///
    /// # Errors
    /// Those of `hefu-data`, with their place; `CONFIGURATION` for a name that cannot be a file's; `TOO_MANY_ROWS`;
    /// `DISK`.
    pub(crate) fn publish(&self, publication: &Publication, max_rows: u32) -> Result<DatasetRecord, Error> {
        if !config::is_word(&publication.name) {
            return Err(Error::configuration("name", "1 to 64 letters, digits, - and _ are expected"));
        }
        let file = format!("{}.csv", publication.name);
        let target = self.folder.join(&file);
        let partial = files::partial_name(&target);
        let read = self.copy(publication, &partial).and_then(|()| read_checked(publication, &partial, max_rows));
        let (table, layout) = match read {
            Ok(read) => read,
            Err(error) => {
                let _ = std::fs::remove_file(&partial);
                return Err(error);
            }
        };
        std::fs::rename(&partial, &target).map_err(|e| Error::disk(&target, e))?;
        Ok(DatasetRecord {
            name: publication.name.clone(),
            key: publication.key.clone(),
            label: publication.label.clone(),
            key_format: format_word(publication.key_format).to_owned(),
            rows: table.counts.rows,
            valid: table.counts.valid,
            duplicate: table.counts.duplicate,
            invalid: table.counts.invalid,
            columns: table.columns.iter().map(|column| column.name.clone()).collect(),
            schema: hex::encode(Schema::infer(&table, &layout).digest()),
            file,
        })
    }

    fn copy(&self, publication: &Publication, partial: &Path) -> Result<(), Error> {
        // Who may not read the file learns so from the reader's own error; the copy's is about this folder.
        let place = Place { dataset: Some(publication.name.clone()), ..Place::default() };
        let mut source = std::fs::File::open(&publication.path).map_err(|e| {
            let cause = format!("the file cannot be read ({})", e.kind());
            Fault::because(Code::BadFile, cause).at(place)
        })?;
        let mut copy = files::create_private(partial).map_err(|e| Error::disk(partial, e))?;
        std::io::copy(&mut source, &mut copy).and_then(|_| copy.sync_all()).map_err(|e| Error::disk(partial, e))
    }

    /// Reads the rows of a published dataset. Blocks.
    ///
    /// # Errors
    /// Those of `hefu-data`, by this party; `SCHEMA_CHANGED` where the file is no longer the one published.
    pub(crate) fn load(
        &self,
        record: &DatasetRecord,
        label: bool,
        features: Features,
        missing: Missing,
        own: &PartyId,
    ) -> Result<Table, Fault> {
        let is_all = features == Features::All;
        let columns = match features {
            // The label of a dataset is never a feature.
            Features::All => Features::Named(record.columns.clone()),
            named => named,
        };
        let layout = Layout {
            dataset: record.name.clone(),
            key: record.key.clone(),
            format: parse_format(&record.key_format).unwrap_or(KeyFormat::Text),
            label: record.label.clone().filter(|_| label),
            features: columns,
            missing,
        };
        let table = hefu_data::read_file(&self.folder.join(&record.file), &layout).map_err(|e| fault(&e).by(own))?;
        if is_all && table.counts.valid != record.valid {
            return Err(Fault::new(Code::SchemaChanged).by(own).citing("SESS-13"));
        }
        Ok(table)
    }
}

fn read_checked(publication: &Publication, path: &Path, max_rows: u32) -> Result<(Table, Layout), Error> {
    let layout = Layout {
        dataset: publication.name.clone(),
        key: publication.key.clone(),
        format: publication.key_format,
        label: publication.label.clone(),
        features: Features::All,
        missing: publication.missing,
    };
    let table = hefu_data::read_file(path, &layout).map_err(|e| Error::Fault(fault(&e)))?;
    if table.counts.valid > u64::from(max_rows) {
        let place = Place { dataset: Some(publication.name.clone()), ..Place::default() };
        return Err(Error::Fault(Fault::new(Code::TooManyRows).at(place)));
    }
    Ok((table, layout))
}

/// A fault of a file, with its place.
pub(crate) fn fault(error: &hefu_data::Error) -> Fault {
    Fault::new(error.code()).at(error.place())
}

/// `text` or `uscc`.
pub(crate) fn parse_format(word: &str) -> Option<KeyFormat> {
    match word {
        "text" => Some(KeyFormat::Text),
        "uscc" => Some(KeyFormat::Uscc),
        _ => None,
    }
}

fn format_word(format: KeyFormat) -> &'static str {
    match format {
        KeyFormat::Text => "text",
        KeyFormat::Uscc => "uscc",
    }
}
