//! The catalogue of lies in a round of aggregation: each is told, and its victim names the liar. The table in
//! `docs/aggregation-lies.md` is this list.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
#[path = "sim/liars.rs"]
mod liars;
#[path = "sim/aggregate.rs"]
mod world;

use hefu_core::{Code, Rank};
use hefu_protocol::aggregate::{History, PastRound, check_confirms, check_round};
use hefu_protocol::session::Confirm;
use hefu_protocol::{Error, Kind};
use liars::{Cheat, Chosen, LIAR, Script, list, number, redigest};
use std::collections::BTreeSet;

/// One lie: what is told, who notices, with which code and requirement.
struct Lie {
    told: &'static str,
    victim: &'static str,
    code: Code,
    requirement: &'static str,
    tell: fn() -> Error,
}

/// The lies of a coordinator; every victim names rank 0.
const OF_COORDINATORS: &[Lie] = &[
    Lie {
        told: "another offer to another participant",
        victim: "a participant",
        code: Code::RosterMismatch,
        requirement: "AGG-5",
        tell: other_offer,
    },
    Lie {
        told: "a round that was there before",
        victim: "a participant",
        code: Code::StaleRound,
        requirement: "AGG-4",
        tell: || check_round(Some(3), 3).unwrap_err(),
    },
    Lie {
        told: "other parameters to one participant",
        victim: "that participant",
        code: Code::ParametersMismatch,
        requirement: "AGG-12",
        tell: other_parameters,
    },
    Lie {
        told: "another roster to one participant",
        victim: "that participant",
        code: Code::RosterMismatch,
        requirement: "AGG-13",
        tell: other_roster,
    },
    Lie {
        told: "a roster without the participant",
        victim: "that participant",
        code: Code::WronglyDropped,
        requirement: "AGG-16",
        tell: || Script::open(5, |_| ()).until(Kind::Parameters).told_roster(),
    },
    Lie {
        told: "a share that its owner did not seal",
        victim: "its receiver",
        code: Code::BadSignature,
        requirement: "AGG-28",
        tell: altered_share,
    },
    Lie {
        told: "another U2 to some participants",
        victim: "the participants",
        code: Code::RosterMismatch,
        requirement: "AGG-17",
        tell: other_sharers,
    },
    Lie {
        told: "U2 below the threshold",
        victim: "a participant",
        code: Code::BelowThreshold,
        requirement: "AGG-16",
        tell: few_sharers,
    },
    Lie {
        told: "a survivor declared lost, to itself",
        victim: "that survivor",
        code: Code::WronglyDropped,
        requirement: "AGG-16",
        tell: || survivors(1, &[2, 3, 4, 5]),
    },
    Lie {
        told: "a survivor declared lost, to some others",
        victim: "those others",
        code: Code::RosterMismatch,
        requirement: "AGG-17",
        tell: other_survivors,
    },
    Lie {
        told: "a rank in U3 that sent nothing",
        victim: "a participant",
        code: Code::RosterMismatch,
        requirement: "AGG-16",
        tell: invented_survivor,
    },
    Lie {
        told: "SHARED twice",
        victim: "a participant",
        code: Code::DoubleUnmask,
        requirement: "AGG-18",
        tell: || twice(Kind::MaskedSum, Kind::Shared),
    },
    Lie {
        told: "SURVIVORS twice, for both kinds of shares",
        victim: "a participant",
        code: Code::DoubleUnmask,
        requirement: "AGG-18",
        tell: || twice(Kind::Agreed, Kind::Survivors),
    },
    Lie {
        told: "AGREEMENT twice, after the shares were told",
        victim: "a participant",
        code: Code::DoubleUnmask,
        requirement: "AGG-18",
        tell: || twice(Kind::Unmask, Kind::Agreement),
    },
    Lie {
        told: "a forged signature over the survivors",
        victim: "a participant",
        code: Code::RosterMismatch,
        requirement: "AGG-17",
        tell: forged_agreement,
    },
    Lie {
        told: "too few signatures over the survivors",
        victim: "a participant",
        code: Code::RosterMismatch,
        requirement: "AGG-17",
        tell: few_agreed,
    },
    Lie {
        told: "survivors that give one party away beside an earlier round",
        victim: "a participant",
        code: Code::RosterDifference,
        requirement: "AGG-25",
        tell: difference,
    },
];

/// The lies of participant 2; every victim names it.
const OF_PARTICIPANTS: &[Lie] = &[
    Lie {
        told: "a transcript signature that is none",
        victim: "the coordinator",
        code: Code::BadSignature,
        requirement: "SESS-15",
        tell: forged_transcript,
    },
    Lie {
        told: "a mask key of low order",
        victim: "everybody",
        code: Code::BadElement,
        requirement: "AGG-8",
        tell: low_order,
    },
    Lie {
        told: "a share that it did not sign",
        victim: "the coordinator",
        code: Code::BadSignature,
        requirement: "AGG-20",
        tell: || Cheat::new().blamed(Kind::Shares, |p| p[300] ^= 1),
    },
    Lie {
        told: "a signed share that does not match its commitment",
        victim: "its receiver",
        code: Code::BadShare,
        requirement: "AGG-28",
        tell: || garbage(3),
    },
    Lie {
        told: "the same to the coordinator",
        victim: "the coordinator",
        code: Code::BadShare,
        requirement: "AGG-28",
        tell: || garbage(0),
    },
    Lie {
        told: "a commitment to another self-mask",
        victim: "the coordinator",
        code: Code::BadShare,
        requirement: "AGG-19",
        tell: || Cheat::new().blamed(Kind::Shares, |p| p[0] ^= 1),
    },
    Lie {
        told: "a share off its polynomial, committed to",
        victim: "the coordinator",
        code: Code::BadShare,
        requirement: "AGG-19",
        tell: off_polynomial,
    },
    Lie {
        told: "shares of another mask key, committed to; then gone",
        victim: "the coordinator",
        code: Code::BadShare,
        requirement: "AGG-19",
        tell: other_mask_key,
    },
    Lie {
        told: "values of another shape",
        victim: "the coordinator",
        code: Code::ShapeMismatch,
        requirement: "ENV-3",
        tell: other_shape,
    },
    Lie {
        told: "values of an earlier round",
        victim: "the coordinator",
        code: Code::StaleRound,
        requirement: "ENV-4",
        tell: earlier_values,
    },
    Lie {
        told: "values with another digest",
        victim: "the coordinator",
        code: Code::BadDigest,
        requirement: "ENV-1",
        tell: || Cheat::new().blamed(Kind::MaskedSum, |p| p[40] ^= 1),
    },
    Lie {
        told: "a signature over other survivors",
        victim: "the coordinator",
        code: Code::BadSignature,
        requirement: "AGG-20",
        tell: || Cheat::new().blamed(Kind::Agreed, |p| p[0] ^= 1),
    },
    Lie {
        told: "a wrong share in UNMASK",
        victim: "the coordinator",
        code: Code::BadShare,
        requirement: "AGG-19",
        tell: wrong_share,
    },
    Lie {
        told: "a share of the other kind",
        victim: "the coordinator",
        code: Code::MalformedMessage,
        requirement: "AGG-20",
        tell: || Cheat::new().blamed(Kind::Unmask, |p| p[4] = 2),
    },
    Lie {
        told: "shares of both kinds of one rank",
        victim: "the coordinator",
        code: Code::MalformedMessage,
        requirement: "AGG-20",
        tell: both_kinds,
    },
];

fn other_offer() -> Error {
    let confirm = |offer| Confirm {
        kind: "hefu/confirm/1".into(),
        offer,
        rank: 1,
        party: hefu_core::PartyId::parse("lei:BANK1").unwrap(),
        nonce: [0; 32],
        ephemeral: [0; 32],
        version: "1.0".into(),
        suite: 1,
        algorithm: "aggregate-sum-1".into(),
        allow: [0; 32],
        schema: [0; 32],
        mask: Some([0; 32]),
        critical: vec![],
    };
    let (own, other) = (confirm([1; 32]), confirm([2; 32]));
    assert_eq!(check_confirms(&[1; 32], [Some(&own), None]), Ok(()));
    check_confirms(&[1; 32], [Some(&own), None, Some(&other)]).unwrap_err()
}

impl Script {
    fn told_roster(self) -> Error {
        let payload = self.roster(&[2, 3, 4, 5]);
        self.lie(1, Kind::Roster, payload)
    }
}

fn other_parameters() -> Error {
    let form = hefu_protocol::Form::new("mean", hefu_protocol::Codec::F64, &[1]);
    let payload = hefu_protocol::encode_envelope(1, &[(form, hefu_protocol::Elements::F64(vec![0.5]))]);
    Script::open(5, |_| ()).lie(1, Kind::Parameters, payload)
}

/// The signatures of a session with other confirms.
fn other_roster() -> Error {
    let script = Script::open(5, |_| ()).until(Kind::Parameters);
    let mut payload = script.roster(&[1, 2, 3, 4, 5]);
    payload[2 + 66 + 10] ^= 1;
    script.lie(1, Kind::Roster, payload)
}

fn altered_share() -> Error {
    let script = Script::open(5, |_| ()).until(Kind::Shares);
    let mut payload = script.shared(1, &[1, 2, 3, 4, 5]);
    payload[12 + 2 + 2 + 5] ^= 1;
    script.lie(1, Kind::Shared, payload)
}

/// Participants 1 and 2 are told that 5 shared nothing; all the same they are told that all five survive.
fn other_sharers() -> Error {
    let mut script = Script::open(6, |_| ()).until(Kind::Shares);
    let (all, fewer) = (script.everyone(), vec![1, 2, 3, 4, 5]);
    for rank in &fewer {
        let payload = script.shared(*rank, if *rank < 3 { &fewer } else { &all });
        script.send(*rank, Kind::Shared, payload).unwrap();
    }
    for rank in &fewer {
        script.send(*rank, Kind::Survivors, list(&fewer)).unwrap();
    }
    let payload = script.agreement(&fewer);
    script.lie(1, Kind::Agreement, payload)
}

fn few_sharers() -> Error {
    let script = Script::open(5, |_| ()).until(Kind::Shares);
    let payload = script.shared(1, &[1, 2, 3]);
    script.lie(1, Kind::Shared, payload)
}

fn survivors(to: u16, ranks: &[u16]) -> Error {
    Script::open(5, |_| ()).until(Kind::MaskedSum).lie(to, Kind::Survivors, list(ranks))
}

/// Participants 1, 3 and 4 are told that 5 is gone, the others that it is there: both kinds of its shares are wanted.
fn other_survivors() -> Error {
    let mut script = Script::open(5, |_| ()).until(Kind::MaskedSum);
    for rank in [1, 3, 4] {
        script.send(rank, Kind::Survivors, list(&[1, 2, 3, 4])).unwrap();
    }
    for rank in [2, 5] {
        script.send(rank, Kind::Survivors, list(&[1, 2, 3, 4, 5])).unwrap();
    }
    let payload = script.agreement(&[1, 2, 3, 4]);
    script.lie(1, Kind::Agreement, payload)
}

fn invented_survivor() -> Error {
    let mut script = Script::open(5, |_| ()).until(Kind::Shares);
    for rank in [1, 2, 3, 4] {
        let payload = script.shared(rank, &[1, 2, 3, 4]);
        script.send(rank, Kind::Shared, payload).unwrap();
    }
    script.lie(1, Kind::Survivors, list(&[1, 2, 3, 4, 5]))
}

fn twice(until: Kind, kind: Kind) -> Error {
    let script = Script::open(5, |_| ()).until(until);
    let payload = match kind {
        Kind::Shared => script.shared(1, &[1, 2, 3, 4, 5]),
        Kind::Survivors => list(&[1, 2, 3, 4]),
        _ => script.agreement(&[1, 2, 3, 4, 5]),
    };
    script.lie(1, kind, payload)
}

fn forged_agreement() -> Error {
    let script = Script::open(5, |_| ()).until(Kind::Agreed);
    let mut payload = script.agreement(&[1, 2, 3, 4, 5]);
    payload[100] ^= 1;
    script.lie(1, Kind::Agreement, payload)
}

fn few_agreed() -> Error {
    let script = Script::open(5, |_| ()).until(Kind::Agreed);
    let payload = script.agreement(&[1, 2, 3]);
    script.lie(1, Kind::Agreement, payload)
}

fn difference() -> Error {
    let earlier = |banks: &mut [world::Bank]| {
        let survivors: BTreeSet<_> = banks[1..5].iter().map(|bank| bank.party.clone()).collect();
        let past = PastRound { round: 0, exact: true, survivors };
        banks[1].history = History { rounds: vec![past], permits_change: false };
    };
    Script::open(5, earlier).until(Kind::MaskedSum).lie(1, Kind::Survivors, list(&[1, 2, 3, 4, 5]))
}

fn forged_transcript() -> Error {
    let mut cheat = Cheat::new();
    cheat.session.signatures[usize::from(LIAR)].as_mut().unwrap()[0] ^= 1;
    cheat.blamed(Kind::Error, |_| ())
}

fn low_order() -> Error {
    let (banks, dice) = (world::banks(5, false), &mut hefu_crypto::Stream::new([8; 16]));
    let plan = world::moments(5, 0, hefu_core::CoordinatorRole::Participant);
    let low = |rank, key| if rank == Rank(LIAR) { [0; 32] } else { key };
    let session = world::Session::open(&banks, &plan, &BTreeSet::new(), dice, low);
    let mut errors = session.rosters.into_iter().map(|roster| roster.unwrap().map(|_| ()).unwrap_err());
    let first = errors.next().unwrap();
    assert!(errors.all(|error| error == first));
    first
}

fn garbage(to: u16) -> Error {
    let cheat = Cheat::new();
    let forge = cheat.forge();
    let run =
        cheat.run(Kind::Shares, |payload| forge(payload, to, Chosen { b: &number(), s: &number(), committed: false }));
    match run.errors.get(&Rank(to)) {
        Some(error) => error.clone(),
        None => run.blamed[0].1.clone(),
    }
}

fn off_polynomial() -> Error {
    let cheat = Cheat::new();
    let forge = cheat.forge();
    cheat.blamed(Kind::Shares, |payload| forge(payload, 0, Chosen { b: &number(), s: &number(), committed: true }))
}

/// Every share of s is the same number: a polynomial of degree 0 through another key.
fn other_mask_key() -> Error {
    let cheat = Cheat::new().leaving(Kind::MaskedSum);
    let forge = cheat.forge();
    cheat.blamed(Kind::Shares, |payload| {
        for to in [0, 1, 3, 4] {
            forge(payload, to, Chosen { b: &number(), s: &number(), committed: true });
        }
    })
}

fn other_shape() -> Error {
    Cheat::new().blamed(Kind::MaskedSum, |payload| {
        // the first letter of the first tensor's name
        payload[11] = b'x';
        redigest(payload);
    })
}

fn earlier_values() -> Error {
    Cheat::new().blamed(Kind::MaskedSum, |payload| {
        payload[7] ^= 1;
        redigest(payload);
    })
}

fn wrong_share() -> Error {
    let run = Cheat::new().run(Kind::Unmask, |payload| payload[20] ^= 1);
    assert_eq!(run.outcome.unwrap().survivors.len(), 5, "the round goes on without the liar's shares");
    run.blamed[0].1.clone()
}

fn both_kinds() -> Error {
    Cheat::new().blamed(Kind::Unmask, |payload| {
        payload[1] += 1;
        let mut entry = payload[2..37].to_vec();
        entry[2] = 2;
        payload.splice(37..37, entry);
    })
}

// clause: AGG-4, AGG-5, AGG-12, AGG-13, AGG-16, AGG-17, AGG-18, AGG-25, AGG-28
#[test]
fn every_lie_of_a_coordinator_is_named() {
    each(OF_COORDINATORS, Rank(0));
}

// clause: AGG-8, AGG-11, AGG-19, AGG-20, AGG-28
#[test]
fn every_lie_of_a_participant_is_named() {
    each(OF_PARTICIPANTS, Rank(LIAR));
}

fn each(lies: &[Lie], liar: Rank) {
    for lie in lies {
        println!("{}", lie.told);
        let error = (lie.tell)();
        assert_eq!((error.code(), error.requirement()), (lie.code, lie.requirement), "{}: {error:?}", lie.told);
        assert_eq!(error.culprit(), Some(liar), "{}: {error:?}", lie.told);
    }
}

/// The table of the documentation is this list; the test prints what it should be.
#[test]
fn the_documented_table_is_this_list() {
    let row = |liar: &str, lie: &Lie| {
        format!("| {liar} | {} | {} | `{}` | {} |\n", lie.told, lie.victim, lie.code.name(), lie.requirement)
    };
    let coordinators = OF_COORDINATORS.iter().map(|lie| row("coordinator", lie));
    let participants = OF_PARTICIPANTS.iter().map(|lie| row("participant", lie));
    let table: String = coordinators.chain(participants).collect();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/aggregation-lies.md");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.ends_with(&table), "docs/aggregation-lies.md should end with\n{table}");
    assert!(OF_COORDINATORS.len() + OF_PARTICIPANTS.len() >= 12);
}
