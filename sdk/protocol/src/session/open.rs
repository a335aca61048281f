//! Opening signed documents: the signature first, then the text, then its members (spec/conventions.md, section 3).
use super::document::{
    CONFIRM_MEMBERS, CONFIRM_TYPE, Confirm, Descriptor, OFFER_MEMBERS, OFFER_TYPE, Offer, PARTY_MEMBERS, PARTY_TYPE,
};
use crate::{Error, aggregate};
use hefu_core::{Alignment, Code, Join, Missing, Output, PartyId, Purpose, Split, Stage};
use hefu_crypto::{dsse, parse_object};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

type Members = Map<String, Value>;

fn fault(error: hefu_crypto::Error) -> Error {
    match error {
        hefu_crypto::Error::BadSignature => {
            Error::refused(Code::BadSignature, "CONV-4", "a document's signature does not verify")
        }
        _ => malformed("CONV-6"),
    }
}

fn malformed(requirement: &'static str) -> Error {
    Error::refused(Code::MalformedDocument, requirement, "a document is not the one expected here")
}

/// Verifies an envelope, then parses its payload and looks at what it calls critical.
///
/// # Errors
/// `BAD_SIGNATURE`; `MALFORMED_DOCUMENT`; `UNKNOWN_CRITICAL` for a critical member outside `known`.
pub(super) fn open_document(
    envelope: &[u8],
    payload_type: &str,
    key: &[u8; 32],
    known: &[&str],
) -> Result<Members, Error> {
    let payload = dsse::open(envelope, payload_type, key).map_err(fault)?;
    let members = parse_object(&payload).map_err(|_| malformed("CONV-7"))?;
    let critical = match members.get("critical") {
        None => &[][..],
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => names,
        Some(_) => return Err(malformed("CONV-10")),
    };
    if critical.iter().all(|name| name.as_str().is_some_and(|name| known.contains(&name))) {
        return Ok(members);
    }
    Err(Error::refused(Code::UnknownCritical, "CONV-8", "a document has a critical member that is not known here"))
}

/// The members as a document of its type.
fn typed<T: DeserializeOwned>(members: Members, kind: &str) -> Result<T, Error> {
    if members.get("type").and_then(Value::as_str) != Some(kind) {
        return Err(malformed("CONV-10"));
    }
    serde_json::from_value(Value::Object(members)).map_err(|_| malformed("CONV-10"))
}

/// Refuses the party id of an object where it has another form (CONV-9).
fn check_party(object: Option<&Value>) -> Result<(), Error> {
    match object.and_then(|object| object.get("party")).and_then(Value::as_str).map(PartyId::parse) {
        Some(Err(_)) => Err(Error::refused(Code::BadPartyId, "CONV-9", "a party id is not valid")),
        _ => Ok(()),
    }
}

/// Opens a descriptor, which is signed by the key that it names (SESS-1). A person decides whether to trust it.
///
/// # Errors
/// `MALFORMED_DOCUMENT`, `BAD_SIGNATURE`, `UNKNOWN_CRITICAL`, `BAD_PARTY_ID`.
pub fn open_descriptor(envelope: &[u8]) -> Result<Descriptor, Error> {
    let payload = dsse::dangerous_payload_unverified(envelope, PARTY_TYPE).map_err(fault)?;
    let claimed = parse_object(&payload).map_err(|_| malformed("CONV-7"))?;
    let named = claimed.get("signing_key").and_then(Value::as_str);
    let mut key = [0; 32];
    named.and_then(|named| hex::decode_to_slice(named, &mut key).ok()).ok_or(malformed("CONV-10"))?;
    let members = open_document(envelope, PARTY_TYPE, &key, PARTY_MEMBERS).map_err(|error| match error.code() {
        Code::BadSignature => {
            Error::refused(Code::BadSignature, "SESS-1", "a descriptor is not signed by the key it names")
        }
        _ => error,
    })?;
    check_party(Some(&Value::Object(members.clone())))?;
    typed(members, "hefu/party/1")
}

/// The party that an offer claims as rank 0, before any signature is checked: to look up its key.
///
/// # Errors
/// `MALFORMED_DOCUMENT`.
pub fn offer_signer(envelope: &[u8]) -> Result<PartyId, Error> {
    let payload = dsse::dangerous_payload_unverified(envelope, OFFER_TYPE).map_err(fault)?;
    let claimed = parse_object(&payload).map_err(|_| malformed("CONV-7"))?;
    let first = claimed.get("parties").and_then(|parties| parties.get(0)).and_then(|first| first.get("party"));
    first.and_then(Value::as_str).and_then(|party| PartyId::parse(party).ok()).ok_or(malformed("CONV-10"))
}

/// Verifies an offer under the initiator's key, then parses it.
///
/// # Errors
/// `BAD_SIGNATURE`, `MALFORMED_DOCUMENT`, `UNKNOWN_CRITICAL`, `BAD_PARTY_ID`; where it has a word that no registry
/// lists, `UNSUPPORTED_PLAN` (SESS-11) or, for a purpose or an output, which nobody can permit, `NOT_ALLOWED`
/// (SESS-12).
pub fn open_offer(envelope: &[u8], key: &[u8; 32]) -> Result<Offer, Error> {
    typed(open_members(envelope, key)?, "hefu/offer/1")
}

/// The members of a verified offer, its words looked at.
fn open_members(envelope: &[u8], key: &[u8; 32]) -> Result<Members, Error> {
    let members = open_document(envelope, OFFER_TYPE, key, OFFER_MEMBERS)?;
    for party in members.get("parties").and_then(Value::as_array).into_iter().flatten() {
        check_party(Some(party))?;
    }
    check_words(&members)?;
    Ok(members)
}

/// An offer of either kind.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyOffer {
    /// Of alignment, training or scoring.
    Joint(Box<Offer>),
    /// Of an aggregation.
    Aggregate(Box<Offer<aggregate::Plan>>),
}

/// Verifies an offer under the initiator's key, then parses it by its stages: one that has `aggregate` among them is
/// an aggregation's.
///
/// # Errors
/// Those of [`open_offer`].
pub fn open_any_offer(envelope: &[u8], key: &[u8; 32]) -> Result<AnyOffer, Error> {
    let members = open_members(envelope, key)?;
    let stages = plan_member(&members, "stages").and_then(Value::as_array);
    if stages.is_some_and(|stages| stages.iter().any(|stage| stage == Stage::Aggregate.as_str())) {
        aggregate::check_words(|name| plan_member(&members, name))?;
        return typed(members, "hefu/offer/1").map(|offer| AnyOffer::Aggregate(Box::new(offer)));
    }
    typed(members, "hefu/offer/1").map(|offer| AnyOffer::Joint(Box::new(offer)))
}

fn plan_member<'a>(members: &'a Members, name: &str) -> Option<&'a Value> {
    members.get("plan").and_then(|plan| plan.get(name))
}

/// Refuses words of an offer that are no registered ones.
fn check_words(members: &Members) -> Result<(), Error> {
    let plan = |name: &str| plan_member(members, name);
    let one = |value: Option<&Value>, known: fn(&str) -> bool| value.and_then(Value::as_str).is_none_or(known);
    let each = |value: Option<&Value>, known: fn(&str) -> bool| {
        let words = value.and_then(Value::as_array).into_iter().flatten();
        words.into_iter().all(|word| one(Some(word), known))
    };
    let supported = each(plan("stages"), |word| Stage::parse(word).is_some())
        && one(plan("join"), |word| Join::parse(word).is_some())
        && one(plan("alignment"), |word| Alignment::parse(word).is_some())
        && one(plan("missing"), |word| Missing::parse(word).is_some())
        && one(plan("split"), |word| Split::parse(word).is_some());
    if !supported {
        return Err(Error::refused(Code::UnsupportedPlan, "SESS-11", "the plan has a word that is not known here"));
    }
    let permitted = one(members.get("purpose"), |word| Purpose::parse(word).is_some())
        && each(members.get("outputs"), |word| Output::parse(word).is_some());
    if permitted {
        return Ok(());
    }
    Err(Error::refused(Code::NotAllowed, "SESS-12", "the offer has a purpose or an output that nobody permits"))
}

/// Verifies a confirm under the key of the party of its rank, then parses it (SESS-15).
///
/// # Errors
/// `BAD_SIGNATURE`, `MALFORMED_DOCUMENT`, `UNKNOWN_CRITICAL`, `BAD_PARTY_ID`.
pub fn open_confirm(envelope: &[u8], key: &[u8; 32]) -> Result<Confirm, Error> {
    let members = open_document(envelope, CONFIRM_TYPE, key, CONFIRM_MEMBERS).map_err(|error| match error.code() {
        Code::BadSignature => Error::refused(Code::BadSignature, "SESS-15", "a confirm's signature does not verify"),
        _ => error,
    })?;
    check_party(Some(&Value::Object(members.clone())))?;
    typed(members, "hefu/confirm/1")
}

#[cfg(test)]
#[path = "../../tests/vectors/documents.rs"]
mod vectors;
