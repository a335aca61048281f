//! The gradient from two shares of the residual (vlr.md, section 6): the same at every rank.
//!
//! Ranks 0 and 1 own a share each: they encrypt it to the others and open masked sums. Every party evaluates the shares
//! that it does not own, one masked sum a column.
use super::party::{Party, message};
use super::payload::{encode_words, read_words};
use crate::error::Blame;
use crate::{Error, Kind, Message, Outgoing};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Rank, Reader, Writer};
use hefu_crypto::{Seed, Stream};
use hefu_he::{AnswerStreams, Block, N, PublicKey, SEED_BYTES, Scratch, SecretKey, SeenSeeds, Set, Sum};
use rayon::prelude::*;

/// Low bits of a masked sum that the key owner drops.
const DROPPED_BITS: u32 = 26;
/// Bits that are left.
const SUM_BITS: u32 = 64 - DROPPED_BITS;
/// Scale of a column's sum: 42 fractional bits.
const SUM_UNIT: f64 = 4_398_046_511_104.0;
/// Scalars that a key may open (RLWE-5).
const MAX_OPENED: usize = 2048;

/// One party's gradient of one round in the making.
pub(super) struct Gather {
    round: u32,
    owner: Option<Owner>,
    evaluators: Vec<Evaluator>,
}

impl Gather {
    /// Begins a round; answers RESIDUAL_KEY where this rank owns a share.
    pub(super) fn new(party: &Party, round: u32) -> (Gather, Vec<Outgoing>) {
        let own = party.own();
        let owners = [Rank::INITIATOR, Rank::DESIGNATED];
        let evaluators =
            owners.into_iter().filter(|o| *o != own).map(|owner| Evaluator::new(party, owner, round)).collect();
        let mut send = Vec::new();
        let owner = owners.contains(&own).then(|| {
            let (owner, key) = Owner::new(party, round);
            send.extend(party.others().map(|to| message(to, Kind::ResidualKey, round, key.clone())));
            owner
        });
        (Gather { round, owner, evaluators }, send)
    }

    /// Encrypts the next block of the own share to every other party.
    pub(super) fn add_share(&mut self, party: &Party, share: &[u64]) -> Result<Vec<Outgoing>, Error> {
        match &mut self.owner {
            Some(owner) => owner.add_share(party, self.round, share),
            None => Ok(Vec::new()),
        }
    }

    /// Takes a message of this phase.
    pub(super) fn receive(&mut self, party: &Party, from: Rank, input: &Message) -> Result<Vec<Outgoing>, Error> {
        let payload = &input.payload;
        match input.kind {
            Kind::ResidualKey => self.evaluator(from)?.receive_key(party, payload).map(|()| Vec::new()),
            Kind::Residual => {
                let round = self.round;
                self.evaluator(from)?.receive_block(party, round, payload)
            }
            Kind::Opened => self.evaluator(from)?.receive_opened(payload).map(|()| Vec::new()),
            Kind::Sums => match &mut self.owner {
                Some(owner) => owner.receive_sum(party, from, self.round, payload),
                None => Err(Error::unexpected(from)),
            },
            _ => Err(Error::unexpected(from)),
        }
    }

    fn evaluator(&mut self, owner: Rank) -> Result<&mut Evaluator, Error> {
        self.evaluators.iter_mut().find(|e| e.owner == owner).ok_or(Error::unexpected(owner))
    }

    /// Whether every sum that this party needs is opened, and every sum that others need of it.
    pub(super) fn is_complete(&self) -> bool {
        self.evaluators.iter().all(|e| e.halves.is_some()) && self.owner.as_ref().is_none_or(Owner::is_complete)
    }

    /// Σ x·e of every column, within four units of 2^−16 (vlr.md, section 6).
    pub(super) fn sums(&self, party: &Party) -> Result<Vec<f64>, Error> {
        let own: Vec<u64> = match &self.owner {
            Some(owner) => party.block.sums(&owner.share)?,
            None => Vec::new(),
        };
        let half = |rank: Rank| -> &[u64] {
            let evaluator = self.evaluators.iter().find(|e| e.owner == rank).and_then(|e| e.halves.as_deref());
            evaluator.unwrap_or(&own)
        };
        let (y, r) = (half(Rank::INITIATOR), half(Rank::DESIGNATED));
        Ok(y.iter().zip(r).map(|(y, r)| column_sum(*y, *r) as f64 / SUM_UNIT).collect())
    }
}

/// What a key owner returns of a masked sum: its high 38 bits (VLR-8).
pub(super) fn opened(sum: u64) -> u64 {
    sum >> DROPPED_BITS
}

/// The half of a returned value: modulo 2^38 at scale 2^16, within two units.
pub(super) fn half(opened: u64, mask: u64) -> u64 {
    opened.wrapping_sub(mask >> DROPPED_BITS) & ((1 << SUM_BITS) - 1)
}

/// A half at scale 2^42, as one's own are.
pub(super) fn lifted(half: u64) -> u64 {
    half << DROPPED_BITS
}

/// Σ x·e at scale 2^42, of two halves at that scale.
pub(super) fn column_sum(y: u64, r: u64) -> i64 {
    y.wrapping_sub(r).cast_signed()
}

/// Reads OPENED of `count` values below 2^38 (VLR-8).
pub(super) fn read_opened(payload: &[u8], count: usize, owner: Rank) -> Result<Vec<u64>, Error> {
    let values = read_words(payload, count, owner)?;
    if is_on(Switch::CutsOpenedSums) {
        return Ok(values.iter().map(|v| v & ((1 << SUM_BITS) - 1)).collect());
    }
    if values.iter().any(|v| v >> SUM_BITS != 0) {
        return Err(Error::malformed(owner));
    }
    Ok(values)
}

/// A rank that owns a share of the residual.
struct Owner {
    key: SecretKey,
    scratch: Scratch,
    seed: Seed,
    rows: usize,
    share: Vec<u64>,
    opened_scalars: usize,
    peers: Vec<Opening>,
}

/// Sums of one other party, as they are opened.
struct Opening {
    rank: Rank,
    columns: Option<usize>,
    values: Vec<u64>,
}

impl Opening {
    fn is_complete(&self) -> bool {
        self.columns == Some(self.values.len())
    }
}

impl Owner {
    fn new(party: &Party, round: u32) -> (Owner, Vec<u8>) {
        let seed = party.round_seed(round).derive("residual", &[]);
        let public_seed = party.keys.rlwe_seed(Set::G.id(), party.own(), round);
        let of_key = party.round_seed(if is_on(Switch::StaticResidualKey) { 0 } else { round }).derive("residual", &[]);
        let (key, public) = party.coefficients.generate(&public_seed, &mut of_key.stream("key", &[]));
        let rows = party.block.rows();
        let peers = party.others().map(|rank| Opening { rank, columns: None, values: Vec::new() }).collect();
        let scratch = party.coefficients.scratch();
        (Owner { key, scratch, seed, rows, share: Vec::with_capacity(rows), opened_scalars: 0, peers }, public)
    }

    fn add_share(&mut self, party: &Party, round: u32, share: &[u64]) -> Result<Vec<Outgoing>, Error> {
        let block = ((self.share.len() / N) as u32).to_be_bytes();
        self.share.extend_from_slice(share);
        let mut noise = self.seed.stream("encrypt", &block);
        let mut seed = [0; SEED_BYTES];
        noise.fill(&mut seed);
        let mut ciphertext = Vec::new();
        party.coefficients.encrypt(&self.key, share, &seed, &mut noise, &mut self.scratch, &mut ciphertext)?;
        let payload = Writer::with_capacity(4 + ciphertext.len()).bytes(&block).bytes(&ciphertext).finish();
        Ok(party.others().map(|to| message(to, Kind::Residual, round, payload.clone())).collect())
    }

    fn receive_sum(&mut self, party: &Party, from: Rank, round: u32, payload: &[u8]) -> Result<Vec<Outgoing>, Error> {
        if self.share.len() < self.rows {
            return Err(Error::unexpected(from));
        }
        let mut reader = Reader::new(payload);
        let (column, columns) = (usize::from(reader.u16().blame(from)?), usize::from(reader.u16().blame(from)?));
        let Some(opening) = self.peers.iter_mut().find(|o| o.rank == from) else {
            return Err(Error::unexpected(from));
        };
        let too_many = || Error::peer(from, Code::ShapeMismatch, "RLWE-5", "more sums than one key may open");
        if columns > MAX_OPENED && !is_on(Switch::OpensAnyNumber) {
            return Err(too_many());
        }
        let announced = *opening.columns.get_or_insert(columns);
        if column != opening.values.len() || column >= columns || columns != announced {
            return Err(Error::malformed(from));
        }
        self.opened_scalars += 1;
        if self.opened_scalars > MAX_OPENED {
            return Err(too_many());
        }
        let sum = party.coefficients.decrypt(&self.key, reader.rest(), &mut self.scratch).blame(from)?;
        opening.values.push(opened(sum));
        if !opening.is_complete() {
            return Ok(Vec::new());
        }
        Ok(vec![message(from, Kind::Opened, round, encode_words(&opening.values))])
    }

    fn is_complete(&self) -> bool {
        self.peers.iter().all(Opening::is_complete)
    }
}

/// A party's sums under one owner's key.
struct Evaluator {
    owner: Rank,
    seed: Seed,
    public_seed: [u8; 16],
    public: Option<PublicKey>,
    seen: SeenSeeds,
    /// The owner's share as far as it has come: 48 bytes a row.
    blocks: Vec<Block>,
    /// The mask of every column, once answered.
    masks: Vec<u64>,
    /// Unmasked halves at scale 2^42.
    halves: Option<Vec<u64>>,
}

impl Evaluator {
    fn new(party: &Party, owner: Rank, round: u32) -> Evaluator {
        Evaluator {
            owner,
            seed: party.round_seed(round).derive("sums", &owner.0.to_be_bytes()),
            public_seed: party.keys.rlwe_seed(Set::G.id(), owner, round),
            public: None,
            seen: SeenSeeds::default(),
            blocks: Vec::with_capacity(party.blocks()),
            masks: Vec::new(),
            halves: None,
        }
    }

    fn receive_key(&mut self, party: &Party, payload: &[u8]) -> Result<(), Error> {
        if self.public.is_some() {
            return Err(Error::unexpected(self.owner));
        }
        self.public = Some(party.coefficients.public_key(payload, &self.public_seed).blame(self.owner)?);
        Ok(())
    }

    fn receive_block(&mut self, party: &Party, round: u32, payload: &[u8]) -> Result<Vec<Outgoing>, Error> {
        let owner = self.owner;
        let mut reader = Reader::new(payload);
        let index = reader.u32().blame(owner)? as usize;
        let index = if is_on(Switch::IgnoresBlockIndex) { self.blocks.len() } else { index };
        if index != self.blocks.len() || index >= party.blocks() || self.public.is_none() {
            return Err(Error::malformed(owner));
        }
        let ciphertext = reader.rest();
        self.seen.admit(ciphertext).blame(owner)?;
        let mut block = party.coefficients.block();
        party.coefficients.expand(ciphertext, &mut block).blame(owner)?;
        self.blocks.push(block);
        if self.blocks.len() == party.blocks() { self.answer(party, round) } else { Ok(Vec::new()) }
    }

    /// One masked sum a column, once every block is here: a column's running sum then stays near the processor.
    fn answer(&mut self, party: &Party, round: u32) -> Result<Vec<Outgoing>, Error> {
        let columns = party.columns.len() as u16;
        let share = party.columns.len().div_ceil(rayon::current_num_threads()).max(1);
        let answers = party
            .columns
            .par_chunks(share)
            .enumerate()
            .map(|(chunk, own)| {
                let (mut sum, mut scratch) = (party.coefficients.sum(), party.coefficients.scratch());
                let mut answers = Vec::with_capacity(own.len());
                for (column, index) in own.iter().zip(chunk * share..) {
                    for (number, block) in self.blocks.iter().enumerate() {
                        party.coefficients.accumulate(&mut sum, column, number, block, &mut scratch)?;
                    }
                    let (mask, answer) = self.answer_column(party, index as u16, &mut sum, &mut scratch)?;
                    let head = Writer::with_capacity(4 + answer.len()).u16(index as u16).u16(columns);
                    answers.push((mask, head.bytes(&answer).finish()));
                }
                Ok(answers)
            })
            .collect::<Result<Vec<Vec<(u64, Vec<u8>)>>, Error>>()?;
        let answers = answers.into_iter().flatten();
        let (masks, payloads): (Vec<u64>, Vec<Vec<u8>>) = answers.unzip();
        self.masks = masks;
        self.blocks = Vec::new();
        if payloads.is_empty() {
            self.halves = Some(Vec::new());
        }
        Ok(payloads.into_iter().map(|payload| message(self.owner, Kind::Sums, round, payload)).collect())
    }

    /// Masks one column's sum; the sum is empty afterwards.
    fn answer_column(
        &self,
        party: &Party,
        column: u16,
        sum: &mut Sum,
        scratch: &mut Scratch,
    ) -> Result<(u64, Vec<u8>), Error> {
        let public = self.public.as_ref().ok_or(Error::unexpected(self.owner))?;
        let stream = |label| -> Stream { self.seed.stream(label, &column.to_be_bytes()) };
        let (mut mask, mut noise, mut flood) = (stream("mask"), stream("noise"), stream("flood"));
        let streams = AnswerStreams { mask: &mut mask, noise: &mut noise, flood: &mut flood };
        let mut answer = Vec::new();
        let mask = party.coefficients.answer(sum, public, streams, scratch, &mut answer)?;
        Ok((mask, answer))
    }

    fn receive_opened(&mut self, payload: &[u8]) -> Result<(), Error> {
        let expected = self.halves.is_none() && !self.masks.is_empty();
        if !expected {
            return Err(Error::unexpected(self.owner));
        }
        let values = read_opened(payload, self.masks.len(), self.owner)?;
        self.halves = Some(values.iter().zip(&self.masks).map(|(v, m)| lifted(half(*v, *m))).collect());
        Ok(())
    }
}
