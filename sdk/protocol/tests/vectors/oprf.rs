//! The vectors of unbalanced alignment: the function, epochs, whole exchanges, and what a receiver refuses.
use super::secrets::Secrets;
use super::wire::{epoch_message, read_epoch, read_size, read_wait, wait_message};
use super::{Announcement, Epoch, Evaluation, Initiator, Matched, PublishedSet, Set, Source};
use crate::align::AlignPlan;
use crate::align::wire::message;
use crate::case::{Hex, each, hex};
use crate::{Error, Kind, Machine, Message, Next, Outgoing};
use hefu_core::{Code, Join, Rank, Split};
use hefu_crypto::oprf::{OprfBlind, OprfKey};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    key: Hex,
    secret: Hex,
    blind: Hex,
}

#[test]
fn functions() {
    each("oprf_function", |given: Function| -> Result<_, Code> {
        let key = OprfKey::dangerous_from_scalar(&given.secret.array()).unwrap();
        let blind = OprfBlind::dangerous_from_scalar(&given.blind.array()).unwrap();
        let inputs = [given.key.0.as_slice()];
        let blinded = blind.blind(&inputs)[0];
        let evaluation = key.blind_evaluate(&blinded).unwrap()[0];
        let output = blind.finalize(&inputs, &evaluation).unwrap()[0];
        assert_eq!(key.evaluate(&inputs), [output]);
        let public = hex(key.public().unwrap());
        let (blinded, evaluation, output) = (hex(blinded), hex(evaluation), hex(output));
        Ok(json!({ "blinded": blinded, "evaluation": evaluation, "output": output, "public": public }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    secret: Hex,
    keys: Vec<Hex>,
}

fn texts(keys: &[Hex]) -> Vec<String> {
    keys.iter().map(|key| String::from_utf8(key.0.clone()).unwrap()).collect()
}

/// The epoch that a collaborator makes of its keys.
fn epoch(secret: &Hex, keys: &[String]) -> Epoch {
    let key = OprfKey::dangerous_from_scalar(&secret.array()).unwrap();
    let announcement = Announcement::new(PLAN, Source::Fresh { key, own_keys: keys });
    let waiting = advance(announcement, None).unwrap().1;
    let size = message(Rank::INITIATOR, Kind::OprfSize, vec![0; 9]).message;
    match advance(waiting_machine(waiting), Some((Rank::INITIATOR, size))).unwrap().1 {
        Next::Done(announced) => *announced.epoch,
        _ => panic!("the announcement is over"),
    }
}

// clause: OPRF-8
#[test]
fn epochs() {
    each("oprf_epoch", |given: Keys| -> Result<_, Code> {
        let keys = texts(&given.keys);
        let epoch = epoch(&given.secret, &keys);
        let set = epoch.set();
        assert_eq!(Set::from_bytes(set.count(), set.bytes().to_vec()).as_ref(), Some(set));
        Ok(json!({
            "width": set.width(),
            "tags": set.bytes().chunks(set.width()).map(hex).collect::<Vec<_>>(),
            "keys": epoch.order().iter().map(|own| hex(&keys[*own as usize])).collect::<Vec<_>>(),
            "public": hex(epoch.public()),
            "epoch": hex(epoch.id()),
        }))
    });
}

const PLAN: AlignPlan = AlignPlan { join: Join::Inner, split: Split::None, max_rows: 50_000, min_rows: 0 };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    rank: u16,
    keys: Vec<Hex>,
    secret: Hex,
    is_new: bool,
    held: bool,
    permutation: Vec<u32>,
    blind: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    join: Join,
    split: Split,
    keys: Vec<Hex>,
    collaborators: Vec<Peer>,
    row_order: Vec<u32>,
}

/// Steps until the machine waits or is done.
fn advance<M: Machine>(mut machine: M, mut input: Option<(Rank, Message)>) -> Result<(Vec<Outgoing>, Next<M>), Error> {
    let mut send = Vec::new();
    loop {
        let step = machine.step(input.take())?;
        send.extend(step.send);
        match step.next {
            Next::Continue(next) => machine = next,
            next => return Ok((send, next)),
        }
    }
}

fn waiting_machine<M: Machine>(next: Next<M>) -> M {
    match next {
        Next::Await(machine) => machine,
        _ => panic!("the machine waits"),
    }
}

/// Payloads by collaborator, direction and kind.
type Payloads = BTreeMap<(u16, bool, &'static str), Vec<String>>;

/// The initiator, and what every party has sent.
struct Network {
    initiator: Option<Initiator>,
    matched: Option<Matched>,
    payloads: Payloads,
}

impl Network {
    /// Hands the initiator messages of a collaborator; answers what it sends that one.
    fn give(&mut self, from: Rank, sent: Vec<Outgoing>) -> Result<Vec<Message>, Error> {
        let mut answers = Vec::new();
        for outgoing in sent {
            self.note(from.0, true, &outgoing);
            let (send, next) = advance(self.initiator.take().unwrap(), Some((from, outgoing.message)))?;
            answers.extend(send);
            match next {
                Next::Done(matched) => self.matched = Some(matched),
                next => self.initiator = Some(waiting_machine(next)),
            }
        }
        for outgoing in &answers {
            self.note(outgoing.to.0, false, outgoing);
        }
        Ok(answers.into_iter().filter(|outgoing| outgoing.to == from).map(|outgoing| outgoing.message).collect())
    }

    fn note(&mut self, rank: u16, upwards: bool, outgoing: &Outgoing) {
        let place = (rank, upwards, outgoing.message.kind.name());
        self.payloads.entry(place).or_default().push(hex(&outgoing.message.payload));
    }

    /// One collaborator after the other, as far as the rows of the job.
    fn meet(&mut self, peer: &Peer) -> Result<(), Error> {
        let (rank, keys) = (Rank(peer.rank), texts(&peer.keys));
        let key = OprfKey::dangerous_from_scalar(&peer.secret.array()).unwrap();
        let kept = Source::Kept(Box::new(epoch(&peer.secret, &keys)));
        let source = if peer.is_new { Source::Fresh { key, own_keys: &keys } } else { kept };
        let (sent, next) = advance(Announcement::new(PLAN, source), None)?;
        let mut answers = self.give(rank, sent)?.into_iter();
        let Next::Done(announced) = advance(waiting_machine(next), answers.next().map(|m| (Rank::INITIATOR, m)))?.1
        else {
            panic!("the initiator answers with its size")
        };
        assert_eq!((announced.is_new, announced.holds), (peer.is_new, peer.held));
        let (mut sent, next) = advance(Evaluation::new(PLAN, announced), None)?;
        let mut machine = waiting_machine(next);
        for blinded in answers {
            let (send, next) = advance(machine, Some((Rank::INITIATOR, blinded)))?;
            sent.extend(send);
            machine = waiting_machine(next);
        }
        self.give(rank, sent).map(drop)
    }

    fn sent(&self, rank: u16, upwards: bool, kind: &'static str) -> Vec<String> {
        self.payloads.get(&(rank, upwards, kind)).cloned().unwrap_or_default()
    }
}

#[test]
fn exchanges() {
    each("oprf", |given: Exchange| -> Result<_, Code> {
        let held = given.collaborators.iter().map(|peer| {
            let epoch = epoch(&peer.secret, &texts(&peer.keys));
            peer.held.then(|| PublishedSet { public: *epoch.public(), set: epoch.set().clone() })
        });
        let peers = given.collaborators.iter().map(|p| (Rank(p.rank), p.blind.array(), p.permutation.clone()));
        let secrets = Secrets::Given { peers: peers.collect(), rows: given.row_order.clone() };
        let plan = AlignPlan { join: given.join, split: given.split, ..PLAN };
        let initiator = Initiator::with(plan, texts(&given.keys), held.collect(), secrets);
        let initiator = waiting_machine(advance(initiator, None).map_err(|e| e.code())?.1);
        let mut network = Network { initiator: Some(initiator), matched: None, payloads: Payloads::new() };
        for peer in &given.collaborators {
            network.meet(peer).map_err(|e| e.code())?;
        }
        let aligned = network.matched.take().unwrap().aligned;
        let messages = given.collaborators.iter().zip(&aligned.matched).map(|(peer, matched)| {
            let mut common: Vec<String> =
                given.keys.iter().zip(matched).filter(|(_, matched)| **matched).map(|(key, _)| hex(&key.0)).collect();
            common.sort();
            let sent = |upwards, kind| network.sent(peer.rank, upwards, kind);
            json!({
                "rank": peer.rank, "waits_up": sent(true, "OPRF_WAIT"), "epoch_up": sent(true, "OPRF_EPOCH")[0],
                "size_down": sent(false, "OPRF_SIZE")[0], "set_up": sent(true, "OPRF_SET"),
                "blinded_down": sent(false, "OPRF_BLINDED"), "evaluated_up": sent(true, "OPRF_EVALUATED"),
                "common": common, "rows_down": sent(false, "ALIGN_ROWS"),
            })
        });
        Ok(json!({
            "messages": messages.collect::<Vec<_>>(),
            "rows": aligned.rows.iter().map(|row| hex(&given.keys[*row as usize].0)).collect::<Vec<_>>(),
            "training": aligned.training_rows,
        }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Received {
    message: String,
    payload: Hex,
    waited: Option<[u64; 2]>,
    limit: Option<u64>,
    announced: Option<u64>,
    #[serde(default)]
    before: Vec<Hex>,
    public: Option<Hex>,
    epoch: Option<Hex>,
}

// clause: OPRF-1, OPRF-2, OPRF-3, OPRF-4, OPRF-5, ALIGN-4, ALIGN-6, CONV-1
#[test]
fn payloads_are_taken_or_refused() {
    each("oprf_receive", |given: Received| {
        assert!(given.before.is_empty());
        let received = match given.message.as_str() {
            "OPRF_WAIT" => receive_wait(&given),
            "OPRF_EPOCH" => receive_epoch(&given),
            "OPRF_SIZE" => read_size(&given.payload.0, Rank::INITIATOR, given.limit.unwrap())
                .map(|(keys, holds)| json!({ "keys": keys, "holds": holds })),
            "OPRF_SET" => receive_set(&given),
            "OPRF_EVALUATED" => receive_evaluated(&given),
            other => panic!("a message of type {other} is not read here"),
        };
        received.map_err(|e| e.code())
    });
}

/// An initiator of `count` keys that awaits the one collaborator's word.
fn initiator(count: u64, max_rows: u64) -> Initiator {
    let own_keys = (0..count).map(|i| format!("own {i}")).collect();
    let mut blind = [0; 32];
    blind[0] = 3;
    let order: Vec<u32> = (0..count as u32).collect();
    let secrets = Secrets::Given { peers: vec![(Rank(1), blind, order.clone())], rows: order };
    let machine = Initiator::with(AlignPlan { max_rows, ..PLAN }, own_keys, vec![None], secrets);
    waiting_machine(advance(machine, None).unwrap().1)
}

fn take(machine: Initiator, kind: Kind, payload: Vec<u8>) -> Result<Initiator, Error> {
    let input = (Rank(1), message(Rank::INITIATOR, kind, payload).message);
    advance(machine, Some(input)).map(|(_, next)| waiting_machine(next))
}

/// An initiator that has taken every OPRF_WAIT up to what is given.
fn waited(given: &Received) -> Initiator {
    let limit = given.limit.unwrap();
    let Some([evaluated, m]) = given.waited else { return initiator(1, limit) };
    (1..=evaluated.div_ceil(16_384)).fold(initiator(1, limit), |machine, batch| {
        let wait = wait_message(Rank::INITIATOR, (batch * 16_384).min(m), m);
        take(machine, Kind::OprfWait, wait.message.payload).unwrap()
    })
}

fn receive_wait(given: &Received) -> Result<Value, Error> {
    take(waited(given), Kind::OprfWait, given.payload.0.clone())?;
    let (evaluated, keys) = read_wait(&given.payload.0, Rank(1), given.limit.unwrap())?;
    Ok(json!({ "evaluated": evaluated, "keys": keys }))
}

fn receive_epoch(given: &Received) -> Result<Value, Error> {
    take(waited(given), Kind::OprfEpoch, given.payload.0.clone())?;
    let head = read_epoch(&given.payload.0, Rank(1), given.limit.unwrap())?;
    Ok(json!({ "epoch": hex(head.epoch), "public": hex(head.public), "keys": head.m }))
}

/// Items of a batch that was accepted.
fn items(payload: &[u8], width: usize) -> Value {
    json!({ "items": payload[4..].chunks(width).map(hex).collect::<Vec<_>>() })
}

fn receive_set(given: &Received) -> Result<Value, Error> {
    let m = given.announced.unwrap();
    let (epoch, public) = (given.epoch.as_ref().unwrap().array(), given.public.as_ref().unwrap().array());
    let head = epoch_message(Rank::INITIATOR, &epoch, &public, m);
    let machine = take(initiator(1, m), Kind::OprfEpoch, head.message.payload)?;
    take(machine, Kind::OprfSet, given.payload.0.clone())?;
    Ok(items(&given.payload.0, 10))
}

fn receive_evaluated(given: &Received) -> Result<Value, Error> {
    let n = given.announced.unwrap();
    let public = OprfKey::dangerous_from_scalar(&[1; 32]).unwrap().public().unwrap();
    let head = epoch_message(Rank::INITIATOR, &[0; 32], &public, 1);
    let machine = take(initiator(n, 100), Kind::OprfEpoch, head.message.payload)?;
    take(machine, Kind::OprfEvaluated, given.payload.0.clone())?;
    Ok(items(&given.payload.0, 32))
}
