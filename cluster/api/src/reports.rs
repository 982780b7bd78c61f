//! Reports on the wire: the general ledger, the portfolio, how far day-end is; as messages and back, and the client's
//! calls.
//!
//! **Invariants.** What several shards have made is joined here, by [`include_portfolio`] and
//! [`include_day_end`]: a product, a month, a day stands once.

use crate::client::{Client, ledger};
use crate::fault::ClientFault;
use crate::{records, wire};
use fen_book::loan::control::Role;
use fen_book::loan::money::Money;
use fen_book::{BusinessDate, LedgerCode, Stamp};
use fen_ledger::Total;
use fen_ledger::reports::{DayEndStatus, Portfolio, ProductPortfolio, Slice, TrialBalanceLine, Vintage};

/// A line of the general ledger as its message.
pub fn line_message(line: &TrialBalanceLine) -> wire::GeneralLedgerLine {
    wire::GeneralLedgerLine {
        ledger: line.ledger,
        code: u32::from(line.code),
        role: line.role.map(str::to_owned),
        accounts: line.accounts,
        debits: line.debits.to_string(),
        credits: line.credits.to_string(),
        debit_balances: line.debit_balances.to_string(),
        credit_balances: line.credit_balances.to_string(),
    }
}

/// A line of the general ledger from its message; `None` where it cannot be one.
pub fn line(message: &wire::GeneralLedgerLine) -> Option<TrialBalanceLine> {
    let total = |text: &str| text.parse::<Total>().ok();
    let role = |name: &str| Role::ALL.iter().map(|role| role.name()).find(|known| *known == name);
    Some(TrialBalanceLine {
        ledger: message.ledger,
        code: u16::try_from(message.code).ok()?,
        // A newer release's role is no reason to tell nothing.
        role: message.role.as_deref().and_then(role),
        accounts: message.accounts,
        debits: total(&message.debits)?,
        credits: total(&message.credits)?,
        debit_balances: total(&message.debit_balances)?,
        credit_balances: total(&message.credit_balances)?,
    })
}

fn digits(money: Money) -> String {
    money.get().to_string()
}

fn money(digits: &str) -> Option<Money> {
    if digits.is_empty() { Some(Money::ZERO) } else { digits.parse().ok().map(Money::new) }
}

fn slice_message(slice: &Slice) -> wire::Slice {
    wire::Slice { loans: slice.loans, principal: digits(slice.principal), provision: digits(slice.provision) }
}

fn slice(message: &wire::Slice) -> Option<Slice> {
    Some(Slice {
        loans: message.loans,
        principal: money(&message.principal)?,
        provision: money(&message.provision)?,
    })
}

fn one_slice(message: Option<&wire::Slice>) -> Option<Slice> {
    message.map_or(Some(Slice::default()), slice)
}

fn slices<const N: usize>(messages: &[wire::Slice]) -> Option<[Slice; N]> {
    messages.iter().map(slice).collect::<Option<Vec<Slice>>>()?.try_into().ok()
}

fn vintage_message(month: (i32, u32), vintage: &Vintage) -> wire::Vintage {
    wire::Vintage {
        year: month.0,
        month: month.1,
        loans: vintage.loans,
        drawn: digits(vintage.drawn),
        principal: digits(vintage.principal),
        principal_past_due_30: digits(vintage.principal_past_due_30),
        principal_past_due_90: digits(vintage.principal_past_due_90),
        written_off: digits(vintage.written_off),
    }
}

fn vintage(message: &wire::Vintage) -> Option<((i32, u32), Vintage)> {
    let vintage = Vintage {
        loans: message.loans,
        drawn: money(&message.drawn)?,
        principal: money(&message.principal)?,
        principal_past_due_30: money(&message.principal_past_due_30)?,
        principal_past_due_90: money(&message.principal_past_due_90)?,
        written_off: money(&message.written_off)?,
    };
    Some(((message.year, message.month), vintage))
}

fn product_message(product: &ProductPortfolio) -> wire::ProductPortfolio {
    let all = |slices: &[Slice]| slices.iter().map(slice_message).collect();
    let funder =
        |(id, stake): &(u128, Money)| wire::Funder { id: records::halves(*id), at_stake: digits(*stake) };
    wire::ProductPortfolio {
        product_id: records::halves(product.product_id),
        ledger: product.ledger.get(),
        approved: product.approved,
        open: Some(slice_message(&product.open)),
        borrowers: product.borrowers,
        closed: product.closed,
        given_up: Some(slice_message(&product.given_up)),
        recovered: digits(product.recovered),
        sold: Some(slice_message(&product.sold)),
        drawn_loans: product.drawn_loans,
        drawn: digits(product.drawn),
        first_time_loans: product.first_time_loans,
        first_time_drawn: digits(product.first_time_drawn),
        classes: all(&product.classes),
        stages: all(&product.stages),
        ageing: all(&product.ageing),
        non_accrual: Some(slice_message(&product.non_accrual)),
        vintages: product.vintages.iter().map(|(month, vintage)| vintage_message(*month, vintage)).collect(),
        funders: product.funders.iter().map(funder).collect(),
        subsidy_billed: digits(product.subsidy_billed),
        compensation_billed: digits(product.compensation_billed),
    }
}

fn product(message: &wire::ProductPortfolio) -> Option<ProductPortfolio> {
    let funder = |funder: &wire::Funder| Some((records::wide(funder.id), money(&funder.at_stake)?));
    Some(ProductPortfolio {
        product_id: records::wide(message.product_id),
        ledger: LedgerCode::new(message.ledger),
        approved: message.approved,
        open: one_slice(message.open.as_ref())?,
        borrowers: message.borrowers,
        closed: message.closed,
        given_up: one_slice(message.given_up.as_ref())?,
        recovered: money(&message.recovered)?,
        sold: one_slice(message.sold.as_ref())?,
        drawn_loans: message.drawn_loans,
        drawn: money(&message.drawn)?,
        first_time_loans: message.first_time_loans,
        first_time_drawn: money(&message.first_time_drawn)?,
        classes: slices(&message.classes)?,
        stages: slices(&message.stages)?,
        ageing: slices(&message.ageing)?,
        non_accrual: one_slice(message.non_accrual.as_ref())?,
        vintages: message.vintages.iter().map(vintage).collect::<Option<_>>()?,
        funders: message.funders.iter().map(funder).collect::<Option<_>>()?,
        subsidy_billed: money(&message.subsidy_billed)?,
        compensation_billed: money(&message.compensation_billed)?,
    })
}

/// A portfolio as its message.
pub fn portfolio_message(portfolio: &Portfolio) -> wire::Portfolio {
    wire::Portfolio {
        as_of: portfolio.as_of.map(BusinessDate::get),
        products: portfolio.products.iter().map(product_message).collect(),
    }
}

/// A portfolio from its message; `None` where it cannot be one.
pub fn portfolio(message: &wire::Portfolio) -> Option<Portfolio> {
    Some(Portfolio {
        as_of: message.as_of.map(BusinessDate::new),
        products: message.products.iter().map(product).collect::<Option<_>>()?,
    })
}

/// How far day-end is, as its message.
pub fn day_end_message(status: &DayEndStatus) -> wire::DayEndStatus {
    wire::DayEndStatus {
        business_date: status.business_date.map(BusinessDate::get),
        last_closed: status.last_closed.map(|(day, _)| day.get()),
        last_closed_at: status.last_closed.map_or(0, |(_, stamp)| stamp.get()),
    }
}

/// How far day-end is, from its message.
pub fn day_end(message: &wire::DayEndStatus) -> DayEndStatus {
    let at = Stamp::new(message.last_closed_at);
    DayEndStatus {
        business_date: message.business_date.map(BusinessDate::new),
        last_closed: message.last_closed.map(|day| (BusinessDate::new(day), at)),
    }
}

/// Joins how far two shards are: as far as the one that is behind; a day is closed when the last one has closed it.
pub fn include_day_end(sum: &mut DayEndStatus, part: &DayEndStatus) {
    sum.business_date = sum.business_date.min(part.business_date);
    sum.last_closed = match (sum.last_closed, part.last_closed) {
        (Some(one), Some(other)) if one.0 == other.0 => Some((one.0, one.1.max(other.1))),
        (one, other) => one.min(other),
    };
}

/// Joins the loan books of two shards. A borrower's loans are all on one shard.
pub fn include_portfolio(sum: &mut Portfolio, part: Portfolio) {
    sum.as_of = sum.as_of.min(part.as_of);
    for product in part.products {
        let known = sum.products.iter_mut().find(|known| known.product_id == product.product_id);
        match known {
            Some(known) => include_product(known, &product),
            None => sum.products.push(product),
        }
    }
}

fn include_slice(sum: &mut Slice, part: &Slice) {
    sum.loans = sum.loans.saturating_add(part.loans);
    sum.principal += part.principal;
    sum.provision += part.provision;
}

fn include_product(sum: &mut ProductPortfolio, part: &ProductPortfolio) {
    for (count, more) in [
        (&mut sum.approved, part.approved),
        (&mut sum.borrowers, part.borrowers),
        (&mut sum.closed, part.closed),
        (&mut sum.drawn_loans, part.drawn_loans),
        (&mut sum.first_time_loans, part.first_time_loans),
    ] {
        *count = count.saturating_add(more);
    }
    for (money, more) in [
        (&mut sum.recovered, part.recovered),
        (&mut sum.drawn, part.drawn),
        (&mut sum.first_time_drawn, part.first_time_drawn),
        (&mut sum.subsidy_billed, part.subsidy_billed),
        (&mut sum.compensation_billed, part.compensation_billed),
    ] {
        *money += more;
    }
    let slices = [&mut sum.open, &mut sum.given_up, &mut sum.sold, &mut sum.non_accrual].into_iter();
    let slices = slices.chain(&mut sum.classes).chain(&mut sum.stages).chain(&mut sum.ageing);
    let more = [&part.open, &part.given_up, &part.sold, &part.non_accrual].into_iter();
    let more = more.chain(&part.classes).chain(&part.stages).chain(&part.ageing);
    for (slice, more) in slices.zip(more) {
        include_slice(slice, more);
    }
    for (month, vintage) in &part.vintages {
        let known = sum.vintages.entry(*month).or_default();
        known.loans = known.loans.saturating_add(vintage.loans);
        known.drawn += vintage.drawn;
        known.principal += vintage.principal;
        known.principal_past_due_30 += vintage.principal_past_due_30;
        known.principal_past_due_90 += vintage.principal_past_due_90;
        known.written_off += vintage.written_off;
    }
    for (id, stake) in &part.funders {
        match sum.funders.iter_mut().find(|(known, _)| known == id) {
            Some((_, known)) => *known += *stake,
            None => sum.funders.push((*id, *stake)),
        }
    }
}

impl Client {
    /// The sums of accounts by ledger and code: now, or at the end of a business date.
    pub async fn general_ledger(
        &self,
        as_of: Option<BusinessDate>,
    ) -> Result<Vec<TrialBalanceLine>, ClientFault> {
        let message = wire::GeneralLedgerRequest { as_of: as_of.map(BusinessDate::get) };
        let ask = |channel| async move { ledger(channel).get_general_ledger(message).await };
        let lines: Option<_> = self.ask(ask).await?.lines.iter().map(line).collect();
        lines.ok_or(ClientFault::Garbled("a sum that is no number"))
    }

    /// The loan book.
    pub async fn portfolio(&self) -> Result<Portfolio, ClientFault> {
        let ask = |channel| async move { ledger(channel).get_portfolio(wire::PortfolioRequest {}).await };
        portfolio(&self.ask(ask).await?).ok_or(ClientFault::Garbled("a portfolio of another release"))
    }

    /// How far day-end is.
    pub async fn day_end_status(&self) -> Result<DayEndStatus, ClientFault> {
        let ask =
            |channel| async move { ledger(channel).get_day_end_status(wire::DayEndStatusRequest {}).await };
        Ok(day_end(&self.ask(ask).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product_of(id: u128, principal: i128) -> ProductPortfolio {
        let part = Slice { loans: 1, principal: Money::new(principal), provision: Money::new(1) };
        ProductPortfolio {
            product_id: id,
            open: part,
            borrowers: 1,
            classes: [part, Slice::default(), Slice::default(), Slice::default(), Slice::default()],
            vintages: [((2018, 9), Vintage { loans: 1, drawn: Money::new(principal), ..Vintage::default() })]
                .into(),
            funders: vec![(7, Money::new(-principal))],
            ..ProductPortfolio::default()
        }
    }

    #[test]
    fn a_portfolio_comes_back_and_the_parts_of_shards_add_up() {
        let of = |as_of, products| Portfolio { as_of: Some(BusinessDate::new(as_of)), products };
        let one = of(9, vec![product_of(1, 100), product_of(2, 5)]);
        assert_eq!(portfolio(&portfolio_message(&one)), Some(one.clone()));
        let mut sum = one;
        include_portfolio(&mut sum, of(8, vec![product_of(3, 1), product_of(1, 40)]));
        assert_eq!(sum.as_of, Some(BusinessDate::new(8)));
        assert_eq!(sum.products.len(), 3);
        let first = &sum.products[0];
        assert_eq!((first.open.loans, first.open.principal.get(), first.borrowers), (2, 140, 2));
        assert_eq!(first.classes[0].provision.get(), 2);
        assert_eq!(first.vintages[&(2018, 9)].drawn.get(), 140);
        assert_eq!(first.funders, [(7, Money::new(-140))]);
        assert!(
            portfolio(&wire::Portfolio { products: vec![wire::ProductPortfolio::default()], as_of: None })
                .is_none()
        );
    }

    #[test]
    fn a_day_is_closed_when_the_last_shard_has_closed_it() {
        let at = |day: i32, stamp: u64| DayEndStatus {
            business_date: Some(BusinessDate::new(day + 1)),
            last_closed: Some((BusinessDate::new(day), Stamp::new(stamp))),
        };
        for (one, other, both) in [(at(5, 9), at(5, 7), at(5, 9)), (at(6, 9), at(5, 7), at(5, 7))] {
            let mut sum = one;
            include_day_end(&mut sum, &other);
            assert_eq!(sum, both);
        }
        let mut sum = at(5, 9);
        include_day_end(&mut sum, &DayEndStatus::default());
        assert_eq!(sum, DayEndStatus::default());
    }
}
