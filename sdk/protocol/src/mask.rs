//! Pairwise masks: streams that two parties share, added by one and taken away by the other.
use hefu_core::Rank;
use hefu_crypto::Stream;

/// Adds or takes away a stream, element by element, modulo 2^64.
pub(crate) fn add_stream(values: &mut [u64], mut stream: Stream, negative: bool) {
    let mut words = [0; 1024];
    for values in values.chunks_mut(words.len()) {
        let words = &mut words[..values.len()];
        stream.fill_u64(words);
        for (value, word) in values.iter_mut().zip(words) {
            *value = if negative { value.wrapping_sub(*word) } else { value.wrapping_add(*word) };
        }
    }
}

/// Σ ±S over other parties: plus for the lower rank of a pair.
pub(crate) fn add_masks(values: &mut [u64], own: Rank, masks: impl IntoIterator<Item = (Rank, Stream)>) {
    for (other, stream) in masks {
        add_stream(values, stream, own > other);
    }
}
