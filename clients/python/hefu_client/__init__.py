"""Control client of one's own Hefu node: publish, submit, wait, fetch results, score.

    with Node.connect("bank.toml") as bank:
        scores = bank.score([{"uscc": "91440300YY00001320", "income": 1.2}], model="…", key="uscc",
                            collaborators={"tax": "tax-2026"})
"""
from hefu_client.errors import Failed, HefuError, Refused, Unreachable
from hefu_client.node import Node

__all__ = ["Node", "HefuError", "Refused", "Failed", "Unreachable"]
