//! Searches and turnover on the wire: what is asked for and what is told, as messages and back, and the client's calls.

use crate::client::{Client, history, id_message};
use crate::fault::ClientFault;
use crate::statements::{period, period_message};
use crate::{records, wire};
use fen_book::{
    Account, AccountFlags, AccountId, Amount, BusinessDate, Code, LedgerCode, TimeoutSeconds, Transfer,
    TransferFlags, TransferId,
};
use fen_ledger::search::{Bounds, FOUND_MAX};
use fen_ledger::{
    AccountSearch, Direction, Period, Split, Total, TransferSearch, Turnover, TurnoverAsked, Turnovers,
};
use std::sync::Arc;

fn wide_message<T: PartialOrd + Copy>(bounds: &Bounds<T>, of: impl Fn(T) -> u128) -> Option<wire::WideRange> {
    let (min, max) = bounds.ends()?;
    Some(wire::WideRange { min: records::halves(of(min)), max: records::halves(of(max)) })
}

fn wide<T: PartialOrd + Copy>(message: Option<&wire::WideRange>, of: impl Fn(u128) -> T) -> Bounds<T> {
    let bounds =
        |range: &wire::WideRange| (of(records::wide(range.min))..=of(records::wide(range.max))).into();
    message.map(bounds).unwrap_or_default()
}

fn range_message<T: PartialOrd + Copy>(bounds: &Bounds<T>, of: impl Fn(T) -> u64) -> Option<wire::Range> {
    let (min, max) = bounds.ends()?;
    Some(wire::Range { min: of(min), max: of(max) })
}

/// Ends that the field cannot have are cut to those that it can.
fn range<T: PartialOrd + Copy>(message: Option<&wire::Range>, of: impl Fn(u64) -> T, most: u64) -> Bounds<T> {
    let Some(wire::Range { min, max }) = message.copied() else { return Bounds::default() };
    if min > most {
        // Nothing is so large: a range without a value.
        return (of(1)..=of(0)).into();
    }
    (of(min)..=of(max.min(most))).into()
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn short(value: u64) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn direction(newest_first: bool) -> Direction {
    if newest_first { Direction::NewestFirst } else { Direction::OldestFirst }
}

fn limit(limit: u32) -> u32 {
    if limit == 0 { FOUND_MAX } else { limit.min(FOUND_MAX) }
}

fn flags(bits: u32) -> Result<u16, String> {
    u16::try_from(bits).map_err(|_| "flags: the largest is 65535".to_owned())
}

/// A search for transfers and its period, as the message; the bounds of its stamps are the period's.
pub fn transfer_search_message(
    search: &TransferSearch,
    period: &Period,
    after: &str,
) -> wire::TransferSearch {
    let account = |id: Option<AccountId>| id.map(|id| id_message(id.get()));
    wire::TransferSearch {
        id: wide_message(&search.id, TransferId::get),
        debit_account_id: account(search.debit_account_id),
        credit_account_id: account(search.credit_account_id),
        account_id: account(search.account_id),
        amount: wide_message(&search.amount, Amount::get),
        pending_id: wide_message(&search.pending_id, TransferId::get),
        user_data_128: wide_message(&search.user_data_128, |value| value),
        user_data_64: range_message(&search.user_data_64, |value| value),
        user_data_32: range_message(&search.user_data_32, u64::from),
        timeout: range_message(&search.timeout, |seconds| u64::from(seconds.get())),
        ledger: range_message(&search.ledger, |ledger| u64::from(ledger.get())),
        code: range_message(&search.code, |code| u64::from(code.get())),
        flags: u32::from(search.flags.bits()),
        flags_without: u32::from(search.flags_without.bits()),
        period: period_message(period),
        newest_first: search.direction.is_reversed(),
        limit: search.limit,
        after: after.to_owned(),
    }
}

/// A search for transfers from its message; its period is apart.
pub fn transfer_search(message: &wire::TransferSearch) -> Result<(TransferSearch, Period), String> {
    let account = |id: Option<wire::Uint128>| id.map(|id| AccountId::new(records::wide(Some(id))));
    let small = u64::from(u32::MAX);
    let search = TransferSearch {
        id: wide(message.id.as_ref(), TransferId::new),
        debit_account_id: account(message.debit_account_id),
        credit_account_id: account(message.credit_account_id),
        account_id: account(message.account_id),
        amount: wide(message.amount.as_ref(), Amount::new),
        pending_id: wide(message.pending_id.as_ref(), TransferId::new),
        user_data_128: wide(message.user_data_128.as_ref(), |value| value),
        user_data_64: range(message.user_data_64.as_ref(), |value| value, u64::MAX),
        user_data_32: range(message.user_data_32.as_ref(), narrow, small),
        timeout: range(message.timeout.as_ref(), |value| TimeoutSeconds::new(narrow(value)), small),
        ledger: range(message.ledger.as_ref(), |value| LedgerCode::new(narrow(value)), small),
        code: range(message.code.as_ref(), |value| Code::new(short(value)), u64::from(u16::MAX)),
        flags: TransferFlags::from_bits(flags(message.flags)?),
        flags_without: TransferFlags::from_bits(flags(message.flags_without)?),
        timestamp: Bounds::default(),
        direction: direction(message.newest_first),
        limit: limit(message.limit),
    };
    Ok((search, period(message.period.as_ref())))
}

/// A search for accounts and its period, as the message.
pub fn account_search_message(search: &AccountSearch, period: &Period, after: &str) -> wire::AccountSearch {
    wire::AccountSearch {
        id: wide_message(&search.id, AccountId::get),
        customer: search.customer,
        debits_pending: wide_message(&search.debits_pending, Amount::get),
        debits_posted: wide_message(&search.debits_posted, Amount::get),
        credits_pending: wide_message(&search.credits_pending, Amount::get),
        credits_posted: wide_message(&search.credits_posted, Amount::get),
        user_data_128: wide_message(&search.user_data_128, |value| value),
        user_data_64: range_message(&search.user_data_64, |value| value),
        user_data_32: range_message(&search.user_data_32, u64::from),
        ledger: range_message(&search.ledger, |ledger| u64::from(ledger.get())),
        code: range_message(&search.code, |code| u64::from(code.get())),
        flags: u32::from(search.flags.bits()),
        flags_without: u32::from(search.flags_without.bits()),
        period: period_message(period),
        newest_first: search.direction.is_reversed(),
        limit: search.limit,
        after: after.to_owned(),
    }
}

/// A search for accounts from its message; its period is apart.
pub fn account_search(message: &wire::AccountSearch) -> Result<(AccountSearch, Period), String> {
    let small = u64::from(u32::MAX);
    let search = AccountSearch {
        id: wide(message.id.as_ref(), AccountId::new),
        customer: message.customer,
        debits_pending: wide(message.debits_pending.as_ref(), Amount::new),
        debits_posted: wide(message.debits_posted.as_ref(), Amount::new),
        credits_pending: wide(message.credits_pending.as_ref(), Amount::new),
        credits_posted: wide(message.credits_posted.as_ref(), Amount::new),
        user_data_128: wide(message.user_data_128.as_ref(), |value| value),
        user_data_64: range(message.user_data_64.as_ref(), |value| value, u64::MAX),
        user_data_32: range(message.user_data_32.as_ref(), narrow, small),
        ledger: range(message.ledger.as_ref(), |value| LedgerCode::new(narrow(value)), small),
        code: range(message.code.as_ref(), |value| Code::new(short(value)), u64::from(u16::MAX)),
        flags: AccountFlags::from_bits(flags(message.flags)?),
        flags_without: AccountFlags::from_bits(flags(message.flags_without)?),
        direction: direction(message.newest_first),
        limit: limit(message.limit),
        ..AccountSearch::default()
    };
    Ok((search, period(message.period.as_ref())))
}

/// What turnover is asked for, as its message.
pub fn turnover_message(asked: &TurnoverAsked) -> wire::TurnoverRequest {
    wire::TurnoverRequest {
        account_id: asked.account_id.map(|id| id_message(id.get())),
        ledger: asked.ledger,
        code: asked.code.map(u32::from),
        period: period_message(&asked.period),
        by_day: asked.split == Split::Days,
    }
}

/// What turnover is asked for.
pub fn turnover_asked(message: &wire::TurnoverRequest) -> Result<TurnoverAsked, String> {
    let code = message.code.map(u16::try_from).transpose();
    Ok(TurnoverAsked {
        account_id: message.account_id.map(|id| AccountId::new(records::wide(Some(id)))),
        ledger: message.ledger,
        code: code.map_err(|_| "code: the largest is 65535".to_owned())?,
        period: period(message.period.as_ref()),
        split: if message.by_day { Split::Days } else { Split::Whole },
    })
}

/// Turnover as its message.
pub fn turnovers_message(found: &Turnovers) -> wire::Turnovers {
    let line = |line: &Turnover| wire::Turnover {
        date: line.date.map(BusinessDate::get),
        ledger: line.ledger,
        code: u32::from(line.code),
        posted_count: line.posted_count,
        posted: line.posted.to_string(),
        reserved_count: line.reserved_count,
        reserved: line.reserved.to_string(),
    };
    wire::Turnovers {
        lines: found.lines.iter().map(line).collect(),
        faults: found.faults.iter().map(ToString::to_string).collect(),
    }
}

/// Turnover from its message; `None` where it cannot be one.
pub fn turnovers(message: &wire::Turnovers) -> Option<Turnovers> {
    let line = |line: &wire::Turnover| {
        Some(Turnover {
            date: line.date.map(BusinessDate::new),
            ledger: line.ledger,
            code: u16::try_from(line.code).ok()?,
            posted_count: line.posted_count,
            posted: line.posted.parse::<Total>().ok()?,
            reserved_count: line.reserved_count,
            reserved: line.reserved.parse::<Total>().ok()?,
        })
    };
    Some(Turnovers {
        lines: message.lines.iter().map(line).collect::<Option<_>>()?,
        faults: message.faults.iter().map(|fault| Arc::from(fault.as_str())).collect(),
    })
}

fn next(next: String) -> Option<String> {
    Some(next).filter(|next| !next.is_empty())
}

impl Client {
    /// A page of the transfers that a search finds, and where the next one begins. `after` is what the page before
    /// told, and empty for the first one.
    pub async fn search_transfers(
        &self,
        search: &TransferSearch,
        period: &Period,
        after: &str,
    ) -> Result<(Vec<Transfer>, Option<String>), ClientFault> {
        let message = transfer_search_message(search, period, after);
        let ask = |channel| {
            let message = message.clone();
            async move { history(channel).search_transfers(message).await }
        };
        let found = self.ask(ask).await?;
        let transfers: Result<_, String> = found.transfers.iter().map(records::transfer).collect();
        let transfers = transfers.map_err(|_| ClientFault::Garbled("a transfer that no book could hold"))?;
        Ok((transfers, next(found.next)))
    }

    /// The same of accounts.
    pub async fn search_accounts(
        &self,
        search: &AccountSearch,
        period: &Period,
        after: &str,
    ) -> Result<(Vec<Account>, Option<String>), ClientFault> {
        let message = account_search_message(search, period, after);
        let ask = |channel| {
            let message = message.clone();
            async move { history(channel).search_accounts(message).await }
        };
        let found = self.ask(ask).await?;
        let accounts: Result<_, String> = found.accounts.iter().map(records::account).collect();
        let accounts = accounts.map_err(|_| ClientFault::Garbled("an account that no book could hold"))?;
        Ok((accounts, next(found.next)))
    }

    /// Sums and counts of all shards, by ledger and code.
    pub async fn turnover(&self, asked: &TurnoverAsked) -> Result<Turnovers, ClientFault> {
        let message = turnover_message(asked);
        let ask = |channel| async move { history(channel).get_turnover(message).await };
        turnovers(&self.ask(ask).await?).ok_or(ClientFault::Garbled("a sum that is no number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_book::Stamp;

    #[test]
    fn what_is_searched_for_arrives() {
        let period = Period::Stamps { min: Stamp::new(5), max: Stamp::new(9) };
        let search = TransferSearch {
            id: Bounds::only(TransferId::new(u128::MAX - 1)),
            debit_account_id: Some(AccountId::new(0)),
            credit_account_id: Some(AccountId::new(7)),
            account_id: Some(AccountId::new(1 << 64)),
            amount: (Amount::new(1)..=Amount::new(u128::MAX)).into(),
            pending_id: Bounds::only(TransferId::new(0)),
            user_data_128: (0..=7).into(),
            user_data_64: (1..=u64::MAX).into(),
            user_data_32: Bounds::only(3),
            timeout: Bounds::only(TimeoutSeconds::new(9)),
            ledger: Bounds::only(LedgerCode::new(156)),
            code: (Code::new(9_100)..=Code::new(u16::MAX)).into(),
            flags: TransferFlags::PENDING,
            flags_without: TransferFlags::LINKED,
            timestamp: Bounds::default(),
            direction: Direction::NewestFirst,
            limit: 20,
        };
        let message = transfer_search_message(&search, &period, "x");
        assert_eq!(transfer_search(&message), Ok((search, period)));
        let search = AccountSearch {
            customer: Some(77),
            credits_posted: (Amount::new(1)..=Amount::new(9)).into(),
            flags: AccountFlags::HISTORY,
            limit: FOUND_MAX,
            ..AccountSearch::default()
        };
        let message = account_search_message(&search, &Period::All, "");
        assert_eq!(account_search(&message), Ok((search, Period::All)));
        let all = transfer_search(&wire::TransferSearch::default()).unwrap().0;
        assert_eq!(all, TransferSearch { limit: FOUND_MAX, ..TransferSearch::default() });
        let beyond = wire::Range { min: 70_000, max: u64::MAX };
        let none = wire::TransferSearch { code: Some(beyond), ..wire::TransferSearch::default() };
        let (min, max) = transfer_search(&none).unwrap().0.code.ends().unwrap();
        assert!(min > max, "no transfer has such a code");
        assert!(transfer_search(&wire::TransferSearch { flags: 1 << 16, ..none }).is_err());
    }

    #[test]
    fn turnover_arrives() {
        let asked = TurnoverAsked {
            account_id: Some(AccountId::new(5)),
            ledger: Some(156),
            code: Some(7),
            period: Period::All,
            split: Split::Days,
        };
        assert_eq!(turnover_asked(&turnover_message(&asked)), Ok(asked));
        let mut line = Turnover { date: Some(BusinessDate::new(-1)), code: 9, ..Turnover::default() };
        line.posted.add(Amount::new(u128::MAX));
        line.posted.add(Amount::new(u128::MAX));
        let found = Turnovers { lines: vec![line], faults: vec!["gone".into()] };
        assert_eq!(turnovers(&turnovers_message(&found)), Some(found));
    }
}
