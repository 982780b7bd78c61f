//! What the postings of loans are called: by the code of a transfer, and the id of a control account.

use fen_book::loan::apply::{DAY_END_CODE, EVENT_CODE};
use fen_book::loan::control::Role;
use fen_book::{AccountId, Transfer};

/// What the events are called, by the number of their act.
const EVENTS: [&str; 14] = [
    "line opened",
    "disbursed",
    "repaid",
    "prepaid",
    "charged",
    "waived",
    "reversed",
    "charged back",
    "refunded",
    "rescheduled",
    "charged off",
    "written off",
    "recovered",
    "sold",
];

/// The loan event that posted a transfer, or the day-end; `None` for a transfer of no loan's.
pub fn loan_posting(transfer: &Transfer) -> Option<&'static str> {
    let code = transfer.code.get();
    if code == DAY_END_CODE {
        return Some("day-end");
    }
    let act = code.checked_sub(EVENT_CODE).filter(|act| *act > 0 && code < DAY_END_CODE)?;
    Some(EVENTS.get(usize::from(act) - 1).copied().unwrap_or("loan event"))
}

/// What a product's control account is for; `None` for another account.
pub fn control_role(id: AccountId) -> Option<&'static str> {
    if id.get() >> 64 != u128::from(u64::MAX) {
        return None;
    }
    let [number, ..] = id.get().to_le_bytes();
    Role::ALL.iter().find(|role| role.number() == number).map(|role| role.name())
}
