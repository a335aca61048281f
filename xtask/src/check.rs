//! Runs checks, and prints one line for each, or what it found.
use crate::tree::Tree;
use crate::{cargo, clauses, floors, generate, protolint, python, tidy};
use std::io::Write;
use std::time::Instant;

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// File and line, such as `spec/frame.md:12`; or the command that failed.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub fix: String,
}

impl Finding {
    /// A finding at a line of a file, counted from 1.
    pub fn at(path: &str, line: usize, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { place: format!("{path}:{line}"), what: what.into(), fix: fix.into() }
    }
}

/// What a check ends with.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing found; a figure to print, or nothing.
    Clean(String),
    /// What to mend.
    Findings(Vec<Finding>),
    /// The check could not run here, and why.
    Skipped(String),
}

impl Outcome {
    /// Clean when `findings` is empty.
    pub fn from_findings(mut findings: Vec<Finding>, figure: impl Into<String>) -> Self {
        findings.sort();
        findings.dedup();
        if findings.is_empty() { Self::Clean(figure.into()) } else { Self::Findings(findings) }
    }
}

type Check = fn(&Tree) -> Result<Outcome, String>;

/// The cheap ones first: a slip in the text shows within a second.
const CHECKS: [(&str, Check); 11] = [
    ("format", cargo::format),
    ("floors", floors::check),
    ("tidy", tidy::check),
    ("clauses", clauses::check),
    ("generated", generate::check),
    ("proto-lint", protolint::check),
    ("clippy", cargo::clippy),
    ("test", cargo::test),
    ("doc", cargo::doc),
    ("schemas", python::schemas),
    ("vectors", python::vectors),
];

/// Whether there is a check of this name.
pub fn is_known(name: &str) -> bool {
    CHECKS.iter().any(|(known, _)| *known == name)
}

/// Runs every check but those named by `--skip`; false when one found something.
pub fn all(options: &[&str]) -> Result<bool, String> {
    let mut skipped = Vec::new();
    for pair in options.chunks(2) {
        match pair {
            ["--skip", name] if is_known(name) => skipped.push(*name),
            _ => return Err(format!("check: {} is not --skip and a known check", pair.join(" "))),
        }
    }
    let tree = Tree::open()?;
    let mut clean = true;
    for (name, check) in CHECKS.iter().filter(|(name, _)| !skipped.contains(name)) {
        clean &= report(name, *check, &tree);
    }
    Ok(clean)
}

/// Runs one check; false when it found something.
pub fn one(name: &str) -> Result<bool, String> {
    let tree = Tree::open()?;
    let (name, check) = CHECKS.iter().find(|(known, _)| *known == name).ok_or("no such check")?;
    Ok(report(name, *check, &tree))
}

fn report(name: &str, check: Check, tree: &Tree) -> bool {
    let start = Instant::now();
    let outcome = check(tree);
    let (clean, text) = words(name, &outcome, start.elapsed().as_secs_f64());
    // A reader that went away, such as `head`, is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
    clean
}

/// Whether a check is content, and what to print of it.
fn words(name: &str, outcome: &Result<Outcome, String>, seconds: f64) -> (bool, String) {
    match outcome {
        Ok(Outcome::Clean(figure)) if figure.is_empty() => (true, format!("ok {name} ({seconds:.1} s)\n")),
        Ok(Outcome::Clean(figure)) => (true, format!("ok {name} ({seconds:.1} s): {figure}\n")),
        Ok(Outcome::Skipped(why)) => (true, format!("SKIPPED {name}: {why}\n")),
        Ok(Outcome::Findings(findings)) => {
            let mut text = format!("FAILED {name} ({seconds:.1} s): {} to mend\n", findings.len());
            for Finding { place, what, fix } in findings {
                text.push_str(&format!("  {place}: {what}\n    {fix}\n"));
            }
            (false, text)
        }
        Err(reason) => (false, format!("FAILED {name} ({seconds:.1} s): the check itself could not run\n  {reason}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_says_one_line_or_what_to_mend() {
        assert_eq!(
            words("x", &Ok(Outcome::Clean("3 files".to_owned())), 0.12),
            (true, "ok x (0.1 s): 3 files\n".into())
        );
        assert_eq!(words("x", &Ok(Outcome::Skipped("no npx".to_owned())), 0.0), (true, "SKIPPED x: no npx\n".into()));
        let outcome = Outcome::from_findings(vec![Finding::at("a.rs", 3, "wide", "break it"); 2], "");
        let text = "FAILED x (0.0 s): 1 to mend\n  a.rs:3: wide\n    break it\n";
        assert_eq!(words("x", &Ok(outcome), 0.0), (false, text.into()));
        assert!(!words("x", &Err("broken".to_owned()), 0.0).0);
    }
}
