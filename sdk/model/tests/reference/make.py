"""Makes default_credit.json: python3 make.py FOLDER > default_credit.json

FOLDER holds default_credit_hetero_guest.csv and default_credit_hetero_host.csv. Needs numpy, scipy, pandas, scikit-learn.
Fits by scikit-learn's newton-cholesky solver, then one more Newton step must move nothing by 1e-11.
"""
import hashlib
import json
import sys

import numpy as np
import pandas as pd
import scipy
import sklearn
from scipy.stats import ks_2samp, norm, rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score


def is_test(key):
    return int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:8], "big") % 10 < 3


def standardised(values, matched, test):
    """Mean and population deviation over matched training rows; 0 where unmatched; the column `missing` last."""
    own = matched & ~test
    out = np.where(matched[:, None], (values - values[own].mean(0)) / values[own].std(0), 0.0)
    absent = (~matched).astype(float)
    if 0 < absent[~test].sum() < (~test).sum():
        mean, deviation = absent[~test].mean(), absent[~test].std()
        out = np.column_stack([out, (absent - mean) / deviation])
    return out


def fit(x, y):
    model = LogisticRegression(C=1.0, solver="newton-cholesky", tol=1e-13, max_iter=1000).fit(x, y)
    beta = np.append(model.coef_[0], model.intercept_[0])
    a = np.column_stack([x, np.ones(len(x))])
    penalty = np.ones(len(beta))
    penalty[-1] = 0.0
    p = 1 / (1 + np.exp(-a @ beta))
    step = np.linalg.solve((a.T * (p * (1 - p))) @ a + np.diag(penalty), a.T @ (p - y) + penalty * beta)
    assert abs(step).max() < 1e-7, abs(step).max()
    beta -= step
    p = 1 / (1 + np.exp(-a @ beta))
    step = np.linalg.solve((a.T * (p * (1 - p))) @ a + np.diag(penalty), a.T @ (p - y) + penalty * beta)
    assert abs(step).max() < 1e-11, abs(step).max()
    return beta[:-1], beta[-1]


def delong(score, y):
    bad, good = score[y == 1], score[y == 0]
    m, n = len(bad), len(good)
    both = rankdata(np.concatenate([bad, good]))
    v10 = (both[:m] - rankdata(bad)) / n
    v01 = 1 - (both[m:] - rankdata(good)) / m
    half = norm.ppf(0.975) * np.sqrt(v10.var(ddof=1) / m + v01.var(ddof=1) / n)
    return [v10.mean() - half, v10.mean() + half]


def bootstrap(score, y):
    rng = np.random.default_rng(0)
    bad, good = score[y == 1], score[y == 0]
    draws = [ks_2samp(rng.choice(bad, len(bad)), rng.choice(good, len(good)), method="asymp").statistic for _ in range(1000)]
    return list(np.percentile(draws, [2.5, 97.5]))


def measures(score, y):
    ks = ks_2samp(score[y == 1], score[y == 0]).statistic
    return {"auc": roc_auc_score(y, score), "auc_ci": delong(score, y), "ks": ks, "ks_ci": bootstrap(score, y)}


def case(guest, host, agencies, left):
    y = guest.y.to_numpy()
    test = np.array([is_test(key) for key in guest.id])
    columns = [standardised(guest[[f"x{i}" for i in range(13)]].to_numpy(), np.ones(len(y), bool), test)]
    for agency in agencies:
        values = guest[["id"]].merge(host, on="id", how="left")[[f"x{i}" for i in agency["columns"]]].to_numpy()
        matched = guest.id.to_numpy() % agency["absent_modulo"] != 0 if agency["absent_modulo"] else np.ones(len(y), bool)
        columns.append((values, matched))
    kept = np.ones(len(y), bool) if left else np.all([m for _, m in columns[1:]], axis=0)
    y, test, guest = y[kept], test[kept], guest[kept]
    parts = [standardised(guest[[f"x{i}" for i in range(13)]].to_numpy(), np.ones(len(y), bool), test)]
    parts += [standardised(values[kept], matched[kept], test) for values, matched in columns[1:]]
    joint = np.column_stack(parts)
    beta, intercept = fit(joint[~test], y[~test])
    own, own_intercept = fit(parts[0][~test], y[~test])
    edges = np.cumsum([p.shape[1] for p in parts])[:-1]
    return {
        "join": "left" if left else "inner",
        "agencies": agencies,
        "rows_aligned": int(kept.sum()),
        "train_rows": int((~test).sum()),
        "test_rows": int(test.sum()),
        "intercept": intercept,
        "coefficients": [list(part) for part in np.split(beta, edges)],
        "joint": measures(joint[test] @ beta + intercept, y[test]),
        "alone": measures(parts[0][test] @ own + own_intercept, y[test]),
    }


folder = sys.argv[1]
guest = pd.read_csv(f"{folder}/default_credit_hetero_guest.csv")
host = pd.read_csv(f"{folder}/default_credit_hetero_host.csv")
one = [{"columns": list(range(10)), "absent_modulo": 0}]
two = [{"columns": list(range(5)), "absent_modulo": 0}, {"columns": list(range(5, 10)), "absent_modulo": 0}]
partial = [{"columns": list(range(5)), "absent_modulo": 5}, {"columns": list(range(5, 10)), "absent_modulo": 7}]
made = f"make.py; numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}"
cases = [case(guest, host, a, left) for a, left in [(one, False), (two, False), (partial, False), (partial, True)]]
print(json.dumps({"made": made, "data": "default_credit_hetero_{guest,host}.csv", "lambda": 1.0, "cases": cases}, indent=1))
