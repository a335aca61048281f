//! The rows of a job (spec/align.md, section 3, step 4): how the initiator forms them, how a collaborator reads them.
//! Both algorithms of alignment end here.
use super::wire::{ABSENT, BATCH_ELEMENTS, message};
use super::{AlignPlan, AlignedCollaborator};
use crate::error::Blame;
use crate::{Error, Kind, Outgoing};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Join, Rank, Reader, Split, Writer};
use hefu_crypto::sha256;

/// The job's rows at the initiator: own keys in the job's order, and how many of them are training rows.
pub(crate) struct JobRows {
    pub(crate) rows: Vec<u32>,
    pub(crate) training_rows: u32,
}

/// Forms the rows. `positions` holds by collaborator and own key the position in the collaborator's sequence, or
/// [`ABSENT`]; `order` is a secret order of all own keys.
///
/// # Errors
/// `EMPTY_INTERSECTION` (ALIGN-9).
pub(crate) fn form(
    plan: &AlignPlan,
    own_keys: &[String],
    mut order: Vec<u32>,
    positions: &[Vec<u32>],
) -> Result<JobRows, Error> {
    let known = |key: usize| positions.iter().all(|p| p[key] != ABSENT);
    let any = |key: usize| positions.iter().any(|p| p[key] != ABSENT);
    if !(0..own_keys.len()).any(|key| if plan.join == Join::Left { any(key) } else { known(key) }) {
        return Err(Error::job(Code::EmptyIntersection, "ALIGN-9", "the parties have no row in common"));
    }
    order.retain(|key| plan.join == Join::Left || known(*key as usize));
    let is_test = |key: &u32| is_test_row(plan.split, &own_keys[*key as usize]);
    let (test, mut rows): (Vec<u32>, Vec<u32>) = order.into_iter().partition(is_test);
    let training_rows = rows.len() as u32;
    rows.extend(test);
    Ok(JobRows { rows, training_rows })
}

impl JobRows {
    /// ALIGN_ROWS for the collaborator of these positions.
    pub(crate) fn messages(&self, to: Rank, positions: &[u32]) -> Vec<Outgoing> {
        let batches = self.rows.chunks(BATCH_ELEMENTS).enumerate();
        let messages = batches.map(|(batch, keys)| {
            let head = Writer::with_capacity(12 + 4 * keys.len())
                .u32(self.rows.len() as u32)
                .u32(self.training_rows)
                .u32((batch * BATCH_ELEMENTS) as u32);
            let payload = keys.iter().fold(head, |w, key| w.bytes(&positions[*key as usize].to_le_bytes())).finish();
            message(to, Kind::AlignRows, payload)
        });
        messages.collect()
    }
}

/// By collaborator and own key: whether the collaborator has it.
pub(crate) fn matched(positions: &[Vec<u32>]) -> Vec<Vec<bool>> {
    positions.iter().map(|p| p.iter().map(|position| *position != ABSENT).collect()).collect()
}

/// Whether a row is a test row: the first 8 bytes of H(key) modulo 10 below 3, or always (align.md, section 3).
fn is_test_row(split: Split, key: &str) -> bool {
    match split {
        Split::None => true,
        Split::Hash => {
            let hash = sha256(&[key.as_bytes()]);
            hash[..8].iter().fold(0u64, |v, b| v << 8 | u64::from(*b)) % 10 < 3
        }
    }
}

/// A collaborator's reading of ALIGN_ROWS.
pub(crate) struct RowsReader {
    plan: AlignPlan,
    /// Position in the own sequence → own key.
    order: Vec<u32>,
    rows: Vec<u32>,
    taken: Vec<bool>,
    total: Option<(u32, u32)>,
}

impl RowsReader {
    /// A reader for an own sequence: `order` holds the own key at each position.
    pub(crate) fn new(plan: AlignPlan, order: Vec<u32>) -> Self {
        RowsReader { plan, rows: Vec::new(), taken: vec![false; order.len()], order, total: None }
    }

    /// Takes the next batch; answers the rows when they are whole.
    ///
    /// # Errors
    /// `MALFORMED_MESSAGE` (ALIGN-4), `BAD_POSITION` (ALIGN-8), `TOO_FEW_ROWS` (ALIGN-11).
    pub(crate) fn read(&mut self, payload: &[u8]) -> Result<Option<AlignedCollaborator>, Error> {
        let from = Rank::INITIATOR;
        let mut reader = Reader::new(payload);
        let head = (reader.u32().blame(from)?, reader.u32().blame(from)?);
        let first = reader.u32().blame(from)?;
        let positions = reader.rest();
        let expected = (u64::from(head.0).saturating_sub(self.rows.len() as u64)).min(BATCH_ELEMENTS as u64);
        let follows = self.total.is_none_or(|total| total == head)
            && head.1 <= head.0
            && u64::from(head.0) <= self.plan.max_rows
            && first as usize == self.rows.len()
            && positions.len() as u64 == 4 * expected
            && expected > 0;
        if !follows {
            return Err(Error::peer(from, Code::MalformedMessage, "ALIGN-4", "a batch of rows is not the next one"));
        }
        self.total = Some(head);
        for position in positions.chunks_exact(4) {
            let row = self.take(u32::from_le_bytes([position[0], position[1], position[2], position[3]]))?;
            self.rows.push(row);
        }
        if self.rows.len() < head.0 as usize {
            return Ok(None);
        }
        let matched = self.rows.iter().filter(|row| **row != ABSENT).count() as u64;
        if matched < self.plan.min_rows {
            return Err(Error::job(Code::TooFewRows, "ALIGN-11", "fewer rows are common than this party's minimum"));
        }
        Ok(Some(AlignedCollaborator { rows: std::mem::take(&mut self.rows), training_rows: head.1 }))
    }

    fn take(&mut self, position: u32) -> Result<u32, Error> {
        let refuse = |cause| Error::peer(Rank::INITIATOR, Code::BadPosition, "ALIGN-8", cause);
        if position == ABSENT {
            return match self.plan.join {
                Join::Left => Ok(ABSENT),
                Join::Inner => Err(refuse("an absent position under inner join")),
            };
        }
        match self.taken.get_mut(position as usize) {
            Some(taken) if !*taken || is_on(Switch::AcceptsRepeatedPosition) => {
                *taken = true;
                Ok(self.order[position as usize])
            }
            Some(_) => Err(refuse("a position came twice")),
            None => Err(refuse("a position is out of range")),
        }
    }
}
