//! Clauses: every MUST is traced to a test or to a closed reason, and no sentence changes unseen.
use crate::check::{Finding, Outcome};
use crate::citations::{By, Citation, collect};
use crate::coverage::{PATH as TABLE, summary, table};
use crate::spec::{Clauses, Id, Level, read};
use crate::tree::{Tree, root};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const REGISTRY: &str = "spec/registry/clauses.json";
const REASONS: [&str; 4] = ["unobservable", "covered-by", "operational", "review-only"];

/// What the registry says of one clause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Hash of the sentence that was last looked at together with its tests.
    pub hash: String,
    /// One of the closed reasons, where no test can exist.
    pub reason: Option<String>,
    /// The clause that covers this one.
    pub by: Option<String>,
    pub note: Option<String>,
    /// The sentence is gone; its id is never used again.
    pub retired: bool,
}

/// The registry of clauses.
pub type Registry = BTreeMap<Id, Entry>;

/// Checks sentences, citations, reasons and the committed table.
pub fn check(tree: &Tree) -> Result<Outcome, String> {
    let (clauses, mut findings) = read(tree)?;
    let registry = load(tree)?;
    let citations = collect(tree)?;
    findings.extend(unknown_ids(tree, &clauses, &registry, &citations)?);
    findings.extend(changed(&clauses, &registry));
    findings.extend(unproven(&clauses, &registry, &citations));
    findings.extend(bad_reasons(&clauses, &registry));
    let fresh = table(&clauses, &registry, &citations);
    let committed = if tree.exists(TABLE) { tree.text(TABLE)? } else { "".into() };
    if fresh != committed {
        findings.push(Finding::at(TABLE, 1, "is out of date", "run: cargo xtask clauses --write"));
    }
    Ok(Outcome::from_findings(findings, summary(&clauses, &registry, &citations)))
}

/// Takes every sentence as it stands now, retires the ids that are gone, and writes the table.
pub fn accept() -> Result<(), String> {
    let tree = Tree::open()?;
    let (clauses, _) = read(&tree)?;
    let mut registry = load(&tree)?;
    take(&clauses, &mut registry);
    let path = root().join(REGISTRY);
    std::fs::write(&path, write(&registry)?).map_err(|e| format!("{}: {e}", path.display()))?;
    write_table()
}

/// Writes the table from the tree as it stands.
pub fn write_table() -> Result<(), String> {
    let tree = Tree::open()?;
    let (clauses, _) = read(&tree)?;
    let text = table(&clauses, &load(&tree)?, &collect(&tree)?);
    std::fs::write(root().join(TABLE), text).map_err(|e| format!("{TABLE}: {e}"))
}

fn take(clauses: &Clauses, registry: &mut Registry) {
    for (id, clause) in clauses {
        let entry = registry.entry(id.clone()).or_default();
        (entry.hash, entry.retired) = (clause.hash(), false);
    }
    for (id, entry) in registry.iter_mut().filter(|(id, _)| !clauses.contains_key(id)) {
        *entry = Entry { hash: std::mem::take(&mut entry.hash), retired: true, ..Entry::default() };
        eprintln!("{id} is retired");
    }
}

fn load(tree: &Tree) -> Result<Registry, String> {
    if !tree.exists(REGISTRY) {
        return Ok(Registry::new());
    }
    let value: Value = serde_json::from_str(&tree.text(REGISTRY)?).map_err(|e| format!("{REGISTRY}: {e}"))?;
    let entries = value.get("clauses").and_then(Value::as_object).ok_or(format!("{REGISTRY}: no clauses"))?;
    entries.iter().map(|(id, entry)| Ok((Id::parse(id).ok_or(format!("{REGISTRY}: {id}"))?, parse(entry)))).collect()
}

fn parse(entry: &Value) -> Entry {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    Entry {
        hash: text("hash").unwrap_or_default(),
        reason: text("reason"),
        by: text("by"),
        note: text("note"),
        retired: entry.get("retired").and_then(Value::as_bool).unwrap_or(false),
    }
}

fn write(registry: &Registry) -> Result<String, String> {
    let mut clauses = Map::new();
    for (id, entry) in registry {
        let mut object = Map::new();
        object.insert("hash".to_owned(), json!(entry.hash));
        let members = [("reason", &entry.reason), ("by", &entry.by), ("note", &entry.note)];
        for (name, value) in members.into_iter().filter_map(|(name, v)| Some((name, v.as_ref()?))) {
            object.insert(name.to_owned(), json!(value));
        }
        if entry.retired {
            object.insert("retired".to_owned(), json!(true));
        }
        clauses.insert(id.to_string(), Value::Object(object));
    }
    let document = json!({ "registry": "clauses", "version": 1, "reasons": REASONS, "clauses": clauses });
    serde_json::to_string_pretty(&document).map(|text| text + "\n").map_err(|e| e.to_string())
}

/// Ids that are cited, or named in any text, and do not exist.
fn unknown_ids(
    tree: &Tree,
    clauses: &Clauses,
    registry: &Registry,
    citations: &BTreeSet<Citation>,
) -> Result<Vec<Finding>, String> {
    const FIX: &str = "cite a clause that stands in spec/";
    let prefixes: BTreeSet<&str> = clauses.keys().map(|id| id.prefix.as_str()).collect();
    let known = |id: &Id| clauses.contains_key(id) || registry.get(id).is_some_and(|e| e.retired);
    let mut findings: Vec<Finding> = citations
        .iter()
        .filter(|c| !known(&c.id))
        .map(|c| Finding::at(&c.path, c.line, format!("{} does not exist", c.id), FIX))
        .collect();
    let sources = tree.paths("", ".rs").chain(tree.paths("", ".md")).filter(|p| !p.starts_with("xtask/"));
    for path in sources.filter(|p| *p != TABLE) {
        for (number, line) in tree.text(path)?.lines().enumerate() {
            let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            let unknown = words.filter_map(Id::parse).filter(|id| prefixes.contains(id.prefix.as_str()) && !known(id));
            findings.extend(unknown.map(|id| Finding::at(path, number + 1, format!("{id} does not exist"), FIX)));
        }
    }
    Ok(findings)
}

/// Sentences that differ from the ones last accepted, and ids that went away.
fn changed(clauses: &Clauses, registry: &Registry) -> Vec<Finding> {
    const FIX: &str = "look at its tests, then run: cargo xtask clauses --accept";
    let mut findings = Vec::new();
    for (id, clause) in clauses {
        let what = match registry.get(id) {
            None => format!("{id} is new"),
            Some(entry) if entry.retired => format!("{id} was retired and is used again"),
            Some(entry) if entry.hash != clause.hash() => format!("the sentence of {id} changed"),
            Some(_) => continue,
        };
        findings.push(Finding::at(&clause.document, clause.line, what, FIX));
    }
    let gone = registry.iter().filter(|(id, entry)| !entry.retired && !clauses.contains_key(id));
    findings.extend(gone.map(|(id, _)| Finding::at(REGISTRY, 1, format!("{id} stands in no document any more"), FIX)));
    findings
}

/// Each MUST needs a test, a vector or a case, or a reason.
fn unproven(clauses: &Clauses, registry: &Registry, citations: &BTreeSet<Citation>) -> Vec<Finding> {
    let fix = format!("cite it in a test (`clause: ID`), or give one of the closed reasons in {REGISTRY}");
    let proofs = [By::Test, By::Vector, By::Case];
    let proven: BTreeSet<&Id> = citations.iter().filter(|c| proofs.contains(&c.by)).map(|c| &c.id).collect();
    let reasoned = |id: &Id| registry.get(id).is_some_and(|e| e.reason.is_some());
    let open = clauses.iter().filter(|(id, c)| c.level == Level::Must && !proven.contains(id) && !reasoned(id));
    open.map(|(id, c)| Finding::at(&c.document, c.line, format!("{id} has no test and no reason"), fix.clone()))
        .collect()
}

fn bad_reasons(clauses: &Clauses, registry: &Registry) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, entry) in registry {
        let Some(reason) = &entry.reason else { continue };
        let covered = entry.by.as_deref().and_then(Id::parse).is_some_and(|by| clauses.contains_key(&by));
        if !REASONS.contains(&reason.as_str()) {
            let what = format!("{id}: {reason} is not a reason");
            findings.push(Finding::at(REGISTRY, 1, what, format!("use one of {}", REASONS.join(", "))));
        } else if reason == "covered-by" && !covered {
            findings.push(Finding::at(REGISTRY, 1, format!("{id}: covered by what?"), "name a clause in `by`"));
        } else if entry.note.as_deref().is_none_or(str::is_empty) {
            findings.push(Finding::at(REGISTRY, 1, format!("{id}: a reason without a note"), "say why in `note`"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str =
        "- **ENV-1** A receiver MUST refuse it.\n- **ENV-2** It MUST hold.\n- **ENV-3** It SHOULD hold.\n";
    const TEST: &str = "// clause: ENV-1\n#[test]\nfn refused() {}\n";

    fn whats(files: &[(&str, &str)]) -> Vec<String> {
        match check(&Tree::of(files)) {
            Ok(Outcome::Findings(found)) => found.into_iter().map(|f| f.what).collect(),
            _ => Vec::new(),
        }
    }

    fn accepted(reason: Option<(&str, &str)>) -> String {
        let tree = Tree::of(&[("spec/env.md", SPEC)]);
        let (clauses, _) = read(&tree).unwrap_or_default();
        let mut registry = Registry::new();
        take(&clauses, &mut registry);
        if let (Some((reason, by)), Some(entry)) = (reason, Id::parse("ENV-2").and_then(|id| registry.get_mut(&id))) {
            (entry.reason, entry.by) = (Some(reason.to_owned()), Some(by.to_owned()));
            entry.note = Some("because".to_owned());
        }
        write(&registry).unwrap_or_default()
    }

    #[test]
    fn a_must_without_test_or_reason_is_found() {
        let files = [("spec/env.md", SPEC), ("sdk/a/tests/t.rs", TEST), (REGISTRY, &accepted(None)[..])];
        assert_eq!(whats(&files), ["is out of date", "ENV-2 has no test and no reason"]);
        let files = [
            ("spec/env.md", SPEC),
            ("sdk/a/tests/t.rs", TEST),
            (REGISTRY, &accepted(Some(("covered-by", "ENV-1")))[..]),
        ];
        assert_eq!(whats(&files), ["is out of date"]);
    }

    #[test]
    fn reasons_are_a_closed_list() {
        let files =
            [("spec/env.md", SPEC), ("sdk/a/tests/t.rs", TEST), (REGISTRY, &accepted(Some(("too-hard", "")))[..])];
        assert!(whats(&files).contains(&"ENV-2: too-hard is not a reason".to_owned()));
        let files =
            [("spec/env.md", SPEC), ("sdk/a/tests/t.rs", TEST), (REGISTRY, &accepted(Some(("covered-by", "X-9")))[..])];
        assert!(whats(&files).contains(&"ENV-2: covered by what?".to_owned()));
    }

    #[test]
    fn a_changed_new_or_lost_sentence_is_found() {
        let changed = SPEC.replace("refuse", "ignore").replace("ENV-3", "ENV-4");
        let found = whats(&[("spec/env.md", &changed), ("sdk/a/tests/t.rs", TEST), (REGISTRY, &accepted(None)[..])]);
        for what in ["the sentence of ENV-1 changed", "ENV-4 is new", "ENV-3 stands in no document any more"] {
            assert!(found.contains(&what.to_owned()), "{what}");
        }
    }

    #[test]
    fn an_unknown_id_is_found_where_it_is_cited_and_where_it_is_named() {
        let cites = TEST.replace("ENV-1", "ENV-9");
        let found = whats(&[("spec/env.md", SPEC), ("sdk/a/tests/t.rs", &cites), ("docs/x.md", "see ENV-8, SHA-256")]);
        assert!(
            found.contains(&"ENV-9 does not exist".to_owned()) && found.contains(&"ENV-8 does not exist".to_owned())
        );
        assert!(!found.iter().any(|w| w.contains("SHA")));
    }

    #[test]
    fn the_table_is_compared_and_a_retired_id_stays_listed() {
        let mut registry = Registry::new();
        let tree = Tree::of(&[("spec/env.md", SPEC), ("sdk/a/tests/t.rs", TEST)]);
        let (mut clauses, _) = read(&tree).unwrap_or_default();
        take(&clauses, &mut registry);
        let _ = Id::parse("ENV-2").and_then(|id| clauses.remove(&id));
        take(&clauses, &mut registry);
        let text = table(&clauses, &registry, &collect(&tree).unwrap_or_default());
        assert!(text.contains("| ENV-1 | MUST | `a::t::refused` |  |  |  |") && text.contains("## Retired\n\nENV-2"));
        let kept = SPEC.replace("- **ENV-2** It MUST hold.\n", "");
        let files = [
            ("spec/env.md", &kept[..]),
            ("sdk/a/tests/t.rs", TEST),
            (REGISTRY, &write(&registry).unwrap_or_default()),
            (TABLE, &text),
        ];
        assert_eq!(whats(&files), [""; 0]);
    }
}
