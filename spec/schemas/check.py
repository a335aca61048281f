"""Checks every JSON Schema of this folder: it is valid, accepts its examples, and refuses each of them when a required
member is taken away or set to null, or, where no unknown member is allowed, when one is added. The schemas of the data
dictionary are checked against the rows beside them (data/check.py)."""
import copy
import importlib.util
import json
import pathlib
import sys
import tomllib

import jsonschema
import referencing

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Examples that live where people look for them.
ELSEWHERE = {
    "node": [ROOT / "docs/node.example.toml"],
    "job": [ROOT / "docs/job.example.toml"],
    "pool": [ROOT / "docs/pool.example.toml"],
    "target": sorted((ROOT / "conformance/targets").glob("*.toml")),
}


def read(path):
    if path.suffix == ".toml":
        return tomllib.loads(path.read_text(encoding="utf-8"))
    return json.loads(path.read_text(encoding="utf-8"))


def counter_examples(schema, example):
    """Documents that the schema must refuse, each with what was done to it."""
    for name in schema["required"]:
        without = copy.deepcopy(example)
        del without[name]
        yield f"without {name}", without
        if example[name] is not None:
            yield f"{name} = null", {**example, name: None}
    if schema.get("additionalProperties") is False:
        yield "with an unknown member", {**example, "no_such_member": 1}


def dictionary():
    """What data/check.py says."""
    spec = importlib.util.spec_from_file_location("dictionary", HERE / "data/check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.check()


def main():
    schemas = {path.name.split(".")[0]: read(path) for path in sorted(HERE.glob("*.schema.json"))}
    registry = referencing.Registry().with_resources(
        (schema["$id"], referencing.Resource.from_contents(schema)) for schema in schemas.values()
    )
    problems, accepted, refused = [], 0, 0
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        if name == "terms":
            continue
        validator = jsonschema.Draft202012Validator(schema, registry=registry)
        examples = sorted((HERE / "examples").glob(f"{name}.*json")) + ELSEWHERE.get(name, [])
        if not examples:
            problems.append(f"{name}.schema.json: no example")
        for path in examples:
            example = read(path)
            where = path.relative_to(ROOT)
            for error in validator.iter_errors(example):
                problems.append(f"{where}: {'.'.join(map(str, error.path))}: {error.message}")
            accepted += 1
            for done, document in counter_examples(schema, example):
                if validator.is_valid(document):
                    problems.append(f"{where} {done}: must be refused")
                refused += 1
    found, tables, rows = dictionary()
    problems += found
    if problems:
        print("\n".join(problems))
        sys.exit(1)
    print(
        f"{len(schemas)} schemas, {accepted} examples accepted, {refused} counter-examples refused; "
        f"{tables} tables, {rows} rows judged"
    )


if __name__ == "__main__":
    main()
