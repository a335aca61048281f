//! Tidy: style as a check. Sizes, names, links, leftovers.
use crate::check::{Finding, Outcome};
use crate::rust::{LineIndex, code_only, functions, words};
use crate::tree::Tree;

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const COLUMNS: usize = 120;
/// As file, folder or module; whole words of a name joined by `_`.
const BANNED_NAMES: [&str; 6] = ["utils", "util", "common", "helpers", "helper", "manager"];
/// Ends of text files that are looked at.
const TEXT: [&str; 11] = [".rs", ".md", ".toml", ".json", ".proto", ".py", ".sh", ".svg", ".html", ".css", ".js"];
/// Written by a tool.
const GENERATED: [&str; 4] = ["Cargo.lock", "proto/src/hefu.v1.rs", "proto/src/hefu.control.v1.rs", "spec/coverage.md"];
/// Nobody's documents should send a reader to a package host.
const HOSTS: [&str; 5] = ["crates.io", "pypi.org", "pythonhosted.org", "npmjs.org", "npmjs.com"];

/// Checks every text file.
pub fn check(tree: &Tree) -> Result<Outcome, String> {
    let mut findings = Vec::new();
    for path in tree.paths("", "").filter(|p| !GENERATED.contains(p)) {
        findings.extend(banned_name(path));
        let vector = path.starts_with("spec/vectors/") && path.ends_with(".json");
        if vector || !TEXT.iter().any(|end| path.ends_with(end)) && path != ".ci/run" {
            continue;
        }
        let text = tree.text(path)?;
        findings.extend(lines(path, &text));
        if path.ends_with(".rs") {
            findings.extend(rust(path, &text));
        }
        if path.ends_with(".md") {
            findings.extend(dead_links(tree, path, &text));
        }
    }
    Ok(Outcome::from_findings(findings, ""))
}

fn banned_name(path: &str) -> Option<Finding> {
    let stems = path.split('/').map(|name| name.split('.').next().unwrap_or(name));
    let bad = stems.flat_map(|stem| stem.split(['_', '-'])).find(|word| BANNED_NAMES.contains(word))?;
    // The protocol's shared messages: buf expects file names to say what they hold, and this one does.
    if path == "proto/hefu/v1/common.proto" {
        return None;
    }
    Some(Finding::at(path, 1, format!("a file named {bad}"), "name it after what it holds"))
}

fn lines(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sized = path.ends_with(".rs") || path.ends_with(".md");
    let count = text.lines().count();
    if sized && count > FILE_LINES {
        findings.push(Finding::at(
            path,
            count,
            format!("{count} lines, over {FILE_LINES}"),
            "split it by what it does",
        ));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(Finding::at(path, count, "no line end at the end of the file", "end it with one"));
    }
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::at(path, at, "white space at the end of the line", "remove it"));
        }
        if path.starts_with("xtask/src/tidy") {
            continue;
        }
        if ["TODO", "FIXME", "XXX:"].iter().any(|mark| line.contains(mark)) {
            findings.push(Finding::at(
                path,
                at,
                "a note to oneself",
                "do it, or describe the limit in the document it belongs to",
            ));
        }
        if let Some(host) = HOSTS.iter().find(|host| line.contains(**host)) {
            findings.push(Finding::at(path, at, format!("names {host}"), "name the package, not its host"));
        }
    }
    findings
}

/// Comments and code keep to the width; strings, and rows of tables in comments, need not.
fn is_too_wide(line: &str, code: &str) -> bool {
    let comment = line.trim_start();
    let width = if comment.starts_with("//") {
        let is_table_row = comment.trim_start_matches(['/', '!', ' ']).starts_with('|');
        if is_table_row { 0 } else { line.chars().count() }
    } else {
        // A blanked string counts as one column.
        let indent = line.len() - comment.len();
        let words: Vec<&str> = code.split_whitespace().collect();
        indent + words.join(" ").chars().count()
    };
    width > COLUMNS
}

fn rust(path: &str, text: &str) -> Vec<Finding> {
    let code = code_only(text);
    let lines = LineIndex::new(&code);
    let mut findings = Vec::new();
    for (number, (line, code)) in text.lines().zip(code.lines()).enumerate() {
        if is_too_wide(line, code) {
            let fix = "run cargo fmt, or break the text";
            findings.push(Finding::at(path, number + 1, format!("over {COLUMNS} columns"), fix));
        }
    }
    for function in functions(&code) {
        let length = function.last + 1 - function.first;
        if length > FUNCTION_LINES {
            let what = format!("fn {} has {length} lines, over {FUNCTION_LINES}", function.name);
            findings.push(Finding::at(path, function.first, what, "take out the steps that have a name"));
        }
    }
    for at in words(&code, "fn") {
        if code[at + 2..].trim_start().starts_with("get_") && !is_generated_name(&code[at + 2..]) {
            findings.push(Finding::at(path, lines.of(at), "fn get_…", "name it after what it gives"));
        }
    }
    for at in words(&code, "mod") {
        let name: String =
            code[at + 3..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.split('_').any(|word| BANNED_NAMES.contains(&word)) {
            findings.push(Finding::at(path, lines.of(at), format!("mod {name}"), "name it after what it holds"));
        }
    }
    findings
}

/// Methods whose names the protocol files dictate, as `GetJob` does `get_job`.
fn is_generated_name(rest: &str) -> bool {
    let name: String = rest.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    const RPCS: [&str; 10] = [
        "get_status",
        "get_job",
        "get_result",
        "get_model",
        "get_versions",
        "get_capabilities",
        "get_dataset",
        "get_usage",
        "get_catalog_entry",
        "get_own_usage",
    ];
    RPCS.contains(&name.as_str())
}

fn dead_links(tree: &Tree, path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        for named in named_paths(line).filter(|named| !tree.exists(named)) {
            findings.push(Finding::at(path, number + 1, format!("no such file: {named}"), "name a file that exists"));
        }
        for target in links(line) {
            let file = target.split('#').next().unwrap_or(target);
            let outside = target.contains("://") || target.starts_with("mailto:") || file.is_empty();
            if !outside && !resolve(path, file).is_some_and(|resolved| tree.exists(&resolved)) {
                findings.push(Finding::at(
                    path,
                    number + 1,
                    format!("a dead link: {target}"),
                    "name a file that exists",
                ));
            }
        }
    }
    findings
}

/// Paths of the project in backticks; those with a placeholder in capitals or a wildcard are not looked at.
fn named_paths(line: &str) -> impl Iterator<Item = &str> {
    const FOLDERS: [&str; 7] = ["sdk/", "spec/", "proto/", "conformance/", "reference-server/", "xtask/", "docs/"];
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|text| {
        let placeholder = text.contains(['*', ' ', '…']) || text.split('/').any(|n| n.starts_with("NAME"));
        FOLDERS.iter().any(|folder| text.starts_with(folder)) && !placeholder
    })
}

/// Targets of `](…)`, `src="…"` and `href="…"`.
fn links(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (open, close) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
        found.extend(line.split(open).skip(1).filter_map(|rest| rest.split(close).next()));
    }
    found
}

/// A relative path as seen from the root; nothing when it leaves the project.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut names: Vec<&str> = from.split('/').collect();
    names.pop();
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        match check(&Tree::of(files)) {
            Ok(Outcome::Findings(found)) => found.into_iter().map(|f| format!("{} {}", f.place, f.what)).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn long_files_functions_and_lines_are_found() {
        let long = "fn f() {\n".to_owned() + &"    g();\n".repeat(70) + "}\n";
        assert_eq!(found(&[("a.rs", &long)]), ["a.rs:1 fn f has 72 lines, over 70"]);
        assert_eq!(found(&[("a.md", &"x\n".repeat(601))]), ["a.md:601 601 lines, over 600"]);
        assert_eq!(found(&[("a.rs", &("//".to_owned() + &"x".repeat(119) + "\n"))]), ["a.rs:1 over 120 columns"]);
        let text = format!("const A: &str = \"{}\";\n", "x".repeat(119));
        assert!(found(&[("a.rs", &text)]).is_empty());
        let code = format!("const A: u8 = {};\n", "1 + ".repeat(30) + "1");
        assert_eq!(found(&[("a.rs", &code)]), ["a.rs:1 over 120 columns"]);
        assert!(found(&[("a.rs", &("/// | ".to_owned() + &"x |".repeat(60) + "\n"))]).is_empty());
        assert!(found(&[("a.md", &"x\n".repeat(600)), ("b.md", &("x".repeat(200) + "\n"))]).is_empty());
    }

    #[test]
    fn banned_names_are_found_as_files_modules_and_functions() {
        assert_eq!(found(&[("src/string_utils.rs", "")]), ["src/string_utils.rs:1 a file named utils"]);
        assert_eq!(found(&[("a.rs", "mod helpers;\nfn get_rows() {}\n// fn get_x\n")]).len(), 2);
        assert!(found(&[("a.rs", "mod commons;\nasync fn get_job() {}\nfn target() {}\n")]).is_empty());
    }

    #[test]
    fn dead_links_are_found_and_live_ones_are_not() {
        let text = "[a](b.md#x) [c](../d/e.md) [f](https://x.y) <img src=\"g.svg\">\n```\n[no](link)\n```\n";
        let files = [("s/a.md", text), ("s/b.md", ""), ("d/e.md", ""), ("s/g.svg", "")];
        assert!(found(&files).is_empty());
        assert_eq!(found(&files[..2]), ["s/a.md:1 a dead link: ../d/e.md", "s/a.md:1 a dead link: g.svg"]);
        assert_eq!(resolve("a.md", "../../x"), None);
        let named = "see `sdk/no.rs`, `sdk/yes.rs`, `sdk/`, `spec/NAME.md`, `sdk run`, sdk/plain.rs\n";
        assert_eq!(found(&[("a.md", named), ("sdk/yes.rs", "")]), ["a.md:1 no such file: sdk/no.rs"]);
    }

    #[test]
    fn leftovers_are_found() {
        assert_eq!(found(&[("a.md", "x \n")]), ["a.md:1 white space at the end of the line"]);
        assert_eq!(found(&[("a.py", "# TODO later\n")]), ["a.py:1 a note to oneself"]);
        assert_eq!(found(&[("a.toml", "url = \"https://pypi.org\"\n")]), ["a.toml:1 names pypi.org"]);
        assert_eq!(found(&[("a.md", "x")]), ["a.md:1 no line end at the end of the file"]);
    }
}
