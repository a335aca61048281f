"""Writes the JSON Schemas of the data dictionary, their example rows and the browsable page from dictionary.csv.

    python3 spec/schemas/data/generate.py          writes them
    python3 spec/schemas/data/generate.py --check  exits 1 if a committed file differs from what this would write
"""
import csv
import json
import pathlib
import re
import sys

import page
import rows

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent.parent.parent / "docs/dictionary.html"
USCC = {"format": "uscc", "pattern": "^[0-9A-HJ-NPQRTUWXY]{18}$"}
MONTH = {"format": "period-yyyymm", "pattern": "^[0-9]{4}(0[1-9]|1[0-2])$"}
# Of these the dictionary says more in prose than in its columns.
PATTERNS = {
    "region_code": "^[0-9]{6}$",
    "invoice_no": "^[0-9]{8,20}$",
    "red_of_invoice_no": "^[0-9]{8,20}$",
}
SIGNED = {"tax_payable", "tax_paid", "amount_ex_tax", "tax_amount"}
# What one row stands for. Only a table of grain "enterprise" enters a joint job; of any other, the features to derive.
GRAINS = {
    "biz_registration": "enterprise",
    "si_contribution_month": "enterprise-month-type",
    "utility_usage_month": "meter-month",
    "tax_payment_period": "enterprise-type-period",
    "tax_credit_rating_year": "enterprise-year",
    "vat_invoice": "invoice",
    "property_event": "property-event",
    "patent": "patent",
    "gov_subsidy": "grant",
    "judicial_event": "case",
    "customs_month": "enterprise-month-direction",
    "loan_outcome": "loan-observation",
}
DERIVED = {
    "biz_registration": "age_months paid_in_ratio changes_24m abnormal_flag",
    "si_contribution_month": "si_months_continuous headcount_growth_6m headcount_growth_12m wage_proxy late_ratio",
    "utility_usage_month": "kwh_slope_12m yoy_same_quarter zero_use_months arrears_days",
    "tax_payment_period": "tax_growth_12m vat_burden zero_declaration_months arrears_to_sales",
    "tax_credit_rating_year": "latest_rating downgrade",
    "vat_invoice": "top_1_share top_5_share inv_hhi_12m active_months longest_gap red_void_rate "
    "output_input_ratio month_end_spike",
    "property_event": "owns_site lease_months_left mortgage_count",
    "patent": "valid_inventions grants_36m",
    "gov_subsidy": "amount_36m distinct_departments clawback",
    "judicial_event": "open_enforcement defendant_amount_to_sales",
    "customs_month": "export_trend",
    "loan_outcome": "label",
}


def decimal_pattern(precision, scale, sign):
    """Texts of decimals with at most `precision` digits, `scale` of them after the point; no leading zeros."""
    whole = f"[1-9][0-9]{{0,{precision - scale - 1}}}"
    if sign == "positive":
        part = "|".join(
            f"{'0' * zeros}[1-9][0-9]{{0,{scale - zeros - 1}}}" for zeros in range(scale)
        )
        return rf"^({whole}(\.[0-9]{{1,{scale}}})?|0\.({part}))$"
    if sign == "share":
        return rf"^(0(\.[0-9]{{1,{scale}}})?|1(\.0{{1,{scale}}})?)$"
    minus = "-?" if sign == "signed" else ""
    return rf"^{minus}(0|{whole})(\.[0-9]{{1,{scale}}})?$"


def sign_of(field):
    rule = field["constraint_en"]
    if rule.startswith("> 0"):
        return "positive"
    if rule.startswith("0..1"):
        return "share"
    return "signed" if field["field"] in SIGNED else "unsigned"


def cell(field):
    """The part of a schema that decides about a cell which is not null."""
    kind, name, codes = field["type"], field["field"], field["code_list"]
    sized = re.fullmatch(r"string\((\d+)\)", kind)
    decimal = re.fullmatch(r"decimal\((\d+),(\d+)\)", kind)
    if name == "tax_rate" or kind == "enum":
        return {"type": "string", "enum": codes.split("|")}
    if name in ("uscc", "grant_dept_code"):
        return {"type": "string", "minLength": 18, "maxLength": 18, **USCC}
    if field["unit"] == "YYYYMM":
        return {"type": "string", **MONTH}
    if sized:
        out = {"type": "string", "minLength": 1, "maxLength": int(sized[1])}
        pattern = PATTERNS.get(name) or (field["constraint_en"] if field["constraint_en"].startswith("^") else None)
        return {**out, "pattern": pattern} if pattern else out
    if decimal:
        precision, scale = int(decimal[1]), int(decimal[2])
        return {
            "type": "string",
            "format": f"decimal({precision},{scale})",
            "pattern": decimal_pattern(precision, scale, sign_of(field)),
        }
    if kind == "date":
        return {"type": "string", "format": "date"}
    if kind == "bool":
        return {"type": "boolean"}
    if kind == "bytes(32)":
        return {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    if kind == "int":
        least = re.match(r">= (\d+)", field["constraint_en"])
        return {"type": "integer", **({"minimum": int(least[1])} if least else {})}
    raise ValueError(f"{field['table']}.{name}: no schema for {kind}")


def property_of(field):
    out = {"title": field["name_en"], "x-name-zh": field["name_zh"], **cell(field)}
    if field["nullable"] == "yes":
        out["type"] = [out["type"], "null"]
        if "enum" in out:
            out["enum"] = out["enum"] + [None]
    extra = {
        "x-type": field["type"],
        "x-unit": field["unit"],
        "x-code-list": "" if field["type"] == "enum" else field["code_list"],
        "x-constraint": field["constraint_en"],
        "x-constraint-zh": field["constraint_zh"],
        "x-level": int(field["jrt0197_level"]),
        "x-personal": field["pi_class"] == "pi",
    }
    return out | {name: value for name, value in extra.items() if value not in ("", None)}


def schema_of(fields):
    first = fields[0]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:hefu:schema:data:{first['table']}",
        "title": first["table_en"],
        "x-name-zh": first["table_zh"],
        "x-table": first["table"],
        "x-domain": first["domain"],
        "x-grain": {
            "name": GRAINS[first["table"]],
            "key": first["grain_key"].split(" "),
            "en": first["grain_en"],
            "zh": first["grain_zh"],
        },
        "x-derived": DERIVED[first["table"]].split(" "),
        "type": "object",
        "required": [f["field"] for f in fields],
        "properties": {f["field"]: property_of(f) for f in fields},
        "additionalProperties": False,
    }


def tables():
    out = {}
    with open(HERE / "dictionary.csv", encoding="utf-8", newline="") as file:
        for field in csv.DictReader(file):
            out.setdefault(field["table"], []).append(field)
    return out


def files():
    """Path -> text of everything that is written from the dictionary."""
    out, schemas = {}, {}
    for name, fields in tables().items():
        schemas[name] = schema_of(fields)
        out[HERE / f"{name}.schema.json"] = json.dumps(schemas[name], indent=1, ensure_ascii=False) + "\n"
        cases = rows.cases(schemas[name])
        out[HERE / f"rows/{name}.ndjson"] = "".join(json.dumps(c, ensure_ascii=False) + "\n" for c in cases)
    out[PAGE] = page.page(tables(), schemas)
    return out


def differences():
    wanted = files()
    there = {*HERE.glob("*.schema.json"), *HERE.glob("rows/*.ndjson"), PAGE}
    for path in sorted(wanted.keys() | there):
        if path not in wanted:
            yield f"{path.name} is not one that the dictionary gives"
        elif not path.exists() or path.read_text(encoding="utf-8") != wanted[path]:
            yield f"{path.name} differs from what the dictionary gives"


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("usage: generate.py [--check]", file=sys.stderr)
        return 2
    if arguments:
        found = list(differences())
        print("\n".join(found), file=sys.stderr)
        return 1 if found else 0
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
