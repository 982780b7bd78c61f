//! What a process used: memory, processor, disk, as the kernel counts it.

use rustix::time::{ClockId, clock_gettime};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Processor time of all threads of this process.
pub fn process_cpu() -> Duration {
    cpu(ClockId::ProcessCPUTime)
}

/// Processor time of this thread.
pub fn thread_cpu() -> Duration {
    cpu(ClockId::ThreadCPUTime)
}

/// Resident memory of this process, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Resident {
    /// At this moment.
    pub now: u64,
    /// The most there ever was.
    pub peak: u64,
}

/// Reads `/proc/self/status`; zeros where there is none.
pub fn resident() -> Resident {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    Resident { now: kibibytes(&status, "VmRSS:"), peak: kibibytes(&status, "VmHWM:") }
}

/// The figure of a line such as `VmRSS:     1234 kB`, in bytes.
pub(crate) fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let figure =
        line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse::<u64>().ok());
    figure.unwrap_or(0) * 1_024
}

/// Bytes that this process caused to be written to storage, or `None` where the kernel does not say.
pub fn written_bytes() -> Option<u64> {
    let io = std::fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes:")).and_then(|word| word.trim().parse().ok())
}

/// What a file or a directory with all that is in it takes up, in bytes of allocated blocks.
pub fn disk_bytes(path: &Path) -> u64 {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return 0 };
    let own = metadata.blocks() * 512;
    if !metadata.is_dir() {
        return own;
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    own + entries.map(|entry| disk_bytes(&entry.path())).sum::<u64>()
}

/// A count as a figure to divide by; counts beyond 2^53 lose their last digits, which no report prints.
#[allow(clippy::cast_precision_loss, reason = "reports round far above the last bit")]
pub fn figure(count: u64) -> f64 {
    count as f64
}

/// A ratio, zero where there is nothing to divide by.
pub fn ratio(dividend: f64, divisor: f64) -> f64 {
    if divisor > 0.0 { dividend / divisor } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_asked() {
        let mut sum = 0u64;
        for number in 0..3_000_000u64 {
            sum = std::hint::black_box(sum ^ number);
        }
        assert!(process_cpu() >= thread_cpu() && thread_cpu() > Duration::ZERO, "{sum}");
        assert!(resident().peak >= resident().now && resident().now > 100_000);
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a"), vec![1; 100_000]).unwrap();
        assert!(disk_bytes(directory.path()) >= 100_000);
    }
}
