"""oprf.md's function against RFC 9497, appendix A.1, and what no single vector shows."""
import unittest

import oprf

SEED, INFO = bytes([0xa3]) * 32, b"test key"
SECRET = "5ebcea5ee37023ccb9fc2d2019f9d7737be85591ae8652ffa9ef0f4d37063b0e"
BLIND = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706"
CASES = [
    (b"\0", "609a0ae68c15a3cf6903766461307e5c8bb2f95e7e6550e1ffa2dc99e412803c",
     "7ec6578ae5120958eb2db1745758ff379e77cb64fe77b0b2d8cc917ea0869c7e",
     "527759c3d9366f277d8c6020418d96bb393ba2afb20ff90df23fb7708264e2f3"
     "ab9135e3bd69955851de4b1f9fe8a0973396719b7912ba9ee8aa7d0b5e24bcf6"),
    (b"\x5a" * 17, "da27ef466870f5f15296299850aa088629945a17d1f5b7f5ff043f76b3c06418",
     "b4cbf5a4f1eeda5a63ce7b77c7d23f461db3fcab0dd28e4e17cecb5c90d02c25",
     "f4a74c9c592497375e796aa837e907b1a045d34306a749db9f34221f7e750cb4"
     "f2a6413a6bf6fa5e19ba6348eb673934a722a7ede2e7621306d18951e7cf2c73"),
]


def number(text):
    return int.from_bytes(bytes.fromhex(text), "little")


class Rfc9497(unittest.TestCase):
    def test_key(self):
        self.assertEqual(oprf.derive_secret(SEED, INFO), number(SECRET))

    def test_public_element_of_the_verifiable_mode(self):
        secret = number("e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909")
        self.assertEqual(oprf.public(secret).hex(), "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e")

    def test_vectors(self):
        for key, blinded, evaluation, output in CASES:
            self.assertEqual(oprf.blind(number(BLIND), key).hex(), blinded)
            self.assertEqual(oprf.blind_evaluate(number(SECRET), bytes.fromhex(blinded)).hex(), evaluation)
            self.assertEqual(oprf.finalize(number(BLIND), key, bytes.fromhex(evaluation)).hex(), output)
            self.assertEqual(oprf.evaluate(number(SECRET), key).hex(), output)


class Sets(unittest.TestCase):
    # clause: OPRF-8
    def test_epochs_share_nothing(self):
        keys = [b"key %d" % i for i in range(20)]
        (first, _), (second, _) = oprf.published(3, keys), oprf.published(4, keys)
        self.assertFalse(set(first) & set(second))
        self.assertEqual(first, sorted(first))

    def test_waits_end_with_the_last_key(self):
        self.assertEqual(oprf.encode_waits(0), [])
        for m, count in ((1, 1), (16384, 1), (16385, 2)):
            waits = oprf.encode_waits(m)
            self.assertEqual(len(waits), count)
            before = None
            for wait in waits:
                before = oprf.receive_wait(wait, before, m)
            self.assertEqual(before, (m, m))
