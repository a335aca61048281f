//! `hefu dataset publish|list`.
use super::screen::columns;
use super::{ConfigArg, Screen};
use crate::failure::Result;
use clap::{Subcommand, ValueEnum};
use hefu::{Dataset, KeyFormat, Missing, Node, Published};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What to do with datasets.
#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// Check a CSV file and offer it to joint jobs, as the node's [[allow]] entries permit.
    #[command(after_help = "Examples:
  hefu dataset publish loans.csv --name loans --key uscc --key-format uscc --label default_12m --config bank.toml
  hefu dataset publish tax.csv --name tax-2026 --key uscc --missing mean --config tax.toml

Every column but key and label must be numbers. Rows with an invalid or repeated key are counted and left out.")]
    Publish {
        /// The CSV file, with a header line.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Name under which jobs ask for it; the file's unless given.
        #[arg(long, value_name = "WORD")]
        name: Option<String>,
        /// Key column.
        #[arg(long, value_name = "COLUMN")]
        key: String,
        /// Label column: 0 or 1.
        #[arg(long, value_name = "COLUMN")]
        label: Option<String>,
        /// How keys are read.
        #[arg(long, value_enum, default_value_t = KeyFormatArg::Text)]
        key_format: KeyFormatArg,
        /// What an empty cell means.
        #[arg(long, value_enum, default_value_t = MissingArg::Error)]
        missing: MissingArg,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// List what is published at this node.
    #[command(after_help = "Examples:\n  hefu dataset list --config bank.toml")]
    List {
        #[command(flatten)]
        config: ConfigArg,
    },
}

/// How keys are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyFormatArg {
    /// Any text.
    Text,
    /// Unified social credit codes, check character verified.
    Uscc,
}

/// What an empty cell means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MissingArg {
    /// An error.
    Error,
    /// The column's training mean.
    Mean,
}

impl From<KeyFormatArg> for KeyFormat {
    fn from(arg: KeyFormatArg) -> Self {
        match arg {
            KeyFormatArg::Text => KeyFormat::Text,
            KeyFormatArg::Uscc => KeyFormat::Uscc,
        }
    }
}

impl From<MissingArg> for Missing {
    fn from(arg: MissingArg) -> Self {
        match arg {
            MissingArg::Error => Missing::Error,
            MissingArg::Mean => Missing::Mean,
        }
    }
}

pub async fn run(command: DatasetCommand, screen: Screen) -> Result<()> {
    match command {
        DatasetCommand::Publish { file, name, key, label, key_format, missing, config } => {
            let mut dataset = Dataset::csv(&file)?.key(key).key_format(key_format.into()).missing(missing.into());
            if let Some(name) = name {
                dataset = dataset.name(name);
            }
            if let Some(label) = label {
                dataset = dataset.label(label);
            }
            let published = Node::connect(&config.config).await?.publish(dataset).await?;
            screen.answer(&json!({"dataset": object(&published)}), || schema(&published, screen));
        }
        DatasetCommand::List { config } => {
            let datasets = Node::connect(&config.config).await?.datasets().await?;
            let all: Vec<Value> = datasets.iter().map(object).collect();
            screen.answer(&json!({"datasets": all}), || list(&datasets, screen));
        }
    }
    Ok(())
}

fn object(d: &Published) -> Value {
    json!({
        "name": d.name, "rows": d.rows, "duplicate": d.duplicate, "invalid": d.invalid, "columns": d.columns,
        "key": d.key, "label": d.label, "schema": d.schema,
    })
}

/// What was inferred, for a person to check.
fn schema(d: &Published, screen: Screen) -> String {
    let mut rows = vec![vec![screen.pick("column", "列").to_owned(), screen.pick("read as", "类型").to_owned()]];
    rows.push(vec![d.key.clone(), screen.pick("key", "主键").to_owned()]);
    if let Some(label) = &d.label {
        rows.push(vec![label.clone(), screen.pick("label, 0 or 1", "标签 0/1").to_owned()]);
    }
    rows.extend(d.columns.iter().map(|column| vec![column.clone(), screen.pick("number", "数值").to_owned()]));
    let counts = match screen.language {
        crate::language::Language::English => format!(
            "{}: {} rows published, {} duplicate and {} invalid keys left out",
            d.name, d.rows, d.duplicate, d.invalid
        ),
        crate::language::Language::Chinese => {
            format!("{}：已发布 {} 行，略去重复主键 {} 行、无效主键 {} 行", d.name, d.rows, d.duplicate, d.invalid)
        }
    };
    format!("{}\n{counts}", columns(&rows))
}

fn list(datasets: &[Published], screen: Screen) -> String {
    let heads = [("name", "名称"), ("rows", "行"), ("duplicate", "重复"), ("invalid", "无效"), ("columns", "列数")];
    let mut rows = vec![heads.map(|(en, zh)| screen.pick(en, zh).to_owned()).to_vec()];
    for d in datasets {
        let figures = [d.rows, d.duplicate, d.invalid].map(|v| v.to_string());
        rows.push([vec![d.name.clone()], figures.to_vec(), vec![d.columns.len().to_string()]].concat());
    }
    columns(&rows)
}
