//! `cargo xtask check | fix | bless | sim | chaos | exports`: one command for each habit, the same on a laptop and in CI.
//!
//! It only calls cargo (and Python, for tools that read exports), step by step, and stops at the first step that fails. It has no dependency, so that it is
//! built in a moment.

use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask check     format, lints, tests and docs, as CI runs them
       cargo xtask fix       formats, and applies the lints' own suggestions
       cargo xtask bless     writes the golden scripts' answers anew, then checks that every form of the ledger
                             gives them; review the difference like code
       cargo xtask sim SEED  a whole cluster from one seed, with its story
       cargo xtask sim --seeds N [--from S]
                             so many seeds (drawn anew without S), after those that failed once, and a summary
       cargo xtask sim --planted
                             plants each known bug and says after how many seeds it was found
       cargo xtask chaos [--minutes N] [--rounds N] [--seed S] [--shards N]
                             real processes of a cluster, killed, stopped and replaced under load, for an hour where
                             nothing is said; after each round everything is added up again
       cargo xtask exports   DuckDB and pandas (installed into target/python from PyPI) read what fen and fen-parquet
                             export, and add it up to the trial balance";

/// One call of cargo.
struct Step {
    arguments: &'static [&'static str],
    variable: Option<(&'static str, &'static str)>,
}

const fn step(arguments: &'static [&'static str]) -> Step {
    Step { arguments, variable: None }
}

const CHECK: &[Step] = &[
    step(&["fmt", "--all", "--check"]),
    step(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
    step(&["test", "--workspace"]),
    Step {
        arguments: &["doc", "--workspace", "--no-deps"],
        variable: Some(("RUSTDOCFLAGS", "--deny warnings")),
    },
];

const FIX: &[Step] = &[
    step(&["clippy", "--workspace", "--all-targets", "--fix", "--allow-dirty", "--allow-staged"]),
    step(&["fmt", "--all"]),
];

const BLESS: &[Step] = &[
    Step {
        arguments: &["test", "--package", "fen-script", "--test", "scripts", "the_model"],
        variable: Some(("FEN_BLESS", "1")),
    },
    Step {
        arguments: &["test", "--package", "fen-script", "--test", "scripts", "the_book_tells_loans"],
        variable: Some(("FEN_BLESS", "1")),
    },
    step(&["test", "--package", "fen-script"]),
];

/// Passes its arguments on to the simulator, built with optimisation: it simulates hours.
fn simulate(arguments: &[String]) -> ExitCode {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--profile", "ci", "--locked", "--package", "fen-sim"]);
    if arguments.iter().any(|argument| argument == "--planted") {
        cargo.args(["--features", "planted"]);
    }
    match cargo.arg("--").args(arguments).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("cargo cannot be started: {error}");
            ExitCode::from(3)
        }
    }
}

/// Passes its arguments on to the program that torments real processes, and builds the `fen` that they run.
fn torment(arguments: &[String]) -> ExitCode {
    let build = ["build", "--quiet", "--profile", "ci", "--locked", "--package", "fen", "--bin", "fen"];
    let run = [
        "run",
        "--quiet",
        "--profile",
        "ci",
        "--locked",
        "--package",
        "fen-loadgen",
        "--bin",
        "fen-chaos",
        "--",
    ];
    let run: Vec<&str> = run.into_iter().chain(arguments.iter().map(String::as_str)).collect();
    for step in [&build[..], &run] {
        match Command::new(env!("CARGO")).args(step).status() {
            Ok(status) if status.success() => {}
            Ok(status) => {
                return ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
            }
            Err(error) => {
                eprintln!("cargo cannot be started: {error}");
                return ExitCode::from(3);
            }
        }
    }
    ExitCode::SUCCESS
}

/// Lets the tools of others read what is exported.
fn read_exports() -> ExitCode {
    let steps: [(&str, &[&str]); 4] = [
        ("python3", &["-m", "venv", "target/python"]),
        ("target/python/bin/pip", &["install", "--quiet", "-r", "ops/export/check/requirements.txt"]),
        (env!("CARGO"), &["build", "--locked", "--package", "fen", "--package", "fen-parquet"]),
        (
            "target/python/bin/python",
            &[
                "ops/export/check/tools.py",
                "--fen",
                "target/debug/fen",
                "--parquet",
                "target/debug/fen-parquet",
            ],
        ),
    ];
    for (program, arguments) in steps {
        eprintln!("{program} {}", arguments.join(" "));
        match Command::new(program).args(arguments).status() {
            Ok(status) if status.success() => {}
            Ok(_) => return ExitCode::from(1),
            Err(error) => {
                eprintln!("{program} cannot be started: {error}");
                return ExitCode::from(3);
            }
        }
    }
    ExitCode::SUCCESS
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == "sim"
    {
        return simulate(rest);
    }
    if let Some((first, rest)) = arguments.split_first()
        && first == "chaos"
    {
        return torment(rest);
    }
    if arguments.first().is_some_and(|first| first == "exports") {
        return read_exports();
    }
    let steps = match arguments.first().map(String::as_str) {
        Some("check") => CHECK,
        Some("fix") => FIX,
        Some("bless") => BLESS,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    for step in steps {
        eprintln!("cargo {}", step.arguments.join(" "));
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(step.arguments).envs(step.variable);
        match cargo.status() {
            Ok(status) if status.success() => {}
            Ok(_) => return ExitCode::from(1),
            Err(error) => {
                eprintln!("cargo cannot be started: {error}");
                return ExitCode::from(3);
            }
        }
    }
    ExitCode::SUCCESS
}
