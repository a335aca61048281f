//! The initiator of a training job: rank 0, with the label and the optimiser.
use super::basis::Basis;
use super::collaborator::{SlotSets, USUAL_EVALUATIONS};
use super::gather::Gather;
use super::party::{Party, check_place, message};
use super::payload::{PlanNumbers, read_u32};
use super::scalars::{Scalars, WRAPPED, encode_step};
use super::sine::Sine;
use super::{Trace, TrainPlan, Trained, budget};
use crate::session::Keys;
use crate::{Error, Kind, Machine, Message, Outgoing, Step};
use hefu_core::{Code, Progress, Rank, Stage};
use hefu_crypto::Seed;
use hefu_model::block::Target;
use hefu_model::optimiser::{Decision, Grade, Optimiser};
use hefu_model::{Columns, rules};
use std::sync::Arc;

/// The initiator of a training job.
pub struct Initiator(State);

enum State {
    /// Awaits TRAIN_SHAPE of every collaborator.
    Shapes(Box<Shapes>),
    Round(Box<Round>),
    Over,
}

struct Shapes {
    keys: Arc<Keys>,
    seed: Seed,
    plan: TrainPlan,
    x: Columns,
    labels: Vec<u8>,
    permits_few_rows: bool,
    columns: Vec<Option<u32>>,
}

struct Round {
    party: Party,
    labels: Vec<u8>,
    columns: Vec<u32>,
    slots: SlotSets,
    optimiser: Optimiser,
    trace: Vec<Trace>,
    round: u32,
    grade: Grade,
    /// The point under evaluation, as STEP says it.
    points: Vec<f64>,
    gradients: Vec<f64>,
    phase: Phase,
}

enum Phase {
    /// Awaits BOUND of every collaborator.
    Bounds(Vec<Option<u32>>),
    Evaluate(Box<Evaluation>),
    Between,
}

struct Evaluation {
    sine: &'static Sine,
    bound: u64,
    basis: Basis,
    gather: Gather,
    /// SCALARS of every rank, the own one included.
    scalars: Vec<Option<Scalars>>,
}

impl Initiator {
    /// The initiator with its standardised training rows and their labels, in the job's order.
    pub fn new(
        keys: Arc<Keys>,
        plan: TrainPlan,
        x: Columns,
        labels: Vec<u8>,
        permits_few_rows: bool,
        seed: Seed,
    ) -> Self {
        let mut columns = vec![None; usize::from(keys.parties())];
        columns[0] = Some(x.count() as u32);
        Initiator(State::Shapes(Box::new(Shapes { keys, seed, plan, x, labels, permits_few_rows, columns })))
    }
}

impl Shapes {
    fn receive(&mut self, from: Rank, input: &Message) -> Result<(), Error> {
        check_place(input, from, 0)?;
        let place = self.columns.get_mut(from.index()).filter(|c| c.is_none() && input.kind == Kind::TrainShape);
        let columns = read_u32(&input.payload, from)?;
        if columns == 0 {
            return Err(Error::malformed(from));
        }
        *place.ok_or(Error::unexpected(from))? = Some(columns);
        Ok(())
    }

    fn begin(self) -> Result<(Round, Vec<Outgoing>), Error> {
        let columns: Vec<u32> = self.columns.iter().filter_map(|c| *c).collect();
        let rows = u32::try_from(self.x.rows()).unwrap_or(u32::MAX);
        let positives = self.labels.iter().filter(|label| **label == 1).count() as u32;
        if !self.permits_few_rows {
            rules::check_rows(rows as usize, self.x.count(), self.plan.max_evaluations)
                .map_err(|error| Error::job(error.code(), "VLR-2", error.to_string()))?;
        }
        let total = columns.iter().fold(1u32, |sum, c| sum.saturating_add(*c));
        budget(u64::from(rows), self.plan.max_evaluations, total).check()?;
        let target = Target { rows, positives, lambda: self.plan.lambda };
        let TrainPlan { max_evaluations, lambda, .. } = self.plan;
        let payload = PlanNumbers { rows, positives, max_evaluations, lambda }.encode();
        let party = Party::new(self.keys, self.seed, self.plan, self.x, &target)?;
        let mut send: Vec<Outgoing> =
            party.others().map(|to| message(to, Kind::TrainPlan, 0, payload.clone())).collect();
        let optimiser = Optimiser::new(self.plan.max_evaluations);
        let grade = optimiser.start();
        let mut round = Round {
            party,
            labels: self.labels,
            columns,
            slots: SlotSets::default(),
            optimiser,
            trace: Vec::new(),
            round: 0,
            grade,
            points: Vec::new(),
            gradients: Vec::new(),
            phase: Phase::Between,
        };
        send.extend(round.send_step());
        Ok((round, send))
    }
}

/// What a round comes to.
enum Outcome {
    Send(Vec<Outgoing>),
    Done(Vec<Outgoing>, Trained),
}

impl Round {
    fn to_all(&self, kind: Kind, payload: &[u8]) -> Vec<Outgoing> {
        self.party.others().map(|to| message(to, kind, self.round, payload.to_vec())).collect()
    }

    fn send_step(&mut self) -> Vec<Outgoing> {
        self.phase = Phase::Bounds(vec![None; usize::from(self.party.keys.parties())]);
        self.to_all(Kind::Step, &encode_step(self.round, &self.points, &self.gradients))
    }

    fn take_bound(&mut self, from: Rank, input: &Message) -> Result<Vec<Outgoing>, Error> {
        let Phase::Bounds(bounds) = &mut self.phase else { return Err(Error::unexpected(from)) };
        let place = bounds.get_mut(from.index()).filter(|b| b.is_none()).ok_or(Error::unexpected(from))?;
        *place = Some(read_u32(&input.payload, from)?);
        if bounds.iter().skip(1).any(Option::is_none) {
            return Ok(Vec::new());
        }
        let others: u64 = bounds.iter().flatten().map(|b| u64::from(*b)).sum();
        let bound = others + u64::from(self.party.block.bound()?);
        self.begin_evaluation(bound)
    }

    fn begin_evaluation(&mut self, bound: u64) -> Result<Vec<Outgoing>, Error> {
        let range = (bound as f64 * self.grade.reach()).ceil() as u64;
        let sine = Sine::choose(self.grade, self.labels.len(), range)?;
        let slots = self.slots.of(sine.set, &self.party.plan)?;
        let mut send = self.to_all(Kind::Eval, &sine.id.to_be_bytes());
        let (basis, key) = Basis::new(&self.party, slots, sine, self.round)?;
        send.push(key);
        let (gather, keys) = Gather::new(&self.party, self.round);
        send.extend(keys);
        let scalars = (0..self.party.keys.parties()).map(|_| None).collect();
        self.phase = Phase::Evaluate(Box::new(Evaluation { sine, bound, basis, gather, scalars }));
        Ok(send)
    }

    /// Whether there is a BASIS to make without waiting.
    fn has_work(&self) -> bool {
        matches!(&self.phase, Phase::Evaluate(evaluation) if !evaluation.basis.is_sent())
    }

    fn work(&mut self) -> Result<Vec<Outgoing>, Error> {
        match &mut self.phase {
            Phase::Evaluate(evaluation) => Ok(vec![evaluation.basis.next()?]),
            _ => Ok(Vec::new()),
        }
    }

    fn receive(&mut self, from: Rank, input: &Message) -> Result<Outcome, Error> {
        check_place(input, from, self.round)?;
        if input.kind == Kind::Bound {
            return self.take_bound(from, input).map(Outcome::Send);
        }
        let Phase::Evaluate(evaluation) = &mut self.phase else { return Err(Error::unexpected(from)) };
        let send = match input.kind {
            Kind::Masked if from == Rank::DESIGNATED => {
                let share = evaluation.basis.receive(&input.payload, &self.labels)?;
                evaluation.gather.add_share(&self.party, &share)?
            }
            Kind::Scalars => {
                let accepted = self.optimiser.evaluations() as usize;
                let scalars = Scalars::decode(&input.payload, self.round, from, accepted)?;
                let place = evaluation.scalars.get_mut(from.index()).filter(|s| s.is_none());
                *place.ok_or(Error::unexpected(from))? = Some(scalars);
                Vec::new()
            }
            _ => evaluation.gather.receive(&self.party, from, input)?,
        };
        if evaluation.scalars[0].is_none() && evaluation.gather.is_complete() {
            let sums = evaluation.gather.sums(&self.party)?;
            let accepted = self.party.block.accepted();
            let own = match self.party.block.is_wrapped(&sums)? {
                true => None,
                false => Some(self.party.block.accept(&sums)?),
            };
            evaluation.scalars[0] = Some(Scalars::of(&self.party, self.round, accepted, own.as_deref())?);
        }
        if evaluation.scalars.iter().all(Option::is_some) {
            return self.decide(send);
        }
        Ok(Outcome::Send(send))
    }

    /// All scalars are in: the next point, the same again, or the end.
    fn decide(&mut self, mut send: Vec<Outgoing>) -> Result<Outcome, Error> {
        let Phase::Evaluate(evaluation) = std::mem::replace(&mut self.phase, Phase::Between) else {
            return Ok(Outcome::Send(send));
        };
        let mut all = evaluation.scalars.into_iter().flatten();
        let Some(mut sum) = all.next() else { return Ok(Outcome::Send(send)) };
        all.for_each(|scalars| sum.add(&scalars));
        let round = self.round;
        self.round += 1;
        if sum.flags & WRAPPED != 0 {
            if self.party.block.accepted() > self.points.len() {
                self.party.block.retract();
            }
            self.check_rounds()?;
            send.extend(self.send_step());
            return Ok(Outcome::Send(send));
        }
        let decision = self.optimiser.record(&sum.numbers(), evaluation.sine.grade())?;
        let norm = self.optimiser.norm();
        self.trace.push(Trace { round, sine_set: evaluation.sine.id, bound: evaluation.bound, norm });
        match decision {
            Decision::Evaluate { points, gradients, grade } => {
                self.check_rounds()?;
                self.party.step(&points, &gradients)?;
                (self.points, self.gradients, self.grade) = (points, gradients, grade);
                send.extend(self.send_step());
                Ok(Outcome::Send(send))
            }
            Decision::Converged { evaluation } => {
                send.extend(self.to_all(Kind::TrainDone, &evaluation.to_be_bytes()));
                let trained = self.trained(evaluation)?;
                Ok(Outcome::Done(send, trained))
            }
            Decision::Exhausted => Err(too_many_rounds()),
        }
    }

    fn check_rounds(&self) -> Result<(), Error> {
        if self.round < self.party.plan.max_evaluations { Ok(()) } else { Err(too_many_rounds()) }
    }

    fn trained(&mut self, evaluation: u32) -> Result<Trained, Error> {
        let point = self.party.block.coefficients(evaluation as usize);
        let mut coefficients = point.ok_or(too_many_rounds())?.to_vec();
        let intercept = coefficients.pop();
        Ok(Trained {
            coefficients,
            intercept,
            evaluations: self.optimiser.evaluations(),
            rounds: self.round,
            columns: self.columns.clone(),
            trace: std::mem::take(&mut self.trace),
        })
    }

    fn progress(&self) -> Progress {
        let done = u64::from(self.optimiser.evaluations());
        Progress { stage: Stage::Train, done, total: USUAL_EVALUATIONS.max(done + 1) }
    }
}

fn too_many_rounds() -> Error {
    Error::job(Code::TooManyRounds, "VLR-10", "training did not converge within the announced number of evaluations")
}

impl Initiator {
    fn next(round: Box<Round>, send: Vec<Outgoing>) -> Step<Self> {
        let (progress, has_work) = (round.progress(), round.has_work());
        let machine = Initiator(State::Round(round));
        let step = if has_work { Step::go_on(machine) } else { Step::wait(machine) };
        step.sending(send).at(progress)
    }
}

impl Machine for Initiator {
    type Output = Trained;

    fn step(mut self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        match (std::mem::replace(&mut self.0, State::Over), input) {
            (State::Shapes(shapes), None) => Ok(Step::wait(Initiator(State::Shapes(shapes)))),
            (State::Shapes(mut shapes), Some((from, input))) => {
                shapes.receive(from, &input)?;
                if shapes.columns.iter().any(Option::is_none) {
                    return Ok(Step::wait(Initiator(State::Shapes(shapes))));
                }
                let (round, send) = shapes.begin()?;
                Ok(Self::next(Box::new(round), send))
            }
            (State::Round(mut round), None) => {
                let send = round.work()?;
                Ok(Self::next(round, send))
            }
            (State::Round(mut round), Some((from, input))) => match round.receive(from, &input)? {
                Outcome::Send(send) => Ok(Self::next(round, send)),
                Outcome::Done(send, trained) => Ok(Step::done(trained).sending(send)),
            },
            (State::Over, _) => Err(Error::job(Code::Internal, "", "a training step after the end")),
        }
    }
}
