//! Texts of the error registry, English and Chinese. Checked against `spec/registry/errors.json` by a test.
use crate::Code;

mod authority;
mod cryptography;
mod data;
mod negotiation;
mod resources;
mod state;
mod transport;

/// One text in two languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// English.
    pub en: &'static str,
    /// Chinese.
    pub zh: &'static str,
}

/// What the registry says of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What happened.
    pub cause: Text,
    /// What to do next.
    pub next: Text,
}

/// Code, cause in English and Chinese, next step in English and Chinese; in the order of `Code::ALL`.
type Row = (Code, &'static str, &'static str, &'static str, &'static str);

/// The texts of each range of codes, 1xxx to 7xxx.
const RANGES: [&[Row]; 7] = [
    transport::TEXTS,
    negotiation::TEXTS,
    authority::TEXTS,
    state::TEXTS,
    cryptography::TEXTS,
    data::TEXTS,
    resources::TEXTS,
];

/// The registry entry of a code.
pub fn entry(code: Code) -> Entry {
    // In bounds: the assertion below holds for every code.
    let texts = RANGES[usize::from(code.number() / 1000) - 1];
    let (_, cause_en, cause_zh, next_en, next_zh) = texts[texts.partition_point(|row| row.0.number() < code.number())];
    Entry { cause: Text { en: cause_en, zh: cause_zh }, next: Text { en: next_en, zh: next_zh } }
}

/// Every code has its row in the file of its range, in ascending order.
const _: () = {
    let (mut range, mut seen) = (0, 0);
    while range < RANGES.len() {
        let mut at = 0;
        while at < RANGES[range].len() {
            let number = RANGES[range][at].0 as u16;
            assert!(number == Code::ALL[seen] as u16);
            assert!(number as usize / 1000 == range + 1);
            assert!(at == 0 || (RANGES[range][at - 1].0 as u16) < number);
            at += 1;
            seen += 1;
        }
        range += 1;
    }
    assert!(seen == Code::ALL.len());
};
