"""The short payloads, and the lengths of the long ones (frame.md, vlr.md)."""
import frame
import ringlwe as r
import vlr
from cases import COUNT, HEX, Kind, TEXT, bad, good, record
from conventions import f64be, u16be, u32be, u64le

ERROR_TEXT = b'{"code":6010,"party":"uscc:91440300YY00001320","cause":"Too few rows.","next":"Use more rows."}'


def read(type_, payload, count):
    if type_ == "ERROR":
        code, document = frame.decode_error(payload)
        return {"code": code, "document": document.decode()}
    if type_ == "TRAIN_PLAN":
        n, positive, maximum, penalty = vlr.read_plan(payload)
        return {"rows": n, "positive": positive, "maximum": maximum, "lambda": f64be(penalty).hex()}
    if type_ in ("SHARE", "OPENED"):
        return {"values": [str(x) for x in vlr.read_words(payload, count)]}
    if type_ == "EVAL":
        return {"value": vlr.read_u16(payload)}
    return {"value": vlr.read_u32(payload)}


def run_message(given):
    return read(given["type"], bytes.fromhex(given["payload"]), given.get("count"))


def message_cases():
    def given(type_, payload, **more):
        return {"type": type_, "payload": payload.hex(), **more}

    plan = vlr.encode_plan(20926, 4637, 40, 1.0)
    words = vlr.encode_words([1, (1 << 38) - 1, 0])
    payloads = {
        "ERROR": frame.encode_error(6010, ERROR_TEXT), "TRAIN_PLAN": plan, "TRAIN_SHAPE": u32be(13),
        "BOUND": u32be(19), "EVAL": u16be(0x0318), "TRAIN_DONE": u32be(16)}
    for type_, payload in payloads.items():
        yield good(type_.lower(), type_, "", given(type_, payload))
        yield bad(f"{type_.lower()}_short", "A byte is missing", "CONV-1", given(type_, payload[:-1]),
                  "MALFORMED_MESSAGE")
        yield bad(f"{type_.lower()}_long", "A byte too many", "CONV-1", given(type_, payload + b"\0"),
                  "MALFORMED_MESSAGE")
    for type_ in ("SHARE", "OPENED"):
        yield good(type_.lower(), type_, "", given(type_, words, count=3))
        yield bad(f"{type_.lower()}_few", "A value is missing", "CONV-1", given(type_, words, count=4),
                  "MALFORMED_MESSAGE")
        yield bad(f"{type_.lower()}_many", "A value too many", "CONV-1", given(type_, words + u64le(5), count=3),
                  "MALFORMED_MESSAGE")
    yield bad("plan_nan", "λ is NaN", "CONV-2", given("TRAIN_PLAN", plan[:-8] + f64be(float("nan"))),
              "MALFORMED_MESSAGE")
    yield bad("plan_infinite", "λ is infinite", "CONV-2", given("TRAIN_PLAN", plan[:-8] + f64be(float("inf"))),
              "MALFORMED_MESSAGE")


def run_lengths(given):
    set_ = r.SETS[given["set"]]
    key = len(set_.primes) * r.PACKED
    ciphertext = 16 + key
    if set_.packing == r.SLOTS:
        return {"BASIS_KEY": key, "BASIS": len(vlr.encode_basis_head(0, 1)) + 2 * ciphertext,
                "MASKED": 4 + r.answer_length(set_)}
    return {"RESIDUAL_KEY": key, "RESIDUAL": 4 + ciphertext,
            "SUMS": len(vlr.encode_sums_head(0, 1)) + r.answer_length(set_)}


def length_cases():
    for name, set_ in (("s", "S"), ("s_coarse", "S'"), ("g", "G")):
        yield good(name, f"Set {set_}", "", {"set": set_})


KINDS = [
    Kind("message", "Reading a short payload; `count` is the number of values that are due. λ is the hex of f64be.",
         record(optional=("count",), type=TEXT, payload=HEX, count=COUNT), {"type": "object"}, run_message,
         message_cases),
    Kind("message_length", "The length in bytes of the messages that carry keys, ciphertexts and answers.",
         record(set=TEXT), {"type": "object"}, run_lengths, length_cases),
]
