//! Reports in JSON, as `fen ... --json` prints them and REST answers them: the trial balance, the portfolio, statements,
//! searches, turnover, how far day-end is, the lines of the change feed and of exports. Amounts are in minor units, as strings; dates like 2026-03-02.

pub mod export;
pub mod feed;
mod portfolio;
mod search;
mod statement;

pub use portfolio::portfolio;
pub use search::{found, turnover};
pub use statement::{loan_postings, statement};

use fen_book::BusinessDate;
use fen_ledger::Total;
use fen_ledger::reports::{DayEndStatus, TrialBalanceLine};
use fen_terms::Day;
use serde::Serialize;

/// A day of the books in writing.
pub fn date(date: BusinessDate) -> String {
    Day::from_number(date.get()).map_or_else(|| "none".to_owned(), |day| day.to_string())
}

fn in_json(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).expect("a report is plain data")
}

#[derive(Serialize)]
struct LineJson {
    ledger: u32,
    code: u16,
    role: Option<&'static str>,
    accounts: u64,
    debits: String,
    credits: String,
    debit_balances: String,
    credit_balances: String,
}

#[derive(Serialize)]
struct TrialBalanceJson {
    balanced: bool,
    lines: Vec<LineJson>,
}

/// Each ledger's debits and credits, by rising ledger, as the lines are.
pub fn sums(lines: &[TrialBalanceLine]) -> Vec<(u32, Total, Total)> {
    let mut sums: Vec<(u32, Total, Total)> = Vec::new();
    for line in lines {
        if sums.last().is_none_or(|(ledger, _, _)| *ledger != line.ledger) {
            sums.push((line.ledger, Total::default(), Total::default()));
        }
        if let Some((_, debits, credits)) = sums.last_mut() {
            debits.include(line.debits);
            credits.include(line.credits);
        }
    }
    sums
}

/// The trial balance by ledger and code, and whether debits equal credits.
pub fn trial_balance(lines: &[TrialBalanceLine]) -> String {
    let line = |line: &TrialBalanceLine| LineJson {
        ledger: line.ledger,
        code: line.code,
        role: line.role,
        accounts: line.accounts,
        debits: line.debits.to_string(),
        credits: line.credits.to_string(),
        debit_balances: line.debit_balances.to_string(),
        credit_balances: line.credit_balances.to_string(),
    };
    let balanced = sums(lines).iter().all(|(_, debits, credits)| debits == credits);
    in_json(&TrialBalanceJson { balanced, lines: lines.iter().map(line).collect() })
}

#[derive(Serialize)]
struct DayEndJson {
    business_date: Option<String>,
    last_closed: Option<String>,
    last_closed_at: Option<u64>,
}

/// How far day-end is.
pub fn day_end_status(status: &DayEndStatus) -> String {
    in_json(&DayEndJson {
        business_date: status.business_date.map(date),
        last_closed: status.last_closed.map(|(day, _)| date(day)),
        last_closed_at: status.last_closed.map(|(_, stamp)| stamp.get()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_book::Amount;

    #[test]
    fn a_trial_balance_says_whether_it_balances() {
        let total = |amount| {
            let mut total = Total::default();
            total.add(Amount::new(amount));
            total
        };
        let line = |ledger, code, debits, credits| TrialBalanceLine {
            ledger,
            code,
            debits: total(debits),
            credits: total(credits),
            ..TrialBalanceLine::default()
        };
        let lines = [line(156, 1, 7, 0), line(156, 2, 0, 7), line(840, 1, 0, 0)];
        assert!(trial_balance(&lines).starts_with("{\"balanced\":true,\"lines\":[{\"ledger\":156"));
        assert!(trial_balance(&lines[..1]).starts_with("{\"balanced\":false"));
        assert_eq!(sums(&lines).len(), 2);
        let none = "{\"business_date\":null,\"last_closed\":null,\"last_closed_at\":null}";
        assert_eq!(day_end_status(&DayEndStatus::default()), none);
    }
}
