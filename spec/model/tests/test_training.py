"""vlr.py from end to end: the integers that parties exchange give the sigmoid and the gradient."""
import math
import unittest

import draws
import ringlwe as r
import vlr
from conventions import Stream

ROWS, PARTIES = 40, 4


def normal(label, count):
    """Fixed values with about the spread of a standard normal distribution."""
    words = Stream(draws.fixed(label, 16)).u64s(12 * count)
    return [sum(words[12 * i:12 * i + 12]) / 2**64 - 6 for i in range(count)]


def sigmoid(s):
    return 1 / (1 + math.exp(-s))


class Evaluation:
    """One evaluation's predictors, shares of the phase, and labels."""

    def __init__(self, set_):
        self.z = [[1.2 * x for x in normal(f"z {p}", ROWS)] for p in range(PARTIES)]
        self.s = [sum(column) for column in zip(*self.z)]
        self.labels = [i * 7 % 3 == 0 for i in range(ROWS)]
        phases = [[vlr.phase(z, set_["P"]) for z in part] for part in self.z]
        to_zero = {q: draws.fixed(f"to zero {q}", 16) for q in range(2, PARTIES)}
        pair = draws.fixed("pair 2 3", 16)
        shares = [vlr.share(phases[2], 2, to_zero[2], {3: pair}), vlr.share(phases[3], 3, to_zero[3], {2: pair})]
        self.alpha, self.beta = vlr.alpha(phases[1], shares), vlr.beta(phases[0], to_zero.values())

    def slots(self, set_, k):
        """[(basis, multipliers)] of the cosines and of the sines."""
        return list(zip(vlr.basis(set_, k, self.beta), vlr.multipliers(set_, k, self.alpha)))


def residual(set_, evaluation, y, masks):
    zero = [vlr.residual_share_of_zero(v, set_["f_x"], label) for v, label in zip(y, evaluation.labels)]
    one = [vlr.residual_share_of_one(v, set_["f_x"]) for v in masks]
    return zero, one


class Sigmoid(unittest.TestCase):
    def shares(self, sine_set):
        set_ = vlr.sine_sets()[sine_set]
        t = r.SETS[set_["set"]].t
        evaluation = Evaluation(set_)
        self.assertLess(max(map(abs, evaluation.s)), set_["R"])
        pairs = [p for k in range(1, set_["K"] + 1) for p in evaluation.slots(set_, k)]
        terms = [[(b[i], m[i]) for b, m in pairs] for i in range(ROWS)]
        masks = [int.from_bytes(draws.fixed(f"r {i}", 16), "big") % t for i in range(ROWS)]
        return set_, evaluation, residual(set_, evaluation, vlr.masked_sums(terms, masks, t), masks)

    def errors(self, evaluation, shares):
        for s, label, zero, one in zip(evaluation.s, evaluation.labels, *shares):
            yield vlr.centred(zero - one, 64) / 2**20 - (sigmoid(s) - label)

    def test_fine_set(self):
        set_, evaluation, shares = self.shares(0x0308)
        # One unit of truncation, the series, and the rounding of 2K multipliers and basis values.
        bound = 2**-20 + set_["error"] + 2 * set_["K"] * (2**-25 + 2**-22)
        self.assertLess(max(map(abs, self.errors(evaluation, shares))), bound)

    def test_coarse_set(self):
        set_, evaluation, shares = self.shares(0x0108)
        bound = 2**-20 + set_["error"] + 2 * set_["K"] * (2**-13 + 2**-11)
        self.assertLess(max(map(abs, self.errors(evaluation, shares))), bound)

    def test_gradient(self):
        _, evaluation, (zero, one) = self.shares(0x0308)
        x = normal("a column", ROWS)
        column = vlr.quantised_column(x)
        vlr.check_column(column)
        masks = Stream(b"masks of columns").u64s(2)
        halves = [vlr.unmasked(vlr.opened(vlr.masked_sum(column, share, m)), m) << vlr.DROPPED
                  for share, m in zip((zero, one), masks)]
        true = sum(v * (sigmoid(s) - y) for v, s, y in zip(x, evaluation.s, evaluation.labels))
        for pair in (halves, (vlr.own_half(column, zero), halves[1]), (halves[0], vlr.own_half(column, one))):
            sum_ = vlr.column_sum(*pair)
            self.assertLess(abs(sum_ / 2**42 - true), 2 * 2**-16 + sum(map(abs, x)) * 2**-17)
            self.assertFalse(vlr.leaves_bound(sum_, column))

    def test_halves_under_the_error_of_an_opening(self):
        column, share = vlr.quantised_column(normal("a column", ROWS)), Stream(b"shares of a row.").u64s(ROWS)
        exact = vlr.masked_sum(column, share, 0)
        for mask in (0, 1, 1 << 26, (1 << 26) - 1, (1 << 64) - 1, -exact, -exact + (1 << 26) - 1):
            for error in (1 - r.OPENING_ERROR, -1, 0, 1, r.OPENING_ERROR - 1):
                v = (vlr.masked_sum(column, share, mask) + error) % vlr.WORD
                half = vlr.unmasked(vlr.opened(v), mask % vlr.WORD) << vlr.DROPPED
                self.assertLess(abs(vlr.centred(half - exact, 64)), 2 << vlr.DROPPED)

    def test_wrapped_row_leaves_the_bound(self):
        # A mask at the edge of t: one row wraps, and the column's sum says so.
        set_ = vlr.sine_sets()[0x0308]
        zero, one = residual(set_, type("E", (), {"labels": [0]}), [5], [r.S.t - 5])
        self.assertTrue(vlr.leaves_bound(vlr.column_sum(*(vlr.own_half([1 << 20], s) for s in (zero, one))), [1 << 20]))


class Encrypted(unittest.TestCase):
    def test_coarse_evaluation_through_ciphertexts(self):
        """Section 4 and 5 as they travel: every message is written and read."""
        set_ = vlr.sine_sets()[0x0108]
        parameters, evaluation = r.SETS[set_["set"]], Evaluation(set_)
        secret = draws.ternary(b"the owner secret")
        p1 = r.public_uniform(bytes(32), parameters, 0, 7)
        p0 = r.read_public_key(r.pack_polynomial(
            r.public_key(parameters, p1, secret, draws.binomial(b"the key's errors"))), parameters)
        terms = []
        for k in range(1, set_["K"] + 1):
            for part, (basis, multipliers) in enumerate(evaluation.slots(set_, k)):
                seed = draws.fixed(f"seed {k} {part}", 16)
                c0, _ = r.encrypt(parameters, secret, r.encode_slots(basis, parameters), draws.binomial(seed), seed)
                received = r.read_ciphertext(r.ciphertext_bytes(seed, c0), parameters)
                terms.append((r.encode_slots(multipliers, parameters), *received))
        masks = r.remainder_to_integers(draws.residues(b"masks in slots..", parameters.t_primes), parameters.t_primes)
        wire = r.answer(parameters, terms, p0, p1, draws.ternary(b"the ternary u  u"),
                        draws.binomial(b"the second error"),
                        draws.binomial(b"the third errors"), r.encode_slots(masks, parameters),
                        draws.flood(b"the flood itself", parameters.flood))
        y = r.open_answer(parameters, secret, wire)
        self.assertEqual(y[ROWS:], masks[ROWS:])
        zero, one = residual(set_, evaluation, y[:ROWS], masks[:ROWS])
        for s, label, a, b in zip(evaluation.s, evaluation.labels, zero, one):
            self.assertLess(abs(vlr.centred(a - b, 64) / 2**20 - (sigmoid(s) - label)), 0.01)


    def test_halves_through_ciphertexts(self):
        """Section 6 as it travels: a column over two blocks, both owners."""
        rows = r.N + ROWS
        column = vlr.quantised_column([w / 2**62 - 2 for w in Stream(b"values of column").u64s(rows)])
        r.check_norm(column)
        one = [w >> 17 for w in Stream(b"rank one's share").u64s(rows)]
        residuals = [w % (1 << 21) - (1 << 20) for w in Stream(b"the residuals  r").u64s(rows)]
        zero = [(a + e) % vlr.WORD for a, e in zip(one, residuals)]
        masks = Stream(b"masks of columns").u64s(2)
        halves = [self.half(owner, column, share, masks[owner]) for owner, share in enumerate((zero, one))]
        own = [vlr.own_half(column, share) for share in (zero, one)]
        for half, exact in zip(halves, own):
            self.assertLess(abs(vlr.centred(half - exact, 64)), 2 << vlr.DROPPED)
        exact = sum(x * e for x, e in zip(column, residuals))
        for pair, units in ((halves, 4), ((own[0], halves[1]), 2), ((halves[0], own[1]), 2)):
            self.assertLess(abs(vlr.column_sum(*pair) - exact), units << vlr.DROPPED)

    def half(self, owner, column, share, mask):
        secret = draws.ternary(draws.fixed(f"secret {owner}", 16))
        p1 = r.public_uniform(bytes(32), r.G, owner, 7)
        p0 = r.public_key(r.G, p1, secret, draws.binomial(draws.fixed(f"key error {owner}", 16)))
        terms = []
        for block in (0, 1):
            rows, seed = slice(block * r.N, (block + 1) * r.N), draws.fixed(f"seed {owner} {block}", 16)
            c0, _ = r.encrypt(r.G, secret, r.encode_plaintext(share[rows], r.G), draws.binomial(seed), seed)
            received = r.read_ciphertext(r.ciphertext_bytes(seed, c0), r.G)
            terms.append((r.column_plaintext(column[rows]), *received))
        wire = r.answer(r.G, terms, p0, p1, draws.ternary(b"the ternary u  u"), draws.binomial(b"the second error"),
                        draws.binomial(b"the third errors"), [mask, *Stream(b"the other masks.").u64s(r.N - 1)],
                        draws.flood(b"the flood itself", r.G.flood))
        self.assertEqual(len(wire), r.answer_length(r.G))
        return vlr.unmasked(vlr.opened(r.open_answer(r.G, secret, wire)), mask) << vlr.DROPPED


class Scalars(unittest.TestCase):
    def test_numbers_of_scalars(self):
        self.assertEqual([len(vlr.scalar_names(e)) for e in range(5)], [3, 7, 21, 15, 19])

    def test_every_pair_is_known_after_every_evaluation(self):
        known = set()
        for e in range(6):
            known |= {(kind, i, j) for kind, i, j in vlr.scalar_names(e)}
            for i in range(e + 1):
                for j in range(e + 1):
                    self.assertIn(("bg", i, j), known)
                    self.assertIn(("bMb", max(i, j), min(i, j)), known)
                    self.assertIn(("gMg", max(i, j), min(i, j)), known)
