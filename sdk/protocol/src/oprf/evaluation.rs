//! The collaborator's second part: its set, the evaluations, the rows of the job.
use super::announcement::Announced;
use super::set::Epoch;
use crate::align::rows::RowsReader;
use crate::align::wire::{Batches, Seen, batch_message, check_place};
use crate::align::{AlignPlan, AlignedCollaborator, BATCH_ELEMENTS};
use crate::error::Blame;
use crate::{Error, Kind, Machine, Message, Step};
use hefu_core::{Progress, Rank, Stage};
use hefu_crypto::ELEMENT_BYTES;

/// The collaborator from its announcement to the rows of the job.
pub struct Evaluation {
    plan: AlignPlan,
    epoch: Box<Epoch>,
    /// Tags that were sent; all of them where the initiator holds the set.
    sent: u64,
    elements: Batches,
    seen: Seen,
    rows: Option<RowsReader>,
}

impl Evaluation {
    /// Goes on from an announcement whose epoch is kept and whose keys are counted.
    pub fn new(plan: AlignPlan, announced: Announced) -> Self {
        let Announced { epoch, keys, holds, .. } = announced;
        Evaluation {
            plan,
            sent: if holds { epoch.set().count() } else { 0 },
            epoch,
            elements: Batches::new(Rank::INITIATOR, ELEMENT_BYTES, keys),
            seen: Seen::default(),
            rows: None,
        }
    }

    /// Sends the next batch of the set; then waits.
    fn send_set(mut self) -> Step<Self> {
        let set = self.epoch.set();
        if self.sent == set.count() {
            return Step::wait(self);
        }
        let (first, width) = (self.sent as usize, set.width());
        let end = (first + BATCH_ELEMENTS).min(set.count() as usize);
        let tags: Vec<&[u8]> = set.bytes()[first * width..end * width].chunks_exact(width).collect();
        let send = vec![batch_message(Rank::INITIATOR, Kind::OprfSet, first, &tags, width)];
        self.sent = end as u64;
        let progress = self.progress();
        Step::go_on(self).sending(send).at(progress)
    }

    fn evaluate(mut self, payload: &[u8]) -> Result<Step<Self>, Error> {
        let first = self.elements.received() as usize;
        let elements = self.elements.read(payload)?;
        self.seen.admit(elements, ELEMENT_BYTES, Rank::INITIATOR, "ALIGN-3")?;
        let evaluations = self.epoch.key.blind_evaluate(elements).blame(Rank::INITIATOR)?;
        let send = vec![batch_message(Rank::INITIATOR, Kind::OprfEvaluated, first, &evaluations, ELEMENT_BYTES)];
        let progress = self.progress();
        Ok(Step::wait(self).sending(send).at(progress))
    }

    fn progress(&self) -> Progress {
        let total = self.epoch.set().count() + self.elements.total();
        Progress { stage: Stage::Align, done: self.sent + self.elements.received(), total: total.max(1) }
    }

    fn read_rows(mut self, payload: &[u8]) -> Result<Step<Self>, Error> {
        let order = || self.epoch.order().to_vec();
        let mut rows = self.rows.take().unwrap_or_else(|| RowsReader::new(self.plan, order()));
        if let Some(aligned) = rows.read(payload)? {
            return Ok(Step::done(aligned));
        }
        self.rows = Some(rows);
        Ok(Step::wait(self))
    }
}

impl Machine for Evaluation {
    type Output = AlignedCollaborator;

    fn step(self, input: Option<(Rank, Message)>) -> Result<Step<Self>, Error> {
        let Some((rank, message)) = input else {
            return Ok(self.send_set());
        };
        check_place(&message, rank)?;
        match (rank, message.kind, self.elements.is_complete()) {
            (Rank::INITIATOR, Kind::OprfBlinded, _) => self.evaluate(&message.payload),
            (Rank::INITIATOR, Kind::AlignRows, true) => self.read_rows(&message.payload),
            _ => Err(Error::unexpected(rank)),
        }
    }
}
