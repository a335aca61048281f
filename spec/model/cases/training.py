"""Training: phases, shares, multipliers, residual shares, gradients, scalars (vlr.md)."""
import struct

import vlr as v
from cases import BOOLEAN, COUNT, DECIMAL, HEX, INTEGER, Kind, array, bad, good, hex_of, map_of, record
from conventions import Stream, f64be
from draws import drawn, fixed
from ringlwe import S, S_COARSE

WORDS = array(DECIMAL)
SETS = v.sine_sets()
MASK_KEYS = map_of(hex_of(16))


def shown(values):
    return [str(x) for x in values]


def numbers(values):
    return [int(x) for x in values]


def words(label, count):
    return Stream(fixed(label, 16)).u64s(count)


def double(text):
    return struct.unpack(">d", bytes.fromhex(text))[0]


# Section 3.

def run_phase(given):
    return {"phases": [str(v.phase(double(z), given["P"])) for z in given["z"]]}


def phase_cases():
    def case(name, title, period, *z):
        return good(name, title, "", {"P": period, "z": [f64be(x).hex() for x in z]})

    yield case("exact", "Values whose phase is exact in binary64", 64, 0.0, 1.0, -1.0, 0.5, -31.75, 2.0**-40,
               -(2.0**-58))
    yield case("period", "P = 22 and multiples of P/2^10: z/P is exact in binary64", 22, 11.0, -11.0, 22 / 1024,
               -66 / 1024, 5.5, 33.0)
    yield case("floor", "The floor, below zero too; the exact value of z/P has no end in binary", 50, 1.0, -1.0, 12.3,
               -12.3)


def run_share(given):
    phases = {int(r): numbers(p) for r, p in given["phases"].items()}
    to_zero = {int(r): bytes.fromhex(k) for r, k in given["keys_to_zero"].items()}
    pairs = {tuple(map(int, r.split("-"))): bytes.fromhex(k) for r, k in given["pair_keys"].items()}
    shares = {}
    for rank in to_zero:
        with_others = {i + j - rank: key for (i, j), key in pairs.items() if rank in (i, j)}
        shares[rank] = v.share(phases[rank], rank, to_zero[rank], with_others)
    alpha, beta = v.alpha(phases[1], shares.values()), v.beta(phases[0], to_zero.values())
    for row, both in enumerate(zip(alpha, beta)):
        assert sum(both) % v.WORD == sum(p[row] for p in phases.values()) % v.WORD
    return {"shares": {str(r): shown(u) for r, u in shares.items()},
            "payloads": {str(r): v.encode_words(u).hex() for r, u in shares.items()},
            "alpha": shown(alpha), "beta": shown(beta)}


def share_cases():
    def given(parties):
        later = range(2, parties)
        return {"phases": {str(r): shown(words(f"phases {r}", 5)) for r in range(parties)},
                "keys_to_zero": {str(q): fixed(f"mask 0-{q}", 16).hex() for q in later},
                "pair_keys": {f"{i}-{j}": fixed(f"mask {i}-{j}", 16).hex() for j in later for i in later if i < j}}

    yield good("two_parties", "No share moves", "", given(2))
    yield good("three_parties", "One share", "", given(3))
    yield good("five_parties", "Three shares, with masks between them", "", given(5))


# Section 4.

def run_basis(given):
    set_, k = SETS[given["sine_set"]], given["k"]
    cosines, sines = v.basis(set_, k, numbers(given["beta"]))
    for_cosines, for_sines = v.multipliers(set_, k, numbers(given["alpha"]))
    return {"cosines": cosines, "sines": sines, "for_cosines": for_cosines, "for_sines": for_sines}


def basis_cases():
    quarter = 1 << 62

    def case(name, title, sine_set, k, alpha, beta):
        return good(name, title, "", {"sine_set": sine_set, "k": k, "alpha": shown(alpha), "beta": shown(beta)})

    turns = [0, quarter, 2 * quarter, 3 * quarter, quarter // 2, v.WORD - 1]
    yield case("quarter_turns", "Quarter turns of the first harmonic", 0x0108, 1, turns, turns)
    yield case("fine_1", "The first harmonic of a fine set", 0x0318, 1, words("alpha", 6), words("beta", 6))
    yield case("fine_last", "The last harmonic of a fine set: (2k-1)·phase wraps", 0x0318, 28, words("alpha", 6),
               words("beta", 6))
    yield case("coarse_last", "The last harmonic of a coarse set", 0x0118, 11, words("alpha", 6), words("beta", 6))


def run_choose(given):
    return {"sine_sets": v.choose_set(SETS, given["bounds"])}


def choose_cases():
    yield good("sum", "The sets that reach the sum of the bounds", "VLR-6", {"bounds": [5, 4, 3]})
    yield good("largest", "A sum that the largest sets just reach", "VLR-6", {"bounds": [40, 24]})
    yield bad("beyond", "A sum that no set reaches", "VLR-7", {"bounds": [40, 25]}, "PREDICTOR_TOO_LARGE")


# Section 5.

def run_residual(given):
    set_ = SETS[given["sine_set"]]
    t = (S if set_["set"] == "S" else S_COARSE).t
    r = numbers(given["masks"])
    y = v.masked_sums(given["terms"], r, t)
    zero = [v.residual_share_of_zero(a, set_["f_x"], label) for a, label in zip(y, given["labels"])]
    one = [v.residual_share_of_one(b, set_["f_x"]) for b in r]
    return {"y": shown(y), "y2": shown(zero), "r1": shown(one),
            "residual": [v.centred(a - b, 64) for a, b in zip(zero, one)]}


def residual_cases():
    def case(name, title, sine_set, masks):
        set_ = SETS[sine_set]
        rows, terms = len(masks), []
        alpha, beta = words(f"{name} alpha", rows), words(f"{name} beta", rows)
        harmonics = [(v.basis(set_, k, beta), v.multipliers(set_, k, alpha)) for k in (1, 2)]
        for i in range(rows):
            terms.append([[b[part][i], m[part][i]] for b, m in harmonics for part in (0, 1)])
        return good(name, title, "", {"sine_set": sine_set, "terms": terms, "masks": shown(masks),
                                      "labels": [i % 2 for i in range(rows)]})

    def masks(label, t):
        return [int.from_bytes(fixed(f"{label} {i}", 16), "big") % t for i in range(6)]

    yield case("fine", "Set S, two harmonics", 0x0304, masks("fine", S.t))
    yield case("coarse", "Set S′, two harmonics", 0x0104, masks("coarse", S_COARSE.t))
    yield case("mask_edges", "Masks at the edges of t: a row whose sum wraps is off by t/2^f_x", 0x0304,
               [0, 1, S.t - 1, S.t - 2, S.t // 2, S.t // 2 + 1])


# Section 6.

def run_gradient(given):
    column, masks = drawn(given["column"]), numbers(given["masks"])
    v.check_column(column)
    shares = [drawn(given["y2"]), drawn(given["r1"])]
    sums = [v.masked_sum(column, share, mask) for share, mask in zip(shares, masks)]
    answers = [v.opened(s) for s in sums]
    halves = [v.unmasked(o, mask) for o, mask in zip(answers, masks)]
    own = [v.own_half(column, share) for share in shares]
    lifted = [h << v.DROPPED for h in halves]
    exact = sum(x * v.centred(a - b, 64) for x, a, b in zip(column, *shares))
    results = [v.column_sum(*lifted), v.column_sum(own[0], lifted[1]), v.column_sum(lifted[0], own[1])]
    assert all(abs(r - exact) <= 2 << v.DROPPED for r in results)
    return {"v": shown(sums), "opened": shown(answers), "opened_payload": v.encode_words(answers).hex(),
            "halves": shown(halves), "own_halves": shown(own), "exact": str(exact), "sum": str(results[0]),
            "sum_of_rank_0": str(results[1]), "sum_of_rank_1": str(results[2])}


def gradient_cases():
    def given(label, rows, bits=24):
        one = words(f"{label} r", rows)
        one = [r >> 17 for r in one]
        residual = [x % (1 << 21) - (1 << 20) for x in words(f"{label} e", rows)]
        zero = [(e + r) % v.WORD for e, r in zip(residual, one)]
        column = {"draw": "signed", "key": fixed(f"{label} x", 16).hex(), "count": rows, "bits": bits}
        return {"column": column, "y2": {"draw": "list", "values": shown(zero)},
                "r1": {"draw": "list", "values": shown(one)}, "masks": shown(words(f"{label} masks", 2))}

    yield good("eight_rows", "A column of eight rows", "VLR-8", given("eight", 8))
    yield good("hundred_rows", "A column of a hundred rows", "VLR-8", given("hundred", 100))
    edge = given("edge", 8)
    edge["masks"] = shown([0, v.WORD - 1])
    yield good("mask_edges", "Masks 0 and 2^64 - 1", "VLR-8", edge)
    single = given("single", 2)
    single["column"] = {"draw": "list", "values": shown([(1 << 43) - 1, 0])}
    yield good("norm", "Σ|x| times 2^20 just below 2^63", "VLR-9", single)
    large = given("single", 2)
    large["column"] = {"draw": "list", "values": shown([1 << 42, -(1 << 42)])}
    yield bad("norm", "Σ|x| times 2^20 is 2^63", "VLR-9", large, "NORM_TOO_LARGE")


# Section 7.

def run_wrap(given):
    column = numbers(given["column"])
    return {"flag": v.leaves_bound(int(given["sum"]), column)}


def wrap_cases():
    column = [5 << 22, -(3 << 22), 1]
    bound = (sum(map(abs, column)) << 20) + (1 << 42)
    for name, title, sum_ in (("inside", "A sum of -B", -bound), ("outside", "A sum of one unit beyond -B", -bound - 1),
                              ("above", "A sum of one unit beyond B", bound + 1)):
        yield good(name, title, "", {"column": shown(column), "sum": str(sum_)})


# Section 8.

def run_scalars(given):
    rank, e = given["rank"], given["evaluation"]
    keys = {int(r): bytes.fromhex(k) for r, k in given["mask_keys"].items()}
    values = v.quantised_scalars([double(x) for x in given["values"]])
    masked = v.masked_scalars(values, rank, keys)
    payload = v.scalars_message(given["round"], given["flags"], masked)
    v.receive_scalars(payload, given["round"], e)
    names = v.scalar_names(e)
    assert len(names) == len(values)
    return {"order": [f"{kind}_{i}_{j}" for kind, i, j in names], "quantised": shown(values), "masked": shown(masked),
            "payload": payload.hex()}


def scalars_cases():
    def given(e, rank=1, parties=2, value=None, round_=9):
        count = len(v.scalar_names(e))
        values = [x / 2**62 - 2.0 for x in words(f"scalars {e}", count)]
        if value is not None:
            values[1] = value
        others = [r for r in range(parties) if r != rank] if parties > 2 else []
        return {"evaluation": e, "round": round_, "rank": rank, "flags": 0, "values": [f64be(x).hex() for x in values],
                "mask_keys": {str(r): fixed(f"scalar mask {min(r, rank)}-{max(r, rank)}", 16).hex() for r in others}}

    yield good("first", "Accepted evaluation 0, two parties: no masks", "", given(0))
    yield good("second", "Accepted evaluation 1", "", given(1))
    yield good("refresh", "Accepted evaluation 2: every pair, i outermost", "", given(2))
    yield good("fifth", "Accepted evaluation 4", "", given(4))
    yield good("masked", "Rank 1 of three parties: minus towards rank 0, plus towards rank 2", "", given(3, 1, 3))
    yield good("masked_rank_0", "Rank 0 of three parties adds its masks too", "", given(3, 0, 3))
    yield good("below", "A scalar just below 2^12", "VLR-11", given(0, value=4095.9999999999995))
    yield bad("large", "A scalar of 2^12", "VLR-11", given(0, value=4096.0), "SCALAR_TOO_LARGE")
    yield bad("large_negative", "A scalar of -2^12", "VLR-11", given(0, value=-4096.0), "SCALAR_TOO_LARGE")


def run_step(given):
    points, gradients = v.receive_step(bytes.fromhex(given["payload"]), given["round"], given["accepted"])
    return {"points": [f64be(x).hex() for x in points], "gradients": [f64be(x).hex() for x in gradients]}


def step_cases():
    def given(points, gradients, accepted, round_=4):
        return {"payload": v.step_message(round_, points, gradients).hex(), "round": 4, "accepted": accepted}

    yield good("start", "Before any accepted evaluation", "VLR-12", given([], [], 0))
    yield good("two", "Two accepted evaluations", "VLR-12", given([0.0, 1.0], [0.25, -0.5], 2))
    yield bad("few", "A coefficient is missing in both tensors", "VLR-12 ENV-3", given([1.0], [0.5], 2),
              "SHAPE_MISMATCH")
    yield bad("uneven", "A coefficient is missing in one tensor", "VLR-12 ENV-3", given([0.0, 1.0], [0.5], 2),
              "SHAPE_MISMATCH")
    yield bad("round", "Of another round", "ENV-4", given([0.0], [1.0], 1, 5), "STALE_ROUND")


KINDS = [
    Kind("vlr_phase",
         "Phases of doubles (hex of f64be), exactly. An implementation that works in binary64 may differ by "
                      "2^12 units where z/P has no end in binary (case floor); the other cases it meets exactly.",
         record(P=COUNT, z=array(hex_of(8))), record(phases=WORDS), run_phase, phase_cases),
    Kind("vlr_share",
         "Predictor shares from phases by rank. keys_to_zero: the mask keys (0, q), use 4; pair_keys: those "
                      "of ranks i-j, use 1. payloads: SHARE.",
         record(phases=map_of(WORDS), keys_to_zero=MASK_KEYS, pair_keys=MASK_KEYS),
         record(shares=map_of(WORDS), payloads=map_of(HEX), alpha=WORDS, beta=WORDS), run_share, share_cases),
    Kind("vlr_basis",
         "Basis values of rank 0 and multipliers of rank 1. Real arithmetic: an implementation may differ by 1 "
                      "in any value.",
         record(sine_set=COUNT, k=COUNT, alpha=WORDS, beta=WORDS),
         record(cosines=array(INTEGER), sines=array(INTEGER), for_cosines=array(INTEGER), for_sines=array(INTEGER)),
         run_basis, basis_cases),
    Kind("vlr_choose", "The sine sets whose R reaches the sum of the bounds.", record(bounds=array(COUNT)),
         record(sine_sets=array(COUNT)), run_choose, choose_cases),
    Kind("vlr_residual",
         "From quantised pairs (basis value, multiplier) of each row to residual shares: y2 is y″, r1 is r′.",
         record(sine_set=COUNT, terms=array(array(array(INTEGER))), masks=WORDS, labels=array(COUNT)),
         record(y=WORDS, y2=WORDS, r1=WORDS, residual=array(INTEGER)), run_residual, residual_cases),
    Kind("vlr_gradient",
         "One column's sums: what the party sends is masked by masks[0] for rank 0 and masks[1] for rank 1. "
                         "`v` is without the error of an opened answer. "
                         "Sums at scale 2^42, halves at scale 2^16 modulo 2^38, own_halves at scale 2^42 modulo 2^64.",
         record(column={"type": "object"}, y2={"type": "object"}, r1={"type": "object"}, masks=WORDS),
         record(v=WORDS, opened=WORDS, opened_payload=HEX, halves=WORDS, own_halves=WORDS, exact=DECIMAL, sum=DECIMAL,
                sum_of_rank_0=DECIMAL, sum_of_rank_1=DECIMAL), run_gradient, gradient_cases),
    Kind("vlr_wrap", "Whether a column's sum (scale 2^42) leaves [-B, B]: column at scale 2^22.",
         record(column=WORDS, sum=DECIMAL), record(flag=BOOLEAN), run_wrap, wrap_cases),
    Kind("vlr_scalars", "The tensor gram: order of its elements, quantisation, masks (use 2), message.",
         record(evaluation=COUNT, round=COUNT, rank=COUNT, flags=COUNT, values=array(hex_of(8)), mask_keys=MASK_KEYS),
         record(order=array({"type": "string"}), quantised=WORDS, masked=WORDS, payload=HEX), run_scalars,
         scalars_cases),
    Kind("vlr_step", "Reading a STEP; `accepted` is the number of accepted evaluations.",
         record(payload=HEX, round=COUNT, accepted=COUNT), record(points=array(hex_of(8)), gradients=array(hex_of(8))),
         run_step, step_cases),
]
