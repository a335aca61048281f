//! The frame path of one side, beside its floor: AES-256-GCM of the same bytes in place, and nothing else.
//!
//! `cargo bench -p hefu-protocol`
#![allow(clippy::unwrap_used, missing_docs)]
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hefu_core::{Rank, SessionId};
use hefu_crypto::FrameKey;
use hefu_protocol::frame::{Frame, HEADER_BYTES, Limits, Opener, Sealer};
use hefu_protocol::{Kind, Message};
use std::hint::black_box;
use std::time::Duration;

const SESSION: SessionId = SessionId([4; 16]);
/// Chunks of a message.
const CHUNKS: usize = 8;

fn key() -> FrameKey {
    FrameKey::new(&[5; 32])
}

fn frames(c: &mut Criterion) {
    for chunk in [1 << 10, 64 << 10, 1 << 20] {
        let mut group = c.benchmark_group(format!("{} KiB", chunk >> 10));
        let message = Message { kind: Kind::Share, stage: 2, round: 1, payload: vec![7; chunk * CHUNKS] };
        let (max_chunk, max_message) = (u32::try_from(chunk).unwrap(), message.payload.len() as u64);
        let limits = Limits { max_chunk, max_message };
        group.throughput(Throughput::Bytes(max_message));
        let mut sealer = Sealer::new(key(), SESSION, Rank(1), Rank(0), max_chunk);
        // A frame is dropped when it has left, as on the way.
        group.bench_function("seal", |b| {
            b.iter(|| sealer.frames(&message).unwrap().map(|f| f.unwrap().body.len()).sum::<usize>())
        });
        let mut sealer = Sealer::new(key(), SESSION, Rank(1), Rank(0), max_chunk);
        let sealed = sealer.seal(&message).unwrap();
        let opener = || Opener::new(key(), SESSION, Rank(1), Rank(0), limits);
        let open = |mut opener: Opener| {
            let take = |frame: &Frame| opener.open(&frame.header, &frame.body).unwrap();
            sealed.iter().filter_map(take).count()
        };
        group.bench_function("open", |b| b.iter_batched(opener, open, BatchSize::SmallInput));
        floor(&mut group, chunk);
    }
}

fn floor(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, chunk: usize) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[5; 32]).unwrap());
    let nonce = || Nonce::assume_unique_for_key([0; NONCE_LEN]);
    let (header, mut text) = ([1; HEADER_BYTES], vec![7; chunk]);
    group.bench_function("seal floor", |b| {
        b.iter(|| {
            for _ in 0..CHUNKS {
                let _tag = black_box(key.seal_in_place_separate_tag(nonce(), Aad::from(header), &mut text).unwrap());
            }
        });
    });
    let tag = key.seal_in_place_separate_tag(nonce(), Aad::from(header), &mut text).unwrap();
    let mut plain = vec![0; chunk];
    group.bench_function("open floor", |b| {
        b.iter(|| {
            for _ in 0..CHUNKS {
                key.open_separate_gather(nonce(), Aad::from(header), &text, tag.as_ref(), &mut plain).unwrap();
            }
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = frames
}
criterion_main!(benches);
