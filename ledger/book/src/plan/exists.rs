//! A transfer id that is known already: `exists`, or the first field that differs.

use super::{TransferOrder, TransferRefused, refuse};
use crate::command::Outcome;
use crate::status::CreateTransferStatus as Status;
use crate::transfer::{Transfer, TransferFlags};
use crate::view::View;

impl View<'_> {
    #[cold]
    pub(super) fn transfer_exists(&self, order: TransferOrder<'_>, existing: &Transfer) -> TransferRefused {
        if existing.flags.contains(TransferFlags::BURNED) {
            return refuse(Status::IdAlreadyFailed, order.stamp);
        }
        let transfer = order.transfer;
        let first = [
            (transfer.flags != existing.flags, Status::ExistsWithDifferentFlags),
            (transfer.pending_id != existing.pending_id, Status::ExistsWithDifferentPendingId),
            (transfer.timeout != existing.timeout, Status::ExistsWithDifferentTimeout),
        ];
        let ends = TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER);
        let differs = first_broken(&first).or_else(|| {
            if transfer.flags.intersects(ends) {
                first_broken(&self.resolution_differences(transfer, existing))
            } else {
                first_broken(&differences(transfer, existing))
            }
        });
        match differs {
            Some(status) => refuse(status, order.stamp),
            None => Outcome { timestamp: existing.timestamp, status: Status::Exists },
        }
    }

    /// As [`differences`], but zeros of a post or void count as inherited from the pending transfer.
    fn resolution_differences(&self, transfer: &Transfer, existing: &Transfer) -> [(bool, Status); 8] {
        let reserved =
            self.reserved_record(transfer.pending_id).expect("what was posted or voided has a record");
        let is_void = transfer.flags.contains(TransferFlags::VOID_PENDING_TRANSFER);
        let means_all = if is_void { transfer.amount.is_zero() } else { transfer.amount.is_max() };
        let amount = if means_all { reserved.amount } else { transfer.amount };
        let debit = transfer.debit_account_id;
        let credit = transfer.credit_account_id;
        let or = |given: u128, inherited: u128| if given == 0 { inherited } else { given };
        let data_64 = or(u128::from(transfer.user_data_64), u128::from(reserved.user_data_64));
        let data_32 = or(u128::from(transfer.user_data_32), u128::from(reserved.user_data_32));
        [
            (
                !debit.is_zero() && debit != existing.debit_account_id,
                Status::ExistsWithDifferentDebitAccountId,
            ),
            (
                !credit.is_zero() && credit != existing.credit_account_id,
                Status::ExistsWithDifferentCreditAccountId,
            ),
            (amount != existing.amount, Status::ExistsWithDifferentAmount),
            (
                or(transfer.user_data_128, reserved.user_data_128) != existing.user_data_128,
                Status::ExistsWithDifferentUserData128,
            ),
            (data_64 != u128::from(existing.user_data_64), Status::ExistsWithDifferentUserData64),
            (data_32 != u128::from(existing.user_data_32), Status::ExistsWithDifferentUserData32),
            (
                !transfer.ledger.is_zero() && transfer.ledger != existing.ledger,
                Status::ExistsWithDifferentLedger,
            ),
            (!transfer.code.is_zero() && transfer.code != existing.code, Status::ExistsWithDifferentCode),
        ]
    }
}

fn first_broken(rules: &[(bool, Status)]) -> Option<Status> {
    rules.iter().find_map(|(broken, status)| broken.then_some(*status))
}

/// The first thing in which a transfer (no post, no void) differs from the record under its id.
pub fn first_difference(transfer: &Transfer, existing: &Transfer) -> Option<Status> {
    let first = [
        (transfer.flags != existing.flags, Status::ExistsWithDifferentFlags),
        (transfer.pending_id != existing.pending_id, Status::ExistsWithDifferentPendingId),
        (transfer.timeout != existing.timeout, Status::ExistsWithDifferentTimeout),
    ];
    first_broken(&first).or_else(|| first_broken(&differences(transfer, existing)))
}

/// A balancing transfer asks for a bound: any that is at least what was moved counts as the same.
fn differences(transfer: &Transfer, existing: &Transfer) -> [(bool, Status); 8] {
    let balancing = TransferFlags::BALANCING_DEBIT.with(TransferFlags::BALANCING_CREDIT);
    let amount_differs = if transfer.flags.intersects(balancing) {
        transfer.amount < existing.amount
    } else {
        transfer.amount != existing.amount
    };
    [
        (transfer.debit_account_id != existing.debit_account_id, Status::ExistsWithDifferentDebitAccountId),
        (
            transfer.credit_account_id != existing.credit_account_id,
            Status::ExistsWithDifferentCreditAccountId,
        ),
        (amount_differs, Status::ExistsWithDifferentAmount),
        (transfer.user_data_128 != existing.user_data_128, Status::ExistsWithDifferentUserData128),
        (transfer.user_data_64 != existing.user_data_64, Status::ExistsWithDifferentUserData64),
        (transfer.user_data_32 != existing.user_data_32, Status::ExistsWithDifferentUserData32),
        (transfer.ledger != existing.ledger, Status::ExistsWithDifferentLedger),
        (transfer.code != existing.code, Status::ExistsWithDifferentCode),
    ]
}
