"""pooled.py: Newton on sums against the optimum's own conditions and a direct fit; golden figures; bins."""
import math
import unittest

import pooled as p
from cases.pooled import heavy_tails, rows_of

try:
    import numpy
except ImportError:
    numpy = None
try:
    from sklearn.linear_model import LogisticRegression
except ImportError:
    LogisticRegression = None


def parts_of(lists):
    return [[(row[0], row[1:]) for row in rows] for rows in lists]


def three(d=2, empty=0):
    return parts_of([rows_of(f"participant {i}", 20 + 3 * i, d, empty) for i in range(3)])


def standardised(parts, found):
    rows = [row for rows in parts for row in rows]
    return [p.standardised(cells, found["mean"], found["deviation"]) for _, cells in rows], [y for y, _ in rows]


class Newton(unittest.TestCase):
    def assert_optimum(self, parts, found, penalty):
        """The gradient of the objective vanishes: Σ (y − p)·z_i = λ·β_i, and = 0 for the intercept.

        At the last point |δ_j| is at most 1e-8, and the gradient (gram + λI')·δ."""
        bound = p.TOLERANCE * (len(found["mean"]) + 1) * found["n"] / 4 + penalty * p.TOLERANCE
        z, y = standardised(parts, found)
        beta = [*found["coefficients"], found["intercept"]]
        residuals = [label - p.sigmoid(math.fsum(map(float.__mul__, row, beta))) for row, label in zip(z, y)]
        for i, b in enumerate(beta):
            slope = math.fsum(r * row[i] for r, row in zip(residuals, z))
            self.assertAlmostEqual(slope, penalty * b if i < len(beta) - 1 else 0.0, delta=bound)

    def test_optimum(self):
        for penalty in (0.0, 0.5, 3.0):
            parts = three()
            self.assert_optimum(parts, p.fit(parts, 2, penalty, 12), penalty)

    def test_optimum_with_empty_cells_and_after_halving(self):
        parts = three(3, empty=7)
        self.assert_optimum(parts, p.fit(parts, 3, 1.0, 12), 1.0)
        parts = parts_of(heavy_tails())
        found = p.fit(parts, 2, 0.001, 20)
        self.assertTrue(any(b > a for a, b in zip(found["objectives"], found["objectives"][1:])))
        self.assert_optimum(parts, found, 0.001)

    def test_who_holds_which_row_does_not_matter(self):
        parts = three()
        rows = [row for rows in parts for row in rows]
        one, other = p.fit(parts, 2, 1.0, 12), p.fit([rows[i::4] for i in range(4)], 2, 1.0, 12)
        for name in ("n", "positive", "present", "sum", "rounds"):
            self.assertEqual(one[name], other[name])
        for x, y in zip([*one["coefficients"], one["intercept"]], [*other["coefficients"], other["intercept"]]):
            self.assertAlmostEqual(x, y, delta=1e-10)

    def test_standardisation(self):
        parts = three(2, empty=5)
        found = p.fit(parts, 2, 1.0, 12)
        z, _ = standardised(parts, found)
        for j in range(2):
            self.assertAlmostEqual(math.fsum(row[j] for row in z), 0.0, delta=1e-9)
            self.assertAlmostEqual(math.fsum(row[j] ** 2 for row in z) / len(z), 1.0, delta=1e-9)

    @unittest.skipIf(numpy is None, "numpy is not installed: the model's own elimination is not compared with it")
    def test_solving(self):
        matrix, right = [[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 2.0]], [1.0, 2.0, 3.0]
        for x, y in zip(p.solve(matrix, right), numpy.linalg.solve(matrix, right)):
            self.assertAlmostEqual(x, y, delta=1e-14)

    @unittest.skipIf(LogisticRegression is None, "scikit-learn is not installed: no direct fit to compare with")
    def test_direct_fit(self):
        parts = three()
        found = p.fit(parts, 2, 1.0, 12)
        z, y = standardised(parts, found)
        direct = LogisticRegression(C=1.0, tol=1e-12, max_iter=10000).fit([row[:-1] for row in z], y)
        for x, other in zip(found["coefficients"], direct.coef_[0]):
            self.assertAlmostEqual(x, other, delta=1e-5)

    def test_solving_by_hand(self):
        self.assertEqual(p.solve([[0.0, 2.0], [4.0, 0.0]], [6.0, 8.0]), [2.0, 3.0])


class Bins(unittest.TestCase):
    def test_golden_figures(self):
        woe, iv = p.weights_of_evidence([(90, 10), (60, 40)])
        self.assertEqual([round(x, 6) for x in (*woe, iv)], [-1.098612, 0.693147, 0.716704])
        _, iv = p.weights_of_evidence([(78, 9), (264, 80), (270, 129), (58, 42), (30, 40)])
        self.assertEqual(round(iv, 6), 0.282618)

    def test_bins_keep_every_row_and_their_bounds(self):
        good = [(i * 37) % 23 for i in range(60)]
        bad = [(i * 11) % 7 for i in range(60)]
        rows = sum(good) + sum(bad)
        for most in (1, 2, 5, 8):
            bins = p.bins_of([(i, g, b) for i, (g, b) in enumerate(zip(good, bad))], most)
            self.assertEqual((sum(g for _, g, _ in bins), sum(b for _, _, b in bins)), (sum(good), sum(bad)))
            self.assertLessEqual(len(bins), most)
            for _, g, b in bins:
                self.assertGreaterEqual(g + b, max(50, rows / 100))
                self.assertGreaterEqual(min(g, b), 5)
            self.assertTrue(all(g + b >= rows / most for _, g, b in bins[:-1]))

    def test_buckets(self):
        low, width = p.bucket_bounds(1.0, 0.5, 8)
        self.assertEqual((low, width), (-1.0, 0.5))
        self.assertEqual([p.bucket(x, low, width, 8) for x in (-9, -1.0, -0.5, 2.99, 3.0, 9)], [0, 0, 1, 7, 7, 7])


class Averages(unittest.TestCase):
    def test_weighted_mean(self):
        parts = [p.update_elements(w, [[x]], 40, 13) for w, x in ((600, 0.5), (200, -0.5))]
        self.assertEqual(p.averaged([600, 200], parts, 40), [[0.25]])
