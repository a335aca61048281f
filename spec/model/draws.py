"""How vectors give long lists of "random" values: recipes over Stream(key), and digests of results.

Nothing here is part of the protocol: a sender draws its secrets as it likes. The recipes let an
implementation be fed the very values that a vector was made with.
"""
import base64
import hashlib

import ringlwe
from conventions import H, Stream

N = ringlwe.N


def fixed(label, length):
    """Arbitrary but fixed bytes for a vector, from its name."""
    blocks = [H(b"hefu vectors ", label.encode(), bytes([i])) for i in range(-(-length // 32))]
    return b"".join(blocks)[:length]


def ternary(key):
    """Each of N u64 values v gives (v mod 3) - 1."""
    return [v % 3 - 1 for v in Stream(key).u64s(N)]


def binomial(key):
    """Each of N u64 values v gives weight(bits 0-20) - weight(bits 21-41)."""
    low = (1 << 21) - 1
    return [(v & low).bit_count() - (v >> 21 & low).bit_count() for v in Stream(key).u64s(N)]


def flood(key, bits):
    """Each of N pairs (v, w) of u64 values gives (v + 2^64 w) mod 2^(bits+1) - 2^bits."""
    words = Stream(key).u64s(2 * N)
    return [(v + (w << 64)) % (1 << bits + 1) - (1 << bits) for v, w in zip(words[::2], words[1::2])]


def residues(key, moduli):
    """Uniform(p, N) for each modulus p in turn from one stream; one list a modulus."""
    stream = Stream(key)
    return [stream.uniform(p, N) for p in moduli]


def signed(key, count, bits):
    """Each of `count` u64 values v gives v mod 2^(bits+1) - 2^bits."""
    return [v % (1 << bits + 1) - (1 << bits) for v in Stream(key).u64s(count)]


def u64s(key, count):
    return Stream(key).u64s(count)


def blob(data, whole=False):
    """Bytes for a vector: a digest and both ends, or all of them."""
    out = {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if whole:
        return {**out, "base64": base64.b64encode(data).decode()}
    return {**out, "first": data[:32].hex(), "last": data[-32:].hex()}


def integers(values, whole=False):
    """Integers for a vector: how many, both ends, and the digest of their decimal text, one a line."""
    text = "".join(f"{v}\n" for v in values).encode()
    out = {"count": len(values), "sha256": hashlib.sha256(text).hexdigest(),
           "first": [str(v) for v in values[:4]], "last": [str(v) for v in values[-4:]]}
    return {**out, "all": [str(v) for v in values]} if whole else out


# The recipes by name, as a vector writes them: {"draw": "ternary", "key": "…"}.

def drawn(recipe):
    """The integers that a vector's recipe stands for."""
    kind = recipe["draw"]
    if kind == "list":
        return [int(v) for v in recipe["values"]]
    if kind == "unit":
        return [0] * recipe["index"] + [int(recipe["value"])] + [0] * (N - 1 - recipe["index"])
    key = bytes.fromhex(recipe["key"])
    if kind == "ternary":
        return ternary(key)
    if kind == "binomial":
        return binomial(key)
    if kind == "flood":
        return flood(key, recipe["bits"])
    if kind == "signed":
        return signed(key, recipe["count"], recipe["bits"])
    if kind == "below":
        return Stream(key).uniform(int(recipe["q"]), recipe["count"])
    if kind == "u64":
        return u64s(key, recipe["count"])
    if kind == "slots":
        moduli = [int(t) for t in recipe["moduli"]]
        return ringlwe.remainder_to_integers(residues(key, moduli), moduli)
    raise ValueError(kind)


def recipe(kind, label, **more):
    return {"draw": kind, "key": fixed(label, 16).hex(), **more}


def patched(sparse):
    """Bytes that are zero but for a few places: {"zeros": length, "patches": [[offset, hex], …]}."""
    data = bytearray(sparse["zeros"])
    for offset, piece in sparse["patches"]:
        piece = bytes.fromhex(piece)
        data[offset:offset + len(piece)] = piece
    return bytes(data)
