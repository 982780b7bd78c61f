//! Looking things up: every record is put to every test of the filter, one after the other.

use crate::Model;
use crate::journal::re_add;
use fen_book::{
    Account, AccountFilter, AccountFlags, AccountId, BalanceLine, OpenPending, Position, QueryFilter,
    STAMP_MAX, Stamp, Transfer,
};

impl Model {
    /// The transfers that debit or credit an account, by the filter.
    pub fn account_transfers(&self, filter: &AccountFilter) -> Vec<Transfer> {
        let found = self.transfers().filter(|transfer| account_filter_finds(filter, transfer)).collect();
        in_order(found, filter.reversed, filter.limit)
    }

    /// The balances of an account after each of the transfers that [`Self::account_transfers`] gives; nothing
    /// for an account without `history`.
    pub fn account_balances(&self, filter: &AccountFilter) -> Vec<BalanceLine> {
        let keeps_history = self
            .opened(filter.account_id)
            .is_some_and(|account| account.flags.contains(AccountFlags::HISTORY));
        if !keeps_history {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for (index, entry) in self.journal.iter().enumerate() {
            let Some(transfer) = entry.transfer() else { continue };
            if account_filter_finds(filter, transfer) {
                let balances = re_add(filter.account_id, &self.journal[..=index]);
                lines.push(BalanceLine { timestamp: transfer.timestamp, balances });
            }
        }
        in_order(lines, filter.reversed, filter.limit)
    }

    /// What is reserved on an account, oldest first.
    pub fn pendings_of(&self, id: AccountId) -> Vec<OpenPending> {
        let open = self.open_pendings().into_iter();
        open.filter(|pending| {
            pending.transfer.debit_account_id == id || pending.transfer.credit_account_id == id
        })
        .map(|pending| OpenPending {
            id: pending.transfer.id,
            amount: pending.transfer.amount,
            expires_at: pending.expires_at().unwrap_or_default(),
        })
        .collect()
    }

    /// An account, how far it may go, and what is reserved on it.
    pub fn position(&self, id: AccountId) -> Option<Position> {
        let account = self.account(id)?;
        Some(Position { account, limit: self.limit_of(id), pendings: self.pendings_of(id) })
    }

    /// The accounts that pass the filter.
    pub fn query_accounts(&self, filter: &QueryFilter) -> Vec<Account> {
        let found = self
            .accounts
            .iter()
            .filter(|account| {
                in_time(account.timestamp, filter.timestamp_min, filter.timestamp_max)
                    && passes(filter.user_data_128, account.user_data_128)
                    && passes(filter.user_data_64, account.user_data_64)
                    && passes(filter.user_data_32, account.user_data_32)
                    && passes(filter.ledger, account.ledger.get())
                    && passes(filter.code, account.code.get())
            })
            .filter_map(|account| self.account(account.id))
            .collect();
        in_order(found, filter.reversed, filter.limit)
    }

    /// The transfers that pass the filter.
    pub fn query_transfers(&self, filter: &QueryFilter) -> Vec<Transfer> {
        let found = self
            .transfers()
            .filter(|transfer| {
                in_time(transfer.timestamp, filter.timestamp_min, filter.timestamp_max)
                    && passes(filter.user_data_128, transfer.user_data_128)
                    && passes(filter.user_data_64, transfer.user_data_64)
                    && passes(filter.user_data_32, transfer.user_data_32)
                    && passes(filter.ledger, transfer.ledger.get())
                    && passes(filter.code, transfer.code.get())
            })
            .collect();
        in_order(found, filter.reversed, filter.limit)
    }
}

fn account_filter_finds(filter: &AccountFilter, transfer: &Transfer) -> bool {
    let debited = filter.debits && transfer.debit_account_id == filter.account_id;
    let credited = filter.credits && transfer.credit_account_id == filter.account_id;
    (debited || credited)
        && in_time(transfer.timestamp, filter.timestamp_min, filter.timestamp_max)
        && passes(filter.user_data_128, transfer.user_data_128)
        && passes(filter.user_data_64, transfer.user_data_64)
        && passes(filter.user_data_32, transfer.user_data_32)
        && passes(filter.code, transfer.code.get())
}

/// Zero is no test.
fn passes<T: Copy + Default + PartialEq>(asked: T, found: T) -> bool {
    asked == T::default() || asked == found
}

/// Zero is no bound; a bound that no stamp can have finds nothing.
fn in_time(stamp: Stamp, min: Stamp, max: Stamp) -> bool {
    min <= STAMP_MAX && max <= STAMP_MAX && (min.is_zero() || stamp >= min) && (max.is_zero() || stamp <= max)
}

fn in_order<T>(mut found: Vec<T>, reversed: bool, limit: u32) -> Vec<T> {
    if reversed {
        found.reverse();
    }
    found.truncate(usize::try_from(limit).expect("a limit of 32 bits fits"));
    found
}
