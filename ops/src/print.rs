//! How `fen` prints for people: tables that line up, money with its currency, counts with their thousands.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use fen_terms::Currency;

/// A column of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Column {
    /// Texts, to the left.
    Text(&'static str),
    /// Figures, to the right.
    Figure(&'static str),
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Figure(name) => name,
        }
    }
}

/// A table under its heads (none, if all are empty), indented by two blanks.
pub(crate) fn table(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if columns.iter().any(|column| !column.name().is_empty()) {
        table.set_header(columns.iter().map(|column| head(*column)));
    }
    for row in rows {
        table.add_row(row.into_iter().zip(columns).map(|(text, column)| body(text, *column)));
    }
    let mut out = String::new();
    for line in table.lines() {
        out.push_str("  ");
        out.push_str(line.trim_end().strip_prefix(' ').unwrap_or(line.trim_end()));
        out.push('\n');
    }
    out
}

fn head(column: Column) -> Cell {
    body(column.name().to_owned(), column)
}

fn body(text: String, column: Column) -> Cell {
    match column {
        Column::Text(_) => Cell::new(text),
        Column::Figure(_) => Cell::new(text).set_alignment(CellAlignment::Right),
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: impl Into<u128>) -> String {
    grouped(&number.into().to_string())
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Minor units of a ledger's currency in major units, `-1,234.50`; the bare minor units where the ledger's number
/// is no currency.
pub(crate) fn money(ledger: u32, minor: i128) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}", unsigned_money(ledger, minor.unsigned_abs()))
}

/// [`money`] of what is never negative.
pub(crate) fn unsigned_money(ledger: u32, minor: u128) -> String {
    let decimals = usize::from(Currency::from_number(ledger).map_or(0, Currency::decimals));
    let digits = format!("{minor:0>width$}", width = decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    if part.is_empty() { grouped(whole) } else { format!("{}.{part}", grouped(whole)) }
}

/// A ledger's currency, or its number.
pub(crate) fn currency(ledger: u32) -> String {
    Currency::from_number(ledger)
        .map_or_else(|| format!("ledger {ledger}"), |currency| currency.code().to_owned())
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(out, "{byte:02x}").expect("writing to a string cannot fail");
    }
    out
}

/// `one` or `many`, as the count asks.
pub(crate) fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_line_up() {
        let rows = [["cash", "1.00"], ["customers", "-12,345.60"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            table(&[Column::Text("account"), Column::Figure("balance")], rows),
            "  account       balance\n  cash             1.00\n  customers  -12,345.60\n"
        );
    }

    #[test]
    fn money_bears_the_decimals_of_its_currency() {
        assert_eq!(money(156, -5), "-0.05");
        assert_eq!(money(156, 123_456_789), "1,234,567.89");
        assert_eq!(money(392, 1_000), "1,000");
        assert_eq!(money(48, 1), "0.001");
        assert_eq!(money(4_000_000, 1_000), "1,000");
        assert_eq!(unsigned_money(156, u128::MAX), "3,402,823,669,209,384,634,633,746,074,317,682,114.55");
    }
}
