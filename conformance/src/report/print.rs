//! What people read in a terminal.

use crate::case::{Case, Corpus};
use crate::judge::{Finding, Verdict};
use crate::registry;
use crate::run::{CaseResult, Results};

/// One line of a case that is done.
pub fn line(result: &CaseResult, done: usize, total: usize, left: std::time::Duration) -> String {
    let verdict = result.finding.verdict.name();
    format!("[{done:>3}/{total}] {verdict:<12} {:<12} {} ({} s left)", result.id, result.title, left.as_secs())
}

/// Everything about a case that does not conform.
pub fn failure(case: &Case, finding: &Finding, seed: &str) -> String {
    let alive = !finding.reason.starts_with("ERR-3");
    let clause = registry::clause(&case.clause);
    let (place, level) = clause.map_or_else(Default::default, |c| (c.place.clone(), c.level()));
    let control = match &case.control {
        None => "none: this case is a control itself".to_owned(),
        Some(id) if finding.verdict == Verdict::Inconclusive => format!("{id}; {}", finding.reason),
        Some(id) => format!("{id} passed; target {} afterwards", if alive { "alive" } else { "not alive" }),
    };
    let mut out = format!(
        "{} {}  {} {level}  spec {place}  {}\n",
        finding.verdict.name(),
        case.id,
        case.clause,
        case.role.name()
    );
    for (name, value) in [
        ("case", case.title.as_str()),
        ("sent", &finding.sent),
        ("expected", &finding.expected),
        ("got", &finding.got),
        ("reason", &finding.reason),
        ("control", &control),
        ("why", &case.why),
        ("rerun", &format!("hefu-conformance run --target FILE --case {} --seed {seed}", case.id)),
        ("rejudge", &format!("hefu-conformance judge DIR/evidence/{}.json", case.id)),
    ] {
        if !value.is_empty() {
            out.push_str(&format!("{name:<9} {value}\n"));
        }
    }
    out
}

/// The summary of a run.
pub fn summary(results: &Results) -> String {
    let mut out = String::new();
    for cell in &results.cells {
        let counts: Vec<String> = cell.counts.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
        out.push_str(&format!(
            "{:<6} {:<12}  {:<12} {}\n",
            cell.profile.name(),
            cell.role.name(),
            cell.verdict.name(),
            counts.join(", ")
        ));
    }
    let word = if results.conformant { "conformant in every case run" } else { "not conformant" };
    out + &format!(
        "{}: {word}, {} cases in {} s, seed {}\n",
        results.target,
        results.cases.len(),
        results.seconds,
        results.seed
    )
}

/// A case, or the requirement of an id with its cases.
pub fn explain(corpus: &Corpus, id: &str) -> Option<String> {
    if let Some(case) = corpus.case(id) {
        let mut out = format!("{}  {}\n", case.id, case.title);
        if let Some(clause) = registry::clause(&case.clause) {
            out.push_str(&format!("requires  {} ({}): {}\n", case.clause, clause.place, clause.text));
        }
        out.push_str(&format!("why       {}\n", case.why));
        if let Some(control) = &case.control {
            out.push_str(&format!("control   {control}\n"));
        }
        if let Some(operator) = case.operator.as_ref().and_then(|o| serde_json::to_string(o).ok()) {
            out.push_str(&format!("operator  {operator}\n"));
        }
        let mut expected = case.expect.codes.clone();
        if case.expect.transport {
            expected.push("a TLS alert or a closed connection".into());
        }
        out.push_str(&format!(
            "expects   {}\n",
            if expected.is_empty() { "success".into() } else { expected.join(" or ") }
        ));
        return Some(out);
    }
    let id = id.to_uppercase();
    let clause = registry::clause(&id)?;
    let mut out = format!("{id} ({}): {}\n", clause.place, clause.text);
    for case in corpus.cases.iter().filter(|case| case.clause == id || case.also.contains(&id)) {
        out.push_str(&format!("  {:<12} {}\n", case.id, case.title));
    }
    Some(out)
}
