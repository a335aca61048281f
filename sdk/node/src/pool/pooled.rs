//! The pooled model as every participant has it, and the model file that a party makes of it.
use crate::job::{ModelPart, Origin};
use hefu_core::{JobId, Join, Missing, ModelId, PartyId, Rank};
use hefu_model::pooled::Own;
use hefu_model::{Scale, Standardiser};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A logistic regression on standardised columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pooled {
    names: Vec<String>,
    mean: Vec<f64>,
    deviation: Vec<f64>,
    coefficients: Vec<f64>,
    intercept: f64,
}

impl Pooled {
    pub(crate) fn new(scales: &[Scale], coefficients: &[f64], intercept: f64) -> Self {
        Pooled {
            names: scales.iter().map(|s| s.name.clone()).collect(),
            mean: scales.iter().map(|s| s.mean).collect(),
            deviation: scales.iter().map(|s| s.deviation).collect(),
            coefficients: coefficients.to_vec(),
            intercept,
        }
    }

    pub(crate) fn scales(&self) -> Vec<Scale> {
        super::rows::scales(&self.names, &self.mean, &self.deviation)
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn fit(&self) -> Own {
        Own { coefficients: self.coefficients.clone(), intercept: self.intercept }
    }

    /// The same columns with other coefficients.
    pub(crate) fn with(&self, fit: &Own) -> Self {
        Pooled { coefficients: fit.coefficients.clone(), intercept: fit.intercept, ..self.clone() }
    }

    /// Members of a result: coefficients by column, intercept, scales.
    pub(crate) fn document(&self) -> Value {
        let by_name = |values: &[f64]| -> Value {
            Value::Object(self.names.iter().cloned().zip(values.iter().map(|v| json!(v))).collect())
        };
        json!({
            "coefficients": by_name(&self.coefficients), "intercept": self.intercept,
            "mean": by_name(&self.mean), "deviation": by_name(&self.deviation),
        })
    }

    /// A model file whose owner is `owner` alone.
    pub(crate) fn part(
        &self,
        job: JobId,
        model: ModelId,
        owner: &PartyId,
        dataset: &str,
        missing: Missing,
    ) -> ModelPart {
        let origin = Origin {
            job,
            model,
            parties: vec![owner.clone()],
            rank: Rank::INITIATOR,
            join: Join::Inner,
            missing_cells: missing,
            dataset: dataset.to_owned(),
        };
        let standardiser = Standardiser::from_parts(self.scales(), None);
        ModelPart::new(origin, &standardiser, &self.coefficients, Some(self.intercept))
    }
}
