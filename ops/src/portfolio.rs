//! `fen portfolio`: the loan book by class, stage, age and vintage.

use crate::desk::Books;
use crate::exit::{Exit, Failure, say};
use crate::ids::id;
use crate::print::{self, Column, count};
use clap::Args;
use fen_book::loan::classes::Class;
use fen_book::loan::money::Money;
use fen_book::loan::portfolio::{AGEING, Portfolio, ProductPortfolio, Slice};
use fen_json::report;
use fen_json::report::date;

/// The loan book: classes, stages, ageing, non-performing ratio, provisions, first-time borrowers, vintages.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  fen portfolio --data ./books
  fen portfolio --product 101 --data ./books --json
  fen portfolio --endpoint 127.0.0.1:7001 --certificates fen-dev

Figures are as of the business date. Ratios are of the principal outstanding; loans written off, charged off or sold
are counted apart.")]
pub(crate) struct Arguments {
    /// One product only, by its id.
    #[arg(long, value_name = "PRODUCT", value_parser = id)]
    product: Option<u128>,
    #[command(flatten)]
    books: Books,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let mut portfolio = arguments.books.desk()?.portfolio()?;
    if let Some(wanted) = arguments.product {
        portfolio.products.retain(|product| product.product_id == wanted);
        if portfolio.products.is_empty() {
            return Err(Failure::refused(format!("there is no product {wanted}")));
        }
    }
    say(&if json { report::portfolio(&portfolio) + "\n" } else { words(&portfolio) })?;
    Ok(Exit::Done)
}

fn words(portfolio: &Portfolio) -> String {
    if portfolio.products.is_empty() {
        return "There are no products.\n".to_owned();
    }
    let as_of = portfolio.as_of.map_or_else(|| "no day yet".to_owned(), date);
    let parts = portfolio.products.iter().map(of_product);
    format!("as of {as_of}\n\n") + &parts.collect::<Vec<_>>().join("\n")
}

/// A share in per cent with two decimals, rounded half up; nothing of nothing is none.
fn ratio(part: Money, whole: Money) -> String {
    let (Ok(part), Ok(whole)) = (u128::try_from(part.get()), u128::try_from(whole.get())) else {
        return "-".to_owned();
    };
    if whole == 0 {
        return "-".to_owned();
    }
    let hundredths = (part * 20_000 + whole) / (2 * whole);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn of_product(product: &ProductPortfolio) -> String {
    let ledger = product.ledger.get();
    let money = |money: Money| print::money(ledger, money.get());
    let mut out = format!("product {}, amounts in {}\n\n", product.product_id, print::currency(ledger));
    let facts = [
        ("open loans", count(product.open.loans)),
        ("borrowers", count(product.borrowers)),
        ("approved, not drawn", count(product.approved)),
        ("paid", count(product.closed)),
        ("principal outstanding", money(product.open.principal)),
        ("non-performing", money(product.non_performing())),
        ("non-performing ratio", ratio(product.non_performing(), product.open.principal)),
        ("non-accrual", money(product.non_accrual.principal)),
        ("provisions", money(product.open.provision)),
        ("first-time borrowers' share", ratio(product.first_time_drawn, product.drawn)),
        ("given up", money(product.given_up.principal)),
        ("recovered", money(product.recovered)),
        ("sold", money(product.sold.principal)),
        ("subsidies billed", money(product.subsidy_billed)),
        ("compensation billed", money(product.compensation_billed)),
    ];
    let columns = [Column::Text(""), Column::Figure("")];
    out += &print::table(&columns, facts.into_iter().map(|(name, figure)| vec![name.to_owned(), figure]));
    let slices = |head, names: Vec<String>, slices: &[Slice]| {
        let columns = [
            Column::Text(head),
            Column::Figure("loans"),
            Column::Figure("principal"),
            Column::Figure("share"),
            Column::Figure("provisions"),
        ];
        let rows = names.into_iter().zip(slices).map(|(name, slice)| {
            let share = ratio(slice.principal, product.open.principal);
            vec![name, count(slice.loans), money(slice.principal), share, money(slice.provision)]
        });
        String::from("\n") + &print::table(&columns, rows)
    };
    let classes = Class::ALL.iter().map(|class| class.name().replace('_', " ")).collect();
    out += &slices("class", classes, &product.classes);
    out += &slices("stage", ["1", "2", "3"].map(str::to_owned).to_vec(), &product.stages);
    out += &slices("days past due", AGEING.map(|(name, _)| name.to_owned()).to_vec(), &product.ageing);
    out += &vintages(product, money);
    out + &funders(product, money)
}

fn vintages(product: &ProductPortfolio, money: impl Fn(Money) -> String) -> String {
    if product.vintages.is_empty() {
        return String::new();
    }
    let columns = [
        Column::Text("vintage"),
        Column::Figure("loans"),
        Column::Figure("drawn"),
        Column::Figure("outstanding"),
        Column::Figure("30+ days"),
        Column::Figure("of drawn"),
        Column::Figure("90+ days"),
        Column::Figure("of drawn"),
        Column::Figure("written off"),
    ];
    let rows = product.vintages.iter().map(|((year, month), vintage)| {
        vec![
            format!("{year}-{month:02}"),
            count(vintage.loans),
            money(vintage.drawn),
            money(vintage.principal),
            money(vintage.principal_past_due_30),
            ratio(vintage.principal_past_due_30, vintage.drawn),
            money(vintage.principal_past_due_90),
            ratio(vintage.principal_past_due_90, vintage.drawn),
            money(vintage.written_off),
        ]
    });
    String::from("\n") + &print::table(&columns, rows)
}

fn funders(product: &ProductPortfolio, money: impl Fn(Money) -> String) -> String {
    if product.funders.is_empty() {
        return String::new();
    }
    let columns = [Column::Figure("funder"), Column::Figure("at stake (owed: -)")];
    let rows = product.funders.iter().map(|(id, stake)| vec![id.to_string(), money(*stake)]);
    String::from("\n") + &print::table(&columns, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_rounded_once() {
        let of = |part, whole| ratio(Money::new(part), Money::new(whole));
        assert_eq!(of(1, 3), "33.33 %");
        assert_eq!(of(2, 3), "66.67 %");
        assert_eq!(of(5, 5), "100.00 %");
        assert_eq!(of(0, 0), "-");
    }
}
