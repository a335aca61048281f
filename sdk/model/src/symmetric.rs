//! Symmetric matrices: the weighted Gram matrix of columns, and Cholesky factors.
use crate::Columns;
use rayon::prelude::*;

/// Rows whose partial sums are added up before the next ones: fixed, so that no thread count changes a bit.
const PART: usize = 4096;
/// Rows of a panel that stays in the first-level cache.
const PANEL: usize = 128;

/// A dense symmetric matrix, row-major, both halves filled.
#[derive(Clone, PartialEq)]
pub(crate) struct Symmetric {
    size: usize,
    values: Vec<f64>,
}

impl Symmetric {
    /// Zero.
    pub(crate) fn zero(size: usize) -> Self {
        Symmetric { size, values: vec![0.0; size * size] }
    }

    /// Xᵀ·diag(w)·X, in parallel over fixed parts of the rows.
    pub(crate) fn gram(x: &Columns, weights: &[f64]) -> Self {
        let size = x.count();
        let starts: Vec<usize> = (0..x.rows()).step_by(PART).collect();
        let parts: Vec<Symmetric> =
            starts.par_iter().map(|s| part_gram(x, weights, *s, (s + PART).min(x.rows()))).collect();
        let mut sum = Symmetric::zero(size);
        for part in parts {
            for (a, b) in sum.values.iter_mut().zip(part.values) {
                *a += b;
            }
        }
        for i in 0..size {
            for j in i + 1..size {
                sum.values[i * size + j] = sum.values[j * size + i];
            }
        }
        sum
    }

    /// The element (i, j).
    pub(crate) fn at(&mut self, i: usize, j: usize) -> &mut f64 {
        &mut self.values[i * self.size + j]
    }

    /// Row i.
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.size..][..self.size]
    }

    /// Multiplies every element.
    pub(crate) fn scale(&mut self, factor: f64) {
        self.values.iter_mut().for_each(|v| *v *= factor);
    }

    /// The product with a vector.
    pub(crate) fn times(&self, v: &[f64]) -> Vec<f64> {
        (0..self.size).map(|i| dot(self.row(i), v)).collect()
    }

    /// Adds to the diagonal what a Cholesky factorisation needs, usually nothing, and factors.
    ///
    /// The addition starts at 10⁻¹² of the largest diagonal element and grows tenfold; a zero matrix becomes the
    /// identity.
    pub(crate) fn factor(&mut self) -> Cholesky {
        let largest = (0..self.size).map(|i| self.values[i * self.size + i].abs()).fold(0.0, f64::max);
        let mut jitter = if largest > 0.0 { largest * 1e-12 } else { 1.0 };
        loop {
            if let Some(factor) = Cholesky::of(self) {
                return factor;
            }
            (0..self.size).for_each(|i| *self.at(i, i) += jitter);
            jitter *= 10.0;
            if !jitter.is_finite() {
                let mut identity = Symmetric::zero(self.size);
                (0..self.size).for_each(|i| *identity.at(i, i) = 1.0);
                *self = identity;
            }
        }
    }
}

/// The lower triangle of the Gram matrix over rows `start..end`.
fn part_gram(x: &Columns, weights: &[f64], start: usize, end: usize) -> Symmetric {
    let mut sum = Symmetric::zero(x.count());
    let mut weighted = vec![0.0; x.count() * PANEL];
    for first in (start..end).step_by(PANEL) {
        let rows = first..(first + PANEL).min(end);
        for (panel, column) in weighted.chunks_exact_mut(PANEL).zip(x.iter()) {
            for ((p, v), w) in panel.iter_mut().zip(&column[rows.clone()]).zip(&weights[rows.clone()]) {
                *p = v * w;
            }
        }
        add_panel(&mut sum, x, &weighted, rows);
    }
    sum
}

fn add_panel(sum: &mut Symmetric, x: &Columns, weighted: &[f64], rows: std::ops::Range<usize>) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: both features were detected.
        return unsafe { add_panel_avx2(sum, x, weighted, rows) };
    }
    add_panel_with::<2, false>(sum, x, weighted, rows);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn add_panel_avx2(sum: &mut Symmetric, x: &Columns, weighted: &[f64], rows: std::ops::Range<usize>) {
    add_panel_with::<4, true>(sum, x, weighted, rows);
}

/// Adds the products of all pairs of columns, in tiles of 2 × 4.
#[inline(always)]
fn add_panel_with<const LANES: usize, const FUSED: bool>(
    sum: &mut Symmetric,
    x: &Columns,
    weighted: &[f64],
    rows: std::ops::Range<usize>,
) {
    let size = sum.size;
    let left = |i: usize| &weighted[i * PANEL..][..rows.len()];
    let right = |j: usize| &x.column(j)[rows.clone()];
    let mut i = 0;
    while i < size {
        let pair = [left(i), left((i + 1).min(size - 1))];
        let mut j = 0;
        while j <= i + 1 && j < size {
            let four = [0, 1, 2, 3].map(|k| right((j + k).min(size - 1)));
            let tile = tile::<LANES, FUSED>(pair, four);
            for (a, row) in tile.iter().enumerate().filter(|(a, _)| i + a < size) {
                for (b, value) in row.iter().enumerate().filter(|(b, _)| j + b <= i + a) {
                    sum.values[(i + a) * size + j + b] += value;
                }
            }
            j += 4;
        }
        i += 2;
    }
}

#[inline(always)]
fn tile<const LANES: usize, const FUSED: bool>(left: [&[f64]; 2], right: [&[f64]; 4]) -> [[f64; 4]; 2] {
    let length = left[0].len();
    let whole = length - length % LANES;
    let mut lanes = [[[0.0f64; LANES]; 4]; 2];
    let l = left.map(|c| c[..whole].chunks_exact(LANES));
    let r = right.map(|c| c[..whole].chunks_exact(LANES));
    let [l0, l1] = l;
    let [r0, r1, r2, r3] = r;
    for (((((l0, l1), r0), r1), r2), r3) in l0.zip(l1).zip(r0).zip(r1).zip(r2).zip(r3) {
        for (b, r) in [r0, r1, r2, r3].into_iter().enumerate() {
            for k in 0..LANES {
                lanes[0][b][k] = multiply_add::<FUSED>(l0[k], r[k], lanes[0][b][k]);
                lanes[1][b][k] = multiply_add::<FUSED>(l1[k], r[k], lanes[1][b][k]);
            }
        }
    }
    let mut tile = [[0.0; 4]; 2];
    for a in 0..2 {
        for b in 0..4 {
            let tail = dot(&left[a][whole..], &right[b][whole..]);
            tile[a][b] = lanes[a][b].iter().sum::<f64>() + tail;
        }
    }
    tile
}

#[inline(always)]
fn multiply_add<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The lower factor L with L·Lᵀ = A, row-major.
pub(crate) struct Cholesky {
    size: usize,
    lower: Vec<f64>,
}

impl Cholesky {
    /// The factor, `None` where the matrix is not positive definite to working precision.
    pub(crate) fn of(matrix: &Symmetric) -> Option<Cholesky> {
        let size = matrix.size;
        let mut lower = vec![0.0; size * size];
        for i in 0..size {
            let (done, rest) = lower.split_at_mut(i * size);
            let row = &mut rest[..size];
            for j in 0..i {
                let other = &done[j * size..][..size];
                row[j] = (matrix.row(i)[j] - dot(&row[..j], &other[..j])) / other[j];
            }
            let diagonal = matrix.row(i)[i];
            let pivot = diagonal - dot(&row[..i], &row[..i]);
            // Also false for a NaN.
            let positive = pivot > diagonal * 1e-14 && pivot.is_finite();
            if !positive {
                return None;
            }
            row[i] = libm::sqrt(pivot);
        }
        Some(Cholesky { size, lower })
    }

    /// A⁻¹·v.
    pub(crate) fn solve(&self, v: &[f64]) -> Vec<f64> {
        let mut x = v.to_vec();
        for i in 0..self.size {
            let row = &self.lower[i * self.size..][..self.size];
            x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
        }
        for i in (0..self.size).rev() {
            x[i] /= self.lower[i * self.size + i];
            let value = x[i];
            for (j, xj) in x[..i].iter_mut().enumerate() {
                *xj -= self.lower[i * self.size + j] * value;
            }
        }
        x
    }
}

/// The inner product of two vectors.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four running sums, in a fixed order whatever the machine.
    let length = a.len().min(b.len());
    let whole = length - length % 4;
    let mut sums = [0.0; 4];
    for (a, b) in a[..whole].chunks_exact(4).zip(b[..whole].chunks_exact(4)) {
        for k in 0..4 {
            sums[k] += a[k] * b[k];
        }
    }
    let tail: f64 = a[whole..length].iter().zip(&b[whole..length]).map(|(a, b)| a * b).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + tail
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A deterministic value in [−1, 1).
    fn value(i: usize) -> f64 {
        let mixed = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
        (mixed.wrapping_mul(mixed >> 32 | 1) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn columns(rows: usize, count: usize) -> Columns {
        let column = |j: usize| (format!("x{j}"), (0..rows).map(|i| value(i * count + j)).collect());
        Columns::from_columns(rows, (0..count).map(column).collect()).unwrap()
    }

    fn schoolbook(x: &Columns, w: &[f64], i: usize, j: usize) -> f64 {
        (0..x.rows()).map(|r| x.column(i)[r] * w[r] * x.column(j)[r]).sum()
    }

    #[test]
    fn gram_is_the_schoolbook_sum_at_every_shape() {
        for (rows, count) in [(0, 3), (1, 1), (5, 2), (127, 3), (129, 5), (4097, 7), (9000, 10)] {
            let x = columns(rows, count);
            let w: Vec<f64> = (0..rows).map(|i| value(i + 77).abs()).collect();
            let gram = Symmetric::gram(&x, &w);
            for i in 0..count {
                for j in 0..count {
                    let expected = schoolbook(&x, &w, i, j);
                    assert!((gram.row(i)[j] - expected).abs() < 1e-10, "{rows}x{count} at {i},{j}");
                }
            }
        }
    }

    #[test]
    fn both_kernels_agree() {
        let x = columns(131, 9);
        let w = vec![0.25; 131];
        let fast = part_gram(&x, &w, 0, 131);
        let mut plain = Symmetric::zero(9);
        let weighted: Vec<f64> = x.iter().flat_map(|c| c[..PANEL].iter().map(|v| v * 0.25)).collect();
        add_panel_with::<2, false>(&mut plain, &x, &weighted, 0..PANEL);
        let rest: Vec<f64> =
            x.iter().flat_map(|c| (0..PANEL).map(|k| c.get(PANEL + k).map_or(0.0, |v| v * 0.25))).collect();
        add_panel_with::<2, false>(&mut plain, &x, &rest, PANEL..131);
        assert!(fast.values.iter().zip(&plain.values).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn solve_undoes_times() {
        let x = columns(300, 12);
        let mut gram = Symmetric::gram(&x, &vec![1.0; 300]);
        let factor = gram.factor();
        let v: Vec<f64> = (0..12).map(value).collect();
        let back = factor.solve(&gram.times(&v));
        assert!(back.iter().zip(&v).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn a_singular_matrix_is_lifted_a_little() {
        let mut x = columns(50, 2);
        let copy = x.column(0).to_vec();
        x.push("copy", &copy).unwrap();
        let mut gram = Symmetric::gram(&x, &vec![1.0; 50]);
        let before = gram.clone();
        assert!(Cholesky::of(&gram).is_none());
        let factor = gram.factor();
        assert!(gram.values.iter().zip(&before.values).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!(factor.solve(&[1.0, 2.0, 3.0]).iter().all(|v| v.is_finite()));
        assert!(Symmetric::zero(2).factor().solve(&[1.0, 2.0]) == [1.0, 2.0]);
    }
}
