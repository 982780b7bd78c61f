//! The clients' answers against the naive model, and what they read against the order in which all was done.

use crate::clients::{BANK, CNY, History, Reading};
use crate::oracle::shard_of_account;
use crate::oracle::trail::{Event, Trail};
use crate::story::Story;
use crate::town::Town;
use fen_book::clearing::clearing_account;
use fen_book::{Account, AccountFlags, AccountId, Code, Command, Reply, Stamp, TransferFlags};
use fen_model::Model;
use std::collections::BTreeMap;

/// The clearing accounts of a town, every pair's.
pub fn clearing_accounts(shards: u32) -> Vec<AccountId> {
    let pairs = (1..=shards).flat_map(|source| (1..=shards).map(move |target| (source, target)));
    pairs.filter_map(|(source, target)| clearing_account(source, target, CNY)).collect()
}

/// Everything that needs no look into a node: each shard's model after all that was done.
pub fn judge_answers(
    town: &Town,
    trail: &Trail,
    history: &History,
    accounts: &[AccountId],
) -> BTreeMap<u32, Model> {
    let mut models = BTreeMap::new();
    for shard in 1..=town.shards {
        let events = trail.events.get(&shard).map_or(&[][..], Vec::as_slice);
        judge_order(&town.story, events);
        let (mut model, opened) = empty_books(town.shards, accounts);
        let states = judge_shard(&town.story, &mut model, opened, events);
        judge_readings(town, &states, history, shard);
        models.insert(shard, model);
    }
    models
}

/// Nothing is stamped before what was answered before it was asked for.
fn judge_order(story: &Story, events: &[Event]) {
    let mut latest_asked_ms = 0;
    for event in events {
        let Some((asked_ms, answered_ms)) = event.window else { continue };
        if answered_ms < latest_asked_ms {
            story.fail(&format!(
                "transfer {} was answered before one that is stamped earlier was asked for",
                event.transfers[0].id.get()
            ));
        }
        latest_asked_ms = latest_asked_ms.max(asked_ms);
    }
}

/// Books with all accounts, and the stamp of the last.
fn empty_books(shards: u32, accounts: &[AccountId]) -> (Model, Stamp) {
    let customers = accounts.iter().filter(|id| **id != BANK).copied();
    let flags = AccountFlags::DEBITS_MUST_NOT_EXCEED_CREDITS;
    let account = |id, flags| Account { id, ledger: CNY, code: Code::new(1), flags, ..Account::default() };
    let opened: Vec<Account> = std::iter::once(BANK)
        .chain(clearing_accounts(shards))
        .map(|id| account(id, AccountFlags::NONE))
        .chain(customers.map(|id| account(id, flags)))
        .collect();
    let mut model = Model::new();
    let stamp = Stamp::new(opened.len() as u64 + 1);
    model.apply(&Command::CreateAccounts(&opened), stamp);
    (model, stamp)
}

/// What an account held after an event that touched it, and when that was asked for and answered.
struct State {
    posted: (u128, u128),
    asked_ms: u64,
    answered_ms: u64,
}

type States = BTreeMap<AccountId, Vec<State>>;

fn posted(model: &Model, account: AccountId) -> (u128, u128) {
    let balances = model.balances(account);
    (balances.debits_posted.get(), balances.credits_posted.get())
}

fn judge_shard(story: &Story, model: &mut Model, opened: Stamp, events: &[Event]) -> States {
    let mut states = States::new();
    for event in events {
        // A refusal's mark has no stamp where it is the shard's first record.
        let stamp = event.stamp.max(opened);
        let Reply::Transfers(outcomes) = model.apply(&Command::CreateTransfers(&event.transfers), stamp)
        else {
            continue;
        };
        for ((outcome, expected), transfer) in outcomes.iter().zip(&event.expected).zip(&event.transfers) {
            if outcome.status != *expected {
                story.fail(&format!(
                    "transfer {} at {}: the cluster says {expected}, the model {}",
                    transfer.id.get(),
                    outcome.timestamp.get(),
                    outcome.status
                ));
            }
        }
        let (asked_ms, answered_ms) = event.window.unwrap_or((0, u64::MAX));
        for transfer in &event.transfers {
            // Who ends a reservation of a transfer between shards need not name its accounts.
            let ends = transfer.flags.contains(TransferFlags::POST_PENDING_TRANSFER);
            let reserved = if ends { model.lookup_transfers(&[transfer.pending_id])[0] } else { None };
            let named = reserved.as_ref().unwrap_or(transfer);
            for account in [named.debit_account_id, named.credit_account_id] {
                let posted = posted(model, account);
                let known = states.entry(account).or_default();
                if known.last().map_or((0, 0), |state| state.posted) != posted {
                    known.push(State { posted, asked_ms, answered_ms });
                }
            }
        }
    }
    states
}

/// What each reading saw must be what the books held between its question and its answer, and never older than what
/// an earlier reading saw.
fn judge_readings(town: &Town, states: &States, history: &History, shard: u32) {
    let story = &town.story;
    let Some(place) = town.places.iter().find_map(|place| place.running.as_ref()) else { return };
    let directory = place.0.office().router.directory();
    let mut readings: BTreeMap<AccountId, Vec<&Reading>> = BTreeMap::new();
    for reading in &history.readings {
        if shard_of_account(&directory, reading.account) == Some(shard) {
            readings.entry(reading.account).or_default().push(reading);
        }
    }
    for (account, mut readings) in readings {
        readings.sort_by_key(|reading| reading.asked_ms);
        let changes = states.get(&account).map_or(&[][..], Vec::as_slice);
        // Zero is what was before anything happened.
        let at = |posted: (u128, u128)| match changes.iter().position(|state| state.posted == posted) {
            None if posted == (0, 0) => Some(0),
            place => place.map(|place| place + 1),
        };
        for (number, reading) in readings.iter().enumerate() {
            let Some(seen) = at(reading.posted) else {
                story.fail(&format!(
                    "a reading of account {account:?} saw what never was: {:?}",
                    reading.posted
                ));
                continue;
            };
            let too_old = changes[seen..].iter().any(|later| later.answered_ms < reading.asked_ms);
            let too_new = changes[..seen].iter().any(|earlier| earlier.asked_ms > reading.answered_ms);
            let regress = readings[..number]
                .iter()
                .any(|earlier| at(earlier.posted) > Some(seen) && earlier.answered_ms < reading.asked_ms);
            if too_old || regress {
                story.fail(&format!("a reading of account {account:?} was stale"));
            }
            if too_new {
                story.fail(&format!("a reading of account {account:?} saw the future"));
            }
        }
    }
}
