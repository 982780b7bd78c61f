//! Answering a request whose id exists: `exists`, or the first field that differs.

use fen_book::{Account, CreateAccountStatus, CreateTransferStatus, Outcome, Stamp, Transfer, TransferFlags};

/// Compares the request with the account as it is now (so one that was closed since has different flags).
pub(crate) fn account(asked: &Account, existing: &Account, clock: Stamp) -> Outcome<CreateAccountStatus> {
    let differences = [
        (asked.flags != existing.flags, CreateAccountStatus::ExistsWithDifferentFlags),
        (asked.user_data_128 != existing.user_data_128, CreateAccountStatus::ExistsWithDifferentUserData128),
        (asked.user_data_64 != existing.user_data_64, CreateAccountStatus::ExistsWithDifferentUserData64),
        (asked.user_data_32 != existing.user_data_32, CreateAccountStatus::ExistsWithDifferentUserData32),
        (asked.ledger != existing.ledger, CreateAccountStatus::ExistsWithDifferentLedger),
        (asked.code != existing.code, CreateAccountStatus::ExistsWithDifferentCode),
    ];
    match differences.into_iter().find(|(differs, _)| *differs) {
        Some((_, status)) => Outcome { timestamp: clock, status },
        None => Outcome { timestamp: existing.timestamp, status: CreateAccountStatus::Exists },
    }
}

/// Compares the request with the transfer as it was granted. `pending` is what a post or a void ended: from it an
/// empty field was inherited.
pub(crate) fn transfer(
    asked: &Transfer,
    existing: &Transfer,
    pending: Option<&Transfer>,
    clock: Stamp,
) -> Outcome<CreateTransferStatus> {
    use CreateTransferStatus as Status;
    if asked.flags != existing.flags {
        return Outcome { timestamp: clock, status: Status::ExistsWithDifferentFlags };
    }
    if asked.pending_id != existing.pending_id {
        return Outcome { timestamp: clock, status: Status::ExistsWithDifferentPendingId };
    }
    if asked.timeout != existing.timeout {
        return Outcome { timestamp: clock, status: Status::ExistsWithDifferentTimeout };
    }
    let meant = match pending {
        Some(pending) => with_inherited(asked, pending),
        None => *asked,
    };
    let differences = [
        (meant.debit_account_id != existing.debit_account_id, Status::ExistsWithDifferentDebitAccountId),
        (meant.credit_account_id != existing.credit_account_id, Status::ExistsWithDifferentCreditAccountId),
        (!could_have_moved(&meant, existing), Status::ExistsWithDifferentAmount),
        (meant.user_data_128 != existing.user_data_128, Status::ExistsWithDifferentUserData128),
        (meant.user_data_64 != existing.user_data_64, Status::ExistsWithDifferentUserData64),
        (meant.user_data_32 != existing.user_data_32, Status::ExistsWithDifferentUserData32),
        (meant.ledger != existing.ledger, Status::ExistsWithDifferentLedger),
        (meant.code != existing.code, Status::ExistsWithDifferentCode),
    ];
    match differences.into_iter().find(|(differs, _)| *differs) {
        Some((_, status)) => Outcome { timestamp: clock, status },
        None => Outcome { timestamp: existing.timestamp, status: Status::Exists },
    }
}

/// Whether a request for this amount could have moved what was moved: a balancing one asks for "at most".
fn could_have_moved(asked: &Transfer, existing: &Transfer) -> bool {
    if asked.flags.intersects(TransferFlags::BALANCING_DEBIT.with(TransferFlags::BALANCING_CREDIT)) {
        asked.amount >= existing.amount
    } else {
        asked.amount == existing.amount
    }
}

/// What a post or a void means: its empty fields are the pending transfer's.
pub(crate) fn with_inherited(asked: &Transfer, pending: &Transfer) -> Transfer {
    let mut meant = *asked;
    if asked.debit_account_id.is_zero() {
        meant.debit_account_id = pending.debit_account_id;
    }
    if asked.credit_account_id.is_zero() {
        meant.credit_account_id = pending.credit_account_id;
    }
    if asked.user_data_128 == 0 {
        meant.user_data_128 = pending.user_data_128;
    }
    if asked.user_data_64 == 0 {
        meant.user_data_64 = pending.user_data_64;
    }
    if asked.user_data_32 == 0 {
        meant.user_data_32 = pending.user_data_32;
    }
    if asked.ledger.is_zero() {
        meant.ledger = pending.ledger;
    }
    if asked.code.is_zero() {
        meant.code = pending.code;
    }
    let posts_all = asked.flags.contains(TransferFlags::POST_PENDING_TRANSFER) && asked.amount.is_max();
    let voids_all = asked.flags.contains(TransferFlags::VOID_PENDING_TRANSFER) && asked.amount.is_zero();
    if posts_all || voids_all {
        meant.amount = pending.amount;
    }
    meant
}
