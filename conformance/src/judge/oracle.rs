//! Oracles: what a dialogue must look like, computed again from the evidence alone.

use std::collections::{HashMap, HashSet};

use hefu_proto::v1::{ConfirmResponse, GetCapabilitiesResponse, GetVersionsResponse, OpenResponse};
use prost::Message;
use serde_json::Value;

use super::ending;
use crate::case::{Case, Operator};
use crate::transcript::{Event, Facts, Run, Target};
use crate::wire::frame::TAG;
use crate::wire::{dsse, group, h, keys, message};

/// Rank of the target.
const RANK: u16 = 1;
/// From this many common keys on, an order that is kept is no accident (one in 20! at most).
const ORDERED: usize = 20;

/// Everything wrong with a dialogue that had to succeed; empty if nothing is.
pub(super) fn dialogue(case: &Case, target: &Target, run: &Run) -> Vec<String> {
    let mut faults = Vec::new();
    connection(case, run, &mut faults);
    discovery(target, run, &mut faults);
    if let Some(confirm) = answer::<OpenResponse>(run, "Open") {
        confirmed(target, run, &confirm.confirm, &mut faults);
    }
    frames(run, (run.facts.rank(), 0), &mut faults);
    if !run.facts.scalar.is_empty() && run.completed() {
        alignment(run, &mut faults);
    }
    if let Some(Operator::CloseEarly) = case.operator {
        closed_early(run, &mut faults);
    }
    if !run.completed() {
        faults.push(ending(run));
    }
    faults
}

pub(super) fn answer<A: Message + Default>(run: &Run, name: &str) -> Option<A> {
    run.events.iter().find_map(|record| match &record.event {
        Event::Answered { call, response } if call == name => A::decode(hex::decode(response).ok()?.as_slice()).ok(),
        _ => None,
    })
}

pub(super) fn connection(case: &Case, run: &Run, faults: &mut Vec<String>) {
    for record in &run.events {
        if let Event::Connected { protocol, group, .. } = &record.event {
            if protocol != "TLSv1_3" {
                faults.push(format!("TLS-1: the connection is {protocol}"));
            }
            if case.clause == "TLS-6" && group != "X25519MLKEM768" {
                faults.push(format!("TLS-6: the key exchange is {group}"));
            }
        }
    }
}

fn discovery(target: &Target, run: &Run, faults: &mut Vec<String>) {
    if let Some(versions) = answer::<GetVersionsResponse>(run, "GetVersions")
        && !versions.versions.iter().any(|v| v == "1.0")
    {
        faults.push(format!("GetVersions: 1.0 is not among {:?}", versions.versions));
    }
    if let Some(answer) = answer::<GetCapabilitiesResponse>(run, "GetCapabilities") {
        if answer.party != target.party {
            faults.push(format!("GetCapabilities: party {} is not that of the descriptor", answer.party));
        }
        if !answer.suites.contains(&1) {
            faults.push("GetCapabilities: suite 1 is missing".into());
        }
        if answer.max_chunk == 0 || answer.max_message < answer.max_chunk || answer.max_rows == 0 {
            faults.push("GetCapabilities: limits that admit nothing".into());
        }
    }
}

/// The confirm and the transcript signature (session sections 4 and 5).
fn confirmed(target: &Target, run: &Run, confirm: &[u8], faults: &mut Vec<String>) {
    let envelope = match dsse::parse(confirm) {
        Ok(envelope) => envelope,
        Err(reason) => return faults.push(format!("confirm: {reason}")),
    };
    let key: [u8; 32] = hex::decode(&target.signing_key).ok().and_then(|k| k.try_into().ok()).unwrap_or_default();
    if envelope.payload_type != dsse::CONFIRM {
        faults.push(format!("CONV-6: the confirm has type {}", envelope.payload_type));
    }
    if !envelope.verifies(&key) {
        faults.push("SESS-15: the confirm is not signed by the key of the target's descriptor".into());
    }
    let Ok(document) = serde_json::from_slice::<Value>(&envelope.payload) else {
        return faults.push("confirm: the payload is not JSON".into());
    };
    let offer = hex::decode(&run.facts.offer).unwrap_or_default();
    let digest = hex::encode(h(&[&offer]));
    let hex_of = |name: &str, bytes: usize| document[name].as_str().is_some_and(|t| t.len() == 2 * bytes && is_hex(t));
    let checks = [
        (document["type"] == "hefu/confirm/1", "type is not hefu/confirm/1"),
        (document["offer"] == digest, "SESS-7: offer is not the digest of the offer's bytes"),
        (document["rank"] == run.facts.rank(), "rank is not that of the offer"),
        (document["party"] == target.party, "party is not the target"),
        (document["version"] == "1.0", "SESS-4: version is not 1.0"),
        (document["suite"] == 1, "SESS-5: suite is not 1"),
        (document["algorithm"] == run.facts.algorithm.as_str(), "algorithm is not that of the offer"),
        (hex_of("nonce", 32), "nonce is not 32 bytes in lower-case hex"),
        (hex_of("ephemeral", 32), "ephemeral is not 32 bytes in lower-case hex"),
        (hex_of("allow", 32), "allow is not a digest in lower-case hex"),
        (hex_of("schema", 32), "schema is not a digest in lower-case hex"),
    ];
    faults.extend(checks.iter().filter(|(holds, _)| !holds).map(|(_, what)| format!("confirm: {what}")));
    if let Some(answer) = answer::<ConfirmResponse>(run, "Confirm") {
        let mut confirms: Vec<Vec<u8>> = run.facts.others.iter().filter_map(|c| hex::decode(c).ok()).collect();
        confirms.push(confirm.to_vec());
        let transcript = keys::transcript(&offer, &confirms);
        let signed = keys::transcript_statement(run.facts.rank(), &transcript);
        let signature = answer.signature.as_slice().try_into().unwrap_or([0; 64]);
        if !dsse::verify(&key, &signed, &signature) {
            faults.push("SESS-15: the target's transcript signature does not verify".into());
        }
    }
}

/// Close may be answered once the rows are sent, not before.
fn closed_early(run: &Run, faults: &mut Vec<String>) {
    let first = |wanted: fn(&Event) -> bool| run.events.iter().position(|record| wanted(&record.event));
    let closed = first(|e| matches!(e, Event::Answered { call, .. } if call == "Close"));
    let rows = first(|e| matches!(e, Event::FrameSent { kind, .. } if kind == "ALIGN_ROWS"));
    if closed.is_some() && rows.is_none_or(|rows| closed < Some(rows)) {
        faults.push("SESS-20: Close was carried out before the stages were done".into());
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The target's frames (frame section 1); `ranks` are the target's and the suite's.
pub(super) fn frames(run: &Run, ranks: (u16, u16), faults: &mut Vec<String>) {
    let session = run.facts.session.as_str();
    let max_chunk = run.facts.max_chunk;
    // By receiver: a target may have frames for another collaborator on the same stream.
    let mut previous: HashMap<u16, crate::wire::frame::Header> = HashMap::new();
    let mut next: HashMap<u16, u64> = HashMap::new();
    let received = run.events.iter().filter(|r| matches!(r.event, Event::FrameReceived { .. })).count();
    if run.frames().count() != received {
        faults.push("FRAME-1: a header of the target is not 64 bytes".into());
    }
    for (index, header, chunk) in run.frames() {
        let counter = next.entry(header.to).or_default();
        let sequence = std::mem::replace(counter, *counter + 1);
        let body = match &run.events[index].event {
            Event::FrameReceived { body_length, .. } => *body_length as u64,
            _ => 0,
        };
        let begins = header.chunk == 0;
        let continues = previous.get(&header.to).is_some_and(|p| {
            (p.kind, p.chunks, p.length, p.chunk + 1) == (header.kind, header.chunks, header.length, header.chunk)
        });
        let full = max_chunk == 0 || header.chunk + 1 == header.chunks || u64::from(header.chunk_length) == max_chunk;
        let count = if max_chunk == 0 { 1 } else { header.length.div_ceil(max_chunk).max(1) };
        let checks = [
            (header.version == 1 && header.flags == 0 && header.reserved == 0, "version, flags or reserved bytes"),
            (hex::encode(header.session) == session, "session id"),
            (header.from == ranks.0 && (header.to == ranks.1 || header.to < ranks.0), "ranks"),
            (header.kind >> 8 != 1 || (header.stage == 1 && header.round == 0), "stage or round"),
            (header.sequence == sequence, "sequence"),
            (u64::from(header.chunk_length) + TAG as u64 == body, "chunk length"),
            (max_chunk == 0 || u64::from(header.chunks) == count, "chunk count"),
            (full && (max_chunk == 0 || u64::from(header.chunk_length) <= max_chunk), "chunk size"),
            (begins || continues, "chunk order"),
            (chunk.is_some(), "seal"),
        ];
        for (_, what) in checks.iter().filter(|(holds, _)| !holds) {
            faults.push(format!("frame {sequence} of the target: {what} is wrong"));
        }
        previous.insert(header.to, header);
    }
}

/// What an alignment came to, from the evidence alone.
struct Aligned {
    transcript: [u8; 32],
    elements: Vec<Vec<u8>>,
    tags: Vec<Vec<u8>>,
    /// Key of the suite → position in the target's sequence.
    positions: HashMap<String, usize>,
}

/// The target's messages read and matched again.
fn aligned(facts: &Facts, run: &Run) -> Result<Aligned, String> {
    let bytes = |text: &str| hex::decode(text).ok().and_then(|b| <[u8; 32]>::try_from(b).ok()).unwrap_or_default();
    let (transcript, scalar) = (bytes(&facts.transcript), group::scalar_from(&bytes(&facts.scalar)));
    let scalar = scalar.ok_or("the evidence has no scalar")?;
    let messages = run.messages();
    let of = |wanted: u16| messages.iter().filter(|(_, k, _)| *k == wanted).map(|(_, _, p)| p.as_slice()).collect();
    let sizes: Vec<&[u8]> = of(message::SIZE);
    let [size] = sizes.as_slice() else { return Err(format!("{} ALIGN_SIZE messages", sizes.len())) };
    let (n, m) = ((facts.keys.len() + facts.probes.len()) as u64, message::read_size(size)?);
    if m != facts.target_keys.len() as u64 {
        return Err(format!("ALIGN_SIZE is {m}, the dataset has {} valid keys", facts.target_keys.len()));
    }
    let width = group::tag_width(n, m);
    let elements = message::join_batches("ALIGN_BLINDED", &of(message::BLINDED), 32, m as usize)?;
    let tags = message::join_batches("ALIGN_TAGS", &of(message::TAGS), width, n as usize)?;
    let answers = group::parallel(&elements, |element| {
        let point = group::decode(&element.as_slice().try_into().unwrap_or_default())?;
        Ok::<_, &str>(group::tag(&transcript, facts.rank(), (point * scalar).compress().as_bytes(), width))
    });
    let mut index = HashMap::new();
    for (position, answer) in answers.into_iter().enumerate() {
        let tag = answer.map_err(|what| format!("ALIGN-1: element {position} is {what}"))?;
        if index.insert(tag, position).is_some() {
            return Err(format!("ALIGN-3: element {position} has been sent before"));
        }
    }
    if tags.iter().collect::<HashSet<_>>().len() != tags.len() {
        return Err("ALIGN-7: tags are not distinct".into());
    }
    let keys = facts.keys.iter().zip(&tags);
    let positions = keys.filter_map(|(key, tag)| Some((key.clone(), *index.get(tag)?))).collect();
    Ok(Aligned { transcript, elements, tags, positions })
}

/// Alignment: exact sets, secret order (align section 3).
fn alignment(run: &Run, faults: &mut Vec<String>) {
    let facts = &run.facts;
    let expected_kinds = [message::SIZE, message::BLINDED, message::TAGS];
    for (_, kind, _) in run.messages() {
        if !expected_kinds.contains(&kind) && (kind >> 8 == 1 || facts.train.is_none()) {
            faults.push(format!("FRAME-11: {} does not belong to alignment", message::name(kind)));
        }
    }
    let found = match aligned(facts, run) {
        Ok(found) => found,
        Err(reason) => return faults.push(reason),
    };
    let theirs: HashSet<&String> = facts.target_keys.iter().collect();
    let common = facts.keys.iter().filter(|key| theirs.contains(key)).count();
    let right = found.positions.keys().filter(|key| theirs.contains(key)).count();
    if right != common || found.positions.len() != common {
        faults.push(format!("{right} of {common} common keys are found, and {} others", found.positions.len() - right));
    }
    let in_order = |keys: &[&String]| {
        let order: Vec<usize> = keys.iter().filter_map(|key| found.positions.get(*key).copied()).collect();
        order.len() >= ORDERED && order.is_sorted()
    };
    let mut keys: Vec<&String> = facts.target_keys.iter().collect();
    if in_order(&keys) {
        faults.push("ALIGN-5: the elements come in the order of the file".into());
    }
    keys.sort();
    if in_order(&keys) {
        faults.push("ALIGN-5: the elements come in the order of the keys".into());
    }
}

/// Scalar, order and ephemeral of two sessions: nothing of the first is found in the second.
pub(super) fn fresh(main: &Run, again: &Run) -> Vec<String> {
    let mut faults = Vec::new();
    let (Ok(first), Ok(second)) = (aligned(&main.facts, main), aligned(&again.facts, again)) else { return faults };
    let width = second.tags.first().map_or(0, Vec::len);
    let shown: HashSet<Vec<u8>> = first
        .elements
        .iter()
        .filter_map(|e| Some(group::tag(&second.transcript, RANK, e.as_slice().try_into().ok()?, width)))
        .collect();
    if second.tags.iter().skip(again.facts.keys.len()).any(|tag| shown.contains(tag)) {
        faults.push("ALIGN-5: the scalar of one session answers in the next".into());
    }
    if again.facts.probes.is_empty() {
        faults.push("the second dialogue held no probe".into());
    }
    let mut both: Vec<&String> = first.positions.keys().filter(|key| second.positions.contains_key(*key)).collect();
    both.sort_by_key(|key| first.positions[*key]);
    if both.len() >= 10 && both.is_sorted_by_key(|key| second.positions[*key]) {
        faults.push("ALIGN-5: two sessions have the same order".into());
    }
    let confirm = |run: &Run| {
        let answer = answer::<OpenResponse>(run, "Open")?;
        serde_json::from_slice::<Value>(&dsse::parse(&answer.confirm).ok()?.payload).ok()
    };
    if let (Some(a), Some(b)) = (confirm(main), confirm(again))
        && (a["ephemeral"] == b["ephemeral"] || a["nonce"] == b["nonce"])
    {
        faults.push("session 4: ephemeral or nonce of the confirm is not fresh".into());
    }
    faults
}
