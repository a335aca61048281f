//! The checks written in Python, in a virtual environment of their own under `target/`.
use crate::check::{Finding, Outcome};
use crate::tree::{Tree, root};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const MODEL: &str = "spec/model/generate.py";
const VECTORS: &str = "spec/vectors/";
const SCHEMAS: &str = "spec/schemas/check.py";
const REQUIREMENTS: &str = "spec/model/requirements.txt";

/// The model must generate exactly the committed vectors.
pub fn vectors(tree: &Tree) -> Result<Outcome, String> {
    let fix = "if the spec changed, run: target/venv/bin/python spec/model/generate.py, and look at what differs";
    let outcome = script(tree, MODEL, &["--check"], fix)?;
    let unread = unread_kinds(tree)?;
    match outcome {
        Outcome::Findings(found) => Ok(Outcome::from_findings([found, unread].concat(), "")),
        _ if !unread.is_empty() => Ok(Outcome::from_findings(unread, "")),
        other => Ok(other),
    }
}

/// Kinds of vectors that no test of the SDK names: a vector that only the model reads proves nothing.
fn unread_kinds(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut unread: BTreeSet<&str> =
        tree.paths(VECTORS, ".json").filter_map(|p| p.strip_prefix(VECTORS)?.split_once('/')).map(|p| p.0).collect();
    for path in tree.paths("sdk/", ".rs") {
        let text = tree.text(path)?;
        unread.retain(|kind| !text.contains(&format!("\"{kind}\"")));
    }
    let fix = "name the kind in a test of the crate that does this, and run every case of it";
    Ok(unread
        .into_iter()
        .map(|kind| Finding::at(&format!("{VECTORS}{kind}"), 1, "no test of sdk/ runs it", fix))
        .collect())
}

/// Every schema is a valid JSON Schema, accepts its example, and refuses its counter-examples.
pub fn schemas(tree: &Tree) -> Result<Outcome, String> {
    script(tree, SCHEMAS, &[], "mend the schema, or the example under docs/ or spec/schemas/examples/")
}

fn script(tree: &Tree, path: &str, arguments: &[&str], fix: &str) -> Result<Outcome, String> {
    if !tree.exists(path) {
        return Ok(Outcome::Skipped(format!("{path} does not exist")));
    }
    let python = match environment(tree)? {
        Ok(python) => python,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let output = run(Command::new(python).arg(path).args(arguments))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(Outcome::Clean(said.lines().last().unwrap_or_default().to_owned()));
    }
    let reason = [said, String::from_utf8_lossy(&output.stderr).trim().to_owned()].join("\n");
    let finding = Finding { place: path.to_owned(), what: reason.trim().to_owned(), fix: fix.to_owned() };
    Ok(Outcome::Findings(vec![finding]))
}

/// The interpreter with the pinned packages, made anew when the pins change; or why there is none.
fn environment(tree: &Tree) -> Result<Result<PathBuf, String>, String> {
    let folder = root().join("target/venv");
    let python = folder.join("bin/python");
    let stamp = folder.join("pins.sha256");
    let pins = hex::encode(Sha256::digest(tree.text(REQUIREMENTS)?.as_bytes()));
    if python.exists() && std::fs::read_to_string(&stamp).is_ok_and(|made| made == pins) {
        return Ok(Ok(python));
    }
    if let Err(why) = install(&folder, &python) {
        return Ok(Err(why));
    }
    std::fs::write(&stamp, pins).map_err(|e| format!("{}: {e}", stamp.display()))?;
    Ok(Ok(python))
}

fn install(folder: &Path, python: &Path) -> Result<(), String> {
    let made = run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
    if !made.as_ref().is_ok_and(|output| output.status.success()) {
        return Err(
            "python3 with its venv module is not installed; it is needed for the model and the schemas".to_owned()
        );
    }
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS]);
    let output = run(&mut pip)?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(format!("the pinned packages could not be installed: {}", reason.lines().last().unwrap_or_default()))
}

fn run(command: &mut Command) -> Result<Output, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.current_dir(root()).stdin(Stdio::null()).output().map_err(|e| format!("{name}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_no_test_names_is_found() {
        let vectors = [("spec/vectors/frame/a.json", ""), ("spec/vectors/seal/a.json", "")];
        let test = ("sdk/protocol/tests/vectors.rs", "each(\"frame\", |case| case);");
        let tree = Tree::of(&[vectors[0], vectors[1], test]);
        let found = unread_kinds(&tree).map(|f| f.into_iter().map(|f| f.place).collect::<Vec<_>>());
        assert_eq!(found, Ok(vec!["spec/vectors/seal:1".to_owned()]));
    }
}
