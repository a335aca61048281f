"""Checks the schemas of the data dictionary: they are what dictionary.csv gives, each is a JSON Schema, and each accepts
and refuses the rows that stand beside it. Called by ../check.py."""
import datetime
import json
import pathlib
import re
import sys

import jsonschema

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import generate  # noqa: E402

FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("uscc")
def is_uscc(value):
    """GB 32100-2015: the check character makes the weighted sum a multiple of 31."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    if not isinstance(value, str):
        return True
    if len(value) != 18 or any(c not in alphabet for c in value):
        return False
    total = sum(alphabet.index(c) * pow(3, i, 31) for i, c in enumerate(value[:17]))
    return (total + alphabet.index(value[17])) % 31 == 0


@FORMATS.checks("date")
def is_date(value):
    if not isinstance(value, str):
        return True
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def check():
    """What is wrong, and the numbers of schemas and of rows."""
    problems, count = list(generate.differences()), 0
    paths = sorted(HERE.glob("*.schema.json"))
    for path in paths:
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
        rows = HERE / f"rows/{schema['x-table']}.ndjson"
        for number, line in enumerate(rows.read_text(encoding="utf-8").splitlines(), 1):
            case = json.loads(line)
            if validator.is_valid(case["row"]) != (case["rule"] is None):
                problems.append(f"{rows.name}:{number}: {case['column']}: {case['rule'] or 'must be accepted'}")
            count += 1
    return problems, len(paths), count
