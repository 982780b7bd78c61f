//! A shard's part of searches, sums and exports: as a ledger in a directory answers them.
//!
//! Of the bank's own accounts it tells all that pass the tests of fields that never change, with its parts' balances:
//! only the sum of all parts says whether the account is one that is searched for.

use super::{Desk, crossed, encoded};
use crate::fault::ServeFault;
use bytes::Bytes;
use fen_api::{export, records, search, wire};
use fen_book::{Account, BusinessDate, Stamp};
use fen_ledger::past::Past;
use fen_ledger::search::{Bounds, FOUND_MAX, Holders};
use fen_ledger::{
    AccountSearch, Answer, Direction, Fault, Period, TransferSearch, search as searching, turnover,
};
use fen_store::journal::Archived;

/// The most of the bank's own accounts that are looked at for one page.
const OWN_MAX: usize = 65_536;

impl Desk<'_> {
    pub(super) async fn search_transfers(&self, message: wire::TransferSearch) -> Result<Bytes, ServeFault> {
        let (search, period) = search::transfer_search(&message).map_err(ServeFault::Refused)?;
        let after = after(&message.after)?;
        let find = move |past: &_| {
            let timestamp = behind(&searching::booked_in(past, period)?, search.direction, after);
            searching::transfers(past, &TransferSearch { timestamp, ..search })
        };
        let transfers = self.history(find).await?;
        let transfers = transfers.iter().map(records::transfer_message).collect();
        Ok(encoded(&wire::FoundTransfers { transfers, next: String::new() }))
    }

    pub(super) async fn search_accounts(&self, message: wire::AccountSearch) -> Result<Bytes, ServeFault> {
        let (search, period) = search::account_search(&message).map_err(ServeFault::Refused)?;
        let after = after(&message.after)?;
        let find = move |past: &_| {
            let booked = searching::booked_in(past, period)?;
            let timestamp = behind(&booked, search.direction, after);
            let customers = AccountSearch { holders: Holders::Customers, timestamp, ..search.clone() };
            let found = searching::accounts(past, &customers)?;
            // Whose customer is asked for is none of the bank's own.
            let own = if search.customer.is_some() { Vec::new() } else { own(past, &search)? };
            Ok((found, own, booked))
        };
        let (accounts, own, booked) = self.history(find).await?;
        let is_within = |account: &Account| {
            let stamp = account.timestamp;
            booked.ends().is_none_or(|(min, max)| min <= stamp && stamp <= max)
        };
        let own = own.iter().map(|account| wire::OwnPart {
            account: Some(records::account_message(account)),
            is_within: is_within(account),
        });
        let accounts = accounts.iter().map(records::account_message).collect();
        Ok(encoded(&wire::AccountsPart { accounts, own: own.collect() }))
    }

    pub(super) async fn turnover(&self, message: wire::TurnoverRequest) -> Result<Bytes, ServeFault> {
        let asked = search::turnover_asked(&message).map_err(ServeFault::Refused)?;
        let shard = self.teller.group().id().0;
        let sums = move |past: &_| {
            let mut found = turnover::turnover(past, &asked)?;
            crossed::leave_out_steps(past, shard, &asked, &mut found)?;
            Ok(found)
        };
        Ok(encoded(&search::turnovers_message(&self.history(sums).await?)))
    }

    pub(super) async fn export(&self, message: wire::ExportPartRequest) -> Result<Bytes, ServeFault> {
        let (asked, at) = export::export_asked(&message);
        let page = self.history(move |past| fen_ledger::export::page(past, &asked, at)).await?;
        Ok(encoded(&export::export_part_message(self.teller.group().id().0, &page)))
    }

    pub(super) async fn archive(&self, message: wire::ArchiveRequest) -> Result<Bytes, ServeFault> {
        let date = BusinessDate::new(message.before);
        let moved = self.history(move |past| {
            let begin = searching::booked_in(past, Period::Booked { first: date, last: date })?;
            let Some((before, _)) = begin.ends() else { return Ok(wire::MemberArchived::default()) };
            let mut told = wire::MemberArchived::default();
            for number in 0..past.journal().map_or(0, fen_store::journal::Journal::chunks) {
                match past.journal().map(|journal| journal.archive_segment(number, before)) {
                    Some(Ok(Archived::Now)) => told.moved += 1,
                    Some(Ok(Archived::Already)) => {}
                    Some(Ok(Archived::TooYoung)) | None => break,
                    Some(Err(fault)) => {
                        told.fault = fault.to_string();
                        break;
                    }
                }
            }
            Ok(told)
        });
        Ok(encoded(&moved.await?))
    }
}

/// Stamps behind this one are told; 0 is from the first.
fn after(text: &str) -> Result<u64, ServeFault> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| ServeFault::Refused("the cursor is refused: it is no stamp".to_owned()))
}

/// What is left of the bounds.
fn behind(booked: &Bounds<Stamp>, direction: Direction, after: u64) -> Bounds<Stamp> {
    if after == 0 { booked.clone() } else { booked.behind(Stamp::new(after), direction) }
}

/// This shard's parts of the bank's own accounts that may be searched for.
fn own(past: &impl Past, search: &AccountSearch) -> Answer<Vec<Account>> {
    let none = Bounds::default;
    let mut asked = AccountSearch {
        holders: Holders::Bank,
        debits_pending: none(),
        debits_posted: none(),
        credits_pending: none(),
        credits_posted: none(),
        timestamp: Bounds::default(),
        direction: Direction::OldestFirst,
        limit: FOUND_MAX,
        ..search.clone()
    };
    let mut found: Vec<Account> = Vec::new();
    loop {
        let page = searching::accounts(past, &asked)?;
        let is_last = page.len() < usize::try_from(FOUND_MAX).unwrap_or(usize::MAX);
        let last = page.last().map(|account| account.timestamp);
        found.extend(page);
        match last {
            Some(last) if !is_last && found.len() <= OWN_MAX => {
                asked.timestamp = Bounds::default().behind(last, Direction::OldestFirst);
            }
            Some(_) if !is_last => {
                return Err(Fault::Stopped(
                    format!("more than {OWN_MAX} of the bank's own accounts may be meant: ask for a ledger or a code")
                        .into(),
                ));
            }
            Some(_) | None => return Ok(found),
        }
    }
}
