//! The reference target as initiator: dial, offer, check the confirm, align, close.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::Signer;
use hefu_conformance::connect;
use hefu_conformance::control::{JobOrder, Reply};
use hefu_conformance::wire::message::{self, ABSENT, BATCH};
use hefu_conformance::wire::party::Descriptor;
use hefu_conformance::wire::{detail, dsse, group, h, keys};
use hefu_proto::v1::channel_service_client::ChannelServiceClient;
use hefu_proto::v1::discovery_service_client::DiscoveryServiceClient;
use hefu_proto::v1::session_service_client::SessionServiceClient;
use hefu_proto::v1::*;
use serde_json::json;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use super::frames::{Receiver, seal};
use super::{IDLE, MAX_ROWS, Node, documents, random, refuse, tls};

/// How the jobs of a target stand: id → `None` while it runs, then its code (0 for success).
pub type Jobs = Arc<Mutex<HashMap<String, Option<u32>>>>;

/// Starts a job and returns its id.
pub(super) fn start(node: &Arc<Node>, jobs: &Jobs, order: JobOrder) -> Reply {
    let job = hex::encode(random::<8>());
    let null = match node.fault.as_str() {
        "null-accept-all" => Some(Some(0)),
        "null-reject-all" => Some(Some(5003)),
        "null-hang" => Some(None),
        _ => None,
    };
    jobs.lock().unwrap().insert(job.clone(), null.unwrap_or_default());
    if null.is_none() {
        let (node, jobs, id) = (node.clone(), jobs.clone(), job.clone());
        tokio::spawn(async move {
            let code = match run(&node, &order).await {
                Ok(()) => 0,
                Err(status) => detail::decode(status.details()).map_or(1003, |detail| detail.code),
            };
            jobs.lock().unwrap().insert(id, Some(code));
        });
    }
    Reply { job: Some(job), ..Reply::done() }
}

/// How a job stands.
pub(super) fn status(jobs: &Jobs, job: &str) -> Reply {
    let (state, code) = match jobs.lock().unwrap().get(job) {
        None => return Reply::refused("no such job"),
        Some(None) => ("running", None),
        Some(Some(0)) => ("succeeded", None),
        Some(Some(code)) => ("failed", Some(*code)),
    };
    Reply { state: Some(state.into()), code, ..Reply::done() }
}

/// The result of a job, which only success makes.
pub(super) fn result(node: &Node, jobs: &Jobs, job: &str) -> Reply {
    match jobs.lock().unwrap().get(job) {
        Some(Some(0)) => Reply { result: Some(json!({})), ..Reply::done() },
        Some(Some(_)) if node.has("keeps-half-a-result") => Reply { result: Some(json!({})), ..Reply::done() },
        _ => Reply::refused("no result"),
    }
}

async fn run(node: &Arc<Node>, order: &JobOrder) -> Result<(), Status> {
    let peer = node.trusted.get(&order.collaborators[0].party).cloned().ok_or_else(|| refuse("UNKNOWN_PARTY"))?;
    let address = peer.endpoint.trim_start_matches("https://").parse().map_err(|_| refuse("PEER_UNREACHABLE"))?;
    let link = connect::dial(address, tls::client(node, &peer.party), IDLE).await.map_err(|seen| {
        let untrusted = seen.cut.is_some_and(|(_, text)| ["names", "party", "chain"].iter().any(|w| text.contains(w)));
        refuse(if untrusted { "UNTRUSTED_CERTIFICATE" } else { "PEER_UNREACHABLE" })
    })?;
    if node.fault == "null-close" {
        return Err(refuse("LINK_CUT"));
    }
    let session: [u8; 16] = random();
    let told = talk(node, order, &peer, link.channel.clone(), session).await;
    if let Err(status) = &told {
        let code = detail::decode(status.details()).map_or(1003, |detail| detail.code);
        let request = AbortRequest { session: session.to_vec(), code, party: String::new(), cause: "refused".into() };
        let _ = SessionServiceClient::new(link.channel).abort(request).await;
    }
    told
}

async fn talk(
    node: &Arc<Node>,
    order: &JobOrder,
    peer: &Descriptor,
    channel: Channel,
    session: [u8; 16],
) -> Result<(), Status> {
    let mut client = SessionServiceClient::new(channel.clone());
    let mut max_chunk = 1 << 20;
    if !node.has("benign-no-discovery") {
        let mut discovery = DiscoveryServiceClient::new(channel.clone());
        let capabilities = discovery.get_capabilities(GetCapabilitiesRequest {}).await?.into_inner();
        max_chunk = capabilities.max_chunk.min(max_chunk);
    }
    let secret = random();
    let offer = offer(node, order, session, &keys::public(&secret), max_chunk);
    let confirm = client.open(OpenRequest { offer: offer.clone() }).await?.into_inner().confirm;
    if node.fault == "null-echo" {
        client
            .confirm(ConfirmRequest { session: session.to_vec(), confirms: vec![confirm], ..Default::default() })
            .await?;
        return echo(channel, session).await;
    }
    let document = documents::confirm(node, peer, &offer, &confirm)?;
    let ephemeral = document["ephemeral"].as_str().and_then(|e| hex::decode(e).ok()).unwrap_or_default();
    let ephemeral: [u8; 32] = ephemeral.try_into().unwrap_or([9; 32]);
    let shared = x25519_dalek::StaticSecret::from(secret).diffie_hellman(&ephemeral.into());
    if !shared.was_contributory() && !node.has("accepts-low-order-ephemeral") {
        return Err(refuse("BAD_ELEMENT"));
    }
    let transcript = keys::transcript(&offer, std::slice::from_ref(&confirm));
    let rank = if node.has("signs-another-transcript") { 1 } else { 0 };
    let signature = node.me.signing.sign(&keys::transcript_statement(rank, &transcript)).to_bytes().to_vec();
    let request = ConfirmRequest { session: session.to_vec(), confirms: vec![confirm], signature };
    let signature = client.confirm(request).await?.into_inner().signature;
    let signature = signature.as_slice().try_into().unwrap_or([0; 64]);
    let holds = dsse::verify(&peer.public_key().unwrap(), &keys::transcript_statement(1, &transcript), &signature);
    if !holds && !node.has("accepts-bad-transcript-signature") {
        return Err(refuse("BAD_SIGNATURE"));
    }
    let pair = keys::Pair::new(&transcript, &secret, &ephemeral);
    let (out, requests) = tokio::sync::mpsc::unbounded_channel();
    let mut request = Request::new(UnboundedReceiverStream::new(requests));
    request.metadata_mut().insert("hefu-session", hex::encode(session).parse().unwrap());
    let frames = ChannelServiceClient::new(channel).max_decoding_message_size(16 << 20);
    let frames = { frames }.exchange(request).await?.into_inner();
    let receiver = Receiver::new(node.clone(), session, (1, 0), max_chunk, pair.frame_key(1, 0));
    let key = pair.frame_key(0, 1);
    let mut stream = Stream { node: node.clone(), frames, receiver, out, key, session, max_chunk, sequence: 0 };
    align(&mut stream, order, &transcript).await?;
    if node.has("benign-left-open") {
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
    client.close(CloseRequest { session: session.to_vec() }).await?;
    Ok(())
}

/// Sends back whatever comes.
async fn echo(channel: Channel, session: [u8; 16]) -> Result<(), Status> {
    let (out, requests) = tokio::sync::mpsc::unbounded_channel();
    let mut request = Request::new(UnboundedReceiverStream::new(requests));
    request.metadata_mut().insert("hefu-session", hex::encode(session).parse().unwrap());
    let mut frames = ChannelServiceClient::new(channel).exchange(request).await?.into_inner();
    while let Some(ExchangeResponse { header, body }) = frames.message().await? {
        let _ = out.send(ExchangeRequest { header, body });
    }
    Ok(())
}

fn offer(node: &Node, order: &JobOrder, session: [u8; 16], ephemeral: &[u8; 32], max_chunk: u64) -> Vec<u8> {
    let mut offer = json!({
        "type": "hefu/offer/1", "versions": ["1.0"], "suites": [1], "session": hex::encode(session),
        "job": hex::encode(random::<16>()), "nonce": hex::encode(random::<32>()),
        "parties": [
            { "party": node.me.id, "ephemeral": hex::encode(ephemeral) },
            { "party": order.collaborators[0].party, "dataset": order.collaborators[0].dataset },
        ],
        "purpose": order.purpose, "outputs": order.outputs,
        "plan": {
            "stages": ["align"], "join": order.join, "missing": "error", "split": "sha256-mod10-3",
            "algorithm": "align-ecdh-1", "lambda": 1.0, "max_evaluations": 40,
        },
        "limits": { "max_chunk": max_chunk, "max_message": 1 << 26 }, "extensions": [],
    });
    if node.has("benign-unknown-member") {
        offer["x-later"] = json!({ "a": [1] });
    }
    if node.has("benign-nonsense-numbers") {
        offer["versions"] = json!(["9.9", "1.0"]);
        offer["suites"] = json!([2570, 1]);
        offer["extensions"] = json!([{ "id": 64999, "critical": false }]);
    }
    dsse::seal(dsse::OFFER, offer.to_string().as_bytes(), &node.me.signing)
}

struct Stream {
    node: Arc<Node>,
    frames: Streaming<ExchangeResponse>,
    receiver: Receiver,
    out: tokio::sync::mpsc::UnboundedSender<ExchangeRequest>,
    key: [u8; 32],
    session: [u8; 16],
    max_chunk: u64,
    sequence: u64,
}

impl Stream {
    fn send(&mut self, kind: u16, payload: &[u8]) {
        let chunk = if self.node.has("sends-one-large-chunk") { payload.len() } else { self.max_chunk as usize };
        for (header, body) in seal(&self.key, (0, 1), self.session, &mut self.sequence, kind, payload, chunk) {
            let _ = self.out.send(ExchangeRequest { header: header.into(), body: body.into() });
        }
    }

    /// The next message of the wanted type.
    async fn receive(&mut self, wanted: u16) -> Result<Vec<u8>, Status> {
        loop {
            let idle = if self.node.has("waits-for-ever") { IDLE * 1000 } else { IDLE };
            let frame = tokio::time::timeout(idle, self.frames.message()).await.map_err(|_| refuse("PEER_SLOW"))?;
            let frame = frame.map_err(|_| refuse("LINK_CUT"))?.ok_or_else(|| refuse("LINK_CUT"))?;
            let Some((kind, payload)) = self.receiver.take(&frame.header, &frame.body)? else { continue };
            match kind {
                _ if kind == wanted => return Ok(payload),
                message::ERROR => {
                    let code = message::read_error(&payload).map_or(4008, |(code, _)| code);
                    let name = hefu_conformance::registry::name(code);
                    return Err(refuse(if name.is_empty() { "PEER_ABORTED" } else { &name }));
                }
                _ if self.node.has("passes-over-unknown-types") => {}
                _ => return Err(refuse("UNEXPECTED_MESSAGE")),
            }
        }
    }

    /// Batches of fixed-width items.
    async fn items(&mut self, wanted: u16, width: usize, total: u64) -> Result<Vec<Vec<u8>>, Status> {
        let mut items: Vec<Vec<u8>> = Vec::new();
        let mut taken = 0;
        while taken < total {
            let payload = self.receive(wanted).await?;
            let (first, body) = payload.split_at_checked(4).ok_or_else(|| refuse("MALFORMED_MESSAGE"))?;
            let first = u64::from(u32::from_be_bytes(first.try_into().unwrap()));
            let expected = (total - taken).min(BATCH as u64);
            let other = self.node.has("accepts-short-batch") || self.node.has("ignores-trailing-bytes");
            if (first != taken && !self.node.has("ignores-batch-index"))
                || (body.len() as u64 != expected * width as u64 && !other)
            {
                return Err(refuse("MALFORMED_MESSAGE"));
            }
            items.extend(body.chunks_exact(width).map(<[u8]>::to_vec));
            taken += expected;
        }
        Ok(items)
    }
}

async fn align(stream: &mut Stream, order: &JobOrder, transcript: &[u8; 32]) -> Result<(), Status> {
    let node = stream.node.clone();
    let mut own = node.datasets[&order.dataset].clone();
    if !node.has("file-order") {
        let mut pairs: Vec<([u8; 8], String)> = own.into_iter().map(|key| (random(), key)).collect();
        pairs.sort();
        own = pairs.into_iter().map(|(_, key)| key).collect();
    }
    if node.has("drops-last-row") {
        own.pop();
    }
    let seed = if node.has("static-scalar") { [7; 64] } else { random() };
    let scalar = group::scalar(&seed);
    let dst = group::dst(1, 1, transcript);
    let blind = |key: &String| {
        if node.has("hashes-in-place-of-blinding") {
            return h(&[key.as_bytes()]);
        }
        (group::hash_to_group(&dst, key.as_bytes()) * scalar).compress().to_bytes()
    };
    let mut early = None;
    if node.has("benign-answers-first") {
        early = Some(stream.receive(message::SIZE).await?);
    }
    stream.send(message::SIZE, &message::size(own.len() as u64));
    for batch in message::blinded(&own.iter().map(blind).collect::<Vec<_>>()) {
        if node.has("benign-slow") {
            tokio::time::sleep(std::time::Duration::from_millis(15)).await;
        }
        stream.send(message::BLINDED, &batch);
    }
    let size = match early {
        Some(size) => size,
        None => stream.receive(message::SIZE).await?,
    };
    let size = if node.has("ignores-trailing-bytes") { &size[..8.min(size.len())] } else { &size[..] };
    let m = message::read_size(size).map_err(|_| refuse("MALFORMED_MESSAGE"))?;
    if m > MAX_ROWS && !node.has("no-row-limit") {
        return Err(refuse("TOO_MANY_ROWS"));
    }
    let width = group::tag_width(own.len() as u64, m);
    let elements = stream.items(message::BLINDED, 32, m).await?;
    let index = index(&node, &elements, &scalar, transcript, width)?;
    let tags = stream.items(message::TAGS, width, own.len() as u64).await?;
    let mut distinct = HashSet::new();
    if !tags.iter().all(|tag| distinct.insert(tag)) && !node.has("accepts-repeated-tag") {
        return Err(refuse("DUPLICATE_ELEMENT"));
    }
    let matched = own.iter().zip(&tags).filter_map(|(key, tag)| Some((key, *index.get(tag)?)));
    let rows: HashMap<&String, u32> = matched.collect();
    if rows.is_empty() && !node.has("goes-on-with-no-row") {
        return Err(refuse("EMPTY_INTERSECTION"));
    }
    for batch in positions(&node, order, &own, &rows) {
        stream.send(message::ROWS, &batch);
    }
    Ok(())
}

/// Tag of each of the collaborator's elements → its position.
fn index(
    node: &Node,
    elements: &[Vec<u8>],
    scalar: &Scalar,
    transcript: &[u8; 32],
    width: usize,
) -> Result<HashMap<Vec<u8>, u32>, Status> {
    let mut index = HashMap::new();
    let mut seen = HashSet::new();
    for (position, element) in (0..).zip(elements) {
        if !seen.insert(element) && !node.has("accepts-repeated-element") {
            return Err(refuse("DUPLICATE_ELEMENT"));
        }
        let point = match group::decode(&element.as_slice().try_into().unwrap()) {
            Ok(point) => point,
            Err("the identity") if node.has("accepts-identity") => RistrettoPoint::default(),
            Err("not a canonical encoding") if node.has("reduces-elements") => RistrettoPoint::default(),
            Err(_) => return Err(refuse("BAD_ELEMENT")),
        };
        index.insert(group::tag(transcript, 1, (point * scalar).compress().as_bytes(), width), position);
    }
    Ok(index)
}

/// ALIGN_ROWS: training rows, then test rows, each in random order.
fn positions(node: &Node, order: &JobOrder, own: &[String], rows: &HashMap<&String, u32>) -> Vec<Vec<u8>> {
    let test = |key: &str| u64::from_be_bytes(h(&[key.as_bytes()])[..8].try_into().unwrap()) % 10 < 3;
    let mut parts: [Vec<([u8; 8], u32)>; 2] = [Vec::new(), Vec::new()];
    for key in own {
        match rows.get(key) {
            Some(position) => parts[usize::from(test(key))].push((random(), *position)),
            None if order.join == "left" && !node.has("forgets-absent-rows") => {
                parts[usize::from(test(key))].push((random(), ABSENT));
            }
            None => {}
        }
    }
    parts.iter_mut().for_each(|part| part.sort());
    let training = parts[0].len() as u32;
    let positions: Vec<u32> = parts.concat().into_iter().map(|(_, position)| position).collect();
    message::rows(&positions, training)
}
