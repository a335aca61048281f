"""Makes default_credit_pooled.json: the fit of all banks' rows in one place, by numpy alone.

    python make_pooled.py FOLDER_OF_THE_DATA > default_credit_pooled.json
"""
import csv
import json
import sys
from pathlib import Path

import numpy as np

BANKS = ["guest", "host_1", "host_2"]
PENALTY = 1.0


def load(path, rows=None):
    table = list(csv.DictReader(open(path)))[:rows]
    names = [name for name in table[0] if name not in ("id", "y")]
    return names, np.array([[float(row[n]) for n in names] for row in table]), np.array([float(row["y"]) for row in table])


def fit(x, y):
    mean, deviation = x.mean(0), x.std(0)
    z = np.c_[(x - mean) / deviation, np.ones(len(x))]
    beta = np.zeros(z.shape[1])
    beta[-1] = np.log(y.mean() / (1 - y.mean()))
    penalty = np.eye(len(beta)) * PENALTY
    penalty[-1, -1] = 0
    for _ in range(50):
        p = 1 / (1 + np.exp(-z @ beta))
        step = np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + penalty, z.T @ (p - y) + penalty @ beta)
        beta -= step
        if abs(step).max() < 1e-13:
            break
    return mean, deviation, beta


def auc(scores, y):
    order = np.argsort(scores, kind="mergesort")
    ranks, first = np.empty(len(scores)), 0
    while first < len(scores):
        last = first
        while last + 1 < len(scores) and scores[order[last + 1]] == scores[order[first]]:
            last += 1
        ranks[order[first : last + 1]] = (first + last) / 2 + 1
        first = last + 1
    positive = y.sum()
    return (ranks[y == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(y) - positive))


def case(folder, rows):
    parts = [load(folder / f"default_credit_homo_{bank}.csv", rows) for bank in BANKS]
    names = parts[0][0]
    columns = lambda part: part[1][:, [part[0].index(name) for name in names]]
    test = load(folder / "default_credit_homo_test.csv")
    judged = columns(test)
    mean, deviation, beta = fit(np.vstack([columns(p) for p in parts]), np.concatenate([p[2] for p in parts]))
    alone = {}
    for bank, part in zip(BANKS, parts):
        m, d, b = fit(columns(part), part[2])
        alone[bank] = auc(((judged - m) / d) @ b[:-1], test[2])
    return {
        "rows": rows,
        "coefficients": dict(zip(names, beta[:-1])),
        "intercept": beta[-1],
        "auc_pooled": auc(((judged - mean) / deviation) @ beta[:-1], test[2]),
        "auc_alone": alone,
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    print(json.dumps([case(folder, None), case(folder, 400)], indent=1))
