"""Offers and confirms of a round (aggregate.md, section 2)."""
import aggregate as a
import aggregate_offer as o
import conventions as c
import envelope
import session as s
from cases import BOOLEAN, COUNT, Kind, TEXT, array, bad, good, hex_of, nothing_or, record
from cases.sessions import text, with_check
from draws import fixed

BANKS = [with_check(f"91440300YY000{i:02}32") for i in range(40, 46)]
COLUMNS = ["age_months", "tax_growth"]
LABEL = c.H("bad: 90 days past due within 12 months".encode()).hex()
OWN = record(versions=array(TEXT), suites=array(COUNT), columns=array(TEXT), label_definition=nothing_or(hex_of(32)),
             rounds=array(COUNT), rows=COUNT, minimum_rows=COUNT, plain_parameters=BOOLEAN, trainers=array(TEXT))


def seed(party):
    return fixed(f"signing key {party}", 32)


def key(party):
    return c.public_key(seed(party)).hex()


def mask_secret(rank):
    return a.scalar(int.from_bytes(fixed(f"mask secret of rank {rank}", 64), "little") % a.ELL)


def sealed(type_, document, party):
    return c.seal_document(type_, text(document), seed(party))


def tensor(name, codec, clip, *shape):
    return {"name": name, "codec": codec, "clip": clip, "shape": list(shape)}


NEWTON = [tensor("gram", "wide", 60, 6), tensor("gradient", "wide", 60, 3), tensor("loss", "wide", 60)]
HISTOGRAM = [tensor("good", "count", 40, 2, 64), tensor("bad", "count", 40, 2, 64)]
UPDATE = [tensor("layer.weight", "fixed", 20, 4, 2), tensor("layer.bias", "fixed", 20, 4),
          tensor("weight", "count", 40)]
VECTOR = [tensor("values", "fixed", 20, 100)]


def plan(count, **changes):
    return {"stages": ["aggregate"], "algorithm": o.SUM, "round": 3, "coordinator": "participant",
            "threshold": a.threshold(count), "neighbours": 0, "statistic": "newton",
            "parameters": c.H(envelope.encode(3, [])).hex(), "result": "coordinator", "tensors": NEWTON,
            "columns": COLUMNS, "split": "none", "missing": "error", "label_definition": LABEL, **changes}


def offer(parties, plan_, **changes):
    first = {"party": parties[0], "ephemeral": s.ephemeral_public(fixed("ephemeral 0", 32)).hex()}
    if plan_["coordinator"] == "participant":
        first["mask"] = a.mask_public(mask_secret(0)).hex()
    return {"type": "hefu/offer/1", "versions": ["1.0"], "suites": [1], "session": fixed("session", 16).hex(),
            "job": fixed("job", 16).hex(), "nonce": fixed("offer nonce", 32).hex(),
            "parties": [first, *({"party": p, "dataset": "loans"} for p in parties[1:])], "purpose": "origination",
            "outputs": ["model"], "plan": plan_, "limits": {"max_chunk": 1048576, "max_message": 1073741824},
            "extensions": [], **changes}


# Offers.

def run_offer(given):
    rank, count = o.check_offer(given["envelope"].encode(), given["tls_party"], bytes.fromhex(given["tls_party_key"]),
                                given["own_party"], given["own"])
    return {"rank": rank, "participants": count}


def offer_given(parties=BANKS[:3], own=None, count=None, **changes):
    count = count or len(parties) - (changes.get("coordinator") == "only")
    document = offer(parties, plan(count, **changes))
    return {"envelope": sealed(s.OFFER, document, parties[0]).decode(), "tls_party": parties[0],
            "tls_party_key": key(parties[0]), "own_party": parties[1],
            "own": {"versions": ["1.0"], "suites": [1], "columns": ["id", *COLUMNS], "label_definition": LABEL,
                    "rounds": [0, 1, 2], "rows": 600, "minimum_rows": 300, "plain_parameters": False,
                    "trainers": ["credit-net"], **(own or {})}}


def offer_cases():
    no_label = {"label_definition": None}
    averages = {"statistic": "update", "tensors": UPDATE, "trainer": "credit-net", "epochs": 2, "proximal": 0.0}
    yield good("newton", "Three participants", "AGG-1 AGG-3 AGG-6", offer_given())
    yield good("only", "A coordinator that does not participate", "AGG-1 AGG-3",
               offer_given(BANKS[:4], coordinator="only"))
    yield good("histogram", "Counts", "AGG-6",
               offer_given(algorithm=o.HISTOGRAM, statistic="histogram", tensors=HISTOGRAM))
    yield good("deviations", "A statistic without a label: nobody's label definition matters", "AGG-7",
               offer_given(own=no_label, statistic="deviations", tensors=[tensor("square", "wide", 60, 2)]))
    yield good("update", "An average of models under masks", "POOL-5", offer_given(**averages))
    yield good("vector", "A stored vector", "AGG-6", offer_given(statistic="vector", tensors=VECTOR))
    yield good("mean", "A plain mean, permitted", "AGG-24",
               offer_given(own={"plain_parameters": True}, algorithm=o.MEAN, **averages))
    yield from bad_participants()
    yield from bad_plans(averages)
    yield from bad_data(averages)


def bad_participants():
    yield bad("two", "Two participants", "AGG-1", offer_given(BANKS[:2]), "TOO_FEW_PARTICIPANTS")
    yield bad("two_only", "Three parties, of which one only coordinates", "AGG-1", offer_given(coordinator="only"),
              "TOO_FEW_PARTICIPANTS")
    yield bad("twice", "Another party twice", "AGG-2", offer_given([*BANKS[:3], BANKS[2]]), "DUPLICATE_PARTICIPANT")
    yield bad("coordinator_twice", "The coordinator is also rank 3", "AGG-2", offer_given([*BANKS[:3], BANKS[0]]),
              "DUPLICATE_PARTICIPANT")
    for name, t in (("low", 3), ("high", 5)):
        yield bad(f"threshold_{name}", f"Threshold {t} of five", "AGG-3", offer_given(BANKS[:5], threshold=t),
                  "UNSUPPORTED_PLAN")
    yield bad("threshold_only", "A threshold that counts the coordinator, which is none of the participants", "AGG-3",
              offer_given(BANKS[:6], coordinator="only", count=6), "UNSUPPORTED_PLAN")
    yield bad("round_again", "The last round once more", "AGG-4", offer_given(round=2), "STALE_ROUND")
    yield bad("round_before", "A round before the last one", "AGG-4", offer_given(own={"rounds": [7, 3]}, round=5),
              "STALE_ROUND")


def bad_plans(averages):
    def unsupported(name, title, clause="AGG-6", **changes):
        return bad(name, title, clause, offer_given(**changes), "UNSUPPORTED_PLAN")

    yield unsupported("algorithm", "An unknown algorithm", "SESS-11", algorithm="aggregate-sum-9")
    yield unsupported("stages", "Another stage beside it", "SESS-11", stages=["align", "aggregate"])
    yield unsupported("statistic", "An unknown statistic", statistic="row")
    yield unsupported("tensor_shape", "A matrix for one column more",
                      tensors=[tensor("gram", "wide", 60, 10), *NEWTON[1:]])
    yield unsupported("tensor_missing", "A tensor is missing", tensors=NEWTON[:2])
    yield unsupported("tensor_more", "A tensor more: the label of each row",
                      tensors=[*NEWTON, tensor("label", "count", 40, 600)])
    yield unsupported("tensor_order", "The tensors in another order", tensors=[NEWTON[1], NEWTON[0], NEWTON[2]])
    yield unsupported("tensor_codec", "Another codec", tensors=[*NEWTON[:2], tensor("loss", "fixed", 10)])
    yield unsupported("histogram", "A histogram of something that is no count", algorithm=o.HISTOGRAM)
    yield unsupported("trainer", "A trainer that the configuration does not list", "POOL-5",
                      **{**averages, "trainer": "another"})
    yield bad("clip", "A clip that leaves a scale below 8", "AGG-9",
              offer_given(statistic="vector", tensors=[tensor("values", "fixed", 53, 100)]), "CLIP_TOO_LARGE")


def bad_data(averages):
    yield bad("label", "Another label definition", "AGG-7",
              offer_given(own={"label_definition": fixed("another", 32).hex()}),
              "LABEL_MISMATCH")
    yield bad("no_label", "A dataset without a label definition", "AGG-7", offer_given(own={"label_definition": None}),
              "LABEL_MISMATCH")
    yield bad("column", "A column that the dataset does not have", "POOL-1", offer_given(columns=["age_months", "kwh"]),
              "MISSING_COLUMN")
    yield bad("rows", "Fewer rows than the configured minimum", "POOL-2", offer_given(own={"rows": 299}),
              "TOO_FEW_ROWS")
    yield bad("mean", "A plain mean that the configuration does not permit", "AGG-24",
              offer_given(algorithm=o.MEAN, **averages), "NOT_ALLOWED")
    yield bad("mean_rows", "A plain mean of a statistic of rows", "AGG-24",
              offer_given(own={"plain_parameters": True}, algorithm=o.MEAN), "NOT_ALLOWED")


# Confirms.

def run_confirms(given):
    confirms = [text_.encode() for text_ in given["confirms"]]
    transcript, roster = o.check_confirms(given["offer"].encode(), confirms, list(map(bytes.fromhex, given["keys"])),
                                          given["rank"], given["own_confirm"].encode(),
                                          bytes.fromhex(given["mask_secret"]))
    return {"transcript": transcript.hex(), "roster": roster}


def confirm(rank, party, offer_envelope, changes=None):
    return sealed(s.CONFIRM, {
        "type": "hefu/confirm/1", "offer": c.H(offer_envelope).hex(), "rank": rank, "party": party,
        "nonce": fixed(f"confirm nonce {rank}", 32).hex(),
        "ephemeral": s.ephemeral_public(fixed(f"ephemeral {rank}", 32)).hex(),
        "mask": a.mask_public(mask_secret(rank)).hex(), "version": "1.0", "suite": 1, "algorithm": o.SUM,
        "allow": fixed(f"allow {rank}", 32).hex(), "schema": fixed(f"schema {rank}", 32).hex(), **(changes or {})},
        party)


def confirms_given(count, absent=(), changed=None, rank=1, **plan_changes):
    """`changed`: members of the last rank's confirm that are other than they should be."""
    parties = BANKS[:count]
    offer_envelope = sealed(s.OFFER, offer(parties, plan(count, **plan_changes)), parties[0])
    confirms = [confirm(r, parties[r], offer_envelope) for r in range(1, count)]
    if changed:
        confirms[-1] = confirm(count - 1, parties[-1], offer_envelope, changed)
    return {"offer": offer_envelope.decode(), "keys": [key(p) for p in parties], "rank": rank,
            "own_confirm": confirms[rank - 1].decode(), "mask_secret": mask_secret(rank).hex(),
            "confirms": ["" if r in absent else text_.decode() for r, text_ in enumerate(confirms, 1)]}


def confirms_cases():
    yield good("three", "Everybody confirmed", "AGG-5", confirms_given(3))
    yield good("absent", "Rank 2 of four is absent", "AGG-3", confirms_given(4, absent=(2,)))
    yield bad("below", "Three of five are fewer than the threshold of four", "AGG-3", confirms_given(5, absent=(2, 4)),
              "BELOW_THRESHOLD")
    yield bad("offer", "Rank 2 was shown another offer", "AGG-5",
              confirms_given(3, changed={"offer": fixed("b", 32).hex()}),
              "ROSTER_MISMATCH", 0)
    own = confirms_given(3)
    own["own_confirm"] = own["confirms"][1]
    yield bad("own", "One's own confirm is not the bytes that one sent", "SESS-16", own, "TRANSCRIPT_MISMATCH")
    swapped = confirms_given(4)
    swapped["confirms"][1:] = swapped["confirms"][:0:-1]
    yield bad("swapped", "The confirms of ranks 2 and 3 exchanged", "SESS-15 CONV-4", swapped, "BAD_SIGNATURE")
    yield bad("rank", "Rank 2 signs as rank 3", "SESS-21", confirms_given(3, changed={"rank": 3}), "WRONG_PARTY")
    yield bad("mask", "Rank 2's mask key is of low order", "AGG-8",
              confirms_given(3, changed={"mask": "01" + "00" * 31}),
              "BAD_ELEMENT", 2)
    yield bad("neighbours", "Neighbours among fewer than fifty", "AGG-23", confirms_given(5, neighbours=2),
              "UNSUPPORTED_PLAN")


KINDS = [
    Kind("aggregate_offer",
         "A participant's checks of a round's offer. `own` is what it has: the columns, rows and label definition of "
         "its dataset, the rounds of this job in which it confirmed, and of its configuration the minimum of rows, the "
         "trainers, and whether it permits plain-parameters.",
         record(envelope=TEXT, tls_party=TEXT, tls_party_key=hex_of(32), own_party=TEXT, own=OWN),
         record(rank=COUNT, participants=COUNT), run_offer, offer_cases),
    Kind("aggregate_confirms",
         "A participant's checks of the confirms; an absent rank's is empty. `keys`: the signing keys by rank.",
         record(offer=TEXT, keys=array(hex_of(32)), rank=COUNT, own_confirm=TEXT, mask_secret=hex_of(32),
                confirms=array(TEXT)),
         record(transcript=hex_of(32), roster=array(COUNT)), run_confirms, confirms_cases, blames=True),
]
