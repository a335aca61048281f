"""conventions.md: encodings, hashes, key streams, signed documents, party ids."""
import base64
import binascii
import hashlib
import hmac
import json
import math
import re
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from errors import refuse_if

WORD = 1 << 64


# Section 1: notation.

def u8(x):
    return x.to_bytes(1, "big")


def u16be(x):
    return x.to_bytes(2, "big")


def u32be(x):
    return x.to_bytes(4, "big")


def u64be(x):
    return x.to_bytes(8, "big")


def u32le(x):
    return x.to_bytes(4, "little")


def u64le(x):
    return x.to_bytes(8, "little")


def f64be(x):
    return struct.pack(">d", x)


def lp(x):
    return u32be(len(x)) + x


class Reader:
    """Reads one message; nothing may be missing and nothing may be left (CONV-1)."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        refuse_if(length > len(self.data) - self.at, "MALFORMED_MESSAGE", "CONV-1")
        piece = self.data[self.at:self.at + length]
        self.at += length
        return piece

    def left(self):
        return len(self.data) - self.at

    def u8(self):
        return self.take(1)[0]

    def u16be(self):
        return int.from_bytes(self.take(2), "big")

    def u32be(self):
        return int.from_bytes(self.take(4), "big")

    def u64be(self):
        return int.from_bytes(self.take(8), "big")

    def u32le(self):
        return int.from_bytes(self.take(4), "little")

    def u64le(self):
        return int.from_bytes(self.take(8), "little")

    def f64be(self):
        value = struct.unpack(">d", self.take(8))[0]
        refuse_if(not math.isfinite(value), "MALFORMED_MESSAGE", "CONV-2")
        return value

    def lp(self):
        return self.take(self.u32be())

    def end(self):
        refuse_if(self.left() != 0, "MALFORMED_MESSAGE", "CONV-1")


# Section 2: hash, key derivation, streams.

def H(*pieces):
    return hashlib.sha256(b"".join(pieces)).digest()


def extract(salt, ikm):
    """HKDF-Extract of RFC 5869 is one HMAC."""
    return hmac.digest(salt, ikm, "sha256")


def expand(prk, info, length):
    return HKDFExpand(algorithm=SHA256(), length=length, info=info).derive(prk)


class Stream:
    """The AES-128 key stream in counter mode from a zero counter block."""

    def __init__(self, key):
        assert len(key) == 16
        self._encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()

    def bytes(self, length):
        return self._encryptor.update(bytes(length))

    def u64(self):
        return int.from_bytes(self.bytes(8), "little")

    def u64s(self, count):
        return list(struct.unpack(f"<{count}Q", self.bytes(8 * count)))

    def uniform(self, q, n):
        """Uniform(q, n)."""
        low = (1 << q.bit_length()) - 1
        values = [v & low for v in self.u64s(n)]
        for i in range(n):
            while values[i] >= q:
                values[i] = self.u64() & low
        return values


# Section 3: signed documents.

def public_key(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(
        Encoding.Raw, PublicFormat.Raw)


def sign(seed, message):
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def verify(public, signature, message, clause):
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        good = True
    except (InvalidSignature, ValueError):
        good = False
    refuse_if(not good, "BAD_SIGNATURE", clause)


def signed_text(payload_type, payload):
    """What a DSSE v1 signature covers."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal_document(payload_type, payload, seed):
    """The bytes of a DSSE envelope with one signature."""
    envelope = {
        "payloadType": payload_type,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{
            "keyid": H(public_key(seed))[:16].hex(),
            "sig": base64.b64encode(sign(seed, signed_text(payload_type, payload))).decode(),
        }],
    }
    return json.dumps(envelope, separators=(",", ":")).encode()


def parse_object(data, clause):
    """A JSON object without a repeated member name at any depth (CONV-7)."""
    def members(pairs):
        refuse_if(len({name for name, _ in pairs}) != len(pairs), "MALFORMED_DOCUMENT", "CONV-7")
        return dict(pairs)

    def constant(_):
        raise ValueError("NaN and Infinity are not JSON")

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_constant=constant)
    except ValueError:
        value = None
    refuse_if(not isinstance(value, dict), "MALFORMED_DOCUMENT", clause)
    return value


def from_base64(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None


def open_document(envelope, payload_type, public):
    """The payload bytes of an envelope that `public` signed (CONV-4, CONV-6, CONV-10)."""
    parsed = parse_object(envelope, "CONV-10")
    kind, payload = parsed.get("payloadType"), from_base64(parsed.get("payload"))
    signatures = parsed.get("signatures")
    refuse_if(not isinstance(kind, str) or payload is None, "MALFORMED_DOCUMENT", "CONV-10")
    refuse_if(not isinstance(signatures, list) or len(signatures) != 1, "MALFORMED_DOCUMENT", "CONV-10")
    refuse_if(not isinstance(signatures[0], dict), "MALFORMED_DOCUMENT", "CONV-10")
    signature = from_base64(signatures[0].get("sig"))
    refuse_if(signature is None, "MALFORMED_DOCUMENT", "CONV-10")
    verify(public, signature, signed_text(kind, payload), "CONV-4")
    refuse_if(kind != payload_type, "MALFORMED_DOCUMENT", "CONV-6")
    return payload


def check_critical(document, known):
    """CONV-8: unknown members are ignored, unless `critical` names them."""
    critical = document.get("critical", [])
    wrong = not isinstance(critical, list) or not all(isinstance(name, str) for name in critical)
    refuse_if(wrong, "MALFORMED_DOCUMENT", "CONV-8")
    refuse_if(any(name not in known for name in critical), "UNKNOWN_CRITICAL", "CONV-8")


# Section 4: parties.

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
PART = re.compile("[A-Za-z0-9-]{1,64}")
USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


def uscc_is_valid(code):
    """GB 32100-2015: 18 characters of the alphabet, the last one the check character."""
    if len(code) != 18 or any(c not in USCC_ALPHABET for c in code):
        return False
    total = sum(USCC_ALPHABET.index(c) * w for c, w in zip(code, USCC_WEIGHTS))
    return code[17] == USCC_ALPHABET[-total % 31]


def check_party_id(text):
    """Returns (scheme, value), or refuses (CONV-9)."""
    scheme, colon, value = text.partition(":")
    refuse_if(not colon or not PART.fullmatch(scheme) or not PART.fullmatch(value), "BAD_PARTY_ID", "CONV-9")
    refuse_if(scheme == "uscc" and not uscc_is_valid(value), "BAD_PARTY_ID", "CONV-9")
    return scheme, value
