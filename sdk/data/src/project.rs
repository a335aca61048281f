//! From a file of rows to the columns that a job can use, as CSV.
use crate::Error;
use crate::check::Encoding;
use crate::facts::Kind;
use hefu_core::Place;
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read, Write};

/// Writes some columns of a file as CSV, in the order given; answers those that the file has.
///
/// Cells stay as they are written; null is an empty cell, and a truth value is 1 or 0. The file has passed a check.
///
/// # Errors
/// `Unreadable` where either side cannot be read or written; `NotUtf8`, `Truncated` where the file is not the one that
/// was checked.
pub fn project<'a>(
    source: impl Read,
    encoding: Encoding,
    columns: &[(&'a str, Kind)],
    dataset: &str,
    sink: impl Write,
) -> Result<Vec<&'a str>, Error> {
    match encoding {
        Encoding::Csv => of_csv(source, columns, dataset, sink),
        Encoding::Ndjson => of_ndjson(source, columns, dataset, sink),
    }
}

fn place(dataset: &str, row: u64) -> Place {
    Place { dataset: Some(dataset.to_owned()), row: Some(row), column: None }
}

fn unreadable(dataset: &str, kind: std::io::ErrorKind) -> Error {
    Error::Unreadable { dataset: dataset.to_owned(), kind }
}

fn csv_error(error: &csv::Error, dataset: &str, row: u64) -> Error {
    match error.kind() {
        csv::ErrorKind::Io(e) => unreadable(dataset, e.kind()),
        _ => Error::NotUtf8(place(dataset, row)),
    }
}

/// A truth value as a number; any other text as it is.
fn as_written(text: &str, kind: Kind) -> &str {
    match (kind, text) {
        (Kind::Truth, "true") => "1",
        (Kind::Truth, "false") => "0",
        _ => text,
    }
}

fn of_csv<'a>(
    source: impl Read,
    columns: &[(&'a str, Kind)],
    dataset: &str,
    sink: impl Write,
) -> Result<Vec<&'a str>, Error> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(source);
    let mut writer = csv::Writer::from_writer(sink);
    let header = reader.headers().map_err(|e| csv_error(&e, dataset, 0))?.clone();
    let names: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim()).collect();
    let there: Vec<_> = columns
        .iter()
        .filter_map(|(name, kind)| Some((*name, *kind, names.iter().position(|other| other == name)?)))
        .collect();
    let written = writer.write_record(there.iter().map(|(name, ..)| name));
    written.map_err(|e| csv_error(&e, dataset, 0))?;
    let (mut record, mut row) = (csv::StringRecord::new(), 0);
    loop {
        row += 1;
        if !reader.read_record(&mut record).map_err(|e| csv_error(&e, dataset, row))? {
            break;
        }
        let cells = there.iter().map(|(_, kind, at)| as_written(record.get(*at).unwrap_or_default(), *kind));
        writer.write_record(cells).map_err(|e| csv_error(&e, dataset, row))?;
    }
    writer.flush().map_err(|e| unreadable(dataset, e.kind()))?;
    Ok(there.into_iter().map(|(name, ..)| name).collect())
}

fn of_ndjson<'a>(
    source: impl Read,
    columns: &[(&'a str, Kind)],
    dataset: &str,
    sink: impl Write,
) -> Result<Vec<&'a str>, Error> {
    let mut writer = csv::Writer::from_writer(sink);
    let written = writer.write_record(columns.iter().map(|(name, _)| name));
    written.map_err(|e| csv_error(&e, dataset, 0))?;
    let (mut lines, mut line, mut row) = (BufReader::with_capacity(1 << 16, source), String::new(), 0);
    loop {
        line.clear();
        if lines.read_line(&mut line).map_err(|e| unreadable(dataset, e.kind()))? == 0 {
            break;
        }
        let text = line.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            continue;
        }
        row += 1;
        let object: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| Error::Truncated(place(dataset, row)))?;
        let cells = columns.iter().map(|(name, kind)| match object.get(*name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => as_written(text.trim(), *kind).to_owned(),
            Some(other) => as_written(&other.to_string(), *kind).to_owned(),
        });
        writer.write_record(cells).map_err(|e| csv_error(&e, dataset, row))?;
    }
    writer.flush().map_err(|e| unreadable(dataset, e.kind()))?;
    Ok(columns.iter().map(|(name, _)| *name).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const COLUMNS: &[(&str, Kind)] = &[("id", Kind::Other), ("paid", Kind::Number), ("late", Kind::Truth)];

    fn projected(text: &str, encoding: Encoding) -> (String, Vec<&'static str>) {
        let mut out = Vec::new();
        let columns = project(text.as_bytes(), encoding, COLUMNS, "tax", &mut out).unwrap();
        (String::from_utf8(out).unwrap(), columns)
    }

    #[test]
    fn both_encodings_give_the_same_file() {
        let csv = "\u{feff}late,name,id, paid \ntrue,\"A, B\",\"E\"\"1\",13440.00\n false ,C,E2,\n";
        let ndjson = "{\"id\":\"E\\\"1\",\"name\":\"A\",\"paid\":\"13440.00\",\"late\":true}\n\n\
                      {\"late\":false,\"paid\":null,\"id\":\"E2\"}\n";
        let expected = "id,paid,late\n\"E\"\"1\",13440.00,1\nE2,,0\n";
        assert_eq!(projected(csv, Encoding::Csv), (expected.to_owned(), vec!["id", "paid", "late"]));
        assert_eq!(projected(ndjson, Encoding::Ndjson).0, expected);
    }

    #[test]
    fn a_column_that_a_csv_file_lacks_is_left_out() {
        assert_eq!(projected("id,late\nE1,true\n", Encoding::Csv), ("id,late\nE1,1\n".to_owned(), vec!["id", "late"]));
    }

    #[test]
    fn numbers_of_json_are_read_back_as_they_were() {
        let (text, _) = projected("{\"id\":7,\"paid\":-0.1}\n{\"id\":\"E2\",\"paid\":1e21}\n", Encoding::Ndjson);
        let rows: Vec<_> =
            text.lines().skip(1).map(|row| row.split(',').nth(1).unwrap().parse::<f64>().unwrap()).collect();
        assert_eq!(rows, [-0.1, 1e21]);
    }
}
