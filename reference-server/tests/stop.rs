//! However a run on this machine ends, its nodes and its folder go with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod world;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use world::{HEFU, bank_and};

/// Processes of this machine whose command line names a folder.
fn processes_in(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|e| std::fs::read(e.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(name)).collect()
}

/// Waits for what must come about.
fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A demo whose nodes run: they are matching.
fn running_demo(folder: &Path) -> Child {
    let (bank, agencies) = bank_and(1, 4000);
    bank.write(&folder.join("bank.csv"));
    agencies[0].write(&folder.join("tax.csv"));
    let temporary = folder.join("TMP");
    std::fs::create_dir_all(&temporary).unwrap();
    let mut child = Command::new(HEFU)
        .args(["demo", "--bank", "bank.csv", "--agency", "tax=tax.csv", "--key", "id", "--label", "y", "--json"])
        .current_dir(folder)
        .env("TMPDIR", &temporary)
        .env("LANG", "C.UTF-8")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("publishes"))).unwrap().unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    assert_eq!(processes_in(&temporary).len(), 2);
    child
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn ctrl_c_takes_nodes_and_folder_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = running_demo(folder.path());
    signal(&child, "-INT");
    let code = child.wait().unwrap().code();
    let mut told = String::new();
    child.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("\"CANCELLED\""), "{told}");
    let temporary = folder.path().join("TMP");
    until("nodes go", || processes_in(&temporary).is_empty());
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn nodes_do_not_outlive_a_killed_demo() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = running_demo(folder.path());
    child.kill().unwrap();
    child.wait().unwrap();
    until("nodes go", || processes_in(&folder.path().join("TMP")).is_empty());
}
