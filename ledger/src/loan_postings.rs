//! What the events of loans posted, and what these postings are called: by the code of a transfer, and the id of a
//! control account.

use crate::cursor::Direction;
use crate::fault::Answer;
use crate::history;
use crate::past::Past;
use crate::statement::LINES_MAX;
use fen_book::loan::apply::{DAY_END_CODE, EVENT_CODE};
use fen_book::loan::control::Role;
use fen_book::loan::order::LoanId;
use fen_book::{AccountId, QueryFilter, Stamp, Transfer};

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

/// What one loan's events posted, in order; at most `limit`. What day-end posts for a whole product is no loan's own.
///
/// # Errors
/// [`Fault::Stopped`](crate::Fault::Stopped), [`Fault::Damaged`](crate::Fault::Damaged).
pub fn loan_postings(
    past: &impl Past,
    loan: LoanId,
    direction: Direction,
    limit: u32,
) -> Answer<Vec<Transfer>> {
    let mut filter = QueryFilter {
        user_data_128: loan,
        reversed: direction.is_reversed(),
        limit: limit.min(LINES_MAX),
        ..QueryFilter::default()
    };
    let mut postings = Vec::new();
    // What clients marked with the same number is passed by.
    loop {
        let found = history::query(past, &filter)?;
        let last = found.last().map(|transfer| transfer.timestamp);
        let is_last_page = found.len() < usize::try_from(filter.limit).unwrap_or(usize::MAX);
        postings.extend(found.into_iter().filter(|transfer| loan_posting(transfer).is_some()));
        postings.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let is_full = postings.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let Some(last) = last.filter(|_| !is_last_page && !is_full) else { return Ok(postings) };
        match direction {
            Direction::OldestFirst => filter.timestamp_min = Stamp::new(last.get() + 1),
            Direction::NewestFirst => filter.timestamp_max = Stamp::new(last.get() - 1),
        }
    }
}
