//! The last line of every act: all accounts of a ledger added up, and all its transfers beside them.

use crate::Subject;
use crate::money::Currency;
use fen_book::{Account, QueryFilter, Transfer, TransferFlags};
use num_bigint::BigUint;
use std::collections::BTreeMap;

/// What a ledger's accounts and transfers come to. Totals can pass 2^128 although no account does.
#[derive(Default)]
struct Totals {
    debits_posted: BigUint,
    credits_posted: BigUint,
    debits_pending: BigUint,
    credits_pending: BigUint,
    transferred: BigUint,
}

/// One line for each ledger, or what is wrong with the books.
pub(crate) fn lines(subject: &mut dyn Subject) -> Result<Vec<String>, String> {
    let everything = QueryFilter { limit: u32::MAX, ..QueryFilter::default() };
    let accounts = subject.query_accounts(&everything);
    let transfers = subject.query_transfers(&everything);
    let mut lines = Vec::new();
    for (ledger, totals) in totals(&accounts, &transfers) {
        let currency = Currency::of(ledger.into());
        let name = currency.name();
        let print = |sum: &BigUint| currency.print_sum(sum);
        let posted = format!("{} = credits {}", print(&totals.debits_posted), print(&totals.credits_posted));
        let reserved = format!("{} = {}", print(&totals.debits_pending), print(&totals.credits_pending));
        if totals.debits_posted != totals.credits_posted {
            return Err(format!("{name}: the books do not balance: not debits {posted}"));
        }
        if totals.debits_pending != totals.credits_pending {
            return Err(format!("{name}: the reservations do not balance: not {reserved}"));
        }
        if totals.transferred != totals.debits_posted {
            let moved = print(&totals.transferred);
            return Err(format!("{name}: the transfers come to {moved}, the accounts to debits {posted}"));
        }
        let nothing = totals.debits_pending == BigUint::ZERO;
        let reserved = if nothing { String::new() } else { format!(", reserved {reserved}") };
        lines.push(format!("audit: {name} debits {posted}{reserved}"));
    }
    if lines.is_empty() {
        lines.push("audit: nothing".to_owned());
    }
    Ok(lines)
}

/// That loans and control accounts agree, or what does not.
pub(crate) fn of_loans(subject: &mut dyn Subject) -> Result<String, String> {
    let faults = subject.loan_faults();
    if faults.is_empty() { Ok("audit: loans = control accounts".to_owned()) } else { Err(faults.join("; ")) }
}

fn totals(accounts: &[Account], transfers: &[Transfer]) -> BTreeMap<u32, Totals> {
    let mut ledgers: BTreeMap<u32, Totals> = BTreeMap::new();
    for account in accounts {
        let totals = ledgers.entry(account.ledger.get()).or_default();
        totals.debits_posted += account.debits_posted.get();
        totals.credits_posted += account.credits_posted.get();
        totals.debits_pending += account.debits_pending.get();
        totals.credits_pending += account.credits_pending.get();
    }
    let only_reserves = TransferFlags::PENDING.with(TransferFlags::VOID_PENDING_TRANSFER);
    for transfer in transfers.iter().filter(|transfer| !transfer.flags.intersects(only_reserves)) {
        ledgers.entry(transfer.ledger.get()).or_default().transferred += transfer.amount.get();
    }
    ledgers
}
