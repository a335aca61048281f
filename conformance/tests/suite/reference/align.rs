//! Alignment of the reference target: one message in, some messages out.

use std::collections::HashSet;
use std::sync::Arc;

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use hefu_conformance::wire::message::{self, ABSENT, BATCH};
use hefu_conformance::wire::{group, h};
use tonic::Status;

use super::{MAX_ROWS, Node, Session, random, refuse};

#[derive(PartialEq)]
enum Expect {
    Size,
    Blinded,
    Rows,
    Nothing,
}

pub(super) struct Aligner {
    node: Arc<Node>,
    keys: Vec<String>,
    join: String,
    min_rows: usize,
    transcript: [u8; 32],
    scalar: Scalar,
    expect: Expect,
    n: u64,
    taken: u64,
    seen: HashSet<[u8; 32]>,
    pub(super) positions: Vec<u32>,
    pub(super) training: usize,
    late: Out,
}

type Out = Vec<(u16, Vec<u8>)>;

impl Aligner {
    pub(super) fn new(node: Arc<Node>, session: &Session, transcript: [u8; 32]) -> Aligner {
        let mut keys = node.datasets[&session.dataset].clone();
        let mut order: Vec<[u8; 8]> = (0..keys.len()).map(|_| random()).collect();
        if node.has("static-order") {
            order = keys.iter().map(|key| h(&[key.as_bytes()])[..8].try_into().unwrap()).collect();
        }
        if !node.has("file-order") {
            let mut pairs: Vec<_> = order.into_iter().zip(keys).collect();
            pairs.sort();
            keys = pairs.into_iter().map(|(_, key)| key).collect();
        }
        if node.has("drops-last-row") {
            keys.pop();
        }
        let seed = if node.has("static-scalar") { [7; 64] } else { random() };
        Aligner {
            keys,
            join: session.join.clone(),
            min_rows: session.min_rows as usize,
            transcript,
            scalar: group::scalar(&seed),
            expect: Expect::Size,
            n: 0,
            taken: 0,
            seen: HashSet::new(),
            positions: Vec::new(),
            training: 0,
            late: Vec::new(),
            node,
        }
    }

    /// Key of each row of the job; none where it is unmatched.
    pub(super) fn job(&self) -> Vec<Option<&String>> {
        self.positions.iter().map(|p| self.keys.get(*p as usize)).collect()
    }

    pub(super) fn done(&self) -> bool {
        self.expect == Expect::Nothing
    }

    pub(super) fn take(&mut self, kind: u16, payload: &[u8]) -> Result<Out, Status> {
        match (kind, &self.expect) {
            (message::SIZE, Expect::Size) => self.size(payload),
            (message::BLINDED, Expect::Blinded) => self.blinded(payload),
            (message::ROWS, Expect::Rows) => self.rows(payload),
            _ if self.node.has("passes-over-unknown-types") => Ok(Vec::new()),
            _ => Err(refuse("UNEXPECTED_MESSAGE")),
        }
    }

    fn size(&mut self, payload: &[u8]) -> Result<Out, Status> {
        let payload = if self.node.has("ignores-trailing-bytes") { &payload[..8.min(payload.len())] } else { payload };
        self.n = message::read_size(payload).map_err(|_| refuse("MALFORMED_MESSAGE"))?;
        if self.n > MAX_ROWS && !self.node.has("no-row-limit") {
            return Err(refuse("TOO_MANY_ROWS"));
        }
        self.expect = if self.n == 0 { Expect::Rows } else { Expect::Blinded };
        let dst = group::dst(1, 1, &self.transcript);
        let blind = |key: &String| {
            if self.node.has("hashes-in-place-of-blinding") {
                return h(&[key.as_bytes()]);
            }
            (group::hash_to_group(&dst, key.as_bytes()) * self.scalar).compress().to_bytes()
        };
        let elements: Vec<[u8; 32]> = self.keys.iter().map(blind).collect();
        let mut out = vec![(message::SIZE, message::size(elements.len() as u64))];
        out.extend(message::blinded(&elements).into_iter().map(|payload| (message::BLINDED, payload)));
        if self.node.has("benign-answers-first") && self.n > 0 {
            // Its size at once, its elements behind the first tags.
            self.late = out.split_off(1);
        }
        Ok(out)
    }

    fn blinded(&mut self, payload: &[u8]) -> Result<Out, Status> {
        let malformed = || refuse("MALFORMED_MESSAGE");
        let (first, body) = payload.split_at_checked(4).ok_or_else(malformed)?;
        let first = u64::from(u32::from_be_bytes(first.try_into().unwrap()));
        let expected = (self.n - self.taken).min(BATCH as u64) as usize;
        let short = self.node.has("accepts-short-batch");
        let trailing = self.node.has("ignores-trailing-bytes");
        if (first != self.taken && !self.node.has("ignores-batch-index"))
            || (body.len() != expected * 32 && !short && !trailing)
        {
            return Err(malformed());
        }
        let mut tags = Vec::new();
        let width = group::tag_width(self.n, self.keys.len() as u64);
        for element in body.chunks_exact(32) {
            let element: [u8; 32] = element.try_into().unwrap();
            let point = self.element(&element)?;
            if !self.seen.insert(element) && !self.node.has("accepts-repeated-element") {
                return Err(refuse("DUPLICATE_ELEMENT"));
            }
            tags.push(group::tag(&self.transcript, 1, (point * self.scalar).compress().as_bytes(), width));
        }
        self.taken += expected as u64;
        if self.taken == self.n {
            self.expect = Expect::Rows;
        }
        let mut answer = ((self.taken - expected as u64) as u32).to_be_bytes().to_vec();
        answer.extend(tags.concat());
        let mut out = vec![(message::TAGS, answer)];
        out.append(&mut self.late);
        Ok(out)
    }

    fn element(&self, bytes: &[u8; 32]) -> Result<RistrettoPoint, Status> {
        match group::decode(bytes) {
            Ok(point) => Ok(point),
            Err("the identity") if self.node.has("accepts-identity") => Ok(RistrettoPoint::default()),
            Err("not a canonical encoding") if self.node.has("reduces-elements") => Ok(RistrettoPoint::default()),
            Err(_) => Err(refuse("BAD_ELEMENT")),
        }
    }

    fn rows(&mut self, payload: &[u8]) -> Result<Out, Status> {
        let malformed = || refuse("MALFORMED_MESSAGE");
        let (head, body) = payload.split_at_checked(12).ok_or_else(malformed)?;
        let at = |i: usize| u32::from_be_bytes(head[i..i + 4].try_into().unwrap()) as usize;
        let (rows, training, first) = (at(0), at(4), at(8));
        let expected = rows.saturating_sub(first).min(BATCH);
        if training > rows || first != self.positions.len() || body.len() != expected * 4 {
            return Err(malformed());
        }
        for position in body.chunks_exact(4) {
            let position = u32::from_le_bytes(position.try_into().unwrap());
            let absent = position == ABSENT;
            let bad = if absent { self.join == "inner" } else { position as usize >= self.keys.len() };
            let repeated = !absent && self.positions.contains(&position);
            if (bad && !self.node.has("clamps-positions")) || (repeated && !self.node.has("accepts-repeated-position"))
            {
                return Err(refuse("BAD_POSITION"));
            }
            self.positions.push(position);
        }
        if self.positions.len() == rows {
            self.training = training;
            let matched = self.positions.iter().filter(|p| **p != ABSENT).count();
            if matched < self.min_rows && !self.node.has("no-minimum-rows") {
                return Err(refuse("TOO_FEW_ROWS"));
            }
            self.expect = Expect::Nothing;
        }
        Ok(Vec::new())
    }
}
