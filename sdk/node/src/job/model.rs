//! This node's own part of a joint model: `models/ID.json`.
use super::plan::JobPlan;
use crate::store::{ModelRecord, Store};
use crate::{Error, files};
use hefu_core::{Code, Fault, JobId, Join, Missing, ModelId, PartyId, Rank};
use hefu_model::{Scale, Standardiser};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const DOCUMENT_TYPE: &str = "hefu/model/1";

/// One column of a model part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelColumn {
    pub(crate) name: String,
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    pub(crate) coefficient: f64,
}

/// The column that marks unmatched rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MissingColumn {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    pub(crate) coefficient: f64,
}

/// A model part as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModelPart {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) model: ModelId,
    pub(crate) owner: PartyId,
    pub(crate) party: PartyId,
    pub(crate) rank: Rank,
    pub(crate) parties: Vec<PartyId>,
    pub(crate) columns: Vec<ModelColumn>,
    /// On standardised columns; at rank 0 only.
    pub(crate) intercept: Option<f64>,
    pub(crate) missing: Option<MissingColumn>,
    pub(crate) job: JobId,
    pub(crate) created_us: i64,
    pub(crate) join: Join,
    pub(crate) missing_cells: Missing,
    pub(crate) dataset: String,
    /// Probability from which its owner refuses an applicant, where the owner has set one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cutoff: Option<f64>,
}

/// The facts of a job that its model part repeats.
pub(crate) struct Origin {
    pub(crate) job: JobId,
    pub(crate) model: ModelId,
    pub(crate) parties: Vec<PartyId>,
    pub(crate) rank: Rank,
    pub(crate) join: Join,
    pub(crate) missing_cells: Missing,
    pub(crate) dataset: String,
}

impl Origin {
    /// The origin of the initiator's own part.
    pub(crate) fn of_plan(job: JobId, model: ModelId, plan: &JobPlan, own: &PartyId) -> Self {
        Origin {
            job,
            model,
            parties: plan.parties(own),
            rank: Rank::INITIATOR,
            join: plan.join,
            missing_cells: plan.missing,
            dataset: plan.dataset.name.clone(),
        }
    }
}

impl ModelPart {
    /// The part of a trained party: `coefficients` in the order of `standardiser`, `missing` last.
    pub(crate) fn new(
        origin: Origin,
        standardiser: &Standardiser,
        coefficients: &[f64],
        intercept: Option<f64>,
    ) -> Self {
        let columns = standardiser.columns().iter().zip(coefficients).map(|(scale, coefficient)| ModelColumn {
            name: scale.name.clone(),
            mean: scale.mean,
            deviation: scale.deviation,
            coefficient: *coefficient,
        });
        let last = coefficients.get(standardiser.columns().len());
        let missing = standardiser.missing().zip(last).map(|(scale, coefficient)| MissingColumn {
            mean: scale.mean,
            deviation: scale.deviation,
            coefficient: *coefficient,
        });
        ModelPart {
            kind: DOCUMENT_TYPE.to_owned(),
            model: origin.model,
            owner: origin.parties[0].clone(),
            party: origin.parties[origin.rank.index()].clone(),
            rank: origin.rank,
            parties: origin.parties,
            columns: columns.collect(),
            intercept,
            missing,
            job: origin.job,
            created_us: crate::now_us(),
            join: origin.join,
            missing_cells: origin.missing_cells,
            dataset: origin.dataset,
            cutoff: None,
        }
    }

    /// The standardisation of training.
    pub(crate) fn standardiser(&self) -> Standardiser {
        let scale = |c: &ModelColumn| Scale { name: c.name.clone(), mean: c.mean, deviation: c.deviation };
        let missing =
            self.missing.as_ref().map(|c| Scale { name: "missing".to_owned(), mean: c.mean, deviation: c.deviation });
        Standardiser::from_parts(self.columns.iter().map(scale).collect(), missing)
    }

    /// Coefficients in the order of [`ModelPart::standardiser`].
    pub(crate) fn coefficients(&self) -> Vec<f64> {
        self.columns.iter().map(|c| c.coefficient).chain(self.missing.iter().map(|c| c.coefficient)).collect()
    }

    /// Names of the feature columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// Writes the part, whole or not at all, then makes it known. Blocks.
    ///
    /// # Errors
    /// `DISK`.
    pub(crate) fn save(&self, folder: &Path, store: &dyn Store) -> Result<(), Error> {
        let path = path_of(folder, self.model);
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::disk(&path, e))?;
        files::write_private(&path, &json)?;
        let record = ModelRecord { model: self.model, owner: self.owner.clone(), created_us: self.created_us };
        store.save_model(&record).inspect_err(|_| {
            let _ = std::fs::remove_file(&path);
        })
    }

    /// Reads a part. Blocks.
    ///
    /// # Errors
    /// `UNKNOWN_MODEL` where there is none, or none that can be read.
    pub(crate) fn load(folder: &Path, model: ModelId, own: &PartyId) -> Result<Self, Fault> {
        let unknown = || Fault::new(Code::UnknownModel).by(own).citing("SCORE-2");
        let bytes = std::fs::read(path_of(folder, model)).map_err(|_| unknown())?;
        let part: ModelPart = serde_json::from_slice(&bytes).map_err(|_| unknown())?;
        if part.kind == DOCUMENT_TYPE && part.model == model { Ok(part) } else { Err(unknown()) }
    }
}

/// The file of a model.
pub(crate) fn path_of(folder: &Path, model: ModelId) -> PathBuf {
    folder.join(format!("{model}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    fn part() -> ModelPart {
        let scale = |name: &str| Scale { name: name.into(), mean: 0.1, deviation: 3.0 };
        let standardiser = Standardiser::from_parts(vec![scale("income")], Some(scale("missing")));
        let origin = Origin {
            job: JobId([1; 16]),
            model: ModelId([2; 16]),
            parties: ["lei:BANK", "lei:TAX"].map(|p| PartyId::parse(p).unwrap()).to_vec(),
            rank: Rank(1),
            join: Join::Left,
            missing_cells: Missing::Error,
            dataset: "tax".into(),
        };
        ModelPart::new(origin, &standardiser, &[0.25, -1.0 / 3.0], None)
    }

    #[test]
    fn a_part_reads_back_to_the_last_bit() {
        let folder = std::env::temp_dir().join(format!("hefu-model-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let store = SqliteStore::open(Path::new(":memory:")).unwrap();
        part().save(&folder, &store).unwrap();
        let (own, model) = (PartyId::parse("lei:TAX").unwrap(), ModelId([2; 16]));
        let read = ModelPart::load(&folder, model, &own).unwrap();
        assert_eq!(read.coefficients(), vec![0.25, -1.0 / 3.0]);
        assert_eq!(read.standardiser().count(), 2);
        assert_eq!((read.owner.as_str(), read.party.as_str()), ("lei:BANK", "lei:TAX"));
        assert_eq!(store.models().unwrap().len(), 1);
        assert_eq!(ModelPart::load(&folder, ModelId([3; 16]), &own).unwrap_err().code, Code::UnknownModel);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
