//! The vectors of frames: cutting and sealing, and receiving with every refusal.
use super::{Frame, Limits, Opener, Receiver, Sealer};
use crate::case::{Hex, each, hex};
use crate::{Error, Kind, Message};
use hefu_core::{Rank, SessionId};
use hefu_crypto::FrameKey;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    #[serde(rename = "type")]
    kind: u16,
    stage: u32,
    round: u32,
    payload: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealing {
    key: Hex,
    session: Hex,
    sender: u16,
    receiver: u16,
    max_chunk: u32,
    sequence: u64,
    messages: Vec<Sent>,
}

#[test]
fn messages_are_cut_and_sealed() {
    each("seal", |given: Sealing| {
        let (session, key) = (SessionId(given.session.array()), FrameKey::new(&given.key.array()));
        let mut sealer = Sealer::new(key, session, Rank(given.sender), Rank(given.receiver), given.max_chunk);
        sealer.sequence = given.sequence;
        let (mut frames, mut digests) = (Vec::new(), Vec::new());
        for Sent { kind, stage, round, payload } in given.messages {
            let message = Message { kind: Kind::from_number(kind).unwrap(), stage, round, payload: payload.0 };
            for Frame { header, body } in sealer.seal(&message).map_err(|e: Error| e.code())? {
                digests.push(hex(Frame::digest(&header, &body)));
                frames.push(json!({ "header": hex(header), "body": hex(body) }));
            }
        }
        Ok(json!({ "frames": frames, "digests": digests }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Received {
    header: Hex,
    body: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    session: Hex,
    own: u16,
    peer: u16,
    max_chunk: u32,
    max_message: u64,
    keys: BTreeMap<u16, Hex>,
    preceding: u32,
    frames: Vec<Received>,
}

impl Link {
    fn receiver(&self) -> Receiver {
        let limits = Limits { max_chunk: self.max_chunk, max_message: self.max_message };
        let session = SessionId(self.session.array());
        let opener = |rank| {
            let key = FrameKey::new(&self.keys.get(&rank)?.array());
            Some(Opener::new(key, session, Rank(rank), Rank(self.own), limits))
        };
        let last = self.keys.keys().max().unwrap();
        Receiver::new(session, Rank(self.own), Rank(self.peer), (0..=*last).map(opener).collect())
    }

    /// The peer's empty messages that came before.
    fn precede(&self, receiver: &mut Receiver) {
        let key = FrameKey::new(&self.keys[&self.peer].array());
        let session = SessionId(self.session.array());
        let mut sealer = Sealer::new(key, session, Rank(self.peer), Rank(self.own), self.max_chunk);
        let message = Message { kind: Kind::ScorePart, stage: 4, round: 0, payload: Vec::new() };
        for _ in 0..self.preceding {
            for Frame { header, body } in sealer.seal(&message).unwrap() {
                assert_eq!(receiver.open(&header, body), Ok(Some((Rank(self.peer), message.clone()))));
            }
        }
    }
}

// clause: FRAME-1, FRAME-2, FRAME-3, FRAME-4, FRAME-5, FRAME-6, FRAME-7, FRAME-8, FRAME-9, FRAME-10, FRAME-11
#[test]
fn frames_are_taken_or_refused() {
    each("frame", |given: Link| {
        let mut receiver = given.receiver();
        given.precede(&mut receiver);
        let (mut messages, mut refusal) = (Vec::new(), None);
        for Received { header, body } in given.frames {
            assert_eq!(refusal, None, "only the last frame is refused");
            match receiver.open(&header.0, body.0) {
                Ok(None) => {}
                Ok(Some((Rank(sender), Message { kind, stage, round, payload }))) => messages.push(json!({
                    "sender": sender, "type": kind.number(), "stage": stage, "round": round, "payload": hex(payload),
                })),
                Err(error) => refusal = Some(error.code()),
            }
        }
        refusal.map_or(Ok(json!({ "messages": messages })), Err)
    });
}
