//! Jobs that wait for a steward's approval (spec/catalog.md, section 4), on either side.
use super::live::LiveJob;
use super::plan::JobPlan;
use super::record::{JobRecord, JobState};
use crate::approvals::{self, Approval};
use crate::channel::{Stopper, stopped};
use crate::node::Shared;
use crate::store::DatasetRecord;
use crate::trust::TrustedParty;
use crate::wire::CatalogClient;
use hefu_core::{Code, Fault, Output, PartyId, Purpose, SessionId};
use hefu_data::{Schema, dictionary};
use std::sync::Arc;
use std::time::Duration;

/// Jobs of others that may wait at a time.
const MAX_WAITING: usize = 64;
/// Between an initiator's first two questions whether a job may go on, and between later ones.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// At a collaborator: writes a job down that waits for this party's steward, or keeps it waiting under a new session.
///
/// # Errors
/// `TOO_MANY_JOBS`, `DISK`.
pub(crate) async fn ask(
    shared: &Arc<Shared>,
    session: SessionId,
    record: JobRecord,
    dataset: &DatasetRecord,
) -> Result<(), Fault> {
    let (job, initiator) = (record.job, record.initiator.clone());
    let live = match shared.jobs.resume(job, Stopper::new()) {
        Some(live) => live,
        None => {
            let waiting = shared.jobs.at_work().into_iter().filter(|other| is_waiting_for_others(shared, other));
            if waiting.count() >= MAX_WAITING {
                return Err(Fault::new(Code::TooManyJobs).citing("SESS-14"));
            }
            shared.jobs.begin(record, Stopper::new()).await?
        }
    };
    let (name, alias) = (&dataset.name, shared.trust.alias(&initiator));
    shared.log(&format!(
        "job {job}: the first use of {name} by {alias} waits: hefu dataset approve {name} --party {alias}"
    ));
    park(shared, &live, session, vec![shared.party().clone()]).await
}

fn is_waiting_for_others(shared: &Shared, record: &JobRecord) -> bool {
    record.state == JobState::AwaitingApproval && record.initiator != *shared.party()
}

/// At a collaborator: leaves a job waiting for parties until its initiator comes back, or it ends.
///
/// # Errors
/// `DISK`.
pub(crate) async fn park(
    shared: &Arc<Shared>,
    live: &LiveJob,
    session: SessionId,
    awaiting: Vec<PartyId>,
) -> Result<(), Fault> {
    let live = shared.jobs.renew(live);
    live.update(|record| (record.state, record.awaiting) = (JobState::AwaitingApproval, awaiting));
    let record = live.snapshot();
    shared.sessions.wait(session, &record.initiator, record.job);
    shared.jobs.save(&live).await?;
    tokio::spawn(hold(shared.clone(), live, Some(session)));
    Ok(())
}

/// Takes up jobs that waited when the node stopped.
pub(crate) fn restore(shared: &Arc<Shared>) {
    for live in shared.jobs.waiting() {
        tokio::spawn(hold(shared.clone(), live, None));
    }
}

async fn hold(shared: Arc<Shared>, live: Arc<LiveJob>, session: Option<SessionId>) {
    let record = live.snapshot();
    let mut stop = live.stopper.watch();
    let fault = tokio::select! {
        biased;
        () = live.resumed() => return over(&shared, session, &record),
        fault = stopped(&mut stop) => fault,
        () = tokio::time::sleep(rest_of(&shared, &record)) => expired(record.awaiting.first()),
    };
    over(&shared, session, &record);
    if fault.code == Code::NodeStopped && fault.party.as_ref() == Some(shared.party()) {
        // The job waits on when the node is back.
        return shared.jobs.leave(&live);
    }
    shared.log(&format!("job {}: {fault}", record.job));
    shared.jobs.end(&live, Err(fault)).await;
}

fn over(shared: &Shared, session: Option<SessionId>, record: &JobRecord) {
    if let Some(session) = session {
        shared.sessions.over(session, &record.initiator);
    }
}

fn rest_of(shared: &Shared, record: &JobRecord) -> Duration {
    let waited = u64::try_from(crate::now_us().saturating_sub(record.created_us)).unwrap_or(0);
    shared.config.limits.approval_timeout().saturating_sub(Duration::from_micros(waited))
}

fn expired(party: Option<&PartyId>) -> Fault {
    let fault = Fault::new(Code::ApprovalExpired).citing("CAT-11");
    party.map_or(fault.clone(), |party| fault.by(party))
}

/// That the dataset of a job is still what was offered and the party may use it: asked again when the job is known to
/// those who revoke. Blocks.
///
/// # Errors
/// `DATASET_REVOKED` (CAT-8).
pub(crate) fn still_stands(
    shared: &Shared,
    entry: &crate::config::AllowEntry,
    dataset: &DatasetRecord,
    party: &PartyId,
) -> Result<(), Fault> {
    let is_there = shared.store.dataset(&dataset.name)?.is_some();
    let decision = shared.store.decision(&dataset.name, party)?;
    match approvals::standing(entry, dataset, decision.as_ref()) {
        Approval::Granted | Approval::Needed if is_there => Ok(()),
        _ => Err(Fault::new(Code::DatasetRevoked).by(shared.party()).citing("CAT-8")),
    }
}

/// The datasets of others that a job asks for.
pub(crate) struct Wanted {
    /// Parties and the names under which they publish.
    pub(crate) datasets: Vec<(Arc<TrustedParty>, String)>,
    pub(crate) purpose: Purpose,
    pub(crate) outputs: Vec<Output>,
}

impl Wanted {
    /// What a joint job asks for.
    pub(crate) fn of(plan: &JobPlan) -> Self {
        let datasets = plan.invited.iter().map(|invited| (invited.party.clone(), invited.dataset.clone()));
        Wanted { datasets: datasets.collect(), purpose: plan.purpose, outputs: plan.outputs.clone() }
    }
}

/// At the initiator: waits until every awaited party's steward has approved.
///
/// # Errors
/// `APPROVAL_REFUSED`, `APPROVAL_EXPIRED` by the party; what stops the job.
pub(crate) async fn approved(
    shared: &Arc<Shared>,
    wanted: &Wanted,
    live: &Arc<LiveJob>,
    awaiting: Vec<PartyId>,
) -> Result<(), Fault> {
    live.update(|record| (record.state, record.awaiting) = (JobState::AwaitingApproval, awaiting.clone()));
    shared.jobs.save(live).await?;
    let names: Vec<String> = awaiting.iter().map(|party| shared.trust.alias(party)).collect();
    let record = live.snapshot();
    shared.log(&format!("job {}: waits for the approval of {}", record.job, names.join(", ")));
    let deadline = tokio::time::Instant::now() + rest_of(shared, &record);
    let (mut awaiting, mut pause, mut stop) = (awaiting, FIRST_PAUSE, live.stopper.watch());
    while let Some(first) = awaiting.first().cloned() {
        tokio::select! {
            fault = stopped(&mut stop) => return Err(fault),
            () = tokio::time::sleep(pause) => {}
            () = tokio::time::sleep_until(deadline) => return Err(expired(Some(&first))),
        }
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        let mut still = Vec::new();
        for party in awaiting {
            let answer = tokio::select! {
                fault = stopped(&mut stop) => return Err(fault),
                answer = approval_at(shared, wanted, &party) => answer,
            };
            match answer {
                Ok(Approval::Granted) => {}
                Ok(Approval::Needed) => still.push(party),
                Ok(_) => return Err(Fault::new(Code::ApprovalRefused).by(&party).citing("CAT-6")),
                // Days may pass: a node that is away is asked again.
                Err(fault) if fault.code.number() / 1000 == 1 => still.push(party),
                Err(fault) => return Err(fault),
            }
        }
        awaiting = still;
        if live.snapshot().awaiting != awaiting {
            live.update(|record| record.awaiting.clone_from(&awaiting));
        }
    }
    Ok(())
}

/// What a party's catalogue says of this job.
async fn approval_at(shared: &Shared, wanted: &Wanted, party: &PartyId) -> Result<Approval, Fault> {
    let asked = wanted.datasets.iter().find(|(trusted, _)| trusted.descriptor.party == *party);
    let (trusted, dataset) = asked.ok_or_else(|| Fault::new(Code::UnknownParty).by(party))?;
    let client = CatalogClient::dial(shared, trusted).await?;
    let (told, _) = client.get(dataset).await?;
    let outputs: Vec<&str> = wanted.outputs.iter().map(|output| output.as_str()).collect();
    let serves = told.permissions.iter().find(|permission| {
        permission.purpose == wanted.purpose.as_str()
            && outputs.iter().all(|output| permission.outputs.iter().any(|other| other == output))
    });
    serves.map(|permission| permission.approval).ok_or_else(|| Fault::new(Code::NotAllowed).by(party))
}

/// Why a collaborator's dataset cannot enter a job, with the features that the dictionary derives from its table.
pub(crate) async fn explain_panel(shared: &Shared, plan: &JobPlan, fault: Fault) -> Fault {
    let is_of = |party: &PartyId| fault.party.as_ref() == Some(party);
    let Some(invited) = plan.invited.iter().find(|invited| is_of(&invited.party.descriptor.party)) else {
        return fault;
    };
    let asked = async { CatalogClient::dial(shared, &invited.party).await?.get(&invited.dataset).await };
    let Ok((_, schema)) = asked.await else { return fault };
    // Only the dictionary's own words: the peer's schema may say anything.
    let facts = |text: &str| Schema::from_text(text).facts();
    let table = String::from_utf8(schema).ok().and_then(|text| facts(&text)).and_then(|facts| facts.table);
    let known = table.as_deref().and_then(dictionary::table).and_then(|table| facts(table.schema).map(|f| (table, f)));
    let Some((table, facts)) = known else { return fault };
    let cause = format!(
        "one row of table {} stands for {}, not for an enterprise; derive, one row an enterprise: {}",
        table.name,
        facts.grain,
        facts.derived.join(", ")
    );
    Fault { cause, ..fault }
}
