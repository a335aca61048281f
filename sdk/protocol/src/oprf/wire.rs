//! Payloads of unbalanced alignment that are no batches (spec/oprf.md, section 3).
use crate::align::ABSENT;
use crate::align::wire::message;
use crate::error::Blame;
use crate::{Error, Kind, Outgoing};
use hefu_core::{Code, Rank, Reader, Writer};
use hefu_crypto::ELEMENT_BYTES;
use hefu_crypto::oprf::check_element;

/// Refuses a number of keys above the limit, or above what positions can name (ALIGN-6).
fn check_size(count: u64, from: Rank, max_rows: u64) -> Result<u64, Error> {
    if count > max_rows.min(u64::from(ABSENT) - 1) {
        return Err(Error::peer(from, Code::TooManyRows, "ALIGN-6", "a party announces more rows than allowed"));
    }
    Ok(count)
}

pub(super) fn malformed(from: Rank, cause: &'static str) -> Error {
    Error::peer(from, Code::MalformedMessage, "OPRF-4", cause)
}

pub(super) fn wait_message(to: Rank, evaluated: u64, m: u64) -> Outgoing {
    message(to, Kind::OprfWait, Writer::new().u64(evaluated).u64(m).finish())
}

/// Reads OPRF_WAIT: keys evaluated, and keys in all.
pub(super) fn read_wait(payload: &[u8], from: Rank, max_rows: u64) -> Result<(u64, u64), Error> {
    let mut reader = Reader::new(payload);
    let (evaluated, m) = (reader.u64().blame(from)?, reader.u64().blame(from)?);
    reader.end().blame(from)?;
    Ok((evaluated, check_size(m, from, max_rows)?))
}

/// OPRF_EPOCH as it was read.
pub(super) struct EpochHead {
    pub(super) epoch: [u8; 32],
    pub(super) public: [u8; ELEMENT_BYTES],
    pub(super) m: u64,
}

pub(super) fn epoch_message(to: Rank, epoch: &[u8; 32], public: &[u8; ELEMENT_BYTES], m: u64) -> Outgoing {
    message(to, Kind::OprfEpoch, Writer::new().bytes(epoch).bytes(public).u64(m).finish())
}

/// Reads OPRF_EPOCH (OPRF-1, ALIGN-6).
pub(super) fn read_epoch(payload: &[u8], from: Rank, max_rows: u64) -> Result<EpochHead, Error> {
    let mut reader = Reader::new(payload);
    let (epoch, public) = (reader.array().blame(from)?, reader.array().blame(from)?);
    let m = reader.u64().blame(from)?;
    reader.end().blame(from)?;
    check_element(&public).map_err(|_| {
        Error::peer(from, Code::BadElement, "OPRF-1", "a public element is not canonical or is the identity")
    })?;
    Ok(EpochHead { epoch, public, m: check_size(m, from, max_rows)? })
}

pub(super) fn size_message(to: Rank, n: u64, holds: bool) -> Outgoing {
    message(to, Kind::OprfSize, Writer::new().u64(n).u8(u8::from(holds)).finish())
}

/// Reads OPRF_SIZE: keys to be evaluated, and whether the peer holds the set.
pub(super) fn read_size(payload: &[u8], from: Rank, max_rows: u64) -> Result<(u64, bool), Error> {
    let mut reader = Reader::new(payload);
    let (n, holds) = (reader.u64().blame(from)?, reader.u8().blame(from)?);
    reader.end().blame(from)?;
    if holds > 1 {
        return Err(malformed(from, "a size says neither that a set is held nor that it is not"));
    }
    Ok((check_size(n, from, max_rows)?, holds == 1))
}
