//! The job file: what an initiator's own people ask for.
use super::record::JobKind;
use crate::node::Shared;
use crate::store::{self, DatasetRecord};
use crate::trust::TrustedParty;
use hefu_core::{Alignment, Code, Fault, Join, Missing, ModelId, Output, PartyId, Purpose, Split, Stage};
use hefu_protocol::session;
use serde::Deserialize;
use std::sync::Arc;

/// Largest `max_evaluations` that a job may ask for.
const MAX_EVALUATIONS: u32 = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobFile {
    kind: JobKind,
    dataset: String,
    purpose: Purpose,
    #[serde(default)]
    outputs: Vec<Output>,
    #[serde(default = "ecdh")]
    alignment: Alignment,
    #[serde(default = "inner")]
    join: Join,
    #[serde(default = "error")]
    missing: Missing,
    #[serde(default = "one")]
    lambda: f64,
    #[serde(default = "forty")]
    max_evaluations: u32,
    #[serde(default)]
    model: Option<ModelId>,
    collaborator: Vec<CollaboratorEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CollaboratorEntry {
    party: String,
    dataset: String,
    /// Hex digest of the schema that the initiator expects.
    #[serde(default)]
    schema: Option<String>,
}

fn ecdh() -> Alignment {
    Alignment::Ecdh
}

fn inner() -> Join {
    Join::Inner
}

fn error() -> Missing {
    Missing::Error
}

fn one() -> f64 {
    1.0
}

fn forty() -> u32 {
    40
}

/// One invited party.
#[derive(Debug, Clone)]
pub(crate) struct Invited {
    pub(crate) party: Arc<TrustedParty>,
    /// The name under which it publishes.
    pub(crate) dataset: String,
    /// Hex digest of its schema, which the offer cites (SESS-13).
    pub(crate) schema: Option<String>,
}

/// A job that this node may start: its names are resolved.
#[derive(Debug, Clone)]
pub(crate) struct JobPlan {
    pub(crate) kind: JobKind,
    pub(crate) dataset: DatasetRecord,
    pub(crate) purpose: Purpose,
    pub(crate) outputs: Vec<Output>,
    /// How rows are matched, with every collaborator.
    pub(crate) alignment: Alignment,
    pub(crate) join: Join,
    pub(crate) missing: Missing,
    pub(crate) lambda: f64,
    pub(crate) max_evaluations: u32,
    /// The model that training makes, or that scoring uses.
    pub(crate) model: Option<ModelId>,
    /// In rank order, from rank 1.
    pub(crate) invited: Vec<Invited>,
}

impl JobPlan {
    /// Reads a job file and resolves its names.
    ///
    /// # Errors
    /// `CONFIGURATION` naming the entry; `UNKNOWN_PARTY`, `UNKNOWN_DATASET`, `MISSING_COLUMN`.
    pub(crate) async fn read(shared: &Shared, json: &str) -> Result<Self, Fault> {
        let file: JobFile = serde_json::from_str(json).map_err(|e| wrong(format!("the job file: {e}")))?;
        let own = shared.party();
        let name = file.dataset.clone();
        let found = store::call(&shared.store, move |store| store.dataset(&name)).await?;
        let dataset = found.ok_or_else(|| Fault::new(Code::UnknownDataset).by(own))?;
        if file.kind == JobKind::Train && dataset.label.is_none() {
            let place = hefu_core::Place { dataset: Some(dataset.name), ..Default::default() };
            let cause = "the dataset was published without a label";
            return Err(Fault::because(Code::MissingColumn, cause).by(own).at(place));
        }
        dataset.require_enterprise_grain(own)?;
        let invited = resolve(shared, &file.collaborator)?;
        if !file.lambda.is_finite() || file.lambda < 0.0 {
            return Err(wrong("lambda: a number that is not negative is expected"));
        }
        if file.max_evaluations == 0 || file.max_evaluations > MAX_EVALUATIONS {
            return Err(wrong(format!("max_evaluations: 1 to {MAX_EVALUATIONS} is expected")));
        }
        let model = match (file.kind, file.model) {
            (JobKind::Pool, _) => return Err(wrong("kind: a pooled job has a file of its own form")),
            (JobKind::Align, None) => None,
            (JobKind::Train, None) => Some(ModelId(crate::random::<16>()?)),
            (JobKind::Score, Some(model)) => Some(model),
            (JobKind::Align, Some(_)) => return Err(wrong("model: an alignment has none")),
            (JobKind::Train, Some(_)) => return Err(wrong("model: a training job makes a new one")),
            (JobKind::Score, None) => return Err(wrong("model: a scoring job needs one")),
        };
        let outputs = match (file.kind, file.outputs.is_empty()) {
            (_, false) => file.outputs,
            (JobKind::Align | JobKind::Pool, true) => vec![Output::Model],
            (JobKind::Train, true) => vec![Output::Model, Output::Score],
            (JobKind::Score, true) => vec![Output::Score],
        };
        Ok(JobPlan {
            kind: file.kind,
            dataset,
            purpose: file.purpose,
            outputs,
            alignment: file.alignment,
            join: file.join,
            missing: file.missing,
            lambda: file.lambda,
            max_evaluations: file.max_evaluations,
            model,
            invited,
        })
    }

    /// All parties by rank.
    pub(crate) fn parties(&self, own: &PartyId) -> Vec<PartyId> {
        let invited = self.invited.iter().map(|invited| invited.party.descriptor.party.clone());
        std::iter::once(own.clone()).chain(invited).collect()
    }

    /// Members of the offer that a collaborator must understand (CONV-8).
    pub(crate) fn critical(&self) -> Vec<String> {
        match self.alignment {
            Alignment::Ecdh => Vec::new(),
            Alignment::Oprf => vec!["alignment".to_owned()],
        }
    }

    /// The plan as the offer carries it.
    pub(crate) fn offered(&self) -> session::Plan {
        let (stages, split, algorithm) = match self.kind {
            // A pooled job has offers of its own.
            JobKind::Align | JobKind::Pool => match self.alignment {
                Alignment::Ecdh => (vec![Stage::Align], Split::Hash, "align-ecdh-1"),
                Alignment::Oprf => (vec![Stage::Align], Split::Hash, "align-oprf-1"),
            },
            JobKind::Train => (vec![Stage::Align, Stage::Train, Stage::Evaluate], Split::Hash, "vlr-1"),
            JobKind::Score => (vec![Stage::Align, Stage::Score], Split::None, "score-sum-1"),
        };
        session::Plan {
            stages,
            join: self.join,
            missing: self.missing,
            split,
            algorithm: algorithm.to_owned(),
            lambda: self.lambda,
            max_evaluations: self.max_evaluations,
            alignment: Some(self.alignment).filter(|alignment| *alignment != Alignment::Ecdh),
            model: self.model,
        }
    }
}

fn wrong(cause: impl Into<String>) -> Fault {
    Fault::because(Code::Configuration, cause)
}

fn resolve(shared: &Shared, entries: &[CollaboratorEntry]) -> Result<Vec<Invited>, Fault> {
    if entries.is_empty() {
        return Err(wrong("collaborator: at least one is expected"));
    }
    let mut invited: Vec<Invited> = Vec::new();
    for entry in entries {
        let party = shared.trust.resolve(&entry.party).ok_or_else(|| {
            let cause = format!("{}: no trusted descriptor of that alias or party id", entry.party);
            let fault = Fault::because(Code::UnknownParty, cause);
            PartyId::parse(&entry.party).map_or(fault.clone(), |party| fault.by(&party))
        })?;
        if invited.iter().any(|other| other.party.descriptor.party == party.descriptor.party) {
            return Err(wrong(format!("collaborator: {} stands there twice", entry.party)));
        }
        let schema = entry.schema.as_ref().map(|schema| schema.to_ascii_lowercase());
        if schema.as_ref().is_some_and(|schema| schema.len() != 64 || hex::decode(schema).is_err()) {
            return Err(wrong("collaborator.schema: 64 hexadecimal digits are expected"));
        }
        invited.push(Invited { party, dataset: entry.dataset.clone(), schema });
    }
    Ok(invited)
}
