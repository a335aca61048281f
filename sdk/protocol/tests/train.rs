//! Training on a simulated network against the centralised fit, and the lies it must catch.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
mod sim;

use hefu_core::{Code, Rank};
use hefu_crypto::Stream;
use hefu_he::Backend;
use hefu_model::{Columns, logistic};
use hefu_protocol::train::{Collaborator, Initiator, TrainPlan, Trained};
use hefu_protocol::{Error, Kind, Outgoing};
use sim::Outcome;

fn plan() -> TrainPlan {
    TrainPlan { max_evaluations: 30, lambda: 1.0, backend: Backend::detect() }
}

struct Data {
    columns: Vec<Vec<(String, Vec<f64>)>>,
    labels: Vec<u8>,
}

/// Correlated columns for each party and a label from a true model, all from a seed.
fn data(rows: usize, widths: &[usize], seed: u8) -> Data {
    let mut stream = Stream::new([seed; 16]);
    let mut uniform = move || (stream.u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mut normal = move || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    let common: Vec<f64> = (0..rows).map(|_| normal()).collect();
    let mut score = vec![-0.8; rows];
    let mut columns = Vec::new();
    for (party, width) in widths.iter().enumerate() {
        let mut own = Vec::new();
        for j in 0..*width {
            let values: Vec<f64> = common.iter().map(|c| 0.6 * c + normal()).collect();
            let mean = values.iter().sum::<f64>() / rows as f64;
            let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / rows as f64).sqrt();
            let values: Vec<f64> = values.iter().map(|v| (v - mean) / deviation).collect();
            let weight = 0.5 * f64::from(1 - 2 * ((party + j) as i32 % 2)) / (1.0 + j as f64);
            score.iter_mut().zip(&values).for_each(|(s, v)| *s += weight * v);
            own.push((format!("p{party}c{j}"), values));
        }
        columns.push(own);
    }
    let mut dice = Stream::new([seed ^ 0x55; 16]);
    let labels = score
        .iter()
        .map(|s| u8::from(((dice.u64() >> 11) as f64 / (1u64 << 53) as f64) < 1.0 / (1.0 + (-s).exp())))
        .collect();
    Data { columns, labels }
}

type Result = std::result::Result<(Vec<Trained>, usize), (Rank, Error)>;

fn train(data: &Data, plan: TrainPlan, order: u64, tamper: sim::Tamper<'_>) -> Result {
    let rows = data.labels.len();
    let sessions = sim::session(data.columns.len() as u16, b"train");
    let x = |party: usize| Columns::from_columns(rows, data.columns[party].clone()).unwrap();
    let initiator = Initiator::new(sessions[0].clone(), plan, x(0), data.labels.clone(), false, sim::seed(1));
    let collaborators = (1..data.columns.len())
        .map(|party| Collaborator::new(sessions[party].clone(), plan, x(party), false, sim::seed(party as u8 + 1)))
        .collect();
    let run = sim::run(initiator, collaborators, order, tamper)?;
    let trained = run
        .outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Initiator(trained) | Outcome::Collaborator(trained) => trained,
        })
        .collect();
    Ok((trained, run.messages))
}

/// The joint coefficients are those of the centralised fit on the joined table.
fn check(data: &Data, order: u64) {
    let (trained, _) = train(data, plan(), order, &mut |_, _| ()).unwrap();
    let joined = Columns::from_columns(data.labels.len(), data.columns.concat()).unwrap();
    let fit = logistic::fit(&joined, &data.labels, 1.0).unwrap();
    let joint: Vec<f64> = trained.iter().flat_map(|t| t.coefficients.clone()).collect();
    assert_eq!(joint.len(), fit.coefficients.len());
    for (joint, central) in joint.iter().zip(&fit.coefficients) {
        assert!((joint - central).abs() < 1e-5, "{joint} against {central}");
    }
    assert!((trained[0].intercept.unwrap() - fit.intercept).abs() < 1e-5);
    assert!(trained[1..].iter().all(|t| t.intercept.is_none() && t.evaluations == trained[0].evaluations));
    assert!(trained[0].evaluations <= 25, "{} evaluations", trained[0].evaluations);
}

#[test]
fn two_parties_fit_the_joined_table() {
    check(&data(3000, &[4, 3], 1), 1);
}

#[test]
fn an_initiator_with_only_a_label() {
    check(&data(2000, &[0, 5], 2), 2);
}

#[test]
fn three_and_four_parties_in_any_order() {
    check(&data(2500, &[3, 3, 4], 3), 3);
    check(&data(2500, &[2, 3, 3, 3], 4), 4);
}

#[test]
fn more_rows_than_one_block() {
    check(&data(9000, &[3, 3], 5), 5);
}

// clause: VLR-5, RLWE-1, RLWE-3, CONV-3
#[test]
fn no_ciphertext_or_share_repeats() {
    let mut seen = std::collections::HashSet::new();
    let mut tamper = |_, outgoing: &mut Outgoing| {
        let hidden = matches!(
            outgoing.message.kind,
            Kind::Basis | Kind::Share | Kind::Masked | Kind::BasisKey | Kind::ResidualKey | Kind::Sums
        );
        if hidden {
            assert!(seen.insert((outgoing.to, outgoing.message.payload.clone())), "{:?} repeats", outgoing.message);
        }
    };
    let (trained, _) = train(&data(400, &[3, 3, 3], 6), plan(), 6, &mut tamper).unwrap();
    assert!(trained[0].rounds > 5);
}

/// Changes every message of a kind from a rank; answers who refused, with which code, and whom it blames.
fn lie(kind: Kind, from: u16, change: impl Fn(&mut Vec<u8>)) -> (Rank, Code, Option<Rank>) {
    let mut tamper = |rank: Rank, outgoing: &mut Outgoing| {
        if outgoing.message.kind == kind && rank == Rank(from) {
            change(&mut outgoing.message.payload);
        }
    };
    let (rank, error) = train(&data(400, &[3, 3, 3], 7), plan(), 7, &mut tamper).unwrap_err();
    (rank, error.code(), error.culprit())
}

// clause: RLWE-2, RLWE-5, VLR-8, VLR-16, CONV-1
#[test]
fn each_lie_is_named() {
    let by = |rank: u16| Some(Rank(rank));
    let malformed = |at: u16, rank: u16| (Rank(at), Code::MalformedMessage, by(rank));
    let element = |at: u16, rank: u16| (Rank(at), Code::BadElement, by(rank));
    assert_eq!(lie(Kind::TrainShape, 1, |p| p.push(0)), malformed(0, 1));
    assert_eq!(lie(Kind::TrainShape, 1, |p| p.fill(0)), malformed(0, 1));
    for at in [3, 11, 15] {
        assert_eq!(lie(Kind::TrainPlan, 0, |p| p[at] ^= 1), (Rank(1), Code::ShapeMismatch, by(0)), "{at}");
    }
    assert_eq!(lie(Kind::Bound, 2, |p| p.truncate(3)), malformed(0, 2));
    assert_eq!(lie(Kind::BasisKey, 0, |p| p.fill(0xff)), element(1, 0));
    assert_eq!(lie(Kind::Basis, 0, |p| p.truncate(100)), malformed(1, 0));
    assert_eq!(lie(Kind::Basis, 0, |p| p[5] = 9), malformed(1, 0));
    assert_eq!(lie(Kind::Share, 2, |p| p.truncate(8)), malformed(1, 2));
    assert_eq!(lie(Kind::Masked, 1, |p| p[4..].fill(0xff)), element(0, 1));
    let over = (2049u16.to_be_bytes(), (Rank(0), Code::ShapeMismatch, by(1)));
    assert_eq!(lie(Kind::Sums, 1, |p| p[2..4].copy_from_slice(&over.0)), over.1);
    assert_eq!(lie(Kind::Opened, 1, |p| p[7] = 1), malformed(0, 1));
    assert_eq!(lie(Kind::Scalars, 1, |p| p[40] ^= 1), (Rank(0), Code::BadDigest, by(1)));
}

// clause: RLWE-6
#[test]
fn a_repeated_seed_is_refused() {
    let mut seed = None;
    let mut tamper = |_, outgoing: &mut Outgoing| {
        if outgoing.message.kind == Kind::Basis {
            let payload = &mut outgoing.message.payload;
            let first = seed.get_or_insert_with(|| payload[6..22].to_vec()).clone();
            payload[6..22].copy_from_slice(&first);
        }
    };
    let (rank, error) = train(&data(400, &[3, 3], 8), plan(), 8, &mut tamper).unwrap_err();
    assert_eq!((rank, error.code(), error.requirement()), (Rank(1), Code::DuplicateElement, "RLWE-6"));
}

/// Sets the flag of rank `from` in the given rounds, as if it had seen a wrap.
fn flagged(data: &Data, from: u16, rounds: &[u32]) -> Vec<Trained> {
    let mut tamper = |rank: Rank, outgoing: &mut Outgoing| {
        let message = &mut outgoing.message;
        if message.kind == Kind::Scalars && rank == Rank(from) && rounds.contains(&message.round) {
            // magic, round, count, "flags" with its length, codec, scale, rank, dimension
            let (flags, digest) = (4 + 4 + 2 + 6 + 3 + 4, message.payload.len() - 32);
            message.payload[flags..flags + 4].copy_from_slice(&[0, 0, 0, 1]);
            let hash = hefu_crypto::sha256(&[&message.payload[..digest]]);
            message.payload[digest..].copy_from_slice(&hash);
        }
    };
    train(data, plan(), 1, &mut tamper).unwrap().0
}

// clause: VLR-14
#[test]
fn a_wrapped_evaluation_is_repeated_and_leaves_no_trace() {
    let data = data(2500, &[3, 3, 3], 12);
    let joined = Columns::from_columns(data.labels.len(), data.columns.concat()).unwrap();
    let fit = logistic::fit(&joined, &data.labels, 1.0).unwrap();
    for rounds in [&[0u32][..], &[2], &[3, 4, 7]] {
        let trained = flagged(&data, 2, rounds);
        assert_eq!(trained[0].rounds as usize, trained[0].evaluations as usize + rounds.len());
        let joint = trained.iter().flat_map(|t| t.coefficients.clone());
        let worst = joint.zip(&fit.coefficients).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-5, "{rounds:?}: {worst:e}");
    }
}

// clause: VLR-10
#[test]
fn too_many_evaluations_end_the_job() {
    let few = TrainPlan { max_evaluations: 3, ..plan() };
    let (rank, error) = train(&data(400, &[3, 3], 9), few, 9, &mut |_, _| ()).unwrap_err();
    assert_eq!((rank, error.code()), (Rank(0), Code::TooManyRounds));
}

// clause: VLR-2
#[test]
fn few_rows_are_refused_by_each_party_for_itself() {
    let (_, error) = train(&data(60, &[3, 8], 10), plan(), 10, &mut |_, _| ()).unwrap_err();
    assert_eq!((error.code(), error.requirement()), (Code::TooFewRows, "VLR-2"));
}
