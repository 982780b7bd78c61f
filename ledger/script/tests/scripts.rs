//! Every script on every form of the ledger, and every status reached by some script.

use fen_book::{CreateAccountStatus, CreateTransferStatus};
use fen_model::ModelLedger;
use fen_script::BookSubject;
use fen_script::golden::{self, Blessing};
use std::collections::BTreeSet;

#[test]
fn the_model_answers_as_blessed() {
    for path in golden::all().unwrap() {
        let run =
            golden::script(&path, Blessing::from_environment(), |start| Box::new(ModelLedger::new(start)));
        run.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn the_book_answers_as_blessed() {
    for path in golden::all().unwrap() {
        let run = golden::script(&path, Blessing::Check, |start| Box::new(BookSubject::new(start)));
        run.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn every_status_is_reached_by_some_script() {
    let mut accounts = BTreeSet::new();
    let mut transfers = BTreeSet::new();
    for path in golden::all().unwrap() {
        let run = golden::script(&path, Blessing::Check, |start| Box::new(ModelLedger::new(start)));
        let run = run.unwrap_or_else(|error| panic!("{error}"));
        accounts.extend(run.account_statuses);
        transfers.extend(run.transfer_statuses);
    }
    // Fen's own statuses stand between the tens; `ledger/book/tests/openings.rs` reaches them.
    let shared = CreateAccountStatus::ALL.iter().filter(|status| status.number() % 10 == 0);
    let missing = shared.filter(|status| !accounts.contains(status));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&CreateAccountStatus>::new());
    let missing = CreateTransferStatus::ALL.iter().filter(|status| !transfers.contains(status));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&CreateTransferStatus>::new());
}
