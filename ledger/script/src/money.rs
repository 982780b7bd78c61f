//! Amounts as people write them: major units with the currency's decimals, printed back digit for digit.

use fen_book::{Amount, LedgerCode};
use num_bigint::BigUint;

/// A currency or asset: what a ledger counts in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Currency {
    pub(crate) ledger: LedgerCode,
    decimals: usize,
}

/// ISO 4217: alphabetic code, number, decimals.
const CURRENCIES: [(&str, u32, usize); 7] = [
    ("CNY", 156, 2),
    ("CZK", 203, 2),
    ("EUR", 978, 2),
    ("INR", 356, 2),
    ("JPY", 392, 0),
    ("KWD", 414, 3),
    ("USD", 840, 2),
];

impl Currency {
    /// By its alphabetic code; any other asset by the bare number of its ledger, counted in whole units.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        if let Some((_, number, decimals)) = CURRENCIES.iter().find(|(code, _, _)| *code == name) {
            return Ok(Self { ledger: LedgerCode::new(*number), decimals: *decimals });
        }
        let known = || CURRENCIES.map(|(code, _, _)| code).join(", ");
        let number =
            name.parse().map_err(|_| format!("`{name}` is no ledger's number, nor one of {}", known()))?;
        Ok(Self::of(LedgerCode::new(number)))
    }

    /// Of a ledger.
    pub(crate) fn of(ledger: LedgerCode) -> Self {
        let found = CURRENCIES.iter().find(|(_, number, _)| *number == ledger.get());
        Self { ledger, decimals: found.map_or(0, |(_, _, decimals)| *decimals) }
    }

    /// What people call it.
    pub(crate) fn name(self) -> String {
        let found = CURRENCIES.iter().find(|(_, number, _)| *number == self.ledger.get());
        found.map_or_else(|| format!("ledger {}", self.ledger), |(code, _, _)| (*code).to_owned())
    }

    /// Reads "100.00"; `max` is the largest amount there is.
    pub(crate) fn amount(self, text: &str) -> Result<Amount, String> {
        if text == "max" {
            return Ok(Amount::MAX);
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        if part.len() != self.decimals {
            return Err(format!("`{text}` must have {} decimals", self.decimals));
        }
        let digits = format!("{whole}{part}");
        let amount = digits.parse().map_err(|_| format!("`{text}` is no amount below 2^128"))?;
        Ok(Amount::new(amount))
    }

    /// Writes an amount.
    pub(crate) fn print(self, amount: Amount) -> String {
        self.print_sum(&BigUint::from(amount.get()))
    }

    /// Writes a sum of amounts, however large.
    pub(crate) fn print_sum(self, sum: &BigUint) -> String {
        let digits = sum.to_string();
        if self.decimals == 0 {
            return digits;
        }
        let digits = format!("{digits:0>width$}", width = self.decimals + 1);
        let (whole, part) = digits.split_at(digits.len() - self.decimals);
        format!("{whole}.{part}")
    }

    /// Writes `plus - minus`, with its sign.
    pub(crate) fn print_difference(self, plus: Amount, minus: Amount) -> String {
        let sign = if minus > plus { "-" } else { "" };
        let larger = plus.max(minus);
        let smaller = plus.min(minus);
        format!("{sign}{}", self.print(larger.saturating_sub(smaller)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_printed_as_it_was_written() {
        for (currency, text) in
            [("CNY", "0.00"), ("CNY", "0.07"), ("CNY", "100.00"), ("JPY", "5"), ("KWD", "1.005")]
        {
            let currency = Currency::named(currency).unwrap();
            assert_eq!(currency.print(currency.amount(text).unwrap()), text);
        }
    }

    #[test]
    fn an_amount_needs_its_currencys_decimals() {
        assert!(Currency::named("CNY").unwrap().amount("1.5").is_err());
        assert!(Currency::named("JPY").unwrap().amount("1.50").is_err());
        assert!(Currency::named("Yuan").is_err());
    }
}
