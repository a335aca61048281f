//! A pooled job at its coordinator: rounds until there is a model.
use super::plan::{Aggregation, Method, PoolPlan};
use super::pooled::Pooled;
use super::result::{self, Trace};
use super::round::{Invitation, Links, Missing, Round};
use super::rows::{OwnRows, Wanted};
use super::{Kept, disclosure, vector};
use crate::channel::Traffic;
use crate::driver::seconds;
use crate::job::{
    Disclosure, JobKind, JobRecord, JobSlot, JobState, LiveJob, Success, WantedDatasets, approved, blocking, named,
};
use crate::node::Shared;
use crate::store::{self, DatasetRecord};
use hefu_core::{Code, CoordinatorRole, Fault, JobId, ModelId, Rank, Stage, Statistic, ValueCodec};
use hefu_crypto::sha256;
use hefu_model::pooled::{self, Moments, Newton, NewtonSums, Progress};
use hefu_protocol::aggregate::{
    Contribution, History, Outcome, PlainMean, Plan, SecureHistogram, SecureSum, Sums, Tensor, merge_small_cells,
    tensors_of_rows,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::runtime::Handle;

/// Checks a pooled job's file, writes the job down, and starts it.
///
/// # Errors
/// Those of the job file; `TOO_MANY_JOBS`.
pub(crate) async fn submit(shared: &Arc<Shared>, json: &str) -> Result<JobId, Fault> {
    let plan = PoolPlan::read(shared, json).await?;
    let slot = shared.jobs.slot()?;
    let job = JobId(crate::random::<16>()?);
    let names = plan.parties(shared.party()).iter().map(|party| shared.trust.alias(party)).collect::<Vec<_>>();
    let disclosure = disclosure::of(plan.method, plan.contributes(), plan.aggregation, &names);
    let record = JobRecord {
        parties: plan.parties(shared.party()),
        disclosure: disclosure.clone(),
        dataset: plan.own_name.clone().unwrap_or_default(),
        outputs: plan.outputs.clone(),
        ..JobRecord::new(job, JobKind::Pool, shared.party().clone(), plan.purpose)
    };
    let live = shared.jobs.begin(record, crate::channel::Stopper::new()).await?;
    let work = Pool { shared: shared.clone(), plan: Arc::new(plan), job, disclosure };
    tokio::spawn(work.run(live, slot));
    Ok(job)
}

#[derive(Clone)]
struct Pool {
    shared: Arc<Shared>,
    plan: Arc<PoolPlan>,
    job: JobId,
    disclosure: Vec<Disclosure>,
}

/// What the rounds of a job share.
struct Course {
    links: Links,
    history: History,
    rows: Option<Arc<OwnRows>>,
    trace: Vec<Trace>,
    round: u32,
    traffic: Arc<Traffic>,
}

impl Pool {
    async fn run(self, live: Arc<LiveJob>, slot: JobSlot) {
        let traffic = Arc::new(Traffic::default());
        let outcome = self.conduct(&live, &traffic).await;
        live.update(|record| record.bytes_sent = traffic.sent());
        match &outcome {
            Ok(_) => self.shared.log(&format!("job {}: succeeded", self.job)),
            Err(fault) => self.shared.log(&format!("job {}: {}{fault}", self.job, named(&self.shared, fault))),
        }
        let (shared, job) = (self.shared.clone(), self.job);
        let _ = blocking(move || {
            shared.trainers.end(job);
            Ok(())
        })
        .await;
        self.shared.jobs.end(&live, outcome).await;
        drop(slot);
    }

    async fn conduct(&self, live: &Arc<LiveJob>, traffic: &Arc<Traffic>) -> Result<Success, Fault> {
        let started = Instant::now();
        let rows = self.load().await?;
        live.update(|record| record.state = JobState::Running);
        let mut course = Course {
            links: Links::default(),
            history: History { rounds: Vec::new(), permits_change: self.plan.roster_change },
            rows: rows.map(Arc::new),
            trace: Vec::new(),
            round: 0,
            traffic: traffic.clone(),
        };
        let mut result = match self.plan.method {
            Method::Logistic => self.logistic(live, &mut course).await?,
            Method::Bins => self.bins(live, &mut course).await?,
            Method::Average => self.average(live, &mut course).await?,
            Method::Vector => self.vector(live, &mut course).await?,
        };
        live.update(|record| {
            record.model = result["model"].as_str().and_then(ModelId::parse);
            record.done = u64::from(course.round);
            record.total = record.done;
        });
        result["job"] = json!(self.job);
        result["kind"] = json!("pool");
        result["method"] = json!(self.plan.method.as_str());
        result["rounds"] = json!(course.trace.len());
        result["seconds"] = result::seconds_by_statistic(&course.trace, seconds(started.elapsed()));
        result["survivors"] = course.trace.iter().map(|t| json!(t.survivors)).collect();
        result["trace"] = course.trace.iter().map(Trace::document).collect();
        result["disclosure"] = json!(self.disclosure);
        Ok(Success { result: Some(result.to_string()) })
    }

    async fn load(&self) -> Result<Option<OwnRows>, Fault> {
        let work = self.clone();
        blocking(move || {
            let (plan, shared) = (&work.plan, &work.shared);
            let Some(dataset) = &plan.dataset else { return Ok(None) };
            if plan.method == Method::Average {
                shared.trainers.check(&plan.trainer, shared.party())?;
            }
            let wanted = Wanted { columns: &plan.columns, split: plan.split, missing: plan.missing };
            OwnRows::load(&shared.datasets, dataset, &wanted, 1, shared.party()).map(Some)
        })
        .await
    }

    /// The plan of the next round.
    fn round_plan(&self, statistic: Statistic, tensors: Vec<Tensor>, round: u32) -> Plan {
        let participants = self.plan.members.len() + usize::from(self.plan.contributes());
        let participants = u16::try_from(participants).unwrap_or(u16::MAX);
        let mut plan = match (self.plan.aggregation, statistic) {
            (Aggregation::Plain, Statistic::Update | Statistic::Vector) => {
                Plan::new(&PlainMean, statistic, round, participants, tensors)
            }
            (_, Statistic::Histogram) => Plan::new(&SecureHistogram, statistic, round, participants, tensors),
            _ => Plan::new(&SecureSum, statistic, round, participants, tensors),
        };
        plan.coordinator = if self.plan.contributes() { CoordinatorRole::Participant } else { CoordinatorRole::Only };
        if statistic != Statistic::Vector {
            plan.columns.clone_from(&self.plan.columns);
            plan.split = Some(self.plan.split);
            plan.missing = Some(self.plan.missing);
            let definition = self.plan.dataset.as_ref().map(DatasetRecord::label_definition).unwrap_or_default();
            plan.label_definition = Some(sha256(&[definition.as_bytes()]));
        }
        if statistic == Statistic::Update {
            plan.trainer = Some(self.plan.trainer.clone());
            plan.epochs = Some(self.plan.epochs);
            plan.proximal = Some(self.plan.proximal);
        }
        plan
    }

    /// One round, from the offer to the sum.
    async fn round(
        &self,
        live: &Arc<LiveJob>,
        course: &mut Course,
        statistic: Statistic,
        tensors: Vec<Tensor>,
        parameters: Vec<Vec<f64>>,
    ) -> Result<Sums, Fault> {
        let started = Instant::now();
        let round = course.round;
        course.round += 1;
        let plan = self.round_plan(statistic, tensors, round).with_parameters(&parameters);
        live.update(|record| {
            record.stage = Some(Stage::Aggregate);
            record.done = u64::from(round);
            record.total = u64::from(self.plan.max_rounds);
            record.bytes_sent = course.traffic.sent();
        });
        let (mut opened, missing) = self.open(live, course, &plan).await?;
        let (work, rows, runtime) = (self.clone(), course.rows.clone(), Handle::current());
        let history = course.history.clone();
        let task = tokio::task::spawn_blocking(move || {
            let own = || work.own_values(&plan, &parameters, rows.as_deref());
            let signing = &work.shared.identity.signing;
            let outcome = opened.run(&parameters, history, signing, own, &runtime);
            (opened, outcome)
        });
        let (opened, outcome) = task.await.map_err(|_| Fault::because(Code::Internal, "a job's thread has died"))?;
        let outcome = match (outcome, live.stopper.fault()) {
            (Ok(outcome), None) => outcome,
            (Ok(_), Some(fault)) | (Err(fault), _) => {
                opened.abort(&fault).await;
                return Err(fault);
            }
        };
        let parties = self.plan.parties(self.shared.party());
        let causes: Vec<(Rank, Code)> =
            outcome.lost.iter().filter_map(|rank| opened.cause(*rank).map(|fault| (*rank, fault.code))).collect();
        opened.close(&outcome.survivors, &mut course.links, &parties).await;
        let lost = self.lost(&outcome, &missing, &causes);
        self.note(course, statistic, &outcome, lost, started);
        course.history.rounds.push(outcome.past);
        Ok(outcome.sums)
    }

    /// Opens a round; where stewards have yet to approve, after they have.
    async fn open(&self, live: &Arc<LiveJob>, course: &mut Course, plan: &Plan) -> Result<(Round, Missing), Fault> {
        loop {
            let awaiting = Mutex::default();
            let invitation = Invitation {
                shared: &self.shared,
                job: self.job,
                pool: &self.plan,
                plan: plan.clone(),
                traffic: course.traffic.clone(),
                stopper: &live.stopper,
                awaiting: &awaiting,
            };
            match invitation.open(&mut course.links).await {
                Err(fault) if fault.code == Code::ApprovalNeeded => {}
                opened => return opened,
            }
            let datasets = self.plan.members.iter().map(|member| (member.party.clone(), member.dataset.clone()));
            let wanted = WantedDatasets {
                datasets: datasets.collect(),
                purpose: self.plan.purpose,
                outputs: self.plan.outputs.clone(),
            };
            let awaiting = awaiting.into_inner().unwrap_or_else(PoisonError::into_inner);
            approved(&self.shared, &wanted, live, awaiting).await?;
            live.update(JobRecord::begin);
        }
    }

    /// This node's own values of a statistic. Blocks.
    fn own_values(&self, plan: &Plan, parameters: &[Vec<f64>], rows: Option<&OwnRows>) -> Result<Contribution, Fault> {
        let (shared, own) = (&self.shared, self.shared.party());
        match rows {
            Some(rows) => rows.contribution(plan, parameters, self.job, &shared.trainers, own),
            None => vector::contribution(shared, self.plan.own_name.as_deref().unwrap_or_default(), plan, own),
        }
    }

    fn alias(&self, rank: Rank) -> String {
        let parties = self.plan.parties(self.shared.party());
        parties.get(rank.index()).map(|party| self.shared.trust.alias(party)).unwrap_or_default()
    }

    /// Who did not get through the round, by short name, and why.
    fn lost(&self, outcome: &Outcome, missing: &Missing, causes: &[(Rank, Code)]) -> Vec<(String, String)> {
        let mut lost: Vec<(String, String)> =
            missing.iter().map(|(p, fault)| (self.shared.trust.alias(p), fault.code.name().to_owned())).collect();
        let blamed = outcome.blamed.iter().map(|(rank, error)| (*rank, error.code()));
        let cut = outcome.lost.iter().map(|rank| (*rank, Code::LinkCut));
        for (rank, code) in blamed.chain(causes.iter().copied()).chain(cut) {
            let name = self.alias(rank);
            if !lost.iter().any(|(known, _)| *known == name) {
                lost.push((name, code.name().to_owned()));
            }
        }
        lost
    }

    fn note(
        &self,
        course: &mut Course,
        statistic: Statistic,
        outcome: &Outcome,
        lost: Vec<(String, String)>,
        started: Instant,
    ) {
        let round = u32::try_from(course.trace.len()).unwrap_or(u32::MAX);
        for (name, code) in &lost {
            self.shared.log(&format!("job {}: round {round}: {name} lost ({code})", self.job));
        }
        course.trace.push(Trace {
            round,
            statistic,
            survivors: outcome.survivors.iter().map(|rank| self.alias(*rank)).collect(),
            lost,
            seconds: seconds(started.elapsed()),
            note: None,
        });
    }

    fn width(&self) -> u32 {
        u32::try_from(self.plan.columns.len()).unwrap_or(u32::MAX)
    }

    /// Rounds 0 and 1: the pooled mean and deviation.
    async fn standardise(
        &self,
        live: &Arc<LiveJob>,
        course: &mut Course,
    ) -> Result<(Moments, Vec<hefu_model::Scale>), Fault> {
        let refuse = |e: hefu_model::Error| self.refuse(&e);
        let tensors = rows_tensors(Statistic::Moments, self.width(), 0)?;
        let sums = self.round(live, course, Statistic::Moments, tensors, Vec::new()).await?.reals();
        let [rows, positive, present, sum] = sized(sums)?;
        let first = |v: &[f64]| v.first().map_or(0, |x| *x as u64);
        let moments = Moments {
            rows: first(&rows),
            positive: first(&positive),
            present: present.iter().map(|x| *x as u64).collect(),
            sum,
        };
        if moments.positive == 0 || moments.positive >= moments.rows {
            return Err(refuse(hefu_model::Error::OneClass).citing("POOL-3"));
        }
        let mean: Vec<f64> = moments.sum.iter().zip(&moments.present).map(|(s, n)| s / *n as f64).collect();
        if let Some(column) = mean.iter().zip(&self.plan.columns).find_map(|(m, c)| (!m.is_finite()).then_some(c)) {
            return Err(refuse(hefu_model::Error::ConstantColumn { column: column.clone() }).citing("POOL-3"));
        }
        let tensors = rows_tensors(Statistic::Deviations, self.width(), 0)?;
        let sums = self.round(live, course, Statistic::Deviations, tensors, vec![mean]).await?.reals();
        let squares = sums.into_iter().next().unwrap_or_default();
        let scales = pooled::pooled_scales(&self.plan.columns, &moments, &squares);
        Ok((moments, scales.map_err(|e| refuse(e).citing("POOL-3"))?))
    }

    async fn logistic(&self, live: &Arc<LiveJob>, course: &mut Course) -> Result<Value, Fault> {
        let (moments, scales) = self.standardise(live, course).await?;
        let enough = pooled::check_rows(&moments, self.own_permits_few_rows());
        enough.map_err(|e| self.refuse(&e).citing("POOL-3"))?;
        let mut fit = Newton::new(&moments, self.plan.lambda).map_err(|e| self.refuse(&e))?;
        let (mean, deviation) = split_scales(&scales);
        let tensors = rows_tensors(Statistic::Newton, self.width(), 0)?;
        let mut survivors: Option<Vec<String>> = None;
        loop {
            if course.round >= self.plan.max_rounds {
                return Err(Fault::new(Code::TooManyRounds).by(self.shared.party()).citing("POOL-4"));
            }
            let (coefficients, intercept) = fit.point();
            let parameters = vec![mean.clone(), deviation.clone(), coefficients.to_vec(), vec![intercept]];
            let sums = self.round(live, course, Statistic::Newton, tensors.clone(), parameters).await?.reals();
            let [gram, gradient, loss] = sized(sums)?;
            let sums = NewtonSums { gram, gradient, loss: loss.first().copied().unwrap_or_default() };
            let now = course.trace.last().map(|t| t.survivors.clone());
            let same_rows = survivors.is_none() || survivors == now;
            survivors = now;
            if let Some(trace) = course.trace.last_mut() {
                trace.note = Some(json!({"loss": sums.loss}));
            }
            let next = fit.advance(&sums, same_rows);
            if next.map_err(|e| self.refuse(&e))? == Progress::Done {
                break;
            }
        }
        let (coefficients, intercept) = fit.point();
        let pooled = Pooled::new(&scales, coefficients, intercept);
        let mut result = self.finish(course, &pooled).await?;
        result["train_rows"] = json!(moments.rows);
        result["positive"] = json!(moments.positive);
        Ok(result)
    }

    /// Stores the model as this party's own, and says how it does on this party's own rows.
    async fn finish(&self, course: &Course, pooled: &Pooled) -> Result<Value, Fault> {
        let model = ModelId(crate::random::<16>()?);
        let mut result = pooled.document();
        if let (Some(rows), Some(dataset)) = (&course.rows, &self.plan.dataset) {
            result["rows"] = json!({"own": rows.training_count()});
            result::put_own_measures(&mut result, rows, pooled, self.plan.lambda);
            let part = pooled.part(self.job, model, self.shared.party(), &dataset.name, self.plan.missing);
            let models = self.shared.models();
            store::call(&self.shared.store, move |store| part.save(&models, store)).await?;
            result["model"] = json!(model);
        }
        let kept = Kept { pooled: pooled.clone(), missing: self.plan.missing };
        let (job, document) = (self.job, kept.to_json());
        store::call(&self.shared.store, move |store| store.save_pooled(job, &document)).await?;
        Ok(result)
    }

    async fn bins(&self, live: &Arc<LiveJob>, course: &mut Course) -> Result<Value, Fault> {
        let (moments, scales) = self.standardise(live, course).await?;
        let (low, width, buckets) = pooled::buckets(&scales);
        let count = u32::try_from(buckets).unwrap_or(u32::MAX);
        let tensors = rows_tensors(Statistic::Histogram, self.width(), count)?;
        let parameters = vec![low.clone(), width.clone(), vec![buckets as f64]];
        let sums = self.round(live, course, Statistic::Histogram, tensors, parameters).await?.reals();
        let [good, bad] = sized(sums)?;
        let whole = |v: &[f64]| v.iter().map(|x| *x as u64).collect::<Vec<_>>();
        let mut all = Vec::new();
        for (j, column) in self.plan.columns.iter().enumerate() {
            let counts = |v: &[f64]| whole(v.get(j * buckets..(j + 1) * buckets).unwrap_or_default());
            // AGG-27: before anything else reads the counts.
            let merged = merge_small_cells(&counts(&good), &counts(&bad), 0)
                .map_err(|e| Fault::because(e.code(), e.to_string()).by(self.shared.party()).citing(e.requirement()))?;
            let cells: Vec<_> =
                merged.iter().map(|c| pooled::Cell { first: c.first, good: c.good, bad: c.bad }).collect();
            let binning = pooled::bin(column, low[j], width[j], &cells, self.plan.bins as usize);
            all.push(result::binning(&binning));
        }
        Ok(json!({"train_rows": moments.rows, "positive": moments.positive, "bins": all, "edges": "[a,b)"}))
    }

    async fn average(&self, live: &Arc<LiveJob>, course: &mut Course) -> Result<Value, Fault> {
        let (moments, scales) = self.standardise(live, course).await?;
        let (mean, deviation) = split_scales(&scales);
        let is_plain = self.plan.aggregation == Aggregation::Plain;
        // A weighted value: the clip of a weight of up to 2^20 rows on top.
        let clip = if is_plain { u16::from(self.plan.clip) } else { u16::from(self.plan.clip) + 20 };
        let mut tensors: Vec<Tensor> =
            self.plan.tensors.iter().map(|t| Tensor::new(&t.name, ValueCodec::Fixed, clip, &t.shape)).collect();
        tensors.push(Tensor::new("weight", ValueCodec::Count, 40, &[]));
        let mut model: Vec<Vec<f64>> = self.plan.tensors.iter().map(|t| vec![0.0; t.elements()]).collect();
        while course.round < self.plan.max_rounds {
            let mut parameters = vec![mean.clone(), deviation.clone()];
            parameters.extend(model.iter().cloned());
            let mut sums = self.round(live, course, Statistic::Update, tensors.clone(), parameters).await?.reals();
            let weight = if is_plain { 1.0 } else { sums.pop().and_then(|w| w.first().copied()).unwrap_or_default() };
            if weight <= 0.0 {
                return Err(Fault::because(Code::TrainerFailed, "the updates have no weight").by(self.shared.party()));
            }
            model = sums.into_iter().map(|t| t.into_iter().map(|x| x / weight).collect()).collect();
        }
        let mut result = match model.as_slice() {
            [coefficients, intercept] if self.plan.tensors[0].name == "coefficients" && intercept.len() == 1 => {
                self.finish(course, &Pooled::new(&scales, coefficients, intercept[0])).await?
            }
            _ => json!({}),
        };
        let named = self.plan.tensors.iter().zip(&model).map(|(t, values)| (t.name.clone(), json!(values)));
        result["tensors"] = Value::Object(named.collect());
        result["train_rows"] = json!(moments.rows);
        Ok(result)
    }

    async fn vector(&self, live: &Arc<LiveJob>, course: &mut Course) -> Result<Value, Fault> {
        let tensor = Tensor::new("values", ValueCodec::Fixed, u16::from(self.plan.clip), &[self.plan.values]);
        let sums = self.round(live, course, Statistic::Vector, vec![tensor], Vec::new()).await?.reals();
        let sum = sums.into_iter().next().unwrap_or_default();
        let (shared, job) = (self.shared.clone(), self.job);
        let elements = sum.len();
        let file = blocking(move || vector::write(&shared, job, &sum)).await?;
        Ok(json!({"values": elements, "file": file}))
    }

    fn own_permits_few_rows(&self) -> bool {
        let own = self.shared.party();
        let name = self.plan.own_name.as_deref().unwrap_or_default();
        let mut entries = self.shared.config.allow.iter();
        let entry = entries.find(|e| e.permits(own, name, self.plan.purpose, &self.plan.outputs));
        entry.is_some_and(|entry| entry.waives(crate::config::Permit::FewRows))
    }

    fn refuse(&self, error: &hefu_model::Error) -> Fault {
        let dataset = self.plan.own_name.as_deref().unwrap_or_default();
        crate::job::data_fault(error, dataset, self.shared.party())
    }
}

fn split_scales(scales: &[hefu_model::Scale]) -> (Vec<f64>, Vec<f64>) {
    scales.iter().map(|s| (s.mean, s.deviation)).unzip()
}

fn rows_tensors(statistic: Statistic, columns: u32, buckets: u32) -> Result<Vec<Tensor>, Fault> {
    let cause = "more columns than a plan can have";
    tensors_of_rows(statistic, columns, buckets).ok_or_else(|| Fault::because(Code::Configuration, cause))
}

fn sized<const N: usize>(sums: Vec<Vec<f64>>) -> Result<[Vec<f64>; N], Fault> {
    sums.try_into().map_err(|_| Fault::because(Code::Internal, "sums of another statistic"))
}
