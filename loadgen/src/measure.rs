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

/// Lets the most that there ever was begin anew; where the kernel does not know how, it stays.
pub fn forget_peak() {
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

/// The figure of a line such as `VmRSS:     1234 kB`, in bytes.
pub(crate) fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let figure =
        line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse::<u64>().ok());
    figure.unwrap_or(0) * 1_024
}

/// Bytes that went over the loopback interface since the machine started, whoever sent them, or `None` where the kernel
/// does not say.
pub fn loopback_bytes() -> Option<u64> {
    sent_by(&std::fs::read_to_string("/proc/net/dev").ok()?, "lo")
}

/// What an interface has sent: the ninth figure of its line in `/proc/net/dev`.
fn sent_by(table: &str, interface: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'))?;
    line.split_whitespace().nth(8)?.parse().ok()
}

/// Bytes that this process caused to be written to storage, or `None` where the kernel does not say.
pub fn written_bytes() -> Option<u64> {
    let io = std::fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes:")).and_then(|word| word.trim().parse().ok())
}

/// What some processes use, all together.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub resident: u64,
    /// The sum of the most that each ever had.
    pub resident_peak: u64,
    /// Processor time since each was started.
    pub cpu: Duration,
    /// Bytes that they caused to be written to storage since.
    pub written: u64,
}

impl Usage {
    /// Of these processes; one that has ended uses nothing.
    pub fn of_all(processes: &[u32]) -> Self {
        processes.iter().map(|process| Self::of(*process)).fold(Self::default(), Self::plus)
    }

    fn plus(self, other: Self) -> Self {
        Self {
            resident: self.resident + other.resident,
            resident_peak: self.resident_peak + other.resident_peak,
            cpu: self.cpu + other.cpu,
            written: self.written + other.written,
        }
    }

    fn of(process: u32) -> Self {
        let text =
            |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
        let (status, io) = (text("status"), text("io"));
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
        Self {
            resident: kibibytes(&status, "VmRSS:"),
            resident_peak: kibibytes(&status, "VmHWM:"),
            cpu: ticks(&text("stat")),
            written: written.and_then(|word| word.trim().parse().ok()).unwrap_or(0),
        }
    }
}

/// User and system time in `/proc/N/stat`: fields 14 and 15, in hundredths of a second. The name in field 2 may hold
/// anything, but ends with the last parenthesis.
fn ticks(stat: &str) -> Duration {
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
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
    fn another_process_is_seen_from_outside() {
        let stat = "7 (a) b) R 1 1 1 0 -1 0 1 0 0 0 150 50 0 0 20 0 1";
        assert_eq!(ticks(stat), Duration::from_secs(2));
        assert!(Usage::of_all(&[std::process::id(), u32::MAX]).resident > 100_000);
    }

    #[test]
    fn what_an_interface_sent_is_its_ninth_figure() {
        let table = "Inter-| Receive | Transmit\n  lo: 1 2 3 4 5 6 7 8 9 10\nlo2:1 2 3 4 5 6 7 8 7 10\n";
        assert_eq!(
            (sent_by(table, "lo"), sent_by(table, "lo2"), sent_by(table, "eth0")),
            (Some(9), Some(7), None)
        );
    }

    #[test]
    fn the_kernel_is_asked() {
        let mut sum = 0u64;
        for number in 0..3_000_000u64 {
            sum = std::hint::black_box(sum ^ number);
        }
        assert!(process_cpu() >= thread_cpu() && thread_cpu() > Duration::ZERO, "{sum}");
        let memory = resident();
        assert!(
            memory.peak >= memory.now && memory.now > 100_000,
            "of one reading: other tests take memory meanwhile"
        );
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a"), vec![1; 100_000]).unwrap();
        assert!(disk_bytes(directory.path()) >= 100_000);
    }
}
