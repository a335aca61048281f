"""aggregate.md: values, keys, shares, lists, the graph of neighbours, differences, small cells.

`aggregate_offer.py` reads offers and confirms, `aggregate_round.py` runs both roles.
"""
import math
from fractions import Fraction

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import envelope
import session
from conventions import H, Reader, Stream, WORD, expand, f64be, sign, u8, u16be, verify
from envelope import COUNT, FIXED, WIDE
from errors import Refusal, refuse_if

# Section 2: a round is a session.

ELL = 2**252 + 27742317777372353535851937790883648493
MOST_PARTICIPANTS = 1024


def scalar(integer):
    return integer.to_bytes(32, "little")


def threshold(participants):
    """t of a session, from N."""
    return 2 * participants // 3 + 1


def mask_public(secret):
    return session.ephemeral_public(secret)


def agree_masks(secret, public, owner):
    """X25519 of a mask secret and the mask key of rank `owner` (AGG-8)."""
    try:
        return session.agree(secret, public)
    except Refusal:
        raise Refusal("BAD_ELEMENT", "AGG-8", owner) from None


# Section 3: values.

def check_clip(codec, clip, participants):
    """AGG-9; returns the scale f."""
    refuse_if(participants > MOST_PARTICIPANTS, "CLIP_TOO_LARGE", "AGG-9")
    if codec == FIXED:
        scale = min(40, 62 - (participants - 1).bit_length() - clip)
        refuse_if(scale < 8, "CLIP_TOO_LARGE", "AGG-9")
        return scale
    refuse_if(clip > {WIDE: 60, COUNT: 40}[codec], "CLIP_TOO_LARGE", "AGG-9")
    return {WIDE: 40, COUNT: 0}[codec]


def nearest(value):
    """The nearest integer of an exact value; halves away from zero."""
    rounded = int(abs(Fraction(value)) + Fraction(1, 2))
    return rounded if value >= 0 else -rounded


def ring_elements(codec, scale, clip, x):
    """One value as ring elements; x is a double (taken as the exact number that it is) or an integer."""
    refuse_if(not math.isfinite(x), "NOT_FINITE", "AGG-10")
    refuse_if(abs(Fraction(x)) > 1 << clip, "BEYOND_CLIP", "AGG-10")
    v = nearest(Fraction(x) * (1 << scale))
    return [v % (1 << 48), (v >> 48) % WORD] if codec == WIDE else [v % WORD]


def centred(element):
    return (element + WORD // 2) % WORD - WORD // 2


def read_back(codec, scale, elements):
    """The exact sums that ring elements stand for."""
    integers = [centred(e) for e in elements]
    if codec == WIDE:
        integers = [(high << 48) + low for low, high in zip(integers[::2], integers[1::2])]
    return [Fraction(v, 1 << scale) for v in integers]


def tensor_head(tensor, participants):
    """(name, codec, (scale, clip), shape) of a tensor of the plan."""
    codec = {"fixed": FIXED, "wide": WIDE, "count": COUNT}[tensor["codec"]]
    return tensor["name"], codec, (check_clip(codec, tensor["clip"], participants), tensor["clip"]), tensor["shape"]


def encode_values(heads, values):
    """All ring elements in the order of the tensors; values: a flat list a tensor."""
    return [e for (_, codec, (scale, clip), _), xs in zip(heads, values)
            for x in xs for e in ring_elements(codec, scale, clip, x)]


def width(head):
    """Ring elements of a tensor."""
    return math.prod(head[3]) * (2 if head[1] == WIDE else 1)


def cut(heads, elements):
    """The flat list of ring elements as envelope tensors."""
    tensors, at = [], 0
    for head in heads:
        tensors.append((*head, elements[at:at + width(head)]))
        at += width(head)
    return tensors


def joined(tensors):
    return [e for tensor in tensors for e in tensor[4]]


def read_sums(heads, elements):
    return [read_back(head[1], head[2][0], tensor[4]) for head, tensor in zip(heads, cut(heads, elements))]


def decode_values(payload, round_, heads, sender):
    """The ring elements of a MASKED_SUM or SUM (AGG-11)."""
    try:
        return joined(envelope.decode(payload, round_, heads))
    except Refusal as refusal:
        clause = "AGG-11" if refusal.name == "SHAPE_MISMATCH" else refusal.clause
        raise Refusal(refusal.name, clause, sender) from None


# Section 4: messages.

def rank_list(ranks):
    return u16be(len(ranks)) + b"".join(map(u16be, sorted(ranks)))


def entries(pairs):
    """`u16be(count) ‖ (u16be(rank) ‖ bytes)*` of (rank, bytes)."""
    return u16be(len(pairs)) + b"".join(u16be(rank) + data for rank, data in sorted(pairs))


def check_ascending(ranks, sender):
    refuse_if(ranks != sorted(set(ranks)), "MALFORMED_MESSAGE", "AGG-14", sender)


def read_ranks(reader, sender):
    ranks = [reader.u16be() for _ in range(reader.u16be())]
    check_ascending(ranks, sender)
    return ranks


def read_entries(reader, length, sender):
    """{rank: bytes}, ascending."""
    pairs = [(reader.u16be(), reader.take(length)) for _ in range(reader.u16be())]
    check_ascending([rank for rank, _ in pairs], sender)
    return dict(pairs)


def read_whole(payload, sender, read):
    """`read` of a reader over the payload; nothing is left over."""
    try:
        reader = Reader(payload)
        result = read(reader)
        reader.end()
        return result
    except Refusal as refusal:
        raise Refusal(refusal.name, refusal.clause, sender) from None


# Section 5: secrets and shares.

ENTRY = 80 + 32 + 32 + 64


def polynomial_at(coefficients, x):
    return sum(c * pow(x, k, ELL) for k, c in enumerate(coefficients)) % ELL


def share_of(coefficients, rank):
    """The share of a rank: the value at rank + 1."""
    return scalar(polynomial_at(coefficients, rank + 1))


def rebuild(shares):
    """The secret of {rank: share}, by Lagrange's formula at 0."""
    points = {rank + 1: int.from_bytes(share, "little") for rank, share in shares.items()}
    total = 0
    for x, y in points.items():
        top = math.prod(-other for other in points if other != x)
        bottom = math.prod(x - other for other in points if other != x)
        total += y * top * pow(bottom, -1, ELL)
    return scalar(total % ELL)


def commitment(kind, owner, holder, share):
    return H(b"hefu/1 share commitment", u8(kind), u16be(owner), u16be(holder), share)


def self_mask_commitment(transcript, owner, b):
    return H(b"hefu/1 self-mask commitment", transcript, u16be(owner), b)


def share_key(pair, owner, holder):
    return expand(pair, b"hefu/1 share" + u16be(owner) + u16be(holder), 32)


def seal_shares(pair, owner, holder, share_b, share_s):
    return AESGCM(share_key(pair, owner, holder)).encrypt(bytes(12), share_b + share_s, None)


def open_shares(pair, owner, holder, entry):
    """(share of b, share of s) of a `sealed ‖ B ‖ S ‖ signature`; `BAD_SHARE` names the owner."""
    try:
        both = AESGCM(share_key(pair, owner, holder)).decrypt(bytes(12), entry[:80], None)
    except InvalidTag:
        raise Refusal("BAD_SHARE", "AGG-28", owner) from None
    for kind, share in enumerate((both[:32], both[32:]), 1):
        right = commitment(kind, owner, holder, share) == entry[48 + 32 * kind:80 + 32 * kind]
        refuse_if(not right, "BAD_SHARE", "AGG-28", owner)
        refuse_if(int.from_bytes(share, "little") >= ELL, "BAD_SHARE", "AGG-28", owner)
    return both[:32], both[32:]


def entry_text(transcript, owner, holder, entry):
    """What the signature of an entry covers."""
    return b"hefu/1 share signature" + transcript + u16be(owner) + u16be(holder) + entry[:144]


def make_entry(pair, seed, transcript, owner, holder, share_b, share_s):
    entry = seal_shares(pair, owner, holder, share_b, share_s)
    entry += commitment(1, owner, holder, share_b) + commitment(2, owner, holder, share_s)
    return entry + sign(seed, entry_text(transcript, owner, holder, entry))


def verify_for(public, signature, text, error, clause, party):
    """A signature that fails is `error`, and names `party`."""
    try:
        verify(public, signature, text, clause)
    except Refusal:
        raise Refusal(error, clause, party) from None


# Section 5: masks.

def self_mask_key(b):
    return expand(b, b"hefu/1 self mask", 16)


def pair_mask_key(transcript, shared, one, other):
    low, high = sorted((one, other))
    prk = session.extract(transcript, shared)
    return expand(prk, b"hefu/1 pair mask" + u16be(low) + u16be(high), 16)


def add_stream(elements, key, sign_):
    return [(e + sign_ * m) % WORD for e, m in zip(elements, Stream(key).u64s(len(elements)))]


def masked(elements, rank, b, pair_keys):
    """pair_keys: {neighbour: the pair's mask key}."""
    elements = add_stream(elements, self_mask_key(b), 1)
    for other, key in pair_keys.items():
        elements = add_stream(elements, key, 1 if rank < other else -1)
    return elements


# Section 5: survivors.

def survivors_text(transcript, rank, u2, u3):
    return (b"hefu/1 survivors signature" + transcript + u16be(rank) + H(rank_list(u2)) + H(rank_list(u3)))


# Section 6: neighbours.

def permuted(transcript, roster):
    ranks = sorted(roster)
    stream = Stream(expand(transcript, b"hefu/1 graph", 16))
    for i in range(len(ranks) - 1, 0, -1):
        j = stream.u64() % (i + 1)
        ranks[i], ranks[j] = ranks[j], ranks[i]
    return ranks


def graph(transcript, roster, k):
    """{rank: its neighbours, ascending}; k = 0: everyone."""
    if k == 0:
        return {rank: sorted(set(roster) - {rank}) for rank in roster}
    order = permuted(transcript, roster)
    steps = [s for d in range(1, k // 2 + 1) for s in (d, -d)]
    return {rank: sorted(order[(i + s) % len(order)] for s in steps) for i, rank in enumerate(order)}


def sharing_threshold(t, k):
    """T, or t without neighbours."""
    return 2 * (k + 1) // 3 + 1 if k else t


NEIGHBOURS = session.registry("neighbours")["neighbours"]


def check_neighbours(size, k):
    """AGG-23, for |U0| ranks."""
    if k == 0:
        return
    least = [row["k"] for row in NEIGHBOURS if row["from"] <= size]
    refuse_if(not least or k < least[-1], "UNSUPPORTED_PLAN", "AGG-23")
    refuse_if(k % 2 == 1 or k >= size - 1, "UNSUPPORTED_PLAN", "AGG-23")


# Section 7: the plain mean.

def encode_plain(weight, round_, tensors):
    return f64be(weight) + envelope.encode(round_, tensors)


def read_plain(payload, round_, expected, sender):
    """(weight, a flat list of values a tensor); expected: (name, shape)."""
    def read(reader):
        weight = reader.f64be()
        refuse_if(weight < 0, "MALFORMED_MESSAGE", "AGG-29")
        heads = [(name, 1, 0, shape) for name, shape in expected]
        return weight, [t[4] for t in envelope.decode(reader.take(reader.left()), round_, heads)]

    return read_whole(payload, sender, read)


def weighted_mean(parts):
    """parts: (weight, [[value]]); exact, then rounded once."""
    weights = sum(Fraction(weight) for weight, _ in parts)
    return [[float(sum(Fraction(w) * Fraction(values[i][j]) for w, values in parts) / weights)
             for j in range(len(tensor))] for i, tensor in enumerate(parts[0][1])]


# Section 8: differences.

def check_difference(survivors, exact, earlier, permitted):
    """survivors: the parties of U3; earlier: (parties, exact, completed) of the job's other rounds."""
    for parties, was_exact, completed in earlier:
        differ = len(set(survivors) ^ set(parties)) == 1
        refuse_if(differ and exact and was_exact and completed and not permitted, "ROSTER_DIFFERENCE", "AGG-25")


# Section 9: small cells.

def merge_small(good, bad, minimum):
    """One column's cells after merging: (first bucket, good, bad) of each."""
    least = max(5, minimum)
    cells = [[i, g, b] for i, (g, b) in enumerate(zip(good, bad))]
    while len(cells) > 1:
        rows = [g + b for _, g, b in cells]
        smallest = min(range(len(cells)), key=lambda i: (rows[i], i))
        if rows[smallest] >= least:
            break
        beside = [i for i in (smallest - 1, smallest + 1) if 0 <= i < len(cells)]
        other = min(beside, key=lambda i: (rows[i], i))
        left, right = sorted((smallest, other))
        cells[left] = [cells[left][0], cells[left][1] + cells[right][1], cells[left][2] + cells[right][2]]
        del cells[right]
    refuse_if(cells[0][1] + cells[0][2] < least, "TOO_FEW_ROWS", "AGG-27")
    return [tuple(cell) for cell in cells]
