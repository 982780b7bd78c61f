//! The lines of a script that only look.

use crate::money::Currency;
use crate::run::Runner;
use crate::words::Words;
use crate::{tell, time};
use fen_book::{Account, AccountFilter, EVENTS_MAX, Position, QueryFilter, Stamp};

/// What a query may give where the script sets no limit.
const LIMIT: u32 = 8_189;
const _: () = assert!(LIMIT as usize == EVENTS_MAX);

impl Runner<'_> {
    /// `balance`, `position`, `show`, `statement`, `history`, `query`.
    pub(crate) fn look(&mut self, verb: &str, words: &mut Words<'_>) -> Result<(), String> {
        match verb {
            "balance" => self.balance(words).map(|_| ()),
            "position" => self.position(words),
            "show" => self.show(words),
            "statement" => self.statement(words),
            "history" => self.history(words),
            "query" => self.query(words),
            _ => Err(format!("`{verb}` is no verb of a script")),
        }
    }

    fn balance(&mut self, words: &mut Words<'_>) -> Result<Option<Position>, String> {
        let name = words.word("the account's name")?;
        let id = self.names.account(name);
        let position = self.subject.position(id);
        self.answers.push(match &position {
            Some(position) => tell::balance(name, position),
            None => tell::line(name, "not found"),
        });
        Ok(position)
    }

    /// `position NAME`: the balance and the open reservations behind it, read at one moment.
    fn position(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        if let Some(position) = self.balance(words)? {
            let ledger = position.account.ledger;
            let lines =
                position.pendings.iter().map(|pending| tell::open_pending(pending, ledger, &self.names));
            self.answers.extend(lines);
        }
        Ok(())
    }

    fn show(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let kind = words.word("`account` or `transfer`")?;
        let name = words.rest();
        let fields = match kind {
            "account" => self.account(&name).map(|account| tell::account_fields(&account)),
            "transfer" => {
                let id = self.names.transfer(&name);
                let found = self.subject.lookup_transfers(&[id]).remove(0);
                found.map(|transfer| tell::transfer_fields(&transfer, &self.names))
            }
            _ => return Err(format!("`{kind}` is neither account nor transfer")),
        };
        self.answers.push(format!("{name} {}", fields.unwrap_or_else(|| " not found".to_owned())));
        Ok(())
    }

    /// `statement NAME [from=] [to=] [limit=] [code=] [debits] [credits] [reversed]`
    fn statement(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = words.word("the account's name")?;
        let filter = self.account_filter(name, words)?;
        let account = self.account(name).unwrap_or_default();
        let found = self.subject.account_transfers(&filter);
        self.answers.push(format!("statement of {name}"));
        let lines = found.iter().map(|transfer| tell::entry(transfer, &account, &self.names));
        self.answers.extend(lines);
        self.end_of_list(found.len());
        Ok(())
    }

    /// `history NAME`, with the options of `statement`: the balances after each entry.
    fn history(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = words.word("the account's name")?;
        let filter = self.account_filter(name, words)?;
        let account = self.account(name).unwrap_or_default();
        let lines = self.subject.account_balances(&filter);
        let transfers = self.subject.account_transfers(&filter);
        self.answers.push(format!("history of {name}"));
        for line in &lines {
            let transfer = transfers.iter().find(|transfer| transfer.timestamp == line.timestamp);
            let transfer = transfer.ok_or("a line of the history has the stamp of no entry")?;
            let balances =
                tell::balances(&line.balances, Currency::of(account.ledger), tell::is_asset(&account));
            let label = self.names.of_transfer(transfer.id);
            self.answers.push(tell::list_line(&label, &balances));
        }
        self.end_of_list(lines.len());
        Ok(())
    }

    /// `query accounts|transfers [currency=] [code=] [user_data_*=] [from=] [to=] [limit=] [reversed]`
    fn query(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let kind = words.word("`accounts` or `transfers`")?;
        let reversed = words.takes("reversed");
        let (timestamp_min, timestamp_max) = self.period(words)?;
        let ledger = words.option("currency").map(Currency::named).transpose()?;
        let filter = QueryFilter {
            user_data_128: words.number("user_data_128")?.unwrap_or(0),
            user_data_64: words.number("user_data_64")?.unwrap_or(0),
            user_data_32: words.number("user_data_32")?.unwrap_or(0),
            ledger: ledger.map_or(0, |currency| currency.ledger.get()),
            code: words.number("code")?.unwrap_or(0),
            timestamp_min,
            timestamp_max,
            limit: words.number("limit")?.unwrap_or(LIMIT),
            reversed,
        };
        let names: Vec<String> = match kind {
            "accounts" => {
                let found = self.subject.query_accounts(&filter);
                found.iter().map(|account| self.names.of_account(account.id)).collect()
            }
            "transfers" => {
                let found = self.subject.query_transfers(&filter);
                found.iter().map(|transfer| self.names.of_transfer(transfer.id)).collect()
            }
            _ => return Err(format!("`{kind}` is neither accounts nor transfers")),
        };
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        self.answers.push(format!("{kind}: {names}"));
        Ok(())
    }

    fn account(&mut self, name: &str) -> Option<Account> {
        let id = self.names.account(name);
        self.subject.lookup_accounts(&[id]).remove(0)
    }

    fn account_filter(&mut self, name: &str, words: &mut Words<'_>) -> Result<AccountFilter, String> {
        let debits_only = words.takes("debits");
        let credits_only = words.takes("credits");
        let reversed = words.takes("reversed");
        let (timestamp_min, timestamp_max) = self.period(words)?;
        Ok(AccountFilter {
            account_id: self.names.account(name),
            user_data_128: words.number("user_data_128")?.unwrap_or(0),
            user_data_64: words.number("user_data_64")?.unwrap_or(0),
            user_data_32: words.number("user_data_32")?.unwrap_or(0),
            code: words.number("code")?.unwrap_or(0),
            timestamp_min,
            timestamp_max,
            limit: words.number("limit")?.unwrap_or(LIMIT),
            debits: !credits_only,
            credits: !debits_only,
            reversed,
        })
    }

    /// `from=` and `to=`: a day (all of it) or the name of a record (its stamp), both inclusive.
    fn period(&mut self, words: &mut Words<'_>) -> Result<(Stamp, Stamp), String> {
        let from = match words.option("from") {
            Some(text) => self.bound(text, |day_begins| day_begins)?,
            None => Stamp::ZERO,
        };
        let to = match words.option("to") {
            Some(text) => self.bound(text, time::end_of_day)?,
            None => Stamp::ZERO,
        };
        Ok((from, to))
    }

    fn bound(&mut self, text: &str, of_day: fn(Stamp) -> Stamp) -> Result<Stamp, String> {
        if text == "max" {
            return Ok(Stamp::MAX);
        }
        match self.stamp_of(text) {
            Some(stamp) => Ok(stamp),
            None => time::moment(text).map(of_day),
        }
    }

    fn end_of_list(&mut self, count: usize) {
        if count == 0 {
            self.answers.push("  nothing".to_owned());
        }
    }
}
