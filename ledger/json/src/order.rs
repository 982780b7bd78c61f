//! From a line's JSON to an [`Order`]: every field known, every type right, or the whole line is refused.

use super::filters::{account_filter, query_filter};
use super::loans::{LOAN_OPS, LoanEvent, business_date, loan_events};
use super::products;
use super::records::{AccountEvent, account, chain_end, limit_change, transfer};
use crate::terms::day;
use crate::{Json, Path, Wrong, boolean, id, integer, list, object, required, text, unknown_field};
use fen_book::loan::order::LoanId;
use fen_book::loan::product::Product;
use fen_book::{
    Account, AccountFilter, AccountId, AccountOpening, BusinessDate, CHAIN_ENDS_MAX, ChainEnd, EVENTS_MAX,
    LimitChange, QueryFilter, STAMP_MAX, Transfer, TransferFlags, TransferId,
};
use std::borrow::Cow;

/// A command as `exec` takes it.
#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    /// `create_accounts`
    CreateAccounts(Vec<Account>),
    /// `create_accounts`, where an event has a limit or an opening balance
    OpenAccounts(Vec<AccountOpening>),
    /// `create_transfers`
    CreateTransfers(Vec<Transfer>),
    /// `create_transfers` with `"balances": true`
    CreateTransfersWithBalances(Vec<Transfer>),
    /// `set_limits`
    SetLimits(Vec<LimitChange>),
    /// `post_pending_chains`
    PostPendingChains(Vec<ChainEnd>),
    /// `void_pending_chains`
    VoidPendingChains(Vec<ChainEnd>),
    /// `put_product`
    PutProducts(Vec<Product>),
    /// Loan events, with their op
    Loans(&'static str, Vec<LoanEvent>),
    /// `day_end`
    DayEnd(BusinessDate),
    /// `lookup_loans`
    LookupLoans(Vec<LoanId>),
    /// `lookup_accounts`
    LookupAccounts(Vec<AccountId>),
    /// `lookup_transfers`
    LookupTransfers(Vec<TransferId>),
    /// `lookup_positions`
    LookupPositions(Vec<AccountId>),
    /// `get_account_transfers`
    AccountTransfers(AccountFilter),
    /// `get_account_balances`
    AccountBalances(AccountFilter),
    /// `query_accounts`
    QueryAccounts(QueryFilter),
    /// `query_transfers`
    QueryTransfers(QueryFilter),
    /// `tick`
    Tick(u64),
}

/// Every op but those of loan events, as listed to who asks for another.
pub const OPS: [&str; 16] = [
    "create_accounts",
    "create_transfers",
    "set_limits",
    "post_pending_chains",
    "void_pending_chains",
    "lookup_accounts",
    "lookup_transfers",
    "lookup_positions",
    "get_account_transfers",
    "get_account_balances",
    "query_accounts",
    "query_transfers",
    "tick",
    "put_product",
    "lookup_loans",
    "day_end",
];

impl Order {
    /// The op that it came with and that its reply bears.
    pub fn op(&self) -> &'static str {
        match self {
            Self::CreateAccounts(_) | Self::OpenAccounts(_) => "create_accounts",
            Self::CreateTransfers(_) | Self::CreateTransfersWithBalances(_) => "create_transfers",
            Self::SetLimits(_) => "set_limits",
            Self::PostPendingChains(_) => "post_pending_chains",
            Self::VoidPendingChains(_) => "void_pending_chains",
            Self::PutProducts(_) => "put_product",
            Self::Loans(op, _) => op,
            Self::DayEnd(_) => "day_end",
            Self::LookupLoans(_) => "lookup_loans",
            Self::LookupAccounts(_) => "lookup_accounts",
            Self::LookupTransfers(_) => "lookup_transfers",
            Self::LookupPositions(_) => "lookup_positions",
            Self::AccountTransfers(_) => "get_account_transfers",
            Self::AccountBalances(_) => "get_account_balances",
            Self::QueryAccounts(_) => "query_accounts",
            Self::QueryTransfers(_) => "query_transfers",
            Self::Tick(_) => "tick",
        }
    }
}

type Field<'a> = (Cow<'a, str>, Json<'a>);

/// The order that a line holds.
pub fn order(json: &Json) -> Result<Order, Wrong> {
    let line = Path::Line;
    let fields = object(json, &line)?;
    let op = required(fields.iter().find(|(name, _)| name == "op"), &line, "op")?;
    let op_path = line.field("op");
    match text(&op.1, &op_path)? {
        "create_accounts" => create_accounts(fields),
        "create_transfers" => create_transfers(fields),
        "set_limits" => Ok(Order::SetLimits(elements(fields, "events", EVENTS_MAX, limit_change)?)),
        "post_pending_chains" => {
            chain_ends(fields, TransferFlags::POST_PENDING_TRANSFER).map(Order::PostPendingChains)
        }
        "void_pending_chains" => {
            chain_ends(fields, TransferFlags::VOID_PENDING_TRANSFER).map(Order::VoidPendingChains)
        }
        "lookup_accounts" => Ok(Order::LookupAccounts(ids(fields, AccountId::new)?)),
        "lookup_transfers" => Ok(Order::LookupTransfers(ids(fields, TransferId::new)?)),
        "lookup_positions" => Ok(Order::LookupPositions(ids(fields, AccountId::new)?)),
        "get_account_transfers" => Ok(Order::AccountTransfers(account_filter(only(fields, "filter")?)?)),
        "get_account_balances" => Ok(Order::AccountBalances(account_filter(only(fields, "filter")?)?)),
        "query_accounts" => Ok(Order::QueryAccounts(query_filter(only(fields, "filter")?)?)),
        "query_transfers" => Ok(Order::QueryTransfers(query_filter(only(fields, "filter")?)?)),
        "tick" => tick(fields),
        "put_product" => products::products(json, fields).map(Order::PutProducts),
        "day_end" => day_end(fields),
        "lookup_loans" => Ok(Order::LookupLoans(ids(fields, LoanId::from)?)),
        op => {
            if let Some(op) = LOAN_OPS.into_iter().find(|known| *known == op) {
                return Ok(Order::Loans(op, loan_events(op, json, fields)?));
            }
            let known: Vec<&str> = OPS.into_iter().chain(LOAN_OPS).collect();
            Err(op_path.wrong(format!("is no op; known are {}", known.join(", "))))
        }
    }
}

fn day_end(fields: &[Field]) -> Result<Order, Wrong> {
    let through = day(only(fields, "through")?, &Path::Line.field("through"))?;
    Ok(Order::DayEnd(business_date(through)))
}

/// The values of the fields that an op has beside `op`; what is in `names` may be absent here.
fn values<'j, 'a, const N: usize>(
    fields: &'j [Field<'a>],
    names: [&'static str; N],
) -> Result<[Option<&'j Json<'a>>; N], Wrong> {
    let mut values = [None; N];
    for (field, json) in fields {
        match names.iter().position(|name| field == name) {
            Some(index) => values[index] = Some(json),
            None if field == "op" => {}
            None => {
                let known: Vec<&str> = std::iter::once("op").chain(names).collect();
                return Err(unknown_field(&Path::Line.field(field), &known));
            }
        }
    }
    Ok(values)
}

/// The value of the one field that an op has beside `op`.
fn only<'j, 'a>(fields: &'j [Field<'a>], name: &'static str) -> Result<&'j Json<'a>, Wrong> {
    let [value] = values(fields, [name])?;
    required(value, &Path::Line, name)
}

/// The records of a batch, each read by `read`.
fn elements<T>(
    fields: &[Field],
    name: &'static str,
    count_max: usize,
    read: impl Fn(&Json, &Path) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrong> {
    batch(only(fields, name)?, name, count_max, read)
}

fn batch<T>(
    json: &Json,
    name: &str,
    count_max: usize,
    read: impl Fn(&Json, &Path) -> Result<T, Wrong>,
) -> Result<Vec<T>, Wrong> {
    let path = Path::Line.field(name);
    let values = list(json, &path)?;
    if values.len() > count_max {
        let reason = format!(
            "{} elements; such a command takes at most {count_max}, send the rest in another",
            values.len()
        );
        return Err(path.wrong(reason));
    }
    values.iter().enumerate().map(|(index, json)| read(json, &path.element(index))).collect()
}

fn ids<T>(fields: &[Field], make: impl Fn(u128) -> T) -> Result<Vec<T>, Wrong> {
    elements(fields, "ids", EVENTS_MAX, |json, at| id(json, at).map(&make))
}

/// Accounts; those of a batch in which any has a limit or an opening balance take two stamps each, so half as many
/// make a command.
fn create_accounts(fields: &[Field]) -> Result<Order, Wrong> {
    let events = elements(fields, "events", EVENTS_MAX, account)?;
    let plain = |event: &AccountEvent| match event {
        AccountEvent::Plain(account) => Some(*account),
        AccountEvent::Opening(_) => None,
    };
    if let Some(accounts) = events.iter().map(plain).collect() {
        return Ok(Order::CreateAccounts(accounts));
    }
    let count_max = EVENTS_MAX / 2;
    if events.len() > count_max {
        let reason =
            format!("{} elements; with limits or opening balances at most {count_max}", events.len());
        return Err(Path::Line.field("events").wrong(reason));
    }
    Ok(Order::OpenAccounts(events.into_iter().map(AccountEvent::into_opening).collect()))
}

fn create_transfers(fields: &[Field]) -> Result<Order, Wrong> {
    let [events, balances] = values(fields, ["events", "balances"])?;
    let events = required(events, &Path::Line, "events")?;
    let with_balances = balances.map(|json| boolean(json, &Path::Line.field("balances"))).transpose()?;
    let transfers = batch(events, "events", EVENTS_MAX, transfer)?;
    Ok(match with_balances {
        Some(true) => Order::CreateTransfersWithBalances(transfers),
        Some(false) | None => Order::CreateTransfers(transfers),
    })
}

fn chain_ends(fields: &[Field], flags: TransferFlags) -> Result<Vec<ChainEnd>, Wrong> {
    elements(fields, "events", CHAIN_ENDS_MAX, |json, at| chain_end(json, at, flags))
}

fn tick(fields: &[Field]) -> Result<Order, Wrong> {
    let path = Path::Line.field("nanoseconds");
    let nanoseconds: u64 = integer(only(fields, "nanoseconds")?, &path)?;
    if nanoseconds > STAMP_MAX.get() {
        return Err(path.wrong(format!("is beyond the largest, {STAMP_MAX}")));
    }
    Ok(Order::Tick(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;
    use fen_book::{Amount, Code, LedgerCode, Stamp, TimeoutSeconds};

    fn read(line: &str) -> Result<Order, (String, String)> {
        order(&parse(line).unwrap()).map_err(|wrong| (wrong.field, wrong.reason))
    }

    fn wrong_field(line: &str) -> String {
        read(line).unwrap_err().0
    }

    #[test]
    fn every_op_is_read_and_bears_its_name() {
        for op in OPS {
            let line = match op {
                "create_accounts"
                | "create_transfers"
                | "set_limits"
                | "post_pending_chains"
                | "void_pending_chains" => format!("{{\"op\":\"{op}\",\"events\":[{{}}]}}"),
                "put_product" => format!("{{\"op\":\"{op}\"}}"),
                "day_end" => format!("{{\"op\":\"{op}\",\"through\":\"2026-03-31\"}}"),
                "lookup_accounts" | "lookup_transfers" | "lookup_positions" | "lookup_loans" => {
                    format!("{{\"op\":\"{op}\",\"ids\":[1,\"0x2\"]}}")
                }
                "tick" => format!("{{\"op\":\"{op}\",\"nanoseconds\":\"5\"}}"),
                _ => format!("{{\"op\":\"{op}\",\"filter\":{{}}}}"),
            };
            assert_eq!(read(&line).unwrap().op(), op);
        }
    }

    #[test]
    fn a_transfer_takes_every_field_in_either_form() {
        let text = r#"{"op":"create_transfers","events":[{"id":"0x10","debit_account_id":"1","credit_account_id":2,
            "amount":"max","pending_id":"00000000-0000-0000-0000-000000000003","user_data_128":"4",
            "user_data_64":"18446744073709551615","user_data_32":6,"timeout":"7","ledger":8,"code":"9",
            "flags":["linked","pending","linked"],"timestamp":"10"}]}"#;
        let Order::CreateTransfers(transfers) = read(text).unwrap() else { panic!("another order") };
        assert_eq!(
            transfers,
            [Transfer {
                id: TransferId::new(16),
                debit_account_id: AccountId::new(1),
                credit_account_id: AccountId::new(2),
                amount: Amount::MAX,
                pending_id: TransferId::new(3),
                user_data_128: 4,
                user_data_64: u64::MAX,
                user_data_32: 6,
                timeout: TimeoutSeconds::new(7),
                ledger: LedgerCode::new(8),
                code: Code::new(9),
                flags: TransferFlags::LINKED.with(TransferFlags::PENDING),
                timestamp: Stamp::new(10),
            }]
        );
    }

    #[test]
    fn the_first_mistake_is_named_by_its_path() {
        assert_eq!(wrong_field("[]"), "");
        assert_eq!(wrong_field("{}"), "op");
        assert_eq!(wrong_field(r#"{"op":1}"#), "op");
        assert_eq!(wrong_field(r#"{"op":"create_account"}"#), "op");
        assert_eq!(wrong_field(r#"{"op":"create_accounts"}"#), "events");
        assert_eq!(wrong_field(r#"{"op":"create_accounts","events":{}}"#), "events");
        assert_eq!(wrong_field(r#"{"op":"create_accounts","events":[],"ids":[]}"#), "ids");
        assert_eq!(wrong_field(r#"{"op":"create_accounts","events":[{},7]}"#), "events[1]");
        assert_eq!(wrong_field(r#"{"op":"create_accounts","events":[{"idd":1}]}"#), "events[0].idd");
        assert_eq!(wrong_field(r#"{"op":"create_accounts","events":[{"code":65536}]}"#), "events[0].code");
        assert_eq!(
            wrong_field(r#"{"op":"create_accounts","events":[{"flags":"linked"}]}"#),
            "events[0].flags"
        );
        assert_eq!(
            wrong_field(r#"{"op":"create_accounts","events":[{},{},{},{"flags":["pending"]}]}"#),
            "events[3].flags[0]"
        );
        assert_eq!(
            wrong_field(r#"{"op":"create_transfers","events":[{"flags":["linked",3]}]}"#),
            "events[0].flags[1]"
        );
        assert_eq!(wrong_field(r#"{"op":"lookup_accounts","ids":["x"]}"#), "ids[0]");
        assert_eq!(wrong_field(r#"{"op":"query_accounts","filter":{"debits":true}}"#), "filter.debits");
        assert_eq!(wrong_field(r#"{"op":"get_account_transfers","filter":{"debits":1}}"#), "filter.debits");
        assert_eq!(wrong_field(r#"{"op":"tick","nanoseconds":-1}"#), "nanoseconds");
    }

    #[test]
    fn a_command_has_at_most_so_many_events() {
        let of =
            |count: usize| format!(r#"{{"op":"lookup_transfers","ids":[{}]}}"#, vec!["1"; count].join(","));
        assert!(read(&of(EVENTS_MAX)).is_ok());
        let (field, reason) = read(&of(EVENTS_MAX + 1)).unwrap_err();
        assert_eq!(field, "ids");
        assert!(reason.starts_with("8190 elements; such a command takes at most 8189"), "{reason}");
    }

    #[test]
    fn an_account_may_open_with_a_limit_and_a_balance() {
        let line = r#"{"op":"create_accounts","events":[{"id":1,"ledger":1,"code":1},{"id":2,"limit":"500",
            "opening_balance":{"side":"credit","amount":"70","contra_account_id":9,"transfer_id":"0x77"}}]}"#;
        let Order::OpenAccounts(openings) = read(line).unwrap() else { panic!("another order") };
        assert!(!openings[0].has_balance());
        assert_eq!((openings[1].limit, openings[1].opening_credit), (Amount::new(500), Amount::new(70)));
        assert_eq!(
            (openings[1].contra_account_id, openings[1].transfer_id),
            (AccountId::new(9), TransferId::new(0x77))
        );
        let wrong = |part: &str| {
            wrong_field(&format!(r#"{{"op":"create_accounts","events":[{{"opening_balance":{part}}}]}}"#))
        };
        assert_eq!(wrong("5"), "events[0].opening_balance");
        assert_eq!(wrong("{}"), "events[0].opening_balance.side");
        assert_eq!(wrong(r#"{"side":"left"}"#), "events[0].opening_balance.side");
        assert_eq!(wrong(r#"{"side":"debit","sum":1}"#), "events[0].opening_balance.sum");
    }

    #[test]
    fn transfers_may_ask_for_balances() {
        let order = |rest: &str| read(&format!(r#"{{"op":"create_transfers","events":[]{rest}}}"#));
        assert_eq!(order(""), Ok(Order::CreateTransfers(Vec::new())));
        assert_eq!(order(r#","balances":false"#), Ok(Order::CreateTransfers(Vec::new())));
        assert_eq!(order(r#","balances":true"#), Ok(Order::CreateTransfersWithBalances(Vec::new())));
        assert_eq!(order(r#","balances":1"#).unwrap_err().0, "balances");
    }

    #[test]
    fn chains_are_ended_by_any_member() {
        let line = r#"{"op":"void_pending_chains","events":[{"id":"5","pending_id":"3"}]}"#;
        let Order::VoidPendingChains(ends) = read(line).unwrap() else { panic!("another order") };
        assert_eq!((ends[0].id, ends[0].pending_id), (TransferId::new(5), TransferId::new(3)));
        assert_eq!(ends[0].flags, TransferFlags::VOID_PENDING_TRANSFER);
        assert_eq!(wrong_field(r#"{"op":"post_pending_chains","events":[{"flags":[]}]}"#), "events[0].flags");
    }
}
