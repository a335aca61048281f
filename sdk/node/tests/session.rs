//! What a collaborator refuses before a job begins: offers, confirms, calls out of place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod world;

use hefu_core::{Code, Output, Purpose, Rank, SessionId};
use hefu_crypto::{Agreement, SigningKey};
use hefu_proto::v1::session_service_client::SessionServiceClient;
use hefu_proto::v1::{AbortRequest, CloseRequest, ConfirmRequest, OpenRequest};
use hefu_protocol::session::{Extension, Offer, seal_offer, transcript, transcript_message};
use tonic::Status;
use world::peer::{Peer, exchange, versions};
use world::{Party, allow, code_of, detail_of, party_id};

/// A collaborator that permits the bank to use `tax`, and the bank by hand.
async fn world(rest: &str) -> (Party, Peer) {
    let mut tax = Party::start("tax", &format!("{}{rest}", allow("bank", "tax"))).await;
    let bank = Peer::new("bank");
    bank.introduce(&mut tax, "bank").await;
    tax.publish("tax", &world::table::tables(60, 1).tax, "").await.unwrap();
    (tax, bank)
}

/// Opens a changed offer; answers code and requirement of the refusal.
async fn refusal(tax: &Party, bank: &Peer, session: u8, change: impl FnOnce(&mut Offer)) -> (Option<Code>, String) {
    let channel = bank.channel(tax).await.unwrap();
    let mut offer = bank.offer(tax, &Agreement::new([1; 32]), session);
    change(&mut offer);
    let status = bank.open(&channel, &offer).await.unwrap_err();
    // ERR-3: the node answers as before.
    versions(&channel).await.unwrap();
    (code_of(&status), detail_of(&status).unwrap().requirement)
}

// clause: SESS-2, SESS-3, SESS-4, SESS-5, SESS-10, SESS-11, SESS-12, SESS-13, ERR-1, ERR-3
#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_offer_has_its_code() {
    let (tax, bank) = world(&allow("bank", "power")).await;
    let other = party_id("power");
    let check = async |session, change: fn(&mut Offer), code, requirement: &str| {
        let refused = refusal(&tax, &bank, session, change).await;
        assert_eq!(refused, (Some(code), requirement.to_owned()), "{session}");
    };
    check(1, |o| o.versions = vec!["9.9".into()], Code::NoCommonVersion, "SESS-4").await;
    check(2, |o| o.suites = vec![2, 0x0a0a], Code::NoCommonSuite, "SESS-5").await;
    check(3, |o| o.extensions = vec![Extension { id: 7, critical: true }], Code::UnknownCritical, "SESS-10").await;
    check(4, |o| o.plan.algorithm = "vlr-9".into(), Code::UnsupportedPlan, "SESS-11").await;
    check(5, |o| o.purpose = Purpose::Fraud, Code::NotAllowed, "SESS-12").await;
    check(6, |o| o.parties[1].dataset = Some("secret".into()), Code::NotAllowed, "SESS-12").await;
    // Permitted, but not published: only then is that told.
    check(7, |o| o.parties[1].dataset = Some("power".into()), Code::UnknownDataset, "SESS-13").await;
    check(8, |o| o.parties[1].schema = Some("00".repeat(32)), Code::SchemaChanged, "SESS-13").await;
    check(9, |o| o.parties[1].allow = Some("00".repeat(32)), Code::NotAllowed, "SESS-12").await;
    // To permit scores is not to permit training, and a plan that asks for nothing is permitted nothing.
    check(13, |o| o.outputs = vec![Output::Score], Code::NotAllowed, "SESS-12").await;
    check(14, |o| o.outputs = Vec::new(), Code::NotAllowed, "SESS-12").await;
    check(10, |o| o.parties.swap(0, 1), Code::WrongParty, "SESS-2").await;
    let twice = refusal(&tax, &bank, 11, |o| o.parties.push(o.parties[1].clone())).await;
    assert_eq!(twice, (Some(Code::WrongParty), "SESS-3".to_owned()));
    let stranger = refusal(&tax, &bank, 12, |o| {
        let mut entry = o.parties[1].clone();
        entry.party = other;
        o.parties.push(entry);
    });
    assert_eq!(stranger.await.0, Some(Code::UnknownParty));
}

// clause: CONV-4
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_another_key_signed_is_refused() {
    let (tax, bank) = world("").await;
    let channel = bank.channel(&tax).await.unwrap();
    let offer = bank.offer(&tax, &Agreement::new([1; 32]), 1);
    let mut client = SessionServiceClient::new(channel);
    let forged = seal_offer(&offer, &SigningKey::from_seed(&[3; 32]));
    let status = client.open(OpenRequest { offer: forged }).await.unwrap_err();
    assert_eq!(code_of(&status), Some(Code::BadSignature));
    let status = client.open(OpenRequest { offer: b"not a document".to_vec() }).await.unwrap_err();
    assert_eq!((code_of(&status), status.code()), (Some(Code::MalformedDocument), tonic::Code::InvalidArgument));
}

// clause: SESS-12, ERR-2
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_not_allowed_reads_no_row() {
    let mut tax = Party::start("tax", &allow("power", "tax")).await;
    let bank = Peer::new("bank");
    bank.introduce(&mut tax, "bank").await;
    tax.publish("tax", &world::table::tables(60, 1).tax, "").await.unwrap();
    // Whoever reads it now fails otherwise than by NOT_ALLOWED.
    std::fs::remove_file(tax.state().join("datasets/tax.csv")).unwrap();
    let (code, _) = refusal(&tax, &bank, 1, |_| {}).await;
    assert_eq!(code, Some(Code::NotAllowed));
    let unknown = refusal(&tax, &bank, 2, |o| o.parties[1].dataset = Some("none".into())).await;
    assert_eq!(unknown, (Some(Code::NotAllowed), "SESS-12".to_owned()), "existence is not told");
}

// clause: SESS-9
#[tokio::test(flavor = "multi_thread")]
async fn a_session_id_is_good_once_even_after_a_restart() {
    let (tax, bank) = world("").await;
    let channel = bank.channel(&tax).await.unwrap();
    let offer = bank.offer(&tax, &Agreement::new([1; 32]), 1);
    bank.open(&channel, &offer).await.unwrap();
    let status = bank.open(&channel, &offer).await.unwrap_err();
    assert_eq!(code_of(&status), Some(Code::ReplayedSession));
    drop(channel);
    let Party { folder, node, .. } = tax;
    node.shutdown().await;
    let config = hefu_node::NodeConfig::parse(&world::toml("tax", &allow("bank", "tax")), folder.path()).unwrap();
    let tax = Party::start_in(folder, config, "tax").await;
    let channel = bank.channel(&tax).await.unwrap();
    let status = bank.open(&channel, &offer).await.unwrap_err();
    assert_eq!(code_of(&status), Some(Code::ReplayedSession));
    assert_eq!(detail_of(&status).unwrap().party, party_id("bank").to_string());
}

// clause: SESS-14
#[tokio::test(flavor = "multi_thread")]
async fn one_job_too_many_is_refused_until_another_ends() {
    let (tax, bank) = world("[limits]\nmax_jobs = 1\n").await;
    let channel = bank.channel(&tax).await.unwrap();
    let agreement = Agreement::new([1; 32]);
    bank.open(&channel, &bank.offer(&tax, &agreement, 1)).await.unwrap();
    let (code, requirement) = refusal(&tax, &bank, 2, |_| {}).await;
    assert_eq!((code, requirement.as_str()), (Some(Code::TooManyJobs), "SESS-14"));
    let mut client = SessionServiceClient::new(channel.clone());
    let abort = AbortRequest { session: vec![1; 16], code: 4007, party: String::new(), cause: "enough".into() };
    client.abort(abort).await.unwrap();
    // The slot is free once the job has ended.
    let mut session = 3;
    while bank.open(&channel, &bank.offer(&tax, &agreement, session)).await.is_err() {
        session += 1;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert!(session < 200, "the slot stays taken");
    }
}

fn confirm_request(session: u8, confirms: Vec<Vec<u8>>, signature: Vec<u8>) -> ConfirmRequest {
    ConfirmRequest { session: vec![session; 16], confirms, signature }
}

// clause: SESS-15, SESS-16, SESS-17, SESS-20
#[tokio::test(flavor = "multi_thread")]
async fn a_confirm_is_checked_and_a_refusal_changes_nothing() {
    let (tax, bank) = world("").await;
    let channel = bank.channel(&tax).await.unwrap();
    let agreement = Agreement::new([1; 32]);
    let offer = bank.offer(&tax, &agreement, 1);
    let confirm = bank.open(&channel, &offer).await.unwrap();
    let mut client = SessionServiceClient::new(channel.clone());
    let early = exchange(&channel, SessionId([1; 16])).await.unwrap_err();
    assert_eq!((code_of(&early), detail_of(&early).unwrap().requirement.as_str()), (Some(Code::WrongState), "SESS-17"));

    let hash = transcript(&seal_offer(&offer, &bank.signing), &[&confirm]);
    let good = bank.signing.sign(&transcript_message(Rank(0), &hash)).to_vec();
    let mut altered = confirm.clone();
    altered.push(b' ');
    let cases: Vec<(Vec<Vec<u8>>, Vec<u8>, Code)> = vec![
        (vec![altered], good.clone(), Code::TranscriptMismatch),
        (vec![], good.clone(), Code::TranscriptMismatch),
        (vec![confirm.clone(), confirm.clone()], good.clone(), Code::TranscriptMismatch),
        (vec![confirm.clone()], bank.signing.sign(b"other").to_vec(), Code::BadSignature),
        (vec![confirm.clone()], vec![], Code::BadSignature),
    ];
    for (confirms, signature, code) in cases {
        let status = client.confirm(confirm_request(1, confirms, signature)).await.unwrap_err();
        assert_eq!(code_of(&status), Some(code));
    }
    client.confirm(confirm_request(1, vec![confirm.clone()], good.clone())).await.unwrap();
    let again = client.confirm(confirm_request(1, vec![confirm], good)).await.unwrap_err();
    assert_eq!(code_of(&again), Some(Code::WrongState));
    let closed = client.close(CloseRequest { session: vec![1; 16] }).await.unwrap_err();
    assert_eq!(code_of(&closed), Some(Code::WrongState));
    assert!(exchange(&channel, SessionId([1; 16])).await.is_ok());
    assert_eq!(
        exchange(&channel, SessionId([1; 16])).await.map(drop).map_err(|e| code_of(&e)),
        Err(Some(Code::WrongState))
    );
}

async fn code<T>(call: impl Future<Output = Result<T, Status>>) -> Option<Code> {
    call.await.map(drop).map_err(|status| code_of(&status)).unwrap_err()
}

// clause: TLS-7, SESS-19
#[tokio::test(flavor = "multi_thread")]
async fn a_session_obeys_only_its_initiator() {
    let (mut tax, bank) = world("").await;
    let power = Peer::new("power");
    power.introduce(&mut tax, "power").await;
    let channel = bank.channel(&tax).await.unwrap();
    bank.open(&channel, &bank.offer(&tax, &Agreement::new([1; 32]), 1)).await.unwrap();
    let mut intruder = SessionServiceClient::new(power.channel(&tax).await.unwrap());
    let abort = |session: u8| AbortRequest { session: vec![session; 16], code: 4007, ..Default::default() };
    let close = |session: u8| CloseRequest { session: vec![session; 16] };
    assert_eq!(code(intruder.abort(abort(1))).await, Some(Code::WrongParty));
    assert_eq!(code(intruder.close(close(1))).await, Some(Code::WrongParty));
    assert_eq!(code(intruder.confirm(confirm_request(1, vec![], vec![]))).await, Some(Code::WrongParty));
    assert_eq!(code(exchange(&power.channel(&tax).await.unwrap(), SessionId([1; 16]))).await, Some(Code::WrongParty));
    assert_eq!(code(intruder.abort(abort(2))).await, Some(Code::UnknownSession));
    let mut client = SessionServiceClient::new(channel);
    let short = CloseRequest { session: vec![1; 15] };
    assert_eq!(code(client.close(short)).await, Some(Code::MalformedMessage));
    client.abort(abort(1)).await.unwrap();
    let job = tax.wait_as_collaborator(&bank.offer(&tax, &Agreement::new([1; 32]), 1).job.to_string()).await;
    assert_eq!(job.state, "CANCELLED");
    assert_eq!(code(client.abort(abort(1))).await, Some(Code::WrongState));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_teaches_is_written_down_before_it_runs() {
    let (mut tax, bank) = world("").await;
    let channel = bank.channel(&tax).await.unwrap();
    let offer = bank.offer(&tax, &Agreement::new([1; 32]), 1);
    bank.open(&channel, &offer).await.unwrap();
    let request = hefu_proto::control::GetJobRequest { job: offer.job.to_string() };
    let job = loop {
        if let Ok(found) = tax.control.jobs.get_job(request.clone()).await {
            break found.into_inner().job.unwrap();
        }
    };
    assert_eq!(job.state, "CREATED");
    let entries: serde_json::Value = serde_json::from_str(&job.disclosure_json).unwrap();
    let own = entries.as_array().unwrap().iter().find(|e| e["party"] == "tax").unwrap();
    let text = own["learns"].to_string();
    assert!(text.contains("60 keys") && text.contains("40 x 3 = 120"), "{text}");
    let log = tax.log.lock().unwrap().join("\n");
    assert!(log.contains("bank asks for tax (origination)") && log.contains("40 x 3 = 120"), "{log}");
}

// clause: FRAME-12
#[tokio::test(flavor = "multi_thread")]
async fn an_initiator_that_goes_silent_is_named() {
    let (mut tax, bank) = world("[limits]\nidle_timeout_s = 1\n").await;
    let mut session = bank.session(&tax, 1).await;
    let status = session.end().await;
    assert_eq!(code_of(&status), Some(Code::PeerSlow));
    let job = tax.wait_as_collaborator(&bank.offer(&tax, &Agreement::new([1; 32]), 1).job.to_string()).await;
    let error = job.error.unwrap();
    assert_eq!((error.code, error.party), (1002, party_id("bank").to_string()));
}
