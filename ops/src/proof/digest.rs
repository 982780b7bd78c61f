//! `fen proof digest`: the history as of now, signed.

use super::kept;
use super::shards::Shards;
use crate::desk::{Books, Place};
use crate::exit::{Exit, Failure, say};
use crate::faults::{broken, open_existing};
use clap::Args;
use fen_ledger::proof::{Content, HistoryHead};
use fen_ledger::{Ledger, LedgerTotals};
use fen_proof::digest::origin;
use fen_proof::{Digest, SigningKey, Sum};
use std::path::{Path, PathBuf};

/// Signs a digest of the history as of now. Do it at the end of every day and give it away.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen proof digest --data ./books --key retail.key --out 2026-03-02.digest
  fen proof digest --endpoint 127.0.0.1:7001 --certificates fen-dev --key retail.key --digests ./digests

The digest is also kept in ./books/digests, where `fen verify` and `fen proof make` find it. It protects what it
covers from the moment when someone else holds a copy. Of a cluster each shard has a digest of its own, kept in a
folder of its own under --digests; the key is used here and never sent.")]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Books,
    /// With --endpoint: the folder where the digests are kept.
    #[arg(long, value_name = "DIR", required_unless_present = "data", conflicts_with = "data")]
    digests: Option<PathBuf>,
    /// The signing key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Which shard the directory is; with --endpoint, only this shard of all.
    #[arg(long, default_value_t = 0)]
    shard: u32,
    /// Add the hash of all the books (loans and limits included); reads every account and loan.
    #[arg(long)]
    books: bool,
    /// Where to write it; otherwise standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "endpoint")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let key = signing_key(&arguments.key)?;
    match arguments.place.place() {
        Place::Directory(data) => of_directory(arguments, data, &key, json),
        Place::Cluster(reach) => {
            let folder =
                arguments.digests.as_deref().ok_or_else(|| Failure::usage("--digests is missing"))?;
            let shards = Shards::new(&reach)?;
            let signed = shards.sign(folder, &key, arguments.shard, arguments.books)?;
            if json {
                let digests = signed.iter().map(|(_, digest)| super::check::digest_json(digest));
                super::say_json(&serde_json::json!({ "digests": digests.collect::<Vec<_>>() }))?;
            } else {
                let line = |(path, digest): &(PathBuf, Digest)| {
                    format!("{}: {} records\n{}\n", digest.origin, digest.head.size, path.display())
                };
                say(&signed.iter().map(line).collect::<String>())?;
            }
            Ok(Exit::Done)
        }
    }
}

fn of_directory(arguments: &Arguments, data: &Path, key: &SigningKey, json: bool) -> Result<Exit, Failure> {
    let ledger = open_existing(data)?;
    let content = if arguments.books { Content::TotalsAndBooks } else { Content::Totals };
    let (digest, note) = signed(&ledger, data, key, arguments.shard, content)?;
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
    let (digest, note) = sign_head(&head, key, shard)?;
    kept::keep(&kept::folder_in(directory), &digest, &note)?;
    Ok((digest, note))
}

/// Signs a history as it was told.
pub(super) fn sign_head(
    head: &HistoryHead,
    key: &SigningKey,
    shard: u32,
) -> Result<(Digest, String), Failure> {
    let digest = digest_of(head, key.public().name(), shard);
    let note = digest.sign(key);
    // What cannot be checked must not be given away: totals that differ, for one.
    Digest::open(&note, key.public()).map_err(|fault| Failure::refused(fault.to_string()))?;
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
