//! REST on a node: accounts, transfers, a loan, mistakes named by their field, and what watchers see.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod nodes;

use nodes::{Nodes, until};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// One request over a connection of its own: the status, the headers, the body.
fn request(address: &str, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: fen\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    // A body in chunks has their lengths between; all of ours come in one.
    let body = match body.split_once("\r\n") {
        Some((_, rest)) if head.to_ascii_lowercase().contains("chunked") => {
            rest.split("\r\n0").next().unwrap()
        }
        _whole => body,
    };
    (status, head.to_ascii_lowercase(), body.to_owned())
}

fn post(address: &str, path: &str, body: &Value) -> (u16, Value) {
    let (status, _, reply) = request(address, "POST", path, "", &body.to_string());
    (status, serde_json::from_str(&reply).unwrap_or_else(|_| panic!("{reply}")))
}

fn get(address: &str, path: &str) -> (u16, Value) {
    let (status, _, reply) = request(address, "GET", path, "", "");
    (status, serde_json::from_str(&reply).unwrap_or_else(|_| panic!("{reply}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_tools_call_it_in_json() {
    let mut nodes = Nodes::new();
    nodes.add(1);
    let at = nodes.endpoints(&[1]).remove(0);
    assert_eq!(request(&at, "GET", "/healthz", "", "").0, 200, "alive before the founding");
    let (status, _, reason) = request(&at, "GET", "/readyz", "", "");
    assert_eq!(status, 503);
    assert!(reason.contains("fen cluster init"), "{reason}");
    nodes.done(&["cluster", "init", "node-1.toml"]);
    until("the node is ready", async || request(&at, "GET", "/readyz", "", "").0 == 200).await;

    let account = |id: u32| json!({"id": id, "ledger": 156, "code": 1, "flags": ["history"]});
    let (status, reply) = post(&at, "/v1/accounts", &json!({"events": [account(1), account(2)]}));
    assert_eq!((status, &reply["results"][1]["status"]), (200, &json!("created")), "{reply}");
    let pay = json!({"id": 9, "debit_account_id": 1, "credit_account_id": 2, "amount": "90000", "ledger": 156, "code": 1});
    let (_, reply) = post(&at, "/v1/transfers", &json!({"events": [pay], "balances": true}));
    assert_eq!(reply["results"][0]["credit_balances"]["credits_posted"], "90000", "{reply}");
    assert_eq!(get(&at, "/v1/accounts/2").1["account"]["credits_posted"], "90000");
    assert_eq!(get(&at, "/v1/transfers/0x9").1["amount"], "90000");
    assert_eq!(get(&at, "/v1/accounts/2/transfers?limit=5").1["results"][0]["id"], "9");
    assert_eq!(get(&at, "/v1/accounts/2/balances").1["results"][0]["credits_posted"], "90000");

    let product = json!({"id": 1, "ledger": 156, "annual_rate": "12", "periods": 3, "period": {"unit": "month", "every": 1}});
    assert_eq!(post(&at, "/v1/products", &product).1["results"][0]["status"], "created");
    let loan = json!({"id": 100, "loan_id": 50, "product_id": 1, "account_id": 2, "amount": "3000", "effective_on": "2026-03-02"});
    assert_eq!(post(&at, "/v1/loans/disburse", &loan).1["results"][0]["status"], "created");
    assert_eq!(
        post(&at, "/v1/day-ends", &json!({"through": "2026-04-02"})).1["results"][0]["business_date"],
        "2026-04-03"
    );
    assert_eq!(get(&at, "/v1/loans/50").1["days_past_due"], 1);
    let balance = get(&at, "/v1/trial-balance").1;
    assert_eq!(balance["ledgers"][0]["debits_posted"], balance["ledgers"][0]["credits_posted"]);
    assert!(get(&at, "/v1/openapi.json").1["paths"]["/v1/transfers"].is_object());

    // The past, in pages and as of any day.
    let page = get(&at, "/v1/accounts/2/statement?newest=true&limit=1").1;
    let older =
        get(&at, &format!("/v1/accounts/2/statement?newest=true&after={}", page["next"].as_str().unwrap()));
    assert_eq!(older.1["lines"][0]["transfer"]["id"], "9", "{older:?}");
    assert_eq!(page["closing"]["credits_posted"], "93000");
    assert_eq!(get(&at, "/v1/loans/50/statement").1["lines"][0]["event"], "disbursed");
    assert_eq!(get(&at, "/v1/loans/51/statement").0, 404);
    assert_eq!(get(&at, "/v1/general-ledger").1["balanced"], true);
    assert_eq!(get(&at, "/v1/general-ledger?as_of=2026-03-31").1["balanced"], true);
    assert_eq!(get(&at, "/v1/portfolio").1["products"][0]["open"]["loans"], 1);
    assert_eq!(get(&at, "/v1/day-ends").1["last_closed"], "2026-04-02");
    assert_eq!(get(&at, "/v1/accounts/2/statement?form=2026-03-01").1["error"]["field"], "form");
    assert_eq!(get(&at, "/v1/accounts/77/statement").0, 404);
    let (status, head, lines) = request(&at, "GET", "/v1/feed?ledger=156&code=1", "", "");
    assert!(status == 200 && head.contains("application/x-ndjson"), "{head}");
    assert!(lines.contains("\"change\":\"transfer\",\"transfer\":{\"id\":\"9\""), "{lines}");
    assert_eq!(get(&at, "/v1/feed?form=1").1["error"]["field"], "form");
    let found = get(&at, "/v1/search/transfers?account=2&amount=90000..&newest=true").1;
    assert_eq!((&found["transfers"][0]["id"], &found["next"]), (&json!("9"), &Value::Null), "{found}");
    let page = get(&at, "/v1/search/accounts?code=1&limit=1").1;
    let after = page["next"].as_str().unwrap();
    assert_eq!(get(&at, &format!("/v1/search/accounts?code=1&after={after}")).1["accounts"][0]["id"], "2");
    assert_eq!(get(&at, "/v1/search/transfers?after=5").0, 400);
    assert_eq!(get(&at, "/v1/search/transfers?flags=pendig").1["error"]["field"], "flags");
    let sums = get(&at, "/v1/turnover?code=1&account=2").1;
    assert_eq!(
        (&sums["lines"][0]["posted"], &sums["lines"][0]["posted_count"]),
        (&json!("90000"), &json!(1))
    );
    let (status, head, rows) = request(&at, "GET", "/v1/export/transfers?account=1", "", "");
    assert!(status == 200 && head.contains("text/csv") && rows.contains("number,id,kind"), "{head}");
    assert!(request(&at, "GET", "/v1/export/accounts", "", "").2.contains("id,ledger,code"));
    let heads = get(&at, "/v1/proof/heads").1;
    let records = heads["heads"][0]["records"].as_u64().unwrap();
    let proof = get(&at, &format!("/v1/proof/inclusion?shard=1&transfer=9&records={records}")).1;
    assert_eq!((&proof["root"], &proof["covered"]), (&heads["heads"][0]["root"], &json!(true)), "{proof}");
    let growth = get(&at, &format!("/v1/proof/consistency?shard=1&older=1&newer={records}")).1;
    assert_eq!(growth["newer_root"], heads["heads"][0]["root"]);
    assert_eq!(get(&at, "/v1/proof/inclusion?shard=7&transfer=9&records=1").0, 400);
    assert!(
        request(&at, "GET", "/metrics", "", "").2.contains("fen_crossings_open{node=\"1\",group=\"1\"} 0")
    );

    // Mistakes are named; what is not there is not there.
    let (status, reply) = post(&at, "/v1/transfers", &json!({"events": [{"flags": ["pending", "pendig"]}]}));
    assert_eq!((status, &reply["error"]["field"]), (400, &json!("events[0].flags[1]")), "{reply}");
    assert_eq!(post(&at, "/v1/loans/lend", &json!({})).0, 404);
    assert_eq!(get(&at, "/v1/accounts/77").0, 404);
    assert_eq!(get(&at, "/v1/accounts/2/transfers?limt=5").1["error"]["field"], "filter.limt");
    assert_eq!(request(&at, "POST", "/v1/accounts", "", "{\"events\": ").0, 400);
    let long = format!("{{\"events\": \"{}\"}}", "x".repeat(17 << 20));
    let refused = std::panic::catch_unwind(|| request(&at, "POST", "/v1/accounts", "", &long).0);
    assert!(
        refused.is_err() || refused.is_ok_and(|status| status == 413),
        "refused, or cut off while it is sent"
    );

    // A member's answer bears its age; figures are there.
    let (status, head, _) = request(&at, "GET", "/v1/accounts/2", "Fen-Read: member\r\n", "");
    assert!(status == 200 && head.contains("fen-age-ms"), "{head}");
    let figures = request(&at, "GET", "/metrics", "", "").2;
    for name in [
        "fen_calls_total",
        "fen_call_seconds_bucket",
        "fen_log_write_seconds_bucket",
        "fen_apply_seconds_bucket",
        "fen_group_term",
    ] {
        assert!(figures.contains(name), "{name} is not in {figures}");
    }

    let verified = nodes.done(&["--json", "verify", "--endpoint", &at]);
    assert_eq!(serde_json::from_str::<Value>(&verified).unwrap()["verified"], true, "{verified}");
}
