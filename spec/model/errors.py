"""errors.md: a refusal carries a name of the registry and the requirement that it enforces."""
import json
import pathlib

REGISTRY = pathlib.Path(__file__).resolve().parent.parent / "registry"
CODES = {e["name"]: e["code"] for e in json.loads((REGISTRY / "errors.json").read_text())["errors"]}


class Refusal(Exception):
    """What a receiver answers instead of going on."""

    def __init__(self, name, clause):
        if name not in CODES:
            raise KeyError(name)
        super().__init__(f"{name} ({clause})")
        self.name, self.code, self.clause = name, CODES[name], clause


def refuse_if(condition, name, clause):
    if condition:
        raise Refusal(name, clause)
