"""score.md: parts of the total score under pairwise masks."""
from fractions import Fraction

from conventions import Reader, Stream, u32be, u64le, WORD
from errors import refuse_if

BATCH = 65536
SCALE = 32


def nearest(value):
    """The nearest integer of an exact value; halves away from zero."""
    value = Fraction(value)
    rounded = int(abs(value) + Fraction(1, 2))
    return rounded if value >= 0 else -rounded


def quantised(z):
    """⌊2^32·z⌉ of one's own part; a double is taken as the exact number that it is."""
    refuse_if(abs(Fraction(z)) >= 1 << 30, "SCALAR_TOO_LARGE", "SCORE-4")
    return nearest(Fraction(z) * (1 << SCALE))


def masked_part(values, rank, mask_keys):
    """values: quantised; mask_keys: the pair's mask key (use 3) for every other collaborator's rank."""
    total = [v % WORD for v in values]
    for other, key in mask_keys.items():
        sign = 1 if rank < other else -1
        total = [(t + sign * s) % WORD for t, s in zip(total, Stream(key).u64s(len(values)))]
    return total


def payloads(values):
    """The SCORE_PART payloads: batches of 65,536 rows."""
    return [u32be(first) + b"".join(map(u64le, values[first:first + BATCH]))
            for first in range(0, len(values), BATCH)]


def receive(payload, before, rows):
    """The values of the next batch; `before` is the number of values already received."""
    reader = Reader(payload)
    first = reader.u32be()
    refuse_if(first != before or first >= rows, "MALFORMED_MESSAGE", "SCORE-3")
    count = min(BATCH, rows - first)
    refuse_if(reader.left() != 8 * count, "MALFORMED_MESSAGE", "SCORE-3")
    return [reader.u64le() for _ in range(count)]


def total(own, parts):
    """The sum of all parts at scale 2^32, centred: two's complement."""
    sums = [sum(column) % WORD for column in zip(own, *parts)]
    return [s - WORD if s >= WORD // 2 else s for s in sums]
