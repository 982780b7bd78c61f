//! The lines about loans. Each is written as the JSON that a program would send, and read as that is, so a script's
//! words mean what they mean everywhere: `rate=`, `periods=`, `score=` and the like are the fields' own names.
//!
//! ```text
//! product microloan                             as ops/examples/products/microloan.toml has it
//! product microloan from=microloan id=7 limits.borrowers=1 auto_debit=no
//! open-line loan-1 of=microloan to=Customers:Anna 10000.00 id=line on=2018-09-11 daily_rate=0.05 periods=5
//! disburse  loan-1 of=microloan to=Customers:Anna 10000.00 id=draw on=2018-09-11 daily_rate=0.05 periods=5
//! repay loan-1 2150.00 id=first on=2018-10-11 [from=ACCOUNT]        prepay, recover: alike; refund, chargeback: to=
//! repay loan-1 payoff id=last on=2018-10-11                          what settles it on the business date
//! charge loan-1 fee 10.00 id=fee on=DATE due=DATE                    fee or penalty
//! waive loan-1 event=fee id=gift on=DATE                             or: waive loan-1 penalty 5.00 ...
//! reverse loan-1 event=first id=undo on=DATE
//! reschedule loan-1 rate=18 id=cut on=DATE                           or from=, to=; periods=; first_due_on= periods=
//! charge-off, write-off loan-1 id= on=; sell loan-1 owner=9 id= on=
//! day-end 2018-10-10
//! loan loan-1                                                        its state and what is owed
//! instalments loan-1                                                 row by row
//! control microloan                                                  what its control accounts hold
//! ```

use crate::money::Currency;
use crate::run::Runner;
use crate::tell;
use crate::words::Words;
use fen_book::loan::command::{LoanCommand, LoanReply};
use fen_book::loan::control::{Role, control_account};
use fen_book::loan::money::{Money, Parts};
use fen_book::loan::status::LoanStatus;
use fen_book::loan::view::LoanView;
use fen_book::{Amount, Command, LedgerCode, Reply};
use fen_json::loans::LOAN_OPS;
use fen_json::order::{Order, order};
use serde_json::{Map, Value};
use std::path::Path;

/// The yuan, where a loan is not known.
const CNY: LedgerCode = LedgerCode::new(156);

impl Runner<'_> {
    /// Carries out a line about loans; says whether it is one.
    pub(crate) fn loan_line(&mut self, verb: &str, words: &mut Words<'_>) -> Result<bool, String> {
        match verb {
            "product" => self.product(words)?,
            "day-end" => self.day_end(words)?,
            "loan" => self.loan_state(words)?,
            "instalments" => self.instalments(words)?,
            "control" => self.control(words)?,
            event if LOAN_OPS.contains(&event.replace('-', "_").as_str()) => self.loan_event(event, words)?,
            _ => return Ok(false),
        }
        self.tells_loans = true;
        Ok(true)
    }

    fn product(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = words.word("the product's name")?;
        let file = words.option("from").unwrap_or(name);
        let mut product = example(file)?;
        for (key, value) in words.all_options() {
            if key != "from" {
                set(&mut product, key, value)?;
            }
        }
        let id = product.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok()).unwrap_or(0);
        self.names.name_product(name, id);
        let ledger =
            product.get("ledger").and_then(Value::as_u64).and_then(|ledger| u32::try_from(ledger).ok());
        self.product_ledgers.insert(id, LedgerCode::new(ledger.unwrap_or(0)));
        product.insert("op".to_owned(), Value::from("put_product"));
        let Order::PutProducts(products) = read(&product)? else { return Err("no product".to_owned()) };
        for product in products {
            let reply = self.loan_command(&LoanCommand::PutProduct(Box::new(product)));
            let LoanReply::Product(outcome) = reply else { return Err("a product is answered".to_owned()) };
            self.run.product_statuses.insert(outcome.status);
            self.answers.push(tell::line(name, &told(outcome.status.name())));
        }
        Ok(())
    }

    fn loan_event(&mut self, verb: &str, words: &mut Words<'_>) -> Result<(), String> {
        let loan = words.word("the loan's name")?;
        let loan_id = self.names.loan(loan);
        let mut fields = Map::new();
        let mut put = |key: &str, value: String| fields.insert(key.to_owned(), Value::from(value));
        put("op", verb.replace('-', "_"));
        put("loan_id", loan_id.to_string());
        let id = words.option("id").ok_or("id= is missing")?;
        put("id", self.names.transfer(id).get().to_string());
        if let Some(product) = words.option("of") {
            let product = self.names.product(product);
            if let Some(ledger) = self.product_ledgers.get(&product) {
                self.loan_ledgers.entry(loan_id).or_insert(*ledger);
            }
            put("product_id", product.to_string());
        }
        let side = if verb == "reschedule" {
            ""
        } else if matches!(verb, "repay" | "prepay" | "recover") {
            "from"
        } else {
            "to"
        };
        if let Some(account) = words.option(side) {
            put("account_id", self.names.account(account).get().to_string());
        }
        if let Some(event) = words.option("event") {
            put("event_id", self.names.transfer(event).get().to_string());
        }
        if let Some(kind) = words.word_if_any_of(&["fee", "penalty"]) {
            put("kind", kind.to_owned());
        }
        if let Some(amount) = words.word_if_any() {
            let ledger = self.loan_ledgers.get(&loan_id).copied().unwrap_or(CNY);
            let amount = match amount {
                "payoff" => self.view(loan)?.payoff.to_amount(),
                text => Currency::of(ledger).amount(text)?,
            };
            put("amount", amount.get().to_string());
        }
        for (key, value) in words.unused_options() {
            let key = match key {
                "on" => "effective_on",
                "due" => "due_on",
                other => other,
            };
            set(&mut fields, key, value)?;
        }
        let Order::Loans(_, events) = read(&fields)? else { return Err("no loan event".to_owned()) };
        let orders = events.into_iter().map(fen_json::loans::LoanEvent::order).collect();
        let LoanReply::Orders(outcomes) = self.loan_command(&LoanCommand::Orders(orders)) else {
            return Err("orders are answered".to_owned());
        };
        for outcome in outcomes {
            self.run.loan_statuses.insert(outcome.status.name());
            let text = if outcome.status == LoanStatus::Created {
                verb_done(verb).to_owned()
            } else {
                told(outcome.status.name())
            };
            self.answers.push(tell::line(id, &text));
        }
        Ok(())
    }

    fn day_end(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let day = words.word("the day")?;
        let mut fields = Map::new();
        fields.insert("op".to_owned(), Value::from("day_end"));
        fields.insert("through".to_owned(), Value::from(day));
        let Order::DayEnd(through) = read(&fields)? else { return Err("no day-end".to_owned()) };
        let mut loans = 0_u64;
        loop {
            let LoanReply::DayEnd(chunk) = self.loan_command(&LoanCommand::DayEnd { through, loans_max: 0 })
            else {
                return Err("day-end is answered".to_owned());
            };
            loans += u64::from(chunk.loans);
            if !chunk.is_done {
                self.subject.between_lines();
                continue;
            }
            self.run.loan_statuses.insert(chunk.outcome.status.name());
            let status = chunk.outcome.status;
            let text = if status == LoanStatus::Created {
                format!("closed through {day}, {loans} changes of loans")
            } else {
                told(status.name())
            };
            self.answers.push(tell::line("day-end", &text));
            return Ok(());
        }
    }

    fn loan_command(&mut self, command: &LoanCommand) -> LoanReply {
        let body = command.encode();
        let Reply::Loans(reply) = self.subject.apply(&Command::Loans(&body)) else {
            panic!("a loan command has a loan reply")
        };
        reply
    }

    fn view(&mut self, name: &str) -> Result<LoanView, String> {
        let id = self.names.loan(name);
        self.subject.loan(id).ok_or_else(|| format!("{name} is no loan"))
    }

    fn money_of(&mut self, name: &str) -> impl Fn(Money) -> String + use<> {
        let id = self.names.loan(name);
        let currency = Currency::of(self.loan_ledgers.get(&id).copied().unwrap_or(CNY));
        move |money| print(currency, money)
    }

    /// `loan NAME`
    fn loan_state(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = words.word("the loan's name")?;
        let loan = self.view(name)?;
        let money = self.money_of(name);
        let standing = &loan.standing;
        let class = standing.class.name().replace('_', " ");
        let late = match standing.days_past_due {
            0 => String::new(),
            days => format!(", {days} days past due, {class}, stage {}", standing.stage),
        };
        let accrual = if standing.is_non_accrual { ", non-accrual" } else { "" };
        let overpaid = if loan.overpaid.is_zero() {
            String::new()
        } else {
            format!(", overpaid {}", money(loan.overpaid))
        };
        let text = format!(
            "{}{late}{accrual}: owes {}{overpaid}, settles at {}",
            loan.state.name().replace('_', " "),
            parts(&loan.outstanding, &money),
            money(loan.payoff)
        );
        self.answers.push(tell::line(name, &text));
        Ok(())
    }

    /// `instalments NAME`
    fn instalments(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = words.word("the loan's name")?;
        let loan = self.view(name)?;
        let money = self.money_of(name);
        self.answers.push(format!("instalments of {name}"));
        for (row, n) in loan.rows.iter().zip(1_u32..) {
            let open = row.outstanding().total();
            let kind = if row.kind.name() == "instalment" { "" } else { row.kind.name() };
            let kind = if kind.is_empty() { String::new() } else { format!(" ({})", kind.replace('_', " ")) };
            let borne = if row.subsidised.is_zero() {
                String::new()
            } else {
                format!(", {} of it borne by others", money(row.subsidised))
            };
            let due = parts(&row.due, &money);
            let paid = money(row.paid.total());
            self.answers.push(format!(
                "  {n} {}{kind}  {due}{borne}; paid {paid}, open {}",
                row.due_on,
                money(open)
            ));
        }
        Ok(())
    }

    /// `control PRODUCT`
    fn control(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = words.word("the product's name")?;
        let product = self.names.product(name);
        let currency = Currency::of(self.product_ledgers.get(&product).copied().unwrap_or(CNY));
        let ids: Vec<_> = Role::ALL.iter().map(|role| control_account(product, *role)).collect();
        self.answers.push(format!("control accounts of {name}"));
        let accounts = self.subject.lookup_accounts(&ids);
        for (role, account) in Role::ALL.iter().zip(accounts) {
            let Some(account) = account else { continue };
            let (debits, credits) = (account.debits_posted, account.credits_posted);
            let (side, more) = if debits >= credits {
                ("debit", debits.saturating_sub(credits))
            } else {
                ("credit", credits.saturating_sub(debits))
            };
            if more > Amount::ZERO {
                self.answers.push(format!(
                    "  {:<24} {side:<6} {}",
                    role.name().replace('_', " "),
                    currency.print(more)
                ));
            }
        }
        Ok(())
    }
}

/// Components that are not nothing.
fn parts(parts: &Parts, money: &impl Fn(Money) -> String) -> String {
    let named = [
        ("principal", parts.principal),
        ("interest", parts.interest),
        ("fees", parts.fees),
        ("penalties", parts.penalties),
    ];
    let told: Vec<String> = named
        .into_iter()
        .filter(|(_, amount)| !amount.is_zero())
        .map(|(name, amount)| format!("{name} {}", money(amount)))
        .collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join(" ") }
}

fn print(currency: Currency, money: Money) -> String {
    let sign = if money < Money::ZERO { "-" } else { "" };
    format!("{sign}{}", currency.print(Amount::new(money.get().unsigned_abs())))
}

fn told(status: &str) -> String {
    match status {
        "created" => "in force".to_owned(),
        "exists" => "exists".to_owned(),
        other => format!("refused: {other}"),
    }
}

/// What a verb has done.
fn verb_done(verb: &str) -> &'static str {
    match verb {
        "open-line" => "opened",
        "disburse" => "disbursed",
        "repay" | "prepay" => "repaid",
        "charge" => "charged",
        "waive" => "waived",
        "reverse" => "reversed",
        "chargeback" => "charged back",
        "refund" => "refunded",
        "reschedule" => "rescheduled",
        "charge-off" => "charged off",
        "write-off" => "written off",
        "recover" => "recovered",
        _ => "sold",
    }
}

/// A product of the examples, as JSON.
fn example(name: &str) -> Result<Map<String, Value>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ops/examples/products");
    let path = folder.join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let table: toml::Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
    match serde_json::to_value(table) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) | Err(_) => Err(format!("{}: no product", path.display())),
    }
}

/// Sets a field by its path, `limits.borrowers=1`; `yes` and `no` are true and false, `none` takes it out.
fn set(fields: &mut Map<String, Value>, path: &str, text: &str) -> Result<(), String> {
    if let Some((first, rest)) = path.split_once('.') {
        let inner = fields.entry(first).or_insert_with(|| Value::Object(Map::new()));
        let inner = inner.as_object_mut().ok_or_else(|| format!("{first} has no fields"))?;
        return set(inner, rest, text);
    }
    let value = match text {
        "none" => {
            fields.remove(path);
            return Ok(());
        }
        "yes" => Value::from(true),
        "no" => Value::from(false),
        list if list.contains(',') => Value::from(list.split(',').collect::<Vec<_>>()),
        text => Value::from(text),
    };
    fields.insert(path.to_owned(), value);
    Ok(())
}

/// The order that the fields make, as a program's JSON would.
fn read(fields: &Map<String, Value>) -> Result<Order, String> {
    let text = Value::Object(fields.clone()).to_string();
    let json = fen_json::parse(&text).map_err(|malformed| malformed.to_string())?;
    order(&json).map_err(|wrong| format!("{}: {}", wrong.field, wrong.reason))
}
