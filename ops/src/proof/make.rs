//! `fen proof make`: an inclusion proof for a transfer, or a consistency proof between two digests.

use super::digest::{signed, signing_key};
use super::kept::{self, Kept};
use super::shards::Shards;
use crate::desk::{Books, Place};
use crate::exit::{Exit, Failure, say};
use crate::faults::{broken, open_existing};
use clap::Args;
use fen_ledger::proof::{Content, RecordTree};
use fen_ledger::{Ledger, TransferId};
use fen_proof::{Consistency, Digest, Inclusion, TreeHash};
use std::path::{Path, PathBuf};
use zerocopy::IntoBytes as _;

/// Makes a proof that a transfer is in the history of a digest, or that a digest only adds to an older one.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen proof make --data ./books --transfer 4711 --out 4711.tlog-proof
  fen proof make --data ./books --transfer 4711 --digest 2026-03-02.digest
  fen proof make --data ./books --transfer 4711 --key retail.key
  fen proof make --data ./books --from 2026-03-01.digest --to 2026-03-02.digest
  fen proof make --endpoint 127.0.0.1:7001 --certificates fen-dev --transfer 4711 --digests ./digests

Of a cluster the proof is against a digest of the shard that has the transfer: the newest under --digests, or the one
named. A transfer between two shards is a reservation with the payer's, and its post; with the payee's a leg, under an
id that follows from the transfer's. Without --digest the newest digest that was signed for these books is used; with --key a new one is signed first.
Exits 1 where there is nothing to prove: no such transfer, not covered yet, or a history that is not the digest's.")]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Books,
    /// With --endpoint: the folder where the digests are kept.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "digest"])]
    digests: Option<PathBuf>,
    /// The transfer to prove.
    #[arg(long, value_name = "ID", value_parser = crate::ids::id, required_unless_present = "from")]
    transfer: Option<u128>,
    /// The digest to prove it against.
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    digest: Option<PathBuf>,
    /// Sign a digest of this moment first, with this key, and prove it against that.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["digest", "from"])]
    key: Option<PathBuf>,
    /// Which shard the directory is, for --key.
    #[arg(long, default_value_t = 0, requires = "key")]
    shard: u32,
    /// The older digest.
    #[arg(long, value_name = "FILE", requires = "to", conflicts_with = "transfer")]
    from: Option<PathBuf>,
    /// The newer digest.
    #[arg(long, value_name = "FILE", requires = "from")]
    to: Option<PathBuf>,
    /// Where to write it; otherwise standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let text = match arguments.place.place() {
        Place::Directory(data) => of_directory(arguments, data)?,
        Place::Cluster(reach) => of_cluster(arguments, &Shards::new(&reach)?)?,
    };
    if json {
        let proof = serde_json::json!({ "proof": text });
        if arguments.out.is_some() {
            super::write(arguments.out.as_ref(), &text)?;
        }
        super::say_json(&proof)?;
    } else {
        super::write(arguments.out.as_ref(), &text)?;
        if let Some(path) = &arguments.out {
            say(&format!("{}: {} bytes\n", path.display(), text.len()))?;
        }
    }
    Ok(Exit::Done)
}

fn nothing_named() -> Failure {
    Failure::usage("name a transfer, or two digests")
}

fn of_directory(arguments: &Arguments, data: &Path) -> Result<String, Failure> {
    let ledger = open_existing(data)?;
    match (&arguments.from, &arguments.to, arguments.transfer) {
        (Some(from), Some(to), _) => consistency(&ledger, from, to),
        (_, _, Some(id)) => inclusion(&ledger, data, arguments, TransferId::new(id)),
        (_, _, None) => Err(nothing_named()),
    }
}

fn of_cluster(arguments: &Arguments, shards: &Shards) -> Result<String, Failure> {
    if let (Some(from), Some(to)) = (&arguments.from, &arguments.to) {
        let (older, newer) = two_digests(from, to)?;
        return shards.consistency(older, newer);
    }
    let id = TransferId::new(arguments.transfer.ok_or_else(nothing_named)?);
    if let Some(path) = &arguments.digest {
        return shards.inclusion(read_digest(path)?, id);
    }
    let missing = || Failure::usage("name a digest with --digest, or where they are kept with --digests");
    let digests = arguments.digests.as_deref().ok_or_else(missing)?;
    if let Some(path) = &arguments.key {
        shards.sign(digests, &signing_key(path)?, arguments.shard, false)?;
    }
    shards.inclusion_anywhere(digests, id)
}

fn read_digest(path: &Path) -> Result<Kept, Failure> {
    let note = super::read(path)?;
    let digest = Digest::read_unchecked(&note)
        .map_err(|fault| Failure::refused(format!("{}: {fault}", path.display())))?;
    Ok(Kept { digest, note })
}

fn digest_for(ledger: &Ledger, data: &Path, arguments: &Arguments) -> Result<Kept, Failure> {
    if let Some(path) = &arguments.digest {
        return read_digest(path);
    }
    if let Some(path) = &arguments.key {
        let key = signing_key(path)?;
        let (digest, note) = signed(ledger, data, &key, arguments.shard, Content::Totals)?;
        return Ok(Kept { digest, note });
    }
    kept::newest(&kept::folder_in(data))?.ok_or_else(|| {
        Failure::refused("no digest of these books was signed yet, so there is nothing to prove against")
            .mend("sign one with `fen proof digest`, or give --key to sign one now")
    })
}

/// The root that the books have must be the digest's: a proof against another would prove nothing.
fn hold_against(tree: &mut RecordTree<'_>, digest: &Digest) -> Result<(), Failure> {
    let size = digest.head.size;
    let root = tree.root(size).map_err(|fault| broken(&fault))?;
    if root == Some(digest.head.root) { Ok(()) } else { Err(another_history(digest, root, tree.size())) }
}

/// The books have another root where the digest ends, or fewer records.
pub(super) fn another_history(digest: &Digest, root: Option<TreeHash>, records: u64) -> Failure {
    let (size, origin) = (digest.head.size, &digest.origin);
    let what = match root {
        Some(_) => format!(
            "the first {size} records of these books have another root than the digest of {origin}: they are not the \
             history that was signed"
        ),
        None => format!(
            "the digest of {origin} covers {size} records, these books have {records}: they are not the history that \
             was signed, or part of it is lost"
        ),
    };
    Failure::refused(what).mend("run `fen verify`, and keep the digest as evidence")
}

/// The record came after the digest.
pub(super) fn not_covered(id: TransferId, index: u64, size: u64) -> Failure {
    Failure::refused(format!(
        "transfer {id} is record {index}, the digest covers the {size} records before it"
    ))
    .mend("sign a newer digest with `fen proof digest`, or give --key to sign one now")
}

fn inclusion(ledger: &Ledger, data: &Path, arguments: &Arguments, id: TransferId) -> Result<String, Failure> {
    let kept = digest_for(ledger, data, arguments)?;
    let mut tree = ledger.record_tree().map_err(|fault| broken(&fault))?;
    let found = tree.find(id).map_err(|fault| broken(&fault))?;
    let (number, record) =
        found.ok_or_else(|| Failure::refused(format!("there is no transfer {id} in these books")))?;
    hold_against(&mut tree, &kept.digest)?;
    let size = kept.digest.head.size;
    let path = tree.inclusion(number, size).map_err(|fault| broken(&fault))?;
    let path = path.ok_or_else(|| not_covered(id, number.get(), size))?;
    let record = record.as_bytes().try_into().map_err(|_| Failure::refused("a record has 128 bytes"))?;
    Ok(Inclusion { record, index: number.get(), path, note: kept.note }.to_text())
}

/// The older and the newer one.
fn two_digests(from: &Path, to: &Path) -> Result<(Kept, Kept), Failure> {
    let (older, newer) = (read_digest(from)?, read_digest(to)?);
    let (from_size, to_size) = (older.digest.head.size, newer.digest.head.size);
    if from_size > to_size {
        return Err(Failure::usage(format!(
            "--from covers {from_size} records, more than the {to_size} of --to: give the older digest first"
        )));
    }
    Ok((older, newer))
}

fn consistency(ledger: &Ledger, from: &Path, to: &Path) -> Result<String, Failure> {
    let (older, newer) = two_digests(from, to)?;
    let (from_size, to_size) = (older.digest.head.size, newer.digest.head.size);
    let mut tree = ledger.record_tree().map_err(|fault| broken(&fault))?;
    for kept in [&older, &newer] {
        hold_against(&mut tree, &kept.digest)?;
    }
    let path: Option<Vec<TreeHash>> = tree.consistency(from_size, to_size).map_err(|fault| broken(&fault))?;
    let path = path.ok_or_else(|| Failure::refused("the books have fewer records than the digests"))?;
    Ok(Consistency { path, older: older.note, newer: newer.note }.to_text())
}
