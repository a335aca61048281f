"""What spec/vectors/ holds: one module a topic, each with its kinds.

A kind has a `run` that reads a case's `input` as JSON, does with the model what the case asks for, and
gives `output` as JSON or raises a Refusal. So a vector is complete: nothing outside its file and the
registries went into it.
"""
from dataclasses import dataclass
from typing import Callable

from errors import Refusal

# Schema shorthands.
INTEGER = {"type": "integer"}
COUNT = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
BOOLEAN = {"type": "boolean"}
HEX = {"type": "string", "pattern": "^([0-9a-f]{2})*$"}
# An integer that may be beyond 2^53.
DECIMAL = {"type": "string", "pattern": "^-?(0|[1-9][0-9]*)$"}


def hex_of(length):
    return {"type": "string", "pattern": f"^[0-9a-f]{{{2 * length}}}$"}


def array(items):
    return {"type": "array", "items": items}


def map_of(values):
    return {"type": "object", "additionalProperties": values}


def record(optional=(), **members):
    """An object with exactly these members, all required but the `optional` ones."""
    return {"type": "object", "properties": members, "additionalProperties": False,
            "required": [name for name in members if name not in optional]}


def nothing_or(schema):
    return {"anyOf": [schema, {"type": "null"}]}


DRAW = {"type": "object", "description": "A recipe of spec/vectors/README.md.", "required": ["draw"]}
BLOB = record(optional=("base64", "first", "last"), length=COUNT, sha256=hex_of(32),
              base64=TEXT, first=HEX, last=HEX)
INTEGERS = record(optional=("all",), count=COUNT, sha256=hex_of(32), first=array(DECIMAL),
                  last=array(DECIMAL), all=array(DECIMAL))


@dataclass
class Case:
    file: str
    title: str
    clause: list
    input: dict
    error: str | None = None
    party: int | None = None


@dataclass
class Kind:
    name: str
    about: str
    input: dict
    output: dict
    run: Callable
    cases: Callable
    # Whether a refusal's vector says which rank it names.
    blames: bool = False

    def schema(self):
        party = {"party": COUNT} if self.blames else {}
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:hefu:vector:{self.name}",
            "title": self.name,
            "description": self.about,
            "type": "object",
            "properties": {
                "kind": {"const": self.name},
                "title": TEXT,
                "clause": array({"type": "string", "pattern": "^[A-Z]+-[1-9][0-9]*$"}),
                "input": self.input,
                "output": self.output,
                "error": {"type": "string", "pattern": "^[A-Z0-9_]+$"},
                **party,
            },
            "required": ["kind", "title", "clause", "input"],
            "oneOf": [{"required": ["output"]}, {"required": ["error"]}],
            "additionalProperties": False,
        }

    def vector(self, case):
        """The case as it is written; a bad one must be refused for exactly the reason that it states."""
        vector = {"kind": self.name, "title": case.title, "clause": case.clause, "input": case.input}
        if case.error is None:
            return {**vector, "output": self.run(case.input)}
        try:
            self.run(case.input)
        except Refusal as refusal:
            right = refusal.name == case.error and refusal.clause in case.clause
            if not right or (self.blames and refusal.party != case.party):
                raise ValueError(f"{self.name}/{case.file}: refused with {refusal}, party {refusal.party}") from None
            party = {} if case.party is None else {"party": case.party}
            return {**vector, "error": case.error, **party}
        raise ValueError(f"{self.name}/{case.file}: not refused")


def good(file, title, clause, input_):
    return Case(file, title, clause.split(), input_)


def bad(file, title, clause, input_, error, party=None):
    return Case("bad_" + file, title, clause.split(), input_, error, party)
