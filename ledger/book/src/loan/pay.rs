//! Repayments: spreading money over the rows by the allocation order, and prepayment.

use super::accrual;
use super::allocation::{Age, Direction, InAdvance};
use super::contract::{InterestOn, Prepayment, SettlementDay};
use super::life::{Effect, Life};
use super::money::{Component, Money, Parts};
use super::row::{Level, Row, RowKind};
use super::status::LoanStatus;
use fen_terms::Day;

/// Which rows and components money goes to in one go.
struct Pass<'a> {
    on: Day,
    age: Age,
    components: &'a [Component],
    in_advance: InAdvance,
}

impl Life<'_> {
    /// Pays what can be paid of the rows, in the product's order, and gives back the rest.
    pub(super) fn pay(
        &mut self,
        amount: Money,
        on: Day,
        in_advance: InAdvance,
        effect: &mut Effect,
    ) -> Money {
        let allocation = self.contract.allocation;
        let mut rest = amount;
        match allocation.direction {
            Direction::Horizontal => {
                for age in allocation.ages() {
                    let components: Vec<Component> = allocation.components(age).collect();
                    let pass = Pass { on, age, components: &components, in_advance };
                    rest = self.pay_pass(rest, &pass, effect);
                }
            }
            Direction::Vertical => {
                for target in *allocation.order() {
                    rest = self.pay_pass(
                        rest,
                        &Pass { on, age: target.age, components: &[target.component], in_advance },
                        effect,
                    );
                }
            }
        }
        rest
    }

    /// Pays the components of the rows of one age, row after row, until the money or the rows are at an end. A row may
    /// take nothing, where its interest has not begun to run: the next one is asked.
    fn pay_pass(&mut self, amount: Money, pass: &Pass<'_>, effect: &mut Effect) -> Money {
        let mut rest = amount;
        let mut asked: Vec<u32> = Vec::new();
        while rest.is_positive() {
            let keys = self.rows_to_pay(pass, &asked);
            if keys.is_empty() {
                break;
            }
            let before = rest;
            for component in pass.components {
                rest = self.pay_alike(rest, pass.on, *component, &keys, effect);
            }
            if rest == before {
                asked.extend(keys);
            }
        }
        rest
    }

    /// The rows that the next money of a pass goes to: one, or all alike where it is spread; none that was asked in vain.
    fn rows_to_pay(&self, pass: &Pass<'_>, asked: &[u32]) -> Vec<u32> {
        let owes = |row: &&Row| {
            let outstanding = row.outstanding();
            row.age(pass.on) == pass.age
                && !asked.contains(&row.key)
                && pass.components.iter().any(|component| outstanding[*component].is_positive())
        };
        let mut keys = self.rows.iter().filter(owes).map(|row| row.key);
        match (pass.age, pass.in_advance) {
            (Age::InAdvance, InAdvance::Spread) => keys.collect(),
            (Age::InAdvance, InAdvance::LastInstalments) => keys.next_back().into_iter().collect(),
            (Age::PastDue | Age::Due, _) | (Age::InAdvance, InAdvance::NextInstalments) => {
                keys.take(1).collect()
            }
        }
    }

    /// Pays one component of rows in equal shares, rounded by the product's rule; the odd unit goes to the last.
    fn pay_alike(
        &mut self,
        amount: Money,
        on: Day,
        component: Component,
        keys: &[u32],
        effect: &mut Effect,
    ) -> Money {
        let Ok(count) = u128::try_from(keys.len()) else { return amount };
        if count == 0 || !amount.is_positive() {
            return amount;
        }
        let mode = self.contract.terms.rounding.mode;
        let unit = fen_terms::Money::new(1);
        let share = mode.divide(amount.to_amount().get(), count, unit).expect("money is bounded");
        let share = super::life::from_terms(share);
        let mut rest = amount;
        let mut unshared = amount;
        for (place, key) in keys.iter().enumerate() {
            let is_last = place.saturating_add(1) == keys.len();
            let limit = if is_last { unshared } else { share.min(unshared) };
            unshared -= limit;
            let paid = self.pay_row(*key, component, limit.min(rest), on);
            effect.parts[component] += paid;
            rest -= paid;
        }
        rest
    }

    /// Pays one component of one row, and lets the interest follow where it is reckoned on the balance.
    fn pay_row(&mut self, key: u32, component: Component, limit: Money, on: Day) -> Money {
        let follows = self.contract.interest_on == InterestOn::Balance && !self.is_settled_early;
        if follows {
            self.bill_in_advance(key, component, on);
        }
        let bears_one_more = self.contract.settlement_day == SettlementDay::BearsInterest;
        let Some(row) = self.rows.iter_mut().find(|row| row.key == key) else { return Money::ZERO };
        let paid = row.pay(component, limit, on);
        if component == Component::Principal && paid.is_positive() {
            let is_early = row.age(on) == Age::InAdvance;
            let counts_from = if is_early && bears_one_more { on.plus_days(1).unwrap_or(on) } else { on };
            self.movements.push((counts_from, paid));
        }
        if follows && matches!(component, Component::Principal | Component::Interest) {
            self.reprice(0, Some(on));
        }
        paid
    }

    /// Sets what an instalment that is paid before its due day owes if it is paid on this day: interest up to the
    /// day, and principal for the rest of the instalment.
    fn bill_in_advance(&mut self, key: u32, component: Component, on: Day) {
        let Some(index) = self.rows.iter().position(|row| row.key == key) else { return };
        let Some(row) = self.rows.get(index) else { return };
        if row.kind != RowKind::Instalment || row.age(on) != Age::InAdvance {
            return;
        }
        let interest = self.interest_to(index, on).max(row.paid.interest);
        match component {
            Component::Interest => {
                if let Some(row) = self.rows.get_mut(index) {
                    row.due.interest = interest;
                }
            }
            Component::Principal => {
                let owed = self.outstanding_principal();
                if let Some(row) = self.rows.get_mut(index) {
                    let wanted = match row.level {
                        Level::Total(total) => total - interest,
                        Level::Principal(principal) => principal,
                    };
                    let paid = row.principal_scheduled_paid();
                    row.due.principal = wanted.min(paid + owed).max(paid) + row.credited;
                }
            }
            Component::Fee | Component::Penalty => {}
        }
    }

    /// The principal that is really owed: drawn and credited back, less paid.
    fn outstanding_principal(&self) -> Money {
        let credited: Money = self.rows.iter().map(|row| row.credited).sum();
        let settled: Money = self.rows.iter().map(|row| row.paid.principal + row.written_off.principal).sum();
        self.drawn() + credited - settled
    }

    /// The interest of an instalment up to a day within or before its period, on what is really owed.
    fn interest_to(&self, index: usize, on: Day) -> Money {
        let Some(row) = self.rows.get(index) else { return Money::ZERO };
        let until = match self.contract.settlement_day {
            SettlementDay::Free | SettlementDay::BearsToNextDueDay => on,
            SettlementDay::BearsInterest => on.plus_days(1).unwrap_or(on),
        };
        if on < row.from {
            return Money::ZERO;
        }
        let exact = self.interest_exact(index, until.min(row.due_on), Some(until));
        accrual::round(self.contract, &exact) + row.interest_carried
    }

    /// What settles the loan on a day: what is due, interest to the day, all principal, all charges.
    pub fn payoff(&self, on: Day) -> Money {
        if self.written_off_on.is_some() {
            return self.outstanding().total() - self.overpaid;
        }
        let (index, interest) = self.interest_of_settlement(on);
        let mut sum = Money::ZERO;
        for (place, row) in self.rows.iter().enumerate() {
            let mut parts = row.outstanding();
            if row.kind == RowKind::Instalment && row.age(on) == Age::InAdvance {
                let is_current = Some(place) == index;
                let borne = self.subsidy_on(row.paid.interest + interest, place);
                parts.interest = if is_current { (interest - borne).or_zero() } else { Money::ZERO };
                parts.fees -= if is_current { Money::ZERO } else { row.fees_deferred(on).0 };
            }
            sum += parts.total();
        }
        sum - self.overpaid
    }

    /// Interest of the period under way up to a day, less what of it was paid.
    pub fn accrued(&self, on: Day) -> Money {
        self.interest_of_the_day(on).1
    }

    /// The instalment whose period a day lies in, and the interest it bears up to that day that is not paid yet.
    fn interest_of_the_day(&self, on: Day) -> (Option<usize>, Money) {
        let current = self.rows.iter().position(|row| row.kind == RowKind::Instalment && row.due_on > on);
        let Some(index) = current else { return (None, Money::ZERO) };
        let Some(row) = self.rows.get(index) else { return (None, Money::ZERO) };
        (Some(index), (self.interest_to(index, on) - row.paid.interest).or_zero())
    }

    /// The instalment under way and what settling the loan on a day takes of its interest: that of its days, or where
    /// the product says so that of the whole period, once it has begun to run.
    fn interest_of_settlement(&self, on: Day) -> (Option<usize>, Money) {
        let (current, of_the_day) = self.interest_of_the_day(on);
        let bears_all = self.contract.settlement_day == SettlementDay::BearsToNextDueDay;
        let begun = current.and_then(|index| self.rows.get(index)).filter(|row| bears_all && on > row.from);
        let of_the_period =
            begun.map(|row| (row.due.interest - row.paid.interest - row.waived.interest).or_zero());
        (current, of_the_period.unwrap_or(of_the_day))
    }

    /// Repays early. What is due comes first; then, as the product says, the instalments in advance, or the whole
    /// loan, or principal outside the schedule with the interest of the day.
    pub(super) fn prepay(
        &mut self,
        amount: Money,
        on: Day,
        effect: &mut Effect,
    ) -> Result<Money, LoanStatus> {
        let payoff = self.payoff(on);
        let is_full = amount >= payoff;
        if self.must_settle_in_full() && !is_full {
            return Err(LoanStatus::OnlyFullSettlement);
        }
        if is_full {
            return Ok(self.settle(amount, on, effect));
        }
        match self.contract.prepayment {
            Prepayment::KeepInstalments | Prepayment::FullSettlementOnly => {
                let in_advance = self.in_advance();
                Ok(self.pay(amount, on, in_advance, effect))
            }
            Prepayment::ShortenTerm | Prepayment::SmallerInstalments => {
                let rest = self.pay_what_is_due(amount, on, effect);
                self.prepay_principal(rest, on, effect)
            }
        }
    }

    fn pay_what_is_due(&mut self, amount: Money, on: Day, effect: &mut Effect) -> Money {
        let mut rest = amount;
        for age in [Age::PastDue, Age::Due] {
            let components: Vec<Component> = self.contract.allocation.components(age).collect();
            let in_advance = InAdvance::NextInstalments;
            rest = self.pay_pass(rest, &Pass { on, age, components: &components, in_advance }, effect);
        }
        rest
    }

    /// Settles the loan with the interest of the day: what later instalments would have borne is never billed.
    /// Where interest follows the balance, that comes of itself.
    fn settle(&mut self, amount: Money, on: Day, effect: &mut Effect) -> Money {
        let (current, interest) = self.interest_of_settlement(on);
        for (place, row) in self.rows.iter_mut().enumerate() {
            if row.kind == RowKind::Instalment && row.age(on) == Age::InAdvance && Some(place) != current {
                row.drop_planned_fee();
            }
        }
        let is_of_the_day = self.contract.settlement_day != SettlementDay::BearsToNextDueDay;
        if self.contract.interest_on == InterestOn::Balance && is_of_the_day {
            return self.pay(amount, on, InAdvance::NextInstalments, effect);
        }
        for (place, row) in self.rows.iter_mut().enumerate() {
            if row.kind == RowKind::Instalment && row.age(on) == Age::InAdvance {
                let unpaid = if Some(place) == current { interest } else { Money::ZERO };
                row.due.interest = row.paid.interest + row.waived.interest + unpaid;
            }
        }
        self.is_settled_early = true;
        self.subsidise();
        self.pay(amount, on, InAdvance::NextInstalments, effect)
    }

    /// Pays the interest of the day and principal, in a row of its own, and lets the schedule follow; what is left once
    /// no principal is owed goes to what else is.
    fn prepay_principal(&mut self, amount: Money, on: Day, effect: &mut Effect) -> Result<Money, LoanStatus> {
        let (Some(current), interest) = self.interest_of_the_day(on) else { return Ok(amount) };
        if !amount.is_positive() {
            return Ok(Money::ZERO);
        }
        let borne = self.subsidy_on(interest, current);
        let interest = interest - borne;
        let principal = (amount - interest).or_zero().min(self.principal_in_advance(on));
        let paid = Parts { interest: interest.min(amount), principal, ..Parts::ZERO };
        let from = self.rows.get(current).map_or(on, |row| row.from);
        let mut row = Row::new(self.next_key(), RowKind::Prepayment, from, on);
        row.due = paid;
        row.paid = paid;
        if paid.interest == interest {
            row.due.interest += borne;
            row.subsidised = borne;
        }
        row.level = Level::Principal(paid.principal);
        effect.parts += paid;
        let counts_from = match self.contract.settlement_day {
            SettlementDay::Free | SettlementDay::BearsToNextDueDay => on,
            SettlementDay::BearsInterest => on.plus_days(1).unwrap_or(on),
        };
        self.movements.push((counts_from, paid.principal));
        if let Some(current) = self.rows.get_mut(current)
            && paid.interest == interest
        {
            current.from = counts_from.min(current.due_on);
        }
        self.rows.push(row);
        self.sort_rows();
        self.follow_prepayment(on)?;
        Ok(self.pay(amount - paid.total(), on, InAdvance::NextInstalments, effect))
    }

    /// The principal that instalments to come bring back.
    fn principal_in_advance(&self, on: Day) -> Money {
        let to_come = |row: &&Row| row.kind == RowKind::Instalment && row.age(on) == Age::InAdvance;
        self.rows.iter().filter(to_come).map(|row| row.outstanding().principal).sum::<Money>().or_zero()
    }
}
