//! From judged rows to the ledger: accounts are opened on the day of their first row, rows become transfers with
//! stamps of their day, in batches; or, where the rows are accounts, rows are opened on their day.
//!
//! **Invariants.** The stamp of a row is a function of the file and its mapping alone, never of the clock or of
//! how far an earlier import came, so an import that is repeated, resumed or replayed gives the same books to the
//! byte. A row that is already there answers `exists` with its own stamp; with another stamp it is some other
//! row under the same key, and is named.
//!
//! **Limits.** 10^9 new accounts and 8.6 * 10^13 rows a day: the accounts of a day bear the nanoseconds of its
//! first second, its rows those after it.

use super::judge::Judged;
use super::mapping::{Mapping, Records};
use super::source::{Accounts, Row};
use crate::exit::Failure;
use crate::faults::broken;
use fen_book::{
    Account, AccountFlags, AccountId, Amount, Code, CreateAccountStatus, CreateTransferStatus, EVENTS_MAX,
    LedgerCode, Stamp, Transfer, TransferFlags, TransferId,
};
use fen_ledger::Ledger;
use std::collections::{HashMap, HashSet};

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;
const NANOSECONDS_PER_DAY: u64 = 86_400 * NANOSECONDS_PER_SECOND;

/// How many refused or repeated rows are kept to be named on the screen; all of them are counted.
const NAMED_MAX: usize = 1_000;

/// What became of the rows.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Posted {
    /// Posted now.
    pub(crate) created: u64,
    /// There before, from this very row.
    pub(crate) present: u64,
    /// There before under the same key, from another row.
    pub(crate) repeated: u64,
    /// Refused by the ledger.
    pub(crate) refused: u64,
    /// Accounts opened now, the bank's own included.
    pub(crate) accounts_opened: u64,
    /// The first refused and repeated rows.
    pub(crate) named: Vec<NamedRow>,
}

/// A row that was not posted, and why.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub(crate) struct NamedRow {
    /// Counted from 1.
    pub(crate) row: u64,
    /// Where it begins in the file.
    pub(crate) line: u64,
    /// The cells of its key.
    pub(crate) key: Box<str>,
    /// The ledger's status.
    pub(crate) status: &'static str,
}

/// A row on its way into the ledger.
struct Sent {
    row: u64,
    line: u64,
    key: Box<str>,
}

/// Stamps of one day.
#[derive(Default)]
struct DayStamps {
    day: u32,
    accounts: u64,
    transfers: u64,
}

/// Gathers batches and posts them.
pub(crate) struct Posting<'a> {
    ledger: &'a Ledger,
    mapping: &'a Mapping,
    customer_flags: AccountFlags,
    batch: usize,
    skip: u64,
    seen: u64,
    stamps: DayStamps,
    opened: HashSet<u128>,
    owners: HashMap<u128, String>,
    accounts: Vec<Account>,
    transfers: Vec<Transfer>,
    sent: Vec<Sent>,
    openings: Vec<(Account, Sent)>,
    done: Posted,
}

impl<'a> Posting<'a> {
    /// Begins; the first `skip` rows are known to be in the ledger already.
    pub(crate) fn new(
        ledger: &'a Ledger,
        mapping: &'a Mapping,
        batch: usize,
        skip: u64,
    ) -> Result<Self, Failure> {
        let batch = batch.clamp(1, EVENTS_MAX);
        Ok(Self {
            ledger,
            mapping,
            customer_flags: account_flags(&mapping.account.flags)?,
            batch,
            skip,
            seen: 0,
            stamps: DayStamps::default(),
            opened: HashSet::new(),
            owners: HashMap::new(),
            accounts: Vec::new(),
            transfers: Vec::with_capacity(batch),
            sent: Vec::with_capacity(batch),
            openings: Vec::new(),
            done: Posted { present: skip, ..Posted::default() },
        })
    }

    /// What has become of the rows so far.
    pub(crate) fn posted(&self) -> &Posted {
        &self.done
    }

    /// Takes the next row; `true` when that completed a batch and the ledger has it.
    pub(crate) fn push(&mut self, judged: &Judged, accounts: &Accounts) -> Result<bool, Failure> {
        if self.stamps.day != judged.row.day {
            self.stamps = DayStamps { day: judged.row.day, ..DayStamps::default() };
        }
        match self.mapping.records {
            Records::Transfers => self.push_transfer(&judged.row, accounts),
            Records::Accounts => self.push_account(&judged.row, accounts)?,
        }
        let is_full = self.transfers.len() + self.openings.len() >= self.batch;
        if is_full {
            self.flush()?;
        }
        Ok(is_full)
    }

    /// A list of accounts opens the bank's own of each ledger first, as the oldest.
    fn push_account(&mut self, row: &Row, accounts: &Accounts) -> Result<(), Failure> {
        let named = accounts.get(row.account);
        let mapping = self.mapping;
        for rule in &mapping.contra {
            let id = contra_id(named.ledger, rule.number);
            if !self.opened.contains(&id) {
                self.flush()?;
                self.open(id, named.ledger, rule.code, AccountFlags::NONE, &rule.name);
                self.flush()?;
            }
        }
        let timestamp = self.stamps.next_account();
        self.seen += 1;
        if self.seen > self.skip {
            let account = Account {
                user_data_128: row.user_data.0,
                user_data_64: row.user_data.1,
                user_data_32: row.user_data.2,
                ..imported_account(named.id, named.ledger, row.code, self.customer_flags, timestamp)
            };
            self.openings.push((account, Sent::of(row)));
        }
        Ok(())
    }

    fn push_transfer(&mut self, row: &Row, accounts: &Accounts) {
        let named = accounts.get(row.account);
        let rule = &self.mapping.contra[row.contra as usize];
        let contra = contra_id(named.ledger, rule.number);
        self.open(contra, named.ledger, rule.code, AccountFlags::NONE, &rule.name);
        self.open(named.id, named.ledger, self.mapping.account.code, self.customer_flags, &named.name);
        let (debit, credit) = if row.amount < 0 { (named.id, contra) } else { (contra, named.id) };
        let timestamp = self.stamps.next_transfer();
        self.seen += 1;
        if self.seen <= self.skip {
            return;
        }
        self.transfers.push(Transfer {
            id: TransferId::new(row.id),
            debit_account_id: AccountId::new(debit),
            credit_account_id: AccountId::new(credit),
            amount: Amount::new(row.amount.unsigned_abs()),
            user_data_128: row.user_data.0,
            user_data_64: row.user_data.1,
            user_data_32: row.user_data.2,
            ledger: LedgerCode::new(named.ledger),
            code: Code::new(row.code),
            flags: TransferFlags::IMPORTED,
            timestamp,
            ..Transfer::default()
        });
        self.sent.push(Sent::of(row));
    }

    /// Posts what is gathered: accounts before the transfers that need them.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.flush_openings()?;
        for batch in std::mem::take(&mut self.accounts).chunks(self.batch) {
            let outcomes = self.ledger.create_accounts(batch).map_err(|fault| broken(&fault))?;
            for (account, outcome) in batch.iter().zip(&outcomes) {
                if outcome.status == CreateAccountStatus::Created {
                    self.done.accounts_opened += 1;
                } else if !is_there_in_its_ledger(outcome.status) {
                    return Err(self.account_refused(account, outcome.status));
                }
            }
        }
        let outcomes = self.ledger.create_transfers(&self.transfers).map_err(|fault| broken(&fault))?;
        let asked = self.transfers.drain(..).zip(self.sent.drain(..));
        for ((transfer, sent), outcome) in asked.zip(outcomes) {
            let end = match outcome.status == CreateTransferStatus::Created {
                true => End::Created,
                false if outcome.status != CreateTransferStatus::Exists => End::Refused,
                false => End::exists(outcome.timestamp == transfer.timestamp),
            };
            self.done.count(end, sent, outcome.status.name());
        }
        Ok(())
    }

    /// Opens the accounts that are rows.
    fn flush_openings(&mut self) -> Result<(), Failure> {
        let (accounts, sent): (Vec<Account>, Vec<Sent>) = self.openings.drain(..).unzip();
        let outcomes = self.ledger.create_accounts(&accounts).map_err(|fault| broken(&fault))?;
        for ((account, sent), outcome) in accounts.iter().zip(sent).zip(outcomes) {
            let end = match outcome.status == CreateAccountStatus::Created {
                true => End::Created,
                false if outcome.status != CreateAccountStatus::Exists => End::Refused,
                false => End::exists(outcome.timestamp == account.timestamp),
            };
            self.done.accounts_opened += u64::from(end == End::Created);
            self.done.count(end, sent, outcome.status.name());
        }
        Ok(())
    }

    /// Gathers an account that this import has not met before.
    fn open(&mut self, id: u128, ledger: u32, code: u16, flags: AccountFlags, name: &str) {
        if !self.opened.insert(id) {
            return;
        }
        let timestamp = self.stamps.next_account();
        if self.seen >= self.skip {
            self.owners.insert(id, name.to_owned());
            self.accounts.push(imported_account(id, ledger, code, flags, timestamp));
        }
    }

    fn account_refused(&self, account: &Account, status: CreateAccountStatus) -> Failure {
        let name = self.owners.get(&account.id.get()).map_or("", String::as_str);
        let failure = Failure::refused(format!("account '{name}' (id {}) was refused: {status}", account.id));
        if status == CreateAccountStatus::ImportedEventTimestampMustNotRegress {
            return failure.mend(
                "the ledger has younger accounts: import in the order of dates, or list this account with those that are imported first (the bank's own as [[contra]])",
            );
        }
        failure
            .mend("the account is there already and differs; make the mapping's account rule agree with it")
    }
}

impl Sent {
    fn of(row: &Row) -> Self {
        Self { row: row.number, line: row.line, key: row.key.clone() }
    }
}

/// How a row ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Created,
    Present,
    Repeated,
    Refused,
}

impl End {
    /// What exists is this very row, or another one under the same key.
    fn exists(bears_its_stamp: bool) -> Self {
        if bears_its_stamp { Self::Present } else { Self::Repeated }
    }
}

impl Posted {
    fn count(&mut self, end: End, sent: Sent, status: &'static str) {
        match end {
            End::Created => self.created += 1,
            End::Present => self.present += 1,
            End::Repeated => self.repeated += 1,
            End::Refused => self.refused += 1,
        }
        if matches!(end, End::Repeated | End::Refused) && self.named.len() < NAMED_MAX {
            self.named.push(NamedRow { row: sent.row, line: sent.line, key: sent.key, status });
        }
    }
}

fn imported_account(id: u128, ledger: u32, code: u16, flags: AccountFlags, timestamp: Stamp) -> Account {
    Account {
        id: AccountId::new(id),
        ledger: LedgerCode::new(ledger),
        code: Code::new(code),
        flags: flags.with(AccountFlags::IMPORTED),
        timestamp,
        ..Account::default()
    }
}

/// Whether an account that rows need is there, opened by this mapping or by another, which may have given it other
/// flags, a code and user data of its own.
fn is_there_in_its_ledger(status: CreateAccountStatus) -> bool {
    matches!(
        status,
        CreateAccountStatus::Exists
            | CreateAccountStatus::ExistsWithDifferentFlags
            | CreateAccountStatus::ExistsWithDifferentUserData128
            | CreateAccountStatus::ExistsWithDifferentUserData64
            | CreateAccountStatus::ExistsWithDifferentUserData32
            | CreateAccountStatus::ExistsWithDifferentCode
    )
}

impl DayStamps {
    fn midnight(&self) -> u64 {
        u64::from(self.day) * NANOSECONDS_PER_DAY
    }

    fn next_account(&mut self) -> Stamp {
        let stamp = self.midnight() + self.accounts;
        self.accounts += 1;
        Stamp::new(stamp)
    }

    fn next_transfer(&mut self) -> Stamp {
        let stamp = self.midnight() + NANOSECONDS_PER_SECOND + self.transfers;
        self.transfers += 1;
        Stamp::new(stamp)
    }
}

/// The id of one of the bank's own accounts: the upper half all ones, then the ledger and its number there.
pub(crate) fn contra_id(ledger: u32, number: u32) -> u128 {
    u128::from(u64::MAX) << 64 | u128::from(ledger) << 32 | u128::from(number)
}

fn account_flags(names: &[String]) -> Result<AccountFlags, Failure> {
    let mut flags = AccountFlags::NONE;
    for name in names {
        let allowed = AccountFlags::NAMES.iter().filter(|(_, flag)| !is_set_by_the_import(*flag));
        let Some((_, flag)) = allowed.clone().find(|(known, _)| known == name) else {
            let known: Vec<&str> = allowed.map(|(known, _)| *known).collect();
            return Err(Failure::usage(format!("account.flags: '{name}' is no flag here"))
                .mend(format!("flags are {}", known.join(", "))));
        };
        flags = flags.with(*flag);
    }
    Ok(flags)
}

fn is_set_by_the_import(flag: AccountFlags) -> bool {
    flag == AccountFlags::LINKED || flag == AccountFlags::IMPORTED || flag == AccountFlags::CLOSED
}
