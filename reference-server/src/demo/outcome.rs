//! Everything that a run of the main job tells: what the screen, the JSON object and the report are made of.
use hefu::result::{Report, Rows, StageCost, Warning};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A finished run with every party's own figures.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// What the initiator's node tells of the job.
    pub result: Report,
    /// The parties in rank order, the bank first.
    pub parties: Vec<PartyOutcome>,
    /// The model's intercept, on standardised columns.
    pub intercept: f64,
    /// What every party's node would have a person look at.
    pub warnings: Vec<PartyWarning>,
    /// What the run was asked to do.
    pub settings: Settings,
}

/// A warning and whose node gives it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartyWarning {
    /// The party's short name.
    pub party: String,
    /// The warning itself.
    #[serde(flatten)]
    pub warning: Warning,
}

/// One party's part of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartyOutcome {
    /// The party's short name.
    pub alias: String,
    /// Party id.
    pub party: String,
    /// `initiator` or `collaborator`.
    pub role: String,
    /// Names and coefficients of its standardised columns.
    pub columns: Vec<(String, f64)>,
    /// User and system CPU seconds of its process, during the job.
    pub cpu_seconds: f64,
    /// Bytes of sealed frames that it wrote.
    pub bytes: u64,
    /// Largest resident size of its process, MiB.
    pub peak_rss_mib: f64,
    /// What each stage cost it.
    pub stages: Vec<StageCost>,
    /// Arithmetic kernels that it chose.
    pub backend: String,
    /// What it published.
    #[serde(default)]
    pub dataset: DatasetFacts,
}

/// What a party's catalogue says of its dataset.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DatasetFacts {
    /// Rows that a job can match.
    pub rows: u64,
    /// Hex digest of the schema's exact bytes.
    pub schema: String,
    /// Whether the schema was inferred from the file.
    pub inferred: bool,
    /// What one row stands for.
    pub grain: String,
    /// Who answers for it; empty where not stated.
    pub steward: String,
    /// Months that its rows cover; empty where not stated.
    pub period: String,
}

impl From<hefu::Published> for DatasetFacts {
    fn from(d: hefu::Published) -> Self {
        DatasetFacts {
            rows: d.rows,
            schema: d.schema,
            inferred: d.inferred,
            grain: d.grain,
            steward: d.steward,
            period: d.period,
        }
    }
}

/// What a run was asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Settings {
    /// `inner` or `left`.
    pub join: String,
    /// `error` or `mean`.
    pub missing: String,
    /// Weight of the penalty.
    pub lambda: f64,
    /// Purpose of the job.
    pub purpose: String,
    /// Enterprises and seed of the synthetic world, unless files were given.
    pub synthetic: Option<Synthetic>,
    /// Name and version of the program.
    pub software: String,
}

/// The synthetic world.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Synthetic {
    /// Enterprises in it.
    pub enterprises: u64,
    /// Its seed.
    pub seed: u64,
}

impl Outcome {
    /// Warnings of one kind and party together: name, party, columns, cause.
    pub fn grouped_warnings(&self) -> Vec<(&str, &str, Vec<&str>, &str)> {
        let mut groups: Vec<(&str, &str, Vec<&str>, &str)> = Vec::new();
        for PartyWarning { party, warning } in &self.warnings {
            let column = warning.column.as_deref();
            match groups.iter_mut().find(|g| g.0 == warning.name && g.1 == party && g.3 == warning.cause) {
                Some(group) => group.2.extend(column),
                None => groups.push((&warning.name, party, column.into_iter().collect(), &warning.cause)),
            }
        }
        groups
    }

    /// Short names of the agencies and how the bank's rows meet theirs, in rank order.
    pub fn agencies(&self) -> impl Iterator<Item = (&str, &Rows)> {
        let known = &self.result.rows_by_agency;
        self.parties.iter().skip(1).filter_map(|p| Some((p.alias.as_str(), known.get(&p.alias)?)))
    }

    /// The one object that `--json` prints; `report` is the path of the HTML file.
    pub fn to_json(&self, report: &str) -> Value {
        let r = &self.result;
        let by_party = |value: &dyn Fn(&PartyOutcome) -> Value| {
            Value::Object(self.parties.iter().map(|p| (p.alias.clone(), value(p))).collect::<Map<_, _>>())
        };
        let coefficients: Map<String, Value> = self
            .parties
            .iter()
            .flat_map(|p| p.columns.iter().map(move |(c, v)| (format!("{}.{c}", p.alias), json!(v))))
            .collect();
        json!({
            "rows_aligned": r.rows_aligned,
            "rows": r.rows,
            "rows_by_agency": r.rows_by_agency,
            "train_rows": r.train_rows,
            "test_rows": r.test_rows,
            "auc_alone": r.auc_alone,
            "auc_alone_ci": r.auc_alone_ci,
            "auc_joint": r.auc,
            "auc_joint_ci": r.auc_ci,
            "ks_alone": r.ks_alone,
            "ks_alone_ci": r.ks_alone_ci,
            "ks_joint": r.ks,
            "ks_joint_ci": r.ks_ci,
            "coefficients": coefficients,
            "intercept": self.intercept,
            "rounds": r.rounds,
            "seconds": r.seconds,
            "cpu_seconds": by_party(&|p| json!(p.cpu_seconds)),
            "bytes": by_party(&|p| json!(p.bytes)),
            "peak_rss_mib": by_party(&|p| json!(p.peak_rss_mib)),
            "stages": by_party(&|p| json!(p.stages)),
            "datasets": by_party(&|p| json!(p.dataset)),
            "warnings": self.warnings,
            "security": r.security,
            "model": r.model,
            "report": report,
        })
    }
}

impl Outcome {
    /// The run in a few lines for people.
    pub fn summary(&self, language: crate::language::Language) -> String {
        let r = &self.result;
        let word = |en: &'static str, zh: &'static str| language.pick(en, zh);
        let line = |name: &str, alone: f64, a: [f64; 2], joint: f64, j: [f64; 2]| {
            format!(
                "{name:<4} {} {alone:.4} [{:.4}, {:.4}]   {} {joint:.4} [{:.4}, {:.4}]\n",
                word("bank alone", "银行单独"),
                a[0],
                a[1],
                word("joint", "联合"),
                j[0],
                j[1]
            )
        };
        let mut out = format!(
            "{} {}, {} {}, {} {}\n",
            word("rows aligned", "匹配样本"),
            r.rows_aligned,
            word("training", "训练"),
            r.train_rows,
            word("test", "测试"),
            r.test_rows
        );
        out.push_str(&line("AUC", r.auc_alone, r.auc_alone_ci, r.auc, r.auc_ci));
        out.push_str(&line("KS", r.ks_alone, r.ks_alone_ci, r.ks, r.ks_ci));
        out.push_str(&format!(
            "{} {:.2} s ({} {:.2}, {} {:.2}, {} {:.2}), {} {}\n",
            word("wall", "时长"),
            r.seconds.total,
            word("matching", "匹配"),
            r.seconds.align,
            word("training", "训练"),
            r.seconds.train,
            word("test scores", "测试评分"),
            r.seconds.evaluate,
            word("evaluations", "评估次数"),
            r.rounds
        ));
        for p in &self.parties {
            out.push_str(&format!(
                "{:<10} {} {:>3}   CPU {:>6.2} s   {} {:>7.1} MB   {} {:>5.0} MiB\n",
                p.alias,
                word("columns", "列"),
                p.columns.len(),
                p.cpu_seconds,
                word("sent", "发送"),
                p.bytes as f64 / 1e6,
                word("peak", "内存峰值"),
                p.peak_rss_mib
            ));
        }
        for (name, party, columns, cause) in self.grouped_warnings() {
            out.push_str(&format!("{} {name} {party} {}: {cause}\n", word("warning", "警告"), columns.join(", ")));
        }
        out
    }
}
