"""A trainer for FedAvg and FedProx with scikit-learn's SGDClassifier (spec/pooled.md, section 4).

Needs numpy and scikit-learn. The messages are those of trainer_plain.py, which also reads and checks them here.
"""
import json
import sys

import numpy
from sklearn.linear_model import SGDClassifier

import trainer_plain

RATE = 0.05


class Trainer:
    def start(self, message):
        trainer_plain.check_tensors(message)
        rows = trainer_plain.read_rows(message)
        self.labels = numpy.array([label for label, _ in rows])
        self.cells = numpy.array([cells for _, cells in rows])
        return {"type": "ready", "rows": len(rows)}

    def train(self, message):
        """Stochastic gradient descent from the round's model, epoch by epoch.

        FedProx: after each epoch the proximal operator of ½·proximal·‖w − w_round‖² for the length of that epoch."""
        centre = [numpy.array(message["tensors"][name], dtype=float) for name in ("coefficients", "intercept")]
        weights, pull = list(centre), RATE * message["proximal"] * len(self.labels)
        for epoch in range(message["epochs"]):
            model = SGDClassifier(loss="log_loss", penalty=None, learning_rate="constant", eta0=RATE, max_iter=1,
                                  tol=None, random_state=message["round"] * 1000 + epoch)
            # fit writes into the arrays that it starts from.
            model.fit(self.cells, self.labels, coef_init=weights[0].copy(), intercept_init=weights[1].copy())
            weights = [(w + pull * c) / (1 + pull) for w, c in zip((model.coef_[0], model.intercept_), centre)]
        return {"type": "update", "rows": len(self.labels),
                "tensors": {"coefficients": weights[0].tolist(), "intercept": weights[1].tolist()}}


def main():
    trainer = Trainer()
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "stop":
            break
        print(json.dumps(trainer.start(message) if message["type"] == "start" else trainer.train(message)), flush=True)


if __name__ == "__main__":
    main()
