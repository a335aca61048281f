//! Published datasets: a copy of the file in the state folder, and what may be told of it.
mod publish;

pub(crate) use publish::{Publication, asked_format};

use crate::store::DatasetRecord;
use hefu_core::{Code, Fault, Missing, PartyId, Place};
use hefu_data::facts::ENTERPRISE;
use hefu_data::{Features, KeyFormat, Layout, Table};
use std::path::PathBuf;
use std::sync::Mutex;

/// The folder of published files.
#[derive(Debug)]
pub(crate) struct Datasets {
    folder: PathBuf,
    /// Publishing writes under names that another publication of the same dataset would use too.
    publishing: Mutex<()>,
}

impl Datasets {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Datasets { folder, publishing: Mutex::default() }
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

impl DatasetRecord {
    /// That jobs can use the dataset: one row stands for one enterprise (CAT-9).
    ///
    /// # Errors
    /// `PANEL_TABLE`, with the features to derive where the schema names them.
    pub(crate) fn require_enterprise_grain(&self, own: &PartyId) -> Result<(), Fault> {
        if self.facts.grain == ENTERPRISE {
            return Ok(());
        }
        let derive = match self.facts.derived.as_slice() {
            [] => String::new(),
            features => format!("; derive, one row an enterprise: {}", features.join(", ")),
        };
        let cause = format!("one row of {} stands for {}, not for an enterprise{derive}", self.name, self.facts.grain);
        let place = Place { dataset: Some(self.name.clone()), ..Place::default() };
        Err(Fault::because(Code::PanelTable, cause).by(own).at(place).citing("CAT-9"))
    }
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
