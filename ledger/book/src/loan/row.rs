//! One row of a loan's living schedule: what is due, what of it was paid and when.
//!
//! **Invariant.** `due = paid + waived + written_off + subsidised + outstanding`, component by component.

use super::allocation::Age;
use super::money::{Component, Money, Parts};
use fen_terms::{Day, Span};
use num_rational::BigRational;
use num_traits::Zero;

/// What a row is. Rows that fall due on one day stand in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RowKind {
    /// An instalment of the schedule.
    Instalment,
    /// A share of a draw, due on the draw's day.
    DownPayment,
    /// A fee kept back from a draw.
    DrawFee,
    /// What was past due or accrued when the rest was spread anew, due with the first new instalment.
    Arrears,
    /// Principal (and the interest on it up to that day) that was repaid outside the schedule.
    Prepayment,
    /// What fell due after the last instalment: charges, and repayments that were charged back.
    Extra,
}

impl RowKind {
    /// The name that programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Instalment => "instalment",
            Self::DownPayment => "down_payment",
            Self::DrawFee => "draw_fee",
            Self::Arrears => "arrears",
            Self::Prepayment => "prepayment",
            Self::Extra => "extra",
        }
    }
}

/// What of an instalment stays as agreed when its interest turns out higher or lower than planned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Principal and interest together: the equal instalment.
    Total(Money),
    /// The principal.
    Principal(Money),
}

/// A row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Names it within its loan for as long as the loan lives; `n`, its place, changes as rows are put between.
    pub key: u32,
    /// What it is.
    pub kind: RowKind,
    /// Its period and how that is counted; only instalments have one.
    pub span: Option<Span>,
    /// The first day whose interest it bears: the first of its period, or the day of a prepayment within it.
    pub from: Day,
    /// The day it falls due.
    pub due_on: Day,
    /// What stays as agreed.
    pub level: Level,
    /// The interest planned.
    pub interest_planned: Money,
    /// The first day that the interest planned is for.
    pub planned_from: Day,
    /// What is to be paid.
    pub due: Parts,
    /// What was paid, whenever.
    pub paid: Parts,
    /// What of that was paid before the due day.
    pub paid_early: Parts,
    /// What of that was paid after the due day.
    pub paid_late: Parts,
    /// What was forgiven.
    pub waived: Parts,
    /// What was given up.
    pub written_off: Parts,
    /// What of the interest somebody else bears.
    pub subsidised: Money,
    /// What of the fees is the product's own for this instalment: earned when it falls due or is paid.
    pub fee_planned: Money,
    /// Whether the fee for its lateness was charged.
    pub has_late_fee: bool,
    /// Principal that came back into the row by chargebacks and by refunds that were too large.
    pub credited: Money,
    /// Interest that an earlier instalment, paid before it was due, could not take up, and that this one bears.
    pub interest_carried: Money,
    /// Interest for lateness, exactly.
    pub late_exact: BigRational,
    /// What of `due.penalties` is interest for lateness: `late_exact`, rounded.
    pub late_interest: Money,
}

impl Row {
    /// A row with nothing due yet.
    pub fn new(key: u32, kind: RowKind, from: Day, due_on: Day) -> Self {
        Self {
            key,
            kind,
            span: None,
            from,
            due_on,
            level: Level::Principal(Money::ZERO),
            interest_planned: Money::ZERO,
            planned_from: from,
            due: Parts::ZERO,
            paid: Parts::ZERO,
            paid_early: Parts::ZERO,
            paid_late: Parts::ZERO,
            waived: Parts::ZERO,
            written_off: Parts::ZERO,
            subsidised: Money::ZERO,
            fee_planned: Money::ZERO,
            has_late_fee: false,
            credited: Money::ZERO,
            interest_carried: Money::ZERO,
            late_exact: BigRational::zero(),
            late_interest: Money::ZERO,
        }
    }

    /// The days that the interest planned is for.
    pub fn planned_days(&self) -> u64 {
        u64::try_from(self.planned_from.days_until(self.due_on)).unwrap_or(0).max(1)
    }

    /// What the borrower still has to pay.
    pub fn outstanding(&self) -> Parts {
        let mut parts = self.due - self.paid - self.waived - self.written_off;
        parts.interest -= self.subsidised;
        parts
    }

    /// What of its fees is not earned by a day: the product's own fee of an instalment that is not due yet, as far as
    /// it is unpaid; and what of that was written off.
    pub fn fees_deferred(&self, until: Day) -> (Money, Money) {
        if self.due_on <= until {
            return (Money::ZERO, Money::ZERO);
        }
        let open = self.fee_planned.min(self.outstanding().fees).or_zero();
        (open, (self.fee_planned - open).min(self.written_off.fees).or_zero())
    }

    /// Whether neither principal nor interest is due.
    pub fn level_is_nothing(&self) -> bool {
        (self.due.principal + self.due.interest).is_zero()
    }

    /// Takes the product's own fee away, as far as it is unpaid.
    pub fn drop_planned_fee(&mut self) {
        let unpaid = self.fee_planned.min(self.outstanding().fees).or_zero();
        self.due.fees -= unpaid;
        self.fee_planned -= unpaid;
    }

    /// The principal due but for what was credited back: the schedule's own.
    pub fn principal_scheduled(&self) -> Money {
        self.due.principal - self.credited
    }

    /// What of the schedule's own principal was paid; what was credited back is paid last.
    pub fn principal_scheduled_paid(&self) -> Money {
        (self.paid.principal - self.credited).or_zero()
    }

    /// Whether nothing is left to pay.
    pub fn is_settled(&self) -> bool {
        !self.outstanding().total().is_positive()
    }

    /// How old it is on a day.
    pub fn age(&self, on: Day) -> Age {
        match self.due_on.cmp(&on) {
            core::cmp::Ordering::Less => Age::PastDue,
            core::cmp::Ordering::Equal => Age::Due,
            core::cmp::Ordering::Greater => Age::InAdvance,
        }
    }

    /// Pays at most `limit` of one component on a day, and says how much.
    pub fn pay(&mut self, component: Component, limit: Money, on: Day) -> Money {
        let amount = self.outstanding()[component].or_zero().min(limit);
        self.paid[component] += amount;
        match self.age(on) {
            Age::PastDue => self.paid_late[component] += amount,
            Age::Due => {}
            Age::InAdvance => self.paid_early[component] += amount,
        }
        amount
    }
}
