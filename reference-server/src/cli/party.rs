//! `hefu party show|trust`: who this node is, and whom it trusts. Works with the node running or not.
use super::screen::columns;
use super::serve::fault;
use super::{ConfigArg, Screen};
use crate::failure::{self, Result};
use clap::Subcommand;
use hefu::{Code, Failure, Node};
use hefu_node::NodeConfig;
use hefu_protocol::session::{Descriptor, open_descriptor};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What to do with parties.
#[derive(Debug, Subcommand)]
pub enum PartyCommand {
    /// Show this node's party, its descriptor, and the parties that it trusts.
    #[command(
        after_help = "Examples:\n  hefu party show --config bank.toml\n  hefu party show --config bank.toml --json"
    )]
    Show {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Trust another party by its signed descriptor.
    #[command(after_help = "Examples:
  hefu party trust tax.party.json --alias tax --config bank.toml

Compare the fingerprint that is shown with the other party by telephone before you use it.")]
    Trust {
        /// The descriptor that the other party sent: party.json of its state folder.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Short name for that party at this node.
        #[arg(long, value_name = "WORD")]
        alias: Option<String>,
        /// Give a party that is trusted under another short name this one.
        #[arg(long, requires = "alias")]
        rename: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
}

pub async fn run(command: PartyCommand, screen: Screen) -> Result<()> {
    match command {
        PartyCommand::Show { config } => show(&config.config, screen),
        PartyCommand::Trust { file, alias, rename, config } => {
            trust(&file, alias, rename, &config.config, screen).await
        }
    }
}

fn open(envelope: &[u8]) -> Result<Descriptor> {
    open_descriptor(envelope).map_err(|e| hefu_core::Fault::new(e.code()).into())
}

fn describe(alias: &str, d: &Descriptor) -> Value {
    json!({
        "party": d.party.as_str(), "alias": alias, "name": d.name, "endpoint": d.endpoint,
        "fingerprint": fingerprint(d),
    })
}

/// The signing key in groups of four, for reading out.
fn fingerprint(d: &Descriptor) -> String {
    let hex: Vec<String> = d.signing_key.iter().map(|b| format!("{b:02x}")).collect();
    hex.chunks(2).map(<[String]>::concat).collect::<Vec<_>>().join(" ")
}

fn show(config: &Path, screen: Screen) -> Result<()> {
    let config = NodeConfig::load(config).map_err(fault)?;
    let path = config.files.state.join("party.json");
    let envelope = std::fs::read(&path).map_err(|_| {
        let cause = format!("{} has no descriptor: run hefu init first.", config.files.state.display());
        Failure::because(Code::Configuration, cause)
    })?;
    let own = open(&envelope)?;
    let trusted = trusted(&config.files.state);
    let mut object = describe(&config.party.alias, &own);
    object["descriptor"] = json!(path);
    object["trusted"] = trusted.iter().map(|(alias, d)| describe(alias, d)).collect();
    screen.answer(&object, || {
        let mut rows = vec![["alias", "party", "endpoint", "fingerprint"].map(str::to_owned).to_vec()];
        for (alias, d) in std::iter::once((config.party.alias.clone(), own)).chain(trusted) {
            rows.push(vec![alias, d.party.to_string(), d.endpoint.clone(), fingerprint(&d)]);
        }
        format!("{}\n{}: {}", columns(&rows), screen.pick("descriptor for the others", "描述文件"), path.display())
    });
    Ok(())
}

fn trusted(state: &Path) -> Vec<(String, Descriptor)> {
    let entries = std::fs::read_dir(state.join("trust")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|e| e.path()).collect();
    files.sort();
    let load = |path: &PathBuf| {
        let alias = path.file_stem()?.to_str()?.to_owned();
        Some((alias, open(&std::fs::read(path).ok()?).ok()?))
    };
    files.iter().filter_map(load).collect()
}

async fn trust(file: &Path, alias: Option<String>, rename: bool, config: &Path, screen: Screen) -> Result<()> {
    let envelope = std::fs::read(file).map_err(|e| failure::file(Code::Configuration, file, &e))?;
    let descriptor = open(&envelope)?;
    let alias = alias.unwrap_or_default();
    let alias = match Node::connect(config).await {
        Ok(node) if rename => node.rename(envelope, alias).await?.alias,
        Ok(node) => node.trust(envelope, alias).await?.alias,
        Err(error) if error.code() == Code::ControlUnreachable => {
            let config = NodeConfig::load(config).map_err(fault)?;
            hefu_node::Node::trust(&config, &envelope, &alias, rename).map_err(fault)?
        }
        Err(error) => return Err(error.into()),
    };
    screen.answer(&describe(&alias, &descriptor), || {
        let (party, print) = (&descriptor.party, fingerprint(&descriptor));
        match screen.language {
            crate::language::Language::English => {
                format!("{alias} ({party}) is trusted. Compare its fingerprint by telephone:\n{print}")
            }
            crate::language::Language::Chinese => format!("已信任 {alias}（{party}）。请电话核对其指纹：\n{print}"),
        }
    });
    Ok(())
}
