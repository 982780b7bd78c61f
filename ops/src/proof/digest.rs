//! `fen proof digest`: the history as of now, signed.

use super::kept;
use crate::exit::{Exit, Failure};
use crate::faults::{broken, open_existing};
use clap::Args;
use fen_ledger::proof::{Content, HistoryHead};
use fen_ledger::{Ledger, LedgerTotals};
use fen_proof::digest::origin;
use fen_proof::{Digest, SigningKey, Sum};
use std::path::{Path, PathBuf};

/// Signs a digest of the history as of now. Do it at the end of every day and give it away.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen proof digest --data ./books --key retail.key --out 2026-03-02.digest

The digest is also kept in ./books/digests, where `fen verify` and `fen proof make` find it. It protects what it
covers from the moment when someone else holds a copy.")]
pub(super) struct Arguments {
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The signing key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Which shard the directory is.
    #[arg(long, default_value_t = 0)]
    shard: u32,
    /// Add the hash of all the books (loans and limits included); reads every account and loan.
    #[arg(long)]
    books: bool,
    /// Where to write it; otherwise standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let key = signing_key(&arguments.key)?;
    let ledger = open_existing(&arguments.data)?;
    let content = if arguments.books { Content::TotalsAndBooks } else { Content::Totals };
    let (digest, note) = signed(&ledger, &arguments.data, &key, arguments.shard, content)?;
    if json {
        if arguments.out.is_some() {
            super::write(arguments.out.as_ref(), &note)?;
        }
        super::say_json(&super::check::digest_json(&digest))?;
    } else {
        super::write(arguments.out.as_ref(), &note)?;
    }
    Ok(Exit::Done)
}

pub(super) fn signing_key(path: &Path) -> Result<SigningKey, Failure> {
    SigningKey::parse(&super::read(path)?).map_err(|fault| {
        Failure::refused(format!("{}: {fault}", path.display())).mend("make one with `fen proof key`")
    })
}

/// Signs the history as of now, and keeps the note beside the books.
pub(super) fn signed(
    ledger: &Ledger,
    directory: &Path,
    key: &SigningKey,
    shard: u32,
    content: Content,
) -> Result<(Digest, String), Failure> {
    let head = ledger.history_head(content).map_err(|fault| broken(&fault))?;
    let digest = digest_of(&head, key.public().name(), shard);
    let note = digest.sign(key);
    // What cannot be checked must not be given away: totals that differ, for one.
    Digest::open(&note, key.public()).map_err(|fault| Failure::refused(fault.to_string()))?;
    kept::keep(directory, &digest, &note)?;
    Ok((digest, note))
}

fn digest_of(head: &HistoryHead, name: &str, shard: u32) -> Digest {
    let sum = |total: fen_ledger::Total| Sum::parse(&total.to_string()).expect("a total is a decimal number");
    let line = |(ledger, totals): (&u32, &LedgerTotals)| fen_proof::LedgerTotals {
        ledger: *ledger,
        accounts: totals.accounts,
        debits_posted: sum(totals.debits_posted),
        credits_posted: sum(totals.credits_posted),
        debits_pending: sum(totals.debits_pending),
        credits_pending: sum(totals.credits_pending),
    };
    let day = |date: fen_ledger::BusinessDate| fen_terms::Day::from_number(date.get());
    Digest {
        origin: origin(name, shard),
        head: head.head,
        identity: head.identity,
        date: head.business_date.and_then(day).map(|day| day.to_string()),
        clock: head.clock.get(),
        books: head.books,
        totals: head.ledgers.iter().map(line).collect(),
    }
}
