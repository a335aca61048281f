//! The offer, read as strictly as the specification says.

use hefu_conformance::wire::party::Descriptor;
use hefu_conformance::wire::{dsse, h, party};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tonic::Status;

use super::{Allow, Node, refuse};

/// A JSON value in which no object has a member twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Strict;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Strict, E> {
                Ok(Strict(v.into()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Strict, E> {
                Ok(Strict(v.into()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Strict, E> {
                Ok(Strict(v.into()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Strict, E> {
                Ok(Strict(v.into()))
            }
            fn visit_str<E>(self, v: &str) -> Result<Strict, E> {
                Ok(Strict(v.into()))
            }
            fn visit_unit<E>(self) -> Result<Strict, E> {
                Ok(Strict(Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
                let mut out = Vec::new();
                while let Some(Strict(value)) = seq.next_element()? {
                    out.push(value);
                }
                Ok(Strict(out.into()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strict, A::Error> {
                let mut out = Map::new();
                while let Some((key, Strict(value))) = map.next_entry::<String, Strict>()? {
                    if out.insert(key, value).is_some() {
                        return Err(serde::de::Error::custom("a member twice"));
                    }
                }
                Ok(Strict(out.into()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

const MEMBERS: [&str; 12] = [
    "type",
    "versions",
    "suites",
    "session",
    "job",
    "nonce",
    "parties",
    "purpose",
    "outputs",
    "plan",
    "limits",
    "extensions",
];

const CONFIRM_MEMBERS: [&str; 11] =
    ["type", "offer", "rank", "party", "nonce", "ephemeral", "version", "suite", "algorithm", "allow", "schema"];

/// Reads a document of a type that the party of `key` signed.
fn read(node: &Node, bytes: &[u8], kind: &str, key: &[u8; 32], members: &[&str]) -> Result<Value, Status> {
    let malformed = || refuse("MALFORMED_DOCUMENT");
    let envelope = if node.has("takes-first-of-two-signatures") {
        let mut text: Value = serde_json::from_slice(bytes).map_err(|_| malformed())?;
        text["signatures"].as_array_mut().ok_or_else(malformed)?.truncate(1);
        dsse::parse(text.to_string().as_bytes()).map_err(|_| malformed())?
    } else {
        dsse::parse(bytes).map_err(|_| malformed())?
    };
    if envelope.payload_type != kind && !node.has("ignores-payload-type") {
        return Err(malformed());
    }
    if !envelope.verifies(key) && !node.has("ignores-offer-signature") {
        return Err(refuse("BAD_SIGNATURE"));
    }
    let document = if node.has("takes-last-of-two-members") {
        serde_json::from_slice(&envelope.payload).map_err(|_| malformed())?
    } else {
        serde_json::from_slice::<Strict>(&envelope.payload).map_err(|_| malformed())?.0
    };
    critical(node, &document, members)?;
    Ok(document)
}

/// Reads and checks an offer from `peer`; the document and the entry that permits it.
pub(super) fn offer(node: &Node, peer: &str, bytes: &[u8]) -> Result<(Value, Allow), Status> {
    let key = node.trusted.get(peer).and_then(|d| d.public_key()).ok_or_else(|| refuse("UNKNOWN_PARTY"))?;
    let document = read(node, bytes, dsse::OFFER, &key, &MEMBERS)?;
    parties(node, peer, &document)?;
    negotiation(node, &document)?;
    let allow = allowed(node, peer, &document)?;
    Ok((document, allow))
}

/// Reads and checks the confirm of `peer` for an offer.
pub(super) fn confirm(node: &Node, peer: &Descriptor, offer: &[u8], bytes: &[u8]) -> Result<Value, Status> {
    let document = read(node, bytes, dsse::CONFIRM, &peer.public_key().unwrap(), &CONFIRM_MEMBERS)?;
    if CONFIRM_MEMBERS.iter().any(|name| document.get(name).is_none()) && !node.has("fills-missing-members") {
        return Err(refuse("MALFORMED_DOCUMENT"));
    }
    if document["offer"] != hex::encode(h(&[offer])) && !node.has("ignores-offer-digest") {
        return Err(refuse("TRANSCRIPT_MISMATCH"));
    }
    if (document["version"] != "1.0" || document["suite"] != 1) && !node.has("takes-any-choice") {
        return Err(refuse("DOWNGRADE"));
    }
    if (document["rank"] != 1 || document["party"] != peer.party.as_str()) && !node.has("ignores-place-of-confirm") {
        return Err(refuse("WRONG_PARTY"));
    }
    Ok(document)
}

fn critical(node: &Node, document: &Value, members: &[&str]) -> Result<(), Status> {
    let unknown =
        document.as_object().is_some_and(|o| o.keys().any(|k| !members.contains(&k.as_str()) && k != "critical"));
    if node.has("refuses-unknown-member") && unknown {
        return Err(refuse("MALFORMED_DOCUMENT"));
    }
    let listed = document["critical"].as_array().cloned().unwrap_or_default();
    let strange = listed.iter().filter_map(Value::as_str).any(|name| !members.contains(&name));
    if strange && !node.has("ignores-critical-member") {
        return Err(refuse("UNKNOWN_CRITICAL"));
    }
    let extensions = document["extensions"].as_array().cloned().unwrap_or_default();
    if extensions.iter().any(|e| e["critical"] == true) && !node.has("ignores-critical-extension") {
        return Err(refuse("UNKNOWN_CRITICAL"));
    }
    Ok(())
}

fn parties(node: &Node, peer: &str, document: &Value) -> Result<(), Status> {
    let ids: Vec<&str> =
        document["parties"].as_array().into_iter().flatten().filter_map(|p| p["party"].as_str()).collect();
    let checked = |id: &&str| {
        let code = id.strip_prefix("uscc:").unwrap_or_default();
        code.len() == 18 && party::check_character(&code[..17]) == code.chars().last()
    };
    if !ids.iter().all(checked) && !node.has("ignores-check-character") {
        return Err(refuse("BAD_PARTY_ID"));
    }
    if ids.first() != Some(&peer) && !node.has("ignores-rank-0") {
        return Err(refuse("WRONG_PARTY"));
    }
    let named = ids.iter().skip(1).filter(|id| **id == node.me.id).count();
    if named != 1 && !(named > 1 && node.has("accepts-being-named-twice")) {
        return Err(refuse("WRONG_PARTY"));
    }
    Ok(())
}

fn negotiation(node: &Node, document: &Value) -> Result<(), Status> {
    let lists = |name: &str, value: Value| document[name].as_array().is_some_and(|list| list.contains(&value));
    if !lists("versions", "1.0".into()) && !node.has("falls-back-to-its-version") {
        return Err(refuse("NO_COMMON_VERSION"));
    }
    if !lists("suites", 1.into()) && !node.has("falls-back-to-its-suite") {
        return Err(refuse("NO_COMMON_SUITE"));
    }
    let plan = &document["plan"];
    let join = plan["join"] == "inner" || plan["join"] == "left" || node.has("takes-any-join");
    if !plan.is_object() {
        return Err(refuse("MALFORMED_DOCUMENT"));
    }
    let known = plan["split"] == "sha256-mod10-3" && plan["missing"] == "error";
    let aligns = plan["algorithm"] == "align-ecdh-1" && plan["stages"] == serde_json::json!(["align"]);
    let stages = serde_json::json!(["align", "train", "evaluate"]);
    let trains = plan["algorithm"] == "vlr-1" && plan["stages"] == stages;
    if !(aligns || trains) || !join || !known {
        return Err(refuse("UNSUPPORTED_PLAN"));
    }
    Ok(())
}

fn allowed(node: &Node, peer: &str, document: &Value) -> Result<Allow, Status> {
    let mine = document["parties"].as_array().into_iter().flatten().skip(1).find(|p| p["party"] == node.me.id.as_str());
    let mine = mine.cloned().unwrap_or_default();
    let dataset = mine["dataset"].as_str().unwrap_or_default();
    let outputs: Vec<&str> = document["outputs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let permits = |allow: &&Allow| {
        allow.party == peer
            && allow.dataset == dataset
            && document["purpose"] == allow.purpose.as_str()
            && (node.has("skips-output-check") || outputs.iter().all(|o| allow.outputs.iter().any(|a| a == o)))
    };
    let trains = document["plan"]["stages"].as_array().is_some_and(|stages| stages.contains(&"train".into()));
    if trains && !outputs.contains(&"model") && !node.has("trains-without-model") {
        return Err(refuse("NOT_ALLOWED"));
    }
    let known = node.datasets.contains_key(dataset);
    if node.has("discloses-existence") && !known {
        return Err(refuse("UNKNOWN_DATASET"));
    }
    let allow = match node.allows.iter().find(permits) {
        Some(allow) => allow.clone(),
        None if node.has("skips-allow-check") => node.allows[0].clone(),
        None => return Err(refuse("NOT_ALLOWED")),
    };
    if !known {
        return Err(refuse("UNKNOWN_DATASET"));
    }
    if mine.get("schema").is_some() && !node.has("ignores-cited-schema") {
        return Err(refuse("SCHEMA_CHANGED"));
    }
    Ok(allow)
}
