//! Evidence: what is written is judged again to the same verdict, and what is altered is noticed.

use std::path::Path;

use hefu_conformance::case::Corpus;
use hefu_conformance::judge::{Verdict, judge};
use hefu_conformance::run::{Options, Results};
use hefu_conformance::transcript::Event;
use hefu_conformance::{report, verify};

use crate::harness::{options, run};
use crate::reference::InProcess;

async fn results(folder: &Path, fault: &str) -> Results {
    let cases = ["ALIGN-N-004", "FRAME-N-016", "TLS-N-002", "ALIGN-P-008"].map(str::to_owned).to_vec();
    let options = Options { cases, evidence: Some(folder.join("evidence")), ..options("evidence") };
    let results = run(InProcess::new(fault), &options).await.unwrap();
    report::write(folder, &results).unwrap();
    results
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_results_verify_and_altered_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = Corpus::embedded().unwrap();
    let written = results(folder.path(), "").await;
    assert!(written.conformant, "{written:#?}");
    let verified = verify::verify(&corpus, folder.path()).unwrap();
    assert!(verified.faults.is_empty(), "{:?}", verified.faults);
    assert_eq!(verified.transcripts, written.cases.len());

    // One byte of a transcript.
    let path = folder.path().join("evidence/ALIGN-N-004.json");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, whole.replacen("BAD_ELEMENT", "BAD_ELEMENS", 1)).unwrap();
    let faults = verify::verify(&corpus, folder.path()).unwrap().faults;
    assert_eq!(faults, ["ALIGN-N-004: the transcript was altered"]);

    // Another case's transcript in its place.
    std::fs::copy(folder.path().join("evidence/FRAME-N-016.json"), &path).unwrap();
    assert_eq!(verify::verify(&corpus, folder.path()).unwrap().faults.len(), 1);
    std::fs::write(&path, &whole).unwrap();

    // A verdict that does not follow from the evidence.
    let path = folder.path().join("results.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"verdict\": \"PASS\"", "\"verdict\": \"WARN\"", 3)).unwrap();
    assert!(!verify::verify(&corpus, folder.path()).unwrap().faults.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_stays_one_when_judged_again() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = Corpus::embedded().unwrap();
    let written = results(folder.path(), "accepts-identity").await;
    let failed = written.cases.iter().find(|case| case.id == "ALIGN-N-004").unwrap();
    assert_eq!(failed.finding.verdict, Verdict::Fail);
    let (_, again) = verify::rejudge(&corpus, &folder.path().join("evidence/ALIGN-N-004.json")).unwrap();
    assert_eq!(again, failed.finding);
    let verified = verify::verify(&corpus, folder.path()).unwrap();
    assert!(verified.faults.is_empty() && !verified.conformant);
    let page = std::fs::read_to_string(folder.path().join("index.html")).unwrap();
    assert!(page.contains("ALIGN-N-004") && !page.contains("http://") && !page.contains("https://"));
    let junit = std::fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(junit.contains("<failure"));
}

/// clause: ERR-1, ERR-2, ERR-3
#[tokio::test(flavor = "multi_thread")]
async fn the_judge_knows_wrong_refusals_from_right_ones() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = Corpus::embedded().unwrap();
    results(folder.path(), "").await;
    let case = corpus.case("ALIGN-N-004").unwrap();
    let (transcript, _) = verify::read(&folder.path().join("evidence/ALIGN-N-004.json")).unwrap();
    let control = Some(Verdict::Pass);
    assert_eq!(judge(case, control, &transcript).verdict, Verdict::Pass);
    assert_eq!(judge(case, None, &transcript).verdict, Verdict::Inconclusive);
    assert_eq!(judge(case, Some(Verdict::Fail), &transcript).verdict, Verdict::Inconclusive);

    let with_code = |new: Option<u32>| {
        let mut altered = transcript.clone();
        for record in &mut altered.runs[0].events {
            if let Event::Refused { code, name, .. } = &mut record.event {
                (*code, *name) = (new, String::new());
            }
        }
        judge(case, control, &altered)
    };
    assert_eq!(with_code(Some(5005)).verdict, Verdict::Fail);
    assert_eq!(with_code(None).verdict, Verdict::Fail);
    assert_eq!(with_code(Some(5003)).verdict, Verdict::Pass);

    // Dead afterwards.
    let mut dead = transcript.clone();
    dead.runs[1].events.retain(|record| !matches!(record.event, Event::Completed));
    assert!(judge(case, control, &dead).reason.starts_with("ERR-3"));

    // A key of the target in the text of its refusal.
    let mut leak = transcript.clone();
    for record in &mut leak.runs[0].events {
        if let Event::Refused { text, .. } = &mut record.event {
            text.push_str(&leak.canaries[0]);
        }
    }
    assert!(judge(case, control, &leak).reason.starts_with("ALIGN-10"));

    // The deviation was never sent.
    let mut vacuous = transcript.clone();
    vacuous.runs[0].events.retain(|record| !matches!(record.event, Event::Deviation { .. }));
    assert_eq!(judge(case, control, &vacuous).verdict, Verdict::Inconclusive);

    // A late machine blames nobody.
    let mut late = transcript.clone();
    late.lag_ms = late.deadline_ms;
    late.runs[0].events.retain(|record| !matches!(record.event, Event::Refused { .. }));
    late.runs[0].events.push(hefu_conformance::transcript::Record {
        at_us: 0,
        event: Event::Silence { waiting_for: "ALIGN_TAGS".into(), waited_ms: 1 },
    });
    assert_eq!(judge(case, control, &late).verdict, Verdict::Inconclusive);
}

/// Whatever is done to a transcript, the judge gives a verdict and never a PASS to a negative case without its refusal.
#[tokio::test(flavor = "multi_thread")]
async fn the_judge_bears_any_transcript() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = Corpus::embedded().unwrap();
    results(folder.path(), "").await;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % n.max(1) as u64) as usize
    };
    for id in ["ALIGN-N-004", "FRAME-N-016", "TLS-N-002", "ALIGN-P-008"] {
        let case = corpus.case(id).unwrap();
        let (whole, _) = verify::read(&folder.path().join(format!("evidence/{id}.json"))).unwrap();
        for _ in 0..150 {
            let mut altered = whole.clone();
            let run = below(altered.runs.len());
            let events = &mut altered.runs[run].events;
            let (a, b) = (below(events.len()), below(events.len()));
            match below(4) {
                0 => drop(events.remove(a)),
                1 => events.swap(a, b),
                2 => events.truncate(a),
                _ => {
                    let text = serde_json::to_string(&events[a]).unwrap();
                    let at = below(text.len());
                    let cut: String = text.chars().enumerate().filter(|(i, _)| *i != at).map(|(_, c)| c).collect();
                    if let Ok(record) = serde_json::from_str(&cut) {
                        events[a] = record;
                    }
                }
            }
            let finding = judge(case, Some(Verdict::Pass), &altered);
            let refused = altered.runs[0]
                .events
                .iter()
                .any(|r| matches!(r.event, Event::Refused { .. } | Event::Cut { .. } | Event::Raw { .. }));
            assert!(refused || case.id.contains("-P-") || finding.verdict != Verdict::Pass, "{id}: {altered:#?}");
        }
    }
}
