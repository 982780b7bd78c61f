//! How long does one core close a day for, a thirtieth of the loans falling due on it, and what does a borrower cost in
//! memory? Instalments are collected from the borrowers' accounts; one borrower in a hundred cannot pay. Nothing is
//! written to disk.
//!
//! `FEN_LOANS` is the number of borrowers, a million by default. Days are closed one after the other from the first to
//! the thirtieth of April, so the overdue loans grow to one in a hundred. It is told by day, not as a mean.

use fen_benches::loans::{Bank, date};
use std::time::Instant;

fn resident() -> u64 {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = told.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4_096
}

fn main() {
    let given = std::env::var("FEN_LOANS").ok().and_then(|text| text.parse().ok());
    let loans: u64 = given.unwrap_or(1_000_000);
    if cfg!(debug_assertions) {
        println!("a debug build tells nothing about speed: cargo bench -p fen-benches --bench day_end");
        return;
    }
    let before = resident();
    let mut bank = Bank::new(true);
    let began = Instant::now();
    bank.lend_in_march(loans);
    let bytes = (resident() - before) / loans;
    println!("{loans} borrowers lent to in {:.1} s, {bytes} bytes each", began.elapsed().as_secs_f64());
    for april in 1..=30 {
        let began = Instant::now();
        let touched = bank.close(date(30 + april));
        println!("2026-04-{april:02}  {touched:>8} loans  {:.3} s", began.elapsed().as_secs_f64());
    }
    println!("{} bytes a borrower after a month", (resident() - before) / loans);
}
