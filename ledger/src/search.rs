//! Searches: accounts and transfers by every field and every range of it, combined.
//!
//! What asks for one `user_data_128` or one customer asks an index ([`lookup`](crate::lookup)); what asks for one value
//! of a ledger, a code or another field of the client's passes by the segments and blocks that cannot have it; what names
//! an account walks its entries; all else looks at every transfer of the period, or every account.
//!
//! **Invariants.** A search tells what a look at every record would tell, in the same order. To go on, ask again with
//! the period cut at the last stamp told: stamps are unique.
//!
//! Limits: [`FOUND_MAX`] found at once. Tested in `ledger/tests/history`.

use crate::cursor::Direction;
use crate::fault::{Answer, Fault, words};
use crate::lookup::{accounts_of, customer_of, sealed_transfers};
use crate::past::Past;
use crate::statement::{LINES_MAX, Period, StatementAsked, stamps, statement};
use fen_book::{
    Account, AccountFlags, AccountId, AccountSlot, Amount, Book, Code, LedgerCode, QueryFilter, Stamp,
    TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
use std::ops::{Range, RangeInclusive};

/// The most that one search tells.
pub const FOUND_MAX: u32 = 8_189;

/// A range of a field's values, both ends inclusive; the default is no test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bounds<T>(Option<RangeInclusive<T>>);

impl<T> Default for Bounds<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<RangeInclusive<T>> for Bounds<T> {
    fn from(range: RangeInclusive<T>) -> Self {
        Self(Some(range))
    }
}

impl<T: PartialOrd + Copy> Bounds<T> {
    /// This value alone.
    pub fn only(value: T) -> Self {
        Self(Some(value..=value))
    }

    /// The same bounds of another kind of value, which must rise as this one does.
    #[must_use]
    pub fn map<U>(&self, of: impl Fn(T) -> U) -> Bounds<U> {
        Bounds(self.0.as_ref().map(|bounds| of(*bounds.start())..=of(*bounds.end())))
    }

    /// Both ends; nothing where there is no test.
    pub fn ends(&self) -> Option<(T, T)> {
        self.0.as_ref().map(|bounds| (*bounds.start(), *bounds.end()))
    }

    fn hold(&self, value: &T) -> bool {
        self.0.as_ref().is_none_or(|bounds| bounds.contains(value))
    }

    /// The one value that the bounds leave, if they leave one.
    fn one(&self) -> Option<T> {
        let one = self.0.as_ref().filter(|bounds| bounds.start() == bounds.end());
        one.map(|bounds| *bounds.start())
    }
}

impl Bounds<Stamp> {
    /// What is left of them behind a stamp, in the direction of a search.
    #[must_use]
    pub fn behind(&self, stamp: Stamp, direction: Direction) -> Self {
        let (min, max) = self.ends().unwrap_or((Stamp::ZERO, Stamp::MAX));
        match direction {
            Direction::OldestFirst => (min.max(Stamp::new(stamp.get().saturating_add(1)))..=max).into(),
            Direction::NewestFirst => (min..=max.min(Stamp::new(stamp.get().saturating_sub(1)))).into(),
        }
    }
}

/// Which transfers are searched for; all tests must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TransferSearch {
    /// Who it is.
    pub id: Bounds<TransferId>,
    /// The debited account.
    pub debit_account_id: Option<AccountId>,
    /// The credited account.
    pub credit_account_id: Option<AccountId>,
    /// The account on either side.
    pub account_id: Option<AccountId>,
    /// How much.
    pub amount: Bounds<Amount>,
    /// What it posts or voids.
    pub pending_id: Bounds<TransferId>,
    /// The client's own.
    pub user_data_128: Bounds<u128>,
    /// The client's own.
    pub user_data_64: Bounds<u64>,
    /// The client's own.
    pub user_data_32: Bounds<u32>,
    /// How long it reserves.
    pub timeout: Bounds<TimeoutSeconds>,
    /// Currency or asset.
    pub ledger: Bounds<LedgerCode>,
    /// The transfer's code.
    pub code: Bounds<Code>,
    /// Flags that it must have.
    pub flags: TransferFlags,
    /// Flags that it must not have.
    pub flags_without: TransferFlags,
    /// When it was booked.
    pub timestamp: Bounds<Stamp>,
    /// Which come first.
    pub direction: Direction,
    /// At most so many, and at most [`FOUND_MAX`].
    pub limit: u32,
}

impl TransferSearch {
    /// Whether a transfer is searched for.
    pub fn finds(&self, transfer: &Transfer) -> bool {
        let sides = [transfer.debit_account_id, transfer.credit_account_id];
        transfer.is_transfer()
            && self.id.hold(&transfer.id)
            && self.debit_account_id.is_none_or(|id| id == sides[0])
            && self.credit_account_id.is_none_or(|id| id == sides[1])
            && self.account_id.is_none_or(|id| sides.contains(&id))
            && self.amount.hold(&transfer.amount)
            && self.pending_id.hold(&transfer.pending_id)
            && self.user_data_128.hold(&transfer.user_data_128)
            && self.user_data_64.hold(&transfer.user_data_64)
            && self.user_data_32.hold(&transfer.user_data_32)
            && self.timeout.hold(&transfer.timeout)
            && self.ledger.hold(&transfer.ledger)
            && self.code.hold(&transfer.code)
            && transfer.flags.contains(self.flags)
            && !transfer.flags.intersects(self.flags_without)
            && self.timestamp.hold(&transfer.timestamp)
    }

    fn limit(&self) -> u32 {
        self.limit.min(FOUND_MAX)
    }

    fn is_full(&self, found: &[Transfer]) -> bool {
        found.len() >= usize::try_from(self.limit()).unwrap_or(usize::MAX)
    }

    /// What of the search the segments' zones and the blocks' columns can answer.
    fn coarse(&self) -> QueryFilter {
        let stamps = self.stamps();
        QueryFilter {
            user_data_128: self.user_data_128.one().unwrap_or_default(),
            user_data_64: self.user_data_64.one().unwrap_or_default(),
            user_data_32: self.user_data_32.one().unwrap_or_default(),
            ledger: self.ledger.one().map_or(0, LedgerCode::get),
            code: self.code.one().map_or(0, Code::get),
            timestamp_min: stamps.0,
            timestamp_max: stamps.1,
            limit: u32::MAX,
            reversed: self.direction.is_reversed(),
        }
    }

    fn stamps(&self) -> (Stamp, Stamp) {
        let bounds = self.timestamp.0.as_ref();
        let highest = |stamp: Stamp| stamp.min(fen_book::STAMP_MAX);
        bounds.map_or((Stamp::ZERO, Stamp::ZERO), |bounds| (*bounds.start(), highest(*bounds.end())))
    }

    /// Nothing can be found.
    fn is_idle(&self) -> bool {
        let empty =
            self.timestamp.0.as_ref().is_some_and(|bounds| bounds.is_empty() || bounds.end().is_zero());
        self.limit == 0 || empty
    }
}

/// Whose accounts are searched for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Holders {
    /// All.
    #[default]
    Anyone,
    /// Not the bank's own.
    Customers,
    /// The bank's own, whose ids have an upper half of all ones.
    Bank,
}

/// Which accounts are searched for; all tests must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountSearch {
    /// Whose they are.
    pub holders: Holders,
    /// Who it is.
    pub id: Bounds<AccountId>,
    /// Whose it is.
    pub customer: Option<u64>,
    /// Reserved debits.
    pub debits_pending: Bounds<Amount>,
    /// Posted debits.
    pub debits_posted: Bounds<Amount>,
    /// Reserved credits.
    pub credits_pending: Bounds<Amount>,
    /// Posted credits.
    pub credits_posted: Bounds<Amount>,
    /// The client's own.
    pub user_data_128: Bounds<u128>,
    /// The client's own.
    pub user_data_64: Bounds<u64>,
    /// The client's own.
    pub user_data_32: Bounds<u32>,
    /// Currency or asset.
    pub ledger: Bounds<LedgerCode>,
    /// The account's code.
    pub code: Bounds<Code>,
    /// Flags that it must have.
    pub flags: AccountFlags,
    /// Flags that it must not have.
    pub flags_without: AccountFlags,
    /// When it was opened.
    pub timestamp: Bounds<Stamp>,
    /// Which come first.
    pub direction: Direction,
    /// At most so many, and at most [`FOUND_MAX`].
    pub limit: u32,
}

impl AccountSearch {
    /// Whether an account is searched for.
    pub fn finds(&self, account: &Account) -> bool {
        let is_held = match self.holders {
            Holders::Anyone => true,
            Holders::Customers => customer_of(account.id).is_some(),
            Holders::Bank => customer_of(account.id).is_none(),
        };
        is_held
            && self.id.hold(&account.id)
            && self.customer.is_none_or(|customer| customer_of(account.id) == Some(customer))
            && self.finds_balances(account)
            && self.user_data_128.hold(&account.user_data_128)
            && self.user_data_64.hold(&account.user_data_64)
            && self.user_data_32.hold(&account.user_data_32)
            && self.ledger.hold(&account.ledger)
            && self.code.hold(&account.code)
            && account.flags.contains(self.flags)
            && !account.flags.intersects(self.flags_without)
            && self.timestamp.hold(&account.timestamp)
    }

    /// Whether the balances are as asked for: what of one of the bank's own accounts only the sum of its parts can tell.
    pub fn finds_balances(&self, account: &Account) -> bool {
        self.debits_pending.hold(&account.debits_pending)
            && self.debits_posted.hold(&account.debits_posted)
            && self.credits_pending.hold(&account.credits_pending)
            && self.credits_posted.hold(&account.credits_posted)
    }

    fn look(&self, book: &Book) -> Vec<Account> {
        let limit = usize::try_from(self.limit.min(FOUND_MAX)).unwrap_or(usize::MAX);
        let shown = |slot: u32| fen_book::accounts::shown(book.accounts().get(AccountSlot::new(slot)));
        let wanted = |account: &Account| self.finds(account);
        let slots = self.slots(book);
        match self.direction {
            Direction::OldestFirst => slots.map(shown).filter(wanted).take(limit).collect(),
            Direction::NewestFirst => slots.rev().map(shown).filter(wanted).take(limit).collect(),
        }
    }

    /// The slots of the accounts that were opened in time: their stamps rise, so a page costs what it looks at.
    fn slots(&self, book: &Book) -> Range<u32> {
        let count = u32::try_from(book.accounts().len()).unwrap_or(u32::MAX);
        let stamp = |slot: u32| book.accounts().get(AccountSlot::new(slot)).timestamp;
        let first_where = |is_behind: &dyn Fn(Stamp) -> bool| {
            let (mut low, mut high) = (0, count);
            while low < high {
                let middle = low + (high - low) / 2;
                if is_behind(stamp(middle)) {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            low
        };
        let Some((min, max)) = self.timestamp.ends() else { return 0..count };
        let first = first_where(&|stamp| stamp >= min);
        first..first_where(&|stamp| stamp > max).max(first)
    }
}

fn look_young(book: &Book, search: &TransferSearch) -> Vec<Transfer> {
    let limit = usize::try_from(search.limit()).unwrap_or(usize::MAX);
    let wanted = |record: &&Transfer| search.finds(record);
    let chunks = book.young().chunks();
    match search.direction {
        Direction::OldestFirst => {
            chunks.flat_map(|chunk| chunk.records.iter()).filter(wanted).take(limit).copied().collect()
        }
        Direction::NewestFirst => {
            let newest_first = chunks.rev().flat_map(|chunk| chunk.records.iter().rev());
            newest_first.filter(wanted).take(limit).copied().collect()
        }
    }
}

/// The stamps of a period, as bounds of a search. By value dates nothing is searched: they count as days of booking.
///
/// # Errors
/// [`Fault::Stopped`].
pub fn booked_in(past: &impl Past, period: Period) -> Answer<Bounds<Stamp>> {
    let period = match period {
        Period::All => return Ok(Bounds::default()),
        Period::Valued { first, last } => Period::Booked { first, last },
        Period::Stamps { .. } | Period::Booked { .. } => period,
    };
    let (first, end) = past.look(move |book| stamps(&period, book))?;
    Ok((first..=end.map_or(Stamp::MAX, |end| Stamp::new(end.get().saturating_sub(1)))).into())
}

/// The accounts that a search finds, in the order of their opening.
///
/// # Errors
/// [`Fault::Stopped`].
pub fn accounts(past: &impl Past, search: &AccountSearch) -> Answer<Vec<Account>> {
    if let Some(customer) = search.customer {
        let mut found = accounts_of(past, customer)?;
        found.retain(|account| search.finds(account));
        if search.direction.is_reversed() {
            found.reverse();
        }
        found.truncate(usize::try_from(search.limit.min(FOUND_MAX)).unwrap_or(usize::MAX));
        return Ok(found);
    }
    let search = search.clone();
    past.look(move |book| search.look(book))
}

/// The transfers that a search finds, in the order of booking.
///
/// # Errors
/// [`Fault::Stopped`]; [`Fault::Damaged`], where history that may hold one cannot be read.
pub fn transfers(past: &impl Past, search: &TransferSearch) -> Answer<Vec<Transfer>> {
    if search.is_idle() {
        return Ok(Vec::new());
    }
    let account = search.account_id.or(search.debit_account_id).or(search.credit_account_id);
    if let Some(account) = account {
        return entries(past, account, search);
    }
    let wanted = search.clone();
    let (young, below) = past.look(move |book| (look_young(book, &wanted), book.first_young()))?;
    let Some(journal) = past.journal() else { return Ok(young) };
    let mut found = Vec::new();
    if search.direction.is_reversed() {
        found.extend(young.iter().copied());
    }
    let mut sealed = sealed_transfers(journal, past.lookup(), &search.coarse(), below);
    while !search.is_full(&found) {
        match sealed.next().transpose().map_err(|fault| Fault::Damaged(words(&fault)))? {
            Some(next) if search.finds(&next.record) => found.push(next.record),
            Some(_) => {}
            None => break,
        }
    }
    if !search.direction.is_reversed() {
        found.extend(young);
    }
    found.truncate(usize::try_from(search.limit()).unwrap_or(usize::MAX));
    Ok(found)
}

/// The entries of an account that a search finds.
fn entries(past: &impl Past, account_id: AccountId, search: &TransferSearch) -> Answer<Vec<Transfer>> {
    let (min, max) = search.stamps();
    let (direction, limit) = (search.direction, LINES_MAX);
    let period = Period::Stamps { min, max };
    let mut asked = StatementAsked { account_id, period, direction, after: None, limit };
    let mut found = Vec::new();
    while let Some(page) = statement(past, &asked)? {
        if let Some(fault) = page.faults.first() {
            return Err(Fault::Damaged(fault.clone()));
        }
        found.extend(page.lines.iter().map(|line| line.transfer).filter(|record| search.finds(record)));
        asked.after = page.next.filter(|_| !search.is_full(&found));
        if asked.after.is_none() {
            break;
        }
    }
    found.truncate(usize::try_from(search.limit()).unwrap_or(usize::MAX));
    Ok(found)
}
