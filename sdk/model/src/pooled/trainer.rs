//! Trainers of one's own, for federated averaging (spec/pooled.md, section 4).
use super::statistics;
use crate::Columns;

/// Rows of one step of [`LogisticTrainer`].
const BATCH: usize = 64;
/// Its largest step size in the first round; it falls as 1/√(round + 1).
const STEP: f64 = 1.0;

/// A named tensor of the model that is averaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorShape {
    /// Its name, as in the job.
    pub name: String,
    /// Its dimensions; none for a single number.
    pub shape: Vec<u32>,
}

impl TensorShape {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().map(|d| *d as usize).product()
    }
}

/// What a trainer starts from: this participant's own training rows.
pub struct TrainingRows {
    /// Columns, standardised by the pooled mean and deviation; an empty cell is 0.
    pub columns: Columns,
    /// 0 or 1 a row.
    pub labels: Vec<u8>,
    /// The tensors of the model, in the job's order.
    pub tensors: Vec<TensorShape>,
}

/// One round's task.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The job's round.
    pub round: u32,
    /// Passes over the own rows.
    pub epochs: u32,
    /// FedProx: ½·proximal·‖w − w_round‖² is added to the mean loss; 0 for FedAvg.
    pub proximal: f64,
    /// The model to start from, a vector a tensor.
    pub tensors: &'a [Vec<f64>],
}

/// What a trainer answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The weight: rows that taught.
    pub rows: u64,
    /// The model after the epochs, a vector a tensor.
    pub tensors: Vec<Vec<f64>>,
}

/// Why a trainer gave up: its own words, without any value of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct TrainerError {
    /// What happened.
    pub cause: String,
}

impl TrainerError {
    /// A failure with its cause.
    pub fn new(cause: impl Into<String>) -> Self {
        TrainerError { cause: cause.into() }
    }
}

/// A trainer at work on one job: keeps its rows, gets a model, answers a better one.
pub trait Trainer: Send {
    /// Trains for one round. Blocks.
    ///
    /// # Errors
    /// [`TrainerError`], which ends this participant's part in the round (`TRAINER_FAILED`).
    fn train(&mut self, task: Task<'_>) -> Result<Update, TrainerError>;
}

/// A kind of trainer, by whose name a job asks for it (POOL-5).
pub trait TrainerKind: Send + Sync {
    /// Starts a trainer on the own rows of one job. Blocks.
    ///
    /// # Errors
    /// [`TrainerError`].
    fn start(&self, rows: TrainingRows) -> Result<Box<dyn Trainer>, TrainerError>;
}

/// The trainer that is always there: logistic regression by stochastic gradient descent, rows in their own order.
///
/// Its tensors are `coefficients`, one a column, and `intercept`, a single number.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogisticTrainer;

impl TrainerKind for LogisticTrainer {
    fn start(&self, rows: TrainingRows) -> Result<Box<dyn Trainer>, TrainerError> {
        let d = rows.columns.count();
        let fits = |tensor: &TensorShape, name: &str, elements| tensor.name == name && tensor.elements() == elements;
        match rows.tensors.as_slice() {
            [a, b] if fits(a, "coefficients", d) && fits(b, "intercept", 1) => Ok(Box::new(Descent { rows })),
            _ => Err(TrainerError::new("tensors coefficients [columns] and intercept [] are expected")),
        }
    }
}

struct Descent {
    rows: TrainingRows,
}

impl Trainer for Descent {
    fn train(&mut self, task: Task<'_>) -> Result<Update, TrainerError> {
        let [start, intercept] = task.tensors else { return Err(TrainerError::new("two tensors are expected")) };
        let (rows, d) = (self.rows.labels.len(), self.rows.columns.count());
        if start.len() != d || intercept.len() != 1 {
            return Err(TrainerError::new("a tensor has another shape than the job says"));
        }
        let from: Vec<f64> = start.iter().chain(intercept).copied().collect();
        let mut point = from.clone();
        // The curvature of standardised columns is at most (d + 1)/4.
        let step = STEP.min(1.0 / ((d + 1) as f64 / 4.0 + task.proximal)) / f64::from(task.round + 1).sqrt();
        for _ in 0..task.epochs {
            for first in (0..rows).step_by(BATCH) {
                let batch = first..(first + BATCH).min(rows);
                let size = batch.len() as f64;
                let gradient = self.gradient(&point, batch)?;
                for ((w, g), start) in point.iter_mut().zip(gradient).zip(&from) {
                    *w += step * (g / size - task.proximal * (*w - start));
                }
            }
        }
        let intercept = point.split_off(d);
        Ok(Update { rows: rows as u64, tensors: vec![point, intercept] })
    }
}

impl Descent {
    fn gradient(&self, point: &[f64], batch: std::ops::Range<usize>) -> Result<Vec<f64>, TrainerError> {
        let x = &self.rows.columns;
        let columns = x.iter().map(|c| (String::new(), c[batch.clone()].to_vec())).collect();
        let (coefficients, intercept) = point.split_at(x.count());
        let part = Columns::from_columns(batch.len(), columns);
        let sums = part.and_then(|part| {
            statistics::residual_sums(&part, &self.rows.labels[batch], coefficients, intercept.iter().sum())
        });
        sums.map_err(|e| TrainerError::new(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rows(first: u32) -> TrainingRows {
        let x: Vec<f64> = (0..300u32).map(|i| f64::from((i * 37 + first) % 101) / 50.0 - 1.0).collect();
        let labels =
            x.iter().enumerate().map(|(i, x)| u8::from(x + f64::from(i as u32 * 13 % 7) / 3.5 > 1.0)).collect();
        let shape = |name: &str, shape: Vec<u32>| TensorShape { name: name.into(), shape };
        let tensors = vec![shape("coefficients", vec![1]), shape("intercept", vec![])];
        TrainingRows { columns: Columns::from_columns(300, vec![("x".into(), x)]).unwrap(), labels, tensors }
    }

    #[test]
    fn averaging_comes_near_the_pooled_fit() {
        let parts = [rows(0), rows(17), rows(40)];
        let mut trainers: Vec<_> = parts.into_iter().map(|rows| LogisticTrainer.start(rows).unwrap()).collect();
        let mut model = vec![vec![0.0], vec![0.0]];
        for round in 0..60 {
            let task = Task { round, epochs: 2, proximal: 0.0, tensors: &model };
            let updates: Vec<Update> = trainers.iter_mut().map(|t| t.train(task).unwrap()).collect();
            model = (0..2).map(|i| vec![updates.iter().map(|u| u.tensors[i][0]).sum::<f64>() / 3.0]).collect();
        }
        let all = [rows(0), rows(17), rows(40)];
        let x: Vec<f64> = all.iter().flat_map(|r| r.columns.column(0).to_vec()).collect();
        let labels: Vec<u8> = all.iter().flat_map(|r| r.labels.clone()).collect();
        let central = crate::logistic::fit(&Columns::from_columns(900, vec![("x".into(), x)]).unwrap(), &labels, 0.0);
        let central = central.unwrap();
        assert!((model[0][0] / central.coefficients[0] - 1.0).abs() < 0.1, "{model:?} {central:?}");
    }

    #[test]
    fn a_proximal_term_holds_the_model_back() {
        let mut trainer = LogisticTrainer.start(rows(3)).unwrap();
        let start = vec![vec![0.0], vec![0.0]];
        let mut moved = |proximal| {
            let update = trainer.train(Task { round: 0, epochs: 5, proximal, tensors: &start }).unwrap();
            update.tensors[0][0].abs()
        };
        let (free, held) = (moved(0.0), moved(5.0));
        assert!(held < free && held > 0.0, "{held} {free}");
    }

    #[test]
    fn other_tensors_are_refused() {
        let mut other = rows(0);
        other.tensors.pop();
        assert!(LogisticTrainer.start(other).is_err());
        let mut trainer = LogisticTrainer.start(rows(0)).unwrap();
        assert!(trainer.train(Task { round: 0, epochs: 1, proximal: 0.0, tensors: &[vec![0.0]] }).is_err());
    }
}
