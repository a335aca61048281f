//! Runs checks, and prints one line for each, or what it found.
use crate::tree::Tree;
use crate::{cargo, clauses, floors, generate, protolint, python, tidy};
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
    let seconds = start.elapsed().as_secs_f64();
    match outcome {
        Ok(Outcome::Clean(figure)) if figure.is_empty() => println!("ok {name} ({seconds:.1} s)"),
        Ok(Outcome::Clean(figure)) => println!("ok {name} ({seconds:.1} s): {figure}"),
        Ok(Outcome::Skipped(why)) => println!("SKIPPED {name}: {why}"),
        Ok(Outcome::Findings(findings)) => {
            println!("FAILED {name} ({seconds:.1} s): {} to mend", findings.len());
            for finding in findings {
                println!("  {}: {}\n    {}", finding.place, finding.what, finding.fix);
            }
            return false;
        }
        Err(reason) => {
            println!("FAILED {name} ({seconds:.1} s): the check itself could not run\n  {reason}");
            return false;
        }
    }
    true
}
