//! A party's block of training in plain binary64 (vlr sections 1, 6 and 8), each number with a bound of how far another
//! implementation's may lie from it.

/// Numbers and, for each, the largest difference that is no fault.
#[derive(Debug, Clone, Default)]
pub struct Bounded {
    /// Values.
    pub value: Vec<f64>,
    /// Largest differences.
    pub error: Vec<f64>,
}

impl Bounded {
    fn zero(count: usize) -> Bounded {
        Bounded { value: vec![0.0; count], error: vec![0.0; count] }
    }

    fn reach(&self) -> Vec<f64> {
        self.value.iter().zip(&self.error).map(|(v, e)| v.abs() + e).collect()
    }

    fn size(&self) -> Vec<f64> {
        self.value.iter().map(|v| v.abs()).collect()
    }
}

/// Binary64 sums of some hundred terms differ by their order: far less than this, relatively.
const ROUNDING: f64 = 1e-11;
/// Largest |σ″|.
const CURVATURE: f64 = 0.0963;

/// A square matrix, row by row.
type Matrix = Vec<Vec<f64>>;

/// Columns standardised on training rows.
#[derive(Debug, Clone)]
pub struct Standard {
    /// Training rows, by column.
    pub training: Vec<Vec<f64>>,
    /// Test rows, by column.
    pub test: Vec<Vec<f64>>,
}

/// Standardises raw rows, the first `training` of them training rows; an unmatched row is `None`. Under `left` the
/// column
/// `missing` is appended unless it is constant.
pub fn standardise(rows: &[Option<Vec<f64>>], training: usize, left: bool) -> Standard {
    let columns = rows.iter().flatten().map(Vec::len).next().unwrap_or(0);
    let mut raw: Vec<Vec<Option<f64>>> =
        (0..columns).map(|j| rows.iter().map(|row| row.as_ref().map(|row| row[j])).collect()).collect();
    let missing: Vec<Option<f64>> = rows.iter().map(|row| Some(f64::from(u8::from(row.is_none())))).collect();
    if left && missing[..training].iter().any(|m| *m != missing[0]) {
        raw.push(missing);
    }
    let mut out = Standard { training: Vec::new(), test: Vec::new() };
    for column in raw {
        let known: Vec<f64> = column[..training].iter().flatten().copied().collect();
        let count = known.len() as f64;
        let mean = known.iter().sum::<f64>() / count;
        let deviation = (known.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count).sqrt();
        let one = |v: &Option<f64>| v.map_or(0.0, |v| (v - mean) / deviation);
        out.training.push(column[..training].iter().map(one).collect());
        out.test.push(column[training..].iter().map(one).collect());
    }
    out
}

/// Values of rows under a point: X·β.
pub fn predictor(x: &[Vec<f64>], point: &[f64], rows: usize) -> Vec<f64> {
    (0..rows).map(|i| x.iter().zip(point).map(|(column, b)| column[i] * b).sum()).collect()
}

/// How far these may lie off.
pub fn predictor_error(x: &[Vec<f64>], point: &Bounded, rows: usize) -> Vec<f64> {
    let terms = |i: usize| x.iter().enumerate().map(move |(j, column)| (j, column[i].abs()));
    let row = |i| terms(i).map(|(j, x)| x * (point.error[j] + ROUNDING * point.value[j].abs())).sum();
    (0..rows).map(row).collect()
}

/// The logistic function.
pub fn sigmoid(s: f64) -> f64 {
    1.0 / (1.0 + (-s).exp())
}

/// A party's block.
pub struct Block {
    /// Standardised columns; rank 0's ends with the column of ones.
    pub x: Vec<Vec<f64>>,
    rows: usize,
    intercept: bool,
    mean: f64,
    lambda: f64,
    metric: Matrix,
    metric_error: Matrix,
    inverse: Matrix,
    inverse_error: Matrix,
    /// The current point.
    pub point: Bounded,
    points: Vec<Bounded>,
    gradients: Vec<Bounded>,
    directions: Vec<Bounded>,
}

impl Block {
    /// The block at the start. `positives` of the rows have label 1.
    pub fn new(mut x: Vec<Vec<f64>>, intercept: bool, rows: usize, positives: usize, lambda: f64) -> Block {
        if intercept {
            x.push(vec![1.0; rows]);
        }
        let (count, mean) = (x.len(), positives as f64 / rows as f64);
        let mut point = Bounded::zero(count);
        if intercept {
            point.value[count - 1] = (mean / (1.0 - mean)).ln();
        }
        let zero = vec![vec![0.0; count]; count];
        let mut block = Block {
            x,
            rows,
            intercept,
            mean,
            lambda,
            metric: zero.clone(),
            metric_error: zero.clone(),
            inverse: zero.clone(),
            inverse_error: zero,
            point,
            points: Vec::new(),
            gradients: Vec::new(),
            directions: Vec::new(),
        };
        block.weigh(&vec![mean * (1.0 - mean); rows], &vec![0.0; rows]);
        block
    }

    /// Columns.
    pub fn count(&self) -> usize {
        self.x.len()
    }

    /// Accepted evaluations.
    pub fn accepted(&self) -> usize {
        self.points.len()
    }

    /// The point of an accepted evaluation.
    pub fn point_of(&self, e: usize) -> Option<&Bounded> {
        self.points.get(e)
    }

    /// ⌊2^22·x⌉ of a column.
    pub fn fixed(&self, j: usize) -> Vec<i128> {
        self.x[j].iter().map(|v| (v * super::vlr::COLUMN).round() as i128).collect()
    }

    /// z of the training rows.
    pub fn predictor(&self) -> Vec<f64> {
        predictor(&self.x, &self.point.value, self.rows)
    }

    /// How far z may lie off, row by row.
    pub fn predictor_error(&self) -> Vec<f64> {
        predictor_error(&self.x, &self.point, self.rows)
    }

    fn weigh(&mut self, weights: &[f64], errors: &[f64]) {
        let (count, n) = (self.count(), self.rows as f64);
        for j in 0..count {
            for k in 0..count {
                let terms = |w: &[f64]| -> f64 { (0..self.rows).map(|i| self.x[j][i] * self.x[k][i] * w[i]).sum() };
                let penalised = j == k && !(self.intercept && j + 1 == count);
                self.metric[j][k] = (terms(weights) + if penalised { self.lambda } else { 0.0 }) / n;
                let size: f64 = (0..self.rows).map(|i| (self.x[j][i] * self.x[k][i]).abs() * errors[i]).sum();
                self.metric_error[j][k] = size / n + ROUNDING * self.metric[j][j].max(self.metric[k][k]);
            }
        }
        self.inverse = inverted(&self.metric);
        // M⁻¹·δM·M⁻¹, and a little for its own square.
        let absolute: Matrix = self.inverse.iter().map(|row| row.iter().map(|v| v.abs()).collect()).collect();
        let product = multiplied(&multiplied(&absolute, &self.metric_error), &absolute);
        self.inverse_error = product.iter().map(|row| row.iter().map(|v| v * 1.01 + ROUNDING).collect()).collect();
    }

    /// Accepts the evaluation at the current point: Σ x·e of every column. Returns the scalars of section 8.
    pub fn accept(&mut self, sums: &Bounded) -> Bounded {
        let (n, count) = (self.rows as f64, self.count());
        let penalty = |j: usize| if self.intercept && j + 1 == count { 0.0 } else { self.lambda };
        let gradient = Bounded {
            value: (0..count).map(|j| (sums.value[j] + penalty(j) * self.point.value[j]) / n).collect(),
            error: (0..count).map(|j| (sums.error[j] + penalty(j) * self.point.error[j]) / n).collect(),
        };
        self.points.push(self.point.clone());
        self.gradients.push(gradient);
        if self.accepted() == 3 {
            self.refresh();
        } else {
            let direction = self.solve(&self.gradients[self.accepted() - 1]);
            self.directions.push(direction);
        }
        self.scalars()
    }

    /// Takes the last evaluation back.
    pub fn retract(&mut self) {
        self.points.pop();
        self.gradients.pop();
        self.directions.pop();
    }

    /// Moves to Σ points·β + Σ gradients·M⁻¹g.
    pub fn step(&mut self, points: &[f64], gradients: &[f64]) {
        let mut next = Bounded::zero(self.count());
        let terms = points.iter().zip(&self.points).chain(gradients.iter().zip(&self.directions));
        for (factor, vector) in terms {
            for j in 0..next.value.len() {
                next.value[j] += factor * vector.value[j];
                next.error[j] += factor.abs() * (vector.error[j] + ROUNDING * vector.value[j].abs());
            }
        }
        self.point = next;
    }

    fn solve(&self, gradient: &Bounded) -> Bounded {
        let mut out = Bounded::zero(self.count());
        for (j, (row, error)) in self.inverse.iter().zip(&self.inverse_error).enumerate() {
            for k in 0..row.len() {
                let (g, dg) = (gradient.value[k], gradient.error[k]);
                out.value[j] += row[k] * g;
                out.error[j] += row[k].abs() * dg + error[k] * (g.abs() + dg);
            }
        }
        out
    }

    /// W = σ′(α₀ + z), z without the intercept, α₀ such that the mean of σ is that of the labels.
    fn refresh(&mut self) {
        let mut point = self.point.clone();
        if self.intercept {
            let last = point.value.len() - 1;
            point.value[last] = 0.0;
        }
        let z = predictor(&self.x, &point.value, self.rows);
        let errors = predictor_error(&self.x, &point, self.rows);
        let (mut low, mut high) = (-100.0, 100.0);
        for _ in 0..200 {
            let middle = (low + high) / 2.0;
            let excess: f64 = z.iter().map(|z| sigmoid(middle + z) - self.mean).sum();
            if excess > 0.0 { high = middle } else { low = middle }
        }
        let weight = |z: &f64| sigmoid(low + z) * (1.0 - sigmoid(low + z));
        // α₀ moves by no more than z does anywhere.
        let worst = errors.iter().fold(1e-11, |a: f64, b| a.max(*b));
        let errors: Vec<f64> = errors.iter().map(|e| CURVATURE * (e + worst)).collect();
        self.weigh(&z.iter().map(weight).collect::<Vec<_>>(), &errors);
        self.directions = self.gradients.iter().map(|g| self.solve(g)).collect();
    }

    fn scalars(&self) -> Bounded {
        let (b, g, e) = (&self.points, &self.gradients, self.accepted() - 1);
        let mut out = Bounded::default();
        let mut push = |pair: (f64, f64)| {
            out.value.push(pair.0);
            out.error.push(pair.1 + ROUNDING * pair.0.abs() + 1e-14);
        };
        let points = |i: usize, j: usize| bilinear(&b[i], &self.metric, &self.metric_error, &b[j]);
        let mixed = |i: usize, j: usize| dot(&b[i], &g[j]);
        let slopes = |i: usize, j: usize| bilinear(&g[i], &self.inverse, &self.inverse_error, &g[j]);
        if e == 2 {
            (0..3).flat_map(|i| (0..=i).map(move |j| (i, j))).for_each(|(i, j)| push(points(i, j)));
            (0..3).flat_map(|i| (0..3).map(move |j| (i, j))).for_each(|(i, j)| push(mixed(i, j)));
            (0..3).flat_map(|i| (0..=i).map(move |j| (i, j))).for_each(|(i, j)| push(slopes(i, j)));
        } else {
            (0..=e).for_each(|j| push(points(e, j)));
            (0..=e).for_each(|j| push(mixed(e, j)));
            (0..e).for_each(|i| push(mixed(i, e)));
            (0..=e).for_each(|j| push(slopes(e, j)));
        }
        out
    }
}

fn dot(u: &Bounded, v: &Bounded) -> (f64, f64) {
    let sum = |u: &[f64], v: &[f64]| -> f64 { u.iter().zip(v).map(|(a, b)| a * b).sum() };
    (sum(&u.value, &v.value), sum(&u.reach(), &v.reach()) - sum(&u.size(), &v.size()))
}

fn bilinear(u: &Bounded, m: &Matrix, dm: &Matrix, v: &Bounded) -> (f64, f64) {
    let form = |u: &[f64], v: &[f64], entry: &dyn Fn(usize, usize) -> f64| -> f64 {
        let row = |j: usize| v.iter().enumerate().map(|(k, v)| entry(j, k) * v).sum::<f64>();
        u.iter().enumerate().map(|(j, u)| u * row(j)).sum()
    };
    let value = form(&u.value, &v.value, &|j, k| m[j][k]);
    let reach = form(&u.reach(), &v.reach(), &|j, k| m[j][k].abs() + dm[j][k]);
    (value, reach - form(&u.size(), &v.size(), &|j, k| m[j][k].abs()))
}

fn multiplied(a: &Matrix, b: &Matrix) -> Matrix {
    let entry = |i: usize, j: usize| (0..b.len()).map(|k| a[i][k] * b[k][j]).sum();
    (0..a.len()).map(|i| (0..a.len()).map(|j| entry(i, j)).collect()).collect()
}

/// Gauss and Jordan, on a positive definite matrix.
fn inverted(matrix: &Matrix) -> Matrix {
    let count = matrix.len();
    let mut rows: Matrix = (0..count)
        .map(|i| matrix[i].iter().copied().chain((0..count).map(|j| f64::from(u8::from(i == j)))).collect())
        .collect();
    for pivot in 0..count {
        let scale = rows[pivot][pivot];
        rows[pivot].iter_mut().for_each(|v| *v /= scale);
        let row = rows[pivot].clone();
        for (_, other) in rows.iter_mut().enumerate().filter(|(i, _)| *i != pivot) {
            let factor = other[pivot];
            other.iter_mut().zip(&row).for_each(|(v, r)| *v -= factor * r);
        }
    }
    rows.into_iter().map(|row| row[count..].to_vec()).collect()
}
