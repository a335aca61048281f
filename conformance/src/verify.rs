//! Judging again: one stored transcript, or a whole folder of results.

use std::collections::HashMap;
use std::path::Path;

use crate::case::Corpus;
use crate::error::{Error, Result};
use crate::judge::{Finding, Verdict, judge};
use crate::run::{Results, cells};
use crate::transcript::{SCHEMA, Transcript};
use crate::wire::h;

/// Reads a transcript; its bytes' digest comes with it.
///
/// # Errors
/// `Evidence` where it cannot be read or is none.
pub fn read(path: &Path) -> Result<(Transcript, String)> {
    let bytes = std::fs::read(path).map_err(|e| Error::Evidence(format!("{}: {e}", path.display())))?;
    let transcript: Transcript =
        serde_json::from_slice(&bytes).map_err(|e| Error::Evidence(format!("{}: {e}", path.display())))?;
    if transcript.schema != SCHEMA {
        return Err(Error::Evidence(format!("{}: schema {}", path.display(), transcript.schema)));
    }
    Ok((transcript, hex::encode(h(&[&bytes]))))
}

/// Judges a stored transcript again, and its control, which lies beside it, before it.
///
/// # Errors
/// `Evidence` where a file is missing, altered or of an unknown case.
pub fn rejudge(corpus: &Corpus, path: &Path) -> Result<(String, Finding)> {
    let (transcript, _) = read(path)?;
    let unknown = |id: &str| Error::Evidence(format!("case {id} is not in this corpus"));
    let case = corpus.case(&transcript.case).ok_or_else(|| unknown(&transcript.case))?;
    let control = match &transcript.control {
        None => None,
        Some(control) => {
            let beside = path.parent().unwrap_or(Path::new(".")).join(format!("{}.json", control.case));
            let (evidence, digest) = read(&beside)?;
            if digest != control.sha256 {
                return Err(Error::Evidence(format!("{}: not the control that {} names", beside.display(), case.id)));
            }
            let control = corpus.case(&control.case).ok_or_else(|| unknown(&control.case))?;
            Some(judge(control, None, &evidence).verdict)
        }
    };
    Ok((case.id.clone(), judge(case, control, &transcript)))
}

/// What `verify` found: a line for each thing that does not hold.
pub struct Verified {
    /// Number of transcripts judged again.
    pub transcripts: usize,
    /// What does not hold.
    pub faults: Vec<String>,
    /// Whether the results say conformant.
    pub conformant: bool,
}

/// Judges every transcript of a results folder again and compares digests, verdicts and summary.
///
/// # Errors
/// `Evidence` where the results themselves cannot be read.
pub fn verify(corpus: &Corpus, folder: &Path) -> Result<Verified> {
    let path = folder.join("results.json");
    let bytes = std::fs::read(&path).map_err(|e| Error::Evidence(format!("{}: {e}", path.display())))?;
    let results: Results =
        serde_json::from_slice(&bytes).map_err(|e| Error::Evidence(format!("{}: {e}", path.display())))?;
    let mut faults = Vec::new();
    if results.corpus != corpus.digest {
        faults.push("the results are of another corpus: verdicts may rightly differ".to_owned());
    }
    let mut verdicts: HashMap<String, Verdict> = HashMap::new();
    let mut transcripts = 0;
    for result in &results.cases {
        let stated = result.finding.verdict;
        if verdicts.insert(result.id.clone(), stated).is_some() {
            faults.push(format!("{}: listed twice", result.id));
        }
        let Some((file, digest)) = &result.transcript else {
            if matches!(stated, Verdict::Pass | Verdict::Warn | Verdict::Fail) {
                faults.push(format!("{}: {} without a transcript", result.id, stated.name()));
            }
            continue;
        };
        transcripts += 1;
        if *file != format!("evidence/{}.json", result.id) {
            faults.push(format!("{}: its transcript is {file}", result.id));
            continue;
        }
        let path = folder.join(file);
        match read(&path) {
            Ok((_, actual)) if actual != *digest => faults.push(format!("{}: the transcript was altered", result.id)),
            Err(error) => faults.push(format!("{}: {error}", result.id)),
            Ok(_) => match rejudge(corpus, &path) {
                Ok((id, finding)) if id != result.id || finding.verdict != stated => {
                    faults.push(format!("{}: stated {}, judged {}", result.id, stated.name(), finding.verdict.name()));
                }
                Err(error) => faults.push(format!("{}: {error}", result.id)),
                Ok(_) => {}
            },
        }
    }
    let conformant = !results.cases.is_empty() && results.cases.iter().all(|case| case.finding.verdict.conforms());
    if conformant != results.conformant {
        faults.push(format!("conformant is {}, the cases say {conformant}", results.conformant));
    }
    let stated: Vec<Verdict> = results.cells.iter().map(|cell| cell.verdict).collect();
    if cells(&results.cases).iter().map(|cell| cell.verdict).collect::<Vec<_>>() != stated {
        faults.push("the cells are not those of the cases".to_owned());
    }
    Ok(Verified { transcripts, faults, conformant })
}
