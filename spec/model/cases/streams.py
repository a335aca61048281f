"""Key streams and uniform residues (conventions.md, section 2)."""
from cases import COUNT, DECIMAL, HEX, INTEGERS, Kind, array, good, hex_of, record
from conventions import Stream
from draws import fixed, integers
from ringlwe import N, Q, T0, T1, T_COARSE


def run_stream(given):
    key = bytes.fromhex(given["key"])
    return {"bytes": Stream(key).bytes(given["length"]).hex(),
            "u64": [str(v) for v in Stream(key).u64s(given["length"] // 8)]}


def stream_cases():
    yield good("zero_key", "The stream of the zero key: the first blocks are AES of 0, 1, 2, …", "",
               {"key": bytes(16).hex(), "length": 64})
    yield good("odd_length", "A length that ends inside a block and inside a u64", "",
               {"key": fixed("stream", 16).hex(), "length": 43})


def run_uniform(given):
    stream = Stream(bytes.fromhex(given["key"]))
    values = [stream.uniform(int(draw["q"]), draw["n"]) for draw in given["draws"]]
    return {"values": [integers(v, whole=len(v) <= 32) for v in values], "next": str(stream.u64())}


def uniform_cases():
    def draws(*pairs):
        return [{"q": str(q), "n": n} for q, n in pairs]

    yield good("many_rejections", "q = 65537 has 17 bits: about half of all values are drawn again", "",
               {"key": fixed("uniform 1", 16).hex(), "draws": draws((65537, 32))})
    yield good("consecutive", "Three draws from one stream: each begins where the one before ended", "",
               {"key": fixed("uniform 2", 16).hex(), "draws": draws((5, 8), (65537, 8), (3, 16))})
    yield good("ring_primes", "The primes of q, as a public key's uniform part is drawn", "",
               {"key": fixed("uniform 3", 16).hex(), "draws": draws(*((q, N) for q in Q))})
    yield good("slot_primes", "The primes of t, as a mask is drawn", "",
               {"key": fixed("uniform 4", 16).hex(), "draws": draws((T0, N), (T1, N), (T_COARSE, N))})


KINDS = [
    Kind("stream", "Stream(key) as bytes and as u64 values.",
         record(key=hex_of(16), length=COUNT), record(bytes=HEX, u64=array(DECIMAL)),
         run_stream, stream_cases),
    Kind("uniform", "Uniform(q, n) several times from one Stream(key); `next` is the u64 read after them.",
         record(key=hex_of(16), draws=array(record(q=DECIMAL, n=COUNT))),
         record(values=array(INTEGERS), next=DECIMAL), run_uniform, uniform_cases),
]
