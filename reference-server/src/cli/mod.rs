//! The command line: what can be asked, and who answers.
mod catalog;
mod data;
mod dataset;
mod explain;
mod facts;
mod init;
mod job;
mod model;
mod party;
mod score;
mod screen;
mod serve;

pub use dataset::{KeyFormatArg, MissingArg};
pub use score::JoinArg;
pub use screen::Screen;

use crate::failure::{self, Result};
use crate::language::Language;
use crate::{bench, demo};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Joint credit modelling between a bank and public agencies: rows stay where they are.
///
/// A bank and one or more agencies each run a node. The nodes match their enterprises privately, fit one logistic
/// regression over the columns of all, and score with it. No node sees another's rows, and no third party is needed.
#[derive(Debug, Parser)]
#[command(name = "hefu", version, arg_required_else_help = true, after_help = EXAMPLES, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print exactly one JSON object on standard output; progress and logs go to standard error.
    #[arg(long, global = true)]
    json: bool,
    /// Language of messages; else that of LC_ALL or LANG.
    #[arg(long, global = true, value_enum, value_name = "en|zh")]
    lang: Option<Language>,
}

const EXAMPLES: &str = "\
Examples:
  hefu demo                                          a synthetic bank, tax bureau and power company, on this machine
  hefu demo --bank loans.csv --agency tax=tax.csv --key uscc --label default_12m
  hefu demo pooled                                   four banks model the rows of all, on this machine
  hefu init --config bank.toml                       make keys, certificate and descriptor for a real node
  hefu serve --config bank.toml                      run it
  hefu data check contributions.csv --schema si_contribution_month
  hefu explain 6001                                  what an error code means and what to do

Exit codes: 0 done, 1 job failed, 2 usage or configuration, 3 peer unreachable, 4 refused, 5 data, 70 internal.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one node from its configuration file until it is stopped.
    Serve(serve::ServeArgs),
    /// Make keys, certificates and the signed descriptor of a new node.
    Init(init::InitArgs),
    /// Show this node's party and the parties that it trusts; trust another one.
    #[command(subcommand)]
    Party(party::PartyCommand),
    /// Publish rows at this node; show, approve, revoke and take back; see who used what.
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    /// What another party offers this one: datasets, schemas, stewards, approvals, own usage.
    Catalog(catalog::CatalogArgs),
    /// Check files of rows before they are published.
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Submit joint jobs, follow them, end them.
    #[command(subcommand)]
    Job(job::JobCommand),
    /// Score applicants with a joint model of one's own: a CSV file in, a CSV file of key and probability out.
    Score(score::ScoreArgs),
    /// Models of this node: list and show them, make one's own of a pooled job, score with it.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// The whole thing on this machine: real nodes on loopback over mutual TLS, one report.
    Demo(demo::DemoArgs),
    /// Measure alignment, training, the channel or aggregation beside the floor that its kernels set.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// What an error code means and what to do about it.
    Explain(explain::ExplainArgs),
}

/// Which node a command is about.
#[derive(Debug, Clone, Args)]
pub struct ConfigArg {
    /// The node's configuration file.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
}

/// Reads the command line, runs the command, tells how it ended.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let screen = Screen::new(cli.json, Language::choose(cli.lang));
    match dispatch(cli.command, screen) {
        Ok(code) => code,
        Err(failure) => failure::tell(&failure, screen.json, screen.language),
    }
}

fn dispatch(command: Command, screen: Screen) -> Result<ExitCode> {
    let work = async move {
        match command {
            Command::Data(command) => return Ok(data::run(command, screen)),
            Command::Serve(args) => serve::run(args, screen).await,
            Command::Init(args) => init::run(args, screen),
            Command::Party(command) => party::run(command, screen).await,
            Command::Dataset(command) => dataset::run(command, screen).await,
            Command::Catalog(args) => catalog::run(args, screen).await,
            Command::Job(command) => job::run(command, screen).await,
            Command::Score(args) => score::run(args, screen).await,
            Command::Model(command) => model::run(command, screen).await,
            Command::Demo(args) => demo::run(args, screen).await,
            Command::Bench(command) => bench::run(command, screen).await,
            Command::Explain(args) => explain::run(args, screen),
        }
        .map(|()| ExitCode::SUCCESS)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|e| hefu::Failure::because(hefu::Code::Internal, format!("No runtime: {e}.")))?.block_on(work)
}

/// A failure of a joint job; for people the party's short name at this node is added to its id.
async fn with_alias(mut failure: hefu::Failure, node: &hefu::Node, screen: Screen) -> hefu::Failure {
    if screen.json {
        return failure;
    }
    let parties = node.parties().await.unwrap_or_default();
    if let Some(party) = parties.iter().find(|p| Some(p.party.as_str()) == failure.party.as_deref()) {
        failure.party = Some(format!("{} ({})", party.alias, party.party));
    }
    for party in parties {
        failure.cause = failure.cause.replace(&party.party, &party.alias);
    }
    failure
}

/// A command line that cannot be read, or one that only asks for help.
fn refuse(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that has seen enough is no failure.
            let _ = write!(std::io::stdout(), "{error}");
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            eprint!("{error}");
            ExitCode::from(2)
        }
        _ => {
            let asked: Vec<String> = std::env::args().collect();
            let json = asked.iter().any(|a| a == "--json");
            let zh = asked.windows(2).any(|w| w[0] == "--lang" && w[1].starts_with("zh"))
                || asked.iter().any(|a| a.starts_with("--lang=zh"));
            let text = error.to_string();
            let cause = text.trim_start_matches("error: ").split("\n\nUsage:").next().unwrap_or_default().trim();
            let language = Language::choose(zh.then_some(Language::Chinese));
            let code =
                failure::tell(&failure::usage(cause.split_whitespace().collect::<Vec<_>>().join(" ")), json, language);
            if let Some(usage) = text.split("Usage: ").nth(1).and_then(|u| u.lines().next()) {
                eprintln!("  {}: {usage}", language.pick("usage", "用法"));
            }
            code
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_a_stranger_can_work_from() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let subs: Vec<_> =
                command.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set()).collect();
            for leaf in if subs.is_empty() { vec![command] } else { subs } {
                assert!(leaf.get_after_help().is_some(), "{} {} has no example", command.get_name(), leaf.get_name());
            }
        }
    }
}
