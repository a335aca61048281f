//! Floors: a crate uses only what stands in its row, and the pure ones touch no system.
//!
//! The table is that of ARCHITECTURE.md. Three proofs: what `Cargo.toml` declares, what the code names, and
//! what cargo resolves for the pure crates, indirect dependencies included.
use crate::cargo::cargo;
use crate::check::{Finding, Outcome};
use crate::manifest::{Dependency, Section, dependencies};
use crate::rust::{LineIndex, code_only, imports, without_tests, words};
use crate::tree::{Tree, root};
use std::process::Command;

/// A crate of ours: folder, name, and which of ours it may use.
struct Floor {
    folder: &'static str,
    name: &'static str,
    uses: &'static [&'static str],
    /// Allowed only as an optional dependency.
    optional: &'static [&'static str],
    /// No runtime, gRPC, protobuf, files, sockets, clocks, system randomness.
    pure: bool,
}

const fn floor(folder: &'static str, name: &'static str, uses: &'static [&'static str], pure: bool) -> Floor {
    Floor { folder, name, uses, optional: &[], pure }
}

const FLOORS: [Floor; 12] = [
    floor("proto", "hefu-proto", &[], false),
    floor("sdk/core", "hefu-core", &[], true),
    floor("sdk/crypto", "hefu-crypto", &["hefu-core"], true),
    floor("sdk/model", "hefu-model", &["hefu-core"], true),
    floor("sdk/data", "hefu-data", &["hefu-core"], false),
    floor("sdk/he", "hefu-he", &["hefu-crypto", "hefu-core"], true),
    floor("sdk/protocol", "hefu-protocol", &["hefu-he", "hefu-model", "hefu-crypto", "hefu-core"], true),
    floor(
        "sdk/node",
        "hefu-node",
        &["hefu-data", "hefu-protocol", "hefu-he", "hefu-model", "hefu-crypto", "hefu-core", "hefu-proto"],
        false,
    ),
    Floor {
        folder: "sdk/hefu",
        name: "hefu",
        uses: &["hefu-data", "hefu-core", "hefu-proto"],
        optional: &["hefu-node"],
        pure: false,
    },
    floor(
        "reference-server",
        "hefu-server",
        &[
            "hefu",
            "hefu-node",
            "hefu-data",
            "hefu-protocol",
            "hefu-he",
            "hefu-model",
            "hefu-crypto",
            "hefu-core",
            "hefu-proto",
        ],
        false,
    ),
    floor("conformance", "hefu-conformance", &["hefu-proto"], false),
    floor("xtask", "xtask", &[], false),
];

/// Crates that the pure floors must not reach, directly or through others.
const IMPURE_CRATES: [&str; 14] = [
    "tokio",
    "async-std",
    "smol",
    "futures-executor",
    "mio",
    "socket2",
    "hyper",
    "tonic",
    "tonic-prost",
    "prost",
    "getrandom",
    "rand",
    "rusqlite",
    "hefu-proto",
];

/// Paths that the pure floors must not name.
const IMPURE_PATHS: [&str; 13] = [
    "std::fs",
    "std::net",
    "std::time",
    "std::process",
    "std::os",
    "std::io::stdin",
    "std::thread::sleep",
    "tokio",
    "tonic",
    "prost",
    "getrandom",
    "rand",
    "hefu_proto",
];

/// Names that give the same things away when they come by another path.
const IMPURE_NAMES: [&str; 8] =
    ["SystemTime", "Instant", "OsRng", "SysRng", "ThreadRng", "SystemRandom", "TcpStream", "UdpSocket"];

/// Where generated protocol types may be named inside the node.
const WIRE: &str = "sdk/node/src/wire";

/// Checks all three proofs.
pub fn check(tree: &Tree) -> Result<Outcome, String> {
    let mut findings = Vec::new();
    for floor in &FLOORS {
        let path = format!("{}/Cargo.toml", floor.folder);
        if !tree.exists(&path) {
            continue;
        }
        let declared = dependencies(&tree.text(&path)?).map_err(|e| format!("{path}: {e}"))?;
        findings.extend(declared.iter().filter_map(|d| declared_above(floor, &path, d)));
        if floor.pure {
            findings.extend(impure_code(tree, floor)?);
            findings.extend(impure_closure(floor, &path)?);
        }
    }
    findings.extend(generated_types_above_wire(tree)?);
    Ok(Outcome::from_findings(findings, ""))
}

fn declared_above(floor: &Floor, path: &str, dependency: &Dependency) -> Option<Finding> {
    let name = dependency.name.as_str();
    let ours = name == "hefu" || name.starts_with("hefu-");
    let tests_only = dependency.section == Section::Dev;
    let stands_alone = floor.name == "hefu-conformance";
    if ours && (!tests_only || stands_alone) {
        let allowed = floor.uses.contains(&name) || (dependency.optional && floor.optional.contains(&name));
        let fix = "keep to the floors of ARCHITECTURE.md: move the code down, or hand the value in as an argument";
        return (!allowed)
            .then(|| Finding::at(path, dependency.line, format!("{} may not use {name}", floor.name), fix));
    }
    let impure = floor.pure && !tests_only && IMPURE_CRATES.contains(&name);
    let fix = "time, randomness and bytes are arguments here; the node does the rest";
    impure.then(|| Finding::at(path, dependency.line, format!("{} may not use {name}", floor.name), fix))
}

fn impure_code(tree: &Tree, floor: &Floor) -> Result<Vec<Finding>, String> {
    let source = format!("{}/src/", floor.folder);
    let mut findings = Vec::new();
    for path in tree.paths(&source, ".rs").filter(|p| !is_test_file(p)) {
        let code = without_tests(&code_only(&tree.text(path)?));
        for (line, what) in impure_names(&code) {
            let fix = "hand time, randomness or bytes in as an argument; the node owns the system";
            findings.push(Finding::at(path, line, format!("{} may not name {what}", floor.name), fix));
        }
    }
    Ok(findings)
}

/// Forbidden names with their lines: imports first, then paths and names in the code.
fn impure_names(code: &str) -> Vec<(usize, String)> {
    let lines = LineIndex::new(code);
    let mut found = Vec::new();
    for (line, import) in imports(code) {
        let hit = IMPURE_PATHS.iter().any(|p| import == *p || import.starts_with(&format!("{p}::")));
        if hit {
            found.push((line, import));
        }
    }
    for path in IMPURE_PATHS {
        found.extend(words(code, path).filter(|at| is_path(code, *at, path)).map(|at| (lines.of(at), path.to_owned())));
    }
    for name in IMPURE_NAMES {
        found.extend(words(code, name).map(|at| (lines.of(at), name.to_owned())));
    }
    found
}

/// Whether the word at `at` begins a path, and is not the tail of another one or a plain variable.
fn is_path(code: &str, at: usize, path: &str) -> bool {
    let tail = code[..at].ends_with("::") || code[..at].ends_with('.');
    !tail && (path.contains("::") || code[at + path.len()..].starts_with("::"))
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

/// What cargo resolves for a pure crate must hold no impure one.
fn impure_closure(floor: &Floor, manifest: &str) -> Result<Vec<Finding>, String> {
    let arguments = ["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", floor.name];
    let output =
        Command::new(cargo()).args(arguments).current_dir(root()).output().map_err(|e| format!("cargo tree: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let reached = impure_reached(&String::from_utf8_lossy(&output.stdout));
    let fix = format!("see: cargo tree -p {} -e normal; drop the feature or crate that brings it", floor.name);
    Ok(reached.iter().map(|c| Finding::at(manifest, 1, format!("{} reaches {c}", floor.name), fix.clone())).collect())
}

fn impure_reached(tree: &str) -> Vec<&'static str> {
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    IMPURE_CRATES.into_iter().filter(|crate_name| names.contains(crate_name)).collect()
}

fn generated_types_above_wire(tree: &Tree) -> Result<Vec<Finding>, String> {
    let mut findings = Vec::new();
    for path in tree.paths("sdk/node/src/", ".rs").filter(|p| !p.starts_with(WIRE) && !is_test_file(p)) {
        let code = without_tests(&code_only(&tree.text(path)?));
        let lines = LineIndex::new(&code);
        for at in words(&code, "hefu_proto") {
            let fix = format!("generated types stop at {WIRE}/: convert there, and use the protocol's own types here");
            findings.push(Finding::at(path, lines.of(at), "names generated types", fix));
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &str) -> Vec<String> {
        impure_names(&without_tests(&code_only(source)))
            .into_iter()
            .map(|(line, what)| format!("{line} {what}"))
            .collect()
    }

    #[test]
    fn a_file_socket_clock_or_generator_is_found_however_it_is_named() {
        assert_eq!(names("use std::{fs::File, fmt};"), ["1 std::fs::File"]);
        assert_eq!(names("fn f() {\n std::net::lookup();\n}"), ["2 std::net"]);
        assert_eq!(names("fn f() { let t = core::SystemTime::now(); }"), ["1 SystemTime"]);
        assert_eq!(names("fn f() { getrandom::fill(&mut b); }"), ["1 getrandom"]);
    }

    #[test]
    fn words_that_only_look_alike_are_left_alone() {
        assert!(names("use rand_core::Rng; // std::fs\nfn f(rand: u8) { crate::rand::g(\"tokio::x\"); }").is_empty());
        assert!(names("#[cfg(test)]\nmod tests { use std::fs; }").is_empty());
    }

    #[test]
    fn a_crate_above_its_floor_is_found() {
        let model = &FLOORS[3];
        let declared = |name: &str, section| Dependency { name: name.to_owned(), section, optional: false, line: 7 };
        assert!(declared_above(model, "m", &declared("hefu-core", Section::Normal)).is_none());
        assert!(declared_above(model, "m", &declared("hefu-he", Section::Normal)).is_some());
        assert!(declared_above(model, "m", &declared("tokio", Section::Normal)).is_some());
        assert!(declared_above(model, "m", &declared("tokio", Section::Dev)).is_none());
    }

    #[test]
    fn the_facade_takes_the_node_only_as_an_option_and_the_suite_takes_nothing_of_ours() {
        let optional =
            |optional| Dependency { name: "hefu-node".to_owned(), section: Section::Normal, optional, line: 1 };
        assert!(declared_above(&FLOORS[8], "m", &optional(true)).is_none());
        assert!(declared_above(&FLOORS[8], "m", &optional(false)).is_some());
        let core = Dependency { name: "hefu-core".to_owned(), section: Section::Dev, optional: false, line: 1 };
        assert!(declared_above(&FLOORS[10], "m", &core).is_some());
    }

    #[test]
    fn an_indirect_runtime_is_found() {
        assert_eq!(impure_reached("hefu-core v0.1.0 (/x)\ntokio v1.54.1\nserde v1.0.0 (*)"), ["tokio"]);
        assert!(impure_reached("tokio-macros v1\nrand_core v0.10.0").is_empty());
    }
}
