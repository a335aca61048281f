"""Values, keys, shares, masks, neighbours, differences, small cells and the plain mean (aggregate.md)."""
import struct

import aggregate as a
import envelope
import session as s
from cases import BOOLEAN, COUNT, DECIMAL, HEX, Kind, TEXT, array, bad, good, hex_of, map_of, record
from conventions import f64be
from draws import fixed

# A real number as the hex of f64be, a count as a decimal integer.
VALUE = {"type": "string", "pattern": "^([0-9a-f]{16}|[0-9]{1,15})$"}
PLAN_TENSOR = record(name=TEXT, codec=TEXT, clip=COUNT, shape=array(COUNT))
SCALARS = array(hex_of(32))


def number(text):
    return struct.unpack(">d", bytes.fromhex(text))[0] if len(text) == 16 else int(text)


def unhex(text):
    return bytes.fromhex(text)


def real(x):
    return f64be(x).hex()


def integers(scalars):
    return [int.from_bytes(unhex(x), "little") for x in scalars]


def scalars(label, count):
    return [a.scalar(int.from_bytes(fixed(f"{label} {i}", 64), "little") % a.ELL).hex() for i in range(count)]


# Values.

def run_encode(given):
    codec = {"fixed": a.FIXED, "wide": a.WIDE, "count": a.COUNT}[given["codec"]]
    scale = a.check_clip(codec, given["clip"], given["participants"])
    rows = [[e for x in values for e in a.ring_elements(codec, scale, given["clip"], number(x))]
            for values in given["values"]]
    total = [sum(column) % a.WORD for column in zip(*rows)]
    return {"scale": scale, "elements": [[str(e) for e in row] for row in rows], "sum": [str(e) for e in total],
            "value": [str(int(x * (1 << scale))) for x in a.read_back(codec, scale, total)]}


def encode_cases():
    def given(codec, clip, participants, *values):
        return {"codec": codec, "clip": clip, "participants": participants,
                "values": [[str(x) if codec == "count" else real(x) for x in xs] for xs in values]}

    half = 2.0**-41
    yield good("fixed", "Scale 40; halves away from zero", "AGG-9 AGG-11",
               given("fixed", 4, 4, [0.1, -0.1, half, -half, 16.0], [1 / 3, -16.0, half, -3 * half, 16.0]))
    yield good("fixed_five", "Five participants: the bits of N are rounded up", "AGG-9",
               given("fixed", 30, 5, [2.0**30, -0.5]))
    yield good("fixed_most", "1,024 participants and the largest clip: scale 8", "AGG-9",
               given("fixed", 44, 1024, [2.0**44, -2.0**-9], [2.0**44, 2.0**-9]))
    yield good("fixed_zero", "Clip exponent 0", "AGG-9", given("fixed", 0, 3, [1.0, -1.0, -0.0]))
    yield good("wide", "Negative values: the high limb is rounded down", "AGG-9",
               given("wide", 60, 3, [-1.0, 2.0**-40, 1234567.890625, -(2.0**60)], [0.75, half, -1e9, -(2.0**60)],
                     [0.0, -half, 1e-9, -(2.0**60)]))
    yield good("wide_most", "The largest clip at 1,024 participants", "AGG-9", given("wide", 60, 1024, [2.0**60, 3.5]))
    yield good("count", "Counts", "AGG-9", given("count", 40, 1024, [0, 600, 1 << 40], [1, 400, 1 << 40]))
    nan, infinity = float("nan"), float("inf")
    for name, x, error in (("nan", nan, "NOT_FINITE"), ("infinite", -infinity, "NOT_FINITE"),
                           ("above", 16.000000000000004, "BEYOND_CLIP"), ("below", -17.0, "BEYOND_CLIP")):
        yield bad(name, "A value that may not be sent", "AGG-10", given("fixed", 4, 3, [0.0, x]), error)
    yield bad("wide_above", "Beyond the clip of codec wide", "AGG-10", given("wide", 60, 3, [2.0**60 + 256]),
              "BEYOND_CLIP")
    yield bad("wide_nan", "NaN in codec wide", "AGG-10", given("wide", 60, 3, [nan]), "NOT_FINITE")
    yield bad("count_above", "Beyond the clip of codec count", "AGG-10", given("count", 40, 3, [(1 << 40) + 1]),
              "BEYOND_CLIP")
    yield bad("clip_fixed", "A clip that leaves a scale of 7", "AGG-9", given("fixed", 45, 1024, [0.0]),
              "CLIP_TOO_LARGE")
    yield bad("clip_wide", "A clip of 61 in codec wide", "AGG-9", given("wide", 61, 3, [0.0]), "CLIP_TOO_LARGE")
    yield bad("clip_count", "A clip of 41 in codec count", "AGG-9", given("count", 41, 3, [0]), "CLIP_TOO_LARGE")
    yield bad("participants", "1,025 participants", "AGG-9", given("count", 40, 1025, [0]), "CLIP_TOO_LARGE")


# Keys.

def run_keys(given):
    transcript, (one, other) = unhex(given["transcript"]), given["ranks"]
    ephemerals, masks = (list(map(unhex, given[name])) for name in ("ephemeral_secrets", "mask_secrets"))
    pair = s.pair_key(transcript, ephemerals[0], s.ephemeral_public(ephemerals[1]))
    shared = a.agree_masks(masks[0], a.mask_public(masks[1]), other)
    assert shared == a.agree_masks(masks[1], a.mask_public(masks[0]), one)
    return {"mask_keys": [a.mask_public(x).hex() for x in masks], "shared": shared.hex(),
            "share_keys": [a.share_key(pair, one, other).hex(), a.share_key(pair, other, one).hex()],
            "pair_mask": a.pair_mask_key(transcript, shared, one, other).hex(),
            "self_mask": a.self_mask_key(unhex(given["self_mask"])).hex()}


def keys_cases():
    def given(ranks, label):
        return {"transcript": fixed(f"transcript {label}", 32).hex(), "ranks": ranks,
                "ephemeral_secrets": [fixed(f"ephemeral {label} {r}", 32).hex() for r in ranks],
                "mask_secrets": scalars(f"mask secret {label}", 2), "self_mask": scalars(f"self mask {label}", 1)[0]}

    yield good("ascending", "Ranks 0 and 1", "", given([0, 1], "a"))
    yield good("descending", "Ranks 300 and 7: the lower one comes first in the mask key's label", "",
               given([300, 7], "b"))


def run_agree(given):
    return {"shared": a.agree_masks(unhex(given["secret"]), unhex(given["public"]), given["owner"]).hex()}


def agree_cases():
    secret = scalars("mask secret", 1)[0]
    yield good("pair", "A scalar below ℓ is used as X25519 uses any 32 bytes", "AGG-8",
               {"secret": secret, "public": a.mask_public(fixed("another mask secret", 32)).hex(), "owner": 2})
    low = {"zero": bytes(32), "order_8": unhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")}
    for name, point in low.items():
        yield bad(name, "A mask key of low order: the result is all zero", "AGG-8",
                  {"secret": secret, "public": point.hex(), "owner": 2}, "BAD_ELEMENT", 2)


# Shares.

def run_shares(given):
    transcript, own = unhex(given["transcript"]), given["rank"]
    b, mask = integers(given["self_mask"]), integers(given["mask"])
    head = a.self_mask_commitment(transcript, own, a.scalar(b[0])) + a.commitment(1, own, own, a.share_of(b, own))
    entries, shares = [], [[own, a.share_of(b, own).hex(), a.share_of(mask, own).hex()]]
    for holder in given["holders"]:
        v, pair = holder["rank"], s.pair_key(transcript, unhex(given["ephemeral_secret"]), unhex(holder["ephemeral"]))
        share_b, share_s = a.share_of(b, v), a.share_of(mask, v)
        entries.append((v, a.make_entry(pair, unhex(given["signing_seed"]), transcript, own, v, share_b, share_s)))
        shares.append([v, share_b.hex(), share_s.hex()])
    return {"shares": [{"rank": v, "self_mask": x, "mask": y} for v, x, y in sorted(shares)],
            "payload": (head + a.entries(entries)).hex()}


def shares_cases():
    def given(rank, holders, threshold):
        return {"transcript": fixed("transcript of shares", 32).hex(), "rank": rank,
                "self_mask": scalars("b", threshold), "mask": scalars("s", threshold),
                "ephemeral_secret": fixed(f"ephemeral of shares {rank}", 32).hex(),
                "signing_seed": fixed(f"signing key of rank {rank}", 32).hex(),
                "holders": [{"rank": v, "ephemeral": s.ephemeral_public(fixed(f"ephemeral of shares {v}", 32)).hex()}
                            for v in holders]}

    yield good("three", "Threshold 3", "", given(1, [0, 2], 3))
    yield good("five", "Threshold 4, and a rank that is gone", "", given(4, [0, 1, 3], 4))
    small = given(0, [1, 2], 3)
    small["self_mask"][1:] = [a.scalar(1).hex(), a.scalar(a.ELL - 1).hex()]
    yield good("small", "Coefficients 1 and ℓ − 1", "", small)


def run_rebuild(given):
    return {"secret": a.rebuild({share["rank"]: unhex(share["share"]) for share in given["shares"]}).hex()}


def rebuild_cases():
    coefficients = integers(scalars("a secret", 4))
    for name, ranks in (("first", (0, 1, 2, 3)), ("others", (2, 5, 1023, 6))):
        yield good(name, f"Four shares of a polynomial of degree 3: ranks {ranks}", "",
                   {"shares": [{"rank": r, "share": a.share_of(coefficients, r).hex()} for r in ranks]})


# Masks.

def run_mask(given):
    heads = [a.tensor_head(t, given["participants"]) for t in given["tensors"]]
    elements = a.encode_values(heads, [[number(x) for x in tensor] for tensor in given["values"]])
    pairs = {p["rank"]: unhex(p["key"]) for p in given["pair_masks"]}
    elements = a.masked(elements, given["rank"], unhex(given["self_mask"]), pairs)
    return {"payload": envelope.encode(given["round"], a.cut(heads, elements)).hex()}


def mask_cases():
    tensors = [{"name": "w", "codec": "fixed", "clip": 10, "shape": [2, 2]},
               {"name": "gram", "codec": "wide", "clip": 60, "shape": [2]},
               {"name": "rows", "codec": "count", "clip": 40, "shape": []}]

    def given(rank, others):
        return {"participants": 5, "round": 2, "rank": rank, "tensors": tensors,
                "self_mask": scalars("b of masks", 1)[0],
                "values": [[real(x) for x in (0.5, -1.25, 1e-3, 1000.0)], [real(-7.5), real(2.0**40)], ["512"]],
                "pair_masks": [{"rank": r, "key": fixed(f"pair mask {r}", 16).hex()} for r in others]}

    yield good("middle", "A rank between its neighbours: + for higher ranks, − for lower ones", "",
               given(2, [0, 1, 3, 4]))
    yield good("first", "Rank 0", "", given(0, [1, 2, 4]))
    yield good("alone", "Nobody else in U2: the self-mask only", "", given(1, []))


# Neighbours.

def run_graph(given):
    roster = given["roster"]
    neighbours = a.graph(unhex(given["transcript"]), roster, given["neighbours"])
    return {"order": a.permuted(unhex(given["transcript"]), roster),
            "threshold": a.sharing_threshold(0, given["neighbours"]),
            "graph": {str(rank): neighbours[rank] for rank in sorted(roster)}}


def graph_cases():
    def given(roster, k):
        return {"transcript": fixed(f"transcript of {len(roster)}", 32).hex(), "roster": roster, "neighbours": k}

    yield good("ten", "Ten ranks with four neighbours each", "", given(list(range(10)), 4))
    yield good("gaps", "A roster with gaps, six neighbours", "", given([1, 2, 4, 5, 7, 8, 9, 300, 301], 6))
    yield good("odd", "Seventeen ranks, eight neighbours", "", given(list(range(1, 18)), 8))


def run_neighbours(given):
    a.check_neighbours(given["size"], given["neighbours"])
    return {}


def neighbours_cases():
    for size, k in ((3, 0), (50, 40), (63, 40), (64, 60), (1024, 382), (60, 58)):
        yield good(f"{size}_{k}", f"{k} neighbours of {size}", "AGG-23", {"size": size, "neighbours": k})
    for size, k, title in ((49, 40, "A roster below 50"), (50, 38, "Fewer than the registry's"),
                           (128, 116, "Fewer than the registry's"), (50, 41, "An odd number"),
                           (60, 60, "Not below the size less one")):
        yield bad(f"{size}_{k}", title, "AGG-23", {"size": size, "neighbours": k}, "UNSUPPORTED_PLAN")


# The plain mean, differences, small cells.

def run_mean(given):
    expected = [(t["name"], t["shape"]) for t in given["tensors"]]
    parts = [a.read_plain(unhex(p["payload"]), given["round"], expected, p["rank"]) for p in given["parts"]]
    return {"weights": [real(w) for w, _ in parts], "mean": [[real(x) for x in t] for t in a.weighted_mean(parts)]}


def mean_cases():
    tensors = [{"name": "w", "shape": [3]}, {"name": "b", "shape": []}]

    def part(rank, weight, w, b, round_=4):
        data = [("w", 1, 0, [len(w)], w), ("b", 1, 0, [], [b])]
        return {"rank": rank, "payload": a.encode_plain(weight, round_, data).hex()}

    def given(*parts):
        return {"round": 4, "tensors": tensors, "parts": list(parts)}

    one, two = part(1, 1.0, [1.0, -2.0, 0.5], 8.0), part(2, 3.0, [5.0, 2.0, 0.5], -8.0)
    yield good("weights", "Weights 1, 3 and 0", "", given(one, two, part(3, 0.0, [9.0, 9.0, 9.0], 9.0)))
    yield bad("weight", "A negative weight", "AGG-29", given(one, part(2, -1.0, [1.0, 1.0, 1.0], 1.0)),
              "MALFORMED_MESSAGE", 2)
    yield bad("nan", "A weight that is NaN", "CONV-2", given(one, part(2, float("nan"), [1.0, 1.0, 1.0], 1.0)),
              "MALFORMED_MESSAGE", 2)
    yield bad("shape", "Another shape", "ENV-3", given(one, part(2, 1.0, [1.0, 1.0], 1.0)), "SHAPE_MISMATCH", 2)
    yield bad("round", "The values of another round", "ENV-4", given(one, part(2, 1.0, [1.0, 1.0, 1.0], 1.0, 3)),
              "STALE_ROUND", 2)


def run_difference(given):
    earlier = [(e["survivors"], e["exact"], e["completed"]) for e in given["earlier"]]
    a.check_difference(given["survivors"], given["exact"], earlier, given["permitted"])
    return {}


def difference_cases():
    four = ["lei:A", "lei:B", "lei:C", "lei:D"]

    def given(survivors, earlier=four, exact=True, completed=True, permitted=False, now=True):
        return {"survivors": survivors, "exact": now, "permitted": permitted,
                "earlier": [{"survivors": earlier, "exact": exact, "completed": completed}]}

    yield good("same", "The same survivors, at other ranks", "AGG-25", given(four[::-1]))
    yield good("two_fewer", "Two parties fewer", "AGG-25", given(four[:3], [*four, "lei:E"]))
    yield good("exchanged", "One party gone, another come", "AGG-25", given([*four[:3], "lei:E"]))
    yield good("permitted", "One party fewer, and the entry permits roster-change", "AGG-25 AGG-26",
               given(four[:3], permitted=True))
    yield good("not_completed", "The earlier round was not completed", "AGG-25", given(four[:3], completed=False))
    yield good("not_exact", "The earlier round's statistic was not exact", "AGG-25", given(four[:3], exact=False))
    yield good("not_exact_now", "This round's statistic is not exact", "AGG-25", given(four[:3], now=False))
    yield bad("one_fewer", "One party fewer", "AGG-25 AGG-26", given(four[:3]), "ROSTER_DIFFERENCE")
    yield bad("one_more", "One party more", "AGG-25 AGG-26", given([*four, "lei:E"]), "ROSTER_DIFFERENCE")
    both = given(four)
    both["earlier"].append({"survivors": four[1:], "exact": True, "completed": True})
    yield bad("older", "One party differs from a round before the last one", "AGG-25 AGG-26",
              {**both, "earlier": both["earlier"][::-1]}, "ROSTER_DIFFERENCE")


def run_histogram(given):
    merged = [a.merge_small(column["good"], column["bad"], given["minimum"]) for column in given["columns"]]
    return {"columns": [[{"first": i, "good": g, "bad": b} for i, g, b in cells] for cells in merged]}


def histogram_cases():
    def given(*columns, minimum=0):
        return {"minimum": minimum, "columns": [{"good": g, "bad": b} for g, b in columns]}

    yield good("none", "No small cell", "AGG-27", given(([5, 9, 0], [0, 1, 5])))
    yield good("smaller", "A small cell goes to its smaller neighbour", "AGG-27", given(([30, 2, 20], [0, 2, 3])))
    yield good("equal", "Equal neighbours: to the left one", "AGG-27", given(([20, 1, 20], [0, 1, 0])))
    yield good("ends", "Small cells at both ends, empty ones between", "AGG-27",
               given(([1, 0, 0, 8, 0, 7, 0, 2], [0, 0, 1, 1, 0, 0, 0, 1])))
    yield good("chain", "Small cells that must be merged more than once: the smallest first", "AGG-27",
               given(([3, 1, 2, 1, 4, 12], [0] * 6)))
    yield good("minimum", "The job's minimum; every column for itself", "AGG-27",
               given(([19, 40, 60], [0, 1, 2]), ([40, 19, 60], [2, 0, 1]), minimum=20))
    yield bad("few", "A column of four rows in all", "AGG-27", given(([1, 0, 2], [0, 1, 0])), "TOO_FEW_ROWS")


HOLDER = record(rank=COUNT, ephemeral=hex_of(32))
COLUMN = record(good=array(COUNT), bad=array(COUNT))
EARLIER = record(survivors=array(TEXT), exact=BOOLEAN, completed=BOOLEAN)
KINDS = [
    Kind("aggregate_encode",
         "Values as ring elements, one list a participant; their sum, and what it is read back as, times 2^scale. "
         "Values: f64be in hex; counts decimal.",
         record(codec=TEXT, clip=COUNT, participants=COUNT, values=array(array(VALUE))),
         record(scale=COUNT, elements=array(array(DECIMAL)), sum=array(DECIMAL), value=array(DECIMAL)), run_encode,
         encode_cases),
    Kind("aggregate_keys", "The keys between two ranks, and that of a self-mask. `share_keys`: from each to the other.",
         record(transcript=hex_of(32), ranks=array(COUNT), ephemeral_secrets=SCALARS, mask_secrets=SCALARS,
                self_mask=hex_of(32)),
         record(mask_keys=array(hex_of(32)), shared=hex_of(32), share_keys=array(hex_of(32)), pair_mask=hex_of(16),
                self_mask=hex_of(16)), run_keys, keys_cases),
    Kind("aggregate_agree", "X25519 of a mask secret and the mask key of another rank, the owner.",
         record(secret=hex_of(32), public=hex_of(32), owner=COUNT), record(shared=hex_of(32)), run_agree, agree_cases,
         blames=True),
    Kind("aggregate_shares",
         "A participant's shares and its SHARES payload. `self_mask` and `mask` are the coefficients of the two "
         "polynomials, the secrets first.",
         record(transcript=hex_of(32), rank=COUNT, self_mask=SCALARS, mask=SCALARS, ephemeral_secret=hex_of(32),
                signing_seed=hex_of(32), holders=array(HOLDER)),
         record(shares=array(record(rank=COUNT, self_mask=hex_of(32), mask=hex_of(32))), payload=HEX), run_shares,
         shares_cases),
    Kind("aggregate_rebuild", "A secret from its shares.",
         record(shares=array(record(rank=COUNT, share=hex_of(32)))), record(secret=hex_of(32)), run_rebuild,
         rebuild_cases),
    Kind("aggregate_mask", "A MASKED_SUM payload from values and keys.",
         record(participants=COUNT, round=COUNT, rank=COUNT, tensors=array(PLAN_TENSOR), self_mask=hex_of(32),
                values=array(array(VALUE)), pair_masks=array(record(rank=COUNT, key=hex_of(16)))),
         record(payload=HEX), run_mask, mask_cases),
    Kind("aggregate_graph", "Who is whose neighbour. `order` is the permuted roster, `threshold` T.",
         record(transcript=hex_of(32), roster=array(COUNT), neighbours=COUNT),
         record(order=array(COUNT), threshold=COUNT, graph=map_of(array(COUNT))), run_graph, graph_cases),
    Kind("aggregate_neighbours", "Whether a roster of a size may have so many neighbours.",
         record(size=COUNT, neighbours=COUNT), record(), run_neighbours, neighbours_cases),
    Kind("aggregate_mean", "PLAIN payloads and their weighted mean.",
         record(round=COUNT, tensors=array(record(name=TEXT, shape=array(COUNT))),
                parts=array(record(rank=COUNT, payload=HEX))),
         record(weights=array(hex_of(8)), mean=array(array(hex_of(8)))), run_mean, mean_cases, blames=True),
    Kind("aggregate_difference", "Whether a round's survivors give a party away beside the job's earlier rounds.",
         record(survivors=array(TEXT), exact=BOOLEAN, permitted=BOOLEAN, earlier=array(EARLIER)), record(),
         run_difference, difference_cases),
    Kind("aggregate_histogram",
         "Columns of a histogram after small cells are merged; `first` is a cell's first bucket.",
         record(minimum=COUNT, columns=array(COLUMN)),
         record(columns=array(array(record(first=COUNT, good=COUNT, bad=COUNT)))), run_histogram, histogram_cases),
]
