//! What the run ran on, in words that a reader can compare.

use crate::measure::kibibytes;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A machine.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Processors that this process may use.
    pub processors: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The file system under the data.
    pub file_system: String,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

impl Machine {
    /// This machine, with its data in `place`.
    pub fn this(place: &Path) -> Self {
        let processor = read("/proc/cpuinfo")
            .lines()
            .find(|line| line.starts_with("model name"))
            .and_then(|line| line.split_once(':'))
            .map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned());
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            processor,
            processors: u64::try_from(processors).unwrap_or(1),
            memory_bytes: kibibytes(&read("/proc/meminfo"), "MemTotal:"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(place).to_owned(),
        }
    }
}

/// The name of the file system under a path; the numbers are those of `statfs(2)`.
pub fn file_system(path: &Path) -> &'static str {
    let Ok(found) = rustix::fs::statfs(path) else { return "unknown" };
    match u64::try_from(found.f_type).unwrap_or(0) {
        0xef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x2fc1_2fc1 => "zfs",
        0x794c_7630 => "overlay",
        0x6969 => "nfs",
        TMPFS => "tmpfs",
        0x8584_58f6 => "ramfs",
        _ => "unknown",
    }
}

const TMPFS: u64 = 0x0102_1994;

/// Whether what is written there stays in memory.
pub fn is_in_memory(path: &Path) -> bool {
    matches!(file_system(path), "tmpfs" | "ramfs")
}
