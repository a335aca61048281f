//! The conformance statement: what was run, what came out and by what evidence, signed. An in-toto Statement v1 in a
//! DSSE envelope. It proves who claims; that it is true, whoever has the evidence judges again.

pub mod key;
pub mod merkle;
mod verify;

use std::collections::BTreeMap;
use std::path::Path;

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::case::{Corpus, Kind, Profile, Role};
use crate::error::{Error, Result};
use crate::judge::Verdict;
use crate::run::Results;
use crate::target::{Limits, TargetFile};
use crate::wire::{dsse, h};

pub use verify::{Refusal, Verified, verify};

/// DSSE payload type of a statement.
pub const PAYLOAD: &str = "application/vnd.in-toto+json";
/// Type of the statement.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// Type of the predicate.
pub const PREDICATE: &str = "urn:hefu:conformance-statement:1";
/// What every statement says on its face.
const NOTICE: &str = "Black-box tests over synthetic data: they can refute privacy, never prove it. This is no state \
                      certification of financial technology products.";

/// Who ran the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Assurance {
    /// The vendor, by itself.
    #[default]
    #[serde(rename = "self")]
    Own,
    /// The vendor, before a verifier whose nonce fixes the seed.
    #[serde(rename = "witnessed")]
    Witnessed,
    /// A laboratory.
    #[serde(rename = "lab")]
    Lab,
}

impl Assurance {
    /// Reads a name.
    pub fn parse(name: &str) -> Option<Assurance> {
        serde_json::from_value(name.into()).ok()
    }
}

/// The signed document.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`STATEMENT`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// The program under test.
    pub subject: Vec<Subject>,
    /// [`PREDICATE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said of it.
    pub predicate: Predicate,
}

/// The program under test.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Name and version.
    pub name: String,
    /// `sha256` of the artefact, hex.
    pub digest: BTreeMap<String, String>,
}

/// What is said of the program.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// What this is not.
    pub notice: String,
    /// Protocol version.
    pub protocol: String,
    /// Version of the suite.
    pub suite: String,
    /// SHA-256 of the suite's binary, hex.
    pub suite_sha256: String,
    /// SHA-256 of the cases, hex.
    pub corpus: String,
    /// SHA-256 of the specification's registry of requirements, hex.
    pub registry: String,
    /// Who ran the suite.
    pub assurance: Assurance,
    /// The verifier's nonce, hex, where it fixed the seed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nonce: Option<String>,
    /// Seed of everything random.
    pub seed: String,
    /// The adapter's name and version.
    pub adapter: String,
    /// `stdio`, or `manual` where a person set the target up.
    pub control: String,
    /// What the target declares and is judged by.
    pub limits: Limits,
    /// Whether every case conforms.
    pub conformant: bool,
    /// One a profile and role.
    pub cells: Vec<CellStated>,
    /// One a case.
    pub verdicts: Vec<VerdictStated>,
    /// Requirements set aside by agreement; none in this version.
    pub waivers: Vec<String>,
    /// Merkle root (RFC 9162, SHA-256) over the transcripts, in the order of `verdicts`, hex.
    pub evidence: String,
    /// Begin of the run, UTC.
    pub started: String,
    /// Signed at, UTC.
    pub signed: String,
    /// Not to be relied on after this, UTC.
    pub expires: String,
}

/// A profile in a role, and how much of it was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellStated {
    /// Profile.
    pub profile: Profile,
    /// Role of the target.
    pub role: Role,
    /// 2: every case of the cell was run; 1: every positive one that is not slow; 0: fewer.
    pub level: u8,
    /// Verdict of the cell.
    pub verdict: Verdict,
}

/// A case and its verdict.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictStated {
    /// Id.
    pub case: String,
    /// Verdict.
    pub verdict: Verdict,
    /// SHA-256 of its transcript, hex, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub transcript: Option<String>,
}

/// What the person who signs decides.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Who ran the suite.
    pub assurance: Assurance,
    /// The verifier's nonce, hex.
    pub nonce: Option<String>,
    /// Days for which the statement is to be relied on.
    pub days: u64,
}

/// The seed that a verifier's nonce fixes.
pub fn seed_of(nonce: &str) -> String {
    hex::encode(&h(&[b"hefu-conformance nonce ", nonce.as_bytes()])[..8])
}

/// SHA-256 of the registry of requirements with which this binary was built, hex.
pub fn registry_digest() -> String {
    hex::encode(h(&[include_bytes!("../../../spec/registry/clauses.json")]))
}

/// A time as RFC 3339, UTC, whole seconds; two of them compare as texts.
pub fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil date of a day number: eras of 400 years that begin on 1 March.
    let z = days + 719_468;
    let (era, day) = (z / 146_097, z % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Signs what a run came to; its evidence lies in `folder`/evidence. The exact bytes of the envelope.
///
/// # Errors
/// `Configuration` where the digest of the program under test is not known or a nonce and the seed do not agree,
/// `Evidence` where a transcript cannot be read.
pub fn sign(
    corpus: &Corpus,
    target: &TargetFile,
    results: &Results,
    folder: &Path,
    terms: &Terms,
    key: &SigningKey,
) -> Result<Vec<u8>> {
    let artefact = results.artefact_sha256.clone().ok_or_else(|| {
        Error::Configuration("a statement needs target.artefact_sha256, or an adapter that names the program".into())
    })?;
    match (&terms.nonce, terms.assurance) {
        (Some(nonce), _) if seed_of(nonce) != results.seed => {
            return Err(Error::Configuration("the seed is not that of the nonce".into()));
        }
        (None, Assurance::Witnessed) => {
            return Err(Error::Configuration("--assurance witnessed needs the verifier's --nonce".into()));
        }
        _ => {}
    }
    let mut leaves = Vec::new();
    let mut verdicts = Vec::new();
    for case in &results.cases {
        if let Some((file, _)) = &case.transcript {
            let path = folder.join(file);
            leaves.push(std::fs::read(&path).map_err(|e| Error::Evidence(format!("{}: {e}", path.display())))?);
        }
        let transcript = case.transcript.as_ref().map(|(_, digest)| digest.clone());
        verdicts.push(VerdictStated { case: case.id.clone(), verdict: case.finding.verdict, transcript });
    }
    let signed = now();
    let predicate = Predicate {
        notice: NOTICE.into(),
        protocol: target.claims.protocol.clone(),
        suite: results.suite.clone(),
        suite_sha256: results.suite_sha256.clone(),
        corpus: results.corpus.clone(),
        registry: registry_digest(),
        assurance: terms.assurance,
        nonce: terms.nonce.clone(),
        seed: results.seed.clone(),
        adapter: results.adapter.clone(),
        control: results.control.clone(),
        limits: target.limits.clone(),
        conformant: results.conformant,
        cells: cells(corpus, results.cells.iter().map(|c| (c.profile, c.role, c.verdict)), &verdicts),
        verdicts,
        waivers: Vec::new(),
        evidence: hex::encode(merkle::root(&leaves)),
        started: date(results.started),
        signed: date(signed),
        expires: date(signed + terms.days * 86_400),
    };
    let digest = BTreeMap::from([("sha256".to_owned(), artefact)]);
    let statement = Statement {
        kind: STATEMENT.into(),
        subject: vec![Subject { name: results.target.clone(), digest }],
        predicate_type: PREDICATE.into(),
        predicate,
    };
    Ok(dsse::seal(PAYLOAD, &serde_json::to_vec(&statement)?, key))
}

/// The cells with their levels.
fn cells(
    corpus: &Corpus,
    cells: impl Iterator<Item = (Profile, Role, Verdict)>,
    verdicts: &[VerdictStated],
) -> Vec<CellStated> {
    let ran = |id: &str| {
        let stated = verdicts.iter().find(|v| v.case == id);
        stated.is_some_and(|v| !matches!(v.verdict, Verdict::NotRun | Verdict::NotApplicable))
    };
    cells
        .map(|(profile, role, verdict)| {
            let own = || corpus.cases.iter().filter(move |c| (c.profile, c.role) == (profile, role));
            let level = if own().all(|case| ran(&case.id)) {
                2
            } else {
                u8::from(own().filter(|c| c.kind == Kind::Positive && !c.slow).all(|case| ran(&case.id)))
            };
            CellStated { profile, role, level, verdict }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let dates = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ];
        for (seconds, text) in dates {
            assert_eq!(date(seconds), text);
        }
    }
}
