//! Everything that a pooled run tells: what the screen, the JSON object and the report are made of.
use crate::language::Language;
use hefu::PoolReport;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A finished run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PooledOutcome {
    /// What the coordinator's node tells of the job.
    pub result: PoolReport,
    /// The banks in the order of the command line.
    pub banks: Vec<BankOutcome>,
    /// Columns in the order of the files.
    pub columns: Vec<String>,
    /// Rows that all models are judged on.
    pub test_rows: u64,
    /// The pooled model on them.
    pub pooled: Measures,
    /// Its curve.
    pub roc: Vec<[f64; 2]>,
    /// How the run was set up.
    pub settings: Settings,
}

/// One bank.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BankOutcome {
    /// Short name.
    pub alias: String,
    /// Party id.
    pub party: String,
    /// Valid rows of its file.
    pub rows: u64,
    /// Those that train.
    pub train_rows: u64,
    /// Those with label 1 among them.
    pub positive: u64,
    /// A model of its own rows alone; none where they do not make one.
    pub alone: Option<Measures>,
    /// Why there is none: a registry name.
    pub no_model: Option<String>,
    /// Its curve.
    pub roc: Vec<[f64; 2]>,
    /// CPU seconds of its node during the job; none where the node has left.
    pub cpu_seconds: Option<f64>,
    /// Largest resident size, MiB.
    pub peak_rss_mib: Option<f64>,
    /// Sealed frame bytes that it wrote.
    pub bytes: Option<u64>,
}

/// How a model separates.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Measures {
    /// Area under the ROC curve.
    pub auc: f64,
    /// DeLong, 95 %.
    pub auc_ci: [f64; 2],
    /// Kolmogorov–Smirnov statistic.
    pub ks: f64,
    /// 1,000 stratified bootstraps, 95 %.
    pub ks_ci: [f64; 2],
}

/// How the run was set up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Settings {
    /// Whether the rows are invented.
    pub is_synthetic: bool,
    /// Whether the test rows are a file of their own.
    pub has_test_file: bool,
    /// Penalty.
    pub lambda: f64,
    /// Name and version of the program.
    pub software: String,
    /// Who left, and in which round.
    pub dropped: Option<String>,
}

impl PooledOutcome {
    /// The object of `--json`.
    pub fn to_json(&self, report: &str) -> Value {
        let of = |value: &dyn Fn(&BankOutcome) -> Value| -> Value {
            Value::Object(self.banks.iter().map(|b| (b.alias.clone(), value(b))).collect())
        };
        let alone = |value: fn(&Measures) -> Value| -> Value {
            Value::Object(
                self.banks.iter().map(|b| (b.alias.clone(), b.alone.as_ref().map_or(Value::Null, value))).collect(),
            )
        };
        let r = &self.result;
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
        put("rows", of(&|b| json!(b.rows)));
        put("train_rows", json!(r.train_rows));
        put("test_rows", json!(self.test_rows));
        put("auc_alone", alone(|m| json!(m.auc)));
        put("auc_alone_ci", alone(|m| json!(m.auc_ci)));
        put("auc_pooled", json!(self.pooled.auc));
        put("auc_pooled_ci", json!(self.pooled.auc_ci));
        put("ks_alone", alone(|m| json!(m.ks)));
        put("ks_alone_ci", alone(|m| json!(m.ks_ci)));
        put("ks_pooled", json!(self.pooled.ks));
        put("ks_pooled_ci", json!(self.pooled.ks_ci));
        put("coefficients", json!(r.coefficients));
        put("intercept", json!(r.intercept));
        put("rounds", json!(r.rounds));
        put("survivors", r.trace.iter().map(|round| json!(round.survivors)).collect());
        put("lost", r.trace.iter().map(|round| json!(round.lost)).collect());
        put("seconds", json!(r.seconds));
        put("cpu_seconds", of(&|b| json!(b.cpu_seconds)));
        put("bytes", of(&|b| json!(b.bytes)));
        put("peak_rss_mib", of(&|b| json!(b.peak_rss_mib)));
        put("report", json!(report));
        Value::Object(object)
    }

    /// A few lines for people.
    pub fn summary(&self, language: Language) -> String {
        let mut lines = Vec::new();
        for bank in &self.banks {
            let rows = bank.train_rows;
            lines.push(match (&bank.alone, language) {
                (Some(m), Language::English) => {
                    format!("{}: {rows} rows alone AUC {:.3}, pooled {:.3}", bank.alias, m.auc, self.pooled.auc)
                }
                (Some(m), Language::Chinese) => {
                    format!("{}：{rows} 行，单独 AUC {:.3}，合并 {:.3}", bank.alias, m.auc, self.pooled.auc)
                }
                (None, Language::English) => {
                    format!("{}: {rows} rows make no model alone, pooled AUC {:.3}", bank.alias, self.pooled.auc)
                }
                (None, Language::Chinese) => {
                    format!("{}：{rows} 行，单独无法建模，合并 AUC {:.3}", bank.alias, self.pooled.auc)
                }
            });
        }
        let (auc, rounds) = (self.pooled.auc_ci, self.result.rounds);
        let total = self.result.seconds.get("total").copied().unwrap_or_default();
        lines.push(match language {
            Language::English => format!(
                "pooled: {} training rows, {} test rows, AUC {:.3} [{:.3}, {:.3}], KS {:.3}; {rounds} rounds, {total:.2} s",
                self.result.train_rows, self.test_rows, self.pooled.auc, auc[0], auc[1], self.pooled.ks
            ),
            Language::Chinese => format!(
                "合并：训练 {} 行，测试 {} 行，AUC {:.3} [{:.3}, {:.3}]，KS {:.3}；{rounds} 轮，{total:.2} 秒",
                self.result.train_rows, self.test_rows, self.pooled.auc, auc[0], auc[1], self.pooled.ks
            ),
        });
        lines.join("\n")
    }
}
