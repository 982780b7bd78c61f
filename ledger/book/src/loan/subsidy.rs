//! Third parties who bear a part: of the interest (a subsidy), or of the loss (a compensation of risk), within caps.
//!
//! A subsidy lowers what the borrower owes: of each instalment's interest the party is billed its share, rounded down
//! to the fen, until the borrower's cap is used up. A compensation is a share of what was written off, less what came
//! back. What the parties pay goes over accounts of the bank's own; the control accounts say what they were billed.

use super::accrual;
use super::life::Life;
use super::money::Money;
use super::row::RowKind;
use super::share::share_of;
use fen_terms::{Percent, Rate, RateBasis};
use num_rational::BigRational;

/// A share of interest that somebody else pays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subsidy {
    /// The client's own name of who pays it.
    pub party: u128,
    /// So many percentage points a year.
    pub points: Percent,
    /// But at most this share of the contract's interest, in per cent.
    pub share_max: Percent,
    /// And at most so much for a borrower, over all loans of the product; `None` is no cap.
    pub borrower_max: Option<Money>,
}

/// A share of loss that somebody else makes good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compensation {
    /// The client's own name of who pays it.
    pub party: u128,
    /// The share, in per cent.
    pub share: Percent,
    /// At most so much for a loan; `None` is no cap.
    pub loan_max: Option<Money>,
}

impl Subsidy {
    /// The share of interest at a rate that the party bears.
    pub(super) fn fraction(&self, rate: Rate, year_days: u64) -> BigRational {
        let percent = |percent: Percent| accrual::ratio(percent.numerator(), percent.denominator());
        let days = match rate.basis {
            RateBasis::Annual => 1,
            RateBasis::Daily => year_days,
        };
        let annual = percent(rate.percent) * accrual::ratio(days, 1);
        if rate.percent.is_zero() {
            return accrual::ratio(0, 1);
        }
        (percent(self.points) / annual).min(percent(self.share_max) / accrual::ratio(100, 1))
    }
}

impl Compensation {
    /// What is billed of a loss.
    pub(super) fn of(&self, loss: Money) -> Money {
        let part = share_of(loss.or_zero(), self.share);
        self.loan_max.map_or(part, |most| part.min(most))
    }
}

impl Life<'_> {
    /// Gives each row the part of its interest that the party bears, in order of the due days, within the loan's room.
    /// What was paid before by the borrower stays paid.
    pub(super) fn subsidise(&mut self) {
        let Some(subsidy) = self.contract.subsidy else { return };
        let fraction = subsidy.fraction(self.terms.rate, self.contract.terms.day_count.year_days());
        let mut room = self.contract.subsidy_room;
        for row in &mut self.rows {
            if row.kind != RowKind::Prepayment {
                let free =
                    row.due.interest - row.paid.interest - row.waived.interest - row.written_off.interest;
                row.subsidised = part_of(row.due.interest, &fraction).min(room).min(free).or_zero();
            }
            room -= row.subsidised;
        }
    }

    /// What the party bears of interest that is about to be paid, beside what it bears of the rows due before.
    pub(super) fn subsidy_on(&self, interest: Money, rows_before: usize) -> Money {
        let Some(subsidy) = self.contract.subsidy else { return Money::ZERO };
        let fraction = subsidy.fraction(self.terms.rate, self.contract.terms.day_count.year_days());
        let used: Money = self.rows.iter().take(rows_before).map(|row| row.subsidised).sum();
        part_of(interest, &fraction).min(self.contract.subsidy_room - used).or_zero()
    }
}

fn part_of(interest: Money, fraction: &BigRational) -> Money {
    accrual::round_down(&(accrual::exact(interest.or_zero()) * fraction))
}
