"""The client against real nodes: trust, publish, train, score one applicant, refusals.

    HEFU=target/debug/hefu python3 -m unittest discover -s clients/python -t clients/python

Skips, saying so, where a package or the binary is missing.
"""
import contextlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

from tests import nodes

BANK, TAX = "uscc:91440300YY00001320", "uscc:11440300YY00001403"
ROWS = 400


def tables():
    """A bank's and a tax bureau's rows as CSV texts: the label depends on the first column of each."""
    draw = random.Random(7)
    bank, tax = ["id,y,x0,x1,x2"], ["id,t0,t1,t2"]
    for i in range(ROWS):
        own, other = ([draw.gauss(0, 1) for _ in range(3)] for _ in range(2))
        bad = int(draw.gauss(0, 1) + own[0] + other[0] > 1)
        bank.append(f"E{i:04},{bad}," + ",".join(f"{x:.4f}" for x in own))
        tax.append(f"E{i:04}," + ",".join(f"{x:.4f}" for x in other))
    return "\n".join(bank) + "\n", "\n".join(tax) + "\n"


def plan(own, other):
    return {"kind": "train", "dataset": own, "purpose": "origination", "outputs": ["model", "score"], "join": "inner",
            "missing": "error", "lambda": 1.0, "max_evaluations": 40,
            "collaborator": [{"party": "tax", "dataset": other}]}


@unittest.skipIf(nodes.missing(), nodes.missing())
class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = nodes.load_client()
        cls.open = contextlib.ExitStack()
        cls.addClassCleanup(cls.open.close)
        folder = pathlib.Path(cls.open.enter_context(tempfile.TemporaryDirectory()))
        cls.bank = nodes.party(folder, BANK, "bank")
        cls.tax = nodes.party(folder, TAX, "tax", nodes.allow(BANK, "tax-2026", ["model", "score"]))
        nodes.trust(cls.tax, cls.bank, "bank")
        for config, text in zip((cls.bank, cls.tax), tables()):
            cls.open.enter_context(nodes.serving(config))
            (config.parent / "rows.csv").write_text(text)
        # Only now does the descriptor hold the address that the tax bureau's node has bound.
        nodes.trust(cls.bank, cls.tax, "tax")

    def train(self, node):
        job = node.submit(plan("loans", "tax-2026"))
        seen = []
        ended = node.wait(job, progress=lambda j: seen.append(j.stage))
        self.assertEqual((ended.state, ended.kind), ("SUCCEEDED", "train"))
        self.assertTrue(seen)
        return node.result(job), ended.model

    def test_a_decision_engine_from_publishing_to_one_score(self):
        with self.client.Node.connect(self.bank) as bank, self.client.Node.connect(self.tax) as tax:
            self.assertEqual((bank.status().party, tax.status().party), (BANK, TAX))
            loans = bank.publish("loans", self.bank.parent / "rows.csv", "id", label="y")
            self.assertEqual((loans.rows, list(loans.columns)), (ROWS, ["x0", "x1", "x2"]))
            tax.publish("tax-2026", self.tax.parent / "rows.csv", "id")
            result, model = self.train(bank)
            self.assertEqual(result["rows"]["matched"], ROWS)
            self.assertIn(model, bank.models())
            self.assertEqual(bank.model(model)["model"], model)
            applicants = [{"id": "E0001", "x0": -3.0, "x1": 0.0, "x2": 0.0},
                          {"id": "E0002", "x0": 3.0, "x1": 0.0, "x2": 0.0}]
            scores = bank.score([*applicants, {"id": "nobody", "x0": 0.0, "x1": 0.0, "x2": 0.0}], model, "id",
                                {"tax": "tax-2026"})
            self.assertEqual(set(scores), {"E0001", "E0002"})
            self.assertTrue(all(0 < p < 1 for p in scores.values()))
        self.example(model, "E0002", scores["E0002"])

    def example(self, model, key, expected):
        """The example program gives the same score, as one JSON object."""
        arguments = ["--config", self.bank, "--model", model, "--key", "id", "--with", "tax=tax-2026", f"id={key}",
                     "x0=3.0", "x1=0.0", "x2=0.0"]
        done = subprocess.run([sys.executable, nodes.CLIENT / "examples" / "score_one.py", *arguments],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual(told["key"], key)
        self.assertAlmostEqual(told["probability"], expected, delta=1e-6)

    def test_refusals_carry_code_cause_and_next_step(self):
        with self.client.Node.connect(self.bank) as bank:
            with self.assertRaises(self.client.Refused) as caught:
                bank.result("00" * 16)
            self.assertEqual((caught.exception.code, caught.exception.name), (4010, "UNKNOWN_JOB"))
            with self.assertRaises(self.client.Refused) as caught:
                bank.publish("other", self.bank.parent / "rows.csv", "no such column")
            self.assertEqual(caught.exception.name, "MISSING_COLUMN")
            self.assertTrue(caught.exception.cause and caught.exception.next)

    def test_a_refused_job_ends_the_waiting_with_its_reason(self):
        with self.client.Node.connect(self.bank) as bank:
            bank.publish("more", self.bank.parent / "rows.csv", "id", label="y")
            job = bank.submit(plan("more", "no-such"))
            with self.assertRaises(self.client.Failed) as caught:
                bank.wait(job)
            self.assertEqual((caught.exception.code, caught.exception.name), (3001, "NOT_ALLOWED"))
            self.assertTrue(caught.exception.cause and caught.exception.next)

    def test_a_node_that_never_ran_is_unreachable(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "node.toml"
            config.write_text(f'[party]\nid = "{BANK}"\n')
            with self.assertRaises(self.client.Unreachable):
                self.client.Node.connect(config)


if __name__ == "__main__":
    unittest.main()
