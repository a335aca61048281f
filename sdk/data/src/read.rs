//! Reading a CSV file into a table.
use crate::{Error, KeyFormat, normalise_key, parse_decimal};
use hefu_core::{Missing, Place};
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::io::Read;
use std::path::Path;

/// Which columns are features.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Features {
    /// Every column but key and label.
    #[default]
    All,
    /// These columns, in this order; others are not looked at (scoring).
    Named(Vec<String>),
}

/// How to read a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The dataset's name, for messages.
    pub dataset: String,
    /// The key's column.
    pub key: String,
    /// What a key is.
    pub format: KeyFormat,
    /// The label's column, at the initiator of a training job.
    pub label: Option<String>,
    /// The features.
    pub features: Features,
    /// What an empty feature cell means.
    pub missing: Missing,
}

impl Layout {
    /// Text keys, no label, every other column a feature, empty cells an error.
    pub fn new(dataset: impl Into<String>, key: impl Into<String>) -> Self {
        Layout {
            dataset: dataset.into(),
            key: key.into(),
            format: KeyFormat::Text,
            label: None,
            features: Features::All,
            missing: Missing::Error,
        }
    }

    fn place(&self, row: Option<u64>, column: Option<&str>) -> Place {
        Place { dataset: Some(self.dataset.clone()), row, column: column.map(str::to_owned) }
    }
}

/// A feature column.
#[derive(Clone, PartialEq)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// One value a table row; NaN is an empty cell (only under [`Missing::Mean`]).
    pub values: Vec<f64>,
}

/// What became of the rows of a file; `rows` is the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Data rows of the file.
    pub rows: u64,
    /// Rows of the table: a valid key, seen for the first time.
    pub valid: u64,
    /// Rows whose key came before.
    pub duplicate: u64,
    /// Rows whose key is invalid.
    pub invalid: u64,
}

/// The rows of a file with valid, distinct keys, in the file's order.
///
/// # Security
/// Holds a party's rows. Debug shows the shape only.
#[derive(Clone, PartialEq)]
pub struct Table {
    /// Keys in normal form.
    pub keys: Vec<String>,
    /// Features.
    pub columns: Vec<Column>,
    /// Labels, 0 or 1, where the layout names one.
    pub label: Option<Vec<u8>>,
    /// What was left out.
    pub counts: Counts,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} rows, {} columns)", self.keys.len(), self.columns.len())
    }
}

/// Reads a file from disk.
///
/// # Errors
/// As [`read`]; `Unreadable` where it cannot be opened.
pub fn read_file(path: &Path, layout: &Layout) -> Result<Table, Error> {
    let unreadable = |e: std::io::Error| Error::Unreadable { dataset: layout.dataset.clone(), kind: e.kind() };
    read(std::fs::File::open(path).map_err(unreadable)?, layout)
}

/// Reads CSV (RFC 4180, UTF-8 with or without a byte order mark, a header row), one row at a time.
///
/// Cells are trimmed of white space. Rows with an invalid key and later rows of a key are counted and left out
/// whatever their cells hold. A label is any decimal number that equals 0 or 1.
///
/// # Errors
/// Every variant of [`Error`]; the row in its place is the first one at fault, counted from 1 without the header.
pub fn read(source: impl Read, layout: &Layout) -> Result<Table, Error> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).buffer_capacity(1 << 16).from_reader(source);
    let header = reader.headers().map_err(|e| csv_error(&e, layout, None))?.clone();
    if header.is_empty() {
        return Err(Error::EmptyFile(layout.place(None, None)));
    }
    let mut rows = Rows::new(&header, layout)?;
    let mut record = csv::StringRecord::new();
    loop {
        let row = rows.counts.rows + 1;
        if !reader.read_record(&mut record).map_err(|e| csv_error(&e, layout, Some(row)))? {
            return rows.finish();
        }
        rows.add(&record, row)?;
    }
}

fn csv_error(error: &csv::Error, layout: &Layout, row: Option<u64>) -> Error {
    match error.kind() {
        csv::ErrorKind::Io(e) => Error::Unreadable { dataset: layout.dataset.clone(), kind: e.kind() },
        _ => Error::NotUtf8(layout.place(row, None)),
    }
}

/// A table as it grows.
struct Rows<'a> {
    layout: &'a Layout,
    fields: usize,
    key: usize,
    label: Option<usize>,
    features: Vec<usize>,
    seen: Seen,
    keys: Vec<String>,
    columns: Vec<Column>,
    labels: Vec<u8>,
    counts: Counts,
}

impl<'a> Rows<'a> {
    fn new(header: &csv::StringRecord, layout: &'a Layout) -> Result<Self, Error> {
        let names: Vec<&str> = header.iter().map(|n| n.trim_start_matches('\u{feff}').trim()).collect();
        let find = |name: &str| {
            let mut places = names.iter().enumerate().filter(|(_, n)| **n == name).map(|(i, _)| i);
            match (places.next(), places.next()) {
                (Some(i), None) => Ok(i),
                (None, _) => Err(Error::MissingColumn(layout.place(None, Some(name)))),
                (Some(_), Some(_)) => Err(Error::ColumnTwice(layout.place(None, Some(name)))),
            }
        };
        let key = find(&layout.key)?;
        let label = layout.label.as_deref().map(find).transpose()?;
        let features = match &layout.features {
            Features::Named(wanted) => wanted.iter().map(|n| find(n)).collect::<Result<Vec<_>, _>>()?,
            Features::All => {
                let others = (0..names.len()).filter(|i| *i != key && Some(*i) != label);
                others.map(|i| find(names[i])).collect::<Result<Vec<_>, _>>()?
            }
        };
        let columns = features.iter().map(|i| Column { name: names[*i].to_owned(), values: Vec::new() }).collect();
        Ok(Rows {
            layout,
            fields: names.len(),
            key,
            label,
            features,
            seen: Seen::default(),
            keys: Vec::new(),
            columns,
            labels: Vec::new(),
            counts: Counts::default(),
        })
    }

    fn add(&mut self, record: &csv::StringRecord, row: u64) -> Result<(), Error> {
        if record.len() != self.fields {
            let (fields, expected) = (record.len() as u64, self.fields as u64);
            return Err(Error::Ragged { place: self.layout.place(Some(row), None), fields, expected });
        }
        self.counts.rows = row;
        let Some(key) = normalise_key(cell(record, self.key), self.layout.format) else {
            self.counts.invalid += 1;
            return Ok(());
        };
        if self.seen.contains(&key) {
            self.counts.duplicate += 1;
            return Ok(());
        }
        // Positions are u32, and the largest one means an absent row.
        if self.keys.len() >= u32::MAX as usize - 1 {
            return Err(Error::TooManyRows(self.layout.place(None, None)));
        }
        if let Some(label) = self.label {
            self.labels.push(self.parse_label(cell(record, label), row)?);
        }
        for (column, field) in self.columns.iter_mut().zip(&self.features) {
            let text = cell(record, *field);
            let value = match parse_decimal(text) {
                Some(value) => value,
                None if text.is_empty() && self.layout.missing == Missing::Mean => f64::NAN,
                None => {
                    let place = self.layout.place(Some(row), Some(&column.name));
                    return Err(if text.is_empty() { Error::EmptyCell(place) } else { Error::NotANumber(place) });
                }
            };
            column.values.push(value);
        }
        self.seen.insert(&key);
        self.keys.push(key);
        self.counts.valid += 1;
        Ok(())
    }

    fn parse_label(&self, text: &str, row: u64) -> Result<u8, Error> {
        match parse_decimal(text) {
            Some(0.0) => Ok(0),
            Some(1.0) => Ok(1),
            _ => Err(Error::BadLabel(self.layout.place(Some(row), self.layout.label.as_deref()))),
        }
    }

    fn finish(self) -> Result<Table, Error> {
        if self.counts.rows == 0 {
            return Err(Error::EmptyFile(self.layout.place(None, None)));
        }
        if self.counts.valid == 0 {
            return Err(Error::NoValidKey(self.layout.place(None, Some(&self.layout.key))));
        }
        let label = self.label.map(|_| self.labels);
        Ok(Table { keys: self.keys, columns: self.columns, label, counts: self.counts })
    }
}

/// The keys so far, as 128 bits each of hashes under secret keys: nobody can choose two that meet, and by chance two of
/// 2^32 meet with probability 2^-65. The texts themselves stand in the table alone.
#[derive(Default)]
struct Seen {
    hashes: HashSet<u128>,
    halves: [RandomState; 2],
}

impl Seen {
    fn hash(&self, key: &str) -> u128 {
        u128::from(self.halves[0].hash_one(key)) << 64 | u128::from(self.halves[1].hash_one(key))
    }

    fn contains(&self, key: &str) -> bool {
        self.hashes.contains(&self.hash(key))
    }

    fn insert(&mut self, key: &str) {
        self.hashes.insert(self.hash(key));
    }
}

fn cell(record: &csv::StringRecord, field: usize) -> &str {
    record.get(field).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests;
