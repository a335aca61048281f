//! What the operator of the demo, who has all files, computes of them: each bank alone beside the pooled model.
use super::outcome::{BankOutcome, Measures, PooledOutcome, Settings};
use crate::failure::Result;
use hefu::{Code, Failure, Place, PoolReport};
use hefu_data::{Features, KeyFormat, Layout, Table, is_test_row};
use hefu_model::metrics::{Assessment, assess, roc_curve};
use hefu_model::{Scale, Source, Standardiser, logistic};
use std::path::{Path, PathBuf};

/// The run's files.
pub struct Files {
    /// Short name and file.
    pub banks: Vec<(String, PathBuf)>,
    /// Rows to judge on.
    pub test: Option<PathBuf>,
    /// Key column.
    pub key: String,
    /// Label column.
    pub label: String,
    /// Whether the demo made them.
    pub is_synthetic: bool,
}

/// The rows of all files.
pub struct Banks {
    names: Vec<String>,
    tables: Vec<Table>,
    test: Option<Table>,
}

impl Files {
    /// Reads every file; all have the columns of the first.
    ///
    /// # Errors
    /// What is wrong with a file, with its place.
    pub fn read(&self) -> Result<Banks> {
        let mut tables: Vec<Table> = Vec::new();
        for (_, file) in &self.banks {
            let features = match tables.first() {
                None => Features::All,
                Some(first) => Features::Named(first.columns.iter().map(|c| c.name.clone()).collect()),
            };
            tables.push(self.table(file, features)?);
        }
        let names = tables.first().map(|t| t.columns.iter().map(|c| c.name.clone()).collect()).unwrap_or_default();
        let test = match &self.test {
            Some(file) => Some(self.table(file, Features::Named(names))?),
            None => None,
        };
        let names = self.banks.iter().map(|(name, _)| name.clone()).collect();
        Ok(Banks { names, tables, test })
    }

    fn table(&self, file: &Path, features: Features) -> Result<Table> {
        let mut layout = Layout::new(file.display().to_string(), self.key.as_str());
        layout.label = Some(self.label.clone());
        layout.features = features;
        layout.format = if self.is_synthetic { KeyFormat::Uscc } else { KeyFormat::Text };
        hefu_data::read_file(file, &layout).map_err(|e| {
            let mut failure = Failure::because(e.code(), e.to_string());
            failure.place = e.place();
            failure
        })
    }
}

impl Banks {
    /// Positions of the training rows of a table, and of its test rows.
    fn split(&self, table: &Table) -> (Vec<u32>, Vec<u32>) {
        let all = 0..u32::try_from(table.keys.len()).unwrap_or(u32::MAX);
        all.partition(|row| self.test.is_some() || !table.keys.get(*row as usize).is_some_and(|k| is_test_row(k)))
    }
}

/// Every figure of the run.
///
/// # Errors
/// `ONE_CLASS` where the test rows do not have both classes.
pub fn outcome(
    banks: &Banks,
    (result, costs): (PoolReport, Vec<BankOutcome>),
    settings: Settings,
) -> Result<PooledOutcome> {
    let columns: Vec<String> =
        banks.tables.first().map(|t| t.columns.iter().map(|c| c.name.clone()).collect()).unwrap_or_default();
    let scales: Vec<Scale> = columns
        .iter()
        .map(|name| Scale {
            name: name.clone(),
            mean: result.mean.get(name).copied().unwrap_or_default(),
            deviation: result.deviation.get(name).copied().unwrap_or(1.0),
        })
        .collect();
    let coefficients: Vec<f64> =
        columns.iter().map(|name| result.coefficients.get(name).copied().unwrap_or_default()).collect();
    let pooled = Standardiser::from_parts(scales, None);
    let labels: Vec<u8> = over_test_rows(banks, |table, rows| Ok(labels_of(table, rows)))?.concat();
    let scores = over_test_rows(banks, |table, rows| {
        let x = pooled.apply(&sources(table), rows).map_err(|e| told(&e))?;
        Ok(logistic::predictor(&x, &coefficients))
    })?
    .concat();
    let (pooled_measures, pooled_roc) = measures(&scores, &labels)?;
    let mut all = Vec::new();
    for (name, table) in banks.names.iter().zip(&banks.tables) {
        let mut bank = costs.iter().find(|c| c.alias == *name).cloned().unwrap_or_default();
        bank.rows = table.counts.valid;
        (bank.train_rows, bank.positive) = {
            let (training, _) = banks.split(table);
            let labels = labels_of(table, &training);
            (training.len() as u64, labels.iter().filter(|y| **y == 1).count() as u64)
        };
        match alone(banks, table, settings.lambda).and_then(|scores| measures(&scores, &labels)) {
            Ok((measured, roc)) => (bank.alone, bank.roc) = (Some(measured), roc),
            Err(failure) => bank.no_model = Some(failure.code.name().to_owned()),
        }
        all.push(bank);
    }
    Ok(PooledOutcome {
        result,
        banks: all,
        columns,
        test_rows: labels.len() as u64,
        pooled: pooled_measures,
        roc: pooled_roc,
        settings,
    })
}

/// The scores of all test rows by a model of one bank's own training rows.
fn alone(banks: &Banks, table: &Table, lambda: f64) -> Result<Vec<f64>> {
    let (training, _) = banks.split(table);
    let standardiser = Standardiser::fit(&sources(table), &training).map_err(|e| told(&e))?;
    let x = standardiser.apply(&sources(table), &training).map_err(|e| told(&e))?;
    let fit = logistic::fit(&x, &labels_of(table, &training), lambda).map_err(|e| told(&e))?;
    let scores = over_test_rows(banks, |table, rows| {
        Ok(fit.scores(&standardiser.apply(&sources(table), rows).map_err(|e| told(&e))?))
    })?;
    Ok(scores.concat())
}

/// Something of each table's test rows, in the order of the banks.
fn over_test_rows<T>(banks: &Banks, mut of: impl FnMut(&Table, &[u32]) -> Result<T>) -> Result<Vec<T>> {
    match &banks.test {
        Some(test) => {
            let rows: Vec<u32> = (0..u32::try_from(test.keys.len()).unwrap_or(u32::MAX)).collect();
            Ok(vec![of(test, &rows)?])
        }
        None => banks.tables.iter().map(|table| of(table, &banks.split(table).1)).collect(),
    }
}

fn measures(scores: &[f64], labels: &[u8]) -> Result<(Measures, Vec<[f64; 2]>)> {
    let Assessment { auc, auc_interval, ks, ks_interval, .. } = assess(scores, labels).map_err(|e| told(&e))?;
    let measured =
        Measures { auc, auc_ci: [auc_interval.low, auc_interval.high], ks, ks_ci: [ks_interval.low, ks_interval.high] };
    Ok((measured, roc_curve(scores, labels).map_err(|e| told(&e))?))
}

fn sources(table: &Table) -> Vec<Source<'_>> {
    table.columns.iter().map(|c| Source { name: &c.name, values: &c.values }).collect()
}

fn labels_of(table: &Table, rows: &[u32]) -> Vec<u8> {
    let label = table.label.as_deref().unwrap_or_default();
    rows.iter().filter_map(|row| label.get(*row as usize).copied()).collect()
}

fn told(error: &hefu_model::Error) -> Failure {
    let mut failure = Failure::because(error.code(), error.to_string());
    failure.place = Place { column: error.column().map(str::to_owned), ..Place::default() };
    if failure.code == Code::Internal {
        failure.cause = "The fit did not converge.".to_owned();
    }
    failure
}
