"""The client against real nodes: trust, publish, train, score one applicant, refusals.

    HEFU=target/debug/hefu python3 -m unittest discover -s clients/python -t clients/python

Skips, saying so, where a package or the binary is missing.
"""
import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent.parent
HEFU = pathlib.Path(os.environ.get("HEFU", HERE.parent.parent / "target" / "debug" / "hefu")).resolve()
BANK, TAX = "uscc:91440300YY00001320", "uscc:11440300YY00001403"
ROWS = 400


def missing():
    """Why the tests cannot run, or None."""
    try:
        import grpc  # noqa: F401
        import grpc_tools  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed: see clients/python/requirements.txt"
    return None if HEFU.exists() else f"{HEFU} does not exist: cargo build -p hefu-server"


def load_client():
    """The client over stubs made of the protocol buffers as they are now."""
    subprocess.run([sys.executable, HERE / "generate.py"], check=True)
    import hefu_client
    return hefu_client


def run(*arguments, config):
    done = subprocess.run([HEFU, *arguments, "--json", "--config", config], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{arguments}\n{done.stdout}\n{done.stderr}")


@contextlib.contextmanager
def serving(config):
    """A running node; it stops when its standard input ends."""
    with open(config.parent / "log", "w") as log, subprocess.Popen(
            [HEFU, "serve", "--json", "--until-input-ends", "--config", config], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log, text=True) as node:
        try:
            told = json.loads(node.stdout.readline())
            if "error" in told:
                raise AssertionError(told)
            yield
        finally:
            node.stdin.close()
            try:
                node.wait(10)
            except subprocess.TimeoutExpired:
                node.kill()


def party(folder, id_, alias, more=""):
    home = folder / alias
    home.mkdir()
    config = home / "node.toml"
    config.write_text(f'[party]\nid = "{id_}"\nalias = "{alias}"\nname = "{alias}"\n'
                      f'[listen]\ninterconnect = "127.0.0.1:0"\ncontrol = "127.0.0.1:0"\n{more}')
    run("init", config=config)
    return config


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


@unittest.skipIf(missing(), missing())
class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = load_client()
        cls.open = contextlib.ExitStack()
        cls.addClassCleanup(cls.open.close)
        folder = pathlib.Path(cls.open.enter_context(tempfile.TemporaryDirectory()))
        allow = (f'[[allow]]\nparty = "{BANK}"\ndataset = "tax-2026"\npurpose = "origination"\n'
                 'outputs = ["model", "score"]\napproved = true\n')
        cls.bank, cls.tax = party(folder, BANK, "bank"), party(folder, TAX, "tax", allow)
        run("party", "trust", cls.tax.parent / "state/party.json", "--alias", "tax", config=cls.bank)
        run("party", "trust", cls.bank.parent / "state/party.json", "--alias", "bank", config=cls.tax)
        for config, text in zip((cls.bank, cls.tax), tables()):
            cls.open.enter_context(serving(config))
            (config.parent / "rows.csv").write_text(text)
        # The address of the interconnect side is in the descriptor, which is trusted anew now that the nodes run.
        run("party", "trust", cls.tax.parent / "state/party.json", "--alias", "tax", config=cls.bank)

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
        done = subprocess.run([sys.executable, HERE / "examples" / "score_one.py", *arguments], capture_output=True,
                              text=True)
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
