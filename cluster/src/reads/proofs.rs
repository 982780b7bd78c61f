//! A shard's part of digests and proofs: what they are made from. The key that signs is with whoever asks.

use super::{Desk, encoded};
use crate::fault::ServeFault;
use bytes::Bytes;
use fen_api::{proofs, records, wire};
use fen_book::TransferId;
use fen_ledger::proof::{self, Content};
use fen_proof::TreeHash;
use zerocopy::IntoBytes;

fn hashes(path: &[TreeHash]) -> Vec<Vec<u8>> {
    path.iter().map(|hash| hash.bytes().to_vec()).collect()
}

fn hash(hash: Option<TreeHash>) -> Vec<u8> {
    hash.map(|hash| hash.bytes().to_vec()).unwrap_or_default()
}

impl Desk<'_> {
    pub(super) async fn head(&self, message: wire::HeadsRequest) -> Result<Bytes, ServeFault> {
        let content = if message.books { Content::TotalsAndBooks } else { Content::Totals };
        let head = self.history(move |past| proof::history_head(past, 0, content)).await?;
        Ok(encoded(&proofs::head_message(self.teller.group().id().0, &head)))
    }

    pub(super) async fn inclusion(&self, message: wire::InclusionRequest) -> Result<Bytes, ServeFault> {
        let (id, size) = (TransferId::new(records::wide(message.transfer_id)), message.size);
        let reply = self.history(move |past| {
            let mut tree = proof::record_tree(past)?;
            let mut reply = wire::InclusionReply { records: tree.size(), ..wire::InclusionReply::default() };
            let Some((number, record)) = tree.find(id)? else { return Ok(reply) };
            reply.record = record.as_bytes().to_vec();
            reply.index = number.get();
            reply.root = hash(tree.root(size)?);
            if let Some(path) = tree.inclusion(number, size)? {
                (reply.is_covered, reply.path) = (true, hashes(&path));
            }
            Ok(reply)
        });
        Ok(encoded(&reply.await?))
    }

    pub(super) async fn consistency(&self, message: wire::ConsistencyRequest) -> Result<Bytes, ServeFault> {
        let wire::ConsistencyRequest { older, newer, .. } = message;
        let reply = self.history(move |past| {
            let mut tree = proof::record_tree(past)?;
            let (older_root, newer_root) = (hash(tree.root(older)?), hash(tree.root(newer)?));
            let path = tree.consistency(older, newer)?.unwrap_or_default();
            let path = hashes(&path);
            Ok(wire::ConsistencyReply { records: tree.size(), older_root, newer_root, path })
        });
        Ok(encoded(&reply.await?))
    }
}
