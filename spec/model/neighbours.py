"""Writes spec/registry/neighbours.json: the least k of aggregate.md, section 6, for each size of roster.

    python3 spec/model/neighbours.py          writes it
    python3 spec/model/neighbours.py --check  exits 1 if the committed file differs

A fifth of the roster lies with the coordinator and another fifth vanishes, at random places of the graph. For every
rank: with c liars among its k neighbours, both kinds of its shares can be had only if 2T ≤ (k + 1 − c) + 2c. The
chance of that at any rank, and the chance that fewer than T are left of any rank's k neighbours, itself lost, are each
at most 2^-40; so for every even k from the registry's on, since T steps with k.
"""
import json
import pathlib
import sys
from math import comb

PATH = pathlib.Path(__file__).resolve().parent.parent / "registry" / "neighbours.json"
FROM = (50, 64, 96, 128, 192, 256, 384, 512, 768)
MOST = 1024
PART = 5
BOUND = 2**-40


def tail(population, marked, drawn, least):
    """The chance of at least so many marked ones among those drawn."""
    hits = sum(comb(marked, i) * comb(population - marked, drawn - i) for i in range(least, min(marked, drawn) + 1))
    return hits / comb(population, drawn)


def chances(size, k):
    """(some rank's shares of both kinds are opened, some neighbourhood is too small)."""
    t = 2 * (k + 1) // 3 + 1
    others, marked = size - 1, size // PART
    return size * tail(others, marked, k, 2 * t - (k + 1)), size * tail(others, marked, k, k + 1 - t)


def least(size, at_most=None):
    """The least even k from which on both bounds hold; the search begins at a k where they do."""
    k = (size - 2) // 2 * 2 if at_most is None else min(at_most, (size - 2) // 2 * 2)
    while k > 2 and max(chances(size, k)) <= BOUND:
        k -= 2
    return k + 2


def document():
    rows = []
    for first, end in zip(FROM, (*FROM[1:], MOST + 1)):
        rows.append({"from": first, "k": max(least(size, (size // 4 + 20) * 2) for size in range(first, end))})
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    head = '{\n "registry": "neighbours",\n "version": 1,\n "experimental_from": 32768,\n'
    head += ' "derivation": "spec/model/neighbours.py: a fifth lies, a fifth is lost; each failure below 2^-40",\n'
    return head + f' "neighbours": [\n{lines}\n ]\n}}\n'


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("usage: neighbours.py [--check]", file=sys.stderr)
        return 2
    if arguments:
        return 0 if PATH.read_text() == document() else 1
    PATH.write_text(document())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
