//! Opening an account: the rules, in checking order.

use super::{AccountPlan, AccountRefused, refuse};
use crate::account::{Account, AccountFlags};
use crate::command::Outcome;
use crate::limits::can_have_limit;
use crate::opening::AccountOpening;
use crate::quantity::{Amount, Stamp};
use crate::status::CreateAccountStatus as Status;
use crate::view::View;

/// One event of `create_accounts`, or of `open_accounts` with what that says more, with its stamp.
#[derive(Clone, Copy)]
pub(crate) struct AccountOrder<'a> {
    pub(crate) account: &'a Account,
    pub(crate) opening: Option<&'a AccountOpening>,
    pub(crate) stamp: Stamp,
}

impl View<'_> {
    pub(crate) fn plan_account(&self, order: AccountOrder<'_>) -> Result<AccountPlan, AccountRefused> {
        let account = order.account;
        let no = |status| Err(refuse(status, order.stamp));
        if account.reserved != 0 || order.opening.is_some_and(|opening| opening.reserved != [0; 3]) {
            return no(Status::ReservedField);
        }
        if account.flags.has_unknown() {
            return no(Status::ReservedFlag);
        }
        if account.id.is_zero() {
            return no(Status::IdMustNotBeZero);
        }
        if account.id.is_max() {
            return no(Status::IdMustNotBeIntMax);
        }
        if let Some(slot) = self.slot_of(account.id) {
            return Err(account_exists(order, self.account(slot)));
        }
        let both =
            AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS.with(AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS);
        if account.flags.contains(both) {
            return no(Status::FlagsAreMutuallyExclusive);
        }
        if let Some(status) = first_empty_or_full_field(account) {
            return no(status);
        }
        let limit = order.opening.map_or(Amount::ZERO, |opening| opening.limit);
        if !limit.is_zero() && !can_have_limit(account) {
            return no(Status::LimitNeedsALimitingFlag);
        }
        if order.opening.is_some_and(AccountOpening::has_two_sides) {
            return no(Status::OpeningBalanceHasTwoSides);
        }
        let mut opened = *account;
        opened.timestamp = order.stamp;
        if account.flags.contains(AccountFlags::IMPORTED) {
            let stamp = account.timestamp;
            if stamp <= self.last_account_stamp() || self.has_transfer_stamp(stamp) {
                return no(Status::ImportedEventTimestampMustNotRegress);
            }
            opened.timestamp = stamp;
        }
        Ok(AccountPlan { account: opened, limit })
    }
}

fn first_empty_or_full_field(account: &Account) -> Option<Status> {
    let rules = [
        (!account.debits_pending.is_zero(), Status::DebitsPendingMustBeZero),
        (!account.debits_posted.is_zero(), Status::DebitsPostedMustBeZero),
        (!account.credits_pending.is_zero(), Status::CreditsPendingMustBeZero),
        (!account.credits_posted.is_zero(), Status::CreditsPostedMustBeZero),
        (account.ledger.is_zero(), Status::LedgerMustNotBeZero),
        (account.code.is_zero(), Status::CodeMustNotBeZero),
    ];
    rules.into_iter().find_map(|(broken, status)| broken.then_some(status))
}

/// The first field in which a second opening differs from the first, or `exists` with the first one's stamp.
fn account_exists(order: AccountOrder<'_>, existing: &Account) -> AccountRefused {
    let account = order.account;
    let existing_flags = existing.flags.without(AccountFlags::HAS_LIMIT);
    let rules = [
        (account.flags != existing_flags, Status::ExistsWithDifferentFlags),
        (account.user_data_128 != existing.user_data_128, Status::ExistsWithDifferentUserData128),
        (account.user_data_64 != existing.user_data_64, Status::ExistsWithDifferentUserData64),
        (account.user_data_32 != existing.user_data_32, Status::ExistsWithDifferentUserData32),
        (account.ledger != existing.ledger, Status::ExistsWithDifferentLedger),
        (account.code != existing.code, Status::ExistsWithDifferentCode),
    ];
    let differs = rules.into_iter().find_map(|(broken, status)| broken.then_some(status));
    match differs {
        Some(status) => refuse(status, order.stamp),
        None => Outcome { timestamp: existing.timestamp, status: Status::Exists },
    }
}
