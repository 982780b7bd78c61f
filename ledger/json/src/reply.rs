//! What `exec` answers, one line each. Ids, amounts, balances and `user_data_128` are strings, because most
//! readers of JSON would round them; every other integer is a number.

use crate::{Wrong, write_text};
use fen_book::{
    Account, AccountFlags, BalanceLine, Balances, ChainOutcome, CreateAccountStatus, CreateTransferStatus,
    OpenPending, OpeningStatus, Outcome, Position, Receipt, SetLimitStatus, Stamp, Transfer, TransferFlags,
};
use std::fmt::Write as _;

/// Appends formatted text; writing to a string has no way to fail.
macro_rules! put {
    ($out:expr, $($format:tt)*) => { write!($out, $($format)*).expect("writing to a string cannot fail") };
}

/// A result as one JSON value.
pub trait Answer {
    /// Appends it.
    fn write(&self, out: &mut String);
}

/// The whole reply to a command, without its line feed.
pub fn reply<T: Answer>(op: &str, results: &[T]) -> String {
    let mut out = String::with_capacity(64 + results.len() * 64);
    put!(out, "{{\"op\":\"{op}\",\"results\":[");
    for (index, result) in results.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        result.write(&mut out);
    }
    out.push_str("]}");
    out
}

/// The reply to a line that is no command.
pub fn refusal(line: u64, wrong: &Wrong) -> String {
    let mut out = String::new();
    put!(out, "{{\"error\":{{\"line\":{line},\"field\":");
    write_text(&mut out, &wrong.field);
    out.push_str(",\"reason\":");
    write_text(&mut out, &wrong.reason);
    out.push_str("}}");
    out
}

impl<T: Answer> Answer for Option<T> {
    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => out.push_str("null"),
        }
    }
}

impl Answer for Stamp {
    fn write(&self, out: &mut String) {
        put!(out, "{self}");
    }
}

impl Answer for Outcome<CreateAccountStatus> {
    fn write(&self, out: &mut String) {
        put!(out, "{{\"timestamp\":{},\"status\":\"{}\"}}", self.timestamp, self.status);
    }
}

impl Answer for Outcome<CreateTransferStatus> {
    fn write(&self, out: &mut String) {
        put!(out, "{{\"timestamp\":{},\"status\":\"{}\"}}", self.timestamp, self.status);
    }
}

impl Answer for Outcome<OpeningStatus> {
    fn write(&self, out: &mut String) {
        let Outcome { timestamp, status } = self;
        put!(out, "{{\"timestamp\":{timestamp},\"status\":\"{}\"", status.account);
        if let Some(transfer) = status.transfer {
            put!(out, ",\"opening_balance\":\"{transfer}\"");
        }
        out.push('}');
    }
}

impl Answer for Outcome<SetLimitStatus> {
    fn write(&self, out: &mut String) {
        put!(out, "{{\"timestamp\":{},\"status\":\"{}\"}}", self.timestamp, self.status);
    }
}

impl Answer for Receipt {
    fn write(&self, out: &mut String) {
        put!(out, "{{\"timestamp\":{},\"status\":\"{}\"", self.outcome.timestamp, self.outcome.status);
        for (name, balances) in [("debit_balances", self.debit), ("credit_balances", self.credit)] {
            put!(out, ",\"{name}\":");
            match balances {
                None => out.push_str("null"),
                Some(balances) => {
                    out.push('{');
                    write_balances(out, &balances);
                    out.push('}');
                }
            }
        }
        out.push('}');
    }
}

impl Answer for ChainOutcome {
    fn write(&self, out: &mut String) {
        let Outcome { timestamp, status } = self.outcome;
        put!(out, "{{\"timestamp\":{timestamp},\"status\":\"{status}\",\"members\":{}}}", self.members);
    }
}

impl Answer for Account {
    fn write(&self, out: &mut String) {
        put!(out, "{{\"id\":\"{}\",", self.id);
        write_balances(out, &self.balances());
        put!(
            out,
            ",\"user_data_128\":\"{}\",\"user_data_64\":{},\"user_data_32\":{},\"ledger\":{},\"code\":{},\"flags\":",
            self.user_data_128,
            self.user_data_64,
            self.user_data_32,
            self.ledger,
            self.code
        );
        write_names(
            out,
            AccountFlags::NAMES.iter().filter(|(_, flag)| self.flags.contains(*flag)).map(|(name, _)| *name),
        );
        put!(out, ",\"timestamp\":{}}}", self.timestamp);
    }
}

impl Answer for Transfer {
    fn write(&self, out: &mut String) {
        put!(
            out,
            "{{\"id\":\"{}\",\"debit_account_id\":\"{}\",\"credit_account_id\":\"{}\",\"amount\":\"{}\",\
             \"pending_id\":\"{}\",\"user_data_128\":\"{}\",\"user_data_64\":{},\"user_data_32\":{},\
             \"timeout\":{},\"ledger\":{},\"code\":{},\"flags\":",
            self.id,
            self.debit_account_id,
            self.credit_account_id,
            self.amount,
            self.pending_id,
            self.user_data_128,
            self.user_data_64,
            self.user_data_32,
            self.timeout,
            self.ledger,
            self.code
        );
        write_names(
            out,
            TransferFlags::NAMES.iter().filter(|(_, flag)| self.flags.contains(*flag)).map(|(name, _)| *name),
        );
        put!(out, ",\"timestamp\":{}}}", self.timestamp);
    }
}

impl Answer for Position {
    fn write(&self, out: &mut String) {
        out.push_str("{\"account\":");
        self.account.write(out);
        put!(out, ",\"limit\":\"{}\",\"pendings\":[", self.limit);
        for (index, pending) in self.pendings.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let OpenPending { id, amount, expires_at } = pending;
            put!(out, "{comma}{{\"id\":\"{id}\",\"amount\":\"{amount}\",\"expires_at\":{expires_at}}}");
        }
        out.push_str("]}");
    }
}

impl Answer for BalanceLine {
    fn write(&self, out: &mut String) {
        put!(out, "{{\"timestamp\":{},", self.timestamp);
        write_balances(out, &self.balances);
        out.push('}');
    }
}

fn write_balances(out: &mut String, balances: &Balances) {
    put!(
        out,
        "\"debits_pending\":\"{}\",\"debits_posted\":\"{}\",\"credits_pending\":\"{}\",\"credits_posted\":\"{}\"",
        balances.debits_pending,
        balances.debits_posted,
        balances.credits_pending,
        balances.credits_posted
    );
}

fn write_names(out: &mut String, names: impl Iterator<Item = &'static str>) {
    out.push('[');
    for (index, name) in names.enumerate() {
        put!(out, "{}\"{name}\"", if index > 0 { "," } else { "" });
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use fen_book::{AccountId, Amount, Code, LedgerCode};

    #[test]
    fn an_account_shows_every_field() {
        let account = Account {
            id: AccountId::new(u128::MAX - 1),
            credits_posted: Amount::MAX,
            user_data_64: u64::MAX,
            ledger: LedgerCode::new(156),
            code: Code::new(1),
            flags: AccountFlags::HISTORY.with(AccountFlags::CLOSED),
            timestamp: Stamp::new(9),
            ..Account::default()
        };
        assert_eq!(
            reply("lookup_accounts", &[Some(account), None]),
            "{\"op\":\"lookup_accounts\",\"results\":[{\"id\":\"340282366920938463463374607431768211454\",\
             \"debits_pending\":\"0\",\"debits_posted\":\"0\",\"credits_pending\":\"0\",\
             \"credits_posted\":\"340282366920938463463374607431768211455\",\"user_data_128\":\"0\",\
             \"user_data_64\":18446744073709551615,\"user_data_32\":0,\"ledger\":156,\"code\":1,\
             \"flags\":[\"history\",\"closed\"],\"timestamp\":9},null]}"
        );
    }

    #[test]
    fn a_refusal_escapes_what_the_client_sent() {
        let wrong = Wrong { field: "events[0].a\"b".into(), reason: "is no field".into() };
        assert_eq!(
            refusal(3, &wrong),
            r#"{"error":{"line":3,"field":"events[0].a\"b","reason":"is no field"}}"#
        );
    }
}
