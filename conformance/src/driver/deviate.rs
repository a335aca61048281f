//! The operators: each changes one thing and says which.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Dialogue;
use crate::case::{BodyEdit, ElementFault, EnvelopeFault, EnvelopePart, Field, Operator, PayloadEdit, PositionFault};
use crate::wire::frame::Header;
use crate::wire::{dsse, message};

/// ristretto255's field prime, 2^255 − 19.
const PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

impl Dialogue<'_> {
    /// Alters the offer's members; returns what was altered.
    pub(super) fn alter_offer(&self, offer: &mut Value) -> Option<String> {
        match self.operator? {
            Operator::OfferSet { pointer, value } => {
                let value = self.words(value);
                member_set(offer, pointer, value.clone())?;
                if pointer == "/critical" {
                    offer.as_object_mut()?.insert("x-later".into(), Value::from(1));
                }
                Some(format!("{pointer} = {value}"))
            }
            Operator::OfferPush { pointer, value } => {
                let value = self.words(value);
                offer.pointer_mut(pointer)?.as_array_mut()?.push(value.clone());
                Some(format!("{value} appended to {pointer}"))
            }
            Operator::OfferRemove { pointer } => {
                let (parent, name) = pointer.rsplit_once('/')?;
                let target = if parent.is_empty() { Some(offer) } else { offer.pointer_mut(parent) };
                target?.as_object_mut()?.remove(name)?;
                Some(format!("{pointer} left out"))
            }
            _ => None,
        }
    }

    pub(super) fn words(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.world.word(text).unwrap_or_else(|| text.clone())),
            Value::Object(object) => object.iter().map(|(k, v)| (k.clone(), self.words(v))).collect(),
            other => other.clone(),
        }
    }

    /// Signs the offer, and alters the envelope where the case does; returns what was altered.
    pub(super) fn envelope(&self, payload: Vec<u8>) -> (Vec<u8>, Option<String>) {
        let kind = match self.operator {
            Some(Operator::OfferType { payload_type }) => payload_type.as_str(),
            _ => dsse::OFFER,
        };
        let sealed = dsse::seal(kind, &payload, &self.me.signing);
        match self.operator {
            Some(Operator::OfferType { .. }) => (sealed, Some(format!("signed as {kind}"))),
            Some(Operator::OfferFlip { part }) => flip(&sealed, *part),
            Some(Operator::OfferEnvelope { fault: EnvelopeFault::NotJson }) => {
                (sealed[1..].to_vec(), Some("an envelope without its first byte".into()))
            }
            Some(Operator::OfferEnvelope { fault: EnvelopeFault::TwoSignatures }) => twice_signed(&sealed),
            _ => (sealed, None),
        }
    }

    /// Alters the content of a message; returns what was altered.
    pub(super) fn alter_payload(&self, kind: u16, batch: usize, payload: &mut Vec<u8>) -> Option<String> {
        match self.operator? {
            Operator::Payload { message, batch: wanted, edit } if names(message, kind) && *wanted == batch => {
                match edit {
                    PayloadEdit::Append(bytes) => {
                        payload.extend(hex::decode(bytes).ok()?);
                        Some(format!("{message}: {bytes} after the end"))
                    }
                    PayloadEdit::Cut(count) => {
                        payload.truncate(payload.len().saturating_sub(*count));
                        Some(format!("{message}: the last {count} bytes left out"))
                    }
                    PayloadEdit::Start(bytes) => {
                        let bytes = hex::decode(bytes).ok()?;
                        payload.get_mut(..bytes.len())?.copy_from_slice(&bytes);
                        Some(format!("{message}: begins with {}", hex::encode(bytes)))
                    }
                }
            }
            Operator::SizeAboveLimit if kind == message::SIZE => {
                let size = self.world.capabilities.max_rows.saturating_add(1);
                *payload = message::size(size);
                Some(format!("ALIGN_SIZE {size}, the target's limit is {}", size - 1))
            }
            _ => None,
        }
    }

    /// Alters the blinded elements; returns (index, what was altered).
    pub(super) fn alter_elements(&self, elements: &mut Vec<[u8; 32]>) -> Option<(usize, String)> {
        match self.operator? {
            Operator::Element { index, value } => {
                let before = *elements.get(*index)?;
                let after = match value {
                    ElementFault::Identity => [0; 32],
                    ElementFault::NonCanonical => non_canonical(),
                    ElementFault::HighBit => {
                        let mut high = before;
                        high[31] |= 0x80;
                        high
                    }
                    ElementFault::Negative => negate(&before),
                    ElementFault::NotOnGroup => not_on_group(),
                    ElementFault::Repeat | ElementFault::RepeatInNextBatch => *elements.first()?,
                };
                elements[*index] = after;
                let (before, after) = (hex::encode(before), hex::encode(after));
                Some((*index, format!("element {index}: {value:?} {after} in place of {before}")))
            }
            Operator::Count { by } if *by < 0 => {
                let removed = elements.pop()?;
                Some((elements.len().saturating_sub(1), format!("{} left out at the end", hex::encode(removed))))
            }
            Operator::Count { .. } => {
                let extra = crate::wire::group::hash_to_group(b"hefu-conformance extra", &[]).compress().to_bytes();
                elements.push(extra);
                Some((elements.len() - 1, format!("{} beyond the announced size", hex::encode(extra))))
            }
            _ => None,
        }
    }

    /// Alters the tags; returns what was altered.
    pub(super) fn alter_tags(&self, tags: &mut Vec<Vec<u8>>) -> Option<String> {
        match self.operator? {
            Operator::TagRepeat { index } => {
                *tags.get_mut(*index)? = tags.first()?.clone();
                Some(format!("tag {index}: the first one again"))
            }
            Operator::TagMissing => {
                tags.pop()?;
                Some("the last tag left out".into())
            }
            Operator::NoCommon => Some("no key in common".into()),
            _ => None,
        }
    }

    /// Alters the positions; returns (index, what was altered).
    pub(super) fn alter_positions(&self, positions: &mut [u32], m: u64) -> Option<(usize, String)> {
        match self.operator? {
            Operator::Position { index, value } => {
                let first = *positions.first()?;
                let place = positions.get_mut(*index)?;
                let before = *place;
                *place = match value {
                    PositionFault::Beyond => m as u32,
                    PositionFault::Repeat => first,
                    PositionFault::Absent => message::ABSENT,
                };
                Some((*index, format!("position {index}: {place} in place of {before}")))
            }
            Operator::FewRows => Some((0, format!("{} matched rows", positions.len()))),
            _ => None,
        }
    }

    /// Alters a header before it is sealed; returns its bytes and what was altered.
    pub(super) fn alter_header(&self, header: &mut Header) -> (Vec<u8>, Option<String>) {
        let mut told = None;
        match self.operator {
            Some(Operator::Header { message, chunk, field, value })
                if names(message, header.kind) && *chunk == header.chunk =>
            {
                set(header, *field, *value);
                told = Some(format!("{message} chunk {chunk}: header field {field:?} = {value}"));
            }
            Some(Operator::HeaderCut { message, bytes }) if names(message, header.kind) => {
                let encoded = header.encode();
                let short = encoded[..encoded.len().saturating_sub(*bytes)].to_vec();
                return (short, Some(format!("{message}: a header of {} bytes", encoded.len() - bytes)));
            }
            _ => {}
        }
        (header.encode().to_vec(), told)
    }

    /// Alters a sealed body; returns what was altered.
    pub(super) fn alter_body(&self, header: &Header, body: &mut Vec<u8>) -> Option<String> {
        let Operator::Body { message, chunk, edit } = self.operator? else { return None };
        if !names(message, header.kind) || *chunk != header.chunk {
            return None;
        }
        match edit {
            BodyEdit::Flip => *body.get_mut(0)? ^= 1,
            BodyEdit::Cut => body.truncate(body.len().saturating_sub(1)),
            BodyEdit::Extend => body.push(0),
        }
        Some(format!("{message} chunk {chunk}: body {edit:?}"))
    }
}

/// Sets a member of a document, or an element of an array in it.
pub(super) fn member_set(document: &mut Value, pointer: &str, value: Value) -> Option<()> {
    let (parent, name) = pointer.rsplit_once('/')?;
    match if parent.is_empty() { document } else { document.pointer_mut(parent)? } {
        Value::Object(object) => {
            object.insert(name.to_owned(), value);
        }
        Value::Array(array) => *array.get_mut(name.parse::<usize>().ok()?)? = value,
        _ => return None,
    }
    Some(())
}

/// Whether a registry name of the corpus is that of a type.
pub(super) fn names(name: &str, kind: u16) -> bool {
    message::kind(name) == Some(kind)
}

fn set(header: &mut Header, field: Field, value: u64) {
    match field {
        Field::Version => header.version = value as u8,
        Field::Flags => header.flags = value as u8,
        Field::Kind => header.kind = value as u16,
        Field::From => header.from = value as u16,
        Field::To => header.to = value as u16,
        Field::Session => header.session[15] ^= value as u8,
        Field::Stage => header.stage = value as u32,
        Field::Round => header.round = value as u32,
        Field::Chunk => header.chunk = value as u32,
        Field::Chunks => header.chunks = value as u32,
        Field::Length => header.length = value,
        Field::Reserved => header.reserved = value as u32,
    }
}

/// p − s: the other sign of the field element, whose encoding ristretto255 refuses.
fn negate(s: &[u8; 32]) -> [u8; 32] {
    let mut out = [0; 32];
    let mut borrow = 0i16;
    for i in 0..32 {
        let difference = i16::from(PRIME[i]) - i16::from(s[i]) - borrow;
        borrow = i16::from(difference < 0);
        out[i] = difference.rem_euclid(256) as u8;
    }
    out
}

/// s + p for the smallest s above 0 that encodes an element: the same residue, not canonical.
fn non_canonical() -> [u8; 32] {
    let mut out = PRIME;
    for low in (2..=18).step_by(2) {
        let mut s = [0; 32];
        s[0] = low;
        if crate::wire::group::decode(&s).is_ok() {
            // 0xed + 18 does not carry.
            out[0] += low;
            break;
        }
    }
    out
}

/// The smallest even field element above 1 that decodes to nothing.
fn not_on_group() -> [u8; 32] {
    let mut s = [0; 32];
    for low in (2..=254).step_by(2) {
        s[0] = low;
        if crate::wire::group::decode(&s).is_err() {
            break;
        }
    }
    s
}

pub(super) fn twice_signed(sealed: &[u8]) -> (Vec<u8>, Option<String>) {
    let Ok(mut text) = serde_json::from_slice::<Value>(sealed) else { return (sealed.to_vec(), None) };
    let first = text["signatures"][0].clone();
    if let Some(signatures) = text["signatures"].as_array_mut() {
        signatures.push(first);
    }
    (text.to_string().into_bytes(), Some("the same signature twice".into()))
}

pub(super) fn flip(sealed: &[u8], part: EnvelopePart) -> (Vec<u8>, Option<String>) {
    let Ok(mut text) = serde_json::from_slice::<Value>(sealed) else { return (sealed.to_vec(), None) };
    let pointer = match part {
        EnvelopePart::Payload => "/payload",
        EnvelopePart::Signature => "/signatures/0/sig",
    };
    let Some(place) = text.pointer_mut(pointer) else { return (sealed.to_vec(), None) };
    let mut bytes = STANDARD.decode(place.as_str().unwrap_or_default()).unwrap_or_default();
    match part {
        EnvelopePart::Signature => bytes[0] ^= 1,
        EnvelopePart::Payload => {
            // The first digit of the nonce: it stays a document of its type.
            let payload = String::from_utf8_lossy(&bytes).into_owned();
            let at = payload.find("\"nonce\":\"").map_or(0, |at| at + 9);
            let digit = if payload.as_bytes().get(at) == Some(&b'0') { "1" } else { "0" };
            let payload = format!("{}{digit}{}", &payload[..at], payload.get(at + 1..).unwrap_or_default());
            bytes = payload.into_bytes();
        }
    }
    *place = Value::String(STANDARD.encode(bytes));
    (text.to_string().into_bytes(), Some(format!("{part:?} altered after it was signed")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wire::group;

    #[test]
    fn faulty_elements_are_what_they_are_called() {
        let element = (group::hash_to_group(b"t", b"k")).compress().to_bytes();
        assert_eq!(group::decode(&negate(&element)).unwrap_err(), "not a canonical encoding");
        assert_eq!(negate(&negate(&element)), element);
        assert_ne!(non_canonical(), PRIME);
        assert_eq!(group::decode(&non_canonical()).unwrap_err(), "not a canonical encoding");
        let other = not_on_group();
        assert_eq!(other[0] % 2, 0);
        assert_eq!(group::decode(&other).unwrap_err(), "not a canonical encoding");
    }
}
