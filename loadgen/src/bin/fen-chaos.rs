//! `fen-chaos`: real processes of a cluster, killed, stopped, cut off and replaced while clients pay; `cargo xtask chaos` builds
//! and runs it.

use clap::Parser;
use fen_loadgen::chaos::{Outcome, Plan, run, sandbox};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Kills, stops, cuts off and replaces the processes of a cluster under load, and adds everything up after each round.
#[derive(Parser, Debug)]
#[command(after_help = "Examples:\n  fen-chaos --minutes 5\n  fen-chaos --rounds 7 --seed 3 --shards 1")]
struct Options {
    /// Rounds begin for so long.
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// No more rounds than this.
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true)]
    rounds: u64,
    /// Of the troubles and the payments; drawn from the time of day where none is given.
    #[arg(long)]
    seed: Option<u64>,
    /// How many shards.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    shards: u32,
    /// The `fen` to run; the one beside this program where none is named.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// An empty folder for the data, which stays.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let seed = options.seed.unwrap_or_else(drawn).max(1);
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("fen"));
    let Some(program) = options.program.or_else(beside).filter(|program| program.is_file()) else {
        eprintln!("there is no `fen` beside this program: build it, or name one with --program");
        return ExitCode::from(2);
    };
    let is_sandboxed = match sandbox::enter() {
        Ok(()) => true,
        Err(reason) => {
            println!("without cuts and full disks, since namespaces cannot be had here: {reason}");
            false
        }
    };
    println!("seed {seed}, {} shards on 3 nodes, {} minutes", options.shards, options.minutes);
    let plan = Plan {
        lasts: Duration::from_secs(options.minutes.saturating_mul(60)),
        rounds_max: options.rounds,
        seed,
        shards: options.shards,
        data: options.data,
        is_sandboxed,
    };
    let begun = Instant::now();
    match run(&plan, &program, &mut |line| println!("{line}")) {
        Ok(outcome) => {
            print(&outcome, begun.elapsed(), seed);
            ExitCode::from(u8::from(!outcome.faults.is_empty()))
        }
        Err(fault) => {
            eprintln!("seed {seed}: {fault}");
            ExitCode::from(3)
        }
    }
}

fn print(outcome: &Outcome, wall: Duration, seed: u64) {
    println!(
        "{} rounds in {:.0} s (seed {seed}): {} transfers acknowledged, {}",
        outcome.rounds,
        wall.as_secs_f64(),
        outcome.acknowledged,
        if outcome.faults.is_empty() {
            "none lost, none doubled, the members' books alike"
        } else {
            "WRONG:"
        }
    );
    outcome.faults.iter().for_each(|fault| println!("  {fault}"));
    for (trouble, struck) in &outcome.struck {
        let silence = struck.silence.as_millis();
        println!("{:>6}  {}; longest silence {silence} ms", struck.count, trouble.words());
    }
}
