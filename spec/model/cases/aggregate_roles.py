"""Both roles of a round, message by message (aggregate.md, sections 4 to 6)."""
import aggregate as a
import aggregate_round as ar
import envelope
import session as s
from cases import BOOLEAN, COUNT, HEX, Kind, TEXT, array, bad, good, record
from cases.aggregate_rounds import (Round, SECRETS, SESSION, TYPES, TYPE_NAMES, read_participant, read_session,
                                    shown_sums, unhex)
from conventions import sign, u16be
from draws import fixed

MESSAGE = record(type=TEXT, payload=HEX)
EVENT = record(("type", "payload", "lost"), rank=COUNT, type=TEXT, payload=HEX, lost=BOOLEAN)


# One participant.

def run_participant(given):
    session = read_session(given["session"])
    participant = read_participant(session, given["own"])
    sent = []
    for message in given["messages"]:
        sent += participant.receive(TYPES[message["type"]], unhex(message["payload"]))
    out = {"sent": [{"type": TYPE_NAMES[t], "payload": p.hex()} for t, p in sent]}
    return {**out, "sums": shown_sums(session, participant.result)} if hasattr(participant, "result") else out


def participant_given(round_, messages, rank=1):
    own = round_.secrets[rank]
    return {"session": round_.session, "own": own,
            "messages": [{"type": TYPE_NAMES[t], "payload": p.hex()} for t, p in messages]}


def participant_cases():
    whole = Round(4, result="all")
    yield good("whole", "Nobody is lost; the sum goes to all", "AGG-12 AGG-13 AGG-17",
               participant_given(whole, whole.received(1)))
    lost = Round(4, lost={3: ar.MASKED_SUM})
    yield good("one_lost", "A share of the lost rank's mask key", "AGG-16 AGG-18",
               participant_given(lost, lost.received(1)))
    early = Round(4, lost={3: ar.TRANSCRIPT_SIGNATURE})
    yield good("one_unsigned", "A rank without a transcript signature is not in U1", "AGG-13",
               participant_given(early, early.received(1)))
    few = Round(4, lost={3: ar.AGREED})
    yield good("one_silent", "A rank of U3 that does not sign: t signatures suffice", "AGG-17",
               participant_given(few, few.received(1)))
    near = Round(9, k=4)
    yield good("neighbours", "Four neighbours: T of their signatures", "AGG-17",
               participant_given(near, near.received(1)))
    yield from bad_neighbours(near)
    yield from bad_rosters(whole)
    yield from bad_lists(whole, early)
    yield from bad_entries(whole)
    yield from bad_survivors(whole, Round(4, lost={3: ar.SHARES}))
    yield from bad_agreements(lost)
    yield from repetitions(whole)


def altered(messages, type_, payload):
    """The messages up to this type, whose payload is another one."""
    before = [t for t, _ in messages].index(type_)
    return [*messages[:before], [type_, payload]]


class Wrong:
    """Builds bad cases of one round's participant 1."""

    def __init__(self, round_):
        self.round, self.messages = round_, round_.received(1)

    def __call__(self, name, title, clause, type_, payload, error, party=None):
        given = participant_given(self.round, altered(self.messages, type_, payload))
        return bad(name, title, clause, given, error, party)

    def payload(self, type_):
        return dict(map(tuple, self.messages))[type_]


def bad_neighbours(near):
    """Rank 1 with four neighbours: T = 4 of these five."""
    wrong, ranks = Wrong(near), near.x.around(1, near.x.roster)
    pairs = [(r, s.sign_transcript(near.seed(r), r, near.x.transcript)) for r in near.x.roster]

    def roster(name, title, chosen, error, party):
        payload = a.entries([(r, sig) for r, sig in pairs if r in chosen])
        return wrong("near_roster_" + name, title, "AGG-16", ar.ROSTER, payload, error, party)

    few = [1, *(r for r in ranks if r != 1)][:3]
    yield roster("few", "Fewer than T of its neighbourhood", few, "BELOW_THRESHOLD", None)
    far = next(r for r in near.x.roster if r not in ranks)
    yield roster("far", "A rank that is no neighbour", [*ranks, far], "ROSTER_MISMATCH", 0)
    entries = [(u, near.entry(u, 1, *near.shares(u, 1))) for u in near.x.graph[1]]
    yield wrong("near_shared_far", "An entry from a rank that is no neighbour", "AGG-14", ar.SHARED,
                a.rank_list(near.x.roster) + a.entries([*entries, (far, near.entry(far, 1, *near.shares(far, 1)))]),
                "MALFORMED_MESSAGE", 0)
    yield wrong("near_agreement_few", "Fewer than T signatures of its neighbourhood", "AGG-17", ar.AGREEMENT,
                a.entries([(r, near.agreed(r, near.x.roster, near.x.roster)) for r in few]), "ROSTER_MISMATCH", 0)


def bad_rosters(whole):
    wrong, x = Wrong(whole), whole.x
    yield wrong("parameters", "Parameters with another digest than the plan's", "AGG-12", ar.PARAMETERS,
                envelope.encode(3, [("mean", 1, 0, [2], [0.5, -2.5])]), "PARAMETERS_MISMATCH")
    signatures = {r: s.sign_transcript(whole.seed(r), r, x.transcript) for r in x.roster}
    other = s.sign_transcript(whole.seed(2), 2, fixed("another transcript", 32))

    def roster(name, title, clause, pairs, error, party=0):
        payload = u16be(len(pairs)) + b"".join(u16be(r) + sig for r, sig in pairs)
        return wrong("roster_" + name, title, clause, ar.ROSTER, payload, error, party)

    pairs = sorted(signatures.items())
    yield roster("transcript", "Rank 2 signed another transcript: it was shown another offer or other confirms",
                 "AGG-13", [*pairs[:2], (2, other), pairs[3]], "ROSTER_MISMATCH")
    yield roster("swapped", "The signatures of ranks 2 and 3 exchanged", "AGG-13",
                 [*pairs[:2], (2, signatures[3]), (3, signatures[2])], "ROSTER_MISMATCH")
    yield roster("without_self", "Without the participant itself", "AGG-16", [pairs[0], *pairs[2:]], "WRONGLY_DROPPED")
    yield roster("few", "Fewer than t ranks", "AGG-16", pairs[:2], "BELOW_THRESHOLD", None)
    yield roster("stranger", "A rank outside U0", "AGG-16", [*pairs, (4, signatures[3])], "ROSTER_MISMATCH")
    yield roster("order", "Not ascending", "AGG-14", [pairs[1], pairs[0], *pairs[2:]], "MALFORMED_MESSAGE")
    yield roster("twice", "A rank twice", "AGG-14", [*pairs, pairs[3]], "MALFORMED_MESSAGE")
    payload = wrong.payload(ar.ROSTER)
    yield wrong("roster_short", "A byte is missing", "CONV-1", ar.ROSTER, payload[:-1], "MALFORMED_MESSAGE", 0)
    yield wrong("roster_long", "A byte too many", "CONV-1", ar.ROSTER, payload + b"\0", "MALFORMED_MESSAGE", 0)


def bad_lists(whole, early):
    """U2 of SHARED."""
    def shared(name, title, clause, ranks, entries, error, party=0, wrong=Wrong(whole)):
        payload = u16be(len(ranks)) + b"".join(map(u16be, ranks)) + u16be(len(entries))
        payload += b"".join(u16be(u) + e for u, e in entries)
        return wrong("shared_" + name, title, clause, ar.SHARED, payload, error, party)

    entries = [(u, whole.entry(u, 1, *whole.shares(u, 1))) for u in (0, 2, 3)]
    yield shared("without_self", "U2 without the participant itself", "AGG-16", [0, 2, 3], entries, "WRONGLY_DROPPED")
    yield shared("few", "U2 of fewer than t ranks", "AGG-16", [0, 1], entries[:1], "BELOW_THRESHOLD", None)
    late = [(u, early.entry(u, 1, *early.shares(u, 1))) for u in (0, 2, 3)]
    yield shared("beyond", "A rank of U2 that was not in U1", "AGG-16", [0, 1, 2, 3], late, "ROSTER_MISMATCH",
                 wrong=Wrong(early))
    yield shared("order", "U2 is not ascending", "AGG-14", [1, 0, 2, 3], entries, "MALFORMED_MESSAGE")
    yield shared("entry_missing", "No entry from a rank of U2", "AGG-14", [0, 1, 2, 3], entries[:2],
                 "MALFORMED_MESSAGE")
    yield shared("entry_extra", "An entry from a rank outside U2", "AGG-14", [0, 1, 2], entries, "MALFORMED_MESSAGE")
    yield shared("entry_order", "Entries that are not ascending", "AGG-14", [0, 1, 2, 3],
                 [entries[1], entries[0], entries[2]], "MALFORMED_MESSAGE")
    yield shared("entry_short", "A byte is missing", "CONV-1", [0, 1, 2, 3], [*entries[:2], (3, entries[2][1][:-1])],
                 "MALFORMED_MESSAGE")


def bad_entries(whole):
    """The entry of rank 2 for rank 1."""
    wrong, (share_b, share_s) = Wrong(whole), whole.shares(2, 1)
    payload, good_entry = wrong.payload(ar.SHARED), whole.entry(2, 1, share_b, share_s)

    def entry(name, title, error, party, changed):
        assert payload.count(good_entry) == 1 and len(changed) == len(good_entry)
        return wrong("entry_" + name, title, "AGG-28", ar.SHARED, payload.replace(good_entry, changed), error, party)

    flipped = bytearray(good_entry)
    flipped[7] ^= 1
    yield entry("altered", "A sealed byte differs from what rank 2 signed", "BAD_SIGNATURE", 0, bytes(flipped))
    yield entry("of_another", "Rank 2's entry for rank 3", "BAD_SIGNATURE", 0, whole.entry(2, 3, *whole.shares(2, 3)))
    yield entry("transcript", "Signed over another transcript", "BAD_SIGNATURE", 0,
                good_entry[:144] + sign(whole.seed(2), a.entry_text(bytes(32), 2, 1, good_entry)))
    yield entry("seal", "Rank 2 signed what does not open", "BAD_SHARE", 2,
                whole.entry(2, 1, share_b, share_s, pair=bytes(32)))
    yield entry("direction", "Sealed under the key of the other direction", "BAD_SHARE", 2,
                whole.entry(2, 1, share_b, share_s, sealed_for=(1, 2)))
    yield entry("self_mask", "The share of b is not the one that B commits to", "BAD_SHARE", 2,
                whole.entry(2, 1, share_b, share_s, b=share_s))
    yield entry("mask", "The share of s is not the one that S commits to", "BAD_SHARE", 2,
                whole.entry(2, 1, share_b, share_s, s=share_b))
    beyond = a.scalar(int.from_bytes(share_b, "little") + a.ELL)
    yield entry("not_canonical", "A share of b that is ℓ too large, and its commitment", "BAD_SHARE", 2,
                whole.entry(2, 1, beyond, share_s))


def bad_survivors(whole, three):
    wrong = Wrong(whole)

    def survivors(name, title, clause, ranks, error, party=0, wrong=wrong):
        payload = u16be(len(ranks)) + b"".join(map(u16be, ranks))
        return wrong("survivors_" + name, title, clause, ar.SURVIVORS, payload, error, party)

    yield survivors("without_self", "U3 without the participant itself, which answered", "AGG-16", [0, 2, 3],
                    "WRONGLY_DROPPED")
    yield survivors("few", "U3 of fewer than t ranks", "AGG-16", [0, 1], "BELOW_THRESHOLD", None)
    yield survivors("beyond", "A rank of U3 that was not in U2", "AGG-16", [0, 1, 2, 3], "ROSTER_MISMATCH",
                    wrong=Wrong(three))
    yield survivors("order", "U3 is not ascending", "AGG-14", [0, 2, 1, 3], "MALFORMED_MESSAGE")
    yield survivors("twice", "A rank twice", "AGG-14", [0, 1, 2, 2], "MALFORMED_MESSAGE")
    yield wrong("survivors_long", "A byte too many", "CONV-1", ar.SURVIVORS, wrong.payload(ar.SURVIVORS) + b"\0",
                "MALFORMED_MESSAGE", 0)


def bad_agreements(lost):
    """Rank 3 was lost before MASKED_SUM: U2 is everyone, U3 is 0, 1, 2."""
    wrong, u2, u3 = Wrong(lost), [0, 1, 2, 3], [0, 1, 2]
    right = [(r, lost.agreed(r, u2, u3)) for r in u3]

    def agreement(name, title, clause, pairs, error, party=0):
        payload = u16be(len(pairs)) + b"".join(u16be(r) + sig for r, sig in pairs)
        return wrong("agreement_" + name, title, clause, ar.AGREEMENT, payload, error, party)

    yield agreement("few", "Fewer than t signatures", "AGG-17", right[:2], "ROSTER_MISMATCH")
    yield agreement("u3", "Rank 2 signed another U3: it was told that rank 3 is alive", "AGG-17",
                    [*right[:2], (2, lost.agreed(2, u2, u2))], "ROSTER_MISMATCH")
    yield agreement("u2", "Rank 2 signed another U2", "AGG-17", [*right[:2], (2, lost.agreed(2, u3, u3))],
                    "ROSTER_MISMATCH")
    yield agreement("lost", "A signature of a rank outside U3", "AGG-14", [*right, (3, lost.agreed(3, u2, u3))],
                    "MALFORMED_MESSAGE")
    yield agreement("order", "Not ascending", "AGG-14", [right[1], right[0], right[2]], "MALFORMED_MESSAGE")


def repetitions(whole):
    messages = whole.received(1)

    def again(name, title, count, type_):
        first = messages[:count]
        return bad(name, title, "AGG-18", participant_given(whole, [*first, [type_, dict(map(tuple, first))[type_]]]),
                   "DOUBLE_UNMASK", 0)

    yield again("second_shared", "SHARED twice", 3, ar.SHARED)
    yield again("second_survivors", "SURVIVORS twice", 4, ar.SURVIVORS)
    yield again("second_agreement", "AGREEMENT twice", 5, ar.AGREEMENT)
    yield bad("early_agreement", "AGREEMENT before SURVIVORS", "FRAME-11",
              participant_given(whole, [*messages[:3], messages[4]]), "UNEXPECTED_MESSAGE", 0)
    other = envelope.encode(3, a.cut(whole.x.heads[:2], [0] * 4))
    yield bad("sum_shape", "A sum without a tensor of the plan", "AGG-11",
              participant_given(whole, [*messages[:5], [ar.SUM, other]]), "SHAPE_MISMATCH", 0)


# The coordinator.

def run_coordinator(given):
    session = read_session(given["session"])
    coordinator = ar.Coordinator(session, unhex(given["parameters"]))
    sent = []
    for event in given["events"]:
        if event.get("lost"):
            sent += coordinator.lose(event["rank"])
        else:
            sent += coordinator.receive(event["rank"], TYPES[event["type"]], unhex(event["payload"]))
    out = {"sent": [{"to": to, "type": TYPE_NAMES[t], "payload": p.hex()} for to, t, p in sent]}
    if coordinator.sums is None:
        return out
    return {**out, "survivors": coordinator.u3, "sums": shown_sums(session, coordinator.sums)}


def coordinator_given(round_, events):
    shown = [{"rank": r, "lost": True} if t is None else {"rank": r, "type": TYPE_NAMES[t], "payload": p.hex()}
             for r, t, p in events]
    return {"session": round_.session, "parameters": round_.parameters.hex(), "events": shown}


def coordinator_cases():
    three = Round(3, only=True)
    yield good("whole", "Nobody is lost", "AGG-21", coordinator_given(three, three.events()))
    lost = Round(4, only=True, lost={3: ar.MASKED_SUM}, result="all")
    events = lost.events()
    yield good("one_lost", "Lost after SHARES: its mask key is rebuilt; the sum goes to the others", "AGG-21 AGG-22",
               coordinator_given(lost, events))
    silent = Round(4, only=True, lost={2: ar.UNMASK})
    late = silent.events()
    yield good("one_silent", "Lost after AGREED: its values count; its late UNMASK is ignored", "AGG-21 AGG-22",
               coordinator_given(silent, [*late, [2, ar.UNMASK, b"late"]]))
    yield from below_threshold(three)
    yield from bad_shares(three)
    yield from bad_values(three)
    yield from bad_unmasks(three)
    yield from bad_secrets(three, lost)


def altered_event(events, rank, type_, payload):
    """The events up to this rank's message, whose payload is another one; None: it is lost."""
    at = next(i for i, (r, t, _) in enumerate(events) if (r, t) == (rank, type_))
    return [*events[:at], [rank, type_ if payload is not None else None, payload]]


def below_threshold(three):
    """Of three, t = 3: none may be lost."""
    events = three.events()
    steps = {"confirmed": 0, "shares": ar.SHARES, "masked": ar.MASKED_SUM, "agreed": ar.AGREED, "unmask": ar.UNMASK}
    for name, step in steps.items():
        yield bad(f"few_{name}", "Fewer than t ranks remain", "AGG-21",
                  coordinator_given(three, altered_event(events, 3, step, None)), "BELOW_THRESHOLD")


class WrongEvent:
    """Builds bad cases from rank 2's message of a type."""

    def __init__(self, round_, type_, rank=2):
        self.round, self.type, self.rank, self.events = round_, type_, rank, round_.events()
        self.payload = next(p for r, t, p in self.events if (r, t) == (rank, type_))

    def __call__(self, name, title, clause, payload, error):
        events = altered_event(self.events, self.rank, self.type, payload)
        return bad(name, title, clause, coordinator_given(self.round, events), error, self.rank)


def bad_shares(three):
    signature = WrongEvent(three, ar.TRANSCRIPT_SIGNATURE)
    yield signature("transcript", "A signature over another transcript", "SESS-15",
                    s.sign_transcript(three.seed(2), 2, bytes(32)), "BAD_SIGNATURE")
    wrong = WrongEvent(three, ar.SHARES)
    head, one, other = wrong.payload[:64], wrong.payload[66:276], wrong.payload[276:]
    two = u16be(2)
    yield wrong("shares_order", "Entries that are not ascending", "AGG-14", head + two + other + one,
                "MALFORMED_MESSAGE")
    yield wrong("shares_missing", "No entry for rank 3", "AGG-14", head + u16be(1) + one, "MALFORMED_MESSAGE")
    yield wrong("shares_self", "An entry for its own rank", "AGG-14", head + two + one + two + other[2:],
                "MALFORMED_MESSAGE")
    yield wrong("shares_long", "A byte too many", "CONV-1", wrong.payload + b"\0", "MALFORMED_MESSAGE")
    flipped = bytearray(wrong.payload)
    flipped[70] ^= 1
    yield wrong("shares_signature", "A sealed byte differs from what was signed", "AGG-20", bytes(flipped),
                "BAD_SIGNATURE")


def bad_values(three):
    wrong, x = WrongEvent(three, ar.MASKED_SUM), three.x
    elements = a.joined(envelope.decode(wrong.payload, 3, x.heads))

    def values(name, title, clause, heads, error, round_=3, elements=elements):
        return wrong("masked_" + name, title, clause, envelope.encode(round_, a.cut(heads, elements)), error)

    (first, codec, (scale, clip), _), wide, count = x.heads
    yield values("shape", "Three values where the plan has two", "AGG-11",
                 [(first, codec, (scale, clip), [3]), wide, count],
                 "SHAPE_MISMATCH", elements=[*elements, 0])
    yield values("clip", "Another clip than the plan's", "AGG-11",
                 [(first, codec, (scale, clip + 1), [2]), wide, count],
                 "SHAPE_MISMATCH")
    yield values("scale", "Another scale than the plan's", "AGG-11",
                 [(first, codec, (scale - 1, clip), [2]), wide, count],
                 "SHAPE_MISMATCH")
    yield values("order", "The tensors in another order", "AGG-11", [wide, x.heads[0], count], "SHAPE_MISMATCH")
    yield values("round", "The values of another round", "ENV-4", x.heads, "STALE_ROUND", round_=2)
    yield wrong("masked_digest", "A digest that does not match", "ENV-1", wrong.payload[:-1] + b"\0", "BAD_DIGEST")
    agreed = WrongEvent(three, ar.AGREED)
    yield agreed("agreed_u3", "A signature over another U3", "AGG-20", three.agreed(2, [1, 2, 3], [2, 3]),
                 "BAD_SIGNATURE")
    yield agreed("agreed_long", "A byte too many", "CONV-1", agreed.payload + b"\0", "MALFORMED_MESSAGE")


def bad_unmasks(three):
    wrong = WrongEvent(three, ar.UNMASK)
    body = wrong.payload[2:]
    entries = [body[i:i + 35] for i in (0, 35, 70)]

    def unmask(name, title, clause, parts, error="MALFORMED_MESSAGE"):
        return wrong("unmask_" + name, title, clause, u16be(len(parts)) + b"".join(parts), error)

    other_kind = entries[0][:2] + b"\2" + entries[0][3:]
    yield unmask("kind", "A share of the mask key of a rank that is alive", "AGG-20", [other_kind, *entries[1:]])
    yield unmask("count", "No share of rank 3's", "AGG-20", entries[:2])
    yield unmask("rank", "A share of rank 4, which is not in U2", "AGG-20", [*entries[:2], u16be(4) + entries[2][2:]])
    yield unmask("order", "Not ascending", "AGG-14", [entries[1], entries[0], entries[2]])
    yield unmask("share", "A share that is not the one that B commits to", "AGG-19",
                 [entries[0][:34] + bytes([entries[0][34] ^ 1]), *entries[1:]], "BAD_SHARE")
    own = entries[1][:34] + bytes([entries[1][34] ^ 1])
    yield unmask("own_share", "Its own share is not the one that D commits to", "AGG-19", [entries[0], own, entries[2]],
                 "BAD_SHARE")


def bad_secrets(three, lost):
    """A dealer whose shares are in order and whose secret is not the promised one."""
    events = three.events()
    at = next(i for i, (r, t, _) in enumerate(events) if (r, t) == (2, ar.SHARES))
    changed = [list(event) for event in events]
    changed[at][2] = bytes(32) + events[at][2][32:]
    yield bad("self_mask", "The seed that t shares give is not the one that C commits to", "AGG-19",
              coordinator_given(three, changed), "BAD_SHARE", 2)
    given = coordinator_given(lost, lost.events())
    parties = [dict(p) for p in given["session"]["parties"]]
    parties[3]["mask"] = s.ephemeral_public(fixed("another mask secret", 32)).hex()
    given["session"] = {**given["session"], "parties": parties}
    yield bad("mask", "The mask secret that t shares give is not that of the lost rank's mask key", "AGG-19", given,
              "BAD_SHARE", 3)


KINDS = [
    Kind("aggregate_participant",
         "One participant: what it sends for the messages that reach it, in order. `self_mask` and `mask` are the "
         "coefficients of its two polynomials, the secrets first; `sums` are the sums times 2^scale, where it learns "
         "them.",
         record(session=SESSION, own=SECRETS, messages=array(MESSAGE)),
         record(("sums",), sent=array(MESSAGE), sums=array(array(TEXT))), run_participant, participant_cases,
         blames=True),
    Kind("aggregate_coordinator",
         "A coordinator that does not participate: what it sends for the events that reach it, in order. CONFIRMED "
         "is the transcript signature of the answer to Confirm; `lost` a participant that is gone.",
         record(session=SESSION, parameters=HEX, events=array(EVENT)),
         record(("survivors", "sums"), sent=array(record(to=COUNT, type=TEXT, payload=HEX)), survivors=array(COUNT),
                sums=array(array(TEXT))), run_coordinator, coordinator_cases, blames=True),
]
