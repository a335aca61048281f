//! The vectors of signed documents and of negotiation.
use super::{open_confirm, open_descriptor, open_document, open_offer};
use crate::Error;
use crate::case::{Hex, each, hex};
use crate::session::{Supported, check_confirm, check_offer, select};
use hefu_core::{PartyId, Rank};
use hefu_crypto::{SigningKey, dsse, key_id, verify};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    envelope: String,
    payload_type: String,
    public_key: Hex,
    known: Vec<String>,
    signing_seed: Option<Hex>,
}

// clause: CONV-4, CONV-5, CONV-6, CONV-7, CONV-8, CONV-10
#[test]
fn documents() {
    each("document", |given: Document| {
        let (envelope, key) = (given.envelope.as_bytes(), given.public_key.array());
        let known: Vec<&str> = given.known.iter().map(String::as_str).collect();
        open_document(envelope, &given.payload_type, &key, &known).map_err(|e: Error| e.code())?;
        let payload = dsse::open(envelope, &given.payload_type, &key).unwrap();
        let text = String::from_utf8(payload).unwrap();
        let mut output = json!({ "payload": text, "digest": hex(dsse::digest(envelope)) });
        if let Some(seed) = given.signing_seed {
            let key = SigningKey::from_seed(&seed.array());
            let signed = format!("DSSEv1 {} {} {} {text}", given.payload_type.len(), given.payload_type, text.len());
            let signature = key.sign(signed.as_bytes());
            assert_eq!(verify(&key.public(), signed.as_bytes(), &signature), Ok(()));
            assert_eq!(dsse::seal(&given.payload_type, text.as_bytes(), &key), envelope, "sealed to the byte");
            output["signed_text"] = signed.into();
            output["signature"] = hex(signature).into();
            output["keyid"] = key_id(&key.public()).into();
        }
        Ok(output)
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    envelope: String,
}

// clause: SESS-1, CONV-9, CONV-10
#[test]
fn descriptors() {
    each("descriptor", |Envelope { envelope }| {
        let descriptor = open_descriptor(envelope.as_bytes()).map_err(|e| e.code())?;
        Ok(json!({ "party": descriptor.party, "signing_key": hex(descriptor.signing_key) }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    versions: Vec<String>,
    suites: Vec<u16>,
}

impl From<Lists> for Supported {
    fn from(Lists { versions, suites }: Lists) -> Self {
        Supported { versions, suites }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    offered: Lists,
    own: Lists,
}

// clause: SESS-4, SESS-5
#[test]
fn selections() {
    each("select", |Selection { offered, own }| {
        let (version, suite) = select(&offered.into(), &own.into()).map_err(|e| e.code())?;
        Ok(json!({ "version": version, "suite": suite }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offered {
    envelope: String,
    tls_party: PartyId,
    tls_party_key: Hex,
    own_party: PartyId,
    own: Lists,
}

// clause: SESS-2, SESS-3, SESS-4, SESS-5, SESS-10, SESS-11, CONV-8, CONV-9, CONV-10
#[test]
fn offers() {
    each("offer", |given: Offered| {
        assert_eq!(Supported::from(given.own), Supported::own());
        let envelope = given.envelope.as_bytes();
        let offer = open_offer(envelope, &given.tls_party_key.array()).map_err(|e| e.code())?;
        let accepted = check_offer(&offer, &given.own_party, &given.tls_party).map_err(|e| e.code())?;
        Ok(json!({
            "rank": accepted.rank.0,
            "version": accepted.version,
            "suite": accepted.suite.number(),
            "digest": hex(dsse::digest(envelope)),
        }))
    });
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmed {
    envelope: String,
    key: Hex,
    offer: String,
    discovered: Option<Lists>,
}

// clause: SESS-7, SESS-8, SESS-15
#[test]
fn confirms() {
    each("confirm", |given: Confirmed| {
        let confirm = open_confirm(given.envelope.as_bytes(), &given.key.array()).map_err(|e| e.code())?;
        let offer = own_offer(&given.offer);
        let discovered = given.discovered.map(Supported::from);
        check_confirm(&confirm, given.offer.as_bytes(), &offer, Rank(1), discovered.as_ref()).map_err(|e| e.code())?;
        Ok(json!({ "rank": confirm.rank, "party": confirm.party, "ephemeral": hex(confirm.ephemeral) }))
    });
}

/// The initiator's own offer, of which it has no need to check the signature.
fn own_offer(envelope: &str) -> crate::session::Offer {
    let payload = dsse::dangerous_payload_unverified(envelope.as_bytes(), "application/vnd.hefu.offer+json").unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// A word of an offer that no registry lists: an offer that nobody could permit is no malformed one.
// clause: SESS-12
#[test]
fn an_unknown_purpose_is_not_allowed() {
    let key = SigningKey::from_seed(&[1; 32]);
    let refused = |name: &str, value: Value| {
        let mut offer = serde_json::to_value(crate::session::tests::offer()).unwrap();
        offer[name] = value;
        let sealed = dsse::seal("application/vnd.hefu.offer+json", offer.to_string().as_bytes(), &key);
        open_offer(&sealed, &key.public()).unwrap_err()
    };
    for (name, value) in [("purpose", json!("marketing")), ("outputs", json!(["rows"]))] {
        let error = refused(name, value);
        assert_eq!((error.code().name(), error.requirement()), ("NOT_ALLOWED", "SESS-12"));
    }
    assert_eq!(refused("purpose", json!(3)).code().name(), "MALFORMED_DOCUMENT");
}
