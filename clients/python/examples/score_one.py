"""A decision engine asks its own node for one applicant's score.

    python3 clients/python/examples/score_one.py --config bank.toml --model ID --key uscc --with tax=tax-2026 \\
        uscc=91440300YY00001320 income=1.2 employees=14

The last arguments are the applicant's key and this party's columns of the model. Prints one JSON object.
"""
import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from hefu_client import HefuError, Node  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description="Score one applicant with a joint model.")
    parser.add_argument("--config", required=True, help="the node's TOML file")
    parser.add_argument("--model", required=True, help="model id")
    parser.add_argument("--key", required=True, help="key column")
    parser.add_argument("--with", dest="with_", action="append", required=True, metavar="ALIAS=DATASET")
    parser.add_argument("cells", nargs="+", metavar="COLUMN=VALUE")
    given = parser.parse_args()
    applicant = dict(cell.split("=", 1) for cell in given.cells)
    try:
        with Node.connect(given.config) as bank:
            scores = bank.score([applicant], given.model, given.key, dict(x.split("=", 1) for x in given.with_))
    except HefuError as error:
        print(json.dumps({"error": {"code": error.code, "name": error.name, "party": error.party, "cause": error.cause,
                                    "next": error.next}}, ensure_ascii=False))
        return 1
    # An applicant that a party does not know gets no joint score: the engine then falls back on its own model.
    print(json.dumps({"key": applicant[given.key], "probability": scores.get(applicant[given.key])}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
