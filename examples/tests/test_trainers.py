"""Both example trainers over their standard input and output, as a node drives them.

    python3 -m unittest discover -s examples -t examples -v
"""
import csv
import importlib.util
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = [name for name in ("numpy", "sklearn") if importlib.util.find_spec(name) is None]
COLUMNS = ["x0", "x1", "x2"]
TRUE = [1.0, -0.5, 0.0]


def rows_of(seed, count):
    draw = random.Random(seed)
    out = []
    for _ in range(count):
        x = [draw.gauss(0, 1) for _ in COLUMNS]
        p = 1 / (1 + math.exp(0.5 - sum(a * b for a, b in zip(TRUE, x))))
        out.append((int(draw.random() < p), x))
    return out


def loss(rows, tensors):
    """Mean log loss."""
    total = 0.0
    for label, x in rows:
        s = sum(a * b for a, b in zip(tensors["coefficients"], x)) + tensors["intercept"][0]
        total += math.log1p(math.exp(-abs(s))) + max(s, 0) - label * s
    return total / len(rows)


class Running:
    """A trainer in a process of its own."""

    def __init__(self, program, folder, rows):
        path = pathlib.Path(folder) / f"{id(self)}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([["y", *COLUMNS], *([label, *x] for label, x in rows)])
        self.process = subprocess.Popen([sys.executable, HERE / program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.ready = self.ask({
            "type": "start", "columns": COLUMNS, "rows_file": str(path), "label": "y",
            "tensors": [{"name": "coefficients", "shape": [3]}, {"name": "intercept", "shape": []}]})

    def ask(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def train(self, tensors, round_=0, epochs=2, proximal=0.0):
        return self.ask({"type": "train", "round": round_, "epochs": epochs, "proximal": proximal, "tensors": tensors})

    def stop(self):
        _, errors = self.process.communicate(json.dumps({"type": "stop"}) + "\n", timeout=60)
        return self.process.returncode, errors


def averaged(updates):
    """Σ rows·value / Σ rows, as the coordinator has it."""
    total = sum(u["rows"] for u in updates)
    return {name: [sum(u["rows"] * u["tensors"][name][i] for u in updates) / total for i in range(len(values))]
            for name, values in updates[0]["tensors"].items()}


class Trainer:
    """What any trainer of a logistic regression must do."""

    start = {"coefficients": [0.0, 0.0, 0.0], "intercept": [0.0]}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def running(self, seed=1, count=200):
        trainer = Running(self.program, self.folder, rows_of(seed, count))
        self.addCleanup(trainer.process.communicate)
        self.addCleanup(trainer.process.kill)
        return trainer

    def test_ready_update_stop(self):
        trainer = self.running(count=120)
        self.assertEqual(trainer.ready, {"type": "ready", "rows": 120})
        update = trainer.train(self.start)
        self.assertEqual((update["type"], update["rows"]), ("update", 120))
        self.assertEqual({name: len(x) for name, x in update["tensors"].items()}, {"coefficients": 3, "intercept": 1})
        self.assertEqual(trainer.stop(), (0, ""))

    def test_same_message_same_answer(self):
        trainer = self.running()
        self.assertEqual(trainer.train(self.start, 3), trainer.train(self.start, 3))

    def test_federated_rounds_approach_the_pooled_fit(self):
        trainers = [self.running(seed, 100 * seed) for seed in (1, 2, 3)]
        rows = [row for seed in (1, 2, 3) for row in rows_of(seed, 100 * seed)]
        model = self.start
        before = loss(rows, model)
        for round_ in range(8):
            model = averaged([t.train(model, round_, epochs=4) for t in trainers])
        self.assertLess(loss(rows, model), before - 0.05)
        for fitted, true in zip(model["coefficients"], TRUE):
            self.assertLess(abs(fitted - true), 0.5)

    def test_a_proximal_term_holds_the_model_near_the_rounds(self):
        trainer = self.running()
        free, held = trainer.train(self.start, epochs=5), trainer.train(self.start, epochs=5, proximal=100.0)

        def length(update):
            return math.hypot(*update["tensors"]["coefficients"], *update["tensors"]["intercept"])

        self.assertLess(length(held), 0.2 * length(free))


class Plain(Trainer, unittest.TestCase):
    program = "trainer_plain.py"

    def test_other_tensors_end_it_with_a_reason(self):
        trainer = self.running()
        trainer.process.stdin.write(json.dumps({"type": "start", "columns": COLUMNS, "rows_file": "", "label": "y",
                                                "tensors": [{"name": "layer", "shape": [4, 3]}]}) + "\n")
        code, errors = trainer.stop()
        self.assertNotEqual(code, 0)
        self.assertIn("coefficients", errors)


@unittest.skipIf(PACKAGES, f"not installed: {', '.join(PACKAGES)}; the scikit-learn trainer is not tested")
class ScikitLearn(Trainer, unittest.TestCase):
    program = "trainer_sklearn.py"


if __name__ == "__main__":
    unittest.main()
