//! Scoring on a simulated network: exact sums, masked parts, and the lies it must catch.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod sim;

use hefu_core::{Code, Rank, Stage};
use hefu_protocol::score::{Collaborator, Initiator};
use hefu_protocol::{Error, Outgoing};
use sim::Outcome;

fn predictors(rank: u16, rows: usize) -> Vec<f64> {
    (0..rows).map(|row| ((row * 7 + usize::from(rank) * 13) % 101) as f64 / 8.0 - 6.0).collect()
}

fn score(parties: u16, rows: usize, tamper: sim::Tamper<'_>) -> Result<Vec<f64>, (Rank, Error)> {
    let sessions = sim::session(parties, b"score");
    let initiator = Initiator::new(&sessions[0], Stage::Score, &predictors(0, rows));
    let collaborators = (1..parties)
        .map(|r| Collaborator::new(sessions[usize::from(r)].clone(), Stage::Score, predictors(r, rows)))
        .collect();
    let run = sim::run(initiator, collaborators, u64::from(parties), tamper)?;
    let Outcome::Initiator(scores) = run.outcomes.into_iter().next().unwrap() else { panic!("rank 0 is first") };
    Ok(scores)
}

#[test]
fn sums_are_exact_for_any_number_of_parties_and_rows() {
    for parties in 2..=5 {
        for rows in [0, 1, 1000, 65_536, 65_537] {
            let expected: Vec<f64> =
                (0..rows).map(|row| (0..parties).map(|r| predictors(r, rows)[row]).sum()).take(rows.min(3)).collect();
            let scores = score(parties, rows, &mut |_, _| ()).unwrap();
            assert_eq!(scores.len(), rows);
            assert_eq!(&scores[..rows.min(3)], &expected);
        }
    }
}

#[test]
fn with_two_collaborators_a_part_is_hidden() {
    let mut part = Vec::new();
    score(3, 100, &mut |from, outgoing: &mut Outgoing| {
        if from == Rank(1) {
            part.clone_from(&outgoing.message.payload);
        }
    })
    .unwrap();
    let plain: Vec<u64> = predictors(1, 100).iter().map(|z| ((z * 2f64.powi(32)) as i64).cast_unsigned()).collect();
    let sent: Vec<u64> = part[4..].chunks(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect();
    assert!(plain.iter().zip(&sent).all(|(p, s)| p != s));
}

// clause: SCORE-3
#[test]
fn batches_follow() {
    for change in [(|p: &mut Vec<u8>| p[3] = 1) as fn(&mut Vec<u8>), |p| p.truncate(12), |p| p.push(0)] {
        let (rank, error) = score(2, 10, &mut |_, o: &mut Outgoing| change(&mut o.message.payload)).unwrap_err();
        assert_eq!((rank, error.code(), error.culprit()), (Rank(0), Code::MalformedMessage, Some(Rank(1))));
    }
}

// clause: SCORE-4
#[test]
fn a_part_that_is_too_large_ends_the_job() {
    let sessions = sim::session(2, b"score");
    let collaborator = Collaborator::new(sessions[1].clone(), Stage::Score, vec![2f64.powi(30)]);
    let initiator = Initiator::new(&sessions[0], Stage::Score, &[0.0]);
    let (rank, error) = sim::run(initiator, vec![collaborator], 1, &mut |_, _| ()).map(|_| ()).unwrap_err();
    assert_eq!((rank, error.code()), (Rank(1), Code::ScalarTooLarge));
}
