//! From rows to matrices: what stands between alignment and training, and what refuses a job there.
use super::record::JobKind;
use crate::config::{AllowEntry, Permit};
use crate::dataset;
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Fault, PartyId, Place};
use hefu_data::Table;
use hefu_model::{Columns, Source, Standardiser, rules};

/// A party's rows of a job, standardised.
pub(crate) struct Matrices {
    pub(crate) standardiser: Standardiser,
    pub(crate) training: Columns,
    pub(crate) test: Columns,
}

/// Which rules of training a party waives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waivers {
    pub(crate) few_rows: bool,
    pub(crate) few_columns: bool,
    pub(crate) rare_values: bool,
}

impl Waivers {
    pub(crate) fn of(entry: Option<&AllowEntry>) -> Self {
        let waives = |permit| entry.is_some_and(|entry| entry.waives(permit));
        Waivers {
            few_rows: waives(Permit::FewRows),
            few_columns: waives(Permit::FewColumns),
            rare_values: waives(Permit::RareValues),
        }
    }
}

/// A table's columns as hefu-model takes them.
pub(crate) fn sources(table: &Table) -> Vec<Source<'_>> {
    table.columns.iter().map(|column| Source { name: &column.name, values: &column.values }).collect()
}

/// A fault of this party's own data.
pub(crate) fn data_fault(error: &hefu_model::Error, dataset: &str, own: &PartyId) -> Fault {
    let place = Place { dataset: Some(dataset.to_owned()), row: None, column: error.column().map(str::to_owned) };
    Fault::because(error.code(), error.to_string()).by(own).at(place)
}

/// The rows of a training job: `rows` are table positions, the first `training_rows` of them training rows.
///
/// # Errors
/// `CONSTANT_COLUMN` (VLR-1), `TOO_FEW_ROWS` (VLR-2), `RARE_VALUES` (VLR-3), by this party.
pub(crate) fn matrices(table: &Table, rows: &[u32], training_rows: u32, rule: &Rules<'_>) -> Result<Matrices, Fault> {
    let sources = sources(table);
    let split = (training_rows as usize).min(rows.len());
    let (training, test) = rows.split_at(split);
    let refuse = |requirement| move |e: hefu_model::Error| data_fault(&e, rule.dataset, rule.own).citing(requirement);
    if training.is_empty() {
        let cause = "no training row is common to the parties";
        return Err(Fault::because(Code::TooFewRows, cause).by(rule.own).citing("VLR-2"));
    }
    if !rule.waivers.few_rows && !is_on(Switch::SkipsRowCount) {
        rules::check_rows(training.len(), sources.len(), rule.max_evaluations).map_err(refuse("VLR-2"))?;
    }
    let standardiser = Standardiser::fit(&sources, training).map_err(refuse("VLR-1"))?;
    if !rule.waivers.rare_values && !is_on(Switch::SkipsRareValues) {
        rules::check_rare_values(&sources, training).map_err(refuse("VLR-3"))?;
    }
    let apply = |rows| standardiser.apply(&sources, rows).map_err(refuse("VLR-1"));
    let (training, test) = (apply(training)?, apply(test)?);
    Ok(Matrices { training, test, standardiser })
}

/// What a party holds its own rows to.
pub(crate) struct Rules<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) own: &'a PartyId,
    pub(crate) waivers: Waivers,
    pub(crate) max_evaluations: u32,
}

/// Labels of rows, by table position.
pub(crate) fn labels_of(table: &Table, rows: &[u32]) -> Vec<u8> {
    let label = table.label.as_deref().unwrap_or_default();
    rows.iter().filter_map(|row| label.get(*row as usize).copied()).collect()
}

/// A column that the model names and the file lacks is the model's business.
pub(crate) fn as_model_mismatch(fault: Fault, kind: JobKind) -> Fault {
    match (kind, fault.code) {
        (JobKind::Score, Code::MissingColumn) => Fault { code: Code::ModelMismatch, ..fault },
        _ => fault,
    }
}

/// The rows of a published dataset, as a job needs them. Blocks.
pub(crate) fn load(
    datasets: &dataset::Datasets,
    record: &crate::store::DatasetRecord,
    wanted: Wanted,
    missing: hefu_core::Missing,
    own: &PartyId,
) -> Result<Table, Fault> {
    use hefu_data::Features;
    let (label, features, kind) = match wanted {
        Wanted::Labelled => (true, Features::All, JobKind::Train),
        Wanted::Unlabelled => (false, Features::All, JobKind::Train),
        Wanted::ForModel(names) => (false, Features::Named(names), JobKind::Score),
    };
    datasets.load(record, label, features, missing, own).map_err(|fault| as_model_mismatch(fault, kind))
}

/// Which columns of a dataset a job needs.
pub(crate) enum Wanted {
    /// Features and label.
    Labelled,
    /// Features.
    Unlabelled,
    /// The columns of a model.
    ForModel(Vec<String>),
}
