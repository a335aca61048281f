//! The registry of errors and the requirements of the specification, as they were when this binary was built.

use serde::Deserialize;

/// An entry of `spec/registry/errors.json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// Code.
    pub code: u32,
    /// Name.
    pub name: String,
}

#[derive(Deserialize)]
struct File {
    errors: Vec<Entry>,
}

const DOCUMENTS: [(&str, &str); 11] = [
    ("conventions", include_str!("../../spec/conventions.md")),
    ("session", include_str!("../../spec/session.md")),
    ("frame", include_str!("../../spec/frame.md")),
    ("envelope", include_str!("../../spec/envelope.md")),
    ("align", include_str!("../../spec/align.md")),
    ("ringlwe", include_str!("../../spec/ringlwe.md")),
    ("vlr", include_str!("../../spec/vlr.md")),
    ("score", include_str!("../../spec/score.md")),
    ("aggregate", include_str!("../../spec/aggregate.md")),
    ("pooled", include_str!("../../spec/pooled.md")),
    ("errors", include_str!("../../spec/errors.md")),
];

/// All codes.
pub fn errors() -> Vec<Entry> {
    serde_json::from_str::<File>(include_str!("../../spec/registry/errors.json")).map(|f| f.errors).unwrap_or_default()
}

/// Name of a code; empty if unknown.
pub fn name(code: u32) -> String {
    errors().into_iter().find(|e| e.code == code).map(|e| e.name).unwrap_or_default()
}

/// A requirement: where it stands and what it says.
#[derive(Debug, Clone)]
pub struct Clause {
    /// Document and section, such as `align 4`.
    pub place: String,
    /// The sentence.
    pub text: String,
}

/// Ids of all requirements, in the order of the documents.
pub fn clause_ids() -> Vec<String> {
    let lines = DOCUMENTS.iter().flat_map(|(_, text)| text.lines());
    let ids = lines.filter_map(|line| line.strip_prefix("- **")?.split_once("** ").map(|(id, _)| id.to_owned()));
    ids.collect()
}

/// The requirement of an id.
pub fn clause(id: &str) -> Option<Clause> {
    let mark = format!("- **{id}** ");
    for (document, text) in DOCUMENTS {
        let mut section = String::new();
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                section = heading.split(' ').next().unwrap_or_default().to_owned();
            }
            if let Some(sentence) = line.strip_prefix(&mark) {
                return Some(Clause { place: format!("{document} {section}"), text: sentence.to_owned() });
            }
        }
    }
    None
}

impl Clause {
    /// Names of codes that the sentence allows.
    pub fn codes(&self) -> Vec<String> {
        let parts = self.text.split('`').skip(1).step_by(2);
        parts.filter(|p| errors().iter().any(|e| e.name == *p)).map(str::to_owned).collect()
    }

    /// `SHOULD` or `MUST`.
    pub fn level(&self) -> &'static str {
        if self.text.contains("SHOULD") { "SHOULD" } else { "MUST" }
    }
}
