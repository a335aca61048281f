//! The result document of a job.
use super::prepare::labels_of;
use super::record::Disclosure;
use crate::driver::StageCost;
use hefu_core::{Code, Fault, JobId, ModelId, Stage};
use hefu_data::{Counts, Table};
use hefu_model::metrics::{Assessment, Interval, assess, histogram, ks_curve, roc_curve};
use hefu_model::{Columns, logistic, metrics, rules};
use hefu_protocol::align::AlignedInitiator;
use hefu_protocol::train::Trained;
use serde_json::{Value, json};

/// Bins of the histogram.
const BINS: usize = 20;

/// What every result of a job says.
pub(crate) struct Head<'a> {
    pub(crate) job: JobId,
    pub(crate) kind: &'static str,
    pub(crate) model: Option<ModelId>,
    pub(crate) costs: &'a [StageCost],
    /// Wall seconds of the job so far.
    pub(crate) total: f64,
    pub(crate) disclosure: &'a [Disclosure],
    pub(crate) backend: &'static str,
    /// Key exchange group of the connections; empty where not known.
    pub(crate) group: &'a str,
}

impl Head<'_> {
    /// The members that are common to all results.
    pub(crate) fn document(&self) -> Value {
        let stages: Vec<_> = self.costs.iter().map(stage).collect();
        let seconds = |wanted: Stage| {
            let cost = self.costs.iter().find(|cost| cost.stage == wanted);
            cost.map_or(Value::Null, |cost| json!(cost.seconds))
        };
        let mut times = serde_json::Map::new();
        for wanted in [Stage::Align, Stage::Train, Stage::Evaluate, Stage::Score] {
            match seconds(wanted) {
                Value::Null => {}
                value => drop(times.insert(wanted.as_str().to_owned(), value)),
            }
        }
        times.insert("total".to_owned(), json!(self.total));
        json!({
            "job": self.job, "kind": self.kind, "model": self.model, "seconds": times, "stages": stages,
            "disclosure": self.disclosure,
            "security": {"backend": self.backend, "tls_group": self.group},
        })
    }
}

fn stage(cost: &StageCost) -> Value {
    json!({
        "stage": cost.stage, "seconds": cost.seconds, "cpu_seconds": cost.cpu_seconds,
        "bytes_sent": cost.bytes_sent, "bytes_received": cost.bytes_received,
    })
}

/// How the initiator's rows met the collaborators': against all of them, and by short name.
pub(crate) fn rows(counts: &Counts, aligned: &AlignedInitiator, names: &[String]) -> (Value, Value) {
    let entry = |matched: usize| {
        let unmatched = counts.valid.saturating_sub(matched as u64);
        json!({
            "bank": counts.rows, "matched": matched, "unmatched": unmatched,
            "duplicate": counts.duplicate, "invalid": counts.invalid,
        })
    };
    let keys = aligned.matched.first().map_or(0, Vec::len);
    let by_all = (0..keys).filter(|key| aligned.matched.iter().all(|matched| matched[*key])).count();
    let by_agency = names
        .iter()
        .zip(&aligned.matched)
        .map(|(name, matched)| (name.clone(), entry(matched.iter().filter(|has| **has).count())));
    (entry(by_all), Value::Object(by_agency.collect()))
}

/// The test rows and what the joint model says of them.
pub(crate) struct Evaluation {
    pub(crate) labels: Vec<u8>,
    /// Log odds by the joint model.
    pub(crate) joint: Vec<f64>,
    pub(crate) alone: Alone,
}

/// What the initiator's columns say alone: the same rows, split and penalty.
pub(crate) struct Alone {
    /// Log odds of the test rows.
    pub(crate) scores: Vec<f64>,
    /// AUC on the training rows.
    pub(crate) auc_training: f64,
}

impl Alone {
    pub(crate) fn fit(training: &Columns, labels: &[u8], test: &Columns, lambda: f64) -> Result<Self, Fault> {
        let fit = logistic::fit(training, labels, lambda).map_err(|e| model_fault(&e))?;
        let auc_training = hefu_model::metrics::auc(&fit.scores(training), labels).map_err(|e| model_fault(&e))?;
        Ok(Alone { scores: fit.scores(test), auc_training })
    }
}

fn model_fault(error: &hefu_model::Error) -> Fault {
    Fault::because(error.code(), error.to_string())
}

impl Evaluation {
    /// Measures and curves, as members of the result.
    pub(crate) fn write(&self, result: &mut Value) -> Result<(), Fault> {
        let measured = |scores: &[f64]| assess(scores, &self.labels).map_err(|e| model_fault(&e));
        let (alone, joint) = (measured(&self.alone.scores)?, measured(&self.joint)?);
        for (name, measures) in [("alone", alone), ("joint", joint)] {
            put_measures(result, name, &measures);
        }
        let probabilities: Vec<f64> = self.joint.iter().map(|s| logistic::sigmoid(*s)).collect();
        let bars = histogram(&probabilities, &self.labels, BINS).map_err(|e| model_fault(&e))?;
        let roc = |scores: &[f64]| roc_curve(scores, &self.labels).map_err(|e| model_fault(&e));
        let ks = |scores: &[f64]| ks_curve(scores, &self.labels).map_err(|e| model_fault(&e));
        result["curves"] = json!({
            "roc_alone": roc(&self.alone.scores)?, "roc_joint": roc(&self.joint)?,
            "ks_alone": ks(&self.alone.scores)?, "ks_joint": ks(&self.joint)?,
            "histogram": {"edges": bars.edges, "good": bars.good, "bad": bars.bad},
        });
        Ok(())
    }
}

fn put_measures(result: &mut Value, name: &str, measures: &Assessment) {
    let pair = |interval: Interval| json!([interval.low, interval.high]);
    result[format!("auc_{name}")] = json!(measures.auc);
    result[format!("auc_{name}_ci")] = pair(measures.auc_interval);
    result[format!("ks_{name}")] = json!(measures.ks);
    result[format!("ks_{name}_ci")] = pair(measures.ks_interval);
}

/// What training tells of itself: rounds, columns by party, the trace.
pub(crate) fn put_training(result: &mut Value, trained: &Trained, names: &[String], rows: u64, max_evaluations: u32) {
    let columns = names.iter().zip(&trained.columns).map(|(name, count)| (name.clone(), json!(count)));
    result["rounds"] = json!(trained.rounds);
    result["columns_by_party"] = Value::Object(columns.collect());
    let trace = trained
        .trace
        .iter()
        .map(|t| json!({"evaluation": t.round, "sine_set": t.sine_set, "bound": t.bound, "norm": t.norm}));
    result["trace"] = trace.collect();
    let total = trained.columns.iter().fold(0u32, |sum, count| sum.saturating_add(*count));
    let budget = hefu_protocol::train::budget(rows, max_evaluations, total);
    result["security"]["statistical_distance_log2"] = json!(budget.statistical_distance_log2);
    result["security"]["failure_log2"] = json!(budget.failure_log2);
}

/// A warning where the outcome is almost separable.
///
/// Judged by the bank's own columns on the training rows, and by the joint model on the test rows.
pub(crate) fn separable_warning(alone: &Alone, joint: &[f64], test_labels: &[u8]) -> Option<Value> {
    let joint = metrics::auc(joint, test_labels).unwrap_or(0.5);
    rules::is_separable(alone.auc_training.max(joint)).then(|| {
        let entry = hefu_core::registry::entry(Code::Separable);
        json!({"code": Code::Separable.number(), "name": Code::Separable.name(), "cause": entry.cause.en})
    })
}

/// One warning a column of which one row has leverage above 1/50 (spec/vlr.md, section 9).
pub(crate) fn leverage_warnings(training: &Columns) -> Vec<Value> {
    let warn = |column: usize| {
        json!({
            "code": Code::HighLeverage.number(), "name": Code::HighLeverage.name(), "column": training.name(column),
            "cause": "One row has more than 1/50 of the leverage of this column.",
        })
    };
    rules::high_leverage(training).into_iter().map(warn).collect()
}

/// Scores in the order of the initiator's rows.
pub(crate) fn scores(table: &Table, rows: &[u32], log_odds: &[f64]) -> Value {
    let mut scored: Vec<(u32, f64)> = rows.iter().copied().zip(log_odds.iter().copied()).collect();
    scored.sort_by_key(|(row, _)| *row);
    let entry = |(row, s): (u32, f64)| {
        let key = table.keys.get(row as usize).map(String::as_str).unwrap_or_default();
        json!({"key": key, "probability": logistic::sigmoid(s)})
    };
    Value::Array(scored.into_iter().map(entry).collect())
}

/// The labels of training and test rows; both classes must occur in both.
pub(crate) fn split_labels(table: &Table, aligned: &AlignedInitiator) -> (Vec<u8>, Vec<u8>) {
    let (training, test) = aligned.rows.split_at((aligned.training_rows as usize).min(aligned.rows.len()));
    (labels_of(table, training), labels_of(table, test))
}
