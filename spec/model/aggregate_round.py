"""aggregate.md, sections 4 and 5: the two roles of `aggregate-sum-1` as they receive and answer messages.

Randomness is an argument: a participant's self-mask seed b, mask secret s and both polynomials are given.
"""
from dataclasses import dataclass

import aggregate as a
import envelope
import frame
import session
from conventions import H, sign, u8
from errors import refuse_if

PARAMETERS, ROSTER, SHARES, SHARED, MASKED_SUM, SURVIVORS, AGREED, AGREEMENT, UNMASK, SUM, PLAIN = (
    frame.TYPES[name] for name in ("PARAMETERS", "ROSTER", "SHARES", "SHARED", "MASKED_SUM", "SURVIVORS", "AGREED",
                                   "AGREEMENT", "UNMASK", "SUM", "PLAIN"))
TRANSCRIPT_SIGNATURE = 0  # in place of a type: what the answer to Confirm carries
SELF_MASK, MASK_KEY = 1, 2


@dataclass
class Session:
    """What every party of a confirmed session knows. The dictionaries are by rank of U0."""
    transcript: bytes
    round: int
    participants: int        # N
    neighbours: int          # k
    result: str
    parameters: bytes        # the digest
    heads: list              # the plan's tensors: (name, codec, (scale, clip), shape)
    ephemerals: dict
    masks: dict
    signing: dict
    only: bool = False       # whether rank 0 does not participate; it is in `ephemerals` all the same

    def __post_init__(self):
        self.roster = sorted(self.masks)
        self.t = a.threshold(self.participants)
        self.T = a.sharing_threshold(self.t, self.neighbours)
        self.graph = a.graph(self.transcript, self.roster, self.neighbours)

    def around(self, rank, ranks):
        """A rank and its neighbours, those of them that are in `ranks`."""
        return [r for r in sorted([rank, *self.graph[rank]]) if r in ranks]


class Participant:
    def __init__(self, session_, rank, ephemeral_secret, signing_seed, b, s, values):
        """b and s: the coefficients of the two polynomials, the secrets first; values: a flat list a tensor."""
        self.x, self.rank, self.seed, self.b, self.s = session_, rank, signing_seed, b, s
        self.ephemeral_secret, self.values = ephemeral_secret, values
        self.expected = [PARAMETERS]
        assert len(b) == len(s) == self.x.T

    def pair(self, other):
        return session.pair_key(self.x.transcript, self.ephemeral_secret, self.x.ephemerals[other])

    def receive(self, type_, payload):
        """The messages that this message makes due: (type, payload)."""
        repeated = type_ in (SHARED, SURVIVORS, AGREEMENT) and hasattr(self, f"seen_{type_:x}")
        refuse_if(repeated, "DOUBLE_UNMASK", "AGG-18", 0)
        refuse_if(type_ not in self.expected, "UNEXPECTED_MESSAGE", "FRAME-11", 0)
        setattr(self, f"seen_{type_:x}", True)
        read = {PARAMETERS: self.parameters, ROSTER: self.on_roster, SHARED: self.shared, SURVIVORS: self.survivors,
                AGREEMENT: self.agreement, SUM: self.sum}
        return read[type_](payload)

    def parameters(self, payload):
        refuse_if(H(payload) != self.x.parameters, "PARAMETERS_MISMATCH", "AGG-12")
        self.expected = [ROSTER]
        return []

    def check_set(self, ranks, before):
        """AGG-16 of a list of the coordinator."""
        refuse_if(not set(ranks) <= set(before), "ROSTER_MISMATCH", "AGG-16", 0)
        refuse_if(self.rank not in ranks, "WRONGLY_DROPPED", "AGG-16", 0)

    def on_roster(self, payload):
        signatures = a.read_whole(payload, 0, lambda reader: a.read_entries(reader, 64, 0))
        self.u1 = list(signatures)
        self.check_set(self.u1, self.x.around(self.rank, self.x.roster))
        refuse_if(len(self.u1) < self.x.T, "BELOW_THRESHOLD", "AGG-16")
        for rank, signature in signatures.items():
            a.verify_for(self.x.signing[rank], signature, session.transcript_text(rank, self.x.transcript),
                         "ROSTER_MISMATCH", "AGG-13", 0)
        self.expected = [SHARED]
        return [(SHARES, self.shares())]

    def shares(self):
        own = self.rank
        out = a.self_mask_commitment(self.x.transcript, own, a.scalar(self.b[0]))
        out += a.commitment(1, own, own, a.share_of(self.b, own))
        pairs = [(v, a.make_entry(self.pair(v), self.seed, self.x.transcript, own, v,
                                  a.share_of(self.b, v), a.share_of(self.s, v))) for v in self.u1 if v != own]
        return out + a.entries(pairs)

    def shared(self, payload):
        self.u2, entries = a.read_whole(
            payload, 0, lambda reader: (a.read_ranks(reader, 0), a.read_entries(reader, a.ENTRY, 0)))
        self.check_set(self.u2, self.x.roster)
        self.check_set(self.x.around(self.rank, self.u2), self.u1)
        refuse_if(len(self.u2) < self.x.t, "BELOW_THRESHOLD", "AGG-16")
        self.others = [u for u in self.x.graph[self.rank] if u in self.u2]
        refuse_if(list(entries) != self.others, "MALFORMED_MESSAGE", "AGG-14", 0)
        self.held = {self.rank: (a.share_of(self.b, self.rank), None)}
        for u, entry in entries.items():
            a.verify_for(self.x.signing[u], entry[144:], a.entry_text(self.x.transcript, u, self.rank, entry),
                         "BAD_SIGNATURE", "AGG-28", 0)
        for u, entry in entries.items():
            self.held[u] = a.open_shares(self.pair(u), u, self.rank, entry)
        self.expected = [SURVIVORS]
        return [(MASKED_SUM, self.masked())]

    def masked(self):
        secret = a.scalar(self.s[0])
        keys = {u: a.pair_mask_key(self.x.transcript, a.agree_masks(secret, self.x.masks[u], u), self.rank, u)
                for u in self.others}
        elements = a.masked(a.encode_values(self.x.heads, self.values), self.rank, a.scalar(self.b[0]), keys)
        return envelope.encode(self.x.round, a.cut(self.x.heads, elements))

    def survivors(self, payload):
        self.u3 = a.read_whole(payload, 0, lambda reader: a.read_ranks(reader, 0))
        self.check_set(self.u3, self.u2)
        refuse_if(len(self.u3) < self.x.t, "BELOW_THRESHOLD", "AGG-16")
        self.expected = [AGREEMENT]
        return [(AGREED, sign(self.seed, a.survivors_text(self.x.transcript, self.rank, self.u2, self.u3)))]

    def agreement(self, payload):
        signatures = a.read_whole(payload, 0, lambda reader: a.read_entries(reader, 64, 0))
        allowed = self.x.around(self.rank, self.u3)
        refuse_if(not set(signatures) <= set(allowed), "MALFORMED_MESSAGE", "AGG-14", 0)
        refuse_if(len(signatures) < self.x.T, "ROSTER_MISMATCH", "AGG-17", 0)
        for rank, signature in signatures.items():
            text = a.survivors_text(self.x.transcript, rank, self.u2, self.u3)
            a.verify_for(self.x.signing[rank], signature, text, "ROSTER_MISMATCH", "AGG-17", 0)
        self.expected = [SUM] if self.x.result == "all" else []
        return [(UNMASK, self.unmask())]

    def unmask(self):
        pairs = []
        for u, (share_b, share_s) in self.held.items():
            alive = u in self.u3
            pairs.append((u, u8(SELF_MASK if alive else MASK_KEY) + (share_b if alive else share_s)))
        return a.entries(pairs)

    def sum(self, payload):
        self.result = a.decode_values(payload, self.x.round, self.x.heads, 0)
        self.expected = []
        return []


class Coordinator:
    """Rank 0. `own` is its Participant when it participates; that one's messages do not travel."""

    def __init__(self, session_, parameters, own=None):
        self.x, self.own, self.parameters = session_, own, parameters
        self.step, self.waiting, self.got, self.gone = TRANSCRIPT_SIGNATURE, list(self.x.roster), {}, set()
        self.outbox, self.sums = [], None

    def receive(self, rank, type_, payload):
        """What is sent then: (to, type, payload). Messages of a lost rank are ignored (AGG-22)."""
        if rank in self.gone:
            return []
        refuse_if(type_ != self.step or rank not in self.waiting, "UNEXPECTED_MESSAGE", "FRAME-11", rank)
        check = {TRANSCRIPT_SIGNATURE: self.check_signature, SHARES: self.check_shares, MASKED_SUM: self.check_masked,
                 AGREED: self.check_agreed, UNMASK: self.check_unmask}
        self.got[rank] = check[type_](rank, payload)
        self.waiting.remove(rank)
        return self.go_on()

    def lose(self, rank):
        self.gone.add(rank)
        if rank in self.waiting:
            self.waiting.remove(rank)
        return self.go_on()

    def go_on(self):
        """The next step once nobody is awaited (AGG-21)."""
        if self.waiting:
            return []
        ranks, answers, self.got = sorted(self.got), self.got, {}
        refuse_if(len(ranks) < self.x.t, "BELOW_THRESHOLD", "AGG-21")
        self.outbox = []
        {TRANSCRIPT_SIGNATURE: self.send_roster, SHARES: self.send_shared, MASKED_SUM: self.send_survivors,
         AGREED: self.send_agreement, UNMASK: self.unmask}[self.step](ranks, answers)
        sent, self.outbox = self.outbox, []
        return sent

    def send(self, ranks, type_, payload_of, next_step):
        """One message to each rank that is still there, and the answers of rank 0 to its own."""
        self.step, self.waiting = next_step, [r for r in ranks if r not in self.gone]
        for rank in list(self.waiting):
            if rank != 0:
                self.outbox.append((rank, type_, payload_of(rank)))
        if 0 in ranks:
            for type_, payload in self.own.receive(type_, payload_of(0)):
                self.outbox += self.receive(0, type_, payload)

    def check_neighbourhoods(self, owners, ranks):
        small = any(len(self.x.around(u, ranks)) < self.x.T for u in owners)
        refuse_if(small, "BELOW_THRESHOLD", "AGG-21")

    # Section 4 and step 1.

    def check_signature(self, rank, signature):
        a.verify_for(self.x.signing[rank], signature, session.transcript_text(rank, self.x.transcript),
                     "BAD_SIGNATURE", "SESS-15", rank)
        return signature

    def send_roster(self, ranks, signatures):
        self.u1 = ranks
        self.check_neighbourhoods(ranks, ranks)
        for rank in ranks:
            if rank != 0:
                self.outbox.append((rank, PARAMETERS, self.parameters))
        if 0 in ranks:
            self.own.receive(PARAMETERS, self.parameters)
        self.send(ranks, ROSTER, lambda p: a.entries([(u, signatures[u]) for u in self.x.around(p, ranks)]), SHARES)

    # Step 2.

    def check_shares(self, rank, payload):
        c, d, entries = a.read_whole(payload, rank, lambda reader: (
            reader.take(32), reader.take(32), a.read_entries(reader, a.ENTRY, rank)))
        neighbours = [v for v in self.x.graph[rank] if v in self.u1]
        refuse_if(list(entries) != neighbours, "MALFORMED_MESSAGE", "AGG-14", rank)
        for v, entry in entries.items():
            a.verify_for(self.x.signing[rank], entry[144:], a.entry_text(self.x.transcript, rank, v, entry),
                         "BAD_SIGNATURE", "AGG-20", rank)
        return c, d, entries

    def send_shared(self, ranks, shares):
        self.u2, self.dealt = ranks, shares
        self.check_neighbourhoods(ranks, ranks)

        def payload(p):
            others = [u for u in self.x.graph[p] if u in ranks]
            return a.rank_list(ranks) + a.entries([(u, shares[u][2][p]) for u in others])

        self.send(ranks, SHARED, payload, MASKED_SUM)

    # Steps 3 and 4.

    def check_masked(self, rank, payload):
        return a.decode_values(payload, self.x.round, self.x.heads, rank)

    def send_survivors(self, ranks, values):
        self.u3, self.values = ranks, values
        self.check_neighbourhoods(self.u2, ranks)
        self.send(ranks, SURVIVORS, lambda p: a.rank_list(ranks), AGREED)

    def check_agreed(self, rank, payload):
        a.read_whole(payload, rank, lambda reader: reader.take(64))
        text = a.survivors_text(self.x.transcript, rank, self.u2, self.u3)
        a.verify_for(self.x.signing[rank], payload, text, "BAD_SIGNATURE", "AGG-20", rank)
        return payload

    def send_agreement(self, ranks, signatures):
        self.check_neighbourhoods(self.u2, ranks)
        self.send(ranks, AGREEMENT, lambda p: a.entries([(u, signatures[u]) for u in self.x.around(p, ranks)]), UNMASK)

    # Steps 5 and 6.

    def check_unmask(self, rank, payload):
        entries = a.read_whole(payload, rank, lambda reader: a.read_entries(reader, 33, rank))
        due = {u: u8(SELF_MASK if u in self.u3 else MASK_KEY) for u in self.x.around(rank, self.u2)}
        kinds = {u: entry[:1] for u, entry in entries.items()}
        refuse_if(kinds != due, "MALFORMED_MESSAGE", "AGG-20", rank)
        for u, entry in entries.items():
            kind, share = entry[0], entry[1:]
            promised = self.dealt[u][1] if u == rank else self.dealt[u][2][rank][48 + 32 * kind:80 + 32 * kind]
            right = a.commitment(kind, u, rank, share) == promised and int.from_bytes(share, "little") < a.ELL
            refuse_if(not right, "BAD_SHARE", "AGG-19", rank)
        return {u: entry[1:] for u, entry in entries.items()}

    def rebuild(self, owner, shares):
        held = {rank: own[owner] for rank, own in sorted(shares.items()) if owner in own}
        return a.rebuild(dict(list(held.items())[:self.x.T]))

    def unmask(self, ranks, shares):
        self.check_neighbourhoods(self.u2, ranks)
        total = [sum(column) % a.WORD for column in zip(*self.values.values())]
        for u in self.u2:
            secret = self.rebuild(u, shares)
            if u in self.u3:
                right = a.self_mask_commitment(self.x.transcript, u, secret) == self.dealt[u][0]
                refuse_if(not right, "BAD_SHARE", "AGG-19", u)
                total = a.add_stream(total, a.self_mask_key(secret), -1)
                continue
            refuse_if(a.mask_public(secret) != self.x.masks[u], "BAD_SHARE", "AGG-19", u)
            for v in self.x.graph[u]:
                if v in self.u3:
                    key = a.pair_mask_key(self.x.transcript, a.agree_masks(secret, self.x.masks[v], v), u, v)
                    total = a.add_stream(total, key, -1 if v < u else 1)
        self.sums, self.step = total, None
        if self.x.result == "all":
            payload = envelope.encode(self.x.round, a.cut(self.x.heads, total))
            self.outbox += [(rank, SUM, payload) for rank in ranks if rank != 0]


def run(session_, parameters, participants, lost):
    """A whole round. `lost`: {rank: the type that it no longer sends}.

    Gives every message that travels, (sender, receiver, type, payload), and the coordinator."""
    coordinator = Coordinator(session_, parameters, participants.get(0))
    sent = []

    def deliver(messages):
        for to, type_, payload in messages:
            sent.append((0, to, type_, payload))
        for to, type_, payload in messages:
            for answer_type, answer in participants[to].receive(type_, payload):
                if lost.get(to) == answer_type:
                    deliver(coordinator.lose(to))
                else:
                    sent.append((to, 0, answer_type, answer))
                    deliver(coordinator.receive(to, answer_type, answer))

    for rank in session_.roster:
        if lost.get(rank) == TRANSCRIPT_SIGNATURE:
            deliver(coordinator.lose(rank))
        else:
            signature = session.sign_transcript(participants[rank].seed, rank, session_.transcript)
            deliver(coordinator.receive(rank, TRANSCRIPT_SIGNATURE, signature))
    return sent, coordinator
