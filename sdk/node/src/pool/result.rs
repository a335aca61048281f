//! The result document of a pooled job.
use super::pooled::Pooled;
use super::rows::OwnRows;
use hefu_core::Statistic;
use hefu_model::metrics::assess;
use hefu_model::pooled::Binning;
use hefu_model::{Standardiser, logistic};
use serde_json::{Value, json};

/// What is told of one round.
pub(crate) struct Trace {
    pub(crate) round: u32,
    pub(crate) statistic: Statistic,
    /// Short names.
    pub(crate) survivors: Vec<String>,
    /// Short name and code.
    pub(crate) lost: Vec<(String, String)>,
    pub(crate) seconds: f64,
    pub(crate) note: Option<Value>,
}

impl Trace {
    pub(crate) fn document(&self) -> Value {
        let lost: Vec<Value> = self.lost.iter().map(|(party, code)| json!({"party": party, "code": code})).collect();
        let mut document = json!({
            "round": self.round, "statistic": self.statistic, "survivors": self.survivors, "lost": lost,
            "seconds": self.seconds,
        });
        if let (Some(Value::Object(note)), Some(members)) = (&self.note, document.as_object_mut()) {
            members.extend(note.clone());
        }
        document
    }
}

/// Seconds by statistic, and in all.
pub(crate) fn seconds_by_statistic(trace: &[Trace], total: f64) -> Value {
    let mut times = serde_json::Map::new();
    for entry in trace {
        let known = times.get(entry.statistic.as_str()).and_then(Value::as_f64).unwrap_or_default();
        times.insert(entry.statistic.as_str().to_owned(), json!(known + entry.seconds));
    }
    times.insert("total".to_owned(), json!(total));
    Value::Object(times)
}

/// Columns of bins as JSON.
pub(crate) fn binning(binning: &Binning) -> Value {
    let bins: Vec<Value> =
        binning.bins.iter().map(|b| json!({"from": b.from, "good": b.good, "bad": b.bad, "woe": b.woe})).collect();
    json!({"column": binning.column, "iv": binning.iv, "bins": bins})
}

/// How the own test rows are ranked by a model of the own rows alone, and by the pooled one; nothing where the own rows
/// do not have both classes.
pub(crate) fn put_own_measures(result: &mut Value, rows: &OwnRows, pooled: &Pooled, lambda: f64) {
    let scores = || -> Result<Option<[(f64, f64); 2]>, hefu_model::Error> {
        let (training, labels) = rows.standardised(&pooled.scales(), false)?;
        let (test, test_labels) = rows.standardised(&pooled.scales(), true)?;
        if test_labels.is_empty() {
            return Ok(None);
        }
        let every: Vec<u32> = (0..u32::try_from(training.rows()).unwrap_or(u32::MAX)).collect();
        let sources: Vec<_> = (0..training.count())
            .map(|j| hefu_model::Source { name: training.name(j), values: training.column(j) })
            .collect();
        let own = Standardiser::fit(&sources, &every)?;
        let alone = logistic::fit(&own.apply(&sources, &every)?, &labels, lambda)?;
        let tests: Vec<_> =
            (0..test.count()).map(|j| hefu_model::Source { name: test.name(j), values: test.column(j) }).collect();
        let rows: Vec<u32> = (0..u32::try_from(test.rows()).unwrap_or(u32::MAX)).collect();
        let alone = assess(&alone.scores(&own.apply(&tests, &rows)?), &test_labels)?;
        let joint = assess(&logistic::predictor(&test, &pooled.fit().coefficients), &test_labels)?;
        Ok(Some([(alone.auc, alone.ks), (joint.auc, joint.ks)]))
    };
    if let Ok(Some([alone, pooled])) = scores() {
        result["auc_alone"] = json!(alone.0);
        result["ks_alone"] = json!(alone.1);
        result["auc_pooled"] = json!(pooled.0);
        result["ks_pooled"] = json!(pooled.1);
    }
}
