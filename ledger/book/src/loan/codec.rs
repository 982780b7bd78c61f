//! Loan orders as bytes; products are in the module beside. See [`command`](super::command) for the shape.

use super::allocation::{Direction, InAdvance};
use super::contract::{DownPaymentFrom, InterestOn, Prepayment, SettlementDay};
use super::event::ChargeKind;
use super::holidays::Roll;
use super::money::{MONEY_MAX, Money};
use super::order::{Facts, LoanAct, LoanOrder, Opening, Reschedule};
use super::product::{LineKind, StatedTerms};
use crate::quantity::{AccountId, Amount, BusinessDate};
use fen_terms::{
    Accrual, Amortisation, Day, DayCount, FlatBase, Grace, InterestMethod, LaterDraws, PERIODS_MAX, Percent,
    Period, PeriodUnit, Rate, RateBasis, Rounding, RoundingMode,
};

/// Writes fields one after the other.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

/// Reads fields one after the other; `None` where they end or make no sense.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

macro_rules! integers {
    ($($name:ident),*) => {
        impl Writer {
            $(pub(crate) fn $name(&mut self, value: $name) {
                self.bytes.extend_from_slice(&value.to_le_bytes());
            })*
        }
        impl Reader<'_> {
            $(pub(crate) fn $name(&mut self) -> Option<$name> {
                let (bytes, rest) = self.rest.split_first_chunk()?;
                self.rest = rest;
                Some($name::from_le_bytes(*bytes))
            })*
        }
    };
}

integers!(u8, u16, u32, u64, u128, i32);

/// Choices that are stored by a number of their own.
macro_rules! choices {
    ($($name:ident: $choice:ty;)*) => {
        impl Writer {
            $(pub(super) fn $name(&mut self, value: $choice) {
                self.u8(value.number());
            })*
        }
        impl Reader<'_> {
            $(pub(super) fn $name(&mut self) -> Option<$choice> {
                <$choice>::from_number(self.u8()?)
            })*
        }
    };
}

choices! {
    amortisation: Amortisation;
    interest: InterestMethod;
    accrual: Accrual;
    day_count: DayCount;
    flat_base: FlatBase;
    later_draws: LaterDraws;
    period_unit: PeriodUnit;
    rate_basis: RateBasis;
    rounding_mode: RoundingMode;
}

/// Choices that are stored by their place among all.
macro_rules! placed {
    ($($name:ident: $choice:ty;)*) => {
        impl Writer {
            $(pub(super) fn $name(&mut self, value: $choice) {
                let place = <$choice>::ALL.iter().position(|choice| *choice == value);
                self.u8(place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0));
            })*
        }
        impl Reader<'_> {
            $(pub(super) fn $name(&mut self) -> Option<$choice> {
                <$choice>::ALL.get(usize::from(self.u8()?)).copied()
            })*
        }
    };
}

placed! {
    in_advance: InAdvance;
    direction: Direction;
    prepayment: Prepayment;
    interest_on: InterestOn;
    settlement_day: SettlementDay;
    down_payment_from: DownPaymentFrom;
    charge_kind: ChargeKind;
    line_kind: LineKind;
    roll: Roll;
}

impl Writer {
    pub(super) fn flag(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    pub(super) fn maybe<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn list<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.u16(u16::try_from(values.len()).unwrap_or(u16::MAX));
        for value in values {
            write(self, value);
        }
    }

    pub(super) fn date(&mut self, value: BusinessDate) {
        self.i32(value.get());
    }

    pub(super) fn day(&mut self, value: Day) {
        self.i32(value.number());
    }

    pub(super) fn amount(&mut self, value: Amount) {
        self.u128(value.get());
    }

    pub(super) fn money(&mut self, value: Money) {
        self.u128(value.or_zero().to_amount().get());
    }

    pub(super) fn percent(&mut self, value: Percent) {
        self.u64(value.numerator());
        self.u64(value.denominator());
    }

    fn rate(&mut self, value: Rate) {
        self.rate_basis(value.basis);
        self.percent(value.percent);
    }

    fn period(&mut self, value: Period) {
        self.period_unit(value.unit);
        self.u16(value.every);
    }

    fn rounding(&mut self, value: Rounding) {
        self.rounding_mode(value.mode);
        self.u128(value.to.get());
        self.maybe(value.instalment_to, |writer, unit| writer.u128(unit.get()));
    }

    fn grace(&mut self, value: Grace) {
        self.u16(value.principal);
        self.u16(value.interest);
        self.u16(value.interest_free);
    }

    pub(super) fn terms(&mut self, terms: &StatedTerms) {
        self.maybe(terms.rate, Self::rate);
        self.maybe(terms.periods, Self::u16);
        self.maybe(terms.period, Self::period);
        self.maybe(terms.first_due_on, Self::day);
        self.maybe(terms.due_dates.as_ref(), |writer, days| {
            writer.list(days, |writer, day| writer.day(*day));
        });
        self.maybe(terms.amortisation, Self::amortisation);
        self.maybe(terms.interest, Self::interest);
        self.maybe(terms.accrual, Self::accrual);
        self.maybe(terms.day_count, Self::day_count);
        self.maybe(terms.rounding, Self::rounding);
        self.maybe(terms.down_payment, Self::percent);
        self.maybe(terms.flat_base, Self::flat_base);
        self.maybe(terms.grace, Self::grace);
        self.maybe(terms.later_draws, Self::later_draws);
    }

    fn opening(&mut self, opening: &Opening) {
        self.u128(opening.product_id);
        self.u128(opening.account_id.get());
        self.amount(opening.amount);
        self.terms(&opening.terms);
        let Facts { decision, model_version, score, region, is_first_time_borrower, collateral } =
            opening.facts;
        self.u128(decision);
        self.u32(model_version);
        self.u32(score);
        self.u32(region);
        self.flag(is_first_time_borrower);
        self.u128(collateral);
    }

    pub(crate) fn order(&mut self, order: &LoanOrder) {
        self.u128(order.id);
        self.u128(order.loan_id);
        self.date(order.effective_on);
        self.u16(order.act.number());
        match &order.act {
            LoanAct::OpenLine(opening) | LoanAct::Disburse(opening) => self.opening(opening),
            LoanAct::Repay { account_id, amount, in_advance } => {
                self.u128(account_id.get());
                self.amount(*amount);
                self.maybe(*in_advance, Self::in_advance);
            }
            LoanAct::Prepay { account_id, amount }
            | LoanAct::Chargeback { account_id, amount }
            | LoanAct::Refund { account_id, amount }
            | LoanAct::Recover { account_id, amount } => {
                self.u128(account_id.get());
                self.amount(*amount);
            }
            LoanAct::Charge { kind, amount, due_on } => {
                self.charge_kind(*kind);
                self.amount(*amount);
                self.date(*due_on);
            }
            LoanAct::Waive { event_id, forgive } => {
                self.u128(*event_id);
                self.maybe(*forgive, |writer, (kind, amount)| {
                    writer.charge_kind(kind);
                    writer.amount(amount);
                });
            }
            LoanAct::Reverse { event_id } => self.u128(*event_id),
            LoanAct::Reschedule(change) => {
                self.maybe(change.shift, |writer, (from, to)| {
                    writer.date(from);
                    writer.date(to);
                });
                self.maybe(change.rate, Self::percent);
                self.maybe(change.periods, Self::u16);
                self.maybe(change.first_due_on, Self::date);
                self.maybe(change.period, Self::period);
                self.flag(change.is_reamortisation);
            }
            LoanAct::ChargeOff | LoanAct::WriteOff => {}
            LoanAct::Sell { owner } => self.u128(*owner),
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether nothing but the filling of a page is left.
    pub(crate) fn has_only_zeros(&self) -> bool {
        self.rest.iter().all(|byte| *byte == 0)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    #[allow(clippy::option_option, reason = "the outer one is 'the bytes end here', the inner one the value")]
    pub(super) fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Some(None) }
    }

    pub(super) fn list<T>(
        &mut self,
        most: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = usize::from(self.u16()?);
        if count > most { None } else { (0..count).map(|_| read(self)).collect() }
    }

    pub(super) fn date(&mut self) -> Option<BusinessDate> {
        self.i32().map(BusinessDate::new)
    }

    pub(super) fn day(&mut self) -> Option<Day> {
        Day::from_number(self.i32()?)
    }

    pub(super) fn amount(&mut self) -> Option<Amount> {
        self.u128().map(Amount::new)
    }

    fn account(&mut self) -> Option<AccountId> {
        self.u128().map(AccountId::new)
    }

    pub(super) fn money(&mut self) -> Option<Money> {
        Some(self.u128()?)
            .filter(|minor| *minor <= MONEY_MAX)
            .and_then(|minor| Money::from_amount(Amount::new(minor)))
    }

    pub(super) fn percent(&mut self) -> Option<Percent> {
        let (numerator, denominator) = (self.u64()?, self.u64()?);
        let percent = Percent::new(numerator, denominator)?;
        // Only lowest terms are written, so each percentage has one form.
        ((percent.numerator(), percent.denominator()) == (numerator, denominator)).then_some(percent)
    }

    fn rate(&mut self) -> Option<Rate> {
        Some(Rate { basis: self.rate_basis()?, percent: self.percent()? })
    }

    fn period(&mut self) -> Option<Period> {
        Some(Period { unit: self.period_unit()?, every: self.u16()? })
    }

    fn rounding(&mut self) -> Option<Rounding> {
        let (mode, to) = (self.rounding_mode()?, fen_terms::Money::new(self.u128()?));
        let instalment_to = self.maybe(Self::u128)?.map(fen_terms::Money::new);
        Some(Rounding { mode, to, instalment_to })
    }

    fn grace(&mut self) -> Option<Grace> {
        Some(Grace { principal: self.u16()?, interest: self.u16()?, interest_free: self.u16()? })
    }

    pub(super) fn terms(&mut self) -> Option<StatedTerms> {
        Some(StatedTerms {
            rate: self.maybe(Self::rate)?,
            periods: self.maybe(Self::u16)?,
            period: self.maybe(Self::period)?,
            first_due_on: self.maybe(Self::day)?,
            due_dates: self.maybe(|reader| reader.list(usize::from(PERIODS_MAX), Self::day))?,
            amortisation: self.maybe(Self::amortisation)?,
            interest: self.maybe(Self::interest)?,
            accrual: self.maybe(Self::accrual)?,
            day_count: self.maybe(Self::day_count)?,
            rounding: self.maybe(Self::rounding)?,
            down_payment: self.maybe(Self::percent)?,
            flat_base: self.maybe(Self::flat_base)?,
            grace: self.maybe(Self::grace)?,
            later_draws: self.maybe(Self::later_draws)?,
        })
    }

    fn opening(&mut self) -> Option<Box<Opening>> {
        Some(Box::new(Opening {
            product_id: self.u128()?,
            account_id: self.account()?,
            amount: self.amount()?,
            terms: self.terms()?,
            facts: Facts {
                decision: self.u128()?,
                model_version: self.u32()?,
                score: self.u32()?,
                region: self.u32()?,
                is_first_time_borrower: self.flag()?,
                collateral: self.u128()?,
            },
        }))
    }

    pub(crate) fn order(&mut self) -> Option<LoanOrder> {
        let (id, loan_id, effective_on) = (self.u128()?, self.u128()?, self.date()?);
        let number = self.u16()?;
        Some(LoanOrder { id, loan_id, effective_on, act: self.act(number)? })
    }

    fn act(&mut self, number: u16) -> Option<LoanAct> {
        Some(match number {
            1 => LoanAct::OpenLine(self.opening()?),
            2 => LoanAct::Disburse(self.opening()?),
            3 => LoanAct::Repay {
                account_id: self.account()?,
                amount: self.amount()?,
                in_advance: self.maybe(Self::in_advance)?,
            },
            4 => LoanAct::Prepay { account_id: self.account()?, amount: self.amount()? },
            5 => LoanAct::Charge { kind: self.charge_kind()?, amount: self.amount()?, due_on: self.date()? },
            6 => LoanAct::Waive {
                event_id: self.u128()?,
                forgive: self.maybe(|reader| Some((reader.charge_kind()?, reader.amount()?)))?,
            },
            7 => LoanAct::Reverse { event_id: self.u128()? },
            8 => LoanAct::Chargeback { account_id: self.account()?, amount: self.amount()? },
            9 => LoanAct::Refund { account_id: self.account()?, amount: self.amount()? },
            10 => LoanAct::Reschedule(Reschedule {
                shift: self.maybe(|reader| Some((reader.date()?, reader.date()?)))?,
                rate: self.maybe(Self::percent)?,
                periods: self.maybe(Self::u16)?,
                first_due_on: self.maybe(Self::date)?,
                period: self.maybe(Self::period)?,
                is_reamortisation: self.flag()?,
            }),
            11 => LoanAct::ChargeOff,
            12 => LoanAct::WriteOff,
            13 => LoanAct::Recover { account_id: self.account()?, amount: self.amount()? },
            14 => LoanAct::Sell { owner: self.u128()? },
            _ => return None,
        })
    }
}
