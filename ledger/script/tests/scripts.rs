//! Every script on every form of the ledger, and every status reached by some script.

use fen_book::loan::status::LoanStatus;
use fen_book::{CreateAccountStatus, CreateTransferStatus, SetLimitStatus};
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
fn the_book_tells_loans_as_blessed() {
    for path in golden::loans().unwrap() {
        let run =
            golden::script(&path, Blessing::from_environment(), |start| Box::new(BookSubject::new(start)));
        run.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// What no script can say: a loan event is never linked, a day is never out of range where it is written as one, and no
/// balance of a story leaves 128 bits.
const UNTOLD: [&str; 4] = ["linked_event_failed", "date_out_of_range", "overflows", "due_date_out_of_range"];

#[test]
fn every_status_of_loans_is_reached_by_some_script() {
    let mut reached = BTreeSet::new();
    for path in golden::loans().unwrap() {
        let run = golden::script(&path, Blessing::Check, |start| Box::new(BookSubject::new(start)));
        reached.extend(run.unwrap_or_else(|error| panic!("{error}")).loan_statuses);
    }
    let all = LoanStatus::ALL.iter().map(|status| status.name());
    let missing: Vec<&str> = all.filter(|name| !reached.contains(name) && !UNTOLD.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn every_status_is_reached_by_some_script() {
    let mut accounts = BTreeSet::new();
    let mut transfers = BTreeSet::new();
    let mut limits = BTreeSet::new();
    for path in golden::all().unwrap() {
        let run = golden::script(&path, Blessing::Check, |start| Box::new(ModelLedger::new(start)));
        let run = run.unwrap_or_else(|error| panic!("{error}"));
        accounts.extend(run.account_statuses);
        transfers.extend(run.transfer_statuses);
        limits.extend(run.limit_statuses);
    }
    assert_eq!(missing(CreateAccountStatus::ALL, &accounts), []);
    assert_eq!(missing(CreateTransferStatus::ALL, &transfers), CreateTransferStatus::OF_SEVERAL_SHARDS);
    assert_eq!(missing(SetLimitStatus::ALL, &limits), []);
}

fn missing<S: Copy + Ord>(all: &[S], reached: &BTreeSet<S>) -> Vec<S> {
    all.iter().filter(|status| !reached.contains(status)).copied().collect()
}
