"""The example trainers at work: three banks average models that these programs train, through real nodes."""
import contextlib
import importlib.util
import json
import math
import pathlib
import random
import sys
import tempfile
import unittest

from tests import nodes

PARTIES = {"north": "uscc:91440300YY00001320", "south": "uscc:11440300YY00001403", "west": "uscc:11440300YY00001590"}
TRAINERS = {"plain": "trainer_plain.py", "sklearn": "trainer_sklearn.py"}
PACKAGES = [name for name in ("numpy", "sklearn") if importlib.util.find_spec(name) is None]
ROWS = 200


def table(seed):
    draw = random.Random(seed)
    lines = ["id,y,x0,x1,x2"]
    for i in range(ROWS):
        x = [draw.gauss(0, 1) for _ in range(3)]
        bad = draw.random() < 1 / (1 + math.exp(1 - 1.5 * x[0] + x[1]))
        lines.append(f"E{seed}{i:04},{int(bad)}," + ",".join(f"{10 * v + 3:.4f}" for v in x))
    return "\n".join(lines) + "\n"


def configured(name, file):
    """A trainer's entry of a configuration file."""
    command = [sys.executable, str(nodes.ROOT / "examples" / file)]
    return f'[[trainer]]\nname = "{name}"\ncommand = {json.dumps(command)}\n'


@unittest.skipIf(nodes.missing(), nodes.missing())
class Federated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = nodes.load_client()
        cls.open = contextlib.ExitStack()
        cls.addClassCleanup(cls.open.close)
        folder = pathlib.Path(cls.open.enter_context(tempfile.TemporaryDirectory()))
        trainers = "".join(configured(*trainer) for trainer in TRAINERS.items())
        cls.configs = {}
        for alias, id_ in PARTIES.items():
            entry = nodes.allow(PARTIES["north"], "loans", ["model"])
            cls.configs[alias] = nodes.party(folder, id_, alias, trainers + entry)
        for seed, config in enumerate(cls.configs.values()):
            cls.open.enter_context(nodes.serving(config))
            (config.parent / "rows.csv").write_text(table(seed))
        for truster in cls.configs:
            for other in cls.configs.keys() - {truster}:
                nodes.trust(cls.configs[truster], cls.configs[other], other)
        for config in cls.configs.values():
            with cls.client.Node.connect(config) as node:
                node.publish("loans", config.parent / "rows.csv", "id", label="y")

    def averaged(self, trainer):
        with self.client.Node.connect(self.configs["north"]) as north:
            job = north.submit({
                "kind": "pool", "method": "average", "trainer": trainer, "epochs": 4, "max_rounds": 6,
                "dataset": "loans", "purpose": "origination", "outputs": ["model"],
                "collaborator": [{"party": name, "dataset": "loans"} for name in ("south", "west")]})
            north.wait(job)
            return north.result(job)

    def check(self, result):
        self.assertEqual(result["survivors"][-1], ["north", "south", "west"])
        self.assertGreater(result["coefficients"]["x0"], 0.3)
        self.assertLess(result["coefficients"]["x1"], -0.2)

    def test_plain_trainer(self):
        self.check(self.averaged("plain"))

    @unittest.skipIf(PACKAGES, f"not installed: {', '.join(PACKAGES)}; the scikit-learn trainer is not tested")
    def test_scikit_learn_trainer(self):
        self.check(self.averaged("sklearn"))

    def test_a_trainer_that_nobody_configured(self):
        with self.assertRaises(self.client.Failed) as caught:
            self.averaged("forest")
        self.assertEqual(caught.exception.name, "UNSUPPORTED_PLAN")


if __name__ == "__main__":
    unittest.main()
