//! The life of a loan: the canonical answer to "what is due, paid and owed", as a pure fold of its events.
//!
//! [`Life::fold`] takes what was agreed, the events in any order and the day of asking. Events are read by the day
//! they count from, then by arrival: a backdated event, or one that was reversed (and is left out), gives exactly the
//! books that it would have given in time. Nothing is kept between two folds.
//!
//! **Invariants.** Row by row and component by component, due = paid + waived + written off + borne by others +
//! outstanding. Principal due over all rows = drawn + credited. What the borrower paid = what the rows were paid + the overpaid balance +
//! what was refunded or charged back out of it. Interest is exact until billed and rounded once per row.
//!
//! **Deliberately absent.** Accounts and postings (they follow from the difference of two lives), whether an event
//! may be refused because of the borrower's balance, and any clock.
//!
//! Tested against published lives of other engines in `tests/lives`.

use super::allocation::InAdvance;
use super::contract::{Contract, InterestOn, Prepayment};
use super::event::{ChargeKind, Event, EventId, EventKind};
use super::money::{Component, Money, Parts};
use super::row::{Row, RowKind};
use super::status::LoanStatus;
use fen_terms::{Day, Draw, Rate, Terms};

/// What one event did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effect {
    /// The event.
    pub event: EventId,
    /// The day it counted from.
    pub on: Day,
    /// What it paid, or what it gave up.
    pub parts: Parts,
    /// What it left over (positive) or took out of the overpaid balance (negative).
    pub overpaid: Money,
}

/// A fee or penalty that was charged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charged {
    /// The event.
    pub event: EventId,
    /// Fee or penalty.
    pub kind: ChargeKind,
    /// How much.
    pub amount: Money,
    /// What of it was forgiven.
    pub waived: Money,
    /// From when it is owed.
    pub due_on: Day,
    /// The row it is billed with.
    pub row_key: u32,
}

/// How a loan stood when it was charged off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChargedOff {
    /// The day.
    pub on: Day,
    /// What was owed.
    pub outstanding: Parts,
    /// What had been paid.
    pub paid: Parts,
    /// What had been credited back.
    pub credited: Money,
}

/// That a loan was sold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sold {
    /// The buyer.
    pub owner: u128,
    /// From this day on.
    pub on: Day,
    /// What had been earned of it by then; what is earned later is the buyer's.
    pub earned: Parts,
}

/// A loan as of a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life<'a> {
    pub(super) contract: &'a Contract,
    /// The schedule's terms as they stand: draws so far, due days and rate as last changed.
    pub(super) terms: Terms,
    /// The rows, by due day.
    pub rows: Vec<Row>,
    /// Money paid out, in order of the day.
    pub draws: Vec<Draw>,
    /// The rates, each from its day on.
    pub(super) rates: Vec<(Day, Rate)>,
    /// What lowered (positive) or raised the principal owed, and from which day that counts for interest.
    pub(super) movements: Vec<(Day, Money)>,
    /// Fees and penalties charged.
    pub charges: Vec<Charged>,
    /// What was paid beyond all that was owed.
    pub overpaid: Money,
    /// Which repayments that came from, oldest first.
    pub(super) overpaid_from: Vec<(usize, Day, Money)>,
    /// What each event did, in the order of effect.
    pub effects: Vec<Effect>,
    /// How it stood when it was charged off, if it was.
    pub charged_off: Option<ChargedOff>,
    /// The day it was written off.
    pub written_off_on: Option<Day>,
    /// What came back after the write-off.
    pub recovered: Money,
    /// Who owns it, if it was sold, and since when.
    pub sold: Option<Sold>,
    /// Interest for lateness is reckoned up to this day.
    pub(super) aged_to: Day,
    /// Whether it was settled early, in full, at the interest of the day: nothing is repriced any more.
    pub(super) is_settled_early: bool,
    /// Names the row that holds what was past due when the rest was spread anew.
    pub(super) arrears_key: u32,
    pub(super) next_key: u32,
}

impl<'a> Life<'a> {
    /// The loan as of a day, from its events in any order.
    ///
    /// # Errors
    /// The status of the first event that can't be: only a command's own new event is ever refused so.
    pub fn fold(contract: &'a Contract, events: &[Event], as_of: Day) -> Result<Self, LoanStatus> {
        let mut ordered: Vec<&Event> = events.iter().collect();
        ordered.sort_by_key(|event| (event.takes_effect_on(), event.sequence));
        let mut life = Self::new(contract);
        for event in ordered {
            life.apply(event)?;
        }
        life.age_to(as_of);
        life.follow_balance(as_of);
        Ok(life)
    }

    fn new(contract: &'a Contract) -> Self {
        Self {
            contract,
            terms: contract.terms.clone(),
            rows: Vec::new(),
            draws: Vec::new(),
            rates: vec![(Day::MIN, contract.terms.rate)],
            movements: Vec::new(),
            charges: Vec::new(),
            overpaid: Money::ZERO,
            overpaid_from: Vec::new(),
            effects: Vec::new(),
            charged_off: None,
            written_off_on: None,
            recovered: Money::ZERO,
            sold: None,
            aged_to: Day::MIN,
            is_settled_early: false,
            arrears_key: 0,
            next_key: 0,
        }
    }

    fn apply(&mut self, event: &Event) -> Result<(), LoanStatus> {
        let on = event.takes_effect_on();
        if self.draws.is_empty() && !matches!(event.kind, EventKind::Disburse { .. }) {
            return Err(LoanStatus::EventMustNotPrecedeDisbursement);
        }
        self.age_to(on);
        self.follow_balance(on);
        let mut effect = Effect { event: event.id, on, parts: Parts::ZERO, overpaid: Money::ZERO };
        let overpaid_before = self.overpaid;
        match event.kind {
            EventKind::Disburse { amount } => {
                self.check_still_held()?;
                self.draw(amount, on)?;
                self.subsidise();
                let kept = self.keep_back(amount, on);
                effect.parts = self.use_overpaid(on) + kept;
            }
            EventKind::Repay { amount, in_advance } => {
                let rest = self.pay(amount, on, in_advance.unwrap_or(self.contract.in_advance), &mut effect);
                self.keep_overpaid(rest, on);
            }
            EventKind::Prepay { amount } => {
                let rest = self.prepay(amount, on, &mut effect)?;
                self.keep_overpaid(rest, on);
            }
            EventKind::Charge { kind, amount, due_on } => {
                self.charge(event.id, kind, amount, due_on);
                self.use_overpaid_by_origin();
            }
            EventKind::Waive { charge } => effect.parts = self.waive(charge)?,
            EventKind::Forgive { kind, amount } => effect.parts = self.forgive(kind, amount)?,
            EventKind::Chargeback { amount } | EventKind::Refund { amount } => {
                effect.parts.principal = self.credit(amount, on);
            }
            EventKind::ShiftDueDate { from, to } => self.shift_due_date(from, to)?,
            EventKind::ChangeRate { rate } => self.change_rate(rate, on)?,
            EventKind::ChangePeriods { periods } => self.change_periods(periods, on)?,
            EventKind::Restructure { first_due_on, periods, rate, period } => {
                self.restructure(first_due_on, (periods, period), rate, on)?;
            }
            EventKind::Reamortise => self.reamortise(on)?,
            EventKind::ChargeOff => {
                effect.parts = self.outstanding();
                self.charged_off = Some(ChargedOff {
                    on,
                    outstanding: effect.parts,
                    paid: self.rows.iter().map(|row| row.paid).sum(),
                    credited: self.rows.iter().map(|row| row.credited).sum(),
                });
            }
            EventKind::WriteOff => {
                effect.parts = self.write_off(on);
            }
            EventKind::Recover { amount } => self.recovered += amount,
            EventKind::Sell { owner } => {
                self.sold = Some(Sold { owner, on, earned: super::position::earned(self, on) });
            }
        }
        effect.overpaid = self.overpaid - overpaid_before;
        self.effects.push(effect);
        self.follow_balance(on);
        self.subsidise();
        Ok(())
    }

    /// A loan that was given up or sold is not drawn upon: whoever dates either before a draw is told so.
    fn check_still_held(&self) -> Result<(), LoanStatus> {
        let is_gone = self.charged_off.is_some() || self.written_off_on.is_some() || self.sold.is_some();
        if is_gone { Err(LoanStatus::EventMustNotPrecedeDisbursement) } else { Ok(()) }
    }

    /// What is owed, over all rows.
    pub fn outstanding(&self) -> Parts {
        self.rows.iter().map(Row::outstanding).sum()
    }

    /// All money paid out.
    pub fn drawn(&self) -> Money {
        self.draws.iter().map(|draw| from_terms(draw.amount)).sum()
    }

    /// Whether overdue principal bears interest for lateness.
    pub fn bears_lateness(&self) -> bool {
        self.contract.penalty_multiple.is_some_and(|multiple| !multiple.is_zero())
            && !self.terms.rate.percent.is_zero()
    }

    /// Whether nothing is owed and nothing is owed back.
    pub fn is_closed(&self) -> bool {
        !self.outstanding().total().is_positive() && self.overpaid.is_zero()
    }

    /// The due day of the oldest row that is not settled and was due before `as_of`.
    pub fn overdue_since(&self, as_of: Day) -> Option<Day> {
        if self.written_off_on.is_some() {
            return None;
        }
        self.rows.iter().find(|row| row.due_on < as_of && !row.is_settled()).map(|row| row.due_on)
    }

    pub(super) fn next_key(&mut self) -> u32 {
        let key = self.next_key;
        self.next_key = key.saturating_add(1);
        key
    }

    pub(super) fn sort_rows(&mut self) {
        self.rows.sort_by_key(|row| (row.due_on, row.kind, row.key));
    }

    fn follow_balance(&mut self, as_of: Day) {
        if self.contract.interest_on == InterestOn::Balance && !self.is_settled_early {
            self.reprice(0, Some(as_of));
        }
    }

    /// Interest and fees for lateness, up to a day, on what was overdue until then.
    fn age_to(&mut self, to: Day) {
        if to > self.aged_to {
            if self.contract.penalty_multiple.is_some() {
                self.accrue_lateness(to);
            }
            self.charge_late_fees(to);
            self.aged_to = to;
        }
    }

    /// Charges each instalment that has been late for as long as the product says its fee, once.
    fn charge_late_fees(&mut self, to: Day) {
        let Some(late) = self.contract.fees.late else { return };
        let rounding = &self.contract.terms.rounding;
        for row in &mut self.rows {
            let charged_from = row.due_on.plus_days(i64::from(late.after_days));
            let open = row.outstanding();
            let base = open.principal + open.interest;
            let is_late = charged_from.is_some_and(|day| day <= to) && base.is_positive();
            if row.kind == RowKind::Instalment && is_late && !row.has_late_fee {
                row.due.fees += late.rule.of(base, rounding);
                row.has_late_fee = true;
            }
        }
    }

    /// What is kept back from what is paid out of a draw: its down payment, where the product says so, and its fee, in a
    /// row of its own.
    fn keep_back(&mut self, drawn: Money, on: Day) -> Parts {
        let kept = self.contract.kept_back(drawn);
        let fee = kept.fees;
        if kept.principal.is_positive() {
            let is_of_draw = |row: &Row| {
                row.kind == RowKind::DownPayment && row.due_on == on && row.paid.principal.is_zero()
            };
            let row = self.rows.iter_mut().rev().find(|row| is_of_draw(row));
            let paid = row.map_or(Money::ZERO, |row| row.pay(Component::Principal, kept.principal, on));
            assert!(paid == kept.principal, "a draw has the down payment that is kept back of it");
            self.movements.push((on, paid));
        }
        if fee.is_positive() {
            let mut row = Row::new(self.next_key(), RowKind::DrawFee, on, on);
            row.due.fees = fee;
            row.paid.fees = fee;
            self.rows.push(row);
            self.sort_rows();
        }
        kept
    }

    fn keep_overpaid(&mut self, rest: Money, on: Day) {
        if rest.is_positive() {
            self.overpaid += rest;
            // The effect of the event under way is pushed after it: it will have this index.
            self.overpaid_from.push((self.effects.len(), on, rest));
        }
    }

    /// Pays what has come to be owed out of the overpaid balance, on a day.
    fn use_overpaid(&mut self, on: Day) -> Parts {
        let mut used = Effect { event: 0, on, parts: Parts::ZERO, overpaid: Money::ZERO };
        if self.overpaid.is_positive() {
            self.overpaid = self.pay(self.overpaid, on, self.contract.in_advance, &mut used);
        }
        used.parts
    }

    /// Pays what has come to be owed out of the overpaid balance, each part on the day it was paid in.
    fn use_overpaid_by_origin(&mut self) {
        let origins = core::mem::take(&mut self.overpaid_from);
        for (index, on, amount) in origins {
            let available = amount.min(self.overpaid);
            let mut used = Effect { event: 0, on, parts: Parts::ZERO, overpaid: Money::ZERO };
            let rest = self.pay(available, on, self.contract.in_advance, &mut used);
            self.overpaid -= available - rest;
            if let Some(effect) = self.effects.get_mut(index) {
                effect.parts += used.parts;
                effect.overpaid -= available - rest;
            }
            if rest.is_positive() {
                self.overpaid_from.push((index, on, rest));
            }
        }
    }

    fn charge(&mut self, event: EventId, kind: ChargeKind, amount: Money, due_on: Day) {
        let index = self.row_for_charge(due_on);
        let Some(row) = self.rows.get_mut(index) else { return };
        row.due[component_of(kind)] += amount;
        let row_key = row.key;
        self.charges.push(Charged { event, kind, amount, waived: Money::ZERO, due_on, row_key });
    }

    /// The first instalment due on or after a day; after the last, the extra row, moved on to that day.
    fn row_for_charge(&mut self, due_on: Day) -> usize {
        let bears_charges = |row: &Row| matches!(row.kind, RowKind::Instalment | RowKind::Extra);
        if let Some(index) = self.rows.iter().position(|row| bears_charges(row) && row.due_on >= due_on) {
            return index;
        }
        self.extra_row(due_on)
    }

    /// The extra row, due on a day at the earliest.
    fn extra_row(&mut self, due_on: Day) -> usize {
        let last = self.rows.iter().rposition(|row| row.kind == RowKind::Extra);
        if let Some(row) = last.and_then(|index| self.rows.get_mut(index)) {
            row.due_on = row.due_on.max(due_on);
        } else {
            let from = self.rows.last().map_or(due_on, |row| row.due_on);
            let row = Row::new(self.next_key(), RowKind::Extra, from, due_on);
            self.rows.push(row);
        }
        self.sort_rows();
        self.rows.iter().rposition(|row| row.kind == RowKind::Extra).unwrap_or(0)
    }

    fn waive(&mut self, event: EventId) -> Result<Parts, LoanStatus> {
        let unpaid = self.charge_unpaid(event).ok_or(LoanStatus::ChargeNotFound)?;
        let charged = self.charges.iter_mut().find(|charged| charged.event == event);
        let charged = charged.ok_or(LoanStatus::ChargeNotFound)?;
        let component = component_of(charged.kind);
        let row = self.rows.iter_mut().find(|row| row.key == charged.row_key);
        let row = row.ok_or(LoanStatus::ChargeNotFound)?;
        let waived = unpaid.min(row.outstanding()[component].or_zero());
        charged.waived += waived;
        let parts = Parts::of(component, waived);
        row.waived += parts;
        Ok(parts)
    }

    /// Forgives fees or penalties, whatever they were charged for, in order of the due days.
    fn forgive(&mut self, kind: ChargeKind, amount: Money) -> Result<Parts, LoanStatus> {
        let component = component_of(kind);
        if amount > self.outstanding()[component] {
            return Err(LoanStatus::ExceedsOwed);
        }
        let mut rest = amount;
        for row in &mut self.rows {
            let part = row.outstanding()[component].or_zero().min(rest);
            row.waived[component] += part;
            rest -= part;
        }
        Ok(Parts::of(component, amount - rest))
    }

    /// What of a charge is unpaid: charges of one row and kind are paid in the order they fell due.
    pub fn charge_unpaid(&self, event: EventId) -> Option<Money> {
        let wanted = self.charges.iter().find(|charged| charged.event == event)?;
        let row = self.rows.iter().find(|row| row.key == wanted.row_key)?;
        let own = if wanted.kind == ChargeKind::Fee { row.fee_planned } else { Money::ZERO };
        let mut paid = (row.paid[component_of(wanted.kind)] - own).or_zero();
        let mut peers: Vec<&Charged> = self
            .charges
            .iter()
            .filter(|charged| charged.row_key == wanted.row_key && charged.kind == wanted.kind)
            .collect();
        peers.sort_by_key(|charged| charged.due_on);
        for charged in peers {
            let owed = charged.amount - charged.waived;
            let covered = paid.min(owed);
            paid -= covered;
            if charged.event == event {
                return Some(owed - covered);
            }
        }
        None
    }

    /// Gives money back to the borrower: out of the overpaid balance first, the rest as principal of the instalment
    /// of its day. Says how much became principal.
    fn credit(&mut self, amount: Money, on: Day) -> Money {
        let repaid = amount.min(self.overpaid);
        self.overpaid -= repaid;
        let lent = amount - repaid;
        if !lent.is_positive() {
            return Money::ZERO;
        }
        let index = self.row_for_credit(on);
        if let Some(row) = self.rows.get_mut(index) {
            row.due.principal += amount;
            row.credited += amount;
            // A row that was paid more than it owes by now takes less of the balance than it bears: the rest stays.
            self.overpaid += repaid - row.pay(Component::Principal, repaid, on);
        }
        self.movements.push((on, -lent));
        lent
    }

    /// The first instalment due after a day, or the last if it is due that day; else the extra row.
    fn row_for_credit(&mut self, on: Day) -> usize {
        let instalment = |row: &Row| row.kind == RowKind::Instalment;
        if let Some(index) = self.rows.iter().position(|row| instalment(row) && row.due_on > on) {
            return index;
        }
        let has_extra = self.rows.iter().any(|row| row.kind == RowKind::Extra);
        match self.rows.iter().rposition(|row| instalment(row) && row.due_on == on) {
            Some(index) if !has_extra => index,
            Some(_) | None => self.extra_row(on),
        }
    }

    fn write_off(&mut self, on: Day) -> Parts {
        let mut parts = Parts::ZERO;
        for row in &mut self.rows {
            let outstanding = row.outstanding();
            row.written_off += outstanding;
            parts += outstanding;
        }
        self.written_off_on = Some(on);
        parts
    }

    /// Whether a prepayment may be only in full.
    pub(super) fn must_settle_in_full(&self) -> bool {
        self.contract.prepayment == Prepayment::FullSettlementOnly
    }

    /// Where repayments in advance go, unless one says otherwise.
    pub(super) fn in_advance(&self) -> InAdvance {
        self.contract.in_advance
    }
}

/// The component a charge is.
pub(super) const fn component_of(kind: ChargeKind) -> Component {
    match kind {
        ChargeKind::Fee => Component::Fee,
        ChargeKind::Penalty => Component::Penalty,
    }
}

/// Money of a schedule as money of a loan.
pub(super) fn from_terms(money: fen_terms::Money) -> Money {
    Money::new(i128::try_from(money.get()).expect("a schedule's money is bounded"))
}

/// Money of a loan as money of a schedule.
pub(super) fn to_terms(money: Money) -> fen_terms::Money {
    fen_terms::Money::new(money.to_amount().get())
}
