use super::*;
use hefu_core::*;
use hefu_crypto::{Agreement, SigningKey};

fn party(code: &str) -> PartyId {
    PartyId::parse(code).unwrap()
}

fn bank() -> PartyId {
    party("lei:BANK")
}

fn tax() -> PartyId {
    party("lei:TAX")
}

pub(super) fn offer() -> Offer {
    let entry = |party: PartyId, dataset: Option<&str>| OfferedParty {
        party,
        ephemeral: None,
        mask: None,
        dataset: dataset.map(str::to_owned),
        schema: None,
        allow: None,
    };
    Offer {
        kind: "hefu/offer/1".into(),
        versions: vec!["1.0".into()],
        suites: vec![1, 0x0a0a],
        session: SessionId([1; 16]),
        job: JobId([2; 16]),
        nonce: [3; 32],
        parties: vec![entry(bank(), None), entry(tax(), Some("tax-2026"))],
        purpose: Purpose::Origination,
        outputs: vec![Output::Model],
        plan: Plan {
            stages: vec![Stage::Align, Stage::Train, Stage::Evaluate],
            join: Join::Inner,
            missing: Missing::Error,
            split: Split::Hash,
            algorithm: "vlr-1".into(),
            lambda: 1.0,
            max_evaluations: 40,
            alignment: None,
            model: Some(ModelId([5; 16])),
        },
        limits: SessionLimits { max_chunk: 1 << 20, max_message: 1 << 30 },
        extensions: vec![Extension { id: 0x0a0a, critical: false }],
        critical: vec![],
    }
}

fn refusal(change: impl FnOnce(&mut Offer)) -> (Code, &'static str) {
    let mut offer = offer();
    change(&mut offer);
    let error = check_offer(&offer, &tax(), &bank()).unwrap_err();
    (error.code(), error.requirement())
}

// clause: SESS-4, SESS-5, SESS-10
#[test]
fn an_offer_is_accepted_with_unknown_suites_and_extensions() {
    let acceptance = check_offer(&offer(), &tax(), &bank()).unwrap();
    assert_eq!((acceptance.rank, acceptance.version.as_str()), (Rank(1), "1.0"));
}

// clause: SESS-2, SESS-3, SESS-4, SESS-5, SESS-10, SESS-11
#[test]
fn each_fault_of_an_offer_has_its_code() {
    assert_eq!(refusal(|o| o.parties[0].party = party("lei:OTHER")), (Code::WrongParty, "SESS-2"));
    assert_eq!(refusal(|o| o.parties[1].party = party("lei:OTHER")), (Code::WrongParty, "SESS-3"));
    assert_eq!(refusal(|o| o.parties.push(o.parties[1].clone())), (Code::WrongParty, "SESS-3"));
    assert_eq!(refusal(|o| o.versions = vec!["9.9".into()]), (Code::NoCommonVersion, "SESS-4"));
    assert_eq!(refusal(|o| o.suites = vec![2]), (Code::NoCommonSuite, "SESS-5"));
    assert_eq!(refusal(|o| o.extensions[0].critical = true), (Code::UnknownCritical, "SESS-10"));
    assert_eq!(refusal(|o| o.plan.algorithm = "vlr-9".into()), (Code::UnsupportedPlan, "SESS-11"));
    assert_eq!(refusal(|o| o.plan.stages = vec![Stage::Train]), (Code::UnsupportedPlan, "SESS-11"));
    assert_eq!(refusal(|o| o.limits.max_chunk = 3 << 20), (Code::UnsupportedPlan, "SESS-11"));
}

// clause: CONV-4, CONV-7, CONV-8
#[test]
fn documents_are_verified_before_they_are_parsed() {
    let key = SigningKey::from_seed(&[1; 32]);
    let sealed = seal_offer(&offer(), &key);
    assert_eq!(open_offer(&sealed, &key.public()), Ok(offer()));
    assert_eq!(offer_signer(&sealed), Ok(bank()));
    let other = SigningKey::from_seed(&[2; 32]);
    assert_eq!(open_offer(&sealed, &other.public()).unwrap_err().code(), Code::BadSignature);
    let text = String::from_utf8(serde_json::to_vec(&offer()).unwrap()).unwrap();
    let open = |text: &str| {
        let sealed = hefu_crypto::dsse::seal("application/vnd.hefu.offer+json", text.as_bytes(), &key);
        open_offer(&sealed, &key.public()).map_err(|e| e.code())
    };
    assert_eq!(open(&text.replacen('{', "{\"purpose\":\"fraud\",", 1)), Err(Code::MalformedDocument));
    assert_eq!(open(&text.replacen('{', "{\"later\":1,", 1)), Ok(offer()));
    assert_eq!(open(&text.replacen('{', "{\"later\":1,\"critical\":[\"later\"],", 1)), Err(Code::UnknownCritical));
}

// clause: SESS-1
#[test]
fn a_descriptor_is_signed_by_its_own_key() {
    let key = SigningKey::from_seed(&[1; 32]);
    let descriptor = Descriptor {
        kind: "hefu/party/1".into(),
        party: bank(),
        name: "Bank".into(),
        signing_key: key.public(),
        tls_root: String::new(),
        endpoint: "https://localhost:7717".into(),
    };
    assert_eq!(open_descriptor(&seal_descriptor(&descriptor, &key)), Ok(descriptor.clone()));
    let error = open_descriptor(&seal_descriptor(&descriptor, &SigningKey::from_seed(&[2; 32]))).unwrap_err();
    assert_eq!((error.code(), error.requirement()), (Code::BadSignature, "SESS-1"));
}

// clause: SESS-7, SESS-8, SESS-21
#[test]
fn each_fault_of_a_confirm_has_its_code() {
    let key = SigningKey::from_seed(&[1; 32]);
    let envelope = seal_offer(&offer(), &key);
    let confirm = Confirm {
        kind: "hefu/confirm/1".into(),
        offer: hefu_crypto::dsse::digest(&envelope),
        rank: 1,
        party: tax(),
        nonce: [0; 32],
        ephemeral: [9; 32],
        version: "1.0".into(),
        suite: 1,
        algorithm: "vlr-1".into(),
        allow: [0; 32],
        schema: [0; 32],
        mask: None,
        critical: vec![],
    };
    let check = |change: fn(&mut Confirm)| {
        let mut changed = confirm.clone();
        change(&mut changed);
        check_confirm(&changed, &envelope, &offer(), Rank(1), None).map_err(|e| (e.code(), e.requirement()))
    };
    assert_eq!(check(|_| ()), Ok(()));
    assert_eq!(check(|c| c.offer[0] ^= 1), Err((Code::TranscriptMismatch, "SESS-7")));
    assert_eq!(check(|c| c.rank = 2), Err((Code::WrongParty, "SESS-21")));
    assert_eq!(check(|c| c.suite = 2), Err((Code::Downgrade, "SESS-8")));
    assert_eq!(check(|c| c.version = "0.9".into()), Err((Code::Downgrade, "SESS-8")));
}

#[test]
fn both_ends_derive_the_same_keys_and_a_changed_transcript_others() {
    let secrets = [Agreement::new([1; 32]), Agreement::new([2; 32]), Agreement::new([3; 32])];
    let ephemerals: Vec<[u8; 32]> = secrets.iter().map(Agreement::public).collect();
    let hash = transcript(b"offer", &[b"confirm"]);
    let keys = |rank: u16, hash| {
        Keys::derive(SessionId([1; 16]), Rank(rank), hash, &secrets[usize::from(rank)], &ephemerals).unwrap()
    };
    let mask = |keys: &Keys, other| keys.mask(Rank(other), Stage::Train, 3, MaskUse::Share).u64();
    assert_eq!(mask(&keys(1, hash), 2), mask(&keys(2, hash), 1));
    assert_ne!(mask(&keys(1, hash), 2), mask(&keys(1, hash), 0));
    assert_ne!(mask(&keys(1, hash), 2), mask(&keys(1, transcript(b"offer", &[b"other"])), 2));
    let message = crate::Message { kind: crate::Kind::Bound, stage: 2, round: 0, payload: vec![1, 2, 3] };
    let limits = crate::frame::Limits { max_chunk: 64, max_message: 64 };
    let frame = keys(1, hash).sealer(Rank(2), 64).seal(&message).unwrap().remove(0);
    assert_eq!(keys(2, hash).opener(Rank(1), limits).open(&frame.header, frame.body.clone()), Ok(Some(message)));
    let stranger = transcript(b"stripped", &[b"confirm"]);
    assert!(keys(2, stranger).opener(Rank(1), limits).open(&frame.header, frame.body).is_err());
}

// clause: SESS-6
#[test]
fn a_low_order_ephemeral_is_refused() {
    let secret = Agreement::new([1; 32]);
    let error = Keys::derive(SessionId([1; 16]), Rank(0), [0; 32], &secret, &[secret.public(), [0; 32]]).unwrap_err();
    assert_eq!((error.code(), error.culprit()), (Code::BadElement, Some(Rank(1))));
}
