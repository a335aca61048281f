//! Clauses: the numbered sentences of `spec/*.md`.
use crate::check::Finding;
use crate::tree::Tree;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// How strongly a sentence binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Must,
    Should,
    May,
}

impl Level {
    /// The requirement word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

/// One numbered sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    pub document: String,
    pub line: usize,
    pub sentence: String,
    pub level: Level,
}

impl Clause {
    /// First 16 hex digits of SHA-256 of the sentence, white space made single.
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.sentence.as_bytes())).chars().take(16).collect()
    }
}

/// Sorts `FRAME-2` before `FRAME-10`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub prefix: String,
    pub number: u32,
}

impl Id {
    /// Reads `FRAME-5`.
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, number) = text.split_once('-')?;
        let shaped = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_uppercase());
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        (shaped && digits).then(|| Some(Self { prefix: prefix.to_owned(), number: number.parse().ok()? }))?
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.prefix, self.number)
    }
}

/// All clauses by id, and what is wrong with how they are written.
pub type Clauses = BTreeMap<Id, Clause>;

/// Reads every normative document of `spec/`.
pub fn read(tree: &Tree) -> Result<(Clauses, Vec<Finding>), String> {
    let (mut clauses, mut findings) = (Clauses::new(), Vec::new());
    for path in tree.paths("spec/", ".md").filter(|p| is_normative(p)) {
        for item in parse(path, &tree.text(path)?) {
            match item {
                Item::Clause(id, clause) => {
                    if let Some(first) = clauses.get(&id) {
                        let what = format!("{id} stands at {}:{} too", first.document, first.line);
                        findings.push(Finding::at(path, clause.line, what, "give the newer sentence the next free id"));
                    } else {
                        clauses.insert(id, clause);
                    }
                }
                Item::Stray(line, what, fix) => findings.push(Finding::at(path, line, what, fix)),
            }
        }
    }
    Ok((clauses, findings))
}

/// The documents directly under `spec/`, without the guide and the generated table.
fn is_normative(path: &str) -> bool {
    let name = path.trim_start_matches("spec/");
    !name.contains('/') && name != "README.md" && name != "coverage.md"
}

enum Item {
    Clause(Id, Clause),
    Stray(usize, &'static str, &'static str),
}

fn parse(path: &str, text: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    let mut fenced = false;
    while let Some((number, line)) = lines.next() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        let numbered = line.strip_prefix("- **").and_then(|rest| rest.split_once("** "));
        let clause = numbered.and_then(|(id, sentence)| Some((Id::parse(id)?, sentence)));
        let Some((id, sentence)) = clause else {
            if !fenced && level(line).is_some() && !line.contains("RFC 2119") {
                let fix = "make it a list item that begins with the document's next free id";
                items.push(Item::Stray(number + 1, "a requirement word outside a numbered sentence", fix));
            }
            continue;
        };
        let mut sentence = sentence.to_owned();
        while let Some((_, more)) = lines.next_if(|(_, l)| l.starts_with("  ") && !l.trim().is_empty()) {
            sentence = format!("{sentence} {}", more.trim());
        }
        let sentence = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
        match level(&sentence) {
            Some(level) => {
                let clause = Clause { document: path.to_owned(), line: number + 1, sentence, level };
                items.push(Item::Clause(id, clause));
            }
            None => items.push(Item::Stray(number + 1, "a numbered sentence without MUST, SHOULD or MAY", "say which")),
        }
    }
    items
}

/// The strongest requirement word of a sentence.
fn level(sentence: &str) -> Option<Level> {
    let words: Vec<&str> = sentence.split(|c: char| !c.is_alphanumeric()).collect();
    [Level::Must, Level::Should, Level::May].into_iter().find(|level| words.contains(&level.word()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Frames\n\n- **FRAME-1** A receiver MUST refuse\n  a short header (`X`).\n\
        - **FRAME-10** A node SHOULD log.\n";

    fn clauses(text: &str) -> (Clauses, Vec<Finding>) {
        read(&Tree::of(&[("spec/frame.md", text), ("spec/README.md", "it MUST")]))
            .unwrap_or_else(|e| unreachable!("{e}"))
    }

    #[test]
    fn a_sentence_may_span_lines_and_has_its_level() {
        let (found, findings) = clauses(TEXT);
        assert!(findings.is_empty());
        let flat: Vec<_> = found.iter().map(|(id, c)| (id.to_string(), c.line, c.level, c.sentence.as_str())).collect();
        assert_eq!(flat[0], ("FRAME-1".to_owned(), 3, Level::Must, "A receiver MUST refuse a short header (`X`)."));
        assert_eq!(flat[1], ("FRAME-10".to_owned(), 5, Level::Should, "A node SHOULD log."));
    }

    #[test]
    fn the_hash_follows_the_words_and_not_the_line_breaks() {
        let joined = TEXT.replace("refuse\n  a", "refuse a");
        let changed = TEXT.replace("short", "long");
        let hash = |text: &str| clauses(text).0.values().next().map(Clause::hash);
        assert_eq!(hash(TEXT), hash(&joined));
        assert_ne!(hash(TEXT), hash(&changed));
    }

    #[test]
    fn strays_and_repeated_ids_are_found() {
        let (_, findings) =
            clauses("A node MUST not.\n- **FRAME-1** It is so.\n- **FRAME-2** It MAY.\n- **FRAME-2** It MAY.\n");
        let lines: Vec<&str> = findings.iter().map(|f| f.place.as_str()).collect();
        assert_eq!(lines, ["spec/frame.md:1", "spec/frame.md:2", "spec/frame.md:4"]);
    }

    #[test]
    fn ids_have_one_shape() {
        assert_eq!(Id::parse("FRAME-5").map(|id| id.number), Some(5));
        for text in ["FRAME", "FRAME-", "frame-5", "FRAME-5a", "-5", "SHA-+5"] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
        assert!(Id::parse("FRAME-2") < Id::parse("FRAME-10"));
    }
}
