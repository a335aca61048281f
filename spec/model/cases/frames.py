"""Sealed frames and the refusals of a receiver (frame.md)."""
import frame as f
from cases import COUNT, HEX, Kind, array, bad, good, hex_of, map_of, record
from draws import fixed

SESSION = fixed("frame session", 16)
KEYS = {0: fixed("frame key 0", 32), 2: fixed("frame key 2", 32)}
CHUNK, LONGEST = 48, 200
FRAME = record(header=HEX, body=HEX)
MESSAGE = record(type=COUNT, stage=COUNT, round=COUNT, payload=HEX)
RECEIVED = record(sender=COUNT, type=COUNT, stage=COUNT, round=COUNT, payload=HEX)


def shown(frames):
    return [{"header": h.hex(), "body": b.hex()} for h, b in frames]


def run_seal(given):
    messages = [(m["type"], m["stage"], m["round"], bytes.fromhex(m["payload"])) for m in given["messages"]]
    frames = f.seal(bytes.fromhex(given["key"]), bytes.fromhex(given["session"]), given["sender"],
                    given["receiver"], given["max_chunk"], messages, given["sequence"])
    return {"frames": shown(frames), "digests": [f.digest(h, b).hex() for h, b in frames]}


def seal_cases():
    def case(name, title, *messages, sequence=0, chunk=CHUNK):
        shown_ = [{"type": t, "stage": s, "round": r, "payload": p.hex()} for t, s, r, p in messages]
        return good(name, title, "", {
            "key": KEYS[0].hex(), "session": SESSION.hex(), "sender": 0, "receiver": 1,
            "max_chunk": chunk, "sequence": sequence, "messages": shown_})

    yield case("empty", "A message of length 0 is one chunk of length 0", (0x020F, 2, 9, b""))
    yield case("one_chunk", "A message shorter than a chunk", (0x0101, 1, 0, bytes(8)))
    yield case("exact_chunks", "A message of exactly two chunks", (0x0208, 2, 3, fixed("two chunks", 96)))
    yield case("three_chunks", "A message of two chunks and one byte", (0x0208, 2, 3, fixed("more", 97)))
    yield case("late_sequence", "A sequence beyond 2^32: the nonce has 64 bits of it", (0x0301, 4, 0, b"abc"),
               sequence=(1 << 32) + 5)
    yield case("two_messages", "Two messages: the sequence goes on", (0x0101, 1, 0, bytes(8)),
               (0x0102, 1, 0, fixed("elements", 100)))


def run_frame(given):
    keys = {int(r): bytes.fromhex(k) for r, k in given["keys"].items()}
    session = bytes.fromhex(given["session"])
    receiver = f.Receiver(keys, session, given["own"], given["peer"], given["max_chunk"], given["max_message"])
    for header, body in preceding(keys, session, given["peer"], given["own"], given["preceding"]):
        receiver.receive(header, body)
    messages = []
    for piece in given["frames"]:
        got = receiver.receive(bytes.fromhex(piece["header"]), bytes.fromhex(piece["body"]))
        if got is not None:
            messages.append(dict(zip(("sender", "type", "stage", "round", "payload"), (*got[:4], got[4].hex()))))
    return {"messages": messages}


def preceding(keys, session, sender, own, count):
    """Frames that came before: empty SCORE_PART messages of the peer, stage 4, round 0."""
    return f.seal(keys[sender], session, sender, own, CHUNK, [(0x0301, 4, 0, b"")] * count)


def given(frames, preceding_=0):
    return {"session": SESSION.hex(), "own": 1, "peer": 0, "max_chunk": CHUNK, "max_message": LONGEST,
            "keys": {str(r): k.hex() for r, k in KEYS.items()}, "preceding": preceding_, "frames": shown(frames)}


def sealed(payload, kind=0x0208, stage=2, round_=3, sequence=0, sender=0, receiver=1):
    return f.seal(KEYS.get(sender, KEYS[0]), SESSION, sender, receiver, CHUNK, [(kind, stage, round_, payload)],
                  sequence)


def altered(pair, chunk, **fields):
    """A frame with other header fields, sealed as its sender would have sealed it."""
    header = f.header_bytes(**{**f.header_fields(pair[0]), **fields})
    return header, f.seal_chunk(KEYS.get(fields.get("sender", 0), KEYS[0]), header, chunk)


LONG = fixed("long payload", 120)  # three chunks: 48, 48, 24


def frame_cases():
    three = sealed(LONG)
    yield good("one_message", "A message in three chunks", "FRAME-7", given(three))
    yield good("empty_message", "A message of length 0", "FRAME-7", given(sealed(b"")))
    yield good("longest", "A message of exactly the negotiated limit", "FRAME-5",
               given(sealed(fixed("longest", LONGEST))))
    yield good("repeated", "Repetitions are ignored, inside a message and after it", "FRAME-8",
               given([three[0], three[0], three[1], three[0], three[2], three[2], *sealed(b"next", sequence=3)]))
    yield good("repeated_in_other_message", "A frame of a finished message comes again inside the next one", "FRAME-8",
               given([*sealed(b"first", kind=0x0203), (three1 := sealed(LONG, sequence=1))[0],
                      *sealed(b"first", kind=0x0203), *three1[1:]]))
    yield good("repeated_1024", "The oldest frame whose digest is kept", "FRAME-8",
               given(preceding(KEYS, SESSION, 0, 1, 1)[:1], preceding_=1024))
    relayed = sealed(LONG, sender=2)
    yield good("relayed", "The initiator relays frames of rank 2; both senders have their own sequence", "FRAME-3",
               given([three[0], relayed[0], relayed[1], three[1], relayed[2], three[2]]))
    yield from bad_headers()
    yield from bad_chunks()
    yield from bad_sequences()


def bad_headers():
    chunk = b"payload!"
    pair = sealed(chunk)[0]

    def case(name, title, clause, error, **fields):
        return bad(name, title, clause, given([altered(pair, chunk, **fields)]), error)

    yield bad("header_short", "A header of 63 bytes", "FRAME-1", given([(pair[0][:-1], pair[1])]), "MALFORMED_FRAME")
    yield bad("header_long", "A header of 65 bytes", "FRAME-1", given([(pair[0] + b"\0", pair[1])]), "MALFORMED_FRAME")
    yield case("version", "Version 2", "FRAME-1", "MALFORMED_FRAME", version=2)
    yield case("flags", "A flag", "FRAME-1", "MALFORMED_FRAME", flags=0x80)
    yield case("reserved", "A reserved byte", "FRAME-1", "MALFORMED_FRAME", reserved=1)
    yield case("session", "Another session", "FRAME-2", "UNKNOWN_SESSION",
               session=bytes([SESSION[0] ^ 1]) + SESSION[1:])
    yield case("sender_unknown", "A sender that is no rank of the session", "FRAME-3", "WRONG_PARTY", sender=9)
    yield case("sender_own", "The receiver's own rank as sender", "FRAME-3", "WRONG_PARTY", sender=1)
    from_two = given([sealed(chunk, sender=0)[0]])
    from_two["peer"] = 2
    yield bad("sender_forged", "A collaborator sends as rank 0", "FRAME-3", from_two, "WRONG_PARTY")
    yield case("receiver", "For another rank", "FRAME-4", "WRONG_PARTY", receiver=2)
    yield bad("too_large", "A message of one byte more than the limit", "FRAME-5",
              given(sealed(fixed("longest", LONGEST + 1))[:1]), "MESSAGE_TOO_LARGE")
    yield case("too_large_huge", "A message of 2^64 - 1 bytes", "FRAME-5", "MESSAGE_TOO_LARGE",
               message_length=(1 << 64) - 1)
    yield bad("sealed_header", "A header changed after sealing (the round)", "FRAME-10",
              given([(f.header_bytes(**{**f.header_fields(pair[0]), "round": 4}), pair[1])]), "BAD_SEAL")
    body = bytes([pair[1][0] ^ 1]) + pair[1][1:]
    yield bad("sealed_body", "A body changed after sealing", "FRAME-10", given([(pair[0], body)]), "BAD_SEAL")
    other = f.seal(KEYS[2], SESSION, 0, 1, CHUNK, [(0x0208, 2, 3, chunk)])
    yield bad("sealed_key", "Sealed under the key of another pair", "FRAME-10", given(other), "BAD_SEAL")
    yield case("type_unlisted", "A type that the registry does not list", "FRAME-11", "UNEXPECTED_MESSAGE", type=0x0FFF)


def bad_chunks():
    three, one = sealed(LONG), sealed(b"payload!")[0]

    def case(name, title, clause, frames):
        return bad(name, title, clause, given(frames), "MALFORMED_FRAME")

    large = fixed("a large chunk", 49)
    yield case("chunk_large", "A chunk of one byte more than negotiated", "FRAME-6",
               [altered(sealed(large)[0], large, chunk_length=49)])
    yield case("body_short", "A body of one byte less than chunk length + 16", "FRAME-6", [(one[0], one[1][:-1])])
    yield case("body_long", "A body of one byte more", "FRAME-6", [(one[0], one[1] + b"\0")])
    yield case("count_zero", "Chunk count 0", "FRAME-7", [altered(one, b"payload!", count=0)])
    yield case("count", "One chunk more than the message length gives", "FRAME-7",
               [altered(three[0], LONG[:48], count=4)])
    yield case("index", "A chunk index that equals the count", "FRAME-7", [altered(one, b"payload!", index=1)])
    yield case("chunk_short", "A first chunk shorter than the negotiated chunk", "FRAME-7",
               [altered(three[0], LONG[:47], chunk_length=47)])
    yield case("last_chunk", "A last chunk longer than what is left", "FRAME-7",
               [*three[:2], altered(three[2], LONG[96:] + b"\0", chunk_length=25)])
    yield case("starts_late", "A message that starts with its second chunk", "FRAME-7",
               [altered(three[1], LONG[48:96], sequence=0)])
    yield case("chunk_skipped", "The next sequence with the chunk after the next one", "FRAME-7",
               [three[0], altered(three[2], LONG[96:], sequence=1)])
    yield case("other_type", "The type changes inside a message", "FRAME-7",
               [three[0], altered(three[1], LONG[48:96], type=0x0209)])
    yield case("other_stage", "The stage changes inside a message", "FRAME-7",
               [three[0], altered(three[1], LONG[48:96], stage=3)])
    yield case("other_round", "The round changes inside a message", "FRAME-7",
               [three[0], altered(three[1], LONG[48:96], round=4)])
    yield case("other_length", "The message length changes inside a message", "FRAME-7",
               [three[0], altered(three[1], LONG[48:96], message_length=119)])
    yield case("interleaved", "Another message begins inside a message", "FRAME-7",
               [three[0], sealed(b"other", sequence=1)[0]])


def bad_sequences():
    first, second = sealed(b"first")[0], sealed(b"second", sequence=1)[0]
    yield bad("conflict", "A repeated sequence with another content", "FRAME-8",
              given([first, sealed(b"other")[0]]), "CONFLICT")
    yield bad("conflict_header", "A repeated sequence with another round", "FRAME-8",
              given([first, sealed(b"first", round_=4)[0]]), "CONFLICT")
    yield bad("repeated_1025", "A repetition whose digest is no longer kept", "FRAME-8",
              given(preceding(KEYS, SESSION, 0, 1, 1)[:1], preceding_=1025), "CONFLICT")
    yield bad("gap", "A sequence beyond the next one", "FRAME-9",
              given([first, sealed(b"third", sequence=2)[0]]), "OUT_OF_ORDER")
    yield bad("gap_first", "The first frame has sequence 1", "FRAME-9", given([second]), "OUT_OF_ORDER")
    three = sealed(LONG)
    yield bad("gap_chunk", "A chunk of a message is missing", "FRAME-9", given([three[0], three[2]]), "OUT_OF_ORDER")


KINDS = [
    Kind("seal",
         "Cutting messages into sealed frames.",
         record(key=hex_of(32), session=hex_of(16), sender=COUNT, receiver=COUNT, max_chunk=COUNT, sequence=COUNT,
                messages=array(MESSAGE)),
         record(frames=array(FRAME), digests=array(hex_of(32))), run_seal, seal_cases),
    Kind("frame",
         "Receiving frames one after the other on one stream. A bad case is refused at its last frame; all "
         "frames before it are accepted. `preceding` frames, empty SCORE_PART messages (stage 4, round 0) of "
         "the peer from sequence 0 on, came before.",
         record(session=hex_of(16), own=COUNT, peer=COUNT, max_chunk=COUNT, max_message=COUNT, keys=map_of(hex_of(32)),
                preceding=COUNT, frames=array(FRAME)),
         record(messages=array(RECEIVED)), run_frame, frame_cases),
]
