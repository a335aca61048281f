//! Reads the vectors of a kind and holds an implementation to each of them (`spec/vectors/README.md`).
//!
//! The vector tests of every crate include this file. A case fails where its output differs in any member, where it is
//! not refused with exactly the code that it names, and where its file holds more or less than its kind's format.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic)]
use hefu_core::Code;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::path::Path;

/// Runs every case of a kind: `run` answers `output`, or the code of the refusal.
pub fn each<I: DeserializeOwned>(kind: &str, run: impl Fn(I) -> Result<Value, Code>) {
    each_without(kind, &[], run);
}

/// The same, where tests of other code answer for the members `elsewhere` of `output`.
pub fn each_without<I: DeserializeOwned>(kind: &str, elsewhere: &[&str], run: impl Fn(I) -> Result<Value, Code>) {
    each_file(kind, |path| check(kind, elsewhere, path, |input| (0, run(input))));
}

/// The same, where the integers of a case may differ by a tolerance: `run` answers it first.
pub fn each_near<I: DeserializeOwned>(kind: &str, run: impl Fn(I) -> (i128, Result<Value, Code>)) {
    each_file(kind, |path| check(kind, &[], path, &run));
}

fn each_file(kind: &str, check: impl Fn(&Path) -> Result<(), String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(kind);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let failures: Vec<String> =
        files.iter().filter_map(|path| check(path).err().map(|why| format!("{}: {why}", path.display()))).collect();
    assert!(!files.is_empty(), "no case of {kind}");
    assert!(failures.is_empty(), "{} of {} cases fail\n{}", failures.len(), files.len(), failures.join("\n"));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    kind: String,
    title: String,
    clause: Vec<String>,
    input: Value,
    output: Option<Value>,
    error: Option<String>,
    /// The rank that a refusal names.
    party: Option<u16>,
}

/// Runs every case of a kind whose refusals name a rank: `run` answers `output`, or the code and the rank.
pub fn each_blaming<I: DeserializeOwned>(kind: &str, run: impl Fn(I) -> Result<Value, (Code, Option<u16>)>) {
    each_file(kind, |path| {
        let blamed = std::cell::Cell::new(None);
        let answer = |input| {
            let found = run(input);
            blamed.set(found.as_ref().err().and_then(|refusal| refusal.1));
            (0, found.map_err(|refusal| refusal.0))
        };
        check(kind, &[], path, answer)?;
        let case: Case = serde_json::from_slice(&std::fs::read(path).unwrap()).map_err(|e| e.to_string())?;
        if case.party.is_some() && case.party != blamed.get() {
            return Err(format!("names {:?} where {:?} is due", blamed.get(), case.party));
        }
        Ok(())
    });
}

fn check<I: DeserializeOwned>(
    kind: &str,
    elsewhere: &[&str],
    path: &Path,
    run: impl Fn(I) -> (i128, Result<Value, Code>),
) -> Result<(), String> {
    let name = path.file_name().unwrap().to_str().unwrap();
    if !name.ends_with(".json") {
        return Err("not a case".to_owned());
    }
    let case: Case = serde_json::from_slice(&std::fs::read(path).unwrap()).map_err(|e| e.to_string())?;
    if case.kind != kind {
        return Err(format!("a case of kind {}", case.kind));
    }
    let input = serde_json::from_value(case.input).map_err(|e| format!("input: {e}"))?;
    let (tolerance, found) = run(input);
    match (case.output, case.error, found) {
        (Some(mut expected), None, Ok(found)) if !name.starts_with("bad_") => {
            for member in elsewhere {
                let members = expected.as_object_mut().ok_or("output is no object")?;
                members.remove(*member).ok_or(format!("output has no {member}"))?;
            }
            compare("output", &expected, &found, tolerance)
        }
        (None, Some(expected), Err(code)) if name.starts_with("bad_") => {
            if code.name() == expected {
                Ok(())
            } else {
                Err(format!("{} where {expected} is due", code.name()))
            }
        }
        (Some(_), None, Err(code)) => Err(format!("refused with {}", code.name())),
        (None, Some(expected), Ok(found)) => Err(format!("not refused with {expected}, but {}", cut(&found))),
        _ => Err("needs either output, or error and a name with bad_".to_owned()),
    }
}

/// Everything that is expected is found, and nothing else. Of a digest, `found` may know more than is asked.
pub fn compare(place: &str, expected: &Value, found: &Value, tolerance: i128) -> Result<(), String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            let is_digest = expected.contains_key("sha256");
            if let Some(extra) = found.keys().find(|name| !is_digest && !expected.contains_key(*name)) {
                return Err(format!("{place}.{extra} is not expected"));
            }
            expected.iter().try_for_each(|(name, expected)| {
                let found = found.get(name).ok_or(format!("{place}.{name} is missing"))?;
                compare(&format!("{place}.{name}"), expected, found, tolerance)
            })
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut pairs = expected.iter().zip(found).enumerate();
            pairs.try_for_each(|(i, (expected, found))| compare(&format!("{place}[{i}]"), expected, found, tolerance))
        }
        _ if expected == found => Ok(()),
        _ if integer(expected).zip(integer(found)).is_some_and(|(e, f)| (e - f).abs() <= tolerance) => Ok(()),
        _ if fraction(expected).zip(fraction(found)).is_some_and(|(e, f)| (e - f).abs() <= 10) => Ok(()),
        _ => Err(format!("{place} is {} where {} is due", cut(found), cut(expected))),
    }
}

fn integer(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or_else(|| value.as_str()?.parse().ok())
}

/// A real number with ten digits after the point, in units of the last one; it may differ by 1e-9.
fn fraction(value: &Value) -> Option<i128> {
    let (whole, digits) = value.as_str()?.split_once('.')?;
    if digits.len() == 10 { format!("{whole}{digits}").parse().ok() } else { None }
}

fn cut(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

/// Bytes, in hex.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Hex(pub Vec<u8>);

impl Hex {
    pub fn array<const N: usize>(&self) -> [u8; N] {
        self.0.clone().try_into().unwrap()
    }

    /// `f64be`.
    pub fn double(&self) -> f64 {
        f64::from_bits(u64::from_be_bytes(self.array()))
    }
}

impl TryFrom<String> for Hex {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digit = |b: u8| char::from(b).to_digit(16).filter(|_| !b.is_ascii_uppercase()).map(|d| d as u8);
        let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        });
        pairs.collect::<Option<Vec<u8>>>().map(Hex).ok_or("expected lower-case hexadecimal digits")
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// The hex of `f64be`.
pub fn double(value: f64) -> String {
    hex(value.to_bits().to_be_bytes())
}

/// A real number as the kinds of `pooled` have it.
pub fn digits(value: f64) -> String {
    format!("{value:.10}")
}

/// An integer in decimal text.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct Decimal(pub i128);

impl Decimal {
    pub fn u64(self) -> u64 {
        self.0.try_into().unwrap()
    }

    pub fn i64(self) -> i64 {
        self.0.try_into().unwrap()
    }
}

impl TryFrom<String> for Decimal {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Decimal)
    }
}

/// Integers as decimal texts.
pub fn decimals<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}
