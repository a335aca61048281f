//! From matched rows to a joint model: a model can only be trained on what was aligned.
use crate::dataset::Published;
use crate::disclosure::Disclosure;
use crate::job::{Collaborator, JobKind, JobPlan, JobStatus};
use crate::result::{Matches, Report};
use crate::{Error, Node, Result};
use hefu_core::{Alignment, Code, Join, Missing, Output, Place, Purpose};
use std::path::Path;

/// On which terms rows are matched: purpose, rows kept, empty cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// What the job is for; each agency's node permits it by purpose.
    pub purpose: Purpose,
    /// Which rows are kept.
    pub join: Join,
    /// What an empty feature cell means.
    pub missing: Missing,
    /// How rows are matched.
    pub alignment: Alignment,
}

impl Default for Terms {
    /// Origination, rows that every agency has, empty cells refused, both sides blind all their keys.
    fn default() -> Self {
        Terms { purpose: Purpose::Origination, join: Join::Inner, missing: Missing::Error, alignment: Alignment::Ecdh }
    }
}

impl Terms {
    /// Another purpose.
    pub fn purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    /// Other rows.
    pub fn join(mut self, join: Join) -> Self {
        self.join = join;
        self
    }

    pub(crate) fn apply(self, plan: &mut JobPlan) {
        plan.purpose = self.purpose;
        plan.join = self.join;
        plan.missing = self.missing;
        plan.alignment = self.alignment;
    }

    /// Another way to match: `Oprf` where one's own rows are few and the collaborators' many. Each of them publishes
    /// its
    /// evaluated keys once an epoch, which its `[[allow]]` entry must permit by `evaluations`.
    pub fn alignment(mut self, alignment: Alignment) -> Self {
        self.alignment = alignment;
        self
    }

    /// Another meaning of an empty cell.
    pub fn missing(mut self, missing: Missing) -> Self {
        self.missing = missing;
        self
    }
}

/// A logistic regression over the columns of all parties (`spec/vlr.md`).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Logistic {
    /// Weight λ of the penalty ½·λ·‖β‖² on standardised columns, above 0.
    pub lambda: f64,
    /// Most evaluations of the objective; fewer disclose less.
    pub max_evaluations: u32,
}

impl Default for Logistic {
    fn default() -> Self {
        Logistic { lambda: 1.0, max_evaluations: 40 }
    }
}

impl Logistic {
    /// Another penalty.
    pub fn lambda(mut self, lambda: f64) -> Self {
        self.lambda = lambda;
        self
    }

    /// Another bound on evaluations.
    pub fn max_evaluations(mut self, evaluations: u32) -> Self {
        self.max_evaluations = evaluations;
        self
    }
}

/// One's own rows matched with those of other parties: what a model can be trained on.
#[derive(Debug, Clone)]
pub struct Aligned {
    node: Node,
    plan: JobPlan,
    matches: Matches,
}

impl Aligned {
    pub(crate) fn new(node: Node, plan: JobPlan, matches: Matches) -> Self {
        Aligned {
            node,
            plan: JobPlan { kind: JobKind::Train, outputs: vec![Output::Model, Output::Score], ..plan },
            matches,
        }
    }

    /// How many rows met, in all and with each party.
    pub fn matches(&self) -> &Matches {
        &self.matches
    }

    /// What training will teach whom.
    pub fn disclosure(&self) -> Disclosure {
        let collaborators = self.plan.collaborators.iter().map(|c| c.party.as_str());
        let both_blind = Disclosure::of_training(self.node.alias(), collaborators, self.plan.join);
        match self.plan.alignment {
            Alignment::Ecdh => both_blind,
            Alignment::Oprf => both_blind.with_published_sets(),
        }
    }

    /// Trains: every round, until done.
    ///
    /// # Errors
    /// `Job` where the job ended without a model: the failure names party, place and cause. `Node` where one's own node
    /// refuses or goes away.
    pub async fn train(self, model: Logistic) -> Result<Card> {
        self.train_watched(model, |_| ()).await
    }

    /// As [`Aligned::train`]; `see` is called with every report of progress.
    ///
    /// # Errors
    /// As [`Aligned::train`].
    pub async fn train_watched(mut self, model: Logistic, see: impl FnMut(&JobStatus)) -> Result<Card> {
        self.plan.lambda = model.lambda;
        self.plan.max_evaluations = model.max_evaluations;
        let job = self.node.submit(&self.plan).await?;
        job.finish(see).await?;
        let report: Report = job.result().await?;
        let part = self.node.model_json(&report.model).await?;
        Ok(Card { report, part, node: self.node, collaborators: self.plan.collaborators })
    }
}

/// A trained joint model: one's own part, and how good the whole is.
#[derive(Debug, Clone)]
pub struct Card {
    report: Report,
    part: String,
    node: Node,
    collaborators: Vec<Collaborator>,
}

impl Card {
    /// How good it is, on how many rows, at what cost.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Model id, which scoring cites.
    pub fn model(&self) -> &str {
        &self.report.model
    }

    /// One's own part, a JSON text (`spec/schemas/model.schema.json`).
    pub fn part_json(&self) -> &str {
        &self.part
    }

    /// Writes one's own part to a file. The other parties keep theirs: to score takes all of them.
    ///
    /// # Errors
    /// `Misuse` where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        std::fs::write(path, &self.part).map_err(|e| {
            let place = Place { dataset: Some(path.display().to_string()), ..Place::default() };
            Error::misuse(Code::Disk, format!("The file cannot be written: {e}.")).at(place)
        })
    }

    /// Scores another published dataset of one's own, together with the same parties.
    ///
    /// # Errors
    /// `Job`, `Node`.
    pub async fn score(&self, data: &Published) -> Result<crate::result::Scores> {
        self.node.score(data, self.model(), self.collaborators.iter().cloned()).await
    }
}
