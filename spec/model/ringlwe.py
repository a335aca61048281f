"""ringlwe.md: the additively homomorphic scheme, with plain integers.

A polynomial is a list of 8192 integers. Inside this module index i is index i of section 2 (coefficient
of X^i, or the value at psi^(2 brv(i) + 1)); only what travels is put into lane order.
"""
import math
from functools import lru_cache

from conventions import Reader, Stream, expand, u8, u16be, u32be, u64be
from errors import refuse_if

N = 8192
LANES, COLUMN = 8, 1024
Q = (0x3FFFFFFDF0001, 0x3FFFFFFD20001, 0x3FFFFFFCD0001, 0x3FFFFFFC70001)
SLOTS, COEFFICIENTS = "slots", "coefficients"


class Set:
    def __init__(self, name, id_, primes, t_primes, packing, flood):
        self.name, self.id, self.primes, self.t_primes = name, id_, primes, t_primes
        self.packing, self.flood = packing, flood
        # What an answer is switched to.
        self.answer_primes = primes[:2] if packing == SLOTS else primes[:1]
        self.q, self.answer_q = math.prod(primes), math.prod(self.answer_primes)
        self.t = math.prod(t_primes) if t_primes else 1 << 64

    def __repr__(self):
        return self.name


# The two largest 36-bit primes and the largest 48-bit prime that are 1 modulo 16384.
T0, T1 = 0xFFFFC4001, 0xFFFF00001
T_COARSE = 0xFFFFFFFFC001
S = Set("S", 1, Q, (T0, T1), SLOTS, 126)
S_COARSE = Set("S'", 2, Q[:3], (T_COARSE,), SLOTS, 100)
G = Set("G", 3, Q[:3], (), COEFFICIENTS, 83)
SETS = {s.name: s for s in (S, S_COARSE, G)}
# An opened coefficient answer is off by less than this, modulo 2^64.
OPENING_ERROR = 1 << 24


def centred(x, modulus):
    """The remainder in (-modulus/2, modulus/2]."""
    x %= modulus
    return x - modulus if 2 * x > modulus else x


# Section 2: order and the transform.

def brv(i):
    return int(f"{i:013b}"[::-1], 2)


def lane_index(position):
    """The index that a position holds: position 8j + l holds index l * 1024 + j."""
    j, lane = divmod(position, LANES)
    return lane * COLUMN + j


LANE = [lane_index(k) for k in range(N)]


def to_wire_order(values):
    return [values[i] for i in LANE]


def from_wire_order(values):
    out = [0] * N
    for position, i in enumerate(LANE):
        out[i] = values[position]
    return out


@lru_cache(maxsize=None)
def psi(p):
    """g^((p-1)/2N) for the smallest g >= 2 for which this is a primitive 2N-th root of unity."""
    g = 2
    while pow(g, (p - 1) // 2, p) != p - 1:
        g += 1
    return pow(g, (p - 1) // (2 * N), p)


@lru_cache(maxsize=None)
def roots(p):
    """psi^brv(i) for every i: the twiddle factors of the transform."""
    root, powers = psi(p), [1]
    for _ in range(N - 1):
        powers.append(powers[-1] * root % p)
    return [powers[brv(i)] for i in range(N)]


@lru_cache(maxsize=None)
def inverse_roots(p):
    return [pow(w, p - 2, p) for w in roots(p)]


def transform(values, p):
    """Index i of the result is the polynomial's value at psi^(2 brv(i) + 1) modulo p.

    Halving: modulo X^2m - w^2 a polynomial is known by its remainders modulo X^m - w and X^m + w.
    """
    a, twiddle = [v % p for v in values], roots(p)
    m, block = N // 2, 1
    while m:
        for b in range(block):
            w, start = twiddle[block + b], 2 * m * b
            low, high = a[start:start + m], [v * w for v in a[start + m:start + 2 * m]]
            a[start:start + 2 * m] = ([(x + y) % p for x, y in zip(low, high)]
                                      + [(x - y) % p for x, y in zip(low, high)])
        m, block = m // 2, 2 * block
    return a


def untransform(values, p):
    """The inverse of `transform`."""
    a, twiddle = list(values), inverse_roots(p)
    m, block = 1, N // 2
    while block:
        for b in range(block):
            w, start = twiddle[block + b], 2 * m * b
            low, high = a[start:start + m], a[start + m:start + 2 * m]
            a[start:start + 2 * m] = ([(x + y) % p for x, y in zip(low, high)]
                                      + [(x - y) * w % p for x, y in zip(low, high)])
        m, block = 2 * m, block // 2
    scale = pow(N, p - 2, p)
    return [v * scale % p for v in a]


def pack(values):
    """Values below 2^50, four in 25 bytes."""
    out = bytearray()
    for i in range(0, len(values), 4):
        a, b, c, d = values[i:i + 4]
        out += (a | b << 50 | c << 100 | d << 150).to_bytes(25, "little")
    return bytes(out)


def unpack(data, p):
    mask, values = (1 << 50) - 1, []
    for i in range(0, len(data), 25):
        word = int.from_bytes(data[i:i + 25], "little")
        values += [word >> shift & mask for shift in (0, 50, 100, 150)]
    refuse_if(any(v >= p for v in values), "BAD_ELEMENT", "RLWE-2")
    return values


PACKED = N // 4 * 25


def pack_polynomial(residues):
    """residues: one list a prime."""
    return b"".join(pack(to_wire_order(values)) for values in residues)


def read_polynomial(reader, primes):
    return [from_wire_order(unpack(reader.take(PACKED), p)) for p in primes]


# Arithmetic modulo several primes: one list a prime, transformed unless said otherwise.

def transformed(values, primes):
    return [transform(values, p) for p in primes]


def plus(x, y, primes):
    return [[(a + b) % p for a, b in zip(u, v)] for u, v, p in zip(x, y, primes)]


def times(x, y, primes):
    return [[a * b % p for a, b in zip(u, v)] for u, v, p in zip(x, y, primes)]


def minus(x, y, primes):
    return [[(a - b) % p for a, b in zip(u, v)] for u, v, p in zip(x, y, primes)]


def remainder_to_integers(residues, primes):
    """Chinese remainder: for every index the integer in [0, product of the primes)."""
    q = math.prod(primes)
    basis = [q // p * pow(q // p, -1, p) for p in primes]
    return [sum(r * b for r, b in zip(column, basis)) % q for column in zip(*residues)]


# Section 3: keys.

def public_uniform(transcript, set_, owner, round_):
    """(a_i), transformed."""
    info = b"hefu/1 rlwe key" + u8(set_.id) + u16be(owner) + u32be(round_)
    return expand_uniform(expand(transcript, info, 16), set_)


def expand_uniform(key, set_):
    stream = Stream(key)
    return [from_wire_order(stream.uniform(p, N)) for p in set_.primes]


def public_key(set_, a, secret, error):
    """p0 = e - a s, transformed; secret and error as coefficients."""
    s, e = transformed(secret, set_.primes), transformed(error, set_.primes)
    return minus(e, times(a, s, set_.primes), set_.primes)


def read_public_key(payload, set_):
    reader = Reader(payload)
    p0 = read_polynomial(reader, set_.primes)
    reader.end()
    return p0


# Section 4: encryption by the key owner.

def encode_slots(slots, set_):
    """The polynomial modulo t whose slots, in the order of the rows, are these integers."""
    slots = from_wire_order(list(slots) + [0] * (N - len(slots)))
    residues = [untransform([v % t for v in slots], t) for t in set_.t_primes]
    return remainder_to_integers(residues, set_.t_primes)


def decode_slots(plaintext, set_):
    """The slots, in the order of the rows, as integers in [0, t)."""
    residues = [to_wire_order(transform(plaintext, t)) for t in set_.t_primes]
    return remainder_to_integers(residues, set_.t_primes)


def encode_plaintext(values, set_):
    if set_.packing == SLOTS:
        return encode_slots(values, set_)
    return [v % set_.t for v in values] + [0] * (N - len(values))


def scaled(plaintext, set_):
    """⌊q m / t⌉ of every coefficient."""
    return [(set_.q * m - centred(set_.q * m, set_.t)) // set_.t for m in plaintext]


def encrypt(set_, secret, plaintext, error, seed):
    """(c0, a'), transformed."""
    a = expand_uniform(seed, set_)
    message = [m + e for m, e in zip(scaled(plaintext, set_), error)]
    masked = times(a, transformed(secret, set_.primes), set_.primes)
    return minus(transformed(message, set_.primes), masked, set_.primes), a


def ciphertext_bytes(seed, c0):
    return seed + pack_polynomial(c0)


def read_ciphertext(payload, set_):
    """(c0, a'), transformed."""
    reader = Reader(payload)
    seed = reader.take(16)
    c0 = read_polynomial(reader, set_.primes)
    reader.end()
    return c0, expand_uniform(seed, set_)


def check_seed(seed, seen):
    refuse_if(seed in seen, "DUPLICATE_ELEMENT", "RLWE-6")


def rounded(values, t, q):
    """⌊t x / q⌉ modulo t (q is odd, so there are no halves)."""
    return [(2 * t * x + q) // (2 * q) % t for x in values]


def decrypt(set_, secret, c0, c1):
    """The plaintext modulo t of a ciphertext modulo q; both components transformed."""
    sum_ = plus(c0, times(c1, transformed(secret, set_.primes), set_.primes), set_.primes)
    coefficients = [untransform(v, p) for v, p in zip(sum_, set_.primes)]
    return rounded(remainder_to_integers(coefficients, set_.primes), set_.t, set_.q)


# Section 5: the answer.

def accumulate(set_, terms):
    """Σ P (c0, a') for terms (P, c0, a'); P as coefficients modulo t."""
    zero = [[0] * N for _ in set_.primes]
    c0, c1 = zero, zero
    for polynomial, b0, b1 in terms:
        if set_.packing == SLOTS:
            polynomial = [centred(v, set_.t) for v in polynomial]
        x = transformed(polynomial, set_.primes)
        c0 = plus(c0, times(x, b0, set_.primes), set_.primes)
        c1 = plus(c1, times(x, b1, set_.primes), set_.primes)
    return c0, c1


def blinded(set_, sums, p0, p1, u, e1, e2, mask, flood):
    """The integer coefficients modulo q of both components, before the modulus is switched.

    `mask` is a plaintext modulo t, `flood` and the errors are integers.
    """
    t_u = transformed(u, set_.primes)
    c0 = plus(sums[0], times(t_u, p0, set_.primes), set_.primes)
    c1 = plus(sums[1], times(t_u, p1, set_.primes), set_.primes)
    added = [m + e + f for m, e, f in zip(scaled(mask, set_), e1, flood)]
    c0 = plus(c0, transformed(added, set_.primes), set_.primes)
    c1 = plus(c1, transformed(e2, set_.primes), set_.primes)
    return [remainder_to_integers([untransform(v, p) for v, p in zip(c, set_.primes)], set_.primes)
            for c in (c0, c1)]


def switched(values, set_):
    """(c - [c]_d) / d modulo the kept primes: one list a prime."""
    d = set_.q // set_.answer_q
    quotients = [(c - centred(c, d)) // d for c in values]
    return [[v % p for v in quotients] for p in set_.answer_primes]


def answer_bytes(set_, c0, c1):
    """The answer on the wire, from components modulo the kept primes."""
    if set_.packing == SLOTS:
        return pack_polynomial(c0) + pack_polynomial(c1)
    return u64be(c0[0][0]) + pack_polynomial(c1)


def answer_length(set_):
    polynomial = len(set_.answer_primes) * PACKED
    return 2 * polynomial if set_.packing == SLOTS else 8 + polynomial


def answer(set_, terms, p0, p1, u, e1, e2, mask, flood):
    sums = accumulate(set_, terms)
    c0, c1 = blinded(set_, sums, p0, p1, u, e1, e2, mask, flood)
    return answer_bytes(set_, switched(c0, set_), switched(c1, set_))


def open_answer(set_, secret, payload):
    """Slots: the slots as integers in [0, t). Coefficients: v, the one value modulo 2^64."""
    primes, reader = set_.answer_primes, Reader(payload)
    if set_.packing == SLOTS:
        c0 = read_polynomial(reader, primes)
    else:
        first = reader.u64be()
        refuse_if(first >= primes[0], "BAD_ELEMENT", "RLWE-2")
        c0 = [[first] + [0] * (N - 1)]
    c1 = read_polynomial(reader, primes)
    reader.end()
    values = rounded(unrounded(set_, secret, c0, c1), set_.t, set_.answer_q)
    return decode_slots(values, set_) if set_.packing == SLOTS else values[0]


def unrounded(set_, secret, c0, c1):
    """The coefficients of c0 + c1 s modulo the answer's modulus; the components untransformed."""
    primes = set_.answer_primes
    product = [untransform([x * y % p for x, y in zip(transform(c, p), transform(secret, p))], p)
               for c, p in zip(c1, primes)]
    return remainder_to_integers(plus(c0, product, primes), primes)


def opens_to(set_, opened, value):
    """Whether v of a coefficient answer is as near to the value as section 5 says."""
    return abs(centred(opened - value, set_.t)) < OPENING_ERROR


def check_norm(multipliers):
    """RLWE-4: the norm over all multipliers of one answer, with integers: 2^33.5 squared is 2^67."""
    refuse_if(sum(m * m for m in multipliers) > 1 << 67, "NORM_TOO_LARGE", "RLWE-4")


# Section 6: inner products.

def column_plaintext(values):
    """x_0 - Σ x_i X^(N-i)."""
    polynomial = [0] * N
    polynomial[0] = values[0]
    for i, x in enumerate(values[1:], 1):
        polynomial[N - i] = -x
    return polynomial
