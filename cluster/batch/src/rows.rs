//! The fields of an item in CSV and NDJSON, by the same names and with the same meaning in both.

use crate::figure::{self, shown};
use crate::item::{Act, Item};
use crate::reason::{ItemFault, Reason};
use crate::rules::Rules;
use fen_book::loan::product::StatedTerms;
use fen_terms::{Day, Percent, Rate};

/// Every field.
pub const FIELDS: [&str; 14] = [
    "id",
    "instruction_id",
    "act",
    "loan_id",
    "product_id",
    "debit_account",
    "credit_account",
    "amount",
    "currency",
    "on",
    "periods",
    "annual_rate",
    "daily_rate",
    "first_due_on",
];

/// The fields' values, in their order; empty where there is none.
pub(crate) type Row<'a> = [&'a str; FIELDS.len()];

/// The longest id, as in ISO 20022.
const ID_CHARACTERS_MAX: usize = 35;

/// The item of a row. What is wrong with it is in the item: it is refused, and the rest of the file goes on.
pub(crate) fn item(row: &Row<'_>, rules: &Rules) -> Item {
    let [id, instruction_id, act, loan_id, product_id, debit, credit, amount, currency, on, ..] = *row;
    let mut item = Item {
        end_to_end_id: id.chars().take(ID_CHARACTERS_MAX).collect(),
        instruction_id: instruction_id.chars().take(ID_CHARACTERS_MAX).collect(),
        ..Item::default()
    };
    if id.is_empty() || id.len() > ID_CHARACTERS_MAX {
        item.note(ItemFault::new(Reason::FormatInvalid, "the id has no letters, or more than 35"));
    }
    match Act::from_name(act) {
        Some(act) => item.act = act,
        None => item.note(ItemFault::new(
            Reason::OperationInvalid,
            format!("'{}' is none of transfer, disburse, repay", shown(act)),
        )),
    }
    for (name, place, what) in [
        (debit, &mut item.debit, "account"),
        (credit, &mut item.credit, "account"),
        (loan_id, &mut item.loan_id, "loan"),
        (product_id, &mut item.product_id, "product"),
    ] {
        if name.is_empty() {
            continue;
        }
        if let Some(id) = rules.id(name) {
            *place = id;
        } else {
            let what = format!("'{}' is no id of any {what}", shown(name));
            item.fault.get_or_insert_with(|| Box::new(ItemFault::new(Reason::AccountIncorrect, what)));
        }
    }
    match figure::currency(currency) {
        Ok(currency) => {
            item.ledger = currency.number();
            match figure::amount(amount, currency) {
                Ok(minor) => item.amount = minor,
                Err(fault) => item.note(fault),
            }
        }
        Err(fault) => item.note(fault),
    }
    match day(on) {
        Ok(on) => item.on = on,
        Err(fault) => item.note(fault),
    }
    match stated(&row[10..]) {
        Ok(terms) => item.terms = terms,
        Err(fault) => item.note(fault),
    }
    item
}

/// A day, if one is given.
fn day(text: &str) -> Result<Option<Day>, ItemFault> {
    if text.is_empty() {
        return Ok(None);
    }
    let day = Day::parse(text);
    day.map(Some).ok_or_else(|| {
        ItemFault::new(Reason::DateInvalid, format!("'{}' is no date like 2026-03-02", shown(text)))
    })
}

/// What a loan states of its own: periods, annual rate, daily rate, first due day.
pub(crate) fn stated(values: &[&str]) -> Result<Option<Box<StatedTerms>>, ItemFault> {
    let [periods, annual, daily, first_due_on] = *values else { return Ok(None) };
    if values.iter().all(|value| value.is_empty()) {
        return Ok(None);
    }
    let wrong = |what: String| ItemFault::new(Reason::Narrative, what);
    let percent =
        |text: &str| Percent::parse(text).ok_or_else(|| wrong(format!("'{}' is no percentage", shown(text))));
    let rate = match (annual, daily) {
        ("", "") => None,
        (annual, "") => Some(Rate::annual(percent(annual)?)),
        ("", daily) => Some(Rate::daily(percent(daily)?)),
        _ => return Err(wrong("annual_rate and daily_rate are both given".to_owned())),
    };
    let periods = match periods {
        "" => None,
        text => Some(text.parse().map_err(|_| wrong(format!("'{}' is no number of periods", shown(text))))?),
    };
    Ok(Some(Box::new(StatedTerms {
        rate,
        periods,
        first_due_on: day(first_due_on)?,
        ..StatedTerms::default()
    })))
}
