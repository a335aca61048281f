//! Making and checking the documents of a session, and the selection function.
use super::document::{CONFIRM_TYPE, Confirm, Descriptor, OFFER_TYPE, Offer, PARTY_TYPE, Plan};
use crate::Error;
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Alignment, Code, PartyId, Rank, Stage};
use hefu_crypto::{SigningKey, Suite, dsse};
use serde::{Serialize, de::DeserializeOwned};

/// Protocol versions that work here, best first.
pub const VERSIONS: &[&str] = &["1.0"];
/// Algorithms that a plan may name.
pub const ALGORITHMS: &[&str] = &[
    "align-ecdh-1",
    "align-oprf-1",
    "vlr-1",
    "score-sum-1",
    "aggregate-sum-1",
    "aggregate-histogram-1",
    "aggregate-mean-1",
];
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

/// A plan of one of the kinds that an offer carries.
pub trait OfferedPlan: Serialize + DeserializeOwned {
    /// Registry name of its algorithm.
    fn algorithm(&self) -> &str;

    /// The checks of the offer's plan that need no configuration and no data.
    ///
    /// # Errors
    /// `UNSUPPORTED_PLAN` (SESS-11), and what the algorithm's document names.
    fn check(offer: &Offer<Self>) -> Result<(), Error>;
}

/// Signs a descriptor.
pub fn seal_descriptor(descriptor: &Descriptor, key: &SigningKey) -> Vec<u8> {
    dsse::seal(PARTY_TYPE, &serde_json::to_vec(descriptor).unwrap_or_default(), key)
}

/// Signs an offer.
pub fn seal_offer<P: OfferedPlan>(offer: &Offer<P>, key: &SigningKey) -> Vec<u8> {
    dsse::seal(OFFER_TYPE, &serde_json::to_vec(offer).unwrap_or_default(), key)
}

/// What a side lists to select from: an offer, or the answer of a Discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supported {
    /// Protocol versions, `major.minor`.
    pub versions: Vec<String>,
    /// Suite numbers.
    pub suites: Vec<u16>,
}

impl Supported {
    /// What works here.
    pub fn own() -> Self {
        Supported {
            versions: VERSIONS.iter().map(|version| (*version).to_owned()).collect(),
            suites: Suite::PREFERENCE.iter().map(|suite| suite.number()).collect(),
        }
    }

    fn of<P>(offer: &Offer<P>) -> Self {
        Supported { versions: offer.versions.clone(), suites: offer.suites.clone() }
    }
}

/// The selection function: the highest version that both sides list, and the suite that the registry prefers among
/// those that both sides list (SESS-4, SESS-5).
///
/// # Errors
/// `NO_COMMON_VERSION`, `NO_COMMON_SUITE`.
pub fn select(offered: &Supported, own: &Supported) -> Result<(String, u16), Error> {
    let part = |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let number = |version: &str| {
        let (major, minor) = version.split_once('.')?;
        Some((part(major)?, part(minor)?))
    };
    let common = offered.versions.iter().filter(|version| own.versions.contains(version));
    let highest = common.filter_map(|version| Some((number(version)?, version))).max();
    let (_, version) =
        highest.ok_or(Error::refused(Code::NoCommonVersion, "SESS-4", "the parties share no protocol version"))?;
    let suite = Suite::select(&own.suites, &offered.suites).ok_or(no_common_suite())?;
    Ok((version.clone(), suite))
}

fn no_common_suite() -> Error {
    Error::refused(Code::NoCommonSuite, "SESS-5", "the parties share no cipher suite")
}

/// A collaborator's checks of an offer that need no configuration and no data (SESS-2 to SESS-5, SESS-10, SESS-11).
/// `peer` is the party of the TLS connection.
///
/// # Errors
/// The code that the violated requirement names.
pub fn check_offer<P: OfferedPlan>(offer: &Offer<P>, own: &PartyId, peer: &PartyId) -> Result<Acceptance, Error> {
    let wrong = |requirement, cause| Error::refused(Code::WrongParty, requirement, cause);
    if offer.parties.first().map(|p| &p.party) != Some(peer) {
        return Err(wrong("SESS-2", "rank 0 is not the party of the connection"));
    }
    let mut ranks = (0u16..).zip(&offer.parties).filter(|(_, party)| party.party == *own);
    let rank = match (ranks.next(), ranks.next()) {
        (Some((rank, _)), None) if rank > 0 => Rank(rank),
        _ => return Err(wrong("SESS-3", "the offer does not name this party once as collaborator")),
    };
    let (version, suite) = select(&Supported::of(offer), &Supported::own())?;
    let suite = Suite::from_number(suite).ok_or(no_common_suite())?;
    if offer.extensions.iter().any(|extension| extension.critical) && !is_on(Switch::IgnoresCriticalExtension) {
        return Err(Error::refused(Code::UnknownCritical, "SESS-10", "a critical extension is not known here"));
    }
    P::check(offer)?;
    if offer.limits.max_chunk == 0 || offer.limits.max_chunk > MAX_CHUNK_BYTES {
        return Err(Error::refused(Code::UnsupportedPlan, "SESS-11", "the chunk size is out of range"));
    }
    Ok(Acceptance { rank, version, suite })
}

impl OfferedPlan for Plan {
    fn algorithm(&self) -> &str {
        &self.algorithm
    }

    fn check(offer: &Offer) -> Result<(), Error> {
        check_joint(&offer.plan)
    }
}

fn check_joint(plan: &Plan) -> Result<(), Error> {
    let refuse = |cause| Err(Error::refused(Code::UnsupportedPlan, "SESS-11", cause));
    let algorithm = match plan.stages.as_slice() {
        [Stage::Align] if plan.alignment == Some(Alignment::Oprf) => "align-oprf-1",
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
    Ok(())
}

/// Signs a confirm.
pub fn seal_confirm(confirm: &Confirm, key: &SigningKey) -> Vec<u8> {
    dsse::seal(CONFIRM_TYPE, &serde_json::to_vec(confirm).unwrap_or_default(), key)
}

/// Checks a confirm of `rank` against the offer's exact bytes (SESS-7, SESS-8, SESS-21). `discovered` is what the
/// collaborator's Discovery answered, where it was asked.
///
/// # Errors
/// `TRANSCRIPT_MISMATCH`, `WRONG_PARTY`, `DOWNGRADE`.
pub fn check_confirm<P: OfferedPlan>(
    confirm: &Confirm,
    envelope: &[u8],
    offer: &Offer<P>,
    rank: Rank,
    discovered: Option<&Supported>,
) -> Result<(), Error> {
    let peer = |code, requirement, cause| Err(Error::peer(rank, code, requirement, cause));
    if confirm.offer != dsse::digest(envelope) {
        return peer(Code::TranscriptMismatch, "SESS-7", "a confirm answers another offer");
    }
    let named = offer.parties.get(rank.index()).map(|party| &party.party);
    if confirm.rank != rank.0 || named != Some(&confirm.party) {
        return peer(Code::WrongParty, "SESS-21", "a confirm comes from another party");
    }
    let chosen = (confirm.version.clone(), confirm.suite);
    let offered = Supported::of(offer);
    let listed = offered.versions.contains(&chosen.0) && offered.suites.contains(&chosen.1);
    let given = discovered.is_none_or(|peer| select(&offered, peer).is_ok_and(|given| given == chosen));
    if !listed || !given {
        return peer(Code::Downgrade, "SESS-8", "a confirm selects what the offer does not give");
    }
    if confirm.algorithm != offer.plan.algorithm() {
        return peer(Code::Downgrade, "SESS-8", "a confirm names another algorithm");
    }
    Ok(())
}
