//! Machines on a simulated network: messages between two ranks keep their order, everything else is shuffled by a seed.
#![allow(dead_code)]
use hefu_core::{Rank, SessionId};
use hefu_crypto::{Agreement, Seed, Stream};
use hefu_protocol::session::{Keys, transcript};
use hefu_protocol::{Error, Machine, Message, Next, Outgoing};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The session keys of every rank, derived as parties derive them.
pub fn session(parties: u16, name: &[u8]) -> Vec<Arc<Keys>> {
    let secrets: Vec<Agreement> = (0..parties).map(|r| Agreement::new([r as u8 + 1; 32])).collect();
    let ephemerals: Vec<[u8; 32]> = secrets.iter().map(Agreement::public).collect();
    let hash = transcript::<&[u8]>(name, &[]);
    let derive = |(rank, secret): (u16, &Agreement)| {
        Arc::new(Keys::derive(SessionId([9; 16]), Rank(rank), hash, secret, &ephemerals).unwrap())
    };
    (0..).zip(&secrets).map(derive).collect()
}

pub fn seed(byte: u8) -> Seed {
    Seed::new([byte; 32])
}

/// A role of either kind, so that one network runs both.
pub enum Role<A: Machine, B: Machine> {
    Initiator(A),
    Collaborator(B),
}

/// What a role ended with.
#[derive(Debug, PartialEq)]
pub enum Outcome<A, B> {
    Initiator(A),
    Collaborator(B),
}

enum Party<A: Machine, B: Machine> {
    Waiting(Role<A, B>),
    Ready(Role<A, B>),
    Done(Outcome<A::Output, B::Output>),
    Running,
}

/// What a test may do to a message on its way.
pub type Tamper<'a> = &'a mut dyn FnMut(Rank, &mut Outgoing);

/// The result of a run: every party's outcome, or the first refusal with the rank that refused.
pub struct Run<A: Machine, B: Machine> {
    pub outcomes: Vec<Outcome<A::Output, B::Output>>,
    pub messages: usize,
    pub bytes: Vec<u64>,
}

/// Runs one initiator and its collaborators to the end. `order` shuffles who goes next and whose message arrives first.
pub fn run<A: Machine, B: Machine>(
    initiator: A,
    collaborators: Vec<B>,
    order: u64,
    tamper: Tamper<'_>,
) -> Result<Run<A, B>, (Rank, Error)> {
    let mut parties = vec![Party::Ready(Role::Initiator(initiator))];
    parties.extend(collaborators.into_iter().map(|c| Party::Ready(Role::Collaborator(c))));
    let mut network: BTreeMap<(Rank, Rank), VecDeque<Message>> = BTreeMap::new();
    let mut dice = Stream::new(u128::from(order).to_be_bytes());
    let (mut messages, mut bytes) = (0, vec![0; parties.len()]);
    loop {
        let mut moves: Vec<(Rank, Option<Rank>)> = Vec::new();
        for (rank, party) in (0u16..).map(Rank).zip(&parties) {
            match party {
                Party::Ready(_) => moves.push((rank, None)),
                Party::Waiting(_) => {
                    let from = network.iter().filter(|((_, to), queue)| *to == rank && !queue.is_empty());
                    moves.extend(from.map(|((from, _), _)| (rank, Some(*from))));
                }
                Party::Done(_) | Party::Running => {}
            }
        }
        if moves.is_empty() {
            break;
        }
        let (rank, from) = moves[dice.below(moves.len() as u64) as usize];
        let input = from.map(|from| (from, network.get_mut(&(from, rank)).unwrap().pop_front().unwrap()));
        let party = std::mem::replace(&mut parties[rank.index()], Party::Running);
        let (Party::Ready(role) | Party::Waiting(role)) = party else { unreachable!() };
        let (send, party) = transition(role, input).map_err(|error| (rank, error))?;
        parties[rank.index()] = party;
        for mut outgoing in send {
            tamper(rank, &mut outgoing);
            messages += 1;
            bytes[rank.index()] += outgoing.message.payload.len() as u64;
            network.entry((rank, outgoing.to)).or_default().push_back(outgoing.message);
        }
    }
    let outcomes = parties
        .into_iter()
        .map(|party| match party {
            Party::Done(outcome) => outcome,
            _ => panic!("a party waits for a message that never comes"),
        })
        .collect();
    assert!(network.values().all(VecDeque::is_empty), "a message was never read");
    Ok(Run { outcomes, messages, bytes })
}

type Moved<A, B> = (Vec<Outgoing>, Party<A, B>);

fn transition<A: Machine, B: Machine>(role: Role<A, B>, input: Option<(Rank, Message)>) -> Result<Moved<A, B>, Error> {
    Ok(match role {
        Role::Initiator(machine) => {
            let step = machine.step(input)?;
            let party = match step.next {
                Next::Await(machine) => Party::Waiting(Role::Initiator(machine)),
                Next::Continue(machine) => Party::Ready(Role::Initiator(machine)),
                Next::Done(output) => Party::Done(Outcome::Initiator(output)),
            };
            (step.send, party)
        }
        Role::Collaborator(machine) => {
            let step = machine.step(input)?;
            let party = match step.next {
                Next::Await(machine) => Party::Waiting(Role::Collaborator(machine)),
                Next::Continue(machine) => Party::Ready(Role::Collaborator(machine)),
                Next::Done(output) => Party::Done(Outcome::Collaborator(output)),
            };
            (step.send, party)
        }
    })
}
