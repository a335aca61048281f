"""envelope.md: the container for the numeric vectors of training.

A tensor is (name, codec, scale, shape, elements). In codecs 4 to 6 `scale` is the pair (scale, clip exponent), and the
elements are ring elements: two a value in codec 5.
"""
import math
import re

from conventions import H, Reader, f64be, u8, u16be, u32be, u64le, WORD
from errors import refuse_if

WIDTHS = {1: 8, 2: 8, 3: 4, 4: 8, 5: 16, 6: 8}
FIXED, WIDE, COUNT = 4, 5, 6
CLIPPED = (FIXED, WIDE, COUNT)


def element(codec, value):
    """One element; a value of codec 2 is the integer, before the division by 2^scale."""
    if codec == 1:
        return f64be(value)
    if codec == 2 or codec in CLIPPED:
        return u64le(value % WORD)
    return u32be(value)


def scale_bytes(codec, scale):
    """What stands between codec and rank."""
    return u8(scale[0]) + u8(scale[1]) if codec in CLIPPED else u8(scale)


def encode(round_, tensors):
    """tensors: (name, codec, scale, shape, elements)."""
    body = b"HPE1" + u32be(round_) + u16be(len(tensors))
    for name, codec, scale, shape, elements in tensors:
        body += u8(len(name)) + name.encode() + u8(codec) + scale_bytes(codec, scale) + u8(len(shape))
        body += b"".join(u32be(d) for d in shape) + b"".join(element(codec, v) for v in elements)
    return body + H(body)


def read_tensor(reader):
    name = reader.take(reader.u8())
    refuse_if(not re.fullmatch(rb"[a-z0-9_.]{1,64}", name), "MALFORMED_MESSAGE", "ENV-2")
    codec, scale = reader.u8(), reader.u8()
    refuse_if(codec not in WIDTHS, "MALFORMED_MESSAGE", "ENV-2")
    refuse_if(codec in (1, 3, COUNT) and scale != 0, "MALFORMED_MESSAGE", "ENV-2")
    if codec in CLIPPED:
        scale = (scale, reader.u8())
    rank = reader.u8()
    refuse_if(rank > 4, "MALFORMED_MESSAGE", "ENV-2")
    shape = [reader.u32be() for _ in range(rank)]
    count = math.prod(shape)
    refuse_if(count > 1 << 27, "MALFORMED_MESSAGE", "ENV-2")
    refuse_if(count * WIDTHS[codec] > reader.left(), "MALFORMED_MESSAGE", "CONV-1")
    if codec == 1:
        elements = [reader.f64be() for _ in range(count)]
    elif codec == 2:
        elements = [(reader.u64le() + WORD // 2) % WORD - WORD // 2 for _ in range(count)]
    elif codec in CLIPPED:
        elements = [reader.u64le() for _ in range(count * WIDTHS[codec] // 8)]
    else:
        elements = [reader.u32be() for _ in range(count)]
    return name.decode(), codec, scale, shape, elements


def decode(data, frame_round, expected):
    """expected: (name, codec, scale, shape) of every tensor, in the order of the message's format."""
    refuse_if(data[:4] != b"HPE1", "MALFORMED_MESSAGE", "ENV-2")
    refuse_if(len(data) < 10 + 32, "MALFORMED_MESSAGE", "CONV-1")
    refuse_if(H(data[:-32]) != data[-32:], "BAD_DIGEST", "ENV-1")
    reader = Reader(data[4:-32])
    round_, count = reader.u32be(), reader.u16be()
    tensors = []
    for _ in range(count):
        tensor = read_tensor(reader)
        refuse_if(tensor[0] in [t[0] for t in tensors], "MALFORMED_MESSAGE", "ENV-2")
        tensors.append(tensor)
    reader.end()
    refuse_if([t[:4] for t in tensors] != expected, "SHAPE_MISMATCH", "ENV-3")
    refuse_if(round_ != frame_round, "STALE_ROUND", "ENV-4")
    return tensors
