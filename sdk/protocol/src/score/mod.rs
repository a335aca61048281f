//! Scoring `score-sum-1` (spec/score.md): the initiator learns the total score of each row, nobody else anything.
use crate::error::Blame;
use crate::mask::add_masks;
use crate::session::{Keys, MaskUse};
use crate::{Error, Kind, Machine, Message, Outgoing, Step};
use hefu_core::{Code, Progress, Rank, Reader, Stage, Writer};
use std::sync::Arc;

/// Rows of a batch; each batch but the last has exactly so many.
const BATCH_ROWS: usize = 65_536;
/// 2^32: fractional units of a part.
const UNIT: f64 = 4_294_967_296.0;
/// Largest magnitude of a part (SCORE-4).
const LARGEST: f64 = 1_073_741_824.0;

/// A party's predictors as integers at scale 2^32.
fn fixed(predictors: &[f64]) -> Result<Vec<u64>, Error> {
    let one = |z: &f64| {
        let fits = z.abs() < LARGEST;
        fits.then(|| ((z * UNIT).round() as i64).cast_unsigned()).ok_or(Error::job(
            Code::ScalarTooLarge,
            "SCORE-4",
            "a score leaves its fixed-point range",
        ))
    };
    predictors.iter().map(one).collect()
}

/// A collaborator: sends its part of every row and is done.
pub struct Collaborator {
    keys: Arc<Keys>,
    stage: Stage,
    predictors: Vec<f64>,
    /// The masked parts, once made.
    parts: Option<Vec<u64>>,
    sent: usize,
}

impl Collaborator {
    /// A collaborator with X_p·β_p of each row, in the job's order; `stage` is `Evaluate` or `Score`.
    pub fn new(keys: Arc<Keys>, stage: Stage, predictors: Vec<f64>) -> Self {
        Collaborator { keys, stage, predictors, parts: None, sent: 0 }
    }

    fn masked(&self) -> Result<Vec<u64>, Error> {
        let mut parts = fixed(&self.predictors)?;
        let own = self.keys.own();
        let others = (1..self.keys.parties()).map(Rank).filter(|other| *other != own);
        let masks = others.map(|other| (other, self.keys.mask(other, self.stage, 0, MaskUse::Score)));
        add_masks(&mut parts, own, masks);
        Ok(parts)
    }
}

/// SCORE_PART of the next batch of parts, and the number of parts sent with it; none where all are sent.
fn batch(parts: &[u64], sent: usize) -> Option<(Vec<u8>, usize)> {
    let end = (sent + BATCH_ROWS).min(parts.len());
    let rows = parts.get(sent..end).filter(|rows| !rows.is_empty())?;
    let first = u32::try_from(sent).unwrap_or(u32::MAX);
    Some((Writer::with_capacity(4 + 8 * rows.len()).u32(first).u64s_le(rows).finish(), end))
}

/// The parts of a batch that follows `received` ones of `rows` (SCORE-3).
fn read_batch(payload: &[u8], received: usize, rows: usize, from: Rank) -> Result<Vec<u64>, Error> {
    let refused = || Error::peer(from, Code::MalformedMessage, "SCORE-3", "a batch of scores is not the next one");
    let mut reader = Reader::new(payload);
    let first = reader.u32().blame(from)? as usize;
    let parts = reader.u64s_le().blame(from)?;
    let length = rows.checked_sub(received).ok_or(refused())?.min(BATCH_ROWS);
    if first == received && parts.len() == length && length > 0 { Ok(parts) } else { Err(refused()) }
}

impl Machine for Collaborator {
    type Output = ();

    fn step(mut self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        if let Some((from, _)) = input {
            return Err(Error::unexpected(from));
        }
        let parts = match self.parts.take() {
            Some(parts) => parts,
            None => self.masked()?,
        };
        let (mut send, mut end) = (Vec::new(), self.sent);
        if let Some((payload, sent)) = batch(&parts, self.sent) {
            let message = Message { kind: Kind::ScorePart, stage: self.stage.number(), round: 0, payload };
            send.push(Outgoing { to: Rank::INITIATOR, message });
            end = sent;
        }
        let progress = Progress { stage: self.stage, done: end as u64, total: parts.len().max(1) as u64 };
        if end == parts.len() {
            return Ok(Step::done(()).sending(send).at(progress));
        }
        (self.sent, self.parts) = (end, Some(parts));
        Ok(Step::go_on(self).sending(send).at(progress))
    }
}

/// Adds parts to sums, modulo 2^64.
fn add(sums: &mut [u64], parts: &[u64]) {
    for (sum, part) in sums.iter_mut().zip(parts) {
        *sum = sum.wrapping_add(*part);
    }
}

/// The initiator: adds all parts to its own.
pub struct Initiator {
    stage: Stage,
    /// Sums at scale 2^32, the own part and the intercept included.
    sums: Result<Vec<u64>, Error>,
    /// Rows received, by collaborator.
    received: Vec<usize>,
}

impl Initiator {
    /// The initiator with its own X_0·β_0 plus the intercept of each row, in the job's order.
    pub fn new(keys: &Keys, stage: Stage, predictors: &[f64]) -> Self {
        Initiator { stage, sums: fixed(predictors), received: vec![0; usize::from(keys.parties()).saturating_sub(1)] }
    }
}

impl Machine for Initiator {
    /// s of each row: the log odds.
    type Output = Vec<f64>;

    fn step(mut self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        let sums = self.sums.as_mut().map_err(|error| error.clone())?;
        let rows = sums.len();
        if let Some((from, message)) = input {
            let expected =
                message.kind == Kind::ScorePart && message.stage == self.stage.number() && message.round == 0;
            let index = from.index().checked_sub(1).filter(|_| expected).ok_or(Error::unexpected(from))?;
            let received = self.received.get_mut(index).ok_or(Error::unexpected(from))?;
            let parts = read_batch(&message.payload, *received, rows, from)?;
            add(&mut sums[*received..], &parts);
            *received += parts.len();
        }
        let (done, total) = (self.received.iter().sum::<usize>(), rows * self.received.len());
        if done == total {
            return Ok(Step::done(sums.iter().map(|sum| sum.cast_signed() as f64 / UNIT).collect()));
        }
        let progress = Progress { stage: self.stage, done: done as u64, total: total as u64 };
        Ok(Step::wait(self).at(progress))
    }
}

#[cfg(test)]
#[path = "../../tests/vectors/score.rs"]
mod vectors;
