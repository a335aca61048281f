//! Whether a statement holds: its signature, its dates, its digests, and every verdict judged again.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::key::{Revoked, Trust};
use super::{Assurance, PAYLOAD, PREDICATE, STATEMENT, Statement, cells, date, merkle, registry_digest, seed_of};
use crate::case::Corpus;
use crate::judge::Verdict;
use crate::run::{CaseResult, cells as cells_of};
use crate::verify::{read, rejudge};
use crate::wire::{dsse, h};

/// Why a statement is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a statement of this type.
    #[error("NOT_A_STATEMENT: {0}")]
    NotAStatement(String),
    /// Nobody whom the trust file names has this key.
    #[error("UNKNOWN_SIGNER: key {0} is not in the trust file")]
    UnknownSigner(String),
    /// The trust file does not let this key say so.
    #[error("ASSURANCE: {0} may not sign a statement of this assurance")]
    Assurance(String),
    /// The signature is not over these bytes.
    #[error("BAD_SIGNATURE: the statement was altered after it was signed, or another key signed it")]
    BadSignature,
    /// The key was withdrawn.
    #[error("REVOKED: {0}")]
    Revoked(String),
    /// Past its date.
    #[error("EXPIRED: it was to be relied on until {0}")]
    Expired(String),
    /// Of another suite, corpus or specification than this program's.
    #[error("OTHER_SUITE: {0}; judge it with the suite that it names")]
    OtherSuite(String),
    /// Its parts contradict each other.
    #[error("CONTRADICTION: {0}")]
    Contradiction(String),
    /// A transcript is not there.
    #[error("MISSING_EVIDENCE: {0}")]
    MissingEvidence(String),
    /// A transcript of this run stands in another's place.
    #[error("SWAPPED_TRANSCRIPT: {0}")]
    SwappedTranscript(String),
    /// A transcript is not the one that was signed.
    #[error("ALTERED_TRANSCRIPT: {0}")]
    AlteredTranscript(String),
    /// The transcripts are not those under the root.
    #[error("WRONG_ROOT: the transcripts do not give the root of the statement")]
    WrongRoot,
    /// The evidence does not lead to the verdict.
    #[error("WRONG_VERDICT: {0}")]
    WrongVerdict(String),
}

impl Refusal {
    /// The first word of its text, for programs.
    pub fn name(&self) -> String {
        self.to_string().split(':').next().unwrap_or_default().to_owned()
    }
}

/// A statement that holds.
#[derive(Debug)]
pub struct Verified {
    /// The statement.
    pub statement: Statement,
    /// Name of the signer in the trust file.
    pub signer: String,
    /// Transcripts that were judged again.
    pub transcripts: usize,
}

/// Verifies the exact bytes of a statement against a trust file, a list of what is withdrawn, the time (seconds since
/// 1970) and the folder of its transcripts.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify(
    corpus: &Corpus,
    bytes: &[u8],
    trust: &Trust,
    revoked: &Revoked,
    evidence: &Path,
    now: u64,
) -> Result<Verified, Refusal> {
    let (statement, signer) = opened(bytes, trust, revoked)?;
    let predicate = &statement.predicate;
    if date(now) > predicate.expires {
        return Err(Refusal::Expired(predicate.expires.clone()));
    }
    if predicate.corpus != corpus.digest || predicate.registry != registry_digest() {
        return Err(Refusal::OtherSuite(format!("it is of suite {} with other cases", predicate.suite)));
    }
    match (&predicate.nonce, predicate.assurance) {
        (None, Assurance::Witnessed) => return Err(Refusal::Contradiction("witnessed, and no nonce".into())),
        (Some(nonce), _) if seed_of(nonce) != predicate.seed => {
            return Err(Refusal::Contradiction("the seed is not that of the nonce".into()));
        }
        _ => {}
    }
    let transcripts = evidenced(corpus, &statement, evidence)?;
    summed_up(corpus, &statement)?;
    Ok(Verified { statement, signer, transcripts })
}

/// Signature, signer, type.
fn opened(bytes: &[u8], trust: &Trust, revoked: &Revoked) -> Result<(Statement, String), Refusal> {
    let envelope = dsse::parse(bytes).map_err(Refusal::NotAStatement)?;
    // One text for one statement: what the signature does not cover must not vary.
    if envelope.text() != bytes || envelope.payload_type != PAYLOAD {
        return Err(Refusal::NotAStatement("the envelope is not in its one form".into()));
    }
    let known = trust.key.iter().find(|key| key.keyid() == envelope.keyid);
    let key = known.ok_or_else(|| Refusal::UnknownSigner(envelope.keyid.clone()))?;
    if !envelope.verifies(&key.public_key) {
        return Err(Refusal::BadSignature);
    }
    let digest = hex::encode(h(&[bytes]));
    if let Some(entry) = revoked.revoked.iter().find(|e| e.keyid == envelope.keyid || e.statement == digest) {
        let what = if entry.statement == digest { "this statement" } else { "the signer's key" };
        return Err(Refusal::Revoked(format!("{what} was withdrawn: {}", entry.reason)));
    }
    let statement: Statement =
        serde_json::from_slice(&envelope.payload).map_err(|e| Refusal::NotAStatement(e.to_string()))?;
    if statement.kind != STATEMENT || statement.predicate_type != PREDICATE || statement.subject.len() != 1 {
        return Err(Refusal::NotAStatement("another type of statement".into()));
    }
    if !key.assurance.contains(&statement.predicate.assurance) {
        return Err(Refusal::Assurance(key.name.clone()));
    }
    Ok((statement, key.name.clone()))
}

/// Digests, root, and every transcript judged again.
fn evidenced(corpus: &Corpus, statement: &Statement, folder: &Path) -> Result<usize, Refusal> {
    let predicate = &statement.predicate;
    let known: HashSet<&str> = predicate.verdicts.iter().filter_map(|v| v.transcript.as_deref()).collect();
    let mut leaves = Vec::new();
    let mut paths: Vec<(PathBuf, &str, Verdict)> = Vec::new();
    for stated in &predicate.verdicts {
        let Some(digest) = &stated.transcript else {
            if matches!(stated.verdict, Verdict::Pass | Verdict::Warn | Verdict::Fail) {
                return Err(Refusal::Contradiction(format!("{}: a verdict without a transcript", stated.case)));
            }
            continue;
        };
        if !stated.case.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(Refusal::NotAStatement("an id that is none".into()));
        }
        let path = folder.join(format!("{}.json", stated.case));
        let bytes = std::fs::read(&path).map_err(|_| Refusal::MissingEvidence(path.display().to_string()))?;
        let actual = hex::encode(h(&[&bytes]));
        if actual != *digest {
            let place = path.display().to_string();
            let swapped = known.contains(actual.as_str());
            return Err(if swapped { Refusal::SwappedTranscript(place) } else { Refusal::AlteredTranscript(place) });
        }
        leaves.push(bytes);
        paths.push((path, &stated.case, stated.verdict));
    }
    if hex::encode(merkle::root(&leaves)) != predicate.evidence {
        return Err(Refusal::WrongRoot);
    }
    for (path, case, verdict) in &paths {
        let wrong = |what: String| Refusal::WrongVerdict(format!("{case}: {what}"));
        let (transcript, _) = read(path).map_err(|e| wrong(e.to_string()))?;
        if transcript.seed != predicate.seed || transcript.corpus != predicate.corpus {
            return Err(wrong("its transcript is of another run".into()));
        }
        let (id, finding) = rejudge(corpus, path).map_err(|e| wrong(e.to_string()))?;
        if id != *case || finding.verdict != *verdict {
            return Err(wrong(format!("stated {}, judged {}", verdict.name(), finding.verdict.name())));
        }
    }
    Ok(paths.len())
}

/// Cells and summary follow from the verdicts.
fn summed_up(corpus: &Corpus, statement: &Statement) -> Result<(), Refusal> {
    let predicate = &statement.predicate;
    let mut results: Vec<CaseResult> = Vec::new();
    for stated in &predicate.verdicts {
        let unknown = || Refusal::Contradiction(format!("case {} is not in the corpus, or stands twice", stated.case));
        let case = corpus.case(&stated.case).ok_or_else(unknown)?;
        if results.iter().any(|result| result.id == case.id) {
            return Err(unknown());
        }
        results.push(CaseResult::stated(case, stated.verdict));
    }
    let from = cells_of(&results);
    if cells(corpus, from.iter().map(|c| (c.profile, c.role, c.verdict)), &predicate.verdicts) != predicate.cells {
        return Err(Refusal::Contradiction("the cells are not those of the verdicts".into()));
    }
    let conformant = !results.is_empty() && results.iter().all(|result| result.finding.verdict.conforms());
    if conformant != predicate.conformant {
        return Err(Refusal::Contradiction("conformant is not what the verdicts say".into()));
    }
    Ok(())
}
