//! A model of one's own from a pooled job (spec/pooled.md, section 5).
use super::Kept;
use super::rows::{OwnRows, Wanted};
use crate::job::{ModelPart, blocking, data_fault, sources};
use crate::node::Shared;
use crate::store;
use hefu_core::{Code, Fault, JobId, ModelId, Split};
use hefu_data::Features;
use hefu_model::logistic;
use hefu_model::pooled::fit_own;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a party asks for.
#[derive(Debug, Clone)]
pub(crate) struct OwnModel {
    /// The pooled job, as coordinator or participant.
    pub(crate) job: JobId,
    /// The own dataset to fine-tune on; the pooled model unchanged where absent.
    pub(crate) dataset: Option<String>,
    /// Strength of the pull towards the pooled model.
    pub(crate) pull: f64,
    /// Probability from which this party refuses an applicant.
    pub(crate) cutoff: Option<f64>,
}

/// Makes and stores the model; answers it.
///
/// # Errors
/// `UNKNOWN_JOB` where the job left no model here; `UNKNOWN_DATASET`; `CONFIGURATION`; those of the dataset.
pub(crate) async fn make(shared: &Arc<Shared>, wanted: OwnModel) -> Result<ModelPart, Fault> {
    if !wanted.pull.is_finite() || wanted.pull < 0.0 {
        return Err(Fault::because(Code::Configuration, "pull: a number that is not negative is expected"));
    }
    if wanted.cutoff.is_some_and(|cutoff| !(0.0..=1.0).contains(&cutoff)) {
        return Err(Fault::because(Code::Configuration, "cutoff: a probability is expected"));
    }
    let job = wanted.job;
    let kept = store::call(&shared.store, move |store| store.pooled(job)).await?;
    let none = || Fault::because(Code::UnknownJob, "this node has no model of that job").by(shared.party());
    let kept: Kept = kept.and_then(|json| serde_json::from_str(&json).ok()).ok_or_else(none)?;
    let model = ModelId(crate::random::<16>()?);
    let name = wanted.dataset.clone().unwrap_or_default();
    let record = match &wanted.dataset {
        None => None,
        Some(name) => {
            let name = name.clone();
            let found = store::call(&shared.store, move |store| store.dataset(&name)).await?;
            Some(found.ok_or_else(|| Fault::new(Code::UnknownDataset).by(shared.party()))?)
        }
    };
    let work = shared.clone();
    let mut part = blocking(move || {
        let own = work.party();
        let mut pooled = kept.pooled.clone();
        if let Some(record) = &record {
            let columns = pooled.names().to_vec();
            let rows = Wanted { columns: &columns, split: Split::None, missing: kept.missing };
            let rows = OwnRows::load(&work.datasets, record, &rows, 1, own)?;
            let refuse = |e: hefu_model::Error| data_fault(&e, &record.name, own);
            let (x, labels) = rows.standardised(&pooled.scales(), false).map_err(refuse)?;
            pooled = pooled.with(&fit_own(&x, &labels, &pooled.fit(), wanted.pull).map_err(refuse)?);
        }
        Ok(pooled.part(wanted.job, model, own, &name, kept.missing))
    })
    .await?;
    part.cutoff = wanted.cutoff;
    let (models, saved) = (shared.models(), part.clone());
    store::call(&shared.store, move |store| saved.save(&models, store)).await?;
    Ok(part)
}

/// Scores a published dataset with a model that is this party's alone; answers a JSON document.
///
/// # Errors
/// `UNKNOWN_MODEL`, `NOT_MODEL_OWNER`; `MODEL_MISMATCH` for a model that needs other parties, or columns that the
/// dataset
/// lacks; `UNKNOWN_DATASET`; those of the dataset.
pub(crate) async fn score(shared: &Arc<Shared>, model: ModelId, dataset: String) -> Result<String, Fault> {
    let found = store::call(&shared.store, move |store| store.dataset(&dataset)).await?;
    let record = found.ok_or_else(|| Fault::new(Code::UnknownDataset).by(shared.party()))?;
    let work = shared.clone();
    blocking(move || {
        let own = work.party();
        let part = ModelPart::load(&work.models(), model, own)?;
        if part.owner != *own {
            return Err(Fault::new(Code::NotModelOwner).by(own).citing("SCORE-1"));
        }
        if part.parties.as_slice() != std::slice::from_ref(own) {
            let cause = "the model needs its other parties: score it by a job";
            return Err(Fault::because(Code::ModelMismatch, cause).by(own));
        }
        let table = work.datasets.load(&record, false, Features::Named(part.names()), part.missing_cells, own);
        let table = table.map_err(|fault| match fault.code {
            Code::MissingColumn => Fault { code: Code::ModelMismatch, ..fault },
            _ => fault,
        })?;
        let rows: Vec<u32> = (0..u32::try_from(table.keys.len()).unwrap_or(u32::MAX)).collect();
        let x = part.standardiser().apply(&sources(&table), &rows).map_err(|e| data_fault(&e, &record.name, own))?;
        let intercept = part.intercept.unwrap_or_default();
        let score = |(key, s): (&String, f64)| {
            let probability = logistic::sigmoid(s + intercept);
            let refused = part.cutoff.map(|cutoff| probability >= cutoff);
            json!({"key": key, "probability": probability, "refused": refused})
        };
        let scores = table.keys.iter().zip(logistic::predictor(&x, &part.coefficients())).map(score);
        let counts = &table.counts;
        let rows = json!({
            "bank": counts.rows, "matched": counts.valid, "unmatched": 0, "duplicate": counts.duplicate,
            "invalid": counts.invalid,
        });
        let scores = Value::Array(scores.collect());
        Ok(json!({"model": model, "rows": rows, "cutoff": part.cutoff, "scores": scores}).to_string())
    })
    .await
}
