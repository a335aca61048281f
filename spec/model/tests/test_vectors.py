"""Every committed vector is what the model writes, names a registered error, and cites clauses that exist."""
import json
import pathlib
import re
import unittest

import generate
from errors import CODES

SPEC = pathlib.Path(__file__).resolve().parent.parent.parent


class Committed(unittest.TestCase):
    def test_nothing_differs(self):
        self.assertEqual(generate.check(generate.files()), [])

    def test_errors_and_clauses_exist(self):
        clauses = set()
        for document in SPEC.glob("*.md"):
            clauses.update(re.findall(r"^- \*\*([A-Z]+-[0-9]+)\*\*", document.read_text(), re.MULTILINE))
        for path, file in generate.committed().items():
            if path.endswith(".schema.json"):
                continue
            vector = json.loads(file.read_text())
            self.assertEqual("error" in vector, file.name.startswith("bad_"), path)
            self.assertIn(vector.get("error", "DISK"), CODES, path)
            self.assertLessEqual(set(vector["clause"]), clauses, path)
