//! `fen batch item`: what became of one item of a payment file, by the file's message id and the item's own.
//!
//! The id under which the books know an item follows from both (`fen_batch::ids`): it is worked out and looked up, so no
//! index from items to outcomes is kept, and the answer costs one look-up by id however old it is. **Deliberately
//! absent.** Why an item was refused, and what later attempts at a collection took: `fen batch result` tells, from the
//! file's own outcomes. Tested by `ops/tests/batch.rs`.

use super::find;
use crate::desk::Books;
use crate::exit::{Exit, Failure, say};
use clap::Args;
use fen_batch::ids::Names;
use fen_batch::item::Item;
use fen_book::{Transfer, TransferId};
use fen_json::reply::Answer as _;
use fen_ledger::loan_posting;
use uuid::Uuid;

/// Show what the books have of one item: its transfer, or the first transfer of its loan event.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  fen batch item SALARIES-2026-03 E2E-77 --data ./books
  fen batch item SALARIES-2026-03 E2E-77 --endpoint 127.0.0.1:7001 --certificates fen-dev

Exits 1 where the books have nothing of it: it was refused, or its day is still to come.")]
pub(super) struct Arguments {
    /// The file's message id.
    message_id: String,
    /// The item's end-to-end id; where the file gives it none, its instruction id.
    end_to_end_id: String,
    /// Who made the file, where several parties have one of that id.
    #[arg(long, value_name = "NAME")]
    initiator: Option<String>,
    #[command(flatten)]
    books: Books,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, json: bool) -> Result<Exit, Failure> {
    let (desk, bank) = arguments.books.desk_with_files(None)?;
    let entry = find(&*bank.books, &arguments.message_id, arguments.initiator.as_deref())?;
    let item = Item { end_to_end_id: arguments.end_to_end_id.clone(), ..Item::default() };
    if item.name().is_none() {
        return Err(Failure::usage(
            "END_TO_END_ID names no item: give the item's end-to-end or instruction id",
        ));
    }
    let id = Names::of_key(entry.file.key).item(&item, 0);
    let found = desk.transfer(TransferId::new(id))?;
    let loan = found.as_ref().and_then(|transfer| Some((loan_posting(transfer)?, transfer.user_data_128)));
    let text = if json {
        let (event, loan_id) = loan.unzip();
        let head = serde_json::json!({
            "id": id.to_string(), "found": found.is_some(), "file_state": entry.state.name(),
            "event": event, "loan_id": loan_id.map(|id| id.to_string()),
        });
        let mut transfer = String::new();
        found.write(&mut transfer);
        format!("{},\"transfer\":{transfer}}}\n", head.to_string().trim_end_matches('}'))
    } else {
        let what = match (&found, loan) {
            (Some(transfer), Some((event, loan_id))) => {
                format!("{event}, loan {loan_id}\n{}", words(transfer))
            }
            (Some(transfer), None) => format!("transferred\n{}", words(transfer)),
            (None, _) => format!(
                "nothing of it is in the books; the file is {}: `fen batch result {}` tells of each item\n",
                entry.state.name(),
                arguments.message_id
            ),
        };
        format!("{}  {what}", Uuid::from_u128(id))
    };
    say(&text)?;
    Ok(if found.is_some() { Exit::Done } else { Exit::Refused })
}

fn words(transfer: &Transfer) -> String {
    let Transfer { debit_account_id, credit_account_id, amount, ledger, timestamp, .. } = transfer;
    format!(
        "from {debit_account_id} to {credit_account_id}: {amount} minor units of {ledger}, stamp {timestamp}\n"
    )
}
