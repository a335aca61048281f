//! A collaborator of a training job: rank 1, the designated one, or any other.
use super::gather::Gather;
use super::party::{Party, check_place, message};
use super::payload::{PlanNumbers, read_u16, read_u32};
use super::scalars::{Scalars, decode_step};
use super::share::{DesignatedShare, masked_phases};
use super::sigmoid::Sigmoid;
use super::sine::{Sine, sine_sets};
use super::{TrainPlan, Trained, budget};
use crate::session::Keys;
use crate::{Error, Kind, Machine, Message, Outgoing, Step};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Progress, Rank, Stage, Writer};
use hefu_crypto::Seed;
use hefu_he::{Set, Slots};
use hefu_model::block::Target;
use hefu_model::{Columns, rules};
use std::sync::Arc;

/// Evaluations that a job usually takes: the total that progress shows.
pub(super) const USUAL_EVALUATIONS: u64 = 16;

/// A collaborator of a training job.
pub struct Collaborator {
    state: State,
    /// Whether the configuration permits few rows to the initiator (VLR-2).
    permits_few_rows: bool,
}

enum State {
    Start(Box<Start>),
    /// Awaits TRAIN_PLAN.
    Plan(Box<Start>),
    Round(Box<Round>),
    Over,
}

struct Start {
    keys: Arc<Keys>,
    seed: Seed,
    plan: TrainPlan,
    x: Columns,
}

/// One round after the other.
struct Round {
    party: Party,
    slots: SlotSets,
    round: u32,
    phase: Phase,
}

enum Phase {
    /// Awaits STEP, or TRAIN_DONE.
    Step,
    /// Awaits EVAL; rank 1 takes SHARE meanwhile.
    Eval(Option<DesignatedShare>),
    /// Rank 1: awaits the other SHARE; BASIS waits in the driver's order behind BASIS_KEY.
    Shares { share: DesignatedShare, sine: &'static Sine, early: Vec<Message> },
    /// Rank 1: evaluates the sigmoid. All: gather the gradient.
    Gather { sigmoid: Option<Box<Sigmoid>>, gather: Box<Gather> },
}

/// Contexts of both slot sets, made when first used.
#[derive(Default)]
pub(super) struct SlotSets {
    fine: Option<Arc<Slots>>,
    coarse: Option<Arc<Slots>>,
}

impl SlotSets {
    pub(super) fn of(&mut self, set: Set, plan: &TrainPlan) -> Result<Arc<Slots>, Error> {
        let place = if set == Set::S { &mut self.fine } else { &mut self.coarse };
        if let Some(slots) = place {
            return Ok(slots.clone());
        }
        let slots = Arc::new(Slots::new(set, plan.backend)?);
        Ok(place.insert(slots).clone())
    }
}

impl Collaborator {
    /// A collaborator with its standardised training rows, in the job's order.
    pub fn new(keys: Arc<Keys>, plan: TrainPlan, x: Columns, permits_few_rows: bool, seed: Seed) -> Self {
        Collaborator { state: State::Start(Box::new(Start { keys, seed, plan, x })), permits_few_rows }
    }

    fn begin(&self, start: Start, payload: &[u8]) -> Result<Round, Error> {
        let from = Rank::INITIATOR;
        let PlanNumbers { rows, positives, max_evaluations, lambda } = PlanNumbers::read(payload, from)?;
        let announced = max_evaluations == start.plan.max_evaluations && lambda == start.plan.lambda;
        let fits = rows as usize == start.x.rows() && announced || is_on(Switch::IgnoresPlanNumbers);
        if !fits || positives == 0 || positives >= rows {
            return Err(Error::peer(from, Code::ShapeMismatch, "VLR-16", "the plan is not the one that was offered"));
        }
        let columns = start.x.count();
        if !self.permits_few_rows && !is_on(Switch::SkipsRowCount) {
            rules::check_rows(rows as usize, columns, max_evaluations)
                .map_err(|error| Error::job(error.code(), "VLR-2", error.to_string()))?;
        }
        budget(u64::from(rows), max_evaluations, columns as u32).check()?;
        let target = Target { rows, positives, lambda };
        let party = Party::new(start.keys, start.seed, start.plan, start.x, &target)?;
        Ok(Round { party, slots: SlotSets::default(), round: 0, phase: Phase::Step })
    }
}

impl Round {
    fn is_designated(&self) -> bool {
        self.party.own() == Rank::DESIGNATED
    }

    fn progress(&self) -> Progress {
        let done = self.party.block.accepted() as u64;
        Progress { stage: Stage::Train, done, total: USUAL_EVALUATIONS.max(done + 1) }
    }

    fn take_step(&mut self, payload: &[u8]) -> Result<Vec<Outgoing>, Error> {
        if self.round >= self.party.plan.max_evaluations && !is_on(Switch::NoRoundLimit) {
            let cause = "more evaluations than announced";
            return Err(Error::peer(Rank::INITIATOR, Code::TooManyRounds, "VLR-10", cause));
        }
        let (points, gradients) = self.read_step(payload)?;
        if !(points.is_empty() && gradients.is_empty() && self.party.block.accepted() == 0) {
            self.party.step(&points, &gradients)?;
        }
        let bound = Writer::new().u32(self.party.block.bound()?).finish();
        self.phase = Phase::Eval(
            self.is_designated().then(|| DesignatedShare::new(self.party.block.rows(), self.party.keys.parties())),
        );
        Ok(vec![message(Rank::INITIATOR, Kind::Bound, self.round, bound)])
    }

    /// STEP, also of the same point where rank 0 repeats an evaluation that this party has accepted (section 7).
    fn read_step(&self, payload: &[u8]) -> Result<(Vec<f64>, Vec<f64>), Error> {
        let accepted = self.party.block.accepted();
        let step = decode_step(payload, self.round, accepted);
        match accepted.checked_sub(1) {
            Some(before) if step.as_ref().is_err_and(|e| e.code() == Code::ShapeMismatch) => {
                decode_step(payload, self.round, before).or_else(|error| self.filled(payload, error))
            }
            _ => step,
        }
    }

    /// The fault of a party that cuts a step to its own evaluations.
    fn filled(&self, payload: &[u8], error: Error) -> Result<(Vec<f64>, Vec<f64>), Error> {
        if !is_on(Switch::FillsStep) {
            return Err(error);
        }
        let accepted = self.party.block.accepted();
        let (mut points, mut gradients) = decode_step(payload, self.round, accepted + 1)?;
        points.truncate(accepted);
        gradients.truncate(accepted);
        Ok((points, gradients))
    }

    fn take_eval(&mut self, payload: &[u8], share: Option<DesignatedShare>) -> Result<Vec<Outgoing>, Error> {
        let from = Rank::INITIATOR;
        let unknown = || Error::peer(from, Code::MalformedMessage, "VLR-18", "the sine set is not registered");
        let first = sine_sets().first().filter(|_| is_on(Switch::TakesAnySineSet));
        let sine = Sine::by_id(read_u16(payload, from)?).or(first).ok_or_else(unknown)?;
        match share {
            None => {
                let (gather, mut send) = Gather::new(&self.party, self.round);
                send.push(masked_phases(&self.party, self.round, sine.period));
                self.phase = Phase::Gather { sigmoid: None, gather: Box::new(gather) };
                Ok(send)
            }
            Some(mut share) => {
                share.add_own(&self.party.block.phases(sine.period));
                self.evaluate_if_complete(share, sine, Vec::new())
            }
        }
    }

    /// Rank 1 begins once every share is in; what rank 0 sent before that is taken then.
    fn evaluate_if_complete(
        &mut self,
        share: DesignatedShare,
        sine: &'static Sine,
        early: Vec<Message>,
    ) -> Result<Vec<Outgoing>, Error> {
        if !share.is_complete() {
            self.phase = Phase::Shares { share, sine, early };
            return Ok(Vec::new());
        }
        let slots = self.slots.of(sine.set, &self.party.plan)?;
        let sigmoid = Sigmoid::new(&self.party, slots, sine, self.round, share.phases);
        let (gather, mut send) = Gather::new(&self.party, self.round);
        self.phase = Phase::Gather { sigmoid: Some(Box::new(sigmoid)), gather: Box::new(gather) };
        for message in early {
            send.extend(self.take_gather(Rank::INITIATOR, &message)?);
        }
        Ok(send)
    }

    fn take_gather(&mut self, from: Rank, input: &Message) -> Result<Vec<Outgoing>, Error> {
        let Phase::Gather { sigmoid, gather } = &mut self.phase else {
            return Err(Error::unexpected(from));
        };
        let mut send = match (input.kind, sigmoid) {
            (Kind::BasisKey, Some(sigmoid)) if from == Rank::INITIATOR => {
                sigmoid.receive_key(&input.payload)?;
                Vec::new()
            }
            (Kind::Basis, Some(sigmoid)) if from == Rank::INITIATOR => match sigmoid.receive(&input.payload)? {
                None => Vec::new(),
                Some(finished) => {
                    let mut send = vec![finished.masked];
                    send.extend(gather.add_share(&self.party, &finished.share)?);
                    send
                }
            },
            _ => gather.receive(&self.party, from, input)?,
        };
        if gather.is_complete() {
            let sums = gather.sums(&self.party)?;
            send.push(self.scalars(&sums)?);
        }
        Ok(send)
    }

    fn scalars(&mut self, sums: &[f64]) -> Result<Outgoing, Error> {
        let evaluation = self.party.block.accepted();
        let own = match self.party.block.is_wrapped(sums)? {
            true => None,
            false => Some(self.party.block.accept(sums)?),
        };
        let payload = Scalars::of(&self.party, self.round, evaluation, own.as_deref())?.encode(self.round);
        let send = message(Rank::INITIATOR, Kind::Scalars, self.round, payload);
        (self.round, self.phase) = (self.round + 1, Phase::Step);
        Ok(send)
    }

    fn receive(&mut self, from: Rank, input: Message) -> Result<Vec<Outgoing>, Error> {
        check_place(&input, from, self.round)?;
        match (std::mem::replace(&mut self.phase, Phase::Step), input.kind) {
            (Phase::Step, Kind::Step) if from == Rank::INITIATOR => self.take_step(&input.payload),
            (Phase::Eval(Some(mut share)), Kind::Share) => {
                share.receive(from, &input.payload)?;
                self.phase = Phase::Eval(Some(share));
                Ok(Vec::new())
            }
            (Phase::Eval(share), Kind::Eval) if from == Rank::INITIATOR => self.take_eval(&input.payload, share),
            (Phase::Shares { mut share, sine, early }, Kind::Share) => {
                share.receive(from, &input.payload)?;
                self.evaluate_if_complete(share, sine, early)
            }
            (Phase::Shares { share, sine, mut early }, Kind::BasisKey | Kind::Basis | Kind::ResidualKey)
                if from == Rank::INITIATOR =>
            {
                early.push(input);
                self.phase = Phase::Shares { share, sine, early };
                Ok(Vec::new())
            }
            (phase @ Phase::Gather { .. }, _) => {
                self.phase = phase;
                self.take_gather(from, &input)
            }
            _ => Err(Error::unexpected(from)),
        }
    }

    /// TRAIN_DONE: the point of an accepted evaluation is the own part of the model.
    fn finish(&self, from: Rank, input: &Message) -> Result<Trained, Error> {
        let evaluation = read_u32(&input.payload, from)?;
        let last = self.party.block.accepted().saturating_sub(1);
        let evaluation = if is_on(Switch::EndsWithLast) { last.min(evaluation as usize) } else { evaluation as usize };
        let unknown = || Error::peer(from, Code::MalformedMessage, "VLR-20", "the model is of no accepted evaluation");
        let coefficients = self.party.block.coefficients(evaluation).ok_or_else(unknown)?.to_vec();
        Ok(Trained {
            coefficients,
            intercept: None,
            evaluations: self.party.block.accepted() as u32,
            rounds: self.round,
            columns: Vec::new(),
            trace: Vec::new(),
        })
    }
}

impl Machine for Collaborator {
    type Output = Trained;

    fn step(mut self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        match (std::mem::replace(&mut self.state, State::Over), input) {
            (State::Start(start), None) => {
                // The registry is read now, not in the middle of a round.
                let _ = sine_sets();
                let shape = Writer::new().u32(start.x.count() as u32).finish();
                self.state = State::Plan(start);
                let send = vec![message(Rank::INITIATOR, Kind::TrainShape, 0, shape)];
                Ok(Step::wait(self).sending(send))
            }
            (State::Plan(start), Some((Rank::INITIATOR, input))) if input.kind == Kind::TrainPlan => {
                check_place(&input, Rank::INITIATOR, 0)?;
                self.state = State::Round(Box::new(self.begin(*start, &input.payload)?));
                Ok(Step::wait(self))
            }
            (State::Round(round), Some((Rank::INITIATOR, input)))
                if input.kind == Kind::TrainDone && matches!(round.phase, Phase::Step) =>
            {
                check_place(&input, Rank::INITIATOR, round.round)?;
                Ok(Step::done(round.finish(Rank::INITIATOR, &input)?))
            }
            (State::Round(mut round), Some((from, input))) => {
                let send = round.receive(from, input)?;
                let progress = round.progress();
                self.state = State::Round(round);
                Ok(Step::wait(self).sending(send).at(progress))
            }
            (_, Some((from, _))) => Err(Error::unexpected(from)),
            (_, None) => Err(Error::job(Code::Internal, "", "a training step without its message")),
        }
    }
}
