//! `hefu catalog PARTY`: what another party offers this one.
use super::facts::{self, Names};
use super::{ConfigArg, Screen, with_alias};
use crate::failure::Result;
use clap::Args;
use hefu::{Error, Node};
use serde_json::{Value, json};

/// Whose catalogue.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hefu catalog tax --config bank.toml                what party tax offers: rows, grain, steward, period, schema
  hefu catalog tax tax-2026 --config bank.toml       one dataset with its schema, and how this party has used it
  hefu catalog tax tax-2026 --config bank.toml --json

A party sees only datasets that an [[allow]] entry of the other node opens to it. Whether others exist is not told.
approval: granted, or needed (the first job waits until the steward there approves).")]
pub struct CatalogArgs {
    /// Short name or party id.
    #[arg(value_name = "PARTY")]
    party: String,
    /// One of its datasets.
    #[arg(value_name = "DATASET")]
    dataset: Option<String>,
    #[command(flatten)]
    config: ConfigArg,
}

pub async fn run(args: CatalogArgs, screen: Screen) -> Result<()> {
    let node = Node::connect(&args.config.config).await?;
    match answer(&args, &node, screen).await {
        Ok(()) => Ok(()),
        Err(error) => Err(with_alias(error.into(), &node, screen).await),
    }
}

async fn answer(args: &CatalogArgs, node: &Node, screen: Screen) -> std::result::Result<(), Error> {
    let Some(dataset) = &args.dataset else {
        let all = node.catalogue(&args.party).await?;
        let objects: Vec<Value> = all.iter().map(facts::offered).collect();
        screen.answer(&json!({"party": args.party, "datasets": objects}), || facts::catalogue(&all, screen));
        return Ok(());
    };
    let (offered, schema) = node.offered(&args.party, dataset).await?;
    let uses = node.usage_at(&args.party, dataset).await?;
    let names = Names::of(node).await;
    let mut object = facts::offered(&offered);
    object["schema_text"] = json!(schema);
    object["uses"] = uses.iter().map(facts::one_use).collect();
    screen.answer(&object, || {
        let own = screen.pick("used by this party", "本方使用记录");
        format!(
            "{}{}: {}\n\n{}\n\n{own}\n{}",
            facts::catalogue(std::slice::from_ref(&offered), screen),
            screen.pick("schema", "数据模式"),
            offered.schema,
            schema.trim_end(),
            facts::uses(&uses, &names, screen)
        )
    });
    Ok(())
}
