//! What a shard tells of money between shards: its parts of the clearing accounts, and a mark of all that was settled.
//!
//! The mark of a side is the sum, over all transfers that crossed, of a hash of the leg's id and the amount. The source
//! makes it of the posts of its reservations, the target of its legs: both sides have one mark if every transfer that
//! was settled here has one leg there, of the same amount, and the other way round.

use super::past::ShardPast;
use super::{Desk, encoded};
use crate::crossing::table::Stage;
use crate::fault::ServeFault;
use bytes::Bytes;
use fen_api::{records, wire};
use fen_book::clearing::{Step, is_clearing, step_id};
use fen_book::{Account, AccountId, Amount, Transfer, TransferFlags, TransferId};
use fen_ledger::statement::{LINES_MAX, Period, StatementAsked, statement};
use fen_ledger::{Answer, Direction, Fault};
use sha2::{Digest, Sha256};

/// Which shards an account is between.
pub(crate) fn pair(account: u128) -> (u32, u32) {
    let part = |shift: u32| u32::try_from(account >> shift & 0xfff).unwrap_or(0);
    (part(20), part(8))
}

/// A sum of hashes, in two halves that wrap.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Settled {
    count: u64,
    halves: [u128; 2],
}

impl Settled {
    fn add(&mut self, leg: TransferId, amount: Amount) {
        let mut hasher = Sha256::new();
        hasher.update(leg.get().to_le_bytes());
        hasher.update(amount.get().to_le_bytes());
        let hash: [u8; 32] = hasher.finalize().into();
        for (sum, half) in self.halves.iter_mut().zip(hash.chunks_exact(16)) {
            *sum = sum.wrapping_add(u128::from_le_bytes(half.try_into().expect("half of 32 bytes is 16")));
        }
        self.count += 1;
    }

    /// What a record of a clearing account settles, if it does: on the source a post, on the target a leg, or the post
    /// of one that reserved.
    fn take(&mut self, record: &Transfer, is_source: bool) {
        let posts = record.flags.contains(TransferFlags::POST_PENDING_TRANSFER);
        let moves = TransferFlags::PENDING.with(TransferFlags::VOID_PENDING_TRANSFER);
        match (is_source, posts) {
            (true, true) => self.add(step_id(record.pending_id, Step::Leg), record.amount),
            (false, true) => self.add(record.pending_id, record.amount),
            (false, false) if !record.flags.intersects(moves) => self.add(record.id, record.amount),
            (true | false, false) => {}
        }
    }

    fn mark(&self) -> Vec<u8> {
        self.halves.iter().flat_map(|half| half.to_le_bytes()).collect()
    }
}

fn settled(past: &ShardPast, account_id: AccountId, is_source: bool) -> Answer<Settled> {
    let mut asked = StatementAsked {
        account_id,
        period: Period::All,
        direction: Direction::OldestFirst,
        after: None,
        limit: LINES_MAX,
    };
    let mut settled = Settled::default();
    while let Some(page) = statement(past, &asked)? {
        if let Some(fault) = page.faults.first() {
            return Err(Fault::Damaged(fault.clone()));
        }
        page.lines.iter().for_each(|line| settled.take(&line.transfer, is_source));
        asked.after = page.next;
        if asked.after.is_none() {
            break;
        }
    }
    Ok(settled)
}

impl Desk<'_> {
    pub(super) async fn clearing(&self) -> Result<Bytes, ServeFault> {
        let shard = self.teller.group().id().0;
        let (under_way, accounts) = self
            .look(|machine| {
                let crossings = machine.books().crossings();
                let under_way = crossings.iter().filter(|open| open.stage() != Stage::Reserved).count();
                let accounts = fen_ledger::reports::accounts(machine.shard().book());
                let clearing: Vec<Account> = accounts.filter(|account| is_clearing(account.id)).collect();
                (under_way, clearing)
            })
            .await?;
        let parts = self.history(move |past| {
            let part = |account: &Account| {
                let (source, _) = pair(account.id.get());
                let settled = settled(past, account.id, source == shard)?;
                Ok(wire::ClearingAccount {
                    account: Some(records::account_message(account)),
                    settled: settled.count,
                    mark: settled.mark(),
                })
            };
            accounts.iter().map(part).collect::<Answer<Vec<_>>>()
        });
        let under_way = u64::try_from(under_way).unwrap_or(u64::MAX);
        Ok(encoded(&wire::ClearingPart { accounts: parts.await?, under_way }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_book::LedgerCode;
    use fen_book::clearing::clearing_account;

    #[test]
    fn both_sides_of_a_transfer_have_one_mark() {
        let account = clearing_account(3, 7, LedgerCode::new(156)).unwrap();
        assert_eq!(pair(account.get()), (3, 7));
        let (one, other) = (TransferId::new(11), TransferId::new(12));
        let record = |id, pending_id, amount, flags| Transfer {
            id,
            pending_id,
            amount: Amount::new(amount),
            flags,
            ..Transfer::default()
        };
        let (pending, post) = (TransferFlags::PENDING, TransferFlags::POST_PENDING_TRANSFER);
        let (mut source, mut target) = (Settled::default(), Settled::default());
        for id in [one, other] {
            source.take(&record(id, TransferId::ZERO, 5, pending), true);
        }
        source.take(&record(step_id(one, Step::Settle), one, 5, post), true);
        assert_eq!(source.count, 1);
        // What crossed at once, and what was reserved and posted in part.
        source.take(&record(TransferId::new(99), other, 2, post), true);
        let (leg, reserved) = (step_id(one, Step::Leg), step_id(other, Step::Leg));
        target.take(&record(reserved, TransferId::ZERO, 5, pending), false);
        target.take(&record(step_id(other, Step::LegEnd), reserved, 2, post), false);
        assert_ne!(target.mark(), source.mark());
        target.take(&record(leg, TransferId::ZERO, 5, TransferFlags::NONE), false);
        assert_eq!(target, source, "in any order");
        target.take(&record(leg, TransferId::ZERO, 5, TransferFlags::NONE), false);
        assert_ne!(target.mark(), source.mark(), "twice is not once");
    }
}
