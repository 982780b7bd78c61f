//! `put_product` in JSON: the terms and rules that its loans share.

use super::loans::in_advance;
use crate::terms::{Fields, STATED, day, percent, stated_terms};
use crate::{Json, Path, Wrong, boolean, id, integer, list, text};
use fen_book::LedgerCode;
use fen_book::loan::allocation::{Allocation, Direction, TARGETS, Target};
use fen_book::loan::classes::Classes;
use fen_book::loan::contract::{DownPaymentFrom, InterestOn, Prepayment, SettlementDay};
use fen_book::loan::fees::{FeeRule, Fees, LateFee};
use fen_book::loan::holidays::{Holidays, Roll, WEEKDAYS};
use fen_book::loan::money::{MONEY_MAX, Money};
use fen_book::loan::product::{Band, Funder, Limits, LineKind, Product};
use fen_book::loan::subsidy::{Compensation, Subsidy};
use fen_terms::{Currency, Percent};
use std::borrow::Cow;
use std::sync::Arc;

/// The fields of a product beside its terms.
const RULES: [&str; 32] = [
    "op",
    "id",
    "ledger",
    "amount_min",
    "amount_max",
    "periods_min",
    "periods_max",
    "rate_min",
    "rate_max",
    "allocation",
    "in_advance",
    "prepayment",
    "interest_on",
    "settlement_day_bears_interest",
    "settlement_bears_interest_to",
    "down_payment_from",
    "penalty_multiple",
    "auto_debit",
    "partial_collection",
    "classification",
    "provisioning",
    "limits",
    "funders",
    "stopped",
    "stages",
    "fees",
    "holidays",
    "draws_max",
    "line",
    "write_off_after_days",
    "subsidy",
    "compensation",
];

/// Interest for lateness where a product does not say: one and a half times the rate.
const PENALTY_MULTIPLE: Option<Percent> = Percent::new(3, 2);

/// The products of a line: those in its `events`, or the line itself as the only one.
pub fn products(json: &Json, fields: &[(Cow<'_, str>, Json<'_>)]) -> Result<Vec<Product>, Wrong> {
    let line = Path::Line;
    let Some((_, events)) = fields.iter().find(|(name, _)| name == "events") else {
        return Ok(vec![product(json, &line)?]);
    };
    Fields::of(json, &line, &["op", "events"])?;
    let path = line.field("events");
    list(events, &path)?.iter().enumerate().map(|(index, json)| product(json, &path.element(index))).collect()
}

fn product(json: &Json, at: &Path) -> Result<Product, Wrong> {
    let known: Vec<&str> = RULES.into_iter().chain(STATED).collect();
    let fields = Fields::of(json, at, &known)?;
    let band = |min: &str, max: &str| Ok(Band { min: fields.may(min, minor)?, max: fields.may(max, minor)? });
    let ledger = fields.may("ledger", integer)?.unwrap_or_default();
    Ok(Product {
        id: fields.may("id", id)?.unwrap_or_default(),
        ledger: LedgerCode::new(ledger),
        terms: stated_terms(&fields, Currency::from_number(ledger))?,
        amount: band("amount_min", "amount_max")?,
        periods: Band { min: fields.may("periods_min", integer)?, max: fields.may("periods_max", integer)? },
        rate: Band { min: fields.may("rate_min", percent)?, max: fields.may("rate_max", percent)? },
        allocation: fields.may("allocation", allocation)?.unwrap_or_default(),
        in_advance: fields.may("in_advance", in_advance)?.unwrap_or_default(),
        prepayment: fields.may("prepayment", prepayment)?.unwrap_or_default(),
        interest_on: fields.may("interest_on", interest_on)?.unwrap_or_default(),
        settlement_day: settlement_day(&fields)?,
        down_payment_from: fields.may("down_payment_from", down_payment_from)?.unwrap_or_default(),
        penalty_multiple: fields.may("penalty_multiple", percent)?.map_or(PENALTY_MULTIPLE, Some),
        collects: fields.may("auto_debit", boolean)?.unwrap_or_default(),
        collects_in_full: !fields.may("partial_collection", boolean)?.unwrap_or(true),
        classes: classes(&fields)?,
        limits: fields.may("limits", limits)?.unwrap_or_default(),
        funders: fields.may("funders", funders)?.unwrap_or_default(),
        is_stopped: fields.may("stopped", boolean)?.unwrap_or_default(),
        fees: fields.may("fees", fees)?.unwrap_or_default(),
        holidays: fields.may("holidays", holidays)?.map(Arc::new),
        draws_max: fields.may("draws_max", integer)?,
        line: fields.may("line", line_kind)?.unwrap_or_default(),
        write_off_days: fields.may("write_off_after_days", integer)?,
        subsidy: fields.may("subsidy", subsidy)?,
        compensation: fields.may("compensation", compensation)?,
    })
}

/// Up to which day a loan bears interest that is settled early.
fn settlement_day(fields: &Fields) -> Result<SettlementDay, Wrong> {
    let bears_interest = fields.may("settlement_day_bears_interest", boolean)?.unwrap_or_default();
    let of_the_day = if bears_interest { SettlementDay::BearsInterest } else { SettlementDay::Free };
    let to = fields.may("settlement_bears_interest_to", |json, at| match text(json, at)? {
        "settlement_day" => Ok(of_the_day),
        "next_due_day" => Ok(SettlementDay::BearsToNextDueDay),
        _ => Err(at.wrong("must be settlement_day or next_due_day")),
    })?;
    Ok(to.unwrap_or(of_the_day))
}

fn down_payment_from(json: &Json, at: &Path) -> Result<DownPaymentFrom, Wrong> {
    DownPaymentFrom::from_name(text(json, at)?).ok_or_else(|| at.wrong("must be repayment or draw"))
}

/// What is charged of itself: at disbursement, with each instalment, for a late one.
fn fees(json: &Json, at: &Path) -> Result<Fees, Wrong> {
    let fields = Fields::of(json, at, &["disbursement", "instalment", "late"])?;
    let plain = |json: &Json, at: &Path| fee_rule(&Fields::of(json, at, &["amount", "percent"])?);
    Ok(Fees {
        disbursement: fields.may("disbursement", plain)?,
        instalment: fields.may("instalment", plain)?,
        late: fields.may("late", |json, at| {
            let fields = Fields::of(json, at, &["amount", "percent", "after_days"])?;
            let after_days = fields.may("after_days", integer)?.unwrap_or(1);
            Ok(LateFee { rule: fee_rule(&fields)?, after_days })
        })?,
    })
}

fn fee_rule(fields: &Fields) -> Result<FeeRule, Wrong> {
    Ok(FeeRule {
        amount: fields.may("amount", minor)?.unwrap_or_default(),
        percent: fields.may("percent", percent)?.unwrap_or(Percent::ZERO),
    })
}

fn holidays(json: &Json, at: &Path) -> Result<Holidays, Wrong> {
    let fields = Fields::of(json, at, &["roll", "weekend", "days", "working_days"])?;
    let weekdays = |json: &Json, at: &Path| {
        let weekday = |(index, json)| {
            let at = at.element(index);
            let name = text(json, &at)?;
            let known = WEEKDAYS.iter().find(|(_, known)| *known == name);
            known.map(|(day, _)| *day).ok_or_else(|| at.wrong("must be a day of the week, such as sunday"))
        };
        list(json, at)?.iter().enumerate().map(weekday).collect()
    };
    let days = |json: &Json, at: &Path| {
        list(json, at)?.iter().enumerate().map(|(index, json)| day(json, &at.element(index))).collect()
    };
    Ok(Holidays {
        roll: fields.may("roll", roll)?.unwrap_or_default(),
        weekend: fields.may("weekend", weekdays)?.unwrap_or_default(),
        days_off: fields.may("days", days)?.unwrap_or_default(),
        working_days: fields.may("working_days", days)?.unwrap_or_default(),
    })
}

fn roll(json: &Json, at: &Path) -> Result<Roll, Wrong> {
    let known = Roll::ALL.map(Roll::name).join(", ");
    Roll::from_name(text(json, at)?).ok_or_else(|| at.wrong(format!("must be one of {known}")))
}

fn line_kind(json: &Json, at: &Path) -> Result<LineKind, Wrong> {
    LineKind::from_name(text(json, at)?).ok_or_else(|| at.wrong("must be revolving or closed_end"))
}

/// Who bears a part of the interest: percentage points a year, at most a share of it, at most so much a borrower.
fn subsidy(json: &Json, at: &Path) -> Result<Subsidy, Wrong> {
    let fields = Fields::of(json, at, &["party", "points", "share_max", "per_borrower"])?;
    Ok(Subsidy {
        party: fields.must("party", id)?,
        points: fields.must("points", percent)?,
        share_max: fields.must("share_max", percent)?,
        borrower_max: fields.may("per_borrower", minor)?,
    })
}

/// Who makes good a part of the loss: a share of it, at most so much a loan.
fn compensation(json: &Json, at: &Path) -> Result<Compensation, Wrong> {
    let fields = Fields::of(json, at, &["party", "share", "per_loan"])?;
    Ok(Compensation {
        party: fields.must("party", id)?,
        share: fields.must("share", percent)?,
        loan_max: fields.may("per_loan", minor)?,
    })
}

/// An amount in minor units, no larger than loans may be.
fn minor(json: &Json, at: &Path) -> Result<Money, Wrong> {
    let amount: u128 = integer(json, at)?;
    let bounded = if amount > MONEY_MAX { None } else { i128::try_from(amount).ok() };
    bounded.map(Money::new).ok_or_else(|| at.wrong(format!("is beyond the largest, {MONEY_MAX}")))
}

fn allocation(json: &Json, at: &Path) -> Result<Allocation, Wrong> {
    let fields = Fields::of(json, at, &["order", "direction"])?;
    let direction = fields.may("direction", direction)?.unwrap_or_default();
    let Some(order) = fields.may("order", targets)? else {
        let mut allocation = Allocation::default();
        allocation.direction = direction;
        return Ok(allocation);
    };
    Allocation::new(&order, direction)
        .ok_or_else(|| at.field("order").wrong(format!("must name each of the {TARGETS} entries once")))
}

fn targets(json: &Json, at: &Path) -> Result<Vec<Target>, Wrong> {
    let target = |(index, json)| {
        let at = at.element(index);
        Target::from_name(text(json, &at)?).ok_or_else(|| {
            at.wrong("must be past_due, due or in_advance, a point, and penalty, fee, interest or principal")
        })
    };
    list(json, at)?.iter().enumerate().map(target).collect()
}

fn direction(json: &Json, at: &Path) -> Result<Direction, Wrong> {
    Direction::from_name(text(json, at)?).ok_or_else(|| at.wrong("must be horizontal or vertical"))
}

fn prepayment(json: &Json, at: &Path) -> Result<Prepayment, Wrong> {
    let known = Prepayment::ALL.map(Prepayment::name).join(", ");
    Prepayment::from_name(text(json, at)?).ok_or_else(|| at.wrong(format!("must be one of {known}")))
}

fn interest_on(json: &Json, at: &Path) -> Result<InterestOn, Wrong> {
    InterestOn::from_name(text(json, at)?).ok_or_else(|| at.wrong("must be schedule or balance"))
}

/// What is not stated stays as regulators' defaults have it.
fn classes(fields: &Fields) -> Result<Classes, Wrong> {
    let mut classes = Classes::default();
    let thresholds = ["special_mention", "substandard", "doubtful", "loss"];
    fields.may("classification", |json, at| {
        let known: Vec<&str> = thresholds.into_iter().chain(["non_accrual"]).collect();
        let fields = Fields::of(json, at, &known)?;
        for (days, name) in classes.more_days_than.iter_mut().zip(thresholds) {
            *days = fields.may(name, integer)?.unwrap_or(*days);
        }
        classes.non_accrual_days = fields.may("non_accrual", integer)?.unwrap_or(classes.non_accrual_days);
        Ok(())
    })?;
    fields.may("stages", |json, at| {
        let fields = Fields::of(json, at, &["stage_2", "stage_3"])?;
        for (days, name) in classes.stage_days.iter_mut().zip(["stage_2", "stage_3"]) {
            *days = fields.may(name, integer)?.unwrap_or(*days);
        }
        Ok(())
    })?;
    fields.may("provisioning", |json, at| {
        let names = ["normal", "special_mention", "substandard", "doubtful", "loss"];
        let fields = Fields::of(json, at, &names)?;
        for (rate, name) in classes.provision.iter_mut().zip(names) {
            *rate = fields.may(name, percent)?.unwrap_or(*rate);
        }
        Ok(())
    })?;
    Ok(classes)
}

fn limits(json: &Json, at: &Path) -> Result<Limits, Wrong> {
    let fields =
        Fields::of(json, at, &["borrowers", "exposure", "exposure_per_borrower", "regions", "ends_on"])?;
    let regions = |json: &Json, at: &Path| {
        list(json, at)?.iter().enumerate().map(|(index, json)| integer(json, &at.element(index))).collect()
    };
    Ok(Limits {
        borrowers: fields.may("borrowers", integer)?,
        exposure: fields.may("exposure", minor)?,
        exposure_per_borrower: fields.may("exposure_per_borrower", minor)?,
        regions: fields.may("regions", regions)?.unwrap_or_default(),
        ends_on: fields.may("ends_on", day)?,
    })
}

fn funders(json: &Json, at: &Path) -> Result<Vec<Funder>, Wrong> {
    let funder = |(index, json)| {
        let at = at.element(index);
        let fields = Fields::of(json, &at, &["id", "share"])?;
        Ok(Funder { id: fields.must("id", id)?, share: fields.must("share", percent)? })
    };
    list(json, at)?.iter().enumerate().map(funder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;
    use fen_book::loan::classes::Class;

    fn read(text: &str) -> Result<Product, String> {
        product(&parse(text).unwrap(), &Path::Line).map_err(|wrong| wrong.field)
    }

    #[test]
    fn a_product_states_terms_and_rules() {
        let read = read(
            r#"{"op":"put_product","id":"5","ledger":156,"daily_rate":"0.05","period":{"unit":"month","every":1},
            "day_count":"act/360","rounding":{"mode":"half_even","to":"1","instalment_to":"100"},
            "allocation":{"direction":"vertical"},"prepayment":"shorten_term","interest_on":"balance",
            "penalty_multiple":"1.5","amount_min":"50000","amount_max":"30000000","periods_min":5,
            "classification":{"substandard":60,"non_accrual":60},"stages":{"stage_3":61},
            "provisioning":{"normal":"1.5","loss":"100"},"limits":{"borrowers":10,"regions":[31],"ends_on":"2027-01-01"},
            "funders":[{"id":9,"share":"70"}],"stopped":true}"#,
        )
        .unwrap();
        assert_eq!(read.classes.more_days_than, [0, 60, 270, 360]);
        assert_eq!(read.classes.stage_days, [30, 61]);
        assert_eq!(Some(read.classes.provision_of(Class::Normal)), Percent::new(3, 2));
        assert_eq!(read.allocation.direction, Direction::Vertical);
        assert_eq!(read.amount.max, Some(Money::new(30_000_000)));
        assert!(read.first_contradiction().is_none(), "{:?}", read.first_contradiction());
    }

    #[test]
    fn interest_for_lateness_is_one_and_a_half_times_the_rate_unless_stated() {
        assert_eq!(read(r#"{"id":1}"#).unwrap().penalty_multiple, Percent::new(3, 2));
        assert_eq!(read(r#"{"id":1,"penalty_multiple":"0"}"#).unwrap().penalty_multiple, Some(Percent::ZERO));
    }

    #[test]
    fn a_product_charges_rolls_and_shares() {
        let read = read(
            r#"{"id":"5","ledger":156,"fees":{"disbursement":{"percent":"1"},"instalment":{"amount":"200"},
            "late":{"amount":"1000","percent":"5","after_days":3}},
            "holidays":{"roll":"modified_following","weekend":["saturday","sunday"],"days":["2026-10-01"]},
            "draws_max":4,"line":"closed_end","write_off_after_days":540,
            "subsidy":{"party":"9","points":"1","share_max":"50","per_borrower":"300000"},
            "compensation":{"party":"8","share":"80","per_loan":"5000000"}}"#,
        )
        .unwrap();
        assert_eq!(read.fees.late.map(|late| late.after_days), Some(3));
        assert_eq!(read.holidays.as_ref().map(|table| table.weekend.len()), Some(2));
        assert_eq!(
            (read.line, read.draws_max, read.write_off_days),
            (LineKind::ClosedEnd, Some(4), Some(540))
        );
        assert_eq!(read.subsidy.and_then(|subsidy| subsidy.borrower_max), Some(Money::new(300_000)));
        assert!(read.first_contradiction().is_none(), "{:?}", read.first_contradiction());
    }

    #[test]
    fn rounding_to_a_fraction_can_only_be_meant_in_major_units() {
        let unit = |to: &str| {
            let text = format!(r#"{{"ledger":156,"rounding":{{"mode":"half_even","to":"{to}"}}}}"#);
            read(&text).unwrap().terms.rounding.unwrap().to.get()
        };
        assert_eq!((unit("1"), unit("0.01"), unit("100"), unit("1.00")), (1, 1, 100, 100));
    }

    #[test]
    fn a_mistake_in_a_product_is_named() {
        for (text, field) in [
            (r#"{"allocation":{"order":["past_due.penalty"]}}"#, "allocation.order"),
            (r#"{"allocation":{"order":["past_due.tax"]}}"#, "allocation.order[0]"),
            (r#"{"provisioning":{"normal":"many"}}"#, "provisioning.normal"),
            (r#"{"limits":{"regions":[1,"x"]}}"#, "limits.regions[1]"),
            (r#"{"funders":[{"id":1}]}"#, "funders[0].share"),
            (r#"{"amount_max":"9999999999999999999999"}"#, "amount_max"),
            (r#"{"rounding":{"mode":"half_even","to":"0.01"}}"#, "rounding.to"),
            (r#"{"ledger":392,"rounding":{"mode":"half_even","to":"0.01"}}"#, "rounding.to"),
            (r#"{"fees":{"late":{"percent":"x"}}}"#, "fees.late.percent"),
            (r#"{"holidays":{"weekend":["someday"]}}"#, "holidays.weekend[0]"),
            (r#"{"subsidy":{"party":1}}"#, "subsidy.points"),
            (r#"{"line":"round"}"#, "line"),
            (r#"{"colour":1}"#, "colour"),
        ] {
            assert_eq!(read(text), Err(field.into()), "{text}");
        }
    }
}
