//! Making, opening and checking the documents of a session.
use super::document::{CONFIRM_TYPE, Confirm, Descriptor, OFFER_TYPE, Offer, PARTY_TYPE, parse_strict};
use crate::Error;
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, PartyId, Rank, Stage};
use hefu_crypto::{SigningKey, Suite, dsse};

/// Protocol versions that work here, best first.
pub const VERSIONS: &[&str] = &["1.0"];
/// Algorithms that a plan may name.
pub const ALGORITHMS: &[&str] = &["align-ecdh-1", "vlr-1", "score-sum-1"];
/// Largest chunk that may be negotiated.
const MAX_CHUNK_BYTES: u32 = 2 << 20;

/// What a collaborator reads from an offer that it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Its own rank.
    pub rank: Rank,
    /// The selected version.
    pub version: String,
    /// The selected suite.
    pub suite: Suite,
}

fn document_fault(error: hefu_crypto::Error) -> Error {
    match error {
        hefu_crypto::Error::BadSignature => {
            Error::refused(Code::BadSignature, "CONV-4", "a document's signature does not verify")
        }
        _ => Error::refused(Code::MalformedDocument, "CONV-6", "a document is not the one expected here"),
    }
}

fn parse<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T, Error> {
    parse_strict(payload).map_err(|cause| Error::refused(Code::MalformedDocument, "CONV-7", cause))
}

fn check_kind(found: &str, wanted: &str) -> Result<(), Error> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::refused(Code::MalformedDocument, "CONV-6", "a document has another type"))
}

/// Signs a descriptor.
pub fn seal_descriptor(descriptor: &Descriptor, key: &SigningKey) -> Vec<u8> {
    dsse::seal(PARTY_TYPE, &serde_json::to_vec(descriptor).unwrap_or_default(), key)
}

/// Opens a descriptor, which is signed by the key that it names (SESS-1). A person decides whether to trust it.
///
/// # Errors
/// `MALFORMED_DOCUMENT`, `BAD_SIGNATURE`.
pub fn open_descriptor(envelope: &[u8]) -> Result<Descriptor, Error> {
    let payload = dsse::dangerous_payload_unverified(envelope, PARTY_TYPE).map_err(document_fault)?;
    let claimed: Descriptor = parse(&payload)?;
    dsse::open(envelope, PARTY_TYPE, &claimed.signing_key)
        .map_err(|_| Error::refused(Code::BadSignature, "SESS-1", "a descriptor is not signed by the key it names"))?;
    check_kind(&claimed.kind, "hefu/party/1")?;
    Ok(claimed)
}

/// Signs an offer.
pub fn seal_offer(offer: &Offer, key: &SigningKey) -> Vec<u8> {
    dsse::seal(OFFER_TYPE, &serde_json::to_vec(offer).unwrap_or_default(), key)
}

/// The party that an offer claims as rank 0, before any signature is checked: to look up its key.
///
/// # Errors
/// `MALFORMED_DOCUMENT`.
pub fn offer_signer(envelope: &[u8]) -> Result<PartyId, Error> {
    let payload = dsse::dangerous_payload_unverified(envelope, OFFER_TYPE).map_err(document_fault)?;
    let claimed: Offer = parse(&payload)?;
    claimed.parties.first().map(|party| party.party.clone()).ok_or(Error::refused(
        Code::MalformedDocument,
        "CONV-6",
        "an offer names no party",
    ))
}

/// Verifies an offer under the initiator's key, then parses it.
///
/// # Errors
/// `BAD_SIGNATURE`, `MALFORMED_DOCUMENT`, `UNKNOWN_CRITICAL`.
pub fn open_offer(envelope: &[u8], key: &[u8; 32]) -> Result<Offer, Error> {
    let payload = dsse::open(envelope, OFFER_TYPE, key).map_err(document_fault)?;
    let offer: Offer = parse(&payload)?;
    check_kind(&offer.kind, "hefu/offer/1")?;
    check_critical(&offer.critical, &["critical", "extensions", "limits", "plan", "outputs", "purpose", "parties"])?;
    Ok(offer)
}

fn check_critical(critical: &[String], known: &[&str]) -> Result<(), Error> {
    if critical.iter().all(|name| known.contains(&name.as_str())) {
        return Ok(());
    }
    Err(Error::refused(Code::UnknownCritical, "CONV-8", "a document has a critical member that is not known here"))
}

/// The highest version that both sides list (SESS-4).
pub fn select_version(ours: &[&str], theirs: &[String]) -> Option<String> {
    let number = |version: &str| -> Option<(u32, u32)> {
        let (major, minor) = version.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    theirs.iter().filter(|version| ours.contains(&version.as_str())).max_by_key(|version| number(version)).cloned()
}

/// A collaborator's checks of an offer that need no configuration and no data (SESS-2 to SESS-5, SESS-10, SESS-11).
/// `peer` is the party of the TLS connection.
///
/// # Errors
/// The code that the violated requirement names.
pub fn check_offer(offer: &Offer, own: &PartyId, peer: &PartyId) -> Result<Acceptance, Error> {
    let wrong = |requirement, cause| Error::refused(Code::WrongParty, requirement, cause);
    if offer.parties.first().map(|p| &p.party) != Some(peer) {
        return Err(wrong("SESS-2", "rank 0 is not the party of the connection"));
    }
    let mut ranks = (0u16..).zip(&offer.parties).filter(|(_, party)| party.party == *own);
    let rank = match (ranks.next(), ranks.next()) {
        (Some((rank, _)), None) if rank > 0 => Rank(rank),
        _ => return Err(wrong("SESS-3", "the offer does not name this party once as collaborator")),
    };
    let version = select_version(VERSIONS, &offer.versions).ok_or(Error::refused(
        Code::NoCommonVersion,
        "SESS-4",
        "the parties share no protocol version",
    ))?;
    let ours: Vec<u16> = Suite::PREFERENCE.iter().map(|suite| suite.number()).collect();
    let suite = Suite::select(&ours, &offer.suites).ok_or(Error::refused(
        Code::NoCommonSuite,
        "SESS-5",
        "the parties share no cipher suite",
    ))?;
    if offer.extensions.iter().any(|extension| extension.critical) && !is_on(Switch::IgnoresCriticalExtension) {
        return Err(Error::refused(Code::UnknownCritical, "SESS-10", "a critical extension is not known here"));
    }
    check_plan(offer)?;
    Ok(Acceptance { rank, version, suite })
}

fn check_plan(offer: &Offer) -> Result<(), Error> {
    let refuse = |cause| Err(Error::refused(Code::UnsupportedPlan, "SESS-11", cause));
    let plan = &offer.plan;
    let algorithm = match plan.stages.as_slice() {
        [Stage::Align] => "align-ecdh-1",
        [Stage::Align, Stage::Train, Stage::Evaluate] => "vlr-1",
        [Stage::Align, Stage::Score] => "score-sum-1",
        _ => return refuse("the plan's stages are not supported"),
    };
    if plan.algorithm != algorithm {
        return refuse("the plan's algorithm is not supported");
    }
    if plan.model.is_none() && plan.stages.len() > 1 {
        return refuse("the plan names no model");
    }
    if !plan.lambda.is_finite() || plan.lambda < 0.0 || plan.max_evaluations == 0 {
        return refuse("the plan's penalty or number of evaluations is out of range");
    }
    if offer.limits.max_chunk == 0 || offer.limits.max_chunk > MAX_CHUNK_BYTES {
        return refuse("the chunk size is out of range");
    }
    Ok(())
}

/// Signs a confirm.
pub fn seal_confirm(confirm: &Confirm, key: &SigningKey) -> Vec<u8> {
    dsse::seal(CONFIRM_TYPE, &serde_json::to_vec(confirm).unwrap_or_default(), key)
}

/// Verifies a confirm under the key of the party of its rank, then parses it (SESS-15).
///
/// # Errors
/// `BAD_SIGNATURE`, `MALFORMED_DOCUMENT`, `UNKNOWN_CRITICAL`.
pub fn open_confirm(envelope: &[u8], key: &[u8; 32]) -> Result<Confirm, Error> {
    let payload = dsse::open(envelope, CONFIRM_TYPE, key).map_err(|error| match error {
        hefu_crypto::Error::BadSignature => {
            Error::refused(Code::BadSignature, "SESS-15", "a confirm's signature does not verify")
        }
        other => document_fault(other),
    })?;
    let confirm: Confirm = parse(&payload)?;
    check_kind(&confirm.kind, "hefu/confirm/1")?;
    check_critical(&confirm.critical, &["critical"])?;
    Ok(confirm)
}

/// Checks a confirm of `rank` against the offer's exact bytes (SESS-7, SESS-8).
///
/// # Errors
/// `TRANSCRIPT_MISMATCH`, `WRONG_PARTY`, `DOWNGRADE`.
pub fn check_confirm(confirm: &Confirm, envelope: &[u8], offer: &Offer, rank: Rank) -> Result<(), Error> {
    let peer = |code, requirement, cause| Err(Error::peer(rank, code, requirement, cause));
    if confirm.offer != dsse::digest(envelope) {
        return peer(Code::TranscriptMismatch, "SESS-7", "a confirm answers another offer");
    }
    let named = offer.parties.get(rank.index()).map(|party| &party.party);
    if confirm.rank != rank.0 || named != Some(&confirm.party) {
        return peer(Code::WrongParty, "SESS-21", "a confirm comes from another party");
    }
    let ours: Vec<u16> = Suite::PREFERENCE.iter().map(|suite| suite.number()).collect();
    let suite = Suite::select(&ours, &offer.suites).map(Suite::number);
    let version = select_version(VERSIONS, &offer.versions);
    if Some(confirm.suite) != suite || Some(&confirm.version) != version.as_ref() {
        return peer(Code::Downgrade, "SESS-8", "a confirm selects what the offer does not give");
    }
    if confirm.algorithm != offer.plan.algorithm {
        return peer(Code::Downgrade, "SESS-8", "a confirm names another algorithm");
    }
    Ok(())
}
