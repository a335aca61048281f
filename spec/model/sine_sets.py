"""The registry of sine sets (vlr.md, section 4): coefficients of the sigmoid's sine series.

    python3 spec/model/sine_sets.py          writes spec/registry/sine_sets.json
    python3 spec/model/sine_sets.py --check  exits 1 if that file is not what this program writes

For each range R and each goal the program takes the smallest K, and then the P with the smallest
error, such that max |sum - (sigma(s) - 1/2)| over |s| <= R is at most the goal; where the last
harmonics' multipliers would all round to zero at f_a bits they are left out again, since they would
cost an upload for nothing (the error is then up to 2.4 times the goal). The coefficients are
the closed form c_k = (4/P) * pi / sinh(pi * w_k), w_k = 2 pi (2k - 1) / P, rounded at scale 2^40;
mpmath computes them, so that the integers are the same on every machine.
"""
import json
import math
import pathlib
import sys

import mpmath

PATH = pathlib.Path(__file__).resolve().parent.parent / "registry" / "sine_sets.json"
SCALE = 40
RANGES = (4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64)
# name, first id, goal, set, f_b, f_a, f_x
GRADES = (
    ("coarse", 0x0100, 1e-3, "S'", 10, 12, 2),
    ("medium", 0x0200, 3e-5, "S'", 13, 15, 8),
    ("fine", 0x0300, 5e-7, "S", 21, 24, 25),
)


def coefficients(period, harmonics):
    """C_1 ... C_K: the closed form as integers at scale 2^40."""
    with mpmath.workdps(50):
        values = []
        for k in range(1, harmonics + 1):
            omega = 2 * mpmath.pi * (2 * k - 1) / period
            c = mpmath.mpf(4) / period * mpmath.pi / mpmath.sinh(mpmath.pi * omega)
            values.append(int(mpmath.nint(c * 2**SCALE)))
    return values


def series(period, scaled, s):
    """sum C_k / 2^40 * sin((2k - 1) * 2 pi s / P), by the recurrence of sines of odd multiples."""
    x = 2 * math.pi * s / period
    twice = 2 * math.cos(2 * x)
    before, now, total = -math.sin(x), math.sin(x), 0.0
    for c in scaled:
        total += c * now
        before, now = now, twice * now - before
    return total / 2**SCALE


def worst(period, scaled, reach, points):
    """The largest |series - (sigma - 1/2)| on an even grid of 0 <= s <= R (both sides are odd)."""
    largest = 0.0
    for i in range(points + 1):
        s = reach * i / points
        largest = max(largest, abs(series(period, scaled, s) - math.tanh(s / 2) / 2))
    return largest


def best(reach, harmonics, goal):
    """The P with the smallest error for this K, or None where even the first left-out term is too large."""
    first = math.ceil(2 * (reach + math.log(1 / goal))) - 6
    candidates = []
    for period in range(max(first, 2 * reach + 2), first + 26):
        omega = 2 * math.pi * (2 * harmonics + 1) / period
        if 4 / period * math.pi / math.sinh(math.pi * omega) > 4 * goal:
            break
        scaled = coefficients(period, harmonics)
        candidates.append((worst(period, scaled, reach, 4 * harmonics), period, scaled))
    if not candidates:
        return None
    refined = [(worst(p, c, reach, 64 * harmonics), p, c) for _, p, c in sorted(candidates)[:3]]
    return min(refined)


def search(reach, goal, f_a):
    """The smallest K that meets the goal, but no harmonic whose multipliers all round to zero."""
    harmonics = 2
    while (found := best(reach, harmonics, goal)) is None or found[0] > goal:
        harmonics += 1
    while found[2][-1] << f_a < 1 << (SCALE - 1):
        harmonics -= 1
        found = best(reach, harmonics, goal)
    error, period, scaled = found
    return period, scaled, error


def rounded_up(value):
    """Two significant digits, upwards: what the registry states never understates the error."""
    exponent = math.floor(math.log10(value)) - 1
    return float(f"{math.ceil(value / 10**exponent)}e{exponent}")


def sine_set(grade, reach):
    name, first, goal, parameters, f_b, f_a, f_x = grade
    period, scaled, error = search(reach, goal, f_a)
    return {
        "id": first + reach, "hex": f"0x{first + reach:04x}", "name": f"{name}-{reach}",
        "P": period, "K": len(scaled), "R": reach, "set": parameters,
        "f_b": f_b, "f_a": f_a, "f_x": f_x, "error": rounded_up(error), "C": scaled,
    }


def text():
    """The registry file: one short object a set, the coefficients a few on a line."""
    blocks = []
    for grade in GRADES:
        for reach in RANGES:
            entry = sine_set(grade, reach)
            scaled = [str(c) for c in entry.pop("C")]
            lines = ["   " + ", ".join(scaled[i:i + 7]) for i in range(0, len(scaled), 7)]
            head = json.dumps(entry)[1:-1]
            blocks.append("  {" + head + ',\n   "C": [\n' + ",\n".join(lines) + "]}")
    return (
        '{\n "registry": "sine_sets",\n "version": 1,\n "experimental_from": 32768,\n'
        f' "scale": {SCALE},\n "sine_sets": [\n' + ",\n".join(blocks) + "\n ]\n}\n"
    )


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("usage: sine_sets.py [--check]", file=sys.stderr)
        return 2
    if not arguments:
        PATH.write_text(text())
        return 0
    if not PATH.exists() or PATH.read_text() != text():
        print(f"{PATH.name} is not what sine_sets.py writes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
