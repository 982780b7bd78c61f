//! The simulator's command.
//!
//! ```text
//! fen-sim 7                    one seed, with its story
//! fen-sim --seeds 500          so many, each in a process of its own, and a summary
//! ```

use clap::Parser;
use fen_sim::{entropy, many, run};
use std::process::ExitCode;
use std::sync::PoisonError;

/// Simulates a whole cluster from a seed.
#[derive(Parser, Debug)]
#[command(
    after_help = "Examples:\n  fen-sim 7\n  fen-sim --seeds 500\n  fen-sim --seeds 500 --from 10000 --jobs 2"
)]
struct Options {
    /// One seed, told as it happens.
    seed: Option<u64>,
    /// So many seeds, and a summary.
    #[arg(long, conflicts_with = "seed")]
    seeds: Option<u64>,
    /// The first of them; drawn from the time of day where none is given.
    #[arg(long)]
    from: Option<u64>,
    /// Processes at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// One seed, answered with one line of JSON.
    #[arg(long, hide = true)]
    quiet: bool,
    /// Plants each known bug in turn and says after how many seeds it was found.
    #[cfg(feature = "planted")]
    #[arg(long, conflicts_with_all = ["seed", "seeds"])]
    planted: bool,
    /// The bug in this process, by its number.
    #[cfg(feature = "planted")]
    #[arg(long, hide = true)]
    bug: Option<usize>,
    /// Also what the nodes log.
    #[arg(long)]
    log: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    #[cfg(feature = "planted")]
    if options.planted {
        return fen_sim::planted::run(options.jobs);
    }
    match (options.seed, options.seeds) {
        (Some(seed), _) => one(seed, &options),
        (None, Some(seeds)) => many::run(seeds, options.from, options.jobs),
        (None, None) => {
            eprintln!("a seed, or --seeds: see --help");
            ExitCode::from(2)
        }
    }
}

fn one(seed: u64, options: &Options) -> ExitCode {
    entropy::fix(seed);
    #[cfg(feature = "planted")]
    options.bug.and_then(|number| fen_sim::planted::ALL.get(number)).into_iter().for_each(|bug| {
        fen_sim::planted::plant(*bug);
    });
    if options.log {
        tracing_subscriber::fmt().without_time().with_writer(std::io::stderr).init();
    }
    let panics = run::listen_for_panics();
    // A thread of its own draws its randomness anew, after the seed is set.
    let aloud = !options.quiet;
    let running = std::thread::spawn(move || run::run(seed, aloud)).join();
    let panic = panics.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut outcome = match running {
        Ok(outcome) => outcome,
        Err(_panicked) => {
            eprintln!("seed {seed}: {}", panic.unwrap_or_default());
            return ExitCode::from(1);
        }
    };
    outcome.failure = outcome.failure.or(panic.map(|words| format!("a panic: {words}")));
    if options.quiet {
        println!("{}", serde_json::to_string(&outcome).unwrap_or_default());
    } else {
        println!("hash {:016x}, {} transfers acknowledged", outcome.hash, outcome.acknowledged);
        match &outcome.failure {
            None => println!("seed {seed} is right"),
            Some(failure) => println!("seed {seed} FAILED: {failure}"),
        }
    }
    ExitCode::from(u8::from(outcome.failure.is_some()))
}
