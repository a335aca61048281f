#!/usr/bin/env python3
"""A sample adapter: it lets hefu-conformance set a node up and start its jobs.

One JSON object a line comes in, one goes out (spec/schemas/control.schema.json). This one drives the program `hefu`;
put your own node's commands in place of the methods of Node. Python 3.9, standard library only.
"""
import base64
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BINARY = shutil.which(sys.argv[1]) if len(sys.argv) > 1 else None
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def party_id():
    """A synthetic unified social credit code with its check character (GB 32100-2015)."""
    body = f"91440300YY{secrets.randbelow(10**7):07}"
    total = sum(ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(body))
    return f"uscc:{body}{ALPHABET[-total % 31]}"


class Node:
    """One node: a folder, a configuration file, a process."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="adapter-"))
        self.config = (f'[party]\nid = "{party_id()}"\nname = "Target"\nalias = "target"\n[listen]\n'
                       'interconnect = "127.0.0.1:0"\ncontrol = "127.0.0.1:0"\n[limits]\n'
                       "max_jobs = 4\nidle_timeout_s = 5\n")  # as the target file declares
        self.datasets, self.parties, self.process = [], [], None

    def hefu(self, *arguments):
        done = subprocess.run([BINARY, *arguments, "--config", "node.toml", "--json"], cwd=self.folder,
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{arguments[:2]} ended with {done.returncode}: {done.stderr.strip()[:200]}")
        return json.loads(done.stdout or "{}")

    def load_dataset(self, name, csv, key, label=None):
        (self.folder / f"{name}.csv").write_text(csv, encoding="utf-8")
        self.datasets.append([f"{name}.csv", "--name", name, "--key", key, *(["--label", label] if label else [])])

    def install_agreement(self, descriptor, alias, permits):
        (self.folder / f"{alias}.json").write_text(descriptor, encoding="utf-8")
        self.parties.append([f"{alias}.json", "--alias", alias])
        party = json.loads(base64.b64decode(json.loads(descriptor)["payload"]))["party"]
        for permit in permits:
            fields = {"party": party, **permit, "approved": True}
            lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
            self.config += "\n[[allow]]\n" + "\n".join(lines) + "\n"

    def restart(self):
        first = self.process is None
        self.stop()
        (self.folder / "node.toml").write_text(self.config, encoding="utf-8")
        if first:
            self.hefu("init")
            for arguments in self.parties:
                self.hefu("party", "trust", *arguments)
        address = self.folder / "state" / "address.json"
        address.unlink(missing_ok=True)
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([BINARY, "serve", "--config", "node.toml"], cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not address.exists() or not address.read_text().endswith("}"):
            if self.process.poll() is not None:
                raise RuntimeError(f"the node ended: {(self.folder / 'log').read_text()[:200]}")
            time.sleep(0.01)
        for arguments in self.datasets if first else []:
            self.hefu("dataset", "publish", *arguments)
        return {"address": json.loads(address.read_text())["interconnect"],
                "descriptor": (self.folder / "state" / "party.json").read_text(encoding="utf-8")}

    def start_job(self, kind, dataset, collaborators, purpose, outputs, join, model=None):
        job = {"kind": "train" if kind == "align" else kind, "dataset": dataset, "purpose": purpose, "join": join,
               "outputs": outputs, "collaborator": collaborators, **({"model": model} if model else {})}
        (self.folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        return {"job": self.hefu("job", "submit", "job.json")["job"]}

    def job_status(self, job):
        shown = self.hefu("job", "show", job)
        ended = {"SUCCEEDED": "succeeded", **dict.fromkeys(["FAILED", "CANCELLED", "REJECTED", "EXPIRED"], "failed")}
        failure = shown.get("failure") or {}
        code = {"code": failure["code"], "text": json.dumps(failure)} if failure else {}
        return {"state": ended.get(shown["state"], "running"), **code}

    def result(self, job):
        result = self.hefu("job", "show", job).get("result")
        if result is None:
            raise RuntimeError("the job has no result")
        return {"result": result}

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()


VERBS = ["load_dataset", "install_agreement", "restart", "start_job", "job_status", "result", "stop"]


def main():
    node = None
    for line in sys.stdin:
        request = json.loads(line)
        verb, reply = request.pop("verb"), {}
        try:
            if verb == "hello":
                reply = {"adapter": "sample 1", "artefact": BINARY}
            elif verb == "reset":
                node = close(node) or Node()
            elif verb in VERBS and node:
                reply = getattr(node, verb)(**request) or {}
            else:
                raise RuntimeError("unsupported")
            reply["ok"] = True
        except Exception as error:  # whatever goes wrong is the suite's to hear
            reply = {"ok": False, "error": str(error)}
        print(json.dumps(reply), flush=True)
    close(node)


def close(node):
    if node:
        node.stop()
        shutil.rmtree(node.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
