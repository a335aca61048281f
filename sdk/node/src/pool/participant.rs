//! One round at a participant: driven by the session that the coordinator opened.
use super::pooled::Pooled;
use super::rows::{OwnRows, Wanted, scales};
use super::{Kept, disclosure, vector};
use crate::channel::{Port, Traffic, stopped};
use crate::driver::Driver;
use crate::job::{JobKind, JobRecord, JobSlot, LiveJob, Success, named, off_thread};
use crate::node::Shared;
use crate::session::{CloseRequest, Held, SessionEvents};
use crate::store::{self, DatasetRecord};
use hefu_core::{Code, Fault, Missing, PartyId, Split, Stage, Statistic};
use hefu_crypto::Seed;
use hefu_protocol::aggregate::{
    Contributed, Contribution, History, MaskKey, Own, Participant, PastRound, Plan, Roster, Secrecy,
};
use hefu_protocol::session::Offer;
use serde_json::json;
use std::sync::Arc;
use tokio::runtime::Handle;

use super::plan::{Aggregation, Method};
use crate::config::Permit;

/// Runs the round of a session to its end.
pub(crate) async fn take_part(shared: Arc<Shared>, held: Arc<Held<Plan>>, events: SessionEvents<Plan>, slot: JobSlot) {
    let job = held.offer.job;
    let known = record(&shared, &held.offer, &held.dataset).await;
    let live = match shared.jobs.resume(job, held.stopper.clone()) {
        Some(live) => {
            live.update(|record| *record = known);
            live
        }
        None => match shared.jobs.begin(known, held.stopper.clone()).await {
            Ok(live) => live,
            Err(error) => {
                shared.log(&format!("job {job}: {error}"));
                held.end(false);
                shared.sessions.end(&held);
                return;
            }
        },
    };
    let round = held.offer.plan.round;
    if round == 0 {
        let (coordinator, purpose) = (shared.trust.alias(held.initiator()), held.offer.purpose);
        shared.log(&format!("job {job}: {coordinator} asks for sums over {} ({purpose})", held.dataset.name));
        for entry in live.snapshot().disclosure {
            for text in &entry.learns {
                shared.log(&format!("job {job}: {}, {}, learns {text}", entry.party, entry.role));
            }
        }
    }
    let work = Part { shared: shared.clone(), held: held.clone() };
    let traffic = Arc::new(Traffic::default());
    let sent = live.snapshot().bytes_sent;
    let (outcome, answer) = work.run(&live, events, &traffic).await;
    live.update(|record| {
        record.bytes_sent = sent + traffic.sent();
        if outcome.is_ok() {
            record.done = record.total;
        }
    });
    match &outcome {
        Ok(_) => shared.log(&format!("job {job}: round {round} done")),
        Err(fault) => shared.log(&format!("job {job}: round {round}: {}{fault}", named(&shared, fault))),
    }
    let reply = outcome.as_ref().map(drop).map_err(Clone::clone);
    held.end(outcome.is_ok());
    shared.sessions.end(&held);
    shared.jobs.end(&live, outcome).await;
    if let Some(answer) = answer {
        let _ = answer.send(reply);
    }
    drop(slot);
}

/// The job as it is known here, or new.
pub(super) async fn record(shared: &Arc<Shared>, offer: &Offer<Plan>, dataset: &DatasetRecord) -> JobRecord {
    let job = offer.job;
    let parties: Vec<PartyId> = offer.parties.iter().map(|party| party.party.clone()).collect();
    let known = store::call(&shared.store, move |store| store.job(job)).await.ok().flatten();
    let fresh = || {
        let names: Vec<String> = parties.iter().map(|party| shared.trust.alias(party)).collect();
        let plan = &offer.plan;
        let is_plain = plan.method().is_ok_and(|method| method.secrecy() == Secrecy::Plain);
        let aggregation = if is_plain { Aggregation::Plain } else { Aggregation::Masked };
        let contributes = plan.participates(hefu_core::Rank::INITIATOR);
        let method = if plan.statistic == Statistic::Vector { Method::Vector } else { Method::Logistic };
        JobRecord {
            parties: parties.clone(),
            disclosure: disclosure::of(method, contributes, aggregation, &names),
            dataset: dataset.name.clone(),
            outputs: offer.outputs.clone(),
            ..JobRecord::new(job, JobKind::Pool, parties[0].clone(), offer.purpose)
        }
    };
    let mut record = known.unwrap_or_else(fresh);
    record.begin();
    record.stage = Some(Stage::Aggregate);
    record.done = u64::from(offer.plan.round);
    record.total = record.done + 1;
    (record.ended_us, record.error) = (0, None);
    record
}

struct Part {
    shared: Arc<Shared>,
    held: Arc<Held<Plan>>,
}

impl Part {
    async fn run(
        &self,
        live: &Arc<LiveJob>,
        mut events: SessionEvents<Plan>,
        traffic: &Arc<Traffic>,
    ) -> (Result<Success, Fault>, Option<CloseRequest>) {
        let attached = match events.attached(&self.held, self.shared.config.limits.idle_timeout()).await {
            Ok(attached) => attached,
            Err(fault) => return (Err(fault), None),
        };
        let history = match self.history().await {
            Ok(history) => history,
            Err(fault) => return (Err(fault), None),
        };
        let port = Port::open(attached.wiring, vec![attached.duplex], traffic.clone(), &live.stopper);
        let driver = Driver::new(port, Handle::current(), live.observer(traffic.clone()));
        let work = Work { shared: self.shared.clone(), held: self.held.clone(), history };
        let (roster, mask) = attached.agreed;
        let (outcome, driver) = match off_thread(driver, move |driver| work.machines(driver, roster, mask)).await {
            Ok(done) => done,
            Err(fault) => return (Err(fault), None),
        };
        let mut port = driver.into_port();
        let closing = match outcome {
            Ok(contributed) => self.closing(&mut events, &mut port, &contributed).await,
            Err(fault) => Err(fault),
        };
        match closing {
            Ok(answer) => (Ok(Success { result: Some(self.result()) }), Some(answer)),
            Err(fault) => {
                // What the coordinator said itself it need not hear again.
                if self.held.stopper.fault().is_none() || fault.party.as_ref() == Some(self.shared.party()) {
                    port.report(&fault, Stage::Aggregate).await;
                }
                (Err(fault), None)
            }
        }
    }

    async fn history(&self) -> Result<History, Fault> {
        let job = self.held.offer.job;
        let rounds = store::call(&self.shared.store, move |store| store.past_rounds(job)).await?;
        Ok(History { rounds, permits_change: self.held.entry.waives(Permit::RosterChange) })
    }

    /// Waits for Close; anything else that comes is the coordinator's lie or error (AGG-18).
    async fn closing(
        &self,
        events: &mut SessionEvents<Plan>,
        port: &mut Port,
        contributed: &Contributed,
    ) -> Result<CloseRequest, Fault> {
        let mut stop = self.held.stopper.watch();
        let slow = tokio::time::sleep(port.wiring().idle);
        tokio::pin!(slow);
        let mut link_is_open = true;
        loop {
            tokio::select! {
                biased;
                fault = stopped(&mut stop) => return Err(fault),
                request = events.closing.recv() => match request {
                    Some(request) if request.is_closed() => {}
                    request => return request.ok_or_else(|| Fault::new(Code::LinkCut).by(self.held.initiator())),
                },
                heard = port.receive(Stage::Aggregate), if link_is_open => match heard {
                    Ok((rank, message)) => return Err(port.blame(&contributed.refuse(rank, &message))),
                    Err(fault) if fault.code == Code::LinkCut => link_is_open = false,
                    Err(fault) => return Err(fault),
                },
                () = &mut slow => return Err(Fault::new(Code::PeerSlow).by(self.held.initiator()).citing("FRAME-12")),
            }
        }
    }

    fn result(&self) -> String {
        let plan = &self.held.offer.plan;
        json!({
            "job": self.held.offer.job, "kind": "pool", "rounds": plan.round + 1, "statistic": plan.statistic,
        })
        .to_string()
    }
}

/// What the round's own thread needs.
struct Work {
    shared: Arc<Shared>,
    held: Arc<Held<Plan>>,
    history: History,
}

impl Work {
    fn machines(&self, driver: &mut Driver, roster: Arc<Roster>, mask: MaskKey) -> Result<Contributed, Fault> {
        let seed = Seed::new(crate::random::<32>()?);
        let own = Own { mask, signing: self.shared.identity.signing.clone(), seed };
        let machine = Participant::new(roster, own, self.history.clone());
        let joined = driver.run(Stage::Aggregate, machine)?;
        if self.held.offer.plan.method().is_ok_and(|method| method.secrecy() == Secrecy::Masked) {
            super::rehearsal::shares_told(self.held.offer.plan.round);
        }
        let kept = self.kept(joined.parameters());
        let values = self.values(joined.parameters())?;
        let machine = joined.contribute(values).map_err(|e| driver.port().blame(&e))?;
        let answering = driver.run(Stage::Aggregate, machine)?;
        self.remember(answering.past(), kept)?;
        driver.run(Stage::Aggregate, answering)
    }

    /// Writes down that the round is completed before the shares leave: AGG-25 must hold over a restart.
    fn remember(&self, past: Option<&PastRound>, kept: Option<Kept>) -> Result<(), Fault> {
        let (job, store) = (self.held.offer.job, &self.shared.store);
        if let Some(past) = past {
            store.save_round(job, past)?;
        }
        if let Some(kept) = kept {
            store.save_pooled(job, &kept.to_json())?;
        }
        Ok(())
    }

    fn values(&self, parameters: &[Vec<f64>]) -> Result<Contribution, Fault> {
        let (plan, own) = (&self.held.offer.plan, self.shared.party());
        if plan.statistic == Statistic::Vector {
            return vector::contribution(&self.shared, &self.held.dataset.name, plan, own);
        }
        let wanted = Wanted {
            columns: &plan.columns,
            split: plan.split.unwrap_or(Split::None),
            missing: plan.missing.unwrap_or(Missing::Error),
        };
        let min_rows = self.held.entry.min_rows.unwrap_or(1);
        let rows = OwnRows::load(&self.shared.datasets, &self.held.dataset, &wanted, min_rows, own)?;
        rows.contribution(plan, parameters, self.held.offer.job, &self.shared.trainers, own)
    }

    /// The model in the parameters, where there is one.
    fn kept(&self, parameters: &[Vec<f64>]) -> Option<Kept> {
        let plan = &self.held.offer.plan;
        let [mean, deviation, coefficients, intercept] = parameters else { return None };
        let has_model = match plan.statistic {
            Statistic::Newton => true,
            Statistic::Update => plan.tensors.first().is_some_and(|t| t.name == "coefficients"),
            _ => false,
        };
        let scales = scales(&plan.columns, mean, deviation);
        let intercept = intercept.first().filter(|_| has_model && coefficients.len() == scales.len())?;
        let pooled = Pooled::new(&scales, coefficients, *intercept);
        Some(Kept { pooled, missing: plan.missing.unwrap_or(Missing::Error) })
    }
}
