//! The dependencies that a `Cargo.toml` declares, with their lines.
use toml::{Table, Value};

/// Which table a dependency stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// `[dependencies]`, of any target.
    Normal,
    /// `[build-dependencies]`.
    Build,
    /// `[dev-dependencies]`.
    Dev,
}

/// One declared dependency.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency {
    pub name: String,
    pub section: Section,
    pub optional: bool,
    /// Line, counted from 1.
    pub line: usize,
}

/// Reads every dependency table, those under `[target.…]` too.
pub fn dependencies(text: &str) -> Result<Vec<Dependency>, String> {
    let manifest: Table = text.parse().map_err(|e| format!("{e}"))?;
    let mut found = Vec::new();
    collect(&manifest, text, &mut found);
    if let Some(Value::Table(targets)) = manifest.get("target") {
        for target in targets.values().filter_map(Value::as_table) {
            collect(target, text, &mut found);
        }
    }
    Ok(found)
}

fn collect(tables: &Table, text: &str, found: &mut Vec<Dependency>) {
    let sections =
        [("dependencies", Section::Normal), ("build-dependencies", Section::Build), ("dev-dependencies", Section::Dev)];
    for (title, section) in sections {
        let Some(Value::Table(entries)) = tables.get(title) else { continue };
        for (key, value) in entries {
            let package = value.get("package").and_then(Value::as_str);
            let optional = value.get("optional").and_then(Value::as_bool).unwrap_or(false);
            let line = line_of(text, title, key);
            found.push(Dependency { name: package.unwrap_or(key).to_owned(), section, optional, line });
        }
    }
}

/// The line of `key` after the heading of its section; 1 when it is written in another way.
fn line_of(text: &str, title: &str, key: &str) -> usize {
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(heading) = line.strip_prefix('[') {
            let heading = heading.trim_end_matches(']');
            if heading.rsplit_once('.').is_some_and(|(table, name)| table.ends_with(title) && name == key) {
                return number + 1;
            }
            inside = heading == title || heading.ends_with(&format!(".{title}"));
        } else if inside && line.strip_prefix(key).is_some_and(|rest| rest.starts_with(['.', ' ', '='])) {
            return number + 1;
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\n\
        b = { package = \"bee\", optional = true }\n\
        [dev-dependencies]\na = \"1\"\n[target.'cfg(unix)'.dependencies]\nc = \"1\"\n";

    #[test]
    fn every_table_is_read_with_lines() {
        let found = dependencies(TEXT).unwrap_or_else(|e| unreachable!("{e}"));
        let flat: Vec<_> = found.iter().map(|d| (d.name.as_str(), d.section, d.optional, d.line)).collect();
        assert_eq!(
            flat,
            [
                ("a", Section::Normal, false, 4),
                ("bee", Section::Normal, true, 5),
                ("a", Section::Dev, false, 7),
                ("c", Section::Normal, false, 9),
            ]
        );
    }
}
