"""Writes spec/registry/neighbours.json: the least k of aggregate.md, section 6, for each size of roster.

    python3 spec/model/neighbours.py          writes it
    python3 spec/model/neighbours.py --check  exits 1 if the committed file differs

A tenth of the roster lies with the coordinator and another tenth vanishes, at random places of the graph. For every
rank: with c liars among its k neighbours, both kinds of its shares can be had only if 2T ≤ (k + 1 − c) + 2c; the
chance of that at any rank is at most 2^-40. The chance that fewer than T are left of any k + 1 is at most 2^-20.
"""
import json
import pathlib
import sys
from math import comb

PATH = pathlib.Path(__file__).resolve().parent.parent / "registry" / "neighbours.json"
FROM = (50, 64, 96, 128, 192, 256, 384, 512, 768)
MOST = 1024
LYING, LOST = 0.1, 0.1


def tail(population, marked, drawn, least):
    """The chance of at least so many marked ones among those drawn."""
    hits = sum(comb(marked, i) * comb(population - marked, drawn - i) for i in range(least, min(marked, drawn) + 1))
    return hits / comb(population, drawn)


def chances(size, k):
    """(some rank's shares of both kinds are opened, some neighbourhood is too small)."""
    t = 2 * (k + 1) // 3 + 1
    opened = size * tail(size - 1, int(LYING * size), k, 2 * t - (k + 1))
    return opened, size * tail(size - 1, int(LOST * size), k, k + 2 - t)


def least(size):
    """The first even k that satisfies both bounds."""
    for k in range(4, size - 1, 2):
        opened, short = chances(size, k)
        if opened <= 2**-40 and short <= 2**-20:
            return k
    raise ValueError(size)


def document():
    rows = []
    for first, end in zip(FROM, (*FROM[1:], MOST + 1)):
        rows.append({"from": first, "k": max(least(size) for size in range(first, end))})
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    head = '{\n "registry": "neighbours",\n "version": 1,\n "experimental_from": 32768,\n'
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
