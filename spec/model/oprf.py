"""oprf.md: the function of RFC 9497 in mode OPRF, epochs and sets, what a receiver checks."""
import hashlib

import align
import ristretto
from conventions import H, Reader, u16be, u64be
from errors import refuse_if

MODE_OPRF = b"\x00"
# RFC 9497, section 3.1: CreateContextString.
CONTEXT = b"OPRFV1-" + MODE_OPRF + b"-ristretto255-SHA512"


# Section 1: the function.

def hash_to_group(key):
    return ristretto.hash_to_group(key, b"HashToGroup-" + CONTEXT)


def derive_secret(seed, info):
    """RFC 9497, section 3.2.1: DeriveKeyPair, for its test vectors alone."""
    for counter in range(256):
        uniform = ristretto.expand_message_xmd(seed + u16be(len(info)) + info + bytes([counter]),
                                               b"DeriveKeyPair" + CONTEXT, 64)
        secret = int.from_bytes(uniform, "little") % ristretto.ORDER
        if secret:
            return secret
    raise ValueError("no key")


def hashed(key, element):
    """What both sides hash: the key, and the encoded element k·HashToGroup(key)."""
    return hashlib.sha512(u16be(len(key)) + key + u16be(len(element)) + element + b"Finalize").digest()


def evaluate(secret, key):
    return hashed(key, ristretto.encode(ristretto.multiply(secret, hash_to_group(key))))


def blind(scalar, key):
    return ristretto.encode(ristretto.multiply(scalar, hash_to_group(key)))


def blind_evaluate(secret, element):
    return ristretto.encode(ristretto.multiply(secret, ristretto.decode(element)))


def finalize(scalar, key, evaluation):
    inverse = pow(scalar, -1, ristretto.ORDER)
    return hashed(key, ristretto.encode(ristretto.multiply(inverse, ristretto.decode(evaluation))))


# Section 2: epoch and set.

def tag_width(m):
    return max(10, -(-(72 + m.bit_length()) // 8))


def published(secret, keys):
    """(the set, the key at each position)."""
    width = tag_width(len(keys))
    tagged = sorted((evaluate(secret, key)[:width], key) for key in keys)
    return [tag for tag, _ in tagged], [key for _, key in tagged]


def public(secret):
    return ristretto.encode(ristretto.multiply(secret, ristretto.GENERATOR))


def epoch(public_element, tags):
    return H(b"hefu/1 oprf epoch", public_element, u64be(len(tags)), b"".join(tags))


# Section 3: messages.

def encode_waits(m):
    """Every OPRF_WAIT of an epoch that is made for m keys."""
    ends = [min(first + align.BATCH, m) for first in range(0, m, align.BATCH)]
    return [u64be(end) + u64be(m) for end in ends]


def encode_epoch(epoch_id, public_element, m):
    return epoch_id + public_element + u64be(m)


def encode_size(n, holds):
    return u64be(n) + bytes([holds])


# Section 4: checks.

def refuse_element(element, clause):
    refuse_if(ristretto.decode(element) is None or element == bytes(32), "BAD_ELEMENT", clause)


def receive_wait(payload, before, limit):
    """(evaluated, m); `before` is what the last one said, or None."""
    reader = Reader(payload)
    evaluated, m = reader.u64be(), reader.u64be()
    reader.end()
    refuse_if(m > limit, "TOO_MANY_ROWS", "ALIGN-6")
    last, total = before or (0, m)
    is_next = last < m and evaluated == min(last + align.BATCH, m)
    refuse_if(m != total or not is_next, "MALFORMED_MESSAGE", "OPRF-4")
    return evaluated, m


def receive_epoch(payload, before, limit):
    """(epoch, public, m); `before` is what the last OPRF_WAIT said, or None."""
    reader = Reader(payload)
    epoch_id, public_element, m = reader.take(32), reader.take(32), reader.u64be()
    reader.end()
    refuse_element(public_element, "OPRF-1")
    refuse_if(m > limit, "TOO_MANY_ROWS", "ALIGN-6")
    refuse_if(before is not None and tuple(before) != (m, m), "MALFORMED_MESSAGE", "OPRF-4")
    return epoch_id, public_element, m


def receive_size(payload, limit):
    reader = Reader(payload)
    n, holds = reader.u64be(), reader.take(1)[0]
    reader.end()
    refuse_if(holds > 1, "MALFORMED_MESSAGE", "OPRF-4")
    refuse_if(n > limit, "TOO_MANY_ROWS", "ALIGN-6")
    return n, holds == 1


def receive_set(payload, before, m, public_element, epoch_id):
    """The new tags; `before` are those already received."""
    found = align.read_batch(Reader(payload), tag_width(m), len(before), m)
    tags = before + found
    for last, tag in zip(tags[max(len(before) - 1, 0):], tags[max(len(before), 1):]):
        refuse_if(tag == last, "DUPLICATE_ELEMENT", "OPRF-2")
        refuse_if(tag < last, "MALFORMED_MESSAGE", "OPRF-2")
    if len(tags) == m:
        refuse_if(epoch(public_element, tags) != epoch_id, "BAD_DIGEST", "OPRF-3")
    return found


def receive_evaluated(payload, before, announced):
    """The new evaluations; `before` are those already received."""
    found = align.read_batch(Reader(payload), 32, len(before), announced)
    seen = set(before)
    for element in found:
        refuse_element(element, "OPRF-1")
        refuse_if(element in seen, "DUPLICATE_ELEMENT", "OPRF-5")
        seen.add(element)
    return found
