//! Rounds of aggregation under virtual time: delays, crashes, links that end, deadlines, returners.
#![allow(dead_code)]
use hefu_core::{CoordinatorRole, PartyId, Rank, SessionId, Statistic, SumTo, ValueCodec};
use hefu_crypto::{Agreement, Seed, SigningKey, Stream, sha256};
use hefu_protocol::aggregate::{
    Answering, Contributed, Contribution, Contributor, Coordinator, Event, History, MaskKey, Member, Moved, Moving,
    Outcome, Own, Participant, PastRound, Plan, Roster, SecureSum, Tensor, Values, Waiting,
};
use hefu_protocol::session::{Keys, transcript, transcript_message};
use hefu_protocol::{Error, Kind, Machine, Message, Next, Outgoing};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

/// A participant's or the coordinator's number in every session of a job: its rank is the same in each.
pub struct Bank {
    pub party: PartyId,
    pub signing: Arc<SigningKey>,
    pub history: History,
    pub last_round: Option<u32>,
}

/// The banks of a job.
pub fn banks(count: u16, permits_change: bool) -> Vec<Bank> {
    let bank = |i: u16| Bank {
        party: PartyId::parse(&format!("lei:BANK{i}")).unwrap(),
        signing: Arc::new(SigningKey::from_seed(&sha256(&[b"bank", &i.to_be_bytes()]))),
        history: History { rounds: Vec::new(), permits_change },
        last_round: None,
    };
    (0..count).map(bank).collect()
}

/// A plan of reals at two codecs and of counts.
pub fn plan(parties: u16, round: u32, coordinator: CoordinatorRole) -> Plan {
    let participants = parties - u16::from(coordinator == CoordinatorRole::Only);
    let tensors = vec![Tensor::new("values", ValueCodec::Fixed, 10, &[5])];
    let mut plan = Plan::new(&SecureSum, Statistic::Vector, round, participants, tensors);
    plan.coordinator = coordinator;
    plan
}

/// A plan of an exact statistic: counts, and reals in two limbs.
pub fn moments(parties: u16, round: u32, coordinator: CoordinatorRole) -> Plan {
    let participants = parties - u16::from(coordinator == CoordinatorRole::Only);
    let tensors = hefu_protocol::aggregate::tensors_of_rows(Statistic::Moments, 3, 0).unwrap();
    let mut plan = Plan::new(&SecureSum, Statistic::Moments, round, participants, tensors);
    plan.coordinator = coordinator;
    plan
}

/// What every party of a session knows and has, by rank; none where it is absent.
pub struct Session {
    pub rosters: Vec<Option<Result<Arc<Roster>, Error>>>,
    pub own: Vec<Option<Own>>,
    pub signatures: Vec<Option<[u8; 64]>>,
    pub agreements: Vec<Agreement>,
    pub members: Vec<Member>,
    pub transcript: [u8; 32],
}

impl Session {
    /// A session in which `absent` ranks do not confirm; `mask` may exchange a rank's public mask key.
    pub fn open(
        banks: &[Bank],
        plan: &Plan,
        absent: &BTreeSet<Rank>,
        dice: &mut Stream,
        mask: impl Fn(Rank, [u8; 32]) -> [u8; 32],
    ) -> Session {
        let mut bytes = || {
            let mut bytes = [0; 32];
            dice.fill(&mut bytes);
            bytes
        };
        let (mut agreements, mut own, mut members) = (Vec::new(), Vec::new(), Vec::new());
        for (rank, bank) in (0u16..).map(Rank).zip(banks) {
            let (agreement, seed) = (Agreement::new(bytes()), Seed::new(bytes()));
            let key = MaskKey::new(&seed);
            let present = !absent.contains(&rank) && plan.participates(rank);
            members.push(Member {
                party: bank.party.clone(),
                signing_key: bank.signing.public(),
                mask: present.then(|| mask(rank, key.public())),
            });
            own.push(present.then(|| Own { mask: key, signing: bank.signing.clone(), seed }));
            agreements.push(agreement);
        }
        let text = |rank: usize| {
            if absent.contains(&Rank(rank as u16)) {
                return Vec::new();
            }
            format!("{:?}{:?}{:?}", members[rank].party, agreements[rank].public(), members[rank].mask).into_bytes()
        };
        let confirms: Vec<Vec<u8>> = (1..banks.len()).map(text).collect();
        let hash = transcript(format!("{plan:?}{:?}", text(0)).as_bytes(), &confirms);
        let here = |rank: usize| !absent.contains(&Rank(rank as u16));
        let ephemerals: Vec<Option<[u8; 32]>> =
            agreements.iter().enumerate().map(|(r, a)| here(r).then(|| a.public())).collect();
        let keys = |rank: usize| {
            let own = Rank(rank as u16);
            Keys::derive_present(SessionId([9; 16]), own, hash, &agreements[rank], &ephemerals).unwrap()
        };
        let roster = |rank: usize| Roster::new(plan.clone(), Arc::new(keys(rank)), members.clone()).map(Arc::new);
        let rosters = (0..banks.len()).map(|rank| here(rank).then(|| roster(rank))).collect();
        let sign = |rank: usize| banks[rank].signing.sign(&transcript_message(Rank(rank as u16), &hash));
        let signatures = (0..banks.len()).map(|rank| (rank > 0 && here(rank)).then(|| sign(rank))).collect();
        Session { rosters, own, signatures, agreements, members, transcript: hash }
    }

    /// The roster of rank 0.
    pub fn roster(&self) -> Result<Arc<Roster>, Error> {
        self.rosters[0].clone().unwrap()
    }

    /// A participant's machine.
    pub fn participant(&mut self, rank: usize, history: History) -> Participant {
        let roster = self.rosters[rank].clone().unwrap().unwrap();
        Participant::new(roster, self.own[rank].take().unwrap(), history)
    }
}

/// A participant, whatever state it is in.
pub enum Node {
    Joining(Participant),
    Contributing(Contributor),
    Answering(Answering),
    Done(Contributed),
    Failed(Error),
    Gone,
}

/// One participant's inputs and records of a round.
pub struct Client {
    pub node: Node,
    pub values: Vec<Values>,
    /// Written down before shares were sent.
    pub past: Option<PastRound>,
}

impl Client {
    pub fn new(participant: Participant, values: Vec<Values>) -> Client {
        let step = participant.step(None).unwrap();
        let Next::Await(participant) = step.next else { panic!("a participant begins by waiting") };
        Client { node: Node::Joining(participant), values, past: None }
    }

    /// A message; answers what it sends. An error ends its part.
    pub fn receive(&mut self, from: Rank, message: Message) -> Result<Vec<Outgoing>, Error> {
        let node = std::mem::replace(&mut self.node, Node::Gone);
        match self.transition(node, from, message) {
            Ok((node, send)) => {
                self.node = node;
                Ok(send)
            }
            Err(error) => {
                self.node = Node::Failed(error.clone());
                Err(error)
            }
        }
    }

    fn transition(&mut self, node: Node, from: Rank, message: Message) -> Result<(Node, Vec<Outgoing>), Error> {
        match node {
            Node::Joining(machine) => {
                let step = machine.step(Some((from, message)))?;
                match step.next {
                    Next::Done(joined) => {
                        let contribution = Contribution::from(self.values.clone());
                        let first = joined.contribute(contribution)?.step(None)?;
                        let (node, send) = self.contributing(first.next)?;
                        Ok((node, [step.send, first.send, send].concat()))
                    }
                    Next::Await(machine) => Ok((Node::Joining(machine), step.send)),
                    Next::Continue(_) => unreachable!(),
                }
            }
            Node::Contributing(machine) => {
                let step = machine.step(Some((from, message)))?;
                let (node, send) = self.contributing(step.next)?;
                Ok((node, [step.send, send].concat()))
            }
            Node::Answering(machine) => {
                let step = machine.step(Some((from, message)))?;
                Ok((answered(step.next), step.send))
            }
            Node::Done(contributed) => Err(contributed.refuse(from, &message)),
            Node::Failed(error) => Err(error),
            Node::Gone => Ok((Node::Gone, Vec::new())),
        }
    }

    fn contributing(&mut self, next: Next<Contributor>) -> Result<(Node, Vec<Outgoing>), Error> {
        match next {
            Next::Await(machine) => Ok((Node::Contributing(machine), Vec::new())),
            Next::Done(answering) => {
                self.past = answering.past().cloned();
                let step = answering.step(None)?;
                Ok((answered(step.next), step.send))
            }
            Next::Continue(_) => unreachable!(),
        }
    }
}

fn answered(next: Next<Answering>) -> Node {
    match next {
        Next::Done(contributed) => Node::Done(contributed),
        Next::Await(machine) => Node::Answering(machine),
        Next::Continue(_) => unreachable!(),
    }
}

/// How a participant leaves, and before it sends which of its messages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Leaving {
    /// Its link ends: the coordinator hears of it.
    Cut(Kind),
    /// It says nothing any more: the deadline tells.
    Silent(Kind),
    /// Its message comes after the deadline.
    Late(Kind),
}

/// What may be done to a message on its way.
pub type Tamper<'a> = &'a mut dyn FnMut(Rank, &mut Outgoing);

/// What a run ended with.
pub struct Run {
    /// The coordinator's outcome, or why it has none.
    pub outcome: Result<Outcome, Error>,
    /// Whom it blamed.
    pub blamed: Vec<(Rank, Error)>,
    /// Every participant, by rank.
    pub clients: BTreeMap<Rank, Client>,
    /// Errors of participants, by rank.
    pub errors: BTreeMap<Rank, Error>,
    /// Bytes and messages that each rank sent.
    pub traffic: BTreeMap<Rank, (u64, u64)>,
}

/// Longest time that a coordinator waits in a step.
const DEADLINE: u64 = 10_000;

enum Happening {
    Deliver(Rank, Outgoing),
    Cut(Rank),
    Deadline(Waiting),
    Own,
}

/// A round on a simulated network.
pub struct Network<'a> {
    pub session: Session,
    pub values: Vec<Vec<Values>>,
    pub leaving: BTreeMap<Rank, Leaving>,
    pub histories: Vec<History>,
    pub dice: Stream,
    pub tamper: Tamper<'a>,
}

struct Clock {
    now: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    /// When the last message of a link arrives: links keep their order.
    links: BTreeMap<(Rank, Rank), u64>,
}

impl Clock {
    fn at(&mut self, time: u64, happening: Happening) {
        self.queue.push(Reverse((time, self.sequence)));
        self.happenings.insert(self.sequence, happening);
        self.sequence += 1;
    }

    fn next(&mut self) -> Option<Happening> {
        let Reverse((time, sequence)) = self.queue.pop()?;
        self.now = time;
        self.happenings.remove(&sequence)
    }
}

impl Network<'_> {
    /// Runs until the coordinator is done or fails; what is still under way then is lost.
    pub fn run(mut self, parameters: &[Vec<f64>]) -> Run {
        let roster = self.session.roster().unwrap();
        let own = self.session.own[0].take();
        let signatures = self.session.signatures.clone();
        let coordinator =
            Coordinator::new(roster.clone(), parameters, signatures, own, self.histories[0].clone()).unwrap();
        let mut clients = BTreeMap::new();
        for rank in roster.ranks().iter().filter(|rank| rank.0 > 0) {
            let participant = self.session.participant(rank.index(), self.histories[rank.index()].clone());
            clients.insert(*rank, Client::new(participant, self.values[rank.index()].clone()));
        }
        let mut clock = Clock {
            now: 0,
            sequence: 0,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            links: BTreeMap::new(),
        };
        let mut run = Run {
            outcome: Err(Error::job(hefu_core::Code::Internal, "", "never ended")),
            blamed: Vec::new(),
            clients,
            errors: BTreeMap::new(),
            traffic: BTreeMap::new(),
        };
        let own_at = self.dice.below(2000);
        clock.at(own_at, Happening::Own);
        let mut coordinator = self.moved(coordinator.step(Event::Start), None, &mut clock, &mut run);
        while let Some(current) = coordinator.take() {
            let waiting = current.waiting();
            let Some(happening) = clock.next() else { panic!("the coordinator waits for nothing") };
            coordinator = match happening {
                Happening::Own if !roster.plan().participates(Rank(0)) => Some(current),
                Happening::Own => {
                    let event = Event::Values(Contribution::from(self.values[0].clone()));
                    self.moved(current.step(event), Some(waiting), &mut clock, &mut run)
                }
                Happening::Cut(rank) => {
                    self.moved(current.step(Event::Lost(rank)), Some(waiting), &mut clock, &mut run)
                }
                Happening::Deadline(step) if step == waiting => {
                    let mut current = Some(current);
                    for rank in current.as_ref().map(|c| c.awaited()).unwrap_or_default() {
                        let Some(machine) = current.take().filter(|machine| machine.waiting() == waiting) else {
                            break;
                        };
                        current = self.moved(machine.step(Event::Lost(rank)), Some(waiting), &mut clock, &mut run);
                    }
                    current
                }
                Happening::Deadline(_) => Some(current),
                Happening::Deliver(from, outgoing) if outgoing.to == Rank(0) => {
                    let event = Event::Message(from, outgoing.message);
                    self.moved(current.step(event), Some(waiting), &mut clock, &mut run)
                }
                Happening::Deliver(from, outgoing) => {
                    self.deliver(from, outgoing, &mut clock, &mut run);
                    Some(current)
                }
            };
        }
        self.drain(&mut clock, &mut run);
        run
    }

    /// Delivers what the coordinator sent last.
    fn drain(&mut self, clock: &mut Clock, run: &mut Run) {
        while let Some(happening) = clock.next() {
            if let Happening::Deliver(from, outgoing) = happening
                && outgoing.to != Rank(0)
            {
                self.deliver(from, outgoing, clock, run);
            }
        }
    }

    fn moved(
        &mut self,
        moved: Moved,
        before: Option<Waiting>,
        clock: &mut Clock,
        run: &mut Run,
    ) -> Option<Box<Coordinator>> {
        run.blamed.extend(moved.blamed);
        for outgoing in moved.send {
            self.post(Rank(0), outgoing, clock, run);
        }
        match moved.next {
            Moving::Await(coordinator) => {
                if before != Some(coordinator.waiting()) {
                    let deadline = clock.now + DEADLINE;
                    clock.at(deadline, Happening::Deadline(coordinator.waiting()));
                }
                Some(coordinator)
            }
            Moving::Done(outcome) => {
                run.outcome = Ok(*outcome);
                None
            }
            Moving::Failed(error) => {
                run.outcome = Err(error);
                None
            }
        }
    }

    fn post(&mut self, from: Rank, mut outgoing: Outgoing, clock: &mut Clock, run: &mut Run) {
        (self.tamper)(from, &mut outgoing);
        let traffic = run.traffic.entry(from).or_default();
        traffic.0 += outgoing.message.payload.len() as u64;
        traffic.1 += 1;
        let link = clock.links.entry((from, outgoing.to)).or_default();
        let mut arrival = (clock.now + 1 + self.dice.below(1000)).max(*link + 1);
        if self.leaving.get(&from) == Some(&Leaving::Late(outgoing.message.kind)) {
            arrival += 2 * DEADLINE;
        }
        *link = arrival;
        clock.at(arrival, Happening::Deliver(from, outgoing));
    }

    fn deliver(&mut self, from: Rank, outgoing: Outgoing, clock: &mut Clock, run: &mut Run) {
        let to = outgoing.to;
        let Some(client) = run.clients.get_mut(&to) else { return };
        if matches!(client.node, Node::Gone | Node::Failed(_)) {
            return;
        }
        match client.receive(from, outgoing.message) {
            Ok(send) => {
                for outgoing in send {
                    let kind = outgoing.message.kind;
                    match self.leaving.get(&to) {
                        Some(Leaving::Cut(before)) if *before == kind => {
                            client_gone(run, to);
                            let time = clock.now + 1 + self.dice.below(500);
                            clock.at(time, Happening::Cut(to));
                            return;
                        }
                        Some(Leaving::Silent(before)) if *before == kind => return client_gone(run, to),
                        _ => self.post(to, outgoing, clock, run),
                    }
                }
            }
            Err(error) => {
                run.errors.insert(to, error);
                let time = clock.now + 1 + self.dice.below(500);
                clock.at(time, Happening::Cut(to));
            }
        }
    }
}

fn client_gone(run: &mut Run, rank: Rank) {
    if let Some(client) = run.clients.get_mut(&rank) {
        client.node = Node::Gone;
    }
}

/// Values of a rank: reals up to the clip and counts, all from the dice.
pub fn values(plan: &Plan, dice: &mut Stream) -> Vec<Values> {
    let mut real = || (dice.u64() as f64 / u64::MAX as f64 - 0.5) * 2048.0;
    plan.tensors
        .iter()
        .map(|tensor| match tensor.codec {
            ValueCodec::Count => Values::Count((0..tensor.len()).map(|_| real().abs() as u64).collect()),
            ValueCodec::Wide => Values::Real((0..tensor.len()).map(|_| real() * 1e12).collect()),
            _ => Values::Real((0..tensor.len()).map(|_| real()).collect()),
        })
        .collect()
}

/// The exact sums of some ranks' values, as integers, computed without the crate under test.
pub fn exact(plan: &Plan, participants: u16, values: &[Vec<Values>], survivors: &[Rank]) -> Vec<Vec<i128>> {
    let log = (0..).find(|bits| 1u32 << bits >= u32::from(participants)).unwrap();
    (0..plan.tensors.len())
        .map(|t| {
            let tensor = &plan.tensors[t];
            let scale = match tensor.codec {
                ValueCodec::Fixed => 40.min(62 - log - i32::from(tensor.clip)),
                ValueCodec::Wide => 40,
                _ => 0,
            };
            let mut sum = vec![0i128; tensor.len()];
            for rank in survivors {
                for (i, sum) in sum.iter_mut().enumerate() {
                    *sum += match &values[rank.index()][t] {
                        Values::Real(values) => (values[i] * 2f64.powi(scale)).round() as i128,
                        Values::Count(values) => i128::from(values[i]),
                    };
                }
            }
            sum
        })
        .collect()
}

/// Whether a plan sends the sum to everyone.
pub fn to_all(plan: &Plan) -> bool {
    plan.result == SumTo::All
}
