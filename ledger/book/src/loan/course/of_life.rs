//! Back on course: the figures of a life that has come to nothing out of the ordinary.
//!
//! A loan whose life took a turn (a repayment of last week, a reversal) is folded; if what comes of it could as well
//! have come in the ordinary way, its record tells it again. Every field of a life and of its rows is named here, so
//! that what is added later cannot be forgotten.

use super::ordinary::{LateRate, Ordinary, PRINCIPAL_MAX};
use super::{Course, interest_of, principal_days, principal_of};
use crate::loan::accrual;
use crate::loan::contract::Contract;
use crate::loan::life::{Life, from_terms};
use crate::loan::money::{Money, Parts};
use crate::loan::row::{Row, RowKind};
use fen_terms::{Day, Instalment};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{ToPrimitive, Zero};

impl Course {
    /// The course of a life as of a day, or `None` where there is more to it.
    pub(crate) fn of_life(life: &Life<'_>, ordinary: &Ordinary, as_of: Day) -> Option<Self> {
        let Life {
            contract,
            terms,
            rows,
            draws,
            rates,
            movements: _,
            charges,
            overpaid,
            overpaid_from: _,
            effects: _,
            charged_off,
            written_off_on,
            recovered,
            sold,
            aged_to: _,
            is_settled_early,
            arrears_key: _,
            next_key: _,
        } = life;
        let [draw] = draws.as_slice() else { return None };
        let is_plain = rates.len() == 1
            && charges.is_empty()
            && overpaid.is_zero()
            && charged_off.is_none()
            && written_off_on.is_none()
            && recovered.is_zero()
            && sold.is_none()
            && !is_settled_early
            && *terms == contract.terms;
        let principal = from_terms(draw.amount);
        if !is_plain || principal.get() > PRINCIPAL_MAX {
            return None;
        }
        let planned = ordinary.rows(principal, draw.on)?;
        if planned.len() != rows.len()
            || !rows.iter().zip(&planned).all(|(row, plan)| is_as_planned(row, plan))
        {
            return None;
        }
        course_of_rows(contract, ordinary, (principal, draw.on), rows, as_of)
    }
}

fn course_of_rows(
    contract: &Contract,
    ordinary: &Ordinary,
    (principal, disbursed_on): (Money, Day),
    rows: &[Row],
    as_of: Day,
) -> Option<Course> {
    let settled = rows.iter().take_while(|row| row.outstanding().total().is_zero()).count();
    let (before, rest) = rows.split_at_checked(settled)?;
    let paid: Parts = rows.iter().map(|row| row.paid).sum();
    let running = rest.first();
    let behind = rest.get(1..).unwrap_or_default();
    let is_behind = |row: &Row| {
        let bears = ordinary.bears_lateness();
        let days = if bears { principal_days(row.due.principal, row.due_on, as_of) } else { 0 };
        row.paid == Parts::ZERO && late_days(contract, row, ordinary) == Some(days)
    };
    if before.iter().any(|row| row.outstanding() != Parts::ZERO) || !behind.iter().all(is_behind) {
        return None;
    }
    Some(Course {
        disbursed_on,
        principal,
        owed: principal - paid.principal,
        interest_paid: paid.interest,
        late_settled: before.iter().map(|row| row.paid.penalties).sum(),
        late_paid: running.map_or(Money::ZERO, |row| row.paid.penalties),
        late_days: running.map_or(Some(0), |row| late_days(contract, row, ordinary))?,
        settled: u16::try_from(settled).ok()?,
        as_of,
    })
}

/// Whether a row is the plan's, and nothing happened to it but payments and lateness.
fn is_as_planned(row: &Row, plan: &Instalment) -> bool {
    let Row {
        key: _,
        kind,
        span: _,
        from: _,
        due_on,
        level: _,
        interest_planned: _,
        planned_from: _,
        due,
        paid: _,
        paid_early: _,
        paid_late: _,
        waived,
        written_off,
        subsidised,
        fee_planned,
        has_late_fee,
        credited,
        interest_carried,
        late_exact: _,
        late_interest,
    } = row;
    *kind == RowKind::Instalment
        && *due_on == plan.due
        && due.principal == principal_of(plan)
        && due.interest == interest_of(plan)
        && due.fees.is_zero()
        && due.penalties == *late_interest
        && *waived == Parts::ZERO
        && *written_off == Parts::ZERO
        && subsidised.is_zero()
        && fee_planned.is_zero()
        && !has_late_fee
        && credited.is_zero()
        && interest_carried.is_zero()
}

/// The principal-days that a row's interest for lateness comes from; `None` where they are no whole number.
fn late_days(contract: &Contract, row: &Row, ordinary: &Ordinary) -> Option<u128> {
    let Some(LateRate { numerator, denominator }) = ordinary.late else {
        return row.late_exact.is_zero().then_some(0);
    };
    let days = &row.late_exact * BigRational::new(BigInt::from(denominator), BigInt::from(numerator));
    let is_rounded = accrual::round(contract, &row.late_exact) == row.late_interest;
    if days.is_integer() && is_rounded { days.to_integer().to_u128() } else { None }
}
