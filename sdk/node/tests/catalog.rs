//! What a node tells peers of its datasets, and which datasets enter no job.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_core::Code;
use hefu_data::dictionary;
use hefu_proto::control as proto;
use hefu_proto::v1;
use hefu_proto::v1::catalog_service_client::CatalogServiceClient;
use serde_json::json;
use world::peer::Peer;
use world::table::tables;
use world::{Party, allow, allow_unapproved, code_of, detail_of, introduce, party_id};

fn job(kind: &str, schema: Option<&str>) -> serde_json::Value {
    let mut job = json!({
        "kind": kind, "dataset": "loans", "purpose": "origination",
        "collaborator": [{"party": "tax", "dataset": "tax"}],
    });
    if let Some(schema) = schema {
        job["collaborator"][0]["schema"] = json!(schema);
    }
    job
}

async fn pair(tax: &str) -> (Party, Party) {
    let mut parties = [Party::start("bank", "").await, Party::start("tax", tax).await];
    introduce(&mut parties).await;
    let [mut bank, tax] = parties;
    bank.publish("loans", &tables(200, 1).bank, "y").await.unwrap();
    (bank, tax)
}

// clause: CAT-2, CAT-3, CAT-4
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_sees_what_is_open_to_it_and_no_more() {
    let entries = [allow("bank", "tax"), allow("bank", "ghost"), allow("rival", "tax"), allow("rival", "wages")];
    let (mut bank, mut tax) = pair(&entries.concat()).await;
    let rival = Peer::new("rival");
    rival.introduce(&mut tax, "rival").await;
    for name in ["tax", "wages", "secret"] {
        tax.publish(name, &tables(200, 1).tax, "").await.unwrap();
    }
    let mut catalog = CatalogServiceClient::new(rival.channel(&tax).await.unwrap());
    let listed = catalog.list_datasets(v1::ListDatasetsRequest {}).await.unwrap().into_inner().entries;
    assert_eq!(listed.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["tax", "wages"]);

    let get = async |name: &str| {
        let mut catalog = catalog.clone();
        let request = v1::GetDatasetRequest { name: name.into() };
        detail_of(&catalog.get_dataset(request).await.unwrap_err()).unwrap()
    };
    let (hidden, absent) = (get("secret").await, get("no-such-dataset").await);
    assert_eq!((hidden.code, hidden.requirement.as_str()), (3001, "CAT-3"));
    assert_eq!(hidden, absent, "that a dataset exists is not told");
    let usage = |name: &str| v1::GetUsageRequest { name: name.into() };
    let refused = catalog.get_usage(usage("secret")).await.unwrap_err();
    assert_eq!(detail_of(&refused).unwrap(), hidden);
    let ghost = proto::GetCatalogEntryRequest { party: "tax".into(), dataset: "ghost".into() };
    let ghost = bank.control.catalog.get_catalog_entry(ghost).await.unwrap_err();
    assert_eq!(code_of(&ghost), Some(Code::UnknownDataset));

    // A use is told to its own party alone.
    let done = bank.submit(job("align", None)).await.unwrap();
    assert_eq!(bank.wait(&done).await.state, "SUCCEEDED");
    tax.wait_as_collaborator(&done).await;
    assert!(catalog.get_usage(usage("tax")).await.unwrap().into_inner().uses.is_empty());
    let own = proto::GetOwnUsageRequest { party: "tax".into(), dataset: "tax".into() };
    let own = bank.control.catalog.get_own_usage(own).await.unwrap().into_inner().uses;
    assert_eq!((own.len(), own[0].job.as_str(), own[0].kind.as_str()), (1, done.as_str(), "align"));
}

// clause: CAT-7, SESS-13
#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_told_cited_and_compared() {
    let (mut bank, mut tax) = pair(&allow_unapproved("bank", "tax")).await;
    tax.publish("tax", &tables(200, 1).tax, "").await.unwrap();
    let request = proto::GetCatalogEntryRequest { party: "tax".into(), dataset: "tax".into() };
    let told = bank.control.catalog.get_catalog_entry(request.clone()).await.unwrap().into_inner();
    let entry = told.entry.unwrap();
    assert_eq!((entry.rows, entry.grain.as_str(), entry.party), (200, "enterprise", party_id("tax").to_string()));
    assert_eq!(entry.permissions[0].approval, "needed");
    assert_eq!(entry.schema, hex::encode(hefu_crypto::sha256(&[&told.schema])));
    tax.control.approve("tax", "bank").await;
    let cited = bank.submit(job("align", Some(&entry.schema))).await.unwrap();
    assert_eq!(bank.wait(&cited).await.state, "SUCCEEDED");

    // The dataset gets another column: who cites the old schema is refused.
    let wider: String = tables(200, 1).tax.lines().map(|row| format!("{row},1\n")).collect();
    tax.publish("tax", &wider.replacen(",1\n", ",extra\n", 1), "").await.unwrap();
    let old = bank.submit(job("align", Some(&entry.schema))).await.unwrap();
    let error = bank.wait(&old).await.error.unwrap();
    assert_eq!((error.name.as_str(), error.party), ("SCHEMA_CHANGED", party_id("tax").to_string()));
    let status = bank.submit(job("align", Some("abc"))).await.unwrap_err();
    assert_eq!(code_of(&status), Some(Code::Configuration));

    // A node that tells another schema than it hashed.
    let store = rusqlite::Connection::open(tax.state().join("hefu.db")).unwrap();
    store.execute("UPDATE datasets SET document = json_set(document, '$.facts.schema_text', '{}')", []).unwrap();
    let lie = bank.control.catalog.get_catalog_entry(request).await.unwrap_err();
    let lie = detail_of(&lie).unwrap();
    assert_eq!((lie.code, lie.requirement.as_str(), lie.party), (5008, "CAT-7", party_id("tax").to_string()));
}

// clause: CAT-5
#[tokio::test(flavor = "multi_thread")]
async fn a_purpose_that_the_dataset_does_not_serve_is_not_allowed() {
    let (mut bank, mut tax) = pair(&allow("bank", "tax")).await;
    let request = proto::PublishDatasetRequest {
        name: "tax".into(),
        key: "id".into(),
        purposes: vec!["fraud".into()],
        ..Default::default()
    };
    let path = tax.folder.path().join("tax.csv");
    tax.control.publish_as(&path, &tables(200, 1).tax, request).await.unwrap();
    let asked = bank.submit(job("align", None)).await.unwrap();
    assert_eq!(bank.wait(&asked).await.error.unwrap().name, "NOT_ALLOWED");
    let listed = proto::ListCatalogRequest { party: "tax".into() };
    assert!(bank.control.catalog.list_catalog(listed).await.unwrap().into_inner().entries.is_empty());
}

const CONTRIBUTIONS: &str = "uscc,period,insurance_type,insured_headcount,contribution_base,amount_due,amount_paid,\
    paid_date,arrears_flag\n\
    91440300YY00001320,202609,PENSION,12,84000.00,13440.00,13440.00,2026-09-20,false\n\
    91440300YY00001320,202608,PENSION,12,84000.00,13440.00,13440.00,2026-08-20,false\n";

fn contributions(name: &str) -> proto::PublishDatasetRequest {
    let schema = dictionary::table("si_contribution_month").unwrap().schema;
    proto::PublishDatasetRequest { name: name.into(), schema: schema.into(), ..Default::default() }
}

// clause: CAT-9
#[tokio::test(flavor = "multi_thread")]
async fn a_panel_table_is_shown_and_enters_no_job() {
    let (mut bank, mut tax) = pair(&allow("bank", "tax")).await;
    let path = tax.folder.path().join("si.csv");
    let published = tax.control.publish_as(&path, CONTRIBUTIONS, contributions("tax")).await.unwrap();
    assert_eq!((published.grain.as_str(), published.rows, published.sensitivity), ("enterprise-month-type", 2, 3));
    assert_eq!(std::fs::read_dir(tax.state().join("datasets")).unwrap().count(), 0, "its rows are not kept");

    let asked = bank.submit(job("train", None)).await.unwrap();
    let error = bank.wait(&asked).await.error.unwrap();
    assert_eq!((error.code, error.party.as_str()), (6023, party_id("tax").as_str()));
    assert!(error.cause.contains("si_months_continuous") && error.next.contains("one row an enterprise"), "{error:?}");

    let path = bank.folder.path().join("si.csv");
    bank.control.publish_as(&path, CONTRIBUTIONS, contributions("loans")).await.unwrap();
    let status = bank.submit(job("align", None)).await.unwrap_err();
    let detail = detail_of(&status).unwrap();
    assert_eq!((code_of(&status), detail.place.as_str()), (Some(Code::PanelTable), "loans"));
    assert!(detail.cause.contains("headcount_growth_12m"), "{detail:?}");
}
