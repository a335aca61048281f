#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::dictionary::{TABLES, table};
use hefu_core::Code;
use serde_json::{Value, json};
use std::io;

const SI: &str = "uscc,period,insurance_type,insured_headcount,contribution_base,amount_due,amount_paid,paid_date,\
                  arrears_flag\n";
const GOOD: &str = "91440300YY00001320,202609,PENSION,12,84000.00,13440.00,13440.00,2026-09-20,false\n";

fn schema(name: &str) -> RowSchema {
    RowSchema::compile(table(name).unwrap().schema, name).unwrap()
}

fn si(rows: &str) -> Result<Report, Error> {
    of(&schema("si_contribution_month"), Encoding::Csv, format!("{SI}{rows}").as_bytes())
}

fn of(schema: &RowSchema, encoding: Encoding, source: impl Read) -> Result<Report, Error> {
    check(source, encoding, schema, "rows", 100, |_| {})
}

fn found(report: &Report) -> Vec<(u64, &str, &str)> {
    report.first.iter().map(|v| (v.row, v.column.as_deref().unwrap_or("-"), v.rule.as_str())).collect()
}

/// The other validator of these rows is Python's (spec/schemas/data/check.py).
#[test]
fn every_row_beside_a_schema_is_judged_as_it_says() {
    let mut judged = 0;
    for table in TABLES {
        let schema = RowSchema::compile(table.schema, table.name).unwrap();
        let path = format!("{}/../../spec/schemas/data/rows/{}.ndjson", env!("CARGO_MANIFEST_DIR"), table.name);
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let report = of(&schema, Encoding::Ndjson, case["row"].to_string().as_bytes()).unwrap();
            let expected = case["rule"].as_str().map(|rule| (1, case["column"].as_str().unwrap_or("-"), rule));
            assert_eq!(found(&report), Vec::from_iter(expected), "{}: {line}", table.name);
            judged += 1;
        }
    }
    assert!(judged > 600, "{judged}");
}

#[test]
fn a_csv_row_is_read_as_the_types_of_its_columns() {
    let nulls = "91440300YY00001320,202609,MEDICAL,,,,,,\n";
    let report = si(&format!("{GOOD}{nulls}\n{}", GOOD.trim_end())).unwrap();
    assert_eq!((report.rows, report.valid, report.invalid), (3, 3, 0));
    let cases = [
        ("91440300YY00001321,202609,PENSION,12,1,1,1,,", "uscc", "format"),
        (",202609,PENSION,12,1,1,1,,", "uscc", "null"),
        ("91440300YY00001320,202613,PENSION,12,1,1,1,,", "period", "format"),
        ("91440300YY00001320,202609,pension,12,1,1,1,,", "insurance_type", "enum"),
        ("91440300YY00001320,202609,PENSION,1.5,1,1,1,,", "insured_headcount", "type"),
        ("91440300YY00001320,202609,PENSION,-1,1,1,1,,", "insured_headcount", "minimum"),
        ("91440300YY00001320,202609,PENSION,1,1e5,1,1,,", "contribution_base", "format"),
        ("91440300YY00001320,202609,PENSION,1,1,-1,1,,", "amount_due", "pattern"),
        ("91440300YY00001320,202609,PENSION,1,1,1,1,2026-02-30,", "paid_date", "format"),
        ("91440300YY00001320,202609,PENSION,1,1,1,1,,yes", "arrears_flag", "type"),
        ("91440300YY00001320,202609,PENSION,1", "-", "fields"),
        ("91440300YY00001320,202609,\"PENSION\"x,1,1,1,1,,", "-", "quotes"),
    ];
    for (row, column, rule) in cases {
        let report = si(&format!("{GOOD}{row}\n{GOOD}")).unwrap();
        assert_eq!(found(&report), [(2, column, rule)], "{row}");
        assert_eq!((report.rows, report.valid, report.invalid), (3, 2, 1));
        assert_eq!(report.counts.values().sum::<u64>(), 1);
    }
}

#[test]
fn all_violations_are_counted_and_the_first_listed() {
    let bad = "91440300YY00001321,202613,PENSION,1,1,1,1,,\n".repeat(50);
    let report = check(
        format!("\u{feff}{}{bad}", SI.replace('\n', "\r\n")).as_bytes(),
        Encoding::Csv,
        &schema("si_contribution_month"),
        "rows",
        3,
        |_| {},
    )
    .unwrap();
    assert_eq!(found(&report), [(1, "uscc", "format"), (1, "period", "format"), (2, "uscc", "format")]);
    assert_eq!(report.counts[&(Some("period".to_owned()), Rule::Format)], 50);
    assert_eq!((report.rows, report.invalid), (50, 50));
}

/// A stream that never ends a line.
struct Endless {
    bytes: &'static [u8],
    read: usize,
    most: usize,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = out.len().min(self.most - self.read);
        for (i, byte) in out.iter_mut().take(count).enumerate() {
            *byte = self.bytes[(self.read + i) % self.bytes.len()];
        }
        self.read += count;
        Ok(count)
    }
}

#[test]
fn a_line_of_a_gigabyte_is_refused_before_it_is_read() {
    let schema = schema("si_contribution_month");
    for (encoding, head, bytes) in [
        (Encoding::Csv, "", &b"x"[..]),
        (Encoding::Csv, SI, b"x"),
        (Encoding::Csv, "a,\"", b"x\n"),
        (Encoding::Csv, "a,\"", b"\"\"\n"),
        (Encoding::Ndjson, "", b"{"),
    ] {
        let mut endless = Endless { bytes, read: 0, most: 1 << 30 };
        let error = of(&schema, encoding, head.as_bytes().chain(&mut endless)).unwrap_err();
        assert_eq!(error.code(), Code::LineTooLong, "{error}");
        assert!(endless.read < 4 * MAX_ROW_BYTES, "{} bytes were read", endless.read);
    }
}

#[test]
fn a_row_of_the_largest_length_is_read() {
    let schema = RowSchema::compile(r#"{"type": "object", "properties": {"a": {"type": "string"}}}"#, "s").unwrap();
    for (length, is_read) in [(MAX_ROW_BYTES, true), (MAX_ROW_BYTES + 1, false)] {
        for end in ["", "\n", "\r\n"] {
            let text = format!("a\n{}{end}", "x".repeat(length));
            assert_eq!(of(&schema, Encoding::Csv, text.as_bytes()).is_ok(), is_read, "{length} {end:?}");
        }
    }
}

#[test]
fn a_truncated_file_is_told() {
    for cut in ["\"9144", "91440300YY00001320,2026", "91440300YY00001320,202609,\"PEN\nSION,1"] {
        let error = si(&format!("{GOOD}{cut}")).unwrap_err();
        assert_eq!(error.code(), Code::BadFile, "{cut}");
        assert_eq!((error.place().row, error.to_string().contains("ends inside")), (Some(2), true), "{error}");
    }
    let error = of(&schema("patent"), Encoding::Ndjson, "{\"uscc\": \"9144".as_bytes()).unwrap_err();
    assert_eq!(error.code(), Code::BadFile);
    let report = of(&schema("patent"), Encoding::Ndjson, "{\"uscc\": \"9144\n[1]\n{} {}\n".as_bytes()).unwrap();
    let rules: Vec<_> = report.first.iter().filter(|v| v.rule == Rule::Json).map(|v| v.row).collect();
    assert_eq!((report.rows, report.invalid, rules), (3, 3, vec![1, 2, 3]));
}

#[test]
fn a_header_that_does_not_fit_is_an_error() {
    let schema = schema("tax_credit_rating_year");
    let cases = [
        ("", Code::EmptyFile, None),
        ("uscc,rating_year,tax_rating,abnormal_taxpayer_flag\n", Code::EmptyFile, None),
        ("uscc,rating_year,tax_rating\nx\n", Code::MissingColumn, Some("abnormal_taxpayer_flag")),
        ("uscc,uscc,rating_year,tax_rating,abnormal_taxpayer_flag\n", Code::BadFile, Some("uscc")),
        ("uscc,rating_year,tax_rating,abnormal_taxpayer_flag,y\n", Code::SchemaViolation, Some("y")),
    ];
    for (text, code, column) in cases {
        let error = of(&schema, Encoding::Csv, text.as_bytes()).unwrap_err();
        assert_eq!((error.code(), error.place().column.as_deref()), (code, column), "{text}");
    }
    let text = b"uscc,rating_year,tax_rating,abnormal_taxpayer_flag\n\xb9\xfa,2020,A,true\n";
    assert_eq!(of(&schema, Encoding::Csv, &text[..]).unwrap_err().to_string(), "rows, row 1: the text is not UTF-8");
}

#[test]
fn what_is_no_schema_of_a_flat_table_is_refused_with_its_place() {
    let property = |part: Value| json!({"type": "object", "properties": {"a/b": part}}).to_string();
    let cases = [
        ("nonsense".to_owned(), "#"),
        ("[]".to_owned(), "#"),
        ("{}".to_owned(), "#/type"),
        (json!({"type": "array"}).to_string(), "#/type"),
        (json!({"type": "object", "properties": {}}).to_string(), "#/properties"),
        (json!({"type": "object", "properties": {"a": 1}}).to_string(), "#/properties/a"),
        (json!({"type": "object", "properties": {"a": {}}, "required": ["b"]}).to_string(), "#/required/0"),
        (json!({"type": "object", "properties": {"a": {}}, "allOf": []}).to_string(), "#/allOf"),
        (
            json!({"type": "object", "properties": {"a": {}}, "additionalProperties": {}}).to_string(),
            "#/additionalProperties",
        ),
        (json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}).to_string(), "#/$schema"),
        (property(json!({"type": "text"})), "#/properties/a~1b/type"),
        (property(json!({"type": "object"})), "#/properties/a~1b/type"),
        (property(json!({"format": "email"})), "#/properties/a~1b/format"),
        (property(json!({"pattern": "("})), "#/properties/a~1b/pattern"),
        (property(json!({"maxLength": -1})), "#/properties/a~1b/maxLength"),
        (property(json!({"minimum": "0"})), "#/properties/a~1b/minimum"),
        (property(json!({"enum": "A"})), "#/properties/a~1b/enum"),
        (property(json!({"not": {}})), "#/properties/a~1b/not"),
        (property(json!({"$ref": "#/$defs/none"})), "#/properties/a~1b/$ref"),
        (property(json!({"$ref": "#/properties/a~1b"})), "#/properties/a~1b/$ref"),
    ];
    for (text, place) in cases {
        match RowSchema::compile(&text, "s").unwrap_err() {
            Error::BadSchema { at, .. } => assert_eq!(at, place, "{text}"),
            other => panic!("{text}: {other}"),
        }
    }
}

#[test]
fn a_remote_reference_is_refused_and_a_local_one_followed() {
    for target in ["https://example.org/a.json", "other.json#/a", "urn:x", ""] {
        let text = json!({"type": "object", "properties": {"a": {"$ref": target}}}).to_string();
        let error = RowSchema::compile(&text, "s").unwrap_err();
        assert_eq!(error.code(), Code::RemoteReference);
        assert_eq!(error.to_string(), "s: #/properties/a/$ref: refers to another document");
    }
    let text = json!({"type": "object", "properties": {"a": {"title": "A", "$ref": "#/$defs/day"}},
                      "$defs": {"day": {"$ref": "#/$defs/date"}, "date": {"type": "string", "format": "date"}}});
    let schema = RowSchema::compile(&text.to_string(), "s").unwrap();
    assert_eq!(found(&of(&schema, Encoding::Csv, "a\n2026-01-32\n".as_bytes()).unwrap()), [(1, "a", "format")]);
}

#[test]
fn members_that_stand_twice_and_nested_ones_are_violations() {
    let text = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "maximum": 9},
                      "b": {"pattern": "^\\d\\w$"}, "c": {"enum": [0, 1]}}});
    let schema = RowSchema::compile(&text.to_string(), "s").unwrap();
    let rows = "{\"a\": 1, \"a\": 2}\n{\"a\": [1]}\n{\"a\": {\"a\": 1}, \"z\": [{}]}\n{\"b\": \"1x\"}\n{\"a\": 2.0}\n\
                {\"a\": 10, \"b\": \"\u{ff11}x\", \"c\": 1.0}\n{\"\\u0061\": 1, \"c\": 2}\n";
    let report = of(&schema, Encoding::Ndjson, rows.as_bytes()).unwrap();
    let expected = [
        (1, "a", "duplicate"),
        (2, "a", "type"),
        (3, "a", "type"),
        (4, "a", "required"),
        (6, "a", "maximum"),
        (6, "b", "pattern"),
        (7, "c", "enum"),
    ];
    assert_eq!(found(&report), expected);
    assert_eq!(found(&of(&schema, Encoding::Csv, "a,c\n1,1\n2,2\n".as_bytes()).unwrap()), [(2, "c", "enum")]);
}

/// A source that gives a few bytes at a time.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        let count = self.1.min(self.0.len()).min(out.len());
        let (now, later) = self.0.split_at(count);
        out[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

/// Random texts of the bytes that matter are cut into cells as the csv crate cuts them.
#[test]
fn records_are_those_of_a_plain_csv_reader() {
    let mut state = 1u64;
    let mut compared = 0;
    for _ in 0..3000 {
        let mut text = Vec::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let pieces = ["a", ",", "\n", "\r\n", "\"b\"", "\"c\"\"d\"", "\",\n\"", "\u{e9}", ",", "e"];
            text.extend_from_slice(pieces[(state >> 33) as usize % pieces.len()].as_bytes());
        }
        text.push(b'\n');
        let mut lines = Lines::new(Drops(&text, 0), "rows");
        let (mut record, mut ours, mut stray) = (Record::default(), Vec::new(), false);
        loop {
            match record.read(&mut lines, Some(1)) {
                Ok(true) => stray |= record.has_stray_quote(),
                Ok(false) => break,
                Err(_) => stray = true,
            }
            if stray {
                break;
            }
            let text = record.text(&lines, 1).unwrap();
            ours.push((0..record.fields()).map(|i| record.cell(text, i).to_owned()).collect::<Vec<_>>());
        }
        if stray {
            continue;
        }
        let mut plain = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
        let theirs: Vec<Vec<String>> =
            plain.records().map(|r| r.unwrap().iter().map(|c| c.trim().to_owned()).collect()).collect();
        assert_eq!(ours, theirs, "{:?}", String::from_utf8_lossy(&text));
        compared += 1;
    }
    assert!(compared > 400, "{compared}");
}

#[test]
fn no_message_has_a_value() {
    let text =
        format!("{SI}91440300YY0000SECRET,SECRET,SECRET,SECRET,SECRET,SECRET,SECRET,SECRET,SECRET\nSECRET,\"x\ny");
    let schema = schema("si_contribution_month");
    let error = of(&schema, Encoding::Csv, text.as_bytes()).unwrap_err();
    let whole = format!("{text}\",PENSION,1,1,1,1,,\n");
    let report = of(&schema, Encoding::Csv, whole.as_bytes()).unwrap();
    assert_eq!((report.rows, report.invalid), (2, 2));
    assert!(!format!("{error} {error:?} {report:?}").contains("SECRET"));
}

#[test]
fn a_column_that_is_left_is_required_and_not_judged() {
    let text = r#"{"type":"object","required":["id"],"properties":{"id":{"type":"string","format":"uscc"},
        "x":{"type":"number"}}}"#;
    let mut schema = RowSchema::compile(text, "s").unwrap();
    assert!(schema.leave("id") && !schema.leave("none"));
    let report = |csv: &str| check(csv.as_bytes(), Encoding::Csv, &schema, "d", 5, |_| ());
    assert_eq!(report("id,x\nwrong,1\n,2\n").unwrap().invalid, 0);
    assert_eq!(report("id,x\nwrong,a\n").unwrap().invalid, 1);
    assert!(matches!(report("x\n1\n"), Err(Error::MissingColumn(_))));
}
