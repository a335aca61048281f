//! The committed table: clause, level, what tests it, which fault breaks it, or why nothing can.
use crate::citations::{By, Citation};
use crate::clauses::{Entry, Registry};
use crate::spec::{Clauses, Id, Level};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Where the table stands.
pub const PATH: &str = "spec/coverage.md";

const HEAD: &str = "# Coverage

Written by `cargo xtask clauses --write`; do not edit. Each clause with its level, the tests and vectors that cite it,
the conformance cases, the faults that violate it on purpose (← the case that kills each), or the reason why it has no test
(`registry/clauses.json`).
";

/// Writes the table as Markdown.
pub fn table(clauses: &Clauses, registry: &Registry, citations: &BTreeSet<Citation>) -> String {
    let mut out = format!("{HEAD}\n{}\n", summary(clauses, registry, citations));
    let mut documents: BTreeMap<&str, Vec<&Id>> = BTreeMap::new();
    for (id, clause) in clauses {
        documents.entry(&clause.document).or_default().push(id);
    }
    for (document, ids) in documents {
        let name = document.trim_start_matches("spec/");
        let _ = writeln!(out, "\n## [{name}]({name})\n");
        out.push_str("| clause | level | tests | cases | faults | reason |\n|---|---|---|---|---|---|\n");
        for id in ids {
            let level = clauses[id].level.word();
            let tests = [names(citations, id, By::Test), names(citations, id, By::Vector)].concat();
            let cases = names(citations, id, By::Case);
            let faults = names(citations, id, By::Fault);
            let reason = registry.get(id).map_or(String::new(), reason);
            let _ = writeln!(
                out,
                "| {id} | {level} | {} | {} | {} | {reason} |",
                tests.join("<br>"),
                cases.join("<br>"),
                faults.join("<br>")
            );
        }
    }
    let retired: Vec<String> = registry.iter().filter(|(_, e)| e.retired).map(|(id, _)| id.to_string()).collect();
    if !retired.is_empty() {
        let _ = writeln!(out, "\n## Retired\n\n{}", retired.join(", "));
    }
    out
}

/// One sentence of counts.
pub fn summary(clauses: &Clauses, registry: &Registry, citations: &BTreeSet<Citation>) -> String {
    let musts: Vec<&Id> = clauses.iter().filter(|(_, c)| c.level == Level::Must).map(|(id, _)| id).collect();
    let cited =
        |by: &[By]| musts.iter().filter(|id| citations.iter().any(|c| c.id == ***id && by.contains(&c.by))).count();
    let tested = cited(&[By::Test, By::Vector, By::Case]);
    let reasoned = musts.iter().filter(|id| registry.get(**id).is_some_and(|e| e.reason.is_some())).count();
    let (cases, faults) = (cited(&[By::Case]), cited(&[By::Fault]));
    format!(
        "{} clauses, {} of them MUST: {tested} tested, {cases} by a conformance case, {faults} with a fault that \
         violates them, {reasoned} with a closed reason.",
        clauses.len(),
        musts.len()
    )
}

fn names(citations: &BTreeSet<Citation>, id: &Id, by: By) -> Vec<String> {
    let found: BTreeSet<&str> =
        citations.iter().filter(|c| c.id == *id && c.by == by).map(|c| c.name.as_str()).collect();
    found.into_iter().map(|name| format!("`{name}`")).collect()
}

fn reason(entry: &Entry) -> String {
    let Some(reason) = &entry.reason else { return String::new() };
    let by = entry.by.as_ref().map_or(String::new(), |by| format!(" {by}"));
    format!("{reason}{by}: {}", entry.note.as_deref().unwrap_or_default())
}
