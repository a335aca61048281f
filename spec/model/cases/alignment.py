"""Keys, hash to group, the exchange, and what a receiver refuses (align.md)."""
import align as a
import ristretto
from cases import BOOLEAN, COUNT, HEX, Kind, TEXT, array, bad, good, hex_of, nothing_or, record
from conventions import USCC_ALPHABET, u32be, u32le, u64be, uscc_is_valid
from draws import fixed

TRANSCRIPT = fixed("align transcript", 32)
SCALAR = hex_of(32)


def run_key(given):
    key = a.normal_key(bytes.fromhex(given["cell"]), given["format"])
    test = None if key is None else a.is_test_row(key, "sha256-mod10-3")
    return {"key": None if key is None else key.hex(), "test_row": test}


def key_cases():
    def case(name, title, cell, format_="text"):
        cell = cell if isinstance(cell, bytes) else cell.encode()
        return good(name, title, "", {"cell": cell.hex(), "format": format_})

    code = "91440300YY00001320"
    wide = "".join(chr(ord(c) + 0xFEE0) for c in code.lower())
    yield case("plain", "A key as it is", "A-17 b")
    yield case("trimmed", "White space of several kinds at both ends, kept inside", "\u3000\t x\u00a0y \r\n\u2009")
    yield case("not_trimmed", "U+200B is no white space", "\u200bx")
    yield case("separators", "U+001C to U+001F are no white space", "\x1cx\x1f")
    yield case("case_kept", "Case and width are kept outside format uscc", "aＡ")
    yield case("longest", "128 bytes", "键" * 42 + "ab")
    yield case("too_long", "129 bytes: invalid", "键" * 43)
    yield case("empty", "Nothing is left: invalid", " \t")
    yield case("not_utf8", "No UTF-8: invalid", b"a\xff")
    yield case("test_row", "A key of the test set", next(f"k{i}" for i in range(99) if a.is_test_row(b"k%d" % i, "")))
    yield case("uscc", "A valid code", code, "uscc")
    yield case("uscc_wide", "Full width and lower case, with an ideographic space", "\u3000" + wide, "uscc")
    yield case("uscc_check", "A wrong check character: invalid", code[:-1] + "1", "uscc")
    # A code with FF in it: only a full Unicode upper case would make it of the ligature.
    stem = next(s for s in (f"914403FFYY0000{i:03d}" for i in range(999)) if not s.endswith("I"))
    valid = next(stem + x for x in USCC_ALPHABET if uscc_is_valid(stem + x))
    yield case("uscc_ligature", "U+FB00 is not FF: only ASCII letters are raised; invalid",
               valid.replace("FF", "\ufb00"), "uscc")
    yield case("uscc_inside", "White space inside: invalid", code[:9] + " " + code[9:], "uscc")


def run_hash(given):
    transcript = bytes.fromhex(given["transcript"])
    tag = a.domain_tag(given["suite"], given["rank"], transcript)
    uniform = ristretto.expand_message_xmd(bytes.fromhex(given["key"]), tag, 64)
    return {"dst": tag.hex(), "uniform": uniform.hex(),
            "element": ristretto.encode(ristretto.from_uniform_bytes(uniform)).hex()}


def hash_cases():
    for name, key, rank in (("uscc", b"91440300YY00001320", 1), ("text", "企业 7".encode(), 1),
                            ("rank_2", b"91440300YY00001320", 2), ("long", b"k" * 128, 513)):
        yield good(name, "HashToGroup of a key", "",
                   {"key": key.hex(), "suite": 1, "rank": rank, "transcript": TRANSCRIPT.hex()})


def run_multiply(given):
    point = ristretto.decode(bytes.fromhex(given["element"]))
    scalar = int.from_bytes(bytes.fromhex(given["scalar"]), "little")
    element = ristretto.encode(ristretto.multiply(scalar, point))
    width = a.tag_width(given["n"], given["m"])
    tag = a.tag(element, width, given["rank"], bytes.fromhex(given["transcript"]))
    return {"element": element.hex(), "width": width, "tag": tag.hex()}


def scalar(label):
    value = int.from_bytes(fixed(label, 64), "little") % ristretto.ORDER
    return value.to_bytes(32, "little").hex()


def tag_cases():
    element = ristretto.encode(a.hash_to_group(b"a key", 1, 1, TRANSCRIPT)).hex()
    for name, n, m in (("narrow", 1, 1), ("million", 1000000, 1000000), ("last_narrow", 1048575, 1048575),
                       ("first_wide", 1048576, 1048575), ("empty", 0, 5), ("large", 1 << 33, (1 << 32) - 1)):
        yield good(name, f"The tag for {n} and {m} keys", "",
                   {"element": element, "scalar": scalar("tag"), "n": n, "m": m, "rank": 1,
                    "transcript": TRANSCRIPT.hex()})


# The whole exchange.

PEER = record(rank=COUNT, keys=array(HEX), permutation=array(COUNT), scalar=SCALAR, initiator_permutation=array(COUNT),
              initiator_scalar=SCALAR)
MESSAGES = record(rank=COUNT, size_up=HEX, size_down=HEX, blinded_down=array(HEX), blinded_up=array(HEX),
                  tags_up=array(HEX), common=array(HEX), rows_down=array(HEX))


def number(text):
    return int.from_bytes(bytes.fromhex(text), "little")


def meet(given, keys, peer):
    """One collaborator: (its messages, I's map from common keys to positions in its sequence)."""
    transcript, rank, suite = bytes.fromhex(given["transcript"]), peer["rank"], given["suite"]
    theirs = [bytes.fromhex(k) for k in peer["keys"]]
    mine, own = number(peer["initiator_scalar"]), number(peer["scalar"])
    down = a.blinded(keys, peer["initiator_permutation"], mine, suite, rank, transcript)
    up = a.blinded(theirs, peer["permutation"], own, suite, rank, transcript)
    width = a.tag_width(len(keys), len(theirs))
    answers = a.tags(own, down, width, rank, transcript)
    position = {tag: i for i, tag in enumerate(a.tags(mine, up, width, rank, transcript))}
    match = {keys[p]: position[tag] for p, tag in zip(peer["initiator_permutation"], answers) if tag in position}
    messages = {"rank": rank, "size_down": a.encode_size(len(keys)).hex(), "size_up": a.encode_size(len(theirs)).hex(),
                "blinded_down": [b.hex() for b in a.batches(down)], "blinded_up": [b.hex() for b in a.batches(up)],
                "tags_up": [b.hex() for b in a.batches(answers)], "common": sorted(k.hex() for k in match)}
    return messages, match


def run_align(given):
    keys = [bytes.fromhex(k) for k in given["keys"]]
    met = [meet(given, keys, peer) for peer in given["collaborators"]]
    rows = set(a.common_keys(keys, [match for _, match in met], given["join"]))
    order = [keys[i] for i in given["row_order"] if keys[i] in rows]
    training = [k for k in order if not a.is_test_row(k, given["split"])]
    test = [k for k in order if a.is_test_row(k, given["split"])]
    for messages, match in met:
        payloads = a.encode_rows(a.positions(training + test, match), len(training))
        messages["rows_down"] = [p.hex() for p in payloads]
    return {"messages": [m for m, _ in met], "rows": [k.hex() for k in training + test], "training": len(training)}


def order(label, count):
    """A fixed permutation."""
    return sorted(range(count), key=lambda i: fixed(f"{label} {i}", 32))


def align_cases():
    keys = [f"key {i}".encode() for i in range(10)]
    tax = [f"key {i}".encode() for i in (9, 3, 4, 7, 11, 0, 5, 12)]
    power = [f"key {i}".encode() for i in (5, 6, 7, 8, 9, 0, 3)]

    def peer(rank, theirs):
        return {"rank": rank, "keys": [k.hex() for k in theirs], "permutation": order(f"peer {rank}", len(theirs)),
                "scalar": scalar(f"peer {rank}"), "initiator_permutation": order(f"bank {rank}", len(keys)),
                "initiator_scalar": scalar(f"bank {rank}")}

    def given(join, split, peers):
        return {"suite": 1, "transcript": TRANSCRIPT.hex(), "join": join, "split": split,
                "keys": [k.hex() for k in keys],
                "collaborators": peers, "row_order": order("rows", len(keys))}

    yield good("inner", "Two collaborators, inner join", "",
               given("inner", "sha256-mod10-3", [peer(1, tax), peer(2, power)]))
    yield good("left", "Two collaborators, left join: 0xffffffff where a key has no match", "",
               given("left", "sha256-mod10-3", [peer(1, tax), peer(2, power)]))
    yield good("scoring", "Split none: every row is a test row", "", given("inner", "none", [peer(1, tax)]))
    yield good("disjoint", "Nothing in common", "", given("inner", "none", [peer(1, [b"x", b"y"])]))


# What a receiver refuses.

def run_receive(given):
    payload = bytes.fromhex(given["payload"])
    before = [bytes.fromhex(x) for x in given.get("before", [])]
    kind = given["message"]
    if kind == "ALIGN_SIZE":
        return {"size": a.receive_size(payload, given["limit"])}
    if kind == "ALIGN_BLINDED":
        return {"items": [e.hex() for e in a.receive_blinded(payload, before, given["announced"])]}
    if kind == "ALIGN_TAGS":
        return {"items": [t.hex() for t in a.receive_tags(payload, before, given["announced"], given["width"])]}
    totals = tuple(given["totals"]) if given["totals"] else None
    positions = a.receive_rows(payload, [int.from_bytes(b, "little") for b in before], totals, given["announced"],
                               given["join"])
    return {"positions": positions}


def elements(count):
    return [ristretto.encode(a.hash_to_group(b"element %d" % i, 1, 1, TRANSCRIPT)) for i in range(count)]


def receive_cases():
    yield good("size", "A size at the limit", "ALIGN-6",
               {"message": "ALIGN_SIZE", "payload": u64be(5).hex(), "limit": 5})
    yield bad("size_limit", "A size above the limit", "ALIGN-6",
              {"message": "ALIGN_SIZE", "payload": u64be(6).hex(), "limit": 5}, "TOO_MANY_ROWS")
    yield bad("size_huge", "A size of 2^64 - 1", "ALIGN-6",
              {"message": "ALIGN_SIZE", "payload": u64be((1 << 64) - 1).hex(), "limit": 5}, "TOO_MANY_ROWS")
    yield bad("size_short", "A size of 7 bytes", "CONV-1",
              {"message": "ALIGN_SIZE", "payload": bytes(7).hex(), "limit": 5}, "MALFORMED_MESSAGE")
    yield bad("size_long", "A size of 9 bytes", "CONV-1",
              {"message": "ALIGN_SIZE", "payload": (u64be(1) + b"\0").hex(), "limit": 5}, "MALFORMED_MESSAGE")
    yield from blinded_cases()
    yield from tags_cases()
    yield from rows_cases()


def blinded_cases():
    three = elements(3)

    def given(items, first=0, before=(), announced=3):
        return {"message": "ALIGN_BLINDED", "payload": (u32be(first) + b"".join(items)).hex(), "announced": announced,
                "before": [b.hex() for b in before]}

    def element(name, title, clause, encoding, error="BAD_ELEMENT"):
        return bad("element_" + name, title, clause, given([three[0], encoding, three[2]]), error)

    yield good("blinded", "A batch that is also the last", "ALIGN-1 ALIGN-4", given(three))
    yield element("identity", "The identity", "ALIGN-2", bytes(32))
    yield element("negative", "A negative field element", "ALIGN-1", (1).to_bytes(32, "little"))
    for name, encoding in (("prime", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
                           ("high_bit", "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
                           ("non_square", "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"),
                           ("negative_xy", "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e"),
                           ("zero_y", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")):
        yield element(name, "An encoding that RFC 9496, A.2 refuses", "ALIGN-1", bytes.fromhex(encoding))
    yield element("twice", "An element twice in a batch", "ALIGN-3", three[0], "DUPLICATE_ELEMENT")

    def batch(name, title, *args, **more):
        return bad("batch_" + name, title, "ALIGN-4", given(*args, **more), "MALFORMED_MESSAGE")

    yield batch("first", "Not the next batch", three, first=1)
    yield batch("short", "Fewer elements than announced, though 16,384 have place", three[:2])
    yield batch("long", "More elements than announced", elements(4))
    yield batch("cut", "Ends inside an element", [*three[:2], three[2][:31]])
    yield batch("after_last", "A batch after the last one", [three[2]], first=2, before=three[:2], announced=2)
    yield batch("none_announced", "A batch though the announced size is 0", [], announced=0)


def tags_cases():
    def given(tags, first=0, announced=2, width=10):
        return {"message": "ALIGN_TAGS", "payload": (u32be(first) + b"".join(tags)).hex(), "announced": announced,
                "width": width, "before": []}

    two = [fixed("tag 0", 10), fixed("tag 1", 10)]
    yield good("tags", "A tag for each of two keys", "ALIGN-7", given(two))
    yield bad("tags_same", "Two equal tags", "ALIGN-7", given([two[0], two[0]]), "DUPLICATE_ELEMENT")
    yield bad("tags_few", "A tag is missing", "ALIGN-4", given(two[:1]), "MALFORMED_MESSAGE")
    yield bad("tags_width", "Tags of 11 bytes where 10 are due", "ALIGN-4",
              given([t + b"\0" for t in two]), "MALFORMED_MESSAGE")


def rows_cases():
    def given(positions, rows=None, training=1, first=0, join="inner", before=(), totals=None):
        rows = len(positions) if rows is None else rows
        payload = u32be(rows) + u32be(training) + u32be(first) + b"".join(map(u32le, positions))
        return {"message": "ALIGN_ROWS", "payload": payload.hex(), "announced": 5, "join": join,
                "before": [u32le(b).hex() for b in before], "totals": totals}

    yield good("rows", "Three rows, one of them training", "ALIGN-8", given([4, 0, 2]))
    yield good("rows_left", "Absent rows under left", "ALIGN-8", given([4, a.ABSENT, a.ABSENT], join="left"))
    yield bad("rows_beyond", "A position that equals the number of keys", "ALIGN-8", given([4, 5, 2]), "BAD_POSITION")
    yield bad("rows_twice", "A position twice", "ALIGN-8", given([4, 0, 4]), "BAD_POSITION")
    yield bad("rows_absent", "An absent row under inner", "ALIGN-8", given([4, a.ABSENT, 2]), "BAD_POSITION")
    yield bad("rows_few", "Fewer positions than rows", "ALIGN-4", given([4, 0], rows=3), "MALFORMED_MESSAGE")
    yield bad("rows_training", "More training rows than rows", "ALIGN-4", given([4, 0], training=3),
              "MALFORMED_MESSAGE")


RECEIVE = {"type": "object", "required": ["message", "payload"], "properties": {
    "message": {"enum": ["ALIGN_SIZE", "ALIGN_BLINDED", "ALIGN_TAGS", "ALIGN_ROWS"]}, "payload": HEX,
    "limit": COUNT, "announced": COUNT, "before": array(HEX), "width": COUNT, "join": TEXT,
    "totals": nothing_or(array(COUNT))}, "additionalProperties": False}
KINDS = [
    Kind("key",
         "Normalising the cell of a key column, and the side of the hash split; key null: invalid.",
         record(cell=HEX, format={"enum": ["text", "uscc"]}), record(key=nothing_or(HEX), test_row=nothing_or(BOOLEAN)),
         run_key, key_cases),
    Kind("hash_to_group",
         "HashToGroup: the tag, expand_message_xmd's 64 bytes, the element.",
         record(key=HEX, suite=COUNT, rank=COUNT, transcript=hex_of(32)),
         record(dst=HEX, uniform=hex_of(64), element=hex_of(32)), run_hash, hash_cases),
    Kind("align_tag",
         "scalar·element, and its tag for n and m keys.",
         record(element=hex_of(32), scalar=SCALAR, n=COUNT, m=COUNT, rank=COUNT, transcript=hex_of(32)),
         record(element=hex_of(32), width=COUNT, tag=HEX), run_multiply, tag_cases),
    Kind("align",
         "The whole exchange with given scalars and permutations: element number i sent is that of "
         "keys[permutation[i]]. Rows: those of row_order (indices of the initiator's keys) that are in the "
         "job, first the training rows. `up` is towards the initiator.",
         record(suite=COUNT, transcript=hex_of(32), join=TEXT, split=TEXT, keys=array(HEX), collaborators=array(PEER),
                row_order=array(COUNT)),
         record(messages=array(MESSAGES), rows=array(HEX), training=COUNT), run_align, align_cases),
    Kind("align_receive",
         "One payload as its receiver reads it. `announced` is the number of items that are due in all "
         "(ALIGN_ROWS: the receiver's own number of keys), `before` the items that earlier batches had, "
         "`totals` the two totals of the first ALIGN_ROWS batch.",
         RECEIVE, {"type": "object"}, run_receive, receive_cases),
]
