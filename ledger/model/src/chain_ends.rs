//! Ending a whole chain of reservations: its open members are posted, or voided, as one linked chain.

use crate::journal::{Ending, Entry};
use crate::{Model, batch};
use fen_book::CreateTransferStatus as Status;
use fen_book::{
    Amount, ChainEnd, ChainOutcome, EVENTS_MAX, Outcome, Stamp, Transfer, TransferFlags, TransferId,
};

/// An end takes as many stamps as a chain can have members, used or not.
const STAMPS_EACH: u64 = EVENTS_MAX as u64;

impl Model {
    /// Ends chains; the stamps of the last one's members end at `stamp` at the latest.
    pub(crate) fn end_chains(&mut self, ends: &[ChainEnd], stamp: Stamp) -> Vec<ChainOutcome> {
        let mut outcomes = Vec::new();
        for (index, end) in ends.iter().enumerate() {
            outcomes.push(self.end_chain(end, batch::stamp_of(ends.len(), index, STAMPS_EACH, stamp)));
        }
        outcomes
    }

    fn end_chain(&mut self, end: &ChainEnd, first: Stamp) -> ChainOutcome {
        let none = |outcome| ChainOutcome { outcome, members: 0 };
        let refused = |status| none(Outcome { timestamp: first, status });
        let is_post = end.flags == TransferFlags::POST_PENDING_TRANSFER;
        let is_void = end.flags == TransferFlags::VOID_PENDING_TRANSFER;
        if !is_post && !is_void {
            return refused(Status::FlagsAreMutuallyExclusive);
        }
        if let Some(existing) = self.transfer(end.id) {
            if existing.flags.without(TransferFlags::LINKED) != end.flags {
                return refused(Status::ExistsWithDifferentFlags);
            }
            if !self.was_ended_by(end) {
                return refused(Status::ExistsWithDifferentPendingId);
            }
            return none(Outcome { timestamp: existing.timestamp, status: Status::Exists });
        }
        if self.burned.contains(&end.id) {
            return refused(Status::IdAlreadyFailed);
        }
        let orders = self.orders(end);
        let last = Stamp::new(first.get() + orders.len() as u64 - 1);
        let outcomes = batch::run(self, &orders, last);
        // Of a broken chain the member that broke it tells why; of a whole one, the first member.
        let telling = outcomes.iter().find(|outcome| outcome.status != Status::LinkedEventFailed);
        let outcome = *telling.expect("a chain is whole, or a member broke it");
        if batch::is_of_the_moment(outcome.status) {
            // Whichever member was refused, it was this id that the client was told has failed.
            self.burned.insert(end.id);
        }
        let is_done = outcome.status == Status::Created;
        let members = if is_done { u32::try_from(orders.len()).expect("a chain fits a batch") } else { 0 };
        ChainOutcome { outcome, members }
    }

    /// Whether the pending transfer that the request names was ended under one of the request's ids.
    fn was_ended_by(&self, end: &ChainEnd) -> bool {
        self.journal.iter().any(|entry| match entry {
            Entry::Post { transfer, pending } | Entry::Void { transfer, pending } => {
                let number = transfer.id.get().checked_sub(end.id.get());
                pending.id == end.pending_id && number.is_some_and(|number| number < u128::from(STAMPS_EACH))
            }
            Entry::Plain { .. } | Entry::Pending { .. } | Entry::Expiry { .. } => false,
        })
    }

    /// One post or void for each open member, linked; for a pending transfer that is not open, the one that will be
    /// refused.
    fn orders(&self, end: &ChainEnd) -> Vec<Transfer> {
        let members = self.open_members(end.pending_id);
        let pending_ids = if members.is_empty() { vec![end.pending_id] } else { members };
        let count = pending_ids.len();
        let voids = end.flags == TransferFlags::VOID_PENDING_TRANSFER;
        let order = |(number, pending_id): (usize, &TransferId)| Transfer {
            id: TransferId::new(end.id.get().wrapping_add(number as u128)),
            pending_id: *pending_id,
            amount: if voids { Amount::ZERO } else { Amount::MAX },
            flags: if number + 1 < count { end.flags.with(TransferFlags::LINKED) } else { end.flags },
            ..Transfer::default()
        };
        pending_ids.iter().enumerate().map(order).collect()
    }

    /// The pending transfers that came in one chain with this one and are open as it is, in the chain's order.
    fn open_members(&self, id: TransferId) -> Vec<TransferId> {
        let alone = vec![id];
        let chain = self.chains.iter().find(|chain| chain.contains(&id)).unwrap_or(&alone);
        let is_open = |id: &&TransferId| {
            let transfer = self.transfer(**id);
            transfer.is_some_and(|transfer| transfer.flags.contains(TransferFlags::PENDING))
                && self.ending(**id) == Ending::Open
        };
        if alone.iter().any(|id| !is_open(&id)) {
            return Vec::new();
        }
        chain.iter().filter(is_open).copied().collect()
    }
}
