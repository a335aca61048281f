//! Alignment as collaborator (align section 3).

use std::time::Duration;

use curve25519_dalek::scalar::Scalar;
use hefu_proto::v1::CloseResponse;
use serde_json::Value;

use super::super::align::{blind, items};
use super::super::session::Offered;
use super::super::{Flow, Stop};
use super::Host;
use crate::case::Operator;
use crate::control::Control;
use crate::listen::Asked;
use crate::rng::Rng;
use crate::transcript::Run;
use crate::wire::{dsse, group, message};

/// Rank of the suite.
const RANK: u16 = 1;
/// Known keys of the target that a probe sends unblinded.
const PROBES: usize = 8;

impl<C: Control> Host<'_, C> {
    pub(super) async fn align(&mut self, offered: &Offered, earlier: Option<&Run>) -> Flow<()> {
        let target_keys = self.dialogue.world.keys(&self.dialogue.case.dataset());
        let scalar = group::scalar(&self.dialogue.rng.bytes());
        // A probe sends keys of the target as the earlier session hashed them, unblinded: b = 1.
        let (keys, scalar) = match earlier {
            Some(_) => (self.probed(&target_keys), Scalar::ONE),
            None => (self.dialogue.keys(), scalar),
        };
        let setting = &self.dialogue.case.setting;
        let join = setting.join.clone();
        self.dialogue.record.facts(|facts| {
            facts.keys = keys.clone();
            facts.scalar = hex::encode(scalar.to_bytes());
            facts.target_keys = target_keys;
            facts.join = join;
            if let Some(earlier) = earlier {
                facts.probes = elements_of(earlier).iter().map(hex::encode).collect();
            }
        });
        let shown = earlier.and_then(|run| hex::decode(&run.facts.transcript).ok()?.try_into().ok());
        let elements = blind(keys.clone(), shown.unwrap_or(offered.transcript), scalar).await?;
        self.send_elements(elements).await?;
        let theirs = self.hear_elements().await?;
        self.send_tags(offered, &theirs, scalar, keys.len() as u64, earlier).await?;
        self.hear_rows().await?;
        self.finish(offered).await
    }

    fn probed(&self, target_keys: &[String]) -> Vec<String> {
        let mut keys = target_keys.to_vec();
        Rng::new(&self.dialogue.world.seed, "probes").shuffle(&mut keys);
        keys.truncate(PROBES);
        keys
    }

    async fn send_elements(&mut self, mut elements: Vec<[u8; 32]>) -> Flow<()> {
        let size = elements.len() as u64;
        self.say(message::SIZE, 0, message::size(size)).await?;
        let altered = self.dialogue.alter_elements(&mut elements);
        let batches = message::blinded(&elements);
        let count = batches.len();
        for (batch, payload) in batches.into_iter().enumerate() {
            if let Some((index, what)) = &altered
                && (index / message::BATCH == batch || (elements.len() as u64 > size && batch + 1 == count))
            {
                self.dialogue.deviation(what.clone());
            }
            self.say(message::BLINDED, batch, payload).await?;
        }
        Ok(())
    }

    /// Sends one message, as the case alters it.
    async fn say(&mut self, kind: u16, batch: usize, payload: Vec<u8>) -> Flow<()> {
        let Some(stream) = self.stream.as_mut() else { return Err(Stop::Told) };
        match self.dialogue.operator {
            Some(Operator::ErrorFrame { message }) if message::kind(message) == Some(kind) && batch == 0 => {
                self.dialogue.deviation(format!("an ERROR frame in place of {message}"));
                self.error_frame("NOT_ALLOWED");
                return Err(Stop::Told);
            }
            Some(Operator::CutStream { message }) if message::kind(message) == Some(kind) && batch == 0 => {
                self.dialogue.deviation(format!("the stream ends in place of {message}"));
                self.stream = None;
                return Err(Stop::Told);
            }
            Some(Operator::Silence { message }) if message::kind(message) == Some(kind) => {
                let idle = Duration::from_millis(self.dialogue.world.limits.idle_timeout_ms);
                self.dialogue.deviation(format!("silence in place of {message}; the idle time is {idle:?}"));
                return self.fall_silent(idle * 2).await;
            }
            _ => {}
        }
        self.dialogue.send(stream, kind, batch, payload).await
    }

    /// Says nothing until the job ends or the time is well over.
    async fn fall_silent(&mut self, time: Duration) -> Flow<()> {
        let begin = std::time::Instant::now();
        while !self.ended && begin.elapsed() < time {
            tokio::time::sleep(Duration::from_millis(200)).await;
            self.hear()?;
            self.look().await?;
        }
        Err(Stop::Told)
    }

    /// The next message of the target on the stream. The wait ends when the job does.
    async fn receive(&mut self, waiting_for: &str, deadline: Duration) -> Flow<(u16, Vec<u8>)> {
        let begin = std::time::Instant::now();
        let mut step = Duration::from_millis(25);
        loop {
            step = (step * 2).min(Duration::from_millis(400));
            let Some(stream) = self.stream.as_mut() else { return Err(Stop::Told) };
            match self.dialogue.try_receive(stream, step).await? {
                Some(heard) => return Ok(heard),
                None if begin.elapsed() > deadline => return Err(self.dialogue.silence(waiting_for, deadline)),
                None => {
                    while let Ok(asked) = self.server.asked.try_recv() {
                        if let Some(asked) = self.common(asked)? {
                            self.too_late(asked);
                        }
                    }
                    self.look().await?;
                    if self.ended {
                        return Err(Stop::Told);
                    }
                }
            }
        }
    }

    /// The target's announced number of keys and its elements, batch by batch.
    async fn hear_elements(&mut self) -> Flow<Vec<Vec<u8>>> {
        let (mut size, mut blinded) = (None, Vec::new());
        let work = Duration::from_micros(500 * self.dialogue.world.keys(&self.dialogue.case.dataset()).len() as u64);
        let deadline = self.dialogue.world.deadline + work;
        loop {
            if size.is_some_and(|n| items(&blinded, 32) >= n) {
                return Ok(blinded);
            }
            let waiting_for = if size.is_none() { "ALIGN_SIZE" } else { "ALIGN_BLINDED" };
            let (kind, payload) = self.receive(waiting_for, deadline).await?;
            match kind {
                message::SIZE => size = Some(message::read_size(&payload).map_err(|_| Stop::Told)?),
                message::BLINDED => blinded.push(payload),
                _ => return Err(Stop::Told),
            }
        }
    }

    /// The tags of the target's elements, in the batches of those.
    async fn send_tags(
        &mut self,
        offered: &Offered,
        batches: &[Vec<u8>],
        scalar: Scalar,
        m: u64,
        earlier: Option<&Run>,
    ) -> Flow<()> {
        let n = items(batches, 32);
        let width = group::tag_width(n, m);
        let elements: Vec<[u8; 32]> =
            batches.iter().flat_map(|b| b.get(4..).unwrap_or_default().as_chunks::<32>().0.iter().copied()).collect();
        let transcript = offered.transcript;
        let shown = earlier.map(elements_of);
        let halved = self.dialogue.case.setting.half;
        let work = move || match shown {
            // Were the target's scalar that of the earlier session, a·H(x) would be an element of that session.
            Some(shown) => {
                shown.iter().cycle().take(elements.len()).map(|e| group::tag(&transcript, RANK, e, width)).collect()
            }
            None => {
                let half = elements.len() / 2;
                let answer = |(index, element): &(usize, [u8; 32])| match group::decode(element) {
                    Ok(point) if !halved || *index < half => {
                        group::tag(&transcript, RANK, (point * scalar).compress().as_bytes(), width)
                    }
                    // Of no key: the element itself, unanswered.
                    _ => group::tag(&transcript, RANK, element, width),
                };
                let indexed: Vec<(usize, [u8; 32])> = elements.iter().copied().enumerate().collect();
                group::parallel(&indexed, answer)
            }
        };
        let mut tags: Vec<Vec<u8>> = tokio::task::spawn_blocking(work).await.map_err(|e| Stop::Suite(e.to_string()))?;
        if let Some(what) = self.dialogue.alter_tags(&mut tags) {
            self.dialogue.deviation(what);
        }
        for (batch, payload) in message::tags(&tags).into_iter().enumerate() {
            self.say(message::TAGS, batch, payload).await?;
        }
        Ok(())
    }

    /// ALIGN_ROWS, all batches.
    async fn hear_rows(&mut self) -> Flow<()> {
        let deadline = self.dialogue.world.deadline;
        let mut rows = Vec::new();
        loop {
            let (kind, payload) = self.receive("ALIGN_ROWS", deadline).await?;
            if kind != message::ROWS || payload.len() < 12 {
                return Err(Stop::Told);
            }
            let total = u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]]) as usize;
            rows.extend_from_slice(&payload[12..]);
            if rows.len() / 4 >= total {
                return Ok(());
            }
        }
    }

    /// Ends the session as its plan says: by the target's Close, or, where more stages would follow, by the suite.
    async fn finish(&mut self, offered: &Offered) -> Flow<()> {
        let plan = dsse::parse(&offered.offer).ok().and_then(|e| serde_json::from_slice::<Value>(&e.payload).ok());
        if plan.is_none_or(|offer| offer["plan"]["stages"] != serde_json::json!(["align"])) {
            return self.leave().await;
        }
        let deadline = self.dialogue.world.deadline;
        let asked = self.next("Close", deadline).await?;
        let Asked::Close(ask) = asked else {
            self.too_late(asked);
            return Err(Stop::Told);
        };
        self.asked("Close", &ask.request);
        self.reply("Close", ask.reply, Ok(CloseResponse {}));
        Ok(())
    }
}

/// The elements that the target sent in a dialogue.
fn elements_of(run: &Run) -> Vec<[u8; 32]> {
    let messages = run.messages();
    let batches = messages.iter().filter(|(_, kind, _)| *kind == message::BLINDED);
    batches.flat_map(|(_, _, p)| p.get(4..).unwrap_or_default().as_chunks::<32>().0.iter().copied()).collect()
}
