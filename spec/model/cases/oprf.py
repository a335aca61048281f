"""The function, epochs, a whole unbalanced alignment, and what a receiver refuses (oprf.md)."""
import align as a
import oprf as o
import ristretto
from cases import BOOLEAN, COUNT, HEX, Kind, TEXT, array, bad, good, hex_of, nothing_or, record
from cases.alignment import number, order, scalar
from conventions import u32be, u64be
from draws import fixed

# RFC 9497, appendix A.1.1.
RFC_SECRET = "5ebcea5ee37023ccb9fc2d2019f9d7737be85591ae8652ffa9ef0f4d37063b0e"
RFC_BLIND = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706"


def run_function(given):
    key, secret, blind = bytes.fromhex(given["key"]), number(given["secret"]), number(given["blind"])
    blinded = o.blind(blind, key)
    evaluation = o.blind_evaluate(secret, blinded)
    output = o.finalize(blind, key, evaluation)
    assert output == o.evaluate(secret, key)
    return {"blinded": blinded.hex(), "evaluation": evaluation.hex(), "output": output.hex(),
            "public": o.public(secret).hex()}


def function_cases():
    def case(name, title, key, secret=scalar("oprf secret"), blind=scalar("oprf blind")):
        return good(name, title, "", {"key": key.hex(), "secret": secret, "blind": blind})

    yield case("rfc_1", "RFC 9497, appendix A.1.1, test vector 1", b"\0", RFC_SECRET, RFC_BLIND)
    yield case("rfc_2", "RFC 9497, appendix A.1.1, test vector 2", b"\x5a" * 17, RFC_SECRET, RFC_BLIND)
    yield case("uscc", "A code", b"91440300YY00001320")
    yield case("text", "Text beyond ASCII", "企业 7".encode())
    yield case("longest", "A key of 128 bytes", b"k" * 128)
    yield case("one", "Secret and blind are 1", b"key", (1).to_bytes(32, "little").hex(),
               (1).to_bytes(32, "little").hex())


def run_epoch(given):
    secret = number(given["secret"])
    tags, keys = o.published(secret, [bytes.fromhex(k) for k in given["keys"]])
    return {"width": o.tag_width(len(tags)), "tags": [t.hex() for t in tags], "keys": [k.hex() for k in keys],
            "public": o.public(secret).hex(), "epoch": o.epoch(o.public(secret), tags).hex()}


def some_keys(*numbers):
    return [f"key {i}".encode() for i in numbers]


def epoch_cases():
    def case(name, title, count):
        return good(name, title, "OPRF-8", {"secret": scalar("oprf secret"),
                                            "keys": [k.hex() for k in some_keys(*range(count))]})

    yield case("empty", "No key", 0)
    yield case("one", "One key", 1)
    yield case("narrow", "255 keys: tags of 10 bytes", 255)
    yield case("wide", "256 keys: tags of 11 bytes", 256)


# The whole exchange.

PEER = record(rank=COUNT, keys=array(HEX), secret=hex_of(32), is_new=BOOLEAN, held=BOOLEAN, permutation=array(COUNT),
              blind=hex_of(32))
MESSAGES = record(rank=COUNT, waits_up=array(HEX), epoch_up=HEX, size_down=HEX, set_up=array(HEX),
                  blinded_down=array(HEX), evaluated_up=array(HEX), common=array(HEX), rows_down=array(HEX))


def meet(keys, peer):
    """One collaborator: (its messages, I's map from common keys to positions)."""
    secret, blind = number(peer["secret"]), number(peer["blind"])
    tags, _ = o.published(secret, [bytes.fromhex(k) for k in peer["keys"]])
    element, width = o.public(secret), o.tag_width(len(tags))
    asked = [keys[p] for p in peer["permutation"]]
    blinded = [o.blind(blind, key) for key in asked]
    evaluations = [o.blind_evaluate(secret, b) for b in blinded]
    position = {tag: i for i, tag in enumerate(tags)}
    found = {key: o.finalize(blind, key, e)[:width] for key, e in zip(asked, evaluations)}
    match = {key: position[tag] for key, tag in found.items() if tag in position}

    def hexes(batches):
        return [b.hex() for b in batches]

    return {"rank": peer["rank"], "waits_up": hexes(o.encode_waits(len(tags)) if peer["is_new"] else []),
            "epoch_up": o.encode_epoch(o.epoch(element, tags), element, len(tags)).hex(),
            "size_down": o.encode_size(len(keys), peer["held"]).hex(),
            "set_up": hexes([] if peer["held"] else a.batches(tags)), "blinded_down": hexes(a.batches(blinded)),
            "evaluated_up": hexes(a.batches(evaluations)), "common": sorted(k.hex() for k in match)}, match


def run_oprf(given):
    keys = [bytes.fromhex(k) for k in given["keys"]]
    met = [meet(keys, peer) for peer in given["collaborators"]]
    rows = set(a.common_keys(keys, [match for _, match in met], given["join"]))
    in_order = [keys[i] for i in given["row_order"] if keys[i] in rows]
    training = [k for k in in_order if not a.is_test_row(k, given["split"])]
    test = [k for k in in_order if a.is_test_row(k, given["split"])]
    for messages, match in met:
        payloads = a.encode_rows(a.positions(training + test, match), len(training))
        messages["rows_down"] = [p.hex() for p in payloads]
    return {"messages": [m for m, _ in met], "rows": [k.hex() for k in training + test], "training": len(training)}


def oprf_cases():
    keys = some_keys(*range(8))
    tax, power = some_keys(7, 3, 4, 11, 0, 5, 12, 20, 21), some_keys(5, 6, 7, 3, 0)

    def peer(rank, theirs, is_new=True, held=False):
        return {"rank": rank, "keys": [k.hex() for k in theirs], "secret": scalar(f"oprf peer {rank}"),
                "is_new": is_new, "held": held, "permutation": order(f"oprf bank {rank}", len(keys)),
                "blind": scalar(f"oprf bank {rank}")}

    def given(join, split, peers):
        return {"join": join, "split": split, "keys": [k.hex() for k in keys], "collaborators": peers,
                "row_order": order("oprf rows", len(keys))}

    yield good("first", "A new epoch each: the keys are evaluated, the sets are sent", "",
               given("inner", "sha256-mod10-3", [peer(1, tax), peer(2, power)]))
    yield good("second", "An epoch that is held, and one that is not: only the latter's set is sent", "",
               given("left", "sha256-mod10-3", [peer(1, tax, False, True), peer(2, power, False)]))
    yield good("scoring", "Split none: every row is a test row", "", given("inner", "none", [peer(1, tax)]))


# What a receiver refuses.

def run_receive(given):
    payload, kind = bytes.fromhex(given["payload"]), given["message"]
    if kind == "OPRF_WAIT":
        evaluated, m = o.receive_wait(payload, given["waited"], given["limit"])
        return {"evaluated": evaluated, "keys": m}
    if kind == "OPRF_EPOCH":
        epoch, public, m = o.receive_epoch(payload, given["waited"], given["limit"])
        return {"epoch": epoch.hex(), "public": public.hex(), "keys": m}
    if kind == "OPRF_SIZE":
        n, holds = o.receive_size(payload, given["limit"])
        return {"keys": n, "holds": holds}
    before = [bytes.fromhex(x) for x in given["before"]]
    if kind == "OPRF_SET":
        found = o.receive_set(payload, before, given["announced"], bytes.fromhex(given["public"]),
                              bytes.fromhex(given["epoch"]))
    else:
        found = o.receive_evaluated(payload, before, given["announced"])
    return {"items": [x.hex() for x in found]}


def receive_cases():
    yield from wait_cases()
    yield from epoch_receive_cases()
    yield from size_cases()
    yield from set_cases()
    yield from evaluated_cases()


def wait_cases():
    def given(evaluated, m, waited=None, limit=50000):
        return {"message": "OPRF_WAIT", "payload": (u64be(evaluated) + u64be(m)).hex(), "waited": waited,
                "limit": limit}

    def wrong(name, title, *args):
        return bad("wait_" + name, title, "OPRF-4", given(*args), "MALFORMED_MESSAGE")

    yield good("wait", "The first of two", "OPRF-4", given(16384, 20000))
    yield good("wait_last", "The last of two", "OPRF-4", given(20000, 20000, [16384, 20000]))
    yield wrong("again", "The same once more", 16384, 20000, [16384, 20000])
    yield wrong("over", "One after the last", 20000, 20000, [20000, 20000])
    yield wrong("skips", "A batch is skipped", 32768, 40000)
    yield wrong("changes", "Another number of keys", 20001, 20001, [16384, 20000])
    yield wrong("none", "No key to wait for", 0, 0)
    yield bad("wait_limit", "More keys than the limit", "ALIGN-6", given(16384, 50001), "TOO_MANY_ROWS")
    short = {**given(1, 1), "payload": bytes(15).hex()}
    yield bad("wait_short", "15 bytes", "CONV-1", short, "MALFORMED_MESSAGE")


PUBLIC = o.public(number(scalar("oprf secret")))


def epoch_receive_cases():
    def given(public=PUBLIC, m=20000, waited=None, tail=b""):
        return {"message": "OPRF_EPOCH", "payload": (fixed("epoch", 32) + public + u64be(m) + tail).hex(),
                "waited": waited, "limit": 50000}

    yield good("epoch", "An epoch that was there before", "OPRF-1", given())
    yield good("epoch_new", "An epoch after its last OPRF_WAIT", "OPRF-4", given(waited=[20000, 20000]))
    yield bad("epoch_early", "Before the last OPRF_WAIT", "OPRF-4", given(waited=[16384, 20000]), "MALFORMED_MESSAGE")
    yield bad("epoch_other", "Another number of keys than OPRF_WAIT said", "OPRF-4",
              given(waited=[20001, 20001]), "MALFORMED_MESSAGE")
    yield bad("epoch_identity", "The identity as public element", "OPRF-1", given(bytes(32)), "BAD_ELEMENT")
    yield bad("epoch_element", "A public element that is not canonical", "OPRF-1", given(b"\xff" * 32), "BAD_ELEMENT")
    yield bad("epoch_limit", "More keys than the limit", "ALIGN-6", given(m=50001), "TOO_MANY_ROWS")
    yield bad("epoch_long", "A byte too many", "CONV-1", given(tail=b"\0"), "MALFORMED_MESSAGE")


def size_cases():
    def given(payload):
        return {"message": "OPRF_SIZE", "payload": payload.hex(), "limit": 5}

    yield good("size", "Five keys, the set is held", "OPRF-4", given(u64be(5) + b"\1"))
    yield good("size_fresh", "No key, the set is not held", "OPRF-4", given(u64be(0) + b"\0"))
    yield bad("size_holds", "Neither held nor not held", "OPRF-4", given(u64be(5) + b"\2"), "MALFORMED_MESSAGE")
    yield bad("size_limit", "More keys than the limit", "ALIGN-6", given(u64be(6) + b"\0"), "TOO_MANY_ROWS")
    yield bad("size_short", "8 bytes", "CONV-1", given(u64be(5)), "MALFORMED_MESSAGE")


def set_cases():
    tags, _ = o.published(number(scalar("oprf secret")), some_keys(1, 2, 3))
    right = o.epoch(PUBLIC, tags)

    def given(items, first=0, epoch=right, announced=3):
        return {"message": "OPRF_SET", "payload": (u32be(first) + b"".join(items)).hex(), "before": [],
                "announced": announced, "public": PUBLIC.hex(), "epoch": epoch.hex()}

    one, two, three = tags
    other = two[:9] + bytes([two[9] ^ 1])
    yield good("set", "The set of an epoch", "OPRF-2 OPRF-3", given(tags))
    yield bad("set_equal", "A tag twice", "OPRF-2", given([one, one, three]), "DUPLICATE_ELEMENT")
    yield bad("set_descends", "Two tags in the wrong order", "OPRF-2", given([one, three, two]), "MALFORMED_MESSAGE")
    yield bad("set_altered", "A bit of a tag is another", "OPRF-3", given([one, other, three]), "BAD_DIGEST")
    yield bad("set_other_epoch", "The set of another epoch", "OPRF-3", given(tags, epoch=fixed("epoch", 32)),
              "BAD_DIGEST")
    yield bad("set_few", "A tag is missing", "ALIGN-4", given(tags[:2]), "MALFORMED_MESSAGE")
    yield bad("set_first", "Not the next batch", "ALIGN-4", given(tags, first=1), "MALFORMED_MESSAGE")
    yield bad("set_width", "Tags of 11 bytes where 10 are due", "ALIGN-4", given([t + b"\0" for t in tags]),
              "MALFORMED_MESSAGE")


def evaluated_cases():
    three = [ristretto.encode(ristretto.multiply(7, o.hash_to_group(key))) for key in some_keys(1, 2, 3)]

    def given(items, first=0):
        return {"message": "OPRF_EVALUATED", "payload": (u32be(first) + b"".join(items)).hex(), "before": [],
                "announced": 3}

    yield good("evaluated", "An evaluation of each of three keys", "OPRF-1 OPRF-5", given(three))
    for name, element in (("identity", bytes(32)), ("negative", (1).to_bytes(32, "little")),
                          ("high_bit", bytes(three[1][:31]) + bytes([three[1][31] | 0x80]))):
        yield bad("evaluated_" + name, "No canonical element, or the identity", "OPRF-1",
                  given([three[0], element, three[2]]), "BAD_ELEMENT")
    yield bad("evaluated_twice", "An evaluation twice", "OPRF-5", given([three[0], three[0], three[2]]),
              "DUPLICATE_ELEMENT")
    yield bad("evaluated_few", "An evaluation is missing", "ALIGN-4", given(three[:2]), "MALFORMED_MESSAGE")


RECEIVE = {"type": "object", "required": ["message", "payload"], "properties": {
    "message": {"enum": ["OPRF_WAIT", "OPRF_EPOCH", "OPRF_SIZE", "OPRF_SET", "OPRF_EVALUATED"]}, "payload": HEX,
    "waited": nothing_or(array(COUNT)), "limit": COUNT, "announced": COUNT, "before": array(HEX),
    "public": hex_of(32), "epoch": hex_of(32)}, "additionalProperties": False}
KINDS = [
    Kind("oprf_function",
         "F(secret, key) both ways: blinded, evaluated and finalized, and evaluated by the owner of the secret.",
         record(key=HEX, secret=hex_of(32), blind=hex_of(32)),
         record(blinded=hex_of(32), evaluation=hex_of(32), output=hex_of(64), public=hex_of(32)),
         run_function, function_cases),
    Kind("oprf_epoch",
         "The set of keys under a secret, the key at each position, and the epoch's id.",
         record(secret=hex_of(32), keys=array(HEX)),
         record(width=COUNT, tags=array(HEX), keys=array(HEX), public=hex_of(32), epoch=hex_of(32)),
         run_epoch, epoch_cases),
    Kind("oprf",
         "The whole exchange with given secrets, blinds and permutations: element number i sent is that of "
         "keys[permutation[i]]. `is_new`: the collaborator makes its epoch in this session; `held`: the initiator "
         "holds the set. Rows as in kind align. `up` is towards the initiator.",
         record(join=TEXT, split=TEXT, keys=array(HEX), collaborators=array(PEER), row_order=array(COUNT)),
         record(messages=array(MESSAGES), rows=array(HEX), training=COUNT), run_oprf, oprf_cases),
    Kind("oprf_receive",
         "One payload as its receiver reads it. `waited` is what the OPRF_WAIT before it said, `announced` the number "
         "of items that are due in all, `before` the items that earlier batches had.",
         RECEIVE, {"type": "object"}, run_receive, receive_cases),
]
