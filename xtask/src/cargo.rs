//! The checks that cargo itself does.
use crate::check::{Finding, Outcome};
use crate::tree::{Tree, root};
use std::process::Command;

/// `cargo fmt --check`.
pub fn format(_: &Tree) -> Result<Outcome, String> {
    let output = Command::new(cargo())
        .args(["fmt", "--all", "--", "--check", "-l"])
        .current_dir(root())
        .output()
        .map_err(|e| format!("cargo fmt: {e}"))?;
    let listed = String::from_utf8_lossy(&output.stdout);
    let prefix = format!("{}/", root().display());
    let mut findings: Vec<Finding> = listed
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| Finding::at(line.trim_start_matches(&prefix), 1, "is not formatted", "run: cargo fmt --all"))
        .collect();
    if findings.is_empty() && !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        findings.push(Finding { place: "cargo fmt".to_owned(), what: reason, fix: "make it parse first".to_owned() });
    }
    Ok(Outcome::from_findings(findings, ""))
}

/// `cargo clippy` over every target, warnings denied.
pub fn clippy(_: &Tree) -> Result<Outcome, String> {
    visible(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"], &[])
}

/// The command of the README.
pub fn test(_: &Tree) -> Result<Outcome, String> {
    visible(&["test", "--workspace"], &[])
}

/// `cargo doc`, a broken link being an error.
pub fn doc(_: &Tree) -> Result<Outcome, String> {
    let arguments = ["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"];
    visible(&arguments, &[("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private-intra-doc-links")])
}

/// Runs cargo with its own output shown.
fn visible(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Outcome, String> {
    let status = Command::new(cargo())
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .map_err(|e| format!("cargo {}: {e}", arguments.join(" ")))?;
    if status.success() {
        return Ok(Outcome::Clean(String::new()));
    }
    let place = format!("cargo {}", arguments.join(" "));
    let finding = Finding { place, what: status.to_string(), fix: "its output stands above".to_owned() };
    Ok(Outcome::Findings(vec![finding]))
}

/// The cargo that runs us, else the one of the path.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
