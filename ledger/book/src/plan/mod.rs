//! Plans: what a command would write, worked out by reading only. A plan is the proof that posting cannot fail.

mod account;
mod exists;
mod resolution;
mod transfer;

use crate::account::{Account, AccountFlags};
use crate::command::Outcome;
use crate::pendings::Pending;
use crate::quantity::{AccountSlot, Amount, Stamp};
use crate::status::{CreateAccountStatus, CreateTransferStatus};
use crate::transfer::{Transfer, TransferFlags};

pub(crate) use account::AccountOrder;
pub use exists::first_difference;
pub(crate) use transfer::TransferOrder;

/// A refusal: the coded "no" with the stamp that the client gets.
pub(crate) type Refused<S> = Outcome<S>;

/// An account to be opened.
pub(crate) struct AccountPlan {
    pub(crate) account: Account,
    pub(crate) limit: Amount,
}

/// A transfer to be posted: the record for the journal, and what it does to its two accounts.
#[derive(Clone, Copy)]
pub(crate) struct TransferPlan {
    pub(crate) record: Transfer,
    pub(crate) debit: AccountSlot,
    pub(crate) credit: AccountSlot,
    /// The stamp of the first member of the chain; the record's own outside a chain.
    pub(crate) chain: Stamp,
    pub(crate) effect: Effect,
}

impl TransferPlan {
    /// The open pending transfer that this plan makes.
    pub(crate) fn pending(&self) -> Pending {
        Pending { transfer: self.record, chain: self.chain, debit: self.debit, credit: self.credit }
    }
}

/// What a record does to the balances of its accounts.
#[derive(Clone, Copy)]
pub(crate) enum Effect {
    /// Adds to the posted balances.
    Post,
    /// Adds to the pending balances, and closes what the flags say.
    Reserve(TransferFlags),
    /// Takes a reservation back and posts the record's amount instead.
    Settle { reserved: Amount },
    /// Takes a reservation back, and reopens what the pending transfer's flags closed.
    Release { reserved: Amount, flags: TransferFlags },
}

const FITS: &str = "the plan proved that the sum fits";
const RESERVED: &str = "a reservation stands in its account's pending balance until it ends";

fn add(balance: &mut Amount, amount: Amount) {
    *balance = balance.checked_add(amount).expect(FITS);
}

fn take(balance: &mut Amount, amount: Amount) {
    *balance = balance.checked_sub(amount).expect(RESERVED);
}

impl Effect {
    #[inline]
    pub(crate) fn on_debit(&self, account: &mut Account, amount: Amount) {
        match self {
            Effect::Post => add(&mut account.debits_posted, amount),
            Effect::Reserve(flags) => {
                add(&mut account.debits_pending, amount);
                if flags.contains(TransferFlags::CLOSING_DEBIT) {
                    account.flags = account.flags.with(AccountFlags::CLOSED);
                }
            }
            Effect::Settle { reserved } => {
                take(&mut account.debits_pending, *reserved);
                add(&mut account.debits_posted, amount);
            }
            Effect::Release { reserved, flags } => {
                take(&mut account.debits_pending, *reserved);
                if flags.contains(TransferFlags::CLOSING_DEBIT) {
                    account.flags = account.flags.without(AccountFlags::CLOSED);
                }
            }
        }
    }

    #[inline]
    pub(crate) fn on_credit(&self, account: &mut Account, amount: Amount) {
        match self {
            Effect::Post => add(&mut account.credits_posted, amount),
            Effect::Reserve(flags) => {
                add(&mut account.credits_pending, amount);
                if flags.contains(TransferFlags::CLOSING_CREDIT) {
                    account.flags = account.flags.with(AccountFlags::CLOSED);
                }
            }
            Effect::Settle { reserved } => {
                take(&mut account.credits_pending, *reserved);
                add(&mut account.credits_posted, amount);
            }
            Effect::Release { reserved, flags } => {
                take(&mut account.credits_pending, *reserved);
                if flags.contains(TransferFlags::CLOSING_CREDIT) {
                    account.flags = account.flags.without(AccountFlags::CLOSED);
                }
            }
        }
    }
}

/// A refusal that bears the event's own stamp.
#[inline]
pub(crate) fn refuse<S>(status: S, stamp: Stamp) -> Refused<S> {
    Outcome { timestamp: stamp, status }
}

/// What the plans of accounts and of transfers answer.
pub(crate) type AccountRefused = Refused<CreateAccountStatus>;
/// See above.
pub(crate) type TransferRefused = Refused<CreateTransferStatus>;
