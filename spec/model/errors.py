"""errors.md: a refusal carries a name of the registry and the requirement that it enforces."""
import json
import pathlib

REGISTRY = pathlib.Path(__file__).resolve().parent.parent / "registry"
CODES = {e["name"]: e["code"] for e in json.loads((REGISTRY / "errors.json").read_text())["errors"]}


class Refusal(Exception):
    """What a receiver answers instead of going on."""

    def __init__(self, name, clause, party=None):
        if name not in CODES:
            raise KeyError(name)
        super().__init__(f"{name} ({clause})")
        self.name, self.code, self.clause, self.party = name, CODES[name], clause, party


def refuse_if(condition, name, clause, party=None):
    """`party` is the rank that the refusal names, where the text names one."""
    if condition:
        raise Refusal(name, clause, party)
