//! Runs a script's lines on a subject and collects the answers.

use crate::Subject;
use crate::file::Act;
use crate::names::Names;
use crate::send::{Batch, LastBefore};
use crate::words::Words;
use crate::{audit, time};
use fen_book::loan::product_status::ProductStatus;
use fen_book::{
    AccountOpening, CreateAccountStatus, CreateTransferStatus, LedgerCode, SetLimitStatus, Stamp, Transfer,
    TransferFlags, TransferId,
};
use std::collections::{BTreeMap, BTreeSet};

/// The clock's first day where a script does not begin with `day`.
const FIRST_DAY: &str = "2026-01-01";

/// What a script gave.
#[derive(Debug, Default)]
pub struct Run {
    /// The answers of each act.
    pub answers: Vec<Vec<String>>,
    /// Every status that came up for an account.
    pub account_statuses: BTreeSet<CreateAccountStatus>,
    /// Every status that came up for a transfer.
    pub transfer_statuses: BTreeSet<CreateTransferStatus>,
    /// Every status that came up for a limit.
    pub limit_statuses: BTreeSet<SetLimitStatus>,
    /// The name of every status that came up for a loan event or a day-end.
    pub loan_statuses: BTreeSet<&'static str>,
    /// Every status that came up for a product.
    pub product_statuses: BTreeSet<ProductStatus>,
}

/// Which kind of event the last line of fields wrote.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Account,
    Transfer,
}

/// A script being run.
pub(crate) struct Runner<'s> {
    pub(crate) subject: Box<dyn Subject + 's>,
    pub(crate) names: Names,
    pub(crate) answers: Vec<String>,
    pub(crate) batch: Option<Batch>,
    /// The ledger of every transfer as it was asked for: what a later post's amount is written in.
    pub(crate) ledgers: BTreeMap<TransferId, LedgerCode>,
    pub(crate) last_account: AccountOpening,
    pub(crate) last_transfer: Transfer,
    pub(crate) last_kind: Option<Kind>,
    /// The currencies of products and loans, by id.
    pub(crate) product_ledgers: BTreeMap<u128, LedgerCode>,
    pub(crate) loan_ledgers: BTreeMap<u128, LedgerCode>,
    /// Whether any line was about loans, so that the audit is too.
    pub(crate) tells_loans: bool,
    pub(crate) run: Run,
}

/// The moment at which a script's clock starts.
pub(crate) fn start(acts: &[Act]) -> Stamp {
    let mut lines = acts.iter().flat_map(|act| &act.lines);
    let day = lines.find_map(|line| line.strip_prefix("day ")).unwrap_or(FIRST_DAY);
    time::moment(day.trim()).unwrap_or(Stamp::ZERO)
}

/// Runs all acts; the error names the line.
pub(crate) fn run(acts: &[Act], subject: Box<dyn Subject + '_>) -> Result<Run, String> {
    let mut runner = Runner {
        subject,
        names: Names::new(),
        answers: Vec::new(),
        batch: None,
        ledgers: BTreeMap::new(),
        last_account: AccountOpening::default(),
        last_transfer: Transfer::default(),
        last_kind: None,
        product_ledgers: BTreeMap::new(),
        loan_ledgers: BTreeMap::new(),
        tells_loans: false,
        run: Run::default(),
    };
    for act in acts {
        for (index, line) in act.lines.iter().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            runner.subject.between_lines();
            runner.line(line).map_err(|reason| {
                let before = runner.answers.last().map_or("nothing", String::as_str);
                format!("line {}: {reason} (the last answer was `{before}`)", act.first_line + index)
            })?;
        }
        if runner.batch.is_some() {
            return Err(format!("the act from line {} ends within a batch or chain", act.first_line));
        }
        runner.answers.extend(audit::lines(runner.subject.as_mut())?);
        if runner.tells_loans {
            runner.answers.push(audit::of_loans(runner.subject.as_mut())?);
        }
        runner.run.answers.push(std::mem::take(&mut runner.answers));
    }
    Ok(runner.run)
}

impl Runner<'_> {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let mut words = Words::of(line);
        match words.word("the verb")? {
            "day" => self.day(words.word("the day")?)?,
            "wait" => self.subject.tick(time::nanoseconds(words.word("how long")?)?),
            "open" => self.open(&mut words)?,
            "limit" => self.limit(&mut words)?,
            "pay" => self.movement(&mut words, TransferFlags::NONE)?,
            "pend" => self.movement(&mut words, TransferFlags::PENDING)?,
            "post" if words.takes("chain") => {
                self.end_chain(&mut words, TransferFlags::POST_PENDING_TRANSFER)?;
            }
            "void" if words.takes("chain") => {
                self.end_chain(&mut words, TransferFlags::VOID_PENDING_TRANSFER)?;
            }
            "post" => self.ending(&mut words, TransferFlags::POST_PENDING_TRANSFER)?,
            "void" => self.ending(&mut words, TransferFlags::VOID_PENDING_TRANSFER)?,
            "batch" => self.begin(None)?,
            "chain" if words.takes("open") => self.begin(Some(LastBefore::Nothing))?,
            "chain" => self.begin(Some(LastBefore::End))?,
            "end" => self.end()?,
            "account" => {
                self.last_account = AccountOpening::default();
                self.fields(&mut words, Kind::Account, "account")?;
            }
            "transfer" => {
                self.last_transfer = Transfer::default();
                self.fields(&mut words, Kind::Transfer, "transfer")?;
            }
            "again" => {
                let kind = self.last_kind.ok_or("no account or transfer has been written field by field")?;
                self.fields(&mut words, kind, "again")?;
            }
            verb if self.loan_line(verb, &mut words)? => {}
            verb => self.look(verb, &mut words)?,
        }
        words.done()
    }

    fn day(&mut self, day: &str) -> Result<(), String> {
        let now = self.subject.clock();
        let day_begins = time::moment(day)?;
        let ahead = day_begins.get().checked_sub(now.get());
        self.subject.tick(ahead.ok_or_else(|| format!("{day} is over: it is {}", time::print(now)))?);
        Ok(())
    }

    /// The stamp of the account or transfer of this name.
    pub(crate) fn stamp_of(&mut self, name: &str) -> Option<Stamp> {
        if self.names.knows_account(name) {
            let id = self.names.account(name);
            return self.subject.lookup_accounts(&[id]).remove(0).map(|account| account.timestamp);
        }
        if self.names.knows_transfer(name) {
            let id = self.names.transfer(name);
            return self.subject.lookup_transfers(&[id]).remove(0).map(|transfer| transfer.timestamp);
        }
        None
    }
}
