//! Posting: writing what a plan says. Nothing here can fail or refuse.

use crate::accounts::wide;
use crate::book::Book;
use crate::journal::NO_SLOT;
use crate::pendings::Pending;
use crate::plan::{AccountPlan, Effect, TransferPlan};
use crate::quantity::{AccountSlot, Amount, Stamp, TransferId};
use crate::status::CreateTransferStatus;
use crate::transfer::{Transfer, TransferFlags};
use crate::young::burned;

impl Book {
    /// Opens the planned account.
    pub(crate) fn open(&mut self, plan: &AccountPlan) {
        let slot = self.accounts.open(plan.account);
        if !plan.limit.is_zero() {
            self.accounts.set_limit(slot, plan.limit);
            self.tell_limit(plan.account.id, plan.limit, plan.account.timestamp);
        }
    }

    /// Writes a planned transfer: both accounts, the open pending transfers, the journal.
    #[inline]
    pub(crate) fn post(&mut self, plan: &TransferPlan) {
        let record = &plan.record;
        self.move_money(plan.effect, record.amount, [plan.debit, plan.credit]);
        if let Effect::Settle { reserved } = plan.effect
            && reserved != record.amount
        {
            self.young.note_part_post(reserved);
        }
        self.young.push(record, [plan.debit, plan.credit]);
        if record.flags.contains(TransferFlags::PENDING) {
            self.pendings.open(plan.pending());
        }
        if !record.pending_id.is_zero() {
            self.end_pending(record.pending_id);
        }
    }

    /// Releases a pending transfer whose time is over. The journal's mark bears the last transfer's stamp, so
    /// that stamps never fall along the journal, and the moment of release in `user_data_64`.
    pub(crate) fn post_expiry(&mut self, pending: &Pending, now: Stamp) {
        let reserved = &pending.transfer;
        let effect = Effect::Release { reserved: reserved.amount, flags: reserved.flags };
        let slots = [pending.debit, pending.credit];
        self.move_money(effect, reserved.amount, slots);
        let record = Transfer {
            debit_account_id: reserved.debit_account_id,
            credit_account_id: reserved.credit_account_id,
            amount: reserved.amount,
            pending_id: reserved.id,
            user_data_64: now.get(),
            ledger: reserved.ledger,
            code: reserved.code,
            flags: TransferFlags::EXPIRY,
            timestamp: self.young.last_transfer_stamp(),
            ..Transfer::default()
        };
        self.young.push(&record, slots);
        self.end_pending(reserved.id);
    }

    /// Marks an id as refused for good.
    pub(crate) fn burn(&mut self, id: TransferId) {
        self.young.make_room();
        let record = burned(id, self.young.last_transfer_stamp());
        self.young.push(&record, [NO_SLOT, NO_SLOT]);
    }

    /// As [`Book::burn`], with the reason kept in `user_data_32`: the source shard may ask for it again.
    pub(crate) fn burn_leg(&mut self, id: TransferId, status: CreateTransferStatus) {
        self.young.make_room();
        let reason = u32::from(status.number());
        let record = Transfer { user_data_32: reason, ..burned(id, self.young.last_transfer_stamp()) };
        self.young.push(&record, [NO_SLOT, NO_SLOT]);
    }

    fn end_pending(&mut self, id: TransferId) {
        let ended = self.pendings.get(id).expect("only an open pending transfer ends").transfer;
        self.pendings.close(id);
        self.ended_now.insert(id, ended);
    }

    #[inline]
    fn move_money(&mut self, effect: Effect, amount: Amount, [debit, credit]: [AccountSlot; 2]) {
        let mark = self.young.make_room();
        let account = self.accounts.table.get_mut(wide(debit));
        if account.reserved != mark {
            self.young.touch(debit, account);
            account.reserved = mark;
        }
        effect.on_debit(account, amount);
        let account = self.accounts.table.get_mut(wide(credit));
        if account.reserved != mark {
            self.young.touch(credit, account);
            account.reserved = mark;
        }
        effect.on_credit(account, amount);
    }
}
