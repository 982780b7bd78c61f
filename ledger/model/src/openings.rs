//! Opening an account with a limit, an opening balance, or both; and changing limits.

use crate::accounts::well_formed;
use crate::existing;
use crate::{Model, refuse_if};
use fen_book::CreateAccountStatus as Status;
use fen_book::{
    Account, AccountFlags, AccountId, AccountOpening, Amount, CreateTransferStatus, LimitChange,
    OpeningStatus, Outcome, SetLimitStatus, Stamp, Transfer, TransferFlags,
};

impl Model {
    /// Opens the account and posts its opening balance, or does neither and says why not. The transfer bears the
    /// stamp after the account's.
    pub(crate) fn open_account(&mut self, asked: &AccountOpening, clock: Stamp) -> Outcome<OpeningStatus> {
        let because = |account| OpeningStatus { account, transfer: None };
        let refused = |status| Outcome { timestamp: clock, status };
        if asked.reserved != [0; 3] {
            return refused(because(Status::ReservedField));
        }
        if let Err(status) = well_formed(&asked.account) {
            return refused(because(status));
        }
        if let Some(existing) = self.account(asked.account.id) {
            let outcome = existing::account(&asked.account, &existing, clock);
            return Outcome { timestamp: outcome.timestamp, status: because(outcome.status) };
        }
        let opened = match self.grant_opening_with_more(asked, clock) {
            Ok(account) => account,
            Err(status) => return refused(because(status)),
        };
        let before = self.clone();
        self.accounts.push(opened);
        if !asked.limit.is_zero() {
            self.limits.insert(opened.id, asked.limit);
        }
        if asked.has_balance() {
            let outcome = self.create_transfer(&opening_transfer(asked, &opened), after(clock));
            if outcome.status != CreateTransferStatus::Created {
                *self = before;
                let transfer = Some(outcome.status);
                return refused(OpeningStatus { account: Status::OpeningBalanceRefused, transfer });
            }
        }
        Outcome { timestamp: opened.timestamp, status: because(Status::Created) }
    }

    /// The account that will be written, or the first rule that forbids it.
    fn grant_opening_with_more(&self, asked: &AccountOpening, clock: Stamp) -> Result<Account, Status> {
        self.may_open(&asked.account)?;
        refuse_if(!asked.limit.is_zero() && !is_limited(&asked.account), Status::LimitNeedsALimitingFlag)?;
        refuse_if(
            !asked.opening_debit.is_zero() && !asked.opening_credit.is_zero(),
            Status::OpeningBalanceHasTwoSides,
        )?;
        self.stamped(&asked.account, clock)
    }

    /// Changes the limits of accounts, the last at `stamp`.
    pub(crate) fn set_limits(
        &mut self,
        changes: &[LimitChange],
        stamp: Stamp,
    ) -> Vec<Outcome<SetLimitStatus>> {
        let mut outcomes = Vec::new();
        for (index, change) in changes.iter().enumerate() {
            let timestamp = crate::batch::stamp_of(changes.len(), index, 1, stamp);
            let status = match self.may_set_limit(change) {
                Ok(()) => {
                    self.limits.insert(change.account_id, change.limit);
                    SetLimitStatus::Set
                }
                Err(status) => status,
            };
            outcomes.push(Outcome { timestamp, status });
        }
        outcomes
    }

    fn may_set_limit(&self, change: &LimitChange) -> Result<(), SetLimitStatus> {
        refuse_if(change.account_id.is_zero(), SetLimitStatus::IdMustNotBeZero)?;
        refuse_if(change.account_id.is_max(), SetLimitStatus::IdMustNotBeIntMax)?;
        let account = self.account(change.account_id).ok_or(SetLimitStatus::AccountNotFound)?;
        refuse_if(!is_limited(&account), SetLimitStatus::LimitNeedsALimitingFlag)?;
        let (used, covered) = if account.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS) {
            (sum(account.debits_pending, account.debits_posted), account.credits_posted)
        } else {
            (sum(account.credits_pending, account.credits_posted), account.debits_posted)
        };
        refuse_if(used.saturating_sub(covered) > change.limit, SetLimitStatus::BalanceExceedsLimit)
    }

    /// How far an account may go beyond its flag's rule.
    pub fn limit_of(&self, id: AccountId) -> Amount {
        self.limits.get(&id).copied().unwrap_or_default()
    }
}

/// The transfer that posts an opening balance.
fn opening_transfer(asked: &AccountOpening, opened: &Account) -> Transfer {
    let debited = !asked.opening_debit.is_zero();
    let imported = opened.flags.contains(AccountFlags::IMPORTED);
    Transfer {
        id: asked.transfer_id,
        debit_account_id: if debited { opened.id } else { asked.contra_account_id },
        credit_account_id: if debited { asked.contra_account_id } else { opened.id },
        amount: if debited { asked.opening_debit } else { asked.opening_credit },
        ledger: opened.ledger,
        code: opened.code,
        flags: if imported { TransferFlags::IMPORTED } else { TransferFlags::NONE },
        timestamp: if imported { after(opened.timestamp) } else { Stamp::ZERO },
        ..Transfer::default()
    }
}

/// Whether an account has a side that may not exceed the other.
fn is_limited(account: &Account) -> bool {
    account.flags.contains(AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS)
        || account.flags.contains(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS)
}

fn sum(pending: Amount, posted: Amount) -> Amount {
    pending.checked_add(posted).expect("pending and posted together stay below 2^128")
}

fn after(stamp: Stamp) -> Stamp {
    Stamp::new(stamp.get() + 1)
}
