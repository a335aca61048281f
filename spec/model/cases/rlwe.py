"""Ring-LWE: order, packing, keys, ciphertexts, answers (ringlwe.md)."""
import base64

import ringlwe as r
from cases import BLOB, COUNT, DECIMAL, DRAW, HEX, INTEGERS, Kind, TEXT, array, bad, good, hex_of, record
from conventions import expand, u16be, u32be, u8
from draws import blob, drawn, fixed, integers, patched, recipe

TRANSCRIPT = fixed("rlwe transcript", 32)
SET = {"enum": list(r.SETS)}


# Order and packing.

def run_order(given):
    return {"indices": [r.lane_index(p) for p in given["positions"]],
            "reversed": [r.brv(i) for i in given["positions"]]}


def order_cases():
    yield good("lanes", "The index at some positions, and brv of the same numbers", "",
               {"positions": [0, 1, 2, 7, 8, 9, 15, 16, 4095, 4096, 8184, 8190, 8191]})


def run_transform(given):
    p = int(given["p"])
    values = r.transform(drawn(given["coefficients"]), p)
    assert r.untransform(values, p) == [v % p for v in drawn(given["coefficients"])]
    return {"psi": str(r.psi(p)), "by_index": integers(values), "by_position": integers(r.to_wire_order(values))}


def transform_cases():
    for name, p in (("q0", r.Q[0]), ("q1", r.Q[1]), ("q2", r.Q[2]), ("q3", r.Q[3]), ("t0", r.T0), ("t1", r.T1),
                    ("t_coarse", r.T_COARSE)):
        yield good(name, "A polynomial modulo one prime", "",
                   {"p": str(p), "coefficients": recipe("below", f"transform {name}", q=str(p), count=r.N)})
    yield good("x", "The polynomial X: its values are the points themselves", "",
               {"p": str(r.Q[0]), "coefficients": {"draw": "unit", "index": 1, "value": "1"}})
    yield good("x_1024", "X^1024: position 1 of an untransformed vector", "",
               {"p": str(r.Q[0]), "coefficients": {"draw": "unit", "index": 1024, "value": "1"}})


def run_pack(given):
    return {"values": [str(v) for v in r.unpack(bytes.fromhex(given["bytes"]), int(given["p"]))]}


def pack_cases():
    q0 = r.Q[0]

    def given(*values):
        return {"p": str(q0), "bytes": r.pack(list(values)).hex()}

    yield good("small", "Four small values", "", given(1, 2, 3, 4))
    yield good("largest", "Values up to the prime less one", "RLWE-2",
               given(q0 - 1, 0, q0 - 1, 1, 5, q0 - 2, 7, 1 << 49))
    yield bad("prime", "A value that equals the prime", "RLWE-2", given(0, 0, 0, q0), "BAD_ELEMENT")
    yield bad("all_ones", "Fifty one bits", "RLWE-2", given(1, (1 << 50) - 1, 2, 3), "BAD_ELEMENT")


# Keys.

KEY = record(set=SET, transcript=hex_of(32), owner=COUNT, round=COUNT, secret=DRAW, error=DRAW)


def key_of(given):
    """(set, secret, p0, p1) of the key that a vector describes."""
    set_, transcript = r.SETS[given["set"]], bytes.fromhex(given["transcript"])
    secret = drawn(given["secret"])
    p1 = r.public_uniform(transcript, set_, given["owner"], given["round"])
    return set_, secret, r.public_key(set_, p1, secret, drawn(given["error"])), p1


def run_key(given):
    set_, _, p0, p1 = key_of(given)
    info = b"hefu/1 rlwe key" + u8(set_.id) + u16be(given["owner"]) + u32be(given["round"])
    return {"stream_key": expand(bytes.fromhex(given["transcript"]), info, 16).hex(),
            "p1": blob(r.pack_polynomial(p1)), "p0": blob(r.pack_polynomial(p0))}


def a_key(set_, label, owner=0, round_=3):
    return {"set": set_.name, "transcript": TRANSCRIPT.hex(), "owner": owner, "round": round_,
            "secret": recipe("ternary", f"{label} secret"), "error": recipe("binomial", f"{label} key error")}


def key_cases():
    yield good("s", "Set S, rank 0, round 3", "", a_key(r.S, "s"))
    yield good("s_coarse", "Set S′, rank 0, round 3", "", a_key(r.S_COARSE, "s'"))
    yield good("g", "Set G, rank 1, round 258", "", a_key(r.G, "g", 1, 258))


# Encryption.

CIPHERTEXT = record(values=DRAW, error=DRAW, seed=hex_of(16))


def encrypt(set_, secret, given):
    plaintext = r.encode_plaintext(drawn(given["values"]), set_)
    c0, a = r.encrypt(set_, secret, plaintext, drawn(given["error"]), bytes.fromhex(given["seed"]))
    return plaintext, c0, a


def run_encrypt(given):
    set_, secret = r.SETS[given["set"]], drawn(given["secret"])
    plaintext, c0, a = encrypt(set_, secret, given["ciphertext"])
    assert r.decrypt(set_, secret, c0, a) == plaintext
    wire = r.ciphertext_bytes(bytes.fromhex(given["ciphertext"]["seed"]), c0)
    return {"plaintext": integers(plaintext), "scaled": integers(r.scaled(plaintext, set_)),
            "ciphertext": blob(wire, given["whole"])}


def values_for(set_, label, count=r.N):
    """Values as training has them: signed basis values in slots, residual shares as coefficients."""
    if set_.packing == r.SLOTS:
        return recipe("signed", label, count=count, bits=21 if set_ is r.S else 10)
    return recipe("u64", label, count=count)


def a_ciphertext(set_, label, count=r.N):
    return {"values": values_for(set_, f"{label} values", count), "error": recipe("binomial", f"{label} error"),
            "seed": fixed(f"{label} seed", 16).hex()}


def encrypt_cases():
    def case(name, title, set_, ciphertext, whole=False):
        return good(name, title, "", {"set": set_.name, "secret": recipe("ternary", f"{set_.name.lower()} secret"),
                                      "ciphertext": ciphertext, "whole": whole})

    yield case("s", "A full block in set S, the whole ciphertext", r.S, a_ciphertext(r.S, "s first"), True)
    yield case("s_coarse", "A full block in set S′, the whole ciphertext", r.S_COARSE,
               a_ciphertext(r.S_COARSE, "s' first"), True)
    yield case("g", "A full block in set G, the whole ciphertext", r.G, a_ciphertext(r.G, "g first"), True)
    yield case("g_short", "A block of 5 values in set G", r.G, a_ciphertext(r.G, "g short", 5))
    edge = {"draw": "list", "values": [str(v) for v in (0, 1, (1 << 63), (1 << 63) + 1, (1 << 64) - 1)]}
    yield case("g_edges", "0, 1, 2^63, 2^63 + 1, 2^64 - 1", r.G, {**a_ciphertext(r.G, "g edges"), "values": edge})
    largest = {"draw": "list", "values": [str(v) for v in (0, 1, r.S.t - 1, r.S.t // 2, r.S.t // 2 + 1)]}
    yield case("s_edges", "0, 1, t - 1 and both sides of t/2 in slots", r.S,
               {**a_ciphertext(r.S, "s edges"), "values": largest})


# Answers.

TERM = record(ciphertext=CIPHERTEXT, multipliers=DRAW)


def run_answer(given):
    set_, secret, p0, p1 = key_of(given["key"])
    terms = []
    for term in given["terms"]:
        _, c0, a = encrypt(set_, secret, term["ciphertext"])
        multipliers = drawn(term["multipliers"])
        polynomial = r.encode_slots(multipliers, set_) if set_.packing == r.SLOTS else r.column_plaintext(multipliers)
        terms.append((polynomial, c0, a))
    if set_.packing == r.COEFFICIENTS:
        r.check_norm([m for term in given["terms"] for m in drawn(term["multipliers"])])
    mask = r.encode_plaintext(drawn(given["mask"]), set_)
    wire = r.answer(set_, terms, p0, p1, drawn(given["u"]), drawn(given["e1"]), drawn(given["e2"]), mask,
                    drawn(given["flood"]))
    opened = r.open_answer(set_, secret, wire)
    check_sums(set_, given, opened)
    opened = integers(opened) if set_.packing == r.SLOTS else integers([opened])
    return {"answer": blob(wire, given["whole"]), "opened": opened}


def check_sums(set_, given, opened):
    """What an answer is for: Σ value · multiplier + mask, exact in slots."""
    pairs = [(drawn(t["ciphertext"]["values"]), drawn(t["multipliers"])) for t in given["terms"]]
    mask = drawn(given["mask"])
    if set_.packing == r.SLOTS:
        assert opened == [(sum(v[i] * m[i] for v, m in pairs) + mask[i]) % set_.t for i in range(r.N)]
    else:
        assert r.opens_to(set_, opened, sum(x * y for v, m in pairs for x, y in zip(v, m)) + mask[0])


def an_answer(set_, label, terms, whole=True):
    mask = recipe("slots", f"{label} mask", moduli=[str(t) for t in set_.t_primes]) if set_.packing == r.SLOTS else \
        recipe("u64", f"{label} mask", count=r.N)
    return {"key": a_key(set_, label), "terms": terms, "u": recipe("ternary", f"{label} u"),
            "e1": recipe("binomial", f"{label} e1"), "e2": recipe("binomial", f"{label} e2"), "mask": mask,
            "flood": recipe("flood", f"{label} flood", bits=set_.flood), "whole": whole}


def answer_cases():
    def terms(set_, label, bits, *counts):
        return [{"ciphertext": a_ciphertext(set_, f"{label} {i}", n),
                 "multipliers": recipe("signed", f"{label} multipliers {i}", count=n, bits=bits)}
                for i, n in enumerate(counts)]

    yield good("s", "Set S: two products, a mask in every slot", "",
               an_answer(r.S, "s answer", terms(r.S, "s", 24, r.N, r.N)))
    yield good("s_coarse", "Set S′: two products", "",
               an_answer(r.S_COARSE, "s' answer", terms(r.S_COARSE, "s'", 12, r.N, r.N)))
    yield good("g", "Set G: an inner product over a full block and one of 100 values", "",
               an_answer(r.G, "g answer", terms(r.G, "g", 24, r.N, 100)))


# Opening.

def run_open(given):
    set_ = r.SETS[given["set"]]
    data = patched(given["answer"]) if "zeros" in given["answer"] else base64.b64decode(given["answer"]["base64"])
    opened = r.open_answer(set_, drawn(given["secret"]), data)
    return {"opened": integers(opened if set_.packing == r.SLOTS else [opened])}


def open_cases():
    slots, coefficients = r.answer_length(r.S_COARSE), r.answer_length(r.G)

    def given(set_, zeros, *patches):
        return {"set": set_.name, "secret": recipe("ternary", "open secret"),
                "answer": {"zeros": zeros, "patches": [list(p) for p in patches]}}

    def first(w):
        """An answer of set G with c1 = 0: it opens to ⌊2^64·w/q0⌉ under any secret."""
        return given(r.G, coefficients, (0, w.to_bytes(8, "big").hex()))

    # 2^64·w/q0 has fractions 0.49998 and 0.50001 for these two.
    below = next(w for w in range(r.Q[0]) if 2 * (w << 64) % (2 * r.Q[0]) > r.Q[0]) - 1
    yield good("zero", "The answer of zeros opens to zeros", "", given(r.S_COARSE, slots))
    yield good("zero_g", "The same in set G", "", given(r.G, coefficients))
    yield good("g_one", "Set G: coefficient 0 of c0 is 1, a little more than 2^14", "", first(1))
    yield good("g_down", "Set G: a fraction just below a half", "", first(below))
    yield good("g_up", "Set G: a fraction just above a half", "", first(below + 1))
    yield good("g_half", "Set G: the largest value below 2^63", "", first(r.Q[0] // 2))
    yield good("g_largest", "Set G: coefficient 0 of c0 is q0 - 1", "RLWE-2", first(r.Q[0] - 1))
    yield bad("slots_prime", "The last value of c1 equals its prime", "RLWE-2",
              given(r.S_COARSE, slots, (slots - 25, r.pack([0, 0, 0, r.Q[1]]).hex())), "BAD_ELEMENT")
    yield bad("slots_c0", "A value of c0 equals its prime", "RLWE-2",
              given(r.S, slots, (0, r.pack([r.Q[0], 0, 0, 0]).hex())), "BAD_ELEMENT")
    yield bad("first_prime", "Set G: coefficient 0 of c0 equals q0", "RLWE-2", first(r.Q[0]), "BAD_ELEMENT")
    yield bad("last_prime", "Set G: the last value of c1 equals q0", "RLWE-2",
              given(r.G, coefficients, (coefficients - 25, r.pack([0, 0, 0, r.Q[0]]).hex())), "BAD_ELEMENT")
    yield bad("short", "One byte short", "CONV-1", given(r.S_COARSE, slots - 1), "MALFORMED_MESSAGE")
    yield bad("long", "One byte more", "CONV-1", given(r.G, coefficients + 1), "MALFORMED_MESSAGE")
    yield bad("other_packing", "A slot answer where one of set G is due", "CONV-1", given(r.G, slots),
              "MALFORMED_MESSAGE")


# Limits.

def run_norm(given):
    r.check_norm([int(m) for m in given["multipliers"]])
    return {}


def norm_cases():
    def given(*values):
        return {"multipliers": [str(v) for v in values]}

    yield good("limit", "Exactly 2^33.5", "RLWE-4", given(1 << 33, -(1 << 33)))
    yield bad("limit", "Just above 2^33.5", "RLWE-4", given(1 << 33, -(1 << 33), 1), "NORM_TOO_LARGE")


def run_seeds(given):
    seen = set()
    for seed in given["seeds"]:
        r.check_seed(seed, seen)
        seen.add(seed)
    return {}


def seed_cases():
    seeds = [fixed(f"seed {i}", 16).hex() for i in range(3)]
    yield good("distinct", "Three seeds", "RLWE-6", {"seeds": seeds})
    yield bad("repeated", "The first seed again", "RLWE-6", {"seeds": [*seeds, seeds[0]]}, "DUPLICATE_ELEMENT")


ANSWER = {"anyOf": [BLOB, record(zeros=COUNT, patches={"type": "array"})]}
KINDS = [
    Kind("rlwe_order",
         "Lane order: the index at a position; brv of the same numbers.",
         record(positions=array(COUNT)), record(indices=array(COUNT), reversed=array(COUNT)), run_order, order_cases),
    Kind("rlwe_transform",
         "The transform modulo one prime: by index, and by position as it travels.",
         record(p=DECIMAL, coefficients=DRAW), record(psi=DECIMAL, by_index=INTEGERS, by_position=INTEGERS),
         run_transform, transform_cases),
    Kind("rlwe_pack",
         "Reading packed values, in the order in which they stand.",
         record(p=DECIMAL, bytes=HEX), record(values=array(DECIMAL)), run_pack, pack_cases),
    Kind("rlwe_key",
         "A public key on the wire: p1 from the transcript, p0 from secret and error.",
         KEY, record(stream_key=hex_of(16), p1=BLOB, p0=BLOB), run_key, key_cases),
    Kind("rlwe_encrypt",
         "A ciphertext on the wire. Slots: value number k of `values` is row k. `scaled` is ⌊q·m/t⌉.",
         record(set=SET, secret=DRAW, ciphertext=CIPHERTEXT, whole={"type": "boolean"}),
         record(plaintext=INTEGERS, scaled=INTEGERS, ciphertext=BLOB), run_encrypt, encrypt_cases),
    Kind("rlwe_answer",
         "An answer with all its randomness given; `opened` is what the key owner decrypts: in slots Σ "
         "value·multiplier + mask of each row; in set G the one number v, exactly what the answer gives, which is "
         "within 2^24 of that sum over all values, the mask being coefficient 0 of `mask`.",
         record(key=KEY, terms=array(TERM), u=DRAW, e1=DRAW, e2=DRAW, mask=DRAW, flood=DRAW, whole={"type": "boolean"}),
         record(answer=BLOB, opened=INTEGERS), run_answer, answer_cases),
    Kind("rlwe_open",
         "Opening an answer: in set G, v. `zeros` and `patches`: so many zero bytes, but for hex at some offsets.",
         record(set=SET, secret=DRAW, answer=ANSWER), record(opened=INTEGERS), run_open, open_cases),
    Kind("rlwe_norm",
         "The norm that an evaluator accepts in set G, over all multipliers of one answer.",
         record(multipliers=array(DECIMAL)), record(), run_norm, norm_cases),
    Kind("rlwe_seeds", "The seeds of ciphertexts received under one key.", record(seeds=array(TEXT)), record(),
         run_seeds, seed_cases),
]
