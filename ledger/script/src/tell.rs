//! The answers, in words that a banker reads.

use crate::money::Currency;
use crate::names::Names;
use crate::time;
use fen_book::{
    Account, AccountFlags, Amount, Balances, CreateTransferStatus, LedgerCode, OpenPending, OpeningStatus,
    Position, Stamp, TimeoutSeconds, Transfer, TransferFlags,
};

/// `rent     refused: exceeds_credits`: the name of what was asked, and what came of it.
pub(crate) fn line(label: &str, text: &str) -> String {
    format!("{label:<8} {text}")
}

/// The same for events written field by field, whose labels are longer.
pub(crate) fn raw_line(label: &str, status: &str) -> String {
    format!("{label:<44}  {status}")
}

/// One line of a list, under the name of the transfer that it speaks of.
pub(crate) fn list_line(label: &str, text: &str) -> String {
    format!("  {label:<12} {text}")
}

/// What came of a transfer that was created. `pending` is what it ended.
pub(crate) fn created(asked: &Transfer, found: &Transfer, pending: Option<&Transfer>) -> String {
    let currency = Currency::of(found.ledger);
    if let Some(pending) = pending {
        let released = pending.amount.saturating_sub(found.amount);
        if found.flags.contains(TransferFlags::VOID_PENDING_TRANSFER) {
            return format!("voided, released {}", currency.print(pending.amount));
        }
        let posted = format!("posted {}", currency.print(found.amount));
        return if released.is_zero() {
            posted
        } else {
            format!("{posted}, released {}", currency.print(released))
        };
    }
    let amount = if asked.amount == found.amount {
        String::new()
    } else if asked.amount.is_max() {
        format!(" {}", currency.print(found.amount))
    } else {
        format!(" {} of {}", currency.print(found.amount), currency.print(asked.amount))
    };
    if found.flags.contains(TransferFlags::PENDING) {
        format!("pending{amount}{}", until(found.timestamp, found.timeout))
    } else {
        format!("posted{amount}")
    }
}

fn until(stamp: Stamp, timeout: TimeoutSeconds) -> String {
    match stamp.checked_after(timeout) {
        Some(end) if !timeout.is_zero() => format!(" until {}", time::print(end)),
        Some(_) | None => String::new(),
    }
}

/// `refused: exceeds_credits (available 60.00)`. `debit` and `credit` are the accounts as they are now.
pub(crate) fn refused(
    status: CreateTransferStatus,
    debit: Option<&Position>,
    credit: Option<&Position>,
) -> String {
    if status == CreateTransferStatus::Exists {
        return "exists".to_owned();
    }
    let room = if status == CreateTransferStatus::ExceedsCredits {
        debit.and_then(available)
    } else if status == CreateTransferStatus::ExceedsDebits {
        credit.and_then(available)
    } else {
        None
    };
    room.map_or_else(|| format!("refused: {status}"), |room| format!("refused: {status} (available {room})"))
}

/// Why an account was not opened; where its opening balance is the reason, why that was not posted.
pub(crate) fn opening_status(status: OpeningStatus) -> String {
    match status.transfer {
        Some(transfer) => format!("{} ({transfer})", status.account),
        None => status.account.to_string(),
    }
}

/// How much an account with a limit has left.
fn available(position: &Position) -> Option<String> {
    let account = &position.account;
    let currency = Currency::of(account.ledger);
    let left = |covered: Amount, posted: Amount, pending: Amount| {
        let covered = Amount::new(covered.get().saturating_add(position.limit.get()));
        let spent = Amount::new(posted.get().saturating_add(pending.get()));
        currency.print_difference(covered, spent)
    };
    if account.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS) {
        Some(left(account.credits_posted, account.debits_posted, account.debits_pending))
    } else if account.flags.contains(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS) {
        Some(left(account.debits_posted, account.credits_posted, account.credits_pending))
    } else {
        None
    }
}

/// "posted 75.00  pending 40.00 out": what an account's holder sees. An asset of the bank's own is counted from the
/// debit side.
pub(crate) fn balances(balances: &Balances, currency: Currency, asset: bool) -> String {
    let (plus, minus, comes, goes) = if asset {
        (balances.debits_posted, balances.credits_posted, balances.debits_pending, balances.credits_pending)
    } else {
        (balances.credits_posted, balances.debits_posted, balances.credits_pending, balances.debits_pending)
    };
    let pending = match (comes.is_zero(), goes.is_zero()) {
        (true, true) => currency.print(Amount::ZERO),
        (true, false) => format!("{} out", currency.print(goes)),
        (false, true) => format!("{} in", currency.print(comes)),
        (false, false) => format!("{} in, {} out", currency.print(comes), currency.print(goes)),
    };
    format!("posted {}  pending {pending}", currency.print_difference(plus, minus))
}

/// "Customers:Anna  posted 75.00  pending 0.00  available 75.00".
pub(crate) fn balance(name: &str, position: &Position) -> String {
    let account = &position.account;
    let currency = Currency::of(account.ledger);
    let mut text = format!("{name}  {}", balances(&account.balances(), currency, is_asset(account)));
    if let Some(left) = available(position) {
        text.push_str("  available ");
        text.push_str(&left);
    }
    if !position.limit.is_zero() {
        text.push_str("  limit ");
        text.push_str(&currency.print(position.limit));
    }
    if account.flags.contains(AccountFlags::CLOSED) {
        text.push_str("  closed");
    }
    text
}

/// "Anna posted 75.00 pending 40.00 out": what an account held right after a transfer.
pub(crate) fn balance_after(name: &str, after: &Balances, account: &Account) -> String {
    format!("{name} {}", balances(after, Currency::of(account.ledger), is_asset(account)).replace("  ", " "))
}

/// "  card-1  40.00 until 2026-03-09": one of an account's open reservations.
pub(crate) fn open_pending(pending: &OpenPending, ledger: LedgerCode, names: &Names) -> String {
    let amount = Currency::of(ledger).print(pending.amount);
    let until = if pending.expires_at.is_zero() {
        String::new()
    } else {
        format!(" until {}", time::print(pending.expires_at))
    };
    list_line(&names.of_transfer(pending.id), &format!("{amount}{until}"))
}

/// Whether an account is counted from the debit side.
pub(crate) fn is_asset(account: &Account) -> bool {
    account.flags.contains(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS)
}

/// One line of a statement: "salary  100.00 from Bank:Cash".
pub(crate) fn entry(transfer: &Transfer, account: &Account, names: &Names) -> String {
    let amount = Currency::of(transfer.ledger).print(transfer.amount);
    let other = if transfer.debit_account_id == account.id {
        format!("to {}", names.of_account(transfer.credit_account_id))
    } else {
        format!("from {}", names.of_account(transfer.debit_account_id))
    };
    let pending = names.of_transfer(transfer.pending_id);
    let text = if transfer.flags.contains(TransferFlags::PENDING) {
        format!("{amount} {other}, reserved")
    } else if transfer.flags.contains(TransferFlags::POST_PENDING_TRANSFER) {
        format!("{amount} {other}, reserved by {pending}")
    } else if transfer.flags.contains(TransferFlags::VOID_PENDING_TRANSFER) {
        format!("{amount} {other}, reserved by {pending}, voided")
    } else {
        format!("{amount} {other}")
    };
    list_line(&names.of_transfer(transfer.id), &text)
}

/// Every field of an account that is not zero, as in `fen exec`; stamps are left out.
pub(crate) fn account_fields(account: &Account) -> String {
    let fields = [
        ("debits_pending", account.debits_pending.get()),
        ("debits_posted", account.debits_posted.get()),
        ("credits_pending", account.credits_pending.get()),
        ("credits_posted", account.credits_posted.get()),
        ("user_data_128", account.user_data_128),
        ("user_data_64", account.user_data_64.into()),
        ("user_data_32", account.user_data_32.into()),
        ("reserved", account.reserved.into()),
        ("ledger", account.ledger.get().into()),
        ("code", account.code.get().into()),
    ];
    let flags = AccountFlags::NAMES.iter().filter(|(_, flag)| account.flags.contains(*flag));
    format!("{}{}", not_zero(&fields), flag_names(flags.map(|(name, _)| *name)))
}

/// Every field of a transfer that is not zero, as in `fen exec`; stamps are left out.
pub(crate) fn transfer_fields(transfer: &Transfer, names: &Names) -> String {
    let pending = if transfer.pending_id.is_zero() {
        String::new()
    } else {
        format!(" pending_id={}", names.of_transfer(transfer.pending_id))
    };
    let fields = [
        ("user_data_128", transfer.user_data_128),
        ("user_data_64", transfer.user_data_64.into()),
        ("user_data_32", transfer.user_data_32.into()),
        ("timeout", transfer.timeout.get().into()),
        ("ledger", transfer.ledger.get().into()),
        ("code", transfer.code.get().into()),
    ];
    let flags = TransferFlags::NAMES.iter().filter(|(_, flag)| transfer.flags.contains(*flag));
    format!(
        " debit_account_id={} credit_account_id={} amount={}{pending}{}{}",
        names.of_account(transfer.debit_account_id),
        names.of_account(transfer.credit_account_id),
        transfer.amount,
        not_zero(&fields),
        flag_names(flags.map(|(name, _)| *name)),
    )
}

fn not_zero(fields: &[(&str, u128)]) -> String {
    let given = fields.iter().filter(|(_, value)| *value != 0);
    given.map(|(name, value)| [" ", name, "=", &value.to_string()].concat()).collect()
}

fn flag_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { String::new() } else { format!(" flags={}", names.join("|")) }
}
