//! What the storage looked up for a command before the book sees it.
//!
//! The book holds only the young journal. Before a command is applied, the storage looks for the ids and pending
//! ids that it names among the sealed segments, and hands over the records it found. So the book reads no disk,
//! and a broken disk is a fault of the storage, never an answer of the book.

use crate::account::{Account, AccountFlags};
use crate::command::{Command, EVENTS_MAX};
use crate::loan::command::LoanCommand;
use crate::quantity::{Stamp, TransferId};
use crate::transfer::{Transfer, TransferFlags};
use std::collections::{BTreeMap, BTreeSet};

/// What a command names that may be sealed: what storage has to look for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Named {
    /// Transfers whose records are wanted.
    pub ids: Vec<TransferId>,
    /// Pending transfers whose records, and the records of how they ended, are wanted unless they are open.
    pub pending_ids: Vec<TransferId>,
    /// Stamps of which it must be known whether a transfer bears them.
    pub stamps: Vec<Stamp>,
}

impl Named {
    /// What `command` names.
    pub fn by(command: &Command<'_>) -> Self {
        let mut named = Self::default();
        match command {
            Command::CreateTransfers(events) | Command::CreateTransfersWithBalances(events) => {
                named.ids.extend(events.iter().map(|event| event.id));
                let ends = TransferFlags::POST_PENDING_TRANSFER.with(TransferFlags::VOID_PENDING_TRANSFER);
                let resolving = events.iter().filter(|event| event.flags.intersects(ends));
                named.pending_ids.extend(resolving.map(|event| event.pending_id));
            }
            Command::EndChains(events) => {
                // Its further ids follow the first, one for each member: no chain is longer than a command.
                let members = 0..u128::try_from(EVENTS_MAX).unwrap_or(0);
                for event in *events {
                    let following = members.clone().map(|number| event.id.get().wrapping_add(number));
                    named.ids.extend(following.map(TransferId::new));
                    named.pending_ids.push(event.pending_id);
                }
            }
            Command::CreateAccounts(events) => events.iter().for_each(|account| named.note_account(account)),
            Command::OpenAccounts(events) => {
                events.iter().for_each(|event| named.note_account(&event.account));
                named
                    .ids
                    .extend(events.iter().filter(|event| event.has_balance()).map(|event| event.transfer_id));
            }
            Command::Loans(body) => named.ids.extend(LoanCommand::transfer_ids(body)),
            Command::SetLimits(_) | Command::Batch(_) | Command::Pulse => {}
        }
        named
    }

    fn note_account(&mut self, account: &Account) {
        if account.flags.contains(AccountFlags::IMPORTED) {
            self.stamps.push(account.timestamp);
        }
    }
}

/// Records from sealed segments. Complete for the command that it was made for: what is neither here nor in the
/// young journal does not exist.
#[derive(Clone, Default, Debug)]
pub struct Recall {
    transfers: BTreeMap<TransferId, Transfer>,
    resolutions: BTreeMap<TransferId, Transfer>,
    stamps: BTreeSet<Stamp>,
}

impl Recall {
    /// Nothing was found, or nothing is sealed yet.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds the record of a sealed transfer or burned id.
    pub fn add_record(&mut self, record: Transfer) {
        self.transfers.insert(record.id, record);
    }

    /// Adds the sealed post, void or expiry of a pending transfer.
    pub fn add_resolution(&mut self, record: Transfer) {
        self.resolutions.insert(record.pending_id, record);
    }

    /// Notes that a sealed transfer bears exactly this stamp (asked for by imported accounts only).
    pub fn add_stamp(&mut self, stamp: Stamp) {
        self.stamps.insert(stamp);
    }

    pub(crate) fn record(&self, id: TransferId) -> Option<&Transfer> {
        if self.transfers.is_empty() { None } else { self.transfers.get(&id) }
    }

    pub(crate) fn resolution(&self, pending_id: TransferId) -> Option<&Transfer> {
        if self.resolutions.is_empty() { None } else { self.resolutions.get(&pending_id) }
    }

    pub(crate) fn has_stamp(&self, stamp: Stamp) -> bool {
        self.stamps.contains(&stamp)
    }
}
