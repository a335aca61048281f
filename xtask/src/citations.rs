//! Who cites which clause: tests, vectors, conformance cases, faults.
//!
//! A test cites in a comment, `clause: FRAME-5` or `clause: FRAME-5, FRAME-6`, inside its body or right above it. At
//! the top of a test file (`//!`) the citation holds for the whole file.
use crate::rust::{Function, LineIndex, code_only, functions, test_regions};
use crate::spec::Id;
use crate::tree::Tree;
use std::collections::BTreeSet;

/// What cites a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    Test,
    Vector,
    Case,
    Fault,
    /// A comment outside tests: no proof, but the id must exist.
    Mention,
}

/// One citation, with the place that makes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Citation {
    pub id: Id,
    pub by: By,
    /// Test, vector, case or fault.
    pub name: String,
    pub path: String,
    pub line: usize,
}

/// Every citation in the tree; the checks' own sources, which cite made-up ids, are left out.
pub fn collect(tree: &Tree) -> Result<BTreeSet<Citation>, String> {
    let mut found = BTreeSet::new();
    for path in tree.paths("", ".rs").filter(|p| !p.starts_with("xtask/") && !p.starts_with("proto/")) {
        found.extend(in_rust(path, &tree.text(path)?));
    }
    for path in tree.paths("spec/model/", ".py") {
        found.extend(in_python(path, &tree.text(path)?));
    }
    for path in tree.paths("spec/vectors/", ".json") {
        let text = tree.text(path)?;
        if text.contains("\"clause\"") {
            found.extend(in_json(path, &text)?);
        }
    }
    for (folder, by) in [("conformance/src/corpus/", By::Case), ("conformance/src/faults/", By::Fault)] {
        for path in tree.paths(folder, ".toml") {
            found.extend(in_toml(path, &tree.text(path)?, by)?);
        }
    }
    Ok(found)
}

fn in_rust(path: &str, text: &str) -> Vec<Citation> {
    let code = code_only(text);
    let lines = LineIndex::new(&code);
    let test_file = path.ends_with("tests.rs") || path.contains("/tests/");
    let regions: Vec<(usize, usize)> =
        test_regions(&code).into_iter().map(|(first, last)| (lines.of(first), lines.of(last))).collect();
    let known = functions(&code);
    let module = module_of(path);
    let mut found = Vec::new();
    for (number, comment) in comments(text, "//") {
        let in_test = test_file || regions.iter().any(|(first, last)| (*first..=*last).contains(&number));
        let whole_file = test_file && comment.starts_with("//!");
        let name = match function_at(&known, number) {
            Some(function) if in_test && !whole_file => format!("{module}::{}", function.name),
            _ => module.clone(),
        };
        let by = if in_test { By::Test } else { By::Mention };
        for id in cited(comment) {
            found.push(Citation { id, by, name: name.clone(), path: path.to_owned(), line: number });
        }
    }
    found
}

fn in_python(path: &str, text: &str) -> Vec<Citation> {
    let mut found = Vec::new();
    for (number, comment) in comments(text, "#") {
        let test = text.lines().skip(number).find_map(|line| line.trim().strip_prefix("def test_"));
        let name = test.and_then(|rest| rest.split('(').next());
        let by = if name.is_some() { By::Test } else { By::Mention };
        let name = format!("model::{}", name.map_or(String::new(), |n| format!("test_{n}")));
        for id in cited(comment) {
            found.push(Citation { id, by, name: name.clone(), path: path.to_owned(), line: number });
        }
    }
    found
}

/// Lines that are comments, with their number.
fn comments<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    text.lines().enumerate().map(|(n, line)| (n + 1, line.trim())).filter(move |(_, line)| line.starts_with(mark))
}

/// The function around a line, else the next one.
fn function_at(functions: &[Function], line: usize) -> Option<&Function> {
    let around = functions.iter().filter(|f| (f.first..=f.last).contains(&line)).max_by_key(|f| f.first);
    around.or_else(|| functions.iter().filter(|f| f.first > line).min_by_key(|f| f.first))
}

/// The ids after `clause:` in a comment.
fn cited(comment: &str) -> Vec<Id> {
    let Some((_, rest)) = comment.split_once("clause:").or_else(|| comment.split_once("clauses:")) else {
        return Vec::new();
    };
    let words =
        rest.split([' ', ',']).map(|w| w.trim_matches(['.', ':', ';', '(', ')', '`'])).filter(|w| !w.is_empty());
    words.filter(|w| *w != "and").map_while(Id::parse).collect()
}

/// `sdk/protocol/src/frame/tests.rs` becomes `protocol::frame`; `sdk/core/tests/registry.rs`, `core::registry`.
fn module_of(path: &str) -> String {
    let path = path.trim_start_matches("sdk/").trim_end_matches(".rs");
    let names = path.split('/').filter(|n| !matches!(*n, "src" | "tests" | "mod" | "lib" | "main"));
    names.collect::<Vec<_>>().join("::")
}

fn in_json(path: &str, text: &str) -> Result<Vec<Citation>, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| format!("{path}: {e}"))?;
    let ids: Vec<&str> = match value.get("clause") {
        Some(serde_json::Value::String(id)) => vec![id],
        Some(serde_json::Value::Array(ids)) => ids.iter().filter_map(serde_json::Value::as_str).collect(),
        _ => Vec::new(),
    };
    let name = path.trim_start_matches("spec/vectors/").trim_end_matches(".json");
    Ok(citations(path, text, By::Vector, name, &ids))
}

fn in_toml(path: &str, text: &str, by: By) -> Result<Vec<Citation>, String> {
    let table: toml::Table = text.parse().map_err(|e| format!("{path}: {e}"))?;
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".toml");
    let mut found = Vec::new();
    for entry in entries(&table) {
        let name = entry.get("id").and_then(toml::Value::as_str).unwrap_or(stem);
        let killers = entry.get("killers").and_then(toml::Value::as_array).into_iter().flatten();
        let killers: Vec<&str> = killers.filter_map(toml::Value::as_str).collect();
        let name = if killers.is_empty() { name.to_owned() } else { format!("{name} ← {}", killers.join(", ")) };
        let ids: Vec<&str> = match entry.get("clause") {
            Some(toml::Value::String(id)) => vec![id],
            Some(toml::Value::Array(ids)) => ids.iter().filter_map(toml::Value::as_str).collect(),
            _ => Vec::new(),
        };
        found.extend(citations(path, text, by, &name, &ids));
    }
    Ok(found)
}

/// The table itself, and each table of an array in it, such as `[[case]]`.
fn entries(table: &toml::Table) -> Vec<&toml::Table> {
    let inner = table.values().filter_map(toml::Value::as_array).flatten().filter_map(toml::Value::as_table);
    std::iter::once(table).chain(inner).collect()
}

fn citations(path: &str, text: &str, by: By, name: &str, ids: &[&str]) -> Vec<Citation> {
    let line = |id: &str| text.lines().position(|l| l.contains(id)).map_or(1, |n| n + 1);
    let parsed = ids.iter().filter_map(|id| Some((Id::parse(id)?, line(id))));
    parsed.map(|(id, line)| Citation { id, by, name: name.to_owned(), path: path.to_owned(), line }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(found: &[Citation]) -> Vec<String> {
        found.iter().map(|c| format!("{} {:?} {} {}", c.id, c.by, c.name, c.line)).collect()
    }

    #[test]
    fn a_comment_cites_for_the_test_around_or_below_it() {
        let text = "fn ships() {} // not here\n#[cfg(test)]\nmod tests {\n    \
            /// clause: FRAME-5, FRAME-6: before allocation\n    \
            #[test]\n    fn capped() {\n        // clause: FRAME-7.\n    }\n}\n";
        let found = in_rust("sdk/protocol/src/frame.rs", text);
        let name = "protocol::frame::capped";
        assert_eq!(
            flat(&found),
            [format!("FRAME-5 Test {name} 4"), format!("FRAME-6 Test {name} 4"), format!("FRAME-7 Test {name} 7")]
        );
    }

    #[test]
    fn outside_tests_it_is_a_mention_and_at_the_top_it_holds_for_the_file() {
        assert_eq!(flat(&in_rust("sdk/a/src/b.rs", "/// clause: ENV-1\nfn f() {}")), ["ENV-1 Mention a::b 1"]);
        let found = in_rust("sdk/a/tests/c.rs", "//! clause: ENV-1 and ENV-2\n#[test]\nfn t() {}");
        assert_eq!(flat(&found), ["ENV-1 Test a::c 1", "ENV-2 Test a::c 1"]);
    }

    #[test]
    fn data_files_cite_by_a_member() {
        let vector = in_json("spec/vectors/frame/bad_version.json", "{\n\"clause\": [\"FRAME-1\"]}");
        assert_eq!(vector.map(|f| flat(&f)), Ok(vec!["FRAME-1 Vector frame/bad_version 2".to_owned()]));
        let case = in_toml("conformance/src/corpus/core/f.toml", "id = \"core/f\"\nclause = \"FRAME-1\"\n", By::Case);
        assert_eq!(case.map(|f| flat(&f)), Ok(vec!["FRAME-1 Case core/f 2".to_owned()]));
        let many = "[[case]]\nid = \"a\"\nclause = \"ENV-1\"\n[[case]]\nid = \"b\"\nclause = \"ENV-2\"\n";
        let found = in_toml("conformance/src/corpus/x.toml", many, By::Case).map(|f| flat(&f));
        assert_eq!(found, Ok(vec!["ENV-1 Case a 3".to_owned(), "ENV-2 Case b 6".to_owned()]));
        let fault = "[[fault]]\nid = \"a\"\nclause = \"ENV-1\"\nkillers = [\"ENV-N-001\"]\n";
        let found = in_toml("conformance/src/faults/x.toml", fault, By::Fault).map(|f| flat(&f));
        assert_eq!(found, Ok(vec!["ENV-1 Fault a ← ENV-N-001 3".to_owned()]));
    }

    #[test]
    fn python_tests_cite_too() {
        let found = in_python("spec/model/test_frame.py", "# clause: FRAME-1\ndef test_short():\n    pass\n");
        assert_eq!(flat(&found), ["FRAME-1 Test model::test_short 1"]);
    }
}
