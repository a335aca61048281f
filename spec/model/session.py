"""session.md: offer and confirm, the selection function, the transcript, the keys."""
import json

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conventions import (H, check_critical, check_party_id, expand, extract, from_base64, lp, open_document,
                         parse_object, sign, u16be, u32be, verify)
from errors import REGISTRY, Refusal, refuse_if

PARTY = "application/vnd.hefu.party+json"
OFFER = "application/vnd.hefu.offer+json"
CONFIRM = "application/vnd.hefu.confirm+json"
PARTY_MEMBERS = ("type", "party", "name", "signing_key", "tls_root", "endpoint", "critical")
OFFER_MEMBERS = ("type", "versions", "suites", "session", "job", "nonce", "parties", "purpose",
                 "outputs", "plan", "limits", "extensions", "critical", "alignment")
CONFIRM_MEMBERS = ("type", "offer", "rank", "party", "nonce", "ephemeral", "version", "suite",
                   "algorithm", "allow", "schema", "critical")
STAGES = (["align"], ["align", "train", "evaluate"], ["align", "score"])
ALIGNMENTS = ("ecdh", "oprf")
JOINS = ("inner", "left")
MISSING = ("error", "mean")
SPLITS = ("sha256-mod10-3", "none")


def registry(name):
    return json.loads((REGISTRY / f"{name}.json").read_text())


PREFERENCE = registry("suites")["preference"]

# Section 5: stages and uses.
ALIGN, TRAIN, EVALUATE, SCORE = 1, 2, 3, 4
USE_SHARE, USE_SCALARS, USE_SCORE_PART, USE_SHARE_TO_ZERO = 1, 2, 3, 4


# Section 4: what each side checks.

def version_number(text):
    """(major, minor), or None for what this edition cannot read."""
    major, dot, minor = text.partition(".")
    good = dot and major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit()
    return (int(major), int(minor)) if good else None


def select(offered_versions, offered_suites, own_versions, own_suites):
    """The selection function: (version, suite), SESS-4 and SESS-5."""
    common = [v for v in own_versions if v in offered_versions and version_number(v)]
    refuse_if(not common, "NO_COMMON_VERSION", "SESS-4")
    suites = [s for s in PREFERENCE if s in offered_suites and s in own_suites]
    refuse_if(not suites, "NO_COMMON_SUITE", "SESS-5")
    return max(common, key=version_number), suites[0]


def require(document, members, type_):
    """The required members are there and have the right kind."""
    refuse_if(document.get("type") != type_, "MALFORMED_DOCUMENT", "CONV-10")
    for name, kind in members:
        refuse_if(not isinstance(document.get(name), kind), "MALFORMED_DOCUMENT", "CONV-10")


def check_descriptor(envelope):
    """SESS-1: the descriptor names the key that signed it, so its payload is read to find that key."""
    named = parse_object(payload_of(envelope), "CONV-10").get("signing_key")
    refuse_if(not isinstance(named, str), "MALFORMED_DOCUMENT", "CONV-10")
    document = parse_object(open_document(envelope, PARTY, bytes.fromhex(named)), "CONV-10")
    require(document, (("party", str), ("signing_key", str), ("tls_root", str)), "hefu/party/1")
    check_critical(document, PARTY_MEMBERS)
    check_party_id(document["party"])
    return document


def read_signed(envelope, type_, key):
    """The document in an envelope that `key` signed."""
    return parse_object(open_document(envelope, type_, key), "CONV-10")


def check_offer_head(envelope, tls_party, tls_party_key, own_party, own_versions, own_suites):
    """What a collaborator checks of any offer but the plan: (offer, rank, version, suite)."""
    offer = read_signed(envelope, OFFER, tls_party_key)
    check_critical(offer, OFFER_MEMBERS)
    require(offer, (("versions", list), ("suites", list), ("session", str), ("parties", list),
                    ("outputs", list), ("plan", dict), ("limits", dict), ("extensions", list)),
            "hefu/offer/1")
    for party in offer["parties"]:
        check_party_id(party["party"])
    parties = [party["party"] for party in offer["parties"]]
    refuse_if(parties[:1] != [tls_party], "WRONG_PARTY", "SESS-2")
    refuse_if(parties[1:].count(own_party) != 1, "WRONG_PARTY", "SESS-3")
    version, suite = select(offer["versions"], offer["suites"], own_versions, own_suites)
    refuse_if(any(e["critical"] for e in offer["extensions"]), "UNKNOWN_CRITICAL", "SESS-10")
    return offer, parties.index(own_party, 1), version, suite


def check_offer(*given):
    """A collaborator's checks of a vertical job's offer, up to its own configuration: (rank, version, suite)."""
    offer, rank, version, suite = check_offer_head(*given)
    plan = offer["plan"]
    refuse_if(plan["stages"] not in STAGES, "UNSUPPORTED_PLAN", "SESS-11")
    alignment = plan.get("alignment", "ecdh")
    refuse_if(alignment not in ALIGNMENTS, "UNSUPPORTED_PLAN", "SESS-11")
    algorithm = {"align": f"align-{alignment}-1", "evaluate": "vlr-1", "score": "score-sum-1"}[plan["stages"][-1]]
    refuse_if(plan["algorithm"] != algorithm, "UNSUPPORTED_PLAN", "SESS-11")
    refuse_if(plan["join"] not in JOINS, "UNSUPPORTED_PLAN", "SESS-11")
    refuse_if(plan["missing"] not in MISSING, "UNSUPPORTED_PLAN", "SESS-11")
    refuse_if(plan["split"] not in SPLITS, "UNSUPPORTED_PLAN", "SESS-11")
    return rank, version, suite


def check_confirm(envelope, key, offer_envelope, peer_lists=None):
    """The initiator's checks of one confirm; peer_lists: the versions and suites that Discovery gave, if asked."""
    document = parse_object(open_document(envelope, CONFIRM, key), "CONV-10")
    check_critical(document, CONFIRM_MEMBERS)
    require(document, (("offer", str), ("rank", int), ("party", str), ("ephemeral", str),
                       ("version", str), ("suite", int)), "hefu/confirm/1")
    refuse_if(document["offer"] != H(offer_envelope).hex(), "TRANSCRIPT_MISMATCH", "SESS-7")
    offer = parse_object(payload_of(offer_envelope), "CONV-10")
    listed = document["version"] in offer["versions"] and document["suite"] in offer["suites"]
    refuse_if(not listed, "DOWNGRADE", "SESS-8")
    if peer_lists is not None:
        chosen = select(offer["versions"], offer["suites"], *peer_lists)
        refuse_if((document["version"], document["suite"]) != chosen, "DOWNGRADE", "SESS-8")
    return document


def payload_of(envelope):
    """The payload of an envelope, not verified."""
    payload = from_base64(parse_object(envelope, "CONV-10").get("payload"))
    refuse_if(payload is None, "MALFORMED_DOCUMENT", "CONV-10")
    return payload


# Section 5: transcript and keys.

def transcript(offer_envelope, confirm_envelopes):
    """An absent rank's confirm is the empty string (aggregate.md, section 2)."""
    return H(b"hefu/1 transcript", lp(offer_envelope), *(lp(c) for c in confirm_envelopes))


def transcript_text(rank, transcript_):
    return b"hefu/1 transcript signature" + u16be(rank) + transcript_


def sign_transcript(seed, rank, transcript_):
    return sign(seed, transcript_text(rank, transcript_))


def verify_transcript(public, signature, rank, transcript_):
    verify(public, signature, transcript_text(rank, transcript_), "SESS-15")


def ephemeral_public(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(
        Encoding.Raw, PublicFormat.Raw)


def agree(secret, public):
    try:
        return X25519PrivateKey.from_private_bytes(secret).exchange(
            X25519PublicKey.from_public_bytes(public))
    except ValueError:  # the package refuses the all-zero result
        raise Refusal("BAD_ELEMENT", "SESS-6") from None


def pair_key(transcript_, secret, public):
    return extract(transcript_, agree(secret, public))


def frame_key(pair, sender, receiver):
    return expand(pair, b"hefu/1 frame" + u16be(sender) + u16be(receiver), 32)


def mask_key(pair, i, j, stage, round_, use):
    assert i < j
    info = b"hefu/1 mask" + u16be(i) + u16be(j) + u32be(stage) + u32be(round_) + u16be(use)
    return expand(pair, info, 16)
