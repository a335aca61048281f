"""Parameter envelopes (envelope.md)."""
import struct

import envelope as e
from cases import COUNT, DECIMAL, HEX, Kind, TEXT, array, bad, good, record
from conventions import H, f64be, u16be, u32be

HEAD = record(name=TEXT, codec=COUNT, scale=COUNT, shape=array(COUNT))
TENSOR = record(name=TEXT, codec=COUNT, scale=COUNT, shape=array(COUNT),
                elements={"type": "array", "items": {"anyOf": [DECIMAL, HEX]}})
ROUND = 7
POINTS = ("points", 1, 0, [3], [1.0, -0.0, 6.02e-23])
GRAM = ("gram", 2, 50, [2, 2], [1 << 62, -1, 0, -(1 << 62)])
FLAGS = ("flags", 3, 0, [1], [1])
SCALAR = ("x.y_9", 3, 0, [], [4294967295])


def shown(codec, elements):
    """f64 as the hex of its bytes, the rest as decimal."""
    return [f64be(v).hex() if codec == 1 else str(v) for v in elements]


def run(given):
    expected = [(t["name"], t["codec"], t["scale"], t["shape"]) for t in given["expected"]]
    tensors = e.decode(bytes.fromhex(given["envelope"]), given["round"], expected)
    return {"tensors": [{"name": n, "codec": c, "scale": s, "shape": d, "elements": shown(c, v)}
                        for n, c, s, d, v in tensors]}


def given(data, expected, round_=ROUND):
    heads = [{"name": n, "codec": c, "scale": s, "shape": d} for n, c, s, d, _ in expected]
    return {"envelope": data.hex(), "round": round_, "expected": heads}


def with_digest(body):
    return body + H(body)


def cases():
    yield good("step", "Two tensors of codec 1", "ENV-1 ENV-3",
               given(e.encode(ROUND, [POINTS, ("gradients", 1, 0, [1], [0.5])]),
                     [POINTS, ("gradients", 1, 0, [1], None)]))
    yield good("empty_tensors", "A dimension of 0: no elements", "ENV-3",
               given(e.encode(0, [("points", 1, 0, [0], []), ("gradients", 1, 0, [0], [])]),
                     [("points", 1, 0, [0], None), ("gradients", 1, 0, [0], None)], 0))
    yield good("scalars", "Codecs 2 and 3; negative values", "ENV-3",
               given(e.encode(ROUND, [FLAGS, GRAM]), [FLAGS, GRAM]))
    yield good("rank_zero", "A tensor of rank 0 has one element", "ENV-2",
               given(e.encode(ROUND, [SCALAR]), [SCALAR]))
    yield good("no_tensor", "No tensors at all", "ENV-3", given(e.encode(ROUND, []), []))
    yield from bad_digests()
    yield from bad_formats()
    yield from bad_shapes()


def bad_digests():
    data = bytearray(e.encode(ROUND, [POINTS]))
    data[30] ^= 1
    yield bad("element", "One bit of an element differs from what was hashed", "ENV-1",
              given(bytes(data), [POINTS]), "BAD_DIGEST")
    data = bytearray(e.encode(ROUND, [POINTS]))
    data[-1] ^= 1
    yield bad("digest", "One bit of the digest differs", "ENV-1", given(bytes(data), [POINTS]), "BAD_DIGEST")
    yield bad("cut", "The last byte is missing: the digest is looked at first", "ENV-1",
              given(e.encode(ROUND, [POINTS])[:-1], [POINTS]), "BAD_DIGEST")
    yield bad("stale_round", "The frame's round is another one", "ENV-4",
              given(e.encode(ROUND, [POINTS]), [POINTS], ROUND + 1), "STALE_ROUND")


def bad_formats():
    def format_(name, title, clause, body, expected=(POINTS,)):
        return bad(name, title, clause, given(with_digest(body), list(expected)), "MALFORMED_MESSAGE")

    whole = e.encode(ROUND, [POINTS])[:-32]
    head = b"HPE1" + u32be(ROUND) + u16be(1)
    nan = struct.pack(">d", float("nan"))
    yield format_("magic", "Another magic", "ENV-2", b"HPE2" + whole[4:])
    yield format_("short", "Ends inside an element", "CONV-1", whole[:-1])
    yield format_("trailing", "A byte after the last tensor", "CONV-1", whole + b"\0")
    yield format_("nan", "An element is NaN", "CONV-2", whole[:-8] + nan)
    yield format_("infinite", "An element is infinite", "CONV-2", whole[:-8] + f64be(float("inf")))
    yield format_("codec", "Codec 4", "ENV-2", head + b"\1a\4\0\0" + bytes(8), [("a", 4, 0, [], None)])
    yield format_("scale", "Codec 1 with a scale", "ENV-2", head + b"\1a\1\1\0" + bytes(8),
                  [("a", 1, 1, [], None)])
    yield format_("rank", "Rank 5", "ENV-2", head + b"\1a\3\0\5" + u32be(1) * 5 + bytes(4),
                  [("a", 3, 0, [1] * 5, None)])
    yield format_("name_letter", "A capital in a name", "ENV-2", head + b"\1A\3\0\0" + bytes(4),
                  [("A", 3, 0, [], None)])
    yield format_("name_empty", "An empty name", "ENV-2", head + b"\0\3\0\0" + bytes(4),
                  [("", 3, 0, [], None)])
    yield format_("name_long", "A name of 65 characters", "ENV-2",
                  head + b"\x41" + b"a" * 65 + b"\3\0\0" + bytes(4), [("a" * 65, 3, 0, [], None)])
    yield format_("name_twice", "A name twice", "ENV-2", e.encode(ROUND, [FLAGS, FLAGS])[:-32], [FLAGS, FLAGS])
    yield format_("elements", "2^27 + 1 elements: refused before anything is allocated", "ENV-2",
                  head + b"\1a\3\0\1" + u32be((1 << 27) + 1), [("a", 3, 0, [(1 << 27) + 1], None)])
    yield format_("elements_overflow", "A number of elements beyond 2^64", "ENV-2",
                  head + b"\1a\3\0\4" + u32be(0xFFFFFFFF) * 4, [("a", 3, 0, [0xFFFFFFFF] * 4, None)])


def bad_shapes():
    def shape(name, title, sent, expected):
        return bad(name, title, "ENV-3", given(e.encode(ROUND, sent), expected), "SHAPE_MISMATCH")

    yield shape("shape", "One element more than expected", [POINTS], [("points", 1, 0, [2], None)])
    yield shape("shape_rank", "The right number of elements in another shape", [GRAM], [("gram", 2, 50, [4], None)])
    yield shape("name", "Another name", [POINTS], [("gradients", 1, 0, [3], None)])
    yield shape("other_scale", "Another scale of codec 2", [GRAM], [("gram", 2, 40, [2, 2], None)])
    yield shape("other_codec", "Another codec", [FLAGS], [("flags", 2, 0, [1], None)])
    yield shape("missing", "A tensor is missing", [FLAGS], [FLAGS, GRAM])
    yield shape("extra", "A tensor too many", [FLAGS, GRAM], [FLAGS])
    yield shape("order", "Another order", [GRAM, FLAGS], [FLAGS, GRAM])


KINDS = [Kind("envelope",
              "Reading a parameter envelope. Elements: f64 as the hex of its bytes (f64be), others decimal.",
              record(envelope=HEX, round=COUNT, expected=array(HEAD)), record(tensors=array(TENSOR)),
              run, cases)]
