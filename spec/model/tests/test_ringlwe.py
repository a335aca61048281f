"""ringlwe.py against the definitions: evaluation by Horner, schoolbook products, exact rounding."""
import unittest
from fractions import Fraction

import draws
import ringlwe as r


def prime(n):
    """Miller-Rabin with the bases that decide every n below 3.3 * 10^24."""
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
        x = pow(base, odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def schoolbook(sparse, values):
    """A sparse polynomial {exponent: coefficient} times a dense one, modulo X^N + 1."""
    out = [0] * r.N
    for shift, c in sparse.items():
        for i, v in enumerate(values):
            j = i + shift
            out[j % r.N] += -c * v if j >= r.N else c * v
    return out


class Parameters(unittest.TestCase):
    def test_primes_are_the_largest_of_their_kind(self):
        def largest(bits, step, count):
            found, n = [], (1 << bits) + 1 - step
            while len(found) < count:
                if prime(n):
                    found.append(n)
                n -= step
            return tuple(found)

        self.assertEqual(largest(50, 1 << 16, 4), r.Q)
        self.assertEqual(largest(36, 2 * r.N, 2), (r.T0, r.T1))
        self.assertEqual(largest(48, 2 * r.N, 1), (r.T_COARSE,))

    def test_lane_order_is_a_permutation(self):
        self.assertEqual(sorted(r.LANE), list(range(r.N)))
        self.assertEqual([r.lane_index(p) for p in (0, 1, 8, 9, 8191)], [0, 1024, 1, 1025, 8191])


class Transform(unittest.TestCase):
    def test_values_are_those_at_the_stated_points(self):
        for p in (*r.Q, r.T0, r.T1, r.T_COARSE):
            values = draws.residues(b"transform a test", [p])[0]
            transformed = r.transform(values, p)
            for index in (0, 1, 2, 1024, 5000, 8191):
                point, result = pow(r.psi(p), 2 * r.brv(index) + 1, p), 0
                for c in reversed(values):
                    result = (result * point + c) % p
                self.assertEqual(transformed[index], result)
            self.assertEqual(r.untransform(transformed, p), values)

    def test_product_is_negacyclic(self):
        p, sparse = r.Q[0], {0: 3, 1: -5, 4096: 7, 8191: 11}
        dense = draws.residues(b"a dense argument", [p])[0]
        other = [sparse.get(i, 0) for i in range(r.N)]
        product = [x * y % p for x, y in zip(r.transform(dense, p), r.transform(other, p))]
        self.assertEqual(r.untransform(product, p), [v % p for v in schoolbook(sparse, dense)])


class Scheme(unittest.TestCase):
    def test_scaled_message_is_the_nearest_integer(self):
        for set_ in r.SETS.values():
            for m in (0, 1, 2, set_.t // 2, set_.t // 2 + 1, set_.t - 1, 123456789):
                exact = Fraction(set_.q * m, set_.t)
                self.assertLessEqual(abs(r.scaled([m], set_)[0] - exact), Fraction(1, 2))

    def test_column_plaintext_gives_the_inner_product(self):
        y = draws.u64s(b"some block of ys", r.N)
        x = {0: 9, 1: -4, 77: 1 << 40, 8191: -1}
        polynomial = r.column_plaintext([x.get(i, 0) for i in range(r.N)])
        sparse = {i: c for i, c in enumerate(polynomial) if c}
        self.assertEqual(schoolbook(sparse, y)[0], sum(c * y[i] for i, c in x.items()))

    def test_switching_is_division_with_a_small_error(self):
        for set_ in r.SETS.values():
            d = set_.q // set_.answer_q
            values = [0, 1, d // 2, d // 2 + 1, set_.q - 1, set_.q // 3]
            for v, *residues in zip(values, *r.switched(values, set_)):
                whole = r.remainder_to_integers([[x] for x in residues], set_.answer_primes)[0]
                error = Fraction(v, d) - whole
                self.assertLess(min(abs(error), abs(error - set_.answer_q)), Fraction(1, 2))

    def test_packing_is_200_bits_for_four_values(self):
        packed = r.pack([1, 2, 3, (1 << 50) - 1])
        self.assertEqual(int.from_bytes(packed, "little"), 1 + (2 << 50) + (3 << 100) + (((1 << 50) - 1) << 150))

    def test_answers_open_under_the_largest_flood(self):
        # clause: RLWE-3
        for set_ in r.SETS.values():
            for edge in (-(1 << set_.flood), (1 << set_.flood) - 1):
                secret = draws.ternary(b"a secret to test")
                a = r.public_uniform(bytes(32), set_, 0, 0)
                p0 = r.public_key(set_, a, secret, draws.binomial(b"the first errors"))
                mask = r.encode_plaintext([set_.t - 1, 0, 5], set_)
                wire = r.answer(set_, [], p0, a, draws.ternary(b"the ternary u  u"),
                                draws.binomial(b"the second error"),
                                draws.binomial(b"the third errors"), mask, [edge] * r.N)
                opened = r.open_answer(set_, secret, wire)
                if set_.packing == r.SLOTS:
                    self.assertEqual(opened[:4], [set_.t - 1, 0, 5, 0])
                else:
                    self.assertTrue(r.opens_to(set_, opened, set_.t - 1))

    def test_every_coefficient_of_a_coefficient_answer_is_near(self):
        # An answer shows one coefficient; before it is cut, all 8192 obey the same bound.
        secret = draws.ternary(b"a secret to test")
        a = r.public_uniform(bytes(32), r.G, 0, 0)
        p0 = r.public_key(r.G, a, secret, draws.binomial(b"the first errors"))
        mask = draws.u64s(b"a mask over them", r.N)
        c0, c1 = (r.switched(c, r.G) for c in r.blinded(
            r.G, r.accumulate(r.G, []), p0, a, draws.ternary(b"the ternary u  u"), draws.binomial(b"the second error"),
            draws.binomial(b"the third errors"), mask, draws.flood(b"the flood itself", r.G.flood)))
        opened = r.rounded(r.unrounded(r.G, secret, c0, c1), r.G.t, r.G.answer_q)
        for v, m in zip(opened, mask):
            self.assertTrue(r.opens_to(r.G, v, m))
            # The high 38 bits are right within one unit.
            self.assertIn(((v >> 26) - (m >> 26)) % (1 << 38), (0, 1, (1 << 38) - 1))
        self.assertNotEqual(opened, mask)

    def test_the_bound_of_an_opening_is_that_of_rounding(self):
        # Hoeffding: 1 + N rounding residues within a half, times 2^64/q0 each, leave 2^24 with less than 2^-360.
        margin = Fraction(r.OPENING_ERROR * r.G.answer_q, 1 << 64) - 2
        self.assertGreater(2 * margin * margin / (r.N + 1), 250)
