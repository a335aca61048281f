//! Alignment on a simulated network, against plain set intersection; and every lie it must catch.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod sim;

use hefu_core::{Code, Join, Rank, Split};
use hefu_crypto::Stream;
use hefu_protocol::align::{ABSENT, AlignPlan, AlignedCollaborator, AlignedInitiator, Collaborator, Initiator};
use hefu_protocol::{Error, Kind, Outgoing};
use sim::Outcome;
use std::collections::{HashMap, HashSet};

const PLAN: AlignPlan = AlignPlan { join: Join::Inner, split: Split::Hash, max_rows: 100_000, min_rows: 0 };

fn keys(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| format!("91440300{i:010}")).collect()
}

type Result = std::result::Result<(AlignedInitiator, Vec<AlignedCollaborator>), (Rank, Error)>;

fn align(plan: AlignPlan, bank: &[String], others: &[Vec<String>], order: u64, tamper: sim::Tamper<'_>) -> Result {
    let sessions = sim::session(others.len() as u16 + 1, b"align");
    let initiator = Initiator::new(sessions[0].clone(), plan, bank, sim::seed(1));
    let collaborators = others
        .iter()
        .enumerate()
        .map(|(i, keys)| Collaborator::new(sessions[i + 1].clone(), plan, keys, sim::seed(i as u8 + 2)))
        .collect();
    let run = sim::run(initiator, collaborators, order, tamper)?;
    let mut aligned = None;
    let mut all = Vec::new();
    for outcome in run.outcomes {
        match outcome {
            Outcome::Initiator(output) => aligned = Some(output),
            Outcome::Collaborator(output) => all.push(output),
        }
    }
    Ok((aligned.unwrap(), all))
}

fn honest(plan: AlignPlan, bank: &[String], others: &[Vec<String>], order: u64) -> Result {
    align(plan, bank, others, order, &mut |_, _| ())
}

/// Every row of the job names the same key at every party, and the rows are those of the join.
fn check(plan: AlignPlan, bank: &[String], others: &[Vec<String>], order: u64) {
    let (initiator, collaborators) = honest(plan, bank, others, order).unwrap();
    let index: Vec<HashMap<&String, u32>> = others.iter().map(|keys| keys.iter().zip(0u32..).collect()).collect();
    let wanted = bank.iter().filter(|key| plan.join == Join::Left || index.iter().all(|i| i.contains_key(key)));
    let mut rows: Vec<&String> = initiator.rows.iter().map(|row| &bank[*row as usize]).collect();
    for (collaborator, (aligned, index)) in collaborators.iter().zip(&index).enumerate() {
        assert_eq!(aligned.training_rows, initiator.training_rows);
        let expected: Vec<u32> = rows.iter().map(|key| index.get(key).copied().unwrap_or(ABSENT)).collect();
        assert_eq!(aligned.rows, expected);
        let matched: Vec<bool> = bank.iter().map(|key| index.contains_key(key)).collect();
        assert_eq!(initiator.matched[collaborator], matched);
    }
    rows.sort();
    let mut wanted: Vec<&String> = wanted.collect();
    wanted.sort();
    assert_eq!(rows, wanted);
}

/// Keys of no order, some of them common: `n` of the bank, `m` of the agency.
fn overlapping(n: usize, m: usize, common: usize, dice: &mut Stream) -> (Vec<String>, Vec<String>) {
    let common = common.min(n).min(m);
    let names = dice.permutation((n + m - common) as u32);
    let name = |number: &u32| format!("9144{number:014}");
    let mut agency: Vec<String> = names[n - common..].iter().map(name).collect();
    agency.reverse();
    (names[..n].iter().map(name).collect(), agency)
}

/// Matches two sets and compares with the intersection of plain sets.
fn compare(n: usize, m: usize, common: usize, joins: &[Join], dice: &mut Stream) {
    let (bank, agency) = overlapping(n, m, common, dice);
    let others: HashSet<&String> = agency.iter().collect();
    let wanted: HashSet<&String> = bank.iter().filter(|key| others.contains(key)).collect();
    assert_eq!(wanted.len(), common.min(n).min(m));
    for join in joins.iter().copied() {
        let plan = AlignPlan { join, max_rows: 5_000_000, ..PLAN };
        match honest(plan, &bank, std::slice::from_ref(&agency), dice.u64()) {
            Ok((initiator, collaborators)) => {
                let key = |row: &u32| &bank[*row as usize];
                let matched = initiator.matched[0].iter().zip(&bank).filter(|(m, _)| **m).map(|(_, key)| key);
                assert_eq!(matched.collect::<HashSet<_>>(), wanted, "{n} {m} {common}");
                let rows: HashSet<&String> = initiator.rows.iter().map(key).collect();
                assert_eq!(rows.len(), initiator.rows.len(), "{n} {m} {common}: a row twice");
                assert_eq!(rows, if join == Join::Inner { wanted.clone() } else { bank.iter().collect() });
                for (own, theirs) in initiator.rows.iter().zip(&collaborators[0].rows) {
                    let theirs = agency.get(*theirs as usize);
                    assert_eq!(theirs, wanted.contains(key(own)).then(|| key(own)), "{n} {m} {common}");
                }
                assert_eq!((initiator.rows.len(), initiator.sizes[0]), (collaborators[0].rows.len(), m as u64));
            }
            Err((rank, error)) => {
                assert_eq!((rank, error.code()), (Rank(0), Code::EmptyIntersection));
                assert!(wanted.is_empty(), "{n} {m} {common}: nothing found");
            }
        }
    }
}

/// Thirty pairs of sizes: edges of a batch, nothing, one, and odd ones by a seed.
#[test]
fn sizes_against_plain_intersection() {
    let mut dice = sim::seed(77).stream("sizes", &[]);
    let edges = [(0, 0), (0, 1), (1, 0), (1, 1), (16_383, 41), (57, 16_384), (16_385, 16_384)];
    for case in 0..30 {
        let (n, m) = edges.get(case).copied().unwrap_or_else(|| (dice.below(700) as usize, dice.below(700) as usize));
        let common = if case < edges.len() { n.min(m) } else { dice.below(n.min(m) as u64 + 1) as usize };
        println!("{n} and {m} keys, {common} in common");
        compare(n, m, common, &[Join::Inner, Join::Left], &mut dice);
    }
}

/// The same up to a million, spread over the powers of ten.
#[test]
#[ignore = "two minutes of CPU time with AVX-512 IFMA: cargo test --release -p hefu-protocol --test align -- --ignored --nocapture"]
fn large_sizes_against_plain_intersection() {
    let mut dice = sim::seed(78).stream("sizes", &[]);
    for case in 0..30 {
        let mut size = || match case {
            0 => 1_000_000,
            1 => 999_999,
            2 => 65_536 + 1,
            _ => dice.below(10u64.pow(2 + case as u32 % 5)) as usize,
        };
        let (n, m) = (size(), size());
        let common = dice.below(n.min(m) as u64 + 1) as usize;
        println!("{n} and {m} keys, {common} in common");
        compare(n, m, common, &[[Join::Inner, Join::Left][case % 2]], &mut dice);
    }
}

#[test]
fn three_agencies_inner_and_left_in_any_order() {
    let others = [keys(50..200), keys(0..120), keys(60..400)];
    for order in 0..20 {
        check(PLAN, &keys(0..150), &others, order);
        check(AlignPlan { join: Join::Left, ..PLAN }, &keys(0..150), &others, order);
    }
}

#[test]
fn the_split_follows_the_hash() {
    let bank = keys(0..500);
    let (aligned, _) = honest(PLAN, &bank, &[keys(0..500)], 1).unwrap();
    let is_test = |row: &u32| {
        let hash = hefu_crypto::sha256(&[bank[*row as usize].as_bytes()]);
        u64::from_be_bytes(hash[..8].try_into().unwrap()) % 10 < 3
    };
    let (training, test) = aligned.rows.split_at(aligned.training_rows as usize);
    assert!(!training.is_empty() && !test.is_empty());
    assert!(!training.iter().any(is_test) && test.iter().all(is_test));
}

// clause: ALIGN-9
#[test]
fn nothing_in_common_ends_the_job() {
    for (bank, tax) in [(keys(0..5), keys(5..9)), (keys(0..0), keys(0..3)), (keys(0..3), keys(0..0))] {
        for join in [Join::Inner, Join::Left] {
            let (rank, error) = honest(AlignPlan { join, ..PLAN }, &bank, std::slice::from_ref(&tax), 1).unwrap_err();
            assert_eq!((rank, error.code()), (Rank(0), Code::EmptyIntersection));
        }
    }
}

// clause: ALIGN-11
#[test]
fn a_collaborator_has_a_minimum() {
    let plan = AlignPlan { min_rows: 10, ..PLAN };
    let (rank, error) = honest(plan, &keys(0..9), &[keys(0..9)], 1).unwrap_err();
    assert_eq!((rank, error.code(), error.requirement()), (Rank(1), Code::TooFewRows, "ALIGN-11"));
}

/// Runs with a lie in the first message of a kind; answers who refused, with which code, and whom it blames.
fn lie(kind: Kind, change: impl Fn(&mut Vec<u8>)) -> (Rank, Code, Option<Rank>) {
    let mut told = false;
    let mut tamper = |_, outgoing: &mut Outgoing| {
        if outgoing.message.kind == kind && !told {
            told = true;
            change(&mut outgoing.message.payload);
        }
    };
    let (rank, error) = align(PLAN, &keys(0..40), &[keys(10..60)], 1, &mut tamper).unwrap_err();
    (rank, error.code(), error.culprit())
}

/// Flips which side's message is changed: the simulator's order makes the initiator send first.
fn lie_of_collaborator(kind: Kind, change: impl Fn(&mut Vec<u8>)) -> (Rank, Code, Option<Rank>) {
    let mut tamper = |from: Rank, outgoing: &mut Outgoing| {
        if outgoing.message.kind == kind && from == Rank(1) {
            change(&mut outgoing.message.payload);
        }
    };
    let (rank, error) = align(PLAN, &keys(0..40), &[keys(10..60)], 1, &mut tamper).unwrap_err();
    (rank, error.code(), error.culprit())
}

// clause: ALIGN-1, ALIGN-2, ALIGN-3
#[test]
fn bad_elements_are_refused_by_both_sides() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(Change, Code); 4] = [
        (|p| p[4..36].fill(0), Code::BadElement),
        (|p| p[4..36].fill(0xff), Code::BadElement),
        (|p| p[35] |= 0x80, Code::BadElement),
        (|p| p.copy_within(4..36, 36), Code::DuplicateElement),
    ];
    for (change, code) in changes {
        assert_eq!(lie(Kind::AlignBlinded, change).1, code);
        assert_eq!(lie_of_collaborator(Kind::AlignBlinded, change), (Rank(0), code, Some(Rank(1))));
    }
}

// clause: ALIGN-4
#[test]
fn batches_follow_the_announced_size() {
    let malformed = (Rank(0), Code::MalformedMessage, Some(Rank(1)));
    assert_eq!(lie_of_collaborator(Kind::AlignBlinded, |p| p[3] = 1), malformed, "first");
    assert_eq!(lie_of_collaborator(Kind::AlignBlinded, |p| p.truncate(36)), malformed, "short");
    assert_eq!(lie_of_collaborator(Kind::AlignBlinded, |p| p.push(0)), malformed, "long");
    assert_eq!(lie_of_collaborator(Kind::AlignTags, |p| p.truncate(14)), malformed, "tags");
}

// clause: ALIGN-6
#[test]
fn an_excessive_size_is_refused() {
    let too_many = lie_of_collaborator(Kind::AlignSize, |p| p.copy_from_slice(&100_001u64.to_be_bytes()));
    assert_eq!(too_many, (Rank(0), Code::TooManyRows, Some(Rank(1))));
}

// clause: ALIGN-7
#[test]
fn equal_tags_are_refused() {
    let twice = lie_of_collaborator(Kind::AlignTags, |p| p.copy_within(4..14, 14));
    assert_eq!(twice, (Rank(0), Code::DuplicateElement, Some(Rank(1))));
}

// clause: ALIGN-8
#[test]
fn bad_positions_are_refused() {
    let bad = (Rank(1), Code::BadPosition, Some(Rank(0)));
    assert_eq!(lie(Kind::AlignRows, |p| p[12..16].copy_from_slice(&50u32.to_le_bytes())), bad, "out of range");
    assert_eq!(lie(Kind::AlignRows, |p| p.copy_within(12..16, 16)), bad, "twice");
    assert_eq!(lie(Kind::AlignRows, |p| p[12..16].fill(0xff)), bad, "absent under inner");
    let malformed = (Rank(1), Code::MalformedMessage, Some(Rank(0)));
    assert_eq!(lie(Kind::AlignRows, |p| p.truncate(20)), malformed);
    assert_eq!(lie(Kind::AlignRows, |p| p[7] = 0xff), malformed, "more training rows than rows");
}

#[test]
fn a_message_of_another_stage_is_refused() {
    let mut tamper = |from: Rank, outgoing: &mut Outgoing| {
        if from == Rank(1) {
            outgoing.message.stage = 2;
        }
    };
    let (rank, error) = align(PLAN, &keys(0..4), &[keys(0..4)], 1, &mut tamper).unwrap_err();
    assert_eq!((rank, error.code()), (Rank(0), Code::UnexpectedMessage));
}

// clause: ALIGN-5
#[test]
fn scalars_differ_between_collaborators_and_seeds() {
    let mut seen = std::collections::HashSet::new();
    for byte in [1, 2] {
        let sessions = sim::session(3, b"fresh");
        let key = keys(0..1);
        let initiator = Initiator::new(sessions[0].clone(), PLAN, &key, sim::seed(byte));
        let collaborator = |r: usize| Collaborator::new(sessions[r].clone(), PLAN, &key, sim::seed(byte + 8 + r as u8));
        let mut tamper = |_, outgoing: &mut Outgoing| {
            if outgoing.message.kind == Kind::AlignBlinded {
                assert!(seen.insert(outgoing.message.payload.clone()), "an element repeats");
            }
        };
        sim::run(initiator, vec![collaborator(1), collaborator(2)], 1, &mut tamper).map(|_| ()).unwrap();
    }
    assert_eq!(seen.len(), 8);
}
