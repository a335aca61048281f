"""Selection, offers, confirms, transcript and keys (session.md)."""
import json

import conventions as c
import session as s
from cases import COUNT, HEX, Kind, TEXT, array, bad, good, hex_of, nothing_or, record
from draws import fixed

LISTS = record(versions=array(TEXT), suites=array(COUNT))
BANK = "uscc:91440300YY00001320"


def with_check(stem):
    """A party id of scheme uscc: 17 characters and the check character."""
    return next(f"uscc:{stem}{x}" for x in c.USCC_ALPHABET if c.uscc_is_valid(stem + x))


TAX, POWER = with_check("11440300YY0000011"), with_check("91440300YY0000216")
SEEDS = {name: fixed(f"signing key {name}", 32) for name in (BANK, TAX, POWER)}
EPHEMERAL = [fixed(f"ephemeral {rank}", 32) for rank in range(3)]


def public(party):
    return c.public_key(SEEDS[party]).hex()


def text(document):
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def sealed(type_, document, party):
    return c.seal_document(type_, text(document), SEEDS[party])


# The selection function.

def run_select(given):
    offered, own = given["offered"], given["own"]
    version, suite = s.select(offered["versions"], offered["suites"], own["versions"], own["suites"])
    return {"version": version, "suite": suite}


def select_cases():
    def given(versions, suites, own_versions, own_suites):
        return {"offered": {"versions": versions, "suites": suites},
                "own": {"versions": own_versions, "suites": own_suites}}

    yield good("one", "One of each", "SESS-4 SESS-5", given(["1.0"], [1], ["1.0"], [1]))
    yield good("highest", "The highest common version, whatever the order", "SESS-4",
               given(["1.0", "1.2", "1.1"], [1], ["1.1", "1.0", "1.3"], [1]))
    yield good("numbers", "Versions are compared as numbers: 1.10 is above 1.9", "SESS-4",
               given(["1.9", "1.10"], [1], ["1.9", "1.10"], [1]))
    yield good("major", "2.0 is above 1.10", "SESS-4", given(["2.0", "1.10"], [1], ["1.10", "2.0"], [1]))
    yield good("preference", "The registry's preference decides between suites, not the lists' order", "SESS-5",
               given(["1.0"], [2, 1], ["1.0"], [2, 1]))
    yield good("second_choice", "Only suite 2 is common", "SESS-5", given(["1.0"], [1, 2], ["1.0"], [2]))
    yield good("nonsense", "Reserved nonsense values are ignored", "SESS-4 SESS-5",
               given(["10.10", "1.0"], [2570, 1, 6682], ["1.0"], [1, 10794]))
    yield bad("version", "No common version", "SESS-4", given(["1.1"], [1], ["1.0"], [1]), "NO_COMMON_VERSION")
    yield bad("suite", "No common suite", "SESS-5", given(["1.0"], [2], ["1.0"], [1]), "NO_COMMON_SUITE")
    yield bad("suite_nonsense", "A common number that the registry does not prefer", "SESS-5",
              given(["1.0"], [2570], ["1.0"], [2570]), "NO_COMMON_SUITE")


# Documents.

def descriptor(party=BANK, **changes):
    return {"type": "hefu/party/1", "party": party, "name": "银行", "signing_key": public(BANK),
            "tls_root": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
            "endpoint": "https://bank.example:7717", **changes}


def run_descriptor(given):
    document = s.check_descriptor(given["envelope"].encode())
    return {"party": document["party"], "signing_key": document["signing_key"]}


def descriptor_cases():
    def given(document, signer=BANK):
        return {"envelope": sealed(s.PARTY, document, signer).decode()}

    yield good("bank", "Signed by the key that it names", "SESS-1", given(descriptor()))
    yield bad("signer", "Signed by another key than it names", "SESS-1 CONV-4", given(descriptor(), TAX),
              "BAD_SIGNATURE")
    yield bad("party", "A party id with a wrong check character", "CONV-9",
              given(descriptor("uscc:91440300YY00001321")), "BAD_PARTY_ID")
    yield bad("no_key", "No signing key", "CONV-10",
              given({k: v for k, v in descriptor().items() if k != "signing_key"}), "MALFORMED_DOCUMENT")


def offer(**changes):
    return {
        "type": "hefu/offer/1", "versions": ["1.0"], "suites": [1], "session": fixed("session", 16).hex(),
        "job": fixed("job", 16).hex(), "nonce": fixed("offer nonce", 32).hex(),
        "parties": [{"party": BANK, "ephemeral": s.ephemeral_public(EPHEMERAL[0]).hex()},
                    {"party": TAX, "dataset": "tax-2026"}, {"party": POWER, "dataset": "meters"}],
        "purpose": "origination", "outputs": ["model", "score"], "plan": plan(),
        "limits": {"max_chunk": 1048576, "max_message": 1073741824}, "extensions": [], **changes}


def plan(**changes):
    return {"stages": ["align", "train", "evaluate"], "join": "inner", "missing": "error",
            "split": "sha256-mod10-3", "algorithm": "vlr-1", "lambda": 1.0, "max_evaluations": 40,
            "model": fixed("model", 16).hex(), **changes}


def run_offer(given):
    own = given["own"]
    envelope = given["envelope"].encode()
    rank, version, suite = s.check_offer(envelope, given["tls_party"], bytes.fromhex(given["tls_party_key"]),
                                         given["own_party"], own["versions"], own["suites"])
    return {"rank": rank, "version": version, "suite": suite, "digest": c.H(envelope).hex()}


def offer_cases():
    def given(document, signer=BANK, tls_party=BANK, own=TAX):
        return {"envelope": sealed(s.OFFER, document, signer).decode(), "tls_party": tls_party,
                "tls_party_key": public(tls_party), "own_party": own, "own": {"versions": ["1.0"], "suites": [1]}}

    yield good("train", "The first collaborator", "SESS-2 SESS-3", given(offer()))
    yield good("second", "The second collaborator", "SESS-3", given(offer(), own=POWER))
    extension = {"id": 2570, "critical": False}
    yield good("extension", "An unknown extension that is not critical", "SESS-10",
               given(offer(extensions=[extension])))
    yield good("nonsense", "Reserved nonsense among versions and suites", "SESS-4 SESS-5",
               given(offer(versions=["10.10", "1.0"], suites=[2570, 1])))
    unbalanced = plan(alignment="oprf")
    yield good("alignment", "Unbalanced alignment, called critical", "SESS-11 CONV-8",
               given(offer(plan=unbalanced, critical=["alignment"])))
    only = {k: v for k, v in plan(stages=["align"], alignment="oprf").items() if k != "model"}
    yield good("align_oprf", "Unbalanced alignment and nothing else", "SESS-11",
               given(offer(plan={**only, "algorithm": "align-oprf-1"}, critical=["alignment"])))
    yield bad("align_other", "The algorithm of the other alignment", "SESS-11",
              given(offer(plan={**only, "algorithm": "align-ecdh-1"}, critical=["alignment"])), "UNSUPPORTED_PLAN")
    yield bad("signer", "Signed by another party than that of the connection", "SESS-2 CONV-4",
              given(offer(), signer=POWER), "BAD_SIGNATURE")
    yield bad("rank_zero", "The party of the connection signs an offer in which another is rank 0", "SESS-2",
              given(offer(), signer=POWER, tls_party=POWER), "WRONG_PARTY")
    parties = offer()["parties"]
    yield bad("not_named", "The offer does not name the collaborator", "SESS-3",
              given(offer(parties=[parties[0], parties[2]])), "WRONG_PARTY")
    yield bad("named_twice", "The offer names the collaborator twice", "SESS-3",
              given(offer(parties=[*parties, parties[1]])), "WRONG_PARTY")
    yield bad("version", "No common version", "SESS-4", given(offer(versions=["2.0"])), "NO_COMMON_VERSION")
    yield bad("suite", "No common suite", "SESS-5", given(offer(suites=[2])), "NO_COMMON_SUITE")
    yield bad("extension", "An unknown extension that is critical", "SESS-10",
              given(offer(extensions=[{"id": 2570, "critical": True}])), "UNKNOWN_CRITICAL")
    yield bad("critical", "An unknown member that is critical", "CONV-8",
              given(offer(colour="red", critical=["colour"])), "UNKNOWN_CRITICAL")
    yield bad("stage", "An unknown stage", "SESS-11", given(offer(plan=plan(stages=["align", "bin"]))),
              "UNSUPPORTED_PLAN")
    yield bad("stages", "Known stages in an unknown order", "SESS-11",
              given(offer(plan=plan(stages=["train", "align", "evaluate"]))), "UNSUPPORTED_PLAN")
    for name in ("algorithm", "alignment", "join", "missing", "split"):
        yield bad(name, f"An unknown {name}", "SESS-11", given(offer(plan=plan(**{name: "unknown-9"}))),
                  "UNSUPPORTED_PLAN")
    without = {k: v for k, v in offer().items() if k != "plan"}
    yield bad("no_plan", "No plan", "CONV-10", given(without), "MALFORMED_DOCUMENT")
    yield bad("party_id", "A party id with a wrong check character", "CONV-9",
              given(offer(parties=[*parties[:2], {"party": POWER[:-1] + "#", "dataset": "meters"}])), "BAD_PARTY_ID")


def confirm(rank, party, offer_envelope, **changes):
    return {"type": "hefu/confirm/1", "offer": c.H(offer_envelope).hex(), "rank": rank, "party": party,
            "nonce": fixed(f"confirm nonce {rank}", 32).hex(),
            "ephemeral": s.ephemeral_public(EPHEMERAL[rank]).hex(), "version": "1.0", "suite": 1,
            "algorithm": "vlr-1", "allow": fixed(f"allow {rank}", 32).hex(),
            "schema": fixed(f"schema {rank}", 32).hex(), **changes}


OFFER = sealed(s.OFFER, offer(), BANK)


def run_confirm(given):
    peer = given["discovered"] and (given["discovered"]["versions"], given["discovered"]["suites"])
    document = s.check_confirm(given["envelope"].encode(), bytes.fromhex(given["key"]), given["offer"].encode(), peer)
    return {"rank": document["rank"], "party": document["party"], "ephemeral": document["ephemeral"]}


def confirm_cases():
    def given(signer=TAX, offer_=OFFER, discovered=None, **changes):
        envelope = sealed(s.CONFIRM, confirm(1, TAX, offer_, **changes), signer)
        return {"envelope": envelope.decode(), "key": public(TAX), "offer": offer_.decode(), "discovered": discovered}

    yield good("rank_1", "The confirm of rank 1", "SESS-7 SESS-8 SESS-15", given())
    wide = sealed(s.OFFER, offer(versions=["1.0", "1.1"], suites=[1, 2]), BANK)
    known = {"versions": ["1.0", "1.1"], "suites": [1]}
    yield good("selected", "What the selection function gives for both lists", "SESS-8",
               given(offer_=wide, discovered=known, version="1.1"))
    yield bad("signer", "Signed by another party", "SESS-15 CONV-4", given(signer=POWER), "BAD_SIGNATURE")
    yield bad("offer", "The digest of another offer", "SESS-7", given(offer=fixed("another offer", 32).hex()),
              "TRANSCRIPT_MISMATCH")
    yield bad("version", "A version that the offer does not list", "SESS-8", given(version="0.9"), "DOWNGRADE")
    yield bad("suite", "A suite that the offer does not list", "SESS-8", given(suite=2), "DOWNGRADE")
    yield bad("lower_version", "A lower version than both sides list", "SESS-8",
              given(offer_=wide, discovered=known, version="1.0"), "DOWNGRADE")
    both = {"versions": ["1.0", "1.1"], "suites": [1, 2]}
    yield bad("lower_suite", "The second suite of the preference, though both sides list the first", "SESS-8",
              given(offer_=wide, discovered=both, version="1.1", suite=2), "DOWNGRADE")


# Transcript and keys.

MASK = record(ranks=array(COUNT), stage=COUNT, round=COUNT, use=COUNT)


def run_transcript(given):
    offer_, confirms = given["offer"].encode(), [e.encode() for e in given["confirms"]]
    secrets = [bytes.fromhex(x) for x in given["ephemeral_secrets"]]
    seeds = [bytes.fromhex(x) for x in given["signing_seeds"]]
    transcript = s.transcript(offer_, confirms)
    ephemerals = [s.ephemeral_public(x) for x in secrets]
    pairs, keys = {}, []
    for j in range(len(secrets)):
        for i in range(j):
            pairs[i, j] = pair = s.pair_key(transcript, secrets[i], ephemerals[j])
            assert pair == s.pair_key(transcript, secrets[j], ephemerals[i])
            keys.append({"ranks": [i, j], "pair": pair.hex(), "frame_up": s.frame_key(pair, i, j).hex(),
                         "frame_down": s.frame_key(pair, j, i).hex()})
    masks = [s.mask_key(pairs[tuple(m["ranks"])], *m["ranks"], m["stage"], m["round"], m["use"]).hex()
             for m in given["masks"]]
    return {"transcript": transcript.hex(), "ephemerals": [e.hex() for e in ephemerals], "keys": keys, "masks": masks,
            "signatures": [s.sign_transcript(seed, rank, transcript).hex() for rank, seed in enumerate(seeds)]}


def transcript_cases():
    def given(parties):
        offer_ = sealed(s.OFFER, offer(parties=offer()["parties"][:len(parties)]), BANK)
        confirms = [sealed(s.CONFIRM, confirm(r, p, offer_), p) for r, p in enumerate(parties) if r]
        masks = [{"ranks": [0, 1], "stage": 2, "round": 5, "use": 2}]
        if len(parties) > 2:
            masks += [{"ranks": [0, 2], "stage": 2, "round": 5, "use": 4},
                      {"ranks": [1, 2], "stage": 3, "round": 0, "use": 3},
                      {"ranks": [1, 2], "stage": 2, "round": 258, "use": 2}]
        return {"offer": offer_.decode(), "confirms": [e.decode() for e in confirms],
                "ephemeral_secrets": [EPHEMERAL[r].hex() for r in range(len(parties))],
                "signing_seeds": [SEEDS[p].hex() for p in parties], "masks": masks}

    yield good("two_parties", "One collaborator", "", given([BANK, TAX]))
    yield good("three_parties", "Two collaborators", "", given([BANK, TAX, POWER]))
    absent = given([BANK, TAX, POWER])
    yield good("absent", "The second collaborator did not confirm: its confirm is the empty string", "",
               {**absent, "confirms": [absent["confirms"][0], ""], "masks": absent["masks"][:1],
                **{name: absent[name][:2] for name in ("ephemeral_secrets", "signing_seeds")}})


def run_transcript_signature(given):
    s.verify_transcript(bytes.fromhex(given["key"]), bytes.fromhex(given["signature"]), given["rank"],
                        bytes.fromhex(given["transcript"]))
    return {}


def signature_cases():
    transcript = fixed("a transcript", 32)

    def given(signer=TAX, rank=1, signed_rank=1, signed=transcript):
        return {"key": public(TAX), "rank": rank, "transcript": transcript.hex(),
                "signature": s.sign_transcript(SEEDS[signer], signed_rank, signed).hex()}

    yield good("rank_1", "Rank 1 signs", "SESS-15", given())
    yield bad("rank", "The signature of another rank", "SESS-15", given(signed_rank=2), "BAD_SIGNATURE")
    yield bad("transcript", "The signature of another transcript", "SESS-15", given(signed=fixed("b", 32)),
              "BAD_SIGNATURE")
    yield bad("signer", "The signature of another party", "SESS-15", given(signer=POWER), "BAD_SIGNATURE")


def run_agreement(given):
    return {"shared": s.agree(bytes.fromhex(given["secret"]), bytes.fromhex(given["public"])).hex()}


def agreement_cases():
    yield good("pair", "Two ephemeral keys", "",
               {"secret": EPHEMERAL[0].hex(), "public": s.ephemeral_public(EPHEMERAL[1]).hex()})
    low = {"zero": bytes(32), "one": b"\1" + bytes(31),
           "order_8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")}
    for name, point in low.items():
        yield bad(name, "A point of low order: the result is all zero", "SESS-6",
                  {"secret": EPHEMERAL[0].hex(), "public": point.hex()}, "BAD_ELEMENT")


KEYS = record(ranks=array(COUNT), pair=hex_of(32), frame_up=hex_of(32), frame_down=hex_of(32))
KINDS = [
    Kind("select", "The selection function.", record(offered=LISTS, own=LISTS), record(version=TEXT, suite=COUNT),
         run_select, select_cases),
    Kind("descriptor", "Reading a party descriptor.", record(envelope=TEXT), record(party=TEXT, signing_key=hex_of(32)),
         run_descriptor, descriptor_cases),
    Kind("offer", "A collaborator's checks of an offer, up to its own configuration.",
         record(envelope=TEXT, tls_party=TEXT, tls_party_key=hex_of(32), own_party=TEXT, own=LISTS),
         record(rank=COUNT, version=TEXT, suite=COUNT, digest=hex_of(32)), run_offer, offer_cases),
    Kind("confirm",
         "The initiator's checks of a confirm; `discovered` is the collaborator's Discovery answer, if asked.",
         record(envelope=TEXT, key=hex_of(32), offer=TEXT, discovered=nothing_or(LISTS)),
         record(rank=COUNT, party=TEXT, ephemeral=hex_of(32)), run_confirm, confirm_cases),
    Kind("transcript",
         "The transcript, what every rank signs, and the keys of every pair (ranks i < j: frame_up is i → j).",
         record(offer=TEXT, confirms=array(TEXT), ephemeral_secrets=array(hex_of(32)), signing_seeds=array(hex_of(32)),
                masks=array(MASK)),
         record(transcript=hex_of(32), ephemerals=array(hex_of(32)), keys=array(KEYS), masks=array(hex_of(16)),
                signatures=array(hex_of(64))), run_transcript, transcript_cases),
    Kind("transcript_signature", "Verifying a transcript signature.",
         record(key=hex_of(32), rank=COUNT, transcript=hex_of(32), signature=HEX), record(),
         run_transcript_signature, signature_cases),
    Kind("agreement", "X25519.", record(secret=hex_of(32), public=hex_of(32)), record(shared=hex_of(32)),
         run_agreement, agreement_cases),
]
