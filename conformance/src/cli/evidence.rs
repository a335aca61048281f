//! `judge`, `verify`, `keygen`.

use std::path::{Path, PathBuf};

use hefu_conformance::case::Corpus;
use hefu_conformance::judge::{Finding, Verdict};
use hefu_conformance::statement::{self, key};
use hefu_conformance::{Error, Result, verify};
use serde_json::json;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The statement, or a folder that `run --out` wrote
    statement: PathBuf,
    /// Whom to believe (TOML): [[key]] with name, public_key and, where not self alone, assurance
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Folder of the transcripts; default: evidence beside the statement
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    /// What is withdrawn (TOML): [[revoked]] with keyid or statement, and reason
    #[arg(long, value_name = "FILE")]
    revoked: Option<PathBuf>,
    /// One JSON object on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn judge(path: &Path, json: bool) -> Result<u8> {
    let corpus = Corpus::embedded()?;
    let (id, finding) = verify::rejudge(&corpus, path)?;
    if json {
        println!("{}", json!({ "case": id, "finding": finding }));
    } else {
        let Finding { verdict, reason, sent, expected, got } = &finding;
        println!("{} {id}", verdict.name());
        for (name, value) in [("sent", sent), ("expected", expected), ("got", got), ("reason", reason)] {
            if !value.is_empty() {
                println!("{name:<9} {value}");
            }
        }
    }
    Ok(if finding.verdict == Verdict::Error { 4 } else { u8::from(!finding.verdict.conforms()) })
}

pub(super) fn verify(arguments: &Arguments) -> Result<u8> {
    if arguments.statement.is_dir() {
        return folder(&arguments.statement, arguments.json);
    }
    let trust = arguments.trust.as_deref();
    let trust = trust.ok_or_else(|| Error::Configuration("verify STATEMENT needs --trust FILE".into()))?;
    let trust: key::Trust = key::read_toml(trust)?;
    let revoked: key::Revoked = arguments.revoked.as_deref().map(key::read_toml).transpose()?.unwrap_or_default();
    let path = &arguments.statement;
    let bytes = std::fs::read(path).map_err(|e| Error::Evidence(format!("{}: {e}", path.display())))?;
    let beside = path.parent().unwrap_or(Path::new(".")).join("evidence");
    let evidence = match &arguments.evidence {
        // The folder of a whole run will do.
        Some(folder) if folder.join("evidence").is_dir() => folder.join("evidence"),
        Some(folder) => folder.clone(),
        None => beside,
    };
    let corpus = Corpus::embedded()?;
    match statement::verify(&corpus, &bytes, &trust, &revoked, &evidence, statement::now()) {
        Err(refusal) => {
            if arguments.json {
                println!("{}", json!({ "holds": false, "refusal": refusal.name(), "reason": refusal.to_string() }));
            } else {
                println!("refused: {refusal}");
            }
            Ok(1)
        }
        Ok(verified) => {
            let predicate = &verified.statement.predicate;
            if arguments.json {
                println!(
                    "{}",
                    json!({ "holds": true, "signer": verified.signer, "transcripts": verified.transcripts,
                            "conformant": predicate.conformant, "statement": verified.statement })
                );
            } else {
                told(&verified);
            }
            Ok(u8::from(!predicate.conformant))
        }
    }
}

fn told(verified: &statement::Verified) {
    let (statement, predicate) = (&verified.statement, &verified.statement.predicate);
    for subject in &statement.subject {
        println!("subject   {} sha256 {}", subject.name, subject.digest.get("sha256").map_or("", String::as_str));
    }
    let assurance = serde_json::to_value(predicate.assurance).unwrap_or_default();
    println!("signer    {} ({})", verified.signer, assurance.as_str().unwrap_or_default());
    println!("dates     run {}, signed {}, until {}", predicate.started, predicate.signed, predicate.expires);
    println!("control   {}, {}", predicate.control, predicate.adapter);
    for cell in &predicate.cells {
        let (profile, role) = (cell.profile.name(), cell.role.name());
        println!("cell      {profile:<6} {role:<12} level {} {}", cell.level, cell.verdict.name());
    }
    let warned: Vec<&str> =
        predicate.verdicts.iter().filter(|v| v.verdict == Verdict::Warn).map(|v| v.case.as_str()).collect();
    if !warned.is_empty() {
        println!("warnings  {}", warned.join(", "));
    }
    let word = if predicate.conformant { "conformant" } else { "not conformant" };
    println!("evidence  {} transcripts judged again, the same verdicts", verified.transcripts);
    println!("holds     {word} in every case stated. {}", predicate.notice);
}

fn folder(folder: &Path, json: bool) -> Result<u8> {
    let corpus = Corpus::embedded()?;
    let verified = verify::verify(&corpus, folder)?;
    let holds = verified.faults.is_empty();
    if json {
        println!(
            "{}",
            json!({ "holds": holds, "conformant": verified.conformant, "transcripts": verified.transcripts,
                    "faults": verified.faults })
        );
    } else {
        verified.faults.iter().for_each(|fault| println!("{fault}"));
        let word = if verified.conformant { "conformant" } else { "not conformant" };
        println!(
            "{} transcripts judged again: the results {}; they say {word}; they are not signed",
            verified.transcripts,
            if holds { "hold" } else { "do not hold" }
        );
    }
    Ok(u8::from(!(holds && verified.conformant)))
}

pub(super) fn keygen(file: &Path, name: &str) -> Result<u8> {
    let public = key::generate(file)?;
    println!("# key id {}", hefu_conformance::wire::dsse::keyid(&public));
    println!("[[key]]\nname = {}\npublic_key = \"{}\"", serde_json::Value::from(name), hex::encode(public));
    println!("assurance = [\"self\"]");
    Ok(0)
}
