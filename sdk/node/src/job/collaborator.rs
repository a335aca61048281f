//! A job at a collaborator: driven by the session that the initiator opened, its results final at Close.
use super::approval;
use super::disclosure::{Facts, disclosure};
use super::initiator::named;
use super::live::{LiveJob, Success};
use super::model::{ModelPart, Origin};
use super::places::JobSlot;
use super::prepare::{Rules, Waivers, Wanted, data_fault, load, matrices, sources};
use super::record::{Disclosure, JobKind, JobRecord, JobState};
use super::result::{self, Head};
use super::{off_thread, unbalanced};
use crate::channel::{Port, Traffic, stopped};
use crate::driver::{Driver, seconds};
use crate::node::Shared;
use crate::session::{CloseRequest, Held, SessionEvents};
use crate::store::{self, DatasetRecord};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Alignment, Code, Fault, ModelId, PartyId, Rank, Stage};
use hefu_crypto::Seed;
use hefu_data::Table;
use hefu_he::Backend;
use hefu_model::{logistic, rules};
use hefu_protocol::align::{self, AlignPlan};
use hefu_protocol::session::Offer;
use hefu_protocol::{score, train};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long an Abort may come after the stream that it explains.
const ABORT_GRACE: Duration = Duration::from_millis(500);

/// Runs the job of a session to its end.
///
/// `waited`: the job was known and waited for approval.
pub(crate) async fn collaborate(
    shared: Arc<Shared>,
    held: Arc<Held>,
    events: SessionEvents,
    slot: JobSlot,
    waited: Option<Arc<LiveJob>>,
) {
    let kind = JobKind::of(&held.offer.plan.stages);
    let record = record_of(&shared, &held.offer, held.rank, &held.dataset);
    let (job, disclosure) = (held.offer.job, record.disclosure.clone());
    announce(&shared, &held, &disclosure);
    let begun = match waited {
        Some(live) => shared.jobs.save(&live).await.map(|()| live),
        None => shared.jobs.begin(record, held.stopper.clone()).await,
    };
    let Ok(live) = begun.inspect_err(|error| shared.log(&format!("job {job}: {error}"))) else {
        held.end(false);
        shared.sessions.end(&held);
        return;
    };
    let work = Collaboration { shared: shared.clone(), held: held.clone(), kind, disclosure };
    let traffic = Arc::new(Traffic::default());
    let (outcome, answer) = work.run(&live, events, &traffic).await;
    live.update(|record| record.bytes_sent = traffic.sent());
    match &outcome {
        Ok(_) => shared.log(&format!("job {job}: closed")),
        Err(fault) => shared.log(&format!("job {job}: {}{fault}", named(&shared, fault))),
    }
    let reply = outcome.as_ref().map(drop).map_err(Clone::clone);
    held.end(outcome.is_ok());
    match outcome {
        // Another party's steward has not approved: the initiator comes back.
        Err(Fault { code: Code::ApprovalNeeded, party, .. }) if held.stopper.fault().is_some() => {
            let parked = approval::park(&shared, &live, held.id, party.into_iter().collect()).await;
            if let Err(fault) = parked {
                shared.jobs.end(&live, Err(fault)).await;
            }
        }
        outcome => {
            shared.sessions.end(&held);
            shared.jobs.end(&live, outcome).await;
        }
    }
    if let Some(answer) = answer {
        let _ = answer.send(reply);
    }
    drop(slot);
}

/// Shows what the job will teach whom, before any row is read.
fn announce(shared: &Shared, held: &Held, disclosure: &[Disclosure]) {
    let (job, initiator) = (held.offer.job, shared.trust.alias(held.initiator()));
    shared.log(&format!("job {job}: {initiator} asks for {} ({})", held.dataset.name, held.offer.purpose));
    for entry in disclosure {
        for text in &entry.learns {
            shared.log(&format!("job {job}: {}, {}, learns {text}", entry.party, entry.role));
        }
    }
}

/// What is written down of a job that is offered with a dataset of this party, before it begins.
pub(crate) fn record_of(shared: &Shared, offer: &Offer, rank: Rank, dataset: &DatasetRecord) -> JobRecord {
    let kind = JobKind::of(&offer.plan.stages);
    let parties: Vec<PartyId> = offer.parties.iter().map(|party| party.party.clone()).collect();
    let facts = Facts {
        kind,
        alignment: offer.plan.alignment.unwrap_or(Alignment::Ecdh),
        join: offer.plan.join,
        names: parties.iter().map(|party| shared.trust.alias(party)).collect(),
        own: rank.index(),
        rows: dataset.valid,
        columns: dataset.columns.len(),
        max_evaluations: offer.plan.max_evaluations,
    };
    JobRecord {
        job: offer.job,
        state: JobState::Created,
        kind,
        initiator: parties[0].clone(),
        parties,
        purpose: offer.purpose,
        stage: None,
        done: 0,
        total: 0,
        created_us: crate::now_us(),
        ended_us: 0,
        disclosure: disclosure(&facts),
        error: None,
        bytes_sent: 0,
        model: offer.plan.model,
        dataset: dataset.name.clone(),
        outputs: offer.outputs.clone(),
        awaiting: Vec::new(),
        began_us: 0,
    }
}

/// What a collaborator's thread hands back.
struct Finished {
    part: Option<ModelPart>,
    warnings: Vec<Value>,
}

#[derive(Clone)]
struct Collaboration {
    shared: Arc<Shared>,
    held: Arc<Held>,
    kind: JobKind,
    disclosure: Vec<Disclosure>,
}

impl Collaboration {
    /// The outcome, and the Close request that waits for it.
    async fn run(
        &self,
        live: &Arc<LiveJob>,
        mut events: SessionEvents,
        traffic: &Arc<Traffic>,
    ) -> (Result<Success, Fault>, Option<CloseRequest>) {
        let started = Instant::now();
        let attached = match events.attached(&self.held, self.shared.config.limits.idle_timeout()).await {
            Ok(attached) => attached,
            Err(fault) => return (Err(fault), None),
        };
        live.update(JobRecord::begin);
        if let Err(error) = self.shared.jobs.save(live).await {
            return (Err(error.fault()), None);
        }
        let port = Port::open(attached.wiring, vec![attached.duplex], traffic.clone(), &live.stopper);
        let driver = Driver::new(port, Handle::current(), live.observer(traffic.clone()));
        let seed = match crate::random::<32>() {
            Ok(seed) => Seed::new(seed),
            Err(error) => return (Err(error.fault()), None),
        };
        let work = self.clone();
        let (outcome, driver) = match off_thread(driver, move |driver| work.stages(driver, &seed)).await {
            Ok(done) => done,
            Err(fault) => return (Err(fault), None),
        };
        let (stage, result) = (driver.stage(), self.result(&driver, started));
        let mut port = driver.into_port();
        let part = outcome.as_ref().ok().filter(|_| is_on(Switch::KeepsAbortedModel));
        let kept = part.and_then(|finished| finished.part.clone());
        let closing = match outcome {
            Ok(finished) => self.closing(&mut events, &mut port).await.map(|answer| (finished, answer)),
            Err(fault) => Err(fault),
        };
        let closing = match closing {
            Err(fault) if fault.code == Code::LinkCut => Err(self.last_words().await.unwrap_or(fault)),
            closing => closing,
        };
        match closing {
            Ok((finished, answer)) => (self.finalise(finished, result).await, Some(answer)),
            Err(fault) => {
                if let Some(part) = kept {
                    let models = self.shared.models();
                    let _ = store::call(&self.shared.store, move |store| part.save(&models, store)).await;
                }
                // What the initiator said itself it need not hear again.
                if self.held.stopper.fault().is_none() || fault.party.as_ref() == Some(self.shared.party()) {
                    port.report(&fault, stage).await;
                }
                (Err(fault), None)
            }
        }
    }

    /// What the initiator's Abort says, which may arrive just after its stream is gone.
    async fn last_words(&self) -> Option<Fault> {
        let mut stop = self.held.stopper.watch();
        tokio::time::timeout(ABORT_GRACE, stopped(&mut stop)).await.ok()
    }

    /// Waits for Close, after this party's stages.
    async fn closing(&self, events: &mut SessionEvents, port: &mut Port) -> Result<CloseRequest, Fault> {
        let mut stop = self.held.stopper.watch();
        let slow = tokio::time::sleep(port.wiring().idle);
        tokio::pin!(slow);
        let mut link_is_open = true;
        loop {
            tokio::select! {
                biased;
                fault = stopped(&mut stop) => return Err(fault),
                request = events.closing.recv() => match request {
                    // It came too early, and was refused.
                    Some(request) if request.is_closed() => {}
                    request => return request.ok_or_else(|| Fault::new(Code::LinkCut).by(self.held.initiator())),
                },
                // An initiator may end its direction in order before it closes.
                ended = port.after_stages(), if link_is_open => match ended {
                    Some(fault) => return Err(fault),
                    None => link_is_open = false,
                },
                () = &mut slow => return Err(Fault::new(Code::PeerSlow).by(self.held.initiator()).citing("FRAME-12")),
            }
        }
    }

    /// Makes the results final (spec/session.md, section 6).
    async fn finalise(&self, finished: Finished, mut result: Value) -> Result<Success, Fault> {
        result["warnings"] = Value::Array(finished.warnings);
        if let Some(part) = finished.part {
            let models = self.shared.models();
            store::call(&self.shared.store, move |store| part.save(&models, store)).await?;
        }
        Ok(Success { result: Some(result.to_string()) })
    }

    fn result(&self, driver: &Driver, started: Instant) -> Value {
        let head = Head {
            job: self.held.offer.job,
            kind: self.kind.as_str(),
            model: self.held.offer.plan.model,
            costs: driver.costs(),
            total: seconds(started.elapsed()),
            disclosure: &self.disclosure,
            backend: Backend::detect().name(),
            group: "",
        };
        head.document()
    }

    fn stages(&self, driver: &mut Driver, seed: &Seed) -> Result<Finished, Fault> {
        approval::still_stands(&self.shared, &self.held.entry, &self.held.dataset, self.held.initiator())?;
        match self.kind {
            // A pooled job has rounds of its own.
            JobKind::Align | JobKind::Pool => self.align_only(driver, seed),
            JobKind::Train => self.train(driver, seed),
            JobKind::Score => self.score(driver, seed),
        }
    }

    fn load(&self, wanted: Wanted) -> Result<Table, Fault> {
        let (shared, held) = (&self.shared, &self.held);
        load(&shared.datasets, &held.dataset, wanted, held.offer.plan.missing, shared.party())
    }

    fn align(&self, driver: &mut Driver, table: &Table, seed: &Seed) -> Result<align::AlignedCollaborator, Fault> {
        let is_scoring = self.held.offer.plan.stages.contains(&Stage::Score);
        let plan = AlignPlan {
            join: self.held.offer.plan.join,
            split: self.held.offer.plan.split,
            max_rows: u64::from(self.shared.config.limits.max_rows),
            min_rows: if is_scoring { 1 } else { self.held.entry.min_rows.unwrap_or(1) },
        };
        if self.held.offer.plan.alignment == Some(Alignment::Oprf) {
            return unbalanced::collaborate(&self.shared, &self.held, driver, plan, &table.keys);
        }
        let keys = driver.port().wiring().keys.clone();
        let machine = align::Collaborator::new(keys, plan, &table.keys, seed.derive("align", &[]));
        driver.run(Stage::Align, machine)
    }

    fn align_only(&self, driver: &mut Driver, seed: &Seed) -> Result<Finished, Fault> {
        let table = self.load(Wanted::Unlabelled)?;
        self.align(driver, &table, seed)?;
        Ok(Finished { part: None, warnings: Vec::new() })
    }

    /// The model that the offer names; an offer without one, where one is needed, was refused.
    fn model(&self) -> Result<ModelId, Fault> {
        let cause = "the plan names no model";
        self.held.offer.plan.model.ok_or_else(|| Fault::because(Code::UnsupportedPlan, cause).by(self.held.initiator()))
    }

    fn train(&self, driver: &mut Driver, seed: &Seed) -> Result<Finished, Fault> {
        let own = self.shared.party();
        let waivers = Waivers::of(Some(&self.held.entry));
        if !waivers.few_columns && !is_on(Switch::SkipsColumnCount) {
            rules::check_columns(self.held.dataset.columns.len())
                .map_err(|e| data_fault(&e, &self.held.dataset.name, own).citing("VLR-4"))?;
        }
        let table = self.load(Wanted::Unlabelled)?;
        let aligned = self.align(driver, &table, seed)?;
        let offered = &self.held.offer.plan;
        let rule = Rules { dataset: &self.held.dataset.name, own, waivers, max_evaluations: offered.max_evaluations };
        let matrices = matrices(&table, &aligned.rows, aligned.training_rows, &rule)?;
        let keys = driver.port().wiring().keys.clone();
        let plan = train::TrainPlan {
            max_evaluations: offered.max_evaluations,
            lambda: offered.lambda,
            backend: Backend::detect(),
        };
        let warnings = result::leverage_warnings(&matrices.training);
        let (x, seed) = (matrices.training, seed.derive("train", &[]));
        let machine = train::Collaborator::new(keys.clone(), plan, x, waivers.few_rows, seed);
        let trained = driver.run(Stage::Train, machine)?;
        let predictors = logistic::predictor(&matrices.test, &trained.coefficients);
        driver.run(Stage::Evaluate, score::Collaborator::new(keys, Stage::Evaluate, predictors))?;
        let origin = Origin {
            job: self.held.offer.job,
            model: self.model()?,
            parties: self.held.parties.to_vec(),
            rank: self.held.rank,
            join: offered.join,
            missing_cells: offered.missing,
            dataset: self.held.dataset.name.clone(),
        };
        let part = ModelPart::new(origin, &matrices.standardiser, &trained.coefficients, None);
        Ok(Finished { part: Some(part), warnings })
    }

    fn score(&self, driver: &mut Driver, seed: &Seed) -> Result<Finished, Fault> {
        let own = self.shared.party();
        let part = ModelPart::load(&self.shared.models(), self.model()?, own)?;
        let table = self.load(Wanted::ForModel(part.names()))?;
        let aligned = self.align(driver, &table, seed)?;
        let rows = part.standardiser().apply(&sources(&table), &aligned.rows);
        let rows = rows.map_err(|e| data_fault(&e, &self.held.dataset.name, own))?;
        self.spend(aligned.rows.len() as u64)?;
        let keys = driver.port().wiring().keys.clone();
        let predictors = logistic::predictor(&rows, &part.coefficients());
        driver.run(Stage::Score, score::Collaborator::new(keys, Stage::Score, predictors))?;
        Ok(Finished { part: None, warnings: Vec::new() })
    }

    /// Counts the rows before anything of them leaves (SCORE-5).
    fn spend(&self, rows: u64) -> Result<(), Fault> {
        let (model, budget) = (self.model()?, self.held.entry.score_rows);
        if self.shared.store.spend_rows(model, self.held.initiator(), rows, budget)? {
            return Ok(());
        }
        Err(Fault::new(Code::OverBudget).by(self.shared.party()).citing("SCORE-5"))
    }
}
