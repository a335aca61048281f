//! Unbalanced alignment on a simulated network, against plain set intersection; and every lie it must catch.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod sim;

use hefu_core::{Code, Join, Rank, Split};
use hefu_crypto::oprf::OprfKey;
use hefu_protocol::align::{ABSENT, AlignPlan, AlignedCollaborator};
use hefu_protocol::oprf::{Announced, Announcement, Epoch, Evaluation, Initiator, Matched, PublishedSet, Source};
use hefu_protocol::{Error, Kind, Machine, Message, Next, Outgoing, Step};
use sim::Outcome;
use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};

const PLAN: AlignPlan = AlignPlan { join: Join::Inner, split: Split::Hash, max_rows: 100_000, min_rows: 0 };

fn keys(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| format!("91440300{i:010}")).collect()
}

/// What the first part of a collaborator ended with: keys to be evaluated, and the new epoch's tags and order.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    keys: u64,
    holds: bool,
    is_new: bool,
    set: PublishedSet,
    order: Vec<u32>,
}

/// Both parts of a collaborator, one after the other, as a node runs them.
struct Both<'a> {
    plan: AlignPlan,
    part: Part<'a>,
    told: Sender<Told>,
}

enum Part<'a> {
    First(Announcement<'a>),
    Second(Evaluation),
}

impl<'a> Both<'a> {
    fn new(plan: AlignPlan, source: Source<'a>, told: Sender<Told>) -> Self {
        Both { plan, part: Part::First(Announcement::new(plan, source)), told }
    }

    fn second(plan: AlignPlan, told: Sender<Told>, announced: Announced) -> Self {
        let set = PublishedSet { public: *announced.epoch.public(), set: announced.epoch.set().clone() };
        assert_eq!(set.epoch(), *announced.epoch.id());
        let order = announced.epoch.order().to_vec();
        let Announced { keys, holds, is_new, .. } = announced;
        told.send(Told { keys, holds, is_new, set, order }).unwrap();
        Both { plan, part: Part::Second(Evaluation::new(plan, announced)), told }
    }
}

impl Machine for Both<'_> {
    type Output = AlignedCollaborator;

    fn step(self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        let Both { plan, part, told } = self;
        let (send, progress, next) = match part {
            Part::First(machine) => {
                let step = machine.step(input)?;
                let both = |machine| Both { plan, part: Part::First(machine), told: told.clone() };
                let next = match step.next {
                    Next::Await(machine) => Next::Await(both(machine)),
                    Next::Continue(machine) => Next::Continue(both(machine)),
                    Next::Done(announced) => Next::Continue(Both::second(plan, told.clone(), announced)),
                };
                (step.send, step.progress, next)
            }
            Part::Second(machine) => {
                let step = machine.step(input)?;
                let both = |machine| Both { plan, part: Part::Second(machine), told: told.clone() };
                let next = match step.next {
                    Next::Await(machine) => Next::Await(both(machine)),
                    Next::Continue(machine) => Next::Continue(both(machine)),
                    Next::Done(aligned) => Next::Done(aligned),
                };
                (step.send, step.progress, next)
            }
        };
        Ok(Step { send, progress, next })
    }
}

fn key(byte: u8) -> OprfKey {
    OprfKey::new(&sim::seed(byte))
}

/// A run that ended well.
struct Ran {
    matched: Matched,
    collaborators: Vec<AlignedCollaborator>,
    told: Vec<Told>,
}

/// Runs with collaborators that make new epochs, or with `sources` of their own.
fn run<'a>(
    plan: AlignPlan,
    bank: &[String],
    held: Vec<Option<PublishedSet>>,
    sources: Vec<Source<'a>>,
    order: u64,
    tamper: sim::Tamper<'_>,
) -> Result<Ran, (Rank, Error)> {
    let initiator = Initiator::new(plan, bank.to_vec(), held, sim::seed(1));
    let (tellers, ears): (Vec<_>, Vec<_>) = sources.iter().map(|_| channel()).unzip();
    let both = sources.into_iter().zip(tellers).map(|(source, told)| Both::new(plan, source, told)).collect();
    let run = sim::run(initiator, both, order, tamper)?;
    let (mut matched, mut collaborators) = (None, Vec::new());
    for outcome in run.outcomes {
        match outcome {
            Outcome::Initiator(output) => matched = Some(output),
            Outcome::Collaborator(output) => collaborators.push(output),
        }
    }
    let told = ears.iter().map(|ear| ear.recv().unwrap()).collect();
    Ok(Ran { matched: matched.unwrap(), collaborators, told })
}

fn fresh(others: &[Vec<String>]) -> Vec<Source<'_>> {
    (10..).zip(others).map(|(byte, own_keys)| Source::Fresh { key: key(byte), own_keys }).collect()
}

fn honest(plan: AlignPlan, bank: &[String], others: &[Vec<String>], order: u64) -> Result<Ran, (Rank, Error)> {
    run(plan, bank, vec![None; others.len()], fresh(others), order, &mut |_, _| ())
}

/// Every row of the job names the same key at every party, and the rows are those of the join.
fn check(plan: AlignPlan, bank: &[String], others: &[Vec<String>], ran: &Ran) {
    let aligned = &ran.matched.aligned;
    let index: Vec<HashMap<&String, u32>> = others.iter().map(|keys| keys.iter().zip(0u32..).collect()).collect();
    let wanted = bank.iter().filter(|key| plan.join == Join::Left || index.iter().all(|i| i.contains_key(key)));
    let mut rows: Vec<&String> = aligned.rows.iter().map(|row| &bank[*row as usize]).collect();
    for (rank, (theirs, index)) in ran.collaborators.iter().zip(&index).enumerate() {
        assert_eq!(theirs.training_rows, aligned.training_rows);
        let expected: Vec<u32> = rows.iter().map(|key| index.get(key).copied().unwrap_or(ABSENT)).collect();
        assert_eq!(theirs.rows, expected);
        let matched: Vec<bool> = bank.iter().map(|key| index.contains_key(key)).collect();
        assert_eq!(aligned.matched[rank], matched);
        assert_eq!(aligned.sizes[rank], others[rank].len() as u64);
        assert_eq!(ran.told[rank].keys, bank.len() as u64);
    }
    rows.sort();
    let mut wanted: Vec<&String> = wanted.collect();
    wanted.sort();
    assert_eq!(rows, wanted);
}

#[test]
fn two_parties_at_many_sizes() {
    for (n, m, shift) in [(1, 1, 0), (2, 1, 0), (1, 300, 7), (300, 1, 0), (257, 512, 100), (100, 999, 50)] {
        let (bank, others) = (keys(shift..shift + n), [keys(0..m)]);
        check(PLAN, &bank, &others, &honest(PLAN, &bank, &others, n as u64).unwrap());
    }
}

#[test]
fn batch_edges() {
    for (n, m) in [(16_384, 16_383), (3, 16_384), (16_385, 3), (5, 32_769)] {
        let (bank, others) = (keys(0..n), [keys(n - 2..n - 2 + m)]);
        let ran = honest(PLAN, &bank, &others, 3).unwrap();
        check(PLAN, &bank, &others, &ran);
    }
}

#[test]
fn three_agencies_inner_and_left_in_any_order() {
    let (bank, others) = (keys(0..60), [keys(20..90), keys(0..50), keys(25..200)]);
    for order in 0..10 {
        for join in [Join::Inner, Join::Left] {
            let plan = AlignPlan { join, ..PLAN };
            check(plan, &bank, &others, &honest(plan, &bank, &others, order).unwrap());
        }
    }
}

/// A job's payload bytes by kind, and its result.
fn counted(bank: &[String], held: Option<PublishedSet>, source: Source<'_>) -> (HashMap<&'static str, usize>, Ran) {
    let mut bytes: HashMap<&'static str, usize> = HashMap::new();
    let mut count = |_, outgoing: &mut Outgoing| {
        *bytes.entry(outgoing.message.kind.name()).or_default() += outgoing.message.payload.len();
    };
    let ran = run(PLAN, bank, vec![held], vec![source], 1, &mut count).unwrap();
    (bytes, ran)
}

#[test]
fn a_set_that_is_held_is_not_sent_again() {
    let others = [keys(0..1000)];
    let (first, ran) = counted(&keys(990..1010), None, fresh(&others).remove(0));
    assert_eq!((first["OPRF_SET"], first["OPRF_WAIT"]), (4 + 1000 * 11, 16));
    let (told, set) = (ran.told[0].clone(), ran.matched.received[0].clone().unwrap());
    assert!(told.is_new && !told.holds);
    assert_eq!(set, told.set);

    // A later job of the same epoch, with other keys.
    let kept = || Epoch::new(key(10), told.set.set.clone(), told.order.clone()).unwrap();
    let bank = keys(500..600);
    let (second, ran) = counted(&bank, Some(set.clone()), Source::Kept(Box::new(kept())));
    check(PLAN, &bank, &others, &ran);
    assert!(!second.contains_key("OPRF_SET") && !second.contains_key("OPRF_WAIT"));
    assert!(ran.told[0].holds && !ran.told[0].is_new);
    assert_eq!(ran.matched.received, [None]);

    // The set of another epoch does not help: it is sent, and matches as before.
    let next = Source::Fresh { key: key(11), own_keys: &others[0] };
    let (third, ran) = counted(&bank, Some(set), next);
    check(PLAN, &bank, &others, &ran);
    assert_eq!(third["OPRF_SET"], first["OPRF_SET"]);
    assert!(!ran.told[0].holds && ran.matched.received[0].is_some());
}

// clause: OPRF-8, OPRF-9
#[test]
fn nothing_that_was_drawn_serves_twice() {
    let mut seen = std::collections::HashSet::new();
    for byte in [1, 2] {
        let others = [keys(0..1), keys(0..1)];
        let initiator = Initiator::new(PLAN, keys(0..1), vec![None, None], sim::seed(byte));
        let (told, _ears) = channel();
        let source = |r: usize| Source::Fresh { key: key(byte + 8 + 2 * r as u8), own_keys: &others[r] };
        let both = |r| Both::new(PLAN, source(r), told.clone());
        let mut tamper = |_, outgoing: &mut Outgoing| {
            if matches!(outgoing.message.kind, Kind::OprfBlinded | Kind::OprfSet) {
                assert!(seen.insert(outgoing.message.payload.clone()), "something repeats");
            }
        };
        sim::run(initiator, vec![both(0), both(1)], 1, &mut tamper).map(drop).unwrap();
    }
    assert_eq!(seen.len(), 8);
}

// clause: ALIGN-9
#[test]
fn nothing_in_common_ends_the_job() {
    for (bank, tax) in [(keys(0..5), keys(5..9)), (keys(0..0), keys(0..3)), (keys(0..3), keys(0..0))] {
        let (rank, error) = honest(PLAN, &bank, std::slice::from_ref(&tax), 1).err().unwrap();
        assert_eq!((rank, error.code()), (Rank(0), Code::EmptyIntersection));
    }
}

// clause: ALIGN-11
#[test]
fn a_collaborator_has_a_minimum() {
    let plan = AlignPlan { min_rows: 10, ..PLAN };
    let (rank, error) = honest(plan, &keys(0..9), &[keys(0..9)], 1).err().unwrap();
    assert_eq!((rank, error.code(), error.requirement()), (Rank(1), Code::TooFewRows, "ALIGN-11"));
}

/// Runs with a lie in the first message of a kind; answers who refused, with which code and requirement.
fn lie(kind: Kind, change: impl Fn(&mut Vec<u8>)) -> (Rank, Code, &'static str) {
    let mut told = false;
    let mut tamper = |_, outgoing: &mut Outgoing| {
        if outgoing.message.kind == kind && !told {
            told = true;
            change(&mut outgoing.message.payload);
        }
    };
    let others = [keys(10..60)];
    let (rank, error) = run(PLAN, &keys(0..40), vec![None], fresh(&others), 1, &mut tamper).err().unwrap();
    assert_eq!(error.culprit(), Some(Rank(1 - rank.0)));
    (rank, error.code(), error.requirement())
}

// clause: ALIGN-1, ALIGN-2, ALIGN-3, OPRF-1, OPRF-5
#[test]
fn bad_elements_are_refused_by_both_sides() {
    type Change = fn(&mut Vec<u8>);
    let changes: [Change; 3] = [|p| p[4..36].fill(0), |p| p[4..36].fill(0xff), |p| p[35] |= 0x80];
    for change in changes {
        assert_eq!(lie(Kind::OprfBlinded, change).1, Code::BadElement);
        assert_eq!(lie(Kind::OprfEvaluated, change).1, Code::BadElement);
    }
    let twice = |p: &mut Vec<u8>| p.copy_within(4..36, 36);
    assert_eq!(lie(Kind::OprfBlinded, twice), (Rank(1), Code::DuplicateElement, "ALIGN-3"));
    assert_eq!(lie(Kind::OprfEvaluated, twice), (Rank(0), Code::DuplicateElement, "OPRF-5"));
    assert_eq!(lie(Kind::OprfEpoch, |p| p[32..64].fill(0)), (Rank(0), Code::BadElement, "OPRF-1"));
}

// clause: OPRF-2, OPRF-3
#[test]
fn a_set_ascends_and_gives_its_epoch() {
    assert_eq!(lie(Kind::OprfSet, |p| p.copy_within(4..14, 14)), (Rank(0), Code::DuplicateElement, "OPRF-2"));
    assert_eq!(lie(Kind::OprfSet, |p| p[4] = 0xff), (Rank(0), Code::MalformedMessage, "OPRF-2"));
    assert_eq!(lie(Kind::OprfSet, |p| p[13] ^= 1), (Rank(0), Code::BadDigest, "OPRF-3"));
    assert_eq!(lie(Kind::OprfEpoch, |p| p[0] ^= 1), (Rank(0), Code::BadDigest, "OPRF-3"));
}

// clause: ALIGN-4, ALIGN-6, OPRF-4
#[test]
fn sizes_and_batches_are_what_was_announced() {
    let malformed = (Rank(0), Code::MalformedMessage, "ALIGN-4");
    for kind in [Kind::OprfSet, Kind::OprfEvaluated] {
        assert_eq!(lie(kind, |p| p[3] = 1), malformed, "first");
        assert_eq!(lie(kind, |p| p.truncate(p.len() - 1)), malformed, "short");
        assert_eq!(lie(kind, |p| p.push(0)), malformed, "long");
    }
    assert_eq!(lie(Kind::OprfBlinded, |p| p.truncate(36)), (Rank(1), malformed.1, malformed.2));
    assert_eq!(lie(Kind::OprfWait, |p| p[7] ^= 1), (Rank(0), Code::MalformedMessage, "OPRF-4"));
    assert_eq!(lie(Kind::OprfEpoch, |p| p[71] ^= 1), (Rank(0), Code::MalformedMessage, "OPRF-4"));
    assert_eq!(lie(Kind::OprfSize, |p| p[8] = 2), (Rank(1), Code::MalformedMessage, "OPRF-4"));
    for (kind, first) in [(Kind::OprfWait, 8), (Kind::OprfEpoch, 64), (Kind::OprfSize, 0)] {
        let (_, code, requirement) = lie(kind, |p| p[first..first + 8].copy_from_slice(&100_001u64.to_be_bytes()));
        assert_eq!((code, requirement), (Code::TooManyRows, "ALIGN-6"));
    }
}

// clause: ALIGN-8
#[test]
fn bad_positions_are_refused() {
    let bad = (Rank(1), Code::BadPosition, "ALIGN-8");
    assert_eq!(lie(Kind::AlignRows, |p| p[12..16].copy_from_slice(&50u32.to_le_bytes())), bad, "out of range");
    assert_eq!(lie(Kind::AlignRows, |p| p.copy_within(12..16, 16)), bad, "twice");
    assert_eq!(lie(Kind::AlignRows, |p| p[12..16].fill(0xff)), bad, "absent under inner");
}

#[test]
fn messages_out_of_turn_are_refused() {
    for (kind, instead, rank) in [
        (Kind::OprfEpoch, Kind::OprfSet, 0),
        (Kind::OprfSet, Kind::OprfEpoch, 0),
        (Kind::OprfSet, Kind::OprfWait, 0),
        (Kind::OprfSize, Kind::OprfBlinded, 1),
        (Kind::OprfBlinded, Kind::AlignRows, 1),
        (Kind::OprfBlinded, Kind::OprfSize, 1),
        (Kind::OprfEvaluated, Kind::AlignTags, 0),
    ] {
        let mut tamper = |_, outgoing: &mut Outgoing| {
            if outgoing.message.kind == kind {
                outgoing.message.kind = instead;
            }
        };
        let others = [keys(0..4)];
        let (refused, error) = run(PLAN, &keys(0..4), vec![None], fresh(&others), 1, &mut tamper).err().unwrap();
        assert_eq!((refused, error.code()), (Rank(rank), Code::UnexpectedMessage), "{kind:?} as {instead:?}");
    }
}
