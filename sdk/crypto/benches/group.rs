//! The operations of alignment on a batch of 256 elements, each beside its floor: curve25519-dalek, element by element.
//! Divide by 256 for one element.
//!
//! `cargo bench -p hefu-crypto`
#![allow(clippy::unwrap_used, missing_docs)]
use criterion::{Criterion, criterion_group, criterion_main};
use hefu_crypto::{Backend, Blinder, Points, Seed};
use std::hint::black_box;
use std::time::Duration;

const ELEMENTS: usize = 256;
const TAG: &[u8] = b"hefu/1 bench of a tag as long as that of alignment, with transcript";

fn operations(c: &mut Criterion, backend: Backend) {
    let name = |operation: &str| format!("ristretto255 {} {operation}", backend.name());
    let blinder = Blinder::new(&Seed::new([1; 32])).with_backend(backend);
    let mut stream = Seed::new([2; 32]).stream("bench", &[]);
    let uniform: Vec<[u8; 64]> = (0..ELEMENTS).map(|_| std::array::from_fn(|_| stream.u64() as u8)).collect();
    let keys: Vec<String> = (0..ELEMENTS).map(|i| format!("9144030000YY{i:06}")).collect();
    let points = Points::map(backend, &uniform);
    let products = points.times(&blinder);
    let elements = products.encode();

    c.bench_function(&name("hash"), |b| b.iter(|| Points::hash(backend, TAG, black_box(&keys))));
    c.bench_function(&name("map"), |b| b.iter(|| Points::map(backend, black_box(&uniform))));
    c.bench_function(&name("decode"), |b| b.iter(|| Points::decode(backend, black_box(&elements)).unwrap()));
    c.bench_function(&name("multiply"), |b| b.iter(|| black_box(&points).times(&blinder)));
    c.bench_function(&name("encode"), |b| b.iter(|| black_box(&products).encode()));
}

fn all(c: &mut Criterion) {
    operations(c, Backend::Portable);
    if Backend::detect() != Backend::Portable {
        operations(c, Backend::detect());
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    targets = all
}
criterion_main!(benches);
