//! The vectors of alignment: tags, whole exchanges with given scalars and orders, and what a receiver refuses.
use super::secrets::Secrets;
use super::wire::{Elements, domain_tag, message, read_size, tag, tag_bytes};
use super::{AlignPlan, AlignedInitiator, Collaborator, Initiator};
use crate::case::{Hex, each, each_without, hex};
use crate::session::Keys;
use crate::{Error, Kind, Machine, Message, Next, Outgoing};
use hefu_core::{Code, Join, Rank, SessionId, Split};
use hefu_crypto::{Agreement, Blinder, hash_to_group};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The keys of every rank of a session with this transcript.
fn session(parties: u16, transcript: [u8; 32]) -> Vec<Arc<Keys>> {
    let secrets: Vec<Agreement> = (0..parties).map(|r| Agreement::new([r as u8 + 1; 32])).collect();
    let ephemerals: Vec<[u8; 32]> = secrets.iter().map(Agreement::public).collect();
    let derive = |(rank, secret)| Keys::derive(SessionId([1; 16]), Rank(rank), transcript, secret, &ephemerals);
    (0..).zip(&secrets).map(derive).map(|keys| Arc::new(keys.unwrap())).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hash {
    key: Hex,
    suite: u16,
    rank: u16,
    transcript: Hex,
}

/// The crate of the group answers for the uniform bytes in between.
#[test]
fn domain_tags() {
    each_without("hash_to_group", &["uniform"], |Hash { key, suite, rank, transcript }| -> Result<_, Code> {
        assert_eq!(suite, 1);
        let tag = domain_tag(&session(2, transcript.array())[0], Rank(rank));
        Ok(json!({ "dst": hex(&tag), "element": hex(hash_to_group(&tag, &key.0)) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tag {
    element: Hex,
    scalar: Hex,
    n: u64,
    m: u64,
    rank: u16,
    transcript: Hex,
}

#[test]
fn tags() {
    each("align_tag", |given: Tag| {
        let blinder = Blinder::dangerous_from_scalar(&given.scalar.array()).unwrap();
        let element = blinder.blind(&given.element.0).map_err(|e| e.code())?[0];
        let width = tag_bytes(given.n, given.m);
        let tag = tag(&session(2, given.transcript.array())[0], Rank(given.rank), &element);
        Ok(json!({ "element": hex(element), "width": width, "tag": hex(&tag[..width]) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    rank: u16,
    keys: Vec<Hex>,
    permutation: Vec<u32>,
    scalar: Hex,
    initiator_permutation: Vec<u32>,
    initiator_scalar: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    suite: u16,
    transcript: Hex,
    join: Join,
    split: Split,
    keys: Vec<Hex>,
    collaborators: Vec<Peer>,
    row_order: Vec<u32>,
}

fn texts(keys: &[Hex]) -> &'static [String] {
    keys.iter().map(|key| String::from_utf8(key.0.clone()).unwrap()).collect::<Vec<_>>().leak()
}

/// Every party of an exchange, and what it has sent.
struct Network {
    initiator: Option<Initiator<'static>>,
    collaborators: Vec<Option<Collaborator<'static>>>,
    aligned: Option<AlignedInitiator>,
    /// Rows of each collaborator, as indices of its keys.
    rows: BTreeMap<u16, Vec<u32>>,
    queue: VecDeque<(Rank, Outgoing)>,
    /// By collaborator, whether towards the initiator, and kind.
    payloads: BTreeMap<(u16, bool, &'static str), Vec<String>>,
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

impl Network {
    fn new(given: &Exchange) -> Network {
        let keys = session(given.collaborators.len() as u16 + 1, given.transcript.array());
        let plan = AlignPlan { join: given.join, split: given.split, max_rows: 100, min_rows: 0 };
        let peers = given.collaborators.iter();
        let peers = peers.map(|p| (Rank(p.rank), p.initiator_scalar.array(), p.initiator_permutation.clone()));
        let secrets = Secrets::Given { peers: peers.collect(), rows: given.row_order.clone() };
        let collaborator = |peer: &Peer| {
            let peers = vec![(Rank::INITIATOR, peer.scalar.array(), peer.permutation.clone())];
            let secrets = Secrets::Given { peers, rows: Vec::new() };
            Some(Collaborator::with(keys[usize::from(peer.rank)].clone(), plan, texts(&peer.keys), secrets))
        };
        Network {
            initiator: Some(Initiator::with(keys[0].clone(), plan, texts(&given.keys), secrets)),
            collaborators: given.collaborators.iter().map(collaborator).collect(),
            aligned: None,
            rows: BTreeMap::new(),
            queue: VecDeque::new(),
            payloads: BTreeMap::new(),
        }
    }

    fn step(&mut self, rank: Rank, input: Option<(Rank, Message)>) -> Result<(), Error> {
        let send = if rank == Rank::INITIATOR {
            let (send, next) = advance(self.initiator.take().unwrap(), input)?;
            match next {
                Next::Done(aligned) => self.aligned = Some(aligned),
                Next::Await(machine) | Next::Continue(machine) => self.initiator = Some(machine),
            }
            send
        } else {
            let place = &mut self.collaborators[rank.index() - 1];
            let (send, next) = advance(place.take().unwrap(), input)?;
            match next {
                Next::Done(aligned) => _ = self.rows.insert(rank.0, aligned.rows),
                Next::Await(machine) | Next::Continue(machine) => *place = Some(machine),
            }
            send
        };
        for outgoing in send {
            let (upwards, peer) = if outgoing.to == Rank::INITIATOR { (true, rank) } else { (false, outgoing.to) };
            let place = (peer.0, upwards, outgoing.message.kind.name());
            self.payloads.entry(place).or_default().push(hex(&outgoing.message.payload));
            self.queue.push_back((rank, outgoing));
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), Error> {
        (0..=self.collaborators.len() as u16).try_for_each(|rank| self.step(Rank(rank), None))?;
        while let Some((from, Outgoing { to, message })) = self.queue.pop_front() {
            self.step(to, Some((from, message)))?;
        }
        Ok(())
    }

    fn sent(&self, rank: u16, upwards: bool, kind: &'static str) -> Vec<String> {
        self.payloads.get(&(rank, upwards, kind)).cloned().unwrap_or_default()
    }

    fn messages(&self, rank: u16, common: &[String]) -> Value {
        let [size_up, size_down] = [true, false].map(|upwards| self.sent(rank, upwards, "ALIGN_SIZE"));
        assert_eq!((size_up.len(), size_down.len()), (1, 1));
        json!({
            "rank": rank,
            "size_up": size_up[0],
            "size_down": size_down[0],
            "blinded_up": self.sent(rank, true, "ALIGN_BLINDED"),
            "blinded_down": self.sent(rank, false, "ALIGN_BLINDED"),
            "tags_up": self.sent(rank, true, "ALIGN_TAGS"),
            "rows_down": self.sent(rank, false, "ALIGN_ROWS"),
            "common": common,
        })
    }
}

/// Where nothing is common the initiator ends the job at the point where it would form the rows (ALIGN-9): the exchange
/// is whole, and there are no rows.
// clause: ALIGN-9
#[test]
fn exchanges() {
    each("align", |given: Exchange| -> Result<_, Code> {
        assert_eq!(given.suite, 1);
        let mut network = Network::new(&given);
        match network.run() {
            Ok(()) => {}
            Err(error) if error.requirement() == "ALIGN-9" => {}
            Err(error) => return Err(error.code()),
        }
        let aligned = network.aligned.take();
        let rows: Vec<usize> = aligned.iter().flat_map(|a| &a.rows).map(|row| *row as usize).collect();
        let messages = given.collaborators.iter().enumerate().map(|(i, peer)| {
            let matched = aligned.as_ref().map(|aligned| aligned.matched[i].as_slice()).unwrap_or_default();
            let mut common: Vec<String> =
                given.keys.iter().zip(matched).filter(|(_, matched)| **matched).map(|(key, _)| hex(&key.0)).collect();
            common.sort();
            if let Some(theirs) = network.rows.get(&peer.rank) {
                let key = |row: &u32| peer.keys.get(*row as usize).map(|key| key.0.clone());
                let own = |row: &usize| given.keys[*row].0.clone();
                let same = theirs.iter().map(key).zip(&rows).all(|(key, row)| key.is_none_or(|key| key == own(row)));
                assert!(same && theirs.len() == rows.len());
            }
            network.messages(peer.rank, &common)
        });
        Ok(json!({
            "messages": messages.collect::<Vec<_>>(),
            "rows": rows.iter().map(|row| hex(&given.keys[*row].0)).collect::<Vec<_>>(),
            "training": aligned.as_ref().map_or(0, |aligned| aligned.training_rows),
        }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Received {
    message: String,
    payload: Hex,
    limit: Option<u64>,
    announced: Option<u32>,
    #[serde(default)]
    before: Vec<Hex>,
    width: Option<usize>,
    join: Option<Join>,
    totals: Option<[u32; 2]>,
}

// clause: ALIGN-1, ALIGN-2, ALIGN-3, ALIGN-4, ALIGN-6, ALIGN-7, ALIGN-8, CONV-1
#[test]
fn payloads_are_taken_or_refused() {
    each("align_receive", |given: Received| {
        let received = match (given.message.as_str(), given.announced) {
            ("ALIGN_SIZE", None) => {
                read_size(&given.payload.0, Rank(1), given.limit.unwrap()).map(|size| json!({ "size": size }))
            }
            ("ALIGN_BLINDED", Some(announced)) => receive_elements(&given, announced),
            ("ALIGN_TAGS", Some(announced)) => receive_tags(&given, announced),
            ("ALIGN_ROWS", Some(announced)) => receive_rows(&given, announced),
            _ => panic!("a message of type {} is not read here", given.message),
        };
        received.map_err(|e| e.code())
    });
}

/// Items of a batch that was accepted.
fn items(payload: &[u8], width: usize) -> Value {
    json!({ "items": payload[4..].chunks(width).map(hex).collect::<Vec<_>>() })
}

fn receive_elements(given: &Received, announced: u32) -> Result<Value, Error> {
    let blinder = Blinder::dangerous_from_scalar(&{
        let mut two = [0; 32];
        two[0] = 2;
        two
    });
    let (blinder, mut elements) = (blinder.unwrap(), Elements::new(Rank(1), u64::from(announced)));
    if !given.before.is_empty() {
        let before: Vec<u8> = given.before.iter().flat_map(|element| element.0.clone()).collect();
        elements.take(&[&[0; 4], &before[..]].concat(), &blinder)?;
    }
    let products = elements.take(&given.payload.0, &blinder)?;
    assert_eq!(products.len() * 32 + 4, given.payload.0.len());
    Ok(items(&given.payload.0, 32))
}

/// Secrets of nobody in particular, towards one peer.
fn secrets(peer: Rank, count: u32) -> Secrets {
    let mut scalar = [0; 32];
    scalar[0] = 3;
    Secrets::Given { peers: vec![(peer, scalar, (0..count).collect())], rows: Vec::new() }
}

const PLAN: AlignPlan = AlignPlan { join: Join::Inner, split: Split::None, max_rows: 100, min_rows: 0 };

fn own_keys(count: u32) -> &'static [String] {
    (0..count).map(|i| format!("own {i}")).collect::<Vec<_>>().leak()
}

/// A machine that waits after one more message.
fn take<M: Machine>(machine: M, from: Rank, kind: Kind, payload: Vec<u8>) -> Result<Next<M>, Error> {
    let input = (from, message(from, kind, payload).message);
    advance(machine, Some(input)).map(|(_, next)| next)
}

fn waiting<M: Machine>(next: Next<M>) -> M {
    match next {
        Next::Await(machine) => machine,
        _ => panic!("the machine waits"),
    }
}

/// The initiator has sent its keys and knows of one at the collaborator.
fn receive_tags(given: &Received, announced: u32) -> Result<Value, Error> {
    assert!(given.before.is_empty());
    assert_eq!(Some(tag_bytes(u64::from(announced), 1)), given.width);
    let keys = session(2, [7; 32]).remove(0);
    let machine = Initiator::with(keys, PLAN, own_keys(announced), secrets(Rank(1), announced));
    let machine = waiting(advance(machine, None)?.1);
    let machine = waiting(take(machine, Rank(1), Kind::AlignSize, 1u64.to_be_bytes().to_vec())?);
    waiting(take(machine, Rank(1), Kind::AlignTags, given.payload.0.clone())?);
    Ok(items(&given.payload.0, given.width.unwrap()))
}

/// The collaborator has sent its keys in their own order, and the initiator has none to send.
fn receive_rows(given: &Received, announced: u32) -> Result<Value, Error> {
    assert!(given.before.is_empty() && given.totals.is_none());
    let keys = session(2, [7; 32]).remove(1);
    let plan = AlignPlan { join: given.join.unwrap(), ..PLAN };
    let machine = Collaborator::with(keys, plan, own_keys(announced), secrets(Rank::INITIATOR, announced));
    let machine = waiting(advance(machine, None)?.1);
    let machine = waiting(take(machine, Rank::INITIATOR, Kind::AlignSize, vec![0; 8])?);
    match take(machine, Rank::INITIATOR, Kind::AlignRows, given.payload.0.clone())? {
        Next::Done(aligned) => Ok(json!({ "positions": aligned.rows })),
        _ => panic!("all rows are there"),
    }
}
