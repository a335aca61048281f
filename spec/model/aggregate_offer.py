"""aggregate.md, section 2: what a participant checks of an offer and of the confirms of a round."""
import aggregate
import pooled
import session
from conventions import H
from errors import refuse_if

SUM, HISTOGRAM, MEAN = "aggregate-sum-1", "aggregate-histogram-1", "aggregate-mean-1"
STAGES = ["aggregate"]


def participant_ranks(offer):
    """The ranks of the offer that contribute, absent ones included."""
    first = 1 if offer["plan"]["coordinator"] == "only" else 0
    return list(range(first, len(offer["parties"])))


def check_offer(envelope, tls_party, tls_party_key, own_party, own):
    """A participant's checks up to its own [[allow]] entries: (rank, N).

    `own`: versions, suites, columns, label_definition, rows, minimum_rows, trainers of its configuration and data; the
    rounds of this job in which it confirmed; whether plain-parameters is permitted to the coordinator."""
    offer, rank, _, _ = session.check_offer_head(envelope, tls_party, tls_party_key, own_party, own["versions"],
                                                 own["suites"])
    parties, plan = [party["party"] for party in offer["parties"]], offer["plan"]
    refuse_if(len(set(parties)) != len(parties), "DUPLICATE_PARTICIPANT", "AGG-2")
    known = plan["stages"] == STAGES and plan["algorithm"] in (SUM, HISTOGRAM, MEAN)
    refuse_if(not known, "UNSUPPORTED_PLAN", "SESS-11")
    count = len(participant_ranks(offer))
    refuse_if(count < 3, "TOO_FEW_PARTICIPANTS", "AGG-1")
    refuse_if(plan["threshold"] != aggregate.threshold(count), "UNSUPPORTED_PLAN", "AGG-3")
    refuse_if(any(plan["round"] <= before for before in own["rounds"]), "STALE_ROUND", "AGG-4")
    check_statistic(plan, own)
    for tensor in plan["tensors"]:
        aggregate.tensor_head(tensor, count)
    return rank, count


def check_statistic(plan, own):
    """What the statistic asks of the plan, of one's data and of one's configuration."""
    statistic = plan["statistic"]
    pooled.check_tensors(plan)
    only_counts = all(tensor["codec"] == "count" for tensor in plan["tensors"])
    refuse_if(plan["algorithm"] == HISTOGRAM and not only_counts, "UNSUPPORTED_PLAN", "AGG-6")
    if plan["algorithm"] == MEAN:
        refuse_if(pooled.of_rows(statistic) or not own["plain_parameters"], "NOT_ALLOWED", "AGG-24")
    if pooled.of_rows(statistic):
        missing = any(name not in own["columns"] for name in plan["columns"])
        refuse_if(missing, "MISSING_COLUMN", "POOL-1")
        refuse_if(own["rows"] < own["minimum_rows"], "TOO_FEW_ROWS", "POOL-2")
    if statistic in pooled.USES_LABEL:
        refuse_if(plan["label_definition"] != own["label_definition"], "LABEL_MISMATCH", "AGG-7")
    if statistic == "update":
        refuse_if(plan["trainer"] not in own["trainers"], "UNSUPPORTED_PLAN", "POOL-5")


def check_confirms(offer_envelope, confirm_envelopes, keys, own, own_confirm, own_mask_secret):
    """A participant's checks of `Confirm`; "" stands for an absent rank: (transcript, roster).

    `keys` are the signing keys of the trusted descriptors, by rank."""
    offer = session.read_signed(offer_envelope, session.OFFER, keys[0])
    refuse_if(confirm_envelopes[own - 1] != own_confirm, "TRANSCRIPT_MISMATCH", "SESS-16")
    masks = {0: offer["parties"][0].get("mask")}
    for rank, text in enumerate(confirm_envelopes, 1):
        if not text:
            continue
        confirm = session.read_signed(text, session.CONFIRM, keys[rank])
        named = (confirm["rank"], confirm["party"])
        refuse_if(named != (rank, offer["parties"][rank]["party"]), "WRONG_PARTY", "SESS-21")
        refuse_if(confirm["offer"] != H(offer_envelope).hex(), "ROSTER_MISMATCH", "AGG-5", 0)
        masks[rank] = confirm["mask"]
    plan = offer["plan"]
    roster = [r for r in participant_ranks(offer) if r in masks]
    refuse_if(len(roster) < 3, "TOO_FEW_PARTICIPANTS", "AGG-1")
    refuse_if(len(roster) < plan["threshold"], "BELOW_THRESHOLD", "AGG-3")
    aggregate.check_neighbours(len(roster), plan["neighbours"])
    for rank in roster:
        if rank != own:
            aggregate.agree_masks(own_mask_secret, bytes.fromhex(masks[rank]), rank)
    return session.transcript(offer_envelope, confirm_envelopes), roster
