//! `hefu job submit|watch|show|list|cancel`.
use super::facts::Names;
use super::screen::columns;
use super::{ConfigArg, Screen, with_alias};
use crate::failure::{self, Result};
use crate::progress::Progress;
use clap::Subcommand;
use hefu::{Code, Failure, Job, JobPlan, JobState, JobStatus, Matches, Node, PoolPlan, Report};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Submit a job file; the job runs in the node, its id is printed.
    #[command(after_help = "Examples:
  hefu job submit train.toml --config bank.toml
  hefu job submit train.toml --watch --config bank.toml

docs/job.example.toml is a job file with every entry explained.")]
    Submit {
        /// The job file, TOML or JSON.
        #[arg(value_name = "JOB")]
        file: PathBuf,
        /// Follow it to its end.
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Follow a job to its end; a failed job ends the command with its error.
    #[command(after_help = "Examples:\n  hefu job watch 5d3c7f5b1a2e4f60918273645546372a --config bank.toml")]
    Watch {
        /// Job id.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// Show a job: state, progress, what each party learns, result or error.
    #[command(after_help = "Examples:\n  hefu job show 5d3c7f5b1a2e4f60918273645546372a --config bank.toml --json")]
    Show {
        /// Job id.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        config: ConfigArg,
    },
    /// List the jobs that this node started or takes part in.
    #[command(after_help = "Examples:\n  hefu job list --config bank.toml")]
    List {
        #[command(flatten)]
        config: ConfigArg,
    },
    /// End a job on all sides.
    #[command(after_help = "Examples:\n  hefu job cancel 5d3c7f5b1a2e4f60918273645546372a --config bank.toml")]
    Cancel {
        /// Job id.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        config: ConfigArg,
    },
}

pub async fn run(command: JobCommand, screen: Screen) -> Result<()> {
    match command {
        JobCommand::Submit { file, watch: follow, config } => {
            let plan = read_plan(&file)?;
            let node = Node::connect(&config.config).await?;
            let job = match plan {
                Plan::Joint(plan) => node.submit(&plan).await?,
                Plan::Pool(plan) => node.submit_pool(&plan).await?,
            };
            if follow {
                return watch(&node, &job, screen).await;
            }
            screen.answer(&json!({"job": job.id()}), || job.id().to_owned());
        }
        JobCommand::Watch { id, config } => {
            let node = Node::connect(&config.config).await?;
            watch(&node, &node.job(id), screen).await?;
        }
        JobCommand::Show { id, config } => {
            let node = Node::connect(&config.config).await?;
            show(&node, &node.job(id), screen).await?;
        }
        JobCommand::List { config } => {
            let jobs = Node::connect(&config.config).await?.jobs().await?;
            let all: Vec<Value> = jobs.iter().map(object).collect();
            screen.answer(&json!({"jobs": all}), || list(&jobs, screen));
        }
        JobCommand::Cancel { id, config } => {
            let status = Node::connect(&config.config).await?.job(id).cancel().await?;
            screen.answer(&object(&status), || format!("{} {}", status.job, status.state));
        }
    }
    Ok(())
}

/// What a job file asks for.
enum Plan {
    Joint(Box<JobPlan>),
    Pool(Box<PoolPlan>),
}

/// What tells one kind of job file from the other.
#[derive(serde::Deserialize)]
struct Kind {
    kind: String,
}

/// Reads a job file.
fn read_plan(file: &Path) -> Result<Plan> {
    fn parse<T: serde::de::DeserializeOwned>(file: &Path, text: &str) -> std::result::Result<T, String> {
        match file.extension() {
            Some(extension) if extension == "json" => serde_json::from_str(text).map_err(|e| e.to_string()),
            _ => toml::from_str(text).map_err(|e| e.message().to_owned()),
        }
    }
    let text = std::fs::read_to_string(file).map_err(|e| failure::file(Code::Configuration, file, &e))?;
    let is_pool = parse::<Kind>(file, &text).is_ok_and(|kind| kind.kind == "pool");
    let parsed = if is_pool { parse(file, &text).map(Plan::Pool) } else { parse(file, &text).map(Plan::Joint) };
    parsed.map_err(|cause| {
        let mut failure = Failure::because(Code::Configuration, cause);
        failure.place.dataset = Some(file.display().to_string());
        failure
    })
}

/// Follows a job to its end and prints its result.
async fn watch(node: &Node, job: &Job, screen: Screen) -> Result<()> {
    let mut progress = Progress::new(screen.language);
    let names = Names::of(node).await;
    let (mut shown, mut waits) = (false, Vec::new());
    let ended = job
        .finish(|status| {
            if !shown && !status.disclosure_json.is_empty() {
                eprintln!("{}", status.disclosure());
                shown = true;
            }
            if waits != status.awaiting {
                waits.clone_from(&status.awaiting);
                if !waits.is_empty() {
                    let line = awaited(&waits, &names, screen);
                    progress.step(&line, &line);
                }
            }
            progress.job(status);
        })
        .await;
    progress.finish();
    match ended {
        Ok(status) => print_result(job, &status, screen).await,
        Err(error) => Err(with_alias(error.into(), node, screen).await),
    }
}

async fn print_result(job: &Job, status: &JobStatus, screen: Screen) -> Result<()> {
    let text = job.result_json().await?;
    let result: Value = serde_json::from_str(&text)
        .map_err(|_| Failure::because(Code::Internal, "The node's result is no JSON text."))?;
    let mut all = object(status);
    all["result"] = result.clone();
    screen
        .answer(&all, || outcome(status, result, screen).unwrap_or_else(|| format!("{} {}", status.job, status.state)));
    Ok(())
}

/// What the initiator learned, in lines. A collaborator's result says nothing of it: only the initiator learns it.
fn outcome(status: &JobStatus, result: Value, screen: Screen) -> Option<String> {
    match status.kind.as_str() {
        "train" if result.get("auc_joint").is_some() => {
            serde_json::from_value(result).ok().map(|report| summary(&report, screen))
        }
        "align" if result.get("rows_aligned").is_some() => {
            serde_json::from_value(result).ok().map(|matches| matched(&matches, screen))
        }
        "pool" => pooled(&result, screen),
        "score" => {
            let scored = result.get("scores").and_then(Value::as_array)?.len();
            Some(format!("{}: {scored}", screen.pick("rows scored", "评分样本")))
        }
        _ => None,
    }
}

/// A pooled job in a few lines: rounds and who is in the last one, then what the method made.
fn pooled(result: &Value, screen: Screen) -> Option<String> {
    let survivors = result.get("survivors")?.as_array()?;
    let names = |list: &Value| -> String {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    let mut lines = vec![format!(
        "{}: {}; {}: {}",
        screen.pick("rounds", "轮次"),
        survivors.len(),
        screen.pick("in the last one", "末轮参与方"),
        survivors.last().map(names).unwrap_or_default()
    )];
    let number = |name: &str| result.get(name).and_then(Value::as_f64);
    if let (Some(alone), Some(pooled)) = (number("auc_alone"), number("auc_pooled")) {
        let own = screen.pick("own test rows", "本行测试样本");
        lines.push(format!("AUC  {alone:.4} → {pooled:.4} ({own})"));
    }
    for column in result.get("bins").and_then(Value::as_array).into_iter().flatten() {
        let bins = column.get("bins").and_then(Value::as_array).map_or(0, Vec::len);
        let iv = column.get("iv").and_then(Value::as_f64).unwrap_or_default();
        lines.push(format!("{}: {bins} {}, IV {iv:.4}", column["column"].as_str()?, screen.pick("bins", "箱")));
    }
    for (name, label) in [("model", ("model", "模型")), ("file", ("file", "文件"))] {
        if let Some(text) = result.get(name).and_then(Value::as_str) {
            lines.push(format!("{}: {text}", screen.pick(label.0, label.1)));
        }
    }
    Some(lines.join("\n"))
}

/// How many rows met, one line an agency.
fn matched(m: &Matches, screen: Screen) -> String {
    let heads = [("agency", "机构"), ("matched", "匹配"), ("unmatched", "未匹配")];
    let mut rows = vec![heads.map(|(en, zh)| screen.pick(en, zh).to_owned()).to_vec()];
    let all = [(screen.pick("all", "全部").to_owned(), &m.rows)];
    for (name, counts) in m.rows_by_agency.iter().map(|(name, counts)| (name.clone(), counts)).chain(all) {
        rows.push(vec![name, counts.matched.to_string(), counts.unmatched.to_string()]);
    }
    columns(&rows)
}

/// A training job in five lines.
fn summary(r: &Report, screen: Screen) -> String {
    let line = |name: &str, alone: f64, a: [f64; 2], joint: f64, j: [f64; 2]| {
        format!("{name:4} {alone:.4} [{:.4}, {:.4}] → {joint:.4} [{:.4}, {:.4}]\n", a[0], a[1], j[0], j[1])
    };
    format!(
        "{}{}{}: {}, {}: {}, {}: {}\n{}: {}",
        line("AUC", r.auc_alone, r.auc_alone_ci, r.auc, r.auc_ci),
        line("KS", r.ks_alone, r.ks_alone_ci, r.ks, r.ks_ci),
        screen.pick("rows", "样本"),
        r.rows_aligned,
        screen.pick("evaluations", "评估次数"),
        r.rounds,
        screen.pick("seconds", "秒"),
        r.seconds.total,
        screen.pick("model", "模型"),
        r.model
    )
}

async fn show(node: &Node, job: &Job, screen: Screen) -> Result<()> {
    let status = job.status().await?;
    if status.state == JobState::Succeeded && screen.json {
        return print_result(job, &status, screen).await;
    }
    let result = match status.state {
        JobState::Succeeded => serde_json::from_str(&job.result_json().await?).unwrap_or_default(),
        _ => Value::Null,
    };
    let names = Names::of(node).await;
    let failure = match &status.failure {
        Some(failure) => Some(with_alias(failure.clone(), node, screen).await),
        None => None,
    };
    screen.answer(&object(&status), || {
        let mut out = format!("{} {} {}\n", status.job, status.kind, status.state);
        let asked = [names.short(&status.initiator), status.purpose.clone(), status.outputs.join("+")];
        out.push_str(&format!("{}: {}\n", screen.pick("asked by, for", "发起方、用途、产出"), asked.join(", ")));
        if !status.awaiting.is_empty() {
            out.push_str(&format!("{}\n", awaited(&status.awaiting, &names, screen)));
        }
        if status.state == JobState::Running {
            let stage = crate::progress::stage_words(&status.stage);
            out.push_str(&format!("{} {}/{}\n", screen.pick(stage.0, stage.1), status.done, status.total));
        }
        if let Some(model) = &status.model {
            out.push_str(&format!("{}: {model}\n", screen.pick("model", "模型")));
        }
        if let Some(failure) = &failure {
            out.push_str(&failure::words(failure, screen.language));
        }
        if let Some(outcome) = outcome(&status, result, screen) {
            out.push_str(&format!("{}\n", outcome.trim_end()));
        }
        out.push_str(&status.disclosure().to_string());
        out
    });
    Ok(())
}

/// Whose stewards a job waits for.
fn awaited(parties: &[String], names: &Names, screen: Screen) -> String {
    let short: Vec<String> = parties.iter().map(|party| names.short(party)).collect();
    format!("{}: {}", screen.pick("waits for the approval of", "等待批准"), short.join(", "))
}

fn object(s: &JobStatus) -> Value {
    json!({
        "job": s.job, "state": s.state.as_str(), "kind": s.kind, "initiator": s.initiator, "parties": s.parties,
        "purpose": s.purpose, "stage": s.stage, "done": s.done, "total": s.total, "created_us": s.created_us,
        "ended_us": s.ended_us, "bytes_sent": s.bytes_sent, "model": s.model,
        "dataset": s.dataset, "outputs": s.outputs, "awaiting": s.awaiting,
        "disclosure": s.disclosure().parties,
        "failure": s.failure.as_ref().map(|f| failure::object(f, crate::language::Language::English)["error"].clone()),
    })
}

fn list(jobs: &[JobStatus], screen: Screen) -> String {
    let heads = [("job", "作业"), ("kind", "类型"), ("state", "状态"), ("purpose", "用途"), ("initiator", "发起方")];
    let mut rows = vec![heads.map(|(en, zh)| screen.pick(en, zh).to_owned()).to_vec()];
    for s in jobs {
        let state = s.state.to_string();
        rows.push(vec![s.job.clone(), s.kind.clone(), state, s.purpose.clone(), s.initiator.clone()]);
    }
    columns(&rows)
}
