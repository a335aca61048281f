//! Checking a file against a JSON Schema, row by row, in bounded memory.
//!
//! The schema is compiled once ([`RowSchema`]); a row is judged without building a document of it. A report names
//! rows, columns and rules, never a value.
mod compile;
mod formats;
mod judge;
mod lines;
mod ndjson;
mod records;
#[cfg(test)]
mod tests;

pub use compile::RowSchema;
pub use judge::Rule;

use crate::Error;
use hefu_core::Place;
use judge::Column;
use lines::Lines;
use records::Record;
use std::collections::BTreeMap;
use std::io::Read;

/// Bytes of a row at most; a longer one is refused before it is read to its end.
pub const MAX_ROW_BYTES: usize = 1 << 20;
/// Rows between two calls of progress.
const PROGRESS_ROWS: u64 = 1 << 16;

/// How rows are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// RFC 4180 with a header row. An empty cell is null; a cell is read as the type that the schema gives its column.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// A cell, or a row as a whole, that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Data row, counted from 1.
    pub row: u64,
    /// The column; none where the row as a whole is at fault.
    pub column: Option<String>,
    /// The rule.
    pub rule: Rule,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Data rows read.
    pub rows: u64,
    /// Rows without a violation.
    pub valid: u64,
    /// Rows with at least one.
    pub invalid: u64,
    /// Violations by column and rule; a row as a whole stands under no column.
    pub counts: BTreeMap<(Option<String>, Rule), u64>,
    /// The first violations, in the file's order.
    pub first: Vec<Violation>,
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Rows judged.
    pub rows: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// Judges every row of `source`; lists the first `max_listed` violations and counts all.
///
/// `progress` is called now and then, and once at the end. Memory does not grow with the file.
///
/// # Errors
/// Only what leaves no row to judge: `Unreadable`, `NotUtf8`, `EmptyFile`, `LineTooLong`, `Truncated`; of a CSV header
/// `ColumnTwice`, `MissingColumn` and `UnknownColumn`.
pub fn check(
    source: impl Read,
    encoding: Encoding,
    schema: &RowSchema,
    dataset: &str,
    max_listed: usize,
    mut progress: impl FnMut(Checked),
) -> Result<Report, Error> {
    let mut lines = Lines::new(source, dataset);
    let mut tally = Tally::new(&schema.columns, max_listed);
    match encoding {
        Encoding::Csv => csv(&mut lines, schema, &mut tally, &mut progress)?,
        Encoding::Ndjson => ndjson(&mut lines, schema, &mut tally, &mut progress)?,
    }
    if tally.rows == 0 {
        return Err(Error::EmptyFile(lines.place(None, None)));
    }
    progress(Checked { rows: tally.rows, bytes: lines.bytes() });
    Ok(tally.report())
}

fn csv(
    lines: &mut Lines<impl Read>,
    schema: &RowSchema,
    tally: &mut Tally<'_>,
    progress: &mut impl FnMut(Checked),
) -> Result<(), Error> {
    let mut record = Record::default();
    if !record.read(lines, None)? {
        return Err(Error::EmptyFile(lines.place(None, None)));
    }
    let header = record.header(lines)?;
    let columns = schema.of_header(&header, |column| lines.place(None, Some(column)))?;
    loop {
        let row = tally.rows + 1;
        if !record.read(lines, Some(row))? {
            return Ok(());
        }
        let fields = record.fields();
        if fields != header.len() && record.is_unended(lines) {
            return Err(Error::Truncated(lines.place(Some(row), None)));
        }
        tally.rows = row;
        let before = tally.violations;
        if fields != header.len() {
            tally.add(None, Rule::Fields);
        } else if record.has_stray_quote() {
            tally.add(None, Rule::Quotes);
        } else {
            let text = record.text(lines, row)?;
            for (field, column) in columns.iter().enumerate() {
                let Some(column) = column else { continue };
                let cell = record.cell(text, field);
                if let Some(rule) = schema.columns[*column].judge_text(cell) {
                    tally.add(Some(*column), rule);
                }
            }
        }
        tally.end_row(before);
        if row.is_multiple_of(PROGRESS_ROWS) {
            progress(Checked { rows: row, bytes: lines.bytes() });
        }
    }
}

fn ndjson(
    lines: &mut Lines<impl Read>,
    schema: &RowSchema,
    tally: &mut Tally<'_>,
    progress: &mut impl FnMut(Checked),
) -> Result<(), Error> {
    let mut seen = Vec::new();
    loop {
        let row = tally.rows + 1;
        let Some(line) = lines.next(Some(row))? else { return Ok(()) };
        let Ok(text) = std::str::from_utf8(lines.slice(&line)) else {
            return Err(Error::NotUtf8(lines.place(Some(row), None)));
        };
        if text.trim().is_empty() {
            continue;
        }
        tally.rows = row;
        let before = tally.violations;
        if let Err(broken) = ndjson::judge(text, schema, &mut seen, tally) {
            if broken.is_cut && lines.is_unended() {
                return Err(Error::Truncated(lines.place(Some(row), None)));
            }
            tally.add(None, Rule::Json);
        }
        tally.end_row(before);
        if row.is_multiple_of(PROGRESS_ROWS) {
            progress(Checked { rows: row, bytes: lines.bytes() });
        }
    }
}

/// Counts of a check as it goes.
struct Tally<'a> {
    columns: &'a [Column],
    max_listed: usize,
    rows: u64,
    invalid: u64,
    violations: u64,
    /// One row of counts a column, and a last one for rows as a whole.
    counts: Vec<[u64; Rule::ALL.len()]>,
    first: Vec<Violation>,
}

impl<'a> Tally<'a> {
    fn new(columns: &'a [Column], max_listed: usize) -> Self {
        let counts = vec![[0; Rule::ALL.len()]; columns.len() + 1];
        Tally { columns, max_listed, rows: 0, invalid: 0, violations: 0, counts, first: Vec::new() }
    }

    /// A violation of the current row.
    fn add(&mut self, column: Option<usize>, rule: Rule) {
        self.violations += 1;
        let at = column.unwrap_or(self.columns.len());
        self.counts[at][rule as usize] += 1;
        if self.first.len() < self.max_listed {
            let column = column.map(|c| self.columns[c].name.clone());
            self.first.push(Violation { row: self.rows, column, rule });
        }
    }

    fn end_row(&mut self, violations_before: u64) {
        self.invalid += u64::from(self.violations > violations_before);
    }

    fn report(self) -> Report {
        let mut counts = BTreeMap::new();
        for (at, of_column) in self.counts.iter().enumerate() {
            let column = self.columns.get(at).map(|c| c.name.clone());
            for (rule, count) in Rule::ALL.iter().zip(of_column).filter(|(_, count)| **count > 0) {
                counts.insert((column.clone(), *rule), *count);
            }
        }
        Report { rows: self.rows, valid: self.rows - self.invalid, invalid: self.invalid, counts, first: self.first }
    }
}

fn place(dataset: &str, row: Option<u64>, column: Option<&str>) -> Place {
    Place { dataset: Some(dataset.to_owned()), row, column: column.map(str::to_owned) }
}
