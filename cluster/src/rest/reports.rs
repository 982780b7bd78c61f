//! Statements and reports over REST: what follows the question mark, and the answers that `fen ... --json` prints.

use super::{Place, call, error, json, trouble};
use crate::fault::ServeFault;
use crate::gateway::{Call, Gateway, Trouble};
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fen_api::{AGE_KEY, feed, records, reports, statements, wire};
use fen_book::BusinessDate;
use fen_json::{Json, Wrong, report};
use fen_ledger::Period;
use fen_terms::Day;
use futures_util::stream;
use std::borrow::Cow;

/// Lines of a statement where the caller says nothing.
const LINES: u32 = 100;

/// What follows the question mark; each name is asked for once, and what nobody asked for is named.
pub(super) struct Query<'a> {
    pairs: Vec<(&'a str, &'a str)>,
}

pub(super) fn wrong(field: &str, reason: impl Into<String>) -> Trouble {
    Trouble::Wrong(Wrong { field: field.to_owned(), reason: reason.into() })
}

impl<'a> Query<'a> {
    pub(super) fn of(text: Option<&'a str>, known: &[&str]) -> Result<Self, Trouble> {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs: Vec<_> = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        match pairs.iter().find(|(name, _)| !known.contains(name)) {
            Some((name, _)) => Err(wrong(name, format!("is not known here; known are {}", known.join(", ")))),
            None => Ok(Self { pairs }),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }

    pub(super) fn day(&self, name: &str) -> Result<Option<BusinessDate>, Trouble> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let day =
            Day::parse(text).ok_or_else(|| wrong(name, format!("'{text}' is no date like 2026-03-02")))?;
        Ok(Some(BusinessDate::new(day.number())))
    }

    pub(super) fn is_set(&self, name: &str) -> Result<bool, Trouble> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true" | "") => Ok(true),
            Some(_) => Err(wrong(name, "must be true or false")),
        }
    }

    pub(super) fn limit(&self) -> Result<u32, Trouble> {
        let limit = self.text("limit").map_or(Ok(LINES), str::parse);
        let most = fen_ledger::statement::LINES_MAX;
        limit
            .ok()
            .filter(|limit| (1..=most).contains(limit))
            .ok_or_else(|| wrong("limit", format!("must be a number from 1 to {most}")))
    }

    pub(super) fn period(&self) -> Result<Period, Trouble> {
        let (from, to) = (self.day("from")?, self.day("to")?);
        if from.is_none() && to.is_none() {
            return Ok(Period::All);
        }
        let first = from.unwrap_or(BusinessDate::new(Day::MIN.number()));
        let last = to.unwrap_or(BusinessDate::new(Day::MAX.number()));
        if first > last {
            return Err(wrong("from", "is later than `to`"));
        }
        match self.text("by") {
            None | Some("booked") => Ok(Period::Booked { first, last }),
            Some("value") => Ok(Period::Valued { first, last }),
            Some(_) => Err(wrong("by", "must be booked or value")),
        }
    }
}

pub(super) fn id(text: &str) -> Result<u128, Trouble> {
    fen_json::id(&Json::Text(Cow::Borrowed(text)), &Place::Line.field("id")).map_err(Trouble::Wrong)
}

pub(super) fn unreadable(reason: impl Into<String>) -> Trouble {
    Trouble::Fault(ServeFault::Unavailable(reason.into()))
}

pub(super) fn answer(told: Result<Option<String>, Trouble>, call: &Call) -> Response {
    match told {
        Err(reason) => trouble(&reason),
        Ok(None) => error(StatusCode::NOT_FOUND, "id", "there is none with this id"),
        Ok(Some(body)) => {
            let mut response = json(StatusCode::OK, body);
            if let Some(age) = call.age_ms() {
                response.headers_mut().insert(AGE_KEY, HeaderValue::from(age));
            }
            response
        }
    }
}

pub(super) async fn account_statement(
    State(gateway): State<Gateway>,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let call = call(&headers);
    let told = async {
        let query = Query::of(query.as_deref(), &["from", "to", "by", "newest", "limit", "after"])?;
        let asked = wire::StatementRequest {
            account_id: records::halves(id(&account)?),
            period: statements::period_message(&query.period()?),
            newest_first: query.is_set("newest")?,
            after: query.text("after").unwrap_or_default().to_owned(),
            limit: query.limit()?,
        };
        let told = gateway.statement(asked, &call).await?;
        let page = statements::statement(&told).map_err(unreadable)?;
        Ok(page.map(|(statement, next)| report::statement(&statement, next.as_deref())))
    };
    answer(told.await, &call)
}

pub(super) async fn loan_statement(
    State(gateway): State<Gateway>,
    Path(loan): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let call = call(&headers);
    let told = async {
        let query = Query::of(query.as_deref(), &["newest", "limit"])?;
        let loan = id(&loan)?;
        let asked = wire::LoanStatementRequest {
            loan_id: records::halves(loan),
            newest_first: query.is_set("newest")?,
            limit: query.limit()?,
        };
        let told = gateway.loan_statement(asked, &call).await?;
        let Some(postings) = told.map(|told| statements::loan_postings(&told)) else { return Ok(None) };
        Ok(Some(report::loan_postings(loan, &postings.map_err(unreadable)?)))
    };
    answer(told.await, &call)
}

pub(super) async fn general_ledger(
    State(gateway): State<Gateway>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let call = call(&headers);
    let told = async {
        let query = Query::of(query.as_deref(), &["as_of"])?;
        let as_of = query.day("as_of")?.map(BusinessDate::get);
        let told = gateway.general_ledger(wire::GeneralLedgerRequest { as_of }, &call).await?;
        let lines: Option<Vec<_>> = told.lines.iter().map(reports::line).collect();
        let lines = lines.ok_or_else(|| unreadable("a sum that is no number"))?;
        Ok(Some(report::trial_balance(&lines)))
    };
    answer(told.await, &call)
}

pub(super) async fn portfolio(State(gateway): State<Gateway>, headers: HeaderMap) -> Response {
    let call = call(&headers);
    let told = async { Ok(Some(report::portfolio(&gateway.portfolio(&call).await?))) };
    answer(told.await, &call)
}

pub(super) async fn day_end_status(State(gateway): State<Gateway>, headers: HeaderMap) -> Response {
    let call = call(&headers);
    let told = async { Ok(Some(report::day_end_status(&gateway.day_end_status(&call).await?))) };
    answer(told.await, &call)
}

/// What happened, one object a line, for as long as the reader reads.
pub(super) async fn feed(State(gateway): State<Gateway>, RawQuery(query): RawQuery) -> Response {
    let begin = || {
        let query = Query::of(query.as_deref(), &["from", "follow", "ledger", "code", "product"])?;
        let number = |name: &str| {
            let read = query.text(name).map(str::parse::<u32>).transpose();
            read.map_err(|_| wrong(name, "must be a number"))
        };
        let product = query.text("product").map(id).transpose()?;
        let asked = wire::FeedRequest {
            from: query.text("from").unwrap_or_default().to_owned(),
            ledger: number("ledger")?,
            code: number("code")?,
            product_id: product.map(|id| records::halves(id).unwrap_or_default()),
            follow: query.is_set("follow")?,
            limit: 0,
        };
        Ok(gateway.feed(&asked)?)
    };
    match begin() {
        Err(reason) => trouble(&reason),
        Ok(told) => {
            let lines = stream::unfold(told, |mut told| async {
                let page = told.recv().await?;
                Some((page.and_then(|page| lines(&page)).map(Bytes::from), told))
            });
            let body = Body::from_stream(lines);
            (StatusCode::OK, [(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
        }
    }
}

fn lines(page: &wire::FeedPage) -> Result<String, ServeFault> {
    let mut out = String::new();
    for message in &page.changes {
        if let Some(change) = feed::change(message).map_err(ServeFault::Unavailable)? {
            report::feed::change(&mut out, &message.position, &change);
        }
    }
    for gap in &page.gaps {
        report::feed::gap(&mut out, &page.position, (gap.first_record, gap.last_record), &gap.reason);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        let known = ["from", "to", "by", "newest", "limit", "after"];
        let read = || {
            let query = Query::of(Some(text), &known)?;
            Ok((query.period()?, query.is_set("newest")?, query.limit()?))
        };
        match read() {
            Ok((period, newest, limit)) => format!("{period:?} {newest} {limit}"),
            Err(Trouble::Wrong(wrong)) => format!("{}: {}", wrong.field, wrong.reason),
            Err(Trouble::Fault(fault)) => fault.to_string(),
        }
    }

    #[test]
    fn what_follows_the_question_mark_is_read_and_its_mistakes_are_named() {
        assert_eq!(reason(""), "All false 100");
        assert!(reason("from=2026-03-01&to=2026-03-02&by=value&newest=true&limit=7").starts_with("Valued"));
        for (text, said) in [
            ("frm=2026-03-01", "frm: is not known here"),
            ("from=2026-02-30", "from: '2026-02-30' is no date"),
            ("from=2026-03-02&to=2026-03-01", "from: is later"),
            ("to=2026-03-01&by=age", "by: must be"),
            ("newest=yes", "newest: must be"),
            ("limit=0", "limit: must be"),
            ("limit=9000", "limit: must be"),
        ] {
            assert!(reason(text).starts_with(said), "{text}: {}", reason(text));
        }
    }
}
