"""Whole rounds, and what the cases of both roles are made of (aggregate.md, sections 4 to 6)."""
import aggregate as a
import aggregate_round as ar
import envelope
import session as s
from cases import COUNT, HEX, Kind, TEXT, array, bad, good, hex_of, map_of, record
from cases.aggregate import PLAN_TENSOR, VALUE, number
from conventions import H, f64be, public_key, sign
from draws import fixed

NAMES = {number: name for name, number in vars(ar).items() if name.isupper() and isinstance(number, int)}
TYPES = {"CONFIRMED": ar.TRANSCRIPT_SIGNATURE, **{NAMES[t]: t for t in NAMES if t > 2}}
TYPE_NAMES = {type_: name for name, type_ in TYPES.items()}
SCALARS = array(hex_of(32))
PUBLIC = record(("mask",), rank=COUNT, ephemeral=hex_of(32), mask=hex_of(32), signing_key=hex_of(32))
SESSION = record(transcript=hex_of(32), round=COUNT, participants=COUNT, coordinator=TEXT, neighbours=COUNT,
                 result=TEXT, tensors=array(PLAN_TENSOR), parameters=hex_of(32), parties=array(PUBLIC))
SECRETS = record(("lost", "self_mask", "mask", "values"), rank=COUNT, ephemeral_secret=hex_of(32),
                 signing_seed=hex_of(32), self_mask=SCALARS, mask=SCALARS, values=array(array(VALUE)), lost=TEXT)
TENSORS = [{"name": "update.w", "codec": "fixed", "clip": 4, "shape": [2]},
           {"name": "gram", "codec": "wide", "clip": 60, "shape": [1]},
           {"name": "rows", "codec": "count", "clip": 40, "shape": []}]


# Reading what a vector gives.

def unhex(text):
    return bytes.fromhex(text)


def integers(scalars):
    return [int.from_bytes(unhex(x), "little") for x in scalars]


def heads_of(given):
    return [a.tensor_head(t, given["participants"]) for t in given["tensors"]]


def read_session(given):
    parties = given["parties"]
    column = {name: {p["rank"]: unhex(p[name]) for p in parties if name in p}
              for name in ("ephemeral", "mask", "signing_key")}
    return ar.Session(unhex(given["transcript"]), given["round"], given["participants"], given["neighbours"],
                      given["result"], unhex(given["parameters"]), heads_of(given), column["ephemeral"],
                      column["mask"], column["signing_key"], given["coordinator"] == "only")


def read_participant(session, given):
    values = [[number(x) for x in tensor] for tensor in given["values"]]
    return ar.Participant(session, given["rank"], unhex(given["ephemeral_secret"]), unhex(given["signing_seed"]),
                          integers(given["self_mask"]), integers(given["mask"]), values)


def shown_sums(session, elements):
    """The sums, each times 2^f, as decimal integers; one list a tensor."""
    return [[str(int(x * (1 << head[2][0]))) for x in sums]
            for head, sums in zip(session.heads, a.read_sums(session.heads, elements))]


# Making what a vector gives.

class Round:
    """A session with secrets for every rank, and the messages of its honest run."""

    def __init__(self, n, k=0, only=False, result="coordinator", lost=(), absent=(), label="", run=True):
        self.lost, self.label = dict(lost), label or f"round of {n}"
        ranks = [r for r in range(only, n + only) if r not in absent]
        t = a.sharing_threshold(a.threshold(n), k)
        self.parameters = envelope.encode(3, [("mean", 1, 0, [2], [0.5, -2.0])])
        self.secrets = {r: self.secret(r, t) for r in ranks}
        every = {0, *ranks}
        self.session = {
            "transcript": fixed(f"transcript {self.label}", 32).hex(), "round": 3, "participants": n,
            "coordinator": "only" if only else "participant", "neighbours": k, "result": result, "tensors": TENSORS,
            "parameters": H(self.parameters).hex(), "parties": [self.public(r, r in ranks) for r in sorted(every)]}
        self.x = read_session(self.session)
        if run:
            self.run()

    def seed(self, rank):
        return fixed(f"signing key of rank {rank}", 32)

    def ephemeral(self, rank):
        return fixed(f"ephemeral {self.label} {rank}", 32)

    def secret(self, rank, t):
        def scalars(name):
            wide = [fixed(f"{name} {self.label} {rank} {i}", 64) for i in range(t)]
            return [a.scalar(int.from_bytes(x, "little") % a.ELL).hex() for x in wide]

        values = [[f64be(x).hex() for x in (1.5 * rank % 7, -0.1 * rank)], [f64be(-1234.5678e9 * rank).hex()],
                  [str(600 + rank)]]
        return {"rank": rank, "ephemeral_secret": self.ephemeral(rank).hex(), "signing_seed": self.seed(rank).hex(),
                "self_mask": scalars("b"), "mask": scalars("s"), "values": values}

    def public(self, rank, participates):
        out = {"rank": rank, "ephemeral": s.ephemeral_public(self.ephemeral(rank)).hex()}
        if participates:
            out["mask"] = a.mask_public(unhex(self.secrets[rank]["mask"][0])).hex()
        return {**out, "signing_key": public_key(self.seed(rank)).hex()}

    def run(self):
        participants = {r: read_participant(self.x, given) for r, given in self.secrets.items()}
        self.sent, self.coordinator = ar.run(self.x, self.parameters, participants, self.lost)

    def received(self, rank):
        """[type, payload] of what rank 0 sends this rank."""
        return [[t, p] for u, v, t, p in self.sent if (u, v) == (0, rank)]

    def events(self):
        """What reaches the coordinator: [rank, type, payload], or [rank, None, None] for a lost rank."""
        steps = (ar.TRANSCRIPT_SIGNATURE, ar.SHARES, ar.MASKED_SUM, ar.AGREED, ar.UNMASK)
        came = {(u, t): p for u, v, t, p in self.sent if v == 0}
        came |= {(r, 0): s.sign_transcript(self.seed(r), r, self.x.transcript) for r in self.x.roster
                 if self.lost.get(r) != 0}
        out, gone = [], set()
        for step in steps:
            for rank in self.x.roster:
                if (rank, step) in came:
                    out.append([rank, step, came[rank, step]])
                elif rank not in gone:
                    gone.add(rank)
                    out.append([rank, None, None])
        return out

    def entry(self, owner, holder, share_b, share_s, **changes):
        """An entry that its owner signed, with whatever is wrong in it."""
        x = self.x
        pair = s.pair_key(x.transcript, self.ephemeral(owner), x.ephemerals[holder])
        sealed = a.seal_shares(changes.get("pair", pair), *changes.get("sealed_for", (owner, holder)), share_b, share_s)
        entry = sealed + a.commitment(1, owner, holder, changes.get("b", share_b))
        entry += a.commitment(2, owner, holder, changes.get("s", share_s))
        return entry + sign(self.seed(owner), a.entry_text(x.transcript, owner, holder, entry))

    def shares(self, owner, holder):
        given = self.secrets[owner]
        return tuple(a.share_of(integers(given[name]), holder) for name in ("self_mask", "mask"))

    def agreed(self, rank, u2, u3):
        return sign(self.seed(rank), a.survivors_text(self.x.transcript, rank, u2, u3))


# Whole rounds.

def run_round(given):
    rounds = given["parties"]
    parameters = unhex(given["parameters"])
    public = [{"rank": p["rank"], "ephemeral": s.ephemeral_public(unhex(p["ephemeral_secret"])).hex(),
               "signing_key": public_key(unhex(p["signing_seed"])).hex()} for p in rounds]
    for shown, p in zip(public, rounds):
        if "mask" in p:
            shown["mask"] = a.mask_public(unhex(p["mask"][0])).hex()
    session = read_session({**given, "parties": public, "parameters": H(parameters).hex()})
    participants = {p["rank"]: read_participant(session, p) for p in rounds if "mask" in p}
    lost = {p["rank"]: TYPES[p["lost"]] for p in rounds if "lost" in p}
    sent, coordinator = ar.run(session, parameters, participants, lost)
    messages = {}
    for sender, receiver, type_, payload in sorted(sent, key=lambda m: (m[2], m[0], m[1])):
        messages.setdefault(TYPE_NAMES[type_], {})[str(max(sender, receiver))] = H(payload).hex()
    return {"u1": coordinator.u1, "u2": coordinator.u2, "u3": coordinator.u3, "messages": messages,
            "sums": shown_sums(session, coordinator.sums)}


def round_given(round_):
    x = round_.session
    parties = []
    for party in x["parties"]:
        rank = party["rank"]
        own = round_.secrets.get(rank) or {"rank": rank, "ephemeral_secret": round_.ephemeral(rank).hex(),
                                           "signing_seed": round_.seed(rank).hex()}
        lost = {"lost": TYPE_NAMES[round_.lost[rank]]} if rank in round_.lost else {}
        parties.append({**own, **lost})
    return {**{name: x[name] for name in ("transcript", "round", "participants", "coordinator", "neighbours", "result",
                                          "tensors")}, "parameters": round_.parameters.hex(), "parties": parties}


def round_cases():
    def case(file, title, *given, **more):
        return good(file, title, "AGG-21", round_given(Round(*given, **more)))

    yield case("three", "Three participants, rank 0 among them; the sum goes to all", 3, result="all")
    yield case("only", "Three participants under a coordinator that is none", 3, only=True)
    yield case("five", "Five, one lost before MASKED_SUM", 5, lost={2: ar.MASKED_SUM})
    yield case("seven", "Seven, one lost before MASKED_SUM, one before UNMASK", 7,
               lost={2: ar.MASKED_SUM, 5: ar.UNMASK})
    yield case("seven_early", "Seven under a coordinator that is none: one absent, one lost before SHARES", 7,
               only=True, absent=(3,), lost={6: ar.SHARES})
    yield case("seven_late", "Seven, one without a transcript signature, one lost before AGREED", 7,
               lost={1: ar.TRANSCRIPT_SIGNATURE, 4: ar.AGREED})
    def below(file, title, *given, **more):
        return bad(file, title, "AGG-21", round_given(Round(*given, run=False, **more)), "BELOW_THRESHOLD")

    yield below("five", "Five, two lost at different steps: three are fewer than t = 4", 5,
                lost={2: ar.SHARES, 4: ar.MASKED_SUM})
    near = [r for r in Round(9, k=4, run=False).x.graph[5] if r != 0]
    yield below("neighbourhood", "Nine with four neighbours each: t remain, but not T of rank 5's neighbourhood", 9,
                k=4, lost=dict.fromkeys(near[:2], ar.MASKED_SUM))
    yield case("neighbours", "Nine with four neighbours each (fewer than AGG-23 allows), one lost before MASKED_SUM", 9,
               k=4, lost={4: ar.MASKED_SUM})


KINDS = [
    Kind("aggregate_round",
         "A whole round from everybody's secrets. `lost` is the first message that a participant no longer sends. "
         "`messages`: by type and by the participant's rank, the payload's SHA-256; rank 0's own do not travel.",
         record(transcript=hex_of(32), round=COUNT, participants=COUNT, coordinator=TEXT, neighbours=COUNT, result=TEXT,
                tensors=array(PLAN_TENSOR), parameters=HEX, parties=array(SECRETS)),
         record(u1=array(COUNT), u2=array(COUNT), u3=array(COUNT), messages=map_of(map_of(hex_of(32))),
                sums=array(array(TEXT))), run_round, round_cases),
]
