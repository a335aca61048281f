//! Frames: sealing, cutting and checking (spec/frame.md).
use crate::error::Blame;
use crate::{Error, Kind, Message};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Rank, Reader, SessionId, Writer};
use hefu_crypto::{FrameKey, TAG_BYTES, sha256};
use std::collections::VecDeque;

/// Bytes of a frame header.
pub const HEADER_BYTES: usize = 64;
/// Frames of a sender whose digests are remembered (FRAME-8).
const REMEMBERED: usize = 1024;

/// What both sides hold frames to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest chunk, in bytes: 1 MiB by default, 2 MiB at most.
    pub max_chunk: u32,
    /// Largest message, in bytes.
    pub max_message: u64,
}

/// A parsed frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Message type number, not yet looked up.
    pub kind: u16,
    /// Who sealed the frame.
    pub sender: Rank,
    /// Who can open it.
    pub receiver: Rank,
    /// The session.
    pub session: SessionId,
    /// Stage number.
    pub stage: u32,
    /// Round within the stage.
    pub round: u32,
    /// Counter per (sender, receiver).
    pub sequence: u64,
    /// Index of the chunk in the message.
    pub chunk: u32,
    /// Chunks of the message.
    pub chunks: u32,
    /// Bytes of the message.
    pub message_bytes: u64,
    /// Bytes of the chunk.
    pub chunk_bytes: u32,
}

impl Header {
    /// Parses a header. `from` is whom to blame: the peer of the stream.
    ///
    /// # Errors
    /// `MALFORMED_FRAME` (FRAME-1).
    pub fn parse(bytes: &[u8], from: Rank) -> Result<Header, Error> {
        Self::read(bytes).ok_or(Error::peer(
            from,
            Code::MalformedFrame,
            "FRAME-1",
            "a frame header does not have its format",
        ))
    }

    fn read(bytes: &[u8]) -> Option<Header> {
        let mut reader = Reader::new(bytes);
        if bytes.len() != HEADER_BYTES || reader.u8().ok()? != 1 || reader.u8().ok()? != 0 {
            return None;
        }
        let header = Header {
            kind: reader.u16().ok()?,
            sender: Rank(reader.u16().ok()?),
            receiver: Rank(reader.u16().ok()?),
            session: SessionId(reader.array().ok()?),
            stage: reader.u32().ok()?,
            round: reader.u32().ok()?,
            sequence: reader.u64().ok()?,
            chunk: reader.u32().ok()?,
            chunks: reader.u32().ok()?,
            message_bytes: reader.u64().ok()?,
            chunk_bytes: reader.u32().ok()?,
        };
        (reader.u32().ok()? == 0 || is_on(Switch::IgnoresReservedBytes)).then_some(header)
    }

    /// The 64 bytes.
    pub fn encode(&self) -> Vec<u8> {
        Writer::with_capacity(HEADER_BYTES)
            .u8(1)
            .u8(0)
            .u16(self.kind)
            .u16(self.sender.0)
            .u16(self.receiver.0)
            .bytes(&self.session.0)
            .u32(self.stage)
            .u32(self.round)
            .u64(self.sequence)
            .u32(self.chunk)
            .u32(self.chunks)
            .u64(self.message_bytes)
            .u32(self.chunk_bytes)
            .u32(0)
            .finish()
    }
}

/// A sealed frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// 64 bytes.
    pub header: Vec<u8>,
    /// The sealed chunk, tag last.
    pub body: Vec<u8>,
}

impl Frame {
    /// The digest of header and tag, for evidence and repetition.
    pub fn digest(header: &[u8], body: &[u8]) -> [u8; 32] {
        sha256(&[header, &body[body.len().saturating_sub(TAG_BYTES)..]])
    }
}

/// Seals one rank's messages to another.
#[derive(Debug)]
pub struct Sealer {
    key: FrameKey,
    session: SessionId,
    from: Rank,
    to: Rank,
    max_chunk: u32,
    sequence: u64,
}

impl Sealer {
    /// A sealer that starts at sequence 0.
    pub fn new(key: FrameKey, session: SessionId, from: Rank, to: Rank, max_chunk: u32) -> Self {
        Sealer { key, session, from, to, max_chunk: max_chunk.max(1), sequence: 0 }
    }

    /// Cuts a message into frames and seals them.
    ///
    /// # Errors
    /// As [`Sealer::frames`].
    pub fn seal(&mut self, message: &Message) -> Result<Vec<Frame>, Error> {
        self.frames(message)?.collect()
    }

    /// The frames of a message, each sealed when it is asked for: a long message needs no second copy of itself.
    /// Whoever
    /// stops before the last one has broken the message, and nothing that is sealed after it can be read.
    ///
    /// # Errors
    /// `MESSAGE_TOO_LARGE` for a message of more than 2^32 − 1 chunks.
    pub fn frames(&mut self, message: &Message) -> Result<impl ExactSizeIterator<Item = Result<Frame, Error>>, Error> {
        self.frames_into(message, Vec::new)
    }

    /// The same, each sealed into a vector that `space` hands out: one that was used before saves the system the work
    /// of
    /// fresh memory.
    ///
    /// # Errors
    /// As [`Sealer::frames`].
    pub fn frames_into(
        &mut self,
        message: &Message,
        mut space: impl FnMut() -> Vec<u8>,
    ) -> Result<impl ExactSizeIterator<Item = Result<Frame, Error>>, Error> {
        let count = message.payload.len().div_ceil(self.max_chunk as usize).max(1);
        let chunks = u32::try_from(count)
            .map_err(|_| Error::job(Code::MessageTooLarge, "FRAME-5", "a message has too many chunks"))?;
        Ok((0..chunks).map(move |chunk| self.frame(message, chunk, chunks, space())))
    }

    fn frame(&mut self, message: &Message, chunk: u32, chunks: u32, mut body: Vec<u8>) -> Result<Frame, Error> {
        let size = self.max_chunk as usize;
        let start = (chunk as usize * size).min(message.payload.len());
        let end = (start + size).min(message.payload.len());
        let piece = &message.payload[start..end];
        let header = Header {
            kind: message.kind.number(),
            sender: self.from,
            receiver: self.to,
            session: self.session,
            stage: message.stage,
            round: message.round,
            sequence: self.sequence,
            chunk,
            chunks,
            message_bytes: message.payload.len() as u64,
            chunk_bytes: u32::try_from(piece.len()).unwrap_or(u32::MAX),
        }
        .encode();
        self.key.seal_into(self.sequence, &header, piece, &mut body).blame(self.from)?;
        self.sequence += 1;
        Ok(Frame { header, body })
    }
}

/// A message whose last chunk has not come.
#[derive(Debug)]
struct Partial {
    first: Header,
    payload: Vec<u8>,
    next_chunk: u32,
}

impl Partial {
    fn new(first: Header) -> Self {
        // Its length was held to the limit. Memory that the system does not give now is asked for as chunks come.
        let mut payload = Vec::new();
        let _ = payload.try_reserve_exact(usize::try_from(first.message_bytes).unwrap_or(0));
        Partial { first, payload, next_chunk: 0 }
    }
}

/// Checks and opens one rank's frames to another, in the order of spec/frame.md, section 2.
#[derive(Debug)]
pub struct Opener {
    key: FrameKey,
    session: SessionId,
    from: Rank,
    to: Rank,
    limits: Limits,
    next_sequence: u64,
    digests: VecDeque<[u8; 32]>,
    partial: Option<Partial>,
}

impl Opener {
    /// An opener that expects sequence 0.
    pub fn new(key: FrameKey, session: SessionId, from: Rank, to: Rank, limits: Limits) -> Self {
        let digests = VecDeque::new();
        Opener { key, session, from, to, limits, next_sequence: 0, digests, partial: None }
    }

    fn refuse(&self, code: Code, requirement: &'static str, cause: &'static str) -> Error {
        Error::peer(self.from, code, requirement, cause)
    }

    /// Takes a frame; answers a message when its last chunk has come, `None` before that or where a frame is repeated.
    ///
    /// # Errors
    /// FRAME-1 to FRAME-11, as the requirement says; the session is over.
    pub fn open(&mut self, header: &[u8], body: impl AsRef<[u8]>) -> Result<Option<Message>, Error> {
        let body = body.as_ref();
        let parsed = Header::parse(header, self.from)?;
        self.check_route(&parsed)?;
        self.check_size(&parsed, body.len())?;
        self.check_cut(&parsed)?;
        let digest = Frame::digest(header, body);
        if parsed.sequence < self.next_sequence {
            return self.check_repeated(parsed.sequence, digest).map(|()| None);
        }
        if parsed.sequence > self.next_sequence && !is_on(Switch::AcceptsGap) {
            return Err(self.refuse(Code::OutOfOrder, "FRAME-9", "a frame is missing"));
        }
        self.check_next(&parsed)?;
        let mut partial = self.partial.take().unwrap_or_else(|| Partial::new(parsed));
        self.key.open(parsed.sequence, header, body, &mut partial.payload).blame(self.from)?;
        let kind = Kind::from_number(parsed.kind).ok_or(self.refuse(
            Code::UnexpectedMessage,
            "FRAME-11",
            "a message type is not registered",
        ))?;
        self.next_sequence = parsed.sequence + 1;
        if self.digests.len() == REMEMBERED {
            self.digests.pop_front();
        }
        self.digests.push_back(digest);
        partial.next_chunk += 1;
        if partial.next_chunk < parsed.chunks {
            self.partial = Some(partial);
            return Ok(None);
        }
        Ok(Some(Message { kind, stage: parsed.stage, round: parsed.round, payload: partial.payload }))
    }

    /// How far this direction is.
    pub fn standing(&self) -> Standing {
        Standing { frames: self.next_sequence, begun: self.partial.as_ref().map(|partial| partial.first.message_bytes) }
    }

    fn check_route(&self, header: &Header) -> Result<(), Error> {
        if header.session != self.session {
            return Err(self.refuse(Code::UnknownSession, "FRAME-2", "a frame names another session"));
        }
        if header.sender != self.from {
            return Err(self.refuse(Code::WrongParty, "FRAME-3", "a frame claims another sender"));
        }
        if header.receiver != self.to {
            return Err(self.refuse(Code::WrongParty, "FRAME-4", "a frame is meant for another receiver"));
        }
        Ok(())
    }

    fn check_size(&self, header: &Header, body_bytes: usize) -> Result<(), Error> {
        if header.message_bytes > self.limits.max_message && !is_on(Switch::NoLengthCap) {
            return Err(self.refuse(Code::MessageTooLarge, "FRAME-5", "a message exceeds the negotiated size"));
        }
        if header.chunk_bytes > self.limits.max_chunk || body_bytes != header.chunk_bytes as usize + TAG_BYTES {
            return Err(self.refuse(Code::MalformedFrame, "FRAME-6", "a chunk does not have its length"));
        }
        Ok(())
    }

    fn check_repeated(&self, sequence: u64, digest: [u8; 32]) -> Result<(), Error> {
        let age = usize::try_from(self.next_sequence - sequence).unwrap_or(usize::MAX);
        let known = self.digests.len().checked_sub(age).and_then(|index| self.digests.get(index));
        if known == Some(&digest) || is_on(Switch::IgnoresConflict) {
            return Ok(());
        }
        Err(self.refuse(Code::Conflict, "FRAME-8", "a sequence number came twice with different content"))
    }

    /// The part of FRAME-7 that one header decides.
    fn check_cut(&self, header: &Header) -> Result<(), Error> {
        let size = u64::from(self.limits.max_chunk.max(1));
        let chunks = header.message_bytes.div_ceil(size).max(1);
        let start = u64::from(header.chunk) * size;
        let expected = header.message_bytes.saturating_sub(start).min(size);
        let fits = u64::from(header.chunks) == chunks
            && header.chunk < header.chunks
            && u64::from(header.chunk_bytes) == expected;
        if fits {
            return Ok(());
        }
        Err(self.refuse(Code::MalformedFrame, "FRAME-7", "a chunk does not follow from its message's length"))
    }

    /// The part of FRAME-7 that compares a frame with the next sequence with those before it.
    fn check_next(&self, header: &Header) -> Result<(), Error> {
        let follows = match &self.partial {
            None => header.chunk == 0,
            Some(partial) => {
                let first = &partial.first;
                header.chunk == partial.next_chunk
                    && (header.kind, header.stage, header.round) == (first.kind, first.stage, first.round)
                    && (header.chunks, header.message_bytes) == (first.chunks, first.message_bytes)
            }
        };
        if follows {
            return Ok(());
        }
        Err(self.refuse(Code::MalformedFrame, "FRAME-7", "a chunk does not follow from the one before"))
    }
}

/// How far one direction between two ranks is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Frames taken, repetitions not counted.
    pub frames: u64,
    /// Length in bytes of the message of which chunks have come, and more must.
    pub begun: Option<u64>,
}

/// Takes the frames of one link: those of its peer and, where that is the initiator, those that it relays.
#[derive(Debug)]
pub struct Receiver {
    session: SessionId,
    own: Rank,
    peer: Rank,
    /// By sender rank.
    openers: Vec<Option<Opener>>,
}

impl Receiver {
    /// A receiver of rank `own` on the link of `peer`. `openers` are by sender rank; none at the own one.
    pub fn new(session: SessionId, own: Rank, peer: Rank, openers: Vec<Option<Opener>>) -> Self {
        Receiver { session, own, peer, openers }
    }

    /// Reads whose frame this is and for whom: an initiator relays what is not for itself, without opening it.
    ///
    /// # Errors
    /// FRAME-1 to FRAME-3.
    pub fn route(&self, header: &[u8]) -> Result<Header, Error> {
        let header = Header::parse(header, self.peer)?;
        if header.session != self.session {
            return Err(Error::peer(self.peer, Code::UnknownSession, "FRAME-2", "a frame names another session"));
        }
        let known = matches!(self.openers.get(header.sender.index()), Some(Some(_))) && header.sender != self.own;
        if !known || (header.sender != self.peer && self.peer != Rank::INITIATOR) {
            return Err(Error::peer(self.peer, Code::WrongParty, "FRAME-3", "a frame claims another sender"));
        }
        Ok(header)
    }

    /// Takes a frame for the own rank; answers a message and its sender when the last chunk has come.
    ///
    /// # Errors
    /// FRAME-1 to FRAME-11; the session is over.
    pub fn open(&mut self, header: &[u8], body: impl AsRef<[u8]>) -> Result<Option<(Rank, Message)>, Error> {
        let sender = self.route(header)?.sender;
        match self.openers.get_mut(sender.index()) {
            Some(Some(opener)) => Ok(opener.open(header, body)?.map(|message| (sender, message))),
            _ => Ok(None),
        }
    }

    /// How far the direction from `sender` is; `None` for a rank without an opener.
    pub fn standing(&self, sender: Rank) -> Option<Standing> {
        self.openers.get(sender.index())?.as_ref().map(Opener::standing)
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
#[cfg(test)]
#[path = "../tests/vectors/frame.rs"]
mod vectors;
