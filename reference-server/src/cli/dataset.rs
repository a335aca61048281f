//! `hefu dataset …`: what this node offers, who may use it, who did.
use super::data::{self, EncodingArg};
use super::facts::{self, Names};
use super::screen::columns;
use super::serve::fault;
use super::{ConfigArg, Screen};
use crate::failure::{self, Result};
use clap::{Args, Subcommand, ValueEnum};
use hefu::{Dataset, KeyFormat, Missing, Node, Published, Purpose};
use hefu_node::NodeConfig;
use serde_json::{Value, json};
use std::path::PathBuf;

/// What to do with datasets.
#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// Check a file and offer it to joint jobs, as the node's [[allow]] entries permit.
    #[command(after_help = "Examples:
  hefu dataset publish loans loans.csv --key uscc --key-format uscc --label default_12m --config bank.toml
  hefu dataset publish tax-2026 features.ndjson --schema tax-features.schema.json \\
      --steward \"Data office, ext. 4711\" --purpose origination --period 202501-202512 --config tax.toml
  hefu dataset publish contributions si.csv --schema si_contribution_month --config si.toml

With --schema every row is checked first, as hefu data check does; an error names row and column, never a value. The
schema names key, label and features; the digest of its exact bytes is what jobs cite. Without it one is inferred and
shown: every column but key and label a number. Rows with an invalid or repeated key are counted and left out.
A table with more than one row an enterprise can be published, and seen in the catalogue, but enters no job.")]
    Publish(PublishArgs),
    /// Begin a new epoch of a dataset: the next unbalanced alignment draws a new key and publishes a new set.
    #[command(after_help = "Examples:
  hefu dataset rotate tax-2026 --config tax.toml

Counts of evaluated keys begin anew. Sets that other parties keep from before match no later job. Works with the node
running or not.")]
    Rotate {
        /// The dataset.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// List what is published at this node.
    #[command(after_help = "Examples:\n  hefu dataset list --config bank.toml")]
    List {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Show one dataset: facts and schema.
    #[command(after_help = "Examples:\n  hefu dataset show tax-2026 --config tax.toml")]
    Show {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Who used a dataset, in which job, for which purpose and output, when.
    #[command(after_help = "Examples:\n  hefu dataset usage tax-2026 --config tax.toml --json")]
    Usage {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Take a dataset back: new jobs are refused, running ones end by their next evaluation.
    #[command(after_help = "Examples:\n  hefu dataset unpublish tax-2026 --config tax.toml")]
    Unpublish {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Approve the use of a dataset by a party; a job that waits for it goes on by itself.
    #[command(after_help = "Examples:\n  hefu dataset approve tax-2026 --party bank --config tax.toml

The approval holds for this party and this schema until it is revoked.")]
    Approve(PartyUse),
    /// Refuse or revoke the use of a dataset by a party: waiting jobs are rejected, running ones end.
    #[command(after_help = "Examples:\n  hefu dataset revoke tax-2026 --party bank --config tax.toml

It also binds where an [[allow]] entry says approved = true, until hefu dataset approve.")]
    Revoke(PartyUse),
    /// What waits for approval, and what was decided.
    #[command(after_help = "Examples:\n  hefu dataset approvals --config tax.toml")]
    Approvals {
        #[command(flatten)]
        config: ConfigArg,
    },
}

/// Which file, and what it is.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Name under which jobs ask for it, then the file; the name may be left out.
    #[arg(value_names = ["NAME", "FILE"], num_args = 1..=2, required = true)]
    what: Vec<String>,
    /// Name under which jobs ask for it; the file's unless given.
    #[arg(long, value_name = "WORD")]
    name: Option<String>,
    /// A JSON Schema (2020-12) of one row, or the name of a table of the data dictionary.
    #[arg(long, value_name = "SCHEMA")]
    schema: Option<String>,
    /// Key column; the schema's unless given.
    #[arg(long, value_name = "COLUMN", required_unless_present = "schema")]
    key: Option<String>,
    /// Label column: 0 or 1.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// How keys are read; as the schema says, else as text.
    #[arg(long, value_enum)]
    key_format: Option<KeyFormatArg>,
    /// What an empty cell means.
    #[arg(long, value_enum, default_value_t = MissingArg::Error)]
    missing: MissingArg,
    /// How rows are written; else by the file's name: .ndjson and .jsonl are NDJSON.
    #[arg(long, value_enum)]
    encoding: Option<EncodingArg>,
    /// Who answers for the dataset, for people.
    #[arg(long, value_name = "TEXT", default_value = "")]
    steward: String,
    /// A purpose that it serves; once for each. Without one, the [[allow]] entries decide alone.
    #[arg(long, value_name = "WORD", value_parser = super::score::parse_purpose)]
    purpose: Vec<Purpose>,
    /// Months that its rows cover.
    #[arg(long, value_name = "YYYYMM[-YYYYMM]", default_value = "")]
    period: String,
    /// Sensitivity; the highest level of the schema's columns unless given.
    #[arg(long, value_name = "1-5", value_parser = clap::value_parser!(u8).range(1..=5))]
    sensitivity: Option<u8>,
    #[command(flatten)]
    config: ConfigArg,
}

/// A dataset and a party.
#[derive(Debug, Args)]
pub struct PartyUse {
    /// The dataset.
    #[arg(value_name = "NAME")]
    name: String,
    /// Short name or party id.
    #[arg(long, value_name = "PARTY")]
    party: String,
    #[command(flatten)]
    config: ConfigArg,
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
        DatasetCommand::Publish(args) => publish(args, screen).await?,
        DatasetCommand::Rotate { name, config } => {
            let config = NodeConfig::load(&config.config).map_err(fault)?;
            let ended = hefu_node::Node::rotate(&config, &name).map_err(fault)?;
            screen.answer(&json!({"dataset": name, "epoch_ended": ended}), || rotated(&name, ended, screen));
        }
        DatasetCommand::List { config } => {
            let all = Node::connect(&config.config).await?.datasets().await?;
            let objects: Vec<Value> = all.iter().map(facts::dataset).collect();
            screen.answer(&json!({"datasets": objects}), || facts::datasets(&all, screen));
        }
        DatasetCommand::Show { name, config } => {
            let (dataset, schema) = Node::connect(&config.config).await?.dataset(&name).await?;
            let mut object = facts::dataset(&dataset);
            object["schema_text"] = json!(schema);
            screen.answer(&json!({"dataset": object}), || {
                format!("{}\n{}", facts::described(&dataset, screen), schema.trim_end())
            });
        }
        DatasetCommand::Usage { name, config } => {
            let node = Node::connect(&config.config).await?;
            let (uses, names) = (node.usage(&name).await?, Names::of(&node).await);
            let objects: Vec<Value> = uses.iter().map(facts::one_use).collect();
            screen.answer(&json!({"dataset": name, "uses": objects}), || facts::uses(&uses, &names, screen));
        }
        DatasetCommand::Unpublish { name, config } => {
            let jobs = Node::connect(&config.config).await?.unpublish(&name).await?;
            screen.answer(&json!({"dataset": name, "jobs_ended": jobs}), || {
                let words = screen.pick("is no longer published; jobs that end by it", "已撤回；因此终止的作业");
                format!("{name} {words}: {}", jobs.len())
            });
        }
        DatasetCommand::Approve(PartyUse { name, party, config }) => {
            let node = Node::connect(&config.config).await?;
            let decision = node.approve(&name, &party).await?;
            let names = Names::of(&node).await;
            screen.answer(&json!({"decision": facts::decision(&decision)}), || {
                facts::decisions(&[decision], &names, screen)
            });
        }
        DatasetCommand::Revoke(PartyUse { name, party, config }) => {
            let node = Node::connect(&config.config).await?;
            let (decision, jobs) = node.revoke(&name, &party).await?;
            let names = Names::of(&node).await;
            screen.answer(&json!({"decision": facts::decision(&decision), "jobs_ended": jobs}), || {
                let ended = screen.pick("jobs that end by it", "因此终止的作业");
                format!("{}{ended}: {}", facts::decisions(&[decision], &names, screen), jobs.len())
            });
        }
        DatasetCommand::Approvals { config } => {
            let node = Node::connect(&config.config).await?;
            let (all, names) = (node.approvals().await?, Names::of(&node).await);
            let objects: Vec<Value> = all.iter().map(facts::decision).collect();
            screen.answer(&json!({"approvals": objects}), || facts::decisions(&all, &names, screen));
        }
    }
    Ok(())
}

async fn publish(args: PublishArgs, screen: Screen) -> Result<()> {
    let (name, file) = match args.what.as_slice() {
        [file] => (args.name, PathBuf::from(file)),
        [name, file] if args.name.is_none() => (Some(name.clone()), PathBuf::from(file)),
        _ => return Err(failure::usage("The dataset's name stands there twice.")),
    };
    let is_ndjson = data::is_ndjson(&file, args.encoding);
    let mut dataset = if is_ndjson { Dataset::ndjson(&file)? } else { Dataset::csv(&file)? };
    dataset = dataset.missing(args.missing.into()).steward(args.steward).period(args.period);
    if let Some(schema) = &args.schema {
        dataset = dataset.schema(data::schema_text(schema)?);
    }
    if let Some(key) = args.key {
        dataset = dataset.key(key);
    }
    if let Some(format) = args.key_format {
        dataset = dataset.key_format(format.into());
    }
    if let Some(name) = name {
        dataset = dataset.name(name);
    }
    if let Some(label) = args.label {
        dataset = dataset.label(label);
    }
    if let Some(level) = args.sensitivity {
        dataset = dataset.sensitivity(level);
    }
    dataset = args.purpose.into_iter().fold(dataset, Dataset::purpose);
    let published = Node::connect(&args.config.config).await?.publish(dataset).await?;
    screen.answer(&json!({"dataset": facts::dataset(&published)}), || {
        format!("{}\n{}", roles(&published, screen), facts::described(&published, screen))
    });
    Ok(())
}

/// How columns are read, for a person to check.
fn roles(d: &Published, screen: Screen) -> String {
    let mut rows = vec![vec![screen.pick("column", "列").to_owned(), screen.pick("read as", "类型").to_owned()]];
    rows.push(vec![d.key.clone(), screen.pick("key", "主键").to_owned()]);
    if let Some(label) = &d.label {
        rows.push(vec![label.clone(), screen.pick("label, 0 or 1", "标签 0/1").to_owned()]);
    }
    let read_as = match d.grain.as_str() {
        "enterprise" => screen.pick("number", "数值"),
        _ => screen.pick("not used by jobs", "作业不使用"),
    };
    rows.extend(d.columns.iter().map(|column| vec![column.clone(), read_as.to_owned()]));
    columns(&rows)
}

fn rotated(name: &str, ended: bool, screen: Screen) -> String {
    let (en, zh) = match ended {
        true => (
            "its epoch is over; the next unbalanced alignment begins another",
            "本期已结束；下次非平衡对齐将开始新的一期",
        ),
        false => ("it had no epoch", "没有正在进行的一期"),
    };
    format!("{name}: {}", screen.pick(en, zh))
}
