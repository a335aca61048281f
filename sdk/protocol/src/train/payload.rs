//! The short payloads of training (vlr.md, section 2).
use crate::Error;
use crate::error::Blame;
use hefu_core::{Rank, Reader, Writer};

/// Reads TRAIN_SHAPE, BOUND or TRAIN_DONE.
pub(super) fn read_u32(payload: &[u8], from: Rank) -> Result<u32, Error> {
    let mut reader = Reader::new(payload);
    let value = reader.u32().blame(from)?;
    reader.end().blame(from)?;
    Ok(value)
}

/// Reads EVAL.
pub(super) fn read_u16(payload: &[u8], from: Rank) -> Result<u16, Error> {
    let mut reader = Reader::new(payload);
    let value = reader.u16().blame(from)?;
    reader.end().blame(from)?;
    Ok(value)
}

/// SHARE or OPENED.
pub(super) fn encode_words(values: &[u64]) -> Vec<u8> {
    Writer::with_capacity(8 * values.len()).u64s_le(values).finish()
}

/// Reads SHARE or OPENED of `count` values.
pub(super) fn read_words(payload: &[u8], count: usize, from: Rank) -> Result<Vec<u64>, Error> {
    let values = Reader::new(payload).u64s_le().blame(from)?;
    if values.len() == count { Ok(values) } else { Err(Error::malformed(from)) }
}

/// TRAIN_PLAN: the job's fixed numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PlanNumbers {
    /// Training rows, n.
    pub(super) rows: u32,
    /// Training rows with label 1.
    pub(super) positives: u32,
    /// Largest number of evaluations.
    pub(super) max_evaluations: u32,
    /// The penalty λ.
    pub(super) lambda: f64,
}

impl PlanNumbers {
    pub(super) fn encode(&self) -> Vec<u8> {
        Writer::new().u32(self.rows).u32(self.positives).u32(self.max_evaluations).f64(self.lambda).finish()
    }

    pub(super) fn read(payload: &[u8], from: Rank) -> Result<Self, Error> {
        let mut reader = Reader::new(payload);
        let (rows, positives) = (reader.u32().blame(from)?, reader.u32().blame(from)?);
        let (max_evaluations, lambda) = (reader.u32().blame(from)?, reader.f64().blame(from)?);
        reader.end().blame(from)?;
        Ok(PlanNumbers { rows, positives, max_evaluations, lambda })
    }
}
