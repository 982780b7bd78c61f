//! Products as bytes. See [`command`](super::command) for the shape.

use super::allocation::{Allocation, TARGETS, Target};
use super::classes::Classes;
use super::codec::{Reader, Writer};
use super::fees::{FeeRule, Fees, LateFee};
use super::holidays::{HOLIDAYS_MAX, Holidays, WEEKDAYS};
use super::product::{Band, FUNDERS_MAX, Funder, Limits, Product, REGIONS_MAX};
use super::subsidy::{Compensation, Subsidy};
use crate::quantity::LedgerCode;
use std::sync::Arc;

impl Writer {
    pub(crate) fn product(&mut self, product: &Product) {
        self.u128(product.id);
        self.u32(product.ledger.get());
        self.terms(&product.terms);
        self.maybe(product.amount.min, Self::money);
        self.maybe(product.amount.max, Self::money);
        self.maybe(product.periods.min, Self::u16);
        self.maybe(product.periods.max, Self::u16);
        self.maybe(product.rate.min, Self::percent);
        self.maybe(product.rate.max, Self::percent);
        for target in product.allocation.order() {
            let place = Target::all().position(|other| other == *target);
            self.u8(place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0));
        }
        self.direction(product.allocation.direction);
        self.in_advance(product.in_advance);
        self.prepayment(product.prepayment);
        self.interest_on(product.interest_on);
        self.settlement_day(product.settlement_day);
        self.down_payment_from(product.down_payment_from);
        self.maybe(product.penalty_multiple, Self::percent);
        self.flag(product.collects);
        let Classes { more_days_than, stage_days, non_accrual_days, provision } = product.classes;
        for days in more_days_than.into_iter().chain(stage_days).chain([non_accrual_days]) {
            self.u16(days);
        }
        for rate in provision {
            self.percent(rate);
        }
        self.maybe(product.limits.borrowers, Self::u32);
        self.maybe(product.limits.exposure, Self::money);
        self.maybe(product.limits.exposure_per_borrower, Self::money);
        self.list(&product.limits.regions, |writer, region| writer.u32(*region));
        self.maybe(product.limits.ends_on, Self::day);
        self.list(&product.funders, |writer, funder| {
            writer.u128(funder.id);
            writer.percent(funder.share);
        });
        self.flag(product.is_stopped);
        self.more_of_product(product);
    }

    fn more_of_product(&mut self, product: &Product) {
        self.maybe(product.fees.disbursement, Self::fee);
        self.maybe(product.fees.instalment, Self::fee);
        self.maybe(product.fees.late, |writer, late| {
            writer.fee(late.rule);
            writer.u16(late.after_days);
        });
        self.maybe(product.holidays.as_deref(), Self::holidays);
        self.maybe(product.draws_max, Self::u16);
        self.line_kind(product.line);
        self.maybe(product.write_off_days, Self::u16);
        self.maybe(product.subsidy, |writer, subsidy| {
            writer.u128(subsidy.party);
            writer.percent(subsidy.points);
            writer.percent(subsidy.share_max);
            writer.maybe(subsidy.borrower_max, Self::money);
        });
        self.maybe(product.compensation, |writer, compensation| {
            writer.u128(compensation.party);
            writer.percent(compensation.share);
            writer.maybe(compensation.loan_max, Self::money);
        });
        self.flag(product.collects_in_full);
    }

    fn fee(&mut self, rule: FeeRule) {
        self.money(rule.amount);
        self.percent(rule.percent);
    }

    fn holidays(&mut self, table: &Holidays) {
        self.roll(table.roll);
        let places = (0_u8..).zip(WEEKDAYS).filter(|(_, (day, _))| table.weekend.contains(day));
        let places: Vec<u8> = places.map(|(place, _)| place).collect();
        self.list(&places, |writer, place| writer.u8(*place));
        self.list(&table.days_off, |writer, day| writer.day(*day));
        self.list(&table.working_days, |writer, day| writer.day(*day));
    }
}

impl Reader<'_> {
    pub(crate) fn product(&mut self) -> Option<Product> {
        Some(Product {
            id: self.u128()?,
            ledger: LedgerCode::new(self.u32()?),
            terms: self.terms()?,
            amount: Band { min: self.maybe(Self::money)?, max: self.maybe(Self::money)? },
            periods: Band { min: self.maybe(Self::u16)?, max: self.maybe(Self::u16)? },
            rate: Band { min: self.maybe(Self::percent)?, max: self.maybe(Self::percent)? },
            allocation: self.allocation()?,
            in_advance: self.in_advance()?,
            prepayment: self.prepayment()?,
            interest_on: self.interest_on()?,
            settlement_day: self.settlement_day()?,
            down_payment_from: self.down_payment_from()?,
            penalty_multiple: self.maybe(Self::percent)?,
            collects: self.flag()?,
            classes: self.classes()?,
            limits: Limits {
                borrowers: self.maybe(Self::u32)?,
                exposure: self.maybe(Self::money)?,
                exposure_per_borrower: self.maybe(Self::money)?,
                regions: self.list(REGIONS_MAX, Self::u32)?,
                ends_on: self.maybe(Self::day)?,
            },
            funders: self
                .list(FUNDERS_MAX, |reader| Some(Funder { id: reader.u128()?, share: reader.percent()? }))?,
            is_stopped: self.flag()?,
            fees: Fees {
                disbursement: self.maybe(Self::fee)?,
                instalment: self.maybe(Self::fee)?,
                late: self
                    .maybe(|reader| Some(LateFee { rule: reader.fee()?, after_days: reader.u16()? }))?,
            },
            holidays: self.maybe(Self::holidays)?.map(Arc::new),
            draws_max: self.maybe(Self::u16)?,
            line: self.line_kind()?,
            write_off_days: self.maybe(Self::u16)?,
            subsidy: self.maybe(|reader| {
                Some(Subsidy {
                    party: reader.u128()?,
                    points: reader.percent()?,
                    share_max: reader.percent()?,
                    borrower_max: reader.maybe(Self::money)?,
                })
            })?,
            compensation: self.maybe(|reader| {
                Some(Compensation {
                    party: reader.u128()?,
                    share: reader.percent()?,
                    loan_max: reader.maybe(Self::money)?,
                })
            })?,
            collects_in_full: self.flag()?,
        })
    }

    fn fee(&mut self) -> Option<FeeRule> {
        Some(FeeRule { amount: self.money()?, percent: self.percent()? })
    }

    fn holidays(&mut self) -> Option<Holidays> {
        let roll = self.roll()?;
        let places = self.list(WEEKDAYS.len(), Self::u8)?;
        let weekend = places.iter().map(|place| WEEKDAYS.get(usize::from(*place)).map(|(day, _)| *day));
        Some(Holidays {
            roll,
            weekend: weekend.collect::<Option<Vec<_>>>()?,
            days_off: self.list(HOLIDAYS_MAX, Self::day)?,
            working_days: self.list(HOLIDAYS_MAX, Self::day)?,
        })
    }

    fn allocation(&mut self) -> Option<Allocation> {
        let all: Vec<Target> = Target::all().collect();
        let order =
            (0..TARGETS).map(|_| all.get(usize::from(self.u8()?)).copied()).collect::<Option<Vec<_>>>()?;
        Allocation::new(&order, self.direction()?)
    }

    fn classes(&mut self) -> Option<Classes> {
        Some(Classes {
            more_days_than: [self.u16()?, self.u16()?, self.u16()?, self.u16()?],
            stage_days: [self.u16()?, self.u16()?],
            non_accrual_days: self.u16()?,
            provision: [self.percent()?, self.percent()?, self.percent()?, self.percent()?, self.percent()?],
        })
    }
}
