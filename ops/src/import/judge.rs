//! Puts a day's rows in order and compares each with the balance that the source printed.
//!
//! The balance that runs is the source's own: after a difference the next row is held against what was printed,
//! so one break is one finding and not a trail of them. Beside it runs the sum of the rows, which is what the
//! ledger will hold; a report shows both.

use super::mapping::{Opening, RowOrder};
use super::running::{Agreement, Printed, agreement, running_order};
use super::source::Row;
use std::collections::HashMap;

/// A row in its place, and what was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Judged {
    /// The row.
    pub(crate) row: Row,
    /// The balance printed before it plus its amount.
    pub(crate) expected: i128,
    /// How that compares with the balance printed; `None` where none is.
    pub(crate) agreement: Option<Agreement>,
    /// The sum of the account's rows up to here.
    pub(crate) sum: i128,
}

/// What runs along with each account.
#[derive(Clone, Copy, Default)]
struct Running {
    printed: Option<i128>,
    sum: i128,
}

/// How the rows compare, counted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Figures {
    /// All rows.
    pub(crate) rows: u64,
    /// The printed balance is right.
    pub(crate) agree: u64,
    /// It differs within the source's own rounding.
    pub(crate) rounded: u64,
    /// It differs by more.
    pub(crate) breaks: u64,
    /// The source printed none.
    pub(crate) unprinted: u64,
    /// Printed balances below zero.
    pub(crate) below_zero: u64,
}

impl Figures {
    fn count(&mut self, judged: &Judged) {
        self.rows += 1;
        match judged.agreement {
            Some(Agreement::Agrees) => self.agree += 1,
            Some(Agreement::Rounded) => self.rounded += 1,
            Some(Agreement::Breaks) => self.breaks += 1,
            None => self.unprinted += 1,
        }
        self.below_zero += u64::from(judged.row.balance.is_some_and(|balance| balance < 0));
    }
}

/// Judges days one after the other.
pub(crate) struct Judge {
    order: RowOrder,
    rounding: i128,
    opening: Opening,
    running: Vec<Running>,
    figures: Figures,
}

impl Judge {
    /// With a mapping's rules; `rounding` in minor units.
    pub(crate) fn new(order: RowOrder, rounding: i128, opening: Opening) -> Self {
        Self { order, rounding, opening, running: Vec::new(), figures: Figures::default() }
    }

    /// What has been found so far.
    pub(crate) fn figures(&self) -> Figures {
        self.figures
    }

    /// The sum of an account's rows so far.
    pub(crate) fn sum(&self, account: u32) -> i128 {
        self.running.get(account as usize).map_or(0, |running| running.sum)
    }

    /// The rows of one day, account after account, each account's rows in their order.
    pub(crate) fn day(&mut self, rows: Vec<Row>) -> Vec<Judged> {
        match self.order {
            RowOrder::AsInTheFile => rows.into_iter().map(|row| self.judge(row)).collect(),
            RowOrder::ByRunningBalance => {
                let mut judged = Vec::with_capacity(rows.len());
                for group in by_account(rows) {
                    let order = self.order_of(&group);
                    let mut group: Vec<Option<Row>> = group.into_iter().map(Some).collect();
                    judged.extend(
                        order.iter().filter_map(|index| group[*index].take()).map(|row| self.judge(row)),
                    );
                }
                judged
            }
        }
    }

    /// The order of one account's rows of one day; the file's own where a row has no printed balance.
    fn order_of(&mut self, group: &[Row]) -> Vec<usize> {
        let Some(first) = group.first() else { return Vec::new() };
        let printed: Vec<Printed> = group
            .iter()
            .filter_map(|row| row.balance.map(|balance| Printed { amount: row.amount, balance }))
            .collect();
        if printed.len() < group.len() {
            return (0..group.len()).collect();
        }
        let before = self.before(first);
        running_order(before, &printed, self.rounding)
    }

    fn running(&mut self, account: u32) -> &mut Running {
        let index = account as usize;
        if index >= self.running.len() {
            self.running.resize(index + 1, Running::default());
        }
        &mut self.running[index]
    }

    /// The balance printed before a row.
    fn before(&mut self, row: &Row) -> i128 {
        let opening = match (self.opening, row.balance) {
            (Opening::FromTheFirstRow, Some(balance)) => balance - row.amount,
            (Opening::FromTheFirstRow, None) | (Opening::Zero, _) => 0,
        };
        self.running(row.account).printed.unwrap_or(opening)
    }

    fn judge(&mut self, row: Row) -> Judged {
        let expected = self.before(&row) + row.amount;
        let found = row.balance.map(|balance| agreement(expected - balance, self.rounding));
        let running = self.running(row.account);
        running.printed = Some(row.balance.unwrap_or(expected));
        running.sum += row.amount;
        let judged = Judged { sum: running.sum, row, expected, agreement: found };
        self.figures.count(&judged);
        judged
    }
}

/// The rows of each account, accounts in the order of their first row.
fn by_account(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut groups: Vec<Vec<Row>> = Vec::new();
    let mut group_of: HashMap<u32, usize> = HashMap::new();
    for row in rows {
        let group = *group_of.entry(row.account).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(row);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64, account: u32, amount: i128, balance: Option<i128>) -> Row {
        Row {
            number,
            line: number + 1,
            key: number.to_string().into(),
            id: u128::from(number),
            account,
            day: 1,
            amount,
            balance,
            contra: 0,
            code: 1,
            user_data: (0, 0, 0),
        }
    }

    fn numbers(judged: &[Judged]) -> Vec<u64> {
        judged.iter().map(|judged| judged.row.number).collect()
    }

    #[test]
    fn accounts_follow_each_other_and_rows_run() {
        let mut judge = Judge::new(RowOrder::ByRunningBalance, 10, Opening::Zero);
        let day = vec![
            row(1, 7, -5, Some(95)),
            row(2, 3, 40, Some(40)),
            row(3, 7, 100, Some(100)),
            row(4, 3, 1, Some(51)),
            row(5, 3, 1, Some(99)),
        ];
        let judged = judge.day(day);
        assert_eq!(numbers(&judged), [3, 1, 2, 4, 5]);
        let found: Vec<_> = judged.iter().filter_map(|judged| judged.agreement).collect();
        assert_eq!(
            found,
            [Agreement::Agrees, Agreement::Agrees, Agreement::Agrees, Agreement::Rounded, Agreement::Breaks]
        );
        assert_eq!((judged[4].expected, judged[4].sum), (52, 42));
        assert_eq!(judge.sum(3), 42);
    }

    #[test]
    fn a_row_without_a_balance_is_not_judged() {
        let mut judge = Judge::new(RowOrder::ByRunningBalance, 0, Opening::Zero);
        let judged = judge.day(vec![row(1, 0, 5, None), row(2, 0, 5, Some(10))]);
        assert_eq!(judged[0].agreement, None);
        assert_eq!(judged[1].agreement, Some(Agreement::Agrees));
        assert_eq!(judge.figures().unprinted, 1);
    }

    #[test]
    fn a_file_may_begin_after_its_accounts() {
        let mut judge = Judge::new(RowOrder::AsInTheFile, 0, Opening::FromTheFirstRow);
        let judged = judge.day(vec![row(1, 0, 5, Some(105)), row(2, 0, 5, Some(-1))]);
        assert_eq!(judged[0].agreement, Some(Agreement::Agrees));
        assert_eq!(judged[1].agreement, Some(Agreement::Breaks));
        assert_eq!(judge.figures().below_zero, 1);
    }
}
