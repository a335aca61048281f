//! The stream of frames (frame sections 1 and 2), as the case alters them.

use std::time::Duration;

use hefu_proto::v1::ExchangeRequest;
use hefu_proto::v1::channel_service_client::ChannelServiceClient;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Status};

use super::session::Offered;
use super::{Dialogue, Flow, Stop};
use crate::case::Operator;
use crate::connect::Link;
use crate::transcript::Event;
use crate::wire::frame::{self, Header, TAG};
use crate::wire::{keys, message};

/// Header and body of one frame.
pub(super) type Sealed = (Vec<u8>, Vec<u8>);

/// What comes from the target.
pub(super) enum Incoming {
    Frame(Sealed),
    Refused(Box<Status>),
    End,
}

/// One open stream and its keys.
pub(super) struct Stream {
    out: mpsc::UnboundedSender<Sealed>,
    incoming: mpsc::UnboundedReceiver<Incoming>,
    /// The connection below, where the suite dialled.
    link: Option<Link>,
    /// The suite's rank and the target's.
    ranks: (u16, u16),
    seal_key: [u8; 32],
    open_key: [u8; 32],
    session: [u8; 16],
    max_chunk: usize,
    sequence: u64,
    partial: Vec<u8>,
    ended: bool,
    /// Stage and round of what is sent next.
    pub(super) place: (u32, u32),
    /// What the target sends another rank of the suite's, over the same stream.
    pub(super) relay: Option<Box<Stream>>,
    /// Receiver of the last whole message.
    pub(super) receiver: u16,
}

impl Stream {
    /// A stream under the keys of a session; `ranks` are the suite's and the target's.
    pub(super) fn new(
        offered: &Offered,
        ranks: (u16, u16),
        link: Option<Link>,
        max_chunk: usize,
        out: mpsc::UnboundedSender<Sealed>,
        incoming: mpsc::UnboundedReceiver<Incoming>,
    ) -> Stream {
        let pair = keys::Pair::new(&offered.transcript, &offered.ephemeral, &offered.peer_ephemeral);
        Stream {
            out,
            incoming,
            link,
            ranks,
            seal_key: pair.frame_key(ranks.0, ranks.1),
            open_key: pair.frame_key(ranks.1, ranks.0),
            session: offered.session,
            max_chunk,
            sequence: 0,
            partial: Vec::new(),
            ended: false,
            place: (1, 0),
            relay: None,
            receiver: ranks.0,
        }
    }

    /// The frames of another rank of the suite's over this stream.
    pub(super) fn lane(&self, offered: &Offered, ranks: (u16, u16)) -> Stream {
        Stream::new(offered, ranks, self.link.clone(), self.max_chunk, self.out.clone(), mpsc::unbounded_channel().1)
    }

    /// Whether the target, or the suite, has ended it.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    fn header(&self, kind: u16, chunk: (usize, u32), length: usize, chunk_length: usize) -> Header {
        Header {
            version: 1,
            flags: 0,
            kind,
            from: self.ranks.0,
            to: self.ranks.1,
            session: self.session,
            stage: self.place.0,
            round: self.place.1,
            sequence: self.sequence,
            chunk: chunk.0 as u32,
            chunks: chunk.1,
            length: length as u64,
            chunk_length: chunk_length as u32,
            reserved: 0,
        }
    }
}

impl Dialogue<'_> {
    /// Opens the stream of a session; the answer's headers are not waited for.
    pub(super) fn exchange(&self, link: &Link, offered: &Offered) -> Stream {
        let (out, requests) = mpsc::unbounded_channel();
        let (sink, incoming) = mpsc::unbounded_channel();
        let requests = UnboundedReceiverStream::new(requests)
            .map(|(header, body): Sealed| ExchangeRequest { header: header.into(), body: body.into() });
        let mut request = Request::new(requests);
        if let Ok(value) = hex::encode(offered.session).parse() {
            request.metadata_mut().insert("hefu-session", value);
        }
        let channel = link.channel.clone();
        tokio::spawn(async move {
            let mut client = ChannelServiceClient::new(channel).max_decoding_message_size(16 << 20);
            let mut stream = match client.exchange(request).await {
                Ok(response) => response.into_inner(),
                Err(status) => return sink.send(Incoming::Refused(Box::new(status))),
            };
            loop {
                match stream.message().await {
                    Ok(Some(frame)) => sink.send(Incoming::Frame((frame.header.into(), frame.body.into())))?,
                    Ok(None) => return sink.send(Incoming::End),
                    Err(status) => return sink.send(Incoming::Refused(Box::new(status))),
                }
            }
        });
        Stream::new(offered, (0, offered.rank()), Some(link.clone()), self.max_chunk() as usize, out, incoming)
    }

    /// Sends a message, altered as the case says, in frames.
    pub(super) async fn send(&self, stream: &mut Stream, kind: u16, batch: usize, mut payload: Vec<u8>) -> Flow<()> {
        match self.operator {
            Some(Operator::Silence { message }) if message::kind(message) == Some(kind) => {
                return self.fall_silent(stream, message).await;
            }
            Some(Operator::Insert { before, kind: other, payload })
                if message::kind(before) == Some(kind) && batch == 0 =>
            {
                self.deviation(format!("{} {payload} before {before}", message::name(*other)));
                self.send_frames(stream, *other, &hex::decode(payload).unwrap_or_default());
            }
            _ => {}
        }
        if let Some(what) = self.alter_payload(kind, batch, &mut payload) {
            self.deviation(what);
        }
        self.send_frames(stream, kind, &payload);
        Ok(())
    }

    pub(super) fn send_frames(&self, stream: &mut Stream, kind: u16, payload: &[u8]) {
        let mut chunks = frame::chunks(payload, stream.max_chunk);
        if let Some(Operator::ChunkAbove { message }) = self.operator
            && message::kind(message) == Some(kind)
        {
            // The first chunk takes one byte of the second.
            let moved = if chunks.len() > 1 { chunks[1].remove(0) } else { 0 };
            chunks[0].push(moved);
            self.deviation(format!(
                "{message}: a chunk of {} bytes, {} are negotiated",
                chunks[0].len(),
                stream.max_chunk
            ));
        }
        if let Some(Operator::Skip { message }) = self.operator
            && message::kind(message) == Some(kind)
        {
            self.deviation(format!("{message}: sequence {} in place of {}", stream.sequence + 1, stream.sequence));
            stream.sequence += 1;
        }
        let count = chunks.len() as u32;
        for (index, chunk) in chunks.into_iter().enumerate() {
            let header = stream.header(kind, (index, count), payload.len(), chunk.len());
            stream.sequence += 1;
            self.send_frame(stream, header.clone(), &chunk);
            self.repeat(stream, &header, chunk);
        }
    }

    fn send_frame(&self, stream: &Stream, mut header: Header, chunk: &[u8]) {
        let named = header.clone();
        let (bytes, told) = self.alter_header(&mut header);
        let mut body = frame::seal(&stream.seal_key, &bytes, header.sequence, chunk);
        if let Some(what) = told.or_else(|| self.alter_body(&named, &mut body)) {
            self.deviation(what);
        }
        self.record.push(Event::FrameSent {
            kind: message::name(named.kind),
            header: hex::encode(&bytes),
            chunk: shown(chunk),
        });
        // A stream that has ended is noticed when reading.
        let _ = stream.out.send((bytes, body));
    }

    fn repeat(&self, stream: &Stream, header: &Header, mut chunk: Vec<u8>) {
        let Some(Operator::Repeat { message, altered }) = self.operator else { return };
        if message::kind(message) != Some(header.kind) {
            return;
        }
        if let (true, Some(last)) = (*altered, chunk.last_mut()) {
            *last ^= 1;
        }
        self.deviation(format!("{message}: sequence {} again, altered: {altered}", header.sequence));
        self.send_frame(stream, header.clone(), &chunk);
    }

    /// The next whole message of the target.
    pub(super) async fn receive(
        &self,
        stream: &mut Stream,
        waiting_for: &str,
        deadline: Duration,
    ) -> Flow<(u16, Vec<u8>)> {
        loop {
            let Some(incoming) = next(stream, deadline).await else {
                return Err(self.silence(waiting_for, deadline));
            };
            if let Some((kind, payload)) = self.take(stream, incoming)? {
                if kind == message::ERROR {
                    self.told_error(stream, &payload).await;
                    return Err(Stop::Told);
                }
                return Ok((kind, payload));
            }
        }
    }

    /// As [`Dialogue::receive`], for a caller that looks elsewhere meanwhile: `None` where nothing came in time.
    pub(super) async fn try_receive(&self, stream: &mut Stream, time: Duration) -> Flow<Option<(u16, Vec<u8>)>> {
        loop {
            if stream.ended {
                return Err(Stop::Told);
            }
            let Some(incoming) = next(stream, time).await else { return Ok(None) };
            match self.take(stream, incoming)? {
                Some((message::ERROR, payload)) => {
                    self.told_error(stream, &payload).await;
                    return Err(Stop::Told);
                }
                Some(heard) => return Ok(Some(heard)),
                None => {}
            }
        }
    }

    /// A message that is there already.
    pub(super) fn peek(&self, stream: &mut Stream) -> Flow<Option<(u16, Vec<u8>)>> {
        while let Ok(incoming) = stream.incoming.try_recv() {
            if stream.ended {
                break;
            }
            if let Some(message) = self.take(stream, incoming)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn take(&self, stream: &mut Stream, incoming: Incoming) -> Flow<Option<(u16, Vec<u8>)>> {
        let (header_bytes, body) = match incoming {
            Incoming::Frame(frame) => frame,
            Incoming::End => {
                stream.ended = true;
                self.record.push(Event::StreamEnded);
                return Err(Stop::Told);
            }
            Incoming::Refused(status) => {
                stream.ended = true;
                return Err(self.refused(stream.link.as_ref(), "Exchange", &status));
            }
        };
        let header = Header::decode(&header_bytes);
        let to = header.as_ref().map_or(0, |h| h.to);
        let lane = match &mut stream.relay {
            Some(relay) if relay.ranks.0 == to => relay,
            _ => &mut *stream,
        };
        let chunk = header.as_ref().and_then(|h| frame::open(&lane.open_key, &header_bytes, h.sequence, &body));
        self.record.push(Event::FrameReceived {
            header: hex::encode(&header_bytes),
            chunk: chunk.as_ref().map(hex::encode),
            body_length: body.len(),
        });
        let (Some(header), Some(chunk)) = (header, chunk) else { return Err(Stop::Told) };
        debug_assert_eq!(chunk.len() + TAG, body.len());
        lane.partial.extend_from_slice(&chunk);
        if header.chunk + 1 < header.chunks {
            return Ok(None);
        }
        let payload = std::mem::take(&mut lane.partial);
        stream.receiver = to;
        Ok(Some((header.kind, payload)))
    }

    /// Writes an ERROR frame down as the refusal that it is, then listens a little for what must not follow.
    pub(super) async fn told_error(&self, stream: &mut Stream, payload: &[u8]) {
        let read = message::read_error(payload);
        let text = read.as_ref().map_or_else(|| hex::encode(payload), |(_, json)| json.to_string());
        self.record.push(Event::Refused {
            by: "ERROR frame".into(),
            grpc: 0,
            code: read.map(|(code, _)| code),
            name: String::new(),
            requirement: String::new(),
            text,
        });
        let grace = (self.world.round_trip * 20).max(Duration::from_millis(20));
        while let Some(incoming) = next(stream, grace).await {
            if self.take(stream, incoming).is_err() {
                break;
            }
        }
    }

    /// Sends nothing and listens until the declared idle time is well over.
    async fn fall_silent(&self, stream: &mut Stream, message: &str) -> Flow<()> {
        let idle = Duration::from_millis(self.world.limits.idle_timeout_ms);
        self.deviation(format!("silence in place of {message}; the declared idle time is {} ms", idle.as_millis()));
        let end = tokio::time::Instant::now() + idle * 2 + self.world.deadline;
        loop {
            let rest = end.saturating_duration_since(tokio::time::Instant::now());
            self.receive(stream, "the end of the idle time", rest).await?;
        }
    }

    pub(super) async fn frame_before_confirm(&mut self, link: &Link, offered: &Offered) -> Flow<()> {
        let mut stream = self.exchange(link, offered);
        self.deviation("ALIGN_SIZE before Confirm");
        self.send_frames(&mut stream, message::SIZE, &message::size(1));
        // Any message is an acceptance: it is written down, and nothing more is to be learnt.
        self.receive(&mut stream, "a refusal", self.world.deadline).await.and(Err(Stop::Told))
    }

    /// Opens a stream on somebody else's session; only a refusal lets the dialogue go on.
    pub(super) async fn strangers_exchange(&self, link: &Link, offered: &Offered) -> Flow<()> {
        let mut stream = self.exchange(link, offered);
        let header = stream.header(message::SIZE, (0, 1), 8, 8);
        self.send_frame(&stream, header, &message::size(1));
        let answer = self.receive(&mut stream, "a refusal", self.world.deadline).await;
        self.expect_refusal(answer)
    }
}

async fn next(stream: &mut Stream, deadline: Duration) -> Option<Incoming> {
    if stream.ended {
        return None;
    }
    tokio::time::timeout(deadline, stream.incoming.recv()).await.ok().flatten()
}

/// A chunk as the evidence keeps it: what the suite made itself and nobody reads again only by its digest.
fn shown(chunk: &[u8]) -> String {
    if chunk.len() <= 16_384 { hex::encode(chunk) } else { format!("sha256:{}", hex::encode(crate::wire::h(&[chunk]))) }
}
