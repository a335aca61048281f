//! What a collaborator refuses on the stream of frames.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_core::{Code, Rank, SessionId};
use hefu_protocol::frame::{Frame, Header};
use hefu_protocol::{Kind, Message};
use world::peer::{Peer, Session, versions};
use world::{Party, allow, code_of, detail_of};

fn size(keys: u64) -> Message {
    Message { kind: Kind::AlignSize, stage: 1, round: 0, payload: keys.to_be_bytes().to_vec() }
}

/// The first frame of an alignment, changed as header or as bytes.
fn first(session: &Session, change: impl FnOnce(&mut Header, &mut Vec<u8>)) -> Frame {
    let frame = session.keys.sealer(Rank(1), session.limits.max_chunk).seal(&size(3)).unwrap().remove(0);
    let mut header = Header::parse(&frame.header, Rank(0)).unwrap();
    let mut body = frame.body;
    change(&mut header, &mut body);
    Frame { header: header.encode(), body }
}

async fn world() -> (Party, Peer) {
    let mut tax = Party::start("tax", &allow("bank", "tax")).await;
    let bank = Peer::new("bank");
    bank.introduce(&mut tax, "bank").await;
    tax.publish("tax", &world::table::tables(60, 1).tax, "").await.unwrap();
    (tax, bank)
}

async fn refused(tax: &Party, bank: &Peer, session: u8, frames: impl FnOnce(&Session) -> Vec<Frame>) -> (Code, String) {
    let mut session = bank.session(tax, session).await;
    for frame in frames(&session) {
        session.send(frame).await;
    }
    let status = session.end().await;
    versions(&session.channel).await.unwrap();
    (code_of(&status).unwrap_or_else(|| panic!("{status:?}")), detail_of(&status).unwrap().requirement)
}

// clause: FRAME-1, FRAME-2, FRAME-3, FRAME-4, FRAME-5, FRAME-6, FRAME-7, FRAME-9, FRAME-10
#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_frame_ends_its_session_with_its_code() {
    let (tax, bank) = world().await;
    type Change = fn(&mut Header, &mut Vec<u8>);
    let cases: [(Change, Code, &str); 10] = [
        (|h, _| h.session = SessionId([99; 16]), Code::UnknownSession, "FRAME-2"),
        (|h, _| h.sender = Rank(1), Code::WrongParty, "FRAME-3"),
        (|h, _| h.sender = Rank(7), Code::WrongParty, "FRAME-3"),
        (|h, _| h.receiver = Rank(0), Code::WrongParty, "FRAME-4"),
        (|h, _| h.message_bytes = 1 << 30, Code::MessageTooLarge, "FRAME-5"),
        (|_, b| b.push(0), Code::MalformedFrame, "FRAME-6"),
        (|h, _| h.chunks = 2, Code::MalformedFrame, "FRAME-7"),
        (|h, _| h.sequence = 1, Code::OutOfOrder, "FRAME-9"),
        (|_, b| b[0] ^= 1, Code::BadSeal, "FRAME-10"),
        (|h, _| h.kind = 0x7777, Code::BadSeal, "FRAME-10"),
    ];
    for (index, (change, code, requirement)) in (1..).zip(cases) {
        let got = refused(&tax, &bank, index, |session| vec![first(session, change)]).await;
        assert_eq!(got, (code, requirement.to_owned()));
    }
    let short = refused(&tax, &bank, 50, |session| {
        let mut frame = first(session, |_, _| {});
        frame.header.truncate(63);
        vec![frame]
    });
    assert_eq!(short.await, (Code::MalformedFrame, "FRAME-1".to_owned()));
}

// clause: FRAME-8
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_frame_is_ignored_and_a_changed_one_is_a_conflict() {
    let (tax, bank) = world().await;
    let conflict = refused(&tax, &bank, 1, |session| {
        let frame = first(session, |_, _| {});
        let changed = first(session, |_, body| *body.last_mut().unwrap() ^= 1);
        vec![frame.clone(), frame, changed]
    });
    assert_eq!(conflict.await, (Code::Conflict, "FRAME-8".to_owned()));
}

// clause: FRAME-11, CONV-1, ALIGN-6
#[tokio::test(flavor = "multi_thread")]
async fn a_message_out_of_place_ends_the_session() {
    let (tax, bank) = world().await;
    let sealed = |session: &Session, message: Message| {
        session.keys.sealer(Rank(1), session.limits.max_chunk).seal(&message).unwrap()
    };
    let unexpected = refused(&tax, &bank, 1, |session| {
        sealed(session, Message { kind: Kind::AlignTags, stage: 1, round: 0, payload: vec![0; 4] })
    });
    assert_eq!(unexpected.await.0, Code::UnexpectedMessage);
    let other_stage = refused(&tax, &bank, 2, |session| {
        sealed(session, Message { kind: Kind::AlignSize, stage: 0, round: 0, payload: vec![0; 8] })
    });
    assert_eq!(other_stage.await.0, Code::UnexpectedMessage);
    let malformed = refused(&tax, &bank, 3, |session| {
        sealed(session, Message { kind: Kind::AlignSize, stage: 1, round: 0, payload: vec![0; 9] })
    });
    assert_eq!(malformed.await, (Code::MalformedMessage, "CONV-1".to_owned()));
    let too_many = refused(&tax, &bank, 4, |session| sealed(session, size(1 << 40)));
    assert_eq!(too_many.await, (Code::TooManyRows, "ALIGN-6".to_owned()));
}

// clause: SESS-18
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_ends_the_job_and_names_the_peer() {
    let (mut tax, bank) = world().await;
    let session = bank.session(&tax, 1).await;
    let job = bank.offer(&tax, &hefu_crypto::Agreement::new([1; 32]), 1).job.to_string();
    session.send(first(&session, |_, _| {})).await;
    drop(session);
    let ended = tax.wait_as_collaborator(&job).await;
    let error = ended.error.unwrap();
    assert_eq!((ended.state.as_str(), error.code, error.party), ("FAILED", 1003, world::party_id("bank").to_string()));
    assert!(tax.model_files().is_empty());
}

// clause: FRAME-12
#[tokio::test(flavor = "multi_thread")]
async fn an_error_frame_ends_the_session_with_its_code() {
    let (mut tax, bank) = world().await;
    let session = bank.session(&tax, 1).await;
    let json = br#"{"code":6009,"party":"lei:BANK","cause":"text of mine","next":""}"#;
    let mut payload = 6009u32.to_be_bytes().to_vec();
    payload.extend((json.len() as u32).to_be_bytes());
    payload.extend(json);
    let message = Message { kind: Kind::Error, stage: 1, round: 0, payload };
    for frame in session.keys.sealer(Rank(1), session.limits.max_chunk).seal(&message).unwrap() {
        session.send(frame).await;
    }
    let job = bank.offer(&tax, &hefu_crypto::Agreement::new([1; 32]), 1).job.to_string();
    let error = tax.wait_as_collaborator(&job).await.error.unwrap();
    assert_eq!((error.code, error.party), (6009, "lei:BANK".to_owned()));
    assert!(!error.cause.contains("text of mine"), "a peer's text is not repeated");
}
