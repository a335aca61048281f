//! The job file of a pooled job: `kind = "pool"`.
use crate::node::Shared;
use crate::store::{self, DatasetRecord};
use crate::trust::TrustedParty;
use hefu_core::{Code, Fault, Missing, Output, PartyId, Place, Purpose, Split};
use hefu_model::pooled::TensorShape;
use serde::Deserialize;
use std::sync::Arc;

/// Largest number of rounds that a job may ask for.
const MAX_ROUNDS: u32 = 1000;
/// Most bins a column.
const MAX_BINS: u32 = 50;

/// What a pooled job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Method {
    /// Logistic regression by Newton's method on sums (spec/pooled.md, section 2).
    Logistic,
    /// Bins, WOE and IV (section 3).
    Bins,
    /// FedAvg or FedProx by the participants' own trainers (section 4).
    Average,
    /// One sum of stored vectors.
    Vector,
}

impl Method {
    /// The word in job files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Method::Logistic => "logistic",
            Method::Bins => "bins",
            Method::Average => "average",
            Method::Vector => "vector",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Coordinating {
    #[default]
    Participant,
    Only,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolFile {
    #[serde(rename = "kind")]
    _kind: String,
    method: Method,
    #[serde(default)]
    dataset: Option<String>,
    purpose: Purpose,
    #[serde(default)]
    outputs: Vec<Output>,
    #[serde(default)]
    coordinator: Coordinating,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default = "hash")]
    split: Split,
    #[serde(default = "error")]
    missing: Missing,
    #[serde(default = "one")]
    lambda: f64,
    #[serde(default = "twenty")]
    max_rounds: u32,
    #[serde(default = "eight")]
    bins: u32,
    #[serde(default = "logistic")]
    trainer: String,
    #[serde(default = "once")]
    epochs: u32,
    #[serde(default)]
    proximal: f64,
    #[serde(default = "eight")]
    clip: u32,
    #[serde(default)]
    values: u32,
    /// `masked`, or `plain` for parameters that are public (aggregate-mean-1).
    #[serde(default = "masked")]
    aggregation: Aggregation,
    #[serde(default)]
    roster_change: bool,
    #[serde(default)]
    tensor: Vec<TensorEntry>,
    collaborator: Vec<MemberEntry>,
}

/// How values travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Aggregation {
    /// Under masks.
    Masked,
    /// In the clear, to the coordinator.
    Plain,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TensorEntry {
    name: String,
    #[serde(default)]
    shape: Vec<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberEntry {
    party: String,
    dataset: String,
}

fn hash() -> Split {
    Split::Hash
}

fn error() -> Missing {
    Missing::Error
}

fn one() -> f64 {
    1.0
}

fn twenty() -> u32 {
    20
}

fn eight() -> u32 {
    8
}

fn once() -> u32 {
    1
}

fn logistic() -> String {
    "logistic".to_owned()
}

fn masked() -> Aggregation {
    Aggregation::Masked
}

/// One invited participant.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) party: Arc<TrustedParty>,
    /// The name under which it publishes.
    pub(crate) dataset: String,
}

/// A pooled job that this node may start: its names are resolved.
#[derive(Debug, Clone)]
pub(crate) struct PoolPlan {
    pub(crate) method: Method,
    /// This node's own rows; none where it only coordinates, or sums stored vectors.
    pub(crate) dataset: Option<DatasetRecord>,
    /// The name of the own dataset or vector; none where it only coordinates.
    pub(crate) own_name: Option<String>,
    pub(crate) purpose: Purpose,
    pub(crate) outputs: Vec<Output>,
    pub(crate) columns: Vec<String>,
    pub(crate) split: Split,
    pub(crate) missing: Missing,
    pub(crate) lambda: f64,
    pub(crate) max_rounds: u32,
    pub(crate) bins: u32,
    pub(crate) trainer: String,
    pub(crate) epochs: u32,
    pub(crate) proximal: f64,
    pub(crate) clip: u8,
    pub(crate) values: u32,
    pub(crate) aggregation: Aggregation,
    pub(crate) roster_change: bool,
    pub(crate) tensors: Vec<TensorShape>,
    /// In rank order, from rank 1.
    pub(crate) members: Vec<Member>,
}

impl PoolPlan {
    /// Reads a job file and resolves its names.
    ///
    /// # Errors
    /// `CONFIGURATION` naming the entry; `UNKNOWN_PARTY`, `UNKNOWN_DATASET`, `MISSING_COLUMN`, `DUPLICATE_PARTICIPANT`,
    /// `TOO_FEW_PARTICIPANTS`.
    pub(crate) async fn read(shared: &Shared, json: &str) -> Result<Self, Fault> {
        let file: PoolFile = serde_json::from_str(json).map_err(|e| wrong(format!("the job file: {e}")))?;
        check_numbers(&file)?;
        let members = resolve(shared, &file.collaborator)?;
        let contributes = file.coordinator == Coordinating::Participant;
        let participants = members.len() + usize::from(contributes);
        if participants < 3 {
            let cause = format!("{participants} participants, at least 3 are needed");
            return Err(Fault::because(Code::TooFewParticipants, cause).by(shared.party()).citing("AGG-1"));
        }
        let own_name = match (contributes, file.dataset) {
            (true, Some(name)) => Some(name),
            (true, None) => return Err(wrong("dataset: a coordinator that takes part names its own")),
            (false, None) => None,
            (false, Some(_)) => return Err(wrong("dataset: a coordinator that only coordinates has none")),
        };
        let dataset = match (&own_name, file.method) {
            (Some(name), Method::Logistic | Method::Bins | Method::Average) => Some(labelled(shared, name).await?),
            _ => None,
        };
        let columns = match &dataset {
            Some(dataset) if file.columns.is_empty() => dataset.columns.clone(),
            _ => file.columns,
        };
        if columns.is_empty() && file.method != Method::Vector {
            return Err(wrong("columns: at least one is expected"));
        }
        let tensors = tensors(file.tensor, &columns);
        Ok(PoolPlan {
            method: file.method,
            dataset,
            own_name,
            purpose: file.purpose,
            outputs: if file.outputs.is_empty() { vec![Output::Model] } else { file.outputs },
            columns,
            split: file.split,
            missing: file.missing,
            lambda: file.lambda,
            max_rounds: file.max_rounds,
            bins: file.bins,
            trainer: file.trainer,
            epochs: file.epochs,
            proximal: file.proximal,
            clip: u8::try_from(file.clip).unwrap_or(u8::MAX),
            values: file.values,
            aggregation: file.aggregation,
            roster_change: file.roster_change,
            tensors,
            members,
        })
    }

    /// All parties by rank.
    pub(crate) fn parties(&self, own: &PartyId) -> Vec<PartyId> {
        let members = self.members.iter().map(|member| member.party.descriptor.party.clone());
        std::iter::once(own.clone()).chain(members).collect()
    }

    /// Whether this node contributes rows of its own.
    pub(crate) fn contributes(&self) -> bool {
        self.own_name.is_some()
    }
}

fn check_numbers(file: &PoolFile) -> Result<(), Fault> {
    if !file.lambda.is_finite() || file.lambda < 0.0 {
        return Err(wrong("lambda: a number that is not negative is expected"));
    }
    if !file.proximal.is_finite() || file.proximal < 0.0 {
        return Err(wrong("proximal: a number that is not negative is expected"));
    }
    if file.max_rounds == 0 || file.max_rounds > MAX_ROUNDS {
        return Err(wrong(format!("max_rounds: 1 to {MAX_ROUNDS} is expected")));
    }
    if file.bins < 2 || file.bins > MAX_BINS {
        return Err(wrong(format!("bins: 2 to {MAX_BINS} is expected")));
    }
    if file.method == Method::Vector && file.values == 0 {
        return Err(wrong("values: the number of elements is expected"));
    }
    if file.aggregation == Aggregation::Plain && !matches!(file.method, Method::Average | Method::Vector) {
        return Err(wrong("aggregation: statistics of rows travel masked"));
    }
    Ok(())
}

/// The tensors of an average: the job's, or those of a logistic regression.
fn tensors(entries: Vec<TensorEntry>, columns: &[String]) -> Vec<TensorShape> {
    if !entries.is_empty() {
        return entries.into_iter().map(|e| TensorShape { name: e.name, shape: e.shape }).collect();
    }
    let columns = u32::try_from(columns.len()).unwrap_or(u32::MAX);
    vec![
        TensorShape { name: "coefficients".to_owned(), shape: vec![columns] },
        TensorShape { name: "intercept".to_owned(), shape: vec![] },
    ]
}

async fn labelled(shared: &Shared, name: &str) -> Result<DatasetRecord, Fault> {
    let wanted = name.to_owned();
    let found = store::call(&shared.store, move |store| store.dataset(&wanted)).await?;
    let dataset = found.ok_or_else(|| Fault::new(Code::UnknownDataset).by(shared.party()))?;
    if dataset.label.is_none() {
        let place = Place { dataset: Some(dataset.name), ..Default::default() };
        let cause = "the dataset was published without a label";
        return Err(Fault::because(Code::MissingColumn, cause).by(shared.party()).at(place));
    }
    Ok(dataset)
}

fn resolve(shared: &Shared, entries: &[MemberEntry]) -> Result<Vec<Member>, Fault> {
    let mut members: Vec<Member> = Vec::new();
    for entry in entries {
        let party = shared.trust.resolve(&entry.party).ok_or_else(|| {
            let cause = format!("{}: no trusted descriptor of that alias or party id", entry.party);
            Fault::because(Code::UnknownParty, cause)
        })?;
        let id = &party.descriptor.party;
        if id == shared.party() || members.iter().any(|other| other.party.descriptor.party == *id) {
            let cause = format!("collaborator: {} stands there twice", entry.party);
            return Err(Fault::because(Code::DuplicateParticipant, cause).by(id).citing("AGG-2"));
        }
        members.push(Member { party, dataset: entry.dataset.clone() });
    }
    Ok(members)
}

fn wrong(cause: impl Into<String>) -> Fault {
    Fault::because(Code::Configuration, cause)
}
