//! Alignment as initiator (align section 3).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha256};

use super::session::Offered;
use super::stream::Stream;
use super::{Dialogue, EMPTY_INTERSECTION, Flow, Stop};
use crate::case::Operator;
use crate::connect::Link;
use crate::rng::Rng;
use crate::transcript::{Event, Run};
use crate::wire::{group, message};

/// Suite INTL.
const SUITE: u16 = 1;
/// Foreign elements of a probe.
const PROBES: usize = 8;

/// What the target sent, checked as far as the dialogue needs it.
struct Peer {
    m: u64,
    elements: Vec<[u8; 32]>,
    tags: Vec<Vec<u8>>,
}

/// The job's rows, training rows first.
pub(super) struct Rows {
    pub keys: Vec<String>,
    /// Whether the target has the row.
    pub matched: Vec<bool>,
    pub training: usize,
}

impl Dialogue<'_> {
    pub(super) async fn align(&mut self, link: &Link, offered: &Offered, earlier: Option<&Run>) -> Flow<()> {
        let keys = self.keys();
        let scalar = group::scalar(&self.rng.bytes());
        let probes = earlier.filter(|_| self.case.setting.probe).map(|run| probes(run, self.world)).unwrap_or_default();
        let mut elements = blind_for(offered.rank(), keys.clone(), offered.transcript, scalar).await?;
        elements.extend(&probes);
        let n = elements.len() as u64;
        self.note(&keys, &scalar, &probes);
        let mut stream = self.exchange(link, offered);
        self.send(&mut stream, message::SIZE, 0, message::size(n)).await?;
        let closing =
            matches!(self.operator, Some(Operator::CloseEarly)).then(|| self.close_early(link, offered.session));
        self.send_elements(&mut stream, elements).await?;
        let peer = self.hear(&mut stream, n).await?;
        let matched = matched(&keys, &peer, offered, &scalar).await?;
        if matched.is_empty() {
            return self.abort(link, offered.session, EMPTY_INTERSECTION).await;
        }
        let rows = self.send_rows(&mut stream, &keys, &matched, peer.m).await?;
        self.after_alignment(&mut stream, offered, &rows, earlier).await?;
        if matches!(self.operator, Some(Operator::AbortTraining)) && self.trains() {
            return self.abort(link, offered.session, super::CANCELLED).await;
        }
        if let Some(closing) = closing
            && closing.await.unwrap_or(false)
        {
            self.open_sessions.retain(|open| *open != offered.session);
            return Ok(());
        }
        self.finish(link, &mut stream, offered.session).await
    }

    /// The suite's keys: some of the target's, some of its own, in random order.
    pub(super) fn keys(&mut self) -> Vec<String> {
        let setting = &self.case.setting;
        let mut theirs = self.world.keys(&self.case.dataset());
        self.rng.shuffle(&mut theirs);
        theirs.truncate(setting.common);
        theirs.extend((0..setting.own).map(|_| hex::encode(self.rng.bytes::<16>())));
        self.rng.shuffle(&mut theirs);
        theirs
    }

    fn note(&self, keys: &[String], scalar: &Scalar, probes: &[[u8; 32]]) {
        let setting = &self.case.setting;
        let target_keys = self.world.keys(&self.case.dataset());
        let max_chunk = self.max_chunk();
        self.record.facts(|facts| {
            facts.keys = keys.to_vec();
            facts.scalar = hex::encode(scalar.to_bytes());
            facts.probes = probes.iter().map(hex::encode).collect();
            facts.target_keys = target_keys;
            facts.join = setting.join.clone();
            facts.max_chunk = max_chunk;
        });
    }

    async fn send_elements(&self, stream: &mut Stream, mut elements: Vec<[u8; 32]>) -> Flow<()> {
        let altered = self.alter_elements(&mut elements);
        let extra = matches!(self.operator, Some(Operator::Count { by }) if *by > 0);
        let batches = message::blinded(&elements);
        let count = batches.len();
        for (batch, payload) in batches.into_iter().enumerate() {
            match &altered {
                Some((index, what)) if index / message::BATCH == batch || (extra && batch + 1 == count) => {
                    self.deviation(what.clone());
                }
                _ => {}
            }
            self.send(stream, message::BLINDED, batch, payload).await?;
        }
        Ok(())
    }

    /// Everything that the target has to send: its size, its elements, its tags.
    async fn hear(&self, stream: &mut Stream, n: u64) -> Flow<Peer> {
        let (mut size, mut blinded, mut tags) = (None, Vec::new(), Vec::new());
        loop {
            let m = size.unwrap_or(u64::MAX);
            let width = group::tag_width(n, if size.is_some() { m } else { 0 });
            if size.is_some() && items(&blinded, 32) >= m && items(&tags, width) >= n {
                return self.peer(m, n, width, &blinded, &tags);
            }
            // A group operation takes well under half a millisecond on anything that runs this.
            let theirs = self.world.keys(&self.case.dataset()).len() as u64;
            let work = Duration::from_micros(500 * (n + theirs));
            let waiting_for = if size.is_none() {
                "ALIGN_SIZE"
            } else if items(&blinded, 32) < m {
                "ALIGN_BLINDED"
            } else {
                "ALIGN_TAGS"
            };
            let (kind, payload) = self.receive(stream, waiting_for, self.world.deadline + work).await?;
            match kind {
                message::SIZE => size = Some(message::read_size(&payload).map_err(|_| Stop::Told)?),
                message::BLINDED => blinded.push(payload),
                message::TAGS => tags.push(payload),
                _ => return Err(Stop::Told),
            }
        }
    }

    /// The judge says what is wrong with these messages; without them the dialogue cannot go on.
    fn peer(&self, m: u64, n: u64, width: usize, blinded: &[Vec<u8>], tags: &[Vec<u8>]) -> Flow<Peer> {
        let views = |payloads: &[Vec<u8>], width, total| {
            let views: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            message::join_batches("", &views, width, total).map_err(|_| Stop::Told)
        };
        let elements = views(blinded, 32, m as usize)?;
        let elements = elements.into_iter().filter_map(|e| e.try_into().ok()).collect();
        Ok(Peer { m, elements, tags: views(tags, width, n as usize)? })
    }

    async fn send_rows(
        &mut self,
        stream: &mut Stream,
        keys: &[String],
        matched: &HashMap<usize, u32>,
        m: u64,
    ) -> Flow<Rows> {
        let splits = self.plan().split != "none";
        let left = self.case.setting.join == "left";
        let (mut training, mut test) = (Vec::new(), Vec::new());
        for (index, key) in keys.iter().enumerate() {
            let position = match matched.get(&index) {
                Some(position) => *position,
                None if left => message::ABSENT,
                None => continue,
            };
            let row = (key.clone(), position);
            if !splits || is_test(key) { test.push(row) } else { training.push(row) }
        }
        self.rng.shuffle(&mut training);
        self.rng.shuffle(&mut test);
        let count = training.len() as u32;
        let rows = [training, test].concat();
        let mut positions: Vec<u32> = rows.iter().map(|(_, position)| *position).collect();
        let altered = self.alter_positions(&mut positions, m);
        for (batch, payload) in message::rows(&positions, count).into_iter().enumerate() {
            match &altered {
                Some((index, what)) if index / message::BATCH == batch => self.deviation(what.clone()),
                _ => {}
            }
            self.send(stream, message::ROWS, batch, payload).await?;
        }
        let matched = rows.iter().map(|(_, position)| *position != message::ABSENT).collect();
        Ok(Rows { keys: rows.into_iter().map(|(key, _)| key).collect(), matched, training: count as usize })
    }

    /// Closes the session once the target is done; what it says on the stream meanwhile is heard.
    pub(super) async fn finish(&mut self, link: &Link, stream: &mut Stream, session: [u8; 16]) -> Flow<()> {
        let begin = Instant::now();
        let mut pause = (self.world.round_trip * 2).max(Duration::from_millis(1));
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
            match self.peek(stream) {
                Ok(Some((message::ERROR, payload))) => {
                    self.told_error(stream, &payload).await;
                    return Err(Stop::Told);
                }
                Ok(_) => {}
                // A target may end its side of the stream when it is done.
                Err(Stop::Told) if matches!(self.record.last(), Some(Event::StreamEnded)) => {}
                Err(stop) => return Err(stop),
            }
            match self.close(link, session, begin).await {
                Err(Stop::Told) if matches!(self.record.last(), Some(Event::NotYet { .. })) => {}
                Err(Stop::Told) => {
                    // The reason may be on the stream.
                    let grace = (self.world.round_trip * 50).max(Duration::from_millis(100));
                    let _ = self.receive(stream, "a reason on the stream", grace).await;
                    return Err(Stop::Told);
                }
                other => return other,
            }
        }
    }
}

pub(super) fn items(payloads: &[Vec<u8>], width: usize) -> u64 {
    payloads.iter().map(|p| (p.len().saturating_sub(4) / width) as u64).sum()
}

/// Whether a row is a test row under `sha256-mod10-3`.
pub(super) fn is_test(key: &str) -> bool {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first) % 10 < 3
}

pub(super) async fn blind(keys: Vec<String>, transcript: [u8; 32], scalar: Scalar) -> Flow<Vec<[u8; 32]>> {
    blind_for(1, keys, transcript, scalar).await
}

async fn blind_for(rank: u16, keys: Vec<String>, transcript: [u8; 32], scalar: Scalar) -> Flow<Vec<[u8; 32]>> {
    let work = move || {
        let dst = group::dst(SUITE, rank, &transcript);
        group::parallel(&keys, |key| (group::hash_to_group(&dst, key.as_bytes()) * scalar).compress().to_bytes())
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| Stop::Suite(e.to_string()))
}

/// Which of one's keys the target has, and where in its own sequence.
async fn matched(keys: &[String], peer: &Peer, offered: &Offered, scalar: &Scalar) -> Flow<HashMap<usize, u32>> {
    let (elements, transcript, scalar) = (peer.elements.clone(), offered.transcript, *scalar);
    let rank = offered.rank();
    let width = peer.tags.first().map_or(0, Vec::len);
    let work = move || {
        let tags = group::parallel(&elements, |element| {
            let point = group::decode(element).ok()?;
            Some(group::tag(&transcript, rank, (point * scalar).compress().as_bytes(), width))
        });
        let tags = tags.into_iter().enumerate();
        tags.filter_map(|(position, tag)| Some((tag?, position as u32))).collect::<HashMap<_, _>>()
    };
    let index = tokio::task::spawn_blocking(work).await.map_err(|e| Stop::Suite(e.to_string()))?;
    Ok((0..keys.len()).filter_map(|i| Some((i, *index.get(peer.tags.get(i)?)?))).collect())
}

/// Unblinded elements of the target's keys under the earlier dialogue's transcript: with the same scalar their tags
/// would be those of the elements that the target sent then.
fn probes(earlier: &Run, world: &crate::world::World) -> Vec<[u8; 32]> {
    let transcript = hex::decode(&earlier.facts.transcript).ok().and_then(|t| t.try_into().ok()).unwrap_or_default();
    let dst = group::dst(SUITE, 1, &transcript);
    let mut keys = earlier.facts.target_keys.clone();
    Rng::new(&world.seed, "probes").shuffle(&mut keys);
    let keys = keys.iter().take(PROBES);
    keys.map(|key| group::hash_to_group(&dst, key.as_bytes()).compress().to_bytes()).collect()
}
