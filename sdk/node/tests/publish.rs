//! Publishing by a schema: what is kept of the file, and what is refused with row and column, never with a value.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_core::Code;
use hefu_proto::control as proto;
use serde_json::json;
use world::{Party, code_of, detail_of};

/// A table of one row an enterprise; its key is not judged by the schema.
fn schema() -> String {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tax features",
        "type": "object",
        "required": ["uscc", "paid_12m", "growth"],
        "properties": {
            "uscc": {"type": "string", "format": "uscc", "x-hefu-role": "key", "x-level": 1},
            "name": {"type": ["string", "null"]},
            "paid_12m": {"type": "string", "format": "decimal(18,2)", "x-level": 3},
            "growth": {"type": "number", "minimum": -1, "x-level": 2},
            "late": {"type": ["boolean", "null"], "x-level": 2},
            "year": {"type": "integer", "x-hefu-role": "none"},
        },
        "additionalProperties": false,
    })
    .to_string()
}

const GOOD: &str = "growth,uscc,paid_12m,late,name\n\
    0.5,91440300YY00001320,13440.00,true,A\n\
    -0.25,not a code,1.00,false,B\n\
    0.75,91440300yy00001320,2.00,false,\n";

fn request(schema: &str) -> proto::PublishDatasetRequest {
    proto::PublishDatasetRequest {
        name: "tax".into(),
        schema: schema.into(),
        steward: "Data office".into(),
        purposes: vec!["origination".into()],
        period: "202501-202512".into(),
        ..Default::default()
    }
}

fn kept(party: &Party) -> Vec<String> {
    let entries = std::fs::read_dir(party.state().join("datasets")).unwrap();
    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

// clause: CAT-1
#[tokio::test(flavor = "multi_thread")]
async fn csv_and_ndjson_give_the_same_dataset_of_features_alone() {
    let mut tax = Party::start("tax", "").await;
    let (path, schema) = (tax.folder.path().join("source"), schema());
    let csv = tax.control.publish_as(&path, GOOD, request(&schema)).await.unwrap();
    assert_eq!((csv.rows, csv.duplicate, csv.invalid), (1, 1, 1), "keys are judged by their own rule");
    assert_eq!((csv.key.as_str(), csv.key_format.as_str()), ("uscc", "uscc"));
    assert_eq!(csv.columns, ["paid_12m", "growth", "late"]);
    assert_eq!((csv.grain.as_str(), csv.sensitivity, csv.inferred), ("enterprise", 3, false));
    assert_eq!((csv.steward.as_str(), csv.period.as_str()), ("Data office", "202501-202512"));
    assert_eq!(csv.schema, hex::encode(hefu_crypto::sha256(&[schema.as_bytes()])));
    let file = std::fs::read_to_string(tax.state().join("datasets/tax.csv")).unwrap();
    assert!(file.starts_with("uscc,paid_12m,growth,late\n91440300YY00001320,13440.00,0.5,1\n"), "{file}");

    let ndjson = GOOD.lines().skip(1).map(|row| {
        let c: Vec<&str> = row.split(',').collect();
        let name = Some(c[4]).filter(|name| !name.is_empty());
        let (growth, late): (f64, bool) = (c[0].parse().unwrap(), c[3] == "true");
        json!({"growth": growth, "uscc": c[1], "paid_12m": c[2], "late": late, "name": name}).to_string() + "\n"
    });
    let text: String = ndjson.collect();
    let as_ndjson = proto::PublishDatasetRequest { encoding: "ndjson".into(), ..request(&schema) };
    let again = tax.control.publish_as(&path, &text, as_ndjson).await.unwrap();
    assert_eq!(proto::Dataset { published_us: csv.published_us, ..again }, csv);
    assert_eq!(std::fs::read_to_string(tax.state().join("datasets/tax.csv")).unwrap(), file);
    assert_eq!(kept(&tax), ["tax.csv"]);
}

// clause: CAT-1
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_its_schema_is_refused_with_its_place() {
    let mut tax = Party::start("tax", "").await;
    let path = tax.folder.path().join("source");
    let good = schema();
    let remote = good.replace(r#"{"minimum":-1,"#, r#"{"$ref":"https://example.org/s","minimum":-1,"#);
    let remote =
        if remote == good { good.replace(r#""title":"Tax features""#, r#""x":{"$ref":"http://x"}"#) } else { remote };
    let cases: [(&str, &str, Code, &str); 10] = [
        ("{\"type\": \"array\"}", GOOD, Code::BadSchema, "tax"),
        ("no schema at all", GOOD, Code::BadSchema, "tax"),
        (&remote, GOOD, Code::RemoteReference, "tax"),
        (
            &good,
            "growth,uscc,paid_12m\n0.5,91440300YY00001320,secret\n",
            Code::SchemaViolation,
            "tax, row 1, column paid_12m",
        ),
        (&good, "growth,uscc,paid_12m\n1,x,1.00\n-7,y,1.00\n", Code::SchemaViolation, "tax, row 2, column growth"),
        (&good, "growth,uscc\n1,x\n", Code::MissingColumn, "tax, column paid_12m"),
        (&good, "growth,uscc,paid_12m,wages\n1,x,1.00,1\n", Code::SchemaViolation, "tax, column wages"),
        (&good, "growth,uscc,paid_12m\n0.5,91440300YY00001320,1.00\n0.5,9144", Code::BadFile, "tax, row 2"),
        (&good, "growth,uscc,paid_12m\n0.5,\"91440300YY000", Code::BadFile, "tax, row 1"),
        (&good, "growth,uscc,paid_12m\n1,x,1.00\n", Code::NoValidKey, "tax, column uscc"),
    ];
    for (schema, csv, code, place) in cases {
        let status = tax.control.publish_as(&path, csv, request(schema)).await.unwrap_err();
        let detail = detail_of(&status).unwrap();
        assert_eq!((code_of(&status), detail.place.as_str()), (Some(code), place), "{csv}: {}", detail.cause);
        let told = format!("{} {}", detail.cause, detail.next);
        assert!(!told.contains("secret") && !told.contains("91440300"), "{told}");
    }
    assert!(kept(&tax).is_empty(), "nothing half written: {:?}", kept(&tax));
    let twice = proto::PublishDatasetRequest { period: "2025".into(), ..request(&good) };
    let status = tax.control.publish_as(&path, GOOD, twice).await.unwrap_err();
    assert_eq!(code_of(&status), Some(Code::Configuration));
    let guessed = proto::PublishDatasetRequest { encoding: "ndjson".into(), key: "id".into(), ..request("") };
    let status = tax.control.publish_as(&path, "{\"id\":1}\n", guessed).await.unwrap_err();
    assert_eq!(code_of(&status), Some(Code::Configuration));
}
