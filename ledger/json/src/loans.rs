//! Loan events in JSON. An event stands in the line itself, or several in its `events`.

use crate::terms::{Fields, STATED, day, percent, period, stated_terms};
use crate::{Json, Path, Wrong, boolean, id, integer, list, money, text};
use fen_book::loan::allocation::InAdvance;
use fen_book::loan::event::ChargeKind;
use fen_book::loan::order::{Facts, LoanAct, LoanOrder, Opening, Reschedule};
use fen_book::{AccountId, Amount, BusinessDate, EVENTS_MAX};
use fen_terms::Day;
use std::borrow::Cow;

/// The ops of loan events.
pub const LOAN_OPS: [&str; 14] = [
    "open_line",
    "disburse",
    "repay",
    "prepay",
    "charge",
    "waive",
    "reverse",
    "chargeback",
    "refund",
    "reschedule",
    "charge_off",
    "write_off",
    "recover",
    "sell",
];

/// A loan event as it was sent: which loan and which day may be left out where the ledger knows them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoanEvent {
    id: u128,
    loan_id: Option<u128>,
    effective_on: Option<Day>,
    act: LoanAct,
}

/// The events of a line, `op` being one of [`LOAN_OPS`].
pub fn loan_events(
    op: &str,
    json: &Json,
    fields: &[(Cow<'_, str>, Json<'_>)],
) -> Result<Vec<LoanEvent>, Wrong> {
    let line = Path::Line;
    let Some((_, events)) = fields.iter().find(|(name, _)| name == "events") else {
        return Ok(vec![loan_event(op, json, &line, &["op"])?]);
    };
    Fields::of(json, &line, &["op", "events"])?;
    let path = line.field("events");
    let events = list(events, &path)?;
    if events.len() > EVENTS_MAX {
        return Err(path.wrong(format!("{} elements; a command takes at most {EVENTS_MAX}", events.len())));
    }
    events.iter().enumerate().map(|(index, json)| loan_event(op, json, &path.element(index), &[])).collect()
}

const OPENING: [&str; 9] = [
    "product_id",
    "account_id",
    "amount",
    "decision",
    "model_version",
    "score",
    "region",
    "first_time_borrower",
    "collateral",
];

/// The fields of an op beside `id`, `loan_id` and `effective_on`.
fn own_fields(op: &str) -> Vec<&'static str> {
    match op {
        "open_line" | "disburse" => OPENING.into_iter().chain(STATED).collect(),
        "repay" => vec!["account_id", "amount", "in_advance"],
        "prepay" | "chargeback" | "refund" | "recover" => vec!["account_id", "amount"],
        "charge" => vec!["kind", "amount", "due_on"],
        "waive" => vec!["event_id", "kind", "amount"],
        "reverse" => vec!["event_id"],
        "reschedule" => vec!["from", "to", "rate", "periods", "first_due_on", "period", "reamortise"],
        "sell" => vec!["owner"],
        _ => Vec::new(),
    }
}

fn loan_event(op: &str, json: &Json, path: &Path, beside: &[&str]) -> Result<LoanEvent, Wrong> {
    let known: Vec<&str> =
        beside.iter().copied().chain(["id", "loan_id", "effective_on"]).chain(own_fields(op)).collect();
    let fields = Fields::of(json, path, &known)?;
    Ok(LoanEvent {
        id: fields.may("id", id)?.unwrap_or_default(),
        loan_id: fields.may("loan_id", id)?,
        effective_on: fields.may("effective_on", day)?,
        act: act(op, &fields)?,
    })
}

fn act(op: &str, fields: &Fields) -> Result<LoanAct, Wrong> {
    let account_id = fields.may("account_id", id)?.map(AccountId::new).unwrap_or_default();
    let amount = fields.may("amount", money)?.map(Amount::new).unwrap_or_default();
    let event_id = fields.may("event_id", id)?.unwrap_or_default();
    Ok(match op {
        "open_line" => LoanAct::OpenLine(Box::new(opening(fields, account_id, amount)?)),
        "disburse" => LoanAct::Disburse(Box::new(opening(fields, account_id, amount)?)),
        "repay" => LoanAct::Repay { account_id, amount, in_advance: fields.may("in_advance", in_advance)? },
        "prepay" => LoanAct::Prepay { account_id, amount },
        "charge" => LoanAct::Charge {
            kind: fields.must("kind", charge_kind)?,
            amount,
            due_on: match fields.may("due_on", day)? {
                Some(due_on) => business_date(due_on),
                None => fields.may("effective_on", day)?.map(business_date).unwrap_or_default(),
            },
        },
        "waive" => {
            LoanAct::Waive { event_id, forgive: fields.may("kind", charge_kind)?.map(|kind| (kind, amount)) }
        }
        "reverse" => LoanAct::Reverse { event_id },
        "chargeback" => LoanAct::Chargeback { account_id, amount },
        "refund" => LoanAct::Refund { account_id, amount },
        "reschedule" => reschedule(fields)?,
        "charge_off" => LoanAct::ChargeOff,
        "write_off" => LoanAct::WriteOff,
        "recover" => LoanAct::Recover { account_id, amount },
        _ => LoanAct::Sell { owner: fields.may("owner", id)?.unwrap_or_default() },
    })
}

fn opening(fields: &Fields, account_id: AccountId, amount: Amount) -> Result<Opening, Wrong> {
    Ok(Opening {
        product_id: fields.may("product_id", id)?.unwrap_or_default(),
        account_id,
        amount,
        terms: stated_terms(fields, None)?,
        facts: Facts {
            decision: fields.may("decision", id)?.unwrap_or_default(),
            model_version: fields.may("model_version", integer)?.unwrap_or_default(),
            score: fields.may("score", integer)?.unwrap_or_default(),
            region: fields.may("region", integer)?.unwrap_or_default(),
            is_first_time_borrower: fields.may("first_time_borrower", boolean)?.unwrap_or_default(),
            collateral: fields.may("collateral", id)?.unwrap_or_default(),
        },
    })
}

fn reschedule(fields: &Fields) -> Result<LoanAct, Wrong> {
    let shift = match (fields.may("from", day)?, fields.may("to", day)?) {
        (Some(from), Some(to)) => Some((business_date(from), business_date(to))),
        (None, None) => None,
        (Some(from), None) => Some((business_date(from), business_date(fields.must("to", day)?))),
        (None, Some(to)) => Some((business_date(fields.must("from", day)?), business_date(to))),
    };
    Ok(LoanAct::Reschedule(Reschedule {
        shift,
        rate: fields.may("rate", percent)?,
        periods: fields.may("periods", integer)?,
        first_due_on: fields.may("first_due_on", day)?.map(business_date),
        period: fields.may("period", period)?,
        is_reamortisation: fields.may("reamortise", boolean)?.unwrap_or_default(),
    }))
}

/// Where a repayment in advance goes.
pub fn in_advance(json: &Json, at: &Path) -> Result<InAdvance, Wrong> {
    InAdvance::from_name(text(json, at)?)
        .ok_or_else(|| at.wrong("must be one of next_instalments, last_instalments, spread"))
}

fn charge_kind(json: &Json, at: &Path) -> Result<ChargeKind, Wrong> {
    match text(json, at)? {
        "fee" => Ok(ChargeKind::Fee),
        "penalty" => Ok(ChargeKind::Penalty),
        _ => Err(at.wrong("must be fee or penalty")),
    }
}

/// A day as the book counts it.
pub fn business_date(day: Day) -> BusinessDate {
    BusinessDate::new(day.number())
}

impl LoanEvent {
    /// The order for the ledger, which fills in what is left out: the loan of the event that is waived or reversed,
    /// and the business date. A waiver or reversal without an id gets the complement of its event's, so that a retry
    /// is known as one.
    pub fn order(self) -> LoanOrder {
        let names_only_an_event = !matches!(self.act, LoanAct::Waive { forgive: Some(_), .. });
        let id = match self.act.event() {
            Some(event_id) if self.id == 0 && names_only_an_event => !event_id,
            Some(_) | None => self.id,
        };
        LoanOrder {
            id,
            loan_id: self.loan_id.unwrap_or_default(),
            effective_on: self.effective_on.map(business_date).unwrap_or_default(),
            act: self.act,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{object, parse};

    fn read(op: &str, text: &str) -> Result<Vec<LoanEvent>, String> {
        let json = parse(text).unwrap();
        loan_events(op, &json, object(&json, &Path::Line).unwrap()).map_err(|wrong| wrong.field)
    }

    #[test]
    fn an_event_stands_in_the_line_or_in_a_list() {
        let flat =
            r#"{"op":"repay","id":"7","loan_id":1,"account_id":2,"amount":"50","effective_on":"2026-03-02"}"#;
        let listed = r#"{"op":"repay","events":[{"id":7,"loan_id":1,"account_id":2,"amount":50,"effective_on":"2026-03-02"}]}"#;
        assert_eq!(read("repay", flat).unwrap(), read("repay", listed).unwrap());
        assert_eq!(read("repay", &flat.replace("amount", "amont")), Err("amont".into()));
        assert_eq!(read("repay", &listed.replace("amount", "amont")), Err("events[0].amont".into()));
        assert_eq!(read("repay", &listed.replace("]}", "],\"id\":1}")), Err("id".into()));
        assert_eq!(read("repay", &flat.replace("03-02", "02-30")), Err("effective_on".into()));
    }

    #[test]
    fn every_op_has_its_own_fields() {
        for op in LOAN_OPS {
            let more = match op {
                "charge" => r#","kind":"penalty","due_on":"2026-04-01","amount":"5""#,
                "reschedule" => r#","from":"2026-04-01","to":"2026-04-15""#,
                "disburse" => {
                    r#","product_id":1,"amount":"5","rounding":{"mode":"half_up","to":"1"},"score":600"#
                }
                _ => "",
            };
            let line = format!(r#"{{"op":"{op}","id":1,"loan_id":2,"effective_on":"2026-03-02"{more}}}"#);
            assert!(read(op, &line).is_ok(), "{op}");
            assert_eq!(read(op, &line.replace("loan_id", "lone_id")), Err("lone_id".into()), "{op}");
        }
        assert_eq!(read("charge", r#"{"kind":"tax"}"#), Err("kind".into()));
        assert_eq!(read("reschedule", r#"{"from":"2026-04-01"}"#), Err("to".into()));
    }
}
