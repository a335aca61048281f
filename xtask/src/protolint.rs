//! buf's STANDARD lint over the protocol files.
use crate::check::{Finding, Outcome};
use crate::tree::{Tree, root};
use std::process::{Command, Stdio};

/// Pinned: a newer linter may know more rules.
const BUF: &str = "@bufbuild/buf@1.75.0";

/// Runs `buf lint` through npx, where npm is present.
pub fn check(_: &Tree) -> Result<Outcome, String> {
    let mut command = Command::new("npx");
    command.args(["--yes", BUF, "lint", ".", "--config"]).arg(r#"{"version":"v2","lint":{"use":["STANDARD"]}}"#);
    let output = match command.current_dir(root().join("proto")).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(_) => return Ok(Outcome::Skipped("npx is not installed; install npm to lint the .proto files".to_owned())),
    };
    let (listed, reason) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        return Ok(Outcome::Clean(String::new()));
    }
    let findings: Vec<Finding> = listed.lines().filter_map(finding).collect();
    if findings.is_empty() {
        let last = reason.lines().last().unwrap_or("npx gave no reason");
        return Ok(Outcome::Skipped(format!("buf could not be fetched or started: {last}")));
    }
    Ok(Outcome::from_findings(findings, ""))
}

/// `path:line:column:text`, as buf prints it.
fn finding(line: &str) -> Option<Finding> {
    let mut parts = line.splitn(4, ':');
    let (path, at, _column, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(Finding::at(path, at.parse().ok()?, text, "see the rules of buf's STANDARD category"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_buf_becomes_a_finding() {
        let found =
            finding("proto/hefu/v1/session.proto:6:9:Service name \"Session\" should be suffixed: \"Service\".");
        assert_eq!(found.map(|f| f.place), Some("proto/hefu/v1/session.proto:6".to_owned()));
        assert_eq!(finding("no place here"), None);
    }
}
