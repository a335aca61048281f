"""pooled.md: statistics of rows, Newton's method on their sums, bins, and averages of models.

Sums are taken as the codecs of aggregate.md have them: each participant's value is rounded once, then all is exact.
"""
import math
import re

import aggregate
from aggregate import COUNT, FIXED, WIDE
from errors import refuse_if
from session import registry

# Section 1: statistics.

STATISTICS = {entry["name"]: entry for entry in registry("statistics")["statistics"]}
CLIPS = {"wide": 60, "count": 40}
USES_LABEL = ("moments", "newton", "histogram")
TENSOR_NAME = re.compile("[a-z0-9_.]{1,64}")


def of_rows(statistic):
    return STATISTICS[statistic]["of"] == "rows"


def tensors_of(statistic, d, buckets=None):
    """(name, codec, shape) of a statistic of rows."""
    return {
        "moments": [("rows", "count", []), ("positive", "count", []), ("present", "count", [d]), ("sum", "wide", [d])],
        "deviations": [("square", "wide", [d])],
        "newton": [("gram", "wide", [(d + 1) * (d + 2) // 2]), ("gradient", "wide", [d + 1]), ("loss", "wide", [])],
        "histogram": [("good", "count", [d, buckets]), ("bad", "count", [d, buckets])],
    }[statistic]


def check_tensors(plan):
    """AGG-6: the plan's tensors are the statistic's."""
    statistic, tensors = plan["statistic"], plan["tensors"]
    refuse_if(statistic not in STATISTICS, "UNSUPPORTED_PLAN", "AGG-6")
    heads = [(t["name"], t["codec"], t["shape"]) for t in tensors]
    if of_rows(statistic):
        d = len(plan["columns"])
        shape = tensors[0]["shape"] if tensors else []
        right = heads == tensors_of(statistic, d, shape[1] if len(shape) == 2 else None)
        right = right and all(t["clip"] == CLIPS[t["codec"]] for t in tensors)
    elif statistic == "vector":
        right = [h[:2] for h in heads] == [("values", "fixed")] and len(heads[0][2]) == 1
    else:
        right = heads[-1:] == [("weight", "count", [])] and len(heads) > 1
        right = right and all(codec == "fixed" and TENSOR_NAME.fullmatch(name) for name, codec, _ in heads[:-1])
    refuse_if(not right, "UNSUPPORTED_PLAN", "AGG-6")


def quantised(codec, value):
    """A participant's value as the exact sum will hold it."""
    scale = 0 if codec == COUNT else 40
    return aggregate.read_back(codec, scale, aggregate.ring_elements(codec, scale, CLIPS["wide"], value))[0]


def summed(codec, parts):
    """parts: a list of values a participant; the exact sums, read back as doubles."""
    return [float(sum(quantised(codec, x) for x in column)) for column in zip(*parts)]


# A row is (label, [cell]); an empty cell is None.

def check_cells(rows, missing):
    empty = any(x is None for _, cells in rows for x in cells)
    refuse_if(empty and missing != "mean", "EMPTY_CELL", "POOL-6")


def moments(rows, d):
    """(rows, positive, present, sum)."""
    columns = [[cells[j] for _, cells in rows if cells[j] is not None] for j in range(d)]
    return [len(rows)], [sum(label for label, _ in rows)], list(map(len, columns)), list(map(math.fsum, columns))


def deviations(rows, mean):
    return [math.fsum((cells[j] - m) ** 2 for _, cells in rows if cells[j] is not None) for j, m in enumerate(mean)]


def standardised(cells, mean, deviation):
    """z of a row, the intercept's 1 last."""
    return [0.0 if x is None else (x - m) / s for x, m, s in zip(cells, mean, deviation)] + [1.0]


def softplus(s):
    return max(s, 0.0) + math.log1p(math.exp(-abs(s)))


def sigmoid(s):
    return 1 / (1 + math.exp(-s)) if s >= 0 else math.exp(s) / (1 + math.exp(s))


def newton(rows, mean, deviation, beta):
    """(gram: the upper triangle row by row, gradient, loss) at beta, the intercept last."""
    size = len(beta)
    gram, gradient, loss = [[] for _ in range(size * (size + 1) // 2)], [[] for _ in range(size)], []
    for label, cells in rows:
        z = standardised(cells, mean, deviation)
        s = math.fsum(a * b for a, b in zip(z, beta))
        p = sigmoid(s)
        pairs = [(i, j) for i in range(size) for j in range(i, size)]
        for terms, (i, j) in zip(gram, pairs):
            terms.append(p * (1 - p) * z[i] * z[j])
        for terms, x in zip(gradient, z):
            terms.append((label - p) * x)
        loss.append(softplus(s) - label * s)
    return list(map(math.fsum, gram)), list(map(math.fsum, gradient)), [math.fsum(loss)]


# Section 2: logistic regression.

def solve(matrix, right):
    """Gaussian elimination with pivots; small and dense."""
    n = len(right)
    rows = [[*row, r] for row, r in zip(matrix, right)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(i + 1, n):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i])]
    out = [0.0] * n
    for i in reversed(range(n)):
        out[i] = (rows[i][n] - math.fsum(rows[i][j] * out[j] for j in range(i + 1, n))) / rows[i][i]
    return out


def newton_step(gram, gradient, beta, penalty):
    """δ at beta: (gram + λI')·δ = gradient − λI'·β."""
    size = len(beta)
    entries = iter(gram)
    matrix = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i, size):
            matrix[i][j] = matrix[j][i] = next(entries)
    penalties = [penalty] * (size - 1) + [0.0]
    for i, x in enumerate(penalties):
        matrix[i][i] += x
    return solve(matrix, [g - x * b for g, x, b in zip(gradient, penalties, beta)])


def standardisation(parts, d, few_rows):
    """Rounds 0 and 1 over the participants' rows: (n, positive, present, sum, mean, square, deviation) (POOL-3)."""
    n, positive, present, total = (
        summed(codec, tensors) for codec, tensors in zip((COUNT, COUNT, COUNT, WIDE),
                                                         zip(*(moments(rows, d) for rows in parts))))
    n, positive = int(n[0]), int(positive[0])
    refuse_if(n < 10 * d and not few_rows, "TOO_FEW_ROWS", "POOL-3")
    refuse_if(positive in (0, n), "ONE_CLASS", "POOL-3")
    refuse_if(0 in present, "CONSTANT_COLUMN", "POOL-3")
    mean = [s / c for s, c in zip(total, present)]
    square = summed(WIDE, [deviations(rows, mean) for rows in parts])
    refuse_if(min(square) <= 2**-36, "CONSTANT_COLUMN", "POOL-3")
    return n, positive, list(map(int, present)), total, mean, square, [math.sqrt(x / n) for x in square]


TOLERANCE, GROWTH = 1e-8, 1e-9


def fit(parts, d, penalty, rounds, few_rows=False):
    """`hlr-1` over the participants' rows, nobody lost: what the coordinator has at the end."""
    n, positive, present, total, mean, square, deviation = standardisation(parts, d, few_rows)
    share = positive / n
    beta = [0.0] * d + [math.log(share / (1 - share))]
    accepted, step, points = None, None, []
    for round_ in range(2, rounds):
        gram, gradient, loss = (summed(WIDE, t) for t in zip(*(newton(rows, mean, deviation, beta) for rows in parts)))
        objective = loss[0] + penalty / 2 * math.fsum(b * b for b in beta[:-1])
        points.append(objective)
        if accepted and objective > accepted[1] + GROWTH * max(1, abs(accepted[1])):
            step = [x / 2 for x in step]
        else:
            accepted, step = (beta, objective), newton_step(gram, gradient, beta, penalty)
        if max(map(abs, step)) <= TOLERANCE:
            return {"n": n, "positive": positive, "present": present, "sum": total, "mean": mean, "square": square,
                    "deviation": deviation, "coefficients": accepted[0][:-1], "intercept": accepted[0][-1],
                    "objective": accepted[1], "rounds": round_ + 1, "objectives": points}
        beta = [b + x for b, x in zip(accepted[0], step)]
    refuse_if(True, "TOO_MANY_ROUNDS", "POOL-4")


# Section 3: binning.

def bucket_bounds(mean, deviation, buckets):
    """(low, width) of a column: mean ± 4 deviations."""
    return mean - 4 * deviation, 8 * deviation / buckets


def bucket(x, low, width, buckets):
    """The last i whose lower edge low + i·width is not above x; values outside fall in the first or last."""
    return max(0, max((i for i in range(buckets) if low + i * width <= x), default=0))


def histogram(rows, j, low, width, buckets):
    """(good, bad) counts of column j."""
    counts = [0] * buckets, [0] * buckets
    for label, cells in rows:
        if cells[j] is not None:
            counts[label][bucket(cells[j], low, width, buckets)] += 1
    return counts


def is_bin(cell, rows):
    """Whether a cell may be a bin of its own."""
    count = cell[1] + cell[2]
    return count >= 50 and 100 * count >= rows and min(cell[1:]) >= 5


def bins_of(cells, most):
    """cells: (first bucket, good, bad); at most `most` bins of the same form."""
    rows = sum(g + b for _, g, b in cells)
    out, current = [], None
    for first, g, b in cells:
        current = (current[0], current[1] + g, current[2] + b) if current else (first, g, b)
        if (current[1] + current[2]) * most >= rows and is_bin(current, rows):
            out.append(current)
            current = None
    if current and out and not is_bin(current, rows):
        first, g, b = out.pop()
        current = (first, g + current[1], b + current[2])
    return out + [current] if current else out


def weights_of_evidence(bins):
    """([WOE], IV) of (good, bad) bins."""
    goods, bads = (sum(column) for column in zip(*bins))
    woe, iv = [], []
    for good, bad in bins:
        if 0 in (good, bad):
            good, bad = good + 0.5, bad + 0.5
        woe.append(math.log((bad / bads) / (good / goods)))
        iv.append((bad / bads - good / goods) * woe[-1])
    return woe, math.fsum(iv)


def binned(good, bad, low, width, most, minimum=0):
    """A column's bins from its summed histogram; edges are the lower ones of all bins but the first."""
    bins = bins_of(aggregate.merge_small(good, bad, minimum), most)
    woe, iv = weights_of_evidence([(g, b) for _, g, b in bins])
    return {"edges": [low + first * width for first, _, _ in bins[1:]], "good": [g for _, g, _ in bins],
            "bad": [b for _, _, b in bins], "woe": woe, "iv": iv}


# Section 4: averages of models.

def update_elements(weight, tensors, scale, clip):
    """A participant's `update`: weight × value in each tensor, as ring elements; tensors: flat lists."""
    return [[e for x in tensor for e in aggregate.ring_elements(FIXED, scale, clip, weight * x)] for tensor in tensors]


def averaged(weights, parts, scale):
    """The new model from the ring elements of all participants."""
    total = sum(weights)
    return [[float(aggregate.read_back(FIXED, scale, [sum(column)])[0] / total) for column in zip(*tensor)]
            for tensor in zip(*parts)]
