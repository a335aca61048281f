//! Nodes as people run them: init, serve, trust, publish, jobs, scores, and what goes wrong between them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod world;
use world::{BANK, Home, Serving, TAX, TRAIN, Trio, allow, table};

#[test]
fn a_job_from_trust_to_scores() {
    let folder = tempfile::tempdir().unwrap();
    let trio = Trio::start(folder.path(), 900);
    let shown = trio.bank.ok(&["party", "show"]);
    assert_eq!((shown["party"].as_str(), shown["trusted"].as_array().unwrap().len()), (Some(BANK), 2));
    let listed = trio.bank.ok(&["dataset", "list"]);
    assert_eq!(listed["datasets"][0]["rows"], 900);
    trio.job_file(&TRAIN.replace("train", "align"));
    let matched = trio.bank.ok(&["job", "submit", "job.toml", "--watch"]);
    assert_eq!((&matched["kind"], &matched["result"]["rows_aligned"]), (&"align".into(), &900.into()));
    trio.job_file(TRAIN);
    let done = trio.bank.ok(&["job", "submit", "job.toml", "--watch"]);
    assert_eq!(done["state"], "SUCCEEDED");
    let (job, model) = (done["job"].as_str().unwrap(), done["result"]["model"].as_str().unwrap());
    for home in [&trio.bank, &trio.tax, &trio.power] {
        let shown = home.ok(&["job", "show", job]);
        assert_eq!(shown["state"], "SUCCEEDED");
        assert!(shown["disclosure"].as_array().unwrap().len() >= 3);
    }
    let config = trio.bank.config.to_str().unwrap();
    let prose = world::hefu(&trio.bank.folder, &["job", "show", job, "--config", config]).stdout;
    assert!(prose.contains("AUC ") && prose.contains("KS "), "{prose}");
    let mut applicants = table(50, 3, 1);
    applicants.rows[7][0] = "unknown".to_owned();
    applicants.write(&trio.bank.folder.join("applicants.csv"));
    let score =
        ["score", "applicants.csv", "--model", model, "--key", "id", "--with", "tax=tax", "--with", "power=power"];
    let scored = trio.bank.ok(&[&score[..], &["--out", "scores.csv"]].concat());
    assert_eq!((scored["scored"].as_u64(), scored["rows"]["unmatched"].as_u64()), (Some(49), Some(1)));
    // The applicants were published for the run alone.
    assert_eq!(trio.bank.ok(&["dataset", "list"])["datasets"].as_array().unwrap().len(), 1);
    let text = std::fs::read_to_string(trio.bank.folder.join("scores.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("key,probability"));
    for (line, row) in lines.zip(applicants.rows.iter().filter(|row| row[0] != "unknown")) {
        let (key, probability) = line.split_once(',').unwrap();
        assert_eq!(key, row[0]);
        assert!((0.0..=1.0).contains(&probability.parse::<f64>().unwrap()));
    }
    applicants.write(&trio.tax.folder.join("applicants.csv"));
    let refused =
        ["score", "applicants.csv", "--model", model, "--key", "id", "--with", "bank=loans", "--with", "power=power"];
    trio.tax.hefu(&refused).error(4, "NOT_MODEL_OWNER");
}

#[test]
fn a_job_outside_the_entries_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let trio = Trio::start(folder.path(), 600);
    trio.job_file(&TRAIN.replace("origination", "fraud"));
    let error = trio.bank.hefu(&["job", "submit", "job.toml", "--watch"]).error(4, "NOT_ALLOWED");
    assert_eq!(error["party"], BANK, "the party that lacks the right");
    assert!(error["cause"].as_str().unwrap().contains("Refused by uscc:11440300YY"), "{error}");
    let config = trio.bank.config.to_str().unwrap();
    let prose = world::hefu(&trio.bank.folder, &["job", "submit", "job.toml", "--watch", "--config", config]);
    assert!(prose.code == 4 && prose.stderr.contains(&format!("party: bank ({BANK})")), "{}", prose.stderr);
    assert!(prose.stderr.contains("Refused by tax.") || prose.stderr.contains("Refused by power."), "{}", prose.stderr);
    trio.job_file(&TRAIN.replace("dataset = \"tax\"", "dataset = \"secret\""));
    trio.bank.hefu(&["job", "submit", "job.toml", "--watch"]).error(4, "NOT_ALLOWED");
    trio.job_file(&TRAIN.replace("party = \"tax\"", "party = \"water\""));
    trio.bank.hefu(&["job", "submit", "job.toml", "--watch"]).error(4, "UNKNOWN_PARTY");
    trio.job_file(&TRAIN.replace("dataset = \"loans\"", "dataset = \"deposits\""));
    trio.bank.hefu(&["job", "submit", "job.toml", "--watch"]).error(5, "UNKNOWN_DATASET");
    trio.job_file("kind = \"train\"\n");
    trio.bank.hefu(&["job", "submit", "job.toml"]).error(2, "CONFIGURATION");
}

#[test]
fn a_peer_that_is_down_is_unreachable_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut trio = Trio::start(folder.path(), 600);
    trio.serving[1].kill();
    trio.job_file(TRAIN);
    let error = trio.bank.hefu(&["job", "submit", "job.toml", "--watch"]).error(3, "PEER_UNREACHABLE");
    assert_eq!(error["party"], TAX);
    trio.bank.ok(&["dataset", "list"]);
}

#[test]
fn jobs_are_listed_and_unknown_ones_told() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path(), BANK, "bank", "");
    let _serving = Serving::start(&home.config);
    assert_eq!(home.ok(&["job", "list"])["jobs"], serde_json::json!([]));
    for verb in ["show", "cancel", "watch"] {
        home.hefu(&["job", verb, "00112233445566778899aabbccddeeff"]).error(2, "UNKNOWN_JOB");
    }
}

#[test]
fn a_port_that_is_taken_is_told_by_serve() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("[listen]\ninterconnect = \"{}\"\ncontrol = \"127.0.0.1:0\"\n", taken.local_addr().unwrap());
    let home = Home::new(folder.path(), BANK, "bank", &listen);
    let told = Serving::try_start(&home.config).map(|s| s.told.clone()).unwrap_err();
    assert_eq!((told["exit"].as_i64(), told["error"]["name"].as_str()), (Some(2), Some("PORT_TAKEN")));
}

#[test]
fn trust_works_with_the_node_running_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let bank = Home::new(folder.path(), BANK, "bank", "");
    let tax = Home::new(folder.path(), TAX, "tax", &allow("tax"));
    assert_eq!(bank.trust(&tax, "tax").json()["party"], TAX);
    assert!(bank.folder.join("state/trust/tax.json").exists());
    let _serving = Serving::start(&bank.config);
    assert_eq!(bank.ok(&["party", "show"])["trusted"][0]["alias"], "tax");
    // Another short name is a rename, and says so.
    let error = bank.trust(&tax, "revenue").error(2, "CONFIGURATION");
    assert!(error["cause"].as_str().unwrap().contains("trusted as tax; --rename"), "{error}");
    let again = ["party", "trust", tax.descriptor().to_str().unwrap()].map(str::to_owned);
    assert_eq!(bank.ok(&again.each_ref().map(String::as_str))["alias"], "tax");
    let rename = [&again.each_ref().map(String::as_str)[..], &["--alias", "revenue", "--rename"]].concat();
    assert_eq!(bank.ok(&rename)["alias"], "revenue");
    assert!(!bank.folder.join("state/trust/tax.json").exists());
    let text = std::fs::read_to_string(tax.descriptor()).unwrap();
    let mut forged: serde_json::Value = serde_json::from_str(&text).unwrap();
    let signature = forged["signatures"][0]["sig"].as_str().unwrap().to_owned();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    forged["signatures"][0]["sig"] = serde_json::json!(format!("{other}{}", &signature[1..]));
    std::fs::write(folder.path().join("forged.json"), forged.to_string()).unwrap();
    let path = folder.path().join("forged.json");
    bank.hefu(&["party", "trust", path.to_str().unwrap(), "--alias", "x"]).error(4, "BAD_SIGNATURE");
    std::fs::write(&path, "not a descriptor").unwrap();
    bank.hefu(&["party", "trust", path.to_str().unwrap(), "--alias", "x"]).error(2, "MALFORMED_DOCUMENT");
}

#[test]
fn a_new_configuration_file_can_be_written_by_init() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["init", "--config", "bank.toml", "--party", BANK, "--alias", "bank", "--name", "A \"bank\"", "--json"];
    let made = world::hefu(folder.path(), &args).json();
    assert!(std::path::Path::new(made["descriptor"].as_str().unwrap()).exists());
    world::hefu(folder.path(), &args).error(2, "USAGE");
    let bad = ["init", "--config", "b.toml", "--party", "uscc:91440300YY00001321", "--json"];
    world::hefu(folder.path(), &bad).error(2, "BAD_PARTY_ID");
}
