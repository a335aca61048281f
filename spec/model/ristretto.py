"""ristretto255 (RFC 9496) and its hash-to-group (RFC 9380, appendix B), written out for align.md."""
import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def is_negative(x):
    return x % P & 1 == 1


def absolute(x):
    return -x % P if is_negative(x) else x % P


def sqrt_ratio(u, v):
    """RFC 9496, section 4.2: (was square, sqrt(u/v) or sqrt(SQRT_M1 * u/v))."""
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    correct, flipped, flipped_i = check == u % P, check == -u % P, check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return correct or flipped, absolute(r)


_, INVSQRT_A_MINUS_D = sqrt_ratio(1, (-1 - D) % P)
SQRT_AD_MINUS_ONE = pow(-D - 1, (P + 3) // 8, P)
if SQRT_AD_MINUS_ONE**2 % P != (-D - 1) % P:
    SQRT_AD_MINUS_ONE = SQRT_AD_MINUS_ONE * SQRT_M1 % P
# The constant of RFC 9496 is the odd root; the even one would map to other elements.
SQRT_AD_MINUS_ONE = -absolute(SQRT_AD_MINUS_ONE) % P
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P

# Points are extended coordinates (X, Y, Z, T) of the twisted Edwards curve with a = -1.
IDENTITY = (0, 1, 1, 0)


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    e = (y1 - x1) * (y2 - x2) % P
    f = (y1 + x1) * (y2 + x2) % P
    g = 2 * D * t1 * t2 % P
    h = 2 * z1 * z2 % P
    return (f - e) * (h - g) % P, (h + g) * (f + e) % P, (h - g) * (h + g) % P, (f - e) * (f + e) % P


def multiply(scalar, point):
    result = IDENTITY
    for bit in bin(scalar % ORDER)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def equal(a, b):
    """RFC 9496, section 4.3.3."""
    return (a[0] * b[1] - a[1] * b[0]) % P == 0 or (a[1] * b[1] - a[0] * b[0]) % P == 0


def decode(data):
    """RFC 9496, section 4.3.1: the point, or None for what is no canonical encoding."""
    if len(data) != 32:
        return None
    s = int.from_bytes(data, "little")
    if s >= P or is_negative(s):
        return None
    ss = s * s % P
    u1, u2 = (1 - ss) % P, (1 + ss) % P
    u2_sqr = u2 * u2 % P
    v = (-D * u1 * u1 - u2_sqr) % P
    was_square, invsqrt = sqrt_ratio(1, v * u2_sqr % P)
    den_x = invsqrt * u2 % P
    den_y = invsqrt * den_x * v % P
    x = absolute(2 * s * den_x)
    y = u1 * den_y % P
    t = x * y % P
    if not was_square or is_negative(t) or y == 0:
        return None
    return x, y, 1, t


def encode(point):
    """RFC 9496, section 4.3.2."""
    x0, y0, z0, t0 = point
    u1 = (z0 + y0) * (z0 - y0) % P
    u2 = x0 * y0 % P
    _, invsqrt = sqrt_ratio(1, u1 * u2 * u2 % P)
    den1, den2 = invsqrt * u1 % P, invsqrt * u2 % P
    z_inv = den1 * den2 * t0 % P
    if is_negative(t0 * z_inv):
        x, y, den_inv = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    else:
        x, y, den_inv = x0, y0, den2
    if is_negative(x * z_inv):
        y = -y % P
    return absolute(den_inv * (z0 - y)).to_bytes(32, "little")


def map_element(t):
    """RFC 9496, section 4.3.4: MAP."""
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = sqrt_ratio(u, v)
    s_prime = -absolute(s * t) % P
    s = s if was_square else s_prime
    c = -1 % P if was_square else r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def from_uniform_bytes(data):
    """RFC 9496, section 4.3.4: the map from 64 uniform bytes."""
    halves = (data[:32], data[32:])
    low = (1 << 255) - 1
    first, second = (map_element((int.from_bytes(h, "little") & low) % P) for h in halves)
    return add(first, second)


def expand_message_xmd(message, dst, length):
    """RFC 9380, section 5.3.1, with SHA-512."""
    assert len(dst) <= 255
    def sha512(*pieces):
        return hashlib.sha512(b"".join(pieces)).digest()
    tail = dst + bytes([len(dst)])
    b0 = sha512(bytes(128), message, length.to_bytes(2, "big"), b"\0", tail)
    blocks = [sha512(b0, b"\1", tail)]
    while 64 * len(blocks) < length:
        mixed = bytes(x ^ y for x, y in zip(b0, blocks[-1]))
        blocks.append(sha512(mixed, bytes([len(blocks) + 1]), tail))
    return b"".join(blocks)[:length]


def hash_to_group(message, dst):
    """ristretto255_XMD:SHA-512_R255MAP_RO_."""
    return from_uniform_bytes(expand_message_xmd(message, dst, 64))


# The generator: RFC 9496, section 4.1, that of edwards25519 (y = 4/5, x even).
_y = 4 * pow(5, P - 2, P) % P
_, _x = sqrt_ratio((_y * _y - 1) % P, (D * _y * _y + 1) % P)
GENERATOR = (_x, _y, 1, _x * _y % P)
