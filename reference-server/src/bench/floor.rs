//! The floors: what the kernels alone need for the same work, measured in the same run.
use crate::failure::Result;
use hefu::{Code, Failure};
use hefu_crypto::{Blinder, Seed, Stream};
use hefu_he::{AnswerStreams, Backend, Coefficients, Form, N, Set, Slots};
use hefu_protocol::train::sine_sets;
use std::time::Instant;

/// Repetitions of one operation; the floor is the fastest group of them.
const GROUPS: usize = 6;
const IN_A_GROUP: usize = 4;

/// Seconds of alignment's kernels on all cores: wall, and CPU of this process.
#[derive(Debug, Clone, Copy)]
pub struct AlignFloor {
    /// Wall seconds.
    pub seconds: f64,
    /// CPU seconds.
    pub cpu_seconds: f64,
}

/// Alignment's kernels for both sides' keys: hash, multiply, encode; decode, multiply, encode. The faster of two runs.
pub fn align(own: &[u64], peer: &[u64]) -> Result<AlignFloor> {
    let (first, second) = (align_once(own, peer)?, align_once(own, peer)?);
    Ok(AlignFloor {
        seconds: first.seconds.min(second.seconds),
        cpu_seconds: first.cpu_seconds.min(second.cpu_seconds),
    })
}

fn align_once(own: &[u64], peer: &[u64]) -> Result<AlignFloor> {
    let seed = Seed::new([7; 32]);
    let (first, second) = (Blinder::new(&seed.derive("first", &[])), Blinder::new(&seed.derive("second", &[])));
    let keys: Vec<String> = own.iter().chain(peer).map(|row| format!("E{row:09}")).collect();
    let (start, cpu) = (Instant::now(), cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID));
    let blinded = first.hash_and_blind(b"hefu/1 bench", &keys);
    let bytes = blinded.concat();
    second.blind(&bytes).map_err(|_| failed())?;
    let cpu_seconds = cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID) - cpu;
    Ok(AlignFloor { seconds: start.elapsed().as_secs_f64(), cpu_seconds })
}

/// The size of a training job.
pub struct Training<'a> {
    /// Training rows.
    pub rows: u64,
    /// Columns by rank; the intercept is not counted.
    pub columns: &'a [u64],
    /// Registered sine set of every evaluation.
    pub sine_sets: Vec<u16>,
}

/// CPU seconds of training's ring-LWE operations, over all parties: encrypt, accumulate, answer, decrypt of slots;
/// encrypt, expand, accumulate, answer, decrypt of column sums.
pub fn train(job: &Training<'_>, backend: Backend) -> Result<f64> {
    let blocks = (job.rows as usize).div_ceil(N) as f64;
    let slots = [SlotCosts::measure(Set::S, backend)?, SlotCosts::measure(Set::SCoarse, backend)?];
    let sums = SumCosts::measure(backend)?;
    let (mut answers, mut expansions, mut prepared) = (0.0, 0.0, 0.0);
    for (rank, count) in job.columns.iter().enumerate() {
        let own = *count as f64 + if rank == 0 { 1.0 } else { 0.0 };
        let owners = if rank < 2 { 1.0 } else { 2.0 };
        answers += own * owners;
        expansions += owners;
        prepared += own;
    }
    let gradient = blocks * (2.0 * sums.encrypt + expansions * sums.expand + answers * sums.accumulate)
        + answers * (sums.answer + sums.decrypt);
    let mut seconds = prepared * blocks * sums.prepare;
    for id in &job.sine_sets {
        let set = sine_sets().iter().find(|set| set.id == *id).ok_or_else(failed)?;
        let costs = &slots[usize::from(set.set != Set::S)];
        let harmonics = f64::from(set.harmonics());
        seconds += blocks * (harmonics * (2.0 * costs.encrypt + costs.accumulate_pair) + costs.answer + costs.decrypt)
            + gradient;
    }
    Ok(seconds)
}

fn failed() -> Failure {
    Failure::because(Code::Internal, "A kernel of the floor refused its own data.")
}

/// CPU seconds of this thread or this process.
pub(super) fn cpu_time(clock: libc::clockid_t) -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a writable timespec, which the call fills; on an error it stays zero.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// CPU seconds of one call: the fastest group's mean.
fn one(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut fastest = f64::INFINITY;
    for _ in 0..GROUPS {
        let start = cpu_time(libc::CLOCK_THREAD_CPUTIME_ID);
        for _ in 0..IN_A_GROUP {
            work()?;
        }
        fastest = fastest.min((cpu_time(libc::CLOCK_THREAD_CPUTIME_ID) - start) / IN_A_GROUP as f64);
    }
    Ok(fastest)
}

/// CPU seconds of one operation on one block of slots.
struct SlotCosts {
    encrypt: f64,
    accumulate_pair: f64,
    answer: f64,
    decrypt: f64,
}

impl SlotCosts {
    fn measure(set: Set, backend: Backend) -> Result<Self> {
        let slots = Slots::new(set, backend).map_err(|_| failed())?;
        let (mut scratch, mut sum) = (slots.scratch(), slots.accumulator());
        let (mut secret, mut mask, mut noise, mut flood) = (stream(1), stream(2), stream(3), stream(4));
        let (key, public) = slots.generate(&[9; 16], &mut secret);
        let public = slots.public_key(&public, &[9; 16]).map_err(|_| failed())?;
        let values: Vec<i64> = (0..N as i64).map(|i| (i * 7919) % 1_000_003 - 500_000).collect();
        let (mut cipher, mut answer, mut masks, mut plain) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let encrypt = one(|| {
            slots.encrypt(&key, &values, &[5; 16], &mut noise, &mut scratch, &mut cipher).map_err(|_| failed())
        })?;
        let pair = (values.as_slice(), cipher.as_slice());
        let accumulate_pair = one(|| slots.accumulate_pair(&mut sum, pair, pair, &mut scratch).map_err(|_| failed()))?;
        let answered = one(|| {
            let streams = AnswerStreams { mask: &mut mask, noise: &mut noise, flood: &mut flood };
            slots.answer(&mut sum, &public, streams, &mut scratch, &mut answer, &mut masks).map_err(|_| failed())
        })?;
        let decrypt = one(|| slots.decrypt(&key, &answer, &mut scratch, &mut plain).map_err(|_| failed()))?;
        Ok(SlotCosts { encrypt, accumulate_pair, answer: answered, decrypt })
    }
}

/// CPU seconds of one operation of column sums, on one block where it works on blocks.
struct SumCosts {
    prepare: f64,
    encrypt: f64,
    expand: f64,
    accumulate: f64,
    answer: f64,
    decrypt: f64,
}

impl SumCosts {
    fn measure(backend: Backend) -> Result<Self> {
        let sums = Coefficients::new(backend);
        let (mut scratch, mut block, mut sum) = (sums.scratch(), sums.block(), sums.sum());
        let (mut secret, mut mask, mut noise, mut flood) = (stream(5), stream(6), stream(7), stream(8));
        let (key, public) = sums.generate(&[9; 16], &mut secret);
        let public = sums.public_key(&public, &[9; 16]).map_err(|_| failed())?;
        let values: Vec<i64> = (0..N as i64).map(|i| (i * 7919) % 4_000_037 - 2_000_000).collect();
        let shares: Vec<u64> = (0..N as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let (mut cipher, mut answer) = (Vec::new(), Vec::new());
        let column = sums.column(&values, Form::Transformed).map_err(|_| failed())?;
        let prepare = one(|| sums.column(&values, Form::Transformed).map(drop).map_err(|_| failed()))?;
        let encrypt =
            one(|| sums.encrypt(&key, &shares, &[5; 16], &mut noise, &mut scratch, &mut cipher).map_err(|_| failed()))?;
        let expand = one(|| sums.expand(&cipher, &mut block).map_err(|_| failed()))?;
        let accumulate = one(|| sums.accumulate(&mut sum, &column, 0, &block, &mut scratch).map_err(|_| failed()))?;
        let answered = one(|| {
            let streams = AnswerStreams { mask: &mut mask, noise: &mut noise, flood: &mut flood };
            sums.answer(&mut sum, &public, streams, &mut scratch, &mut answer).map(drop).map_err(|_| failed())
        })?;
        let decrypt = one(|| sums.decrypt(&key, &answer, &mut scratch).map(drop).map_err(|_| failed()))?;
        Ok(SumCosts { prepare, encrypt, expand, accumulate, answer: answered, decrypt })
    }
}

fn stream(label: u8) -> Stream {
    Stream::new([label; 16])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_floor_grows_with_the_work() {
        let of = |columns: &[u64], sets: usize| {
            let sine_sets = vec![sine_sets()[0].id; sets];
            train(&Training { rows: 20_000, columns, sine_sets }, Backend::detect()).unwrap()
        };
        let (small, large) = (of(&[5, 5], 2), of(&[50, 50], 8));
        assert!(small > 0.0 && large > 2.0 * small, "{small} {large}");
        assert!(align(&[1, 2, 3], &[3, 4]).unwrap().seconds > 0.0);
    }
}
