#![allow(clippy::unwrap_used)]
use super::*;
use hefu_core::Code;

fn layout() -> Layout {
    Layout { label: Some("y".into()), ..Layout::new("loans", "id") }
}

/// The code, row and column of the error that a text gives.
fn fault(text: impl AsRef<[u8]>, layout: &Layout) -> (Code, Option<u64>, Option<String>) {
    let error = read(text.as_ref(), layout).unwrap_err();
    let place = error.place();
    assert_eq!(place.dataset.as_deref(), Some("loans"));
    (error.code(), place.row, place.column)
}

#[test]
fn rows_columns_labels_in_file_order() {
    let table = read("b,id,y,a\n1,k2,0,-2.5\n3e1, k1 ,1.0,4\n".as_bytes(), &layout()).unwrap();
    assert_eq!(table.keys, ["k2", "k1"]);
    assert_eq!(table.label, Some(vec![0, 1]));
    let names: Vec<_> = table.columns.iter().map(|c| (c.name.as_str(), c.values.clone())).collect();
    assert_eq!(names, [("b", vec![1.0, 30.0]), ("a", vec![-2.5, 4.0])]);
    assert_eq!(table.counts, Counts { rows: 2, valid: 2, duplicate: 0, invalid: 0 });
}

#[test]
fn invalid_and_duplicate_rows_are_counted_whatever_their_cells_hold() {
    let text = "id,y,a\nk,0,1\nk,7,junk\n,1,\nm,1,2\n";
    let table = read(text.as_bytes(), &layout()).unwrap();
    assert_eq!(table.counts, Counts { rows: 4, valid: 2, duplicate: 1, invalid: 1 });
    assert_eq!(table.columns[0].values, [1.0, 2.0]);
}

#[test]
fn duplicates_are_found_after_normalisation() {
    let text = "id,a\n91440300YY00001320,1\n\u{ff19}1440300yy00001320,2\n91440300YY00001321,3\n";
    let table = read(text.as_bytes(), &Layout { format: KeyFormat::Uscc, ..Layout::new("loans", "id") }).unwrap();
    assert_eq!((table.counts.duplicate, table.counts.invalid, table.keys.len()), (1, 1, 1));
}

#[test]
fn byte_order_mark_line_ends_and_quotes() {
    let text = "\u{feff}\"id\",\"y\",a\r\n\"k,1\",0,\"1.5\"\r\nk2,1,2\r\n";
    let table = read(text.as_bytes(), &layout()).unwrap();
    assert_eq!((table.keys[0].as_str(), table.columns[0].values[0]), ("k,1", 1.5));
    assert!(read("\u{feff}id,y,a\nk,0,1\n".as_bytes(), &layout()).is_ok());
}

#[test]
fn bad_cells_have_row_and_column() {
    let column = |c: &str| Some(c.to_owned());
    assert_eq!(fault("id,y,a\nk,0,1\nm,1,x\n", &layout()), (Code::NotANumber, Some(2), column("a")));
    assert_eq!(fault("id,y,a\nk,0,1\nm,1,\n", &layout()), (Code::EmptyCell, Some(2), column("a")));
    for label in ["2", "", "yes", "0.5", "-1"] {
        assert_eq!(fault(format!("id,y,a\nk,{label},1\n"), &layout()), (Code::BadLabel, Some(1), column("y")));
    }
    let mean = Layout { missing: Missing::Mean, ..layout() };
    assert_eq!(fault("id,y,a\nk,0,NA\n", &mean), (Code::NotANumber, Some(1), column("a")));
    let table = read("id,y,a\nk,0, \nm,1,3\n".as_bytes(), &mean).unwrap();
    assert!(table.columns[0].values[0].is_nan() && table.columns[0].values[1] == 3.0);
}

#[test]
fn bad_headers_name_the_column() {
    let column = |c: &str| Some(c.to_owned());
    assert_eq!(fault("key,y,a\nk,0,1\n", &layout()), (Code::MissingColumn, None, column("id")));
    assert_eq!(fault("id,a\nk,1\n", &layout()), (Code::MissingColumn, None, column("y")));
    assert_eq!(fault("id,y,a,a\nk,0,1,1\n", &layout()), (Code::BadFile, None, column("a")));
    let named = Layout { features: Features::Named(vec!["b".into()]), ..layout() };
    assert_eq!(fault("id,y,a\nk,0,1\n", &named), (Code::MissingColumn, None, column("b")));
}

#[test]
fn named_features_come_in_their_order_and_others_are_not_looked_at() {
    let named = Layout { features: Features::Named(vec!["b".into(), "a".into()]), label: None, ..layout() };
    let table = read("id,text,a,b\nk,hello,1,2\n".as_bytes(), &named).unwrap();
    assert_eq!(table.columns.iter().map(|c| c.values[0]).collect::<Vec<_>>(), [2.0, 1.0]);
    assert_eq!(table.label, None);
}

#[test]
fn bad_files() {
    assert_eq!(fault("", &layout()), (Code::EmptyFile, None, None));
    assert_eq!(fault("id,y,a\n", &layout()), (Code::EmptyFile, None, None));
    assert_eq!(fault("id,y,a\nk,0,1\nm,1\n", &layout()), (Code::BadFile, Some(2), None));
    assert_eq!(fault("id,y,a\nk,0,1,5\n", &layout()), (Code::BadFile, Some(1), None));
    assert_eq!(fault(b"id,y,a\nk,0,1\nm\xff,1,2\n", &layout()), (Code::BadFile, Some(2), None));
    assert_eq!(fault(b"id,\xff,a\nk,0,1\n", &layout()), (Code::BadFile, None, None));
    assert_eq!(fault("id,y,a\n ,0,1\n", &layout()), (Code::NoValidKey, None, Some("id".to_owned())));
    let error = read_file(Path::new("/no/such/file.csv"), &layout()).unwrap_err();
    assert_eq!(error.code(), Code::BadFile);
}

#[test]
fn no_message_shows_a_key_or_a_cell() {
    for text in ["id,y,a\nsecret,0,private\n", "id,y,a\nsecret,private,1\n", "id,y,a\nsecret,0\n"] {
        let message = read(text.as_bytes(), &layout()).unwrap_err().to_string();
        assert!(!message.contains("secret") && !message.contains("private"), "{message}");
        assert!(message.starts_with("loans, row 1"), "{message}");
    }
    let table = read("id,y,a\nsecret,0,1\n".as_bytes(), &layout()).unwrap();
    assert_eq!(format!("{table:?}"), "Table(1 rows, 1 columns)");
}
