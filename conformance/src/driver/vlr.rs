//! Training as rank 0, and as rank 1 as well where the target's rank is 2 (vlr); scoring (score).

use std::collections::{HashMap, VecDeque};

use serde_json::json;

use super::align::{Rows, is_test};
use super::session::{Offered, Third};
use super::stream::Stream;
use super::vlr_play::Play;
use super::{Dialogue, Flow, Stop};
use crate::case::{Operator, Scenario};
use crate::rng::Rng;
use crate::transcript::{Run, train::TrainFacts};
use crate::wire::{dsse, h, keys, message, vlr, vlr_block};

/// λ of every offer.
pub(super) const LAMBDA: f64 = 1.0;
/// Columns of rank 0, without that of ones.
const OWN: usize = 2;
/// Stage of training's messages.
pub(super) const STAGE: u32 = 2;
/// Stage of the parts of test rows.
const EVALUATE: u32 = 3;
/// Stage of the parts of a scoring.
const SCORE: u32 = 4;

/// What an offer says of the job.
pub(super) struct Plan {
    pub stages: &'static [&'static str],
    pub algorithm: &'static str,
    pub split: &'static str,
    pub output: &'static str,
    pub max_evaluations: u32,
    pub model: Option<[u8; 16]>,
    /// What of it is the case's deviation.
    pub told: Option<String>,
}

impl Dialogue<'_> {
    pub(super) fn trains(&self) -> bool {
        self.case.scenario == Scenario::Train || self.label == "train"
    }

    fn scores(&self) -> bool {
        self.case.scenario == Scenario::Score && !self.trains()
    }

    /// Whether the suite plays a collaborator of its own.
    pub(super) fn has_third(&self) -> bool {
        (self.trains() || self.scores()) && self.case.setting.train.rank == 2
    }

    pub(super) fn plan(&self) -> Plan {
        let align = Plan {
            stages: &["align"],
            algorithm: "align-ecdh-1",
            split: "sha256-mod10-3",
            output: "model",
            max_evaluations: 40,
            model: None,
            told: None,
        };
        if self.trains() {
            let told = match self.operator {
                Some(Operator::MoreEvaluations { by }) => Some(format!("max_evaluations is {by} above the limit")),
                Some(Operator::BadData) => Some(format!("a training on dataset {}", self.case.setting.dataset)),
                _ => None,
            };
            let stages = &["align", "train", "evaluate"];
            let (model, max_evaluations) = (Some(self.model()), self.max_evaluations());
            return Plan { stages, algorithm: "vlr-1", model, max_evaluations, told, ..align };
        }
        if self.scores() {
            let told = match self.operator {
                Some(Operator::AbortTraining) => Some("the model of a training that was aborted".to_owned()),
                Some(Operator::UnknownModel) => Some("a model that nobody has made".to_owned()),
                _ => None,
            };
            let (algorithm, split, output) = ("score-sum-1", "none", "score");
            let model = Some(self.model());
            return Plan { stages: &["align", "score"], algorithm, split, output, model, told, ..align };
        }
        align
    }

    /// The id under which a case's model is trained and, where it is, scored on.
    fn model(&self) -> [u8; 16] {
        let unknown = self.scores() && matches!(self.operator, Some(Operator::UnknownModel));
        let name = match self.case.scenario {
            Scenario::Score if unknown => "unknown",
            Scenario::Score => "model",
            _ => self.label.as_str(),
        };
        Rng::new(&self.world.seed, &format!("model {} {name}", self.case.id)).bytes()
    }

    /// As the setting says; else the most that VLR-2 permits where every key of the target is common.
    fn max_evaluations(&self) -> u32 {
        let set = self.case.setting.train.max_evaluations;
        if set != 0 {
            return set;
        }
        let keys = self.world.keys(&self.case.setting.dataset);
        let rows = keys.iter().filter(|key| !is_test(key)).count() as u32;
        let columns = self.cells().values().next().map_or(1, Vec::len) as u32;
        let more = if let Some(Operator::MoreEvaluations { by }) = self.operator { *by } else { 0 };
        rows / (2 * columns) + more
    }

    /// The target's rows by key, the first of each.
    fn cells(&self) -> HashMap<String, Vec<f64>> {
        let csv = self.world.datasets.get(&self.case.setting.dataset).map(|d| d.csv.as_str()).unwrap_or_default();
        let mut out = HashMap::new();
        for line in csv.lines().skip(1) {
            let (key, cells) = line.split_once(',').unwrap_or((line, ""));
            out.entry(key.trim().to_owned())
                .or_insert_with(|| cells.split(',').map(|cell| cell.parse().unwrap_or(f64::NAN)).collect());
        }
        out
    }

    /// The confirm of the suite's own collaborator, made once an offer.
    pub(super) fn third(&mut self, offer: &[u8]) -> Option<Third> {
        if !self.has_third() {
            return None;
        }
        let (secret, second) = (self.rng.bytes::<32>(), &self.world.second);
        let document = json!({
            "type": "hefu/confirm/1", "offer": hex::encode(h(&[offer])), "rank": 1, "party": second.id,
            "nonce": hex::encode(self.rng.bytes::<32>()), "ephemeral": hex::encode(keys::public(&secret)),
            "version": "1.0", "suite": 1, "algorithm": self.plan().algorithm,
            "allow": hex::encode([1; 32]), "schema": hex::encode([2; 32]),
        });
        let confirm = dsse::seal(dsse::CONFIRM, document.to_string().as_bytes(), &second.signing);
        Some(Third { secret, confirm })
    }

    /// What follows alignment in this dialogue.
    pub(super) async fn after_alignment(
        &mut self,
        stream: &mut Stream,
        offered: &Offered,
        rows: &Rows,
        earlier: Option<&Run>,
    ) -> Flow<()> {
        if self.trains() {
            return self.train(stream, offered, rows).await;
        }
        if self.scores() {
            let facts = self.facts_of_scoring(rows, offered, earlier);
            self.record.facts(|all| all.train = Some(facts));
            return self.hear_parts(stream, SCORE, rows.keys.len()).await;
        }
        Ok(())
    }

    fn facts(&mut self, rows: &Rows) -> TrainFacts {
        let cells = self.cells();
        let row = |(key, matched): (&String, &bool)| if *matched { cells.get(key).cloned() } else { None };
        let target: Vec<Option<Vec<f64>>> = rows.keys.iter().zip(&rows.matched).map(row).collect();
        let standard = vlr_block::standardise(&target, rows.training, self.case.setting.join == "left");
        let uniform = |rng: &mut Rng| rng.below(1 << 20) as f64 / f64::from(1 << 20);
        let raw: Vec<Option<Vec<f64>>> =
            rows.keys.iter().map(|_| Some((0..OWN).map(|_| uniform(&mut self.rng)).collect())).collect();
        let own = vlr_block::standardise(&raw, rows.training, false).training;
        let labels = (0..rows.training)
            .map(|i| {
                let theirs = standard.training.first().map_or(0.0, |column| column[i]);
                let s = 0.9 * own[0][i] - 0.6 * own[1][i] + 0.8 * theirs;
                u8::from(uniform(&mut self.rng) < vlr_block::sigmoid(s))
            })
            .collect();
        let rank = self.case.setting.train.rank;
        TrainFacts { rank, training: rows.training, target, own, labels, lambda: LAMBDA, ..TrainFacts::default() }
    }

    async fn train(&mut self, stream: &mut Stream, offered: &Offered, rows: &Rows) -> Flow<()> {
        let mut facts = self.facts(rows);
        facts.score_mask = score_mask(offered, EVALUATE);
        self.record.facts(|all| all.train = Some(facts.clone()));
        let lane = offered.third.as_ref().map(|third| {
            let as_third = Offered { ephemeral: third.secret, ..offered.clone() };
            stream.lane(&as_third, (1, offered.rank()))
        });
        stream.relay = lane.map(Box::new);
        let seed = hex::encode(self.rng.bytes::<32>());
        let mut play = Play::new(self, stream, offered, facts, seed);
        play.run().await?;
        let tests = rows.keys.len() - rows.training;
        self.hear_parts(stream, EVALUATE, tests).await
    }

    /// Waits for the target's parts of so many rows.
    async fn hear_parts(&mut self, stream: &mut Stream, stage: u32, rows: usize) -> Flow<()> {
        stream.place = (stage, 0);
        let mut heard = 0;
        while heard < rows {
            let (kind, payload) = self.receive(stream, "SCORE_PART", self.world.deadline).await?;
            if kind != vlr::SCORE_PART || payload.len() < 12 {
                return Err(Stop::Told);
            }
            heard += (payload.len() - 4) / 8;
        }
        // Nothing follows, unless the case sends what must not.
        self.send_extra(stream, vlr::SCORE_PART).await
    }

    /// Sends a message that belongs to nobody, where the case inserts it before a kind that the suite never sends.
    async fn send_extra(&mut self, stream: &mut Stream, kind: u16) -> Flow<()> {
        if let Some(Operator::Insert { before, kind: other, payload }) = self.operator
            && message::kind(before) == Some(kind)
        {
            self.deviation(format!("{} {payload} after the target's parts", message::name(*other)));
            self.send_frames(stream, *other, &hex::decode(payload).unwrap_or_default());
        }
        Ok(())
    }

    fn facts_of_scoring(&mut self, rows: &Rows, offered: &Offered, earlier: Option<&Run>) -> TrainFacts {
        let cells = self.cells();
        let row = |(key, matched): (&String, &bool)| if *matched { cells.get(key).cloned() } else { None };
        let target = rows.keys.iter().zip(&rows.matched).map(row).collect();
        let before = earlier.and_then(|run| run.facts.train.clone()).unwrap_or_default();
        TrainFacts { target, rank: before.rank, score_mask: score_mask(offered, SCORE), ..TrainFacts::default() }
    }
}

/// Key of the mask under the target's parts, hex; empty where it is the only collaborator.
fn score_mask(offered: &Offered, stage: u32) -> String {
    let key = |third: &Third| {
        let pair = keys::Pair::new(&offered.transcript, &third.secret, &offered.peer_ephemeral);
        hex::encode(pair.mask_key((1, 2), stage, 0, 3))
    };
    offered.third.as_ref().map(key).unwrap_or_default()
}

/// Messages of the target that were heard and not yet asked for: (receiver, kind, payload).
pub(super) type Heard = VecDeque<(u16, u16, Vec<u8>)>;

impl Dialogue<'_> {
    /// The target's next message of a kind to one of the suite's ranks.
    pub(super) async fn hear_kind(
        &mut self,
        stream: &mut Stream,
        heard: &mut Heard,
        to: u16,
        kind: u16,
    ) -> Flow<Vec<u8>> {
        if let Some(at) = heard.iter().position(|(t, k, _)| (*t, *k) == (to, kind))
            && let Some((_, _, payload)) = heard.remove(at)
        {
            return Ok(payload);
        }
        loop {
            let name = message::name(kind);
            let (other, payload) = self.receive(stream, &name, self.world.deadline).await?;
            if (stream.receiver, other) == (to, kind) {
                return Ok(payload);
            }
            heard.push_back((stream.receiver, other, payload));
        }
    }
}
