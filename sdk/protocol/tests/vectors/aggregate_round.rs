//! The vectors of both roles, message by message, and of whole rounds.
use super::deal::{Dealer, MaskKey};
use super::vectors::{coefficients, integers, plan_of, refusal, roster, values};
use super::*;
use crate::case::{Hex, each, each_blaming, hex};
use crate::session::transcript_message;
use crate::{Error, Kind, Machine, Message, Next, Outgoing};
use hefu_core::{Code, CoordinatorRole, Rank, Stage, SumTo};
use hefu_crypto::{Agreement, SigningKey, sha256};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// PARAMETERS of these vectors: one tensor `mean` of two values.
fn parameter_forms() -> Vec<RealTensor> {
    vec![RealTensor { name: "mean".into(), shape: vec![2] }]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicParty {
    rank: u16,
    ephemeral: Hex,
    mask: Option<Hex>,
    signing_key: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    transcript: Hex,
    round: u32,
    participants: u16,
    coordinator: CoordinatorRole,
    neighbours: u16,
    result: SumTo,
    tensors: Vec<Tensor>,
    parameters: Hex,
    parties: Vec<PublicParty>,
}

impl Session {
    fn plan(&self) -> Plan {
        let mut plan = plan_of(self.round, self.participants, self.tensors.clone());
        (plan.coordinator, plan.neighbours, plan.result) = (self.coordinator, self.neighbours, self.result);
        plan.parameters = self.parameters.array();
        plan
    }

    fn roster(&self, own: u16, secret: &Agreement) -> Arc<Roster> {
        let count = self.participants + u16::from(self.coordinator == CoordinatorRole::Only);
        let mut parties = vec![None; usize::from(count)];
        for party in &self.parties {
            let mask = party.mask.as_ref().map(Hex::array);
            parties[usize::from(party.rank)] = Some((party.ephemeral.array(), mask, party.signing_key.array()));
        }
        roster(self.plan(), self.transcript.array(), own, secret, &parties, parameter_forms())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnParty {
    rank: u16,
    ephemeral_secret: Hex,
    signing_seed: Hex,
    self_mask: Vec<Hex>,
    mask: Vec<Hex>,
    values: Vec<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    #[serde(rename = "type")]
    kind: String,
    payload: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Role {
    session: Session,
    own: OwnParty,
    messages: Vec<Sent>,
}

fn kind(name: &str) -> Kind {
    *Kind::ALL.iter().find(|kind| kind.name() == name).unwrap()
}

fn message(kind: Kind, round: u32, payload: &[u8]) -> Message {
    Message { kind, stage: Stage::Aggregate.number(), round, payload: payload.to_vec() }
}

fn dealer(roster: Arc<Roster>, signing: &Hex, self_mask: &[Hex], mask: &[Hex]) -> Dealer {
    let signing = SigningKey::from_seed(&signing.array());
    Dealer::given(roster, signing, &coefficients(self_mask), &coefficients(mask))
}

/// A participant in whatever state it is.
enum Any {
    Joining(Participant),
    Contributing(Contributor),
    Answering(Answering),
    Done(Contributed),
}

struct Client {
    any: Option<Any>,
    values: Vec<Values>,
}

impl Client {
    fn new(dealer: Dealer, values: Vec<Values>) -> Client {
        let Next::Await(participant) = Participant::with(dealer).step(None).unwrap().next else { unreachable!() };
        Client { any: Some(Any::Joining(participant)), values }
    }

    fn receive(&mut self, message: Message) -> Result<Vec<Outgoing>, Error> {
        let input = Some((Rank(0), message.clone()));
        let (any, send) = match self.any.take().unwrap() {
            Any::Joining(machine) => {
                let step = machine.step(input)?;
                match step.next {
                    Next::Await(machine) => (Any::Joining(machine), step.send),
                    Next::Done(joined) => {
                        let next = joined.contribute(self.values.clone().into())?.step(None)?.next;
                        (Self::contributing(next)?.0, step.send)
                    }
                    Next::Continue(_) => unreachable!(),
                }
            }
            Any::Contributing(machine) => {
                let step = machine.step(input)?;
                let (any, send) = Self::contributing(step.next)?;
                (any, [step.send, send].concat())
            }
            Any::Answering(machine) => Self::answered(machine.step(input)?),
            Any::Done(contributed) => {
                return Err(contributed.refuse(Rank(0), &message));
            }
        };
        self.any = Some(any);
        Ok(send)
    }

    fn contributing(next: Next<Contributor>) -> Result<(Any, Vec<Outgoing>), Error> {
        match next {
            Next::Await(machine) => Ok((Any::Contributing(machine), Vec::new())),
            Next::Done(answering) => Ok(Self::answered(answering.step(None)?)),
            Next::Continue(_) => unreachable!(),
        }
    }

    fn answered(step: crate::Step<Answering>) -> (Any, Vec<Outgoing>) {
        match step.next {
            Next::Await(machine) => (Any::Answering(machine), step.send),
            Next::Done(contributed) => (Any::Done(contributed), step.send),
            Next::Continue(_) => unreachable!(),
        }
    }
}

// clause: AGG-11, AGG-12, AGG-13, AGG-14, AGG-16, AGG-17, AGG-18, AGG-28
#[test]
fn participants() {
    each_blaming("aggregate_participant", |given: Role| {
        let secret = Agreement::new(given.own.ephemeral_secret.array());
        let roster = given.session.roster(given.own.rank, &secret);
        let values =
            given.session.tensors.iter().zip(&given.own.values).map(|(t, texts)| values(t.codec, texts)).collect();
        let mut client =
            Client::new(dealer(roster, &given.own.signing_seed, &given.own.self_mask, &given.own.mask), values);
        let mut sent = Vec::new();
        for m in &given.messages {
            let send = client.receive(message(kind(&m.kind), given.session.round, &m.payload.0));
            for outgoing in send.map_err(|e| refusal(&e))? {
                assert_eq!(outgoing.to, Rank(0));
                let message = outgoing.message;
                sent.push(json!({ "type": message.kind.name(), "payload": hex(message.payload) }));
            }
        }
        let mut output = json!({ "sent": sent });
        if let Some(Any::Done(contributed)) = &client.any
            && let Some(sum) = contributed.sum()
        {
            output["sums"] = integers(sum);
        }
        Ok(output)
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Happening {
    rank: u16,
    #[serde(rename = "type")]
    kind: Option<String>,
    payload: Option<Hex>,
    #[serde(default)]
    lost: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CoordinatorRun {
    session: Session,
    parameters: Hex,
    events: Vec<Happening>,
}

/// A coordinator under test: it refuses with the first fault that it finds.
struct Driven {
    coordinator: Option<Box<Coordinator>>,
    sent: Vec<Outgoing>,
    outcome: Option<Outcome>,
}

impl Driven {
    fn step(&mut self, event: Event) -> Result<(), (Code, Option<u16>)> {
        let Some(coordinator) = self.coordinator.take() else { return Ok(()) };
        let moved = coordinator.step(event);
        if let Some((rank, error)) = moved.blamed.first() {
            assert_eq!(error.culprit(), Some(*rank));
            return Err(refusal(error));
        }
        self.sent.extend(moved.send);
        match moved.next {
            Moving::Await(coordinator) => self.coordinator = Some(coordinator),
            Moving::Done(outcome) => self.outcome = Some(*outcome),
            Moving::Failed(error) => return Err(refusal(&error)),
        }
        Ok(())
    }
}

// clause: AGG-11, AGG-14, AGG-19, AGG-20, AGG-21, AGG-22
#[test]
fn coordinators() {
    each_blaming("aggregate_coordinator", |given: CoordinatorRun| {
        let roster = given.session.roster(0, &Agreement::new([1; 32]));
        let mut signatures = vec![None; 1 + usize::from(given.session.participants)];
        let confirmed = |event: &&Happening| event.kind.as_deref() == Some("CONFIRMED");
        for event in given.events.iter().filter(confirmed) {
            let payload = event.payload.as_ref().unwrap();
            signatures[usize::from(event.rank)] = payload.0.as_slice().try_into().ok();
        }
        let coordinator = Coordinator::given(roster, given.parameters.0.clone(), signatures, None);
        let mut driven = Driven { coordinator: Some(Box::new(coordinator)), sent: Vec::new(), outcome: None };
        driven.step(Event::Start)?;
        for event in given.events.iter().filter(|event| !confirmed(event)) {
            let rank = Rank(event.rank);
            driven.step(match (&event.kind, &event.payload) {
                _ if event.lost => Event::Lost(rank),
                (Some(name), Some(payload)) => {
                    Event::Message(rank, message(kind(name), given.session.round, &payload.0))
                }
                _ => unreachable!(),
            })?;
        }
        let outcome = driven.outcome.expect("no outcome");
        let sent =
            |o: &Outgoing| json!({ "to": o.to.0, "type": o.message.kind.name(), "payload": hex(&o.message.payload) });
        Ok(json!({
            "sent": driven.sent.iter().map(sent).collect::<Vec<_>>(),
            "survivors": outcome.survivors,
            "sums": integers(&outcome.sums),
        }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretParty {
    rank: u16,
    ephemeral_secret: Hex,
    signing_seed: Hex,
    #[serde(default)]
    self_mask: Vec<Hex>,
    #[serde(default)]
    mask: Vec<Hex>,
    #[serde(default)]
    values: Vec<Vec<String>>,
    lost: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Round {
    transcript: Hex,
    round: u32,
    participants: u16,
    coordinator: CoordinatorRole,
    neighbours: u16,
    result: SumTo,
    tensors: Vec<Tensor>,
    parameters: Hex,
    parties: Vec<SecretParty>,
}

impl Round {
    fn session(&self) -> Session {
        let public = |party: &SecretParty| {
            let mask = party.mask.first().map(|s| MaskKey::from_bytes(&s.array()).unwrap().public());
            PublicParty {
                rank: party.rank,
                ephemeral: Hex(Agreement::new(party.ephemeral_secret.array()).public().to_vec()),
                mask: mask.map(|mask| Hex(mask.to_vec())),
                signing_key: Hex(SigningKey::from_seed(&party.signing_seed.array()).public().to_vec()),
            }
        };
        Session {
            transcript: Hex(self.transcript.0.clone()),
            round: self.round,
            participants: self.participants,
            coordinator: self.coordinator,
            neighbours: self.neighbours,
            result: self.result,
            tensors: self.tensors.clone(),
            parameters: Hex(sha256(&[&self.parameters.0]).to_vec()),
            parties: self.parties.iter().map(public).collect(),
        }
    }

    fn values(&self, party: &SecretParty) -> Vec<Values> {
        self.tensors.iter().zip(&party.values).map(|(t, texts)| values(t.codec, texts)).collect()
    }
}

/// Digests of the payloads of a round, by type number and by the participant's rank.
#[derive(Default)]
struct Log(BTreeMap<u16, BTreeMap<u16, Value>>);

impl Log {
    fn add(&mut self, rank: Rank, message: &Message) {
        self.0.entry(message.kind.number()).or_default().insert(rank.0, hex(sha256(&[&message.payload])).into());
    }

    fn json(&self) -> Value {
        let by_rank = |digests: &BTreeMap<u16, Value>| {
            digests.iter().map(|(rank, digest)| (rank.to_string(), digest.clone())).collect::<Map<_, _>>()
        };
        let named = |(number, digests): (&u16, _)| {
            (Kind::from_number(*number).unwrap().name().to_owned(), Value::Object(by_rank(digests)))
        };
        Value::Object(self.0.iter().map(named).collect())
    }
}

// clause: AGG-21
#[test]
fn rounds() {
    each("aggregate_round", |given: Round| {
        let session = given.session();
        let mut clients = BTreeMap::new();
        let mut signatures = vec![None; given.parties.iter().map(|p| usize::from(p.rank) + 1).max().unwrap()];
        let mut own = None;
        for party in &given.parties {
            let roster = session.roster(party.rank, &Agreement::new(party.ephemeral_secret.array()));
            if party.rank > 0 && party.lost.as_deref() != Some("CONFIRMED") {
                let key = SigningKey::from_seed(&party.signing_seed.array());
                let text = transcript_message(Rank(party.rank), &given.transcript.array());
                signatures[usize::from(party.rank)] = Some(key.sign(&text));
            }
            if party.mask.is_empty() {
                continue;
            }
            let dealer = dealer(roster, &party.signing_seed, &party.self_mask, &party.mask);
            match party.rank {
                0 => own = Some(dealer),
                rank => drop(clients.insert(Rank(rank), Client::new(dealer, given.values(party)))),
            }
        }
        let roster = session.roster(0, &Agreement::new(given.parties[0].ephemeral_secret.array()));
        let coordinator = Coordinator::given(roster, given.parameters.0.clone(), signatures, own);
        let mut driven = Driven { coordinator: Some(Box::new(coordinator)), sent: Vec::new(), outcome: None };
        driven.step(Event::Start).map_err(|refusal| refusal.0)?;
        if given.coordinator == CoordinatorRole::Participant {
            let values = Event::Values(given.values(&given.parties[0]).into());
            driven.step(values).map_err(|refusal| refusal.0)?;
        }
        let (mut log, mut sets) = (Log::default(), BTreeMap::new());
        let mut queue: VecDeque<Outgoing> = std::mem::take(&mut driven.sent).into();
        while let Some(outgoing) = queue.pop_front() {
            let (to, kind) = (outgoing.to, outgoing.message.kind);
            log.add(to, &outgoing.message);
            sets.insert(kind.name(), outgoing.message.payload.clone());
            let client = clients.get_mut(&to).unwrap();
            for reply in client.receive(outgoing.message).unwrap() {
                let lost = given.parties.iter().find(|p| p.rank == to.0).and_then(|p| p.lost.as_deref());
                if lost == Some(reply.message.kind.name()) {
                    driven.step(Event::Lost(to)).map_err(|refusal| refusal.0)?;
                } else {
                    log.add(to, &reply.message);
                    driven.step(Event::Message(to, reply.message)).map_err(|refusal| refusal.0)?;
                }
            }
            queue.extend(std::mem::take(&mut driven.sent));
        }
        let outcome = driven.outcome.expect("no outcome");
        let list = |name: &str, width: usize| {
            let payload = &sets[name];
            let count = usize::from(u16::from_be_bytes([payload[0], payload[1]]));
            let rank = |i: usize| u16::from_be_bytes([payload[2 + i * width], payload[3 + i * width]]);
            (0..count).map(rank).collect::<Vec<u16>>()
        };
        let u1 = match given.neighbours {
            0 => list("ROSTER", 66),
            _ => given.parties.iter().map(|party| party.rank).collect(),
        };
        Ok(json!({
            "u1": u1,
            "u2": list("SHARED", 2),
            "u3": outcome.survivors,
            "messages": log.json(),
            "sums": integers(&outcome.sums),
        }))
    });
}
