//! Tries the oracles: each known bug is planted, and must be found within so many seeds.

use crate::many;
use fen_raft::planted::Bug;
pub use fen_raft::planted::plant;
use std::process::ExitCode;

/// All bugs.
pub const ALL: [Bug; 10] = Bug::ALL;
/// Each must be found within so many seeds.
const SEEDS_MAX: u64 = 200;

/// Plants each bug in turn, and prints after how many seeds an oracle spoke, and what it said.
pub fn run(jobs: usize) -> ExitCode {
    let mut missed = 0_u8;
    for (number, bug) in ALL.into_iter().enumerate() {
        if let Some((seeds, failure)) = many::first_failure(SEEDS_MAX, jobs, &["--bug", &number.to_string()])
        {
            println!("{bug:?}: found after {seeds} seeds: {failure}");
        } else {
            println!("{bug:?}: NOT FOUND in {SEEDS_MAX} seeds");
            missed += 1;
        }
    }
    ExitCode::from(u8::from(missed > 0))
}
