//! The rows of a bank's CSV, one at a time, as its mapping reads them.
//!
//! Nothing here talks to a ledger: a row is read, checked against the mapping and turned into numbers, or refused
//! with its line, its column and what stands there.

use super::figure::FigureForm;
use super::mapping::{AccountNaming, AmountRule, Column, Encoding, Mapping, Records, When};
use crate::exit::Failure;
use csv::{ByteRecord, Reader, ReaderBuilder};
use jiff::civil::Date;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use uuid::Uuid;

/// Between the cells of a key, so that `1, 23` and `12, 3` are two keys; no bank prints it.
const KEY_SEPARATOR: char = '\u{1f}';

/// A row as numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    /// Counted from 1, the header not counted.
    pub(crate) number: u64,
    /// Where it begins in the file, counted from 1.
    pub(crate) line: u64,
    /// The cells of the key columns, for people.
    pub(crate) key: Box<str>,
    /// The transfer's id, derived from the row's key.
    pub(crate) id: u128,
    /// The customer's account: an index into [`Accounts`].
    pub(crate) account: u32,
    /// Days since 1970-01-01.
    pub(crate) day: u32,
    /// Minor units; what credits the account is positive.
    pub(crate) amount: i128,
    /// The balance that the source printed after the row.
    pub(crate) balance: Option<i128>,
    /// The other side: an index into the mapping's contra rules.
    pub(crate) contra: u32,
    /// The transfer's code.
    pub(crate) code: u16,
    /// Kept beside the transfer.
    pub(crate) user_data: (u128, u64, u32),
}

/// A customer's account as the file names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NamedAccount {
    /// In the file's words.
    pub(crate) name: Box<str>,
    /// In the ledger.
    pub(crate) id: u128,
    /// Its currency.
    pub(crate) ledger: u32,
}

/// Every account that the file has named so far.
#[derive(Default, Debug)]
pub(crate) struct Accounts {
    by_name: HashMap<Box<str>, u32>,
    list: Vec<NamedAccount>,
}

impl Accounts {
    /// The account of an index.
    pub(crate) fn get(&self, index: u32) -> &NamedAccount {
        &self.list[index as usize]
    }

    /// All of them, by index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &NamedAccount> {
        self.list.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    fn find_or_add(
        &mut self,
        name: &str,
        ledger: u32,
        id: impl FnOnce() -> Result<u128, String>,
    ) -> Result<u32, String> {
        if let Some(index) = self.by_name.get(name) {
            let known = self.get(*index).ledger;
            if known != ledger {
                return Err(format!(
                    "account '{name}' is in ledger {known} in an earlier row, here in {ledger}"
                ));
            }
            return Ok(*index);
        }
        let account = NamedAccount { name: name.into(), id: id()?, ledger };
        let index = u32::try_from(self.list.len()).map_err(|_| "too many accounts in one file".to_owned())?;
        self.list.push(account);
        self.by_name.insert(name.into(), index);
        Ok(index)
    }
}

/// A row that the mapping cannot read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BadRow {
    /// Where it begins in the file, counted from 1.
    pub(crate) line: u64,
    /// The column, and what is wrong there.
    pub(crate) what: String,
}

/// The columns of a mapping, found in a file's header.
struct Places {
    key: Vec<usize>,
    date: usize,
    amount: Option<AmountPlace>,
    account: usize,
    ledger: Option<usize>,
    contra: Vec<Vec<(usize, Vec<String>)>>,
    code: Vec<Vec<(usize, Vec<String>)>>,
    user_data: [Option<usize>; 3],
    balance: Option<usize>,
}

enum AmountPlace {
    Signed(usize),
    BySign(usize, usize),
    TwoColumns { credit: usize, debit: usize },
}

/// The rows of one file.
pub(crate) struct Source<'m> {
    mapping: &'m Mapping,
    form: FigureForm,
    namespace: Uuid,
    places: Places,
    columns: Vec<String>,
    reader: Reader<Box<dyn Read>>,
    record: ByteRecord,
    line_ends: LineEnds,
    rows: u64,
}

/// What ends a line. The reader counts line feeds as it meets them, and meets that of a `\r\n` only with the record
/// after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LineEnds {
    /// `\n`
    LineFeed,
    /// `\r\n`
    CarriageReturnLineFeed,
}

impl<'m> Source<'m> {
    /// Opens a file and finds the mapping's columns in it; `watch` sees the bytes as they are read.
    pub(crate) fn open(
        path: &Path,
        mapping: &'m Mapping,
        watch: impl FnOnce(File) -> Box<dyn Read>,
    ) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| {
            Failure::unreachable(format!("{}: cannot be opened: {error}", path.display()))
                .mend("check the path and the file's permissions")
        })?;
        let line_ends = line_ends(path);
        let byte = |character: char| u8::try_from(character).unwrap_or(b',');
        let mut reader = ReaderBuilder::new()
            .delimiter(byte(mapping.file.delimiter))
            .quote(byte(mapping.file.quote))
            .has_headers(mapping.file.header)
            .from_reader(watch(file));
        let mut columns = Vec::new();
        if mapping.file.header {
            let header = reader.byte_headers().map_err(|error| bad_file(path, &error))?;
            let decode = |name| letters(name, mapping.file.encoding).map(|name| name.trim().to_owned());
            columns = header.iter().map(decode).collect::<Option<_>>().ok_or_else(|| {
                Failure::refused(format!("{}: line 1: the header is no UTF-8", path.display()))
                    .mend("say file.encoding = \"latin-1\" if the file is")
            })?;
        }
        let places = Places::find(mapping, &columns).map_err(|what| {
            Failure::usage(format!("{}: {what}", path.display()))
                .mend(format!("the file's columns are {}", columns.join(", ")))
        })?;
        Ok(Self {
            mapping,
            form: figure_form(mapping),
            namespace: mapping.namespace(),
            places,
            columns,
            reader,
            record: ByteRecord::new(),
            line_ends,
            rows: 0,
        })
    }

    /// The next row, or what is wrong with it; `None` at the end.
    pub(crate) fn next(&mut self, accounts: &mut Accounts) -> Option<Result<Row, BadRow>> {
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => None,
            Ok(true) => {
                self.rows += 1;
                let line = self.line(self.record.position());
                Some(self.row(line, accounts).map_err(|what| BadRow { line, what }))
            }
            Err(error) => {
                self.rows += 1;
                let line = self.line(error.position());
                Some(Err(BadRow { line, what: csv_words(&error) }))
            }
        }
    }

    /// The line of a record, counted from 1.
    fn line(&self, position: Option<&csv::Position>) -> u64 {
        let line = position.map_or(0, csv::Position::line);
        let is_first = position.is_none_or(|position| position.byte() == 0);
        line + u64::from(!is_first && self.line_ends == LineEnds::CarriageReturnLineFeed)
    }

    fn row(&self, line: u64, accounts: &mut Accounts) -> Result<Row, String> {
        let ledger = self.ledger()?;
        let name = self.cell(self.places.account)?;
        let name = name.trim();
        if name.is_empty() {
            return Err(self.at(self.places.account, "names no account"));
        }
        let account = accounts.find_or_add(name, ledger, || self.account_id(name))?;
        let contra = match self.mapping.records {
            Records::Transfers => {
                self.first_fitting(&self.places.contra)?.ok_or("no contra rule fits this row")?
            }
            Records::Accounts => 0,
        };
        let key = self.key()?;
        Ok(Row {
            number: self.rows,
            line,
            id: Uuid::new_v5(&self.namespace, format!("transfer{KEY_SEPARATOR}{key}").as_bytes()).as_u128(),
            key: key.replace(KEY_SEPARATOR, " ").into(),
            account,
            day: self.day()?,
            amount: self.amount()?,
            balance: self.balance()?,
            contra: u32::try_from(contra).map_err(|_| "too many contra rules")?,
            code: self.code()?,
            user_data: (self.whole(0)?, self.whole(1)?, self.whole(2)?),
        })
    }

    /// A cell in letters.
    fn cell(&self, index: usize) -> Result<Cow<'_, str>, String> {
        let Some(bytes) = self.record.get(index) else {
            return Err(self.at(index, "is missing in this row"));
        };
        letters(bytes, self.mapping.file.encoding)
            .ok_or_else(|| self.at(index, "is no UTF-8; say file.encoding = \"latin-1\" if the file is"))
    }

    /// A sentence about a column.
    fn at(&self, index: usize, what: &str) -> String {
        match self.columns.get(index) {
            Some(name) => format!("column \"{name}\": {what}"),
            None => format!("column {}: {what}", index + 1),
        }
    }

    fn ledger(&self) -> Result<u32, String> {
        let Some(index) = self.places.ledger else {
            return Ok(self.mapping.ledger.number.unwrap_or_default());
        };
        let value = self.cell(index)?;
        self.mapping
            .ledger
            .values
            .get(value.trim())
            .copied()
            .ok_or_else(|| self.at(index, &format!("'{value}' is not among ledger.values")))
    }

    fn account_id(&self, name: &str) -> Result<u128, String> {
        match self.mapping.account.id {
            AccountNaming::Derived => Ok(Uuid::new_v5(&self.namespace, format!("account{KEY_SEPARATOR}{name}").as_bytes()).as_u128()),
            AccountNaming::Number => match name.parse::<u64>() {
                Ok(number) if number > 0 => Ok(u128::from(number)),
                Ok(_) | Err(_) => Err(self.at(
                    self.places.account,
                    &format!("'{name}' is no number from 1 to 2^64 - 1; say account.id = \"derived\" for such names"),
                )),
            },
        }
    }

    fn code(&self) -> Result<u16, String> {
        match (self.first_fitting(&self.places.code)?, self.mapping.records) {
            (Some(rule), Records::Transfers | Records::Accounts) => Ok(self.mapping.code[rule].number),
            (None, Records::Accounts) => Ok(self.mapping.account.code),
            (None, Records::Transfers) => Err("no code rule fits this row".into()),
        }
    }

    fn key(&self) -> Result<String, String> {
        let mut key = String::new();
        for (index, column) in self.places.key.iter().enumerate() {
            if index > 0 {
                key.push(KEY_SEPARATOR);
            }
            key.push_str(self.cell(*column)?.trim());
        }
        Ok(key)
    }

    fn day(&self) -> Result<u32, String> {
        let text = self.cell(self.places.date)?;
        let format = &self.mapping.date.format;
        let date = Date::strptime(format, text.trim())
            .map_err(|_| self.at(self.places.date, &format!("'{text}' is no date of the form {format}")))?;
        let days = date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
        u32::try_from(days).ok().filter(|days| *days > 0).ok_or_else(|| {
            self.at(self.places.date, &format!("{date} is before 1970-01-02, where stamps begin"))
        })
    }

    fn figure(&self, index: usize) -> Result<i128, String> {
        self.form.read(&self.cell(index)?).map_err(|what| self.at(index, &what))
    }

    fn amount(&self) -> Result<i128, String> {
        let (Some(place), Some(rule)) = (&self.places.amount, &self.mapping.amount) else { return Ok(0) };
        match place {
            AmountPlace::Signed(column) => self.figure(*column),
            AmountPlace::BySign(column, sign) => {
                let amount = self.figure(*column)?;
                let value = self.cell(*sign)?;
                let is_in = |list: &[String]| list.iter().any(|known| known == value.as_ref());
                match &rule.sign {
                    Some(rule) if is_in(&rule.credit) => Ok(amount),
                    Some(rule) if is_in(&rule.debit) => Ok(-amount),
                    Some(_) | None => {
                        Err(self
                            .at(*sign, &format!("'{value}' is neither in amount.sign.credit nor in .debit")))
                    }
                }
            }
            AmountPlace::TwoColumns { credit, debit } => {
                let (is_credit, is_debit) = (!self.is_blank(*credit)?, !self.is_blank(*debit)?);
                match (is_credit, is_debit) {
                    (true, false) => self.figure(*credit),
                    (false, true) => Ok(-self.figure(*debit)?),
                    (true, true) | (false, false) => {
                        Err(self.at(*credit, "exactly one of it and the debit column must have an amount"))
                    }
                }
            }
        }
    }

    fn is_blank(&self, index: usize) -> Result<bool, String> {
        Ok(self.cell(index)?.trim().is_empty())
    }

    fn balance(&self) -> Result<Option<i128>, String> {
        match self.places.balance {
            Some(index) if !self.is_blank(index)? => self.figure(index).map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// The whole number for one of the three fields of user data; an empty cell is 0.
    fn whole<T: std::str::FromStr + Default>(&self, field: usize) -> Result<T, String> {
        let Some(index) = self.places.user_data[field] else { return Ok(T::default()) };
        let text = self.cell(index)?;
        if text.trim().is_empty() {
            return Ok(T::default());
        }
        text.trim().parse().map_err(|_| self.at(index, &format!("'{text}' is no whole number that fits")))
    }

    /// The first rule whose columns all have one of its values.
    fn first_fitting(&self, rules: &[Vec<(usize, Vec<String>)>]) -> Result<Option<usize>, String> {
        for (index, rule) in rules.iter().enumerate() {
            let mut fits = true;
            for (column, values) in rule {
                let cell = self.cell(*column)?;
                fits = fits && values.iter().any(|value| value == cell.as_ref());
            }
            if fits {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
}

impl Places {
    fn find(mapping: &Mapping, header: &[String]) -> Result<Self, String> {
        let place =
            |key: &str, column: &Column| place(header, column).map_err(|what| format!("{key}: {what}"));
        let maybe =
            |key: &str, column: &Option<Column>| column.as_ref().map(|column| place(key, column)).transpose();
        let when = |key: &str, when: &When| {
            let columns = when.iter().map(|(name, values)| {
                let column = name.parse().map_or_else(|_| Column::Name(name.clone()), Column::Number);
                place(key, &column).map(|index| (index, values.clone()))
            });
            columns.collect::<Result<Vec<_>, String>>()
        };
        let amount = |amount: &AmountRule| match (
            &amount.column,
            &amount.sign,
            &amount.credit_column,
            &amount.debit_column,
        ) {
            (Some(column), None, _, _) => Ok(AmountPlace::Signed(place("amount.column", column)?)),
            (Some(column), Some(sign), _, _) => Ok(AmountPlace::BySign(
                place("amount.column", column)?,
                place("amount.sign.column", &sign.column)?,
            )),
            (None, _, Some(credit), Some(debit)) => Ok(AmountPlace::TwoColumns {
                credit: place("amount.credit_column", credit)?,
                debit: place("amount.debit_column", debit)?,
            }),
            (None, _, _, _) => Err("amount: names no column".to_owned()),
        };
        Ok(Self {
            key: mapping.key.iter().map(|column| place("key", column)).collect::<Result<_, _>>()?,
            date: place("date.column", &mapping.date.column)?,
            amount: mapping.amount.as_ref().map(amount).transpose()?,
            account: place("account.column", &mapping.account.column)?,
            ledger: maybe("ledger.column", &mapping.ledger.column)?,
            contra: mapping
                .contra
                .iter()
                .map(|rule| when("contra.when", &rule.when))
                .collect::<Result<_, _>>()?,
            code: mapping.code.iter().map(|rule| when("code.when", &rule.when)).collect::<Result<_, _>>()?,
            user_data: [
                maybe("user_data.number_128", &mapping.user_data.wide)?,
                maybe("user_data.number_64", &mapping.user_data.long)?,
                maybe("user_data.number_32", &mapping.user_data.short)?,
            ],
            balance: mapping
                .balance
                .as_ref()
                .map(|rule| place("balance.column", &rule.column))
                .transpose()?,
        })
    }
}

/// The index of a column.
fn place(header: &[String], column: &Column) -> Result<usize, String> {
    match column {
        Column::Number(0) => Err("columns are counted from 1".into()),
        Column::Number(number) if header.is_empty() || *number <= header.len() => Ok(number - 1),
        Column::Number(number) => Err(format!("there is no column {number}")),
        Column::Name(_) if header.is_empty() => {
            Err(format!("{column} is a name, but the file has no header"))
        }
        Column::Name(name) => header
            .iter()
            .position(|known| known == name)
            .ok_or_else(|| format!("there is no column {column}")),
    }
}

/// How the mapping's figures are written.
pub(crate) fn figure_form(mapping: &Mapping) -> FigureForm {
    match &mapping.amount {
        Some(amount) => {
            FigureForm { decimals: amount.decimals, decimal: amount.decimal, thousands: amount.thousands }
        }
        None => FigureForm { decimals: 0, decimal: '.', thousands: None },
    }
}

/// Bytes as letters; `None` where they are none.
fn letters(bytes: &[u8], encoding: Encoding) -> Option<Cow<'_, str>> {
    match (std::str::from_utf8(bytes), encoding) {
        (Ok(text), Encoding::Utf8) => Some(Cow::Borrowed(text)),
        (Ok(text), Encoding::Latin1) if text.is_ascii() => Some(Cow::Borrowed(text)),
        (Err(_), Encoding::Utf8) => None,
        (Ok(_) | Err(_), Encoding::Latin1) => Some(bytes.iter().copied().map(char::from).collect()),
    }
}

/// What ends the file's first line; what cannot be read here is reported where it is read in earnest.
fn line_ends(path: &Path) -> LineEnds {
    let mut first = Vec::new();
    let read =
        File::open(path).and_then(|file| BufReader::new(file).take(1 << 20).read_until(b'\n', &mut first));
    if read.is_ok() && first.ends_with(b"\r\n") {
        LineEnds::CarriageReturnLineFeed
    } else {
        LineEnds::LineFeed
    }
}

fn bad_file(path: &Path, error: &csv::Error) -> Failure {
    Failure::refused(format!("{}: {}", path.display(), csv_words(error)))
}

/// What the CSV reader found wrong, without its own talk of records.
fn csv_words(error: &csv::Error) -> String {
    if let csv::ErrorKind::UnequalLengths { expected_len, len, .. } = error.kind() {
        return format!(
            "has {len} columns where the lines before have {expected_len}; is a quote or a delimiter missing?"
        );
    }
    error.to_string()
}
