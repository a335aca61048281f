//! Generates `proto/src/*.rs` from `proto/**/*.proto`, without a system protoc.
use crate::check::{Finding, Outcome};
use crate::tree::{Tree, root};
use std::path::Path;

const GENERATED: [&str; 2] = ["hefu.v1.rs", "hefu.control.v1.rs"];
const FIX: &str = "run: cargo xtask generate";

/// Writes the generated code into `proto/src/`.
pub fn run() -> Result<(), String> {
    write(&root().join("proto/src"))
}

/// The committed code must be what the `.proto` files give.
pub fn check(tree: &Tree) -> Result<Outcome, String> {
    let folder = root().join("target/generated");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    write(&folder)?;
    let mut findings = Vec::new();
    for name in GENERATED {
        let path = format!("proto/src/{name}");
        let fresh = std::fs::read_to_string(folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
        if let Some(line) = first_difference(&tree.text(&path)?, &fresh) {
            findings.push(Finding::at(&path, line, "differs from what the .proto files give", FIX));
        }
    }
    Ok(Outcome::from_findings(findings, ""))
}

fn write(folder: &Path) -> Result<(), String> {
    let proto = root().join("proto");
    let tree = Tree::open()?;
    let files: Vec<String> =
        tree.paths("proto/hefu/", ".proto").map(|p| p.trim_start_matches("proto/").to_owned()).collect();
    let descriptors = protox::compile(&files, [&proto]).map_err(|e| format!("{e:?}"))?;
    tonic_prost_build::configure()
        .bytes(".hefu.v1.ExchangeRequest")
        .bytes(".hefu.v1.ExchangeResponse")
        .build_transport(true)
        .out_dir(folder)
        .compile_fds(descriptors)
        .map_err(|e| e.to_string())
}

/// The first line, counted from 1, in which two texts differ.
fn first_difference(one: &str, other: &str) -> Option<usize> {
    if one == other {
        return None;
    }
    let same = one.lines().zip(other.lines()).take_while(|(a, b)| a == b).count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_different_line_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
    }
}
