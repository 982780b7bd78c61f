//! What digests and proofs are made from, on the wire: heads of shards, paths in their trees; and the client's calls.
//!
//! Each shard has a tree of its own, and so a digest of its own. Whoever signs has the key; the cluster never has it.

use crate::client::{Client, history, id_message};
use crate::fault::ClientFault;
use crate::wire;
use fen_book::{BusinessDate, Stamp, TransferId};
use fen_ledger::proof::HistoryHead;
use fen_ledger::{LedgerTotals, Total};
use fen_proof::TreeHash;
use fen_proof::tree::Head;

/// A ledger's totals as their message; how many of its accounts are the bank's own is told where that is asked for.
pub fn totals_message(ledger: u32, totals: &LedgerTotals) -> wire::LedgerTotals {
    wire::LedgerTotals {
        ledger,
        accounts: totals.accounts,
        debits_posted: totals.debits_posted.to_string(),
        credits_posted: totals.credits_posted.to_string(),
        debits_pending: totals.debits_pending.to_string(),
        credits_pending: totals.credits_pending.to_string(),
        own_accounts: 0,
    }
}

fn totals(message: &wire::LedgerTotals) -> Option<(u32, LedgerTotals)> {
    let total = |text: &str| text.parse::<Total>().ok();
    let totals = LedgerTotals {
        accounts: message.accounts,
        debits_posted: total(&message.debits_posted)?,
        credits_posted: total(&message.credits_posted)?,
        debits_pending: total(&message.debits_pending)?,
        credits_pending: total(&message.credits_pending)?,
    };
    Some((message.ledger, totals))
}

/// A shard's head as its message.
pub fn head_message(shard: u32, head: &HistoryHead) -> wire::Head {
    wire::Head {
        shard,
        size: head.head.size,
        root: head.head.root.bytes().to_vec(),
        identity: head.identity,
        business_date: head.business_date.map(BusinessDate::get),
        clock: head.clock.get(),
        books: head.books.map(Vec::from).unwrap_or_default(),
        ledgers: head.ledgers.iter().map(|(ledger, totals)| totals_message(*ledger, totals)).collect(),
    }
}

/// A shard's head from its message; `None` where it cannot be one.
pub fn head(message: &wire::Head) -> Option<HistoryHead> {
    let books = Some(&message.books[..]).filter(|books| !books.is_empty());
    Some(HistoryHead {
        head: Head { size: message.size, root: hash(&message.root)? },
        identity: message.identity,
        business_date: message.business_date.map(BusinessDate::new),
        clock: Stamp::new(message.clock),
        books: books.map(|books| books.try_into().ok()).map_or(Some(None), |books| books.map(Some))?,
        ledgers: message.ledgers.iter().map(totals).collect::<Option<_>>()?,
    })
}

/// A hash from its bytes.
pub fn hash(bytes: &[u8]) -> Option<TreeHash> {
    bytes.try_into().ok().map(TreeHash::new)
}

/// A path from its bytes.
pub fn path(hashes: &[Vec<u8>]) -> Option<Vec<TreeHash>> {
    hashes.iter().map(|bytes| hash(bytes)).collect()
}

const GARBLED: ClientFault = ClientFault::Garbled("a hash, a sum or a record that is none");

impl Client {
    /// What a digest says of each shard, or of one; `0` is all.
    pub async fn heads(&self, shard: u32, books: bool) -> Result<Vec<(u32, HistoryHead)>, ClientFault> {
        let message = wire::HeadsRequest { shard, books };
        let ask = |channel| async move { history(channel).get_heads(message).await };
        let heads = self.ask(ask).await?.heads;
        let read = |message: &wire::Head| Some((message.shard, head(message)?));
        heads.iter().map(read).collect::<Option<_>>().ok_or(GARBLED)
    }

    /// That a transfer is among the first `size` records of a shard.
    pub async fn inclusion(
        &self,
        shard: u32,
        transfer: TransferId,
        size: u64,
    ) -> Result<wire::InclusionReply, ClientFault> {
        let message = wire::InclusionRequest { shard, transfer_id: Some(id_message(transfer.get())), size };
        let ask = |channel| async move { history(channel).prove_inclusion(message).await };
        self.ask(ask).await
    }

    /// That the first `newer` records of a shard begin with its first `older`.
    pub async fn consistency(
        &self,
        shard: u32,
        older: u64,
        newer: u64,
    ) -> Result<wire::ConsistencyReply, ClientFault> {
        let message = wire::ConsistencyRequest { shard, older, newer };
        let ask = |channel| async move { history(channel).prove_consistency(message).await };
        self.ask(ask).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_book::Amount;

    #[test]
    fn a_head_arrives() {
        let mut totals = LedgerTotals { accounts: 3, ..LedgerTotals::default() };
        totals.debits_posted.add(Amount::new(u128::MAX));
        let told = HistoryHead {
            head: Head { size: 9, root: TreeHash::leaf(b"x") },
            identity: 7,
            business_date: Some(BusinessDate::new(-1)),
            clock: Stamp::new(5),
            books: Some([3; 32]),
            ledgers: [(156, totals)].into(),
        };
        for books in [None, told.books] {
            let told = HistoryHead { books, ..told.clone() };
            let heard = head(&head_message(2, &told)).unwrap();
            assert_eq!(format!("{heard:?}"), format!("{told:?}"));
        }
        let odd = wire::Head { books: vec![1], ..head_message(2, &told) };
        assert!(head(&odd).is_none() && head(&wire::Head::default()).is_none());
        assert!(path(&[vec![0; 32], vec![0; 31]]).is_none());
    }
}
