//! The specification's vectors, read by the suite's own codec: a second reading of the same sentences.

use std::path::PathBuf;

use hefu_conformance::wire::frame::{self, Header, TAG};
use hefu_conformance::wire::{dsse, group, h, keys, message, party};
use serde_json::Value;

/// All cases of a kind.
pub fn cases(kind: &str) -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors").join(kind);
    let mut out = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        out.push((name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()));
    }
    assert!(!out.is_empty(), "no vectors of {kind}");
    out
}

pub fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

pub fn fixed<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

#[test]
fn hash_to_group() {
    for (name, case) in cases("hash_to_group") {
        let (input, output) = (&case["input"], &case["output"]);
        let number = |name: &str| input[name].as_u64().unwrap() as u16;
        let dst = group::dst(number("suite"), number("rank"), &fixed(&input["transcript"]));
        assert_eq!(dst, bytes(&output["dst"]), "{name}");
        let element = group::hash_to_group(&dst, &bytes(&input["key"])).compress().to_bytes();
        assert_eq!(element, fixed(&output["element"]), "{name}");
    }
}

#[test]
fn tags() {
    for (name, case) in cases("align_tag") {
        let (input, output) = (&case["input"], &case["output"]);
        let scalar = group::scalar_from(&fixed(&input["scalar"])).unwrap();
        let element = (group::decode(&fixed(&input["element"])).unwrap() * scalar).compress().to_bytes();
        assert_eq!(element, fixed(&output["element"]), "{name}");
        let width = group::tag_width(input["n"].as_u64().unwrap(), input["m"].as_u64().unwrap());
        assert_eq!(width as u64, output["width"].as_u64().unwrap(), "{name}");
        let rank = input["rank"].as_u64().unwrap() as u16;
        assert_eq!(group::tag(&fixed(&input["transcript"]), rank, &element, width), bytes(&output["tag"]), "{name}");
    }
}

#[test]
fn whole_alignments() {
    for (name, case) in cases("align") {
        let input = &case["input"];
        let own: Vec<Vec<u8>> = input["keys"].as_array().unwrap().iter().map(bytes).collect();
        for (peer, sent) in
            input["collaborators"].as_array().unwrap().iter().zip(case["output"]["messages"].as_array().unwrap())
        {
            let rank = peer["rank"].as_u64().unwrap() as u16;
            let transcript = fixed(&input["transcript"]);
            let dst = group::dst(input["suite"].as_u64().unwrap() as u16, rank, &transcript);
            let theirs: Vec<Vec<u8>> = peer["keys"].as_array().unwrap().iter().map(bytes).collect();
            let blind = |keys: &[Vec<u8>], permutation: &Value, scalar: &Value| -> Vec<[u8; 32]> {
                let scalar = group::scalar_from(&fixed(scalar)).unwrap();
                let order = permutation.as_array().unwrap().iter().map(|i| i.as_u64().unwrap() as usize);
                order.map(|i| (group::hash_to_group(&dst, &keys[i]) * scalar).compress().to_bytes()).collect()
            };
            let down = blind(&own, &peer["initiator_permutation"], &peer["initiator_scalar"]);
            let up = blind(&theirs, &peer["permutation"], &peer["scalar"]);
            let list = |name: &str| sent[name].as_array().unwrap().iter().map(bytes).collect::<Vec<_>>();
            assert_eq!(message::blinded(&down), list("blinded_down"), "{name} rank {rank}");
            assert_eq!(message::blinded(&up), list("blinded_up"), "{name} rank {rank}");
            assert_eq!(message::size(own.len() as u64), bytes(&sent["size_down"]), "{name} rank {rank}");
            let width = group::tag_width(own.len() as u64, theirs.len() as u64);
            let scalar = group::scalar_from(&fixed(&peer["scalar"])).unwrap();
            let answer = |e: &[u8; 32]| (group::decode(e).unwrap() * scalar).compress().to_bytes();
            let tags: Vec<_> = down.iter().map(|e| group::tag(&transcript, rank, &answer(e), width)).collect();
            assert_eq!(message::tags(&tags), list("tags_up"), "{name} rank {rank}");
        }
    }
}

#[test]
fn seals() {
    for (name, case) in cases("seal").into_iter().filter(|(name, _)| !name.starts_with("bad_")) {
        let (input, output) = (&case["input"], &case["output"]);
        let number = |value: &Value| value.as_u64().unwrap();
        let max_chunk = number(&input["max_chunk"]) as usize;
        let mut sequence = number(&input["sequence"]);
        let mut frames = output["frames"].as_array().unwrap().iter();
        let mut digests = output["digests"].as_array().unwrap().iter();
        for sent in input["messages"].as_array().unwrap() {
            let payload = bytes(&sent["payload"]);
            let chunks = frame::chunks(&payload, max_chunk);
            for (index, chunk) in chunks.iter().enumerate() {
                let header = Header {
                    version: 1,
                    flags: 0,
                    kind: number(&sent["type"]) as u16,
                    from: number(&input["sender"]) as u16,
                    to: number(&input["receiver"]) as u16,
                    session: fixed(&input["session"]),
                    stage: number(&sent["stage"]) as u32,
                    round: number(&sent["round"]) as u32,
                    sequence,
                    chunk: index as u32,
                    chunks: chunks.len() as u32,
                    length: payload.len() as u64,
                    chunk_length: chunk.len() as u32,
                    reserved: 0,
                };
                let expected = frames.next().unwrap();
                assert_eq!(header.encode(), fixed(&expected["header"]), "{name}");
                let body = frame::seal(&fixed(&input["key"]), &header.encode(), sequence, chunk);
                assert_eq!(body, bytes(&expected["body"]), "{name}");
                assert_eq!(h(&[&header.encode(), &body[body.len() - TAG..]]), fixed(digests.next().unwrap()), "{name}");
                sequence += 1;
            }
        }
        assert!(frames.next().is_none(), "{name}");
    }
}

#[test]
fn documents_and_party_ids() {
    for (name, case) in cases("document") {
        let input = &case["input"];
        let key = fixed(&input["public_key"]);
        let envelope = dsse::parse(input["envelope"].as_str().unwrap().as_bytes());
        let verifies = envelope.as_ref().is_ok_and(|envelope| envelope.verifies(&key));
        match case["error"].as_str() {
            None => {
                assert!(verifies && envelope.unwrap().payload_type == input["payload_type"].as_str().unwrap(), "{name}")
            }
            Some("BAD_SIGNATURE") => assert!(!verifies, "{name}"),
            // What else can be wrong is for a strict reader; the suite reads what targets say, and says so itself.
            Some(_) => {}
        }
    }
    for (name, case) in cases("party_id") {
        let text = case["input"]["text"].as_str().unwrap();
        let Some(code) = text.strip_prefix("uscc:").filter(|code| code.len() == 18 && code.is_ascii()) else {
            continue;
        };
        let valid = party::check_character(&code[..17]) == code.chars().last();
        assert_eq!(valid, case.get("error").is_none(), "{name}");
    }
}

#[test]
fn transcripts_and_keys() {
    for (name, case) in cases("transcript") {
        let (input, output) = (&case["input"], &case["output"]);
        let confirms: Vec<Vec<u8>> =
            input["confirms"].as_array().unwrap().iter().map(|c| c.as_str().unwrap().into()).collect();
        let transcript = keys::transcript(input["offer"].as_str().unwrap().as_bytes(), &confirms);
        assert_eq!(hex::encode(transcript), output["transcript"].as_str().unwrap(), "{name}");
    }
    for (name, case) in cases("transcript_signature") {
        let input = &case["input"];
        let statement =
            keys::transcript_statement(input["rank"].as_u64().unwrap() as u16, &fixed(&input["transcript"]));
        let verifies = dsse::verify(&fixed(&input["key"]), &statement, &fixed(&input["signature"]));
        assert_eq!(verifies, case.get("error").is_none(), "{name}");
    }
}
