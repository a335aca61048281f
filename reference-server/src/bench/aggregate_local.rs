//! `hefu bench aggregate --local`: one secure sum by the protocol's machines alone, in one process, without a network.
use crate::failure::Result;
use hefu::{Code, Failure};
use hefu_core::{CoordinatorRole, PartyId, Rank, SessionId, Statistic, ValueCodec};
use hefu_crypto::{Agreement, Seed, SigningKey, sha256};
use hefu_protocol::aggregate::{
    Contribution, Contributor, Coordinator, Event, History, Joined, MaskKey, Member, Moving, Outcome, Own, Participant,
    Plan, Roster, SecureSum, Tensor, Values,
};
use hefu_protocol::session::{Keys, transcript, transcript_message};
use hefu_protocol::{Error, Kind, Machine, Message, Next, Outgoing};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// The size of a round.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Values of each participant.
    pub values: u32,
    /// Participants, rank 0 included.
    pub parties: u16,
    /// The last so many leave after they told their shares.
    pub drop: u16,
    /// Values are within ±2^clip.
    pub clip: u16,
}

/// What a round cost.
#[derive(Debug)]
pub struct Spent {
    /// Wall seconds of the machines.
    pub seconds: f64,
    /// CPU seconds of the machines, on all cores.
    pub cpu_seconds: f64,
    /// Payload bytes that each rank sent.
    pub bytes: Vec<u64>,
    /// Who is in the sum.
    pub survivors: usize,
}

/// Adds the vectors that `value(rank, index)` gives, and checks the sum. The making of the vectors is not counted.
pub fn round(size: Size, value: impl Fn(usize, u32) -> f64) -> Result<Spent> {
    let make = |rank: Rank| -> Contribution {
        let values = (0..size.values).map(|index| value(rank.index(), index)).collect();
        vec![Values::Real(values)].into()
    };
    let mut meter = Meter::default();
    let own = make(Rank(0));
    let mut round = meter.run(|| Round::open(size)).map_err(failed)?;
    meter.run(|| round.coordinate(Event::Values(own))).map_err(failed)?;
    meter.run(|| round.coordinate(Event::Start)).map_err(failed)?;
    while let Some(outgoing) = round.queue.pop_front() {
        if outgoing.message.kind == Kind::Shared && outgoing.to.0 >= size.parties - size.drop {
            meter.run(|| round.coordinate(Event::Lost(outgoing.to))).map_err(failed)?;
            continue;
        }
        let values = (outgoing.message.kind == Kind::Shared).then(|| make(outgoing.to));
        meter.run(|| round.deliver(outgoing, values)).map_err(failed)?;
    }
    let outcome = round.outcome.ok_or_else(|| Failure::because(Code::Internal, "The round did not end."))?;
    check(&outcome, size, value)?;
    let survivors = outcome.survivors.len();
    Ok(Spent { seconds: meter.seconds, cpu_seconds: meter.cpu_seconds, bytes: round.bytes, survivors })
}

fn failed(error: Error) -> Failure {
    Failure::because(error.code(), error.to_string())
}

/// The sum is the survivors', exactly: the values are multiples of 2^-10.
fn check(outcome: &Outcome, size: Size, value: impl Fn(usize, u32) -> f64) -> Result<()> {
    let sums = outcome.sums.reals().into_iter().flatten();
    let expected = |index: u32| outcome.survivors.iter().map(|rank| value(rank.index(), index)).sum::<f64>();
    if (0..size.values).map(expected).eq(sums) {
        return Ok(());
    }
    Err(Failure::because(Code::Internal, "The sum is not that of the survivors."))
}

/// Adds up what the machines cost.
#[derive(Default)]
struct Meter {
    seconds: f64,
    cpu_seconds: f64,
}

impl Meter {
    fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (start, cpu) = (Instant::now(), super::floor::cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID));
        let done = work();
        self.seconds += start.elapsed().as_secs_f64();
        self.cpu_seconds += super::floor::cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID) - cpu;
        done
    }
}

/// A participant, whatever it waits for.
enum Client {
    Joining(Participant),
    Joined(Joined),
    Contributing(Contributor),
    Over,
}

/// All parties of one round.
struct Round {
    coordinator: Option<Box<Coordinator>>,
    clients: BTreeMap<Rank, Client>,
    queue: VecDeque<Outgoing>,
    bytes: Vec<u64>,
    outcome: Option<Outcome>,
}

impl Round {
    /// Opens a session as parties would, with secrets of its own number.
    fn open(size: Size) -> std::result::Result<Round, Error> {
        let seed = |rank: u16, what: u8| sha256(&[b"bench", &rank.to_be_bytes(), &[what]]);
        let ranks = 0..size.parties;
        let tensor = Tensor::new("values", ValueCodec::Fixed, size.clip, &[size.values]);
        let mut plan = Plan::new(&SecureSum, Statistic::Vector, 0, size.parties, vec![tensor]);
        plan.coordinator = CoordinatorRole::Participant;
        let agreements: Vec<Agreement> = ranks.clone().map(|rank| Agreement::new(seed(rank, 0))).collect();
        let signing: Vec<Arc<SigningKey>> =
            ranks.clone().map(|rank| Arc::new(SigningKey::from_seed(&seed(rank, 1)))).collect();
        let masks: Vec<MaskKey> = ranks.clone().map(|rank| MaskKey::new(&Seed::new(seed(rank, 2)))).collect();
        let members: Vec<Member> = ranks
            .clone()
            .zip(signing.iter().zip(&masks))
            .filter_map(|(rank, (signing, mask))| {
                let party = PartyId::parse(&format!("lei:BENCH{rank}")).ok()?;
                Some(Member { party, signing_key: signing.public(), mask: Some(mask.public()) })
            })
            .collect();
        let documents: Vec<Vec<u8>> = members.iter().map(|member| format!("{member:?}").into_bytes()).collect();
        let hash = transcript(b"bench", &documents);
        let ephemerals: Vec<[u8; 32]> = agreements.iter().map(Agreement::public).collect();
        let signatures = ranks
            .clone()
            .zip(&signing)
            .map(|(rank, key)| (rank > 0).then(|| key.sign(&transcript_message(Rank(rank), &hash))));
        let signatures = signatures.collect();
        let (mut clients, mut coordinator) = (BTreeMap::new(), None);
        let mut signatures = Some(signatures);
        for ((rank, mask), signing) in ranks.map(Rank).zip(masks).zip(signing) {
            let keys = Keys::derive(SessionId([0; 16]), rank, hash, &agreements[rank.index()], &ephemerals)?;
            let roster = Arc::new(Roster::new(plan.clone(), Arc::new(keys), members.clone())?);
            let own = Own { mask, signing, seed: Seed::new(seed(rank.0, 3)) };
            if rank == Rank(0) {
                let signatures = signatures.take().unwrap_or_default();
                coordinator = Some(Coordinator::new(roster, &[], signatures, Some(own), History::default())?);
            } else if let Next::Await(machine) = Participant::new(roster, own, History::default()).step(None)?.next {
                clients.insert(rank, Client::Joining(machine));
            }
        }
        let bytes = vec![0; usize::from(size.parties)];
        Ok(Round { coordinator: coordinator.map(Box::new), clients, queue: VecDeque::new(), bytes, outcome: None })
    }

    fn coordinate(&mut self, event: Event) -> std::result::Result<(), Error> {
        let Some(coordinator) = self.coordinator.take() else { return Ok(()) };
        let moved = coordinator.step(event);
        if let Some((_, error)) = moved.blamed.into_iter().next() {
            return Err(error);
        }
        for outgoing in moved.send {
            self.bytes[0] += outgoing.message.payload.len() as u64;
            self.queue.push_back(outgoing);
        }
        match moved.next {
            Moving::Await(coordinator) => self.coordinator = Some(coordinator),
            Moving::Done(outcome) => self.outcome = Some(*outcome),
            Moving::Failed(error) => return Err(error),
        }
        Ok(())
    }

    /// Hands a message to its participant, with its values where they are due, and the answers to the coordinator.
    fn deliver(&mut self, outgoing: Outgoing, values: Option<Contribution>) -> std::result::Result<(), Error> {
        let (to, message) = (outgoing.to, outgoing.message);
        let client = self.clients.insert(to, Client::Over).unwrap_or(Client::Over);
        let (client, send) = client.receive(message, values)?;
        self.clients.insert(to, client);
        for outgoing in send {
            self.bytes[to.index()] += outgoing.message.payload.len() as u64;
            self.coordinate(Event::Message(to, outgoing.message))?;
        }
        Ok(())
    }
}

impl Client {
    fn receive(
        self,
        message: Message,
        values: Option<Contribution>,
    ) -> std::result::Result<(Client, Vec<Outgoing>), Error> {
        let input = Some((Rank(0), message));
        match (self, values) {
            (Client::Joining(machine), _) => {
                let step = machine.step(input)?;
                Ok(match step.next {
                    Next::Await(machine) | Next::Continue(machine) => (Client::Joining(machine), step.send),
                    Next::Done(joined) => (Client::Joined(joined), step.send),
                })
            }
            (Client::Joined(joined), Some(values)) => Self::contribute(joined.contribute(values)?, input),
            (Client::Contributing(machine), _) => Self::contribute(machine, input),
            (client, _) => Ok((client, Vec::new())),
        }
    }

    fn contribute(
        machine: Contributor,
        input: Option<(Rank, Message)>,
    ) -> std::result::Result<(Client, Vec<Outgoing>), Error> {
        let step = machine.step(input)?;
        match step.next {
            Next::Await(machine) | Next::Continue(machine) => Ok((Client::Contributing(machine), step.send)),
            Next::Done(answering) => Ok((Client::Over, answering.step(None)?.send)),
        }
    }
}
