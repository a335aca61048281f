//! Masks of a vector of a million values, beside the key stream that they are made of.
//!
//! `cargo bench -p hefu-crypto --bench masks`
#![allow(clippy::unwrap_used, missing_docs)]
use aws_lc_rs::cipher::{AES_128, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hefu_crypto::{Masks, Sign, Stream};
use std::hint::black_box;
use std::time::Duration;
use zeroize::Zeroizing;

const VALUES: usize = 1_000_000;
const PARTIES: u64 = 10;

fn masks(c: &mut Criterion) {
    let mut group = c.benchmark_group("masks");
    group.throughput(Throughput::Bytes(8 * VALUES as u64 * PARTIES));
    let mut values = vec![0u64; VALUES];
    group.bench_function("ten streams added", |b| {
        b.iter(|| {
            let mut masks = Masks::new();
            for party in 0..PARTIES {
                let sign = if party % 2 == 0 { Sign::Plus } else { Sign::Minus };
                masks.push(Zeroizing::new([party as u8; 16]), sign);
            }
            masks.apply(black_box(&mut values));
        });
    });
    let mut block = vec![0u64; 1 << 11];
    group.bench_function("ten streams alone", |b| {
        b.iter(|| {
            for party in 0..PARTIES {
                let mut stream = Stream::new([party as u8; 16]);
                for _ in 0..VALUES.div_ceil(block.len()) {
                    stream.fill_u64(black_box(&mut block));
                }
            }
        });
    });
    let (zeros, mut out) = (vec![0u8; 1 << 14], vec![0u8; (1 << 14) + 16]);
    group.bench_function("ten streams of aws-lc", |b| {
        b.iter(|| {
            for party in 0..PARTIES {
                let key = UnboundCipherKey::new(&AES_128, &[party as u8; 16]).unwrap();
                let iv = EncryptionContext::Iv128(FixedLength::from([0; 16]));
                let mut stream = StreamingEncryptingKey::less_safe_ctr(key, iv).unwrap();
                for _ in 0..(8 * VALUES).div_ceil(zeros.len()) {
                    black_box(stream.update(&zeros, &mut out).unwrap());
                }
            }
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    targets = masks
}
criterion_main!(benches);
