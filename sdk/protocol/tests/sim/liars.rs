//! What liars do in a round of aggregation: a coordinator by script, participants by what they change on the way.
use super::world::{self, Bank, Client, Leaving, Network, Run, Session};
use hefu_core::{CoordinatorRole, Rank, Stage};
use hefu_crypto::{FrameKey, Secret, Stream, expand, extract, sha256};
use hefu_protocol::aggregate::{Plan, Values};
use hefu_protocol::{Error, Kind, Message, Outgoing, encode_envelope};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Bytes of an entry of SHARES.
const ENTRY: usize = 210;
/// Where the entries of SHARES begin: after C, D and their count.
const ENTRIES: usize = 66;

/// A list of ranks.
pub fn list(ranks: &[u16]) -> Vec<u8> {
    let head = (ranks.len() as u16).to_be_bytes().to_vec();
    ranks.iter().fold(head, |mut bytes, rank| {
        bytes.extend(rank.to_be_bytes());
        bytes
    })
}

/// Signatures by rank.
pub fn signatures(all: &[(u16, [u8; 64])]) -> Vec<u8> {
    let head = (all.len() as u16).to_be_bytes().to_vec();
    all.iter().fold(head, |mut bytes, (rank, signature)| {
        bytes.extend(rank.to_be_bytes());
        bytes.extend(signature);
        bytes
    })
}

/// A coordinator that only coordinates, and does what a test says; participants 1 to n are honest.
pub struct Script {
    pub session: Session,
    pub clients: BTreeMap<u16, Client>,
    pub replies: HashMap<(u16, Kind), Vec<u8>>,
}

impl Script {
    /// A confirmed session of n participants.
    pub fn open(n: u16, change: impl FnOnce(&mut [Bank])) -> Script {
        let mut banks = world::banks(n + 1, false);
        change(&mut banks);
        let plan = world::moments(n + 1, 1, CoordinatorRole::Only);
        let mut dice = Stream::new([7; 16]);
        let mut session = Session::open(&banks, &plan, &BTreeSet::new(), &mut dice, |_, key| key);
        let mut client = |rank: u16| {
            let participant = session.participant(usize::from(rank), banks[usize::from(rank)].history.clone());
            (rank, Client::new(participant, world::values(&plan, &mut dice)))
        };
        let clients = (1..=n).map(&mut client).collect();
        Script { session, clients, replies: HashMap::new() }
    }

    pub fn everyone(&self) -> Vec<u16> {
        self.clients.keys().copied().collect()
    }

    /// Sends a message; keeps what comes back.
    pub fn send(&mut self, to: u16, kind: Kind, payload: Vec<u8>) -> Result<(), Error> {
        let message = Message { kind, stage: Stage::Aggregate.number(), round: 1, payload };
        for reply in self.clients.get_mut(&to).unwrap().receive(Rank(0), message)? {
            self.replies.insert((to, reply.message.kind), reply.message.payload);
        }
        Ok(())
    }

    pub fn parameters(&self) -> Vec<u8> {
        encode_envelope(1, &[])
    }

    pub fn roster(&self, ranks: &[u16]) -> Vec<u8> {
        let signed = |rank: &u16| (*rank, self.session.signatures[usize::from(*rank)].unwrap());
        signatures(&ranks.iter().map(signed).collect::<Vec<_>>())
    }

    /// SHARED for a rank: U2 and the entries from its other ranks.
    pub fn shared(&self, to: u16, sharers: &[u16]) -> Vec<u8> {
        let others: Vec<u16> = sharers.iter().copied().filter(|rank| *rank != to).collect();
        let mut payload = [list(sharers), (others.len() as u16).to_be_bytes().to_vec()].concat();
        for from in others {
            let shares = &self.replies[&(from, Kind::Shares)];
            let entry = shares[ENTRIES..].chunks(ENTRY).find(|entry| entry[..2] == to.to_be_bytes()).unwrap();
            payload.extend(from.to_be_bytes());
            payload.extend(&entry[2..]);
        }
        payload
    }

    pub fn agreement(&self, signers: &[u16]) -> Vec<u8> {
        let signed = |rank: &u16| (*rank, self.replies[&(*rank, Kind::Agreed)].as_slice().try_into().unwrap());
        signatures(&signers.iter().map(signed).collect::<Vec<_>>())
    }

    /// Everything honest up to what `last` answers.
    pub fn until(mut self, last: Kind) -> Script {
        let all = self.everyone();
        for rank in &all {
            self.send(*rank, Kind::Parameters, self.parameters()).unwrap();
        }
        let steps = [
            (Kind::Roster, Kind::Shares),
            (Kind::Shared, Kind::MaskedSum),
            (Kind::Survivors, Kind::Agreed),
            (Kind::Agreement, Kind::Unmask),
        ];
        if last == Kind::Parameters {
            return self;
        }
        for (kind, answer) in steps {
            for rank in &all {
                let payload = match kind {
                    Kind::Roster => self.roster(&all),
                    Kind::Shared => self.shared(*rank, &all),
                    Kind::Survivors => list(&all),
                    _ => self.agreement(&all),
                };
                self.send(*rank, kind, payload).unwrap();
            }
            if answer == last {
                break;
            }
        }
        self
    }

    /// What one participant says to a message.
    pub fn lie(mut self, to: u16, kind: Kind, payload: Vec<u8>) -> Error {
        self.send(to, kind, payload).unwrap_err()
    }
}

/// What participant 2 of five does on the way, with an honest coordinator that participates.
pub struct Cheat {
    pub banks: Vec<Bank>,
    pub session: Session,
    pub plan: Plan,
    pub leaving: BTreeMap<Rank, Leaving>,
}

/// The liar.
pub const LIAR: u16 = 2;

/// Text of a share that its liar chose.
pub struct Chosen<'a> {
    pub b: &'a [u8; 32],
    pub s: &'a [u8; 32],
    /// Commitments that match the shares, rather than those that are there.
    pub committed: bool,
}

impl Cheat {
    pub fn new() -> Cheat {
        let banks = world::banks(5, false);
        let plan = world::moments(5, 0, CoordinatorRole::Participant);
        let session = Session::open(&banks, &plan, &BTreeSet::new(), &mut Stream::new([8; 16]), |_, key| key);
        Cheat { banks, session, plan, leaving: BTreeMap::new() }
    }

    /// The liar is lost before a message.
    pub fn leaving(mut self, before: Kind) -> Cheat {
        self.leaving.insert(Rank(LIAR), Leaving::Cut(before));
        self
    }

    /// Writes the entry for a rank anew, sealed and signed as the liar would.
    pub fn forge(&self) -> impl Fn(&mut Vec<u8>, u16, Chosen<'_>) + use<> {
        let transcript = self.session.transcript;
        let publics: Vec<[u8; 32]> = self.session.agreements.iter().map(|a| a.public()).collect();
        let secrets: Vec<[u8; 32]> =
            publics.iter().map(|public| *self.session.agreements[usize::from(LIAR)].agree(public).unwrap()).collect();
        let signing = self.banks[usize::from(LIAR)].signing.clone();
        move |payload, to, chosen| {
            let ranks = [LIAR.to_be_bytes(), to.to_be_bytes()].concat();
            let pair = extract(&transcript, &secrets[usize::from(to)]);
            let key = FrameKey::new(&expand(&pair, &[b"hefu/1 share", &ranks]));
            let place = payload[ENTRIES..].chunks(ENTRY).position(|entry| entry[..2] == to.to_be_bytes()).unwrap();
            let entry = &mut payload[ENTRIES + place * ENTRY..][..ENTRY];
            let sealed = key.seal(0, &[], &[chosen.b.as_slice(), chosen.s].concat()).unwrap();
            entry[2..82].copy_from_slice(&sealed);
            if chosen.committed {
                for (kind, share, at) in [(1u8, chosen.b, 82), (2, chosen.s, 114)] {
                    let commitment = sha256(&[b"hefu/1 share commitment", &[kind], &ranks, share]);
                    entry[at..at + 32].copy_from_slice(&commitment);
                }
            }
            let text = [b"hefu/1 share signature".as_slice(), &transcript, &ranks, &entry[2..146]].concat();
            entry[146..].copy_from_slice(&signing.sign(&text));
        }
    }

    /// Runs the round with the liar's first message of a kind changed.
    pub fn run(self, kind: Kind, change: impl Fn(&mut Vec<u8>)) -> Run {
        let mut dice = Stream::new([9; 16]);
        let values: Vec<Vec<Values>> = self.banks.iter().map(|_| world::values(&self.plan, &mut dice)).collect();
        let mut tamper = |from: Rank, outgoing: &mut Outgoing| {
            if from == Rank(LIAR) && outgoing.message.kind == kind {
                change(&mut outgoing.message.payload);
            }
        };
        let histories = self.banks.iter().map(|bank| bank.history.clone()).collect();
        let Cheat { session, leaving, .. } = self;
        Network { session, values, leaving, histories, dice, tamper: &mut tamper }.run(&[])
    }

    /// Whom the coordinator blames.
    pub fn blamed(self, kind: Kind, change: impl Fn(&mut Vec<u8>)) -> Error {
        let run = self.run(kind, change);
        match (run.blamed.into_iter().next(), run.outcome) {
            (Some((_, error)), _) | (None, Err(error)) => error,
            (None, Ok(_)) => panic!("nobody noticed"),
        }
    }
}

/// A number below ℓ that is nobody's share.
pub fn number() -> [u8; 32] {
    *Secret::new(&[77; 64]).as_bytes()
}

/// Seals an envelope anew after its bytes were changed.
pub fn redigest(envelope: &mut Vec<u8>) {
    envelope.truncate(envelope.len() - 32);
    let digest = sha256(&[envelope]);
    envelope.extend(digest);
}
