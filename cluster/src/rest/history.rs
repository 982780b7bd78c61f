//! Searches, sums, exports and proofs over REST: what follows the question mark, and the answers that `fen ... --json`
//! prints; exports are CSV, row after row for as long as the reader reads.

use super::reports::{Query, answer, id, unreadable, wrong};
use super::{call, trouble};
use crate::fault::ServeFault;
use crate::gateway::{Call, Gateway, Trouble, hex};
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fen_api::{export, proofs, records, search, wire};
use fen_book::{
    AccountFlags, AccountId, Amount, Code, LedgerCode, TimeoutSeconds, TransferFlags, TransferId,
};
use fen_json::report::export::{ACCOUNT_COLUMNS, TRANSFER_COLUMNS, account, transfer};
use fen_json::{ranges, report};
use fen_ledger::export::ExportAsked;
use fen_ledger::search::Bounds;
use fen_ledger::{AccountSearch, Direction, Split, TransferSearch, TurnoverAsked};
use fen_terms::Day;
use futures_util::stream;
use std::fmt::Write as _;
use std::time::Duration;

/// A page of an export may have to find its place in all of history.
const PAGE_PATIENCE: Duration = Duration::from_mins(1);

const SHARED: [&str; 12] = [
    "id",
    "reference",
    "user_data_64",
    "user_data_32",
    "ledger",
    "code",
    "flags",
    "without",
    "from",
    "to",
    "newest",
    "limit",
];

fn known<'a>(more: &[&'a str]) -> Vec<&'a str> {
    SHARED.iter().chain(&["after"]).chain(more).copied().collect()
}

impl Query<'_> {
    fn range<T: Copy + PartialOrd>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Result<Bounds<T>, String>,
    ) -> Result<Bounds<T>, Trouble> {
        let range = self.text(name).map(|text| read(text).map_err(|reason| wrong(name, reason)));
        range.transpose().map(Option::unwrap_or_default)
    }

    fn account(&self, name: &str) -> Result<Option<AccountId>, Trouble> {
        self.text(name).map(|text| id(text).map(AccountId::new)).transpose()
    }

    fn flags<T: Copy>(
        &self,
        name: &str,
        known: &[(&'static str, T)],
        none: T,
        with: impl Fn(T, T) -> T,
    ) -> Result<T, Trouble> {
        let names = self.text(name).unwrap_or_default().split(',').filter(|name| !name.is_empty());
        ranges::flags(names, known, none, with).map_err(|reason| wrong(name, reason))
    }

    fn direction(&self) -> Result<Direction, Trouble> {
        Ok(if self.is_set("newest")? { Direction::NewestFirst } else { Direction::OldestFirst })
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Trouble> {
        let number =
            self.text(name).map(|text| text.parse::<T>().map_err(|_| wrong(name, "must be a number")));
        number.transpose()
    }
}

fn transfer_search(query: &Query<'_>) -> Result<wire::TransferSearch, Trouble> {
    let flags = |name| query.flags(name, &TransferFlags::NAMES, TransferFlags::NONE, TransferFlags::with);
    let found = TransferSearch {
        id: query.range("id", ranges::ids)?.map(TransferId::new),
        debit_account_id: query.account("debit")?,
        credit_account_id: query.account("credit")?,
        account_id: query.account("account")?,
        amount: query.range("amount", ranges::whole)?.map(Amount::new),
        pending_id: query.range("pending", ranges::ids)?.map(TransferId::new),
        user_data_128: query.range("reference", ranges::ids)?,
        user_data_64: query.range("user_data_64", ranges::whole)?,
        user_data_32: query.range("user_data_32", ranges::whole)?,
        timeout: query.range("timeout", ranges::whole)?.map(TimeoutSeconds::new),
        ledger: query.range("ledger", ranges::whole)?.map(LedgerCode::new),
        code: query.range("code", ranges::whole)?.map(Code::new),
        flags: flags("flags")?,
        flags_without: flags("without")?,
        direction: query.direction()?,
        limit: query.limit()?,
        ..TransferSearch::default()
    };
    let after = query.text("after").unwrap_or_default();
    Ok(search::transfer_search_message(&found, &query.period()?, after))
}

fn account_search(query: &Query<'_>) -> Result<wire::AccountSearch, Trouble> {
    let flags = |name| query.flags(name, &AccountFlags::NAMES, AccountFlags::NONE, AccountFlags::with);
    let amounts = |name| Ok::<_, Trouble>(query.range(name, ranges::whole)?.map(Amount::new));
    let found = AccountSearch {
        id: query.range("id", ranges::ids)?.map(AccountId::new),
        customer: query.number("customer")?,
        debits_pending: amounts("debits_pending")?,
        debits_posted: amounts("debits_posted")?,
        credits_pending: amounts("credits_pending")?,
        credits_posted: amounts("credits_posted")?,
        user_data_128: query.range("reference", ranges::ids)?,
        user_data_64: query.range("user_data_64", ranges::whole)?,
        user_data_32: query.range("user_data_32", ranges::whole)?,
        ledger: query.range("ledger", ranges::whole)?.map(LedgerCode::new),
        code: query.range("code", ranges::whole)?.map(Code::new),
        flags: flags("flags")?,
        flags_without: flags("without")?,
        direction: query.direction()?,
        limit: query.limit()?,
        ..AccountSearch::default()
    };
    let after = query.text("after").unwrap_or_default();
    Ok(search::account_search_message(&found, &query.period()?, after))
}

fn next(next: &str) -> Option<&str> {
    Some(next).filter(|next| !next.is_empty())
}

pub(super) async fn transfers(
    State(gateway): State<Gateway>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let call = call(&headers);
    let told = async {
        let known = known(&["account", "debit", "credit", "amount", "pending", "timeout"]);
        let asked = transfer_search(&Query::of(query.as_deref(), &known)?)?;
        let page = gateway.search_transfers(asked, &call).await?;
        let found: Result<Vec<_>, String> = page.transfers.iter().map(records::transfer).collect();
        Ok(Some(report::found("transfers", &found.map_err(unreadable)?, next(&page.next))))
    };
    answer(told.await, &call)
}

pub(super) async fn accounts(
    State(gateway): State<Gateway>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let call = call(&headers);
    let told = async {
        let balances = ["customer", "debits_pending", "debits_posted", "credits_pending", "credits_posted"];
        let asked = account_search(&Query::of(query.as_deref(), &known(&balances))?)?;
        let page = gateway.search_accounts(asked, &call).await?;
        let found: Result<Vec<_>, String> = page.accounts.iter().map(records::account).collect();
        Ok(Some(report::found("accounts", &found.map_err(unreadable)?, next(&page.next))))
    };
    answer(told.await, &call)
}

pub(super) async fn turnover(
    State(gateway): State<Gateway>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let call = call(&headers);
    let told = async {
        let query = Query::of(query.as_deref(), &["from", "to", "by_day", "account", "ledger", "code"])?;
        let asked = TurnoverAsked {
            account_id: query.account("account")?,
            ledger: query.number("ledger")?,
            code: query.number("code")?,
            period: query.period()?,
            split: if query.is_set("by_day")? { Split::Days } else { Split::Whole },
        };
        let found = gateway.turnover(search::turnover_message(&asked), &call).await?;
        Ok(Some(report::turnover(&found)))
    };
    answer(told.await, &call)
}

/// CSV: a head, then pages of rows, until one says that it is the last, or the reader has gone.
fn table<P, F, R>(head: &[&str], first: R, page: P) -> Response
where
    P: Fn(R) -> F + Send + 'static,
    F: Future<Output = Result<(String, Option<R>), ServeFault>> + Send,
    R: Send + 'static,
{
    let head = stream::once(std::future::ready(Ok(Bytes::from(head.join(",") + "\r\n"))));
    let rows = stream::try_unfold((page, Some(first)), |(page, next)| async move {
        let Some(next) = next else { return Ok(None) };
        let (rows, next) = page(next).await?;
        Ok::<_, ServeFault>(Some((Bytes::from(rows), (page, next))))
    });
    let body = Body::from_stream(futures_util::StreamExt::chain(head, rows));
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/csv; charset=utf-8")], body).into_response()
}

fn put_row(out: &mut String, row: &[String]) {
    writeln!(out, "{}\r", row.join(",")).expect("writing to a string cannot fail");
}

fn list<T>(text: Option<&str>, one: impl Fn(&str) -> Result<T, Trouble>) -> Result<Vec<T>, Trouble> {
    text.unwrap_or_default().split(',').filter(|text| !text.is_empty()).map(one).collect()
}

/// All records of a range. A piece of history that cannot be read breaks the answer off: half a table that looks whole
/// would be worse.
pub(super) async fn export_transfers(State(gateway): State<Gateway>, RawQuery(query): RawQuery) -> Response {
    let begin = || {
        let query = Query::of(query.as_deref(), &["from", "to", "by", "ledger", "account"])?;
        let number = |text: &str| text.parse().map_err(|_| wrong("ledger", "must be numbers"));
        let asked = ExportAsked {
            period: query.period()?,
            ledgers: list(query.text("ledger"), |text| number(text).map(LedgerCode::new))?,
            accounts: list(query.text("account"), |text| id(text).map(AccountId::new))?,
        };
        Ok(export::export_message(&asked))
    };
    let asked = match begin() {
        Ok(asked) => asked,
        Err(reason) => return trouble(&reason),
    };
    table(&TRANSFER_COLUMNS, String::new(), move |after: String| {
        let (gateway, asked) = (gateway.clone(), wire::ExportRequest { after, ..asked.clone() });
        async move {
            let page = gateway.export(asked, &Call::within(Some(PAGE_PATIENCE), false)).await?;
            if let Some(fault) = page.faults.first() {
                return Err(ServeFault::Refused(fault.clone()));
            }
            let mut rows = String::new();
            for message in &page.lines {
                let (shard, line) = export::export_line(message).map_err(ServeFault::Unavailable)?;
                put_row(&mut rows, &transfer(shard, &line));
            }
            Ok((rows, Some(page.next).filter(|next| !next.is_empty())))
        }
    })
}

/// All accounts, as they are when their page is read.
pub(super) async fn export_accounts(State(gateway): State<Gateway>, RawQuery(query): RawQuery) -> Response {
    let begin = || {
        let query = Query::of(query.as_deref(), &["from", "to", "ledger", "code"])?;
        let found = AccountSearch {
            ledger: query.range("ledger", ranges::whole)?.map(LedgerCode::new),
            code: query.range("code", ranges::whole)?.map(Code::new),
            ..AccountSearch::default()
        };
        Ok(search::account_search_message(&found, &query.period()?, ""))
    };
    let asked = match begin() {
        Ok(asked) => asked,
        Err(reason) => return trouble(&reason),
    };
    table(&ACCOUNT_COLUMNS, String::new(), move |after: String| {
        let (gateway, asked) = (gateway.clone(), wire::AccountSearch { after, ..asked.clone() });
        async move {
            let page = gateway.search_accounts(asked, &Call::within(Some(PAGE_PATIENCE), false)).await?;
            let mut rows = String::new();
            for message in &page.accounts {
                put_row(&mut rows, &account(&records::account(message).map_err(ServeFault::Unavailable)?));
            }
            Ok((rows, Some(page.next).filter(|next| !next.is_empty())))
        }
    })
}

fn text(bytes: &[u8]) -> Option<String> {
    proofs::hash(bytes).map(|hash| hash.to_string())
}

fn path(hashes: &[Vec<u8>]) -> Vec<Option<String>> {
    hashes.iter().map(|hash| text(hash)).collect()
}

/// What a digest says of each shard. It is signed by whoever has the key, which the cluster never has.
pub(super) async fn heads(
    State(gateway): State<Gateway>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let call = call(&headers);
    let told = async {
        let query = Query::of(query.as_deref(), &["shard", "books"])?;
        let shard = query.number("shard")?.unwrap_or(0);
        let heads = gateway.heads(wire::HeadsRequest { shard, books: query.is_set("books")? }, &call).await?;
        let head = |head: &wire::Head| {
            let totals = head.ledgers.iter().map(|totals| {
                serde_json::json!({
                    "ledger": totals.ledger, "accounts": totals.accounts,
                    "debits_posted": totals.debits_posted, "credits_posted": totals.credits_posted,
                    "debits_pending": totals.debits_pending, "credits_pending": totals.credits_pending,
                })
            });
            serde_json::json!({
                "shard": head.shard, "records": head.size, "root": text(&head.root),
                "identity": format!("{:016x}", head.identity), "clock": head.clock.to_string(),
                "date": head.business_date.and_then(Day::from_number).map(|day| day.to_string()),
                "books": text(&head.books), "totals": totals.collect::<Vec<_>>(),
            })
        };
        let heads: Vec<_> = heads.heads.iter().map(head).collect();
        Ok(Some(serde_json::json!({ "heads": heads }).to_string()))
    };
    answer(told.await, &call)
}

pub(super) async fn inclusion(
    State(gateway): State<Gateway>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let call = call(&headers);
    let told = async {
        let query = Query::of(query.as_deref(), &["shard", "transfer", "records"])?;
        let transfer = query.text("transfer").ok_or_else(|| wrong("transfer", "is missing"))?;
        let asked = wire::InclusionRequest {
            shard: query.number("shard")?.ok_or_else(|| wrong("shard", "is missing"))?,
            transfer_id: records::halves(id(transfer)?),
            size: query.number("records")?.ok_or_else(|| wrong("records", "is missing"))?,
        };
        let told = gateway.prove_inclusion(asked, &call).await?;
        if told.record.is_empty() {
            return Ok(None);
        }
        let record = hex(&told.record);
        let body = serde_json::json!({
            "records": told.records, "root": text(&told.root), "record": record, "index": told.index,
            "covered": told.is_covered, "path": path(&told.path),
        });
        Ok(Some(body.to_string()))
    };
    answer(told.await, &call)
}

pub(super) async fn consistency(
    State(gateway): State<Gateway>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let call = call(&headers);
    let told = async {
        let query = Query::of(query.as_deref(), &["shard", "older", "newer"])?;
        let number = |name| query.number(name)?.ok_or_else(|| wrong(name, "is missing"));
        let shard = query.number("shard")?.ok_or_else(|| wrong("shard", "is missing"))?;
        let asked = wire::ConsistencyRequest { shard, older: number("older")?, newer: number("newer")? };
        let told = gateway.prove_consistency(asked, &call).await?;
        let body = serde_json::json!({
            "records": told.records, "older_root": text(&told.older_root), "newer_root": text(&told.newer_root),
            "path": path(&told.path),
        });
        Ok(Some(body.to_string()))
    };
    answer(told.await, &call)
}
