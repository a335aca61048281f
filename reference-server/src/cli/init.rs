//! `hefu init`: keys, certificates, descriptor.
use super::serve::fault;
use super::{ConfigArg, Screen};
use crate::failure::{self, Result};
use clap::Args;
use hefu::Code;
use hefu_core::PartyId;
use hefu_node::{Node, NodeConfig};
use serde_json::json;
use std::path::Path;

/// Which node to make.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hefu init --config bank.toml
      keys for the party that the file names
  hefu init --config bank.toml --party uscc:91440300YY00001320 --alias bank --name \"Example Bank\"
      also write the file, where there is none

Send the descriptor to the other parties by a way that you trust; they run: hefu party trust FILE.")]
pub struct InitArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// Party id for a new configuration file.
    #[arg(long, value_name = "SCHEME:VALUE")]
    party: Option<String>,
    /// Short name for a new configuration file.
    #[arg(long, value_name = "WORD", requires = "party")]
    alias: Option<String>,
    /// Name for people in a new configuration file.
    #[arg(long, value_name = "TEXT", requires = "party")]
    name: Option<String>,
}

pub fn run(args: InitArgs, screen: Screen) -> Result<()> {
    let path = &args.config.config;
    if let Some(party) = &args.party {
        write_config(path, party, args.alias.as_deref(), args.name.as_deref())?;
    }
    let config = NodeConfig::load(path).map_err(fault)?;
    let descriptor = Node::init(&config).map_err(fault)?;
    let (party, alias) = (config.party.id.as_str(), &config.party.alias);
    let object = json!({
        "party": party, "alias": alias, "config": path, "state": config.files.state, "descriptor": descriptor,
    });
    screen.answer(&object, || {
        format!(
            "{}\n{}",
            match screen.language {
                crate::language::Language::English =>
                    format!("Keys and certificates of {alias} ({party}) are made. Its descriptor for the others:"),
                crate::language::Language::Chinese =>
                    format!("已生成 {alias}（{party}）的密钥与证书。请把以下描述文件交给其他参与方："),
            },
            descriptor.display()
        )
    });
    Ok(())
}

fn write_config(path: &Path, party: &str, alias: Option<&str>, name: Option<&str>) -> Result<()> {
    if path.exists() {
        return Err(failure::usage(format!("{} exists: --party is for a new file.", path.display())));
    }
    let id = PartyId::parse(party).map_err(|_| hefu_core::Fault::new(Code::BadPartyId))?;
    let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut text = String::from("# Written by hefu init; docs/node.example.toml names every entry.\n[party]\n");
    text.push_str(&format!("id = {}\n", quote(id.as_str())));
    if let Some(alias) = alias {
        text.push_str(&format!("alias = {}\n", quote(alias)));
    }
    if let Some(name) = name {
        text.push_str(&format!("name = {}\n", quote(name)));
    }
    std::fs::write(path, text).map_err(|e| failure::file(Code::Configuration, path, &e))
}
