"""A trainer for FedAvg and FedProx in plain Python: logistic regression (spec/pooled.md, section 4).

The node starts the program that its configuration names and speaks JSON lines with it over standard input and output:

    {"type":"start","columns":["x0","x1"],"rows_file":"rows.csv","label":"y",
     "tensors":[{"name":"coefficients","shape":[2]},{"name":"intercept","shape":[]}]}
                                          → {"type":"ready","rows":600}
    {"type":"train","round":0,"epochs":2,"proximal":0.0,"tensors":{"coefficients":[0,0],"intercept":[0]}}
                                          → {"type":"update","rows":600,"tensors":{"coefficients":[…],"intercept":[…]}}
    {"type":"stop"}                       → the program ends

Tensors are flat lists. Diagnostics go to standard error; whatever else ends the program ends its part in the round.
"""
import csv
import json
import math
import sys


def read_rows(message):
    """[(label, [cell])]; an empty cell counts as 0, the mean of a standardised column."""
    with open(message["rows_file"], newline="") as file:
        return [(float(row[message["label"]]), [float(row[name] or 0) for name in message["columns"]])
                for row in csv.DictReader(file)]


def check_tensors(message):
    expected = [("coefficients", [len(message["columns"])]), ("intercept", [])]
    if [(t["name"], t["shape"]) for t in message["tensors"]] != expected:
        sys.exit("this trainer fits logistic regression: tensors coefficients [columns] and intercept []")


def sigmoid(s):
    return 1 / (1 + math.exp(-s)) if s >= 0 else math.exp(s) / (1 + math.exp(s))


def gradient(rows, weights, centre, proximal):
    """Of the mean log loss + ½·proximal·‖weights − centre‖²; the intercept is last."""
    out = [proximal * (w - c) for w, c in zip(weights, centre)]
    for label, cells in rows:
        x = [*cells, 1.0]
        residual = sigmoid(sum(w * v for w, v in zip(weights, x))) - label
        for i, v in enumerate(x):
            out[i] += residual * v / len(rows)
    return out


def train(rows, message):
    """An epoch is one step over all rows, as long as it surely lowers the objective."""
    centre = [*message["tensors"]["coefficients"], *message["tensors"]["intercept"]]
    weights, proximal = list(centre), message["proximal"]
    curvature = sum(1 + sum(v * v for v in cells) for _, cells in rows) / len(rows) / 4 + proximal
    for _ in range(message["epochs"]):
        weights = [w - g / curvature for w, g in zip(weights, gradient(rows, weights, centre, proximal))]
    return {"coefficients": weights[:-1], "intercept": weights[-1:]}


def answer(message, rows):
    if message["type"] == "start":
        check_tensors(message)
        rows += read_rows(message)
        return {"type": "ready", "rows": len(rows)}
    return {"type": "update", "rows": len(rows), "tensors": train(rows, message)}


def main():
    rows = []
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "stop":
            break
        print(json.dumps(answer(message, rows)), flush=True)


if __name__ == "__main__":
    main()
