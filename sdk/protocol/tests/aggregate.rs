//! Rounds of aggregation on a simulated network under virtual time: whatever happens, the sum of the survivors is exact
//! or the round ends with a named error.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#[path = "sim/aggregate.rs"]
mod world;

use hefu_core::{Code, CoordinatorRole, Rank, SumTo};
use hefu_crypto::Stream;
use hefu_protocol::Kind;
use hefu_protocol::aggregate::{Outcome, Plan, check_round};
use std::collections::{BTreeMap, BTreeSet};
use world::{Bank, Leaving, Network, Node, Run, Session};

/// A round of `plan` among the banks; `leaving` and `absent` say who goes.
fn round(
    banks: &[Bank],
    plan: &Plan,
    absent: &BTreeSet<Rank>,
    leaving: BTreeMap<Rank, Leaving>,
    dice: &mut Stream,
) -> Result<(Run, Vec<Vec<hefu_protocol::aggregate::Values>>), hefu_protocol::Error> {
    let session = Session::open(banks, plan, absent, dice, |_, key| key);
    session.roster()?;
    let values: Vec<_> = banks.iter().map(|_| world::values(plan, dice)).collect();
    let histories = banks.iter().map(|bank| bank.history.clone()).collect();
    let mut key = [0; 16];
    dice.fill(&mut key);
    let network =
        Network { session, values: values.clone(), leaving, histories, dice: Stream::new(key), tamper: &mut |_, _| () };
    Ok((network.run(&[]), values))
}

fn check_sum(plan: &Plan, parties: u16, outcome: &Outcome, values: &[Vec<hefu_protocol::aggregate::Values>]) {
    let participants = plan.participants(usize::from(parties));
    let expected = world::exact(plan, participants, values, &outcome.survivors);
    for (total, expected) in outcome.sums.tensors().iter().zip(&expected) {
        assert_eq!(total.integers().unwrap(), expected);
    }
    assert!(outcome.survivors.len() >= usize::from(plan.threshold));
}

const KINDS: [Kind; 4] = [Kind::Shares, Kind::MaskedSum, Kind::Agreed, Kind::Unmask];

// clause: AGG-21, AGG-22
#[test]
fn one_loss_at_every_step_leaves_the_sum_of_the_others() {
    let mut dice = Stream::new([1; 16]);
    for kind in KINDS {
        for way in [Leaving::Cut, Leaving::Silent, Leaving::Late] {
            for coordinator in [CoordinatorRole::Participant, CoordinatorRole::Only] {
                let banks = world::banks(5, false);
                let plan = world::moments(5, 0, coordinator);
                let leaving = BTreeMap::from([(Rank(2), way(kind))]);
                let (run, values) = round(&banks, &plan, &BTreeSet::new(), leaving, &mut dice).unwrap();
                let outcome = run.outcome.unwrap();
                check_sum(&plan, 5, &outcome, &values);
                let summed = matches!(kind, Kind::Agreed | Kind::Unmask);
                assert_eq!(outcome.survivors.contains(&Rank(2)), summed, "{kind:?} {way:?}", way = way(kind));
                assert_eq!(outcome.lost, [Rank(2)]);
                assert!(run.blamed.is_empty() && run.errors.is_empty());
            }
        }
    }
}

// clause: AGG-21
#[test]
fn below_the_threshold_the_round_ends() {
    let mut dice = Stream::new([2; 16]);
    for kind in KINDS {
        let banks = world::banks(4, false);
        let plan = world::moments(4, 0, CoordinatorRole::Participant);
        let leaving = BTreeMap::from([(Rank(1), Leaving::Cut(kind)), (Rank(3), Leaving::Silent(kind))]);
        let (run, _) = round(&banks, &plan, &BTreeSet::new(), leaving, &mut dice).unwrap();
        let error = run.outcome.unwrap_err();
        assert_eq!((error.code(), error.requirement()), (Code::BelowThreshold, "AGG-21"));
        assert!(run.clients.values().all(|client| client.past.is_none() || kind == Kind::Unmask));
    }
}

// clause: AGG-1, AGG-3
#[test]
fn absent_parties_count_in_the_threshold() {
    let mut dice = Stream::new([3; 16]);
    let code = |parties, absent: &[u16], dice: &mut Stream| {
        let (banks, plan) = (world::banks(parties, false), world::moments(parties, 0, CoordinatorRole::Participant));
        let absent = absent.iter().copied().map(Rank).collect();
        round(&banks, &plan, &absent, BTreeMap::new(), dice)
            .map(|(run, _)| run.outcome.unwrap().survivors)
            .map_err(|e| e.code())
    };
    assert_eq!(code(4, &[2], &mut dice), Ok(vec![Rank(0), Rank(1), Rank(3)]));
    assert_eq!(code(3, &[2], &mut dice), Err(Code::TooFewParticipants));
    assert_eq!(code(9, &[2, 3, 8], &mut dice), Err(Code::BelowThreshold));
}

// clause: AGG-25, AGG-26
#[test]
fn one_party_fewer_between_exact_sums_ends_the_job() {
    let mut dice = Stream::new([4; 16]);
    for permits in [false, true] {
        let mut banks = world::banks(5, permits);
        let first = world::moments(5, 0, CoordinatorRole::Participant);
        let (run, _) = round(&banks, &first, &BTreeSet::new(), BTreeMap::new(), &mut dice).unwrap();
        remember(&mut banks, run);
        let leaving = BTreeMap::from([(Rank(4), Leaving::Cut(Kind::MaskedSum))]);
        let second = world::moments(5, 1, CoordinatorRole::Participant);
        let (run, _) = round(&banks, &second, &BTreeSet::new(), leaving, &mut dice).unwrap();
        match run.outcome {
            Ok(outcome) => assert!(permits && outcome.survivors.len() == 4),
            Err(error) => assert_eq!((error.requirement(), permits), ("AGG-26", false)),
        }
    }
}

/// Writes down what each party knows of a round.
fn remember(banks: &mut [Bank], run: Run) {
    if let Ok(outcome) = run.outcome {
        banks[0].history.rounds.push(outcome.past);
    }
    for (rank, client) in run.clients {
        banks[rank.index()].history.rounds.extend(client.past);
    }
}

/// The chances of one seed: who is absent, who leaves, when and how.
fn fates(parties: u16, participates: bool, dice: &mut Stream) -> (BTreeSet<Rank>, BTreeMap<Rank, Leaving>) {
    let (mut absent, mut leaving) = (BTreeSet::new(), BTreeMap::new());
    let odds = [0, 6, 10, 25][dice.below(4) as usize];
    for rank in (u16::from(participates)..parties).filter(|rank| *rank > 0).map(Rank) {
        if dice.below(100) >= odds {
            continue;
        }
        let kind = KINDS[dice.below(4) as usize];
        match dice.below(4) {
            0 => drop(absent.insert(rank)),
            1 => drop(leaving.insert(rank, Leaving::Cut(kind))),
            2 => drop(leaving.insert(rank, Leaving::Silent(kind))),
            _ => drop(leaving.insert(rank, Leaving::Late(kind))),
        }
    }
    (absent, leaving)
}

/// Three rounds of one job under a seed: who was lost in one may be back in the next.
fn job(seed: u64, ended: &mut BTreeMap<&'static str, u32>) {
    let mut dice = Stream::new(u128::from(seed).to_le_bytes());
    let participates = dice.below(2) == 0;
    let parties = 3 + dice.below(10).min(dice.below(10)) as u16 + u16::from(!participates);
    let coordinator = if participates { CoordinatorRole::Participant } else { CoordinatorRole::Only };
    let mut banks = world::banks(parties, dice.below(3) == 0);
    for number in 0..1 + dice.below(2) as u32 {
        let mut plan = if dice.below(2) == 0 {
            world::plan(parties, number, coordinator)
        } else {
            world::moments(parties, number, coordinator)
        };
        if dice.below(3) == 0 {
            plan.result = SumTo::All;
        }
        let (absent, leaving) = fates(parties, participates, &mut dice);
        for bank in &mut banks {
            assert_eq!(check_round(bank.last_round, number), Ok(()));
            bank.last_round = Some(number);
        }
        let (run, values) = match round(&banks, &plan, &absent, leaving.clone(), &mut dice) {
            Ok(run) => run,
            Err(error) => {
                assert!([Code::TooFewParticipants, Code::BelowThreshold].contains(&error.code()), "{error:?}");
                *ended.entry(error.code().name()).or_default() += 1;
                continue;
            }
        };
        assert!(run.blamed.is_empty(), "honest parties are blamed: {:?}", run.blamed);
        match &run.outcome {
            Ok(outcome) => {
                check_sum(&plan, parties, outcome, &values);
                check_clients(&plan, &run, outcome, &leaving);
                *ended.entry("exact").or_default() += 1;
            }
            Err(error) => {
                assert!([Code::BelowThreshold, Code::RosterDifference].contains(&error.code()), "{error:?}");
                *ended.entry(error.code().name()).or_default() += 1;
            }
        }
        for error in run.errors.values() {
            assert_eq!(error.requirement(), "AGG-25", "an honest coordinator is blamed: {error:?}");
        }
        remember(&mut banks, run);
    }
}

/// Everyone who stayed is done, knows the same survivors and, where it is sent it, the same sum.
fn check_clients(plan: &Plan, run: &Run, outcome: &Outcome, leaving: &BTreeMap<Rank, Leaving>) {
    for (rank, client) in &run.clients {
        match &client.node {
            Node::Done(done) => {
                assert_eq!(done.survivors(), outcome.survivors);
                assert_eq!(done.sum(), world::to_all(plan).then_some(&outcome.sums));
                assert_eq!(client.past.as_ref(), Some(&outcome.past));
            }
            _ => assert!(leaving.contains_key(rank) || run.errors.contains_key(rank), "rank {rank} did not end"),
        }
    }
}

// clause: AGG-15, AGG-21, AGG-22
#[test]
fn a_thousand_seeds_end_with_an_exact_sum_or_a_named_error() {
    let first: u64 = std::env::var("HEFU_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let count = if std::env::var("HEFU_SEED").is_ok() { 1 } else { 1000 };
    let ended = std::sync::Mutex::new(BTreeMap::<&str, u32>::new());
    let part = |offset| {
        let mut own = BTreeMap::new();
        for seed in (first + offset..first + count).step_by(2) {
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(seed, &mut own)));
            assert!(run.is_ok(), "HEFU_SEED={seed} fails");
        }
        let mut ended = ended.lock().unwrap();
        own.into_iter().for_each(|(name, count)| *ended.entry(name).or_default() += count);
    };
    std::thread::scope(|scope| {
        [0, 1]
            .map(|offset| {
                let part = &part;
                scope.spawn(move || part(offset))
            })
            .map(|t| t.join().unwrap())
    });
    let ended = ended.into_inner().unwrap();
    if count > 1 {
        assert!(ended["exact"] > 500 && ended["BELOW_THRESHOLD"] > 50 && ended["ROSTER_DIFFERENCE"] > 5, "{ended:?}");
    }
}
