"""vlr.md: phases and their shares, the sigmoid's sine series, residual shares, gradients, scalars.

Real arithmetic ends where a value is quantised; what follows is integers and is exact.
"""
import json
from fractions import Fraction

import mpmath

import envelope
from conventions import Reader, Stream, f64be, u16be, u32be, u64le, WORD
from errors import REGISTRY, refuse_if
from score import nearest

BLOCK = 8192
SCALE_COLUMN = 22
SCALE_RESIDUAL = 20
DROPPED = 26
SCALE_SCALARS = 50


def sine_sets():
    return {s["id"]: s for s in json.loads((REGISTRY / "sine_sets.json").read_text())["sine_sets"]}


# Section 3: phases and shares.

def phase(z, period):
    """⌊2^64 z / P⌋ modulo 2^64, of the exact value of z."""
    return (Fraction(z) * WORD // period) % WORD


def share(phases, rank, key_to_zero, pair_keys):
    """u_q of a party of rank 2 and up; pair_keys: rank of every other such party -> mask key (use 1)."""
    out = [(f + s) % WORD for f, s in zip(phases, Stream(key_to_zero).u64s(len(phases)))]
    for other, key in pair_keys.items():
        sign = 1 if rank < other else -1
        out = [(u + sign * s) % WORD for u, s in zip(out, Stream(key).u64s(len(phases)))]
    return out


def alpha(phases, shares):
    """Rank 1's share: its own phases and all u_q."""
    return [sum(column) % WORD for column in zip(phases, *shares)]


def beta(phases, keys_to_zero):
    """Rank 0's share: its own phases less the streams that it has with every rank from 2 on."""
    streams = [Stream(key).u64s(len(phases)) for key in keys_to_zero]
    return [(f - sum(column)) % WORD for f, *column in zip(phases, *streams)]


# Section 4: sigmoid.

def angle(k, phase_):
    """The angle of (2k - 1) phase, in radians; the product modulo 2^64 is exact."""
    return 2 * mpmath.pi * mpmath.mpf((2 * k - 1) * phase_ % WORD) / WORD


def rounded(value):
    return int(mpmath.floor(value + mpmath.mpf(1) / 2))


def basis(set_, k, betas):
    """Rank 0's slots of harmonic k: (cosines, sines)."""
    with mpmath.workdps(40):
        return ([rounded(mpmath.cos(angle(k, b)) * 2**set_["f_b"]) for b in betas],
                [rounded(mpmath.sin(angle(k, b)) * 2**set_["f_b"]) for b in betas])


def multipliers(set_, k, alphas):
    """Rank 1's multipliers of harmonic k: (for the cosines, for the sines)."""
    with mpmath.workdps(40):
        c = mpmath.mpf(set_["C"][k - 1]) / 2**40
        return ([rounded(c * mpmath.sin(angle(k, a)) * 2**set_["f_a"]) for a in alphas],
                [rounded(c * mpmath.cos(angle(k, a)) * 2**set_["f_a"]) for a in alphas])


def choose_set(sets, bounds):
    """VLR-7: the sine sets that reach the sum of all bounds."""
    reaching = [s["id"] for s in sets.values() if s["R"] >= sum(bounds)]
    refuse_if(not reaching, "PREDICTOR_TOO_LARGE", "VLR-7")
    return reaching


# Section 5: residual shares.

def masked_sums(terms, masks, t):
    """Rank 1's answer, slot by slot: Σ basis * multiplier + r modulo t."""
    sums = [sum(b * a for b, a in row) for row in terms]
    return [(s + r) % t for s, r in zip(sums, masks)]


def residual_share_of_zero(y, f_x, label):
    """y''."""
    return ((y >> f_x) - (1 << SCALE_RESIDUAL - 1) * (2 * label - 1)) % WORD


def residual_share_of_one(r, f_x):
    """r'."""
    return r >> f_x


def centred(value, bits):
    value %= 1 << bits
    return value - (1 << bits) if value >> bits - 1 else value


# Section 6: gradient.

def quantised_column(values):
    return [nearest(Fraction(x) * (1 << SCALE_COLUMN)) for x in values]


def check_column(column):
    """VLR-9."""
    too_large = sum(map(abs, column)) << SCALE_RESIDUAL >= 1 << 63
    refuse_if(too_large, "NORM_TOO_LARGE", "VLR-9")


def masked_sum(column, shares, mask):
    """v: Σ x * share + mask modulo 2^64."""
    return (sum(x * y for x, y in zip(column, shares)) + mask) % WORD


def opened(v):
    """What the key owner returns (VLR-8)."""
    return v >> DROPPED


def unmasked(value, mask):
    """A half at scale 2^16, modulo 2^38."""
    return (value - (mask >> DROPPED)) % (1 << 64 - DROPPED)


def own_half(column, shares):
    """The half of one's own share, at scale 2^42, modulo 2^64."""
    return masked_sum(column, shares, 0)


def column_sum(half_of_zero, half_of_one):
    """Σ x e at scale 2^42, centred. Halves are modulo 2^64 at that scale: an unmasked one times 2^26."""
    return centred(half_of_zero - half_of_one, 64)


# Section 7: wrap.

def leaves_bound(sum_, column):
    """sum_ at scale 2^42, the column at scale 2^22: outside [-B, B], B = Σ|x| + 1."""
    bound = (sum(map(abs, column)) << SCALE_RESIDUAL) + (1 << SCALE_COLUMN + SCALE_RESIDUAL)
    return abs(sum_) > bound


# Section 8: scalars.

def scalar_names(e):
    """The order of the tensor `gram`: (kind, i, j) with bMb = b_i'M b_j, bg = b_i'g_j, gMg = g_i'M^-1 g_j."""
    if e == 2:
        return ([("bMb", i, j) for i in range(3) for j in range(i + 1)]
                + [("bg", i, j) for i in range(3) for j in range(3)]
                + [("gMg", i, j) for i in range(3) for j in range(i + 1)])
    return ([("bMb", e, j) for j in range(e + 1)] + [("bg", e, j) for j in range(e + 1)]
            + [("bg", i, e) for i in range(e)] + [("gMg", e, j) for j in range(e + 1)])


def quantised_scalars(values):
    """Integers at scale 2^50 (VLR-11)."""
    refuse_if(any(abs(Fraction(v)) >= 1 << 12 for v in values), "SCALAR_TOO_LARGE", "VLR-11")
    return [nearest(Fraction(v) * (1 << SCALE_SCALARS)) for v in values]


def masked_scalars(values, rank, pair_keys):
    """pair_keys: rank of every other party, rank 0 included -> mask key (use 2); empty with two parties."""
    out = [v % WORD for v in values]
    for other, key in pair_keys.items():
        sign = 1 if rank < other else -1
        out = [(v + sign * s) % WORD for v, s in zip(out, Stream(key).u64s(len(values)))]
    return out


def scalars_message(round_, flags, gram):
    return envelope.encode(round_, [("flags", 3, 0, [1], [flags]),
                                    ("gram", 2, SCALE_SCALARS, [len(gram)], gram)])


def receive_scalars(payload, round_, e):
    """(flags, gram) of the SCALARS of accepted evaluation e."""
    expected = [("flags", 3, 0, [1]), ("gram", 2, SCALE_SCALARS, [len(scalar_names(e))])]
    tensors = envelope.decode(payload, round_, expected)
    return tensors[0][4][0], tensors[1][4]


def step_message(round_, points, gradients):
    return envelope.encode(round_, [("points", 1, 0, [len(points)], points),
                                    ("gradients", 1, 0, [len(gradients)], gradients)])


def receive_step(payload, round_, accepted):
    """(points, gradients); VLR-12: one coefficient for every accepted evaluation."""
    expected = [("points", 1, 0, [accepted]), ("gradients", 1, 0, [accepted])]
    tensors = envelope.decode(payload, round_, expected)
    return tensors[0][4], tensors[1][4]


# Section 2: the short messages. Each encoder has its reader.

def encode_plan(n, positive, maximum, penalty):
    return u32be(n) + u32be(positive) + u32be(maximum) + f64be(penalty)


def read_plan(payload):
    reader = Reader(payload)
    out = reader.u32be(), reader.u32be(), reader.u32be(), reader.f64be()
    reader.end()
    return out


def encode_basis_head(block, k):
    return u32be(block) + u16be(k)


def encode_sums_head(column, columns):
    return u16be(column) + u16be(columns)


def encode_words(values):
    """SHARE and OPENED: packed u64le."""
    return b"".join(map(u64le, values))


def read_words(payload, count):
    reader = Reader(payload)
    out = [reader.u64le() for _ in range(count)]
    reader.end()
    return out


def read_u32(payload):
    """TRAIN_SHAPE, BOUND, TRAIN_DONE."""
    reader = Reader(payload)
    out = reader.u32be()
    reader.end()
    return out


def read_u16(payload):
    """EVAL."""
    reader = Reader(payload)
    out = reader.u16be()
    reader.end()
    return out
