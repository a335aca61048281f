use super::*;

const SESSION: SessionId = SessionId([4; 16]);
const LIMITS: Limits = Limits { max_chunk: 100, max_message: 1000 };

fn pair() -> (Sealer, Opener) {
    let key = || FrameKey::new(&[5; 32]);
    (Sealer::new(key(), SESSION, Rank(1), Rank(0), 100), Opener::new(key(), SESSION, Rank(1), Rank(0), LIMITS))
}

fn message(bytes: usize) -> Message {
    Message { kind: Kind::Share, stage: 2, round: 7, payload: (0..bytes).map(|i| i as u8).collect() }
}

fn refusal(opener: &mut Opener, frame: &Frame) -> (Code, &'static str) {
    let error = opener.open(&frame.header, frame.body.clone()).unwrap_err();
    assert_eq!(error.culprit(), Some(Rank(1)));
    (error.code(), error.requirement())
}

#[test]
fn messages_of_every_size_arrive() {
    let (mut sealer, mut opener) = pair();
    for bytes in [0, 1, 99, 100, 101, 200, 1000] {
        let sent = message(bytes);
        let frames = sealer.seal(&sent).unwrap();
        assert_eq!(frames.len(), bytes.div_ceil(100).max(1));
        let mut received = None;
        for frame in &frames {
            assert_eq!(received, None);
            received = opener.open(&frame.header, frame.body.clone()).unwrap();
        }
        assert_eq!(received, Some(sent));
    }
}

// clause: FRAME-8
#[test]
fn a_repeated_frame_is_ignored_and_a_changed_one_conflicts() {
    let (mut sealer, mut opener) = pair();
    let frame = sealer.seal(&message(10)).unwrap().remove(0);
    assert!(opener.open(&frame.header, frame.body.clone()).unwrap().is_some());
    assert_eq!(opener.open(&frame.header, frame.body.clone()), Ok(None));
    let mut changed = frame.clone();
    *changed.body.last_mut().unwrap() ^= 1;
    assert_eq!(refusal(&mut opener, &changed), (Code::Conflict, "FRAME-8"));
}

// clause: FRAME-8
#[test]
fn a_repetition_beyond_memory_conflicts() {
    let (mut sealer, mut opener) = pair();
    let first = sealer.seal(&message(1)).unwrap().remove(0);
    opener.open(&first.header, first.body.clone()).unwrap();
    for _ in 0..REMEMBERED - 1 {
        let frame = sealer.seal(&message(1)).unwrap().remove(0);
        opener.open(&frame.header, frame.body).unwrap();
    }
    assert_eq!(opener.open(&first.header, first.body.clone()), Ok(None), "the oldest remembered");
    let frame = sealer.seal(&message(1)).unwrap().remove(0);
    opener.open(&frame.header, frame.body).unwrap();
    assert_eq!(refusal(&mut opener, &first), (Code::Conflict, "FRAME-8"));
}

// clause: FRAME-9
#[test]
fn a_gap_is_refused() {
    let (mut sealer, mut opener) = pair();
    sealer.seal(&message(10)).unwrap();
    let second = sealer.seal(&message(10)).unwrap().remove(0);
    assert_eq!(refusal(&mut opener, &second), (Code::OutOfOrder, "FRAME-9"));
}

// clause: FRAME-10
#[test]
fn an_altered_body_or_header_does_not_open() {
    let (mut sealer, mut opener) = pair();
    let frame = sealer.seal(&message(10)).unwrap().remove(0);
    let mut body = frame.clone();
    body.body[0] ^= 1;
    assert_eq!(refusal(&mut opener, &body), (Code::BadSeal, "FRAME-10"));
    let mut round = frame.clone();
    round.header[31] ^= 1;
    assert_eq!(refusal(&mut opener, &round), (Code::BadSeal, "FRAME-10"));
    assert!(opener.open(&frame.header, frame.body).unwrap().is_some(), "a refusal leaves the state as it was");
}

// clause: FRAME-1, FRAME-2, FRAME-3, FRAME-4, FRAME-5, FRAME-6, FRAME-7, FRAME-10
#[test]
fn each_header_field_is_checked() {
    let cases: &[(usize, u8, Code, &str)] = &[
        (0, 3, Code::MalformedFrame, "FRAME-1"),
        (1, 1, Code::MalformedFrame, "FRAME-1"),
        (63, 1, Code::MalformedFrame, "FRAME-1"),
        (8, 0xff, Code::UnknownSession, "FRAME-2"),
        (5, 2, Code::WrongParty, "FRAME-3"),
        (7, 1, Code::WrongParty, "FRAME-4"),
        (48, 1, Code::MessageTooLarge, "FRAME-5"),
        (56, 1, Code::MalformedFrame, "FRAME-6"),
        (59, 1, Code::MalformedFrame, "FRAME-6"),
        (43, 1, Code::MalformedFrame, "FRAME-7"),
        (47, 3, Code::MalformedFrame, "FRAME-7"),
        (55, 1, Code::MalformedFrame, "FRAME-7"),
        (2, 0x7f, Code::BadSeal, "FRAME-10"),
    ];
    for (offset, flip, code, requirement) in cases {
        let (mut sealer, mut opener) = pair();
        let mut frame = sealer.seal(&message(10)).unwrap().remove(0);
        frame.header[*offset] ^= flip;
        assert_eq!(refusal(&mut opener, &frame), (*code, *requirement), "offset {offset}");
    }
    let (mut sealer, mut opener) = pair();
    let mut frame = sealer.seal(&message(10)).unwrap().remove(0);
    frame.header.push(0);
    assert_eq!(refusal(&mut opener, &frame), (Code::MalformedFrame, "FRAME-1"));
}

// clause: FRAME-7
#[test]
fn a_message_cannot_change_between_chunks() {
    for offset in [3, 27, 31] {
        let (mut sealer, mut opener) = pair();
        let frames = sealer.seal(&message(250)).unwrap();
        opener.open(&frames[0].header, frames[0].body.clone()).unwrap();
        let mut second = frames[1].clone();
        second.header[offset] ^= 1;
        assert_eq!(refusal(&mut opener, &second), (Code::MalformedFrame, "FRAME-7"), "offset {offset}");
    }
}
