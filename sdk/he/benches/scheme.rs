//! The operations of a training round, each beside its floor: the transforms, key stream and products that it cannot do
//! without, with no packing, checks or conversions.
//!
//! `cargo bench -p hefu-he`
#![allow(clippy::unwrap_used, missing_docs)]
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hefu_crypto::Stream;
use hefu_he::{AnswerStreams, Backend, Coefficients, Form, N, SEED_BYTES, Set, Slots, floor::Floor};
use std::hint::black_box;
use std::time::Duration;

const KEY: [u8; SEED_BYTES] = [1; SEED_BYTES];

fn name(set: Set, backend: Backend, operation: &str) -> String {
    format!("{} {} {operation}", set.name(), backend.name())
}

fn slots(c: &mut Criterion, set: Set, backend: Backend) {
    let (context, floor) = (Slots::new(set, backend).unwrap(), Floor::new(set, backend));
    let (mut scratch, mut work) = (context.scratch(), floor.scratch());
    let (secret, bytes) = context.generate(&KEY, &mut Stream::new([2; 16]));
    let public = context.public_key(&bytes, &KEY).unwrap();
    let values: Vec<i64> = (0..N as i64).map(|i| (i * 7919) % 4096 - 2048).collect();
    let (mut ciphertext, mut accumulator) = (Vec::new(), context.accumulator());
    let mut noise = Stream::new([3; 16]);

    c.bench_function(&name(set, backend, "encrypt"), |b| {
        b.iter(|| context.encrypt(&secret, &values, &KEY, &mut noise, &mut scratch, &mut ciphertext).unwrap());
    });
    c.bench_function(&name(set, backend, "encrypt floor"), |b| b.iter(|| floor.encrypt(&mut noise, &mut work)));
    c.bench_function(&name(set, backend, "accumulate pair"), |b| {
        b.iter(|| {
            let pair = (values.as_slice(), ciphertext.as_slice());
            context.accumulate_pair(&mut accumulator, pair, pair, &mut scratch).unwrap();
        });
    });
    c.bench_function(&name(set, backend, "accumulate pair floor"), |b| {
        b.iter(|| floor.accumulate_pair(&mut noise, &mut work));
    });
    let (mut answer, mut mask) = (Vec::new(), Vec::new());
    let mut streams = [4, 5, 6].map(|i| Stream::new([i; 16]));
    c.bench_function(&name(set, backend, "answer"), |b| {
        b.iter(|| {
            let [mask_stream, noise, flood] = &mut streams;
            let streams = AnswerStreams { mask: mask_stream, noise, flood };
            context.answer(&mut accumulator, &public, streams, &mut scratch, &mut answer, &mut mask).unwrap();
        });
    });
    c.bench_function(&name(set, backend, "answer floor"), |b| b.iter(|| floor.answer(&mut noise, &mut work)));
    let mut opened = Vec::new();
    c.bench_function(&name(set, backend, "decrypt"), |b| {
        b.iter(|| context.decrypt(&secret, &answer, &mut scratch, &mut opened).unwrap());
    });
    c.bench_function(&name(set, backend, "decrypt floor"), |b| b.iter(|| floor.decrypt(&mut work)));
    c.bench_function(&name(set, backend, "generate"), |b| {
        b.iter(|| black_box(context.generate(&KEY, &mut noise)));
    });
    c.bench_function(&name(set, backend, "public key"), |b| {
        b.iter(|| black_box(context.public_key(&bytes, &KEY).unwrap()));
    });
}

fn coefficients(c: &mut Criterion, backend: Backend) {
    let set = Set::G;
    let (context, floor) = (Coefficients::new(backend), Floor::new(set, backend));
    let (mut scratch, mut work) = (context.scratch(), floor.scratch());
    let (secret, bytes) = context.generate(&KEY, &mut Stream::new([2; 16]));
    let public = context.public_key(&bytes, &KEY).unwrap();
    let values: Vec<u64> = (0..N as u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
    let integers: Vec<i64> = values.iter().map(|&v| (v >> 41) as i64 - (1 << 22)).collect();
    let (mut ciphertext, mut block, mut noise) = (Vec::new(), context.block(), Stream::new([3; 16]));

    c.bench_function(&name(set, backend, "encrypt"), |b| {
        b.iter(|| context.encrypt(&secret, &values, &KEY, &mut noise, &mut scratch, &mut ciphertext).unwrap());
    });
    c.bench_function(&name(set, backend, "encrypt floor"), |b| b.iter(|| floor.encrypt(&mut noise, &mut work)));
    c.bench_function(&name(set, backend, "expand"), |b| b.iter(|| context.expand(&ciphertext, &mut block).unwrap()));
    let mut sum = context.sum();
    for form in [Form::Transformed, Form::Integers] {
        let column = context.column(&integers, form).unwrap();
        c.bench_function(&name(set, backend, &format!("accumulate {form:?}")), |b| {
            b.iter(|| context.accumulate(&mut sum, &column, 0, &block, &mut scratch).unwrap());
        });
    }
    let mut answer = Vec::new();
    let mut streams = [4, 5, 6].map(|i| Stream::new([i; 16]));
    c.bench_function(&name(set, backend, "answer"), |b| {
        b.iter_batched(
            || (),
            |()| {
                let [mask, noise, flood] = &mut streams;
                let streams = AnswerStreams { mask, noise, flood };
                context.answer(&mut sum, &public, streams, &mut scratch, &mut answer).unwrap()
            },
            BatchSize::PerIteration,
        );
    });
    c.bench_function(&name(set, backend, "decrypt"), |b| {
        b.iter(|| context.decrypt(&secret, &answer, &mut scratch).unwrap());
    });
}

fn all(c: &mut Criterion) {
    for backend in [Backend::detect(), Backend::Portable] {
        for set in [Set::S, Set::SCoarse] {
            slots(c, set, backend);
        }
        coefficients(c, backend);
        if backend == Backend::Portable {
            break;
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    targets = all
}
criterion_main!(benches);
