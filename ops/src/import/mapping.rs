//! The mapping file: what a bank's CSV looks like and what its columns mean, in TOML.
//!
//! Every key that is not known is refused, so a misspelt rule is never silently without effect.
//! A mapping holds no code: rules are lists of column values, the first that fits decides.

use crate::exit::Failure;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use uuid::Uuid;

/// A mapping as it is written. The example that comes with Fen, `ops/examples/berka.toml`, has each key explained.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mapping {
    /// What a row is.
    #[serde(default)]
    pub(crate) records: Records,
    /// Ids of transfers are derived from this and the row's key; a UUID, or any text of the bank's own.
    pub(crate) namespace: String,
    /// The columns that together name a row for ever.
    pub(crate) key: Vec<Column>,
    /// How the rows of one account follow each other within a day.
    #[serde(default)]
    pub(crate) order: RowOrder,
    /// The file's outer form.
    #[serde(default)]
    pub(crate) file: FileForm,
    /// Currency.
    pub(crate) ledger: LedgerRule,
    /// The day of a row.
    pub(crate) date: DateRule,
    /// How much, and in which direction; for transfers.
    pub(crate) amount: Option<AmountRule>,
    /// The customer's account.
    pub(crate) account: AccountRule,
    /// The bank's own accounts: on the other side of transfers; with a list of accounts, opened before it.
    #[serde(default)]
    pub(crate) contra: Vec<ContraRule>,
    /// The reason of the transfer; for accounts, the account's code where it is not the same for all.
    #[serde(default)]
    pub(crate) code: Vec<CodeRule>,
    /// What is kept beside the transfer for look-ups.
    #[serde(default)]
    pub(crate) user_data: UserDataRule,
    /// The balance that the source printed after the row.
    pub(crate) balance: Option<BalanceRule>,
}

/// What a row is.
#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Records {
    /// A debit or credit of a customer's account.
    #[default]
    Transfers,
    /// An account, opened on its date.
    Accounts,
}

/// A column, by its name in the header or by its number, counted from 1.
#[derive(Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(untagged)]
pub(crate) enum Column {
    /// Counted from 1.
    Number(usize),
    /// As in the header.
    Name(String),
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "\"{name}\""),
        }
    }
}

/// How the rows of one account follow each other within a day.
#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum RowOrder {
    /// As they stand in the file.
    #[default]
    #[serde(rename = "as in the file")]
    AsInTheFile,
    /// In the order that keeps the printed balance running.
    #[serde(rename = "by running balance")]
    ByRunningBalance,
}

/// The file's outer form.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileForm {
    /// Between columns; one character.
    pub(crate) delimiter: char,
    /// Around texts; one character.
    pub(crate) quote: char,
    /// How bytes are letters.
    pub(crate) encoding: Encoding,
    /// Whether the first line names the columns.
    pub(crate) header: bool,
}

impl Default for FileForm {
    fn default() -> Self {
        Self { delimiter: ',', quote: '"', encoding: Encoding::Utf8, header: true }
    }
}

/// How bytes are letters.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    /// Bytes that are no UTF-8 are refused.
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO 8859-1: each byte is the character of its number.
    #[serde(rename = "latin-1")]
    Latin1,
}

/// Which ledger a row belongs to: one for the whole file, or by the values of a column.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct LedgerRule {
    /// The ISO 4217 number of the file's only currency.
    pub(crate) number: Option<u32>,
    /// Where the row's currency stands.
    pub(crate) column: Option<Column>,
    /// What stands there, and its ISO 4217 number.
    #[serde(default)]
    pub(crate) values: BTreeMap<String, u32>,
}

/// The day of a row.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct DateRule {
    /// Where it stands.
    pub(crate) column: Column,
    /// As in `strftime`: `%Y-%m-%d`, `%d.%m.%Y`, `%y%m%d` (69-99 are of the last century).
    pub(crate) format: String,
}

/// How figures are written, and which way they move.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct AmountRule {
    /// Where the amount stands.
    pub(crate) column: Option<Column>,
    /// Instead of `column`: where amounts stand that credit the account.
    pub(crate) credit_column: Option<Column>,
    /// Instead of `column`: where amounts stand that debit the account.
    pub(crate) debit_column: Option<Column>,
    /// How many digits of the minor unit there are.
    pub(crate) decimals: u8,
    /// `.` or `,`.
    #[serde(default = "point")]
    pub(crate) decimal: char,
    /// What may stand between thousands.
    pub(crate) thousands: Option<char>,
    /// Which way, where the amount does not say it by its own sign.
    pub(crate) sign: Option<SignRule>,
}

fn point() -> char {
    '.'
}

/// Which way an amount moves, by the values of a column.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignRule {
    /// Where to look.
    pub(crate) column: Column,
    /// Values that credit the account.
    pub(crate) credit: Vec<String>,
    /// Values that debit the account.
    pub(crate) debit: Vec<String>,
}

/// The customer's account.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRule {
    /// Where its name stands.
    pub(crate) column: Column,
    /// How its name becomes an id.
    #[serde(default)]
    pub(crate) id: AccountNaming,
    /// Its code in the bank's chart.
    pub(crate) code: u16,
    /// Account flags, by their names in `fen exec`; none lets the balance be negative.
    #[serde(default)]
    pub(crate) flags: Vec<String>,
}

/// How an account's name becomes an id.
#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccountNaming {
    /// It is a number, and the id.
    Number,
    /// The id is derived from it and the namespace.
    #[default]
    Derived,
}

/// One of the bank's own accounts, and the rows whose other side it is.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContraRule {
    /// For people.
    pub(crate) name: String,
    /// Its number among the bank's own accounts of the ledger.
    pub(crate) number: u32,
    /// Its code in the bank's chart.
    pub(crate) code: u16,
    /// Column values that it takes; empty takes every row.
    #[serde(default)]
    pub(crate) when: When,
}

/// A reason, and the rows that have it.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeRule {
    /// The transfer's code.
    pub(crate) number: u16,
    /// Column values that it takes; empty takes every row.
    #[serde(default)]
    pub(crate) when: When,
}

/// For each column named, the values of which one must stand there.
pub(crate) type When = BTreeMap<String, Vec<String>>;

/// What is kept beside the transfer for look-ups.
#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UserDataRule {
    /// A column of whole numbers, kept in `user_data_128`.
    #[serde(rename = "number_128")]
    pub(crate) wide: Option<Column>,
    /// A column of whole numbers, kept in `user_data_64`.
    #[serde(rename = "number_64")]
    pub(crate) long: Option<Column>,
    /// A column of whole numbers, kept in `user_data_32`.
    #[serde(rename = "number_32")]
    pub(crate) short: Option<Column>,
}

/// The balance that the source printed after the row.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct BalanceRule {
    /// Where it stands; an empty cell is not checked.
    pub(crate) column: Column,
    /// The source's own rounding of what it prints, as an amount: differences up to it are counted apart.
    pub(crate) rounding: Option<String>,
    /// What an account has before its first row.
    #[serde(default)]
    pub(crate) opening: Opening,
}

/// What an account has before its first row.
#[derive(Deserialize, Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Opening {
    /// Nothing: the file begins with the account.
    #[default]
    #[serde(rename = "zero")]
    Zero,
    /// What its first row leads one to think: the file begins later.
    #[serde(rename = "from the first row")]
    FromTheFirstRow,
}

impl AmountRule {
    fn check(&self) -> Result<(), String> {
        match (&self.column, &self.credit_column, &self.debit_column) {
            (Some(_), None, None) => {}
            (None, Some(_), Some(_)) if self.sign.is_none() => {}
            _ => {
                return Err("amount: give either column (and sign), or credit_column and debit_column".into());
            }
        }
        if self.decimals > 18 {
            return Err("amount.decimals: at most 18".into());
        }
        if Some(self.decimal) == self.thousands || self.decimal.is_ascii_digit() {
            return Err("amount: decimal and thousands must be different characters and no digits".into());
        }
        Ok(())
    }
}

impl Mapping {
    /// Reads a mapping file; `text` is also needed by the caller, for the import's fingerprint.
    pub(crate) fn read(path: &Path, text: &str) -> Result<Self, Failure> {
        let mapping: Self = toml::from_str(text).map_err(|error| {
            Failure::usage(format!("{}: {}", path.display(), error.to_string().trim_end()))
                .mend("ops/examples/berka.toml explains every key of a mapping")
        })?;
        mapping.check().map_err(|what| Failure::usage(format!("{}: {what}", path.display())))?;
        Ok(mapping)
    }

    /// What the types cannot say.
    fn check(&self) -> Result<(), String> {
        if self.key.is_empty() {
            return Err("key: names no column; name the columns that tell a row from every other".into());
        }
        if !self.file.delimiter.is_ascii() || !self.file.quote.is_ascii() {
            return Err("file: delimiter and quote must be ASCII characters".into());
        }
        let ledger = &self.ledger;
        match (ledger.number, &ledger.column) {
            (Some(0), _) => return Err("ledger.number: must not be 0".into()),
            (Some(_), None) if ledger.values.is_empty() => {}
            (None, Some(_))
                if !ledger.values.is_empty() && ledger.values.values().all(|number| *number > 0) => {}
            _ => return Err("ledger: give either number, or column and values (none of them 0)".into()),
        }
        if self.account.code == 0 || self.code.iter().any(|rule| rule.number == 0) {
            return Err("code, account.code: no code may be 0".into());
        }
        match (self.records, &self.amount) {
            (Records::Transfers, Some(amount)) => {
                amount.check()?;
                self.check_transfers()
            }
            (Records::Transfers, None) => Err("amount: is missing".into()),
            (Records::Accounts, None) if self.balance.is_none() => self.check_contra(),
            (Records::Accounts, _) => Err("amount, balance: rows that are accounts have none".into()),
        }
    }

    fn check_transfers(&self) -> Result<(), String> {
        self.check_contra()?;
        if self.contra.is_empty() {
            return Err("contra: needs at least one rule".into());
        }
        if self.code.is_empty() {
            return Err("code: needs at least one rule".into());
        }
        if self.order == RowOrder::ByRunningBalance && self.balance.is_none() {
            return Err("order: \"by running balance\" needs a [balance] column".into());
        }
        Ok(())
    }

    fn check_contra(&self) -> Result<(), String> {
        let is_sound = |rule: &ContraRule| rule.code > 0 && rule.number > 0;
        if self.contra.iter().all(is_sound) {
            Ok(())
        } else {
            Err("contra: number and code must not be 0".into())
        }
    }

    /// The namespace of the derived ids.
    pub(crate) fn namespace(&self) -> Uuid {
        Uuid::parse_str(&self.namespace)
            .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, self.namespace.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mapping, String> {
        Mapping::read(Path::new("map.toml"), text).map_err(|failure| failure.to_string())
    }

    const EXAMPLE: &str = include_str!("../../examples/berka.toml");

    #[test]
    fn the_example_is_a_mapping() {
        let mapping = read(EXAMPLE).unwrap();
        assert_eq!(mapping.order, RowOrder::ByRunningBalance);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let without = |line: &str| EXAMPLE.replace(line, "");
        assert!(read(&without("namespace = \"pkdd99-berka\"")).unwrap_err().contains("namespace"));
        assert!(read(&format!("colour = 1\n{EXAMPLE}")).unwrap_err().contains("colour"));
        assert!(read(&EXAMPLE.replace("number = 203", "number = 0")).unwrap_err().contains("ledger.number"));
        assert!(read("namespace = ").unwrap_err().starts_with("map.toml: TOML parse error at line 1"));
    }
}
