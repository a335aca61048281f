//! One joint job from publishing to every party's figures.
use super::outcome::{Outcome, PartyOutcome, PartyWarning, Settings};
use super::parties::{Party, Reading, localise};
use crate::failure::Result;
use crate::progress::Progress;
use hefu::result::{PartyDisclosure, StageCost, Warning};
use hefu::{Code, Failure, Job, JobPlan, Published, Report, Status};
use serde::Deserialize;
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a party may take to write down why its job ended.
const OWN_WORDS: Duration = Duration::from_secs(5);

/// What a model part tells (`spec/schemas/model.schema.json`).
#[derive(Deserialize)]
struct ModelPart {
    columns: Vec<ModelColumn>,
    intercept: Option<f64>,
    missing: Option<MissingColumn>,
}

#[derive(Deserialize)]
struct ModelColumn {
    name: String,
    coefficient: f64,
}

#[derive(Deserialize)]
struct MissingColumn {
    coefficient: f64,
}

/// What any party's node tells of a job.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct OwnView {
    /// What each stage cost it.
    pub stages: Vec<StageCost>,
    warnings: Vec<Warning>,
}

/// Publishes every party's rows; the first failure ends it.
pub async fn publish(parties: &[Party], reading: &Reading) -> Result<Vec<Published>> {
    let mut published = Vec::new();
    for party in parties {
        published.push(party.publish(reading).await?);
    }
    Ok(published)
}

/// Submits a job at the bank and waits for its end, showing how far it is.
pub async fn run_job(parties: &[Party], plan: &JobPlan, progress: &mut Progress) -> Result<Job> {
    let bank = parties.first().ok_or_else(|| Failure::because(Code::Internal, "No parties."))?;
    let job = bank.node.submit(plan).await.map_err(|e| localise(e.into(), parties))?;
    let ended = job.finish(|status| progress.job(status)).await;
    progress.finish();
    match ended {
        Ok(_) => Ok(job),
        Err(error) => Err(localise(at_its_party(error.into(), &job, parties).await, parties)),
    }
}

/// A failure crosses the interconnect without its place; the operator of all nodes reads it at the party itself.
async fn at_its_party(failure: Failure, job: &Job, parties: &[Party]) -> Failure {
    let Some(party) = parties.iter().skip(1).find(|p| Some(p.id.as_str()) == failure.party.as_deref()) else {
        return failure;
    };
    let told = tokio::time::timeout(OWN_WORDS, party.node.job(job.id()).finish(|_| ())).await;
    match told {
        Ok(Err(error)) if error.code() == failure.code => error.into(),
        _ => failure,
    }
}

/// What every node says of itself, in rank order.
pub async fn statuses(parties: &[Party]) -> Result<Vec<Status>> {
    let mut asked = JoinSet::new();
    for (rank, party) in parties.iter().enumerate() {
        let node = party.node.clone();
        asked.spawn(async move { (rank, node.status().await) });
    }
    let mut all = Vec::new();
    while let Some(answer) = asked.join_next().await {
        let (rank, status) = answer.map_err(|_| Failure::because(Code::Internal, "A question was dropped."))?;
        all.push((rank, status?));
    }
    all.sort_by_key(|(rank, _)| *rank);
    Ok(all.into_iter().map(|(_, status)| status).collect())
}

/// Trains, and reads each party's own part and costs on its own control side.
pub async fn train(parties: &[Party], plan: &JobPlan, settings: Settings, progress: &mut Progress) -> Result<Outcome> {
    let before = statuses(parties).await?;
    let job = run_job(parties, plan, progress).await?;
    let after = statuses(parties).await?;
    let mut result: Report = job.result().await?;
    name_parties(&mut result.disclosure, parties);
    let mut intercept = 0.0;
    let (mut all, mut warnings) = (Vec::new(), Vec::new());
    for (index, party) in parties.iter().enumerate() {
        let part = party.node.model_json(&result.model).await?;
        let part: ModelPart = serde_json::from_str(&part)
            .map_err(|_| Failure::because(Code::Internal, "A part of the model does not have its format."))?;
        intercept = part.intercept.unwrap_or(intercept);
        let mut columns: Vec<(String, f64)> = part.columns.into_iter().map(|c| (c.name, c.coefficient)).collect();
        columns.extend(part.missing.map(|m| ("missing".to_owned(), m.coefficient)));
        let own = party.node.job(job.id());
        let view: OwnView = own.result().await?;
        warnings.extend(
            view.warnings.into_iter().map(|warning| PartyWarning { party: party.input.alias.clone(), warning }),
        );
        let (cpu, peak, backend) = match (before.get(index), after.get(index)) {
            (Some(b), Some(a)) => (a.cpu_seconds - b.cpu_seconds, a.peak_rss_mib, a.backend.clone()),
            _ => Default::default(),
        };
        let (published, _) = party.node.dataset(&party.input.alias).await?;
        all.push(PartyOutcome {
            alias: party.input.alias.clone(),
            party: party.id.clone(),
            role: if index == 0 { "initiator" } else { "collaborator" }.to_owned(),
            columns,
            cpu_seconds: cpu,
            bytes: own.status().await?.bytes_sent,
            peak_rss_mib: peak,
            stages: view.stages,
            backend,
            dataset: published.into(),
        });
    }
    Ok(Outcome { result, parties: all, intercept, warnings, settings })
}

/// The short names of this run in place of party ids.
pub fn name_parties(disclosure: &mut [PartyDisclosure], parties: &[Party]) {
    for told in disclosure {
        for party in parties {
            if told.party == party.id {
                told.party.clone_from(&party.input.alias);
            }
            for fact in &mut told.learns {
                *fact = fact.replace(&party.id, &party.input.alias);
            }
        }
    }
}
