//! A participant's own rows, and what they add to a statistic (spec/pooled.md, section 1).
use super::trainers::Trainers;
use crate::dataset::Datasets;
use crate::job::data_fault;
use crate::store::DatasetRecord;
use hefu_core::{Code, Fault, JobId, Missing, PartyId, Place, Split, Statistic};
use hefu_data::{Features, Table, is_test_row};
use hefu_model::pooled::{self, Task, TensorShape, TrainingRows};
use hefu_model::{Columns, Scale, Source, Standardiser};
use hefu_protocol::aggregate::{Contribution, Plan, Secrecy, Values};

/// Rows of one dataset for one pooled job, split.
pub(crate) struct OwnRows {
    dataset: String,
    columns: Vec<String>,
    table: Table,
    training: Vec<u32>,
    test: Vec<u32>,
}

/// What the rows are read for.
pub(crate) struct Wanted<'a> {
    pub(crate) columns: &'a [String],
    pub(crate) split: Split,
    pub(crate) missing: Missing,
}

impl OwnRows {
    /// Reads a dataset and splits its rows. Blocks.
    ///
    /// # Errors
    /// Those of the file, with their place; `MISSING_COLUMN` (POOL-1); `TOO_FEW_ROWS` below `min_rows` (POOL-2).
    pub(crate) fn load(
        datasets: &Datasets,
        record: &DatasetRecord,
        wanted: &Wanted<'_>,
        min_rows: u64,
        own: &PartyId,
    ) -> Result<Self, Fault> {
        let place = |column: Option<&String>| Place {
            dataset: Some(record.name.clone()),
            column: column.cloned(),
            ..Place::default()
        };
        if let Some(column) = wanted.columns.iter().find(|column| !record.columns.contains(column)) {
            return Err(Fault::new(Code::MissingColumn).by(own).at(place(Some(column))).citing("POOL-1"));
        }
        if record.label.is_none() {
            let cause = "the dataset was published without a label";
            return Err(Fault::because(Code::MissingColumn, cause).by(own).at(place(None)).citing("POOL-1"));
        }
        let features = Features::Named(wanted.columns.to_vec());
        let table = datasets.load(record, true, features, wanted.missing, own)?;
        let all = 0..u32::try_from(table.keys.len()).unwrap_or(u32::MAX);
        let is_test = |row: &u32| wanted.split == Split::Hash && is_test_row(&table.keys[*row as usize]);
        let (test, training): (Vec<u32>, Vec<u32>) = all.partition(is_test);
        if (training.len() as u64) < min_rows.max(1) {
            let cause = "fewer training rows than min_rows of the allow entry asks for";
            return Err(Fault::because(Code::TooFewRows, cause).by(own).at(place(None)).citing("POOL-2"));
        }
        Ok(OwnRows { dataset: record.name.clone(), columns: wanted.columns.to_vec(), table, training, test })
    }

    /// Training rows.
    pub(crate) fn training_count(&self) -> u64 {
        self.training.len() as u64
    }

    /// The named columns in the job's order.
    fn sources(&self) -> Vec<Source<'_>> {
        let column = |name: &String| self.table.columns.iter().find(|column| column.name == *name);
        let found = self.columns.iter().filter_map(column);
        found.map(|column| Source { name: &column.name, values: &column.values }).collect()
    }

    fn labels(&self) -> &[u8] {
        self.table.label.as_deref().unwrap_or_default()
    }

    fn labels_of(&self, rows: &[u32]) -> Vec<u8> {
        rows.iter().filter_map(|row| self.labels().get(*row as usize).copied()).collect()
    }

    /// Columns and labels of the training or the test rows, standardised.
    ///
    /// # Errors
    /// That a column lacks rows, which cannot be.
    pub(crate) fn standardised(&self, scales: &[Scale], test: bool) -> Result<(Columns, Vec<u8>), hefu_model::Error> {
        let rows = if test { &self.test } else { &self.training };
        let standardiser = Standardiser::from_parts(scales.to_vec(), None);
        Ok((standardiser.apply(&self.sources(), rows)?, self.labels_of(rows)))
    }

    /// This participant's values of a statistic at the given parameters. Blocks.
    ///
    /// # Errors
    /// What its data or its trainer refuse.
    pub(crate) fn contribution(
        &self,
        plan: &Plan,
        parameters: &[Vec<f64>],
        job: JobId,
        trainers: &Trainers,
        own: &PartyId,
    ) -> Result<Contribution, Fault> {
        let refuse = |e: hefu_model::Error| data_fault(&e, &self.dataset, own);
        let (sources, labels, rows) = (self.sources(), self.labels(), self.training.as_slice());
        let one = |value: f64| Values::Real(vec![value]);
        let values = match (plan.statistic, parameters) {
            (Statistic::Moments, _) => {
                let moments = pooled::moments(&sources, labels, rows).map_err(refuse)?;
                let count = |value: u64| Values::Count(vec![value]);
                vec![
                    count(moments.rows),
                    count(moments.positive),
                    Values::Count(moments.present),
                    Values::Real(moments.sum),
                ]
            }
            (Statistic::Deviations, [mean]) => {
                vec![Values::Real(pooled::deviations(&sources, rows, mean).map_err(refuse)?)]
            }
            (Statistic::Newton, [mean, deviation, coefficients, intercept]) => {
                let (x, y) = self.standardised(&self.scales(mean, deviation), false).map_err(refuse)?;
                let intercept = intercept.first().copied().unwrap_or_default();
                let sums = pooled::newton(&x, &y, coefficients, intercept).map_err(refuse)?;
                vec![Values::Real(sums.gram), Values::Real(sums.gradient), one(sums.loss)]
            }
            (Statistic::Histogram, [low, width, buckets]) => {
                // A number of buckets that is none was refused with the plan's tensors.
                let buckets = buckets.first().map_or(0, |b| *b as usize);
                let counts = pooled::histogram(&sources, labels, rows, low, width, buckets).map_err(refuse)?;
                vec![Values::Count(counts.good), Values::Count(counts.bad)]
            }
            (Statistic::Update, [mean, deviation, model @ ..]) => {
                return self.update(plan, &self.scales(mean, deviation), model, job, trainers, own);
            }
            _ => return Err(Fault::because(Code::UnsupportedPlan, "parameters of another statistic").by(own)),
        };
        Ok(values.into())
    }

    /// Scales from the parameters' `mean` and `deviation`.
    pub(crate) fn scales(&self, mean: &[f64], deviation: &[f64]) -> Vec<Scale> {
        scales(&self.columns, mean, deviation)
    }

    fn update(
        &self,
        plan: &Plan,
        scales: &[Scale],
        model: &[Vec<f64>],
        job: JobId,
        trainers: &Trainers,
        own: &PartyId,
    ) -> Result<Contribution, Fault> {
        let place = Place { dataset: Some(self.dataset.clone()), ..Place::default() };
        let failed = |e: pooled::TrainerError| Fault::because(Code::TrainerFailed, e.cause).by(own).at(place.clone());
        let name = plan.trainer.as_deref().unwrap_or_default();
        let shapes = || {
            let tensors = plan.tensors.iter().take(model.len());
            tensors.map(|t| TensorShape { name: t.name.clone(), shape: t.shape.clone() }).collect::<Vec<_>>()
        };
        let rows = || {
            let (columns, labels) = self.standardised(scales, false)?;
            Ok(TrainingRows { columns, labels, tensors: shapes() })
        };
        let mut trainer = trainers.take(job, name, rows, own).map_err(|fault| fault.at(place.clone()))?;
        let task = Task {
            round: plan.round,
            epochs: plan.epochs.unwrap_or(1),
            proximal: plan.proximal.unwrap_or_default(),
            tensors: model,
        };
        let update = trainer.train(task).map_err(failed)?;
        trainers.keep(job, trainer);
        let fits = update.tensors.len() == model.len()
            && update.tensors.iter().zip(model).all(|(ours, theirs)| ours.len() == theirs.len());
        if !fits {
            return Err(failed(pooled::TrainerError::new("the update has other tensors than the model")));
        }
        if plan.method().is_ok_and(|method| method.secrecy() == Secrecy::Plain) {
            // In the clear, with its weight beside it.
            let values = update.tensors.into_iter().map(Values::Real).collect();
            return Ok(Contribution { values, weight: update.rows as f64 });
        }
        let weight = update.rows as f64;
        let weighted = update.tensors.into_iter().map(|t| Values::Real(t.into_iter().map(|w| w * weight).collect()));
        let mut values: Vec<Values> = weighted.collect();
        values.push(Values::Count(vec![update.rows]));
        Ok(values.into())
    }
}

/// Scales of named columns.
pub(crate) fn scales(names: &[String], mean: &[f64], deviation: &[f64]) -> Vec<Scale> {
    let values = mean.iter().zip(deviation);
    let scale = |(name, (mean, deviation)): (&String, (&f64, &f64))| Scale {
        name: name.clone(),
        mean: *mean,
        deviation: *deviation,
    };
    names.iter().zip(values).map(scale).collect()
}
