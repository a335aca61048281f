//! The program of a bank's engineer, `sdk/hefu/examples/bank.rs`, run as it stands beside real nodes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod world;

#[path = "../../sdk/hefu/examples/bank.rs"]
mod program;

#[test]
fn the_banks_program_runs_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let trio = world::Trio::start(folder.path(), 900);
    let home = &trio.bank.folder;
    std::fs::copy(&trio.bank.config, home.join("bank.toml")).unwrap();
    let text = std::fs::read_to_string(home.join("loans.csv")).unwrap();
    std::fs::write(home.join("loans.csv"), text.replacen("id,y,", "uscc,default_12m,", 1)).unwrap();
    std::env::set_current_dir(home).unwrap();
    program::main().unwrap();
    let model = std::fs::read_to_string("sme-2026.model.json").unwrap();
    let model: serde_json::Value = serde_json::from_str(&model).unwrap();
    assert_eq!((model["rank"].as_u64(), model["columns"].as_array().unwrap().len()), (Some(0), 3));
}
