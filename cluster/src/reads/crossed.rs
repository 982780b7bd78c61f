//! Transfers between shards in a shard's sums: each counts once, on its payer's shard, on the day of its post.
//!
//! Such a transfer is booked as a reservation against a clearing account and its post on the payer's shard, and as a
//! leg out of clearing on the payee's (`fen_book::clearing`). Counted is the post, as something booked. Left out are
//! the leg, with its post, and a reservation that only carried the transfer: one that the cluster itself ended. What a
//! customer reserved, and what is still on its way, counts as reserved.
//!
//! **Invariants.** What is left out was counted: nothing comes out below zero. It costs the entries of the clearing
//! accounts in the period. Tested in `cluster/tests/crossing.rs`.

use fen_book::clearing::{SHARD_NUMBER_MAX, Step, clearing_account, is_clearing, step_id};
use fen_book::{AccountId, Amount, BusinessDate, LedgerCode, Transfer, TransferFlags, TransferId};
use fen_ledger::past::Past;
use fen_ledger::statement::{LINES_MAX, statement};
use fen_ledger::{
    Answer, Direction, Period, Split, StatementAsked, Total, Turnover, TurnoverAsked, Turnovers, history,
};
use fen_store::segment::CodeFlow;
use std::collections::{BTreeMap, BTreeSet};

/// Look-ups of the ends of reservations that lie behind the period go in such portions.
const LOOKUPS: usize = 1_024;

/// Takes off what the cluster's own steps have added.
pub(super) fn leave_out_steps(
    past: &impl Past,
    shard: u32,
    asked: &TurnoverAsked,
    found: &mut Turnovers,
) -> Answer<()> {
    if let Some(account) = asked.account_id {
        if !is_clearing(account) {
            let mut steps = Steps::new(asked);
            steps.walk(past, account, Side::Out)?;
            steps.take_off(past, found)?;
        }
        return Ok(());
    }
    let ledgers: BTreeSet<u32> = found.lines.iter().map(|line| line.ledger).collect();
    let accounts = past.look(move |book| {
        let known = |id: &(AccountId, Side)| book.accounts().slot_of(id.0).is_some();
        let of = |ledger: u32| {
            (1..=SHARD_NUMBER_MAX).flat_map(move |other| {
                let ledger = LedgerCode::new(ledger);
                let out = clearing_account(shard, other, ledger).map(|id| (id, Side::Out));
                let into = clearing_account(other, shard, ledger).map(|id| (id, Side::In));
                out.into_iter().chain(into)
            })
        };
        ledgers.into_iter().flat_map(of).filter(known).collect::<Vec<_>>()
    })?;
    let mut steps = Steps::new(asked);
    for (account, side) in accounts {
        steps.walk(past, account, side)?;
    }
    steps.take_off(past, found)
}

/// Which of a clearing account's entries are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// From this shard: reservations.
    Out,
    /// To this shard: legs.
    In,
}

type Key = (Option<BusinessDate>, u32, u16);

/// What is left out, being gathered.
struct Steps<'a> {
    asked: &'a TurnoverAsked,
    left_out: BTreeMap<Key, Turnover>,
    /// Reservations against clearing whose end was not met yet.
    open: BTreeMap<TransferId, (Key, Amount)>,
}

impl<'a> Steps<'a> {
    fn new(asked: &'a TurnoverAsked) -> Self {
        Self { asked, left_out: BTreeMap::new(), open: BTreeMap::new() }
    }

    fn walk(&mut self, past: &impl Past, account_id: AccountId, side: Side) -> Answer<()> {
        let period = match self.asked.period {
            Period::Valued { first, last } => Period::Booked { first, last },
            other @ (Period::All | Period::Stamps { .. } | Period::Booked { .. }) => other,
        };
        let (direction, limit) = (Direction::OldestFirst, LINES_MAX);
        let mut page = StatementAsked { account_id, period, direction, after: None, limit };
        while let Some(told) = statement(past, &page)? {
            for line in &told.lines {
                self.entry(&line.transfer, line.booked_on, side);
            }
            // A damaged piece was named by the sums, and its records were not counted.
            page.after = told.next;
            if page.after.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn entry(&mut self, record: &Transfer, date: BusinessDate, side: Side) {
        let date = (self.asked.split == Split::Days).then_some(date);
        let key = (date, record.ledger.get(), record.code.get());
        let flow = CodeFlow::of(record.ledger.get(), record.code.get(), record.flags, record.amount);
        match (side, flow) {
            (Side::In, Some(flow)) => {
                let line = self.left_out.entry(key).or_default();
                line.posted_count += u64::from(flow.posted.count);
                line.posted.add(Amount::new(flow.posted.amount));
                line.reserved_count += u64::from(flow.reserved.count);
                line.reserved.add(Amount::new(flow.reserved.amount));
            }
            (Side::In, None) => {}
            (Side::Out, _) if record.flags.contains(TransferFlags::PENDING) => {
                if is_clearing(record.credit_account_id) {
                    self.open.insert(record.id, (key, record.amount));
                }
            }
            (Side::Out, _) => {
                let reserved = self.open.remove(&record.pending_id);
                let by_the_cluster = record.id == step_id(record.pending_id, Step::Settle);
                if let Some((key, amount)) = reserved.filter(|_| by_the_cluster) {
                    self.leave_out_reservation(key, amount);
                }
            }
        }
    }

    fn leave_out_reservation(&mut self, key: Key, amount: Amount) {
        let line = self.left_out.entry(key).or_default();
        line.reserved_count += 1;
        line.reserved.add(amount);
    }

    fn take_off(mut self, past: &impl Past, found: &mut Turnovers) -> Answer<()> {
        // Ended behind the period, or not yet.
        let open: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        for portion in open.chunks(LOOKUPS) {
            let ids: Vec<TransferId> = portion.iter().map(|(id, _)| step_id(*id, Step::Settle)).collect();
            for ((_, (key, amount)), end) in portion.iter().zip(history::lookup(past, &ids)?) {
                if end.is_some() {
                    self.leave_out_reservation(*key, *amount);
                }
            }
        }
        for line in &mut found.lines {
            let Some(steps) = self.left_out.get(&(line.date, line.ledger, line.code)) else { continue };
            line.posted_count = line.posted_count.saturating_sub(steps.posted_count);
            line.reserved_count = line.reserved_count.saturating_sub(steps.reserved_count);
            for (sum, part) in [(&mut line.posted, steps.posted), (&mut line.reserved, steps.reserved)] {
                if !sum.exclude(part) {
                    // A damaged piece has kept some of it from being counted; it is named beside the sums.
                    *sum = Total::default();
                }
            }
        }
        found.lines.retain(|line| line.posted_count > 0 || line.reserved_count > 0);
        Ok(())
    }
}
