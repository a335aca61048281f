//! The statement: what is signed verifies, and each way to make it untrue is refused for its own reason.

use std::path::Path;

use ed25519_dalek::SigningKey;
use hefu_conformance::case::{Corpus, Kind};
use hefu_conformance::judge::Verdict;
use hefu_conformance::report;
use hefu_conformance::run::{Options, Results};
use hefu_conformance::statement::key::{Revoked, Trust, TrustedKey, Withdrawn};
use hefu_conformance::statement::{
    self, Assurance, PAYLOAD, Refusal, Statement, Terms, Verified, date, now, seed_of, sign, verify,
};
use hefu_conformance::target::TargetFile;
use hefu_conformance::wire::{dsse, h};

use crate::harness::{options, run};
use crate::reference::InProcess;

/// A run on disk, its statement, and who is trusted.
struct Signed {
    folder: tempfile::TempDir,
    corpus: Corpus,
    results: Results,
    key: SigningKey,
    trust: Trust,
    bytes: Vec<u8>,
}

fn trust(key: &SigningKey, assurance: Vec<Assurance>) -> Trust {
    let public_key = key.verifying_key().to_bytes();
    Trust { key: vec![TrustedKey { name: "vendor".into(), public_key, assurance }] }
}

fn target() -> TargetFile {
    let text = "[target]\nname = \"reference\"\nversion = \"0\"\n[claims]\nprotocol = \"1.0\"\n\
                roles = [\"collaborator\", \"initiator\"]\nprofiles = [\"core\", \"align\"]\n\
                [control]\nkind = \"stdio\"\n";
    toml::from_str(text).unwrap()
}

fn terms() -> Terms {
    Terms { assurance: Assurance::Own, nonce: None, days: 30 }
}

async fn signed(fault: &str) -> Signed {
    let folder = tempfile::tempdir().unwrap();
    let corpus = Corpus::embedded().unwrap();
    let cases = ["ALIGN-N-004", "TLS-N-002", "ALIGN-N-105"].map(str::to_owned).to_vec();
    let options = Options { cases, evidence: Some(folder.path().join("evidence")), ..options("statement") };
    let mut results = run(InProcess::new(fault), &options).await.unwrap();
    results.artefact_sha256 = Some(hex::encode([7; 32]));
    report::write(folder.path(), &results).unwrap();
    let key = SigningKey::from_bytes(&[5; 32]);
    let trust = trust(&key, vec![Assurance::Own]);
    let bytes = sign(&corpus, &target(), &results, folder.path(), &terms(), &key).unwrap();
    Signed { folder, corpus, results, key, trust, bytes }
}

impl Signed {
    fn evidence(&self) -> std::path::PathBuf {
        self.folder.path().join("evidence")
    }

    fn check(&self, bytes: &[u8]) -> Result<Verified, Refusal> {
        verify(&self.corpus, bytes, &self.trust, &Revoked::default(), &self.evidence(), now())
    }

    /// The statement with something changed and signed again by its own signer: what only the evidence refutes.
    fn resigned(&self, change: impl FnOnce(&mut Statement)) -> Vec<u8> {
        let payload = dsse::parse(&self.bytes).unwrap().payload;
        let mut statement: Statement = serde_json::from_slice(&payload).unwrap();
        change(&mut statement);
        dsse::seal(PAYLOAD, &serde_json::to_vec(&statement).unwrap(), &self.key)
    }

    fn file(&self, case: &str) -> std::path::PathBuf {
        self.evidence().join(format!("{case}.json"))
    }
}

fn name(result: Result<Verified, Refusal>) -> String {
    result.map_or_else(|refusal| refusal.name(), |_| "holds".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_says_what_ran_and_holds() {
    let run = signed("").await;
    let verified = run.check(&run.bytes).unwrap();
    assert_eq!((verified.signer.as_str(), verified.transcripts), ("vendor", run.results.cases.len()));
    let Statement { kind, predicate_type, subject, predicate } = verified.statement;
    assert_eq!(kind, "https://in-toto.io/Statement/v1");
    assert_eq!(predicate_type, "urn:hefu:conformance-statement:1");
    assert_eq!(subject[0].digest["sha256"], hex::encode([7; 32]));
    assert!(predicate.conformant && predicate.notice.contains("no state certification"));
    assert_eq!(predicate.seed, "statement");
    // Six cases of hundreds: no level is reached.
    assert!(predicate.cells.iter().all(|cell| cell.level == 0), "{:?}", predicate.cells);
}

/// A run that failed is stated as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_stated_and_judged_again() {
    let run = signed("accepts-identity").await;
    let verified = run.check(&run.bytes).unwrap();
    assert!(!verified.statement.predicate.conformant);
    let failed = verified.statement.predicate.verdicts.iter().filter(|v| v.verdict == Verdict::Fail).count();
    assert_eq!(failed, 2);
    let forged = run.resigned(|statement| {
        for stated in &mut statement.predicate.verdicts {
            stated.verdict = Verdict::Pass;
        }
        statement.predicate.conformant = true;
    });
    assert_eq!(name(run.check(&forged)), "WRONG_VERDICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_altered_byte_is_refused() {
    let run = signed("").await;
    let mut seen = std::collections::BTreeSet::new();
    for at in 0..run.bytes.len() {
        let mut altered = run.bytes.clone();
        altered[at] ^= 1;
        seen.insert(name(run.check(&altered)));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["BAD_SIGNATURE", "NOT_A_STATEMENT", "UNKNOWN_SIGNER"]);
    for more in [[run.bytes.as_slice(), b"\n"].concat(), run.bytes[..run.bytes.len() - 1].to_vec()] {
        assert_eq!(name(run.check(&more)), "NOT_A_STATEMENT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signers_keys_and_dates_are_refused_each_for_its_reason() {
    let run = signed("").await;
    let check = |trust: &Trust, revoked: &Revoked, now: u64| {
        name(verify(&run.corpus, &run.bytes, trust, revoked, &run.evidence(), now))
    };
    let none = Revoked::default();
    let stranger = trust(&SigningKey::from_bytes(&[6; 32]), vec![Assurance::Own]);
    assert_eq!(check(&stranger, &none, now()), "UNKNOWN_SIGNER");
    let withdrawn = |keyid: String, statement: String| Revoked {
        revoked: vec![Withdrawn { keyid, statement, reason: "lost".into() }],
    };
    assert_eq!(check(&run.trust, &withdrawn(run.trust.key[0].keyid(), String::new()), now()), "REVOKED");
    assert_eq!(check(&run.trust, &withdrawn(String::new(), hex::encode(h(&[&run.bytes]))), now()), "REVOKED");
    assert_eq!(check(&run.trust, &withdrawn("0".repeat(32), "0".repeat(64)), now()), "holds");
    assert_eq!(check(&run.trust, &none, now() + 29 * 86_400), "holds");
    assert_eq!(check(&run.trust, &none, now() + 31 * 86_400), "EXPIRED");
    // A key that is trusted for one's own statements may not sign a laboratory's.
    let lab = Terms { assurance: Assurance::Lab, ..terms() };
    let lab = sign(&run.corpus, &target(), &run.results, run.folder.path(), &lab, &run.key).unwrap();
    assert_eq!(name(run.check(&lab)), "ASSURANCE");
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_is_not_the_runs_is_refused_each_for_its_reason() {
    let run = signed("").await;
    let file = run.file("ALIGN-N-004");
    let whole = std::fs::read(&file).unwrap();
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    std::fs::write(&file, altered).unwrap();
    assert_eq!(name(run.check(&run.bytes)), "ALTERED_TRANSCRIPT");
    std::fs::copy(run.file("ALIGN-N-105"), &file).unwrap();
    assert_eq!(name(run.check(&run.bytes)), "SWAPPED_TRANSCRIPT");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(name(run.check(&run.bytes)), "MISSING_EVIDENCE");
    std::fs::write(&file, whole).unwrap();
    assert_eq!(name(run.check(&run.bytes)), "holds");
    let nowhere = Path::new("/nowhere");
    let none = Revoked::default();
    assert_eq!(name(verify(&run.corpus, &run.bytes, &run.trust, &none, nowhere, now())), "MISSING_EVIDENCE");
}

/// Not even the signer can state what its own evidence does not show.
#[tokio::test(flavor = "multi_thread")]
async fn statements_that_contradict_themselves_are_refused() {
    let run = signed("").await;
    let refused = |change: fn(&mut Statement)| name(run.check(&run.resigned(change)));
    assert_eq!(refused(|_| {}), "holds");
    assert_eq!(refused(|s| s.predicate.evidence = "00".repeat(32)), "WRONG_ROOT");
    assert_eq!(refused(|s| s.predicate.corpus = "00".repeat(32)), "OTHER_SUITE");
    assert_eq!(refused(|s| s.predicate.registry = "00".repeat(32)), "OTHER_SUITE");
    assert_eq!(refused(|s| s.predicate.seed = "another".into()), "WRONG_VERDICT");
    assert_eq!(refused(|s| s.predicate.conformant = false), "CONTRADICTION");
    assert_eq!(refused(|s| s.predicate.cells[0].level = 2), "CONTRADICTION");
    assert_eq!(refused(|s| s.predicate.verdicts[0].transcript = None), "CONTRADICTION");
    assert_eq!(refused(|s| s.predicate.verdicts[0].case = "../x".into()), "NOT_A_STATEMENT");
    assert_eq!(refused(|s| s.predicate.expires = date(0)), "EXPIRED");
    assert_eq!(refused(|s| s.kind = "other".into()), "NOT_A_STATEMENT");
    let drop_a_control = |s: &mut Statement| {
        let at = s.predicate.verdicts.iter().position(|v| v.case == "ALIGN-P-001").unwrap();
        s.predicate.verdicts.remove(at);
    };
    assert_eq!(refused(drop_a_control), "WRONG_ROOT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_fixes_the_seed() {
    let run = signed("").await;
    let by = |nonce: Option<&str>| {
        let terms = Terms { assurance: Assurance::Witnessed, nonce: nonce.map(str::to_owned), days: 1 };
        sign(&run.corpus, &target(), &run.results, run.folder.path(), &terms, &run.key)
    };
    assert!(by(None).is_err() && by(Some("c0ffee")).is_err());
    assert_ne!(seed_of("c0ffee"), seed_of("c0ffef"));
    let witnessed = run.resigned(|s| {
        s.predicate.assurance = Assurance::Witnessed;
        s.predicate.nonce = Some("c0ffee".into());
    });
    let trust = trust(&run.key, vec![Assurance::Witnessed]);
    let checked = verify(&run.corpus, &witnessed, &trust, &Revoked::default(), &run.evidence(), now());
    assert_eq!(name(checked), "CONTRADICTION");
}

/// The level of a cell is what was run, not what was claimed.
#[tokio::test(flavor = "multi_thread")]
async fn a_cell_has_level_one_where_every_quick_positive_case_ran() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = Corpus::embedded().unwrap();
    let positive = |c: &&hefu_conformance::case::Case| c.kind == Kind::Positive && c.profile.name() == "ALIGN";
    let cases = corpus.cases.iter().filter(positive).map(|c| c.id.clone()).collect();
    let evidence = Some(folder.path().join("evidence"));
    let mut results =
        run(InProcess::new(""), &Options { cases, quick: true, evidence, ..options("level") }).await.unwrap();
    results.artefact_sha256 = Some(hex::encode([7; 32]));
    let key = SigningKey::from_bytes(&[5; 32]);
    let bytes = sign(&corpus, &target(), &results, folder.path(), &terms(), &key).unwrap();
    let statement: Statement = serde_json::from_slice(&dsse::parse(&bytes).unwrap().payload).unwrap();
    assert!(statement.predicate.cells.iter().all(|cell| cell.level == 1), "{:?}", statement.predicate.cells);
    assert!(statement::registry_digest().len() == 64);
}
