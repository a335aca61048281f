"""Parts of scores under pairwise masks (score.md)."""
import struct

import score as s
from cases import COUNT, DECIMAL, HEX, Kind, array, bad, good, hex_of, map_of, record
from conventions import f64be, u32be, u64le
from draws import blob, fixed
from cases import BLOB

PART = record(rank=COUNT, z=array(hex_of(8)), mask_keys=map_of(hex_of(16)))


def doubles(texts):
    return [struct.unpack(">d", bytes.fromhex(t))[0] for t in texts]


def run_part(given):
    own = [s.quantised(z) for z in doubles(given["own"])]
    parts, payloads = [], []
    for part in given["parts"]:
        keys = {int(r): bytes.fromhex(k) for r, k in part["mask_keys"].items()}
        masked = s.masked_part([s.quantised(z) for z in doubles(part["z"])], part["rank"], keys)
        parts.append(masked)
        payloads.append([p.hex() for p in s.payloads(masked)])
    total = s.total(own, parts)
    assert total == [sum(c) for c in zip(own, *([s.quantised(z) for z in doubles(p["z"])] for p in given["parts"]))]
    return {"payloads": payloads, "total": [str(x) for x in total]}


def values(label, rows):
    return [f64be(int.from_bytes(fixed(f"{label} {i}", 8), "big") / 2**62 - 2.0).hex() for i in range(rows)]


def part_cases():
    def given(collaborators, rows=5, stage=4):
        ranks = range(1, collaborators + 1)
        return {"own": values("own", rows), "parts": [{
            "rank": r, "z": values(f"part {r}", rows),
            "mask_keys": {str(o): fixed(f"score mask {min(o, r)}-{max(o, r)}", 16).hex() for o in ranks if o != r}}
            for r in ranks]}

    yield good("one_collaborator", "One collaborator: no mask", "", given(1))
    yield good("two_collaborators", "Two collaborators: their masks cancel", "", given(2))
    yield good("four_collaborators", "Four collaborators", "", given(4))
    edge = given(1, 3)
    edge["parts"][0]["z"] = [f64be(x).hex() for x in (1073741823.9999998, -1073741823.9999998, 2.0**-33)]
    yield good("edges", "Parts just below 2^30 in magnitude, and half a unit", "SCORE-4", edge)
    large = given(1, 1)
    large["parts"][0]["z"] = [f64be(-1073741824.0).hex()]
    yield bad("large", "A part of -2^30", "SCORE-4", large, "SCALAR_TOO_LARGE")


def run_batches(given):
    values_ = list(range(given["rows"]))
    return {"batches": [blob(p) for p in s.payloads(values_)]}


def batch_cases():
    yield good("two", "65,537 rows whose values are 0, 1, 2, …: two batches", "", {"rows": 65537})
    yield good("none", "No rows: no batch", "", {"rows": 0})


def run_receive(given):
    return {"values": [str(x) for x in s.receive(bytes.fromhex(given["payload"]), given["before"], given["rows"])]}


def receive_cases():
    def given(first, values_, before=0, rows=3, cut=0):
        payload = u32be(first) + b"".join(map(u64le, values_))
        return {"payload": payload[:len(payload) - cut].hex(), "before": before, "rows": rows}

    three = [1, (1 << 64) - 1, 1 << 63]
    yield good("last", "The only batch", "SCORE-3", given(0, three))
    for name, title, sent in (
            ("first", "Not the next batch", given(1, three)),
            ("many", "More rows than the job has", given(0, [*three, 4])),
            ("few", "Fewer rows than are left, though 65,536 have place", given(0, three[:2])),
            ("cut", "Ends inside a value", given(0, three, cut=1)),
            ("after_last", "A batch after the last one", given(3, [1], before=3))):
        yield bad(name, title, "SCORE-3", sent, "MALFORMED_MESSAGE")


KINDS = [
    Kind("score_part",
         "Parts of collaborators and the total at scale 2^32; `own` is rank 0's part, intercept included. "
                       "mask_keys: those of use 3 with the other collaborators, by rank.",
         record(own=array(hex_of(8)), parts=array(PART)), record(payloads=array(array(HEX)), total=array(DECIMAL)),
         run_part, part_cases),
    Kind("score_batches", "How values are cut into SCORE_PART payloads.", record(rows=COUNT),
         record(batches=array(BLOB)),
         run_batches, batch_cases),
    Kind("score_receive", "One SCORE_PART as rank 0 reads it; `before` values came in earlier batches.",
         record(payload=HEX, before=COUNT, rows=COUNT), record(values=array(DECIMAL)), run_receive, receive_cases),
]
