//! Questions about the past: young records from the book first, then sealed ones from the journal, as one answer.

use crate::fault::{Answer, Fault, words};
use crate::lookup::sealed_transfers;
use crate::past::Past;
use fen_book::{
    AccountFilter, AccountFlags, AccountSlot, BalanceLine, Book, QueryFilter, RecordNumber, Transfer,
    TransferId,
};
use fen_lookup::Lookup;
use fen_store::journal::Journal;

/// What the book knows of one account's entries, and where the journal goes on.
pub struct YoungPart<T> {
    young: Vec<T>,
    slot: AccountSlot,
    newest_sealed: Option<u32>,
}

impl<T> YoungPart<T> {
    /// All there is, where nothing is sealed.
    pub fn into_young(self) -> Vec<T> {
        self.young
    }
}

/// The young part of an account's transfers.
pub fn young_transfers(book: &Book, filter: &AccountFilter) -> Option<YoungPart<Transfer>> {
    filter.range()?;
    let slot = book.accounts().slot_of(filter.account_id)?;
    let young = book.young_account_transfers(filter);
    Some(YoungPart { young, slot, newest_sealed: book.newest_sealed_chunk_of(slot).checked_sub(1) })
}

/// The young part of an account's balances; an account without the history flag has none to show.
pub fn young_balances(book: &Book, filter: &AccountFilter) -> Option<YoungPart<BalanceLine>> {
    filter.range()?;
    let slot = book.accounts().slot_of(filter.account_id)?;
    if !book.accounts().get(slot).flags.contains(AccountFlags::HISTORY) {
        return None;
    }
    let young = book.young_account_balances(filter);
    Some(YoungPart { young, slot, newest_sealed: book.newest_sealed_chunk_of(slot).checked_sub(1) })
}

/// Joins the young part with what `sealed` yields, in the filter's order, up to its limit.
fn join<T>(
    young: Vec<T>,
    reversed: bool,
    limit: u32,
    sealed: impl Iterator<Item = Answer<T>>,
) -> Answer<Vec<T>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if reversed {
        let mut all = young;
        for line in sealed {
            if all.len() >= limit {
                break;
            }
            all.push(line?);
        }
        return Ok(all);
    }
    let mut all = sealed.take(limit).collect::<Answer<Vec<T>>>()?;
    let room = limit.saturating_sub(all.len());
    all.extend(young.into_iter().take(room));
    Ok(all)
}

fn damaged(fault: &dyn std::fmt::Display) -> Fault {
    Fault::Damaged(words(fault))
}

/// An account's transfers: the young part, joined with what the journal has.
///
/// # Errors
/// [`Fault::Damaged`], where a segment cannot be read.
pub fn account_transfers(
    journal: &Journal,
    part: YoungPart<Transfer>,
    filter: &AccountFilter,
) -> Answer<Vec<Transfer>> {
    let sealed = journal
        .account_transfers(part.slot, part.newest_sealed, filter)
        .map(|found| found.map(|found| found.record).map_err(|fault| damaged(&fault)));
    join(part.young, filter.reversed, filter.limit, sealed)
}

/// An account's balances: the young part, joined with what the journal has.
///
/// # Errors
/// [`Fault::Damaged`], where a segment cannot be read.
pub fn account_balances(
    journal: &Journal,
    part: YoungPart<BalanceLine>,
    filter: &AccountFilter,
) -> Answer<Vec<BalanceLine>> {
    let sealed = journal.account_balances(part.slot, part.newest_sealed, filter).map(|found| {
        let line = |(found, balances): (fen_store::journal::Found, _)| BalanceLine {
            timestamp: found.record.timestamp,
            balances,
        };
        found.map(line).map_err(|fault| damaged(&fault))
    });
    join(part.young, filter.reversed, filter.limit, sealed)
}

/// Young transfers, and the number of the first young record.
pub fn young_query(book: &Book, filter: &QueryFilter) -> (Vec<Transfer>, RecordNumber) {
    (book.query_young_transfers(filter), book.first_young())
}

/// Transfers that pass a filter.
///
/// # Errors
/// [`Fault::Stopped`], [`Fault::Damaged`].
pub fn query(past: &impl Past, filter: &QueryFilter) -> Answer<Vec<Transfer>> {
    let asked = *filter;
    let young = past.look(move |book| young_query(book, &asked))?;
    match past.journal() {
        Some(journal) => query_transfers(journal, past.lookup(), young, filter),
        None => Ok(young.0),
    }
}

/// Transfers that pass a filter: the young part, joined with what the journal has.
///
/// # Errors
/// [`Fault::Damaged`], where a segment cannot be read.
pub fn query_transfers(
    journal: &Journal,
    lookup: Option<&Lookup>,
    (young, below): (Vec<Transfer>, RecordNumber),
    filter: &QueryFilter,
) -> Answer<Vec<Transfer>> {
    if filter.range().is_none() {
        return Ok(Vec::new());
    }
    let sealed = sealed_transfers(journal, lookup, filter, below)
        .map(|found| found.map(|found| found.record).map_err(|fault| damaged(&fault)));
    join(young, filter.reversed, filter.limit, sealed)
}

/// Transfers by id; `None` for what is none.
///
/// # Errors
/// [`Fault::Stopped`], [`Fault::Damaged`].
pub fn lookup(past: &impl Past, ids: &[TransferId]) -> Answer<Vec<Option<Transfer>>> {
    let asked = ids.to_vec();
    let young = past.look(move |book| young_lookup(book, &asked))?;
    match past.journal() {
        Some(journal) => lookup_transfers(journal, ids, young),
        None => Ok(only_transfers(young)),
    }
}

/// Young transfers by id; burned ids are no transfers.
pub fn young_lookup(book: &Book, ids: &[TransferId]) -> Vec<Option<Transfer>> {
    ids.iter().map(|id| book.young().find(*id).copied()).collect()
}

/// Transfers by id: those that were found young, and the rest from the journal.
///
/// # Errors
/// [`Fault::Damaged`], where a segment cannot be read.
pub fn lookup_transfers(
    journal: &Journal,
    ids: &[TransferId],
    mut found: Vec<Option<Transfer>>,
) -> Answer<Vec<Option<Transfer>>> {
    for (index, old) in journal.find_transfers(ids).map_err(|fault| damaged(&fault))? {
        if let Some(place) = found.get_mut(index) {
            place.get_or_insert(old.record);
        }
    }
    Ok(only_transfers(found))
}

/// Burned ids are not shown.
pub fn only_transfers(found: Vec<Option<Transfer>>) -> Vec<Option<Transfer>> {
    found.into_iter().map(|record| record.filter(Transfer::is_transfer)).collect()
}
