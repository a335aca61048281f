//! What a finished job tells its initiator: the JSON documents of `spec/schemas/`, typed.
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// How the rows of a bank meet those of one agency, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rows {
    /// Rows of the bank's file.
    pub bank: u64,
    /// Valid, distinct keys of the bank that the agency (every agency) has.
    pub matched: u64,
    /// Valid, distinct keys of the bank that it lacks.
    pub unmatched: u64,
    /// Rows of the bank left out because their key came before.
    pub duplicate: u64,
    /// Rows of the bank left out because their key is not valid.
    pub invalid: u64,
}

/// Wall seconds of the initiator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seconds {
    /// Private matching.
    pub align: f64,
    /// Joint training.
    pub train: f64,
    /// Scores of the test rows and their measures.
    pub evaluate: f64,
    /// The whole job.
    pub total: f64,
}

/// What one stage cost one node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageCost {
    /// `align`, `train`, `evaluate` or `score`.
    pub stage: String,
    /// Wall seconds.
    pub seconds: f64,
    /// User and system CPU seconds of the node's process.
    pub cpu_seconds: f64,
    /// Bytes of sealed frames written.
    pub bytes_sent: u64,
    /// Bytes of sealed frames read.
    pub bytes_received: u64,
}

/// One evaluation of the objective.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TracePoint {
    /// Number of the evaluation, from 0.
    pub evaluation: u64,
    /// The sine set in use.
    pub sine_set: serde_json::Value,
    /// Sum of the announced bounds of predictors.
    pub bound: Option<f64>,
    /// Norm of the preconditioned gradient, relative to evaluation 0.
    pub norm: Option<f64>,
}

/// Something to look at; the job went on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Warning {
    /// Registry code.
    pub code: u32,
    /// Registry name.
    pub name: String,
    /// What was seen.
    pub cause: String,
    /// The column, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// What one party learns from a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartyDisclosure {
    /// Party id or alias.
    pub party: String,
    /// Its role in the job.
    pub role: String,
    /// One sentence for each thing.
    #[serde(deserialize_with = "one_or_many")]
    pub learns: Vec<String>,
}

/// A text or a list of texts.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    })
}

/// Statistical security of the job as computed before it ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// Base-2 logarithm of the job's whole statistical distance.
    pub statistical_distance_log2: Option<f64>,
    /// Base-2 logarithm of the probability that any decryption of the job fails.
    pub failure_log2: Option<f64>,
    /// Arithmetic kernels chosen at run time.
    pub backend: String,
    /// Key exchange of the TLS connections, where the node tells it.
    pub tls_group: Option<String>,
}

/// Curves over the test rows, for drawing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Curves {
    /// Points `[false positive rate, true positive rate]` with the bank's own columns.
    pub roc_alone: Vec<[f64; 2]>,
    /// The same with all columns.
    pub roc_joint: Vec<[f64; 2]>,
    /// Points `[share of rows, true positive rate, false positive rate]` with the bank's own columns.
    pub ks_alone: Vec<[f64; 3]>,
    /// The same with all columns.
    pub ks_joint: Vec<[f64; 3]>,
    /// Joint probability of the test rows by outcome.
    pub histogram: Histogram,
}

/// Counts of test rows by joint probability.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Histogram {
    /// Bounds of the bins, one more than there are bins.
    pub edges: Vec<f64>,
    /// Rows with label 0 in each bin.
    pub good: Vec<u64>,
    /// Rows with label 1 in each bin.
    pub bad: Vec<u64>,
}

/// The result of a training job. AUC intervals are DeLong's at 95 %, those of KS 1,000 stratified bootstraps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Report {
    /// Job id.
    pub job: String,
    /// Model id.
    pub model: String,
    /// Rows of the joint table.
    pub rows_aligned: u64,
    /// The bank's rows against all agencies.
    pub rows: Rows,
    /// The bank's rows against each agency, by alias.
    pub rows_by_agency: BTreeMap<String, Rows>,
    /// Training rows.
    pub train_rows: u64,
    /// Test rows.
    pub test_rows: u64,
    /// Test AUC with the bank's own columns only.
    pub auc_alone: f64,
    /// Its interval.
    pub auc_alone_ci: [f64; 2],
    /// Test AUC with all columns.
    #[serde(rename = "auc_joint")]
    pub auc: f64,
    /// Its interval.
    #[serde(rename = "auc_joint_ci")]
    pub auc_ci: [f64; 2],
    /// Test KS with the bank's own columns only.
    pub ks_alone: f64,
    /// Its interval.
    pub ks_alone_ci: [f64; 2],
    /// Test KS with all columns.
    #[serde(rename = "ks_joint")]
    pub ks: f64,
    /// Its interval.
    #[serde(rename = "ks_joint_ci")]
    pub ks_ci: [f64; 2],
    /// Evaluations of the objective.
    pub rounds: u64,
    /// Columns of each party, by alias.
    pub columns_by_party: BTreeMap<String, u64>,
    /// Wall seconds.
    pub seconds: Seconds,
    /// What each stage cost this node.
    pub stages: Vec<StageCost>,
    /// How training converged.
    pub trace: Vec<TracePoint>,
    /// Things to look at.
    pub warnings: Vec<Warning>,
    /// What each party learned.
    pub disclosure: Vec<PartyDisclosure>,
    /// Statistical security.
    pub security: Security,
    /// Curves for drawing.
    pub curves: Curves,
}

/// The result of an alignment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Matches {
    /// Job id.
    pub job: String,
    /// Rows of the joint table: what a training job of these parties would use.
    pub rows_aligned: u64,
    /// The bank's rows against all agencies.
    pub rows: Rows,
    /// The bank's rows against each agency, by alias.
    pub rows_by_agency: BTreeMap<String, Rows>,
    /// Wall seconds.
    pub seconds: Seconds,
    /// What each stage cost this node.
    pub stages: Vec<StageCost>,
}

/// The result of a scoring job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Scores {
    /// Job id.
    pub job: String,
    /// Model id.
    pub model: String,
    /// The bank's rows against all agencies.
    pub rows: Rows,
    /// Scores in the order of the bank's file.
    pub scores: Vec<Score>,
}

/// The score of one row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Score {
    /// The row's key.
    pub key: String,
    /// Probability of label 1.
    pub probability: f64,
}
