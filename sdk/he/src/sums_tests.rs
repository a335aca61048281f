//! Column sums in set G, on both backends.
use crate::tests::{KEY, Streams, signed, words};
use crate::{Backend, Coefficients, Error, Form, N, Set};
use hefu_crypto::Stream;

#[test]
fn inner_products_modulo_2_64() {
    let mut transcripts = Vec::new();
    for (backend, form) in
        [(Backend::Portable, Form::Transformed), (Backend::Ifma, Form::Transformed), (Backend::Ifma, Form::Integers)]
    {
        let context = Coefficients::new(backend);
        let mut scratch = context.scratch();
        let (secret, bytes) = context.generate(&KEY, &mut Stream::new([2; 16]));
        let public = context.public_key(&bytes, &KEY).unwrap();
        let rows = 2 * N + 777;
        let values: Vec<u64> = (0..3).flat_map(|i| words(70 + i, u64::MAX)).take(rows).collect();
        // edge words: the centred remainder of q·2^63 is exactly t/2
        let values: Vec<u64> =
            [0, 1 << 63, u64::MAX, (1 << 63) - 1, (1 << 63) + 1].into_iter().chain(values).take(rows).collect();
        let narrow: Vec<i64> = (0..3).flat_map(|i| signed(80 + i, 24)).take(rows).collect();
        let mut wide = narrow.clone();
        wide[rows - 1] = -(1 << 33);
        let mut transcript = vec![bytes];
        let mut blocks = Vec::new();
        for (i, values) in values.chunks(N).enumerate() {
            let (mut out, mut block) = (Vec::new(), context.block());
            let noise = &mut Stream::new([30 + i as u8; 16]);
            context.encrypt(&secret, values, &[20 + i as u8; 16], noise, &mut scratch, &mut out).unwrap();
            context.expand(&out, &mut block).unwrap();
            blocks.push(block);
            transcript.push(out);
        }
        let mut sum = context.sum();
        for integers in [&narrow, &wide] {
            let column = context.column(integers, form).unwrap();
            assert_eq!((column.rows(), column.blocks()), (rows, 3));
            for (i, block) in blocks.iter().enumerate() {
                context.accumulate(&mut sum, &column, i, block, &mut scratch).unwrap();
            }
            let mut out = Vec::new();
            let mask = context.answer(&mut sum, &public, Streams::new(50).borrow(), &mut scratch, &mut out).unwrap();
            assert_eq!(out.len(), Set::G.answer_bytes());
            let opened = context.decrypt(&secret, &out, &mut scratch).unwrap();
            let expected =
                integers.iter().zip(&values).fold(0u64, |s, (&x, &y)| s.wrapping_add((x as u64).wrapping_mul(y)));
            assert_close(opened, expected.wrapping_add(mask));
            transcript.push(out);
            assert_eq!(context.accumulate(&mut sum, &column, 3, &blocks[0], &mut scratch), Err(Error::NoSuchBlock));
        }
        transcripts.push(transcript);
    }
    assert!(transcripts.windows(2).all(|w| w[0] == w[1]));
}

/// A column sum is off by less than 2^24; its high 38 bits are right within one unit (spec/ringlwe.md, section 5).
fn assert_close(opened: u64, exact: u64) {
    let error = opened.wrapping_sub(exact).cast_signed();
    assert!(error.unsigned_abs() < 1 << 24, "off by {error}");
    let units = ((opened >> 26).wrapping_sub(exact >> 26) << 26).cast_signed() >> 26;
    assert!(units.abs() <= 1, "{units} units");
}

#[test]
fn sums_refuse_bad_bytes_and_survive_their_limit() {
    for backend in [Backend::Portable, Backend::Ifma] {
        let context = Coefficients::new(backend);
        let mut scratch = context.scratch();
        let (secret, bytes) = context.generate(&KEY, &mut Stream::new([2; 16]));
        let public = context.public_key(&bytes, &KEY).unwrap();
        let (mut out, mut block) = (Vec::new(), context.block());
        context.encrypt(&secret, &[7, 9], &[3; 16], &mut Stream::new([4; 16]), &mut scratch, &mut out).unwrap();
        context.expand(&out, &mut block).unwrap();
        let mut bad = out.clone();
        bad[16..23].fill(0xff);
        assert_eq!(context.expand(&bad, &mut block), Err(Error::BadElement));
        assert!(context.expand(&out[1..], &mut block).is_err());
        context.expand(&out, &mut block).unwrap();
        let column = context.column(&[3, -5], Form::Transformed).unwrap();
        let mut sum = context.sum();
        for _ in 0..4100 {
            context.accumulate(&mut sum, &column, 0, &block, &mut scratch).unwrap();
        }
        let mask = context.answer(&mut sum, &public, Streams::new(50).borrow(), &mut scratch, &mut out).unwrap();
        assert_close(
            context.decrypt(&secret, &out, &mut scratch).unwrap(),
            mask.wrapping_add(4100u64.wrapping_mul(21u64.wrapping_sub(45))),
        );
        for at in [0, 8] {
            let mut bad = out.clone();
            bad[at..at + 7].fill(0xff);
            assert_eq!(context.decrypt(&secret, &bad, &mut scratch), Err(Error::BadElement));
        }
        assert_eq!(context.column(&[1 << 33, 1 << 33, 1], Form::Transformed).err(), Some(Error::NormTooLarge));
    }
}

/// Answers of the many masks test.
const MASKS: u16 = 600;

/// A key that is another for every number.
fn numbered(number: u16, purpose: u8) -> Stream {
    let [high, low] = number.to_be_bytes();
    let mut key = [purpose; 16];
    (key[0], key[1]) = (high, low);
    Stream::new(key)
}

/// Every answer has a mask and an encryption of zero of its own. A third of the masked sums lie on a step of 2^26, a
/// third at 0, where a unit less is the largest value, and a third anywhere.
#[test]
fn many_masks_stay_within_the_bound() {
    let mut transcripts = Vec::new();
    for backend in [Backend::Portable, Backend::Ifma] {
        let context = Coefficients::new(backend);
        let mut scratch = context.scratch();
        let (secret, bytes) = context.generate(&KEY, &mut Stream::new([2; 16]));
        let public = context.public_key(&bytes, &KEY).unwrap();
        let (mut out, mut block, mut sum) = (Vec::new(), context.block(), context.sum());
        let digits = [1, 1 << 26, 1 << 58];
        context.encrypt(&secret, &digits, &[3; 16], &mut Stream::new([4; 16]), &mut scratch, &mut out).unwrap();
        context.expand(&out, &mut block).unwrap();
        let (mut transcript, mut squares, mut largest, mut below) = (Vec::new(), 0f64, 0, [0; 3]);
        for number in 0..MASKS {
            let kind = usize::from(number % 3);
            let target = numbered(number, 5).u64() & [!0 << 26, 0, !0][kind];
            let exact = target.wrapping_sub(numbered(number, 6).u64());
            let multipliers = [exact & 0x3ff_ffff, exact >> 26 & 0xffff_ffff, exact >> 58].map(u64::cast_signed);
            let column = context.column(&multipliers, Form::Transformed).unwrap();
            context.accumulate(&mut sum, &column, 0, &block, &mut scratch).unwrap();
            let mut streams = Streams([6, 7, 8].map(|purpose| numbered(number, purpose)));
            let mask = context.answer(&mut sum, &public, streams.borrow(), &mut scratch, &mut out).unwrap();
            assert_eq!(exact.wrapping_add(mask), target);
            let opened = context.decrypt(&secret, &out, &mut scratch).unwrap();
            assert_close(opened, target);
            let error = opened.wrapping_sub(target).cast_signed();
            squares += (error as f64).powi(2);
            largest = largest.max(error.unsigned_abs());
            below[kind] += u16::from(opened >> 26 != target >> 26);
            transcript.extend_from_slice(&hefu_crypto::sha256(&[&out]));
        }
        // the switch rounds c0 and N values of c1, of which a ternary secret takes two thirds
        let expected = ((1.0 + N as f64 * 2.0 / 3.0) / 12.0).sqrt() * 14f64.exp2();
        let deviation = (squares / f64::from(MASKS)).sqrt();
        assert!((deviation / expected - 1.0).abs() < 0.15, "{deviation} for {expected}");
        assert!(largest < 1 << 21, "six deviations, not {largest}");
        // on a step, the error's sign decides
        assert!(below[..2].iter().all(|count| (60..140).contains(count)), "{below:?}");
        assert!(below[2] < 20, "{below:?}");
        transcripts.push(transcript);
    }
    assert!(transcripts[0] == transcripts[1], "the backends differ");
}
