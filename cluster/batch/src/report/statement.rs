//! `camt.053.001.08` and `camt.054.001.08`: an account's entries of a period with its opening and closing balances, or
//! its entries alone, as notifications.
//!
//! The pages come from whoever keeps the books. Entries that come while the message is being written are not in it: what
//! was counted is what is printed, and the closing balance is the one after the last entry.
//!
//! What is only reserved or released moves no balance and is no entry. An entry's amount is what the balances beside it
//! differ by, so the entries come to the difference of opening and closing balance.

use crate::figure::{currency_code, print_id};
use crate::iso::print::Print;
use fen_ledger::{Account, Balances, BusinessDate, Period, Statement, StatementLine};
use fen_terms::Day;
use std::io::{self, Write};

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The statement of a closed period: `camt.053`.
    Statement,
    /// What was debited and credited: `camt.054`.
    Notification,
}

impl Kind {
    /// The message and its version.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Statement => "camt.053.001.08",
            Self::Notification => "camt.054.001.08",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked<'a> {
    /// Which message.
    pub kind: Kind,
    /// The first day and the last one, as they are printed.
    pub days: (Day, Day),
    /// The instant of the answer, in ISO 8601.
    pub created: &'a str,
}

/// A page of an account's statement, oldest entry first, and the cursor of the next one; nothing where there is no such
/// account. The cursor that is handed in is that of the page that is wanted, or none for the first.
pub type Pages<'a, E> = dyn FnMut(Option<&str>) -> Result<Option<(Statement, Option<String>)>, E> + 'a;

/// Why there is no statement.
#[derive(Debug)]
pub enum StatementFault<E> {
    /// There is no such account.
    NotFound,
    /// History is damaged, in words.
    Damaged(String),
    /// The books could not be asked.
    Books(E),
    /// The statement can't be written.
    Written(io::Error),
}

impl<E> From<io::Error> for StatementFault<E> {
    fn from(fault: io::Error) -> Self {
        Self::Written(fault)
    }
}

/// The entries of one side: how many, and what they come to.
#[derive(Clone, Copy, Default)]
struct Side {
    count: u64,
    sum: u128,
}

/// Writes the message; page after page, so that memory does not grow with the entries.
///
/// # Errors
/// See [`StatementFault`]. A statement that would be incomplete is not written.
pub fn write<E>(
    out: impl Write,
    asked: &Asked<'_>,
    pages: &mut Pages<'_, E>,
) -> Result<(), StatementFault<E>> {
    let (mut credits, mut debits) = (Side::default(), Side::default());
    let read = each_entry(pages, u64::MAX, |_, credit, amount| {
        let side = if credit { &mut credits } else { &mut debits };
        (side.count, side.sum) = (side.count + 1, side.sum.saturating_add(amount));
        Ok(())
    })?;
    let Read { account, opening, closing, lines } = read;
    let is_statement = asked.kind == Kind::Statement;
    let (message, body) =
        if is_statement { ("BkToCstmrStmt", "Stmt") } else { ("BkToCstmrDbtCdtNtfctn", "Ntfctn") };
    let mut print = Print::message(out, asked.kind.name(), message)?;
    let (from, to) = asked.days;
    let id = format!("{}-{to}", account.id.get() % 1_000_000_000_000_000_000_000);
    print.open("GrpHdr")?;
    print.text("MsgId", &id)?;
    print.text("CreDtTm", asked.created)?;
    print.close()?;
    print.open(body)?;
    print.text("Id", &id)?;
    print.text("CreDtTm", asked.created)?;
    print.open("FrToDt")?;
    print.text("FrDtTm", &format!("{from}T00:00:00"))?;
    print.text("ToDtTm", &format!("{to}T23:59:59"))?;
    print.close()?;
    account_element(&mut print, "Acct", &account)?;
    if is_statement {
        balance(&mut print, ("OPBD", from), &opening, &account)?;
        balance(&mut print, ("CLBD", to), &closing, &account)?;
    }
    print.open("TxsSummry")?;
    print.open("TtlNtries")?;
    print.text("NbOfNtries", &(credits.count + debits.count).to_string())?;
    print.text("Sum", &crate::figure::money(credits.sum.saturating_add(debits.sum), account.ledger.get()))?;
    print.open("TtlNetNtry")?;
    print.text("Amt", &crate::figure::money(credits.sum.abs_diff(debits.sum), account.ledger.get()))?;
    print.text("CdtDbtInd", if credits.sum >= debits.sum { "CRDT" } else { "DBIT" })?;
    print.close()?;
    print.close()?;
    for (name, side) in [("TtlCdtNtries", credits), ("TtlDbtNtries", debits)] {
        print.open(name)?;
        print.text("NbOfNtries", &side.count.to_string())?;
        print.text("Sum", &crate::figure::money(side.sum, account.ledger.get()))?;
        print.close()?;
    }
    print.close()?;
    each_entry(pages, lines, |line, credit, amount| {
        entry(&mut print, line, (credit, amount), &account).map_err(StatementFault::from)
    })?;
    print.end()?;
    Ok(())
}

/// What was read of an account.
struct Read {
    account: Account,
    opening: Balances,
    /// After the last entry.
    closing: Balances,
    /// How many entries there were, those that move no balance among them.
    lines: u64,
}

/// Goes through pages, as far as so many entries, and tells each that moves the balance: whether it is a credit, and how
/// much.
fn each_entry<E>(
    pages: &mut Pages<'_, E>,
    lines_max: u64,
    mut tell: impl FnMut(&StatementLine, bool, u128) -> Result<(), StatementFault<E>>,
) -> Result<Read, StatementFault<E>> {
    let mut read: Option<Read> = None;
    let mut cursor: Option<String> = None;
    loop {
        let asked = pages(cursor.as_deref()).map_err(StatementFault::Books)?;
        let (page, next) = asked.ok_or(StatementFault::NotFound)?;
        if let Some(fault) = page.faults.first() {
            return Err(StatementFault::Damaged(fault.to_string()));
        }
        let mut so_far = if let Some(read) = read.take() {
            read
        } else {
            let opening = balances(page.opening)?;
            Read { account: page.account, opening, closing: opening, lines: 0 }
        };
        for line in &page.lines {
            if so_far.lines == lines_max {
                return Ok(so_far);
            }
            so_far.lines += 1;
            let before = so_far.closing;
            let credit = line.balances.credits_posted.saturating_sub(before.credits_posted).get();
            let debit = line.balances.debits_posted.saturating_sub(before.debits_posted).get();
            if credit > 0 {
                tell(line, true, credit)?;
            }
            if debit > 0 {
                tell(line, false, debit)?;
            }
            so_far.closing = line.balances;
        }
        if next.is_none() {
            return Ok(so_far);
        }
        (read, cursor) = (Some(so_far), next);
    }
}

fn balances<E>(told: Option<Balances>) -> Result<Balances, StatementFault<E>> {
    told.ok_or_else(|| {
        StatementFault::Damaged("the piece of history that tells the balance is damaged".to_owned())
    })
}

fn account_element<W: Write>(print: &mut Print<W>, name: &'static str, account: &Account) -> io::Result<()> {
    print.open(name)?;
    print.nested(&["Id", "Othr", "Id"], &print_id(account.id.get()))?;
    print.text("Ccy", currency_code(account.ledger.get()))?;
    print.close()
}

fn balance<W: Write>(
    print: &mut Print<W>,
    (kind, on): (&str, Day),
    balances: &Balances,
    account: &Account,
) -> io::Result<()> {
    let (credits, debits) = (balances.credits_posted.get(), balances.debits_posted.get());
    print.open("Bal")?;
    print.nested(&["Tp", "CdOrPrtry", "Cd"], kind)?;
    print.amount("Amt", credits.abs_diff(debits), account.ledger.get())?;
    print.text("CdtDbtInd", if credits >= debits { "CRDT" } else { "DBIT" })?;
    print.nested(&["Dt", "Dt"], &on.to_string())?;
    print.close()
}

fn entry<W: Write>(
    print: &mut Print<W>,
    line: &StatementLine,
    (is_credit, amount): (bool, u128),
    account: &Account,
) -> io::Result<()> {
    let transfer = &line.transfer;
    let id = print_id(transfer.id.get());
    print.open("Ntry")?;
    print.text("NtryRef", &line.number.to_string())?;
    print.amount("Amt", amount, account.ledger.get())?;
    print.text("CdtDbtInd", if is_credit { "CRDT" } else { "DBIT" })?;
    print.nested(&["Sts", "Cd"], "BOOK")?;
    print.nested(&["BookgDt", "Dt"], &day(line.booked_on))?;
    print.nested(&["ValDt", "Dt"], &day(line.value_on))?;
    print.text("AcctSvcrRef", &id)?;
    print.nested(&["BkTxCd", "Prtry", "Cd"], &transfer.code.to_string())?;
    print.open("NtryDtls")?;
    print.open("TxDtls")?;
    print.nested(&["Refs", "TxId"], &id)?;
    print.amount("Amt", amount, account.ledger.get())?;
    print.text("CdtDbtInd", if is_credit { "CRDT" } else { "DBIT" })?;
    let (party, other) = if is_credit {
        ("DbtrAcct", transfer.debit_account_id)
    } else {
        ("CdtrAcct", transfer.credit_account_id)
    };
    print.nested(&["RltdPties", party, "Id", "Othr", "Id"], &print_id(other.get()))?;
    print.close()?;
    print.close()?;
    print.close()
}

fn day(date: BusinessDate) -> String {
    Day::from_number(date.get()).unwrap_or(Day::MIN).to_string()
}

/// The entries of some days, by the day on which they were booked.
pub fn booked(first: Day, last: Day) -> Period {
    Period::Booked { first: BusinessDate::new(first.number()), last: BusinessDate::new(last.number()) }
}
