//! Loan terms in JSON: the edge between the names that people write and the types that reckon.
//!
//! Money is in major units with the currency's decimals, rates are per cent; both are strings, so that no reader on
//! the way turns them into floats. A JSON number is taken too, in the digits that it was written with.

use crate::{Json, Path, Wrong, integer, list, object, text, unknown_field};
use fen_book::loan::product::StatedTerms;
use fen_terms::{
    Accrual, Amortisation, Currency, Day, DayCount, Draw, Fee, FlatBase, Grace, InterestMethod, LaterDraws,
    Money, Percent, Period, PeriodUnit, Rate, Rounding, RoundingMode, Terms, Timing,
};
use std::borrow::Cow;

/// Every field that terms have.
const FIELDS: [&str; 20] = [
    "principal",
    "currency",
    "annual_rate",
    "daily_rate",
    "periods",
    "period",
    "due_dates",
    "first_due_on",
    "amortisation",
    "interest",
    "interest_accrual",
    "day_count",
    "disbursed_on",
    "rounding",
    "down_payment_percent",
    "flat_base",
    "grace",
    "disbursements",
    "later_draws",
    "fees",
];

/// The terms that an object states, and the currency that its money is in.
pub fn terms(json: &Json) -> Result<(Terms, Currency), Wrong> {
    let fields = Fields::of(json, &Path::Line, &FIELDS)?;
    let currency = fields.must("currency", currency)?;
    let terms = Terms {
        principal: fields.must("principal", |json, at| money(json, at, currency))?,
        rate: rate(&fields)?,
        timing: timing(&fields)?,
        amortisation: fields.must("amortisation", amortisation)?,
        interest: fields.must("interest", interest)?,
        accrual: fields.must("interest_accrual", accrual)?,
        day_count: fields.must("day_count", day_count)?,
        disbursed_on: fields.must("disbursed_on", day)?,
        rounding: fields
            .must("rounding", |json, at| rounding(json, at, |json, at| money(json, at, currency)))?,
        down_payment: fields.may("down_payment_percent", percent)?,
        flat_base: fields.may("flat_base", flat_base)?.unwrap_or(FlatBase::Financed),
        grace: fields.may("grace", grace)?.unwrap_or_default(),
        disbursements: fields
            .may("disbursements", |json, at| dated(json, at, currency, |on, amount| Draw { on, amount }))?
            .unwrap_or_default(),
        later_draws: fields.may("later_draws", later_draws)?.unwrap_or(LaterDraws::RemainingTerm),
        fees: fields
            .may("fees", |json, at| dated(json, at, currency, |on, amount| Fee { on, amount }))?
            .unwrap_or_default(),
    };
    Ok((terms, currency))
}

/// The terms that a product, or a loan of it, may state, by the same names.
pub const STATED: [&str; 15] = [
    "annual_rate",
    "daily_rate",
    "periods",
    "period",
    "first_due_on",
    "due_dates",
    "amortisation",
    "interest",
    "interest_accrual",
    "day_count",
    "rounding",
    "down_payment_percent",
    "flat_base",
    "grace",
    "later_draws",
];

/// What of [`STATED`] an object states. Money is in minor units here; an amount with a point in it can only be meant
/// in major units, and is taken so where the currency is known.
pub fn stated_terms(fields: &Fields, currency: Option<Currency>) -> Result<StatedTerms, Wrong> {
    let rate = if fields.has("annual_rate") || fields.has("daily_rate") { Some(rate(fields)?) } else { None };
    Ok(StatedTerms {
        rate,
        periods: fields.may("periods", integer)?,
        period: fields.may("period", period)?,
        first_due_on: fields.may("first_due_on", day)?,
        due_dates: fields.may("due_dates", days)?,
        amortisation: fields.may("amortisation", amortisation)?,
        interest: fields.may("interest", interest)?,
        accrual: fields.may("interest_accrual", accrual)?,
        day_count: fields.may("day_count", day_count)?,
        rounding: fields
            .may("rounding", |json, at| rounding(json, at, |json, at| minor_money(json, at, currency)))?,
        down_payment: fields.may("down_payment_percent", percent)?,
        flat_base: fields.may("flat_base", flat_base)?,
        grace: fields.may("grace", grace)?,
        later_draws: fields.may("later_draws", later_draws)?,
    })
}

fn minor_money(json: &Json, at: &Path, currency: Option<Currency>) -> Result<Money, Wrong> {
    match (json, currency) {
        (Json::Text(text), Some(currency)) if text.contains('.') => money(json, at, currency),
        (Json::Number(digits), Some(currency)) if digits.contains('.') => money(json, at, currency),
        _ => integer(json, at).map(Money::new),
    }
}

/// The fields of one object, all of them known.
pub struct Fields<'j, 'a> {
    fields: &'j [(Cow<'a, str>, Json<'a>)],
    path: &'j Path<'j>,
}

impl<'j, 'a> Fields<'j, 'a> {
    /// The fields of `json`, which must be among `known`.
    pub fn of(json: &'j Json<'a>, path: &'j Path<'j>, known: &[&str]) -> Result<Self, Wrong> {
        let fields = object(json, path)?;
        match fields.iter().find(|(name, _)| !known.contains(&name.as_ref())) {
            Some((name, _)) => Err(unknown_field(&path.field(name), known)),
            None => Ok(Self { fields, path }),
        }
    }

    /// Whether a field is there; `null` is as good as absent.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(field, json)| field == name && *json != Json::Null)
    }

    /// A field that may be absent; `null` is as good as absent.
    pub fn may<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Json, &Path) -> Result<T, Wrong>,
    ) -> Result<Option<T>, Wrong> {
        let field = self.fields.iter().find(|(field, json)| field == name && *json != Json::Null);
        field.map(|(_, json)| read(json, &self.path.field(name))).transpose()
    }

    /// A field that must be there.
    pub fn must<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Json, &Path) -> Result<T, Wrong>,
    ) -> Result<T, Wrong> {
        self.may(name, read)?.ok_or_else(|| self.path.field(name).wrong("is missing"))
    }
}

/// Reads one of the choices that a type knows by name.
macro_rules! choices {
    ($($function:ident($choice:ty);)*) => {
        $(fn $function(json: &Json, at: &Path) -> Result<$choice, Wrong> {
            <$choice>::from_name(text(json, at)?).ok_or_else(|| {
                let known: Vec<&str> = <$choice>::ALL.iter().map(|choice| choice.name()).collect();
                at.wrong(format!("must be one of {}", known.join(", ")))
            })
        })*
    };
}

choices! {
    amortisation(Amortisation);
    interest(InterestMethod);
    accrual(Accrual);
    day_count(DayCount);
    period_unit(PeriodUnit);
    rounding_mode(RoundingMode);
    flat_base(FlatBase);
    later_draws(LaterDraws);
}

/// The digits of a figure, be it a string or a number.
fn figure<'j>(json: &'j Json<'_>, at: &Path, example: &str) -> Result<&'j str, Wrong> {
    match json {
        Json::Text(text) => Ok(text),
        Json::Number(digits) => Ok(digits),
        Json::Null | Json::Boolean(_) | Json::List(_) | Json::Object(_) => {
            Err(at.wrong(format!("must be a string such as {example}, not {}", json.kind())))
        }
    }
}

fn currency(json: &Json, at: &Path) -> Result<Currency, Wrong> {
    let code = text(json, at)?;
    Currency::from_code(code).ok_or_else(|| at.wrong(format!("'{code}' is no ISO 4217 code such as CNY")))
}

fn money(json: &Json, at: &Path, currency: Currency) -> Result<Money, Wrong> {
    let decimals = currency.decimals();
    let example = format!("\"{}\"", Money::new(1_000_000).display(decimals));
    let digits = figure(json, at, &example)?;
    Money::parse(digits, decimals).ok_or_else(|| {
        at.wrong(format!(
            "'{digits}' is no amount of {currency}; write it like {example}, {decimals} decimals at most"
        ))
    })
}

/// A percentage.
pub fn percent(json: &Json, at: &Path) -> Result<Percent, Wrong> {
    let digits = figure(json, at, "\"7.2\"")?;
    Percent::parse(digits).ok_or_else(|| {
        at.wrong(format!("'{digits}' is no percentage; write it like \"7.2\", from 0 to 10000"))
    })
}

/// A date.
pub fn day(json: &Json, at: &Path) -> Result<Day, Wrong> {
    let date = text(json, at)?;
    Day::parse(date).ok_or_else(|| {
        at.wrong(format!("'{date}' is no date from {} to {} like 2026-03-02", Day::MIN, Day::MAX))
    })
}

fn rate(fields: &Fields) -> Result<Rate, Wrong> {
    match (fields.may("annual_rate", percent)?, fields.may("daily_rate", percent)?) {
        (Some(annual), None) => Ok(Rate::annual(annual)),
        (None, Some(daily)) => Ok(Rate::daily(daily)),
        (None, None) => Err(fields.path.field("annual_rate").wrong("is missing; state it or daily_rate")),
        (Some(_), Some(_)) => {
            Err(fields.path.field("daily_rate").wrong("is given beside annual_rate; state one"))
        }
    }
}

fn timing(fields: &Fields) -> Result<Timing, Wrong> {
    let period = fields.may("period", period)?;
    let Some(due_dates) = fields.may("due_dates", days)? else {
        let periods = fields.must("periods", integer)?;
        let period = period.ok_or_else(|| fields.path.field("period").wrong("is missing"))?;
        return Ok(Timing::Regular { periods, period, first_due_on: fields.may("first_due_on", day)? });
    };
    // Both may be stated beside due_dates, which say them already, as long as they say the same.
    let counted = |periods: u16| usize::from(periods) == due_dates.len();
    if !fields.may("periods", integer)?.is_none_or(counted) {
        return Err(fields
            .path
            .field("periods")
            .wrong(format!("is not {}, the number of due_dates", due_dates.len())));
    }
    let first_due_on = fields.may("first_due_on", day)?;
    if first_due_on.is_some() && first_due_on != due_dates.first().copied() {
        return Err(fields.path.field("first_due_on").wrong("is not the first of due_dates"));
    }
    Ok(Timing::Dates { due_dates, period })
}

fn days(json: &Json, at: &Path) -> Result<Vec<Day>, Wrong> {
    list(json, at)?.iter().enumerate().map(|(index, json)| day(json, &at.element(index))).collect()
}

pub(crate) fn period(json: &Json, at: &Path) -> Result<Period, Wrong> {
    let fields = Fields::of(json, at, &["unit", "every"])?;
    Ok(Period { unit: fields.must("unit", period_unit)?, every: fields.may("every", integer)?.unwrap_or(1) })
}

fn rounding(
    json: &Json,
    at: &Path,
    unit: impl Fn(&Json, &Path) -> Result<Money, Wrong>,
) -> Result<Rounding, Wrong> {
    let fields = Fields::of(json, at, &["mode", "to", "instalment_to"])?;
    Ok(Rounding {
        mode: fields.must("mode", rounding_mode)?,
        to: fields.must("to", &unit)?,
        instalment_to: fields.may("instalment_to", &unit)?,
    })
}

fn grace(json: &Json, at: &Path) -> Result<Grace, Wrong> {
    let fields = Fields::of(json, at, &["principal", "interest", "interest_free"])?;
    let count = |name| fields.may(name, integer).map(Option::unwrap_or_default);
    Ok(Grace {
        principal: count("principal")?,
        interest: count("interest")?,
        interest_free: count("interest_free")?,
    })
}

/// A list of amounts with their days.
fn dated<T>(
    json: &Json,
    at: &Path,
    currency: Currency,
    make: impl Fn(Day, Money) -> T,
) -> Result<Vec<T>, Wrong> {
    let one = |(index, json)| {
        let at = at.element(index);
        let fields = Fields::of(json, &at, &["on", "amount"])?;
        Ok(make(fields.must("on", day)?, fields.must("amount", |json, at| money(json, at, currency))?))
    };
    list(json, at)?.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    const PLAIN: &str = r#"{"principal":"10000.00","currency":"CNY","annual_rate":"7.2","periods":12,
        "period":{"unit":"month","every":1},"amortisation":"equal_instalment","interest":"declining",
        "interest_accrual":"daily","day_count":"act/365","disbursed_on":"2026-01-31",
        "rounding":{"mode":"half_even","to":"0.01"}}"#;

    fn wrong_field(text: &str) -> String {
        terms(&parse(text).unwrap()).unwrap_err().field
    }

    #[test]
    fn plain_terms_are_read() {
        let (terms, currency) = terms(&parse(PLAIN).unwrap()).unwrap();
        assert_eq!(currency.code(), "CNY");
        assert_eq!(terms.principal, Money::new(1_000_000));
        assert_eq!(terms.rounding.to, Money::new(1));
        assert!(matches!(terms.timing, Timing::Regular { periods: 12, first_due_on: None, .. }));
    }

    #[test]
    fn null_is_absent_and_due_dates_may_be_counted() {
        let text = PLAIN.replace(
            "\"periods\":12",
            "\"periods\":2,\"due_dates\":[\"2026-02-28\",\"2026-03-31\"],\"first_due_on\":\"2026-02-28\",\"grace\":null",
        );
        let (terms, _) = terms(&parse(&text).unwrap()).unwrap();
        assert!(matches!(terms.timing, Timing::Dates { due_dates, .. } if due_dates.len() == 2));
        assert_eq!(wrong_field(&PLAIN.replace("\"CNY\"", "null")), "currency");
    }

    #[test]
    fn every_mistake_is_named_by_its_path() {
        let with = |from: &str, to: &str| {
            assert!(PLAIN.contains(from), "{from}");
            wrong_field(&PLAIN.replace(from, to))
        };
        assert_eq!(with("\"currency\":\"CNY\",", ""), "currency");
        assert_eq!(with("CNY", "cny"), "currency");
        assert_eq!(with("10000.00", "10000.001"), "principal");
        assert_eq!(with("\"10000.00\"", "-1"), "principal");
        assert_eq!(with("\"7.2\"", "\"seven\""), "annual_rate");
        assert_eq!(with("\"annual_rate\":\"7.2\",", ""), "annual_rate");
        assert_eq!(with("\"annual_rate\"", "\"daily_rate\":\"0.02\",\"annual_rate\""), "daily_rate");
        assert_eq!(with("month", "moon"), "period.unit");
        assert_eq!(with("half_even", "half_odd"), "rounding.mode");
        assert_eq!(with("2026-01-31", "2026-02-30"), "disbursed_on");
        assert_eq!(with("act/365", "act/366"), "day_count");
        assert_eq!(with("\"periods\":12", "\"periods\":65536"), "periods");
        assert_eq!(with("\"periods\":12", "\"due_dates\":[\"2026-02-28\"],\"periods\":12"), "periods");
        assert_eq!(with("\"periods\":12", "\"due_dates\":[\"2026-02-28\",\"x\"]"), "due_dates[1]");
        assert_eq!(
            with("\"periods\":12", "\"first_due_on\":\"2026-03-01\",\"due_dates\":[\"2026-02-28\"]"),
            "first_due_on"
        );
        assert_eq!(
            with("\"periods\":12", "\"periods\":12,\"fees\":[{\"on\":\"2026-02-28\"}]"),
            "fees[0].amount"
        );
        assert_eq!(with("\"periods\":12", "\"periods\":12,\"grace\":{\"principle\":1}"), "grace.principle");
        assert_eq!(with("\"periods\":12", "\"periods\":12,\"colour\":1"), "colour");
    }
}
