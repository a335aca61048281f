//! What a command prints: one JSON object for programs, lines for people.
use crate::language::Language;
use serde_json::Value;
use std::io::Write;

/// Whom a command prints for.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// Whether standard output is one JSON object.
    pub json: bool,
    /// The reader's language.
    pub language: Language,
}

impl Screen {
    /// A screen.
    pub fn new(json: bool, language: Language) -> Self {
        Screen { json, language }
    }

    /// The answer of a command: `object` for programs, `lines` for people.
    pub fn answer(&self, object: &Value, lines: impl FnOnce() -> String) {
        let text = if self.json { object.to_string() } else { lines().trim_end().to_owned() };
        // A reader that has gone, as `head` does, wants no more: that is no failure.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// The text in the reader's language.
    pub fn pick<'a>(&self, en: &'a str, zh: &'a str) -> &'a str {
        self.language.pick(en, zh)
    }
}

/// Lines whose columns stand under each other; a column of figures is written to the right.
pub fn columns(rows: &[Vec<String>]) -> String {
    let width = |text: &str| text.chars().map(|c| if c > '\u{2e80}' { 2 } else { 1 }).sum::<usize>();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> =
        (0..count).map(|i| rows.iter().filter_map(|row| row.get(i)).map(|c| width(c)).max().unwrap_or(0)).collect();
    let is_figure = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+');
    let right: Vec<bool> =
        (0..count).map(|i| i > 0 && rows.iter().skip(1).filter_map(|r| r.get(i)).all(|c| is_figure(c))).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (index, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[index] - width(cell));
            line.push_str(&if right[index] { format!("{pad}{cell}  ") } else { format!("{cell}{pad}  ") });
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [["name", "rows"], ["税务", "7"], ["x", "1000"]].map(|r| r.map(str::to_owned).to_vec());
        assert_eq!(columns(&rows), "name  rows\n税务     7\nx     1000\n");
    }
}
