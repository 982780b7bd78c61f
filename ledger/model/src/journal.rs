//! The journal, and all that is found by re-reading it: balances, the end of a pending transfer, who is closed.

use crate::Model;
use fen_book::{AccountFlags, AccountId, Amount, Balances, Stamp, Transfer, TransferFlags, TransferId};

/// One thing that happened. What a post, a void or an expiry ends is written beside it, so that an entry says by
/// itself how it moves the balances.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// Money moved at once.
    Plain {
        /// As granted: `amount` is what was moved.
        transfer: Transfer,
    },
    /// Money was reserved.
    Pending {
        /// As granted: `amount` is what was reserved.
        transfer: Transfer,
    },
    /// Reserved money was moved, all or part; the rest was released.
    Post {
        /// As granted: `amount` is what was moved, and empty fields are inherited.
        transfer: Transfer,
        /// What it ended.
        pending: Transfer,
    },
    /// Reserved money was released.
    Void {
        /// As granted.
        transfer: Transfer,
        /// What it ended.
        pending: Transfer,
    },
    /// Reserved money was released because its time was up.
    Expiry {
        /// What it ended.
        pending: Transfer,
    },
}

impl Entry {
    /// The transfer that a client sent, or `None` for an expiry, which nobody sends.
    pub fn transfer(&self) -> Option<&Transfer> {
        match self {
            Self::Plain { transfer }
            | Self::Pending { transfer }
            | Self::Post { transfer, .. }
            | Self::Void { transfer, .. } => Some(transfer),
            Self::Expiry { .. } => None,
        }
    }
}

/// What has become of a pending transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It still holds the money.
    Open,
    /// Posted, in full or in part.
    Posted,
    /// Voided.
    Voided,
    /// Its time was up.
    Expired,
}

/// A pending transfer that still holds its money.
#[derive(Clone, Copy)]
pub(crate) struct Open {
    pub(crate) transfer: Transfer,
}

impl Open {
    /// When it ends by itself; `None` is never.
    pub(crate) fn expires_at(&self) -> Option<Stamp> {
        expiry(&self.transfer)
    }
}

/// When a pending transfer ends by itself; `None` is never.
pub(crate) fn expiry(pending: &Transfer) -> Option<Stamp> {
    if pending.timeout.is_zero() {
        return None;
    }
    let end = pending.timestamp.checked_after(pending.timeout);
    Some(end.expect("a pending transfer whose end lies beyond time is refused"))
}

impl Model {
    /// The transfer of this id, as granted.
    pub(crate) fn transfer(&self, id: TransferId) -> Option<Transfer> {
        self.transfers().find(|transfer| transfer.id == id)
    }

    /// Every transfer as granted, in order of posting.
    pub(crate) fn transfers(&self) -> impl Iterator<Item = Transfer> + '_ {
        self.journal.iter().filter_map(Entry::transfer).copied()
    }

    /// What has become of the pending transfer `id`.
    pub fn ending(&self, id: TransferId) -> Ending {
        for entry in &self.journal {
            match entry {
                Entry::Post { pending, .. } if pending.id == id => return Ending::Posted,
                Entry::Void { pending, .. } if pending.id == id => return Ending::Voided,
                Entry::Expiry { pending } if pending.id == id => return Ending::Expired,
                Entry::Plain { .. }
                | Entry::Pending { .. }
                | Entry::Post { .. }
                | Entry::Void { .. }
                | Entry::Expiry { .. } => {}
            }
        }
        Ending::Open
    }

    /// The pending transfers that still hold money, oldest first.
    pub(crate) fn open_pendings(&self) -> Vec<Open> {
        let mut open: Vec<Open> = Vec::new();
        for entry in &self.journal {
            match entry {
                Entry::Plain { .. } => {}
                Entry::Pending { transfer } => open.push(Open { transfer: *transfer }),
                Entry::Post { pending, .. } | Entry::Void { pending, .. } | Entry::Expiry { pending } => {
                    open.retain(|other| other.transfer.id != pending.id);
                }
            }
        }
        open
    }

    /// The balances of an account now: the whole journal re-added.
    pub fn balances(&self, id: AccountId) -> Balances {
        re_add(id, &self.journal)
    }

    /// Whether an account is closed now: opened so, or closed by a pending transfer that has not been undone.
    pub(crate) fn is_closed(&self, id: AccountId) -> bool {
        let opened_closed = self
            .accounts
            .iter()
            .any(|account| account.id == id && account.flags.contains(AccountFlags::CLOSED));
        opened_closed || self.open_pendings().iter().any(|pending| closes(&pending.transfer, id))
    }
}

/// Whether a pending transfer closes this account for as long as it is open.
fn closes(pending: &Transfer, id: AccountId) -> bool {
    (pending.debit_account_id == id && pending.flags.contains(TransferFlags::CLOSING_DEBIT))
        || (pending.credit_account_id == id && pending.flags.contains(TransferFlags::CLOSING_CREDIT))
}

/// The balances of an account after these entries, from nothing.
pub(crate) fn re_add(id: AccountId, entries: &[Entry]) -> Balances {
    let mut balances = Balances::default();
    for entry in entries {
        match entry {
            Entry::Plain { transfer } => post(&mut balances, id, transfer),
            Entry::Pending { transfer } => reserve(&mut balances, id, transfer),
            Entry::Post { transfer, pending } => {
                release(&mut balances, id, pending);
                post(&mut balances, id, transfer);
            }
            Entry::Void { pending, .. } | Entry::Expiry { pending } => release(&mut balances, id, pending),
        }
    }
    balances
}

fn post(balances: &mut Balances, id: AccountId, transfer: &Transfer) {
    if transfer.debit_account_id == id {
        add(&mut balances.debits_posted, transfer.amount);
    }
    if transfer.credit_account_id == id {
        add(&mut balances.credits_posted, transfer.amount);
    }
}

fn reserve(balances: &mut Balances, id: AccountId, pending: &Transfer) {
    if pending.debit_account_id == id {
        add(&mut balances.debits_pending, pending.amount);
    }
    if pending.credit_account_id == id {
        add(&mut balances.credits_pending, pending.amount);
    }
}

fn release(balances: &mut Balances, id: AccountId, pending: &Transfer) {
    if pending.debit_account_id == id {
        subtract(&mut balances.debits_pending, pending.amount);
    }
    if pending.credit_account_id == id {
        subtract(&mut balances.credits_pending, pending.amount);
    }
}

fn add(balance: &mut Amount, amount: Amount) {
    *balance = balance.checked_add(amount).expect("no posting may take a balance past 2^128");
}

fn subtract(balance: &mut Amount, amount: Amount) {
    *balance = balance.checked_sub(amount).expect("no more is released than was reserved");
}
