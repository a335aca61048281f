//! `hefu explain`, usage errors, help: what a stranger meets first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod world;
use world::hefu;

#[test]
fn every_code_is_explained_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    for code in hefu_core::Code::ALL {
        let number = code.number().to_string();
        let english = hefu(folder.path(), &["explain", &number, "--json"]).json();
        let chinese = hefu(folder.path(), &["explain", code.name(), "--json", "--lang", "zh"]).json();
        assert_eq!(english["name"], code.name());
        assert_eq!(chinese["code"], code.number());
        let is_warning = matches!(code.name(), "SEPARABLE" | "HIGH_LEVERAGE");
        assert_eq!(english["exit"].is_null(), is_warning, "a warning ends nothing: {number}");
        let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        for member in ["cause", "next"] {
            assert!(!is_chinese(english[member].as_str().unwrap()), "{number} {member}");
            assert!(is_chinese(chinese[member].as_str().unwrap()), "{number} {member}");
        }
    }
}

#[test]
fn the_locale_chooses_the_language() {
    let output = std::process::Command::new(world::HEFU)
        .args(["explain", "6001"])
        .env("LC_ALL", "zh_CN.UTF-8")
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("文件中没有指定的列"));
}

#[test]
fn a_wrong_command_line_is_code_2() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["explain", "9999", "--json"][..],
        &["nonsense", "--json"],
        &["demo", "--bank", "x.csv", "--json"],
        &["demo", "--bank", "x.csv", "--agency", "tax", "--key", "id", "--label", "y", "--json"],
        &["demo", "--bank", "x.csv", "--agency", "=t.csv", "--key", "id", "--label", "y", "--json"],
        &["demo", "--bank", "x.csv", "--agency", "bank=t.csv", "--key", "id", "--label", "y", "--json"],
        &[
            "demo", "--bank", "x.csv", "--agency", "a=t.csv", "--agency", "a=t.csv", "--key", "id", "--label", "y",
            "--json",
        ],
        &["demo", "--bank", "x.csv", "--agency", "a.b=t.csv", "--key", "id", "--label", "y", "--json"],
        &["demo", "--join", "outer", "--json"],
        &["bench", "align", "--overlap", "2", "--json"],
        &["score", "x.csv", "--model", "m", "--key", "id", "--with", "tax", "--json"],
    ] {
        let error = hefu(folder.path(), args).error(2, "USAGE");
        assert_eq!(error["code"], 7007, "{args:?}");
    }
}

#[test]
fn help_is_on_standard_output_and_has_examples() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["demo", "--help"], &["job", "submit", "--help"], &["party", "trust", "--help"]] {
        let ended = hefu(folder.path(), args);
        assert_eq!(ended.code, 0);
        assert!(ended.stdout.contains("Examples:"), "{args:?}");
    }
}

#[test]
fn a_node_that_is_not_there_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let home = world::Home::new(folder.path(), world::BANK, "bank", "");
    home.hefu(&["dataset", "list"]).error(3, "CONTROL_UNREACHABLE");
    hefu(folder.path(), &["dataset", "list", "--config", "none.toml", "--json"]).error(2, "CONFIGURATION");
}
