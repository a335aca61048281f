//! A job at its initiator: submitted by the node's own people, run with all collaborators, its result written at the
//! end.
use super::approval;
use super::disclosure::{Facts, disclosure};
use super::invite::{Invitation, Negotiated, Opened};
use super::live::{LiveJob, Success};
use super::model::{ModelPart, Origin};
use super::places::JobSlot;
use super::plan::JobPlan;
use super::prepare::{Rules, Waivers, Wanted, data_fault, load, matrices, sources};
use super::record::{Disclosure, JobKind, JobRecord, JobState};
use super::result::{self, Alone, Evaluation, Head};
use super::{blocking, off_thread, unbalanced};
use crate::channel::{Port, Stopper, Traffic, stopped};
use crate::config::AllowEntry;
use crate::driver::{Driver, seconds};
use crate::node::Shared;
use crate::store;
use hefu_core::{Alignment, Code, Fault, JobId, PartyId, Split, Stage};
use hefu_crypto::Seed;
use hefu_data::Table;
use hefu_he::Backend;
use hefu_model::{logistic, rules};
use hefu_protocol::align::{self, AlignPlan};
use hefu_protocol::{score, train};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;

/// Checks a job file, writes the job down, and starts it.
///
/// # Errors
/// Those of the job file; `TOO_MANY_JOBS`; for scoring `UNKNOWN_MODEL`, `NOT_MODEL_OWNER`, `MODEL_MISMATCH`.
pub(crate) async fn submit(shared: &Arc<Shared>, json: &str) -> Result<JobId, Fault> {
    let plan = JobPlan::read(shared, json).await?;
    let part = match plan.kind {
        JobKind::Align | JobKind::Train | JobKind::Pool => None,
        JobKind::Score => Some(own_part(shared, &plan).await?),
    };
    let slot = shared.jobs.slot()?;
    let job = JobId(crate::random::<16>()?);
    let disclosure = disclosure(&facts(shared, &plan));
    let record = JobRecord {
        job,
        state: JobState::Created,
        kind: plan.kind,
        initiator: shared.party().clone(),
        parties: plan.parties(shared.party()),
        purpose: plan.purpose,
        stage: None,
        done: 0,
        total: 0,
        created_us: crate::now_us(),
        ended_us: 0,
        disclosure: disclosure.clone(),
        error: None,
        bytes_sent: 0,
        model: plan.model,
        dataset: plan.dataset.name.clone(),
        outputs: plan.outputs.clone(),
        awaiting: Vec::new(),
        began_us: 0,
    };
    let work = Conduct { shared: shared.clone(), plan: Arc::new(plan), part, job, disclosure };
    // A caller that is lost here leaves no job that is written down and never runs.
    let begun = tokio::spawn(async move {
        let live = work.shared.jobs.begin(record, Stopper::new()).await?;
        tokio::spawn(work.run(live, slot));
        Ok(job)
    });
    begun.await.unwrap_or_else(|_| Err(Fault::because(Code::Internal, "a job could not be started")))
}

fn facts(shared: &Shared, plan: &JobPlan) -> Facts {
    let names = plan.parties(shared.party()).iter().map(|party| shared.trust.alias(party)).collect();
    Facts {
        kind: plan.kind,
        alignment: plan.alignment,
        join: plan.join,
        names,
        own: 0,
        rows: plan.dataset.valid,
        columns: plan.dataset.columns.len(),
        max_evaluations: plan.max_evaluations,
    }
}

/// The initiator's own part of the model that a scoring job uses.
async fn own_part(shared: &Arc<Shared>, plan: &JobPlan) -> Result<ModelPart, Fault> {
    let (models, own) = (shared.models(), shared.party().clone());
    let model = plan.model.ok_or_else(|| Fault::new(Code::UnknownModel).by(&own))?;
    let part = blocking(move || ModelPart::load(&models, model, &own)).await?;
    if part.owner != *shared.party() {
        return Err(Fault::new(Code::NotModelOwner).by(shared.party()).citing("SCORE-1"));
    }
    let sorted = |mut parties: Vec<PartyId>| {
        parties.sort();
        parties
    };
    if sorted(part.parties.clone()) != sorted(plan.parties(shared.party())) {
        let cause = "the model was trained with other collaborators";
        return Err(Fault::because(Code::ModelMismatch, cause).by(shared.party()));
    }
    Ok(part)
}

/// What a job's thread hands back.
struct Finished {
    result: Value,
    part: Option<ModelPart>,
}

#[derive(Clone)]
struct Conduct {
    shared: Arc<Shared>,
    plan: Arc<JobPlan>,
    part: Option<ModelPart>,
    job: JobId,
    disclosure: Vec<Disclosure>,
}

impl Conduct {
    async fn run(self, live: Arc<LiveJob>, slot: JobSlot) {
        let traffic = Arc::new(Traffic::default());
        let mut slot = Some(slot);
        let outcome = match self.conduct(&live, &traffic, &mut slot).await {
            Err(fault) if fault.code == Code::PanelTable => {
                Err(approval::explain_panel(&self.shared, &self.plan, fault).await)
            }
            outcome => outcome,
        };
        live.update(|record| record.bytes_sent = traffic.sent());
        match &outcome {
            Ok(_) => self.shared.log(&format!("job {}: succeeded", self.job)),
            Err(fault) => self.shared.log(&format!("job {}: {}{fault}", self.job, named(&self.shared, fault))),
        }
        self.shared.jobs.end(&live, outcome).await;
        drop(slot);
    }

    /// Offers the job until every party's steward has approved, then runs it.
    async fn conduct(
        &self,
        live: &Arc<LiveJob>,
        traffic: &Arc<Traffic>,
        slot: &mut Option<JobSlot>,
    ) -> Result<Success, Fault> {
        let mut stop = live.stopper.watch();
        loop {
            let started = Instant::now();
            let table = self.load().await?;
            live.update(JobRecord::begin);
            let invitation = tokio::select! {
                invitation = Invitation::dial(&self.shared, &self.plan) => invitation?,
                fault = stopped(&mut stop) => return Err(fault),
            };
            self.shared.log(&format!("job {}: connected, {}", self.job, invitation.group()));
            let negotiated = tokio::select! {
                negotiated = invitation.negotiate(&self.shared, &self.plan, self.job) => negotiated,
                fault = stopped(&mut stop) => Err(fault),
            };
            let ended = match negotiated {
                Ok(Negotiated::Opened(opened)) => {
                    return self.hold_session(live, traffic, &invitation, opened, table, started).await;
                }
                Ok(Negotiated::Awaiting(awaiting)) => {
                    // While people decide, neither rows nor a place among the running jobs are held.
                    drop(table);
                    slot.take();
                    invitation.postpone().await;
                    approval::approved(&self.shared, &approval::Wanted::of(&self.plan), live, awaiting).await
                }
                Err(fault) => Err(fault),
            };
            if let Err(fault) = ended {
                invitation.abort(&fault).await;
                return Err(fault);
            }
            *slot = Some(tokio::select! {
                slot = self.shared.jobs.slot_when_free() => slot?,
                fault = stopped(&mut stop) => {
                    invitation.abort(&fault).await;
                    return Err(fault);
                }
            });
        }
    }

    async fn load(&self) -> Result<Table, Fault> {
        let work = self.clone();
        blocking(move || {
            let wanted = match (&work.part, work.plan.kind) {
                (Some(part), _) => Wanted::ForModel(part.names()),
                (None, JobKind::Align) => Wanted::Unlabelled,
                (None, _) => Wanted::Labelled,
            };
            let (plan, shared) = (&work.plan, &work.shared);
            load(&shared.datasets, &plan.dataset, wanted, plan.missing, shared.party())
        })
        .await
    }

    /// From the first frame to Close, or to Abort.
    async fn hold_session(
        &self,
        live: &Arc<LiveJob>,
        traffic: &Arc<Traffic>,
        invitation: &Invitation,
        opened: Opened,
        table: Table,
        started: Instant,
    ) -> Result<Success, Fault> {
        let port = Port::open(opened.wiring, opened.duplexes, traffic.clone(), &live.stopper);
        let driver = Driver::new(port, Handle::current(), live.observer(traffic.clone()));
        let (work, group) = (self.clone(), invitation.group().to_owned());
        let seed = Seed::new(crate::random::<32>()?);
        let (outcome, mut driver) = off_thread(driver, move |driver| match &work.part {
            None if work.plan.kind == JobKind::Align => work.align_only(driver, &table, &seed, &group, started),
            None => work.train(driver, &table, &seed, &group, started),
            Some(part) => work.score(driver, &table, &seed, part, &group, started),
        })
        .await?;
        let outcome = match (outcome, live.stopper.fault()) {
            // A collaborator that has ended by itself refuses Close; what it said before is the reason.
            (Ok(finished), None) => match invitation.close().await {
                Ok(()) => Ok(finished),
                Err(fault) => Err(driver.told().unwrap_or(fault)),
            },
            (Err(fault), None) if fault.code == Code::PeerSlow => Err(invitation.slowest(fault).await),
            (Ok(_), Some(fault)) | (Err(fault), _) => Err(fault),
        };
        if let Err(fault) = &outcome {
            invitation.leave_out(&driver.over());
            invitation.abort(fault).await;
        }
        // The streams stay open until every collaborator knows how the session ends.
        drop(driver);
        let finished = outcome?;
        if let Some(part) = finished.part {
            let models = self.shared.models();
            store::call(&self.shared.store, move |store| part.save(&models, store)).await?;
        }
        Ok(Success { result: Some(finished.result.to_string()) })
    }

    fn names(&self) -> Vec<String> {
        self.plan.parties(self.shared.party()).iter().map(|party| self.shared.trust.alias(party)).collect()
    }

    fn head<'a>(&'a self, driver: &'a Driver, group: &'a str, started: Instant) -> Head<'a> {
        Head {
            job: self.job,
            kind: self.plan.kind.as_str(),
            model: self.plan.model,
            costs: driver.costs(),
            total: seconds(started.elapsed()),
            disclosure: &self.disclosure,
            backend: Backend::detect().name(),
            group,
        }
    }

    fn align(
        &self,
        driver: &mut Driver,
        table: &Table,
        seed: &Seed,
        split: Split,
    ) -> Result<align::AlignedInitiator, Fault> {
        let max_rows = u64::from(self.shared.config.limits.max_rows);
        let plan = AlignPlan { join: self.plan.join, split, max_rows, min_rows: 1 };
        let seed = seed.derive("align", &[]);
        if self.plan.alignment == Alignment::Oprf {
            return unbalanced::initiate(&self.shared, &self.plan, driver, plan, table.keys.clone(), seed);
        }
        let keys = driver.port().wiring().keys.clone();
        let machine = align::Initiator::new(keys, plan, &table.keys, seed);
        driver.run(Stage::Align, machine)
    }

    fn align_only(
        &self,
        driver: &mut Driver,
        table: &Table,
        seed: &Seed,
        group: &str,
        started: Instant,
    ) -> Result<Finished, Fault> {
        let aligned = self.align(driver, table, seed, Split::Hash)?;
        let mut result = self.head(driver, group, started).document();
        self.put_rows(&mut result, table, &aligned);
        Ok(Finished { result, part: None })
    }

    fn train(
        &self,
        driver: &mut Driver,
        table: &Table,
        seed: &Seed,
        group: &str,
        started: Instant,
    ) -> Result<Finished, Fault> {
        let own = self.shared.party();
        let aligned = self.align(driver, table, seed, Split::Hash)?;
        let (labels, test_labels) = result::split_labels(table, &aligned);
        rules::check_classes(&labels, &test_labels).map_err(|e| data_fault(&e, &self.plan.dataset.name, own))?;
        let waivers = Waivers::of(self.own_entry());
        let (dataset, max_evaluations) = (self.plan.dataset.name.as_str(), self.plan.max_evaluations);
        let rule = Rules { dataset, own, waivers, max_evaluations };
        let matrices = matrices(table, &aligned.rows, aligned.training_rows, &rule)?;
        let keys = driver.port().wiring().keys.clone();
        let plan = train::TrainPlan { max_evaluations, lambda: self.plan.lambda, backend: Backend::detect() };
        let alone = Alone::fit(&matrices.training, &labels, &matrices.test, self.plan.lambda)?;
        let mut warnings = result::leverage_warnings(&matrices.training);
        let (rows, seed) = (labels.len(), seed.derive("train", &[]));
        let machine = train::Initiator::new(keys.clone(), plan, matrices.training, labels, waivers.few_rows, seed);
        let trained = driver.run(Stage::Train, machine)?;
        let intercept = trained.intercept.unwrap_or_default();
        let own_scores = with_intercept(logistic::predictor(&matrices.test, &trained.coefficients), intercept);
        let joint = driver.run(Stage::Evaluate, score::Initiator::new(&keys, Stage::Evaluate, &own_scores))?;
        warnings.extend(result::separable_warning(&alone, &joint, &test_labels));
        let evaluation = Evaluation { labels: test_labels, joint, alone };
        let mut result = self.head(driver, group, started).document();
        self.put_rows(&mut result, table, &aligned);
        result["train_rows"] = json!(rows);
        result["test_rows"] = json!(evaluation.labels.len());
        evaluation.write(&mut result)?;
        result::put_training(&mut result, &trained, &self.names(), rows as u64, max_evaluations);
        result["warnings"] = Value::Array(warnings);
        let part = self.plan.model.map(|model| {
            let origin = Origin::of_plan(self.job, model, &self.plan, own);
            ModelPart::new(origin, &matrices.standardiser, &trained.coefficients, Some(intercept))
        });
        Ok(Finished { result, part })
    }

    fn score(
        &self,
        driver: &mut Driver,
        table: &Table,
        seed: &Seed,
        part: &ModelPart,
        group: &str,
        started: Instant,
    ) -> Result<Finished, Fault> {
        let aligned = self.align(driver, table, seed, Split::None)?;
        let rows = part.standardiser().apply(&sources(table), &aligned.rows);
        let rows = rows.map_err(|e| data_fault(&e, &self.plan.dataset.name, self.shared.party()))?;
        let intercept = part.intercept.unwrap_or_default();
        let own_scores = with_intercept(logistic::predictor(&rows, &part.coefficients()), intercept);
        let keys = driver.port().wiring().keys.clone();
        let totals = driver.run(Stage::Score, score::Initiator::new(&keys, Stage::Score, &own_scores))?;
        let mut result = self.head(driver, group, started).document();
        self.put_rows(&mut result, table, &aligned);
        result["scores"] = result::scores(table, &aligned.rows, &totals);
        Ok(Finished { result, part: None })
    }

    fn put_rows(&self, result: &mut Value, table: &Table, aligned: &align::AlignedInitiator) {
        let names = self.names();
        let (all, by_agency) = result::rows(&table.counts, aligned, names.get(1..).unwrap_or_default());
        result["rows_aligned"] = json!(aligned.rows.len());
        result["rows"] = all;
        result["rows_by_agency"] = by_agency;
    }

    /// The initiator's own waivers: an entry of its configuration that names itself.
    fn own_entry(&self) -> Option<&AllowEntry> {
        let (plan, own) = (&self.plan, self.shared.party());
        let mut entries = self.shared.config.allow.iter();
        entries.find(|entry| entry.permits(own, &plan.dataset.name, plan.purpose, &plan.outputs))
    }
}

fn with_intercept(mut predictors: Vec<f64>, intercept: f64) -> Vec<f64> {
    predictors.iter_mut().for_each(|z| *z += intercept);
    predictors
}

/// The short name of a fault's party, for the log.
pub(crate) fn named(shared: &Shared, fault: &Fault) -> String {
    fault.party.as_ref().map(|party| format!("{}: ", shared.trust.alias(party))).unwrap_or_default()
}
