//! Payloads of alignment, and what follows from sizes alone.
pub(crate) use super::seen::Seen;
use crate::error::Blame;
use crate::session::Keys;
use crate::{Error, Kind, Message, Outgoing};
use hefu_core::{Code, Rank, Reader, Stage, Writer};
use hefu_crypto::{Blinder, ELEMENT_BYTES, Suite, sha256};

/// Elements of a batch; each batch but the last has exactly so many.
pub const BATCH_ELEMENTS: usize = 16_384;
/// The position of a row that the collaborator does not have.
pub const ABSENT: u32 = u32::MAX;

/// `DST` of section 2.
pub(super) fn domain_tag(keys: &Keys, collaborator: Rank) -> Vec<u8> {
    [
        b"hefu/1 align ".as_slice(),
        &Suite::Intl.number().to_be_bytes(),
        &collaborator.0.to_be_bytes(),
        &keys.transcript(),
    ]
    .concat()
}

/// Bytes of a tag, w of section 3.
pub(super) fn tag_bytes(n: u64, m: u64) -> usize {
    let bits = |k: u64| u64::BITS - k.leading_zeros();
    (40 + bits(n) + bits(m)).div_ceil(8).max(10) as usize
}

/// `tag(Q)` in full; callers keep the first w bytes.
pub(super) fn tag(keys: &Keys, collaborator: Rank, element: &[u8; ELEMENT_BYTES]) -> [u8; 32] {
    sha256(&[b"hefu/1 align tag", &keys.transcript(), &collaborator.0.to_be_bytes(), element])
}

pub(crate) fn message(to: Rank, kind: Kind, payload: Vec<u8>) -> Outgoing {
    Outgoing { to, message: Message { kind, stage: Stage::Align.number(), round: 0, payload } }
}

/// Refuses a message of another stage or round (FRAME-11).
pub(crate) fn check_place(message: &Message, from: Rank) -> Result<(), Error> {
    if message.stage == Stage::Align.number() && message.round == 0 { Ok(()) } else { Err(Error::unexpected(from)) }
}

pub(super) fn size_message(to: Rank, count: u64) -> Outgoing {
    message(to, Kind::AlignSize, Writer::new().u64(count).finish())
}

/// Reads ALIGN_SIZE.
pub(crate) fn read_size(payload: &[u8], from: Rank, max_rows: u64) -> Result<u64, Error> {
    let mut reader = Reader::new(payload);
    let count = reader.u64().blame(from)?;
    reader.end().blame(from)?;
    // Positions are 32 bits wide, and one value means absent.
    if count > max_rows.min(u64::from(ABSENT) - 1) {
        return Err(Error::peer(from, Code::TooManyRows, "ALIGN-6", "a party announces more rows than allowed"));
    }
    Ok(count)
}

/// A batch message of elements or tags that begin at index `first`.
pub(crate) fn batch_message<T: AsRef<[u8]>>(to: Rank, kind: Kind, first: usize, items: &[T], width: usize) -> Outgoing {
    let mut writer = Writer::with_capacity(4 + items.len() * width).u32(u32::try_from(first).unwrap_or(u32::MAX));
    for item in items {
        writer = writer.bytes(&item.as_ref()[..width]);
    }
    message(to, kind, writer.finish())
}

/// Follows contiguous batches of fixed-width items up to an announced total (ALIGN-4).
#[derive(Debug)]
pub(crate) struct Batches {
    from: Rank,
    width: usize,
    total: u64,
    received: u64,
}

impl Batches {
    pub(crate) fn new(from: Rank, width: usize, total: u64) -> Self {
        Batches { from, width, total, received: 0 }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.received == self.total
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The items of the next batch.
    pub(crate) fn read<'a>(&mut self, payload: &'a [u8]) -> Result<&'a [u8], Error> {
        let mut reader = Reader::new(payload);
        let first = u64::from(reader.u32().blame(self.from)?);
        let items = reader.rest();
        let expected = (self.total - self.received).min(BATCH_ELEMENTS as u64);
        if first != self.received || expected == 0 || items.len() as u64 != expected * self.width as u64 {
            let cause = "a batch is not the next one or has another length";
            return Err(Error::peer(self.from, Code::MalformedMessage, "ALIGN-4", cause));
        }
        self.received += expected;
        Ok(items)
    }
}

/// A peer's blinded elements as they come.
pub(crate) struct Elements {
    batches: Batches,
    seen: Seen,
}

impl Elements {
    pub(crate) fn new(from: Rank, total: u64) -> Self {
        Elements { batches: Batches::new(from, ELEMENT_BYTES, total), seen: Seen::default() }
    }

    /// How far they are.
    pub(crate) fn batches(&self) -> &Batches {
        &self.batches
    }

    /// Takes the next ALIGN_BLINDED; answers its elements times the own scalar (ALIGN-1 to ALIGN-4).
    pub(crate) fn take(&mut self, payload: &[u8], blinder: &Blinder) -> Result<Vec<[u8; ELEMENT_BYTES]>, Error> {
        let from = self.batches.from;
        let elements = self.batches.read(payload)?;
        self.seen.admit(elements, ELEMENT_BYTES, from, "ALIGN-3")?;
        blinder.blind(elements).blame(from)
    }
}
