//! The project's files, read from disk, or from memory in tests.
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Directories that hold nothing of the project's own.
const SKIPPED: [&str; 7] = ["target", ".git", "node_modules", "__pycache__", ".pytest_cache", ".venv", "generated"];

/// The project's root, wherever the command was started.
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// A set of files by path relative to the root, with `/` between names.
pub struct Tree {
    root: PathBuf,
    files: Vec<String>,
    memory: BTreeMap<String, String>,
}

impl Tree {
    /// Lists the project's files.
    pub fn open() -> Result<Self, String> {
        let root = root();
        let mut files = Vec::new();
        list(&root, "", &mut files)?;
        files.sort();
        Ok(Self { root, files, memory: BTreeMap::new() })
    }

    /// A tree in memory.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let memory: BTreeMap<String, String> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Self { root: PathBuf::new(), files: memory.keys().cloned().collect(), memory }
    }

    /// All paths under `prefix` that end with `suffix`, sorted.
    pub fn paths<'a>(&'a self, prefix: &'a str, suffix: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.iter().map(String::as_str).filter(move |p| p.starts_with(prefix) && p.ends_with(suffix))
    }

    /// Whether `path` is a file, or a directory that holds one.
    pub fn exists(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.iter().any(|p| p == path || p.starts_with(&folder))
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> Result<Cow<'_, str>, String> {
        if let Some(text) = self.memory.get(path) {
            return Ok(Cow::Borrowed(text));
        }
        std::fs::read_to_string(self.root.join(path)).map(Cow::Owned).map_err(|e| format!("{path}: {e}"))
    }
}

fn list(root: &Path, folder: &str, files: &mut Vec<String>) -> Result<(), String> {
    let here = root.join(folder);
    for entry in std::fs::read_dir(&here).map_err(|e| format!("{}: {e}", here.display()))? {
        let entry = entry.map_err(|e| e.to_string())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type().map_err(|e| e.to_string())?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) && !name.starts_with("demo-report") {
            list(root, &path, files)?;
        } else if kind.is_file() && !name.ends_with(".tmp") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_itself_is_found_without_its_build_output() {
        let tree = Tree::open().unwrap_or_else(|e| unreachable!("{e}"));
        assert!(tree.exists("Cargo.toml") && tree.exists("xtask/src"));
        assert_eq!(tree.paths("target/", "").count(), 0);
    }

    #[test]
    fn paths_are_chosen_by_both_ends() {
        let tree = Tree::of(&[("a/x.rs", ""), ("a/x.md", ""), ("b/y.rs", "")]);
        assert_eq!(tree.paths("a/", ".rs").collect::<Vec<_>>(), ["a/x.rs"]);
    }
}
