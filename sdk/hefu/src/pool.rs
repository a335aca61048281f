//! Pooled jobs: banks with the same columns model the rows of all, and each keeps a model of its own.
use crate::job::{Collaborator, Job, incomplete};
use crate::node::Node;
use crate::{Error, Result};
use hefu_core::{Code, Missing, Output, Purpose, Split};
use hefu_proto::control;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a pooled job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PoolMethod {
    /// Logistic regression: the coefficients of the pooled rows.
    Logistic,
    /// Bins with weight of evidence and information value.
    Bins,
    /// FedAvg, or FedProx where `proximal` is above 0, by each participant's own trainer.
    Average,
    /// One sum of vectors stored at the nodes.
    Vector,
}

/// How values travel to the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Aggregation {
    /// Under masks: the coordinator learns the sum alone.
    Masked,
    /// In the clear: for parameters that are public anyway.
    Plain,
}

/// A pooled job: the job file of `kind = "pool"` (`spec/schemas/pool.schema.json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolPlan {
    kind: Kind,
    /// What it makes.
    pub method: PoolMethod,
    /// One's own dataset; none where this node only coordinates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    coordinator: Coordinating,
    /// What the job is for.
    pub purpose: Purpose,
    /// What the coordinator receives.
    pub outputs: Vec<Output>,
    /// Columns by name; those of one's own dataset where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Training and test rows; all rows train with `Split::None`.
    pub split: Split,
    /// What an empty cell means.
    pub missing: Missing,
    /// Penalty ½·λ·‖β‖².
    pub lambda: f64,
    /// Most rounds; for averages the number of rounds.
    pub max_rounds: u32,
    /// Most bins a column.
    pub bins: u32,
    /// The participants' trainer, by the name in their configurations.
    pub trainer: String,
    /// Local epochs a round.
    pub epochs: u32,
    /// FedProx's weight.
    pub proximal: f64,
    /// Values are at most 2^clip.
    pub clip: u32,
    /// Length of the stored vectors.
    pub values: u32,
    /// How values travel.
    pub aggregation: Aggregation,
    /// All agreements permit a roster that changes by one party.
    pub roster_change: bool,
    /// The tensors of an average; those of a logistic regression where empty.
    #[serde(rename = "tensor", skip_serializing_if = "Vec::is_empty")]
    pub tensors: Vec<Tensor>,
    /// The other participants and their datasets.
    #[serde(rename = "collaborator")]
    pub participants: Vec<Collaborator>,
}

/// A tensor of the model that participants average.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tensor {
    /// 1 to 64 of `[a-z0-9_.]`.
    pub name: String,
    /// Dimensions; none for a single number.
    #[serde(default)]
    pub shape: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Pool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Coordinating {
    Participant,
    Only,
}

impl Default for PoolPlan {
    /// A logistic regression of nobody's rows yet.
    fn default() -> Self {
        PoolPlan { dataset: None, ..PoolPlan::new(PoolMethod::Logistic, "", Vec::new()) }
    }
}

impl PoolPlan {
    /// A job over one's own dataset and the others', every other choice at its default.
    pub fn new(method: PoolMethod, dataset: impl Into<String>, participants: Vec<Collaborator>) -> Self {
        PoolPlan {
            kind: Kind::Pool,
            method,
            dataset: Some(dataset.into()),
            coordinator: Coordinating::Participant,
            purpose: Purpose::Origination,
            outputs: vec![Output::Model],
            columns: Vec::new(),
            split: Split::Hash,
            missing: Missing::Error,
            lambda: 1.0,
            max_rounds: 20,
            bins: 8,
            trainer: "logistic".to_owned(),
            epochs: 1,
            proximal: 0.0,
            clip: 8,
            values: 0,
            aggregation: Aggregation::Masked,
            roster_change: false,
            tensors: Vec::new(),
            participants,
        }
    }

    /// The same with this node as coordinator that brings no rows: the columns must be named.
    pub fn coordinated(mut self, columns: Vec<String>) -> Self {
        (self.dataset, self.coordinator, self.columns) = (None, Coordinating::Only, columns);
        self
    }
}

/// One round of a pooled job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Round {
    /// From 0.
    pub round: u32,
    /// What was summed.
    pub statistic: String,
    /// Whose values are in the sum, by alias.
    pub survivors: Vec<String>,
    /// Who did not get through, and why.
    pub lost: Vec<Lost>,
    /// Wall seconds of the coordinator.
    pub seconds: f64,
    /// Σ log loss at the round's point, for a step of the fit.
    pub loss: Option<f64>,
}

/// A participant that a round went on without.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lost {
    /// Alias.
    pub party: String,
    /// Registry name of the cause.
    pub code: String,
}

/// The result of a pooled job that fits a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PoolReport {
    /// Job id.
    pub job: String,
    /// Id of the model that the coordinator's node stored for its own party; absent where it has no rows.
    pub model: Option<String>,
    /// Coefficients of standardised columns.
    pub coefficients: BTreeMap<String, f64>,
    /// The intercept.
    pub intercept: f64,
    /// Pooled means.
    pub mean: BTreeMap<String, f64>,
    /// Pooled deviations.
    pub deviation: BTreeMap<String, f64>,
    /// Training rows of all survivors of round 0.
    pub train_rows: u64,
    /// Those with label 1.
    pub positive: u64,
    /// Rounds.
    pub rounds: u64,
    /// Every round.
    pub trace: Vec<Round>,
    /// Wall seconds by statistic, and `total`.
    pub seconds: BTreeMap<String, f64>,
    /// What each party learned.
    pub disclosure: Vec<crate::result::PartyDisclosure>,
}

/// What one makes of a pooled job for oneself.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OwnModel<'a> {
    /// Own dataset to fit to; the pooled model as it is where absent.
    pub dataset: Option<&'a str>,
    /// Strength of the pull towards the pooled model.
    pub pull: f64,
    /// Probability from which one refuses an applicant.
    pub cutoff: Option<f64>,
}

/// One scored row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OwnScore {
    /// The row's key.
    pub key: String,
    /// Probability of label 1.
    pub probability: f64,
    /// Whether the model's cut-off refuses it; none without a cut-off.
    pub refused: Option<bool>,
}

/// Scores by a model of one's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OwnScores {
    /// Model id.
    pub model: String,
    /// The file's rows.
    pub rows: crate::result::Rows,
    /// The model's cut-off.
    pub cutoff: Option<f64>,
    /// In the order of the file.
    pub scores: Vec<OwnScore>,
}

impl Node {
    /// Submits a pooled job with this node as coordinator.
    ///
    /// ```no_run
    /// # async fn f() -> hefu::Result<()> {
    /// use hefu::{Node, PoolMethod, PoolPlan, PoolReport};
    /// let bank = Node::connect("north.toml").await?;
    /// let others = ["south", "west=loans-2026"].map(Into::into).to_vec();
    /// let job = bank.submit_pool(&PoolPlan::new(PoolMethod::Logistic, "loans", others)).await?;
    /// job.finish(|status| println!("round {}", status.done)).await?;
    /// let report: PoolReport = job.result().await?;
    /// println!("{:?}", report.coefficients);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Node`, such as `TOO_FEW_PARTICIPANTS`.
    pub async fn submit_pool(&self, plan: &PoolPlan) -> Result<Job> {
        let job_json = serde_json::to_string(plan).map_err(|_| incomplete())?;
        let answer = self.job_service().submit_job(control::SubmitJobRequest { job_json }).await?.into_inner();
        Ok(self.job(answer.job))
    }

    /// Makes a model of one's own of a pooled job that this node coordinated or took part in; answers its JSON text
    /// (`spec/schemas/model.schema.json`). No other party's call uses it.
    ///
    /// # Errors
    /// `Node` with `UNKNOWN_JOB` where the job left no model here.
    pub async fn own_model(&self, job: &str, wanted: OwnModel<'_>) -> Result<String> {
        let request = control::MakeOwnModelRequest {
            job: job.to_owned(),
            dataset: wanted.dataset.unwrap_or_default().to_owned(),
            pull: wanted.pull,
            cutoff: wanted.cutoff.unwrap_or(-1.0),
        };
        Ok(self.pool_service().make_own_model(request).await?.into_inner().model_json)
    }

    /// Scores a published dataset with a model of which this party is the only one.
    ///
    /// # Errors
    /// `Node` with `UNKNOWN_MODEL`, `NOT_MODEL_OWNER`, `MODEL_MISMATCH`.
    pub async fn score_own(&self, model: &str, dataset: &str) -> Result<OwnScores> {
        let request = control::ScoreOwnRequest { model: model.to_owned(), dataset: dataset.to_owned() };
        let json = self.pool_service().score_own(request).await?.into_inner().result_json;
        serde_json::from_str(&json).map_err(|_| Error::node(Code::Internal, "The node's answer is not complete."))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_commented_example_is_what_it_says() {
        let plan: PoolPlan = toml::from_str(include_str!("../../../docs/pool.example.toml")).unwrap();
        let others = vec![Collaborator::from(("south", "loans-2026")), Collaborator::from(("west", "loans-2026"))];
        assert_eq!(plan, PoolPlan::new(PoolMethod::Logistic, "loans-2026", others));
    }

    #[test]
    fn another_kind_is_no_pooled_job() {
        assert!(toml::from_str::<PoolPlan>("kind = \"train\"").is_err());
        assert!(toml::from_str::<PoolPlan>("kind = \"pool\"\nno_such_member = 1").is_err());
    }
}
