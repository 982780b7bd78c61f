//! The portfolio for machines: amounts in minor units, as strings.

use super::{date, in_json};
use fen_book::loan::classes::Class;
use fen_book::loan::money::Money;
use fen_book::loan::portfolio::{AGEING, Portfolio, ProductPortfolio, Slice};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct PortfolioJson {
    as_of: Option<String>,
    products: Vec<ProductJson>,
}

#[derive(Serialize)]
struct ProductJson {
    product_id: String,
    ledger: u32,
    approved: u64,
    open: SliceJson,
    borrowers: u64,
    closed: u64,
    given_up: SliceJson,
    recovered: String,
    sold: SliceJson,
    drawn_loans: u64,
    drawn: String,
    first_time_loans: u64,
    first_time_drawn: String,
    non_performing: String,
    non_performing_parts_per_million: Option<u64>,
    non_accrual: SliceJson,
    classes: BTreeMap<&'static str, SliceJson>,
    stages: BTreeMap<&'static str, SliceJson>,
    ageing: Vec<BucketJson>,
    vintages: Vec<VintageJson>,
    funders: Vec<FunderJson>,
    subsidy_billed: String,
    compensation_billed: String,
}

#[derive(Serialize)]
struct SliceJson {
    loans: u64,
    principal: String,
    provision: String,
}

#[derive(Serialize)]
struct BucketJson {
    days_past_due: &'static str,
    loans: u64,
    principal: String,
    provision: String,
}

#[derive(Serialize)]
struct VintageJson {
    month: String,
    loans: u64,
    drawn: String,
    principal: String,
    principal_past_due_30: String,
    principal_past_due_90: String,
    written_off: String,
}

#[derive(Serialize)]
struct FunderJson {
    id: String,
    at_stake: String,
}

fn minor(money: Money) -> String {
    money.get().to_string()
}

fn slice(slice: &Slice) -> SliceJson {
    SliceJson { loans: slice.loans, principal: minor(slice.principal), provision: minor(slice.provision) }
}

/// The portfolio as one object.
pub fn portfolio(portfolio: &Portfolio) -> String {
    in_json(&PortfolioJson {
        as_of: portfolio.as_of.map(date),
        products: portfolio.products.iter().map(product).collect(),
    })
}

fn product(product: &ProductPortfolio) -> ProductJson {
    let classes = Class::ALL.iter().map(|class| class.name()).zip(product.classes.iter().map(slice));
    let stages = ["1", "2", "3"].into_iter().zip(product.stages.iter().map(slice));
    let ageing = AGEING.iter().zip(&product.ageing).map(|((name, _), part)| BucketJson {
        days_past_due: name,
        loans: part.loans,
        principal: minor(part.principal),
        provision: minor(part.provision),
    });
    let vintages = product.vintages.iter().map(|((year, month), vintage)| VintageJson {
        month: format!("{year}-{month:02}"),
        loans: vintage.loans,
        drawn: minor(vintage.drawn),
        principal: minor(vintage.principal),
        principal_past_due_30: minor(vintage.principal_past_due_30),
        principal_past_due_90: minor(vintage.principal_past_due_90),
        written_off: minor(vintage.written_off),
    });
    let funders = product.funders.iter();
    let funders = funders.map(|(id, stake)| FunderJson { id: id.to_string(), at_stake: minor(*stake) });
    let (bad, all) = (product.non_performing().get(), product.open.principal.get());
    ProductJson {
        product_id: product.product_id.to_string(),
        ledger: product.ledger.get(),
        approved: product.approved,
        open: slice(&product.open),
        borrowers: product.borrowers,
        closed: product.closed,
        given_up: slice(&product.given_up),
        recovered: minor(product.recovered),
        sold: slice(&product.sold),
        drawn_loans: product.drawn_loans,
        drawn: minor(product.drawn),
        first_time_loans: product.first_time_loans,
        first_time_drawn: minor(product.first_time_drawn),
        non_performing: minor(product.non_performing()),
        non_performing_parts_per_million: (bad * 1_000_000)
            .checked_div(all)
            .and_then(|parts| u64::try_from(parts).ok()),
        non_accrual: slice(&product.non_accrual),
        classes: classes.collect(),
        stages: stages.collect(),
        ageing: ageing.collect(),
        vintages: vintages.collect(),
        funders: funders.collect(),
        subsidy_billed: minor(product.subsidy_billed),
        compensation_billed: minor(product.compensation_billed),
    }
}
