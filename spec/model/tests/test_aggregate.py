"""aggregate.py and aggregate_round.py against the definitions: interpolation by hand, plain sums, every loss."""
import itertools
import unittest

import aggregate as a
import aggregate_round as ar
import neighbours
from cases.aggregate_rounds import Round, read_participant, unhex
from conventions import WORD
from draws import fixed
from errors import Refusal

STEPS = (ar.TRANSCRIPT_SIGNATURE, ar.SHARES, ar.MASKED_SUM, ar.AGREED, ar.UNMASK)


class Shamir(unittest.TestCase):
    def test_by_hand(self):
        # 5 + 3x + 2x² at 1, 2, 3; three points of a parabola give f(0) = 3·f(1) − 3·f(2) + f(3).
        shares = {rank: a.share_of([5, 3, 2], rank) for rank in range(3)}
        self.assertEqual([int.from_bytes(s, "little") for s in shares.values()], [10, 19, 32])
        self.assertEqual(a.rebuild(shares), a.scalar(5))

    def test_any_t_shares_give_the_secret(self):
        coefficients = [int.from_bytes(fixed(f"coefficient {i}", 64), "little") % a.ELL for i in range(4)]
        shares = {rank: a.share_of(coefficients, rank) for rank in (0, 1, 4, 7, 1023)}
        for chosen in itertools.combinations(shares, 4):
            self.assertEqual(a.rebuild({r: shares[r] for r in chosen}), a.scalar(coefficients[0]))

    def test_fewer_shares_fit_any_secret(self):
        shares = {rank: a.share_of([5, 3, 2], rank) for rank in (0, 1)}
        # The line through 0 → s and both shares' points is a parabola for every s, so two shares say nothing.
        for secret in (0, 5, 77):
            third = (secret - 3 * 10 + 3 * 19) % a.ELL
            self.assertEqual(a.rebuild({**shares, 2: a.scalar(third)}), a.scalar(secret))

    def test_a_wrong_share_gives_another_secret(self):
        shares = {rank: a.share_of([5, 3, 2], rank) for rank in range(3)}
        self.assertNotEqual(a.rebuild({**shares, 1: a.scalar(20)}), a.scalar(5))


class Values(unittest.TestCase):
    def test_no_sum_wraps(self):
        for codec, clip in ((a.FIXED, 0), (a.FIXED, 44), (a.WIDE, 60), (a.COUNT, 40)):
            for n in (3, 5, 1023, 1024):
                scale = a.check_clip(codec, clip, n)
                for x in {1 << clip, 0 if codec == a.COUNT else -(1 << clip)}:
                    one = a.ring_elements(codec, scale, clip, x)
                    self.assertEqual(a.read_back(codec, scale, [n * e % WORD for e in one]), [n * x])

    def test_rounding_goes_away_from_zero(self):
        self.assertEqual([a.nearest(x) for x in (0.5, -0.5, 1.5, -1.5, 2.4999)], [1, -1, 2, -2, 2])


class Rounds(unittest.TestCase):
    def plain_sum(self, round_, ranks):
        values = {r: read_participant(round_.x, round_.secrets[r]).values for r in ranks}
        rows = [a.encode_values(round_.x.heads, values[r]) for r in ranks]
        return [sum(column) % WORD for column in zip(*rows)]

    def test_the_sum_is_the_survivors_whoever_is_lost_at_whatever_step(self):
        for only in (False, True):
            for rank, step in itertools.product((1, 2, 3), STEPS):
                round_ = Round(4, only=only, lost={rank: step})
                survives = step in (ar.AGREED, ar.UNMASK)
                ranks = [r for r in round_.x.roster if r != rank or survives]
                self.assertEqual(round_.coordinator.u3, ranks)
                self.assertEqual(round_.coordinator.sums, self.plain_sum(round_, ranks))

    def test_two_lost_at_any_steps(self):
        for one, other in itertools.product(STEPS, repeat=2):
            round_ = Round(7, lost={2: one, 5: other})
            self.assertEqual(round_.coordinator.sums, self.plain_sum(round_, round_.coordinator.u3))

    def test_one_more_loss_ends_the_round(self):
        for steps in itertools.product(STEPS, repeat=2):
            with self.assertRaises(Refusal) as caught:
                Round(4, lost=dict(zip((1, 2), steps)))
            self.assertEqual(caught.exception.name, "BELOW_THRESHOLD")

    def test_neighbours(self):
        for step in STEPS:
            round_ = Round(9, k=4, lost={4: step})
            self.assertEqual(round_.coordinator.sums, self.plain_sum(round_, round_.coordinator.u3))

    def test_everybody_learns_the_sum_that_goes_to_all(self):
        round_ = Round(3, result="all")
        payloads = {payload for _, _, type_, payload in round_.sent if type_ == ar.SUM}
        self.assertEqual(len(payloads), 1)
        self.assertEqual(a.decode_values(payloads.pop(), 3, round_.x.heads, 0), self.plain_sum(round_, [0, 1, 2]))

    def test_no_participant_sends_shares_of_both_kinds(self):
        round_ = Round(4, lost={3: ar.MASKED_SUM})
        for sender, _, type_, payload in round_.sent:
            if type_ == ar.UNMASK:
                kinds = {u: entry[0] for u, entry in a.read_entries(a.Reader(payload), 33, 0).items()}
                self.assertEqual(kinds, {0: 1, 1: 1, 2: 1, 3: 2}, sender)

    def test_no_masked_value_is_plain(self):
        round_ = Round(3)
        for sender, _, type_, payload in round_.sent:
            if type_ == ar.MASKED_SUM:
                elements = a.decode_values(payload, 3, round_.x.heads, sender)
                plain = self.plain_sum(round_, [sender])
                self.assertTrue(all(x != y for x, y in zip(elements, plain)))

    def test_a_shared_mask_secret_is_its_owners(self):
        round_ = Round(3)
        for rank, secret in round_.secrets.items():
            self.assertEqual(a.mask_public(unhex(secret["mask"][0])), round_.x.masks[rank])


class Graph(unittest.TestCase):
    def test_everyone_has_k_neighbours_and_is_theirs(self):
        for size, k in ((10, 4), (51, 18), (52, 20)):
            roster = list(range(3, 3 + size))
            graph = a.graph(fixed(f"graph {size}", 32), roster, k)
            for rank, near in graph.items():
                self.assertEqual((len(near), len(set(near)), rank in near), (k, k, False))
                self.assertTrue(all(rank in graph[other] for other in near))

    def test_the_transcript_decides(self):
        graphs = [a.graph(fixed(f"t {i}", 32), list(range(20)), 4) for i in range(2)]
        self.assertNotEqual(*graphs)

    def test_registry_of_neighbours(self):
        self.assertEqual(neighbours.PATH.read_text(), neighbours.document())

    def test_bounds_of_the_registry_hold(self):
        for row in a.NEIGHBOURS:
            opened, short = neighbours.chances(row["from"], row["k"])
            self.assertLessEqual(opened, 2**-40)
            self.assertLessEqual(short, 2**-20)


class Cells(unittest.TestCase):
    def test_merging_keeps_every_row_and_leaves_no_small_cell(self):
        for case in range(40):
            counts = fixed(f"cells {case}", 24)
            good, bad = ([b % 9 if b % 3 else 0 for b in half] for half in (counts[:12], counts[12:]))
            least = case % 3 * 10
            cells = a.merge_small(good, bad, least)
            self.assertEqual(sum(g for _, g, _ in cells), sum(good))
            self.assertEqual(sum(b for _, _, b in cells), sum(bad))
            self.assertGreaterEqual(min(g + b for _, g, b in cells), max(5, least))
            self.assertEqual(cells[0][0], 0)
