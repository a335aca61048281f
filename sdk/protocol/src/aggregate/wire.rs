//! Payloads of section 4.
use crate::error::Blame;
use crate::{Error, Kind, Message, Outgoing};
use hefu_core::{Code, Malformed, Rank, Reader, Stage, Writer};
use zeroize::Zeroizing;

/// Bytes of an Ed25519 signature.
pub(super) const SIGNATURE_BYTES: usize = 64;
/// Bytes of two sealed shares.
pub(super) const SEALED_BYTES: usize = 80;

/// An Ed25519 signature.
pub(super) type Signature = [u8; SIGNATURE_BYTES];

/// One sealed pair of shares: from a rank to a neighbour, under the name of the other one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// In SHARES the receiver, in SHARED the sender.
    pub(super) rank: Rank,
    /// Share of b ‖ share of s.
    pub(super) sealed: [u8; SEALED_BYTES],
    /// B.
    pub(super) self_mask: [u8; 32],
    /// S.
    pub(super) mask_key: [u8; 32],
    /// The sender's.
    pub(super) signature: Signature,
}

/// SHARES.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shares {
    /// C.
    pub(super) commitment: [u8; 32],
    /// D.
    pub(super) own: [u8; 32],
    /// By neighbour, ascending.
    pub(super) entries: Vec<Entry>,
}

/// Which secret a share of UNMASK is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum SecretKind {
    SelfMask = 1,
    MaskKey = 2,
}

/// One share of UNMASK.
pub(super) struct Opened {
    pub(super) rank: Rank,
    pub(super) kind: SecretKind,
    pub(super) share: Zeroizing<[u8; 32]>,
}

/// A message of a round.
pub(super) fn outgoing(to: Rank, kind: Kind, round: u32, payload: Vec<u8>) -> Outgoing {
    Outgoing { to, message: Message { kind, stage: Stage::Aggregate.number(), round, payload } }
}

/// Refuses a message of another stage or round (FRAME-11).
pub(super) fn check_place(message: &Message, round: u32, from: Rank) -> Result<(), Error> {
    if message.stage == Stage::Aggregate.number() && message.round == round {
        return Ok(());
    }
    Err(Error::unexpected(from))
}

pub(super) fn out_of_order(from: Rank) -> Error {
    Error::peer(from, Code::MalformedMessage, "AGG-14", "a list of ranks is not ascending or has others than it may")
}

/// Refuses ranks that are not strictly ascending (AGG-14).
fn ascending(ranks: impl IntoIterator<Item = Rank>, from: Rank) -> Result<(), Error> {
    let mut last = None;
    for rank in ranks {
        if last.is_some_and(|last| last >= rank) {
            return Err(out_of_order(from));
        }
        last = Some(rank);
    }
    Ok(())
}

fn count(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// A list of ranks.
pub(super) fn write_list(ranks: &[Rank]) -> Vec<u8> {
    ranks.iter().fold(Writer::new().u16(count(ranks.len())), |w, rank| w.u16(rank.0)).finish()
}

fn take_list(reader: &mut Reader<'_>, from: Rank) -> Result<Vec<Rank>, Error> {
    let length = reader.u16().blame(from)?;
    let ranks = (0..length).map(|_| reader.u16().map(Rank)).collect::<Result<Vec<Rank>, _>>().blame(from)?;
    ascending(ranks.iter().copied(), from)?;
    Ok(ranks)
}

/// SURVIVORS.
pub(super) fn read_list(payload: &[u8], from: Rank) -> Result<Vec<Rank>, Error> {
    let mut reader = Reader::new(payload);
    let ranks = take_list(&mut reader, from)?;
    reader.end().blame(from)?;
    Ok(ranks)
}

/// ROSTER or AGREEMENT.
pub(super) fn write_signatures(signatures: &[(Rank, Signature)]) -> Vec<u8> {
    let writer = Writer::with_capacity(2 + 66 * signatures.len()).u16(count(signatures.len()));
    signatures.iter().fold(writer, |w, (rank, signature)| w.u16(rank.0).bytes(signature)).finish()
}

/// Signatures of ascending ranks (AGG-14).
pub(super) fn read_signatures(payload: &[u8], from: Rank) -> Result<Vec<(Rank, Signature)>, Error> {
    let mut reader = Reader::new(payload);
    let length = reader.u16().blame(from)?;
    let one = |reader: &mut Reader<'_>| Ok((Rank(reader.u16()?), reader.array()?));
    let signatures = (0..length).map(|_| one(&mut reader)).collect::<Result<Vec<_>, Malformed>>().blame(from)?;
    reader.end().blame(from)?;
    ascending(signatures.iter().map(|(rank, _)| *rank), from)?;
    Ok(signatures)
}

fn write_entries(writer: Writer, entries: &[Entry]) -> Writer {
    entries.iter().fold(writer.u16(count(entries.len())), |w, entry| {
        w.u16(entry.rank.0).bytes(&entry.sealed).bytes(&entry.self_mask).bytes(&entry.mask_key).bytes(&entry.signature)
    })
}

/// Entries of exactly `wanted` ranks, ascending (AGG-14), to the end.
fn take_entries(mut reader: Reader<'_>, from: Rank, wanted: &[Rank]) -> Result<Vec<Entry>, Error> {
    let length = reader.u16().blame(from)?;
    let one = |reader: &mut Reader<'_>| {
        Ok(Entry {
            rank: Rank(reader.u16()?),
            sealed: reader.array()?,
            self_mask: reader.array()?,
            mask_key: reader.array()?,
            signature: reader.array()?,
        })
    };
    let entries = (0..length).map(|_| one(&mut reader)).collect::<Result<Vec<_>, Malformed>>().blame(from)?;
    reader.end().blame(from)?;
    if entries.iter().map(|entry| entry.rank).eq(wanted.iter().copied()) {
        Ok(entries)
    } else {
        Err(out_of_order(from))
    }
}

/// The payload of SHARES.
pub(super) fn write_shares(shares: &Shares) -> Vec<u8> {
    write_entries(Writer::new().bytes(&shares.commitment).bytes(&shares.own), &shares.entries).finish()
}

/// SHARES of a rank with these neighbours.
pub(super) fn read_shares(payload: &[u8], from: Rank, neighbours: &[Rank]) -> Result<Shares, Error> {
    let mut reader = Reader::new(payload);
    let (commitment, own) = (reader.array().blame(from)?, reader.array().blame(from)?);
    Ok(Shares { commitment, own, entries: take_entries(reader, from, neighbours)? })
}

/// The payload of SHARED.
pub(super) fn write_shared(sharers: &[Rank], entries: &[Entry]) -> Vec<u8> {
    write_entries(Writer::new().bytes(&write_list(sharers)), entries).finish()
}

/// The list U2 of SHARED, and what follows it.
pub(super) fn read_shared(payload: &[u8], from: Rank) -> Result<(Vec<Rank>, Reader<'_>), Error> {
    let mut reader = Reader::new(payload);
    Ok((take_list(&mut reader, from)?, reader))
}

/// The entries of SHARED from exactly these neighbours.
pub(super) fn read_shared_entries(rest: Reader<'_>, from: Rank, neighbours: &[Rank]) -> Result<Vec<Entry>, Error> {
    take_entries(rest, from, neighbours)
}

/// The payload of UNMASK.
pub(super) fn write_unmask(opened: &[Opened]) -> Vec<u8> {
    let writer = Writer::with_capacity(2 + 35 * opened.len()).u16(count(opened.len()));
    opened.iter().fold(writer, |w, o| w.u16(o.rank.0).u8(o.kind as u8).bytes(o.share.as_slice())).finish()
}

/// UNMASK with exactly these ranks and kinds (AGG-20).
pub(super) fn read_unmask(payload: &[u8], from: Rank, wanted: &[(Rank, SecretKind)]) -> Result<Vec<Opened>, Error> {
    let refused =
        || Error::peer(from, Code::MalformedMessage, "AGG-20", "shares of another kind, count or rank than those due");
    let mut reader = Reader::new(payload);
    if usize::from(reader.u16().blame(from)?) != wanted.len() {
        return Err(refused());
    }
    let mut opened = Vec::with_capacity(wanted.len());
    for (rank, kind) in wanted {
        let found = (reader.u16().blame(from)?, reader.u8().blame(from)?);
        if found != (rank.0, *kind as u8) {
            return Err(refused());
        }
        opened.push(Opened { rank: *rank, kind: *kind, share: Zeroizing::new(reader.array().blame(from)?) });
    }
    reader.end().blame(from)?;
    Ok(opened)
}

/// AGREED.
pub(super) fn read_signature(payload: &[u8], from: Rank) -> Result<Signature, Error> {
    let mut reader = Reader::new(payload);
    let signature = reader.array().blame(from)?;
    reader.end().blame(from)?;
    Ok(signature)
}

/// The payload of PLAIN: the weight, then an envelope.
pub(super) fn write_plain(weight: f64, envelope: &[u8]) -> Vec<u8> {
    Writer::with_capacity(8 + envelope.len()).f64(weight).bytes(envelope).finish()
}

/// The weight of PLAIN (CONV-2, AGG-29), and its envelope.
pub(super) fn read_plain(payload: &[u8], from: Rank) -> Result<(f64, &[u8]), Error> {
    let mut reader = Reader::new(payload);
    let weight = reader.f64().blame(from)?;
    if weight < 0.0 {
        return Err(Error::peer(from, Code::MalformedMessage, "AGG-29", "a weight is negative"));
    }
    Ok((weight, reader.rest()))
}
