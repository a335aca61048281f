//! Limbs of 51 bits: of bytes and back, and of the constants of RFC 9496.
use super::field::{LANES, LOW};

/// Bytes of an encoded element.
const BYTES: usize = 32;

/// d = −121665/121666 of the twisted Edwards curve.
pub(super) const D: [u64; 5] =
    split([0x75eb_4dca_1359_78a3, 0x0070_0a4d_4141_d8ab, 0x8cc7_4079_7779_e898, 0x5203_6cee_2b6f_fe73]);
/// 2d.
pub(super) const TWICE_D: [u64; 5] =
    split([0xebd6_9b94_26b2_f159, 0x00e0_149a_8283_b156, 0x198e_80f2_eef3_d130, 0x2406_d9dc_56df_fce7]);
/// √−1.
pub(super) const SQRT_M1: [u64; 5] =
    split([0xc4ee_1b27_4a0e_a0b0, 0x2f43_1806_ad2f_e478, 0x2b4d_0099_3dfb_d7a7, 0x2b83_2480_4fc1_df0b]);
/// 1/√(a − d), a = −1.
pub(super) const INVSQRT_A_MINUS_D: [u64; 5] =
    split([0x99c8_fdaa_805d_40ea, 0x9d2f_1617_5a41_72be, 0x16c2_7b91_fe01_d840, 0x786c_8905_cfaf_fca2]);
/// √(ad − 1).
pub(super) const SQRT_AD_MINUS_ONE: [u64; 5] =
    split([0x7e97_f6a0_497b_2e1b, 0xaf9d_8e0c_1b78_54bd, 0x0f3c_fcc9_31f5_d1fd, 0x3769_31bf_2b83_48ac]);
/// 1 − d².
pub(super) const ONE_MINUS_D_SQ: [u64; 5] =
    split([0xe27c_09c1_945f_c176, 0x2c81_a138_cd5e_350f, 0x9994_abdd_be70_dfe4, 0x0290_72a8_b2b3_e0d7]);
/// (d − 1)².
pub(super) const D_MINUS_ONE_SQ: [u64; 5] =
    split([0x31ad_5aaa_44ed_4d20, 0xd29e_4a2c_b01e_1999, 0x4cdc_d32f_529b_4eeb, 0x5968_b37a_f66c_2241]);

/// Four words, least significant first, without bit 255.
const fn split(words: [u64; 4]) -> [u64; 5] {
    let [a, b, c, d] = words;
    [a & LOW, (a >> 51 | b << 13) & LOW, (b >> 38 | c << 26) & LOW, (c >> 25 | d << 39) & LOW, (d >> 12) & LOW]
}

/// Five limbs below 2^51.
const fn join(limbs: [u64; 5]) -> [u64; 4] {
    let [a, b, c, d, e] = limbs;
    [a | b << 51, b >> 13 | c << 38, c >> 26 | d << 25, d >> 39 | e << 12]
}

/// The limbs of up to eight numbers, bit 255 left out; lanes without one hold 0.
pub(super) fn read<'a>(numbers: impl Iterator<Item = &'a [u8; BYTES]>) -> [[u64; LANES]; 5] {
    let mut out = [[0; LANES]; 5];
    for (lane, number) in numbers.take(LANES).enumerate() {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(number.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        for (row, limb) in out.iter_mut().zip(split(words)) {
            row[lane] = limb;
        }
    }
    out
}

/// The bytes of one lane.
pub(super) fn write(limbs: &[[u64; LANES]; 5], lane: usize) -> [u8; BYTES] {
    let mut out = [0; BYTES];
    let words = join([limbs[0][lane], limbs[1][lane], limbs[2][lane], limbs[3][lane], limbs[4][lane]]);
    for (bytes, word) in out.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    out
}

/// Whether bytes are a number below p, and even: "non-negative" in RFC 9496.
pub(super) fn is_canonical(number: &[u8; BYTES]) -> bool {
    let high = number[1..31].iter().all(|byte| *byte == 0xff) && number[31] == 0x7f;
    number[31] < 0x80 && number[0] & 1 == 0 && !(high && number[0] >= 0xed)
}
