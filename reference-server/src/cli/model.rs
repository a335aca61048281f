//! `hefu model`: the node's own models, and those it makes of pooled jobs.
use super::{ConfigArg, Screen};
use crate::failure::{self, Result};
use clap::Subcommand;
use hefu::{Code, Failure, Node, OwnModel};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What to do with models.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// The models of which this node holds a part.
    #[command(after_help = "Examples:\n  hefu model list --config bank.toml")]
    List {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// This node's part of a model, as JSON.
    #[command(after_help = "Examples:\n  hefu model show a0b1c2d3e4f5061728394a5b6c7d8e9f --config bank.toml --json")]
    Show {
        /// Model id.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Make a model of one's own of a pooled job: as it is, or fitted to one's own rows with the pooled model as
    /// centre.
    #[command(after_help = "Examples:
  hefu model own 5d3c7f5b1a2e4f60918273645546372a --config south.toml
  hefu model own 5d3c7f5b1a2e4f60918273645546372a --dataset loans --pull 20 --cutoff 0.08 --config south.toml

The owner is this party alone: no other party's scoring job may use the model. A large --pull keeps the pooled model,
a small one trusts the own rows.")]
    Own {
        /// Job id of the pooled job, as coordinator or participant.
        #[arg(value_name = "JOB")]
        job: String,
        /// Own dataset to fit to.
        #[arg(long, value_name = "NAME")]
        dataset: Option<String>,
        /// Strength of the pull towards the pooled model.
        #[arg(long, value_name = "WEIGHT", default_value_t = 1.0, requires = "dataset")]
        pull: f64,
        /// Probability from which an applicant is refused.
        #[arg(long, value_name = "P")]
        cutoff: Option<f64>,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Score a published dataset with a model of which this party is the only one.
    #[command(after_help = "Examples:
  hefu model score a0b1c2d3e4f5061728394a5b6c7d8e9f --dataset applicants --out scores.csv --config south.toml")]
    Score {
        /// Model id.
        #[arg(value_name = "ID")]
        id: String,
        /// A dataset that this node has published.
        #[arg(long, value_name = "NAME")]
        dataset: String,
        /// Where to write key and probability.
        #[arg(long, value_name = "FILE", default_value = "scores.csv")]
        out: PathBuf,
        #[command(flatten)]
        config: ConfigArg,
    },
}

pub async fn run(command: ModelCommand, screen: Screen) -> Result<()> {
    match command {
        ModelCommand::List { config } => {
            let models = Node::connect(&config.config).await?.models().await?;
            screen.answer(&json!({"models": models}), || models.join("\n"));
        }
        ModelCommand::Show { id, config } => {
            let model = read(&Node::connect(&config.config).await?.model_json(&id).await?)?;
            screen.answer(&model, || describe(&model, screen));
        }
        ModelCommand::Own { job, dataset, pull, cutoff, config } => {
            let node = Node::connect(&config.config).await?;
            let wanted = OwnModel { dataset: dataset.as_deref(), pull, cutoff };
            let model = read(&node.own_model(&job, wanted).await?)?;
            screen.answer(&model, || describe(&model, screen));
        }
        ModelCommand::Score { id, dataset, out, config } => {
            failure::writable(&out)?;
            let scores = Node::connect(&config.config).await?.score_own(&id, &dataset).await?;
            write(&out, &scores)?;
            let refused = scores.scores.iter().filter(|s| s.refused == Some(true)).count();
            let object = json!({
                "model": scores.model, "rows": scores.rows, "scored": scores.scores.len(), "cutoff": scores.cutoff,
                "refused": scores.cutoff.map(|_| refused), "out": out,
            });
            screen.answer(&object, || {
                let counted = format!("{}: {}", screen.pick("rows scored", "评分样本"), scores.scores.len());
                let refused = scores.cutoff.map(|_| format!(", {}: {refused}", screen.pick("refused", "拒绝")));
                format!("{counted}{}\n{}", refused.unwrap_or_default(), out.display())
            });
        }
    }
    Ok(())
}

fn read(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|_| Failure::because(Code::Internal, "The node's model is no JSON text."))
}

fn describe(model: &Value, screen: Screen) -> String {
    let mut lines = vec![format!("{}: {}", screen.pick("model", "模型"), model["model"].as_str().unwrap_or_default())];
    for column in model["columns"].as_array().into_iter().flatten() {
        let name = column["name"].as_str().unwrap_or_default();
        lines.push(format!("{name}: {:+.6}", column["coefficient"].as_f64().unwrap_or_default()));
    }
    if let Some(intercept) = model["intercept"].as_f64() {
        lines.push(format!("{}: {intercept:+.6}", screen.pick("intercept", "截距")));
    }
    if let Some(cutoff) = model["cutoff"].as_f64() {
        lines.push(format!("{}: {cutoff}", screen.pick("cut-off", "拒绝阈值")));
    }
    lines.join("\n")
}

fn write(path: &std::path::Path, scores: &hefu::OwnScores) -> Result<()> {
    let told = |e: std::io::Error| failure::file(Code::Disk, path, &e);
    let rows = scores.scores.iter().map(|s| (s.key.as_str(), s.probability));
    let file = std::fs::File::create(path).map_err(told)?;
    hefu_data::scores::write(std::io::BufWriter::new(file), "key", rows)
        .map_err(|e| told(std::io::Error::other(e.to_string())))
}
