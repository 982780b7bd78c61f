//! Opening an account: the rules in checking order.

use crate::existing;
use crate::{Model, refuse_if};
use fen_book::CreateAccountStatus as Status;
use fen_book::{Account, AccountFlags, AccountId, Outcome, Stamp};

impl Model {
    /// Opens the account, or says why not.
    pub(crate) fn create_account(&mut self, asked: &Account, clock: Stamp) -> Outcome<Status> {
        if let Err(status) = well_formed(asked) {
            return Outcome { timestamp: clock, status };
        }
        if let Some(existing) = self.account(asked.id) {
            return existing::account(asked, &existing, clock);
        }
        match self.grant_opening(asked, clock) {
            Ok(account) => {
                self.accounts.push(account);
                Outcome { timestamp: account.timestamp, status: Status::Created }
            }
            Err(status) => Outcome { timestamp: clock, status },
        }
    }

    /// The account that will be written, none existing with its id, or the first rule that forbids it.
    fn grant_opening(&self, asked: &Account, clock: Stamp) -> Result<Account, Status> {
        self.may_open(asked)?;
        self.stamped(asked, clock)
    }

    /// The rules that do not look at the stamp.
    pub(crate) fn may_open(&self, asked: &Account) -> Result<(), Status> {
        assert!(self.opened(asked.id).is_none(), "an account is opened once");
        refuse_if(
            asked.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS)
                && asked.flags.contains(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS),
            Status::FlagsAreMutuallyExclusive,
        )?;
        refuse_if(!asked.debits_pending.is_zero(), Status::DebitsPendingMustBeZero)?;
        refuse_if(!asked.debits_posted.is_zero(), Status::DebitsPostedMustBeZero)?;
        refuse_if(!asked.credits_pending.is_zero(), Status::CreditsPendingMustBeZero)?;
        refuse_if(!asked.credits_posted.is_zero(), Status::CreditsPostedMustBeZero)?;
        refuse_if(asked.ledger.is_zero(), Status::LedgerMustNotBeZero)?;
        refuse_if(asked.code.is_zero(), Status::CodeMustNotBeZero)
    }

    /// The account with its stamp: the clock's, or its own where it is imported.
    pub(crate) fn stamped(&self, asked: &Account, clock: Stamp) -> Result<Account, Status> {
        if !asked.flags.contains(AccountFlags::IMPORTED) {
            return Ok(Account { timestamp: clock, ..*asked });
        }
        refuse_if(
            !self.may_import_account_at(asked.timestamp),
            Status::ImportedEventTimestampMustNotRegress,
        )?;
        Ok(*asked)
    }

    /// An imported account's stamp lies above that of every account, and on that of no transfer.
    fn may_import_account_at(&self, stamp: Stamp) -> bool {
        self.accounts.iter().all(|account| account.timestamp < stamp)
            && self.transfers().all(|transfer| transfer.timestamp != stamp)
    }

    /// The account as it was opened: balances zero.
    pub(crate) fn opened(&self, id: AccountId) -> Option<Account> {
        self.accounts.iter().find(|account| account.id == id).copied()
    }

    /// The account with its balances, and `closed` among its flags where it is.
    pub(crate) fn account(&self, id: AccountId) -> Option<Account> {
        let opened = self.opened(id)?;
        let balances = self.balances(id);
        let closed = if self.is_closed(id) { AccountFlags::CLOSED } else { AccountFlags::NONE };
        Some(Account {
            debits_pending: balances.debits_pending,
            debits_posted: balances.debits_posted,
            credits_pending: balances.credits_pending,
            credits_posted: balances.credits_posted,
            flags: opened.flags.with(closed),
            ..opened
        })
    }

    /// The accounts of these ids, `None` where there is none.
    pub fn lookup_accounts(&self, ids: &[AccountId]) -> Vec<Option<Account>> {
        ids.iter().map(|id| self.account(*id)).collect()
    }
}

/// What is asked of any request before its id is looked up.
pub(crate) fn well_formed(asked: &Account) -> Result<(), Status> {
    refuse_if(asked.reserved != 0, Status::ReservedField)?;
    refuse_if(asked.flags.has_unknown(), Status::ReservedFlag)?;
    refuse_if(asked.id.is_zero(), Status::IdMustNotBeZero)?;
    refuse_if(asked.id.is_max(), Status::IdMustNotBeIntMax)
}
