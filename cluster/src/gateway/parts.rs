//! The statement of an account that has a part on every shard: one of the bank's own.
//!
//! Each shard tells a page of its part. The entries are laid in the order of their stamps (shards' clocks may differ by
//! a little, and so may the order of entries that are as close), and what the account had after one of them is the sum
//! of what its parts had then. A cursor names, for each shard, the last entry told of it: `1:CURSOR,3:CURSOR`.
//!
//! **Invariants.** Pages laid end to end tell every entry of every part once. The balance after an entry is that after
//! the entry before it, moved by this entry alone.

use fen_api::{statements, wire};
use fen_ledger::{Balances, Cursor};
use std::collections::BTreeMap;

/// Where the page before ended, shard by shard.
#[derive(Default, Debug)]
pub(super) struct Marks(BTreeMap<u32, Cursor>);

impl Marks {
    /// From the text that a caller was given.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut marks = BTreeMap::new();
        for mark in text.split(',').filter(|mark| !mark.is_empty()) {
            let (shard, cursor) = mark.split_once(':').ok_or(
                "the cursor is refused: it is of one shard, and this account has a part on several: give the text of \
                 `next` as it was given",
            )?;
            let shard: u32 = shard.parse().map_err(|_| "the cursor is refused: it names no shard")?;
            let cursor = cursor.parse::<Cursor>().map_err(|fault| fault.to_string())?;
            marks.insert(shard, cursor);
        }
        Ok(Self(marks))
    }

    /// A shard's own cursor.
    pub(super) fn of(&self, shard: u32) -> Option<String> {
        self.0.get(&shard).map(ToString::to_string)
    }

    /// What tells what the part had after the last entry that was told of it; nothing where none was, or where the
    /// entries before are not needed.
    pub(super) fn before(
        &self,
        shard: u32,
        asked: &wire::StatementRequest,
    ) -> Option<wire::StatementRequest> {
        let cursor = self.0.get(&shard).filter(|_| !asked.newest_first)?;
        let stamps = wire::Stamps { min: 0, max: cursor.stamp().get() };
        Some(wire::StatementRequest {
            account_id: asked.account_id,
            period: Some(wire::Period { of: Some(wire::period::Of::Stamps(stamps)) }),
            newest_first: true,
            after: String::new(),
            limit: 1,
        })
    }
}

/// What cannot be told of several parts.
pub(super) fn check(asked: &wire::StatementRequest) -> Result<(), String> {
    let of = asked.period.as_ref().and_then(|period| period.of.as_ref());
    if matches!(of, Some(wire::period::Of::Valued(_))) {
        return Err("period: entries of an account with a part on every shard are told by the date of booking, not by \
                    value date"
            .to_owned());
    }
    Ok(())
}

/// One shard's part of the page.
pub(super) struct Part {
    shard: u32,
    /// Where its page began.
    after: Option<String>,
    account: Option<wire::Account>,
    opening: Option<wire::Balances>,
    closing: Option<wire::Balances>,
    /// What it had where its page begins.
    before: Option<wire::Balances>,
    lines: std::iter::Peekable<std::vec::IntoIter<wire::StatementLine>>,
    has_more: bool,
    faults: Vec<String>,
}

impl Part {
    /// A page, with the cursor that it was asked for behind, and what the part had there.
    pub(super) fn new(
        shard: u32,
        after: Option<String>,
        before: Option<wire::Balances>,
        page: wire::Statement,
    ) -> Self {
        Self {
            shard,
            after,
            account: page.account,
            opening: page.opening,
            closing: page.closing,
            before,
            lines: page.lines.into_iter().peekable(),
            has_more: !page.next.is_empty(),
            faults: page.faults,
        }
    }

    /// What the part has at this point of the joined page: going on in time, what it had after its last line; going
    /// back, what it had after the next one, which is older.
    fn standing(&mut self, newest_first: bool) -> Option<wire::Balances> {
        if !newest_first || self.account.is_none() {
            return if self.account.is_none() { Some(wire::Balances::default()) } else { self.before };
        }
        match self.lines.peek() {
            Some(line) => line.balances,
            None => self.opening,
        }
    }
}

fn add(one: Balances, other: Balances) -> Option<Balances> {
    Some(Balances {
        debits_pending: one.debits_pending.checked_add(other.debits_pending)?,
        debits_posted: one.debits_posted.checked_add(other.debits_posted)?,
        credits_pending: one.credits_pending.checked_add(other.credits_pending)?,
        credits_posted: one.credits_posted.checked_add(other.credits_posted)?,
    })
}

/// The sum of all parts; `None` where one is not known, or too large.
fn whole(parts: impl Iterator<Item = Option<wire::Balances>>) -> Option<wire::Balances> {
    let parts = parts.map(|part| part.map(fen_api::answers::balances));
    let sum = parts.into_iter().try_fold(Balances::default(), |sum, part| add(sum, part?));
    sum.map(|sum| fen_api::answers::balances_message(&sum))
}

/// The page: at most `limit` lines of all parts.
pub(super) fn joined(
    mut parts: Vec<Part>,
    asked: &wire::StatementRequest,
    limit: usize,
) -> Result<wire::Statement, String> {
    let newest_first = asked.newest_first;
    let mut account: Option<wire::Account> = None;
    for part in parts.iter().filter_map(|part| part.account) {
        let sum = account.map_or(Ok(part), |whole| super::look::sum(&whole, &part));
        account = Some(sum.map_err(|fault| fault.to_string())?);
    }
    let here = |of: fn(&Part) -> Option<wire::Balances>| {
        let known = parts.iter().filter(|part| part.account.is_some());
        whole(known.map(of))
    };
    let (opening, closing) = (here(|part| part.opening), here(|part| part.closing));
    let mut lines = Vec::new();
    while lines.len() < limit {
        let stamps = parts.iter_mut().enumerate().filter_map(|(place, part)| {
            let stamp = part.lines.peek()?.transfer?.timestamp;
            Some((stamp, part.shard, place))
        });
        let next = if newest_first { stamps.max() } else { stamps.min() };
        let Some((_, _, place)) = next else { break };
        let balances = |parts: &mut Vec<Part>| {
            whole(parts.iter_mut().map(|part| part.standing(newest_first)))
                .ok_or("history cannot be read: what a part of the account had is not known, or too much")
        };
        // Going back, the sum is of the parts as they are before the line is taken away; going on, after it.
        let before = if newest_first { Some(balances(&mut parts)?) } else { None };
        let part = &mut parts[place];
        let Some(line) = part.lines.next() else { break };
        part.after = Some(cursor_behind(asked, &line)?);
        part.before = line.balances;
        let balances = match before {
            Some(balances) => balances,
            None => balances(&mut parts)?,
        };
        lines.push(wire::StatementLine { balances: Some(balances), ..line });
    }
    let has_more = parts.iter_mut().any(|part| part.has_more || part.lines.peek().is_some());
    let marks = parts.iter().filter_map(|part| Some(format!("{}:{}", part.shard, part.after.as_ref()?)));
    let next = if has_more { marks.collect::<Vec<_>>().join(",") } else { String::new() };
    let faults = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.faults));
    Ok(wire::Statement { account, opening, closing, lines, next, faults: faults.collect() })
}

fn cursor_behind(asked: &wire::StatementRequest, line: &wire::StatementLine) -> Result<String, String> {
    let asked = statements::statement_asked(asked);
    let line = statements::statement_line(line)?;
    Ok(Cursor::behind(asked.account_id, asked.direction, &line).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_api::records;
    use proptest::prelude::*;

    const ACCOUNT: u128 = (u64::MAX as u128) << 64 | 5;

    fn balances(debits: u128) -> wire::Balances {
        wire::Balances { debits_posted: records::halves(debits), ..wire::Balances::default() }
    }

    /// A shard's part: entries of 1 with these stamps. As the shard itself would page it.
    struct Shard {
        number: u32,
        stamps: Vec<u64>,
    }

    impl Shard {
        fn line(&self, place: usize) -> wire::StatementLine {
            let transfer = wire::Transfer {
                id: records::halves(u128::from(self.number) << 32 | place as u128),
                debit_account_id: records::halves(ACCOUNT),
                amount: records::halves(1),
                timestamp: self.stamps[place],
                ..wire::Transfer::default()
            };
            wire::StatementLine {
                shard: self.number,
                record: place as u64,
                transfer: Some(transfer),
                balances: Some(balances(place as u128 + 1)),
                ..wire::StatementLine::default()
            }
        }

        fn page(
            &self,
            asked: &wire::StatementRequest,
            after: Option<&Cursor>,
            limit: usize,
        ) -> wire::Statement {
            let mut places: Vec<usize> = (0..self.stamps.len()).collect();
            if asked.newest_first {
                places.reverse();
            }
            let told = |place: &usize| match after {
                None => true,
                Some(cursor) if asked.newest_first => self.stamps[*place] < cursor.stamp().get(),
                Some(cursor) => self.stamps[*place] > cursor.stamp().get(),
            };
            let all: Vec<usize> = places.into_iter().filter(told).collect();
            let lines: Vec<_> = all.iter().take(limit).map(|place| self.line(*place)).collect();
            let next = if all.len() > limit { "more".to_owned() } else { String::new() };
            let account = wire::Account {
                id: records::halves(ACCOUNT),
                debits_posted: records::halves(self.stamps.len() as u128),
                ..wire::Account::default()
            };
            wire::Statement {
                account: Some(account),
                opening: Some(balances(0)),
                closing: Some(balances(self.stamps.len() as u128)),
                lines,
                next,
                faults: Vec::new(),
            }
        }
    }

    fn told(shards: &[Shard], newest_first: bool, limit: usize) -> Vec<(u64, u128)> {
        let mut asked = wire::StatementRequest {
            account_id: records::halves(ACCOUNT),
            newest_first,
            ..wire::StatementRequest::default()
        };
        let mut all = Vec::new();
        loop {
            let marks = Marks::parse(&asked.after).unwrap();
            let part = |shard: &Shard| {
                let cursor = marks.0.get(&shard.number);
                let page = shard.page(&asked, cursor, limit);
                let before = match marks.before(shard.number, &asked) {
                    None => page.opening,
                    Some(question) => {
                        let Some(wire::period::Of::Stamps(stamps)) = question.period.unwrap().of else {
                            panic!("asked by stamps")
                        };
                        let until = shard.stamps.iter().filter(|stamp| **stamp <= stamps.max).count();
                        Some(balances(until as u128))
                    }
                };
                Part::new(shard.number, marks.of(shard.number), before, page)
            };
            let page = joined(shards.iter().map(part).collect(), &asked, limit).unwrap();
            assert!(page.lines.len() <= limit);
            let entries: u128 = shards.iter().map(|shard| shard.stamps.len() as u128).sum();
            assert_eq!(page.closing, Some(balances(entries)));
            assert_eq!(records::wide(page.account.unwrap().debits_posted), entries);
            all.extend(page.lines.iter().map(|line| {
                (line.transfer.unwrap().timestamp, records::wide(line.balances.unwrap().debits_posted))
            }));
            if page.next.is_empty() {
                return all;
            }
            asked.after = page.next;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn pages_of_parts_tell_every_entry_once_with_the_sum_of_the_parts(
            owners in prop::collection::vec(0_usize..3, 0..40),
            limit in 1_usize..9,
        ) {
            let mut shards: Vec<Shard> =
                (1..=3).map(|number| Shard { number, stamps: Vec::new() }).collect();
            for (stamp, owner) in (10_u64..).zip(&owners) {
                shards[*owner].stamps.push(stamp);
            }
            let expected: Vec<(u64, u128)> = (10_u64..).zip(1..=owners.len() as u128).collect();
            prop_assert_eq!(told(&shards, false, limit), expected.clone());
            let back: Vec<_> = expected.into_iter().rev().collect();
            prop_assert_eq!(told(&shards, true, limit), back);
        }
    }

    #[test]
    fn a_cursor_of_one_shard_is_refused_where_several_are_told() {
        for text in ["00", "x:00", "1:zz", "1"] {
            assert!(Marks::parse(text).unwrap_err().contains("refused"), "{text}");
        }
        assert!(Marks::parse("").unwrap().0.is_empty());
        let valued = wire::period::Of::Valued(wire::Days::default());
        let asked = wire::StatementRequest {
            period: Some(wire::Period { of: Some(valued) }),
            ..wire::StatementRequest::default()
        };
        assert!(check(&asked).unwrap_err().contains("value date"));
    }
}
