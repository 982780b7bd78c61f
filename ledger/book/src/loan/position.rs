//! What one loan comes to in its product's control accounts, as of a day: a function of its life.
//!
//! Interest is recognised when its row falls due, or when it is paid before; charges when they are charged. In
//! non-accrual, what of both is unpaid is held in suspense instead of income. After a charge-off or a write-off nothing
//! is recognised any more, and what still comes in is recovery.

use super::accrual;
use super::classes::Class;
use super::control::{Position, Role};
use super::life::{ChargedOff, Life, Sold};
use super::money::{Money, Parts};
use super::product::Product;
use super::row::{Row, RowKind};
use super::share::split;
use fen_terms::Day;

/// How a loan stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Days past due of the oldest unpaid row.
    pub days_past_due: u32,
    /// The class.
    pub class: Class,
    /// The stage, 1 to 3.
    pub stage: u8,
    /// Whether its interest is no income until paid.
    pub is_non_accrual: bool,
}

/// How a loan stands as of a day.
pub fn standing(life: &Life<'_>, product: &Product, as_of: Day) -> Standing {
    let days = life.overdue_since(as_of).map_or(0, |since| since.days_until(as_of).max(0).unsigned_abs());
    Standing {
        days_past_due: days,
        class: product.classes.class(days),
        stage: product.classes.stage(days),
        is_non_accrual: product.classes.is_non_accrual(days),
    }
}

/// What was recognised of a row's interest, and what of that is unpaid, forgiven and written off.
struct Recognised {
    earned: Money,
    unpaid: Money,
    waived: Money,
    written_off: Money,
}

fn recognised(row: &Row, until: Day) -> Recognised {
    let (paid, waived) = (row.paid.interest, row.waived.interest);
    if row.due_on <= until {
        Recognised {
            earned: row.due.interest,
            unpaid: row.outstanding().interest,
            waived,
            written_off: row.written_off.interest,
        }
    } else {
        Recognised { earned: paid + waived, unpaid: Money::ZERO, waived, written_off: Money::ZERO }
    }
}

/// What was earned of a loan by a day: interest billed or paid, fees and penalties charged.
pub(super) fn earned(life: &Life<'_>, until: Day) -> Parts {
    let interest = life.rows.iter().map(|row| recognised(row, until).earned).sum();
    let due: Parts = life.rows.iter().map(|row| row.due).sum();
    let deferred = fees_deferred(life, until);
    Parts {
        principal: Money::ZERO,
        interest,
        fees: due.fees - deferred.0 - deferred.1,
        penalties: due.penalties,
    }
}

fn fees_deferred(life: &Life<'_>, until: Day) -> (Money, Money) {
    life.rows
        .iter()
        .map(|row| row.fees_deferred(until))
        .fold((Money::ZERO, Money::ZERO), |sum, row| (sum.0 + row.0, sum.1 + row.1))
}

/// What the subsidising party is billed for the interest of rows due by a day.
pub(super) fn subsidised(life: &Life<'_>, until: Day) -> Money {
    life.rows.iter().filter(|row| row.due_on <= until).map(|row| row.subsidised).sum()
}

/// The position of a loan.
pub fn position(life: &Life<'_>, product: &Product, as_of: Day) -> Position {
    let mut position = match &life.charged_off {
        Some(snapshot) => charged_off(life, snapshot),
        None => on_the_books(life, product, as_of),
    };
    position[Role::Overpaid] = -life.overpaid;
    position[Role::Recovery] -= life.recovered;
    compensate(&mut position, product);
    share_with_funders(&mut position, life, product);
    if let Some(sold) = &life.sold {
        hand_over(&mut position, life, sold, as_of);
    }
    provide(&mut position, product, standing(life, product, as_of).class);
    position
}

fn on_the_books(life: &Life<'_>, product: &Product, as_of: Day) -> Position {
    let until = life.written_off_on.map_or(as_of, |day| day.min(as_of));
    let interest: Vec<Recognised> = life.rows.iter().map(|row| recognised(row, until)).collect();
    let sum = |part: fn(&Recognised) -> Money| interest.iter().map(part).sum::<Money>();
    let due: Parts = life.rows.iter().map(|row| row.due).sum();
    let waived: Parts = life.rows.iter().map(|row| row.waived).sum();
    let written_off: Parts = life.rows.iter().map(|row| row.written_off).sum();
    let outstanding = life.outstanding();
    let mut position = Position::default();
    position[Role::Principal] = outstanding.principal;
    position[Role::InterestReceivable] = sum(|row| row.unpaid);
    let deferred = fees_deferred(life, until);
    position[Role::SubsidyReceivable] = subsidised(life, until);
    position[Role::FeeReceivable] = outstanding.fees - deferred.0;
    position[Role::PenaltyReceivable] = outstanding.penalties;
    position[Role::InterestIncome] = -sum(|row| row.earned);
    position[Role::FeeIncome] = deferred.0 + deferred.1 - due.fees;
    position[Role::PenaltyIncome] = -due.penalties;
    position[Role::Waived] = sum(|row| row.waived) + waived.fees + waived.penalties;
    position[Role::WrittenOff] =
        sum(|row| row.written_off) + written_off.principal + written_off.fees + written_off.penalties
            - deferred.1;
    if standing(life, product, as_of).is_non_accrual {
        let (interest, penalties) = (position[Role::InterestReceivable], position[Role::PenaltyReceivable]);
        position[Role::InterestIncome] += interest;
        position[Role::PenaltyIncome] += penalties;
        position[Role::Suspense] = -(interest + penalties);
    }
    position
}

/// A loan that is no asset any more: what was outstanding is an expense, what came in since is recovery.
fn charged_off(life: &Life<'_>, snapshot: &ChargedOff) -> Position {
    let ChargedOff { on, outstanding, paid, credited } = snapshot;
    let borne = subsidised(life, *on);
    let paid_now: Parts = life.rows.iter().map(|row| row.paid).sum();
    let credited_now: Money = life.rows.iter().map(|row| row.credited).sum();
    let mut position = Position::default();
    position[Role::InterestIncome] = -(paid.interest + borne);
    position[Role::SubsidyReceivable] = borne;
    position[Role::FeeIncome] = -paid.fees;
    position[Role::PenaltyIncome] = -paid.penalties;
    position[Role::WrittenOff] = outstanding.principal + credited_now - *credited;
    position[Role::Recovery] = -(paid_now - *paid).total();
    position
}

/// Bills the compensating party its share of what was lost and has not come back.
fn compensate(position: &mut Position, product: &Product) {
    let Some(compensation) = &product.compensation else { return };
    let billed = compensation.of(position[Role::WrittenOff] + position[Role::Recovery]);
    position[Role::CompensationReceivable] = billed;
    position[Role::WrittenOff] -= billed;
}

/// Gives each funder its part of the principal at stake, of losses and of what came back, and of the interest paid or
/// borne by others. Fees and penalties stay with the bank, which does the work.
fn share_with_funders(position: &mut Position, life: &Life<'_>, product: &Product) {
    if product.funders.is_empty() {
        return;
    }
    let paid: Money = life.rows.iter().map(|row| row.paid.interest).sum();
    let until = life.charged_off.as_ref().map(|snapshot| snapshot.on);
    let paid = match until {
        Some(_) => -position[Role::InterestIncome],
        None => paid + position[Role::SubsidyReceivable],
    };
    let stakes = split(position[Role::Principal], &product.funders);
    let losses = split(position[Role::WrittenOff].or_zero(), &product.funders);
    let recovered = split((-position[Role::Recovery]).or_zero(), &product.funders);
    let interest = split(paid, &product.funders);
    for (place, stake) in stakes.into_iter().enumerate() {
        let Some(role) = Role::funder(place) else { continue };
        let part = |parts: &[Money]| parts.get(place).copied().unwrap_or_default();
        position[role] = stake + part(&losses) - part(&interest) - part(&recovered);
        position[Role::Principal] -= stake;
        position[Role::WrittenOff] -= part(&losses);
        position[Role::InterestIncome] += part(&interest);
        position[Role::Recovery] += part(&recovered);
    }
}

/// The buyer bears what was an asset, and has what was earned since.
fn hand_over(position: &mut Position, life: &Life<'_>, sold: &Sold, as_of: Day) {
    for role in [Role::Principal, Role::InterestReceivable, Role::FeeReceivable, Role::PenaltyReceivable] {
        let amount = position[role];
        position[role] = Money::ZERO;
        position[Role::Sold] += amount;
    }
    if life.charged_off.is_some() {
        return;
    }
    let now = earned(life, as_of);
    let since = Parts { principal: Money::ZERO, ..now - sold.earned };
    position[Role::InterestIncome] += since.interest;
    position[Role::FeeIncome] += since.fees;
    position[Role::PenaltyIncome] += since.penalties;
    position[Role::Sold] -= since.total();
}

fn provide(position: &mut Position, product: &Product, class: Class) {
    let provision = accrual::provision(position[Role::Principal], product.classes.provision_of(class));
    position[Role::ProvisionExpense] = provision;
    position[Role::Provision] = -provision;
}

/// The next day, after `as_of`, on which the position changes without an event.
pub fn next_change(life: &Life<'_>, product: &Product, as_of: Day) -> Option<Day> {
    let open = life.rows.iter().filter(|row| !row.is_settled());
    let billed = life.rows.iter().filter(|row| row.due_on > as_of).map(|row| row.due_on);
    let missed = open.clone().filter(|row| row.due_on >= as_of).filter_map(|row| row.due_on.plus_days(1));
    let overdue = life.overdue_since(as_of);
    let runs_daily = overdue.is_some() && (life.bears_lateness() || product.collects);
    let tomorrow = if runs_daily { as_of.plus_days(1) } else { None };
    let late_fee = product.fees.late.and_then(|late| {
        let unpaid = open.clone().filter(|row| !row.has_late_fee && row.kind == RowKind::Instalment);
        let days = unpaid.filter_map(|row| row.due_on.plus_days(i64::from(late.after_days)));
        days.filter(|day| *day > as_of).min()
    });
    let given_up = overdue.and_then(|since| since.plus_days(i64::from(product.write_off_days?)));
    let aged = overdue.and_then(|since| {
        let days = since.days_until(as_of).max(0).unsigned_abs();
        since.plus_days(i64::from(product.classes.next_threshold(days)?))
    });
    if life.written_off_on.is_some() {
        return None;
    }
    billed
        .chain(missed)
        .chain(tomorrow)
        .chain(late_fee)
        .chain(given_up)
        .chain(aged)
        .filter(|day| *day > as_of)
        .min()
}
