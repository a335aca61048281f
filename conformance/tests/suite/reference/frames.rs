//! Frames of the reference target: the checks of frame section 2, in their order.

use std::collections::HashMap;
use std::sync::Arc;

use hefu_conformance::wire::frame::{self, Header, TAG};
use hefu_conformance::wire::{detail, h, keys, message};
use hefu_proto::v1::{ExchangeRequest, ExchangeResponse};
use tokio::sync::mpsc::Sender;
use tonic::{Status, Streaming};

use super::align::Aligner;
use super::train::Trainer;
use super::{IDLE, Node, Session, refuse};

/// Largest message of the target, in bytes.
pub(super) const MAX_MESSAGE: u64 = 64 << 20;

/// What one direction of a stream has received.
pub(super) struct Receiver {
    node: Arc<Node>,
    id: [u8; 16],
    /// The peer's rank and one's own.
    ranks: (u16, u16),
    max_chunk: u64,
    key: [u8; 32],
    next: u64,
    digests: HashMap<u64, [u8; 32]>,
    partial: Option<(Header, Vec<u8>)>,
    /// Stage and round of the last whole message.
    place: (u32, u32),
}

/// Talks until alignment is done.
pub(super) async fn talk(
    node: &Arc<Node>,
    id: [u8; 16],
    session: &Session,
    frames: &mut Streaming<ExchangeRequest>,
    sink: &Sender<Result<ExchangeResponse, Status>>,
) -> Result<(), Status> {
    let transcript = keys::transcript(&session.offer, std::slice::from_ref(&session.confirm));
    let pair = keys::Pair::new(&transcript, &session.secret, &session.peer);
    let key = pair.frame_key(0, 1);
    let mut receiver = Receiver::new(node.clone(), id, (0, 1), session.max_chunk as u64, key);
    let seal_key = pair.frame_key(1, 0);
    let mut sequence = 0;
    let mut aligner = Aligner::new(node.clone(), session, transcript);
    let mut trainer: Option<Trainer> = None;
    let mut send = async |kind, (stage, round), payload: Vec<u8>| {
        let chunk = if node.has("sends-one-large-chunk") { payload.len() } else { session.max_chunk };
        let place = (kind, stage, round);
        for (header, body) in seal_at(&seal_key, (1, 0), id, &mut sequence, place, &payload, chunk) {
            let out = ExchangeResponse { header: header.into(), body: body.into() };
            sink.send(Ok(out)).await.map_err(|_| refuse("LINK_CUT"))?;
        }
        Ok::<_, Status>(())
    };
    loop {
        let idle = if node.has("waits-for-ever") { IDLE * 1000 } else { IDLE };
        let frame = tokio::time::timeout(idle, frames.message()).await.map_err(|_| refuse("PEER_SLOW"))?;
        let frame = frame?.ok_or_else(|| refuse("LINK_CUT"))?;
        let answers = match receiver.take(&frame.header, &frame.body) {
            Ok(None) => continue,
            Ok(Some((kind, payload))) => match &mut trainer {
                Some(trainer) => tokio::task::block_in_place(|| trainer.take(receiver.place, kind, &payload)),
                None => {
                    let out = aligner.take(kind, &payload);
                    out.map(|out| out.into_iter().map(|(kind, payload)| (kind, 1, 0, payload)).collect())
                }
            },
            Err(status) => Err(status),
        };
        let answers = match answers {
            Ok(mut out) if trainer.is_none() && aligner.done() && session.training.is_some() => {
                let begun = begin(node, session, transcript, &aligner);
                begun.map(|(made, first)| {
                    trainer = Some(made);
                    out.extend(first);
                    out
                })
            }
            answers => answers,
        };
        if let (Err(status), true) = (&answers, node.has("benign-error-frame")) {
            send(message::ERROR, (1, 0), error_payload(status)).await?;
        }
        for (kind, stage, round, payload) in answers? {
            if node.has("benign-slow") {
                tokio::time::sleep(std::time::Duration::from_millis(15)).await;
            }
            send(kind, (stage, round), payload).await?;
        }
        if trainer.as_ref().map_or(aligner.done(), Trainer::done) {
            return Ok(());
        }
    }
}

/// The content of an ERROR frame for a refusal.
pub(super) fn error_payload(status: &Status) -> Vec<u8> {
    let code = detail::decode(status.details()).map_or(0, |detail| detail.code);
    let mut out = code.to_be_bytes().to_vec();
    let text = serde_json::json!({ "code": code, "party": "", "cause": "refused", "next": "" }).to_string();
    hefu_conformance::wire::lp(&mut out, text.as_bytes());
    out
}

/// The target's part of a training, once alignment is done.
fn begin(
    node: &Arc<Node>,
    session: &Session,
    transcript: [u8; 32],
    aligner: &Aligner,
) -> Result<(Trainer, super::train::Out), Status> {
    let cells = &node.cells[&session.dataset];
    let rows: Vec<Option<Vec<f64>>> =
        aligner.job().into_iter().map(|key| key.and_then(|key| cells.get(key).cloned())).collect();
    let plan = session.training.clone().unwrap_or_default();
    Trainer::new(node.clone(), transcript, plan, &rows, aligner.training)
}

pub(super) fn seal(
    key: &[u8; 32],
    ranks: (u16, u16),
    session: [u8; 16],
    sequence: &mut u64,
    kind: u16,
    payload: &[u8],
    max_chunk: usize,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    seal_at(key, ranks, session, sequence, (kind, 1, 0), payload, max_chunk)
}

/// Frames of a message; `place` is its type, stage and round.
fn seal_at(
    key: &[u8; 32],
    ranks: (u16, u16),
    session: [u8; 16],
    sequence: &mut u64,
    (kind, stage, round): (u16, u32, u32),
    payload: &[u8],
    max_chunk: usize,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let chunks = frame::chunks(payload, max_chunk);
    let count = chunks.len() as u32;
    let mut out = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let header = Header {
            version: 1,
            flags: 0,
            kind,
            from: ranks.0,
            to: ranks.1,
            session,
            stage,
            round,
            sequence: *sequence,
            chunk: index as u32,
            chunks: count,
            length: payload.len() as u64,
            chunk_length: chunk.len() as u32,
            reserved: 0,
        }
        .encode();
        out.push((header.to_vec(), frame::seal(key, &header, *sequence, chunk)));
        *sequence += 1;
    }
    out
}

impl Receiver {
    pub(super) fn new(node: Arc<Node>, id: [u8; 16], ranks: (u16, u16), max_chunk: u64, key: [u8; 32]) -> Receiver {
        Receiver { node, id, ranks, max_chunk, key, next: 0, digests: HashMap::new(), partial: None, place: (0, 0) }
    }

    /// The message that a frame completes, if it does.
    pub(super) fn take(&mut self, bytes: &[u8], body: &[u8]) -> Result<Option<(u16, Vec<u8>)>, Status> {
        let header = self.header(bytes, body)?;
        let digest = h(&[bytes, &body[body.len() - TAG..]]);
        if header.sequence < self.next {
            let same = self.digests.get(&header.sequence) == Some(&digest);
            return match same {
                true if self.node.has("refuses-repetition") => Err(refuse("CONFLICT")),
                false if !self.node.has("ignores-conflict") => Err(refuse("CONFLICT")),
                _ => Ok(None),
            };
        }
        if header.sequence > self.next && !self.node.has("accepts-gap") {
            return Err(refuse("OUT_OF_ORDER"));
        }
        self.shape(&header)?;
        let wrong = if self.node.has("bad-seal-is-malformed") { "MALFORMED_FRAME" } else { "BAD_SEAL" };
        let chunk = frame::open(&self.key, bytes, header.sequence, body).ok_or_else(|| refuse(wrong))?;
        self.digests.insert(header.sequence, digest);
        self.next = header.sequence + 1;
        let (first, mut payload) = self.partial.take().unwrap_or((header.clone(), Vec::new()));
        payload.extend(chunk);
        if header.chunk + 1 < header.chunks && !self.node.has("ignores-chunk-count") {
            self.partial = Some((first, payload));
            return Ok(None);
        }
        self.place = (header.stage, header.round);
        Ok(Some((header.kind, payload)))
    }

    fn header(&self, bytes: &[u8], body: &[u8]) -> Result<Header, Status> {
        let malformed = || refuse("MALFORMED_FRAME");
        let header = Header::decode(bytes).ok_or_else(malformed)?;
        let reserved = header.reserved != 0 && !self.node.has("ignores-reserved-bytes");
        if header.version != 1 || header.flags != 0 || reserved {
            return Err(malformed());
        }
        if header.session != self.id && !self.node.has("ignores-frame-session") {
            return Err(refuse("UNKNOWN_SESSION"));
        }
        if (header.from != self.ranks.0 && !self.node.has("ignores-sender-rank"))
            || (header.to != self.ranks.1 && !self.node.has("ignores-receiver-rank"))
        {
            return Err(refuse("WRONG_PARTY"));
        }
        if header.length > MAX_MESSAGE && !self.node.has("no-length-cap") {
            return Err(refuse("MESSAGE_TOO_LARGE"));
        }
        let above = u64::from(header.chunk_length) > self.max_chunk && !self.node.has("no-chunk-cap");
        if above || body.len() != header.chunk_length as usize + TAG {
            return Err(malformed());
        }
        Ok(header)
    }

    /// FRAME-7; a target without this check or without the caps before it takes what comes.
    fn shape(&self, header: &Header) -> Result<(), Status> {
        if ["ignores-chunk-count", "no-chunk-cap", "no-length-cap"].iter().any(|fault| self.node.has(fault)) {
            return Ok(());
        }
        let count = header.length.div_ceil(self.max_chunk).max(1);
        let offset = u64::from(header.chunk) * self.max_chunk;
        let length = header.length.saturating_sub(offset).min(self.max_chunk);
        let fits = u64::from(header.chunks) == count
            && u64::from(header.chunk) < count
            && u64::from(header.chunk_length) == length;
        let follows = match &self.partial {
            None => header.chunk == 0,
            Some((first, payload)) => {
                (first.kind, first.stage, first.round, first.chunks, first.length)
                    == (header.kind, header.stage, header.round, header.chunks, header.length)
                    && payload.len() as u64 == offset
            }
        };
        if fits && follows { Ok(()) } else { Err(refuse("MALFORMED_FRAME")) }
    }
}
