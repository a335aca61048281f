//! Oracles of the other direction: what a target that initiates has to say, and how it has to refuse.

use std::collections::{HashMap, HashSet};

use hefu_proto::v1::{ConfirmRequest, OpenRequest, OpenResponse};
use prost::Message;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{ending, oracle};
use crate::case::{Case, Operator, Scenario};
use crate::registry;
use crate::transcript::{Event, Run, Target};
use crate::wire::{dsse, group, keys, message};
use crate::world::PURPOSE;

/// Registry code of EMPTY_INTERSECTION.
const EMPTY_INTERSECTION: u32 = 6009;
/// From this many rows on, an order that is kept is no accident (one in 20! at most).
const ORDERED: usize = 20;

/// Everything wrong with a dialogue that had to succeed; empty if nothing is.
pub(super) fn dialogue(case: &Case, target: &Target, run: &Run) -> Vec<String> {
    let mut faults = Vec::new();
    oracle::connection(case, run, &mut faults);
    offered(case, target, run, &mut faults);
    confirmed(target, run, &mut faults);
    oracle::frames(run, (0, 1), &mut faults);
    if case.scenario == Scenario::Align && run.completed() {
        alignment(case, run, &mut faults);
    }
    ended(run, &mut faults);
    if !run.completed() {
        faults.push(ending(run));
    }
    faults
}

fn asked<A: Message + Default>(run: &Run, name: &str) -> Option<A> {
    run.events.iter().find_map(|record| match &record.event {
        Event::Asked { call, request } if call == name => A::decode(hex::decode(request).ok()?.as_slice()).ok(),
        _ => None,
    })
}

/// The suite's own confirm.
fn own_confirm(run: &Run) -> Option<Vec<u8>> {
    run.events.iter().find_map(|record| match &record.event {
        Event::Replied { call, response, code: None } if call == "Open" => {
            Some(OpenResponse::decode(hex::decode(response).ok()?.as_slice()).ok()?.confirm)
        }
        _ => None,
    })
}

/// The offer (session section 4).
fn offered(case: &Case, target: &Target, run: &Run, faults: &mut Vec<String>) {
    let Some(request) = asked::<OpenRequest>(run, "Open") else { return };
    let envelope = match dsse::parse(&request.offer) {
        Ok(envelope) => envelope,
        Err(reason) => return faults.push(format!("CONV-10: offer: {reason}")),
    };
    if envelope.payload_type != dsse::OFFER {
        faults.push(format!("CONV-6: the offer has type {}", envelope.payload_type));
    }
    if !envelope.verifies(&key_of(target)) {
        faults.push("SESS-2: the offer is not signed by the key of the target's descriptor".into());
    }
    let Ok(offer) = serde_json::from_slice::<Value>(&envelope.payload) else {
        return faults.push("CONV-10: the offer's payload is not JSON".into());
    };
    let own = own_confirm(run).and_then(|c| serde_json::from_slice::<Value>(&dsse::parse(&c).ok()?.payload).ok());
    let own = own.unwrap_or_default();
    let hex_of = |value: &Value, bytes: usize| {
        value.as_str().is_some_and(|t| {
            t.len() == 2 * bytes && t.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        })
    };
    let lists = |name: &str, value: Value| offer[name].as_array().is_some_and(|list| list.contains(&value));
    let (parties, plan) = (&offer["parties"], &offer["plan"]);
    let stages = match plan["algorithm"].as_str().unwrap_or_default() {
        "align-ecdh-1" => serde_json::json!(["align"]),
        "vlr-1" => serde_json::json!(["align", "train", "evaluate"]),
        "score-sum-1" => serde_json::json!(["align", "score"]),
        _ => Value::Null,
    };
    let checks = [
        (offer["type"] == "hefu/offer/1", "type is not hefu/offer/1"),
        (lists("versions", "1.0".into()), "SESS-4: versions lack 1.0"),
        (lists("suites", 1.into()), "SESS-5: suites lack 1"),
        (hex_of(&offer["session"], 16) && hex_of(&offer["job"], 16), "session or job is not 16 bytes in hex"),
        (hex_of(&offer["nonce"], 32), "nonce is not 32 bytes in hex"),
        (parties.as_array().is_some_and(|p| p.len() == 2), "there are not two parties"),
        (parties[0]["party"] == target.party, "SESS-2: rank 0 is not the target"),
        (hex_of(&parties[0]["ephemeral"], 32), "ephemeral is not 32 bytes in hex"),
        (own.is_null() || parties[1]["party"] == own["party"], "SESS-3: rank 1 is not the collaborator"),
        (parties[1]["dataset"] == crate::driver::HOSTED, "dataset is not the one of the job"),
        (offer["purpose"] == PURPOSE, "purpose is not the one of the job"),
        (offer["outputs"].is_array(), "outputs are missing"),
        (!stages.is_null() && plan["stages"] == stages, "SESS-11: stages and algorithm are not those of a plan"),
        (plan["join"] == case.setting.join.as_str(), "join is not the one of the job"),
        (plan["split"] == "sha256-mod10-3" || plan["split"] == "none", "SESS-11: split is unknown"),
        (offer["limits"]["max_chunk"].as_u64().is_some_and(|n| n > 0), "limits.max_chunk is missing"),
        (offer["limits"]["max_message"].as_u64().is_some_and(|n| n > 0), "limits.max_message is missing"),
    ];
    faults.extend(checks.iter().filter(|(holds, _)| !holds).map(|(_, what)| format!("offer: {what}")));
}

/// What the target confirms (session section 5).
fn confirmed(target: &Target, run: &Run, faults: &mut Vec<String>) {
    let (Some(request), Some(confirm)) = (asked::<ConfirmRequest>(run, "Confirm"), own_confirm(run)) else { return };
    if request.confirms != [confirm.clone()] {
        return faults.push("SESS-16: the confirms are not the bytes that the collaborator sent".into());
    }
    if hex::encode(&request.session) != run.facts.session {
        faults.push("Confirm names another session".into());
    }
    let offer = hex::decode(&run.facts.offer).unwrap_or_default();
    let statement = keys::transcript_statement(0, &keys::transcript(&offer, &[confirm]));
    let signature = request.signature.as_slice().try_into().unwrap_or([0; 64]);
    if !dsse::verify(&key_of(target), &statement, &signature) {
        faults.push("SESS-15: the target's transcript signature does not verify".into());
    }
}

fn key_of(target: &Target) -> [u8; 32] {
    hex::decode(&target.signing_key).ok().and_then(|k| k.try_into().ok()).unwrap_or_default()
}

/// How the job ended: only Close makes a result (session section 6).
fn ended(run: &Run, faults: &mut Vec<String>) {
    let closed = run
        .events
        .iter()
        .any(|record| matches!(&record.event, Event::Replied { call, code: None, .. } if call == "Close"));
    for record in &run.events {
        match &record.event {
            Event::JobResult { given: true, .. } if !closed => {
                faults.push("SESS-18: a job that ended without Close has a result".into());
            }
            Event::JobEnded { state, .. } if closed && state != "succeeded" => {
                faults.push(format!("the session was closed, and yet the job is {state}"));
            }
            Event::JobEnded { state, .. } if !closed && state != "failed" => {
                faults.push(format!("SESS-18: the session was not closed, and yet the job is {state}"));
            }
            _ => {}
        }
    }
}

/// What the target sent of an alignment, read again.
struct Aligned {
    positions: Vec<u32>,
    training: usize,
}

fn aligned(run: &Run) -> Result<Aligned, String> {
    let messages = run.messages();
    let of = |wanted: u16| messages.iter().filter(|(_, k, _)| *k == wanted).map(|(_, _, p)| p.as_slice()).collect();
    let sizes: Vec<&[u8]> = of(message::SIZE);
    let [size] = sizes.as_slice() else { return Err(format!("{} ALIGN_SIZE messages", sizes.len())) };
    let n = message::read_size(size)?;
    if n != run.facts.target_keys.len() as u64 {
        return Err(format!("ALIGN_SIZE is {n}, the dataset has {} valid keys", run.facts.target_keys.len()));
    }
    if !of(message::TAGS).is_empty() {
        return Err("FRAME-11: an initiator sends no ALIGN_TAGS".into());
    }
    let elements = message::join_batches("ALIGN_BLINDED", &of(message::BLINDED), 32, n as usize)?;
    let decoded = group::parallel(&elements, |e| group::decode(&e.as_slice().try_into().unwrap_or_default()).err());
    if let Some((index, what)) = decoded.into_iter().enumerate().find_map(|(i, what)| Some((i, what?))) {
        return Err(format!("ALIGN-1: element {index} is {what}"));
    }
    if elements.iter().collect::<HashSet<_>>().len() != elements.len() {
        return Err("ALIGN-3: elements are not distinct".into());
    }
    let (positions, training) = message::join_rows(&of(message::ROWS))?;
    Ok(Aligned { positions, training })
}

/// Alignment: the rows are exactly the plain intersection, in secret order (align section 3).
fn alignment(case: &Case, run: &Run, faults: &mut Vec<String>) {
    let facts = &run.facts;
    let found = match aligned(run) {
        Ok(found) => found,
        Err(reason) => return faults.push(reason),
    };
    let theirs: HashSet<&String> = facts.target_keys.iter().collect();
    let expected: HashSet<u32> =
        (0u32..).zip(&facts.keys).filter(|(_, key)| theirs.contains(key)).map(|(position, _)| position).collect();
    let present: Vec<u32> = found.positions.iter().copied().filter(|p| *p != message::ABSENT).collect();
    let distinct: HashSet<u32> = present.iter().copied().collect();
    if distinct.len() != present.len() {
        faults.push("ALIGN-8: a position is given twice".into());
    }
    let whole = if case.setting.half { distinct.is_subset(&expected) } else { distinct == expected };
    if !whole || (case.setting.half && distinct.is_empty()) {
        let right = distinct.intersection(&expected).count();
        let (others, common) = (distinct.len() - right, expected.len());
        faults.push(format!("{right} of {common} common rows are in ALIGN_ROWS, and {others} others"));
    }
    let absent = found.positions.len() - present.len();
    let left = facts.join == "left";
    if absent != if left { facts.target_keys.len() - present.len() } else { 0 } {
        faults.push(format!("{absent} absent positions under {}", facts.join));
    }
    let key = |position: &u32| facts.keys.get(*position as usize);
    let is_test = |position: &u32| key(position).is_some_and(|key| test_row(key));
    let (training, test) = found.positions.split_at(found.training.min(found.positions.len()));
    if training.iter().any(is_test) || test.iter().any(|p| *p != message::ABSENT && !is_test(p)) {
        faults.push("training rows and test rows are not those of the split".into());
    }
    secret_order(case, run, &present, faults);
}

fn test_row(key: &str) -> bool {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first) % 10 < 3
}

/// Neither the rows nor the elements come in an order that tells something.
fn secret_order(case: &Case, run: &Run, present: &[u32], faults: &mut Vec<String>) {
    let facts = &run.facts;
    let file: HashMap<&String, usize> = facts.target_keys.iter().zip(0..).collect();
    let keys: Vec<&String> = present.iter().filter_map(|p| facts.keys.get(*p as usize)).collect();
    let training: Vec<&String> = keys.iter().copied().filter(|key| !test_row(key)).collect();
    let sequence: Vec<u32> =
        present.iter().copied().filter(|p| facts.keys.get(*p as usize).is_some_and(|k| !test_row(k))).collect();
    if training.len() >= ORDERED {
        let orders = [
            (training.is_sorted_by_key(|key| file.get(key)), "of the file"),
            (training.is_sorted(), "of the keys"),
            (sequence.is_sorted(), "of the collaborator's elements"),
        ];
        for (_, what) in orders.iter().filter(|(sorted, _)| *sorted) {
            faults.push(format!("align 3: the rows come in the order {what}"));
        }
    }
    if case.setting.half && keys.len() >= ORDERED {
        let half = facts.target_keys.len() / 2;
        let mut sorted: Vec<&String> = facts.target_keys.iter().collect();
        sorted.sort();
        let low: HashSet<&String> = sorted[..half].iter().copied().collect();
        let in_file = |key: &&String| file.get(*key).is_some_and(|index| *index < half);
        if keys.iter().all(in_file) {
            faults.push("ALIGN-5: the elements come in the order of the file".into());
        }
        if keys.iter().all(|key| low.contains(*key)) {
            faults.push("ALIGN-5: the elements come in the order of the keys".into());
        }
    }
}

/// The second of two sessions, in which the suite answered with what the first had shown: nothing may match.
pub(super) fn probed(main: &Run, again: &Run) -> Vec<String> {
    let mut faults = Vec::new();
    if again.messages().iter().any(|(_, kind, _)| *kind == message::ROWS) {
        faults.push("ALIGN-5: the scalar of one session answers in the next".into());
    }
    let end = again.events.iter().find_map(|record| match &record.event {
        Event::JobEnded { code, .. } => Some(*code),
        _ => None,
    });
    match end {
        None => faults.push(format!("the second job did not end: {}", ending(again))),
        Some(Some(EMPTY_INTERSECTION)) => {}
        Some(_) if faults.is_empty() => faults.push(format!("ALIGN-9: {}", ending(again))),
        Some(_) => {}
    }
    let elements = |run: &Run| {
        let messages = run.messages();
        let of: Vec<Vec<u8>> =
            messages.into_iter().filter(|(_, k, _)| *k == message::BLINDED).map(|(_, _, p)| p).collect();
        of.iter().flat_map(|p| p[4.min(p.len())..].chunks(32).map(<[u8]>::to_vec)).collect::<HashSet<_>>()
    };
    if !elements(main).is_disjoint(&elements(again)) {
        faults.push("ALIGN-5: an element of one session comes again in the next".into());
    }
    let offer = |run: &Run| {
        let envelope = dsse::parse(&hex::decode(&run.facts.offer).ok()?).ok()?;
        serde_json::from_slice::<Value>(&envelope.payload).ok()
    };
    if let (Some(a), Some(b)) = (offer(main), offer(again)) {
        let ephemeral = |offer: &Value| offer["parties"][0]["ephemeral"].clone();
        if a["session"] == b["session"] || a["nonce"] == b["nonce"] || ephemeral(&a) == ephemeral(&b) {
            faults.push("session 4: session id, nonce or ephemeral of the offer is not fresh".into());
        }
    }
    faults
}

/// What is wrong with how the target met the deviation; `None` where nothing is.
pub(super) fn refused(case: &Case, main: &Run, at: usize) -> Option<String> {
    let end = main.events.iter().find_map(|record| match &record.event {
        Event::JobEnded { state, code, text } => Some((state.as_str(), *code, text.as_str())),
        _ => None,
    });
    let Some((state, code, _)) = end else {
        return Some(format!("not refused: the job goes on; {}", ending(main)));
    };
    if state != "failed" {
        return Some(format!("accepted: the job is {state}"));
    }
    // What the target's own people are told, and what it told its peer.
    let mut codes: Vec<u32> = code.into_iter().collect();
    codes.extend(main.events.iter().skip(at).filter_map(|record| match &record.event {
        Event::Refused { code, .. } => *code,
        _ => None,
    }));
    let allowed = &case.expect.codes;
    if codes.is_empty() && !case.expect.transport {
        return Some("ERR-1: refused without a registry code".into());
    }
    // A code that nobody knows may be told on in any way.
    let any = matches!(case.operator, Some(Operator::RefuseOpen { .. }));
    let fits =
        |code: &u32| any || allowed.contains(&registry::name(*code)) || (case.expect.transport && code / 1000 == 1);
    if let Some(code) = codes.iter().find(|code| !fits(code)) {
        return Some(format!("ERR-1: {code} {} in place of {}", registry::name(*code), allowed.join(" or ")));
    }
    let given = main.events.iter().any(|record| matches!(record.event, Event::JobResult { given: true, .. }));
    if given {
        return Some("SESS-18: refused, and yet the job has a result".into());
    }
    if let Some(call) = main.events.iter().skip(at).find_map(|record| match &record.event {
        Event::Asked { call, .. } if case.expect.forbid.contains(call) => Some(call),
        _ => None,
    }) {
        return Some(format!("refused, and yet {call} followed"));
    }
    None
}
