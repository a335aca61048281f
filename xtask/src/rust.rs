//! As much of Rust's grammar as the checks need: what is code, functions, imports, test regions.

/// The source with comments, strings and characters blanked; every line and column stays where it was.
pub fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' | b'b' | b'c' if !follows_name(bytes, at) => literal_end(bytes, at).unwrap_or(at),
            b'\'' => character_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn follows_name(bytes: &[u8], at: usize) -> bool {
    at > 0 && is_name(bytes[at - 1])
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n)
}

fn comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while at + 1 < bytes.len() {
        match (bytes[at], bytes[at + 1]) {
            (b'/', b'*') => (depth, at) = (depth + 1, at + 2),
            (b'*', b'/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `b'…'` or `c"…"`; nothing when it is a name.
fn literal_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    let mut raw = false;
    while let Some(b'r' | b'b' | b'c') = bytes.get(at) {
        raw |= bytes[at] == b'r';
        at += 1;
        if at - start > 2 {
            return None;
        }
    }
    let hashes = bytes[at..].iter().take_while(|b| **b == b'#').count();
    match bytes.get(at + hashes) {
        Some(b'"') if raw => {
            let mut close = vec![b'"'];
            close.extend(std::iter::repeat_n(b'#', hashes));
            let body = at + hashes + 1;
            let length = bytes[body..].windows(close.len()).position(|w| w == close.as_slice());
            Some(length.map_or(bytes.len(), |n| body + n + close.len()))
        }
        Some(b'"') if hashes == 0 => Some(string_end(bytes, at)),
        Some(b'\'') if hashes == 0 => character_end(bytes, at),
        _ => None,
    }
}

/// The end of a character literal; nothing for a lifetime.
fn character_end(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start + 1) == Some(&b'\\') {
        let close = bytes.get(start + 3..)?.iter().position(|b| *b == b'\'')?;
        return Some(start + 3 + close + 1);
    }
    let width = match bytes.get(start + 1)? {
        0..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    (bytes.get(start + 1 + width) == Some(&b'\'')).then_some(start + 2 + width)
}

/// A function with its first and last line, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub first: usize,
    pub last: usize,
}

/// Every function that has a body. `code` comes from [`code_only`].
pub fn functions(code: &str) -> Vec<Function> {
    let lines = LineIndex::new(code);
    let mut found = Vec::new();
    for at in words(code, "fn") {
        let rest = code[at + 2..].trim_start();
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            continue;
        }
        if let Some((_, end)) = body(code, at) {
            found.push(Function { name, first: lines.of(at), last: lines.of(end) });
        }
    }
    found
}

/// Byte range of the first `{ … }` after `at`, unless a `;` outside brackets comes first.
fn body(code: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = code.as_bytes();
    let mut brackets = 0i32;
    let mut open = at;
    loop {
        match bytes.get(open)? {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b';' if brackets == 0 => return None,
            b'{' if brackets == 0 => break,
            _ => {}
        }
        open += 1;
    }
    let mut depth = 0i32;
    for (offset, byte) in bytes[open..].iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((open, open + offset));
        }
    }
    None
}

/// Byte offsets at which `word` stands alone.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = *at > 0 && is_name(bytes[*at - 1]);
        let after = bytes.get(at + word.len()).is_some_and(|b| is_name(*b));
        !before && !after
    })
}

/// The code with every item under `#[cfg(test)]` blanked, so that only what ships remains.
pub fn without_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    for (first, last) in test_regions(code) {
        for byte in &mut out[first..last] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Byte ranges of the items under `#[cfg(test)]` or `#[cfg(all(test, …))]`.
pub fn test_regions(code: &str) -> Vec<(usize, usize)> {
    let mut regions = Vec::new();
    for marker in ["#[cfg(test)]", "#[cfg(all(test"] {
        for (at, _) in code.match_indices(marker) {
            let attribute = code[at..].find(']').map_or(at, |n| at + n + 1);
            let end = match body(code, attribute) {
                Some((_, end)) => end + 1,
                None => code[attribute..].find(';').map_or(code.len(), |n| attribute + n + 1),
            };
            regions.push((at, end));
        }
    }
    regions.sort_unstable();
    regions
}

/// Every path that a `use` item brings in, groups written out, with its line.
pub fn imports(code: &str) -> Vec<(usize, String)> {
    let lines = LineIndex::new(code);
    let mut found = Vec::new();
    for at in words(code, "use") {
        let rest = &code[at + 3..];
        let Some(end) = rest.find(';') else { continue };
        let flat: String = rest[..end].split_whitespace().collect::<Vec<_>>().join(" ");
        expand("", &flat, &mut |path| found.push((lines.of(at), path)));
    }
    found
}

fn expand(prefix: &str, tree: &str, found: &mut dyn FnMut(String)) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree).trim();
        if !path.is_empty() {
            found(format!("{prefix}{path}"));
        }
        return;
    };
    let close = tree.rfind('}').unwrap_or(tree.len());
    let prefix = format!("{prefix}{}", tree[..open].trim());
    let (mut depth, mut start) = (0i32, open + 1);
    for (at, c) in tree.char_indices().skip_while(|(at, _)| *at <= open).take_while(|(at, _)| *at < close) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &tree[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
    expand(&prefix, &tree[start.min(close)..close], found);
}

/// Turns byte offsets into lines.
pub struct LineIndex(Vec<usize>);

impl LineIndex {
    /// Notes where each line of `text` ends.
    pub fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line of a byte offset, counted from 1.
    pub fn of(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }
}

#[cfg(test)]
mod tests;
