"""align.md: keys, blinding, tags, the common rows."""
import ristretto
from conventions import H, Reader, u16be, u32be, u32le, u64be, uscc_is_valid
from errors import refuse_if

BATCH = 16384
ABSENT = 0xFFFFFFFF
INNER, LEFT = "inner", "left"
# The characters with the Unicode property White_Space.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + \
    "\u2028\u2029\u202f\u205f\u3000"


# Section 1: keys.

def half_width(character):
    code = ord(character)
    if code == 0x3000:
        return " "
    return chr(code - 0xFEE0) if 0xFF01 <= code <= 0xFF5E else character


def ascii_upper(text):
    return "".join(c.upper() if "a" <= c <= "z" else c for c in text)


def normal_key(cell, format_):
    """The key's bytes, or None for an invalid one. `cell` is the bytes of a cell."""
    try:
        text = cell.decode("utf-8").strip(WHITE_SPACE)
    except UnicodeDecodeError:
        return None
    if format_ == "uscc":
        text = ascii_upper("".join(map(half_width, text)))
        if not uscc_is_valid(text):
            return None
    key = text.encode("utf-8")
    return key if 1 <= len(key) <= 128 else None


def distinct_keys(cells, format_):
    """(keys in order of first occurrence, number of duplicates, number of invalid cells)."""
    keys, seen, duplicates, invalid = [], set(), 0, 0
    for cell in cells:
        key = normal_key(cell, format_)
        if key is None:
            invalid += 1
        elif key in seen:
            duplicates += 1
        else:
            seen.add(key)
            keys.append(key)
    return keys, duplicates, invalid


def is_test_row(key, split):
    if split == "none":
        return True
    return int.from_bytes(H(key)[:8], "big") % 10 < 3


# Section 2: group.

def domain_tag(suite, rank, transcript):
    return b"hefu/1 align " + u16be(suite) + u16be(rank) + transcript


def hash_to_group(key, suite, rank, transcript):
    return ristretto.hash_to_group(key, domain_tag(suite, rank, transcript))


# Section 3: messages.

def blinded(keys, permutation, scalar, suite, rank, transcript):
    """The elements in the order sent: element number i is that of keys[permutation[i]]."""
    return [ristretto.encode(ristretto.multiply(scalar, hash_to_group(keys[p], suite, rank, transcript)))
            for p in permutation]


def tag_width(n, m):
    return max(10, -(-(40 + n.bit_length() + m.bit_length()) // 8))


def tag(element, width, rank, transcript):
    return H(b"hefu/1 align tag", transcript, u16be(rank), element)[:width]


def tags(scalar, elements, width, rank, transcript):
    """The tags of the other side's elements, in the same order."""
    points = [ristretto.decode(e) for e in elements]
    return [tag(ristretto.encode(ristretto.multiply(scalar, p)), width, rank, transcript) for p in points]


def batches(items, size=BATCH):
    """Payloads `u32be(first) ‖ item*`; no items: no batch."""
    return [u32be(first) + b"".join(items[first:first + size]) for first in range(0, len(items), size)]


def encode_size(count):
    return u64be(count)


def encode_rows(positions, training):
    """The ALIGN_ROWS payloads of one collaborator."""
    head = u32be(len(positions)) + u32be(training)
    return [head + batch for batch in batches([u32le(p) for p in positions])]


def common_keys(keys, matches, join):
    """matches: for every collaborator a map from I's keys to positions in its sequence."""
    if join == LEFT:
        return list(keys)
    return [k for k in keys if all(k in m for m in matches)]


def positions(rows, match):
    return [match.get(key, ABSENT) for key in rows]


# Sections 3 and 4: what a receiver checks.

def read_batch(reader, size, expected_first, total, batch=BATCH):
    """The items of the next batch (ALIGN-4); `size` is the width of one item."""
    first = reader.u32be()
    refuse_if(first != expected_first or first >= total, "MALFORMED_MESSAGE", "ALIGN-4")
    count = min(batch, total - first)
    refuse_if(reader.left() != count * size, "MALFORMED_MESSAGE", "ALIGN-4")
    return [reader.take(size) for _ in range(count)]


def receive_size(payload, limit):
    reader = Reader(payload)
    count = reader.u64be()
    reader.end()
    refuse_if(count > limit, "TOO_MANY_ROWS", "ALIGN-6")
    return count


def receive_blinded(payload, before, announced):
    """The new elements; `before` are those already received."""
    elements = read_batch(Reader(payload), 32, len(before), announced)
    seen = set(before)
    for element in elements:
        refuse_if(ristretto.decode(element) is None, "BAD_ELEMENT", "ALIGN-1")
        refuse_if(element == bytes(32), "BAD_ELEMENT", "ALIGN-2")
        refuse_if(element in seen, "DUPLICATE_ELEMENT", "ALIGN-3")
        seen.add(element)
    return elements


def receive_tags(payload, before, own_count, width):
    found = read_batch(Reader(payload), width, len(before), own_count)
    refuse_if(len(set(before + found)) != len(before) + len(found), "DUPLICATE_ELEMENT", "ALIGN-7")
    return found


def receive_rows(payload, before, totals, own_count, join):
    """The new positions; `before` are those already received, `totals` the head of the first batch."""
    reader = Reader(payload)
    head = reader.u32be(), reader.u32be()
    refuse_if(totals is not None and head != totals, "MALFORMED_MESSAGE", "ALIGN-4")
    refuse_if(head[1] > head[0], "MALFORMED_MESSAGE", "ALIGN-4")
    found = [int.from_bytes(p, "little") for p in read_batch(reader, 4, len(before), head[0])]
    seen = {p for p in before if p != ABSENT}
    for position in found:
        if position == ABSENT:
            refuse_if(join == INNER, "BAD_POSITION", "ALIGN-8")
            continue
        refuse_if(position >= own_count or position in seen, "BAD_POSITION", "ALIGN-8")
        seen.add(position)
    return found
