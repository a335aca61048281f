//! What a stage costs this process: wall time, CPU time, bytes.
use crate::channel::Traffic;
use hefu_core::Stage;
use std::time::Instant;

/// The cost of one stage at this node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StageCost {
    pub(crate) stage: Stage,
    pub(crate) seconds: f64,
    /// User and system time of the whole process.
    pub(crate) cpu_seconds: f64,
    /// Sealed bytes of the stage's frames, relayed ones included.
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
}

impl StageCost {
    /// Looks up what the stage's frames come to by now.
    pub(super) fn count(&mut self, traffic: &Traffic) {
        (self.bytes_sent, self.bytes_received) = traffic.of_stage(self.stage.number());
    }

    /// Adds the time of a further part of the stage.
    pub(super) fn add(&mut self, part: &StageCost) {
        self.seconds += part.seconds;
        self.cpu_seconds += part.cpu_seconds;
    }
}

pub(super) struct Meter {
    stage: Stage,
    start: Instant,
    cpu: f64,
}

impl Meter {
    pub(super) fn start(stage: Stage) -> Self {
        Meter { stage, start: Instant::now(), cpu: cpu_seconds() }
    }

    pub(super) fn stop(self, traffic: &Traffic) -> StageCost {
        let (bytes_sent, bytes_received) = traffic.of_stage(self.stage.number());
        StageCost {
            stage: self.stage,
            seconds: super::seconds(self.start.elapsed()),
            cpu_seconds: cpu_seconds() - self.cpu,
            bytes_sent,
            bytes_received,
        }
    }
}

fn usage() -> Option<libc::rusage> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a writable rusage; on success the call has filled it.
    unsafe { (libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) == 0).then(|| usage.assume_init()) }
}

/// User and system CPU seconds of this process.
pub(crate) fn cpu_seconds() -> f64 {
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    usage().map_or(0.0, |usage| seconds(usage.ru_utime) + seconds(usage.ru_stime))
}

/// Largest resident size of this process, MiB.
pub fn peak_rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    // Where there is no /proc, the system's own figure; Linux counts it in KiB.
    kib.or_else(|| usage().map(|usage| usage.ru_maxrss as f64)).unwrap_or(0.0) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_time_and_memory() {
        let before = cpu_seconds();
        let mut value = 1_u64;
        while cpu_seconds() <= before {
            value = std::hint::black_box(value.wrapping_mul(3));
        }
        assert!(peak_rss_mib() > 1.0);
    }
}
