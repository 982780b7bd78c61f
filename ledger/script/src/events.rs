//! The lines that ask for something: each is made into an event.

use crate::money::Currency;
use crate::raw::{self, Moments};
use crate::run::{Kind, Runner};
use crate::send::Telling;
use crate::time;
use crate::words::Words;
use fen_book::{
    Account, AccountFlags, AccountId, AccountOpening, Amount, ChainEnd, Code, LedgerCode, LimitChange, Stamp,
    TimeoutSeconds, Transfer, TransferFlags,
};

/// How long a pending transfer holds where the script does not say.
const TIMEOUT: &str = "7d";

/// The ledger of a transfer of which neither account exists: CNY.
const LEDGER: LedgerCode = LedgerCode::new(156);

impl Runner<'_> {
    /// `open NAME CURRENCY [overdraft=yes] [kind=asset] [history=yes] [closed=yes] [at=MOMENT] [limit=AMOUNT]
    /// [balance=AMOUNT against=NAME id=NAME] ...`
    pub(crate) fn open(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = words.word("the account's name")?;
        let currency = Currency::named(words.word("the currency")?)?;
        let overdraft = words.says_yes("overdraft")?;
        let is_asset = match words.option("kind") {
            None => false,
            Some("asset") => true,
            Some(other) => return Err(format!("kind={other}: only asset is a kind of its own")),
        };
        let mut flags = match (overdraft, is_asset) {
            (true, _) => AccountFlags::NONE,
            (false, false) => AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS,
            (false, true) => AccountFlags::CREDITS_MUST_NOT_EXCEED_DEBITS,
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
        let mut opening = AccountOpening { account, ..AccountOpening::default() };
        opening.limit =
            words.option("limit").map(|text| currency.amount(text)).transpose()?.unwrap_or_default();
        if let Some(balance) = words.option("balance") {
            let balance = currency.amount(balance)?;
            *(if is_asset { &mut opening.opening_debit } else { &mut opening.opening_credit }) = balance;
            opening.contra_account_id =
                self.names.account(words.option("against").ok_or("against= is missing")?);
            opening.transfer_id = self.names.transfer(words.option("id").ok_or("id= is missing")?);
        }
        self.add_account(opening, Telling::Words(name.to_owned()));
        Ok(())
    }

    /// `limit NAME AMOUNT`
    pub(crate) fn limit(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = words.word("the account's name")?;
        let account_id = self.names.account(name);
        let currency = self.currency_of(account_id, account_id);
        let limit = currency.amount(words.word("the limit")?)?;
        self.send_limit(name, LimitChange { account_id, limit });
        Ok(())
    }

    /// `post chain PENDING id=NAME`, `void chain PENDING id=NAME`
    pub(crate) fn end_chain(&mut self, words: &mut Words<'_>, flags: TransferFlags) -> Result<(), String> {
        let pending_id = self.names.transfer(words.word("a pending transfer of the chain")?);
        let name = words.option("id").ok_or("id= is missing")?;
        let id = self.names.transfer(name);
        self.send_chain_end(name, ChainEnd { id, pending_id, flags, reserved: [0; 7] });
        Ok(())
    }

    /// `pay A -> B AMOUNT id=NAME [balancing=debit|credit|both] ...`, and `pend` with `[timeout=7d|none]
    /// [closing=debit|credit|both]`.
    pub(crate) fn movement(&mut self, words: &mut Words<'_>, kind: TransferFlags) -> Result<(), String> {
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
        let with_balances = words.says_yes("balances")?;
        let telling = if with_balances { Telling::Receipt } else { Telling::Words };
        self.add_transfer(transfer, telling(name.to_owned()));
        Ok(())
    }

    /// `post PENDING [AMOUNT] [id=NAME]`, `void PENDING [AMOUNT] [id=NAME]`.
    pub(crate) fn ending(&mut self, words: &mut Words<'_>, kind: TransferFlags) -> Result<(), String> {
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
    pub(crate) fn fields(&mut self, words: &mut Words<'_>, kind: Kind, verb: &str) -> Result<(), String> {
        let fields = words.all_options();
        let stamps = self.stamps_named(fields.iter().filter(|(field, _)| *field == "timestamp"));
        let of = |name: &str| stamps.iter().find(|(known, _)| known == name).map(|(_, stamp)| *stamp);
        let moments = Moments { now: self.subject.clock(), of: &of };
        for (field, value) in &fields {
            match kind {
                Kind::Account => {
                    raw::set_opening(&mut self.last_account, field, value, &mut self.names, &moments)?;
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
