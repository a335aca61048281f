"""Parameter envelopes (envelope.md)."""
import struct

import envelope as e
from cases import COUNT, DECIMAL, HEX, Kind, TEXT, array, bad, good, record
from conventions import H, WORD, f64be, u16be, u32be

HEAD = record(("clip",), name=TEXT, codec=COUNT, scale=COUNT, clip=COUNT, shape=array(COUNT))
TENSOR = record(("clip",), name=TEXT, codec=COUNT, scale=COUNT, clip=COUNT, shape=array(COUNT),
                elements={"type": "array", "items": {"anyOf": [DECIMAL, HEX]}})
ROUND = 7
POINTS = ("points", 1, 0, [3], [1.0, -0.0, 6.02e-23])
GRAM = ("gram", 2, 50, [2, 2], [1 << 62, -1, 0, -(1 << 62)])
FLAGS = ("flags", 3, 0, [1], [1])
SUMS = ("update.w", 4, (40, 20), [2], [1, WORD - 1])
PRODUCTS = ("gram", 5, (40, 60), [2], [(1 << 48) - 1, WORD - 1, 7, 1 << 51])
ROWS = ("rows", 6, (0, 40), [], [1 << 40])
SCALAR = ("x.y_9", 3, 0, [], [4294967295])


def shown(codec, elements):
    """f64 as the hex of its bytes, the rest as decimal."""
    return [f64be(v).hex() if codec == 1 else str(v) for v in elements]


def head(name, codec, scale, shape):
    """The head of a tensor as a vector writes it."""
    if codec in e.CLIPPED:
        return {"name": name, "codec": codec, "scale": scale[0], "clip": scale[1], "shape": shape}
    return {"name": name, "codec": codec, "scale": scale, "shape": shape}


def run(given):
    expected = [(t["name"], t["codec"], (t["scale"], t["clip"]) if "clip" in t else t["scale"], t["shape"])
                for t in given["expected"]]
    tensors = e.decode(bytes.fromhex(given["envelope"]), given["round"], expected)
    return {"tensors": [{**head(*t[:4]), "elements": shown(t[1], t[4])} for t in tensors]}


def given(data, expected, round_=ROUND):
    heads = [head(*t[:4]) for t in expected]
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
    yield good("aggregate", "Codecs 4, 5 and 6; codec 5 has two ring elements a value, the low limb first",
               "ENV-3 AGG-11",
               given(e.encode(ROUND, [SUMS, PRODUCTS, ROWS]), [SUMS, PRODUCTS, ROWS]))
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
    start = b"HPE1" + u32be(ROUND) + u16be(1)
    nan = struct.pack(">d", float("nan"))
    yield format_("magic", "Another magic", "ENV-2", b"HPE2" + whole[4:])
    yield format_("short", "Ends inside an element", "CONV-1", whole[:-1])
    yield format_("trailing", "A byte after the last tensor", "CONV-1", whole + b"\0")
    yield format_("nan", "An element is NaN", "CONV-2", whole[:-8] + nan)
    yield format_("infinite", "An element is infinite", "CONV-2", whole[:-8] + f64be(float("inf")))
    yield format_("codec", "Codec 7", "ENV-2", start + b"\1a\7\0\0" + bytes(8), [("a", 7, 0, [], None)])
    yield format_("scale_count", "Codec 6 with a scale", "ENV-2", start + b"\1a\6\1\50\0" + bytes(8),
                  [("a", 6, (1, 40), [], None)])
    yield format_("no_clip", "Codec 4 without the clip exponent", "CONV-1", start + b"\1a\4\50\0" + bytes(8),
                  [("a", 4, (40, 0), [], None)])
    yield format_("half_wide", "Codec 5 with one ring element for a value", "CONV-1",
                  start + b"\1a\5\50\74\0" + bytes(8), [("a", 5, (40, 60), [], None)])
    yield format_("scale", "Codec 1 with a scale", "ENV-2", start + b"\1a\1\1\0" + bytes(8),
                  [("a", 1, 1, [], None)])
    yield format_("rank", "Rank 5", "ENV-2", start + b"\1a\3\0\5" + u32be(1) * 5 + bytes(4),
                  [("a", 3, 0, [1] * 5, None)])
    yield format_("name_letter", "A capital in a name", "ENV-2", start + b"\1A\3\0\0" + bytes(4),
                  [("A", 3, 0, [], None)])
    yield format_("name_empty", "An empty name", "ENV-2", start + b"\0\3\0\0" + bytes(4),
                  [("", 3, 0, [], None)])
    yield format_("name_long", "A name of 65 characters", "ENV-2",
                  start + b"\x41" + b"a" * 65 + b"\3\0\0" + bytes(4), [("a" * 65, 3, 0, [], None)])
    yield format_("name_twice", "A name twice", "ENV-2", e.encode(ROUND, [FLAGS, FLAGS])[:-32], [FLAGS, FLAGS])
    yield format_("elements", "2^27 + 1 elements: refused before anything is allocated", "ENV-2",
                  start + b"\1a\3\0\1" + u32be((1 << 27) + 1), [("a", 3, 0, [(1 << 27) + 1], None)])
    yield format_("elements_overflow", "A number of elements beyond 2^64", "ENV-2",
                  start + b"\1a\3\0\4" + u32be(0xFFFFFFFF) * 4, [("a", 3, 0, [0xFFFFFFFF] * 4, None)])


def bad_shapes():
    def shape(name, title, sent, expected):
        return bad(name, title, "ENV-3", given(e.encode(ROUND, sent), expected), "SHAPE_MISMATCH")

    yield shape("shape", "One element more than expected", [POINTS], [("points", 1, 0, [2], None)])
    yield shape("shape_rank", "The right number of elements in another shape", [GRAM], [("gram", 2, 50, [4], None)])
    yield shape("name", "Another name", [POINTS], [("gradients", 1, 0, [3], None)])
    yield shape("other_scale", "Another scale of codec 2", [GRAM], [("gram", 2, 40, [2, 2], None)])
    yield shape("other_codec", "Another codec", [FLAGS], [("flags", 2, 0, [1], None)])
    yield shape("clip", "Another clip exponent", [SUMS], [("update.w", 4, (40, 21), [2], None)])
    yield shape("wide_scale", "Another scale of codec 5", [("gram", 5, (41, 60), [2], PRODUCTS[4])], [PRODUCTS])
    yield shape("missing", "A tensor is missing", [FLAGS], [FLAGS, GRAM])
    yield shape("extra", "A tensor too many", [FLAGS, GRAM], [FLAGS])
    yield shape("order", "Another order", [GRAM, FLAGS], [FLAGS, GRAM])


KINDS = [Kind("envelope",
              "Reading a parameter envelope. Elements: f64 as the hex of its bytes (f64be), others decimal.",
              record(envelope=HEX, round=COUNT, expected=array(HEAD)), record(tensors=array(TENSOR)),
              run, cases)]
