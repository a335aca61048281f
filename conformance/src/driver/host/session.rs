//! Discovery, offer, confirm and the stream, the suite answering (session sections 4 to 6).

use ed25519_dalek::Signer;
use hefu_proto::v1::{
    ConfirmResponse, ErrorDetail, ExchangeResponse, GetCapabilitiesResponse, GetVersionsResponse, OpenResponse,
};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status};

use super::super::session::Offered;
use super::super::stream::{Incoming, Sealed, Stream};
use super::super::{Flow, Stop};
use super::Host;
use crate::case::Operator;
use crate::control::Control;
use crate::listen::Asked;
use crate::registry;
use crate::transcript::Event;
use crate::wire::{detail, dsse, keys, message};

/// Limits of the suite as collaborator.
const MAX_MESSAGE: u64 = 1 << 30;
const MAX_ROWS: u64 = 5_000_000;
/// Rank of the suite.
const RANK: u16 = 1;

/// A refusal with its code, as errors section 1 says.
pub(super) fn refusal(name: &str) -> Status {
    let code = registry::errors().into_iter().find(|e| e.name == name).map_or(0, |e| e.code);
    refusal_of(code, name)
}

/// A refusal with any code, known or not.
pub(super) fn refusal_of(code: u32, name: &str) -> Status {
    let grpc = match code / 1000 {
        1 => Code::Unavailable,
        3 => Code::PermissionDenied,
        5 => Code::InvalidArgument,
        7 => Code::ResourceExhausted,
        _ => Code::FailedPrecondition,
    };
    let detail = ErrorDetail {
        code,
        name: name.into(),
        scope: "session".into(),
        retry: "NEVER".into(),
        cause: "the suite refuses".into(),
        ..ErrorDetail::default()
    };
    Status::with_details(grpc, "the suite refuses", detail::encode(grpc as i32, &detail).into())
}

impl<C: Control> Host<'_, C> {
    pub(super) fn versions(&self) -> GetVersionsResponse {
        GetVersionsResponse { versions: vec!["1.0".into()], software: "hefu-conformance".into() }
    }

    pub(super) fn capabilities(&self) -> GetCapabilitiesResponse {
        GetCapabilitiesResponse {
            party: self.dialogue.me.id.clone(),
            suites: vec![1],
            algorithms: vec!["align-ecdh-1".into(), "vlr-1".into(), "score-sum-1".into()],
            max_chunk: self.dialogue.case.setting.max_chunk,
            max_message: MAX_MESSAGE,
            max_rows: MAX_ROWS,
        }
    }

    /// Waits for the offer and answers it with a confirm, as the case alters it.
    pub(super) async fn open(&mut self) -> Flow<Offered> {
        let deadline = self.dialogue.world.deadline;
        let asked = self.next("Open", deadline).await?;
        let Asked::Open(ask) = asked else {
            self.too_late(asked);
            return Err(Stop::Told);
        };
        self.asked("Open", &ask.request);
        let offer = ask.request.offer;
        // The judge says what is wrong with an offer; here it is only needed to go on.
        let document = dsse::parse(&offer).ok().and_then(|e| serde_json::from_slice::<Value>(&e.payload).ok());
        let Some((session, peer_ephemeral)) = document.as_ref().and_then(read) else {
            self.reply("Open", ask.reply, Err(refusal("MALFORMED_DOCUMENT")));
            return Err(Stop::Told);
        };
        let document = document.unwrap_or_default();
        if let Some(Operator::RefuseOpen { code }) = self.dialogue.operator {
            self.dialogue.deviation(format!("Open is refused with {code}"));
            self.reply("Open", ask.reply, Err(refusal_of(*code, &registry::name(*code))));
            return Err(Stop::Told);
        }
        let secret = self.dialogue.rng.bytes();
        let confirm = self.confirm_document(&document, &offer, &keys::public(&secret));
        let transcript = keys::transcript(&offer, std::slice::from_ref(&confirm));
        let offered = document["limits"]["max_chunk"].as_u64().unwrap_or(1 << 20).max(1);
        let own = if self.capabilities_asked { self.dialogue.case.setting.max_chunk } else { u64::MAX };
        self.dialogue.record.facts(|facts| {
            facts.session = hex::encode(session);
            facts.offer = hex::encode(&offer);
            facts.transcript = hex::encode(transcript);
            facts.max_chunk = offered.min(own);
        });
        self.reply("Open", ask.reply, Ok(OpenResponse { confirm: confirm.clone() }));
        Ok(Offered {
            session,
            offer,
            confirm,
            ephemeral: secret,
            peer_ephemeral,
            transcript,
            third: None,
            seats: Vec::new(),
        })
    }

    /// Waits for Confirm and answers it with the transcript signature, as the case alters it.
    pub(super) async fn confirm(&mut self, offered: &Offered) -> Flow<()> {
        let deadline = self.dialogue.world.deadline;
        let asked = self.next("Confirm", deadline).await?;
        let Asked::Confirm(ask) = asked else {
            self.too_late(asked);
            return Err(Stop::Told);
        };
        self.asked("Confirm", &ask.request);
        let signed = match self.dialogue.operator {
            Some(Operator::TranscriptForeign) => {
                self.dialogue.deviation("a signature over the transcript of another negotiation");
                keys::transcript_statement(RANK, &keys::transcript(&offered.offer, &[b"another".to_vec()]))
            }
            Some(Operator::TranscriptRank { rank }) => {
                self.dialogue.deviation(format!("a transcript signature in the name of rank {rank}"));
                keys::transcript_statement(*rank, &offered.transcript)
            }
            _ => keys::transcript_statement(RANK, &offered.transcript),
        };
        let mut signature = self.dialogue.me.signing.sign(&signed).to_bytes();
        if let Some(Operator::TranscriptFlip) = self.dialogue.operator {
            signature[0] ^= 1;
            self.dialogue.deviation("the lowest bit of the transcript signature's first byte");
        }
        self.reply("Confirm", ask.reply, Ok(ConfirmResponse { signature: signature.to_vec() }));
        Ok(())
    }

    /// Waits for the stream.
    pub(super) async fn exchange(&mut self, offered: &Offered) -> Flow<()> {
        let deadline = self.dialogue.world.deadline;
        let asked = self.next("Exchange", deadline).await?;
        let Asked::Exchange(ask) = asked else {
            self.too_late(asked);
            return Err(Stop::Told);
        };
        let (session, mut frames) = ask.request;
        self.dialogue.record.push(Event::Asked { call: "Exchange".into(), request: hex::encode(session.as_bytes()) });
        let (out, mut sealed) = mpsc::unbounded_channel::<Sealed>();
        let (answers, answered) = mpsc::unbounded_channel();
        let (sink, incoming) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some((header, body)) = sealed.recv().await {
                let frame = ExchangeResponse { header: header.into(), body: body.into() };
                if answers.send(Ok(frame)).is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let heard = match frames.message().await {
                    Ok(Some(frame)) => Incoming::Frame((frame.header.into(), frame.body.into())),
                    Ok(None) => Incoming::End,
                    Err(status) => Incoming::Refused(Box::new(status)),
                };
                let last = !matches!(heard, Incoming::Frame(_));
                if sink.send(heard).is_err() || last {
                    return;
                }
            }
        });
        let _ = ask.reply.send(Ok(UnboundedReceiverStream::new(answered)));
        self.dialogue.record.push(Event::Replied { call: "Exchange".into(), response: String::new(), code: None });
        let max_chunk = self.dialogue.record.snapshot().facts.max_chunk as usize;
        self.stream = Some(Stream::new(offered, (RANK, 0), None, max_chunk, out, incoming));
        Ok(())
    }

    /// Ends the session by an ERROR frame: the case goes no further.
    pub(super) async fn leave(&mut self) -> Flow<()> {
        self.error_frame("CANCELLED");
        Ok(())
    }

    /// Sends an ERROR frame.
    pub(super) fn error_frame(&mut self, name: &str) {
        let code = registry::errors().into_iter().find(|e| e.name == name).map_or(0, |e| e.code);
        let text = serde_json::json!({
            "code": code, "party": self.dialogue.me.id, "cause": "the suite ends this session", "next": "",
        });
        let mut payload = code.to_be_bytes().to_vec();
        crate::wire::lp(&mut payload, text.to_string().as_bytes());
        if let Some(stream) = self.stream.as_mut() {
            self.dialogue.send_frames(stream, message::ERROR, &payload);
        }
    }
}

/// Session id and ephemeral of an offer.
fn read(document: &Value) -> Option<([u8; 16], [u8; 32])> {
    let hex_of = |value: &Value| hex::decode(value.as_str()?).ok();
    let session = hex_of(&document["session"])?.try_into().ok()?;
    Some((session, hex_of(&document["parties"][0]["ephemeral"])?.try_into().ok()?))
}
