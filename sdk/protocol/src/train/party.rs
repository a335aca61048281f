//! What every party of a training job holds, and how its messages are made and read.
use super::TrainPlan;
use crate::session::Keys;
use crate::{Error, Kind, Message, Outgoing};
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Rank, Stage};
use hefu_crypto::Seed;
use hefu_he::{Coefficients, Column, Form};
use hefu_model::Columns;
use hefu_model::block::{Block, Target};
use rayon::prelude::*;
use std::sync::Arc;

/// Training rows up to which a party keeps its columns in transform form (24 bytes a cell).
const TRANSFORMED_ROWS: usize = 1 << 17;

pub(super) struct Party {
    pub(super) keys: Arc<Keys>,
    pub(super) seed: Seed,
    pub(super) plan: TrainPlan,
    pub(super) block: Block,
    pub(super) columns: Vec<Column>,
    pub(super) coefficients: Coefficients,
}

impl Party {
    pub(super) fn new(
        keys: Arc<Keys>,
        seed: Seed,
        plan: TrainPlan,
        x: Columns,
        target: &Target,
    ) -> Result<Party, Error> {
        let coefficients = Coefficients::new(plan.backend);
        let block = Block::new(x, keys.own() == Rank::INITIATOR, target)?;
        let form = if block.rows() <= TRANSFORMED_ROWS { Form::Transformed } else { Form::Integers };
        let columns = (0..block.count())
            .into_par_iter()
            .map(|j| coefficients.column(block.fixed(j), form))
            .collect::<Result<Vec<Column>, _>>()?;
        Ok(Party { keys, seed, plan, block, columns, coefficients })
    }

    pub(super) fn own(&self) -> Rank {
        self.keys.own()
    }

    /// Every other rank.
    pub(super) fn others(&self) -> impl Iterator<Item = Rank> + use<> {
        let own = self.own();
        (0..self.keys.parties()).map(Rank).filter(move |rank| *rank != own)
    }

    /// Blocks of `N` training rows.
    pub(super) fn blocks(&self) -> usize {
        self.block.rows().div_ceil(hefu_he::N)
    }

    /// Seeds of one round.
    pub(super) fn round_seed(&self, round: u32) -> Seed {
        let round = if is_on(Switch::RepeatsRoundZero) { 0 } else { round };
        self.seed.derive("train round", &round.to_be_bytes())
    }

    /// The next point, or the same one where rank 0 repeats an evaluation (vlr.md, section 7).
    pub(super) fn step(&mut self, points: &[f64], gradients: &[f64]) -> Result<(), Error> {
        let fits = points.len() == gradients.len();
        if fits && points.len() + 1 == self.block.accepted() {
            self.block.retract();
            return Ok(());
        }
        self.block.step(points, gradients).map_err(|_| {
            Error::peer(Rank::INITIATOR, Code::ShapeMismatch, "VLR-12", "a step does not fit the evaluations")
        })
    }
}

pub(super) fn message(to: Rank, kind: Kind, round: u32, payload: Vec<u8>) -> Outgoing {
    Outgoing { to, message: Message { kind, stage: Stage::Train.number(), round, payload } }
}

/// Refuses a message of another stage (FRAME-11) or round.
pub(super) fn check_place(message: &Message, from: Rank, round: u32) -> Result<(), Error> {
    if message.stage != Stage::Train.number() {
        return Err(Error::unexpected(from));
    }
    if message.round != round && !is_on(Switch::IgnoresFrameRound) {
        return Err(Error::peer(from, Code::StaleRound, "VLR-17", "a message belongs to another round"));
    }
    Ok(())
}
