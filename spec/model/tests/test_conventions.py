"""conventions.py and session.py against public vectors of the primitives, as this model composes them."""
import unittest

import conventions as c
import session
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from errors import Refusal


class Streams(unittest.TestCase):
    def test_first_block_is_aes_of_zero(self):
        # AES-128 of the zero block under the zero key (NIST AESAVS, GFSbox/KeySbox family).
        self.assertEqual(c.Stream(bytes(16)).bytes(16).hex(), "66e94bd4ef8a2c3b884cfa59ca342b2e")

    def test_counter_is_128_bits_big_endian(self):
        key = bytes(range(16))
        encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        blocks = b"".join(encryptor.update(i.to_bytes(16, "big")) for i in range(300))
        self.assertEqual(c.Stream(key).bytes(4800), blocks)

    def test_reading_in_pieces_is_reading_at_once(self):
        key = b"0123456789abcdef"
        stream = c.Stream(key)
        pieces = stream.bytes(5) + stream.bytes(11) + stream.bytes(40)
        self.assertEqual(pieces, c.Stream(key).bytes(56))
        self.assertEqual(c.Stream(key).u64(), int.from_bytes(pieces[:8], "little"))

    def test_uniform_replaces_from_values_after_the_first_n(self):
        key = b"fedcba9876543210"
        words = [w & 7 for w in c.Stream(key).u64s(200)]
        first, later, expected = words[:50], iter(words[50:]), []
        for value in first:
            while value >= 5:
                value = next(later)
            expected.append(value)
        self.assertEqual(c.Stream(key).uniform(5, 50), expected)


class Derivation(unittest.TestCase):
    def test_rfc_5869_case_1(self):
        prk = c.extract(bytes(range(13)), b"\x0b" * 22)
        self.assertEqual(prk.hex(), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
        okm = c.expand(prk, bytes(range(0xF0, 0xFA)), 42)
        self.assertEqual(okm.hex(), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                                    "34007208d5b887185865")

    def test_rfc_8032_test_2(self):
        seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
        self.assertEqual(c.public_key(seed).hex(), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        self.assertEqual(c.sign(seed, b"\x72").hex(),
                         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")

    def test_rfc_7748_section_6_1(self):
        alice = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
        bob = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
        self.assertEqual(session.ephemeral_public(bob).hex(),
                         "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        self.assertEqual(session.agree(bob, bytes.fromhex(alice)).hex(),
                         "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")


class Documents(unittest.TestCase):
    def test_dsse_example_text(self):
        # The pre-authentication encoding shown by the DSSE v1 specification.
        self.assertEqual(c.signed_text("http://example.com/HelloWorld", b"hello world"),
                         b"DSSEv1 29 http://example.com/HelloWorld 11 hello world")

    # clause: CONV-9
    def test_uscc_check_character_finds_every_single_change(self):
        code = "91440300YY00001320"
        for position in range(18):
            for letter in c.USCC_ALPHABET:
                changed = code[:position] + letter + code[position + 1:]
                self.assertEqual(c.uscc_is_valid(changed), changed == code)


class Agreement(unittest.TestCase):
    # clause: SESS-6
    def test_zero_result_is_refused(self):
        with self.assertRaises(Refusal):
            session.agree(bytes(range(32)), bytes(32))
