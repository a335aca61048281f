//! The command from outside: output, exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hefu-conformance")).args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A target file whose adapter is a line of shell.
fn target(folder: &Path, script: &str) -> String {
    let path = folder.join("target.toml");
    let text = format!(
        "[target]\nname = \"x\"\nversion = \"0\"\n[claims]\nprotocol = \"1.0\"\nroles = [\"collaborator\"]\n\
         profiles = [\"core\"]\n[control]\nkind = \"command\"\ncommand = [\"sh\", \"-c\", {}]\n",
        Value::from(script)
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn list_is_one_object_in_the_agreed_shape() {
    let output = run(&["list", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let cases = json(&output)["cases"].as_array().unwrap().clone();
    assert!(cases.len() >= 100);
    for case in &cases {
        let members: Vec<&String> = case.as_object().unwrap().keys().collect();
        assert_eq!(members, ["id", "clause", "profile", "role", "kind", "title"]);
        assert!(["positive", "negative"].contains(&case["kind"].as_str().unwrap()));
    }
    let core = json(&run(&["list", "--json", "--profile", "core"]));
    assert!(core["cases"].as_array().unwrap().iter().all(|case| case["profile"] == "CORE"));
}

#[test]
fn explain_knows_cases_and_requirements() {
    let text = |id: &str| String::from_utf8(run(&["explain", id]).stdout).unwrap();
    assert!(text("ALIGN-N-004").contains("ALIGN-2") && text("ALIGN-N-004").contains("BAD_ELEMENT"));
    assert!(text("align-2").contains("ALIGN-N-004"));
    assert_eq!(run(&["explain", "NOTHING-1"]).status.code(), Some(2));
}

#[test]
fn what_a_person_gets_wrong_is_configuration() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&[]).status.code(), Some(2));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
    assert_eq!(run(&["run", "--target", "/nowhere.toml"]).status.code(), Some(2));
    let file = target(folder.path(), "exit 0");
    for more in [["--profile", "x"], ["--role", "x"], ["--case", "ALIGN-N-999"]] {
        let output = run(&[&["run", "--target", file.as_str()], more.as_slice()].concat());
        assert_eq!(output.status.code(), Some(2), "{more:?}: {output:?}");
    }
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("version", "versoin")).unwrap();
    assert_eq!(run(&["doctor", "--target", &file]).status.code(), Some(2));
}

#[test]
fn an_adapter_that_breaks_the_protocol_is_no_target() {
    let folder = tempfile::tempdir().unwrap();
    for script in [
        "exit 0",
        "while read line; do echo nonsense; done",
        // Says yes to a verb that nobody knows.
        "while read line; do echo '{\"ok\":true,\"adapter\":\"yes 1\"}'; done",
        // Sets nothing up.
        "read line; echo '{\"ok\":true,\"adapter\":\"no 1\"}'; while read line; do echo '{\"ok\":false,\"error\":\"unsupported\"}'; done",
    ] {
        let output = run(&["run", "--json", "--target", &target(folder.path(), script)]);
        assert_eq!(output.status.code(), Some(3), "{script}: {output:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_person_may_be_the_adapter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("target.toml");
    let text = "[target]\nname = \"x\"\nversion = \"0\"\n[claims]\nprotocol = \"1.0\"\nroles = [\"initiator\"]\n\
                profiles = [\"core\"]\n[control]\nkind = \"manual\"\n";
    std::fs::write(&path, text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hefu-conformance"))
        .args(["doctor", "--target", &path.display().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = b"Acme node 4\nmaybe\nok\nno the disk is full\n";
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), said).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{out}{told}");
    assert!(out.contains("manual: Acme node 4"), "{out}");
    assert!(told.contains("STEP      give the target a new, empty state") && told.contains("again     `ok`"), "{told}");
    assert!(told.contains("publish") && told.contains("the disk is full"), "{told}");
}

#[test]
fn keys_are_made_once_and_statements_need_trust() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let made = run(&["keygen", &path("key"), "--name", "Acme"]);
    assert_eq!(made.status.code(), Some(0));
    std::fs::write(path("trust"), &made.stdout).unwrap();
    let private = std::fs::read_to_string(path("key")).unwrap();
    let private = private.split('"').nth(3).unwrap();
    assert!(private.len() == 64 && !String::from_utf8_lossy(&made.stdout).contains(private));
    assert_eq!(run(&["keygen", &path("key")]).status.code(), Some(2));
    std::fs::write(path("statement"), "{}").unwrap();
    assert_eq!(run(&["verify", &path("statement")]).status.code(), Some(2));
    let refused = run(&["verify", &path("statement"), "--trust", &path("trust"), "--json"]);
    assert_eq!((refused.status.code(), json(&refused)["refusal"].as_str().unwrap()), (Some(1), "NOT_A_STATEMENT"));
    let file = target(folder.path(), "exit 0");
    let unsigned = run(&["run", "--target", &file, "--sign", &path("key")]);
    assert_eq!(unsigned.status.code(), Some(2), "a statement needs its evidence: --out");
}

#[test]
fn the_smoke_profile_is_a_handful_in_both_roles() {
    let cases = json(&run(&["list", "--json", "--profile", "smoke"]))["cases"].as_array().unwrap().clone();
    assert!((10..=30).contains(&cases.len()));
    for role in ["collaborator", "initiator"] {
        let of = cases.iter().filter(|case| case["role"] == role);
        let negative = of.clone().filter(|case| case["kind"] == "negative").count();
        assert!(negative >= 4 && of.count() > negative, "{role}");
        let all = json(&run(&["list", "--json", "--role", role]))["cases"].as_array().unwrap().len();
        assert!(all > 70, "{role}: {all}");
    }
}

#[test]
fn evidence_that_is_none_does_not_verify() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&["verify", &folder.path().display().to_string()]).status.code(), Some(1));
    let file = folder.path().join("x.json");
    std::fs::write(&file, "{}").unwrap();
    assert_eq!(run(&["judge", &file.display().to_string()]).status.code(), Some(1));
}
