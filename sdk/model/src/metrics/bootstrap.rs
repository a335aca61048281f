//! The bootstrap interval of the KS statistic.
use super::{Group, Interval, Ranking, largest_distance};
use rayon::prelude::*;

/// Bootstrap replicates.
const REPLICATES: u64 = 1000;

/// Percentile interval over stratified replicates: each redraws as many bad rows among the bad ones and as many
/// good among the good.
///
/// Draw i of replicate r takes 32 bits of a counter-based generator: word i/2 of replicate r is the SplitMix64
/// output of the counter r·2^32 + i/2 (seed 0), low half first, and its product with the number of rows, shifted by
/// 32, is the row. Bad rows are drawn before good ones. Percentiles interpolate linearly between order statistics.
pub(super) fn ks_interval(ranking: &Ranking) -> Interval {
    // The group of each bad and of each good row, in ascending order of the score.
    let members = |count: fn(&Group) -> u32| -> Vec<u32> {
        let groups = ranking.groups.iter().enumerate();
        groups.flat_map(|(i, g)| std::iter::repeat_n(i as u32, count(g) as usize)).collect()
    };
    let (bad, good) = (members(|g| g.bad), members(|g| g.good));
    let replicate = |counts: &mut Vec<Group>, r: u64| {
        counts.clear();
        counts.resize(ranking.groups.len(), Group::default());
        let mut draws = Draws::new(r);
        for _ in 0..bad.len() {
            counts[bad[draws.below(bad.len())] as usize].bad += 1;
        }
        for _ in 0..good.len() {
            counts[good[draws.below(good.len())] as usize].good += 1;
        }
        largest_distance(counts.iter().copied(), ranking.bad, ranking.good)
    };
    let mut values: Vec<f64> = (0..REPLICATES).into_par_iter().map_init(Vec::new, replicate).collect();
    values.sort_unstable_by(f64::total_cmp);
    Interval { low: quantile(&values, 0.025), high: quantile(&values, 0.975) }
}

/// The draws of one replicate.
struct Draws {
    counter: u64,
    word: u64,
    halves: u32,
}

impl Draws {
    fn new(replicate: u64) -> Self {
        Draws { counter: replicate << 32, word: 0, halves: 0 }
    }

    /// A value below `count` ≤ 2^32.
    fn below(&mut self, count: usize) -> usize {
        if self.halves == 0 {
            self.word = split_mix(self.counter);
            self.counter += 1;
            self.halves = 2;
        }
        let draw = self.word & 0xffff_ffff;
        self.word >>= 32;
        self.halves -= 1;
        ((draw * count as u64) >> 32) as usize
    }
}

/// Output number `counter` of SplitMix64 with seed 0 (Steele, Lea and Flood, 2014).
fn split_mix(counter: u64) -> u64 {
    let mut z = counter.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = libm::floor(position) as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_is_the_published_sequence() {
        let first = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        assert_eq!([split_mix(0), split_mix(1), split_mix(2)], first);
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[0.0, 1.0, 2.0, 3.0, 4.0], 0.25), 1.0);
        assert_eq!(quantile(&[0.0, 1.0], 0.75), 0.75);
        assert_eq!(quantile(&[7.0], 0.975), 7.0);
    }

    #[test]
    fn draws_cover_the_range_evenly() {
        let mut draws = Draws::new(3);
        let mut counts = [0u32; 10];
        (0..100_000).for_each(|_| counts[draws.below(10)] += 1);
        assert!(counts.iter().all(|c| c.abs_diff(10_000) < 500), "{counts:?}");
    }
}
