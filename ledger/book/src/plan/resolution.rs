//! Posting or voiding a pending transfer: the rules, in checking order.

use super::{Effect, TransferOrder, TransferPlan, TransferRefused};
use crate::account::AccountFlags;
use crate::clearing::is_clearing;
use crate::pendings::Pending;
use crate::quantity::{Amount, Stamp};
use crate::status::CreateTransferStatus as Status;
use crate::transfer::{Transfer, TransferFlags};
use crate::view::{PendingState, View};

impl View<'_> {
    pub(super) fn plan_resolution(&self, order: TransferOrder<'_>) -> Result<TransferPlan, TransferRefused> {
        if let Some(status) = first_wrong_field(order.transfer) {
            return order.no(status);
        }
        let pending_id = order.transfer.pending_id;
        let reserved = match self.reserved_record(pending_id) {
            Some(record) if record.is_transfer() => record,
            Some(_) | None => return order.no(Status::PendingTransferNotFound),
        };
        if !reserved.flags.contains(TransferFlags::PENDING) {
            return order.no(Status::PendingTransferNotPending);
        }
        if let Some(status) = first_difference(order.transfer, reserved) {
            return order.no(status);
        }
        let amount = resolved_amount(order.transfer, reserved);
        if amount > reserved.amount {
            return order.no(Status::ExceedsPendingTransferAmount);
        }
        if order.has(TransferFlags::VOID_PENDING_TRANSFER) && amount < reserved.amount {
            return order.no(Status::PendingTransferHasDifferentAmount);
        }
        let pending = match self.pending_state(pending_id) {
            PendingState::Open(pending) => pending,
            PendingState::Ended(record) => return order.no(how_it_ended(record)),
        };
        if pending.expires_at().is_some_and(|expires_at| expires_at <= order.stamp) {
            return order.no(Status::PendingTransferExpired);
        }
        let stamp = self.resolution_stamp(order)?;
        self.check_open(order, pending)?;
        Ok(resolution_plan(order, pending, amount, stamp))
    }

    fn resolution_stamp(&self, order: TransferOrder<'_>) -> Result<Stamp, TransferRefused> {
        if !order.has(TransferFlags::IMPORTED) {
            return Ok(order.stamp);
        }
        let stamp = order.transfer.timestamp;
        if self.transfer_stamp_regresses(stamp) {
            return order.no(Status::ImportedEventTimestampMustNotRegress);
        }
        Ok(stamp)
    }

    /// A closed account takes nothing but voids, and what another shard relies on.
    fn check_open(&self, order: TransferOrder<'_>, pending: &Pending) -> Result<(), TransferRefused> {
        let Transfer { debit_account_id, credit_account_id, .. } = pending.transfer;
        let is_relied_on = is_clearing(debit_account_id) || is_clearing(credit_account_id);
        if order.has(TransferFlags::VOID_PENDING_TRANSFER) || is_relied_on {
            return Ok(());
        }
        if self.account(pending.debit).flags.contains(AccountFlags::CLOSED) {
            return order.no(Status::DebitAccountAlreadyClosed);
        }
        if self.account(pending.credit).flags.contains(AccountFlags::CLOSED) {
            return order.no(Status::CreditAccountAlreadyClosed);
        }
        Ok(())
    }
}

fn first_wrong_field(transfer: &Transfer) -> Option<Status> {
    let flags = transfer.flags;
    let both = TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER);
    let alien = TransferFlags::PENDING
        .with(TransferFlags::BALANCING_DEBIT)
        .with(TransferFlags::BALANCING_CREDIT)
        .with(TransferFlags::CLOSING_DEBIT)
        .with(TransferFlags::CLOSING_CREDIT);
    let rules = [
        (flags.contains(both) || flags.intersects(alien), Status::FlagsAreMutuallyExclusive),
        (transfer.pending_id.is_zero(), Status::PendingIdMustNotBeZero),
        (transfer.pending_id.is_max(), Status::PendingIdMustNotBeIntMax),
        (transfer.pending_id == transfer.id, Status::PendingIdMustBeDifferent),
        (!transfer.timeout.is_zero(), Status::TimeoutReservedForPendingTransfer),
    ];
    rules.into_iter().find_map(|(broken, status)| broken.then_some(status))
}

/// The first field that is given and differs from the pending transfer's.
fn first_difference(transfer: &Transfer, reserved: &Transfer) -> Option<Status> {
    let debit = transfer.debit_account_id;
    let credit = transfer.credit_account_id;
    let rules = [
        (
            !debit.is_zero() && debit != reserved.debit_account_id,
            Status::PendingTransferHasDifferentDebitAccountId,
        ),
        (
            !credit.is_zero() && credit != reserved.credit_account_id,
            Status::PendingTransferHasDifferentCreditAccountId,
        ),
        (
            !transfer.ledger.is_zero() && transfer.ledger != reserved.ledger,
            Status::PendingTransferHasDifferentLedger,
        ),
        (!transfer.code.is_zero() && transfer.code != reserved.code, Status::PendingTransferHasDifferentCode),
    ];
    rules.into_iter().find_map(|(broken, status)| broken.then_some(status))
}

/// Absent in a void and the largest amount in a post both mean all that is reserved.
fn resolved_amount(transfer: &Transfer, reserved: &Transfer) -> Amount {
    let all = if transfer.flags.contains(TransferFlags::VOID_PENDING_TRANSFER) {
        transfer.amount.is_zero()
    } else {
        transfer.amount.is_max()
    };
    if all { reserved.amount } else { transfer.amount }
}

fn how_it_ended(record: &Transfer) -> Status {
    if record.flags.contains(TransferFlags::EXPIRY) {
        Status::PendingTransferExpired
    } else if record.flags.contains(TransferFlags::POST_PENDING_TRANSFER) {
        Status::PendingTransferAlreadyPosted
    } else {
        Status::PendingTransferAlreadyVoided
    }
}

fn resolution_plan(
    order: TransferOrder<'_>,
    pending: &Pending,
    amount: Amount,
    stamp: Stamp,
) -> TransferPlan {
    let transfer = order.transfer;
    let reserved = &pending.transfer;
    let record = Transfer {
        id: transfer.id,
        debit_account_id: reserved.debit_account_id,
        credit_account_id: reserved.credit_account_id,
        amount,
        pending_id: transfer.pending_id,
        user_data_128: if transfer.user_data_128 == 0 {
            reserved.user_data_128
        } else {
            transfer.user_data_128
        },
        user_data_64: if transfer.user_data_64 == 0 { reserved.user_data_64 } else { transfer.user_data_64 },
        user_data_32: if transfer.user_data_32 == 0 { reserved.user_data_32 } else { transfer.user_data_32 },
        timeout: transfer.timeout,
        ledger: reserved.ledger,
        code: reserved.code,
        flags: transfer.flags,
        timestamp: stamp,
    };
    let effect = if order.has(TransferFlags::VOID_PENDING_TRANSFER) {
        Effect::Release { reserved: reserved.amount, flags: reserved.flags }
    } else {
        Effect::Settle { reserved: reserved.amount }
    };
    TransferPlan { record, debit: pending.debit, credit: pending.credit, chain: stamp, effect }
}
