//! All accounts as they stood at the end of a business date: the general ledger of any day.
//!
//! What an account had then is what stands in its first touch behind that moment, in a sealed segment or a young chunk;
//! of an account that has none it is what it has now. So nothing is added up: the cost is the touch pages of segments
//! from then on, until every account was met, and one look at every account.
//!
//! **Invariants.** All accounts are told as of one stamp. While segments are read the book goes on; a chunk that was
//! sealed meanwhile is read before the answer is made.

use crate::fault::{Answer, Fault, words};
use crate::past::Past;
use crate::statement::{Bound, bound};
use fen_book::{Account, AccountSlot, Book, BusinessDate, RecordNumber, Stamp};
use fen_store::journal::Standing;
use fen_terms::Day;
use std::sync::Arc;

/// The accounts of a book as of a moment.
pub struct AsOf<'a> {
    book: &'a Book,
    standing: &'a Standing,
    close: Stamp,
}

impl AsOf<'_> {
    /// Every account that was open then, with what it had.
    pub fn accounts(&self) -> impl Iterator<Item = Account> + '_ {
        let slots = (0u32..).take(self.book.accounts().len()).map(AccountSlot::new);
        slots.filter_map(|slot| {
            let account = self.book.account(self.book.accounts().get(slot).id)?;
            let then = self.standing.of(slot);
            let shown = then.map_or(account, |then| Account {
                debits_pending: then.debits_pending,
                debits_posted: then.debits_posted,
                credits_pending: then.credits_pending,
                credits_posted: then.credits_posted,
                ..account
            });
            (account.timestamp <= self.close).then_some(shown)
        })
    }
}

/// The last stamp of a day; the largest for today and days to come.
fn close_of(book: &Book, date: BusinessDate) -> Stamp {
    let day = Day::from_number(date.get()).unwrap_or(Day::MAX);
    book.loans().days().close_of(day, book.clock()).unwrap_or(Stamp::MAX)
}

fn behind(close: Stamp) -> Stamp {
    Stamp::new(close.get().saturating_add(1))
}

/// How a look at the book ended.
enum Look<T> {
    Answer(T),
    /// Chunks up to this one were sealed meanwhile.
    Sealed(u32),
}

fn segment_of(number: RecordNumber) -> u32 {
    u32::try_from(number.get() / fen_book::CHUNK_RECORDS as u64).unwrap_or(u32::MAX)
}

/// Looks at all accounts as they stood at the end of a business date; today and days to come are now.
///
/// # Errors
/// [`Fault::Stopped`]; [`Fault::Damaged`], where a segment from then on cannot be read.
pub fn look_as_of<T: Send + 'static>(
    past: &impl Past,
    date: BusinessDate,
    look: impl Fn(&AsOf<'_>) -> T + Send + Sync + 'static,
) -> Answer<T> {
    let damaged = |fault| Fault::Damaged(words(&fault));
    let (close, bound, mut sealed, accounts) = past.look(move |book| {
        let close = close_of(book, date);
        (close, bound(book, behind(close)), segment_of(book.first_young()), book.accounts().len())
    })?;
    let first_young = RecordNumber::new(u64::from(sealed) * fen_book::CHUNK_RECORDS as u64);
    let number = match (bound, past.journal()) {
        (Bound::Number(number), _) => number,
        (Bound::Stamp(stamp), Some(journal)) => {
            journal.number_at_stamp(stamp).map_err(damaged)?.min(first_young)
        }
        (Bound::Stamp(_), None) => RecordNumber::ZERO,
    };
    let look = Arc::new(look);
    let (mut standing, mut from) = (Standing::default(), number);
    loop {
        if let Some(journal) = past.journal() {
            journal.standing_before(from, sealed, accounts, &mut standing).map_err(damaged)?;
        }
        let (held, look) = (standing.clone(), Arc::clone(&look));
        let answer = past.look(move |book| {
            let now = segment_of(book.first_young());
            if now > sealed {
                return Look::Sealed(now);
            }
            let mut standing = held;
            book.young_standing(number, |slot, balances| standing.note(slot, balances));
            Look::Answer(look(&AsOf { book, standing: &standing, close }))
        })?;
        match answer {
            Look::Answer(answer) => return Ok(answer),
            Look::Sealed(now) => {
                let behind = RecordNumber::new(u64::from(sealed) * fen_book::CHUNK_RECORDS as u64);
                (from, sealed) = (number.max(behind), now);
            }
        }
    }
}

/// Every account as it stood at the end of a business date, in the order of their opening.
///
/// # Errors
/// As [`look_as_of`].
pub fn accounts_as_of(past: &impl Past, date: BusinessDate) -> Answer<Vec<Account>> {
    look_as_of(past, date, |then| then.accounts().collect())
}
