//! An agency's data endpoint as people use it: publish by a schema, the catalogue, approval, usage, revocation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod world;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use world::{BANK, HEFU, Home, Serving, TAX, bank_and};

const SCHEMA: &str = r#"{
 "type": "object", "required": ["id", "x0", "x1", "x2"], "additionalProperties": false,
 "x-grain": {"name": "enterprise", "key": ["id"]},
 "properties": {
  "id": {"type": "string"},
  "x0": {"type": "number", "x-level": 2}, "x1": {"type": "number"}, "x2": {"type": "number"}
 }
}
"#;
const ALIGN: &str = "kind = \"align\"\ndataset = \"loans\"\npurpose = \"origination\"\noutputs = [\"model\"]\n\
                     [[collaborator]]\nparty = \"tax\"\ndataset = \"tax-2026\"\n";

struct Pair {
    bank: Home,
    tax: Home,
    _serving: [Serving; 2],
}

/// A bank and a tax office that trust each other; the office allows, and has not approved.
fn pair(folder: &std::path::Path) -> Pair {
    let entry = format!(
        "[[allow]]\nparty = \"{BANK}\"\ndataset = \"tax-2026\"\npurpose = \"origination\"\noutputs = [\"model\"]\n"
    );
    let (bank, tax) = (Home::new(folder, BANK, "bank", ""), Home::new(folder, TAX, "tax", &entry));
    let serving = [Serving::start(&bank.config), Serving::start(&tax.config)];
    assert_eq!((bank.trust(&tax, "tax").code, tax.trust(&bank, "bank").code), (0, 0));
    let (loans, agencies) = bank_and(1, 300);
    loans.write(&bank.folder.join("loans.csv"));
    agencies[0].write(&tax.folder.join("tax.csv"));
    std::fs::write(tax.folder.join("tax.schema.json"), SCHEMA).unwrap();
    std::fs::write(bank.folder.join("job.toml"), ALIGN).unwrap();
    bank.ok(&["dataset", "publish", "loans", "loans.csv", "--key", "id", "--label", "y"]);
    Pair { bank, tax, _serving: serving }
}

/// A command without `--json`.
fn prose(home: &Home, args: &[&str]) -> String {
    let ended = world::hefu(&home.folder, &[args, &["--config", home.config.to_str().unwrap()]].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stdout
}

#[test]
fn a_dataset_from_its_schema_to_its_revocation() {
    let folder = tempfile::tempdir().unwrap();
    let Pair { bank, tax, _serving } = pair(folder.path());
    let publish = ["dataset", "publish", "tax-2026", "tax.csv", "--schema", "tax.schema.json", "--steward", "数据处"];
    let published = tax.ok(&[&publish[..], &["--purpose", "origination", "--period", "202501-202512"]].concat());
    let published = &published["dataset"];
    assert_eq!(
        (&published["rows"], &published["sensitivity"], &published["grain"]),
        (&json!(300), &json!(2), &json!("enterprise"))
    );

    let listed = bank.ok(&["catalog", "tax"]);
    let offered = &listed["datasets"][0];
    assert_eq!((&offered["schema"], &offered["period"]), (&published["schema"], &json!("202501-202512")));
    assert_eq!(offered["permissions"][0]["approval"], "needed");
    let table = prose(&bank, &["catalog", "tax"]);
    assert!(
        table.contains("tax-2026") && table.contains("数据处") && table.contains("origination: model (needed)"),
        "{table}"
    );
    bank.hefu(&["catalog", "tax", "secret"]).error(4, "NOT_ALLOWED");
    assert_eq!(bank.ok(&["catalog", "tax", "tax-2026"])["schema_text"], SCHEMA);

    let mut waiting = Command::new(HEFU)
        .args(["job", "submit", "job.toml", "--watch", "--json", "--config", "node.toml"])
        .current_dir(&bank.folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let job = loop {
        let all = tax.ok(&["dataset", "approvals"]);
        if let Some(asked) = all["approvals"].as_array().unwrap().first() {
            assert_eq!(
                (&asked["approval"], &asked["dataset"], &asked["kind"]),
                (&json!("waiting"), &json!("tax-2026"), &json!("align"))
            );
            break asked["job"].as_str().unwrap().to_owned();
        }
        assert!(waiting.try_wait().unwrap().is_none(), "the job has ended");
    };
    assert!(prose(&tax, &["job", "show", &job]).contains("waits for the approval of: tax"));
    assert!(prose(&tax, &["dataset", "approvals"]).contains("bank"));
    tax.ok(&["dataset", "approve", "tax-2026", "--party", "bank"]);
    let ended = waiting.wait_with_output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success() && told.contains("waits for the approval of: tax"), "{told}");
    let done: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&done["state"], &done["result"]["rows_aligned"]), (&json!("SUCCEEDED"), &json!(300)));

    let usage = tax.ok(&["dataset", "usage", "tax-2026"]);
    assert_eq!((&usage["uses"][0]["job"], &usage["uses"][0]["party"]), (&json!(job), &json!(BANK)));
    assert!(prose(&tax, &["dataset", "usage", "tax-2026"]).contains("SUCCEEDED"));
    assert_eq!(bank.ok(&["catalog", "tax", "tax-2026"])["uses"][0]["job"], json!(job));
    assert!(prose(&tax, &["dataset", "show", "tax-2026"]).contains("202501-202512"));

    tax.ok(&["dataset", "revoke", "tax-2026", "--party", "bank"]);
    bank.hefu(&["job", "submit", "job.toml", "--watch"]).error(4, "DATASET_REVOKED");
    assert_eq!(bank.ok(&["catalog", "tax"])["datasets"][0]["permissions"][0]["approval"], "revoked");
    assert_eq!(tax.ok(&["dataset", "unpublish", "tax-2026"])["jobs_ended"], json!([]));
    tax.hefu(&["dataset", "show", "tax-2026"]).error(5, "UNKNOWN_DATASET");
}

#[test]
fn wrong_files_and_schemas_have_codes_and_places() {
    let folder = tempfile::tempdir().unwrap();
    let Pair { tax, _serving, .. } = pair(folder.path());
    let publish = |file: &str, schema: &str| tax.hefu(&["dataset", "publish", "tax-2026", file, "--schema", schema]);
    std::fs::write(tax.folder.join("bad.csv"), "id,x0,x1,x2\nE1,1,2,3\nE2,1,cash,3\n").unwrap();
    let error = publish("bad.csv", "tax.schema.json").error(5, "SCHEMA_VIOLATION");
    assert_eq!(error["place"], json!({"dataset": "tax-2026", "row": 2, "column": "x1"}));
    assert!(!error.to_string().contains("cash"), "{error}");
    std::fs::write(tax.folder.join("cut.csv"), "id,x0,x1,x2\nE1,1,2,3\nE2,1").unwrap();
    assert_eq!(publish("cut.csv", "tax.schema.json").error(5, "BAD_FILE")["place"]["row"], 2);
    std::fs::write(tax.folder.join("none.json"), "[1]").unwrap();
    publish("tax.csv", "none.json").error(5, "BAD_SCHEMA");
    publish("tax.csv", "no-such-table").error(2, "USAGE");
    let changed = SCHEMA.replace("\"type\": \"string\"", "\"$ref\": \"https://example.org/id.json\"");
    std::fs::write(tax.folder.join("remote.json"), changed).unwrap();
    publish("tax.csv", "remote.json").error(5, "REMOTE_REFERENCE");
    tax.hefu(&["dataset", "publish", "tax-2026", "tax.csv", "--schema", "tax.schema.json", "--period", "2025"])
        .error(2, "CONFIGURATION");
    tax.hefu(&["dataset", "publish", "tax-2026", "tax.csv"]).error(2, "USAGE");
    assert_eq!(tax.ok(&["dataset", "list"])["datasets"], json!([]));
}
