"""frame.md: messages in sealed chunks, and the checks of a receiver in their order."""
import json

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from conventions import H, Reader, lp, u32be, u64be
from errors import REGISTRY, refuse_if

REMEMBERED = 1024
TYPES = {m["name"]: m["type"] for m in
         json.loads((REGISTRY / "message_types.json").read_text())["message_types"]}
# The fields of a header: name, width in bytes.
FIELDS = (("version", 1), ("flags", 1), ("type", 2), ("sender", 2), ("receiver", 2), ("session", 16),
          ("stage", 4), ("round", 4), ("sequence", 8), ("index", 4), ("count", 4), ("message_length", 8),
          ("chunk_length", 4), ("reserved", 4))


def header_bytes(**fields):
    fields = {"version": 1, "flags": 0, "reserved": 0, **fields}
    return b"".join(fields[name] if name == "session" else fields[name].to_bytes(width, "big")
                    for name, width in FIELDS)


def header_fields(header):
    fields, at = {}, 0
    for name, width in FIELDS:
        piece = header[at:at + width]
        fields[name] = piece if name == "session" else int.from_bytes(piece, "big")
        at += width
    return fields


def nonce(sequence):
    return u32be(0) + u64be(sequence)


def seal_chunk(key, header, chunk):
    return AESGCM(key).encrypt(nonce(header_fields(header)["sequence"]), chunk, header)


def digest(header, body):
    return H(header, body[-16:])


def chunk_count(length, max_chunk):
    return max(1, -(-length // max_chunk))


def seal(key, session, sender, receiver, max_chunk, messages, sequence=0):
    """The frames of messages (type, stage, round, payload), numbered from `sequence` on."""
    frames = []
    for kind, stage, round_, payload in messages:
        count = chunk_count(len(payload), max_chunk)
        for index in range(count):
            chunk = payload[index * max_chunk:(index + 1) * max_chunk]
            header = header_bytes(
                type=kind, sender=sender, receiver=receiver, session=session, stage=stage, round=round_,
                sequence=sequence, index=index, count=count, message_length=len(payload),
                chunk_length=len(chunk))
            frames.append((header, seal_chunk(key, header, chunk)))
            sequence += 1
    return frames


class Receiver:
    """One end of one stream. `keys` holds the frame key of every sender whose frames may come."""

    def __init__(self, keys, session, own, peer, max_chunk, max_message):
        self.keys, self.session, self.own, self.peer = keys, session, own, peer
        self.max_chunk, self.max_message = max_chunk, max_message
        self.next = dict.fromkeys(keys, 0)
        self.digests = {sender: {} for sender in keys}
        self.partial = {sender: [] for sender in keys}

    def receive(self, header, body):
        """A complete message (sender, type, stage, round, payload), or None."""
        refuse_if(len(header) != 64, "MALFORMED_FRAME", "FRAME-1")
        f = header_fields(header)
        wrong = f["version"] != 1 or f["flags"] != 0 or f["reserved"] != 0
        refuse_if(wrong, "MALFORMED_FRAME", "FRAME-1")
        refuse_if(f["session"] != self.session, "UNKNOWN_SESSION", "FRAME-2")
        relayed = self.peer == 0 and f["sender"] in self.keys and f["sender"] != self.own
        refuse_if(f["sender"] != self.peer and not relayed, "WRONG_PARTY", "FRAME-3")
        refuse_if(f["receiver"] != self.own, "WRONG_PARTY", "FRAME-4")
        refuse_if(f["message_length"] > self.max_message, "MESSAGE_TOO_LARGE", "FRAME-5")
        refuse_if(f["chunk_length"] > self.max_chunk, "MALFORMED_FRAME", "FRAME-6")
        refuse_if(len(body) != f["chunk_length"] + 16, "MALFORMED_FRAME", "FRAME-6")
        self.check_chunk(f)
        if self.is_repetition(f, header, body):
            return None
        self.check_message(f)
        chunk = self.open(f, header, body)
        refuse_if(f["type"] not in TYPES.values(), "UNEXPECTED_MESSAGE", "FRAME-11")
        return self.keep(f, header, body, chunk)

    def check_chunk(self, f):
        """The part of FRAME-7 that one header decides."""
        count = chunk_count(f["message_length"], self.max_chunk)
        refuse_if(f["count"] != count or f["index"] >= count, "MALFORMED_FRAME", "FRAME-7")
        start = f["index"] * self.max_chunk
        length = min(self.max_chunk, f["message_length"] - start)
        refuse_if(f["chunk_length"] != length, "MALFORMED_FRAME", "FRAME-7")

    def is_repetition(self, f, header, body):
        sender, sequence = f["sender"], f["sequence"]
        refuse_if(sequence > self.next[sender], "OUT_OF_ORDER", "FRAME-9")
        if sequence == self.next[sender]:
            return False
        same = self.digests[sender].get(sequence) == digest(header, body)
        refuse_if(not same, "CONFLICT", "FRAME-8")
        return True

    def check_message(self, f):
        """The part of FRAME-7 that compares a chunk with those before it."""
        before = self.partial[f["sender"]]
        refuse_if(f["index"] != len(before), "MALFORMED_FRAME", "FRAME-7")
        for name in ("type", "stage", "round", "message_length"):
            changed = before and before[0][0][name] != f[name]
            refuse_if(changed, "MALFORMED_FRAME", "FRAME-7")

    def open(self, f, header, body):
        try:
            return AESGCM(self.keys[f["sender"]]).decrypt(nonce(f["sequence"]), body, header)
        except InvalidTag:
            refuse_if(True, "BAD_SEAL", "FRAME-10")

    def keep(self, f, header, body, chunk):
        sender = f["sender"]
        self.digests[sender][f["sequence"]] = digest(header, body)
        self.digests[sender].pop(f["sequence"] - REMEMBERED, None)
        self.next[sender] += 1
        self.partial[sender].append((f, chunk))
        if len(self.partial[sender]) < f["count"]:
            return None
        payload = b"".join(piece for _, piece in self.partial[sender])
        self.partial[sender] = []
        return sender, f["type"], f["stage"], f["round"], payload


# Section 3: type ERROR.

def encode_error(code, document):
    return u32be(code) + lp(document)


def decode_error(payload):
    reader = Reader(payload)
    code, document = reader.u32be(), reader.lp()
    reader.end()
    return code, document
