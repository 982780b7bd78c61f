//! REST for people and tools: the words of `fen exec`, in HTTP. The description is served at `/v1/openapi.json`.
//!
//! A body is what follows `op` in a command of `fen exec`; an answer is the line that `fen exec` prints. What is wrong
//! with a body is answered 400, with the field's path. A refusal by the book is an outcome, as everywhere: 200, and a
//! status for each event. `Busy` is 503 with `Retry-After`; a full disk is 507. `Fen-Timeout-Ms` says how long the caller waits;
//! `Fen-Read: member` lets any member answer a read, which then bears `Fen-Age-Ms`.

mod history;
mod reports;

use crate::fault::ServeFault;
use crate::gateway::{Call, Gateway, RETRY_MS, Trouble};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use fen_api::{AGE_KEY, READ_KEY};
use fen_json::{Path as Place, Wrong, parse, write_text};
use std::time::Duration;

/// What the paths are and mean, as `OpenAPI`.
const DESCRIPTION: &str = include_str!("../api/openapi.json");
/// The longest body; as long as a line of `fen exec`.
const BODY_BYTES_MAX: usize = 16 << 20;
/// Says how long the caller waits, in milliseconds.
const TIMEOUT_KEY: &str = "fen-timeout-ms";
/// Entries of an account that are shown where the caller says nothing.
const LINES: &str = "100";

/// All paths.
pub(crate) fn routes(gateway: Gateway) -> Router {
    Router::new()
        .route("/v1/commands", post(command))
        .route("/v1/accounts", post(accounts))
        .route("/v1/accounts/{id}", get(account))
        .route("/v1/accounts/{id}/transfers", get(account_transfers))
        .route("/v1/accounts/{id}/balances", get(account_balances))
        .route("/v1/accounts/{id}/statement", get(reports::account_statement))
        .route("/v1/transfers", post(transfers))
        .route("/v1/transfers/{id}", get(transfer))
        .route("/v1/products", post(products))
        .route("/v1/loans/{what}", get(loan).post(loan_event))
        .route("/v1/loans/{what}/statement", get(reports::loan_statement))
        .route("/v1/day-ends", get(reports::day_end_status).post(day_end))
        .route("/v1/feed", get(reports::feed))
        .route("/v1/general-ledger", get(reports::general_ledger))
        .route("/v1/portfolio", get(reports::portfolio))
        .route("/v1/search/transfers", get(history::transfers))
        .route("/v1/search/accounts", get(history::accounts))
        .route("/v1/turnover", get(history::turnover))
        .route("/v1/export/transfers", get(history::export_transfers))
        .route("/v1/export/accounts", get(history::export_accounts))
        .route("/v1/proof/heads", get(history::heads))
        .route("/v1/proof/inclusion", get(history::inclusion))
        .route("/v1/proof/consistency", get(history::consistency))
        .route("/v1/trial-balance", get(trial_balance))
        .route("/v1/openapi.json", get(|| async { json(StatusCode::OK, DESCRIPTION.to_owned()) }))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(gateway)
}

/// How long the caller waits, and who may answer.
fn call(headers: &HeaderMap) -> Call {
    let text = |key: &str| headers.get(key).and_then(|value| value.to_str().ok());
    let patience = text(TIMEOUT_KEY).and_then(|text| text.parse().ok()).map(Duration::from_millis);
    Call::within(patience, text(READ_KEY) == Some("member"))
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// `{"error": {"field", "reason"}}`
fn error(status: StatusCode, field: &str, reason: &str) -> Response {
    let mut body = "{\"error\":{\"field\":".to_owned();
    write_text(&mut body, field);
    body.push_str(",\"reason\":");
    write_text(&mut body, reason);
    body.push_str("}}");
    json(status, body)
}

fn trouble(trouble: &Trouble) -> Response {
    match trouble {
        Trouble::Wrong(wrong) => error(StatusCode::BAD_REQUEST, &wrong.field, &wrong.reason),
        Trouble::Fault(ServeFault::Refused(reason)) => error(StatusCode::BAD_REQUEST, "", reason),
        Trouble::Fault(ServeFault::NoRoom(reason)) => error(StatusCode::INSUFFICIENT_STORAGE, "", reason),
        Trouble::Fault(fault) => {
            let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "", &fault.to_string());
            // Whole seconds are all that the header knows; the other one says it more exactly.
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response.headers_mut().insert(fen_api::RETRY_KEY, HeaderValue::from(RETRY_MS));
            response
        }
    }
}

/// Carries a command out and answers its reply, as `shown` makes it of the line.
async fn carry_out(
    gateway: &Gateway,
    headers: &HeaderMap,
    command: &str,
    shown: impl FnOnce(String) -> Response,
) -> Response {
    let call = call(headers);
    match gateway.execute(command, &call).await {
        Err(reason) => trouble(&reason),
        Ok(reply) => {
            let mut response = shown(reply);
            if let Some(age) = call.age_ms() {
                response.headers_mut().insert(AGE_KEY, HeaderValue::from(age));
            }
            response
        }
    }
}

fn whole(reply: String) -> Response {
    json(StatusCode::OK, reply)
}

/// The only result of a reply; 404 where there is none.
fn only(reply: &str) -> Response {
    let results = reply.find("\"results\":[").and_then(|at| reply.get(at + 11..reply.len().checked_sub(2)?));
    match results {
        Some(result) if result != "null" => json(StatusCode::OK, result.to_owned()),
        _nothing => error(StatusCode::NOT_FOUND, "id", "there is none with this id"),
    }
}

/// The command that a body is, under its op; or what is wrong with it.
fn under(op: &str, body: &[u8]) -> Result<String, Wrong> {
    let text = std::str::from_utf8(body)
        .map_err(|error| Place::Line.wrong(format!("not UTF-8 after byte {}", error.valid_up_to())))?;
    // Read once for itself, so that a column in what is wrong is the body's own.
    parse(text).map_err(|malformed| Place::Line.wrong(malformed.to_string()))?;
    let Some(fields) = text.trim_start().strip_prefix('{') else {
        return Err(Place::Line.wrong("must be an object"));
    };
    let comma = if fields.trim_start().starts_with('}') { "" } else { "," };
    Ok(format!("{{\"op\":\"{op}\"{comma}{fields}"))
}

async fn post_as(op: &str, gateway: &Gateway, headers: &HeaderMap, body: &[u8]) -> Response {
    match under(op, body) {
        Ok(command) => carry_out(gateway, headers, &command, whole).await,
        Err(wrong) => trouble(&Trouble::Wrong(wrong)),
    }
}

async fn command(State(gateway): State<Gateway>, headers: HeaderMap, body: Bytes) -> Response {
    match std::str::from_utf8(&body) {
        Ok(command) => carry_out(&gateway, &headers, command, whole).await,
        Err(_) => error(StatusCode::BAD_REQUEST, "", "the body is no UTF-8"),
    }
}

async fn accounts(State(gateway): State<Gateway>, headers: HeaderMap, body: Bytes) -> Response {
    post_as("create_accounts", &gateway, &headers, &body).await
}

async fn transfers(State(gateway): State<Gateway>, headers: HeaderMap, body: Bytes) -> Response {
    post_as("create_transfers", &gateway, &headers, &body).await
}

async fn products(State(gateway): State<Gateway>, headers: HeaderMap, body: Bytes) -> Response {
    post_as("put_product", &gateway, &headers, &body).await
}

async fn day_end(State(gateway): State<Gateway>, headers: HeaderMap, body: Bytes) -> Response {
    post_as("day_end", &gateway, &headers, &body).await
}

async fn loan_event(
    State(gateway): State<Gateway>,
    Path(op): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !fen_json::loans::LOAN_OPS.contains(&op.as_str()) {
        let known = fen_json::loans::LOAN_OPS.join(", ");
        return error(StatusCode::NOT_FOUND, "op", &format!("no event of a loan; known are {known}"));
    }
    post_as(&op, &gateway, &headers, &body).await
}

/// A look-up of one id. The id goes into the command as a string, so that its mistakes are named as there.
async fn one(op: &str, gateway: &Gateway, headers: &HeaderMap, id: &str) -> Response {
    let mut command = format!("{{\"op\":\"{op}\",\"ids\":[");
    write_text(&mut command, id);
    command.push_str("]}");
    carry_out(gateway, headers, &command, |reply| only(&reply)).await
}

async fn account(State(gateway): State<Gateway>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    one("lookup_positions", &gateway, &headers, &id).await
}

async fn transfer(State(gateway): State<Gateway>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    one("lookup_transfers", &gateway, &headers, &id).await
}

async fn loan(State(gateway): State<Gateway>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    one("lookup_loans", &gateway, &headers, &id).await
}

async fn account_transfers(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let command = filtered("get_account_transfers", &id, query.as_deref().unwrap_or_default());
    carry_out(&gateway, &headers, &command, whole).await
}

async fn account_balances(
    State(gateway): State<Gateway>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let command = filtered("get_account_balances", &id, query.as_deref().unwrap_or_default());
    carry_out(&gateway, &headers, &command, whole).await
}

/// A filter of `fen exec` from a query: `limit=20&reversed=true`. What is not said is both sides, and 100 entries.
fn filtered(op: &str, id: &str, query: &str) -> String {
    let mut command = format!("{{\"op\":\"{op}\",\"filter\":{{\"account_id\":");
    write_text(&mut command, id);
    let pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    let absent = [("limit", LINES), ("debits", "true"), ("credits", "true")]
        .into_iter()
        .filter(|(name, _)| pairs.iter().all(|(given, _)| given != name));
    for (name, value) in pairs.iter().copied().chain(absent) {
        command.push(',');
        write_text(&mut command, name);
        command.push(':');
        if matches!(value, "true" | "false") {
            command.push_str(value);
        } else {
            write_text(&mut command, value);
        }
    }
    command + "}}"
}

async fn trial_balance(State(gateway): State<Gateway>, headers: HeaderMap) -> Response {
    let call = call(&headers);
    match gateway.trial_balance(&call).await {
        Err(fault) => trouble(&Trouble::Fault(fault)),
        Ok(balance) => {
            let ledgers = balance.ledgers.iter().map(|ledger| {
                serde_json::json!({
                    "ledger": ledger.ledger, "accounts": ledger.accounts,
                    "debits_posted": ledger.debits_posted, "credits_posted": ledger.credits_posted,
                    "debits_pending": ledger.debits_pending, "credits_pending": ledger.credits_pending,
                })
            });
            let body = serde_json::json!({"ledgers": ledgers.collect::<Vec<_>>()});
            json(StatusCode::OK, body.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_described() {
        let description: serde_json::Value = serde_json::from_str(DESCRIPTION).unwrap();
        let described = description["paths"].as_object().unwrap();
        let source = include_str!("rest.rs");
        let served: Vec<&str> = source
            .lines()
            .filter_map(|line| line.trim().strip_prefix(".route(\"")?.split('"').next())
            .collect();
        assert!(served.len() > 10, "{served:?}");
        for path in served {
            assert!(described.contains_key(path), "{path} is served and not described");
        }
        let ops = &description["paths"]["/v1/loans/{what}"]["post"]["parameters"][0]["schema"]["enum"];
        assert_eq!(*ops, serde_json::json!(fen_json::loans::LOAN_OPS));
    }

    #[test]
    fn a_body_becomes_a_command_and_its_mistakes_keep_their_places() {
        assert_eq!(under("repay", b"{}").unwrap(), "{\"op\":\"repay\"}");
        assert_eq!(under("repay", b" {\"id\": 1}").unwrap(), "{\"op\":\"repay\",\"id\": 1}");
        assert!(under("repay", b"[]").unwrap_err().reason.contains("object"));
        assert!(under("repay", b"{\"id\": }").unwrap_err().reason.contains("column 8"));
        assert!(under("repay", b"\xff").is_err());
        assert_eq!(
            filtered("x", "7", "limit=5&reversed=true"),
            "{\"op\":\"x\",\"filter\":{\"account_id\":\"7\",\"limit\":\"5\",\"reversed\":true,\"debits\":true,\
             \"credits\":true}}"
        );
        assert!(fen_json::parse(&filtered("x", "\"", "a=\"&b")).is_ok(), "whatever is asked, it is JSON");
    }
}
