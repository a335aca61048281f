"""Signed documents and party ids (conventions.md, sections 3 and 4)."""
import base64
import json

import conventions as c
from cases import Kind, TEXT, array, bad, good, hex_of, record
from draws import fixed

TYPE = "application/vnd.hefu.party+json"
SEED = fixed("document signer", 32)
PAYLOAD = b'{"type":"hefu/party/1","party":"uscc:91440300YY00001320","name":"\xe9\x93\xb6\xe8\xa1\x8c"}'
KNOWN = ["type", "party", "name", "critical"]


def run_document(given):
    envelope = given["envelope"].encode()
    payload = c.open_document(envelope, given["payload_type"], bytes.fromhex(given["public_key"]))
    c.check_critical(c.parse_object(payload, "CONV-10"), given["known"])
    out = {"payload": payload.decode(), "digest": c.H(envelope).hex()}
    if "signing_seed" in given:
        seed = bytes.fromhex(given["signing_seed"])
        text = c.signed_text(given["payload_type"], payload)
        out |= {"signed_text": text.decode(), "signature": c.sign(seed, text).hex(),
                "keyid": c.H(c.public_key(seed))[:16].hex()}
    return out


def given(envelope, payload_type=TYPE, public=None, **more):
    return {"envelope": envelope.decode(), "payload_type": payload_type,
            "public_key": (public or c.public_key(SEED)).hex(), "known": KNOWN, **more}


def sealed(payload, payload_type=TYPE, seed=SEED):
    return c.seal_document(payload_type, payload, seed)


def changed(envelope, change):
    """The envelope with its parsed JSON changed in place."""
    parsed = json.loads(envelope)
    change(parsed)
    return json.dumps(parsed, separators=(",", ":")).encode()


def document_cases():
    plain = sealed(PAYLOAD)
    yield good("plain", "An envelope as section 3 shows it", "CONV-4 CONV-5",
               given(plain, signing_seed=SEED.hex()))
    spaced = json.dumps(json.loads(plain), indent=2, sort_keys=True).encode() + b"\n"
    yield good("other_layout", "Another order and white space: the digest is that of these very bytes", "CONV-5",
               given(spaced))
    yield good("keyid_is_a_hint", "A keyid of another key decides nothing", "CONV-4",
               given(changed(plain, lambda e: e["signatures"][0].update(keyid="00" * 16))))
    yield good("unknown_member", "A member that nobody knows is ignored", "CONV-8",
               given(sealed(PAYLOAD[:-1] + b',"colour":"red"}')))
    yield good("known_critical", "A critical member that is known", "CONV-8",
               given(sealed(PAYLOAD[:-1] + b',"critical":["name"]}')))
    yield from bad_signatures(plain)
    yield from bad_forms(plain)


def bad_signatures(plain):
    def flip_payload(e):
        body = bytearray(base64.b64decode(e["payload"]))
        body[-3] ^= 1
        e["payload"] = base64.b64encode(bytes(body)).decode()

    def flip_signature(e):
        signature = bytearray(base64.b64decode(e["signatures"][0]["sig"]))
        signature[0] ^= 1
        e["signatures"][0]["sig"] = base64.b64encode(bytes(signature)).decode()

    yield bad("payload", "One bit of the payload differs", "CONV-4", given(changed(plain, flip_payload)),
              "BAD_SIGNATURE")
    yield bad("signature", "One bit of the signature differs", "CONV-4",
              given(changed(plain, flip_signature)), "BAD_SIGNATURE")
    yield bad("signer", "Signed by another key than the expected one", "CONV-4",
              given(sealed(PAYLOAD, seed=fixed("another signer", 32))), "BAD_SIGNATURE")
    yield bad("retyped", "The type was changed after signing", "CONV-4",
              given(changed(sealed(PAYLOAD, "application/vnd.hefu.offer+json"),
                            lambda e: e.update(payloadType=TYPE))), "BAD_SIGNATURE")


def bad_forms(plain):
    yield bad("payload_type", "Rightly signed, but of another type", "CONV-6",
              given(sealed(PAYLOAD, "application/vnd.hefu.offer+json")), "MALFORMED_DOCUMENT")
    twice = PAYLOAD[:-1] + b',"party":"uscc:91440300YY00001320"}'
    yield bad("member_twice", "A member name twice in the payload", "CONV-7", given(sealed(twice)),
              "MALFORMED_DOCUMENT")
    inner = PAYLOAD[:-1] + b',"more":{"a":1,"a":2}}'
    yield bad("inner_member_twice", "A member name twice in an inner object", "CONV-7", given(sealed(inner)),
              "MALFORMED_DOCUMENT")
    yield bad("unknown_critical", "A critical member that is unknown", "CONV-8",
              given(sealed(PAYLOAD[:-1] + b',"colour":"red","critical":["colour"]}')), "UNKNOWN_CRITICAL")
    yield bad("payload_array", "A payload that is no object", "CONV-10", given(sealed(b"[]")),
              "MALFORMED_DOCUMENT")
    yield bad("payload_not_json", "A payload that is no JSON", "CONV-10", given(sealed(PAYLOAD[:-1])),
              "MALFORMED_DOCUMENT")
    yield bad("not_json", "An envelope that is no JSON", "CONV-10", given(plain[:-1]), "MALFORMED_DOCUMENT")
    yield bad("no_signature", "No signature", "CONV-10",
              given(changed(plain, lambda e: e.update(signatures=[]))), "MALFORMED_DOCUMENT")
    yield bad("two_signatures", "Two signatures", "CONV-10",
              given(changed(plain, lambda e: e["signatures"].append(e["signatures"][0]))), "MALFORMED_DOCUMENT")
    yield bad("no_payload", "No payload", "CONV-10", given(changed(plain, lambda e: e.pop("payload"))),
              "MALFORMED_DOCUMENT")


def run_party_id(given_):
    scheme, value = c.check_party_id(given_["text"])
    return {"scheme": scheme, "value": value}


def party_cases():
    def case(text):
        return {"text": text}

    yield good("uscc", "A code of a body that does not exist", "CONV-9", case("uscc:91440300YY00001320"))
    yield good("lei", "An identifier of another scheme", "CONV-9", case("lei:529900T8BM49AURSDO55"))
    for name, title, text in (
            ("check", "The check character is off by one", "uscc:91440300YY00001321"),
            ("swapped", "Two digits swapped", "uscc:91440300YY00001230"),
            ("letter", "A letter outside the alphabet (I)", "uscc:91440300YI00001320"),
            ("case", "Lower case", "uscc:91440300yy00001320"),
            ("short", "17 characters", "uscc:91440300YY0000132"),
            ("long", "19 characters", "uscc:91440300YY000013200"),
            ("no_scheme", "No scheme", "91440300YY00001320"),
            ("no_value", "No value", "uscc:"),
            ("space", "A space at the end", "uscc:91440300YY00001320 "),
            ("two_colons", "A second colon", "lei:5299:00T8")):
        yield bad(name, title, "CONV-9", case(text), "BAD_PARTY_ID")


KINDS = [
    Kind("document", "Opening a signed document: verify, then parse, then look at its members.",
         record(optional=("signing_seed",), envelope=TEXT, payload_type=TEXT, public_key=hex_of(32),
                known=array(TEXT), signing_seed=hex_of(32)),
         record(optional=("signed_text", "signature", "keyid"), payload=TEXT, digest=hex_of(32),
                signed_text=TEXT, signature=hex_of(64), keyid=hex_of(16)),
         run_document, document_cases),
    Kind("party_id", "Reading a party id.", record(text=TEXT), record(scheme=TEXT, value=TEXT),
         run_party_id, party_cases),
]
