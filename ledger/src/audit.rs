//! The audit: every balance is added up again from the journal, and every invariant looked at.
//!
//! Loans are folded from their events one by one, some tens of microseconds each: that part is asked for piece by
//! piece, so that commands wait for a piece only.

use crate::Answer;
use crate::shard::Shard;
use fen_book::memo::{Applied, MemoReader, Piece};
use fen_book::{
    Account, AccountFlags, AccountId, AccountSlot, Amount, Balances, Book, RecordNumber, Transfer,
    TransferFlags, TransferId,
};
use std::collections::BTreeMap;
use std::fmt;

/// A sum over all accounts of a ledger, which can pass 2^128 although no account does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Total {
    high: u128,
    low: u128,
}

impl Total {
    /// Adds an amount.
    pub fn add(&mut self, amount: Amount) {
        let (low, carries) = self.low.overflowing_add(amount.get());
        self.low = low;
        self.high += u128::from(carries);
    }

    /// Adds another sum.
    pub fn include(&mut self, other: Self) {
        self.high += other.high;
        self.add(Amount::new(other.low));
    }

    /// Takes a sum off that is part of this one; `false`, and nothing is done, where it is more.
    pub fn exclude(&mut self, part: Self) -> bool {
        let (low, borrows) = self.low.overflowing_sub(part.low);
        let high = self.high.checked_sub(part.high).and_then(|high| high.checked_sub(u128::from(borrows)));
        let Some(high) = high else { return false };
        *self = Self { high, low };
        true
    }

    /// The sum, or `None` where it passes 128 bits.
    pub fn get(self) -> Option<u128> {
        (self.high == 0).then_some(self.low)
    }
}

impl fmt::Display for Total {
    /// Decimal digits, of any length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut limbs = [self.high >> 64, self.high & LIMB, self.low >> 64, self.low & LIMB];
        let mut digits = Vec::new();
        while limbs.iter().any(|limb| *limb != 0) || digits.is_empty() {
            let mut rest = 0u128;
            for limb in &mut limbs {
                let value = (rest << 64) | *limb;
                *limb = value / 10;
                rest = value % 10;
            }
            digits.push(char::from(b'0' + u8::try_from(rest).unwrap_or(0)));
        }
        let text: String = digits.iter().rev().collect();
        f.pad_integral(true, "", &text)
    }
}

impl std::str::FromStr for Total {
    type Err = &'static str;

    /// Decimal digits, as they are shown.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const TOO_LARGE: &str = "more than 256 bits";
        if text.is_empty() || !text.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err("a total is decimal digits");
        }
        let mut total = Self::default();
        for digit in text.bytes() {
            // Ten times so far, and the digit, on 64-bit limbs.
            let mut carry = u128::from(digit - b'0');
            let mut limbs = [total.low & LIMB, total.low >> 64, total.high & LIMB, total.high >> 64];
            for limb in &mut limbs {
                let value = *limb * 10 + carry;
                *limb = value & LIMB;
                carry = value >> 64;
            }
            if carry > 0 {
                return Err(TOO_LARGE);
            }
            total = Self { high: limbs[3] << 64 | limbs[2], low: limbs[1] << 64 | limbs[0] };
        }
        Ok(total)
    }
}

const LIMB: u128 = 0xffff_ffff_ffff_ffff;

/// The trial balance of one ledger.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LedgerTotals {
    /// How many accounts it has.
    pub accounts: u64,
    /// All posted debits.
    pub debits_posted: Total,
    /// All posted credits.
    pub credits_posted: Total,
    /// All reserved debits.
    pub debits_pending: Total,
    /// All reserved credits.
    pub credits_pending: Total,
}

impl LedgerTotals {
    /// Counts an account.
    pub(crate) fn add(&mut self, account: &Account) {
        self.accounts += 1;
        self.debits_posted.add(account.debits_posted);
        self.credits_posted.add(account.credits_posted);
        self.debits_pending.add(account.debits_pending);
        self.credits_pending.add(account.credits_pending);
    }
}

/// What an audit found.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Audit {
    /// How many accounts.
    pub accounts: u64,
    /// How many transfers, posts and voids included.
    pub transfers: u64,
    /// How many ids were refused for good.
    pub burned_ids: u64,
    /// How many pending transfers have expired.
    pub expiries: u64,
    /// How many pending transfers are open.
    pub open_pendings: u64,
    /// How many loans.
    pub loans: u64,
    /// The trial balance, by ledger.
    pub ledgers: BTreeMap<u32, LedgerTotals>,
    /// Each thing found wrong, in words; empty when the books are right.
    pub faults: Vec<String>,
}

/// So many loans are folded while commands wait: some tens of milliseconds.
pub const LIVES: u32 = 1_000;

/// Audits a shard: every segment's hash, every index run, every record, every balance; not yet the lives of its loans.
pub(crate) fn of_shard(shard: &Shard) -> Audit {
    let (journal, book) = (shard.journal(), shard.book());
    let below = shard.first_young();
    let mut recount = Recount::default();
    for fault in journal.damage() {
        recount.fault(fault.to_string());
    }
    for (number, _) in journal.segment_hashes() {
        if let Err(fault) = journal.verify_segment(number) {
            recount.fault(fault.to_string());
        }
    }
    for fault in journal.verify_index() {
        recount.fault(fault.to_string());
    }
    let roots = std::thread::scope(|scope| {
        // Hashing every record takes as long as adding it up: the two run beside each other.
        let roots = scope.spawn(|| journal.verify_record_roots());
        for found in journal.records(RecordNumber::ZERO) {
            match found {
                Ok(found) if found.number >= below => break,
                Ok(found) => recount.record(&found.record, book),
                Err(fault) => recount.fault(fault.to_string()),
            }
        }
        roots.join().expect("hashing does not panic")
    });
    for fault in roots {
        recount.fault(fault.to_string());
    }
    recount.young(book)
}

/// Which of up to [`LIVES`] loans, from the one at `first` on, are not what their events come to.
pub(crate) fn of_lives(book: &Book, first: u32) -> Vec<String> {
    book.loans().audit_lives(book.accounts(), first, LIVES)
}

/// Audits a book that has all of its journal; not yet the lives of its loans.
pub(crate) fn of_book(book: &Book) -> Audit {
    Recount::default().young(book)
}

/// Adds the journal up again, record by record, oldest first.
#[derive(Default)]
struct Recount {
    balances: Vec<Balances>,
    open: BTreeMap<TransferId, Amount>,
    audit: Audit,
    last_transfer_stamp: u64,
    memos: MemoReader,
    /// What memos tell of limits.
    limits: BTreeMap<AccountId, Amount>,
}

const FAULTS_MAX: usize = 1_000;

impl Audit {
    /// Adds what was found wrong, up to a thousand.
    fn fault(&mut self, words: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(words);
        }
    }

    /// Has all loans looked at, piece by piece.
    pub(crate) fn lives(mut self, mut piece: impl FnMut(u32) -> Answer<Vec<String>>) -> Answer<Self> {
        let loans = u32::try_from(self.loans).unwrap_or(u32::MAX);
        for first in (0..loans).step_by(LIVES as usize) {
            piece(first)?.into_iter().for_each(|words| self.fault(words));
        }
        Ok(self)
    }
}

impl Recount {
    fn fault(&mut self, words: String) {
        self.audit.fault(words);
    }

    fn of(&mut self, slot: AccountSlot) -> &mut Balances {
        let index = usize::try_from(slot.get()).unwrap_or(usize::MAX);
        if self.balances.len() <= index {
            self.balances.resize(index + 1, Balances::default());
        }
        &mut self.balances[index]
    }

    /// Counts what the book still has of the journal, and holds the book against it all.
    fn young(mut self, book: &Book) -> Audit {
        for record in book.young().chunks().flat_map(|chunk| &chunk.records) {
            self.record(record, book);
        }
        for words in book.loans().audit_sums(book.accounts()).into_iter().chain(book.batches().audit()) {
            self.fault(words);
        }
        self.audit.loans = u64::try_from(book.loans().len()).unwrap_or(u64::MAX);
        self.compare(book)
    }

    /// Takes the next record of a memo.
    fn memo(&mut self, record: &Transfer) {
        let Piece::Whole(memo) = self.memos.take(record) else { return };
        match memo.applied() {
            Ok(Applied::Limit(change)) => {
                self.limits.insert(change.account_id, change.limit);
            }
            Ok(Applied::Loans(_) | Applied::File(_)) => {}
            Err(words) => self.fault(format!("the memo of {}: {words}", memo.stamp)),
        }
    }

    /// Takes the next record.
    fn record(&mut self, record: &Transfer, book: &Book) {
        if record.flags.contains(TransferFlags::MEMO) {
            self.memo(record);
            return;
        }
        if record.flags.contains(TransferFlags::BURNED) {
            self.audit.burned_ids += 1;
            return;
        }
        let slot_of = |id| book.accounts().slot_of(id);
        let (Some(debit), Some(credit)) =
            (slot_of(record.debit_account_id), slot_of(record.credit_account_id))
        else {
            self.fault(format!("transfer {} moves an account that is not in the book", record.id));
            return;
        };
        if record.flags.contains(TransferFlags::EXPIRY) {
            self.audit.expiries += 1;
        } else {
            self.audit.transfers += 1;
            if record.timestamp.get() <= self.last_transfer_stamp {
                self.fault(format!("transfer {} does not bear a later stamp than the one before", record.id));
            }
            self.last_transfer_stamp = record.timestamp.get();
        }
        if let Err(words) = self.add(record, [debit, credit]) {
            self.fault(format!("transfer {} (pending {}): {words}", record.id, record.pending_id));
        }
    }

    fn add(&mut self, record: &Transfer, [debit, credit]: [AccountSlot; 2]) -> Result<(), &'static str> {
        const OVERFLOWS: &str = "a balance passes 128 bits";
        const UNKNOWN: &str = "it ends a reservation that is not open";
        const SHORT: &str = "it releases more than is reserved";
        let plus = |balance: &mut Amount, amount: Amount| match balance.checked_add(amount) {
            Some(sum) => {
                *balance = sum;
                Ok(())
            }
            None => Err(OVERFLOWS),
        };
        let minus = |balance: &mut Amount, amount: Amount| match balance.checked_sub(amount) {
            Some(rest) => {
                *balance = rest;
                Ok(())
            }
            None => Err(SHORT),
        };
        if record.flags.contains(TransferFlags::PENDING) {
            self.open.insert(record.id, record.amount);
            plus(&mut self.of(debit).debits_pending, record.amount)?;
            return plus(&mut self.of(credit).credits_pending, record.amount);
        }
        if !record.pending_id.is_zero() {
            let reserved = self.open.remove(&record.pending_id).ok_or(UNKNOWN)?;
            minus(&mut self.of(debit).debits_pending, reserved)?;
            minus(&mut self.of(credit).credits_pending, reserved)?;
            if !record.flags.contains(TransferFlags::POST_PENDING_TRANSFER) {
                return Ok(());
            }
        }
        plus(&mut self.of(debit).debits_posted, record.amount)?;
        plus(&mut self.of(credit).credits_posted, record.amount)
    }

    /// Holds the book against what the journal adds up to.
    fn compare(mut self, book: &Book) -> Audit {
        let none = Balances::default();
        for number in 0..book.accounts().len() {
            let slot = AccountSlot::new(u32::try_from(number).unwrap_or(u32::MAX));
            let account = book.accounts().get(slot);
            let counted = *self.balances.get(number).unwrap_or(&none);
            if counted != account.balances() {
                let words = format!(
                    "account {}: the book says {:?}, its entries add up to {counted:?}",
                    account.id,
                    account.balances()
                );
                self.fault(words);
            }
            let told = self.limits.get(&account.id).copied().unwrap_or_default();
            if told != book.accounts().limit(slot) {
                let words = format!(
                    "account {}: its limit is {}, history tells {told}",
                    account.id,
                    book.accounts().limit(slot)
                );
                self.fault(words);
            }
            self.check_limits(book, slot, account);
            self.add_to_ledger(account);
        }
        self.audit.accounts = u64::try_from(book.accounts().len()).unwrap_or(u64::MAX);
        self.audit.open_pendings = u64::try_from(book.pendings().len()).unwrap_or(u64::MAX);
        self.check_pendings(book);
        self.check_ledgers();
        self.audit
    }

    fn check_limits(&mut self, book: &Book, slot: AccountSlot, account: &Account) {
        let limit = book.accounts().limit(slot);
        let within = |used: [Amount; 2], bound: Amount| {
            let used = used[0].get().saturating_add(used[1].get());
            used <= bound.get().saturating_add(limit.get())
        };
        let debits = [account.debits_pending, account.debits_posted];
        let credits = [account.credits_pending, account.credits_posted];
        if account.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS)
            && !within(debits, account.credits_posted)
        {
            self.fault(format!("account {}: debits exceed credits", account.id));
        }
        if account.flags.contains(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS)
            && !within(credits, account.debits_posted)
        {
            self.fault(format!("account {}: credits exceed debits", account.id));
        }
    }

    fn add_to_ledger(&mut self, account: &Account) {
        self.audit.ledgers.entry(account.ledger.get()).or_default().add(account);
    }

    fn check_pendings(&mut self, book: &Book) {
        let open = std::mem::take(&mut self.open);
        if open.len() != book.pendings().len() {
            let words = format!(
                "{} pending transfers are open in the book, {} in the journal",
                book.pendings().len(),
                open.len()
            );
            self.fault(words);
        }
        for id in open.keys() {
            if book.pendings().get(*id).is_none() {
                self.fault(format!("pending transfer {id} is open in the journal, not in the book"));
            }
        }
    }

    fn check_ledgers(&mut self) {
        let ledgers = self.audit.ledgers.clone();
        for (ledger, totals) in ledgers {
            if totals.debits_posted != totals.credits_posted {
                let words = format!(
                    "ledger {ledger}: debits {} differ from credits {}",
                    totals.debits_posted, totals.credits_posted
                );
                self.fault(words);
            }
            if totals.debits_pending != totals.credits_pending {
                let words = format!(
                    "ledger {ledger}: reserved debits {} differ from reserved credits {}",
                    totals.debits_pending, totals.credits_pending
                );
                self.fault(words);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_counts_past_128_bits() {
        let mut total = Total::default();
        assert_eq!(total.to_string(), "0");
        total.add(Amount::MAX);
        total.add(Amount::MAX);
        total.add(Amount::new(2));
        assert_eq!(total.to_string(), "680564733841876926926749214863536422912");
        assert_eq!(total.get(), None);
        assert_eq!("680564733841876926926749214863536422912".parse(), Ok(total));
        let mut twice = total;
        twice.include(total);
        assert_eq!(twice.to_string(), "1361129467683753853853498429727072845824");
        assert_eq!(twice.to_string().parse(), Ok(twice));
        assert!("".parse::<Total>().is_err() && "-1".parse::<Total>().is_err());
        assert!("9".repeat(80).parse::<Total>().is_err());
    }
}
