//! Digests and proofs of a running cluster: each shard's own, made from what its leader tells and signed here.
//!
//! **Invariants.** The key never leaves this process. A proof is made only against a root that the shard's books have.

use super::digest::sign_head;
use super::kept::{self, Kept};
use super::make::another_history;
use crate::exit::Failure;
use crate::reach::{self, Reach};
use fen_api::{Client, ClientFault, proofs, wire};
use fen_ledger::TransferId;
use fen_proof::{Consistency, Digest, Inclusion, SigningKey, TreeHash};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;

/// A first proof after years hashes years of records.
const PATIENCE: Duration = Duration::from_mins(4);

/// See the module.
pub(super) struct Shards {
    runtime: Runtime,
    client: Client,
}

fn garbled() -> Failure {
    Failure::unreachable("the cluster answered something else than a hash or a record")
}

/// Which shard's history a digest is of: what its origin ends with.
fn shard_of(digest: &Digest) -> Result<u32, Failure> {
    let shard = digest.origin.rsplit_once("/shard/").and_then(|(_, number)| number.parse().ok());
    shard.ok_or_else(|| Failure::refused(format!("the digest of {} names no shard", digest.origin)))
}

impl Shards {
    pub(super) fn new(reach: &Reach) -> Result<Self, Failure> {
        let runtime = reach::runtime()?;
        let client = runtime.block_on(async { reach.patient_client(PATIENCE) })?;
        Ok(Self { runtime, client })
    }

    fn hear<T>(&self, asking: impl Future<Output = Result<T, ClientFault>>) -> Result<T, Failure> {
        self.runtime.block_on(asking).map_err(reach::failure)
    }

    /// Signs each shard's history as of now, or one's, and keeps the notes.
    pub(super) fn sign(
        &self,
        digests: &Path,
        key: &SigningKey,
        shard: u32,
        books: bool,
    ) -> Result<Vec<(PathBuf, Digest)>, Failure> {
        let heads = self.hear(self.client.heads(shard, books))?;
        let sign = |(shard, head): &(u32, _)| {
            let (digest, note) = sign_head(head, key, *shard)?;
            let path = kept::keep(&kept::folder_of_shard(digests, *shard), &digest, &note)?;
            Ok((path, digest))
        };
        heads.iter().map(sign).collect()
    }

    /// A proof against one digest.
    pub(super) fn inclusion(&self, kept: Kept, id: TransferId) -> Result<String, Failure> {
        let shard = shard_of(&kept.digest)?;
        let told = self.hear(self.client.inclusion(shard, id, kept.digest.head.size))?;
        if told.record.is_empty() {
            return Err(Failure::refused(format!("there is no transfer {id} in shard {shard}"))
                .mend("a customer's transfer is with the payer's shard; name --digests to look in all"));
        }
        proof(kept, &told, id)
    }

    /// A proof against the newest digest of whichever shard has the transfer.
    pub(super) fn inclusion_anywhere(&self, digests: &Path, id: TransferId) -> Result<String, Failure> {
        let heads = self.hear(self.client.heads(0, false))?;
        let mut unsigned = Vec::new();
        for (shard, head) in heads {
            let Some(kept) = kept::newest(&kept::folder_of_shard(digests, shard))? else {
                let told = self.hear(self.client.inclusion(shard, id, head.head.size))?;
                if !told.record.is_empty() {
                    unsigned.push(shard);
                }
                continue;
            };
            let told = self.hear(self.client.inclusion(shard, id, kept.digest.head.size))?;
            if !told.record.is_empty() {
                return proof(kept, &told, id);
            }
        }
        Err(match unsigned.first() {
            Some(shard) => Failure::refused(format!(
                "transfer {id} is in shard {shard}, of which no digest lies in {}",
                digests.display()
            ))
            .mend("sign one with `fen proof digest`, or give --key to sign one now"),
            None => Failure::refused(format!("there is no transfer {id} in any shard")),
        })
    }

    /// A proof between two digests of one shard.
    pub(super) fn consistency(&self, older: Kept, newer: Kept) -> Result<String, Failure> {
        let shard = shard_of(&older.digest)?;
        if older.digest.origin != newer.digest.origin {
            return Err(Failure::usage(format!(
                "the digests are of {} and {}: give two of one shard",
                older.digest.origin, newer.digest.origin
            )));
        }
        let sizes = (older.digest.head.size, newer.digest.head.size);
        let told = self.hear(self.client.consistency(shard, sizes.0, sizes.1))?;
        hold(&older.digest, &told.older_root, told.records)?;
        hold(&newer.digest, &told.newer_root, told.records)?;
        let path = proofs::path(&told.path).ok_or_else(garbled)?;
        Ok(Consistency { path, older: older.note, newer: newer.note }.to_text())
    }
}

/// The root that the shard has must be the digest's.
fn hold(digest: &Digest, root: &[u8], records: u64) -> Result<(), Failure> {
    let root: Option<TreeHash> = match root {
        [] => None,
        bytes => Some(proofs::hash(bytes).ok_or_else(garbled)?),
    };
    if root == Some(digest.head.root) { Ok(()) } else { Err(another_history(digest, root, records)) }
}

fn proof(kept: Kept, told: &wire::InclusionReply, id: TransferId) -> Result<String, Failure> {
    hold(&kept.digest, &told.root, told.records)?;
    if !told.is_covered {
        return Err(super::make::not_covered(id, told.index, kept.digest.head.size));
    }
    let record = told.record[..].try_into().map_err(|_| garbled())?;
    let path = proofs::path(&told.path).ok_or_else(garbled)?;
    Ok(Inclusion { record, index: told.index, path, note: kept.note }.to_text())
}
