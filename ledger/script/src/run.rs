//! Runs a script's lines on a subject and collects the answers.

use crate::Subject;
use crate::file::Act;
use crate::money::Currency;
use crate::names::Names;
use crate::raw::{self, Moments};
use crate::words::Words;
use crate::{audit, tell, time};
use fen_book::{
    Account, AccountFlags, AccountId, Amount, Code, Command, CreateAccountStatus, CreateTransferStatus,
    LedgerCode, Reply, Stamp, TimeoutSeconds, Transfer, TransferFlags, TransferId,
};
use std::collections::{BTreeMap, BTreeSet};

/// The clock's first day where a script does not begin with `day`.
const FIRST_DAY: &str = "2026-01-01";

/// How long a pending transfer holds where the script does not say.
const TIMEOUT: &str = "7d";

/// The ledger of a transfer of which neither account exists: CNY.
const LEDGER: LedgerCode = LedgerCode::new(156);

/// What a script gave.
#[derive(Debug, Default)]
pub struct Run {
    /// The answers of each act.
    pub answers: Vec<Vec<String>>,
    /// Every status that came up for an account.
    pub account_statuses: BTreeSet<CreateAccountStatus>,
    /// Every status that came up for a transfer.
    pub transfer_statuses: BTreeSet<CreateTransferStatus>,
}

/// How an event's outcome is told.
#[derive(Clone, PartialEq, Eq)]
enum Telling {
    /// A line of words; for accounts nothing where all is well.
    Words(String),
    /// The bare status behind the changed fields.
    Fields(String),
}

/// The events that the lines since `batch` or `chain` have put together.
#[derive(Default)]
struct Batch {
    accounts: Vec<(Account, Telling)>,
    transfers: Vec<(Transfer, Telling)>,
    /// Within `chain`: whether its last event is linked too, to nothing.
    chain: Option<ChainEnd>,
    /// Whether `chain` stands within `batch`, so that its end is not yet the end of the batch.
    nested: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ChainEnd {
    Closed,
    Open,
}

/// Which kind of event the last raw line wrote.
#[derive(Clone, Copy)]
enum Kind {
    Account,
    Transfer,
}

/// A script being run.
pub(crate) struct Runner<'s> {
    pub(crate) subject: Box<dyn Subject + 's>,
    pub(crate) names: Names,
    pub(crate) answers: Vec<String>,
    batch: Option<Batch>,
    /// The ledger of every transfer as it was asked for: what a later post's amount is written in.
    ledgers: BTreeMap<TransferId, LedgerCode>,
    last_account: Account,
    last_transfer: Transfer,
    last_kind: Option<Kind>,
    run: Run,
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
        last_account: Account::default(),
        last_transfer: Transfer::default(),
        last_kind: None,
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
            "pay" => self.movement(&mut words, TransferFlags::NONE)?,
            "pend" => self.movement(&mut words, TransferFlags::PENDING)?,
            "post" => self.ending(&mut words, TransferFlags::POST_PENDING_TRANSFER)?,
            "void" => self.ending(&mut words, TransferFlags::VOID_PENDING_TRANSFER)?,
            "batch" => self.begin(None)?,
            "chain" if words.takes("open") => self.begin(Some(ChainEnd::Open))?,
            "chain" => self.begin(Some(ChainEnd::Closed))?,
            "end" => self.end()?,
            "account" => {
                self.last_account = Account::default();
                self.raw(&mut words, Kind::Account, "account")?;
            }
            "transfer" => {
                self.last_transfer = Transfer::default();
                self.raw(&mut words, Kind::Transfer, "transfer")?;
            }
            "again" => {
                let kind = self.last_kind.ok_or("no account or transfer has been written field by field")?;
                self.raw(&mut words, kind, "again")?;
            }
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

    /// `open NAME CURRENCY [overdraft=yes] [kind=asset] [history=yes] [closed=yes] [at=MOMENT] ...`
    fn open(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = words.word("the account's name")?;
        let currency = Currency::named(words.word("the currency")?)?;
        let overdraft = words.says_yes("overdraft")?;
        let mut flags = match words.option("kind") {
            _ if overdraft => AccountFlags::NONE,
            None => AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
            Some("asset") => AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS,
            Some(other) => return Err(format!("kind={other}: only asset is a kind of its own")),
        };
        if words.says_yes("history")? {
            flags = flags.with(AccountFlags::HISTORY);
        }
        if words.says_yes("closed")? {
            flags = flags.with(AccountFlags::CLOSED);
        }
        let imported = words.option("at").map(time::moment).transpose()?;
        if imported.is_some() {
            flags = flags.with(AccountFlags::IMPORTED);
        }
        let account = Account {
            id: self.names.account(name),
            ledger: currency.ledger,
            code: Code::new(words.number("code")?.unwrap_or(1)),
            user_data_128: words.number("user_data_128")?.unwrap_or(0),
            user_data_64: words.number("user_data_64")?.unwrap_or(0),
            user_data_32: words.number("user_data_32")?.unwrap_or(0),
            flags,
            timestamp: imported.unwrap_or_default(),
            ..Account::default()
        };
        self.add_account(account, Telling::Words(name.to_owned()));
        Ok(())
    }

    /// `pay A -> B AMOUNT id=NAME [balancing=debit|credit|both] ...`, and `pend` with `[timeout=7d|none]
    /// [closing=debit|credit|both]`.
    fn movement(&mut self, words: &mut Words<'_>, kind: TransferFlags) -> Result<(), String> {
        let debit = self.names.account(words.word("who pays")?);
        if !words.takes("->") {
            return Err("`->` stands between who pays and who is paid".to_owned());
        }
        let credit = self.names.account(words.word("who is paid")?);
        let currency = self.currency_of(debit, credit);
        let mut transfer = common_fields(words)?;
        transfer.debit_account_id = debit;
        transfer.credit_account_id = credit;
        transfer.amount = currency.amount(words.word("the amount")?)?;
        transfer.ledger = currency.ledger;
        transfer.code = Code::new(words.number("code")?.unwrap_or(1));
        transfer.flags = transfer.flags.with(kind);
        if kind == TransferFlags::PENDING && !transfer.flags.contains(TransferFlags::IMPORTED) {
            let timeout = words.option("timeout").unwrap_or(TIMEOUT);
            let seconds = if timeout == "none" { 0 } else { time::seconds(timeout)? };
            transfer.timeout = TimeoutSeconds::new(seconds);
        }
        let balancing = (TransferFlags::BALANCING_DEBIT, TransferFlags::BALANCING_CREDIT);
        let closing = (TransferFlags::CLOSING_DEBIT, TransferFlags::CLOSING_CREDIT);
        for (option, (on_debit, on_credit)) in [("balancing", balancing), ("closing", closing)] {
            transfer.flags = match words.option(option) {
                None => transfer.flags,
                Some("debit") => transfer.flags.with(on_debit),
                Some("credit") => transfer.flags.with(on_credit),
                Some("both") => transfer.flags.with(on_debit).with(on_credit),
                Some(other) => return Err(format!("{option}={other} is none of debit, credit, both")),
            };
        }
        let name = words.option("id").ok_or("id= is missing")?;
        transfer.id = self.names.transfer(name);
        self.add_transfer(transfer, Telling::Words(name.to_owned()));
        Ok(())
    }

    /// `post PENDING [AMOUNT] [id=NAME]`, `void PENDING [AMOUNT] [id=NAME]`.
    fn ending(&mut self, words: &mut Words<'_>, kind: TransferFlags) -> Result<(), String> {
        let pending_name = words.word("the pending transfer")?;
        let pending_id = self.names.transfer(pending_name);
        let posts = kind == TransferFlags::POST_PENDING_TRANSFER;
        let mut transfer = common_fields(words)?;
        transfer.pending_id = pending_id;
        transfer.flags = transfer.flags.with(kind);
        transfer.code = Code::new(words.number("code")?.unwrap_or(0));
        let currency = Currency::of(self.ledgers.get(&pending_id).copied().unwrap_or(LEDGER));
        transfer.amount = match words.word_if_any() {
            Some(amount) => currency.amount(amount)?,
            None if posts => Amount::MAX,
            None => Amount::ZERO,
        };
        let label = words.option("id");
        let name = label.map_or_else(|| self.free_name(pending_name, posts), str::to_owned);
        transfer.id = self.names.transfer(&name);
        self.add_transfer(transfer, Telling::Words(label.unwrap_or(pending_name).to_owned()));
        Ok(())
    }

    /// A name for a post or void that was given none: "card-1 post", "card-1 post 2".
    fn free_name(&self, pending: &str, posts: bool) -> String {
        let base = format!("{pending} {}", if posts { "post" } else { "void" });
        let mut name = base.clone();
        let mut count = 1;
        while self.names.knows_transfer(&name) {
            count += 1;
            name = format!("{base} {count}");
        }
        name
    }

    /// The currency in which a line's amount is written: the payer's, or the payee's where there is no payer.
    fn currency_of(&mut self, debit: AccountId, credit: AccountId) -> Currency {
        let found = self.subject.lookup_accounts(&[debit, credit]);
        let account = found.into_iter().flatten().next();
        account.map_or_else(|| Currency::of(LEDGER), |account| Currency::of(account.ledger))
    }

    /// An event written field by field; `again` starts from the last one.
    fn raw(&mut self, words: &mut Words<'_>, kind: Kind, verb: &str) -> Result<(), String> {
        let fields = words.all_options();
        let stamps = self.stamps_named(fields.iter().filter(|(field, _)| *field == "timestamp"));
        let of = |name: &str| stamps.iter().find(|(known, _)| known == name).map(|(_, stamp)| *stamp);
        let moments = Moments { now: self.subject.clock(), of: &of };
        for (field, value) in &fields {
            match kind {
                Kind::Account => {
                    raw::set_account(&mut self.last_account, field, value, &mut self.names, &moments)?;
                }
                Kind::Transfer => {
                    raw::set_transfer(&mut self.last_transfer, field, value, &mut self.names, &moments)?;
                }
            }
        }
        self.last_kind = Some(kind);
        let changes: Vec<_> = fields.iter().map(|(field, value)| format!("{field}={value}")).collect();
        let label = if verb == "again" { changes.join(" ") } else { verb.to_owned() };
        match kind {
            Kind::Account => self.add_account(self.last_account, Telling::Fields(label)),
            Kind::Transfer => self.add_transfer(self.last_transfer, Telling::Fields(label)),
        }
        Ok(())
    }

    /// The stamps of the records that these `timestamp` fields name.
    fn stamps_named<'f>(
        &mut self,
        fields: impl Iterator<Item = &'f (&'f str, &'f str)>,
    ) -> Vec<(String, Stamp)> {
        let mut stamps = Vec::new();
        for (_, value) in fields {
            let name = value.rsplit_once(['+', '-']).map_or(*value, |(name, _)| name);
            for name in [*value, name] {
                if let Some(stamp) = self.stamp_of(name) {
                    stamps.push((name.to_owned(), stamp));
                }
            }
        }
        stamps
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

    fn begin(&mut self, chain: Option<ChainEnd>) -> Result<(), String> {
        match &mut self.batch {
            None => self.batch = Some(Batch { chain, ..Batch::default() }),
            Some(batch) if batch.chain.is_none() && chain.is_some() => {
                batch.chain = chain;
                batch.nested = true;
            }
            Some(_) => {
                return Err("only a chain may stand within a batch, and nothing within a chain".to_owned());
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let mut batch = self.batch.take().ok_or("there is no batch or chain to end")?;
        if batch.chain == Some(ChainEnd::Closed) {
            if let Some((account, _)) = batch.accounts.last_mut() {
                account.flags = account.flags.without(AccountFlags::LINKED);
            }
            if let Some((transfer, _)) = batch.transfers.last_mut() {
                transfer.flags = transfer.flags.without(TransferFlags::LINKED);
            }
        }
        if batch.nested {
            batch.nested = false;
            batch.chain = None;
            self.batch = Some(batch);
            return Ok(());
        }
        if !batch.accounts.is_empty() && !batch.transfers.is_empty() {
            return Err("a batch is of accounts or of transfers, not of both".to_owned());
        }
        self.send_accounts(&batch.accounts);
        self.send_transfers(&batch.transfers);
        Ok(())
    }

    fn add_account(&mut self, mut account: Account, telling: Telling) {
        let Some(batch) = &mut self.batch else {
            self.send_accounts(&[(account, telling)]);
            return;
        };
        if batch.chain.is_some() {
            account.flags = account.flags.with(AccountFlags::LINKED);
        }
        batch.accounts.push((account, telling));
    }

    fn add_transfer(&mut self, mut transfer: Transfer, telling: Telling) {
        self.ledgers.entry(transfer.id).or_insert(transfer.ledger);
        let Some(batch) = &mut self.batch else {
            self.send_transfers(&[(transfer, telling)]);
            return;
        };
        if batch.chain.is_some() {
            transfer.flags = transfer.flags.with(TransferFlags::LINKED);
        }
        batch.transfers.push((transfer, telling));
    }

    fn send_accounts(&mut self, events: &[(Account, Telling)]) {
        if events.is_empty() {
            return;
        }
        let accounts: Vec<_> = events.iter().map(|(account, _)| *account).collect();
        let Reply::Accounts(outcomes) = self.subject.apply(&Command::CreateAccounts(&accounts)) else {
            panic!("accounts were asked for")
        };
        assert_eq!(outcomes.len(), accounts.len(), "every event has an outcome");
        for ((_, telling), outcome) in events.iter().zip(outcomes) {
            self.run.account_statuses.insert(outcome.status);
            match telling {
                Telling::Words(_) if outcome.status == CreateAccountStatus::Created => {}
                Telling::Words(name) if outcome.status == CreateAccountStatus::Exists => {
                    self.answers.push(tell::line(name, "exists"));
                }
                Telling::Words(name) => {
                    self.answers.push(tell::line(name, &format!("refused: {}", outcome.status)));
                }
                Telling::Fields(label) => self.answers.push(tell::raw_line(label, outcome.status.name())),
            }
        }
    }

    fn send_transfers(&mut self, events: &[(Transfer, Telling)]) {
        if events.is_empty() {
            return;
        }
        let transfers: Vec<_> = events.iter().map(|(transfer, _)| *transfer).collect();
        let Reply::Transfers(outcomes) = self.subject.apply(&Command::CreateTransfers(&transfers)) else {
            panic!("transfers were asked for")
        };
        assert_eq!(outcomes.len(), transfers.len(), "every event has an outcome");
        for ((asked, telling), outcome) in events.iter().zip(outcomes) {
            self.run.transfer_statuses.insert(outcome.status);
            let answer = match telling {
                Telling::Fields(label) => tell::raw_line(label, outcome.status.name()),
                Telling::Words(label) => {
                    let text = if outcome.status == CreateTransferStatus::Created {
                        self.words_for_created(asked)
                    } else if events.len() == 1 {
                        self.words_for_refused(asked, outcome.status)
                    } else {
                        // What an account had in the midst of a batch cannot be asked for afterwards.
                        tell::refused(outcome.status, None, None)
                    };
                    tell::line(label, &text)
                }
            };
            self.answers.push(answer);
        }
    }

    fn words_for_created(&mut self, asked: &Transfer) -> String {
        let found = self.found(asked.id);
        let pending = (!found.pending_id.is_zero()).then(|| self.found(found.pending_id));
        tell::created(asked, &found, pending.as_ref())
    }

    fn words_for_refused(&mut self, asked: &Transfer, status: CreateTransferStatus) -> String {
        let found = self.subject.lookup_accounts(&[asked.debit_account_id, asked.credit_account_id]);
        tell::refused(status, found[0].as_ref(), found[1].as_ref())
    }

    /// A transfer that must be there.
    fn found(&mut self, id: TransferId) -> Transfer {
        let found = self.subject.lookup_transfers(&[id]).remove(0);
        found.unwrap_or_else(|| panic!("{} was created and must be found", self.names.of_transfer(id)))
    }
}

/// The options that every transfer takes, in a transfer that is empty otherwise.
fn common_fields(words: &mut Words<'_>) -> Result<Transfer, String> {
    let imported = words.option("at").map(time::moment).transpose()?;
    Ok(Transfer {
        user_data_128: words.number("user_data_128")?.unwrap_or(0),
        user_data_64: words.number("user_data_64")?.unwrap_or(0),
        user_data_32: words.number("user_data_32")?.unwrap_or(0),
        flags: if imported.is_some() { TransferFlags::IMPORTED } else { TransferFlags::NONE },
        timestamp: imported.unwrap_or_default(),
        ..Transfer::default()
    })
}
