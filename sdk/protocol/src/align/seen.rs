//! Refusal of what a peer has sent before (ALIGN-3), in 16 bytes an element.
use crate::Error;
use hefu_core::fault::{Switch, is_on};
use hefu_core::{Code, Rank};

/// Elements of a run that is not merged any more.
const LONG_RUN: usize = 1 << 19;

/// What came before, as sorted runs: of each element the first 16 bytes, which tell elements apart, since encodings are
/// distributed like random ones.
///
/// A new batch becomes a run, and runs of similar length are merged. That takes no hashing, so nobody can choose
/// elements that make it slow, and no more memory than the elements need.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<Vec<u128>>);

impl Seen {
    /// Takes in a batch of items of `width` bytes.
    ///
    /// # Errors
    /// `DUPLICATE_ELEMENT` of this requirement where one came before or comes twice.
    pub(crate) fn admit(
        &mut self,
        items: &[u8],
        width: usize,
        from: Rank,
        requirement: &'static str,
    ) -> Result<(), Error> {
        let mut batch: Vec<u128> = items.chunks_exact(width).map(head).collect();
        batch.sort_unstable();
        let repeats = batch.windows(2).any(|pair| pair[0] == pair[1]) || self.0.iter().any(|run| meets(run, &batch));
        if repeats && !is_on(Switch::AcceptsRepeatedElement) {
            return Err(Error::peer(from, Code::DuplicateElement, requirement, "an element came twice"));
        }
        self.0.push(batch);
        while let [.., longer, shorter] = self.0.as_slice()
            && longer.len() < 2 * shorter.len()
            && longer.len() + shorter.len() <= LONG_RUN
        {
            let merged = merge(longer, shorter);
            self.0.truncate(self.0.len() - 2);
            self.0.push(merged);
        }
        Ok(())
    }
}

/// The first 16 bytes of an item, or all of a shorter one.
pub(super) fn head(item: &[u8]) -> u128 {
    let mut head = [0; 16];
    let length = item.len().min(16);
    head[..length].copy_from_slice(&item[..length]);
    u128::from_be_bytes(head)
}

/// Whether two sorted runs have an item in common.
fn meets(run: &[u128], batch: &[u128]) -> bool {
    let mut rest = run;
    batch.iter().any(|item| {
        rest = &rest[gallop(rest, item)..];
        rest.first() == Some(item)
    })
}

/// How many items at the start of a sorted run are below one; fast where they are few.
fn gallop(run: &[u128], item: &u128) -> usize {
    let mut step = 1;
    while run.get(step - 1).is_some_and(|first| first < item) {
        step *= 2;
    }
    let (low, high) = (step / 2, step.min(run.len()));
    low + run[low..high].partition_point(|other| other < item)
}

fn merge(left: &[u128], right: &[u128]) -> Vec<u128> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let mut rest = left;
    for item in right {
        let (below, above) = rest.split_at(gallop(rest, item));
        merged.extend_from_slice(below);
        merged.push(*item);
        rest = above;
    }
    merged.extend_from_slice(rest);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use hefu_crypto::{Seed, Stream};

    fn items(stream: &mut Stream, count: usize) -> Vec<u8> {
        (0..2 * count).flat_map(|_| stream.u64().to_be_bytes()).collect()
    }

    /// Batches of every kind of length; then each item again, from its first to its last.
    // clause: ALIGN-3
    #[test]
    fn whatever_came_before_is_refused() {
        let mut stream = Seed::new([1; 32]).stream("seen", &[]);
        let (mut seen, mut all) = (Seen::default(), Vec::new());
        for count in [0, 1, 1, 5, 300, 2, 300, 7, 64, 1] {
            let batch = items(&mut stream, count);
            seen.admit(&batch, 16, Rank(1), "ALIGN-3").unwrap();
            all.extend(batch);
        }
        let runs: Vec<usize> = seen.0.iter().map(Vec::len).collect();
        assert_eq!(runs.iter().sum::<usize>(), all.len() / 16);
        assert!(seen.0.iter().all(|run| run.is_sorted()) && runs.len() < 8, "{runs:?}");
        for item in all.chunks(16) {
            for place in [0, 1, 9] {
                let mut batch = items(&mut stream, 9);
                batch.splice(16 * place..16 * place, item.iter().copied());
                let error = seen.admit(&batch, 16, Rank(1), "ALIGN-3").unwrap_err();
                assert_eq!((error.code(), error.culprit()), (Code::DuplicateElement, Some(Rank(1))));
            }
        }
        let twice = items(&mut stream, 1).repeat(2);
        assert!(seen.admit(&twice, 16, Rank(1), "ALIGN-3").is_err());
    }

    #[test]
    fn runs_stay_few_and_no_longer_than_needed() {
        let (mut seen, mut next) = (Seen::default(), 0u128);
        for _ in 0..40 {
            let mut batch = Vec::new();
            for _ in 0..LONG_RUN / 16 {
                next += 1;
                batch.extend(next.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes());
            }
            seen.admit(&batch, 16, Rank(1), "ALIGN-3").unwrap();
        }
        assert!(seen.0.iter().all(|run| run.len() <= LONG_RUN && run.is_sorted()));
        assert!(seen.0.len() <= 40 / 16 + 4, "{}", seen.0.len());
    }
}
