//! Counter-based random numbers: number i of a stream depends on seed, enterprise, stream and i alone.

/// One stream of one enterprise.
pub(super) struct Numbers {
    key: u64,
    counter: u64,
}

impl Numbers {
    pub(super) fn new(seed: u64, enterprise: u32, stream: u64) -> Numbers {
        let key = mix(mix(seed ^ 0x4845_4655_2f31_0000).wrapping_add(stream << 32 | u64::from(enterprise)));
        Numbers { key, counter: 0 }
    }

    /// The next 64 bits.
    fn next(&mut self) -> u64 {
        self.counter += 1;
        mix(self.key.wrapping_add(self.counter.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Uniform in (0, 1): the middle of one of 2^52 equal parts.
    pub(super) fn uniform(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Normal with mean 0 and variance 1 (Box and Muller; one of the two).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.uniform()));
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    /// A count with the given mean, at most `most` (Poisson by inversion, cut).
    pub(super) fn count(&mut self, mean: f64, most: u32) -> u32 {
        let draw = self.uniform();
        let (mut probability, mut sum, mut count) = (libm::exp(-mean), 0.0, 0);
        loop {
            sum += probability;
            if draw < sum || count == most {
                return count;
            }
            count += 1;
            probability *= mean / f64::from(count);
        }
    }
}

/// The finaliser of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_variance(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n)
    }

    #[test]
    fn moments_over_enterprises_and_within_a_stream() {
        let across: Vec<f64> = (0..20_000).map(|i| Numbers::new(1, i, 2).normal()).collect();
        let mut stream = Numbers::new(1, 7, 2);
        let within: Vec<f64> = (0..20_000).map(|_| stream.normal()).collect();
        for values in [across, within] {
            let (mean, variance) = mean_and_variance(&values);
            assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
        }
        let uniform: Vec<f64> = (0..20_000).map(|i| Numbers::new(9, i, 1).uniform()).collect();
        let (mean, variance) = mean_and_variance(&uniform);
        assert!((mean - 0.5).abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.005);
    }

    #[test]
    fn counts_have_their_mean_and_limit() {
        let counts: Vec<f64> = (0..20_000).map(|i| f64::from(Numbers::new(1, i, 3).count(1.5, 12))).collect();
        let (mean, variance) = mean_and_variance(&counts);
        assert!((mean - 1.5).abs() < 0.05 && (variance - 1.5).abs() < 0.1, "{mean} {variance}");
        assert!((0..1000).all(|i| Numbers::new(2, i, 3).count(50.0, 4) <= 4));
    }

    #[test]
    fn streams_differ() {
        let first = |seed, enterprise, stream| Numbers::new(seed, enterprise, stream).next();
        let all = [first(1, 0, 1), first(2, 0, 1), first(1, 1, 1), first(1, 0, 2)];
        assert!(all.iter().enumerate().all(|(i, a)| all[..i].iter().all(|b| a != b)));
    }
}
