"""Writes spec/vectors/ from the model.

    python3 spec/model/generate.py          writes every vector and its schema
    python3 spec/model/generate.py --check  exits 1 if a committed file differs from what this would write
"""
import importlib
import json
import pathlib
import sys

import jsonschema

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
TOPICS = ("streams", "documents", "envelopes", "frames", "sessions", "alignment", "oprf", "rlwe", "messages",
          "training", "scoring", "aggregate", "aggregate_offers", "aggregate_roles", "aggregate_rounds",
          "pooled")


def text(value):
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def files():
    """Path below spec/vectors/ -> text, for every schema and every vector."""
    out = {}
    for topic in TOPICS:
        for kind in importlib.import_module(f"cases.{topic}").KINDS:
            schema = kind.schema()
            out[f"{kind.name}.schema.json"] = text(schema)
            validator = jsonschema.Draft202012Validator(schema)
            for case in kind.cases():
                path = f"{kind.name}/{case.file}.json"
                if path in out:
                    raise ValueError(f"two cases are called {path}")
                vector = kind.vector(case)
                validator.validate(vector)
                out[path] = text(vector)
    return out


def committed():
    return {p.relative_to(VECTORS).as_posix(): p for p in VECTORS.rglob("*.json")}


def check(wanted):
    there, differences = committed(), []
    for path in sorted(wanted.keys() | there.keys()):
        if path not in there:
            differences.append(f"{path} is missing")
        elif path not in wanted:
            differences.append(f"{path} is not one that the model writes")
        elif there[path].read_text() != wanted[path]:
            differences.append(f"{path} differs")
    return differences


def write(wanted):
    for path, file in committed().items():
        if path not in wanted:
            file.unlink()
    for path, content in wanted.items():
        file = VECTORS / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    wanted = files()
    if not arguments:
        write(wanted)
        return 0
    differences = check(wanted)
    for line in differences:
        print(line, file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
