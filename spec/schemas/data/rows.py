"""Rows for and against each schema, with the column and the rule that a validator must name.

They are written beside the schemas and read by two validators that share nothing: check.py's and the SDK's.
"""
import re

GOOD = {
    "uscc": "91440300YY00001320",
    "period-yyyymm": "202609",
    "date": "2024-02-29",
}
BAD = {
    # A wrong check character, a letter outside the alphabet, too short.
    "uscc": [("91440300YY00001321", "format"), ("91440300YYO0001320", "format"), ("9144", "format")],
    "period-yyyymm": [("202613", "format"), ("2026-09", "format"), ("202600", "format")],
    "date": [("2023-02-29", "format"), ("2024-2-9", "format"), ("20240209", "format"), ("2024-04-31", "format")],
}
TEXTS = {
    "^[A-T][0-9]{2,4}$": ("I6513", "Z65"),
    "^[0-9]{6}$": ("440305", "4403"),
    "^[0-9]{8,20}$": ("12345678901234567890", "1234567x"),
    "^[0-9a-f]{64}$": ("0123456789abcdef" * 4, "0123456789ABCDEF" * 4),
}


def types_of(schema):
    return schema["type"] if isinstance(schema["type"], list) else [schema["type"]]


def good(schema):
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("format", "")
    if kind in GOOD:
        return GOOD[kind]
    if kind.startswith("decimal"):
        return "0.5"
    if "integer" in types_of(schema):
        return schema.get("minimum", 0) + 3
    if "boolean" in types_of(schema):
        return True
    if "pattern" in schema:
        return TEXTS[schema["pattern"]][0]
    return "深"[: schema["maxLength"]]


def bad(schema):
    """Values that the schema refuses, each with its rule."""
    if "null" not in types_of(schema):
        yield None, "null"
    if "enum" in schema:
        yield "NO_SUCH_WORD", "enum"
        yield 7, "type"
        return
    kind = schema.get("format", "")
    yield from BAD.get(kind, [])
    if kind.startswith("decimal"):
        precision, scale = map(int, re.findall(r"\d+", kind))
        yield 1.5, "type"
        for text in ("1e3", "1,000", "", ".5", "5.", "00", "1" * (precision - scale + 1), "0." + "1" * (scale + 1)):
            yield text, "format"
        if "-?" not in schema["pattern"]:
            yield "-1", "pattern"
    elif "integer" in types_of(schema):
        yield "3", "type"
        yield 1.5, "type"
        if "minimum" in schema:
            yield schema["minimum"] - 1, "minimum"
    elif "boolean" in types_of(schema):
        yield "true", "type"
        yield 1, "type"
    elif not kind:
        yield 7, "type"
        if "pattern" in schema:
            yield TEXTS[schema["pattern"]][1], "pattern"
        if "maxLength" in schema:
            yield "1" * (schema["maxLength"] + 1), "pattern" if is_short(schema) else "maxLength"
            yield "", "pattern" if "pattern" in schema else "minLength"


def is_short(schema):
    """Whether the pattern already refuses what is too long; the pattern is looked at first."""
    return "pattern" in schema


def cases(schema):
    """`{"row", "column", "rule"}` each; both are null where the row is valid, and the column
    where the row as a whole is at fault."""
    properties = schema["properties"]
    row = {name: good(part) for name, part in properties.items()}
    yield {"row": row, "column": None, "rule": None}
    nulls = {name: None for name, part in properties.items() if "null" in types_of(part)}
    yield {"row": {**row, **nulls}, "column": None, "rule": None}
    for name, part in properties.items():
        for value, rule in bad(part):
            yield {"row": {**row, name: value}, "column": name, "rule": rule}
        yield {"row": {other: v for other, v in row.items() if other != name}, "column": name, "rule": "required"}
    yield {"row": {**row, "no_such_column": 1}, "column": None, "rule": "additionalProperties"}
